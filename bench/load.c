#include "bench/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "bench/machine.h"
#include "bench/server.h"

#define SAMPLE_NS     250000000ull
#define LATE_NS       1000000ull
#define WAIT_NS_MAX   10000000ull
#define ANSWER_S_MAX  30u
#define SECOND_NS     1000000000ull

/* One run while it is under way. */
struct course {
    struct run *run;
    struct senders senders;
    struct histogram interval_ns;
    u64 begun_ns;
    u64 end_ns;     /* U64_NONE: when all is sent */
    u64 blocked_ns; /* when all windows were full last */
    u64 limit_ns;   /* when the next answer must have come */
    u64 answered;   /* records when the limit was set */
    u64 sample_ns;  /* when the next one is taken */
    u64 sampled;    /* records answered before this interval */
    u32 turn;       /* who may send first */
};

static void progress(const struct course *course, u64 now)
{
    if (!isatty(STDERR_FILENO)) return;
    const struct workload *workload = course->run->workload;
    fprintf(stderr, "\r%6.1f s  %llu commands ", (double)(now - course->begun_ns) / 1e9,
            (unsigned long long)workload->answered);
}

static struct sample *sample_new(struct run *run)
{
    if (run->samples_count == run->samples_room) {
        run->samples_room = max_u32(1024, 2 * run->samples_room);
        run->samples = realloc(run->samples, run->samples_room * sizeof(*run->samples));
        if (run->samples == NULL) die("no memory");
    }
    return &run->samples[run->samples_count++];
}

static void sample(struct course *course, u64 now)
{
    struct run *run = course->run;
    *sample_new(run) = (struct sample){.at_ns = now - course->begun_ns,
                                       .commands = run->workload->answered - course->sampled,
                                       .requests = course->interval_ns.count,
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

/* When so many records should have been sent; closed loop: at once. */
static u64 due_ns(const struct course *course, u64 records)
{
    const struct run *run = course->run;
    if (run->rate == 0) return 0;
    return course->begun_ns + (u64)((double)records * 1e9 / (double)run->rate);
}

/* An open loop has sent all when the next record would be due, so that its rate is that of whole intervals. */
static bool finished(const struct course *course, u64 now)
{
    const struct workload *workload = course->run->workload;
    if (interrupt_seen() || now >= course->end_ns) return true;
    return workload->sent >= workload->load->commands && now >= due_ns(course, workload->sent);
}

static void count_late(struct course *course, u64 due, u64 now)
{
    struct run *run = course->run;
    if (due == 0 || now - due <= LATE_NS) return;
    if (due <= course->blocked_ns)
        run->late_window_frames++;
    else
        run->late_generator_frames++;
}

/* Sends every frame whose time has come, as far as the windows allow. Returns until when to wait. */
static u64 send_due(struct course *course)
{
    struct run *run = course->run;
    u32 count = course->senders.count, idle = 0;
    u64 now = now_ns();
    for (; idle < count && !finished(course, now); now = now_ns()) {
        struct sender *sender = &course->senders.items[course->turn];
        u64 due = due_ns(course, run->workload->sent);
        if (due > now) return min_u64(due, course->end_ns);
        course->turn = (course->turn + 1) % count;
        if (!sender_free(sender) || workload_build(run->workload, sender) == 0) {
            idle++;
            continue;
        }
        idle = 0;
        count_late(course, due, now);
        sender_send(&course->senders, sender, due);
    }
    if (idle == count) course->blocked_ns = now;
    return U64_NONE;
}

/* A server that hangs, or cannot answer what is in flight at the end, must not be waited for without end. */
static void answers_awaited(struct course *course, u64 now)
{
    u64 answered = course->run->workload->answered;
    if (senders_idle(&course->senders) || (answered != course->answered && !finished(course, now))) {
        course->limit_ns = now + ANSWER_S_MAX * SECOND_NS;
        course->answered = answered;
    }
    if (now >= course->limit_ns) die("answers are missing: waited %u s for them", ANSWER_S_MAX);
}

static void course_run(struct course *course)
{
    u64 now = now_ns();
    while (!finished(course, now) || !senders_idle(&course->senders)) {
        u64 until = min_u64(send_due(course), now + WAIT_NS_MAX);
        senders_run(&course->senders, sat_sub(until, now_ns()) / 1000);
        if (now >= course->sample_ns) sample(course, now);
        now = now_ns();
        answers_awaited(course, now);
    }
    course->run->took_ns = now - course->begun_ns;
    sample(course, now);
}

static u64 thread_cpu_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (u64)used.tv_sec * SECOND_NS + (u64)used.tv_nsec;
}

void run_load(struct run *run, const char *address)
{
    static u32 runs;
    char name[64];
    struct course course = {.run = run};
    run->workload = malloc(sizeof(*run->workload));
    if (run->workload == NULL) die("no memory");
    histogram_reset(&run->latency_ns);
    histogram_reset(&course.interval_ns);
    workload_create(run->workload, run->load, &course.interval_ns);
    snprintf(name, sizeof(name), "ticketbench-%u-%u", run->load->run, runs++);
    senders_open(&course.senders, address, name, run->load->connections, workload_sessions(run->load),
                 run->load->depth, workload_answered, run->workload);
    prctl(PR_SET_TIMERSLACK, 1); /* ns: an open loop sleeps until a frame is due, not 50 us longer */
    u64 stolen_ms = machine_stolen_ms(), cpu_ns = thread_cpu_ns();
    course.begun_ns = run->workload->begun_ns = now_ns();
    course.end_ns = run->seconds ? course.begun_ns + run->seconds * SECOND_NS : U64_NONE;
    course.limit_ns = course.begun_ns + ANSWER_S_MAX * SECOND_NS;
    course.sample_ns = course.begun_ns + SAMPLE_NS;
    course_run(&course);
    run->generator_ns = thread_cpu_ns() - cpu_ns;
    run->stolen_ms = sat_sub(machine_stolen_ms(), stolen_ms);
    if (run->rate != 0 && !interrupt_seen()) run->unsent = run->load->commands - run->workload->sent;
    prctl(PR_SET_TIMERSLACK, 0); /* as it was: a server that is started inherits it */
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
