#include "bench/peers/peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define QUEUES   64u
#define CHANNELS 4u
#define BODY     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" /* 64 bytes */

_Noreturn void peer_die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

struct peer_options peer_options(char **argv)
{
    struct peer_options options = {.address = argv[1],
                                   .tickets = strtoull(argv[2], NULL, 10),
                                   .connections = (u32)strtoul(argv[3], NULL, 10),
                                   .batch = (u32)strtoul(argv[4], NULL, 10),
                                   .depth = (u32)strtoul(argv[5], NULL, 10)};
    if (options.tickets == 0 || options.connections == 0 || options.batch == 0 || options.depth == 0)
        peer_die(argv[0], "numbers must be above 0");
    return options;
}

void peer_ticket(const struct peer_options *options, u64 index, struct peer_ticket *ticket)
{
    u64 customer = index * 0x9e3779b97f4a7c15u % (options->tickets / 4 + 1);
    snprintf(ticket->channel, sizeof(ticket->channel), "%u", (u32)(index % CHANNELS) + 1);
    snprintf(ticket->queue, sizeof(ticket->queue), "%u", (u32)(index * 2654435761u % QUEUES) + 1);
    customer = customer - customer % CHANNELS + index % CHANNELS; /* of one channel */
    snprintf(ticket->address, sizeof(ticket->address), "+%011llu", (unsigned long long)customer);
    snprintf(ticket->key, sizeof(ticket->key), "%016llu", (unsigned long long)index);
    ticket->subject = "Where is my parcel? Order 000000";
    ticket->body = BODY;
}

u64 peer_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (u64)now.tv_sec * 1000000000u + (u64)now.tv_nsec;
}

void peer_tell(const struct peer_options *options, u64 took_ns, const struct histogram *batch_ns)
{
    printf("{\"tickets\":%llu,\"connections\":%u,\"batch\":%u,\"depth\":%u,\"commands_per_second\":%.0f,"
           "\"p50_ms\":%.3f,\"p99_ms\":%.3f}\n",
           (unsigned long long)options->tickets, options->connections, options->batch,
           options->depth, (double)options->tickets * 1e9 / (double)took_ns,
           (double)histogram_quantile(batch_ns, 500000) / 1e6,
           (double)histogram_quantile(batch_ns, 990000) / 1e6);
}
