/* A desk to YAML: what desk_read() reads. Members that hold their default are left out. */
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "desk.h"

#define STATES_STEP (1u << TKD_STATE_NEW | 1u << TKD_STATE_OPEN) /* the default */

/* The first failure is kept; the rest then does nothing. */
struct writer {
    yaml_emitter_t emitter;
    const struct desk *desk;
    bool failed;
};

/* ---- Events ---- */

/* Takes what the initializer of the event answered. */
static void emit(struct writer *writer, yaml_event_t *event, int made)
{
    if (!made || writer->failed || !yaml_emitter_emit(&writer->emitter, event)) writer->failed = true;
}

static yaml_char_t *utf8(const char *text)
{
    return (yaml_char_t *)(uintptr_t)text; /* libyaml takes what it only reads as non-const */
}

/* Would another reader of YAML take the plain word for something else than a text? */
static bool is_ambiguous(const char *text)
{
    static const char *const words[] = {"~",   "null", "true", "false", "yes",  "no", "on",
                                        "off", "y",    "n",    ".inf",  ".nan", NULL};
    for (u32 i = 0; words[i]; i++)
        if (!strcasecmp(text, words[i])) return true;
    return strspn(text, "0123456789+-.:_eExX") == strlen(text);
}

/* A name: quoted where it must be. */
static void emit_name(struct writer *writer, const char *text)
{
    yaml_event_t event;
    yaml_scalar_style_t style = is_ambiguous(text) ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_ANY_SCALAR_STYLE;
    emit(writer, &event,
         yaml_scalar_event_initialize(&event, NULL, NULL, utf8(text), (int)strlen(text), 1, 1, style));
}

/* A word or number of the format itself. */
static void emit_word(struct writer *writer, const char *text)
{
    yaml_event_t event;
    emit(writer, &event,
         yaml_scalar_event_initialize(&event, NULL, NULL, utf8(text), (int)strlen(text), 1, 1,
                                      YAML_PLAIN_SCALAR_STYLE));
}

static void begin_mapping(struct writer *writer, bool flow)
{
    yaml_event_t event;
    yaml_mapping_style_t style = flow ? YAML_FLOW_MAPPING_STYLE : YAML_BLOCK_MAPPING_STYLE;
    emit(writer, &event, yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, style));
}

static void end_mapping(struct writer *writer)
{
    yaml_event_t event;
    emit(writer, &event, yaml_mapping_end_event_initialize(&event));
}

static void begin_list(struct writer *writer, bool flow)
{
    yaml_event_t event;
    yaml_sequence_style_t style = flow ? YAML_FLOW_SEQUENCE_STYLE : YAML_BLOCK_SEQUENCE_STYLE;
    emit(writer, &event, yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, style));
}

static void end_list(struct writer *writer)
{
    yaml_event_t event;
    emit(writer, &event, yaml_sequence_end_event_initialize(&event));
}

/* ---- Members ---- */

static void emit_duration(struct writer *writer, const char *key, u64 duration_ms)
{
    char buffer[DESK_DURATION_BYTES];
    if (!duration_ms) return;
    emit_word(writer, key);
    emit_word(writer, desk_duration(duration_ms, buffer));
}

static void emit_list(struct writer *writer, const struct desk_entry *entry, enum desk_list_kind list)
{
    const struct desk_list *names = &entry->lists[list];
    if (!names->count) return;
    emit_word(writer, desk_list_name(list));
    begin_list(writer, true);
    for (u32 i = 0; i < names->count; i++) emit_name(writer, names->names[i].text);
    end_list(writer);
}

static void emit_bits(struct writer *writer, const char *key, u64 bits, enum tkd_enum words)
{
    emit_word(writer, key);
    begin_list(writer, true);
    for (u32 number = 1; number < 64; number++)
        if (bits >> number & 1) emit_word(writer, tkd_name(words, number));
    end_list(writer);
}

static void emit_yellow(struct writer *writer, const struct tkd_catalog_entry *head)
{
    char percent[16], buffer[DESK_DURATION_BYTES];
    bool both = head->yellow_percent && head->yellow_ms;
    if (!head->yellow_percent && !head->yellow_ms) return;
    emit_word(writer, "yellow");
    if (both) begin_list(writer, true);
    snprintf(percent, sizeof(percent), "%u%%", head->yellow_percent);
    if (head->yellow_percent) emit_word(writer, percent);
    if (head->yellow_ms) emit_word(writer, desk_duration(head->yellow_ms, buffer));
    if (both) end_list(writer);
}

static bool has_targets(const u64 *by_priority)
{
    return by_priority[0] || by_priority[1] || by_priority[2] || by_priority[3];
}

static void emit_targets_of_clock(struct writer *writer, const char *clock, const u64 *by_priority)
{
    if (!has_targets(by_priority)) return;
    emit_word(writer, clock);
    begin_mapping(writer, true);
    for (u32 i = 0; i < 4; i++) emit_duration(writer, tkd_name(TKD_ENUM_PRIORITY, i + 1), by_priority[i]);
    end_mapping(writer);
}

static void emit_step(struct writer *writer, const struct tkd_catalog_entry *head)
{
    if (!head->step_ms) return;
    emit_word(writer, "step");
    begin_mapping(writer, true);
    emit_duration(writer, "target", head->step_ms);
    emit_yellow(writer, head);
    if (head->states_step != STATES_STEP) emit_bits(writer, "runs_in", head->states_step, TKD_ENUM_STATE);
    end_mapping(writer);
}

static void emit_policy(struct writer *writer, const struct desk_entry *entry)
{
    const struct tkd_catalog_entry *head = &entry->head;
    const struct desk_list *lists = entry->lists;
    bool matches = head->priorities || lists[LIST_CATEGORIES].count || lists[LIST_CHANNELS].count ||
                   lists[LIST_TIERS].count;
    if (matches) {
        emit_word(writer, "match");
        begin_mapping(writer, false);
        if (head->priorities) emit_bits(writer, "priorities", head->priorities, TKD_ENUM_PRIORITY);
        emit_list(writer, entry, LIST_CATEGORIES);
        emit_list(writer, entry, LIST_CHANNELS);
        emit_list(writer, entry, LIST_TIERS);
        end_mapping(writer);
    }
    const u64 *first_reply = &head->first_reply_urgent_ms, *resolution = &head->resolution_urgent_ms;
    if (has_targets(first_reply) || has_targets(resolution)) {
        emit_word(writer, "targets");
        begin_mapping(writer, false);
        emit_targets_of_clock(writer, "first_reply", first_reply);
        emit_targets_of_clock(writer, "resolution", resolution);
        end_mapping(writer);
    }
    bool first_reply_runs = has_targets(first_reply) || head->states_first_reply;
    bool resolution_runs = has_targets(resolution) || head->states_resolution;
    if (first_reply_runs || resolution_runs) {
        emit_word(writer, "runs_in");
        begin_mapping(writer, false);
        if (first_reply_runs) emit_bits(writer, "first_reply", head->states_first_reply, TKD_ENUM_STATE);
        if (resolution_runs) emit_bits(writer, "resolution", head->states_resolution, TKD_ENUM_STATE);
        end_mapping(writer);
    }
    emit_yellow(writer, head);
}

static void emit_agent(struct writer *writer, const struct desk_entry *entry)
{
    char capacity[16];
    snprintf(capacity, sizeof(capacity), "%u", entry->head.capacity);
    if (entry->head.capacity) {
        emit_word(writer, "capacity");
        emit_word(writer, capacity);
    }
    emit_list(writer, entry, LIST_SKILLS);
    emit_list(writer, entry, LIST_QUEUES);
    if (!entry->head.all_queues) return;
    emit_word(writer, "queues");
    begin_list(writer, true);
    emit_name(writer, "*");
    end_list(writer);
}

static void emit_queue(struct writer *writer, const struct desk_entry *entry)
{
    if (entry->head.strategy) {
        emit_word(writer, "strategy");
        emit_word(writer, tkd_name(TKD_ENUM_STRATEGY, entry->head.strategy));
    }
    emit_list(writer, entry, LIST_SKILLS);
    emit_step(writer, &entry->head);
}

/* ---- Entries ---- */

static bool is_below(const struct desk_entry *entry, const char *parent)
{
    return parent ? entry->parent.text && !strcmp(entry->parent.text, parent) : !entry->parent.text;
}

static void emit_entries(struct writer *writer, u32 kind, const char *parent, u32 level);

static void emit_children(struct writer *writer, const struct desk_entry *entry, u32 level)
{
    const struct desk_section *section = &writer->desk->sections[entry->head.kind];
    for (u32 i = 0; i < section->count; i++) {
        if (!is_below(section->entries[i], entry->name.text)) continue;
        emit_word(writer, "children");
        emit_entries(writer, entry->head.kind, entry->name.text, level + 1);
        return;
    }
}

static void emit_entry(struct writer *writer, const struct desk_entry *entry, u32 level)
{
    u32 kind = entry->head.kind;
    if (kind == TKD_KIND_SKILL || kind == TKD_KIND_CHANNEL || kind == TKD_KIND_TIER) {
        emit_name(writer, entry->name.text);
        return;
    }
    begin_mapping(writer, false);
    if (*entry->name.text) { /* the desk itself need not have one */
        emit_word(writer, "name");
        emit_name(writer, entry->name.text);
    }
    if (kind == TKD_KIND_DESK) emit_duration(writer, "archive_after", entry->head.archive_after_ms);
    if (kind == TKD_KIND_CATEGORY) emit_list(writer, entry, LIST_SKILLS);
    if (kind == TKD_KIND_QUEUE) emit_queue(writer, entry);
    if (kind == TKD_KIND_AGENT) emit_agent(writer, entry);
    if (kind == TKD_KIND_POLICY) emit_policy(writer, entry);
    if (kind == TKD_KIND_CATEGORY || kind == TKD_KIND_QUEUE) emit_children(writer, entry, level);
    end_mapping(writer);
}

/* Bounded by the depth of the tree, which has no loops. */
static void emit_entries(struct writer *writer, u32 kind, const char *parent, u32 level)
{
    const struct desk_section *section = &writer->desk->sections[kind];
    bool words = kind == TKD_KIND_SKILL || kind == TKD_KIND_CHANNEL || kind == TKD_KIND_TIER;
    begin_list(writer, words);
    for (u32 i = 0; i < section->count && level < DESK_TREE_LEVELS_MAX; i++)
        if (is_below(section->entries[i], parent)) emit_entry(writer, section->entries[i], level);
    end_list(writer);
}

static void emit_sections(struct writer *writer)
{
    begin_mapping(writer, false);
    for (u32 kind = 1; kind < TKD_KIND_END; kind++) {
        const struct desk_section *section = &writer->desk->sections[kind];
        if (!section->present) continue;
        emit_word(writer, desk_section_name(kind));
        if (kind != TKD_KIND_DESK)
            emit_entries(writer, kind, NULL, 0);
        else if (section->count)
            emit_entry(writer, section->entries[0], 0);
        else
            emit_name(writer, "");
    }
    end_mapping(writer);
}

static int write_to_file(void *owner, unsigned char *data, size_t bytes)
{
    return fwrite(data, 1, bytes, owner) == bytes;
}

bool desk_write(const struct desk *desk, FILE *file)
{
    struct writer writer = {.desk = desk};
    yaml_event_t event;
    if (!yaml_emitter_initialize(&writer.emitter)) return false;
    yaml_emitter_set_output(&writer.emitter, write_to_file, file);
    yaml_emitter_set_unicode(&writer.emitter, 1);
    yaml_emitter_set_width(&writer.emitter, 100);
    emit(&writer, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING));
    emit(&writer, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1));
    emit_sections(&writer);
    emit(&writer, &event, yaml_document_end_event_initialize(&event, 1));
    emit(&writer, &event, yaml_stream_end_event_initialize(&event));
    bool written = !writer.failed && yaml_emitter_flush(&writer.emitter);
    yaml_emitter_delete(&writer.emitter);
    return written && !fflush(file);
}
