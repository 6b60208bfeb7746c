#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/frame.h"
#include "crash/crash.h"

#define IN_BYTES  (4u << 20)
#define OUT_BYTES (4u << 20)

void draft_begin(struct draft *draft, u16 op, u64 seq)
{
    draft->head = (struct tkd_frame *)(void *)draft->bytes;
    *draft->head = (struct tkd_frame){
        .magic = TKD_MAGIC, .version = TKD_PROTOCOL_VERSION, .op = op, .size = TKD_FRAME_BYTES, .seq = seq};
}

u32 draft_room(const struct draft *draft) { return TKD_FRAME_BYTES_MAX - draft->head->size; }

void *draft_add(struct draft *draft, u16 kind, const void *head, u32 head_bytes, const char *texts,
                u32 texts_bytes)
{
    u8 *at = draft->bytes + draft->head->size;
    u32 size = (u32)round_up(head_bytes + texts_bytes, 8);
    ASSERT(size <= draft_room(draft));
    memset(at, 0, size);
    memcpy(at, head, head_bytes);
    if (texts_bytes > 0) memcpy(at + head_bytes, texts, texts_bytes);
    *(struct tkd_prefix *)(void *)at =
        (struct tkd_prefix){.size = size, .head = (u16)head_bytes, .kind = kind};
    draft->head->size += size;
    draft->head->count++;
    return at;
}

static int connect_to(const struct server *server, bool tcp)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = "socket"};
    struct sockaddr_in remote = {.sin_family = AF_INET, .sin_port = htons((u16)atoi(server->tcp))};
    int on = 1;
    remote.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(tcp ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(fd >= 0, "socket: %s", strerror(errno));
    if (tcp) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    int result = tcp ? connect(fd, (struct sockaddr *)&remote, sizeof(remote))
                     : connect(fd, (struct sockaddr *)&local, sizeof(local));
    REQUIRE(result == 0, "a ready server cannot be connected to: %s", strerror(errno));
    return fd;
}

void peer_open(struct peer *peer, const struct server *server, bool tcp)
{
    static struct draft draft;
    struct tkd_hello hello = {.version_min = 1, .version_max = 1};
    if (!peer->in) peer->in = malloc(IN_BYTES);
    if (!peer->out) peer->out = malloc(OUT_BYTES);
    ASSERT(peer->in && peer->out);
    peer->in_begin = peer->in_end = peer->out_begin = peer->out_end = 0;
    peer->fd = connect_to(server, tcp);
    draft_begin(&draft, TKD_OP_HELLO, 1);
    draft_add(&draft, 0, &hello, sizeof(hello), NULL, 0);
    REQUIRE(peer_call(peer, &draft)->status == TKD_OK, "HELLO is refused");
}

void peer_close(struct peer *peer)
{
    if (peer->fd >= 0) close(peer->fd);
    peer->fd = -1;
}

void peer_put(struct peer *peer, const void *frame, u32 bytes)
{
    if (peer->out_begin == peer->out_end) peer->out_begin = peer->out_end = 0;
    if (peer->out_end + bytes > OUT_BYTES) {
        memmove(peer->out, peer->out + peer->out_begin, peer->out_end - peer->out_begin);
        peer->out_end -= peer->out_begin;
        peer->out_begin = 0;
    }
    ASSERT(peer->out_end + bytes <= OUT_BYTES);
    memcpy(peer->out + peer->out_end, frame, bytes);
    peer->out_end += bytes;
}

void peer_flush(struct peer *peer)
{
    while (peer->fd >= 0 && peer->out_begin < peer->out_end) {
        ssize_t sent = send(peer->fd, peer->out + peer->out_begin, peer->out_end - peer->out_begin,
                            MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent <= 0) return; /* full, or ended: the next read tells */
        peer->out_begin += (u64)sent;
    }
}

bool peer_pull(struct peer *peer)
{
    u64 left = peer->in_end - peer->in_begin;
    if (peer->in_begin > 0) memmove(peer->in, peer->in + peer->in_begin, left);
    peer->in_begin = 0;
    peer->in_end = left;
    while (peer->in_end < IN_BYTES) {
        ssize_t got = recv(peer->fd, peer->in + peer->in_end, IN_BYTES - peer->in_end, MSG_DONTWAIT);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == EAGAIN) return true;
        if (got <= 0) return false;
        peer->in_end += (u64)got;
    }
    return true;
}

const struct tkd_frame *peer_next(struct peer *peer)
{
    u8 *at = peer->in + peer->in_begin;
    u64 bytes = peer->in_end - peer->in_begin;
    enum tkd_status status = frame_header_check(at, bytes);
    if (status == 0) return NULL;
    REQUIRE(status == TKD_OK, "an answer's header does not verify: %u", status);
    const struct tkd_frame *frame = (const struct tkd_frame *)(void *)at;
    if (frame->size > bytes) return NULL;
    REQUIRE(frame->body_checksum == checksum_wire(at + TKD_FRAME_BYTES, frame->size - TKD_FRAME_BYTES),
            "an answer's body does not verify");
    REQUIRE(frame->flags & TKD_FLAG_REPLY, "a frame that is no answer");
    peer->in_begin += frame->size;
    return frame;
}

const struct tkd_frame *peer_call(struct peer *peer, struct draft *draft)
{
    const struct tkd_frame *answer = NULL;
    u64 end_us = now_us() + PATIENCE_MS * 1000ull;
    frame_seal(draft->head);
    peer_put(peer, draft->bytes, draft->head->size);
    while (!answer) {
        peer_flush(peer);
        struct pollfd wait = {peer->fd, POLLIN, 0};
        poll(&wait, 1, 100);
        bool open = peer_pull(peer);
        answer = peer_next(peer);
        REQUIRE(answer || open, "the server ends the connection instead of answering op %u", draft->head->op);
        REQUIRE(now_us() < end_us, "no answer to op %u", draft->head->op);
    }
    REQUIRE(answer->op == draft->head->op && answer->seq == draft->head->seq,
            "the answer of another request");
    return answer;
}

const struct tkd_frame *peer_ask(struct peer *peer, u16 op, const void *head, u32 head_bytes)
{
    static struct draft draft;
    struct tkd_empty empty = {0};
    draft_begin(&draft, op, 7);
    draft_add(&draft, 0, head ? head : &empty, head ? head_bytes : (u32)sizeof(empty), NULL, 0);
    return peer_call(peer, &draft);
}

u64 metric_of(const struct tkd_frame *answer, const char *name)
{
    const struct tkd_prefix *row = frame_first(answer);
    for (u32 i = 0; i < answer->count; i++, row = record_next(row)) {
        struct tkd_metric metric;
        record_head(row, &metric, sizeof(metric));
        bool same =
            metric.name_bytes == strlen(name) && memcmp(record_texts(row), name, metric.name_bytes) == 0;
        if (same) return metric.value;
    }
    return 0;
}
