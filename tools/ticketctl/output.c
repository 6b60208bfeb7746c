#include "output.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "text.h"
#include "ticketctl.h"
#include "timefmt.h"

#define COLUMNS_MAX           64u
#define GAP                   "  "
#define GAP_COLUMNS           2u
#define SHORTENED_COLUMNS_MIN 8u

struct cell {
    char *text; /* NULL = none */
    enum color color;
};

struct output {
    FILE *file;
    const struct column *columns;
    struct cell *cells; /* of the rows kept for the table, then of the row being filled */
    json_t *object;     /* JSON: the row being filled */
    u64 cells_count;
    u64 cells_max;
    u64 rows;
    u32 columns_count;
    u32 at; /* the next cell's column */
    enum output_form form;
    enum color next_color;
    bool color;
    bool detail;
};

const char *color_on(bool enabled, enum color color)
{
    static const char *const codes[] = {"",         "\033[31m", "\033[32m", "\033[33m",
                                        "\033[34m", "\033[36m", "\033[1m",  "\033[2m"};
    return enabled ? codes[color] : "";
}

const char *color_off(bool enabled) { return enabled ? "\033[0m" : ""; }

u32 terminal_columns(FILE *file)
{
    struct winsize size;
    if (isatty(fileno(file)) && ioctl(fileno(file), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 0;
}

json_t *output_json_text(const char *data, u32 bytes)
{
    char *repaired = text_repair(data, bytes);
    json_t *string = json_stringn(repaired, strlen(repaired));
    free(repaired);
    return string ? string : json_string("");
}

void output_json(FILE *file, json_t *object)
{
    json_dumpf(object, file, JSON_COMPACT);
    fputc('\n', file);
    fflush(file);
    json_decref(object);
}

/* ---- CSV ---- */

static void csv_print(FILE *file, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, file);
        return;
    }
    fputc('"', file);
    for (; *text; text++) {
        if (*text == '"') fputc('"', file);
        fputc(*text, file);
    }
    fputc('"', file);
}

static void csv_header(const struct output *output)
{
    for (u32 i = 0; i < output->columns_count; i++) {
        if (i > 0) fputc(',', output->file);
        csv_print(output->file, output->columns[i].name);
    }
    fputs("\r\n", output->file);
}

static void csv_row(struct output *output)
{
    for (u32 i = 0; i < output->columns_count; i++) {
        if (i > 0) fputc(',', output->file);
        if (output->cells[i].text) csv_print(output->file, output->cells[i].text);
    }
    fputs("\r\n", output->file);
    fflush(output->file);
}

/* ---- Filling rows ---- */

struct output *output_open(FILE *file, enum output_form form, bool color, const struct column *columns,
                           u32 columns_count, bool detail)
{
    if (columns_count == 0 || columns_count > COLUMNS_MAX) abort();
    struct output *output = allocate(sizeof(*output));
    *output = (struct output){.file = file,
                              .columns = columns,
                              .columns_count = columns_count,
                              .form = form,
                              .color = color,
                              .detail = detail};
    if (form == OUTPUT_CSV) csv_header(output);
    return output;
}

static const struct column *column_next(struct output *output)
{
    if (output->at >= output->columns_count) abort();
    return &output->columns[output->at++];
}

/* Takes `text`. */
static void cell_add(struct output *output, char *text)
{
    if (output->cells_count == output->cells_max) {
        output->cells_max = output->cells_max ? output->cells_max * 2 : COLUMNS_MAX;
        output->cells = reallocate(output->cells, output->cells_max * sizeof(struct cell));
    }
    output->cells[output->cells_count++] = (struct cell){text, output->next_color};
    output->next_color = COLOR_NONE;
}

static void member_add(struct output *output, const struct column *column, json_t *value)
{
    if (!output->object) output->object = json_object();
    json_object_set_new(output->object, column->name, value);
}

void output_color(struct output *output, enum color color) { output->next_color = color; }

void output_text(struct output *output, const char *data, u32 bytes)
{
    const struct column *column = column_next(output);
    if (output->form == OUTPUT_JSON) {
        member_add(output, column, output_json_text(data, bytes));
    } else {
        cell_add(output, output->form == OUTPUT_CSV ? text_repair(data, bytes) : text_clean(data, bytes));
    }
}

void output_string(struct output *output, const char *string)
{
    output_text(output, string, (u32)strlen(string));
}

void output_none(struct output *output)
{
    const struct column *column = column_next(output);
    if (output->form == OUTPUT_JSON) {
        member_add(output, column, json_null());
    } else {
        cell_add(output, NULL);
    }
}

static void number_add(struct output *output, u64 number, const char *shown)
{
    const struct column *column = column_next(output);
    if (output->form == OUTPUT_JSON) {
        member_add(output, column, json_integer((json_int_t)number));
    } else {
        char digits[24];
        snprintf(digits, sizeof(digits), "%" PRIu64, number);
        cell_add(output, strdup(output->form == OUTPUT_TABLE && shown ? shown : digits));
    }
}

void output_number(struct output *output, u64 number) { number_add(output, number, NULL); }

void output_duration(struct output *output, u64 duration_ms)
{
    char buffer[TIME_TEXT_BYTES];
    number_add(output, duration_ms, duration_text(duration_ms, buffer));
}

void output_time(struct output *output, u64 time_ms)
{
    char buffer[TIME_TEXT_BYTES];
    if (time_ms == 0) {
        output_none(output);
    } else {
        output_string(output,
                      output->form == OUTPUT_TABLE ? time_local(time_ms, buffer) : time_utc(time_ms, buffer));
    }
}

void output_flag(struct output *output, bool flag)
{
    if (output->form == OUTPUT_JSON) {
        member_add(output, column_next(output), json_boolean(flag));
    } else {
        output_string(output, flag ? "yes" : output->form == OUTPUT_CSV ? "no" : "");
    }
}

static void cells_free(struct output *output)
{
    for (u64 i = 0; i < output->cells_count; i++) free(output->cells[i].text);
    output->cells_count = 0;
}

void output_row(struct output *output)
{
    if (output->at != output->columns_count) abort();
    output->at = 0;
    output->rows++;
    if (output->form == OUTPUT_JSON) {
        output_json(output->file, output->object);
        output->object = NULL;
    } else if (output->form == OUTPUT_CSV) {
        csv_row(output);
        cells_free(output);
    }
}

/* ---- Tables ---- */

/* "first_reply_ms" -> "first reply"; capitals in a header. */
static char *column_title(const struct column *column, bool capitals)
{
    char *title = strdup(column->name);
    size_t length = strlen(title);
    if (column->kind == CELL_DURATION && length > 3 && strcmp(title + length - 3, "_ms") == 0)
        title[length - 3] = 0;
    for (char *at = title; *at; at++) {
        if (*at == '_') *at = ' ';
        if (capitals && *at >= 'a' && *at <= 'z') *at = (char)(*at - 'a' + 'A');
    }
    return title;
}

static bool aligned_right(const struct column *column)
{
    return column->kind == CELL_NUMBER || column->kind == CELL_DURATION;
}

static u32 cell_width(const struct cell *cell)
{
    return cell->text ? text_width(cell->text, (u32)strlen(cell->text)) : 0;
}

static u32 widths_sum(const struct output *output, const u32 *widths)
{
    u32 sum = 0;
    for (u32 i = 0; i < output->columns_count; i++) sum += widths[i] + (i > 0 ? GAP_COLUMNS : 0);
    return sum;
}

/* Takes columns from the widest text until the row fits, as long as something readable is left. */
static void widths_fit(const struct output *output, u32 *widths, u32 columns_max)
{
    while (widths_sum(output, widths) > columns_max) {
        u32 widest = COLUMNS_MAX;
        for (u32 i = 0; i < output->columns_count; i++) {
            bool shortens = output->columns[i].kind == CELL_TEXT && widths[i] > SHORTENED_COLUMNS_MIN;
            if (shortens && (widest == COLUMNS_MAX || widths[i] > widths[widest])) widest = i;
        }
        if (widest == COLUMNS_MAX) return;
        widths[widest]--;
    }
}

static void table_cell(const struct output *output, u32 column, const char *text, u32 width, enum color color)
{
    bool last = column + 1 == output->columns_count;
    u32 own = text_width(text, (u32)strlen(text));
    if (column > 0) fputs(GAP, output->file);
    if (aligned_right(&output->columns[column])) {
        for (u32 i = own; i < width; i++) fputc(' ', output->file);
    }
    fputs(color == COLOR_NONE ? "" : color_on(output->color, color), output->file);
    text_print(output->file, text, width, !last && !aligned_right(&output->columns[column]));
    if (color != COLOR_NONE) fputs(color_off(output->color), output->file);
}

static void table_print(const struct output *output)
{
    u32 widths[COLUMNS_MAX];
    char *titles[COLUMNS_MAX];
    u32 columns = output->columns_count;
    for (u32 i = 0; i < columns; i++) {
        titles[i] = column_title(&output->columns[i], true);
        widths[i] = text_width(titles[i], (u32)strlen(titles[i]));
    }
    for (u64 i = 0; i < output->cells_count; i++) {
        u32 width = cell_width(&output->cells[i]);
        if (width > widths[i % columns]) widths[i % columns] = width;
    }
    u32 columns_max = terminal_columns(output->file);
    if (columns_max) widths_fit(output, widths, columns_max);
    for (u32 i = 0; i < columns; i++) table_cell(output, i, titles[i], widths[i], COLOR_BOLD);
    for (u32 i = 0; i < columns; i++) free(titles[i]);
    fputc('\n', output->file);
    for (u64 row = 0; row < output->rows; row++) {
        for (u32 i = 0; i < columns; i++) {
            const struct cell *cell = &output->cells[row * columns + i];
            table_cell(output, i, cell->text ? cell->text : "", widths[i], cell->color);
        }
        fputc('\n', output->file);
    }
}

/* Empty members are left out: they say nothing. */
static void details_print(const struct output *output)
{
    u32 columns = output->columns_count;
    u32 title_columns = 0;
    for (u32 i = 0; i < columns; i++) {
        u32 length = (u32)strlen(output->columns[i].name);
        if (length > title_columns) title_columns = length;
    }
    for (u64 row = 0; row < output->rows; row++) {
        if (row > 0) fputc('\n', output->file);
        for (u32 i = 0; i < columns; i++) {
            const struct cell *cell = &output->cells[row * columns + i];
            if (!cell->text || !*cell->text) continue;
            char *title = column_title(&output->columns[i], false);
            fputs(color_on(output->color, COLOR_DIM), output->file);
            text_print(output->file, title, title_columns, true);
            fputs(color_off(output->color), output->file);
            fprintf(output->file, GAP "%s%s%s\n", color_on(output->color, cell->color), cell->text,
                    cell->color == COLOR_NONE ? "" : color_off(output->color));
            free(title);
        }
    }
}

void output_close(struct output *output, const char *empty)
{
    if (output->form == OUTPUT_TABLE) {
        if (output->rows == 0) {
            if (empty) fprintf(stderr, "%s\n", empty);
        } else if (output->detail) {
            details_print(output);
        } else {
            table_print(output);
        }
    }
    fflush(output->file);
    cells_free(output);
    free(output->cells);
    json_decref(output->object);
    free(output);
}
