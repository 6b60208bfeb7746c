/* Building requests, and the ring of those that are not answered. */
#include <stdlib.h>
#include <string.h>

#include "core/frame.h"
#include "internal.h"

#define REQUEST_BYTES_MIN 4096u

/* ---- Records ---- */

u32 record_write(u8 *at, u32 room, u32 record, const void *head, const struct tkd_text *texts,
                 const struct tkd_field **too_long)
{
    const struct tkd_record_info *info = tkd_record_info(record);
    u64 size = info->head_bytes;
    for (u32 i = 0; i < info->texts_count && texts; i++) {
        const struct tkd_field *field = &info->fields[info->fields_count - info->texts_count + i];
        if (texts[i].bytes > field->text_bytes_max) {
            *too_long = field;
            return UINT32_MAX;
        }
        size += texts[i].bytes;
    }
    u64 padded = (size + 7) / 8 * 8;
    if (padded > room) return 0;
    memcpy(at, head, info->head_bytes);
    struct tkd_prefix prefix;
    memcpy(&prefix, at, sizeof(prefix));
    prefix.size = (u32)padded;
    prefix.head = (u16)info->head_bytes;
    memcpy(at, &prefix, sizeof(prefix));
    u8 *text = at + info->head_bytes;
    for (u32 i = 0; i < info->texts_count; i++) {
        u32 bytes = texts ? texts[i].bytes : 0;
        memcpy(at + info->texts_offset + i * sizeof(u32), &bytes, sizeof(bytes));
        if (bytes > 0) memcpy(text, texts[i].data, bytes);
        text += bytes;
    }
    memset(text, 0, padded - size);
    return (u32)padded;
}

/* ---- Building a frame ---- */

static int request_room(struct tkd_client *client, struct request *request, u32 bytes)
{
    if (request->bytes_max >= bytes) return 0;
    u32 bytes_max = request->bytes_max ? request->bytes_max : REQUEST_BYTES_MIN;
    while (bytes_max < bytes) bytes_max *= 2;
    u8 *moved = realloc(request->bytes, bytes_max);
    if (!moved) return client_fail(client, TKD_E_MEMORY, "out of memory");
    request->bytes = moved;
    request->bytes_max = bytes_max;
    return 0;
}

int tkd_begin(struct tkd_client *client, u16 op, u16 flags, u64 time_ms)
{
    const struct tkd_op_info *info = tkd_op_info(op);
    if (!info || info->class == TKD_CLASS_internal) {
        return client_fail(client, TKD_E_USAGE, "there is no op %u for clients", op);
    }
    if (client->count == REQUESTS_MAX - 1) {
        return client_fail(client, TKD_E_USAGE, "%u requests are unanswered: receive answers first",
                           client->count);
    }
    struct request *request = request_at(client, client->count);
    int error = request_room(client, request, TKD_FRAME_BYTES);
    if (error) return error;
    request->size = TKD_FRAME_BYTES;
    *request_frame(request) = (struct tkd_frame){
        .magic = TKD_MAGIC,
        .version = TKD_PROTOCOL_VERSION,
        .op = op,
        .flags = flags,
        .size = TKD_FRAME_BYTES,
        .time_ms = time_ms,
    };
    client->building = true;
    client->building_record = info->request;
    client->building_records_max = info->records_max;
    return 0;
}

u32 tkd_frame_room(const struct tkd_client *client)
{
    if (!client->building) return 0;
    return TKD_FRAME_BYTES_MAX - client->requests[(client->first + client->count) % REQUESTS_MAX].size;
}

u32 tkd_frame_count(const struct tkd_client *client)
{
    if (!client->building) return 0;
    const struct request *request = &client->requests[(client->first + client->count) % REQUESTS_MAX];
    return ((const struct tkd_frame *)request->bytes)->count;
}

/* What the record will take at most, without looking for mistakes. */
static u64 record_bytes(u32 record, const struct tkd_text *texts)
{
    const struct tkd_record_info *info = tkd_record_info(record);
    u64 bytes = info->head_bytes + 8;
    for (u32 i = 0; i < info->texts_count && texts; i++) bytes += texts[i].bytes;
    return bytes;
}

int tkd_add(struct tkd_client *client, u32 record, const void *head, const struct tkd_text *texts)
{
    if (!client->building) return client_fail(client, TKD_E_USAGE, "no frame was begun");
    struct request *request = request_at(client, client->count);
    if (record != client->building_record) {
        const struct tkd_record_info *given = tkd_record_info(record);
        return client_fail(client, TKD_E_USAGE, "the op %s does not take the record %s",
                           tkd_op_info(request_frame(request)->op)->name, given ? given->name : "?");
    }
    if (request_frame(request)->count == client->building_records_max) {
        return client_fail(client, TKD_E_USAGE, "the frame has %u records, the most its op takes",
                           client->building_records_max);
    }
    u64 wanted = request->size + record_bytes(record, texts);
    int error =
        request_room(client, request, wanted < TKD_FRAME_BYTES_MAX ? (u32)wanted : TKD_FRAME_BYTES_MAX);
    if (error) return error;
    const struct tkd_field *too_long = NULL;
    u32 room = TKD_FRAME_BYTES_MAX - request->size;
    u32 size = record_write(request->bytes + request->size, room, record, head, texts, &too_long);
    if (size == UINT32_MAX) {
        return client_fail(client, TKD_E_USAGE, "%s is longer than %u bytes", too_long->name,
                           too_long->text_bytes_max);
    }
    if (size == 0)
        return client_fail(client, TKD_E_USAGE, "the record does not fit: %u bytes are left", room);
    request->size += size;
    request_frame(request)->count++;
    return 0;
}

/* ---- Sending it ---- */

/* The oldest unanswered command of the session that counts; everything below has been answered. */
static u64 ack_below(struct tkd_client *client)
{
    for (u32 i = 0; i < client->count; i++) {
        struct request *request = request_at(client, i);
        if (request->session && !request->overtaken) return request_frame(request)->seq;
    }
    return client->next_seq;
}

static bool belongs_to_session(const struct tkd_client *client, u16 op)
{
    bool command = tkd_op_info(op)->class == TKD_CLASS_command;
    return client->session.session != 0 && command && op != TKD_OP_REGISTER && op != TKD_OP_UNREGISTER;
}

/* Waits until the socket has taken enough. */
static int drain(struct tkd_client *client)
{
    while (client->unsent_bytes > UNSENT_BYTES_MAX && !client->received_eof) {
        int arrived = socket_wait(client, -1);
        if (arrived < 0) return arrived;
    }
    return 0;
}

int tkd_send(struct tkd_client *client)
{
    if (!client->building) return client_fail(client, TKD_E_USAGE, "no frame was begun");
    struct request *request = request_at(client, client->count);
    struct tkd_frame *frame = request_frame(request);
    bool session = belongs_to_session(client, frame->op);
    if (frame->count == 0) return client_fail(client, TKD_E_USAGE, "the frame has no record");
    if (client->fd < 0) return client_fail(client, TKD_E_CONNECT, "not connected to %s", client->address);
    if (session && client->count_session >= client->session.window) {
        return client_fail(client, TKD_E_USAGE, "%u commands are unanswered, as many as the session's window",
                           client->count_session);
    }
    frame->size = request->size;
    frame->session = session ? client->session.session : 0;
    frame->ack_below = session ? ack_below(client) : 0;
    frame->seq = session ? client->next_seq++ : client->next_pairing++;
    frame_seal(frame);
    request->session = session;
    request->overtaken = false;
    request->local = false;
    client->building = false;
    client->count++;
    client->count_session += session;
    client->unsent_bytes += request->size;
    if (client->unsent_bytes >= UNSENT_BYTES_FLUSH) {
        int error = socket_send(client);
        if (error) return error;
    }
    return drain(client);
}

u32 tkd_in_flight(const struct tkd_client *client) { return client->count; }

/* ---- Answers ---- */

i32 request_find(struct tkd_client *client, u16 op, u64 seq)
{
    for (u32 i = 0; i < client->sent; i++) {
        struct request *request = request_at(client, i);
        const struct tkd_frame *frame = request_frame(request);
        if (!request->local && frame->op == op && frame->seq == seq) return (i32)i;
    }
    return -1;
}

/* Did a command answered with this status leave the session's sequence where it was? */
static bool not_consumed(u32 status)
{
    if (status == TKD_SEQUENCE_REUSED || status == TKD_SEQUENCE_FORGOTTEN) return false;
    u32 class = tkd_status_info(status)->class;
    return class == TKD_STATUS_retry || class == TKD_STATUS_protocol;
}

void request_answered(struct tkd_client *client, u32 index, u32 status)
{
    struct request answered = *request_at(client, index);
    if (answered.session && !answered.overtaken && not_consumed(status)) {
        client->next_seq = request_frame(&answered)->seq;
        for (u32 i = index + 1; i < client->count; i++) {
            struct request *later = request_at(client, i);
            later->overtaken = later->overtaken || later->session;
        }
    }
    /* Almost always the oldest; a checkpoint may be answered later than what was asked behind it. */
    for (u32 i = index; i > 0; i--) *request_at(client, i) = *request_at(client, i - 1);
    *request_at(client, 0) = answered;
    client->first = (client->first + 1) % REQUESTS_MAX;
    client->count--;
    client->count_session -= answered.session;
    client->sent--;
}

u32 requests_rewind(struct tkd_client *client)
{
    u32 kept = 0, dropped = 0;
    client->unsent_bytes = 0;
    for (u32 i = 0; i < client->count; i++) {
        struct request *request = request_at(client, i);
        if (!request->session) {
            dropped++;
            continue;
        }
        request->local = request->overtaken;
        if (!request->local) client->unsent_bytes += request->size;
        struct request swapped = *request_at(client, kept);
        *request_at(client, kept++) = *request;
        *request = swapped;
    }
    /* The one being built moves up behind those kept. */
    if (client->building && dropped > 0) {
        struct request swapped = *request_at(client, kept);
        *request_at(client, kept) = *request_at(client, client->count);
        *request_at(client, client->count) = swapped;
    }
    client->count = kept;
    client->sent = 0;
    client->sent_bytes = 0;
    return dropped;
}

void requests_free(struct tkd_client *client)
{
    for (u32 i = 0; i < REQUESTS_MAX; i++) free(client->requests[i].bytes);
}
