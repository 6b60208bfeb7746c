#include "port/ahead.h"

#include <signal.h>
#include <sys/mman.h>

#define PAGE_BYTES 4096u

void ahead_add(void *owner, void *memory, u64 bytes)
{
    struct ahead *ahead = owner;
    ASSERT(ahead->count < AHEAD_PIECES_MAX && !ahead->running);
    u64 begin = (u64)(uintptr_t)memory / PAGE_BYTES * PAGE_BYTES, end = (u64)(uintptr_t)memory + bytes;
    ahead->pieces[ahead->count].memory = (void *)(uintptr_t)begin;
    ahead->pieces[ahead->count++].bytes = end - begin;
}

static void *ahead_main(void *owner)
{
    const struct ahead *ahead = owner;
    for (u32 i = 0; i < ahead->count; i++)
        if (madvise(ahead->pieces[i].memory, ahead->pieces[i].bytes, MADV_POPULATE_WRITE) < 0) break;
    return NULL;
}

void ahead_start(struct ahead *ahead)
{
    sigset_t all, before; /* signals are the loop's */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    ahead->running = pthread_create(&ahead->thread, NULL, ahead_main, ahead) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void ahead_wait(struct ahead *ahead)
{
    if (ahead->running) pthread_join(ahead->thread, NULL);
    ahead->running = false;
}
