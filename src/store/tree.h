/* An ordered tree whose nodes are members of what they order: by key, then by id. A treap: its
 * shape comes from the ids' hashes alone. Not for use by two threads at a time. */
#ifndef WAYBILL_STORE_TREE_H
#define WAYBILL_STORE_TREE_H

#include "base/span.h"

struct tree_node {
    struct tree_node *left, *right;
    int64_t key, id; /* set by the caller before tree_add; (key, id) is unique in a tree */
};

/* NULL is the empty tree. */
void tree_add(struct tree_node **root, struct tree_node *node);
/* The node must be in the tree. */
void tree_drop(struct tree_node **root, struct tree_node *node);
/* The first node after (key, id), which need not be there; NULL: none. */
struct tree_node *tree_after(struct tree_node *root, int64_t key, int64_t id);
struct tree_node *tree_first(struct tree_node *root);

#endif
