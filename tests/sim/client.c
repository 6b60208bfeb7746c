/* The clients: workers with a session each, who must get every request done exactly once; subscribers, who
 * must see every event once; and others, who disturb. */
#include <stdio.h>

#include "base/hash.h"
#include "core/frame.h"
#include "core/limits.h"
#include "durable/wal.h"
#include "port/clock.h"
#include "tests/sim/answers.h"
#include "tests/sim/oracle.h"
#include "tests/sim/page.h"
#include "tests/sim/request.h"
#include "tests/sim/wish.h"
#include "tests/sim/world.h"

#define CLIENTS_MAX    32u
#define WINDOW         8u
#define RECENT         32u
#define RECEIVED_BYTES (1u << 20)
#define LIVELY_PART    8u           /* of a gap one of so many parts */
#define CONTROL_SEQ    (1ull << 62) /* of what belongs to no session */
#define CATALOG_STEPS  48u

enum client_kind {
    CLIENT_WORKER = 1,
    CLIENT_SUBSCRIBER,
    CLIENT_CASUAL,
    CLIENT_DEAF,
    CLIENT_GARBAGE,
    CLIENT_TWIN
};
enum client_phase { PHASE_OFF = 1, PHASE_HELLO, PHASE_REGISTER, PHASE_ATTACH, PHASE_READY };

struct outstanding {
    u64 seq;
    u64 hash;
    u64 time_ms;
    bool changed; /* something else was asked under this seq before, of which copies may still come */
    u32 bytes;
    u8 *frame;
};

struct done {
    u64 seq;
    bool changed;
    u64 results_hash;
    u32 bytes;
    u8 *frame;
};

struct client {
    enum client_kind kind;
    enum client_phase phase;
    u32 number;
    u32 socket; /* 0: none */
    u64 next_ns;
    u64 work_ns; /* when it has something new to ask */
    u64 session;
    u64 next_seq;
    u64 changed_below; /* lower ones were given up, and are for other requests */
    u64 control_seq;
    u32 window;
    struct outstanding outstanding[WINDOW];
    u32 outstanding_count;
    struct done recent[RECENT]; /* acknowledged: may be sent again */
    u32 recent_next;
    u64 casual_hash; /* of the request without a session that is under way; 0: none */
    u64 casual_seq;
    u64 event_next; /* subscriber */
    bool subscribed;
    struct page page;
    struct answers answers;
    u32 catalog_step;
    struct wish wish; /* not answered yet */
    bool halted;      /* must register again */
    bool gives_up;    /* what was refused: it asks for something else */
    u64 hopeless_seq; /* refused, and so would be any copy of it; 0: none */
    bool lost;        /* the desk is older than what it knows */
    bool finished;    /* has sent its last request */
    u8 *sending;      /* not written yet */
    u32 sending_bytes;
    u32 sending_capacity;
    u8 *received;
    u32 received_bytes;
    u64 answered;
};

struct clients {
    struct client items[CLIENTS_MAX];
    u32 count;
    u64 tickets; /* about */
    struct request request;
};
static struct clients *clients;

static void client_add(enum client_kind kind)
{
    struct client *client = &clients->items[clients->count];
    *client = (struct client){.kind = kind,
                              .phase = PHASE_OFF,
                              .number = clients->count,
                              .next_ns = some_ns(100 * MS_NS),
                              .event_next = 1,
                              .next_seq = 1,
                              .window = 1 + (u32)chance_below(WINDOW),
                              .control_seq = CONTROL_SEQ | (u64)clients->count << 40,
                              .received = world_alloc(RECEIVED_BYTES)};
    clients->count++;
}

void clients_create(void)
{
    clients = world_alloc(sizeof *clients);
    wishes_forget();
    for (u32 i = 0; i < world->plan.workers; i++) client_add(CLIENT_WORKER);
    for (u32 i = 0; i < world->plan.subscribers; i++) client_add(CLIENT_SUBSCRIBER);
    for (u32 i = 0; i < world->plan.others; i++) {
        enum client_kind kind = CLIENT_CASUAL + chance_below(4);
        if (world->plan.deaf && chance(3, 4)) kind = CLIENT_DEAF;
        if (kind == CLIENT_DEAF && !world->plan.faults[FAULT_DEAF]) kind = CLIENT_CASUAL;
        if (kind == CLIENT_TWIN && !world->plan.faults[FAULT_RESEND]) kind = CLIENT_CASUAL;
        if (kind == CLIENT_GARBAGE && !world->plan.faults[FAULT_GARBAGE]) kind = CLIENT_CASUAL;
        client_add(kind);
    }
    if (world->plan.workers > 0) clients->items[0].catalog_step = 1;
}

void clients_destroy(void)
{
    for (u32 i = 0; i < clients->count; i++) {
        struct client *client = &clients->items[i];
        for (u32 n = 0; n < WINDOW; n++) world_free(client->outstanding[n].frame);
        for (u32 n = 0; n < RECENT; n++) world_free(client->recent[n].frame);
        answers_destroy(&client->answers);
        world_free(client->sending);
        world_free(client->received);
    }
    world_free(clients);
    clients = NULL;
}

u64 clients_next_ns(void)
{
    u64 next = U64_NONE;
    for (u32 i = 0; i < clients->count; i++) next = min_u64(next, clients->items[i].next_ns);
    return next;
}

static void act_at(struct client *client, u64 at_ns) { client->next_ns = min_u64(client->next_ns, at_ns); }

void clients_wake(u32 socket, u64 at_ns)
{
    for (u32 i = 0; i < clients->count; i++) {
        if (clients->items[i].socket == socket) act_at(&clients->items[i], max_u64(at_ns, world->now_ns + 1));
    }
}

/* ---- Sending ---- */

static void push(struct client *client, const void *data, u32 bytes)
{
    if (client->sending_bytes + bytes > client->sending_capacity) {
        client->sending_capacity = (client->sending_bytes + bytes) * 2;
        client->sending = world_grow(client->sending, client->sending_capacity);
    }
    memcpy(client->sending + client->sending_bytes, data, bytes);
    client->sending_bytes += bytes;
    if (client->kind != CLIENT_GARBAGE) answers_want(&client->answers, data);
}

static void disconnect(struct client *client)
{
    if (client->socket != 0) net_cut(client->socket);
    client->socket = 0;
    client->phase = PHASE_OFF;
    client->subscribed = false;
    client->casual_hash = 0; /* nobody will know */
    client->wish.seq = 0;
    client->sending_bytes = client->received_bytes = client->answers.count = 0;
    client->next_ns = world->now_ns + some_ns(200 * MS_NS);
}

static void flush(struct client *client)
{
    while (client->sending_bytes > 0) {
        u32 some = chance(1, 4) ? 1 + (u32)chance_below(client->sending_bytes) : client->sending_bytes;
        u32 taken = net_write(client->socket, client->sending, some);
        memmove(client->sending, client->sending + taken, client->sending_bytes - taken);
        client->sending_bytes -= taken;
        if (fault(FAULT_CUT, 1, 500)) { /* in the middle of a frame, mostly */
            disconnect(client);
            return;
        }
        if (taken < some || chance(1, 8)) break;
    }
    if (client->sending_bytes > 0) act_at(client, world->now_ns + some_ns(5 * MS_NS));
}

static void push_sealed(struct client *client)
{
    const struct tkd_frame *frame = request_seal(&clients->request);
    push(client, frame, frame->size);
}

static void control(struct client *client, u16 op, const void *head, const char *text)
{
    request_begin(&clients->request, op, ++client->control_seq);
    request_add(&clients->request, head, text);
    push_sealed(client);
}

static void say_hello(struct client *client)
{
    struct tkd_hello hello = {.version_min = 1, .version_max = 1};
    control(client, TKD_OP_HELLO, &hello, NULL);
    client->phase = PHASE_HELLO;
}

/* ---- A worker's session ---- */

static void session_register(struct client *client)
{
    struct tkd_register wish = {.window = client->window};
    char name[16];
    sprintf(name, "worker %u", client->number);
    request_begin(&clients->request, TKD_OP_REGISTER, ++client->control_seq);
    request_add(&clients->request, &wish, name);
    client->casual_seq = client->control_seq;
    client->casual_hash = oracle_sent(request_seal(&clients->request));
    push_sealed(client);
    client->phase = PHASE_REGISTER;
}

static void session_attach(struct client *client)
{
    struct tkd_session_id wish = {.session = client->session};
    control(client, TKD_OP_ATTACH, &wish, NULL);
    client->phase = PHASE_ATTACH;
}

static void outstanding_drop(struct client *client, u32 from)
{
    for (u32 i = from; i < client->outstanding_count; i++) {
        world_free(client->outstanding[i].frame);
        client->outstanding[i].frame = NULL;
    }
    client->outstanding_count = from;
}

/* Its session is older than it knows: it goes on from there. */
static void go_back(struct client *client, u64 next_seq)
{
    client->lost = false;
    outstanding_drop(client, 0);
    client->changed_below = max_u64(client->changed_below, client->next_seq);
    client->next_seq = min_u64(client->next_seq, next_seq);
    for (u32 i = 0; i < RECENT; i++) {
        if (client->recent[i].seq < next_seq) continue;
        world_free(client->recent[i].frame);
        client->recent[i] = (struct done){0};
    }
}

static struct client *twin_of(const struct client *client)
{
    return &clients->items[client->number % world->plan.workers];
}

static bool has_twin(const struct client *client)
{
    for (u32 i = 0; i < clients->count; i++) {
        if (clients->items[i].kind == CLIENT_TWIN && twin_of(&clients->items[i]) == client) return true;
    }
    return false;
}

/* Not answered yet: once more. What the server has not had may be another request now; where a twin says it again, too,
 * it may still be taken, unless that is hopeless. */
static void attached(struct client *client, u64 next_seq)
{
    u32 known = 0;
    if (client->lost) go_back(client, next_seq);
    while (known < client->outstanding_count && client->outstanding[known].seq < next_seq) known++;
    if (next_seq > client->next_seq)
        violation("session %llx is ahead of its client", (unsigned long long)client->session);
    if (next_seq < (client->outstanding_count > 0 ? client->outstanding[0].seq : client->next_seq))
        violation("session %llx has lost what was acknowledged", (unsigned long long)client->session);
    bool hopeless = known < client->outstanding_count && client->outstanding[known].seq == client->hopeless_seq;
    if ((client->gives_up || chance(1, 2)) && (hopeless || !has_twin(client) || (world->healed && client->gives_up))) {
        client->gives_up = false;
        client->hopeless_seq = 0;
        outstanding_drop(client, known);
        client->changed_below = max_u64(client->changed_below, client->next_seq);
        client->next_seq = next_seq;
    }
    for (u32 i = 0; i < client->outstanding_count; i++)
        push(client, client->outstanding[i].frame, client->outstanding[i].bytes);
    client->phase = PHASE_READY;
}

static void request_records(struct client *client, u16 op)
{
    u32 records = chance(2, 3) ? 1 : 1 + (u32)chance_below(6);
    if (world->plan.text_bytes < 200 && chance(1, 20)) records = 1 + (u32)chance_below(40);
    records = min_u32(records, tkd_op_info(op)->records_max);
    if (op == TKD_OP_CATALOG_APPLY && client->catalog_step > 0 && client->catalog_step <= CATALOG_STEPS) {
        request_add_catalog(&clients->request, client->catalog_step++ - 1);
        return;
    }
    for (u32 i = 0; i < records; i++) {
        u32 text_bytes = world->plan.text_bytes / records;
        request_add_random(&clients->request, clients->tickets, max_u32(text_bytes, 4));
    }
}

static void work_new(struct client *client)
{
    u16 op = request_random_command();
    if (client->catalog_step > 0 && client->catalog_step <= CATALOG_STEPS) op = TKD_OP_CATALOG_APPLY;
    request_begin(&clients->request, op, client->next_seq);
    struct tkd_frame *frame = request_frame(&clients->request);
    frame->session = client->session;
    frame->ack_below = client->outstanding_count > 0 ? client->outstanding[0].seq : client->next_seq;
    if (chance(1, 5) && !has_twin(client)) frame->ack_below = 0; /* it might never fit the window */
    if (chance(1, 20)) frame->flags = TKD_FLAG_STOP;
    frame->time_ms = request_time();
    request_records(client, op);
    const struct tkd_frame *sealed = request_seal(&clients->request);
    struct outstanding *next = &client->outstanding[client->outstanding_count++];
    *next =
        (struct outstanding){.seq = client->next_seq++, .time_ms = sealed->time_ms, .bytes = sealed->size};
    next->changed = next->seq < client->changed_below;
    next->hash = oracle_sent(sealed);
    next->frame = world_alloc(sealed->size);
    memcpy(next->frame, sealed, sealed->size);
    push(client, sealed, sealed->size);
    if (fault(FAULT_RESEND, 1, 10)) push(client, sealed, sealed->size);
}

static void work_again(struct client *client)
{
    const struct done *done = &client->recent[chance_below(RECENT)];
    if (done->frame != NULL) push(client, done->frame, done->bytes);
}

static void query(struct client *client)
{
    u16 op = request_random_query();
    if (world->plan.deaf && client->kind == CLIENT_DEAF) {
        control(client, TKD_OP_EVENTS, &(struct tkd_events_from){.from = 1 + chance_below(200)}, NULL);
        return;
    }
    request_begin(&clients->request, op, ++client->control_seq);
    if (tkd_op_info(op)->request == TKD_RECORD_empty)
        request_add(&clients->request, &(struct tkd_empty){0}, NULL);
    else
        request_add_random(&clients->request, clients->tickets, 20);
    if (op == TKD_OP_EVENTS) page_asked(&client->page, request_frame(&clients->request));
    push_sealed(client);
}

static void checkpoint(struct client *client)
{
    char name[WISH_NAME_BYTES];
    if (client->wish.seq != 0) return;
    if (wish_draw(&client->wish, client->control_seq + 1, name))
        control(client, TKD_OP_BACKUP, &(struct tkd_backup){0}, name);
    else
        control(client, TKD_OP_CHECKPOINT, &(struct tkd_empty){0}, NULL);
}

/* Under the virtual clock deadlines come with the commands behind them. */
static void work_last(struct client *client)
{
    if (!world->plan.virtual_clock || client->finished || client->outstanding_count > 0) return;
    client->finished = true;
    work_new(client);
}

/* When requests may be begun next: where there are gaps, at the beginning of each. */
static u64 lively_ns(void)
{
    u64 gap_ns = world->plan.gap_ns, into_ns = gap_ns == 0 ? 0 : world->now_ns % gap_ns;
    return into_ns <= gap_ns / LIVELY_PART ? world->now_ns : world->now_ns - into_ns + gap_ns;
}

static void work(struct client *client)
{
    if (world->healed) {
        work_last(client);
        return;
    }
    client->work_ns = max_u64(client->work_ns, lively_ns());
    if (world->now_ns < client->work_ns) {
        act_at(client, client->work_ns);
        return;
    }
    client->work_ns = world->now_ns + some_ns(world->plan.think_ns);
    act_at(client, client->work_ns);
    if (chance(1, 20)) query(client);
    if (chance(1, world->plan.checkpoint_requests)) checkpoint(client);
    if (fault(FAULT_RESEND, 1, 40)) work_again(client);
    while (client->outstanding_count < client->window) {
        work_new(client);
        if (chance(2, 3)) break;
    }
}

/* ---- Answers to a worker ---- */

static void acknowledged(struct client *client, u32 at, const struct tkd_frame *frame)
{
    struct outstanding taken = client->outstanding[at];
    const struct tkd_result *results = (const struct tkd_result *)(const void *)(frame + 1);
    u32 bytes = frame->size - TKD_FRAME_BYTES;
    for (u32 i = 0; i < frame->count; i++) {
        if (frame->op == TKD_OP_TICKET_CREATE && results[i].status == TKD_OK)
            clients->tickets = max_u64(clients->tickets, results[i].id);
    }
    oracle_acknowledged(taken.hash, results, bytes);
    for (u32 i = at + 1; i < client->outstanding_count; i++)
        client->outstanding[i - 1] = client->outstanding[i];
    client->outstanding[--client->outstanding_count].frame = NULL;
    struct done *done = &client->recent[client->recent_next++ % RECENT];
    world_free(done->frame);
    *done = (struct done){.seq = taken.seq,
                          .changed = taken.changed,
                          .results_hash = hash64(results, bytes, 2),
                          .bytes = taken.bytes,
                          .frame = taken.frame};
}

/* What was acknowledged, again: the same answer, or why it will never come. A twin may have taken the session
 * over, and asks for something else under the same seq. */
static void answered_again(const struct client *client, const struct done *done, const struct tkd_frame *frame)
{
    const struct tkd_frame *asked = (const struct tkd_frame *)(const void *)done->frame;
    bool other = frame->op != asked->op;
    switch (frame->status) {
    case TKD_OK:
        if (!other && hash64(frame + 1, frame->size - TKD_FRAME_BYTES, 2) == done->results_hash) return;
        break;
    case TKD_FENCED:
        if (has_twin(client)) return;
        break;
    case TKD_SEQUENCE_REUSED:
        if (!other && !done->changed) break;
        oracle_refused(frame->session, frame->seq, frame->status);
        return;
    case TKD_SESSION_EXPIRED:
    case TKD_SEQUENCE_FORGOTTEN:
        oracle_refused(frame->session, frame->seq, frame->status);
        return;
    }
    violation("seq %llu was answered differently the second time: %s", (unsigned long long)frame->seq,
              tkd_status_info(frame->status)->name);
}

static void answered_known(const struct client *client, const struct tkd_frame *frame)
{
    if (client->lost) return; /* what it knows may be gone */
    for (u32 i = 0; i < RECENT; i++) {
        const struct done *done = &client->recent[i];
        if (done->frame != NULL && done->seq == frame->seq) answered_again(client, done, frame);
    }
}

static void session_lost(struct client *client)
{
    client->session = client->hopeless_seq = client->changed_below = 0;
    outstanding_drop(client, 0);
    for (u32 i = 0; i < RECENT; i++) {
        world_free(client->recent[i].frame);
        client->recent[i] = (struct done){0};
    }
}

static bool stops(const struct outstanding *outstanding)
{
    return ((const struct tkd_frame *)(const void *)outstanding->frame)->flags & TKD_FLAG_STOP;
}

static bool to_retry(const struct client *client, u32 status)
{
    if (status == TKD_FENCED) return has_twin(client);
    if (status == TKD_HALTED) return false;
    return tkd_status_info(status)->class == TKD_STATUS_retry || status == TKD_SEQUENCE_GAP;
}

static void answer_command(struct client *client, const struct tkd_frame *frame)
{
    u32 at = 0;
    while (at < client->outstanding_count && client->outstanding[at].seq != frame->seq) at++;
    if (frame->session != client->session) return;
    if (at == client->outstanding_count) {
        answered_known(client, frame);
        return;
    }
    if (frame->status == TKD_OK) {
        acknowledged(client, at, frame);
    } else if (frame->status == TKD_SESSION_EXPIRED) {
        oracle_refused(frame->session, frame->seq, frame->status);
        session_lost(client);
        disconnect(client);
    } else if (frame->status == TKD_HALTED && stops(&client->outstanding[at])) {
        client->halted = true;
        disconnect(client);
    } else if (frame->status == TKD_BAD_TIME && client->outstanding[at].time_ms != 0) {
        client->gives_up = true;
        client->hopeless_seq = frame->seq;
        disconnect(client);
    } else if (to_retry(client, frame->status) || frame->status == TKD_DESK_FULL) {
        if (frame->status == TKD_DESK_FULL && frame->op != TKD_OP_TICKET_CREATE &&
            frame->op != TKD_OP_TICKET_UPDATE)
            violation("seq %llu: a full desk refuses what needs no room", (unsigned long long)frame->seq);
        if (frame->status == TKD_STOPPING && !has_twin(client) && oracle_applied(client->outstanding[at].hash))
            violation("seq %llu was done, but refused", (unsigned long long)frame->seq);
        client->gives_up = frame->status == TKD_DESK_FULL;
        say("client %u: %llu %s", client->number, (unsigned long long)frame->seq, tkd_status_info(frame->status)->name);
        disconnect(client);
    } else {
        violation("seq %llu was refused: %s", (unsigned long long)frame->seq, tkd_status_info(frame->status)->name);
    }
}

static void answer_session(struct client *client, const struct tkd_frame *frame)
{
    const struct tkd_result *result = (const struct tkd_result *)(const void *)(frame + 1);
    u64 hash = client->casual_hash;
    if (frame->seq != client->casual_seq || hash == 0) return;
    client->casual_hash = 0;
    if (frame->status != TKD_OK) {
        oracle_not_taken(hash);
        disconnect(client);
        return;
    }
    oracle_acknowledged(hash, result, frame->size - TKD_FRAME_BYTES);
    if (client->session != result->id) {
        session_lost(client);
        client->next_seq = client->lost ? U64_NONE : 1; /* the loss may have taken its end as well */
    }
    client->session = result->id;
    client->halted = false;
    session_attach(client);
}

static void attach_refused(const struct client *client, const struct tkd_frame *frame)
{
    say("client %u: attach: %s", client->number, tkd_status_info(frame->status)->name);
    if (frame->status == TKD_SESSION_EXPIRED)
        oracle_refused(client->session, 1, frame->status);
    else
        violation("attaching to session %llx was refused: %s", (unsigned long long)client->session,
                  tkd_status_info(frame->status)->name);
}

static void answer_attach(struct client *client, const struct tkd_frame *frame)
{
    if (frame->status != TKD_OK) {
        attach_refused(client, frame);
        if (frame->status == TKD_SESSION_EXPIRED) session_lost(client);
        disconnect(client);
        return;
    }
    struct tkd_session session;
    memcpy(&session, frame + 1, sizeof session);
    attached(client, session.next_seq);
    act_at(client, world->now_ns + 1);
}

static void answer_worker(struct client *client, const struct tkd_frame *frame)
{
    switch (frame->op) {
    case TKD_OP_HELLO:
        if (frame->status != TKD_OK)
            disconnect(client);
        else if (client->session == 0 || client->halted || client->lost || chance(1, 10))
            session_register(client);
        else
            session_attach(client);
        return;
    case TKD_OP_REGISTER:
        if (frame->session == 0)
            answer_session(client, frame);
        else
            answer_command(client, frame);
        return;
    case TKD_OP_ATTACH:
        answer_attach(client, frame);
        return;
    case TKD_OP_CHECKPOINT:
    case TKD_OP_BACKUP:
        wish_answered(&client->wish, frame);
        return;
    default:
        if (tkd_op_info(frame->op)->class == TKD_CLASS_command) answer_command(client, frame);
    }
}

/* ---- Subscribers ---- */

static void subscriber_events(struct client *client, const struct tkd_frame *frame)
{
    const struct tkd_prefix *record = frame_first(frame);
    for (u32 i = 0; i < frame->count; i++, record = record_next(record)) {
        const struct tkd_event *event = (const struct tkd_event *)(const void *)record;
        if (event->seq != client->event_next)
            violation("event %llu was shown after %llu", (unsigned long long)event->seq,
                      (unsigned long long)client->event_next - 1);
        oracle_seen(event);
        client->event_next++;
    }
}

/* From where it was, or from an older place: what was shown before is shown again, the same. */
static void subscribe(struct client *client)
{
    if (chance(1, 4)) client->event_next -= chance_below(min_u64(client->event_next, 200));
    struct tkd_events_from wish = {.from = client->event_next};
    control(client, TKD_OP_SUBSCRIBE, &wish, NULL);
}

static void answer_subscriber(struct client *client, const struct tkd_frame *frame)
{
    if (frame->op == TKD_OP_HELLO && frame->status == TKD_OK) {
        subscribe(client);
    } else if (frame->op == TKD_OP_SUBSCRIBE && frame->status == TKD_OK) {
        client->subscribed = true;
        client->phase = PHASE_READY;
        if (frame->ack_below != client->event_next && frame->seq == client->control_seq)
            violation("a subscription begins elsewhere");
    } else if (frame->flags & TKD_FLAG_PUSH) {
        if (frame->seq == client->control_seq) subscriber_events(client, frame);
        if (chance(1, 30) && !world->healed) subscribe(client); /* in the middle of the stream */
    } else {
        if (frame->op == TKD_OP_SUBSCRIBE && frame->status == TKD_BAD_VALUE)
            violation("events up to %llu were shown and are gone",
                      (unsigned long long)client->event_next - 1);
        disconnect(client);
    }
}

/* ---- Twins: a second connection of a worker's session, which says again what the worker has said ---- */

static void twin(struct client *client)
{
    const struct client *worker = twin_of(client);
    if (worker->session == 0 || worker->lost) return; /* its number may be another's now */
    if (client->session != worker->session || chance(1, 8)) {
        client->session = worker->session;
        struct tkd_session_id wish = {.session = client->session};
        control(client, TKD_OP_ATTACH, &wish, NULL);
        if (chance(7, 8)) return; /* or it does not wait */
    }
    fault_count(FAULT_RESEND);
    const struct done *done = &worker->recent[chance_below(RECENT)];
    if (chance(1, 6) && done->frame != NULL && world->plan.durability == WAL_SYNC) {
        /* Another request under a seq that was acknowledged: never taken. */
        u16 op = ((const struct tkd_frame *)(const void *)done->frame)->op;
        op = op == TKD_OP_TICKET_UPDATE ? TKD_OP_AGENT_PRESENCE : TKD_OP_TICKET_UPDATE;
        request_begin(&clients->request, op, done->seq);
        request_frame(&clients->request)->session = client->session;
        request_add_random(&clients->request, clients->tickets, 20);
        push_sealed(client);
    } else if (worker->outstanding_count > 0 && chance(1, 2)) {
        push(client, worker->outstanding[0].frame, worker->outstanding[0].bytes);
    } else if (done->frame != NULL) {
        push(client, done->frame, done->bytes);
    }
}

/* What the worker still waits for, or knows already: the same answer. */
static void answer_twin(const struct client *client, const struct tkd_frame *frame)
{
    const struct client *worker = twin_of(client);
    bool newest = frame->seq == client->control_seq; /* or it had asked for another session */
    if (frame->op == TKD_OP_ATTACH && frame->status != TKD_OK && newest) attach_refused(client, frame);
    if (tkd_op_info(frame->op)->class != TKD_CLASS_command || frame->session != worker->session) return;
    for (u32 i = 0; i < worker->outstanding_count && frame->status == TKD_OK; i++) {
        if (worker->outstanding[i].seq == frame->seq)
            oracle_acknowledged(worker->outstanding[i].hash, frame + 1, frame->size - TKD_FRAME_BYTES);
    }
    /* The worker may have got it done since then. */
    bool later = frame->status == TKD_DESK_FULL || frame->status == TKD_HALTED || frame->status == TKD_BAD_TIME;
    if (!later && (frame->status == TKD_OK || !to_retry(worker, frame->status))) answered_known(worker, frame);
}

/* ---- Others ---- */

static void answer_other(struct client *client, const struct tkd_frame *frame)
{
    if (frame->op == TKD_OP_HELLO && frame->status == TKD_OK) client->phase = PHASE_READY;
    if (frame->op == TKD_OP_HELLO && frame->status != TKD_OK) disconnect(client);
    if (client->kind == CLIENT_TWIN) answer_twin(client, frame);
    if (client->casual_hash == 0 || frame->seq != client->casual_seq) return;
    if (frame->status == TKD_OK)
        oracle_acknowledged(client->casual_hash, frame + 1, frame->size - TKD_FRAME_BYTES);
    else oracle_not_taken(client->casual_hash);
    client->casual_hash = 0;
}

static void casual(struct client *client)
{
    if (chance(1, 2) || client->casual_hash != 0) {
        query(client);
        return;
    }
    if (chance(1, 20)) {
        struct tkd_events_from wish = {.from = chance(1, 2) ? chance_below(1000) : U64_NONE};
        control(client, TKD_OP_SUBSCRIBE, &wish, NULL);
        return;
    }
    u16 op = request_random_command();
    if (chance(1, 20)) op = (u16)(TKD_OP_REGISTER + chance_below(2));
    request_begin(&clients->request, op, ++client->control_seq);
    request_frame(&clients->request)->time_ms = request_time();
    request_records(client, op);
    client->casual_seq = client->control_seq;
    client->casual_hash = oracle_sent(request_seal(&clients->request));
    push_sealed(client);
}

static void garbage(struct client *client)
{
    u16 op = chance(1, 2) ? request_random_command() : request_random_query();
    request_begin(&clients->request, op, ++client->control_seq);
    request_records(client, op);
    const struct tkd_frame *frame = request_seal(&clients->request);
    u32 bytes = chance(1, 3) ? (u32)chance_below(frame->size) : frame->size;
    clients->request.bytes[chance_below(frame->size)] ^= (u8)(1u << chance_below(8));
    fault_count(FAULT_GARBAGE);
    push(client, clients->request.bytes, bytes);
    if (bytes < frame->size || chance(1, 4)) {
        flush(client);
        if (client->socket != 0) disconnect(client);
    }
}

/* A large frame before HELLO. */
static void be_rude(struct client *client)
{
    request_begin(&clients->request, TKD_OP_TICKET_CREATE, ++client->control_seq);
    while (request_frame(&clients->request)->size < 6000)
        request_add_random(&clients->request, clients->tickets, 2000);
    push_sealed(client);
}

static void other(struct client *client)
{
    if (world->healed) return;
    if (world->now_ns < client->work_ns) {
        act_at(client, client->work_ns);
        return;
    }
    client->work_ns = world->now_ns + some_ns(world->plan.think_ns * 2);
    act_at(client, client->work_ns);
    if (client->kind == CLIENT_CASUAL) casual(client);
    if (client->kind == CLIENT_GARBAGE) garbage(client);
    if (client->kind == CLIENT_TWIN) twin(client);
    if (client->kind == CLIENT_DEAF && client->sending_bytes < 100000) {
        fault_count(FAULT_DEAF);
        for (u32 i = 0; i < 20; i++) query(client);
    }
}

/* ---- Receiving ---- */

static void answer(struct client *client, const struct tkd_frame *frame)
{
    client->answered++;
    oracle_shown(frame);
    page_answered(&client->page, frame);
    if (client->kind == CLIENT_WORKER) answer_worker(client, frame);
    else if (client->kind == CLIENT_SUBSCRIBER) answer_subscriber(client, frame);
    else answer_other(client, frame);
}

static void read_frames(struct client *client)
{
    u32 at = 0;
    while (client->socket != 0) {
        const struct tkd_frame *frame = (const struct tkd_frame *)(const void *)(client->received + at);
        u32 bytes = client->received_bytes - at;
        enum tkd_status status = frame_header_check(frame, bytes);
        if (status == 0 || (status == TKD_OK && frame->size > bytes)) break;
        if (status != TKD_OK) violation("an answer's header does not verify: %u", status);
        answers_check(client->kind == CLIENT_GARBAGE ? NULL : &client->answers, frame);
        at += frame->size;
        answer(client, frame);
    }
    if (client->socket == 0) return; /* it has given up the connection; what was left is gone */
    memmove(client->received, client->received + at, client->received_bytes - at);
    client->received_bytes -= at;
}

static void receive(struct client *client)
{
    if (client->kind == CLIENT_DEAF && client->phase == PHASE_READY && !world->healed) return;
    while (client->socket != 0) {
        u32 room = RECEIVED_BYTES - client->received_bytes;
        if (chance(1, 4)) room = min_u32(room, 1 + (u32)chance_below(5000));
        i32 got = net_read(client->socket, client->received + client->received_bytes, room);
        if (got < 0) {
            disconnect(client);
            return;
        }
        client->received_bytes += (u32)got;
        if (got == 0) return;
        read_frames(client);
        if (fault(FAULT_CUT, 1, 500) && client->socket != 0) disconnect(client);
    }
}

/* ---- The turn of a client ---- */

static void run(struct client *client)
{
    client->next_ns = U64_NONE;
    if (world->healed && client->kind >= CLIENT_CASUAL) { /* they make room for those who have work to finish */
        if (client->socket != 0) disconnect(client);
        client->next_ns = U64_NONE;
        return;
    }
    if (client->socket == 0) {
        client->socket = net_connect();
        act_at(client, world->now_ns + some_ns(500 * MS_NS));
        if (client->socket == 0) return;
        if (client->kind == CLIENT_GARBAGE && chance(1, 2)) be_rude(client);
        say_hello(client);
    }
    receive(client);
    if (client->socket == 0) return;
    if (client->phase == PHASE_READY) {
        if (client->kind == CLIENT_WORKER)
            work(client);
        else if (client->kind != CLIENT_SUBSCRIBER)
            other(client);
    } else if (client->next_ns == U64_NONE) {
        act_at(client, world->now_ns + 10 * SECOND_NS); /* for the answer that opens it */
    }
    if (client->socket != 0) flush(client);
}

void clients_run(void)
{
    if (world->healed && !net_listening()) {
        /* Between two lives of the server nobody can do anything. */
        for (u32 i = 0; i < clients->count; i++)
            clients->items[i].next_ns = max_u64(clients->items[i].next_ns, world->now_ns + MS_NS);
    }
    for (u32 i = 0; i < clients->count; i++) {
        if (clients->items[i].next_ns <= world->now_ns) run(&clients->items[i]);
    }
}

void clients_heal(void)
{
    for (u32 i = 0; i < clients->count; i++) act_at(&clients->items[i], world->now_ns + 1);
}

void clients_lost(u64 events)
{
    for (u32 i = 0; i < clients->count; i++) {
        struct client *client = &clients->items[i];
        client->lost = true;
        client->event_next = min_u64(client->event_next, events + 1);
    }
}

static bool is_done(const struct client *client, u64 events)
{
    if (client->kind > CLIENT_SUBSCRIBER) return true;
    bool all = client->kind == CLIENT_WORKER ? client->outstanding_count == 0 : client->event_next > events;
    return all && client->answers.count == 0;
}

bool clients_done(void)
{
    for (u32 i = 0; i < clients->count; i++) {
        if (!is_done(&clients->items[i], process_events())) return false;
    }
    return true;
}

void clients_report(void)
{
    static const char *const kinds[] = {"", "worker", "subscriber", "casual", "deaf", "garbage", "twin"};
    for (u32 i = 0; i < clients->count; i++) {
        const struct client *client = &clients->items[i];
        fprintf(stderr, "  %-10s %u phase %u socket %u session %llx outstanding %u answered %llu event %llu\n",
                kinds[client->kind], i, client->phase, client->socket, (unsigned long long)client->session,
                client->outstanding_count, (unsigned long long)client->answered,
                (unsigned long long)client->event_next - 1);
    }
}
