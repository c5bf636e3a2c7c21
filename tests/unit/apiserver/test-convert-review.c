/* SPDX-License-Identifier: Apache-2.0 */
/* ConversionReview: what is asked, and which answers count. Texts have ' for ". */
#include "../doc/doc-check.h"

#include "apiserver/extension/convert-review.h"

#define OBJ(v, name, more) \
	"{'kind':'Foo','apiVersion':'example.com/" v "','metadata':{'name':'" name "'" more "}}"
#define UID "00000000-0000-4000-8000-000000000001"
#define ANSWER(objects)                                                                  \
	"{'kind':'ConversionReview','apiVersion':'apiextensions.k8s.io/v1','response':{" \
	"'uid':'" UID "','result':{'status':'Success'},'convertedObjects':[" objects "]}}"

static struct slice q(struct arena *a, const char *text)
{
	char *s = arena_strdup(a, text);

	for (char *p = s; *p; p++)
		*p = (char)(*p == '\'' ? '"' : *p);
	return slice_str(s);
}

static struct convert_review one(struct arena *a, struct slice *object, bool list)
{
	*object = q(a, "{'kind':'Foo','apiVersion':'example.com/v1','metadata':{'name':'a',"
		       "'namespace':'n','uid':'u','labels':{'k':'v'}},'spec':1}");
	return (struct convert_review){ .list = list,
					.uid = UID,
					.from = "example.com/v1, Kind=Foo",
					.kind = "Foo",
					.to = "example.com/v2",
					.objects = object,
					.n = 1 };
}

static void objects_are_asked_about_together(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("test", 1u << 20);
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1u << 20), small = BUF_INIT(100);
	struct slice v[2] = { q(a, OBJ("v1", "a", "")), q(a, OBJ("v1", "b", "")) };
	struct convert_review r = { .uid = UID, .to = "example.com/v2", .objects = v, .n = 2 };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(convert_review_write(&r, &b, &err), 0);
	assert_string_equal(buf_str(&b),
			    q(a,
			      "{'kind':'ConversionReview','apiVersion':'apiextensions.k8s.io/v1',"
			      "'request':{'uid':'" UID
			      "','desiredAPIVersion':'example.com/v2','objects':[" OBJ(
				      "v1", "a", "") "," OBJ("v1", "b", "") "]}}")
				    .p);
	r.beta = true;
	assert_int_equal(convert_review_write(&r, &small, &err), -ERR_TOO_LARGE);
}

static void the_first_known_version_is_spoken(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("test", 1u << 20);
	struct err err = ERR_INIT;
	struct doc *d;
	bool beta = true;

	(void)state;
	assert_int_equal(json_read(a, q(a, "['v7','v1','v1beta1']"), NULL, &d, &err), 0);
	assert_int_equal(convert_review_version(d, &beta, &err), 0);
	assert_false(beta);
	assert_int_equal(json_read(a, q(a, "['v1beta1','v1']"), NULL, &d, &err), 0);
	assert_int_equal(convert_review_version(d, &beta, &err), 0);
	assert_true(beta);
	assert_int_equal(json_read(a, q(a, "['v7']"), NULL, &d, &err), 0);
	assert_int_equal(convert_review_version(d, &beta, &err), -ERR_INVALID);
	assert_string_equal(err.msg, "no supported conversion review versions");
}

static void only_labels_and_annotations_are_the_webhooks(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("test", 1u << 20);
	struct slice object, text;
	struct convert_review r = one(a, &object, false);
	struct err err = ERR_INIT;
	struct doc d;

	(void)state;
	assert_int_equal(
		convert_review_read(
			q(a, ANSWER("{'apiVersion':'example.com/v2','kind':'Foo','metadata':{"
				    "'name':'a','namespace':'n','uid':'u','labels':{'x':'y'},"
				    "'finalizers':['a.b/c'],'annotations':{'p':'q'}},'spec':2}")),
			&r, a, &d, &err),
		0);
	assert_int_equal(json_print(a, &d, NULL, &text, NULL), 0);
	assert_string_equal(text.p,
			    q(a, "{'apiVersion':'example.com/v2','kind':'Foo','metadata':{'name':"
				 "'a','namespace':'n','uid':'u','labels':{'x':'y'},'annotations':{"
				 "'p':'q'}},'spec':2}")
				    .p);
	assert_int_equal(
		convert_review_read(q(a, ANSWER("{'apiVersion':'example.com/v2','kind':'Foo',"
						"'metadata':{'name':'a','namespace':'n','uid':'u'"
						"}}")),
				    &r, a, &d, &err),
		0);
	assert_null(doc_find(&d, "metadata.labels"));
}

#define META "'name':'a','namespace':'n','uid':'u'"
#define V2(meta) "{'apiVersion':'example.com/v2','kind':'Foo','metadata':{" meta "}}"

static void answers_that_lie_do_not_count(void **state)
{
	static const struct {
		const char *answer, *says;
		bool list;
	} rows[] = {
		{ "<html>", "failed: ", false },
		{ "[]",
		  "failed: expected webhook response of apiextensions.k8s.io/v1, "
		  "Kind=ConversionReview, got , Kind=",
		  false },
		{ "{'kind':'AdmissionReview','apiVersion':'admission.k8s.io/v1'}",
		  "got admission.k8s.io/v1, Kind=AdmissionReview", false },
		{ "{'kind':'ConversionReview','apiVersion':'apiextensions.k8s.io/v1'}",
		  "failed: no response provided", false },
		{ "{'kind':'ConversionReview','apiVersion':'apiextensions.k8s.io/v1','response':{"
		  "'uid':'other'}}",
		  "failed: expected response.uid=\"" UID "\", got \"other\"", false },
		{ "{'kind':'ConversionReview','apiVersion':'apiextensions.k8s.io/v1','response':{"
		  "'uid':7}}",
		  "failed: uid of the response is of type", false },
		{ "{'kind':'ConversionReview','apiVersion':'apiextensions.k8s.io/v1','response':{"
		  "'uid':'" UID "','convertedObjects':[{}]}}",
		  "failed: response.result.status was '', not 'Success'", false },
		{ "{'kind':'ConversionReview','apiVersion':'apiextensions.k8s.io/v1','response':{"
		  "'uid':'" UID "','result':{'status':'Failed','message':'no way'}}}",
		  "failed: no way", false },
		{ ANSWER(""), "returned 0 objects, expected 1", false },
		{ ANSWER(V2(META) "," V2(META)), "returned 2 objects, expected 1", false },
		{ ANSWER("7"), "returned invalid object: it is of type", false },
		{ ANSWER("{'apiVersion':'example.com/v1','kind':'Foo','metadata':{" META "}}"),
		  "returned invalid object: invalid groupVersion (expected example.com/v2, "
		  "received "
		  "example.com/v1)",
		  false },
		{ ANSWER("{'apiVersion':'example.com/v2','kind':'Bar','metadata':{" META "}}"),
		  "returned invalid object: invalid kind (expected Foo, received Bar)", false },
		{ ANSWER(V2("'name':'b','namespace':'n','uid':'u'")),
		  "returned invalid object: must have the same name: a != b", false },
		{ ANSWER(V2("'name':'b','namespace':'n','uid':'u'")),
		  "returned invalid converted object at index 0: must have the same name: a != b",
		  true },
		{ ANSWER(V2("'name':'a','uid':'u'")),
		  "must have the same namespace: n != ", false },
		{ ANSWER(V2("'name':'a','namespace':'n','uid':'x'")),
		  "must have the same UID: u != x", false },
		{ ANSWER("{'apiVersion':'example.com/v2','kind':'Foo'}"),
		  "must have the same name: a != ", false },
		{ ANSWER(V2(META ",'labels':[]")),
		  "returned invalid metadata: invalid metadata.labels of type", false },
		{ ANSWER(V2(META ",'labels':{'a':1}")),
		  "metadata.labels[a] must be a string, but is", false },
		{ ANSWER(V2(META ",'labels':{'a':'no blanks'}")),
		  "returned invalid metadata in object at index 0: metadata.labels", true },
		{ ANSWER(V2(META ",'annotations':{'a b':'c'}")),
		  "returned invalid metadata: metadata.annotations", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(arena_free) struct arena *a = arena_new("test", 1u << 20);
		struct slice object;
		struct convert_review r = one(a, &object, rows[i].list);
		struct err err = ERR_INIT;
		struct doc d;

		assert_true(convert_review_read(q(a, rows[i].answer), &r, a, &d, &err) < 0);
		if (strncmp(err.msg, "conversion webhook for example.com/v1, Kind=Foo ", 48) != 0 ||
		    !strstr(err.msg, rows[i].says))
			fail_msg("%s: %s", rows[i].answer, err.msg);
	}
}

static void the_older_version_is_not_asked_for_its_uid(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("test", 1u << 20);
	struct slice object;
	struct convert_review r = one(a, &object, false);
	struct err err = ERR_INIT;
	struct doc d;

	(void)state;
	r.beta = true;
	assert_int_equal(convert_review_read(q(a, "{'response':{'result':{'status':'Success'},"
						  "'convertedObjects':[" V2(META) "]}}"),
					     &r, a, &d, &err),
			 0);
}

static void what_does_not_fit_is_refused(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("test", 1u << 20);
	struct slice object, text = q(a, ANSWER(V2(META)));
	struct convert_review r = one(a, &object, false);
	struct err err = ERR_INIT;
	struct doc d;

	(void)state;
	for (size_t max = 64; max < 4096; max += 64) {
		CLEANUP(arena_free) struct arena *small = arena_new("small", max);
		int n = convert_review_read(text, &r, small, &d, &err);

		assert_true(n == 0 || n == -ERR_QUOTA);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_asked_about_together),
		cmocka_unit_test(the_first_known_version_is_spoken),
		cmocka_unit_test(only_labels_and_annotations_are_the_webhooks),
		cmocka_unit_test(answers_that_lie_do_not_count),
		cmocka_unit_test(the_older_version_is_not_asked_for_its_uid),
		cmocka_unit_test(what_does_not_fit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
