/* A client from connecting to closing, and waiting for answers. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "internal.h"

int client_fail(struct tkd_client *client, int code, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(client->error, sizeof(client->error), format, list);
    va_end(list);
    return code;
}

int tkd_connect(struct tkd_client **out, const char *address, const char *name)
{
    struct tkd_client *client = calloc(1, sizeof(*client));
    *out = client;
    if (!client) return TKD_E_MEMORY;
    client->fd = -1;
    client->next_pairing = 1;
    if (strlen(address) >= sizeof(client->address) || strlen(name) >= sizeof(client->name)) {
        return client_fail(client, TKD_E_USAGE, "the address or the client's name is too long");
    }
    strcpy(client->address, address);
    strcpy(client->name, name);
    int error = socket_connect(client);
    if (!error) error = session_hello(client);
    client->ready = !error;
    return error;
}

void tkd_close(struct tkd_client *client)
{
    if (!client) return;
    socket_close(client);
    requests_free(client);
    free(client->received);
    free(client);
}

const char *tkd_error(const struct tkd_client *client) { return client->error; }
const struct tkd_hello_reply *tkd_hello(const struct tkd_client *client) { return &client->hello; }
int tkd_fd(const struct tkd_client *client) { return client->fd; }

/* The oldest request's answer, when it is made here. */
static bool local_answer(struct tkd_client *client, struct tkd_answer *answer)
{
    if (client->count == 0 || !request_at(client, 0)->local) return false;
    client->local = *request_frame(request_at(client, 0));
    client->local.flags = TKD_FLAG_REPLY;
    client->local.status = TKD_SEQUENCE_GAP;
    client->local.size = TKD_FRAME_BYTES;
    client->local.count = 0;
    if (client->sent == 0) client->sent = 1;
    request_answered(client, 0, TKD_SEQUENCE_GAP);
    answer_read(&client->local, answer);
    return true;
}

/* Pairs a frame with its request. */
static int deliver(struct tkd_client *client, const struct tkd_frame *frame, struct tkd_answer *answer)
{
    answer_read(frame, answer);
    if (frame->flags & TKD_FLAG_PUSH) return 0;
    i32 index = request_find(client, frame->op, frame->seq);
    if (index >= 0) {
        request_answered(client, (u32)index, frame->status);
        return 0;
    }
    const struct tkd_status_info *info = tkd_status_info(frame->status);
    socket_close(client);
    if (info->class == TKD_STATUS_protocol || info->class == TKD_STATUS_retry) {
        return client_fail(client, TKD_E_PROTOCOL, "%s refused the connection: %s: %s", client->address,
                           info->name, info->doc);
    }
    return client_fail(client, TKD_E_PROTOCOL, "%s answered a request that was not made", client->address);
}

int tkd_receive(struct tkd_client *client, struct tkd_answer *answer)
{
    *answer = (struct tkd_answer){0};
    if (local_answer(client, answer)) return 0;
    for (;;) {
        const struct tkd_frame *frame;
        int error = socket_frame(client, &frame);
        if (error) return error;
        if (frame) return deliver(client, frame, answer);
        int arrived = socket_wait(client, -1);
        if (arrived < 0) return arrived;
    }
}

int tkd_poll(struct tkd_client *client, int timeout_ms)
{
    if (client->count > 0 && request_at(client, 0)->local) return 1;
    for (;;) {
        u32 at = client->received_at;
        const struct tkd_frame *frame;
        int error = socket_frame(client, &frame);
        if (error) return error;
        client->received_at = at;
        if (frame) return 1;
        int arrived = socket_wait(client, timeout_ms);
        if (arrived <= 0) return arrived;
    }
}

int tkd_call(struct tkd_client *client, u16 op, u64 time_ms, u32 record, const void *head,
             const struct tkd_text *texts, struct tkd_answer *answer)
{
    *answer = (struct tkd_answer){0};
    if (client->count > 0)
        return client_fail(client, TKD_E_USAGE, "requests are in flight: receive their answers first");
    int error = tkd_begin(client, op, 0, time_ms);
    if (!error) error = tkd_add(client, record, head, texts);
    if (!error) error = tkd_send(client);
    if (!error) error = tkd_receive(client, answer);
    if (error) return error;
    if (answer->flags & TKD_FLAG_PUSH) {
        return client_fail(client, TKD_E_USAGE,
                           "events are pushed on this connection: use tkd_send and tkd_receive");
    }
    const struct tkd_status_info *info = tkd_status_info(answer->status);
    if (info->class == TKD_STATUS_ok) return 0;
    return client_fail(client, TKD_E_REFUSED, "%s refused the %s: %s: %s", client->address,
                       tkd_op_info(op)->name, info->name, info->doc);
}
