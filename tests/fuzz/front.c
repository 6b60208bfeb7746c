#include "tests/fuzz/front.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "core/desk.h"
#include "core/frame.h"
#include "tests/fuzz/desk.h"
#include "tests/fuzz/socket.h"
#include "ticketd/client.h"

#define CONNS_MAX     4
#define SOCKET        1000 /* of the first connection */
#define BUFFER_BYTES  (256u << 10)
#define ROWS_BYTES    (32u << 10)
#define CLOCK_VIRTUAL 2u
#define REFUSALS      3u
#define SHORT_BYTES   100u
#define NO_ID         0xffffu
#define NO_AGENT      0xffffffffu

enum trouble {
    LOST,      /* the connection breaks before the frame is read */
    UNHEARD,   /* it is served, the connection breaks before the answer is read */
    HALF,      /* the same, and half of the answer comes */
    RETURNING, /* the same, and the next attempts to connect fail */
    AWAY,      /* the same, and so do all others */
    BUSY,      /* a command is not taken now */
    SHORT,     /* the socket takes a part the next time */
    STOPPING,  /* a command is not taken, then the connection breaks */
    NONE,
};

static struct conn {
    bool open;
    bool ended;
    u64 session; /* attached */
    u32 in_bytes;
    u32 out_at;
    u32 out_end;
    _Alignas(8) u8 in[BUFFER_BYTES];
    _Alignas(8) u8 out[BUFFER_BYTES];
} conns[CONNS_MAX];

struct front front;
static struct fuzz_desk desk;
static struct input troubles;
static u32 trouble_kind; /* NONE: the next byte is to be read */
static u32 trouble_wait;
static u32 refusals; /* of attempts to connect */
static bool short_send;

int __wrap_nanosleep(const struct timespec *time, struct timespec *left);

/* ---- The log and what came of it ---- */

static u32 id_of(u32 table, const char *name, u32 unknown)
{
    const struct table *rows = &desk.state->tables[table];
    if (name == NULL) return 0;
    for (u32 row = 1; row <= rows->row_last; row++) {
        const struct entry *entry = table_row(rows, row);
        if (!table_used(rows, row) || entry->retired || entry->name_bytes != strlen(name)) continue;
        if (memcmp(entry->name, name, entry->name_bytes) == 0) return row;
    }
    return unknown;
}

/* Of the channel in which a line before created the ticket. */
static u32 channel_of(u64 number)
{
    for (u64 i = 0; i <= number; i++) {
        const struct desklog_line *line = &front.lines[i];
        if (line->verb == DESKLOG_CREATE && strcmp(line->key, front.lines[number].key) == 0)
            return id_of(TABLE_CHANNEL, line->channel, NO_ID);
    }
    return NO_ID;
}

static bool same(struct tkd_text text, const char *string)
{
    return text.bytes == (string == NULL ? 0 : strlen(string)) &&
           (text.bytes == 0 || memcmp(text.data, string, text.bytes) == 0);
}

static void create_check(const struct tkd_prefix *record, u64 number)
{
    const struct desklog_line *line = &front.lines[number];
    struct tkd_text texts[6];
    struct tkd_ticket_create head;
    record_head(record, &head, sizeof head);
    for (u32 i = 0; i < ARRAY_COUNT(texts); i++) texts[i] = tkd_row_text(TKD_RECORD_ticket_create, record, i);
    ASSERT(line->verb == DESKLOG_CREATE && head.channel == channel_of(number));
    ASSERT(head.queue == id_of(TABLE_QUEUE, line->queue, NO_ID) && head.priority == line->priority);
    ASSERT(head.category == id_of(TABLE_CATEGORY, line->category, NO_ID) && head.agent == 0 &&
           head.customer == 0);
    ASSERT(same(texts[0], line->customer) && texts[1].bytes == 0 && same(texts[2], line->key) &&
           texts[5].bytes == 0);
    if (texts[4].bytes == 0) {
        ASSERT(same(texts[3], line->subject));
    } else {
        ASSERT(same(texts[4], line->subject) && texts[3].bytes > 0 && texts[3].bytes < texts[4].bytes);
        ASSERT(memcmp(texts[3].data, texts[4].data, texts[3].bytes) == 0);
    }
}

static void update_check(const struct tkd_prefix *record, u64 number)
{
    const struct desklog_line *line = &front.lines[number];
    struct tkd_ticket_update head;
    record_head(record, &head, sizeof head);
    ASSERT(line->verb == head.kind && head.channel == channel_of(number) && head.priority == line->priority);
    ASSERT(head.queue == id_of(TABLE_QUEUE, line->queue, NO_ID));
    ASSERT(head.agent == id_of(TABLE_AGENT, line->agent, NO_AGENT) && head.ticket == 0 && head.actor == 0);
    ASSERT(tkd_row_text(TKD_RECORD_ticket_update, record, 0).bytes == 0);
    ASSERT(same(tkd_row_text(TKD_RECORD_ticket_update, record, 1), line->key));
    ASSERT(same(tkd_row_text(TKD_RECORD_ticket_update, record, 2), line->text));
}

static void records_count(const struct tkd_frame *frame, u64 number, const struct tkd_result *results)
{
    const struct tkd_prefix *record = frame_first(frame);
    bool create = frame->op == TKD_OP_TICKET_CREATE;
    ASSERT(create || frame->op == TKD_OP_TICKET_UPDATE);
    for (u32 i = 0; i < frame->count; i++, number++, record = record_next(record)) {
        ASSERT(number < front.lines_count && frame->time_ms == front.lines[number].at_ms);
        create ? create_check(record, number) : update_check(record, number);
        if (results[i].status == TKD_NOT_RUN) continue;
        if (status_refused(results[i].status))
            front.refused++;
        else
            front.applied++;
        front.existing += create && results[i].status == TKD_EXISTS;
    }
}

/* ---- Answers ---- */

static struct tkd_frame *answer_begin(struct conn *conn)
{
    if (conn->out_at == conn->out_end) conn->out_at = conn->out_end = 0;
    ASSERT(conn->out_end + TKD_FRAME_BYTES + ROWS_BYTES <= sizeof conn->out);
    return (struct tkd_frame *)(void *)(conn->out + conn->out_end);
}

static void answer_end(struct conn *conn, const struct tkd_frame *request, enum tkd_status status, u32 count,
                       u32 bytes, u64 cursor)
{
    struct tkd_frame *answer = answer_begin(conn);
    *answer = (struct tkd_frame){.magic = TKD_MAGIC,
                                 .version = TKD_PROTOCOL_VERSION,
                                 .op = request->op,
                                 .flags = (u16)(TKD_FLAG_REPLY | (cursor != 0 ? TKD_FLAG_MORE : 0)),
                                 .status = (u16)status,
                                 .size = TKD_FRAME_BYTES + bytes,
                                 .count = count,
                                 .session = request->session,
                                 .seq = request->seq,
                                 .ack_below = cursor,
                                 .time_ms = state_time(desk.state)};
    frame_seal(answer);
    conn->out_end += answer->size;
}

static void hello(struct conn *conn, const struct tkd_frame *frame)
{
    struct tkd_hello_reply reply = {.size = sizeof reply,
                                    .head = sizeof reply,
                                    .version = TKD_PROTOCOL_VERSION,
                                    .frame_bytes_max = TKD_FRAME_BYTES_MAX,
                                    .records_max = TKD_RECORDS_MAX,
                                    .clock = CLOCK_VIRTUAL,
                                    .time_ms = state_time(desk.state)};
    memcpy(answer_begin(conn) + 1, &reply, sizeof reply);
    answer_end(conn, frame, TKD_OK, 1, sizeof reply, 0);
}

static void query(struct conn *conn, const struct tkd_frame *frame)
{
    const struct event_source none = {0};
    const struct tkd_session_id *wish = (const void *)frame_first(frame);
    enum tkd_status status;
    u32 count;
    u64 cursor;
    u32 bytes = state_query(desk.state, frame->op, frame_first(frame), state_time(desk.state), &none,
                            answer_begin(conn) + 1, ROWS_BYTES, &count, &cursor, &status);
    if (frame->op == TKD_OP_ATTACH && status == TKD_OK) conn->session = wish->session;
    answer_end(conn, frame, status, count, bytes, cursor);
}

static enum tkd_status command_run(const struct tkd_frame *frame, bool taken, struct tkd_result *results)
{
    const void *reply;
    u32 reply_bytes, row = session_find(desk.state, frame->session);
    u64 done = row != 0 ? session_row(desk.state, row)->records : 0;
    enum tkd_status status = state_admit(desk.state, frame, &reply, &reply_bytes);
    if (status == TKD_EXISTS) memcpy(results, reply, reply_bytes);
    if (status != TKD_OK) return status == TKD_EXISTS ? TKD_OK : status;
    if (!taken) return TKD_STOPPING;
    if (frame->time_ms != 0 && frame->time_ms < state_time(desk.state)) return TKD_BAD_TIME;
    status = fuzz_desk_run(&desk, frame, max_u64(frame->time_ms, state_time(desk.state)), results);
    if (status == TKD_OK && row != 0) records_count(frame, done, results);
    return status;
}

static void command(struct conn *conn, const struct tkd_frame *frame, bool taken)
{
    static struct tkd_result results[TKD_RECORDS_MAX];
    ASSERT(frame->session == 0 || frame->session == conn->session);
    enum tkd_status status = command_run(frame, taken, results);
    u32 count = status == TKD_OK ? frame->count : 0, bytes = count * (u32)sizeof *results;
    ASSERT(bytes <= ROWS_BYTES);
    memcpy(answer_begin(conn) + 1, results, bytes);
    answer_end(conn, frame, status, count, bytes, 0);
}

/* ---- Frames ---- */

static enum trouble trouble_next(void)
{
    if (trouble_kind == NONE) {
        if (input_left(&troubles) == 0) return NONE;
        u8 byte = input_u8(&troubles);
        trouble_kind = byte & 7;
        trouble_wait = byte >> 3;
    }
    if (trouble_wait-- > 0) return NONE;
    enum trouble trouble = trouble_kind;
    trouble_kind = NONE;
    front.troubles++;
    return trouble;
}

static void frame_serve(struct conn *conn, const struct tkd_frame *frame, bool taken)
{
    u32 class = tkd_op_info(frame->op)->class;
    if (class == TKD_CLASS_query) {
        query(conn, frame);
    } else if (class == TKD_CLASS_control) {
        ASSERT(frame->op == TKD_OP_HELLO);
        hello(conn, frame);
    } else {
        command(conn, frame, taken);
    }
}

static void frame_came(struct conn *conn, const struct tkd_frame *frame)
{
    ASSERT(frame_check(frame) == TKD_OK);
    enum trouble trouble = trouble_next();
    conn->ended = trouble <= AWAY || trouble == STOPPING;
    if (trouble == LOST) return;
    frame_serve(conn, frame, trouble != BUSY && trouble != STOPPING);
    if (trouble == UNHEARD || trouble == RETURNING || trouble == AWAY) conn->out_at = conn->out_end;
    if (trouble == HALF) conn->out_end -= (conn->out_end - conn->out_at) / 2;
    if (trouble == RETURNING) refusals = REFUSALS;
    if (trouble == AWAY) front.away = true;
    if (trouble == SHORT) short_send = true;
}

static void bytes_came(struct conn *conn, const void *data, size_t bytes)
{
    ASSERT(conn->in_bytes + bytes <= sizeof conn->in);
    memcpy(conn->in + conn->in_bytes, data, bytes);
    conn->in_bytes += (u32)bytes;
    while (!conn->ended && conn->in_bytes >= TKD_FRAME_BYTES) {
        const struct tkd_frame *frame = (const void *)conn->in;
        ASSERT(frame_header_check(frame, conn->in_bytes) == TKD_OK);
        if (frame->size > conn->in_bytes) return;
        u32 size = frame->size;
        frame_came(conn, frame);
        conn->in_bytes -= size;
        memmove(conn->in, conn->in + size, conn->in_bytes);
    }
}

/* ---- The sockets ---- */

static struct conn *conn_of(int fd)
{
    ASSERT(fd >= SOCKET && fd < SOCKET + CONNS_MAX && conns[fd - SOCKET].open);
    return &conns[fd - SOCKET];
}

int __wrap_socket(int domain, int type, int protocol)
{
    (void)domain, (void)type, (void)protocol;
    int number = 0;
    while (number < CONNS_MAX - 1 && conns[number].open) number++;
    ASSERT(!conns[number].open);
    struct conn *conn = &conns[number];
    conn->open = true;
    conn->ended = false;
    conn->session = 0;
    conn->in_bytes = conn->out_at = conn->out_end = 0;
    return SOCKET + number;
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t bytes)
{
    (void)fd, (void)address, (void)bytes;
    if (!front.away && refusals == 0) return 0;
    if (refusals > 0) refusals--;
    errno = ECONNREFUSED;
    return -1;
}

int __wrap_close(int fd)
{
    if (fd < SOCKET) return __real_close(fd);
    conn_of(fd)->open = false;
    return 0;
}

/* Who waits without end has something to wait for. */
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    const struct conn *conn = conn_of(fds->fd);
    bool readable = conn->ended || conn->out_at < conn->out_end;
    ASSERT(count == 1 && (readable || fds->events & POLLOUT));
    (void)timeout_ms;
    fds->revents = (short)((readable ? POLLIN : 0) | (fds->events & POLLOUT));
    return 1;
}

ssize_t __wrap_recv(int fd, void *buffer, size_t bytes, int flags)
{
    struct conn *conn = conn_of(fd);
    u32 piece = min_u32(conn->out_end - conn->out_at, (u32)bytes);
    (void)flags;
    ASSERT(piece > 0 || conn->ended);
    memcpy(buffer, conn->out + conn->out_at, piece);
    conn->out_at += piece;
    return piece;
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct conn *conn = conn_of(fd);
    size_t sum = 0, most = short_send ? SHORT_BYTES : SIZE_MAX;
    (void)flags;
    short_send = false;
    if (conn->ended) {
        errno = EPIPE;
        return -1;
    }
    for (size_t i = 0; i < message->msg_iovlen && sum < most; i++) {
        const struct iovec *piece = &message->msg_iov[i];
        size_t bytes = piece->iov_len < most - sum ? piece->iov_len : most - sum;
        bytes_came(conn, piece->iov_base, bytes);
        sum += bytes;
    }
    return (ssize_t)sum;
}

ssize_t __wrap_send(int fd, const void *data, size_t bytes, int flags)
{
    struct iovec piece = {(void *)(uintptr_t)data, bytes};
    return __wrap_sendmsg(fd, &(struct msghdr){.msg_iov = &piece, .msg_iovlen = 1}, flags);
}

int __wrap_nanosleep(const struct timespec *time, struct timespec *left)
{
    (void)time, (void)left;
    return 0;
}

/* ---- For the target ---- */

void front_open(void) { fuzz_desk_open(&desk, true); }

void front_reset(struct input trouble)
{
    fuzz_desk_reset(&desk);
    troubles = trouble;
    trouble_kind = NONE;
}

void front_begin(bool calm)
{
    if (calm) trouble_kind = NONE, troubles = (struct input){0};
    for (u32 i = 0; i < CONNS_MAX; i++) ASSERT(!conns[i].open);
    front.applied = front.existing = front.refused = 0;
    front.troubles = 0;
    front.away = short_send = false;
    refusals = 0;
}

u64 front_records(void)
{
    const struct table *sessions = &desk.state->tables[TABLE_SESSION];
    for (u32 row = 1; row <= sessions->row_last; row++) {
        const struct session *session = session_row(desk.state, row);
        if (table_used(sessions, row) && session->name_bytes > 0) return session->records;
    }
    return 0;
}

u64 front_commands(void)
{
    const struct desk *row = desk_row(desk.state);
    u64 sum = row->creates;
    for (u32 verb = 0; verb < TKD_VERB_END; verb++) sum += row->by_verb[verb];
    return sum;
}

u64 front_digest(void)
{
    fuzz_desk_pulse(&desk, state_time(desk.state));
    state_validate(desk.state);
    return state_digest(desk.state, false);
}
