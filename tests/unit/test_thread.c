/* Who goes first where processors are scarce. */
#include <criterion/criterion.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "port/thread.h"

struct seen {
    u32 size, policy;
    u64 flags;
    i32 nice;
    u32 priority;
    u64 slice_ns, deadline_ns, period_ns;
};

static struct seen schedule(void)
{
    struct seen seen = {0};
    cr_assert_eq(syscall(SYS_sched_getattr, 0, &seen, sizeof seen, 0), 0);
    return seen;
}

static void *behind(void *owner)
{
    char name[16];
    thread_begin("behind");
    *(struct seen *)owner = schedule();
    pthread_getname_np(pthread_self(), name, sizeof name);
    return (void *)(uintptr_t)(strcmp(name, "behind") == 0);
}

static struct seen beside(void)
{
    struct seen seen;
    pthread_t thread;
    void *named;
    cr_assert_eq(thread_start(&thread, behind, &seen), 0);
    pthread_join(thread, &named);
    cr_assert_not_null(named);
    return seen;
}

Test(thread, the_loop_goes_before_the_others)
{
    i32 nice_before = schedule().nice;
    thread_loop();
    struct seen loop = schedule(), other = beside();
    cr_assert_eq(loop.policy, SCHED_OTHER);
    cr_assert_eq(loop.nice, nice_before);
    cr_assert_eq(other.policy, SCHED_BATCH);
    cr_assert_geq(other.nice, 5);
    if (loop.slice_ns == 0) cr_skip("this kernel has no slices");
    cr_assert_gt(loop.slice_ns, 3000000); /* the kernel's threads have this or less */
    cr_assert_gt(other.slice_ns, loop.slice_ns);
}

Test(thread, who_is_nicer_stays_so)
{
    cr_assert_eq(nice(9), 9);
    thread_loop();
    cr_assert_eq(schedule().nice, 9);
    struct seen other = beside();
    cr_assert_eq(other.nice, 9);
    cr_assert_eq(other.policy, SCHED_BATCH);
}

Test(thread, an_idle_loop_is_not_overtaken)
{
    struct sched_param none = {0};
    cr_assert_eq(sched_setscheduler(0, SCHED_IDLE, &none), 0);
    thread_loop();
    cr_assert_eq(schedule().policy, SCHED_IDLE);
    cr_assert_eq(beside().policy, SCHED_IDLE);
}

Test(thread, a_real_time_loop_stays_before_the_others)
{
    struct sched_param lowest = {.sched_priority = 1};
    if (sched_setscheduler(0, SCHED_FIFO, &lowest) != 0) cr_skip("real-time policies are not allowed here");
    thread_loop();
    cr_assert_eq(schedule().policy, SCHED_FIFO);
    cr_assert_eq(beside().policy, SCHED_BATCH);
}
