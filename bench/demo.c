/* Drives one compressed day of a desk through the binary protocol, under the virtual clock: in steps of some
 * seconds customers write, agents come and go, answer, transfer, wait, resolve. What the server decided (who
 * gets what) is read from its events, and moves the day on. `demo.sh` shows it. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/day.h"
#include "bench/server.h"

#define DAY_MS 86400000u
#define MINUTE_MS 60000u
#define BAR_COLUMNS 32u

struct options {
    const char *server;
    u64 tickets;
    u64 begin_ms;
    u64 step_ms;
    u64 seed;
};

/* The desk's side of the day. */
struct desk {
    struct tkd_client *client;
    struct day day;
    u64 now_ms;
    u64 events_from;
    u64 commands;
    u64 refused[128]; /* by status */
    u64 updated[TKD_RECORDS_MAX]; /* tickets of the update frame in flight, and what was done */
    u16 verbs[TKD_RECORDS_MAX];
    u32 updated_count;
    u32 frames; /* of this step, without an answer yet */
};

static void must(struct desk *desk, int error)
{
    if (error) die("%s", tkd_error(desk->client));
}

static void begin(struct desk *desk, u16 op) { must(desk, tkd_begin(desk->client, op, 0, desk->now_ms)); }

static void add(struct desk *desk, u32 record, const void *head, const struct tkd_text *texts)
{
    must(desk, tkd_add(desk->client, record, head, texts));
    desk->commands++;
}

static void send_frame(struct desk *desk)
{
    must(desk, tkd_send(desk->client));
    desk->frames++;
}

/* ---- Answers ---- */

static void results_read(struct desk *desk, const struct tkd_answer *answer)
{
    const struct tkd_result *results = answer->rows;
    for (u32 i = 0; i < answer->count; i++) {
        u32 status = results[i].status;
        if (tkd_status_info(status)->class == TKD_STATUS_ok) continue;
        desk->refused[status < ARRAY_COUNT(desk->refused) ? status : 0]++;
        if (answer->op == TKD_OP_TICKET_UPDATE && i < desk->updated_count) {
            day_refused(&desk->day, desk->updated[i], desk->verbs[i], desk->now_ms);
        }
    }
}

static void answers_read(struct desk *desk)
{
    struct tkd_answer answer;
    for (; desk->frames > 0; desk->frames--) {
        must(desk, tkd_receive(desk->client, &answer));
        if (answer.status != TKD_OK) die("%s: %s", tkd_op_info(answer.op)->name, tkd_status_info(answer.status)->doc);
        results_read(desk, &answer);
    }
}

static void events_read(struct desk *desk)
{
    struct tkd_answer answer;
    do {
        struct tkd_events_from from = {.from = desk->events_from};
        if (tkd_call(desk->client, TKD_OP_EVENTS, 0, TKD_RECORD_events_from, &from, NULL, &answer)) {
            die("%s", tkd_error(desk->client));
        }
        for (const struct tkd_prefix *row = NULL; (row = tkd_next_row(&answer, row));) {
            struct tkd_event event;
            tkd_read(TKD_RECORD_event, row, &event);
            day_event(&desk->day, &event);
            desk->events_from = event.seq + 1;
        }
    } while (answer.cursor != 0);
}

/* ---- A step ---- */

static void agents_come_and_go(struct desk *desk)
{
    struct day *day = &desk->day;
    bool begun = false;
    for (u32 i = 0; i < day->agents_count; i++) {
        struct day_agent *agent = &day->agents[i];
        bool present = day_present(day, agent, desk->now_ms);
        if (present == agent->online) continue;
        agent->online = present;
        if (!begun) begin(desk, TKD_OP_AGENT_PRESENCE);
        begun = true;
        struct tkd_agent_presence presence = {.agent = agent->id,
                                              .presence = present ? TKD_PRESENCE_ONLINE : TKD_PRESENCE_OFFLINE};
        add(desk, TKD_RECORD_agent_presence, &presence, NULL);
    }
    if (begun) send_frame(desk);
}

static void customers_write(struct desk *desk, u64 step_ms)
{
    struct day *day = &desk->day;
    u64 due = day_arrivals(day, desk->now_ms + step_ms);
    if (day->arrived >= due) return;
    begin(desk, TKD_OP_TICKET_CREATE);
    for (u32 count = 0; day->arrived < due && count < 1000; count++) {
        struct tkd_ticket_create request;
        struct day_texts buffer;
        struct tkd_text texts[6];
        day_arrive(day, &request, &buffer, texts);
        add(desk, TKD_RECORD_ticket_create, &request, texts);
    }
    send_frame(desk);
}

static void work_goes_on(struct desk *desk)
{
    struct tkd_ticket_update update;
    struct tkd_text texts[3];
    desk->updated_count = 0;
    while (desk->updated_count < 1000 && day_next(&desk->day, desk->now_ms, &update, texts)) {
        if (desk->updated_count == 0) begin(desk, TKD_OP_TICKET_UPDATE);
        add(desk, TKD_RECORD_ticket_update, &update, texts);
        desk->updated[desk->updated_count] = update.ticket;
        desk->verbs[desk->updated_count++] = update.kind;
    }
    if (desk->updated_count > 0) send_frame(desk);
}

static void regulars_get_tiers(struct desk *desk)
{
    struct tkd_customer_update update;
    bool begun = false;
    while (day_regular(&desk->day, &update)) {
        if (!begun) begin(desk, TKD_OP_CUSTOMER_UPDATE);
        begun = true;
        add(desk, TKD_RECORD_customer_update, &update, NULL);
    }
    if (begun) send_frame(desk);
}

static void step(struct desk *desk, u64 step_ms)
{
    agents_come_and_go(desk);
    customers_write(desk, step_ms);
    work_goes_on(desk);
    regulars_get_tiers(desk);
    if (desk->frames == 0) return;
    answers_read(desk);
    events_read(desk);
}

/* ---- Showing ---- */

static void show(const struct desk *desk, u64 begin_ns, bool terminal)
{
    const struct day *day = &desk->day;
    u64 passed_ms = desk->now_ms - day->begin_ms;
    u32 filled = (u32)(passed_ms * BAR_COLUMNS / DAY_MS), online = 0;
    for (u32 i = 0; i < day->agents_count; i++) online += day->agents[i].online;
    printf("%s%02u:%02u ", terminal ? "\r" : "", (u32)(passed_ms / 3600000), (u32)(passed_ms / MINUTE_MS % 60));
    for (u32 i = 0; terminal && i < BAR_COLUMNS; i++) fputs(i < filled ? "█" : "░", stdout);
    printf(" %6llu tickets  %6llu solved  %3u agents  %5llu yellow %5llu red  %4.1f s%s",
           (unsigned long long)day->arrived, (unsigned long long)day->solved, online,
           (unsigned long long)day->cards_yellow, (unsigned long long)day->cards_red,
           (double)(now_ns() - begin_ns) / 1e9, terminal ? "\033[K" : "\n");
    fflush(stdout);
}

static void live(struct desk *desk, const struct options *options)
{
    bool terminal = isatty(STDOUT_FILENO);
    u64 begin_ns = now_ns(), shown_ns = 0;
    for (u64 passed_ms = 0; passed_ms < DAY_MS; passed_ms += options->step_ms) {
        desk->now_ms = options->begin_ms + passed_ms;
        step(desk, options->step_ms);
        bool due = terminal ? now_ns() - shown_ns > 50000000 : passed_ms % (120 * MINUTE_MS) < options->step_ms;
        if (!due && passed_ms + options->step_ms < DAY_MS) continue;
        shown_ns = now_ns();
        show(desk, begin_ns, terminal);
    }
    double seconds = (double)(now_ns() - begin_ns) / 1e9;
    printf("%s%llu commands, %llu tickets routed, %llu events in %.1f s\n", terminal ? "\n" : "",
           (unsigned long long)desk->commands, (unsigned long long)desk->day.routed,
           (unsigned long long)desk->events_from - 1, seconds);
    for (u32 status = 0; status < ARRAY_COUNT(desk->refused); status++) {
        if (desk->refused[status] == 0) continue;
        printf("%llu were refused: %s\n", (unsigned long long)desk->refused[status], tkd_status_info(status)->doc);
    }
}

/* ---- Options ---- */

_Noreturn static void usage(int code)
{
    fputs("demo: one day of a desk, driven through the binary protocol\n\n"
          "usage: demo --server ADDRESS [--tickets N] [--begin MS] [--step SECONDS] [--seed N]\n\n"
          "The server runs on the virtual clock and has a catalog but no tickets; demo.sh does all of it.\n\n"
          "example: demo --server 127.0.0.1:7411 --tickets 1000\n", code ? stderr : stdout);
    exit(code);
}

static u64 number(const char *text)
{
    char *end;
    u64 value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end) usage(2);
    return value;
}

static struct options options_parse(int argc, char **argv)
{
    static const struct option names[] = {{"server", 1, NULL, 's'}, {"tickets", 1, NULL, 't'}, {"begin", 1, NULL, 'b'},
                                          {"step", 1, NULL, 'p'},   {"seed", 1, NULL, 'r'},    {"help", 0, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    /* 2026-11-11 00:00 in Shanghai: the day after the night of the sales. */
    struct options options = {.tickets = 100000, .begin_ms = 1794326400000, .step_ms = 15000, .seed = 1};
    int key;
    while ((key = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (key) {
        case 's':
            options.server = optarg;
            break;
        case 't':
            options.tickets = number(optarg);
            break;
        case 'b':
            options.begin_ms = number(optarg);
            break;
        case 'p':
            options.step_ms = number(optarg) * 1000;
            break;
        case 'r':
            options.seed = number(optarg);
            break;
        default:
            usage(key == 'h' ? 0 : 2);
        }
    }
    if (!options.server || optind < argc || options.tickets == 0 || options.step_ms == 0) usage(2);
    return options;
}

int main(int argc, char **argv)
{
    static struct desk desk;
    struct options options = options_parse(argc, argv);
    if (tkd_connect(&desk.client, options.server, "demo") || tkd_session_open(desk.client, "demo", 0)) {
        die("%s", tkd_error(desk.client));
    }
    desk.events_from = 1;
    desk.now_ms = options.begin_ms;
    day_begin(&desk.day, desk.client, options.tickets, options.begin_ms, options.seed);
    live(&desk, &options);
    day_end(&desk.day);
    tkd_close(desk.client);
    return 0;
}
