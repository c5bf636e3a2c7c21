/* SPDX-License-Identifier: Apache-2.0 */
/* What runs pods: sets, deployments, jobs, and the budgets of their disruption. */
#include "apiserver/objects/columns-cell.h"
#include "apiserver/objects/columns-private.h"

#include "apiserver/objects/columns.h"
#include "doc/doc.h"

#define TEMPLATE "spec.template.spec.containers"

static void replicas(struct cells *c)
{
	cell_name(c);
	cell_number(c, "spec.replicas");
	cell_number(c, "status.replicas");
	cell_number(c, "status.readyReplicas");
	cell_age(c);
	cell_containers(c, doc_find(c->obj, TEMPLATE));
}

void columns_replicas(struct cells *c)
{
	replicas(c);
	cell_selector(c, doc_find(c->obj, "spec.selector"));
}

/* Its selector is a map of labels. */
void columns_replication_controller(struct cells *c)
{
	replicas(c);
	cell_labels(c, doc_find(c->obj, "spec.selector"));
}

void columns_scale_row(struct cells *c)
{
	cell_name(c);
	cell_number(c, "spec.replicas");
	cell_number(c, "status.replicas");
	cell_age(c);
}

void columns_daemon_set(struct cells *c)
{
	static const char *const counts[] = { "status.desiredNumberScheduled",
					      "status.currentNumberScheduled", "status.numberReady",
					      "status.updatedNumberScheduled",
					      "status.numberAvailable" };

	cell_name(c);
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		cell_number(c, counts[i]);
	cell_labels(c, doc_find(c->obj, "spec.template.spec.nodeSelector"));
	cell_age(c);
	cell_containers(c, doc_find(c->obj, TEMPLATE));
	cell_selector(c, doc_find(c->obj, "spec.selector"));
}

static void ready(struct cells *c)
{
	cell_name(c);
	cell_printf(c, "%lld/%lld", (long long)cell_get_int(c->obj, "status.readyReplicas"),
		    (long long)cell_get_int(c->obj, "spec.replicas"));
}

void columns_deployment(struct cells *c)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(CELL_MAX);

	ready(c);
	cell_number(c, "status.updatedReplicas");
	cell_number(c, "status.availableReplicas");
	cell_age(c);
	cell_containers(c, doc_find(c->obj, TEMPLATE));
	/* Other words than elsewhere for what selects nothing, and for what is no selector. */
	if (cell_print_selector(c, doc_find(c->obj, "spec.selector"), &b))
		cell_buf(c, &b, NULL);
	else
		cell_word(c, "<invalid>");
}

void columns_stateful_set(struct cells *c)
{
	ready(c);
	cell_age(c);
	cell_containers(c, doc_find(c->obj, TEMPLATE));
}

void columns_controller_revision(struct cells *c)
{
	const struct doc *owner = NULL;

	DOC_EACH (it, doc_find(c->obj, "metadata.ownerReferences"))
		if (!owner && doc_true(doc_get(it, "controller")))
			owner = it;
	cell_name(c);
	if (!owner) {
		cell_word(c, CELL_NONE);
	} else { /* "statefulset.apps/web" */
		CLEANUP(buf_fini) struct buf b = BUF_INIT(CELL_MAX);
		struct slice group = cell_get(owner, "apiVersion"), kind = cell_get(owner, "kind");
		struct slice name = cell_get(owner, "name");
		bool core = !slice_has(group, '/');

		group = slice_split(&group, '/');
		(void)buf_add(&b, kind.p, kind.n);
		if (!core) {
			(void)buf_addc(&b, '.');
			(void)buf_add(&b, group.p, group.n);
		}
		cell_lower(&b);
		(void)buf_addc(&b, '/');
		(void)buf_add(&b, name.p, name.n);
		cell_buf(c, &b, NULL);
	}
	cell_number(c, "revision");
	cell_age(c);
}

/* ---- jobs ---- */

static void completions(struct cells *c)
{
	long long done = cell_get_int(c->obj, "status.succeeded");
	long long parallel = cell_get_int(c->obj, "spec.parallelism");

	if (cell_is_set(c->obj, "spec.completions"))
		cell_printf(c, "%lld/%lld", done,
			    (long long)cell_get_int(c->obj, "spec.completions"));
	else if (parallel > 1)
		cell_printf(c, "%lld/1 of %lld", done, parallel);
	else
		cell_printf(c, "%lld/1", done);
}

static void job_time(struct cells *c)
{
	int64_t begin = cell_time(doc_find(c->obj, "status.startTime"));
	int64_t end = cell_time(doc_find(c->obj, "status.completionTime"));
	char out[32];

	if (begin == CLOCK_ZERO)
		cell_word(c, "");
	else if (end == CLOCK_ZERO)
		cell_word(c, cell_since(c, begin, out));
	else
		cell_word(c, columns_age(end / NS_PER_SEC - begin / NS_PER_SEC, out, sizeof(out)));
}

void columns_job(struct cells *c)
{
	/* The first that is so; a deletion comes behind what is final. */
	static const char *const words[][2] = { { "Complete", "Complete" },
						{ "Failed", "Failed" },
						{ NULL, "Terminating" },
						{ "Suspended", "Suspended" },
						{ "FailureTarget", "FailureTarget" },
						{ "SuccessCriteriaMet", "SuccessCriteriaMet" } };
	const struct doc *conditions = doc_find(c->obj, "status.conditions");
	const char *word = "Running";

	for (size_t i = ARRAY_LEN(words); i-- > 0;)
		if (words[i][0] ? cell_condition_true(conditions, words[i][0])
				: cell_is_set(c->obj, "metadata.deletionTimestamp"))
			word = words[i][1];
	cell_name(c);
	cell_word(c, word);
	completions(c);
	job_time(c);
	cell_age(c);
	cell_containers(c, doc_find(c->obj, TEMPLATE));
	cell_selector(c, doc_find(c->obj, "spec.selector"));
}

void columns_cron_job(struct cells *c)
{
	const struct doc *suspend = doc_find(c->obj, "spec.suspend");
	char out[32];

	cell_name(c);
	cell_path(c, "spec.schedule");
	cell_path_or(c, "spec.timeZone", CELL_NONE);
	cell_word(c, !doc_is(suspend, DOC_BOOL) ? CELL_UNSET
		     : doc_true(suspend)	? "True"
						: "False");
	cell_count(c, "status.active");
	if (cell_is_set(c->obj, "status.lastScheduleTime"))
		cell_word(c, cell_since(c, cell_time(doc_find(c->obj, "status.lastScheduleTime")),
					out));
	else
		cell_word(c, CELL_NONE);
	cell_age(c);
	cell_containers(c, doc_find(c->obj, "spec.jobTemplate.spec.template.spec.containers"));
	cell_selector(c, doc_find(c->obj, "spec.jobTemplate.spec.selector"));
}

/* ---- disruption ---- */

static void count_or_share(struct cells *c, const char *path)
{
	const struct doc *v = doc_find(c->obj, path);

	if (doc_is(v, DOC_NUMBER))
		cell_printf(c, "%.*s", (int)v->n, v->s);
	else
		cell_path_or(c, path, "N/A");
}

void columns_disruption_budget(struct cells *c)
{
	cell_name(c);
	count_or_share(c, "spec.minAvailable");
	count_or_share(c, "spec.maxUnavailable");
	cell_number(c, "status.disruptionsAllowed");
	cell_age(c);
}
