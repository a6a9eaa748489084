#include "store/tree.h"

static bool before(int64_t key, int64_t id, const struct tree_node *n)
{
    return key < n->key || (key == n->key && id < n->id);
}

/* Heavier nodes are nearer to the root. */
static uint64_t weight(const struct tree_node *n)
{
    uint64_t x = (uint64_t)n->id * 0x9E3779B97F4A7C15u;

    x = (x ^ x >> 32) * 0xD6E8FEB86659FD93u;
    return x ^ x >> 32;
}

void tree_add(struct tree_node **root, struct tree_node *node)
{
    uint64_t heavy = weight(node);
    struct tree_node **at = root, *rest, **low = &node->left, **high = &node->right;

    while (*at != NULL && weight(*at) >= heavy)
        at = before(node->key, node->id, *at) ? &(*at)->left : &(*at)->right;
    rest = *at;
    *at = node;
    while (rest != NULL) {
        if (before(node->key, node->id, rest)) {
            *high = rest;
            high = &rest->left;
            rest = rest->left;
        } else {
            *low = rest;
            low = &rest->right;
            rest = rest->right;
        }
    }
    *low = *high = NULL;
}

void tree_drop(struct tree_node **root, struct tree_node *node)
{
    struct tree_node **at = root, *low = node->left, *high = node->right;

    while (*at != node)
        at = before(node->key, node->id, *at) ? &(*at)->left : &(*at)->right;
    while (low != NULL && high != NULL) {
        if (weight(low) >= weight(high)) {
            *at = low;
            at = &low->right;
            low = low->right;
        } else {
            *at = high;
            at = &high->left;
            high = high->left;
        }
    }
    *at = low != NULL ? low : high;
}

struct tree_node *tree_after(struct tree_node *root, int64_t key, int64_t id)
{
    struct tree_node *best = NULL;

    while (root != NULL) {
        if (before(key, id, root)) {
            best = root;
            root = root->left;
        } else {
            root = root->right;
        }
    }
    return best;
}

struct tree_node *tree_first(struct tree_node *root)
{
    while (root != NULL && root->left != NULL)
        root = root->left;
    return root;
}
