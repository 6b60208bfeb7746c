#include "bench/sender.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "bench/server.h"

#define RECEIVE_BYTES (2 * TKD_FRAME_BYTES_MAX)
#define SOCKET_BUFFER_BYTES (4 << 20)
#define SENDERS_MAX 256u

void sender_open(struct sender *sender, const char *address, const char *name, u32 depth)
{
    ASSERT(depth >= 1 && depth <= SENDER_DEPTH_MAX);
    *sender = (struct sender){.depth = depth};
    if (tkd_connect(&sender->client, address, "ticketbench") || tkd_session_open(sender->client, name, depth)) {
        die("%s", tkd_error(sender->client));
    }
    const struct tkd_session *session = tkd_session(sender->client);
    sender->depth = min_u32(depth, session->window);
    sender->session = session->session;
    sender->next_seq = session->next_seq;
    sender->answered_seq = session->next_seq - 1;
    sender->frame = aligned_alloc(64, sizeof(*sender->frame));
    sender->received = aligned_alloc(64, RECEIVE_BYTES);
    if (!sender->frame || !sender->received) die("no memory");
    int bytes = SOCKET_BUFFER_BYTES;
    setsockopt(tkd_fd(sender->client), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    setsockopt(tkd_fd(sender->client), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

void sender_close(struct sender *sender)
{
    tkd_close(sender->client);
    free(sender->frame);
    free(sender->received);
    *sender = (struct sender){.client = NULL};
}

void sender_begin(struct sender *sender, u16 op, u64 time_ms)
{
    ASSERT(sender_free(sender));
    sender->frame->header = (struct tkd_frame){.magic = TKD_MAGIC,
                                               .version = TKD_PROTOCOL_VERSION,
                                               .op = op,
                                               .size = TKD_FRAME_BYTES,
                                               .session = sender->session,
                                               .seq = sender->next_seq,
                                               .ack_below = sender->answered_seq + 1,
                                               .time_ms = time_ms};
}

void *sender_record(struct sender *sender, u32 head_bytes, u32 texts_bytes)
{
    struct tkd_frame *header = &sender->frame->header;
    u32 size = (u32)round_up(head_bytes + texts_bytes, 8);
    if (header->size + size > TKD_FRAME_BYTES_MAX) die("a batch does not fit into a frame: make it smaller");
    struct tkd_prefix *record = (struct tkd_prefix *)(sender->frame->bytes + header->size);
    memset((u8 *)record + size - 8, 0, 8);
    *record = (struct tkd_prefix){.size = size, .head = (u16)head_bytes};
    header->size += size;
    header->count++;
    return record;
}

static void send_more(struct sender *sender)
{
    struct tkd_frame *header = &sender->frame->header;
    while (sender->sending) {
        ssize_t sent = send(tkd_fd(sender->client), sender->frame->bytes + sender->sent_bytes,
                            header->size - sender->sent_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (sent < 0) die("sending: %s", strerror(errno));
        sender->sent_bytes += (u32)sent;
        sender->sending = sender->sent_bytes < header->size;
    }
}

void sender_send(struct sender *sender, u64 begun_ns)
{
    frame_seal(&sender->frame->header);
    sender->begun_ns[sender->next_seq % SENDER_DEPTH_MAX] = begun_ns ? begun_ns : now_ns();
    sender->next_seq++;
    sender->in_flight++;
    sender->sent_bytes = 0;
    sender->sending = true;
    send_more(sender);
}

static void answer_read(struct sender *sender, const struct tkd_frame *answer, struct sender_results *results)
{
    const struct tkd_result *result = (const struct tkd_result *)(answer + 1);
    if (answer->status != TKD_OK) die("the server refused a frame: %s", tkd_status_info(answer->status)->doc);
    if (answer->seq != sender->answered_seq + 1 || answer->session != sender->session) die("an answer is out of order");
    if (answer->size != TKD_FRAME_BYTES + answer->count * sizeof(*result)) die("an answer has a wrong size");
    if (answer->body_checksum != checksum_wire(result, answer->size - TKD_FRAME_BYTES)) die("an answer is damaged");
    for (u32 i = 0; i < answer->count; i++) {
        if (result[i].status == TKD_OK) {
            results->ok++;
            results->last_id = result[i].id;
        } else if (tkd_status_info(result[i].status)->class == TKD_STATUS_ok) {
            results->exists++;
        } else {
            results->refused++;
            results->refusal = result[i].status;
        }
    }
    sender->answered_seq++;
    sender->in_flight--;
    histogram_add(&results->latency_ns, now_ns() - sender->begun_ns[answer->seq % SENDER_DEPTH_MAX]);
}

/* Answers that are there as a whole. */
static void answers_read(struct sender *sender, struct sender_results *results)
{
    u32 at = 0;
    while (sender->received_bytes - at >= TKD_FRAME_BYTES) {
        const struct tkd_frame *answer = (const struct tkd_frame *)(const void *)(sender->received + at);
        enum tkd_status status = frame_header_check(answer, sender->received_bytes - at);
        if (status != TKD_OK) die("what the server sent is no frame: %s", tkd_status_info(status)->doc);
        if (answer->size > sender->received_bytes - at) break;
        answer_read(sender, answer, results);
        at += answer->size;
    }
    sender->received_bytes -= at;
    memmove(sender->received, sender->received + at, sender->received_bytes);
}

static void receive_more(struct sender *sender, struct sender_results *results)
{
    ssize_t bytes = recv(tkd_fd(sender->client), sender->received + sender->received_bytes,
                         RECEIVE_BYTES - sender->received_bytes, MSG_DONTWAIT);
    if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (bytes < 0) die("receiving: %s", strerror(errno));
    if (bytes == 0) die("the server closed the connection");
    sender->received_bytes += (u32)bytes;
    answers_read(sender, results);
}

void senders_run(struct sender *senders, u32 count, struct sender_results *results, u64 timeout_us)
{
    struct pollfd polls[SENDERS_MAX];
    ASSERT(count <= SENDERS_MAX);
    for (u32 i = 0; i < count; i++) {
        polls[i] = (struct pollfd){.fd = tkd_fd(senders[i].client),
                                   .events = (short)(POLLIN | (senders[i].sending ? POLLOUT : 0))};
    }
    struct timespec timeout = {.tv_sec = (time_t)(timeout_us / 1000000),
                               .tv_nsec = (long)(timeout_us % 1000000 * 1000)};
    if (ppoll(polls, count, &timeout, NULL) < 0 && errno != EINTR) die("poll: %s", strerror(errno));
    for (u32 i = 0; i < count; i++) {
        if (polls[i].revents & POLLOUT) send_more(&senders[i]);
        if (polls[i].revents & (POLLIN | POLLHUP | POLLERR)) receive_more(&senders[i], results);
    }
}

bool senders_idle(const struct sender *senders, u32 count)
{
    for (u32 i = 0; i < count; i++) {
        if (senders[i].in_flight > 0) return false;
    }
    return true;
}
