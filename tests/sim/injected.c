#include "tests/sim/injected.h"

#include <stdio.h>

#include "tests/sim/disk.h"
#include "tests/sim/world.h"

#define INJECTED_MAX 256u /* different ones: of few files */

struct injected {
    enum call call;
    i32 error;
    char path[PATH_BYTES];
};
static struct injected items[INJECTED_MAX];
static u32 count;
static u64 room_least;

void injected_forget(void)
{
    count = 0;
    room_least = U64_NONE;
}

void injected_note(enum call call, const char *path, i32 error)
{
    u32 at = 0;
    while (at < count &&
           (items[at].call != call || items[at].error != error || strcmp(items[at].path, path) != 0))
        at++;
    if (at < count) return;
    ASSERT(count < INJECTED_MAX && error < 0);
    items[count] = (struct injected){.call = call, .error = error};
    snprintf(items[count++].path, PATH_BYTES, "%s", path);
}

void injected_room(u64 bytes) { room_least = min_u64(room_least, bytes); }

u64 injected_room_least(void) { return room_least; }

static bool below(const char *path, const char *directory)
{
    return strncmp(path, directory, strlen(directory)) == 0;
}

/* As a whole, not as the begin of a longer path. */
static bool says_path(const char *reason, const char *path, u64 bytes)
{
    for (const char *at = reason; (at = strstr(at, "/data")) != NULL; at++)
        if (strncmp(at, path, bytes) == 0 && strchr(" :;,", at[bytes]) != NULL) return true;
    return false;
}

/* A segment by its number; otherwise the directory. The store is one thing. */
static bool says_file(const char *reason, const char *path)
{
    const char *name = strrchr(path, '/'), *end;
    char number[PATH_BYTES];
    if (name++ == NULL) return false; /* it has been removed */
    end = strstr(name, ".log");
    if (below(path, "/data/store")) return strstr(reason, "store") != NULL;
    snprintf(number, sizeof number, "%.*s", end == NULL ? 0 : (int)(end - name), name);
    if (end != NULL && strstr(reason, number) != NULL) return true;
    return says_path(reason, path, strlen(path)) || says_path(reason, path, (u64)(name - path) - 1);
}

bool injected_named(const char *reason)
{
    for (u32 i = 0; i < count; i++)
        if (strstr(reason, strerror(-items[i].error)) != NULL && says_file(reason, items[i].path))
            return true;
    return false;
}

bool injected_below(enum call call, const char *directory)
{
    for (u32 i = 0; i < count; i++)
        if (items[i].call == call && below(items[i].path, directory)) return true;
    return false;
}

bool injected_error(const char *directory, i32 error)
{
    for (u32 i = 0; i < count; i++)
        if ((error == 0 || items[i].error == error) && below(items[i].path, directory)) return true;
    return false;
}
