/* SPDX-License-Identifier: Apache-2.0 */
/* grpc.health.v1.Health: Check and Watch. Spec: grpc/doc/health-checking.md. */
#include "base/arena.h"
#include "base/err.h"
#include "doc/doc.h"
#include "doc/schema.h"
#include "io/grpc-server-impl.h"
#include "io/stream-impl.h"

#define WATCHERS_MAX 256

static const char *const statuses[] = { "UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN",
					NULL };

struct health_msg {
	const char *service, *status;
};
static const struct schema_field request_rows[] = {
	F_STR(struct health_msg, service, "service", 0, FORMAT_NONE, .pb = 1),
};
static const struct schema request_schema =
	SCHEMA("grpc.health.v1.HealthCheckRequest", struct health_msg, request_rows);
static const struct schema_field response_rows[] = {
	F_ENUM_STR(struct health_msg, status, "status", statuses, 0, .pb = 1,
		   .wire = SCHEMA_PB_VARINT),
};
static const struct schema response_schema =
	SCHEMA("grpc.health.v1.HealthCheckResponse", struct health_msg, response_rows);

/* Who watches a service. */
struct watcher {
	struct list link;
	struct grpc_call *c;
	struct grpc_server *srv;
	char service[];
};

static const struct grpc_health_entry *find(const struct grpc_server *srv, const char *service)
{
	return map_get(&srv->health, slice_str(service));
}

static struct doc answer_of(struct arena *a, enum grpc_serving s)
{
	struct doc d = doc_object();

	(void)doc_set(a, &d, "status", doc_str(a, statuses[s])); /* full: the send says so */
	return d;
}

static const char *service_of(struct grpc_call *c, const struct doc *request)
{
	const char *s = doc_cstr(grpc_arena(c), doc_get(request, "service"));

	return s ? s : "";
}

static void check(struct grpc_call *c, const struct doc *request, void *arg)
{
	const struct grpc_health_entry *h = find(arg, service_of(c, request));
	struct doc d;

	if (!h) {
		grpc_finish(c, GRPC_NOT_FOUND, "unknown service");
		return;
	}
	d = answer_of(grpc_arena(c), h->status);
	grpc_reply(c, &d);
}

static void watcher_free(struct watcher *w)
{
	list_del(&w->link);
	grpc_on(w->c, NULL, NULL);
	grpc_unref(w->c);
	free(w);
}

static void on_cancelled(struct grpc_call *c)
{
	watcher_free(grpc_arg(c));
}

static void tell(struct watcher *w)
{
	CLEANUP(arena_free) struct arena *a = arena_new("health", 4096);
	const struct grpc_health_entry *h = find(w->srv, w->service);
	struct doc d = answer_of(a, h ? h->status : GRPC_SERVICE_UNKNOWN);

	/* A watcher that does not read misses what is between: the next one tells the state. */
	(void)grpc_send(w->c, &d, NULL);
}

static void watch(struct grpc_call *c, const struct doc *request, void *arg)
{
	static const struct grpc_events events = { .cancelled = on_cancelled };
	struct grpc_server *srv = arg;
	const char *service = service_of(c, request);
	size_t n = strlen(service), count = 0;
	struct watcher *w;

	LIST_FOREACH (w, &srv->watchers, struct watcher, link)
		count++;
	if (count >= WATCHERS_MAX) {
		grpc_finish(c, GRPC_RESOURCE_EXHAUSTED, "too many watch");
		return;
	}
	w = io_alloc(sizeof(*w) + n + 1);
	memcpy(w->service, service, n);
	w->srv = srv;
	w->c = grpc_ref(c);
	list_append(&srv->watchers, &w->link);
	grpc_on(c, &events, w);
	tell(w);
}

static const struct grpc_method methods[] = {
	{ "Check", &request_schema, &response_schema, 0, check, NULL },
	{ "Watch", &request_schema, &response_schema, GRPC_SERVER_STREAM, watch, NULL },
};
static const struct grpc_service service = { "grpc.health.v1.Health", methods, ARRAY_LEN(methods) };

int grpc_server_add_health(struct grpc_server *srv, struct err *err)
{
	int r = grpc_server_add(srv, &service, srv, err);

	if (r < 0)
		return r;
	srv->has_health = true;
	map_init(&srv->health);
	grpc_server_set_health(srv, "", GRPC_SERVING);
	return 0;
}

void grpc_server_set_health(struct grpc_server *srv, const char *name, enum grpc_serving s)
{
	size_t n = strlen(name);
	struct grpc_health_entry *h;
	struct watcher *w;

	if (!srv->has_health)
		return;
	h = map_get(&srv->health, slice_str(name));
	if (!h) {
		h = io_alloc(sizeof(*h) + n + 1);
		memcpy(h->name, name, n);
		h->status = GRPC_SERVING_UNKNOWN;
		(void)map_put(&srv->health, slice_of(h->name, n), h);
	} else if (h->status == s) {
		return;
	}
	h->status = s;
	LIST_FOREACH (w, &srv->watchers, struct watcher, link)
		if (strcmp(w->service, name) == 0)
			tell(w);
}

void grpc_health_free(struct grpc_server *srv)
{
	struct grpc_health_entry *h;
	struct watcher *w;

	while ((w = LIST_FIRST(&srv->watchers, struct watcher, link)))
		watcher_free(w);
	for (size_t i = 0; srv->has_health && (h = map_next(&srv->health, &i, NULL));)
		free(h);
	if (srv->has_health)
		map_fini(&srv->health);
}
