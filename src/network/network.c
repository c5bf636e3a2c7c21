/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The set of networks of an engine: lookup, life, and the way from the public calls to a driver's
 * row. What a kind of network does to the kernel is in its driver's file.
 */
#include "network/private.h"

#include "base/err.h"
#include "base/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MTU_DEFAULT 1500
#define MTU_MIN 68 /* RFC 791 */

/* docker's names for networks that connect nothing, or everything */
static const struct network_driver driver_null = { .name = "null" };
static const struct network_driver driver_host = { .name = "host" };

static const struct {
	const char *name;
	const struct network_driver *driver;
} built_in[] = {
	{ "bridge", &network_driver_bridge },
	{ "host", &driver_host },
	{ "none", &driver_null },
};

struct network_set {
	char instance[NETWORK_INSTANCE_LEN + 1];
	struct network *nets[NETWORK_MAX];
	unsigned n;
};

int network_mode_parse(const char *text, struct network_mode *ret, struct err *err)
{
	static const char container[] = "container:";

	if (text[0] == '\0' || strcmp(text, "default") == 0 || strcmp(text, "bridge") == 0) {
		*ret = (struct network_mode){ NETWORK_KIND_BRIDGE, "bridge" };
	} else if (strcmp(text, "none") == 0) {
		*ret = (struct network_mode){ NETWORK_KIND_NONE, "none" };
	} else if (strcmp(text, "host") == 0) {
		*ret = (struct network_mode){ NETWORK_KIND_HOST, "host" };
	} else if (strncmp(text, container, sizeof container - 1) == 0) {
		*ret = (struct network_mode){ NETWORK_KIND_CONTAINER, text + sizeof container - 1 };
		if (ret->ref[0] == '\0')
			return err_set(err, ERR_INVALID,
				       "network mode 'container:' names no container");
	} else {
		*ret = (struct network_mode){ NETWORK_KIND_NAMED, text };
	}
	return 0;
}

/* The id of a built-in network follows from the instance: it is the same after a restart without
 * being stored. */
static void id_derive(struct network *n)
{
	char text[NETWORK_INSTANCE_LEN + NETWORK_NAME_MAX + 16];
	int len = snprintf(text, sizeof text, "teu network %s %s", n->instance, n->name);

	sha256_hex(text, (size_t)len, n->id);
}

static void network_free(struct network *n)
{
	ipam_fini(&n->ipam);
	pthread_mutex_destroy(&n->lock);
	free(n);
}

static int options_check(const struct network_options *o, struct err *err)
{
	if (!o->instance || strlen(o->instance) != NETWORK_INSTANCE_LEN ||
	    !hex_is_lower(slice_str(o->instance)))
		return err_set(err, ERR_INVALID, "instance id '%s' is not %d hex digits",
			       o->instance ? o->instance : "", NETWORK_INSTANCE_LEN);
	if (o->bridge_id &&
	    (strlen(o->bridge_id) != NETWORK_ID_LEN || !hex_is_lower(slice_str(o->bridge_id))))
		return err_set(err, ERR_INVALID, "network id '%s' is not %d hex digits",
			       o->bridge_id, NETWORK_ID_LEN);
	if (o->mtu && (o->mtu < MTU_MIN || o->mtu > 65535))
		return err_set(err, ERR_INVALID, "MTU %u is not within %d..65535", o->mtu, MTU_MIN);
	return 0;
}

int network_set_new(const struct network_options *o, struct network_set **ret, struct err *err)
{
	struct rtnl_addr wish = { 0 };
	struct network_set *s;
	int r = options_check(o, err);

	if (r < 0)
		return r;
	if (o->subnet) {
		struct ipam probe = { 0 };

		r = rtnl_addr_parse(o->subnet, &wish, err);
		if (r == 0)
			r = ipam_init(&probe, &wish, &wish, err);
		ipam_fini(&probe);
		if (r < 0)
			return err_wrap(err, "subnet of network 'bridge'");
	}
	s = calloc(1, sizeof *s);
	if (!s)
		abort();
	(void)str_copy(s->instance, sizeof s->instance, o->instance);
	for (size_t i = 0; i < ARRAY_LEN(built_in); i++) {
		struct network *n = calloc(1, sizeof *n);

		if (!n)
			abort();
		n->driver = built_in[i].driver;
		(void)str_copy(n->name, sizeof n->name, built_in[i].name);
		(void)str_copy(n->instance, sizeof n->instance, o->instance);
		id_derive(n);
		n->mtu = o->mtu ? o->mtu : MTU_DEFAULT;
		pthread_mutex_init(&n->lock, NULL);
		if (n->driver == &network_driver_bridge) {
			n->wish = wish;
			n->masquerade = !o->no_masquerade;
			(void)snprintf(n->bridge, sizeof n->bridge, "teu-%s", o->instance);
			if (o->bridge_id)
				(void)str_copy(n->id, sizeof n->id, o->bridge_id);
		}
		s->nets[s->n++] = n;
	}
	*ret = s;
	return 0;
}

void network_set_free(struct network_set *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->n; i++)
		network_free(s->nets[i]);
	free(s);
}

struct network *network_at(struct network_set *s, unsigned i)
{
	return i < s->n ? s->nets[i] : NULL;
}

int network_find(struct network_set *s, const char *ref, struct network **ret, struct err *err)
{
	struct network *found = NULL;
	unsigned matches = 0;
	size_t len = strlen(ref);

	for (unsigned i = 0; i < s->n; i++)
		if (strcmp(s->nets[i]->name, ref) == 0 || strcmp(s->nets[i]->id, ref) == 0) {
			*ret = s->nets[i];
			return 0;
		}
	for (unsigned i = 0; i < s->n; i++)
		if (len && strncmp(s->nets[i]->id, ref, len) == 0) {
			found = s->nets[i];
			matches++;
		}
	if (matches > 1)
		return err_set(err, ERR_BAD_REQUEST,
			       "network %s is ambiguous (%u matches found on ID prefix)", ref,
			       matches);
	if (!found)
		return err_set(err, ERR_NOT_FOUND, "network '%s' not found", ref);
	*ret = found;
	return 0;
}

int network_create(struct network_set *s, const struct network_spec *spec, struct network **ret,
		   struct err *err)
{
	struct network *there;

	(void)ret;
	if (network_find(s, spec->name, &there, NULL) == 0)
		return err_set(err, ERR_CONFLICT, "network with name %s already exists",
			       spec->name);
	return err_set(err, ERR_UNSUPPORTED,
		       "network '%s': user-defined networks of driver '%s' are not supported by "
		       "this version",
		       spec->name, spec->driver && spec->driver[0] ? spec->driver : "bridge");
}

void network_info(struct network *n, struct network_info *ret)
{
	pthread_mutex_lock(&n->lock);
	*ret = (struct network_info){
		.name = n->name,
		.id = n->id,
		.driver = n->driver->name,
		.bridge = n->bridge,
		.subnet = n->subnet,
		.gateway = n->gateway,
		.mtu = n->mtu,
		.up = n->up,
		.forwarding = n->forwarding,
		.forwarding_set = n->forwarding_set,
	};
	pthread_mutex_unlock(&n->lock);
}

int network_up(struct network *n, struct err *err)
{
	if (n->driver->up && n->driver->up(n, err) < 0)
		return err_wrap(err, "network '%s'", n->name);
	return 0;
}

int network_down(struct network *n, struct err *err)
{
	if (n->driver->down && n->driver->down(n, err) < 0)
		return err_wrap(err, "take down network '%s'", n->name);
	return 0;
}

int network_ipam_take(struct network *n, const struct in_addr *wanted, struct in_addr *ret,
		      struct err *err)
{
	int r;

	pthread_mutex_lock(&n->lock);
	if (n->ipam.taken)
		r = ipam_take(&n->ipam, wanted, ret, err);
	else
		r = err_set(err, ERR_CONFLICT,
			    "it has no addresses to give (not up, or a driver without)");
	pthread_mutex_unlock(&n->lock);
	return r < 0 ? err_wrap(err, "network '%s'", n->name) : 0;
}

void network_ipam_free(struct network *n, struct in_addr a)
{
	pthread_mutex_lock(&n->lock);
	/* The gateway is never a container's. */
	if (a.s_addr != n->gateway.v4.s_addr)
		ipam_free(&n->ipam, a);
	pthread_mutex_unlock(&n->lock);
}

int network_attach(struct network *n, const struct network_endpoint_spec *spec,
		   struct network_endpoint *ret, struct err *err)
{
	struct network_endpoint ep = { 0 };
	int r;

	if (n->driver == &driver_host)
		return err_set(
			err, ERR_INVALID,
			"network 'host': a container of its own namespace cannot be attached");
	(void)str_copy(ep.network_id, sizeof ep.network_id, n->id);
	random_hex(ep.endpoint_id, NETWORK_ID_LEN);
	r = n->driver->attach ? n->driver->attach(n, spec, &ep, err)
			      : rtnl_lo_up(spec->netns_fd, err);
	if (r < 0)
		return err_wrap(err, "connect container %.12s to network '%s'", spec->container,
				n->name);
	*ret = ep;
	return 0;
}

void network_detach(struct network *n, const struct network_endpoint *ep)
{
	if (n->driver->detach)
		n->driver->detach(n, ep);
}

const char *network_mac_text(const uint8_t mac[6], char dst[NETWORK_MAC_TEXT])
{
	(void)snprintf(dst, NETWORK_MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1],
		       mac[2], mac[3], mac[4], mac[5]);
	return dst;
}
