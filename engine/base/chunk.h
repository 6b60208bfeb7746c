/* How pieces of tables travel from the core to the store and back. */
#ifndef BASE_CHUNK_H
#define BASE_CHUNK_H

#include "base/base.h"

/* Chunks in a buffer: one header each, `bytes` of data behind it, then the next at a multiple of 8. */
struct store_chunk {
    u32 table;
    u32 chunk;
    u32 bytes;
    u32 checksum; /* low half of XXH3 over the data; verified when it is loaded */
};
_Static_assert(sizeof(struct store_chunk) == 16, "chunk header");

#endif
