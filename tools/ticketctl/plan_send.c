#include <string.h>

#include "plan.h"
#include "ticketctl.h"

struct sending {
    struct tkd_client *client;
    const char *doing;
    const struct plan *plan;
    const struct desk *want;
    const struct desk *current;
    u64 time_ms;
    u32 version;
    bool conflict;
};

static void explain(const struct sending *sending, const struct plan_change *change, u32 status)
{
    const struct tkd_status_info *info = tkd_status_info(status);
    complain("%s: %s %s: %s: %s", sending->doing, tkd_name(TKD_ENUM_KIND, change->kind), change->name,
             info ? info->name : "?", info ? info->doc : "a status that this program does not know");
}

/* The answer of one frame; `first` is the change of its first record. */
static int judge(struct sending *sending, const struct tkd_answer *answer, u32 first)
{
    sending->conflict = answer->status == TKD_VERSION_CONFLICT;
    if (sending->conflict) return EXIT_REFUSED;
    if (answer->status != TKD_OK) return ctl_refused(sending->doing, answer->status);
    bool refused = false;
    for (u32 i = 0; i < answer->count && first + i < sending->plan->count; i++) {
        struct tkd_result result;
        memcpy(&result, (const u8 *)answer->rows + i * sizeof(result), sizeof(result));
        const struct tkd_status_info *info = tkd_status_info(result.status);
        if (info && info->class == TKD_STATUS_ok) {
            sending->version = result.version;
            continue;
        }
        refused = true;
        sending->conflict = result.status == TKD_VERSION_CONFLICT;
        if (sending->conflict) return EXIT_REFUSED;
        if (result.status != TKD_NOT_RUN) explain(sending, &sending->plan->changes[first + i], result.status);
    }
    return refused ? EXIT_REFUSED : EXIT_OK;
}

/* Fills one frame with changes from `*at` on, sends it and waits for the answer. */
static int send_frame(struct sending *sending, u32 *at)
{
    struct tkd_client *client = sending->client;
    u32 first = *at;
    int error = tkd_begin(client, TKD_OP_CATALOG_APPLY, 0, sending->time_ms);
    for (; !error && *at < sending->plan->count; (*at)++) {
        static u8 buffer[PLAN_TEXT_BYTES];
        struct tkd_catalog_entry head;
        struct tkd_text texts[ENTRY_TEXTS];
        plan_record(&sending->plan->changes[*at], sending->want, sending->current, &head, texts, buffer);
        if (*at == first) head.expected_version = sending->version;
        u64 bytes = sizeof(head) + 8;
        for (u32 i = 0; i < ENTRY_TEXTS; i++) bytes += texts[i].bytes;
        if (tkd_frame_room(client) < bytes || tkd_frame_count(client) == TKD_RECORDS_MAX) break;
        error = tkd_add(client, TKD_RECORD_catalog_entry, &head, texts);
    }
    struct tkd_answer answer;
    if (!error) error = tkd_send(client);
    if (!error) error = tkd_receive(client, &answer);
    if (error) return ctl_failed(sending->doing, client, error);
    return judge(sending, &answer, first);
}

int plan_send(struct tkd_client *client, const char *doing, const struct plan *plan, const struct desk *want,
              const struct desk *current, u64 time_ms, u32 *version, bool *conflict)
{
    struct sending sending = {client, doing, plan, want, current, time_ms, plan->version, false};
    int code = EXIT_OK;
    for (u32 at = 0; at < plan->count && code == EXIT_OK;) {
        u32 first = at;
        code = send_frame(&sending, &at);
        if (code == EXIT_OK) continue;
        if (first > 0) {
            complain("%s: the difference is larger than one frame; its first %u changes were made, the "
                     "others were "
                     "not. Run it again for the rest",
                     doing, first);
            sending.conflict = false;
        } else if (!sending.conflict) {
            complain("%s: nothing was changed", doing);
        }
    }
    *version = sending.version;
    *conflict = sending.conflict;
    return code;
}
