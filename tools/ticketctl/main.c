/* ticketctl: finds the command and runs it. */
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "args.h"
#include "catalog.h"
#include "commands.h"
#include "timefmt.h"

#define DEFAULT_SERVER "127.0.0.1:7411"

static bool is_group(const char *word)
{
    size_t length = strlen(word);
    for (u32 i = 0; commands[i]; i++) {
        if (strncmp(commands[i]->name, word, length) == 0 && commands[i]->name[length] == ' ') return true;
    }
    return false;
}

/* How far the words given are from a command: from all its words, or else, when the first names no group,
 * from its group. */
static u32 command_distance(const char *given, const char *first, const char *name)
{
    char group[64];
    snprintf(group, sizeof(group), "%.*s", (int)strcspn(name, " "), name);
    u32 whole = edit_distance(given, name), grouped = edit_distance(first, group);
    return grouped == 0 || whole <= grouped ? whole : grouped + 1;
}

static int unknown_command(const struct line *line)
{
    char given[128];
    bool two = line->words_count == 2;
    snprintf(given, sizeof(given), "%s%s%s", line->words[0], two ? " " : "", two ? line->words[1] : "");
    const char *nearest = NULL;
    u32 distance = (u32)strlen(given) / 3 + 2;
    for (u32 i = 0; commands[i]; i++) {
        u32 edits = command_distance(given, line->words[0], commands[i]->name);
        if (edits >= distance) continue;
        distance = edits;
        nearest = commands[i]->name;
    }
    if (nearest) {
        complain("no command '%s'; did you mean '%s'?", given, nearest);
    } else {
        complain("no command '%s'; 'ticketctl --help' lists them", given);
    }
    return EXIT_USAGE;
}

static int show_help(const struct line *line, bool color)
{
    if (line->args.command) {
        help_command(stdout, line->args.command, color);
    } else if (line->words_count == 0) {
        help_overview(stdout, color);
    } else if (line->words_count == 1 && is_group(line->words[0])) {
        help_group(stdout, line->words[0], color);
    } else {
        return unknown_command(line);
    }
    return EXIT_OK;
}

/* What `make install` asks: a manual page, or the names of all. */
static int show_manual(int argc, char **argv)
{
    if (strcmp(argv[1], "--man-list") == 0) {
        for (u32 i = 0; commands[i]; i++) puts(commands[i]->name);
        return EXIT_OK;
    }
    if (argc == 2) {
        manual_print(stdout, NULL);
        return EXIT_OK;
    }
    for (u32 i = 0; commands[i]; i++) {
        if (strcmp(commands[i]->name, argv[2]) != 0) continue;
        manual_print(stdout, commands[i]);
        return EXIT_OK;
    }
    complain("no command '%s'", argv[2]);
    return EXIT_USAGE;
}

static int run(struct ctl *ctl, const struct args *args)
{
    const struct command *command = args->command;
    if (args->operands_count < command->operands_min) {
        return usage_error(args, "an operand is missing: ticketctl %s %s", command->name, command->operands);
    }
    if (args->operands_count > command->operands_max) {
        return usage_error(args, "'%s' is one operand too many: ticketctl %s %s",
                           args->operands[command->operands_max], command->name, command->operands);
    }
    return command->run(ctl, args);
}

static bool address_is_one(const char *address)
{
    const char *colon = strrchr(address, ':');
    return colon && colon != address && colon[1] != 0;
}

static int run_line(struct line *line, bool color)
{
    const char *environment = getenv("TICKETD_SERVER");
    struct ctl ctl = {
        .server = line->server                  ? line->server
                  : environment && *environment ? environment
                                                : DEFAULT_SERVER,
        .form = line->form,
        .color = color,
    };
    if (line->at && !time_parse(line->at, 0, &ctl.at_ms)) {
        complain("--at takes a time such as 2026-11-21T08:30:00Z, not '%s'", line->at);
        return EXIT_USAGE;
    }
    if (!address_is_one(ctl.server)) {
        complain("an address is HOST:PORT or unix:PATH, not '%s'", ctl.server);
        return EXIT_USAGE;
    }
    int code = run(&ctl, &line->args);
    catalog_free(ctl.catalog);
    tkd_close(ctl.client);
    if (fflush(stdout) != 0 && code == EXIT_OK) code = EXIT_REFUSED;
    return code;
}

int main(int argc, char **argv)
{
    /* Widths and UTF-8 must not depend on what the machine is set to. */
    if (!setlocale(LC_CTYPE, "C.UTF-8")) setlocale(LC_CTYPE, "");
    tzset();
    if (argc >= 2 && (strcmp(argv[1], "--man") == 0 || strcmp(argv[1], "--man-list") == 0)) {
        return show_manual(argc, argv);
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("ticketctl " TICKETD_VERSION);
        return EXIT_OK;
    }
    static char help[] = "--help";
    if (argc >= 2 && strcmp(argv[1], "help") == 0) argv[1] = help;

    static struct line line;
    if (!line_parse(&line, argc, argv)) return EXIT_USAGE;
    const char *no_color = getenv("NO_COLOR");
    bool color =
        isatty(STDOUT_FILENO) && !line.no_color && !(no_color && *no_color) && line.form == OUTPUT_TABLE;
    if (line.help) return show_help(&line, color);
    if (line.args.command) return run_line(&line, color);
    if (line.words_count == 0) {
        help_overview(stderr, false);
        return EXIT_USAGE;
    }
    if (line.words_count == 1 && is_group(line.words[0])) {
        help_group(stderr, line.words[0], false);
        return EXIT_USAGE;
    }
    return unknown_command(&line);
}
