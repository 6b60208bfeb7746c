#include "edge/figures.h"

struct rows {
    u8 *data;
    u32 bytes;
    u32 bytes_max;
    u32 count;
};

static void add(struct rows *rows, const char *name, u64 value, const char *text)
{
    u32 name_bytes = (u32)strlen(name);
    u32 text_bytes = text ? (u32)strlen(text) : 0;
    u32 size = (u32)round_up(sizeof(struct tkd_metric) + name_bytes + text_bytes, 8);
    ASSERT(rows->bytes_max - rows->bytes >= size);
    struct tkd_metric head = {.size = size,
                              .head = sizeof(head),
                              .value = value,
                              .name_bytes = name_bytes,
                              .text_bytes = text_bytes};
    u8 *at = rows->data + rows->bytes;
    memset(at, 0, size);
    memcpy(at, &head, sizeof(head));
    memcpy(at + sizeof(head), name, name_bytes);
    if (text_bytes > 0) memcpy(at + sizeof(head) + name_bytes, text, text_bytes);
    rows->bytes += size;
    rows->count++;
}

static void add_server(struct rows *rows, const struct figures *figures, struct pipeline *pipeline,
                       u64 now_ns)
{
    const struct conns *conns = pipeline->conns;
    add(rows, "version", 0, figures->version);
    add(rows, "protocol", TKD_PROTOCOL_VERSION, NULL);
    add(rows, "state_machine", STATE_MACHINE_VERSION, NULL);
    add(rows, "clock", 0, pipeline->virtual_clock ? "virtual" : "wall");
    add(rows, "durability", 0, figures->durability);
    add(rows, "uptime_ms", (now_ns - figures->started_ns) / 1000000, NULL);
    add(rows, "time_ms", state_time(pipeline->state), NULL);
    add(rows, "connections", conns->count, NULL);
    add(rows, "connections_max", conns->count_max, NULL);
    add(rows, "connections_accepted", conns->figures.accepted, NULL);
    add(rows, "connections_refused", conns->figures.refused, NULL);
    add(rows, "connections_dropped", conns->figures.dropped, NULL);
    add(rows, "subscribers", conns->subscribers, NULL);
    add(rows, "frames_received", figures->frames_received, NULL);
    add(rows, "frames_refused", figures->frames_refused, NULL);
    add(rows, "bytes_in", conns->figures.bytes_in, NULL);
    add(rows, "bytes_out", conns->figures.bytes_out, NULL);
    add(rows, "buffer_bytes", conns->in_quota.used_bytes + conns->out_quota.used_bytes, NULL);
    add(rows, "buffer_bytes_max", conns->in_quota.max_bytes + conns->out_quota.max_bytes, NULL);
    add(rows, "events_pushed", figures->events_pushed, NULL);
    add(rows, "turns", figures->turns, NULL);
    add(rows, "loop_pause_max_us", figures->pause_max_us, NULL);
}

static void add_desk(struct rows *rows, const struct figures *figures, struct pipeline *pipeline,
                     struct store *store)
{
    const struct wal *wal = pipeline->wal;
    const struct store_root *root = checkpoint_root(pipeline->checkpoint);
    u64 event_last = state_events_read(pipeline->state)->seq_next - 1;
    u64 event_stored_last = 0;
    store_event_last(store, &event_stored_last); /* 0 when it cannot be read: the checkpoint will say why */
    add(rows, "op", state_op(pipeline->state), NULL);
    add(rows, "durable_op", wal_durable_op(wal), NULL);
    add(rows, "synced_op", wal_synced_op(wal), NULL);
    add(rows, "commands", pipeline->commands, NULL);
    add(rows, "pulses", pipeline->pulses, NULL);
    add(rows, "events", event_last, NULL);
    add(rows, "events_durable", pipeline->durable_seq, NULL);
    add(rows, "events_stored", event_stored_last, NULL);
    add(rows, "memory_bytes", state_memory_bytes(pipeline->state), NULL);
    add(rows, "memory_budget_bytes", figures->memory_budget_bytes, NULL);
    add(rows, "log.bytes", wal_bytes(wal), NULL);
    add(rows, "log.written_bytes", wal_written_bytes(wal), NULL);
    add(rows, "log.batches", figures->log_batches, NULL);
    add(rows, "log.replay_bytes", wal_bytes_since(wal, root->op), NULL);
    add(rows, "log.full", wal_full(wal), NULL);
    add(rows, "store.bytes", store_bytes(store), NULL);
    add(rows, "store.id", root->store_id, NULL);
    add(rows, "checkpoint.op", root->op, NULL);
    add(rows, "checkpoint.time_ms", root->time_ms, NULL);
    add(rows, "checkpoint.count", checkpoint_count(pipeline->checkpoint), NULL);
    add(rows, "checkpoint.rows_bytes", checkpoint_rows_bytes(pipeline->checkpoint), NULL);
    add(rows, "checkpoint.running", checkpoint_running(pipeline->checkpoint), NULL);
}

u32 figures_write(const struct figures *figures, struct pipeline *pipeline, struct store *store, u64 now_ns,
                  void *rows_out, u32 rows_bytes_max, u32 *count)
{
    struct rows rows = {.data = rows_out, .bytes_max = rows_bytes_max};
    add_server(&rows, figures, pipeline, now_ns);
    add_desk(&rows, figures, pipeline, store);
    *count = rows.count;
    return rows.bytes;
}
