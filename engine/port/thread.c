#include "port/thread.h"

#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

enum { NICE = 5 };

i32 thread_start(pthread_t *thread, void *(*run)(void *), void *owner)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(thread, NULL, run, owner);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -code;
}

/* Where one of these is refused all works as well. Of the policy BATCH: who is woken does not take the processor away
 * from the loop that woke it. */
void thread_begin(const char *name)
{
    (void)pthread_setname_np(pthread_self(), name);
    (void)sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){0});
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
}
