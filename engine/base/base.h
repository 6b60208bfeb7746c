/* What every file of the engine may use: fixed-width types, asserts that stay on, small arithmetic. */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ticketd/wire.h"

#define U32_NONE UINT32_MAX
#define U64_NONE UINT64_MAX

/* A broken invariant stops the process: what is durable stays right, what is wrong is never served. Conditions have
 * no side effects: coverage is measured without asserts, whose other branch no test can take. */
_Noreturn void assert_failed(const char *file, int line, const char *what);
#ifdef COVERAGE
#define ASSERT(condition) ((void)sizeof((condition) ? 1 : 0))
#else
#define ASSERT(condition) ((condition) ? (void)0 : assert_failed(__FILE__, __LINE__, #condition))
#endif

/* How much of something there may be: `small` where TEST_MIN wants every bound reached all the time. */
#ifdef TEST_MIN
#define LIMIT(normal, small) (small)
#else
#define LIMIT(normal, small) (normal)
#endif

/* What will be read, or changed, soon. Macros: gcc takes a function that only prefetches for one without effect, and
 * drops the call. */
#define prefetch(address)      __builtin_prefetch(address)
#define prefetch_edit(address) __builtin_prefetch(address, 1)

#define ARRAY_COUNT(array) ((u32)(sizeof(array) / sizeof((array)[0])))

static inline u64 min_u64(u64 a, u64 b) { return a < b ? a : b; }
static inline u64 max_u64(u64 a, u64 b) { return a > b ? a : b; }
static inline u32 min_u32(u32 a, u32 b) { return a < b ? a : b; }
static inline u32 max_u32(u32 a, u32 b) { return a > b ? a : b; }
static inline u64 round_up(u64 value, u64 to) { return (value + to - 1) / to * to; }
static inline u64 sat_sub(u64 a, u64 b) { return a > b ? a - b : 0; }
static inline u32 bit_lowest(u64 word) { return (u32)__builtin_ctzll(word); }
static inline u32 bit_count(u64 word) { return (u32)__builtin_popcountll(word); }

#endif
