/* SPDX-License-Identifier: Apache-2.0 */
/* Conflicts in upstream's words. */
#include "api/apply-private.h"
#include "api/fields.h"
#include "base/arena.h"
#include "base/err.h"
#include "doc/json.h"

#include <stdlib.h>

struct telling {
	const struct apply *c;
	struct cause **end;
	struct buf b;
	const char *who;
	size_t n, told;
	bool list; /* more than one: each in a line */
};

static const char *who_is(const struct apply *c, const struct managed_entry *e)
{
	struct buf b = BUF_INIT(16 << 10);
	const char *ret;

	/* what does not fit is cut: names are at most 128 bytes where they come from requests */
	(void)json_write_string(&b, slice_str(e->manager), false);
	if (*e->subresource) {
		(void)buf_adds(&b, " with subresource ");
		(void)json_write_string(&b, slice_str(e->subresource), false);
	}
	if (!e->applied)
		(void)buf_addf(&b, " using %s", e->api_version);
	if (!e->applied && e->time)
		(void)buf_addf(&b, " at %s", e->time);
	ret = arena_strdup(c->a, buf_str(&b));
	buf_fini(&b);
	return ret ? ret : "";
}

static int tell_field(void *arg, struct slice path)
{
	struct telling *t = arg;
	struct cause *cause = ARENA_NEW(t->c->a, struct cause);
	int r;

	if (!cause)
		return -ERR_QUOTA;
	cause->field = arena_strndup(t->c->a, path.p, path.n);
	cause->reason = "FieldManagerConflict";
	cause->detail = arena_printf(t->c->a, "conflict with %s", t->who);
	if (!cause->field || !cause->detail)
		return -ERR_QUOTA;
	*t->end = cause;
	t->end = &cause->next;
	t->told++;
	r = buf_adds(&t->b, t->list ? "\n- " : "");
	return r < 0 ? r : buf_add(&t->b, path.p, path.n);
}

static int cmp_conflicts(const void *a, const void *b)
{
	const struct managed_entry *x = ((const struct conflict *)a)->by;
	const struct managed_entry *y = ((const struct conflict *)b)->by;
	int c = strcmp(x->manager, y->manager);

	if (c == 0)
		c = (int)y->applied - (int)x->applied;
	if (c == 0)
		c = strcmp(x->api_version, y->api_version);
	return c ? c : strcmp(x->subresource, y->subresource);
}

static int tell_all(struct telling *t, const struct conflict *v, size_t n)
{
	int r = buf_addf(&t->b, "Apply failed with %zu conflict%s: ", t->n, t->list ? "s" : "");

	for (size_t i = 0; r == 0 && i < n; i++) {
		if (fields_empty(&v[i].set))
			continue;
		t->who = who_is(t->c, v[i].by);
		r = buf_addf(&t->b, t->list ? "%sconflicts with %s:" : "%sconflict with %s: ",
			     t->list && t->told ? "\n" : "", t->who);
		if (r == 0)
			r = fields_each(&v[i].set, tell_field, t);
	}
	return r;
}

int apply_refuse(const struct apply *c, struct conflict *v, size_t n, const char **ret_message,
		 struct err *err)
{
	struct cause *causes = NULL;
	struct telling t = { .c = c, .end = &causes, .b = BUF_INIT(8u << 20) };
	int r;

	qsort(v, n, sizeof(*v), cmp_conflicts);
	for (size_t i = 0; i < n; i++)
		t.n += fields_count(&v[i].set);
	t.list = t.n > 1;
	r = tell_all(&t, v, n);
	*ret_message = r == 0 ? arena_strdup(c->a, buf_str(&t.b)) : NULL;
	buf_fini(&t.b);
	if (!*ret_message)
		return err_set(err, ERR_QUOTA, "%zu conflicts do not fit their memory", t.n);
	r = err_set(err, ERR_CONFLICT, "%s", *ret_message);
	if (err)
		err->causes = causes;
	return r;
}
