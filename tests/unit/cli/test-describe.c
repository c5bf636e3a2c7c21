/* SPDX-License-Identifier: Apache-2.0 */
/* kubectl describe without a cluster: columns, lines with values, parts, kinds that ask nobody. */
#include "cli-test.h"

#include "cli/kubectl/describe-node.h"
#include "cli/kubectl/describe-pod.h"

#include <time.h>

struct fixture {
	struct kubectl k;
	struct describe d;
};

static struct fixture *fixture(struct arena *a, const char *obj)
{
	struct fixture *f = ARENA_NEW(a, struct fixture);

	assert_non_null(f);
	f->k.arena = a;
	f->d = (struct describe){ .k = &f->k,
				  .obj = obj ? doc_of(a, obj) : NULL,
				  .name = "n",
				  .space = "s",
				  .text = BUF_INIT(1 << 20) };
	return f;
}

static void assert_text(struct fixture *f, const char *text)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 20);

	describe_align(buf_slice(&f->d.text), &b);
	assert_string_equal(buf_str(&b), text);
	assert_false(f->d.text.full || b.full);
	buf_fini(&f->d.text);
}

static void columns_are_runs_of_lines_that_have_them(void **state)
{
	static const char *const rows[][2] = {
		{ "", "" },
		{ "a", "a" },
		{ "a\n", "a\n" },
		{ "a:\tb\nlong:\tc\n", "a:     b\nlong:  c\n" },
		/* a line without the column ends it */
		{ "a:\tb\nx\nlong:\tc\n", "a:  b\nx\nlong:  c\n" },
		{ "a\tb\tc\naa\tbb\n", "a   b  c\naa  bb\n" },
		/* an empty cell is as wide as the blanks between */
		{ "\tb\nx\tc\n", "   b\nx  c\n" },
		{ "\t\tb\n", "    b\n" },
		{ "\303\244\tb\nab\tc\n", "\303\244   b\nab  c\n" },
		{ "a\vb\fc\td\n", "a  b\nc  d\n" },
		{ "a\t\n", "a  \n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);

		describe_align(slice_str(rows[i][0]), &b);
		assert_string_equal(buf_str(&b), rows[i][1]);
	}
}

static void many_columns_are_bounded(void **state)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20);

	(void)state;
	for (int i = 0; i < 2000; i++)
		buf_adds(&text, "x\t");
	buf_adds(&text, "y\n");
	describe_align(buf_slice(&text), &out);
	/* two blanks behind the first 256, the rest stands as it is */
	assert_int_equal(out.n, 2000 + 2 * 256 + 2);
}

static void lines_have_values(void **state)
{
	struct fixture *f = fixture(*state, "{\"a\":\"x\",\"n\":3,\"l\":[\"p\",\"q\"],\"m\":"
					    "{\"b\":{\"c\":\"deep\"},\"z\":null},\"q\":\"1024Mi\","
					    "\"e\":\"\",\"r\":{\"name\":\"s\"},\"t\":true,"
					    "\"esc\":\"\\u001b[1m\\r\"}");

	describe_put(&f->d, 1, f->d.obj, "A:\t{a}\nN:\t{n}\nM:\t{m.b.c}\n");
	describe_put(&f->d, 0, f->d.obj, "{none|<none>} {e|-} {m.z|null} {none} {t|false}\n");
	describe_put(&f->d, 0, f->d.obj, "{*l} {+l} {l} {*none|no} {~q} {~none|0} {esc}\n");
	describe_put(&f->d, 0, f->d.obj, "{&r} {%r} {&none}\n");
	describe_opt(&f->d, 0, f->d.obj, "a", "is {a}\n");
	describe_opt(&f->d, 0, f->d.obj, "e", "is {e}\n");
	describe_opt(&f->d, 0, f->d.obj, "m.z", "is {m.z}\n");
	assert_text(f, "  A:  x\n  N:  3\n  M:  deep\n<none> - null  true\n"
		       "p,q p, q [p q] no 1Gi 0 ^[[1m\\r\n"
		       "&LocalObjectReference{Name:s,} &SecretReference{Name:s,Namespace:,} nil\n"
		       "is x\n");
}

static void times_are_local(void **state)
{
	struct fixture *f = fixture(*state, "{\"t\":\"2026-01-02T03:04:05Z\"}");

	setenv("TZ", "UTC", 1);
	tzset();
	describe_put(&f->d, 0, f->d.obj, "{@t}\n{^t}\n{@none|<unset>}\n{@none}\n");
	assert_text(f, "Fri, 02 Jan 2026 03:04:05 +0000\n2026-01-02 03:04:05 +0000 UTC\n<unset>\n"
		       "Mon, 01 Jan 0001 00:00:00 +0000\n");
}

static void labels_and_annotations_stand_below_each_other(void **state)
{
	struct fixture *f = fixture(*state, "{\"metadata\":{\"name\":\"x\",\"namespace\":\"y\","
					    "\"labels\":{\"b\":\"2\",\"a\":\"1\"},\"annotations\":"
					    "{\"k\":\"v\",\"lines\":\"one\\ntwo\\n\"}}}");
	struct fixture *g = fixture(*state, "{\"metadata\":{\"name\":\"x\"}}");
	char *text = arena_alloc(*state, 200);

	describe_head(&f->d, true);
	assert_text(f, "Name:         x\nNamespace:    y\nLabels:       a=1\n              b=2\n"
		       "Annotations:  k: v\n              lines:\n                one\n"
		       "                two\n");
	describe_head(&g->d, false);
	assert_text(g, "Name:         x\nLabels:       <none>\nAnnotations:  <none>\n");
	memset(text, 'x', 150);
	describe_annotations(&g->d, "A",
			     doc_of(*state, arena_printf(*state, "{\"k\":\"%s\"}", text)));
	text[138] = '\0';
	assert_text(g, arena_printf(*state, "A:  k:\n      %s...\n", text));
}

static void selectors_are_text(void **state)
{
	struct fixture *f = fixture(*state, NULL);
	struct doc *s = doc_of(*state, "{\"matchLabels\":{\"b\":\"c\",\"a\":\"b\"},"
				       "\"matchExpressions\":[{\"key\":\"k\",\"operator\":\"In\","
				       "\"values\":[\"y\",\"x\"]}]}");

	assert_string_equal(describe_selector(&f->d, s, ""), "a=b,b=c,k in (x,y)");
	assert_string_equal(describe_selector(&f->d, NULL, "<none>"), "<none>");
	assert_string_equal(describe_selector(&f->d, doc_of(*state, "{}"), "<none>"), "<none>");
	assert_string_equal(describe_map(&f->d, doc_of(*state, "{\"b\":\"1\",\"a\":\"2\"}")),
			    "a=2,b=1");
	assert_string_equal(describe_map(&f->d, NULL), "<none>");
	assert_part(describe_selector(&f->d,
				      doc_of(*state, "{\"matchExpressions\":[{\"key\":\"k\","
						     "\"operator\":\"?\"}]}"),
				      ""),
		    "<error: ");
}

static void events_are_sorted_by_their_last_time(void **state)
{
	struct fixture *f = fixture(*state, NULL);

	describe_events(&f->d);
	f->d.events = doc_of(*state, "[]");
	describe_events(&f->d);
	f->d.events = doc_of(
		*state,
		"[{\"type\":\"T\",\"reason\":\"late\",\"lastTimestamp\":\"2020-01-02T00:00:00Z\","
		"\"message\":\" m \\n\",\"source\":{\"component\":\"c\"}},"
		"{\"reason\":\"early\",\"lastTimestamp\":\"2020-01-01T00:00:00Z\","
		"\"reportingComponent\":\"r\"}]");
	describe_events(&f->d);
	assert_text(f, "Events:  <none>\nEvents:\n  Type  Reason  Age        From  Message\n"
		       "  ----  ------  ----       ----  -------\n"
		       "        early   <unknown>  r     \n"
		       "  T     late    <unknown>  c     m\n");
}

static void other_kinds_show_all_members(void **state)
{
	struct fixture *f = fixture(
		*state,
		"{\"apiVersion\":\"v\",\"kind\":\"K\",\"metadata\":{\"name\":\"x\",\"uid\":\"u\","
		"\"managedFields\":[1]},\"spec\":{\"name\":\"n\",\"podIPs\":[\"a\",{\"hostURL\":1}"
		"],\"x_y\":null,\"someAPIThing\":true,\"empty\":\"\"}}");
	struct err err = ERR_INIT;

	assert_int_equal(describe_generic(&f->d, &err), 0);
	assert_text(f, "Name:         x\nNamespace:    \nLabels:       <none>\n"
		       "Annotations:  <none>\nAPI Version:  v\nKind:         K\nMetadata:\n"
		       "  UID:  u\nSpec:\n  Empty:  \n  Name:   n\n  Pod I Ps:\n    a\n"
		       "    Host URL:      1\n  Some API Thing:  true\n  x_y:             <nil>\n");
}

static void a_pod_takes_the_most_of_what_runs_at_once(void **state)
{
	struct doc *pod = doc_of(
		*state,
		"{\"spec\":{\"overhead\":{\"cpu\":\"10m\"},\"initContainers\":["
		"{\"resources\":{\"requests\":{\"cpu\":\"1\"}}},"
		"{\"restartPolicy\":\"Always\",\"resources\":{\"requests\":{\"cpu\":\"100m\"}}},"
		"{\"resources\":{\"requests\":{\"cpu\":\"500m\",\"memory\":\"1Gi\"}}}],"
		"\"containers\":[{\"name\":\"c\",\"resources\":{\"requests\":{\"cpu\":\"200m\"},"
		"\"limits\":{\"memory\":\"1Mi\"}}}]},\"status\":{\"containerStatuses\":[{\"name\":"
		"\"c\",\"resources\":{\"requests\":{\"cpu\":\"300m\"}}}]}}");
	struct fixture *f = fixture(*state, NULL);
	struct describe_amounts *s = ARENA_NEW(*state, struct describe_amounts);
	struct quantity q;

	describe_pod_amounts(pod, false, s);
	q = describe_amounts_get(s, "cpu");
	assert_string_equal(describe_quantity(&f->d, &q), "1010m");
	q = describe_amounts_get(s, "memory");
	assert_string_equal(describe_quantity(&f->d, &q), "1Gi");
	describe_pod_amounts(pod, true, s);
	q = describe_amounts_get(s, "cpu");
	assert_string_equal(describe_quantity(&f->d, &q), "0");
	q = describe_amounts_get(s, "memory");
	assert_string_equal(describe_quantity(&f->d, &q), "1Mi");
}

static void texts_are_quoted_as_go_does(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);

	(void)state;
	describe_quote(SLICE("a\"b\\\n\t\r\001\303\244"), &b);
	assert_string_equal(buf_str(&b), "\"a\\\"b\\\\\\n\\t\\r\\x01\303\244\"");
}

static void nothing_is_asked_of_strange_objects(void **state)
{
	static const struct describe_kind *const areas[] = { describe_stores, describe_workloads };
	static const char *const objects[] = {
		"{}", "{\"spec\":1,\"status\":[],\"metadata\":\"x\"}",
		"{\"spec\":{\"containers\":{\"a\":1},\"volumes\":[1,{\"csi\":2}],\"template\":[]}}"
	};
	static const char *const calm[] = { "PersistentVolume",
					    "StorageClass",
					    "CSINode",
					    "VolumeAttributesClass",
					    "Pod",
					    "CronJob",
					    "Job",
					    "HorizontalPodAutoscaler",
					    "PodDisruptionBudget",
					    NULL };

	for (size_t i = 0; i < ARRAY_LEN(objects); i++)
		for (size_t j = 0; j < ARRAY_LEN(areas); j++)
			for (const struct describe_kind *k = areas[j]; k->kind; k++) {
				struct fixture *f = fixture(*state, objects[i]);
				struct err err = ERR_INIT;

				if (!str_is_one_of(k->kind, calm))
					continue;
				assert_int_equal(k->run(&f->d, &err), 0);
				assert_true(f->d.text.n > 0);
				buf_fini(&f->d.text);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_runs_of_lines_that_have_them),
		cmocka_unit_test(many_columns_are_bounded),
		ARENA_CASE(lines_have_values),
		ARENA_CASE(times_are_local),
		ARENA_CASE(labels_and_annotations_stand_below_each_other),
		ARENA_CASE(selectors_are_text),
		ARENA_CASE(events_are_sorted_by_their_last_time),
		ARENA_CASE(other_kinds_show_all_members),
		ARENA_CASE(a_pod_takes_the_most_of_what_runs_at_once),
		cmocka_unit_test(texts_are_quoted_as_go_does),
		ARENA_CASE(nothing_is_asked_of_strange_objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
