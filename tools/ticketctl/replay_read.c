/* Reading the log: lines to items. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "replay.h"

#define MALFORMED_SHOWN_MAX 10u

static void keep_reason(struct replay *replay, int code, u64 line, const char *text, const char *reason)
{
    char *copy = text ? strdup(text) : NULL;
    free(replay->halt_text);
    replay->code = code;
    replay->halt_line = line;
    replay->halt_text = copy;
    snprintf(replay->reason, sizeof(replay->reason), "%s", reason);
}

void replay_halt(struct replay *replay, int code, u64 line, const char *text, const char *format, ...)
{
    if (replay->halted) return;
    char reason[REASON_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    keep_reason(replay, code, line, text, reason);
    replay->halted = true;
}

/* Nothing is read from here on; the lines before it are still done. */
static void end_at_line(struct replay *replay, const char *text, const char *reason)
{
    keep_reason(replay, EXIT_REFUSED, replay->file.line, text, reason);
    replay->ended = replay->ends_badly = true;
}

/* A line that is no line of a desk log. It is no record of the session. */
static void malformed(struct replay *replay, const char *data, u32 bytes, const char *reason)
{
    if (!replay->keep_going) {
        char *text = strndup(data, bytes);
        end_at_line(replay, text, reason);
        free(text);
    } else if (replay->malformed++ < MALFORMED_SHOWN_MAX) {
        progress_clear(&replay->progress);
        complain("line %llu: %s", (unsigned long long)replay->file.line, reason);
    }
}

/* The next line that is one; false: there is none. */
static bool next_line(struct replay *replay, struct desklog_line *line, const char **data, u32 *bytes)
{
    char reason[REASON_BYTES];
    while (!replay->ended) {
        int got = logfile_next(&replay->file, data, bytes);
        if (got == 0) {
            replay->ended = true;
            return false;
        }
        if (got < 0) {
            bool too_long = got == -2;
            end_at_line(replay, NULL,
                        too_long ? "the line is longer than 2 MiB; is it a desk log?" : strerror(errno));
            return false;
        }
        if (!desklog_parse(*data, *bytes, line, reason, sizeof(reason))) {
            malformed(replay, *data, *bytes, reason);
            continue;
        }
        if (line->at_ms >= replay->at_ms) return true;
        snprintf(reason, sizeof(reason), "`at` goes back from %llu to %llu; sort the log by time",
                 (unsigned long long)replay->at_ms, (unsigned long long)line->at_ms);
        malformed(replay, *data, *bytes, reason);
        desklog_clear(line);
    }
    return false;
}

/* Tickets are addressed by key in the channel that created them. */
static u32 channel_of_key(struct replay *replay, const struct desklog_line *line)
{
    u32 bytes = (u32)strlen(line->key);
    u32 channel = names_get(&replay->keys, line->key, bytes);
    if (channel || line->verb != DESKLOG_CREATE) return channel;
    channel = roster_number(&replay->roster, TKD_KIND_CHANNEL, line->channel);
    names_put(&replay->keys, line->key, bytes, channel);
    return channel;
}

static void add_item(struct replay *replay, struct desklog_line *line, u32 channel, const char *data,
                     u32 bytes)
{
    struct replay_item *item = replay_item(replay, replay->end++);
    *item = (struct replay_item){
        .line = replay->file.line,
        .text = strndup(data, bytes),
        .what = *line,
        .queue = roster_number(&replay->roster, TKD_KIND_QUEUE, line->queue),
        .agent = roster_number(&replay->roster, TKD_KIND_AGENT, line->agent),
        .category = roster_number(&replay->roster, TKD_KIND_CATEGORY, line->category),
        .channel = channel,
    };
}

void replay_read(struct replay *replay)
{
    do {
        struct desklog_line line;
        const char *data;
        u32 bytes;
        if (!next_line(replay, &line, &data, &bytes)) return;
        replay->at_ms = line.at_ms;
        u32 channel = channel_of_key(replay, &line);
        if (replay->read++ < replay->skip)
            desklog_clear(&line);
        else
            add_item(replay, &line, channel, data, bytes);
    } while (replay->read % CHUNK_LINES);
}

bool replay_name_fault(struct replay *replay, const struct replay_item *item, char reason[REASON_BYTES])
{
    const struct roster *roster = &replay->roster;
    const struct {
        u32 kind;
        u32 number;
    } names[] = {{TKD_KIND_QUEUE, item->queue},
                 {TKD_KIND_AGENT, item->agent},
                 {TKD_KIND_CATEGORY, item->category},
                 {TKD_KIND_CHANNEL, item->channel}};
    for (u32 i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        u32 kind = names[i].kind, number = names[i].number;
        if (!number || roster_id(roster, kind, number)) continue;
        snprintf(reason, REASON_BYTES,
                 "the desk has no %s `%s`; declare it with `ticketctl apply`, or replay with --define",
                 tkd_name(TKD_ENUM_KIND, kind), roster_name(roster, kind, number));
        return true;
    }
    if (item->channel) return false;
    snprintf(reason, REASON_BYTES, "no earlier line creates the ticket `%s`", item->what.key);
    return true;
}
