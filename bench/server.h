/* A ticketd of one's own: started on a directory, waited for until it serves, stopped or killed. However the program
 * ends, it leaves neither the server nor the directory. */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include <sys/types.h>

#include "base/base.h"

#define SERVER_ARGUMENTS_MAX 16u

struct server_process {
    char program[1024];
    char data[1024];
    char log[1100];                              /* its log goes to this file */
    char address[1100];                          /* where it serves, for a client: HOST:PORT or unix:PATH */
    bool unix_socket;                            /* instead of TCP */
    const char *arguments[SERVER_ARGUMENTS_MAX]; /* besides --data, and --listen or --unix */
    u32 arguments_count;
    pid_t pid; /* 0: not running */
};

/* `ticketd` beside the running program, and a new directory below $TMPDIR for it; one at a time. */
void server_process_init(struct server_process *server, const char *name);
void server_process_argument(struct server_process *server, const char *argument);
/* Starts it and waits until it serves. Dies with an explanation when it does not. */
void server_process_start(struct server_process *server);
/* Ends it by this signal and returns its exit code, or minus the signal. */
int server_process_end(struct server_process *server, int signal);
/* Removes the directory. */
void server_process_remove(struct server_process *server);

/* Physical memory in use, in bytes; of it what is mapped from files is left out. */
u64 server_process_memory(const struct server_process *server);

/* CPU time of all its threads, and what it has written to disks. */
u64 server_process_cpu_ns(const struct server_process *server);
u64 server_process_written(const struct server_process *server);

/* From now on SIGINT, SIGTERM and SIGHUP are only noted, so that what was measured can still be told. A second one ends
 * the server, and with it whatever is waited for. */
void interrupt_catch(void);
int interrupt_seen(void); /* the signal; 0: none */

u64 now_ns(void);
/* Ends with code 1, or after a signal as shells expect it; tells the last line of the server's log. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
