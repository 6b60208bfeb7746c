/* ticketctl inspect: looks at a data directory without a server, and only reads. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "inspect.h"
#include "port/file.h"

/* ---- Reading ---- */

static i32 count_chunk(void *owner, u32 table, u32 chunk, const void *data, u32 bytes)
{
    struct inspection *inspection = owner;
    (void)chunk;
    (void)data;
    if (table >= INSPECT_TABLES_MAX) return 0;
    inspection->tables[table].chunks++;
    inspection->tables[table].bytes += bytes;
    return 0;
}

static void damage(struct inspection *inspection, const char *part, const char *what)
{
    if (inspection->damages == INSPECT_DAMAGES_MAX) return;
    struct damage *damage = &inspection->damage[inspection->damages++];
    damage->part = part;
    snprintf(damage->what, sizeof(damage->what), "%s", what);
}

static void read_store(struct inspection *inspection)
{
    char error[INSPECT_WHAT_BYTES];
    i32 result = store_root_read(inspection->store, &inspection->root);
    if (result < 0) damage(inspection, "store", "the root does not verify; remedy: start from a backup");
    inspection->has_root = result == 0;
    if (store_chunks_each(inspection->store, count_chunk, inspection, error, sizeof(error)) != 0)
        damage(inspection, "store", error);
    if (store_event_last(inspection->store, &inspection->event_last) < 0)
        damage(inspection, "events", "the last events do not verify; remedy: start from a backup");
}

static i32 keep_segment(void *owner, const struct inspect_segment *segment)
{
    struct inspection *inspection = owner;
    u32 count = inspection->segments_count++;
    inspection->segments = reallocate(inspection->segments, (count + 1) * sizeof(*inspection->segments));
    inspection->segments[count] = *segment;
    return 0;
}

static i32 count_entry(void *owner, const struct inspect_entry *entry)
{
    struct inspection *inspection = owner;
    if (entry->op <= inspection->root.op) return 0;
    inspection->commands++;
    inspection->records += entry->frame->count;
    inspection->time_last_ms = entry->time_ms;
    return 0;
}

static void read_log(struct inspection *inspection, bool verify)
{
    char error[INSPECT_WHAT_BYTES];
    const struct inspect_config config = {
        .directory = inspection->log_path,
        .verify = verify,
        .after_op = inspection->root.op,
        .after_checksum = inspection->root.log_checksum,
        .segment = keep_segment,
        .entry = count_entry,
        .owner = inspection,
    };
    if (wal_inspect(&config, &inspection->log, error, sizeof(error)) < 0) damage(inspection, "log", error);
}

/* False: there is nothing to look at; explained. */
static bool inspection_open(struct inspection *inspection, const char *data, bool verify)
{
    char store[FILE_PATH_BYTES], error[INSPECT_WHAT_BYTES];
    inspection->data = data;
    if (file_join(store, data, "store") < 0 || file_join(inspection->log_path, data, "log") < 0) {
        complain("inspect: %s: the path is too long", data);
        return false;
    }
    if (!file_exists(data)) {
        complain("inspect: %s: no such directory", data);
        return false;
    }
    inspection->running = file_lock_held(data, &inspection->pid) == 1;
    if (store_open(&inspection->store, store, NULL, error, sizeof(error)) < 0) {
        complain("inspect: %s", error);
        return false;
    }
    read_store(inspection);
    read_log(inspection, verify);
    return true;
}

static void inspection_close(struct inspection *inspection)
{
    free(inspection->segments);
    store_close(inspection->store);
}

/* ---- Showing ---- */

static void show_overview(struct ctl *ctl, const struct inspection *inspection)
{
    static const struct column columns[] = {
        {"directory", CELL_TEXT},         {"server_pid", CELL_NUMBER},   {"store_id", CELL_TEXT},
        {"machine_version", CELL_NUMBER}, {"clock", CELL_TEXT},          {"checkpoint_op", CELL_NUMBER},
        {"checkpoint_time", CELL_TIME},   {"store_bytes", CELL_NUMBER},  {"stored_events", CELL_NUMBER},
        {"log_segments", CELL_NUMBER},    {"log_commands", CELL_NUMBER}, {"log_records", CELL_NUMBER},
        {"log_last_op", CELL_NUMBER},     {"log_last_time", CELL_TIME},  {"log_bytes", CELL_NUMBER},
    };
    const struct store_root *root = &inspection->root;
    char store_id[20];
    snprintf(store_id, sizeof(store_id), "%016llx", (unsigned long long)root->store_id);
    struct output *output =
        output_open(stdout, ctl->form, ctl->color, columns, sizeof(columns) / sizeof(columns[0]), true);
    output_string(output, inspection->data);
    if (inspection->running)
        output_number(output, inspection->pid);
    else
        output_none(output);
    output_string(output, store_id);
    output_number(output, root->machine_version);
    output_string(output, root->virtual_clock ? "virtual" : "wall");
    output_number(output, root->op);
    output_time(output, root->time_ms);
    output_number(output, store_bytes(inspection->store));
    output_number(output, inspection->event_last);
    output_number(output, inspection->segments_count);
    output_number(output, inspection->commands);
    output_number(output, inspection->records);
    output_number(output, inspection->log.op_last);
    output_time(output, inspection->time_last_ms);
    output_number(output, inspection->log.bytes);
    output_row(output);
    output_close(output, NULL);
}

/* What a segment is still good for. */
static const char *segment_state(const struct inspection *inspection, const struct inspect_segment *segment)
{
    if (!segment->batches) return "spare";
    return segment->op_last > inspection->root.op || !segment->entries ? "needed" : "in the store";
}

static void show_log(struct ctl *ctl, const struct inspection *inspection)
{
    static const struct column columns[] = {{"segment", CELL_NUMBER}, {"first_op", CELL_NUMBER},
                                            {"last_op", CELL_NUMBER}, {"batches", CELL_NUMBER},
                                            {"bytes", CELL_NUMBER},   {"of", CELL_NUMBER},
                                            {"state", CELL_TEXT}};
    struct output *output = output_open(stdout, ctl->form, ctl->color, columns, 7, false);
    for (u32 i = 0; i < inspection->segments_count; i++) {
        const struct inspect_segment *segment = &inspection->segments[i];
        output_number(output, segment->number);
        if (segment->entries)
            output_number(output, segment->op_first);
        else
            output_none(output);
        if (segment->entries)
            output_number(output, segment->op_last);
        else
            output_none(output);
        output_number(output, segment->batches);
        output_number(output, segment->bytes);
        output_number(output, segment->bytes_max);
        output_string(output, segment_state(inspection, segment));
        output_row(output);
    }
    output_close(output, "The log has no segments.");
}

static void show_store(struct ctl *ctl, const struct inspection *inspection)
{
    static const struct column columns[] = {
        {"table", CELL_TEXT}, {"chunks", CELL_NUMBER}, {"bytes", CELL_NUMBER}};
    struct output *output = output_open(stdout, ctl->form, ctl->color, columns, 3, false);
    for (u32 i = 0; i < INSPECT_TABLES_MAX; i++) {
        if (!inspection->tables[i].chunks) continue;
        output_string(output, inspect_table_name(i));
        output_number(output, inspection->tables[i].chunks);
        output_number(output, inspection->tables[i].bytes);
        output_row(output);
    }
    output_close(output, "The store has no rows: no checkpoint was taken yet.");
}

static void show_damage(struct ctl *ctl, const struct inspection *inspection)
{
    static const struct column columns[] = {{"part", CELL_TEXT}, {"verdict", CELL_TEXT}, {"what", CELL_TEXT}};
    struct output *output = output_open(stdout, ctl->form, ctl->color, columns, 3, true);
    for (u32 i = 0; i < inspection->damages; i++) {
        output_string(output, inspection->damage[i].part);
        output_string(output, "damaged");
        output_string(output, inspection->damage[i].what);
        output_row(output);
    }
    output_close(output, NULL);
}

static void show_verified(struct ctl *ctl, const struct inspection *inspection)
{
    static const struct column columns[] = {
        {"verdict", CELL_TEXT},        {"chunks", CELL_NUMBER}, {"stored_events", CELL_NUMBER},
        {"log_commands", CELL_NUMBER}, {"op", CELL_NUMBER},     {"time", CELL_TIME},
        {"events", CELL_NUMBER},       {"digest", CELL_TEXT}};
    char digest[20];
    snprintf(digest, sizeof(digest), "0x%016llx", (unsigned long long)inspection->digest);
    u64 chunks = 0;
    for (u32 i = 0; i < INSPECT_TABLES_MAX; i++) chunks += inspection->tables[i].chunks;
    struct output *output = output_open(stdout, ctl->form, ctl->color, columns, 8, true);
    output_string(output, "OK");
    output_number(output, chunks);
    output_number(output, inspection->event_last);
    output_number(output, inspection->commands);
    output_number(output, inspection->op);
    output_time(output, inspection->time_ms);
    output_number(output, inspection->events);
    output_string(output, digest);
    output_row(output);
    output_close(output, NULL);
}

static int run_inspect(struct ctl *ctl, const struct args *args)
{
    struct inspection inspection = {0};
    bool verify = args_flag(args, "verify");
    if (!inspection_open(&inspection, args->operands[0], verify)) {
        inspection_close(&inspection);
        return EXIT_REFUSED;
    }
    if (inspection.running && verify) {
        complain(
            "inspect: a ticketd (pid %llu) works on it, what is read may be half-written: stop it first, or "
            "verify a backup",
            (unsigned long long)inspection.pid);
        inspection_close(&inspection);
        return EXIT_REFUSED;
    }
    if (inspection.running)
        complain("inspect: a ticketd (pid %llu) works on it: this is only a glimpse",
                 (unsigned long long)inspection.pid);
    char what[INSPECT_WHAT_BYTES];
    if (verify && !inspection.damages && !inspect_verify(&inspection, what))
        damage(&inspection, inspection.part, what);
    if (args_flag(args, "log")) show_log(ctl, &inspection);
    if (args_flag(args, "store")) show_store(ctl, &inspection);
    if (!verify && !args_flag(args, "log") && !args_flag(args, "store")) show_overview(ctl, &inspection);
    if (inspection.damages)
        show_damage(ctl, &inspection);
    else if (verify)
        show_verified(ctl, &inspection);
    inspection_close(&inspection);
    return inspection.damages ? EXIT_REFUSED : EXIT_OK;
}

static const struct option_info options[] = {
    {"log", 'l', NULL, "the log's segments"},
    {"store", 's', NULL, "the tables in the store"},
    {"verify", 'v', NULL,
     "check everything: checksums, the log's chain, events without gaps, rows that fit together"},
    {NULL, 0, NULL, NULL},
};

const struct command command_inspect = {
    .name = "inspect",
    .operands = "DATA_DIR",
    .summary = "look at a data directory without a server",
    .about =
        "Reads log and store of a data directory and changes nothing. With --verify it checks every "
        "checksum, "
        "rebuilds the desk in memory from store and log, and says OK with the desk's digest, or names what "
        "is "
        "damaged and where; the exit code is 1 then. While a ticketd works on the directory it cannot be "
        "verified: take a backup and verify that.",
    .example = "ticketctl inspect /var/lib/ticketd\n"
               "ticketctl inspect /var/lib/ticketd/backups/monday --verify",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_inspect,
};
