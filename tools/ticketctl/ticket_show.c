/* ticket show: the ticket, its clocks and its trajectory */
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "ticket.h"
#include "timefmt.h"
#include "trajectory.h"

static void heading(struct ctl *ctl, const char *text)
{
    printf("\n%s%s%s\n", color_on(ctl->color, COLOR_BOLD), text, color_off(ctl->color));
}

static void output_name(struct output *output, struct ctl *ctl, u32 kind, u32 id)
{
    output_string(output, catalog_name(ctl->catalog, kind, id));
}

static void output_row_text(struct output *output, const struct tkd_prefix *row, u32 text)
{
    struct tkd_text found = tkd_row_text(TKD_RECORD_ticket, row, text);
    output_text(output, found.data, found.bytes);
}

static void ticket_print(struct ctl *ctl, const struct tkd_prefix *row, const struct tkd_ticket *ticket)
{
    static const struct column columns[] = {
        {"ticket", CELL_NUMBER},    {"subject", CELL_TEXT},    {"state", CELL_TEXT},
        {"state_since", CELL_TIME}, {"priority", CELL_TEXT},   {"queue", CELL_TEXT},
        {"agent", CELL_TEXT},       {"category", CELL_TEXT},   {"channel", CELL_TEXT},
        {"customer", CELL_NUMBER},  {"address", CELL_TEXT},    {"key", CELL_TEXT},
        {"tags", CELL_TEXT},        {"policy", CELL_TEXT},     {"created", CELL_TIME},
        {"solved", CELL_TIME},      {"paused", CELL_FLAG},     {"no_routing", CELL_FLAG},
        {"archived", CELL_FLAG},    {"stations", CELL_NUMBER}, {"reopens", CELL_NUMBER},
        {"urges", CELL_NUMBER},     {"version", CELL_NUMBER}};
    struct output *output =
        output_open(stdout, OUTPUT_TABLE, ctl->color, columns, sizeof(columns) / sizeof(columns[0]), true);
    output_number(output, ticket->id);
    output_row_text(output, row, TICKET_TEXT_SUBJECT);
    output_string(output, tkd_name(TKD_ENUM_STATE, ticket->state));
    output_time(output, ticket->state_since_ms);
    if (ticket->priority == TKD_PRIORITY_URGENT) output_color(output, COLOR_RED);
    output_string(output, tkd_name(TKD_ENUM_PRIORITY, ticket->priority));
    output_name(output, ctl, TKD_KIND_QUEUE, ticket->queue);
    output_name(output, ctl, TKD_KIND_AGENT, ticket->agent);
    output_name(output, ctl, TKD_KIND_CATEGORY, ticket->category);
    output_name(output, ctl, TKD_KIND_CHANNEL, ticket->channel);
    output_number(output, ticket->customer);
    output_row_text(output, row, TICKET_TEXT_ADDRESS);
    output_row_text(output, row, TICKET_TEXT_KEY);
    output_row_text(output, row, TICKET_TEXT_TAGS);
    output_name(output, ctl, TKD_KIND_POLICY, ticket->policy);
    output_time(output, ticket->created_ms);
    output_time(output, ticket->solved_ms);
    output_flag(output, ticket->paused);
    output_flag(output, ticket->no_routing);
    output_flag(output, ticket->archived);
    output_number(output, ticket->stations);
    output_number(output, ticket->reopens);
    output_number(output, ticket->urges);
    output_number(output, ticket->version);
    output_row(output);
    output_close(output, NULL);
}

/* ---- Clocks ---- */

static void clock_print(struct output *output, const char *name, u64 ran_ms, bool has_ran, u64 due_ms,
                        u32 card, u64 now_ms)
{
    char left[TIME_TEXT_BYTES + 8], buffer[TIME_TEXT_BYTES];
    output_string(output, name);
    if (has_ran) {
        output_duration(output, ran_ms);
    } else {
        output_none(output);
    }
    output_string(output, due_ms ? "runs" : "stands");
    output_time(output, due_ms);
    if (due_ms == 0) {
        output_none(output);
    } else {
        bool over = due_ms <= now_ms;
        snprintf(left, sizeof(left), "%s%s", duration_text(over ? now_ms - due_ms : due_ms - now_ms, buffer),
                 over ? " over" : "");
        if (over) output_color(output, COLOR_RED);
        output_string(output, left);
    }
    output_color(output, card == TKD_CARD_RED      ? COLOR_RED
                         : card == TKD_CARD_YELLOW ? COLOR_YELLOW
                                                   : COLOR_NONE);
    output_string(output, card_name(card));
    output_row(output);
}

static void clocks_print(struct ctl *ctl, const struct tkd_ticket *ticket, u64 now_ms)
{
    static const struct column columns[] = {{"clock", CELL_TEXT}, {"ran_ms", CELL_DURATION},
                                            {"now", CELL_TEXT},   {"due", CELL_TIME},
                                            {"left", CELL_TEXT},  {"card", CELL_TEXT}};
    heading(ctl, "clocks");
    struct output *output = output_open(stdout, OUTPUT_TABLE, ctl->color, columns, 6, false);
    clock_print(output, "first reply", ticket->first_reply_ms, true, ticket->first_reply_due_ms,
                ticket->cards_first_reply, now_ms);
    clock_print(output, "resolution", ticket->resolution_ms, true, ticket->resolution_due_ms,
                ticket->cards_resolution, now_ms);
    clock_print(output, "step", 0, false, ticket->step_due_ms, ticket->cards_step, now_ms);
    output_close(output, NULL);
}

/* ---- Trajectory ---- */

static const struct column station_columns[] = {
    {"station", CELL_NUMBER}, {"queue", CELL_TEXT},    {"agent", CELL_TEXT},       {"entered", CELL_TIME},
    {"assigned", CELL_TIME},  {"finished", CELL_TIME}, {"took_ms", CELL_DURATION}, {"outcome", CELL_TEXT}};

static void stations_print(struct ctl *ctl, const struct station *stations, u32 count, u64 now_ms)
{
    heading(ctl, "trajectory");
    struct output *output = output_open(stdout, OUTPUT_TABLE, ctl->color, station_columns, 8, false);
    for (u32 i = 0; i < count; i++) {
        const struct station *station = &stations[i];
        u64 end_ms = station->finished_ms ? station->finished_ms : now_ms;
        output_number(output, i + 1);
        output_name(output, ctl, TKD_KIND_QUEUE, station->queue);
        output_name(output, ctl, TKD_KIND_AGENT, station->agent);
        output_time(output, station->entered_ms);
        output_time(output, station->assigned_ms);
        output_time(output, station->finished_ms);
        output_duration(output, end_ms > station->entered_ms ? end_ms - station->entered_ms : 0);
        output_string(output, station->outcome ? tkd_name(TKD_ENUM_OUTCOME, station->outcome) : "open");
        output_row(output);
    }
    output_close(output, NULL);
}

static json_t *time_json(u64 time_ms)
{
    char buffer[TIME_TEXT_BYTES];
    return time_ms ? json_string(time_utc(time_ms, buffer)) : json_null();
}

static json_t *name_json(struct ctl *ctl, u32 kind, u32 id)
{
    const char *name = catalog_name(ctl->catalog, kind, id);
    return *name ? output_json_text(name, (u32)strlen(name)) : json_null();
}

static json_t *stations_json(struct ctl *ctl, const struct station *stations, u32 count)
{
    json_t *array = json_array();
    for (u32 i = 0; i < count; i++) {
        const struct station *station = &stations[i];
        json_t *object = json_object();
        json_object_set_new(object, "station", json_integer(i + 1));
        json_object_set_new(object, "queue", name_json(ctl, TKD_KIND_QUEUE, station->queue));
        json_object_set_new(object, "agent", name_json(ctl, TKD_KIND_AGENT, station->agent));
        json_object_set_new(object, "entered", time_json(station->entered_ms));
        json_object_set_new(object, "assigned", time_json(station->assigned_ms));
        json_object_set_new(object, "finished", time_json(station->finished_ms));
        json_object_set_new(object, "outcome",
                            station->outcome ? json_string(tkd_name(TKD_ENUM_OUTCOME, station->outcome))
                                             : json_null());
        json_array_append_new(array, object);
    }
    return array;
}

/* The handler of the open station is whoever the ticket says: a reopened ticket may have kept its agent
 * without an event of its own. */
static void open_station_settle(struct station *stations, u32 count, const struct tkd_ticket *ticket)
{
    struct station *last = count ? &stations[count - 1] : NULL;
    if (!last || last->finished_ms != 0) return;
    if (last->agent != ticket->agent) last->assigned_ms = ticket->agent ? last->entered_ms : 0;
    last->agent = ticket->agent;
}

static int trajectory_print(struct ctl *ctl, const struct ticket_name *name, const struct tkd_ticket *ticket,
                            json_t *object, u64 now_ms)
{
    struct events events;
    int code = events_read(ctl, name->shown, ticket->id, 0, 0, &events);
    if (code != EXIT_OK) return code;
    u32 stations_max = ticket->stations ? ticket->stations : 1;
    struct station *stations = allocate(stations_max * sizeof(*stations));
    u32 count = trajectory_of(&events, stations, stations_max);
    open_station_settle(stations, count, ticket);
    if (object) {
        json_object_set_new(object, "trajectory", stations_json(ctl, stations, count));
    } else {
        stations_print(ctl, stations, count, now_ms);
    }
    free(stations);
    events_free(&events);
    return EXIT_OK;
}

static int run(struct ctl *ctl, const struct args *args)
{
    struct ticket_name name;
    const struct tkd_prefix *row;
    struct tkd_ticket ticket;
    u64 now_ms;
    int code;
    if (!ctl_catalog(ctl, &code)) return code;
    code = ticket_name_read(ctl, args, &name);
    if (code == EXIT_OK) code = ticket_fetch(ctl, &name, &row, &ticket, &now_ms);
    if (code != EXIT_OK) return code;
    if (ctl->form == OUTPUT_CSV) {
        struct output *output = ticket_rows_open(ctl);
        ticket_rows_add(output, ctl, row, now_ms);
        output_close(output, NULL);
        return EXIT_OK;
    }
    if (ctl->form == OUTPUT_JSON) {
        json_t *object = ticket_json(ctl->catalog, row);
        code = trajectory_print(ctl, &name, &ticket, object, now_ms);
        if (code != EXIT_OK) {
            json_decref(object);
            return code;
        }
        output_json(stdout, object);
        return EXIT_OK;
    }
    ticket_print(ctl, row, &ticket);
    clocks_print(ctl, &ticket, now_ms);
    return trajectory_print(ctl, &name, &ticket, NULL, now_ms);
}

static const struct option_info options[] = {TICKET_OPTIONS, {0}};

const struct command command_ticket_show = {
    .name = "ticket show",
    .operands = "[TICKET]",
    .operands_max = 1,
    .summary = "one ticket, its clocks with the time left, and its trajectory",
    .about =
        "The trajectory is the list of its stations: queue, handler, when it entered, was assigned and was "
        "finished, and with which outcome.",
    .example = "ticketctl ticket show 17\nticketctl ticket show --key 4711 --channel email -o json",
    .options = options,
    .run = run,
};
