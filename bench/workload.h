/* What is asked of the server: kinds of load, and the frames that each connection sends next.
 *
 *   create      new tickets, each with an external key, a customer, a queue
 *   lifecycle   create, reply, note for half of them, transfer for an eighth, resolve, close
 *   churn       create and close
 *   intake      create (one in seven with a key that is known), messages of customers, touches on another
 *               channel, urging
 *   query       create, tag, prioritize, pend on half of the connections; get, list and history on the others. A list
 *               is the newest 50 of any combination of queue, agent, channel, state, priority and tag, many of them
 *               rare; its latency lasts until it has all its pages
 *   sla         create, the first `due` of them all to be solved within the same second
 */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include "base/histogram.h"
#include "bench/random.h"
#include "bench/sender.h"

enum workload_kind {
    WORKLOAD_CREATE,
    WORKLOAD_LIFECYCLE,
    WORKLOAD_CHURN,
    WORKLOAD_INTAKE,
    WORKLOAD_QUERY,
    WORKLOAD_SLA,
    WORKLOAD_END
};
extern const char *const workload_names[WORKLOAD_END];

/* Classes of requests, told apart in the report. */
enum request_class {
    REQUEST_CREATE,
    REQUEST_UPDATE,
    REQUEST_GET,
    REQUEST_LIST,
    REQUEST_HISTORY,
    REQUEST_END
};
extern const char *const request_names[REQUEST_END];

/* When a request should have been sent, and how long its answer took from then. */
struct request_time {
    u64 begun_ns;
    u64 took_ns;
};

struct load {
    enum workload_kind kind;
    u64 commands; /* records to send in all; U64_NONE: until the time is over */
    u32 batch;
    u32 connections;
    u32 depth; /* frames in flight, per connection */
    u32 queues;
    u32 agents;
    u32 capacity;
    u64 customers;
    double skew;    /* Zipf's exponent of queues and customers */
    u32 body_bytes; /* 0: as people write */
    u32 run;        /* seed, and part of every key: another run makes other tickets */
    u64 open_max;   /* lifecycle, churn: tickets that are worked on at a time, about */
    u64 due;        /* sla: tickets due in the same second */
    u32 due_s;      /* sla: that many seconds after the begin */
    /* NULL: not wanted; else room for the times of so many requests, one by one. */
    struct request_time *times;
    u32 times_max;
};

struct request_tally {
    u64 frames;
    u64 records;
    u64 exists;
    u64 refused;
    enum tkd_status refusal;     /* the last one */
    struct histogram latency_ns; /* of frames: from when they should have been sent to their answer */
};

struct flow; /* of one connection */
struct workload {
    const struct load *load;
    struct texts texts;
    struct zipf queues;
    struct zipf customers;
    struct flow *flows;
    u64 begun_ns;
    u64 sent;     /* records */
    u64 answered; /* records */
    u64 frames;   /* answered */
    u32 times_count;
    u64 keys;     /* tickets created so far, asked for */
    u64 last_id;
    u64 due_created; /* sla: tickets that are due in the second wanted */
    struct request_tally tallies[REQUEST_END];
    struct histogram *interval_ns; /* where the latencies of this interval are counted too */
};

void workload_create(struct workload *workload, const struct load *load, struct histogram *interval_ns);
void workload_destroy(struct workload *workload);
/* How many of the connections need a session. */
u32 workload_sessions(const struct load *load);
/* Builds the next frame of a connection that is free; how many records it has, 0: it must wait for answers.
 */
u32 workload_build(struct workload *workload, struct sender *sender);
/* Lists whose next page was not asked for any more. */
u64 workload_unfinished(const struct workload *workload);
sender_answered workload_answered;

#endif
