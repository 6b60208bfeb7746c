/* One session: many requests in flight, and every one repeated after a kill. */
#include <stdio.h>
#include <stdlib.h>

#include "core/frame.h"
#include "crash/crash.h"

#define OUT_WANTED_BYTES (256u << 10)

void client_init(struct client *client, u32 number, u64 seed)
{
    *client = (struct client){.number = number,
                              .prng = prng_seeded(seed),
                              .next_seq = 1,
                              .acked = 1,
                              .answered = 1,
                              .verified = 1,
                              .peer = client->peer};
    client->window = 4 + (u32)prng_below(&client->prng, 61);
    client->commands = grown(NULL, &client->commands_max, 1, sizeof(*client->commands));
}

static void forget_frame(struct command *command)
{
    free(command->frame);
    command->frame = NULL;
}

void client_free(struct client *client)
{
    for (u64 seq = 1; seq < client->next_seq; seq++) {
        struct command *command = &client->commands[seq];
        forget_frame(command);
        free(command->results);
        free(command->tickets);
        free(command->seen);
        free(command->verbs);
    }
    free(client->commands);
    free(client->tickets);
}

void client_register(struct world *world, struct client *client)
{
    static struct draft draft;
    char name[32];
    struct tkd_register head = {.window = client->window};
    head.name_bytes = (u32)snprintf(name, sizeof(name), "client %u", client->number);
    peer_open(&client->peer, &world->server, false);
    draft_begin(&draft, TKD_OP_REGISTER, 1);
    draft_add(&draft, 0, &head, sizeof(head), name, head.name_bytes);
    const struct tkd_frame *answer = peer_call(&client->peer, &draft);
    REQUIRE(answer->status == TKD_OK, "REGISTER: %u", answer->status);
    client->session = ((const struct tkd_result *)(const void *)(answer + 1))->id;
    peer_close(&client->peer);
}

/* The session stands where we know, and what it has not done has left nothing behind. */
static void check_position(const struct client *client, u64 next_seq)
{
    REQUIRE(next_seq >= client->answered && next_seq <= client->next_seq,
            "client %u: its session stands at %llu; answered are those below %llu, sent those below %llu",
            client->number, (unsigned long long)next_seq, (unsigned long long)client->answered,
            (unsigned long long)client->next_seq);
    for (u64 seq = next_seq; seq < client->next_seq; seq++) {
        REQUIRE(client->commands[seq].cause == 0,
                "client %u: request %llu is not done but its events are there", client->number,
                (unsigned long long)seq);
    }
}

void client_resume(struct world *world, struct client *client)
{
    struct tkd_session_id head = {.session = client->session};
    struct tkd_session session;
    peer_open(&client->peer, &world->server, client->number % 2);
    const struct tkd_frame *answer = peer_ask(&client->peer, TKD_OP_ATTACH, &head, sizeof(head));
    REQUIRE(answer->status == TKD_OK, "client %u: ATTACH: status %u", client->number, answer->status);
    record_head(frame_first(answer), &session, sizeof(session));
    check_position(client, session.next_seq);
    client->send_seq = client->answer_seq = client->acked;
    client->pushed_back = 0;
}

/* Which answers may be forgotten: not all that have arrived, so that some are asked for again. */
static void acknowledge(struct client *client)
{
    u64 lag = prng_below(&client->prng, client->window / 2);
    u64 below = min_u64(sat_sub(client->answered, lag), client->answer_seq);
    for (; client->acked < below; client->acked++) forget_frame(&client->commands[client->acked]);
}

static void new_command(const struct world *world, struct client *client)
{
    static struct draft draft;
    acknowledge(client);
    client->commands =
        grown(client->commands, &client->commands_max, client->next_seq + 1, sizeof(*client->commands));
    if (client->number == 0 && client->next_seq == 1) {
        draft_begin(&draft, TKD_OP_CATALOG_APPLY, 1);
        compose_catalog(&draft);
    } else {
        compose(world, client, &draft);
    }
    draft.head->session = client->session;
    draft.head->ack_below = client->acked;
    frame_seal(draft.head);
    u32 count = draft.head->count;
    struct command *command = &client->commands[client->next_seq++];
    *command = (struct command){.frame = malloc(draft.head->size),
                                .tickets = calloc(count, sizeof(u64)),
                                .seen = calloc(count, 1),
                                .verbs = calloc(count, sizeof(u16)),
                                .op = draft.head->op,
                                .count = (u16)count};
    ASSERT(command->frame && command->tickets && command->seen && command->verbs);
    memcpy(command->frame, draft.head, draft.head->size);
    const struct tkd_prefix *record = frame_first(draft.head);
    for (u32 i = 0; i < count; i++, record = record_next(record)) {
        command->verbs[i] = record->kind;
        if (command->op == TKD_OP_TICKET_UPDATE)
            command->tickets[i] = ((const struct tkd_ticket_update *)(const void *)record)->ticket;
    }
    figures.commands++;
    figures.records += count;
}

void client_send(const struct world *world, struct client *client, bool think)
{
    struct peer *peer = &client->peer;
    if (client->pushed_back && client->answer_seq == client->send_seq) {
        client->send_seq = client->answer_seq = client->pushed_back;
        client->pushed_back = 0;
    }
    while (!client->pushed_back && peer->out_end - peer->out_begin < OUT_WANTED_BYTES) {
        acknowledge(client);
        bool room = client->next_seq - client->acked < client->window;
        if (client->send_seq == client->next_seq && think && room) new_command(world, client);
        if (client->send_seq == client->next_seq) break;
        const struct tkd_frame *frame = (const void *)client->commands[client->send_seq++].frame;
        peer_put(peer, frame, frame->size);
    }
    peer_flush(peer);
}

static void answered(struct world *world, struct client *client, const struct tkd_frame *answer)
{
    u64 seq = client->answer_seq;
    struct command *command = &client->commands[seq];
    u64 bytes = answer->count * sizeof(struct tkd_result);
    REQUIRE(answer->count == command->count && answer->size == TKD_FRAME_BYTES + bytes,
            "client %u: request %llu: %u results for %u records", client->number, (unsigned long long)seq,
            answer->count, command->count);
    if (command->results) {
        REQUIRE(memcmp(command->results, answer + 1, bytes) == 0,
                "client %u: request %llu is answered otherwise than the first time", client->number,
                (unsigned long long)seq);
        figures.repeated++;
        return;
    }
    REQUIRE(seq == client->answered, "client %u: an answer out of order", client->number);
    command->results = malloc(bytes);
    ASSERT(command->results);
    memcpy(command->results, answer + 1, bytes);
    client->answered = seq + 1;
    figures.acknowledged++;
    record_answer(world, client, seq);
}

/* Refused for now: this one and those behind it are sent again. */
static void refused(struct client *client, const struct tkd_frame *answer)
{
    u32 class = tkd_status_info(answer->status)->class;
    bool behind = client->pushed_back && answer->status == TKD_SEQUENCE_GAP;
    REQUIRE(class == TKD_STATUS_retry || behind, "client %u: request %llu: status %u", client->number,
            (unsigned long long)answer->seq, answer->status);
    if (!client->pushed_back) client->pushed_back = answer->seq;
    figures.pushed_back++;
}

bool client_receive(struct world *world, struct client *client)
{
    const struct tkd_frame *answer;
    bool open = peer_pull(&client->peer);
    while ((answer = peer_next(&client->peer))) {
        REQUIRE(client->answer_seq < client->send_seq && answer->seq == client->answer_seq &&
                    answer->op == client->commands[answer->seq].op,
                "client %u: answer to %llu where that to %llu was to come", client->number,
                (unsigned long long)answer->seq, (unsigned long long)client->answer_seq);
        if (answer->status == TKD_OK && !client->pushed_back)
            answered(world, client, answer);
        else
            refused(client, answer);
        client->answer_seq++;
    }
    return open;
}

bool client_quiet(const struct client *client)
{
    return !client->pushed_back && client->answer_seq == client->next_seq &&
           client->answered == client->next_seq;
}
