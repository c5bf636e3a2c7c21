/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run makes sure of every object at once; their writes go into one transaction or a few. It comes
 * again a second after one of them was touched by others. The documents live as long as the run.
 */
#include "apiserver/bootstrap.h"

#include "api/api.h"
#include "apiserver/auth/authn.h"
#include "apiserver/auth/rbac-defaults.h"
#include "apiserver/bootstrap-data.h"
#include "apiserver/bootstrap-peers.h"
#include "apiserver/bootstrap-trust.h"
#include "apiserver/strategy/own.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/loop.h"
#include "crypto/aead.h"
#include "doc/json.h"
#include "doc/yaml.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RUN_MEMORY (8u << 20)
#define PUTS_MAX 256
#define WATCHES_MAX 11
#define SOON NS_PER_SEC
/* Upstream renews its Lease of an hour every ten seconds; a write to the disk each time is dear on
 * a small machine, and who reads it asks only whether the hour is over. */
#define LEASE_EVERY (600 * NS_PER_SEC)
#define LEASE_SECONDS 3600
#define RETRY (5 * NS_PER_SEC)
#define PEER_SECONDS 15 /* as upstream's */

struct run {
	struct bootstrap *b;
	struct arena *a;
	struct own_put puts[PUTS_MAX];
	size_t n, pending, written;
	struct err err; /* the first */
};

struct own_watch {
	struct cache_watch w;
	struct bootstrap *b;
	bool on;
};

struct bootstrap {
	struct loop *loop;
	struct resources *rs;
	const struct authn_front *front;
	char *cidrs, *address, *client_ca, *front_ca, *hostname;
	char first_ip[64], identity[64], holder[128];
	unsigned port;
	struct store *store;
	int64_t peer_ttl;
	struct peers *peers; /* NULL: no other server can be there, or we have no address */
	struct run *run;
	bool again, lease_due, stopped, has_roles;
	struct timer timer, lease;
	struct own_watch watches[WATCHES_MAX];
	void (*done)(void *arg, int result, struct err *err);
	void *arg;
};

/* ---- names and addresses ---- */

void bootstrap_identity(const char *hostname, char ret[64])
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
	unsigned char d[DIGEST_MAX];
	char text[27] = "";

	(void)digest_of(DIGEST_SHA256, slice_str(hostname), d);
	/* base32 of the first 16 bytes, without padding: 26 characters */
	for (unsigned i = 0; i < 26; i++) {
		unsigned bit = i * 5, v = (unsigned)d[bit / 8] << 8;

		if (bit / 8 + 1 < 16)
			v |= d[bit / 8 + 1];
		text[i] = letters[v >> (11 - bit % 8) & 31];
	}
	(void)snprintf(ret, 64, "apiserver-%s", text);
}

int bootstrap_first_ip(const char *cidr, char ret[64], struct err *err)
{
	struct slice rest = slice_str(cidr), net = slice_split(&rest, '/');
	unsigned char addr[16];
	char text[64];
	int family = slice_has(net, ':') ? AF_INET6 : AF_INET;
	unsigned len = family == AF_INET6 ? 16 : 4;
	uint64_t bits;

	if (net.n >= sizeof(text) || !rest.p || str_uint64(rest, &bits, NULL) < 0 ||
	    bits > len * 8 - 2u)
		return err_set(err, ERR_INVALID,
			       "'%.100s' is not a range of addresses such as 10.96.0.0/12", cidr);
	memcpy(text, net.p, net.n);
	text[net.n] = '\0';
	if (inet_pton(family, text, addr) != 1)
		return err_set(err, ERR_INVALID, "'%.100s': '%s' is not an address", cidr, text);
	for (unsigned i = (unsigned)bits; i < len * 8; i++)
		if (addr[i / 8] & 0x80 >> i % 8)
			return err_set(err, ERR_INVALID,
				       "'%.100s': the address has bits behind the prefix", cidr);
	addr[len - 1] |= 1;
	return inet_ntop(family, addr, ret, 64) ? 0 : err_sys(err, "address of '%s'", cidr);
}

static bool is_loopback(const char *address)
{
	return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

/* ---- rules of change ---- */

static const struct api *api_of(const struct own_put *p)
{
	return resources_api(p->rs);
}

/* Members of obj.part (of type `name`) become want's. */
static int take_of(struct own_put *p, struct arena *a, struct doc *obj, const struct doc *want,
		   const char *part, const char *group_version, const char *name,
		   const char *const *fields)
{
	const struct api_type *t = api_type(api_of(p), group_version, name);
	struct doc *to = doc_get(obj, part);
	int changed = 0;

	assert(t);
	for (; doc_is(to, DOC_OBJECT) && *fields; fields++)
		changed |= own_take(t, to, doc_get(want, part), *fields, a);
	return changed;
}

static int update_service(struct own_put *p, struct arena *a, struct doc *obj,
			  const struct doc *want, struct err *err)
{
	static const char *const all[] = { "ports", "type", NULL }, *const type[] = { "type",
										      NULL };
	const struct doc *have = doc_find(obj, "spec.ports");
	const struct run *run = p->arg;
	/* See is_agreed: the target is this server's port. */
	const bool agreed =
		run->b->peers && run->b->has_roles && doc_len(have) == 1 &&
		doc_equal(doc_find(have, "0.port"), doc_find(want, "spec.ports.0.port"));

	return take_of(p, a, obj, want, "spec", "v1", "ServiceSpec", agreed ? type : all);
}

/* The same addresses in any order. Each is a member of an object, or the first of its list. */
static const struct doc *address_at(const struct doc *list, size_t i)
{
	const struct doc *d = doc_at(list, i), *ip = doc_get(d, "ip");

	return ip ? ip : doc_at(doc_get(d, "addresses"), 0);
}

static bool same_addresses(const struct doc *x, const struct doc *y)
{
	const size_t n = doc_len(x);

	for (size_t i = 0; i < n; i++) {
		bool found = false;

		for (size_t j = 0; j < doc_len(y) && !found; j++)
			found = doc_equal(address_at(x, i), address_at(y, j));
		if (!found)
			return false;
	}
	return n > 0 && n == doc_len(y);
}

/*
 * Several servers write it. Who starts says all; later only addresses that came or went are
 * reasons to write, or servers of different ports would never agree.
 */
static bool is_agreed(const struct run *run, const struct doc *x, const struct doc *y)
{
	return run->b->peers && run->b->has_roles && same_addresses(x, y);
}

static int update_endpoints(struct own_put *p, struct arena *a, struct doc *obj,
			    const struct doc *want, struct err *err)
{
	const struct api_type *t = p->objects->kind->type;
	const struct doc *have = doc_get(obj, "subsets"), *ours = doc_get(want, "subsets");
	bool changed = false;

	if (doc_len(have) != 1 || !doc_len(doc_get(doc_at(have, 0), "ports")) ||
	    !is_agreed(p->arg, doc_find(have, "0.addresses"), doc_find(ours, "0.addresses")))
		changed = own_take(t, obj, want, "subsets", a);

	return own_take_map(p->rs, obj, want, "labels", a) || changed;
}

static int update_slice(struct own_put *p, struct arena *a, struct doc *obj, const struct doc *want,
			struct err *err)
{
	const struct api_type *t = p->objects->kind->type;
	bool changed = false;

	if (!doc_len(doc_get(obj, "ports")) ||
	    !is_agreed(p->arg, doc_get(obj, "endpoints"), doc_get(want, "endpoints"))) {
		changed = own_take(t, obj, want, "endpoints", a);
		changed = own_take(t, obj, want, "ports", a) || changed;
	}
	return own_take_map(p->rs, obj, want, "labels", a) || changed;
}

/* Other servers' words stay. */
static int update_trust(struct own_put *p, struct arena *a, struct doc *obj, const struct doc *want,
			struct err *err)
{
	struct doc *all, both = doc_object();

	if (trust_unite(a, doc_get(obj, "data"), doc_get(want, "data"), clock_real() / NS_PER_SEC,
			&all, err) < 0)
		return err_ret(err);
	doc_set(a, &both, "data", *all);
	return own_take(p->objects->kind->type, obj, &both, "data", a);
}

static int update_lease(struct own_put *p, struct arena *a, struct doc *obj, const struct doc *want,
			struct err *err)
{
	static const char *const fields[] = { "renewTime", "holderIdentity", "leaseDurationSeconds",
					      NULL };
	struct run *run = p->arg;

	if (!run->b->lease_due)
		return 0;
	return take_of(p, a, obj, want, "spec", "coordination.k8s.io/v1", "LeaseSpec", fields) |
	       own_take_map(p->rs, obj, want, "labels", a);
}

static const char *text_at(struct arena *a, const struct doc *d, const char *path, const char *key)
{
	const char *s = doc_cstr(a, doc_get(doc_find(d, path), key));

	return s ? s : "";
}

#define AUTOUPDATE "apf.kubernetes.io/autoupdate-spec"

/* Suggested ones are ours until somebody says otherwise, or has changed one that does not say. */
static bool is_ours(struct arena *a, const struct doc *obj, const struct doc *want)
{
	const char *says = text_at(a, obj, "metadata.annotations", AUTOUPDATE);
	int64_t generation = 0;

	(void)doc_int64(doc_find(obj, "metadata.generation"), &generation);
	return *says ? strcmp(says, "true") == 0 : generation <= 1;
}

static bool take_spec(struct own_put *p, struct arena *a, struct doc *obj, const struct doc *want)
{
	bool changed = own_take(p->objects->kind->type, obj, want, "spec", a);

	return own_take_map(p->rs, obj, want, "annotations", a) || changed;
}

static int update_suggested(struct own_put *p, struct arena *a, struct doc *obj,
			    const struct doc *want, struct err *err)
{
	if (!is_ours(a, obj, want))
		return 0;
	return take_spec(p, a, obj, want);
}

static int update_mandatory(struct own_put *p, struct arena *a, struct doc *obj,
			    const struct doc *want, struct err *err)
{
	return take_spec(p, a, obj, want);
}

/* Of the level `exempt` people may change the shares. */
static int update_exempt(struct own_put *p, struct arena *a, struct doc *obj,
			 const struct doc *want, struct err *err)
{
	static const char *const fields[] = { "type", "limited", NULL };

	return take_of(p, a, obj, want, "spec", "flowcontrol.apiserver.k8s.io/v1",
		       "PriorityLevelConfigurationSpec", fields) |
	       own_take_map(p->rs, obj, want, "annotations", a);
}

/* ---- a run's list ---- */

typedef int update_fn(struct own_put *p, struct arena *a, struct doc *obj, const struct doc *want,
		      struct err *err);

static struct doc *add(struct run *run, const char *group, const char *resource, const char *ns,
		       const char *name, update_fn *update)
{
	struct own_put *p = &run->puts[run->n];
	struct doc *want = doc_new_object(run->a);

	assert(run->n < PUTS_MAX);
	run->n++;
	*p = (struct own_put){ .rs = run->b->rs,
			       .group = group,
			       .resource = resource,
			       .namespace_ = ns,
			       .name = name,
			       .want = want,
			       .update = update,
			       .arg = run };
	return want;
}

static struct doc *add_meta(struct run *run, struct doc *want, const char *what)
{
	struct doc *meta = doc_get(want, "metadata");

	if (!meta)
		meta = doc_set_object(run->a, want, "metadata");
	return doc_set_object(run->a, meta, what);
}

static const char *now_text(struct run *run)
{
	char text[CLOCK_TEXT_MAX];

	return arena_strdup(run->a,
			    clock_rfc3339nano(text, clock_real() / NS_PER_SEC * NS_PER_SEC));
}

static void add_condition(struct run *run, struct doc *want, const char *type, const char *status,
			  const char *reason, const char *message)
{
	struct doc *list =
		doc_set_array(run->a, doc_set_object(run->a, want, "status"), "conditions");
	struct doc *c = doc_append_object(run->a, list);

	doc_set_str(run->a, c, "type", type);
	doc_set_str(run->a, c, "status", status);
	doc_set_str(run->a, c, "lastTransitionTime", now_text(run));
	if (reason)
		doc_set_str(run->a, c, "reason", reason);
	doc_set_str(run->a, c, "message", message);
}

#define FLOW "flowcontrol.apiserver.k8s.io"

static const char *member(struct run *run, const struct doc *d, const char *key)
{
	const char *s = doc_cstr(run->a, doc_get(d, key));

	return s ? s : "";
}

static void copy(struct run *run, struct doc *to, const char *key, const struct doc *from,
		 const char *name)
{
	const struct doc *v = doc_get(from, name);

	if (v)
		doc_set(run->a, to, key, *v);
}

static void add_limits(struct run *run, struct doc *spec, const struct doc *row)
{
	struct doc *limited, *response, *q;

	doc_set_str(run->a, spec, "type", "Limited");
	limited = doc_set_object(run->a, spec, "limited");
	copy(run, limited, "nominalConcurrencyShares", row, "shares");
	copy(run, limited, "lendablePercent", row, "lend");
	response = doc_set_object(run->a, limited, "limitResponse");
	if (!doc_get(row, "queues")) {
		doc_set_str(run->a, response, "type", "Reject");
		return;
	}
	doc_set_str(run->a, response, "type", "Queue");
	q = doc_set_object(run->a, response, "queuing");
	copy(run, q, "queues", row, "queues");
	copy(run, q, "handSize", row, "hand");
	doc_set_int(run->a, q, "queueLengthLimit", 50);
}

static void add_level(struct run *run, const struct doc *row)
{
	bool exempt = doc_str_is(doc_get(row, "type"), "Exempt");
	update_fn *fn = exempt			    ? update_exempt
			: doc_get(row, "mandatory") ? update_mandatory
						    : update_suggested;
	struct doc *want =
		add(run, FLOW, "prioritylevelconfigurations", "", member(run, row, "name"), fn);
	struct doc *spec;

	doc_set_str(run->a, add_meta(run, want, "annotations"), AUTOUPDATE, "true");
	spec = doc_set_object(run->a, want, "spec");
	if (exempt) {
		struct doc *e;

		doc_set_str(run->a, spec, "type", "Exempt");
		e = doc_set_object(run->a, spec, "exempt");
		doc_set_int(run->a, e, "nominalConcurrencyShares", 0);
		doc_set_int(run->a, e, "lendablePercent", 0);
	} else {
		add_limits(run, spec, row);
	}
}

static void add_subjects(struct run *run, struct doc *list, const struct doc *names,
			 const char *kind, const char *field)
{
	DOC_EACH (name, names) {
		struct doc *s = doc_append_object(run->a, list);

		doc_set_str(run->a, s, "kind", kind);
		doc_set(run->a, doc_set_object(run->a, s, field), "name", *name);
	}
}

static void add_schema(struct run *run, const struct doc *row)
{
	update_fn *fn = doc_get(row, "mandatory") ? update_mandatory : update_suggested;
	const char *level = member(run, row, "level");
	struct doc *want = add(run, FLOW, "flowschemas", "", member(run, row, "name"), fn), *spec,
		   *rule, *who;

	doc_set_str(run->a, add_meta(run, want, "annotations"), AUTOUPDATE, "true");
	spec = doc_set_object(run->a, want, "spec");
	copy(run, spec, "matchingPrecedence", row, "precedence");
	doc_set_str(run->a, doc_set_object(run->a, spec, "priorityLevelConfiguration"), "name",
		    level);
	if (doc_get(row, "by"))
		copy(run, doc_set_object(run->a, spec, "distinguisherMethod"), "type", row, "by");
	rule = doc_append_object(run->a, doc_set_array(run->a, spec, "rules"));
	copy(run, rule, "resourceRules", row, "resources");
	copy(run, rule, "nonResourceRules", row, "paths");
	who = doc_set_array(run->a, rule, "subjects");
	add_subjects(run, who, doc_get(row, "groups"), "Group", "group");
	add_subjects(run, who, doc_get(row, "users"), "User", "user");
	if (doc_get(row, "accounts")) {
		struct doc *s = doc_append_object(run->a, who), *of;

		doc_set_str(run->a, s, "kind", "ServiceAccount");
		of = doc_set_object(run->a, s, "serviceAccount");
		doc_set_str(run->a, of, "name", "*");
		doc_set_str(run->a, of, "namespace", "kube-system");
	}
	add_condition(run, want, "Dangling", "False", "Found",
		      arena_printf(run->a,
				   "This FlowSchema references the PriorityLevelConfiguration "
				   "object named \"%s\" and it exists",
				   level));
}

static void add_class(struct run *run, const struct doc *row)
{
	struct doc *want = add(run, "scheduling.k8s.io", "priorityclasses", "",
			       member(run, row, "name"), NULL);

	copy(run, want, "value", row, "value");
	copy(run, want, "description", row, "description");
}

static int add_rows(struct run *run, struct err *err)
{
	struct doc *rows;

	if (yaml_read(run->a, slice_str(bootstrap_data), NULL, &rows, err) < 0)
		return err_wrap(err, "bootstrap data");
	DOC_EACH (row, rows) {
		const struct doc *kind = doc_get(row, "kind");

		if (doc_str_is(kind, "Namespace"))
			(void)add(run, "", "namespaces", "", member(run, row, "name"), NULL);
		else if (doc_str_is(kind, "PriorityClass"))
			add_class(run, row);
		else if (doc_str_is(kind, "Level"))
			add_level(run, row);
		else
			add_schema(run, row);
	}
	return 0;
}

static void add_port(struct run *run, struct doc *list, int64_t port, bool target)
{
	struct doc *p = doc_append_object(run->a, list);

	doc_set_str(run->a, p, "name", "https");
	doc_set_str(run->a, p, "protocol", "TCP");
	doc_set_int(run->a, p, "port", port);
	if (target)
		doc_set_int(run->a, p, "targetPort", run->b->port);
}

static void add_service(struct run *run)
{
	struct doc *want = add(run, "", "services", "default", "kubernetes", update_service);
	struct doc *labels = add_meta(run, want, "labels"), *spec;

	doc_set_str(run->a, labels, "component", "apiserver");
	doc_set_str(run->a, labels, "provider", "kubernetes");
	spec = doc_set_object(run->a, want, "spec");
	doc_set_str(run->a, spec, "clusterIP", run->b->first_ip);
	doc_append_str(run->a, doc_set_array(run->a, spec, "clusterIPs"), run->b->first_ip);
	doc_set_str(run->a, spec, "type", "ClusterIP");
	doc_set_str(run->a, spec, "sessionAffinity", "None");
	add_port(run, doc_set_array(run->a, spec, "ports"), 443, true);
}

/* Where servers are; NULL: that is unknown, and what is there stays. */
static const char *const *addresses(struct run *run, int v6)
{
	struct bootstrap *b = run->b;
	const char **one;

	if (b->peers)
		return peers_addresses(b->peers, run->a, v6);
	one = ARENA_ARRAY(run->a, const char *, 2);
	if (one)
		one[0] = b->address;
	return one;
}

static void add_endpoints(struct run *run)
{
	struct bootstrap *b = run->b;
	const bool six = b->address && strchr(b->address, ':');
	const char *const *all = b->address ? addresses(run, -1) : NULL;
	const char *const *same = b->address ? addresses(run, six) : NULL;
	struct doc *want, *subset, *list;

	if (!all || !same)
		return;
	want = add(run, "", "endpoints", "default", "kubernetes", update_endpoints);
	doc_set_str(run->a, add_meta(run, want, "labels"),
		    "endpointslice.kubernetes.io/skip-mirror", "true");
	subset = doc_append_object(run->a, doc_set_array(run->a, want, "subsets"));
	list = doc_set_array(run->a, subset, "addresses");
	for (; *all; all++)
		doc_set_str(run->a, doc_append_object(run->a, list), "ip", *all);
	add_port(run, doc_set_array(run->a, subset, "ports"), b->port, false);

	want = add(run, "discovery.k8s.io", "endpointslices", "default", "kubernetes",
		   update_slice);
	doc_set_str(run->a, add_meta(run, want, "labels"), "kubernetes.io/service-name",
		    "kubernetes");
	doc_set_str(run->a, want, "addressType", six ? "IPv6" : "IPv4");
	list = doc_set_array(run->a, want, "endpoints");
	for (; *same; same++) {
		struct doc *e = doc_append_object(run->a, list);

		doc_append_str(run->a, doc_set_array(run->a, e, "addresses"), *same);
		doc_set_bool(run->a, doc_set_object(run->a, e, "conditions"), "ready", true);
	}
	add_port(run, doc_set_array(run->a, want, "ports"), b->port, false);
}

static void add_cidr(struct run *run)
{
	struct doc *want = add(run, "networking.k8s.io", "servicecidrs", "", "kubernetes", NULL);
	struct doc *list = doc_set_array(run->a, doc_set_object(run->a, want, "spec"), "cidrs");
	struct slice rest = slice_str(run->b->cidrs);

	while (rest.p) {
		struct slice one = slice_trim(slice_split(&rest, ','));

		doc_append(run->a, list, doc_strn(run->a, one.p, one.n));
	}
	add_condition(run, want, "Ready", "True", NULL, "Kubernetes default Service CIDR is ready");
}

/* As a text: a JSON array. */
static void add_list(struct run *run, struct doc *data, const char *key, const char *const *v)
{
	struct doc *list = doc_new_array(run->a);
	struct slice text;

	for (; v && *v; v++)
		doc_append_str(run->a, list, *v);
	if (list && json_print(run->a, list, NULL, &text, NULL) == 0)
		doc_set_strn(run->a, data, key, text.p, text.n);
}

static void add_configmaps(struct run *run)
{
	struct bootstrap *b = run->b;
	struct doc *want = add(run, "", "configmaps", "kube-system",
			       "extension-apiserver-authentication", update_trust);
	struct doc *data = doc_new_object(run->a);
	struct tm tm;
	time_t now = (time_t)(clock_real() / NS_PER_SEC);
	char day[16];

	if (*b->client_ca)
		doc_set_str(run->a, data, "client-ca-file", b->client_ca);
	if (*b->front_ca && b->front) {
		add_list(run, data, "requestheader-allowed-names", b->front->names);
		doc_set_str(run->a, data, "requestheader-client-ca-file", b->front_ca);
		add_list(run, data, "requestheader-extra-headers-prefix", b->front->extras);
		add_list(run, data, "requestheader-group-headers", b->front->groups);
		add_list(run, data, "requestheader-uid-headers", b->front->uids);
		add_list(run, data, "requestheader-username-headers", b->front->users);
	}
	/* In the form that it will have beside others'. */
	if (trust_unite(run->a, NULL, data, now, &data, &run->err) < 0)
		return;
	doc_set(run->a, want, "data", *data);
	/* Tokens in Secrets that nobody used since that day may be cleaned up. */
	data = doc_set_object(run->a,
			      add(run, "", "configmaps", "kube-system",
				  "kube-apiserver-legacy-service-account-token-tracking", NULL),
			      "data");
	(void)gmtime_r(&now, &tm);
	(void)strftime(day, sizeof(day), "%Y-%m-%d", &tm);
	doc_set_str(run->a, data, "since", day);
}

static void add_lease(struct run *run)
{
	struct bootstrap *b = run->b;
	struct doc *want =
		add(run, "coordination.k8s.io", "leases", "kube-system", b->identity, update_lease);
	struct doc *labels = add_meta(run, want, "labels"), *spec;
	char text[CLOCK_TEXT_MAX];
	char *dot;

	doc_set_str(run->a, labels, "apiserver.kubernetes.io/identity", "kube-apiserver");
	doc_set_str(run->a, labels, "kubernetes.io/hostname", b->hostname);
	spec = doc_set_object(run->a, want, "spec");
	doc_set_str(run->a, spec, "holderIdentity", b->holder);
	doc_set_int(run->a, spec, "leaseDurationSeconds", LEASE_SECONDS);
	/* microseconds */
	(void)clock_rfc3339full(text, clock_real());
	dot = strchr(text, '.');
	if (dot)
		(void)str_copy(dot + 7, sizeof(text) - (size_t)(dot + 7 - text), "Z");
	doc_set_str(run->a, spec, "renewTime", text);
}

/* ---- roles ---- */

static int update_role(struct own_put *p, struct arena *a, struct doc *obj, const struct doc *want,
		       struct err *err)
{
	int r = rbac_default_reconcile(want, obj, a);

	(void)p;
	if (r == 2)
		return err_set(
			err, ERR_CONFLICT,
			"refers to another role than it must; delete it, and it is made anew");
	return r;
}

/* At the start only: what is changed later is whoever's wish. */
static void add_roles(struct run *run)
{
	static const char *const resources[] = { "clusterroles", "clusterrolebindings", "roles",
						 "rolebindings" };

	for (size_t i = 0; i < rbac_defaults_count() && !run->err.code; i++) {
		enum rbac_default_kind kind;
		struct doc d, *want;

		if (rbac_default(i, run->a, &kind, &d, &run->err) < 0)
			return;
		want = add(run, "rbac.authorization.k8s.io", resources[kind],
			   member(run, doc_get(&d, "metadata"), "namespace"),
			   member(run, doc_get(&d, "metadata"), "name"), update_role);
		if (want)
			*want = d;
	}
}

/* ---- a run ---- */

static void begin(struct bootstrap *b);
static void watch_all(struct bootstrap *b);

static void end_run(struct run *run)
{
	struct bootstrap *b = run->b;
	struct err err = run->err;
	int r = err.code ? -(int)err.code : 0;

	if (r == 0) {
		b->lease_due = false;
		b->has_roles = true;
	}
	b->run = NULL;
	arena_free(run->a);
	free(run);
	if (b->done) {
		void (*done)(void *arg, int result, struct err *e) = STEAL(b->done);

		done(b->arg, r, &err);
	} else if (r < 0) {
		log_kv(LOG_LEVEL_ERROR, "objects of the server could not be written", "error",
		       err.msg, NULL);
	}
	if (b->stopped)
		return;
	watch_all(b);
	if (r < 0 || b->again)
		timer_set_after(&b->timer, r < 0 ? RETRY : SOON);
	b->again = false;
}

static void put_done(struct own_put *p)
{
	struct run *run = p->arg;

	if (p->result < 0 && !run->err.code)
		run->err = p->err;
	if (p->result == 1) {
		run->written++;
		log_debug("%s '%s' was written", p->resource, p->name);
	}
	if (--run->pending == 0)
		end_run(run);
}

static void begin(struct bootstrap *b)
{
	struct run *run = calloc(1, sizeof(*run));
	size_t n;

	if (!run)
		abort();
	run->b = b;
	run->a = arena_new("bootstrap objects", RUN_MEMORY);
	b->run = run;
	run->pending = 1; /* ourselves */
	if (add_rows(run, &run->err) == 0) {
		add_service(run);
		add_endpoints(run);
		add_cidr(run);
		add_configmaps(run);
		add_lease(run);
		if (!b->has_roles)
			add_roles(run);
		if (arena_exceeded(run->a))
			(void)arena_quota(run->a, &run->err);
	}
	n = run->err.code ? 0 : run->n;
	run->pending += n;
	for (size_t i = 0; i < n; i++) {
		run->puts[i].done = put_done;
		own_put(&run->puts[i]);
	}
	if (--run->pending == 0)
		end_run(run);
}

static int on_timer(struct timer *t)
{
	struct bootstrap *b = CONTAINER_OF(t, struct bootstrap, timer);

	if (b->run)
		b->again = true;
	else
		begin(b);
	return 0;
}

static int on_lease(struct timer *t)
{
	struct bootstrap *b = CONTAINER_OF(t, struct bootstrap, lease);

	b->lease_due = true;
	timer_set_after(t, LEASE_EVERY);
	return on_timer(&b->timer);
}

/* ---- what others do to them ---- */

static const struct watched {
	const char *group, *resource, *key; /* key "": all of them */
} watched[] = {
	{ "", "namespaces", "default" },
	{ "", "namespaces", "kube-system" },
	{ "", "namespaces", "kube-public" },
	{ "", "namespaces", "kube-node-lease" },
	{ "", "services", "default/kubernetes" },
	{ "", "endpoints", "default/kubernetes" },
	{ "", "configmaps", "kube-system/extension-apiserver-authentication" },
	{ "discovery.k8s.io", "endpointslices", "default/kubernetes" },
	{ "networking.k8s.io", "servicecidrs", "kubernetes" },
	{ FLOW, "flowschemas", "" },
	{ FLOW, "prioritylevelconfigurations", "" },
};
_Static_assert(ARRAY_LEN(watched) == WATCHES_MAX, "one place each");

static void look_again(void *arg)
{
	struct bootstrap *b = arg;

	/* Our own writes come by here, too: the run that they ask for finds nothing to do. */
	if (b->run)
		b->again = true;
	else if (!b->stopped && !timer_armed(&b->timer))
		timer_set_after(&b->timer, SOON);
}

static int touched(struct cache_watch *w, enum cache_change what, struct item *item)
{
	look_again(CONTAINER_OF(w, struct own_watch, w)->b);
	return 0;
}

static void watch_ended(struct cache_watch *w, const struct err *err)
{
	CONTAINER_OF(w, struct own_watch, w)->on = false;
	(void)touched(w, CACHE_MODIFIED, NULL);
}

static void watch_all(struct bootstrap *b)
{
	for (size_t i = 0; i < WATCHES_MAX; i++) {
		const struct watched *o = &watched[i];
		struct collection *c = resources_objects(b->rs, o->group, o->resource);

		if (b->watches[i].on || !c)
			continue;
		b->watches[i].b = b;
		b->watches[i].w = (struct cache_watch){ .key = slice_str(o->key),
							.change = touched,
							.end = watch_ended };
		b->watches[i].on = cache_watch(c->cache, &b->watches[i].w,
					       world_revision(resources_world(b->rs)), NULL) == 0;
	}
}

/* ---- life ---- */

static char *copy_text(struct slice s)
{
	char *p = strndup(s.p ? s.p : "", s.n);

	if (!p)
		abort();
	return p;
}

int bootstrap_new(const struct bootstrap_conf *conf, struct bootstrap **ret, struct err *err)
{
	CLEANUP(bootstrap_free) struct bootstrap *b = calloc(1, sizeof(*b));
	char hex[33];
	struct slice cidrs = slice_str(conf->service_cidr), first = slice_split(&cidrs, ',');
	CLEANUP_FREE char *one = copy_text(first);

	if (!b)
		abort();
	b->loop = conf->loop;
	b->rs = conf->resources;
	b->front = conf->front;
	b->port = conf->port;
	b->lease_due = true;
	timer_init(&b->timer, conf->loop, on_timer);
	timer_init(&b->lease, conf->loop, on_lease);
	b->cidrs = copy_text(slice_str(conf->service_cidr));
	b->client_ca = copy_text(conf->client_ca);
	b->front_ca = copy_text(conf->front_ca);
	b->hostname = copy_text(slice_str(conf->hostname));
	if (conf->address && !is_loopback(conf->address))
		b->address = copy_text(slice_str(conf->address));
	b->store = conf->store;
	b->peer_ttl = conf->peer_ttl ? conf->peer_ttl : PEER_SECONDS;
	bootstrap_identity(b->hostname, b->identity);
	random_hex(hex, 32);
	(void)snprintf(b->holder, sizeof(b->holder), "%s_%.8s-%.4s-%.4s-%.4s-%.12s", b->identity,
		       hex, hex + 8, hex + 12, hex + 16, hex + 20);
	if (bootstrap_first_ip(one, b->first_ip, err) < 0)
		return err_ret(err);
	*ret = STEAL(b);
	return 0;
}

void bootstrap_run(struct bootstrap *b, void (*done)(void *arg, int result, struct err *err),
		   void *arg)
{
	b->done = done;
	b->arg = arg;
	watch_all(b);
	timer_set_after(&b->lease, LEASE_EVERY);
	if (b->address && b->store && world_is_shared(resources_world(b->rs)))
		b->peers = peers_new(b->rs, b->store, b->address, b->peer_ttl, look_again, b);
	begin(b);
}

void bootstrap_stop(struct bootstrap *b)
{
	b->stopped = true;
	timer_clear(&b->timer);
	timer_clear(&b->lease);
	if (b->peers)
		peers_leave(b->peers);
	for (size_t i = 0; i < WATCHES_MAX; i++)
		if (b->watches[i].on) {
			cache_unwatch(&b->watches[i].w);
			b->watches[i].on = false;
		}
}

void bootstrap_set_ca(struct bootstrap *b, struct slice client_ca, struct slice front_ca)
{
	free(b->client_ca);
	free(b->front_ca);
	b->client_ca = copy_text(client_ca);
	b->front_ca = copy_text(front_ca);
	timer_set_after(&b->timer, 0);
}

void bootstrap_free(struct bootstrap *b)
{
	if (!b)
		return;
	bootstrap_stop(b);
	assert(!b->run);
	peers_free(b->peers);
	timer_fini(&b->timer);
	timer_fini(&b->lease);
	free(b->cidrs);
	free(b->address);
	free(b->client_ca);
	free(b->front_ca);
	free(b->hostname);
	free(b);
}
