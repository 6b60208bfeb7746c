/* Times and durations as people write them. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

#include "ticketctl/timefmt.h"

#define HOUR_MS 3600000ull
#define NOW_MS  1763721000123ull /* 2025-11-21T10:30:00.123Z */

static void zone(const char *name)
{
    setenv("TZ", name, 1);
    tzset();
}

Test(timefmt, durations_are_read)
{
    static const struct {
        const char *text;
        u64 ms;
    } good[] = {{"90m", 5400000},
                {"2h30m", 9000000},
                {"3d", 72 * HOUR_MS},
                {"1w", 168 * HOUR_MS},
                {"1500ms", 1500},
                {"10s", 10000},
                {"0", 0},
                {"250", 250},
                {"1d2h3m4s5ms", 93784005}};
    for (u32 i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        u64 ms = 1;
        cr_assert(duration_parse(good[i].text, &ms), "%s", good[i].text);
        cr_assert_eq(ms, good[i].ms, "%s", good[i].text);
    }
    static const char *const bad[] = {"", "h", "2x", "1h30", "-3d", "3 d", "99999999999999999999d", "1h-2m"};
    for (u32 i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        u64 ms = 1;
        cr_assert_not(duration_parse(bad[i], &ms), "%s", bad[i]);
    }
}

Test(timefmt, durations_are_shown)
{
    char buffer[TIME_TEXT_BYTES];
    cr_assert_str_eq(duration_text(0, buffer), "0ms");
    cr_assert_str_eq(duration_text(999, buffer), "999ms");
    cr_assert_str_eq(duration_text(59999, buffer), "59s");
    cr_assert_str_eq(duration_text(9000000, buffer), "2h30m");
    cr_assert_str_eq(duration_text(76 * HOUR_MS, buffer), "3d4h");
    cr_assert_str_eq(duration_text(72 * HOUR_MS, buffer), "3d");
}

Test(timefmt, times_are_read)
{
    zone("Asia/Shanghai");
    static const struct {
        const char *text;
        u64 ms;
    } good[] = {{"2025-11-21T10:30:00Z", 1763721000000},
                {"2025-11-21T10:30:00.123Z", NOW_MS},
                {"2025-11-21 18:30:00", 1763721000000},
                {"2025-11-21T18:30", 1763721000000},
                {"2025-11-21T19:30+09:00", 1763721000000},
                {"2025-11-21T05:30-0500", 1763721000000},
                {"2025-11-21", 1763654400000},
                {"2025-11", 1761926400000},
                {"@5", 5},
                {"now", NOW_MS},
                {"-1h", NOW_MS - HOUR_MS}};
    for (u32 i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        u64 ms = 1;
        cr_assert(time_parse(good[i].text, NOW_MS, &ms), "%s", good[i].text);
        cr_assert_eq(ms, good[i].ms, "%s: %llu", good[i].text, (unsigned long long)ms);
    }
    static const char *const bad[] = {
        "",  "yesterday", "2025", "2025-13-01",           "2025-02-30", "2025-11-21T25:00",
        "@", "@-1",       "-x",   "2025-11-21T10:30:00X", "1969-01-01", "21.11.2025"};
    for (u32 i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        u64 ms = 1;
        cr_assert_not(time_parse(bad[i], NOW_MS, &ms), "%s", bad[i]);
    }
}

Test(timefmt, times_are_shown)
{
    char buffer[TIME_TEXT_BYTES];
    zone("Asia/Shanghai");
    cr_assert_str_eq(time_utc(NOW_MS, buffer), "2025-11-21T10:30:00.123Z");
    cr_assert_str_eq(time_local(NOW_MS, buffer), "2025-11-21 18:30:00");
    cr_assert_str_eq(time_utc(UINT64_MAX, buffer), "9999-12-31T23:59:59.615Z");
}

Test(timefmt, periods_are_those_of_the_zone)
{
    char buffer[TIME_TEXT_BYTES];
    zone("Asia/Shanghai");
    u64 evening_ms = NOW_MS + 6 * HOUR_MS; /* the 22nd in Shanghai, still the 21st in UTC */
    cr_assert_str_eq(period_text(PERIOD_DAY, period_begin(PERIOD_DAY, evening_ms), buffer), "2025-11-22");
    cr_assert_str_eq(period_text(PERIOD_MONTH, period_begin(PERIOD_MONTH, evening_ms), buffer), "2025-11");
    cr_assert_str_eq(period_text(PERIOD_WEEK, period_begin(PERIOD_WEEK, evening_ms), buffer), "2025-W47");
    cr_assert_str_eq(period_text(PERIOD_HOUR, period_begin(PERIOD_HOUR, evening_ms), buffer),
                     "2025-11-22 00:00");
    cr_assert_eq(period_begin(PERIOD_ALL, evening_ms), 0);
    zone("UTC");
    cr_assert_str_eq(period_text(PERIOD_DAY, period_begin(PERIOD_DAY, evening_ms), buffer), "2025-11-21");
    /* A Monday is the begin of its own week. */
    cr_assert_eq(period_begin(PERIOD_WEEK, 1763337600000), 1763337600000);
    cr_assert_eq(period_parse("week"), PERIOD_WEEK);
    cr_assert_eq(period_parse("fortnight"), PERIOD_ALL);
}

Test(timefmt, a_day_of_23_hours)
{
    zone("Europe/Stockholm");
    u64 noon_ms = 1774782000000; /* 2026-03-29 13:00, the clocks went forward in the night */
    cr_assert_eq(noon_ms - period_begin(PERIOD_DAY, noon_ms), 12 * HOUR_MS);
}
