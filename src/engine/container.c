/* SPDX-License-Identifier: Apache-2.0 */
/* Containers in memory: making and finding them, what they show, their waits and events. */
#include "engine/private.h"

const char *container_status_name(enum container_status s)
{
	static const char *const names[] = { "created",	 "running", "paused", "restarting",
					     "removing", "exited",  "dead" };

	return names[s];
}

int container_new(struct engine *e, const char *id, const char *name, struct container **ret,
		  struct err *err)
{
	struct container *c = calloc(1, sizeof(*c));

	if (!c)
		abort();
	c->e = e;
	c->netns = -1;
	c->arena = arena_new("container", ENGINE_SPEC_MAX);
	str_copy(c->id, sizeof(c->id), id);
	c->name = strdup(name);
	if (!c->name)
		abort();
	c->dir = arena_printf(c->arena, "%s/containers/%s", e->root, c->id);
	c->run_dir = arena_printf(c->arena, "%s/c/%.16s", e->run, c->id);
	c->log_path = arena_printf(c->arena, "%s/%s-json.log", c->dir, c->id);
	c->state = (struct container_state){ .status = CT_CREATED,
					     .started = CLOCK_ZERO,
					     .finished = CLOCK_ZERO,
					     .error = c->error };
	list_init(&c->link);
	list_init(&c->ops);
	list_init(&c->calls);
	list_init(&c->waits);
	list_init(&c->attaches);
	list_init(&c->execs);
	*ret = c;
	(void)err;
	return 0;
}

void container_link(struct container *c)
{
	struct list *pos = &c->e->containers;

	/* Newest first; nearly always the new one is the newest. */
	while (pos->next != &c->e->containers &&
	       LIST_ENTRY(pos->next, struct container, link)->state.created > c->state.created)
		pos = pos->next;
	list_add_after(pos, &c->link);
	map_put(&c->e->by_id, slice_str(c->id), c);
	map_put(&c->e->by_name, slice_str(c->name), c);
	c->e->count++;
}

void container_unlink(struct container *c)
{
	if (list_empty(&c->link))
		return;
	list_del(&c->link);
	map_del(&c->e->by_id, slice_str(c->id));
	if (map_get(&c->e->by_name, slice_str(c->name)) == c)
		map_del(&c->e->by_name, slice_str(c->name));
	c->e->count--;
}

void container_free(struct container *c)
{
	struct engine_wait *w;

	if (!c)
		return;
	/* First what could still call back, then whoever waits for an answer. */
	shim_client_free(c->shim);
	fd_close(c->netns);
	c->shim = NULL;
	timer_fini(&c->timer);
	reap_forget(c);
	start_free(c);
	lifecycle_fini(c);
	calls_free(c);
	exec_free_all(c);
	LIST_FOREACH (w, &c->waits, struct engine_wait, link)
		list_del(&w->link);
	attaches_free(c);
	if (c->removed)
		list_del(&c->link);
	else
		container_unlink(c);
	arena_free(c->arena);
	free(c->name);
	free(c);
}

int container_set_spec(struct container *c, const struct doc *config, const struct doc *host,
		       struct err *err)
{
	return create_spec_load(config, host, c->arena, &c->spec, err);
}

void container_set_status(struct container *c, enum container_status to)
{
	c->state.status = to;
	if (to != CT_RUNNING && to != CT_PAUSED)
		c->state.pid = 0;
}

void container_set_error(struct container *c, const char *msg)
{
	str_copy(c->error, sizeof(c->error), msg);
}

bool container_alive(const struct container *c)
{
	return c->state.status == CT_RUNNING || c->state.status == CT_PAUSED;
}

const char *container_run_dir(const struct container *c)
{
	return c->run_dir;
}

/* ---- what fronts read ---- */

const char *container_id(const struct container *c)
{
	return c->id;
}
const char *container_name(const struct container *c)
{
	return c->name;
}
const struct container_state *container_get_state(const struct container *c)
{
	return &c->state;
}
const struct create_spec *container_spec(const struct container *c)
{
	return &c->spec;
}
const char *container_image_id(const struct container *c)
{
	return c->image_id ? c->image_id : "";
}
const char *container_image_ref(const struct container *c)
{
	return c->image_ref ? c->image_ref : "";
}
const char *container_log_path(const struct container *c)
{
	return c->log_path;
}
const char *container_dir(const struct container *c)
{
	return c->dir;
}
const char *const *container_argv(const struct container *c, size_t *ret_n)
{
	*ret_n = c->argc;
	return c->argv;
}

static void address_text(const struct rtnl_addr *a, char *dst, size_t n)
{
	char text[INET6_ADDRSTRLEN] = "";

	if (a->family)
		inet_ntop(a->family, &a->v4, text, sizeof(text));
	str_copy(dst, n, text);
}

void container_show_endpoint(struct container *c)
{
	struct network_info info = { .id = "", .name = "" };
	const char *mode = c->spec.host.network_mode ? c->spec.host.network_mode : "";

	if (*c->ep.network_id) {
		address_text(&c->ep.addr, c->ip, sizeof(c->ip));
		address_text(&c->ep.gateway, c->gateway, sizeof(c->gateway));
		network_mac_text(c->ep.mac, c->mac);
	} else {
		c->ip[0] = c->gateway[0] = c->mac[0] = '\0';
	}
	if (c->e->bridge)
		network_info(c->e->bridge, &info);
	c->shown = (struct container_endpoint){
		.network = *mode && strcmp(mode, "default") != 0 ? mode : "bridge",
		.endpoint_id = c->ep.endpoint_id,
		.ip = c->ip,
		.gateway = c->gateway,
		.mac = c->mac,
		.prefix = *c->ep.network_id ? c->ep.addr.prefix : 0,
	};
	c->shown.network_id = strcmp(c->shown.network, "bridge") == 0 ? info.id : "";
}

const struct container_endpoint *container_endpoint(const struct container *c)
{
	return &c->shown;
}

size_t engine_container_count(const struct engine *e)
{
	return e->count;
}

struct container *engine_container_next(struct engine *e, struct container *prev)
{
	struct list *l = prev ? prev->link.next : e->containers.next;

	while (l != &e->containers && !LIST_ENTRY(l, struct container, link)->committed)
		l = l->next;
	return l == &e->containers ? NULL : LIST_ENTRY(l, struct container, link);
}

int engine_container_find(struct engine *e, const char *ref, struct container **ret,
			  struct err *err)
{
	const char *name = ref[0] == '/' ? ref + 1 : ref;
	struct container *c, *found = NULL;
	size_t n = strlen(ref);

	c = map_get(&e->by_id, slice_str(ref));
	if (!c || !c->committed)
		c = map_get(&e->by_name, slice_str(name));
	if (c && strcmp(c->id, ref) != 0 && strcmp(c->name, name) != 0)
		c = NULL; /* a name that is only reserved, by a rename that is not durable yet */
	if (c && c->committed && !c->removed) {
		*ret = c;
		return 0;
	}
	for (c = n && hex_is_lower(slice_str(ref)) ? engine_container_next(e, NULL) : NULL; c;
	     c = engine_container_next(e, c)) {
		if (c->removed || strncmp(c->id, ref, n) != 0)
			continue;
		if (found)
			return err_set(err, ERR_BAD_REQUEST,
				       "multiple IDs found with provided prefix: %s", ref);
		found = c;
	}
	if (!found)
		return err_set(err, ERR_NOT_FOUND, "No such container: %s", ref);
	*ret = found;
	return 0;
}

/* ---- waits ---- */

void engine_wait_start(struct engine *e, struct container *c, struct engine_wait *w)
{
	(void)e;
	w->c = c;
	list_init(&w->link);
	if (w->condition == WAIT_NOT_RUNNING && !container_alive(c) && !c->start && !c->settling &&
	    c->state.status != CT_RESTARTING) {
		w->fn(w, c->state.exit_code, "");
		return;
	}
	list_append(&c->waits, &w->link);
}

void engine_wait_cancel(struct engine_wait *w)
{
	if (w->link.next)
		list_del(&w->link);
}

/* An exit fires those for not-running and next-exit; the removal fires the rest too. */
void container_waits_fire(struct container *c, enum wait_condition reached)
{
	struct list over = LIST_INIT(over);
	struct engine_wait *w;

	/* Onto a list of their own: a call may cancel another wait or start a new one. */
	LIST_FOREACH (w, &c->waits, struct engine_wait, link)
		if (w->condition != WAIT_REMOVED || reached == WAIT_REMOVED) {
			list_del(&w->link);
			list_append(&over, &w->link);
		}
	while ((w = LIST_FIRST(&over, struct engine_wait, link))) {
		list_del(&w->link);
		w->fn(w, c->state.exit_code, c->error);
	}
	calls_exited(c);
}

/* ---- events ---- */

void container_event(struct container *c, const char *action, const struct event_attr *more,
		     size_t n)
{
	const struct str_map *labels = &c->spec.config.labels;
	struct event_attr *attrs = calloc(labels->n + n + 2, sizeof(*attrs));
	size_t k = 0;

	if (!attrs)
		abort();
	for (size_t i = 0; i < n; i++)
		attrs[k++] = more[i];
	attrs[k++] = (struct event_attr){ "image", container_image_ref(c) };
	for (size_t i = 0; i < labels->n; i++)
		attrs[k++] = (struct event_attr){ labels->v[i].key, labels->v[i].value };
	attrs[k++] = (struct event_attr){ "name", c->name };
	engine_event(c->e, "container", action, c->id, attrs, k);
	free(attrs);
}

void container_network_event(struct container *c, const char *action, const char *network_id)
{
	const struct event_attr attrs[] = { { "container", c->id },
					    { "name", c->shown.network },
					    { "type", "bridge" } };

	engine_event(c->e, "network", action, network_id, attrs, ARRAY_LEN(attrs));
}

void engine_get_counts(const struct engine *e, struct engine_counts *ret)
{
	struct container *c;

	*ret = (struct engine_counts){ 0 };
	LIST_FOREACH (c, &e->containers, struct container, link) {
		if (!c->committed)
			continue;
		ret->containers++;
		if (c->state.status == CT_RUNNING)
			ret->running++;
		else if (c->state.status == CT_PAUSED)
			ret->paused++;
		else
			ret->stopped++;
	}
}
