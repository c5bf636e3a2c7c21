/* SPDX-License-Identifier: Apache-2.0 */
/* apps/v1: what keeps pods. */
#include "apiserver/strategy/strategy-private.h"

#include <stdio.h>

#define TEMPLATE "spec.template"
#define TEMPLATE_SPEC "spec.template.spec"

static int create_set(struct strategy_call *c, struct doc *obj, struct err *err)
{
	(void)c;
	(void)err;
	strategy_trim_pod(doc_find(obj, TEMPLATE_SPEC), NULL);
	return 0;
}

static int update_set(struct strategy_call *c, struct doc *obj, const struct doc *old,
		      struct err *err)
{
	(void)err;
	if (!strategy_sub(c, "status"))
		strategy_trim_pod(doc_find(obj, TEMPLATE_SPEC), doc_find(old, TEMPLATE_SPEC));
	return 0;
}

/* ---- deployments, replica sets ---- */

static int update_deployment(struct strategy_call *c, struct doc *obj, const struct doc *old,
			     struct err *err)
{
	if (strategy_sub(c, "status"))
		strategy_keep(c->objects->kind->type, obj, old, c->a, "metadata.labels");
	return update_set(c, obj, old, err);
}

static void warn_set(struct strategy_call *c, const struct doc *obj, const struct doc *old)
{
	if (strategy_sub(c, "status"))
		return;
	if (!old)
		strategy_warn_pod_name(c, obj, STRATEGY_NAME_IN_PODS);
	if (!old || !strategy_same_at(obj, old, "metadata.generation"))
		strategy_warn_template(c, obj, TEMPLATE);
}

/* ---- stateful sets ---- */

/* The feature is off by default: who has it keeps it. */
#define UNAVAILABLE "spec.updateStrategy.rollingUpdate.maxUnavailable"

static int create_stateful(struct strategy_call *c, struct doc *obj, struct err *err)
{
	(void)strategy_drop(obj, UNAVAILABLE);
	return create_set(c, obj, err);
}

static int update_stateful(struct strategy_call *c, struct doc *obj, const struct doc *old,
			   struct err *err)
{
	if (!doc_find(old, UNAVAILABLE))
		(void)strategy_drop(obj, UNAVAILABLE);
	return update_set(c, obj, old, err);
}

static void warn_stateful(struct strategy_call *c, const struct doc *obj, const struct doc *old)
{
	const struct path spec = PATH(NULL, "spec"), claims = PATH(&spec, "volumeClaimTemplates"),
			  history = PATH(&spec, "revisionHistoryLimit");
	const struct doc *list = doc_find(obj, "spec.volumeClaimTemplates");

	if (strategy_sub(c, "status"))
		return;
	if (!old || !strategy_same_at(obj, old, "metadata.generation"))
		strategy_warn_template(c, obj, TEMPLATE);
	for (size_t i = 0; i < doc_len(list); i++) {
		/* Upstream's paths of the two differ. */
		const struct path one = PATH_INDEX(&claims, i), part = PATH(&one, "Spec");

		strategy_warn_claim(c, old ? &part : &one, doc_get(doc_at(list, i), "spec"));
	}
	if (strategy_int(obj, "spec.revisionHistoryLimit") < 0)
		strategy_warn_at(c, &history,
				 "a negative value retains all historical revisions; a value >= 0 "
				 "is recommended");
}

/* ---- daemon sets ---- */

/*
 * The template's own count of changes is kept in an annotation since apps/v1 has no field for it.
 * Clients cannot set it but when they create.
 */
#define COUNT "deprecated.daemonset.template.generation"

static int64_t template_count(const struct doc *obj)
{
	const struct slice s = doc_slice(doc_get(doc_find(obj, "metadata.annotations"), COUNT));
	int64_t n;

	return s.n && str_int64(s, &n, NULL) == 0 ? n : 0;
}

static void set_count(struct strategy_call *c, struct doc *obj, int64_t n)
{
	struct doc *annotations = doc_find(obj, "metadata.annotations");
	char text[24];

	if (!annotations)
		annotations = strategy_set(c, obj, "metadata.annotations", doc_object());
	(void)snprintf(text, sizeof(text), "%lld", (long long)n);
	strategy_map_put(c->a, annotations, COUNT, doc_str(c->a, text), false);
}

static int create_daemon(struct strategy_call *c, struct doc *obj, struct err *err)
{
	set_count(c, obj, MAX(template_count(obj), 1));
	return create_set(c, obj, err);
}

static int update_daemon(struct strategy_call *c, struct doc *obj, const struct doc *old,
			 struct err *err)
{
	const int64_t n = template_count(old);
	const int r = update_set(c, obj, old, err);

	/* Status is not counted; of the annotations upstream takes what is sent. */
	if (strategy_sub(c, "status"))
		set_count(c, obj, n);
	else
		set_count(c, obj, n + !strategy_same_at(obj, old, TEMPLATE));
	return r;
}

static void warn_daemon(struct strategy_call *c, const struct doc *obj, const struct doc *old)
{
	if (!strategy_sub(c, "status") && (!old || template_count(obj) != template_count(old)))
		strategy_warn_template(c, obj, TEMPLATE);
}

const struct strategy strategy_apps[] = {
	{ "apps", "deployments", STRATEGY_GENERATION | STRATEGY_COUNTS_ANNOTATIONS, create_set,
	  update_deployment, .warn = warn_set },
	{ "apps", "replicasets", STRATEGY_GENERATION, create_set, update_set, .warn = warn_set },
	{ "apps", "statefulsets", STRATEGY_GENERATION, create_stateful, update_stateful,
	  .warn = warn_stateful },
	{ "apps", "daemonsets", STRATEGY_GENERATION, create_daemon, update_daemon,
	  .warn = warn_daemon },
	{ 0 },
};
