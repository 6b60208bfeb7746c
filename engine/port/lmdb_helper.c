/* The thread that works off the store's jobs. They cross between it and the loop's thread through two lists
 * under one mutex; an eventfd wakes the loop. No answer waits for the store unless it lags far behind, so where
 * cores are scarce the loop goes first. The simulator has its own helper, without a thread.
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "port/lmdb.h"
#include "port/thread.h"

struct store_jobs {
    struct store_job *first;
    struct store_job *last;
};

struct lmdb_helper {
    struct store *store;
    struct io *io;
    struct io_op wake;
    u64 wake_count;
    int wake_fd;

    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wanted;
    struct store_jobs queued;   /* under the mutex */
    struct store_jobs finished; /* under the mutex */
    bool stopping;              /* under the mutex */
};

static void jobs_push(struct store_jobs *jobs, struct store_job *job)
{
    job->next = NULL;
    if (jobs->last == NULL)
        jobs->first = job;
    else
        jobs->last->next = job;
    jobs->last = job;
}

static struct store_job *jobs_pop(struct store_jobs *jobs)
{
    struct store_job *job = jobs->first;
    if (job == NULL) return NULL;
    jobs->first = job->next;
    if (jobs->first == NULL) jobs->last = NULL;
    job->next = NULL;
    return job;
}

/* ---- The helper's thread ---- */

static void wake_loop(struct lmdb_helper *helper)
{
    u64 one = 1;
    ssize_t put;
    do put = write(helper->wake_fd, &one, sizeof one);
    while (put < 0 && errno == EINTR);
    ASSERT(put == sizeof one);
}

static void *helper_main(void *owner)
{
    struct lmdb_helper *helper = owner;
    thread_begin("store");
    pthread_mutex_lock(&helper->mutex);
    for (;;) {
        while (!helper->stopping && helper->queued.first == NULL)
            pthread_cond_wait(&helper->wanted, &helper->mutex);
        if (helper->stopping) break;
        struct store_job *job = jobs_pop(&helper->queued);
        pthread_mutex_unlock(&helper->mutex);
        job->result = lmdb_job_run(helper->store, job);
        pthread_mutex_lock(&helper->mutex);
        jobs_push(&helper->finished, job);
        pthread_mutex_unlock(&helper->mutex); /* which the loop will want at once */
        wake_loop(helper);
        pthread_mutex_lock(&helper->mutex);
    }
    pthread_mutex_unlock(&helper->mutex);
    return NULL;
}

/* ---- The loop's thread ---- */

static void wake_done(struct io_op *op, i32 result)
{
    struct lmdb_helper *helper = op->owner;
    ASSERT(result == sizeof helper->wake_count || result == -EINTR || result == -EAGAIN);
    pthread_mutex_lock(&helper->mutex);
    bool stopping = helper->stopping;
    struct store_jobs finished = helper->finished;
    helper->finished = (struct store_jobs){0};
    pthread_mutex_unlock(&helper->mutex);
    if (stopping) return;
    io_read(helper->io, &helper->wake, helper->wake_fd, &helper->wake_count, sizeof helper->wake_count);
    for (struct store_job *job = jobs_pop(&finished); job != NULL; job = jobs_pop(&finished)) {
        job->done(job, job->result);
    }
}

void store_submit(struct store *store, struct store_job *job)
{
    struct lmdb_helper *helper = store->helper;
    ASSERT(helper != NULL && job->done != NULL);
    ASSERT(job->kind >= STORE_CHUNKS && job->kind <= STORE_COPY);
    pthread_mutex_lock(&helper->mutex);
    jobs_push(&helper->queued, job);
    pthread_cond_signal(&helper->wanted);
    pthread_mutex_unlock(&helper->mutex);
}

i32 lmdb_helper_start(struct store *store, struct io *io)
{
    struct lmdb_helper *helper = calloc(1, sizeof *helper);
    if (helper == NULL) return -ENOMEM;
    *helper = (struct lmdb_helper){.store = store, .io = io, .wake_fd = eventfd(0, EFD_CLOEXEC)};
    helper->wake = (struct io_op){.done = wake_done, .owner = helper};
    pthread_mutex_init(&helper->mutex, NULL);
    pthread_cond_init(&helper->wanted, NULL);
    i32 result = helper->wake_fd < 0 ? -errno : thread_start(&helper->thread, helper_main, helper);
    if (result < 0) {
        if (helper->wake_fd >= 0) close(helper->wake_fd);
        free(helper);
        return result;
    }
    store->helper = helper;
    io_read(io, &helper->wake, helper->wake_fd, &helper->wake_count, sizeof helper->wake_count);
    return 0;
}

void lmdb_helper_stop(struct store *store)
{
    struct lmdb_helper *helper = store->helper;
    pthread_mutex_lock(&helper->mutex);
    helper->stopping = true;
    pthread_cond_signal(&helper->wanted);
    pthread_mutex_unlock(&helper->mutex);
    pthread_join(helper->thread, NULL);
    wake_loop(helper);
    while (helper->wake.busy) io_run(helper->io, true);
    pthread_cond_destroy(&helper->wanted);
    pthread_mutex_destroy(&helper->mutex);
    close(helper->wake_fd);
    free(helper);
    store->helper = NULL;
}
