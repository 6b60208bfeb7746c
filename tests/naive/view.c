/* Records as a query answers them. */
#include "tests/naive/desk.h"

static u64 due_ms(const struct naive *desk, const struct naive_ticket *ticket, const struct naive_clock *clock,
                  u32 which)
{
    u64 target_ms = naive_target_ms(desk, ticket, which);
    return naive_clock_runs(clock) && target_ms != 0 ? naive_clock_due_ms(clock, target_ms) : 0;
}

void naive_view_numbers(const struct naive *desk, const struct naive_ticket *ticket, u64 now_ms, struct tkd_ticket *to)
{
    *to = (struct tkd_ticket){
        .id = ticket->id,
        .created_ms = ticket->created_ms,
        .state_since_ms = ticket->state_since_ms,
        .solved_ms = ticket->solved_ms,
        .customer = ticket->customer,
        .last_event = ticket->last_event,
        .first_reply_ms = naive_clock_ran_ms(&ticket->first_reply, now_ms),
        .first_reply_due_ms = due_ms(desk, ticket, &ticket->first_reply, TKD_CLOCK_FIRST_REPLY),
        .resolution_ms = naive_clock_ran_ms(&ticket->resolution, now_ms),
        .resolution_due_ms = due_ms(desk, ticket, &ticket->resolution, TKD_CLOCK_RESOLUTION),
        .step_due_ms = due_ms(desk, ticket, &ticket->step, TKD_CLOCK_STEP),
        .entered_ms = ticket->open ? ticket->entered_ms : 0,
        .version = ticket->version,
        .agent = ticket->open ? ticket->holder : ticket->agent,
        .queue = ticket->queue,
        .category = ticket->category,
        .channel = ticket->channel,
        .policy = ticket->policy,
        .stations = ticket->stations,
        .reopens = ticket->reopens,
        .urges = ticket->urges,
        .state = ticket->state,
        .priority = ticket->priority,
        .paused = ticket->paused,
        .cards_first_reply = ticket->first_reply.card,
        .cards_resolution = ticket->resolution.card,
        .cards_step = ticket->step.card,
        .no_routing = ticket->no_routing,
    };
}

/* The newest first, separated by line feeds. */
u32 naive_view_tags(const struct naive_ticket *ticket, char *to)
{
    u32 bytes = 0;
    for (u32 i = ticket->tags_count; i-- > 0;) {
        memcpy(to + bytes, ticket->tags[i].at, ticket->tags[i].bytes);
        bytes += ticket->tags[i].bytes;
        if (i > 0) to[bytes++] = '\n';
    }
    return bytes;
}
