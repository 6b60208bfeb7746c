/* What must change so that the server's catalog becomes the desk of a file.
 *
 * A section that the file has is the whole list of its kind: what it does not name is retired. Sections that
 * the file does not have stay as they are. A name that was retired comes back under its old id.
 */
#ifndef TICKETCTL_PLAN_H
#define TICKETCTL_PLAN_H

#include "desk.h"

enum plan_action { PLAN_CREATE, PLAN_REVIVE, PLAN_CHANGE, PLAN_RETIRE, PLAN_ACTIONS };

struct plan_change {
    enum plan_action action;
    u32 kind;
    u32 id;
    const char *name;
    struct desk_entry *want; /* NULL: retire */
    const struct entry *now; /* NULL: create */
    char *members;           /* change: "capacity: 5 -> 8; skills: +refund" */
};

struct plan {
    struct plan_change *changes; /* in an order in which nothing refers to what comes later */
    u32 count;
    u32 counts[PLAN_ACTIONS];
    u32 version; /* of the catalog that it is based on */
};

/* The plan for `want`, whose entries get their ids. `keep`: nothing is retired. NULL: faults were written to
 * `errors` as by desk_read(). */
struct plan *plan_make(struct desk *want, const struct desk *current, const struct catalog *catalog,
                       bool keep, const char *file, FILE *errors);
void plan_free(struct plan *plan);

/* The wire record of a change: the head, and texts that lie in `buffer`. */
#define PLAN_TEXT_BYTES (512u + 8192u + 8192u + 512u + 128u)
void plan_record(const struct plan_change *change, const struct desk *want, const struct desk *current,
                 struct tkd_catalog_entry *head, struct tkd_text texts[ENTRY_TEXTS],
                 u8 buffer[PLAN_TEXT_BYTES]);

/* Applies the changes: all of them or, when the server refuses, none. Only a plan larger than one frame is
 * applied in several steps, in its order. `*version` becomes the catalog's. EXIT_OK, or an exit code:
 * explained unless `*conflict`, which means that the catalog has changed since the plan was made and nothing
 * was done. */
int plan_send(struct tkd_client *client, const char *doing, const struct plan *plan, const struct desk *want,
              const struct desk *current, u64 time_ms, u32 *version, bool *conflict);

#endif
