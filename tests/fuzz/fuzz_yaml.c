/* Desk files: each fault is told with its place, and a desk that was read is written so that it reads the
 * same. What is planned for an empty desk the core takes, every record of it,
 * and once more. */
#include <stdio.h>
#include <stdlib.h>

#include "core/frame.h"
#include "tests/fuzz/desk.h"
#include "ticketctl/plan.h"

static struct fuzz_desk empty;

static char told[64u << 10];

static struct desk *read_desk(const char *text, size_t bytes)
{
    FILE *errors = fmemopen(told, sizeof told, "w");
    ASSERT(errors != NULL);
    told[0] = 0;
    struct desk *desk = desk_read(text, bytes, "desk.yaml", errors);
    fclose(errors);
    ASSERT(desk != NULL ? told[0] == 0 : strncmp(told, "desk.yaml:", 10) == 0);
    return desk;
}

static char *write_desk(const struct desk *desk, size_t *bytes)
{
    char *text = NULL;
    FILE *file = open_memstream(&text, bytes);
    ASSERT(file != NULL && desk_write(desk, file) && fclose(file) == 0);
    return text;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    fuzz_desk_open(&empty, false);
    return 0;
}

/* ---- Into the core ---- */

static void record_add(struct fuzz_frame *frame, const struct tkd_catalog_entry *head, const struct tkd_text *texts)
{
    const struct tkd_record_info *info = tkd_record_info(TKD_RECORD_catalog_entry);
    u8 *to = (u8 *)frame + frame->head.size, *at = to + info->head_bytes;
    memcpy(to, head, info->head_bytes);
    for (u32 i = 0; i < ENTRY_TEXTS; at += texts[i++].bytes) {
        u32 bytes = (u32)texts[i].bytes;
        memcpy(to + info->texts_offset + 4 * i, &bytes, 4);
        if (bytes != 0) memcpy(at, texts[i].data, bytes);
    }
    while ((at - to) % 8 != 0) *at++ = 0;
    struct tkd_prefix *prefix = (struct tkd_prefix *)(void *)to;
    prefix->size = (u32)(at - to);
    prefix->head = (u16)info->head_bytes;
    frame->head.size += prefix->size;
    frame->head.count++;
}

static void frame_apply(struct fuzz_frame *frame)
{
    static struct tkd_result results[TKD_RECORDS_MAX];
    if (frame->head.count == 0) return;
    frame_seal(&frame->head);
    ASSERT(frame_check(&frame->head) == TKD_OK);
    ASSERT(fuzz_desk_run(&empty, &frame->head, 1000, results) == TKD_OK);
    for (u32 i = 0; i < frame->head.count; i++)
        ASSERT(results[i].status == TKD_OK || results[i].status == TKD_UNCHANGED);
    fuzz_frame_begin(frame, TKD_OP_CATALOG_APPLY);
}

static void plan_apply(const struct plan *plan, const struct desk *want, const struct desk *current)
{
    static struct fuzz_frame frame;
    static u8 buffer[PLAN_TEXT_BYTES];
    fuzz_frame_begin(&frame, TKD_OP_CATALOG_APPLY);
    for (u32 i = 0; i < plan->count; i++) {
        struct tkd_catalog_entry head;
        struct tkd_text texts[ENTRY_TEXTS];
        plan_record(&plan->changes[i], want, current, &head, texts, buffer);
        if (frame.head.size + sizeof head + sizeof buffer > FUZZ_FRAME_BYTES_MAX) frame_apply(&frame);
        record_add(&frame, &head, texts);
    }
    frame_apply(&frame);
}

/* Plans it for a desk that has nothing, and applies that. */
static void put_into_core(struct desk *want)
{
    static struct catalog nothing;
    char error[256];
    struct desk *current = desk_of_catalog(&nothing);
    FILE *errors = fmemopen(told, sizeof told, "w");
    ASSERT(errors != NULL);
    told[0] = 0;
    struct plan *plan = plan_make(want, current, &nothing, false, "desk.yaml", errors);
    fclose(errors);
    ASSERT(plan != NULL ? told[0] == 0 : strncmp(told, "desk.yaml:", 10) == 0);
    if (plan != NULL) {
        fuzz_desk_reset(&empty);
        ASSERT(state_loaded(empty.state, 0, 0, 0, error, sizeof error));
        plan_apply(plan, want, current);
        state_validate(empty.state);
        plan_apply(plan, want, current);
        plan_free(plan);
    }
    desk_free(current);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
    struct desk *desk = read_desk((const char *)data, bytes);
    if (desk == NULL) return 0;
    size_t written, rewritten;
    char *text = write_desk(desk, &written);
    struct desk *again = read_desk(text, written);
    ASSERT(again != NULL);
    char *same = write_desk(again, &rewritten);
    ASSERT(written == rewritten && memcmp(text, same, written) == 0);
    put_into_core(again);
    desk_free(desk);
    desk_free(again);
    free(text);
    free(same);
    return 0;
}
