/* SPDX-License-Identifier: Apache-2.0 */
/* `kubectl auth`: who the server takes us for, and what we may do. */
#include "cli/kubectl/kubectl.h"

#include "base/arena.h"
#include "base/err.h"
#include "cli/kubectl/kubectl-cmds.h"
#include "doc/json.h"

#include <stdlib.h>

#define RULES_MAX 16384

static int review(struct kubectl *k, const char *target, const struct doc *body, struct doc **ret,
		  struct err *err)
{
	struct client_request rq = { .method = "POST", .target = target };
	int r = json_print(k->arena, body, NULL, &rq.body, err);

	return r == 0 ? client_call_doc(k->client, k->arena, &rq, ret, err) : r;
}

static struct doc *review_of(struct arena *a, const char *group, const char *kind)
{
	struct doc *d = doc_new_object(a);

	doc_set_strf(a, d, "apiVersion", "%s.k8s.io/v1", group);
	doc_set_str(a, d, "kind", kind);
	doc_set_object(a, d, "metadata");
	return d;
}

/* ---- can-i ---- */

struct can_opts {
	bool spaces, list, no_headers, quiet;
	const char *sub;
};
static const struct opt can_opts[] = {
	OPT(struct can_opts, BOOL, spaces, "all-namespaces", 'A', "In all namespaces"),
	OPT(struct can_opts, BOOL, list, "list", 0, "Print all that we may do"),
	OPT(struct can_opts, BOOL, no_headers, "no-headers", 0, "No line of headings"),
	OPT(struct can_opts, BOOL, quiet, "quiet", 'q', "Say it by the exit status only"),
	OPT(struct can_opts, STR, sub, "subresource", 0, "A subresource: log, status"),
	OPT_END
};

static const struct resource *known(struct kubectl *k, const char *type)
{
	const struct resource *r = NULL;
	struct err err = ERR_INIT;

	for (int fresh = 0; fresh < 2 && !r; fresh++)
		if (kubectl_catalog(k, fresh, &err) == 0)
			r = catalog_find(&k->catalog, type);
	return r;
}

/* "pods", "pods/name", "deployments.apps": as the server knows it, else as it was said. */
static void put_resource(struct kubectl *k, const char *word, const struct can_opts *o,
			 struct doc *to)
{
	struct slice name = slice_str(word), type = slice_split(&name, '/'), group;
	const char *text = arena_strndup(k->arena, type.p, type.n);
	const struct resource *r = text && strcmp(text, "*") != 0 ? known(k, text) : NULL;

	if (!o->spaces)
		doc_set_str(k->arena, to, "namespace", k->conf.space);
	if (r && !r->namespaced && !o->spaces) {
		kubectl_caution(k, "resource '%s' is not namespace scoped%s%s%s\n\n", r->name,
				*r->group ? " in group '" : "", r->group, *r->group ? "'" : "");
	}
	if (!r && text && strcmp(text, "*") != 0) {
		kubectl_caution(k, "the server doesn't have a resource type '%s'\n\n", text);
	}
	group = type;
	type = slice_split(&group, '.');
	if (r) {
		doc_set_str(k->arena, to, "group", r->group);
		doc_set_str(k->arena, to, "resource", r->name);
	} else {
		doc_set_strn(k->arena, to, "group", group.n ? group.p : "", group.n);
		doc_set_strn(k->arena, to, "resource", type.p, type.n);
	}
	if (o->sub && *o->sub)
		doc_set_str(k->arena, to, "subresource", o->sub);
	if (name.n)
		doc_set_strn(k->arena, to, "name", name.p, name.n);
}

static void warn_of_verb(struct kubectl *k, const char *verb, bool path)
{
	static const char *const of_resources[] = { "get",     "list",	 "watch",
						    "create",  "update", "patch",
						    "delete",  "use",	 "deletecollection",
						    "bind",    "*",	 "impersonate",
						    "approve", "sign",	 "escalate",
						    "attest",  NULL };
	static const char *const of_paths[] = { "get",	  "put",   "post", "head", "options",
						"delete", "patch", "*",	   NULL };

	if (!str_is_one_of(verb, path ? of_paths : of_resources))
		kubectl_caution(k, "verb '%s' is not a known verb\n\n", verb);
}

static int ask_can(struct cmd_call *call, struct err *err)
{
	const struct can_opts *o = call->opts;
	struct kubectl *k = kubectl_of(call);
	struct doc *d = review_of(k->arena, "authorization", "SelfSubjectAccessReview");
	struct doc *spec = doc_set_object(k->arena, d, "spec"), *what, *got;
	const char *word = call->args[1], *reason, *error;
	bool allowed;
	int r;

	if (word[0] == '/') {
		what = doc_set_object(k->arena, spec, "nonResourceAttributes");
		doc_set_str(k->arena, what, "path", word);
	} else {
		what = doc_set_object(k->arena, spec, "resourceAttributes");
		put_resource(k, word, o, what);
	}
	if (word[0] == '/' || !o->spaces)
		warn_of_verb(k, call->args[0], word[0] == '/');
	doc_set_str(k->arena, what, "verb", call->args[0]);
	if (!d || arena_exceeded(k->arena))
		return arena_quota(k->arena, err);
	r = review(k, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", d, &got, err);
	if (r < 0)
		return r;
	allowed = doc_true(doc_find(got, "status.allowed"));
	reason = kubectl_text(k, got, "status.reason");
	error = kubectl_text(k, got, "status.evaluationError");
	if (o->quiet)
		return allowed ? 0 : 1;
	buf_adds(&k->out, allowed ? "yes" : "no");
	if (!allowed && *reason)
		buf_addf(&k->out, " - %s", reason);
	if (!allowed && *error)
		buf_addf(&k->out, " - %s", error);
	buf_addc(&k->out, '\n');
	return allowed ? 0 : 1;
}

/* ---- can-i --list ---- */

/* "[a b]", as Go prints lists. */
static const char *list_text(struct kubectl *k, const struct doc *list)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1u << 20);
	const char *s;

	kubectl_go_value(list ? list : &(struct doc){ .type = DOC_ARRAY }, &b);
	s = arena_strndup(k->arena, buf_str(&b), b.n);
	return s ? s : "";
}

/* One rule of many: a resource (and a name), or a path. */
struct rule {
	struct slice group, resource, name, url;
	struct doc verbs;
	const char *key; /* what rules are sorted by: verbs, group, resource, name, path */
};

struct rules {
	struct kubectl *k;
	struct rule *v;
	size_t n, max;
};

/* Verbs of one resource from several rules are put together; paths stay apart. */
static void add_rule(struct rules *rs, const struct rule *from, const struct doc *verb)
{
	struct rule *r = NULL;

	for (size_t i = 0; !from->url.p && i < rs->n && !r; i++)
		if (!rs->v[i].url.p && slice_eq(rs->v[i].group, from->group) &&
		    slice_eq(rs->v[i].resource, from->resource) &&
		    slice_eq(rs->v[i].name, from->name))
			r = &rs->v[i];
	if (!r && rs->n == rs->max)
		return;
	if (!r) {
		r = &rs->v[rs->n++];
		*r = *from;
		r->verbs = doc_array();
	}
	DOC_EACH (have, &r->verbs)
		if (doc_equal(have, verb))
			return;
	doc_append(rs->k->arena, &r->verbs, *verb);
}

static void add_resources(struct rules *rs, const struct doc *rule, const struct doc *verb)
{
	const struct doc *names = doc_get(rule, "resourceNames");

	DOC_EACH (g, doc_get(rule, "apiGroups"))
		DOC_EACH (r, doc_get(rule, "resources")) {
			struct rule one = { .group = doc_slice(g), .resource = doc_slice(r) };

			if (!doc_len(names))
				add_rule(rs, &one, verb);
			DOC_EACH (n, names) {
				one.name = doc_slice(n);
				add_rule(rs, &one, verb);
			}
		}
}

static void add_all(struct rules *rs, const struct doc *list)
{
	DOC_EACH (rule, list)
		DOC_EACH (verb, doc_get(rule, "verbs")) {
			add_resources(rs, rule, verb);
			DOC_EACH (url, doc_get(rule, "nonResourceURLs"))
				add_rule(rs, &(struct rule){ .url = doc_slice(url) }, verb);
		}
}

static int by_key(const void *x, const void *y)
{
	const struct rule *a = x, *b = y;

	return strcmp(a->key, b->key);
}

#define TEXT(s) (int)(s).n, (s).n ? (s).p : ""

static int sort_rules(struct rules *rs, struct err *err)
{
	for (size_t i = 0; i < rs->n; i++) {
		struct rule *r = &rs->v[i];

		r->key = arena_printf(rs->k->arena, "%s,[%.*s],[%.*s],[%.*s],[%.*s],",
				      list_text(rs->k, &r->verbs), TEXT(r->group),
				      TEXT(r->resource), TEXT(r->name), TEXT(r->url));
		if (!r->key)
			return arena_quota(rs->k->arena, err);
	}
	qsort(rs->v, rs->n, sizeof(*rs->v), by_key);
	return 0;
}

/* "pods", "deployments.apps/status"; "" of a path. */
static const char *resource_text(struct kubectl *k, const struct rule *r)
{
	struct slice sub = r->resource, name = slice_split(&sub, '/');
	const char *s =
		arena_printf(k->arena, "%.*s%s%.*s%s%.*s", TEXT(name), r->group.n ? "." : "",
			     TEXT(r->group), sub.p ? "/" : "", TEXT(sub));

	return s ? s : "";
}

static const char *bracketed(struct kubectl *k, struct slice s)
{
	const char *text = arena_printf(k->arena, "[%.*s]", TEXT(s));

	return text ? text : "";
}

static int list_rules(struct cmd_call *call, struct err *err)
{
	static const char *const headers[] = { "Resources", "Non-Resource URLs", "Resource Names",
					       "Verbs" };
	const struct can_opts *o = call->opts;
	struct kubectl *k = kubectl_of(call);
	struct doc *d = review_of(k->arena, "authorization", "SelfSubjectRulesReview"), *got;
	struct rules rs = { .k = k, .max = RULES_MAX };
	struct columns c = { 0 };
	const char **cells;
	size_t rows = 0;
	int r;

	doc_set_str(k->arena, doc_set_object(k->arena, d, "spec"), "namespace", k->conf.space);
	r = review(k, "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", d, &got, err);
	if (r < 0)
		return r;
	if (doc_true(doc_find(got, "status.incomplete")))
		buf_addf(&k->errors, "warning: the list may be incomplete: %s\n",
			 kubectl_text(k, got, "status.evaluationError"));
	rs.v = ARENA_ARRAY(k->arena, struct rule, RULES_MAX);
	if (!rs.v)
		return arena_quota(k->arena, err);
	add_all(&rs, doc_find(got, "status.resourceRules"));
	add_all(&rs, doc_find(got, "status.nonResourceRules"));
	if (rs.n == rs.max)
		return err_set(err, ERR_TOO_LARGE, "more than %d rules", RULES_MAX);
	cells = ARENA_ARRAY(k->arena, const char *, (rs.n + 1) * 4);
	if (!cells || sort_rules(&rs, err) < 0)
		return arena_quota(k->arena, err);
	if (!o->no_headers)
		memcpy(&cells[rows++ * 4], headers, sizeof(headers));
	for (size_t i = 0; i < rs.n; i++) {
		const char *row[] = { resource_text(k, &rs.v[i]), bracketed(k, rs.v[i].url),
				      bracketed(k, rs.v[i].name), list_text(k, &rs.v[i].verbs) };

		memcpy(&cells[rows++ * 4], row, sizeof(row));
	}
	columns_print(&c, cells, rows, 4, &k->out);
	return 0;
}

static int can_run(struct cmd_call *call, struct err *err)
{
	const struct can_opts *o = call->opts;
	struct kubectl *k = kubectl_of(call);
	int r = kubectl_client(k, err);

	if (r < 0)
		return r;
	if (o->list && call->nargs)
		return err_set(err, ERR_BAD_REQUEST,
			       "list option must be specified with no arguments");
	if (o->list && o->quiet)
		return err_set(err, ERR_BAD_REQUEST,
			       "list option and quiet option can't be specified together");
	if (o->list)
		return list_rules(call, err);
	if (call->nargs != 2) {
		(void)err_set(err, ERR_BAD_REQUEST,
			      "you must specify two arguments: verb resource or verb "
			      "resource/resourceName.");
		(void)kubectl_usage(k, err);
		return err_set(err, ERR_BAD_REQUEST, "%s.", arena_strdup(k->arena, err->msg));
	}
	return ask_can(call, err);
}

const struct cmd kubectl_auth_can_i = {
	.path = "auth can-i",
	.args = "VERB TYPE|TYPE/NAME|/PATH | --list",
	.help = "Ask whether we may do something",
	.opts = can_opts,
	.opts_size = sizeof(struct can_opts),
	.max = UINT8_MAX,
	.run = can_run,
};

/* ---- whoami ---- */

struct who_opts {
	const char *output, *template;
	bool managed;
};
static const struct opt who_opts[] = {
	OPT(struct who_opts, STR, output, "output", 'o', "json, yaml, jsonpath=..."),
	OPT(struct who_opts, BOOL, managed, "show-managed-fields", 0, "A review has none"),
	OPT(struct who_opts, STR, template, "template", 0, "Template of -o jsonpath"), OPT_END
};

static int by_first(const void *x, const void *y)
{
	const char *const *a = x, *const *b = y;

	return strcmp(a[0], b[0]);
}

static int print_user(struct kubectl *k, const struct doc *user, struct err *err)
{
	const struct doc *extra = doc_get(user, "extra"), *groups = doc_get(user, "groups");
	const char **cells = ARENA_ARRAY(k->arena, const char *, (doc_len(extra) + 4) * 2);
	struct columns c = { 0 };
	size_t n = 0, first;

	if (!cells)
		return arena_quota(k->arena, err);
	cells[n++] = "ATTRIBUTE";
	cells[n++] = "VALUE";
	cells[n++] = "Username";
	cells[n++] = kubectl_text(k, user, "username");
	if (*kubectl_text(k, user, "uid")) {
		cells[n++] = "UID";
		cells[n++] = kubectl_text(k, user, "uid");
	}
	if (doc_len(groups)) {
		cells[n++] = "Groups";
		cells[n++] = list_text(k, groups);
	}
	first = n;
	DOC_EACH_MEMBER (key, value, extra) {
		const char *name = arena_printf(k->arena, "Extra: %.*s", (int)key->n, key->s);

		cells[n++] = name ? name : "";
		cells[n++] = list_text(k, value);
	}
	qsort(&cells[first], (n - first) / 2, 2 * sizeof(*cells), by_first);
	columns_print(&c, cells, n / 2, 2, &k->out);
	return 0;
}

static int who_run(struct cmd_call *call, struct err *err)
{
	const struct who_opts *o = call->opts;
	struct kubectl *k = kubectl_of(call);
	struct doc *d = review_of(k->arena, "authentication", "SelfSubjectReview"), *got;
	struct kubectl_print p;
	int r = kubectl_no_args(call, err);

	/* here a template alone is no form */
	if (r == 0)
		r = kubectl_print_init(&p, k, o->output,
				       o->output && *o->output ? o->template : NULL, err);
	if (r == 0)
		r = kubectl_client(k, err);
	if (r == 0)
		r = review(k, "/apis/authentication.k8s.io/v1/selfsubjectreviews", d, &got, err);
	if (r < 0)
		return r;
	return p.form == PRINT_TABLE || p.form == PRINT_WIDE
		       ? print_user(k, doc_find(got, "status.userInfo"), err)
		       : kubectl_print_doc(&p, got, err);
}

const struct cmd kubectl_auth_whoami = {
	.path = "auth whoami",
	.args = "[OPTIONS]",
	.help = "Print who the server takes us for",
	.opts = who_opts,
	.opts_size = sizeof(struct who_opts),
	.max = UINT8_MAX,
	.run = who_run,
};
