/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where pods, containers and services are, by their objects.
 *
 * Addresses are written by nodes and by whoever may write EndpointSlices: they are asked only when
 * a pod of the same namespace has them and agent_proxyable, so that nobody reads what only this
 * machine can reach.
 */
#include "apiserver/rest/rest-connect.h"

#include "base/hash.h"

#include <string.h>

static const char *const container_lists[] = { "spec.initContainers", "spec.containers",
					       "spec.ephemeralContainers" };

static int choose_one(struct call *c, const struct doc *pod, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(sizeof(err->msg));

	for (size_t i = 0; i < ARRAY_LEN(container_lists); i++) {
		const struct doc *list = doc_find(pod, container_lists[i]);

		DOC_EACH (x, list) {
			struct slice name = doc_slice(doc_get(x, "name"));

			(void)buf_addf(&b, "%s%.*s", b.n ? " " : "", (int)name.n, name.p);
		}
	}
	return status_bad_request(err, &c->about,
				  "a container name must be specified for pod %s, choose one of: "
				  "[%s]",
				  c->rq.name, buf_str(&b));
}

int connect_container(struct call *c, const struct doc *pod, const char *asked, const char **ret,
		      struct err *err)
{
	const struct doc *list = doc_find(pod, "spec.containers");

	if (*asked) {
		*ret = asked;
		for (size_t i = 0; i < ARRAY_LEN(container_lists); i++) {
			const struct doc *all = doc_find(pod, container_lists[i]);

			DOC_EACH (x, all)
				if (doc_str_is(doc_get(x, "name"), asked))
					return 0;
		}
		return status_bad_request(err, &c->about, "container %s is not valid for pod %s",
					  asked, c->rq.name);
	}
	if (doc_len(list) == 0)
		return status_bad_request(err, &c->about,
					  "a container name must be specified for pod %s",
					  c->rq.name);
	if (doc_len(list) > 1)
		return choose_one(c, pod, err);
	*ret = doc_cstr(c->a, doc_get(doc_at(list, 0), "name"));
	*ret = *ret ? arena_strdup(c->a, *ret) : NULL;
	return *ret ? 0 : arena_quota(c->a, err);
}

/* ---- names of proxies ---- */

bool connect_split(struct arena *a, const char *id, struct connect_id *ret)
{
	struct slice rest = slice_str(id), v[3];
	const char *text[3] = { "", "", "" };
	size_t n = 0;

	while (rest.p) {
		if (n == 3)
			return false;
		v[n++] = slice_split(&rest, ':');
	}
	for (size_t i = 0; i < n; i++) {
		text[i] = arena_strndup(a, v[i].n ? v[i].p : "", v[i].n);
		if (!text[i])
			return false;
	}
	*ret = n == 3 ? (struct connect_id){ text[0], text[1], text[2] }
		      : (struct connect_id){ "", text[0], text[1] };
	return *ret->name && (!*ret->scheme || strcmp(ret->scheme, "http") == 0 ||
			      strcmp(ret->scheme, "https") == 0);
}

static bool is_port(const char *text, uint16_t *ret)
{
	uint64_t n;

	if (str_uint64(slice_str(text), &n, NULL) < 0 || n == 0 || n > UINT16_MAX)
		return false;
	*ret = (uint16_t)n;
	return true;
}

static int first_port(const struct doc *pod, int64_t otherwise)
{
	const struct doc *list = doc_find(pod, "spec.containers");
	int64_t port = 0;

	DOC_EACH (x, list)
		if (doc_int64(doc_find(x, "ports.0.containerPort"), &port) == 0)
			return (int)port;
	return (int)otherwise;
}

int connect_pod(struct call *c, const struct doc *pod, const struct connect_id *id,
		struct connect_place *ret, struct err *err)
{
	ret->tls = strcmp(id->scheme, "https") == 0;
	if (!ip_addr_parse(doc_slice(doc_find(pod, "status.podIPs.0.ip")), &ret->ip) ||
	    !agent_proxyable(&ret->ip))
		return status_bad_request(err, &c->about, "address not allowed");
	if (!*id->port)
		ret->port = (uint16_t)first_port(pod, ret->tls ? 443 : 80);
	else if (!is_port(id->port, &ret->port))
		return status_unavailable(err, &c->about,
					  "error trying to reach service: address tcp/%.64s: "
					  "unknown port",
					  id->port);
	return 0;
}

/* ---- services ---- */

struct choice {
	struct call *c;
	const char *port; /* its name */
	struct connect_place *ret;
	size_t seen;
};

/* The pod that an endpoint names has its address. */
static bool is_of_pod(struct call *c, const struct doc *endpoint, struct slice address)
{
	const struct doc *ref = doc_get(endpoint, "targetRef"), *ips;
	const char *name = doc_cstr(call_work(c), doc_get(ref, "name"));
	struct item *i;
	struct doc pod;

	if (!name || !doc_str_is(doc_get(ref, "namespace"), c->rq.namespace_))
		return false;
	i = resources_get(c->srv->conf.resources, "", "pods", c->rq.namespace_, name);
	if (!i || codec_parse(i, call_work(c), &pod, NULL) < 0)
		return false;
	ips = doc_find(&pod, "status.podIPs");
	DOC_EACH (x, ips)
		if (slice_eq(doc_slice(doc_get(x, "ip")), address))
			return true;
	return false;
}

static void consider(struct choice *k, const struct doc *endpoint, uint16_t port)
{
	const struct doc *ready = doc_find(endpoint, "conditions.ready");
	struct slice address = doc_slice(doc_find(endpoint, "addresses.0"));
	struct ip_addr ip;

	if ((doc_is(ready, DOC_BOOL) && !doc_true(ready)) || !ip_addr_parse(address, &ip) ||
	    !agent_proxyable(&ip) || !is_of_pod(k->c, endpoint, address))
		return;
	if (random_u64() % ++k->seen != 0) /* each of them as likely */
		return;
	k->ret->ip = ip;
	k->ret->port = port;
}

static void consider_slice(struct choice *k, const struct doc *slice)
{
	const struct doc *ports = doc_get(slice, "ports"), *endpoints = doc_get(slice, "endpoints");
	int64_t port = 0;

	DOC_EACH (p, ports) {
		struct slice name = doc_slice(doc_get(p, "name"));

		if (!slice_is(name, k->port) || doc_int64(doc_get(p, "port"), &port) != 0 ||
		    port <= 0 || port > UINT16_MAX)
			continue;
		DOC_EACH (e, endpoints)
			consider(k, e, (uint16_t)port);
		return;
	}
}

/* Those of a service's slices; family: "IPv4", NULL: of either. */
static void consider_all(struct choice *k, struct cache *slices, const char *service,
			 const char *family)
{
	struct call *c = k->c;
	const char *mark = arena_printf(c->a, "\"kubernetes.io/service-name\":\"%s\"", service),
		   *prefix = arena_printf(c->a, "%s/", c->rq.namespace_);
	struct cache_view *view;
	struct cache_iter it;
	struct item *i;
	struct doc d;

	if (!mark || !prefix)
		return;
	view = cache_now(slices);
	cache_iter_init(&it, view, slice_str(prefix), SLICE(""));
	while ((i = cache_iter_next(&it)))
		if (slice_has_text(item_labels(i), slice_str(mark)) &&
		    codec_parse(i, call_work(c), &d, NULL) == 0 &&
		    (!family || doc_str_is(doc_get(&d, "addressType"), family)))
			consider_slice(k, &d);
	cache_view_unref(view);
}

/* A number becomes the port's name, by which slices have it. */
static int port_name(struct call *c, const struct doc *service, const struct connect_id *id,
		     const char **ret, struct err *err)
{
	const struct doc *list = doc_find(service, "spec.ports");
	int64_t want, port;

	*ret = id->port;
	if (str_int64(slice_str(id->port), &want, NULL) < 0)
		return 0;
	DOC_EACH (p, list) {
		const struct doc *name = doc_get(p, "name");

		if (doc_int64(doc_get(p, "port"), &port) != 0 || port != want)
			continue;
		*ret = name ? doc_cstr(call_work(c), name) : "";
		return *ret ? 0 : arena_quota(call_work(c), err);
	}
	return status_unavailable(err, &c->about, "no service port %lld found for service \"%s\"",
				  (long long)want, id->name);
}

int connect_service(struct call *c, const struct doc *service, const struct connect_id *id,
		    struct connect_place *ret, struct err *err)
{
	struct choice k = { .c = c, .ret = ret };
	const char *family = doc_cstr(call_work(c), doc_find(service, "spec.ipFamilies.0"));
	struct collection *o =
		resources_objects(c->srv->conf.resources, "discovery.k8s.io", "endpointslices");
	int r = port_name(c, service, id, &k.port, err);

	if (r < 0)
		return r;
	ret->tls = strcmp(id->scheme, "https") == 0;
	if (o && o->cache && family)
		consider_all(&k, o->cache, id->name, family);
	if (o && o->cache && !k.seen)
		consider_all(&k, o->cache, id->name, NULL);
	return k.seen ? 0
		      : status_unavailable(err, &c->about,
					   "no endpoints available for service \"%s\"", id->name);
}
