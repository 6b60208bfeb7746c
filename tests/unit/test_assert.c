#include <criterion/criterion.h>

#include "base/base.h"

#include <signal.h>
#include <unistd.h>

Test(assert, holds_quietly)
{
    u32 asked = 0;
    ASSERT(++asked == 1);
    cr_assert_eq(asked, 1, "a condition is evaluated once, and always");
}

Test(assert, broken_stops_the_process, .signal = SIGABRT) { ASSERT(1 + 1 == 3); }

static void check_what_was_said(int signal)
{
    char said[512];
    ssize_t bytes = read(STDIN_FILENO, said, sizeof(said) - 1);
    said[bytes > 0 ? bytes : 0] = 0;
    _exit(signal == SIGABRT && strcmp(said, "room/file.c:7: broken invariant: x == y\n") == 0 ? 42 : 1);
}

Test(assert, says_where_and_what, .exit_code = 42)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    dup2(ends[0], STDIN_FILENO);
    dup2(ends[1], STDERR_FILENO);
    signal(SIGABRT, check_what_was_said);
    assert_failed("room/file.c", 7, "x == y");
}
