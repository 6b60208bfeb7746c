/* A desk on a data directory, driven by the commands of a rig: log, state, store and checkpoint together,
 * with a loop as small as possible. */
#ifndef SUPPORT_HOUSE_H
#define SUPPORT_HOUSE_H

#include "durable/checkpoint.h"
#include "durable/recovery.h"
#include "tests/support/rig.h"

struct house {
    char data[4096];
    char backups[4096];
    struct recovery_config config;
    struct checkpoint_config checkpointing;
    struct recovery recovery;
    struct checkpoint *checkpoint;
    struct io *io;
    u64 script_at; /* in the rig's log: what was applied here */
    u64 acknowledged_op;
    char failure[256];
    char error[1024];
};

/* A new directory with small segments, rings and thresholds. */
void house_create(struct house *house);
void house_destroy(struct house *house);
i32 house_open(struct house *house);
void house_close(struct house *house);
/* As after kill -9: what was not submitted is forgotten. */
void house_kill(struct house *house);

/* Applies up to `commands` of the rig's log from where it stands; false: none are left. */
bool house_feed(struct house *house, const struct rig *rig, u32 commands);
/* A turn of the loop. */
void house_turn(struct house *house, bool wait);
/* Until everything applied is durable. */
void house_drain(struct house *house);
/* A whole checkpoint. */
i32 house_checkpoint(struct house *house, const char *backup);
u64 house_digest(const struct house *house);
/* Every event so far is in the store or in memory, in order, and the same as the rig's. */
void house_check_events(struct house *house);

#endif
