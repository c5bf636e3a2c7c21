/* SPDX-License-Identifier: Apache-2.0 */
/* What other API servers say of themselves: what is taken over, what is not. */
#include "../doc/doc-check.h"

#include "apiserver/extension/aggregator-private.h"

#include <string.h>

#define GV "wardle.example.com/v1alpha1"
#define LIST(resources) \
	"{'kind':'APIResourceList','groupVersion':'" GV "','resources':[" resources "]}"

static struct slice text_of(struct arena *a, const char *quoted)
{
	char *p = arena_strdup(a, quoted);

	assert_non_null(p);
	for (char *q = p; *q; q++)
		*q = *q == '\'' ? '"' : *q;
	return slice_str(p);
}

static void gives(struct arena *a, const char *list, const char *want)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(REMOTE_DOCUMENT_MAX);
	struct err err = ERR_INIT;

	if (remote_resources(text_of(a, list), GV, a, &out, &err) < 0)
		fail_msg("%s: %s", list, err.msg);
	assert_string_equal(buf_str(&out), text_of(a, want).p);
}

static void fails(struct arena *a, const char *list, enum err_code code, const char *part)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(REMOTE_DOCUMENT_MAX);
	struct err err = ERR_INIT;

	assert_int_equal(remote_resources(text_of(a, list), GV, a, &out, &err), -(int)code);
	if (!strstr(err.msg, part))
		fail_msg("'%s' is not in '%s'", part, err.msg);
}

static void a_resource_is_written_anew(void **state)
{
	gives(*state,
	      LIST("{'name':'flunders','singularName':'flunder','namespaced':true,'kind':'Flunder',"
		   "'verbs':['get','list'],'shortNames':['fl'],'categories':['all'],'more':{'x':1}"
		   "}"),
	      "[{'resource':'flunders','responseKind':{'group':'wardle.example.com','version':"
	      "'v1alpha1','kind':'Flunder'},'scope':'Namespaced','singularResource':'flunder',"
	      "'verbs':['get','list'],'shortNames':['fl'],'categories':['all']}]");
	gives(*state, LIST("{'name':'a','kind':'A','group':'x.io','version':'v2','verbs':null}"),
	      "[{'resource':'a','responseKind':{'group':'x.io','version':'v2','kind':'A'},'scope':"
	      "'Cluster','singularResource':'','verbs':[]}]");
	gives(*state, LIST(""), "[]");
}

static void subresources_stand_in_their_resource(void **state)
{
	gives(*state,
	      LIST("{'name':'a/scale','kind':'Scale','group':'autoscaling','version':'v1','verbs':["
		   "'get'],'namespaced':true},{'name':'a','kind':'A','namespaced':true,'verbs':["
		   "'get']},{'name':'a/status','kind':'A','verbs':['patch']}"),
	      "[{'resource':'a','responseKind':{'group':'wardle.example.com','version':'v1alpha1',"
	      "'kind':'A'},'scope':'Namespaced','singularResource':'','verbs':['get'],"
	      "'subresources':[{'subresource':'scale','responseKind':{'group':'autoscaling',"
	      "'version':'v1','kind':'Scale'},'verbs':['get']},{'subresource':'status',"
	      "'responseKind':{'group':'wardle.example.com','version':'v1alpha1','kind':'A'},"
	      "'verbs':['patch']}]}]");
}

static void what_is_no_such_list_is_refused(void **state)
{
	fails(*state, "<html>", ERR_INVALID, "no JSON");
	fails(*state, "{'kind':'APIResourceList','groupVersion':'", ERR_INVALID, "no JSON");
	fails(*state, "[]", ERR_INVALID, "no APIResourceList of " GV);
	fails(*state, "{'kind':'Status','groupVersion':'" GV "','resources':[]}", ERR_INVALID,
	      "no APIResourceList");
	fails(*state, "{'kind':'APIResourceList','groupVersion':'apps/v1','resources':[]}",
	      ERR_INVALID, "no APIResourceList");
	fails(*state, "{'kind':'APIResourceList','groupVersion':'" GV "','resources':{}}",
	      ERR_INVALID, "no APIResourceList");
}

static void odd_names_are_refused(void **state)
{
	fails(*state, LIST("{'name':'<b>','kind':'A'}"), ERR_INVALID, "\"<b>\": its name");
	fails(*state, LIST("{'name':'','kind':'A'}"), ERR_INVALID, "its name");
	fails(*state, LIST("{'name':'a/','kind':'A'}"), ERR_INVALID, "its name");
	fails(*state, LIST("7"), ERR_INVALID, "its name");
	fails(*state, LIST("{'name':'a','kind':'A B'}"), ERR_INVALID, "its kind");
	fails(*state, LIST("{'name':'a'}"), ERR_INVALID, "its kind");
	fails(*state, LIST("{'name':'a','kind':'A','group':'/'}"), ERR_INVALID, "its group");
	fails(*state, LIST("{'name':'a','kind':'A','singularName':'\\n'}"), ERR_INVALID,
	      "its singularName");
	fails(*state, LIST("{'name':'a','kind':'A','verbs':['get',1]}"), ERR_INVALID, "its verbs");
	fails(*state, LIST("{'name':'a','kind':'A','shortNames':['\\u0000']}"), ERR_INVALID,
	      "its shortNames");
}

static void there_are_only_so_many(void **state)
{
	struct arena *a = *state;
	CLEANUP(buf_fini) struct buf list = BUF_INIT(1u << 20), out = BUF_INIT(REMOTE_DOCUMENT_MAX);
	struct err err = ERR_INIT;

	(void)buf_adds(&list,
		       "{\"kind\":\"APIResourceList\",\"groupVersion\":\"" GV "\",\"resources\":[");
	for (int i = 0; i < 2001; i++)
		(void)buf_addf(&list, "%s{\"name\":\"r%d\",\"kind\":\"K\"}", i ? "," : "", i);
	(void)buf_adds(&list, "]}");
	assert_int_equal(remote_resources(buf_slice(&list), GV, a, &out, &err), -ERR_QUOTA);
	assert_non_null(strstr(err.msg, "more than 2000 resources"));
}

static void an_index_names_one_document_of_the_group(void **state)
{
#define INDEX(url) "{'paths':{'apis/" GV "':{'serverRelativeURL':'" url "'}}}"
	struct arena *a = *state;

	assert_string_equal(
		remote_index(text_of(a, INDEX("/openapi/v3/apis/" GV "?hash=A-1")), GV, a),
		"/openapi/v3/apis/" GV "?hash=A-1");
	assert_string_equal(remote_index(text_of(a, INDEX("/openapi/v3/apis/" GV)), GV, a),
			    "/openapi/v3/apis/" GV);
	assert_null(remote_index(text_of(a, INDEX("https://x/openapi/v3/apis/" GV)), GV, a));
	assert_null(remote_index(text_of(a, INDEX("/openapi/v3/apis/" GV "/../x")), GV, a));
	assert_null(remote_index(text_of(a, INDEX("/openapi/v3/apis/" GV "?hash=a'b")), GV, a));
	assert_null(remote_index(text_of(a, INDEX("/openapi/v3/apis/" GV "?hash=")), GV, a));
	assert_null(remote_index(SLICE("{\"paths\":[]}"), GV, a));
	assert_null(remote_index(SLICE("nothing"), GV, a));
}

static void of_version_2_its_paths_and_what_they_refer_to_are_taken(void **state)
{
	struct arena *a = *state;
	CLEANUP(buf_fini) struct buf out = BUF_INIT(REMOTE_SWAGGER_MAX);
	struct err err = ERR_INIT;
	const struct slice text = text_of(
		a, "{'swagger':'2.0','paths':{'/apis/" GV "/flunders':{'get':{'schema':{'$ref':"
		   "'#/definitions/List'}}},'/apis/" GV "2/x':{},'/api/v1/pods':{'$ref':"
		   "'#/definitions/Pod'},'/apis/" GV "/':7},'definitions':{'Pod':{},'One':{'items':"
		   "[{'$ref':'#/definitions/One'},{'$ref':'#/definitions/None'}]},'List':{'of':{"
		   "'$ref':'#/definitions/One'}}}}");

	assert_int_equal(remote_swagger(text, GV, a, &out, &err), 0);
	assert_string_equal(
		buf_str(&out),
		text_of(a, "{'paths':{'/apis/" GV "/flunders':{'get':{'schema':{'$ref':"
			   "'#/definitions/List'}}}},'definitions':{'List':{'of':{'$ref':"
			   "'#/definitions/One'}},'One':{'items':[{'$ref':'#/definitions/One'},"
			   "{'$ref':'#/definitions/None'}]}}}")
			.p);
	assert_int_equal(remote_swagger(SLICE("[]"), GV, a, &out, &err), -ERR_INVALID);
	assert_int_equal(remote_swagger(SLICE("{\"swagger\":\"3\"}"), GV, a, &out, &err),
			 -ERR_INVALID);
	assert_non_null(strstr(err.msg, "no OpenAPI document of version 2"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_resource_is_written_anew),
		CASE(subresources_stand_in_their_resource),
		CASE(what_is_no_such_list_is_refused),
		CASE(odd_names_are_refused),
		CASE(there_are_only_so_many),
		CASE(of_version_2_its_paths_and_what_they_refer_to_are_taken),
		CASE(an_index_names_one_document_of_the_group),
	};

	return cmocka_run_group_tests_name("apiserver aggregator-discovery", tests, NULL, NULL);
}
