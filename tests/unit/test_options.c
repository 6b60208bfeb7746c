#include <criterion/criterion.h>
#include <stdio.h>

#include "edge/options.h"

static struct options options;
static char error[512];

static enum options_verdict parse(const char *line)
{
    static char copy[512];
    char *argv[32] = {"ticketd"};
    int argc = 1;
    snprintf(copy, sizeof(copy), "%s", line);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) argv[argc++] = word;
    return options_parse(&options, argc, argv, error, sizeof(error));
}

Test(options, defaults)
{
    cr_assert_eq(parse("--data d"), OPTIONS_RUN);
    cr_assert_str_eq(options.data, "d");
    cr_assert_eq(options.listen_count, 1);
    cr_assert_str_eq(options.listen[0], "127.0.0.1:7411");
    cr_assert_eq(options.unix_count, 0);
    cr_assert_not(options.virtual_clock);
    cr_assert_eq(options.durability, WAL_SYNC);
    cr_assert_str_eq(options.durability_text, "sync");
    cr_assert_eq(options.memory_budget_bytes, 0);
}

Test(options, everything)
{
    cr_assert_eq(
        parse("--data=d --listen 127.0.0.1:0 --listen [::1]:0 --unix a --unix b --clock virtual "
              "--durability interval=20 --memory-budget 2G --checkpoint-bytes 32m --connections 500 --busy-poll 50"),
        OPTIONS_RUN);
    cr_assert_eq(options.listen_count, 2);
    cr_assert_eq(options.unix_count, 2);
    cr_assert_str_eq(options.unix_paths[1], "b");
    cr_assert(options.virtual_clock);
    cr_assert_eq(options.durability, WAL_INTERVAL);
    cr_assert_eq(options.interval_ms, 20);
    cr_assert_eq(options.memory_budget_bytes, 2ull << 30);
    cr_assert_eq(options.checkpoint_bytes, 32u << 20);
    cr_assert_eq(options.connections_max, 500);
    cr_assert_eq(options.busy_poll_us, 50);
}

Test(options, a_unix_socket_alone_is_enough)
{
    cr_assert_eq(parse("--data d --unix s"), OPTIONS_RUN);
    cr_assert_eq(options.listen_count, 0);
}

Test(options, help_and_version)
{
    cr_assert_eq(parse("--help"), OPTIONS_HELP);
    cr_assert_eq(parse("--version"), OPTIONS_VERSION);
    cr_assert_not_null(strstr(options_help, "example:"));
}

Test(options, every_mistake_is_named)
{
    static const struct {
        const char *line;
        const char *named;
    } wrong[] = {
        {"", "--data"},
        {"--data", "--data"},
        {"--data d --nonsense", "--nonsense"},
        {"--data d more", "more"},
        {"--data d --clock sun", "sun"},
        {"--data d --durability interval=0", "interval=0"},
        {"--data d --durability interval=x", "interval=x"},
        {"--data d --durability maybe", "maybe"},
        {"--data d --memory-budget 1", "memory-budget"},
        {"--data d --memory-budget 1GB", "1GB"},
        {"--data d --memory-budget 99999999999G", "99999999999G"},
        {"--data d --checkpoint-bytes -1", "-1"},
        {"--data d --connections 0", "connections"},
        {"--data d --busy-poll 10001", "busy-poll"},
        {"--data d --unix 1 --unix 2 --unix 3 --unix 4 --unix 5 --unix 6 --unix 7 --unix 8 --unix 9", "8"}};
    for (u32 i = 0; i < ARRAY_COUNT(wrong); i++) {
        cr_assert_eq(parse(wrong[i].line), OPTIONS_WRONG, "%s", wrong[i].line);
        cr_assert_not_null(strstr(error, wrong[i].named), "%s: %s", wrong[i].line, error);
    }
}

Test(options, sizes)
{
    u64 bytes;
    cr_assert(options_size("0", &bytes) && bytes == 0);
    cr_assert(options_size("12k", &bytes) && bytes == 12288);
    cr_assert(options_size("3T", &bytes) && bytes == 3ull << 40);
    cr_assert_not(options_size("", &bytes));
    cr_assert_not(options_size("K", &bytes));
    cr_assert_not(options_size("1KK", &bytes));
    cr_assert_not(options_size(" 1", &bytes));
    cr_assert_not(options_size("16777216T", &bytes), "more than 64 bits");
}
