/* The structured log: one line per notable thing, on stderr.
 *
 *     ts=2026-11-21T08:30:00.123Z level=info event=ready listen=127.0.0.1:7411 recovered_ms=12
 *
 *     log_info("ready", LOG_TEXT("listen", address), LOG_U64("recovered_ms", took));
 *
 * A text is quoted where it has to be: when it is empty or holds a blank, a quote, '=', a backslash or a
 * control character; inside quotes \" \\ \n \t and \xNN stand for such characters. A line is written with
 * one write(2), at most LOG_LINE_BYTES long: what does not fit is cut, and the line then ends with cut=1. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/base.h"

#define LOG_LINE_BYTES 2048u

enum log_level { LOG_ERROR = 1, LOG_WARN, LOG_INFO };

struct log_pair {
    const char *key;
    const char *text; /* NULL: the number counts */
    u64 number;
};

static inline struct log_pair log_pair_text(const char *key, const char *text)
{
    return (struct log_pair){.key = key, .text = text ? text : ""};
}
#define LOG_TEXT(key, text) log_pair_text(key, text)
#define LOG_U64(key_, number_) ((struct log_pair){.key = (key_), .number = (number_)})

#define LOG_PAIRS(...) ((const struct log_pair[]){__VA_ARGS__ __VA_OPT__(, ){.key = NULL}})
#define log_error(event, ...) log_write(LOG_ERROR, event, LOG_PAIRS(__VA_ARGS__))
#define log_warn(event, ...) log_write(LOG_WARN, event, LOG_PAIRS(__VA_ARGS__))
#define log_info(event, ...) log_write(LOG_INFO, event, LOG_PAIRS(__VA_ARGS__))

/* `pairs` end with one whose key is NULL. */
void log_write(enum log_level level, const char *event, const struct log_pair *pairs);
/* The line as log_write() makes it, with its line feed; `line` has LOG_LINE_BYTES. Returns its bytes. */
u32 log_format(char *line, u64 time_ms, enum log_level level, const char *event, const struct log_pair *pairs);

#endif
