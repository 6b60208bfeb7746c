/* Reading LMDB's pages without trusting them.
 *
 * LMDB has no checksums and believes every page: a damaged one makes it read or write anywhere. So before it
 * is used, a start walks what it is going to use: both meta pages, the free list, the branch pages of every
 * tree and the leaves of all but the events' tree, which is as large as all history. The events' leaves are
 * read here, and checked whenever they are; so is the index of archived tickets, again. Only what the branch
 * pages lead to that whoever appends copies is looked up: a wrong key or child in them would be copied on.
 *
 * What a walk makes sure of: every page is where it says it is, and of the kind that its parent expects;
 * nodes lie inside their page and fill it; keys ascend and keep to the bounds that the parents set; the
 * counts kept with each tree are right; and every page of the file is used once, or free: so LMDB takes no used one
 * for free. (Only lists of free pages have overflow pages.)
 * That the values are the right ones is up to their checksums, and to the sum of all current ones in the root.
 *
 * The format is that of LMDB 0.9 (data version 1), which has not changed since 2014.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "port/file.h"
#include "port/lmdb.h"

#define META_MAGIC      0xBEEFC0DEu
#define META_VERSION    1u
#define DEPTH_MAX       32u
#define PAGE_BYTES_MAX  65536u
#define PAGES_MAX       (1ull << 32)

enum page_flags { PAGE_BRANCH = 1, PAGE_LEAF = 2, PAGE_OVERFLOW = 4, PAGE_META = 8 };
enum node_flags { NODE_OVERFLOW = 1, NODE_TREE = 2 };

struct page_head {
    u64 number;
    u16 unused;
    u16 flags;
    u16 lower; /* end of the offsets of its nodes; of an overflow page its count of pages, with `upper` */
    u16 upper; /* begin of the nodes */
};

struct node_head {
    u16 low; /* of a child's page number, or of the size of the data */
    u16 high;
    u16 flags; /* of a child: the highest part of its number */
    u16 key_bytes;
};

struct tree_record {
    u32 page_bytes; /* of the first tree of a meta page */
    u16 flags;
    u16 depth;
    u64 branches;
    u64 leaves;
    u64 overflows;
    u64 entries;
    u64 root;
};

struct meta {
    u32 magic;
    u32 version;
    u64 address;
    u64 map_bytes;
    struct tree_record free;
    struct tree_record main;
    u64 last_page;
    u64 txn;
};

struct node {
    const u8 *key;
    const u8 *data;
    u64 key_bytes;
    u64 bytes; /* of the data */
    u64 child;
    u16 flags;
};

/* ---- One page ---- */

static struct page_head head_of(const u8 *page)
{
    struct page_head head;
    memcpy(&head, page, sizeof head);
    return head;
}

static u32 node_count(const u8 *page) { return (head_of(page).lower - (u32)sizeof(struct page_head)) / 2; }

/* Of a page whose head was checked. false: it lies outside. *end: behind it. */
static bool node_at(const u8 *page, u32 page_bytes, u32 index, struct node *node, u64 *end)
{
    struct page_head head = head_of(page);
    struct node_head at;
    u16 offset;
    memcpy(&offset, page + sizeof head + 2 * index, sizeof offset);
    if (offset < head.upper || offset % 2 != 0 || offset + sizeof at > page_bytes) return false;
    memcpy(&at, page + offset, sizeof at);
    bool branch = head.flags == PAGE_BRANCH;
    u64 number = (u64)at.low | (u64)at.high << 16;
    *node = (struct node){.key = page + offset + sizeof at,
                          .data = page + offset + sizeof at + at.key_bytes,
                          .key_bytes = at.key_bytes,
                          .bytes = branch ? 0 : number,
                          .child = number | (u64)at.flags << 32,
                          .flags = branch ? 0 : at.flags};
    u64 here = (node->flags & NODE_OVERFLOW) ? sizeof(u64) : node->bytes;
    *end = round_up(offset + sizeof at + at.key_bytes + here, 2);
    return *end <= page_bytes;
}

/* Of a page that was checked as a whole. */
static struct node node_of(const u8 *page, u32 page_bytes, u32 index)
{
    struct node node;
    u64 end;
    bool inside = node_at(page, page_bytes, index, &node, &end);
    ASSERT(inside);
    return node;
}

static u64 key_of(const struct node *node)
{
    u64 key;
    memcpy(&key, node->key, sizeof key);
    return key;
}

/* A tree's; of no bytes: none. */
struct name {
    u8 text[16];
    u64 bytes;
};

/* Where a page lies in its tree. */
struct place {
    u64 number;
    u32 depth;  /* 1: a leaf */
    bool names; /* keys are no numbers, but the trees' names */
    bool copied_from; /* the next write copies a page above that leads here, so it must lead to the right one */
    u64 low;    /* no key is below */
    u64 high;   /* all keys are below; U64_NONE: no bound */
    struct name low_name;  /* the same of names; */
    struct name high_name; /* none: no bound */
};

static struct name name_of(const struct node *node)
{
    struct name name = {.bytes = node->key_bytes};
    ASSERT(name.bytes <= sizeof name.text);
    memcpy(name.text, node->key, name.bytes);
    return name;
}

static bool name_below(const struct name *a, const struct name *b)
{
    int order = memcmp(a->text, b->text, min_u64(a->bytes, b->bytes));
    return order < 0 || (order == 0 && a->bytes < b->bytes);
}

/* The keys of a page of names; `last` is the one before, `first` whether there is none to compare with. */
static const char *name_fault(const struct place *place, const struct node *node, struct name *last, bool first)
{
    if (node->key_bytes == 0 || node->key_bytes > sizeof last->text) return "a name has another size";
    struct name name = name_of(node);
    if (!first && !name_below(last, &name)) return "its names do not ascend";
    if (name_below(&name, &place->low_name)) return "a name is out of bounds";
    if (place->high_name.bytes != 0 && !name_below(&name, &place->high_name)) return "a name is out of bounds";
    *last = name;
    return NULL;
}

static const char *key_fault(const struct place *place, const struct node *node, u64 *last, bool first)
{
    if (node->key_bytes != sizeof *last) return "a key has another size";
    u64 key = key_of(node);
    if (key < place->low || key >= place->high) return "a key is out of bounds";
    if (!first && key <= *last) return "its keys do not ascend";
    *last = key;
    return NULL;
}

/* What is wrong with it; NULL: nothing. */
static const char *page_fault(const u8 *page, u32 page_bytes, const struct place *place)
{
    struct page_head head = head_of(page);
    if (head.number != place->number) return "another page is in its place";
    if (head.flags != (place->depth == 1 ? PAGE_LEAF : PAGE_BRANCH)) return "it is of another kind";
    if (head.lower < sizeof head + 2 || head.lower % 2 != 0 || head.lower > head.upper ||
        head.upper > page_bytes)
        return "its bounds are wrong";
    u64 used = 0, last_key = 0;
    struct name last_name = {0};
    u32 keyed = place->depth > 1 ? 1 : 0; /* the first child takes all below the second's key */
    for (u32 i = 0; i < node_count(page); i++) {
        struct node node;
        u64 end;
        if (!node_at(page, page_bytes, i, &node, &end)) return "a node lies outside";
        bool known = node.flags == 0 || node.flags == (place->names ? NODE_TREE : NODE_OVERFLOW);
        if (!known) return "a node is of an unknown kind";
        used += end - (u64)(node.key - page - (i64)sizeof(struct node_head));
        if (i < keyed) continue;
        const char *fault = place->names ? name_fault(place, &node, &last_name, i == keyed)
                                         : key_fault(place, &node, &last_key, i == keyed);
        if (fault != NULL) return fault;
    }
    return used == page_bytes - head.upper ? NULL : "its nodes do not fill it";
}

/* The bounds of a child. */
static struct place child_place(const u8 *page, u32 page_bytes, const struct place *place, u32 index)
{
    struct node node = node_of(page, page_bytes, index);
    struct place child = *place;
    child.number = node.child;
    child.depth = place->depth - 1;
    child.copied_from = place->high == U64_NONE || (place->copied_from && index == 0);
    if (index > 0 && place->names) child.low_name = name_of(&node);
    if (index > 0 && !place->names) child.low = key_of(&node);
    if (index + 1 == node_count(page)) return child;
    struct node next = node_of(page, page_bytes, index + 1);
    if (place->names) child.high_name = name_of(&next);
    else child.high = key_of(&next);
    return child;
}

/* All of it, or nothing. */
static i32 read_exactly(int fd, void *buffer, u64 bytes, u64 offset)
{
    ssize_t got;
    do got = pread(fd, buffer, bytes, (off_t)offset);
    while (got < 0 && errno == EINTR);
    if (got < 0) return -errno;
    return (u64)got == bytes ? 0 : -EBADMSG;
}

/* ---- The walk ---- */

struct walk {
    int fd;
    u32 page_bytes;
    u64 file_pages;
    u64 last_page;
    u8 *taken; /* a bit a page */
    u64 taken_count;
    u8 *pages;                /* one of each depth, of the main tree and of one below */
    struct tree_record *tree; /* counted down to zero */
    bool free_list;
    bool lazy;     /* leaves are left for later */
    bool archived; /* the tree is that of archived tickets */
    bool rooted;   /* the tree is that of the root */
    u64 txn;       /* the newest one */
    u64 root_txn;  /* that the root says it was written by; 0: there is none */
    u64 path[2 * DEPTH_MAX]; /* pages from the root to where it is: each says what must hold below it */
    u32 path_count;
    /* What it found. */
    u32 format; /* that the root tells; 0: it cannot be read */
    u64 page;
    const char *fault; /* what is wrong with it */
    i32 error;         /* or why it cannot be read */
};

static i32 fault_at(struct walk *walk, u64 page, const char *fault)
{
    walk->page = page;
    walk->fault = fault;
    return -EIO;
}

static i32 unreadable_at(struct walk *walk, u64 page, i32 error)
{
    if (error == -EBADMSG) return fault_at(walk, page, "the file ends before it");
    walk->page = page;
    walk->error = error;
    return error;
}

static i32 page_take(struct walk *walk, u64 number, u64 by)
{
    if (number < 2 || number > walk->last_page) return fault_at(walk, by, "it leads outside the file");
    u8 *byte = &walk->taken[number / 8], bit = (u8)(1u << number % 8);
    if (*byte & bit) return fault_at(walk, by, "it leads to a page that is used elsewhere, or free");
    *byte |= bit;
    walk->taken_count++;
    return 0;
}

static i32 page_read(struct walk *walk, u64 number, u8 *page)
{
    i32 result = read_exactly(walk->fd, page, walk->page_bytes, number * walk->page_bytes);
    return result < 0 ? unreadable_at(walk, number, result) : 0;
}

/* Pages of its own for the value of a node; what is in them goes to `value`. */
static i32 overflow_read(struct walk *walk, const struct node *node, u64 by, u8 *value)
{
    u64 number;
    memcpy(&number, node->data, sizeof number);
    u64 needed = (sizeof(struct page_head) + node->bytes - 1) / walk->page_bytes + 1;
    struct page_head head;
    i32 result = page_take(walk, number, by);
    if (result < 0) return result;
    result = read_exactly(walk->fd, &head, sizeof head, number * walk->page_bytes);
    if (result < 0) return unreadable_at(walk, number, result);
    /* LMDB may write a shorter value into pages that it had taken for a longer one. */
    u64 count = head.lower | (u64)head.upper << 16;
    if (head.number != number || head.flags != PAGE_OVERFLOW || count < needed)
        return fault_at(walk, number, "it is no overflow page, or another one");
    for (u64 i = 1; i < count && result == 0; i++) result = page_take(walk, number + i, by);
    if (result < 0) return result;
    result = read_exactly(walk->fd, value, node->bytes, number * walk->page_bytes + sizeof head);
    if (result < 0) return unreadable_at(walk, number, result);
    walk->tree->overflows -= count;
    return 0;
}

static i32 free_pages_take(struct walk *walk, const u8 *list, u64 bytes, u64 by)
{
    u64 count, number, last = U64_NONE;
    if (bytes < sizeof count || bytes % sizeof count != 0) return fault_at(walk, by, "no list of free pages");
    memcpy(&count, list, sizeof count);
    if (count > bytes / sizeof count - 1) return fault_at(walk, by, "no list of free pages");
    for (u64 i = 1; i <= count; i++, last = number) {
        memcpy(&number, list + i * sizeof number, sizeof number);
        if (number >= last) return fault_at(walk, by, "its list of free pages is not in order");
        i32 result = page_take(walk, number, by);
        if (result < 0) return result;
    }
    return 0;
}

static i32 walk_free_node(struct walk *walk, const struct node *node, u64 by)
{
    /* LMDB would put the list of a transaction to come in its place, and forget these pages; that of none, 0, it
     * never takes away when it uses the pages. */
    if (key_of(node) == 0 || key_of(node) > walk->txn)
        return fault_at(walk, by, "free pages of a transaction that was not");
    if (!(node->flags & NODE_OVERFLOW)) return free_pages_take(walk, node->data, node->bytes, by);
    if (node->bytes > walk->last_page * sizeof(u64)) return fault_at(walk, by, "no list of free pages");
    u64 list;
    memcpy(&list, node->data, sizeof list);
    u8 *value = malloc(node->bytes);
    if (value == NULL) return -ENOMEM;
    i32 result = overflow_read(walk, node, by, value);
    if (result == 0) result = free_pages_take(walk, value, node->bytes, list);
    free(value);
    return result;
}

static i32 walk_tree(struct walk *walk, const struct tree_record *record, u64 by, bool names, u8 *pages);

static bool named(const struct node *node, const char *name)
{
    return node->key_bytes == strlen(name) && memcmp(node->key, name, node->key_bytes) == 0;
}

/* As store_lmdb.c names them; all are made with the file, so with known names in order none is missing. */
static bool tree_known(const struct node *node)
{
    if (named(node, ROOT_NAME) || named(node, ARCHIVED_NAME) || named(node, EVENTS_NAME)) return true;
    for (u32 i = 0; i < 2 * STORE_TABLES_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "table.%02u.%u", i / 2, i % 2);
        if (named(node, name)) return true;
    }
    return false;
}

static i32 walk_named_tree(struct walk *walk, const struct node *node, u64 by)
{
    struct tree_record record, *outer = walk->tree;
    if (!tree_known(node)) return fault_at(walk, by, "a tree of an unknown name");
    if (node->flags != NODE_TREE || node->bytes != sizeof record)
        return fault_at(walk, by, "no tree's record");
    memcpy(&record, node->data, sizeof record);
    if (record.flags != MDB_INTEGERKEY) return fault_at(walk, by, "a tree of another kind");
    walk->rooted = named(node, ROOT_NAME);
    walk->archived = named(node, ARCHIVED_NAME);
    walk->lazy = named(node, EVENTS_NAME);
    i32 result = walk_tree(walk, &record, by, false, walk->pages + DEPTH_MAX * walk->page_bytes);
    walk->lazy = walk->archived = walk->rooted = false;
    walk->tree = outer;
    return result;
}

static bool root_sound(struct walk *walk, const struct node *node)
{
    struct root_value root;
    if (key_of(node) == UNFINISHED_KEY) return node->bytes == sizeof(u64);
    if (key_of(node) != ROOT_KEY || node->bytes != sizeof root) return false;
    memcpy(&root, node->data, sizeof root);
    walk->root_txn = root.txn;
    return root.checksum == root_checksum(&root);
}

static bool archived_sound(const struct node *node)
{
    struct archived_value archived;
    if (node->bytes != sizeof archived) return false;
    memcpy(&archived, node->data, sizeof archived);
    return archived.checksum == archived_checksum(key_of(node), archived.seq);
}

static i32 walk_leaf(struct walk *walk, const u8 *page, const struct place *place)
{
    i32 result = 0;
    for (u32 i = 0; i < node_count(page) && result == 0; i++) {
        struct node node = node_of(page, walk->page_bytes, i);
        if (walk->free_list)
            result = walk_free_node(walk, &node, place->number);
        else if (place->names)
            result = walk_named_tree(walk, &node, place->number);
        else if (node.flags != 0)
            result = fault_at(walk, place->number, "a value of another kind");
        else if (walk->rooted && !root_sound(walk, &node))
            result = fault_at(walk, place->number, "the root does not verify");
        else if (walk->archived && !archived_sound(&node))
            result = fault_at(walk, place->number, "an archived ticket does not verify");
    }
    walk->tree->entries -= node_count(page);
    walk->tree->leaves--;
    return result;
}

static i32 walk_page(struct walk *walk, const struct place *place, u64 by, u8 *page);

/* Who only appends leads to a page by its first key. */
static i32 walk_leaf_lazily(struct walk *walk, const u8 *page, const struct place *place)
{
    struct node first = node_of(page, walk->page_bytes, 0);
    if (place->low != 0 && key_of(&first) != place->low)
        return fault_at(walk, place->number, "it does not begin with the key that leads to it");
    walk->tree->leaves--;
    return 0;
}

static i32 walk_below(struct walk *walk, const struct place *place, u8 *page)
{
    if (place->depth == 1 && walk->lazy && !place->copied_from) {
        walk->tree->leaves--;
        return place->number < walk->file_pages ? 0
                                                : fault_at(walk, place->number, "the file ends before it");
    }
    i32 result = page_read(walk, place->number, page);
    if (result < 0) return result;
    const char *fault = page_fault(page, walk->page_bytes, place);
    if (fault != NULL) return fault_at(walk, place->number, fault);
    if (place->depth == 1) return walk->lazy ? walk_leaf_lazily(walk, page, place) : walk_leaf(walk, page, place);
    walk->tree->branches--;
    for (u32 i = 0; i < node_count(page) && result == 0; i++) {
        struct place child = child_place(page, walk->page_bytes, place, i);
        result = walk_page(walk, &child, place->number, page + walk->page_bytes);
    }
    return result;
}

/* `page` has room for one page, and behind it for one of every depth below. Recursion ends with the depth. */
static i32 walk_page(struct walk *walk, const struct place *place, u64 by, u8 *page)
{
    i32 result = page_take(walk, place->number, by);
    if (result < 0) return result;
    walk->path[walk->path_count++] = place->number;
    result = walk_below(walk, place, page);
    if (result == 0) walk->path_count--;
    return result;
}

/* `by`: the page that the record is in. */
static i32 walk_tree(struct walk *walk, const struct tree_record *record, u64 by, bool names, u8 *pages)
{
    struct tree_record left = *record;
    walk->tree = &left;
    if (record->depth > DEPTH_MAX || (record->depth == 0) != (record->root == U64_NONE))
        return fault_at(walk, by, "a tree's depth is wrong");
    if (record->depth == 0 && (left.branches | left.leaves | left.overflows | left.entries) != 0)
        return fault_at(walk, by, "an empty tree's counts are wrong");
    if (record->depth == 0) return 0;
    struct place place = {.number = record->root, .depth = record->depth, .names = names, .high = U64_NONE};
    i32 result = walk_page(walk, &place, by, pages);
    if (result < 0) return result;
    if (walk->lazy) left.entries = 0;
    if ((left.branches | left.leaves | left.overflows | left.entries) != 0)
        return fault_at(walk, by, "the counts of a tree are wrong");
    return 0;
}

/* A meta page has no checksum, so its number of the transaction is compared with the one that the root of its
 * tree carries; only the first transaction, which makes the trees, has no root. When damage makes the older
 * meta page count, what the other one held is still in the log, or the log says that it begins later. */
static i32 meta_stamp_check(struct walk *walk, const struct meta *meta)
{
    if (walk->root_txn == meta->txn || (walk->root_txn == 0 && meta->txn == 1)) return 0;
    return fault_at(walk, meta->txn % 2, "it is not of the transaction that it claims");
}

static i32 walk_all(struct walk *walk, const struct meta *meta)
{
    u64 by = meta->txn % 2; /* the page that it is */
    walk->txn = meta->txn;
    walk->free_list = true;
    i32 result = walk_tree(walk, &meta->free, by, false, walk->pages);
    walk->free_list = false;
    if (result == 0) result = walk_tree(walk, &meta->main, by, true, walk->pages);
    if (result == 0) result = meta_stamp_check(walk, meta);
    if (result < 0) return result;
    if (2 + walk->taken_count != walk->last_page + 1)
        return fault_at(walk, by, "there are pages that are neither used nor free");
    return 0;
}

/* ---- Meta pages ---- */

static const char *meta_fault(const struct page_head *head, const struct meta *meta, u64 number)
{
    u32 page_bytes = meta->free.page_bytes;
    if (head->number != number || head->flags != PAGE_META) return "no meta page";
    if (meta->magic != META_MAGIC || meta->version != META_VERSION) return "no meta page of a format known";
    if (page_bytes < 512 || page_bytes > PAGE_BYTES_MAX || (page_bytes & (page_bytes - 1)) != 0)
        return "its page size is wrong";
    if (meta->free.flags != MDB_INTEGERKEY || meta->main.flags != 0) return "a tree of another kind";
    if (meta->last_page < 1 || meta->last_page >= PAGES_MAX) return "its last page is wrong";
    return NULL;
}

/* Both. Each transaction writes the one that the transaction before it did not. */
static i32 metas_read(struct walk *walk, struct meta *metas)
{
    for (u32 i = 0; i < 2; i++) {
        struct {
            struct page_head head;
            struct meta meta;
        } page;
        u64 offset = i == 0 ? 0 : metas[0].free.page_bytes;
        i32 result = read_exactly(walk->fd, &page, sizeof page, offset);
        if (result < 0) return unreadable_at(walk, i, result);
        const char *fault = meta_fault(&page.head, &page.meta, i);
        if (fault != NULL) return fault_at(walk, i, fault);
        metas[i] = page.meta;
    }
    u64 a = metas[0].txn, b = metas[1].txn;
    bool alternate = a % 2 == 0 && (b % 2 == 1 ? a + 1 == b || b + 1 == a : a == 0 && b == 0);
    if (metas[0].free.page_bytes != metas[1].free.page_bytes || !alternate)
        return fault_at(walk, 0, "the two meta pages do not follow each other");
    walk->page_bytes = metas[0].free.page_bytes;
    return 0;
}

static u32 root_format(struct store *store, int fd, const struct meta *meta);

static i32 check_file(struct store *store, struct walk *walk, u64 bytes)
{
    struct meta metas[2];
    i32 result = metas_read(walk, metas);
    if (result < 0) return result;
    const struct meta *newer = &metas[metas[1].txn > metas[0].txn];
    walk->format = root_format(store, walk->fd, newer);
    if (walk->format != 0 && walk->format != STORE_FORMAT_VERSION) return -EPROTONOSUPPORT;
    walk->file_pages = bytes / walk->page_bytes;
    walk->taken = calloc(1, newer->last_page / 8 + 1);
    walk->pages = malloc(2 * DEPTH_MAX * (u64)walk->page_bytes);
    walk->last_page = newer->last_page;
    result = walk->taken == NULL || walk->pages == NULL ? -ENOMEM : walk_all(walk, newer);
    free(walk->taken);
    free(walk->pages);
    return result;
}

/* The pages above the one at fault, any of which may be what is wrong; "" when there are none. */
static void path_tell(const struct walk *walk, char *text, u64 text_bytes)
{
    u64 used = 0;
    text[0] = 0;
    for (u32 i = 0; i < walk->path_count && used < text_bytes; i++) {
        if (walk->path[i] == walk->page) continue;
        used += (u64)snprintf(text + used, text_bytes - used, "%s%llu", used == 0 ? " (reached over pages " : ", ",
                              (unsigned long long)walk->path[i]);
    }
    if (used > 0 && used < text_bytes) snprintf(text + used, text_bytes - used, ")");
}

i32 lmdb_check(struct store *store, const char *directory, char *error, u32 error_bytes)
{
    char path[FILE_PATH_BYTES];
    i32 result = file_join(path, directory, "data.mdb");
    if (result < 0) return result;
    struct walk walk = {.fd = open(path, O_RDONLY | O_CLOEXEC)};
    if (walk.fd < 0) return errno == ENOENT ? 0 : -errno;
    i64 bytes = file_bytes(walk.fd);
    result = bytes < 0 ? (i32)bytes : check_file(store, &walk, (u64)bytes);
    close(walk.fd);
    if (result == -EPROTONOSUPPORT) return lmdb_format_check(walk.format, directory, error, error_bytes);
    char above[256];
    path_tell(&walk, above, sizeof above);
    if (walk.fault != NULL)
        snprintf(error, error_bytes, "the store is damaged: page %llu of %s%s: %s; remedy: start from a backup",
                 (unsigned long long)walk.page, path, above, walk.fault);
    if (walk.error < 0)
        snprintf(error, error_bytes,
                 "cannot read page %llu of the store %s: %s; remedy: see to the disk, else start from a backup",
                 (unsigned long long)walk.page, path, strerror(-walk.error));
    return result;
}

static i32 page_write_again(int fd, u64 offset, u32 page_bytes)
{
    u8 *page = malloc(page_bytes);
    if (page == NULL) return -ENOMEM;
    i32 result = read_exactly(fd, page, page_bytes, offset);
    if (result == 0) {
        ssize_t put = pwrite(fd, page, page_bytes, (off_t)offset);
        result = put < 0 ? -errno : put != (ssize_t)page_bytes ? -EIO : 0;
    }
    if (result == 0 && fdatasync(fd) < 0) result = -errno;
    free(page);
    return result;
}

/* A process that died while it wrote may have left a root that only the page cache holds, and a sync that failed
 * since may have made the kernel forget that it does. All that a root leads to was synced before its meta page was
 * written, so that page alone is written again; never both, of which one must survive whatever becomes of a write. */
i32 lmdb_meta_write_again(const char *directory)
{
    char path[FILE_PATH_BYTES];
    struct meta metas[2];
    i32 result = file_join(path, directory, "data.mdb");
    if (result < 0) return result;
    struct walk walk = {.fd = open(path, O_RDWR | O_CLOEXEC)};
    if (walk.fd < 0) return -errno;
    result = metas_read(&walk, metas);
    u32 newer = result == 0 && metas[1].txn > metas[0].txn;
    if (result == 0) result = page_write_again(walk.fd, (u64)newer * walk.page_bytes, walk.page_bytes);
    close(walk.fd);
    return result;
}

/* ---- One value ---- */

/* Is the node's key not above the wanted one: a name, or without one the number? */
static bool not_above(const struct node *node, const char *name, u64 key)
{
    if (name == NULL) return key_of(node) <= key;
    u64 bytes = strlen(name);
    int order = memcmp(node->key, name, min_u64(bytes, node->key_bytes));
    return order < 0 || (order == 0 && node->key_bytes <= bytes);
}

/* The last node whose key is not above; U32_NONE: none. */
static u32 node_search(const u8 *page, u32 page_bytes, const char *name, u64 key, bool branch)
{
    u32 low = 0, high = node_count(page); /* the answer is below `high`, and not below `low` - 1 */
    while (low < high) {
        u32 middle = low + (high - low) / 2;
        struct node node = node_of(page, page_bytes, middle);
        if ((branch && middle == 0) || not_above(&node, name, key))
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? U32_NONE : low - 1;
}

/* What is being read. */
struct lookup {
    struct store *store;
    int fd;
    u32 page_bytes;
};

/* The page at this place, checked; of a tree of numbers the one that was seen there before. */
static i32 page_see(const struct lookup *lookup, const struct place *place, struct lmdb_page *page)
{
    if (place->number >= PAGES_MAX) return -EIO;
    lookup->store->page_read = place->number;
    if (page->number == place->number && page->low == place->low && page->high == place->high) return 0;
    page->number = 0;
    u64 offset = place->number * lookup->page_bytes;
    i32 result = read_exactly(lookup->fd, page->bytes, lookup->page_bytes, offset);
    if (result < 0) return result == -EBADMSG ? -EIO : result;
    if (page_fault(page->bytes, lookup->page_bytes, place) != NULL) return -EIO;
    if (place->names) return 0; /* its bounds are names */
    page->number = place->number;
    page->low = place->low;
    page->high = place->high;
    return 0;
}

/* The last node of the tree whose key is not above. 1: there is none. */
static i32 tree_find(const struct lookup *lookup, u64 root, u32 depth, const char *name, u64 key, struct node *node,
                     u64 *page)
{
    const u8 *at = NULL;
    u32 page_bytes = lookup->page_bytes;
    struct place place = {.number = root, .depth = depth, .names = name != NULL, .high = U64_NONE};
    if (depth > DEPTH_MAX) return -EIO;
    for (; place.depth > 0; place = child_place(at, page_bytes, &place, node_search(at, page_bytes, name, key, true))) {
        struct lmdb_page *seen = &lookup->store->seen.pages[place.depth % LMDB_LEVELS];
        i32 result = page_see(lookup, &place, seen);
        if (result < 0) return result;
        at = seen->bytes;
        if (place.depth > 1) continue;
        u32 index = node_search(at, page_bytes, name, key, false);
        if (index == U32_NONE) return 1;
        *node = node_of(at, page_bytes, index);
        *page = place.number;
        return 0;
    }
    return 1;
}

/* The meta page of the transaction that is being read. */
static i32 meta_read(const struct lookup *lookup, struct meta *meta)
{
    struct {
        struct page_head head;
        struct meta meta;
    } page;
    u64 txn = mdb_txn_id(lookup->store->reader);
    i32 result = read_exactly(lookup->fd, &page, sizeof page, txn % 2 * lookup->page_bytes);
    if (result < 0) return result == -EBADMSG ? -EIO : result;
    *meta = page.meta;
    return meta_fault(&page.head, meta, txn % 2) == NULL && meta->txn == txn ? 0 : -EIO;
}

/* Of this name: where it begins. */
static i32 tree_see(const struct lookup *lookup, const struct meta *meta, const char *name)
{
    struct lmdb_seen *seen = &lookup->store->seen;
    struct tree_record tree;
    struct node node;
    u64 page;
    i32 result = tree_find(lookup, meta->main.root, meta->main.depth, name, 0, &node, &page);
    if (result != 0) return result < 0 ? result : -EIO;
    if (!named(&node, name) || node.flags != NODE_TREE || node.bytes != sizeof tree) return -EIO;
    memcpy(&tree, node.data, sizeof tree);
    seen->tree = name;
    seen->root = tree.root;
    seen->depth = tree.depth;
    return 0;
}

/* The last node, of the tree of this name, whose key is not above. 1: there is none. */
static i32 find(const struct lookup *lookup, const char *tree, u64 key, struct lmdb_value *value)
{
    struct lmdb_seen *seen = &lookup->store->seen;
    struct node node;
    i32 result = 0;
    if (seen->tree == NULL || strcmp(seen->tree, tree) != 0) {
        struct meta meta;
        lmdb_forget(seen);
        result = meta_read(lookup, &meta);
        if (result == 0) result = tree_see(lookup, &meta, tree);
    }
    if (result == 0) result = tree_find(lookup, seen->root, seen->depth, NULL, key, &node, &value->page);
    if (result != 0) return result;
    value->key = key_of(&node);
    value->data = node.data;
    value->bytes = node.bytes;
    return node.flags == 0 ? 0 : -EIO;
}

i32 lmdb_find(struct store *store, const char *tree, u64 key, struct lmdb_value *value)
{
    struct lookup lookup = {.store = store};
    MDB_stat status;
    int code = mdb_env_stat(store->env, &status);
    if (code == 0) code = mdb_env_get_fd(store->env, &lookup.fd);
    if (code != 0) return result_of(code);
    if (status.ms_psize > sizeof store->seen.pages->bytes) return -EIO;
    lookup.page_bytes = status.ms_psize;
    for (;;) {
        u64 txn = mdb_txn_id(store->reader);
        i32 result = find(&lookup, tree, key, value);
        if (result != -EIO) return result;
        /* The helper may have made two transactions since: then the meta page is that of the second. */
        lmdb_read_end(store);
        result = lmdb_read_begin(store);
        if (result < 0 || mdb_txn_id(store->reader) == txn) return result < 0 ? result : -EIO;
    }
}

/* Read before the walk, which would take another format for damage. 0: there is no root that verifies. */
static u32 root_format(struct store *store, int fd, const struct meta *meta)
{
    const struct lookup lookup = {.store = store, .fd = fd, .page_bytes = meta->free.page_bytes};
    struct root_value root;
    struct node node;
    u64 page;
    if (lookup.page_bytes > sizeof store->seen.pages->bytes) return 0;
    lmdb_forget(&store->seen);
    if (tree_see(&lookup, meta, ROOT_NAME) != 0) return 0;
    if (tree_find(&lookup, store->seen.root, store->seen.depth, NULL, ROOT_KEY, &node, &page) != 0) return 0;
    if (key_of(&node) != ROOT_KEY || node.flags != 0 || node.bytes != sizeof root) return 0;
    memcpy(&root, node.data, sizeof root);
    return root.checksum == root_checksum(&root) ? root.root.format_version : 0;
}
