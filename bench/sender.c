#include "bench/sender.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/server.h"

#define RECEIVE_BYTES       (2 * TKD_FRAME_BYTES_MAX)
#define SOCKET_BUFFER_BYTES (4 << 20)
#define EVENTS_A_TURN       256

static void watch(const struct senders *senders, struct sender *sender, int change)
{
    struct epoll_event event = {.events = EPOLLIN | (sender->sending ? EPOLLOUT : 0u), .data.ptr = sender};
    sender->watched = sender->sending;
    if (epoll_ctl(senders->epoll, change, tkd_fd(sender->client), &event) < 0)
        die("epoll: %s", strerror(errno));
}

static void sender_open(struct senders *senders, struct sender *sender, const char *address, const char *name,
                        bool with_session, u32 depth)
{
    *sender = (struct sender){.depth = depth, .index = (u32)(sender - senders->items), .next_seq = 1};
    if (tkd_connect(&sender->client, address, "ticketbench")) die("%s", tkd_error(sender->client));
    if (with_session) {
        if (tkd_session_open(sender->client, name, depth)) die("%s", tkd_error(sender->client));
        const struct tkd_session *session = tkd_session(sender->client);
        sender->depth = min_u32(depth, session->window);
        sender->session = session->session;
        sender->next_seq = session->next_seq;
    }
    sender->answered_seq = sender->next_seq - 1;
    sender->frame = aligned_alloc(64, sizeof(*sender->frame));
    sender->received = aligned_alloc(64, RECEIVE_BYTES);
    if (!sender->frame || !sender->received) die("no memory");
    int bytes = SOCKET_BUFFER_BYTES;
    setsockopt(tkd_fd(sender->client), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    setsockopt(tkd_fd(sender->client), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    watch(senders, sender, EPOLL_CTL_ADD);
}

void senders_open(struct senders *senders, const char *address, const char *name, u32 count, u32 with_session,
                  u32 depth, sender_answered *answered, void *owner)
{
    ASSERT(depth >= 1 && depth <= SENDER_DEPTH_MAX);
    *senders = (struct senders){.items = calloc(count, sizeof(*senders->items)),
                                .count = count,
                                .epoll = epoll_create1(EPOLL_CLOEXEC),
                                .answered = answered,
                                .owner = owner};
    if (!senders->items || senders->epoll < 0) die("no memory");
    for (u32 i = 0; i < count; i++) {
        char full_name[96];
        snprintf(full_name, sizeof(full_name), "%s-%u", name, i);
        sender_open(senders, &senders->items[i], address, full_name, i < with_session, depth);
    }
}

void senders_close(struct senders *senders)
{
    for (u32 i = 0; i < senders->count; i++) {
        struct sender *sender = &senders->items[i];
        tkd_close(sender->client);
        free(sender->frame);
        free(sender->received);
    }
    close(senders->epoll);
    free(senders->items);
}

/* ---- Requests ---- */

void sender_begin(struct sender *sender, u16 op, u64 time_ms)
{
    ASSERT(sender_free(sender));
    sender->frame->header = (struct tkd_frame){.magic = TKD_MAGIC,
                                               .version = TKD_PROTOCOL_VERSION,
                                               .op = op,
                                               .size = TKD_FRAME_BYTES,
                                               .session = sender->session,
                                               .seq = sender->next_seq,
                                               .ack_below = sender->session ? sender->answered_seq + 1 : 0,
                                               .time_ms = time_ms};
}

void *sender_record(struct sender *sender, u32 head_bytes, u32 texts_bytes, u16 kind)
{
    struct tkd_frame *header = &sender->frame->header;
    u32 size = (u32)round_up(head_bytes + texts_bytes, 8);
    if (header->size + size > TKD_FRAME_BYTES_MAX || header->count == TKD_RECORDS_MAX) return NULL;
    struct tkd_prefix *record = (struct tkd_prefix *)(sender->frame->bytes + header->size);
    memset((u8 *)record + size - 8, 0, 8);
    *record = (struct tkd_prefix){.size = size, .head = (u16)head_bytes, .kind = kind};
    header->size += size;
    header->count++;
    return record;
}

static void send_more(struct senders *senders, struct sender *sender)
{
    struct tkd_frame *header = &sender->frame->header;
    while (sender->sending) {
        ssize_t sent = send(tkd_fd(sender->client), sender->frame->bytes + sender->sent_bytes,
                            header->size - sender->sent_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && errno != EAGAIN) die("sending: %s", strerror(errno));
        if (sent < 0) {
            if (!sender->watched) watch(senders, sender, EPOLL_CTL_MOD);
            return;
        }
        sender->sent_bytes += (u32)sent;
        sender->sending = sender->sent_bytes < header->size;
    }
    if (sender->watched) watch(senders, sender, EPOLL_CTL_MOD);
}

void sender_send(struct senders *senders, struct sender *sender, u64 begun_ns)
{
    frame_seal(&sender->frame->header);
    sender->begun_ns[sender_slot(sender)] = begun_ns ? begun_ns : now_ns();
    sender->next_seq++;
    sender->in_flight++;
    sender->sent_bytes = 0;
    sender->sending = true;
    send_more(senders, sender);
}

/* ---- Answers ---- */

static void answer_read(struct senders *senders, struct sender *sender, const struct tkd_frame *answer)
{
    if (answer->status != TKD_OK) die("the server refused a frame: %s", tkd_status_info(answer->status)->doc);
    if (answer->seq != sender->answered_seq + 1 || answer->session != sender->session)
        die("an answer is out of order");
    if (answer->body_checksum != checksum_wire(answer + 1, answer->size - TKD_FRAME_BYTES))
        die("an answer is damaged");
    sender->answered_seq++;
    sender->in_flight--;
    senders->answered(senders->owner, sender, (u32)(answer->seq % SENDER_DEPTH_MAX), answer);
}

/* Answers that are there as a whole. */
static void answers_read(struct senders *senders, struct sender *sender)
{
    u32 at = 0;
    while (sender->received_bytes - at >= TKD_FRAME_BYTES) {
        const struct tkd_frame *answer = (const struct tkd_frame *)(const void *)(sender->received + at);
        enum tkd_status status = frame_header_check(answer, sender->received_bytes - at);
        if (status != TKD_OK) die("what the server sent is no frame: %s", tkd_status_info(status)->doc);
        if (answer->size > sender->received_bytes - at) break;
        answer_read(senders, sender, answer);
        at += answer->size;
    }
    sender->received_bytes -= at;
    memmove(sender->received, sender->received + at, sender->received_bytes);
}

static void receive_more(struct senders *senders, struct sender *sender)
{
    ssize_t bytes = recv(tkd_fd(sender->client), sender->received + sender->received_bytes,
                         RECEIVE_BYTES - sender->received_bytes, MSG_DONTWAIT);
    if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (bytes < 0) die("receiving: %s", strerror(errno));
    if (bytes == 0) die("the server closed the connection");
    sender->received_bytes += (u32)bytes;
    answers_read(senders, sender);
}

void senders_run(struct senders *senders, u64 timeout_us)
{
    struct epoll_event events[EVENTS_A_TURN];
    struct timespec timeout = {.tv_sec = (time_t)(timeout_us / 1000000),
                               .tv_nsec = (long)(timeout_us % 1000000 * 1000)};
    int count = epoll_pwait2(senders->epoll, events, EVENTS_A_TURN, &timeout, NULL);
    if (count < 0 && errno != EINTR) die("epoll: %s", strerror(errno));
    for (int i = 0; i < count; i++) {
        struct sender *sender = events[i].data.ptr;
        if (events[i].events & EPOLLOUT) send_more(senders, sender);
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive_more(senders, sender);
    }
}

bool senders_idle(const struct senders *senders)
{
    for (u32 i = 0; i < senders->count; i++) {
        if (senders->items[i].in_flight > 0) return false;
    }
    return true;
}
