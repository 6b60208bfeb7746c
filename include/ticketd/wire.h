/* The protocol as C: structs, enums and record tables made from schema.h.
 *
 * A frame is one `struct tkd_frame` (64 bytes) and `count` records of the op's shape. A request record is a
 * prefix {size, head, kind}, the rest of its fixed head, its texts one after another, and zero bytes up to a
 * multiple of 8. `size` counts all of it, `head` the fixed head with the prefix. Answers of commands carry
 * one `struct tkd_result` (16 bytes, no prefix) per record, answers of queries carry records ("rows").
 *
 * Checksums are XXH64 with seed 0. `header_checksum` is the low half of that of bytes 8..63, and is verified
 * before `size` is believed; `body_checksum` is that of all bytes behind the header.
 */
#ifndef TICKETD_WIRE_H
#define TICKETD_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ticketd/schema.h"

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t i32;
typedef int64_t i64;

#define TKD_FRAME_BYTES 64u

struct tkd_frame {
    u32 magic;
    u32 header_checksum;
    u16 version;
    u16 op;
    u16 flags;
    u16 status; /* answers: of the whole frame; requests: 0 */
    u32 size;   /* header and body */
    u32 count;  /* records */
    u64 session;
    u64 seq;           /* answers repeat it; without a session it only pairs answer and request */
    u64 ack_below;     /* requests: answers with a lower seq have arrived; answers of queries: cursor */
    u64 time_ms;       /* requests: 0, or under the virtual clock the time; answers: the desk's time */
    u64 body_checksum;
};
_Static_assert(sizeof(struct tkd_frame) == TKD_FRAME_BYTES, "frame header");

struct tkd_prefix {
    u32 size;
    u16 head;
    u16 kind;
};
_Static_assert(sizeof(struct tkd_prefix) == TKD_RECORD_PREFIX_BYTES, "record prefix");

struct tkd_result {
    u32 status;
    u32 version;
    u64 id;
};
_Static_assert(sizeof(struct tkd_result) == 16, "result");

#define TKD_STRUCT_N(type, name, doc) type name;
#define TKD_STRUCT_T(name, max, doc) u32 name##_bytes;
#define TKD_STRUCT(record, doc)                                                                              \
    struct tkd_##record {                                                                                    \
        u32 size;                                                                                            \
        u16 head;                                                                                            \
        u16 kind;                                                                                            \
        TKD_FIELDS_##record(TKD_STRUCT_N, TKD_STRUCT_T)                                                      \
    };
TKD_RECORDS(TKD_STRUCT)
#undef TKD_STRUCT

/* Sum of the members' sizes: equal to the struct's size exactly when there is no padding. */
#define TKD_SIZE_N(type, name, doc) +sizeof(type)
#define TKD_SIZE_T(name, max, doc) +sizeof(u32)
#define TKD_ASSERT(record, doc)                                                                              \
    _Static_assert(sizeof(struct tkd_##record) ==                                                            \
                       TKD_RECORD_PREFIX_BYTES TKD_FIELDS_##record(TKD_SIZE_N, TKD_SIZE_T),                  \
                   "padding in " #record);                                                                   \
    _Static_assert(sizeof(struct tkd_##record) % 8 == 0, "head of " #record);
TKD_RECORDS(TKD_ASSERT)
#undef TKD_ASSERT

#define TKD_ENUM(prefix, E) enum { E };
#define TKD_E_FLAG(n, NAME, name, doc) TKD_FLAG_##NAME = n,
#define TKD_E_STATUS(n, NAME, name, class, doc) TKD_##NAME = n,
#define TKD_E_OP(n, NAME, name, class, req, ans, count, doc) TKD_OP_##NAME = n,
#define TKD_E_STATE(n, NAME, name, doc) TKD_STATE_##NAME = n,
#define TKD_E_PRIORITY(n, NAME, name, doc) TKD_PRIORITY_##NAME = n,
#define TKD_E_STRATEGY(n, NAME, name, doc) TKD_STRATEGY_##NAME = n,
#define TKD_E_PRESENCE(n, NAME, name, doc) TKD_PRESENCE_##NAME = n,
#define TKD_E_VERB(n, NAME, name, doc) TKD_VERB_##NAME = n,
#define TKD_E_KIND(n, NAME, name, doc) TKD_KIND_##NAME = n,
#define TKD_E_CLOCK(n, NAME, name, doc) TKD_CLOCK_##NAME = n,
#define TKD_E_CARD(n, NAME, name, doc) TKD_CARD_##NAME = n,
#define TKD_E_OUTCOME(n, NAME, name, doc) TKD_OUTCOME_##NAME = n,
#define TKD_E_RULE(n, NAME, name, doc) TKD_RULE_##NAME = n,
#define TKD_E_EVENT(n, NAME, name, doc) TKD_EVENT_##NAME = n,
#define TKD_E_DIMENSION(n, NAME, name, doc) TKD_DIMENSION_##NAME = n,
enum tkd_flag { TKD_FRAME_FLAGS(TKD_E_FLAG) };
enum tkd_status { TKD_STATUSES(TKD_E_STATUS) };
enum tkd_op { TKD_OPS(TKD_E_OP) };
enum tkd_state { TKD_STATES(TKD_E_STATE) TKD_STATE_END };
enum tkd_priority { TKD_PRIORITIES(TKD_E_PRIORITY) TKD_PRIORITY_END };
enum tkd_strategy { TKD_STRATEGIES(TKD_E_STRATEGY) TKD_STRATEGY_END };
enum tkd_presence { TKD_PRESENCES(TKD_E_PRESENCE) TKD_PRESENCE_END };
enum tkd_verb { TKD_VERBS(TKD_E_VERB) TKD_VERB_END };
enum tkd_kind { TKD_CATALOG_KINDS(TKD_E_KIND) TKD_KIND_END };
enum tkd_clock { TKD_CLOCKS(TKD_E_CLOCK) TKD_CLOCK_END };
enum tkd_card { TKD_CARDS(TKD_E_CARD) TKD_CARD_END };
enum tkd_outcome { TKD_OUTCOMES(TKD_E_OUTCOME) TKD_OUTCOME_END };
enum tkd_rule { TKD_RULES(TKD_E_RULE) TKD_RULE_END };
enum tkd_event_kind { TKD_EVENTS(TKD_E_EVENT) TKD_EVENT_END };
enum tkd_dimension { TKD_DIMENSIONS(TKD_E_DIMENSION) TKD_DIMENSION_END };

enum tkd_record_id {
    TKD_RECORD_NONE,
#define TKD_RECORD_ID(record, doc) TKD_RECORD_##record,
    TKD_RECORDS(TKD_RECORD_ID)
#undef TKD_RECORD_ID
        TKD_RECORD_result,
    TKD_RECORD_END
};

enum tkd_class { TKD_CLASS_NONE, TKD_CLASS_control, TKD_CLASS_command, TKD_CLASS_query, TKD_CLASS_internal };
enum tkd_status_class { TKD_STATUS_none, TKD_STATUS_ok, TKD_STATUS_refused, TKD_STATUS_retry, TKD_STATUS_protocol };

/* One member of a record, for generic readers (JSON, documentation, dictionaries). */
struct tkd_field {
    const char *name;
    const char *doc;
    u16 offset;   /* in the head; of the length for a text */
    u8 bytes;     /* width of the number */
    bool text;
    bool ids;      /* a text that holds u16 ids, not characters */
    bool reserved; /* must be 0 */
    u32 text_bytes_max;
};

struct tkd_record_info {
    const char *name;
    const char *doc;
    const struct tkd_field *fields;
    u32 fields_count;
    u32 texts_count;
    u32 texts_offset; /* of the first text's length */
    u32 head_bytes;
};

struct tkd_op_info {
    const char *name;
    const char *doc;
    u32 records_max;
    u16 number;
    u8 class;   /* enum tkd_class */
    u8 request; /* enum tkd_record_id */
    u8 answer;
};

struct tkd_status_info {
    const char *name;
    const char *doc;
    u32 class; /* enum tkd_status_class */
};

/* Tables (engine/core/frame.c and the client library link the same object, schema.c). All return NULL or
 * 0 for what does not exist. */
const struct tkd_record_info *tkd_record_info(u32 record);
const struct tkd_op_info *tkd_op_info(u32 op);
const struct tkd_status_info *tkd_status_info(u32 status);

/* The name of an enumeration's member, or "?"; and the member of a name, or 0. */
enum tkd_enum {
    TKD_ENUM_STATE = 1, TKD_ENUM_PRIORITY, TKD_ENUM_STRATEGY, TKD_ENUM_PRESENCE, TKD_ENUM_VERB, TKD_ENUM_KIND,
    TKD_ENUM_CLOCK, TKD_ENUM_CARD, TKD_ENUM_OUTCOME, TKD_ENUM_RULE, TKD_ENUM_EVENT, TKD_ENUM_DIMENSION,
    TKD_ENUM_FLAG, TKD_ENUM_END
};
const char *tkd_name(enum tkd_enum which, u32 member);
const char *tkd_doc(enum tkd_enum which, u32 member);
u32 tkd_number(enum tkd_enum which, const char *name);

#endif
