/* A real ticketd as a child process. */
#ifndef SUPPORT_DAEMON_H
#define SUPPORT_DAEMON_H

#include <sys/types.h>

#include "base/base.h"

struct daemon {
    pid_t pid;
    int errors; /* its standard error */
    char log[65536];
    u32 log_bytes;
    char address[128]; /* "127.0.0.1:PORT" of the ready line */
};

/* Starts ticketd on `data` with --listen 127.0.0.1:0 and the options given (blank-separated, or NULL), and
 * waits until it is ready; fails the test otherwise. */
void daemon_start(struct daemon *daemon, const char *data, const char *options);
/* Runs it with exactly these options until it ends; returns the exit code (or 128 + signal). */
int daemon_run(struct daemon *daemon, const char *options);
/* Sends the signal and waits for the end; returns the exit code (or 128 + signal). */
int daemon_end(struct daemon *daemon, int signal_number);

#endif
