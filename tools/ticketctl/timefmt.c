#include "timefmt.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND_MS   1000ull
#define MINUTE_MS   (60 * SECOND_MS)
#define HOUR_MS     (60 * MINUTE_MS)
#define DAY_MS      (24 * HOUR_MS)
#define WEEK_MS     (7 * DAY_MS)
#define TIME_MS_MAX 253402300799999ull /* 9999-12-31 */

static const struct unit {
    const char *name;
    u64 ms;
} units[] = {{"w", WEEK_MS}, {"d", DAY_MS}, {"h", HOUR_MS}, {"ms", 1}, {"m", MINUTE_MS}, {"s", SECOND_MS}};

const char *time_utc(u64 time_ms, char buffer[TIME_TEXT_BYTES])
{
    time_t seconds = (time_t)((time_ms > TIME_MS_MAX ? TIME_MS_MAX : time_ms) / SECOND_MS);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t length = strftime(buffer, TIME_TEXT_BYTES, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(buffer + length, TIME_TEXT_BYTES - length, ".%03uZ", (unsigned)(time_ms % SECOND_MS));
    return buffer;
}

static const char *time_pattern(u64 time_ms, const char *pattern, char buffer[TIME_TEXT_BYTES])
{
    time_t seconds = (time_t)((time_ms > TIME_MS_MAX ? TIME_MS_MAX : time_ms) / SECOND_MS);
    struct tm tm;
    localtime_r(&seconds, &tm);
    strftime(buffer, TIME_TEXT_BYTES, pattern, &tm);
    return buffer;
}

const char *time_local(u64 time_ms, char buffer[TIME_TEXT_BYTES])
{
    return time_pattern(time_ms, "%Y-%m-%d %H:%M:%S", buffer);
}

const char *duration_text(u64 ms, char buffer[TIME_TEXT_BYTES])
{
    static const struct unit shown[] = {{"d", DAY_MS}, {"h", HOUR_MS}, {"m", MINUTE_MS}, {"s", SECOND_MS}};
    if (ms < SECOND_MS) {
        snprintf(buffer, TIME_TEXT_BYTES, "%ums", (unsigned)ms);
        return buffer;
    }
    u32 largest = 0;
    while (ms < shown[largest].ms) largest++;
    unsigned long long first = ms / shown[largest].ms;
    unsigned long long second = largest < 3 ? ms % shown[largest].ms / shown[largest + 1].ms : 0;
    if (second > 0) {
        snprintf(buffer, TIME_TEXT_BYTES, "%llu%s%llu%s", first, shown[largest].name, second,
                 shown[largest + 1].name);
    } else {
        snprintf(buffer, TIME_TEXT_BYTES, "%llu%s", first, shown[largest].name);
    }
    return buffer;
}

static const struct unit *unit_find(const char *text, size_t length)
{
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strlen(units[i].name) == length && strncmp(units[i].name, text, length) == 0) return &units[i];
    }
    return NULL;
}

bool duration_parse(const char *text, u64 *duration_ms)
{
    u64 total = 0;
    if (!isdigit((unsigned char)*text)) return false;
    while (*text) {
        char *end;
        if (!isdigit((unsigned char)*text)) return false;
        unsigned long long number = strtoull(text, &end, 10);
        size_t length = 0;
        while (isalpha((unsigned char)end[length])) length++;
        const struct unit *unit = unit_find(end, length);
        if (!unit && !(length == 0 && total == 0 && *end == 0)) return false;
        u64 ms = unit ? unit->ms : 1;
        if (number > TIME_MS_MAX / ms) return false;
        total += number * ms;
        text = end + length;
    }
    if (total > TIME_MS_MAX) return false;
    *duration_ms = total;
    return true;
}

/* Reads exactly `digits` digits. */
static bool digits_read(const char **text, u32 digits, int *value)
{
    *value = 0;
    for (u32 i = 0; i < digits; i++, (*text)++) {
        if (!isdigit((unsigned char)**text)) return false;
        *value = *value * 10 + (**text - '0');
    }
    return true;
}

static bool character_read(const char **text, char character)
{
    if (**text != character) return false;
    (*text)++;
    return true;
}

/* ":MM[:SS[.mmm]]" behind the hour. */
static bool clock_read(const char **text, struct tm *tm, u64 *ms)
{
    if (!character_read(text, ':') || !digits_read(text, 2, &tm->tm_min)) return false;
    if (!character_read(text, ':')) return true;
    if (!digits_read(text, 2, &tm->tm_sec)) return false;
    if (!character_read(text, '.')) return true;
    int fraction;
    if (!digits_read(text, 3, &fraction)) return false;
    *ms = (u64)fraction;
    return true;
}

/* "Z", "+HH:MM", "-HHMM"; none: local. */
static bool zone_read(const char **text, bool *local, int *offset_minutes)
{
    *local = **text == 0;
    *offset_minutes = 0;
    if (*local || character_read(text, 'Z')) return true;
    int sign = **text == '+' ? 1 : **text == '-' ? -1 : 0;
    if (sign == 0) return false;
    (*text)++;
    int hours, minutes;
    if (!digits_read(text, 2, &hours)) return false;
    character_read(text, ':');
    if (!digits_read(text, 2, &minutes)) return false;
    *offset_minutes = sign * (hours * 60 + minutes);
    return true;
}

static bool iso_parse(const char *text, u64 *time_ms)
{
    struct tm tm = {.tm_isdst = -1};
    u64 ms = 0;
    if (!digits_read(&text, 4, &tm.tm_year) || !character_read(&text, '-')) return false;
    if (!digits_read(&text, 2, &tm.tm_mon)) return false;
    tm.tm_mday = 1;
    if (character_read(&text, '-') && !digits_read(&text, 2, &tm.tm_mday)) return false;
    if (character_read(&text, 'T') || character_read(&text, ' ')) {
        if (!digits_read(&text, 2, &tm.tm_hour) || !clock_read(&text, &tm, &ms)) return false;
    }
    bool local;
    int offset_minutes;
    if (!zone_read(&text, &local, &offset_minutes) || *text != 0) return false;
    if (tm.tm_year < 1970 || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
        tm.tm_hour > 24 || tm.tm_min > 59 || tm.tm_sec > 60) {
        return false;
    }
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    int month = tm.tm_mon, hour = tm.tm_hour;
    time_t seconds = local ? mktime(&tm) : timegm(&tm) - (time_t)offset_minutes * 60;
    bool day_exists = hour == 24 || tm.tm_mon == month;
    if (seconds < 0 || !day_exists) return false;
    *time_ms = (u64)seconds * SECOND_MS + ms;
    return true;
}

bool time_parse(const char *text, u64 now_ms, u64 *time_ms)
{
    if (strcmp(text, "now") == 0) {
        *time_ms = now_ms;
        return true;
    }
    if (text[0] == '-') {
        u64 ago_ms;
        if (!duration_parse(text + 1, &ago_ms) || ago_ms > now_ms) return false;
        *time_ms = now_ms - ago_ms;
        return true;
    }
    if (text[0] == '@') {
        char *end;
        if (!isdigit((unsigned char)text[1])) return false;
        unsigned long long ms = strtoull(text + 1, &end, 10);
        *time_ms = ms;
        return *end == 0 && ms <= TIME_MS_MAX;
    }
    return iso_parse(text, time_ms);
}

u64 period_begin(enum period period, u64 time_ms)
{
    if (period == PERIOD_ALL) return 0;
    time_t seconds = (time_t)(time_ms / SECOND_MS);
    struct tm tm;
    localtime_r(&seconds, &tm);
    tm.tm_min = 0;
    tm.tm_sec = 0;
    if (period == PERIOD_HOUR) return time_ms / HOUR_MS * HOUR_MS;
    tm.tm_hour = 0;
    tm.tm_isdst = -1;
    if (period == PERIOD_WEEK) tm.tm_mday -= (tm.tm_wday + 6) % 7;
    if (period == PERIOD_MONTH) tm.tm_mday = 1;
    time_t begin = mktime(&tm);
    return begin < 0 ? 0 : (u64)begin * SECOND_MS;
}

const char *period_text(enum period period, u64 begin_ms, char buffer[TIME_TEXT_BYTES])
{
    static const char *const patterns[] = {"", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%G-W%V", "%Y-%m"};
    return time_pattern(begin_ms, patterns[period], buffer);
}

enum period period_parse(const char *text)
{
    static const char *const names[] = {NULL, "hour", "day", "week", "month"};
    for (u32 i = PERIOD_HOUR; i <= PERIOD_MONTH; i++) {
        if (strcmp(text, names[i]) == 0) return (enum period)i;
    }
    return PERIOD_ALL;
}
