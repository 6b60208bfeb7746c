/* ticketsim: runs seeds.
 *
 *     ticketsim SEED...            those
 *     ticketsim --swarm SECONDS    fresh ones until the time is over
 *     ticketsim --range FIRST N    a share of a fixed row
 *     ticketsim --exhaustive [all|POINT]
 *                                  short lives, ended or disturbed at each of their points (every.h)
 *
 * `--require FILE` in front of them: every mark must have been reached but those that the file names.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/every.h"
#include "tests/sim/life.h"
#include "tests/sim/marks.h"

#define LIFE_CPU_SECONDS 300

/* ---- Many seeds ---- */

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void report(const struct tally *tally)
{
    double hours = (double)tally->simulated_ns / 3.6e12, cpu_hours = cpu_seconds() / 3600;
    printf("%" PRIu64 " seeds, %.1f simulated hours in %.4f CPU hours: %.0f to 1\n", tally->seeds, hours,
           cpu_hours, hours / cpu_hours);
    printf("%" PRIu64 " starts (%" PRIu64 " more refused), %" PRIu64 " clean stops, %" PRIu64
           " stops by error, %" PRIu64 " digests compared\n",
           tally->boots, tally->refused, tally->clean_stops, tally->failed_stops, tally->digests);
    printf("damage: %" PRIu64 " starts refused, %" PRIu64 " harmless, %" PRIu64 " events not shown, %" PRIu64
           " of a last write, put right\n",
           tally->damage_refused, tally->damage_harmless, tally->unreadable, tally->damage_unprovable);
    printf("%" PRIu64 " commands, %" PRIu64 " acknowledged, %" PRIu64 " events shown, %" PRIu64
           " connections\n",
           tally->commands, tally->acknowledged, tally->events, tally->connections);
    for (u32 i = 0; i < FAULTS_COUNT; i++) printf("%10" PRIu64 "  %s\n", tally->faults[i], fault_names[i]);
    marks_report();
}

/* An assert of the engine, or worse. */
static void died(int number)
{
    static const char text[] = "the engine stopped; repeat it with: ";
    ssize_t put = write(STDERR_FILENO, text, sizeof text - 1);
    if (world != NULL) put += write(STDERR_FILENO, world->repeat, strlen(world->repeat));
    put += write(STDERR_FILENO, "\n", 1);
    (void)put;
    signal(number, SIG_DFL);
    raise(number);
}

static u64 fresh_seed(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    u64 seed = (u64)now.tv_nsec ^ (u64)now.tv_sec << 20 ^ (u64)getpid() << 40;
    return prng_splitmix(&seed) >> 24;
}

/* One life; one that takes this long has hung. */
static u64 live(u64 seed, struct tally *tally, bool verbose)
{
    setitimer(ITIMER_VIRTUAL, &(struct itimerval){.it_value.tv_sec = LIFE_CPU_SECONDS}, NULL);
    return life_run(seed, NULL, tally, verbose);
}

static void swarm(struct tally *tally, double seconds)
{
    struct timespec begin, now;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        u64 seed = fresh_seed();
        live(seed, tally, false);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((double)(now.tv_sec - begin.tv_sec) < seconds);
}

static int usage(const char *word)
{
    fprintf(stderr,
            "'%s' is no seed\n"
            "usage: ticketsim [--require FILE] SEED... | --range FIRST COUNT | --swarm SECONDS | --exhaustive [POINT]\n"
            "  --require FILE   fail when a mark was not reached that FILE does not name\n"
            "  VERBOSE=1        tell the life of a seed\n",
            word);
    return 2;
}

static bool seed_read(const char *text, u64 *seed)
{
    char *end;
    errno = 0;
    *seed = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == 0 && errno == 0;
}

int main(int argc, char **argv)
{
    struct tally tally = {0};
    const char *excused = NULL;
    signal(SIGABRT, died);
    signal(SIGSEGV, died);
    signal(SIGBUS, died);
    signal(SIGFPE, died);
    signal(SIGTERM, died); /* by a time limit: the seed has hung */
    signal(SIGVTALRM, died);
    if (argc > 2 && strcmp(argv[1], "--require") == 0) {
        excused = argv[2];
        argc -= 2;
        argv += 2;
    }
    if (argc == 3 && strcmp(argv[1], "--swarm") == 0) {
        swarm(&tally, strtod(argv[2], NULL));
    } else if (argc >= 2 && strcmp(argv[1], "--exhaustive") == 0) {
        return every_run(argc - 2, argv + 2, &tally);
    } else if (argc == 4 && strcmp(argv[1], "--range") == 0) {
        u64 first = strtoull(argv[2], NULL, 10), count = strtoull(argv[3], NULL, 10);
        for (u64 seed = first; seed < first + count; seed++) live(seed, &tally, false);
    } else {
        for (int i = 1; i < argc; i++) {
            u64 seed;
            if (!seed_read(argv[i], &seed)) return usage(argv[i]);
            u64 trace = live(seed, &tally, getenv("VERBOSE") != NULL);
            printf("seed %" PRIu64 ": trace %016" PRIx64 "\n", seed, trace);
        }
    }
    report(&tally);
    return excused == NULL || marks_require(excused) ? 0 : 1;
}
