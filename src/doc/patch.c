/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON Patch and Merge Patch over documents.
 *
 * (1) The result's nodes are its own from the start (one shared-string copy of the target), so
 * operations change it in place, and what a patch inserts is copied before it is inserted. (2) All
 * work is paid for: "copy" bytes, operations, and the children that lookups and shifts pass over. A
 *     patch of a few kilobytes cannot make the process busy for long.
 */
#include "doc/patch.h"

#include "base/arena.h"
#include "base/err.h"
#include "doc/pointer.h"
#include "doc/walk.h"

struct patcher {
	struct arena *a;
	struct doc root;
	struct patch_limits limits;
	size_t copied, work;
	struct err *err;
};

struct operation {
	const struct doc *value;
	struct slice op, path, from;
};

/* Where a path leads: its container and the last token. */
struct place {
	struct doc *in; /* NULL: the whole document */
	struct slice last;
};

static int spend(struct patcher *p, size_t children)
{
	p->work += children;
	if (p->work > PATCH_WORK_MAX)
		return err_set(p->err, ERR_TOO_LARGE,
			       "the patch moves or passes more than %u children in all",
			       PATCH_WORK_MAX);
	return 0;
}

static int not_there(struct patcher *p, struct slice token, const struct doc *in)
{
	return err_set(p->err, ERR_INVALID, "there is no '%.*s' in the %s", (int)MIN(token.n, 100),
		       token.p, doc_type_name(in));
}

/* The child for a token, which must be there. */
static int child(struct patcher *p, struct doc *in, struct slice token, struct doc **ret)
{
	struct slice key;
	size_t i;
	int r;

	if (in->type == DOC_ARRAY) {
		r = pointer_index(token, &i);
		*ret = r == 0 ? doc_at(in, i) : NULL;
		if (r < 0)
			return err_set(p->err, ERR_INVALID, "'%.*s' is no index of an array",
				       (int)MIN(token.n, 100), token.p);
	} else {
		r = spend(p, doc_len(in));
		if (r < 0)
			return r;
		key = pointer_token(p->a, token);
		if (!key.p)
			return arena_quota(p->a, p->err);
		*ret = doc_getn(in, key);
	}
	return *ret ? 0 : not_there(p, token, in);
}

/* Walks to the container that the path's last token is about. */
static int locate(struct patcher *p, struct slice path, struct place *ret)
{
	struct place at = { 0 };
	struct doc *d = &p->root;
	struct slice token;
	int r;

	while (pointer_next(&path, &token)) {
		if (at.in) {
			r = child(p, at.in, at.last, &d);
			if (r < 0)
				return r;
		}
		at.in = d;
		at.last = token;
	}
	*ret = at;
	return 0;
}

static int find(struct patcher *p, struct slice path, struct doc **ret)
{
	struct place at;
	int r = locate(p, path, &at);

	if (r < 0)
		return r;
	if (at.in)
		return child(p, at.in, at.last, ret);
	*ret = &p->root;
	return 0;
}

/* A node of its own for the result. keeps (1) */
static int own(struct patcher *p, const struct doc *value, struct doc *ret)
{
	struct doc *copy;

	if (!walk_has_kids(value)) {
		*ret = *value;
		ret->room = ret->mark = 0;
		return 0;
	}
	copy = doc_copy_shared(p->a, value);
	if (!copy)
		return arena_quota(p->a, p->err);
	*ret = *copy;
	return 0;
}

static int put_in_array(struct patcher *p, const struct place *at, struct doc value)
{
	size_t i = at->in->n;
	int r = pointer_index(at->last, &i);

	if (r < 0)
		return err_set(p->err, ERR_INVALID, "'%.*s' is no index of an array",
			       (int)MIN(at->last.n, 100), at->last.p);
	if (i > at->in->n)
		return err_set(p->err, ERR_INVALID, "index %zu is past the end of the array of %u",
			       i, at->in->n);
	r = spend(p, at->in->n - i);
	if (r < 0)
		return r;
	return doc_insert(p->a, at->in, i, value) ? 0 : arena_quota(p->a, p->err);
}

/* RFC 6902 section 4.1: inserts into an array, adds or replaces a member, or replaces everything.
 */
static int put(struct patcher *p, struct slice path, struct doc value)
{
	struct place at;
	struct slice key;
	int r = locate(p, path, &at);

	if (r < 0)
		return r;
	if (!at.in) {
		p->root = value;
		return 0;
	}
	if (at.in->type == DOC_ARRAY)
		return put_in_array(p, &at, value);
	if (at.in->type != DOC_OBJECT)
		return err_set(p->err, ERR_INVALID, "cannot add '%.*s' to a %s",
			       (int)MIN(at.last.n, 100), at.last.p, doc_type_name(at.in));
	r = spend(p, at.in->n);
	if (r < 0)
		return r;
	key = pointer_token(p->a, at.last);
	return key.p && doc_setn(p->a, at.in, key, value) ? 0 : arena_quota(p->a, p->err);
}

/* Takes the value out; *ret is it. */
static int take(struct patcher *p, struct slice path, struct doc *ret)
{
	struct doc *d = NULL;
	struct place at;
	int r = locate(p, path, &at);

	if (r < 0)
		return r;
	if (!at.in)
		return err_set(p->err, ERR_INVALID, "the whole document cannot be removed");
	r = child(p, at.in, at.last, &d);
	if (r < 0)
		return r;
	r = spend(p, at.in->n);
	if (r < 0)
		return r;
	*ret = *d;
	if (at.in->type == DOC_ARRAY) {
		doc_remove_at(at.in, (size_t)(d - at.in->kids));
		return 0;
	}
	/* The key's node is beside the value: no second lookup, and no decoding of the token. */
	doc_removen(at.in, doc_slice(d - 1));
	return 0;
}

/* ---- The operations ---- */

static int op_add(struct patcher *p, const struct operation *o)
{
	struct doc value;
	int r = own(p, o->value, &value);

	return r < 0 ? r : put(p, o->path, value);
}

static int op_remove(struct patcher *p, const struct operation *o)
{
	struct doc gone;

	return take(p, o->path, &gone);
}

static int op_replace(struct patcher *p, const struct operation *o)
{
	struct doc *d = NULL;
	int r = find(p, o->path, &d);

	return r < 0 ? r : own(p, o->value, d);
}

static int op_move(struct patcher *p, const struct operation *o)
{
	struct doc value, *d = NULL;
	int r;

	if (slice_eq(o->from, o->path))
		return find(p, o->from, &d);
	if (slice_starts(o->path, o->from) && o->path.p[o->from.n] == '/')
		return err_set(p->err, ERR_INVALID, "'%.*s' cannot be moved into itself",
			       (int)MIN(o->from.n, 200), o->from.p);
	r = take(p, o->from, &value);
	return r < 0 ? r : put(p, o->path, value);
}

static int op_copy(struct patcher *p, const struct operation *o)
{
	struct doc value, *d = NULL;
	int r = find(p, o->from, &d);

	if (r < 0)
		return r;
	p->copied += doc_size(d, p->limits.max_copy);
	if (p->copied > p->limits.max_copy)
		return err_set(p->err, ERR_TOO_LARGE,
			       "the copy operations together add more than %zu bytes",
			       p->limits.max_copy);
	r = own(p, d, &value);
	return r < 0 ? r : put(p, o->path, value);
}

static int op_test(struct patcher *p, const struct operation *o)
{
	struct doc *d = NULL;
	int r = find(p, o->path, &d);

	if (r < 0)
		return r;
	if (doc_equal(o->value, d))
		return 0;
	return err_set(p->err, ERR_CONFLICT,
		       "the value there is not the one that the patch expects");
}

static const struct {
	const char *name;
	int (*run)(struct patcher *p, const struct operation *o);
	bool value, from;
} operations[] = {
	{ "add", op_add, true, false },		{ "remove", op_remove, false, false },
	{ "replace", op_replace, true, false }, { "move", op_move, false, true },
	{ "copy", op_copy, false, true },	{ "test", op_test, true, false },
};

static int string_member(struct patcher *p, const struct doc *op, const char *name,
			 struct slice *ret)
{
	const struct doc *d = doc_get(op, name);

	if (!doc_is(d, DOC_STRING))
		return err_set(p->err, ERR_BAD_REQUEST, "'%s' must be a string, not %s", name,
			       doc_type_name(d));
	*ret = doc_slice(d);
	return 0;
}

static int pointer_member(struct patcher *p, const struct doc *op, const char *name,
			  struct slice *ret)
{
	int r = string_member(p, op, name, ret);

	return r < 0 ? r : pointer_check(*ret, p->err);
}

static int run_operation(struct patcher *p, const struct doc *d, struct operation *o)
{
	int r;

	if (!doc_is(d, DOC_OBJECT))
		return err_set(p->err, ERR_BAD_REQUEST, "must be an object, not %s",
			       doc_type_name(d));
	r = string_member(p, d, "op", &o->op);
	if (r == 0)
		r = pointer_member(p, d, "path", &o->path);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(operations); i++) {
		if (!slice_is(o->op, operations[i].name))
			continue;
		o->value = doc_get(d, "value");
		if (operations[i].value && !o->value)
			return err_set(p->err, ERR_BAD_REQUEST, "'value' is missing");
		r = operations[i].from ? pointer_member(p, d, "from", &o->from) : 0;
		return r < 0 ? r : operations[i].run(p, o);
	}
	return err_set(p->err, ERR_BAD_REQUEST,
		       "unknown operation; use add, remove, replace, move, copy or test");
}

int patch_apply(struct arena *a, const struct doc *target, const struct doc *patch,
		const struct patch_limits *limits, struct doc **ret, struct err *err)
{
	struct patcher p = { .a = a, .err = err };
	struct doc *root;
	int r;

	if (limits)
		p.limits = *limits;
	p.limits.max_ops = p.limits.max_ops ? p.limits.max_ops : PATCH_OPS_MAX;
	p.limits.max_copy = p.limits.max_copy ? p.limits.max_copy : PATCH_COPY_MAX;
	if (!doc_is(patch, DOC_ARRAY))
		return err_set(err, ERR_BAD_REQUEST,
			       "a JSON patch must be an array of operations, not %s",
			       doc_type_name(patch));
	if (patch->n > p.limits.max_ops)
		return err_set(err, ERR_TOO_LARGE,
			       "the patch has %u operations; at most %zu are allowed", patch->n,
			       p.limits.max_ops);
	r = own(&p, target, &p.root);
	for (uint32_t i = 0; r == 0 && i < patch->n; i++) {
		struct operation o = { 0 };

		r = run_operation(&p, &patch->kids[i], &o);
		if (r < 0 && o.path.p)
			return err_wrap(err, "operation %u (%.*s '%.*s')", i + 1,
					(int)MIN(o.op.n, 20), o.op.p, (int)MIN(o.path.n, 200),
					o.path.p);
		if (r < 0)
			return err_wrap(err, "operation %u", i + 1);
	}
	if (r < 0)
		return r;
	root = doc_new(a, p.root);
	if (!root)
		return arena_quota(a, err);
	*ret = root;
	return 0;
}

/* ---- Merge patch ---- */

/* One object of the result and the two it comes from. Jobs are done in the order in which they were
 * found. */
struct job {
	const struct doc *left, *right; /* left may be NULL */
	struct doc *out;
};

struct jobs {
	struct job *list;
	size_t n, cap;
	struct arena *a;
};

static void add_job(struct jobs *q, const struct doc *left, const struct doc *right,
		    struct doc *out)
{
	if (q->n == q->cap) {
		q->cap = q->cap ? q->cap * 2 : 16;
		q->list = reallocarray(q->list, q->cap, sizeof(*q->list));
		if (!q->list)
			abort();
	}
	*out = doc_object();
	q->list[q->n++] = (struct job){ doc_is(left, DOC_OBJECT) ? left : NULL, right, out };
}

/* Adds a member to a job's object, whose run was made large enough for all. Returns the value's
 * slot. */
static struct doc *add_member(struct doc *out, const struct doc *key)
{
	struct doc *slot = &out->kids[2 * (size_t)out->n++];

	slot[0] = *key;
	return &slot[1];
}

static bool copy_value(struct arena *a, const struct doc *value, struct doc *out)
{
	struct patcher p = { .a = a };

	return own(&p, value, out) == 0;
}

/* A value of the patch that is no null. */
static bool merge_value(struct jobs *q, const struct doc *old, const struct doc *value,
			struct doc *out)
{
	if (value->type != DOC_OBJECT)
		return copy_value(q->a, value, out);
	add_job(q, old, value, out);
	return true;
}

static bool alloc_members(struct arena *a, const struct job *j)
{
	size_t n = doc_len(j->left) + j->right->n;

	if (n > UINT32_MAX / 2)
		return false;
	j->out->kids = arena_alloc_array(a, n, 2 * sizeof(struct doc));
	return j->out->kids != NULL;
}

/* RFC 7396 section 2, for one object. */
static bool merge_object(struct jobs *q, struct job j)
{
	struct index old, patch;
	bool ok = alloc_members(q->a, &j);

	index_init(&old, j.left);
	index_init(&patch, j.right);
	DOC_EACH_MEMBER (key, value, j.left) {
		const struct doc *change = ok ? index_get(&patch, key) : NULL;

		if (!ok || doc_is(change, DOC_NULL))
			continue;
		if (change)
			ok = merge_value(q, value, change, add_member(j.out, key));
		else
			ok = copy_value(q->a, value, add_member(j.out, key));
	}
	DOC_EACH_MEMBER (key, value, j.right)
		if (ok && value->type != DOC_NULL && !index_get(&old, key))
			ok = merge_value(q, NULL, value, add_member(j.out, key));
	index_fini(&old);
	index_fini(&patch);
	return ok;
}

/* Does all jobs; *ret is the root. */
static int run_jobs(struct jobs *q, bool (*one)(struct jobs *q, struct job j), struct err *err)
{
	for (size_t i = 0; i < q->n; i++)
		if (!one(q, q->list[i]))
			return arena_quota(q->a, err);
	return 0;
}

int patch_merge(struct arena *a, const struct doc *target, const struct doc *patch,
		struct doc **ret, struct err *err)
{
	struct doc *root = doc_new(a, doc_null());
	struct jobs q = { .a = a };
	int r;

	if (!root || !merge_value(&q, target, patch, root))
		return arena_quota(a, err);
	r = run_jobs(&q, merge_object, err);
	free(q.list);
	if (r == 0)
		*ret = root;
	return r;
}

static bool diff_object(struct jobs *q, struct job j)
{
	struct index from, to;
	bool ok = alloc_members(q->a, &j);

	index_init(&from, j.left);
	index_init(&to, j.right);
	DOC_EACH_MEMBER (key, value, j.left) {
		const struct doc *now = ok ? index_get(&to, key) : value;

		if (!now || (doc_is(now, DOC_NULL) && value->type != DOC_NULL))
			*add_member(j.out, key) = doc_null();
	}
	DOC_EACH_MEMBER (key, value, j.right) {
		const struct doc *old = ok ? index_get(&from, key) : NULL;

		if (!ok || value->type == DOC_NULL)
			continue;
		if (doc_is(old, DOC_OBJECT) && value->type == DOC_OBJECT) {
			struct doc *slot = add_member(j.out, key);

			add_job(q, old, value, slot);
			slot->mark = 1;
		} else if (!old || !doc_equal(value, old)) {
			ok = copy_value(q->a, value, add_member(j.out, key));
		}
	}
	index_fini(&from);
	index_fini(&to);
	return ok;
}

/*
 * Objects compared without finding a difference are empty and marked: they go. Inner jobs come
 * after outer ones in the list, so going backwards cleans the inner ones first.
 */
static void drop_empty(struct doc *out)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < out->n; i++) {
		struct doc *key = doc_key_at(out, i), *value = key + 1;

		if (value->mark && value->n == 0)
			continue;
		value->mark = 0;
		out->kids[2 * (size_t)kept] = key[0];
		out->kids[2 * (size_t)kept + 1] = value[0];
		kept++;
	}
	out->n = kept;
}

int patch_merge_diff(struct arena *a, const struct doc *from, const struct doc *to,
		     struct doc **ret, struct err *err)
{
	struct doc *root = doc_new(a, doc_null());
	struct jobs q = { .a = a };
	int r;

	if (!root)
		return arena_quota(a, err);
	if (!doc_is(from, DOC_OBJECT) || to->type != DOC_OBJECT) {
		if (!copy_value(a, to, root))
			return arena_quota(a, err);
		*ret = root;
		return 0;
	}
	add_job(&q, from, to, root);
	r = run_jobs(&q, diff_object, err);
	for (size_t i = q.n; r == 0 && i-- > 0;)
		drop_empty(q.list[i].out);
	free(q.list);
	if (r == 0)
		*ret = root;
	return r;
}
