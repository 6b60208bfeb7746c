#include "port/host.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

_Static_assert(sizeof(struct host_signal) == sizeof(struct signalfd_siginfo), "struct host_signal");

#define FILES_MAX (1u << 20)

u32 host_files_max(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return 1024;
    if (limit.rlim_cur < limit.rlim_max) {
        struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
    }
    return (u32)min_u64(limit.rlim_cur, FILES_MAX);
}

/* The number in a one-line file; U64_NONE when there is none ("max", no such file). */
static u64 number_in_file(const char *path)
{
    char text[64] = {0};
    FILE *file = fopen(path, "re");
    if (!file) return U64_NONE;
    char *line = fgets(text, sizeof(text), file);
    fclose(file);
    if (!line || text[0] < '0' || text[0] > '9') return U64_NONE;
    return strtoull(text, NULL, 10);
}

/* The tightest memory.max between this process's control group (v2) and the root. */
static u64 cgroup_memory_bytes(void)
{
    char line[1024], path[1200];
    u64 limit = min_u64(number_in_file("/sys/fs/cgroup/memory.max"),
                        number_in_file("/sys/fs/cgroup/memory/memory.limit_in_bytes"));
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (!file) return limit;
    while (fgets(line, sizeof(line), file)) {
        if (strncmp(line, "0::", 3) != 0) continue;
        char *group = line + 3;
        group[strcspn(group, "\n")] = 0;
        while (group[0] != 0) {
            snprintf(path, sizeof(path), "/sys/fs/cgroup%s/memory.max", group);
            limit = min_u64(limit, number_in_file(path));
            *strrchr(group, '/') = 0;
            if (!strchr(group, '/')) break;
        }
    }
    fclose(file);
    return limit;
}

u64 host_memory_bytes(void)
{
    u64 machine = (u64)sysconf(_SC_PHYS_PAGES) * (u64)sysconf(_SC_PAGESIZE);
    return min_u64(machine, cgroup_memory_bytes());
}

void *host_reserve(u64 bytes, char *error, u32 error_bytes)
{
    void *memory =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        snprintf(error, error_bytes,
                 "cannot reserve %llu MiB of address space for connections: %s; lower --connections, lift "
                 "ulimit -v, or set vm.overcommit_memory to 0 or 1",
                 (unsigned long long)(bytes >> 20), strerror(errno));
        return NULL;
    }
    madvise(memory, bytes,
            MADV_NOHUGEPAGE); /* one touched byte must not cost 2 MiB; a kernel without is fine */
    madvise(memory, bytes, MADV_DONTDUMP);
    return memory;
}

void host_release(void *memory, u64 bytes)
{
    if (memory != NULL) munmap(memory, bytes);
}

void host_discard(void *memory, u64 bytes)
{
    int result = madvise(memory, bytes, MADV_DONTNEED);
    ASSERT(result == 0);
}

i32 host_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0) return -errno;
    int fd = signalfd(-1, &set, SFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

void host_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(address.sun_path)) return;
    memcpy(address.sun_path, path, strlen(path));
    if (path[0] == '@') address.sun_path[0] = 0;
    socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    ssize_t sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, bytes);
    (void)sent; /* the service manager's own timeout tells if it did not arrive */
    close(fd);
}
