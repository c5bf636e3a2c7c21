/* SPDX-License-Identifier: Apache-2.0 */
/* Pods: one word for what phase, conditions and the states of all containers say together. */
#include "apiserver/objects/columns-cell.h"
#include "apiserver/objects/columns-private.h"

#include "base/arena.h"
#include "doc/doc.h"

struct pod {
	struct cells *c;
	const struct doc *spec, *status, *conditions;
	struct slice reason;
	int64_t restarts, last; /* when one was restarted last: nanoseconds */
	int64_t ready, total;
	int64_t sidecar_restarts, sidecar_last;
	bool initializing;
};

static struct slice in_arena(struct pod *p, const char *text)
{
	return slice_str(text ? text : (arena_exceeded(p->c->a), ""));
}

static void later(int64_t *last, const struct doc *status)
{
	int64_t at = cell_time(doc_find(status, "lastState.terminated.finishedAt"));

	if (at != CLOCK_ZERO && at > *last)
		*last = at;
}

/* "Error", or what a process without a reason ended with: "Signal:9", "ExitCode:1". */
static struct slice ended(struct pod *p, const char *prefix, const struct doc *terminated)
{
	struct slice reason = cell_get(terminated, "reason");
	int64_t signal = cell_get_int(terminated, "signal");
	const char *text;

	if (reason.n && !*prefix)
		return reason;
	if (reason.n)
		text = arena_printf(p->c->a, "%s%.*s", prefix, (int)reason.n, reason.p);
	else if (signal)
		text = arena_printf(p->c->a, "%sSignal:%lld", prefix, (long long)signal);
	else
		text = arena_printf(p->c->a, "%sExitCode:%lld", prefix,
				    (long long)cell_get_int(terminated, "exitCode"));
	return in_arena(p, text);
}

/* ---- init containers ---- */

static bool is_sidecar(const struct doc *container)
{
	return doc_str_is(doc_get(container, "restartPolicy"), "Always");
}

/* The init container that a status is of, when it goes on to run beside the others. */
static bool of_sidecar(const struct pod *p, const struct doc *status)
{
	const struct doc *found = NULL;

	DOC_EACH (it, doc_get(p->spec, "initContainers"))
		if (slice_eq(cell_get(it, "name"), cell_get(status, "name")))
			found = it;
	return is_sidecar(found);
}

/* True: this one is done, the next may tell more. */
static bool init_status(struct pod *p, const struct doc *status, size_t i)
{
	const struct doc *terminated = doc_find(status, "state.terminated");
	struct slice waiting = cell_get(status, "state.waiting.reason");
	int64_t restarts = cell_get_int(status, "restartCount");
	bool sidecar = of_sidecar(p, status);

	p->restarts += restarts;
	later(&p->last, status);
	if (sidecar) {
		p->sidecar_restarts += restarts;
		later(&p->sidecar_last, status);
	}
	if (doc_is(terminated, DOC_OBJECT) && cell_get_int(terminated, "exitCode") == 0)
		return true;
	if (sidecar && doc_true(doc_get(status, "started"))) {
		p->ready += doc_true(doc_get(status, "ready"));
		return true;
	}
	p->initializing = true;
	if (doc_is(terminated, DOC_OBJECT))
		p->reason = ended(p, "Init:", terminated);
	else if (waiting.n && !slice_is(waiting, "PodInitializing"))
		p->reason =
			in_arena(p, arena_printf(p->c->a, "Init:%.*s", (int)waiting.n, waiting.p));
	else
		p->reason = in_arena(p, arena_printf(p->c->a, "Init:%zu/%zu", i,
						     doc_len(doc_get(p->spec, "initContainers"))));
	return false;
}

static void init_containers(struct pod *p)
{
	size_t i = 0;

	DOC_EACH (it, doc_get(p->spec, "initContainers"))
		p->total += is_sidecar(it);
	DOC_EACH (it, doc_get(p->status, "initContainerStatuses"))
		if (!init_status(p, it, i++))
			return;
}

/* ---- the others ---- */

/* From the last to the first: the first one that says something has the last word. */
static void containers(struct pod *p)
{
	const struct doc *list = doc_get(p->status, "containerStatuses");
	struct slice failed = { NULL, 0 };
	bool running = false;

	p->restarts = p->sidecar_restarts;
	p->last = p->sidecar_last;
	for (size_t i = doc_len(list); i-- > 0;) {
		const struct doc *it = doc_at(list, i), *state = doc_get(it, "state");
		const struct doc *terminated = doc_get(state, "terminated");
		struct slice waiting = cell_get(state, "waiting.reason");

		p->restarts += cell_get_int(it, "restartCount");
		later(&p->last, it);
		if (waiting.n) {
			p->reason = waiting;
		} else if (doc_is(terminated, DOC_OBJECT)) {
			p->reason = ended(p, "", terminated);
			if (cell_get_int(terminated, "exitCode") != 0)
				failed = p->reason;
		} else if (doc_true(doc_get(it, "ready")) && cell_is_set(state, "running")) {
			running = true;
			p->ready++;
		}
	}
	if (!slice_is(p->reason, "Completed"))
		return;
	if (running && cell_condition_true(p->conditions, "Ready"))
		p->reason = SLICE("Running");
	else if (failed.n)
		p->reason = failed;
	else if (running)
		p->reason = SLICE("NotReady");
}

/* ---- the whole ---- */

static bool is_gated(const struct doc *conditions)
{
	DOC_EACH (it, conditions)
		if (doc_str_is(doc_get(it, "type"), "PodScheduled") &&
		    doc_str_is(doc_get(it, "reason"), "SchedulingGated"))
			return true;
	return false;
}

static void deletion(struct pod *p, struct slice phase)
{
	if (!cell_is_set(p->c->obj, "metadata.deletionTimestamp"))
		return;
	if (doc_str_is(doc_get(p->status, "reason"), "NodeLost"))
		p->reason = SLICE("Unknown");
	else if (!slice_is(phase, "Failed") && !slice_is(phase, "Succeeded"))
		p->reason = SLICE("Terminating");
}

static void completed(struct cells *c, struct slice phase)
{
	bool good = slice_is(phase, "Succeeded");
	struct doc *it;

	if (!good && !slice_is(phase, "Failed"))
		return;
	*c->conditions = doc_array();
	it = doc_append_object(c->a, c->conditions);
	doc_set_str(c->a, it, "type", "Completed");
	doc_set_str(c->a, it, "status", "True");
	doc_set_strn(c->a, it, "reason", phase.p, phase.n);
	doc_set_str(c->a, it, "message",
		    good ? "The pod has completed successfully." : "The pod failed.");
}

static void restarts(struct pod *p)
{
	char out[32];

	if (p->restarts && p->last != CLOCK_ZERO)
		cell_printf(p->c, "%lld (%s ago)", (long long)p->restarts,
			    cell_since(p->c, p->last, out));
	else
		cell_printf(p->c, "%lld", (long long)p->restarts);
}

static void gates(struct pod *p)
{
	const struct doc *list = doc_get(p->spec, "readinessGates");
	size_t good = 0;

	if (doc_len(list) == 0) {
		cell_word(p->c, CELL_NONE);
		return;
	}
	DOC_EACH (it, list) {
		const char *type = doc_cstr(p->c->a, doc_get(it, "conditionType"));

		good += type && cell_condition_true(p->conditions, type);
	}
	cell_printf(p->c, "%zu/%zu", good, doc_len(list));
}

void columns_pod(struct cells *c)
{
	const struct doc *spec = doc_get(c->obj, "spec"), *status = doc_get(c->obj, "status");
	struct pod p = { .c = c,
			 .spec = spec,
			 .status = status,
			 .conditions = doc_get(status, "conditions"),
			 .last = CLOCK_ZERO,
			 .sidecar_last = CLOCK_ZERO,
			 .total = (int64_t)doc_len(doc_get(spec, "containers")) };
	struct slice phase = cell_get(status, "phase"), ip = cell_get(status, "podIP");

	p.reason = cell_get(status, "reason");
	if (p.reason.n == 0)
		p.reason = phase;
	if (is_gated(p.conditions))
		p.reason = SLICE("SchedulingGated");
	completed(c, phase);
	init_containers(&p);
	if (!p.initializing || cell_condition_true(p.conditions, "Initialized"))
		containers(&p);
	deletion(&p, phase);

	cell_name(c);
	cell_printf(c, "%lld/%lld", (long long)p.ready, (long long)p.total);
	cell_text(c, p.reason);
	restarts(&p);
	cell_age(c);
	cell_or(c, ip.n ? ip : cell_get(status, "podIPs.0.ip"), CELL_NONE);
	cell_or(c, cell_get(spec, "nodeName"), CELL_NONE);
	cell_or(c, cell_get(status, "nominatedNodeName"), CELL_NONE);
	gates(&p);
}

void columns_pod_template(struct cells *c)
{
	cell_name(c);
	cell_containers(c, doc_find(c->obj, "template.spec.containers"));
	cell_labels(c, doc_find(c->obj, "template.metadata.labels"));
}
