#include "support/daemon.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 60000

static const char *binary(void)
{
    static char path[4096];
    const char *named = getenv("TICKETD_BIN");
    const char *folder = getenv("BIN");
    snprintf(path, sizeof(path), "%s%s",
             named    ? named
             : folder ? folder
                      : "build/bin",
             named ? "" : "/ticketd");
    return path;
}

static void spawn(struct daemon *daemon, const char *options)
{
    static char words[8192];
    char *argv[64] = {(char *)binary()};
    int ends[2], argc = 1;
    snprintf(words, sizeof(words), "%s", options);
    for (char *word = strtok(words, " "); word && argc < 63; word = strtok(NULL, " ")) argv[argc++] = word;
    cr_assert_eq(pipe(ends), 0);
    *daemon = (struct daemon){.errors = ends[0], .pid = fork()};
    cr_assert_geq(daemon->pid, 0);
    if (daemon->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nothing behind */
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        execv(argv[0], argv);
        _exit(127);
    }
    close(ends[1]);
}

/* Reads more of the log; false at its end. */
static bool read_log(struct daemon *daemon)
{
    struct pollfd wait = {.fd = daemon->errors, .events = POLLIN};
    cr_assert_gt(poll(&wait, 1, PATIENCE_MS), 0, "ticketd says nothing; so far: %s", daemon->log);
    u32 room = (u32)sizeof(daemon->log) - 1 - daemon->log_bytes;
    cr_assert_gt(room, 0);
    ssize_t bytes = read(daemon->errors, daemon->log + daemon->log_bytes, room);
    if (bytes <= 0) return false;
    daemon->log_bytes += (u32)bytes;
    daemon->log[daemon->log_bytes] = 0;
    return true;
}

static int wait_end(struct daemon *daemon)
{
    int status;
    while (read_log(daemon)) continue;
    close(daemon->errors);
    cr_assert_eq(waitpid(daemon->pid, &status, 0), daemon->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void daemon_start(struct daemon *daemon, const char *data, const char *options)
{
    char line[8192];
    snprintf(line, sizeof(line), "--data %s --listen 127.0.0.1:0 --memory-budget 256M %s", data,
             options ? options : "");
    spawn(daemon, line);
    for (;;) {
        const char *ready = strstr(daemon->log, "event=ready listen=");
        if (ready && strchr(ready, '\n')) {
            cr_assert_eq(sscanf(ready, "event=ready listen=%127s", daemon->address), 1);
            return;
        }
        cr_assert(read_log(daemon), "ticketd has ended: %s", daemon->log);
    }
}

int daemon_run(struct daemon *daemon, const char *options)
{
    spawn(daemon, options);
    return wait_end(daemon);
}

int daemon_end(struct daemon *daemon, int signal_number)
{
    kill(daemon->pid, signal_number);
    return wait_end(daemon);
}
