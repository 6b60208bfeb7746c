/* Curves as SVG: what is drawn is a list of series over a common x axis; y is logarithmic for latencies. */
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

static struct range y_range(const struct panel *panel)
{
    struct range range = {panel->logarithmic ? 1e9 : 0, -1e9};
    for (u32 s = 0; s < SERIES_MAX && panel->series[s].name; s++) {
        for (u32 i = 0; i < panel->count; i++) {
            double value = y_scaled(panel, panel->series[s].value(panel->owner, i));
            range.low = fmin(range.low, value);
            range.high = fmax(range.high, value);
        }
    }
    if (panel->logarithmic)
        return (struct range){floor(range.low), fmax(ceil(range.high), floor(range.low) + 1)};
    double unit = pow(10, floor(log10(fmax(range.high, 1e-9))));
    return (struct range){0, ceil(range.high / unit) * unit};
}

static double place_x(double x, double x_max) { return LEFT + x / x_max * (WIDTH - LEFT - RIGHT); }

static double place_y(const struct panel *panel, struct range range, double scaled)
{
    double height = HEIGHT - TOP - BOTTOM;
    return panel->y_offset + TOP + height * (1 - (scaled - range.low) / (range.high - range.low));
}

static void axes(FILE *file, const struct panel *panel, struct range range, double x_max)
{
    double below = panel->y_offset + HEIGHT - BOTTOM;
    u32 lines = panel->logarithmic ? (u32)(range.high - range.low) : 5;
    fprintf(file, "<text x='%g' y='%g' class='title'>%s</text>\n", LEFT, panel->y_offset + 24, panel->title);
    for (u32 i = 0; i <= lines; i++) {
        double scaled = range.low + (range.high - range.low) * i / lines, y = place_y(panel, range, scaled);
        fprintf(
            file,
            "<line x1='%g' x2='%g' y1='%g' y2='%g' class='grid'/><text x='%g' y='%g' class='y'>%g</text>\n",
            LEFT, WIDTH - RIGHT, y, y, LEFT - 8, y + 4, panel->logarithmic ? pow(10, scaled) : scaled);
    }
    for (u32 i = 0; i <= 5; i++) {
        double x = place_x(x_max * i / 5, x_max);
        fprintf(file, "<text x='%g' y='%g' class='x'>%.4g</text>\n", x, below + 18, x_max * i / 5);
    }
    fprintf(file, "<text x='%g' y='%g' class='x'>%s</text>\n", place_x(x_max / 2, x_max), below + 38,
            panel->x_title);
}

static void draw(FILE *file, const struct panel *panel)
{
    double x_max = panel->x(panel->owner, panel->count - 1);
    struct range range = y_range(panel);
    axes(file, panel, range, x_max);
    for (u32 s = 0; s < SERIES_MAX && panel->series[s].name; s++) {
        const struct series *series = &panel->series[s];
        fprintf(file, "<polyline fill='none' stroke='%s' stroke-width='1.5' points='", series->color);
        for (u32 i = 0; i < panel->count; i++)
            fprintf(file, "%.1f,%.1f ", place_x(panel->x(panel->owner, i), x_max),
                    place_y(panel, range, y_scaled(panel, series->value(panel->owner, i))));
        fprintf(file, "'/>\n<text x='%g' y='%g' fill='%s'>%s</text>\n", WIDTH - RIGHT + 12,
                panel->y_offset + TOP + 16 * (s + 1), series->color, series->name);
    }
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
    fprintf(file,
            "<text x='%g' y='%g' fill='#666'>ticketd %s %s, %s, %u cores, %s on %s, durability "
            "%s</text>\n</svg>\n",
            LEFT, HEIGHT * count + 14, report->version, report->machine.commit, report->machine.processor,
            report->machine.cores, report->machine.kernel, report->machine.file_system, report->durability);
    if (fclose(file) != 0) die("%s: %s", path, strerror(errno));
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

static double p50(const void *owner, u32 index) { return (double)sample_at(owner, index)->p50_ns / 1e6; }
static double p99(const void *owner, u32 index) { return (double)sample_at(owner, index)->p99_ns / 1e6; }
static double most(const void *owner, u32 index) { return (double)sample_at(owner, index)->max_ns / 1e6; }
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
