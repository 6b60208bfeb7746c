#include "bench/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/machine.h"
#include "bench/server.h"

#define SAMPLE_NS   250000000ull
#define LATE_NS     1000000ull
#define WAIT_US_MAX 10000u

/* One run while it is under way. */
struct course {
    struct run *run;
    struct senders senders;
    struct histogram interval_ns;
    u64 begun_ns;
    u64 sample_ns; /* when the next one is taken */
    u64 sampled;   /* records answered before this interval */
    u32 turn;      /* who may send first */
};

/* Rather fewer samples than none at the end: every second one goes, and intervals are twice as long. */
static void samples_thin(struct run *run)
{
    for (u32 i = 0; i < SAMPLES_MAX / 2; i++) {
        struct sample first = run->samples[2 * i], second = run->samples[2 * i + 1];
        second.commands += first.commands;
        second.p50_ns = max_u64(first.p50_ns, second.p50_ns);
        second.p99_ns = max_u64(first.p99_ns, second.p99_ns);
        second.max_ns = max_u64(first.max_ns, second.max_ns);
        run->samples[i] = second;
    }
    run->samples_count = SAMPLES_MAX / 2;
}

static void progress(const struct course *course, u64 now)
{
    if (!isatty(STDERR_FILENO)) return;
    const struct workload *workload = course->run->workload;
    fprintf(stderr, "\r%6.1f s  %llu commands ", (double)(now - course->begun_ns) / 1e9,
            (unsigned long long)workload->answered);
}

static void sample(struct course *course, u64 now)
{
    struct run *run = course->run;
    if (run->samples_count == SAMPLES_MAX) samples_thin(run);
    run->samples[run->samples_count++] =
        (struct sample){.at_ns = now - course->begun_ns,
                        .commands = run->workload->answered - course->sampled,
                        .p50_ns = histogram_quantile(&course->interval_ns, 500000),
                        .p99_ns = histogram_quantile(&course->interval_ns, 990000),
                        .max_ns = course->interval_ns.max,
                        .memory_bytes = run->memory ? run->memory(run->memory_owner) : 0};
    histogram_merge(&run->latency_ns, &course->interval_ns);
    histogram_reset(&course->interval_ns);
    course->sampled = run->workload->answered;
    course->sample_ns = now + SAMPLE_NS;
    progress(course, now);
}

/* When the next frame should be sent; 0: at once. */
static u64 next_ns(const struct course *course)
{
    const struct run *run = course->run;
    if (run->rate == 0) return 0;
    return course->begun_ns + (u64)((double)run->workload->sent * 1e9 / (double)run->rate);
}

static bool finished(const struct course *course, u64 now)
{
    const struct run *run = course->run;
    if (run->workload->sent >= run->load->commands) return true;
    /* An open loop sends all that was due in its time, however late. */
    if (run->seconds != 0 && run->rate != 0) return next_ns(course) >= course->begun_ns + run->seconds * 1000000000;
    return run->seconds != 0 && now - course->begun_ns >= run->seconds * 1000000000;
}

/* Sends every frame whose time has come, as far as the windows allow. Returns how long to wait. */
static u64 send_due(struct course *course)
{
    struct run *run = course->run;
    u32 count = course->senders.count, idle = 0;
    while (idle < count && !finished(course, now_ns())) {
        struct sender *sender = &course->senders.items[course->turn];
        u64 due_ns = next_ns(course), now = now_ns();
        if (due_ns > now) return min_u64((due_ns - now) / 1000, WAIT_US_MAX);
        course->turn = (course->turn + 1) % count;
        if (!sender_free(sender) || workload_build(run->workload, sender) == 0) {
            idle++;
            continue;
        }
        idle = 0;
        if (due_ns != 0 && now - due_ns > LATE_NS) run->late_frames++;
        sender_send(&course->senders, sender, due_ns);
    }
    return WAIT_US_MAX;
}

void run_load(struct run *run, const char *address)
{
    static u32 runs;
    char name[64];
    struct course course = {.run = run};
    run->workload = malloc(sizeof(*run->workload));
    run->samples = calloc(SAMPLES_MAX, sizeof(*run->samples));
    if (run->workload == NULL || run->samples == NULL) die("no memory");
    histogram_reset(&run->latency_ns);
    histogram_reset(&course.interval_ns);
    workload_create(run->workload, run->load, &course.interval_ns);
    snprintf(name, sizeof(name), "ticketbench-%u-%u", run->load->run, runs++);
    senders_open(&course.senders, address, name, run->load->connections, workload_sessions(run->load),
                 run->load->depth, workload_answered, run->workload);
    run->stolen_ms = machine_stolen_ms();
    course.begun_ns = run->workload->begun_ns = now_ns();
    course.sample_ns = course.begun_ns + SAMPLE_NS;
    for (u64 now = course.begun_ns; !finished(&course, now) || !senders_idle(&course.senders);
         now = now_ns()) {
        u64 wait_us = send_due(&course);
        senders_run(&course.senders, wait_us);
        if (now >= course.sample_ns) sample(&course, now);
    }
    run->took_ns = now_ns() - course.begun_ns;
    run->stolen_ms = sat_sub(machine_stolen_ms(), run->stolen_ms);
    sample(&course, now_ns());
    if (isatty(STDERR_FILENO)) fprintf(stderr, "\r\033[K");
    senders_close(&course.senders);
}

void run_destroy(struct run *run)
{
    workload_destroy(run->workload);
    free(run->workload);
    free(run->samples);
}

u64 run_commands(const struct run *run) { return run->workload->answered; }

u64 run_refused(const struct run *run)
{
    u64 refused = 0;
    for (u32 i = 0; i < REQUEST_END; i++) refused += run->workload->tallies[i].refused;
    return refused;
}
