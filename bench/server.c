#include "bench/server.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_LIMIT_MS 120000

static const char unix_prefix[] = "unix:";

u64 now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (u64)now.tv_sec * 1000000000u + (u64)now.tv_nsec;
}

/* ---- The end ---- */

static struct server_process *volatile own; /* whose directory there is; NULL: none */
static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
    if (interrupted && own == NULL) _exit(128 + signal);
    if (interrupted && own->pid != 0) kill(own->pid, SIGKILL);
    interrupted = signal;
}

void interrupt_catch(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = interrupt};
    for (u32 i = 0; i < ARRAY_COUNT(signals); i++) sigaction(signals[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN); /* a write that fails is told */
}

int interrupt_seen(void) { return interrupted; }

static void clean_up(void)
{
    if (own == NULL) return;
    server_process_end(own, SIGKILL);
    server_process_remove(own);
}

static void tell_last_of_log(void)
{
    char line[4096], last[4096] = "";
    FILE *log = own ? fopen(own->log, "r") : NULL;
    while (log && fgets(line, sizeof(line), log)) strcpy(last, line);
    if (log) fclose(log);
    if (*last) fprintf(stderr, "The last line of ticketd's log:\n%s", last);
}

_Noreturn void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fflush(stdout);
    fprintf(stderr, "%s: ", program_invocation_short_name);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    tell_last_of_log();
    exit(interrupted ? 128 + interrupted : 1);
}

/* ---- Its life ---- */

void server_process_init(struct server_process *server, const char *name)
{
    static bool registered;
    ASSERT(own == NULL);
    *server = (struct server_process){.pid = 0};
    ssize_t bytes = readlink("/proc/self/exe", server->program, sizeof(server->program) - 16);
    if (bytes < 0) die("cannot find where this program lies: %s", strerror(errno));
    server->program[bytes] = 0;
    strcpy(strrchr(server->program, '/'), "/ticketd");
    const char *directory = getenv("TMPDIR");
    snprintf(server->data, sizeof(server->data), "%s/%s.XXXXXX", directory && *directory ? directory : "/tmp",
             name);
    if (!mkdtemp(server->data))
        die("%s: %s. Set TMPDIR to where there is room", server->data, strerror(errno));
    snprintf(server->log, sizeof(server->log), "%s/ticketd.log", server->data);
    own = server;
    if (!registered && atexit(clean_up) != 0) die("no memory");
    registered = true;
}

void server_process_argument(struct server_process *server, const char *argument)
{
    ASSERT(server->arguments_count < SERVER_ARGUMENTS_MAX);
    server->arguments[server->arguments_count++] = argument;
}

/* The child: becomes ticketd. It does not outlive us. */
_Noreturn static void become(const struct server_process *server, pid_t parent)
{
    char data[1100];
    const char *arguments[SERVER_ARGUMENTS_MAX + 8] = {server->program, "--data", data};
    u32 count = 3;
    arguments[count++] = server->unix_socket ? "--unix" : "--listen";
    arguments[count++] = server->unix_socket ? server->address + strlen(unix_prefix) : "127.0.0.1:0";
    snprintf(data, sizeof(data), "%s/desk", server->data);
    for (u32 i = 0; i < server->arguments_count; i++) arguments[count++] = server->arguments[i];
    int log = open(server->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (log < 0 || null < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0) _exit(126);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(126);
    signal(SIGPIPE, SIG_DFL);
    setpgid(0, 0); /* Ctrl-C is for us; we then end it */
    execv(server->program, (char **)(uintptr_t)arguments);
    fprintf(stderr, "%s: %s\n", server->program, strerror(errno));
    _exit(127);
}

/* A socket on which the server says that it is ready, as to a service manager. */
static int ready_socket(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[64];
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int bytes =
        snprintf(name, sizeof(name), "@ticketd-bench-%d-%llu", getpid(), (unsigned long long)now_ns());
    memcpy(address.sun_path + 1, name + 1, (size_t)bytes - 1);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)bytes);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0) die("no socket: %s", strerror(errno));
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

static void wait_until_ready(struct server_process *server, int fd)
{
    u64 limit_ns = now_ns() + START_LIMIT_MS * 1000000ull;
    while (now_ns() < limit_ns) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        char said[512] = "";
        if (poll(&wait, 1, 50) > 0 && recv(fd, said, sizeof(said) - 1, 0) > 0 && strstr(said, "READY=1"))
            return;
        if (interrupted) die("interrupted");
        if (waitpid(server->pid, NULL, WNOHANG) == server->pid) {
            server->pid = 0;
            die("ticketd ended instead of serving");
        }
    }
    die("ticketd did not become ready");
}

/* The port that it was given: the last address in its log. */
static void find_address(struct server_process *server)
{
    static const char host[] = "127.0.0.1:";
    char line[4096];
    FILE *log = fopen(server->log, "r");
    while (log && fgets(line, sizeof(line), log)) {
        const char *at = strstr(line, host);
        u32 port = at ? (u32)strtoul(at + sizeof(host) - 1, NULL, 10) : 0;
        if (port != 0) snprintf(server->address, sizeof(server->address), "%s%u", host, port);
    }
    if (log) fclose(log);
    if (!*server->address) die("ticketd did not log where it listens");
}

void server_process_start(struct server_process *server)
{
    ASSERT(server->pid == 0);
    if (server->unix_socket) snprintf(server->address, sizeof(server->address), "%s%s/s", unix_prefix, server->data);
    int fd = ready_socket();
    pid_t parent = getpid();
    pid_t child = fork();
    if (child < 0) die("fork: %s", strerror(errno));
    if (child == 0) become(server, parent);
    server->pid = child;
    wait_until_ready(server, fd);
    close(fd);
    if (!server->unix_socket) find_address(server);
}

int server_process_end(struct server_process *server, int signal)
{
    int status = 0;
    if (server->pid == 0) return 0;
    kill(server->pid, signal);
    while (waitpid(server->pid, &status, 0) < 0 && errno == EINTR) {
    }
    server->pid = 0;
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
    (void)stat, (void)kind, (void)walk;
    return remove(path);
}

void server_process_remove(struct server_process *server)
{
    ASSERT(server->pid == 0);
    nftw(server->data, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    own = NULL;
}

u64 server_process_memory(const struct server_process *server)
{
    char path[64], line[256];
    unsigned long long anonymous_kb = 0, shared_kb = 0;
    snprintf(path, sizeof(path), "/proc/%d/status", server->pid);
    FILE *status = fopen(path, "r");
    while (status && fgets(line, sizeof(line), status)) {
        sscanf(line, "RssAnon: %llu", &anonymous_kb);
        sscanf(line, "RssShmem: %llu", &shared_kb);
    }
    if (status) fclose(status);
    return (u64)(anonymous_kb + shared_kb) * 1024;
}

u64 server_process_cpu_ns(const struct server_process *server)
{
    char path[64];
    unsigned long long user = 0, system = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", server->pid);
    FILE *stat = fopen(path, "r");
    /* The second field is the program's name, ours: without blanks. */
    if (stat &&
        fscanf(stat, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system) != 2)
        user = 0;
    if (stat) fclose(stat);
    return (u64)(user + system) * 1000000000u / (u64)sysconf(_SC_CLK_TCK);
}

u64 server_process_written(const struct server_process *server)
{
    char path[64], line[256];
    unsigned long long bytes = 0;
    snprintf(path, sizeof(path), "/proc/%d/io", server->pid);
    FILE *io = fopen(path, "r");
    while (io && fgets(line, sizeof(line), io)) sscanf(line, "write_bytes: %llu", &bytes);
    if (io) fclose(io);
    return (u64)bytes;
}
