/* Checkpoints and backups that clients ask for: one that was granted is there from then on, one that was
 * refused had its reason. */
#ifndef SIM_WISH_H
#define SIM_WISH_H

#include "base/base.h"
#include "ticketd/schema.h"

#define WISH_NAME_BYTES 16u

struct wish {
    u64 seq; /* 0: there is none */
    u64 op;  /* had been told of when it was asked for: it must be in it */
    u64 process;
    u32 backup;
};

void wishes_forget(void);
/* true: for a backup of this name. */
bool wish_draw(struct wish *wish, u64 seq, char *name);
void wish_answered(struct wish *wish, const struct tkd_frame *frame);
/* What a backup of this name must have at least. */
u64 wish_backup_op(const char *name);
/* All backups that were granted are there. */
void wishes_check(void);

#endif
