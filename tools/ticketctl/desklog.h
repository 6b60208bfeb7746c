/* One line of a desk log: what was done to which ticket, when, in the words of the log. */
#ifndef TICKETCTL_DESKLOG_H
#define TICKETCTL_DESKLOG_H

#include <jansson.h>

#include "base/base.h"

#define DESKLOG_LINE_BYTES_MAX LIMIT(2u << 20, 512u)
#define DESKLOG_TEXT_BYTES_MAX 262144u
#define DESKLOG_CREATE         0xffu /* `verb` of a create; all others are verbs of TICKET_UPDATE */

/* Texts are NULL when the line does not have them; they live until desklog_clear(). */
struct desklog_line {
    u64 at_ms;
    u32 verb;
    u32 priority;
    const char *key;
    const char *queue;
    const char *channel;
    const char *customer;
    const char *category;
    const char *subject;
    const char *agent;
    const char *text;
    json_t *object; /* owner of the texts */
};

/* False: `error` says why. The line needs desklog_clear() only after true. */
bool desklog_parse(const char *data, size_t bytes, struct desklog_line *line, char *error, u32 error_bytes);
void desklog_clear(struct desklog_line *line);

#endif
