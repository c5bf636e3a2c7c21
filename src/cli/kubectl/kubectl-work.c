/* SPDX-License-Identifier: Apache-2.0 */
/* What commands that change objects share: finding them, requests, result lines, watches. */
#include "cli/kubectl/kubectl.h"

#include "api/api.h"
#include "api/merge.h"
#include "base/arena.h"
#include "base/err.h"
#include "doc/json.h"
#include "io/url.h"

#include <ctype.h>

#define TARGET_MAX 65536
#define EVENT_MAX (64u << 20) /* bytes of one line of a watch */

/* ---- finding ---- */

static int list_item(struct kubectl *k, const struct kubectl_item *it, const char *labels,
		     const char *fields, struct doc **ret, struct err *err)
{
	CLEANUP(buf_fini) struct buf path = BUF_INIT(TARGET_MAX);
	struct client_request rq = { 0 };

	resource_path(it->res, it->space, NULL, &path);
	query_add(&path, "labelSelector", labels);
	query_add(&path, "fieldSelector", fields);
	if (path.full)
		return err_set(err, ERR_TOO_LARGE, "selectors are too long");
	rq.target = buf_str(&path);
	return client_call_doc(k->client, k->arena, &rq, ret, err);
}

int kubectl_expand(struct kubectl *k, const char *labels, const char *fields,
		   struct kubectl_items *items, struct err *err)
{
	struct kubectl_items out = { .single = items->single };
	struct doc **lists = ARENA_ARRAY(k->arena, struct doc *, items->n + 1);
	size_t n = 0;

	for (size_t i = 0; lists && i < items->n; i++) {
		int r = items->v[i].name
				? 0
				: list_item(k, &items->v[i], labels, fields, &lists[i], err);

		if (r < 0)
			return r;
		n += items->v[i].name ? 1 : doc_len(doc_get(lists[i], "items"));
	}
	out.v = ARENA_ARRAY(k->arena, struct kubectl_item, n + 1);
	if (!lists || !out.v)
		return arena_quota(k->arena, err);
	for (size_t i = 0; i < items->n; i++) {
		if (items->v[i].name)
			out.v[out.n++] = items->v[i];
		DOC_EACH (e, doc_get(lists[i], "items")) {
			struct kubectl_item it = items->v[i];

			/* Items of a typed list say no kind of their own. */
			doc_set_str(k->arena, e, "apiVersion", it.res->api_version);
			doc_set_str(k->arena, e, "kind", it.res->kind);
			it.obj = e;
			it.name = kubectl_text(k, e, "metadata.name");
			if (it.res->namespaced)
				it.space = kubectl_text(k, e, "metadata.namespace");
			out.v[out.n++] = it;
		}
	}
	*items = out;
	return arena_exceeded(k->arena) ? arena_quota(k->arena, err) : 0;
}

/* ---- requests ---- */

int kubectl_send(struct kubectl *k, const struct kubectl_item *it, const struct kubectl_send *s,
		 struct doc **ret, struct err *err)
{
	CLEANUP(buf_fini) struct buf path = BUF_INIT(TARGET_MAX);
	CLEANUP(buf_fini) struct buf body = BUF_INIT(256u << 20);
	struct client_request rq = { .method = s->method,
				     .content_type = s->type,
				     .time = s->time };

	resource_path(it->res, it->space, s->collection ? NULL : it->name, &path);
	if (s->sub)
		buf_addf(&path, "/%s", s->sub);
	query_add(&path, "fieldManager", s->manager);
	query_add(&path, "fieldValidation", s->validation);
	query_add(&path, "dryRun", s->dry_run);
	query_add(&path, "force", s->force);
	if (path.full)
		return err_set(err, ERR_TOO_LARGE, "the name is too long");
	if (s->body && json_write(s->body, NULL, &body, err) < 0)
		return err_ret(err);
	rq.target = buf_str(&path);
	rq.body = buf_slice(&body);
	return client_call_doc(k->client, k->arena, &rq, ret, err);
}

int kubectl_send_new(struct kubectl *k, const struct kubectl_item *it, struct kubectl_send *s,
		     struct doc **ret, struct err *err)
{
	struct doc *body = doc_copy_shared(k->arena, s->body);

	doc_remove(doc_get(body, "metadata"), "resourceVersion");
	s->body = body;
	return body ? kubectl_send(k, it, s, ret, err) : arena_quota(k->arena, err);
}

int kubectl_dry(const char *text, enum kubectl_dry *ret, struct err *err)
{
	*ret = DRY_NONE;
	if (!text || strcmp(text, "none") == 0)
		return 0;
	if (strcmp(text, "client") == 0)
		*ret = DRY_CLIENT;
	else if (strcmp(text, "server") == 0)
		*ret = DRY_SERVER;
	else
		return err_set(err, ERR_INVALID,
			       "Invalid dry-run value (%s). Must be \"none\", \"server\", or "
			       "\"client\".",
			       text);
	return 0;
}

const char *kubectl_dry_word(enum kubectl_dry dry)
{
	return dry == DRY_SERVER ? "All" : NULL;
}

int kubectl_validation(const char *text, const char **ret, struct err *err)
{
	static const char *const values[][2] = {
		{ "strict", "Strict" }, { "true", "Strict" },  { "warn", "Warn" },
		{ "ignore", "Ignore" }, { "false", "Ignore" },
	};

	*ret = "Strict";
	if (!text)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		if (strcasecmp(text, values[i][0]) == 0) {
			*ret = values[i][1];
			return 0;
		}
	return err_set(err, ERR_INVALID,
		       "invalid - validate option \"%s\"; must be one of: strict (or true), warn, "
		       "ignore (or false)",
		       text);
}

int kubectl_each(struct kubectl *k, const struct kubectl_items *items,
		 int (*fn)(void *arg, const struct kubectl_item *it, struct err *err), void *arg,
		 struct err *err)
{
	for (size_t i = 0; i < items->n; i++) {
		if (fn(arg, &items->v[i], err) >= 0)
			continue;
		kubectl_note(k, err);
		*err = ERR_INIT;
	}
	return 0;
}

int kubectl_done(struct kubectl_print *p, const struct doc *d, const char *what,
		 enum kubectl_dry dry, struct err *err)
{
	static const char *const notes[] = {
		[DRY_NONE] = "", [DRY_CLIENT] = " (dry run)", [DRY_SERVER] = " (server dry run)"
	};

	if (p->form != PRINT_TABLE && p->form != PRINT_WIDE)
		return kubectl_print_doc(p, d, err);
	buf_addf(&p->k->out, "%s %s%s\n", kubectl_object_name(p->k, d), what, notes[dry]);
	return 0;
}

int kubectl_nothing_given(struct err *err)
{
	return err_set(err, ERR_BAD_REQUEST,
		       "You must provide one or more resources by argument or filename.\n"
		       "Example resource specifications include:\n"
		       "   '-f rsrc.yaml'\n"
		       "   '--filename=rsrc.json'\n"
		       "   '<resource> <name>'\n"
		       "   '<resource>'");
}

void kubectl_note_about(struct kubectl *k, const struct kubectl_item *it, const char *doing,
			const struct err *err)
{
	if (it->from)
		k->about = arena_printf(k->arena, "error when %s \"%s\"", doing, it->from);
	kubectl_note(k, err);
	k->about = NULL;
}

/* ---- patches ---- */

int kubectl_type(struct kubectl *k, const struct resource *res, const struct api_type **ret,
		 struct err *err)
{
	const struct api_kind *kind;

	if (!k->api) {
		struct api *api = ARENA_NEW(k->arena, struct api);
		int r = api ? api_load(k->arena, api, err) : arena_quota(k->arena, err);

		if (r < 0)
			return r;
		k->api = api;
	}
	kind = api_kind(k->api, res->api_version, res->kind);
	*ret = kind ? kind->type : NULL;
	return 0;
}

int kubectl_last_applied(struct kubectl *k, const struct doc *obj, struct doc **ret,
			 struct err *err)
{
	const struct doc *note =
		doc_get(doc_get(doc_get(obj, "metadata"), "annotations"), KUBECTL_LAST_APPLIED);

	*ret = NULL;
	if (note && json_read(k->arena, doc_slice(note), NULL, ret, err) < 0)
		return err_wrap(err, "its annotation " KUBECTL_LAST_APPLIED);
	return 0;
}

static int diff(struct kubectl *k, const struct resource *res, const struct doc *const sides[3],
		struct doc *ret, const char **ret_type, struct err *err)
{
	const struct api_type *type;
	int r = kubectl_type(k, res, &type, err);

	if (r < 0)
		return r;
	*ret_type =
		type ? "application/strategic-merge-patch+json" : "application/merge-patch+json";
	return api_merge_diff(type, sides[0], sides[1], sides[2], k->arena, ret, err);
}

int kubectl_apply_diff(struct kubectl *k, const struct resource *res, const struct doc *live,
		       const struct doc *now, struct doc *ret, const char **ret_type,
		       struct err *err)
{
	struct doc *last;
	int r = kubectl_last_applied(k, live, &last, err);

	return r == 0 ? diff(k, res, (const struct doc *[]){ last, now, live }, ret, ret_type, err)
		      : r;
}

int kubectl_change(struct kubectl *k, const struct resource *res, const struct doc *before,
		   const struct doc *after, struct doc *ret, const char **ret_type, struct err *err)
{
	return diff(k, res, (const struct doc *[]){ before, after, before }, ret, ret_type, err);
}

/* ---- watches ---- */

struct watching {
	kubectl_event_fn *fn;
	void *arg;
	struct buf line;
	bool stopped;
};

static int take_event(struct watching *w, struct slice line, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("watch event", 4 * (size_t)EVENT_MAX);
	struct json_options opt = { .copy = true };
	struct doc *d, *obj;
	const char *type;
	int r = json_read(a, line, &opt, &d, err);

	if (r < 0)
		return err_wrap(err, "watch");
	type = doc_cstr(a, doc_get(d, "type"));
	obj = doc_get(d, "object");
	if (!type || !obj)
		return err_set(err, ERR_INVALID, "watch: an event without type or object");
	if (strcmp(type, "BOOKMARK") == 0)
		return 0;
	if (strcmp(type, "ERROR") == 0) {
		struct slice m = doc_slice(doc_get(obj, "message"));

		return err_set(err, ERR_GONE, "%.*s", (int)m.n, m.n ? m.p : "");
	}
	r = w->fn(w->arg, a, type, obj, err);
	w->stopped = r > 0;
	return r > 0 ? err_set(err, ERR_UNAVAILABLE, "enough was seen") : r;
}

static int take_bytes(void *arg, struct slice bytes, struct err *err)
{
	struct watching *w = arg;

	if (buf_add(&w->line, bytes.p, bytes.n) < 0)
		return err_set(err, ERR_TOO_LARGE, "watch: an event is longer than %u bytes",
			       EVENT_MAX);
	for (;;) {
		const char *end = w->line.n ? memchr(w->line.p, '\n', w->line.n) : NULL;
		int r;

		if (!end)
			return 0;
		r = take_event(w, slice_of(w->line.p, (size_t)(end - w->line.p)), err);
		if (r < 0)
			return r;
		buf_consume(&w->line, (size_t)(end - w->line.p) + 1);
	}
}

int kubectl_watch(struct kubectl *k, const char *target, const char *accept, int64_t time,
		  kubectl_event_fn *fn, void *arg, struct err *err)
{
	struct watching w = { .fn = fn, .arg = arg, .line = BUF_INIT(EVENT_MAX) };
	struct client_request rq = {
		.target = target, .accept = accept, .consume = take_bytes, .arg = &w, .time = time
	};
	int r = client_call(k->client, k->arena, &rq, NULL, err);

	buf_fini(&w.line);
	/* The time that was given is over, or enough was seen: no failure. */
	if (!w.stopped && !(r == -ERR_TIMEOUT && time && !client_failure(k->client)))
		return r;
	*err = ERR_INIT;
	return w.stopped;
}

int kubectl_watch_one(struct kubectl *k, const struct kubectl_item *it, const char *version,
		      int64_t time, kubectl_event_fn *fn, void *arg, struct err *err)
{
	CLEANUP(buf_fini) struct buf path = BUF_INIT(TARGET_MAX);

	resource_path(it->res, it->space, NULL, &path);
	query_add(&path, "fieldSelector", arena_printf(k->arena, "metadata.name=%s", it->name));
	query_add(&path, "resourceVersion", version);
	query_add(&path, "watch", "true");
	if (path.full)
		return err_set(err, ERR_TOO_LARGE, "the name is too long");
	return kubectl_watch(k, buf_str(&path), NULL, time, fn, arg, err);
}
