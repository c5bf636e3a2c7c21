/* SPDX-License-Identifier: Apache-2.0 */
/* Who owns which field after writes, and server-side apply. */
#include "../doc/doc-check.h"

#include "api/api.h"
#include "api/apply.h"
#include "api/fields.h"
#include "api/managed.h"
#include "api/object.h"
#include "api/typed.h"

#include <stdlib.h>

struct world {
	struct arena *a;
	struct api api;
	struct apply c;
	struct doc live;
	bool there;
	unsigned now;
	const char *message; /* of the last conflict */
	struct cause *causes;
	bool same;
};

static void world_init(struct world *w, struct arena *a, const char *gv, const char *kind)
{
	struct err err = ERR_INIT;

	*w = (struct world){ .a = a };
	assert_int_equal(api_load(a, &w->api, &err), 0);
	w->c = (struct apply){ .type = api_type(&w->api, gv, kind),
			       .api_version = gv,
			       .kind = kind,
			       .subresource = "",
			       .a = a };
	assert_non_null(w->c.type);
}

static void world_fini(struct world *w)
{
	api_fini(&w->api);
}
DEFINE_CLEANUP_EMBEDDED(struct world, world_fini)

/* What a body leaves out: kind, version and a name. */
static struct doc *body_of(struct world *w, const char *text)
{
	struct doc *d = must_read(w->a, text), *meta;

	if (!doc_get(d, "apiVersion"))
		doc_set_str(w->a, d, "apiVersion", w->c.api_version);
	if (!doc_get(d, "kind"))
		doc_set_str(w->a, d, "kind", w->c.kind);
	meta = doc_get(d, "metadata");
	if (!meta)
		meta = doc_set_object(w->a, d, "metadata");
	if (!doc_get(meta, "name"))
		doc_set_str(w->a, meta, "name", "x");
	return d;
}

static void tick(struct world *w, const char *manager)
{
	w->c.manager = manager;
	w->now++;
	w->c.now = arena_printf(w->a, "2024-01-01T%02u:%02u:%02uZ", w->now / 3600 % 24,
				w->now / 60 % 60, w->now % 60);
}

static void keep(struct world *w, const struct doc *d)
{
	struct err err = ERR_INIT;
	int r = api_admit(w->c.type, d, w->a, API_NO_DEFAULTS, NULL, &w->live, &err);

	if (r < 0)
		print_error("%s\n", err.msg);
	assert_int_equal(r, 0);
	w->there = true;
}

static int apply_doc(struct world *w, const char *manager, const struct doc *d, bool force)
{
	struct apply_result out = { 0 };
	struct err err = ERR_INIT;
	int r;

	tick(w, manager);
	r = apply_run(&w->c, w->there ? &w->live : NULL, d, force, &out, &err);
	w->message = r < 0 ? arena_strdup(w->a, out.message ? out.message : err.msg) : NULL;
	w->causes = err.causes;
	w->same = out.same;
	if (r == 0)
		keep(w, &out.obj);
	return r;
}

static int applied(struct world *w, const char *manager, const char *body, bool force)
{
	return apply_doc(w, manager, body_of(w, body), force);
}

static void updated(struct world *w, const char *manager, const char *body)
{
	struct err err = ERR_INIT;
	struct doc *raw = body_of(w, body), d;

	tick(w, manager);
	w->c.clear = managed_clears(doc_find(raw, "metadata.managedFields"));
	assert_int_equal(api_admit(w->c.type, raw, w->a, API_NO_DEFAULTS, NULL, &d, &err), 0);
	assert_int_equal(apply_track(&w->c, w->there ? &w->live : NULL, &d, &err), 0);
	w->c.clear = false;
	keep(w, &d);
}

static const struct doc *entries(const struct world *w)
{
	return doc_find(&w->live, "metadata.managedFields");
}

static int add_path(void *arg, struct slice path)
{
	return buf_addf(arg, " %.*s", (int)path.n, path.p);
}

static int by_words(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "a=.data.x; b*=.data.y": who owns what, by name; * is by update, / a subresource. */
static const char *owners(struct world *w)
{
	const char *lines[32];
	CLEANUP(buf_fini) struct buf all = BUF_INIT(1 << 16);
	struct err err = ERR_INIT;
	struct managed m;

	assert_int_equal(managed_read(entries(w), w->a, &m, &err), 0);
	assert_true(m.n < 32);
	for (size_t i = 0; i < m.n; i++) {
		CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 16);

		assert_int_equal(buf_addf(&b, "%s%s%s%s=", m.v[i].manager,
					  m.v[i].applied ? "" : "*", *m.v[i].subresource ? "/" : "",
					  m.v[i].subresource),
				 0);
		assert_int_equal(fields_each(&m.v[i].set, add_path, &b), 0);
		lines[i] = arena_strdup(w->a, buf_str(&b));
	}
	qsort(lines, m.n, sizeof(*lines), by_words);
	for (size_t i = 0; i < m.n; i++)
		assert_int_equal(buf_addf(&all, "%s%s", i ? "; " : "", lines[i]), 0);
	return arena_strdup(w->a, buf_str(&all));
}

/* The object without what a body leaves out. */
static const char *rest(struct world *w)
{
	struct doc *d = doc_copy(w->a, &w->live), *meta;

	doc_remove(d, "apiVersion");
	doc_remove(d, "kind");
	meta = doc_get(d, "metadata");
	doc_remove(meta, "managedFields");
	doc_remove(meta, "name");
	if (doc_len(meta) == 0)
		doc_remove(d, "metadata");
	return written(w->a, d, NULL);
}

/* ---- cases ---- */

struct op {
	char what;	     /* A apply, F apply with force, X apply that is refused, U update */
	const char *manager; /* or NULL: the end */
	const char *body;
	const char *obj; /* then it is this; NULL: not looked at. X: the message. */
	const char *owners;
};

struct story {
	const char *name, *gv, *kind;
	struct op ops[6];
};

#define DATA(x) "{\"data\":{" x "}}"
#define ENVS(x) "{\"template\":{\"spec\":{\"containers\":[{\"name\":\"c\",\"env\":[" x "]}]}}}"

static const struct story stories[] = {
	{ "an apply makes the object",
	  "v1",
	  "ConfigMap",
	  { { 'A', "a", DATA("\"k\":\"1\""), DATA("\"k\":\"1\""), "a= .data.k" } } },
	{ "an applier takes back what it no longer applies",
	  "v1",
	  "ConfigMap",
	  { { 'A', "a", DATA("\"k\":\"1\",\"l\":\"2\""), NULL, "a= .data.k .data.l" },
	    { 'A', "a", DATA("\"l\":\"2\""), DATA("\"l\":\"2\""), "a= .data.l" },
	    { 'A', "a", "{}", "{}", "" } } },
	{ "what others applied too stays",
	  "v1",
	  "ConfigMap",
	  { { 'A', "a", DATA("\"k\":\"1\",\"l\":\"2\""), NULL, NULL },
	    { 'A', "b", DATA("\"k\":\"1\""), DATA("\"k\":\"1\",\"l\":\"2\""),
	      "a= .data.k .data.l; b= .data.k" },
	    { 'A', "a", DATA("\"l\":\"2\""), DATA("\"k\":\"1\",\"l\":\"2\""),
	      "a= .data.l; b= .data.k" } } },
	{ "another value of what another applied is a conflict",
	  "v1",
	  "ConfigMap",
	  { { 'A', "a", DATA("\"k\":\"1\""), NULL, NULL },
	    { 'X', "b", DATA("\"k\":\"2\""),
	      "Apply failed with 1 conflict: conflict with \"a\": .data.k", "a= .data.k" },
	    { 'F', "b", DATA("\"k\":\"2\""), DATA("\"k\":\"2\""), "b= .data.k" },
	    { 'X', "a", DATA("\"k\":\"1\""),
	      "Apply failed with 1 conflict: conflict with \"b\": .data.k", NULL } } },
	{ "more conflicts are listed by manager",
	  "v1",
	  "ConfigMap",
	  { { 'A', "b", DATA("\"k\":\"1\""), NULL, NULL },
	    { 'A', "a", DATA("\"l\":\"1\",\"m\":\"1\""), NULL, NULL },
	    { 'X', "c", DATA("\"k\":\"2\",\"l\":\"2\",\"m\":\"2\""),
	      "Apply failed with 3 conflicts: conflicts with \"a\":\n- .data.l\n- .data.m\n"
	      "conflicts with \"b\":\n- .data.k",
	      NULL } } },
	{ "the owner changes its value",
	  "v1",
	  "ConfigMap",
	  { { 'A', "a", DATA("\"k\":\"1\""), NULL, NULL },
	    { 'A', "a", DATA("\"k\":\"2\""), DATA("\"k\":\"2\""), "a= .data.k" } } },
	{ "who creates by update owns all",
	  "v1",
	  "ConfigMap",
	  { { 'U', "u", DATA("\"k\":\"1\""), NULL, "u*= .data .data.k" } } },
	{ "who updates takes what it changes",
	  "v1",
	  "ConfigMap",
	  { { 'A', "a", DATA("\"k\":\"1\",\"l\":\"1\""), NULL, NULL },
	    { 'U', "u", DATA("\"k\":\"2\",\"l\":\"1\",\"m\":\"1\""), NULL,
	      "a= .data.l; u*= .data.k .data.m" },
	    { 'U', "u", DATA("\"k\":\"2\""), NULL, "u*= .data.k" } } },
	{ "an update is in the way of an apply",
	  "v1",
	  "ConfigMap",
	  { { 'A', "a", DATA("\"k\":\"1\""), NULL, NULL },
	    { 'U', "u", DATA("\"k\":\"2\""), NULL, "u*= .data.k" },
	    { 'X', "a", DATA("\"k\":\"1\""),
	      "Apply failed with 1 conflict: conflict with \"u\" using v1 at "
	      "2024-01-01T00:00:02Z: .data.k",
	      NULL },
	    { 'A', "a", DATA("\"k\":\"2\""), NULL, "a= .data.k; u*= .data.k" },
	    { 'A', "a", "{}", DATA("\"k\":\"2\""), "u*= .data.k" } } },
	{ "one manager's updates and applies are two",
	  "v1",
	  "ConfigMap",
	  { { 'U', "a", DATA("\"k\":\"1\""), NULL, NULL },
	    { 'X', "a", DATA("\"k\":\"2\""),
	      "Apply failed with 1 conflict: conflict with \"a\" using v1 at "
	      "2024-01-01T00:00:01Z: .data.k",
	      "a*= .data .data.k" },
	    { 'F', "a", DATA("\"k\":\"2\""), NULL, "a*= .data; a= .data.k" } } },
	{ "an update that changes nothing owns nothing",
	  "v1",
	  "ConfigMap",
	  { { 'A', "a", DATA("\"k\":\"1\""), NULL, NULL },
	    { 'U', "u", DATA("\"k\":\"1\""), NULL, "a= .data.k" } } },
	{ "what was removed by update is owned by nobody",
	  "v1",
	  "ConfigMap",
	  { { 'A', "a", DATA("\"k\":\"1\",\"l\":\"1\""), NULL, NULL },
	    { 'U', "u", DATA("\"k\":\"1\""), NULL, "a= .data.k" },
	    { 'A', "a", DATA("\"k\":\"1\",\"l\":\"3\""), DATA("\"k\":\"1\",\"l\":\"3\""),
	      "a= .data.k .data.l" } } },
	{ "an empty map is a value",
	  "v1",
	  "ConfigMap",
	  { { 'A', "a", DATA(""), "{}", "a= .data" } } },
	{ "the manager without a name",
	  "v1",
	  "ConfigMap",
	  { { 'U', "", DATA("\"k\":\"1\""), NULL, "unknown*= .data .data.k" } } },
	{ "labels, annotations and finalizers",
	  "v1",
	  "ConfigMap",
	  { { 'A', "a",
	      "{\"metadata\":{\"labels\":{\"l\":\"1\"},\"finalizers\":[\"a/f\"],\"namespace\":"
	      "\"d\"}}",
	      NULL, "a= .metadata.finalizers[=\"a/f\"] .metadata.labels.l" },
	    { 'A', "b", "{\"metadata\":{\"finalizers\":[\"b/f\"]}}",
	      "{\"metadata\":{\"namespace\":\"d\",\"labels\":{\"l\":\"1\"},\"finalizers\":[\"a/f\","
	      "\"b/f\"]}}",
	      "a= .metadata.finalizers[=\"a/f\"] .metadata.labels.l; b= "
	      ".metadata.finalizers[=\"b/f\"]" },
	    { 'A', "a", "{}", "{\"metadata\":{\"namespace\":\"d\",\"finalizers\":[\"b/f\"]}}",
	      "b= .metadata.finalizers[=\"b/f\"]" } } },
	{ "elements by their keys",
	  "v1",
	  "ServiceAccount",
	  { { 'A', "a", "{\"secrets\":[{\"name\":\"s\"}]}", NULL, "a= .secrets[name=\"s\"]" },
	    { 'A', "b", "{\"secrets\":[{\"name\":\"t\"}]}",
	      "{\"secrets\":[{\"name\":\"s\"},{\"name\":\"t\"}]}", NULL },
	    { 'A', "a", "{\"secrets\":[]}", "{\"secrets\":[{\"name\":\"t\"}]}",
	      "b= .secrets[name=\"t\"]" } } },
	{ "parts of one element",
	  "v1",
	  "ReplicationController",
	  { { 'A', "a", "{\"spec\":" ENVS("{\"name\":\"A\",\"value\":\"1\"}") "}", NULL, NULL },
	    { 'A', "b", "{\"spec\":" ENVS("{\"name\":\"B\",\"value\":\"1\"}") "}", NULL, NULL },
	    { 'X', "b", "{\"spec\":" ENVS("{\"name\":\"A\",\"value\":\"2\"}") "}",
	      "Apply failed with 1 conflict: conflict with \"a\": "
	      ".spec.template.spec.containers[name=\"c\"].env[name=\"A\"].value",
	      NULL } } },
	{ "an element that another updated goes with its owner",
	  "v1",
	  "Service",
	  { { 'A', "a", "{\"spec\":{\"ports\":[{\"port\":80},{\"port\":81}]}}", NULL,
	      "a= .spec.ports[port=80,protocol=\"TCP\"] "
	      ".spec.ports[port=81,protocol=\"TCP\"] "
	      ".spec.ports[port=80,protocol=\"TCP\"].port "
	      ".spec.ports[port=81,protocol=\"TCP\"].port" },
	    { 'U', "u",
	      "{\"spec\":{\"ports\":[{\"port\":80,\"targetPort\":0},{\"port\":81,\"targetPort\":0,"
	      "\"name\":\"x\"}]},\"status\":{\"loadBalancer\":{}}}",
	      NULL, NULL },
	    { 'A', "a", "{\"spec\":{\"ports\":[{\"port\":80}]}}", NULL,
	      "a= .spec.ports[port=80,protocol=\"TCP\"] "
	      ".spec.ports[port=80,protocol=\"TCP\"].port" } } },
	{ "default of a key: TCP is the same port",
	  "v1",
	  "Service",
	  { { 'A', "a", "{\"spec\":{\"ports\":[{\"port\":80,\"protocol\":\"TCP\"}]}}", NULL, NULL },
	    { 'A', "b", "{\"spec\":{\"ports\":[{\"port\":80},{\"port\":80,\"protocol\":\"UDP\"}]}}",
	      NULL,
	      "a= .spec.ports[port=80,protocol=\"TCP\"] "
	      ".spec.ports[port=80,protocol=\"TCP\"].port "
	      ".spec.ports[port=80,protocol=\"TCP\"].protocol; b= "
	      ".spec.ports[port=80,protocol=\"TCP\"] "
	      ".spec.ports[port=80,protocol=\"UDP\"] "
	      ".spec.ports[port=80,protocol=\"TCP\"].port "
	      ".spec.ports[port=80,protocol=\"UDP\"].port "
	      ".spec.ports[port=80,protocol=\"UDP\"].protocol" } } },
	{ "atomic maps have one owner",
	  "v1",
	  "Service",
	  { { 'A', "a", "{\"spec\":{\"selector\":{\"a\":\"1\"}}}", NULL, "a= .spec.selector" },
	    { 'X', "b", "{\"spec\":{\"selector\":{\"b\":\"1\"}}}",
	      "Apply failed with 1 conflict: conflict with \"a\": .spec.selector", NULL },
	    { 'F', "b", "{\"spec\":{\"selector\":{\"b\":\"1\"}}}", NULL, "b= .spec.selector" } } },
	{ "duplicates are refused",
	  "v1",
	  "ServiceAccount",
	  { { 'X', "a", "{\"secrets\":[{\"name\":\"s\"},{\"name\":\"s\"}]}",
	      "failed to create typed patch object (/x; v1, Kind=ServiceAccount): .secrets: "
	      "duplicate entries for key [name=\"s\"]",
	      NULL } } },
	{ "unknown fields are refused",
	  "v1",
	  "ConfigMap",
	  { { 'X', "a", "{\"metadata\":{\"namespace\":\"n\"},\"dta\":{}}",
	      "failed to create typed patch object (n/x; v1, Kind=ConfigMap): .dta: field not "
	      "declared in schema",
	      NULL } } },
	{ "managedFields are not applied",
	  "v1",
	  "ConfigMap",
	  { { 'X', "a", "{\"metadata\":{\"managedFields\":[]}}",
	      "metadata.managedFields must be nil", NULL } } },
	{ "another kind is not applied",
	  "v1",
	  "ConfigMap",
	  { { 'X', "a", "{\"kind\":\"Secret\"}", "invalid object type: v1, Kind=Secret", NULL } } },
	{ "managedFields of an update count",
	  "v1",
	  "ConfigMap",
	  { { 'A', "a", DATA("\"k\":\"1\",\"l\":\"1\""), NULL, NULL },
	    { 'U', "u",
	      "{\"metadata\":{\"managedFields\":[{\"manager\":\"z\",\"operation\":\"Apply\","
	      "\"apiVersion\":\"v1\",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{\"f:data\":{\"f:l\":"
	      "{}"
	      "}}}]},\"data\":{\"k\":\"1\",\"l\":\"1\"}}",
	      NULL, "z= .data.l" } } },
	{ "managedFields that make no sense do not",
	  "v1",
	  "ConfigMap",
	  { { 'A', "a", DATA("\"k\":\"1\""), NULL, NULL },
	    { 'U', "u",
	      "{\"metadata\":{\"managedFields\":[{\"manager\":\"z\",\"operation\":\"Nonsense\","
	      "\"apiVersion\":\"v1\",\"fieldsType\":\"FieldsV1\"}]},\"data\":{\"k\":\"1\"}}",
	      NULL, "a= .data.k" } } },
	{ "[{}] forgets, and nobody tracks until the next apply",
	  "v1",
	  "ConfigMap",
	  { { 'A', "a", DATA("\"k\":\"1\""), NULL, NULL },
	    { 'U', "u", "{\"metadata\":{\"managedFields\":[{}]},\"data\":{\"k\":\"1\"}}", NULL,
	      "" },
	    { 'U', "u", DATA("\"k\":\"2\""), NULL, "" },
	    { 'X', "a", DATA("\"k\":\"1\",\"l\":\"1\""),
	      "Apply failed with 1 conflict: conflict with \"before-first-apply\" using v1 at "
	      "2024-01-01T00:00:04Z: .data.k",
	      "" },
	    { 'A', "a", DATA("\"k\":\"2\",\"l\":\"1\""), NULL,
	      "a= .data.k .data.l; before-first-apply*= .data .data.k" } } },
	{ "[] forgets too",
	  "v1",
	  "ConfigMap",
	  { { 'A', "a", DATA("\"k\":\"1\""), NULL, NULL },
	    { 'U', "u", "{\"metadata\":{\"managedFields\":[]},\"data\":{\"k\":\"1\"}}", NULL,
	      "" } } },
	/* structs that Go always writes are not owned, pointers and maps are */
	{ "a new Deployment",
	  "apps/v1",
	  "Deployment",
	  { { 'U', "u",
	      "{\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"strategy\":{"
	      "\"rollingUpdate\":{\"maxSurge\":1}},\"template\":{\"metadata\":{\"labels\":{\"a\":"
	      "\"b\"}},\"spec\":{\"containers\":[{\"name\":\"c\"}],\"securityContext\":{}}}}}",
	      NULL,
	      "u*= .spec.selector .spec.strategy.rollingUpdate "
	      ".spec.strategy.rollingUpdate.maxSurge .spec.template.metadata.labels "
	      ".spec.template.metadata.labels.a .spec.template.spec.securityContext "
	      ".spec.template.spec.containers[name=\"c\"] "
	      ".spec.template.spec.containers[name=\"c\"].name "
	      ".spec.template.spec.containers[name=\"c\"].resources" } } },
	{ "what is applied as {} stays when it loses all",
	  "v1",
	  "Pod",
	  { { 'A', "a",
	      "{\"spec\":{\"volumes\":[{\"name\":\"v\",\"emptyDir\":{\"medium\":\"Memory\"}}]}}",
	      NULL, NULL },
	    { 'A', "a", "{\"spec\":{\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}]}}",
	      "{\"spec\":{\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}],\"containers\":null},"
	      "\"status\":{}}",
	      "a= .spec.volumes[name=\"v\"] .spec.volumes[name=\"v\"].emptyDir "
	      ".spec.volumes[name=\"v\"].name" },
	    { 'A', "a", "{\"spec\":{}}", "{\"spec\":{\"containers\":null},\"status\":{}}",
	      "a= .spec" } } },
	{ "a quantity as a number",
	  "v1",
	  "LimitRange",
	  { { 'A', "a", "{\"spec\":{\"limits\":[{\"type\":\"Pod\",\"max\":{\"cpu\":2}}]}}",
	      "{\"spec\":{\"limits\":[{\"type\":\"Pod\",\"max\":{\"cpu\":\"2\"}}]}}",
	      "a= .spec.limits" } } },
	{ "entries of versions that are gone are dropped",
	  "v1",
	  "ConfigMap",
	  { { 'A', "a", DATA("\"k\":\"1\""), NULL, NULL },
	    { 'U', "u",
	      "{\"metadata\":{\"managedFields\":[{\"manager\":\"z\",\"operation\":\"Apply\","
	      "\"apiVersion\":\"v0\",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{\"f:data\":{\"f:k\":"
	      "{}"
	      "}}}]},\"data\":{\"k\":\"1\",\"l\":\"2\"}}",
	      NULL, "u*= .data.l" } } },
};

static void run_op(struct world *w, const struct op *op)
{
	int r;

	if (op->what == 'U') {
		updated(w, op->manager, op->body);
	} else {
		r = applied(w, op->manager, op->body, op->what == 'F');
		if (op->what != 'X' && r != 0)
			print_error("%s\n", w->message);
		assert_true(op->what == 'X' ? r < 0 : r == 0);
	}
	if (op->obj)
		assert_string_equal(op->what == 'X' ? w->message : rest(w), op->obj);
	if (op->owners)
		assert_string_equal(owners(w), op->owners);
}

static void stories_end_as_upstreams_do(void **state)
{
	for (size_t i = 0; i < sizeof(stories) / sizeof(*stories); i++) {
		CLEANUP(world_fini) struct world w;
		const struct story *s = &stories[i];

		print_message("  %s\n", s->name);
		world_init(&w, *state, s->gv, s->kind);
		for (size_t j = 0; j < 6 && s->ops[j].manager; j++)
			run_op(&w, &s->ops[j]);
	}
}

static void conflicts_have_causes(void **state)
{
	CLEANUP(world_fini) struct world w;

	world_init(&w, *state, "v1", "ConfigMap");
	assert_int_equal(applied(&w, "a", DATA("\"k\":\"1\",\"l\":\"1\""), false), 0);
	assert_int_equal(applied(&w, "b", DATA("\"k\":\"2\",\"l\":\"2\""), false), -ERR_CONFLICT);
	assert_string_equal(w.causes->reason, "FieldManagerConflict");
	assert_string_equal(w.causes->field, ".data.k");
	assert_string_equal(w.causes->detail, "conflict with \"a\"");
	assert_string_equal(w.causes->next->field, ".data.l");
	assert_null(w.causes->next->next);
}

static void times_are_of_changes(void **state)
{
	CLEANUP(world_fini) struct world w;

	world_init(&w, *state, "v1", "ConfigMap");
	assert_int_equal(applied(&w, "a", DATA("\"k\":\"1\""), false), 0);
	assert_int_equal(applied(&w, "a", DATA("\"k\":\"1\""), false), 0);
	assert_true(w.same);
	assert_true(doc_str_is(doc_get(doc_at(entries(&w), 0), "time"), "2024-01-01T00:00:01Z"));
	assert_int_equal(applied(&w, "a", DATA("\"k\":\"2\""), false), 0);
	assert_false(w.same);
	assert_true(doc_str_is(doc_get(doc_at(entries(&w), 0), "time"), "2024-01-01T00:00:03Z"));
	/* who takes a share leaves the other's time alone */
	assert_int_equal(applied(&w, "b", DATA("\"k\":\"2\""), false), 0);
	assert_true(w.same);
	assert_true(doc_str_is(doc_get(doc_at(entries(&w), 0), "time"), "2024-01-01T00:00:03Z"));
	assert_true(doc_str_is(doc_get(doc_at(entries(&w), 1), "time"), "2024-01-01T00:00:04Z"));
}

static void a_subresource_is_another_manager(void **state)
{
	struct arena *a = *state;
	CLEANUP(world_fini) struct world w;

	world_init(&w, a, "v1", "Namespace");
	w.c.reset = must_read(a, "{\"f:status\":{}}");
	assert_int_equal(applied(&w, "a",
				 "{\"spec\":{\"finalizers\":[\"f\"]},\"status\":{\"phase\":"
				 "\"Active\"}}",
				 false),
			 0);
	assert_string_equal(owners(&w), "a= .spec.finalizers");
	w.c.subresource = "status";
	w.c.reset = must_read(a, "{\"f:metadata\":{},\"f:spec\":{}}");
	updated(&w, "a",
		"{\"spec\":{\"finalizers\":[\"f\"]},\"status\":{\"phase\":\"Terminating\"},"
		"\"metadata\":{\"managedFields\":[{}],\"labels\":{\"x\":\"y\"}}}");
	assert_string_equal(owners(&w), "a*/status= .status.phase; a= .spec.finalizers");
	w.c.subresource = "";
	w.c.reset = NULL;
	assert_int_equal(applied(&w, "b", "{\"status\":{\"phase\":\"Active\"}}", false),
			 -ERR_CONFLICT);
	assert_string_equal(w.message, "Apply failed with 1 conflict: conflict with \"a\" with "
				       "subresource \"status\" using v1 at 2024-01-01T00:00:02Z: "
				       ".status.phase");
}

static void many_updates_are_folded(void **state)
{
	CLEANUP(world_fini) struct world w;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);
	struct arena *a = *state;

	world_init(&w, a, "v1", "ConfigMap");
	for (int i = 0; i < 14; i++) {
		assert_int_equal(buf_addf(&b, "%s\"k%02d\":\"1\"", i ? "," : "", i), 0);
		updated(&w, arena_printf(a, "m%02d", i),
			arena_printf(a, "{\"data\":{%s}}", buf_str(&b)));
		assert_int_equal(doc_len(entries(&w)), i < 10 ? i + 1 : 10);
	}
	assert_non_null(strstr(owners(&w), "ancient-changes*= .data .data.k00 .data.k01 .data.k02 "
					   ".data.k03 .data.k04; m05*= .data.k05"));
}

/* ---- versions ---- */

/* v0 calls data.k "old". */
static int other_version(void *arg, const struct doc *obj, const char *api_version, struct arena *a,
			 struct apply_version *ret, struct err *err)
{
	struct world *w = arg;

	(void)err;
	if (strcmp(api_version, "v0") != 0 && strcmp(api_version, "v1") != 0)
		return 1;
	ret->type = w->c.type;
	ret->obj = *doc_copy(a, obj);
	return 0;
}

static void entries_of_other_versions_count(void **state)
{
	CLEANUP(world_fini) struct world w;

	world_init(&w, *state, "v1", "ConfigMap");
	w.c.convert = other_version;
	w.c.arg = &w;
	updated(&w, "u",
		"{\"metadata\":{\"managedFields\":[{\"manager\":\"z\",\"operation\":\"Apply\","
		"\"apiVersion\":\"v0\",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{\"f:data\":{\"f:"
		"k\":{}"
		"}}}]},\"data\":{\"k\":\"1\"}}");
	updated(&w, "u",
		"{\"metadata\":{\"managedFields\":[{\"manager\":\"z\",\"operation\":\"Apply\","
		"\"apiVersion\":\"v0\",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{\"f:data\":{\"f:"
		"k\":{}"
		"}}}]},\"data\":{\"k\":\"1\",\"l\":\"1\"}}");
	assert_string_equal(owners(&w), "u*= .data.l; z= .data.k");
	/* what nobody owns stays */
	doc_set_str(w.a, doc_get(&w.live, "data"), "zz", "0");
	assert_int_equal(applied(&w, "a", DATA("\"k\":\"2\""), false), -ERR_CONFLICT);
	/* the same manager applies in the new version: its old entry becomes the new one */
	assert_int_equal(applied(&w, "z", DATA("\"m\":\"2\""), false), 0);
	assert_string_equal(rest(&w), DATA("\"l\":\"1\",\"m\":\"2\",\"zz\":\"0\""));
	assert_string_equal(owners(&w), "u*= .data.l; z= .data.m");
}

/* ---- what kubectl left ---- */

#define LAST                                                                                      \
	"\"annotations\":{\"kubectl.kubernetes.io/"                                               \
	"last-applied-configuration\":\"{\\\"apiVersion\\"                                        \
	"\":\\\"v1\\\",\\\"kind\\\":\\\"ConfigMap\\\",\\\"metadata\\\":{\\\"name\\\":\\\"x\\\"}," \
	"\\\"data\\\":{\\\"k\\\":\\\"1\\\",\\\"l\\\":\\\"1\\\"}}\\n\"}"

static void kubectl_moves_to_the_servers_side(void **state)
{
	struct arena *a = *state;
	CLEANUP(world_fini) struct world w;
	const struct doc *note;

	world_init(&w, a, "v1", "ConfigMap");
	updated(&w, "kubectl-client-side-apply",
		"{\"metadata\":{" LAST "},\"data\":{\"k\":\"1\",\"l\":\"1\"}}");
	/* others are refused */
	assert_int_equal(applied(&w, "other", DATA("\"k\":\"2\""), false), -ERR_CONFLICT);
	assert_int_equal(applied(&w, "kubectl", DATA("\"k\":\"2\""), false), 0);
	note = doc_get(doc_find(&w.live, "metadata.annotations"), APPLY_LAST_APPLIED);
	assert_string_equal(doc_cstr(a, note),
			    "{\"apiVersion\":\"v1\",\"data\":{\"k\":\"2\"},\"kind\":\"ConfigMap\","
			    "\"metadata\":{\"name\":\"x\"}}\n");
	assert_non_null(strstr(owners(&w), "kubectl= .data.k"));
	assert_null(strstr(owners(&w), "kubectl-client-side-apply*= .data .data.k"));
	/* what somebody changed since is no longer client-side apply's to give away */
	updated(&w, "kubectl-edit", "{\"metadata\":{" LAST "},\"data\":{\"k\":\"2\",\"l\":\"5\"}}");
	assert_int_equal(applied(&w, "kubectl", DATA("\"k\":\"2\",\"l\":\"6\""), false),
			 -ERR_CONFLICT);
	assert_non_null(strstr(w.message, "1 conflict: conflict with \"kubectl-edit\" using v1"));
	assert_non_null(strstr(w.message, ": .data.l"));
}

static void what_was_applied_is_extracted(void **state)
{
	struct arena *a = *state;
	CLEANUP(world_fini) struct world w;
	struct err err = ERR_INIT;
	struct doc d;

	world_init(&w, a, "v1", "ConfigMap");
	assert_int_equal(applied(&w, "a", DATA("\"k\":\"1\""), false), 0);
	assert_int_equal(applied(&w, "b", DATA("\"l\":\"1\""), false), 0);
	w.c.manager = "b";
	assert_int_equal(apply_extract(&w.c, &w.live, &d, &err), 0);
	assert_doc(a, &d, DATA("\"l\":\"1\""));
	w.c.manager = "c";
	assert_int_equal(apply_extract(&w.c, &w.live, &d, &err), -ERR_NOT_FOUND);
}

static void unchanged_but_for_times_is_the_same(void **state)
{
	struct arena *a = *state;
	struct doc *x =
		must_read(a, "[{\"manager\":\"a\",\"time\":\"1\",\"fieldsV1\":{}},{\"manager\":"
			     "\"b\"}]");
	struct doc *y = must_read(a, "[{\"manager\":\"b\"},{\"manager\":\"a\",\"time\":\"2\","
				     "\"fieldsV1\":{}}]");
	struct doc *z =
		must_read(a, "[{\"manager\":\"b\"},{\"manager\":\"a\",\"fieldsV1\":{\"f:a\":{}}"
			     "}]");

	assert_true(managed_same(x, y));
	assert_false(managed_same(x, z));
	assert_true(managed_same(NULL, NULL));
}

/* ---- a model ---- */

enum { KEYS = 8, WHO = 3, FIRST = WHO, DOT = 1 << KEYS };

struct model {
	int value[KEYS];	  /* 0 = absent */
	unsigned apply[WHO];	  /* bits of keys; DOT: data itself */
	unsigned update[WHO + 1]; /* the last: before-first-apply */
};

static unsigned present(const int *value)
{
	unsigned bits = 0;

	for (int k = 0; k < KEYS; k++)
		bits |= value[k] ? 1u << k : 0;
	return bits ? bits | DOT : 0;
}

static bool tracked(const struct model *m)
{
	unsigned all = m->update[FIRST];

	for (int i = 0; i < WHO; i++)
		all |= m->apply[i] | m->update[i];
	return all != 0;
}

/* Bits that differ, and those that are gone. */
static void differ(const int *from, const int *to, unsigned *changed, unsigned *gone)
{
	*gone = present(from) & ~present(to);
	*changed = present(to) & ~present(from);
	for (int k = 0; k < KEYS; k++)
		if (from[k] && to[k] && from[k] != to[k])
			*changed |= 1u << k;
}

static void lose(struct model *m, unsigned bits, int applier)
{
	for (int i = 0; i < WHO; i++)
		m->apply[i] &= i == applier ? ~0u : ~bits;
	for (int i = 0; i <= WHO; i++)
		m->update[i] &= ~bits;
}

static void model_update(struct model *m, int who, const int *value)
{
	unsigned changed, gone;

	if (tracked(m)) {
		differ(m->value, value, &changed, &gone);
		lose(m, changed | gone, -1);
		m->update[who] |= changed;
	}
	memcpy(m->value, value, sizeof(m->value));
}

/* False: a conflict. */
static bool model_apply(struct model *m, int who, const int *config, bool force)
{
	struct model next = *m;
	unsigned others, changed, gone, last = m->apply[who];
	int value[KEYS];

	if (!tracked(m))
		next.update[FIRST] = present(m->value);
	others = next.update[FIRST];
	for (int i = 0; i < WHO; i++)
		others |= next.update[i] | (i == who ? 0 : next.apply[i]);
	for (int k = 0; k < KEYS; k++) {
		value[k] = config[k] ? config[k] : m->value[k];
		if (!config[k] && last & 1u << k && !(others & 1u << k))
			value[k] = 0;
	}
	differ(m->value, value, &changed, &gone);
	if (!force && others & changed)
		return false;
	lose(&next, changed | gone, who);
	next.apply[who] = present(config) & ~(unsigned)DOT;
	memcpy(next.value, value, sizeof(value));
	*m = next;
	return true;
}

static unsigned bits_of(const struct managed *m, const char *name, bool apply)
{
	const struct managed_entry *e = managed_find(m, name, apply, "v1", "");
	unsigned bits = 0;

	if (!e)
		return 0;
	for (int k = 0; k < KEYS; k++) {
		char step[] = { 'f', ':', (char)('a' + k), 0 };

		bits |= fields_has(&e->set, "f:data", step, NULL) ? 1u << k : 0;
	}
	return bits | (fields_has(&e->set, "f:data", NULL) ? DOT : 0);
}

static void compare_with(struct world *w, const struct model *m)
{
	static const char *const names[] = { "m0", "m1", "m2", APPLY_BEFORE_FIRST };
	const struct doc *data = doc_get(&w->live, "data");
	struct managed got;

	assert_int_equal(managed_read(entries(w), w->a, &got, NULL), 0);
	for (int k = 0; k < KEYS; k++) {
		char name[] = { (char)('a' + k), 0 };
		const struct doc *v = doc_get(data, name);

		assert_int_equal(v ? v->s[0] - '0' : 0, m->value[k]);
	}
	for (int i = 0; i <= WHO; i++) {
		assert_int_equal(bits_of(&got, names[i], false), m->update[i]);
		if (i < WHO)
			assert_int_equal(bits_of(&got, names[i], true), m->apply[i]);
	}
}

static unsigned next_random(uint64_t *seed, unsigned below)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(*seed >> 33) % below;
}

static const char *random_data(struct arena *a, uint64_t *seed, int *value, unsigned sparse)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(512);
	unsigned sure = next_random(seed, KEYS);

	for (unsigned k = 0; k < KEYS; k++) {
		bool has = k == sure || next_random(seed, sparse) == 0;

		value[k] = has ? 1 + (int)next_random(seed, 2) : 0;
		if (has)
			assert_int_equal(buf_addf(&b, "%s\"%c\":\"%d\"", b.n ? "," : "",
						  (char)('a' + k), value[k]),
					 0);
	}
	return arena_printf(a, "{\"data\":{%s}}", buf_str(&b));
}

static void one_step(struct world *w, struct model *m, uint64_t *seed)
{
	static const char *const names[] = { "m0", "m1", "m2" };
	int who = (int)next_random(seed, WHO), value[KEYS];
	unsigned kind = next_random(seed, 4);
	const char *body = random_data(w->a, seed, value, kind == 0 ? 2 : 3);
	struct doc before;

	if (kind == 0) {
		updated(w, names[who], body);
		model_update(m, who, value);
	} else {
		bool force = kind == 1, ok = model_apply(m, who, value, force);

		assert_int_equal(applied(w, names[who], body, force), ok ? 0 : -ERR_CONFLICT);
		assert_true(ok || !force);
		if (ok) { /* again: nothing happens */
			before = w->live;
			assert_int_equal(applied(w, names[who], body, false), 0);
			assert_true(w->same);
			assert_true(doc_equal(&before, &w->live));
		}
	}
	compare_with(w, m);
}

static void random_writes_do_as_the_model(void **state)
{
	uint64_t seed = 20240101;

	(void)state;
	for (int round = 0; round < 40; round++) {
		CLEANUP(arena_free) struct arena *a = arena_new("round", ARENA_MAX);
		CLEANUP(world_fini) struct world w;
		struct model m = { 0 };

		world_init(&w, a, "v1", "ConfigMap");
		updated(&w, "m0", DATA("\"a\":\"1\""));
		m.value[0] = 1;
		m.update[0] = 1 | DOT;
		compare_with(&w, &m);
		for (int i = 0; i < 40; i++)
			one_step(&w, &m, &seed);
	}
}

/* ---- nested objects: what must hold after any write ---- */

static void add_list(struct buf *b, const char *name, unsigned bits, const char *const *items)
{
	unsigned n = 0;

	if (!bits)
		return;
	assert_int_equal(buf_addf(b, ",\"%s\":[", name), 0);
	for (unsigned i = 0; i < 3; i++)
		if (bits & 1u << i)
			assert_int_equal(buf_addf(b, "%s%s", n++ ? "," : "", items[i]), 0);
	assert_int_equal(buf_addc(b, ']'), 0);
}

static const char *random_pod(struct arena *a, uint64_t *seed)
{
	static const char *const ports[] = { "{\"containerPort\":80}",
					     "{\"containerPort\":80,\"protocol\":\"UDP\"}",
					     "{\"containerPort\":81,\"name\":\"p\"}" };
	static const char *const envs[] = { "{\"name\":\"A\",\"value\":\"1\"}",
					    "{\"name\":\"B\",\"value\":\"2\"}",
					    "{\"name\":\"A<B>\",\"value\":\"3\"}" };
	static const char *const finalizers[] = { "\"x/a\"", "\"x/b\"", "\"x/c\"" };
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);
	unsigned n = 0;

	assert_int_equal(buf_addf(&b, "{\"metadata\":{\"labels\":{\"%c\":\"%u\"}",
				  (char)('a' + next_random(seed, 3)), next_random(seed, 2)),
			 0);
	add_list(&b, "finalizers", next_random(seed, 8), finalizers);
	assert_int_equal(buf_addf(&b,
				  "},\"spec\":{\"nodeSelector\":{\"n\":\"%u\"},\"containers\":[",
				  next_random(seed, 2)),
			 0);
	for (unsigned i = 0, from = next_random(seed, 2); i < 2; i++) {
		if (i && next_random(seed, 2))
			break;
		assert_int_equal(buf_addf(&b, "%s{\"name\":\"c%u\",\"image\":\"i%u\"",
					  n++ ? "," : "", (from + i) % 2, next_random(seed, 2)),
				 0);
		add_list(&b, "env", next_random(seed, 8), envs);
		add_list(&b, "ports", next_random(seed, 8), ports);
		assert_int_equal(buf_addc(&b, '}'), 0);
	}
	assert_int_equal(buf_adds(&b, "]}}"), 0);
	return arena_strdup(a, buf_str(&b));
}

/* Nobody owns what is not there, and no entry is empty. */
static void owned_is_there(struct world *w)
{
	struct err err = ERR_INIT;
	struct typed_diff all;
	struct managed m;

	assert_int_equal(managed_read(entries(w), w->a, &m, &err), 0);
	assert_int_equal(
		typed_compare(w->c.type, must_read(w->a, "{}"), &w->live, w->a, &all, &err), 0);
	for (size_t i = 0; i < m.n; i++) {
		struct doc gone = fields_join(FIELDS_DIFFERENCE, &m.v[i].set, &all.added, w->a);

		assert_false(fields_empty(&m.v[i].set));
		if (!fields_empty(&gone))
			print_error("%s: %s\n", m.v[i].manager, written(w->a, &gone, NULL));
		assert_true(fields_empty(&gone));
	}
}

/* What was applied is there, and to apply it again does nothing. */
static void applied_is_there(struct world *w, const char *manager, const char *body)
{
	struct err err = ERR_INIT;
	struct doc before = w->live, again, admitted;

	assert_int_equal(typed_merge(w->c.type, &w->live, body_of(w, body), w->a, &again, &err), 0);
	assert_int_equal(api_admit(w->c.type, &again, w->a, API_NO_DEFAULTS, NULL, &admitted, &err),
			 0);
	assert_true(doc_equal(&admitted, &w->live));
	assert_int_equal(applied(w, manager, body, false), 0);
	assert_true(w->same);
	assert_true(doc_equal(&before, &w->live));
}

static void random_writes_of_pods_hold_what_must_hold(void **state)
{
	static const char *const names[] = { "m0", "m1", "m2" };
	uint64_t seed = 42;
	unsigned refused = 0;

	(void)state;
	for (int round = 0; round < 20; round++) {
		CLEANUP(arena_free) struct arena *a = arena_new("round", ARENA_MAX);
		CLEANUP(world_fini) struct world w;

		world_init(&w, a, "v1", "Pod");
		for (int i = 0; i < 30; i++) {
			const char *who = names[next_random(&seed, 3)],
				   *body = random_pod(a, &seed);
			unsigned kind = next_random(&seed, 4);
			int r;

			if (kind == 0) {
				updated(&w, who, body);
			} else {
				r = applied(&w, who, body, kind < 3);
				assert_true(r == 0 || (kind == 3 && r == -ERR_CONFLICT));
				refused += r != 0;
				if (r == 0)
					applied_is_there(&w, who, body);
			}
			if (w.there)
				owned_is_there(&w);
		}
	}
	assert_true(refused > 10);
}

static void a_full_arena_is_told(void **state)
{
	const char *body = "{\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"ports\":[{"
			   "\"containerPort\":80}]}]}}";
	const char *other = "{\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"j\"}]}}";
	CLEANUP(world_fini) struct world w;
	struct arena *a = *state;
	struct doc *x, *y, *z;
	unsigned n = 1, told = 0;

	world_init(&w, a, "v1", "Pod");
	assert_int_equal(applied(&w, "a", body, false), 0);
	x = body_of(&w, body);
	y = body_of(&w, other);
	z = doc_copy(a, &w.live);
	for (bool over = false; !over && n < 5000; n++) {
		CLEANUP(arena_free) struct arena *small = arena_new("small", 1 << 20);
		struct err err = ERR_INIT;
		struct apply_result out = { 0 };
		struct doc d = *y;
		int r;

		w.c.a = small;
		w.c.manager = n % 2 ? "a" : "b";
		arena_fail_at(small, n);
		r = apply_run(&w.c, z, n % 4 < 2 ? x : y, false, &out, &err);
		if (r == 0 || r == -ERR_CONFLICT)
			r = apply_track(&w.c, z, &d, &err);
		assert_true(r == 0 || r == -ERR_QUOTA);
		told += r != 0;
		over = n > 20 && !arena_exceeded(small);
	}
	w.c.a = a;
	assert_true(told > 20 && n < 5000);
}

static void large_objects_are_no_trouble(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4u << 20);
	CLEANUP(world_fini) struct world w;

	world_init(&w, *state, "v1", "Pod");
	assert_int_equal(buf_adds(&b, "{\"spec\":{\"containers\":[{\"name\":\"c\",\"env\":["), 0);
	for (int i = 0; i < 10000; i++)
		assert_int_equal(buf_addf(&b, "%s{\"name\":\"E%d\",\"value\":\"%d\"}", i ? "," : "",
					  i * 7919 % 10000, i),
				 0);
	assert_int_equal(buf_adds(&b, "]}]}}"), 0);
	assert_int_equal(applied(&w, "a", buf_str(&b), false), 0);
	assert_int_equal(applied(&w, "a", buf_str(&b), false), 0);
	assert_true(w.same);
	assert_int_equal(applied(&w, "b", buf_str(&b), false), 0);
	updated(&w, "u", "{\"spec\":{\"containers\":[{\"name\":\"c\"}]}}");
	assert_string_equal(owners(&w),
			    "a= .spec.containers[name=\"c\"] .spec.containers[name=\"c\"]."
			    "name; b= .spec.containers[name=\"c\"] "
			    ".spec.containers[name=\"c\"].name");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(stories_end_as_upstreams_do),
		CASE(conflicts_have_causes),
		CASE(times_are_of_changes),
		CASE(a_subresource_is_another_manager),
		CASE(many_updates_are_folded),
		CASE(entries_of_other_versions_count),
		CASE(kubectl_moves_to_the_servers_side),
		CASE(what_was_applied_is_extracted),
		CASE(unchanged_but_for_times_is_the_same),
		CASE(random_writes_do_as_the_model),
		CASE(random_writes_of_pods_hold_what_must_hold),
		CASE(a_full_arena_is_told),
		CASE(large_objects_are_no_trouble),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
