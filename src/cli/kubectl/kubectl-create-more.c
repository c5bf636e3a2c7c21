/* SPDX-License-Identifier: Apache-2.0 */
/* `kubectl create namespace|serviceaccount|quota|priorityclass|poddisruptionbudget|token`. */
#include "cli/kubectl/kubectl-cmds.h"
#include "cli/kubectl/kubectl-make.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"

#include <unistd.h>

static const struct make_kind namespace_kind = { "v1", "Namespace", "namespaces", false, NULL };
static const struct make_kind account_kind = { "v1", "ServiceAccount", "serviceaccounts", true,
					       "failed to create serviceaccount:" };
static const struct make_kind quota_kind = { "v1", "ResourceQuota", "resourcequotas", true,
					     "failed to create quota:" };
static const struct make_kind class_kind = { "scheduling.k8s.io/v1", "PriorityClass",
					     "priorityclasses", false,
					     "failed to create priorityclass:" };
static const struct make_kind budget_kind = { "policy/v1", "PodDisruptionBudget",
					      "poddisruptionbudgets", true,
					      "failed to create poddisruptionbudgets:" };

/* ---- namespace, serviceaccount ---- */

struct plain_opts {
	struct make_flags make;
};
static const struct opt plain_opts[] = { MAKE_ROWS(struct plain_opts), OPT_END };

static int namespace_run(struct cmd_call *call, struct err *err)
{
	const struct plain_opts *o = call->opts;
	struct making m;
	struct doc *d;
	int r = make_begin(call, &o->make, &m, err);

	if (r < 0)
		return r;
	d = make_object(&m, &namespace_kind, m.name);
	doc_set_object(m.k->arena, d, "spec");
	doc_set_object(m.k->arena, d, "status");
	return make_end(&m, &namespace_kind, d, err);
}

const struct cmd kubectl_create_namespace = {
	.path = "create namespace",
	.aliases = (const char *const[]){ "create ns", NULL },
	.args = "NAME [OPTIONS]",
	.help = "Create a namespace",
	.opts = plain_opts,
	.opts_size = sizeof(struct plain_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_BASIC,
	.run = namespace_run,
};

static int account_run(struct cmd_call *call, struct err *err)
{
	const struct plain_opts *o = call->opts;
	struct making m;
	int r = make_begin(call, &o->make, &m, err);

	return r == 0 ? make_end(&m, &account_kind, make_object(&m, &account_kind, m.name), err)
		      : r;
}

const struct cmd kubectl_create_serviceaccount = {
	.path = "create serviceaccount",
	.aliases = (const char *const[]){ "create sa", NULL },
	.args = "NAME [OPTIONS]",
	.help = "Create a service account",
	.opts = plain_opts,
	.opts_size = sizeof(struct plain_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_BASIC,
	.run = account_run,
};

/* ---- quota ---- */

struct quota_opts {
	struct make_flags make;
	const char *hard, *scopes;
};
static const struct opt quota_opts[] = {
	MAKE_ROWS(struct quota_opts),
	MAKE_OPT(struct quota_opts, STR, hard, "hard", "RESOURCE=QUANTITY,..."),
	MAKE_OPT(struct quota_opts, STR, scopes, "scopes", "SCOPE,..."), OPT_END
};

static int quota_run(struct cmd_call *call, struct err *err)
{
	const struct quota_opts *o = call->opts;
	struct doc *d, *spec, *list;
	struct making m;
	int r = make_begin(call, &o->make, &m, err);

	if (r < 0)
		return r;
	d = make_object(&m, &quota_kind, m.name);
	spec = doc_set_object(m.k->arena, d, "spec");
	if (o->hard && *o->hard)
		r = make_quantities(m.k, o->hard, doc_set_object(m.k->arena, spec, "hard"), err);
	if (r < 0)
		return r;
	list = o->scopes && *o->scopes ? doc_set_array(m.k->arena, spec, "scopes") : NULL;
	for (struct slice rest = slice_str(list ? o->scopes : NULL); rest.p;) {
		struct slice one = slice_split(&rest, ',');

		if (!one.n)
			return err_set(err, ERR_INVALID, "invalid resource quota scope \"\"");
		doc_append(m.k->arena, list, doc_strn(m.k->arena, one.p, one.n));
	}
	doc_set_object(m.k->arena, d, "status");
	return make_end(&m, &quota_kind, d, err);
}

const struct cmd kubectl_create_quota = {
	.path = "create quota",
	.aliases = (const char *const[]){ "create resourcequota", NULL },
	.args = "NAME [--hard=RESOURCE=QUANTITY,...] [OPTIONS]",
	.help = "Create a quota of a namespace",
	.opts = quota_opts,
	.opts_size = sizeof(struct quota_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_BASIC,
	.run = quota_run,
};

/* ---- priorityclass ---- */

struct class_opts {
	struct make_flags make;
	const char *about, *policy;
	bool everywhere;
	int64_t value;
};
static const struct opt class_opts[] = {
	MAKE_ROWS(struct class_opts),
	MAKE_OPT(struct class_opts, STR, about, "description", "What it is for"),
	MAKE_OPT(struct class_opts, BOOL, everywhere, "global-default",
		 "For pods that name no class"),
	MAKE_OPT(struct class_opts, STR, policy, "preemption-policy",
		 "PreemptLowerPriority (default) or Never"),
	MAKE_OPT(struct class_opts, INT, value, "value", "Its priority (default 0)"),
	OPT_END
};

static int class_run(struct cmd_call *call, struct err *err)
{
	const struct class_opts *o = call->opts;
	struct making m;
	struct doc *d;
	int r = make_begin(call, &o->make, &m, err);

	if (r < 0)
		return r;
	d = make_object(&m, &class_kind, m.name);
	doc_set_int(m.k->arena, d, "value", o->value);
	if (o->everywhere)
		doc_set_bool(m.k->arena, d, "globalDefault", true);
	if (o->about && *o->about)
		doc_set_str(m.k->arena, d, "description", o->about);
	doc_set_str(m.k->arena, d, "preemptionPolicy",
		    o->policy ? o->policy : "PreemptLowerPriority");
	return make_end(&m, &class_kind, d, err);
}

const struct cmd kubectl_create_priorityclass = {
	.path = "create priorityclass",
	.aliases = (const char *const[]){ "create pc", NULL },
	.args = "NAME --value=VALUE [OPTIONS]",
	.help = "Create a class of priority",
	.opts = class_opts,
	.opts_size = sizeof(struct class_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_BASIC,
	.run = class_run,
};

/* ---- poddisruptionbudget ---- */

struct budget_opts {
	struct make_flags make;
	const char *most, *least, *selector;
};
static const struct opt budget_opts[] = {
	MAKE_ROWS(struct budget_opts),
	MAKE_OPT(struct budget_opts, STR, most, "max-unavailable",
		 "How many may be missing, or percent"),
	MAKE_OPT(struct budget_opts, STR, least, "min-available",
		 "How many must be there, or percent"),
	MAKE_OPT(struct budget_opts, STR, selector, "selector", "Labels of the pods"), OPT_END
};

static bool full(const char *s)
{
	return s && *s;
}

static bool is_amount(const char *s)
{
	size_t n = strspn(s, "0123456789");

	return n && (!s[n] || strcmp(s + n, "%") == 0);
}

static int check_budget(const struct budget_opts *o, struct err *err)
{
	if (!full(o->selector))
		return err_set(err, ERR_BAD_REQUEST, "a selector must be specified");
	if (!full(o->most) && !full(o->least))
		return err_set(err, ERR_BAD_REQUEST,
			       "one of min-available or max-unavailable must be specified");
	if (full(o->most) && full(o->least))
		return err_set(err, ERR_BAD_REQUEST,
			       "min-available and max-unavailable cannot be both specified");
	if (!is_amount(full(o->least) ? o->least : o->most))
		return err_set(err, ERR_INVALID, "invalid format specified for %s",
			       full(o->least) ? "min-available" : "max-unavailable");
	return 0;
}

static int budget_run(struct cmd_call *call, struct err *err)
{
	static const char *const zeros[] = { "disruptionsAllowed", "currentHealthy",
					     "desiredHealthy", "expectedPods" };
	const struct budget_opts *o = call->opts;
	struct doc *d, *spec, *status;
	struct making m;
	int r = make_begin(call, &o->make, &m, err);

	if (r == 0)
		r = check_budget(o, err);
	if (r < 0)
		return r;
	d = make_object(&m, &budget_kind, m.name);
	spec = doc_set_object(m.k->arena, d, "spec");
	if (full(o->least))
		doc_set(m.k->arena, spec, "minAvailable",
			make_int_or_text(m.k->arena, slice_str(o->least)));
	r = make_selector(&m, spec, "selector", o->selector, err);
	if (r < 0)
		return r;
	if (full(o->most))
		doc_set(m.k->arena, spec, "maxUnavailable",
			make_int_or_text(m.k->arena, slice_str(o->most)));
	status = doc_set_object(m.k->arena, d, "status");
	for (size_t i = 0; i < ARRAY_LEN(zeros); i++)
		doc_set_int(m.k->arena, status, zeros[i], 0);
	return make_end(&m, &budget_kind, d, err);
}

const struct cmd kubectl_create_poddisruptionbudget = {
	.path = "create poddisruptionbudget",
	.aliases = (const char *const[]){ "create pdb", NULL },
	.args = "NAME --selector=SELECTOR --min-available=N|--max-unavailable=N [OPTIONS]",
	.help = "Create a budget of disruptions",
	.opts = budget_opts,
	.opts_size = sizeof(struct budget_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_BASIC,
	.run = budget_run,
};

/* ---- token ---- */

struct token_opts {
	struct kubectl_form form;
	struct opt_list audiences;
	const char *kind, *name, *uid;
	int64_t time;
};
static const struct opt token_opts[] = {
	KUBECTL_FORM_ROWS(struct token_opts, form),
	MAKE_OPT(struct token_opts, LIST, audiences, "audience",
		 "Who shall take it (default: the API server); repeated"),
	MAKE_OPT(struct token_opts, STR, kind, "bound-object-kind",
		 "It ends with this object: Node, Pod, Secret"),
	MAKE_OPT(struct token_opts, STR, name, "bound-object-name", "The object's name"),
	MAKE_OPT(struct token_opts, STR, uid, "bound-object-uid", "The object's uid"),
	MAKE_OPT(struct token_opts, DURATION, time, "duration",
		 "How long it is good for (default: the server says)"),
	OPT_END
};

static int check_token(const struct token_opts *o, struct err *err)
{
	static const char *const kinds[] = { "Node", "Pod", "Secret", NULL };

	if (o->time < 0)
		return err_set(err, ERR_INVALID, "--duration must be greater than or equal to 0");
	if (o->time % NS_PER_SEC)
		return err_set(err, ERR_INVALID,
			       "--duration cannot be expressed in units less than seconds");
	for (size_t i = 0; i < o->audiences.n; i++)
		if (!*o->audiences.v[i])
			return err_set(err, ERR_INVALID, "--audience must not be an empty string");
	if (!full(o->kind)) {
		if (full(o->name) || full(o->uid))
			return err_set(err, ERR_BAD_REQUEST,
				       "--bound-object-%s can only be set if --bound-object-kind "
				       "is provided",
				       full(o->name) ? "name" : "uid");
		return 0;
	}
	if (!str_is_one_of(o->kind, kinds))
		return err_set(err, ERR_INVALID,
			       "supported --bound-object-kind values are Node, Pod, Secret");
	if (!full(o->name))
		return err_set(err, ERR_BAD_REQUEST,
			       "--bound-object-name is required if --bound-object-kind is "
			       "provided");
	return 0;
}

static struct doc *token_request(struct making *m, const struct token_opts *o)
{
	struct arena *a = m->k->arena;
	struct doc *d = doc_new_object(a), *spec, *ref;

	doc_set_str(a, d, "kind", "TokenRequest");
	doc_set_str(a, d, "apiVersion", "authentication.k8s.io/v1");
	make_meta(m, d, NULL);
	spec = doc_set_object(a, d, "spec");
	make_words(m, spec, "audiences", &o->audiences);
	if (o->time)
		doc_set_int(a, spec, "expirationSeconds", o->time / NS_PER_SEC);
	if (full(o->kind)) {
		ref = doc_set_object(a, spec, "boundObjectRef");
		doc_set_str(a, ref, "kind", o->kind);
		doc_set_str(a, ref, "apiVersion", "v1");
		doc_set_str(a, ref, "name", o->name);
		if (full(o->uid))
			doc_set_str(a, ref, "uid", o->uid);
	}
	return d;
}

static int token_run(struct cmd_call *call, struct err *err)
{
	const struct token_opts *o = call->opts;
	struct make_flags flags = { .form = o->form };
	struct kubectl_send s = { .method = "POST", .sub = "token" };
	struct resource res = {
		.api_version = "v1", .group = "", .name = "serviceaccounts", .namespaced = true
	};
	struct kubectl_item it = { .res = &res };
	const char *token;
	struct making m;
	struct doc *got;
	int r = make_begin(call, &flags, &m, err);

	if (r == 0)
		r = check_token(o, err);
	if (r < 0)
		return r;
	it.name = m.name;
	it.space = m.k->conf.space;
	s.body = token_request(&m, o);
	if (!s.body)
		return arena_quota(m.k->arena, err);
	r = kubectl_send(m.k, &it, &s, &got, err);
	if (r < 0 && client_failure(m.k->client))
		return err_set(err, ERR_BAD_REQUEST, "failed to create token: %s",
			       kubectl_text(m.k, client_failure(m.k->client), "message"));
	if (r < 0)
		return r;
	token = kubectl_text(m.k, got, "status.token");
	if (!*token)
		return err_set(err, ERR_INVALID,
			       "failed to create token: no token in server response");
	if (o->form.output)
		return make_print(&m, got, err);
	buf_addf(&m.k->out, "%s%s", token, isatty(1) ? "\n" : "");
	return 0;
}

const struct cmd kubectl_create_token = {
	.path = "create token",
	.args = "SERVICEACCOUNT [OPTIONS]",
	.help = "Ask for a token of a service account",
	.opts = token_opts,
	.opts_size = sizeof(struct token_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_BASIC,
	.run = token_run,
};
