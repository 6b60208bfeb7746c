/* Memory made ready ahead: it is there, and what was written to it meanwhile stays. */
#include <criterion/criterion.h>
#include <sys/mman.h>

#include "port/ahead.h"
#include "port/file.h"

#define PAGE_BYTES 4096u
#define PAGES      4096u

static bool resident(u8 *page)
{
    u8 there;
    cr_assert_eq(mincore(page, PAGE_BYTES, &there), 0);
    return there & 1;
}

Test(ahead, memory_is_ready_and_keeps_what_was_written)
{
    u8 *memory = file_buffer((u64)PAGES * PAGE_BYTES);
    cr_assert_not_null(memory);
    cr_assert_eq(madvise(memory, (u64)PAGES * PAGE_BYTES, MADV_NOHUGEPAGE), 0);
    struct ahead ahead = {0};
    memory[7] = 1;
    ahead_add(&ahead, memory + 3, PAGE_BYTES);
    ahead_add(&ahead, memory + 100 * PAGE_BYTES + 8, (PAGES - 200) * (u64)PAGE_BYTES);
    cr_assert_not(resident(memory + 2000 * PAGE_BYTES));
    ahead_start(&ahead);
    for (u32 page = 100; page < PAGES; page += 7) memory[page * PAGE_BYTES] = (u8)page;
    ahead_wait(&ahead);
    cr_assert_eq(memory[7], 1);
    for (u32 page = 100; page <= PAGES - 100; page++) {
        cr_assert(resident(memory + page * PAGE_BYTES), "page %u", page);
        cr_assert_eq(memory[page * PAGE_BYTES], page % 7 == 100 % 7 ? (u8)page : 0);
    }
    cr_assert_not(resident(memory + 50 * PAGE_BYTES));
    ahead_wait(&ahead);
    file_buffer_free(memory, (u64)PAGES * PAGE_BYTES);
}

Test(ahead, what_is_no_memory_stops_it_without_harm)
{
    u8 *memory = file_buffer(4 * PAGE_BYTES);
    cr_assert_not_null(memory);
    file_buffer_free(memory, 4 * PAGE_BYTES);
    struct ahead ahead = {0};
    ahead_add(&ahead, memory, 4 * PAGE_BYTES);
    ahead_start(&ahead);
    ahead_wait(&ahead);
    cr_assert_not(ahead.running);
}
