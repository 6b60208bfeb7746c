/* HELLO, sessions, and coming back after a lost connection. */
#include <string.h>

#include "answer.h"
#include "core/frame.h"
#include "internal.h"

#define EXCHANGE_BYTES_MAX 1024u

static int refused(struct tkd_client *client, const char *op, u32 status)
{
    const struct tkd_status_info *info = tkd_status_info(status);
    return client_fail(client, TKD_E_REFUSED, "%s refused the %s: %s: %s", client->address, op, info->name,
                       info->doc);
}

int session_exchange(struct tkd_client *client, u16 op, u32 record, const void *head,
                     const struct tkd_text *texts, struct tkd_answer *answer)
{
    _Alignas(8) u8 bytes[EXCHANGE_BYTES_MAX];
    struct tkd_frame *frame = (struct tkd_frame *)bytes;
    const struct tkd_op_info *info = tkd_op_info(op);
    const struct tkd_field *too_long = NULL;
    u32 size = record_write(bytes + TKD_FRAME_BYTES, sizeof(bytes) - TKD_FRAME_BYTES, record, head, texts,
                            &too_long);
    if (size == 0 || size == UINT32_MAX)
        return client_fail(client, TKD_E_USAGE, "a text of %s is too long", info->name);
    *frame = (struct tkd_frame){.magic = TKD_MAGIC,
                                .version = TKD_PROTOCOL_VERSION,
                                .op = op,
                                .size = TKD_FRAME_BYTES + size,
                                .count = 1,
                                .seq = client->next_pairing++};
    frame_seal(frame);
    int error = socket_send_all(client, bytes, frame->size);
    const struct tkd_frame *found = NULL;
    while (!error && !found) {
        error = socket_frame(client, &found);
        if (error || found) break;
        int arrived = socket_wait(client, EXCHANGE_TIMEOUT_MS);
        if (arrived < 0) return arrived;
        if (arrived == 0) {
            socket_close(client);
            return client_fail(client, TKD_E_CONNECT, "%s does not answer: is it a ticketd?",
                               client->address);
        }
    }
    if (error) return error;
    answer_read(found, answer);
    const struct tkd_status_info *status = tkd_status_info(answer->status);
    if (status->class != TKD_STATUS_ok) return refused(client, info->name, answer->status);
    if (answer->op != op || answer->seq != frame->seq || answer->count != 1) {
        socket_close(client);
        return client_fail(client, TKD_E_PROTOCOL, "%s answered something else than the %s", client->address,
                           info->name);
    }
    return 0;
}

int session_hello(struct tkd_client *client)
{
    struct tkd_hello hello = {.version_min = TKD_PROTOCOL_VERSION, .version_max = TKD_PROTOCOL_VERSION};
    struct tkd_text name = {client->name, (u32)strlen(client->name)};
    struct tkd_answer answer;
    int error = session_exchange(client, TKD_OP_HELLO, TKD_RECORD_hello, &hello, &name, &answer);
    if (error) {
        socket_close(client);
        /* Too many connections, or stopping: as if it were away. */
        bool later = error == TKD_E_REFUSED && tkd_status_info(answer.status)->class == TKD_STATUS_retry;
        return later ? TKD_E_CONNECT : error;
    }
    tkd_read(TKD_RECORD_hello_reply, answer.rows, &client->hello);
    return 0;
}

static int attach(struct tkd_client *client, u64 session, struct tkd_session *attached)
{
    struct tkd_session_id id = {.session = session};
    struct tkd_answer answer;
    int error = session_exchange(client, TKD_OP_ATTACH, TKD_RECORD_session_id, &id, NULL, &answer);
    if (error) return error;
    tkd_read(TKD_RECORD_session, answer.rows, attached);
    if (attached->session == session && attached->window > 0) return 0;
    return client_fail(client, TKD_E_PROTOCOL, "%s attached another session", client->address);
}

int tkd_session_open(struct tkd_client *client, const char *name, u32 window)
{
    if (client->count > 0 || client->session.session != 0) {
        return client_fail(client, TKD_E_USAGE, "a session is opened once, and with nothing in flight");
    }
    if (client->fd < 0) return client_fail(client, TKD_E_CONNECT, "not connected to %s", client->address);
    struct tkd_register request = {.window = window};
    struct tkd_text text = {name, name ? (u32)strlen(name) : 0};
    struct tkd_answer answer;
    int error = session_exchange(client, TKD_OP_REGISTER, TKD_RECORD_register, &request, &text, &answer);
    if (error) return error;
    struct tkd_result result;
    memcpy(&result, answer.rows, sizeof(result));
    const struct tkd_status_info *info = tkd_status_info(result.status);
    if (!info) return client_fail(client, TKD_E_PROTOCOL, "%s answered an unknown status", client->address);
    if (info->class != TKD_STATUS_ok) return refused(client, "register", result.status);
    struct tkd_session attached;
    error = attach(client, result.id, &attached);
    if (error) return error;
    client->session = attached;
    client->next_seq = attached.next_seq;
    return 0;
}

const struct tkd_session *tkd_session(const struct tkd_client *client) { return &client->session; }

int tkd_session_close(struct tkd_client *client)
{
    if (client->session.session == 0 || client->count > 0) {
        return client_fail(client, TKD_E_USAGE,
                           "a session is closed when it is open and nothing is in flight");
    }
    if (client->fd < 0) return client_fail(client, TKD_E_CONNECT, "not connected to %s", client->address);
    struct tkd_session_id id = {.session = client->session.session};
    struct tkd_answer answer;
    int error = session_exchange(client, TKD_OP_UNREGISTER, TKD_RECORD_session_id, &id, NULL, &answer);
    if (error) return error;
    client->session = (struct tkd_session){0};
    return 0;
}

/* The server's next seq must lie among the commands that we still have, or right behind them. */
static int resume(struct tkd_client *client)
{
    struct tkd_session attached;
    int error = attach(client, client->session.session, &attached);
    if (error) return error;
    u64 oldest = client->next_seq;
    for (u32 i = client->count; i > 0; i--) {
        struct request *request = request_at(client, i - 1);
        if (request->session && !request->overtaken) oldest = request_frame(request)->seq;
    }
    if (attached.next_seq < oldest || attached.next_seq > client->next_seq) {
        return client_fail(
            client, TKD_E_PROTOCOL,
            "session %llu stands at %llu, we are between %llu and %llu: it is used by another program, "
            "or the server lost data",
            (unsigned long long)attached.session, (unsigned long long)attached.next_seq,
            (unsigned long long)oldest, (unsigned long long)client->next_seq);
    }
    client->session = attached;
    return 0;
}

int tkd_reconnect(struct tkd_client *client)
{
    socket_close(client);
    int error = socket_connect(client);
    if (error) return error;
    error = session_hello(client);
    if (!error && client->session.session != 0) error = resume(client);
    if (error) {
        socket_close(client);
        return error;
    }
    u32 dropped = requests_rewind(client);
    client->ready = true;
    if (dropped > 0) {
        return client_fail(client, TKD_E_REFUSED, "reconnected, but %u requests without session were dropped",
                           dropped);
    }
    return 0;
}
