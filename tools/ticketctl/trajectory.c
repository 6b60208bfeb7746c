#include "trajectory.h"

#include <string.h>

struct walk {
    struct station *stations;
    u32 count;
    u32 max;
};

static void station_begin(struct walk *walk, u32 queue, u32 agent, u64 time_ms)
{
    if (walk->count == walk->max) return;
    walk->stations[walk->count++] = (struct station){
        .queue = queue, .agent = agent, .entered_ms = time_ms, .assigned_ms = agent ? time_ms : 0};
}

static struct station *station_open(const struct walk *walk)
{
    struct station *last = walk->count ? &walk->stations[walk->count - 1] : NULL;
    return last && last->finished_ms == 0 ? last : NULL;
}

static void station_give(const struct walk *walk, u32 agent, u64 time_ms)
{
    struct station *station = station_open(walk);
    if (!station) return;
    station->agent = agent;
    station->assigned_ms = agent ? time_ms : 0;
}

static void station_end(const struct walk *walk, const struct tkd_event *event)
{
    struct station *station = station_open(walk);
    if (!station) return;
    station->queue = event->a;
    station->agent = event->b;
    station->entered_ms = event->link;
    /* A reopened ticket may have kept its agent without an event of its own. */
    if (event->b != 0 && station->assigned_ms == 0) station->assigned_ms = event->link;
    station->finished_ms = event->time_ms;
    station->outcome = event->c;
}

static bool ended(u32 state)
{
    return state == TKD_STATE_RESOLVED || state == TKD_STATE_CLOSED || state == TKD_STATE_CANCELLED;
}

u32 trajectory_of(const struct events *events, struct station *stations, u32 stations_max)
{
    struct walk walk = {.stations = stations, .max = stations_max};
    for (u32 i = 0; i < events->count; i++) {
        struct tkd_event event;
        tkd_read(TKD_RECORD_event, events->rows[i], &event);
        switch (event.kind) {
        case TKD_EVENT_CREATED:
            station_begin(&walk, event.a, 0, event.time_ms);
            break;
        case TKD_EVENT_TRANSFERRED:
            station_begin(&walk, event.b, event.c, event.time_ms);
            break;
        case TKD_EVENT_STATE:
            if (ended(event.a) && !ended(event.b)) station_begin(&walk, event.d, 0, event.time_ms);
            break;
        case TKD_EVENT_ROUTED:
        case TKD_EVENT_ASSIGNED:
            station_give(&walk, event.a, event.time_ms);
            break;
        case TKD_EVENT_RELEASED:
            station_give(&walk, 0, event.time_ms);
            break;
        case TKD_EVENT_TASK_CLOSED:
            station_end(&walk, &event);
            break;
        default:
            break;
        }
    }
    return walk.count;
}
