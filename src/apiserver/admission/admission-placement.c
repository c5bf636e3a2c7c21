/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PodNodeSelector and PodTolerationRestriction: on which nodes the pods of a namespace may be, as
 * annotations of the namespace or the configuration say.
 */
#include "apiserver/admission/admission-private.h"

#include "api/check.h"
#include "base/err.h"
#include "doc/json.h"

#define SCHEDULER "scheduler.alpha.kubernetes.io/"
#define PRESSURE "node.kubernetes.io/memory-pressure"

static const struct doc *annotation(struct admission_call *c, const char *key)
{
	const struct doc *ns = admit_get(c, "", "namespaces", "", slice_str(c->ns));

	return doc_get(doc_find(ns, "metadata.annotations"), key);
}

/* What upstream tells as it stands, of no object: 500. */
static int tell(struct admission_call *c, struct err *err, const char *words)
{
	c->about->reason = STATUS_UNKNOWN;
	return err_set(err, ERR_SYSTEM, "%s", words);
}

static struct doc *spec_of(struct admission_call *c)
{
	struct doc *spec = doc_get(c->obj, "spec");

	return spec ? spec : strategy_put(admit_type(c), c->obj, c->sc->a, "spec", doc_object());
}

/* ---- PodNodeSelector ---- */

static int bad_label(struct err *err, struct slice text, const char *why)
{
	return err_set(err, ERR_INVALID, "<nil>: Invalid value: \"%.*s\": %s",
		       (int)MIN(text.n, 100), text.p ? text.p : "", why);
}

int node_selector_read(struct slice text, struct arena *a, struct doc *ret, struct err *err)
{
	struct slice rest = text;

	*ret = doc_object();
	while (text.n && rest.p) {
		struct slice one = slice_split(&rest, ','), value = one,
			     key = slice_trim(slice_split(&value, '='));
		const char *why;

		if (!value.p || slice_has(value, '='))
			return err_set(err, ERR_INVALID, "invalid selector: [%.*s]",
				       (int)MIN(one.n, 100), one.p ? one.p : "");
		value = slice_trim(value);
		why = form_qualified_name(key);
		if (why)
			return bad_label(err, key, why);
		why = form_label_value(value);
		if (why)
			return bad_label(err, value, why);
		strategy_map_put(a, ret, arena_strndup(a, key.p, key.n),
				 doc_strn(a, value.p, value.n), false);
	}
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

/* Of the annotation, or of the configuration by this name. */
static int read_selector(struct admission_call *c, const struct doc *text, const char *name,
			 struct doc *ret, struct err *err)
{
	const char *own = str_map_get(&c->ad->conf.node_selectors, name);
	int r = node_selector_read(text ? doc_slice(text) : slice_str(own ? own : ""), c->sc->a,
				   ret, err);

	return r == -ERR_INVALID ? tell(c, err, arena_strdup(c->sc->a, err->msg)) : r;
}

static int check_selector(struct admission_call *c, struct doc *of_namespace, struct err *err)
{
	const struct doc *mine = doc_find(c->obj, "spec.nodeSelector");

	if (read_selector(c, annotation(c, SCHEDULER "node-selector"), "clusterDefaultNodeSelector",
			  of_namespace, err) < 0)
		return err_ret(err);
	DOC_EACH_MEMBER (key, value, of_namespace) {
		const struct doc *v = doc_getn(mine, doc_slice(key));

		if (v && !doc_equal(v, value))
			return admit_refuse(c, err,
					    "pod node label selector conflicts with its namespace "
					    "node label selector");
	}
	return 0;
}

int admit_node_selector_check(struct admission_call *c, struct err *err)
{
	struct doc selector, allowed;
	int r = check_selector(c, &selector, err);

	if (r == 0)
		r = read_selector(c, NULL, c->ns, &allowed, err);
	if (r < 0 || !doc_len(&allowed))
		return r;
	DOC_EACH_MEMBER (key, value, doc_find(c->obj, "spec.nodeSelector"))
		if (!strategy_same(doc_getn(&allowed, doc_slice(key)), value))
			return admit_refuse(c, err,
					    "pod node label selector labels conflict with its "
					    "namespace whitelist");
	return 0;
}

int admit_node_selector(struct admission_call *c, struct err *err)
{
	struct arena *a = c->sc->a;
	struct doc selector, *mine;
	int r = check_selector(c, &selector, err);

	if (r < 0 || !doc_len(&selector))
		return r < 0 ? r : admit_node_selector_check(c, err);
	mine = doc_get(spec_of(c), "nodeSelector");
	if (!mine)
		mine = strategy_put(strategy_type(admit_type(c), "spec"), spec_of(c), a,
				    "nodeSelector", doc_object());
	DOC_EACH_MEMBER (key, value, &selector)
		strategy_map_put(a, mine, doc_cstr(a, key), *value, true);
	return admit_node_selector_check(c, err);
}

/* ---- PodTolerationRestriction ---- */

static bool same_text(const struct doc *x, const struct doc *y, const char *key)
{
	return slice_eq(doc_slice(doc_get(x, key)), doc_slice(doc_get(y, key)));
}

static bool same_toleration(const struct doc *x, const struct doc *y)
{
	return same_text(x, y, "key") && same_text(x, y, "operator") && same_text(x, y, "value") &&
	       same_text(x, y, "effect") && strategy_same_at(x, y, "tolerationSeconds");
}

static bool lasts_longer(const struct doc *x, const struct doc *y)
{
	const struct doc *mine = doc_get(x, "tolerationSeconds"),
			 *theirs = doc_get(y, "tolerationSeconds");

	return theirs && (!mine || check_number(mine) > check_number(theirs));
}

/* Does `all` tolerate whatever t does? */
static bool covers(const struct doc *all, const struct doc *t)
{
	struct slice key = strategy_text(all, "key"), effect = strategy_text(all, "effect"),
		     op = strategy_text(all, "operator");

	if (same_toleration(all, t))
		return true;
	if (!same_text(t, all, "key") && (key.n || !slice_is(op, "Exists")))
		return false;
	if (effect.n && !same_text(t, all, "effect"))
		return false;
	if (slice_is(effect, "NoExecute") && lasts_longer(t, all))
		return false;
	if (op.n && !slice_is(op, "Equal"))
		return slice_is(op, "Exists");
	return strategy_is(t, "operator", "Equal") && same_text(t, all, "value");
}

static bool is_redundant(const struct doc *all, size_t i, const struct doc *merged)
{
	const struct doc *t = doc_at(all, i);

	DOC_EACH (m, merged)
		if (covers(m, t))
			return true;
	for (size_t k = i + 1; k < doc_len(all); k++) /* of equal ones the first stays */
		if (!same_toleration(t, doc_at(all, k)) && covers(doc_at(all, k), t))
			return true;
	return false;
}

/* As the API keeps one: its fields in their order. */
static struct doc canonical(struct arena *a, const struct doc *t)
{
	static const char *const fields[] = { "key", "operator", "value", "effect" };
	const struct doc *seconds = doc_get(t, "tolerationSeconds");
	struct doc d = doc_object();

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		struct slice s = doc_slice(doc_get(t, fields[i]));

		if (s.n)
			doc_set_strn(a, &d, fields[i], s.p, s.n);
	}
	if (doc_is(seconds, DOC_NUMBER))
		doc_set(a, &d, "tolerationSeconds", *seconds);
	return d;
}

static bool is_list_of_objects(const struct doc *list)
{
	if (!doc_is(list, DOC_ARRAY) && !doc_is(list, DOC_NULL))
		return false;
	DOC_EACH (t, list)
		if (!doc_is(t, DOC_OBJECT))
			return false;
	return true;
}

/* The namespace's, or the configuration's when it says nothing; "" is none. */
static int read_tolerations(struct admission_call *c, const char *key, const struct doc *absent,
			    struct doc *ret, bool *ret_own, struct err *err)
{
	const struct json_options copy = { .copy = true };
	const struct doc *text = annotation(c, key), *from = absent;
	struct arena *a = c->sc->a;
	struct doc *d = NULL;

	*ret = doc_array();
	*ret_own = text;
	if (text && text->n &&
	    (json_read(a, doc_slice(text), &copy, &d, NULL) < 0 || !is_list_of_objects(d)))
		return tell(c, err,
			    arena_printf(a,
					 "annotation %s of the namespace is no list of tolerations",
					 key));
	from = text ? d : absent;
	DOC_EACH (t, from)
		(void)doc_append(a, ret, canonical(a, t));
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

int admit_toleration_rules_check(struct admission_call *c, struct err *err)
{
	const struct doc *mine = doc_find(c->obj, "spec.tolerations");
	struct doc allowed;
	bool own;

	if (!doc_len(mine))
		return 0;
	if (read_tolerations(c, SCHEDULER "tolerationsWhitelist", c->ad->conf.tolerated, &allowed,
			     &own, err) < 0)
		return err_ret(err);
	if (!doc_len(&allowed))
		return 0;
	DOC_EACH (t, mine) {
		bool covered = false;

		DOC_EACH (w, &allowed)
			covered |= covers(w, t);
		if (!covered)
			return tell(c, err,
				    own ? "pod tolerations (possibly merged with namespace default "
					  "tolerations) conflict with its namespace whitelist"
					: "pod tolerations (possibly merged with namespace default "
					  "tolerations) conflict with its cluster whitelist");
	}
	return 0;
}

static struct doc pressure(struct arena *a)
{
	struct doc t = doc_object();

	doc_set_str(a, &t, "key", PRESSURE);
	doc_set_str(a, &t, "operator", "Exists");
	doc_set_str(a, &t, "effect", "NoSchedule");
	return t;
}

int admit_toleration_rules(struct admission_call *c, struct err *err)
{
	struct doc extra = doc_array(), all = doc_array(), merged = doc_array(), *spec = spec_of(c);
	struct arena *a = c->sc->a;
	bool own;

	if (c->op == ADMISSION_CREATE &&
	    read_tolerations(c, SCHEDULER "defaultTolerations", c->ad->conf.tolerations, &extra,
			     &own, err) < 0)
		return err_ret(err);
	if (strcmp(strategy_class_of_service(spec), "BestEffort") != 0)
		(void)doc_append(a, &extra, pressure(a));
	if (!doc_len(&extra))
		return admit_toleration_rules_check(c, err);
	DOC_EACH (t, doc_get(spec, "tolerations"))
		(void)doc_append(a, &all, *t);
	DOC_EACH (t, &extra)
		(void)doc_append(a, &all, *t);
	for (size_t i = 0; i < doc_len(&all); i++)
		if (!is_redundant(&all, i, &merged))
			(void)doc_append(a, &merged, *doc_at(&all, i));
	(void)strategy_put(strategy_type(admit_type(c), "spec"), spec, a, "tolerations", merged);
	return admit_toleration_rules_check(c, err);
}
