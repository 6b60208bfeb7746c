/* The schema as data: the X-macros of ticketd/schema.h expanded into tables, for whoever reads records
 * without knowing them: frame checks, JSON, documentation, fuzz dictionaries. The client library links it
 * too, so it depends on nothing but ticketd/. */
#include "ticketd/wire.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Folded by the compiler over literals, so the tables below are constant data. */
#define STARTS_WITH(literal, prefix) (__builtin_strncmp(literal, prefix, sizeof(prefix) - 1) == 0)

#define FIELD_N(type, member, text_doc)                                                                      \
    {.name = #member,                                                                                        \
     .doc = text_doc,                                                                                        \
     .offset = offsetof(row, member),                                                                        \
     .bytes = sizeof(type),                                                                                  \
     .reserved = STARTS_WITH(#member, "reserved")},
#define FIELD_T(member, max, text_doc)                                                                       \
    {.name = #member,                                                                                        \
     .doc = text_doc,                                                                                        \
     .offset = offsetof(row, member##_bytes),                                                                \
     .bytes = sizeof(u32),                                                                                   \
     .text = true,                                                                                           \
     .ids = STARTS_WITH(text_doc, "u16 "),                                                                   \
     .text_bytes_max = max},
#define COUNT_N(type, member, text_doc)
#define COUNT_T(member, max, text_doc) +1

/* One function a record, because `row` must name its struct while the fields are expanded. The table ends
 * with an empty field, so that a record without members has one too. */
#define RECORD_INFO(record, record_doc)                                                                      \
    static const struct tkd_record_info *info_##record(void)                                                 \
    {                                                                                                        \
        typedef struct tkd_##record row;                                                                     \
        static const struct tkd_field fields[] = {TKD_FIELDS_##record(FIELD_N, FIELD_T){.name = NULL}};      \
        static const struct tkd_record_info info = {                                                         \
            .name = #record,                                                                                 \
            .doc = record_doc,                                                                               \
            .fields = fields,                                                                                \
            .fields_count = COUNT(fields) - 1,                                                               \
            .texts_count = 0 TKD_FIELDS_##record(COUNT_N, COUNT_T),                                          \
            .texts_offset = sizeof(row) - sizeof(u32) * (0 TKD_FIELDS_##record(COUNT_N, COUNT_T)),           \
            .head_bytes = sizeof(row),                                                                       \
        };                                                                                                   \
        return &info;                                                                                        \
    }
TKD_RECORDS(RECORD_INFO)
RECORD_INFO(result, "the answer to one record of a command; it has no prefix")

const struct tkd_record_info *tkd_record_info(u32 record)
{
    switch (record) {
#define RECORD_CASE(name, doc)                                                                               \
    case TKD_RECORD_##name:                                                                                  \
        return info_##name();
        TKD_RECORDS(RECORD_CASE)
        RECORD_CASE(result, "")
    default:
        return NULL;
    }
}

#define OP_INFO(op_number, NAME, op_name, op_class, request_record, answer_record, count, op_doc)            \
    [op_number] = {.name = op_name,                                                                          \
                   .doc = op_doc,                                                                            \
                   .records_max = count,                                                                     \
                   .number = op_number,                                                                      \
                   .class = TKD_CLASS_##op_class,                                                            \
                   .request = TKD_RECORD_##request_record,                                                   \
                   .answer = TKD_RECORD_##answer_record},
static const struct tkd_op_info ops[] = {TKD_OPS(OP_INFO)};

const struct tkd_op_info *tkd_op_info(u32 op)
{
    return op < COUNT(ops) && ops[op].name ? &ops[op] : NULL;
}

#define STATUS_INFO(number, NAME, status_name, status_class, status_doc)                                     \
    [number] = {.name = status_name, .doc = status_doc, .class = TKD_STATUS_##status_class},
static const struct tkd_status_info statuses[] = {TKD_STATUSES(STATUS_INFO)};

const struct tkd_status_info *tkd_status_info(u32 status)
{
    return status < COUNT(statuses) && statuses[status].name ? &statuses[status] : NULL;
}

struct member {
    u32 number;
    const char *name;
    const char *doc;
};

#define MEMBER(number, NAME, name, doc) {number, name, doc},
static const struct member states[] = {TKD_STATES(MEMBER)};
static const struct member priorities[] = {TKD_PRIORITIES(MEMBER)};
static const struct member strategies[] = {TKD_STRATEGIES(MEMBER)};
static const struct member presences[] = {TKD_PRESENCES(MEMBER)};
static const struct member verbs[] = {TKD_VERBS(MEMBER)};
static const struct member kinds[] = {TKD_CATALOG_KINDS(MEMBER)};
static const struct member clocks[] = {TKD_CLOCKS(MEMBER)};
static const struct member cards[] = {TKD_CARDS(MEMBER)};
static const struct member outcomes[] = {TKD_OUTCOMES(MEMBER)};
static const struct member rules[] = {TKD_RULES(MEMBER)};
static const struct member events[] = {TKD_EVENTS(MEMBER)};
static const struct member dimensions[] = {TKD_DIMENSIONS(MEMBER)};
static const struct member flags[] = {TKD_FRAME_FLAGS(MEMBER)};

struct enumeration {
    const struct member *members;
    u64 count;
};

#define ENUMERATION(array) {array, COUNT(array)}
static const struct enumeration enumerations[TKD_ENUM_END] = {
    [TKD_ENUM_STATE] = ENUMERATION(states),       [TKD_ENUM_PRIORITY] = ENUMERATION(priorities),
    [TKD_ENUM_STRATEGY] = ENUMERATION(strategies), [TKD_ENUM_PRESENCE] = ENUMERATION(presences),
    [TKD_ENUM_VERB] = ENUMERATION(verbs),         [TKD_ENUM_KIND] = ENUMERATION(kinds),
    [TKD_ENUM_CLOCK] = ENUMERATION(clocks),       [TKD_ENUM_CARD] = ENUMERATION(cards),
    [TKD_ENUM_OUTCOME] = ENUMERATION(outcomes),   [TKD_ENUM_RULE] = ENUMERATION(rules),
    [TKD_ENUM_EVENT] = ENUMERATION(events),       [TKD_ENUM_DIMENSION] = ENUMERATION(dimensions),
    [TKD_ENUM_FLAG] = ENUMERATION(flags),
};

static struct enumeration enumeration_of(enum tkd_enum which)
{
    return (u32)which < TKD_ENUM_END ? enumerations[which] : (struct enumeration){NULL, 0};
}

static const struct member *member_of(enum tkd_enum which, u32 number)
{
    struct enumeration enumeration = enumeration_of(which);
    for (u64 i = 0; i < enumeration.count; i++) {
        if (enumeration.members[i].number == number) return &enumeration.members[i];
    }
    return NULL;
}

const char *tkd_name(enum tkd_enum which, u32 number)
{
    const struct member *member = member_of(which, number);
    return member ? member->name : "?";
}

const char *tkd_doc(enum tkd_enum which, u32 number)
{
    const struct member *member = member_of(which, number);
    return member ? member->doc : "";
}

u32 tkd_number(enum tkd_enum which, const char *name)
{
    struct enumeration enumeration = enumeration_of(which);
    for (u64 i = 0; i < enumeration.count; i++) {
        if (strcmp(enumeration.members[i].name, name) == 0) return enumeration.members[i].number;
    }
    return 0;
}
