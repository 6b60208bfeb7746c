/* A desk as people declare it: every entry and every reference by name.
 *
 * One model serves the file and the server: a file is read into a desk, the server's catalog is turned into
 * one, the difference of two desks is a plan (plan.h), and a desk is written as a file. An entry's numbers
 * are kept in the wire record's head, its references as names with their place in the file.
 */
#ifndef TICKETCTL_DESK_H
#define TICKETCTL_DESK_H

#include <stdio.h>

#include "catalog.h"
#include "names.h"
#include "ticketd/wire.h"

#define DESK_NAME_BYTES_MAX  120u
#define DESK_TREE_LEVELS_MAX 10u
#define DESK_FILE_BYTES_MAX  (64u << 20)
#define DESK_ERRORS_MAX      20u

/* A name at a place in the file; line 0: not from a file. */
struct desk_name {
    const char *text; /* NULL = none */
    u32 line;
    u32 column;
};

struct desk_list {
    struct desk_name *names;
    u32 count;
};

enum desk_list_kind { LIST_SKILLS, LIST_QUEUES, LIST_CATEGORIES, LIST_CHANNELS, LIST_TIERS, LIST_END };

/* `head` holds the numbers; its id is 0 in a file. Its `kind` is the entry's. */
struct desk_entry {
    struct tkd_catalog_entry head;
    struct desk_name name;
    struct desk_name parent;
    struct desk_list lists[LIST_END];
};

struct desk_section {
    struct desk_entry **entries; /* a parent comes before its children */
    u32 count;
    u32 room;
    bool present;       /* the file has this section */
    struct names index; /* name -> number of the entry + 1 */
};

struct desk {
    struct desk_section sections[TKD_KIND_END];
    void *memory; /* entries, lists and texts */
};

/* ---- Files ---- */

/* Reads YAML. NULL: every fault (up to DESK_ERRORS_MAX) was written to `errors`, one a line, as
 * "file:line:column: entry: reason; remedy". References are checked within the file for sections that it
 * has; for others the plan does it. */
struct desk *desk_read(const char *text, size_t bytes, const char *file, FILE *errors);
/* Writes YAML, in a stable order. False: the file could not be written. */
bool desk_write(const struct desk *desk, FILE *file);

/* ---- The server ---- */

/* The catalog's entries in use, with their ids. */
struct desk *desk_of_catalog(const struct catalog *catalog);

/* ---- Both ---- */

void desk_free(struct desk *desk);
const struct desk_entry *desk_find(const struct desk *desk, u32 kind, const char *name);

/* "queues", the name of a kind's section. */
const char *desk_section_name(u32 kind);
/* The kind that a list refers to, and the list's text in the wire record. */
u32 desk_list_target(enum desk_list_kind list);
const char *desk_list_name(enum desk_list_kind list);

/* ---- For those who build one ---- */

struct desk *desk_new(void);
void *desk_allocate(struct desk *desk, size_t bytes);
const char *desk_text(struct desk *desk, const char *text, size_t bytes);
struct desk_entry *desk_add(struct desk *desk, u32 kind, struct desk_name name);
void desk_list_add(struct desk *desk, struct desk_list *list, struct desk_name name);

/* A duration as it is written in a file, exactly: "2h30m", "1d12h", "1s500ms". */
#define DESK_DURATION_BYTES 64u
const char *desk_duration(u64 duration_ms, char buffer[DESK_DURATION_BYTES]);
/* Needs a unit: "8" is none. */
bool desk_duration_parse(const char *text, u64 *duration_ms);

/* The nearest name of the kind, or NULL: nothing is near. */
const char *desk_nearest(const struct desk *desk, u32 kind, const char *name);
/* Levels above the entry, 0 = top; DESK_TREE_LEVELS_MAX: too many, or it is its own ancestor. */
u32 desk_level(const struct desk *desk, const struct desk_entry *entry);
/* Puts parents before their children; otherwise keeps the order. */
void desk_sort_tree(struct desk *desk, u32 kind);

#endif
