/* ticket list */
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "ticket.h"

#define PAGE_ROWS 1000u

/* "open,pending" into bits; may be given several times. */
static int states_read(const struct args *args, u16 *states)
{
    const char *text;
    for (u32 i = 0; (text = args_each(args, "state", i)); i++) {
        while (*text) {
            char name[32];
            size_t length = strcspn(text, ",");
            snprintf(name, sizeof(name), "%.*s", (int)length, text);
            u32 state = tkd_number(TKD_ENUM_STATE, name);
            if (state == 0) {
                return usage_error(
                    args, "a state is new, open, pending, on_hold, resolved, closed or cancelled, not '%s'",
                    name);
            }
            *states |= (u16)(1u << state);
            text += length + (text[length] ? 1 : 0);
        }
    }
    return EXIT_OK;
}

static int filter_read(struct ctl *ctl, const struct args *args, struct tkd_ticket_list *filter)
{
    u32 queue = 0, category = 0, channel = 0;
    int code = states_read(args, &filter->states);
    if (code == EXIT_OK) code = option_priority(args, &filter->priority);
    if (code == EXIT_OK) code = option_id(ctl, args, "queue", TKD_KIND_QUEUE, &queue);
    if (code == EXIT_OK) code = option_id(ctl, args, "category", TKD_KIND_CATEGORY, &category);
    if (code == EXIT_OK) code = option_id(ctl, args, "channel", TKD_KIND_CHANNEL, &channel);
    if (code == EXIT_OK) code = option_id(ctl, args, "agent", TKD_KIND_AGENT, &filter->agent);
    if (code != EXIT_OK) return code;
    filter->queue = (u16)queue;
    filter->category = (u16)category;
    filter->channel = (u16)channel;
    filter->unassigned = args_flag(args, "unassigned");
    filter->breached = args_flag(args, "breached");
    return args_number(args, "customer", UINT64_MAX, &filter->customer) ? EXIT_OK : EXIT_USAGE;
}

/* Page after page until `limit` rows are shown; `*more`: there would be others. */
static int pages_show(struct ctl *ctl, struct output *output, struct tkd_ticket_list *filter,
                      struct tkd_text tag, u64 limit, bool *more)
{
    u64 shown = 0;
    do {
        u64 wanted = limit - shown;
        filter->limit = wanted < PAGE_ROWS ? (u32)wanted : PAGE_ROWS;
        struct tkd_answer answer;
        int code =
            ctl_call(ctl, "ticket list", TKD_OP_TICKET_LIST, TKD_RECORD_ticket_list, filter, &tag, &answer);
        if (code != EXIT_OK) return code;
        const struct tkd_prefix *row = NULL;
        while (shown < limit && (row = tkd_next_row(&answer, row))) {
            ticket_rows_add(output, ctl, row, answer.time_ms);
            shown++;
        }
        filter->cursor = answer.cursor;
    } while (filter->cursor != 0 && shown < limit);
    *more = filter->cursor != 0;
    return EXIT_OK;
}

static int run(struct ctl *ctl, const struct args *args)
{
    struct tkd_ticket_list filter = {0};
    u64 limit = 100;
    bool more = false;
    int code;
    if (!args_number(args, "limit", UINT64_MAX, &limit)) return EXIT_USAGE;
    if (!ctl_catalog(ctl, &code)) return code;
    code = filter_read(ctl, args, &filter);
    if (code != EXIT_OK) return code;
    if (limit == 0) limit = UINT64_MAX;
    struct output *output = ticket_rows_open(ctl);
    code = pages_show(ctl, output, &filter, text_of(args_value(args, "tag")), limit, &more);
    output_close(output, code == EXIT_OK ? "no such tickets" : NULL);
    if (code == EXIT_OK && more && ctl->form == OUTPUT_TABLE) {
        fprintf(stderr, "(there are more: --limit N, 0 = all)\n");
    }
    return code;
}

static const struct option_info options[] = {
    {"state", 0, "STATES", "new, open, pending, on_hold, resolved, closed, cancelled; several with commas"},
    {"queue", 'q', "QUEUE", "in this queue"},
    {"agent", 'a', "AGENT", "held by this agent"},
    {"priority", 'p', "PRIORITY", "of this priority"},
    {"category", 0, "CATEGORY", "of this category"},
    {"channel", 0, "CHANNEL", "that came in by this channel"},
    {"customer", 0, "ID", "of this customer"},
    {"tag", 0, "TAG", "with this tag"},
    {"unassigned", 0, NULL, "that nobody holds"},
    {"breached", 0, NULL, "with a red card"},
    {"limit", 'n', "N", "at most so many (default 100, 0 = all)"},
    {0},
};

const struct command command_ticket_list = {
    .name = "ticket list",
    .operands = "",
    .summary = "tickets that match a filter, newest first",
    .about =
        "Tickets that have left memory some time after they were closed are not listed; 'ticket show' still "
        "finds them.",
    .example =
        "ticketctl ticket list --queue 物流 --state new,open\nticketctl ticket list --breached -o json",
    .options = options,
    .run = run,
};
