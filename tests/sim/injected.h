/* The errors that were injected since the process started: what it gives as its reason must be one of them.
 */
#ifndef SIM_INJECTED_H
#define SIM_INJECTED_H

#include "tests/sim/exhaust.h"

/* Another process begins. */
void injected_forget(void);
/* This call on this file fails with -errno. */
void injected_note(enum call call, const char *path, i32 error);
/* The process was told that the disk has so much room. */
void injected_room(u64 bytes);
/* Does the reason say one of these errors, and name the file, or the log or the store that it belongs to? */
bool injected_named(const char *reason);
/* A call of this kind on a file below this directory has failed; `error` 0: with any. */
bool injected_below(enum call call, const char *directory);
bool injected_error(const char *directory, i32 error);
/* The least room that it was told of. */
u64 injected_room_least(void);

#endif
