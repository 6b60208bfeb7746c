/* Makes what is derived from the schema and kept in the repository:
 *
 *     protocol TEMPLATE          PROTOCOL.md on standard output: the template with its {{names}} filled in
 *     protocol --golden NAME     golden vectors on standard output (worked, members)
 */
#include "protocol/frames.h"
#include "protocol/tables.h"

#include <stdlib.h>
#include <string.h>

static void print_example(FILE *to, const char *name)
{
    static struct example example;
    for (u32 index = 0; example_worked(&example, index); index++) {
        if (strcmp(example.name, name) != 0) continue;
        fputs("```\n", to);
        frame_print_bytes(to, &example.frame.header);
        fputs("```\n", to);
        return;
    }
    fprintf(stderr, "protocol: no example `%s`\n", name);
    exit(1);
}

static bool print_section(FILE *to, const char *name)
{
    static const struct {
        const char *name;
        void (*print)(FILE *to);
    } sections[] = {
        {"header", table_header},     {"flags", table_flags},     {"ops", table_ops},
        {"statuses", table_statuses}, {"records", table_records}, {"enumerations", table_enumerations},
        {"events", table_events},     {"limits", table_limits},   {"checksums", table_checksums},
    };
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        if (strcmp(sections[i].name, name) != 0) continue;
        sections[i].print(to);
        return true;
    }
    return false;
}

/* A line `{{name}}` becomes a table, `{{example name}}` the bytes of a frame. */
static void print_line(FILE *to, const char *line)
{
    char name[64];
    if (sscanf(line, "{{example %63[a-z_]}}", name) == 1) {
        print_example(to, name);
    } else if (sscanf(line, "{{%63[a-z_]}}", name) == 1) {
        if (print_section(to, name)) return;
        fprintf(stderr, "protocol: no section `%s`\n", name);
        exit(1);
    } else {
        fputs(line, to);
    }
}

static int print_document(const char *path)
{
    FILE *template = fopen(path, "r");
    if (!template) {
        perror(path);
        return 1;
    }
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, template) >= 0) print_line(stdout, line);
    free(line);
    fclose(template);
    return fflush(stdout) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 2) return print_document(argv[1]);
    bool golden = argc == 3 && strcmp(argv[1], "--golden") == 0;
    if (golden && strcmp(argv[2], "worked") == 0) {
        golden_write(stdout, "Worked examples of frames; see PROTOCOL.md.", example_worked);
        return 0;
    }
    if (golden && strcmp(argv[2], "members") == 0) {
        golden_write(stdout, "Every record with every member set: offsets and widths.", example_members);
        return 0;
    }
    fprintf(stderr, "usage: protocol TEMPLATE | protocol --golden worked|members\n");
    return 2;
}
