/* SPDX-License-Identifier: Apache-2.0 */
/* Services, their endpoints, and what leads to them. */
#include "apiserver/objects/columns-cell.h"
#include "apiserver/objects/columns-private.h"

#include "base/arena.h"
#include "doc/doc.h"

#define SHOWN 3 /* entries of a list; the others are counted */

/* A list of which some are shown. */
struct few {
	struct buf b;
	size_t n; /* all */
};

/* Room for one more text, or NULL past those that are shown. */
static struct buf *few_add(struct few *f)
{
	if (f->n++ >= SHOWN)
		return NULL;
	if (f->n > 1)
		(void)buf_addc(&f->b, ',');
	return &f->b;
}

static void few_put(struct cells *c, struct few *f, const char *other)
{
	if (f->n > SHOWN)
		(void)buf_addf(&f->b, " + %zu more...", f->n - SHOWN);
	cell_buf(c, &f->b, other);
	buf_fini(&f->b);
}

/* ---- services ---- */

/* Addresses or names of a load balancer: sorted, each once. */
static void put_balancer(struct cells *c, struct buf *b)
{
	const struct doc *list = doc_find(c->obj, "status.loadBalancer.ingress");
	struct slice *v = arena_alloc(c->a, (doc_len(list) + 1) * sizeof(*v));
	size_t n = 0;

	if (!v)
		return;
	DOC_EACH (it, list) {
		struct slice s = cell_get(it, "ip");

		s = s.n ? s : cell_get(it, "hostname");
		if (s.n)
			v[n++] = s;
	}
	n = cell_sort(v, n);
	for (size_t i = 0; i < n; i++) {
		if (i)
			(void)buf_addc(b, ',');
		(void)buf_add(b, v[i].p, v[i].n);
	}
}

static void external(struct cells *c)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(CELL_MAX);
	const struct doc *type = doc_find(c->obj, "spec.type");
	const struct doc *ips = doc_find(c->obj, "spec.externalIPs");
	bool balanced = doc_str_is(type, "LoadBalancer");

	if (doc_str_is(type, "ExternalName")) {
		cell_path(c, "spec.externalName");
		return;
	}
	if (!balanced && !doc_str_is(type, "ClusterIP") && !doc_str_is(type, "NodePort")) {
		cell_word(c, CELL_UNKNOWN);
		return;
	}
	if (balanced)
		put_balancer(c, &b);
	if (b.n && doc_len(ips))
		(void)buf_addc(&b, ',');
	cell_join(&b, ips, NULL, ",");
	cell_buf(c, &b, balanced ? "<pending>" : CELL_NONE);
}

static void service_ports(struct cells *c)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(CELL_MAX);

	DOC_EACH (it, doc_find(c->obj, "spec.ports")) {
		struct slice protocol = cell_get(it, "protocol");
		long long node = cell_get_int(it, "nodePort");

		(void)buf_addf(&b, "%s%lld", b.n ? "," : "", (long long)cell_get_int(it, "port"));
		if (node > 0)
			(void)buf_addf(&b, ":%lld", node);
		(void)buf_addc(&b, '/');
		(void)buf_add(&b, protocol.p, protocol.n);
	}
	cell_buf(c, &b, CELL_NONE);
}

void columns_service(struct cells *c)
{
	struct slice ip = cell_get(c->obj, "spec.clusterIPs.0");

	cell_name(c);
	cell_path(c, "spec.type");
	cell_or(c, ip.n ? ip : cell_get(c->obj, "spec.clusterIP"), CELL_NONE);
	external(c);
	service_ports(c);
	cell_age(c);
	cell_labels(c, doc_find(c->obj, "spec.selector"));
}

/* ---- endpoints ---- */

static void endpoint_add(struct few *f, const struct doc *address, const struct doc *port)
{
	struct buf *b = few_add(f);
	struct slice ip = cell_get(address, "ip");
	bool six = slice_has(ip, ':');

	if (!b)
		return;
	if (!port) {
		(void)buf_add(b, ip.p, ip.n);
		return;
	}
	(void)buf_addf(b, "%s%.*s%s:%lld", six ? "[" : "", (int)ip.n, ip.n ? ip.p : "",
		       six ? "]" : "", (long long)cell_get_int(port, "port"));
}

/* Each address with each port; alone where no ports are. */
static void subset(struct few *f, const struct doc *set)
{
	const struct doc *addresses = doc_get(set, "addresses"), *ports = doc_get(set, "ports");

	for (size_t i = 0; i < MAX(doc_len(ports), (size_t)1); i++)
		DOC_EACH (it, addresses)
			endpoint_add(f, it, doc_at(ports, i));
}

void columns_endpoints(struct cells *c)
{
	const struct doc *subsets = doc_get(c->obj, "subsets");
	struct few f = { BUF_INIT(CELL_MAX), 0 };

	DOC_EACH (it, subsets)
		subset(&f, it);
	cell_name(c);
	few_put(c, &f, doc_len(subsets) ? NULL : CELL_NONE);
	cell_age(c);
}

static void slice_ports(struct cells *c)
{
	struct few f = { BUF_INIT(CELL_MAX), 0 };

	DOC_EACH (it, doc_get(c->obj, "ports")) {
		struct buf *b = few_add(&f);

		if (!b)
			continue;
		if (cell_is_set(it, "port"))
			(void)buf_addf(b, "%lld", (long long)cell_get_int(it, "port"));
		else if (cell_is_set(it, "name"))
			(void)buf_add(b, cell_get(it, "name").p, cell_get(it, "name").n);
		else
			(void)buf_addc(b, '*');
	}
	few_put(c, &f, CELL_UNSET);
}

static void slice_endpoints(struct cells *c)
{
	struct few f = { BUF_INIT(CELL_MAX), 0 };

	DOC_EACH (it, doc_get(c->obj, "endpoints")) {
		DOC_EACH (address, doc_get(it, "addresses")) {
			struct buf *b = few_add(&f);

			if (b)
				(void)buf_add(b, doc_slice(address).p, doc_slice(address).n);
		}
	}
	few_put(c, &f, CELL_UNSET);
}

void columns_endpoint_slice(struct cells *c)
{
	cell_name(c);
	cell_path(c, "addressType");
	slice_ports(c);
	slice_endpoints(c);
	cell_age(c);
}

/* ---- ingress ---- */

/* Rules without a host are none that is shown, yet they count as soon as three hosts are there. */
static void hosts(struct cells *c)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(CELL_MAX);
	const struct doc *rules = doc_find(c->obj, "spec.rules");
	bool more = false;
	size_t n = 0;

	DOC_EACH (it, rules) {
		struct slice host = cell_get(it, "host");

		more |= n == SHOWN;
		if (more || host.n == 0)
			continue;
		if (n++)
			(void)buf_addc(&b, ',');
		(void)buf_add(&b, host.p, host.n);
	}
	if (more)
		(void)buf_addf(&b, " + %zu more...", doc_len(rules) - SHOWN);
	cell_buf(c, &b, "*");
}

void columns_ingress(struct cells *c)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(CELL_MAX);

	cell_name(c);
	cell_path_or(c, "spec.ingressClassName", CELL_NONE);
	hosts(c);
	put_balancer(c, &b);
	cell_buf(c, &b, NULL);
	cell_word(c, doc_len(doc_find(c->obj, "spec.tls")) ? "80, 443" : "80");
	cell_age(c);
}

void columns_ingress_class(struct cells *c)
{
	const struct doc *p = doc_find(c->obj, "spec.parameters");

	cell_name(c);
	cell_path(c, "spec.controller");
	if (!doc_is(p, DOC_OBJECT)) {
		cell_word(c, CELL_NONE);
	} else {
		struct slice kind = cell_get(p, "kind"), group = cell_get(p, "apiGroup");
		struct slice name = cell_get(p, "name");

		cell_printf(c, "%.*s%s%.*s/%.*s", (int)kind.n, kind.n ? kind.p : "",
			    cell_is_set(p, "apiGroup") ? "." : "", (int)group.n,
			    group.n ? group.p : "", (int)name.n, name.n ? name.p : "");
	}
	cell_age(c);
}

/* ---- the rest ---- */

void columns_network_policy(struct cells *c)
{
	cell_name(c);
	cell_selector(c, doc_find(c->obj, "spec.podSelector"));
	cell_age(c);
}

void columns_service_cidr(struct cells *c)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(CELL_MAX);

	cell_join(&b, doc_find(c->obj, "spec.cidrs"), NULL, ",");
	cell_name(c);
	cell_buf(c, &b, NULL);
	cell_age(c);
}

/* "services/default/web" */
void columns_ip_address(struct cells *c)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(CELL_MAX);
	const struct doc *p = doc_find(c->obj, "spec.parentRef");
	static const char *const parts[] = { "resource", "group", "namespace", "name" };

	cell_name(c);
	for (size_t i = 0; doc_is(p, DOC_OBJECT) && i < ARRAY_LEN(parts); i++) {
		struct slice s = cell_get(p, parts[i]);

		if (i == 2)
			cell_lower(&b); /* resource and group alone */
		if (s.n == 0 && i != 3)
			continue;
		if (i)
			(void)buf_addc(&b, i == 1 ? '.' : '/');
		(void)buf_add(&b, s.p, s.n);
	}
	cell_buf(c, &b, CELL_NONE);
}
