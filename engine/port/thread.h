/* Threads beside the loop's: they take no signals, and where processors are scarce the loop goes first.
 *
 * A thread of the kernel ends each durable write on a disk that cannot force single writes. It should not wait for a
 * processor until somebody's slice is over: since Linux 6.12 who wakes takes it from whoever has the longer slice. So
 * the loop has a longer one than the kernel's threads, and those beside it the longest.
 */
#ifndef PORT_THREAD_H
#define PORT_THREAD_H

#include <pthread.h>

#include "base/base.h"

/* The calling thread is the loop's. */
void thread_loop(void);
/* `run` begins with thread_begin(). 0 or -errno. */
i32 thread_start(pthread_t *thread, void *(*run)(void *), void *owner);
/* Names the calling thread (up to 15 letters) and puts it behind the loop's. */
void thread_begin(const char *name);

#endif
