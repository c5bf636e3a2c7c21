/* SPDX-License-Identifier: Apache-2.0 */
/* `kubectl run`: one pod, and a service in front of it. */
#include "cli/kubectl/kubectl-cmds.h"
#include "cli/kubectl/kubectl-make.h"

#include "api/check.h"
#include "base/arena.h"
#include "base/err.h"
#include "expr/regex.h"

static const struct make_kind pod_kind = { "v1", "Pod", "pods", true, NULL };
static const struct make_kind service_kind = { "v1", "Service", "services", true, NULL };

struct run_opts {
	struct make_flags make;
	struct opt_list notes, envs;
	const char *image, *pull, *labels, *over, *over_type, *port, *restart;
	bool command, expose, privileged, quiet, rm, tty;
};
#define RUN_OPT(kind, field, name, letter, help) \
	OPT(struct run_opts, kind, field, name, letter, help)
static const struct opt run_opts[] = {
	MAKE_ROWS_BY(struct run_opts, "kubectl-run"),
	RUN_OPT(LIST, notes, "annotations", 0, "KEY=VALUE; repeated"),
	OPT_NOT_SUPPORTED(BOOL, "attach", 0, "teu kubectl has no attach yet"),
	OPT_NOT_SUPPORTED(STR, "cascade", 0, "it goes with --rm"),
	RUN_OPT(BOOL, command, "command", 0,
		"Words behind the name are the command, not arguments"),
	RUN_OPT(LIST, envs, "env", 0, "NAME=VALUE; repeated"),
	RUN_OPT(BOOL, expose, "expose", 0, "Also a service, on --port"),
	OPT_NOT_SUPPORTED(LIST, "filename", 'f', "it goes with --rm"),
	OPT_NOT_SUPPORTED(BOOL, "force", 0, "it goes with --rm"),
	OPT_NOT_SUPPORTED(INT, "grace-period", 0, "it goes with --rm"),
	RUN_OPT(STR, image, "image", 0, "The image"),
	RUN_OPT(STR, pull, "image-pull-policy", 0, "Always, IfNotPresent, Never"),
	OPT_NOT_SUPPORTED(STR, "kustomize", 'k', "there is no kustomize in teu kubectl yet"),
	RUN_OPT(STR, labels, "labels", 'l', "KEY=VALUE,... (default run=NAME)"),
	OPT_NOT_SUPPORTED(BOOL, "leave-stdin-open", 0, "it goes with --stdin"),
	RUN_OPT(STR, over_type, "override-type", 0, "json, merge (default) or strategic"),
	RUN_OPT(STR, over, "overrides", 0, "JSON that is put over the object"),
	OPT_NOT_SUPPORTED(DURATION, "pod-running-timeout", 0, "it goes with --attach"),
	RUN_OPT(STR, port, "port", 0, "The port of the container"),
	RUN_OPT(BOOL, privileged, "privileged", 0, "The container is privileged"),
	RUN_OPT(BOOL, quiet, "quiet", 'q', "No questions are asked (none ever are)"),
	OPT_NOT_SUPPORTED(BOOL, "recursive", 'R', "it goes with --filename"),
	RUN_OPT(STR, restart, "restart", 0, "Always (default), OnFailure, Never"),
	RUN_OPT(BOOL, rm, "rm", 0,
		"Delete it behind an attached run; teu kubectl has no attach yet"),
	OPT_NOT_SUPPORTED(BOOL, "stdin", 'i', "teu kubectl has no attach yet"),
	OPT_NOT_SUPPORTED(DURATION, "timeout", 0, "it goes with --rm"),
	RUN_OPT(BOOL, tty, "tty", 't', "A terminal; goes with --stdin, which is not there yet"),
	OPT_NOT_SUPPORTED(BOOL, "wait", 0, "it goes with --rm"),
	OPT_END
};

static bool full(const char *s)
{
	return s && *s;
}

/* distribution/reference, its grammar: [domain/]path[:tag][@digest]. */
static int check_image(struct kubectl *k, const char *image, struct err *err)
{
#define HOST "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
#define PART "[a-z0-9]+(?:(?:[.]|_|__|[-]+)[a-z0-9]+)*"
	static const char grammar[] =
		"^(?:(?:" HOST "(?:[.]" HOST ")*|[[](?:[a-fA-F0-9:]+)[]])(?::[0-9]+)?/)?" PART
		"(?:/" PART ")*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
		"(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?$";
	const struct regex *re;

	if (regex_compile(SLICE(grammar), k->arena, &re, err) < 0)
		return err_ret(err);
	if (!regex_match(re, slice_str(image)))
		return err_set(err, ERR_INVALID,
			       "Invalid image name \"%s\": invalid reference format", image);
	return 0;
}

static int check_words(struct kubectl *k, const struct run_opts *o, struct err *err)
{
	static const char *const restarts[] = { "Always", "OnFailure", "Never", NULL };
	static const char *const pulls[] = { "Always", "IfNotPresent", "Never", NULL };
	int64_t port;

	if (full(o->pull) && !str_is_one_of(o->pull, pulls)) {
		(void)err_set(err, ERR_INVALID, "invalid image pull policy: %s", o->pull);
		return kubectl_usage(k, err);
	}
	if (full(o->restart) && !str_is_one_of(o->restart, restarts)) {
		(void)err_set(err, ERR_INVALID, "invalid restart policy: %s", o->restart);
		return kubectl_usage(k, err);
	}
	if (o->expose && !full(o->port)) {
		(void)err_set(err, ERR_BAD_REQUEST, "--port must be set when exposing a service");
		return kubectl_usage(k, err);
	}
	if (o->tty)
		return err_set(err, ERR_BAD_REQUEST,
			       "-i/--stdin is required for containers with -t/--tty=true");
	if (o->rm) {
		(void)err_set(err, ERR_BAD_REQUEST,
			      "--rm should only be used for attached containers");
		return kubectl_usage(k, err);
	}
	if (full(o->port) && str_int64(slice_str(o->port), &port, NULL) < 0)
		return err_set(err, ERR_INVALID, "strconv.Atoi: parsing \"%s\": invalid syntax",
			       o->port);
	return 0;
}

static int put_labels(struct making *m, const struct run_opts *o, struct doc *in,
		      const char *member, struct err *err)
{
	if (!full(o->labels)) {
		doc_set_str(m->k->arena, doc_set_object(m->k->arena, in, member), "run", m->name);
		return 0;
	}
	return kubectl_labels(m->k, o->labels, doc_set_object(m->k->arena, in, member), err);
}

static int put_notes(struct making *m, const struct run_opts *o, struct doc *meta, struct err *err)
{
	struct doc *notes = o->notes.n ? doc_set_object(m->k->arena, meta, "annotations") : NULL;

	for (size_t i = 0; i < o->notes.n; i++) {
		struct slice value = slice_str(o->notes.v[i]), key = slice_split(&value, '=');

		if (!key.n || !value.p)
			return err_set(err, ERR_INVALID, "invalid annotations format: %s",
				       o->notes.v[i]);
		doc_setn(m->k->arena, notes, key, doc_strn(m->k->arena, value.p, value.n));
	}
	doc_sort_members(notes);
	return 0;
}

static int put_envs(struct making *m, const struct run_opts *o, struct doc *c, struct err *err)
{
	struct arena *a = m->k->arena;
	struct doc *list = o->envs.n ? doc_set_array(a, c, "env") : NULL;

	for (size_t i = 0; i < o->envs.n; i++) {
		struct slice value = slice_str(o->envs.v[i]), key = slice_split(&value, '=');
		struct doc *e;

		if (!key.n || !value.p || form_env_name(key))
			return err_set(err, ERR_INVALID, "invalid env: %s", o->envs.v[i]);
		e = doc_append_object(a, list);
		doc_set(a, e, "name", doc_strn(a, key.p, key.n));
		if (value.n)
			doc_set(a, e, "value", doc_strn(a, value.p, value.n));
	}
	return 0;
}

static int put_container(struct making *m, const struct run_opts *o, struct doc *spec,
			 struct err *err)
{
	struct arena *a = m->k->arena;
	struct opt_list words = { .v = (const char **)m->command, .n = m->ncommand };
	struct doc *c = doc_append_object(a, doc_set_array(a, spec, "containers"));

	doc_set_str(a, c, "name", m->name);
	doc_set_str(a, c, "image", o->image);
	make_words(m, c, o->command ? "command" : "args", &words);
	if (full(o->port))
		doc_set(a, doc_append_object(a, doc_set_array(a, c, "ports")), "containerPort",
			make_int_or_text(a, slice_str(o->port)));
	if (put_envs(m, o, c, err) < 0)
		return err_ret(err);
	doc_set_object(a, c, "resources");
	if (full(o->pull))
		doc_set_str(a, c, "imagePullPolicy", o->pull);
	if (o->privileged)
		doc_set_bool(a, doc_set_object(a, c, "securityContext"), "privileged", true);
	return 0;
}

static int make_pod(struct making *m, const struct run_opts *o, struct doc **ret, struct err *err)
{
	struct arena *a = m->k->arena;
	struct doc *d = make_object(m, &pod_kind, m->name), *spec, *got;
	int r = put_labels(m, o, doc_get(d, "metadata"), "labels", err);

	if (r == 0)
		r = put_notes(m, o, doc_get(d, "metadata"), err);
	spec = doc_set_object(a, d, "spec");
	if (r == 0)
		r = put_container(m, o, spec, err);
	if (r < 0)
		return r;
	doc_set_str(a, spec, "restartPolicy", full(o->restart) ? o->restart : "Always");
	doc_set_str(a, spec, "dnsPolicy", "ClusterFirst");
	doc_set_object(a, d, "status");
	if (full(o->over))
		r = make_override(m, o->over_type, o->over, &d, err);
	if (r == 0)
		r = make_send(m, &pod_kind, d, &got, err);
	*ret = r == 0 ? got : NULL;
	return r;
}

/* The service is told before the pod, as kubectl has it. */
static int expose(struct making *m, const struct run_opts *o, struct err *err)
{
	struct arena *a = m->k->arena;
	struct doc *d = make_object(m, &service_kind, m->name), *spec, *port, n;
	int r;

	n = make_int_or_text(a, slice_str(o->port));
	spec = doc_set_object(a, d, "spec");
	port = doc_append_object(a, doc_set_array(a, spec, "ports"));
	doc_set_str(a, port, "protocol", "TCP");
	doc_set(a, port, "port", n);
	doc_set(a, port, "targetPort", n);
	r = put_labels(m, o, spec, "selector", err);
	doc_set_object(a, doc_set_object(a, d, "status"), "loadBalancer");
	if (r == 0)
		r = make_end(m, &service_kind, d, err);
	if (r == 0 && m->print.form == PRINT_YAML)
		buf_adds(&m->k->out, "---\n");
	return r;
}

static int run_run(struct cmd_call *call, struct err *err)
{
	const struct run_opts *o = call->opts;
	struct kubectl *k = kubectl_of(call);
	struct making m;
	struct doc *pod;
	int r;

	if (!o->image)
		return make_required("\"image\"", err);
	if (!call->nargs || call->nargs == k->behind) {
		(void)err_set(err, ERR_BAD_REQUEST, "NAME is required for run");
		return kubectl_usage(k, err);
	}
	r = check_words(k, o, err);
	if (r == 0)
		r = check_image(k, o->image, err);
	if (r == 0)
		r = make_prepare(call, &o->make, "kubectl-run", &m, err);
	if (r != 0)
		return r;
	m.name = call->args[0];
	m.command = call->args + 1;
	m.ncommand = call->nargs - 1;
	m.validation = NULL;
	r = make_pod(&m, o, &pod, err);
	if (r == 0 && o->expose && expose(&m, o, err) < 0) {
		kubectl_note(k, err);
		*err = ERR_INIT;
	}
	return r == 0 ? make_print(&m, pod, err) : r;
}

const struct cmd kubectl_run = {
	.path = "run",
	.args = "NAME --image=IMAGE [OPTIONS] [-- ARG...]",
	.help = "Run an image in a pod",
	.opts = run_opts,
	.opts_size = sizeof(struct run_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_BASIC,
	.run = run_run,
};
