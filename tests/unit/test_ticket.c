/* The ticket's life: creation, the table of legal moves, keys, versions, tags, archive. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/support/rig.h"

static struct rig *desk(void)
{
    struct rig *rig = rig_create();
    rig->validate = true;
    rig_small_desk(rig);
    return rig;
}

static u32 state_of(const struct rig *rig, u64 id) { return rig_ticket(rig, id)->state; }

Test(ticket, waits_until_somebody_comes)
{
    struct rig *rig = desk();
    u64 id = rig_create_ticket(rig, 1, TKD_PRIORITY_NORMAL);
    cr_assert_eq(state_of(rig, id), TKD_STATE_NEW);
    cr_assert_eq(rig_holder(rig, id), 0);
    cr_assert_eq(rig_presence(rig, 2, TKD_PRESENCE_ONLINE), TKD_OK);
    cr_assert_eq(rig_holder(rig, id), 2);
    cr_assert_eq(state_of(rig, id), TKD_STATE_OPEN);
    cr_assert_eq(rig_last_event(rig, TKD_EVENT_ROUTED)->c, TKD_RULE_FREED_CAPACITY);
    rig_destroy(rig);
}

/* What every verb does from every state, written down once more, apart from the engine's own table. '.' =
 * illegal, '=' = unchanged, a letter = the state afterwards (n o p h r c x). Columns: n o p h r c x. */
static const struct {
    u32 verb;
    const char *to;
} moves[] = {
    {TKD_VERB_PEND, "pp=p..."},     {TKD_VERB_HOLD, "hhh=..."},      {TKD_VERB_RESUME, ".=oo..."},
    {TKD_VERB_RESOLVE, "rrrr=.."},  {TKD_VERB_CLOSE, "ccccc=."},     {TKD_VERB_CANCEL, "xxxxx.="},
    {TKD_VERB_FORCE_END, "ccccc.."},{TKD_VERB_REOPEN, "....ooo"},    {TKD_VERB_NOTE, "nophrcx"},
    {TKD_VERB_REPLY, "nophr.."},    {TKD_VERB_MESSAGE, "noohO.."},   {TKD_VERB_URGE, "nophr.."},
    {TKD_VERB_PAUSE, "noph..."},    {TKD_VERB_PRIORITY, "nophrcx"},  {TKD_VERB_TRANSFER, "noph..."},
};

static u64 ticket_in(struct rig *rig, u32 state)
{
    u64 id = rig_create_ticket(rig, 1, TKD_PRIORITY_NORMAL);
    static const u32 verbs[] = {0, 0, TKD_VERB_ASSIGN, TKD_VERB_PEND, TKD_VERB_HOLD, TKD_VERB_RESOLVE,
                                TKD_VERB_CLOSE, TKD_VERB_CANCEL};
    if (verbs[state] != 0) cr_assert_eq(rig_verb(rig, id, verbs[state], 1, NULL).status, TKD_OK);
    cr_assert_eq(state_of(rig, id), state);
    return id;
}

Test(ticket, table_of_legal_moves)
{
    struct rig *rig = desk();
    for (u32 i = 0; i < ARRAY_COUNT(moves); i++) {
        for (u32 from = TKD_STATE_NEW; from <= TKD_STATE_CANCELLED; from++) {
            u64 id = ticket_in(rig, from);
            u64 events = state_events(rig->state)->seq_next;
            u32 argument = moves[i].verb == TKD_VERB_PRIORITY ? TKD_PRIORITY_HIGH : 2;
            struct tkd_result result = rig_verb(rig, id, moves[i].verb, argument, "because");
            char want = moves[i].to[from - 1];
            const char *name = tkd_name(TKD_ENUM_VERB, moves[i].verb);
            if (want == '.' || want == '=') {
                cr_assert_eq(result.status, want == '.' ? TKD_ILLEGAL_MOVE : TKD_UNCHANGED, "%s from %u", name, from);
                cr_assert_eq(state_of(rig, id), from);
                cr_assert_eq(state_events(rig->state)->seq_next, events, "%s raised an event", name);
                continue;
            }
            cr_assert_eq(result.status, TKD_OK, "%s from %u: %u", name, from, result.status);
            u32 to = (u32)(strchr("nophrcx", want == 'O' ? 'o' : want) - "nophrcx") + 1;
            cr_assert_eq(state_of(rig, id), to, "%s from %u", name, from);
            cr_assert_gt(state_events(rig->state)->seq_next, events);
        }
    }
    rig_destroy(rig);
}

Test(ticket, paused_takes_no_work)
{
    struct rig *rig = desk();
    u64 id = ticket_in(rig, TKD_STATE_OPEN);
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_PAUSE, 0, NULL).status, TKD_OK);
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_RESOLVE, 0, NULL).status, TKD_PAUSED);
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_NOTE, 0, "still readable").status, TKD_OK);
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_PAUSE, 0, NULL).status, TKD_UNCHANGED);
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_CONTINUE, 0, NULL).status, TKD_OK);
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_RESOLVE, 0, NULL).status, TKD_OK);
    rig_destroy(rig);
}

Test(ticket, key_answers_with_the_first_id)
{
    struct rig *rig = desk();
    struct tkd_ticket_create request = {.channel = 1, .queue = 1};
    struct tkd_result first = rig_create_with(rig, &request, "a", "order-1");
    struct tkd_result again = rig_create_with(rig, &request, "b", "order-1");
    cr_assert_eq(first.status, TKD_OK);
    cr_assert_eq(again.status, TKD_EXISTS);
    cr_assert_eq(again.id, first.id);
    cr_assert_eq(desk_row(rig->state)->tickets, 1);
    rig_destroy(rig);
}

Test(ticket, version_seen_must_be_the_version_there)
{
    struct rig *rig = desk();
    u64 id = rig_create_ticket(rig, 1, 0);
    struct tkd_ticket_update request = {.kind = TKD_VERB_URGE, .ticket = id, .version = 1};
    rig_begin(rig, TKD_OP_TICKET_UPDATE);
    rig_add(rig, TKD_RECORD_ticket_update, &request, NULL);
    rig_add(rig, TKD_RECORD_ticket_update, &request, NULL);
    cr_assert_eq(rig_run(rig), TKD_OK);
    cr_assert_eq(rig->results[0].status, TKD_OK);
    cr_assert_eq(rig->results[1].status, TKD_VERSION_CONFLICT);
    cr_assert_eq(rig->results[1].version, 2);
    rig_destroy(rig);
}

Test(ticket, stop_flag_ends_the_frame)
{
    struct rig *rig = desk();
    struct tkd_ticket_update request = {.kind = TKD_VERB_URGE, .ticket = 99};
    u64 id = rig_create_ticket(rig, 1, 0);
    for (u16 flags = 0; flags <= TKD_FLAG_STOP; flags += TKD_FLAG_STOP) {
        rig_begin(rig, TKD_OP_TICKET_UPDATE);
        rig_frame(rig)->flags = flags;
        request.ticket = 99;
        rig_add(rig, TKD_RECORD_ticket_update, &request, NULL);
        request.ticket = id;
        rig_add(rig, TKD_RECORD_ticket_update, &request, NULL);
        cr_assert_eq(rig_run(rig), TKD_OK);
        cr_assert_eq(rig->results[0].status, TKD_NOT_FOUND);
        cr_assert_eq(rig->results[1].status, flags ? TKD_NOT_RUN : TKD_OK);
    }
    rig_destroy(rig);
}

Test(ticket, tags)
{
    struct rig *rig = desk();
    u64 id = rig_create_ticket(rig, 1, 0);
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_TAG, 0, "退款").status, TKD_OK);
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_TAG, 0, "退款").status, TKD_UNCHANGED);
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_UNTAG, 0, "no such").status, TKD_UNCHANGED);
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_TAG, 0, "").status, TKD_TEXT_REQUIRED);
    char name[16];
    for (u32 i = 1; i < TICKET_TAGS_MAX; i++) {
        snprintf(name, sizeof name, "tag %u", i);
        cr_assert_eq(rig_verb(rig, id, TKD_VERB_TAG, 0, name).status, TKD_OK);
    }
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_TAG, 0, "one more").status, TKD_TOO_MANY_TAGS);
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_UNTAG, 0, "退款").status, TKD_OK);
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_TAG, 0, "one more").status, TKD_OK);
    rig_destroy(rig);
}

Test(ticket, refusals_name_the_reason_and_change_nothing)
{
    struct rig *rig = desk();
    u64 id = rig_create_ticket(rig, 1, 0);
    u64 digest = state_digest(rig->state, false);
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_ASSIGN, 99, NULL).status, TKD_UNKNOWN_AGENT);
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_TRANSFER, 99, NULL).status, TKD_UNKNOWN_QUEUE);
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_CATEGORY, 99, NULL).status, TKD_UNKNOWN_CATEGORY);
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_PRIORITY, 9, NULL).status, TKD_BAD_VALUE);
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_RELEASE, 0, NULL).status, TKD_NOT_ASSIGNED);
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_FORCE_END, 0, NULL).status, TKD_REASON_REQUIRED);
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_REPLY, 0, NULL).status, TKD_TEXT_REQUIRED);
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_CLAIM, 1, NULL).status, TKD_NOT_ELIGIBLE);
    struct tkd_ticket_create request = {.channel = 2, .queue = 1};
    cr_assert_eq(rig_create_with(rig, &request, "a", NULL).status, TKD_UNKNOWN_CHANNEL);
    request = (struct tkd_ticket_create){.channel = 1, .queue = 1};
    cr_assert_eq(rig_create_with(rig, &request, "", NULL).status, TKD_UNKNOWN_CUSTOMER);
    request = (struct tkd_ticket_create){.channel = 1, .queue = 77};
    cr_assert_eq(rig_create_with(rig, &request, "a", NULL).status, TKD_UNKNOWN_QUEUE);
    cr_assert_eq(state_digest(rig->state, false), digest);
    rig_destroy(rig);
}

Test(ticket, leaves_memory_after_its_time)
{
    struct rig *rig = desk();
    rig_entry(rig, TKD_KIND_DESK, &(struct tkd_catalog_entry){.id = 1, .archive_after_ms = 1000}, "d", NULL, NULL);
    u64 id = rig_create_ticket(rig, 1, 0);
    rig_verb(rig, id, TKD_VERB_TAG, 0, "t");
    rig_verb(rig, id, TKD_VERB_CLOSE, 0, NULL);
    rig_advance(rig, rig->now_ms + 999);
    cr_assert_not_null(rig_ticket(rig, id));
    rig_advance(rig, rig->now_ms + 1);
    cr_assert_null(rig_ticket(rig, id));
    cr_assert_eq(rig_last_event(rig, TKD_EVENT_ARCHIVED)->ticket, id);
    cr_assert_eq(rig->state->tables[TABLE_LABEL].rows_live, 0);
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_REOPEN, 0, NULL).status, TKD_NOT_FOUND);
    cr_assert_eq(desk_row(rig->state)->by_state[TKD_STATE_CLOSED], 1);
    rig_destroy(rig);
}

Test(ticket, replay_gives_the_same_state)
{
    struct rig *rig = desk();
    rig_presence(rig, 1, TKD_PRESENCE_ONLINE);
    for (u32 i = 0; i < 40; i++) {
        u64 id = rig_create_ticket(rig, 1 + i % 3, 1 + i % 4);
        rig_advance(rig, rig->now_ms + 500);
        if (i % 2) rig_verb(rig, id, TKD_VERB_PEND, 0, NULL);
        if (i % 5 == 0) rig_verb(rig, id, TKD_VERB_RESOLVE, 0, NULL);
    }
    u64 digest = state_digest(rig->state, true);
    rig_replay(rig);
    state_validate(rig->state);
    cr_assert_eq(state_digest(rig->state, true), digest);
    rig_destroy(rig);
}

Test(ticket, stations_end_before_they_repeat)
{
    struct rig *rig = desk();
    rig->validate = false;
    u64 id = rig_create_ticket(rig, 1, 0);
    struct tkd_ticket_update request = {.kind = TKD_VERB_TRANSFER, .ticket = id};
    u32 status = TKD_OK, transfers = 0;
    while (status == TKD_OK) {
        rig_begin(rig, TKD_OP_TICKET_UPDATE);
        for (u32 i = 0; i < 1000; i++) {
            request.queue = (u16)(1 + i % 2);
            rig_add(rig, TKD_RECORD_ticket_update, &request, NULL);
        }
        cr_assert_eq(rig_run(rig), TKD_OK);
        for (u32 i = 0; i < 1000 && status == TKD_OK; i++) {
            status = rig->results[i].status;
            transfers += status == TKD_OK;
        }
    }
    cr_assert_eq(status, TKD_BAD_VALUE);
    cr_assert_eq(transfers, UINT16_MAX - 1);
    state_validate(rig->state);
    rig_presence(rig, 1, TKD_PRESENCE_ONLINE);
    cr_assert_eq(rig_holder(rig, id), 1);
    /* It can still end and begin again, as often as one likes. */
    for (u32 done = 0; done <= UINT16_MAX; done += 4000) {
        rig_begin(rig, TKD_OP_TICKET_UPDATE);
        for (u32 i = 0; i < 8000; i++) {
            request.kind = i % 2 == 0 ? TKD_VERB_RESOLVE : TKD_VERB_REOPEN;
            rig_add(rig, TKD_RECORD_ticket_update, &request, NULL);
        }
        cr_assert_eq(rig_run(rig), TKD_OK);
        for (u32 i = 0; i < 8000; i++) cr_assert_eq(rig->results[i].status, TKD_OK);
    }
    cr_assert_eq(rig_ticket(rig, id)->stations, UINT16_MAX);
    cr_assert_eq(rig_ticket(rig, id)->reopens, UINT16_MAX);
    state_validate(rig->state);
    rig_destroy(rig);
}

Test(ticket, a_retired_channel_does_not_silence_the_customer)
{
    struct rig *rig = desk();
    u64 id = rig_create_ticket(rig, 1, 0);
    rig_entry(rig, TKD_KIND_CHANNEL, &(struct tkd_catalog_entry){.id = 1, .retired = 1}, "mail", NULL, NULL);
    cr_assert_eq(rig_verb(rig, id, TKD_VERB_MESSAGE, 0, "hello?").status, TKD_OK);
    rig_destroy(rig);
}
