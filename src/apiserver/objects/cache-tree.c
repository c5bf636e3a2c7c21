/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copy-on-write B+ tree of items by key. A snapshot is a reference to the root; a node that only
 * one tree reaches is changed in place, any other is copied first, up to the root.
 *
 * A node above the leaves knows of each child how many items are below it and which is the first:
 * borrowed, for what is below is the same as long as this node is (a change goes through it).
 */
#include "apiserver/objects/cache-private.h"

#include <assert.h>

#define FAN 32
#define LOW (FAN / 4) /* a node with less looks for a neighbour to join */

struct node {
	uint32_t refs;
	uint16_t n;
	uint16_t level; /* 0: a leaf */
};
struct leaf {
	struct node head;
	struct item *v[FAN];
};
struct inner {
	struct node head;
	struct node *v[FAN];
	struct item *first[FAN];
	uint32_t count[FAN];
};

static struct leaf *leaf_of(const struct node *n)
{
	return CONTAINER_OF((struct node *)(uintptr_t)n, struct leaf, head);
}

static struct inner *inner_of(const struct node *n)
{
	return CONTAINER_OF((struct node *)(uintptr_t)n, struct inner, head);
}

int slice_order(struct slice a, struct slice b)
{
	const size_t n = MIN(a.n, b.n);
	int c = n ? memcmp(a.p, b.p, n) : 0;

	return c ? c : (a.n > b.n) - (a.n < b.n);
}

static size_t node_size(unsigned level)
{
	return level ? sizeof(struct inner) : sizeof(struct leaf);
}

static struct node *node_new(struct tree *t, unsigned level)
{
	struct node *n = malloc(node_size(level));

	if (!n)
		abort();
	*n = (struct node){ .refs = 1, .level = (uint16_t)level };
	*t->memory += node_size(level);
	return n;
}

struct node *tree_ref(struct node *n)
{
	if (n)
		n->refs++;
	return n;
}

void tree_unref(struct node *n, size_t *memory)
{
	if (!n || --n->refs)
		return;
	for (unsigned i = 0; i < n->n; i++)
		if (n->level)
			tree_unref(inner_of(n)->v[i], memory);
		else
			item_unref(leaf_of(n)->v[i]);
	*memory -= node_size(n->level);
	free(n);
}

/* The node in *slot, made this tree's own. */
static struct node *own(struct tree *t, struct node **slot)
{
	struct node *n = *slot, *copy;

	if (n->refs == 1)
		return n;
	copy = node_new(t, n->level);
	memcpy(copy, n, node_size(n->level));
	copy->refs = 1;
	for (unsigned i = 0; i < n->n; i++)
		if (n->level)
			inner_of(n)->v[i]->refs++;
		else
			(void)item_ref(leaf_of(n)->v[i]);
	n->refs--; /* not the last one */
	*slot = copy;
	return copy;
}

static size_t node_count(const struct node *n)
{
	size_t sum = 0;

	if (!n->level)
		return n->n;
	for (unsigned i = 0; i < n->n; i++)
		sum += inner_of(n)->count[i];
	return sum;
}

static struct item *node_first(const struct node *n)
{
	return n->level ? inner_of(n)->first[0] : leaf_of(n)->v[0];
}

/* ---- finding ---- */

/* The first item not before the key; n->n: none. */
static unsigned leaf_find(const struct leaf *l, struct slice key, bool *ret_there)
{
	unsigned low = 0, high = l->head.n;

	*ret_there = false;
	while (low < high) {
		unsigned mid = (low + high) / 2;
		int c = slice_order(item_key(l->v[mid]), key);

		if (c == 0) {
			*ret_there = true;
			return mid;
		}
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The child in which the key lies or would lie. */
static unsigned inner_find(const struct inner *n, struct slice key)
{
	unsigned low = 1, high = n->head.n;

	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (slice_order(item_key(n->first[mid]), key) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low - 1;
}

struct item *tree_get(const struct node *n, struct slice key)
{
	bool there;
	unsigned i;

	if (!n)
		return NULL;
	while (n->level)
		n = inner_of(n)->v[inner_find(inner_of(n), key)];
	i = leaf_find(leaf_of(n), key, &there);
	return there ? leaf_of(n)->v[i] : NULL;
}

size_t tree_rank(const struct node *n, struct slice key)
{
	size_t rank = 0;
	bool there;

	if (!n)
		return 0;
	while (n->level) {
		unsigned at = inner_find(inner_of(n), key);

		for (unsigned i = 0; i < at; i++)
			rank += inner_of(n)->count[i];
		n = inner_of(n)->v[at];
	}
	return rank + leaf_find(leaf_of(n), key, &there);
}

/* ---- putting ---- */

static void inner_set(struct inner *n, unsigned i, struct node *child)
{
	n->v[i] = child;
	n->first[i] = node_first(child);
	n->count[i] = (uint32_t)node_count(child);
}

static void leaf_insert(struct leaf *l, unsigned at, struct item *i)
{
	memmove(&l->v[at + 1], &l->v[at], (l->head.n - at) * sizeof(l->v[0]));
	l->v[at] = i;
	l->head.n++;
}

static void inner_insert(struct inner *n, unsigned at, struct node *child)
{
	const unsigned behind = n->head.n - at;

	memmove(&n->v[at + 1], &n->v[at], behind * sizeof(n->v[0]));
	memmove(&n->first[at + 1], &n->first[at], behind * sizeof(n->first[0]));
	memmove(&n->count[at + 1], &n->count[at], behind * sizeof(n->count[0]));
	n->head.n++;
	inner_set(n, at, child);
}

/* Where a full node is cut: what comes in order (a list being read) leaves full nodes behind. */
static unsigned cut_at(const struct node *n, unsigned at)
{
	return at == n->n ? FAN : FAN / 2;
}

/* What is behind `cut` goes to a new node on the right. */
static struct node *split(struct tree *t, struct node *n, unsigned cut)
{
	struct node *right = node_new(t, n->level);

	right->n = (uint16_t)(n->n - cut);
	if (n->level) {
		struct inner *a = inner_of(n), *b = inner_of(right);

		memcpy(b->v, &a->v[cut], right->n * sizeof(b->v[0]));
		memcpy(b->first, &a->first[cut], right->n * sizeof(b->first[0]));
		memcpy(b->count, &a->count[cut], right->n * sizeof(b->count[0]));
	} else {
		memcpy(leaf_of(right)->v, &leaf_of(n)->v[cut], right->n * sizeof(leaf_of(n)->v[0]));
	}
	n->n = (uint16_t)cut;
	return right;
}

static struct node *leaf_put(struct tree *t, struct leaf *l, struct item *i, struct item **old)
{
	struct node *right = NULL;
	bool there;
	unsigned at = leaf_find(l, item_key(i), &there), cut;

	if (there) {
		*old = l->v[at];
		l->v[at] = i;
		return NULL;
	}
	if (l->head.n == FAN) {
		cut = cut_at(&l->head, at);
		right = split(t, &l->head, cut);
		if (at >= cut) {
			at -= cut;
			l = leaf_of(right);
		}
	}
	leaf_insert(l, at, i);
	return right;
}

/* A node that came beside it, or NULL. */
static struct node *put(struct tree *t, struct node **slot, struct item *i, struct item **old)
{
	struct node *n = own(t, slot), *beside, *right = NULL;
	struct inner *in;
	unsigned at, cut;

	if (!n->level)
		return leaf_put(t, leaf_of(n), i, old);
	in = inner_of(n);
	at = inner_find(in, item_key(i));
	beside = put(t, &in->v[at], i, old);
	if (!beside) {
		in->first[at] = node_first(in->v[at]);
		in->count[at] += !*old;
		return NULL;
	}
	inner_set(in, at, in->v[at]);
	at++;
	if (n->n == FAN) {
		cut = cut_at(n, at);
		right = split(t, n, cut);
		if (at >= cut) {
			at -= cut;
			in = inner_of(right);
		}
	}
	inner_insert(in, at, beside);
	return right;
}

struct item *tree_put(struct tree *t, struct item *i)
{
	struct item *old = NULL;
	struct node *beside, *root;

	if (!t->root)
		t->root = node_new(t, 0);
	beside = put(t, &t->root, i, &old);
	if (beside) {
		assert(t->root->level + 1 < TREE_DEPTH_MAX);
		root = node_new(t, t->root->level + 1u);
		root->n = 2;
		inner_set(inner_of(root), 0, t->root);
		inner_set(inner_of(root), 1, beside);
		t->root = root;
	}
	t->count += !old;
	return old;
}

/* ---- deleting ---- */

static void inner_remove(struct inner *n, unsigned at)
{
	const unsigned behind = --n->head.n - at;

	memmove(&n->v[at], &n->v[at + 1], behind * sizeof(n->v[0]));
	memmove(&n->first[at], &n->first[at + 1], behind * sizeof(n->first[0]));
	memmove(&n->count[at], &n->count[at + 1], behind * sizeof(n->count[0]));
}

/* Child at + 1 goes into child at, when both fit. */
static bool join(struct tree *t, struct inner *n, unsigned at)
{
	struct node *a = n->v[at], *b = n->v[at + 1];

	if (a->n + b->n > FAN - LOW)
		return false;
	a = own(t, &n->v[at]);
	b = own(t, &n->v[at + 1]);
	if (a->level) {
		struct inner *x = inner_of(a), *y = inner_of(b);

		memcpy(&x->v[a->n], y->v, b->n * sizeof(x->v[0]));
		memcpy(&x->first[a->n], y->first, b->n * sizeof(x->first[0]));
		memcpy(&x->count[a->n], y->count, b->n * sizeof(x->count[0]));
	} else {
		memcpy(&leaf_of(a)->v[a->n], leaf_of(b)->v, b->n * sizeof(struct item *));
	}
	a->n = (uint16_t)(a->n + b->n);
	b->n = 0; /* what it had has moved */
	tree_unref(b, t->memory);
	inner_remove(n, at + 1);
	inner_set(n, at, a);
	return true;
}

/* The key is there. */
static struct item *del(struct tree *t, struct node **slot, struct slice key)
{
	struct node *n = own(t, slot);
	struct item *old;
	struct inner *in;
	unsigned at;
	bool there;

	if (!n->level) {
		struct leaf *l = leaf_of(n);

		at = leaf_find(l, key, &there);
		assert(there);
		old = l->v[at];
		n->n--;
		memmove(&l->v[at], &l->v[at + 1], (n->n - at) * sizeof(l->v[0]));
		return old;
	}
	in = inner_of(n);
	at = inner_find(in, key);
	old = del(t, &in->v[at], key);
	if (in->v[at]->n == 0) {
		tree_unref(in->v[at], t->memory);
		inner_remove(in, at);
		return old;
	}
	in->first[at] = node_first(in->v[at]);
	in->count[at]--;
	if (in->v[at]->n < LOW && !(at + 1 < n->n && join(t, in, at)) && at > 0)
		(void)join(t, in, at - 1);
	return old;
}

struct item *tree_del(struct tree *t, struct slice key)
{
	struct item *old;

	if (!tree_get(t->root, key))
		return NULL;
	old = del(t, &t->root, key);
	t->count--;
	while (t->root->n == (t->root->level ? 1 : 0)) {
		struct node *root = t->root;

		t->root = root->level ? inner_of(root)->v[0] : NULL;
		root->n = 0;
		tree_unref(root, t->memory);
		if (!t->root)
			break;
	}
	return old;
}

/* ---- walking ---- */

/* Down to the first item of the node at the path's end. */
static void descend(struct tree_iter *it)
{
	const struct node *n = it->path[it->depth - 1].node;

	while (n->level) {
		n = inner_of(n)->v[it->path[it->depth - 1].i];
		it->path[it->depth].node = n;
		it->path[it->depth++].i = 0;
	}
}

void tree_iter_init(struct tree_iter *it, const struct node *n, struct slice from, size_t end)
{
	bool there;

	*it = (struct tree_iter){ .end = end };
	if (!n)
		return;
	it->at = tree_rank(n, from);
	while (n->level) {
		unsigned at = inner_find(inner_of(n), from);

		it->path[it->depth].node = n;
		it->path[it->depth++].i = at;
		n = inner_of(n)->v[at];
	}
	it->path[it->depth].node = n;
	it->path[it->depth++].i = leaf_find(leaf_of(n), from, &there);
}

struct item *tree_iter_next(struct tree_iter *it)
{
	if (it->at >= it->end)
		return NULL;
	it->at++;
	while (it->path[it->depth - 1].i == it->path[it->depth - 1].node->n) {
		it->depth--;
		assert(it->depth); /* at < end: there is one more */
		it->path[it->depth - 1].i++;
	}
	descend(it);
	return leaf_of(it->path[it->depth - 1].node)->v[it->path[it->depth - 1].i++];
}
