/* What a fuzzer gives, read as a program: every byte decides something, and behind the end there are zeros.
 */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include "base/base.h"

struct input {
    const u8 *at;
    const u8 *end;
};

static inline struct input input_of(const u8 *data, size_t bytes)
{
    return (struct input){data, data + bytes};
}
static inline u32 input_left(const struct input *input) { return (u32)(input->end - input->at); }
static inline u8 input_u8(struct input *input) { return input->at < input->end ? *input->at++ : 0; }
static inline u32 input_below(struct input *input, u32 below) { return input_u8(input) % below; }

/* Up to `bytes` bytes as they stand; fewer at the end. */
static inline const u8 *input_take(struct input *input, u32 *bytes)
{
    const u8 *at = input->at;
    *bytes = min_u32(*bytes, input_left(input));
    input->at += *bytes;
    return at;
}

/* Small numbers, round times and edges are one byte; any other is 0xf0 and eight more. */
static inline u64 input_number(struct input *input)
{
    u32 byte = input_u8(input);
    if (byte < 0xc0) return byte;
    if (byte < 0xd0) return (u64)(byte - 0xbf) * 60000;
    if (byte < 0xe0) return (u64)(byte - 0xcf) * 3600000;
    if (byte < 0xf0) return (u64)1 << (byte - 0xe0) * 4;
    if (byte > 0xf0) return UINT64_MAX >> (0xff - byte) * 4;
    u64 value = 0;
    for (u32 i = 0; i < 64; i += 8) value |= (u64)input_u8(input) << i;
    return value;
}

/* What libFuzzer calls. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes);

#endif
