/* ticketctl replay: a desk log, line by line and exactly once, into a server on the virtual clock. */
#include "replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "core/frame.h"

#define DEFINE_ATTEMPTS_MAX 5u
#define CLOCK_VIRTUAL       2u
#define LINE_SHOWN_BYTES    300u

/* ---- Names that the desk does not have ---- */

/* Reads the catalog anew and makes entries for what is missing. `*again`: it was cut off, or overtaken. */
static int define_once(struct replay *replay, u64 time_ms, bool *again)
{
    u32 status;
    *again = false;
    int error = roster_read(&replay->roster, replay->definer, &status);
    if (error == TKD_E_CONNECT) {
        *again = replay_reconnect(replay, replay->definer);
        return EXIT_CONNECT;
    }
    if (error == TKD_E_REFUSED && status) return ctl_refused("replay --define", status);
    if (error) return ctl_failed("replay --define", replay->definer, error);
    if (!roster_has_unknown(&replay->roster)) return EXIT_OK;
    progress_clear(&replay->progress);
    int code = roster_define(&replay->roster, replay->definer, time_ms, again);
    if (code == EXIT_CONNECT) *again = replay_reconnect(replay, replay->definer);
    return code;
}

static void define_unknown(struct replay *replay)
{
    replay_drain(replay);
    if (replay->halted) return;
    if (!replay->definer) replay->definer = ctl_client_new(replay->ctl);
    if (!replay->definer) {
        replay_halt(replay, EXIT_CONNECT, 0, NULL, "the unknown names could not be defined");
        return;
    }
    u64 time_ms = replay->sent_at_ms ? replay->sent_at_ms : replay_item(replay, replay->next)->what.at_ms;
    u64 desk_ms = tkd_hello(replay->definer)->time_ms;
    bool again = true;
    int code = EXIT_REFUSED;
    for (u32 i = 0; again && i < DEFINE_ATTEMPTS_MAX && !replay->halted; i++)
        code = define_once(replay, time_ms > desk_ms ? time_ms : desk_ms, &again);
    if (code != EXIT_OK) replay_halt(replay, code, 0, NULL, "the unknown names could not be defined");
}

/* ---- The loop ---- */

static void show_progress(struct replay *replay)
{
    const struct logfile *file = &replay->file;
    u32 share = file->bytes_total ? (u32)(file->bytes_taken * 1000 / file->bytes_total) : 1001;
    progress_show(&replay->progress, replay->skip + replay->applied + replay->refused, share);
}

static void read_chunk(struct replay *replay)
{
    replay_read(replay);
    if (replay->define && replay->next < replay->end && roster_has_unknown(&replay->roster))
        define_unknown(replay);
}

/* Half the window is answered before it is filled again: so neither side waits for single frames. */
static void run_loop(struct replay *replay)
{
    while (!replay->halted) {
        show_progress(replay);
        if (replay->again) {
            replay_drain(replay);
        } else if (replay->next == replay->end && !replay->ended &&
                   replay->end - replay->first < ITEMS_MAX / 2) {
            read_chunk(replay);
        } else if (replay->next < replay->end && tkd_in_flight(replay->client) < replay->window) {
            replay_send(replay);
        } else if (tkd_in_flight(replay->client) > 0) {
            u32 enough = replay->next < replay->end ? replay->window / 2 : 0;
            do replay_receive(replay);
            while (!replay->halted && tkd_in_flight(replay->client) > enough && !replay->again);
        } else if (replay->ended && replay->next == replay->end) {
            return;
        }
    }
    if (replay->code != EXIT_CONNECT) replay_drain(replay);
}

/* ---- Begin and end ---- */

/* Opens the session, which knows how far an earlier run came. */
static int open_session(struct replay *replay, const char *name)
{
    struct tkd_client *client = replay->client;
    snprintf(replay->session, sizeof(replay->session), "%s", name);
    u32 status;
    int error = roster_read(&replay->roster, client, &status);
    if (error == TKD_E_REFUSED && status) return ctl_refused("replay", status);
    if (!error) error = tkd_session_open(client, replay->session, replay->window);
    if (error) return ctl_failed("replay", client, error);
    replay->skip = tkd_session(client)->records;
    u32 window = tkd_session(client)->window;
    if (window < replay->window) replay->window = window;
    if (replay->window > FRAMES_MAX) replay->window = FRAMES_MAX;
    progress_begin(&replay->progress, "lines");
    replay->progress.count_begin = replay->skip;
    if (replay->skip)
        complain("replay: going on behind the %llu lines that were applied before",
                 (unsigned long long)replay->skip);
    return EXIT_OK;
}

static void sum_as_json(const struct replay *replay)
{
    json_t *by_status = json_object(), *object = json_object();
    for (u32 status = 0; status < STATUSES_MAX; status++) {
        const struct tkd_status_info *info = tkd_status_info(status);
        if (!replay->by_status[status]) continue;
        json_object_set_new(by_status, info ? info->name : "?",
                            json_integer((json_int_t)replay->by_status[status]));
    }
    json_object_set_new(object, "session", json_string(replay->session));
    json_object_set_new(object, "applied_before", json_integer((json_int_t)replay->skip));
    json_object_set_new(object, "applied", json_integer((json_int_t)replay->applied));
    json_object_set_new(object, "refused", json_integer((json_int_t)replay->refused));
    json_object_set_new(object, "malformed", json_integer((json_int_t)replay->malformed));
    json_object_set_new(object, "elapsed_ms",
                        json_integer((json_int_t)progress_elapsed_ms(&replay->progress)));
    json_object_set_new(object, "by_status", by_status);
    output_json(stdout, object);
}

static void sum_as_text(const struct replay *replay)
{
    u64 elapsed_ms = progress_elapsed_ms(&replay->progress);
    printf("%llu lines applied", (unsigned long long)replay->applied);
    if (replay->skip) printf(" (%llu before)", (unsigned long long)replay->skip);
    printf(", %llu refused", (unsigned long long)replay->refused);
    if (replay->malformed) printf(", %llu malformed", (unsigned long long)replay->malformed);
    printf(", in %llu.%llu s\n", (unsigned long long)elapsed_ms / 1000,
           (unsigned long long)elapsed_ms % 1000 / 100);
    for (u32 status = 0; status < STATUSES_MAX && replay->keep_going; status++) {
        const struct tkd_status_info *info = tkd_status_info(status);
        if (!replay->by_status[status] || (info && info->class == TKD_STATUS_ok)) continue;
        printf("  %8llu %s: %s\n", (unsigned long long)replay->by_status[status], info ? info->name : "?",
               info ? info->doc : "");
    }
}

/* Says why the replay ended early. */
static void explain_halt(const struct replay *replay)
{
    if (!replay->halt_line) {
        complain("replay: %s", replay->reason);
        return;
    }
    complain("replay: line %llu: %s", (unsigned long long)replay->halt_line, replay->reason);
    if (replay->halt_text) {
        u32 bytes = (u32)strlen(replay->halt_text);
        bool cut = bytes > LINE_SHOWN_BYTES;
        if (cut) bytes = LINE_SHOWN_BYTES;
        fprintf(stderr, "  %.*s%s\n", (int)bytes, replay->halt_text, cut ? "…" : "");
    }
}

static int finish(struct replay *replay)
{
    progress_clear(&replay->progress);
    int code = replay->refused || replay->malformed ? EXIT_REFUSED : EXIT_OK;
    if (replay->halted || replay->ends_badly) {
        explain_halt(replay);
        code = replay->code;
    } else if (replay->skip > replay->read) {
        complain("replay: the server has %llu lines of this log, the file only %llu: nothing was done",
                 (unsigned long long)replay->skip, (unsigned long long)replay->read);
    }
    if (replay->ctl->form == OUTPUT_TABLE)
        sum_as_text(replay);
    else
        sum_as_json(replay);
    return code;
}

static void release(struct replay *replay)
{
    for (u64 i = replay->first; i < replay->end; i++) {
        free(replay_item(replay, i)->text);
        desklog_clear(&replay_item(replay, i)->what);
    }
    free(replay->items);
    free(replay->halt_text);
    names_free(&replay->keys);
    roster_free(&replay->roster);
    logfile_close(&replay->file);
    tkd_close(replay->definer);
}

/* "replay/" and the hash of the first line: another log is another session. */
static bool session_name(struct replay *replay, char name[64])
{
    const char *data;
    u32 bytes;
    if (logfile_next(&replay->file, &data, &bytes) != 1) return false;
    snprintf(name, 64, "replay/%016llx", (unsigned long long)checksum_wire(data, bytes));
    logfile_put_back(&replay->file);
    return true;
}

static int replay_file(struct replay *replay, const char *path, const char *session)
{
    char name[64];
    replay->client = ctl_client(replay->ctl);
    if (!replay->client) return EXIT_CONNECT;
    if (tkd_hello(replay->client)->clock != CLOCK_VIRTUAL) {
        complain(
            "replay: the server runs on the wall clock, a log brings its own time: start one for it with "
            "`ticketd --clock virtual --data NEWDIR`");
        return EXIT_REFUSED;
    }
    if (!session_name(replay, name)) {
        complain("replay: %s: there is no line in it, or the first one is too long", path);
        return EXIT_REFUSED;
    }
    int code = open_session(replay, session ? session : name);
    if (code != EXIT_OK) return code;
    run_loop(replay);
    return finish(replay);
}

static int run_replay(struct ctl *ctl, const struct args *args)
{
    u64 batch = 1000, window = FRAMES_MAX, wait_s = 60;
    if (!args_number(args, "batch", TKD_RECORDS_MAX, &batch) ||
        !args_number(args, "window", FRAMES_MAX, &window) || !args_number(args, "wait", 86400, &wait_s))
        return EXIT_USAGE;
    if (args_flag(args, "routing") && args_flag(args, "no-routing"))
        return usage_error(args, "--routing and --no-routing exclude each other");
    if (!batch || !window) return usage_error(args, "--batch and --window begin at 1");
    struct replay replay = {
        .ctl = ctl,
        .define = args_flag(args, "define"),
        .keep_going = args_flag(args, "keep-going"),
        .routing = args_flag(args, "routing"),
        .batch = (u32)batch,
        .window = (u32)window,
        .wait_s = (u32)wait_s,
    };
    const char *path = args->operands[0], *session = args_value(args, "session");
    if (session && (!*session || strlen(session) >= sizeof(replay.session)))
        return usage_error(args, "the name of a session has 1 to %zu bytes", sizeof(replay.session) - 1);
    if (!logfile_open(&replay.file, path)) {
        complain("replay: %s: %s", path, strerror(errno));
        return EXIT_REFUSED;
    }
    replay.items = allocate(ITEMS_MAX * sizeof(*replay.items));
    int code = replay_file(&replay, path, session);
    release(&replay);
    return code;
}

static const struct option_info options[] = {
    {"define", 'd', NULL, "create queues, agents, categories and channels that the desk does not have"},
    {"keep-going", 'k', NULL, "count lines that are refused or malformed, and go on"},
    {"no-routing", 0, NULL, "only the log assigns (the default)"},
    {"routing", 0, NULL, "the desk routes what the log leaves unassigned to agents who are online"},
    {"session", 0, "NAME", "name of the session that remembers how far it came (default: by the first line)"},
    {"batch", 0, "N", "most lines in a frame (default 1000)"},
    {"window", 0, "N", "most frames on their way (default 64)"},
    {"wait", 0, "SECONDS", "how long to try to reach a server that went away (default 60)"},
    {NULL, 0, NULL, NULL},
};

const struct command command_replay = {
    .name = "replay",
    .operands = "FILE",
    .summary = "replay a desk log into a server on the virtual clock",
    .about = "Reads a desk log (one JSON object a line: at, key, do, ...; - is standard input) and does what "
             "it says, at "
             "the times that it says. The desk does not route by itself (unless --routing is given): the log says who got what.\n\n"
             "Every line is done exactly once. The server remembers how many lines it has done: after a "
             "crash of either "
             "side the same command goes on behind the last of them.\n\n"
             "Stops at the first line that is refused, with its number, the line and the reason; no line "
             "behind it is "
             "done, and the next run begins with it. With --keep-going such lines are counted, and the exit "
             "code is 1. "
             "With --define agents are created without a limit and serve every queue.",
    .example = "ticketd --data /tmp/desk --clock virtual &\n"
               "ticketctl apply -f replay.yaml\n"
               "xzcat desklog.ndjson.xz | ticketctl replay - --define",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_replay,
};
