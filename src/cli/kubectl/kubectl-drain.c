/* SPDX-License-Identifier: Apache-2.0 */
/* `kubectl drain`: no new pods on a node, and those that are there are evicted. What nothing would
 * start elsewhere stays unless it is asked for. */
#include "cli/kubectl/kubectl-change.h"
#include "cli/kubectl/kubectl-cmds.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"

#define RETRY (5 * NS_PER_SEC)
#define WEEK (7 * 86400 * NS_PER_SEC)
#define MIRROR "kubernetes.io/config.mirror"

struct drain_opts {
	struct change_opts change;
	const char *pods;
	bool empty, direct, force, daemons, grace_given;
	int64_t chunk, grace, skip, time;
};
#define DRAIN_OPT(kind, field, name, help) OPT(struct drain_opts, kind, field, name, 0, help)
static const struct opt drain_opts[] = {
	KUBECTL_DRY_ROW(struct drain_opts, change.dry),
	DRAIN_OPT(INT, chunk, "chunk-size", "Objects of one answer; teu kubectl asks for all"),
	DRAIN_OPT(BOOL, empty, "delete-emptydir-data", "Also pods whose emptyDir is lost by it"),
	DRAIN_OPT(BOOL, direct, "disable-eviction", "Delete pods, whatever budgets say"),
	DRAIN_OPT(BOOL, force, "force", "Also pods that no controller starts anew"),
	OPT_SEEN_AT(struct drain_opts, INT, grace, grace_given, "grace-period", 0,
		    "Seconds that a pod may take to end (default: its own)"),
	DRAIN_OPT(BOOL, daemons, "ignore-daemonsets", "Leave the pods of daemon sets"),
	DRAIN_OPT(STR, pods, "pod-selector", "Only pods with these labels"),
	OPT(struct drain_opts, STR, change.selector, "selector", 'l',
	    "Only nodes with these labels"),
	DRAIN_OPT(INT, skip, "skip-wait-for-delete-timeout",
		  "Leave pods that are being deleted for longer than these seconds"),
	DRAIN_OPT(DURATION, time, "timeout", "Give up after this time, 0 never"),
	OPT_END
};

/* What becomes of a pod. */
enum fate { GOES, STAYS, DAEMON, GOES_UNOWNED, NEEDS_DAEMON_FLAG, NEEDS_EMPTY_FLAG, NEEDS_FORCE };

static const char *const words[] = {
	[DAEMON] = "ignoring DaemonSet-managed Pods",
	[GOES_UNOWNED] = "deleting Pods that declare no controller",
	[NEEDS_DAEMON_FLAG] =
		"cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore)",
	[NEEDS_EMPTY_FLAG] =
		"cannot delete Pods with local storage (use --delete-emptydir-data to override)",
	[NEEDS_FORCE] = ("cannot delete cannot delete Pods that declare no controller (use --force "
			 "to override)"),
};

struct draining {
	struct changing c;
	const struct drain_opts *o;
	struct kubectl_items pods;
	enum fate *fates;
	int64_t end;
};

static const struct doc *controller(const struct doc *pod)
{
	DOC_EACH (r, doc_find(pod, "metadata.ownerReferences"))
		if (doc_true(doc_get(r, "controller")))
			return r;
	return NULL;
}

static bool has_empty_dir(const struct doc *pod)
{
	DOC_EACH (v, doc_find(pod, "spec.volumes"))
		if (doc_get(v, "emptyDir"))
			return true;
	return false;
}

static bool long_gone(const struct drain_opts *o, const struct doc *pod)
{
	struct slice when = doc_slice(doc_find(pod, "metadata.deletionTimestamp"));
	int64_t ns;

	return o->skip > 0 && when.n && clock_parse_rfc3339(when, &ns, NULL) == 0 &&
	       clock_real() - ns > o->skip * NS_PER_SEC;
}

static enum fate fate_of(const struct drain_opts *o, const struct doc *pod)
{
	const struct doc *owner = controller(pod), *phase = doc_find(pod, "status.phase");
	bool over = doc_str_is(phase, "Succeeded") || doc_str_is(phase, "Failed");

	if (long_gone(o, pod))
		return STAYS;
	if (doc_str_is(doc_get(owner, "kind"), "DaemonSet") && !over)
		return o->daemons ? DAEMON : NEEDS_DAEMON_FLAG;
	if (doc_get(doc_find(pod, "metadata.annotations"), MIRROR))
		return STAYS;
	if (has_empty_dir(pod) && !over && !o->empty)
		return NEEDS_EMPTY_FLAG;
	if (!owner && !over)
		return o->force ? GOES_UNOWNED : NEEDS_FORCE;
	return GOES;
}

static bool goes(enum fate f)
{
	return f == GOES || f == GOES_UNOWNED;
}

/* "words: ns/a, ns/b" of all pods with this fate; "" when there are none. */
static const char *names_of(struct draining *d, enum fate f)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1u << 20);

	for (size_t i = 0; i < d->pods.n; i++)
		if (d->fates[i] == f)
			buf_addf(&b, "%s%s/%s", b.n ? ", " : "", d->pods.v[i].space,
				 d->pods.v[i].name);
	return b.n ? arena_printf(d->c.k->arena, "%s: %s", words[f], buf_str(&b)) : "";
}

static int find_pods(struct draining *d, const struct kubectl_item *node, struct err *err)
{
	struct kubectl *k = d->c.k;
	const char *fields = arena_printf(k->arena, "spec.nodeName=%s", node->name);

	d->pods = (struct kubectl_items){ .v = ARENA_NEW(k->arena, struct kubectl_item), .n = 1 };
	if (!fields || !d->pods.v)
		return arena_quota(k->arena, err);
	if (kubectl_find_kind(k, "v1", "Pod", &d->pods.v[0].res, err) < 0 ||
	    kubectl_expand(k, d->o->pods, fields, &d->pods, err) < 0)
		return err_ret(err);
	d->fates = ARENA_ARRAY(k->arena, enum fate, d->pods.n + 1);
	for (size_t i = 0; d->fates && i < d->pods.n; i++)
		d->fates[i] = fate_of(d->o, d->pods.v[i].obj);
	return d->fates ? 0 : arena_quota(k->arena, err);
}

/* ---- one pod ---- */

static int on_gone(void *arg, struct arena *a, const char *type, struct doc *obj, struct err *err)
{
	(void)arg;
	(void)a;
	(void)obj;
	(void)err;
	return strcmp(type, "DELETED") == 0;
}

static int send_away(struct draining *d, const struct kubectl_item *pod, struct err *err)
{
	struct kubectl *k = d->c.k;
	struct doc body = doc_object(), *meta, *options = &body, *got;
	struct kubectl_send s = { .method = d->o->direct ? "DELETE" : "POST",
				  .sub = d->o->direct ? NULL : "eviction",
				  .dry_run = d->o->direct ? NULL : kubectl_dry_word(d->c.dry),
				  .body = &body };

	/* The client waits itself when the server says for how long. */
	if (d->o->time > 0)
		s.time = MAX(d->end - clock_mono(), (int64_t)1);
	if (!d->o->direct) {
		doc_set_str(k->arena, &body, "apiVersion", "policy/v1");
		doc_set_str(k->arena, &body, "kind", "Eviction");
		meta = doc_set_object(k->arena, &body, "metadata");
		doc_set_str(k->arena, meta, "name", pod->name);
		doc_set_str(k->arena, meta, "namespace", pod->space);
		options = doc_set_object(k->arena, &body, "deleteOptions");
	}
	if (d->o->grace_given && d->o->grace >= 0)
		doc_set_int(k->arena, options, "gracePeriodSeconds", d->o->grace);
	if (d->c.dry == DRY_SERVER)
		doc_append_str(k->arena, doc_set_array(k->arena, options, "dryRun"), "All");
	return kubectl_send(k, pod, &s, &got, err);
}

/* A budget says no: it is asked for again, or the pod goes meanwhile. */
static int evict(struct draining *d, const struct kubectl_item *pod, struct err *err)
{
	static const char *const notes[] = {
		[DRY_NONE] = "", [DRY_CLIENT] = " (dry run)", [DRY_SERVER] = " (server dry run)"
	};
	struct kubectl *k = d->c.k;
	int r = 0;

	if (!d->o->direct || d->c.dry != DRY_NONE)
		buf_addf(&k->errors, "%s pod %s/%s%s\n", d->o->direct ? "deleting" : "evicting",
			 pod->space, pod->name, notes[d->c.dry]);
	while (d->c.dry != DRY_CLIENT && r == 0) {
		r = send_away(d, pod, err);
		if (r >= 0)
			return 0;
		if (r == -ERR_NOT_FOUND && client_failure(k->client)) {
			*err = ERR_INIT;
			return 0;
		}
		if (r != -ERR_TIMEOUT &&
		    (r != -ERR_QUOTA || d->o->direct || !client_failure(k->client)))
			return err_wrap(err, "error when evicting pods/\"%s\" -n \"%s\"", pod->name,
					pod->space);
		if (r == -ERR_TIMEOUT || clock_mono() >= d->end)
			return err_set(err, ERR_TIMEOUT,
				       "error when evicting pods/\"%s\" -n \"%s\": global timeout "
				       "reached",
				       pod->name, pod->space);
		buf_addf(&k->errors,
			 "error when evicting pods/\"%s\" -n \"%s\" (will retry after 5s): %s\n",
			 pod->name, pod->space,
			 kubectl_text(k, client_failure(k->client), "message"));
		*err = ERR_INIT;
		r = kubectl_watch_one(k, pod, kubectl_text(k, pod->obj, "metadata.resourceVersion"),
				      MIN(RETRY, MAX(d->end - clock_mono(), 1)), on_gone, NULL,
				      err);
		if (r == -ERR_GONE) {
			*err = ERR_INIT;
			r = 0;
		} else if (r > 0) {
			return 0;
		}
	}
	return r;
}

static int wait_for(struct draining *d, const struct kubectl_item *pod, struct err *err)
{
	int r = kubectl_wait_gone(d->c.k, pod, doc_find(pod->obj, "metadata.uid"), d->end, err);

	if (r == -ERR_TIMEOUT)
		return err_set(err, ERR_TIMEOUT,
			       "error when waiting for pod \"%s\" in namespace \"%s\" to "
			       "terminate: context deadline exceeded",
			       pod->name, pod->space);
	if (r == 0)
		buf_addf(&d->c.k->out, "pod/%s %s\n", pod->name,
			 d->o->direct ? "deleted" : "evicted");
	return r;
}

/* ---- one node ---- */

static int failed(struct draining *d, const struct kubectl_item *node, const char *const *why,
		  size_t n)
{
	struct kubectl *k = d->c.k;

	buf_addf(&k->errors, "error: unable to drain node \"%s\" due to error: %s", node->name,
		 n > 1 ? "[" : "");
	for (size_t i = 0; i < n; i++)
		buf_addf(&k->errors, "%s%s", i ? ", " : "", why[i]);
	buf_addf(&k->errors,
		 "%s, continuing command...\nThere are pending nodes to be drained:\n %s\n",
		 n > 1 ? "]" : "", node->name);
	for (size_t i = 0; i < n; i++)
		buf_addf(&k->errors, "%s\n", why[i]);
	k->failed = true;
	k->first_note = k->errors.n;
	return 0;
}

static int send_all(struct draining *d, const struct kubectl_item *node, struct err *err)
{
	struct kubectl *k = d->c.k;
	const char **why = ARENA_ARRAY(k->arena, const char *, d->pods.n + 1);
	size_t n = 0;

	if (!why)
		return arena_quota(k->arena, err);
	for (int waits = 0; waits < 2; waits++)
		for (size_t i = 0; i < d->pods.n; i++) {
			if (!goes(d->fates[i]) || (waits && d->c.dry != DRY_NONE))
				continue;
			if ((waits ? wait_for(d, &d->pods.v[i], err)
				   : evict(d, &d->pods.v[i], err)) == 0)
				continue;
			d->fates[i] = STAYS;
			why[n++] = arena_strdup(k->arena, err->msg);
			*err = ERR_INIT;
		}
	return n ? failed(d, node, why, n)
		 : kubectl_done(&d->c.print, node->obj, "drained", d->c.dry, err);
}

static int drain_one(void *arg, const struct kubectl_item *node, struct err *err)
{
	static const enum fate refused[] = { NEEDS_FORCE, NEEDS_DAEMON_FLAG, NEEDS_EMPTY_FLAG };
	struct draining *d = arg;
	struct kubectl *k = d->c.k;
	const char *why[ARRAY_LEN(refused)], *unowned, *daemons;
	size_t n = 0;
	int r = find_pods(d, node, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		why[n] = names_of(d, refused[i]);
		n += *why[n] != '\0';
	}
	if (n)
		return failed(d, node, why, n);
	unowned = names_of(d, GOES_UNOWNED);
	daemons = names_of(d, DAEMON);
	if (*unowned || *daemons)
		buf_addf(&k->errors, "Warning: %s%s%s\n", unowned, *unowned && *daemons ? "; " : "",
			 daemons);
	kubectl_show(k);
	return send_all(d, node, err);
}

static int drain_run(struct cmd_call *call, struct err *err)
{
	struct draining d = { .o = call->opts };
	struct kubectl_items nodes;
	struct kubectl_send get = { 0 };
	int r = change_prepare(call, &d.o->change, "kubectl-drain", &d.c, err);

	if (r == 0)
		r = node_items(call, "drain", d.o->change.selector, &nodes, err);
	/* All are cordoned first: no pod moves from one to the next. */
	for (size_t i = 0; i < nodes.n && r == 0; i++) {
		r = node_cordon(&d.c, &nodes.v[i], true, err);
		if (r == 0)
			r = kubectl_send(d.c.k, &nodes.v[i], &get, &nodes.v[i].obj, err);
	}
	d.end = clock_mono() + (d.o->time > 0 ? d.o->time : WEEK);
	return r == 0 ? kubectl_each(d.c.k, &nodes, drain_one, &d, err) : r;
}

const struct cmd kubectl_drain = {
	.path = "drain",
	.args = "NODE... | -l LABELS [OPTIONS]",
	.help = "Evict the pods of a node, and let none come",
	.opts = drain_opts,
	.opts_size = sizeof(struct drain_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_CLUSTER,
	.run = drain_run,
};
