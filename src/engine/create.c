/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recording a new container: the client's wishes joined with the image's defaults, a directory, a
 * row. Nothing runs yet; the container is shown to clients when its row is durable.
 */
#include "engine/private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define WARNINGS_MAX 8

struct creation {
	struct container *c;
	engine_created *fn;
	void *arg;
	const char *warnings[WARNINGS_MAX + 1];
	size_t nwarnings;
	struct post post;
	struct err err;
};

static void warn(struct creation *cr, const char *text)
{
	if (cr->nwarnings < WARNINGS_MAX)
		cr->warnings[cr->nwarnings++] = text;
}

/* ---- the image's defaults ---- */

static struct strs from_image(const struct strv *v)
{
	return (struct strs){ (const char **)(uintptr_t)v->v, v->n };
}

static struct strs copy_strs(struct arena *a, struct strs from)
{
	struct strs to = { ARENA_ARRAY(a, const char *, from.n + 1), from.n };

	for (size_t i = 0; to.v && i < from.n; i++)
		to.v[i] = arena_strdup(a, from.v[i]);
	return to;
}

static size_t name_len(const char *kv)
{
	return strcspn(kv, "=");
}

/* The image's variables first, each replaced by the client's of the same name; the client's others
 * follow. */
static struct strs merge_env(struct arena *a, const struct strv *image, const struct strs *client)
{
	struct strs out = { ARENA_ARRAY(a, const char *, image->n + client->n + 1), 0 };

	for (size_t i = 0; out.v && i < image->n; i++) {
		size_t n = name_len(image->v[i]);
		bool replaced = false;

		for (size_t j = 0; j < client->n; j++)
			replaced |= name_len(client->v[j]) == n &&
				    memcmp(client->v[j], image->v[i], n) == 0;
		if (!replaced)
			out.v[out.n++] = arena_strdup(a, image->v[i]);
	}
	for (size_t j = 0; out.v && j < client->n; j++)
		out.v[out.n++] = client->v[j];
	return out;
}

static void merge_labels(struct arena *a, const struct image_config *ic, struct str_map *labels)
{
	struct str_pair *v = ARENA_ARRAY(a, struct str_pair, ic->nlabels + labels->n);
	size_t n = 0;

	for (size_t i = 0; v && i < ic->nlabels; i++)
		if (!str_map_get(labels, ic->labels[i].key))
			v[n++] = (struct str_pair){ arena_strdup(a, ic->labels[i].key),
						    arena_strdup(a, ic->labels[i].value) };
	for (size_t i = 0; v && i < labels->n; i++)
		v[n++] = labels->v[i];
	*labels = (struct str_map){ v, n };
}

static const char *or_image(struct arena *a, const char *client, const char *image)
{
	return client && *client ? client : image && *image ? arena_strdup(a, image) : "";
}

static void merge_ports(struct arena *a, const struct image_config *ic, struct container_config *cc)
{
	struct doc *o =
		cc->exposed_ports ? doc_copy_shared(a, cc->exposed_ports) : doc_new_object(a);

	for (size_t i = 0; i < ic->ports.n; i++)
		doc_set_object(a, o, ic->ports.v[i]);
	cc->exposed_ports = doc_len(o) ? o : NULL;
}

static void merge_image(struct creation *cr, const struct image *img)
{
	struct arena *a = cr->c->arena;
	struct container_config *cc = &cr->c->spec.config;
	const struct image_config *ic = image_config(img);

	cc->user = or_image(a, cc->user, ic->user);
	cc->workdir = or_image(a, cc->workdir, ic->working_dir);
	cc->stop_signal = or_image(a, cc->stop_signal, ic->stop_signal);
	cc->env = merge_env(a, &ic->env, &cc->env);
	merge_labels(a, ic, &cc->labels);
	merge_ports(a, ic, cc);
	if (cc->entrypoint.n == 0) {
		if (cc->cmd.n == 0)
			cc->cmd = copy_strs(a, from_image(&ic->cmd));
		cc->entrypoint = copy_strs(a, from_image(&ic->entrypoint));
	} else if (cc->entrypoint.n == 1 && !*cc->entrypoint.v[0]) {
		cc->entrypoint.n = 0; /* [""] takes the image's away */
	}
	if (cc->shell.n == 0)
		cc->shell = copy_strs(a, from_image(&ic->shell));
	if (ic->health.test.n && !cc->healthcheck)
		warn(cr,
		     "The image's health check is not run: health checks are not supported yet.");
	if (ic->volumes.n)
		warn(cr, "The image's volumes are directories of the container: volumes are not "
			 "supported yet.");
}

static int make_argv(struct container *c, struct err *err)
{
	const struct container_config *cc = &c->spec.config;

	c->argc = cc->entrypoint.n + cc->cmd.n;
	if (c->argc == 0)
		return err_set(err, ERR_BAD_REQUEST, "no command specified");
	c->argv = ARENA_ARRAY(c->arena, const char *, c->argc + 1);
	if (!c->argv)
		return arena_quota(c->arena, err);
	for (size_t i = 0; i < c->argc; i++)
		c->argv[i] = i < cc->entrypoint.n ? cc->entrypoint.v[i]
						  : cc->cmd.v[i - cc->entrypoint.n];
	return 0;
}

/* ---- defaults of the engine ---- */

static void fill_defaults(struct container *c)
{
	struct container_config *cc = &c->spec.config;
	struct host_config *h = &c->spec.host;
	struct network_mode mode;
	struct err ignored = ERR_INIT;
	char host[256] = "";

	if (cc->network_disabled)
		h->network_mode = "none";
	if (!h->network_mode || !*h->network_mode || strcmp(h->network_mode, "default") == 0)
		h->network_mode = "bridge";
	if (!cc->hostname || !*cc->hostname) {
		bool shares = (network_mode_parse(h->network_mode, &mode, &ignored) == 0 &&
			       mode.kind == NETWORK_KIND_HOST) ||
			      (h->uts_mode && strcmp(h->uts_mode, "host") == 0);

		if (shares && gethostname(host, sizeof(host) - 1) == 0)
			cc->hostname = arena_strdup(c->arena, host);
		else
			cc->hostname = arena_strndup(c->arena, c->id, 12);
	}
	if (!h->shm_size)
		h->shm_size = 64 << 20;
	if (!h->ipc_mode || !*h->ipc_mode)
		h->ipc_mode = "private";
	if (!h->runtime || !*h->runtime)
		h->runtime = "runc";
	if (!h->restart.name || !*h->restart.name)
		h->restart.name = "no";
	if (!h->log) {
		h->log = ARENA_NEW(c->arena, struct log_config);
		if (!h->log)
			return;
	}
	if (!h->log->type || !*h->log->type)
		h->log->type = "json-file";
}

/* "container:NAME" becomes "container:ID": a rename of the other must not lead elsewhere. */
static int pin_container(struct container *c, const char **mode, struct container **ret,
			 struct err *err)
{
	static const char prefix[] = "container:";
	int r;

	*ret = NULL;
	if (!*mode || strncmp(*mode, prefix, sizeof(prefix) - 1) != 0)
		return 0;
	r = engine_container_find(c->e, *mode + sizeof(prefix) - 1, ret, err);
	if (r < 0)
		return r;
	*mode = arena_printf(c->arena, "%s%s", prefix, (*ret)->id);
	return *mode ? 0 : arena_quota(c->arena, err);
}

static int pin_containers(struct container *c, struct err *err)
{
	struct host_config *h = &c->spec.host;
	struct container *net, *other;
	int r;

	r = pin_container(c, &h->network_mode, &net, err);
	if (r == 0 && net) { /* one network, one host name */
		if (net->spec.config.hostname)
			c->spec.config.hostname = arena_strdup(c->arena, net->spec.config.hostname);
		if (net->spec.config.domainname)
			c->spec.config.domainname =
				arena_strdup(c->arena, net->spec.config.domainname);
	}
	if (r == 0)
		r = pin_container(c, &h->pid_mode, &other, err);
	return r;
}

static int check_network(struct engine *e, const struct create_spec *s, struct err *err)
{
	struct network_mode mode;
	struct network *n;
	int r;

	r = network_mode_parse(s->host.network_mode ? s->host.network_mode : "", &mode, err);
	if (r < 0)
		return r;
	if (mode.kind == NETWORK_KIND_NAMED)
		return network_find(e->networks, mode.ref, &n, err);
	if (mode.kind == NETWORK_KIND_BRIDGE && !e->bridge)
		return err_set(err, ERR_UNSUPPORTED,
			       "network bridge is switched off in this engine");
	return 0;
}

/* ---- the steps ---- */

static int take_name(struct creation *cr, const char *name)
{
	struct engine *e = cr->c->e;
	char made[64];

	for (int i = 0; !name && i < 100; i++) {
		name_generate(made);
		if (!map_get(&e->by_name, slice_str(made)))
			name = made;
	}
	if (!name)
		name = cr->c->id;
	name += name[0] == '/';
	if (!name_valid(name))
		return err_set(
			&cr->err, ERR_BAD_REQUEST,
			"Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
			name);
	if (map_get(&e->by_name, slice_str(name))) {
		struct container *holder = map_get(&e->by_name, slice_str(name));

		return err_set(&cr->err, ERR_CONFLICT,
			       "Conflict. The container name \"/%s\" is already in use by "
			       "container \"%s\". You have to remove (or rename) that container to "
			       "be able to reuse that name.",
			       name, holder->id);
	}
	free(cr->c->name);
	cr->c->name = strdup(name);
	if (!cr->c->name)
		abort();
	return 0;
}

static int take_spec(struct creation *cr, const struct create_spec *spec)
{
	CLEANUP(image_unref) struct image *img = NULL;
	CLEANUP(arena_free) struct arena *tmp = arena_new("create", ENGINE_SPEC_MAX);
	struct container *c = cr->c;
	struct doc config, host, *ours_config, *ours_host;
	int r;

	r = image_resolve_platform(c->e->images, spec->config.image ? spec->config.image : "",
				   spec->platform, &img, &cr->err);
	if (r < 0)
		return r;
	r = create_spec_encode(spec, tmp, &config, &host, &cr->err);
	if (r < 0)
		return r;
	ours_config = doc_copy(c->arena, &config);
	ours_host = doc_copy(c->arena, &host);
	if (arena_exceeded(c->arena))
		return arena_quota(c->arena, &cr->err);
	r = container_set_spec(c, ours_config, ours_host, &cr->err);
	if (r < 0)
		return r;
	c->image_id = arena_strdup(c->arena, image_id(img));
	c->image_ref = arena_strdup(c->arena, spec->config.image);
	merge_image(cr, img);
	r = pin_containers(c, &cr->err);
	if (r < 0)
		return r;
	fill_defaults(c);
	if (arena_exceeded(c->arena))
		return arena_quota(c->arena, &cr->err);
	return make_argv(c, &cr->err);
}

static void created_saved(void *arg, int result, struct err *err)
{
	struct creation *cr = arg;
	struct container *c = cr->c;
	char id[ID_LEN + 1];

	memcpy(id, c->id, sizeof(id));
	if (result < 0) {
		struct engine *e = c->e;

		container_free(c);
		if (!e->closing)
			container_trash(e, id);
	} else {
		c->committed = true;
		container_event(c, "create", NULL, 0);
	}
	cr->fn(cr->arg, result, result < 0 ? NULL : id, cr->warnings, err);
	free(cr);
}

static void refused(struct post *p)
{
	struct creation *cr = CONTAINER_OF(p, struct creation, post);

	cr->fn(cr->arg, err_ret(&cr->err), NULL, cr->warnings, &cr->err);
	free(cr);
}

static int record(struct creation *cr, const struct create_spec *spec, const char *name)
{
	struct container *c = cr->c;
	int r;

	r = take_name(cr, name);
	if (r == 0)
		r = take_spec(cr, spec);
	if (r == 0)
		r = check_network(c->e, spec, &cr->err);
	if (r == 0)
		r = oci_spec_check(c->e, &c->spec, &cr->err);
	if (r < 0)
		return r;
	if (mkdirat(c->e->containers_fd, c->id, 0700) < 0)
		return err_sys(&cr->err, "make the container's directory '%s'", c->dir);
	container_show_endpoint(c);
	container_link(c);
	container_insert(c, created_saved, cr);
	return 0;
}

void engine_create(struct engine *e, const struct create_spec *spec, const char *name,
		   engine_created *fn, void *arg)
{
	struct creation *cr = calloc(1, sizeof(*cr));
	char id[ID_LEN + 1];

	if (!cr)
		abort();
	cr->fn = fn;
	cr->arg = arg;
	random_hex(id, ID_LEN);
	(void)container_new(e, id, "", &cr->c, &cr->err); /* cannot fail */
	lifecycle_init(cr->c);
	cr->c->state.created = clock_real();
	if (record(cr, spec, name) < 0) {
		container_free(cr->c);
		cr->c = NULL;
		cr->post.fn = refused;
		loop_post(e->loop, &cr->post);
	}
}
