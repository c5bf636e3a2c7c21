/* SPDX-License-Identifier: Apache-2.0 */
/* batch/v1: jobs choose their pods by their own uid. */
#include "apiserver/strategy/strategy-private.h"

#define JOB_TEMPLATE "spec.template.spec"
#define CRON_TEMPLATE "spec.jobTemplate.spec.template.spec"

/* ---- jobs ---- */

static struct doc *map_at(struct strategy_call *c, struct doc *obj, const char *path)
{
	struct doc *map = doc_find(obj, path);

	return map ? map : strategy_set(c, obj, path, doc_object());
}

/* Pods get the job's name and uid, in labels old and new; the selector asks for the uid. What is
 * there already is checked afterwards. */
static void choose_by_uid(struct strategy_call *c, struct doc *obj)
{
	const struct doc name = doc_borrow(strategy_text(obj, "metadata.name").p,
					   strategy_text(obj, "metadata.name").n),
			 uid = doc_borrow(strategy_text(obj, "metadata.uid").p,
					  strategy_text(obj, "metadata.uid").n);
	struct doc *labels = map_at(c, obj, "spec.template.metadata.labels"), *chosen;

	strategy_map_put(c->a, labels, "job-name", name, true);
	strategy_map_put(c->a, labels, "batch.kubernetes.io/job-name", name, true);
	strategy_map_put(c->a, labels, "controller-uid", uid, true);
	strategy_map_put(c->a, labels, "batch.kubernetes.io/controller-uid", uid, true);
	chosen = map_at(c, obj, "spec.selector.matchLabels");
	strategy_map_put(c->a, chosen, "batch.kubernetes.io/controller-uid", uid, true);
}

static int create_job(struct strategy_call *c, struct doc *obj, struct err *err)
{
	(void)err;
	if (!doc_true(doc_find(obj, "spec.manualSelector")))
		choose_by_uid(c, obj);
	/* A job without labels has those of its pods; its own are known only now. */
	if (doc_len(doc_find(obj, "metadata.labels")) == 0 &&
	    doc_find(obj, "spec.template.metadata.labels"))
		(void)strategy_set(c, obj, "metadata.labels",
				   *doc_find(obj, "spec.template.metadata.labels"));
	strategy_trim_pod(doc_find(obj, JOB_TEMPLATE), NULL);
	return 0;
}

static int update_job(struct strategy_call *c, struct doc *obj, const struct doc *old,
		      struct err *err)
{
	(void)err;
	if (!strategy_sub(c, "status"))
		strategy_trim_pod(doc_find(obj, JOB_TEMPLATE), doc_find(old, JOB_TEMPLATE));
	return 0;
}

#define COMPLETIONS_SOFT_MAX 100000
#define PARALLELISM_SOFT_MAX 10000

/* at: the path of the job's spec. */
static void warn_spec(struct strategy_call *c, const struct path *at, const struct doc *spec)
{
	const struct path template = PATH(at, "template");

	if (strategy_is(spec, "completionMode", "Indexed") &&
	    strategy_int(spec, "completions") > COMPLETIONS_SOFT_MAX &&
	    strategy_int(spec, "parallelism") > PARALLELISM_SOFT_MAX)
		strategy_warn_at(c, at,
				 "In Indexed Jobs with a number of completions higher than 10^5 "
				 "and a parallelism higher than 10^4, Kubernetes might not be able "
				 "to track completedIndexes when a big number of indexes fail");
	strategy_warn_pod(c, &template, doc_get(spec, "template"));
}

static void warn_job(struct strategy_call *c, const struct doc *obj, const struct doc *old)
{
	const struct path spec = PATH(NULL, "spec");

	if (strategy_sub(c, "status"))
		return;
	if (!old)
		strategy_warn_pod_name(c, obj, STRATEGY_NAME_IN_PODS);
	if (!old || !strategy_same_at(obj, old, "metadata.generation"))
		warn_spec(c, &spec, doc_get(obj, "spec"));
}

/* ---- cron jobs ---- */

static int create_cron(struct strategy_call *c, struct doc *obj, struct err *err)
{
	(void)c;
	(void)err;
	strategy_trim_pod(doc_find(obj, CRON_TEMPLATE), NULL);
	return 0;
}

static int update_cron(struct strategy_call *c, struct doc *obj, const struct doc *old,
		       struct err *err)
{
	(void)err;
	if (!strategy_sub(c, "status"))
		strategy_trim_pod(doc_find(obj, CRON_TEMPLATE), doc_find(old, CRON_TEMPLATE));
	return 0;
}

static void warn_cron(struct strategy_call *c, const struct doc *obj, const struct doc *old)
{
	const struct path spec = PATH(NULL, "spec"), template = PATH(&spec, "jobTemplate"),
			  job = PATH(&template, "spec");

	if (strategy_sub(c, "status"))
		return;
	if (!old)
		strategy_warn_pod_name(c, obj, STRATEGY_NAME_IN_PODS);
	if (!old || !strategy_same_at(obj, old, "metadata.generation"))
		warn_spec(c, &job, doc_find(obj, "spec.jobTemplate.spec"));
	if (old && slice_has_text(strategy_text(obj, "spec.schedule"), SLICE("TZ")))
		strategy_warn(c, "cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone "
				 "instead, see https://kubernetes.io/docs/concepts/workloads/"
				 "controllers/cron-jobs/ for more details");
}

const struct strategy strategy_batch[] = {
	{ "batch", "jobs", STRATEGY_GENERATION | STRATEGY_ORPHANS, create_job, update_job,
	  .warn = warn_job },
	{ "batch", "cronjobs", STRATEGY_GENERATION, create_cron, update_cron, .warn = warn_cron },
	{ 0 },
};
