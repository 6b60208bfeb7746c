/* Curves as SVG: what is drawn is a list of series over a common x axis; y is logarithmic for latencies. A value that
 * is not a number is a gap in its curve. */
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "bench/report.h"
#include "bench/server.h"

#define WIDTH      900.0
#define HEIGHT     320.0
#define LEFT       80.0
#define BOTTOM     50.0
#define TOP        40.0
#define RIGHT      130.0
#define SERIES_MAX 4u

struct series {
    const char *name;
    const char *color;
    double (*value)(const void *owner, u32 index);
};

struct panel {
    const char *title;
    const char *x_title;
    double y_offset;
    bool logarithmic;
    const void *owner;
    u32 count;
    double (*x)(const void *owner, u32 index);
    struct series series[SERIES_MAX];
};

struct range {
    double low, high;
};

static double y_scaled(const struct panel *panel, double value)
{
    return panel->logarithmic ? log10(value > 1e-3 ? value : 1e-3) : value;
}

static double value_at(const struct panel *panel, u32 series, u32 index)
{
    return panel->series[series].value(panel->owner, index);
}

static struct range y_range(const struct panel *panel)
{
    struct range range = {INFINITY, -INFINITY};
    for (u32 s = 0; s < SERIES_MAX && panel->series[s].name; s++) {
        for (u32 i = 0; i < panel->count; i++) {
            double value = value_at(panel, s, i);
            if (isnan(value)) continue;
            range.low = fmin(range.low, y_scaled(panel, value));
            range.high = fmax(range.high, y_scaled(panel, value));
        }
    }
    if (range.low > range.high) return (struct range){0, 1};
    if (panel->logarithmic)
        return (struct range){floor(range.low), fmax(ceil(range.high), floor(range.low) + 1)};
    double unit = pow(10, floor(log10(fmax(range.high, 1e-9))));
    return (struct range){0, fmax(1, ceil(range.high / unit)) * unit};
}

static double x_greatest(const struct panel *panel)
{
    double greatest = 1e-9;
    for (u32 i = 0; i < panel->count; i++) greatest = fmax(greatest, panel->x(panel->owner, i));
    return greatest;
}

static double place_x(double x, double x_max) { return LEFT + x / x_max * (WIDTH - LEFT - RIGHT); }

static double place_y(const struct panel *panel, struct range range, double scaled)
{
    double height = HEIGHT - TOP - BOTTOM;
    return panel->y_offset + TOP + height * (1 - (scaled - range.low) / (range.high - range.low));
}

/* Labels of an axis whose greatest is this: whole numbers, unless it is small. */
static int decimals(double greatest) { return greatest >= 20 ? 0 : greatest >= 2 ? 1 : 3; }

static void text(FILE *file, const char *string)
{
    for (; *string; string++) {
        if (*string == '<')
            fputs("&lt;", file);
        else if (*string == '&')
            fputs("&amp;", file);
        else
            fputc(*string, file);
    }
}

static void axes(FILE *file, const struct panel *panel, struct range range, double x_max)
{
    double below = panel->y_offset + HEIGHT - BOTTOM;
    u32 lines = panel->logarithmic ? (u32)(range.high - range.low) : 5;
    fprintf(file, "<text x='%g' y='%g' class='title'>%s</text>\n", LEFT, panel->y_offset + 24, panel->title);
    for (u32 i = 0; i <= lines; i++) {
        double scaled = range.low + (range.high - range.low) * i / lines, y = place_y(panel, range, scaled);
        double value = panel->logarithmic ? pow(10, scaled) : scaled;
        fprintf(
            file,
            "<line x1='%g' x2='%g' y1='%g' y2='%g' class='grid'/><text x='%g' y='%g' class='y'>%.*f</text>\n",
            LEFT, WIDTH - RIGHT, y, y, LEFT - 8, y + 4,
            panel->logarithmic ? (int)fmax(0, -scaled) : decimals(range.high), value);
    }
    for (u32 i = 0; i <= 5; i++) {
        double x = place_x(x_max * i / 5, x_max);
        fprintf(file, "<text x='%g' y='%g' class='x'>%.*f</text>\n", x, below + 18, decimals(x_max), x_max * i / 5);
    }
    fprintf(file, "<text x='%g' y='%g' class='x'>%s</text>\n", place_x(x_max / 2, x_max), below + 38,
            panel->x_title);
}

/* Values up to the next gap, from `begin` on: a line, or a dot when there is only one. Returns where it ends. */
static u32 draw_piece(FILE *file, const struct panel *panel, u32 series, struct range range, double x_max, u32 begin)
{
    const char *color = panel->series[series].color;
    u32 end = begin;
    while (end < panel->count && !isnan(value_at(panel, series, end))) end++;
    if (end > begin + 1)
        fprintf(file, "<polyline fill='none' stroke='%s' stroke-width='1.5' points='", color);
    for (u32 i = begin; i < end; i++) {
        double x = place_x(panel->x(panel->owner, i), x_max);
        double y = place_y(panel, range, y_scaled(panel, value_at(panel, series, i)));
        if (end == begin + 1)
            fprintf(file, "<circle cx='%.1f' cy='%.1f' r='2.5' fill='%s'/>\n", x, y, color);
        else
            fprintf(file, "%.1f,%.1f ", x, y);
    }
    if (end > begin + 1) fprintf(file, "'/>\n");
    return end;
}

static void draw(FILE *file, const struct panel *panel)
{
    double x_max = x_greatest(panel);
    struct range range = y_range(panel);
    axes(file, panel, range, x_max);
    for (u32 s = 0; s < SERIES_MAX && panel->series[s].name; s++) {
        const struct series *series = &panel->series[s];
        for (u32 i = 0; i < panel->count; i++) i = draw_piece(file, panel, s, range, x_max, i);
        fprintf(file, "<text x='%g' y='%g' fill='%s'>%s</text>\n", WIDTH - RIGHT + 12,
                panel->y_offset + TOP + 16 * (s + 1), series->color, series->name);
    }
}

static void footer(FILE *file, const struct report *report, double y)
{
    const struct machine *machine = &report->machine;
    char line[1024];
    bool ours = report->options->address == NULL;
    snprintf(line, sizeof(line), "ticketd %s %s, %s, %u cores, %s%s%s, durability %s", report->version,
             ours ? machine->commit : "", machine->processor, machine->cores, machine->kernel, ours ? " on " : "",
             ours ? machine->file_system : "", report->durability);
    fprintf(file, "<text x='%g' y='%g' fill='#666'>", LEFT, y);
    text(file, line);
    fprintf(file, "</text>\n");
}

static void plot(const char *path, const struct report *report, const struct panel *panels, u32 count)
{
    FILE *file = fopen(path, "w");
    if (file == NULL) die("%s: %s", path, strerror(errno));
    fprintf(file,
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %g %g' font-family='sans-serif' "
            "font-size='12'>\n",
            WIDTH, HEIGHT * count + 30);
    fprintf(
        file,
        "<style>.grid{stroke:#ddd}.y{text-anchor:end}.x{text-anchor:middle}.title{font-size:15px}</style>\n"
        "<rect width='100%%' height='100%%' fill='white'/>\n");
    for (u32 i = 0; i < count; i++) draw(file, &panels[i]);
    footer(file, report, HEIGHT * count + 14);
    fprintf(file, "</svg>\n");
    bool failed = ferror(file);
    if (fclose(file) != 0 || failed) die("%s: %s", path, strerror(errno));
}

/* ---- Over time ---- */

static const struct sample *sample_at(const void *owner, u32 index)
{
    return &((const struct run *)owner)->samples[index];
}

static double time_s(const void *owner, u32 index) { return (double)sample_at(owner, index)->at_ns / 1e9; }

static double throughput(const void *owner, u32 index)
{
    u64 before_ns = index == 0 ? 0 : sample_at(owner, index - 1)->at_ns;
    return (double)sample_at(owner, index)->commands * 1e9 /
           (double)(sample_at(owner, index)->at_ns - before_ns);
}

/* In an interval without an answer there is no latency. */
static double latency_ms(const struct sample *sample, u64 latency_ns)
{
    return sample->requests ? (double)latency_ns / 1e6 : NAN;
}
static double p50(const void *owner, u32 index)
{
    return latency_ms(sample_at(owner, index), sample_at(owner, index)->p50_ns);
}
static double p99(const void *owner, u32 index)
{
    return latency_ms(sample_at(owner, index), sample_at(owner, index)->p99_ns);
}
static double most(const void *owner, u32 index)
{
    return latency_ms(sample_at(owner, index), sample_at(owner, index)->max_ns);
}
static double memory_mb(const void *owner, u32 index)
{
    return (double)sample_at(owner, index)->memory_bytes / 1e6;
}

void report_plot(const struct report *report, const struct run *run, const char *path)
{
    struct panel panels[] = {{"commands a second",
                              "seconds",
                              0,
                              false,
                              run,
                              run->samples_count,
                              time_s,
                              {{"answered", "#1f77b4", throughput}}},
                             {"latency of a frame, ms",
                              "seconds",
                              HEIGHT,
                              true,
                              run,
                              run->samples_count,
                              time_s,
                              {{"p50", "#2ca02c", p50}, {"p99", "#ff7f0e", p99}, {"max", "#d62728", most}}},
                             {"memory of the server, MB",
                              "seconds",
                              2 * HEIGHT,
                              false,
                              run,
                              run->samples_count,
                              time_s,
                              {{"memory", "#9467bd", memory_mb}}}};
    plot(path, report, panels, run->samples[run->samples_count - 1].memory_bytes > 0 ? 3 : 2);
}

/* ---- Throughput and latency ---- */

static const struct point *point_at(const void *owner, u32 index)
{
    return &((const struct point *)owner)[index];
}
static double done(const void *owner, u32 index) { return point_at(owner, index)->done; }
static double point_p50(const void *owner, u32 index) { return point_at(owner, index)->p50_ms; }
static double point_p99(const void *owner, u32 index) { return point_at(owner, index)->p99_ms; }
static double point_p999(const void *owner, u32 index) { return point_at(owner, index)->p999_ms; }

void points_plot(const struct report *report, const struct point *points, u32 count, const char *path)
{
    struct panel panel = {
        "latency of a frame, ms, from when it should have been sent",
        "commands a second",
        0,
        true,
        points,
        count,
        done,
        {{"p50", "#2ca02c", point_p50}, {"p99", "#ff7f0e", point_p99}, {"p99.9", "#d62728", point_p999}}};
    plot(path, report, &panel, 1);
}
