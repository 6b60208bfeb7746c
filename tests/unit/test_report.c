/* Figures: metrics as a nested object, hours summed into periods. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ticketctl/metrics.h"
#include "ticketctl/report.h"

static u64 body[512];
static u32 body_bytes;

static void metric(const char *name, u64 value, const char *text)
{
    struct tkd_metric head = {.head = sizeof(head),
                              .value = value,
                              .name_bytes = (u32)strlen(name),
                              .text_bytes = (u32)strlen(text)};
    u32 bytes = (u32)sizeof(head) + head.name_bytes + head.text_bytes;
    head.size = (bytes + 7) / 8 * 8;
    u8 *at = (u8 *)body + body_bytes;
    memset(at, 0, head.size);
    memcpy(at, &head, sizeof(head));
    memcpy(at + sizeof(head), name, head.name_bytes);
    memcpy(at + sizeof(head) + head.name_bytes, text, head.text_bytes);
    body_bytes += head.size;
}

Test(metrics, groups_are_objects_and_ranks_are_pairs)
{
    metric("tickets", 12, "");
    metric("by_command.create", 3, "");
    metric("top_queues_by_solves.V37 2nd", 9, "");
    metric("by_command.assign", 4, "");
    metric("channel.a.b", 1, "");
    metric("top_queues_by_solves.G96", 2, "");
    metric("clock", 0, "wall");
    metric("digest", 18446744073709551615u, "");
    struct tkd_answer answer = {.count = 8, .rows = body, .rows_bytes = body_bytes};
    json_t *object = metrics_object(&answer);
    char *text = json_dumps(object, JSON_COMPACT);
    cr_assert_str_eq(text, "{\"tickets\":12,\"by_command\":{\"create\":3,\"assign\":4},"
                           "\"top_queues_by_solves\":[[\"V37 2nd\",9],[\"G96\",2]],\"channel\":{\"a.b\":1},"
                           "\"clock\":\"wall\",\"digest\":\"0xffffffffffffffff\"}");
    free(text);
    json_decref(object);
}

#define HOUR_MS 3600000ull

Test(report, hours_are_summed_by_member_and_period)
{
    setenv("TZ", "UTC", 1);
    tzset();
    struct buckets buckets = {0};
    u64 begin_ms = 1763683200000; /* 2025-11-21 */
    /* More hours than fit at first: they are summed on the way. */
    for (u32 hour = 0; hour < 24 * 500; hour++) {
        for (u32 id = 3; id > 0; id--) {
            struct tkd_report_row row = {
                .hour_ms = begin_ms + hour * HOUR_MS, .id = id, .created = id, .red_step = 1};
            buckets_add(&buckets, PERIOD_DAY, &row);
        }
    }
    buckets_merge(&buckets);
    cr_assert_eq(buckets.count, 1500);
    cr_assert_lt(buckets.max, 24 * 500 * 3);
    for (u64 i = 0; i < buckets.count; i++) {
        const struct bucket *bucket = &buckets.buckets[i];
        cr_assert_eq(bucket->begin_ms, begin_ms + i / 3 * 24 * HOUR_MS);
        cr_assert_eq(bucket->id, i % 3 + 1);
        cr_assert_eq(bucket->counters[COUNTER_created], 24 * bucket->id);
        cr_assert_eq(bucket->counters[COUNTER_red_step], 24);
    }
    buckets_free(&buckets);
}

Test(report, nothing_is_nothing)
{
    struct buckets buckets = {0};
    buckets_merge(&buckets);
    cr_assert_eq(buckets.count, 0);
    cr_assert_str_eq(counter_name(COUNTER_created), "created");
    cr_assert_str_eq(counter_name(COUNTERS_COUNT - 1), "red_step");
    buckets_free(&buckets);
}
