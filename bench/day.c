#include "bench/day.h"

#include <stdio.h>
#include <stdlib.h>

#include "bench/server.h"

#define MINUTE_MS 60000u
#define HOUR_MS 3600000u
#define OCCUPANCY 0.55 /* share of the agents' time that the tickets take */

/* ---- The desk ---- */

static void *grown(void *array, u32 count, size_t bytes)
{
    void *more = realloc(array, (count + 1) * bytes);
    if (!more) die("no memory");
    return more;
}

static struct day_skills skills_of(struct tkd_text ids)
{
    struct day_skills skills = {.words = {0}};
    for (u32 at = 0; at + sizeof(u16) <= ids.bytes; at += (u32)sizeof(u16)) {
        u16 id;
        memcpy(&id, ids.data + at, sizeof(id));
        if (id < 64 * DAY_SKILL_WORDS) skills.words[id / 64] |= (u64)1 << id % 64;
    }
    return skills;
}

static bool has_skills(const struct day_skills *has, const struct day_skills *needs)
{
    for (u32 i = 0; i < DAY_SKILL_WORDS; i++) {
        if (needs->words[i] & ~has->words[i]) return false;
    }
    return true;
}

static void add_agent(struct day *day, const struct tkd_catalog_entry *entry, struct tkd_text skills,
                      struct tkd_text queues)
{
    /* First and last hour of a shift; every tenth agent has the night. */
    static const u8 shifts[][2] = {{8, 17}, {13, 22}, {8, 17}, {15, 24}, {9, 18}, {8, 17}, {12, 21}, {9, 18}, {14, 23}};
    u32 place = day->agents_count;
    day->agents = grown(day->agents, place, sizeof(*day->agents));
    const u8 *shift = shifts[place % ARRAY_COUNT(shifts)];
    bool night = place % 10 == 9;
    struct day_agent *agent = &day->agents[day->agents_count++];
    *agent = (struct day_agent){.id = entry->id,
                                .capacity = entry->capacity ? entry->capacity : 5,
                                .skills = skills_of(skills),
                                .all_queues = entry->all_queues,
                                .begin_hour = night ? 0 : shift[0],
                                .end_hour = night ? 8 : shift[1]};
    agent->queues_count = min_u32(queues.bytes / (u32)sizeof(u16), DAY_AGENT_QUEUES_MAX);
    memcpy(agent->queues, queues.data, agent->queues_count * sizeof(u16));
}

static void add_id(u16 **ids, u32 *count, u32 id)
{
    *ids = grown(*ids, *count, sizeof(**ids));
    (*ids)[(*count)++] = (u16)id;
}

static void add_entry(struct day *day, const struct tkd_prefix *row)
{
    struct tkd_catalog_entry entry;
    tkd_read(TKD_RECORD_catalog_entry, row, &entry);
    struct tkd_text skills = tkd_row_text(TKD_RECORD_catalog_entry, row, 1);
    if (entry.retired) return;
    switch (entry.kind) {
    case TKD_KIND_QUEUE:
        day->queues = grown(day->queues, day->queues_count, sizeof(*day->queues));
        day->queues[day->queues_count++] = (struct day_queue){.id = entry.id, .skills = skills_of(skills)};
        return;
    case TKD_KIND_AGENT:
        add_agent(day, &entry, skills, tkd_row_text(TKD_RECORD_catalog_entry, row, 2));
        return;
    case TKD_KIND_CHANNEL:
        add_id(&day->channels, &day->channels_count, entry.id);
        return;
    case TKD_KIND_CATEGORY:
        day->categories = grown(day->categories, day->categories_count, sizeof(*day->categories));
        day->categories[day->categories_count++] =
            (struct day_category){.id = entry.id, .parent = entry.parent, .skills = skills_of(skills)};
        return;
    case TKD_KIND_TIER:
        add_id(&day->tiers, &day->tiers_count, entry.id);
        return;
    }
}

static void read_catalog(struct day *day, struct tkd_client *client, u16 kind)
{
    struct tkd_catalog_read request = {.kind = kind};
    struct tkd_answer answer;
    do {
        if (tkd_call(client, TKD_OP_CATALOG_READ, 0, TKD_RECORD_catalog_read, &request, NULL, &answer)) {
            die("%s", tkd_error(client));
        }
        for (const struct tkd_prefix *row = NULL; (row = tkd_next_row(&answer, row));) add_entry(day, row);
        request.from = (u32)answer.cursor;
    } while (answer.cursor != 0);
}

/* What a category needs, all below it need too. Parents come first in the catalog, or in another round. */
static void inherit_skills(struct day *day)
{
    for (u32 round = 0; round < 10; round++) {
        for (u32 i = 0; i < day->categories_count * day->categories_count; i++) {
            struct day_category *child = &day->categories[i / day->categories_count];
            const struct day_category *parent = &day->categories[i % day->categories_count];
            if (child->parent != parent->id) continue;
            for (u32 k = 0; k < DAY_SKILL_WORDS; k++) child->skills.words[k] |= parent->skills.words[k];
        }
    }
}

static bool serves(const struct day_agent *agent, u32 queue)
{
    for (u32 i = 0; i < agent->queues_count; i++) {
        if (agent->queues[i] == queue) return true;
    }
    return agent->all_queues;
}

static double shift_ms(const struct day_agent *agent)
{
    return (agent->end_hour - agent->begin_hour) * (double)HOUR_MS;
}

/* A queue gets as many tickets as its members can take; handling times follow from all of them. */
static void share_out(struct day *day)
{
    double work_ms = 0, shares = 0;
    for (u32 i = 0; i < day->agents_count; i++) work_ms += day->agents[i].capacity * shift_ms(&day->agents[i]);
    for (u32 i = 0; i < day->queues_count; i++) {
        struct day_queue *queue = &day->queues[i];
        for (u32 k = 0; k < day->agents_count; k++) {
            const struct day_agent *agent = &day->agents[k];
            if (!serves(agent, queue->id)) continue;
            u32 among = agent->all_queues ? day->queues_count : agent->queues_count;
            queue->members = grown(queue->members, queue->members_count, sizeof(*queue->members));
            queue->members[queue->members_count++] = k;
            queue->share += agent->capacity * shift_ms(agent) / among;
        }
        shares += queue->share;
    }
    if (shares <= 0 || day->channels_count == 0) die("the desk has no channel, or no queue that an agent serves");
    for (u32 i = 0; i < day->queues_count; i++) day->queues[i].share /= shares;
    day->handling_ms = (u64)(work_ms * OCCUPANCY / (double)day->tickets_max);
}

void day_begin(struct day *day, struct tkd_client *client, u64 tickets, u64 begin_ms, u64 seed)
{
    static const u16 kinds[] = {TKD_KIND_CHANNEL, TKD_KIND_TIER, TKD_KIND_CATEGORY, TKD_KIND_QUEUE, TKD_KIND_AGENT};
    *day = (struct day){.prng = prng_seeded(seed), .begin_ms = begin_ms, .tickets_max = tickets};
    for (u32 i = 0; i < ARRAY_COUNT(kinds); i++) read_catalog(day, client, kinds[i]);
    inherit_skills(day);
    share_out(day);
    day->tickets = calloc(tickets + 1, sizeof(*day->tickets));
    if (!day->tickets) die("no memory");
}

void day_end(struct day *day)
{
    for (u32 i = 0; i < day->queues_count; i++) free(day->queues[i].members);
    free(day->regulars);
    free(day->queues);
    free(day->agents);
    free(day->channels);
    free(day->categories);
    free(day->tiers);
    free(day->tickets);
    free(day->plans);
}

/* ---- Who comes when ---- */

u64 day_arrivals(const struct day *day, u64 now_ms)
{
    static const u8 by_hour[24] = {1, 1, 1, 1, 1, 1, 2, 3, 5, 7, 8, 8, 6, 6, 7, 7, 6, 5, 5, 6, 7, 7, 4, 2};
    u64 passed_ms = sat_sub(now_ms, day->begin_ms), sum = 0, before = 0;
    u64 hour = min_u64(passed_ms / HOUR_MS, 24);
    for (u32 i = 0; i < 24; i++) {
        sum += by_hour[i];
        before += i < hour ? by_hour[i] : 0;
    }
    u64 within = hour < 24 ? by_hour[hour] * (passed_ms % HOUR_MS) : 0;
    return (before * HOUR_MS + within) * day->tickets_max / (sum * HOUR_MS);
}

bool day_present(const struct day *day, const struct day_agent *agent, u64 now_ms)
{
    u64 hour = (now_ms - day->begin_ms) / HOUR_MS;
    return hour >= agent->begin_hour && hour < agent->end_hour;
}

static const struct day_queue *any_queue(struct day *day)
{
    double at = (double)(prng_next(&day->prng) >> 11) * 0x1p-53;
    for (u32 i = 0; i < day->queues_count; i++) {
        at -= day->queues[i].share;
        if (at < 0) return &day->queues[i];
    }
    return &day->queues[0];
}

static bool can_do(const struct day_agent *agent, const struct day_queue *queue, const struct day_category *category)
{
    return has_skills(&agent->skills, &queue->skills) && (!category || has_skills(&agent->skills, &category->skills));
}

/* How many of the queue's members may take a ticket of this category? */
static u32 able(const struct day *day, const struct day_queue *queue, const struct day_category *category)
{
    u32 count = 0;
    for (u32 i = 0; i < queue->members_count; i++) {
        count += can_do(&day->agents[queue->members[i]], queue, category);
    }
    return count;
}

/* A category that the queue's members can handle, the more of them the likelier; 0 = none. */
static u16 any_category(struct day *day, const struct day_queue *queue)
{
    for (u32 tries = 0; tries < 16 && day->categories_count > 0; tries++) {
        const struct day_category *category = &day->categories[prng_below(&day->prng, day->categories_count)];
        if (prng_below(&day->prng, queue->members_count) < able(day, queue, category)) return (u16)category->id;
    }
    return 0;
}

static u8 any_priority(struct day *day)
{
    u64 at = prng_below(&day->prng, 100);
    return at < 3    ? TKD_PRIORITY_URGENT
           : at < 15 ? TKD_PRIORITY_HIGH
           : at < 85 ? TKD_PRIORITY_NORMAL
                     : TKD_PRIORITY_LOW;
}

void day_arrive(struct day *day, struct tkd_ticket_create *request, struct day_texts *buffer, struct tkd_text *texts)
{
    static const char *const subjects[] = {"包裹三天没有更新", "收到的商品破损", "要求退货退款", "地址写错了，请修改",
                                           "发票什么时候开", "App 登录不了", "优惠券无法使用", "少发了一件",
                                           "Where is my parcel?", "Wrong size, please exchange", "仓库迟迟不发货",
                                           "安装师傅没有上门"};
    u64 order = prng_below(&day->prng, 10000000), customer = prng_below(&day->prng, day->tickets_max / 3 + 1);
    const char *subject = subjects[prng_below(&day->prng, ARRAY_COUNT(subjects))];
    u16 channel = day->channels[customer % day->channels_count]; /* people keep to their channel */
    const struct day_queue *queue = any_queue(day);
    *request = (struct tkd_ticket_create){.channel = channel,
                                          .queue = (u16)queue->id,
                                          .category = any_category(day, queue),
                                          .priority = any_priority(day)};
    day->arrived++;
    snprintf(buffer->address, sizeof(buffer->address), "customer-%llu", (unsigned long long)customer);
    snprintf(buffer->key, sizeof(buffer->key), "day-%llu", (unsigned long long)day->arrived);
    snprintf(buffer->subject, sizeof(buffer->subject), "%s #%llu", subject, (unsigned long long)order);
    snprintf(buffer->body, sizeof(buffer->body), "订单 %llu：%s。请尽快处理，谢谢！", (unsigned long long)order, subject);
    const char *const lines[6] = {buffer->address, "", buffer->key, buffer->subject, buffer->body, ""};
    for (u32 i = 0; i < 6; i++) texts[i] = (struct tkd_text){lines[i], (u32)strlen(lines[i])};
}

/* ---- Plans ---- */

static bool earlier(const struct day_plan *a, const struct day_plan *b) { return a->at_ms < b->at_ms; }

static void swap(struct day_plan *a, struct day_plan *b)
{
    struct day_plan kept = *a;
    *a = *b;
    *b = kept;
}

static void plan_push(struct day *day, struct day_plan plan)
{
    if (day->plans_count == day->plans_room) {
        day->plans_room = day->plans_room ? 2 * day->plans_room : 1024;
        day->plans = realloc(day->plans, day->plans_room * sizeof(*day->plans));
        if (!day->plans) die("no memory");
    }
    u64 at = day->plans_count++;
    day->plans[at] = plan;
    for (; at > 0 && earlier(&day->plans[at], &day->plans[(at - 1) / 2]); at = (at - 1) / 2) {
        swap(&day->plans[at], &day->plans[(at - 1) / 2]);
    }
}

static struct day_plan plan_pop(struct day *day)
{
    struct day_plan first = day->plans[0];
    day->plans[0] = day->plans[--day->plans_count];
    for (u64 at = 0;;) {
        u64 child = 2 * at + 1;
        if (child >= day->plans_count) return first;
        if (child + 1 < day->plans_count && earlier(&day->plans[child + 1], &day->plans[child])) child++;
        if (!earlier(&day->plans[child], &day->plans[at])) return first;
        swap(&day->plans[at], &day->plans[child]);
        at = child;
    }
}

static void plan(struct day *day, u64 ticket, u16 verb, u64 at_ms)
{
    plan_push(day, (struct day_plan){
                       .at_ms = at_ms, .ticket = (u32)ticket, .turn = day->tickets[ticket].turn, .verb = verb});
}

static u64 between(struct day *day, u64 min, u64 max) { return min + prng_below(&day->prng, max - min); }

/* An agent has it now: what will come of it, and when. */
static void plan_work(struct day *day, u64 ticket, u64 now_ms)
{
    u64 takes_ms = day->handling_ms * between(day, 20, 180) / 100;
    u64 at = prng_below(&day->prng, 1000);
    u16 verb = at < 800   ? TKD_VERB_RESOLVE
               : at < 880 ? TKD_VERB_TRANSFER
               : at < 945 ? TKD_VERB_PEND
               : at < 970 ? TKD_VERB_HOLD
               : at < 985 ? TKD_VERB_RELEASE
                          : TKD_VERB_CANCEL;
    if (!day->tickets[ticket].replied) plan(day, ticket, TKD_VERB_REPLY, now_ms + takes_ms * 2 / 5);
    if (prng_chance(&day->prng, 1, 10)) plan(day, ticket, TKD_VERB_NOTE, now_ms + takes_ms * 3 / 5);
    plan(day, ticket, verb, now_ms + takes_ms);
}

static struct day_agent *agent_of(struct day *day, u32 id)
{
    u32 begin = 0, end = day->agents_count;
    while (begin < end) {
        u32 middle = (begin + end) / 2;
        if (day->agents[middle].id == id) return &day->agents[middle];
        if (day->agents[middle].id < id) {
            begin = middle + 1;
        } else {
            end = middle;
        }
    }
    return NULL;
}

/* From now on this agent has the ticket (0: nobody), and works on it or does not. Plans made before are void. */
static void hold(struct day *day, struct day_ticket *ticket, u32 agent, bool in_hand)
{
    struct day_agent *before = ticket->in_hand ? agent_of(day, ticket->agent) : NULL;
    struct day_agent *now = in_hand ? agent_of(day, agent) : NULL;
    if (before) before->load--;
    if (now) now->load++;
    ticket->agent = agent;
    ticket->in_hand = now != NULL;
    ticket->turn++;
}

/* It changed its state: what the people do then. */
static void plan_state(struct day *day, u64 ticket, u32 before, u32 state, u64 now_ms)
{
    struct day_ticket *known = &day->tickets[ticket];
    if (before == TKD_STATE_NEW && state == TKD_STATE_OPEN) return;
    hold(day, known, known->agent, state == TKD_STATE_OPEN && known->agent != 0);
    switch (state) {
    case TKD_STATE_OPEN:
        if (known->agent != 0) plan_work(day, ticket, now_ms);
        return;
    case TKD_STATE_PENDING:
        plan(day, ticket, TKD_VERB_MESSAGE, now_ms + between(day, 5 * MINUTE_MS, HOUR_MS));
        return;
    case TKD_STATE_ON_HOLD:
        plan(day, ticket, TKD_VERB_RESUME, now_ms + between(day, 20 * MINUTE_MS, 2 * HOUR_MS));
        return;
    case TKD_STATE_RESOLVED:
        day->solved++;
        if (prng_chance(&day->prng, 3, 100)) {
            plan(day, ticket, TKD_VERB_MESSAGE, now_ms + between(day, 10 * MINUTE_MS, 3 * HOUR_MS));
        } else {
            plan(day, ticket, TKD_VERB_CLOSE, now_ms + between(day, HOUR_MS, 4 * HOUR_MS));
        }
        return;
    }
}

static const struct day_category *category_of(const struct day *day, u32 id)
{
    for (u32 i = 0; i < day->categories_count; i++) {
        if (day->categories[i].id == id) return &day->categories[i];
    }
    return NULL;
}

/* Somebody who serves the ticket's queue, can do it, is there and has time; 0: nobody. */
static u32 claimer(struct day *day, const struct day_ticket *ticket, u64 now_ms)
{
    const struct day_category *category = category_of(day, ticket->category);
    for (u32 i = 0; i < day->queues_count; i++) {
        const struct day_queue *queue = &day->queues[i];
        if (queue->id != ticket->queue || queue->members_count == 0) continue;
        u64 start = prng_below(&day->prng, queue->members_count);
        for (u32 k = 0; k < queue->members_count; k++) {
            struct day_agent *agent = &day->agents[queue->members[(start + k) % queue->members_count]];
            u32 claims = agent->claim_ms == now_ms ? agent->claims : 0;
            if (!agent->online || agent->load + claims >= agent->capacity || !can_do(agent, queue, category)) continue;
            agent->claim_ms = now_ms;
            agent->claims = claims + 1;
            return agent->id;
        }
    }
    return 0;
}

/* Another queue that can handle the ticket; 0: none was found. */
static u16 another_queue(struct day *day, const struct day_ticket *ticket)
{
    const struct day_category *category = category_of(day, ticket->category);
    for (u32 tries = 0; tries < 8; tries++) {
        const struct day_queue *queue = any_queue(day);
        if (queue->id != ticket->queue && able(day, queue, category) > 1) return (u16)queue->id;
    }
    return 0;
}

/* Makes a command of a plan; false: not now. */
static bool carry_out(struct day *day, struct day_plan plan_now, u64 now_ms, struct tkd_ticket_update *update)
{
    const struct day_ticket *ticket = &day->tickets[plan_now.ticket];
    bool by_customer = plan_now.verb == TKD_VERB_MESSAGE || plan_now.verb == TKD_VERB_URGE;
    *update = (struct tkd_ticket_update){
        .kind = plan_now.verb, .ticket = ticket->id, .actor = by_customer ? 0 : ticket->agent};
    switch (plan_now.verb) {
    case TKD_VERB_CLAIM:
        update->agent = update->actor = claimer(day, ticket, now_ms);
        if (update->agent != 0) return true;
        plan(day, plan_now.ticket, TKD_VERB_CLAIM, now_ms + between(day, MINUTE_MS, 5 * MINUTE_MS));
        return false;
    case TKD_VERB_TRANSFER:
        update->queue = another_queue(day, ticket);
        if (update->queue == 0) update->kind = TKD_VERB_RESOLVE;
        return true;
    case TKD_VERB_MESSAGE:
        update->channel = ticket->channel;
        return true;
    }
    return true;
}

static struct tkd_text said(u16 verb)
{
    const char *text = verb == TKD_VERB_REPLY     ? "您好，已为您处理，请稍候查看。"
                       : verb == TKD_VERB_MESSAGE ? "我补充一下情况，请继续处理。"
                       : verb == TKD_VERB_NOTE    ? "已联系仓库核实。"
                                                  : "";
    return (struct tkd_text){text, (u32)strlen(text)};
}

bool day_next(struct day *day, u64 now_ms, struct tkd_ticket_update *update, struct tkd_text *texts)
{
    while (day->plans_count > 0 && day->plans[0].at_ms <= now_ms) {
        struct day_plan plan_now = plan_pop(day);
        if (plan_now.turn != day->tickets[plan_now.ticket].turn) continue;
        if (!carry_out(day, plan_now, now_ms, update)) continue;
        texts[0] = texts[1] = said(0);
        texts[2] = said(update->kind);
        return true;
    }
    return false;
}

/* The ticket's place, or 0 when it is none of ours. */
static u64 place_of(const struct day *day, u64 ticket)
{
    u64 sequence = ticket & (((u64)1 << 52) - 1);
    return sequence <= day->tickets_max ? sequence : 0;
}

void day_refused(struct day *day, u64 ticket, u16 verb, u64 now_ms)
{
    u64 place = place_of(day, ticket);
    if (place != 0 && verb == TKD_VERB_CLAIM && day->tickets[place].agent == 0) {
        plan(day, place, TKD_VERB_CLAIM, now_ms + between(day, MINUTE_MS, 5 * MINUTE_MS));
    }
}

bool day_regular(struct day *day, struct tkd_customer_update *update)
{
    if (day->regulars_count == 0) return false;
    *update = (struct tkd_customer_update){.customer = day->regulars[--day->regulars_count]};
    update->tier = day->tiers[prng_below(&day->prng, day->tiers_count)];
    return true;
}

/* ---- What happened ---- */

static void customer_seen(struct day *day, u64 customer)
{
    if (day->tiers_count == 0 || !prng_chance(&day->prng, 1, 12)) return;
    day->regulars = grown(day->regulars, day->regulars_count, sizeof(*day->regulars));
    day->regulars[day->regulars_count++] = customer;
}

/* Nobody has it: it waits for routing, or to be claimed. */
static void ticket_waits(struct day *day, u64 place, const struct tkd_event *event)
{
    struct day_ticket *ticket = &day->tickets[place];
    hold(day, ticket, 0, false);
    ticket->queue = (u16)event->a;
    if (event->c == TKD_RULE_CLAIM) {
        plan(day, place, TKD_VERB_CLAIM, event->time_ms + between(day, MINUTE_MS / 2, 3 * MINUTE_MS));
    }
    if (prng_chance(&day->prng, 1, 20)) plan(day, place, TKD_VERB_URGE, event->time_ms + 20 * MINUTE_MS);
}

static void ticket_given(struct day *day, u64 place, const struct tkd_event *event)
{
    hold(day, &day->tickets[place], event->a, true);
    plan_work(day, place, event->time_ms);
}

static void ticket_made(struct day *day, u64 place, const struct tkd_event *event)
{
    if (event->link == 0) customer_seen(day, event->b); /* the first touch */
    day->tickets[place] = (struct day_ticket){.id = event->ticket,
                                              .queue = (u16)event->a,
                                              .category = (u16)event->c,
                                              .channel = (u16)(event->d >> 16)};
}

void day_event(struct day *day, const struct tkd_event *event)
{
    u64 place = place_of(day, event->ticket);
    if (place == 0) return;
    struct day_ticket *ticket = &day->tickets[place];
    switch (event->kind) {
    case TKD_EVENT_CREATED:
        ticket_made(day, place, event);
        return;
    case TKD_EVENT_ROUTED:
        day->routed++;
        ticket_given(day, place, event);
        return;
    case TKD_EVENT_ASSIGNED:
        ticket_given(day, place, event);
        return;
    case TKD_EVENT_WAITING:
        ticket_waits(day, place, event);
        return;
    case TKD_EVENT_RELEASED:
        hold(day, ticket, 0, false);
        return;
    case TKD_EVENT_TRANSFERRED:
        hold(day, ticket, event->c, event->c != 0);
        ticket->queue = (u16)event->b;
        return;
    case TKD_EVENT_STATE:
        plan_state(day, place, event->a, event->b, event->time_ms);
        return;
    case TKD_EVENT_REPLIED:
        ticket->replied = true;
        return;
    case TKD_EVENT_CARD:
        day->cards_yellow += event->b == TKD_CARD_YELLOW;
        day->cards_red += event->b == TKD_CARD_RED;
        return;
    }
}
