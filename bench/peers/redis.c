/* The same creates in Redis: one call of create.lua a ticket, pipelined. A batch is in flight on each connection; when
 * half of it is answered it is filled up again, so the server is never left waiting for the client. */
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/peers/peer.h"

#define CONNECTIONS_MAX 256u
#define IN_FLIGHT_MAX   16384u /* on a connection */

struct connection {
    redisContext *redis;
    u64 sent;
    u64 answered;
    u64 sent_ns[IN_FLIGHT_MAX]; /* by number sent, modulo */
};

struct bench {
    struct peer_options options;
    u32 in_flight; /* on each connection */
    struct connection connections[CONNECTIONS_MAX];
    char script[64]; /* its name at the server */
    u64 sent;
    u64 answered;
    struct histogram answer_ns;
};

static void script_load(struct bench *bench, const char *path)
{
    static char text[16384];
    FILE *file = fopen(path, "r");
    if (file == NULL) peer_die(path, "cannot be read");
    text[fread(text, 1, sizeof(text) - 1, file)] = 0;
    fclose(file);
    redisReply *reply = redisCommand(bench->connections[0].redis, "SCRIPT LOAD %s", text);
    if (reply == NULL || reply->type != REDIS_REPLY_STRING)
        peer_die("SCRIPT LOAD", reply ? reply->str : "no answer");
    snprintf(bench->script, sizeof(bench->script), "%s", reply->str);
    freeReplyObject(reply);
}

static u64 unanswered(const struct connection *connection) { return connection->sent - connection->answered; }

static void batch_send(struct bench *bench, struct connection *connection)
{
    struct timespec now;
    struct peer_ticket ticket;
    char now_ms[32];
    int done = 0;
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(now_ms, sizeof(now_ms), "%lld", (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000);
    u64 now_ns = peer_now_ns();
    while (unanswered(connection) < bench->in_flight && bench->sent < bench->options.tickets) {
        peer_ticket(&bench->options, bench->sent++, &ticket);
        const char *arguments[] = {"EVALSHA",    bench->script,  "0",        ticket.channel,
                                   ticket.queue, ticket.address, ticket.key, ticket.subject,
                                   ticket.body,  now_ms};
        redisAppendCommandArgv(connection->redis, (int)ARRAY_COUNT(arguments), arguments, NULL);
        connection->sent_ns[connection->sent++ % IN_FLIGHT_MAX] = now_ns;
    }
    while (!done) {
        if (redisBufferWrite(connection->redis, &done) != REDIS_OK)
            peer_die("sending", connection->redis->errstr);
    }
}

static void answers_read(struct bench *bench, struct connection *connection)
{
    void *reply = NULL;
    if (redisBufferRead(connection->redis) != REDIS_OK) peer_die("receiving", connection->redis->errstr);
    u64 now_ns = peer_now_ns();
    for (;;) {
        if (redisGetReplyFromReader(connection->redis, &reply) != REDIS_OK)
            peer_die("an answer", connection->redis->errstr);
        if (reply == NULL) break;
        if (((redisReply *)reply)->type != REDIS_REPLY_INTEGER)
            peer_die("create", ((redisReply *)reply)->str);
        freeReplyObject(reply);
        histogram_add(&bench->answer_ns, now_ns - connection->sent_ns[connection->answered++ % IN_FLIGHT_MAX]);
        bench->answered++;
    }
}

int main(int argc, char **argv)
{
    static struct bench bench;
    if (argc != 7) peer_die("usage", "peer-redis SOCKET TICKETS CONNECTIONS BATCH DEPTH SCRIPT");
    bench.options = peer_options(argv);
    bench.in_flight = bench.options.batch * bench.options.depth;
    struct pollfd polls[CONNECTIONS_MAX];
    u32 count = bench.options.connections;
    if (count > CONNECTIONS_MAX || bench.in_flight > IN_FLIGHT_MAX) peer_die("connections or depth", "too many");
    histogram_reset(&bench.answer_ns);
    for (u32 i = 0; i < count; i++) {
        bench.connections[i].redis = redisConnectUnix(bench.options.address);
        if (bench.connections[i].redis == NULL || bench.connections[i].redis->err)
            peer_die(bench.options.address, "cannot connect");
        polls[i] = (struct pollfd){.fd = bench.connections[i].redis->fd, .events = POLLIN};
    }
    script_load(&bench, argv[6]);
    u64 begun_ns = peer_now_ns();
    for (u32 i = 0; i < count; i++) batch_send(&bench, &bench.connections[i]);
    while (bench.answered < bench.options.tickets) {
        if (poll(polls, count, -1) < 0) peer_die("poll", "failed");
        for (u32 i = 0; i < count; i++) {
            if (polls[i].revents == 0) continue;
            answers_read(&bench, &bench.connections[i]);
            if (unanswered(&bench.connections[i]) <= bench.in_flight / 2) batch_send(&bench, &bench.connections[i]);
        }
    }
    peer_tell(&bench.options, peer_now_ns() - begun_ns, &bench.answer_ns);
    for (u32 i = 0; i < count; i++) redisFree(bench.connections[i].redis);
    return 0;
}
