/* What the loads of the peers have in common: the tickets, which are those of ticketbench's `create`, and
 * what is told at the end. */
#ifndef PEERS_PEER_H
#define PEERS_PEER_H

#include "base/histogram.h"

struct peer_options {
    const char *address; /* a socket's path, or its directory */
    u64 tickets;
    u32 connections;
    u32 batch; /* tickets a statement, where there are such */
    u32 depth; /* batches in flight on each connection */
};
/* From the arguments ADDRESS TICKETS CONNECTIONS BATCH DEPTH, which are there. */
struct peer_options peer_options(char **argv);

struct peer_ticket {
    char channel[12];
    char queue[12];
    char address[24];
    char key[24];
    const char *subject;
    const char *body;
};
void peer_ticket(const struct peer_options *options, u64 index, struct peer_ticket *ticket);

u64 peer_now_ns(void);
void peer_tell(const struct peer_options *options, u64 took_ns, const struct histogram *batch_ns);
_Noreturn void peer_die(const char *what, const char *why);

#endif
