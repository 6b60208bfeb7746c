/* Desk files: each fault is told with its place, and a desk that was read is written so that it reads the
 * same. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/input.h"
#include "ticketctl/desk.h"

static char told[64u << 10];

static struct desk *read_desk(const char *text, size_t bytes)
{
    FILE *errors = fmemopen(told, sizeof told, "w");
    ASSERT(errors != NULL);
    told[0] = 0;
    struct desk *desk = desk_read(text, bytes, "desk.yaml", errors);
    fclose(errors);
    ASSERT(desk != NULL ? told[0] == 0 : strncmp(told, "desk.yaml:", 10) == 0);
    return desk;
}

static char *write_desk(const struct desk *desk, size_t *bytes)
{
    char *text = NULL;
    FILE *file = open_memstream(&text, bytes);
    ASSERT(file != NULL && desk_write(desk, file) && fclose(file) == 0);
    return text;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
    struct desk *desk = read_desk((const char *)data, bytes);
    if (desk == NULL) return 0;
    size_t written, rewritten;
    char *text = write_desk(desk, &written);
    struct desk *again = read_desk(text, written);
    ASSERT(again != NULL);
    char *same = write_desk(again, &rewritten);
    ASSERT(written == rewritten && memcmp(text, same, written) == 0);
    desk_free(desk);
    desk_free(again);
    free(text);
    free(same);
    return 0;
}
