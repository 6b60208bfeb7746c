/* The desk and the load of the benchmark: many queues and agents, tickets with key, customer, subject and text,
 * skills, deadlines. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "bench/sender.h"

struct load {
    u64 tickets;
    u32 batch;
    u32 connections;
    u32 depth; /* batches in flight, per connection */
    u32 queues;
    u32 agents;
    u32 capacity; /* of an agent; 0: no limit */
    u64 customers;
    u32 body_bytes;
    u64 rate; /* tickets a second; 0: as fast as it goes */
    u32 run;  /* part of every key: another run makes other tickets */
};

struct load_results {
    struct sender_results sent;
    u64 took_ns;
    u64 late_batches; /* with a rate: batches begun after their time, because all windows were full */
};

/* Makes the desk and lets its agents come. The server's desk must be empty. */
void load_desk(const struct load *load, struct tkd_client *client);
/* Creates the tickets; `progress` is told how many are answered. */
void load_run(const struct load *load, const char *address, struct load_results *results,
              void (*progress)(u64 done, u64 all));

/* A figure of STATUS: its number, or its text when `text` is given; 0 and "" when there is none. */
u64 load_status(struct tkd_client *client, const char *name, char *text, u32 text_bytes);

#endif
