/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of apps/v1. */
#include "api/check-parts.h"
#include "api/check-pod.h"

static const struct path in_spec = PATH(NULL, "spec"), in_status = PATH(NULL, "status");

/* ---- what they share ---- */

/* 25 of 25 and "25%"; 0 for what is neither. */
static int64_t amount(const struct doc *value)
{
	struct doc number;
	int64_t v = 0;

	if (doc_is(value, DOC_NUMBER))
		(void)doc_int64(value, &v);
	else if (doc_is(value, DOC_STRING) && value->n > 1 && value->s[value->n - 1] == '%' &&
		 doc_number_parse(slice_of(value->s, value->n - 1), &number))
		(void)doc_int64(&number, &v);
	return v;
}

/* kind: "deployment", in the words for an empty selector. */
static void check_selector(struct check *c, const struct doc *spec, const char *kind, bool required)
{
	const struct path at = PATH(&in_spec, "selector");
	const struct doc *selector = doc_get(spec, "selector");

	if (!part_set(spec, "selector")) {
		if (required)
			check_required(c, &at, "");
		return;
	}
	check_label_selector(c, &at, selector);
	if (doc_len(doc_get(selector, "matchLabels")) +
		    doc_len(doc_get(selector, "matchExpressions")) ==
	    0)
		check_invalid(c, &at, selector, "empty selector is invalid for %s", kind);
}

/* The template of a kind whose pods run for ever. */
static void check_template(struct check *c, const struct doc *template, const char *kind)
{
	static const char *const always[] = { "Always", NULL };
	const struct path at = PATH(&in_spec, "template"), pod = PATH(&at, "spec");
	const struct doc *in_pod = doc_get(template, "spec");

	check_pod_template(c, &at, template, 0);
	part_one_of(c, &pod, in_pod, "restartPolicy", always, false);
	if (part_set(in_pod, "activeDeadlineSeconds"))
		part_forbidden(c, &pod, "activeDeadlineSeconds",
			       "activeDeadlineSeconds in %s is not Supported", kind);
}

static void check_counts(struct check *c, const struct doc *status, const char *const *fields,
			 const char *const *at_most_replicas)
{
	part_not_negative(c, &in_status, status, fields);
	for (; *at_most_replicas; at_most_replicas++)
		if (part_number(status, *at_most_replicas) > part_number(status, "replicas"))
			part_bad_number(c, &in_status, status, *at_most_replicas,
					"cannot be greater than status.replicas");
}

static void check_collisions(struct check *c, const struct doc *status)
{
	const struct doc *old = doc_get(c->old, "status");

	if (part_number(status, "collisionCount") < part_number(old, "collisionCount"))
		part_bad_number(c, &in_status, status, "collisionCount", "cannot be decremented");
}

static void check_ready(struct check *c, const struct doc *status, const char *than)
{
	if (part_number(status, "availableReplicas") > part_number(status, "readyReplicas"))
		part_bad_number(c, &in_status, status, "availableReplicas",
				"cannot be greater than %s", than);
}

/* ---- Deployment ---- */

static void check_rolling(struct check *c, const struct path *p, const struct doc *rolling)
{
	const struct path unavailable = PATH(p, "maxUnavailable"), surge = PATH(p, "maxSurge");
	const struct doc *u = doc_get(rolling, "maxUnavailable"), *s = doc_get(rolling, "maxSurge");

	check_int_or_percent(c, &unavailable, u, true);
	check_int_or_percent(c, &surge, s, false);
	if (amount(u) == 0 && amount(s) == 0)
		check_invalid(c, &unavailable, u, "may not be 0 when `maxSurge` is 0");
}

static void check_strategy(struct check *c, const struct doc *spec)
{
	static const char *const types[] = { "Recreate", "RollingUpdate", NULL };
	const struct path at = PATH(&in_spec, "strategy"), rolling = PATH(&at, "rollingUpdate");
	const struct doc *strategy = doc_get(spec, "strategy"), *type = doc_get(strategy, "type"),
			 *r = doc_get(strategy, "rollingUpdate");

	if (doc_str_is(type, "Recreate")) {
		if (r)
			check_forbidden(c, &rolling,
					"may not be specified when strategy `type` is 'Recreate'");
	} else if (doc_str_is(type, "RollingUpdate")) {
		if (r)
			check_rolling(c, &rolling, r);
		else
			check_required(c, &rolling, "this should be defaulted and never be nil");
	} else {
		check_unsupported(c, &at, strategy, types);
	}
}

static void check_deployment_status(struct check *c, const struct doc *status)
{
	static const char *const counts[] = {
		"observedGeneration",  "replicas",	    "updatedReplicas",
		"readyReplicas",       "availableReplicas", "unavailableReplicas",
		"terminatingReplicas", "collisionCount",    NULL
	};
	static const char *const parts[] = { "updatedReplicas", "readyReplicas",
					     "availableReplicas", NULL };

	check_counts(c, status, counts, parts);
	check_ready(c, status, "readyReplicas");
	check_collisions(c, status);
}

static void check_deployment(struct check *c, const struct doc *obj, const char *sub)
{
	static const char *const numbers[] = { "minReadySeconds", "revisionHistoryLimit",
					       "progressDeadlineSeconds", NULL };
	static const char *const replicas[] = { "replicas", NULL };
	static const char *const fixed[] = { "selector", NULL };
	const struct doc *spec = doc_get(obj, "spec");

	if (strcmp(sub, "status") == 0) {
		check_deployment_status(c, doc_get(obj, "status"));
		return;
	}
	part_not_negative(c, &in_spec, spec, replicas);
	check_selector(c, spec, "deployment", true);
	if (part_set(spec, "selector"))
		part_matches(c, &in_spec, spec);
	check_template(c, doc_get(spec, "template"), "ReplicaSet");
	check_strategy(c, spec);
	part_not_negative(c, &in_spec, spec, numbers);
	if (part_set(spec, "progressDeadlineSeconds") &&
	    part_number(spec, "progressDeadlineSeconds") <= part_number(spec, "minReadySeconds"))
		part_invalid(c, &in_spec, spec, "progressDeadlineSeconds",
			     "must be greater than minReadySeconds");
	if (c->old)
		part_immutable(c, &in_spec, spec, doc_get(c->old, "spec"), fixed);
}

/* ---- ReplicaSet ---- */

static void check_replica_set(struct check *c, const struct doc *obj, const char *sub)
{
	static const char *const numbers[] = { "replicas", "minReadySeconds", NULL };
	static const char *const fixed[] = { "selector", NULL };
	static const char *const counts[] = { "replicas",
					      "fullyLabeledReplicas",
					      "readyReplicas",
					      "availableReplicas",
					      "terminatingReplicas",
					      "observedGeneration",
					      NULL };
	static const char *const parts[] = { "fullyLabeledReplicas", "readyReplicas",
					     "availableReplicas", NULL };
	const struct doc *spec = doc_get(obj, "spec"), *status = doc_get(obj, "status");

	if (strcmp(sub, "status") == 0) {
		check_counts(c, status, counts, parts);
		check_ready(c, status, "readyReplicas");
		return;
	}
	part_not_negative(c, &in_spec, spec, numbers);
	check_selector(c, spec, "deployment", true);
	if (part_set(spec, "selector"))
		part_matches(c, &in_spec, spec);
	check_template(c, doc_get(spec, "template"), "ReplicaSet");
	if (c->old)
		part_immutable(c, &in_spec, spec, doc_get(c->old, "spec"), fixed);
}

/* ---- DaemonSet ---- */

static void check_daemon_rolling(struct check *c, const struct path *p, const struct doc *rolling)
{
	const struct path unavailable = PATH(p, "maxUnavailable"), surge = PATH(p, "maxSurge");
	const struct doc *u = doc_get(rolling, "maxUnavailable"), *s = doc_get(rolling, "maxSurge");

	check_int_or_percent(c, &unavailable, u, true);
	check_int_or_percent(c, &surge, s, true);
	if (amount(u) != 0 && amount(s) != 0)
		check_invalid(c, &surge, s, "may not be set when maxUnavailable is non-zero");
	if (amount(u) == 0 && amount(s) == 0)
		check_required(c, &unavailable, "cannot be 0 when maxSurge is 0");
}

static void check_daemon_strategy(struct check *c, const struct doc *spec)
{
	static const char *const types[] = { "RollingUpdate", "OnDelete", NULL };
	const struct path at = PATH(&in_spec, "updateStrategy"),
			  rolling = PATH(&at, "rollingUpdate");
	const struct doc *strategy = doc_get(spec, "updateStrategy"),
			 *type = doc_get(strategy, "type");

	if (doc_str_is(type, "OnDelete"))
		return;
	if (!doc_str_is(type, "RollingUpdate"))
		check_unsupported(c, &at, strategy, types);
	else if (!part_set(strategy, "rollingUpdate"))
		check_required(c, &rolling, "");
	else
		check_daemon_rolling(c, &rolling, doc_get(strategy, "rollingUpdate"));
}

static void check_daemon_set(struct check *c, const struct doc *obj, const char *sub)
{
	static const char *const counts[] = { "currentNumberScheduled", "numberMisscheduled",
					      "desiredNumberScheduled", "numberReady",
					      "observedGeneration",	"updatedNumberScheduled",
					      "numberAvailable",	"numberUnavailable",
					      "collisionCount",		NULL };
	static const char *const before[] = { "minReadySeconds", NULL };
	static const char *const after[] = { "revisionHistoryLimit", NULL };
	static const char *const fixed[] = { "selector", NULL };
	const struct doc *spec = doc_get(obj, "spec"), *status = doc_get(obj, "status");

	if (strcmp(sub, "status") == 0) {
		part_not_negative(c, &in_status, status, counts);
		check_collisions(c, status);
		return;
	}
	check_selector(c, spec, "daemonset", false);
	part_matches(c, &in_spec, spec);
	check_template(c, doc_get(spec, "template"), "DaemonSet");
	part_not_negative(c, &in_spec, spec, before);
	check_daemon_strategy(c, spec);
	part_not_negative(c, &in_spec, spec, after);
	if (c->old)
		part_immutable(c, &in_spec, spec, doc_get(c->old, "spec"), fixed);
}

/* ---- StatefulSet ---- */

static void check_stateful_strategy(struct check *c, const struct doc *spec)
{
	static const char *const partition[] = { "partition", NULL };
	const struct path at = PATH(&in_spec, "updateStrategy"),
			  rolling = PATH(&at, "rollingUpdate"),
			  unavailable = PATH(&rolling, "maxUnavailable");
	const struct doc *strategy = doc_get(spec, "updateStrategy"),
			 *type = doc_get(strategy, "type"), *r = doc_get(strategy, "rollingUpdate"),
			 *u = doc_get(r, "maxUnavailable");

	if (!part_full(strategy, "type")) {
		check_required(c, &at, "");
	} else if (doc_str_is(type, "OnDelete")) {
		if (r)
			check_invalid(c, &rolling, r,
				      "only allowed for updateStrategy 'RollingUpdate'");
	} else if (doc_str_is(type, "RollingUpdate")) {
		part_not_negative(c, &rolling, r, partition);
		check_int_or_percent(c, &unavailable, u, true);
		if (u && amount(u) == 0)
			check_invalid(c, &unavailable, u, "cannot be 0");
	} else {
		check_invalid(c, &at, strategy, "must be 'RollingUpdate' or 'OnDelete'");
	}
}

static void check_retention(struct check *c, const struct doc *spec)
{
	static const char *const policies[] = { "Retain", "Delete", NULL };
	const struct path at = PATH(&in_spec, "persistentVolumeClaimRetentionPolicy");
	const struct doc *policy = doc_get(spec, "persistentVolumeClaimRetentionPolicy");

	if (!policy)
		return;
	part_one_of(c, &at, policy, "whenDeleted", policies, false);
	part_one_of(c, &at, policy, "whenScaled", policies, false);
}

/* The template of a StatefulSet is looked at in full, as upstream does since its volumes come from
 * volumeClaimTemplates too: those are taken for volumes here. */
static const struct doc *with_claims(struct check *c, const struct doc *spec)
{
	const struct doc *claims = doc_get(spec, "volumeClaimTemplates");
	struct doc *template = doc_copy_shared(c->a, doc_get(spec, "template")), *volumes;
	struct doc *pod = doc_get(template, "spec");

	if (doc_len(claims) == 0 || !pod)
		return doc_get(spec, "template");
	volumes = doc_get(pod, "volumes");
	if (!volumes)
		volumes = doc_set_array(c->a, pod, "volumes");
	DOC_EACH (claim, claims) {
		const struct doc *name = doc_find(claim, "metadata.name");
		struct doc *volume = name ? doc_append_object(c->a, volumes) : NULL;

		if (!volume)
			continue;
		doc_set(c->a, volume, "name", *name);
		doc_set_object(c->a, volume, "emptyDir");
	}
	return template;
}

static bool names_are_apart(const struct doc *spec)
{
	const struct doc *volumes = doc_find(spec, "template.spec.volumes");

	DOC_EACH (claim, doc_get(spec, "volumeClaimTemplates"))
		DOC_EACH (volume, volumes)
			if (doc_equal(doc_find(claim, "metadata.name"), doc_get(volume, "name")))
				return false;
	return true;
}

static void check_stateful_spec(struct check *c, const struct doc *spec)
{
	static const char *const numbers[] = { "replicas", "minReadySeconds",
					       "revisionHistoryLimit", NULL };
	static const char *const start[] = { "start", NULL };
	const struct path ordinals = PATH(&in_spec, "ordinals");
	const struct doc *policy = doc_get(spec, "podManagementPolicy");

	if (!part_full(spec, "podManagementPolicy"))
		part_required(c, &in_spec, "podManagementPolicy", "");
	else if (!doc_str_is(policy, "OrderedReady") && !doc_str_is(policy, "Parallel"))
		part_invalid(c, &in_spec, spec, "podManagementPolicy",
			     "must be 'OrderedReady' or 'Parallel'");
	check_stateful_strategy(c, spec);
	check_retention(c, spec);
	part_not_negative(c, &in_spec, spec, numbers);
	part_not_negative(c, &ordinals, doc_get(spec, "ordinals"), start);
	check_selector(c, spec, "statefulset", true);
	if (part_set(spec, "selector"))
		part_matches(c, &in_spec, spec);
	check_template(c, names_are_apart(spec) ? with_claims(c, spec) : doc_get(spec, "template"),
		       "StatefulSet");
}

static void check_stateful_update(struct check *c, const struct doc *spec, const struct doc *old)
{
	static const char *const fixed[] = { "selector", "volumeClaimTemplates", "serviceName",
					     "podManagementPolicy", NULL };

	for (size_t i = 0; fixed[i]; i++)
		if (!part_same(spec, old, fixed[i])) {
			check_forbidden(c, &in_spec,
					"updates to statefulset spec for fields other than "
					"'replicas', 'ordinals', 'template', 'updateStrategy', "
					"'revisionHistoryLimit', "
					"'persistentVolumeClaimRetentionPolicy' and "
					"'minReadySeconds' are forbidden");
			return;
		}
}

static void check_stateful_set(struct check *c, const struct doc *obj, const char *sub)
{
	static const char *const counts[] = { "replicas",	   "readyReplicas",
					      "currentReplicas",   "updatedReplicas",
					      "availableReplicas", "observedGeneration",
					      "collisionCount",	   NULL };
	static const char *const parts[] = { "readyReplicas", "currentReplicas", "updatedReplicas",
					     "availableReplicas", NULL };
	const struct doc *spec = doc_get(obj, "spec"), *status = doc_get(obj, "status");

	if (strcmp(sub, "status") == 0) {
		check_counts(c, status, counts, parts);
		check_ready(c, status, "status.readyReplicas");
		check_collisions(c, status);
		return;
	}
	check_stateful_spec(c, spec);
	if (c->old)
		check_stateful_update(c, spec, doc_get(c->old, "spec"));
}

/* ---- ControllerRevision ---- */

static void check_revision(struct check *c, const struct doc *obj, const char *sub)
{
	static const char *const revision[] = { "revision", NULL };
	static const char *const fixed[] = { "data", NULL };

	(void)sub;
	if (!part_set(obj, "data"))
		part_required(c, NULL, "data", "data is mandatory");
	part_not_negative(c, NULL, obj, revision);
	if (c->old)
		part_immutable(c, NULL, obj, c->old, fixed);
}

const struct check_kind check_apps[] = {
	{ "apps", "Deployment", check_deployment, NULL, .own_values = true },
	{ "apps", "ReplicaSet", check_replica_set, NULL, .own_values = true },
	{ "apps", "DaemonSet", check_daemon_set, NULL, .own_values = true },
	{ "apps", "StatefulSet", check_stateful_set, form_dns_label, .own_values = true },
	{ "apps", "ControllerRevision", check_revision, NULL },
	{ NULL, NULL, NULL, NULL },
};
