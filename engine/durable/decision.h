/* What recovery decides about the log: tables, pure, and the reason of each line (decision.c).
 *
 * A crash can only tear what nobody knew to be durable, and a later batch tells what was: `durable_seq`. So
 * the log is cut only where everything behind is accounted for; whatever may have been durable and does not
 * verify, or is not there, is refused. The scan asks with what it has read so far; what it has not is
 * *_UNREAD, and a decision may be to read it.
 */
#ifndef DURABLE_DECISION_H
#define DURABLE_DECISION_H

#include "base/base.h"

enum decision {
    DECIDE_BEGIN = 1,  /* the log is read from this segment on */
    DECIDE_EARLIER,    /* the segment before is looked at */
    DECIDE_EMPTY,      /* no segment begins soundly */
    DECIDE_TAKE,       /* the batch here is applied */
    DECIDE_TAKE_NEXT,  /* the log goes on in the next segment */
    DECIDE_READ_NEXT,  /* how the next segment begins must be known */
    DECIDE_READ_LATER, /* what stands behind must be known */
    DECIDE_CUT,        /* the log ends here; what is behind is nobody's */
    DECIDE_ADOPT,      /* the segment behind the end is the reserve */
    DECIDE_REMOVE,     /* it goes */
    REFUSE_STRANGE,    /* of another store, or of another version of the format */
    REFUSE_DAMAGED,    /* it had been durable */
    REFUSE_GAP,        /* a segment is missing */
    REFUSE_END,        /* the store covers more than the log has */
    REFUSE_MISSING,    /* there is nothing, but there was something */
    REFUSE_BEGIN,      /* the log begins behind what the store covers */
    REFUSE_BEGIN_DAMAGED,
    DECISIONS_END
};

static inline bool decision_refuses(enum decision decision) { return decision >= REFUSE_STRANGE; }

/* ---- Where the log begins: asked of each segment, from the newest back ---- */

enum first_batch {
    FIRST_NONE,    /* there is no segment any more */
    FIRST_NOISE,   /* does not verify */
    FIRST_STRANGE, /* sound, but not of this store and format */
    FIRST_LATE,    /* sound; begins behind the first op that is wanted */
    FIRST_EARLY,   /* sound; begins with it, or before */
    FIRST_END
};
enum newer_segments {
    NEWER_NOISE, /* none of them begins soundly */
    NEWER_SOUND, /* the one behind this does */
    NEWER_TORN,  /* one does, but not the one behind this */
    NEWER_END
};

enum decision decide_begin(enum first_batch first, enum newer_segments newer);

/* ---- What stands where the next batch is to be ---- */

enum holds {
    HOLDS_UNREAD,
    HOLDS_NOTHING, /* the end of the segment; no segment */
    HOLDS_GAP,     /* the next segment there is has a higher number than the next */
    HOLDS_NOISE,   /* zeros, stale or torn bytes */
    HOLDS_STRANGE,
    HOLDS_BREAK, /* a sound batch that does not continue the chain */
    HOLDS_NEXT,  /* the batch */
    HOLDS_END
};
/* Among all that verifies behind that place, here and in later segments. */
enum later {
    LATER_UNREAD,
    LATER_NOTHING,
    LATER_UNTOLD, /* sound batches; when they were written, this one was not known to be durable */
    LATER_STRANGE,
    LATER_PROOF, /* one that was written when it was */
    LATER_END
};

struct log_end {
    enum holds here; /* not HOLDS_UNREAD, not HOLDS_GAP */
    enum holds next; /* at the beginning of the next segment */
    enum later later;
    bool store_ahead; /* the store covers more than has been read */
    bool lost;        /* no batch at all was found, of a log that had some */
};

enum decision decide_next(const struct log_end *end);

/* ---- What becomes of a segment behind the end ---- */

struct segment_behind {
    bool follows; /* directly */
    bool fits;    /* of the size wanted */
    bool used;    /* holds sound batches, which nobody was told of */
};

enum decision decide_behind(const struct segment_behind *segment);

#endif
