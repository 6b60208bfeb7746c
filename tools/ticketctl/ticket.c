#include "ticket.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "timefmt.h"

/* ---- Naming ---- */

int option_id(struct ctl *ctl, const struct args *args, const char *option, u32 kind, u32 *id)
{
    const char *name = args_value(args, option);
    if (!name) return EXIT_OK;
    int code;
    struct catalog *catalog = ctl_catalog(ctl, &code);
    if (!catalog) return code;
    *id = catalog_id(catalog, kind, name);
    return *id ? EXIT_OK : EXIT_REFUSED;
}

int option_priority(const struct args *args, u8 *priority)
{
    const char *name = args_value(args, "priority");
    if (!name) return EXIT_OK;
    *priority = (u8)tkd_number(TKD_ENUM_PRIORITY, name);
    if (*priority) return EXIT_OK;
    return usage_error(args, "a priority is urgent, high, normal or low, not '%s'", name);
}

int ticket_name_read(struct ctl *ctl, const struct args *args, struct ticket_name *name)
{
    memset(name, 0, sizeof(*name));
    const char *key = args_value(args, "key");
    if (key) {
        if (!args_value(args, "channel"))
            return usage_error(args, "--key needs --channel: a key is unique in its channel");
        name->key = text_of(key);
        name->receiver = text_of(args_value(args, "receiver"));
        snprintf(name->shown, sizeof(name->shown), "ticket with key %s", key);
        return option_id(ctl, args, "channel", TKD_KIND_CHANNEL, &name->channel);
    }
    if (args->operands_count == 0)
        return usage_error(args, "which ticket? give its id, or --key and --channel");
    if (!number_parse(args->operands[0], UINT64_MAX, &name->id) || name->id == 0) {
        return usage_error(args, "a ticket's id is a number, not '%s'", args->operands[0]);
    }
    name->operands = 1;
    snprintf(name->shown, sizeof(name->shown), "ticket %" PRIu64, name->id);
    return EXIT_OK;
}

int ticket_fetch(struct ctl *ctl, const struct ticket_name *name, const struct tkd_prefix **row,
                 struct tkd_ticket *ticket, u64 *now_ms)
{
    struct tkd_ticket_get request = {.ticket = name->id, .channel = name->channel};
    struct tkd_text texts[] = {name->receiver, name->key};
    struct tkd_answer answer;
    int code = ctl_call(ctl, name->shown, TKD_OP_TICKET_GET, TKD_RECORD_ticket_get, &request, texts, &answer);
    if (code != EXIT_OK) return code;
    *row = tkd_next_row(&answer, NULL);
    if (!*row) return ctl_refused(name->shown, TKD_NOT_FOUND);
    tkd_read(TKD_RECORD_ticket, *row, ticket);
    *now_ms = answer.time_ms;
    return EXIT_OK;
}

/* ---- Showing ---- */

const char *card_name(u32 card) { return card == 0 ? "" : tkd_name(TKD_ENUM_CARD, card); }

static struct tkd_text row_text(const struct tkd_prefix *row, u32 text)
{
    return tkd_row_text(TKD_RECORD_ticket, row, text);
}

static json_t *json_time(u64 time_ms)
{
    char buffer[TIME_TEXT_BYTES];
    return time_ms ? json_string(time_utc(time_ms, buffer)) : json_null();
}

static json_t *json_name(struct catalog *catalog, u32 kind, u32 id)
{
    const char *name = catalog_name(catalog, kind, id);
    return *name ? output_json_text(name, (u32)strlen(name)) : json_null();
}

static json_t *json_tags(struct tkd_text tags)
{
    json_t *array = json_array();
    while (tags.bytes > 0) {
        const char *end = memchr(tags.data, '\n', tags.bytes);
        u32 length = end ? (u32)(end - tags.data) : tags.bytes;
        json_array_append_new(array, output_json_text(tags.data, length));
        u32 step = length + (end ? 1 : 0);
        tags.data += step;
        tags.bytes -= step;
    }
    return array;
}

static json_t *json_clock(u64 ran_ms, bool has_ran, u64 due_ms, u32 card)
{
    json_t *clock = json_object();
    if (has_ran) json_object_set_new(clock, "ran_ms", json_integer((json_int_t)ran_ms));
    json_object_set_new(clock, "due", json_time(due_ms));
    json_object_set_new(clock, "card", card ? json_string(card_name(card)) : json_null());
    return clock;
}

static void json_add_text(json_t *object, const char *name, struct tkd_text text)
{
    json_object_set_new(object, name, text.bytes ? output_json_text(text.data, text.bytes) : json_null());
}

static void json_add_number(json_t *object, const char *name, u64 number)
{
    json_object_set_new(object, name, json_integer((json_int_t)number));
}

json_t *ticket_json(struct catalog *catalog, const struct tkd_prefix *row)
{
    struct tkd_ticket ticket;
    tkd_read(TKD_RECORD_ticket, row, &ticket);
    json_t *object = json_object();
    json_add_number(object, "id", ticket.id);
    json_object_set_new(object, "state", json_string(tkd_name(TKD_ENUM_STATE, ticket.state)));
    json_object_set_new(object, "priority", json_string(tkd_name(TKD_ENUM_PRIORITY, ticket.priority)));
    json_object_set_new(object, "queue", json_name(catalog, TKD_KIND_QUEUE, ticket.queue));
    json_object_set_new(object, "agent", json_name(catalog, TKD_KIND_AGENT, ticket.agent));
    json_object_set_new(object, "category", json_name(catalog, TKD_KIND_CATEGORY, ticket.category));
    json_object_set_new(object, "channel", json_name(catalog, TKD_KIND_CHANNEL, ticket.channel));
    json_object_set_new(object, "policy", json_name(catalog, TKD_KIND_POLICY, ticket.policy));
    json_add_number(object, "customer", ticket.customer);
    json_add_text(object, "address", row_text(row, TICKET_TEXT_ADDRESS));
    json_add_text(object, "key", row_text(row, TICKET_TEXT_KEY));
    json_add_text(object, "subject", row_text(row, TICKET_TEXT_SUBJECT));
    json_object_set_new(object, "tags", json_tags(row_text(row, TICKET_TEXT_TAGS)));
    json_object_set_new(object, "created", json_time(ticket.created_ms));
    json_object_set_new(object, "state_since", json_time(ticket.state_since_ms));
    json_object_set_new(object, "entered", json_time(ticket.entered_ms));
    json_object_set_new(object, "solved", json_time(ticket.solved_ms));
    json_object_set_new(object, "paused", json_boolean(ticket.paused));
    json_object_set_new(object, "archived", json_boolean(ticket.archived));
    json_object_set_new(object, "no_routing", json_boolean(ticket.no_routing));
    json_add_number(object, "stations", ticket.stations);
    json_add_number(object, "reopens", ticket.reopens);
    json_add_number(object, "urges", ticket.urges);
    json_object_set_new(
        object, "first_reply",
        json_clock(ticket.first_reply_ms, true, ticket.first_reply_due_ms, ticket.cards_first_reply));
    json_object_set_new(
        object, "resolution",
        json_clock(ticket.resolution_ms, true, ticket.resolution_due_ms, ticket.cards_resolution));
    json_object_set_new(object, "step", json_clock(0, false, ticket.step_due_ms, ticket.cards_step));
    json_add_number(object, "last_event", ticket.last_event);
    json_add_number(object, "version", ticket.version);
    return object;
}

static const struct column columns_table[] = {
    {"id", CELL_NUMBER},  {"state", CELL_TEXT}, {"priority", CELL_TEXT},
    {"queue", CELL_TEXT}, {"agent", CELL_TEXT}, {"age_ms", CELL_DURATION},
    {"due", CELL_TEXT},   {"card", CELL_TEXT},  {"subject", CELL_TEXT}};

static const struct column columns_csv[] = {{"id", CELL_NUMBER},
                                            {"state", CELL_TEXT},
                                            {"priority", CELL_TEXT},
                                            {"queue", CELL_TEXT},
                                            {"agent", CELL_TEXT},
                                            {"category", CELL_TEXT},
                                            {"channel", CELL_TEXT},
                                            {"policy", CELL_TEXT},
                                            {"customer", CELL_NUMBER},
                                            {"address", CELL_TEXT},
                                            {"key", CELL_TEXT},
                                            {"subject", CELL_TEXT},
                                            {"tags", CELL_TEXT},
                                            {"created", CELL_TIME},
                                            {"state_since", CELL_TIME},
                                            {"solved", CELL_TIME},
                                            {"paused", CELL_FLAG},
                                            {"stations", CELL_NUMBER},
                                            {"reopens", CELL_NUMBER},
                                            {"urges", CELL_NUMBER},
                                            {"first_reply_card", CELL_TEXT},
                                            {"resolution_card", CELL_TEXT},
                                            {"step_card", CELL_TEXT},
                                            {"version", CELL_NUMBER}};

struct output *ticket_rows_open(struct ctl *ctl)
{
    if (ctl->form == OUTPUT_CSV) {
        return output_open(stdout, ctl->form, false, columns_csv,
                           sizeof(columns_csv) / sizeof(columns_csv[0]), false);
    }
    return output_open(stdout, ctl->form, ctl->color, columns_table,
                       sizeof(columns_table) / sizeof(columns_table[0]), false);
}

static void output_name(struct output *output, struct catalog *catalog, u32 kind, u32 id)
{
    output_string(output, catalog_name(catalog, kind, id));
}

static u64 due_earliest(const struct tkd_ticket *ticket)
{
    u64 due[] = {ticket->first_reply_due_ms, ticket->resolution_due_ms, ticket->step_due_ms};
    u64 earliest = 0;
    for (u32 i = 0; i < 3; i++) {
        if (due[i] != 0 && (earliest == 0 || due[i] < earliest)) earliest = due[i];
    }
    return earliest;
}

static void row_table(struct output *output, struct catalog *catalog, const struct tkd_ticket *ticket,
                      struct tkd_text subject, u64 now_ms)
{
    char buffer[TIME_TEXT_BYTES];
    u32 card = ticket->cards_first_reply;
    if (ticket->cards_resolution > card) card = ticket->cards_resolution;
    if (ticket->cards_step > card) card = ticket->cards_step;
    u64 due_ms = due_earliest(ticket);
    output_number(output, ticket->id);
    output_string(output, ticket->paused ? "paused" : tkd_name(TKD_ENUM_STATE, ticket->state));
    if (ticket->priority == TKD_PRIORITY_URGENT) output_color(output, COLOR_RED);
    output_string(output, tkd_name(TKD_ENUM_PRIORITY, ticket->priority));
    output_name(output, catalog, TKD_KIND_QUEUE, ticket->queue);
    output_name(output, catalog, TKD_KIND_AGENT, ticket->agent);
    output_duration(output, now_ms > ticket->created_ms ? now_ms - ticket->created_ms : 0);
    if (due_ms == 0) {
        output_none(output);
    } else if (due_ms > now_ms) {
        output_string(output, duration_text(due_ms - now_ms, buffer));
    } else {
        output_string(output, "over");
    }
    output_color(output, card == TKD_CARD_RED      ? COLOR_RED
                         : card == TKD_CARD_YELLOW ? COLOR_YELLOW
                                                   : COLOR_NONE);
    output_string(output, card_name(card));
    output_text(output, subject.data, subject.bytes);
    output_row(output);
}

static void row_csv(struct output *output, struct catalog *catalog, const struct tkd_ticket *ticket,
                    const struct tkd_prefix *row)
{
    output_number(output, ticket->id);
    output_string(output, tkd_name(TKD_ENUM_STATE, ticket->state));
    output_string(output, tkd_name(TKD_ENUM_PRIORITY, ticket->priority));
    output_name(output, catalog, TKD_KIND_QUEUE, ticket->queue);
    output_name(output, catalog, TKD_KIND_AGENT, ticket->agent);
    output_name(output, catalog, TKD_KIND_CATEGORY, ticket->category);
    output_name(output, catalog, TKD_KIND_CHANNEL, ticket->channel);
    output_name(output, catalog, TKD_KIND_POLICY, ticket->policy);
    output_number(output, ticket->customer);
    static const u32 texts[] = {TICKET_TEXT_ADDRESS, TICKET_TEXT_KEY, TICKET_TEXT_SUBJECT, TICKET_TEXT_TAGS};
    for (u32 i = 0; i < 4; i++) {
        struct tkd_text text = row_text(row, texts[i]);
        output_text(output, text.data, text.bytes);
    }
    output_time(output, ticket->created_ms);
    output_time(output, ticket->state_since_ms);
    output_time(output, ticket->solved_ms);
    output_flag(output, ticket->paused);
    output_number(output, ticket->stations);
    output_number(output, ticket->reopens);
    output_number(output, ticket->urges);
    output_string(output, card_name(ticket->cards_first_reply));
    output_string(output, card_name(ticket->cards_resolution));
    output_string(output, card_name(ticket->cards_step));
    output_number(output, ticket->version);
    output_row(output);
}

void ticket_rows_add(struct output *output, struct ctl *ctl, const struct tkd_prefix *row, u64 now_ms)
{
    struct tkd_ticket ticket;
    tkd_read(TKD_RECORD_ticket, row, &ticket);
    if (ctl->form == OUTPUT_JSON) {
        output_json(stdout, ticket_json(ctl->catalog, row));
    } else if (ctl->form == OUTPUT_CSV) {
        row_csv(output, ctl->catalog, &ticket, row);
    } else {
        row_table(output, ctl->catalog, &ticket, row_text(row, TICKET_TEXT_SUBJECT), now_ms);
    }
}
