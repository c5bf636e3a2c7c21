/* SPDX-License-Identifier: Apache-2.0 */
/* `kubectl rollout pause|resume|restart|status`: how a change of a workload goes on. */
#include "cli/kubectl/kubectl-change.h"
#include "cli/kubectl/kubectl-cmds.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"

#define RESTARTED "kubectl.kubernetes.io/restartedAt"

/* Types alone mean all of them here. */
int rollout_items(struct cmd_call *call, const struct change_opts *o, struct kubectl_items *ret,
		  struct err *err)
{
	struct kubectl *k = kubectl_of(call);
	int r;

	if (!call->nargs && !o->files.names.n)
		return err_set(err, ERR_BAD_REQUEST, "required resource not specified");
	r = change_items(call, o, 0, ret, err);
	if (r == 0 && !ret->n)
		buf_addf(&k->errors, "No resources found in %s namespace.\n", k->conf.space);
	return r;
}

/* ---- pause, resume, restart ---- */

struct rollout_opts {
	struct change_opts change;
};
static const struct opt rollout_opts[] = {
	CHANGE_ROWS(struct rollout_opts, change, "kubectl-rollout"), OPT_END
};

static int refuse(struct kubectl *k, const struct kubectl_item *it, const char *why,
		  struct err *err)
{
	(void)k;
	/* kubectl puts "error: " in front of each of these, and drops it among several */
	return err_set(err, ERR_INVALID, "%s%s%s \"%s\" %s", it->res->name,
		       *it->res->group ? "." : "", it->res->group, it->name, why);
}

static bool is_one(const struct kubectl_item *it, const char *const *kinds)
{
	return strcmp(it->res->group, "apps") == 0 && str_is_one_of(it->res->kind, kinds);
}

static int set_paused(struct changing *c, const struct kubectl_item *it, struct doc *obj, bool on,
		      struct err *err)
{
	static const char *const kinds[] = { "Deployment", NULL };
	struct doc *spec = doc_get(obj, "spec");

	if (!is_one(it, kinds))
		return refuse(c->k, it,
			      on ? "pausing is not supported" : "resuming is not supported", err);
	if (doc_true(doc_get(spec, "paused")) == on)
		return refuse(c->k, it, on ? "is already paused" : "is not paused", err);
	if (on)
		doc_set_bool(c->k->arena, spec, "paused", true);
	else
		doc_remove(spec, "paused");
	return 0;
}

static int on_pause(void *arg, const struct kubectl_item *it, struct doc *obj, struct err *err)
{
	return set_paused(arg, it, obj, true, err);
}

static int on_resume(void *arg, const struct kubectl_item *it, struct doc *obj, struct err *err)
{
	return set_paused(arg, it, obj, false, err);
}

static int on_restart(void *arg, const struct kubectl_item *it, struct doc *obj, struct err *err)
{
	static const char *const kinds[] = { "Deployment", "DaemonSet", "StatefulSet", NULL };
	struct changing *c = arg;
	char now[CLOCK_TEXT_MAX];
	struct doc *notes;

	if (!is_one(it, kinds))
		return refuse(c->k, it, "restarting is not supported", err);
	if (doc_true(doc_find(obj, "spec.paused")))
		return refuse(c->k, it,
			      "can't restart paused deployment (run rollout resume first)", err);
	notes = change_member(c->k, change_member(c->k, change_template(obj), "metadata"),
			      "annotations");
	clock_rfc3339nano(now, clock_real() / NS_PER_SEC * NS_PER_SEC);
	if (doc_str_is(doc_get(notes, RESTARTED), now))
		return err_set(err, ERR_CONFLICT,
			       "failed to create patch for %s: if restart has already been "
			       "triggered within the past second, please wait before attempting to "
			       "trigger another",
			       it->name);
	doc_set_str(c->k->arena, notes, RESTARTED, now);
	return 0;
}

static int rollout_change(struct cmd_call *call, const char *done,
			  int (*fn)(void *arg, const struct kubectl_item *it, struct doc *obj,
				    struct err *err),
			  struct err *err)
{
	const struct rollout_opts *o = call->opts;
	struct changing c = { .done = done, .failed = "failed to patch:", .fn = fn, .arg = &c };
	struct kubectl_items items;
	int r = change_prepare(call, &o->change, "kubectl-rollout", &c, err);

	if (r == 0)
		r = rollout_items(call, &o->change, &items, err);
	return r == 0 ? change_each(&c, &items, err) : r;
}

static int pause_run(struct cmd_call *call, struct err *err)
{
	return rollout_change(call, "paused", on_pause, err);
}

static int resume_run(struct cmd_call *call, struct err *err)
{
	return rollout_change(call, "resumed", on_resume, err);
}

static int restart_run(struct cmd_call *call, struct err *err)
{
	return rollout_change(call, "restarted", on_restart, err);
}

#define ROLLOUT_CMD(word, what, fn)                                                           \
	{                                                                                     \
		.path = "rollout " word, .args = "TYPE NAME|TYPE/NAME|-f FILE [OPTIONS]",     \
		.help = what, .opts = rollout_opts, .opts_size = sizeof(struct rollout_opts), \
		.max = UINT8_MAX, .group = KUBECTL_CLUSTER, .run = fn                         \
	}
const struct cmd kubectl_rollout_pause =
	ROLLOUT_CMD("pause", "Let a deployment be as it is", pause_run);
const struct cmd kubectl_rollout_restart =
	ROLLOUT_CMD("restart", "Start all pods of a workload anew", restart_run);
const struct cmd kubectl_rollout_resume =
	ROLLOUT_CMD("resume", "Let a paused deployment go on", resume_run);

/* ---- status ---- */

struct status_opts {
	struct kubectl_files files;
	const char *selector;
	int64_t revision, time;
	bool watch, watch_given;
};
static const struct opt status_opts[] = {
	KUBECTL_FILE_ROWS(struct status_opts),
	OPT(struct status_opts, INT, revision, "revision", 0, "Fail unless it is this revision"),
	OPT(struct status_opts, STR, selector, "selector", 'l', "Only objects with these labels"),
	OPT(struct status_opts, DURATION, time, "timeout", 0, "Give up after this time"),
	OPT_SEEN_AT(struct status_opts, BOOL, watch, watch_given, "watch", 'w',
		    "Until it is done (default true)"),
	OPT_END
};

struct following {
	struct kubectl *k;
	const struct status_opts *o;
	const struct kubectl_item *it;
	bool watch;
};

static long long number(const struct doc *obj, const char *path)
{
	int64_t n = 0;

	doc_int64(doc_find(obj, path), &n);
	return n;
}

static bool observed(const struct doc *obj)
{
	return number(obj, "metadata.generation") <= number(obj, "status.observedGeneration");
}

long long rollout_revision(const struct doc *obj)
{
	struct slice text =
		doc_slice(doc_get(doc_find(obj, "metadata.annotations"), ROLLOUT_REVISION));
	int64_t n = 0;

	return str_int64(text, &n, NULL) == 0 ? n : 0;
}

/* Each says how far it is: 1 done, 0 not yet, or an error. */
static int deployment_status(struct following *f, const struct doc *obj, struct err *err)
{
	struct buf *out = &f->k->out;
	const char *name = f->it->name;
	long long want = number(obj, "spec.replicas"), updated, all, ready;
	long long now = rollout_revision(obj);

	if (f->o->revision > 0 && now != f->o->revision)
		return err_set(err, ERR_CONFLICT,
			       "desired revision (%lld) is different from the running revision "
			       "(%lld)",
			       (long long)f->o->revision, now);
	if (!observed(obj)) {
		buf_adds(out, "Waiting for deployment spec update to be observed...\n");
		return 0;
	}
	DOC_EACH (c, doc_find(obj, "status.conditions"))
		if (doc_str_is(doc_get(c, "type"), "Progressing") &&
		    doc_str_is(doc_get(c, "reason"), "ProgressDeadlineExceeded"))
			return err_set(err, ERR_TIMEOUT,
				       "deployment \"%s\" exceeded its progress deadline", name);
	updated = number(obj, "status.updatedReplicas");
	all = number(obj, "status.replicas");
	ready = number(obj, "status.availableReplicas");
	if (updated < want)
		buf_addf(out,
			 "Waiting for deployment \"%s\" rollout to finish: %lld out of %lld new "
			 "replicas have been updated...\n",
			 name, updated, want);
	else if (all > updated)
		buf_addf(out,
			 "Waiting for deployment \"%s\" rollout to finish: %lld old replicas are "
			 "pending termination...\n",
			 name, all - updated);
	else if (ready < updated)
		buf_addf(out,
			 "Waiting for deployment \"%s\" rollout to finish: %lld of %lld updated "
			 "replicas are available...\n",
			 name, ready, updated);
	else {
		buf_addf(out, "deployment \"%s\" successfully rolled out\n", name);
		return 1;
	}
	return 0;
}

static int only_rolling(const struct doc *obj, struct err *err)
{
	if (doc_str_is(doc_find(obj, "spec.updateStrategy.type"), "RollingUpdate"))
		return 0;
	return err_set(err, ERR_UNSUPPORTED,
		       "rollout status is only available for RollingUpdate strategy type");
}

static int daemon_status(struct following *f, const struct doc *obj, struct err *err)
{
	long long want = number(obj, "status.desiredNumberScheduled"),
		  updated = number(obj, "status.updatedNumberScheduled"),
		  ready = number(obj, "status.numberAvailable");
	struct buf *out = &f->k->out;

	if (only_rolling(obj, err) < 0)
		return err_ret(err);
	if (!observed(obj))
		buf_adds(out, "Waiting for daemon set spec update to be observed...\n");
	else if (updated < want)
		buf_addf(out,
			 "Waiting for daemon set \"%s\" rollout to finish: %lld out of %lld new "
			 "pods have been updated...\n",
			 f->it->name, updated, want);
	else if (ready < want)
		buf_addf(out,
			 "Waiting for daemon set \"%s\" rollout to finish: %lld of %lld updated "
			 "pods are available...\n",
			 f->it->name, ready, want);
	else {
		buf_addf(out, "daemon set \"%s\" successfully rolled out\n", f->it->name);
		return 1;
	}
	return 0;
}

static int stateful_status(struct following *f, const struct doc *obj, struct err *err)
{
	const struct doc *rolling = doc_find(obj, "spec.updateStrategy.rollingUpdate");
	long long want = number(obj, "spec.replicas"),
		  updated = number(obj, "status.updatedReplicas"),
		  part = number(rolling, "partition");
	struct buf *out = &f->k->out;

	if (only_rolling(obj, err) < 0)
		return err_ret(err);
	if (!number(obj, "status.observedGeneration") || !observed(obj)) {
		buf_adds(out, "Waiting for statefulset spec update to be observed...\n");
		return 0;
	}
	if (number(obj, "status.readyReplicas") < want) {
		buf_addf(out, "Waiting for %lld pods to be ready...\n",
			 want - number(obj, "status.readyReplicas"));
		return 0;
	}
	if (rolling && doc_get(rolling, "partition") && updated < want - part) {
		buf_addf(out,
			 "Waiting for partitioned roll out to finish: %lld out of %lld new pods "
			 "have been updated...\n",
			 updated, want - part);
		return 0;
	}
	if (rolling) {
		buf_addf(out, "partitioned roll out complete: %lld new pods have been updated...\n",
			 updated);
		return 1;
	}
	if (!doc_equal(doc_find(obj, "status.updateRevision"),
		       doc_find(obj, "status.currentRevision"))) {
		buf_addf(out,
			 "waiting for statefulset rolling update to complete %lld pods at revision "
			 "%s...\n",
			 updated, kubectl_text(f->k, obj, "status.updateRevision"));
		return 0;
	}
	buf_addf(out, "statefulset rolling update complete %lld pods at revision %s...\n",
		 number(obj, "status.currentReplicas"),
		 kubectl_text(f->k, obj, "status.currentRevision"));
	return 1;
}

/* 1: nothing more is to be waited for. What was said goes out at once. */
static int look(struct following *f, const struct doc *obj, struct err *err)
{
	const char *kind = f->it->res->kind;
	int r = strcmp(kind, "Deployment") == 0	 ? deployment_status(f, obj, err)
		: strcmp(kind, "DaemonSet") == 0 ? daemon_status(f, obj, err)
						 : stateful_status(f, obj, err);

	if (r < 0 || kubectl_flush(f->k, err) < 0)
		return err_ret(err);
	return r || !f->watch;
}

static int on_event(void *arg, struct arena *a, const char *type, struct doc *obj, struct err *err)
{
	(void)a;
	if (strcmp(type, "DELETED") == 0)
		return err_set(err, ERR_NOT_FOUND, "object has been deleted");
	return look(arg, obj, err);
}

static int follow(struct following *f, struct err *err)
{
	static const char *const kinds[] = { "Deployment", "DaemonSet", "StatefulSet", NULL };
	int64_t end = f->o->time > 0 ? clock_mono() + f->o->time : INT64_MAX;
	struct kubectl_send get = { 0 };
	struct doc *obj;
	int r = 0;

	if (!is_one(f->it, kinds))
		return err_set(err, ERR_UNSUPPORTED, "no status viewer has been implemented for %s",
			       f->it->res->kind);
	while (r == 0) {
		int64_t left = end == INT64_MAX ? 0 : end - clock_mono();

		r = kubectl_send(f->k, f->it, &get, &obj, err);
		if (r == 0)
			r = look(f, obj, err);
		if (r == 0 && end != INT64_MAX && left <= 0)
			return err_set(err, ERR_TIMEOUT, "timed out waiting for the condition");
		if (r == 0)
			r = kubectl_watch_one(f->k, f->it,
					      kubectl_text(f->k, obj, "metadata.resourceVersion"),
					      left, on_event, f, err);
		/* History that is over is looked at anew. */
		if (r == -ERR_GONE) {
			*err = ERR_INIT;
			r = 0;
		} else if (r == 0 && end != INT64_MAX && clock_mono() >= end) {
			return err_set(err, ERR_TIMEOUT, "timed out waiting for the condition");
		}
	}
	return r < 0 ? r : 0;
}

static int status_run(struct cmd_call *call, struct err *err)
{
	const struct status_opts *o = call->opts;
	struct change_opts co = { .files = o->files, .selector = o->selector };
	struct following f = { .k = kubectl_of(call),
			       .o = o,
			       .watch = !o->watch_given || o->watch };
	struct kubectl_items items;
	int r;

	if (o->revision < 0)
		return err_set(err, ERR_INVALID, "revision must be a positive integer: %lld",
			       (long long)o->revision);
	r = rollout_items(call, &co, &items, err);
	for (size_t i = 0; i < items.n && r == 0; i++) {
		f.it = &items.v[i];
		r = follow(&f, err);
	}
	return r;
}

const struct cmd kubectl_rollout_status = {
	.path = "rollout status",
	.args = "TYPE NAME|TYPE/NAME|-f FILE [OPTIONS]",
	.help = "Wait until a change has reached all pods",
	.opts = status_opts,
	.opts_size = sizeof(struct status_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_CLUSTER,
	.run = status_run,
};
