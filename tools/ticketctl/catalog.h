/* The desk's catalog as read from the server: entries by kind, names to ids and back. */
#ifndef TICKETCTL_CATALOG_H
#define TICKETCTL_CATALOG_H

#include "ticketd/client.h"

/* Texts of a catalog entry, in the record's order. */
enum { ENTRY_NAME, ENTRY_SKILLS, ENTRY_QUEUES, ENTRY_CATEGORIES, ENTRY_CHANNELS, ENTRY_TIERS, ENTRY_TEXTS };

struct entry {
    struct tkd_catalog_entry head;
    struct tkd_text texts[ENTRY_TEXTS];
    char *name; /* texts[ENTRY_NAME], NUL at the end */
    void *row;
};

/* Entries of one kind, ascending by id. */
struct catalog_kind {
    struct entry *entries;
    u32 count;
};

struct catalog {
    struct catalog_kind kinds[TKD_KIND_END];
    u32 version;
    u32 unnamed_at; /* the next of unnamed[] */
    char unnamed[8][16];
};

/* Reads it all, consistently. 0, or a negative number of libticketd's, or TKD_E_REFUSED with `*status`. */
int catalog_read(struct tkd_client *client, struct catalog **catalog, u32 *status);
void catalog_free(struct catalog *catalog);

const struct entry *catalog_by_id(const struct catalog *catalog, u32 kind, u32 id);
/* Of several with the name (retired ones keep theirs) the one in use. */
const struct entry *catalog_by_name(const struct catalog *catalog, u32 kind, const char *name);
/* The name of an id; "#12" when it is not known; "" for 0. Valid for the next seven calls. */
const char *catalog_name(struct catalog *catalog, u32 kind, u32 id);
/* The id of a name, or of "#12". 0: there is none, which was explained with the nearest names. */
u32 catalog_id(const struct catalog *catalog, u32 kind, const char *name);

#endif
