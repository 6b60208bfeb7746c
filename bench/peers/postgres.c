/* The same creates in PostgreSQL: batch 1 is a prepared call of create_one; above that create_many gets arrays of so
 * many rows. As many statements as the depth are in flight on each connection (libpq's pipeline mode), and behind each
 * stands a Sync of its own, so each is a transaction of its own. */
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/peers/peer.h"

#define CONNECTIONS_MAX 256u
#define DEPTH_MAX       64u
#define TEXT_BYTES      256u /* of one member of an array, at most */
#define COLUMNS         6u
#define VALUES          (COLUMNS + 2)

struct statement {
    u32 tickets;
    u64 begun_ns;
};

struct connection {
    PGconn *postgres;
    char shard[12]; /* of the counters */
    u64 sent;
    u64 answered;
    struct statement statements[DEPTH_MAX]; /* by number sent, modulo */
};

struct bench {
    struct peer_options options;
    struct connection connections[CONNECTIONS_MAX];
    struct pollfd polls[CONNECTIONS_MAX];
    char *arrays[COLUMNS];
    u64 sent;
    u64 answered;
    struct histogram statement_ns;
};

static void prepare(PGconn *postgres)
{
    static const char *const statements[][2] = {
        {"one", "SELECT create_one($1::int, $2::int, $3, $4, $5, $6, $7::bigint, $8::int)"},
        {"many", "SELECT create_many($1::int[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], "
                 "$7::bigint, $8::int)"}};
    for (u32 i = 0; i < ARRAY_COUNT(statements); i++) {
        PGresult *result = PQprepare(postgres, statements[i][0], statements[i][1], 0, NULL);
        if (PQresultStatus(result) != PGRES_COMMAND_OK) peer_die("prepare", PQerrorMessage(postgres));
        PQclear(result);
    }
}

static void connect_one(struct bench *bench, u32 index)
{
    const char *keys[] = {"host", "dbname", "user", NULL};
    const char *values[] = {bench->options.address, "desk", "desk", NULL};
    struct connection *connection = &bench->connections[index];
    PGconn *postgres = connection->postgres = PQconnectdbParams(keys, values, 0);
    if (PQstatus(postgres) != CONNECTION_OK) peer_die(bench->options.address, PQerrorMessage(postgres));
    prepare(postgres);
    if (!PQenterPipelineMode(postgres) || PQsetnonblocking(postgres, 1) != 0)
        peer_die("pipeline mode", PQerrorMessage(postgres));
    snprintf(connection->shard, sizeof(connection->shard), "%u", index + 1);
    bench->polls[index].fd = PQsocket(postgres);
}

/* The next tickets as texts, or as texts of arrays. Returns how many. */
static u32 tickets_take(struct bench *bench)
{
    u32 count = (u32)min_u64(bench->options.batch, bench->options.tickets - bench->sent);
    bool single = bench->options.batch == 1;
    u64 used[COLUMNS] = {0};
    for (u32 row = 0; row < count; row++) {
        struct peer_ticket ticket;
        peer_ticket(&bench->options, bench->sent++, &ticket);
        const char *members[COLUMNS] = {ticket.channel, ticket.queue,   ticket.address,
                                        ticket.key,     ticket.subject, ticket.body};
        const char *format = single ? "%s%s" : "%s\"%s\"";
        const char *before = single ? "" : row == 0 ? "{" : ",";
        for (u32 i = 0; i < COLUMNS; i++)
            used[i] += (u64)snprintf(bench->arrays[i] + used[i], TEXT_BYTES, format, before, members[i]);
    }
    for (u32 i = 0; i < COLUMNS && !single; i++) strcpy(bench->arrays[i] + used[i], "}");
    return count;
}

static void statement_send(struct bench *bench, struct connection *connection)
{
    struct timespec now;
    char now_ms[32];
    const char *values[VALUES];
    struct statement *statement = &connection->statements[connection->sent++ % DEPTH_MAX];
    statement->begun_ns = peer_now_ns();
    statement->tickets = tickets_take(bench);
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(now_ms, sizeof(now_ms), "%lld", (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000);
    for (u32 i = 0; i < COLUMNS; i++) values[i] = bench->arrays[i];
    values[COLUMNS] = now_ms;
    values[COLUMNS + 1] = connection->shard;
    const char *name = bench->options.batch == 1 ? "one" : "many";
    if (!PQsendQueryPrepared(connection->postgres, name, VALUES, values, NULL, NULL, 0) ||
        !PQpipelineSync(connection->postgres))
        peer_die("sending", PQerrorMessage(connection->postgres));
}

/* Fills the pipeline up; what the socket does not take now it takes later. */
static void statements_send(struct bench *bench, u32 index)
{
    struct connection *connection = &bench->connections[index];
    while (connection->sent - connection->answered < bench->options.depth && bench->sent < bench->options.tickets)
        statement_send(bench, connection);
    int left = PQflush(connection->postgres);
    if (left < 0) peer_die("sending", PQerrorMessage(connection->postgres));
    bench->polls[index].events = (short)(left > 0 ? POLLIN | POLLOUT : POLLIN);
}

/* Each statement has its row, an end, and its Sync. */
static void answers_read(struct bench *bench, struct connection *connection)
{
    if (!PQconsumeInput(connection->postgres)) peer_die("receiving", PQerrorMessage(connection->postgres));
    while (connection->answered < connection->sent && !PQisBusy(connection->postgres)) {
        PGresult *result = PQgetResult(connection->postgres);
        if (result == NULL) continue;
        if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
            const struct statement *statement = &connection->statements[connection->answered++ % DEPTH_MAX];
            histogram_add(&bench->statement_ns, peer_now_ns() - statement->begun_ns);
            bench->answered += statement->tickets;
        } else if (PQresultStatus(result) != PGRES_TUPLES_OK) {
            peer_die("create", PQerrorMessage(connection->postgres));
        }
        PQclear(result);
    }
}

int main(int argc, char **argv)
{
    static struct bench bench;
    if (argc != 6) peer_die("usage", "peer-postgres DIRECTORY TICKETS CONNECTIONS BATCH DEPTH");
    bench.options = peer_options(argv);
    u32 count = bench.options.connections;
    if (count > CONNECTIONS_MAX || bench.options.depth > DEPTH_MAX) peer_die("connections or depth", "too many");
    histogram_reset(&bench.statement_ns);
    for (u32 i = 0; i < COLUMNS; i++) {
        bench.arrays[i] = malloc((u64)bench.options.batch * TEXT_BYTES + 2);
        if (bench.arrays[i] == NULL) peer_die("memory", "there is none");
    }
    for (u32 i = 0; i < count; i++) connect_one(&bench, i);
    u64 begun_ns = peer_now_ns();
    for (u32 i = 0; i < count; i++) statements_send(&bench, i);
    while (bench.answered < bench.options.tickets) {
        if (poll(bench.polls, count, -1) < 0) peer_die("poll", "failed");
        for (u32 i = 0; i < count; i++) {
            if (bench.polls[i].revents == 0) continue;
            answers_read(&bench, &bench.connections[i]);
            statements_send(&bench, i);
        }
    }
    peer_tell(&bench.options, peer_now_ns() - begun_ns, &bench.statement_ns);
    for (u32 i = 0; i < count; i++) PQfinish(bench.connections[i].postgres);
    for (u32 i = 0; i < COLUMNS; i++) free(bench.arrays[i]);
    return 0;
}
