/* Random requests made from the schema: any op, any number of records, legal and illegal. */
#ifndef SIM_REQUEST_H
#define SIM_REQUEST_H

#include "base/base.h"

#define REQUEST_BYTES_MAX (48u << 10)

/* What a frame is made from. */
struct request {
    _Alignas(8) u8 bytes[REQUEST_BYTES_MAX];
};

static inline struct tkd_frame *request_frame(struct request *request)
{
    return (struct tkd_frame *)(void *)request->bytes;
}

void request_begin(struct request *request, u16 op, u64 seq);
/* One record of the op's shape: numbers and texts by the seed. `tickets` is about how many there are. */
void request_add_random(struct request *request, u64 tickets, u32 text_bytes);
/* A record with this head and one text at most. */
void request_add(struct request *request, const void *head, const char *text);
/* The catalog's entries one after another, so that there is a desk. */
void request_add_catalog(struct request *request, u32 step);
const struct tkd_frame *request_seal(struct request *request);
u16 request_random_command(void);
u16 request_random_query(void);
/* Under the virtual clock frames carry their own time, which must not go back; under the other one none. */
u64 request_time(void);

#endif
