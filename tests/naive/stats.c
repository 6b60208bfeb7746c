/* Counters: every fact is kept; whoever asks adds them up. */
#include "tests/naive/desk.h"

void naive_fact(struct naive *desk, const struct naive_ticket *ticket, u32 counter, u64 amount)
{
    if (amount == 0) return;
    struct naive_fact *fact = naive_append(desk, &desk->facts, sizeof *fact);
    *fact = (struct naive_fact){.hour = desk->now_ms / HOUR_MS, .amount = amount, .counter = (u16)counter};
    fact->members[TKD_DIMENSION_DESK] = 1;
    fact->members[TKD_DIMENSION_QUEUE] = ticket->queue;
    fact->members[TKD_DIMENSION_AGENT] = (u16)ticket->agent;
    fact->members[TKD_DIMENSION_CHANNEL] = ticket->channel;
    fact->members[TKD_DIMENSION_CATEGORY] = ticket->category;
    fact->members[TKD_DIMENSION_PRIORITY] = ticket->priority;
    fact->members[TKD_DIMENSION_TIER] = (u16)naive_customer(desk, ticket->customer)->tier;
}

/* The row of an hour and member, made when it is new and there is room. Rows come in the order of time. */
static struct tkd_report_row *row_of(struct tkd_report_row *rows, u32 *count, u32 most, u64 hour_ms, u32 dimension,
                                     u32 id)
{
    for (u32 i = *count; i-- > 0 && rows[i].hour_ms >= hour_ms;)
        if (rows[i].hour_ms == hour_ms && rows[i].dimension == dimension && rows[i].id == id) return &rows[i];
    if (*count == most) return NULL;
    rows[*count] = (struct tkd_report_row){.hour_ms = hour_ms, .dimension = dimension, .id = id};
    return &rows[(*count)++];
}

u32 naive_recount(const struct naive *desk, struct tkd_report_row *rows, u32 rows_max)
{
    u32 count = 0, most = min_u32(rows_max, STATS_MAX - (TKD_DIMENSION_END - 1)); /* a spare row each */
    const struct naive_fact *facts = desk->facts.at;
    for (u64 i = 0; i < desk->facts.count; i++) {
        for (u32 dimension = 1; dimension < TKD_DIMENSION_END; dimension++) {
            u32 id = facts[i].members[dimension];
            struct tkd_report_row *row =
                id == 0 ? NULL : row_of(rows, &count, most, facts[i].hour * HOUR_MS, dimension, id);
            if (row != NULL) (&row->created)[facts[i].counter] += facts[i].amount;
        }
    }
    return count;
}
