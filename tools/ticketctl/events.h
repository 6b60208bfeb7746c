/* Events as people and programs read them: one sentence, or one JSON object. */
#ifndef TICKETCTL_EVENTS_H
#define TICKETCTL_EVENTS_H

#include <jansson.h>

#include "catalog.h"
#include "ticketctl.h"

/* The texts of a CREATED event, taken apart. */
enum {
    CREATED_ADDRESS,
    CREATED_RECEIVER,
    CREATED_KEY,
    CREATED_SUBJECT,
    CREATED_BODY,
    CREATED_SKILLS,
    CREATED_TEXTS
};

struct event_view {
    struct tkd_event head;
    struct tkd_text text;
    struct tkd_text created[CREATED_TEXTS]; /* of a CREATED event */
};

/* A row of record kind event. */
void event_view(const struct tkd_prefix *row, struct event_view *view);
/* "routed to 李雷 (least loaded; 3 eligible; load 2 before; waited 4s)". Freed by the caller. */
char *event_sentence(struct catalog *catalog, const struct event_view *view);
json_t *event_json(struct catalog *catalog, const struct event_view *view);

/* Does the event name this entry of the catalog (kind queue or agent; agents as the actor too)? `*any`: does
 * it name any entry of that kind besides the actor? */
bool event_names(const struct event_view *view, u32 kind, u32 id, bool *any);

/* Rows of events to stdout in the form asked for. */
struct output *event_rows_open(struct ctl *ctl);
void event_rows_add(struct output *output, struct ctl *ctl, const struct event_view *view);

/* The events of a ticket (`ticket` != 0) or a customer's touches (from the event `from` on), oldest first, at
 * most `limit` of the newest; 0 = all. The rows are freed with events_free(). EXIT_OK, or explained. */
struct events {
    void **rows; /* struct tkd_prefix */
    u32 count;
};
int events_read(struct ctl *ctl, const char *doing, u64 ticket, u64 from, u32 limit, struct events *events);
/* All of them as rows, to stdout. */
void events_print(struct ctl *ctl, const struct events *events);
void events_free(struct events *events);

#endif
