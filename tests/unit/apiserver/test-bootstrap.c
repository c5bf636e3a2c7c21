/* SPDX-License-Identifier: Apache-2.0 */
/* Objects that are always there: made, made once, mended by each kind's rule; names and addresses.
 */
#include "shared-fix.h"

#include "../crypto/crypto-test.h"
#include "api/object.h"
#include "apiserver/bootstrap-trust.h"
#include "apiserver/bootstrap.h"
#include "apiserver/objects/codec.h"
#include "apiserver/strategy/own.h"

/* ---- fixture ---- */

static void finished(void *arg, int result, struct err *err)
{
	struct rfix *x = arg;

	if (result < 0)
		fail_msg("%s", err->msg);
	x->started = true;
}

/* PEM of roots: this server's, another one's, one that is over. */
static char clients[2048], front[2048], others[2048], over[2048];

static void make_root(const char *cn, int64_t days, char ret[2048])
{
	const struct cert_spec spec = { .names = { .cn = cn },
					.ca = true,
					.path_len = -1,
					.not_before = now_s() - 30 * DAY,
					.not_after = now_s() + days * DAY };
	struct signer s = sign_as(&spec, KEY_P256, NULL);
	struct buf pem = BUF_INIT(2048);

	assert_int_equal(cert_write_pem(s.cert, &pem, NULL), 0);
	assert_true(str_copy(ret, 2048, buf_str(&pem)));
	buf_fini(&pem);
	signer_fini(&s);
}

static int make_roots(void **state)
{
	(void)state;
	make_root("clients", 30, clients);
	make_root("front", 30, front);
	make_root("others", 30, others);
	make_root("over", -1, over);
	return 0;
}

static const char *const names[] = { "front-proxy-client", NULL }, *const users[] = {
	"X-Remote-User", NULL
};
static const struct authn_front headers = { .names = names, .users = users };

/* A server comes, makes sure of everything, and goes. */
static void boot(struct rfix *x, const char *address, const char *host)
{
	const struct bootstrap_conf conf = { .loop = x->f->loop,
					     .resources = x->rs,
					     .front = &headers,
					     .service_cidr = "10.96.0.0/12",
					     .address = address,
					     .port = 6443,
					     .client_ca = slice_str(clients),
					     .front_ca = slice_str(front),
					     .hostname = host };
	struct bootstrap *b;

	assert_int_equal(bootstrap_new(&conf, &b, NULL), 0);
	x->started = false;
	bootstrap_run(b, finished, x);
	wait_for(x->f, &x->started);
	bootstrap_free(b);
}

static const char *text_of(struct rfix *x, const char *group, const char *resource, const char *ns,
			   const char *name, const char *path)
{
	struct item *i = resources_get(x->rs, group, resource, ns, name);
	struct doc d;
	struct slice s;

	if (!i)
		return "(none)";
	assert_int_equal(codec_parse(i, x->a, &d, NULL), 0);
	if (!doc_find(&d, path))
		return "(absent)";
	assert_int_equal(json_print(x->a, doc_find(&d, path), NULL, &s, NULL), 0);
	return s.p;
}

/* A text as it stands in JSON. */
static const char *in_json(struct rfix *x, const char *text)
{
	const struct doc d = doc_str(x->a, text);
	struct slice s;

	assert_int_equal(json_print(x->a, &d, NULL, &s, NULL), 0);
	return s.p;
}

static size_t count_of(struct rfix *x, const char *group, const char *resource)
{
	return cache_count(resources_objects(x->rs, group, resource)->cache);
}

static void put_done(struct own_put *p)
{
	if (p->result < 0)
		fail_msg("%s", p->err.msg);
	((struct rfix *)p->arg)->started = true;
}

static int replace(struct own_put *p, struct arena *a, struct doc *obj, const struct doc *want,
		   struct err *err)
{
	DOC_EACH_MEMBER (key, value, want)
		if (!doc_str_is(key, "kind") && !doc_str_is(key, "apiVersion") &&
		    !doc_str_is(key, "metadata"))
			doc_setn(a, obj, doc_slice(key), *value);
	(void)own_take_map(p->rs, obj, want, "annotations", a);
	(void)own_take_map(p->rs, obj, want, "labels", a);
	return 1;
}

/* As somebody else would write it. */
static void change(struct rfix *x, const char *group, const char *resource, const char *ns,
		   const char *name, const char *json)
{
	struct own_put p = { .rs = x->rs,
			     .group = group,
			     .resource = resource,
			     .namespace_ = ns,
			     .name = name,
			     .update = replace,
			     .done = put_done,
			     .arg = x };
	struct doc *d;

	assert_int_equal(json_read(x->a, slice_str(json), NULL, &d, NULL), 0);
	p.want = d;
	x->started = false;
	own_put(&p);
	wait_for(x->f, &x->started);
	assert_int_equal(p.result, 1);
}

struct removal {
	struct cache_write w;
	struct cache_op op;
	struct rfix *x;
};

static void removed(struct cache_write *w)
{
	assert_int_equal(w->result, 0);
	CONTAINER_OF(w, struct removal, w)->x->started = true;
}

static void take_away(struct rfix *x, const char *group, const char *resource, const char *key)
{
	struct removal r = { .w = { .ops = &r.op, .n = 1, .done = removed },
			     .op = { .cache = resources_objects(x->rs, group, resource)->cache,
				     .key = slice_str(key),
				     .expect = CACHE_ANY_REVISION },
			     .x = x };

	x->started = false;
	cache_write(x->w, &r.w);
	wait_for(x->f, &x->started);
}

#define FLOW "flowcontrol.apiserver.k8s.io"

/* ---- what is made ---- */

static void all_of_it_is_made_at_once(void **state)
{
	struct rfix *x = *state;

	boot(x, "10.0.0.5", "box");
	assert_int_equal(count_of(x, "", "namespaces"), 4);
	assert_int_equal(count_of(x, "scheduling.k8s.io", "priorityclasses"), 2);
	assert_int_equal(count_of(x, FLOW, "flowschemas"), 11);
	assert_int_equal(count_of(x, FLOW, "prioritylevelconfigurations"), 8);
	assert_string_equal(text_of(x, "", "namespaces", "", "default", "status.phase"),
			    "\"Active\"");
	assert_string_equal(text_of(x, "", "services", "default", "kubernetes", "spec.clusterIP"),
			    "\"10.96.0.1\"");
	assert_string_equal(text_of(x, "", "services", "default", "kubernetes", "spec.ports"),
			    "[{\"name\":\"https\",\"protocol\":\"TCP\",\"port\":443,"
			    "\"targetPort\":6443}]");
	assert_string_equal(text_of(x, "", "services", "default", "kubernetes", "metadata.labels"),
			    "{\"component\":\"apiserver\",\"provider\":\"kubernetes\"}");
	assert_string_equal(
		text_of(x, "", "endpoints", "default", "kubernetes", "subsets"),
		"[{\"addresses\":[{\"ip\":\"10.0.0.5\"}],\"ports\":[{\"name\":\"https\","
		"\"port\":6443,\"protocol\":\"TCP\"}]}]");
	assert_string_equal(text_of(x, "discovery.k8s.io", "endpointslices", "default",
				    "kubernetes", "endpoints"),
			    "[{\"addresses\":[\"10.0.0.5\"],\"conditions\":{\"ready\":true}}]");
	assert_string_equal(
		text_of(x, "networking.k8s.io", "servicecidrs", "", "kubernetes", "spec.cidrs"),
		"[\"10.96.0.0/12\"]");
	assert_string_equal(text_of(x, "networking.k8s.io", "servicecidrs", "", "kubernetes",
				    "status.conditions.0.type"),
			    "\"Ready\"");
	assert_string_equal(text_of(x, "networking.k8s.io", "ipaddresses", "", "10.96.0.1",
				    "spec.parentRef.name"),
			    "\"kubernetes\"");
	assert_string_equal(text_of(x, "", "configmaps", "kube-system",
				    "extension-apiserver-authentication", "data.client-ca-file"),
			    in_json(x, clients));
	assert_string_equal(text_of(x, "coordination.k8s.io", "leases", "kube-system",
				    "apiserver-e34fm7zfnemcffgd7jnz7hfse4", "metadata.labels"),
			    "{\"apiserver.kubernetes.io/identity\":\"kube-apiserver\","
			    "\"kubernetes.io/hostname\":\"box\"}");
}

static void levels_and_schemas_have_upstreams_fields(void **state)
{
	struct rfix *x = *state;

	boot(x, NULL, "box");
	assert_string_equal(
		text_of(x, FLOW, "prioritylevelconfigurations", "", "workload-high", "spec"),
		"{\"type\":\"Limited\",\"limited\":{\"nominalConcurrencyShares\":40,"
		"\"limitResponse\":{\"type\":\"Queue\",\"queuing\":{\"queues\":128,\"handSize\":6,"
		"\"queueLengthLimit\":50}},\"lendablePercent\":50}}");
	assert_string_equal(text_of(x, FLOW, "prioritylevelconfigurations", "", "exempt", "spec"),
			    "{\"type\":\"Exempt\",\"exempt\":{\"nominalConcurrencyShares\":0,"
			    "\"lendablePercent\":0}}");
	assert_string_equal(
		text_of(x, FLOW, "prioritylevelconfigurations", "", "catch-all", "spec"),
		"{\"type\":\"Limited\",\"limited\":{\"nominalConcurrencyShares\":5,"
		"\"limitResponse\":{\"type\":\"Reject\"},\"lendablePercent\":0}}");
	assert_string_equal(
		text_of(x, FLOW, "flowschemas", "", "probes", "spec"),
		"{\"priorityLevelConfiguration\":{\"name\":\"exempt\"},\"matchingPrecedence\":2,"
		"\"rules\":[{\"subjects\":[{\"kind\":\"Group\",\"group\":{\"name\":"
		"\"system:unauthenticated\"}},{\"kind\":\"Group\",\"group\":{\"name\":"
		"\"system:authenticated\"}}],\"nonResourceRules\":[{\"verbs\":[\"get\"],"
		"\"nonResourceURLs\":[\"/healthz\",\"/readyz\",\"/livez\"]}]}]}");
	assert_string_equal(
		text_of(x, FLOW, "flowschemas", "", "kube-system-service-accounts", "spec"),
		"{\"priorityLevelConfiguration\":{\"name\":\"workload-high\"},"
		"\"matchingPrecedence\":900,\"distinguisherMethod\":{\"type\":\"ByNamespace\"},"
		"\"rules\":[{\"subjects\":[{\"kind\":\"ServiceAccount\",\"serviceAccount\":"
		"{\"namespace\":\"kube-system\",\"name\":\"*\"}}],\"resourceRules\":[{\"verbs\":"
		"[\"*\"],\"apiGroups\":[\"*\"],\"resources\":[\"*\"],\"clusterScope\":true,"
		"\"namespaces\":[\"*\"]}],\"nonResourceRules\":[{\"verbs\":[\"*\"],"
		"\"nonResourceURLs\":[\"*\"]}]}]}");
	assert_string_equal(text_of(x, FLOW, "flowschemas", "", "exempt", "metadata.annotations"),
			    "{\"apf.kubernetes.io/autoupdate-spec\":\"true\"}");
	assert_string_equal(
		text_of(x, FLOW, "flowschemas", "", "exempt", "status.conditions.0.status"),
		"\"False\"");
	assert_non_null(
		strstr(text_of(x, FLOW, "flowschemas", "", "exempt", "metadata.managedFields"),
		       "\"manager\":\"kube-apiserver\",\"operation\":\"Update\""));
}

static void nothing_is_written_when_all_is_right(void **state)
{
	struct rfix *x = *state;
	int64_t revision;

	boot(x, "10.0.0.5", "box");
	revision = world_revision(x->w);
	boot(x, "10.0.0.5", "box");
	/* but the Lease, which is this process's now */
	assert_int_equal(world_revision(x->w), revision + 1);
}

static void without_an_address_there_are_no_endpoints(void **state)
{
	struct rfix *x = *state;

	boot(x, "127.0.0.1", "box");
	assert_string_equal(text_of(x, "", "endpoints", "default", "kubernetes", "subsets"),
			    "(none)");
	assert_int_equal(count_of(x, "", "services"), 1);
	boot(x, "10.0.0.6", "box");
	assert_string_equal(
		text_of(x, "", "endpoints", "default", "kubernetes", "subsets.0.addresses"),
		"[{\"ip\":\"10.0.0.6\"}]");
	boot(x, "10.0.0.7", "box");
	assert_string_equal(
		text_of(x, "", "endpoints", "default", "kubernetes", "subsets.0.addresses"),
		"[{\"ip\":\"10.0.0.7\"}]");
	assert_string_equal(text_of(x, "discovery.k8s.io", "endpointslices", "default",
				    "kubernetes", "endpoints.0.addresses"),
			    "[\"10.0.0.7\"]");
}

/* ---- what others did to it ---- */

static void what_went_is_made_anew(void **state)
{
	struct rfix *x = *state;

	boot(x, "10.0.0.5", "box");
	take_away(x, FLOW, "flowschemas", "service-accounts");
	take_away(x, "scheduling.k8s.io", "priorityclasses", "system-node-critical");
	take_away(x, "", "configmaps", "kube-system/extension-apiserver-authentication");
	boot(x, "10.0.0.5", "box");
	assert_string_equal(
		text_of(x, FLOW, "flowschemas", "", "service-accounts", "spec.matchingPrecedence"),
		"9000");
	assert_string_equal(text_of(x, "scheduling.k8s.io", "priorityclasses", "",
				    "system-node-critical", "value"),
			    "2000001000");
	assert_string_equal(text_of(x, "", "configmaps", "kube-system",
				    "extension-apiserver-authentication",
				    "data.requestheader-username-headers"),
			    "\"[\\\"X-Remote-User\\\"]\"");
}

#define LIMITED(shares)                                                                     \
	"{\"spec\":{\"type\":\"Limited\",\"limited\":{\"nominalConcurrencyShares\":" shares \
	",\"lendablePercent\":0,\"limitResponse\":{\"type\":\"Reject\"}}}"

static void what_was_bent_is_mended_by_each_kinds_rule(void **state)
{
	struct rfix *x = *state;

	boot(x, "10.0.0.5", "box");
	/* mandatory: always */
	change(x, FLOW, "prioritylevelconfigurations", "", "catch-all",
	       LIMITED("77") ",\"metadata\":{\"annotations\":"
			     "{\"apf.kubernetes.io/autoupdate-spec\":\"false\"}}}");
	/* suggested: while nobody says that it is his */
	change(x, FLOW, "prioritylevelconfigurations", "", "system", LIMITED("78") "}");
	change(x, FLOW, "prioritylevelconfigurations", "", "node-high",
	       LIMITED("79") ",\"metadata\":{\"annotations\":"
			     "{\"apf.kubernetes.io/autoupdate-spec\":\"false\"}}}");
	/* shares of exempt are people's */
	change(x, FLOW, "prioritylevelconfigurations", "", "exempt",
	       "{\"spec\":{\"type\":\"Exempt\",\"exempt\":{\"nominalConcurrencyShares\":9,"
	       "\"lendablePercent\":0}}}");
	change(x, "", "configmaps", "kube-system", "extension-apiserver-authentication",
	       "{\"data\":{\"client-ca-file\":\"x\"}}");
	boot(x, "10.0.0.5", "box");
#define SHARES "spec.limited.nominalConcurrencyShares"
	assert_string_equal(
		text_of(x, FLOW, "prioritylevelconfigurations", "", "catch-all", SHARES), "5");
	assert_string_equal(text_of(x, FLOW, "prioritylevelconfigurations", "", "system", SHARES),
			    "30");
	assert_string_equal(
		text_of(x, FLOW, "prioritylevelconfigurations", "", "node-high", SHARES), "79");
	assert_string_equal(text_of(x, FLOW, "prioritylevelconfigurations", "", "exempt",
				    "spec.exempt.nominalConcurrencyShares"),
			    "9");
	assert_string_equal(text_of(x, "", "configmaps", "kube-system",
				    "extension-apiserver-authentication", "data.client-ca-file"),
			    in_json(x, clients));
}

/* ---- what servers trust clients by ---- */

#define TRUST "kube-system", "extension-apiserver-authentication"

static struct doc *map_of(struct rfix *x, const char *key, const char *value, const char *key2,
			  const char *value2)
{
	struct doc *d = doc_new_object(x->a);

	doc_set_str(x->a, d, key, value);
	if (key2)
		doc_set_str(x->a, d, key2, value2);
	return d;
}

static void trust_of_servers_is_united(void **state)
{
	struct rfix *x = *state;
	const char *theirs = arena_printf(x->a, "# a word\n%s%s%s", others, over, others),
		   *both = arena_printf(x->a, "%s%s", others, clients);
	const struct {
		const char *key, *have, *own, *want;
	} rows[] = {
		{ "client-ca-file", theirs, clients, both },
		{ "client-ca-file", both, clients, both },
		{ "client-ca-file", clients, NULL, clients },
		{ "client-ca-file", NULL, theirs, others },
		{ "client-ca-file", over, NULL, NULL },
		{ "client-ca-file", "broken", clients, clients },
		{ "requestheader-client-ca-file", others, front,
		  arena_printf(x->a, "%s%s", others, front) },
		{ "requestheader-allowed-names", "[\"a\",\"b\"]", "[\"b\",\"c\"]",
		  "[\"a\",\"b\",\"c\"]" },
		{ "requestheader-uid-headers", "[\"X-Uid\"]", NULL, "[\"X-Uid\"]" },
		{ "requestheader-group-headers", "{", "[\"G\"]", "[\"G\"]" },
		{ "something", "else", NULL, NULL },
	};
	struct err err = ERR_INIT;
	struct doc *d;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(
			trust_unite(x->a,
				    rows[i].have ? map_of(x, rows[i].key, rows[i].have, NULL, NULL)
						 : NULL,
				    rows[i].own ? map_of(x, rows[i].key, rows[i].own, NULL, NULL)
						: NULL,
				    now_s(), &d, &err),
			0);
		if (!rows[i].want)
			assert_int_equal(doc_len(d), 0);
		else
			assert_string_equal(doc_cstr(x->a, doc_get(d, rows[i].key)), rows[i].want);
	}
	assert_int_equal(trust_unite(x->a, NULL, map_of(x, "client-ca-file", "x", NULL, NULL),
				     now_s(), &d, &err),
			 -ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "client-ca-file"));
}

/* Two servers with roots of their own, on one store: both stay, and nobody writes again. */
static void what_another_server_says_stays(void **state)
{
	struct rfix *x = *state;
	struct slice text;
	int64_t revision;

	boot(x, NULL, "box");
	assert_int_equal(json_print(x->a,
				    map_of(x, "client-ca-file", others,
					   "requestheader-allowed-names", "[\"their-proxy\"]"),
				    NULL, &text, NULL),
			 0);
	change(x, "", "configmaps", TRUST, arena_printf(x->a, "{\"data\":%s}", text.p));
	boot(x, NULL, "box");
	assert_string_equal(text_of(x, "", "configmaps", TRUST, "data.client-ca-file"),
			    in_json(x, arena_printf(x->a, "%s%s", others, clients)));
	assert_string_equal(text_of(x, "", "configmaps", TRUST, "data.requestheader-allowed-names"),
			    "\"[\\\"their-proxy\\\",\\\"front-proxy-client\\\"]\"");
	revision = world_revision(x->w);
	boot(x, NULL, "box");
	assert_int_equal(world_revision(x->w), revision + 1); /* the Lease */
}

/* ---- several servers on one store ---- */

static void join(struct rfix *x, struct other *o, const char *address, unsigned port)
{
	const struct bootstrap_conf conf = { .loop = x->f->loop,
					     .resources = o->rs,
					     .store = x->f->s,
					     .front = &headers,
					     .peer_ttl = 1,
					     .service_cidr = "10.96.0.0/12",
					     .address = address,
					     .port = port,
					     .client_ca = slice_str(clients),
					     .front_ca = slice_str(front),
					     .hostname = address };

	assert_int_equal(bootstrap_new(&conf, &o->b, NULL), 0);
	x->started = false;
	bootstrap_run(o->b, finished, x);
	wait_for(x->f, &x->started);
}

static void leave(struct rfix *x, struct other *o)
{
	bootstrap_stop(o->b);
	turn_until_written(x, o->w);
	bootstrap_free(o->b);
}

/* "10.0.0.5 10.0.0.6": of both objects, which must agree. */
static const char *endpoints_of(struct rfix *x)
{
	struct buf out = BUF_INIT(4096), slices = BUF_INIT(4096);
	const char *text;
	struct doc d;

	assert_int_equal(codec_parse(resources_get(x->rs, "", "endpoints", "default", "kubernetes"),
				     x->a, &d, NULL),
			 0);
	DOC_EACH (e, doc_find(&d, "subsets.0.addresses"))
		buf_addf(&out, "%s%s", out.n ? " " : "", doc_cstr(x->a, doc_get(e, "ip")));
	assert_int_equal(codec_parse(resources_get(x->rs, "discovery.k8s.io", "endpointslices",
						   "default", "kubernetes"),
				     x->a, &d, NULL),
			 0);
	DOC_EACH (e, doc_find(&d, "endpoints"))
		buf_addf(&slices, "%s%s", slices.n ? " " : "",
			 doc_cstr(x->a, doc_at(doc_get(e, "addresses"), 0)));
	text = strcmp(buf_str(&out), buf_str(&slices)) == 0 ? arena_strdup(x->a, buf_str(&out))
							    : "(different)";
	buf_fini(&out);
	buf_fini(&slices);
	return text;
}

static void expect_endpoints(struct rfix *x, const char *want)
{
	const int64_t end = clock_mono() + 20 * NS_PER_SEC;

	while (strcmp(endpoints_of(x), want) != 0) {
		if (clock_mono() > end)
			fail_msg("endpoints are '%s', not '%s'", endpoints_of(x), want);
		assert_true(loop_step(x->f->loop, NS_PER_SEC / 10, &x->f->err) >= 0);
	}
}

static void nobody_writes_for(struct rfix *x, int64_t time)
{
	const int64_t revision = world_revision(x->w), end = clock_mono() + time;

	while (clock_mono() < end)
		assert_true(loop_step(x->f->loop, NS_PER_SEC / 10, &x->f->err) >= 0);
	assert_int_equal(world_revision(x->w), revision);
}

static void live_servers_are_endpoints(void **state)
{
	struct rfix *x = *state;
	struct other one = { .w = x->w, .rs = x->rs }, two = { 0 };

	world_begin(x, &two);
	join(x, &one, "10.0.0.6", 6443);
	expect_endpoints(x, "10.0.0.6");
	join(x, &two, "10.0.0.5", 7443);
	expect_endpoints(x, "10.0.0.5 10.0.0.6");
	/* Each has seen the other's writes and is content; leases live on (they are of 1 s). */
	nobody_writes_for(x, 2 * NS_PER_SEC);
	leave(x, &two);
	expect_endpoints(x, "10.0.0.6");
	leave(x, &one);
	world_end(x, &two);
	turn_until_written(x, x->w);
	/* The last one's address stays. */
	assert_string_equal(endpoints_of(x), "10.0.0.6");
}

struct upstream {
	struct store_lease lease;
	struct store_txn txn;
	struct store_op op;
	struct rfix *x;
};

static void granted(struct store_lease *l)
{
	assert_int_equal(l->result, 0);
	CONTAINER_OF(l, struct upstream, lease)->x->started = true;
}

static void stored(struct store_txn *t)
{
	assert_int_equal(t->result, 0);
	CONTAINER_OF(t, struct upstream, txn)->x->started = true;
}

/* As kube-apiserver has it: an Endpoints of protobuf, without a name, under a lease. */
static void a_dead_servers_address_goes(void **state)
{
	static const char value[] = "k8s\0\n\x0f\n\2v1\x12\tEndpoints\x12\x15"
				    "\n\3\x38\xd6\6" /* metadata.generation */
				    "\x12\x0e\n\x0c\n\n10.0.0.200\x1a\0\"\0";
	struct rfix *x = *state;
	struct other one = { .w = x->w, .rs = x->rs };
	struct upstream u = { .lease = { .ttl = 2, .done = granted },
			      .txn = { .ops = &u.op, .nops = 1, .done = stored },
			      .x = x };

	join(x, &one, "10.0.0.6", 6443);
	x->started = false;
	store_lease(x->f->s, &u.lease);
	wait_for(x->f, &x->started);
	u.op = (struct store_op){ .key = SLICE("/registry/masterleases/10.0.0.200"),
				  .value = slice_of(value, sizeof(value) - 1),
				  .lease = u.lease.id };
	x->started = false;
	store_commit(x->f->s, &u.txn);
	wait_for(x->f, &x->started);
	expect_endpoints(x, "10.0.0.200 10.0.0.6");
	expect_endpoints(x, "10.0.0.6");
	leave(x, &one);
}

static void servers_have_a_lease_each(void **state)
{
	struct rfix *x = *state;

	boot(x, NULL, "box");
	boot(x, NULL, "other");
	assert_int_equal(count_of(x, "coordination.k8s.io", "leases"), 2);
}

/* ---- names, addresses ---- */

static void the_first_address_of_a_range_is_the_services(void **state)
{
	static const struct {
		const char *cidr, *ip;
	} rows[] = {
		{ "10.96.0.0/12", "10.96.0.1" },     { "192.168.5.0/24", "192.168.5.1" },
		{ "10.0.0.8/30", "10.0.0.9" },	     { "fd00:10::/108", "fd00:10::1" },
		{ "2001:db8::/112", "2001:db8::1" },
	};
	static const char *const wrong[] = { "10.96.0.0",   "10.96.0.1/12",
					     "10.0.0.0/31", "10.0.0.0/33",
					     "x/8",	    "10.0.0.0/x",
					     "fd00::1/64",  "",
					     "10.0.0/8",    "fd00::/128" };
	char ip[64];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(bootstrap_first_ip(rows[i].cidr, ip, NULL), 0);
		assert_string_equal(ip, rows[i].ip);
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct err err = ERR_INIT;

		assert_int_equal(bootstrap_first_ip(wrong[i], ip, &err), -ERR_INVALID);
		assert_non_null(strstr(err.msg, wrong[i]));
	}
}

/* base32 of SHA-256, as python has it. */
static void a_servers_name_is_its_hosts_digest(void **state)
{
	char id[64];

	bootstrap_identity("box", id);
	assert_string_equal(id, "apiserver-e34fm7zfnemcffgd7jnz7hfse4");
	bootstrap_identity("node-1.example", id);
	assert_string_equal(id, "apiserver-o7tz27c52zkqhzwfd3alkg5ffq");
}

/* ---- own objects ---- */

static void refused(struct own_put *p)
{
	assert_int_equal(p->result, -(int)p->err.code);
	((struct rfix *)p->arg)->started = true;
}

static const char *own_error(struct rfix *x, const char *group, const char *resource,
			     const char *name, const char *json)
{
	struct own_put p = { .rs = x->rs,
			     .group = group,
			     .resource = resource,
			     .namespace_ = "",
			     .name = name,
			     .done = refused,
			     .arg = x };
	struct doc *d;

	assert_int_equal(json_read(x->a, slice_str(json), NULL, &d, NULL), 0);
	p.want = d;
	x->started = false;
	own_put(&p);
	wait_for(x->f, &x->started);
	return arena_strdup(x->a, p.err.msg);
}

static void what_cannot_be_written_is_named(void **state)
{
	struct rfix *x = *state;

	assert_string_equal(own_error(x, "none", "things", "x", "{}"),
			    "things 'x': there is no such resource");
	assert_non_null(strstr(
		own_error(x, "scheduling.k8s.io", "priorityclasses", "Bad_Name", "{\"value\":1}"),
		"priorityclasses 'Bad_Name': PriorityClass.scheduling.k8s.io "
		"\"Bad_Name\" is invalid: metadata.name"));
	assert_non_null(strstr(
		own_error(x, "scheduling.k8s.io", "priorityclasses", "x", "{\"value\":\"many\"}"),
		"cannot unmarshal string"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, strategy_setup, strategy_teardown)
#define SHARED(f) cmocka_unit_test_setup_teardown(f, shared_setup, shared_teardown)
	const struct CMUnitTest tests[] = {
		T(all_of_it_is_made_at_once),
		T(levels_and_schemas_have_upstreams_fields),
		T(nothing_is_written_when_all_is_right),
		T(without_an_address_there_are_no_endpoints),
		T(what_went_is_made_anew),
		T(what_was_bent_is_mended_by_each_kinds_rule),
		T(trust_of_servers_is_united),
		T(what_another_server_says_stays),
		SHARED(live_servers_are_endpoints),
		SHARED(a_dead_servers_address_goes),
		T(servers_have_a_lease_each),
		T(what_cannot_be_written_is_named),
		cmocka_unit_test(the_first_address_of_a_range_is_the_services),
		cmocka_unit_test(a_servers_name_is_its_hosts_digest),
	};

	return cmocka_run_group_tests(tests, make_roots, NULL);
}
