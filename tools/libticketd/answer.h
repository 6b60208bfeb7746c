/* Verifying and reading what the server sent. Pure: bytes in, verdict out; never trusts a size. */
#ifndef LIBTICKETD_ANSWER_H
#define LIBTICKETD_ANSWER_H

#include "ticketd/client.h"

/* A whole frame whose header was checked: version, body checksum, flags, op, and that the body holds exactly
 * `count` rows of the op's answer record. NULL, or what is wrong with it. */
const char *answer_check(const struct tkd_frame *frame);
/* A verified frame as an answer; its rows lie in the frame. */
void answer_read(const struct tkd_frame *frame, struct tkd_answer *answer);

#endif
