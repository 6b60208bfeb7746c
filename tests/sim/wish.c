#include "tests/sim/wish.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/frame.h"
#include "port/file.h"
#include "tests/sim/injected.h"
#include "tests/sim/oracle.h"
#include "tests/sim/world.h"

#define BACKUPS 40u

static struct {
    u64 op;
    bool granted;
} backups[BACKUPS]; /* by their numbers */

void wishes_forget(void) { memset(backups, 0, sizeof backups); }

static bool backup_there(u32 number)
{
    char path[32];
    snprintf(path, sizeof path, "/data/backups/b%u", number);
    return file_exists(path);
}

bool wish_draw(struct wish *wish, u64 seq, char *name)
{
    *wish = (struct wish){.seq = seq, .op = oracle_told_op(), .process = world->processes};
    if (!chance(1, 3)) return false;
    wish->backup = (u32)chance_below(BACKUPS);
    snprintf(name, WISH_NAME_BYTES, "b%u", wish->backup);
    return true;
}

static bool reason(const struct wish *wish, const struct tkd_frame *answer)
{
    switch (answer->status) {
    case TKD_STOPPING:
        return true;
    case TKD_IN_USE:
        return answer->op == TKD_OP_BACKUP && backup_there(wish->backup);
    case TKD_STORAGE_FULL:
        return process_lacks_room(answer->op == TKD_OP_BACKUP);
    case TKD_BUSY:
        return injected_error("/data/store", 0) || injected_error("/data/backups", 0);
    }
    return false;
}

void wish_answered(struct wish *asked, const struct tkd_frame *answer)
{
    const struct wish wish = *asked;
    const char *name = tkd_op_info(answer->op)->name;
    asked->seq = 0;
    if (answer->seq != wish.seq) violation("a %s was answered that nobody asked for", name);
    bool judged = wish.process == world->processes && !world->point_reached; /* its errors are known */
    if (answer->status != TKD_OK && judged && !reason(&wish, answer))
        violation("a %s was refused: %s", name, tkd_status_info(answer->status)->name);
    if (answer->status != TKD_OK) return;
    oracle_checkpointed(wish.op);
    if (answer->op != TKD_OP_BACKUP) return;
    if (backups[wish.backup].granted) violation("backup b%u was made twice", wish.backup);
    backups[wish.backup].granted = true;
    backups[wish.backup].op = wish.op;
}

u64 wish_backup_op(const char *name) { return backups[strtoul(name + 1, NULL, 10)].op; }

void wishes_check(void)
{
    for (u32 i = 0; i < BACKUPS; i++) {
        if (backups[i].granted && !backup_there(i)) violation("backup b%u was granted and is gone", i);
    }
}
