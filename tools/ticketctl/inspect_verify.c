/* The deep part of `ticketctl inspect --verify`: reads every event, and lets the engine's own state machine
 * load the rows and apply the log, as a server does when it starts. */
#include "inspect.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/desk.h"
#include "core/frame.h"
#include "core/state.h"
#include "durable/scan.h"
#include "port/host.h"

#define EVENT_RING_BYTES   (64ull << 20)
#define EVENT_BUFFER_BYTES (4u << 20)

const char *inspect_table_name(u32 table)
{
    static const char *const names[TABLES] = {
        [TABLE_DESK] = "desk",         [TABLE_SKILL] = "skill",       [TABLE_CHANNEL] = "channel",
        [TABLE_TIER] = "tier",         [TABLE_CATEGORY] = "category", [TABLE_QUEUE] = "queue",
        [TABLE_TALLY] = "tally",       [TABLE_AGENT] = "agent",       [TABLE_SEAT] = "seat",
        [TABLE_POLICY] = "policy",     [TABLE_DRAIN] = "drain",       [TABLE_SKILL_SET] = "skill_set",
        [TABLE_TAG] = "tag",           [TABLE_SESSION] = "session",   [TABLE_REPLY] = "reply",
        [TABLE_CUSTOMER] = "customer", [TABLE_IDENTITY] = "identity", [TABLE_TICKET] = "ticket",
        [TABLE_KEY] = "key",           [TABLE_LABEL] = "label",       [TABLE_TASK] = "task",
        [TABLE_STATS] = "stats",
    };
    return table < TABLES && names[table] ? names[table] : "?";
}

/* ---- Events ---- */

/* Every stored event, in order: 1 to the last without a gap, each record whole. */
static bool verify_events(struct inspection *inspection, char what[INSPECT_WHAT_BYTES])
{
    u8 *buffer = malloc(EVENT_BUFFER_BYTES);
    u64 next = 1;
    i32 result = buffer ? 0 : -1;
    while (result == 0 && next <= inspection->event_last) {
        u32 bytes;
        result = store_events_read(inspection->store, next, buffer, EVENT_BUFFER_BYTES, &bytes);
        for (u32 at = 0; result == 0 && at < bytes;) {
            struct tkd_event event;
            memcpy(&event, buffer + at, sizeof(event));
            if (event.seq != next || event.previous >= event.seq) result = -1;
            at += event.size;
            next++;
        }
    }
    free(buffer);
    if (next == inspection->event_last + 1 && result == 0) return true;
    snprintf(what, INSPECT_WHAT_BYTES,
             "event %" PRIu64 " is missing or does not verify; remedy: start from a backup", next);
    return false;
}

/* ---- The desk ---- */

struct rebuild {
    struct state *state;
    struct tkd_result *results;
    char *what;
};

static i32 load_chunk(void *owner, u32 table, u32 chunk, const void *data, u32 bytes)
{
    struct rebuild *rebuild = owner;
    if (state_load_chunk(rebuild->state, table, chunk, data, bytes)) return 0;
    snprintf(rebuild->what, INSPECT_WHAT_BYTES,
             "chunk %u of table %s does not fit into a desk; is there less memory than "
             "the server had?",
             chunk, inspect_table_name(table));
    return -1;
}

static i32 apply_entry(void *owner, const struct wal_entry *entry)
{
    struct rebuild *rebuild = owner;
    const struct tkd_frame *frame = entry->frame;
    bool pulse = frame->op == TKD_OP_PULSE;
    bool sound = frame_header_check(frame, frame->size) == TKD_OK && (pulse || frame_check(frame) == TKD_OK);
    const void *reply;
    u32 reply_bytes;
    if (sound) sound = state_admit(rebuild->state, frame, &reply, &reply_bytes) == TKD_OK;
    if (!sound || entry->time_ms < state_time(rebuild->state) || entry->op != state_op(rebuild->state) + 1) {
        snprintf(rebuild->what, INSPECT_WHAT_BYTES,
                 "op %" PRIu64 " of the log cannot be applied; remedy: start from a "
                 "backup",
                 entry->op);
        return -1;
    }
    struct command command = {.op = entry->op, .time_ms = entry->time_ms, .frame = frame};
    state_apply(rebuild->state, &command, rebuild->results);
    struct event_log *events = state_events(rebuild->state);
    event_stored(events, events->seq_next - 1); /* nothing is served from here: room for the next ones */
    return 0;
}

static bool apply_log(struct inspection *inspection, struct rebuild *rebuild)
{
    char error[INSPECT_WHAT_BYTES];
    struct segments segments = {0};
    struct scan scan = {.store_id = inspection->root.store_id,
                        .machine_version = STATE_MACHINE_VERSION,
                        .after_op = inspection->root.op,
                        .after_checksum = inspection->root.log_checksum,
                        .fn = apply_entry,
                        .owner = rebuild,
                        .segments = &segments};
    inspection->part = "log";
    i32 result = segments_open(&segments, inspection->log_path, false, error, sizeof(error));
    if (result == 0) result = scan_run(&scan, error, sizeof(error));
    segments_close(&segments);
    if (result == 0 && state_events(rebuild->state)->seq_next <= inspection->event_last) {
        snprintf(error, sizeof(error),
                 "the store has event %" PRIu64 ", store and log lead only up to event %" PRIu64
                 ": the end of the log is missing; remedy: put it back, or start from a backup",
                 inspection->event_last, state_events(rebuild->state)->seq_next - 1);
        result = -1;
    }
    if (result == 0) return true;
    if (!*rebuild->what) snprintf(rebuild->what, INSPECT_WHAT_BYTES, "%s", error);
    return false;
}

static bool rebuild_desk(struct inspection *inspection, struct rebuild *rebuild)
{
    const struct store_root *root = &inspection->root;
    char error[INSPECT_WHAT_BYTES];
    i32 result = store_chunks_each(inspection->store, load_chunk, rebuild, error, sizeof(error));
    if (result != 0) return false;
    if (!state_loaded(rebuild->state, root->op, root->time_ms, root->event_seq, error, sizeof(error))) {
        snprintf(rebuild->what, INSPECT_WHAT_BYTES, "%s", error);
        return false;
    }
    return apply_log(inspection, rebuild);
}

static bool verify_desk(struct inspection *inspection, char what[INSPECT_WHAT_BYTES])
{
    struct state_config config = {
        .secret = inspection->root.secret,
        .memory_bytes = host_memory_bytes() / 4 * 3,
        .event_ring_bytes = EVENT_RING_BYTES,
        .virtual_clock = inspection->root.virtual_clock != 0,
    };
    u64 bytes = state_bytes(&config);
    void *memory = host_reserve(bytes, what, INSPECT_WHAT_BYTES);
    if (!memory) return false;
    struct rebuild rebuild = {.state = state_create(&config, memory), .what = what};
    rebuild.results = malloc(TKD_RECORDS_MAX * sizeof(*rebuild.results));
    bool good = rebuild.results && rebuild_desk(inspection, &rebuild);
    if (good) {
        state_validate(rebuild.state);
        inspection->op = state_op(rebuild.state);
        inspection->time_ms = state_time(rebuild.state);
        inspection->events = state_events(rebuild.state)->seq_next - 1;
        inspection->digest = state_digest(rebuild.state, false);
    }
    free(rebuild.results);
    host_release(memory, bytes);
    return good;
}

bool inspect_verify(struct inspection *inspection, char what[INSPECT_WHAT_BYTES])
{
    what[0] = 0;
    inspection->part = "events";
    if (!verify_events(inspection, what)) return false;
    inspection->part = "rows";
    return verify_desk(inspection, what);
}
