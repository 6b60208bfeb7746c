#include "durable/decision.h"

#define IS(value) (1u << (value))
#define ANY       0xffu

enum decision decide_begin(enum first_batch first, enum newer_segments newer)
{
    static const struct {
        u8 first, newer;
        enum decision decision;
    } lines[] = {
        /* Whatever it is, it is not the log of this store. */
        {IS(FIRST_STRANGE), ANY, REFUSE_STRANGE},
        /* All that is wanted stands from here on; what is before is covered by the store. */
        {IS(FIRST_EARLY), ANY, DECIDE_BEGIN},
        /* Something before this one is wanted too. */
        {IS(FIRST_LATE), ANY, DECIDE_EARLIER},
        /* The reserve, or damage: what stands around it tells. */
        {IS(FIRST_NOISE), ANY, DECIDE_EARLIER},
        /* Nothing but reserves, and perhaps a first batch that was torn. */
        {IS(FIRST_NONE), IS(NEWER_NOISE), DECIDE_EMPTY},
        {IS(FIRST_NONE), IS(NEWER_SOUND), REFUSE_BEGIN},
        /* Before a sound segment there is a used one. */
        {IS(FIRST_NONE), IS(NEWER_TORN), REFUSE_BEGIN_DAMAGED},
    };
    enum decision decision = 0;
    for (u32 i = 0; i < ARRAY_COUNT(lines); i++) {
        if ((lines[i].first & IS(first)) == 0 || (lines[i].newer & IS(newer)) == 0) continue;
        ASSERT(decision == 0);
        decision = lines[i].decision;
    }
    ASSERT(decision != 0);
    return decision;
}

enum decision decide_next(const struct log_end *end)
{
    enum {
        BATCH = IS(HOLDS_NEXT),
        BROKEN = IS(HOLDS_BREAK),
        STRANGE = IS(HOLDS_STRANGE),
        GAP = IS(HOLDS_GAP),
        UNREAD = IS(HOLDS_UNREAD),
        NONE = IS(HOLDS_NOTHING) | IS(HOLDS_NOISE),
        HARMLESS = IS(LATER_NOTHING) | IS(LATER_UNTOLD),
        NO = IS(false),
        YES = IS(true)
    };
    static const struct {
        u8 here, next, later, store_ahead, lost;
        enum decision decision;
    } lines[] = {
        /* It verifies and continues the chain. */
        {BATCH, ANY, ANY, ANY, ANY, DECIDE_TAKE},
        /* Written by a program that knew another past; what it had read is gone. */
        {BROKEN, ANY, ANY, ANY, ANY, REFUSE_DAMAGED},
        /* To be read by another program, not to be cut by this one. */
        {STRANGE, ANY, ANY, ANY, ANY, REFUSE_STRANGE},
        /* A segment may end anywhere: the next one says whether this one did. */
        {NONE, UNREAD, ANY, ANY, ANY, DECIDE_READ_NEXT},
        {NONE, BATCH, ANY, ANY, ANY, DECIDE_TAKE_NEXT},
        {NONE, STRANGE, ANY, ANY, ANY, REFUSE_STRANGE},
        /* A segment is begun only when all before it is durable, so what is missing was. */
        {NONE, BROKEN, ANY, ANY, ANY, REFUSE_DAMAGED},
        /* Segments are numbered without gaps, and removed from the ends. */
        {NONE, GAP, ANY, ANY, ANY, REFUSE_GAP},
        /* Nothing continues: torn or damaged? */
        {NONE, NONE, IS(LATER_UNREAD), ANY, ANY, DECIDE_READ_LATER},
        {NONE, NONE, IS(LATER_PROOF), ANY, ANY, REFUSE_DAMAGED},
        {NONE, NONE, IS(LATER_STRANGE), ANY, ANY, REFUSE_STRANGE},
        /* What is in the store was durable in the log before. */
        {NONE, NONE, HARMLESS, YES, ANY, REFUSE_END},
        /* The segment with the last durable command is kept, so there was one. */
        {NONE, NONE, HARMLESS, NO, YES, REFUSE_MISSING},
        /* Nobody was told of anything from here on. */
        {NONE, NONE, HARMLESS, NO, NO, DECIDE_CUT},
    };
    ASSERT(end->here != HOLDS_UNREAD && end->here != HOLDS_GAP);
    enum decision decision = 0;
    for (u32 i = 0; i < ARRAY_COUNT(lines); i++) {
        if ((lines[i].here & IS(end->here)) == 0 || (lines[i].next & IS(end->next)) == 0) continue;
        if ((lines[i].later & IS(end->later)) == 0 || (lines[i].store_ahead & IS(end->store_ahead)) == 0)
            continue;
        if ((lines[i].lost & IS(end->lost)) == 0) continue;
        ASSERT(decision == 0);
        decision = lines[i].decision;
    }
    ASSERT(decision != 0);
    return decision;
}

enum decision decide_behind(const struct segment_behind *segment)
{
    /* Prepared, and never used: its bytes are zeros or those of an older number. Anything else goes, so that
     * nothing of it is ever taken for something. */
    return segment->follows && segment->fits && !segment->used ? DECIDE_ADOPT : DECIDE_REMOVE;
}
