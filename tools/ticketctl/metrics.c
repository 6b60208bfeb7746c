#include "metrics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "chart.h"
#include "text.h"
#include "timefmt.h"

enum { TEXT_NAME, TEXT_TEXT };

#define RANKS_MAX     64u
#define CHART_COLUMNS 80u

/* Checksums and ids say nothing as decimal numbers. */
static bool is_opaque(struct tkd_text name)
{
    bool digest = name.bytes >= 6 && memcmp(name.data, "digest", 6) == 0;
    return digest || (name.bytes >= 3 && memcmp(name.data + name.bytes - 3, ".id", 3) == 0);
}

static json_t *value_json(const struct tkd_prefix *row)
{
    struct tkd_metric metric;
    tkd_read(TKD_RECORD_metric, row, &metric);
    struct tkd_text text = tkd_row_text(TKD_RECORD_metric, row, TEXT_TEXT);
    if (text.bytes > 0) return output_json_text(text.data, text.bytes);
    bool opaque = is_opaque(tkd_row_text(TKD_RECORD_metric, row, TEXT_NAME));
    if (!opaque && metric.value <= INT64_MAX) return json_integer((json_int_t)metric.value);
    char hexadecimal[24];
    snprintf(hexadecimal, sizeof(hexadecimal), "0x%016" PRIx64, metric.value);
    return json_string(hexadecimal);
}

static void rank_add(json_t *object, const char *group, const char *name, json_t *value)
{
    json_t *ranks = json_object_get(object, group);
    if (!json_is_array(ranks)) {
        ranks = json_array();
        json_object_set_new(object, group, ranks);
    }
    json_t *rank = json_array();
    json_array_append_new(rank, json_string(name));
    json_array_append_new(rank, value);
    json_array_append_new(ranks, rank);
}

json_t *metrics_object(const struct tkd_answer *answer)
{
    json_t *object = json_object();
    const struct tkd_prefix *row = NULL;
    while ((row = tkd_next_row(answer, row))) {
        struct tkd_text text = tkd_row_text(TKD_RECORD_metric, row, TEXT_NAME);
        char *name = text_repair(text.data, text.bytes);
        json_t *value = value_json(row);
        char *dot = strchr(name, '.');
        if (!dot) {
            json_object_set_new(object, name, value);
        } else {
            *dot = 0;
            json_t *group = json_object_get(object, name);
            if (strncmp(name, "top_", 4) == 0) {
                rank_add(object, name, dot + 1, value);
            } else if (json_is_object(group)) {
                json_object_set_new(group, dot + 1, value);
            } else {
                group = json_object();
                json_object_set_new(group, dot + 1, value);
                json_object_set_new(object, name, group);
            }
        }
        free(name);
    }
    return object;
}

/* ---- For people ---- */

static char *title_of(const char *name)
{
    size_t length = strlen(name);
    char *title = strdup(name);
    if (length > 3 && strcmp(name + length - 3, "_ms") == 0) title[length - 3] = 0;
    for (char *at = title; *at; at++) *at = *at == '_' ? ' ' : *at;
    return title;
}

static const char *ending(const char *name, const char *end)
{
    size_t length = strlen(name), end_length = strlen(end);
    return length >= end_length ? strstr(name + length - end_length, end) : NULL;
}

/* A value as people write it: the name says whether it is a duration or a number of bytes. */
static const char *value_text(const char *name, const json_t *value, char buffer[TIME_TEXT_BYTES])
{
    if (json_is_string(value)) return json_string_value(value);
    u64 number = (u64)json_integer_value(value);
    if (strcmp(name, "time_ms") == 0) return number ? time_local(number, buffer) : "-";
    if (ending(name, "_ms") || ending(name, "_ms_sum")) return duration_text(number, buffer);
    if (ending(name, "bytes") && number >= 10240) {
        static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
        double size = (double)number;
        u32 unit = 0;
        for (; size >= 1024 && unit < 4; unit++) size /= 1024;
        snprintf(buffer, TIME_TEXT_BYTES, "%.1f %s", size, units[unit]);
        return buffer;
    }
    snprintf(buffer, TIME_TEXT_BYTES, "%" PRIu64, number);
    return buffer;
}

/* "name  value" lines, values flush right. */
static void members_print(const struct ctl *ctl, json_t *object)
{
    char buffer[TIME_TEXT_BYTES];
    u32 name_columns = 0, value_columns = 0;
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        if (json_is_object(value) || json_is_array(value)) continue;
        const char *text = value_text(name, value, buffer);
        u32 width = text_width(text, (u32)strlen(text));
        u32 name_width = text_width(name, (u32)strlen(name));
        if (name_width > name_columns) name_columns = name_width;
        if (width > value_columns && width <= 24) value_columns = width;
    }
    json_object_foreach(object, name, value)
    {
        if (json_is_object(value) || json_is_array(value)) continue;
        char *title = title_of(name);
        char *text =
            text_clean(value_text(name, value, buffer), (u32)strlen(value_text(name, value, buffer)));
        u32 width = text_width(text, (u32)strlen(text));
        fprintf(stdout, "  %s", color_on(ctl->color, COLOR_DIM));
        text_print(stdout, title, name_columns, true);
        fprintf(stdout, "%s  ", color_off(ctl->color));
        for (u32 i = width; i < value_columns; i++) fputc(' ', stdout);
        fprintf(stdout, "%s\n", text);
        free(title);
        free(text);
    }
}

static void section_title(const struct ctl *ctl, const char *name)
{
    char *title = title_of(name);
    fprintf(stdout, "\n%s%s%s\n", color_on(ctl->color, COLOR_BOLD), title, color_off(ctl->color));
    free(title);
}

static void ranks_print(const struct ctl *ctl, json_t *ranks)
{
    struct bar bars[RANKS_MAX];
    u32 count = 0;
    size_t index;
    json_t *rank;
    json_array_foreach(ranks, index, rank)
    {
        if (count == RANKS_MAX) break;
        bars[count++] = (struct bar){json_string_value(json_array_get(rank, 0)),
                                     (u64)json_integer_value(json_array_get(rank, 1)), NULL};
    }
    u32 columns = terminal_columns(stdout);
    chart_bars(stdout, bars, count, columns && columns < CHART_COLUMNS ? columns : CHART_COLUMNS, ctl->color);
}

static void csv_print(json_t *object)
{
    static const struct column columns[] = {{"group", CELL_TEXT}, {"name", CELL_TEXT}, {"value", CELL_TEXT}};
    struct output *output = output_open(stdout, OUTPUT_CSV, false, columns, 3, false);
    const char *name, *member;
    json_t *value, *inner;
    json_object_foreach(object, name, value)
    {
        json_t *members = json_is_object(value) ? json_incref(value) : json_object();
        size_t index;
        json_t *rank;
        if (json_is_array(value)) {
            json_array_foreach(value, index, rank)
            {
                json_object_set(members, json_string_value(json_array_get(rank, 0)), json_array_get(rank, 1));
            }
        } else if (!json_is_object(value)) {
            json_object_set(members, "", value);
        }
        json_object_foreach(members, member, inner)
        {
            char digits[24];
            snprintf(digits, sizeof(digits), "%" PRIu64, (u64)json_integer_value(inner));
            output_string(output, *member ? name : "");
            output_string(output, *member ? member : name);
            output_string(output, json_is_string(inner) ? json_string_value(inner) : digits);
            output_row(output);
        }
        json_decref(members);
    }
    output_close(output, NULL);
}

void metrics_print(const struct ctl *ctl, json_t *object)
{
    if (ctl->form == OUTPUT_JSON) {
        output_json(stdout, object);
        return;
    }
    if (ctl->form == OUTPUT_CSV) {
        csv_print(object);
        json_decref(object);
        return;
    }
    members_print(ctl, object);
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        if (!json_is_object(value) && !json_is_array(value)) continue;
        section_title(ctl, name);
        if (json_is_object(value)) {
            members_print(ctl, value);
        } else {
            ranks_print(ctl, value);
        }
    }
    json_decref(object);
}
