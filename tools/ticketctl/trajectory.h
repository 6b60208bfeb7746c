/* The stations of a ticket, derived from its history. */
#ifndef TICKETCTL_TRAJECTORY_H
#define TICKETCTL_TRAJECTORY_H

#include "events.h"

struct station {
    u32 queue;
    u32 agent; /* the handler: the one it ended with, or has now; 0 = nobody */
    u64 entered_ms;
    u64 assigned_ms; /* when the handler got it, 0 = nobody */
    u64 finished_ms; /* 0 = open */
    u32 outcome;     /* 0 = open */
};

/* Stations 1.. of the events, oldest first. `stations` has room for `stations_max`; returns how many. */
u32 trajectory_of(const struct events *events, struct station *stations, u32 stations_max);

#endif
