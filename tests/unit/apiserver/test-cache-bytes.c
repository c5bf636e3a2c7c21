/* SPDX-License-Identifier: Apache-2.0 */
/* Items made of stored bytes, selectors on them, trees, other forms. */
#include "cache-fix.h"

static struct item *make(const struct api_kind *kind, const char *key, const char *json,
			 int64_t revision)
{
	struct shape *s = shape_new(kind);
	struct err err = ERR_INIT;
	struct item *i = NULL;

	if (item_make(s, slice_str(key), slice_str(json), revision, &i, &err) < 0)
		fail_msg("%s: %s", json, err.msg);
	shape_unref(s);
	return i;
}

static void assert_slice(struct slice s, const char *want)
{
	if (!slice_is(s, want))
		fail_msg("'%.*s', wanted '%s'", (int)s.n, s.p, want);
}

/* ---- resourceVersion ---- */

#define POD "{\"kind\":\"Pod\",\"apiVersion\":\"v1\","

static void assert_version(const char *meta, int64_t revision, const char *want)
{
	char json[512], expected[512];
	struct item *i, *gone;

	snprintf(json, sizeof(json), POD "\"metadata\":%s,\"spec\":{\"nodeName\":\"n\"}}", meta);
	snprintf(expected, sizeof(expected), POD "\"metadata\":%s,\"spec\":{\"nodeName\":\"n\"}}",
		 want);
	i = make(&pod_kind, "a/b", json, revision);
	assert_slice(item_json(i), expected);
	assert_slice(item_tail(i), expected + strlen(POD));
	assert_slice(item_field(i, SLICE("spec.nodeName"), &(bool){ false }), "n");
	gone = item_at(i, 1000000);
	assert_int_equal(item_revision(gone), 1000000);
	assert_true(slice_has_text(item_json(gone), SLICE("\"resourceVersion\":\"1000000\"")));
	assert_slice(item_field(gone, SLICE("spec.nodeName"), &(bool){ false }), "n");
	assert_int_equal(item_labels(gone).n, item_labels(i).n);
	assert_memory_equal(item_labels(gone).p, item_labels(i).p, item_labels(i).n);
	item_unref(gone);
	item_unref(i);
}

static void the_revision_stands_where_the_table_has_it(void **state)
{
	assert_version("{}", 7, "{\"resourceVersion\":\"7\"}");
	assert_version("{\"name\":\"b\"}", 7, "{\"name\":\"b\",\"resourceVersion\":\"7\"}");
	assert_version("{\"labels\":{\"a\":\"b\"}}", 12,
		       "{\"resourceVersion\":\"12\",\"labels\":{\"a\":\"b\"}}");
	assert_version("{\"name\":\"b\",\"generateName\":\"b-\",\"namespace\":\"a\",\"selfLink\":"
		       "\"\",\"uid\":\"u\",\"generation\":1,\"labels\":{\"x\":\"\\\"}\"}}",
		       123,
		       "{\"name\":\"b\",\"generateName\":\"b-\",\"namespace\":\"a\",\"selfLink\":"
		       "\"\",\"uid\":\"u\",\"resourceVersion\":\"123\",\"generation\":1,"
		       "\"labels\":{\"x\":\"\\\"}\"}}");
}

static void a_revision_that_is_there_is_replaced(void **state)
{
	assert_version("{\"name\":\"b\",\"resourceVersion\":\"99999\",\"labels\":{\"a\":\"b\"}}", 7,
		       "{\"name\":\"b\",\"resourceVersion\":\"7\",\"labels\":{\"a\":\"b\"}}");
	assert_version("{\"resourceVersion\":{\"x\":[]}}", 7, "{\"resourceVersion\":\"7\"}");
}

static void names_are_those_of_the_key(void **state)
{
	struct item *p = make(&pod_kind, "ns/web-0", POD "\"metadata\":{}}", 3);
	struct item *n = make(&node_kind, "n1",
			      "{\"kind\":\"Node\",\"apiVersion\":\"v1\",\"metadata\":{}}", 4);

	assert_slice(item_key(p), "ns/web-0");
	assert_slice(item_namespace(p), "ns");
	assert_slice(item_name(p), "web-0");
	assert_slice(item_namespace(n), "");
	assert_slice(item_name(n), "n1");
	assert_slice(item_labels(n), "");
	item_unref(p);
	item_unref(n);
}

/* ---- damage ---- */

static void assert_damaged(const char *json, const char *part)
{
	struct shape *s = shape_new(&pod_kind);
	struct err err = ERR_INIT;
	/* Of its own, so that the sanitizer sees a byte behind it. */
	char *copy = malloc(strlen(json) ? strlen(json) : 1);
	struct item *i;

	memcpy(copy, json, strlen(json));
	assert_int_equal(item_make(s, SLICE("a/b"), slice_of(copy, strlen(json)), 3, &i, &err),
			 -ERR_INVALID);
	assert_err(&err, ERR_INVALID, part);
	free(copy);
	shape_unref(s);
}

static void damaged_values_are_refused(void **state)
{
	static const char *const bad[] = {
		POD "\"metadata\":{\"name\":\"b\"",
		POD "\"metadata\":{\"name\":\"b\"},",
		POD "\"metadata\":{\"name\":\"b\"},}",
		POD "\"metadata\":[]}",
		POD "\"metadata\"",
		POD "\"metadata\":",
		POD "\"spec\":{}}",
		POD "\"metadata\":{},\"spec\":{\"containers\":[}]}}",
		POD "\"metadata\":{},\"spec\":{\"a\":\"\\\"}}",
		POD "\"metadata\":{},\"spec\":{\"nodeName\":}}",
		POD "\"metadata\":{},\"spec\":{nodeName:1}}",
		POD "\"metadata\":{},\"spec\":{\"nodeName\" \"x\"}}",
		POD "\"metadata\":{\"labels\":{\"a\":\"b}}",
		POD "\"metadata\":{,}}",
		POD "\"metadata\":{\"resourceVersion\"}}",
		POD "\"metadata\":{\"name\":\"b\\",
		POD,
	};
	char deep[2100];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_damaged(bad[i], "damaged JSON at byte");
	assert_damaged(POD "\"metadata\":{}}x", "1 bytes behind the object");
	assert_damaged("", "not an object that begins with {\"kind\":\"Pod\"");
	assert_damaged("{\"kind\":\"Node\",\"apiVersion\":\"v1\",\"metadata\":{}}", "begins with");
	snprintf(deep, sizeof(deep), "%s\"metadata\":{},\"spec\":{\"x\":", POD);
	memset(deep + strlen(deep), '[', 600);
	assert_damaged(deep, "damaged JSON at byte");
}

static void every_cut_of_an_object_is_refused(void **state)
{
	const char *json = POD "\"metadata\":{\"name\":\"b\",\"labels\":{\"a\":\"\\u00e4\"}},"
			       "\"spec\":{\"nodeName\":\"n\",\"x\":[1,true,null,-2.5e3]}}";
	char cut[512];

	for (size_t n = 0; n < strlen(json); n++) {
		memcpy(cut, json, n);
		cut[n] = '\0';
		assert_damaged(cut, "");
	}
}

static void nesting_is_followed_to_where_it_ends(void **state)
{
	char json[1400] = POD "\"metadata\":{},\"spec\":{\"x\":";
	const size_t n = strlen(json);
	struct item *i;

	memset(json + n, '[', 300);
	memset(json + n + 300, ']', 300);
	snprintf(json + n + 600, sizeof(json) - n - 600, ",\"nodeName\":\"deep\"}}");
	i = make(&pod_kind, "a/b", json, 3);
	assert_slice(item_field(i, SLICE("spec.nodeName"), &(bool){ false }), "deep");
	item_unref(i);
}

/* ---- selectors ---- */

static bool matches(const struct item *i, const char *labels, const char *fields)
{
	struct arena *a = arena_new("test", 1 << 20);
	struct err err = ERR_INIT;
	struct selector l, f;
	bool r;

	assert_int_equal(selector_labels(slice_str(labels), a, &l, &err), 0);
	assert_int_equal(selector_fields(slice_str(fields), a, &f, &err), 0);
	r = item_match(i, &l, &f);
	arena_free(a);
	return r;
}

static void labels_are_matched_where_they_stand(void **state)
{
	struct item *i = make(&pod_kind, "a/b",
			      POD "\"metadata\":{\"labels\":{\"app\":\"web\",\"e\":\"\","
				  "\"t\\u0069er\":\"\\u0066ront\",\"n\":\"12\"}}}",
			      3);
	struct item *none = make(&pod_kind, "a/b", POD "\"metadata\":{\"labels\":{}}}", 3);
	struct item *odd = make(&pod_kind, "a/b",
				POD "\"metadata\":{\"labels\":{\"x\":1,\"app\":\"web\"}}}", 3);

	assert_true(matches(i, "", ""));
	assert_true(matches(i, "app=web", ""));
	assert_false(matches(i, "app=we", ""));
	assert_false(matches(i, "ap=web", ""));
	assert_true(matches(i, "app in (x,web),e=,tier=front,!none", ""));
	assert_true(matches(i, "n>11,n<13", ""));
	assert_false(matches(i, "n>12", ""));
	assert_true(matches(i, "tier", ""));
	assert_false(matches(i, "!tier", ""));
	assert_true(matches(i, "tier notin (back)", ""));
	assert_false(matches(none, "app=web", ""));
	assert_true(matches(none, "app!=web,!app", ""));
	assert_false(matches(odd, "app=web", "")); /* no labels behind what is none */
	item_unref(i);
	item_unref(none);
	item_unref(odd);
}

static void fields_are_upstreams(void **state)
{
	struct item *i = make(&pod_kind, "ns/b",
			      POD "\"metadata\":{},\"spec\":{\"hostNetwork\":true,\"nodeName\":"
				  "\"n\\u0031\",\"restartPolicy\":null},\"status\":{\"phase\":"
				  "\"Running\",\"podIP\":\"10.0.0.1\",\"podIPs\":[{\"ip\":"
				  "\"10.0.0.1\"}]}}",
			      3);
	struct item *bare = make(&pod_kind, "ns/b", POD "\"metadata\":{}}", 3);

	assert_true(matches(i, "", "metadata.name=b,metadata.namespace=ns"));
	assert_false(matches(i, "", "metadata.name=c"));
	assert_true(matches(i, "", "spec.nodeName=n1,spec.host=n1"));
	assert_true(matches(i, "", "spec.hostNetwork=true,status.phase!=Failed"));
	assert_true(matches(i, "", "spec.restartPolicy="));
	assert_true(matches(i, "", "status.podIP=10.0.0.1"));
	assert_true(matches(i, "", "status.podIPs=")); /* upstream lists it and never sets it */
	assert_true(matches(bare, "", "spec.nodeName=,spec.hostNetwork=false,status.phase="));
	assert_false(matches(bare, "", "spec.nodeName!="));
	item_unref(i);
	item_unref(bare);
}

static void long_values_with_escapes_are_matched_whole(void **state)
{
	char value[3000], json[3200], field[3100];
	struct item *i;

	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	snprintf(json, sizeof(json), POD "\"metadata\":{},\"spec\":{\"nodeName\":\"\\\"%s\"}}",
		 value);
	i = make(&pod_kind, "a/b", json, 3);
	snprintf(field, sizeof(field), "spec.nodeName=\"%s", value);
	assert_true(matches(i, "", field));
	field[strlen(field) - 1] = '\0';
	assert_false(matches(i, "", field));
	item_unref(i);
}

static void texts_are_decoded(void **state)
{
	static const struct {
		const char *raw, *want; /* NULL: no text */
	} rows[] = {
		{ "plain", "plain" },
		{ "\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t" },
		{ "\\u0041\\u00e4\\u20ac\\ud83d\\ude00", "A\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80" },
		{ "\\ud83d", "\xef\xbf\xbd" },
		{ "\\ud83d\\u0041", "\xef\xbf\xbd"
				    "A" },
		{ "\\ude00x", "\xef\xbf\xbdx" },
		{ "\\x", NULL },
		{ "\\u12", NULL },
		{ "\\u12g4", NULL },
		{ "\\", NULL },
	};
	char out[64];
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool ok = text_decode(slice_str(rows[i].raw), out, sizeof(out), &n);

		assert_int_equal(ok, rows[i].want != NULL);
		if (ok)
			assert_slice(slice_of(out, n), rows[i].want);
	}
	assert_false(text_decode(SLICE("more than there is room for"), out, 8, &n));
}

/* Every kind's list as it is, with the values that upstream's functions give. */
static void real_kinds_have_their_fields(void **state)
{
	static const struct {
		const char *version, *kind, *rest, *match;
	} rows[] = {
		{ "v1", "Node", "", "spec.unschedulable=false" },
		{ "v1", "Node", ",\"spec\":{\"unschedulable\":true}", "spec.unschedulable=true" },
		{ "v1", "ReplicationController", "", "status.replicas=0" },
		{ "apps/v1", "ReplicaSet", ",\"status\":{\"replicas\":3}", "status.replicas=3" },
		{ "batch/v1", "Job", ",\"status\":{\"succeeded\":2}", "status.successful=2" },
		{ "batch/v1", "Job", "", "status.successful=0" },
		{ "v1", "Namespace", ",\"status\":{\"phase\":\"Active\"}", "status.phase=Active" },
		{ "v1", "Secret", ",\"type\":\"Opaque\"", "type=Opaque" },
		{ "v1", "Service", ",\"spec\":{\"clusterIP\":\"None\",\"type\":\"ClusterIP\"}",
		  "spec.clusterIP=None,spec.type=ClusterIP" },
		{ "v1", "Event",
		  ",\"involvedObject\":{\"kind\":\"Pod\",\"name\":\"p\"},\"reason\":\"R\","
		  "\"source\":{\"component\":\"kubelet\"},\"reportingComponent\":\"x\"",
		  "involvedObject.kind=Pod,regarding.name=p,reason=R,source=kubelet,"
		  "reportingComponent=x,reportingController=x" },
		{ "v1", "Event", ",\"source\":{},\"reportingComponent\":\"x\"", "source=x" },
		{ "v1", "Event", "", "source=,type=" },
		{ "v1", "Pod", ",\"spec\":{\"hostNetwork\":true}", "spec.hostNetwork=true" },
	};
	struct arena *a = arena_new("test", 64 << 20);
	struct err err = ERR_INIT;
	struct api api;

	assert_int_equal(api_load(a, &api, &err), 0);
	for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
		const struct api_kind *k = api_kind(&api, rows[r].version, rows[r].kind);
		char json[1024];
		struct item *i;

		snprintf(json, sizeof(json),
			 "{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":{}%s}", rows[r].kind,
			 rows[r].version, rows[r].rest);
		i = make(k, "a/b", json, 3);
		if (!matches(i, "", rows[r].match))
			fail_msg("%s does not match %s", json, rows[r].match);
		item_unref(i);
	}
	for (size_t k = 0; k < api.nkinds; k++) { /* none has more fields than there is room for */
		struct shape *s = shape_new(&api.kinds[k]);

		for (size_t f = 0; f < s->nfields; f++)
			assert_true(s->fields[f].slot != SHAPE_NONE || s->fields[f].never);
		shape_unref(s);
	}
	api_fini(&api);
	arena_free(a);
}

/* ---- trees ---- */

static struct item *numbered(struct shape *s, unsigned n)
{
	struct err err = ERR_INIT;
	struct item *i;
	char key[16];

	snprintf(key, sizeof(key), "%c/%05u", "abc"[n % 3], n);
	assert_int_equal(
		item_make(s, slice_str(key), SLICE(POD "\"metadata\":{}}"), n + 1, &i, &err), 0);
	return i;
}

#define NUMBERS 3000

/* Everything that a tree tells, beside what is in it. */
static void check_tree(const struct node *root, size_t count, const bool *in, struct item **all)
{
	struct tree_iter it;
	struct item *i;
	size_t n = 0, rank = 0;

	for (unsigned k = 0; k < NUMBERS; k++)
		assert_ptr_equal(tree_get(root, item_key(all[k])), in[k] ? all[k] : NULL);
	tree_iter_init(&it, root, SLICE(""), count);
	for (; (i = tree_iter_next(&it)); n++) {
		assert_true(in[item_revision(i) - 1]);
		if (n % 97 == 0)
			assert_int_equal(tree_rank(root, item_key(i)), n);
	}
	assert_int_equal(n, count);
	for (unsigned k = 1; k < NUMBERS; k += 3) /* namespace b */
		rank += in[k];
	assert_int_equal(tree_rank(root, SLICE("b0")) - tree_rank(root, SLICE("b/")), rank);
}

static void trees_and_their_snapshots_are_what_went_in(void **state)
{
	struct shape *s = shape_new(&pod_kind);
	struct item **all = calloc(NUMBERS, sizeof(*all));
	static bool in[NUMBERS], then[NUMBERS];
	size_t memory = 0, count_then = 0;
	struct tree t = { .memory = &memory };
	struct node *snapshot = NULL;
	uint64_t seed = 5;

	for (unsigned k = 0; k < NUMBERS; k++)
		all[k] = numbered(s, k);
	for (unsigned round = 0; round < 20000; round++) {
		unsigned k;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		k = (unsigned)(seed >> 33) % NUMBERS;
		/* It grows, then shrinks to nothing. */
		if (round < 10000 ? (seed >> 20) % 4 : (seed >> 20) % 16 == 0) {
			item_unref(tree_put(&t, item_ref(all[k])));
			in[k] = true;
		} else {
			item_unref(tree_del(&t, item_key(all[k])));
			in[k] = false;
		}
		if (round % 4000 == 1000) {
			if (snapshot)
				check_tree(snapshot, count_then, then, all);
			tree_unref(snapshot, &memory);
			snapshot = tree_ref(t.root);
			memcpy(then, in, sizeof(in));
			count_then = t.count;
		}
		if (round % 4000 == 3000)
			check_tree(t.root, t.count, in, all);
	}
	check_tree(snapshot, count_then, then, all);
	for (unsigned k = 0; k < NUMBERS; k++)
		item_unref(tree_del(&t, item_key(all[k])));
	assert_null(t.root);
	assert_int_equal(t.count, 0);
	tree_unref(snapshot, &memory);
	assert_int_equal(memory, 0);
	for (unsigned k = 0; k < NUMBERS; k++) {
		assert_int_equal(all[k]->refs, 1);
		item_unref(all[k]);
	}
	free(all);
	shape_unref(s);
}

static void what_comes_in_order_fills_its_nodes(void **state)
{
	struct shape *s = shape_new(&pod_kind);
	size_t memory = 0;
	struct tree t = { .memory = &memory };

	for (unsigned k = 0; k < NUMBERS; k += 3)
		item_unref(tree_put(&t, numbered(s, k)));
	assert_int_equal(t.count, NUMBERS / 3);
	assert_true(memory < t.count * 10);
	tree_unref(t.root, &memory);
	shape_unref(s);
}

/* ---- forms ---- */

static void other_forms_are_kept_within_their_budget(void **state)
{
	struct cfix *x = *state;
	struct cache_stats s;
	struct item *i, *j;
	char big[600];

	world_close(x);
	x->conf.forms_bytes = 1900;
	world_open(x);
	pod_put(x, "a/a", "", "");
	pod_put(x, "a/b", "", "");
	i = cache_get(x->pods, SLICE("a/a"));
	j = item_ref(cache_get(x->pods, SLICE("a/b")));
	memset(big, 'x', sizeof(big));
	assert_null(item_form(x->w, i, 1).p);
	assert_slice(item_keep_form(x->w, i, 1, SLICE("one")), "one");
	assert_slice(item_form(x->w, i, 1), "one");
	assert_slice(item_keep_form(x->w, i, 1, SLICE("two")), "one"); /* the same object */
	(void)item_keep_form(x->w, i, 2, slice_of(big, sizeof(big)));
	(void)item_keep_form(x->w, j, 1, slice_of(big, sizeof(big)));
	assert_slice(item_form(x->w, i, 1), "one"); /* asked for last */
	(void)item_keep_form(x->w, j, 2, slice_of(big, sizeof(big)));
	assert_int_equal(item_form(x->w, i, 2).n, sizeof(big)); /* none goes within the round */
	(void)item_form(x->w, i, 1);
	settle(x);
	assert_null(item_form(x->w, j, 1).p);
	assert_slice(item_form(x->w, i, 1), "one");
	world_get_stats(x->w, &s);
	assert_true(s.forms_bytes <= 1900 && s.forms_bytes > 600);
	pod_del(x, "a/a");
	world_close(x);
	assert_slice(item_name(j), "b"); /* items may live on */
	item_unref(j);
	world_open(x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_revision_stands_where_the_table_has_it),
		cmocka_unit_test(a_revision_that_is_there_is_replaced),
		cmocka_unit_test(names_are_those_of_the_key),
		cmocka_unit_test(damaged_values_are_refused),
		cmocka_unit_test(every_cut_of_an_object_is_refused),
		cmocka_unit_test(nesting_is_followed_to_where_it_ends),
		cmocka_unit_test(labels_are_matched_where_they_stand),
		cmocka_unit_test(fields_are_upstreams),
		cmocka_unit_test(long_values_with_escapes_are_matched_whole),
		cmocka_unit_test(texts_are_decoded),
		cmocka_unit_test(real_kinds_have_their_fields),
		cmocka_unit_test(trees_and_their_snapshots_are_what_went_in),
		cmocka_unit_test(what_comes_in_order_fills_its_nodes),
		cmocka_unit_test_setup_teardown(other_forms_are_kept_within_their_budget,
						cache_setup, cache_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
