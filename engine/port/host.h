/* The machine and the process: limits, memory, signals, the service manager. Nothing of it is hot. */
#ifndef PORT_HOST_H
#define PORT_HOST_H

#include "base/base.h"

/* Raises the limit of open files as far as it goes; returns it. */
u32 host_files_max(void);
/* Memory this process may use: the machine's, or its control group's where that is less. */
u64 host_memory_bytes(void);

/* Address space, zeroed, taken in small pages as it is touched. NULL with an explanation. */
void *host_reserve(u64 bytes, char *error, u32 error_bytes);
void host_release(void *memory, u64 bytes);
/* Gives whole pages back; they read as zero afterwards. */
void host_discard(void *memory, u64 bytes);

/* SIGTERM and SIGINT arrive at the descriptor returned, one `struct host_signal` each; SIGPIPE and SIGHUP are
 * ignored. */
struct host_signal {
    u32 number;
    u8 rest[124];
};
i32 host_signals(void);

/* Tells the service manager ($NOTIFY_SOCKET), if there is one. */
void host_notify(const char *state);

#endif
