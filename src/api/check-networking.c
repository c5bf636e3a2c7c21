/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of networking.k8s.io/v1. */
#include "api/check-parts.h"

#include <arpa/inet.h>

static const struct path in_spec = PATH(NULL, "spec");

/* ---- NetworkPolicy ---- */

struct net {
	unsigned char addr[16];
	unsigned bits, size;
};

static bool read_net(const struct doc *d, struct net *ret)
{
	struct slice rest = doc_slice(d), ip = slice_split(&rest, '/');
	char text[INET6_ADDRSTRLEN] = "";
	uint64_t bits;
	bool six = ip.n && memchr(ip.p, ':', ip.n);

	if (!rest.p || ip.n == 0 || ip.n >= sizeof(text) || str_uint64(rest, &bits, NULL) < 0)
		return false;
	memcpy(text, ip.p, ip.n);
	*ret = (struct net){ .bits = (unsigned)MIN(bits, 129u), .size = six ? 128 : 32 };
	return ret->bits <= ret->size && inet_pton(six ? AF_INET6 : AF_INET, text, ret->addr) == 1;
}

/* Every address of b is one of a, and a has more. */
static bool is_within(const struct net *a, const struct net *b)
{
	if (a->size != b->size || a->bits >= b->bits)
		return false;
	for (unsigned i = 0; i < a->bits; i++)
		if ((a->addr[i / 8] ^ b->addr[i / 8]) & (0x80 >> i % 8))
			return false;
	return true;
}

static void check_block(struct check *c, const struct path *p, const struct doc *block)
{
	const struct path cidr = PATH(p, "cidr"), list = PATH(p, "except");
	const struct doc *except = doc_get(block, "except");
	struct net all, one;

	check_text(c, &cidr, doc_get(block, "cidr"), form_cidr);
	if (!read_net(doc_get(block, "cidr"), &all))
		return;
	for (size_t i = 0; i < doc_len(except); i++) {
		const struct path at = PATH_INDEX(&list, i);
		const struct doc *e = doc_at(except, i);

		if (form_cidr(doc_slice(e)) || !read_net(e, &one))
			check_invalid(c, &at, e, "%s", form_cidr(SLICE("")));
		else if (!is_within(&all, &one))
			check_invalid(c, &at, e, "must be a strict subset of `cidr`");
	}
}

static void check_peer(struct check *c, const struct path *p, const struct doc *peer)
{
	const struct path block = PATH(p, "ipBlock");
	bool pods = part_set(peer, "podSelector"), spaces = part_set(peer, "namespaceSelector"),
	     ip = part_set(peer, "ipBlock");

	part_selector(c, p, peer, "podSelector");
	part_selector(c, p, peer, "namespaceSelector");
	if (ip)
		check_block(c, &block, doc_get(peer, "ipBlock"));
	if (!pods && !spaces && !ip)
		check_required(c, p, "must specify a peer");
	else if (ip && (pods || spaces))
		check_forbidden(c, p, "may not specify both ipBlock and another peer");
}

static void check_policy_port(struct check *c, const struct path *p, const struct doc *port)
{
	const struct path at = PATH(p, "port"), end = PATH(p, "endPort");
	const struct doc *number = doc_get(port, "port");
	bool has_end = part_set(port, "endPort");

	if (doc_is(number, DOC_NUMBER)) {
		check_range(c, &at, number, 1, 65535);
		if (!has_end)
			return;
		if (part_number(port, "endPort") < part_number(port, "port"))
			part_invalid(c, p, port, "endPort",
				     "must be greater than or equal to `port`");
		check_range(c, &end, doc_get(port, "endPort"), 1, 65535);
		return;
	}
	if (has_end)
		part_invalid(c, p, port, "endPort",
			     number ? "may not be specified when `port` is non-numeric"
				    : "may not be specified when `port` is not specified");
	check_port(c, &at, number, false);
}

/* rules: ingress and from, egress and to. */
static void check_policy_rules(struct check *c, const struct doc *spec, const char *rules,
			       const char *peers)
{
	const struct path at = PATH(&in_spec, rules);
	const struct doc *list = doc_get(spec, rules);

	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path rule = PATH_INDEX(&at, i), ports = PATH(&rule, "ports"),
				  others = PATH(&rule, peers);
		const struct doc *r = doc_at(list, i), *port = doc_get(r, "ports"),
				 *peer = doc_get(r, peers);

		for (size_t j = 0; j < doc_len(port); j++) {
			const struct path one = PATH_INDEX(&ports, j);

			check_policy_port(c, &one, doc_at(port, j));
		}
		for (size_t j = 0; j < doc_len(peer); j++) {
			const struct path one = PATH_INDEX(&others, j);

			check_peer(c, &one, doc_at(peer, j));
		}
	}
}

static void check_network_policy(struct check *c, const struct doc *obj, const char *sub)
{
	const struct doc *spec = doc_get(obj, "spec");

	(void)sub;
	part_selector(c, &in_spec, spec, "podSelector");
	check_policy_rules(c, spec, "ingress", "from");
	check_policy_rules(c, spec, "egress", "to");
	if (doc_len(doc_get(spec, "policyTypes")) > 2)
		part_invalid(c, &in_spec, spec, "policyTypes",
			     "may not specify more than two policyTypes");
}

/* ---- Ingress ---- */

static void check_backend_service(struct check *c, const struct path *p, const struct path *backend,
				  const struct doc *service)
{
	const struct path at = PATH(p, "port"), number = PATH(&at, "number");
	const struct doc *port = doc_get(service, "port");
	bool has_name = part_full(port, "name"), has_number = part_number(port, "number") != 0;

	part_text(c, p, service, "name", form_dns1035_label);
	if (has_name && has_number)
		check_invalid_text(c, backend, SLICE(""),
				   "cannot set both port name & port number");
	else if (has_name)
		part_form(c, &at, port, "name", form_port_name);
	else if (has_number)
		check_range(c, &number, doc_get(port, "number"), 1, 65535);
	else
		check_required(c, backend, "port name or number is required");
}

static void check_backend(struct check *c, const struct path *p, const struct doc *backend)
{
	const struct path resource = PATH(p, "resource"), service = PATH(p, "service");
	bool by_resource = part_set(backend, "resource"), by_service = part_set(backend, "service");

	if (by_resource && by_service)
		check_invalid_text(c, p, SLICE(""),
				   "cannot set both resource and service backends");
	else if (by_resource)
		part_reference(c, &resource, doc_get(backend, "resource"), "apiGroup");
	else if (by_service)
		check_backend_service(c, &service, p, doc_get(backend, "service"));
	else
		check_invalid_text(c, p, SLICE(""), "resource or service backend is required");
}

static void check_exact_path(struct check *c, const struct path *p, const struct doc *path)
{
	static const char *const inner[] = { "//", "/./", "/../", "%2f", "%2F" };
	static const char *const ends[] = { "/..", "/." };
	struct slice s = doc_slice(doc_get(path, "path"));

	for (size_t i = 0; i < ARRAY_LEN(inner); i++)
		if (s.n && memmem(s.p, s.n, inner[i], strlen(inner[i])))
			part_invalid(c, p, path, "path", "must not contain '%s'", inner[i]);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (slice_ends(s, slice_str(ends[i])))
			part_invalid(c, p, path, "path", "cannot end with '%s'", ends[i]);
}

static void check_http_path(struct check *c, const struct path *p, const struct doc *path)
{
	static const char *const types[] = { "Exact", "ImplementationSpecific", "Prefix", NULL };
	const struct path backend = PATH(p, "backend");
	const struct doc *type = doc_get(path, "pathType");
	struct slice s = doc_slice(doc_get(path, "path"));
	bool free = doc_str_is(type, "ImplementationSpecific");
	bool known = free || doc_str_is(type, "Exact") || doc_str_is(type, "Prefix");

	if (!part_set(path, "pathType")) {
		part_required(c, p, "pathType", "pathType must be specified");
		return;
	}
	if (!known)
		part_one_of(c, p, path, "pathType", types, false);
	else if (!slice_starts(s, SLICE("/")) && !(free && s.n == 0))
		part_invalid(c, p, path, "path", "must be an absolute path");
	if (known && !free)
		check_exact_path(c, p, path);
	check_backend(c, &backend, doc_get(path, "backend"));
}

static void check_host(struct check *c, const struct path *p, const struct doc *host)
{
	struct slice s = doc_slice(host);

	check_optional_text(c, p, host,
			    s.n && memchr(s.p, '*', s.n) ? form_wildcard : form_dns_subdomain);
}

static void check_ingress_rule(struct check *c, const struct path *p, const struct doc *rule)
{
	const struct path host = PATH(p, "host"), http = PATH(p, "http"), at = PATH(&http, "paths");
	const struct doc *h = doc_get(rule, "host"), *paths = doc_find(rule, "http.paths");

	if (h && h->n && !form_ip(doc_slice(h)))
		check_invalid(c, &host, h, "must be a DNS name, not an IP address");
	check_host(c, &host, h);
	if (part_set(rule, "http") && doc_len(paths) == 0)
		check_required(c, &at, "");
	for (size_t i = 0; i < doc_len(paths); i++) {
		const struct path one = PATH_INDEX(&at, i);

		check_http_path(c, &one, doc_at(paths, i));
	}
}

static void check_tls(struct check *c, const struct doc *spec)
{
	const struct path at = PATH(&in_spec, "tls");
	const struct doc *list = doc_get(spec, "tls");

	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path tls = PATH_INDEX(&at, i), hosts = PATH(&tls, "hosts");
		const struct doc *names = doc_get(doc_at(list, i), "hosts");

		for (size_t j = 0; j < doc_len(names); j++) {
			const struct path one = PATH_INDEX(&hosts, j);

			check_host(c, &one, doc_at(names, j));
		}
		part_optional(c, &tls, doc_at(list, i), "secretName", form_dns_subdomain);
	}
}

static void check_ingress_status(struct check *c, const struct doc *obj)
{
	const struct path status = PATH(NULL, "status"), balancer = PATH(&status, "loadBalancer"),
			  at = PATH(&balancer, "ingress");
	const struct doc *list = doc_find(obj, "status.loadBalancer.ingress");

	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path one = PATH_INDEX(&at, i);
		const struct doc *host = doc_get(doc_at(list, i), "hostname");

		part_optional(c, &one, doc_at(list, i), "ip", form_ip);
		part_optional(c, &one, doc_at(list, i), "hostname", form_dns_subdomain);
		if (host && host->n && !form_ip(doc_slice(host)))
			part_invalid(c, &one, doc_at(list, i), "hostname",
				     "must be a DNS name, not an IP address");
	}
}

static void check_class_annotation(struct check *c, const struct doc *obj)
{
	const struct path annotations = PATH(NULL, "annotations"),
			  at = PATH(&annotations, "kubernetes.io/ingress.class");
	const struct doc *v = doc_get(doc_find(obj, "metadata.annotations"),
				      "kubernetes.io/ingress.class"),
			 *class = doc_find(obj, "spec.ingressClassName");

	if (v && class && !doc_equal(v, class))
		check_invalid(c, &at, v, "must match `ingressClassName` when both are specified");
}

static void check_ingress(struct check *c, const struct doc *obj, const char *sub)
{
	const struct path backend = PATH(&in_spec, "defaultBackend"), at = PATH(&in_spec, "rules");
	const struct doc *spec = doc_get(obj, "spec"), *rules = doc_get(spec, "rules");

	if (strcmp(sub, "status") == 0) {
		check_ingress_status(c, obj);
		return;
	}
	if (doc_len(rules) == 0 && !part_set(spec, "defaultBackend"))
		check_invalid(c, &in_spec, rules,
			      "either `defaultBackend` or `rules` must be specified");
	if (part_set(spec, "defaultBackend"))
		check_backend(c, &backend, doc_get(spec, "defaultBackend"));
	for (size_t i = 0; i < doc_len(rules); i++) {
		const struct path one = PATH_INDEX(&at, i);

		check_ingress_rule(c, &one, doc_at(rules, i));
	}
	check_tls(c, spec);
	if (part_set(spec, "ingressClassName"))
		part_form(c, &in_spec, spec, "ingressClassName", form_dns_subdomain);
	if (!c->old)
		check_class_annotation(c, obj);
}

/* ---- IngressClass ---- */

static void check_class(struct check *c, const struct doc *obj, const char *sub)
{
	static const char *const scopes[] = { "Cluster", "Namespace", NULL };
	static const char *const fixed[] = { "controller", NULL };
	const struct path at = PATH(&in_spec, "parameters");
	const struct doc *spec = doc_get(obj, "spec"), *parameters = doc_get(spec, "parameters"),
			 *scope = doc_get(parameters, "scope");

	(void)sub;
	if (c->old)
		part_immutable(c, &in_spec, spec, doc_get(c->old, "spec"), fixed);
	part_not_longer(c, &in_spec, spec, "controller", 250);
	part_text(c, &in_spec, spec, "controller", form_domain_path);
	if (!parameters)
		return;
	part_reference(c, &at, parameters, "apiGroup");
	if (!part_set(parameters, "scope")) {
		part_required(c, &at, "scope", "");
		return;
	}
	part_one_of(c, &at, parameters, "scope", scopes, false);
	if (doc_str_is(scope, "Namespace") && !part_set(parameters, "namespace"))
		part_required(c, &at, "namespace", "`parameters.scope` is set to 'Namespace'");
	else if (doc_str_is(scope, "Namespace"))
		part_form(c, &at, parameters, "namespace", form_dns_label);
	if (doc_str_is(scope, "Cluster") && part_set(parameters, "namespace"))
		part_forbidden(c, &at, "namespace", "`parameters.scope` is set to 'Cluster'");
}

/* ---- IPAddress, ServiceCIDR ---- */

static void check_address(struct check *c, const struct doc *obj, const char *sub)
{
	static const char *const fixed[] = { "parentRef", NULL };
	const struct path at = PATH(&in_spec, "parentRef");
	const struct doc *spec = doc_get(obj, "spec"), *ref = doc_get(spec, "parentRef");

	(void)sub;
	if (c->old) {
		part_immutable(c, &in_spec, spec, doc_get(c->old, "spec"), fixed);
		return;
	}
	if (!part_set(spec, "parentRef")) {
		check_required(c, &at, "");
		return;
	}
	part_optional(c, &at, ref, "group", form_dns_subdomain);
	part_text(c, &at, ref, "resource", form_path_segment);
	part_text(c, &at, ref, "name", form_path_segment);
	part_optional(c, &at, ref, "namespace", form_path_segment);
}

static bool is_six(const struct doc *cidr)
{
	return cidr && cidr->n && memchr(cidr->s, ':', cidr->n);
}

static void check_cidrs(struct check *c, const struct path *p, const struct doc *list)
{
	if (doc_len(list) == 0) {
		check_required(c, p, "at least one CIDR required");
		return;
	}
	if (doc_len(list) > 2) {
		check_invalid(c, p, list, "may only hold up to 2 values");
		return;
	}
	check_each_text(c, p, list, form_cidr_canonical);
	if (doc_len(list) == 2 && !form_cidr(doc_slice(doc_at(list, 0))) &&
	    !form_cidr(doc_slice(doc_at(list, 1))) &&
	    is_six(doc_at(list, 0)) == is_six(doc_at(list, 1)))
		check_invalid(c, p, list,
			      "may specify no more than one IP for each IP family, i.e "
			      "192.168.0.0/24 and 2001:db8::/64");
}

static void check_service_cidr(struct check *c, const struct doc *obj, const char *sub)
{
	const struct path at = PATH(&in_spec, "cidrs");
	const struct doc *list = doc_find(obj, "spec.cidrs"), *old = doc_find(c->old, "spec.cidrs");
	bool grows = doc_len(old) == 1 && doc_len(list) == 2;

	if (strcmp(sub, "status") == 0)
		return;
	if (c->old && doc_len(old) != doc_len(list) && !grows) {
		check_invalid(c, &at, list, "field is immutable");
		return;
	}
	for (size_t i = 0; c->old && i < doc_len(old); i++) {
		const struct path one = PATH_INDEX(&at, i);

		if (!doc_equal(doc_at(old, i), doc_at(list, i)))
			check_invalid(c, &one, doc_at(list, i), "field is immutable");
	}
	if (!c->old || grows)
		check_cidrs(c, &at, list);
}

const struct check_kind check_networking[] = {
	{ "networking.k8s.io", "NetworkPolicy", check_network_policy, NULL },
	{ "networking.k8s.io", "Ingress", check_ingress, NULL },
	{ "networking.k8s.io", "IngressClass", check_class, NULL },
	{ "networking.k8s.io", "IPAddress", check_address, form_ip_canonical },
	{ "networking.k8s.io", "ServiceCIDR", check_service_cidr, NULL },
	{ NULL, NULL, NULL, NULL },
};
