#include <criterion/criterion.h>

#include "support/edge.h"

static struct edge edge;
static struct conn *conn;
static union wire_frame frame;

static void setup(void)
{
    edge_open(&edge, false);
    conn = edge_connect(&edge);
}

static void teardown(void) { edge_close(&edge); }

TestSuite(figures, .init = setup, .fini = teardown);

Test(figures, status_is_well_formed_and_no_name_stands_there_twice)
{
    static struct tkd_metric seen[200];
    static char names[200][64];
    wire_empty_frame(&frame, TKD_OP_STATUS, 9);
    cr_assert_eq(edge_frame(&edge, conn, &frame), SERVICE_ANSWERED);
    const struct tkd_frame *answer = edge_answer(conn);
    const struct tkd_prefix *row = frame_first(answer);
    cr_assert_gt(answer->count, 30);
    for (u32 i = 0; i < answer->count; i++, row = record_next(row)) {
        record_head(row, &seen[i], sizeof(seen[i]));
        cr_assert_leq(row->head + seen[i].name_bytes + seen[i].text_bytes, row->size);
        cr_assert_lt(seen[i].name_bytes, 64);
        memcpy(names[i], record_texts(row), seen[i].name_bytes);
        for (u32 j = 0; j < i; j++) cr_assert_str_neq(names[j], names[i]);
    }
    cr_assert_eq((const u8 *)row, (const u8 *)answer + answer->size);
}
