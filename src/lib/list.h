// SPDX-License-Identifier: MIT
/*
 * A doubly linked list whose links lie inside the things that it holds. The list's head is a node
 * as well, so the list is a ring and no operation has a special case for its ends.
 *
 * Context: any, for all of this file. Sleeps: no. Locks: the caller's, whatever guards the list.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct list_node {
    struct list_node *next;
    struct list_node *prev;
};

/* The value of an empty list at file scope: struct list_node list = LIST_INIT(list). */
#define LIST_INIT(head)                                                                            \
    {                                                                                              \
        .next = &(head), .prev = &(head)                                                           \
    }

/* The thing of `type` whose `member` is the node at `node`. */
#define list_entry(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline void list_init(struct list_node *head)
{
    head->next = head;
    head->prev = head;
}

static inline bool list_is_empty(const struct list_node *head)
{
    return head->next == head;
}

static inline void list_push_front(struct list_node *head, struct list_node *node)
{
    node->next = head->next;
    node->prev = head;
    head->next->prev = node;
    head->next = node;
}

static inline void list_push_back(struct list_node *head, struct list_node *node)
{
    list_push_front(head->prev, node); /* after the last node, which is before the head */
}

/* Take the node out of its list; its links then mean nothing. */
static inline void list_remove(struct list_node *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
}

/* Make `to` the list of all that is in `from`, which is empty then. */
static inline void list_take_all(struct list_node *to, struct list_node *from)
{
    list_push_front(from, to); /* the ring without its head becomes a list of `to` */
    list_remove(from);
    list_init(from);
}
