/* ticketctl apply: a desk file becomes the server's catalog. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "plan.h"

#define ATTEMPTS_MAX    5u
#define SHOWN_BYTES_MAX 200u

struct apply {
    struct ctl *ctl;
    const char *file; /* for messages */
    char *text;
    size_t bytes;
    bool keep;
    bool dry_run;
    struct catalog *catalog;
    struct desk *want;
    struct desk *current;
    struct plan *plan;
};

/* ---- Reading ---- */

static bool read_all(struct apply *apply, FILE *from)
{
    size_t room = 0;
    do {
        if (apply->bytes == room) apply->text = reallocate(apply->text, room = room ? room * 2 : 65536);
        apply->bytes += fread(apply->text + apply->bytes, 1, room - apply->bytes, from);
    } while (!feof(from) && !ferror(from) && apply->bytes <= DESK_FILE_BYTES_MAX);
    if (ferror(from))
        complain("%s: it cannot be read: %m", apply->file);
    else if (!feof(from))
        complain("%s: more than 64 MiB; a desk file is much smaller", apply->file);
    return feof(from) && !ferror(from);
}

static bool read_file(struct apply *apply, const char *path)
{
    if (!strcmp(path, "-")) {
        apply->file = "(standard input)";
        return read_all(apply, stdin);
    }
    apply->file = path;
    FILE *from = fopen(path, "re");
    if (!from) {
        complain("%s: %m", path);
        return false;
    }
    bool read = read_all(apply, from);
    fclose(from);
    return read;
}

/* ---- The difference ---- */

static const struct {
    char sign;
    enum color color;
    const char *word;
    const char *past;
} actions[PLAN_ACTIONS] = {
    [PLAN_CREATE] = {'+', COLOR_GREEN, "create", "created"},
    [PLAN_REVIVE] = {'+', COLOR_GREEN, "revive", "taken back into use"},
    [PLAN_CHANGE] = {'~', COLOR_YELLOW, "change", "changed"},
    [PLAN_RETIRE] = {'-', COLOR_RED, "retire", "retired"},
};

static void show_change(const struct ctl *ctl, const struct plan_change *change)
{
    printf("%s%c %s%s%s%s", color_on(ctl->color, actions[change->action].color), actions[change->action].sign,
           tkd_name(TKD_ENUM_KIND, change->kind), *change->name ? " " : "", change->name, color_off(ctl->color));
    if (change->action == PLAN_REVIVE) fputs("  (was retired)", stdout);
    if (change->members) {
        bool cut = strlen(change->members) > SHOWN_BYTES_MAX && isatty(STDOUT_FILENO);
        u32 bytes = SHOWN_BYTES_MAX;
        while (cut && (change->members[bytes] & 0xC0) == 0x80) bytes--; /* not inside a character */
        printf("  %.*s%s", cut ? (int)bytes : -1, change->members, cut ? "…" : "");
    }
    putchar('\n');
}

static void show_changes(const struct ctl *ctl, const struct plan *plan)
{
    if (ctl->form == OUTPUT_TABLE) {
        for (u32 i = 0; i < plan->count; i++) show_change(ctl, &plan->changes[i]);
        return;
    }
    static const struct column columns[] = {{"action", CELL_TEXT},
                                            {"kind", CELL_TEXT},
                                            {"id", CELL_NUMBER},
                                            {"name", CELL_TEXT},
                                            {"members", CELL_TEXT}};
    struct output *output = output_open(stdout, ctl->form, false, columns, 5, false);
    for (u32 i = 0; i < plan->count; i++) {
        const struct plan_change *change = &plan->changes[i];
        output_string(output, actions[change->action].word);
        output_string(output, tkd_name(TKD_ENUM_KIND, change->kind));
        output_number(output, change->id);
        output_string(output, change->name);
        if (change->members)
            output_string(output, change->members);
        else
            output_none(output);
        output_row(output);
    }
    output_close(output, NULL);
}

/* What was done, or would be: "3 created, 1 retired". Lines for programs stay on standard output. */
static void show_sum(const struct apply *apply, u32 version)
{
    const struct plan *plan = apply->plan;
    FILE *to = apply->ctl->form == OUTPUT_TABLE ? stdout : stderr;
    bool first = true;
    for (u32 i = 0; i < PLAN_ACTIONS; i++) {
        if (!plan->counts[i]) continue;
        if (apply->dry_run)
            fprintf(to, "%s%u to %s", first ? "" : ", ", plan->counts[i], actions[i].word);
        else
            fprintf(to, "%s%u %s", first ? "" : ", ", plan->counts[i], actions[i].past);
        first = false;
    }
    if (first)
        fputs("Nothing to change.\n", to);
    else if (apply->dry_run)
        fputs(" (dry run: nothing was done)\n", to);
    else
        fprintf(to, " (catalog version %u)\n", version);
}

/* ---- Applying ---- */

static void forget(struct apply *apply)
{
    plan_free(apply->plan);
    desk_free(apply->want);
    desk_free(apply->current);
    catalog_free(apply->catalog);
    apply->plan = NULL;
    apply->want = apply->current = NULL;
    apply->catalog = NULL;
}

static int attempt(struct apply *apply, bool *conflict)
{
    *conflict = false;
    apply->want = desk_read(apply->text, apply->bytes, apply->file, stderr);
    if (!apply->want) return EXIT_REFUSED;
    struct tkd_client *client = ctl_client(apply->ctl);
    if (!client) return EXIT_CONNECT;
    u32 status = 0;
    int error = catalog_read(client, &apply->catalog, &status);
    if (error)
        return error == TKD_E_REFUSED ? ctl_refused("apply", status) : ctl_failed("apply", client, error);
    apply->current = desk_of_catalog(apply->catalog);
    apply->plan = plan_make(apply->want, apply->current, apply->catalog, apply->keep, apply->file, stderr);
    if (!apply->plan) return EXIT_REFUSED;
    show_changes(apply->ctl, apply->plan);
    fflush(stdout);
    u32 version = apply->plan->version;
    int code = EXIT_OK;
    if (!apply->dry_run)
        code = plan_send(client, "apply", apply->plan, apply->want, apply->current, 0, &version, conflict);
    if (code == EXIT_OK) show_sum(apply, version);
    return code;
}

static int run_apply(struct ctl *ctl, const struct args *args)
{
    struct apply apply = {.ctl = ctl, .keep = args_flag(args, "keep"), .dry_run = args_flag(args, "dry-run")};
    const char *path = args_value(args, "file");
    if (!path) return usage_error(args, "which file? give -f FILE, or -f - for standard input");
    int code = EXIT_REFUSED;
    if (read_file(&apply, path)) {
        bool conflict = true;
        for (u32 i = 0; conflict && i < ATTEMPTS_MAX; i++) {
            if (i)
                complain("apply: somebody else changed the catalog in the meantime; the difference is now:");
            code = attempt(&apply, &conflict);
            forget(&apply);
        }
        if (conflict)
            complain("apply: somebody else keeps changing the catalog; nothing was done, run it again");
    }
    free(apply.text);
    return code;
}

static const struct option_info options[] = {
    {"file", 'f', "FILE", "the desk in YAML; - is standard input"},
    {"dry-run", 'n', NULL, "show the difference and change nothing"},
    {"keep", 'k', NULL, "retire nothing"},
    {NULL, 0, NULL, NULL},
};

const struct command command_apply = {
    .name = "apply",
    .operands = "",
    .summary = "make the server's desk that of a file",
    .about =
        "Reads a desk in YAML, shows how it differs from the server's (+ created, ~ changed, - retired) and "
        "applies "
        "the difference at once: all of it or nothing. (A difference that is larger than one frame of 1 MiB "
        "is "
        "applied in several steps; if a later one fails, run the command again.)\n\n"
        "A section that the file has is the whole list of its kind: entries that are not in it are retired. "
        "They "
        "stay in the history and come back when they are named again. Sections that the file does not have "
        "stay as "
        "they are. Everything is named by its name. Sections:\n\n"
        "desk: {name, archive_after}; what is not given stays as it is\n"
        "skills, channels, tiers: lists of names\n"
        "categories: list of names or {name, skills, children}\n"
        "queues: list of {name, strategy, skills, step: {target, yellow, runs_in}, children}; strategy is "
        "least_loaded, longest_idle or claim\n"
        "agents: list of {name, capacity, skills, queues}; queues: ['*'] serves every queue\n"
        "sla: list of {name, match: {priorities, categories, channels, tiers}, targets: {first_reply, "
        "resolution}, "
        "runs_in: {first_reply, resolution}, yellow}; the first policy that matches a ticket counts; a "
        "target is "
        "one duration, or one by priority; runs_in are the states in which the clock runs (when not given: "
        "first_reply in new, open, pending, on_hold; resolution in new, open, on_hold)\n\n"
        "Trees are written with children, or with parent: NAME. Durations: 30m, 8h, 3d, 2h30m. yellow is a "
        "share "
        "of the target (25%) or a time before the deadline (30m).",
    .example = "ticketctl apply -f desk.yaml --dry-run\nticketctl export | ticketctl apply -f -",
    .options = options,
    .operands_min = 0,
    .operands_max = 0,
    .run = run_apply,
};
