/* Rows of typed cells, written as an aligned table, as JSON (one object a line) or as CSV (RFC 4180).
 *
 * Tables are for people: times are local, durations are words, columns have their display width (a Chinese
 * character takes two places) and the widest text column is shortened until a row fits the terminal. JSON and
 * CSV are for programs: times are ISO 8601 in UTC, durations are milliseconds, nothing is shortened.
 * Control characters never reach a terminal.
 */
#ifndef TICKETCTL_OUTPUT_H
#define TICKETCTL_OUTPUT_H

#include <jansson.h>
#include <stdio.h>

#include "ticketd/wire.h"

enum output_form { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_CSV };

enum cell_kind {
    CELL_TEXT,
    CELL_NUMBER,
    CELL_TIME,     /* ms since the epoch; 0 = none */
    CELL_DURATION, /* ms; the column's name ends in _ms, which tables leave out */
    CELL_FLAG      /* yes or no */
};

enum color {
    COLOR_NONE,
    COLOR_RED,
    COLOR_GREEN,
    COLOR_YELLOW,
    COLOR_BLUE,
    COLOR_CYAN,
    COLOR_BOLD,
    COLOR_DIM
};

struct column {
    const char *name; /* member of the JSON object, CSV header; tables write it with blanks */
    enum cell_kind kind;
};

struct output;

/* Rows of these columns to `file`. `detail`: in a table every row is a block of "name  value" lines. */
struct output *output_open(FILE *file, enum output_form form, bool color, const struct column *columns,
                           u32 columns_count, bool detail);
/* Cells of a row, in the order of the columns. */
void output_text(struct output *output, const char *data, u32 bytes);
void output_string(struct output *output, const char *string);
void output_number(struct output *output, u64 number);
void output_time(struct output *output, u64 time_ms);
void output_duration(struct output *output, u64 duration_ms);
void output_flag(struct output *output, bool flag);
void output_none(struct output *output); /* empty; null in JSON */
/* The next cell's colour in a table. */
void output_color(struct output *output, enum color color);
void output_row(struct output *output); /* the row is complete; JSON and CSV leave at once */
/* Prints what is left and frees. In a table without rows prints `empty` (NULL: nothing) to stderr. */
void output_close(struct output *output, const char *empty);

/* One JSON object on one line; takes the reference. */
void output_json(FILE *file, json_t *object);
/* The text as a JSON string; bytes that are no UTF-8 are replaced. */
json_t *output_json_text(const char *data, u32 bytes);

const char *color_on(bool enabled, enum color color);
const char *color_off(bool enabled);
/* Columns of the terminal behind `file`, 0 = no terminal: no limit. */
u32 terminal_columns(FILE *file);

#endif
