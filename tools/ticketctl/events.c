#include "events.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "timefmt.h"

/* What a number of an event means. */
enum meaning {
    M_NONE,
    M_NUMBER,
    M_QUEUE,
    M_AGENT,
    M_CATEGORY,
    M_CHANNEL,
    M_TIER,
    M_POLICY_OR_QUEUE,
    M_ENTRY, /* of the catalog kind in `a` */
    M_PRIORITY,
    M_STATE,
    M_VERB,
    M_RULE,
    M_CLOCK,
    M_CARD,
    M_OUTCOME,
    M_PRESENCE,
    M_KIND,
    M_DURATION,
    M_TIME
};

/* Members are a..e of the event; f and g are what is packed into d or stands in `link`. */
#define VALUES_MAX 7u

struct member {
    const char *name;
    enum meaning meaning;
};

/* In a sentence {a} is a member, {t} the text; what stands in [ ] is left out when one of its members is
 * empty. */
struct event_form {
    const char *sentence;
    struct member members[VALUES_MAX];
};

static const struct event_form forms[TKD_EVENT_END] = {
    [TKD_EVENT_CREATED] = {"created in {a}[ by {g}] for customer {b}[ ({t})], {d}[, category {c}]",
                           {{"queue", M_QUEUE},
                            {"customer", M_NUMBER},
                            {"category", M_CATEGORY},
                            {"priority", M_PRIORITY},
                            {NULL, M_NONE},
                            {"state", M_STATE},
                            {"channel", M_CHANNEL}}},
    [TKD_EVENT_ROUTED] = {"routed to {a} ({c}; {b} eligible; load {d} before; waited {e})",
                          {{"agent", M_AGENT},
                           {"eligible", M_NUMBER},
                           {"rule", M_RULE},
                           {"load", M_NUMBER},
                           {"waited_ms", M_DURATION}}},
    [TKD_EVENT_WAITING] = {"waits in {a} ({c}; {b} in line)",
                           {{"queue", M_QUEUE}, {"waiting", M_NUMBER}, {"rule", M_RULE}}},
    [TKD_EVENT_ASSIGNED] = {"assigned to {a}[, taken from {b}]",
                            {{"agent", M_AGENT}, {"agent_before", M_AGENT}}},
    [TKD_EVENT_RELEASED] = {"released[ by {a}], back in the queue", {{"agent", M_AGENT}}},
    [TKD_EVENT_TASK_CLOSED] = {"station in {a}[ of {b}] ended: {c}",
                               {{"queue", M_QUEUE},
                                {"agent", M_AGENT},
                                {"outcome", M_OUTCOME},
                                {"state", M_STATE},
                                {NULL, M_NONE},
                                {"priority", M_PRIORITY},
                                {"entered", M_TIME}}},
    [TKD_EVENT_TRANSFERRED] = {"transferred from {a} to {b}[, to {c}]",
                               {{"queue_before", M_QUEUE}, {"queue", M_QUEUE}, {"agent", M_AGENT}}},
    [TKD_EVENT_PRIORITY] = {"priority {a} -> {b}", {{"before", M_PRIORITY}, {"priority", M_PRIORITY}}},
    [TKD_EVENT_CATEGORY] = {"category[ {a}] ->[ {b}]", {{"before", M_CATEGORY}, {"category", M_CATEGORY}}},
    [TKD_EVENT_TAGGED] = {"tagged {t}", {{0}}},
    [TKD_EVENT_UNTAGGED] = {"untagged {t}", {{0}}},
    [TKD_EVENT_STATE] =
        {"{a} -> {b} ({c})[: {t}]",
         {{"before", M_STATE}, {"state", M_STATE}, {"verb", M_VERB}, {"queue", M_QUEUE}, {"agent", M_AGENT}}},
    [TKD_EVENT_PAUSED] = {"paused[: {t}]", {{0}}},
    [TKD_EVENT_CONTINUED] = {"continued", {{0}}},
    [TKD_EVENT_URGED] = {"the customer urges (time {a})", {{"urges", M_NUMBER}}},
    [TKD_EVENT_REPLIED] = {"reply: {t}", {{"first", M_NUMBER}}},
    [TKD_EVENT_NOTED] = {"note: {t}", {{0}}},
    [TKD_EVENT_MESSAGE] = {"message of the customer[ by {a}]: {t}", {{"channel", M_CHANNEL}}},
    [TKD_EVENT_CARD] = {"{b} card: {a}[, {c}], priority {d}, target {f}",
                        {{"clock", M_CLOCK},
                         {"card", M_CARD},
                         {"policy", M_POLICY_OR_QUEUE},
                         {"priority", M_PRIORITY},
                         {NULL, M_NONE},
                         {"target_ms", M_DURATION}}},
    [TKD_EVENT_ARCHIVED] = {"archived: left memory", {{0}}},
    [TKD_EVENT_CATALOG] = {"catalog: {a} {b}, version {c}",
                           {{"entry_kind", M_KIND}, {"entry", M_ENTRY}, {"version", M_NUMBER}}},
    [TKD_EVENT_PRESENCE] = {"{a} is {b}", {{"agent", M_AGENT}, {"presence", M_PRESENCE}}},
    [TKD_EVENT_CUSTOMER] = {"customer {a}[: tier {c}][, name {t}]",
                            {{"customer", M_NUMBER}, {"tier_before", M_TIER}, {"tier", M_TIER}}},
};

/* ---- Taking an event apart ---- */

/* The text of a CREATED event: six lengths, then the bytes. Whatever does not add up is left empty. */
static void created_split(struct event_view *view)
{
    u32 lengths[CREATED_TEXTS];
    if (view->text.bytes < sizeof(lengths)) return;
    memcpy(lengths, view->text.data, sizeof(lengths));
    u32 at = sizeof(lengths);
    for (u32 i = 0; i < CREATED_TEXTS; i++) {
        if (lengths[i] > view->text.bytes - at) return;
        view->created[i] = (struct tkd_text){view->text.data + at, lengths[i]};
        at += lengths[i];
    }
}

/* Events whose text is not for people. */
static bool text_is_binary(u32 kind)
{
    return kind == TKD_EVENT_CREATED || kind == TKD_EVENT_ARCHIVED || kind == TKD_EVENT_CATALOG;
}

void event_view(const struct tkd_prefix *row, struct event_view *view)
{
    memset(view, 0, sizeof(*view));
    tkd_read(TKD_RECORD_event, row, &view->head);
    view->text = tkd_row_text(TKD_RECORD_event, row, 0);
    if (view->head.kind == TKD_EVENT_CREATED) created_split(view);
}

static void values_of(const struct tkd_event *event, u64 values[VALUES_MAX])
{
    const u64 plain[VALUES_MAX] = {event->a, event->b, event->c, event->d, event->e, 0, 0};
    memcpy(values, plain, sizeof(plain));
    if (event->kind == TKD_EVENT_CREATED) {
        values[3] = event->d & 0xFF;
        values[5] = event->d >> 8 & 0xFF;
        values[6] = event->d >> 16;
    } else if (event->kind == TKD_EVENT_TASK_CLOSED) {
        values[3] = event->d & 0xFF;
        values[5] = event->d >> 8 & 0xFF;
        values[6] = event->link;
    } else if (event->kind == TKD_EVENT_CARD) {
        values[5] = event->link;
    }
}

/* The kind of the catalog that a value is an id of, 0 = none. */
static u32 catalog_kind_of(enum meaning meaning, const struct tkd_event *event)
{
    switch (meaning) {
    case M_QUEUE:
        return TKD_KIND_QUEUE;
    case M_AGENT:
        return TKD_KIND_AGENT;
    case M_CATEGORY:
        return TKD_KIND_CATEGORY;
    case M_CHANNEL:
        return TKD_KIND_CHANNEL;
    case M_TIER:
        return TKD_KIND_TIER;
    case M_POLICY_OR_QUEUE:
        return event->a == TKD_CLOCK_STEP ? TKD_KIND_QUEUE : TKD_KIND_POLICY;
    case M_ENTRY:
        return event->a < TKD_KIND_END ? event->a : 0;
    default:
        return 0;
    }
}

static u32 enum_of(enum meaning meaning)
{
    static const u8 enums[] = {[M_PRIORITY] = TKD_ENUM_PRIORITY, [M_STATE] = TKD_ENUM_STATE,
                               [M_VERB] = TKD_ENUM_VERB,         [M_RULE] = TKD_ENUM_RULE,
                               [M_CLOCK] = TKD_ENUM_CLOCK,       [M_CARD] = TKD_ENUM_CARD,
                               [M_OUTCOME] = TKD_ENUM_OUTCOME,   [M_PRESENCE] = TKD_ENUM_PRESENCE,
                               [M_KIND] = TKD_ENUM_KIND,         [M_TIME] = 0};
    return enums[meaning];
}

/* ---- Sentences ---- */

/* A rule's name and why; others by name alone. */
static void enum_print(FILE *file, enum meaning meaning, u32 number)
{
    for (const char *at = tkd_name((enum tkd_enum)enum_of(meaning), number); *at; at++) {
        fputc(*at == '_' ? ' ' : *at, file);
    }
    if (meaning != M_RULE) return;
    const char *why = tkd_doc(TKD_ENUM_RULE, number);
    fprintf(file, ": %s", strncmp(why, "waits: ", 7) == 0 ? why + 7 : why);
}

/* False when there is nothing to say. */
static bool value_print(FILE *file, struct catalog *catalog, const struct tkd_event *event,
                        enum meaning meaning, u64 value)
{
    char buffer[TIME_TEXT_BYTES];
    u32 kind = catalog_kind_of(meaning, event);
    if (kind != 0) {
        const char *name = catalog_name(catalog, kind, (u32)value);
        fputs(name, file);
        return *name != 0;
    }
    if (enum_of(meaning) != 0) {
        if (value != 0) enum_print(file, meaning, (u32)value);
        return value != 0;
    }
    if (meaning == M_DURATION) {
        fputs(duration_text(value, buffer), file);
    } else if (meaning == M_TIME) {
        fputs(time_local(value, buffer), file);
    } else {
        fprintf(file, "%" PRIu64, value);
    }
    return true;
}

static struct tkd_text shown_text(const struct event_view *view)
{
    if (view->head.kind == TKD_EVENT_CREATED) return view->created[CREATED_ADDRESS];
    if (text_is_binary(view->head.kind)) return (struct tkd_text){"", 0};
    return view->text;
}

/* Prints the piece between two places of a sentence; false when one of its members is empty. */
static bool piece_print(FILE *file, struct catalog *catalog, const struct event_view *view, const char *from,
                        const char *to)
{
    const struct event_form *form = &forms[view->head.kind];
    u64 values[VALUES_MAX];
    bool full = true;
    values_of(&view->head, values);
    for (; from < to; from++) {
        if (*from != '{') {
            fputc(*from, file);
            continue;
        }
        char member = from[1];
        from += 2;
        if (member == 't') {
            struct tkd_text text = shown_text(view);
            fwrite(text.data, 1, text.bytes, file);
            full = full && text.bytes > 0;
        } else {
            u32 index = (u32)(member - 'a');
            full =
                value_print(file, catalog, &view->head, form->members[index].meaning, values[index]) && full;
        }
    }
    return full;
}

static void optional_print(FILE *file, struct catalog *catalog, const struct event_view *view,
                           const char *from, const char *to)
{
    char *text;
    size_t bytes;
    FILE *memory = open_memstream(&text, &bytes);
    if (!memory) return;
    bool full = piece_print(memory, catalog, view, from, to);
    fclose(memory);
    if (full) fwrite(text, 1, bytes, file);
    free(text);
}

char *event_sentence(struct catalog *catalog, const struct event_view *view)
{
    char *text = NULL;
    size_t bytes;
    FILE *file = open_memstream(&text, &bytes);
    if (!file) return strdup("");
    const char *at = view->head.kind < TKD_EVENT_END ? forms[view->head.kind].sentence : NULL;
    if (!at) fprintf(file, "event of kind %u", view->head.kind);
    while (at && *at) {
        size_t plain = strcspn(at, "[");
        piece_print(file, catalog, view, at, at + plain);
        at += plain;
        if (*at != '[') continue;
        size_t optional = strcspn(at, "]");
        optional_print(file, catalog, view, at + 1, at + optional);
        at += optional + 1;
    }
    const struct tkd_text *subject = &view->created[CREATED_SUBJECT];
    if (subject->bytes > 0) fprintf(file, ": %.*s", (int)subject->bytes, subject->data);
    fclose(file);
    return text;
}

/* ---- JSON ---- */

static json_t *value_json(struct catalog *catalog, const struct tkd_event *event, enum meaning meaning,
                          u64 value)
{
    char buffer[TIME_TEXT_BYTES];
    u32 kind = catalog_kind_of(meaning, event);
    if (kind != 0) {
        const char *name = catalog_name(catalog, kind, (u32)value);
        return *name ? output_json_text(name, (u32)strlen(name)) : json_null();
    }
    if (enum_of(meaning) != 0) {
        return value ? json_string(tkd_name((enum tkd_enum)enum_of(meaning), (u32)value)) : json_null();
    }
    if (meaning == M_TIME) return json_string(time_utc(value, buffer));
    return json_integer((json_int_t)value);
}

static void created_json(json_t *object, struct catalog *catalog, const struct event_view *view)
{
    static const char *const names[] = {"address", "receiver", "key", "subject", "body"};
    for (u32 i = 0; i < CREATED_SKILLS; i++) {
        struct tkd_text text = view->created[i];
        json_object_set_new(object, names[i],
                            text.bytes ? output_json_text(text.data, text.bytes) : json_null());
    }
    json_t *skills = json_array();
    for (u32 at = 0; at + 2 <= view->created[CREATED_SKILLS].bytes; at += 2) {
        u16 id;
        memcpy(&id, view->created[CREATED_SKILLS].data + at, sizeof(id));
        const char *name = catalog_name(catalog, TKD_KIND_SKILL, id);
        json_array_append_new(skills, output_json_text(name, (u32)strlen(name)));
    }
    json_object_set_new(object, "skills", skills);
}

json_t *event_json(struct catalog *catalog, const struct event_view *view)
{
    const struct tkd_event *event = &view->head;
    char buffer[TIME_TEXT_BYTES];
    json_t *object = json_object();
    json_object_set_new(object, "seq", json_integer((json_int_t)event->seq));
    json_object_set_new(object, "time", json_string(time_utc(event->time_ms, buffer)));
    json_object_set_new(object, "kind", json_string(tkd_name(TKD_ENUM_EVENT, event->kind)));
    json_object_set_new(object, "ticket",
                        event->ticket ? json_integer((json_int_t)event->ticket) : json_null());
    json_object_set_new(object, "station", event->station ? json_integer(event->station) : json_null());
    json_object_set_new(object, "actor", value_json(catalog, event, M_AGENT, event->actor));
    json_object_set_new(object, "cause", json_integer((json_int_t)event->cause));
    json_object_set_new(object, "previous",
                        event->previous ? json_integer((json_int_t)event->previous) : json_null());
    if (event->kind >= TKD_EVENT_END) return object;
    u64 values[VALUES_MAX];
    values_of(event, values);
    for (u32 i = 0; i < VALUES_MAX; i++) {
        const struct member *member = &forms[event->kind].members[i];
        if (member->name)
            json_object_set_new(object, member->name, value_json(catalog, event, member->meaning, values[i]));
    }
    if (event->kind == TKD_EVENT_CREATED) {
        created_json(object, catalog, view);
    } else if (!text_is_binary(event->kind) && view->text.bytes > 0) {
        json_object_set_new(object, "text", output_json_text(view->text.data, view->text.bytes));
    }
    return object;
}

bool event_names(const struct event_view *view, u32 kind, u32 id, bool *any)
{
    u64 values[VALUES_MAX];
    bool found = kind == TKD_KIND_AGENT && view->head.actor == id;
    *any = false;
    if (view->head.kind >= TKD_EVENT_END) return found;
    values_of(&view->head, values);
    for (u32 i = 0; i < VALUES_MAX; i++) {
        if (catalog_kind_of(forms[view->head.kind].members[i].meaning, &view->head) != kind || values[i] == 0)
            continue;
        *any = true;
        found = found || values[i] == id;
    }
    return found;
}

/* ---- Rows ---- */

static const struct column columns[] = {
    {"seq", CELL_NUMBER}, {"time", CELL_TIME},  {"ticket", CELL_NUMBER}, {"station", CELL_NUMBER},
    {"kind", CELL_TEXT},  {"actor", CELL_TEXT}, {"what", CELL_TEXT}};

struct output *event_rows_open(struct ctl *ctl)
{
    return output_open(stdout, ctl->form, ctl->color, columns, 7, false);
}

static void number_or_none(struct output *output, u64 number)
{
    if (number) {
        output_number(output, number);
    } else {
        output_none(output);
    }
}

void event_rows_add(struct output *output, struct ctl *ctl, const struct event_view *view)
{
    if (ctl->form == OUTPUT_JSON) {
        output_json(stdout, event_json(ctl->catalog, view));
        return;
    }
    const struct tkd_event *event = &view->head;
    char *sentence = event_sentence(ctl->catalog, view);
    output_number(output, event->seq);
    output_time(output, event->time_ms);
    number_or_none(output, event->ticket);
    number_or_none(output, event->station);
    output_string(output, tkd_name(TKD_ENUM_EVENT, event->kind));
    output_string(output, catalog_name(ctl->catalog, TKD_KIND_AGENT, event->actor));
    bool red = event->kind == TKD_EVENT_CARD && event->b == TKD_CARD_RED;
    bool yellow = event->kind == TKD_EVENT_CARD && event->b == TKD_CARD_YELLOW;
    output_color(output, red ? COLOR_RED : yellow ? COLOR_YELLOW : COLOR_NONE);
    output_string(output, sentence);
    output_row(output);
    free(sentence);
}

/* ---- Reading a history ---- */

static void reverse(struct events *events)
{
    for (u32 i = 0; i < events->count / 2; i++) {
        void *row = events->rows[i];
        events->rows[i] = events->rows[events->count - 1 - i];
        events->rows[events->count - 1 - i] = row;
    }
}

int events_read(struct ctl *ctl, const char *doing, u64 ticket, u64 from, u32 limit, struct events *events)
{
    struct tkd_history request = {.ticket = ticket, .from = from};
    *events = (struct events){0};
    for (;;) {
        struct tkd_answer answer;
        int code = ctl_call(ctl, doing, TKD_OP_HISTORY, TKD_RECORD_history, &request, NULL, &answer);
        if (code != EXIT_OK) {
            events_free(events);
            return code;
        }
        events->rows = reallocate(events->rows, (events->count + answer.count) * sizeof(void *));
        const struct tkd_prefix *row = NULL;
        while ((row = tkd_next_row(&answer, row)) && (limit == 0 || events->count < limit)) {
            void *copy = allocate(row->size);
            memcpy(copy, row, row->size);
            events->rows[events->count++] = copy;
        }
        bool stuck = request.from != 0 && answer.cursor >= request.from;
        if (answer.cursor == 0 || stuck || (limit != 0 && events->count >= limit)) break;
        request.from = answer.cursor;
    }
    reverse(events);
    return EXIT_OK;
}

void events_print(struct ctl *ctl, const struct events *events)
{
    struct output *output = event_rows_open(ctl);
    for (u32 i = 0; i < events->count; i++) {
        struct event_view view;
        event_view(events->rows[i], &view);
        event_rows_add(output, ctl, &view);
    }
    output_close(output, NULL);
}

void events_free(struct events *events)
{
    for (u32 i = 0; i < events->count; i++) free(events->rows[i]);
    free(events->rows);
    *events = (struct events){0};
}
