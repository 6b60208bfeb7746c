/* What a load draws: skewed numbers and texts as people write them. */
#ifndef BENCH_RANDOM_H
#define BENCH_RANDOM_H

#include "base/base.h"
#include "base/prng.h"

/* Zipf's law over 0..count-1: number k comes with weight 1 / (k + 1)^exponent. Drawn by inverting the
 * cumulative weights through an alias table (Walker 1977; Vose 1991): one draw costs the same for any skew.
 */
struct zipf {
    u64 count;
    u32 *threshold; /* of 2^32: below it the number itself, else its alias */
    u32 *alias;
};
/* Exponent 0: all alike, without a table. */
void zipf_create(struct zipf *zipf, u64 count, double exponent);
void zipf_destroy(struct zipf *zipf);
u64 zipf_draw(const struct zipf *zipf, struct prng *prng);

#define TEXTS_COUNT 512u

/* Subjects and bodies, half of them Chinese and half English. Bodies are as long as those of a service desk:
 * half below 200 bytes, one in a hundred above 2,000. */
struct text {
    const char *data;
    u32 bytes;
};
struct texts {
    char *buffer;
    struct text subjects[TEXTS_COUNT];
    struct text bodies[TEXTS_COUNT];
};
/* `body_bytes` 0: as described; otherwise every body has so many. */
void texts_create(struct texts *texts, u32 body_bytes, u64 seed);
void texts_destroy(struct texts *texts);

#endif
