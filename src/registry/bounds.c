/* SPDX-License-Identifier: Apache-2.0 */
/* Quotas and retention by configuration. */
#include "registry/bounds.h"

#include "base/clock.h"
#include "base/err.h"
#include "registry/policy.h"

#include <stdlib.h>
#include <string.h>

/* ---- values ---- */

int bounds_duration(const char *text, int64_t *ret, struct err *err)
{
	size_t n = strlen(text);
	int64_t unit = n && text[n - 1] == 'd' ? 24 : n && text[n - 1] == 'w' ? 7 * 24 : 0;
	int64_t v = 0;

	if (unit) {
		if (str_int64(slice_of(text, n - 1), &v, err) < 0 || v < 0 || v > 100000)
			return err_set(err, ERR_INVALID, "'%.40s' is no duration such as 30d",
				       text);
		*ret = v * unit * 3600 * NS_PER_SEC;
		return 0;
	}
	if (clock_parse_duration(slice_str(text), &v, err) < 0 || v < 0)
		return err_set(err, ERR_INVALID, "'%.40s' is no duration such as 90m, 12h or 30d",
			       text);
	*ret = v;
	return 0;
}

int bounds_bytes(const char *text, int64_t *ret, struct err *err)
{
	static const struct {
		const char *suffix;
		int64_t times;
	} units[] = {
		{ "", 1 },	     { "k", 1000 },	     { "M", 1000000 },
		{ "G", 1000000000 }, { "T", 1000000000000 }, { "Ki", 1ll << 10 },
		{ "Mi", 1ll << 20 }, { "Gi", 1ll << 30 },    { "Ti", 1ll << 40 },
	};
	size_t n = strspn(text, "0123456789");
	int64_t v;

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strcmp(text + n, units[i].suffix) != 0)
			continue;
		if (str_int64(slice_of(text, n), &v, err) < 0 || v > INT64_MAX / units[i].times)
			break;
		*ret = v * units[i].times;
		return 0;
	}
	return err_set(err, ERR_INVALID, "'%.40s' is no number of bytes such as 500M or 10Gi",
		       text);
}

/* ---- form ---- */

static const struct schema_field quota_rows[] = {
	F_LIST_STR(struct policy_quota, repositories, "repositories", SCHEMA_NONEMPTY, 0,
		   .check = policy_check_glob),
	F_STR(struct policy_quota, prefix, "prefix", 0, 0),
	F_QUANTITY(struct policy_quota, bytes_text, "bytes", 0),
	F_INT(struct policy_quota, manifests, "manifests", 0, -1, INT64_MAX, .def = "-1"),
	F_INT(struct policy_quota, tags, "tags", 0, -1, INT64_MAX, .def = "-1"),
};
const struct schema quota_schema =
	SCHEMA("quota", struct policy_quota, quota_rows, .unknown = SCHEMA_UNKNOWN_ERROR);

static const struct schema_field retain_rows[] = {
	F_LIST_STR(struct policy_retain, repositories, "repositories",
		   SCHEMA_REQUIRED | SCHEMA_NONEMPTY, 0, .check = policy_check_glob),
	F_LIST_STR(struct policy_retain, tags, "tags", SCHEMA_NONEMPTY, 0,
		   .check = policy_check_glob),
	F_OPT_INT(struct policy_retain, last, "keepLast", 0, 0, 1000000),
	F_OPT_INT(struct policy_retain, last_pulled, "keepLastPulled", 0, 0, 1000000),
	F_STR(struct policy_retain, pushed_text, "pushedWithin", SCHEMA_NONEMPTY, 0),
	F_STR(struct policy_retain, pulled_text, "pulledWithin", SCHEMA_NONEMPTY, 0),
	F_STR(struct policy_retain, untagged_text, "untaggedAfter", SCHEMA_NONEMPTY, 0),
	F_BOOL(struct policy_retain, with_referrers, "signed", 0),
};
const struct schema retain_schema =
	SCHEMA("retention", struct policy_retain, retain_rows, .unknown = SCHEMA_UNKNOWN_ERROR);

int quota_read(struct policy_quota *q, struct err *err)
{
	size_t n = q->prefix ? strlen(q->prefix) : 0;

	if (!q->prefix == !q->repositories.n)
		return err_set(err, ERR_INVALID,
			       "needs either repositories (each by itself) or prefix (all below "
			       "together, \"\" = the whole registry)");
	if (n && q->prefix[n - 1] != '/')
		return err_set(err, ERR_INVALID, "prefix '%.200s' must end with '/'", q->prefix);
	q->bytes = -1;
	if (q->bytes_text && bounds_bytes(q->bytes_text, &q->bytes, err) < 0)
		return err_wrap(err, "bytes");
	if (q->bytes < 0 && q->manifests < 0 && q->tags < 0)
		return err_set(err, ERR_INVALID, "limits nothing: give bytes, manifests or tags");
	return 0;
}

static int read_age(const char *name, const char *text, int64_t *ret, struct err *err)
{
	*ret = -1;
	return text && bounds_duration(text, ret, err) < 0 ? err_wrap(err, "%s", name) : 0;
}

int retain_read(struct policy_retain *r, struct err *err)
{
	bool keeps;

	if (read_age("pushedWithin", r->pushed_text, &r->pushed, err) < 0 ||
	    read_age("pulledWithin", r->pulled_text, &r->pulled, err) < 0 ||
	    read_age("untaggedAfter", r->untagged_text, &r->untagged, err) < 0)
		return err_ret(err);
	keeps = r->last.set || r->last_pulled.set || r->pushed >= 0 || r->pulled >= 0;
	if (!keeps && r->untagged < 0)
		return err_set(err, ERR_INVALID,
			       "keeps nothing and would remove every tag: give keepLast, "
			       "keepLastPulled, pushedWithin, pulledWithin or untaggedAfter "
			       "(keepLast: 0 if that is what is meant)");
	if (!keeps && r->tags.n)
		return err_set(err, ERR_INVALID, "untaggedAfter alone speaks of no tags");
	return 0;
}

/* ---- asking ---- */

struct content_limits bounds_of(const struct policy *p, const char *repo,
				struct content_limit v[BOUNDS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < p->quotas.n && n < BOUNDS_MAX; i++) {
		const struct policy_quota *q = &p->quotas.v[i];

		if (q->prefix ? strncmp(repo, q->prefix, strlen(q->prefix)) == 0
			      : policy_fits(&q->repositories, repo))
			v[n++] = (struct content_limit){ .prefix = q->prefix,
							 .bytes = q->bytes,
							 .manifests = q->manifests,
							 .tags = q->tags };
	}
	return (struct content_limits){ v, n };
}

/* A tag that was never pulled counts as pulled when it was pushed. */
static int64_t when_pulled(const struct content_tag *t)
{
	return MAX(t->pulled, t->pushed);
}

static int newer_push(const void *a, const void *b)
{
	const struct content_tag *x = *(const struct content_tag *const *)a,
				 *y = *(const struct content_tag *const *)b;

	if (x->pushed != y->pushed)
		return x->pushed < y->pushed ? 1 : -1;
	return strcmp(y->tag, x->tag); /* v2 before v1 */
}

static int newer_pull(const void *a, const void *b)
{
	const struct content_tag *x = *(const struct content_tag *const *)a,
				 *y = *(const struct content_tag *const *)b;
	int64_t m = when_pulled(x), n = when_pulled(y);

	return m != n ? (m < n ? 1 : -1) : newer_push(a, b);
}

enum verdict { UNSPOKEN, DROP, KEEP };

/* One rule's word on the tags that it speaks of. */
static void apply(const struct policy_retain *r, int64_t now, struct content_tag *v, size_t n,
		  enum verdict *say, struct content_tag **order)
{
	bool keeps = r->last.set || r->last_pulled.set || r->pushed >= 0 || r->pulled >= 0;
	size_t m = 0;

	for (size_t i = 0; i < n; i++) {
		struct content_tag *t = &v[i];

		if (!t->tag && r->untagged >= 0)
			say[i] = MAX(say[i], t->pushed < now - r->untagged &&
							     (!t->referred || r->with_referrers)
						     ? DROP
						     : KEEP);
		if (!t->tag || t->companion || !keeps ||
		    (r->tags.n && !policy_fits(&r->tags, t->tag)))
			continue;
		order[m++] = t;
		say[i] = MAX(say[i], DROP);
		if ((r->pushed >= 0 && t->pushed >= now - r->pushed) ||
		    (r->pulled >= 0 && when_pulled(t) >= now - r->pulled) ||
		    (t->referred && !r->with_referrers))
			say[i] = KEEP;
	}
	qsort(order, m, sizeof(*order), newer_push);
	for (size_t i = 0; r->last.set && i < m && (int64_t)i < r->last.v; i++)
		say[order[i] - v] = KEEP;
	qsort(order, m, sizeof(*order), newer_pull);
	for (size_t i = 0; r->last_pulled.set && i < m && (int64_t)i < r->last_pulled.v; i++)
		say[order[i] - v] = KEEP;
}

void bounds_choose(const struct policy *p, int64_t now, const char *repo, struct content_tag *v,
		   size_t n)
{
	CLEANUP_FREE enum verdict *say = calloc(n + 1, sizeof(*say));
	CLEANUP_FREE struct content_tag **order = calloc(n + 1, sizeof(*order));

	if (!say || !order)
		abort();
	for (size_t i = 0; i < p->retention.n; i++)
		if (policy_fits(&p->retention.v[i].repositories, repo))
			apply(&p->retention.v[i], now, v, n, say, order);
	for (size_t i = 0; i < n; i++)
		v[i].drop = say[i] == DROP && (!v[i].tag || !policy_immutable(p, repo, v[i].tag));
}
