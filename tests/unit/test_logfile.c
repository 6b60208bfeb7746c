/* Lines of a file: where they end, how long they may be, and which number they have. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "support/directory.h"
#include "ticketctl/desklog.h"
#include "ticketctl/logfile.h"

static char directory[4096];
static char path[4200];
static struct logfile file;

static void setup(void)
{
    directory_make(directory);
    snprintf(path, sizeof(path), "%s/log", directory);
}

static void teardown(void)
{
    logfile_close(&file);
    directory_remove(directory);
}

TestSuite(logfile, .init = setup, .fini = teardown);

static void open_with(const char *text, size_t bytes)
{
    file_spill(path, text, bytes);
    cr_assert(logfile_open(&file, path));
    cr_assert_eq(file.bytes_total, bytes);
}

static void expect_line(const char *text, u64 number)
{
    const char *data;
    u32 bytes;
    cr_assert_eq(logfile_next(&file, &data, &bytes), 1, "wanted: %s", text);
    cr_assert_eq(bytes, strlen(text), "%.*s", (int)bytes, data);
    cr_assert_eq(memcmp(data, text, bytes), 0, "%.*s", (int)bytes, data);
    cr_assert_eq(file.line, number);
}

static void expect_end(int end)
{
    const char *data;
    u32 bytes;
    cr_assert_eq(logfile_next(&file, &data, &bytes), end);
}

Test(logfile, lines_end_in_many_ways)
{
    static const char text[] = "\xef\xbb\xbf" "first\r\n\n  \t\nfourth\n\xef\xbb\xbfxx\nlast";
    open_with(text, strlen(text));
    expect_line("first", 1);
    expect_line("fourth", 4);
    expect_line("\xef\xbb\xbfxx", 5);
    expect_line("last", 6);
    expect_end(0);
    cr_assert_eq(file.bytes_taken, strlen(text));
    expect_end(0);
}

Test(logfile, a_line_put_back_comes_again_with_its_number)
{
    static const char text[] = "\n\n\xef\xbb\xbfthird\r\nfourth";
    open_with(text, strlen(text));
    for (u32 i = 0; i < 2; i++) {
        expect_line("\xef\xbb\xbfthird", 3);
        logfile_put_back(&file);
    }
    cr_assert_eq(file.bytes_taken, 2);
    expect_line("\xef\xbb\xbfthird", 3);
    for (u32 i = 0; i < 2; i++) {
        expect_line("fourth", 4);
        if (i == 0) logfile_put_back(&file);
    }
    expect_end(0);
    cr_assert_eq(file.bytes_taken, strlen(text));
}

Test(logfile, an_empty_file_has_no_line)
{
    open_with("", 0);
    expect_end(0);
}

Test(logfile, lines_longer_than_a_read_arrive_whole)
{
    u32 count = 9, length = DESKLOG_LINE_BYTES_MAX - 7;
    char *text = malloc((size_t)count * (length + 1));
    for (u32 i = 0; i < count; i++) {
        memset(text + (size_t)i * (length + 1), 'a' + (int)i, length);
        text[(size_t)(i + 1) * (length + 1) - 1] = '\n';
    }
    open_with(text, (size_t)count * (length + 1));
    for (u32 i = 0; i < count; i++) {
        const char *data;
        u32 bytes;
        cr_assert_eq(logfile_next(&file, &data, &bytes), 1);
        cr_assert_eq(bytes, length);
        cr_assert_eq(data[0], 'a' + (int)i);
        cr_assert_eq(data[length - 1], 'a' + (int)i);
    }
    expect_end(0);
    free(text);
}

Test(logfile, a_line_that_never_ends_is_refused)
{
    size_t bytes = 3 * DESKLOG_LINE_BYTES_MAX;
    char *text = malloc(bytes);
    memset(text, 'x', bytes);
    memcpy(text, "a\n", 2);
    open_with(text, bytes);
    expect_line("a", 1);
    expect_end(-2);
    cr_assert_eq(file.line, 2);
    free(text);
}

Test(logfile, what_is_not_there_is_said)
{
    cr_assert_not(logfile_open(&file, "/nonexistent/log"));
    file.fd = -1;
    file.buffer = NULL;
}
