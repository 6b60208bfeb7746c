#include "core/line.h"

#include "base/mark.h"
#include "core/desk.h"

static struct line_node *node_of(const struct state *state, u32 task) { return &state->line.nodes[task]; }

bool line_before(const struct state *state, u32 a, u32 b)
{
    const struct task *x = task_row(state, a), *y = task_row(state, b);
    u8 px = ticket_row(state, x->ticket)->priority, py = ticket_row(state, y->ticket)->priority;
    if (px != py) return px < py;
    if (x->entered_ms != y->entered_ms) return x->entered_ms < y->entered_ms;
    return x->ticket_id < y->ticket_id;
}

/* The treap's heap order: from the member alone, so that the shape does not depend on history. */
static u64 weight(const struct state *state, u32 task) { return hash_u64(task_row(state, task)->ticket_id); }

static u32 priority_of(const struct state *state, u32 task)
{
    return ticket_row(state, task_row(state, task)->ticket)->priority;
}

static void set_child(struct state *state, struct lane *lane, u32 priority, u32 parent, u32 old, u32 task)
{
    if (parent == 0) lane->root[priority] = task;
    else if (node_of(state, parent)->left == old) node_of(state, parent)->left = task;
    else node_of(state, parent)->right = task;
    if (task != 0) node_of(state, task)->parent = parent;
}

/* The node takes its parent's place, which becomes its child. */
static void rotate_up(struct state *state, struct lane *lane, u32 priority, u32 task)
{
    struct line_node *node = node_of(state, task);
    u32 parent = node->parent;
    struct line_node *above = node_of(state, parent);
    set_child(state, lane, priority, above->parent, parent, task);
    u32 moved;
    if (above->left == task) {
        moved = node->right;
        above->left = moved;
        node->right = parent;
    } else {
        moved = node->left;
        above->right = moved;
        node->left = parent;
    }
    if (moved != 0) node_of(state, moved)->parent = parent;
    above->parent = task;
}

static u32 lane_find(const struct state *state, u32 queue, u32 skill_set)
{
    u32 at = state->line.queue_lanes[queue];
    while (at != 0 && state->line.lanes[at].skill_set != skill_set) at = state->line.lanes[at].next;
    return at;
}

static u32 lane_open(struct state *state, u32 queue, u32 skill_set)
{
    struct line *line = &state->line;
    u32 at = line->free_count > 0 ? line->free_lanes[--line->free_count] : ++line->lanes_used;
    MARK_IF(line->queue_lanes[queue] != 0, "queue with several lanes");
    line->lanes[at] = (struct lane){.queue = (u16)queue, .skill_set = (u16)skill_set};
    line->lanes[at].next = line->queue_lanes[queue];
    if (line->queue_lanes[queue] == 0) line->queues_count++;
    line->queue_lanes[queue] = at;
    bit_set(line->queues_waiting, queue);
    return at;
}

static void lane_close(struct state *state, u32 lane)
{
    struct line *line = &state->line;
    u32 queue = line->lanes[lane].queue;
    u32 *at = &line->queue_lanes[queue];
    while (*at != lane) at = &line->lanes[*at].next;
    *at = line->lanes[lane].next;
    if (line->queue_lanes[queue] == 0) {
        bit_clear(line->queues_waiting, queue);
        line->queues_count--;
    }
    line->free_lanes[line->free_count++] = lane;
}

/* Descends to where the task belongs; it becomes a leaf there. */
static void treap_attach(struct state *state, struct lane *lane, u32 priority, u32 task)
{
    struct line_node *node = node_of(state, task);
    u32 last = lane->last[priority];
    if (last == 0) {
        lane->root[priority] = lane->first[priority] = lane->last[priority] = task;
        return;
    }
    if (line_before(state, last, task)) { /* the rule: appended */
        node->parent = last;
        node_of(state, last)->right = task;
        lane->last[priority] = task;
        return;
    }
    MARK("task enters the middle of a line");
    u32 at = lane->root[priority];
    for (;;) {
        bool left = line_before(state, task, at);
        u32 child = left ? node_of(state, at)->left : node_of(state, at)->right;
        if (child != 0) {
            at = child;
            continue;
        }
        node->parent = at;
        if (left) node_of(state, at)->left = task;
        else node_of(state, at)->right = task;
        break;
    }
    if (line_before(state, task, lane->first[priority])) lane->first[priority] = task;
}

void line_push(struct state *state, u32 task)
{
    const struct task *row = task_row(state, task);
    ASSERT(!line_has(&state->line, task));
    u32 at = lane_find(state, row->queue, row->skill_set);
    if (at == 0) at = lane_open(state, row->queue, row->skill_set);
    struct lane *lane = &state->line.lanes[at];
    u32 priority = priority_of(state, task);
    struct line_node *node = node_of(state, task);
    *node = (struct line_node){.lane = at};
    treap_attach(state, lane, priority, task);
    while (node->parent != 0 && weight(state, node->parent) < weight(state, task))
        rotate_up(state, lane, priority, task);
    lane->count++;
}

static u32 leftmost(const struct state *state, u32 task)
{
    while (node_of(state, task)->left != 0) task = node_of(state, task)->left;
    return task;
}

u32 line_next(const struct state *state, u32 task)
{
    if (node_of(state, task)->right != 0) return leftmost(state, node_of(state, task)->right);
    u32 parent = node_of(state, task)->parent;
    while (parent != 0 && node_of(state, parent)->right == task) {
        task = parent;
        parent = node_of(state, task)->parent;
    }
    return parent;
}

/* The one before the last: that hangs to the right of its parent, so nothing lies in between. */
static u32 before_last(const struct state *state, u32 last)
{
    u32 at = node_of(state, last)->left;
    if (at == 0) return node_of(state, last)->parent;
    while (node_of(state, at)->right != 0) at = node_of(state, at)->right;
    return at;
}

/* The priority under which a task stands in its lane: the ticket's may have changed already. */
static u32 lane_priority(const struct state *state, const struct lane *lane, u32 task)
{
    u32 root = task;
    while (node_of(state, root)->parent != 0) root = node_of(state, root)->parent;
    u32 priority = 1;
    while (priority < TKD_PRIORITY_END && lane->root[priority] != root) priority++;
    ASSERT(priority < TKD_PRIORITY_END);
    return priority;
}

void line_remove(struct state *state, u32 task)
{
    if (!line_has(&state->line, task)) return;
    struct line_node *node = node_of(state, task);
    MARK_IF(node->left != 0 && node->right != 0, "task leaves the middle of a line");
    u32 at = node->lane;
    struct lane *lane = &state->line.lanes[at];
    u32 priority = lane_priority(state, lane, task);
    if (lane->first[priority] == task) lane->first[priority] = line_next(state, task);
    if (lane->last[priority] == task) lane->last[priority] = before_last(state, task);
    while (node->left != 0 || node->right != 0) {
        u32 up = node->left;
        if (up == 0 || (node->right != 0 && weight(state, node->right) > weight(state, up))) up = node->right;
        rotate_up(state, lane, priority, up);
    }
    set_child(state, lane, priority, node->parent, task, 0);
    *node = (struct line_node){0};
    if (--lane->count == 0) lane_close(state, at);
}

u32 lane_head(const struct lane *lane)
{
    for (u32 priority = 1; priority < TKD_PRIORITY_END; priority++)
        if (lane->first[priority] != 0) return lane->first[priority];
    return 0;
}

static void lane_validate(const struct state *state, u32 at)
{
    const struct lane *lane = &state->line.lanes[at];
    u32 count = 0;
    for (u32 priority = 1; priority < TKD_PRIORITY_END; priority++) {
        u32 before = 0;
        for (u32 task = lane->first[priority]; task != 0; task = line_next(state, task)) {
            ASSERT(node_of(state, task)->lane == at);
            ASSERT(priority_of(state, task) == priority);
            ASSERT(before == 0 || line_before(state, before, task));
            u32 parent = node_of(state, task)->parent;
            ASSERT(parent == 0 ? lane->root[priority] == task
                               : weight(state, parent) >= weight(state, task));
            before = task;
            count++;
        }
        ASSERT(before == lane->last[priority]);
    }
    ASSERT(count == lane->count && count > 0);
}

void line_validate(const struct state *state)
{
    for (u32 queue = 1; queue <= state->tables[TABLE_QUEUE].row_last; queue++) {
        u32 lane = state->line.queue_lanes[queue];
        ASSERT((lane != 0) == bit_test(state->line.queues_waiting, queue));
        for (; lane != 0; lane = state->line.lanes[lane].next) {
            ASSERT(state->line.lanes[lane].queue == queue);
            lane_validate(state, lane);
        }
    }
}
