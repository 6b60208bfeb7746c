/* The desk of the benchmark: many queues and agents, skills, policies. */
#ifndef BENCH_DESK_H
#define BENCH_DESK_H

#include "bench/sender.h"

#define DESK_CHANNELS       4u
#define DESK_DUE_CATEGORIES 200u /* with due_categories: category n is to be solved within n seconds */

struct desk_size {
    u32 queues;
    u32 agents;
    u32 capacity;         /* of an agent; 0: no limit */
    u64 archive_after_ms; /* 0: as it is by default */
    bool due_categories;
};

/* Builds the frames that make the desk, and let its agents come; dies when an answer to them refuses something. */
void desk_catalog(const struct desk_size *size, struct sender *sender);
void desk_presence(const struct desk_size *size, struct sender *sender);
sender_answered desk_answered;
/* Does so at a server, whose desk must be empty. */
void desk_make(const struct desk_size *size, struct tkd_client *client, const char *address);
/* A figure of STATUS or SUMMARY: its number, and its text when `text` is given; 0 and "" when there is none.
 */
u64 desk_figure(struct tkd_client *client, u16 op, const char *name, char *text, u32 text_bytes);

#endif
