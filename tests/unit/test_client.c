/* The client library: what it makes of bytes that a server should not send, and how it comes back after a
 * lost connection. The server is a thread that plays a script over a Unix socket. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/prng.h"
#include "core/frame.h"
#include "libticketd/answer.h"
#include "support/directory.h"
#include "ticketd/client.h"

#define FRAME_WORDS (TKD_FRAME_BYTES_MAX / 8)

/* ---- Making frames ---- */

static u64 made[FRAME_WORDS];

static struct tkd_frame *frame_begin(u16 op, u16 flags, u64 seq)
{
    struct tkd_frame *frame = (struct tkd_frame *)made;
    *frame = (struct tkd_frame){.magic = TKD_MAGIC,
                                .version = TKD_PROTOCOL_VERSION,
                                .op = op,
                                .flags = flags,
                                .status = TKD_OK,
                                .size = TKD_FRAME_BYTES,
                                .seq = seq};
    return frame;
}

/* Appends a row of `head_bytes` whose texts are given as lengths in the head. */
static void *row_add(struct tkd_frame *frame, const void *head, u16 head_bytes, const char *text)
{
    u32 text_bytes = (u32)strlen(text);
    u32 size = (u32)round_up(head_bytes + text_bytes, 8);
    u8 *row = (u8 *)frame + frame->size;
    memset(row, 0, size);
    memcpy(row, head, head_bytes);
    memcpy(row + head_bytes, text, text_bytes);
    ((struct tkd_prefix *)row)->size = size;
    ((struct tkd_prefix *)row)->head = head_bytes;
    frame->size += size;
    frame->count++;
    return row;
}

static struct tkd_frame *metric_frame(void)
{
    struct tkd_frame *frame = frame_begin(TKD_OP_STATUS, TKD_FLAG_REPLY, 1);
    struct tkd_metric metric = {.value = 7, .name_bytes = 3, .text_bytes = 5};
    row_add(frame, &metric, sizeof(metric), "abchello");
    metric = (struct tkd_metric){.value = 8, .name_bytes = 1};
    row_add(frame, &metric, sizeof(metric), "x");
    frame_seal(frame);
    return frame;
}

/* ---- Verifying answers ---- */

Test(client, a_good_answer_is_read)
{
    struct tkd_frame *frame = metric_frame();
    struct tkd_answer answer;
    cr_assert_null(answer_check(frame));
    answer_read(frame, &answer);
    const struct tkd_prefix *row = tkd_next_row(&answer, NULL);
    struct tkd_metric metric;
    tkd_read(TKD_RECORD_metric, row, &metric);
    cr_assert_eq(metric.value, 7);
    struct tkd_text name = tkd_row_text(TKD_RECORD_metric, row, 0),
                    text = tkd_row_text(TKD_RECORD_metric, row, 1);
    cr_assert(name.bytes == 3 && memcmp(name.data, "abc", 3) == 0);
    cr_assert(text.bytes == 5 && memcmp(text.data, "hello", 5) == 0);
    row = tkd_next_row(&answer, row);
    tkd_read(TKD_RECORD_metric, row, &metric);
    cr_assert_eq(metric.value, 8);
    cr_assert_null(tkd_next_row(&answer, row));
    cr_assert_eq(tkd_row_text(TKD_RECORD_metric, tkd_next_row(&answer, NULL), 9).bytes, 0);
}

Test(client, a_row_of_an_older_server_is_zero_extended)
{
    struct tkd_frame *frame = frame_begin(TKD_OP_STATUS, TKD_FLAG_REPLY, 1);
    struct tkd_metric metric = {.value = 9, .name_bytes = 4, .text_bytes = 4};
    row_add(frame, &metric, 16, "");
    frame_seal(frame);
    struct tkd_answer answer;
    cr_assert_null(answer_check(frame));
    answer_read(frame, &answer);
    const struct tkd_prefix *row = tkd_next_row(&answer, NULL);
    struct tkd_metric read = {.name_bytes = 77};
    tkd_read(TKD_RECORD_metric, row, &read);
    cr_assert(read.value == 9 && read.name_bytes == 0);
    cr_assert_eq(tkd_row_text(TKD_RECORD_metric, row, 0).bytes, 0);
}

Test(client, a_row_of_a_newer_server_is_cut)
{
    struct tkd_frame *frame = frame_begin(TKD_OP_ATTACH, TKD_FLAG_REPLY, 1);
    struct {
        struct tkd_session session;
        u64 more;
    } newer = {.session = {.session = 5, .next_seq = 6, .window = 64}, .more = 123};
    row_add(frame, &newer, sizeof(newer), "");
    frame_seal(frame);
    cr_assert_null(answer_check(frame));
    struct tkd_answer answer;
    answer_read(frame, &answer);
    struct tkd_session session;
    tkd_read(TKD_RECORD_session, tkd_next_row(&answer, NULL), &session);
    cr_assert(session.session == 5 && session.next_seq == 6);
}

/* Each way to lie about sizes is refused, although the checksums are right. */
Test(client, lies_about_sizes_are_refused)
{
    struct tkd_frame *frame;
    struct tkd_metric *row;
#define LIE(change)                                                                                          \
    frame = metric_frame();                                                                                  \
    row = (struct tkd_metric *)(frame + 1);                                                                  \
    change;                                                                                                  \
    frame_seal(frame);                                                                                       \
    cr_assert_not_null(answer_check(frame), #change)
    LIE(row->size += 8);
    LIE(row->size -= 8);
    LIE(row->size = 0);
    LIE(row->size = 0xFFFFFFF8u);
    LIE(row->size += 4);
    LIE(row->head = 0);
    LIE(row->head = 4);
    LIE(row->head = 0xFFF8);
    LIE(row->head += 4);
    LIE(row->name_bytes = 0xFFFFFFFFu);
    LIE(row->text_bytes = 0xFFFFFFFFu);
    LIE(row->text_bytes += 8);
    LIE(row->text_bytes = 0);
    LIE(frame->count = 3);
    LIE(frame->count = 1);
    LIE(frame->count = 0xFFFFFFFFu);
    LIE(frame->op = 4000);
    LIE(frame->op = 0);
    LIE(frame->flags = 0);
    LIE(frame->status = 9999);
    LIE(frame->op = TKD_OP_TICKET_CREATE);
#undef LIE
}

Test(client, random_damage_never_passes_and_never_harms)
{
    struct prng prng = prng_seeded(11);
    for (u32 i = 0; i < 20000; i++) {
        struct tkd_frame *frame = metric_frame();
        u32 at = (u32)prng_below(&prng, frame->size);
        ((u8 *)frame)[at] ^= (u8)(1 + prng_below(&prng, 255));
        enum tkd_status status = frame_header_check(frame, frame->size);
        if (status == TKD_OK) cr_assert_not_null(answer_check(frame));
    }
    for (u32 i = 0; i < 20000; i++) {
        struct tkd_frame *frame = metric_frame();
        u32 size = frame->size;
        for (u32 j = 0; j < 3; j++) {
            u32 at = TKD_FRAME_BYTES + (u32)prng_below(&prng, size - TKD_FRAME_BYTES);
            ((u8 *)frame)[at] = (u8)prng_below(&prng, 256);
        }
        frame_seal(frame);
        if (answer_check(frame)) continue;
        /* What passes can be read without leaving the frame. */
        struct tkd_answer answer;
        answer_read(frame, &answer);
        const struct tkd_prefix *row = NULL;
        while ((row = tkd_next_row(&answer, row))) {
            struct tkd_text text = tkd_row_text(TKD_RECORD_metric, row, 1);
            cr_assert_leq((const u8 *)text.data + text.bytes, (const u8 *)frame + size);
        }
    }
}

/* ---- A server that plays a script ---- */

struct peer {
    char directory[4096];
    char address[4200];
    int listener;
    int fd;
    pthread_t thread;
    void (*script)(struct peer *peer);
    u64 request[FRAME_WORDS]; /* the last one read */
    u64 next_seq;             /* of the session played */
};

static struct tkd_frame *peer_read(struct peer *peer)
{
    struct tkd_frame *frame = (struct tkd_frame *)peer->request;
    u8 *at = (u8 *)frame;
    if (recv(peer->fd, at, TKD_FRAME_BYTES, MSG_WAITALL) != TKD_FRAME_BYTES) return NULL;
    if (frame->size > sizeof(peer->request)) abort();
    u32 rest = frame->size - TKD_FRAME_BYTES;
    if (rest && recv(peer->fd, at + TKD_FRAME_BYTES, rest, MSG_WAITALL) != (ssize_t)rest) return NULL;
    if (frame_header_check(frame, frame->size) != TKD_OK || frame_check(frame) != TKD_OK) abort();
    return frame;
}

static void peer_write(struct peer *peer, struct tkd_frame *frame)
{
    frame_seal(frame);
    const u8 *at = (const u8 *)frame;
    for (u32 sent = 0; sent < frame->size;) {
        ssize_t bytes = send(peer->fd, at + sent, frame->size - sent, MSG_NOSIGNAL);
        if (bytes <= 0) return;
        sent += (u32)bytes;
    }
}

static struct tkd_frame *peer_answer(const struct tkd_frame *request, enum tkd_status status)
{
    struct tkd_frame *frame = frame_begin(request->op, TKD_FLAG_REPLY, request->seq);
    frame->session = request->session;
    frame->status = (u16)status;
    return frame;
}

/* Results that carry the request's seq as ids. */
static void peer_results(struct peer *peer, const struct tkd_frame *request)
{
    struct tkd_frame *frame = peer_answer(request, TKD_OK);
    struct tkd_result *results = (struct tkd_result *)(frame + 1);
    for (u32 i = 0; i < request->count; i++) {
        results[i] = (struct tkd_result){.status = TKD_OK, .version = 1, .id = request->seq};
    }
    frame->count = request->count;
    frame->size += request->count * (u32)sizeof(*results);
    peer_write(peer, frame);
}

static void peer_accept(struct peer *peer)
{
    peer->fd = accept(peer->listener, NULL, NULL);
    struct tkd_frame *request = peer_read(peer);
    if (!request || request->op != TKD_OP_HELLO) abort();
    struct tkd_frame *frame = peer_answer(request, TKD_OK);
    struct tkd_hello_reply reply = {.version = 1, .frame_bytes_max = TKD_FRAME_BYTES_MAX, .store = 42};
    row_add(frame, &reply, sizeof(reply), "");
    peer_write(peer, frame);
}

static void peer_attach(struct peer *peer)
{
    struct tkd_frame *request = peer_read(peer);
    if (!request || request->op != TKD_OP_ATTACH) abort();
    struct tkd_frame *frame = peer_answer(request, TKD_OK);
    struct tkd_session session = {.session = 77, .next_seq = peer->next_seq, .window = 4};
    row_add(frame, &session, sizeof(session), "");
    peer_write(peer, frame);
}

static void peer_session(struct peer *peer)
{
    struct tkd_frame *request = peer_read(peer);
    if (!request || request->op != TKD_OP_REGISTER) abort();
    struct tkd_frame *frame = peer_answer(request, TKD_OK);
    *(struct tkd_result *)(frame + 1) = (struct tkd_result){.status = TKD_OK, .id = 77};
    frame->count = 1;
    frame->size += (u32)sizeof(struct tkd_result);
    peer_write(peer, frame);
    peer_attach(peer);
}

static void *peer_main(void *argument)
{
    struct peer *peer = argument;
    peer->script(peer);
    if (peer->fd >= 0) close(peer->fd);
    return NULL;
}

static struct peer *peer_start(void (*script)(struct peer *peer))
{
    struct peer *peer = calloc(1, sizeof(*peer));
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    directory_make(peer->directory);
    snprintf(address.sun_path, sizeof(address.sun_path), "%.90s/socket", peer->directory);
    snprintf(peer->address, sizeof(peer->address), "unix:%s", address.sun_path);
    peer->fd = -1;
    peer->next_seq = 1;
    peer->script = script;
    peer->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    cr_assert_eq(bind(peer->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    cr_assert_eq(listen(peer->listener, 4), 0);
    cr_assert_eq(pthread_create(&peer->thread, NULL, peer_main, peer), 0);
    return peer;
}

static void peer_end(struct peer *peer)
{
    pthread_join(peer->thread, NULL);
    close(peer->listener);
    directory_remove(peer->directory);
    free(peer);
}

static struct tkd_client *connected(const struct peer *peer)
{
    struct tkd_client *client;
    cr_assert_eq(tkd_connect(&client, peer->address, "test"), 0, "%s", tkd_error(client));
    cr_assert_eq(tkd_hello(client)->store, 42);
    return client;
}

static void note(struct tkd_client *client, u64 ticket)
{
    struct tkd_ticket_update update = {.kind = TKD_VERB_NOTE, .ticket = ticket};
    struct tkd_text texts[3] = {{"", 0}, {"", 0}, {"hello", 5}};
    cr_assert_eq(tkd_begin(client, TKD_OP_TICKET_UPDATE, 0, 0), 0);
    cr_assert_eq(tkd_add(client, TKD_RECORD_ticket_update, &update, texts), 0, "%s", tkd_error(client));
    cr_assert_eq(tkd_send(client), 0, "%s", tkd_error(client));
}

static u64 received_id(struct tkd_client *client)
{
    struct tkd_answer answer;
    cr_assert_eq(tkd_receive(client, &answer), 0, "%s", tkd_error(client));
    cr_assert_eq(answer.status, TKD_OK);
    return ((const struct tkd_result *)answer.rows)->id;
}

/* ---- Plain requests ---- */

static void script_pipeline(struct peer *peer)
{
    peer_accept(peer);
    for (u32 i = 0; i < 500; i++) {
        struct tkd_frame *request = peer_read(peer);
        if (!request) return;
        peer_results(peer, request);
    }
}

Test(client, many_requests_in_flight_are_answered_in_order)
{
    struct peer *peer = peer_start(script_pipeline);
    struct tkd_client *client = connected(peer);
    for (u32 i = 0; i < 500; i++) note(client, i + 1);
    cr_assert_eq(tkd_in_flight(client), 500);
    u64 first = received_id(client);
    for (u32 i = 1; i < 500; i++) cr_assert_eq(received_id(client), first + i);
    cr_assert_eq(tkd_in_flight(client), 0);
    tkd_close(client);
    peer_end(peer);
}

static void script_large(struct peer *peer)
{
    peer_accept(peer);
    /* Reads nothing until the client has had to wait, but answers everything. */
    for (u32 i = 0; i < 64; i++) {
        struct tkd_frame *request = peer_read(peer);
        if (!request) return;
        peer_results(peer, request);
    }
}

Test(client, frames_larger_than_the_socket_takes)
{
    struct peer *peer = peer_start(script_large);
    struct tkd_client *client = connected(peer);
    char *body = calloc(1, 200000);
    struct tkd_ticket_create create = {.channel = 1, .queue = 1};
    struct tkd_text texts[6] = {{"a", 1}, {"", 0}, {"", 0}, {"", 0}, {body, 200000}, {"", 0}};
    for (u32 i = 0; i < 64; i++) {
        cr_assert_eq(tkd_begin(client, TKD_OP_TICKET_CREATE, 0, 0), 0);
        for (u32 j = 0; j < 5; j++) {
            cr_assert_eq(tkd_add(client, TKD_RECORD_ticket_create, &create, texts), 0, "%s",
                         tkd_error(client));
        }
        cr_assert_lt(tkd_frame_room(client), 200000);
        cr_assert_eq(tkd_add(client, TKD_RECORD_ticket_create, &create, texts), TKD_E_USAGE);
        cr_assert_eq(tkd_frame_count(client), 5);
        cr_assert_eq(tkd_send(client), 0, "%s", tkd_error(client));
    }
    struct tkd_answer answer;
    for (u32 i = 0; i < 64; i++) {
        cr_assert_eq(tkd_receive(client, &answer), 0, "%s", tkd_error(client));
        cr_assert_eq(answer.count, 5);
    }
    free(body);
    tkd_close(client);
    peer_end(peer);
}

static void script_push(struct peer *peer)
{
    peer_accept(peer);
    struct tkd_frame *request = peer_read(peer);
    u64 seq = request->seq;
    peer_write(peer, peer_answer(request, TKD_OK));
    struct tkd_frame *frame = frame_begin(TKD_OP_EVENTS, TKD_FLAG_REPLY | TKD_FLAG_PUSH, seq);
    struct tkd_event event = {.kind = TKD_EVENT_NOTED, .seq = 1, .text_bytes = 5};
    row_add(frame, &event, sizeof(event), "hello");
    peer_write(peer, frame);
}

Test(client, pushed_events_are_delivered_behind_the_answer)
{
    struct peer *peer = peer_start(script_push);
    struct tkd_client *client = connected(peer);
    struct tkd_events_from from = {.from = 1};
    struct tkd_answer answer;
    cr_assert_eq(tkd_call(client, TKD_OP_SUBSCRIBE, 0, TKD_RECORD_events_from, &from, NULL, &answer), 0);
    cr_assert_eq(tkd_receive(client, &answer), 0, "%s", tkd_error(client));
    cr_assert(answer.flags & TKD_FLAG_PUSH);
    struct tkd_text text = tkd_row_text(TKD_RECORD_event, tkd_next_row(&answer, NULL), 0);
    cr_assert(text.bytes == 5 && memcmp(text.data, "hello", 5) == 0);
    tkd_close(client);
    peer_end(peer);
}

static void script_refuse(struct peer *peer)
{
    peer_accept(peer);
    struct tkd_frame *request = peer_read(peer);
    peer_write(peer, peer_answer(request, TKD_NOT_FOUND));
}

Test(client, a_refused_call_names_status_and_meaning)
{
    struct peer *peer = peer_start(script_refuse);
    struct tkd_client *client = connected(peer);
    struct tkd_ticket_get get = {.ticket = 9};
    struct tkd_answer answer;
    cr_assert_eq(tkd_call(client, TKD_OP_TICKET_GET, 0, TKD_RECORD_ticket_get, &get, NULL, &answer),
                 TKD_E_REFUSED);
    cr_assert_eq(answer.status, TKD_NOT_FOUND);
    cr_assert_not_null(strstr(tkd_error(client), "not_found"));
    tkd_close(client);
    peer_end(peer);
}

/* ---- Servers that misbehave ---- */

static void script_garbage(struct peer *peer)
{
    peer_accept(peer);
    peer_read(peer);
    send(peer->fd, "HTTP/1.1 400 Bad Request\r\n\r\n", 28, MSG_NOSIGNAL);
    peer_read(peer);
}

static void script_damaged(struct peer *peer)
{
    peer_accept(peer);
    struct tkd_frame *frame = peer_answer(peer_read(peer), TKD_OK);
    struct tkd_empty empty = {0};
    row_add(frame, &empty, sizeof(empty), "");
    frame_seal(frame);
    ((u8 *)(frame + 1))[7] ^= 1;
    send(peer->fd, frame, frame->size, MSG_NOSIGNAL);
    peer_read(peer);
}

static void script_wrong_pair(struct peer *peer)
{
    peer_accept(peer);
    struct tkd_frame *frame = peer_answer(peer_read(peer), TKD_OK);
    frame->seq += 5;
    peer_write(peer, frame);
    peer_read(peer);
}

static void script_unreadable(struct peer *peer)
{
    peer_accept(peer);
    peer_read(peer);
    struct tkd_frame *frame = frame_begin(0, TKD_FLAG_REPLY, 0);
    frame->status = TKD_BAD_MAGIC;
    peer_write(peer, frame);
    peer_read(peer);
}

static void expect_protocol_error(void (*script)(struct peer *peer), const char *word)
{
    struct peer *peer = peer_start(script);
    struct tkd_client *client = connected(peer);
    struct tkd_empty empty = {0};
    struct tkd_answer answer;
    cr_assert_eq(tkd_call(client, TKD_OP_PING, 0, TKD_RECORD_empty, &empty, NULL, &answer), TKD_E_PROTOCOL);
    cr_assert_not_null(strstr(tkd_error(client), word), "%s", tkd_error(client));
    cr_assert_eq(tkd_fd(client), -1);
    cr_assert_eq(tkd_receive(client, &answer), TKD_E_CONNECT);
    tkd_close(client);
    peer_end(peer);
}

Test(client, garbage_is_refused) { expect_protocol_error(script_garbage, "not a frame"); }
Test(client, a_damaged_frame_is_refused) { expect_protocol_error(script_damaged, "checksum"); }
Test(client, an_answer_to_nothing_is_refused) { expect_protocol_error(script_wrong_pair, "not made"); }
Test(client, a_refused_connection_is_explained) { expect_protocol_error(script_unreadable, "bad_magic"); }

static void script_mute(struct peer *peer)
{
    peer_accept(peer);
    peer_read(peer);
}

Test(client, a_closed_connection_is_told)
{
    struct peer *peer = peer_start(script_mute);
    struct tkd_client *client = connected(peer);
    struct tkd_empty empty = {0};
    struct tkd_answer answer;
    cr_assert_eq(tkd_call(client, TKD_OP_PING, 0, TKD_RECORD_empty, &empty, NULL, &answer), TKD_E_CONNECT);
    cr_assert_not_null(strstr(tkd_error(client), "lost"));
    tkd_close(client);
    peer_end(peer);
}

Test(client, nobody_there_is_told)
{
    struct tkd_client *client;
    char directory[4096], address[4200];
    directory_make(directory);
    snprintf(address, sizeof(address), "unix:%.90s/nobody", directory);
    cr_assert_eq(tkd_connect(&client, address, "test"), TKD_E_CONNECT);
    cr_assert_not_null(strstr(tkd_error(client), "is ticketd running there?"));
    tkd_close(client);
    directory_remove(directory);
}

Test(client, bad_addresses_are_told)
{
    static const char *const bad[] = {"", "localhost", ":7411", "host:", "unix:"};
    for (u32 i = 0; i < ARRAY_COUNT(bad); i++) {
        struct tkd_client *client;
        cr_assert_eq(tkd_connect(&client, bad[i], "test"), TKD_E_USAGE, "%s", bad[i]);
        tkd_close(client);
    }
}

/* ---- Sessions ---- */

static void script_repeat(struct peer *peer)
{
    peer_accept(peer);
    peer_session(peer);
    /* Answers the first, applies the second without an answer, never sees the third. */
    struct tkd_frame *request = peer_read(peer);
    if (request->seq != 1 || request->session != 77 || request->ack_below != 1) abort();
    peer_results(peer, request);
    request = peer_read(peer);
    u64 second[64];
    if (request->seq != 2 || request->size > sizeof(second)) abort();
    memcpy(second, request, request->size);
    close(peer->fd);
    peer->next_seq = 3;
    peer_accept(peer);
    peer_attach(peer);
    request = peer_read(peer);
    if (memcmp(request, second, request->size) != 0) abort(); /* the same bytes once more */
    peer_results(peer, request);
    request = peer_read(peer);
    if (request->seq != 3) abort();
    peer_results(peer, request);
    request = peer_read(peer);
    if (request->seq != 4 || request->ack_below != 4) abort();
    peer_results(peer, request);
}

Test(client, unanswered_commands_are_sent_again_after_a_lost_connection)
{
    struct peer *peer = peer_start(script_repeat);
    struct tkd_client *client = connected(peer);
    cr_assert_eq(tkd_session_open(client, "s", 0), 0, "%s", tkd_error(client));
    cr_assert_eq(tkd_session(client)->window, 4);
    for (u64 i = 1; i <= 3; i++) note(client, i);
    cr_assert_eq(received_id(client), 1);
    struct tkd_answer answer;
    cr_assert_eq(tkd_receive(client, &answer), TKD_E_CONNECT);
    cr_assert_eq(tkd_in_flight(client), 2);
    cr_assert_eq(tkd_reconnect(client), 0, "%s", tkd_error(client));
    cr_assert_eq(received_id(client), 2);
    cr_assert_eq(received_id(client), 3);
    note(client, 4);
    cr_assert_eq(received_id(client), 4);
    tkd_close(client);
    peer_end(peer);
}

static void script_window(struct peer *peer)
{
    peer_accept(peer);
    peer_session(peer);
    for (u32 i = 0; i < 4; i++) peer_results(peer, peer_read(peer));
}

Test(client, the_window_bounds_commands_in_flight)
{
    struct peer *peer = peer_start(script_window);
    struct tkd_client *client = connected(peer);
    cr_assert_eq(tkd_session_open(client, NULL, 4), 0, "%s", tkd_error(client));
    for (u64 i = 1; i <= 4; i++) note(client, i);
    struct tkd_ticket_update update = {.kind = TKD_VERB_URGE, .ticket = 1};
    cr_assert_eq(tkd_begin(client, TKD_OP_TICKET_UPDATE, 0, 0), 0);
    cr_assert_eq(tkd_add(client, TKD_RECORD_ticket_update, &update, NULL), 0);
    cr_assert_eq(tkd_send(client), TKD_E_USAGE);
    for (u64 i = 1; i <= 4; i++) cr_assert_eq(received_id(client), i);
    tkd_close(client);
    peer_end(peer);
}

static void script_busy(struct peer *peer)
{
    peer_accept(peer);
    peer_session(peer);
    peer_write(peer, peer_answer(peer_read(peer), TKD_BUSY));
    peer_write(peer, peer_answer(peer_read(peer), TKD_SEQUENCE_GAP));
    struct tkd_frame *request = peer_read(peer);
    if (request->seq != 1) abort(); /* the seq was not used up */
    peer_results(peer, request);
}

Test(client, a_command_that_was_not_applied_gives_its_seq_back)
{
    struct peer *peer = peer_start(script_busy);
    struct tkd_client *client = connected(peer);
    cr_assert_eq(tkd_session_open(client, NULL, 4), 0);
    note(client, 1);
    note(client, 2);
    struct tkd_answer answer;
    cr_assert_eq(tkd_receive(client, &answer), 0);
    cr_assert_eq(answer.status, TKD_BUSY);
    cr_assert_eq(tkd_receive(client, &answer), 0);
    cr_assert_eq(answer.status, TKD_SEQUENCE_GAP);
    note(client, 1);
    cr_assert_eq(received_id(client), 1);
    tkd_close(client);
    peer_end(peer);
}

static void script_overtaken(struct peer *peer)
{
    peer_accept(peer);
    peer_session(peer);
    struct tkd_frame *request = peer_read(peer);
    struct tkd_frame *busy = peer_answer(request, TKD_BUSY);
    peer_write(peer, busy);
    peer_read(peer);
    close(peer->fd);
    peer_accept(peer);
    peer_attach(peer);
    request = peer_read(peer);
    if (request->seq != 1) abort();
    peer_results(peer, request);
}

Test(client, an_overtaken_command_is_not_sent_again)
{
    struct peer *peer = peer_start(script_overtaken);
    struct tkd_client *client = connected(peer);
    cr_assert_eq(tkd_session_open(client, NULL, 4), 0);
    note(client, 1);
    note(client, 2);
    struct tkd_answer answer;
    cr_assert_eq(tkd_receive(client, &answer), 0);
    cr_assert_eq(answer.status, TKD_BUSY);
    cr_assert_eq(tkd_receive(client, &answer), TKD_E_CONNECT);
    cr_assert_eq(tkd_reconnect(client), 0, "%s", tkd_error(client));
    cr_assert_eq(tkd_poll(client, 0), 1);
    cr_assert_eq(tkd_receive(client, &answer), 0);
    cr_assert_eq(answer.status, TKD_SEQUENCE_GAP);
    note(client, 1);
    cr_assert_eq(received_id(client), 1);
    tkd_close(client);
    peer_end(peer);
}

static void script_stopping(struct peer *peer)
{
    peer_accept(peer);
    close(peer->fd);
    peer->fd = accept(peer->listener, NULL, NULL);
    peer_write(peer, peer_answer(peer_read(peer), TKD_STOPPING));
    close(peer->fd);
    peer_accept(peer);
}

/* Who tries until the server is there again goes on trying. */
Test(client, a_server_that_is_stopping_is_as_good_as_away)
{
    struct peer *peer = peer_start(script_stopping);
    struct tkd_client *client = connected(peer);
    cr_assert_eq(tkd_reconnect(client), TKD_E_CONNECT);
    cr_assert_not_null(strstr(tkd_error(client), "stopping"), "%s", tkd_error(client));
    cr_assert_eq(tkd_reconnect(client), 0, "%s", tkd_error(client));
    tkd_close(client);
    peer_end(peer);
}

static void script_other_user(struct peer *peer)
{
    peer_accept(peer);
    peer_session(peer);
    peer_results(peer, peer_read(peer));
    close(peer->fd);
    peer->next_seq = 9;
    peer_accept(peer);
    peer_attach(peer);
    peer_read(peer);
}

Test(client, a_session_that_somebody_else_used_is_refused)
{
    struct peer *peer = peer_start(script_other_user);
    struct tkd_client *client = connected(peer);
    cr_assert_eq(tkd_session_open(client, "s", 4), 0);
    note(client, 1);
    cr_assert_eq(received_id(client), 1);
    struct tkd_answer answer;
    note(client, 2);
    cr_assert_eq(tkd_receive(client, &answer), TKD_E_CONNECT);
    cr_assert_eq(tkd_reconnect(client), TKD_E_PROTOCOL);
    cr_assert_not_null(strstr(tkd_error(client), "another program"), "%s", tkd_error(client));
    tkd_close(client);
    peer_end(peer);
}

static void script_drop(struct peer *peer)
{
    peer_accept(peer);
    peer_read(peer);
    close(peer->fd);
    peer_accept(peer);
    peer_results(peer, peer_read(peer));
}

Test(client, requests_without_session_are_dropped_with_the_connection)
{
    struct peer *peer = peer_start(script_drop);
    struct tkd_client *client = connected(peer);
    note(client, 1);
    struct tkd_answer answer;
    cr_assert_eq(tkd_receive(client, &answer), TKD_E_CONNECT);
    cr_assert_eq(tkd_reconnect(client), TKD_E_REFUSED);
    cr_assert_eq(tkd_in_flight(client), 0);
    cr_assert_geq(tkd_fd(client), 0);
    note(client, 1);
    cr_assert_neq(received_id(client), 0);
    tkd_close(client);
    peer_end(peer);
}

/* ---- Calls that are wrong ---- */

static void script_greet(struct peer *peer)
{
    peer_accept(peer);
    peer_read(peer);
}

Test(client, wrong_calls_are_refused_with_a_reason)
{
    struct peer *peer = peer_start(script_greet);
    struct tkd_client *client = connected(peer);
    struct tkd_empty empty = {0};
    char *long_text = calloc(1, 2000);
    struct tkd_ticket_create create = {.channel = 1};
    struct tkd_text texts[6] = {{"a", 1}, {"", 0}, {"", 0}, {long_text, 2000}, {"", 0}, {"", 0}};
    cr_assert_eq(tkd_add(client, TKD_RECORD_empty, &empty, NULL), TKD_E_USAGE);
    cr_assert_eq(tkd_send(client), TKD_E_USAGE);
    cr_assert_eq(tkd_begin(client, TKD_OP_PULSE, 0, 0), TKD_E_USAGE);
    cr_assert_eq(tkd_begin(client, 9999, 0, 0), TKD_E_USAGE);
    cr_assert_eq(tkd_begin(client, TKD_OP_TICKET_CREATE, 0, 0), 0);
    cr_assert_eq(tkd_send(client), TKD_E_USAGE);
    cr_assert_eq(tkd_add(client, TKD_RECORD_empty, &empty, NULL), TKD_E_USAGE);
    cr_assert_eq(tkd_add(client, TKD_RECORD_ticket_create, &create, texts), TKD_E_USAGE);
    cr_assert_not_null(strstr(tkd_error(client), "subject"));
    cr_assert_eq(tkd_begin(client, TKD_OP_PING, 0, 0), 0);
    cr_assert_eq(tkd_add(client, TKD_RECORD_empty, &empty, NULL), 0);
    cr_assert_eq(tkd_add(client, TKD_RECORD_empty, &empty, NULL), TKD_E_USAGE);
    cr_assert_eq(tkd_session_close(client), TKD_E_USAGE);
    free(long_text);
    tkd_close(client);
    peer_end(peer);
}
