/* The command line of ticketbench. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include "bench/server.h"
#include "bench/workload.h"

struct options {
    struct load load;
    const char *address; /* of a server that runs; NULL: one of our own */
    const char *server_arguments[SERVER_ARGUMENTS_MAX];
    u32 server_arguments_count;
    u64 rate;         /* records a second; 0: closed loop */
    u32 rate_percent; /* of the maximum, which is measured first; 0: not */
    u64 seconds;      /* 0: until all commands are done; of a sweep: of each point, 0: as it is by default */
    u64 archive_after_ms;
    const char *plot; /* file; NULL: none */
    bool sweep;
    bool json;
    bool restart;
    bool unix_socket; /* to our own server */
};

struct options options_read(int argc, char **argv);

#endif
