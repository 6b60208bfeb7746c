#include "bench/random.h"

#include <math.h>
#include <stdlib.h>

#include "bench/server.h"

/* ---- Zipf ---- */

static void *room(u64 bytes)
{
    void *memory = malloc(bytes);
    if (memory == NULL) die("no memory");
    return memory;
}

/* Vose's method: numbers with less than their share are filled up by those with more. */
static void alias_fill(struct zipf *zipf, double *share)
{
    u32 *small = room(zipf->count * sizeof *small), *large = room(zipf->count * sizeof *large);
    u64 smalls = 0, larges = 0;
    for (u64 i = 0; i < zipf->count; i++) {
        if (share[i] < 1)
            small[smalls++] = (u32)i;
        else
            large[larges++] = (u32)i;
    }
    while (smalls > 0 && larges > 0) {
        u32 low = small[--smalls], high = large[larges - 1];
        zipf->threshold[low] = (u32)(share[low] * 4294967295.0);
        zipf->alias[low] = high;
        share[high] -= 1 - share[low];
        if (share[high] < 1) {
            larges--;
            small[smalls++] = high;
        }
    }
    /* What is left has exactly its share, up to rounding. */
    while (larges > 0) zipf->threshold[large[--larges]] = UINT32_MAX;
    while (smalls > 0) zipf->threshold[small[--smalls]] = UINT32_MAX;
    free(small);
    free(large);
}

void zipf_create(struct zipf *zipf, u64 count, double exponent)
{
    ASSERT(count >= 1 && count <= UINT32_MAX);
    *zipf = (struct zipf){.count = count};
    if (exponent == 0) return;
    double *share = room(count * sizeof *share), sum = 0;
    zipf->threshold = room(count * sizeof *zipf->threshold);
    zipf->alias = room(count * sizeof *zipf->alias);
    for (u64 i = 0; i < count; i++) sum += share[i] = pow((double)i + 1, -exponent);
    for (u64 i = 0; i < count; i++) {
        share[i] *= (double)count / sum;
        zipf->alias[i] = (u32)i;
    }
    alias_fill(zipf, share);
    free(share);
}

void zipf_destroy(struct zipf *zipf)
{
    free(zipf->threshold);
    free(zipf->alias);
}

u64 zipf_draw(const struct zipf *zipf, struct prng *prng)
{
    u64 number = prng_below(prng, zipf->count);
    if (zipf->alias == NULL) return number;
    return (u32)prng_next(prng) <= zipf->threshold[number] ? number : zipf->alias[number];
}

/* ---- Texts ---- */

static const char *const english[] = {"Hello, ",
                                      "I have been waiting for my parcel since Monday. ",
                                      "The tracking page still says it is on its way. ",
                                      "Could you please look into this? ",
                                      "My order number is on the receipt that I attached. ",
                                      "The invoice shows the wrong amount. ",
                                      "I was charged twice for the same order. ",
                                      "The screen stays black after the last update. ",
                                      "I would like to return the shoes, they are too small. ",
                                      "Nobody called me back yesterday. ",
                                      "Please change the delivery address to my office. ",
                                      "It worked for a week and then stopped. ",
                                      "Thank you for your quick help. ",
                                      "Best regards"};
static const char *const chinese[] = {"您好，",
                                      "我的包裹从星期一开始一直没有更新。",
                                      "物流信息显示还在路上，已经三天了。",
                                      "请帮我查一下是什么原因。",
                                      "订单号在附件的收据上。",
                                      "发票金额不对，请重新开具。",
                                      "同一笔订单被扣款两次，麻烦核实退款。",
                                      "升级以后屏幕一直是黑的，无法使用。",
                                      "鞋子尺码偏小，想申请换货。",
                                      "昨天说好回电，一直没有人联系我。",
                                      "请把收货地址改成公司的地址。",
                                      "用了一个星期就坏了，还在保修期内。",
                                      "谢谢你们的帮助。",
                                      "此致敬礼"};

/* Whole sentences up to about `wanted` bytes. */
static u32 write_text(char *to, u32 wanted, bool is_chinese, struct prng *prng)
{
    const char *const *pieces = is_chinese ? chinese : english;
    u32 bytes = 0;
    do {
        const char *piece = pieces[prng_below(prng, ARRAY_COUNT(english))];
        u32 length = (u32)strlen(piece);
        memcpy(to + bytes, piece, length);
        bytes += length;
    } while (bytes < wanted);
    return bytes;
}

/* Log-normal: median 150 bytes, and one in a hundred beyond 2,000. */
static u32 body_length(struct prng *prng)
{
    double uniform = 0;
    for (u32 i = 0; i < 12; i++) uniform += (double)prng_below(prng, 1u << 20) / (1u << 20);
    double bytes = 150 * exp((uniform - 6) * 1.1); /* the sum of twelve is close to normal */
    return bytes > 4000 ? 4000 : (u32)bytes;
}

void texts_create(struct texts *texts, u32 body_bytes, u64 seed)
{
    _Static_assert(ARRAY_COUNT(english) == ARRAY_COUNT(chinese), "as many of both");
    struct prng prng = prng_seeded(seed);
    u64 body_max = max_u64(4200, body_bytes);
    char *to = texts->buffer = room(TEXTS_COUNT * (body_max + 200));
    for (u32 i = 0; i < TEXTS_COUNT; i++) {
        u32 bytes = write_text(to, 10, i % 2, &prng);
        texts->subjects[i] = (struct text){to, bytes};
        to += bytes;
        if (body_bytes == 0)
            bytes = write_text(to, body_length(&prng), i % 2, &prng);
        else
            memset(to, 'x', bytes = body_bytes);
        texts->bodies[i] = (struct text){to, bytes};
        to += bytes;
    }
}

void texts_destroy(struct texts *texts) { free(texts->buffer); }
