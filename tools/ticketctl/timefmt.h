/* Times and durations as people write them. */
#ifndef TICKETCTL_TIMEFMT_H
#define TICKETCTL_TIMEFMT_H

#include "ticketd/wire.h"

#define TIME_TEXT_BYTES 40u

/* "2026-11-21T08:30:00.000Z" */
const char *time_utc(u64 time_ms, char buffer[TIME_TEXT_BYTES]);
/* "2026-11-21 16:30:00", in the zone of TZ */
const char *time_local(u64 time_ms, char buffer[TIME_TEXT_BYTES]);
/* "850ms", "42s", "2h30m", "3d4h" (two largest units). */
const char *duration_text(u64 duration_ms, char buffer[TIME_TEXT_BYTES]);
/* "90m", "2h30m", "3d", "1w", "1500ms", a plain number of milliseconds; false: not one. */
bool duration_parse(const char *text, u64 *duration_ms);
/* ISO 8601 date or date and time, local unless it ends in Z or +HH:MM; "now"; "-3d" (so long before
 * now_ms); "@MS". False: not one. */
bool time_parse(const char *text, u64 now_ms, u64 *time_ms);

enum period { PERIOD_ALL, PERIOD_HOUR, PERIOD_DAY, PERIOD_WEEK, PERIOD_MONTH };
/* The begin of the local hour, day, week (Monday) or month around a time. */
u64 period_begin(enum period period, u64 time_ms);
/* "2026-11-21 16:00", "2026-11-21", "2026-W47", "2026-11" */
const char *period_text(enum period period, u64 begin_ms, char buffer[TIME_TEXT_BYTES]);
enum period period_parse(const char *text); /* PERIOD_ALL: no such */

#endif
