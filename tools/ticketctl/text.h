/* UTF-8 text on a terminal: how wide it is, how it is shortened, and what must not reach it. */
#ifndef TICKETCTL_TEXT_H
#define TICKETCTL_TEXT_H

#include <stdio.h>

#include "ticketd/wire.h"

/* Decodes one character; returns the bytes it takes (>= 1). What is no UTF-8 gives U+FFFD for one byte. */
u32 utf8_next(const char *data, u32 bytes, u32 *character);
/* Terminal columns of one character: 0, 1 or 2. */
u32 character_width(u32 character);
u32 text_width(const char *data, u32 bytes);
/* A copy fit for one line of a terminal: control characters become blanks, broken bytes U+FFFD. Freed by the
 * caller. */
char *text_clean(const char *data, u32 bytes);
/* A copy in which only broken bytes are replaced. Freed by the caller. */
char *text_repair(const char *data, u32 bytes);
/* Writes `string` shortened to `columns` (with … at the end when it was longer) and, when `pad`, filled up
 * with blanks. */
void text_print(FILE *file, const char *string, u32 columns, bool pad);

#endif
