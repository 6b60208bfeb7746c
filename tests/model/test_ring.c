/* The smallest ring of events, and a store that takes them late: what is not stored yet stays as it was raised, and a
 * command that might not find room is not admitted before there is some. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/prng.h"
#include "tests/support/rig.h"

#define STEPS 6000u
#define TEXT_BYTES 20000u
#define TICKETS 40u

/* What an event was like when it was raised. */
struct seen {
    u64 *hashes; /* by seq */
    u64 count;
};

static void see(struct seen *seen, const struct rig *rig)
{
    const struct event_log *log = state_events_read(rig->state);
    for (u64 seq = log->stored_seq + 1; seq < log->seq_next; seq++) {
        const struct tkd_event *event = event_at(log, seq);
        cr_assert_not_null(event, "event %lu has left memory and is not stored", (unsigned long)seq);
        u64 hash = hash64(event, event->size, 0);
        if (seq >= seen->count) {
            seen->count = round_up(seq + 1, 4096);
            seen->hashes = realloc(seen->hashes, seen->count * sizeof(u64));
            memset(seen->hashes + seq, 0, (seen->count - seq) * sizeof(u64));
        }
        cr_assert(seen->hashes[seq] == 0 || seen->hashes[seq] == hash, "event %lu has changed", (unsigned long)seq);
        seen->hashes[seq] = hash;
    }
}

/* A run of events is what one gets who walks from one to the next as long as they lie side by side. */
static void expect_run(const struct rig *rig, struct prng *prng)
{
    const struct event_log *log = state_events_read(rig->state);
    u64 count = log->seq_next - log->seq_first;
    if (count == 0) return;
    u64 first = log->seq_first + prng_below(prng, count), bytes_max = prng_below(prng, 1u << prng_below(prng, 20));
    u64 seq_last = prng_chance(prng, 1, 2) ? U64_NONE : first + prng_below(prng, 50), bytes, last;
    u64 expected = 0, seq = first;
    const u8 *begin = (const u8 *)event_at(log, first);
    for (; seq <= seq_last && seq < log->seq_next; seq++) {
        const struct tkd_event *event = event_at(log, seq);
        if ((const u8 *)event != begin + expected || expected + event->size > bytes_max) break;
        expected += event->size;
    }
    const void *run = event_run(log, first, seq_last, bytes_max, &bytes, &last);
    cr_assert_eq(bytes, expected);
    cr_assert_eq(last, seq - 1);
    cr_assert(run == (expected == 0 ? NULL : begin));
}

static void add_some(struct rig *rig, struct prng *prng)
{
    static char text[TEXT_BYTES + 1];
    u64 bytes = prng_below(prng, prng_chance(prng, 1, 4) ? TEXT_BYTES : 200);
    memset(text, 'x', bytes);
    text[bytes] = 0;
    if (rig_frame(rig)->op == TKD_OP_TICKET_CREATE) {
        struct tkd_ticket_create request = {.channel = 1, .queue = (u16)(1 + prng_below(prng, 3))};
        rig_add(rig, TKD_RECORD_ticket_create, &request, (const char *const[]){"a", NULL, NULL, "s", text, NULL});
        return;
    }
    struct tkd_ticket_update request = {.kind = (u16)(1 + prng_below(prng, TKD_VERB_END - 1)),
                                        .ticket = 1 + prng_below(prng, TICKETS)};
    if (prng_chance(prng, 1, 2)) request.kind = TKD_VERB_NOTE;
    rig_add(rig, TKD_RECORD_ticket_update, &request, (const char *const[]){NULL, NULL, text});
}

static void run(u64 seed)
{
    struct prng prng = prng_seeded(seed);
    struct rig *rig = rig_create_stuck();
    struct seen seen = {0};
    u32 busy = 0;
    rig_small_desk(rig);
    for (u32 agent = 1; agent <= 4; agent++) (void)rig_presence(rig, agent, TKD_PRESENCE_ONLINE);
    for (u32 step = 0; step < STEPS; step++) {
        rig->now_ms += prng_below(&prng, 1000);
        rig_begin(rig, prng_chance(&prng, 1, 8) ? TKD_OP_TICKET_CREATE : TKD_OP_TICKET_UPDATE);
        for (u64 records = 1 + prng_below(&prng, 3); records > 0; records--) add_some(rig, &prng);
        enum tkd_status status = rig_run(rig);
        see(&seen, rig);
        if (status == TKD_BUSY) {
            busy++;
            const struct event_log *log = state_events_read(rig->state);
            cr_assert_gt(log->head - log->tail, log->ring_bytes / 4, "not while the ring is all but empty");
            rig_store(rig);
            status = rig_run(rig);
        }
        cr_assert(status == TKD_OK || status == TKD_DESK_FULL, "status %u", status);
        see(&seen, rig);
        for (u32 i = 0; i < 3; i++) expect_run(rig, &prng);
        if (prng_chance(&prng, 1, 100)) rig_store(rig);
    }
    cr_assert_gt(busy, 10);
    free(seen.hashes);
    rig_destroy(rig);
}

#define SEED(n)                                                                                              \
    Test(ring, seed_##n) { run(n); }
SEED(1) SEED(2) SEED(3)
