/* SPDX-License-Identifier: Apache-2.0 */
/* Objects that are written with a Service: an IPAddress for each of its addresses. */
#include "api/object.h"
#include "apiserver/strategy/service-alloc.h"
#include "base/hash.h"

#include <stdio.h>

static void add_more(struct strategy_call *c, const struct collection *objects, const char *key,
		     const struct doc *obj, int64_t expect)
{
	if (c->nmore < STRATEGY_MORE_MAX)
		c->more[c->nmore++] =
			(struct strategy_more){ (struct collection *)(uintptr_t)objects, key, obj,
						expect };
}

void service_remove_with(struct strategy_call *c, const char *group, const char *resource,
			 const char *key)
{
	const struct collection *objects = c->rs ? resources_objects(c->rs, group, resource) : NULL;
	const struct item *item = objects && key ? cache_get(objects->cache, slice_str(key)) : NULL;

	if (item)
		add_more(c, objects, key, NULL, item_revision(item));
}

static void new_uid(char dst[37])
{
	unsigned char b[16];

	random_bytes(b, sizeof(b));
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	(void)snprintf(dst, 37,
		       "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
		       b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12],
		       b[13], b[14], b[15]);
}

/* The object that stands for an address of the Service. */
static int make_address(struct strategy_call *c, const struct doc *service,
			const struct collection *objects, const char *name, struct err *err)
{
	struct doc *d = doc_new_object(c->a), *meta, *labels, *ref,
		   *ret = ARENA_NEW(c->a, struct doc);
	char uid[37];
	int r;

	new_uid(uid);
	(void)doc_set_str(c->a, d, "kind", objects->kind->kind);
	(void)doc_set_str(c->a, d, "apiVersion", objects->kind->group->api_version);
	meta = doc_set_object(c->a, d, "metadata");
	(void)doc_set_str(c->a, meta, "name", name);
	(void)doc_set_str(c->a, meta, "uid", uid);
	(void)doc_set(c->a, meta, "creationTimestamp", strategy_now(c));
	labels = doc_set_object(c->a, meta, "labels");
	(void)doc_set_str(c->a, labels, "ipaddress.kubernetes.io/ip-family",
			  strchr(name, ':') ? "IPv6" : "IPv4");
	(void)doc_set_str(c->a, labels, "ipaddress.kubernetes.io/managed-by", "ipallocator.k8s.io");
	ref = doc_set_object(c->a, doc_set_object(c->a, d, "spec"), "parentRef");
	(void)doc_set_str(c->a, ref, "resource", "services");
	if (doc_find(service, "metadata.namespace"))
		(void)doc_set(c->a, ref, "namespace", *doc_find(service, "metadata.namespace"));
	if (doc_find(service, "metadata.name"))
		(void)doc_set(c->a, ref, "name", *doc_find(service, "metadata.name"));
	if (!d || !ret)
		return arena_quota(c->a, err);
	r = api_admit(objects->kind->type, d, c->a, 0, NULL, ret, err);
	if (r == 0)
		add_more(c, objects, name, ret, 0);
	return r;
}

/* The i-th address of a Service as the name of its object; NULL: it has none. */
static const char *address_name(struct strategy_call *c, const struct doc *service, size_t i)
{
	const struct doc *ip = strategy_is(service, "spec.type", "ExternalName")
				       ? NULL
				       : doc_at(doc_find(service, "spec.clusterIPs"), i);
	char text[STRATEGY_IP_MAX];
	struct strategy_ip read;

	if (!ip || !strategy_ip_read(doc_slice(ip), &read))
		return NULL;
	strategy_ip_print(&read, text);
	return arena_strdup(c->a, text);
}

static bool has_address(struct strategy_call *c, const struct doc *service, const char *name)
{
	for (size_t i = 0; i < 2; i++) {
		const char *other = address_name(c, service, i);

		if (other && strcmp(other, name) == 0)
			return true;
	}
	return false;
}

int service_write_addresses(struct strategy_call *c, const struct doc *obj, const struct doc *old,
			    struct err *err)
{
	const struct collection *objects =
		c->rs ? resources_objects(c->rs, "networking.k8s.io", "ipaddresses") : NULL;
	int r = 0;

	for (size_t i = 0; objects && r == 0 && i < 2; i++) {
		const char *name = obj ? address_name(c, obj, i) : NULL,
			   *was = old ? address_name(c, old, i) : NULL;

		if (name && !cache_get(objects->cache, slice_str(name)))
			r = make_address(c, obj, objects, name, err);
		if (was && (!obj || !has_address(c, obj, was)))
			service_remove_with(c, "networking.k8s.io", "ipaddresses", was);
	}
	return r;
}
