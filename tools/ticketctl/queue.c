/* queue list, queue show */
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "ticket.h"

#define TREE_LEVELS_MAX 10u

struct queue_rows {
    struct tkd_queue_row *rows;
    u32 count;
    u64 now_ms;
};

/* All queues of the server, ascending by id. */
static int queues_read(struct ctl *ctl, struct queue_rows *queues)
{
    struct tkd_entity_list request = {0};
    struct tkd_answer answer;
    do {
        int code =
            ctl_call(ctl, "queue list", TKD_OP_QUEUE_LIST, TKD_RECORD_entity_list, &request, NULL, &answer);
        if (code != EXIT_OK) return code;
        queues->rows = reallocate(queues->rows, (queues->count + answer.count) * sizeof(*queues->rows));
        queues->now_ms = answer.time_ms;
        const struct tkd_prefix *row = NULL;
        while ((row = tkd_next_row(&answer, row))) {
            tkd_read(TKD_RECORD_queue_row, row, &queues->rows[queues->count++]);
        }
        if (answer.cursor != 0 && answer.cursor <= request.from) break;
        request.from = (u32)answer.cursor;
    } while (request.from != 0);
    return EXIT_OK;
}

static const struct tkd_queue_row *queue_row(const struct queue_rows *queues, u32 id)
{
    for (u32 i = 0; i < queues->count; i++) {
        if (queues->rows[i].id == id) return &queues->rows[i];
    }
    return NULL;
}

static const struct column columns[] = {{"queue", CELL_TEXT},       {"id", CELL_NUMBER},
                                        {"parent", CELL_TEXT},      {"strategy", CELL_TEXT},
                                        {"waiting", CELL_NUMBER},   {"assigned", CELL_NUMBER},
                                        {"suspended", CELL_NUMBER}, {"oldest_ms", CELL_DURATION},
                                        {"members", CELL_NUMBER},   {"present", CELL_NUMBER}};

/* In a table the queue's name is indented by its level in the tree. */
static void row_print(struct ctl *ctl, struct output *output, const struct queue_rows *queues,
                      const struct tkd_queue_row *row, u32 level)
{
    const struct entry *entry = catalog_by_id(ctl->catalog, TKD_KIND_QUEUE, row->id);
    const char *name = catalog_name(ctl->catalog, TKD_KIND_QUEUE, row->id);
    char indented[160];
    u32 indent = ctl->form == OUTPUT_TABLE ? level * 2 : 0;
    snprintf(indented, sizeof(indented), "%*s%s", (int)indent, "", name);
    output_string(output, indented);
    output_number(output, row->id);
    if (entry && entry->head.parent) {
        output_string(output, catalog_name(ctl->catalog, TKD_KIND_QUEUE, entry->head.parent));
    } else {
        output_none(output);
    }
    output_string(output,
                  entry && entry->head.strategy ? tkd_name(TKD_ENUM_STRATEGY, entry->head.strategy) : "");
    if (row->waiting > 0) output_color(output, COLOR_YELLOW);
    output_number(output, row->waiting);
    output_number(output, row->assigned);
    output_number(output, row->suspended);
    if (row->oldest_ms == 0) {
        output_none(output);
    } else {
        output_duration(output, queues->now_ms > row->oldest_ms ? queues->now_ms - row->oldest_ms : 0);
    }
    output_number(output, row->members);
    output_number(output, row->present);
    output_row(output);
}

static u32 parent_of(const struct ctl *ctl, u32 id)
{
    const struct entry *entry = catalog_by_id(ctl->catalog, TKD_KIND_QUEUE, id);
    return entry ? entry->head.parent : 0;
}

/* Depth first, without recursion: a queue, then the queues below it. */
static void tree_print(struct ctl *ctl, struct output *output, const struct queue_rows *queues)
{
    u32 path[TREE_LEVELS_MAX + 1] = {0}; /* parent on every level */
    u32 next[TREE_LEVELS_MAX + 1] = {0}; /* row to look at next on every level */
    u32 level = 0;
    for (;;) {
        u32 at = next[level];
        while (at < queues->count && parent_of(ctl, queues->rows[at].id) != path[level]) at++;
        if (at == queues->count) {
            if (level == 0) return;
            level--;
            continue;
        }
        next[level] = at + 1;
        row_print(ctl, output, queues, &queues->rows[at], level);
        if (level == TREE_LEVELS_MAX) continue;
        level++;
        path[level] = queues->rows[at].id;
        next[level] = 0;
    }
}

static int list_run(struct ctl *ctl, const struct args *args)
{
    struct queue_rows queues = {0};
    int code;
    if (!ctl_catalog(ctl, &code)) return code;
    bool busy = args_flag(args, "busy");
    code = queues_read(ctl, &queues);
    if (code == EXIT_OK) {
        struct output *output = output_open(stdout, ctl->form, ctl->color, columns, 10, false);
        if (busy) {
            for (u32 i = 0; i < queues.count; i++) {
                const struct tkd_queue_row *row = &queues.rows[i];
                if (row->waiting + row->assigned + row->suspended > 0)
                    row_print(ctl, output, &queues, row, 0);
            }
        } else {
            tree_print(ctl, output, &queues);
        }
        output_close(output, "no queues ('ticketctl apply' declares them)");
    }
    free(queues.rows);
    return code;
}

static int waiting_print(struct ctl *ctl, u32 queue, u64 limit)
{
    struct tkd_waiting_list request = {.queue = queue, .limit = (u32)limit};
    struct tkd_answer answer;
    int code =
        ctl_call(ctl, "queue show", TKD_OP_WAITING_LIST, TKD_RECORD_waiting_list, &request, NULL, &answer);
    if (code != EXIT_OK) return code;
    if (ctl->form == OUTPUT_TABLE)
        printf("\n%swaiting%s\n", color_on(ctl->color, COLOR_BOLD), color_off(ctl->color));
    struct output *output = ticket_rows_open(ctl);
    const struct tkd_prefix *row = NULL;
    while ((row = tkd_next_row(&answer, row))) ticket_rows_add(output, ctl, row, answer.time_ms);
    output_close(output, NULL);
    if (ctl->form == OUTPUT_TABLE && answer.count == 0) puts("nothing waits");
    return EXIT_OK;
}

static int show_run(struct ctl *ctl, const struct args *args)
{
    struct queue_rows queues = {0};
    u64 limit = 20;
    int code;
    if (!args_number(args, "limit", 1000, &limit)) return EXIT_USAGE;
    if (!ctl_catalog(ctl, &code)) return code;
    u32 id = catalog_id(ctl->catalog, TKD_KIND_QUEUE, args->operands[0]);
    if (id == 0) return EXIT_REFUSED;
    code = queues_read(ctl, &queues);
    const struct tkd_queue_row *row = code == EXIT_OK ? queue_row(&queues, id) : NULL;
    if (code == EXIT_OK && !row) code = ctl_refused(args->operands[0], TKD_UNKNOWN_QUEUE);
    if (row && !(ctl->form != OUTPUT_TABLE && args_flag(args, "waiting"))) {
        struct output *output = output_open(stdout, ctl->form, ctl->color, columns, 10, true);
        row_print(ctl, output, &queues, row, 0);
        output_close(output, NULL);
    }
    free(queues.rows);
    if (code != EXIT_OK || (ctl->form != OUTPUT_TABLE && !args_flag(args, "waiting"))) return code;
    return waiting_print(ctl, id, limit ? limit : 1000);
}

static const struct option_info list_options[] = {
    {"busy", 0, NULL, "only queues with open tasks"},
    {0},
};

static const struct option_info show_options[] = {
    {"limit", 'n', "N", "so many of the line (default 20, at most 1000)"},
    {"waiting", 0, NULL, "with -o json or csv: the tickets that wait instead of the queue"},
    {0},
};

const struct command command_queue_list = {
    .name = "queue list",
    .operands = "",
    .summary = "the queues, as a tree, and what is in them now",
    .example = "ticketctl queue list\nticketctl queue list --busy -o json",
    .options = list_options,
    .run = list_run,
};

const struct command command_queue_show = {
    .name = "queue show",
    .operands = "QUEUE",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "one queue and the head of its line",
    .about = "The line's order is the order in which tickets will be given out: by priority, then by time.",
    .example = "ticketctl queue show 物流\nticketctl queue show 物流 --waiting -o json",
    .options = show_options,
    .run = show_run,
};
