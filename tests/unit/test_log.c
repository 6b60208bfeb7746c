#include <criterion/criterion.h>

#include "base/log.h"

#include <unistd.h>

static char line[LOG_LINE_BYTES + 1];

static const char *formatted(const char *event, const struct log_pair *pairs)
{
    u32 bytes = log_format(line, 1795249800123, LOG_INFO, event, pairs);
    cr_assert_leq(bytes, LOG_LINE_BYTES);
    line[bytes] = 0;
    return line;
}

Test(log, plain_line)
{
    cr_assert_str_eq(formatted("ready", LOG_PAIRS(LOG_TEXT("listen", "127.0.0.1:7411"), LOG_U64("took_ms", 12))),
                     "ts=2026-11-21T08:30:00.123Z level=info event=ready listen=127.0.0.1:7411 took_ms=12\n");
}

Test(log, levels)
{
    log_format(line, 0, LOG_ERROR, "a", LOG_PAIRS());
    cr_assert(strstr(line, "ts=1970-01-01T00:00:00.000Z level=error event=a\n") == line);
    log_format(line, 0, LOG_WARN, "a", LOG_PAIRS());
    cr_assert(strstr(line, "level=warn"));
}

Test(log, quotes_what_would_break_the_line)
{
    cr_assert(strstr(formatted("a", LOG_PAIRS(LOG_TEXT("k", "two words"))), " k=\"two words\"\n"));
    cr_assert(strstr(formatted("a", LOG_PAIRS(LOG_TEXT("k", ""))), " k=\"\"\n"));
    cr_assert(strstr(formatted("a", LOG_PAIRS(LOG_TEXT("k", NULL))), " k=\"\"\n"));
    cr_assert(strstr(formatted("a", LOG_PAIRS(LOG_TEXT("k", "a=b"))), " k=\"a=b\"\n"));
    cr_assert(strstr(formatted("a", LOG_PAIRS(LOG_TEXT("k", "\"\\\n\t\x01\x7f"))),
                     " k=\"\\\"\\\\\\n\\t\\x01\\x7f\"\n"));
    cr_assert(strstr(formatted("a", LOG_PAIRS(LOG_TEXT("k", "物流"))), " k=物流\n"));
}

Test(log, cuts_whole_pairs_and_says_so)
{
    char text[3 * LOG_LINE_BYTES];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    cr_assert_str_eq(formatted("a", LOG_PAIRS(LOG_U64("n", 1), LOG_TEXT("long", text), LOG_U64("m", 2))),
                     "ts=2026-11-21T08:30:00.123Z level=info event=a n=1 cut=1\n");
}

Test(log, cut_at_any_length)
{
    char text[LOG_LINE_BYTES + 1];
    for (u32 length = 1900; length <= LOG_LINE_BYTES; length++) {
        memset(text, 'x', length);
        text[length] = 0;
        const char *made = formatted("a", LOG_PAIRS(LOG_TEXT("k", text)));
        cr_assert_eq(made[strlen(made) - 1], '\n');
        cr_assert_eq(strchr(made, '\n'), made + strlen(made) - 1);
    }
}

Test(log, writes_one_line_to_stderr)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    cr_assert_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    log_warn("slow", LOG_U64("ms", 7));
    char read_back[LOG_LINE_BYTES];
    ssize_t bytes = read(ends[0], read_back, sizeof(read_back) - 1);
    cr_assert_gt(bytes, 0);
    read_back[bytes] = 0;
    cr_assert(strstr(read_back, " level=warn event=slow ms=7\n"));
    cr_assert(strncmp(read_back, "ts=20", 5) == 0);
}
