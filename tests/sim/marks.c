#include "tests/sim/marks.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mark.h"

#define LINES_MAX  64u
#define LINE_BYTES 128u

extern struct mark_place __start_marks[], __stop_marks[];

/* A mark may stand in several places, and in a header in several files: one hit is enough. */
static bool reached(const char *name)
{
    for (const struct mark_place *place = __start_marks; place < __stop_marks; place++) {
        if (place->hits > 0 && strcmp(place->name, name) == 0) return true;
    }
    return false;
}

static bool first_of_its_name(const struct mark_place *of)
{
    for (const struct mark_place *place = __start_marks; place < of; place++) {
        if (strcmp(place->name, of->name) == 0) return false;
    }
    return true;
}

void marks_report(void)
{
    u32 names = 0, never = 0;
    for (const struct mark_place *place = __start_marks; place < __stop_marks; place++) {
        if (!first_of_its_name(place)) continue;
        names++;
        if (reached(place->name)) continue;
        never++;
        printf("     never  %s\n", place->name);
    }
    printf("%u marks, %u never reached\n", names, never);
}

struct list {
    char lines[LINES_MAX][LINE_BYTES];
    u32 count;
};

/* Lines; what stands behind a '#' is an explanation. */
static bool list_read(struct list *list, const char *path)
{
    char line[256];
    FILE *file = fopen(path, "r");
    if (file == NULL) return false;
    while (fgets(line, sizeof line, file) != NULL) {
        u64 bytes = strcspn(line, "#\n");
        while (bytes > 0 && line[bytes - 1] == ' ') bytes--;
        if (bytes == 0) continue;
        ASSERT(list->count < LINES_MAX && bytes < LINE_BYTES);
        memcpy(list->lines[list->count++], line, bytes);
    }
    fclose(file);
    return true;
}

static bool listed(const struct list *list, const char *name)
{
    for (u32 i = 0; i < list->count; i++) {
        if (strcmp(list->lines[i], name) == 0) return true;
    }
    return false;
}

static bool exists(const char *name)
{
    for (const struct mark_place *place = __start_marks; place < __stop_marks; place++) {
        if (strcmp(place->name, name) == 0) return true;
    }
    return false;
}

bool marks_require(const char *path)
{
    static struct list excused;
    if (!list_read(&excused, path)) {
        fprintf(stderr, "cannot read %s\n", path);
        return false;
    }
    bool all = true;
    for (const struct mark_place *place = __start_marks; place < __stop_marks; place++) {
        if (!first_of_its_name(place) || reached(place->name) || listed(&excused, place->name)) continue;
        fprintf(stderr, "no seed has reached: %s\n", place->name);
        all = false;
    }
    for (u32 i = 0; i < excused.count; i++) {
        if (exists(excused.lines[i])) continue;
        fprintf(stderr, "%s names a mark that does not exist: %s\n", path, excused.lines[i]);
        all = false;
    }
    return all;
}
