/* A desk log all the way: `ticketctl replay` reads it and sends it to a small desk, over connections that
 * break when the input says so, again and again until it got through. Every well-formed line reaches the desk
 * once, in its order, and nothing else does; what the replay counts is what the desk counts; who is refused
 * is told why, and where; and once more with the same log nothing is changed.
 *
 * The input's first line: a byte of options, then the trouble (front.h). The rest is the log. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz/front.h"
#include "ticketctl/commands.h"

#define LINES_MAX    256u
#define TROUBLES_MAX 12u

/* The only command of this program. */
const struct command *const commands[] = {&command_replay, NULL};

size_t LLVMFuzzerMutate(u8 *data, size_t bytes, size_t bytes_max);
size_t LLVMFuzzerCustomMutator(u8 *data, size_t bytes, size_t bytes_max, unsigned seed);

static struct log {
    struct desklog_line lines[LINES_MAX]; /* well-formed */
    u64 numbers[LINES_MAX];
    u32 count;
    u32 malformed;
    u64 end_number; /* of the line at which the replay must end, 0 = none */
    bool unclear;   /* a line has just about the length that is allowed */
} whole;

static struct run {
    int code;
    bool summed;
    u64 before, applied, refused, malformed;
} run;

static int log_fd;
static char log_path[64];
static char told[64u << 10], said[4u << 10];
static FILE *terminal;

_Noreturn void __wrap_assert_failed(const char *file, int line, const char *what);
_Noreturn void __real_assert_failed(const char *file, int line, const char *what);

_Noreturn void __wrap_assert_failed(const char *file, int line, const char *what)
{
    stderr = terminal;
    fprintf(stderr, "replay: exit code %d, it said: %s%s\n", run.code, said, told);
    __real_assert_failed(file, line, what);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    terminal = stderr;
    log_fd = memfd_create("log", MFD_CLOEXEC);
    ASSERT(log_fd >= 0);
    snprintf(log_path, sizeof log_path, "/proc/self/fd/%d", log_fd);
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    front_open();
    return 0;
}

/* ---- The log ---- */

static bool is_blank(const char *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (data[i] != ' ' && data[i] != '\t') return false;
    return true;
}

/* A line without its feed; false: nothing behind it counts. */
static bool line_read(const char *data, size_t bytes, u64 number, bool keep_going)
{
    struct desklog_line *line = &whole.lines[whole.count];
    char error[512];
    u64 at_ms = whole.count > 0 ? line[-1].at_ms : 0;
    if (bytes > DESKLOG_LINE_BYTES_MAX) {
        whole.unclear = bytes <= DESKLOG_LINE_BYTES_MAX + 4;
        whole.end_number = number;
        return false;
    }
    if (bytes > 0 && data[bytes - 1] == '\r') bytes--;
    if (number == 1 && bytes >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) data += 3, bytes -= 3;
    if (is_blank(data, bytes)) return true;
    bool formed = desklog_parse(data, bytes, line, error, sizeof error);
    if (formed && line->at_ms >= at_ms) {
        whole.numbers[whole.count++] = number;
        return whole.count < LINES_MAX;
    }
    if (formed)
        desklog_clear(line);
    else
        ASSERT(error[0] != 0);
    whole.malformed++;
    if (!keep_going) whole.end_number = number;
    return keep_going;
}

static void log_read(const char *at, const char *end, bool keep_going)
{
    whole.count = whole.malformed = 0;
    whole.end_number = 0;
    whole.unclear = false;
    for (u64 number = 1; at < end; number++) {
        const char *feed = memchr(at, '\n', (size_t)(end - at));
        if (!line_read(at, (size_t)((feed != NULL ? feed : end) - at), number, keep_going) || feed == NULL)
            return;
        at = feed + 1;
    }
}

static void log_clear(void)
{
    while (whole.count > 0) desklog_clear(&whole.lines[--whole.count]);
}

/* ---- Other logs ---- */

struct span {
    size_t at;
    size_t bytes;
};

/* The line in which this byte lies, with its feed. */
static struct span line_around(const u8 *data, size_t bytes, size_t at)
{
    const u8 *feed = memchr(data + at, '\n', bytes - at);
    size_t begin = at, end = feed != NULL ? (size_t)(feed - data) + 1 : bytes;
    while (begin > 0 && data[begin - 1] != '\n') begin--;
    return (struct span){begin, end - begin};
}

static size_t first_member(const u8 *data, struct span line)
{
    const u8 *comma = memchr(data + line.at, ',', line.bytes);
    return comma != NULL ? (size_t)(comma - data) - line.at : 0;
}

/* Often whole lines: one goes, or what it does is done once more at the time of another. */
size_t LLVMFuzzerCustomMutator(u8 *data, size_t bytes, size_t bytes_max, unsigned seed)
{
    if (bytes == 0 || seed % 2 == 0) return LLVMFuzzerMutate(data, bytes, bytes_max);
    struct span at = line_around(data, bytes, (seed >> 4) % bytes),
                what = line_around(data, bytes, (seed >> 10) % bytes);
    if (seed % 16 == 1) {
        memmove(data + at.at, data + at.at + at.bytes, bytes - at.at - at.bytes);
        return bytes - at.bytes;
    }
    u8 made[2048];
    size_t head = first_member(data, at), tail = first_member(data, what),
           made_bytes = head + what.bytes - tail;
    if (made_bytes > sizeof made || bytes + made_bytes > bytes_max)
        return LLVMFuzzerMutate(data, bytes, bytes_max);
    memcpy(made, data + at.at, head);
    memcpy(made + head, data + what.at + tail, what.bytes - tail);
    memmove(data + at.at + made_bytes, data + at.at, bytes - at.at);
    memcpy(data + at.at, made, made_bytes);
    return bytes + made_bytes;
}

/* ---- A replay ---- */

static void give(struct args *args, const char *name, const char *value)
{
    const struct option_info *option = command_replay.options;
    while (strcmp(option->name, name) != 0) option++;
    args->given[args->given_count++] = (struct given){option, value};
}

static void options_read(struct args *args, u8 byte)
{
    static const char *const batches[] = {"1000", "1", "2", "3"}, *const windows[] = {"64", "1", "2", "5"};
    memset(args, 0, sizeof *args);
    args->command = &command_replay;
    args->operands[args->operands_count++] = log_path;
    if (byte & 1) give(args, "define", "");
    if (byte & 2) give(args, "keep-going", "");
    if (byte & 4) give(args, "routing", "");
    give(args, "batch", batches[byte >> 3 & 3]);
    give(args, "window", windows[byte >> 5 & 3]);
}

static u64 figure(const json_t *object, const char *name)
{
    ASSERT(json_is_integer(json_object_get(object, name)));
    return (u64)json_integer_value(json_object_get(object, name));
}

static void sum_read(void)
{
    json_t *object = json_loads(said, 0, NULL);
    run.summed = object != NULL;
    ASSERT(run.summed || said[0] == 0);
    if (!run.summed) return;
    run.before = figure(object, "applied_before");
    run.applied = figure(object, "applied");
    run.refused = figure(object, "refused");
    run.malformed = figure(object, "malformed");
    json_decref(object);
}

static void replay(const struct args *args, bool calm)
{
    FILE *out = stdout;
    struct ctl ctl = {.server = "unix:fuzz", .form = OUTPUT_JSON};
    said[0] = told[0] = 0;
    run = (struct run){0};
    front_begin(calm);
    stdout = fmemopen(said, sizeof said, "w");
    stderr = fmemopen(told, sizeof told, "w");
    ASSERT(stdout != NULL && stderr != NULL);
    fputc('\n', stderr);
    run.code = command_replay.run(&ctl, args);
    tkd_close(ctl.client);
    fclose(stdout);
    fclose(stderr);
    stdout = out;
    stderr = terminal;
    sum_read();
}

/* ---- What must hold ---- */

/* The line at which it says that it ended, 0 = none. What it says comes last; a line may contain the same
 * words. */
static u64 ended_at(void)
{
    static const char words[] = "\nticketctl: replay: line ";
    const char *last = NULL;
    for (const char *at = told; (at = strstr(at, words)) != NULL; at++) last = at;
    return last != NULL ? strtoull(last + sizeof words - 1, NULL, 10) : 0;
}

/* That is the first line that is not done. */
static void end_check(void)
{
    u64 records = front_records(), number = ended_at();
    if (number != 0) ASSERT(number == (records < whole.count ? whole.numbers[records] : whole.end_number));
}

/* One replay, that came through or not. */
static void run_check(u64 records, u64 commands_before, bool keep_going)
{
    ASSERT(run.code == EXIT_OK || run.code == EXIT_REFUSED || run.code == EXIT_CONNECT);
    ASSERT(run.code != EXIT_CONNECT || front.troubles > 0);
    ASSERT(run.code == EXIT_OK || told[1] != 0 || run.refused + run.malformed > 0);
    ASSERT(front_commands() - commands_before == front.applied - front.existing);
    ASSERT(front_records() == records + front.applied + (keep_going ? front.refused : 0));
    ASSERT(run.applied <= front.applied && run.refused <= front.refused && run.malformed <= whole.malformed);
    if (!front.away) ASSERT(run.applied == front.applied && run.refused == front.refused);
    if (run.summed) ASSERT(run.before == records);
    if (run.code == EXIT_REFUSED) end_check();
}

/* The last one, which nothing disturbed. */
static void through_check(bool keep_going)
{
    bool all = front_records() == whole.count && whole.end_number == 0;
    if (!all) ASSERT(run.code == EXIT_REFUSED && told[1] != 0);
    if (!all || whole.count == 0) return;
    ASSERT(run.malformed == whole.malformed && (keep_going || run.malformed == 0));
    ASSERT(run.code == (run.refused + run.malformed > 0 ? EXIT_REFUSED : EXIT_OK));
}

static void replays(const struct args *args, bool keep_going)
{
    do {
        u64 records = front_records(), commands_before = front_commands();
        replay(args, false);
        run_check(records, commands_before, keep_going);
    } while (front.troubles > 0);
    through_check(keep_going);
    u64 digest = front_digest();
    int code = run.code;
    replay(args, true);
    ASSERT(run.applied == 0 && front.applied == 0 && front_digest() == digest);
    ASSERT(run.code == code || (keep_going && run.code == EXIT_OK));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
    static struct args args;
    const char *end = (const char *)data + bytes, *log = bytes > 0 ? memchr(data, '\n', bytes) : NULL;
    if (log == NULL || log == (const char *)data) return 0;
    bool keep_going = data[0] & 2;
    log++;
    log_read(log, end, keep_going);
    if (!whole.unclear && whole.count < LINES_MAX) {
        ASSERT(ftruncate(log_fd, 0) == 0 && pwrite(log_fd, log, (size_t)(end - log), 0) == end - log);
        options_read(&args, data[0]);
        front.lines = whole.lines;
        front.lines_count = whole.count;
        size_t trouble = (size_t)(log - (const char *)data) - 2;
        front_reset(input_of(data + 1, min_u64(trouble, TROUBLES_MAX)));
        replays(&args, keep_going);
    }
    log_clear();
    return 0;
}
