/* The names that a log uses, numbered as they come, and the ids that the server gives them. */
#ifndef TICKETCTL_ROSTER_H
#define TICKETCTL_ROSTER_H

#include "desk.h"

struct roster_kind {
    struct names index; /* name -> number, from 1 */
    char **names;       /* by number */
    u32 *ids;           /* by number; 0 = the server does not know it */
    u32 count;
    u32 unknown; /* names without id */
};

struct roster {
    struct catalog *catalog; /* as read last */
    struct roster_kind kinds[TKD_KIND_END];
};

/* The number of a name; 0 for NULL. */
u32 roster_number(struct roster *roster, u32 kind, const char *name);
const char *roster_name(const struct roster *roster, u32 kind, u32 number);
u32 roster_id(const struct roster *roster, u32 kind, u32 number);
bool roster_has_unknown(const struct roster *roster);

/* Reads the server's catalog. An error of libticketd; TKD_E_REFUSED: `*status`, or 0. */
int roster_read(struct roster *roster, struct tkd_client *client, u32 *status);
/* Makes entries for all unknown names, as of `time_ms` at the earliest: agents without limit who serve every
 * queue, queues that choose the least loaded agent. An exit code; explained. */
int roster_define(struct roster *roster, struct tkd_client *client, u64 time_ms, bool *conflict);
void roster_free(struct roster *roster);

#endif
