/* Sending the log: items to frames, and answers to items. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "replay.h"

#define UNKNOWN_SMALL     0xffffu /* an id that no entry has: the server says which name is unknown */
#define UNKNOWN           0xffffffffu
#define AGAIN_MS_MAX      500u
#define SUBJECT_BYTES_MAX LIMIT(1024u, 64u)

static void sleep_ms(u64 ms)
{
    struct timespec time = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&time, &time) != 0) continue;
}

static void free_item(struct replay_item *item)
{
    free(item->text);
    desklog_clear(&item->what);
}

/* ---- Connections ---- */

bool replay_reconnect(struct replay *replay, struct tkd_client *client)
{
    progress_clear(&replay->progress);
    complain("replay: %s; trying again for %u s", tkd_error(client), replay->wait_s);
    u64 pause_ms = 100;
    for (u64 waited_ms = 0; waited_ms < replay->wait_s * 1000ull; waited_ms += pause_ms) {
        sleep_ms(pause_ms);
        if (pause_ms < 1000) pause_ms *= 2;
        int error = tkd_reconnect(client);
        bool dropped =
            error == TKD_E_REFUSED && client == replay->definer; /* it has no session: asked anew */
        if (!error || dropped) {
            complain("replay: connected again, going on");
            return true;
        }
        if (error != TKD_E_CONNECT) {
            replay_halt(replay, EXIT_REFUSED, 0, NULL, "%s", tkd_error(client));
            return false;
        }
    }
    replay_halt(replay, EXIT_CONNECT, 0, NULL,
                "%s. Start the server and run the same command again: it goes on "
                "behind the last line that was applied",
                tkd_error(client));
    return false;
}

/* After a failed call of the library: false when the replay was halted. */
static bool recover(struct replay *replay, int error)
{
    if (error == TKD_E_CONNECT) return replay_reconnect(replay, replay->client);
    replay_halt(replay, EXIT_REFUSED, 0, NULL, "%s", tkd_error(replay->client));
    return false;
}

/* ---- Sending ---- */

static u16 small_id(const struct replay *replay, u32 kind, u32 number)
{
    u32 id = roster_id(&replay->roster, kind, number);
    return (u16)(number && !id ? UNKNOWN_SMALL : id);
}

static u16 channel_id(const struct replay *replay, const struct replay_item *item)
{
    return item->channel ? small_id(replay, TKD_KIND_CHANNEL, item->channel) : (u16)UNKNOWN_SMALL;
}

static u32 agent_id(const struct replay *replay, const struct replay_item *item)
{
    u32 id = roster_id(&replay->roster, TKD_KIND_AGENT, item->agent);
    return item->agent && !id ? UNKNOWN : id;
}

/* The begin of a subject that is too long; the whole of it then becomes the body. */
static struct tkd_text cut(struct tkd_text text)
{
    text.bytes = SUBJECT_BYTES_MAX;
    while ((text.data[text.bytes] & 0xC0) == 0x80) text.bytes--; /* not inside a character */
    return text;
}

static int add_create(struct replay *replay, const struct replay_item *item)
{
    struct tkd_ticket_create head = {
        .channel = channel_id(replay, item),
        .queue = small_id(replay, TKD_KIND_QUEUE, item->queue),
        .category = small_id(replay, TKD_KIND_CATEGORY, item->category),
        .priority = (u8)item->what.priority,
        .state = TKD_STATE_OPEN,
        .no_routing = !replay->routing,
    };
    const struct tkd_text none = {NULL, 0}, subject = text_of(item->what.subject);
    bool fits = subject.bytes <= SUBJECT_BYTES_MAX;
    const struct tkd_text texts[] = {text_of(item->what.customer), none,
                                     text_of(item->what.key),      fits ? subject : cut(subject),
                                     fits ? none : subject,        none};
    return tkd_add(replay->client, TKD_RECORD_ticket_create, &head, texts);
}

static int add_update(struct replay *replay, const struct replay_item *item)
{
    struct tkd_ticket_update head = {
        .kind = (u16)item->what.verb,
        .agent = agent_id(replay, item),
        .queue = small_id(replay, TKD_KIND_QUEUE, item->queue),
        .channel = channel_id(replay, item),
        .priority = (u8)item->what.priority,
    };
    const struct tkd_text texts[] = {{NULL, 0}, text_of(item->what.key), text_of(item->what.text)};
    return tkd_add(replay->client, TKD_RECORD_ticket_update, &head, texts);
}

/* May the item join the frame that began with `head`? */
static bool joins(struct replay *replay, const struct replay_item *head, const struct replay_item *item)
{
    char reason[REASON_BYTES];
    bool create = head->what.verb == DESKLOG_CREATE;
    if (item->what.at_ms != head->what.at_ms || (item->what.verb == DESKLOG_CREATE) != create) return false;
    u64 bytes =
        strlen(item->text) + sizeof(struct tkd_ticket_create) + 8; /* texts are shorter than their line */
    if (tkd_frame_room(replay->client) < bytes) return false;
    return replay->keep_going || !replay_name_fault(replay, item, reason);
}

/* Gives the frame to the library; after a lost connection once more if it was not taken. */
static void give_frame(struct replay *replay)
{
    for (;;) {
        u32 in_flight = tkd_in_flight(replay->client);
        int error = tkd_send(replay->client);
        if (!error) return;
        bool taken = tkd_in_flight(replay->client) > in_flight;
        if (!recover(replay, error) || taken) return;
    }
}

void replay_send(struct replay *replay)
{
    const struct replay_item *head = replay_item(replay, replay->next);
    char reason[REASON_BYTES];
    if (!replay->keep_going && replay_name_fault(replay, head, reason)) {
        /* First what stands before it: there may be a line that is refused. */
        if (tkd_in_flight(replay->client) > 0)
            replay_drain(replay);
        else
            replay_halt(replay, EXIT_REFUSED, head->line, head->text, "%s", reason);
        return;
    }
    bool create = head->what.verb == DESKLOG_CREATE;
    u16 op = create ? TKD_OP_TICKET_CREATE : TKD_OP_TICKET_UPDATE;
    int error = tkd_begin(replay->client, op, replay->keep_going ? 0 : TKD_FLAG_STOP, head->what.at_ms);
    u32 count = 0;
    while (!error && count < replay->batch && replay->next + count < replay->end) {
        const struct replay_item *item = replay_item(replay, replay->next + count);
        if (count && !joins(replay, head, item)) break;
        error = create ? add_create(replay, item) : add_update(replay, item);
        if (!error) count++;
    }
    if (error) {
        replay_halt(replay, EXIT_REFUSED, head->line, head->text, "%s", tkd_error(replay->client));
        return;
    }
    replay->frames[replay->frames_end++ % FRAMES_MAX] = (struct replay_frame){replay->next, count};
    replay->next += count;
    replay->sent_at_ms = head->what.at_ms;
    give_frame(replay);
}

/* ---- Answers ---- */

static void take_result(struct replay *replay, struct replay_item *item, u32 status)
{
    const struct tkd_status_info *info = tkd_status_info(status);
    if (status < STATUSES_MAX) replay->by_status[status]++;
    if (info && info->class == TKD_STATUS_ok) {
        replay->applied++;
    } else if (replay->keep_going) {
        replay->refused++;
    } else if (status != TKD_NOT_RUN) {
        replay->refused++;
        replay_halt(replay, EXIT_REFUSED, item->line, item->text, "%s: %s", info ? info->name : "?",
                    info ? info->doc : "a status that this program does not know");
    }
    free_item(item);
}

/* A frame that was not applied as a whole. */
static void take_refusal(struct replay *replay, const struct replay_frame *frame, u32 status)
{
    if (replay->halted) return; /* stood behind the line that was refused */
    const struct tkd_status_info *info = tkd_status_info(status);
    bool later =
        info && info->class == TKD_STATUS_retry && status != TKD_DESK_FULL && status != TKD_STORAGE_FULL;
    if (later || (replay->again && status == TKD_SEQUENCE_GAP)) {
        if (!replay->again) replay->again_from = frame->first;
        replay->again = true;
        return;
    }
    if (replay->again) return; /* stands behind one that is sent again */
    const struct replay_item *item = replay_item(replay, frame->first);
    replay_halt(replay, EXIT_REFUSED, item->line, item->text, "%s: %s%s", info ? info->name : "?",
                info ? info->doc : "a status that this program does not know",
                status == TKD_BAD_TIME
                    ? ". The desk has been later than this line already: replay into a new data "
                      "directory"
                    : "");
}

void replay_receive(struct replay *replay)
{
    struct tkd_answer answer;
    int error = tkd_receive(replay->client, &answer);
    if (error) {
        recover(replay, error);
        return;
    }
    struct replay_frame frame = replay->frames[replay->frames_begin++ % FRAMES_MAX];
    if (answer.status != TKD_OK) {
        take_refusal(replay, &frame, answer.status);
        return;
    }
    if (answer.count != frame.count || replay->again) {
        replay_halt(replay, EXIT_REFUSED, 0, NULL, "the server's answer does not fit the request");
        return;
    }
    for (u32 i = 0; i < frame.count; i++) {
        struct tkd_result result;
        memcpy(&result, (const u8 *)answer.rows + i * sizeof(result), sizeof(result));
        take_result(replay, replay_item(replay, frame.first + i), result.status);
    }
    replay->first = frame.first + frame.count;
    replay->again_count = 0;
}

/* Everything that was not taken goes back to the lines that wait. */
static void send_again(struct replay *replay)
{
    replay->again = false;
    replay->next = replay->again_from;
    u64 pause_ms = 10ull << (replay->again_count < 6 ? replay->again_count : 6);
    if (pause_ms > AGAIN_MS_MAX) pause_ms = AGAIN_MS_MAX;
    if (replay->again_count++ * AGAIN_MS_MAX > replay->wait_s * 1000ull) {
        const struct replay_item *item = replay_item(replay, replay->next);
        replay_halt(replay, EXIT_REFUSED, item->line, item->text,
                    "the server does not take it: it is busy, or "
                    "stopping. Run the same command again later");
        return;
    }
    sleep_ms(pause_ms);
}

void replay_drain(struct replay *replay)
{
    while (tkd_in_flight(replay->client) > 0) {
        u64 before = replay->frames_begin;
        bool was_halted = replay->halted;
        replay_receive(replay);
        if (replay->frames_begin == before && replay->halted && !was_halted)
            return; /* the connection is gone */
        if (replay->frames_begin == before && was_halted) return;
    }
    if (replay->again) send_again(replay);
}
