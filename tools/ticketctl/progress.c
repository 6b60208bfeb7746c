#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "output.h"
#include "timefmt.h"

#define SHOW_EVERY_NS 100000000u
#define BAR_COLUMNS   24u

static u64 now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (u64)now.tv_sec * 1000000000u + (u64)now.tv_nsec;
}

void progress_begin(struct progress *progress, const char *noun)
{
    *progress = (struct progress){.noun = noun, .began_ns = now_ns(), .terminal = isatty(STDERR_FILENO)};
}

u64 progress_elapsed_ms(const struct progress *progress)
{
    return (now_ns() - progress->began_ns) / 1000000u;
}

static void show_bar(u32 share)
{
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    u32 parts = share * BAR_COLUMNS * 8 / 1000, columns = (parts + 7) / 8;
    for (u32 i = 0; i < parts / 8; i++) fputs("█", stderr);
    fputs(eighths[parts % 8], stderr);
    fprintf(stderr, "%*s %3u%% ", (int)(BAR_COLUMNS - columns), "", share / 10);
}

void progress_show(struct progress *progress, u64 count, u32 share)
{
    if (!progress->terminal) return;
    u64 now = now_ns();
    if (now - progress->shown_ns < SHOW_EVERY_NS) return;
    progress->shown_ns = now;
    u64 elapsed_ms = (now - progress->began_ns) / 1000000u;
    u64 rate = (count - progress->count_begin) * 1000u / (elapsed_ms ? elapsed_ms : 1);
    fputc('\r', stderr);
    if (share <= 1000) show_bar(share);
    fprintf(stderr, " %llu %s, %llu/s", (unsigned long long)count, progress->noun, (unsigned long long)rate);
    if (share > 0 && share <= 1000) {
        char buffer[TIME_TEXT_BYTES];
        u64 left_ms = elapsed_ms * (1000 - share) / share;
        fprintf(stderr, ", %s left", duration_text(left_ms / 1000 * 1000, buffer));
    }
    fputs("\033[K", stderr);
    fflush(stderr);
}

void progress_clear(struct progress *progress)
{
    if (!progress->terminal || !progress->shown_ns) return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
    progress->shown_ns = 0;
}
