#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "port/host.h"
#include "support/directory.h"

Test(host, the_limit_of_files_is_raised_to_the_hard_one)
{
    struct rlimit limit;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 128;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    u32 files = host_files_max();
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    cr_assert_eq(limit.rlim_cur, limit.rlim_max);
    cr_assert_eq(files, min_u64(limit.rlim_max, 1u << 20));
}

Test(host, there_is_memory)
{
    cr_assert_gt(host_memory_bytes(), 1u << 20);
    cr_assert_leq(host_memory_bytes(), (u64)sysconf(_SC_PHYS_PAGES) * (u64)sysconf(_SC_PAGESIZE));
}

Test(host, reserved_memory_is_zero_and_again_after_it_was_discarded)
{
    char error[512];
    u8 *memory = host_reserve(1ull << 30, error, sizeof(error));
    cr_assert_not_null(memory);
    memory[5000] = 7;
    host_discard(memory + 4096, 4096);
    cr_assert_eq(memory[5000], 0);
    host_release(memory, 1ull << 30);
}

Test(host, too_much_address_space_is_refused_with_the_remedy)
{
    char error[512] = "";
    cr_assert_null(host_reserve(1ull << 60, error, sizeof(error)));
    cr_assert_not_null(strstr(error, "--connections"));
}

Test(host, signals_arrive_at_the_descriptor)
{
    struct host_signal signal_read;
    i32 fd = host_signals();
    cr_assert_geq(fd, 0);
    raise(SIGPIPE);
    raise(SIGHUP);
    raise(SIGTERM);
    cr_assert_eq(read(fd, &signal_read, sizeof(signal_read)), (ssize_t)sizeof(signal_read));
    cr_assert_eq(signal_read.number, SIGTERM);
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    cr_assert_eq(poll(&wait, 1, 0), 0);
}

Test(host, the_service_manager_is_told)
{
    char directory[4096], got[32] = "";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    host_notify("READY=1"); /* nobody there */
    directory_make(directory);
    cr_assert_lt(snprintf(address.sun_path, sizeof(address.sun_path), "%.90s/notify", directory), 107);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
    host_notify("READY=1");
    cr_assert_eq(recv(fd, got, sizeof(got), MSG_DONTWAIT), 7);
    cr_assert_str_eq(got, "READY=1");
    close(fd);
    directory_remove(directory);
}
