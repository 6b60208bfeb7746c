/* report summary, desk, queues, agents, channels, categories, priorities, tiers */
#include "report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "chart.h"
#include "commands.h"
#include "metrics.h"
#include "text.h"

#define CHART_COLUMNS  100u
#define CHART_BARS_MAX 24u
#define TRENDS_MAX     10u
#define COLUMNS_MAX    48u

/* What is asked for. */
struct report {
    struct ctl *ctl;
    u32 dimension;
    u32 main; /* the counter that ranks and is charted */
    enum period by;
    u64 from_ms;
    u64 to_ms;
    u64 limit; /* members shown of a period, 0 = all */
    struct buckets buckets;
};

/* ---- Reading ---- */

static int buckets_read(struct report *report)
{
    struct tkd_report request = {.from_ms = report->from_ms,
                                 .to_ms = report->to_ms,
                                 .dimension = report->dimension,
                                 .sum = report->by == PERIOD_ALL};
    do {
        struct tkd_answer answer;
        int code = ctl_call(report->ctl, "report", TKD_OP_REPORT, TKD_RECORD_report, &request, NULL, &answer);
        if (code != EXIT_OK) return code;
        const struct tkd_prefix *row = NULL;
        while ((row = tkd_next_row(&answer, row))) {
            struct tkd_report_row hour;
            tkd_read(TKD_RECORD_report_row, row, &hour);
            buckets_add(&report->buckets, report->by, &hour);
        }
        if (answer.cursor != 0 && answer.cursor <= request.cursor) {
            complain("report: the server repeats itself");
            return EXIT_REFUSED;
        }
        request.cursor = answer.cursor;
    } while (request.cursor != 0);
    buckets_merge(&report->buckets);
    return EXIT_OK;
}

/* Within a period the busiest first; qsort has no argument, so the main counter stands in begin's place. */
struct ranked {
    const struct bucket *bucket;
    u64 main;
};

static int rank_order(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    if (a->bucket->begin_ms != b->bucket->begin_ms) return a->bucket->begin_ms < b->bucket->begin_ms ? -1 : 1;
    if (a->main != b->main) return a->main > b->main ? -1 : 1;
    return a->bucket->id < b->bucket->id ? -1 : a->bucket->id > b->bucket->id;
}

/* Priorities keep their own order. */
static struct ranked *rank(const struct report *report)
{
    struct ranked *ranked = allocate(report->buckets.count * sizeof(*ranked));
    for (u64 i = 0; i < report->buckets.count; i++) {
        const struct bucket *bucket = &report->buckets.buckets[i];
        u64 main = report->dimension == TKD_DIMENSION_PRIORITY ? 0 : bucket->counters[report->main];
        ranked[i] = (struct ranked){bucket, main};
    }
    qsort(ranked, report->buckets.count, sizeof(*ranked), rank_order);
    return ranked;
}

/* ---- Showing ---- */

static const char *member_name(const struct report *report, u32 id)
{
    static const u32 kinds[] = {[TKD_DIMENSION_QUEUE] = TKD_KIND_QUEUE,
                                [TKD_DIMENSION_AGENT] = TKD_KIND_AGENT,
                                [TKD_DIMENSION_CHANNEL] = TKD_KIND_CHANNEL,
                                [TKD_DIMENSION_CATEGORY] = TKD_KIND_CATEGORY,
                                [TKD_DIMENSION_TIER] = TKD_KIND_TIER};
    if (report->dimension == TKD_DIMENSION_DESK) return "desk";
    if (report->dimension == TKD_DIMENSION_PRIORITY) return tkd_name(TKD_ENUM_PRIORITY, id);
    return id ? catalog_name(report->ctl->catalog, kinds[report->dimension], id) : "(none)";
}

/* A mean: the sum of one counter by the count of another. */
struct mean {
    const char *name;
    u32 sum;
    u32 count;
};

static const struct mean means[] = {
    {"mean_wait_ms", COUNTER_waited_ms, COUNTER_assigned},
    {"mean_first_reply_ms", COUNTER_first_reply_ms, COUNTER_first_replies},
    {"mean_first_resolution_ms", COUNTER_first_resolution_ms, COUNTER_first_solves},
};

static void output_mean(struct output *output, const struct bucket *bucket, const struct mean *mean)
{
    u64 count = bucket->counters[mean->count];
    if (count == 0) {
        output_none(output);
    } else {
        output_duration(output, bucket->counters[mean->sum] / count);
    }
}

static bool counter_is_duration(u32 counter)
{
    const char *name = counter_name(counter);
    size_t length = strlen(name);
    return length > 3 && strcmp(name + length - 3, "_ms") == 0;
}

static u32 columns_all(const struct report *report, struct column columns[COLUMNS_MAX])
{
    u32 count = 0;
    if (report->by != PERIOD_ALL) {
        columns[count++] = (struct column){"period", CELL_TEXT};
        columns[count++] = (struct column){"begin", CELL_TIME};
    }
    columns[count++] = (struct column){tkd_name(TKD_ENUM_DIMENSION, report->dimension), CELL_TEXT};
    for (u32 i = 0; i < COUNTERS_COUNT; i++) {
        columns[count++] =
            (struct column){counter_name(i), counter_is_duration(i) ? CELL_DURATION : CELL_NUMBER};
    }
    for (u32 i = 0; i < 3; i++) columns[count++] = (struct column){means[i].name, CELL_DURATION};
    return count;
}

static void row_all(const struct report *report, struct output *output, const struct bucket *bucket)
{
    char buffer[TIME_TEXT_BYTES];
    if (report->by != PERIOD_ALL) {
        output_string(output, period_text(report->by, bucket->begin_ms, buffer));
        output_time(output, bucket->begin_ms);
    }
    output_string(output, member_name(report, bucket->id));
    for (u32 i = 0; i < COUNTERS_COUNT; i++) {
        if (counter_is_duration(i)) {
            output_duration(output, bucket->counters[i]);
        } else {
            output_number(output, bucket->counters[i]);
        }
    }
    for (u32 i = 0; i < 3; i++) output_mean(output, bucket, &means[i]);
    output_row(output);
}

static u32 columns_table(const struct report *report, struct column columns[COLUMNS_MAX])
{
    const struct column figures[] = {{counter_name(report->main), CELL_NUMBER},
                                     {"assigned", CELL_NUMBER},
                                     {"wait_ms", CELL_DURATION},
                                     {"first_reply_ms", CELL_DURATION},
                                     {"solved", CELL_NUMBER},
                                     {"resolution_ms", CELL_DURATION},
                                     {"moved", CELL_NUMBER},
                                     {"reopened", CELL_NUMBER},
                                     {"urged", CELL_NUMBER},
                                     {"yellow", CELL_NUMBER},
                                     {"red", CELL_NUMBER}};
    u32 count = 0;
    if (report->by != PERIOD_ALL) columns[count++] = (struct column){"period", CELL_TEXT};
    columns[count++] = (struct column){tkd_name(TKD_ENUM_DIMENSION, report->dimension), CELL_TEXT};
    for (u32 i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
        if (i == 1 && report->main == COUNTER_assigned) continue;
        columns[count++] = figures[i];
    }
    return count;
}

static void row_table(const struct report *report, struct output *output, const struct bucket *bucket)
{
    char buffer[TIME_TEXT_BYTES];
    const u64 *counters = bucket->counters;
    u64 yellow = counters[COUNTER_yellow_first_reply] + counters[COUNTER_yellow_resolution] +
                 counters[COUNTER_yellow_step];
    u64 red =
        counters[COUNTER_red_first_reply] + counters[COUNTER_red_resolution] + counters[COUNTER_red_step];
    if (report->by != PERIOD_ALL) output_string(output, period_text(report->by, bucket->begin_ms, buffer));
    output_string(output, member_name(report, bucket->id));
    output_number(output, counters[report->main]);
    if (report->main != COUNTER_assigned) output_number(output, counters[COUNTER_assigned]);
    output_mean(output, bucket, &means[0]);
    output_mean(output, bucket, &means[1]);
    output_number(output, counters[COUNTER_solves]);
    output_mean(output, bucket, &means[2]);
    output_number(output, counters[COUNTER_transferred]);
    output_number(output, counters[COUNTER_reopened]);
    output_number(output, counters[COUNTER_urged]);
    if (yellow > 0) output_color(output, COLOR_YELLOW);
    output_number(output, yellow);
    if (red > 0) output_color(output, COLOR_RED);
    output_number(output, red);
    output_row(output);
}

static void rows_print(const struct report *report, const struct ranked *ranked)
{
    struct column columns[COLUMNS_MAX];
    bool table = report->ctl->form == OUTPUT_TABLE;
    u32 count = table ? columns_table(report, columns) : columns_all(report, columns);
    struct output *output = output_open(stdout, report->ctl->form, report->ctl->color, columns, count, false);
    u64 shown = 0;
    for (u64 i = 0; i < report->buckets.count; i++) {
        const struct bucket *bucket = ranked[i].bucket;
        shown = i > 0 && ranked[i - 1].bucket->begin_ms == bucket->begin_ms ? shown + 1 : 0;
        if (report->limit != 0 && shown >= report->limit) continue;
        (table ? row_table : row_all)(report, output, bucket);
    }
    output_close(output, "nothing happened in this period");
}

/* ---- Charts ---- */

static u32 chart_columns(void)
{
    u32 columns = terminal_columns(stdout);
    return columns && columns < CHART_COLUMNS ? columns : CHART_COLUMNS;
}

/* The busiest members. */
static void chart_members(const struct report *report, const struct ranked *ranked)
{
    struct bar bars[CHART_BARS_MAX];
    u32 count = 0;
    for (u64 i = 0; i < report->buckets.count && count < CHART_BARS_MAX; i++) {
        const struct bucket *bucket = ranked[i].bucket;
        char *name = strdup(member_name(report, bucket->id));
        bars[count++] = (struct bar){name, bucket->counters[report->main], NULL};
    }
    chart_bars(stdout, bars, count, chart_columns(), report->ctl->color);
    for (u32 i = 0; i < count; i++) free((char *)bars[i].label);
}

/* All members together, a bar a period. */
static void chart_periods(const struct report *report)
{
    const struct bucket *buckets = report->buckets.buckets;
    u64 count = report->buckets.count;
    struct bar *bars = allocate(count * sizeof(*bars));
    u32 bars_count = 0;
    for (u64 i = 0; i < count; i++) {
        if (i == 0 || buckets[i].begin_ms != buckets[i - 1].begin_ms) {
            char buffer[TIME_TEXT_BYTES];
            bars[bars_count++].label = strdup(period_text(report->by, buckets[i].begin_ms, buffer));
        }
        bars[bars_count - 1].value += buckets[i].counters[report->main];
    }
    chart_bars(stdout, bars, bars_count, chart_columns(), report->ctl->color);
    for (u32 i = 0; i < bars_count; i++) free((char *)bars[i].label);
    free(bars);
}

/* One line a member, over the periods in which anything happened. */
static void chart_trend(const struct report *report, u32 id, const u64 *begins, u32 periods)
{
    u64 *values = allocate(periods * sizeof(u64));
    const struct bucket *buckets = report->buckets.buckets;
    u32 at = 0;
    for (u64 i = 0; i < report->buckets.count; i++) {
        while (begins[at] != buckets[i].begin_ms) at++;
        if (buckets[i].id == id) values[at] = buckets[i].counters[report->main];
    }
    fputs("  ", stdout);
    text_print(stdout, member_name(report, id), 20, true);
    fputs("  ", stdout);
    chart_sparkline(stdout, values, periods, chart_columns() - 24);
    free(values);
}

static void chart_trends(const struct report *report)
{
    const struct bucket *buckets = report->buckets.buckets;
    u64 *begins = allocate(report->buckets.count * sizeof(u64));
    u32 periods = 0;
    for (u64 i = 0; i < report->buckets.count; i++) {
        if (i == 0 || buckets[i].begin_ms != buckets[i - 1].begin_ms) begins[periods++] = buckets[i].begin_ms;
    }
    struct report whole = *report;
    whole.buckets = (struct buckets){0};
    for (u64 i = 0; i < report->buckets.count; i++) {
        struct tkd_report_row row = {.id = buckets[i].id};
        memcpy(&row.created, buckets[i].counters, sizeof(buckets[i].counters));
        whole.by = PERIOD_ALL;
        buckets_add(&whole.buckets, PERIOD_ALL, &row);
    }
    buckets_merge(&whole.buckets);
    struct ranked *ranked = rank(&whole);
    putchar('\n');
    for (u64 i = 0; i < whole.buckets.count && i < TRENDS_MAX; i++) {
        chart_trend(report, ranked[i].bucket->id, begins, periods);
    }
    free(ranked);
    free(begins);
    buckets_free(&whole.buckets);
}

static void chart_print(const struct report *report, const struct ranked *ranked)
{
    if (report->buckets.count == 0) return;
    printf("\n%s%s%s\n", color_on(report->ctl->color, COLOR_BOLD), counter_name(report->main),
           color_off(report->ctl->color));
    if (report->by == PERIOD_ALL) {
        chart_members(report, ranked);
        return;
    }
    chart_periods(report);
    if (report->dimension != TKD_DIMENSION_DESK) chart_trends(report);
}

/* ---- Commands ---- */

static int options_read(struct ctl *ctl, const struct args *args, u32 dimension, struct report *report)
{
    *report = (struct report){.ctl = ctl, .dimension = dimension, .main = COUNTER_created};
    if (dimension == TKD_DIMENSION_QUEUE) report->main = COUNTER_entered;
    if (dimension == TKD_DIMENSION_AGENT) report->main = COUNTER_assigned;
    const char *by = args_value(args, "by");
    if (by) report->by = period_parse(by);
    if (by && report->by == PERIOD_ALL)
        return usage_error(args, "--by takes hour, day, week or month, not '%s'", by);
    struct tkd_client *client = ctl_client(ctl);
    if (!client) return EXIT_CONNECT;
    u64 now_ms = tkd_hello(client)->time_ms;
    bool good = args_time(args, "from", now_ms, &report->from_ms) &&
                args_time(args, "to", now_ms, &report->to_ms) &&
                args_number(args, "limit", UINT32_MAX, &report->limit);
    return good ? EXIT_OK : EXIT_USAGE;
}

static int dimension_run(struct ctl *ctl, const struct args *args, u32 dimension)
{
    struct report report;
    int code;
    if (!ctl_catalog(ctl, &code)) return code;
    code = options_read(ctl, args, dimension, &report);
    if (code == EXIT_OK) code = buckets_read(&report);
    if (code == EXIT_OK) {
        struct ranked *ranked = rank(&report);
        rows_print(&report, ranked);
        if (args_flag(args, "chart") && ctl->form == OUTPUT_TABLE) chart_print(&report, ranked);
        free(ranked);
    }
    buckets_free(&report.buckets);
    return code;
}

/* The desk's counters of a period as one object. */
static int summary_of_period(struct ctl *ctl, const struct args *args)
{
    struct report report;
    int code = options_read(ctl, args, TKD_DIMENSION_DESK, &report);
    if (code == EXIT_OK) code = buckets_read(&report);
    if (code == EXIT_OK) {
        struct bucket none = {0};
        const struct bucket *bucket = report.buckets.count ? report.buckets.buckets : &none;
        json_t *object = json_object();
        for (u32 i = 0; i < COUNTERS_COUNT; i++) {
            json_object_set_new(object, counter_name(i), json_integer((json_int_t)bucket->counters[i]));
        }
        for (u32 i = 0; i < 3; i++) {
            u64 count = bucket->counters[means[i].count];
            if (count == 0) continue;
            json_object_set_new(object, means[i].name,
                                json_integer((json_int_t)(bucket->counters[means[i].sum] / count)));
        }
        metrics_print(ctl, object);
    }
    buckets_free(&report.buckets);
    return code;
}

/* Groups without a member are not sent: nothing was breached, nobody has solved anything. */
static void groups_complete(json_t *object)
{
    static const char *const objects[] = {"by_command", "final_state", "final_priority", "channel",
                                          "breached_24x7"};
    static const char *const arrays[] = {"top_queues_by_entries", "top_queues_by_solves",
                                         "top_agents_by_solves"};
    for (u32 i = 0; i < 5; i++) {
        if (!json_object_get(object, objects[i])) json_object_set_new(object, objects[i], json_object());
    }
    for (u32 i = 0; i < 3; i++) {
        if (!json_object_get(object, arrays[i])) json_object_set_new(object, arrays[i], json_array());
    }
}

static int summary_run(struct ctl *ctl, const struct args *args)
{
    if (args_value(args, "by")) return dimension_run(ctl, args, TKD_DIMENSION_DESK);
    if (args_value(args, "from") || args_value(args, "to")) return summary_of_period(ctl, args);
    struct tkd_empty request = {0};
    struct tkd_answer answer;
    int code = ctl_call(ctl, "report summary", TKD_OP_SUMMARY, TKD_RECORD_empty, &request, NULL, &answer);
    if (code != EXIT_OK) return code;
    json_t *object = metrics_object(&answer);
    if (ctl->form == OUTPUT_JSON) groups_complete(object);
    metrics_print(ctl, object);
    return EXIT_OK;
}

#define DIMENSION_RUN(name, DIMENSION)                                                                       \
    static int name##_run(struct ctl *ctl, const struct args *args)                                          \
    {                                                                                                        \
        return dimension_run(ctl, args, TKD_DIMENSION_##DIMENSION);                                          \
    }
DIMENSION_RUN(desk, DESK)
DIMENSION_RUN(queues, QUEUE)
DIMENSION_RUN(agents, AGENT)
DIMENSION_RUN(channels, CHANNEL)
DIMENSION_RUN(categories, CATEGORY)
DIMENSION_RUN(priorities, PRIORITY)
DIMENSION_RUN(tiers, TIER)

#define PERIOD_OPTIONS                                                                                       \
    {"from", 0, "TIME", "begin, such as 2026-11-21, 2026-11-21T08:00Z or -3d; down to the hour"},            \
        {"to", 0, "TIME", "end, exclusive"}, {"by", 0, "PERIOD", "a row an hour, day, week or month"},       \
        {"limit", 'n', "N", "only the N busiest of a period"},                                               \
    {                                                                                                        \
        "chart", 0, NULL, "draws bars behind the table"                                                      \
    }

static const struct option_info options[] = {PERIOD_OPTIONS, {0}};

const struct command command_report_summary = {
    .name = "report summary",
    .operands = "",
    .summary = "figures of the desk since it exists, or of a period",
    .about = "Without a period: tickets, commands, states, priorities, channels, solves, the time spent in "
             "states, "
             "breaches and the busiest queues and agents. With --from or --to: the desk's counters of the "
             "period. "
             "With --by: like 'report desk'.",
    .example =
        "ticketctl report summary\nticketctl report summary -o json\nticketctl report summary --from -7d",
    .options = options,
    .run = summary_run,
};

#define REPORT(constant, plural, what, example_)                                                             \
    const struct command command_report_##constant = {                                                       \
        .name = "report " plural,                                                                            \
        .operands = "",                                                                                      \
        .summary = "counts and mean times by " what,                                                         \
        .about = "The table shows the mean wait for an agent, the mean time to the first reply and to the "  \
                 "first "                                                                                    \
                 "solution, and the cards; -o json and csv have every counter. Periods are those of TZ.",    \
        .example = example_,                                                                                 \
        .options = options,                                                                                  \
        .run = constant##_run,                                                                               \
    };

REPORT(desk, "desk", "period, for the whole desk", "ticketctl report desk --by day --from -7d --chart")
REPORT(queues, "queues", "queue",
       "ticketctl report queues --chart\nticketctl report queues --from 2026-11-01 --to 2026-12-01 -o csv")
REPORT(agents, "agents", "agent", "ticketctl report agents --from -1d --limit 10")
REPORT(channels, "channels", "channel", "ticketctl report channels --by hour --from -1d --chart")
REPORT(categories, "categories", "category", "ticketctl report categories --by week")
REPORT(priorities, "priorities", "priority", "ticketctl report priorities --by month")
REPORT(tiers, "tiers", "customer tier", "ticketctl report tiers")
