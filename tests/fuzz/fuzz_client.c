/* libticketd and a hostile server: the input says what the client does and what the server sends - answers
 * that fit, answers that almost fit, anything. No kernel takes part: the socket calls are the ones below.
 * Whatever comes, the client gives an explanation or rows that lie inside what was received. */
#include <errno.h>
#include <unistd.h>

#include "core/frame.h"
#include "tests/fuzz/desk.h"
#include "tests/fuzz/socket.h"
#include "ticketd/client.h"

#define CALLS_MAX   24u
#define PENDING_MAX 16u
#define SOCKET      1000

static struct server {
    struct input input;
    struct fuzz_frame frame; /* being sent */
    u32 at;
    u32 end;
    struct tkd_frame pending[PENDING_MAX]; /* headers of the requests that came in, oldest first */
    u32 pending_count;
    u32 frames; /* sent */
} server;

/* ---- The server ---- */

static void request_came(const void *data, size_t bytes)
{
    struct tkd_frame head;
    if (bytes < sizeof head) return;
    memcpy(&head, data, sizeof head);
    ASSERT(frame_header_check(data, bytes) == TKD_OK);
    if (server.pending_count < PENDING_MAX) server.pending[server.pending_count++] = head;
}

static void add_result(struct tkd_frame *frame)
{
    struct tkd_result result = {.status = TKD_OK, .id = 1};
    u32 how = input_u8(&server.input);
    if (how & 0x80) {
        result.status = how & 0x7f;
        result.id = input_number(&server.input);
    }
    memcpy((u8 *)frame + frame->size, &result, sizeof result);
    frame->size += (u32)sizeof result;
    frame->count++;
}

/* The answer to the oldest request; the input may change anything about it. */
static void answer_make(void)
{
    struct tkd_frame *head = &server.frame.head, request = {.op = TKD_OP_PING};
    u32 how = input_u8(&server.input);
    if (server.pending_count > 0) {
        request = server.pending[0];
        memmove(server.pending, server.pending + 1, --server.pending_count * sizeof request);
    }
    if (how & 0x80) request.op = input_u8(&server.input);
    fuzz_frame_begin(&server.frame, request.op);
    head->flags = TKD_FLAG_REPLY;
    head->status = TKD_OK;
    head->seq = request.seq;
    head->session = request.session;
    if (how & 0x40) head->flags = (u16)input_number(&server.input);
    if (how & 0x20) head->status = (u16)input_number(&server.input);
    if (how & 0x10) head->seq = input_number(&server.input);
    u32 count = how & 8 ? input_below(&server.input, 8) : 1;
    const struct tkd_op_info *op = tkd_op_info(request.op);
    for (u32 i = 0; i < count && op != NULL; i++) {
        if (op->answer == TKD_RECORD_result)
            add_result(head);
        else
            fuzz_frame_add(&server.frame, op->answer, &server.input);
    }
    if (how & 4) head->count = input_u8(&server.input);
    frame_seal(head);
    server.end = head->size;
}

/* Something the client did not ask for: bytes, sealed or not. */
static void noise_make(void)
{
    u32 how = input_u8(&server.input), bytes = how & 0x7f;
    const u8 *from = input_take(&server.input, &bytes);
    fuzz_frame_begin(&server.frame, TKD_OP_EVENTS);
    if (bytes != 0) memcpy((u8 *)&server.frame + (how & 0x80 ? 8 : 64), from, bytes);
    server.end = (u32)round_up(64 + bytes, 8);
    server.frame.head.size = server.end;
    if (how & 0x80) frame_seal(&server.frame.head);
}

static void frame_make(void)
{
    u32 what = input_u8(&server.input);
    server.at = server.end = 0;
    server.frames++;
    if (what < 0xd0)
        answer_make();
    else if (what < 0xf8)
        noise_make();
    if (what >= 0xc0 && what < 0xd0 && server.end > 0)
        ((u8 *)&server.frame)[input_number(&server.input) % server.end] ^= (u8)(1 + (what & 15));
}

/* ---- The socket ---- */

int __wrap_socket(int domain, int type, int protocol)
{
    (void)domain, (void)type, (void)protocol;
    server.at = server.end = server.pending_count = 0;
    return SOCKET;
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t bytes)
{
    (void)fd, (void)address, (void)bytes;
    return 0;
}

int __wrap_close(int fd) { return fd == SOCKET ? 0 : __real_close(fd); }

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    (void)timeout_ms;
    ASSERT(count == 1 && fds->fd == SOCKET);
    fds->revents = POLLIN;
    return 1;
}

ssize_t __wrap_recv(int fd, void *buffer, size_t bytes, int flags)
{
    (void)flags;
    ASSERT(fd == SOCKET);
    while (server.at == server.end) {
        if (input_left(&server.input) == 0) return 0;
        frame_make();
    }
    u32 piece = min_u32(server.end - server.at, (u32)bytes);
    if (piece > 64 && server.frames % 4 == 3) piece = 1 + piece / 2;
    memcpy(buffer, (u8 *)&server.frame + server.at, piece);
    server.at += piece;
    return piece;
}

ssize_t __wrap_send(int fd, const void *data, size_t bytes, int flags)
{
    (void)fd, (void)flags;
    request_came(data, bytes);
    return (ssize_t)bytes;
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    ssize_t sum = 0;
    (void)fd, (void)flags;
    for (size_t i = 0; i < message->msg_iovlen; i++) {
        request_came(message->msg_iov[i].iov_base, message->msg_iov[i].iov_len);
        sum += (ssize_t)message->msg_iov[i].iov_len;
    }
    return sum;
}

/* ---- The client ---- */

/* Every row, every text: the sanitizer watches the reads. */
static void read_answer(const struct tkd_answer *answer)
{
    u8 head[512], sum = 0;
    const struct tkd_op_info *op = tkd_op_info(answer->op);
    if (op == NULL) ASSERT(answer->rows_bytes == 0);
    if (op == NULL || op->answer == TKD_RECORD_result) return;
    const struct tkd_record_info *info = tkd_record_info(op->answer);
    for (const struct tkd_prefix *row = NULL; (row = tkd_next_row(answer, row)) != NULL;) {
        tkd_read(op->answer, row, head);
        for (u32 i = 0; i < info->texts_count; i++) {
            struct tkd_text text = tkd_row_text(op->answer, row, i);
            ASSERT(text.data >= (const char *)row && text.data + text.bytes <= (const char *)row + row->size);
            for (u32 k = 0; k < text.bytes; k++) sum ^= (u8)text.data[k];
        }
    }
    __asm__ volatile("" ::"r"(sum));
}

static int request(struct tkd_client *client, struct input *input)
{
    static const u16 ops[] = {TKD_OP_TICKET_CREATE, TKD_OP_TICKET_UPDATE, TKD_OP_TICKET_LIST, TKD_OP_EVENTS,
                              TKD_OP_CATALOG_READ,  TKD_OP_REPORT,        TKD_OP_SUBSCRIBE,   TKD_OP_STATUS};
    u8 head[512] = {0};
    u16 op = ops[input_below(input, ARRAY_COUNT(ops))];
    int error = tkd_begin(client, op, 0, 0);
    if (error == 0) error = tkd_add(client, tkd_op_info(op)->request, head, NULL);
    return error != 0 ? error : tkd_send(client);
}

static int act(struct tkd_client *client, struct input *input)
{
    static const u8 head[512];
    struct tkd_answer answer = {0};
    int error = 0;
    switch (input_u8(input) % 8) {
    case 0:
        error = tkd_session_open(client, "fuzz", 0);
        break;
    case 1:
    case 2:
        error = request(client, input);
        break;
    case 3:
        error = tkd_call(client, TKD_OP_TICKET_LIST, 0, TKD_RECORD_ticket_list, head, NULL, &answer);
        break;
    case 4:
        error = tkd_session_close(client);
        break;
    case 5:
        error = tkd_reconnect(client);
        break;
    case 6:
        error = tkd_poll(client, 0);
        break;
    default:
        if (tkd_in_flight(client) > 0) error = tkd_receive(client, &answer);
    }
    if (error >= 0 && answer.op != 0) read_answer(&answer);
    if (error < 0) ASSERT(*tkd_error(client) != 0);
    return error;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
    server.input = input_of(data, bytes);
    server.at = server.end = server.pending_count = server.frames = 0;
    struct tkd_client *client;
    int error = tkd_connect(&client, "unix:fuzz", "fuzz");
    ASSERT(client != NULL);
    for (u32 i = 0; i < CALLS_MAX && input_left(&server.input) > 0; i++) {
        if (error == TKD_E_CONNECT || error == TKD_E_PROTOCOL)
            error = tkd_reconnect(client);
        else
            error = act(client, &server.input);
    }
    tkd_close(client);
    return 0;
}
