#include "port/thread.h"

#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* More makes questions faster and the store slower: on one processor, beside questions, 10 halves the rate. */
enum { NICE = 5 };
/* The kernel's threads have 0.7 to 2.8 ms. No longer than needs be: who was preempted waits for it to be over. */
#define SLICE_LOOP_NS 4000000u
#define SLICE_NS      8000000u

/* What the kernel calls sched_attr, as of its first version. */
struct schedule {
    u32 size;
    u32 policy;
    u64 flags;
    i32 nice;
    u32 priority;
    u64 slice_ns;
    u64 deadline_ns;
    u64 period_ns;
};

/* The calling thread. Where it is refused, or slices are not known, all works as well. */
static void schedule(u32 policy, i32 nice_min, u64 slice_ns)
{
    i32 nice = getpriority(PRIO_PROCESS, (id_t)gettid());
    struct schedule schedule = {
        .size = sizeof schedule, .policy = policy, .nice = nice > nice_min ? nice : nice_min, .slice_ns = slice_ns};
    (void)syscall(SYS_sched_setattr, 0, &schedule, 0);
}

/* Another policy is somebody's choice. */
void thread_loop(void)
{
    if (sched_getscheduler(0) == SCHED_OTHER) schedule(SCHED_OTHER, INT32_MIN, SLICE_LOOP_NS);
}

i32 thread_start(pthread_t *thread, void *(*run)(void *), void *owner)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(thread, NULL, run, owner);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -code;
}

/* Of the policy BATCH: who is woken does not take the processor away from the loop that woke it. So too beside a loop
 * of a real-time policy, which they inherit; an idle one they would overtake. */
void thread_begin(const char *name)
{
    (void)pthread_setname_np(pthread_self(), name);
    if (sched_getscheduler(0) != SCHED_IDLE) schedule(SCHED_BATCH, NICE, SLICE_NS);
}
