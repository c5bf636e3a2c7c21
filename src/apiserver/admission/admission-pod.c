/* SPDX-License-Identifier: Apache-2.0 */
/* What pods are given: priority, tolerations, what their runtime class says, topology labels. */
#include "apiserver/admission/admission-private.h"

#include "base/err.h"

#define NOT_READY "node.kubernetes.io/not-ready"
#define UNREACHABLE "node.kubernetes.io/unreachable"
#define TOLERATION_SECONDS 300
#define TOPOLOGY_ZONE "topology.kubernetes.io/zone"
#define TOPOLOGY_REGION "topology.kubernetes.io/region"
#define HOSTNAME "kubernetes.io/hostname"

static const struct api_type *spec_type(const struct admission_call *c)
{
	return strategy_type(admit_type(c), "spec");
}

static struct doc *pod_spec(struct admission_call *c)
{
	struct doc *spec = doc_get(c->obj, "spec");

	return spec ? spec : strategy_put(admit_type(c), c->obj, c->sc->a, "spec", doc_object());
}

static void put(struct admission_call *c, struct doc *spec, const char *field, struct doc value)
{
	(void)strategy_put(spec_type(c), spec, c->sc->a, field, value);
}

/* ---- Priority ---- */

/* Of several the one with the lowest value. */
static int lowest_default(void *arg, struct doc *obj)
{
	struct doc **best = arg;

	if (doc_true(doc_get(obj, "globalDefault")) &&
	    (!*best || strategy_int(obj, "value") < strategy_int(*best, "value")))
		*best = obj;
	return 0;
}

static int default_class(struct admission_call *c, struct doc **ret, struct err *err)
{
	*ret = NULL;
	return admit_each(c, "scheduling.k8s.io", "priorityclasses", "", "\"globalDefault\":true",
			  lowest_default, ret, err);
}

static int find_class(struct admission_call *c, struct doc *spec, struct doc **ret, struct err *err)
{
	struct slice name = strategy_text(spec, "priorityClassName");
	int r;

	if (!name.n) {
		r = default_class(c, ret, err);
		if (r == 0 && *ret)
			put(c, spec, "priorityClassName", *doc_find(*ret, "metadata.name"));
		return r;
	}
	*ret = admit_get(c, "scheduling.k8s.io", "priorityclasses", "", name);
	return *ret ? 0
		    : admit_refuse(c, err, "no PriorityClass with name %.*s was found", (int)name.n,
				   name.p);
}

static int keep_priority(struct admission_call *c, struct doc *spec)
{
	static const char *const fields[] = { "priority", "preemptionPolicy" };

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		const struct doc *was = doc_get(doc_get(c->old, "spec"), fields[i]);

		if (was && !doc_get(spec, fields[i]))
			put(c, spec, fields[i], *was);
	}
	return 0;
}

int admit_priority(struct admission_call *c, struct err *err)
{
	struct doc *spec, *class = NULL;
	const struct doc *given, *policy;
	int64_t value;
	int r;

	if (c->kind != ADMIT_POD)
		return 0;
	spec = pod_spec(c);
	if (c->op == ADMISSION_UPDATE)
		return keep_priority(c, spec);
	r = find_class(c, spec, &class, err);
	if (r < 0)
		return r;
	value = strategy_int(class, "value");
	given = doc_get(spec, "priority");
	if (given && check_number(given) != value)
		return admit_refuse(c, err,
				    "the integer value of priority (%lld) must not be provided in "
				    "pod spec; priority admission controller computed %lld from "
				    "the given PriorityClass name",
				    (long long)check_number(given), (long long)value);
	put(c, spec, "priority", doc_int(c->sc->a, value));
	policy = doc_get(class, "preemptionPolicy");
	given = doc_get(spec, "preemptionPolicy");
	if (class && !policy)
		return 0;
	if (given &&
	    !slice_eq(doc_slice(given), class ? doc_slice(policy) : SLICE("PreemptLowerPriority")))
		return admit_refuse(
			c, err,
			"the string value of PreemptionPolicy (%s) must not be provided in pod "
			"spec; priority admission controller computed %s from the given "
			"PriorityClass name",
			admit_text(c, spec, "preemptionPolicy"),
			class ? admit_text(c, class, "preemptionPolicy") : "PreemptLowerPriority");
	put(c, spec, "preemptionPolicy", class ? *policy : DOC_LIT("PreemptLowerPriority"));
	return 0;
}

int admit_priority_class(struct admission_call *c, struct err *err)
{
	struct doc *other = NULL;
	int r;

	if (c->kind != ADMIT_PRIORITY_CLASS || !doc_true(doc_get(c->obj, "globalDefault")))
		return 0;
	r = default_class(c, &other, err);
	if (r < 0 || !other ||
	    (c->op == ADMISSION_UPDATE && strategy_same_at(other, c->obj, "metadata.name")))
		return r;
	return admit_refuse(c, err,
			    "PriorityClass %s is already marked as default. Only one default can "
			    "exist",
			    admit_text(c, other, "metadata.name"));
}

/* ---- tolerations ---- */

static struct doc *tolerations(struct admission_call *c, struct doc *spec)
{
	struct doc *list = doc_get(spec, "tolerations");

	if (!list) {
		put(c, spec, "tolerations", doc_array());
		list = doc_get(spec, "tolerations");
	}
	return list;
}

static struct doc toleration(struct admission_call *c, const char *key, const char *effect,
			     int64_t seconds)
{
	struct doc t = doc_object();

	doc_set_str(c->sc->a, &t, "key", key);
	doc_set_str(c->sc->a, &t, "operator", "Exists");
	doc_set_str(c->sc->a, &t, "effect", effect);
	if (seconds >= 0)
		doc_set_int(c->sc->a, &t, "tolerationSeconds", seconds);
	return t;
}

int admit_tolerations(struct admission_call *c, struct err *err)
{
	static const char *const keys[] = { NOT_READY, UNREACHABLE };
	struct doc *spec = pod_spec(c);
	bool has[2] = { false, false };

	(void)err;
	DOC_EACH (t, doc_get(spec, "tolerations")) {
		struct slice key = strategy_text(t, "key"), effect = strategy_text(t, "effect");

		if (effect.n && !slice_is(effect, "NoExecute"))
			continue;
		for (size_t i = 0; i < 2; i++)
			has[i] |= !key.n || slice_is(key, keys[i]);
	}
	for (size_t i = 0; i < 2; i++)
		if (!has[i])
			(void)doc_append(c->sc->a, tolerations(c, spec),
					 toleration(c, keys[i], "NoExecute", TOLERATION_SECONDS));
	return 0;
}

static void tolerate(struct admission_call *c, struct doc *spec, const char *key)
{
	struct doc want = toleration(c, key, "NoSchedule", -1), *list = tolerations(c, spec);

	DOC_EACH (t, list)
		if (strategy_is(t, "key", key) && strategy_is(t, "effect", "NoSchedule") &&
		    strategy_is(t, "operator", "Exists") && !strategy_text(t, "value").n) {
			*t = want;
			return;
		}
	(void)doc_append(c->sc->a, list, want);
}

int admit_extended_tolerations(struct admission_call *c, struct err *err)
{
	struct doc *spec = pod_spec(c), *d, names = doc_object();
	const char *list;
	size_t i = 0;

	(void)err;
	while ((d = admit_container(spec, &i, &list)))
		DOC_EACH_MEMBER (key, value, doc_find(d, "resources.requests")) {
			(void)value;
			if (*list != 'e' && amounts_is_extended(doc_slice(key)))
				strategy_map_put(c->sc->a, &names, doc_cstr(c->sc->a, key),
						 doc_null(), true);
		}
	DOC_EACH_MEMBER (key, value, &names) {
		(void)value;
		tolerate(c, spec, doc_cstr(c->sc->a, key));
	}
	return 0;
}

/* ---- RuntimeClass ---- */

/* Does `more` tolerate all that t does? */
static bool covers(const struct doc *more, const struct doc *t)
{
	const struct doc *limit = doc_get(more, "tolerationSeconds"),
			 *seconds = doc_get(t, "tolerationSeconds");
	bool exists = strategy_is(more, "operator", "Exists");
	struct slice effect = strategy_text(more, "effect");

	if (doc_equal(more, t))
		return true;
	if (!slice_eq(strategy_text(more, "key"), strategy_text(t, "key")) &&
	    (strategy_text(more, "key").n || !exists))
		return false;
	if (effect.n && !slice_eq(effect, strategy_text(t, "effect")))
		return false;
	if (slice_is(effect, "NoExecute") && limit &&
	    (!seconds || check_number(seconds) > check_number(limit)))
		return false;
	if (exists)
		return true;
	if (strategy_text(more, "operator").n && !strategy_is(more, "operator", "Equal"))
		return false;
	return strategy_is(t, "operator", "Equal") &&
	       slice_eq(strategy_text(t, "value"), strategy_text(more, "value"));
}

static bool is_covered(const struct doc *all, size_t i, const struct doc *kept)
{
	const struct doc *t = doc_at(all, i);

	DOC_EACH (k, kept)
		if (covers(k, t))
			return true;
	for (size_t j = i + 1; j < doc_len(all); j++)
		if (!doc_equal(doc_at(all, j), t) && covers(doc_at(all, j), t))
			return true;
	return false;
}

static void merge_tolerations(struct admission_call *c, struct doc *spec, const struct doc *more)
{
	struct doc all = doc_array(), kept = doc_array();

	DOC_EACH (t, doc_get(spec, "tolerations"))
		(void)doc_append(c->sc->a, &all, *t);
	DOC_EACH (t, more)
		(void)doc_append(c->sc->a, &all, *t);
	for (size_t i = 0; i < doc_len(&all); i++)
		if (!is_covered(&all, i, &kept))
			(void)doc_append(c->sc->a, &kept, *doc_at(&all, i));
	if (doc_len(&kept))
		put(c, spec, "tolerations", kept);
}

static int merge_selector(struct admission_call *c, struct doc *spec, const struct doc *more,
			  struct err *err)
{
	struct doc *have = doc_get(spec, "nodeSelector");

	if (!doc_len(more))
		return 0;
	if (!have) {
		put(c, spec, "nodeSelector", *doc_copy_shared(c->sc->a, more));
		return 0;
	}
	DOC_EACH_MEMBER (key, value, more) {
		const struct doc *mine = doc_getn(have, doc_slice(key));
		const char *k = doc_cstr(c->sc->a, key), *v = doc_cstr(c->sc->a, value);

		if (mine && !doc_equal(mine, value))
			return admit_refuse(c, err,
					    "conflict: runtimeClass.scheduling.nodeSelector[%s] = "
					    "%s; pod.spec.nodeSelector[%s] = %s",
					    k, v, k, doc_cstr(c->sc->a, mine));
		strategy_map_put(c->sc->a, have, k, *value, true);
	}
	return 0;
}

/* Amounts compare by what they are, not by how they are written. */
static bool same_amounts(const struct doc *x, const struct doc *y)
{
	if (doc_len(x) != doc_len(y))
		return false;
	DOC_EACH_MEMBER (key, value, x) {
		struct quantity a, b;

		if (!quantity_parse(doc_slice(value), &a) ||
		    !quantity_parse(doc_slice(doc_getn(y, doc_slice(key))), &b) ||
		    quantity_cmp(&a, &b) != 0)
			return false;
	}
	return true;
}

#define OVERHEAD_DIFFERS \
	"pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"

static int runtime_of(struct admission_call *c, struct doc **ret, struct err *err)
{
	const struct doc *name = doc_find(c->obj, "spec.runtimeClassName");

	*ret = NULL;
	if (!name)
		return 0;
	*ret = admit_get(c, "node.k8s.io", "runtimeclasses", "", doc_slice(name));
	return *ret ? 0
		    : admit_refuse(c, err, "pod rejected: RuntimeClass \"%s\" not found",
				   doc_cstr(c->sc->a, name));
}

int admit_runtime(struct admission_call *c, struct err *err)
{
	struct doc *spec = pod_spec(c), *class, *overhead;
	const struct doc *scheduling;
	int r = runtime_of(c, &class, err);

	if (r < 0 || !class)
		return r;
	overhead = doc_find(class, "overhead.podFixed");
	if (overhead) {
		const struct doc *given = doc_get(spec, "overhead");

		if (doc_len(given) && !same_amounts(given, overhead))
			return admit_refuse(c, err, OVERHEAD_DIFFERS);
		put(c, spec, "overhead", *overhead);
	}
	scheduling = doc_get(class, "scheduling");
	if (!scheduling)
		return 0;
	r = merge_selector(c, spec, doc_get(scheduling, "nodeSelector"), err);
	if (r == 0)
		merge_tolerations(c, spec, doc_get(scheduling, "tolerations"));
	return r;
}

int admit_runtime_check(struct admission_call *c, struct err *err)
{
	const struct doc *given = doc_find(c->obj, "spec.overhead");
	struct doc *class;
	int r = runtime_of(c, &class, err);

	if (r < 0)
		return r;
	if (doc_get(class, "overhead"))
		return same_amounts(given, doc_find(class, "overhead.podFixed"))
			       ? 0
			       : admit_refuse(c, err, OVERHEAD_DIFFERS);
	return given ? admit_refuse(c, err,
				    "pod rejected: Pod Overhead set without corresponding "
				    "RuntimeClass defined Overhead")
		     : 0;
}

/* ---- AlwaysPullImages ---- */

static bool has_image(const struct doc *spec, const struct doc *image)
{
	const struct doc *d;
	size_t i = 0;

	while ((d = admit_container(spec, &i, NULL)))
		if (strategy_same(doc_get(d, "image"), image))
			return true;
	return false;
}

static bool brings_images(const struct admission_call *c)
{
	const struct doc *spec = doc_get(c->obj, "spec"), *d;
	size_t i = 0;

	if (c->op == ADMISSION_CREATE)
		return true;
	while ((d = admit_container(spec, &i, NULL)))
		if (!has_image(doc_get(c->old, "spec"), doc_get(d, "image")))
			return true;
	return false;
}

int admit_pull(struct admission_call *c, struct err *err)
{
	const struct api_type *t = strategy_type(spec_type(c), "containers");
	const struct api_type *image = strategy_type(spec_type(c), "volumes.image");
	struct doc *spec = pod_spec(c), *d;
	size_t i = 0;

	(void)err;
	if (!brings_images(c))
		return 0;
	while ((d = admit_container(spec, &i, NULL)))
		(void)strategy_put(t, d, c->sc->a, "imagePullPolicy", DOC_LIT("Always"));
	DOC_EACH (v, doc_get(spec, "volumes")) {
		struct doc *source = doc_get(v, "image");

		if (source)
			(void)strategy_put(image, source, c->sc->a, "pullPolicy",
					   DOC_LIT("Always"));
	}
	return 0;
}

/* Later plugins may have undone it. */
int admit_pull_check(struct admission_call *c, struct err *err)
{
	const struct doc *spec = doc_get(c->obj, "spec"), *d;
	const char *list;
	size_t i = 0;

	if (!brings_images(c))
		return 0;
	while ((d = admit_container(spec, &i, &list)))
		if (!strategy_is(d, "imagePullPolicy", "Always"))
			return admit_refuse(c, err,
					    "spec.%s[%zu].imagePullPolicy: Unsupported value: "
					    "\"%s\": supported values: \"Always\"",
					    list, (size_t)(d - doc_get(spec, list)->kids),
					    admit_text(c, d, "imagePullPolicy"));
	return 0;
}

/* ---- where pods may be, and where they are ---- */

int admit_anti_affinity(struct admission_call *c, struct err *err)
{
	DOC_EACH (term, doc_find(c->obj, "spec.affinity.podAntiAffinity."
					 "requiredDuringSchedulingIgnoredDuringExecution"))
		if (!strategy_is(term, "topologyKey", HOSTNAME))
			return admit_refuse(
				c, err,
				"affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey "
				"%s but only key " HOSTNAME " is allowed",
				admit_text(c, term, "topologyKey"));
	return 0;
}

int admit_topology_labels(struct admission_call *c, struct err *err)
{
	static const char *const keys[] = { TOPOLOGY_ZONE, TOPOLOGY_REGION };
	struct slice node_name = strategy_text(c->obj, "spec.nodeName");
	const struct doc *labels;
	struct doc *mine;

	(void)err;
	if (!node_name.n)
		return 0;
	labels = doc_find(admit_get(c, "", "nodes", "", node_name), "metadata.labels");
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const struct doc *v = doc_get(labels, keys[i]);

		if (!v)
			continue;
		mine = doc_find(c->obj, "metadata.labels");
		if (!mine)
			mine = strategy_put(admit_type(c), c->obj, c->sc->a, "metadata.labels",
					    doc_object());
		strategy_map_put(c->sc->a, mine, keys[i], *v, false);
	}
	return 0;
}
