#include "desklog.h"

#include <stdio.h>
#include <string.h>

#define NEEDS_AGENT    1u
#define NEEDS_QUEUE    2u
#define NEEDS_PRIORITY 4u
#define NEEDS_TEXT     8u
#define NEEDS_ARRIVAL  16u /* channel and customer */
#define TAKES_AGENT    32u
#define TAKES_PRIORITY 64u

/* What may be done, and what it needs. */
static const struct {
    const char *word;
    u32 verb;
    u32 needs;
} deeds[] = {
    {"create", DESKLOG_CREATE, NEEDS_QUEUE | NEEDS_ARRIVAL | TAKES_PRIORITY},
    {"assign", TKD_VERB_ASSIGN, NEEDS_AGENT},
    {"release", TKD_VERB_RELEASE, 0},
    {"transfer", TKD_VERB_TRANSFER, NEEDS_QUEUE | TAKES_AGENT},
    {"priority", TKD_VERB_PRIORITY, NEEDS_PRIORITY},
    {"pend", TKD_VERB_PEND, 0},
    {"hold", TKD_VERB_HOLD, 0},
    {"resume", TKD_VERB_RESUME, 0},
    {"resolve", TKD_VERB_RESOLVE, 0},
    {"close", TKD_VERB_CLOSE, 0},
    {"cancel", TKD_VERB_CANCEL, 0},
    {"reopen", TKD_VERB_REOPEN, 0},
    {"note", TKD_VERB_NOTE, NEEDS_TEXT},
};

struct parse {
    json_t *object;
    char *error;
    u32 error_bytes;
    bool failed;
};

/* The text of a member; NULL: absent, or explained. */
static const char *text_member(struct parse *parse, const char *name, u32 bytes_max, bool needed)
{
    if (parse->failed) return NULL;
    json_t *value = json_object_get(parse->object, name);
    if (!value || json_is_null(value)) {
        if (needed) {
            snprintf(parse->error, parse->error_bytes, "the member `%s` is missing", name);
            parse->failed = true;
        }
        return NULL;
    }
    const char *wrong = NULL;
    if (!json_is_string(value))
        wrong = "is no text";
    else if (needed && !json_string_length(value))
        wrong = "is empty";
    else if (json_string_length(value) > bytes_max)
        wrong = "is too long";
    if (!wrong) return json_string_value(value);
    snprintf(parse->error, parse->error_bytes, "the member `%s` %s (a text of %s%u bytes is wanted)", name,
             wrong, needed ? "1 to " : "up to ", bytes_max);
    parse->failed = true;
    return NULL;
}

static const char *filled_or_null(const char *text) { return text && *text ? text : NULL; }

static void read_members(struct parse *parse, struct desklog_line *line, u32 needs)
{
    line->key = text_member(parse, "key", 256, true);
    if (needs & NEEDS_QUEUE) line->queue = text_member(parse, "queue", 120, true);
    if (needs & (NEEDS_AGENT | TAKES_AGENT))
        line->agent = filled_or_null(text_member(parse, "agent", 120, needs & NEEDS_AGENT));
    if (needs & NEEDS_TEXT) line->text = text_member(parse, "text", DESKLOG_TEXT_BYTES_MAX, true);
    if (needs & NEEDS_ARRIVAL) {
        line->channel = text_member(parse, "channel", 120, true);
        line->customer = text_member(parse, "customer", 256, true);
        line->category = filled_or_null(text_member(parse, "category", 120, false));
        line->subject = text_member(parse, "subject", DESKLOG_TEXT_BYTES_MAX, false);
    }
    if (!(needs & (NEEDS_PRIORITY | TAKES_PRIORITY))) return;
    const char *priority = text_member(parse, "priority", 120, needs & NEEDS_PRIORITY);
    line->priority = priority ? tkd_number(TKD_ENUM_PRIORITY, priority) : 0;
    if (!priority || line->priority || parse->failed) return;
    snprintf(parse->error, parse->error_bytes, "unknown priority `%.40s`; it is urgent, high, normal or low",
             priority);
    parse->failed = true;
}

static void read_line(struct parse *parse, struct desklog_line *line)
{
    json_t *at = json_object_get(parse->object, "at");
    if (!json_is_integer(at) || json_integer_value(at) <= 0) {
        snprintf(parse->error, parse->error_bytes,
                 "the member `at` is no whole number of milliseconds above 0");
        parse->failed = true;
        return;
    }
    line->at_ms = (u64)json_integer_value(at);
    const char *word = text_member(parse, "do", 120, true);
    if (!word) return;
    for (u32 i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++) {
        if (strcmp(word, deeds[i].word)) continue;
        line->verb = deeds[i].verb;
        read_members(parse, line, deeds[i].needs);
        return;
    }
    snprintf(parse->error, parse->error_bytes,
             "unknown `do`: `%.40s`; it is create, assign, release, transfer, priority, pend, hold, resume, "
             "resolve, close, cancel, reopen or note",
             word);
    parse->failed = true;
}

bool desklog_parse(const char *data, size_t bytes, struct desklog_line *line, char *error, u32 error_bytes)
{
    memset(line, 0, sizeof(*line));
    json_error_t problem;
    struct parse parse = {.error = error, .error_bytes = error_bytes};
    parse.object = json_loadb(data, bytes, JSON_REJECT_DUPLICATES, &problem);
    if (!parse.object) {
        snprintf(error, error_bytes, "not JSON: %s (column %d)", problem.text, problem.column);
        return false;
    }
    if (!json_is_object(parse.object)) {
        snprintf(error, error_bytes, "no JSON object: a line is {\"at\": …, \"key\": …, \"do\": …}");
        parse.failed = true;
    } else {
        read_line(&parse, line);
    }
    line->object = parse.object;
    if (parse.failed) desklog_clear(line);
    return !parse.failed;
}

void desklog_clear(struct desklog_line *line)
{
    json_decref(line->object);
    memset(line, 0, sizeof(*line));
}
