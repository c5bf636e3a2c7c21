/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of resources: their names, their quantities, requests and limits. */
#include "api/check-pod.h"
#include "api/quantity.h"

#include "base/arena.h"

#define TEXT(d) (int)doc_slice(d).n, doc_slice(d).p

/* ---- names ---- */

static bool in_list(struct slice s, const char *const *list)
{
	for (; *list; list++)
		if (slice_is(s, *list))
			return true;
	return false;
}

static bool has_slash(struct slice s)
{
	return s.n > 0 && memchr(s.p, '/', s.n);
}

static bool is_huge(struct slice s)
{
	return slice_starts(s, SLICE("hugepages-"));
}

static bool is_native(struct slice s)
{
	return !has_slash(s) || slice_has_text(s, SLICE("kubernetes.io/"));
}

/* A vendor's: may be told in requests of a quota too. */
static bool is_extended(struct slice s)
{
	char text[320];
	int n = snprintf(text, sizeof(text), "requests.%.*s", (int)MIN(s.n, (size_t)300), s.p);

	return !is_native(s) && !slice_starts(s, SLICE("requests.")) &&
	       !form_qualified_name(slice_of(text, (size_t)n));
}

#define COUNTED                                                                                  \
	"pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps", \
		"persistentvolumeclaims", "services.nodeports", "services.loadbalancers"
#define COMPUTED                                                                 \
	"cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory", \
		"requests.ephemeral-storage", "limits.cpu", "limits.memory",     \
		"limits.ephemeral-storage", "requests.storage"

bool resource_is_counted(struct slice name)
{
	static const char *const counted[] = { COUNTED, NULL };

	return in_list(name, counted) || is_extended(name);
}

bool resource_is_overcommitted(struct slice name)
{
	return is_native(name) && !is_huge(name);
}

bool resource_is_quota(struct slice name)
{
	static const char *const quota[] = { COUNTED, COMPUTED, NULL };

	return in_list(name, quota) || is_huge(name) ||
	       slice_starts(name, SLICE("requests.hugepages-"));
}

bool check_resource_name(struct check *c, const struct path *p, struct slice name)
{
	const char *why = form_qualified_name(name);

	if (!why && !has_slash(name) && !slice_is(name, "storage") && !resource_is_quota(name))
		why = "must be a standard resource type or fully qualified";
	if (why)
		check_invalid_text(c, p, name, "%s", why);
	return !why;
}

void check_container_resource_name(struct check *c, const struct path *p, struct slice name)
{
	static const char *const standard[] = { "cpu", "memory", "ephemeral-storage", NULL };

	(void)check_resource_name(c, p, name);
	if (!has_slash(name)) {
		if (!in_list(name, standard) && !is_huge(name))
			check_invalid_text(c, p, name,
					   "must be a standard resource for containers");
	} else if (!is_native(name) && !is_extended(name)) {
		check_invalid_text(c, p, name, "doesn't follow extended resource name standard");
	}
}

static const char *const pod_resources[] = { "cpu", "memory", NULL };

static bool is_pod_resource(struct slice name)
{
	return in_list(name, pod_resources) || is_huge(name);
}

static void check_pod_resource_name(struct check *c, const struct path *p, struct slice name)
{
	const struct doc d = doc_borrow(name.p, name.n);

	if (check_resource_name(c, p, name) && !is_pod_resource(name))
		check_unsupported(c, p, &d, pod_resources);
}

/* ---- quantities ---- */

#define NANO 1000000000

void check_resource_quantity(struct check *c, const struct path *p, struct slice resource,
			     const struct doc *quantity)
{
	struct quantity q;

	if (!quantity || !quantity_parse(doc_slice(quantity), &q))
		return;
	if (q.nano < 0)
		check_invalid(c, p, quantity, "must be greater than or equal to 0");
	if (resource_is_counted(resource) && q.nano % NANO != 0)
		check_invalid(c, p, quantity, "must be an integer");
}

static bool huge_fits(struct slice name, const struct quantity *q)
{
	struct slice size = slice_of(name.p + 10, name.n - 10); /* after "hugepages-" */
	struct quantity page;

	return quantity_parse(size, &page) && page.nano > 0 && page.nano % NANO == 0 &&
	       quantity_units(q) % quantity_units(&page) == 0;
}

typedef void name_fn(struct check *c, const struct path *p, struct slice name);

static void check_amount(struct check *c, const struct path *p, const struct doc *key,
			 const struct doc *value, name_fn *check_name)
{
	struct slice name = doc_slice(key);
	struct quantity q;

	check_name(c, p, name);
	check_resource_quantity(c, p, name, value);
	if (is_huge(name) && quantity_parse(doc_slice(value), &q) && !huge_fits(name, &q))
		check_invalid(c, p, value, "%.*s is not positive integer multiple of %.*s",
			      TEXT(value), TEXT(key));
}

/* A request and the limit of the same resource. */
static void check_against_limit(struct check *c, const struct path *p, const struct doc *key,
				const struct doc *value, const struct doc *limits)
{
	const struct path limits_at = PATH(p, "limits"), requests_at = PATH(p, "requests");
	const struct doc *limit = doc_getn(limits, doc_slice(key));
	bool free = resource_is_overcommitted(doc_slice(key));
	struct quantity r, l;
	int cmp;

	if (!limit) {
		if (!free)
			check_required(c, &limits_at,
				       "Limit must be set for non overcommitable resources");
		return;
	}
	if (!quantity_parse(doc_slice(value), &r) || !quantity_parse(doc_slice(limit), &l))
		return;
	cmp = quantity_cmp(&r, &l);
	if (cmp != 0 && !free)
		check_invalid(c, &requests_at, value, "must be equal to %.*s limit of %.*s",
			      TEXT(key), TEXT(limit));
	else if (cmp > 0)
		check_invalid(c, &requests_at, value,
			      "must be less than or equal to %.*s limit of %.*s", TEXT(key),
			      TEXT(limit));
}

/* ---- claims ---- */

static bool names_claim(const struct doc *claims, const struct doc *name)
{
	DOC_EACH (x, claims)
		if (doc_equal(doc_get(x, "name"), name))
			return true;
	return false;
}

/* All of a claim, or one request of it, may be told once. */
static bool overlaps(const struct doc *a, const struct doc *b)
{
	const struct doc *ra = doc_get(a, "request"), *rb = doc_get(b, "request");

	return doc_equal(doc_get(a, "name"), doc_get(b, "name")) &&
	       (!ra || !rb || doc_equal(ra, rb));
}

static void check_claim_names(struct check *c, const struct path *p, const struct doc *list,
			      const struct doc *claims)
{
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(p, i), request = PATH(&at, "request");
		const struct doc *r = doc_at(list, i), *name = doc_get(r, "name");

		if (doc_slice(name).n == 0) {
			check_required(c, &at, "");
			continue;
		}
		check_optional_text(c, &request, doc_get(r, "request"), form_dns_label);
		for (size_t j = 0; j < i; j++)
			if (overlaps(r, doc_at(list, j))) {
				check_duplicate(c, &at, name);
				break;
			}
		if (!names_claim(claims, name))
			check_not_found(c, &at, name);
	}
}

/* ---- requirements ---- */

static bool has_any(const struct doc *map, bool huge)
{
	DOC_EACH_MEMBER (key, value, map) {
		struct slice s = doc_slice(key);

		(void)value;
		if (huge ? is_huge(s) : slice_is(s, "cpu") || slice_is(s, "memory"))
			return true;
	}
	return false;
}

static void check_requirements(struct check *c, const struct path *p, const struct doc *r,
			       const struct doc *claims, name_fn *check_name)
{
	const struct path limits_at = PATH(p, "limits"), requests_at = PATH(p, "requests"),
			  claims_at = PATH(p, "claims");
	const struct doc *limits = doc_get(r, "limits"), *requests = doc_get(r, "requests");

	DOC_EACH_MEMBER (key, value, limits) {
		const struct path at = PATH_KEY(&limits_at, doc_slice(key));

		check_amount(c, &at, key, value, check_name);
	}
	DOC_EACH_MEMBER (name, amount, requests) {
		const struct path at = PATH_KEY(&requests_at, doc_slice(name));

		check_amount(c, &at, name, amount, check_name);
		check_against_limit(c, p, name, amount, limits);
	}
	if ((has_any(limits, true) || has_any(requests, true)) && !has_any(limits, false) &&
	    !has_any(requests, false))
		check_forbidden(c, p, "HugePages require cpu or memory");
	check_claim_names(c, &claims_at, doc_get(r, "claims"), claims);
}

void check_resources(struct check *c, const struct path *p, const struct doc *requirements,
		     const struct doc *claims)
{
	check_requirements(c, p, requirements, claims, check_container_resource_name);
}

/* ---- a pod's own ---- */

static bool amount_of(const struct doc *container, const char *list, struct slice name,
		      struct quantity *ret)
{
	const struct doc *v = doc_getn(doc_get(doc_get(container, "resources"), list), name);

	*ret = (struct quantity){ 0 };
	return v && quantity_parse(doc_slice(v), ret);
}

/* What the containers ask for together: all that run side by side, or more while one starts. */
static struct quantity asked(const struct doc *spec, struct slice name)
{
	struct quantity sum = { 0 }, beside = { 0 }, start = { 0 }, q;

	DOC_EACH (k, doc_get(spec, "containers"))
		if (amount_of(k, "requests", name, &q))
			quantity_add(&sum, &q);
	DOC_EACH (init, doc_get(spec, "initContainers")) {
		if (!amount_of(init, "requests", name, &q))
			continue;
		if (doc_str_is(doc_get(init, "restartPolicy"), "Always")) {
			quantity_add(&sum, &q);
			quantity_add(&beside, &q);
			q = beside;
		} else {
			quantity_add(&q, &beside);
		}
		if (quantity_cmp(&q, &start) > 0)
			start = q;
	}
	return quantity_cmp(&start, &sum) > 0 ? start : sum;
}

static void check_asked(struct check *c, const struct path *p, const struct doc *spec,
			struct slice name)
{
	const struct path requests = PATH(p, "requests"), at = PATH_KEY(&requests, name);
	const struct doc *have = doc_getn(doc_find(spec, "resources.requests"), name);
	struct quantity q = { 0 }, all = asked(spec, name);
	char text[QUANTITY_TEXT_MAX];

	if (have)
		(void)quantity_parse(doc_slice(have), &q);
	if (!is_pod_resource(name) || quantity_cmp(&all, &q) <= 0)
		return;
	(void)quantity_print(&all, text);
	check_invalid_text(c, &at, have ? doc_slice(have) : SLICE("0"),
			   "must be greater than or equal to aggregate container requests of %s",
			   text);
}

static void check_container_limits(struct check *c, const struct path *p, const struct doc *spec)
{
	const struct path list = PATH(p, "containers");
	const struct doc *limits = doc_find(spec, "resources.limits"),
			 *containers = doc_get(spec, "containers");

	for (size_t i = 0; i < doc_len(containers); i++) {
		const struct path at = PATH_INDEX(&list, i);

		DOC_EACH_MEMBER (key, value, doc_find(doc_at(containers, i), "resources.limits")) {
			const struct path name = PATH_KEY(&at, doc_slice(key)),
					  limit_at = PATH(&name, "limits");
			const struct doc *limit = doc_getn(limits, doc_slice(key));
			struct quantity q, l;

			if (limit && quantity_parse(doc_slice(value), &q) &&
			    quantity_parse(doc_slice(limit), &l) && quantity_cmp(&q, &l) > 0)
				check_invalid(c, &limit_at, value,
					      "must be less than or equal to pod limits of %.*s",
					      TEXT(limit));
		}
	}
}

static bool is_first(const struct doc *spec, const struct doc *container, struct slice name)
{
	struct quantity q;

	DOC_EACH (k, doc_get(spec, "containers")) {
		if (k == container)
			return true;
		if (amount_of(k, "requests", name, &q))
			return false;
	}
	DOC_EACH (init, doc_get(spec, "initContainers")) {
		if (init == container)
			return true;
		if (amount_of(init, "requests", name, &q))
			return false;
	}
	return true;
}

static void check_all_asked(struct check *c, const struct path *p, const struct doc *spec,
			    const char *list)
{
	DOC_EACH (k, doc_get(spec, list))
		DOC_EACH_MEMBER (key, value, doc_find(k, "resources.requests")) {
			(void)value;
			if (is_first(spec, k, doc_slice(key)))
				check_asked(c, p, spec, doc_slice(key));
		}
}

void check_pod_resources(struct check *c, const struct path *p, const struct doc *spec)
{
	const struct path at = PATH(p, "resources"), overhead = PATH(p, "overhead");
	const struct doc *r = doc_get(spec, "resources"), *o = doc_get(spec, "overhead");

	if (r) {
		check_has_not(c, &at, r, "claims",
			      "claims cannot be set for Resources at "
			      "pod-level");
		check_requirements(c, &at, r, doc_get(spec, "resourceClaims"),
				   check_pod_resource_name);
		check_all_asked(c, &at, spec, "containers");
		check_all_asked(c, &at, spec, "initContainers");
		check_container_limits(c, &at, spec);
	}
	if (o) {
		struct doc *limits = doc_new_object(c->a);

		/* Overhead has the rules of limits, under limits' path. */
		if (doc_add(c->a, limits, SLICE("limits"), *o))
			check_resources(c, &overhead, limits, NULL);
	}
}
