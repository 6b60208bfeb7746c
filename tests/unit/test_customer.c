/* Customers: found by channel and address, made on first sight, their touches chained. */
#include <criterion/criterion.h>

#include "tests/support/rig.h"

static struct rig *desk(void)
{
    struct rig *rig = rig_create_small();
    rig->validate = true;
    rig_small_desk(rig);
    rig_channel(rig, 2, "phone");
    rig_tier(rig, 1, "gold");
    return rig;
}

static u64 from(struct rig *rig, u16 channel, const char *address)
{
    struct tkd_ticket_create request = {.channel = channel, .queue = 3};
    struct tkd_result result = rig_create_with(rig, &request, address, NULL);
    cr_assert_eq(result.status, TKD_OK);
    return rig_ticket(rig, result.id)->customer;
}

static u32 update(struct rig *rig, u64 customer, u32 tier, const char *name)
{
    struct tkd_customer_update request = {.customer = customer, .tier = tier};
    rig_begin(rig, TKD_OP_CUSTOMER_UPDATE);
    rig_add(rig, TKD_RECORD_customer_update, &request, (const char *const[]){name});
    cr_assert_eq(rig_run(rig), TKD_OK);
    return rig->results[0].status;
}

Test(customer, one_identity_is_one_customer)
{
    struct rig *rig = desk();
    u64 a = from(rig, 1, "a@example.com");
    cr_assert_eq(from(rig, 1, "a@example.com"), a);
    cr_assert_neq(from(rig, 2, "a@example.com"), a, "another channel");
    cr_assert_neq(from(rig, 1, "a@example.co"), a);
    cr_assert_eq(customer_find(rig->state, 1, "a@example.com", 13), a);
    cr_assert_eq(customer_find(rig->state, 1, "nobody", 6), 0);
    cr_assert_eq(customer_row(rig->state, (u32)a)->tickets, 2);
    cr_assert_eq(customer_row(rig->state, (u32)a)->open_tickets, 2);
    rig_destroy(rig);
}

Test(customer, named_by_id)
{
    struct rig *rig = desk();
    u64 a = from(rig, 1, "a");
    struct tkd_ticket_create request = {.channel = 2, .queue = 3, .customer = a};
    struct tkd_result result = rig_create_with(rig, &request, "b", NULL);
    cr_assert_eq(rig_ticket(rig, result.id)->customer, a);
    static const u64 unknown[] = {99, UINT64_MAX, (u64)UINT32_MAX + 2};
    for (u32 i = 0; i < ARRAY_COUNT(unknown); i++) {
        request.customer = unknown[i];
        cr_assert_eq(rig_create_with(rig, &request, "b", NULL).status, TKD_UNKNOWN_CUSTOMER);
    }
    rig_destroy(rig);
}

Test(customer, open_tickets_follow_the_states)
{
    struct rig *rig = desk();
    u32 a = (u32)from(rig, 1, "a");
    rig_verb(rig, 1, TKD_VERB_RESOLVE, 0, NULL);
    cr_assert_eq(customer_row(rig->state, a)->open_tickets, 0);
    rig_verb(rig, 1, TKD_VERB_CLOSE, 0, NULL);
    cr_assert_eq(customer_row(rig->state, a)->open_tickets, 0);
    rig_verb(rig, 1, TKD_VERB_REOPEN, 0, NULL);
    cr_assert_eq(customer_row(rig->state, a)->open_tickets, 1);
    rig_destroy(rig);
}

Test(customer, touches_are_a_chain_over_tickets)
{
    struct rig *rig = desk();
    u32 a = (u32)from(rig, 1, "a");
    (void)from(rig, 1, "other");
    cr_assert_eq(from(rig, 1, "a"), a);
    rig_verb(rig, 1, TKD_VERB_REPLY, 0, "we look");
    rig_verb(rig, 3, TKD_VERB_MESSAGE, 0, "hurry");
    rig_verb(rig, 1, TKD_VERB_URGE, 0, NULL);
    static const u32 wanted[] = {TKD_EVENT_URGED, TKD_EVENT_MESSAGE, TKD_EVENT_REPLIED, TKD_EVENT_CREATED,
                                 TKD_EVENT_CREATED};
    u64 at = customer_row(rig->state, a)->last_touch;
    for (u32 i = 0; i < ARRAY_COUNT(wanted); i++) {
        const struct tkd_event *event = event_at(state_events_read(rig->state), at);
        cr_assert_not_null(event);
        cr_assert_eq(event->kind, wanted[i]);
        at = event->link;
    }
    cr_assert_eq(at, 0);
    cr_assert_eq(customer_row(rig->state, a)->touches, ARRAY_COUNT(wanted));
    rig_destroy(rig);
}

Test(customer, tier_and_name)
{
    struct rig *rig = desk();
    u64 a = from(rig, 1, "a");
    cr_assert_eq(update(rig, a, 1, "Ann"), TKD_OK);
    const struct tkd_event *event = rig_last_event(rig, TKD_EVENT_CUSTOMER);
    cr_assert(event->a == a && event->b == 0 && event->c == 1 && event->text_bytes == 3);
    cr_assert_eq(update(rig, a, 1, NULL), TKD_UNCHANGED);
    cr_assert_eq(update(rig, a, 1, "Anne"), TKD_OK);
    cr_assert_eq(update(rig, a, 7, NULL), TKD_UNKNOWN_TIER);
    cr_assert_eq(update(rig, 99, 1, NULL), TKD_UNKNOWN_CUSTOMER);
    cr_assert_eq(update(rig, UINT64_MAX, 1, NULL), TKD_UNKNOWN_CUSTOMER);
    cr_assert_eq(update(rig, a, 0, NULL), TKD_OK);
    cr_assert_eq(customer_row(rig->state, (u32)a)->tier, 0);
    rig_destroy(rig);
}
