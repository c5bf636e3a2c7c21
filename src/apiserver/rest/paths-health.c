/* SPDX-License-Identifier: Apache-2.0 */
/* /healthz, /livez, /readyz: all checks, or one by its name. */
#include "apiserver/rest/paths.h"

#include "io/url.h"

#include <string.h>

#define TEXT_MAX (64u << 10)

static const char *always_well(void *arg)
{
	(void)arg;
	return NULL;
}

static const char *store_well(void *arg)
{
	struct server *srv = arg;
	const struct err *err = world_error(srv->conf.world);

	return err ? err->msg : NULL;
}

static const char *not_ending(void *arg)
{
	struct server *srv = arg;

	return srv->draining ? "the server ends" : NULL;
}

/* The i-th check that `path` has, ours before those that were added; false: there is none. */
static bool check_at(struct server *srv, bool live, size_t i, struct server_check *ret)
{
	const struct server_check own[] = {
		{ .name = "ping", .fn = always_well },
		{ .name = "log", .fn = always_well },
		{ .name = "etcd", .fn = store_well, .arg = srv },
		{ .name = "etcd-readiness", .fn = store_well, .arg = srv, .ready_only = true },
		{ .name = "informer-sync", .fn = store_well, .arg = srv, .ready_only = true },
		{ .name = "shutdown", .fn = not_ending, .arg = srv, .ready_only = true },
	};
	const struct server_check *c = NULL;

	for (size_t j = 0; j < ARRAY_LEN(own); j++)
		if (!(live && own[j].ready_only) && i-- == 0)
			c = &own[j];
	if (!c)
		for (c = srv->checks; c; c = c->next)
			if (!(live && c->ready_only) && i-- == 0)
				break;
	if (c)
		*ret = *c;
	return c != NULL;
}

static bool is_excluded(const struct query *q, const char *name)
{
	const char *v;

	for (size_t i = 0; (v = query_nth(q, "exclude", i)); i++)
		if (strcmp(v, name) == 0)
			return true;
	return false;
}

static void tell_strangers(struct server *srv, bool live, const struct query *q, struct buf *out)
{
	struct server_check check;
	const char *v;

	for (size_t i = 0; (v = query_nth(q, "exclude", i)); i++) {
		bool known = false;

		for (size_t j = 0; check_at(srv, live, j, &check); j++)
			known |= strcmp(check.name, v) == 0;
		if (!known)
			(void)buf_addf(
				out,
				"warn: some health checks cannot be excluded: no matches for "
				"\"%.100s\"\n",
				v);
	}
}

static void answer(struct call *c, int code, struct slice text)
{
	(void)stream_set_header(c->s, "X-Content-Type-Options", "nosniff");
	call_text(c, code, "text/plain; charset=utf-8", text);
}

static void all(struct call *c, const char *which, bool live, const struct query *q)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(TEXT_MAX);
	struct server_check check;
	bool well = true;

	for (size_t i = 0; check_at(c->srv, live, i, &check); i++) {
		const char *why = NULL;

		if (is_excluded(q, check.name)) {
			(void)buf_addf(&out, "[+]%s excluded: ok\n", check.name);
			continue;
		}
		why = check.fn(check.arg);
		(void)buf_addf(&out, why ? "[-]%s failed: reason withheld\n" : "[+]%s ok\n",
			       check.name);
		well &= !why;
	}
	tell_strangers(c->srv, live, q, &out);
	(void)buf_addf(&out, "%s check %s\n", which, well ? "passed" : "failed");
	if (!well)
		answer(c, 500, buf_slice(&out));
	else if (query_get(q, "verbose"))
		answer(c, 200, buf_slice(&out));
	else
		answer(c, 200, SLICE("ok"));
}

static void one(struct call *c, bool live, const char *name)
{
	struct server_check check;
	const char *why;

	for (size_t i = 0; check_at(c->srv, live, i, &check); i++) {
		if (strcmp(check.name, name) != 0)
			continue;
		why = check.fn(check.arg);
		if (why)
			answer(c, 500,
			       slice_str(arena_printf(c->a, "internal server error: %s\n", why)));
		else
			answer(c, 200, SLICE("ok"));
		return;
	}
	call_nowhere(c);
}

bool paths_health(struct call *c, const char *path)
{
	static const char *const names[] = { "healthz", "livez", "readyz" };
	struct query q = { .n = 0 };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		size_t n = strlen(names[i]);
		bool live = i == 1;

		if (strncmp(path + 1, names[i], n) != 0 || (path[n + 1] && path[n + 1] != '/'))
			continue;
		/* A query that is none has no options. */
		(void)query_parse(c->a, stream_request(c->s)->query, &q, NULL);
		if (path[n + 1] && path[n + 2])
			one(c, live, path + n + 2);
		else
			all(c, names[i], live, &q);
		return true;
	}
	return false;
}
