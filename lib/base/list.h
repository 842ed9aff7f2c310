/* Intrusive doubly linked list. A node is in at most one list; an unlinked node points to itself
 * or is zero. */
#ifndef SL_BASE_LIST_H
#define SL_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* may_alias: a head inside one struct is written through the nodes of others. GCC 12 at -O2 was seen
 * to keep such a head's `next` in a register over a removal and an insertion. */
struct __attribute__((may_alias)) sl_list {
    struct sl_list *next;
    struct sl_list *prev;
};

#define SL_LIST_OF(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))
/* Safe against removal of `it` in the body. */
#define SL_LIST_EACH(it, tmp, list) \
    for (struct sl_list *it = (list)->next, *tmp = it->next; it != (list); it = tmp, tmp = it->next)

static inline void sl_list_init(struct sl_list *list) { list->next = list->prev = list; }
static inline bool sl_list_is_empty(const struct sl_list *list) { return list->next == list; }
/* Zeroed nodes count as unlinked. */
static inline bool sl_list_is_linked(const struct sl_list *node) {
    return node->next != NULL && node->next != node;
}
static inline void sl_list_insert_before(struct sl_list *at, struct sl_list *node) {
    node->prev = at->prev;
    node->next = at;
    at->prev->next = node;
    at->prev = node;
}
static inline void sl_list_push_back(struct sl_list *list, struct sl_list *node) {
    sl_list_insert_before(list, node);
}
static inline void sl_list_push_front(struct sl_list *list, struct sl_list *node) {
    sl_list_insert_before(list->next, node);
}
/* Harmless on an unlinked node. */
static inline void sl_list_remove(struct sl_list *node) {
    if (!sl_list_is_linked(node)) return;
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->next = node->prev = node;
}
/* The first node, or NULL. */
static inline struct sl_list *sl_list_peek(struct sl_list *list) {
    return sl_list_is_empty(list) ? NULL : list->next;
}
static inline struct sl_list *sl_list_pop_front(struct sl_list *list) {
    struct sl_list *node = sl_list_peek(list);
    if (node != NULL) sl_list_remove(node);
    return node;
}
/* Moves all of `from` to the end of `to`; `from` is empty after. */
static inline void sl_list_splice_back(struct sl_list *to, struct sl_list *from) {
    if (sl_list_is_empty(from)) return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    sl_list_init(from);
}

#endif
