/* The connection: bytes out of the requests, bytes into `received`. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "answer.h"
#include "core/frame.h"
#include "internal.h"

#define RECEIVE_BYTES (256u << 10)
#define PIECES_MAX    64u

static int connect_failed(struct tkd_client *client, const char *why)
{
    return client_fail(client, TKD_E_CONNECT, "cannot connect to %s: %s (is ticketd running there?)",
                       client->address, why);
}

static int connect_unix(struct tkd_client *client, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (*path == 0 || strlen(path) >= sizeof(address.sun_path)) {
        return client_fail(client, TKD_E_USAGE, "the path of a Unix socket has 1 to %zu bytes, not '%s'",
                           sizeof(address.sun_path) - 1, path);
    }
    strcpy(address.sun_path, path);
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0) return connect_failed(client, strerror(errno));
    if (connect(client->fd, (struct sockaddr *)&address, sizeof(address)) == 0) return 0;
    int error = errno;
    socket_close(client);
    return connect_failed(client, strerror(error));
}

/* "HOST:PORT", "[V6]:PORT" into its parts. */
static bool address_split(const char *address, char *host, size_t host_bytes, const char **port)
{
    const char *colon = strrchr(address, ':');
    if (!colon || colon == address || colon[1] == 0) return false;
    size_t length = (size_t)(colon - address);
    if (address[0] == '[' && colon[-1] == ']') {
        address++;
        length -= 2;
    }
    if (length == 0 || length >= host_bytes) return false;
    memcpy(host, address, length);
    host[length] = 0;
    *port = colon + 1;
    return true;
}

static int connect_tcp(struct tkd_client *client)
{
    char host[ADDRESS_BYTES];
    const char *port;
    if (!address_split(client->address, host, sizeof(host), &port)) {
        return client_fail(client, TKD_E_USAGE, "an address is HOST:PORT or unix:PATH, not '%s'",
                           client->address);
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int error = getaddrinfo(host, port, &hints, &found);
    if (error) return connect_failed(client, gai_strerror(error));
    error = ECONNREFUSED;
    for (struct addrinfo *at = found; at && client->fd < 0; at = at->ai_next) {
        client->fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
        if (client->fd >= 0 && connect(client->fd, at->ai_addr, at->ai_addrlen) == 0) break;
        error = errno;
        socket_close(client);
    }
    freeaddrinfo(found);
    if (client->fd < 0) return connect_failed(client, strerror(error));
    /* Frames are coalesced here; nothing is won by waiting for more. */
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return 0;
}

int socket_connect(struct tkd_client *client)
{
    if (strncmp(client->address, "unix:", 5) == 0) return connect_unix(client, client->address + 5);
    return connect_tcp(client);
}

void socket_close(struct tkd_client *client)
{
    if (client->fd >= 0) close(client->fd);
    client->fd = -1;
    client->ready = false;
    client->received_at = 0;
    client->received_end = 0;
    client->received_eof = false;
}

static int lost(struct tkd_client *client, const char *why)
{
    socket_close(client);
    return client_fail(client, TKD_E_CONNECT, "the connection to %s was lost: %s", client->address, why);
}

/* ---- Sending ---- */

/* The unsent requests as pieces of memory. */
static u32 pieces_gather(struct tkd_client *client, struct iovec *pieces)
{
    u32 count = 0;
    u32 skip = client->sent_bytes;
    for (u32 i = client->sent; i < client->count && count < PIECES_MAX; i++) {
        struct request *request = request_at(client, i);
        if (request->local) continue;
        pieces[count++] = (struct iovec){request->bytes + skip, request->size - skip};
        skip = 0;
    }
    return count;
}

static void sent_advance(struct tkd_client *client, u64 bytes)
{
    client->unsent_bytes -= bytes;
    while (client->sent < client->count) {
        struct request *request = request_at(client, client->sent);
        u32 left = request->local ? 0 : request->size - client->sent_bytes;
        if (left > bytes) {
            client->sent_bytes += (u32)bytes;
            return;
        }
        bytes -= left;
        client->sent_bytes = 0;
        client->sent++;
    }
}

int socket_send(struct tkd_client *client)
{
    while (client->unsent_bytes > 0 && client->ready && !client->received_eof) {
        struct iovec pieces[PIECES_MAX];
        struct msghdr message = {.msg_iov = pieces, .msg_iovlen = pieces_gather(client, pieces)};
        ssize_t taken = sendmsg(client->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (taken >= 0) {
            sent_advance(client, (u64)taken);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return 0;
        } else if (errno != EINTR) {
            /* Answers may have arrived before: the next read finds the end. */
            client->received_eof = true;
            return 0;
        }
    }
    return 0;
}

int socket_send_all(struct tkd_client *client, const void *data, u32 bytes)
{
    const u8 *at = data;
    while (bytes > 0) {
        ssize_t taken = send(client->fd, at, bytes, MSG_NOSIGNAL);
        if (taken < 0 && errno == EINTR) continue;
        if (taken < 0) return lost(client, strerror(errno));
        at += taken;
        bytes -= (u32)taken;
    }
    return 0;
}

/* ---- Receiving ---- */

/* Makes room behind what has arrived. */
static int received_room(struct tkd_client *client)
{
    if (client->received_max - client->received_end >= RECEIVE_BYTES) return 0;
    u32 kept = client->received_end - client->received_at;
    if (client->received_at > 0) {
        memmove(client->received, client->received + client->received_at, kept);
        client->received_at = 0;
        client->received_end = kept;
    }
    if (client->received_max - kept >= RECEIVE_BYTES) return 0;
    if (client->received_max >= RECEIVED_BYTES_MAX) {
        return client_fail(client, TKD_E_USAGE, "%u bytes of answers wait: receive them before sending more",
                           kept);
    }
    u32 bytes_max = client->received_max ? client->received_max * 2 : 2 * TKD_FRAME_BYTES_MAX;
    u8 *moved = realloc(client->received, bytes_max);
    if (!moved) return client_fail(client, TKD_E_MEMORY, "out of memory");
    client->received = moved;
    client->received_max = bytes_max;
    return 0;
}

/* Takes what has arrived. */
static int received_take(struct tkd_client *client)
{
    int error = received_room(client);
    if (error) return error;
    u32 room = client->received_max - client->received_end;
    ssize_t bytes = recv(client->fd, client->received + client->received_end, room, MSG_DONTWAIT);
    if (bytes > 0) {
        client->received_end += (u32)bytes;
        return 1;
    }
    if (bytes < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return 0;
    return lost(client, bytes == 0 ? "the server closed it" : strerror(errno));
}

static u64 now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (u64)now.tv_sec * 1000 + (u64)now.tv_nsec / 1000000;
}

int socket_wait(struct tkd_client *client, int timeout_ms)
{
    if (client->fd < 0) return client_fail(client, TKD_E_CONNECT, "not connected to %s", client->address);
    u64 end_ms = now_ms() + (u64)(timeout_ms > 0 ? timeout_ms : 0);
    for (;;) {
        socket_send(client);
        bool sends = client->unsent_bytes > 0 && client->ready && !client->received_eof;
        struct pollfd poll_fd = {client->fd, (short)(POLLIN | (sends ? POLLOUT : 0)), 0};
        u64 now = now_ms();
        int left_ms = timeout_ms < 0 ? -1 : end_ms > now ? (int)(end_ms - now) : 0;
        int ready = poll(&poll_fd, 1, left_ms);
        if (ready < 0 && errno != EINTR) return lost(client, strerror(errno));
        if (ready > 0 && (poll_fd.revents & ~POLLOUT)) {
            int taken = received_take(client);
            if (taken != 0) return taken;
        }
        if (ready == 0 && timeout_ms >= 0) return 0;
    }
}

int socket_frame(struct tkd_client *client, const struct tkd_frame **frame)
{
    *frame = NULL;
    u32 bytes = client->received_end - client->received_at;
    if (bytes == 0) return 0;
    const u8 *at = client->received + client->received_at;
    enum tkd_status status = frame_header_check(at, bytes);
    const char *wrong = NULL;
    if (status == 0) return 0;
    const struct tkd_frame *found = (const struct tkd_frame *)at;
    if (status != TKD_OK) {
        wrong = tkd_status_info(status)->doc;
    } else if (found->size > bytes) {
        return 0;
    } else {
        wrong = answer_check(found);
    }
    if (wrong) {
        socket_close(client);
        return client_fail(client, TKD_E_PROTOCOL, "a frame from %s does not verify: %s", client->address,
                           wrong);
    }
    client->received_at += found->size;
    *frame = found;
    return 0;
}
