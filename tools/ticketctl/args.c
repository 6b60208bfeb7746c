/* The command line: which command, its options and operands. */
#include "args.h"

#include <stdlib.h>
#include <string.h>

#include "timefmt.h"

const struct option_info global_options[] = {
    {"server", 0, "ADDRESS",
     "HOST:PORT or unix:PATH of the server (default: $TICKETD_SERVER, or 127.0.0.1:7411)"},
    {"output", 'o', "FORM", "table (the default), json (one object a line) or csv"},
    {"at", 0, "TIME", "the time of what is changed, where the desk runs on the virtual clock"},
    {"no-color", 0, NULL, "no colour, not even on a terminal (so does the variable NO_COLOR)"},
    {"help", 'h', NULL, "what the command does, with an example"},
    {0},
};

/* ---- What was given ---- */

/* Asking for an option that the command does not declare is a mistake in the command. */
static void option_must_exist(const struct args *args, const char *name)
{
    for (const struct option_info *option = args->command->options; option && option->name; option++) {
        if (strcmp(option->name, name) == 0) return;
    }
    fprintf(stderr, "ticketctl: %s does not declare --%s\n", args->command->name, name);
    abort();
}

const char *args_each(const struct args *args, const char *name, u32 index)
{
    option_must_exist(args, name);
    for (u32 i = 0; i < args->given_count; i++) {
        if (strcmp(args->given[i].option->name, name) == 0 && index-- == 0) return args->given[i].value;
    }
    return NULL;
}

const char *args_value(const struct args *args, const char *name)
{
    const char *value = NULL, *next;
    for (u32 i = 0; (next = args_each(args, name, i)); i++) value = next;
    return value;
}

bool args_flag(const struct args *args, const char *name) { return args_value(args, name) != NULL; }

bool args_number(const struct args *args, const char *name, u64 max, u64 *value)
{
    const char *text = args_value(args, name);
    if (!text || number_parse(text, max, value)) return true;
    usage_error(args, "--%s takes a number from 0 to %llu, not '%s'", name, (unsigned long long)max, text);
    return false;
}

bool args_time(const struct args *args, const char *name, u64 now_ms, u64 *time_ms)
{
    const char *text = args_value(args, name);
    if (!text || time_parse(text, now_ms, time_ms)) return true;
    usage_error(args, "--%s takes a time such as 2026-11-21, 2026-11-21T08:30:00Z, now or -3d, not '%s'",
                name, text);
    return false;
}

/* ---- Parsing ---- */

static const struct option_info *option_find(const struct option_info *options, const char *word,
                                             size_t length)
{
    for (; options && options->name; options++) {
        if (strlen(options->name) == length && strncmp(options->name, word, length) == 0) return options;
    }
    return NULL;
}

static const struct option_info *option_by_letter(const struct option_info *options, char letter)
{
    for (; options && options->name; options++) {
        if (options->letter == letter) return options;
    }
    return NULL;
}

static void suggest_option(const struct option_info *options, const char *word, const char **nearest,
                           u32 *distance)
{
    for (; options && options->name; options++) {
        u32 edits = edit_distance(word, options->name);
        if (edits < *distance) {
            *distance = edits;
            *nearest = options->name;
        }
    }
}

static bool unknown_option(const struct command *command, const char *word)
{
    const char *nearest = NULL;
    u32 distance = 4;
    suggest_option(global_options, word + strspn(word, "-"), &nearest, &distance);
    if (command) suggest_option(command->options, word + strspn(word, "-"), &nearest, &distance);
    char hint[96] = "";
    if (nearest) snprintf(hint, sizeof(hint), "; did you mean --%s?", nearest);
    complain("%s%sno option '%s'%s", command ? command->name : "", command ? ": " : "", word, hint);
    return false;
}

/* Does `argv[*at]` name an option (of the command, or a global one)? Then takes it and its value. */
static bool option_take(const struct command *command, int argc, char **argv, int *at, struct given *given)
{
    const char *word = argv[*at];
    const char *value = NULL;
    const struct option_info *own = command ? command->options : NULL;
    if (word[1] == '-') {
        size_t length = strcspn(word + 2, "=");
        given->option = option_find(own, word + 2, length);
        if (!given->option) given->option = option_find(global_options, word + 2, length);
        if (word[2 + length] == '=') value = word + 3 + length;
    } else {
        given->option = option_by_letter(own, word[1]);
        if (!given->option) given->option = option_by_letter(global_options, word[1]);
        if (word[2] != 0) value = word + 2;
    }
    if (!given->option) return unknown_option(command, word);
    if (!given->option->value) {
        if (value) {
            complain("--%s takes no value", given->option->name);
            return false;
        }
        given->value = "";
        return true;
    }
    if (!value && *at + 1 < argc) value = argv[++*at];
    if (!value) {
        complain("--%s needs %s: %s", given->option->name, given->option->value, given->option->doc);
        return false;
    }
    given->value = value;
    return true;
}

static bool is_global(const struct option_info *option)
{
    for (const struct option_info *at = global_options; at->name; at++) {
        if (at == option) return true;
    }
    return false;
}

static bool global_take(struct line *line, const struct given *given)
{
    const char *name = given->option->name;
    if (strcmp(name, "server") == 0) {
        line->server = given->value;
    } else if (strcmp(name, "at") == 0) {
        line->at = given->value;
    } else if (strcmp(name, "no-color") == 0) {
        line->no_color = true;
    } else if (strcmp(name, "help") == 0) {
        line->help = true;
    } else if (strcmp(given->value, "table") == 0) {
        line->form = OUTPUT_TABLE;
    } else if (strcmp(given->value, "json") == 0) {
        line->form = OUTPUT_JSON;
    } else if (strcmp(given->value, "csv") == 0) {
        line->form = OUTPUT_CSV;
    } else {
        complain("-o takes table, json or csv, not '%s'", given->value);
        return false;
    }
    return true;
}

/* The command whose words are the ones read so far, or NULL. */
static const struct command *command_of(const struct line *line)
{
    char name[128];
    if (line->words_count == 0) return NULL;
    snprintf(name, sizeof(name), "%s%s%s", line->words[0], line->words_count > 1 ? " " : "",
             line->words_count > 1 ? line->words[1] : "");
    for (u32 i = 0; commands[i]; i++) {
        if (strcmp(commands[i]->name, name) == 0) return commands[i];
    }
    return NULL;
}

static bool word_take(struct line *line, const char *word)
{
    if (!line->args.command && line->words_count < 2) {
        line->words[line->words_count++] = word;
        line->args.command = command_of(line);
        return true;
    }
    if (line->args.operands_count == ARGS_MAX) {
        complain("too many operands (at most %u)", ARGS_MAX);
        return false;
    }
    line->args.operands[line->args.operands_count++] = word;
    return true;
}

bool line_parse(struct line *line, int argc, char **argv)
{
    bool only_words = false;
    for (int at = 1; at < argc; at++) {
        const char *word = argv[at];
        if (only_words || word[0] != '-' || word[1] == 0) {
            if (!word_take(line, word)) return false;
            continue;
        }
        if (strcmp(word, "--") == 0) {
            only_words = true;
            continue;
        }
        struct given given;
        if (!option_take(line->args.command, argc, argv, &at, &given)) return false;
        if (is_global(given.option)) {
            if (!global_take(line, &given)) return false;
        } else if (line->args.given_count == ARGS_MAX) {
            complain("too many options (at most %u)", ARGS_MAX);
            return false;
        } else {
            line->args.given[line->args.given_count++] = given;
        }
    }
    return true;
}
