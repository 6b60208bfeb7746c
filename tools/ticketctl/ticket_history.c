/* ticket history */
#include "commands.h"
#include "events.h"
#include "ticket.h"

static int run(struct ctl *ctl, const struct args *args)
{
    struct ticket_name name;
    const struct tkd_prefix *row;
    struct tkd_ticket ticket;
    u64 now_ms, limit = 0;
    int code;
    if (!args_number(args, "limit", UINT32_MAX, &limit)) return EXIT_USAGE;
    if (!ctl_catalog(ctl, &code)) return code;
    code = ticket_name_read(ctl, args, &name);
    if (code == EXIT_OK) code = ticket_fetch(ctl, &name, &row, &ticket, &now_ms);
    if (code != EXIT_OK) return code;
    struct events events;
    code = events_read(ctl, name.shown, ticket.id, 0, (u32)limit, &events);
    if (code != EXIT_OK) return code;
    events_print(ctl, &events);
    events_free(&events);
    return EXIT_OK;
}

static const struct option_info options[] = {
    TICKET_OPTIONS,
    {"limit", 'n', "N", "only so many of the newest (0 = all, the default)"},
    {0},
};

const struct command command_ticket_history = {
    .name = "ticket history",
    .operands = "[TICKET]",
    .operands_max = 1,
    .summary = "everything that happened to a ticket, in order",
    .about = "Every event with its time, its station and who did it; a routing says why: the rule, how many "
             "agents "
             "were eligible, the load of the one chosen.",
    .example = "ticketctl ticket history 17\nticketctl ticket history --key 4711 --channel email -o json",
    .options = options,
    .run = run,
};
