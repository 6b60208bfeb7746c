#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crash/crash.h"

static const char *program, *tool;

void server_init(const char *ticketd, const char *ticketctl)
{
    program = ticketd;
    tool = ticketctl;
}

void server_start(struct server *server)
{
    int ends[2];
    ASSERT(server->pid == 0);
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0, "pipe: %s", strerror(errno));
    const char *durability = server->durability;
    *server = (struct server){.errors = ends[0], .durability = durability, .pid = fork()};
    REQUIRE(server->pid >= 0, "fork: %s", strerror(errno));
    if (server->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ends[1], STDERR_FILENO);
        execl(program, program, "--data", "desk", "--unix", "socket", "--listen", "127.0.0.1:0",
              "--memory-budget", "192M", "--checkpoint-bytes", "1M", "--durability", durability, NULL);
        _exit(127);
    }
    close(ends[1]);
    fcntl(server->errors, F_SETFL, O_NONBLOCK);
    figures.starts++;
}

bool server_listen(struct server *server)
{
    for (;;) {
        u32 room = (u32)sizeof(server->log) - 1 - server->log_bytes;
        REQUIRE(room > 0, "it logs too much");
        ssize_t bytes = read(server->errors, server->log + server->log_bytes, room);
        if (bytes < 0 && errno == EAGAIN) return true;
        if (bytes <= 0) return false;
        server->log_bytes += (u32)bytes;
        server->log[server->log_bytes] = 0;
    }
}

u64 server_calls(const struct server *server)
{
    char path[64];
    unsigned long long reads = 0, writes = 0;
    snprintf(path, sizeof(path), "/proc/%d/io", (int)server->pid);
    FILE *file = fopen(path, "re");
    REQUIRE(file != NULL, "%s: %s", path, strerror(errno));
    int got = fscanf(file, "rchar: %*u wchar: %*u syscr: %llu syscw: %llu", &reads, &writes);
    REQUIRE(got == 2, "%s does not tell its reads and writes", path);
    fclose(file);
    return reads + writes;
}

u64 server_logged(const struct server *server, const char *name)
{
    char pattern[64];
    snprintf(pattern, sizeof(pattern), " %s=", name);
    const char *at = strstr(server->log, pattern);
    return at ? strtoull(at + strlen(pattern), NULL, 10) : 0;
}

void server_wait_ready(struct server *server)
{
    static const char address[] = "event=ready listen=127.0.0.1:";
    u64 end_us = now_us() + PATIENCE_MS * 1000ull;
    while (!server->ready) {
        struct pollfd wait = {server->errors, POLLIN, 0};
        poll(&wait, 1, 100);
        bool runs = server_listen(server);
        const char *line = strstr(server->log, address);
        server->ready =
            line && strchr(line, '\n') && sscanf(line + sizeof(address) - 1, "%63[0-9]", server->tcp) == 1;
        REQUIRE(runs || server->ready, "ticketd refuses to start");
        REQUIRE(now_us() < end_us, "ticketd does not become ready");
    }
    figures.replayed += server_logged(server, "commands");
    figures.torn += server_logged(server, "torn_bytes") > 0;
}

static int reap(struct server *server, int options)
{
    int status = 0;
    pid_t pid = waitpid(server->pid, &status, options);
    if (pid == 0) return -1;
    ASSERT(pid == server->pid);
    server_listen(server);
    close(server->errors);
    server->pid = 0;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Takes its end: by our SIGKILL, or well after our SIGTERM. */
static void take_end(struct server *server, int code)
{
    server->stopped = server->told && code == 0;
    REQUIRE(server->stopped || code == 128 + SIGKILL, "ticketd ended by itself: code %d", code);
}

void server_stop(struct server *server)
{
    server->told = true;
    kill(server->pid, SIGTERM);
}

void server_kill(struct server *server)
{
    if (server->pid == 0) return;
    kill(server->pid, SIGKILL);
    take_end(server, reap(server, 0));
}

bool server_has_stopped(struct server *server)
{
    int code = server->pid == 0 ? 0 : reap(server, WNOHANG);
    if (code < 0) return false;
    if (!server->stopped) take_end(server, code);
    return true;
}

void server_show_log(const struct server *server) { fputs(server->log, stderr); }

void server_check_backup(const char *directory)
{
    char line[2 * PATH_BYTES];
    snprintf(line, sizeof(line), "'%s' inspect '%s' --verify > inspect.log 2>&1", tool, directory);
    REQUIRE(system(line) == 0, "the backup %s is not whole: see inspect.log", directory);
    snprintf(line, sizeof(line), "rm -rf '%s'", directory);
    REQUIRE(system(line) == 0, "%s cannot be removed", directory);
    figures.backups++;
}
