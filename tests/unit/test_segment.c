#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "durable/segment.h"
#include "port/file.h"
#include "tests/support/directory.h"

static char directory[4096];
static char error[1024];

static void setup(void) { directory_make(directory); }

static void teardown(void) { directory_remove(directory); }

TestSuite(segment, .init = setup, .fini = teardown);

static void make(u64 number, u64 bytes)
{
    struct segment segment;
    cr_assert_eq(segment_make(&segment, directory, number, bytes), 0);
    cr_assert_eq(file_bytes(segment.fd), bytes);
    file_close(segment.fd);
}

Test(segment, a_new_one_is_whole_and_zero)
{
    make(1, 3 << 20);
    char path[4096];
    cr_assert_eq(segment_path(path, directory, 1), 0);
    cr_assert(strstr(path, "/0000000000000001.log"));
    u64 bytes;
    u8 *data = file_slurp(path, &bytes);
    cr_assert_eq(bytes, 3 << 20);
    for (u64 i = 0; i < bytes; i++) cr_assert_eq(data[i], 0);
    free(data);
}

Test(segment, they_are_listed_in_order)
{
    make(0x1f, 8192);
    make(2, 4096);
    make(0x100, 8192);
    char path[4096];
    const char *others[] = {"notes.txt", "1.log", "00000000000000zz.log", "0000000000000000.log",
                            "segment.preparing"};
    for (u32 i = 0; i < ARRAY_COUNT(others); i++) {
        cr_assert_eq(file_join(path, directory, others[i]), 0);
        file_spill(path, "x", 1);
    }
    struct segments segments;
    cr_assert_eq(segments_open(&segments, directory, true, error, sizeof error), 0, "%s", error);
    cr_assert_eq(segments.count, 3);
    cr_assert_eq(segments.items[0].number, 2);
    cr_assert_eq(segments.items[0].bytes_max, 4096);
    cr_assert_eq(segments.items[1].number, 0x1f);
    cr_assert_eq(segments.items[2].number, 0x100);
    file_close(segments.items[0].fd);
    segments_drop_first(&segments);
    cr_assert_eq(segments.items[0].number, 0x1f);
    cr_assert_eq(segment_remove(&segments.items[1], directory), 0);
    segments_close(&segments);
    cr_assert_eq(file_exists(path), 0); /* an unfinished preparation is gone */
    cr_assert_eq(segments_open(&segments, directory, false, error, sizeof error), 0, "%s", error);
    cr_assert_eq(segments.count, 2);
    segments_close(&segments);
}

Test(segment, a_list_grows)
{
    struct segments segments = {0};
    for (u64 i = 1; i <= 1000; i++) {
        struct segment segment = {.number = i, .fd = -1};
        cr_assert(segments_add(&segments, &segment));
    }
    cr_assert_eq(segments.count, 1000);
    cr_assert_eq(segments.items[999].number, 1000);
    segments_close(&segments);
    cr_assert_eq(segments.count, 0);
}

Test(segment, the_window_moves_over_the_file)
{
    enum { BLOCKS = 8192 };
    char path[4096];
    cr_assert_eq(segment_path(path, directory, 7), 0);
    u8 *data = calloc(BLOCKS, BLOCK_BYTES);
    for (u32 i = 0; i < BLOCKS; i++) memcpy(data + (u64)i * BLOCK_BYTES, &i, sizeof i);
    file_spill(path, data, (u64)BLOCKS * BLOCK_BYTES);
    free(data);
    struct segments segments;
    cr_assert_eq(segments_open(&segments, directory, false, error, sizeof error), 0, "%s", error);
    struct segment_window window;
    cr_assert_eq(window_open(&window, WINDOW_AHEAD_BYTES), 0);
    u32 offsets[] = {0, 1, 2000, 2047, 2048, 4095, 100, 8191, 5000, 5001};
    for (u32 i = 0; i < ARRAY_COUNT(offsets); i++) {
        for (u32 blocks = 1; blocks <= 1024 && offsets[i] + blocks <= BLOCKS; blocks *= 4) {
            i32 result;
            const u8 *at = window_at(&window, &segments.items[0], (u64)offsets[i] * BLOCK_BYTES,
                                     (u64)blocks * BLOCK_BYTES, &result);
            cr_assert_not_null(at);
            u32 first, last;
            memcpy(&first, at, sizeof first);
            memcpy(&last, at + (u64)(blocks - 1) * BLOCK_BYTES, sizeof last);
            cr_assert_eq(first, offsets[i]);
            cr_assert_eq(last, offsets[i] + blocks - 1);
        }
    }
    window_close(&window);
    segments_close(&segments);
}

Test(segment, wiping_zeroes_the_rest)
{
    char path[4096];
    cr_assert_eq(segment_path(path, directory, 1), 0);
    static u8 ones[65536];
    memset(ones, 1, sizeof ones);
    file_spill(path, ones, sizeof ones);
    struct segments segments;
    cr_assert_eq(segments_open(&segments, directory, true, error, sizeof error), 0, "%s", error);
    cr_assert_eq(segment_wipe(&segments.items[0], 8192), 0);
    segments_close(&segments);
    u64 bytes;
    u8 *data = file_slurp(path, &bytes);
    cr_assert_eq(bytes, sizeof ones);
    for (u64 i = 0; i < bytes; i++) cr_assert_eq(data[i], i < 8192 ? 1 : 0);
    free(data);
}

Test(segment, a_directory_that_is_not_there_is_explained)
{
    struct segments segments;
    cr_assert_eq(segments_open(&segments, "/no/such/log", false, error, sizeof error), -ENOENT);
    cr_assert(strstr(error, "/no/such/log"), "%s", error);
}
