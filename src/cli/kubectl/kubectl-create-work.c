/* SPDX-License-Identifier: Apache-2.0 */
/* `kubectl create deployment`, `job`, `cronjob`: what runs containers. */
#include "cli/kubectl/kubectl-cmds.h"
#include "cli/kubectl/kubectl-make.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"

static const struct make_kind deployment_kind = { "apps/v1", "Deployment", "deployments", true,
						  "failed to create deployment:" };
static const struct make_kind job_kind = { "batch/v1", "Job", "jobs", true,
					   "failed to create job:" };
static const struct make_kind cron_kind = { "batch/v1", "CronJob", "cronjobs", true,
					    "failed to create cronjob:" };

static void add_command(struct making *m, struct doc *container)
{
	struct opt_list words = { .v = (const char **)m->command, .n = m->ncommand };

	make_words(m, container, "command", &words);
}

static struct doc *add_container(struct making *m, struct doc *list, const char *name,
				 const char *image)
{
	struct doc *c = doc_append_object(m->k->arena, list);

	doc_set_str(m->k->arena, c, "name", name);
	doc_set_str(m->k->arena, c, "image", image);
	add_command(m, c);
	return c;
}

/* ---- deployment ---- */

struct deployment_opts {
	struct make_flags make;
	struct opt_list images;
	int64_t port, replicas;
	bool port_given, replicas_given;
};
static const struct opt deployment_opts[] = {
	MAKE_ROWS(struct deployment_opts),
	MAKE_OPT(struct deployment_opts, LIST, images, "image", "Image of a container; repeated"),
	OPT_SEEN_AT(struct deployment_opts, INT, port, port_given, "port", 0,
		    "Port of the first container"),
	OPT_SEEN_AT(struct deployment_opts, INT, replicas, replicas_given, "replicas", 'r',
		    "How many pods (default 1)"),
	OPT_END
};

/* The image's last part without tag or digest; what names cannot have makes it unique. */
static const char *container_name(struct kubectl *k, const char *image)
{
	static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
	const char *slash = strrchr(image, '/'), *from = slash ? slash + 1 : image;
	char *name = arena_strndup(k->arena, from, strcspn(from, ":@"));
	bool odd = false;
	char end[6] = "";

	for (char *c = name; c && *c; c++)
		if (*c == '_' || *c == '.') {
			*c = '-';
			odd = true;
		}
	for (size_t i = 0; i < 5; i++)
		end[i] = letters[random_u64() % (sizeof(letters) - 1)];
	return odd ? arena_printf(k->arena, "%s-%s", name, end) : name;
}

static struct doc *deployment(struct making *m, const struct deployment_opts *o,
			      const struct opt_list *images)
{
	struct arena *a = m->k->arena;
	struct doc *d = make_object(m, &deployment_kind, m->name), *spec, *template, *list;

	make_app(m, doc_get(d, "metadata"), "labels", m->name);
	spec = doc_set_object(a, d, "spec");
	doc_set_int(a, spec, "replicas", o->replicas_given ? o->replicas : 1);
	make_app(m, doc_set_object(a, spec, "selector"), "matchLabels", m->name);
	template = doc_set_object(a, spec, "template");
	make_app(m, make_meta(m, template, NULL), "labels", m->name);
	list = doc_set_array(a, doc_set_object(a, template, "spec"), "containers");
	for (size_t i = 0; i < images->n; i++) {
		struct doc *c =
			add_container(m, list, container_name(m->k, images->v[i]), images->v[i]);

		if (i == 0 && o->port_given && o->port >= 0)
			doc_set_int(a, doc_append_object(a, doc_set_array(a, c, "ports")),
				    "containerPort", o->port);
		doc_set_object(a, c, "resources");
	}
	doc_set_object(a, spec, "strategy");
	doc_set_object(a, d, "status");
	return d;
}

static int deployment_run(struct cmd_call *call, struct err *err)
{
	const struct deployment_opts *o = call->opts;
	struct opt_list images;
	struct making m;
	int r;

	if (!o->images.n)
		return make_required("\"image\"", err);
	r = make_begin(call, &o->make, &m, err);
	if (r == 0)
		r = make_commas(m.k, &o->images, 0, &images, err);
	if (r < 0)
		return r;
	if (images.n > 1 && m.ncommand)
		return err_set(err, ERR_BAD_REQUEST,
			       "cannot specify multiple --image options and command");
	return make_end(&m, &deployment_kind, deployment(&m, o, &images), err);
}

const struct cmd kubectl_create_deployment = {
	.path = "create deployment",
	.aliases = (const char *const[]){ "create deploy", NULL },
	.args = "NAME --image=IMAGE [OPTIONS] [-- COMMAND [ARG...]]",
	.help = "Create a deployment",
	.opts = deployment_opts,
	.opts_size = sizeof(struct deployment_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_BASIC,
	.run = deployment_run,
};

/* ---- job ---- */

struct job_opts {
	struct make_flags make;
	const char *image, *from;
};
static const struct opt job_opts[] = {
	MAKE_ROWS(struct job_opts),
	MAKE_OPT(struct job_opts, STR, from, "from", "A cronjob to make it of: cronjob/NAME"),
	MAKE_OPT(struct job_opts, STR, image, "image", "Image of its container"), OPT_END
};

/* spec of a pod that has one container. */
static void add_pod(struct making *m, struct doc *job_spec, const char *image, const char *restart)
{
	struct arena *a = m->k->arena;
	struct doc *template = doc_set_object(a, job_spec, "template"), *spec, *c;

	make_meta(m, template, NULL);
	spec = doc_set_object(a, template, "spec");
	c = add_container(m, doc_set_array(a, spec, "containers"), m->name, image);
	doc_set_object(a, c, "resources");
	doc_set_str(a, spec, "restartPolicy", restart);
}

/* Members of the cronjob's template go over. */
static struct doc *job_of(struct making *m, const struct doc *cron)
{
	struct arena *a = m->k->arena;
	struct doc *d = make_object(m, &job_kind, m->name), *meta = doc_get(d, "metadata"), *notes,
		   *owner;
	const struct doc *from = doc_find(cron, "spec.jobTemplate"),
			 *labels = doc_find(from, "metadata.labels"), *spec = doc_get(from, "spec");

	if (labels)
		doc_set(a, meta, "labels", *labels);
	notes = doc_set_object(a, meta, "annotations");
	doc_set_str(a, notes, "cronjob.kubernetes.io/instantiate", "manual");
	DOC_EACH_MEMBER (key, value, doc_find(from, "metadata.annotations"))
		doc_setn(a, notes, slice_of(key->s, key->n), *value);
	doc_sort_members(notes);
	owner = doc_append_object(a, doc_set_array(a, meta, "ownerReferences"));
	doc_set_str(a, owner, "apiVersion", "batch/v1");
	doc_set_str(a, owner, "kind", "CronJob");
	doc_set_str(a, owner, "name", kubectl_text(m->k, cron, "metadata.name"));
	doc_set_str(a, owner, "uid", kubectl_text(m->k, cron, "metadata.uid"));
	doc_set_bool(a, owner, "controller", true);
	doc_set(a, d, "spec", spec ? *spec : doc_object());
	doc_set_object(a, d, "status");
	return d;
}

static int find_cron(struct cmd_call *call, const char *word, struct doc **ret, struct err *err)
{
	char *args[] = { (char *)word, NULL };
	struct cmd_call look = *call;
	struct kubectl_files files = { 0 };
	struct kubectl_send get = { 0 };
	struct kubectl_items items;
	int r;

	look.args = args;
	look.nargs = 1;
	r = kubectl_items(&look, &files, KUBECTL_NAMES, &items, err);
	if (r == 0 && items.n != 1)
		return err_set(err, ERR_BAD_REQUEST, "from must be an existing cronjob");
	if (r == 0)
		r = kubectl_send(kubectl_of(call), &items.v[0], &get, ret, err);
	if (r == 0 && strcmp(items.v[0].res->kind, "CronJob") != 0)
		return err_set(err, ERR_BAD_REQUEST, "unknown object type *%s.%s",
			       *items.v[0].res->group ? items.v[0].res->version : "v1",
			       items.v[0].res->kind);
	return r;
}

static int job_run(struct cmd_call *call, struct err *err)
{
	const struct job_opts *o = call->opts;
	bool image = o->image && *o->image, from = o->from && *o->from;
	struct doc *d, *cron, *spec;
	struct making m;
	int r = make_begin(call, &o->make, &m, err);

	if (r < 0)
		return r;
	if (image == from)
		return err_set(err, ERR_BAD_REQUEST, "either --image or --from must be specified");
	if (from && m.ncommand)
		return err_set(err, ERR_BAD_REQUEST, "cannot specify --from and command");
	if (from) {
		r = find_cron(call, o->from, &cron, err);
		return r == 0 ? make_end(&m, &job_kind, job_of(&m, cron), err) : r;
	}
	d = make_object(&m, &job_kind, m.name);
	spec = doc_set_object(m.k->arena, d, "spec");
	add_pod(&m, spec, o->image, "Never");
	doc_set_object(m.k->arena, d, "status");
	return make_end(&m, &job_kind, d, err);
}

const struct cmd kubectl_create_job = {
	.path = "create job",
	.args = "NAME --image=IMAGE|--from=cronjob/NAME [OPTIONS] [-- COMMAND [ARG...]]",
	.help = "Create a job",
	.opts = job_opts,
	.opts_size = sizeof(struct job_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_BASIC,
	.run = job_run,
};

/* ---- cronjob ---- */

struct cron_opts {
	struct make_flags make;
	const char *image, *restart, *schedule;
};
static const struct opt cron_opts[] = {
	MAKE_ROWS(struct cron_opts),
	MAKE_OPT(struct cron_opts, STR, image, "image", "Image of its container"),
	MAKE_OPT(struct cron_opts, STR, restart, "restart",
		 "When the container is started anew: OnFailure (default), Never"),
	MAKE_OPT(struct cron_opts, STR, schedule, "schedule", "When it runs, as cron has it"),
	OPT_END
};

static int cron_run(struct cmd_call *call, struct err *err)
{
	const struct cron_opts *o = call->opts;
	struct doc *d, *spec, *template;
	struct making m;
	int r;

	if (!o->image || !o->schedule)
		return make_required(o->image	   ? "\"schedule\""
				     : o->schedule ? "\"image\""
						   : "\"image\", \"schedule\"",
				     err);
	r = make_begin(call, &o->make, &m, err);
	if (r < 0)
		return r;
	d = make_object(&m, &cron_kind, m.name);
	spec = doc_set_object(m.k->arena, d, "spec");
	doc_set_str(m.k->arena, spec, "schedule", o->schedule);
	template = doc_set_object(m.k->arena, spec, "jobTemplate");
	make_meta(&m, template, m.name);
	add_pod(&m, doc_set_object(m.k->arena, template, "spec"), o->image,
		o->restart && *o->restart ? o->restart : "OnFailure");
	doc_set_object(m.k->arena, d, "status");
	return make_end(&m, &cron_kind, d, err);
}

const struct cmd kubectl_create_cronjob = {
	.path = "create cronjob",
	.aliases = (const char *const[]){ "create cj", NULL },
	.args = "NAME --image=IMAGE --schedule=SCHEDULE [OPTIONS] [-- COMMAND [ARG...]]",
	.help = "Create a cronjob",
	.opts = cron_opts,
	.opts_size = sizeof(struct cron_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_BASIC,
	.run = cron_run,
};
