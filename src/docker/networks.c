/* SPDX-License-Identifier: Apache-2.0 */
/* The predefined networks, and the empty list of volumes: what clients ask for at every turn. */
#include "docker/private.h"

#include "network/network.h"

#include <arpa/inet.h>
#include <stdio.h>

static void show_ipam(struct call *c, const struct network_info *ni, struct doc *o)
{
	struct doc *ipam = doc_set_object(c->a, o, "IPAM"), *cfg, *row;
	char text[INET6_ADDRSTRLEN];

	doc_set_str(c->a, ipam, "Driver", "default");
	doc_set_null(c->a, ipam, "Options");
	if (!ni->subnet.family) {
		doc_set_null(c->a, ipam, "Config");
		return;
	}
	cfg = doc_set_array(c->a, ipam, "Config");
	row = doc_append_object(c->a, cfg);
	if (inet_ntop(ni->subnet.family, &ni->subnet.v4, text, sizeof(text)))
		doc_set_strf(c->a, row, "Subnet", "%s/%u", text, (unsigned)ni->subnet.prefix);
	if (inet_ntop(ni->gateway.family, &ni->gateway.v4, text, sizeof(text)))
		doc_set_str(c->a, row, "Gateway", text);
}

static void show_members(struct call *c, const char *name, struct doc *o)
{
	struct doc *m = doc_set_object(c->a, o, "Containers"), *row;
	struct container *ct = NULL;

	while ((ct = engine_container_next(c->e, ct))) {
		const struct container_endpoint *ep = container_endpoint(ct);

		if (!container_get_state(ct)->pid || strcmp(ep->network, name) != 0)
			continue;
		row = doc_set_object(c->a, m, container_id(ct));
		doc_set_str(c->a, row, "Name", container_name(ct));
		doc_set_str(c->a, row, "EndpointID", ep->endpoint_id ? ep->endpoint_id : "");
		doc_set_str(c->a, row, "MacAddress", ep->mac);
		if (*ep->ip)
			doc_set_strf(c->a, row, "IPv4Address", "%s/%d", ep->ip, ep->prefix);
		else
			doc_set_str(c->a, row, "IPv4Address", "");
		doc_set_str(c->a, row, "IPv6Address", "");
	}
}

static void show_network(struct call *c, struct network *n, struct doc *o, bool whole)
{
	struct network_info ni;
	struct arena *a = c->a;
	struct doc *opts;

	network_info(n, &ni);
	doc_set_str(a, o, "Name", ni.name);
	doc_set_str(a, o, "Id", ni.id);
	show_time(a, o, "Created", CLOCK_ZERO); /* there from the beginning */
	doc_set_str(a, o, "Scope", "local");
	doc_set_str(a, o, "Driver", strcmp(ni.name, "none") == 0 ? "null" : ni.driver);
	if (c->minor >= 48)
		doc_set_bool(a, o, "EnableIPv4", true);
	doc_set_bool(a, o, "EnableIPv6", false);
	show_ipam(c, &ni, o);
	doc_set_bool(a, o, "Internal", false);
	doc_set_bool(a, o, "Attachable", false);
	doc_set_bool(a, o, "Ingress", false);
	doc_set_str(a, doc_set_object(a, o, "ConfigFrom"), "Network", "");
	doc_set_bool(a, o, "ConfigOnly", false);
	if (whole)
		show_members(c, ni.name, o);
	else
		doc_set_object(a, o, "Containers");
	opts = doc_set_object(a, o, "Options");
	if (*ni.bridge) {
		doc_set_str(a, opts, "com.docker.network.bridge.default_bridge", "true");
		doc_set_str(a, opts, "com.docker.network.bridge.enable_icc", "true");
		doc_set_str(a, opts, "com.docker.network.bridge.enable_ip_masquerade", "true");
		doc_set_str(a, opts, "com.docker.network.bridge.name", ni.bridge);
		doc_set_strf(a, opts, "com.docker.network.driver.mtu", "%u", ni.mtu);
	}
	doc_set_object(a, o, "Labels");
}

static bool switched_off(struct call *c, const struct network_info *ni)
{
	return engine_get_conf(c->e)->no_bridge && strcmp(ni->name, "bridge") == 0;
}

static bool network_wanted(const struct filters *f, const struct network_info *ni)
{
	static const struct str_map none = { 0 };
	const char *v;
	bool by_id = !filters_has(f, "id");

	for (size_t i = 0; (v = filters_nth(f, "id", i)); i++)
		by_id |= strncmp(ni->id, v, strlen(v)) == 0;
	return by_id && filters_match(f, "name", ni->name) &&
	       filters_exact(f, "driver", strcmp(ni->name, "none") == 0 ? "null" : ni->driver) &&
	       filters_exact(f, "scope", "local") && filters_exact(f, "type", "builtin") &&
	       filters_labels(f, "label", &none);
}

void networks_list(struct call *c)
{
	static const char *const known[] = { "dangling", "driver", "id",   "label",
					     "name",	 "scope",  "type", NULL };
	struct doc *arr = doc_new_array(c->a);
	struct filters f;
	struct network_info ni;
	struct network *n;
	struct err err = ERR_INIT;
	int dangling = filters_parse(c, known, &f, &err);

	if (dangling == 0)
		dangling = filters_bool(&f, "dangling", 0, &err);
	if (dangling < 0) {
		reply_err(c, &err);
		return;
	}
	/* The predefined ones are never dangling. */
	for (unsigned i = 0; !dangling && (n = network_at(engine_networks(c->e), i)); i++) {
		network_info(n, &ni);
		if (!switched_off(c, &ni) && network_wanted(&f, &ni))
			show_network(c, n, doc_append_object(c->a, arr), false);
	}
	reply_doc(c, 200, arr);
}

void network_inspect(struct call *c)
{
	const char *ref = route_param(c->m, "id"), *scope = query_get(&c->q, "scope");
	struct doc *o = doc_new_object(c->a);
	struct network *n;
	struct network_info ni;
	struct err err = ERR_INIT;
	int r = network_find(engine_networks(c->e), ref, &n, &err);

	if (r == 0)
		network_info(n, &ni);
	if (r == 0 && (switched_off(c, &ni) || (scope && *scope && strcmp(scope, "local") != 0)))
		r = err_set(&err, ERR_NOT_FOUND, "network %s not found", ref);
	if (r < 0) {
		reply_err(c, &err);
		return;
	}
	show_network(c, n, o, true);
	reply_doc(c, 200, o);
}

void volumes_list(struct call *c)
{
	static const char *const known[] = { "dangling", "driver", "label", "name", NULL };
	struct doc *o = doc_new_object(c->a);
	struct filters f;
	struct err err = ERR_INIT;

	if (filters_parse(c, known, &f, &err) < 0) {
		reply_err(c, &err);
		return;
	}
	doc_set_array(c->a, o, "Volumes");
	doc_set_null(c->a, o, "Warnings");
	reply_doc(c, 200, o);
}

void volume_inspect(struct call *c)
{
	reply_fail(c, ERR_NOT_FOUND, "get %s: no such volume", route_param(c->m, "name"));
}
