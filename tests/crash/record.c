/* What the world knows of the desk, from answers and events alone; and whether both tell the same. */
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "core/frame.h"
#include "crash/crash.h"

#define REWIND_EVENTS 2000u

/* The command's own text: `#client.seq.record`. */
static struct command *marked(struct world *world, const char *text, u32 bytes, u32 *record)
{
    char copy[MARK_MAX + 1];
    unsigned number, at;
    unsigned long long seq;
    if (bytes == 0 || bytes > MARK_MAX || text[0] != '#') return NULL;
    memcpy(copy, text, bytes);
    copy[bytes] = 0;
    REQUIRE(sscanf(copy, "#%u.%llu.%u", &number, &seq, &at) == 3 && number < CLIENTS, "a strange text: %s",
            copy);
    struct client *client = &world->clients[number];
    REQUIRE(seq > 0 && seq < client->next_seq && at < client->commands[seq].count, "nobody has sent %s",
            copy);
    *record = at;
    return &client->commands[seq];
}

/* ---- Events ---- */

static void event_of_command(struct world *world, const struct tkd_event *event, const char *text)
{
    u32 record, bytes = event->text_bytes, lengths[6];
    if (event->kind == TKD_EVENT_CREATED) {
        memcpy(lengths, text, sizeof(lengths));
        text += sizeof(lengths) + lengths[0] + lengths[1];
        bytes = lengths[2];
    }
    bool tag = event->kind == TKD_EVENT_TAGGED || event->kind == TKD_EVENT_UNTAGGED;
    struct command *command =
        tag || event->kind == TKD_EVENT_CATALOG ? NULL : marked(world, text, bytes, &record);
    if (!command) return;
    REQUIRE(!command->seen[record], "%.*s was done twice: event %llu", (int)bytes, text,
            (unsigned long long)event->seq);
    REQUIRE(command->cause == 0 || command->cause == event->cause, "%.*s was done in two pieces: event %llu",
            (int)bytes, text, (unsigned long long)event->seq);
    u64 *ticket = &command->tickets[record];
    REQUIRE(*ticket == 0 || *ticket == event->ticket, "%.*s was done to ticket %llu", (int)bytes, text,
            (unsigned long long)event->ticket);
    if (command->op == TKD_OP_TICKET_CREATE) *ticket = event->ticket;
    command->seen[record] = 1;
    command->cause = event->cause;
}

static struct ticket_record *ticket_of(struct world *world, u64 number)
{
    world->tickets = grown(world->tickets, &world->tickets_max, number + 1, sizeof(*world->tickets));
    return &world->tickets[number];
}

static void event_of_ticket(struct world *world, const struct tkd_event *event)
{
    struct ticket_record *ticket = ticket_of(world, event->ticket);
    if (event->kind == TKD_EVENT_CREATED) {
        REQUIRE(event->ticket == world->tickets_count + 1, "ticket %llu follows %llu",
                (unsigned long long)event->ticket, (unsigned long long)world->tickets_count);
        world->tickets_count++;
        ticket->queue = (u16)event->a;
        ticket->category = (u16)event->c;
        ticket->priority = (u8)event->d;
        ticket->state = (u8)(event->d >> 8);
    }
    REQUIRE(event->ticket <= world->tickets_count && event->previous == ticket->last_event,
            "event %llu of ticket %llu does not follow its last one", (unsigned long long)event->seq,
            (unsigned long long)event->ticket);
    ticket->last_event = event->seq;
    if (event->kind == TKD_EVENT_ROUTED) ticket->routed++;
    bool given = event->kind == TKD_EVENT_ROUTED || event->kind == TKD_EVENT_ASSIGNED ||
                 (event->kind == TKD_EVENT_TRANSFERRED && event->c != 0);
    if (given && ticket->state == TKD_STATE_NEW) ticket->state = TKD_STATE_OPEN;
    if (event->kind == TKD_EVENT_PRIORITY) ticket->priority = (u8)event->b;
    if (event->kind == TKD_EVENT_CATEGORY) ticket->category = (u16)event->b;
    if (event->kind == TKD_EVENT_TRANSFERRED) ticket->queue = (u16)event->b;
    if (event->kind == TKD_EVENT_URGED) REQUIRE(event->a == ++ticket->urges, "an urge is lost");
    if (event->kind == TKD_EVENT_CARD) world->counts.cards[event->a][event->b]++;
    if (event->kind != TKD_EVENT_STATE) return;
    REQUIRE(event->a == ticket->state, "event %llu: a move from another state",
            (unsigned long long)event->seq);
    world->counts.reopened += event->a >= TKD_STATE_RESOLVED && event->b == TKD_STATE_OPEN;
    world->counts.cancelled += event->b == TKD_STATE_CANCELLED;
    ticket->state = (u8)event->b;
}

static void new_event(struct world *world, const struct tkd_event *event, const char *text)
{
    REQUIRE(event->cause >= world->last_cause, "event %llu was caused earlier than the one before",
            (unsigned long long)event->seq);
    world->last_cause = event->cause;
    ASSERT(event->kind < ARRAY_COUNT(world->counts.events));
    world->counts.events[event->kind]++;
    if (event->ticket) event_of_ticket(world, event);
    event_of_command(world, event, text);
    figures.events++;
}

void record_events(struct world *world, const struct tkd_frame *frame, u64 *next)
{
    const struct tkd_prefix *row = frame_first(frame);
    for (u32 i = 0; i < frame->count; i++, row = record_next(row)) {
        struct tkd_event event;
        record_head(row, &event, sizeof(event));
        REQUIRE(event.seq == *next, "event %llu arrives where %llu was to come",
                (unsigned long long)event.seq, (unsigned long long)*next);
        u64 hash = hash64(row, row->size, 0);
        if (event.seq > world->events_count) {
            world->events = grown(world->events, &world->events_max, event.seq + 1, sizeof(u64));
            world->events[event.seq] = hash;
            world->events_count = event.seq;
            new_event(world, &event, record_texts(row));
        } else {
            REQUIRE(world->events[event.seq] == hash, "event %llu is not what it was",
                    (unsigned long long)event.seq);
            figures.reread++;
        }
        ++*next;
    }
}

void record_catch_up(struct world *world)
{
    u64 next = 1 + sat_sub(world->events_count, prng_below(&world->prng, REWIND_EVENTS)), cursor;
    do {
        struct tkd_events_from head = {.from = next};
        const struct tkd_frame *answer = peer_ask(&world->admin, TKD_OP_EVENTS, &head, sizeof(head));
        REQUIRE(answer->status == TKD_OK, "EVENTS from %llu: status %u", (unsigned long long)next,
                answer->status);
        cursor = answer->ack_below;
        record_events(world, answer, &next);
    } while (cursor != 0);
    REQUIRE(next > world->events_count, "events up to %llu were seen, now they end at %llu",
            (unsigned long long)world->events_count, (unsigned long long)next - 1);
}

/* ---- Answers ---- */

static void answer_create(struct world *world, struct client *client, const struct tkd_ticket_create *request,
                          struct command *command, u32 record)
{
    const struct tkd_result *result = &command->results[record];
    u32 first;
    const char *key = record_texts((const void *)request) + request->address_bytes;
    struct command *maker = marked(world, key, request->key_bytes, &first);
    ASSERT(maker);
    bool again = maker != command;
    REQUIRE(result->status == (again ? TKD_EXISTS : TKD_OK), "%.*s is answered %u", (int)request->key_bytes,
            key, result->status);
    u64 *known = &maker->tickets[first];
    REQUIRE(*known == 0 || *known == result->id, "%.*s was ticket %llu and is now %llu",
            (int)request->key_bytes, key, (unsigned long long)*known, (unsigned long long)result->id);
    *known = result->id;
    if (again) return;
    client->tickets = grown(client->tickets, &client->tickets_max, client->tickets_count + 1, sizeof(u64));
    client->tickets[client->tickets_count++] = result->id;
}

void record_answer(struct world *world, struct client *client, u64 seq)
{
    struct command *command = &client->commands[seq];
    const struct tkd_frame *frame = (const void *)command->frame;
    const struct tkd_prefix *record = frame_first(frame);
    for (u32 i = 0; i < command->count; i++, record = record_next(record)) {
        const struct tkd_result *result = &command->results[i];
        bool done = result->status == TKD_OK;
        if (done) world->counts.applied[command->op]++;
        if (command->op == TKD_OP_TICKET_CREATE)
            answer_create(world, client, (const void *)record, command, i);
        if (command->op == TKD_OP_CATALOG_APPLY && done) world->catalog_version = result->version;
        if (command->op != TKD_OP_TICKET_UPDATE) continue;
        if (done || result->status == TKD_UNCHANGED) world->counts.verbs[record->kind]++;
        if (done) ticket_of(world, result->id)->updates++;
    }
}

/* Does this record show up in an event of its own? */
static bool shows(const struct command *command, u32 record)
{
    if (command->results[record].status != TKD_OK) return false;
    u16 verb = command->verbs[record];
    if (command->op == TKD_OP_TICKET_UPDATE) return verb != TKD_VERB_TAG && verb != TKD_VERB_UNTAG;
    return command->op == TKD_OP_TICKET_CREATE || command->op == TKD_OP_CUSTOMER_UPDATE;
}

void record_verify(struct world *world)
{
    for (u32 i = 0; i < CLIENTS; i++) {
        struct client *client = &world->clients[i];
        for (; client->verified < client->answered; client->verified++) {
            const struct command *command = &client->commands[client->verified];
            for (u32 at = 0; at < command->count; at++) {
                REQUIRE(command->seen[at] == shows(command, at),
                        "#%u.%llu.%u was answered %u but its event is %s", i,
                        (unsigned long long)client->verified, at, command->results[at].status,
                        command->seen[at] ? "there" : "not there");
            }
            REQUIRE(command->cause == 0 || command->cause > client->last_cause,
                    "client %u: done out of order", i);
            if (command->cause) client->last_cause = command->cause;
        }
    }
}

/* ---- The end of a life ---- */

static void compare_ticket(const struct world *world, const struct tkd_ticket *row)
{
    REQUIRE(row->id > 0 && row->id <= world->tickets_count, "nobody made ticket %llu",
            (unsigned long long)row->id);
    const struct ticket_record *ticket = &world->tickets[row->id];
    bool same = row->state == ticket->state && row->priority == ticket->priority &&
                row->queue == ticket->queue && row->category == ticket->category &&
                row->urges == ticket->urges && row->last_event == ticket->last_event &&
                row->version == 1 + ticket->routed + ticket->updates;
    REQUIRE(
        same,
        "ticket %llu is not what its events say: version %u (1 and %u routed and %u updates), state %u (%u), "
        "priority %u (%u), queue %u (%u), category %u (%u), last event %llu (%llu)",
        (unsigned long long)row->id, row->version, ticket->routed, ticket->updates, row->state, ticket->state,
        row->priority, ticket->priority, row->queue, ticket->queue, row->category, ticket->category,
        (unsigned long long)row->last_event, (unsigned long long)ticket->last_event);
}

static void compare_tickets(struct world *world)
{
    struct tkd_ticket_list head = {.limit = 1000};
    u64 rows = 0;
    do {
        const struct tkd_frame *answer = peer_ask(&world->admin, TKD_OP_TICKET_LIST, &head, sizeof(head));
        REQUIRE(answer->status == TKD_OK, "TICKET_LIST: %u", answer->status);
        const struct tkd_prefix *row = frame_first(answer);
        for (u32 i = 0; i < answer->count; i++, row = record_next(row), rows++) {
            struct tkd_ticket ticket;
            record_head(row, &ticket, sizeof(ticket));
            compare_ticket(world, &ticket);
        }
        head.cursor = answer->ack_below;
    } while (head.cursor != 0);
    REQUIRE(rows == world->tickets_count, "%llu tickets are listed, %llu were made", (unsigned long long)rows,
            (unsigned long long)world->tickets_count);
}

static void same(const char *what, u64 desk, u64 ours)
{
    REQUIRE(desk == ours, "%s: the desk counts %llu, we %llu", what, (unsigned long long)desk,
            (unsigned long long)ours);
}

static void compare_summary(struct world *world)
{
    const struct counts *counts = &world->counts;
    const struct tkd_frame *answer = peer_ask(&world->admin, TKD_OP_SUMMARY, NULL, 0);
    u64 states[TKD_STATE_END] = {0};
    char name[64];
    for (u64 i = 1; i <= world->tickets_count; i++) states[world->tickets[i].state]++;
    same("tickets", metric_of(answer, "tickets"), world->tickets_count);
    same("reopens", metric_of(answer, "reopens"), counts->reopened);
    same("catalog version", metric_of(answer, "catalog_version"), world->catalog_version);
    for (u32 verb = 1; verb < TKD_VERB_END; verb++) {
        snprintf(name, sizeof(name), "by_command.%s", tkd_name(TKD_ENUM_VERB, verb));
        same(name, metric_of(answer, name), counts->verbs[verb]);
    }
    for (u32 state = 1; state < TKD_STATE_END; state++) {
        snprintf(name, sizeof(name), "final_state.%s", tkd_name(TKD_ENUM_STATE, state));
        same(name, metric_of(answer, name), states[state]);
    }
    same("creates", counts->events[TKD_EVENT_CREATED], counts->applied[TKD_OP_TICKET_CREATE]);
    same("presence events", counts->events[TKD_EVENT_PRESENCE], counts->applied[TKD_OP_AGENT_PRESENCE]);
    same("customer events", counts->events[TKD_EVENT_CUSTOMER], counts->applied[TKD_OP_CUSTOMER_UPDATE]);
    same("catalog events", counts->events[TKD_EVENT_CATALOG], counts->applied[TKD_OP_CATALOG_APPLY]);
}

static void compare_report(struct world *world)
{
    const struct counts *counts = &world->counts;
    struct tkd_report head = {.dimension = TKD_DIMENSION_DESK};
    struct tkd_report_row sum = {0}, row;
    do {
        const struct tkd_frame *answer = peer_ask(&world->admin, TKD_OP_REPORT, &head, sizeof(head));
        const struct tkd_prefix *at = frame_first(answer);
        REQUIRE(answer->status == TKD_OK, "REPORT: %u", answer->status);
        for (u32 i = 0; i < answer->count; i++, at = record_next(at)) {
            record_head(at, &row, sizeof(row));
#define ADD_N(type, name, doc) sum.name += row.name;
            TKD_COUNTERS(ADD_N)
#undef ADD_N
        }
        head.cursor = answer->ack_below;
    } while (head.cursor != 0);
    same("report: created", sum.created, world->tickets_count);
    same("report: routed", sum.routed, counts->events[TKD_EVENT_ROUTED]);
    same("report: transferred", sum.transferred, counts->events[TKD_EVENT_TRANSFERRED]);
    same("report: entered", sum.entered, world->tickets_count + counts->events[TKD_EVENT_TRANSFERRED]);
    same("report: cancelled", sum.cancelled, counts->cancelled);
    same("report: reopened", sum.reopened, counts->reopened);
    same("report: urged", sum.urged, counts->events[TKD_EVENT_URGED]);
    same("report: replies", sum.replies, counts->events[TKD_EVENT_REPLIED]);
    same("report: messages", sum.messages, counts->events[TKD_EVENT_MESSAGE]);
    same("report: red first reply", sum.red_first_reply, counts->cards[TKD_CLOCK_FIRST_REPLY][TKD_CARD_RED]);
    same("report: yellow first reply", sum.yellow_first_reply,
         counts->cards[TKD_CLOCK_FIRST_REPLY][TKD_CARD_YELLOW]);
    same("report: red resolution", sum.red_resolution, counts->cards[TKD_CLOCK_RESOLUTION][TKD_CARD_RED]);
    same("report: yellow resolution", sum.yellow_resolution,
         counts->cards[TKD_CLOCK_RESOLUTION][TKD_CARD_YELLOW]);
    same("report: red step", sum.red_step, counts->cards[TKD_CLOCK_STEP][TKD_CARD_RED]);
    same("report: yellow step", sum.yellow_step, counts->cards[TKD_CLOCK_STEP][TKD_CARD_YELLOW]);
}

void record_compare(struct world *world)
{
    compare_tickets(world);
    compare_summary(world);
    compare_report(world);
}
