/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to the strategies: changing documents in the order of their tables, the tables of each
 * area, and the parts that several kinds have.
 *
 * Paths are names joined by dots, below the object that is given; none of them has a dot in it.
 */
#pragma once

#include "api/api.h"
#include "api/check.h"
#include "apiserver/strategy/strategy.h"
#include "base/arena.h"

#include <string.h>

/* Beside those of strategy.h. */
enum {
	/* Changes of these count as changes of the spec. */
	STRATEGY_COUNTS_ANNOTATIONS = 1 << 16,
	STRATEGY_COUNTS_LABELS = 1 << 17,
	/* What an update of status keeps of metadata: what owners and people wrote; all of it. */
	STRATEGY_STATUS_META = 1 << 18,
	STRATEGY_STATUS_ALL_META = 1 << 19,
	STRATEGY_KEEPS_STATUS = 1 << 20, /* the function of the kind sees to status on create */
};

/* One of each strategy-<area>.c, ended by a row of NULLs. */
extern const struct strategy strategy_core[], strategy_pod[], strategy_service[], strategy_apps[],
	strategy_batch[], strategy_rest[];

/* ---- changing documents ---- */

/* Type of the object behind a path, or of the elements of a list; NULL: there is none. */
const struct api_type *strategy_type(const struct api_type *t, const char *path);
/* Sets a member in its place; objects above it are made when they are not there. The slot, NULL
 * when the arena is full. */
struct doc *strategy_put(const struct api_type *t, struct doc *obj, struct arena *a,
			 const char *path, struct doc value);
/* Removes a member; true: it was there. */
bool strategy_drop(struct doc *obj, const char *path);
/* The member becomes a copy of old's, or goes when old has none. */
void strategy_keep(const struct api_type *t, struct doc *obj, const struct doc *old,
		   struct arena *a, const char *path);
/* A member of a map, in the order of its keys; no change when `only_new` and it is there. */
void strategy_map_put(struct arena *a, struct doc *map, const char *key, struct doc value,
		      bool only_new);
/* The whole object's. */
static inline struct doc *strategy_set(struct strategy_call *c, struct doc *obj, const char *path,
				       struct doc value)
{
	return strategy_put(c->objects->kind->type, obj, c->a, path, value);
}
static inline struct doc *strategy_set_text(struct strategy_call *c, struct doc *obj,
					    const char *path, const char *text)
{
	return strategy_set(c, obj, path, doc_str(c->a, text));
}
/* c->now as a time. */
struct doc strategy_now(struct strategy_call *c);

/* ---- looking ---- */

/* Both absent, or equal. */
bool strategy_same(const struct doc *x, const struct doc *y);
static inline bool strategy_same_at(const struct doc *x, const struct doc *y, const char *path)
{
	return strategy_same(doc_find(x, path), doc_find(y, path));
}
/* The value; 0 when it is absent. */
static inline int64_t strategy_int(const struct doc *obj, const char *path)
{
	return check_number(doc_find(obj, path));
}
static inline bool strategy_is(const struct doc *obj, const char *path, const char *text)
{
	return doc_str_is(doc_find(obj, path), text);
}
static inline struct slice strategy_text(const struct doc *obj, const char *path)
{
	return doc_slice(doc_find(obj, path));
}
static inline bool strategy_sub(const struct strategy_call *c, const char *sub)
{
	return strcmp(c->sub, sub) == 0;
}
/* The condition of this type in a list, or NULL. */
struct doc *strategy_condition(const struct doc *list, const char *type);

/* ---- parts of pods: strategy-pod.c ---- */

/* Fields of features that are off by default go from a v1.PodSpec unless old has them already. */
void strategy_trim_pod(struct doc *spec, const struct doc *old);
/* Condition of a pod with the time of the change; reason and message may be NULL. */
void strategy_pod_condition(struct strategy_call *c, struct doc *pod, const char *type,
			    const char *status, const char *reason, const char *message);

/* ---- warnings: strategy-warn.c, strategy-warn-pod.c ---- */

/* "<path>: <words>" */
void strategy_warn_at(struct strategy_call *c, const struct path *p, const char *fmt, ...)
	PRINTF(3, 4);
const char *strategy_path(struct arena *a, const struct path *p); /* "spec.ports[0].name" */
/* Addresses and networks in forms that are not the usual ones. */
void strategy_warn_ip(struct strategy_call *c, const struct path *p, const struct doc *ip);
void strategy_warn_cidr(struct strategy_call *c, const struct path *p, const struct doc *cidr);
/* Each text of a list. */
void strategy_warn_ips(struct strategy_call *c, const struct path *p, const struct doc *list);
/* ip of each element. */
void strategy_warn_ips_in(struct strategy_call *c, const struct path *p, const struct doc *list);
/* Of status.loadBalancer.ingress; the path is the entry's, without its "ip", as upstream's. */
void strategy_warn_balancer(struct strategy_call *c, const struct doc *obj);
/* What is said against the name of a label of nodes; NULL: nothing. */
const char *strategy_node_label(struct slice key);
/* v1.NodeSelectorTerm. values: these are checked too (preferred terms). */
void strategy_warn_term(struct strategy_call *c, const struct path *p, const struct doc *term,
			bool values);
/* "a DNS label is recommended" for what becomes part of names of pods. */
void strategy_warn_pod_name(struct strategy_call *c, const struct doc *obj, const char *use);
#define STRATEGY_NAME_IN_PODS "Pod names and hostnames"
/* v1.PersistentVolumeClaimSpec. */
void strategy_warn_claim(struct strategy_call *c, const struct path *p, const struct doc *spec);
/* A quantity of bytes with a fraction: list[name]. */
void strategy_warn_fraction(struct strategy_call *c, const struct path *list_at,
			    const struct doc *list, const char *name);
/* A pod (p NULL), or a template at p. */
void strategy_warn_pod(struct strategy_call *c, const struct path *p, const struct doc *pod);
void strategy_warn_template(struct strategy_call *c, const struct doc *obj, const char *path);
/* "BestEffort", "Burstable", "Guaranteed": of a v1.PodSpec. */
const char *strategy_class_of_service(const struct doc *spec);
/* The name is reserved for files of the server. */
void strategy_warn_static(struct strategy_call *c, const struct doc *obj, const struct doc *old);
/* appArmorProfile that an annotation stands for; NULL: none. */
struct doc *strategy_apparmor(struct arena *a, struct slice annotation);
#define STRATEGY_APPARMOR "container.apparmor.security.beta.kubernetes.io/"
#define STRATEGY_APPARMOR_WARNING \
	"deprecated since v1.30; use the \"appArmorProfile\" field instead"

/* ---- addresses: strategy-ip.c ---- */

struct strategy_ip {
	unsigned char b[16]; /* of IPv4 the first four */
	bool v6;
	bool odd; /* leading zeros, or IPv4 in IPv6: read, but not written like this */
};
#define STRATEGY_IP_MAX 56
/* Zeros may lead the numbers of IPv4; IPv4 in IPv6 is IPv4. */
bool strategy_ip_read(struct slice s, struct strategy_ip *ret);
/* RFC 5952. */
void strategy_ip_print(const struct strategy_ip *ip, char dst[STRATEGY_IP_MAX]);
int strategy_ip_cmp(const struct strategy_ip *x, const struct strategy_ip *y);
/* Adds to the last 64 bits; the carry is lost beyond them. */
void strategy_ip_add(struct strategy_ip *ip, uint64_t n);
/* "10.0.0.0/16"; ip as written, with the bits behind the prefix. */
bool strategy_cidr_read(struct slice s, struct strategy_ip *ip, unsigned *ret_bits);
void strategy_ip_mask(struct strategy_ip *ip, unsigned bits);

/* ---- definitions of custom kinds: strategy-custom.c ---- */

/* The version that objects are stored in is among status.storedVersions. */
int strategy_create_definition(struct strategy_call *c, struct doc *obj, struct err *err);
int strategy_update_definition(struct strategy_call *c, struct doc *obj, const struct doc *old,
			       struct err *err);
/* Formats that nobody knows; of an update, new ones. */
void strategy_warn_definition(struct strategy_call *c, const struct doc *obj,
			      const struct doc *old);
