#include "bench/workload.h"

#include <stdlib.h>

#include "bench/desk.h"
#include "bench/server.h"

#define RECENT_MAX 4096u
#define LIST_ROWS 50u
#define TAGS 64u

const char *const workload_names[WORKLOAD_END] = {"create", "lifecycle", "churn", "intake", "query", "sla"};
const char *const request_names[REQUEST_END] = {"create", "update", "get", "list", "history"};

/* A ticket on its way: what is done to it next. */
struct step {
    u64 ticket;
    u32 place; /* on its way */
};

/* A list on its way: page after page until it has its rows or has come to the end. */
struct listing {
    struct tkd_ticket_list list;
    char tag[8];
    u64 begun_ns;
};

struct slot {
    enum request_class class;
    struct listing listing;
    u32 count;          /* of its steps, or of its tickets that are due */
    struct step *steps; /* room for a batch */
};

struct flow {
    struct prng prng;
    struct slot slots[SENDER_DEPTH_MAX];
    struct step *waiting; /* ring */
    u32 waiting_max;
    u32 waiting_first;
    u32 waiting_count;
    u64 open; /* tickets that are created, or being created, and not closed */
    u64 recent[RECENT_MAX];
    u64 recent_count;
    u64 writes; /* query: frames so far */
    struct listing unfinished[SENDER_DEPTH_MAX];
    u32 unfinished_count;
};

/* ---- The way of a ticket ---- */

static const u16 life[] = {TKD_VERB_REPLY, TKD_VERB_NOTE, TKD_VERB_TRANSFER, TKD_VERB_RESOLVE,
                           TKD_VERB_CLOSE};

static bool takes(u64 ticket, u32 place)
{
    u64 drawn = ticket * 0x9e3779b97f4a7c15u >> 56;
    if (life[place] == TKD_VERB_NOTE) return drawn % 2 == 0;
    if (life[place] == TKD_VERB_TRANSFER) return drawn % 8 == 1;
    return true;
}

static bool works(const struct load *load)
{
    return load->kind == WORKLOAD_LIFECYCLE || load->kind == WORKLOAD_CHURN;
}

/* The next step at or behind `place`; false: it is at its end. */
static bool step_next(const struct load *load, struct step *step)
{
    if (load->kind == WORKLOAD_CHURN) step->place = step->place == 0 ? ARRAY_COUNT(life) - 1 : step->place;
    while (step->place < ARRAY_COUNT(life) && !takes(step->ticket, step->place)) step->place++;
    return step->place < ARRAY_COUNT(life);
}

static void wait_push(struct flow *flow, struct step step)
{
    ASSERT(flow->waiting_count < flow->waiting_max);
    flow->waiting[(flow->waiting_first + flow->waiting_count++) % flow->waiting_max] = step;
}

static struct step wait_first(const struct flow *flow) { return flow->waiting[flow->waiting_first]; }

static void wait_pop(struct flow *flow)
{
    flow->waiting_first = (flow->waiting_first + 1) % flow->waiting_max;
    flow->waiting_count--;
}

/* ---- Making ---- */

static void *room(u64 count, u64 bytes)
{
    void *memory = calloc(count, bytes);
    if (memory == NULL) die("no memory");
    return memory;
}

static u64 open_max(const struct load *load) { return load->open_max / load->connections + load->batch; }

void workload_create(struct workload *workload, const struct load *load, struct histogram *interval_ns)
{
    *workload = (struct workload){.load = load, .interval_ns = interval_ns, .begun_ns = now_ns()};
    texts_create(&workload->texts, load->body_bytes, 1);
    zipf_create(&workload->queues, load->queues, load->skew);
    zipf_create(&workload->customers, load->customers, load->skew);
    workload->flows = room(load->connections, sizeof(*workload->flows));
    for (u32 i = 0; i < REQUEST_END; i++) histogram_reset(&workload->tallies[i].latency_ns);
    for (u32 i = 0; i < load->connections; i++) {
        struct flow *flow = &workload->flows[i];
        flow->prng = prng_seeded((u64)load->run << 32 | i);
        if (works(load)) {
            flow->waiting_max = (u32)open_max(load) + load->batch;
            flow->waiting = room(flow->waiting_max, sizeof(*flow->waiting));
        }
        for (u32 slot = 0; works(load) && slot < SENDER_DEPTH_MAX; slot++)
            flow->slots[slot].steps = room(load->batch, sizeof(struct step));
    }
}

void workload_destroy(struct workload *workload)
{
    for (u32 i = 0; i < workload->load->connections; i++) {
        for (u32 slot = 0; slot < SENDER_DEPTH_MAX; slot++) free(workload->flows[i].slots[slot].steps);
        free(workload->flows[i].waiting);
    }
    free(workload->flows);
    zipf_destroy(&workload->queues);
    zipf_destroy(&workload->customers);
    texts_destroy(&workload->texts);
}

u32 workload_sessions(const struct load *load)
{
    return load->kind == WORKLOAD_QUERY ? (load->connections + 1) / 2 : load->connections;
}

/* ---- Records ---- */

static void put_digits(char *at, u64 number, u32 digits)
{
    for (u32 i = digits; i-- > 0; number /= 10) at[i] = (char)('0' + number % 10);
}

/* sla: the category whose target ends in the second wanted; 0: none any more. */
static u16 due_category(const struct workload *workload, u64 index)
{
    const struct load *load = workload->load;
    if (load->kind != WORKLOAD_SLA || index >= load->due) return 0;
    u64 elapsed_s = (now_ns() - workload->begun_ns) / 1000000000;
    return elapsed_s < load->due_s ? (u16)(load->due_s - elapsed_s) : 0;
}

/* A key is known on its channel only, and a customer comes by one channel: both follow from the ticket's number. */
static u64 draw_customer(const struct workload *workload, struct flow *flow, u64 channel, u64 channels)
{
    u64 drawn = zipf_draw(&workload->customers, &flow->prng), customer = drawn - drawn % channels + channel;
    return customer < workload->load->customers ? customer : customer - channels;
}

static bool add_create(struct workload *workload, struct flow *flow, struct sender *sender, u64 index, u16 category)
{
    u64 channels = min_u64(DESK_CHANNELS, workload->load->customers), channel = index % channels;
    const struct text *subject = &workload->texts.subjects[prng_next(&flow->prng) % TEXTS_COUNT];
    const struct text *body = &workload->texts.bodies[prng_next(&flow->prng) % TEXTS_COUNT];
    struct tkd_ticket_create head = {.channel = (u16)(channel + 1),
                                     .queue = (u16)(zipf_draw(&workload->queues, &flow->prng) + 1),
                                     .category = category,
                                     .priority = workload->load->kind == WORKLOAD_QUERY && index % 1000 == 0
                                                     ? TKD_PRIORITY_URGENT
                                                     : 0,
                                     .address_bytes = 12,
                                     .key_bytes = 16,
                                     .subject_bytes = subject->bytes,
                                     .body_bytes = body->bytes};
    u32 texts_bytes = head.address_bytes + head.key_bytes + head.subject_bytes + head.body_bytes;
    struct tkd_ticket_create *record = sender_record(sender, sizeof(head), texts_bytes, 0);
    if (record == NULL) return false;
    head.size = record->size;
    head.head = record->head;
    *record = head;
    char *text = (char *)(record + 1);
    text[0] = '+';
    put_digits(text + 1, draw_customer(workload, flow, channel, channels), 11);
    text += head.address_bytes;
    put_digits(text, workload->load->run, 5);
    text[5] = '-';
    put_digits(text + 6, index, 10);
    text += head.key_bytes;
    memcpy(text, subject->data, subject->bytes);
    memcpy(text + subject->bytes, body->data, body->bytes);
    return true;
}

/* Some tags are common, some rare. Returns the bytes of its name. */
static u32 draw_tag(struct flow *flow, char name[8])
{
    u64 number = prng_below(&flow->prng, TAGS) * prng_below(&flow->prng, TAGS) / TAGS;
    memcpy(name, "tag-", 4);
    put_digits(name + 4, number, 2);
    return 6;
}

static bool add_update(struct workload *workload, struct flow *flow, struct sender *sender, u64 ticket,
                       u16 verb)
{
    char tag[8];
    struct text text = {NULL, 0};
    struct tkd_ticket_update head = {.ticket = ticket};
    if (verb == TKD_VERB_REPLY || verb == TKD_VERB_NOTE || verb == TKD_VERB_MESSAGE)
        text = workload->texts.bodies[prng_next(&flow->prng) % TEXTS_COUNT];
    if (verb == TKD_VERB_MESSAGE && prng_chance(&flow->prng, 1, 3))
        head.channel = (u16)(ticket % DESK_CHANNELS + 1);
    if (verb == TKD_VERB_TRANSFER) head.queue = (u16)(zipf_draw(&workload->queues, &flow->prng) + 1);
    if (verb == TKD_VERB_TAG) text = (struct text){tag, draw_tag(flow, tag)};
    if (verb == TKD_VERB_PRIORITY) head.priority = TKD_PRIORITY_HIGH;
    head.text_bytes = text.bytes;
    struct tkd_ticket_update *record = sender_record(sender, sizeof(head), text.bytes, verb);
    if (record == NULL) return false;
    head.size = record->size;
    head.head = record->head;
    head.kind = verb;
    *record = head;
    if (text.bytes > 0) memcpy(record + 1, text.data, text.bytes);
    return true;
}

/* ---- Frames ---- */

static u32 frame_max(const struct workload *workload)
{
    return (u32)min_u64(workload->load->batch, workload->load->commands - workload->sent);
}

static u32 build_create(struct workload *workload, struct flow *flow, struct sender *sender)
{
    sender_begin(sender, TKD_OP_TICKET_CREATE, 0);
    struct slot *slot = &flow->slots[sender_slot(sender)];
    slot->class = REQUEST_CREATE;
    slot->count = 0; /* of those that are due: they come first */
    u32 count = 0;
    for (; count < frame_max(workload); count++) {
        bool known =
            workload->load->kind == WORKLOAD_INTAKE && workload->keys > 0 && prng_chance(&flow->prng, 1, 7);
        u64 index = known ? prng_below(&flow->prng, workload->keys) : workload->keys;
        u16 category = due_category(workload, index);
        if (!add_create(workload, flow, sender, index, category)) break;
        workload->keys += !known;
        slot->count += category != 0;
    }
    flow->open += count;
    return count;
}

static u32 build_steps(struct workload *workload, struct flow *flow, struct sender *sender)
{
    struct slot *slot = &flow->slots[sender_slot(sender)];
    sender_begin(sender, TKD_OP_TICKET_UPDATE, 0);
    slot->class = REQUEST_UPDATE;
    slot->count = 0;
    while (slot->count < frame_max(workload) && flow->waiting_count > 0) {
        struct step step = wait_first(flow);
        if (!add_update(workload, flow, sender, step.ticket, life[step.place])) break;
        wait_pop(flow);
        slot->steps[slot->count++] = step;
    }
    return slot->count;
}

/* Work before new work, in full frames while there are enough. */
static u32 build_life(struct workload *workload, struct flow *flow, struct sender *sender)
{
    const struct load *load = workload->load;
    if (flow->waiting_count >= load->batch) return build_steps(workload, flow, sender);
    if (flow->open + load->batch <= open_max(load)) return build_create(workload, flow, sender);
    return flow->waiting_count > 0 ? build_steps(workload, flow, sender) : 0;
}

static u64 some_recent(struct flow *flow)
{
    return flow->recent[prng_below(&flow->prng, min_u64(flow->recent_count, RECENT_MAX))];
}

/* Updates of tickets that were created not long ago. */
static u32 build_updates(struct workload *workload, struct flow *flow, struct sender *sender, const u16 *verbs,
                         u32 verbs_count)
{
    sender_begin(sender, TKD_OP_TICKET_UPDATE, 0);
    flow->slots[sender_slot(sender)].class = REQUEST_UPDATE;
    u32 count = 0;
    while (count < frame_max(workload)) {
        u16 verb = verbs[prng_below(&flow->prng, verbs_count)];
        if (!add_update(workload, flow, sender, some_recent(flow), verb)) break;
        count++;
    }
    return count;
}

static u32 build_intake(struct workload *workload, struct flow *flow, struct sender *sender)
{
    static const u16 verbs[] = {TKD_VERB_MESSAGE, TKD_VERB_MESSAGE, TKD_VERB_MESSAGE, TKD_VERB_URGE};
    if (flow->recent_count == 0 || prng_chance(&flow->prng, 3, 5))
        return build_create(workload, flow, sender);
    return build_updates(workload, flow, sender, verbs, ARRAY_COUNT(verbs));
}

/* What lists can tell apart: in a tenth of the frames tickets get a tag, a priority, or wait. */
static u32 build_writes(struct workload *workload, struct flow *flow, struct sender *sender)
{
    static const u16 verbs[] = {TKD_VERB_TAG, TKD_VERB_TAG, TKD_VERB_PRIORITY, TKD_VERB_PEND};
    if (flow->writes++ % 10 != 2 || flow->recent_count == 0) return build_create(workload, flow, sender);
    return build_updates(workload, flow, sender, verbs, ARRAY_COUNT(verbs));
}

/* Any combination of what there is to filter by; many are rare, some never met. */
static struct listing draw_list(const struct workload *workload, struct flow *flow)
{
    static const u32 states[] = {TKD_STATE_OPEN, TKD_STATE_PENDING, TKD_STATE_RESOLVED};
    struct listing listing = {.list = {.limit = LIST_ROWS}};
    struct prng *prng = &flow->prng;
    if (prng_chance(prng, 1, 2)) listing.list.queue = (u16)(zipf_draw(&workload->queues, prng) + 1);
    if (prng_chance(prng, 1, 4)) listing.list.agent = (u32)prng_below(prng, workload->load->agents) + 1;
    if (prng_chance(prng, 1, 4)) listing.list.channel = (u16)(prng_below(prng, DESK_CHANNELS) + 1);
    if (prng_chance(prng, 1, 2)) listing.list.states = (u16)(1u << states[prng_below(prng, ARRAY_COUNT(states))]);
    if (prng_chance(prng, 1, 4)) listing.list.priority = (u8)(1 + prng_below(prng, TKD_PRIORITY_END - 1));
    if (prng_chance(prng, 1, 4)) listing.list.tag_bytes = draw_tag(flow, listing.tag);
    return listing;
}

/* The next page of a list that has one, or the first of another. */
static void add_list(const struct workload *workload, struct flow *flow, struct sender *sender)
{
    struct listing *listing = &flow->slots[sender_slot(sender)].listing;
    *listing =
        flow->unfinished_count > 0 ? flow->unfinished[--flow->unfinished_count] : draw_list(workload, flow);
    struct tkd_ticket_list *list = sender_record(sender, sizeof(*list), listing->list.tag_bytes, 0);
    listing->list.size = list->size;
    listing->list.head = list->head;
    *list = listing->list;
    memcpy(list + 1, listing->tag, listing->list.tag_bytes);
}

static u32 build_query(struct workload *workload, struct flow *flow, struct sender *sender)
{
    static const u16 ops[] = {[REQUEST_GET] = TKD_OP_TICKET_GET,
                              [REQUEST_LIST] = TKD_OP_TICKET_LIST,
                              [REQUEST_HISTORY] = TKD_OP_HISTORY};
    if (workload->last_id == 0) return 0;
    enum request_class class = REQUEST_GET + prng_below(&flow->prng, 3);
    if (flow->unfinished_count > 0) class = REQUEST_LIST;
    u64 ticket = prng_below(&flow->prng, workload->last_id) + 1;
    flow->slots[sender_slot(sender)].class = class;
    sender_begin(sender, ops[class], 0);
    if (class == REQUEST_LIST) {
        add_list(workload, flow, sender);
    } else if (class == REQUEST_GET) {
        struct tkd_ticket_get *get = sender_record(sender, sizeof(*get), 0, 0);
        memset((u8 *)get + sizeof(struct tkd_prefix), 0, sizeof(*get) - sizeof(struct tkd_prefix));
        get->ticket = ticket;
    } else {
        struct tkd_history *history = sender_record(sender, sizeof(*history), 0, 0);
        *(&history->ticket) = ticket;
        history->from = 0;
    }
    return 1;
}

u32 workload_build(struct workload *workload, struct sender *sender)
{
    struct flow *flow = &workload->flows[sender->index];
    u32 count;
    if (works(workload->load))
        count = build_life(workload, flow, sender);
    else if (workload->load->kind == WORKLOAD_INTAKE)
        count = build_intake(workload, flow, sender);
    else if (sender->session == 0)
        count = build_query(workload, flow, sender);
    else if (workload->load->kind == WORKLOAD_QUERY)
        count = build_writes(workload, flow, sender);
    else
        count = build_create(workload, flow, sender);
    workload->sent += count;
    return count;
}

/* ---- Answers ---- */

u64 workload_unfinished(const struct workload *workload)
{
    u64 unfinished = 0;
    for (u32 i = 0; i < workload->load->connections; i++) unfinished += workload->flows[i].unfinished_count;
    return unfinished;
}

static void created(struct workload *workload, struct flow *flow, const struct tkd_result *result)
{
    workload->last_id = max_u64(workload->last_id, result->id);
    flow->recent[flow->recent_count++ % RECENT_MAX] = result->id;
    struct step step = {.ticket = result->id};
    if (works(workload->load) && step_next(workload->load, &step)) wait_push(flow, step);
}

static void stepped(struct workload *workload, struct flow *flow, struct step step)
{
    step.place++;
    if (step_next(workload->load, &step))
        wait_push(flow, step);
    else
        flow->open--;
}

static void results_read(struct workload *workload, struct flow *flow, u32 slot,
                         const struct tkd_frame *answer)
{
    struct request_tally *tally = &workload->tallies[flow->slots[slot].class];
    const struct tkd_result *results = (const void *)(answer + 1);
    if (answer->size != TKD_FRAME_BYTES + answer->count * sizeof(*results)) die("an answer has a wrong size");
    for (u32 i = 0; i < answer->count; i++) {
        bool good = tkd_status_info(results[i].status)->class == TKD_STATUS_ok;
        tally->exists += good && results[i].status != TKD_OK;
        if (!good) {
            tally->refused++;
            tally->refusal = results[i].status;
        }
        if (answer->op == TKD_OP_TICKET_CREATE && good) {
            created(workload, flow, &results[i]);
            workload->due_created += i < flow->slots[slot].count;
        }
        if (answer->op == TKD_OP_TICKET_UPDATE && works(workload->load))
            stepped(workload, flow, flow->slots[slot].steps[i]);
    }
}

/* Has the list all that it wants? Else its next page is asked for as soon as the connection is free. */
static bool list_ended(struct flow *flow, struct listing *listing, const struct tkd_frame *answer, u64 begun_ns)
{
    if (listing->begun_ns == 0) listing->begun_ns = begun_ns;
    listing->list.limit -= min_u32(listing->list.limit, answer->count);
    listing->list.cursor = answer->ack_below;
    if (listing->list.limit == 0 || listing->list.cursor == 0) return true;
    flow->unfinished[flow->unfinished_count++] = *listing;
    return false;
}

void workload_answered(void *owner, struct sender *sender, u32 slot, const struct tkd_frame *answer)
{
    struct workload *workload = owner;
    struct flow *flow = &workload->flows[sender->index];
    struct slot *asked = &flow->slots[slot];
    struct request_tally *tally = &workload->tallies[asked->class];
    u32 records = sender->session == 0 ? 1 : answer->count;
    u64 begun_ns = sender->begun_ns[slot];
    workload->answered += records;
    workload->frames++;
    if (asked->class == REQUEST_LIST) {
        if (!list_ended(flow, &asked->listing, answer, begun_ns)) return;
        begun_ns = asked->listing.begun_ns;
    }
    u64 took_ns = now_ns() - begun_ns;
    tally->frames++;
    tally->records += records;
    histogram_add(&tally->latency_ns, took_ns);
    histogram_add(workload->interval_ns, took_ns);
    if (workload->times_count < workload->load->times_max)
        workload->load->times[workload->times_count++] = (struct request_time){begun_ns, took_ns};
    if (sender->session != 0) results_read(workload, flow, slot, answer);
}
