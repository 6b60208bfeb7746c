#include "port/ahead.h"

#include <sys/mman.h>

#include "port/thread.h"

#define PAGE_BYTES 4096u
#define STEP_BYTES (4u << 20) /* at a time: a stop waits for no more */

/* The next step, taken off the first piece; false: the end. */
static bool step_take(struct ahead *ahead, struct ahead_piece *step)
{
    pthread_mutex_lock(&ahead->mutex);
    ahead->working = false;
    while (!ahead->stopping && ahead->count == 0) pthread_cond_wait(&ahead->wanted, &ahead->mutex);
    bool more = ahead->working = !ahead->stopping;
    if (more) {
        struct ahead_piece *piece = &ahead->pieces[ahead->first];
        *step = (struct ahead_piece){piece->begin, min_u64(piece->bytes, STEP_BYTES)};
        piece->begin += step->bytes;
        piece->bytes -= step->bytes;
        if (piece->bytes == 0) {
            ahead->first = (ahead->first + 1) % AHEAD_PIECES_MAX;
            ahead->count--;
        }
    }
    pthread_mutex_unlock(&ahead->mutex);
    return more;
}

static void *ahead_main(void *owner)
{
    struct ahead_piece step;
    thread_begin("memory");
    while (step_take(owner, &step)) (void)madvise((void *)(uintptr_t)step.begin, step.bytes, MADV_POPULATE_WRITE);
    return NULL;
}

void ahead_start(struct ahead *ahead)
{
    *ahead = (struct ahead){0};
    pthread_mutex_init(&ahead->mutex, NULL);
    pthread_cond_init(&ahead->wanted, NULL);
    ahead->running = thread_start(&ahead->thread, ahead_main, ahead) == 0;
}

void ahead_add(void *owner, void *memory, u64 bytes)
{
    struct ahead *ahead = owner;
    u64 begin = (u64)(uintptr_t)memory / PAGE_BYTES * PAGE_BYTES, end = (u64)(uintptr_t)memory + bytes;
    if (!ahead->running || bytes == 0) return;
    pthread_mutex_lock(&ahead->mutex);
    if (ahead->count < AHEAD_PIECES_MAX) {
        ahead->pieces[(ahead->first + ahead->count++) % AHEAD_PIECES_MAX] = (struct ahead_piece){begin, end - begin};
        pthread_cond_signal(&ahead->wanted);
    }
    pthread_mutex_unlock(&ahead->mutex);
}

bool ahead_idle(struct ahead *ahead)
{
    if (!ahead->running) return true;
    pthread_mutex_lock(&ahead->mutex);
    bool idle = ahead->count == 0 && !ahead->working;
    pthread_mutex_unlock(&ahead->mutex);
    return idle;
}

void ahead_stop(struct ahead *ahead)
{
    if (!ahead->running) return;
    pthread_mutex_lock(&ahead->mutex);
    ahead->stopping = true;
    pthread_cond_signal(&ahead->wanted);
    pthread_mutex_unlock(&ahead->mutex);
    pthread_join(ahead->thread, NULL);
    pthread_cond_destroy(&ahead->wanted);
    pthread_mutex_destroy(&ahead->mutex);
    ahead->running = false;
}
