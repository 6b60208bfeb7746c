/* The same creates in PostgreSQL: batch 1 is a prepared call of create_one in a transaction of its own; above
 * that create_many gets arrays of so many rows. One statement in flight on each connection. */
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/peers/peer.h"

#define CONNECTIONS_MAX 256u
#define TEXT_BYTES      256u /* of one member of an array, at most */
#define COLUMNS         6u

struct connection {
    PGconn *postgres;
    u32 unanswered;
    u64 begun_ns;
};

struct bench {
    struct peer_options options;
    struct connection connections[CONNECTIONS_MAX];
    char *arrays[COLUMNS];
    u64 sent;
    u64 answered;
    struct histogram batch_ns;
};

static void prepare(PGconn *postgres)
{
    static const char *const statements[][2] = {
        {"one", "SELECT create_one($1::int, $2::int, $3, $4, $5, $6, $7::bigint)"},
        {"many", "SELECT create_many($1::int[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], "
                 "$7::bigint)"}};
    for (u32 i = 0; i < ARRAY_COUNT(statements); i++) {
        PGresult *result = PQprepare(postgres, statements[i][0], statements[i][1], 0, NULL);
        if (PQresultStatus(result) != PGRES_COMMAND_OK) peer_die("prepare", PQerrorMessage(postgres));
        PQclear(result);
    }
}

static void batch_send(struct bench *bench, struct connection *connection)
{
    struct timespec now;
    char now_ms[32];
    const char *values[COLUMNS + 1];
    u64 used[COLUMNS];
    struct peer_ticket ticket;
    bool single = bench->options.batch == 1;
    if (bench->sent == bench->options.tickets) return;
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(now_ms, sizeof(now_ms), "%lld", (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000);
    connection->begun_ns = peer_now_ns();
    for (u32 i = 0; i < COLUMNS; i++) used[i] = 0;
    while (connection->unanswered < bench->options.batch && bench->sent < bench->options.tickets) {
        peer_ticket(&bench->options, bench->sent++, &ticket);
        const char *members[COLUMNS] = {ticket.channel, ticket.queue,   ticket.address,
                                        ticket.key,     ticket.subject, ticket.body};
        for (u32 i = 0; i < COLUMNS; i++) {
            const char *format = single ? "%s%s" : "%s\"%s\"";
            used[i] += (u64)snprintf(bench->arrays[i] + used[i], TEXT_BYTES, format,
                                     single                        ? ""
                                     : connection->unanswered == 0 ? "{"
                                                                   : ",",
                                     members[i]);
        }
        connection->unanswered++;
    }
    for (u32 i = 0; i < COLUMNS; i++) {
        if (!single) strcpy(bench->arrays[i] + used[i], "}");
        values[i] = bench->arrays[i];
    }
    values[COLUMNS] = now_ms;
    if (!PQsendQueryPrepared(connection->postgres, single ? "one" : "many", COLUMNS + 1, values, NULL, NULL,
                             0))
        peer_die("sending", PQerrorMessage(connection->postgres));
    while (PQflush(connection->postgres) > 0) {
    }
}

/* true: its statement is done. */
static bool answer_read(struct bench *bench, struct connection *connection)
{
    if (!PQconsumeInput(connection->postgres)) peer_die("receiving", PQerrorMessage(connection->postgres));
    if (PQisBusy(connection->postgres)) return false;
    for (PGresult *result; (result = PQgetResult(connection->postgres)) != NULL; PQclear(result)) {
        if (PQresultStatus(result) != PGRES_TUPLES_OK)
            peer_die("create", PQerrorMessage(connection->postgres));
        bench->answered += connection->unanswered;
        connection->unanswered = 0;
    }
    histogram_add(&bench->batch_ns, peer_now_ns() - connection->begun_ns);
    return true;
}

int main(int argc, char **argv)
{
    static struct bench bench;
    bench.options = peer_options(argc, argv, "postgres");
    struct pollfd polls[CONNECTIONS_MAX];
    u32 count = bench.options.connections;
    if (count > CONNECTIONS_MAX) peer_die("connections", "too many");
    histogram_reset(&bench.batch_ns);
    for (u32 i = 0; i < COLUMNS; i++) {
        bench.arrays[i] = malloc((u64)bench.options.batch * TEXT_BYTES + 2);
        if (bench.arrays[i] == NULL) peer_die("memory", "there is none");
    }
    for (u32 i = 0; i < count; i++) {
        const char *keys[] = {"host", "dbname", "user", NULL},
                   *values[] = {bench.options.address, "desk", "desk", NULL};
        bench.connections[i].postgres = PQconnectdbParams(keys, values, 0);
        if (PQstatus(bench.connections[i].postgres) != CONNECTION_OK)
            peer_die(bench.options.address, PQerrorMessage(bench.connections[i].postgres));
        prepare(bench.connections[i].postgres);
        polls[i] = (struct pollfd){.fd = PQsocket(bench.connections[i].postgres), .events = POLLIN};
    }
    u64 begun_ns = peer_now_ns();
    for (u32 i = 0; i < count; i++) batch_send(&bench, &bench.connections[i]);
    while (bench.answered < bench.options.tickets) {
        if (poll(polls, count, -1) < 0) peer_die("poll", "failed");
        for (u32 i = 0; i < count; i++)
            if (polls[i].revents && answer_read(&bench, &bench.connections[i]))
                batch_send(&bench, &bench.connections[i]);
    }
    peer_tell(&bench.options, peer_now_ns() - begun_ns, &bench.batch_ns);
    for (u32 i = 0; i < count; i++) PQfinish(bench.connections[i].postgres);
    for (u32 i = 0; i < COLUMNS; i++) free(bench.arrays[i]);
    return 0;
}
