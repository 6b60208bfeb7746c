#include <criterion/criterion.h>
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "port/net.h"
#include "support/directory.h"

static char error[512];

Test(net, a_free_port_is_taken_and_named)
{
    struct net_listener listener;
    cr_assert_eq(net_listen_tcp(&listener, "127.0.0.1:0", error, sizeof(error)), 0, "%s", error);
    cr_assert(listener.tcp);
    u32 port = (u32)atoi(strchr(listener.name, ':') + 1);
    cr_assert_gt(port, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((u16)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    struct net_listener second;
    cr_assert_eq(net_listen_tcp(&second, listener.name, error, sizeof(error)), -EADDRINUSE);
    cr_assert_not_null(strstr(error, "another process"));
    close(fd);
    net_listener_close(&listener);
}

Test(net, only_loopback)
{
    struct net_listener listener;
    static const char *const refused[] = {"0.0.0.0:0", "10.0.0.1:80", "[::]:0", "192.168.1.1:7411"};
    for (u32 i = 0; i < ARRAY_COUNT(refused); i++) {
        cr_assert_eq(net_listen_tcp(&listener, refused[i], error, sizeof(error)), -EPERM, "%s", refused[i]);
        cr_assert_not_null(strstr(error, "loopback"));
    }
}

Test(net, what_is_no_address_is_named)
{
    struct net_listener listener;
    static const char *const wrong[] = {"",
                                        "7411",
                                        ":7411",
                                        "127.0.0.1",
                                        "127.0.0.1:",
                                        "127.0.0.1:65536",
                                        "127.0.0.1:-1",
                                        "127.0.0.1:1x",
                                        "example.org:80",
                                        "[::1:80"};
    for (u32 i = 0; i < ARRAY_COUNT(wrong); i++) {
        cr_assert_lt(net_listen_tcp(&listener, wrong[i], error, sizeof(error)), 0, "%s", wrong[i]);
        cr_assert_gt(strlen(error), 10);
    }
}

Test(net, a_dead_socket_file_is_replaced_a_live_one_and_other_files_are_not)
{
    char directory[4096], path[4200];
    struct net_listener listener, second;
    directory_make(directory);
    snprintf(path, sizeof(path), "%s/s", directory);
    cr_assert_eq(net_listen_unix(&listener, path, error, sizeof(error)), 0, "%s", error);
    cr_assert_eq(net_listen_unix(&second, path, error, sizeof(error)), -EADDRINUSE);
    close(listener.fd); /* as after a crash: the file stays */
    cr_assert_eq(net_listen_unix(&listener, path, error, sizeof(error)), 0, "%s", error);
    net_listener_close(&listener);
    cr_assert_eq(access(path, F_OK), -1, "removed with the listener");
    FILE *file = fopen(path, "w");
    fclose(file);
    cr_assert_eq(net_listen_unix(&listener, path, error, sizeof(error)), -EADDRINUSE);
    cr_assert_eq(access(path, F_OK), 0);
    directory_remove(directory);
}

/* Who has no time to accept is alive, too. */
Test(net, the_socket_of_a_busy_one_is_left_to_it)
{
    char directory[4096];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct net_listener listener;
    directory_make(directory);
    snprintf(address.sun_path, sizeof(address.sun_path), "%.100s/s", directory);
    int busy = socket(AF_UNIX, SOCK_STREAM, 0), fds[16], count = 0;
    cr_assert_eq(bind(busy, (struct sockaddr *)&address, sizeof(address)), 0);
    cr_assert_eq(listen(busy, 0), 0);
    do {
        cr_assert_lt(count, 16);
        fds[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    } while (connect(fds[count++], (struct sockaddr *)&address, sizeof(address)) == 0);
    cr_assert_eq(errno, EAGAIN);
    cr_assert_eq(net_listen_unix(&listener, address.sun_path, error, sizeof(error)), -EADDRINUSE);
    cr_assert_eq(access(address.sun_path, F_OK), 0);
    while (count > 0) close(fds[--count]);
    close(busy);
    directory_remove(directory);
}

Test(net, a_socket_path_has_its_limit)
{
    char path[300];
    struct net_listener listener;
    memset(path, 'x', sizeof(path));
    path[sizeof(path) - 1] = 0;
    cr_assert_eq(net_listen_unix(&listener, path, error, sizeof(error)), -ENAMETOOLONG);
    cr_assert_eq(net_listen_unix(&listener, "", error, sizeof(error)), -ENAMETOOLONG);
}

Test(net, who_is_refused_reads_the_last_word)
{
    int ends[2];
    char got[16];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    net_refuse(ends[0], "sorry", 5);
    cr_assert_eq(recv(ends[1], got, sizeof(got), 0), 5);
    cr_assert_eq(recv(ends[1], got, sizeof(got), 0), 0);
    close(ends[1]);
}
