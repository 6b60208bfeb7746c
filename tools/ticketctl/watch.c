/* watch: the live stream of events. It survives lost connections and restarts of the server, because it knows
 * the last event that it has shown and asks for those behind it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "commands.h"
#include "events.h"
#include "text.h"
#include "ticket.h"
#include "timefmt.h"

#define PAUSE_MS_MIN 100u
#define PAUSE_MS_MAX 2000u
#define PLACES_MAX   4096u /* power of two */

/* The queue that a ticket was last seen in: most events do not name it. */
struct place {
    u64 ticket;
    u32 queue;
};

struct watch {
    struct ctl *ctl;
    struct tkd_client *client; /* of the subscription; the catalog is read through ctl's own connection */
    struct output *output;
    struct place *places;
    u64 next;   /* the event to go on with, 0 = only what is new */
    u64 ticket; /* filters, 0 = any */
    u64 kinds;
    u32 queue;
    u32 agent;
    u64 left; /* events still to be shown */
};

/* ---- Filters ---- */

static int kinds_read(const struct args *args, u64 *kinds)
{
    const char *text;
    for (u32 i = 0; (text = args_each(args, "kind", i)); i++) {
        while (*text) {
            char name[32];
            size_t length = strcspn(text, ",");
            snprintf(name, sizeof(name), "%.*s", (int)length, text);
            u32 kind = tkd_number(TKD_ENUM_EVENT, name);
            if (kind == 0)
                return usage_error(args, "there is no kind of event '%s' (created, routed, card, …)", name);
            *kinds |= 1ull << kind;
            text += length + (text[length] ? 1 : 0);
        }
    }
    return EXIT_OK;
}

/* Where the ticket is now, when no event has told. */
static u32 place_fetch(struct watch *watch, u64 ticket)
{
    struct tkd_ticket_get request = {.ticket = ticket};
    struct tkd_text texts[2] = {{"", 0}, {"", 0}};
    struct tkd_answer answer;
    struct tkd_client *client = ctl_client(watch->ctl);
    if (!client || tkd_call(client, TKD_OP_TICKET_GET, 0, TKD_RECORD_ticket_get, &request, texts, &answer))
        return 0;
    const struct tkd_prefix *row = tkd_next_row(&answer, NULL);
    struct tkd_ticket found = {0};
    if (row) tkd_read(TKD_RECORD_ticket, row, &found);
    return found.queue;
}

/* Follows where the event's ticket is, and tells whether it concerns the queue watched. */
static bool in_queue(struct watch *watch, const struct event_view *view)
{
    bool any;
    bool named = event_names(view, TKD_KIND_QUEUE, watch->queue, &any);
    const struct tkd_event *event = &view->head;
    if (event->ticket == 0) return named;
    struct place *place = &watch->places[event->ticket % PLACES_MAX];
    if (event->kind == TKD_EVENT_CREATED) *place = (struct place){event->ticket, event->a};
    if (event->kind == TKD_EVENT_TRANSFERRED) *place = (struct place){event->ticket, event->b};
    if (any) return named;
    if (place->ticket != event->ticket)
        *place = (struct place){event->ticket, place_fetch(watch, event->ticket)};
    return place->queue == watch->queue;
}

static bool wanted(struct watch *watch, const struct event_view *view)
{
    bool any;
    u32 kind = view->head.kind;
    if (watch->queue != 0 && !in_queue(watch, view)) return false;
    if (watch->kinds != 0 && (kind >= 64 || !(watch->kinds >> kind & 1))) return false;
    if (watch->ticket != 0 && view->head.ticket != watch->ticket) return false;
    return watch->agent == 0 || event_names(view, TKD_KIND_AGENT, watch->agent, &any);
}

/* ---- Showing ---- */

/* Names may have changed: reads the catalog again, over a fresh connection. */
static void catalog_refresh(struct ctl *ctl)
{
    int code;
    struct catalog *before = ctl->catalog;
    tkd_close(ctl->client);
    ctl->client = NULL;
    ctl->catalog = NULL;
    if (ctl_catalog(ctl, &code)) {
        catalog_free(before);
    } else {
        ctl->catalog = before;
    }
}

/* A table that does not end has no widths to fit: one line an event. */
static void line_print(struct watch *watch, const struct event_view *view)
{
    const struct ctl *ctl = watch->ctl;
    const struct tkd_event *event = &view->head;
    char buffer[TIME_TEXT_BYTES], ticket[24] = "";
    char *sentence = event_sentence(ctl->catalog, view);
    char *clean = text_clean(sentence, (u32)strlen(sentence));
    u32 columns = terminal_columns(stdout);
    bool red = event->kind == TKD_EVENT_CARD && event->b == TKD_CARD_RED;
    if (event->ticket) snprintf(ticket, sizeof(ticket), "%" PRIu64, event->ticket);
    printf("%s%s  %8" PRIu64 "%s  %8s  ", color_on(ctl->color, COLOR_DIM), time_local(event->time_ms, buffer),
           event->seq, color_off(ctl->color), ticket);
    text_print(stdout, tkd_name(TKD_ENUM_EVENT, event->kind), 11, true);
    fputs("  ", stdout);
    fputs(color_on(ctl->color, red ? COLOR_RED : COLOR_NONE), stdout);
    text_print(stdout, clean, columns > 74 ? columns - 54 : UINT32_MAX, false);
    puts(red ? color_off(ctl->color) : "");
    fflush(stdout);
    free(clean);
    free(sentence);
}

static void show(struct watch *watch, const struct tkd_prefix *row)
{
    struct event_view view;
    event_view(row, &view);
    if (view.head.seq < watch->next || watch->left == 0) return;
    if (watch->next != 0 && view.head.seq > watch->next) {
        complain("watch: events %" PRIu64 " to %" PRIu64 " are missing", watch->next, view.head.seq - 1);
    }
    watch->next = view.head.seq + 1;
    bool newer = view.head.kind == TKD_EVENT_CATALOG && view.head.c > watch->ctl->catalog->version;
    if (newer) catalog_refresh(watch->ctl);
    if (!wanted(watch, &view)) return;
    watch->left--;
    if (watch->ctl->form == OUTPUT_TABLE) {
        line_print(watch, &view);
    } else {
        event_rows_add(watch->output, watch->ctl, &view);
    }
}

static void show_all(struct watch *watch, const struct tkd_answer *answer)
{
    const struct tkd_prefix *row = NULL;
    while ((row = tkd_next_row(answer, row))) show(watch, row);
}

/* ---- The stream ---- */

static int subscribe(struct watch *watch)
{
    struct tkd_events_from request = {.from = watch->next};
    int error = tkd_begin(watch->client, TKD_OP_SUBSCRIBE, 0, 0);
    if (!error) error = tkd_add(watch->client, TKD_RECORD_events_from, &request, NULL);
    return error ? error : tkd_send(watch->client);
}

static void pause_ms(u32 ms)
{
    struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}

/* Tries until the server is back. */
static int come_back(struct watch *watch)
{
    complain("watch: %s; trying again", tkd_error(watch->client));
    for (u32 pause = PAUSE_MS_MIN;; pause = pause * 2 < PAUSE_MS_MAX ? pause * 2 : PAUSE_MS_MAX) {
        int error = tkd_reconnect(watch->client);
        /* A subscription that was not answered yet is refused: it is made again anyway. */
        if (!error || tkd_fd(watch->client) >= 0) break;
        if (error != TKD_E_CONNECT) return error;
        pause_ms(pause);
    }
    /* The other connection was lost as well; it is made again when it is needed. */
    tkd_close(watch->ctl->client);
    watch->ctl->client = NULL;
    return subscribe(watch);
}

static int follow(struct watch *watch)
{
    int error = subscribe(watch);
    while (!error && watch->left > 0) {
        struct tkd_answer answer;
        error = tkd_receive(watch->client, &answer);
        if (error == TKD_E_CONNECT) {
            error = come_back(watch);
            continue;
        }
        if (error) break;
        if (tkd_status_info(answer.status)->class != TKD_STATUS_ok)
            return ctl_refused("watch", answer.status);
        /* The answer to the subscription says where the stream begins. */
        if (!(answer.flags & TKD_FLAG_PUSH) && watch->next == 0) watch->next = answer.cursor;
        if (answer.flags & TKD_FLAG_PUSH) show_all(watch, &answer);
    }
    return error ? ctl_failed("watch", watch->client, error) : EXIT_OK;
}

/* What there is until now, page by page. */
static int read_out(struct watch *watch)
{
    struct tkd_events_from request = {.from = watch->next ? watch->next : 1};
    watch->next = request.from;
    for (;;) {
        struct tkd_answer answer;
        int error =
            tkd_call(watch->client, TKD_OP_EVENTS, 0, TKD_RECORD_events_from, &request, NULL, &answer);
        if (error == TKD_E_REFUSED) return ctl_refused("watch", answer.status);
        if (error) return ctl_failed("watch", watch->client, error);
        show_all(watch, &answer);
        if (answer.cursor == 0 || answer.count == 0 || watch->left == 0 || answer.cursor <= request.from)
            return EXIT_OK;
        request.from = answer.cursor;
    }
}

static int filters_read(const struct args *args, struct watch *watch)
{
    int code = kinds_read(args, &watch->kinds);
    if (code == EXIT_OK) code = option_id(watch->ctl, args, "queue", TKD_KIND_QUEUE, &watch->queue);
    if (code == EXIT_OK) code = option_id(watch->ctl, args, "agent", TKD_KIND_AGENT, &watch->agent);
    if (code != EXIT_OK) return code;
    bool good = args_number(args, "ticket", UINT64_MAX, &watch->ticket) &&
                args_number(args, "from", UINT64_MAX, &watch->next) &&
                args_number(args, "count", UINT64_MAX, &watch->left);
    return good ? EXIT_OK : EXIT_USAGE;
}

static int run(struct ctl *ctl, const struct args *args)
{
    struct watch watch = {.ctl = ctl, .left = UINT64_MAX};
    int code;
    if (!ctl_catalog(ctl, &code)) return code;
    code = filters_read(args, &watch);
    if (code != EXIT_OK) return code;
    watch.client = ctl_client_new(ctl);
    if (!watch.client) return EXIT_CONNECT;
    watch.places = allocate(PLACES_MAX * sizeof(*watch.places));
    if (ctl->form != OUTPUT_TABLE) watch.output = event_rows_open(ctl);
    code = args_flag(args, "no-follow") ? read_out(&watch) : follow(&watch);
    if (watch.output) output_close(watch.output, NULL);
    tkd_close(watch.client);
    free(watch.places);
    return code;
}

static const struct option_info options[] = {
    {"from", 0, "N", "from event N on (1 = the first of all); without it only what is new"},
    {"ticket", 't', "ID", "only of this ticket"},
    {"queue", 'q', "QUEUE", "only of tickets in this queue"},
    {"agent", 'a', "AGENT", "only what this agent did, got or lost"},
    {"kind", 'k', "KINDS", "only of these kinds, such as created,routed,card; several with commas"},
    {"count", 'n', "N", "end after N events"},
    {"no-follow", 0, NULL, "end with the newest event there is, instead of waiting for more"},
    {0},
};

const struct command command_watch = {
    .name = "watch",
    .operands = "",
    .summary = "the desk's events, live",
    .about =
        "Every event has a number, without gaps; only durable events are shown. When the connection is lost "
        "or the server restarts, watch comes back and goes on where it was.",
    .example = "ticketctl watch --queue 物流\nticketctl watch --from 1 --kind card -o json\n"
               "ticketctl watch --from 1 --no-follow -o csv > events.csv",
    .options = options,
    .run = run,
};
