/* Tickets as they are named on the command line and shown. */
#ifndef TICKETCTL_TICKET_H
#define TICKETCTL_TICKET_H

#include "catalog.h"
#include "ticketctl.h"

/* The options that name a ticket by its external key; a command takes them when its operands begin with
 * TICKET. */
#define TICKET_OPTIONS                                                                                       \
    {"key", 0, "KEY", "names the ticket by its external key instead of TICKET"},                             \
        {"channel", 0, "CHANNEL", "channel of the external key"},                                            \
    {                                                                                                        \
        "receiver", 0, "ADDRESS", "receiving address of the external key, where it has one"                  \
    }

struct ticket_name {
    u64 id; /* 0: by key */
    u32 channel;
    struct tkd_text receiver;
    struct tkd_text key;
    u32 operands; /* how many operands the name took: the next one's index */
    char shown[300];
};

/* EXIT_OK, or explained. */
int ticket_name_read(struct ctl *ctl, const struct args *args, struct ticket_name *name);
/* Reads one ticket; `*row` is valid until the client's next call. */
int ticket_fetch(struct ctl *ctl, const struct ticket_name *name, const struct tkd_prefix **row,
                 struct tkd_ticket *ticket, u64 *now_ms);

/* The ids of names given as an option's value; keeps `*id` when it was not given. */
int option_id(struct ctl *ctl, const struct args *args, const char *option, u32 kind, u32 *id);
/* A priority by name; keeps it when it was not given. */
int option_priority(const struct args *args, u8 *priority);

/* Rows of tickets to stdout in the form asked for. */
struct output *ticket_rows_open(struct ctl *ctl);
void ticket_rows_add(struct output *output, struct ctl *ctl, const struct tkd_prefix *row, u64 now_ms);
/* A ticket with everything known of it. */
json_t *ticket_json(struct catalog *catalog, const struct tkd_prefix *row);
/* "yellow", "red" or "". */
const char *card_name(u32 card);

enum { TICKET_TEXT_SUBJECT, TICKET_TEXT_KEY, TICKET_TEXT_ADDRESS, TICKET_TEXT_TAGS };

#endif
