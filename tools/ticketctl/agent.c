/* agent list, show, online, offline */
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "ticket.h"

static const struct column columns[] = {
    {"agent", CELL_TEXT},  {"id", CELL_NUMBER},       {"presence", CELL_TEXT},
    {"load", CELL_NUMBER}, {"capacity", CELL_NUMBER}, {"held", CELL_NUMBER},
    {"skills", CELL_TEXT}, {"queues", CELL_TEXT},     {"last_assigned", CELL_TIME}};

/* The names of a list of u16 ids, with commas. */
static void output_names(struct output *output, struct catalog *catalog, u32 kind, struct tkd_text ids)
{
    char *text;
    size_t bytes;
    FILE *memory = open_memstream(&text, &bytes);
    for (u32 at = 0; memory && at + sizeof(u16) <= ids.bytes; at += (u32)sizeof(u16)) {
        u16 id;
        memcpy(&id, ids.data + at, sizeof(id));
        fprintf(memory, "%s%s", at > 0 ? ", " : "", catalog_name(catalog, kind, id));
    }
    if (memory) fclose(memory);
    output_text(output, memory ? text : "", memory ? (u32)bytes : 0);
    if (memory) free(text);
}

static void row_print(struct ctl *ctl, struct output *output, const struct tkd_agent_row *row)
{
    const struct entry *entry = catalog_by_id(ctl->catalog, TKD_KIND_AGENT, row->id);
    bool online = row->presence == TKD_PRESENCE_ONLINE;
    output_string(output, catalog_name(ctl->catalog, TKD_KIND_AGENT, row->id));
    output_number(output, row->id);
    output_color(output, online ? COLOR_GREEN : COLOR_DIM);
    output_string(output, tkd_name(TKD_ENUM_PRESENCE, row->presence));
    output_number(output, row->load);
    if (row->capacity) {
        output_number(output, row->capacity);
    } else {
        output_none(output);
    }
    output_number(output, row->held);
    struct tkd_text none = {"", 0};
    output_names(output, ctl->catalog, TKD_KIND_SKILL, entry ? entry->texts[ENTRY_SKILLS] : none);
    if (entry && entry->head.all_queues) {
        output_string(output, "(all)");
    } else {
        output_names(output, ctl->catalog, TKD_KIND_QUEUE, entry ? entry->texts[ENTRY_QUEUES] : none);
    }
    output_time(output, row->last_assigned_ms);
    output_row(output);
}

struct agent_filter {
    u32 id;       /* 0 = all */
    u32 queue;    /* 0 = any */
    u32 presence; /* 0 = any */
};

static bool serves(const struct entry *entry, u32 queue)
{
    if (!entry) return false;
    if (entry->head.all_queues) return true;
    struct tkd_text ids = entry->texts[ENTRY_QUEUES];
    for (u32 at = 0; at + sizeof(u16) <= ids.bytes; at += (u32)sizeof(u16)) {
        u16 id;
        memcpy(&id, ids.data + at, sizeof(id));
        if (id == queue) return true;
    }
    return false;
}

static bool matches(const struct ctl *ctl, const struct agent_filter *filter, const struct tkd_agent_row *row)
{
    if (filter->id != 0 && row->id != filter->id) return false;
    if (filter->presence != 0 && row->presence != filter->presence) return false;
    return filter->queue == 0 || serves(catalog_by_id(ctl->catalog, TKD_KIND_AGENT, row->id), filter->queue);
}

static int agents_print(struct ctl *ctl, const struct agent_filter *filter, bool detail)
{
    struct tkd_entity_list request = {.from = filter->id, .limit = filter->id ? 1 : 0};
    struct output *output = output_open(stdout, ctl->form, ctl->color, columns, 9, detail);
    struct tkd_answer answer;
    u32 shown = 0;
    int code;
    do {
        code =
            ctl_call(ctl, "agent list", TKD_OP_AGENT_LIST, TKD_RECORD_entity_list, &request, NULL, &answer);
        if (code != EXIT_OK) break;
        const struct tkd_prefix *row = NULL;
        while ((row = tkd_next_row(&answer, row))) {
            struct tkd_agent_row agent;
            tkd_read(TKD_RECORD_agent_row, row, &agent);
            if (!matches(ctl, filter, &agent)) continue;
            row_print(ctl, output, &agent);
            shown++;
        }
        if (filter->id != 0 || (answer.cursor != 0 && answer.cursor <= request.from)) break;
        request.from = (u32)answer.cursor;
    } while (request.from != 0);
    output_close(output, code == EXIT_OK && filter->id == 0 ? "no such agents" : NULL);
    if (code == EXIT_OK && filter->id != 0 && shown == 0) {
        code = ctl_refused(catalog_name(ctl->catalog, TKD_KIND_AGENT, filter->id), TKD_UNKNOWN_AGENT);
    }
    return code;
}

static int list_run(struct ctl *ctl, const struct args *args)
{
    struct agent_filter filter = {0};
    int code;
    if (!ctl_catalog(ctl, &code)) return code;
    code = option_id(ctl, args, "queue", TKD_KIND_QUEUE, &filter.queue);
    if (code != EXIT_OK) return code;
    if (args_flag(args, "online")) filter.presence = TKD_PRESENCE_ONLINE;
    return agents_print(ctl, &filter, false);
}

static int tickets_print(struct ctl *ctl, u32 agent)
{
    struct tkd_ticket_list request = {.agent = agent,
                                      .states = 1u << TKD_STATE_NEW | 1u << TKD_STATE_OPEN |
                                                1u << TKD_STATE_PENDING | 1u << TKD_STATE_ON_HOLD};
    struct tkd_text tag = {"", 0};
    struct tkd_answer answer;
    int code =
        ctl_call(ctl, "agent show", TKD_OP_TICKET_LIST, TKD_RECORD_ticket_list, &request, &tag, &answer);
    if (code != EXIT_OK) return code;
    printf("\n%stickets%s\n", color_on(ctl->color, COLOR_BOLD), color_off(ctl->color));
    struct output *output = ticket_rows_open(ctl);
    const struct tkd_prefix *row = NULL;
    while ((row = tkd_next_row(&answer, row))) ticket_rows_add(output, ctl, row, answer.time_ms);
    output_close(output, NULL);
    if (answer.count == 0) puts("holds nothing");
    return EXIT_OK;
}

static int show_run(struct ctl *ctl, const struct args *args)
{
    struct agent_filter filter = {0};
    int code;
    if (!ctl_catalog(ctl, &code)) return code;
    filter.id = catalog_id(ctl->catalog, TKD_KIND_AGENT, args->operands[0]);
    if (filter.id == 0) return EXIT_REFUSED;
    code = agents_print(ctl, &filter, true);
    return code == EXIT_OK && ctl->form == OUTPUT_TABLE ? tickets_print(ctl, filter.id) : code;
}

/* All agents named, one command each; the first refusal is the exit code, the others go on. */
static int presence_set(struct ctl *ctl, const struct args *args, u32 presence)
{
    int code;
    if (!ctl_catalog(ctl, &code)) return code;
    static const struct column set_columns[] = {
        {"agent", CELL_TEXT}, {"presence", CELL_TEXT}, {"status", CELL_TEXT}};
    struct output *output = output_open(stdout, ctl->form, ctl->color, set_columns, 3, false);
    for (u32 i = 0; i < args->operands_count; i++) {
        struct tkd_agent_presence request = {.presence = presence};
        struct tkd_result result;
        request.agent = catalog_id(ctl->catalog, TKD_KIND_AGENT, args->operands[i]);
        int one = request.agent ? ctl_command(ctl, args->operands[i], TKD_OP_AGENT_PRESENCE,
                                              TKD_RECORD_agent_presence, &request, NULL, &result)
                                : EXIT_REFUSED;
        if (one != EXIT_OK) {
            code = code == EXIT_OK ? one : code;
            if (one == EXIT_CONNECT) break;
            continue;
        }
        output_string(output, args->operands[i]);
        output_string(output, tkd_name(TKD_ENUM_PRESENCE, presence));
        output_string(output, tkd_status_info(result.status)->name);
        output_row(output);
    }
    output_close(output, NULL);
    return code;
}

static int online_run(struct ctl *ctl, const struct args *args)
{
    return presence_set(ctl, args, TKD_PRESENCE_ONLINE);
}
static int offline_run(struct ctl *ctl, const struct args *args)
{
    return presence_set(ctl, args, TKD_PRESENCE_OFFLINE);
}

static const struct option_info list_options[] = {
    {"queue", 'q', "QUEUE", "who serve this queue"},
    {"online", 0, NULL, "who are present"},
    {0},
};

const struct command command_agent_list = {
    .name = "agent list",
    .operands = "",
    .summary = "the agents, present or not, and their load",
    .example = "ticketctl agent list --queue 物流 --online",
    .options = list_options,
    .run = list_run,
};

const struct command command_agent_show = {
    .name = "agent show",
    .operands = "AGENT",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "one agent and the open tickets held",
    .example = "ticketctl agent show 李雷",
    .run = show_run,
};

const struct command command_agent_online = {
    .name = "agent online",
    .operands = "AGENT...",
    .operands_min = 1,
    .operands_max = ARGS_MAX,
    .summary = "agents come: they get work from now on",
    .example = "ticketctl agent online 李雷 韩梅梅",
    .run = online_run,
};

const struct command command_agent_offline = {
    .name = "agent offline",
    .operands = "AGENT...",
    .operands_min = 1,
    .operands_max = ARGS_MAX,
    .summary = "agents go: they get no new work",
    .example = "ticketctl agent offline 李雷",
    .run = offline_run,
};
