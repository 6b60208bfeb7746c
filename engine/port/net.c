#include "port/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 4096

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un un;
};

static bool is_loopback(const union address *address)
{
    if (address->any.sa_family == AF_INET) return ntohl(address->v4.sin_addr.s_addr) >> 24 == 127;
    return address->any.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
}

static socklen_t address_bytes(const union address *address)
{
    return address->any.sa_family == AF_INET ? sizeof(address->v4) : sizeof(address->v6);
}

/* Cuts "[HOST]:PORT" or "HOST:PORT" in two. */
static bool split_host_port(const char *text, char *host, u32 host_bytes, const char **port)
{
    const char *colon = strrchr(text, ':');
    if (!colon || colon == text) return false;
    const char *from = text;
    u64 bytes = (u64)(colon - text);
    if (text[0] == '[') {
        if (bytes < 3 || colon[-1] != ']') return false;
        from = text + 1;
        bytes -= 2;
    }
    if (bytes >= host_bytes) return false;
    memcpy(host, from, bytes);
    host[bytes] = 0;
    *port = colon + 1;
    return true;
}

static i32 parse_tcp(const char *text, union address *address, char *error, u32 error_bytes)
{
    char host[NET_NAME_BYTES];
    const char *port_text;
    char *end = NULL;
    if (!split_host_port(text, host, sizeof(host), &port_text)) {
        snprintf(error, error_bytes, "'%s' is not HOST:PORT (for example 127.0.0.1:%u)", text,
                 TKD_DEFAULT_PORT);
        return -EINVAL;
    }
    unsigned long port = strtoul(port_text, &end, 10);
    if (port_text[0] < '0' || port_text[0] > '9' || *end != 0 || port > 65535) {
        snprintf(error, error_bytes, "'%s' is not a port number (0..65535) in '%s'", port_text, text);
        return -EINVAL;
    }
    if (strcmp(host, "localhost") == 0) snprintf(host, sizeof(host), "127.0.0.1");
    memset(address, 0, sizeof(*address));
    if (inet_pton(AF_INET, host, &address->v4.sin_addr) == 1) {
        address->v4.sin_family = AF_INET;
        address->v4.sin_port = htons((u16)port);
    } else if (inet_pton(AF_INET6, host, &address->v6.sin6_addr) == 1) {
        address->v6.sin6_family = AF_INET6;
        address->v6.sin6_port = htons((u16)port);
    } else {
        snprintf(error, error_bytes,
                 "'%s' is not an IP address: give a loopback address such as 127.0.0.1:%lu", host, port);
        return -EINVAL;
    }
    return 0;
}

static void name_tcp(struct net_listener *listener)
{
    union address address = {0};
    socklen_t bytes = sizeof(address);
    char host[INET6_ADDRSTRLEN] = "?";
    int result = getsockname(listener->fd, &address.any, &bytes);
    ASSERT(result == 0);
    if (address.any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &address.v4.sin_addr, host, sizeof(host));
        snprintf(listener->name, sizeof(listener->name), "%s:%u", host, ntohs(address.v4.sin_port));
    } else {
        inet_ntop(AF_INET6, &address.v6.sin6_addr, host, sizeof(host));
        snprintf(listener->name, sizeof(listener->name), "[%s]:%u", host, ntohs(address.v6.sin6_port));
    }
}

/* Says what stands in the way of `what` and returns -errno. */
static i32 explain(int number, const char *what, char *error, u32 error_bytes)
{
    const char *remedy = "";
    if (number == EADDRINUSE) remedy = ": another process listens there; stop it or choose another address";
    if (number == EACCES) remedy = ": choose a port above 1023, or a directory you may write to";
    if (number == EADDRNOTAVAIL) remedy = ": this machine does not have that address";
    if (number == ENOENT) remedy = ": make its directory first";
    if (number == EMFILE || number == ENFILE) remedy = ": raise the limit of open files (ulimit -n)";
    snprintf(error, error_bytes, "cannot listen on %s: %s%s", what, strerror(number), remedy);
    return -number;
}

i32 net_listen_tcp(struct net_listener *listener, const char *text, char *error, u32 error_bytes)
{
    union address address;
    i32 result = parse_tcp(text, &address, error, error_bytes);
    if (result < 0) return result;
    if (!is_loopback(&address)) {
        snprintf(error, error_bytes,
                 "'%s' is not a loopback address: without authentication ticketd serves this machine only; "
                 "listen on 127.0.0.1:%u, [::1]:%u or a Unix socket (--unix PATH)",
                 text, TKD_DEFAULT_PORT, TKD_DEFAULT_PORT);
        return -EPERM;
    }
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return explain(errno, text, error, error_bytes);
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, &address.any, address_bytes(&address)) < 0 || listen(fd, BACKLOG) < 0) {
        result = explain(errno, text, error, error_bytes);
        close(fd);
        return result;
    }
    *listener = (struct net_listener){.fd = fd, .tcp = true};
    name_tcp(listener);
    return 0;
}

/* Removes a socket file that refuses connections: its server has died. */
static void remove_dead_socket(const struct sockaddr_un *address)
{
    struct stat status;
    if (lstat(address->sun_path, &status) < 0 || !S_ISSOCK(status.st_mode)) return;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return;
    int result = connect(fd, (const struct sockaddr *)address, sizeof(*address));
    if (result < 0 && errno == ECONNREFUSED) unlink(address->sun_path);
    close(fd);
}

i32 net_listen_unix(struct net_listener *listener, const char *path, char *error, u32 error_bytes)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path) || path[0] == 0) {
        snprintf(error, error_bytes, "the path of a Unix socket has 1..%zu bytes: '%s'",
                 sizeof(address.sun_path) - 1, path);
        return -ENAMETOOLONG;
    }
    memcpy(address.sun_path, path, strlen(path));
    remove_dead_socket(&address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return explain(errno, path, error, error_bytes);
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, BACKLOG) < 0) {
        i32 result = explain(errno, path, error, error_bytes);
        close(fd);
        return result;
    }
    *listener = (struct net_listener){.fd = fd};
    snprintf(listener->name, sizeof(listener->name), "%s", path);
    return 0;
}

void net_listener_stop(const struct net_listener *listener) { net_shutdown(listener->fd); }

void net_listener_close(struct net_listener *listener)
{
    if (!listener->tcp) unlink(listener->name);
    close(listener->fd);
    listener->fd = -1;
}

void net_no_delay(int fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* slower without, never wrong */
}

void net_shutdown_send(int fd) { shutdown(fd, SHUT_WR); /* as below */ }

void net_shutdown(int fd) { shutdown(fd, SHUT_RDWR); /* fails only when the peer was faster */ }

void net_refuse(int fd, const void *data, u32 bytes)
{
    ssize_t sent = send(fd, data, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent; /* a courtesy */
    close(fd);
}
