#include "tests/sim/oracle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/hash.h"
#include "core/frame.h"
#include "durable/wal.h"
#include "port/clock.h"
#include "tests/naive/compare.h"
#include "tests/sim/world.h"

#define SYNC_SLACK_NS SECOND_NS  /* what a sync may take, and getting to it */
#define LATE_MS       5000u      /* after a deadline, with nothing in the way */
#define OVERSLEPT_MS  20u        /* of the timer that is to wake the process for it */
#define SENT_MAX      (1u << 21) /* slots of the hash table of frames */
#define SHOWN_MAX     (1u << 16) /* slots of the hash table of answers to queries */

u32 __real_state_apply(struct state *state, const struct command *command, void *results);
u32 __wrap_state_apply(struct state *state, const struct command *command, void *results);
u32 __real_state_query(const struct state *state, u32 op, const void *record, u64 now_ms,
                       const struct event_source *events, void *rows, u32 rows_bytes_max, u32 *count,
                       u64 *cursor, enum tkd_status *status);
u32 __wrap_state_query(const struct state *state, u32 op, const void *record, u64 now_ms,
                       const struct event_source *events, void *rows, u32 rows_bytes_max, u32 *count,
                       u64 *cursor, enum tkd_status *status);

struct entry {
    struct tkd_frame *frame;
    u64 time_ms;
    u64 frame_hash;
    u64 results_hash;    /* as the live process answered */
    u64 digest_shown;    /* of the desk behind this op; 0: nobody asked */
    u64 acknowledged_ns; /* when somebody was told; 0: nobody was */
};

struct sent {
    u64 frame_hash;
    u64 op; /* 0: not applied */
    bool refused;
};

/* Rows that a query gave, and the op that the desk was at when they were first given. None is forgotten as long as the
 * process lives: the same rows given again would seem to be of a later op than those that are still on their way. */
struct shown {
    u64 rows_hash;
    u64 op;
};

/* Somebody was told that a request will never be taken; the desk was at `op`, or a little earlier. */
struct refusal {
    u64 op;
    u64 session;
    u64 seq;
    u32 status;
};

struct oracle {
    struct entry *entries; /* op - 1 */
    u64 count;
    u64 capacity;
    struct sent *sent;
    u32 sent_count;
    struct shown shown[SHOWN_MAX]; /* in this life of the process */
    u32 shown_count;
    u64 told_op;              /* the newest op that anybody was shown something of */
    u64 checkpointed_op;      /* the store has said that it covers it */
    struct refusal *refusals; /* those that the replay has not reached; by op */
    u32 refusals_count;
    u32 refusals_max;
    u64 *event_hashes; /* seq - 1, as the replay raises them */
    u64 event_count;
    u64 event_capacity;
    u64 *seen_hashes; /* seq - 1; 0: nobody has seen it */
    u64 seen_capacity;
    u64 seen_last; /* the newest one */
    struct state_config config;
    bool has_shadow;
    struct state *shadow;
    struct naive *naive; /* runs beside the shadow */
    bool comparing;      /* it is the oracle who asks */
    void *memory;
    u64 memory_bytes;
    struct tkd_result results[TKD_RECORDS_MAX];
};
static struct oracle *oracle;

void oracle_create(const struct state_config *config)
{
    oracle = world_alloc(sizeof *oracle);
    oracle->config = *config;
    oracle->sent = world_alloc(SENT_MAX * sizeof *oracle->sent);
    struct naive_memory memory = {.alloc = world_alloc, .free = world_free};
    oracle->naive = naive_create(memory, config->memory_bytes);
}

void oracle_destroy(void)
{
    for (u64 i = 0; i < oracle->count; i++) world_free(oracle->entries[i].frame);
    world_free(oracle->entries);
    naive_destroy(oracle->naive);
    world_free(oracle->sent);
    world_free(oracle->refusals);
    world_free(oracle->event_hashes);
    world_free(oracle->seen_hashes);
    if (oracle->memory != NULL) munmap(oracle->memory, oracle->memory_bytes);
    world_free(oracle);
    oracle = NULL;
}

u64 oracle_events(void) { return oracle->event_count; }
u64 oracle_commands(void) { return oracle->count; }

/* ---- Frames ---- */

static struct sent *sent_slot(u64 hash)
{
    for (u64 at = hash;; at++) {
        struct sent *sent = &oracle->sent[at % SENT_MAX];
        if (sent->frame_hash == hash || sent->frame_hash == 0) return sent;
    }
}

static u64 frame_hash(const struct tkd_frame *frame) { return hash64(frame, frame->size, 1) | 1; }

u64 oracle_sent(const struct tkd_frame *frame)
{
    u64 hash = frame_hash(frame);
    struct sent *sent = sent_slot(hash);
    if (sent->frame_hash == 0) ASSERT(++oracle->sent_count < SENT_MAX / 2);
    sent->frame_hash = hash;
    return hash;
}

/* Somebody was shown what this op has done: it must never be taken back. */
static void told(u64 op)
{
    if (op > process_durable_op())
        violation("op %llu was shown before it was durable", (unsigned long long)op);
    oracle->told_op = max_u64(oracle->told_op, op);
}

void oracle_not_taken(u64 hash)
{
    struct sent *sent = sent_slot(hash);
    if (sent->op != 0) violation("op %llu: it was done, but refused", (unsigned long long)sent->op);
    sent->refused = true;
}

bool oracle_applied(u64 hash) { return sent_slot(hash)->op != 0; }

void oracle_acknowledged(u64 hash, const void *results, u32 bytes)
{
    const struct sent *sent = sent_slot(hash);
    if (sent->op == 0) violation("a request was acknowledged that is not in the log");
    struct entry *entry = &oracle->entries[sent->op - 1];
    if (hash64(results, bytes, 2) != entry->results_hash)
        violation("op %llu: the answer differs from what was applied", (unsigned long long)sent->op);
    if (entry->acknowledged_ns == 0) entry->acknowledged_ns = world->now_ns;
    told(sent->op);
    world->tally->acknowledged++;
}

/* ---- Commands, as the process under test applies them ---- */

static void live(const struct command *command)
{
    const struct tkd_frame *frame = command->frame;
    u64 hash = frame_hash(frame);
    if (frame->op != TKD_OP_PULSE) {
        struct sent *sent = sent_slot(hash);
        if (sent->frame_hash == 0) violation("op %llu: nobody sent this", (unsigned long long)command->op);
        if (sent->op != 0)
            violation("op %llu was applied before, as op %llu", (unsigned long long)command->op,
                      (unsigned long long)sent->op);
        if (sent->refused) violation("op %llu: it was refused, and done later", (unsigned long long)command->op);
        sent->op = command->op;
    }
    if (oracle->count == oracle->capacity) {
        oracle->capacity = oracle->capacity == 0 ? 1024 : oracle->capacity * 2;
        oracle->entries = world_grow(oracle->entries, oracle->capacity * sizeof *oracle->entries);
    }
    struct entry *entry = &oracle->entries[oracle->count++];
    *entry =
        (struct entry){.frame = world_alloc(frame->size), .time_ms = command->time_ms, .frame_hash = hash};
    memcpy(entry->frame, frame, frame->size);
}

/* What has a deadline happens at it: while nothing is in the way, the server does not let it wait. */
static void punctual(const struct event_log *log, u64 first, u64 stood_ms)
{
    if (world->plan.virtual_clock) return;
    u64 now_ms = clock_wall_ms(), calm_ms = sat_sub(world->now_ns, world->disturbed_ns) / MS_NS;
    u64 slept_ms = sat_sub(world->now_ns, world->slept_ns) / MS_NS;
    u64 awake_ms = sat_sub(world->now_ns, world->woken_ns) / MS_NS;
    for (u64 seq = first; seq < log->seq_next; seq++) {
        const struct tkd_event *event = event_at(log, seq);
        if (event->kind != TKD_EVENT_CARD && event->kind != TKD_EVENT_ARCHIVED) continue;
        u64 late_ms = sat_sub(now_ms, event->time_ms);
        /* The clock may jump over what the process sleeps for. */
        if (late_ms < min_u64(slept_ms, calm_ms) && late_ms > awake_ms + OVERSLEPT_MS &&
            !world->plan.faults[FAULT_CLOCK_JUMP])
            violation("event %llu (%s) was slept through for %llu ms", (unsigned long long)seq,
                      tkd_name(TKD_ENUM_EVENT, event->kind), (unsigned long long)(late_ms - awake_ms));
        if (late_ms > LATE_MS && late_ms < calm_ms)
            violation("event %llu (%s) came %llu ms after its deadline, the desk stood at %llu ms before it",
                      (unsigned long long)seq, tkd_name(TKD_ENUM_EVENT, event->kind),
                      (unsigned long long)late_ms, (unsigned long long)(stood_ms - event->time_ms));
    }
}

static void replayed(const struct command *command)
{
    const struct entry *entry = &oracle->entries[command->op - 1];
    if (entry->time_ms != command->time_ms || entry->frame_hash != frame_hash(command->frame))
        violation("op %llu came back from the log as another command", (unsigned long long)command->op);
}

u32 __wrap_state_apply(struct state *state, const struct command *command, void *results)
{
    if (command->op > oracle->count + 1)
        violation("op %llu is out of order", (unsigned long long)command->op);
    bool known = command->op <= oracle->count;
    if (known)
        replayed(command);
    else
        live(command);
    trace_add(command->op ^ command->time_ms << 20);
    u64 first = state_events(state)->seq_next, stood_ms = state_time(state);
    u32 bytes = __real_state_apply(state, command, results);
    if (!known && command->frame->op == TKD_OP_PULSE) punctual(state_events(state), first, stood_ms);
    u64 hash = bytes == 0 ? 0 : hash64(results, bytes, 2);
    struct entry *entry = &oracle->entries[command->op - 1];
    if (known && hash != entry->results_hash)
        violation("op %llu: the replay answers differently", (unsigned long long)command->op);
    entry->results_hash = hash;
    return bytes;
}

/* ---- Events ---- */

static u64 event_hash(const struct tkd_event *event) { return hash64(event, event->size, event->seq) | 1; }

static u64 *hash_place(u64 **hashes, u64 *capacity, u64 seq)
{
    while (seq > *capacity) {
        u64 larger = *capacity == 0 ? 1024 : *capacity * 2;
        *hashes = world_grow(*hashes, larger * sizeof **hashes);
        memset(*hashes + *capacity, 0, (larger - *capacity) * sizeof **hashes);
        *capacity = larger;
    }
    return &(*hashes)[seq - 1];
}

void oracle_seen(const struct tkd_event *event)
{
    u64 hash = event_hash(event);
    u64 *seen = hash_place(&oracle->seen_hashes, &oracle->seen_capacity, event->seq);
    if (*seen != 0 && *seen != hash)
        violation("event %llu was shown in two shapes", (unsigned long long)event->seq);
    if (event->seq <= oracle->event_count && hash != oracle->event_hashes[event->seq - 1])
        violation("event %llu is not what the replay raises", (unsigned long long)event->seq);
    *seen = hash;
    oracle->seen_last = max_u64(oracle->seen_last, event->seq);
    told(event->cause);
    world->tally->events++;
}

u64 oracle_events_shown(void) { return oracle->seen_last; }

static void event_raised(const struct tkd_event *event)
{
    ASSERT(event->seq == oracle->event_count + 1);
    u64 hash = event_hash(event);
    *hash_place(&oracle->event_hashes, &oracle->event_capacity, event->seq) = hash;
    oracle->event_count = event->seq;
    if (event->seq <= oracle->seen_capacity && oracle->seen_hashes[event->seq - 1] != 0 &&
        oracle->seen_hashes[event->seq - 1] != hash)
        violation("event %llu was shown, but the replay raises another one", (unsigned long long)event->seq);
}

/* ---- Answers to queries ---- */

static u64 figure(const struct tkd_frame *answer, const char *name)
{
    const struct tkd_prefix *record = frame_first(answer);
    for (u32 i = 0; i < answer->count; i++, record = record_next(record)) {
        struct tkd_metric metric;
        record_head(record, &metric, sizeof metric);
        if (metric.name_bytes == strlen(name) && memcmp(record_texts(record), name, metric.name_bytes) == 0)
            return metric.value;
    }
    violation("an answer without its figure %s", name);
}

static struct shown *shown_slot(const void *rows, u32 bytes, u64 *hash)
{
    *hash = hash64(rows, bytes, 3) | 1;
    for (u64 at = *hash;; at++) {
        struct shown *shown = &oracle->shown[at % SHOWN_MAX];
        if (shown->rows_hash == *hash || shown->rows_hash == 0) return shown;
    }
}

u32 __wrap_state_query(const struct state *state, u32 op, const void *record, u64 now_ms,
                       const struct event_source *events, void *rows, u32 rows_bytes_max, u32 *count,
                       u64 *cursor, enum tkd_status *status)
{
    u32 bytes =
        __real_state_query(state, op, record, now_ms, events, rows, rows_bytes_max, count, cursor, status);
    if (*status == TKD_UNREADABLE) unreadable();
    if (oracle->comparing) return bytes;
    u64 hash;
    struct shown *shown = shown_slot(rows, bytes, &hash);
    if (shown->rows_hash == hash || oracle->shown_count == SHOWN_MAX / 2) return bytes;
    *shown = (struct shown){.rows_hash = hash, .op = state_op(state)};
    oracle->shown_count++;
    return bytes;
}

void oracle_shown(const struct tkd_frame *answer)
{
    u64 hash;
    const struct shown *shown = shown_slot(answer + 1, answer->size - TKD_FRAME_BYTES, &hash);
    if (answer->status != TKD_OK || answer->flags & TKD_FLAG_PUSH) return;
    bool rows = tkd_op_info(answer->op)->class == TKD_CLASS_query && answer->op != TKD_OP_EVENTS; /* not of the state */
    if (rows && shown->rows_hash == hash) told(shown->op);
    if (answer->op == TKD_OP_EVENTS) {
        const struct tkd_prefix *record = frame_first(answer);
        for (u32 i = 0; i < answer->count; i++, record = record_next(record))
            oracle_seen((const struct tkd_event *)(const void *)record);
    }
    if (answer->op != TKD_OP_STATUS && answer->op != TKD_OP_DIGEST) return;
    u64 op = figure(answer, "op");
    told(op);
    if (answer->op == TKD_OP_DIGEST && op > 0)
        oracle->entries[op - 1].digest_shown = figure(answer, "digest_full");
}

/* ---- Refusals for ever ---- */

/* What has become of a seq gets only worse. */
static u32 lostness(enum tkd_status status)
{
    return status == TKD_SESSION_EXPIRED      ? 3
           : status == TKD_SEQUENCE_FORGOTTEN ? 2
                                              : status == TKD_SEQUENCE_REUSED;
}

/* The naive desk, which is at the refusal's op, refuses such a request as well. */
static void refusal_check(const struct refusal *refusal)
{
    const struct tkd_frame nothing = {.session = refusal->session,
                                      .seq = refusal->seq}; /* not what was sent */
    const struct tkd_result *kept;
    enum tkd_status status = naive_session_admit(oracle->naive, &nothing, &kept);
    if (lostness(status) < lostness(refusal->status))
        violation("op %llu: seq %llu of session %llx was refused as %s, the naive desk says %s",
                  (unsigned long long)refusal->op, (unsigned long long)refusal->seq,
                  (unsigned long long)refusal->session, tkd_status_info(refusal->status)->name,
                  tkd_status_info(status)->name);
}

void oracle_refused(u64 session, u64 seq, u32 status)
{
    u64 op = process_durable_op();
    ASSERT(lostness(status) > 0);
    told(op);
    if (oracle->refusals_count == oracle->refusals_max) {
        oracle->refusals_max = oracle->refusals_max == 0 ? 64 : oracle->refusals_max * 2;
        oracle->refusals = world_grow(oracle->refusals, oracle->refusals_max * sizeof *oracle->refusals);
    }
    struct refusal *refusal = &oracle->refusals[oracle->refusals_count++];
    *refusal = (struct refusal){.op = op, .session = session, .seq = seq, .status = status};
}

/* Those that the naive desk has reached. */
static void refusals_check(void)
{
    u32 done = 0;
    for (; done < oracle->refusals_count && oracle->refusals[done].op <= oracle->naive->op; done++)
        refusal_check(&oracle->refusals[done]);
    oracle->refusals_count -= done;
    if (oracle->refusals_count > 0)
        memmove(oracle->refusals, oracle->refusals + done, oracle->refusals_count * sizeof *oracle->refusals);
}

/* ---- The replay from scratch ---- */

/* A desk without any history, in `*memory` of oracle->memory_bytes. */
static struct state *state_empty(void **memory)
{
    char error[256];
    *memory = mmap(NULL, oracle->memory_bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ASSERT(*memory != MAP_FAILED);
    struct state *state = state_create(&oracle->config, *memory);
    ASSERT(state_loaded(state, 0, 0, 0, error, sizeof error));
    return state;
}

static void shadow_create(u64 secret)
{
    oracle->config.secret = secret;
    oracle->memory_bytes = state_bytes(&oracle->config);
    oracle->shadow = state_empty(&oracle->memory);
    oracle->has_shadow = true;
}

static void naive_step(const struct command *command, u32 results_bytes)
{
    struct naive_difference difference;
    const struct tkd_result *kept;
    if (naive_admit(oracle->naive, command->frame, &kept) != TKD_OK)
        violation("op %llu: the naive desk would not have taken it", (unsigned long long)command->op);
    naive_apply(oracle->naive, command);
    oracle->comparing = true;
    if (!naive_same_step(oracle->naive, oracle->shadow, oracle->results, results_bytes, &difference))
        violation("op %llu, against the naive desk: %s", (unsigned long long)command->op, difference.text);
    oracle->comparing = false;
    refusals_check();
}

static void shadow_apply(u64 op)
{
    const struct entry *entry = &oracle->entries[op - 1];
    struct state *shadow = oracle->shadow;
    struct event_log *log = state_events(shadow);
    const void *reply;
    u32 reply_bytes;
    enum tkd_status status = state_admit(shadow, entry->frame, &reply, &reply_bytes);
    if (status != TKD_OK)
        violation("op %llu should never have been taken: status %u", (unsigned long long)op, status);
    u64 first = log->seq_next;
    struct command command = {.op = op, .time_ms = entry->time_ms, .frame = entry->frame};
    u32 bytes = __real_state_apply(shadow, &command, oracle->results);
    u64 hash = bytes == 0 ? 0 : hash64(oracle->results, bytes, 2);
    if (hash != entry->results_hash)
        violation("op %llu: another answer from scratch", (unsigned long long)op);
    if (entry->digest_shown != 0 && entry->digest_shown != state_digest(shadow, true))
        violation("op %llu: a client was shown another desk", (unsigned long long)op);
    naive_step(&command, bytes);
    for (u64 seq = first; seq < log->seq_next; seq++) event_raised(event_at(log, seq));
    event_stored(log, log->seq_next - 1);
}

static void forget_after(u64 op)
{
    if (oracle->shown_count > 0) memset(oracle->shown, 0, sizeof oracle->shown);
    oracle->shown_count = 0;
    while (oracle->refusals_count > 0 && oracle->refusals[oracle->refusals_count - 1].op > op)
        oracle->refusals_count--;
    while (oracle->count > op) {
        struct entry *entry = &oracle->entries[--oracle->count];
        if (entry->frame->op != TKD_OP_PULSE) sent_slot(entry->frame_hash)->op = 0;
        world_free(entry->frame);
    }
}

static void events_compare(const struct recovery *recovery)
{
    static u8 buffer[TKD_FRAME_BYTES_MAX];
    const struct event_log *log = state_events_read(recovery->state);
    u64 last;
    if (log->seq_next - 1 != oracle->event_count)
        violation("the recovered desk has another number of events");
    ASSERT(store_event_last(recovery->store, &last) == 0);
    for (u64 seq = 1; seq <= oracle->event_count; seq++) {
        const struct tkd_event *event = event_at(log, seq);
        /* While a page of the store is damaged all that is stored is read, so that no damage is taken for
         * harmless. */
        bool read = event == NULL || (seq <= last && disk_damaged_store());
        i32 result = read ? store_event_read(recovery->store, seq, buffer, sizeof buffer) : 0;
        if (result == -EIO && disk_damaged_store()) {
            say("event %llu cannot be read", (unsigned long long)seq);
            world->tally->unreadable++;
            disk_damage_known();
            continue;
        }
        if (result != 0) violation("event %llu is missing: %d", (unsigned long long)seq, result);
        if (read) event = (const struct tkd_event *)(const void *)buffer;
        if (event_hash(event) != oracle->event_hashes[seq - 1])
            violation("event %llu has changed", (unsigned long long)seq);
    }
}

/* Whatever has left memory is found in the store, as soon as that has the event; the index may be ahead of events of
 * which the disk has lost the last ones. Of those in memory some are looked for. */
static void archive_compare(const struct recovery *recovery)
{
    const struct naive *naive = oracle->naive;
    u64 last, seq;
    ASSERT(store_event_last(recovery->store, &last) == 0);
    for (u64 id = 1; id <= naive->tickets.count; id++) {
        u64 archived = ((const struct naive_ticket **)naive->tickets.at)[id - 1]->archived_event;
        if (archived == 0 && id % 8 != last % 8) continue;
        i32 result = store_archived_read(recovery->store, id, &seq);
        bool right = result == 0 ? archived != 0 && seq == archived : result == 1 && (archived == 0 || archived > last);
        if (result < 0 && disk_damaged_store()) {
            say("whether ticket %llu is archived cannot be read", (unsigned long long)id);
            world->tally->unreadable++;
            disk_damage_known();
        } else if (!right) {
            violation("ticket %llu, archived by event %llu of %llu in the store, is there %d",
                      (unsigned long long)id, (unsigned long long)archived, (unsigned long long)last, result);
        }
    }
}

/* Power or disk has taken what was acknowledged and not synced: never more than the mode allows. */
static void lost_after(u64 op)
{
    bool timely = world->plan.durability == WAL_INTERVAL && !world->plan.faults[FAULT_DISK_SLOW] &&
                  !world->plan.faults[FAULT_DISK_STUCK];
    u64 late_ns = world->plan.interval_ms * MS_NS + SYNC_SLACK_NS;
    for (u64 at = op; timely && at < oracle->count; at++) {
        u64 told_ns = oracle->entries[at].acknowledged_ns;
        if (told_ns != 0 && told_ns + late_ns < world->lost_ns)
            violation("op %llu is gone, %llu ms after it was acknowledged", (unsigned long long)at + 1,
                      (unsigned long long)((world->lost_ns - told_ns) / MS_NS));
    }
    fault_count(FAULT_LOST);
    oracle->told_op = op;
}

/* After a loss other events will have the numbers of those that are gone. */
static void seen_forget(void)
{
    for (u64 seq = oracle->event_count + 1; seq <= oracle->seen_capacity; seq++)
        oracle->seen_hashes[seq - 1] = 0;
    oracle->seen_last = min_u64(oracle->seen_last, oracle->event_count);
    clients_lost(oracle->event_count);
}

void oracle_checkpointed(u64 op) { oracle->checkpointed_op = max_u64(oracle->checkpointed_op, op); }

void oracle_recovered(const struct recovery *recovery)
{
    u64 op = state_op(recovery->state);
    /* The write of the first root was lost: the store was made once more, and nothing had happened yet. */
    bool anew = oracle->has_shadow && state_op(oracle->shadow) == 0 && oracle->config.secret != recovery->root.secret;
    if (anew) munmap(oracle->memory, oracle->memory_bytes);
    if (anew || !oracle->has_shadow) shadow_create(recovery->root.secret);
    /* Damage may make the older one of two roots count, and the log still have the rest. */
    if (recovery->root.op < oracle->checkpointed_op && !disk_damaged_store())
        violation("op %llu was checkpointed, but the store begins with op %llu",
                  (unsigned long long)oracle->checkpointed_op, (unsigned long long)recovery->root.op);
    oracle->checkpointed_op = min_u64(oracle->checkpointed_op, recovery->root.op); /* it stays lost */
    if (op > oracle->count) violation("the desk recovered commands that never were");
    if (op < world->synced_op)
        violation("op %llu was synced, but only %llu are left", (unsigned long long)world->synced_op,
                  (unsigned long long)op);
    bool lost = op < oracle->told_op && world->may_lose;
    if (lost) lost_after(op);
    if (op < oracle->told_op)
        violation("op %llu was told of, but only %llu are left", (unsigned long long)oracle->told_op,
                  (unsigned long long)op);
    if (op < state_op(oracle->shadow)) violation("op %llu was durable once", (unsigned long long)op + 1);
    forget_after(op);
    refusals_check(); /* since the last command, when there is none */
    while (state_op(oracle->shadow) < op) shadow_apply(state_op(oracle->shadow) + 1);
    if (state_digest(recovery->state, true) != state_digest(oracle->shadow, true))
        violation("the recovered desk at op %llu is not the one that a replay from scratch gives",
                  (unsigned long long)op);
    world->tally->digests++;
    struct naive_difference difference;
    oracle->comparing = true;
    if (!naive_same_desk(oracle->naive, recovery->state, &difference))
        violation("op %llu, recovered, against the naive desk: %s", (unsigned long long)op, difference.text);
    if (op % 4 == 0 && !naive_same_desk(oracle->naive, oracle->shadow, &difference)) /* its counters' sums lag behind */
        violation("op %llu, never stopped, against the naive desk: %s", (unsigned long long)op, difference.text);
    oracle->comparing = false;
    state_validate(recovery->state);
    state_validate(oracle->shadow);
    if (!timers_equal(recovery->state, oracle->shadow))
        violation("the recovered desk has other deadlines than the one that never stopped");
    world->judging = true;
    events_compare(recovery);
    archive_compare(recovery);
    world->judging = false;
    if (lost) seen_forget();
    world->may_lose = false;
}

/* Under the virtual clock the last command says how far the time is. */
void oracle_deadlines(u64 wall_ms)
{
    u64 due_ms = naive_due(oracle->naive);
    u64 until_ms = world->plan.virtual_clock ? oracle->naive->time_ms : wall_ms - LATE_MS;
    if (due_ms <= until_ms)
        violation("what was due at %llu was not done at %llu", (unsigned long long)due_ms,
                  (unsigned long long)until_ms);
}

/* ---- Backups ---- */

u64 oracle_told_op(void) { return oracle->told_op; }

void oracle_backup(const struct state *backup, u64 op_min)
{
    static struct tkd_result results[TKD_RECORDS_MAX];
    void *memory;
    u64 op = state_op(backup);
    if (op < op_min)
        violation("a backup ends at op %llu, but op %llu had been told of before it began",
                  (unsigned long long)op, (unsigned long long)op_min);
    if (op > oracle->count) violation("a backup has commands that never were");
    struct state *state = state_empty(&memory);
    for (u64 at = 1; at <= op; at++) {
        const struct entry *entry = &oracle->entries[at - 1];
        struct command command = {.op = at, .time_ms = entry->time_ms, .frame = entry->frame};
        const void *reply;
        u32 reply_bytes;
        ASSERT(state_admit(state, entry->frame, &reply, &reply_bytes) == TKD_OK);
        (void)__real_state_apply(state, &command, results);
        event_stored(state_events(state), state_events(state)->seq_next - 1);
    }
    if (state_digest(state, true) != state_digest(backup, true))
        violation("a backup at op %llu is not the desk that a replay from scratch gives",
                  (unsigned long long)op);
    munmap(memory, oracle->memory_bytes);
}
