/* Rows of the store into an empty desk, some of them changed as if their checksums fitted: the load refuses
 * and names the row, or gives a desk that is valid and goes on working. */
#include "core/desk.h"
#include "tests/fuzz/desk.h"

static struct fuzz_desk source, desk;
static struct tkd_result results[TKD_RECORDS_MAX];
static u32 tables[TABLES], tables_count; /* that have rows */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    fuzz_desk_open(&source, true);
    fuzz_desk_open(&desk, false);
    for (u32 i = 1; i < TABLES; i++)
        if (source.state->tables[i].rows_live != 0) tables[tables_count++] = i;
    return 0;
}

/* One member of one row: mostly of one in use, mostly whole, small and aligned. */
static void spoil(struct input *input)
{
    struct table *table = &desk.state->tables[tables[input_below(input, tables_count)]];
    u32 row = input_u8(input), offset = input_u8(input), how = input_u8(input);
    if (how & 8) offset += 256u * input_u8(input);
    row %= how & 4 ? (table_chunks(table) << table->chunk_shift) : table->row_last + 1;
    u32 bytes = 1u << (how & 3), chunk = row >> table->chunk_shift;
    u8 rows[TABLE_CHUNK_BYTES_MAX];
    memcpy(rows, table_chunk(table, chunk), table_chunk_bytes(table));
    u8 *at = rows + (row - (chunk << table->chunk_shift)) * table->row_bytes;
    at += offset % table->row_bytes / bytes * bytes;
    u64 value = input_number(input), was = 0;
    memcpy(&was, at, bytes);
    if (how & 16)
        value += was;
    else if (how & 32)
        value ^= was;
    memcpy(at, &value, bytes);
    (void)state_load_chunk(desk.state, table->number, chunk, rows, table_chunk_bytes(table));
}

static void load_chunks(void)
{
    for (u32 i = 0; i < tables_count; i++) {
        const struct table *table = &source.state->tables[tables[i]];
        for (u32 chunk = 0; chunk < table_chunks(table); chunk++)
            ASSERT(state_load_chunk(desk.state, tables[i], chunk, table_chunk(table, chunk),
                                    table_chunk_bytes(table)));
    }
}

/* The loaded desk is used: commands, time and queries. What its rows say of events is looked up where they are. */
static void go_on(struct input *input)
{
    static const u16 ops[] = {TKD_OP_TICKET_UPDATE, TKD_OP_TICKET_CREATE,   TKD_OP_AGENT_PRESENCE,
                              TKD_OP_CATALOG_APPLY, TKD_OP_CUSTOMER_UPDATE, TKD_OP_REGISTER};
    static struct fuzz_frame frame;
    u64 now_ms = state_time(desk.state);
    for (u32 i = 0; i < 8; i++) {
        fuzz_desk_query(&desk, source.state, input, now_ms);
        u32 op = ops[input_below(input, ARRAY_COUNT(ops))];
        fuzz_frame_begin(&frame, op);
        fuzz_frame_add(&frame, tkd_op_info(op)->request, input);
        frame_seal(&frame.head);
        now_ms = min_u64(now_ms + min_u64(input_number(input), 400ull * DAY_MS), TIME_MS_MAX);
        if (frame_check(&frame.head) == TKD_OK) fuzz_desk_run(&desk, &frame.head, now_ms, results);
    }
    fuzz_desk_pulse(&desk, now_ms);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
    struct input input = input_of(data, bytes);
    char error[256] = "";
    fuzz_desk_reset(&desk);
    load_chunks();
    u32 how = input_u8(&input);
    u64 op = state_op(source.state), time_ms = state_time(source.state),
        seq = state_events(source.state)->seq_next - 1;
    if (how & 0x40) op = input_number(&input);
    if (how & 0x20) time_ms = input_number(&input);
    if (how & 0x10) seq = input_number(&input);
    for (u32 i = 0; i < (how & 7); i++) spoil(&input);
    if (!state_loaded(desk.state, op, time_ms, seq, error, sizeof error)) {
        ASSERT(how != 0 && error[0] != 0);
        return 0;
    }
    ASSERT(error[0] == 0);
    state_validate(desk.state);
    if (how == 0) ASSERT(state_digest(desk.state, true) == state_digest(source.state, true));
    if (how & 8) return 0;
    go_on(&input);
    state_validate(desk.state);
    return 0;
}
