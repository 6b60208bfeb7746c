#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LOG_TAIL " cut=1\n"
#define LOG_TAIL_BYTES ((u32)sizeof(LOG_TAIL) - 1)

/* A line under construction; once something did not fit, nothing more is added. */
struct line {
    char *bytes;
    u32 used;
    bool cut;
};

static void line_add(struct line *line, const char *text, u64 bytes)
{
    u32 room = LOG_LINE_BYTES - LOG_TAIL_BYTES - line->used;
    if (line->cut || bytes > room) {
        line->cut = true;
        return;
    }
    memcpy(line->bytes + line->used, text, bytes);
    line->used += (u32)bytes;
}

static bool needs_quotes(const char *text)
{
    if (*text == 0) return true;
    for (const char *at = text; *at; at++) {
        u8 c = (u8)*at;
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f) return true;
    }
    return false;
}

static void line_add_escaped(struct line *line, u8 c)
{
    char escape[8];
    if (c == '"' || c == '\\') {
        snprintf(escape, sizeof(escape), "\\%c", c);
    } else if (c == '\n') {
        snprintf(escape, sizeof(escape), "\\n");
    } else if (c == '\t') {
        snprintf(escape, sizeof(escape), "\\t");
    } else if (c < ' ' || c == 0x7f) {
        snprintf(escape, sizeof(escape), "\\x%02x", c);
    } else {
        snprintf(escape, sizeof(escape), "%c", c);
    }
    line_add(line, escape, strlen(escape));
}

static void line_add_text(struct line *line, const char *text)
{
    if (!needs_quotes(text)) {
        line_add(line, text, strlen(text));
        return;
    }
    line_add(line, "\"", 1);
    for (const char *at = text; *at; at++) line_add_escaped(line, (u8)*at);
    line_add(line, "\"", 1);
}

static void line_add_pair(struct line *line, const struct log_pair *pair)
{
    u32 before = line->used;
    line_add(line, " ", 1);
    line_add(line, pair->key, strlen(pair->key));
    line_add(line, "=", 1);
    if (pair->text) {
        line_add_text(line, pair->text);
    } else {
        char number[24];
        snprintf(number, sizeof(number), "%" PRIu64, pair->number);
        line_add(line, number, strlen(number));
    }
    if (line->cut) line->used = before; /* a pair is there whole or not at all */
}

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_ERROR:
        return "error";
    case LOG_WARN:
        return "warn";
    case LOG_INFO:
        return "info";
    }
    ASSERT(!"level");
    return "";
}

u32 log_format(char *text, u64 time_ms, enum log_level level, const char *event, const struct log_pair *pairs)
{
    struct line line = {.bytes = text};
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm utc;
    char head[64];
    gmtime_r(&seconds, &utc);
    size_t bytes = strftime(head, sizeof(head), "ts=%Y-%m-%dT%H:%M:%S", &utc);
    line_add(&line, head, bytes);
    snprintf(head, sizeof(head), ".%03uZ level=%s event=", (u32)(time_ms % 1000), level_name(level));
    line_add(&line, head, strlen(head));
    line_add_text(&line, event);
    for (const struct log_pair *pair = pairs; pair->key && !line.cut; pair++) line_add_pair(&line, pair);

    const char *end = line.cut ? LOG_TAIL : "\n";
    memcpy(line.bytes + line.used, end, strlen(end));
    return line.used + (u32)strlen(end);
}

void log_write(enum log_level level, const char *event, const struct log_pair *pairs)
{
    char line[LOG_LINE_BYTES];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    u64 time_ms = (u64)now.tv_sec * 1000 + (u64)now.tv_nsec / 1000000;
    u32 bytes = log_format(line, time_ms, level, event, pairs);
    ssize_t written = write(STDERR_FILENO, line, bytes);
    (void)written; /* there is nobody left to tell */
}
