/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ResourceQuota: what a write adds to the usage of its namespace's quotas has to fit. The new usage
 * is written with the object in one transaction, so several writes at once never pass together what
 * only one may.
 *
 * status.used is what is known; it may be too high (nobody told of what was removed) but never too
 * low, since every addition is in it. So a refusal is first tried again with a count of what the
 * caches have, and what status does not have is counted.
 *
 * What the configuration limits is refused where no quota covers it.
 */
#include "apiserver/admission/admission-quota.h"

#include "apiserver/objects/cache.h"
#include "base/arena.h"
#include "base/err.h"
#include "doc/json.h"

#include <stdlib.h>

struct quota {
	struct admission_call *c;
	const struct item *item;
	struct doc *doc;
	struct amounts hard; /* those names of spec.hard that the object is about */
	struct amounts used; /* all of status.used */
	bool counted;
};

/* ---- counting ---- */

struct count {
	struct quota *q;
	const struct api_kind *kind;
	struct amounts *sum;
};

static int count_one(void *arg, struct doc *obj)
{
	struct count *n = arg;
	struct admission_call *c = n->q->c;
	struct amounts mine;

	if (!usage_in_scope(n->kind, obj, n->q->doc))
		return 0;
	mine = usage_of(n->kind, obj, c->sc->now, c->sc->a);
	amounts_add(n->sum, &mine);
	return 0;
}

/* Their number alone: nothing is read. */
static void count_objects(struct count *n, const struct collection *o)
{
	CLEANUP(cache_view_unref) struct cache_view *view = cache_now(o->cache);
	struct admission_call *c = n->q->c;
	const char *prefix = arena_printf(c->sc->a, "%s/", c->ns);
	struct quantity q = { .form = QUANTITY_DECIMAL };
	struct cache_iter it;

	if (!prefix || !usage_in_scope(n->kind, NULL, n->q->doc))
		return;
	cache_iter_init(&it, view, slice_str(prefix), SLICE(""));
	q.nano = (__int128)cache_iter_left(&it) * 1000000000;
	for (size_t i = 0; i < n->q->hard.n; i++)
		if (usage_answers(n->kind, n->q->hard.v[i].name))
			amounts_put(n->sum, n->q->hard.v[i].name, &q);
}

/* How much there is now of what the object is about. */
static int recount(struct quota *q, struct err *err)
{
	const struct collection *o = q->c->sc->objects;
	struct amounts sum = { .a = q->c->sc->a };
	struct count n = { q, o->kind, &sum };
	const struct quantity none = { .form = QUANTITY_DECIMAL };
	int r = 0;

	if (usage_kind(o->kind) == USAGE_COUNT)
		count_objects(&n, o);
	else
		r = admit_each(q->c, o->kind->group->group, o->kind->resource, q->c->ns, NULL,
			       count_one, &n, err);
	for (size_t i = 0; r == 0 && i < q->hard.n; i++) {
		const struct quantity *v = amounts_get(&sum, q->hard.v[i].name);

		amounts_put(&q->used, q->hard.v[i].name, v ? v : &none);
	}
	q->counted = true;
	return r;
}

/* ---- one quota ---- */

static struct amounts read_hard(struct quota *q)
{
	struct amounts all = amounts_read(q->c->sc->a, doc_find(q->doc, "spec.hard")),
		       mine = { .a = q->c->sc->a };

	for (size_t i = 0; i < all.n; i++)
		if (usage_answers(q->c->sc->objects->kind, all.v[i].name))
			amounts_put(&mine, all.v[i].name, &all.v[i].q);
	return mine;
}

/* What the write adds of the names that count here; nothing below zero. */
static struct amounts delta_of(struct quota *q)
{
	const struct api_kind *k = q->c->sc->objects->kind;
	struct arena *a = q->c->sc->a;
	struct amounts now = usage_of(k, q->c->obj, q->c->sc->now, a), was = { .a = a },
		       delta = { .a = a };

	if (q->c->old && usage_in_scope(k, q->c->old, q->doc))
		was = usage_of(k, q->c->old, q->c->sc->now, a);
	for (size_t i = 0; i < now.n; i++) {
		const struct quantity *before = amounts_get(&was, now.v[i].name);

		if (!amounts_get(&q->hard, now.v[i].name))
			continue;
		if (before)
			quantity_sub(&now.v[i].q, before);
		if (now.v[i].q.nano > 0)
			amounts_put(&delta, now.v[i].name, &now.v[i].q);
	}
	return delta;
}

static bool knows_all(const struct quota *q)
{
	for (size_t i = 0; i < q->hard.n; i++)
		if (!amounts_get(&q->used, q->hard.v[i].name))
			return false;
	return true;
}

static bool is_exceeded(const struct quota *q, const struct amount *delta)
{
	const struct quantity *used = amounts_get(&q->used, delta->name);
	struct quantity sum = delta->q;

	if (used)
		quantity_add(&sum, used);
	return quantity_cmp(&sum, amounts_get(&q->hard, delta->name)) > 0;
}

static bool fits(const struct quota *q, const struct amounts *delta)
{
	for (size_t i = 0; i < delta->n; i++)
		if (is_exceeded(q, &delta->v[i]))
			return false;
	return true;
}

static int by_name(const void *x, const void *y)
{
	const struct amount *a = x, *b = y;

	return slice_cmp(a->name, b->name);
}

static void print_amount(struct buf *b, struct slice name, const struct quantity *q)
{
	const struct quantity none = { 0 };
	char text[QUANTITY_TEXT_MAX];

	(void)quantity_print(q ? q : &none, text);
	(void)buf_addf(b, "%s%.*s=%s", b->n ? "," : "", (int)name.n, name.p, text);
}

static int refuse(struct quota *q, struct amounts *delta, struct err *err)
{
	CLEANUP(buf_fini) struct buf want = BUF_INIT(16u << 10);
	CLEANUP(buf_fini) struct buf used = BUF_INIT(16u << 10);
	CLEANUP(buf_fini) struct buf hard = BUF_INIT(16u << 10);

	qsort(delta->v, delta->n, sizeof(*delta->v), by_name);
	for (size_t i = 0; i < delta->n; i++) {
		struct slice name = delta->v[i].name;

		if (!is_exceeded(q, &delta->v[i]))
			continue;
		print_amount(&want, name, &delta->v[i].q);
		print_amount(&used, name, amounts_get(&q->used, name));
		print_amount(&hard, name, amounts_get(&q->hard, name));
	}
	return admit_refuse(q->c, err, "exceeded quota: %s, requested: %s, used: %s, limited: %s",
			    admit_text(q->c, q->doc, "metadata.name"), buf_str(&want),
			    buf_str(&used), buf_str(&hard));
}

/* ---- writing it ---- */

static int charge(struct quota *q, const struct collection *quotas, const struct amounts *delta,
		  struct err *err)
{
	const struct api_type *t = quotas->kind->type;
	struct strategy_call *sc = q->c->sc;
	struct doc used = doc_object();

	if (sc->nmore == STRATEGY_MORE_MAX)
		return err_set(err, ERR_SYSTEM, "more than %u quotas and addresses in one write",
			       STRATEGY_MORE_MAX);
	amounts_add(&q->used, delta);
	qsort(q->used.v, q->used.n, sizeof(*q->used.v), by_name);
	for (size_t i = 0; i < q->used.n; i++) {
		char text[QUANTITY_TEXT_MAX];

		(void)quantity_print(&q->used.v[i].q, text);
		(void)doc_setn(sc->a, &used, q->used.v[i].name, doc_str(sc->a, text));
	}
	(void)strategy_put(t, q->doc, sc->a, "status.hard", *doc_find(q->doc, "spec.hard"));
	(void)strategy_put(t, q->doc, sc->a, "status.used", used);
	/* As stored: the revision is the store's. */
	(void)strategy_drop(q->doc, "metadata.resourceVersion");
	sc->more[sc->nmore++] = (struct strategy_more){ (struct collection *)(uintptr_t)quotas,
							arena_strndup(sc->a, item_key(q->item).p,
								      item_key(q->item).n),
							q->doc, item_revision(q->item) };
	return arena_exceeded(sc->a) ? arena_quota(sc->a, err) : 0;
}

/* Is the quota about the write? 1: it is. */
static int look(struct quota *q, struct err *err)
{
	struct admission_call *c = q->c;
	const char *missing;

	q->hard = read_hard(q);
	if (!q->hard.n || !usage_in_scope(c->sc->objects->kind, c->obj, q->doc))
		return 0;
	missing = c->kind == ADMIT_POD ? usage_missing(c->obj, &q->hard, c->sc->a) : NULL;
	if (missing)
		return admit_refuse(c, err, "failed quota: %s: must specify %s",
				    admit_text(c, q->doc, "metadata.name"), missing);
	return 1;
}

static int ask(struct quota *q, const struct collection *quotas, struct err *err)
{
	struct amounts delta = delta_of(q);
	int r = 0;

	if (!delta.n)
		return 0;
	q->used = amounts_read(q->c->sc->a, doc_find(q->doc, "status.used"));
	if (!knows_all(q))
		r = recount(q, err);
	if (r == 0 && !q->counted && !fits(q, &delta))
		r = recount(q, err);
	if (r == 0 && !fits(q, &delta) && strcmp(q->c->sub, "status") != 0)
		return refuse(q, &delta, err);
	return r < 0 ? r : charge(q, quotas, &delta, err);
}

/* ---- what a quota has to cover ---- */

/* All quotas of a namespace; those that the write is about. */
struct quotas {
	struct admission_call *c;
	struct quota *v;
	size_t n;
	struct doc scopes; /* set of names that the object meets, of any quota's */
};

static bool grows(const struct quotas *all)
{
	const struct api_kind *k = all->c->sc->objects->kind;
	struct arena *a = all->c->sc->a;
	struct amounts now = usage_of(k, all->c->obj, all->c->sc->now, a), was = { .a = a };

	/* What comes into a quota that the old object was none of counts whole. */
	for (size_t i = 0; i < all->n; i++)
		if (all->c->old && !usage_in_scope(k, all->c->old, all->v[i].doc))
			return now.n > 0;
	if (all->c->old)
		was = usage_of(k, all->c->old, all->c->sc->now, a);
	for (size_t i = 0; i < now.n; i++) {
		const struct quantity *before = amounts_get(&was, now.v[i].name);

		if (before)
			quantity_sub(&now.v[i].q, before);
		if (now.v[i].q.nano > 0)
			return true;
	}
	return false;
}

static bool is_covered(const struct quotas *all, struct slice name)
{
	for (size_t i = 0; i < all->n; i++)
		if (amounts_get(&all->v[i].hard, name))
			return true;
	return false;
}

static bool contains_one(struct slice name, const struct strs *parts)
{
	for (size_t i = 0; i < parts->n; i++)
		if (parts->v[i] && slice_has_text(name, slice_str(parts->v[i])))
			return true;
	return false;
}

static int check_names(const struct quotas *all, struct err *err)
{
	const struct admission_conf *conf = &all->c->ad->conf;
	const struct api_kind *k = all->c->sc->objects->kind;
	struct amounts used = usage_of(k, all->c->obj, all->c->sc->now, all->c->sc->a);
	CLEANUP(buf_fini) struct buf names = BUF_INIT(64u << 10);

	qsort(used.v, used.n, sizeof(*used.v), by_name);
	for (size_t i = 0; i < used.n; i++) {
		bool limited = false;

		for (size_t l = 0; l < conf->nlimited; l++)
			limited |= strcmp(conf->limited[l].group, k->group->group) == 0 &&
				   strcmp(conf->limited[l].resource, k->resource) == 0 &&
				   contains_one(used.v[i].name, &conf->limited[l].contains);
		if (limited && used.v[i].q.nano > 0 && !is_covered(all, used.v[i].name))
			(void)buf_addf(&names, "%s%.*s", names.n ? "," : "", (int)used.v[i].name.n,
				       used.v[i].name.p);
	}
	if (!names.n)
		return 0;
	return admit_refuse(all->c, err, "insufficient quota to consume: %s", buf_str(&names));
}

static void print_scope(struct buf *b, const struct doc *term)
{
	struct slice name = strategy_text(term, "scopeName"), op = strategy_text(term, "operator");
	const char *sep = "";

	(void)buf_addf(b, "%s{%.*s %.*s [", b->n ? " " : "", (int)name.n, name.p, (int)op.n, op.p);
	DOC_EACH (v, doc_get(term, "values")) {
		(void)buf_addf(b, "%s%.*s", sep, (int)v->n, v->s);
		sep = " ";
	}
	(void)buf_adds(b, "]}");
}

/* Upstream tells this one as it stands, of no object: 500. */
static int check_scopes(const struct quotas *all, struct err *err)
{
	const struct admission_conf *conf = &all->c->ad->conf;
	const struct api_kind *k = all->c->sc->objects->kind;
	CLEANUP(buf_fini) struct buf uncovered = BUF_INIT(64u << 10);

	for (size_t l = 0; l < conf->nlimited; l++)
		DOC_EACH (term, conf->limited[l].scopes) {
			struct slice name = strategy_text(term, "scopeName");

			if (usage_meets(k, all->c->obj, name, term) &&
			    !doc_getn(&all->scopes, name))
				print_scope(&uncovered, term);
		}
	if (!uncovered.n)
		return 0;
	all->c->about->reason = STATUS_UNKNOWN;
	return err_set(err, ERR_SYSTEM, "insufficient quota to match these scopes: [%s]",
		       buf_str(&uncovered));
}

static int check_covered(const struct quotas *all, struct err *err)
{
	if (!all->c->ad->conf.nlimited || !grows(all))
		return 0;
	return check_names(all, err) < 0 ? err_ret(err) : check_scopes(all, err);
}

/* Those of the quota that the object meets, also when it is not about the object as a whole. */
static void note_scopes(struct quotas *all, const struct doc *quota)
{
	const struct api_kind *k = all->c->sc->objects->kind;
	struct arena *a = all->c->sc->a;

	DOC_EACH (s, doc_find(quota, "spec.scopes"))
		if (usage_meets(k, all->c->obj, doc_slice(s), NULL))
			(void)doc_setn(a, &all->scopes, doc_slice(s), doc_null());
	DOC_EACH (t, doc_find(quota, "spec.scopeSelector.matchExpressions")) {
		struct slice name = strategy_text(t, "scopeName");

		if (usage_meets(k, all->c->obj, name, t))
			(void)doc_setn(a, &all->scopes, name, doc_null());
	}
}

static int add_quota(struct quotas *all, const struct item *item, struct err *err)
{
	const struct json_options copy = { .copy = true };
	struct arena *a = all->c->sc->a;
	struct quota q = { .c = all->c, .item = item };
	int r = json_read(a, item_json(item), &copy, &q.doc, err);

	if (r < 0)
		return r;
	if (all->c->ad->conf.nlimited)
		note_scopes(all, q.doc);
	r = look(&q, err);
	if (r <= 0)
		return r;
	all->v = arena_grow(a, all->v, all->n * sizeof(q), (all->n + 1) * sizeof(q));
	if (!all->v)
		return arena_quota(a, err);
	all->v[all->n++] = q;
	return 0;
}

/* ---- all of them ---- */

static bool handles(const struct admission_call *c)
{
	const struct api_kind *k = c->sc->objects->kind;
	const enum usage_kind kind = usage_kind(k);

	if (!*c->ns || !k->namespaced || strcmp(k->resource, "events") == 0)
		return false;
	if (strcmp(c->sub, "resize") == 0)
		return kind == USAGE_POD;
	if (strcmp(c->sub, "status") == 0)
		return kind == USAGE_CLAIM;
	if (c->op == ADMISSION_CREATE || kind == USAGE_SERVICE || kind == USAGE_CLAIM)
		return true;
	return kind == USAGE_POD && usage_is_bounded(c->obj) != usage_is_bounded(c->old);
}

int admit_quota(struct admission_call *c, struct err *err)
{
	const struct collection *quotas = resources_objects(c->sc->rs, "", "resourcequotas");
	CLEANUP(cache_view_unref) struct cache_view *view = NULL;
	struct quotas all = { .c = c, .scopes = doc_object() };
	struct cache_iter it;
	struct item *item;
	const char *prefix;
	int r = 0;

	if (!quotas || !handles(c))
		return 0;
	prefix = arena_printf(c->sc->a, "%s/", c->ns);
	if (!prefix)
		return arena_quota(c->sc->a, err);
	view = cache_now(quotas->cache);
	cache_iter_init(&it, view, slice_str(prefix), SLICE(""));
	while (r == 0 && (item = cache_iter_next(&it)))
		r = add_quota(&all, item, err);
	if (r == 0)
		r = check_covered(&all, err);
	for (size_t i = 0; r == 0 && i < all.n; i++)
		r = ask(&all.v[i], quotas, err);
	return r;
}
