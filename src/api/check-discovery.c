/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of discovery.k8s.io/v1. */
#include "api/check-parts.h"

#include <arpa/inet.h>

#define ENDPOINTS_MAX 1000
#define ADDRESSES_MAX 100
#define PORTS_MAX 20000
#define TOPOLOGY_MAX 16
#define HINTS_MAX 8

static const char *form_ipv4(struct slice s)
{
	return schema_format_ok(FORMAT_IPV4, s) ? NULL : "must be an IPv4 address";
}

static const char *form_ipv6(struct slice s)
{
	return schema_format_ok(FORMAT_IPV6, s) ? NULL : "must be an IPv6 address";
}

/* At least two labels; a dot at the end is fine. */
static const char *form_fqdn(struct slice s)
{
	const char *why;

	if (s.n && s.p[s.n - 1] == '.')
		s.n--;
	why = form_dns_subdomain(s);
	if (!why && !memchr(s.p, '.', s.n))
		why = "should be a domain with at least two segments separated by dots";
	return why;
}

/* Addresses that no endpoint has: of no host, of this host, of the link. */
static const char *special(struct slice s)
{
	char text[INET6_ADDRSTRLEN] = "";
	unsigned char b[16];

	if (s.n >= sizeof(text))
		return NULL;
	memcpy(text, s.p, s.n);
	if (inet_pton(AF_INET, text, b) == 1)
		return !(b[0] | b[1] | b[2] | b[3]) ? "may not be unspecified (0.0.0.0)"
		       : b[0] == 127 ? "may not be in the loopback range (127.0.0.0/8, ::1/128)"
		       : b[0] == 169 && b[1] == 254 ? "may not be in the link-local range "
						      "(169.254.0.0/16, fe80::/10)"
		       : b[0] == 224 && b[1] == 0 && b[2] == 0
			       ? "may not be in the link-local multicast range (224.0.0.0/24, "
				 "ff02::/10)"
			       : NULL;
	if (inet_pton(AF_INET6, text, b) != 1)
		return NULL;
	return IN6_IS_ADDR_UNSPECIFIED((struct in6_addr *)(void *)b) ? "may not be unspecified (::)"
	       : IN6_IS_ADDR_LOOPBACK((struct in6_addr *)(void *)b)
		       ? "may not be in the loopback range (127.0.0.0/8, ::1/128)"
	       : b[0] == 0xfe && (b[1] & 0xc0) == 0x80
		       ? "may not be in the link-local range (169.254.0.0/16, fe80::/10)"
	       : b[0] == 0xff && (b[1] & 0xf) == 2
		       ? "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"
		       : NULL;
}

static void check_addresses(struct check *c, const struct path *p, const struct doc *list,
			    const struct doc *type)
{
	check_form *form = doc_str_is(type, "IPv4")   ? form_ipv4
			   : doc_str_is(type, "IPv6") ? form_ipv6
			   : doc_str_is(type, "FQDN") ? form_fqdn
						      : NULL;

	if (doc_len(list) == 0)
		check_required(c, p, "must contain at least 1 address");
	else if (doc_len(list) > ADDRESSES_MAX)
		check_too_many(c, p, doc_len(list), ADDRESSES_MAX);
	for (size_t i = 0; form && i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(p, i);
		const struct doc *v = doc_at(list, i);
		const char *why = form(doc_slice(v));

		if (!why && form != form_fqdn)
			why = special(doc_slice(v));
		if (why)
			check_invalid(c, &at, v, "%s", why);
	}
}

static void check_hints(struct check *c, const struct path *p, const struct doc *hints)
{
	static const char *const lists[] = { "forZones", "forNodes" };

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		const struct path at = PATH(p, lists[i]);
		const struct doc *list = doc_get(hints, lists[i]);

		if (doc_len(list) > HINTS_MAX) {
			check_too_many(c, &at, doc_len(list), HINTS_MAX);
			continue;
		}
		check_unique(c, &at, list, "name");
		for (size_t j = 0; j < doc_len(list); j++) {
			const struct path one = PATH_INDEX(&at, j);

			part_form(c, &one, doc_at(list, j), "name",
				  i == 0 ? form_label_value : form_dns_subdomain);
		}
	}
}

static void check_endpoint(struct check *c, const struct path *p, const struct doc *endpoint,
			   const struct doc *type)
{
	const struct path addresses = PATH(p, "addresses"),
			  topology = PATH(p, "deprecatedTopology"), hints = PATH(p, "hints"),
			  host = PATH(p, "hostname"),
			  zone = PATH_KEY(&topology, SLICE("topology.kubernetes.io/zone"));
	const struct doc *labels = doc_get(endpoint, "deprecatedTopology");

	check_addresses(c, &addresses, doc_get(endpoint, "addresses"), type);
	part_optional(c, p, endpoint, "nodeName", form_dns_subdomain);
	if (doc_len(labels) > TOPOLOGY_MAX)
		check_too_many(c, &topology, doc_len(labels), TOPOLOGY_MAX);
	check_labels(c, &topology, labels);
	if (doc_get(labels, "topology.kubernetes.io/zone"))
		check_invalid(c, &zone, doc_get(labels, "topology.kubernetes.io/zone"),
			      "reserved key cannot be set directly");
	if (part_set(endpoint, "hostname") &&
	    form_dns_label(doc_slice(doc_get(endpoint, "hostname"))))
		check_invalid(c, &host, doc_get(endpoint, "hostname"), "%s",
			      form_dns_label(doc_slice(doc_get(endpoint, "hostname"))));
	if (part_set(endpoint, "hints"))
		check_hints(c, &hints, doc_get(endpoint, "hints"));
}

static void check_endpoint_ports(struct check *c, const struct path *p, const struct doc *ports)
{
	static const char *const protocols[] = { "SCTP", "TCP", "UDP", NULL };

	if (doc_len(ports) > PORTS_MAX) {
		check_too_many(c, p, doc_len(ports), PORTS_MAX);
		return;
	}
	for (size_t i = 0; i < doc_len(ports); i++) {
		const struct path at = PATH_INDEX(p, i);
		const struct doc *port = doc_at(ports, i);
		size_t j = 0;

		part_optional(c, &at, port, "name", form_dns_label);
		while (j < i && !part_same(port, doc_at(ports, j), "name"))
			j++;
		if (j < i)
			part_duplicate(c, &at, port, "name");
		part_one_of(c, &at, port, "protocol", protocols, true);
		part_optional(c, &at, port, "appProtocol", form_qualified_name);
	}
}

static void check_slice(struct check *c, const struct doc *obj, const char *sub)
{
	static const char *const types[] = { "FQDN", "IPv4", "IPv6", NULL };
	static const char *const fixed[] = { "addressType", NULL };
	const struct path at = PATH(NULL, "endpoints"), ports = PATH(NULL, "ports");
	const struct doc *endpoints = doc_get(obj, "endpoints");

	(void)sub;
	part_one_of(c, NULL, obj, "addressType", types, true);
	if (doc_len(endpoints) > ENDPOINTS_MAX)
		check_too_many(c, &at, doc_len(endpoints), ENDPOINTS_MAX);
	for (size_t i = 0; doc_len(endpoints) <= ENDPOINTS_MAX && i < doc_len(endpoints); i++) {
		const struct path one = PATH_INDEX(&at, i);

		check_endpoint(c, &one, doc_at(endpoints, i), doc_get(obj, "addressType"));
	}
	check_endpoint_ports(c, &ports, doc_get(obj, "ports"));
	if (c->old)
		part_immutable(c, NULL, obj, c->old, fixed);
}

const struct check_kind check_discovery[] = {
	{ "discovery.k8s.io", "EndpointSlice", check_slice, NULL, .own_values = true },
	{ NULL, NULL, NULL, NULL },
};
