#include "support/wire.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int wire_connect(const char *address)
{
    char host[64];
    u32 port;
    struct timeval patience = {.tv_sec = 60};
    int on = 1;
    cr_assert_eq(sscanf(address, "%63[^:]:%u", host, &port), 2);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((u16)port)};
    cr_assert_eq(inet_pton(AF_INET, host, &to.sin_addr), 1);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

void wire_begin(union wire_frame *frame, u16 op, u64 seq)
{
    frame->head = (struct tkd_frame){
        .magic = TKD_MAGIC, .version = TKD_PROTOCOL_VERSION, .op = op, .size = TKD_FRAME_BYTES, .seq = seq};
}

void *wire_add(union wire_frame *frame, const void *head, u32 head_bytes, const void *texts, u32 texts_bytes)
{
    u8 *at = frame->bytes + frame->head.size;
    u32 size = (u32)round_up(head_bytes + texts_bytes, 8);
    cr_assert_leq(frame->head.size + size, sizeof(frame->bytes));
    memset(at, 0, size);
    memcpy(at, head, head_bytes);
    if (texts_bytes > 0) memcpy(at + head_bytes, texts, texts_bytes);
    struct tkd_prefix *prefix = (struct tkd_prefix *)(void *)at;
    prefix->size = size;
    prefix->head = (u16)head_bytes;
    frame->head.size += size;
    frame->head.count++;
    return at;
}

const struct tkd_frame *wire_seal(union wire_frame *frame)
{
    frame_seal(&frame->head);
    return &frame->head;
}

void wire_write(int fd, const void *data, u64 bytes)
{
    for (u64 done = 0; done < bytes;) {
        ssize_t written = send(fd, (const u8 *)data + done, bytes - done, MSG_NOSIGNAL);
        cr_assert_gt(written, 0, "the server does not read");
        done += (u64)written;
    }
}

void wire_send(int fd, union wire_frame *frame)
{
    wire_seal(frame);
    wire_write(fd, frame->bytes, frame->head.size);
}

static bool read_all(int fd, void *data, u64 bytes)
{
    for (u64 done = 0; done < bytes;) {
        ssize_t got = recv(fd, (u8 *)data + done, bytes - done, 0);
        if (got <= 0) return false;
        done += (u64)got;
    }
    return true;
}

const struct tkd_frame *wire_receive(int fd)
{
    static union wire_frame answer;
    if (!read_all(fd, answer.bytes, TKD_FRAME_BYTES)) return NULL;
    cr_assert_eq(frame_header_check(answer.bytes, TKD_FRAME_BYTES), TKD_OK);
    u32 rest = answer.head.size - TKD_FRAME_BYTES;
    if (!read_all(fd, answer.bytes + TKD_FRAME_BYTES, rest)) return NULL;
    cr_assert_eq(answer.head.body_checksum, checksum_wire(answer.bytes + TKD_FRAME_BYTES, rest));
    cr_assert(answer.head.flags & TKD_FLAG_REPLY);
    return &answer.head;
}

const struct tkd_frame *wire_call(int fd, union wire_frame *frame)
{
    wire_send(fd, frame);
    const struct tkd_frame *answer = wire_receive(fd);
    cr_assert_not_null(answer);
    cr_assert_eq(answer->op, frame->head.op);
    cr_assert_eq(answer->seq, frame->head.seq);
    cr_assert_eq(answer->session, frame->head.session);
    return answer;
}

const struct tkd_result *wire_results(const struct tkd_frame *answer)
{
    return (const struct tkd_result *)(const void *)(answer + 1);
}

static union wire_frame *scratch(void)
{
    static union wire_frame frame;
    return &frame;
}

void wire_empty_frame(union wire_frame *frame, u16 op, u64 seq)
{
    struct tkd_empty head = {0};
    wire_begin(frame, op, seq);
    wire_add(frame, &head, sizeof(head), NULL, 0);
}

void wire_session_frame(union wire_frame *frame, u16 op, u64 seq, u64 session)
{
    struct tkd_session_id head = {.session = session};
    wire_begin(frame, op, seq);
    wire_add(frame, &head, sizeof(head), NULL, 0);
}

void wire_ping(int fd)
{
    wire_empty_frame(scratch(), TKD_OP_PING, 4711);
    cr_assert_eq(wire_call(fd, scratch())->status, TKD_OK);
}

int wire_open(const char *address)
{
    int fd = wire_connect(address);
    struct tkd_hello head = {.version_min = 1, .version_max = 1, .client_bytes = 4};
    wire_begin(scratch(), TKD_OP_HELLO, 1);
    wire_add(scratch(), &head, sizeof(head), "test", 4);
    cr_assert_eq(wire_call(fd, scratch())->status, TKD_OK);
    return fd;
}

enum tkd_status wire_attach(int fd, u64 session)
{
    wire_session_frame(scratch(), TKD_OP_ATTACH, 2, session);
    return wire_call(fd, scratch())->status;
}

u64 wire_register(int fd, const char *name, u32 window)
{
    struct tkd_register head = {.window = window, .name_bytes = (u32)strlen(name)};
    wire_begin(scratch(), TKD_OP_REGISTER, 1);
    wire_add(scratch(), &head, sizeof(head), name, head.name_bytes);
    const struct tkd_frame *answer = wire_call(fd, scratch());
    cr_assert_eq(answer->status, TKD_OK);
    cr_assert_eq(answer->count, 1);
    u64 session = wire_results(answer)->id;
    cr_assert_eq(wire_attach(fd, session), TKD_OK);
    return session;
}

static void add_entry(u16 kind, struct tkd_catalog_entry head, const char *name)
{
    head.kind = kind;
    head.id = 1;
    head.name_bytes = (u32)strlen(name);
    wire_add(scratch(), &head, sizeof(head), name, head.name_bytes);
}

void wire_catalog(int fd)
{
    wire_begin(scratch(), TKD_OP_CATALOG_APPLY, 3);
    add_entry(TKD_KIND_CHANNEL, (struct tkd_catalog_entry){0}, "phone");
    add_entry(TKD_KIND_QUEUE, (struct tkd_catalog_entry){.strategy = TKD_STRATEGY_CLAIM}, "售后");
    add_entry(TKD_KIND_AGENT, (struct tkd_catalog_entry){.all_queues = 1}, "anna");
    const struct tkd_frame *answer = wire_call(fd, scratch());
    cr_assert_eq(answer->status, TKD_OK);
    cr_assert_eq(answer->count, 3);
    for (u32 i = 0; i < 3; i++) cr_assert_eq(wire_results(answer)[i].status, TKD_OK);
}

void wire_add_create(union wire_frame *frame, const char *key)
{
    char texts[512];
    struct tkd_ticket_create head = {.channel = 1, .queue = 1, .address_bytes = 5, .subject_bytes = 6};
    head.key_bytes = (u32)strlen(key);
    int bytes = snprintf(texts, sizeof(texts), "13800%s物流", key);
    wire_add(frame, &head, sizeof(head), texts, (u32)bytes);
}

struct tkd_result wire_create(int fd, u64 session, u64 seq, const char *key)
{
    wire_begin(scratch(), TKD_OP_TICKET_CREATE, seq);
    scratch()->head.session = session;
    scratch()->head.ack_below = seq;
    wire_add_create(scratch(), key);
    const struct tkd_frame *answer = wire_call(fd, scratch());
    cr_assert_eq(answer->status, TKD_OK, "%u", answer->status);
    cr_assert_eq(answer->count, 1);
    return *wire_results(answer);
}

u64 wire_metric(int fd, const char *name)
{
    wire_empty_frame(scratch(), TKD_OP_STATUS, 5);
    const struct tkd_frame *answer = wire_call(fd, scratch());
    const struct tkd_prefix *row = frame_first(answer);
    for (u32 i = 0; i < answer->count; i++, row = record_next(row)) {
        struct tkd_metric metric;
        record_head(row, &metric, sizeof(metric));
        bool same =
            metric.name_bytes == strlen(name) && memcmp(record_texts(row), name, metric.name_bytes) == 0;
        if (same) return metric.value;
    }
    cr_assert(false, "there is no metric %s", name);
    return 0;
}
