/* Threads beside the loop's: they take no signals, and where processors are scarce the loop goes first. */
#ifndef PORT_THREAD_H
#define PORT_THREAD_H

#include <pthread.h>

#include "base/base.h"

/* `run` begins with thread_begin(). 0 or -errno. */
i32 thread_start(pthread_t *thread, void *(*run)(void *), void *owner);
/* Names the calling thread (up to 15 letters) and puts it behind the loop's. */
void thread_begin(const char *name);

#endif
