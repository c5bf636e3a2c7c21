/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of fields, and objects under their types as server-side apply sees them. */
#include "../doc/doc-check.h"

#include "api/api.h"
#include "api/fields.h"
#include "api/typed.h"

static struct doc set_of(struct arena *a, const char *text)
{
	struct err err = ERR_INIT;
	struct doc ret;
	int r = fields_read(must_read(a, text), a, &ret, &err);

	if (r < 0)
		print_error("%s: %s\n", text, err.msg);
	assert_int_equal(r, 0);
	return ret;
}

static const char *canonical(struct arena *a, const char *text)
{
	struct doc d = set_of(a, text);

	return written(a, &d, NULL);
}

static void sets_are_read_in_upstreams_order(void **state)
{
	struct arena *a = *state;

	assert_string_equal(canonical(a, "{}"), "{}");
	/* "." first; fields, keys, values, places */
	assert_string_equal(
		canonical(a, "{\"i:1\":{},\"v:1\":{},\"k:{\\\"a\\\":1}\":{},\"f:b\":{\"f:x\":{},"
			     "\".\":{}},\"f:a\":null}"),
		"{\"f:a\":{},\"f:b\":{\".\":{},\"f:x\":{}},\"k:{\\\"a\\\":1}\":{},\"v:1\":{},"
		"\"i:1\":{}}");
	/* a step alone is in the set however it says so */
	assert_string_equal(canonical(a, "{\"f:a\":{\".\":{}},\"f:b\":{\"z:new\":{}}}"),
			    "{\"f:a\":{},\"f:b\":{}}");
	/* values by value: numbers before strings before booleans, 9 before 80 */
	assert_string_equal(
		canonical(a, "{\"v:true\":{},\"v:false\":{},\"v:\\\"a\\\"\":{},\"v:80\":{},\"v:9\":"
			     "{},\"v:-1\":{}}"),
		"{\"v:-1\":{},\"v:9\":{},\"v:80\":{},\"v:\\\"a\\\"\":{},\"v:false\":{},\"v:true\":"
		"{}}");
	/* a longer string after a shorter, whatever follows in the text */
	assert_string_equal(canonical(a,
				      "{\"v:\\\"a b\\\"\":{},\"v:\\\"a!\\\"\":{},\"v:\\\"a\\\"\":"
				      "{},\"v:\\\"\\\"\":{}}"),
			    "{\"v:\\\"\\\"\":{},\"v:\\\"a\\\"\":{},\"v:\\\"a b\\\"\":{},\"v:\\\"a!"
			    "\\\"\":{}}");
	/* keys in any spelling */
	assert_string_equal(canonical(a, "{\"k:{ \\\"b\\\": 2.0, \\\"a\\\":\\\"\\\\u0078\\\" }\":{"
					 "\"f:q\":{}},\"k:{\\\"a\\\":\\\"x\\\",\\\"b\\\":2}\":{}}"),
			    "{\"k:{\\\"a\\\":\\\"x\\\",\\\"b\\\":2}\":{\".\":{},\"f:q\":{}}}");
	assert_string_equal(canonical(a, "{\"i:+7\":{},\"i:-1\":{}}"), "{\"i:-1\":{},\"i:7\":{}}");
}

static void hostile_sets_are_refused(void **state)
{
	static const struct {
		const char *text;
		int code;
	} bad[] = {
		{ "[]", ERR_INVALID },
		{ "\"x\"", ERR_INVALID },
		{ "{\"f:a\":1}", ERR_INVALID },
		{ "{\"a\":{}}", ERR_INVALID },
		{ "{\"\":{}}", ERR_INVALID },
		{ "{\"fx\":{}}", ERR_INVALID },
		{ "{\"i:x\":{}}", ERR_INVALID },
		{ "{\"i:\":{}}", ERR_INVALID },
		{ "{\"v:\":{}}", ERR_INVALID },
		{ "{\"v:1 2\":{}}", ERR_INVALID },
		{ "{\"v:[1]\":{}}", ERR_INVALID },
		{ "{\"k:[]\":{}}", ERR_INVALID },
		{ "{\"k:1\":{}}", ERR_INVALID },
		{ "{\"k:{\":{}}", ERR_INVALID },
		{ "{\"k:{\\\"a\\\":{}}\":{}}", ERR_INVALID },
	};
	struct arena *a = *state;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 20);
	struct doc ret;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(fields_read(must_read(a, bad[i].text), a, &ret, NULL),
				 -bad[i].code);
	for (int i = 0; i < FIELDS_DEPTH_MAX + 2; i++)
		assert_int_equal(buf_adds(&b, "{\"f:a\":"), 0);
	assert_int_equal(buf_adds(&b, "{}"), 0);
	for (int i = 0; i < FIELDS_DEPTH_MAX + 2; i++)
		assert_int_equal(buf_addc(&b, '}'), 0);
	assert_int_equal(fields_read(must_read(a, buf_str(&b)), a, &ret, NULL), -ERR_TOO_LARGE);
}

static void sets_are_joined(void **state)
{
	static const struct {
		enum fields_op op;
		const char *x, *y, *want;
	} rows[] = {
		{ FIELDS_UNION, "{}", "{\"f:a\":{}}", "{\"f:a\":{}}" },
		{ FIELDS_UNION, "{\"f:a\":{}}", "{\"f:a\":{\"f:b\":{}},\"f:c\":{}}",
		  "{\"f:a\":{\".\":{},\"f:b\":{}},\"f:c\":{}}" },
		{ FIELDS_UNION, "{\"f:a\":{\"f:x\":{}}}", "{\"f:a\":{\"f:y\":{}}}",
		  "{\"f:a\":{\"f:x\":{},\"f:y\":{}}}" },
		{ FIELDS_INTERSECTION, "{\"f:a\":{},\"f:b\":{}}", "{\"f:b\":{},\"f:c\":{}}",
		  "{\"f:b\":{}}" },
		{ FIELDS_INTERSECTION, "{\"f:a\":{\".\":{},\"f:x\":{}}}", "{\"f:a\":{\"f:x\":{}}}",
		  "{\"f:a\":{\"f:x\":{}}}" },
		{ FIELDS_INTERSECTION, "{\"f:a\":{}}", "{\"f:a\":{\"f:x\":{}}}", "{}" },
		{ FIELDS_INTERSECTION, "{\"f:a\":{}}", "{}", "{}" },
		/* a parent without its child is the parent, a child without its parent stays */
		{ FIELDS_DIFFERENCE, "{\"f:a\":{}}", "{\"f:a\":{\"f:x\":{}}}", "{\"f:a\":{}}" },
		{ FIELDS_DIFFERENCE, "{\"f:a\":{\".\":{},\"f:x\":{}}}", "{\"f:a\":{}}",
		  "{\"f:a\":{\"f:x\":{}}}" },
		{ FIELDS_DIFFERENCE, "{\"f:a\":{\"f:x\":{}},\"f:b\":{}}", "{\"f:a\":{\"f:x\":{}}}",
		  "{\"f:b\":{}}" },
		{ FIELDS_OUTSIDE, "{\"f:a\":{\".\":{},\"f:x\":{}},\"f:b\":{}}", "{\"f:a\":{}}",
		  "{\"f:b\":{}}" },
		{ FIELDS_OUTSIDE, "{\"f:a\":{\".\":{},\"f:x\":{},\"f:y\":{}}}",
		  "{\"f:a\":{\"f:x\":{}}}", "{\"f:a\":{\".\":{},\"f:y\":{}}}" },
		{ FIELDS_WITHIN, "{\"f:a\":{\".\":{},\"f:x\":{}},\"f:b\":{}}", "{\"f:a\":{}}",
		  "{\"f:a\":{\".\":{},\"f:x\":{}}}" },
		{ FIELDS_WITHIN, "{\"f:a\":{\".\":{},\"f:x\":{},\"f:y\":{}}}",
		  "{\"f:a\":{\"f:x\":{}}}", "{\"f:a\":{\"f:x\":{}}}" },
	};
	struct arena *a = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct doc x = set_of(a, rows[i].x), y = set_of(a, rows[i].y);
		struct doc got = fields_join(rows[i].op, &x, &y, a);

		assert_doc(a, &got, rows[i].want);
	}
}

static void any_step_is_matched_by_a_star(void **state)
{
	struct arena *a = *state;
	struct doc x = set_of(a, "{\"f:c\":{\"k:{\\\"name\\\":\\\"a\\\"}\":{\".\":{},\"f:r\":{\"f:"
				 "cpu\":{}},\"f:i\":{}},\"k:{\\\"name\\\":\\\"b\\\"}\":{\"f:r\":{}"
				 "}},\"f:d\":{}}");
	struct doc *y = must_read(a, "{\"f:c\":{\"*\":{\"f:r\":{}}}}");
	struct doc got = fields_join(FIELDS_WITHIN, &x, y, a);

	assert_doc(a, &got,
		   "{\"f:c\":{\"k:{\\\"name\\\":\\\"a\\\"}\":{\"f:r\":{\"f:cpu\":{}}},\"k:{"
		   "\\\"name\\\":\\\"b\\\"}\":{\"f:r\":{}}}}");
}

static int list_path(void *arg, struct slice path)
{
	return buf_addf(arg, "%.*s\n", (int)path.n, path.p);
}

static void fields_are_told_in_upstreams_words(void **state)
{
	struct arena *a = *state;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);
	struct doc d = set_of(
		a, "{\"f:metadata\":{\"f:finalizers\":{\"v:\\\"a/b\\\"\":{}}},\"f:spec\":{\".\":{},"
		   "\"f:ports\":{\"k:{\\\"port\\\":80,\\\"protocol\\\":\\\"TC:,P\\\"}\":{\".\":{},"
		   "\"f:port\":{}}},\"f:x\":{\"i:3\":{}}}}");

	assert_int_equal(fields_each(&d, list_path, &b), 0);
	assert_string_equal(buf_str(&b),
			    ".spec\n.metadata.finalizers[=\"a/b\"]\n"
			    ".spec.ports[port=80,protocol=\"TC:,P\"]\n"
			    ".spec.ports[port=80,protocol=\"TC:,P\"].port\n.spec.x[3]\n");
	assert_int_equal(fields_count(&d), 5);
	assert_true(fields_has(&d, "f:spec", NULL));
	assert_false(fields_has(&d, "f:metadata", NULL));
	assert_true(fields_has(&d, "f:metadata", "f:finalizers", "v:\"a/b\"", NULL));
	assert_false(fields_has(&d, "f:spec", "f:y", NULL));
}

/* ---- under types ---- */

struct kit {
	struct api api;
	const struct api_type *type;
};

static void kit_init(struct kit *k, struct arena *a, const char *gv, const char *kind)
{
	struct err err = ERR_INIT;

	assert_int_equal(api_load(a, &k->api, &err), 0);
	k->type = api_type(&k->api, gv, kind);
	assert_non_null(k->type);
}

static const char *fields_of(struct arena *a, const char *gv, const char *kind, const char *obj)
{
	struct err err = ERR_INIT;
	struct kit k;
	struct doc d;
	int r;

	kit_init(&k, a, gv, kind);
	r = typed_fields(k.type, must_read(a, obj), a, &d, &err);
	api_fini(&k.api);
	return r < 0 ? arena_strdup(a, err.msg) : written(a, &d, NULL);
}

static void objects_have_the_fields_that_they_mention(void **state)
{
	struct arena *a = *state;

	assert_string_equal(
		fields_of(a, "v1", "ConfigMap",
			  "{\"data\":{\"a\":\"1\"},\"metadata\":{\"labels\":{},\"name\":"
			  "\"x\",\"finalizers\":[\"z\",\"y\"]},\"immutable\":null}"),
		"{\"f:data\":{\"f:a\":{}},\"f:immutable\":{},\"f:metadata\":{"
		"\"f:finalizers\":{\"v:\\\"y\\\"\":{},\"v:\\\"z\\\"\":{}},\"f:labels\":{}"
		",\"f:name\":{}}}");
	/* lists of objects by their keys, with the default of a key that is absent */
	assert_string_equal(
		fields_of(
			a, "v1", "PodSpec",
			"{\"containers\":[{\"name\":\"a\",\"ports\":[{\"containerPort\":80}],"
			"\"command\":[\"x\"]}],\"nodeSelector\":{\"d\":\"1\"},\"tolerations\":[]}"),
		"{\"f:containers\":{\"k:{\\\"name\\\":\\\"a\\\"}\":{\".\":{},\"f:command\":{},"
		"\"f:name\":{},\"f:ports\":{\"k:{\\\"containerPort\\\":80,\\\"protocol\\\":\\\"TCP"
		"\\\"}\":{\".\":{},\"f:containerPort\":{}}}}},\"f:nodeSelector\":{},"
		"\"f:tolerations\":{}}");
	/* granular lists that are empty are nothing; atomic structs are one value */
	assert_string_equal(
		fields_of(a, "v1", "PodSpec",
			  "{\"containers\":[],\"volumes\":[{\"name\":\"v\",\"configMap\":"
			  "{\"name\":\"c\"}}]}"),
		"{\"f:volumes\":{\"k:{\\\"name\\\":\\\"v\\\"}\":{\".\":{},\"f:configMap\":"
		"{\"f:name\":{}},\"f:name\":{}}}}");
	assert_string_equal(
		fields_of(a, "apps/v1", "DeploymentSpec",
			  "{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"strategy\":{}}"),
		"{\"f:selector\":{},\"f:strategy\":{}}");
	/* what stands twice is only its element */
	assert_string_equal(
		fields_of(a, "v1", "Container",
			  "{\"env\":[{\"name\":\"A\",\"value\":\"1\"},{\"name\":\"A\"}]}"),
		"{\"f:env\":{\"k:{\\\"name\\\":\\\"A\\\"}\":{}}}");
	/* keys that have a zero in Go are there */
	assert_string_equal(
		fields_of(a, "v1", "Container", "{\"env\":[{\"value\":\"1\"}]}"),
		"{\"f:env\":{\"k:{\\\"name\\\":\\\"\\\"}\":{\".\":{},\"f:value\":{}}}}");
	assert_string_equal(
		fields_of(a, "v1", "ObjectMeta", "{\"finalizers\":[{}]}"),
		"element 0: associative list without keys has an element that's a map type");
}

static const char *changes(struct arena *a, const char *gv, const char *kind, const char *from,
			   const char *to)
{
	struct err err = ERR_INIT;
	struct typed_diff d;
	struct kit k;

	kit_init(&k, a, gv, kind);
	if (typed_compare(k.type, must_read(a, from), must_read(a, to), a, &d, &err) < 0)
		return arena_strdup(a, err.msg);
	api_fini(&k.api);
	return arena_printf(a, "+%s ~%s -%s", written(a, &d.added, NULL),
			    written(a, &d.modified, NULL), written(a, &d.removed, NULL));
}

static void changes_are_found(void **state)
{
	static const struct {
		const char *kind, *from, *to, *want;
	} rows[] = {
		{ "ConfigMap", "{\"data\":{\"a\":\"1\",\"b\":\"2\"}}",
		  "{\"data\":{\"b\":\"3\",\"c\":\"4\"}}",
		  "+{\"f:data\":{\"f:c\":{}}} ~{\"f:data\":{\"f:b\":{}}} "
		  "-{\"f:data\":{\"f:a\":{}}}" },
		/* a map that comes is added with what is in it */
		{ "ConfigMap", "{}", "{\"data\":{\"a\":\"1\"}}",
		  "+{\"f:data\":{\".\":{},\"f:a\":{}}} ~{} -{}" },
		{ "ConfigMap", "{\"data\":{\"a\":\"1\"}}", "{\"data\":{}}",
		  "+{} ~{} -{\"f:data\":{\"f:a\":{}}}" },
		{ "ConfigMap", "{\"data\":{}}", "{\"data\":null}", "+{} ~{\"f:data\":{}} -{}" },
		{ "Container", "{\"command\":[\"a\"],\"env\":[{\"name\":\"A\"},{\"name\":\"B\"}]}",
		  "{\"command\":[\"b\"],\"env\":[{\"name\":\"B\"},{\"name\":\"C\",\"value\":\"1\"}]"
		  "}",
		  "+{\"f:env\":{\"k:{\\\"name\\\":\\\"C\\\"}\":{\".\":{},\"f:name\":{},\"f:value\":"
		  "{}}"
		  "}} ~{\"f:command\":{}} -{\"f:env\":{\"k:{\\\"name\\\":\\\"A\\\"}\":{\".\":{},"
		  "\"f:name\":{}}}}" },
		/* the order of elements is no change; numbers are by value */
		{ "Container", "{\"env\":[{\"name\":\"A\"},{\"name\":\"B\"}]}",
		  "{\"env\":[{\"name\":\"B\"},{\"name\":\"A\"}]}", "+{} ~{} -{}" },
		{ "ContainerPort", "{\"hostPort\":1}", "{\"hostPort\":1.0}", "+{} ~{} -{}" },
		/* elements that stand twice */
		{ "Container", "{\"env\":[{\"name\":\"A\"},{\"name\":\"A\"}]}",
		  "{\"env\":[{\"name\":\"A\"}]}",
		  "+{\"f:env\":{\"k:{\\\"name\\\":\\\"A\\\"}\":{\".\":{},\"f:name\":{}}}} ~{} "
		  "-{\"f:env\":{\"k:{\\\"name\\\":\\\"A\\\"}\":{}}}" },
		{ "Container", "{\"env\":[{\"name\":\"A\"},{\"name\":\"A\"}]}",
		  "{\"env\":[{\"name\":\"A\"},{\"name\":\"A\",\"value\":\"1\"}]}",
		  "+{} ~{\"f:env\":{\"k:{\\\"name\\\":\\\"A\\\"}\":{}}} -{}" },
		{ "Container", "{\"env\":[{\"name\":\"A\"},{\"name\":\"A\"}]}",
		  "{\"env\":[{\"name\":\"A\"},{\"name\":\"A\"}]}", "+{} ~{} -{}" },
	};
	struct arena *a = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_string_equal(changes(a, "v1", rows[i].kind, rows[i].from, rows[i].to),
				    rows[i].want);
}

static const char *merged(struct arena *a, const char *kind, const char *live, const char *applied)
{
	struct err err = ERR_INIT;
	struct doc d;
	struct kit k;
	int r;

	kit_init(&k, a, "v1", kind);
	r = typed_merge(k.type, must_read(a, live), must_read(a, applied), a, &d, &err);
	api_fini(&k.api);
	return r < 0 ? arena_strdup(a, err.msg) : written(a, &d, NULL);
}

/* Names of env as letters: "ABC" is a list of three. */
static const char *env_list(struct arena *a, const char *letters)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);

	assert_int_equal(buf_adds(&b, "{\"env\":["), 0);
	for (size_t i = 0; letters[i]; i++)
		assert_int_equal(buf_addf(&b, "%s{\"name\":\"%c\"}", i ? "," : "", letters[i]), 0);
	assert_int_equal(buf_adds(&b, "]}"), 0);
	return arena_strdup(a, buf_str(&b));
}

static void lists_are_merged_in_the_applied_order(void **state)
{
	static const char *const rows[][3] = {
		/* live, applied, merged: as upstream's cases have it */
		{ "ab", "ba", "ba" },
		{ "abc", "b", "abc" },
		{ "ab", "cd", "abcd" },
		{ "abc", "cx", "abcx" },
		{ "abcd", "dc", "abdc" },
		{ "ab", "xab", "xab" },
		{ "abc", "xc", "abxc" },
		{ "", "ab", "ab" },
		{ "abc", "", "abc" },
		{ "abcde", "eca", "bdeca" },
		{ "xay", "ba", "xbay" },
		{ "bdfhjl", "1d2l3h", "b1dfj2l3h" },
		/* in the live list some may stand twice */
		{ "xx", "y", "xxy" },
		{ "xyy", "y", "xy" },
	};
	struct arena *a = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_string_equal(
			merged(a, "Container", env_list(a, rows[i][0]), env_list(a, rows[i][1])),
			env_list(a, rows[i][2]));
}

static void merges_replace_leaves_and_join_the_rest(void **state)
{
	struct arena *a = *state;

	assert_string_equal(merged(a, "ConfigMap", "{\"data\":{\"a\":\"1\",\"b\":\"2\"}}",
				   "{\"data\":{\"b\":\"3\"},\"immutable\":true}"),
			    "{\"data\":{\"a\":\"1\",\"b\":\"3\"},\"immutable\":true}");
	assert_string_equal(
		merged(a, "Container",
		       "{\"name\":\"a\",\"args\":[\"1\",\"2\"],\"ports\":[{\"containerPort"
		       "\":80,\"protocol\":\"TCP\",\"name\":\"w\"}]}",
		       "{\"name\":\"a\",\"args\":[\"3\"],\"ports\":[{\"containerPort\":80,"
		       "\"hostPort\":8}]}"),
		"{\"name\":\"a\",\"args\":[\"3\"],\"ports\":[{\"containerPort\":80,"
		"\"protocol\":\"TCP\",\"name\":\"w\",\"hostPort\":8}]}");
	assert_non_null(strstr(merged(a, "Container", env_list(a, "b"), env_list(a, "aa")),
			       "duplicate entries for key"));
	/* nothing is removed by null or by what is empty */
	assert_string_equal(merged(a, "ConfigMap", "{\"data\":{\"a\":\"1\"}}", "{\"data\":{}}"),
			    "{\"data\":{\"a\":\"1\"}}");
	/* atomic maps are one value */
	assert_string_equal(merged(a, "PodSpec", "{\"nodeSelector\":{\"a\":\"1\"}}",
				   "{\"nodeSelector\":{\"b\":\"1\"}}"),
			    "{\"nodeSelector\":{\"b\":\"1\"}}");
}

static const char *cut(struct arena *a, bool extract, const char *kind, const char *obj,
		       const char *set)
{
	struct err err = ERR_INIT;
	struct doc d, s = set_of(a, set);
	struct kit k;

	kit_init(&k, a, "v1", kind);
	assert_int_equal((extract ? typed_extract : typed_remove)(k.type, must_read(a, obj), &s, a,
								  &d, &err),
			 0);
	api_fini(&k.api);
	return written(a, &d, NULL);
}

#define ENV "{\"name\":\"c\",\"env\":[{\"name\":\"A\",\"value\":\"1\"},{\"name\":\"B\"}]}"

static void fields_are_removed(void **state)
{
	struct arena *a = *state;

	assert_string_equal(
		cut(a, false, "Container", ENV, "{\"f:env\":{\"k:{\\\"name\\\":\\\"A\\\"}\":{}}}"),
		"{\"name\":\"c\",\"env\":[{\"name\":\"B\"}]}");
	/* an element that stays keeps its keys */
	assert_string_equal(
		cut(a, false, "Container", ENV,
		    "{\"f:env\":{\"k:{\\\"name\\\":\\\"A\\\"}\":{\"f:name\":{},\"f:value\":"
		    "{}}}}"),
		"{\"name\":\"c\",\"env\":[{\"name\":\"A\"},{\"name\":\"B\"}]}");
	/* what loses all is gone */
	assert_string_equal(cut(a, false, "Container", ENV,
				"{\"f:env\":{\"k:{\\\"name\\\":\\\"A\\\"}\":{},\"k:{\\\"name\\\":"
				"\\\"B\\\"}\":{}}}"),
			    "{\"name\":\"c\"}");
	assert_string_equal(cut(a, false, "ConfigMap",
				"{\"data\":{\"a\":\"1\"},\"immutable\":true}",
				"{\"f:data\":{\"f:a\":{}}}"),
			    "{\"immutable\":true}");
	assert_string_equal(cut(a, false, "ConfigMap", "{\"data\":{\"a\":\"1\"}}", "{}"),
			    "{\"data\":{\"a\":\"1\"}}");
}

static void fields_are_extracted(void **state)
{
	struct arena *a = *state;

	assert_string_equal(cut(a, true, "Container", ENV,
				"{\"f:env\":{\"k:{\\\"name\\\":\\\"A\\\"}\":{\"f:value\":{}}}}"),
			    "{\"env\":[{\"name\":\"A\",\"value\":\"1\"}]}");
	assert_string_equal(cut(a, true, "Container", ENV, "{\"f:name\":{},\"f:image\":{}}"),
			    "{\"name\":\"c\"}");
	assert_string_equal(cut(a, true, "ConfigMap", "{\"data\":{\"a\":\"1\",\"b\":\"2\"}}",
				"{\"f:data\":{\".\":{},\"f:b\":{}}}"),
			    "{\"data\":{\"b\":\"2\"}}");
	assert_string_equal(cut(a, true, "ConfigMap", "{\"data\":{\"a\":\"1\"}}", "{}"), "{}");
}

static void sets_follow_what_became_atomic(void **state)
{
	struct arena *a = *state;
	struct doc x =
		set_of(a, "{\"f:nodeSelector\":{\"f:a\":{}},\"f:containers\":{\"k:{\\\"name"
			  "\\\":\\\"a\\\"}\":{\"f:image\":{}}},\"f:unheard\":{\"f:of\":{}}}");
	struct kit k;
	struct doc d;

	kit_init(&k, a, "v1", "PodSpec");
	d = typed_settle(k.type, &x, a);
	assert_doc(a, &d,
		   "{\"f:containers\":{\"k:{\\\"name\\\":\\\"a\\\"}\":{\"f:image\":{}}},"
		   "\"f:nodeSelector\":{},\"f:unheard\":{\"f:of\":{}}}");
	d = typed_named(k.type, &d, a);
	assert_doc(a, &d,
		   "{\"f:containers\":{\".\":{},\"k:{\\\"name\\\":\\\"a\\\"}\":{\"f:image\":{}}},"
		   "\"f:nodeSelector\":{},\"f:unheard\":{\"f:of\":{}}}");
	api_fini(&k.api);
}

/* ---- parts without a type, as custom kinds have them ---- */

static const struct schema_field free_rows[] = {
	{ .name = "known", .len = 5, .type = SCHEMA_STRING },
};
static const struct api_note free_notes[1];
static const struct api_type free_type = {
	.schema = { .name = "Free",
		    .fields = free_rows,
		    .n = 1,
		    .unknown = SCHEMA_UNKNOWN_PRESERVE },
	.notes = free_notes,
};
static const struct schema_field names_row = { .type = SCHEMA_LIST,
					       .elem_type = SCHEMA_STRING,
					       .list = SCHEMA_LIST_SET };
static const struct schema_field crd_rows[] = {
	{ .name = "any", .len = 3, .type = SCHEMA_ANY },
	{ .name = "free", .len = 4, .type = SCHEMA_OBJECT, .sub = &free_type.schema },
	{ .name = "raw", .len = 3, .type = SCHEMA_ANY },
	{ .name = "sets", .len = 4, .type = SCHEMA_MAP, .elem_row = true, .elem = &names_row },
};
static const struct api_note crd_notes[] = {
	{ .word = API_JSON },
	{ .type = &free_type },
	{ .word = API_RAW },
	{ .word = API_PLAIN },
};
static const struct api_type crd_type = {
	.schema = { .name = "Crd", .fields = crd_rows, .n = 4 },
	.notes = crd_notes,
};

static const char *crd_changes(struct arena *a, const char *from, const char *to)
{
	struct err err = ERR_INIT;
	struct typed_diff d;

	assert_int_equal(
		typed_compare(&crd_type, must_read(a, from), must_read(a, to), a, &d, &err), 0);
	return arena_printf(a, "+%s ~%s -%s", written(a, &d.added, NULL),
			    written(a, &d.modified, NULL), written(a, &d.removed, NULL));
}

static void untyped_parts_are_what_they_hold(void **state)
{
	struct arena *a = *state;
	struct err err = ERR_INIT;
	struct doc d;

	assert_int_equal(typed_fields(&crd_type,
				      must_read(a, "{\"any\":{\"a\":{\"b\":[{\"c\":1}],\"d\":{}}},"
						   "\"free\":{\"known\":\"x\",\"other\":{\"y\":1}},"
						   "\"raw\":{\"z\":1},\"sets\":{\"s\":[\"v\"]}}"),
				      a, &d, &err),
			 0);
	assert_doc(
		a, &d,
		"{\"f:any\":{\"f:a\":{\".\":{},\"f:b\":{},\"f:d\":{}}},\"f:free\":{\"f:known\":{},"
		"\"f:other\":{\".\":{},\"f:y\":{}}},\"f:raw\":{},\"f:sets\":{\"f:s\":{\".\":{},"
		"\"v:\\\"v\\\"\":{}}}}");
	/* from one form to another: the value changed, and what is in it came or went */
	assert_string_equal(crd_changes(a, "{\"any\":1}", "{\"any\":{\"a\":1}}"),
			    "+{\"f:any\":{\"f:a\":{}}} ~{\"f:any\":{}} -{}");
	assert_string_equal(crd_changes(a, "{\"any\":{\"a\":1}}", "{\"any\":[1]}"),
			    "+{} ~{\"f:any\":{}} -{\"f:any\":{\"f:a\":{}}}");
	assert_string_equal(crd_changes(a, "{\"any\":{\"a\":[1]}}", "{\"any\":{\"a\":[2]}}"),
			    "+{} ~{\"f:any\":{\"f:a\":{}}} -{}");
	assert_string_equal(crd_changes(a, "{\"raw\":{\"a\":1}}", "{\"raw\":{\"a\":2}}"),
			    "+{} ~{\"f:raw\":{}} -{}");
	assert_int_equal(typed_merge(&crd_type,
				     must_read(a, "{\"any\":{\"a\":1,\"l\":[1]},\"raw\":{\"a\":1},"
						  "\"sets\":{\"s\":[\"a\"]}}"),
				     must_read(a, "{\"any\":{\"b\":2,\"l\":[2]},\"raw\":{\"b\":1},"
						  "\"sets\":{\"s\":[\"b\"]},\"free\":{\"u\":1}}"),
				     a, &d, &err),
			 0);
	assert_doc(a, &d,
		   "{\"any\":{\"a\":1,\"l\":[2],\"b\":2},\"raw\":{\"b\":1},\"sets\":{\"s\":[\"a\","
		   "\"b\"]"
		   "},\"free\":{\"u\":1}}");
	assert_int_equal(typed_check(&crd_type, must_read(a, "{\"free\":{\"u\":{}},\"any\":[]}"), a,
				     NULL, &err),
			 0);
}

static void objects_too_deep_are_refused(void **state)
{
	struct arena *a = *state;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 16);
	struct err err = ERR_INIT;
	struct typed_diff diff;
	struct doc d, *deep, *flat = must_read(a, "{}");

	for (int i = 0; i < FIELDS_DEPTH_MAX + 3; i++)
		assert_int_equal(buf_adds(&b, "{\"any\":"), 0);
	assert_int_equal(buf_adds(&b, "1"), 0);
	for (int i = 0; i < FIELDS_DEPTH_MAX + 3; i++)
		assert_int_equal(buf_addc(&b, '}'), 0);
	deep = must_read(a, buf_str(&b));
	assert_int_equal(typed_fields(&crd_type, deep, a, &d, &err), -ERR_TOO_LARGE);
	assert_int_equal(typed_compare(&crd_type, flat, deep, a, &diff, &err), -ERR_TOO_LARGE);
	assert_int_equal(typed_merge(&crd_type, doc_copy(a, deep), deep, a, &d, &err),
			 -ERR_TOO_LARGE);
}

static void misfits_are_told_in_upstreams_words(void **state)
{
	static const char *const rows[][3] = {
		{ "PodSpec", "{\"foo\":1}", ".foo: field not declared in schema" },
		{ "ContainerPort", "{\"hostPort\":\"x\"}",
		  ".hostPort: expected numeric (int or float), got string" },
		{ "Container", "{\"name\":7}",
		  ".name: expected string, got &value.valueUnstructured{Value:7}" },
		{ "PodSpec", "{\"hostPID\":\"yes\"}", ".hostPID: expected boolean, got &{yes}" },
		{ "PodSpec", "{\"containers\":{}}", ".containers: expected list, got &{{}}" },
		{ "PodSpec",
		  "{\"containers\":[{\"name\":\"a\",\"env\":[{\"name\":\"A\"},{\"name\":"
		  "\"A\"}]}]}",
		  ".containers[name=\"a\"].env: duplicate entries for key [name=\"A\"]" },
		{ "PodSpec", "{\"a\":1,\"b\":2}",
		  "errors:\n  .a: field not declared in schema\n  .b: field not declared in "
		  "schema" },
		{ "ObjectMeta", "{\"finalizers\":[\"a\",\"a\"]}",
		  ".finalizers: duplicate entries for key [=\"a\"]" },
		{ "ObjectMeta", "{\"labels\":{\"a\":1}}",
		  ".labels.a: expected string, got &value.valueUnstructured{Value:1}" },
	};
	struct arena *a = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err err = ERR_INIT;
		struct kit k;

		kit_init(&k, a, strcmp(rows[i][0], "ObjectMeta") == 0 ? API_META : "v1",
			 rows[i][0]);
		assert_int_equal(typed_check(k.type, must_read(a, rows[i][1]), a, NULL, &err),
				 -ERR_INVALID);
		assert_string_equal(err.msg, rows[i][2]);
		api_fini(&k.api);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(sets_are_read_in_upstreams_order),
		CASE(hostile_sets_are_refused),
		CASE(sets_are_joined),
		CASE(any_step_is_matched_by_a_star),
		CASE(fields_are_told_in_upstreams_words),
		CASE(objects_have_the_fields_that_they_mention),
		CASE(changes_are_found),
		CASE(lists_are_merged_in_the_applied_order),
		CASE(merges_replace_leaves_and_join_the_rest),
		CASE(fields_are_removed),
		CASE(fields_are_extracted),
		CASE(sets_follow_what_became_atomic),
		CASE(untyped_parts_are_what_they_hold),
		CASE(objects_too_deep_are_refused),
		CASE(misfits_are_told_in_upstreams_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
