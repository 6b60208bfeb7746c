#include "core/task.h"

#include "core/desk.h"

u32 task_skill_set(struct state *state, const struct ticket *ticket)
{
    u32 set = queue_row(state, ticket->queue)->skill_set;
    if (ticket->category != 0) set = skill_set_join(state, set, category_row(state, ticket->category)->skill_set);
    return skill_set_join(state, set, ticket->skill_set);
}

static void task_open(struct state *state, u32 row)
{
    struct ticket *ticket = ticket_edit(state, row);
    ASSERT(ticket->task == 0);
    u32 at = table_take(&state->tables[TABLE_TASK]);
    struct task *task = task_edit(state, at);
    if (ticket->stations < UINT16_MAX) ticket->stations++;
    task->ticket_id = ticket->id;
    task->ticket = row;
    task->queue = ticket->queue;
    task->station = ticket->stations;
    task->entered_ms = state->now_ms;
    ticket->task = at;
    task->skill_set = (u16)task_skill_set(state, ticket);
}

void task_enter(struct state *state, u32 row)
{
    task_open(state, row);
    const struct ticket *ticket = ticket_row(state, row);
    tally_edit(state, ticket->queue)->entries++;
    struct stats_rows rows;
    stats_rows(state, ticket, &rows);
    stats_add(&rows, STATS_entered, 1);
    if (ticket->stations == 1) stats_add(&rows, STATS_created, 1);
}

static void count_handled(struct state *state, const struct ticket *ticket, const struct task *task)
{
    if (task->agent != 0) stats_count(state, ticket, STATS_handled_ms, state->now_ms - task->assigned_ms);
}

void task_give(struct state *state, u32 row, u32 agent, bool routed)
{
    struct ticket *ticket = ticket_edit(state, row);
    struct task *task = task_edit(state, ticket->task);
    u64 waited_ms = task->assigned_ms == 0 ? state->now_ms - task->entered_ms : 0;
    count_handled(state, ticket, task);
    task->agent = (u16)agent;
    task->assigned_ms = state->now_ms;
    ticket->agent = agent;
    if (ticket->state == TKD_STATE_NEW) ticket_set_state(state, row, TKD_STATE_OPEN);
    struct seat *seat = seat_edit(state, agent);
    seat->last_assigned_ms = state->now_ms;
    seat->assigned_seq = ++desk_edit(state)->assignments;
    struct stats_rows rows;
    stats_rows(state, ticket, &rows);
    stats_add(&rows, STATS_assigned, 1);
    stats_add(&rows, STATS_waited_ms, waited_ms);
    if (routed) stats_add(&rows, STATS_routed, 1);
}

void task_take_back(struct state *state, u32 row)
{
    struct ticket *ticket = ticket_edit(state, row);
    struct task *task = task_edit(state, ticket->task);
    count_handled(state, ticket, task);
    task->agent = 0;
    task->assigned_ms = 0;
    task->entered_ms = state->now_ms;
    ticket->agent = 0;
}

void task_reopen(struct state *state, u32 row)
{
    u32 agent = ticket_row(state, row)->agent;
    task_open(state, row);
    bool keeps = ticket_row(state, row)->flags & TICKET_NO_ROUTING && catalog_live(state, TKD_KIND_AGENT, agent);
    if (!keeps) return;
    struct task *task = task_edit(state, ticket_row(state, row)->task);
    task->agent = (u16)agent;
    task->assigned_ms = state->now_ms;
}

void task_close(struct state *state, u32 row, u32 outcome)
{
    const struct ticket *ticket = ticket_row(state, row);
    u32 at = ticket->task;
    const struct task *task = task_row(state, at);
    count_handled(state, ticket, task);
    struct tkd_event *event = event_raise(state, TKD_EVENT_TASK_CLOSED, row, NULL, 0);
    event->a = task->queue;
    event->b = task->agent;
    event->c = outcome;
    event->d = ticket->state | (u32)ticket->priority << 8;
    event->link = task->entered_ms;
    wheel_cancel(&state->wheel, task_timer(state, at));
    ticket_edit(state, row)->task = 0;
    table_give(&state->tables[TABLE_TASK], at);
}
