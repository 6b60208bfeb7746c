/* Every command, in the file that has it. */
#ifndef TICKETCTL_COMMANDS_H
#define TICKETCTL_COMMANDS_H

#include "ticketctl.h"

/* The commands that are one verb of TICKET_UPDATE. U(name of the constant) */
/* clang-format off */
#define TICKET_UPDATES(U)                                                                                    \
    U(assign) U(claim) U(release) U(transfer) U(priority) U(category) U(tag) U(untag) U(pend) U(hold)        \
    U(resume) U(resolve) U(close) U(cancel) U(force_end) U(pause) U(continue) U(reopen) U(urge) U(reply)     \
    U(note) U(message)
/* clang-format on */

#define COMMAND_DECLARE(name) extern const struct command command_ticket_##name;
#define COMMAND_ADDRESS(name) &command_ticket_##name,

/* status.c */
extern const struct command command_status, command_checkpoint, command_backup, command_digest;
/* apply.c, export.c, replay.c, inspect.c */
extern const struct command command_apply, command_export, command_replay, command_inspect;
/* ticket_create.c, ticket_list.c, ticket_show.c, ticket_history.c, ticket_update.c */
extern const struct command command_ticket_create, command_ticket_list, command_ticket_show,
    command_ticket_history;
TICKET_UPDATES(COMMAND_DECLARE)
/* queue.c, agent.c, customer.c */
extern const struct command command_queue_list, command_queue_show;
extern const struct command command_agent_list, command_agent_show, command_agent_online,
    command_agent_offline;
extern const struct command command_customer_show, command_customer_tier;
/* report.c */
extern const struct command command_report_summary, command_report_desk, command_report_queues,
    command_report_agents, command_report_channels, command_report_categories, command_report_priorities,
    command_report_tiers;
/* watch.c */
extern const struct command command_watch;

#endif
