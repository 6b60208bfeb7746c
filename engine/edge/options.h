/* The command line of ticketd. */
#ifndef EDGE_OPTIONS_H
#define EDGE_OPTIONS_H

#include "base/base.h"
#include "durable/wal.h"

#define OPTIONS_ADDRESSES_MAX 8u

enum options_verdict { OPTIONS_RUN = 1, OPTIONS_HELP, OPTIONS_VERSION, OPTIONS_WRONG };

struct options {
    const char *data;
    const char *listen[OPTIONS_ADDRESSES_MAX];
    const char *unix_paths[OPTIONS_ADDRESSES_MAX];
    u32 listen_count;
    u32 unix_count;
    bool virtual_clock;
    const char *durability_text; /* as given */
    enum wal_durability durability;
    u32 interval_ms;
    u32 connections_max;
    u32 busy_poll_us;
    u64 memory_budget_bytes; /* 0: half of what there is */
    u64 checkpoint_bytes;    /* 0: the default */
};

extern const char options_help[];

/* WRONG: `error` says what and what to do. */
enum options_verdict options_parse(struct options *options, int argc, char *const *argv, char *error,
                                   u32 error_bytes);
/* "64M" -> bytes; units K, M, G, T are powers of 1024. */
bool options_size(const char *text, u64 *bytes);

#endif
