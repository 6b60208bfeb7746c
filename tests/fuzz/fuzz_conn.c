/* Bytes of a connection, in any pieces: the inbox slices the same frames out of them as a walk over the
 * whole. The input is a program of frames, sound and damaged, or the stream itself; the pieces follow from
 * its last bytes. */
#include "core/frame.h"
#include "edge/inbox.h"
#include "port/host.h"
#include "tests/fuzz/input.h"

#define STREAM_BYTES_MAX (160u << 10)
#define FRAMES_MAX       64u

static _Alignas(8) u8 stream[STREAM_BYTES_MAX];
static _Alignas(INBOX_IDLE_BYTES) u8 memory[INBOX_BYTES];

/* Linked instead of the host's, which asks the kernel. What the memory reads as afterwards is nobody's
 * business. */
void host_discard(void *at, u64 bytes)
{
    ASSERT((u8 *)at >= memory && (u8 *)at + bytes <= memory + INBOX_BYTES);
}

static u32 frame_write(struct input *input, u32 at)
{
    struct tkd_frame head = {.magic = TKD_MAGIC, .version = TKD_PROTOCOL_VERSION, .count = 1};
    u32 op = input_u8(input), how = input_u8(input), body = input_u8(input);
    if (how == 0xff)
        body = 16900; /* more than the busy window */
    else if (how >= 0xf0)
        body *= 8;
    else
        body &= 15;
    body *= 8;
    if (at + sizeof head + body > STREAM_BYTES_MAX) return at;
    u32 given = min_u32(body, 64);
    const u8 *from = input_take(input, &given);
    struct tkd_frame *frame = (struct tkd_frame *)(void *)(stream + at);
    head.op = (u16)op;
    head.size = (u32)sizeof head + body;
    if (how & 1) head.count = input_u8(input);
    if (how & 2) head.flags = input_u8(input);
    memcpy(stream + at, &head, sizeof head);
    memset(frame + 1, 0, body);
    if (given != 0) memcpy(frame + 1, from, given);
    frame_seal(frame);
    if (how & 4) stream[at + input_u8(input) % head.size] ^= (u8)(1 + input_below(input, 255));
    return at + head.size - (how & 8 ? 8 * input_below(input, 9) : 0);
}

static u32 stream_write(struct input *input)
{
    u32 at = 0;
    if (input_u8(input) == 0xff) {
        at = min_u32(input_left(input), STREAM_BYTES_MAX);
        memcpy(stream, input->at, at);
        return at;
    }
    for (u32 i = 0; i < FRAMES_MAX && input_left(input) > 0; i++) at = frame_write(input, at);
    return at;
}

/* The frames as they lie in the stream; returns their number. `*fatal`: why it cannot go on. */
static u32 walk(u32 bytes, u32 *places, enum tkd_status *fatal)
{
    u32 count = 0;
    *fatal = 0;
    for (u32 at = 0; count < FRAMES_MAX;) {
        enum tkd_status status = frame_header_check(stream + at, bytes - at);
        if (status != TKD_OK) {
            *fatal = status;
            break;
        }
        struct tkd_frame head;
        memcpy(&head, stream + at, sizeof head);
        if (head.size > bytes - at) break;
        places[count++] = at;
        at += head.size;
    }
    return count;
}

/* Takes what is there; odd frames are skipped when `skips`. */
static bool take(struct inbox *inbox, const u32 *places, u32 count, u32 *taken, bool skips,
                 enum tkd_status *status)
{
    const struct tkd_frame *frame;
    while ((frame = inbox_frame(inbox, status)) != NULL) {
        ASSERT(*taken < count && (uintptr_t)frame % 8 == 0 && inbox_header(inbox) == frame);
        ASSERT(memcmp(frame, stream + places[*taken], frame->size) == 0);
        ASSERT(tkd_status_info(frame_check(frame)) != NULL);
        if (skips && *taken % 2 == 1)
            inbox_skip(inbox);
        else
            inbox_consume(inbox);
        ++*taken;
    }
    return *status == 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
    struct input input = input_of(data, bytes);
    u32 places[FRAMES_MAX], stream_bytes = stream_write(&input), taken = 0, turn = 0;
    enum tkd_status fatal, status = 0;
    u32 count = walk(stream_bytes, places, &fatal);
    if (count == FRAMES_MAX) return 0;
    struct quota quota = {.max_bytes = bytes % 3 == 0 ? 0 : INBOX_BYTES};
    struct inbox inbox;
    inbox_open(&inbox, memory);
    for (u32 at = 0; at < stream_bytes && status == 0; turn++) {
        u8 *space;
        u32 room = inbox_space(&inbox, &quota, 0, &space);
        if (room == 0) {
            quota.max_bytes = INBOX_BYTES;
            continue;
        }
        ASSERT(space >= memory && space + room <= memory + INBOX_BYTES);
        u32 piece = max_u32(1u << (data[bytes - 1 - turn % bytes] % 18), stream_bytes / 64);
        piece = min_u32(min_u32(room, stream_bytes - at), piece);
        memcpy(space, stream + at, piece);
        inbox_received(&inbox, piece);
        at += piece;
        take(&inbox, places, count, &taken, bytes % 2 == 1, &status);
        inbox_shrink(&inbox, &quota);
    }
    ASSERT(status == fatal && taken == count);
    inbox_close(&inbox, &quota);
    ASSERT(quota.used_bytes == 0);
    return 0;
}
