/* SPDX-License-Identifier: Apache-2.0 */
/* GET /containers/json: docker ps and its filters. */
#include "docker/private.h"

#include <stdio.h>
#include <strings.h>

struct listing {
	struct call *c;
	struct filters f;
	bool all;
	int64_t limit; /* <= 0 = none */
	const struct container *before, *since;
};

/* ---- filters ---- */

static bool ancestor_matches(struct listing *l, const struct container *ct)
{
	const char *v;

	if (!filters_has(&l->f, "ancestor"))
		return true;
	for (size_t i = 0; (v = filters_nth(&l->f, "ancestor", i)); i++) {
		if (strcmp(v, container_image_ref(ct)) == 0 ||
		    image_is_meant(engine_images(l->c->e), v, container_image_id(ct)))
			return true;
	}
	return false;
}

/* A value "80", "80/tcp" or "80-90/udp" against the keys of a map of ports. */
static bool port_matches(const char *want, const struct doc *ports)
{
	struct slice rest = slice_str(want);
	struct slice range = slice_split(&rest, '/'), low = slice_split(&range, '-');
	struct slice proto = rest.p ? rest : SLICE("tcp");
	struct err ignored = ERR_INIT;
	uint64_t a, b, p;

	if (str_uint64(low, &a, &ignored) < 0)
		return false;
	b = a;
	if (range.p && str_uint64(range, &b, &ignored) < 0)
		return false;
	DOC_EACH_MEMBER (k, v, ports) {
		struct slice key = doc_slice(k), num = slice_split(&key, '/');

		(void)v;
		if (str_uint64(num, &p, &ignored) == 0 && p >= a && p <= b &&
		    slice_eq(key.p ? key : SLICE("tcp"), proto))
			return true;
	}
	return false;
}

static bool any_port(struct listing *l, const char *filter, const struct doc *ports)
{
	const char *v;

	for (size_t i = 0; (v = filters_nth(&l->f, filter, i)); i++)
		if (port_matches(v, ports))
			return true;
	return !filters_has(&l->f, filter);
}

static bool volume_matches(struct listing *l, const struct container *ct)
{
	struct doc *arr = doc_new_array(l->c->a);

	if (!filters_has(&l->f, "volume"))
		return true;
	show_mounts(l->c, ct, arr);
	DOC_EACH (m, arr)
		if (filters_exact(&l->f, "volume", doc_cstr(l->c->a, doc_get(m, "Source"))) ||
		    filters_exact(&l->f, "volume", doc_cstr(l->c->a, doc_get(m, "Destination"))))
			return true;
	return false;
}

static bool network_matches(struct listing *l, const struct container *ct)
{
	const struct container_endpoint *ep = container_endpoint(ct);
	const char *v;

	for (size_t i = 0; (v = filters_nth(&l->f, "network", i)); i++)
		if (strcmp(v, ep->network) == 0 ||
		    (*v && ep->network_id && strncmp(v, ep->network_id, strlen(v)) == 0))
			return true;
	return !filters_has(&l->f, "network");
}

static bool exited_matches(struct listing *l, const struct container_state *st)
{
	const char *v;
	char code[16];

	(void)snprintf(code, sizeof(code), "%d", st->exit_code);
	for (size_t i = 0; (v = filters_nth(&l->f, "exited", i)); i++)
		if (strcmp(v, code) == 0)
			return st->status == CT_EXITED || st->status == CT_DEAD;
	return !filters_has(&l->f, "exited");
}

static bool id_matches(struct listing *l, const char *id)
{
	const char *v;

	for (size_t i = 0; (v = filters_nth(&l->f, "id", i)); i++)
		if (strncmp(id, v, strlen(v)) == 0)
			return true;
	return !filters_has(&l->f, "id");
}

static bool name_matches(struct listing *l, const struct container *ct)
{
	char name[300];

	(void)snprintf(name, sizeof(name), "/%s", container_name(ct));
	return filters_match(&l->f, "name", name);
}

static bool matches(struct listing *l, const struct container *ct)
{
	const struct container_state *st = container_get_state(ct);
	const struct create_spec *spec = container_spec(ct);

	if (!l->all && st->status != CT_RUNNING && st->status != CT_PAUSED &&
	    st->status != CT_RESTARTING)
		return false;
	return filters_exact(&l->f, "status", container_status_name(st->status)) &&
	       id_matches(l, container_id(ct)) && name_matches(l, ct) &&
	       filters_labels(&l->f, "label", &spec->config.labels) && exited_matches(l, st) &&
	       ancestor_matches(l, ct) && network_matches(l, ct) && volume_matches(l, ct) &&
	       any_port(l, "expose", spec->config.exposed_ports) &&
	       any_port(l, "publish", spec->host.port_bindings) &&
	       filters_exact(&l->f, "health", "none");
}

/* ---- one row ---- */

static void command_text(struct call *c, const struct container *ct, struct doc *o)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1u << 20);
	size_t n;
	const char *const *argv = container_argv(ct, &n);

	/* docker quotes what has a blank in it with single quotes. */
	for (size_t i = 0; i < n; i++)
		buf_addf(&b, strchr(argv[i], ' ') ? "%s'%s'" : "%s%s", i ? " " : "", argv[i]);
	doc_set_str(c->a, o, "Command", buf_str(&b));
}

/* The name given at create, unless the name now stands for another image. */
static const char *image_text(struct call *c, const struct container *ct)
{
	return image_is_meant(engine_images(c->e), container_image_ref(ct), container_image_id(ct))
		       ? container_image_ref(ct)
		       : container_image_id(ct);
}

static void show_ports(struct call *c, const struct container *ct, struct doc *arr)
{
	struct err ignored = ERR_INIT;
	uint64_t p;

	if (!container_get_state(ct)->pid)
		return;
	DOC_EACH_MEMBER (k, v, container_spec(ct)->config.exposed_ports) {
		struct slice key = doc_slice(k), num = slice_split(&key, '/');
		struct doc *o;

		(void)v;
		if (str_uint64(num, &p, &ignored) < 0)
			continue;
		o = doc_append_object(c->a, arr);
		doc_set_uint(c->a, o, "PrivatePort", p);
		doc_set_strn(c->a, o, "Type", key.p ? key.p : "tcp", key.p ? key.n : 3);
	}
}

static void show_row(struct call *c, const struct container *ct, struct doc *o)
{
	const struct container_state *st = container_get_state(ct);
	const struct create_spec *spec = container_spec(ct);
	struct arena *a = c->a;
	struct doc *d;
	char status[128];

	doc_set_str(a, o, "Id", container_id(ct));
	d = doc_set_array(a, o, "Names");
	doc_append_str(a, d, arena_printf(a, "/%s", container_name(ct)));
	doc_set_str(a, o, "Image", image_text(c, ct));
	doc_set_str(a, o, "ImageID", container_image_id(ct));
	command_text(c, ct, o);
	doc_set_int(a, o, "Created", st->created / NS_PER_SEC);
	show_ports(c, ct, doc_set_array(a, o, "Ports"));
	d = doc_set_object(a, o, "Labels");
	for (size_t i = 0; i < spec->config.labels.n; i++)
		doc_set_str(a, d, spec->config.labels.v[i].key, spec->config.labels.v[i].value);
	doc_set_str(a, o, "State", container_status_name(st->status));
	show_status(ct, clock_real(), status, sizeof(status));
	doc_set_str(a, o, "Status", status);
	d = doc_set_object(a, o, "HostConfig");
	doc_set_str(a, d, "NetworkMode", spec->host.network_mode);
	if (c->minor >= 46 && spec->host.annotations.n) {
		d = doc_set_object(a, d, "Annotations");
		for (size_t i = 0; i < spec->host.annotations.n; i++)
			doc_set_str(a, d, spec->host.annotations.v[i].key,
				    spec->host.annotations.v[i].value);
	}
	d = doc_set_object(a, o, "NetworkSettings");
	show_networks(c, ct, doc_set_object(a, d, "Networks"));
	show_mounts(c, ct, doc_set_array(a, o, "Mounts"));
}

/* ---- the request ---- */

static int reference(struct listing *l, const char *key, const struct container **ret,
		     struct err *err)
{
	const char *v = filters_nth(&l->f, key, 0);
	struct container *ct;
	int r;

	if (!v)
		v = query_get(&l->c->q, key);
	if (!v || !*v)
		return 0;
	r = engine_container_find(l->c->e, v, &ct, err);
	if (r == 0)
		*ret = ct;
	return r;
}

static int check_words(const struct filters *f, const char *key, const char *const *words,
		       struct err *err)
{
	const char *v;

	for (size_t i = 0; (v = filters_nth(f, key, i)); i++)
		if (!str_is_one_of(v, words))
			return filters_invalid(key, v, err);
	return 0;
}

static int read_request(struct listing *l, struct err *err)
{
	static const char *const known[] = { "ancestor", "before", "exited",  "expose",
					     "health",	 "id",	   "is-task", "isolation",
					     "label",	 "name",   "network", "publish",
					     "since",	 "status", "volume",  NULL };
	static const char *const states[] = { "created",  "running", "paused", "restarting",
					      "removing", "exited",  "dead",   NULL };
	static const char *const healths[] = { "none", "starting", "healthy", "unhealthy", NULL };
	int r;

	r = filters_parse(l->c, known, &l->f, err);
	if (r == 0)
		r = check_words(&l->f, "status", states, err);
	if (r == 0)
		r = check_words(&l->f, "health", healths, err);
	if (r == 0)
		r = reference(l, "before", &l->before, err);
	if (r == 0)
		r = reference(l, "since", &l->since, err);
	if (r < 0)
		return r;
	r = filters_bool(&l->f, "is-task", 0, err);
	if (r < 0)
		return r;
	if (r == 1)
		l->limit = -2; /* no container here is a swarm task */
	l->all |= filters_has(&l->f, "status") || filters_has(&l->f, "exited") || l->before ||
		  l->since;
	return 0;
}

void containers_list(struct call *c)
{
	struct listing l = { .c = c, .all = query_bool(&c->q, "all", false) };
	struct doc *arr = doc_new_array(c->a);
	struct container *ct = NULL;
	struct err err = ERR_INIT;
	int64_t limit, n = 0;
	bool skipping;

	if (query_bool(&c->q, "size", false)) {
		reply_fail(c, ERR_UNSUPPORTED,
			   "the size of containers (size=1) is not supported yet");
		return;
	}
	if (call_int(c, "limit", -1, &limit) < 0)
		return;
	l.limit = limit > 0 ? limit : -1;
	l.all |= limit > 0;
	if (read_request(&l, &err) < 0) {
		reply_err(c, &err);
		return;
	}
	skipping = l.before != NULL; /* the list is newest first: older ones follow it */
	while (l.limit != -2 && (ct = engine_container_next(c->e, ct))) {
		if (ct == l.since || (l.limit > 0 && n == l.limit))
			break;
		if (!skipping && matches(&l, ct)) {
			show_row(c, ct, doc_append_object(c->a, arr));
			n++;
		}
		skipping &= ct != l.before;
	}
	reply_doc(c, 200, arr);
}
