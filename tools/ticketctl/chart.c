#include "chart.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "ticketctl.h"

#define LABEL_COLUMNS_MAX 32u

/* Eighths of a block, from one to eight. */
static const char *const bar_parts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"};
static const char *const spark_parts[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

static void bar_print(FILE *file, u64 eighths)
{
    for (u64 i = 0; i < eighths / 8; i++) fputs(bar_parts[8], file);
    fputs(bar_parts[eighths % 8], file);
}

static const char *bar_text(const struct bar *bar, char number[24])
{
    if (bar->text) return bar->text;
    snprintf(number, 24, "%" PRIu64, bar->value);
    return number;
}

void chart_bars(FILE *file, const struct bar *bars, u32 count, u32 columns, bool color)
{
    u32 label_columns = 0, text_columns = 0;
    u64 value_max = 0;
    char number[24];
    for (u32 i = 0; i < count; i++) {
        u32 label = text_width(bars[i].label, (u32)strlen(bars[i].label));
        const char *text = bar_text(&bars[i], number);
        u32 width = text_width(text, (u32)strlen(text));
        if (label > label_columns) label_columns = label;
        if (width > text_columns) text_columns = width;
        if (bars[i].value > value_max) value_max = bars[i].value;
    }
    if (label_columns > LABEL_COLUMNS_MAX) label_columns = LABEL_COLUMNS_MAX;
    u32 taken = label_columns + text_columns + 6;
    u32 bar_columns = columns > taken + 10 ? columns - taken : 10;
    for (u32 i = 0; i < count; i++) {
        u64 eighths = value_max ? (u64)((double)bars[i].value / (double)value_max * bar_columns * 8) : 0;
        if (eighths == 0 && bars[i].value > 0) eighths = 1;
        char *label = text_clean(bars[i].label, (u32)strlen(bars[i].label));
        fputs("  ", file);
        text_print(file, label, label_columns, true);
        fputs("  ", file);
        fputs(color_on(color, COLOR_CYAN), file);
        bar_print(file, eighths);
        fputs(color_off(color), file);
        fprintf(file, " %s\n", bar_text(&bars[i], number));
        free(label);
    }
}

void chart_sparkline(FILE *file, const u64 *values, u32 count, u32 columns)
{
    u32 shown = count < columns || columns == 0 ? count : columns;
    if (shown == 0) return;
    u64 *sums = allocate(shown * sizeof(u64));
    u64 value_max = 0;
    for (u32 i = 0; i < count; i++) sums[(u64)i * shown / count] += values[i];
    for (u32 i = 0; i < shown; i++) value_max = sums[i] > value_max ? sums[i] : value_max;
    for (u32 i = 0; i < shown; i++) {
        u32 step = value_max ? (u32)((double)sums[i] / (double)value_max * 7.0 + 0.5) : 0;
        fputs(spark_parts[step], file);
    }
    fputc('\n', file);
    free(sums);
}
