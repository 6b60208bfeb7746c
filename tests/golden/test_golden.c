/* The bytes on the wire are a promise. Both ways: what the golden files say is encoded to their bytes, and
 * their bytes verify and decode to what they say. */
#include <criterion/criterion.h>

#include "base/base.h"
#include "core/frame.h"
#include "protocol/frames.h"

#include <stdlib.h>

/* One paragraph of a golden file. */
struct golden {
    char name[64];
    char described[8192]; /* the comment lines behind the first */
    _Alignas(8) u8 bytes[EXAMPLE_BYTES_MAX];
    u32 count;
};

static FILE *golden_open(const char *name)
{
    char path[4096];
    const char *root = getenv("ROOT");
    snprintf(path, sizeof(path), "%s/tests/golden/%s", root ? root : ".", name);
    FILE *file = fopen(path, "r");
    cr_assert(file, "%s: run this from the repository's top", path);
    char title[256];
    cr_assert(fgets(title, sizeof(title), file) && fgets(title, sizeof(title), file));
    return file;
}

static void golden_line(struct golden *golden, const char *line)
{
    if (*line == '#') {
        if (!*golden->name) {
            cr_assert_eq(sscanf(line, "# %63[a-z_]", golden->name), 1);
        } else {
            cr_assert_lt(strlen(golden->described) + strlen(line), sizeof(golden->described));
            strcat(golden->described, line);
        }
        return;
    }
    u32 byte;
    for (; sscanf(line, "%2x", &byte) == 1; line += 2) {
        cr_assert_lt(golden->count, sizeof(golden->bytes));
        golden->bytes[golden->count++] = (u8)byte;
    }
}

static bool golden_next(FILE *file, struct golden *golden)
{
    memset(golden, 0, sizeof(*golden));
    char line[8192];
    while (fgets(line, sizeof(line), file) && *line != '\n') golden_line(golden, line);
    return golden->count > 0;
}

static u32 each(const char *name, void (*check)(const struct golden *golden))
{
    static struct golden golden;
    FILE *file = golden_open(name);
    u32 count = 0;
    for (; golden_next(file, &golden); count++) check(&golden);
    fclose(file);
    return count;
}

static void verifies(const struct golden *golden)
{
    const struct tkd_frame *frame = (const struct tkd_frame *)golden->bytes;
    cr_assert_eq(frame_header_check(golden->bytes, golden->count), TKD_OK, "%s", golden->name);
    cr_assert_eq(frame->size, golden->count);
    cr_assert_eq(frame->body_checksum, checksum_wire(frame + 1, frame->size - TKD_FRAME_BYTES));
    if (!(frame->flags & (TKD_FLAG_REPLY | TKD_FLAG_PUSH))) {
        cr_assert_eq(frame_check(frame), TKD_OK, "%s", golden->name);
    }
}

static void decodes(const struct golden *golden)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);
    frame_print(to, (const struct tkd_frame *)golden->bytes, "# ");
    fclose(to);
    cr_assert_str_eq(text, golden->described);
    free(text);
}

Test(golden, bytes_verify)
{
    cr_assert_geq(each("worked.txt", verifies), 15);
    cr_assert_geq(each("members.txt", verifies), 28);
}

Test(golden, bytes_decode_to_what_is_said)
{
    each("worked.txt", decodes);
    each("members.txt", decodes);
}

static void encodes(const char *name, example_source *source)
{
    static struct golden golden;
    static struct example example;
    FILE *file = golden_open(name);
    u32 index = 0;
    for (; golden_next(file, &golden); index++) {
        cr_assert(source(&example, index));
        cr_assert_str_eq(example.name, golden.name);
        cr_assert_eq(example.frame.header.size, golden.count);
        cr_assert_arr_eq(example.frame.bytes, golden.bytes, golden.count, "%s", golden.name);
    }
    cr_assert(!source(&example, index), "every example is in the file");
    fclose(file);
}

Test(golden, frames_encode_to_the_bytes)
{
    encodes("worked.txt", example_worked);
    encodes("members.txt", example_members);
}
