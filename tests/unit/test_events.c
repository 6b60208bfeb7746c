/* What people and programs are told of events: sentences, JSON, the stations of a ticket. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "ticketctl/events.h"
#include "ticketctl/trajectory.h"

static char *names[] = {"", "物流", "售后"};
static struct entry queues[] = {{.head = {.id = 1}}, {.head = {.id = 2}}};
static struct entry agents[] = {{.head = {.id = 5}}};
static struct entry channels[] = {{.head = {.id = 3}}};

static struct catalog *catalog(void)
{
    static struct catalog made;
    queues[0].name = names[1];
    queues[1].name = names[2];
    agents[0].name = "李雷";
    channels[0].name = "phone";
    made.kinds[TKD_KIND_QUEUE] = (struct catalog_kind){queues, 2};
    made.kinds[TKD_KIND_AGENT] = (struct catalog_kind){agents, 1};
    made.kinds[TKD_KIND_CHANNEL] = (struct catalog_kind){channels, 1};
    return &made;
}

/* An event as it comes from the server. */
static struct tkd_prefix *row_of(struct tkd_event event, const void *text, u32 text_bytes)
{
    u32 size = ((u32)sizeof(event) + text_bytes + 7) / 8 * 8;
    u8 *row = calloc(1, size);
    event.size = size;
    event.head = sizeof(event);
    event.text_bytes = text_bytes;
    memcpy(row, &event, sizeof(event));
    memcpy(row + sizeof(event), text, text_bytes);
    return (struct tkd_prefix *)row;
}

static void expect_sentence(struct tkd_event event, const char *text, const char *expected)
{
    struct tkd_prefix *row = row_of(event, text, (u32)strlen(text));
    struct event_view view;
    event_view(row, &view);
    char *sentence = event_sentence(catalog(), &view);
    cr_assert_str_eq(sentence, expected);
    free(sentence);
    free(row);
}

#define EVENT(KIND, ...) ((struct tkd_event){.kind = TKD_EVENT_##KIND, .ticket = 7, .seq = 1, __VA_ARGS__})

Test(events, sentences)
{
    expect_sentence(
        EVENT(ROUTED, .a = 5, .b = 3, .c = TKD_RULE_LEAST_LOADED, .d = 2, .e = 4000), "",
        "routed to 李雷 (least loaded: the queue's strategy chose; 3 eligible; load 2 before; waited 4s)");
    expect_sentence(EVENT(WAITING, .a = 1, .b = 9, .c = TKD_RULE_NOBODY_ELIGIBLE), "",
                    "waits in 物流 (nobody eligible: no eligible agent has capacity; 9 in line)");
    expect_sentence(EVENT(ASSIGNED, .a = 5), "", "assigned to 李雷");
    expect_sentence(EVENT(ASSIGNED, .a = 5, .b = 6), "", "assigned to 李雷, taken from #6");
    expect_sentence(EVENT(TRANSFERRED, .a = 1, .b = 2), "", "transferred from 物流 to 售后");
    expect_sentence(EVENT(TRANSFERRED, .a = 1, .b = 2, .c = 5), "", "transferred from 物流 to 售后, to 李雷");
    expect_sentence(EVENT(STATE, .a = TKD_STATE_OPEN, .b = TKD_STATE_ON_HOLD, .c = TKD_VERB_HOLD), "",
                    "open -> on hold (hold)");
    expect_sentence(EVENT(STATE, .a = TKD_STATE_NEW, .b = TKD_STATE_CLOSED, .c = TKD_VERB_FORCE_END), "误建",
                    "new -> closed (force end): 误建");
    expect_sentence(EVENT(TASK_CLOSED, .a = 1, .b = 5, .c = TKD_OUTCOME_DONE), "",
                    "station in 物流 of 李雷 ended: done");
    expect_sentence(
        EVENT(CARD, .a = TKD_CLOCK_STEP, .b = TKD_CARD_RED, .c = 1, .d = TKD_PRIORITY_HIGH, .link = 3600000),
        "", "red card: step, 物流, priority high, target 1h");
    expect_sentence(EVENT(NOTED), "two\nlines", "note: two\nlines");
    expect_sentence((struct tkd_event){.kind = 999}, "x", "event of kind 999");
}

/* The six texts of a CREATED event with their lengths in front. */
static u32 created_text(char *text, const char *address, const char *subject)
{
    u32 lengths[6] = {(u32)strlen(address), 0, 0, (u32)strlen(subject), 0, 0};
    memcpy(text, lengths, sizeof(lengths));
    memcpy(text + sizeof(lengths), address, lengths[0]);
    memcpy(text + sizeof(lengths) + lengths[0], subject, lengths[3]);
    return (u32)sizeof(lengths) + lengths[0] + lengths[3];
}

Test(events, a_created_ticket)
{
    char text[256];
    u32 bytes = created_text(text, "138", "包裹未到");
    struct tkd_event event =
        EVENT(CREATED, .a = 1, .b = 4, .d = TKD_PRIORITY_HIGH | TKD_STATE_OPEN << 8 | 3 << 16);
    struct tkd_prefix *row = row_of(event, text, bytes);
    struct event_view view;
    event_view(row, &view);
    char *sentence = event_sentence(catalog(), &view);
    cr_assert_str_eq(sentence, "created in 物流 by phone for customer 4 (138), high: 包裹未到");
    json_t *object = event_json(catalog(), &view);
    cr_assert_str_eq(json_string_value(json_object_get(object, "subject")), "包裹未到");
    cr_assert_str_eq(json_string_value(json_object_get(object, "state")), "open");
    cr_assert_str_eq(json_string_value(json_object_get(object, "channel")), "phone");
    cr_assert(json_is_null(json_object_get(object, "category")));
    cr_assert(json_is_null(json_object_get(object, "body")));
    json_decref(object);
    free(sentence);
    free(row);
}

/* Lengths that lie leave texts empty, and never lead out of the event. */
Test(events, a_created_event_that_does_not_add_up)
{
    char text[256];
    u32 bytes = created_text(text, "138", "x");
    for (u32 i = 0; i < 6; i++) {
        char broken[256];
        u32 huge = 0xFFFFFFF0u;
        memcpy(broken, text, bytes);
        memcpy(broken + i * sizeof(u32), &huge, sizeof(huge));
        struct tkd_prefix *row = row_of(EVENT(CREATED, .a = 1), broken, bytes);
        struct event_view view;
        event_view(row, &view);
        for (u32 j = i; j < CREATED_TEXTS; j++) cr_assert_eq(view.created[j].bytes, 0);
        free(row);
    }
    struct tkd_prefix *row = row_of(EVENT(CREATED, .a = 1), text, 10);
    struct event_view view;
    event_view(row, &view);
    cr_assert_eq(view.created[0].bytes, 0);
    free(row);
}

Test(events, names_found_in_events)
{
    struct event_view view = {.head = EVENT(TRANSFERRED, .a = 1, .b = 2, .c = 5)};
    bool any;
    cr_assert(event_names(&view, TKD_KIND_QUEUE, 1, &any) && any);
    cr_assert(event_names(&view, TKD_KIND_QUEUE, 2, &any) && any);
    cr_assert(!event_names(&view, TKD_KIND_QUEUE, 3, &any) && any);
    cr_assert(event_names(&view, TKD_KIND_AGENT, 5, &any));
    view.head = EVENT(NOTED, .actor = 5);
    cr_assert(event_names(&view, TKD_KIND_AGENT, 5, &any) && !any);
    cr_assert(!event_names(&view, TKD_KIND_QUEUE, 1, &any) && !any);
    view.head = EVENT(CARD, .a = TKD_CLOCK_RESOLUTION, .c = 1); /* c is a policy, not a queue */
    cr_assert_not(event_names(&view, TKD_KIND_QUEUE, 1, &any));
}

/* ---- Trajectory ---- */

static u32 walk(const struct tkd_event *list, u32 count, struct station *stations)
{
    struct events events = {.rows = calloc(count, sizeof(void *)), .count = count};
    for (u32 i = 0; i < count; i++) events.rows[i] = row_of(list[i], "", 0);
    u32 found = trajectory_of(&events, stations, 8);
    events_free(&events);
    return found;
}

static bool same(const struct station *a, const struct station *b)
{
    return a->queue == b->queue && a->agent == b->agent && a->entered_ms == b->entered_ms &&
           a->assigned_ms == b->assigned_ms && a->finished_ms == b->finished_ms && a->outcome == b->outcome;
}

Test(trajectory, stations_follow_the_events)
{
    const struct tkd_event list[] = {
        EVENT(CREATED, .a = 1, .time_ms = 10),
        EVENT(ROUTED, .a = 5, .time_ms = 20),
        EVENT(TASK_CLOSED, .a = 1, .b = 5, .c = TKD_OUTCOME_TRANSFERRED, .link = 10, .time_ms = 30),
        EVENT(TRANSFERRED, .a = 1, .b = 2, .time_ms = 30),
        EVENT(ASSIGNED, .a = 6, .time_ms = 40),
        EVENT(RELEASED, .a = 6, .time_ms = 50),
        EVENT(TASK_CLOSED, .a = 2, .b = 0, .c = TKD_OUTCOME_DONE, .link = 30, .time_ms = 60),
        EVENT(STATE, .a = TKD_STATE_OPEN, .b = TKD_STATE_CLOSED, .c = TKD_VERB_CLOSE, .d = 2, .time_ms = 60),
        EVENT(STATE, .a = TKD_STATE_CLOSED, .b = TKD_STATE_OPEN, .c = TKD_VERB_REOPEN, .d = 2, .time_ms = 70),
    };
    struct station stations[8];
    cr_assert_eq(walk(list, 9, stations), 3);
    struct station first = {.queue = 1,
                            .agent = 5,
                            .entered_ms = 10,
                            .assigned_ms = 20,
                            .finished_ms = 30,
                            .outcome = TKD_OUTCOME_TRANSFERRED};
    struct station second = {.queue = 2,
                             .agent = 0,
                             .entered_ms = 30,
                             .assigned_ms = 0,
                             .finished_ms = 60,
                             .outcome = TKD_OUTCOME_DONE};
    struct station third = {.queue = 2, .entered_ms = 70};
    cr_assert(same(&stations[0], &first));
    cr_assert(same(&stations[1], &second));
    cr_assert(same(&stations[2], &third));
}

Test(trajectory, a_history_that_makes_no_sense_harms_nothing)
{
    struct tkd_event list[20];
    for (u32 i = 0; i < 20; i++) list[i] = EVENT(TRANSFERRED, .b = i);
    struct station stations[8];
    cr_assert_eq(walk(list, 20, stations), 8); /* no more than there is room for */
    list[0] = EVENT(TASK_CLOSED);
    list[1] = EVENT(ASSIGNED, .a = 1);
    cr_assert_eq(walk(list, 2, stations), 0);
}
