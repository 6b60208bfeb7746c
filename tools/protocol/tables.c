#include "protocol/tables.h"

#include "core/frame.h"

#include <ctype.h>

static const char *const class_names[] = {"", "control", "command", "query", "internal"};
static const char *const status_class_names[] = {"", "ok", "refused", "retry", "protocol"};

/* ---- The frame header: the one struct that the schema has no table of ---- */

#define HEADER_ROW(member, meaning)                                                                          \
    fprintf(to, "| %zu | u%zu | `%s` | %s |\n", offsetof(struct tkd_frame, member),                          \
            8 * sizeof(((struct tkd_frame *)0)->member), #member, meaning)

void table_header(FILE *to)
{
    fputs("| offset | type | member | meaning |\n|---|---|---|---|\n", to);
    HEADER_ROW(magic, "the bytes `54 4b 44 31` (\"TKD1\")");
    HEADER_ROW(header_checksum, "low 32 bits of XXH64 (seed 0) of the header's bytes 8 to 63");
    HEADER_ROW(version, "protocol version, 1");
    HEADER_ROW(op, "what is asked for; an answer repeats it");
    HEADER_ROW(flags, "see below");
    HEADER_ROW(status, "request: 0; answer: status of the whole frame");
    HEADER_ROW(size, "bytes of header and body: a multiple of 8");
    HEADER_ROW(count, "records in the body");
    HEADER_ROW(session, "0 = none, or the session's number; an answer repeats it");
    HEADER_ROW(seq, "request number; an answer repeats it");
    HEADER_ROW(ack_below, "request in a session: all answers with a lower seq have arrived; "
                          "answer of a query: its cursor, 0 = finished");
    HEADER_ROW(time_ms, "request: 0, or under the virtual clock the time; answer: the desk's time");
    HEADER_ROW(body_checksum, "XXH64 (seed 0) of all bytes behind the header");
}

static void table_members(FILE *to, enum tkd_enum which)
{
    fputs("| number | name | meaning |\n|---|---|---|\n", to);
    for (u32 number = 1; number < 256; number++) {
        const char *name = tkd_name(which, number);
        if (strcmp(name, "?") != 0) fprintf(to, "| %u | `%s` | %s |\n", number, name, tkd_doc(which, number));
    }
}

void table_flags(FILE *to) { table_members(to, TKD_ENUM_FLAG); }

void table_events(FILE *to) { table_members(to, TKD_ENUM_EVENT); }

void table_enumerations(FILE *to)
{
    static const struct {
        enum tkd_enum which;
        const char *title;
    } enumerations[] = {
        {TKD_ENUM_STATE, "States of a ticket"},
        {TKD_ENUM_PRIORITY, "Priorities"},
        {TKD_ENUM_VERB, "Verbs: the `kind` of a `ticket_update`"},
        {TKD_ENUM_KIND, "Catalog kinds: the `kind` of a `catalog_entry` and of a `catalog_read`"},
        {TKD_ENUM_STRATEGY, "Routing strategies of a queue"},
        {TKD_ENUM_PRESENCE, "Presence of an agent"},
        {TKD_ENUM_DIMENSION, "Dimensions of a report"},
        {TKD_ENUM_CLOCK, "Clocks (events of kind `card`)"},
        {TKD_ENUM_CARD, "Cards (events of kind `card`)"},
        {TKD_ENUM_OUTCOME, "Outcomes of a task (events of kind `task_closed`)"},
        {TKD_ENUM_RULE, "Routing rules (events of kind `routed` and `waiting`)"},
    };
    for (u32 i = 0; i < ARRAY_COUNT(enumerations); i++) {
        fprintf(to, "%s### %s\n\n", i ? "\n" : "", enumerations[i].title);
        table_members(to, enumerations[i].which);
    }
}

void table_ops(FILE *to)
{
    fputs("| op | name | class | request record | most | answer record | meaning |\n", to);
    fputs("|---|---|---|---|---|---|---|\n", to);
    for (u32 number = 1; number < 256; number++) {
        const struct tkd_op_info *op = tkd_op_info(number);
        if (!op || op->class == TKD_CLASS_internal) continue;
        fprintf(to, "| %u | `%s` | %s | `%s` | %u | `%s` | %s |\n", number, op->name, class_names[op->class],
                tkd_record_info(op->request)->name, op->records_max, tkd_record_info(op->answer)->name, op->doc);
    }
}

void table_statuses(FILE *to)
{
    fputs("| status | name | class | meaning and remedy |\n|---|---|---|---|\n", to);
    for (u32 number = 1; number < 256; number++) {
        const struct tkd_status_info *status = tkd_status_info(number);
        if (!status) continue;
        fprintf(to, "| %u | `%s` | %s%s | %s |\n", number, status->name, status_class_names[status->class],
                FRAME_FATAL(number) ? ", fatal" : "", status->doc);
    }
}

static void table_record(FILE *to, const struct tkd_record_info *info)
{
    fprintf(to, "### %s\n\n%c%s. Fixed head: %u bytes.\n", info->name, toupper(info->doc[0]), info->doc + 1,
            info->head_bytes);
    if (info->fields_count == 0) return;
    fputs("\n| offset | type | member | meaning |\n|---|---|---|---|\n", to);
    for (u32 i = 0; i < info->fields_count; i++) {
        const struct tkd_field *field = &info->fields[i];
        fprintf(to, "| %u | u%u | `%s%s` | ", field->offset, 8u * field->bytes, field->name,
                field->text ? "_bytes" : "");
        if (field->text) {
            fprintf(to, "%s `%s`, at most %u bytes", field->ids ? "ids" : "text", field->name, field->text_bytes_max);
        }
        fprintf(to, "%s%s |\n", field->text && *field->doc ? ": " : "", field->doc);
    }
}

void table_records(FILE *to)
{
    for (u32 record = 1; record < TKD_RECORD_END; record++) {
        if (record > 1) fputc('\n', to);
        table_record(to, tkd_record_info(record));
    }
}

void table_limits(FILE *to)
{
    fputs("| limit | value |\n|---|---|\n", to);
    fprintf(to, "| bytes of a frame | %u |\n", TKD_FRAME_BYTES_MAX);
    fprintf(to, "| records of a frame | %u |\n", TKD_RECORDS_MAX);
    fprintf(to, "| default port | %u |\n", TKD_DEFAULT_PORT);
    fputs("| bytes of a text | see the records |\n", to);
}

void table_checksums(FILE *to)
{
    static const char *const texts[] = {"", "a", "abc", "ticketd", "0123456789abcdef",
                                        "The quick brown fox jumps over the lazy dog"};
    fputs("| input | XXH64, seed 0 |\n|---|---|\n", to);
    for (u32 i = 0; i < ARRAY_COUNT(texts); i++) {
        fprintf(to, "| %u bytes `%s` | `%016llx` |\n", (u32)strlen(texts[i]), texts[i],
                (unsigned long long)checksum_wire(texts[i], strlen(texts[i])));
    }
    u8 bytes[101];
    for (u32 i = 0; i < sizeof(bytes); i++) bytes[i] = (u8)i;
    for (u32 count = 31; count <= 33; count++) {
        fprintf(to, "| the %u bytes 00 01 02 … %02x | `%016llx` |\n", count, count - 1,
                (unsigned long long)checksum_wire(bytes, count));
    }
    fprintf(to, "| the 101 bytes 00 01 02 … 64 | `%016llx` |\n", (unsigned long long)checksum_wire(bytes, 101));
}
