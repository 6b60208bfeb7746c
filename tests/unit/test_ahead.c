/* Memory made ready ahead: it is there, in the order of the wishes, and what was written to it meanwhile stays. */
#include <criterion/criterion.h>
#include <sched.h>
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

static u8 *pages_create(void)
{
    u8 *memory = file_buffer((u64)PAGES * PAGE_BYTES);
    cr_assert_not_null(memory);
    cr_assert_eq(madvise(memory, (u64)PAGES * PAGE_BYTES, MADV_NOHUGEPAGE), 0);
    return memory;
}

static void wait_for(u8 *page)
{
    while (!resident(page)) sched_yield(); /* the runner's time limit ends it */
}

Test(ahead, memory_is_ready_and_keeps_what_was_written)
{
    u8 *memory = pages_create();
    struct ahead ahead;
    ahead_start(&ahead);
    cr_assert(ahead.running);
    memory[7] = 1;
    cr_assert_not(resident(memory + 2000 * PAGE_BYTES));
    ahead_add(&ahead, memory + 3, PAGE_BYTES);
    ahead_add(&ahead, memory + 100 * PAGE_BYTES + 8, (PAGES - 200) * (u64)PAGE_BYTES);
    for (u32 page = 100; page < PAGES - 200; page += 7) memory[page * PAGE_BYTES] = (u8)page;
    wait_for(memory + (PAGES - 100) * PAGE_BYTES);
    cr_assert_eq(memory[7], 1);
    for (u32 page = 100; page <= PAGES - 100; page++) {
        cr_assert(resident(memory + page * PAGE_BYTES), "page %u", page);
        bool written = page % 7 == 100 % 7 && page < PAGES - 200;
        cr_assert_eq(memory[page * PAGE_BYTES], written ? (u8)page : 0);
    }
    cr_assert_not(resident(memory + 50 * PAGE_BYTES));
    ahead_stop(&ahead);
    ahead_stop(&ahead);
    file_buffer_free(memory, (u64)PAGES * PAGE_BYTES);
}

Test(ahead, who_is_idle_has_done_all)
{
    u8 *memory = pages_create();
    struct ahead ahead;
    ahead_start(&ahead);
    for (u32 page = 0; page < PAGES; page += PAGES / 8)
        ahead_add(&ahead, memory + page * PAGE_BYTES, (u64)PAGES / 8 * PAGE_BYTES);
    while (!ahead_idle(&ahead)) sched_yield(); /* the runner's time limit ends it */
    for (u32 page = 0; page < PAGES; page++) cr_assert(resident(memory + page * PAGE_BYTES), "page %u", page);
    ahead_stop(&ahead);
    cr_assert(ahead_idle(&ahead));
    file_buffer_free(memory, (u64)PAGES * PAGE_BYTES);
}

Test(ahead, what_is_no_memory_does_not_stop_it)
{
    u8 *gone = file_buffer(4 * PAGE_BYTES), *memory = pages_create();
    cr_assert_not_null(gone);
    file_buffer_free(gone, 4 * PAGE_BYTES);
    struct ahead ahead;
    ahead_start(&ahead);
    ahead_add(&ahead, gone, 4 * PAGE_BYTES);
    ahead_add(&ahead, memory, PAGE_BYTES);
    wait_for(memory);
    ahead_stop(&ahead);
    ahead_add(&ahead, memory + PAGE_BYTES, PAGE_BYTES); /* nobody there any more */
    cr_assert_not(resident(memory + PAGE_BYTES));
    file_buffer_free(memory, (u64)PAGES * PAGE_BYTES);
}
