/* Rows as tables, JSON and CSV; widths of Chinese text; what must not reach a terminal. */
#include <criterion/criterion.h>
#include <locale.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ticketctl/chart.h"
#include "ticketctl/output.h"
#include "ticketctl/text.h"

static void utf8(void) { cr_assert_not_null(setlocale(LC_CTYPE, "C.UTF-8")); }

/* What was written to a stream in memory. */
struct capture {
    FILE *file;
    char *text;
    size_t bytes;
};

static void capture_begin(struct capture *capture)
{
    utf8();
    capture->file = open_memstream(&capture->text, &capture->bytes);
    cr_assert_not_null(capture->file);
}

static void capture_expect(struct capture *capture, const char *expected)
{
    fclose(capture->file);
    cr_assert_str_eq(capture->text, expected);
    free(capture->text);
}

static const struct column columns[] = {{"id", CELL_NUMBER},
                                        {"queue", CELL_TEXT},
                                        {"age_ms", CELL_DURATION},
                                        {"solved", CELL_TIME},
                                        {"late", CELL_FLAG}};

static void rows_add(struct output *output)
{
    output_number(output, 7);
    output_string(output, "物流");
    output_duration(output, 5400000);
    output_none(output);
    output_flag(output, true);
    output_row(output);
    output_number(output, 12345);
    output_string(output, "a \"b\", c");
    output_duration(output, 40);
    output_time(output, 1270047582000);
    output_flag(output, false);
    output_row(output);
}

Test(output, table_columns_have_display_widths)
{
    struct capture capture;
    capture_begin(&capture);
    setenv("TZ", "UTC", 1);
    struct output *output = output_open(capture.file, OUTPUT_TABLE, false, columns, 5, false);
    rows_add(output);
    output_close(output, NULL);
    capture_expect(&capture, "   ID  QUEUE       AGE  SOLVED               LATE\n"
                             "    7  物流      1h30m                       yes\n"
                             "12345  a \"b\", c   40ms  2010-03-31 14:59:42  \n");
}

Test(output, json_has_one_object_a_line_with_types)
{
    struct capture capture;
    capture_begin(&capture);
    struct output *output = output_open(capture.file, OUTPUT_JSON, false, columns, 5, false);
    rows_add(output);
    output_close(output, NULL);
    capture_expect(&capture,
                   "{\"id\":7,\"queue\":\"物流\",\"age_ms\":5400000,\"solved\":null,\"late\":true}\n"
                   "{\"id\":12345,\"queue\":\"a \\\"b\\\", c\",\"age_ms\":40,"
                   "\"solved\":\"2010-03-31T14:59:42.000Z\",\"late\":false}\n");
}

Test(output, csv_is_rfc_4180)
{
    struct capture capture;
    capture_begin(&capture);
    struct output *output = output_open(capture.file, OUTPUT_CSV, false, columns, 5, false);
    rows_add(output);
    output_close(output, NULL);
    capture_expect(&capture, "id,queue,age_ms,solved,late\r\n"
                             "7,物流,5400000,,yes\r\n"
                             "12345,\"a \"\"b\"\", c\",40,2010-03-31T14:59:42.000Z,no\r\n");
}

Test(output, details_are_lines_and_leave_out_what_is_empty)
{
    struct capture capture;
    capture_begin(&capture);
    static const struct column own[] = {
        {"first_reply_ms", CELL_DURATION}, {"key", CELL_TEXT}, {"queue", CELL_TEXT}};
    struct output *output = output_open(capture.file, OUTPUT_TABLE, false, own, 3, true);
    output_duration(output, 1000);
    output_string(output, "");
    output_string(output, "仓储");
    output_row(output);
    output_close(output, NULL);
    capture_expect(&capture, "first reply     1s\nqueue           仓储\n");
}

Test(output, colour_only_when_asked)
{
    struct capture capture;
    capture_begin(&capture);
    static const struct column own[] = {{"state", CELL_TEXT}};
    struct output *output = output_open(capture.file, OUTPUT_TABLE, true, own, 1, false);
    output_color(output, COLOR_RED);
    output_string(output, "late");
    output_row(output);
    output_close(output, NULL);
    capture_expect(&capture, "\033[1mSTATE\033[0m\n\033[31mlate\033[0m\n");
}

Test(output, nothing_hostile_reaches_a_terminal)
{
    struct capture capture;
    capture_begin(&capture);
    static const struct column own[] = {{"text", CELL_TEXT}};
    struct output *output = output_open(capture.file, OUTPUT_TABLE, false, own, 1, false);
    output_text(output, "a\033[2Jb\nc\x9b\xff\xe2\x80\xae", 13);
    output_row(output);
    output_close(output, NULL);
    capture_expect(&capture, "TEXT\na [2Jb c\xEF\xBF\xBD\xEF\xBF\xBD \n");
}

Test(output, broken_text_is_still_json)
{
    struct capture capture;
    capture_begin(&capture);
    static const struct column own[] = {{"text", CELL_TEXT}};
    struct output *output = output_open(capture.file, OUTPUT_JSON, false, own, 1, false);
    output_text(output, "a\xff\n", 3);
    output_row(output);
    output_close(output, NULL);
    capture_expect(&capture, "{\"text\":\"a\xEF\xBF\xBD\\n\"}\n");
}

/* The widest text is shortened until a row fits; no line is wider than the terminal. */
Test(output, a_table_fits_the_terminal)
{
    utf8();
    int primary, secondary;
    struct winsize size = {.ws_row = 24, .ws_col = 40};
    cr_assert_eq(openpty(&primary, &secondary, NULL, NULL, &size), 0);
    FILE *file = fdopen(secondary, "w");
    static const struct column own[] = {{"id", CELL_NUMBER}, {"queue", CELL_TEXT}, {"subject", CELL_TEXT}};
    struct output *output = output_open(file, OUTPUT_TABLE, false, own, 3, false);
    cr_assert_eq(terminal_columns(file), 40);
    output_number(output, 1);
    output_string(output, "物流");
    output_string(output, "包裹在路上已经两个星期了还没有任何消息请尽快处理");
    output_row(output);
    output_close(output, NULL);
    char text[1024] = "";
    ssize_t bytes = read(primary, text, sizeof(text) - 1);
    cr_assert_gt(bytes, 0);
    for (char *line = strtok(text, "\r\n"); line; line = strtok(NULL, "\r\n")) {
        cr_assert_leq(text_width(line, (u32)strlen(line)), 40, "%s", line);
    }
    fclose(file);
    close(primary);
}

/* ---- Text ---- */

Test(text, widths)
{
    utf8();
    cr_assert_eq(text_width("abc", 3), 3);
    cr_assert_eq(text_width("物流", 6), 4);
    cr_assert_eq(text_width("e\xCC\x81", 3), 1); /* a combining accent takes no place */
}

Test(text, broken_utf8_is_one_character_a_byte)
{
    static const char *const broken[] = {"\xC0\x80", "\xED\xA0\x80", "\xF5\x80\x80\x80", "\xE4\xB8", "\x80"};
    for (u32 i = 0; i < 5; i++) {
        u32 character;
        cr_assert_eq(utf8_next(broken[i], (u32)strlen(broken[i]), &character), 1);
        cr_assert_eq(character, 0xFFFD);
    }
    u32 character;
    cr_assert_eq(utf8_next("\xF0\x9F\x98\x80", 4, &character), 4);
    cr_assert_eq(character, 0x1F600);
}

Test(text, shortening_never_splits_a_character)
{
    struct capture capture;
    capture_begin(&capture);
    text_print(capture.file, "物流仓储", 6, true);
    fputc('|', capture.file);
    text_print(capture.file, "物流", 6, true);
    fputc('|', capture.file);
    capture_expect(&capture, "物流… |物流  |");
}

/* ---- Charts ---- */

Test(chart, bars_are_in_proportion)
{
    struct capture capture;
    capture_begin(&capture);
    struct bar bars[] = {{"物流", 8, NULL}, {"a", 4, NULL}, {"none", 0, NULL}};
    chart_bars(capture.file, bars, 3, 25, false);
    capture_expect(&capture, "  物流  ██████████████ 8\n  a     ███████ 4\n  none   0\n");
}

Test(chart, a_sparkline_sums_what_does_not_fit)
{
    struct capture capture;
    capture_begin(&capture);
    u64 values[] = {0, 0, 1, 1, 7, 7};
    chart_sparkline(capture.file, values, 6, 80);
    chart_sparkline(capture.file, values, 6, 3);
    capture_expect(&capture, "▁▁▂▂██\n▁▂█\n");
}
