/* Figures of the server and the desk: op STATUS, SUMMARY, DIGEST answer metrics named "group.member". */
#ifndef TICKETCTL_METRICS_H
#define TICKETCTL_METRICS_H

#include "ticketctl.h"

/* As one object: "group.member" is a member of the object "group" (split at the first dot only),
 * "top_….name" an element [name, value] of the array "top_…", in the order given. New reference. */
json_t *metrics_object(const struct tkd_answer *answer);
/* The object in the form asked for; takes the reference. */
void metrics_print(const struct ctl *ctl, json_t *object);

#endif
