/* SPDX-License-Identifier: Apache-2.0 */
/* Intrusive doubly linked list. An unlinked node points to itself, so list_del is safe to repeat.
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>

struct list {
	struct list *next, *prev;
};

#define LIST_INIT(name) ((struct list){ &(name), &(name) })
static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}
static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}
static inline void list_add_after(struct list *pos, struct list *item)
{
	item->next = pos->next;
	item->prev = pos;
	pos->next->prev = item;
	pos->next = item;
}
static inline void list_append(struct list *head, struct list *item)
{
	list_add_after(head->prev, item);
}
static inline void list_prepend(struct list *head, struct list *item)
{
	list_add_after(head, item);
}
static inline void list_del(struct list *item)
{
	item->next->prev = item->prev;
	item->prev->next = item->next;
	list_init(item);
}
#define LIST_ENTRY(l, type, member) CONTAINER_OF(l, type, member)
#define LIST_FIRST(head, type, member) \
	(list_empty(head) ? NULL : LIST_ENTRY((head)->next, type, member))
/* `var` may be removed from the list inside the body; nothing else may. */
#define LIST_FOREACH(var, head, type, member)                             \
	for (struct list *it_ = (head)->next, *nx_ = it_->next;           \
	     it_ != (head) && ((var) = LIST_ENTRY(it_, type, member), 1); \
	     it_ = nx_, nx_ = it_->next)
