/* ticketcrash [ROUNDS [SEED]]: see crash.h. */
#include <errno.h>
#include <libgen.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "core/frame.h"
#include "crash/crash.h"

#define LIFE_ROUNDS 100u

/* What the server is doing when it is killed. */
#define MOMENTS(E)                                                                                           \
    E(LOAD, "under load")                                                                                    \
    E(START, "while it starts")                                                                              \
    E(STOP, "while it stops") E(CHECKPOINT, "in a checkpoint") E(BACKUP, "in a backup")                      \
        E(IDLE, "just recovered")
#define MOMENT_ENUM(NAME, text) MOMENT_##NAME,
#define MOMENT_TEXT(NAME, text) text,
enum moment { MOMENTS(MOMENT_ENUM) MOMENT_END };
static const char *const moment_texts[] = {MOMENTS(MOMENT_TEXT)};

struct figures figures;
static struct world world;
static char directory[PATH_BYTES];
static u64 life_seed;
static u32 life_round;
static bool granted; /* the checkpoint or backup asked for in this round */

_Noreturn void fail(const char *format, ...)
{
    va_list arguments;
    fflush(stdout);
    if (world.server.pid > 0) {
        server_listen(&world.server);
        kill(world.server.pid, SIGKILL);
    }
    server_show_log(&world.server);
    va_start(arguments, format);
    fprintf(stderr, "FAILED in round %u of the life with seed %llu: ", life_round,
            (unsigned long long)life_seed);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr,
            "\nThe data directory is kept: %s/desk (ticketctl inspect %s/desk --verify)\n"
            "Again: make crash SEED=%llu ROUNDS=%u (the instants of the kills differ from run to run)\n",
            directory, directory, (unsigned long long)life_seed, LIFE_ROUNDS);
    exit(1);
}

u64 now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (u64)now.tv_sec * 1000000u + (u64)now.tv_nsec / 1000u;
}

u64 log_uniform(struct prng *prng, u64 low, u64 high)
{
    u32 octaves = 0;
    while (low << (octaves + 1) <= high) octaves++;
    u64 base = low << prng_below(prng, octaves + 1);
    return min_u64(high, base + prng_below(prng, base));
}

void *grown(void *items, u64 *capacity, u64 count, u64 item_bytes)
{
    if (count <= *capacity) return items;
    u64 wanted = max_u64(2 * *capacity, max_u64(count, 64));
    items = realloc(items, wanted * item_bytes);
    ASSERT(items);
    memset((u8 *)items + *capacity * item_bytes, 0, (wanted - *capacity) * item_bytes);
    *capacity = wanted;
    return items;
}

/* ---- The loop ---- */

static bool watch(u32 at)
{
    const struct tkd_frame *frame;
    struct peer *peer = &world.watchers[at];
    bool open = peer_pull(peer);
    while ((frame = peer_next(peer))) {
        REQUIRE(frame->op == TKD_OP_EVENTS && frame->flags & TKD_FLAG_PUSH, "a subscriber gets op %u",
                frame->op);
        figures.pushed += frame->count;
        record_events(&world, frame, &world.watched[at]);
    }
    return open;
}

/* Answers to the checkpoint or backup that was asked for. */
static bool administer(void)
{
    const struct tkd_frame *answer;
    bool open = peer_pull(&world.admin);
    while ((answer = peer_next(&world.admin))) {
        REQUIRE(answer->status == TKD_OK, "%s: status %u", tkd_op_info(answer->op)->name, answer->status);
        REQUIRE(answer->op != TKD_OP_BACKUP || access("desk/backups/friday", F_OK) == 0,
                "no backup is there");
        figures.checkpoints += answer->op == TKD_OP_CHECKPOINT;
        granted = true;
    }
    return open;
}

static bool receive(u32 at)
{
    if (at < CLIENTS) return client_receive(&world, &world.clients[at]);
    return at < CLIENTS + WATCHERS ? watch(at - CLIENTS) : administer();
}

static struct peer *peer_at(u32 at)
{
    if (at < CLIENTS) return &world.clients[at].peer;
    return at < CLIENTS + WATCHERS ? &world.watchers[at - CLIENTS] : &world.admin;
}

#define PEERS (CLIENTS + WATCHERS + 1)

/* One turn: sends, waits at most until then, receives. */
static void turn(u64 until_us, bool think)
{
    struct pollfd fds[PEERS + 1] = {{.fd = world.server.errors, .events = POLLIN}};
    for (u32 i = 0; i < PEERS; i++) {
        struct peer *peer = peer_at(i);
        if (i < CLIENTS && peer->fd >= 0) client_send(&world, &world.clients[i], think);
        peer_flush(peer);
        short out = peer->out_begin < peer->out_end ? POLLOUT : 0;
        fds[i + 1] = (struct pollfd){.fd = peer->fd, .events = (short)(POLLIN | out)};
    }
    u64 left_us = sat_sub(until_us, now_us());
    struct timespec wait = {.tv_sec = (time_t)(left_us / 1000000),
                            .tv_nsec = (long)(left_us % 1000000) * 1000};
    ppoll(fds, PEERS + 1, &wait, NULL);
    server_listen(&world.server);
    for (u32 i = 0; i < PEERS; i++) {
        if (fds[i + 1].revents & (POLLIN | POLLHUP | POLLERR) && !receive(i)) {
            server_listen(&world.server); /* it may have said so since */
            REQUIRE(strstr(world.server.log, "event=stopping"), "a connection ends while the server runs");
            peer_close(peer_at(i));
        }
    }
}

/* Everything that reached us before the end counts. */
static void part(void)
{
    for (u32 i = 0; i < PEERS; i++) {
        while (peer_at(i)->fd >= 0 && receive(i)) continue;
        peer_close(peer_at(i));
    }
}

/* ---- A round ---- */

/* The server runs: what it says of the past must be what we know. */
static void resume(bool stopped)
{
    struct server *server = &world.server;
    server_start(server);
    server_wait_ready(server);
    REQUIRE(!stopped || server_logged(server, "commands") == 0,
            "a graceful stop left something to be replayed");
    peer_open(&world.admin, server, true);
    record_catch_up(&world);
    record_verify(&world);
    for (u32 i = 0; i < WATCHERS; i++) {
        struct tkd_events_from head = {.from = world.watched[i]};
        peer_open(&world.watchers[i], server, i % 2);
        u32 status = peer_ask(&world.watchers[i], TKD_OP_SUBSCRIBE, &head, sizeof(head))->status;
        REQUIRE(status == TKD_OK, "SUBSCRIBE from %llu: %u", (unsigned long long)head.from, status);
    }
    for (u32 i = 0; i < CLIENTS; i++) client_resume(&world, &world.clients[i]);
}

static void ask(enum moment moment)
{
    static struct draft draft;
    struct tkd_empty empty = {0};
    struct tkd_backup backup = {.name_bytes = 6};
    draft_begin(&draft, moment == MOMENT_BACKUP ? TKD_OP_BACKUP : TKD_OP_CHECKPOINT, 9);
    if (moment == MOMENT_BACKUP)
        draft_add(&draft, 0, &backup, sizeof(backup), "friday", 6);
    else
        draft_add(&draft, 0, &empty, sizeof(empty), NULL, 0);
    frame_seal(draft.head);
    peer_put(&world.admin, draft.bytes, draft.head->size);
}

/* The server is killed somewhere in what it was told to do, or right after it. */
static void load(enum moment moment)
{
    u64 end_us = now_us() + log_uniform(&world.prng, 100, 400000);
    while (now_us() < end_us) turn(end_us, true);
    if (moment == MOMENT_LOAD) return;
    if (moment == MOMENT_STOP)
        server_stop(&world.server);
    else
        ask(moment);
    bool whole = moment != MOMENT_STOP && prng_chance(&world.prng, 1, 3);
    end_us = now_us() + (whole ? PATIENCE_MS * 1000 : log_uniform(&world.prng, 50, 100000));
    for (granted = false; now_us() < end_us && !granted;) {
        if (moment == MOMENT_STOP && server_has_stopped(&world.server)) break;
        turn(min_u64(end_us, now_us() + 1000), true);
    }
    REQUIRE(granted || !whole, "no checkpoint within %u ms", PATIENCE_MS);
}

struct digest {
    u64 op, events, full;
};

static struct digest digest(void)
{
    const struct tkd_frame *answer = peer_ask(&world.admin, TKD_OP_DIGEST, NULL, 0);
    return (struct digest){metric_of(answer, "op"), metric_of(answer, "events"),
                           metric_of(answer, "digest_full")};
}

static struct digest start_and_digest(void)
{
    server_start(&world.server);
    server_wait_ready(&world.server);
    peer_open(&world.admin, &world.server, true);
    struct digest here = digest();
    server_kill(&world.server);
    peer_close(&world.admin);
    return here;
}

/* Recovered twice: the same, unless a deadline came in between. */
static void recover_twice(void)
{
    struct digest first = start_and_digest(), second = start_and_digest();
    figures.kills[MOMENT_IDLE] += 2;
    REQUIRE(second.op >= first.op, "recovered twice, commands are gone");
    if (first.op != second.op) return;
    figures.digests++;
    REQUIRE(first.full == second.full && first.events == second.events,
            "recovered twice, the desk is not the same");
}

/* After so many reads and writes of the process, or when it is ready. */
static void kill_while_starting(void)
{
    u64 calls = log_uniform(&world.prng, 1, 1024);
    server_start(&world.server);
    while (server_listen(&world.server) && strstr(world.server.log, "event=ready") == NULL &&
           server_calls(&world.server) < calls)
        sched_yield();
    server_kill(&world.server);
    figures.kills[strstr(world.server.log, "event=ready") ? MOMENT_IDLE : MOMENT_START]++;
}

static enum moment choose_moment(void)
{
    static const u32 shares[MOMENT_END] = {40, 20, 15, 13, 7, 5};
    u64 dice = prng_below(&world.prng, 100);
    u32 moment = 0;
    while (dice >= shares[moment]) dice -= shares[moment++];
    return (enum moment)moment;
}

static void live_round(void)
{
    bool stopped = world.server.stopped;
    enum moment moment = choose_moment();
    if (moment == MOMENT_START) {
        kill_while_starting();
        return;
    }
    if (moment == MOMENT_IDLE) {
        recover_twice();
        return;
    }
    resume(stopped);
    load(moment);
    server_kill(&world.server);
    figures.stops += world.server.stopped;
    figures.kills[moment] += !world.server.stopped;
    part();
    if (access("desk/backups/friday", F_OK) == 0) server_check_backup("desk/backups/friday");
}

/* ---- A life ---- */

static bool all_quiet(void)
{
    for (u32 i = 0; i < CLIENTS; i++) {
        if (!client_quiet(&world.clients[i])) return false;
    }
    for (u32 i = 0; i < WATCHERS; i++) {
        if (world.watched[i] <= world.events_count) return false;
    }
    return true;
}

/* No clock runs and nobody routes any more: what is now stays. */
static void calm(void)
{
    static struct draft draft;
    u64 end_us = now_us() + PATIENCE_MS * 1000ull;
    while (!all_quiet()) {
        turn(now_us() + 10000, false);
        REQUIRE(now_us() < end_us, "not everything is answered");
    }
    for (u32 i = 0; i < 2; i++) {
        draft_begin(&draft, i == 0 ? TKD_OP_CATALOG_APPLY : TKD_OP_AGENT_PRESENCE, 5);
        if (i == 0)
            compose_calm_catalog(&draft);
        else
            compose_calm_agents(&draft);
        const struct tkd_frame *answer = peer_call(&world.admin, &draft);
        const struct tkd_result *results = (const void *)(answer + 1);
        REQUIRE(answer->status == TKD_OK, "the desk cannot be calmed: %u", answer->status);
        for (u32 at = 0; at < answer->count; at++) {
            REQUIRE(results[at].status == TKD_OK || results[at].status == TKD_UNCHANGED, "calm: %u",
                    results[at].status);
            world.counts.applied[answer->op] += results[at].status == TKD_OK;
        }
        if (i == 0) world.catalog_version = results[0].version;
    }
    do record_catch_up(&world);
    while (metric_of(peer_ask(&world.admin, TKD_OP_DIGEST, NULL, 0), "events") != world.events_count);
    while (!all_quiet()) turn(now_us() + 10000, false);
}

static void end_life(void)
{
    resume(world.server.stopped);
    calm();
    record_verify(&world);
    record_compare(&world);
    struct digest before = digest();
    server_stop(&world.server);
    u64 end_us = now_us() + PATIENCE_MS * 1000ull;
    while (!server_has_stopped(&world.server)) {
        turn(now_us() + 1000, false);
        REQUIRE(now_us() < end_us, "it does not stop");
    }
    part();
    figures.stops++;
    struct digest after = start_and_digest(), again = start_and_digest();
    REQUIRE(before.op == after.op && before.events == after.events && before.full == after.full,
            "after a graceful stop the desk is not the same");
    REQUIRE(before.op == again.op && before.full == again.full, "recovered twice, the desk is not the same");
    figures.kills[MOMENT_IDLE] += 2;
    figures.digests += 2;
    figures.tickets += world.tickets_count;
    figures.lives++;
}

static void begin_life(u64 seed)
{
    static const char *const durabilities[] = {"sync", "sync", "sync", "interval=20", "off"};
    world = (struct world){.prng = prng_seeded(seed), .admin.fd = -1};
    life_seed = seed;
    world.server.durability = durabilities[prng_below(&world.prng, ARRAY_COUNT(durabilities))];
    for (u32 i = 0; i < WATCHERS; i++) {
        world.watchers[i].fd = -1;
        world.watched[i] = 1;
    }
    server_start(&world.server);
    server_wait_ready(&world.server);
    for (u32 i = 0; i < CLIENTS; i++) {
        client_init(&world.clients[i], i, prng_next(&world.prng));
        client_register(&world, &world.clients[i]);
    }
    server_kill(&world.server);
    figures.kills[MOMENT_IDLE]++;
}

static void forget(void)
{
    for (u32 i = 0; i < PEERS; i++) {
        free(peer_at(i)->in);
        free(peer_at(i)->out);
    }
    for (u32 i = 0; i < CLIENTS; i++) client_free(&world.clients[i]);
    free(world.events);
    free(world.tickets);
    REQUIRE(system("rm -rf desk socket inspect.log") == 0, "%s/desk cannot be removed", directory);
}

static u64 kills(void)
{
    u64 sum = 0;
    for (u32 i = 0; i < MOMENT_END; i++) sum += figures.kills[i];
    return sum;
}

static void summary(u64 began_us, u32 rounds)
{
    double seconds = (double)(now_us() - began_us) / 1e6;
    printf("%u rounds in %.1f s (%.3f s each), %llu lives, %llu kills:\n", rounds, seconds, seconds / rounds,
           (unsigned long long)figures.lives, (unsigned long long)kills());
    for (u32 i = 0; i < MOMENT_END; i++)
        printf("  %8llu %s\n", (unsigned long long)figures.kills[i], moment_texts[i]);
#define LINE(member, text) printf("%10llu %s\n", (unsigned long long)figures.member, text);
    LINE(stops, "graceful stops, which left nothing to replay")
    LINE(starts, "starts")
    LINE(replayed, "commands replayed")
    LINE(torn, "torn ends of the log cut off")
    LINE(commands, "commands sent, in frames")
    LINE(records, "records in them")
    LINE(acknowledged, "commands acknowledged")
    LINE(repeated, "answers given again, and the same")
    LINE(pushed_back, "refused for now and sent again")
    LINE(tickets, "tickets compared with their events")
    LINE(events, "events, each seen once by whom it concerns")
    LINE(pushed, "events pushed to subscribers")
    LINE(reread, "events read again, and the same")
    LINE(checkpoints, "checkpoints asked for and granted")
    LINE(backups, "backups verified")
    LINE(digests, "digests of a desk recovered twice, equal")
#undef LINE
}

static u64 number(const char *text) { return text ? strtoull(text, NULL, 10) : 0; }

int main(int argc, char **argv)
{
    static char ticketd[PATH_BYTES], ticketctl[PATH_BYTES], here[PATH_BYTES];
    u32 rounds = argc > 1 ? (u32)number(argv[1]) : 100;
    u64 seed = argc > 2 ? number(argv[2]) : 1, began_us = now_us();
    const char *folder = getenv("TMPDIR");
    ssize_t bytes = readlink("/proc/self/exe", here, sizeof(here) - 1);
    if (rounds == 0 || bytes <= 0) return 2;
    here[bytes] = 0;
    const char *bin = dirname(here);
    snprintf(ticketd, sizeof(ticketd), "%s/ticketd", bin);
    snprintf(ticketctl, sizeof(ticketctl), "%s/ticketctl", bin);
    server_init(ticketd, ticketctl);
    snprintf(directory, sizeof(directory), "%s/ticketcrash.XXXXXX", folder ? folder : "/tmp");
    if (!mkdtemp(directory) || chdir(directory) != 0) {
        fprintf(stderr, "%s: %s\n", directory, strerror(errno));
        return 2;
    }
    for (u32 done = 0; done < rounds; seed++) {
        begin_life(seed);
        for (life_round = 1; life_round <= LIFE_ROUNDS && done < rounds; life_round++, done++) live_round();
        end_life();
        printf("seed %llu, durability %s: %u rounds, %llu kills, %llu tickets, %llu events\n",
               (unsigned long long)seed, world.server.durability, done, (unsigned long long)kills(),
               (unsigned long long)world.tickets_count, (unsigned long long)world.events_count);
        fflush(stdout);
        forget();
    }
    summary(began_us, rounds);
    if (chdir("/") == 0) rmdir(directory);
    return 0;
}
