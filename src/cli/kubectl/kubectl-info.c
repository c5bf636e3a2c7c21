/* SPDX-License-Identifier: Apache-2.0 */
/* What a cluster is and has: version, cluster-info, api-resources, api-versions. */
#include "cli/kubectl/kubectl.h"

#include "base/arena.h"
#include "base/err.h"
#include "cli/docs.h"
#include "cli/kubectl/kubectl-cmds.h"
#include "doc/json.h"
#include "doc/yaml.h"

#include <stdlib.h>
#include <sys/utsname.h>

/* ---- version ---- */

struct version_opts {
	const char *output;
	bool client;
};
static const struct opt version_opts[] = {
	OPT(struct version_opts, BOOL, client, "client", 0, "Only this program's"),
	OPT(struct version_opts, STR, output, "output", 'o', "json or yaml"), OPT_END
};

static struct doc *own_version(struct arena *a)
{
	struct doc *d = doc_new_object(a);
	struct utsname u;
	struct slice rest = slice_str(&KUBECTL_VERSION[1]);
	struct slice major = slice_split(&rest, '.'), minor = slice_split(&rest, '.');
	const char *arch = uname(&u) < 0		       ? "unknown"
			   : strcmp(u.machine, "x86_64") == 0  ? "amd64"
			   : strcmp(u.machine, "aarch64") == 0 ? "arm64"
							       : u.machine;

	doc_set_strn(a, d, "major", major.p, major.n);
	doc_set_strn(a, d, "minor", minor.p, minor.n);
	doc_set_str(a, d, "gitVersion", KUBECTL_VERSION "+teu");
	doc_set_str(a, d, "gitCommit", "");
	doc_set_str(a, d, "gitTreeState", "clean");
	doc_set_str(a, d, "buildDate", "1970-01-01T00:00:00Z");
	doc_set_str(a, d, "goVersion", "none");
	doc_set_str(a, d, "compiler", "gcc");
	doc_set_strf(a, d, "platform", "linux/%s", arch);
	return d;
}

static bool number(struct kubectl *k, const struct doc *d, const char *name, int64_t *ret)
{
	const char *s = kubectl_text(k, d, name);

	return str_int64(slice_of(s, strspn(s, "0123456789")), ret, NULL) == 0;
}

static void warn_of_skew(struct kubectl *k, const struct doc *own, const struct doc *server)
{
	int64_t a, b, c, d;

	if (!number(k, own, "major", &a) || !number(k, own, "minor", &b) ||
	    !number(k, server, "major", &c) || !number(k, server, "minor", &d))
		return;
	if (a != c || llabs(b - d) > 1)
		buf_addf(&k->errors,
			 "WARNING: version difference between client (%lld.%lld) and server "
			 "(%lld.%lld) exceeds the supported minor version skew of +/-1\n",
			 (long long)a, (long long)b, (long long)c, (long long)d);
}

/* The nine members that kubectl knows. */
static struct doc *known_version(struct arena *a, const struct doc *from, const struct doc *own)
{
	struct doc *d = doc_new_object(a);

	for (size_t i = 0; i < doc_len(own); i++) {
		struct doc *key = doc_key_at(own, i);
		struct slice name = slice_of(key->s, key->n);
		const struct doc *v = doc_getn(from, name);

		doc_setn(a, d, name, v ? *v : doc_borrow("", 0));
	}
	return d;
}

static int print_version(struct kubectl *k, const char *output, const struct doc *own,
			 const struct doc *server, struct err *err)
{
	struct json_style json = { .indent = "  ", .html = true };
	struct yaml_style yaml = { .sorted = true };
	struct doc *d = doc_new_object(k->arena);
	int r;

	if (!output) {
		buf_addf(&k->out, "Client Version: %s\n", kubectl_text(k, own, "gitVersion"));
		if (server)
			buf_addf(&k->out, "Server Version: %s\n",
				 kubectl_text(k, server, "gitVersion"));
		return 0;
	}
	doc_set(k->arena, d, "clientVersion", *own);
	if (server)
		doc_set(k->arena, d, "serverVersion", *server);
	r = strcmp(output, "json") == 0 ? json_write(d, &json, &k->out, err)
					: yaml_write(d, &yaml, &k->out, err);
	buf_addc(&k->out, '\n');
	return r;
}

static int version_run(struct cmd_call *call, struct err *err)
{
	const struct version_opts *o = call->opts;
	struct kubectl *k = kubectl_of(call);
	struct client_request rq = { .target = "/version?timeout=32s" };
	struct doc *own = own_version(k->arena), *server = NULL;
	struct err late = ERR_INIT;
	int r = 0;

	if (call->nargs)
		return err_set(err, ERR_BAD_REQUEST, "extra arguments: [%s]", call->args[0]);
	if (o->output && strcmp(o->output, "json") != 0 && strcmp(o->output, "yaml") != 0)
		return err_set(err, ERR_INVALID, "--output must be 'yaml' or 'json'");
	if (!o->client) {
		r = kubectl_client(k, &late);
		if (r == 0)
			r = client_call_doc(k->client, k->arena, &rq, &server, &late);
	}
	if (server)
		server = known_version(k->arena, server, own);
	if (print_version(k, o->output, own, server, err) < 0)
		return err_ret(err);
	if (server)
		warn_of_skew(k, own, server);
	if (r < 0)
		*err = late;
	return r;
}

const struct cmd kubectl_version = {
	.path = "version",
	.args = "[OPTIONS]",
	.help = "Print the versions of client and server",
	.opts = version_opts,
	.opts_size = sizeof(struct version_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_OTHER,
	.run = version_run,
};

/* ---- cluster-info ---- */

/* The service's address through the API server. */
static void print_service(struct kubectl *k, const struct doc *s)
{
	const struct doc *port = doc_find(s, "spec.ports.0");
	const char *title =
		doc_cstr(k->arena, doc_get(doc_find(s, "metadata.labels"), "kubernetes.io/name"));
	const char *name = kubectl_text(k, s, "metadata.name");
	const char *port_name = kubectl_text(k, port, "name");
	int64_t number = 0;
	const char *ip = kubectl_text(k, s, "status.loadBalancer.ingress.0.ip"), *scheme = "";

	(void)doc_int64(doc_get(port, "port"), &number); /* none: 0 */
	if (!*ip)
		ip = kubectl_text(k, s, "status.loadBalancer.ingress.0.hostname");
	if (!title || !*title)
		title = name;
	buf_addf(&k->out, "%s is running at ", title);
	if (*ip) {
		buf_addf(&k->out, "http://%s:%lld\n", ip, (long long)number);
		return;
	}
	if (strcmp(port_name, "https") == 0 || number == 443)
		scheme = "https:";
	buf_addf(&k->out, "%s/api/v1/namespaces/%s/services/%s%s", k->conf.server,
		 kubectl_text(k, s, "metadata.namespace"), scheme, name);
	if (*port_name)
		buf_addf(&k->out, ":%s", port_name);
	else if (*scheme)
		buf_addc(&k->out, ':');
	buf_adds(&k->out, "/proxy\n");
}

static int cluster_info_run(struct cmd_call *call, struct err *err)
{
	struct kubectl *k = kubectl_of(call);
	struct client_request rq = {
		.target = "/api/v1/namespaces/kube-system/services"
			  "?labelSelector=kubernetes.io%2Fcluster-service%3Dtrue"
	};
	struct doc *list;
	int r;

	r = kubectl_client(k, err);
	if (r == 0)
		r = client_call_doc(k->client, k->arena, &rq, &list, err);
	if (r < 0) {
		buf_adds(&k->errors, "\nTo further debug and diagnose cluster problems, use "
				     "'kubectl cluster-info dump'.\n");
		return r;
	}
	buf_addf(&k->out, "Kubernetes control plane is running at %s\n", k->conf.server);
	DOC_EACH (s, doc_get(list, "items"))
		print_service(k, s);
	buf_adds(&k->out, "\nTo further debug and diagnose cluster problems, use 'kubectl "
			  "cluster-info dump'.\n");
	return 0;
}

const struct cmd kubectl_cluster_info = {
	.path = "cluster-info",
	.help = "Print where the control plane and services of the cluster are",
	.max = UINT8_MAX,
	.group = KUBECTL_CLUSTER,
	.run = cluster_info_run,
};

/* ---- api-resources ---- */

struct resources_opts {
	const char *group, *output, *sort;
	struct opt_list categories, verbs;
	bool cached, no_headers, namespaced, group_given, namespaced_given;
};
static const struct opt resources_opts[] = {
	OPT_SEEN_AT(struct resources_opts, STR, group, group_given, "api-group", 0,
		    "Only of this group"),
	OPT(struct resources_opts, BOOL, cached, "cached", 0,
	    "Take what is kept of earlier calls, if there is any"),
	OPT(struct resources_opts, LIST, categories, "categories", 0, "Only of these categories"),
	OPT_SEEN_AT(struct resources_opts, BOOL, namespaced, namespaced_given, "namespaced", 0,
		    "Only those that are, or are not, in namespaces"),
	OPT(struct resources_opts, BOOL, no_headers, "no-headers", 0, "No line of headings"),
	OPT(struct resources_opts, STR, output, "output", 'o', "wide or name"),
	OPT(struct resources_opts, STR, sort, "sort-by", 0, "name or kind"),
	OPT(struct resources_opts, LIST, verbs, "verbs", 0, "Only those that know these verbs"),
	OPT_END
};

/* Is each of the comma lists' words known to the resource? */
static bool has_all(const struct resource *r, const struct opt_list *l,
		    bool (*has)(const struct resource *r, const char *word), struct arena *a)
{
	for (size_t i = 0; i < l->n; i++)
		for (struct slice rest = slice_str(l->v[i]); rest.p;) {
			struct slice one = slice_split(&rest, ',');
			const char *word = arena_strndup(a, one.n ? one.p : "", one.n);

			if (!word || !has(r, word))
				return false;
		}
	return true;
}

static bool wanted(const struct resource *r, const struct resources_opts *o, struct arena *a)
{
	return r->preferred && r->nverbs && (!o->group_given || strcmp(r->group, o->group) == 0) &&
	       (!o->namespaced_given || r->namespaced == o->namespaced) &&
	       has_all(r, &o->verbs, resource_has_verb, a) &&
	       has_all(r, &o->categories, resource_in, a);
}

static int by_group(const void *x, const void *y)
{
	const struct resource *const *a = x, *const *b = y;
	int d = strcmp((*a)->group, (*b)->group);

	return d ? d : strcmp((*a)->name, (*b)->name);
}

static int by_name(const void *x, const void *y)
{
	const struct resource *const *a = x, *const *b = y;
	int d = strcmp((*a)->name, (*b)->name);

	return d ? d : strcmp((*a)->group, (*b)->group);
}

static int by_kind(const void *x, const void *y)
{
	const struct resource *const *a = x, *const *b = y;
	int d = strcmp((*a)->kind, (*b)->kind);

	return d ? d : strcmp((*a)->group, (*b)->group);
}

static const char *joined(struct arena *a, const char *const *v, size_t n)
{
	const char *s = "";

	for (size_t i = 0; i < n && s; i++)
		s = arena_printf(a, "%s%s%s", s, i ? "," : "", v[i]);
	return s ? s : "";
}

static int print_resources(struct kubectl *k, const struct resource *const *v, size_t n,
			   const struct resources_opts *o, struct err *err)
{
	static const char *const headers[] = { "NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED",
					       "KIND", "VERBS",	     "CATEGORIES" };
	size_t w = o->output ? 7 : 5, rows = 0;
	const char **cells = ARENA_ARRAY(k->arena, const char *, (n + 1) * w);
	struct columns c = { 0 };

	if (!cells)
		return arena_quota(k->arena, err);
	if (!o->no_headers)
		memcpy(&cells[rows++ * w], headers, w * sizeof(*cells));
	for (size_t i = 0; i < n; i++) {
		const char *row[] = { v[i]->name,
				      joined(k->arena, v[i]->shorts, v[i]->nshorts),
				      v[i]->api_version,
				      v[i]->namespaced ? "true" : "false",
				      v[i]->kind,
				      joined(k->arena, v[i]->verbs, v[i]->nverbs),
				      joined(k->arena, v[i]->categories, v[i]->ncategories) };

		memcpy(&cells[rows++ * w], row, w * sizeof(*cells));
	}
	columns_print(&c, cells, rows, w, &k->out);
	return 0;
}

static int resources_run(struct cmd_call *call, struct err *err)
{
	const struct resources_opts *o = call->opts;
	struct kubectl *k = kubectl_of(call);
	const struct resource **v;
	size_t n = 0;
	int r = kubectl_no_args(call, err);

	if (r < 0)
		return r;
	if (o->output && strcmp(o->output, "wide") != 0 && strcmp(o->output, "name") != 0)
		return err_set(err, ERR_INVALID, "--output %s is not available", o->output);
	if (o->sort && *o->sort && strcmp(o->sort, "name") != 0 && strcmp(o->sort, "kind") != 0)
		return err_set(err, ERR_INVALID, "--sort-by accepts only name or kind");
	r = kubectl_catalog(k, !o->cached, err);
	if (r < 0)
		return r;
	v = ARENA_ARRAY(k->arena, const struct resource *, k->catalog.n + 1);
	if (!v)
		return arena_quota(k->arena, err);
	for (size_t i = 0; i < k->catalog.n; i++)
		if (wanted(&k->catalog.v[i], o, k->arena))
			v[n++] = &k->catalog.v[i];
	qsort(v, n, sizeof(const struct resource *),
	      !o->sort || !*o->sort	     ? by_group
	      : strcmp(o->sort, "name") == 0 ? by_name
					     : by_kind);
	if (!o->output || strcmp(o->output, "wide") == 0)
		return print_resources(k, v, n, o, err);
	for (size_t i = 0; i < n; i++)
		buf_addf(&k->out, "%s%s%s\n", v[i]->name, *v[i]->group ? "." : "", v[i]->group);
	return 0;
}

const struct cmd kubectl_api_resources = {
	.path = "api-resources",
	.args = "[OPTIONS]",
	.help = "Print the resources that the server has",
	.opts = resources_opts,
	.opts_size = sizeof(struct resources_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_OTHER,
	.run = resources_run,
};

/* ---- api-versions ---- */

static int by_text(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static int versions_run(struct cmd_call *call, struct err *err)
{
	struct kubectl *k = kubectl_of(call);
	const char **v;
	int r = kubectl_no_args(call, err);

	if (r == 0)
		r = kubectl_catalog(k, true, err);
	if (r < 0)
		return r;
	v = ARENA_ARRAY(k->arena, const char *, k->catalog.nversions + 1);
	if (!v)
		return arena_quota(k->arena, err);
	memcpy(v, k->catalog.versions, k->catalog.nversions * sizeof(*v));
	qsort(v, k->catalog.nversions, sizeof(*v), by_text);
	for (size_t i = 0; i < k->catalog.nversions; i++)
		buf_addf(&k->out, "%s\n", v[i]);
	return 0;
}

const struct cmd kubectl_api_versions = {
	.path = "api-versions",
	.help = "Print the groups and versions that the server has",
	.max = UINT8_MAX,
	.group = KUBECTL_OTHER,
	.run = versions_run,
};

/* ---- completion ---- */

static int completion_run(struct cmd_call *call, struct err *err)
{
	struct kubectl *k = kubectl_of(call);
	struct cmd_program prog = kubectl_program();
	const char *shell = call->nargs ? call->args[0] : NULL;

	if (!shell)
		return err_set(err, ERR_BAD_REQUEST, "shell not specified");
	if (call->nargs > 1)
		return err_set(err, ERR_BAD_REQUEST,
			       "too many arguments. Expected only the shell type");
	if (strcmp(shell, "bash") == 0)
		docs_bash(&prog, &k->out);
	else if (strcmp(shell, "zsh") == 0)
		docs_zsh(&prog, &k->out);
	else if (strcmp(shell, "fish") == 0)
		docs_fish(&prog, &k->out);
	else
		return err_set(err, ERR_UNSUPPORTED, "unsupported shell type \"%s\"", shell);
	return 0;
}

const struct cmd kubectl_completion = {
	.path = "completion",
	.args = "bash|zsh|fish",
	.help = "Print a completion script for a shell",
	.max = UINT8_MAX,
	.group = KUBECTL_SETTINGS,
	.run = completion_run,
};
