/* SPDX-License-Identifier: Apache-2.0 */
/* `kubectl describe`: which objects, and who knows how to tell of each. */
#include "cli/kubectl/describe.h"

#include "base/arena.h"
#include "base/err.h"
#include "cli/kubectl/kubectl-cmds.h"

struct describe_opts {
	struct kubectl_files files;
	const char *selector;
	bool all, events, events_given, chunk_given;
	int64_t chunk;
};

static const struct opt describe_opts[] = {
	OPT(struct describe_opts, BOOL, all, "all-namespaces", 'A', "From all namespaces"),
	OPT_SEEN_AT(struct describe_opts, INT, chunk, chunk_given, "chunk-size", 0,
		    "Objects of one answer, 0 for all at once (default 500)"),
	OPT(struct describe_opts, LIST, files.names, "filename", 'f',
	    "Objects that are in this file"),
	OPT_NOT_SUPPORTED(STR, "kustomize", 'k', "there is no kustomize in teu kubectl yet"),
	OPT(struct describe_opts, BOOL, files.recursive, "recursive", 'R',
	    "Folders of --filename with those in them"),
	OPT(struct describe_opts, STR, selector, "selector", 'l', "Only objects with these labels"),
	OPT_SEEN_AT(struct describe_opts, BOOL, events, events_given, "show-events", 0,
		    "Tell the events about it, too (default true)"),
	OPT_END
};

struct describing {
	struct kubectl *k;
	const struct describe_opts *o;
	bool events, any;
	int64_t chunk;
};

/* ---- one object ---- */

static const struct describe_kind *kind_of(const struct resource *r)
{
	static const struct describe_kind *const areas[] = { describe_core, describe_workloads,
							     describe_networks, describe_stores,
							     describe_rules };
	static const struct describe_kind any = { "", "", NULL, describe_generic, true };

	for (size_t i = 0; i < ARRAY_LEN(areas); i++)
		for (const struct describe_kind *k = areas[i]; k->kind; k++)
			if (strcmp(k->group, r->group) == 0 && strcmp(k->kind, r->kind) == 0)
				return k;
	return &any;
}

/* The object in the version that is told of. */
static int get_object(struct describing *g, struct kubectl_item *it,
		      const struct describe_kind *kind, const struct doc **ret, struct err *err)
{
	struct kubectl_send s = { 0 };
	struct doc *d;
	int r;

	if (kind->api && strcmp(kind->api, it->res->api_version) != 0) {
		const struct resource *other = catalog_kind(&g->k->catalog, kind->api, kind->kind);

		it->obj = other ? NULL : it->obj;
		it->res = other ? other : it->res;
	}
	if (it->obj && !it->from) {
		*ret = it->obj;
		return 0;
	}
	r = kubectl_send(g->k, it, &s, &d, err);
	*ret = d;
	return r;
}

static int describe_one(struct describing *g, struct kubectl_item it, struct buf *out,
			struct err *err)
{
	const struct describe_kind *kind = kind_of(it.res);
	struct describe d = { .k = g->k,
			      .name = it.name,
			      .space = it.space ? it.space : "",
			      .show_events = g->events,
			      .chunk = g->chunk,
			      .text = BUF_INIT(DESCRIBE_TEXT_MAX) };
	int r = get_object(g, &it, kind, &d.obj, err);

	if (r == 0 && kind->events && g->events)
		describe_find_events(&d, it.res->kind, kubectl_text(g->k, d.obj, "metadata.uid"));
	if (r == 0)
		r = kind->run(&d, err);
	if (r == 0 && kind->events)
		describe_events(&d);
	if (r == 0) {
		describe_align(buf_slice(&d.text), out);
		if (d.text.full || out->full || arena_exceeded(g->k->arena))
			r = err_set(err, ERR_TOO_LARGE, "%s/%s: the description is too long",
				    it.res->name, it.name);
	}
	buf_fini(&d.text);
	return r;
}

/* ---- several ---- */

static void note_once(struct describing *g, struct err *err)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(1u << 20);

	kubectl_explain(g->k, err, &text);
	if (!g->k->failed || !slice_has_text(buf_slice(&g->k->errors), buf_slice(&text)))
		kubectl_note(g->k, err);
	*err = ERR_INIT;
}

static int describe_each(struct describing *g, const struct kubectl_items *items, struct err *err)
{
	for (size_t i = 0; i < items->n; i++) {
		CLEANUP(buf_fini) struct buf b = BUF_INIT(DESCRIBE_TEXT_MAX);

		if (describe_one(g, items->v[i], &b, err) < 0) {
			if (!client_failure(g->k->client) && err->code == ERR_UNAVAILABLE)
				return err_ret(err);
			note_once(g, err);
			continue;
		}
		buf_adds(&g->k->out, g->any ? "\n\n" : "");
		buf_add(&g->k->out, b.p, b.n);
		g->any = true;
	}
	return 0;
}

/* Nothing has the name: all whose names begin with it. 1 = there were some. */
static int describe_prefixed(struct describing *g, const struct kubectl_item *what, struct err *err)
{
	struct kubectl_item all = *what;
	struct kubectl_items items = { .v = &all, .n = 1 };
	bool any = false;
	int r;

	all.name = NULL;
	r = kubectl_expand(g->k, NULL, NULL, &items, err);
	for (size_t i = 0; i < items.n && r == 0; i++) {
		if (strncmp(items.v[i].name, what->name, strlen(what->name)) != 0)
			continue;
		any = true;
		r = describe_one(g, items.v[i], &g->k->out, err);
		buf_addc(&g->k->out, '\n');
	}
	return r < 0 ? r : any;
}

static int describe_named(struct describing *g, const struct kubectl_items *items, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(DESCRIBE_TEXT_MAX);
	int r = describe_one(g, items->v[0], &b, err);
	struct err late = ERR_INIT;

	if (r == 0)
		return buf_add(&g->k->out, b.p, b.n);
	if (r != -ERR_NOT_FOUND || !client_failure(g->k->client))
		return r;
	{
		struct kubectl_send s = { 0 };
		struct doc *d;

		r = describe_prefixed(g, &items->v[0], &late);
		if (r > 0)
			return 0;
		if (r < 0) {
			*err = late;
			return r;
		}
		/* the server's own words once more: the list has taken their place */
		*err = ERR_INIT;
		return kubectl_send(g->k, &items->v[0], &s, &d, err);
	}
}

static int describe_run(struct cmd_call *call, struct err *err)
{
	const struct describe_opts *o = call->opts;
	struct kubectl *k = kubectl_of(call);
	struct describing g = { .k = k,
				.o = o,
				.events = !o->events_given || o->events,
				.chunk = o->chunk_given ? o->chunk : 500 };
	unsigned flags = (o->all ? KUBECTL_ALL_SPACES : 0) | (o->selector ? KUBECTL_SELECTED : 0);
	struct kubectl_items items;
	int r;

	if (!call->nargs && !o->files.names.n)
		return err_set(err, ERR_BAD_REQUEST,
			       "You must specify the type of resource to describe. Use \"kubectl "
			       "api-resources\" for a complete list of supported resources.");
	r = kubectl_items(call, &o->files, flags, &items, err);
	if (r == 0)
		r = kubectl_expand(k, o->selector, NULL, &items, err);
	if (r == 0 && call->nargs == 2 && items.n == 1 && items.v[0].name && !items.v[0].obj)
		return describe_named(&g, &items, err);
	if (r == 0)
		r = describe_each(&g, &items, err);
	if (r == 0 && !items.n && o->all)
		buf_adds(&k->errors, "No resources found\n");
	else if (r == 0 && !items.n)
		buf_addf(&k->errors, "No resources found in %s namespace.\n", k->conf.space);
	return r;
}

const struct cmd kubectl_describe = {
	.path = "describe",
	.args = "[OPTIONS] TYPE[,TYPE...] [NAME|PREFIX...] | TYPE/NAME... | -f FILE",
	.help = "Tell all about objects: what they are to be, what they are, what happened",
	.details = "When nothing has the name, everything whose name begins with it is told of.",
	.opts = describe_opts,
	.opts_size = sizeof(struct describe_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_TROUBLE,
	.run = describe_run,
};
