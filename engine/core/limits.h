/* How much of everything there may be. TEST_MIN makes every bound small, so that each is reached all the time. */
#ifndef CORE_LIMITS_H
#define CORE_LIMITS_H

#define SKILLS_MAX 255u
#define CHANNELS_MAX 255u
#define TIERS_MAX 63u
#define CATEGORIES_MAX 4095u
#define QUEUES_MAX 4095u
#define AGENTS_MAX 16383u
#define POLICIES_MAX 255u
#define SKILL_SETS_MAX 65535u
#define TAGS_MAX 65535u
#define TREE_DEPTH_MAX 10u

#ifdef TEST_MIN
#define SESSIONS_MAX 12u
#else
#define SESSIONS_MAX 4095u
#endif
#define SESSION_WINDOW_MAX 64u
#define TICKET_TAGS_MAX 32u
#define CAPACITY_MAX 1000u

/* Work that one command may cause besides its own records; what is left is done by the next PULSE. */
#ifdef TEST_MIN
#define STATS_MAX 4096u
#define PULSE_TIMERS_MAX 4u
#define DRAIN_MAX 4u
#define SWEEP_ROWS_MAX 4u
#else
#define STATS_MAX (1u << 24) /* counter rows; no share of the budget, so that a replay counts the same anywhere */
#define PULSE_TIMERS_MAX 1024u
#define DRAIN_MAX 1024u
#define SWEEP_ROWS_MAX 1024u
#endif

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
