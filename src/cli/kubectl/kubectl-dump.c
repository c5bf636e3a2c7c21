/* SPDX-License-Identifier: Apache-2.0 */
/* `kubectl cluster-info dump`: nodes, what runs in namespaces, and what containers said. */
#include "cli/kubectl/describe.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "cli/kubectl/kubectl-cmds.h"
#include "io/url.h"
#include "linux/path.h"

#include <fcntl.h>
#include <limits.h>

#define TARGET_MAX 65536
#define SPACES_MAX 10000

struct dump_opts {
	const char *output, *template, *dir, *wait;
	struct opt_list spaces;
	bool all, managed, missing_ok, missing_given;
};
static const struct opt dump_opts[] = {
	OPT(struct dump_opts, BOOL, all, "all-namespaces", 'A', "Of all namespaces"),
	OPT_SEEN_AT(struct dump_opts, BOOL, missing_ok, missing_given,
		    "allow-missing-template-keys", 0,
		    "What is not there is nothing in templates (default true)"),
	OPT(struct dump_opts, LIST, spaces, "namespaces", 0,
	    "Of these (default: kube-system and ours)"),
	OPT(struct dump_opts, STR, output, "output", 'o', "json (default), yaml, jsonpath=..."),
	OPT(struct dump_opts, STR, dir, "output-directory", 0,
	    "Files below this folder instead of standard output"),
	OPT_NOT_SUPPORTED(STR, "pod-running-timeout", 0,
			  "logs are taken as they are: nothing is waited for"),
	OPT(struct dump_opts, BOOL, managed, "show-managed-fields", 0, "Keep managedFields"),
	OPT(struct dump_opts, STR, template, "template", 0, "Template of -o jsonpath"),
	OPT_END
};

struct dump {
	struct kubectl *k;
	const struct dump_opts *o;
	struct kubectl_print print;
	const char *end; /* of files' names */
};

/* ---- where it goes ---- */

static bool to_files(const struct dump *p)
{
	return p->o->dir && *p->o->dir && strcmp(p->o->dir, "-") != 0;
}

/* What was printed goes to its file. Names come from the server: none leads out of the folder. */
static int finish(struct dump *p, const char *name, const char *end, struct err *err)
{
	CLEANUP(fd_close) int root = -1, dir = -1;
	const char *path = arena_printf(p->k->arena, "%s%s", name, end);
	char file[NAME_MAX + 1];
	int r;

	if (!to_files(p))
		return kubectl_flush(p->k, err);
	if (!path)
		return arena_quota(p->k->arena, err);
	r = fd_mkdir_p(AT_FDCWD, p->o->dir, 0755, err);
	root = r == 0 ? openat(AT_FDCWD, p->o->dir, O_DIRECTORY | O_RDONLY | O_CLOEXEC) : -1;
	if (r == 0 && root < 0)
		r = err_sys(err, "open folder '%s'", p->o->dir);
	if (r == 0)
		r = path_parent_in(root, path, true, &dir, file, sizeof(file), err);
	if (r == 0)
		r = fd_replace_file(dir, file, buf_str(&p->k->out), p->k->out.n, 0644, err);
	buf_clear(&p->k->out);
	return r < 0 ? err_wrap(err, "write '%s' below '%s'", path, p->o->dir) : 0;
}

/* ---- lists ---- */

static struct doc named_list(struct dump *p, const struct doc *list, const char *kind,
			     const char *api)
{
	struct arena *a = p->k->arena;
	struct doc out = doc_object(), items = doc_array();

	doc_set_str(a, &out, "kind", kind);
	doc_set_str(a, &out, "apiVersion", api);
	doc_set(a, &out, "metadata",
		doc_get(list, "metadata") ? *doc_get(list, "metadata") : doc_object());
	DOC_EACH (e, doc_get(list, "items")) {
		const struct doc *one = p->o->managed ? e : kubectl_unmanaged(a, e);

		if (one)
			doc_append(a, &items, *one);
	}
	doc_set(a, &out, "items", doc_len(&items) ? items : doc_null()); /* as Go writes none */
	return out;
}

struct dumped {
	const char *api, *resource, *kind, *file;
};

static int dump_list(struct dump *p, const struct dumped *what, const char *space, struct doc **ret,
		     struct err *err)
{
	CLEANUP(buf_fini) struct buf path = BUF_INIT(TARGET_MAX);
	struct client_request rq = { 0 };
	const char *slash = strchr(what->api, '/') + 1, *name;
	struct doc out;
	int r;

	buf_addf(&path, "/%s", what->api);
	if (space) {
		buf_adds(&path, "/namespaces/");
		url_encode(&path, slice_str(space), false);
	}
	buf_addf(&path, "/%s", what->resource);
	rq.target = buf_str(&path);
	r = client_call_doc(p->k->client, p->k->arena, &rq, ret, err);
	if (r < 0)
		return r;
	out = named_list(p, *ret, what->kind, slash);
	r = kubectl_print_plain(&p->print, &out, err);
	name = space ? arena_printf(p->k->arena, "%s/%s", space, what->file) : what->file;
	if (r == 0 && (!name || arena_exceeded(p->k->arena)))
		r = arena_quota(p->k->arena, err);
	return r < 0 ? r : finish(p, name, p->end, err);
}

/* ---- logs ---- */

static void dump_log(struct dump *p, const struct doc *pod, const struct doc *container)
{
	CLEANUP(buf_fini) struct buf path = BUF_INIT(TARGET_MAX);
	const char *space = kubectl_text(p->k, pod, "metadata.namespace"),
		   *name = kubectl_text(p->k, pod, "metadata.name"),
		   *its = kubectl_text(p->k, container, "name");
	struct client_request rq = { .accept = "*/*" };
	struct client_answer answer = { 0 };
	struct err err = ERR_INIT;

	buf_adds(&path, "/api/v1/namespaces/");
	url_encode(&path, slice_str(space), false);
	buf_adds(&path, "/pods/");
	url_encode(&path, slice_str(name), false);
	buf_adds(&path, "/log");
	query_add(&path, "container", its);
	rq.target = buf_str(&path);
	buf_addf(&p->k->out, "==== START logs for container %s of pod %s/%s ====\n", its, space,
		 name);
	if (client_call(p->k->client, p->k->arena, &rq, &answer, &err) < 0)
		buf_addf(&p->k->out, "Request log error: %s\n", err.msg);
	else
		buf_add(&p->k->out, answer.body.p, answer.body.n);
	buf_addf(&p->k->out, "==== END logs for container %s of pod %s/%s ====\n", its, space,
		 name);
}

static int dump_logs(struct dump *p, const char *space, const struct doc *pods, struct err *err)
{
	DOC_EACH (pod, doc_get(pods, "items")) {
		const char *name = arena_printf(p->k->arena, "%s/%s/logs", space,
						kubectl_text(p->k, pod, "metadata.name"));
		int r;

		DOC_EACH (c, doc_find(pod, "spec.initContainers"))
			dump_log(p, pod, c);
		DOC_EACH (c, doc_find(pod, "spec.containers"))
			dump_log(p, pod, c);
		r = name ? finish(p, name, ".txt", err) : arena_quota(p->k->arena, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int dump_space(struct dump *p, const char *space, struct err *err)
{
	static const struct dumped lists[] = {
		{ "api/v1", "events", "EventList", "events" },
		{ "api/v1", "replicationcontrollers", "ReplicationControllerList",
		  "replication-controllers" },
		{ "api/v1", "services", "ServiceList", "services" },
		{ "apis/apps/v1", "daemonsets", "DaemonSetList", "daemonsets" },
		{ "apis/apps/v1", "deployments", "DeploymentList", "deployments" },
		{ "apis/apps/v1", "replicasets", "ReplicaSetList", "replicasets" },
		{ "api/v1", "pods", "PodList", "pods" },
	};
	struct doc *pods = NULL;
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(lists) && r == 0; i++)
		r = dump_list(p, &lists[i], space, &pods, err);
	return r < 0 ? r : dump_logs(p, space, pods, err);
}

/* ---- the whole ---- */

static int spaces_of(struct dump *p, struct doc *list, struct err *err)
{
	struct arena *a = p->k->arena;
	struct client_request rq = { .target = "/api/v1/namespaces" };
	struct doc *all;
	int r;

	if (p->o->all) {
		r = client_call_doc(p->k->client, a, &rq, &all, err);
		if (r < 0)
			return r;
		DOC_EACH (s, doc_get(all, "items"))
			doc_append_str(a, list, kubectl_text(p->k, s, "metadata.name"));
	}
	for (size_t i = 0; i < p->o->spaces.n && !p->o->all; i++)
		for (struct slice rest = slice_str(p->o->spaces.v[i]); rest.p;) {
			struct slice one = slice_split(&rest, ',');

			doc_append(a, list, doc_strn(a, one.n ? one.p : "", one.n));
		}
	if (!p->o->spaces.n && !p->o->all) {
		doc_append_str(a, list, "kube-system");
		doc_append_str(a, list, p->k->conf.space);
	}
	if (doc_len(list) > SPACES_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %d namespaces", SPACES_MAX);
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

static int dump_run(struct cmd_call *call, struct err *err)
{
	static const struct dumped nodes = { "api/v1", "nodes", "NodeList", "nodes" };
	struct kubectl *k = kubectl_of(call);
	struct dump p = { .k = k, .o = call->opts };
	const char *output = kubectl_output_or(p.o->output, p.o->template, "json");
	struct doc *spaces = doc_new_array(k->arena), *ignored;
	int r = kubectl_print_init(&p.print, k, output, p.o->template, err);

	k->filing = to_files(&p);
	p.print.missing_ok = !p.o->missing_given || p.o->missing_ok;
	p.end = strcmp(output, "json") == 0   ? ".json"
		: strcmp(output, "yaml") == 0 ? ".yaml"
					      : ".txt";
	if (r == 0 && p.print.form != PRINT_JSON && p.print.form != PRINT_YAML &&
	    p.print.form != PRINT_JSONPATH && p.print.form != PRINT_JSONPATH_JSON &&
	    p.print.form != PRINT_TEMPLATE)
		return err_set(
			err, ERR_UNSUPPORTED,
			"-o %s: not supported by cluster-info dump; json, yaml and jsonpath are",
			output);
	if (r == 0)
		r = kubectl_client(k, err);
	if (r == 0)
		r = dump_list(&p, &nodes, NULL, &ignored, err);
	if (r == 0)
		r = spaces_of(&p, spaces, err);
	for (size_t i = 0; i < doc_len(spaces) && r == 0; i++) {
		const char *space = doc_cstr(k->arena, doc_at(spaces, i));

		r = space ? dump_space(&p, space, err) : arena_quota(k->arena, err);
	}
	if (r == 0 && to_files(&p))
		buf_addf(&k->out, "Cluster info dumped to %s\n", p.o->dir);
	return r;
}

const struct cmd kubectl_cluster_info_dump = {
	.path = "cluster-info dump",
	.args = "[OPTIONS]",
	.help = "Write down what runs in the cluster, and logs of pods",
	.opts = dump_opts,
	.opts_size = sizeof(struct dump_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_CLUSTER,
	.run = dump_run,
};
