/* Memory that will be used soon, made ready by a thread of its own while the caller goes on: most of what its first use
 * costs is the kernel clearing it. Only a hint: without a thread, or a kernel that can, it is cleared as it is used. */
#ifndef PORT_AHEAD_H
#define PORT_AHEAD_H

#include <pthread.h>

#include "base/base.h"

#define AHEAD_PIECES_MAX 16u

struct ahead {
    struct {
        void *memory;
        u64 bytes;
    } pieces[AHEAD_PIECES_MAX];
    u32 count;
    bool running;
    pthread_t thread;
};

/* Pieces first, then the start. */
void ahead_add(void *ahead, void *memory, u64 bytes);
void ahead_start(struct ahead *ahead);
/* Waits until all of it is ready. */
void ahead_wait(struct ahead *ahead);

#endif
