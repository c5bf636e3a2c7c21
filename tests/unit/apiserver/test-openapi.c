/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenAPI as it is served, beside upstream's document of version 2 ($TEU_SHARED/data/kubernetes;
 * without it that case skips), and version 3 beside our own version 2.
 *
 * What differs from upstream, and why:
 * - descriptions: our own words, so hashes in the names of shared parameters differ too;
 * - media types of CBOR: not served;
 * - /logs: not served;
 * - groups and versions that are off by default are not there, nor is what only they refer to.
 */
#include "../api/upstream-data.h"

#include "api/custom.h"
#include "apiserver/rest/openapi-paths.h"
#include "apiserver/rest/openapi-protobuf.h"
#include "base/hash.h"
#include "doc/protobuf-wire.h"
#include "doc/yaml.h"

#define VERSION "v1.36.0"

struct server {
	struct api api;
	struct openapi *o;
};

static struct server serve(struct arena *a)
{
	struct server s;
	struct err err = ERR_INIT;

	assert_int_equal(api_load(a, &s.api, &err), 0);
	s.o = NULL;
	return s;
}

static void server_fini(struct server *s)
{
	openapi_free(s->o);
	api_fini(&s->api);
}
DEFINE_CLEANUP_EMBEDDED(struct server, server_fini)

/* The text is kept in the arena, which the documents borrow. */
static struct doc *read_back(struct arena *a, const struct buf *b)
{
	char *text = arena_strndup(a, b->p, b->n);

	assert_non_null(text);
	return must_read(a, text);
}

static struct doc *version_2(struct arena *a, struct server *s)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(OPENAPI_BYTES_MAX);
	struct err err = ERR_INIT;

	s->o = s->o ? s->o : openapi_new(&s->api, VERSION);
	if (openapi_v2(s->o, &b, &err) < 0)
		fail_msg("%s", err.msg);
	return read_back(a, &b);
}

static struct doc *version_3(struct arena *a, struct server *s, const char *name)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(OPENAPI_BYTES_MAX);
	struct err err = ERR_INIT;

	s->o = s->o ? s->o : openapi_new(&s->api, VERSION);
	if (openapi_v3(s->o, name, &b, &err) < 0)
		fail_msg("%s: %s", name, err.msg);
	return read_back(a, &b);
}

/* ---- beside upstream's ---- */

static struct doc without_cbor(struct arena *a, const struct doc *list)
{
	struct doc out = doc_array();

	DOC_EACH (it, list)
		if (!slice_has_text(doc_slice(it), SLICE("cbor")))
			doc_append(a, &out, *it);
	return out;
}

/* Parameters in full and without words. */
static struct doc plain_params(struct arena *a, const struct doc *list, const struct doc *shared)
{
	static const char prefix[] = "#/parameters/";
	struct doc out = doc_array();

	DOC_EACH (it, list) {
		struct slice ref = doc_slice(doc_get(it, "$ref"));
		const struct doc *p = it;

		if (ref.n)
			p = doc_getn(shared, slice_of(ref.p + sizeof(prefix) - 1,
						      ref.n - sizeof(prefix) + 1));
		assert_non_null(p);
		p = doc_append(a, &out, *doc_copy_shared(a, p));
		doc_remove((struct doc *)(uintptr_t)p, "description");
	}
	return out;
}

static struct doc plain_operation(struct arena *a, const struct doc *op, const struct doc *shared)
{
	struct doc out = *doc_copy_shared(a, op);

	assert_true(doc_slice(doc_get(op, "description")).n > 0 || !doc_get(op, "produces"));
	doc_remove(&out, "description");
	if (doc_get(op, "consumes"))
		doc_set(a, &out, "consumes", without_cbor(a, doc_get(op, "consumes")));
	if (doc_get(op, "produces"))
		doc_set(a, &out, "produces", without_cbor(a, doc_get(op, "produces")));
	doc_set(a, &out, "parameters", plain_params(a, doc_get(op, "parameters"), shared));
	return out;
}

static int same(struct arena *a, const char *path, const char *what, const struct doc *ours,
		const struct doc *theirs)
{
	if (doc_equal(ours, theirs))
		return 0;
	print_error("%s %s\n ours   %s\n theirs %s\n", path, what, written(a, ours, NULL),
		    written(a, theirs, NULL));
	return 1;
}

static int compare_path(struct arena *a, const char *path, const struct doc *ours,
			const struct doc *shared, const struct doc *theirs,
			const struct doc *their_shared)
{
	int bad = 0;

	if (doc_len(ours) - !!doc_get(ours, "parameters") !=
	    doc_len(theirs) - !!doc_get(theirs, "parameters")) {
		print_error("%s: other methods\n", path);
		return 1;
	}
	DOC_EACH_MEMBER (key, value, ours) {
		const struct doc *theirs_of = doc_getn(theirs, doc_slice(key));
		struct doc x, y;

		if (doc_str_is(key, "parameters")) {
			x = plain_params(a, value, shared);
			y = plain_params(a, theirs_of, their_shared);
		} else {
			assert_non_null(theirs_of);
			x = plain_operation(a, value, shared);
			y = plain_operation(a, theirs_of, their_shared);
		}
		bad += same(a, path, doc_cstr(a, key), &x, &y);
	}
	return bad;
}

/* Is it of a group and version that is served, and not of one beside them? */
static bool is_served(const struct doc *ours, const char *path)
{
	size_t cut = 0, slashes = strncmp(path, "/apis/", 6) == 0 ? 4 : 3;
	char head[256];

	while (path[cut] && slashes)
		slashes -= path[cut++] == '/';
	if (slashes || strncmp(path, "/api", 4) != 0)
		return false;
	(void)snprintf(head, sizeof(head), "%.*s", (int)cut, path);
	return doc_get(ours, head);
}

static void version_2_has_upstreams_paths(void **state)
{
	struct arena *a = *state;
	struct doc *theirs = data(a, "swagger-1.36.json.gz"), *ours;
	CLEANUP(server_fini) struct server s = serve(a);
	int bad = 0, n = 0;

	if (!theirs)
		skip();
	ours = version_2(a, &s);
	DOC_EACH_MEMBER (key, value, doc_get(ours, "paths")) {
		const char *path = doc_cstr(a, key);
		const struct doc *it = doc_getn(doc_get(theirs, "paths"), doc_slice(key));

		n++;
		if (it)
			bad += compare_path(a, path, value, doc_get(ours, "parameters"), it,
					    doc_get(theirs, "parameters"));
		else
			bad += (print_error("%s: not upstream's\n", path), 1);
	}
	DOC_EACH_MEMBER (key, value, doc_get(theirs, "paths")) {
		const char *path = doc_cstr(a, key);

		if (value && !doc_get(doc_get(ours, "paths"), path) &&
		    is_served(doc_get(ours, "paths"), path))
			bad += (print_error("%s: not there\n", path), 1);
	}
	assert_true(n > 400);
	assert_int_equal(bad, 0);
	assert_true(doc_equal(doc_get(ours, "swagger"), doc_get(theirs, "swagger")));
	assert_true(doc_equal(doc_get(ours, "security"), doc_get(theirs, "security")));
	assert_string_equal(doc_cstr(a, doc_find(ours, "info.title")), "Kubernetes");
	assert_string_equal(doc_cstr(a, doc_find(ours, "info.version")), VERSION);
}

/* ---- in itself ---- */

/* Every reference leads to a member of `to`. */
static int dangling(const struct doc *d, const struct doc *to, const char *prefix)
{
	int bad = 0;

	DOC_EACH (it, d)
		bad += dangling(it, to, prefix);
	DOC_EACH_MEMBER (key, value, d) {
		struct slice s = doc_slice(value), p = slice_str(prefix);

		bad += dangling(value, to, prefix);
		if (!doc_str_is(key, "$ref") || !slice_starts(s, p))
			continue;
		if (doc_getn(to, slice_of(s.p + p.n, s.n - p.n)))
			continue;
		print_error("%.*s leads nowhere\n", (int)s.n, s.p);
		bad++;
	}
	return bad;
}

static void version_2_leads_nowhere_else(void **state)
{
	CLEANUP(server_fini) struct server s = serve(*state);
	struct doc *d = version_2(*state, &s);

	assert_int_equal(dangling(d, doc_get(d, "definitions"), "#/definitions/"), 0);
	assert_int_equal(dangling(d, doc_get(d, "parameters"), "#/parameters/"), 0);
}

/* The operation's name, wherever the path is; NULL: nowhere. */
static const struct doc *id_of(const struct doc *document, const struct doc *path,
			       const struct doc *method)
{
	const struct doc *item = doc_getn(doc_get(document, "paths"), doc_slice(path));

	return doc_get(doc_getn(item, doc_slice(method)), "operationId");
}

static int compare_versions(const struct doc *two, const struct doc *three)
{
	int bad = 0;

	DOC_EACH_MEMBER (path, item, doc_get(three, "paths")) {
		DOC_EACH_MEMBER (method, op, item) {
			if (doc_str_is(method, "parameters"))
				continue;
			bad += !doc_equal(doc_get(op, "operationId"), id_of(two, path, method));
			bad += doc_get(op, "consumes") || doc_get(op, "produces");
			bad += !doc_find(op, "responses.200") || !doc_find(op, "responses.401");
		}
	}
	return bad;
}

static void version_3_has_the_same_operations_group_by_group(void **state)
{
	struct arena *a = *state;
	CLEANUP(server_fini) struct server s = serve(a);
	CLEANUP(buf_fini) struct buf b = BUF_INIT(OPENAPI_BYTES_MAX);
	struct doc *two = version_2(a, &s), *index;
	struct err err = ERR_INIT;
	size_t paths = 0;
	int bad = 0;

	assert_int_equal(openapi_v3_index(s.o, NULL, 0, &b, &err), 0);
	index = read_back(a, &b);
	DOC_EACH_MEMBER (key, entry, doc_get(index, "paths")) {
		const char *name = doc_cstr(a, key);
		struct doc *three = version_3(a, &s, name);
		const struct doc *schemas = doc_find(three, "components.schemas");

		assert_true(doc_str_is(doc_get(three, "openapi"), "3.0.0"));
		assert_true(doc_str_is(doc_find(three, "info.version"), VERSION));
		assert_non_null(doc_get(entry, "serverRelativeURL"));
		paths += doc_len(doc_get(three, "paths"));
		bad += dangling(three, schemas, "#/components/schemas/");
		bad += compare_versions(two, three);
	}
	assert_int_equal(bad, 0);
	assert_int_equal(paths, doc_len(doc_get(two, "paths")));
}

static void the_index_has_the_hash_of_each_document(void **state)
{
	static const char *const names[] = { ".well-known/openid-configuration",
					     "api",
					     "api/v1",
					     "apis",
					     "apis/apps",
					     "apis/apps/v1",
					     "openid/v1/jwks",
					     "version",
					     "apis/rbac.authorization.k8s.io/v1" };
	struct arena *a = *state;
	CLEANUP(server_fini) struct server s = serve(a);
	struct err err = ERR_INIT;
	struct doc *index;

	s.o = openapi_new(&s.api, VERSION);
	for (int round = 0; round < 2; round++) { /* made, and remembered */
		CLEANUP(buf_fini) struct buf all = BUF_INIT(OPENAPI_BYTES_MAX);

		assert_int_equal(openapi_v3_index(s.o, NULL, 0, &all, &err), 0);
		index = read_back(a, &all);
		for (size_t i = 0; i < ARRAY_LEN(names); i++) {
			CLEANUP(buf_fini) struct buf b = BUF_INIT(OPENAPI_BYTES_MAX);
			char hash[OPENAPI_HASH_LEN], again[OPENAPI_HASH_LEN], url[512];
			const struct doc *it = doc_get(doc_get(index, "paths"), names[i]);

			assert_int_equal(openapi_v3(s.o, names[i], &b, &err), 0);
			openapi_hash(b.p, b.n, hash);
			assert_int_equal(strspn(hash, "0123456789ABCDEF"), 128);
			assert_int_equal(openapi_v3_hash(s.o, names[i], again, &err), 0);
			assert_string_equal(again, hash);
			(void)snprintf(url, sizeof(url), "/openapi/v3/%s?hash=%s", names[i], hash);
			assert_true(doc_str_is(doc_get(it, "serverRelativeURL"), url));
		}
	}
}

static void a_hash_is_sha_512_in_capitals(void **state)
{
	char hash[OPENAPI_HASH_LEN];

	(void)state;
	openapi_hash("abc", 3, hash); /* FIPS 180-4, appendix C.1 */
	assert_string_equal(hash,
			    "DDAF35A193617ABACC417349AE20413112E6FA4E89A97EA20A9EEEE64B55D39A"
			    "2192992A274FC1A836BA3C23A3FEEBBD454D4423643CE80E2A9AC94FA54CA49F");
}

static void what_is_not_there_is_not_found(void **state)
{
	static const char *const names[] = {
		"", "apis/apps/v2", "apis/none", "logs", "api/", "v1"
	};
	CLEANUP(server_fini) struct server s = serve(*state);
	char hash[OPENAPI_HASH_LEN];

	s.o = openapi_new(&s.api, VERSION);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		CLEANUP(buf_fini) struct buf b = BUF_INIT(OPENAPI_BYTES_MAX);
		struct err err = ERR_INIT;

		assert_int_equal(openapi_v3(s.o, names[i], &b, &err), -ERR_NOT_FOUND);
		assert_non_null(strstr(err.msg, "could not find the requested resource"));
		assert_int_equal(openapi_v3_hash(s.o, names[i], hash, &err), -ERR_NOT_FOUND);
	}
}

static void a_full_buffer_is_told_at_every_place(void **state)
{
	static const size_t sizes[] = { 0, 100, 10000, 300000 };
	CLEANUP(server_fini) struct server s = serve(*state);

	s.o = openapi_new(&s.api, VERSION);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		CLEANUP(buf_fini) struct buf b = BUF_INIT(sizes[i]);
		struct err err = ERR_INIT;

		assert_int_equal(openapi_v2(s.o, &b, &err), -ERR_QUOTA);
		assert_true(err.msg[0]);
		buf_clear(&b);
		if (sizes[i] <= 100)
			assert_int_equal(openapi_v3_index(s.o, NULL, 0, &b, &err), -ERR_QUOTA);
		buf_clear(&b);
		if (sizes[i] <= 10000)
			assert_int_equal(openapi_v3(s.o, "api/v1", &b, &err), -ERR_QUOTA);
	}
}

/* ---- the schemas of version 3 ---- */

static void version_3_has_defaults_and_enums_where_upstream_has_them(void **state)
{
	static const struct {
		const char *type, *property, *text; /* NULL text: none */
	} rows[] = {
		/* a struct stands in allOf beside its empty default; a pointer has none */
		{ "apps.v1.Deployment", "spec.default", "{}" },
		{ "apps.v1.DeploymentSpec", "template.default", "{}" },
		{ "apps.v1.DeploymentSpec", "selector.default", NULL },
		{ "apps.v1.DeploymentSpec", "selector.$ref", NULL },
		{ "apps.v1.DeploymentSpec", "replicas.default", NULL },
		/* what Go writes always has its zero value, what it may leave out has none */
		{ "core.v1.Container", "name.default", "\"\"" },
		{ "core.v1.Container", "image.default", NULL },
		{ "core.v1.ContainerPort", "containerPort.default", "0" },
		{ "core.v1.ContainerPort", "hostPort.default", NULL },
		/* elements cannot be left out */
		{ "core.v1.Container", "command.items.default", "\"\"" },
		{ "core.v1.Container", "ports.items.default", "{}" },
		{ "core.v1.PodSecurityContext", "supplementalGroups.items.default", "0" },
		/* declared ones; functions' are not published */
		{ "core.v1.ContainerPort", "protocol.default", "\"TCP\"" },
		{ "core.v1.LocalObjectReference", "name.default", "\"\"" },
		{ "core.v1.AzureDiskVolumeSource", "readOnly.default", "false" },
		{ "core.v1.RBDVolumeSource", "keyring.default", "\"/etc/ceph/keyring\"" },
		{ "core.v1.PodSpec", "restartPolicy.default", NULL },
		{ "core.v1.PodSpec", "dnsPolicy.default", NULL },
		/* types that write themselves stand alone */
		{ "core.v1.ResourceRequirements", "limits.additionalProperties",
		  "{\"$ref\":\"#/components/schemas/io.k8s.apimachinery.pkg.api.resource."
		  "Quantity\"}" },
		{ "core.v1.ContainerPort", "protocol.enum", "[\"SCTP\",\"TCP\",\"UDP\"]" },
	};
	struct arena *a = *state;
	CLEANUP(server_fini) struct server s = serve(a);
	const struct doc *schemas =
		doc_find(version_3(a, &s, "apis/apps/v1"), "components.schemas");

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *name = arena_printf(a, "io.k8s.api.%s", rows[i].type);
		const struct doc *props = doc_get(doc_get(schemas, name), "properties");
		const struct doc *it = doc_find(props, rows[i].property);

		assert_non_null(props);
		if (!it != !rows[i].text)
			fail_msg("%s %s", rows[i].type, rows[i].property);
		if (it)
			assert_string_equal(written(a, it, NULL), rows[i].text);
	}
}

static void version_3_has_scalars_of_two_types(void **state)
{
	struct arena *a = *state;
	CLEANUP(server_fini) struct server s = serve(a);
	const struct doc *schemas = doc_find(version_3(a, &s, "api/v1"), "components.schemas");
	const struct doc *q = doc_get(schemas, "io.k8s.apimachinery.pkg.api.resource.Quantity");
	const struct doc *i = doc_get(schemas, "io.k8s.apimachinery.pkg.util.intstr.IntOrString");
	const struct doc *t = doc_get(schemas, "io.k8s.apimachinery.pkg.apis.meta.v1.Time");

	assert_doc(a, doc_get(q, "oneOf"), "[{\"type\":\"string\"},{\"type\":\"number\"}]");
	assert_null(doc_get(q, "type"));
	assert_doc(a, doc_get(i, "oneOf"), "[{\"type\":\"integer\"},{\"type\":\"string\"}]");
	assert_true(doc_str_is(doc_get(i, "format"), "int-or-string"));
	assert_true(doc_str_is(doc_get(t, "type"), "string"));
	assert_true(doc_str_is(doc_get(t, "format"), "date-time"));
}

static void version_3_has_bodies_and_media_in_requests_and_answers(void **state)
{
	struct arena *a = *state;
	CLEANUP(server_fini) struct server s = serve(a);
	const struct doc *paths = doc_get(version_3(a, &s, "api/v1"), "paths");
	const struct doc *pod = doc_get(paths, "/api/v1/namespaces/{namespace}/pods/{name}");
	const struct doc *log = doc_get(paths, "/api/v1/namespaces/{namespace}/pods/{name}/log");
	const struct doc *exec = doc_get(paths, "/api/v1/namespaces/{namespace}/pods/{name}/exec");

	assert_doc(a, doc_find(pod, "put.requestBody"),
		   "{\"content\":{\"*/*\":{\"schema\":{\"$ref\":\"#/components/schemas/"
		   "io.k8s.api.core.v1.Pod\"}}},\"required\":true}");
	assert_null(doc_find(pod, "delete.requestBody.required"));
	assert_non_null(doc_get(doc_find(pod, "patch.requestBody.content"),
				"application/apply-patch+yaml"));
	assert_null(doc_find(pod, "get.requestBody"));
	assert_non_null(doc_get(doc_find(log, "get.responses.200.content"), "text/plain"));
	assert_doc(a, doc_find(exec, "get.responses.200.content"),
		   "{\"*/*\":{\"schema\":{\"type\":\"string\"}}}");
	assert_true(doc_str_is(doc_find(exec, "post.x-kubernetes-action"), "connect"));
	DOC_EACH (it, doc_get(pod, "parameters"))
		assert_true(doc_str_is(doc_find(it, "schema.type"), "string"));
}

/* ---- protobuf ---- */

/* The i-th field of this number; nothing when there are fewer. */
static struct slice field(struct slice message, unsigned number, size_t i)
{
	struct pb_reader r = pb_reader(message);
	struct pb_field f;

	while (pb_next(&r, &f) > 0)
		if (f.number == number && i-- == 0)
			return f.bytes;
	assert_null(r.why);
	return (struct slice){ NULL, 0 };
}

static size_t fields(struct slice message, unsigned number)
{
	struct pb_reader r = pb_reader(message);
	struct pb_field f;
	size_t n = 0;

	while (pb_next(&r, &f) > 0)
		n += f.number == number;
	assert_null(r.why);
	return n;
}

static int compare_proto_path(const struct doc *item, struct slice message)
{
	static const char *const methods[] = { "get",	  "put",  "post", "delete",
					       "options", "head", "patch" };
	int bad = 0;

	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		const struct doc *op = doc_get(item, methods[i]);
		struct slice m = field(message, (unsigned)i + 2, 0);

		bad += !op != !m.p;
		bad += !slice_eq(field(m, 5, 0), doc_slice(doc_get(op, "operationId")));
		bad += fields(m, 8) != doc_len(doc_get(op, "parameters"));
		bad += fields(field(m, 9, 0), 1) != doc_len(doc_get(op, "responses"));
		bad += fields(m, 7) != doc_len(doc_get(op, "consumes"));
		bad += fields(m, 13) != (doc_get(op, "x-kubernetes-action") ? 2 : 0);
	}
	return bad + (fields(message, 9) != doc_len(doc_get(item, "parameters")));
}

static int compare_proto_schema(const struct doc *schema, struct slice message)
{
	const struct doc *props = doc_get(schema, "properties");
	struct slice list = field(message, 25, 0);
	int bad = !slice_eq(field(message, 4, 0), doc_slice(doc_get(schema, "description")));

	bad += !slice_eq(field(field(message, 22, 0), 1, 0), doc_slice(doc_get(schema, "type")));
	bad += !slice_eq(field(message, 1, 0), doc_slice(doc_get(schema, "$ref")));
	bad += fields(message, 19) != doc_len(doc_get(schema, "required"));
	bad += fields(list, 1) != doc_len(props);
	for (size_t i = 0; i < doc_len(props); i++) {
		struct slice entry = field(list, 1, i);

		bad += !slice_eq(field(entry, 1, 0), doc_slice(doc_key_at(props, i)));
		bad += compare_proto_schema(doc_value_at(props, i), field(entry, 2, 0));
	}
	return bad;
}

static void the_protobuf_form_says_the_same(void **state)
{
	struct arena *a = *state;
	CLEANUP(server_fini) struct server s = serve(a);
	CLEANUP(buf_fini) struct buf b = BUF_INIT(OPENAPI_BYTES_MAX);
	const struct doc *two = version_2(a, &s), *paths = doc_get(two, "paths"),
			 *defs = doc_get(two, "definitions");
	size_t npaths = 0, ndefs = 0, nparams = 0;
	struct err err = ERR_INIT;
	struct pb_reader r;
	struct pb_field f;
	int bad = 0;

	assert_int_equal(openapi_v2_protobuf(s.o, &b, &err), 0);
	r = pb_reader(buf_slice(&b));
	while (pb_next(&r, &f) > 0) {
		bool named = f.number >= 8 && f.number != 12;
		struct slice m = named ? f.bytes : (struct slice){ NULL, 0 };
		struct slice entry = field(m, f.number == 8 ? 2 : 1, 0);
		struct slice name = field(entry, 1, 0), value = field(entry, 2, 0);

		if (f.number == 8 && ++npaths)
			bad += compare_proto_path(doc_getn(paths, name), value);
		if (f.number == 9 && ++ndefs)
			bad += compare_proto_schema(doc_getn(defs, name), value);
		if (f.number == 10 && ++nparams)
			bad += !doc_getn(doc_get(two, "parameters"), name);
		if (f.number == 13)
			bad += !slice_is(field(field(value, 2, 0), 1, 0), "apiKey");
	}
	assert_null(r.why);
	assert_int_equal(bad, 0);
	assert_int_equal(npaths, doc_len(paths));
	assert_int_equal(ndefs, doc_len(defs));
	assert_int_equal(nparams, doc_len(doc_get(two, "parameters")));
	assert_true(slice_is(field(buf_slice(&b), 1, 0), "2.0"));
	assert_true(slice_is(field(field(buf_slice(&b), 2, 0), 2, 0), VERSION));
	assert_true(slice_is(field(field(field(buf_slice(&b), 12, 0), 1, 0), 1, 0), "BearerToken"));
}

/* One schema under the name "a"; the message of the schema. */
static struct slice proto_schema(struct arena *a, const char *json, struct buf *b)
{
	struct err err = ERR_INIT;

	buf_clear(b);
	assert_int_equal(
		openapi_proto_member(OPENAPI_DEFINITIONS, "a", must_read(a, json), b, &err), 0);
	return field(field(field(buf_slice(b), 9, 0), 1, 0), 2, 0);
}

static const char *hex(struct arena *a, struct slice s)
{
	char *out = arena_alloc(a, 2 * s.n + 1);

	assert_non_null(out);
	hex_encode(out, s.p, s.n);
	return out;
}

static void every_word_of_a_schema_has_its_form(void **state)
{
	static const struct {
		const char *json, *hex; /* as protoc writes it */
	} rows[] = {
		{ "{\"type\":\"string\",\"format\":\"byte\"}",
		  "120462797465b201080a06737472696e67" },
		{ "{\"type\":[\"a\",\"b\"]}", "b201060a01610a0162" },
		{ "{\"required\":[\"x\",\"y\"]}", "9a0101789a010179" },
		{ "{\"enum\":[\"x\",1]}", "a2010612042278220aa20104120231 0a" },
		{ "{\"default\":{}}", "2a0512037b7d0a" },
		{ "{\"additionalProperties\":true}", "aa01021001" },
		{ "{\"additionalProperties\":false}", "aa01021000" },
		{ "{\"uniqueItems\":false,\"title\":\"\",\"minimum\":0}", "" },
		{ "{\"additionalProperties\":{\"$ref\":\"r\"}}", "aa01050a030a0172" },
		{ "{\"items\":{\"$ref\":\"r\"}}", "ba01050a030a0172" },
		{ "{\"maximum\":1.5}", "39000000000000f83f" },
		{ "{\"maxLength\":300,\"minLength\":0}", "58ac02" },
		{ "{\"uniqueItems\":true,\"pattern\":\"p\"}", "6a0170800101" },
		{ "{\"properties\":{\"p\":{\"$ref\":\"r\"}}}", "ca010a0a080a01701203 0a0172" },
		{ "{\"x-a\":[1],\"unknown\":2}", "fa010d0a03782d611206 12045b315d0a" },
	};
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 20);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *is = hex(*state, proto_schema(*state, rows[i].json, &b));
		char want[128];
		size_t n = 0;

		for (const char *p = rows[i].hex; *p; p++)
			if (*p != ' ')
				want[n++] = *p;
		want[n] = '\0';
		if (strcmp(is, want) != 0)
			print_error("%s\n", rows[i].json);
		assert_string_equal(is, want);
	}
}

static void a_full_buffer_of_protobuf_is_told(void **state)
{
	static const size_t sizes[] = { 0, 50, 5000, 300000 };
	CLEANUP(server_fini) struct server s = serve(*state);

	s.o = openapi_new(&s.api, VERSION);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		CLEANUP(buf_fini) struct buf b = BUF_INIT(sizes[i]);
		struct err err = ERR_INIT;

		assert_int_equal(openapi_v2_protobuf(s.o, &b, &err), -ERR_QUOTA);
		assert_non_null(strstr(err.msg, "too large"));
	}
}

/* ---- custom kinds ---- */

static const char foos[] =
	"apiVersion: apiextensions.k8s.io/v1\n"
	"kind: CustomResourceDefinition\n"
	"metadata: {name: foos.x.example.com}\n"
	"spec:\n"
	"  group: x.example.com\n"
	"  scope: Namespaced\n"
	"  names: {plural: foos, singular: foo, kind: Foo, listKind: FooList}\n"
	"  versions:\n"
	"  - name: v1\n"
	"    served: true\n"
	"    storage: true\n"
	"    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, "
	"properties: "
	"{replicas: {type: integer}}}, status: {type: object, properties: {replicas: {type: "
	"integer}}}}}}\n"
	"    subresources: {status: {}, scale: {specReplicasPath: .spec.replicas, "
	"statusReplicasPath: .status.replicas}}\n";

static const char bars[] =
	"apiVersion: apiextensions.k8s.io/v1\n"
	"kind: CustomResourceDefinition\n"
	"metadata: {name: bars.y.example.com}\n"
	"spec:\n"
	"  group: y.example.com\n"
	"  scope: Cluster\n"
	"  names: {plural: bars, singular: bar, kind: Bar, listKind: BarList}\n"
	"  versions:\n"
	"  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}\n"
	"  - {name: v1beta1, served: true, storage: false, schema: {openAPIV3Schema: {type: "
	"object}}}\n";

static struct custom *compiled(struct arena *a, struct server *s, const char *text)
{
	struct custom *c = NULL;
	struct doc *d = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(yaml_read(a, slice_str(text), NULL, &d, &err), 0);
	if (custom_compile(&s->api, d, &c, &err) < 0)
		fail_msg("%s", err.msg);
	s->o = openapi_new(&s->api, VERSION);
	return c;
}

static void custom_kinds_have_paths_and_schemas(void **state)
{
	static const struct {
		const char *path, *method, *id, *action;
	} rows[] = {
		{ "/apis/x.example.com/", "get", "getXExampleComAPIGroup", NULL },
		{ "/apis/x.example.com/v1/", "get", "getXExampleComV1APIResources", NULL },
		{ "/apis/x.example.com/v1/foos", "get", "listXExampleComV1FooForAllNamespaces",
		  "list" },
		{ "/apis/x.example.com/v1/namespaces/{namespace}/foos", "get",
		  "listXExampleComV1NamespacedFoo", "list" },
		{ "/apis/x.example.com/v1/namespaces/{namespace}/foos", "post",
		  "createXExampleComV1NamespacedFoo", "post" },
		{ "/apis/x.example.com/v1/namespaces/{namespace}/foos", "delete",
		  "deleteXExampleComV1CollectionNamespacedFoo", "deletecollection" },
		{ "/apis/x.example.com/v1/namespaces/{namespace}/foos/{name}", "patch",
		  "patchXExampleComV1NamespacedFoo", "patch" },
		{ "/apis/x.example.com/v1/namespaces/{namespace}/foos/{name}/status", "put",
		  "replaceXExampleComV1NamespacedFooStatus", "put" },
		{ "/apis/x.example.com/v1/namespaces/{namespace}/foos/{name}/scale", "get",
		  "readXExampleComV1NamespacedFooScale", "get" },
	};
	struct arena *a = *state;
	CLEANUP(server_fini) struct server s = serve(a);
	CLEANUP(custom_unref) struct custom *c = compiled(a, &s, foos);
	const struct api_kind *k = custom_stored(c);
	struct doc *two, *three, *group;
	const struct doc *item;

	openapi_set_custom(s.o, &k->group, 1);
	two = version_2(a, &s);
	three = version_3(a, &s, "apis/x.example.com/v1");
	group = version_3(a, &s, "apis/x.example.com");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct doc *op =
			doc_get(doc_get(doc_get(two, "paths"), rows[i].path), rows[i].method);
		const struct doc *from = i == 0 ? group : three;

		assert_true(doc_str_is(doc_get(op, "operationId"), rows[i].id));
		assert_doc(a, doc_get(op, "tags"),
			   i ? "[\"xExampleCom_v1\"]" : "[\"xExampleCom\"]");
		assert_true(!rows[i].action ||
			    doc_str_is(doc_get(op, "x-kubernetes-action"), rows[i].action));
		op = doc_get(doc_get(doc_get(from, "paths"), rows[i].path), rows[i].method);
		assert_true(doc_str_is(doc_get(op, "operationId"), rows[i].id));
	}
	item = doc_get(doc_get(two, "paths"), rows[6].path);
	assert_doc(a, doc_find(item, "patch.consumes"),
		   "[\"application/json-patch+json\",\"application/merge-patch+json\","
		   "\"application/apply-patch+yaml\"]");
	assert_doc(a, doc_find(item, "get.produces"),
		   "[\"application/json\",\"application/yaml\"]");
	assert_doc(a, doc_find(item, "patch.x-kubernetes-group-version-kind"),
		   "{\"group\":\"x.example.com\",\"kind\":\"Foo\",\"version\":\"v1\"}");
	item = doc_get(doc_get(two, "paths"), rows[8].path);
	assert_true(doc_str_is(doc_find(item, "get.responses.200.schema.$ref"),
			       "#/definitions/io.k8s.api.autoscaling.v1.Scale"));
	assert_true(doc_str_is(doc_find(item, "get.x-kubernetes-group-version-kind.kind"), "Foo"));
	assert_non_null(doc_get(doc_get(two, "definitions"), "com.example.x.v1.Foo"));
	assert_non_null(doc_get(doc_get(two, "definitions"), "com.example.x.v1.FooList"));
	assert_int_equal(dangling(two, doc_get(two, "definitions"), "#/definitions/"), 0);
	assert_int_equal(
		dangling(three, doc_find(three, "components.schemas"), "#/components/schemas/"), 0);
	assert_non_null(doc_get(doc_find(three, "components.schemas"), "com.example.x.v1.Foo"));
}

static void custom_kinds_come_and_go(void **state)
{
	static const char name[] = "apis/x.example.com/v1";
	struct arena *a = *state;
	CLEANUP(server_fini) struct server s = serve(a);
	CLEANUP(custom_unref) struct custom *c = compiled(a, &s, foos);
	const struct api_kind *k = custom_stored(c);
	CLEANUP(buf_fini) struct buf b = BUF_INIT(OPENAPI_BYTES_MAX);
	char hash[OPENAPI_HASH_LEN];
	struct err err = ERR_INIT;
	struct doc *index;

	openapi_set_custom(s.o, &k->group, 1);
	assert_int_equal(openapi_v3_index(s.o, NULL, 0, &b, &err), 0);
	index = doc_get(read_back(a, &b), "paths");
	assert_non_null(doc_get(index, name));
	assert_non_null(doc_get(index, "apis/x.example.com"));
	assert_int_equal(openapi_v3_hash(s.o, name, hash, &err), 0);
	assert_true(slice_has_text(doc_slice(doc_get(doc_get(index, name), "serverRelativeURL")),
				   slice_str(hash)));
	openapi_set_custom(s.o, NULL, 0);
	buf_clear(&b);
	assert_int_equal(openapi_v3_index(s.o, NULL, 0, &b, &err), 0);
	assert_null(doc_get(doc_get(read_back(a, &b), "paths"), name));
	assert_int_equal(openapi_v3_hash(s.o, name, hash, &err), -ERR_NOT_FOUND);
}

static size_t times(const struct doc *object, const char *key)
{
	size_t n = 0;

	DOC_EACH_MEMBER (k, value, object)
		n += value && doc_str_is(k, key);
	return n;
}

static void versions_share_their_group(void **state)
{
	struct arena *a = *state;
	CLEANUP(server_fini) struct server s = serve(a);
	CLEANUP(custom_unref) struct custom *c = compiled(a, &s, bars);
	CLEANUP(buf_fini) struct buf b = BUF_INIT(OPENAPI_BYTES_MAX);
	const struct api_group *groups[2];
	const struct api_kind *const *kinds;
	struct err err = ERR_INIT;
	const struct doc *paths;
	size_t n;

	kinds = custom_kinds(c, &n);
	assert_int_equal(n, 2);
	groups[0] = kinds[0]->group;
	groups[1] = kinds[1]->group;
	openapi_set_custom(s.o, groups, 2);
	paths = doc_get(version_2(a, &s), "paths");
	assert_int_equal(times(paths, "/apis/y.example.com/"), 1);
	assert_int_equal(times(paths, "/apis/y.example.com/v1/"), 1);
	assert_int_equal(times(paths, "/apis/y.example.com/v1beta1/bars/{name}"), 1);
	assert_true(doc_str_is(
		doc_find(doc_get(paths, "/apis/y.example.com/v1/bars"), "get.operationId"),
		"listYExampleComV1Bar"));
	assert_null(doc_get(paths, "/apis/y.example.com/v1/namespaces/{namespace}/bars"));
	assert_int_equal(openapi_v3_index(s.o, NULL, 0, &b, &err), 0);
	paths = doc_get(read_back(a, &b), "paths");
	assert_int_equal(times(paths, "apis/y.example.com"), 1);
	assert_int_equal(times(paths, "apis/y.example.com/v1"), 1);
	assert_int_equal(times(paths, "apis/y.example.com/v1beta1"), 1);
}

static void other_servers_add_what_has_no_name_here(void **state)
{
	static const struct openapi_addition added[] = {
		{ "far.io/v1",
		  SLICE("{\"paths\":{\"/apis/far.io/v1/things\":{\"get\":{\"responses\":{}}},"
			"\"/api/v1/"
			"pods\":{}},\"definitions\":{\"io.far.Thing\":{\"type\":\"object\"},"
			"\"io.k8s.api.core.v1.Pod\":{\"type\":\"string\"}}}") },
		{ "far.io/v2", SLICE("{\"definitions\":{\"io.far.Thing\":{}}}") },
		{ "far.io/v3", SLICE("nothing") },
		{ "apps/v1", SLICE("{\"paths\":{\"/apis/apps/v1/things\":{}}}") },
	};
	static const struct openapi_other other = { "apis/apps/v1",
						    "/openapi/v3/apis/apps/v1?hash=FAR" };
	struct arena *a = *state;
	CLEANUP(server_fini) struct server s = serve(a);
	CLEANUP(buf_fini) struct buf b = BUF_INIT(OPENAPI_BYTES_MAX);
	struct err err = ERR_INIT;
	struct doc *d;

	s.o = openapi_new(&s.api, VERSION);
	openapi_set_additions(s.o, added, ARRAY_LEN(added));
	assert_int_equal(openapi_v2(s.o, &b, &err), 0);
	d = read_back(a, &b);
	assert_int_equal(times(doc_get(d, "definitions"), "io.far.Thing"), 1);
	assert_int_equal(times(doc_get(d, "definitions"), "io.k8s.api.core.v1.Pod"), 1);
	assert_true(doc_str_is(
		doc_get(doc_get(doc_get(d, "definitions"), "io.k8s.api.core.v1.Pod"), "type"),
		"object"));
	assert_non_null(doc_get(doc_get(d, "paths"), "/apis/far.io/v1/things"));
	assert_null(doc_get(doc_get(d, "paths"), "/apis/apps/v1/things"));
	buf_clear(&b);
	assert_int_equal(openapi_v2_protobuf(s.o, &b, &err), 0);
	assert_true(slice_has_text(buf_slice(&b), SLICE("io.far.Thing")));
	buf_clear(&b);
	assert_int_equal(openapi_v3_index(s.o, &other, 1, &b, &err), 0);
	d = doc_get(read_back(a, &b), "paths");
	assert_int_equal(times(d, "apis/apps/v1"), 1);
	assert_true(
		doc_str_is(doc_get(doc_get(d, "apis/apps/v1"), "serverRelativeURL"), other.url));
}

static void the_version_has_a_schema_of_its_own(void **state)
{
	struct arena *a = *state;
	CLEANUP(server_fini) struct server s = serve(a);
	const struct doc *d = version_3(a, &s, "version");
	const struct doc *info =
		doc_get(doc_find(d, "components.schemas"), "io.k8s.apimachinery.pkg.version.Info");
	struct err err = ERR_INIT;
	struct doc none;

	assert_int_equal(doc_len(doc_get(d, "paths")), 1);
	assert_int_equal(doc_len(doc_get(info, "properties")), 13);
	assert_int_equal(doc_len(doc_get(info, "required")), 9);
	assert_doc(a, doc_find(info, "properties.major.default"), "\"\"");
	assert_null(doc_find(info, "properties.emulationMajor.default"));
	assert_int_equal(api_openapi_named(&s.api, "io.none", API_OPENAPI_V3, a, &none, &err),
			 -ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "'io.none'"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(version_2_has_upstreams_paths),
		CASE(version_2_leads_nowhere_else),
		CASE(version_3_has_the_same_operations_group_by_group),
		CASE(the_index_has_the_hash_of_each_document),
		CASE(a_hash_is_sha_512_in_capitals),
		CASE(what_is_not_there_is_not_found),
		CASE(a_full_buffer_is_told_at_every_place),
		CASE(version_3_has_defaults_and_enums_where_upstream_has_them),
		CASE(version_3_has_scalars_of_two_types),
		CASE(version_3_has_bodies_and_media_in_requests_and_answers),
		CASE(the_protobuf_form_says_the_same),
		CASE(every_word_of_a_schema_has_its_form),
		CASE(a_full_buffer_of_protobuf_is_told),
		CASE(custom_kinds_have_paths_and_schemas),
		CASE(custom_kinds_come_and_go),
		CASE(versions_share_their_group),
		CASE(other_servers_add_what_has_no_name_here),
		CASE(the_version_has_a_schema_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
