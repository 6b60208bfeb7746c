/* Memory that will be used soon, made ready by a thread of its own while the caller goes on: most of what its first use
 * costs is the kernel clearing it, a millisecond for a huge page. Only a hint: without a thread, without room for the
 * wish, or with a kernel that cannot, it is cleared as it is used. */
#ifndef PORT_AHEAD_H
#define PORT_AHEAD_H

#include <pthread.h>

#include "base/base.h"

#define AHEAD_PIECES_MAX 64u

struct ahead_piece {
    u64 begin; /* address */
    u64 bytes;
};

struct ahead {
    bool running;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wanted;
    /* Under the mutex. */
    struct ahead_piece pieces[AHEAD_PIECES_MAX]; /* a ring */
    u32 first;
    u32 count;
    bool working;
    bool stopping;
};

void ahead_start(struct ahead *ahead);
/* In the order in which they were asked for. The memory stays where it is until the stop. */
void ahead_add(void *ahead, void *memory, u64 bytes);
/* Nothing is being made ready, nor will be before somebody asks. */
bool ahead_idle(struct ahead *ahead);
/* What was not begun is dropped. */
void ahead_stop(struct ahead *ahead);

#endif
