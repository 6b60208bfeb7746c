/* How much of everything there may be. TEST_MIN makes every bound small, so that each is reached all the time. */
#ifndef CORE_LIMITS_H
#define CORE_LIMITS_H

#include "base/base.h"

#define SKILLS_MAX 255u
#define CHANNELS_MAX 255u
#define TIERS_MAX 63u
#define CATEGORIES_MAX 4095u
#define QUEUES_MAX 4095u
#define AGENTS_MAX 16383u
#define POLICIES_MAX 255u
#define SKILL_SETS_MAX LIMIT(65535u, 40u)
#define TAGS_MAX LIMIT(65535u, 12u)
#define TREE_DEPTH_MAX 10u

#define SESSIONS_MAX LIMIT(4095u, 12u)
#define SESSION_WINDOW_MAX 64u
/* Unused for so long, a session may be evicted for the room that its kept answers take. */
#define SESSION_IDLE_MS LIMIT(3600000u, 60000u)
#define TICKET_TAGS_MAX LIMIT(32u, 4u)
#define CAPACITY_MAX 1000u

/* Work that one command may cause besides its own records; what is left is done by the next PULSE. */
#define PULSE_TIMERS_MAX LIMIT(1024u, 4u)
#define DRAIN_MAX LIMIT(1024u, 3u)
#define SWEEP_ROWS_MAX LIMIT(1024u, 4u)

/* Counter rows have no share of the budget, so that a replay counts the same anywhere. */
#define STATS_MAX LIMIT(1u << 24, 512u)
/* So many of them, one behind the other, have sums of their own. */
#define STATS_BLOCK_ROWS LIMIT(1u << 14, 8u)
/* Rows of a table that has a share of the budget, however small that is. */
#define ROWS_MIN LIMIT(1u << 14, 48u)
#define EVENT_RING_BYTES_MIN LIMIT(4 * (u64)TKD_FRAME_BYTES_MAX, (u64)256 << 10)
#define WHEEL_SLOT_BITS LIMIT(6u, 2u)

#define SKILL_WORDS ((SKILLS_MAX + 64u) / 64u)
#define CHANNEL_WORDS ((CHANNELS_MAX + 64u) / 64u)
#define CATEGORY_WORDS ((CATEGORIES_MAX + 64u) / 64u)
#define QUEUE_WORDS ((QUEUES_MAX + 64u) / 64u)
#define AGENT_WORDS ((AGENTS_MAX + 64u) / 64u)

#define NAME_BYTES_MAX 120u
#define TAG_BYTES_MAX 64u
#define DAY_MS 86400000u
#define HOUR_MS 3600000u
#define TIME_MS_MAX ((u64)1 << 47) /* of a command: the year 6429; every deadline is then below that of the wheel */
#define DURATION_MS_MAX ((u64)1 << 44) /* of a target or a lead: 557 years */
#define ARCHIVE_AFTER_MS (365u * (u64)DAY_MS)

#endif
