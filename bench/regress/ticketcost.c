/* The core alone, in one process, under the same frames as ticketbench sends: to count its instructions. Everything
 * that counts happens in measured(), the rest is making frames and reading answers. Deterministic. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "bench/desk.h"
#include "bench/server.h"
#include "bench/workload.h"
#include "core/state.h"
#include "port/clock.h"
#include "port/file.h"

#define START_MS     1700000000000ull
#define HOUR_MS      3600000ull
#define MEMORY_BYTES ((1ull << 30) - 1) /* from 1 GiB on, more address space than valgrind has is reserved */
#define RING_BYTES   (64ull << 20)

struct cost {
    struct state *state;
    struct workload *workload;
    u64 time_ms;
    u64 pulses;
    u64 spent_ns; /* in what is measured */
    bool prepares; /* commands are not counted now */
    union {
        struct tkd_frame header;
        _Alignas(8) u8 bytes[TKD_FRAME_BYTES + TKD_FRAME_BYTES_MAX];
    } answer;
};

/* As the pipeline does it: what is due first, then the command. */
static u32 applied(struct state *state, const struct tkd_frame *frame, u64 time_ms, void *results)
{
    const void *reply;
    u32 reply_bytes;
    struct command command = {.op = state_op(state) + 1, .time_ms = time_ms, .frame = frame};
    if (frame->op != TKD_OP_PULSE && frame_check(frame) != TKD_OK) die("a frame that does not verify");
    enum tkd_status status = state_admit(state, frame, &reply, &reply_bytes);
    if (status != TKD_OK) die("not admitted: %s", tkd_status_info(status)->doc);
    u32 bytes = state_apply(state, &command, results);
    struct event_log *events = state_events(state);
    event_stored(events, events->seq_next - 1);
    return bytes;
}

/* Never inlined: its name is what is counted. */
__attribute__((noinline, noclone)) u32 measured(struct state *state, const struct tkd_frame *frame, u64 time_ms,
                                                void *results);
u32 measured(struct state *state, const struct tkd_frame *frame, u64 time_ms, void *results)
{
    return applied(state, frame, time_ms, results);
}

/* The ring keeps them all. */
static const struct tkd_event *event_read(void *owner, u64 seq)
{
    const struct cost *cost = owner;
    return event_at(state_events_read(cost->state), seq);
}

static i32 nothing_archived(void *owner, u64 ticket, u64 *event_seq)
{
    (void)owner, (void)ticket, (void)event_seq;
    return 1;
}

__attribute__((noinline, noclone)) u32 asked(struct cost *cost, const struct tkd_frame *frame, u32 *count, u64 *cursor);
u32 asked(struct cost *cost, const struct tkd_frame *frame, u32 *count, u64 *cursor)
{
    struct event_source source = {.read = event_read, .archived = nothing_archived, .owner = cost};
    enum tkd_status status;
    u32 bytes = state_query(cost->state, frame->op, frame_first(frame), cost->time_ms, &source,
                            &cost->answer.header + 1,
                            TKD_FRAME_BYTES_MAX, count, cursor, &status);
    if (status != TKD_OK) die("a query: %s", tkd_status_info(status)->doc);
    return bytes;
}

static u32 run(struct cost *cost, const struct tkd_frame *frame, void *results)
{
    if (cost->prepares) return applied(cost->state, frame, cost->time_ms, results);
    u64 begin_ns = clock_monotonic_ns();
    u32 bytes = measured(cost->state, frame, cost->time_ms, results);
    cost->spent_ns += clock_monotonic_ns() - begin_ns;
    return bytes;
}

static void pulses(struct cost *cost)
{
    struct tkd_frame pulse = {.magic = TKD_MAGIC,
                              .version = TKD_PROTOCOL_VERSION,
                              .op = TKD_OP_PULSE,
                              .size = TKD_FRAME_BYTES};
    for (; state_due(cost->state, cost->time_ms) <= cost->time_ms; cost->pulses++)
        run(cost, &pulse, NULL);
}

/* Takes the frame that was built, answers it, and gives the answer to its owner. */
static void serve(struct cost *cost, struct sender *sender, sender_answered *answered)
{
    struct tkd_frame *frame = &sender->frame->header;
    u32 slot = sender_slot(sender), count = frame->count, bytes;
    u64 cursor;
    frame_seal(frame);
    pulses(cost);
    if (tkd_op_info(frame->op)->class == TKD_CLASS_query) bytes = asked(cost, frame, &count, &cursor);
    else bytes = run(cost, frame, &cost->answer.header + 1);
    cost->answer.header = (struct tkd_frame){.op = frame->op, .size = TKD_FRAME_BYTES + bytes, .count = count};
    sender->next_seq++;
    answered(cost->workload, sender, slot, &cost->answer.header);
}

static void huge_pages(void *owner, void *memory, u64 used_bytes, u64 bytes)
{
    (void)owner, (void)used_bytes;
    file_memory_grows(memory, bytes);
}

static struct state *state_made(void)
{
    struct state_config config = {.secret = 1, .memory_bytes = MEMORY_BYTES, .event_ring_bytes = RING_BYTES};
    char error[256];
    void *memory = mmap(NULL, state_bytes(&config), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) die("no memory");
    struct state *state = state_create(&config, memory);
    state_pieces(state, huge_pages, NULL);
    if (!state_loaded(state, 0, START_MS, 0, error, sizeof(error))) die("%s", error);
    return state;
}

static void load_run(struct cost *cost, const struct load *load)
{
    static struct workload workload;
    static struct histogram interval_ns;
    struct desk_size size = {.queues = load->queues, .agents = load->agents, .capacity = load->capacity};
    struct sender senders[2];
    workload_create(&workload, load, &interval_ns);
    cost->workload = &workload;
    for (u32 i = 0; i < ARRAY_COUNT(senders); i++) {
        /* Without sessions; but workloads tell writers by theirs. */
        senders[i] = (struct sender){.index = i, .depth = 1, .next_seq = 1, .session = i < workload_sessions(load)};
        senders[i].frame = aligned_alloc(64, sizeof(*senders[i].frame));
        if (senders[i].frame == NULL) die("no memory");
    }
    desk_catalog(&size, senders);
    senders->frame->header.session = 0;
    serve(cost, senders, desk_answered);
    desk_presence(&size, senders);
    senders->frame->header.session = 0;
    serve(cost, senders, desk_answered);
    for (u32 turn = 0; workload.sent < load->commands; turn++) {
        struct sender *sender = &senders[turn % load->connections];
        if (workload_build(&workload, sender) == 0) continue;
        sender->frame->header.session = 0;
        cost->time_ms++;
        serve(cost, sender, workload_answered);
    }
    for (u32 i = 0; i < REQUEST_END; i++)
        if (workload.tallies[i].refused > 0) die("refused: %s", tkd_status_info(workload.tallies[i].refusal)->doc);
    for (u32 i = 0; i < ARRAY_COUNT(senders); i++) free(senders[i].frame);
}

/* One update for each ticket: the ids are those from 1 on. */
static void updates(struct cost *cost, struct sender *sender, u16 verb, u32 count)
{
    sender_begin(sender, TKD_OP_TICKET_UPDATE, 0);
    for (u32 i = 1; i <= count; i++) {
        struct tkd_ticket_update *update = sender_record(sender, sizeof(*update), 0, verb);
        memset((char *)update + sizeof(struct tkd_prefix), 0, sizeof(*update) - sizeof(struct tkd_prefix));
        update->ticket = i;
        if (verb == TKD_VERB_ASSIGN) update->agent = i;
    }
    serve(cost, sender, desk_answered);
}

/* Each agent has a ticket that is urged every hour; what is counted is a report that adds up the hours of all agents,
 * but for some at both ends. */
static void report_run(struct cost *cost, struct load *load)
{
    u64 hours = load->commands, cursor, pages = 0;
    struct sender sender = {.depth = 1, .next_seq = 1, .frame = aligned_alloc(64, sizeof(*sender.frame))};
    if (sender.frame == NULL) die("no memory");
    cost->prepares = true;
    load->commands = load->agents = load->batch;
    load->queues = 8; /* all agents serve them all */
    load_run(cost, load);
    updates(cost, &sender, TKD_VERB_ASSIGN, load->agents);
    for (u64 hour = 0; hour < hours; hour++, cost->time_ms += HOUR_MS)
        updates(cost, &sender, TKD_VERB_URGE, load->agents);
    sender_begin(&sender, TKD_OP_REPORT, 0);
    struct tkd_report *request = sender_record(&sender, sizeof(*request), 0, 0);
    request->dimension = TKD_DIMENSION_AGENT;
    request->sum = 1;
    request->from_ms = START_MS + 10 * HOUR_MS;
    request->to_ms = cost->time_ms - 10 * HOUR_MS;
    request->cursor = 0;
    clock_t begun = clock();
    do {
        u32 rows;
        asked(cost, &sender.frame->header, &rows, &cursor);
        request->cursor = cursor;
        pages++;
    } while (cursor != 0);
    printf("a report of %llu pages, %.3f ms\n", (unsigned long long)pages,
           (double)(clock() - begun) * 1e3 / CLOCKS_PER_SEC);
    free(sender.frame);
}

int main(int argc, char **argv)
{
    static struct cost cost;
    struct load load = {.connections = 2, .depth = 1, .queues = 64, .agents = 512, .body_bytes = 64, .open_max = 4000};
    if (argc != 4) {
        fprintf(stderr, "usage: ticketcost WORKLOAD COMMANDS BATCH (WORKLOAD: as in ticketbench, or deadlines)\n"
                        "       ticketcost report HOURS AGENTS\n");
        return 2;
    }
    bool deadlines = strcmp(argv[1], "deadlines") == 0;
    for (u32 i = 0; i < WORKLOAD_END; i++)
        if (strcmp(argv[1], workload_names[i]) == 0) load.kind = i;
    load.commands = strtoull(argv[2], NULL, 10);
    load.batch = (u32)strtoul(argv[3], NULL, 10);
    load.customers = max_u64(1, load.commands / 4);
    if (load.kind == WORKLOAD_LIFECYCLE) load.capacity = 1000;
    if (load.batch == 0 || load.batch > 8000) die("a batch has 1 to 8000 commands");
    cost.state = state_made();
    cost.time_ms = START_MS;
    if (strcmp(argv[1], "report") == 0) report_run(&cost, &load);
    else load_run(&cost, &load);
    if (deadlines) {
        cost.time_ms += 2 * HOUR_MS; /* every first reply is late */
        pulses(&cost);
    }
    state_validate(cost.state);
    u64 commands = cost.workload->sent;
    printf("%llu commands, %llu pulses, %llu ns a command\n", (unsigned long long)commands,
           (unsigned long long)cost.pulses, (unsigned long long)(cost.spent_ns / max_u64(commands, 1)));
    return 0;
}
