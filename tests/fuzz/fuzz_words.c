/* Words that people type: sizes, durations, times, numbers, options, and any text on its way to a terminal.
 * The first byte chooses the reader, the rest is a text. */
#include <stdlib.h>

#include "edge/options.h"
#include "tests/fuzz/input.h"
#include "ticketctl/desk.h"
#include "ticketctl/text.h"
#include "ticketctl/timefmt.h"

#define NOW_MS 1795000000000u

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    return setenv("TZ", "Asia/Shanghai", 1);
}

static void read_size(const char *text)
{
    u64 bytes;
    (void)options_size(text, &bytes);
}

/* What is written is read back as it was. */
static void read_duration(const char *text)
{
    u64 duration_ms, again_ms;
    char buffer[DESK_DURATION_BYTES], shown[TIME_TEXT_BYTES];
    if (!duration_parse(text, &duration_ms)) return;
    ASSERT(*duration_text(duration_ms, shown) != 0);
    ASSERT(desk_duration_parse(desk_duration(duration_ms, buffer), &again_ms) && again_ms == duration_ms);
}

static void read_time(const char *text)
{
    u64 time_ms, again_ms;
    char buffer[TIME_TEXT_BYTES];
    if (!time_parse(text, NOW_MS, &time_ms)) return;
    ASSERT(*time_local(time_ms, buffer) != 0 && *time_utc(time_ms, buffer) != 0);
    if (strlen(buffer) == strlen("2026-11-21T08:30:00.000Z") && buffer[4] == '-')
        ASSERT(time_parse(buffer, NOW_MS, &again_ms) && again_ms == time_ms);
    for (u32 period = PERIOD_HOUR; period <= PERIOD_MONTH; period++) {
        u64 begin_ms = period_begin((enum period)period, time_ms);
        ASSERT(begin_ms <= time_ms && *period_text((enum period)period, begin_ms, buffer) != 0);
    }
}

static void read_options(char *text)
{
    char *argv[32] = {"ticketd"}, error[256];
    int argc = 1;
    struct options options;
    for (char *next; text != NULL && argc < 31; text = next) {
        next = strchr(text, '\n');
        if (next != NULL) *next++ = 0;
        argv[argc++] = text;
    }
    error[0] = 0;
    if (options_parse(&options, argc, argv, error, sizeof error) == OPTIONS_WRONG) ASSERT(error[0] != 0);
}

/* Characters fill the text; what is cleaned has none that is broken, and cleaning it again changes nothing.
 */
static void read_text(const char *text, u32 bytes)
{
    u32 character;
    for (u32 at = 0; at < bytes;) {
        u32 length = utf8_next(text + at, bytes - at, &character);
        ASSERT(length >= 1 && length <= bytes - at && character_width(character) <= 2);
        at += length;
    }
    char *clean = text_clean(text, bytes), *twice = text_clean(clean, (u32)strlen(clean));
    ASSERT(strcmp(clean, twice) == 0);
    (void)text_width(clean, (u32)strlen(clean));
    free(clean);
    free(twice);
    free(text_repair(text, bytes));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
    if (bytes < 1) return 0;
    char text[512];
    u32 length = (u32)min_u64(bytes - 1, sizeof text - 1);
    memcpy(text, data + 1, length);
    text[length] = 0;
    switch (data[0] % 5) {
    case 0:
        read_size(text);
        break;
    case 1:
        read_duration(text);
        break;
    case 2:
        read_time(text);
        break;
    case 3:
        read_options(text);
        break;
    default:
        read_text(text, length);
        break;
    }
    return 0;
}
