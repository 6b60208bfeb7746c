/* The command line: words, options in every place and form, and what is refused. */
#include <criterion/criterion.h>
#include <string.h>

#include "ticketctl/args.h"

static bool parse(struct line *line, const char *words)
{
    static char text[512];
    static char *arguments[32];
    int count = 0;
    arguments[count++] = "ticketctl";
    snprintf(text, sizeof(text), "%s", words);
    for (char *word = strtok(text, " "); word && count < 31; word = strtok(NULL, " "))
        arguments[count++] = word;
    arguments[count] = NULL;
    memset(line, 0, sizeof(*line));
    return line_parse(line, count, arguments);
}

Test(args, words_options_and_operands)
{
    struct line line;
    cr_assert(parse(
        &line, "--server a:1 ticket list -o json --queue 物流 --state=open -a李雷 --breached --state new"));
    cr_assert_str_eq(line.args.command->name, "ticket list");
    cr_assert_str_eq(line.server, "a:1");
    cr_assert_eq(line.form, OUTPUT_JSON);
    cr_assert_str_eq(args_value(&line.args, "queue"), "物流");
    cr_assert_str_eq(args_value(&line.args, "agent"), "李雷");
    cr_assert_str_eq(args_value(&line.args, "state"), "new");
    cr_assert_str_eq(args_each(&line.args, "state", 0), "open");
    cr_assert_null(args_each(&line.args, "state", 2));
    cr_assert(args_flag(&line.args, "breached"));
    cr_assert_not(args_flag(&line.args, "unassigned"));
    cr_assert_eq(line.args.operands_count, 0);
}

Test(args, globals_stand_anywhere)
{
    struct line line;
    cr_assert(parse(&line, "ticket --no-color reply 17 text --server=b:2 --help --at @5"));
    cr_assert_str_eq(line.args.command->name, "ticket reply");
    cr_assert(line.no_color && line.help);
    cr_assert_str_eq(line.server, "b:2");
    cr_assert_str_eq(line.at, "@5");
    cr_assert_eq(line.args.operands_count, 2);
    cr_assert_str_eq(line.args.operands[1], "text");
}

Test(args, operands_that_look_like_options)
{
    struct line line;
    cr_assert(parse(&line, "ticket reply 17 -"));
    cr_assert_str_eq(line.args.operands[1], "-");
    cr_assert(parse(&line, "ticket reply 17 -- --not-an-option"));
    cr_assert_str_eq(line.args.operands[1], "--not-an-option");
}

Test(args, unknown_words_are_left_to_the_caller)
{
    struct line line;
    cr_assert(parse(&line, "frobnicate now"));
    cr_assert_null(line.args.command);
    cr_assert_eq(line.words_count, 2);
    cr_assert(parse(&line, ""));
    cr_assert_eq(line.words_count, 0);
}

Test(args, mistakes_are_refused)
{
    static const char *const bad[] = {"status --nonsense", "status -z",           "status -o",
                                      "status -o xml",     "ticket list --queue", "ticket list --breached=1",
                                      "--queue x status"};
    for (u32 i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct line line;
        cr_assert_not(parse(&line, bad[i]), "%s", bad[i]);
    }
}

Test(args, too_many_operands)
{
    static struct line line;
    static char *arguments[ARGS_MAX + 8];
    int count = 0;
    arguments[count++] = "ticketctl";
    arguments[count++] = "agent";
    arguments[count++] = "online";
    for (u32 i = 0; i < ARGS_MAX; i++) arguments[count++] = "x";
    cr_assert(line_parse(&line, count, arguments));
    memset(&line, 0, sizeof(line));
    arguments[count++] = "x";
    cr_assert_not(line_parse(&line, count, arguments));
}

Test(args, numbers)
{
    struct line line;
    u64 value = 7;
    cr_assert(parse(&line, "ticket list"));
    cr_assert(args_number(&line.args, "limit", 100, &value) && value == 7);
    cr_assert(parse(&line, "ticket list -n 100"));
    cr_assert(args_number(&line.args, "limit", 100, &value) && value == 100);
    static const char *const bad[] = {"101", "-1", "x", "1x", "99999999999999999999999"};
    for (u32 i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char words[64];
        snprintf(words, sizeof(words), "ticket list --limit=%s", bad[i]);
        cr_assert(parse(&line, words));
        cr_assert_not(args_number(&line.args, "limit", 100, &value), "%s", bad[i]);
    }
}

Test(args, edit_distance)
{
    cr_assert_eq(edit_distance("", ""), 0);
    cr_assert_eq(edit_distance("list", "list"), 0);
    cr_assert_eq(edit_distance("lsit", "list"), 2);
    cr_assert_eq(edit_distance("", "abc"), 3);
    cr_assert_eq(edit_distance("kitten", "sitting"), 3);
}

/* Every command can be asked for its help, and takes no letter of a global option. */
Test(args, commands_are_well_formed)
{
    for (u32 i = 0; commands[i]; i++) {
        const struct command *command = commands[i];
        cr_assert_not_null(command->run, "%s", command->name);
        cr_assert(command->summary && *command->summary && command->operands, "%s", command->name);
        cr_assert_not_null(strstr(command->example, command->name), "%s", command->name);
        cr_assert_leq(command->operands_min, command->operands_max, "%s", command->name);
        for (const struct option_info *option = command->options; option && option->name; option++) {
            cr_assert_not_null(option->doc, "%s --%s", command->name, option->name);
            for (const struct option_info *global = global_options; global->name; global++) {
                cr_assert_str_neq(option->name, global->name, "%s", command->name);
                cr_assert(option->letter == 0 || option->letter != global->letter, "%s", command->name);
            }
        }
    }
}
