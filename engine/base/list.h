/* Intrusive doubly linked lists. A link that is in no list points to itself or is zero. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/base.h"

struct link {
    struct link *next;
    struct link *previous;
};

#define LIST_ENTRY(link_, type, member) ((type *)(void *)((u8 *)(link_)-offsetof(type, member)))

static inline void list_init(struct link *head) { head->next = head->previous = head; }
static inline bool list_empty(const struct link *head) { return head->next == head; }
static inline bool list_linked(const struct link *link) { return link->next != NULL && link->next != link; }

static inline void list_insert_before(struct link *at, struct link *link)
{
    ASSERT(!list_linked(link));
    link->previous = at->previous;
    link->next = at;
    at->previous->next = link;
    at->previous = link;
}

static inline void list_push(struct link *head, struct link *link) { list_insert_before(head, link); }
static inline void list_push_front(struct link *head, struct link *link)
{
    list_insert_before(head->next, link);
}

static inline void list_remove(struct link *link)
{
    if (!list_linked(link)) return;
    link->previous->next = link->next;
    link->next->previous = link->previous;
    list_init(link);
}

static inline struct link *list_pop(struct link *head)
{
    struct link *link = head->next;
    if (link == head) return NULL;
    list_remove(link);
    return link;
}

/* Moves everything to the end of another list. */
static inline void list_append(struct link *head, struct link *from)
{
    if (list_empty(from)) return;
    ASSERT(from->next != NULL && from->previous != NULL);
    from->next->previous = head->previous;
    head->previous->next = from->next;
    from->previous->next = head;
    head->previous = from->previous;
    list_init(from);
}

#endif
