/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/outward/service-endpoint.h"

#include "apiserver/objects/codec.h"
#include "apiserver/objects/resource.h"
#include "apiserver/outward/node-agent.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "doc/doc.h"

static void consider(struct service_endpoint *e, const struct doc *endpoint, uint16_t port)
{
	const struct doc *ready = doc_find(endpoint, "conditions.ready");
	struct ip_addr ip;

	if ((doc_is(ready, DOC_BOOL) && !doc_true(ready)) ||
	    !ip_addr_parse(doc_slice(doc_find(endpoint, "addresses.0")), &ip) ||
	    !agent_proxyable(&ip) || random_u64() % ++e->ready != 0)
		return;
	e->ip = ip;
	e->at = port;
}

static void consider_slice(struct service_endpoint *e, const struct doc *slice)
{
	const struct doc *ports = doc_get(slice, "ports"), *all = doc_get(slice, "endpoints");
	int64_t port = 0;

	if (doc_str_is(doc_get(slice, "addressType"), "FQDN"))
		return;
	DOC_EACH (p, ports) {
		if (!slice_is(doc_slice(doc_get(p, "name")), e->port_name) ||
		    doc_int64(doc_get(p, "port"), &port) != 0 || port <= 0 || port > UINT16_MAX)
			continue;
		DOC_EACH (x, all)
			consider(e, x, (uint16_t)port);
		return;
	}
}

static void look_at_slices(struct resources *rs, struct arena *a, struct service_endpoint *e)
{
	struct collection *o = resources_objects(rs, "discovery.k8s.io", "endpointslices");
	const char *mark = arena_printf(a, "\"kubernetes.io/service-name\":\"%s\"", e->name),
		   *prefix = arena_printf(a, "%s/", e->ns);
	CLEANUP(cache_view_unref) struct cache_view *view = o ? cache_now(o->cache) : NULL;
	struct cache_iter it;
	struct item *i;
	struct doc d;

	if (!view || !mark || !prefix)
		return;
	cache_iter_init(&it, view, slice_str(prefix), SLICE(""));
	while ((i = cache_iter_next(&it)))
		if (slice_has_text(item_labels(i), slice_str(mark)) &&
		    codec_parse(i, a, &d, NULL) == 0) {
			e->slices++;
			consider_slice(e, &d);
		}
}

static void look_for_port(struct arena *a, const struct doc *service, struct service_endpoint *e)
{
	const struct doc *list = doc_find(service, "spec.ports"), *name;
	int64_t port;

	DOC_EACH (p, list) {
		if (doc_int64(doc_get(p, "port"), &port) != 0 || port != e->port)
			continue;
		name = doc_get(p, "name");
		e->port_name = name ? doc_cstr(a, name) : "";
		e->has_port = e->port_name != NULL;
		return;
	}
}

void service_endpoint_look(struct resources *rs, struct arena *a, struct service_endpoint *e)
{
	struct item *i = resources_get(rs, "", "services", e->ns, e->name);
	const struct doc *type;
	struct doc d;

	e->exists = i && codec_parse(i, a, &d, NULL) == 0;
	if (!e->exists)
		return;
	type = doc_find(&d, "spec.type");
	e->cluster = !type || doc_str_is(type, "ClusterIP");
	if (doc_str_is(type, "ExternalName")) {
		e->external = doc_cstr(a, doc_find(&d, "spec.externalName"));
		return;
	}
	look_for_port(a, &d, e);
	if (!e->has_port)
		return;
	look_at_slices(rs, a, e);
	e->found = e->ready > 0;
	if (e->slices || !ip_addr_parse(doc_slice(doc_find(&d, "spec.clusterIP")), &e->ip))
		return;
	e->found = true;
	e->at = e->port;
}

int service_endpoint_why(const struct service_endpoint *e, struct err *err)
{
	if (!e->exists)
		return err_set(err, ERR_UNAVAILABLE, "service \"%s\" not found", e->name);
	if (!e->has_port)
		return err_set(err, ERR_UNAVAILABLE, "no service port %u found for service \"%s\"",
			       e->port, e->name);
	return err_set(err, ERR_UNAVAILABLE, "no endpoints available for service \"%s\"", e->name);
}
