#include "core/columns.h"

#include "base/bitset.h"
#include "base/mark.h"
#include "core/desk.h"

#define STATE_MASK 0x07u
#define PRIORITY_MASK 0x38u
#define PRIORITY_SHIFT 3
#define AGENT_TOP_SHIFT 6
#define AGENT_MIDDLE_SHIFT 4
#define STATES_ALL ((1u << TKD_STATE_END) - 2)
#define STATES_UNSOLVED ((1u << (TKD_STATE_ON_HOLD + 1)) - (1u << TKD_STATE_NEW))
#define BLOCK_GROUPS (COLUMN_BLOCK / COLUMN_GROUP)
_Static_assert(BLOCK_GROUPS <= 64, "a word has a bit a group");

u64 columns_blocks(u64 numbers) { return numbers / COLUMN_BLOCK + 1; }

/* ---- In line with the rows ---- */

static struct column_block *block_of(const struct columns *columns, u64 number)
{
    return &columns->blocks[number / COLUMN_BLOCK];
}

static void column_put(struct columns *columns, u64 number, u32 column, u64 value)
{
    columns->bytes[column][number] = (u8)value;
    bit_set(block_of(columns, number)->seen[column], value);
}

static u64 byte_of(u32 column, u32 value) { return (u64)(value & UINT8_MAX) << 8 * column; }

u64 columns_of(const struct state *state, const struct ticket *ticket)
{
    u32 queue = ticket->queue, agent = ticket->task == 0 ? ticket->agent : task_row(state, ticket->task)->agent;
    u32 kind = ticket->state | (u32)ticket->priority << PRIORITY_SHIFT | agent >> 12 << AGENT_TOP_SHIFT;
    return byte_of(COLUMN_QUEUE, queue) | byte_of(COLUMN_AGENT, agent) | byte_of(COLUMN_STATE, kind) |
           byte_of(COLUMN_CHANNEL, ticket->channel) |
           byte_of(COLUMN_HIGH, queue >> 8 | agent >> 8 << AGENT_MIDDLE_SHIFT);
}

void columns_change(struct columns *columns, u64 number, u64 before, u64 after)
{
    struct column_block *block = block_of(columns, number);
    if (before == 0 && block->live++ == 0)
        for (u32 i = 0; i < COLUMNS; i++) bit_set(block->seen[i], 0);
    for (u64 changed = before ^ after; changed != 0;) {
        u32 column = bit_lowest(changed) / 8;
        column_put(columns, number, column, after >> 8 * column & UINT8_MAX);
        changed &= ~byte_of(column, UINT8_MAX);
    }
}

/* Three bits of 24, as columns. */
static u64 tag_columns(u32 tag)
{
    u32 drawn = (u32)(tag * 0x9e3779b97f4a7c15u >> 40), bits = 0;
    for (u32 i = 0; i < 3; i++, drawn /= 24) bits |= 1u << drawn % 24;
    return (u64)bits << 8 * COLUMN_TAGS;
}

static u64 tags_columns(const struct state *state, const struct ticket *ticket)
{
    u64 word = 0;
    for (u32 at = ticket->labels; at != 0; at = label_row(state, at)->next)
        word |= tag_columns(label_row(state, at)->tag);
    return word;
}

void columns_tag(struct state *state, u32 row)
{
    const struct ticket *ticket = ticket_row(state, row);
    u64 word = tags_columns(state, ticket);
    for (u32 i = COLUMN_TAGS; i < COLUMNS; i++) column_put(&state->columns, ticket->id, i, word >> 8 * i & UINT8_MAX);
}

void columns_clear(struct columns *columns, u64 number)
{
    struct column_block *block = block_of(columns, number);
    for (u32 i = 0; i < COLUMNS; i++) columns->bytes[i][number] = 0;
    ASSERT(block->live != 0);
    MARK_IF(block->live == 1, "block of columns empty again");
    if (--block->live == 0) memset(block->seen, 0, sizeof block->seen);
}

void columns_validate(const struct state *state)
{
    const struct columns *columns = &state->columns;
    u64 last = desk_row(state)->tickets;
    for (u64 block = 0; block <= last / COLUMN_BLOCK; block++) {
        u64 live = 0;
        for (u64 number = block * COLUMN_BLOCK; number < (block + 1) * COLUMN_BLOCK; number++) {
            u32 row = number <= last ? state->directory[number] : 0;
            const struct ticket *ticket = ticket_row(state, row);
            u64 expected = row == 0 ? 0 : columns_of(state, ticket) | tags_columns(state, ticket);
            live += row != 0;
            for (u32 i = 0; i < COLUMNS; i++) {
                u8 value = columns->bytes[i][number];
                ASSERT(value == (expected >> 8 * i & 0xff));
                ASSERT(row == 0 || bit_test(columns->blocks[block].seen[i], value));
            }
        }
        ASSERT(columns->blocks[block].live == live);
    }
}

/* ---- Looking for tickets ---- */

static struct column_term *term_add(struct search *search, u32 column, u32 mask)
{
    struct column_term *term = &search->terms[search->terms_count++];
    *term = (struct column_term){.column = column, .mask = (u8)mask};
    return term;
}

static void term_value(struct column_term *term, u32 value)
{
    u32 free = UINT8_MAX & ~(u32)term->mask, rest = free;
    term->values[term->count++] = (u8)value;
    do bit_set(term->accepts, value | (rest = (rest - 1) & free));
    while (rest != free);
}

/* The bits of `mask` are those of value. */
static void term_equal(struct search *search, u32 column, u32 mask, u32 value)
{
    term_value(term_add(search, column, mask), value & mask);
}

/* The rare ones first: the next column of a group is read only when something is left of it. */
static void terms_of(struct search *search, const struct tkd_ticket_list *list, u32 tag)
{
    u64 tags = tag == 0 ? 0 : tag_columns(tag);
    for (u32 i = COLUMN_TAGS; i < COLUMNS; i++) {
        u32 bits = tags >> 8 * i & UINT8_MAX;
        if (bits != 0) term_equal(search, i, bits, bits);
    }
    if (list->agent != 0 || list->unassigned) {
        term_equal(search, COLUMN_AGENT, 0xff, list->agent);
        term_equal(search, COLUMN_HIGH, 0xf0, list->agent >> 8 << AGENT_MIDDLE_SHIFT);
    }
    if (list->queue != 0) {
        term_equal(search, COLUMN_QUEUE, 0xff, list->queue);
        term_equal(search, COLUMN_HIGH, 0x0f, list->queue >> 8);
    }
    if (list->channel != 0) term_equal(search, COLUMN_CHANNEL, 0xff, list->channel);
    /* The state always: it tells a ticket from none. Whoever is unassigned has a task. */
    u32 states = list->states == 0 ? STATES_ALL : list->states, priority = (u32)list->priority << PRIORITY_SHIFT;
    if (list->unassigned) states &= STATES_UNSOLVED;
    struct column_term *term = term_add(search, COLUMN_STATE, STATE_MASK | (priority == 0 ? 0 : PRIORITY_MASK));
    for (u32 i = 1; i < TKD_STATE_END; i++)
        if (states >> i & 1) term_value(term, i | (priority & PRIORITY_MASK));
}

void search_begin(struct search *search, const struct columns *columns, const struct tkd_ticket_list *list, u32 tag,
                  u64 from)
{
    search->columns = columns;
    search->terms_count = 0;
    search->below = from;
    search->groups = 0;
    terms_of(search, list, tag);
    ASSERT(search->terms_count <= ARRAY_COUNT(search->terms));
}

/* May a ticket of the block match? */
static bool block_may(const struct search *search, const struct column_block *block)
{
    for (u32 i = 0; i < search->terms_count; i++) {
        const struct column_term *term = &search->terms[i];
        u64 common = 0;
        for (u32 word = 0; word < ARRAY_COUNT(term->accepts); word++)
            common |= block->seen[term->column][word] & term->accepts[word];
        if (common == 0) return false;
    }
    return true;
}

/* 0xff in each byte where the column is what the term wants. */
static inline column_lane term_match(const struct column_term *term, column_lane bytes)
{
    column_lane any = {0};
    bytes &= term->mask;
    for (u32 i = 0; i < term->count; i++) any |= (column_lane)(bytes == term->values[i]);
    return any;
}

static u64 *group_words(struct search *search, u32 group) { return (u64 *)(void *)search->matches[group]; }

static const u8 *term_column(const struct search *search, u32 number)
{
    return search->columns->bytes[search->terms[number].column] + search->begin;
}

/* Of these groups, those in which something is left by the term. What the next one reads is fetched meanwhile. */
static u64 groups_match(struct search *search, u32 number, u64 groups)
{
    const struct column_term *term = &search->terms[number];
    const u8 *column = term_column(search, number);
    const u8 *next = term_column(search, min_u32(number + 1, search->terms_count - 1));
    u64 left = 0;
    for (u64 bits = groups; bits != 0; bits &= bits - 1) {
        u32 group = bit_lowest(bits);
        const column_lane *lanes = (const column_lane *)(const void *)(column + group * COLUMN_GROUP);
        column_lane *matches = search->matches[group];
        union {
            column_lane lane;
            u64 words[2];
        } any = {.words = {0}};
        for (u32 i = 0; i < ARRAY_COUNT(search->matches[0]); i++)
            any.lane |= matches[i] &= term_match(term, lanes[i]);
        if ((any.words[0] | any.words[1]) == 0) continue;
        left |= (u64)1 << group;
        __builtin_prefetch(next + group * COLUMN_GROUP);
    }
    return left;
}

/* Nothing above `last` in its group is wanted. */
static void group_cut(struct search *search, u32 group, u32 last)
{
    u64 *words = group_words(search, group), any = 0;
    for (u32 i = 0; i < COLUMN_GROUP / 8; i++) {
        if (i > last / 8) words[i] = 0;
        if (i == last / 8) words[i] &= UINT64_MAX >> (56 - last % 8 * 8);
        any |= words[i];
    }
    if (any == 0) search->groups &= ~((u64)1 << group);
}

static void block_search(struct search *search, u32 *work)
{
    u64 last = search->below, block = last / COLUMN_BLOCK;
    u32 group = last % COLUMN_BLOCK / COLUMN_GROUP;
    search->begin = block * COLUMN_BLOCK;
    search->below = sat_sub(search->begin, 1);
    --*work;
    MARK_IF(!block_may(search, &search->columns->blocks[block]), "block of columns skipped");
    if (!block_may(search, &search->columns->blocks[block])) return;
    memset(search->matches, 0xff, sizeof search->matches);
    search->groups = UINT64_MAX >> (63 - group);
    for (u32 i = 0; i < search->terms_count && search->groups != 0; i++) {
        *work -= min_u32(*work, bit_count(search->groups));
        search->groups = groups_match(search, i, search->groups);
    }
    if (search->groups >> group & 1) group_cut(search, group, last % COLUMN_GROUP);
}

u64 search_next(struct search *search, u32 *work)
{
    while (search->groups == 0) {
        if (search->below == 0 || *work == 0) return 0;
        block_search(search, work);
    }
    u32 group = 63 - (u32)__builtin_clzll(search->groups), word = COLUMN_GROUP / 8;
    u64 *words = group_words(search, group), left = 0;
    while (words[--word] == 0) {
    }
    u32 byte = (63 - (u32)__builtin_clzll(words[word])) / 8;
    words[word] &= ~byte_of(byte, UINT8_MAX);
    for (u32 i = 0; i <= word; i++) left |= words[i];
    if (left == 0) search->groups &= ~((u64)1 << group);
    return search->begin + group * COLUMN_GROUP + word * 8 + byte;
}
