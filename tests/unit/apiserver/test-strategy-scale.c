/* SPDX-License-Identifier: Apache-2.0 */
/* Scale of workloads, built-in and custom, and owners of fields on both sides. */
#include "strategy-fix.h"

#include "api/custom.h"

#define META                                                                      \
	"'metadata':{'name':'x','namespace':'n','uid':'u','resourceVersion':'7'," \
	"'creationTimestamp':'2020-01-01T00:00:00Z','labels':{'l':'m'}}"
#define SCALE_META                                                     \
	"{'name':'x','namespace':'n','uid':'u','resourceVersion':'7'," \
	"'creationTimestamp':'2020-01-01T00:00:00Z'}"
#define PODS "'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[]}}"

static void a_scale_tells_replicas_and_selector(void **state)
{
	static const struct {
		const char *version, *kind, *obj, *want;
	} rows[] = {
		{ "apps/v1", "Deployment",
		  "{" META ",'spec':{'replicas':3,'selector':{'matchLabels':{"
		  "'z':'1','a':'b'},'matchExpressions':[{'key':'k','operator':'In','values':['v','"
		  "u']"
		  "}]}," PODS "},'status':{'replicas':2}}",
		  "{'kind':'Scale','apiVersion':'autoscaling/v1','metadata':" SCALE_META ",'spec':{"
		  "'replicas':3},'status':{'replicas':2,'selector':'a=b,k in (u,v),z=1'}}" },
		{ "apps/v1", "StatefulSet",
		  "{" META ",'spec':{'replicas':0,'selector':{'matchLabels':{"
		  "'a':'b'}}," PODS "}}",
		  "{'kind':'Scale','apiVersion':'autoscaling/v1','metadata':" SCALE_META
		  ",'spec':{},"
		  "'status':{'replicas':0,'selector':'a=b'}}" },
		{ "apps/v1", "ReplicaSet", "{" META ",'spec':{'selector':{}," PODS "}}",
		  "{'kind':'Scale','apiVersion':'autoscaling/v1','metadata':" SCALE_META ",'spec':{"
		  "'replicas':1},'status':{'replicas':0}}" },
		{ "v1", "ReplicationController",
		  "{" META ",'spec':{'replicas':4,'selector':{'q':'r',"
		  "'c':'d'}},'status':{'replicas':1}}",
		  "{'kind':'Scale','apiVersion':'autoscaling/v1','metadata':" SCALE_META ",'spec':{"
		  "'replicas':4},'status':{'replicas':1,'selector':'c=d,q=r'}}" },
	};
	struct sfix *x = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;
		struct doc scale;

		sfix_kind(x, rows[i].version, rows[i].kind, "scale");
		if (scale_get(x->objects.kind, sfix_doc(x, rows[i].obj), x->a, &scale, &err) != 0)
			fail_msg("%s: %s", rows[i].obj, err.msg);
		assert_doc(x->a, &scale, sfix_quoted(x, rows[i].want));
	}
	{
		struct err err = ERR_INIT;
		struct doc scale;

		sfix_kind(x, "v1", "Pod", "");
		assert_int_equal(
			scale_get(x->objects.kind, must_read(x->a, "{}"), x->a, &scale, &err),
			-ERR_NOT_FOUND);
		assert_non_null(strstr(err.msg, "the pods of \"v1\" have no scale"));
	}
}

#define DEPLOYMENT "{" META ",'spec':{'replicas':3,'selector':{'matchLabels':{'a':'b'}}," PODS "}}"

static int set(struct sfix *x, const char *scale, struct doc **ret, struct err *err)
{
	sfix_kind(x, "apps/v1", "Deployment", "");
	*ret = sfix_doc(x, DEPLOYMENT);
	return scale_set(x->objects.kind, *ret, must_read(x->a, sfix_quoted(x, scale)), x->a, err);
}

static void a_scale_sets_replicas(void **state)
{
	struct sfix *x = *state;
	struct err err = ERR_INIT;
	struct doc *obj;

	assert_int_equal(set(x,
			     "{'metadata':{'name':'x','namespace':'n','resourceVersion':'9'},'spec'"
			     ":{'replicas':5}}",
			     &obj, &err),
			 0);
	sfix_canonical(x, "scaled", obj);
	assert_true(
		sfix_facts(x, "scaled", obj,
			   "spec.replicas=5\nmetadata.resourceVersion='9'\nmetadata.labels={'l':'m'"
			   "}"));
	assert_int_equal(
		set(x, "{'metadata':{'name':'x','namespace':'n','uid':'u'},'spec':{}}", &obj, &err),
		0);
	assert_true(sfix_facts(x, "scaled", obj, "spec.replicas=0\nmetadata.resourceVersion="));

	assert_int_equal(set(x, "{'metadata':{'name':'x','namespace':'n'},'spec':{'replicas':-1}}",
			     &obj, &err),
			 -ERR_INVALID);
	assert_string_equal(err.msg,
			    "Scale.autoscaling \"x\" is invalid: spec.replicas: Invalid value: "
			    "-1: must be greater than or equal to 0");
	assert_int_equal(strategy_int(obj, "spec.replicas"), 3);
	assert_int_equal(
		set(x, "{'metadata':{'name':'x','namespace':'n','uid':'v'},'spec':{'replicas':1}}",
		    &obj, &err),
		-ERR_CONFLICT);
	assert_string_equal(
		err.msg,
		"Operation cannot be fulfilled on deployments/scale.apps \"x\": Precondition "
		"failed: UID in precondition: v, UID in object meta: u");
}

/* ---- owners ---- */

#define E(manager, operation, version, fields, more)                                           \
	"{'manager':'" manager "','operation':'" operation "','apiVersion':'" version "'" more \
	",'fieldsType':'FieldsV1','fieldsV1':" fields "}"
#define TIME ",'time':'2020-01-01T00:00:00Z'"
#define SUB ",'subresource':'scale'"
#define BOTH "{'f:spec':{'f:replicas':{},'f:selector':{}}}"
#define REPLICAS "{'f:spec':{'f:replicas':{}}}"
#define SELECTOR "{'f:spec':{'f:selector':{}}}"

static const char *entries(struct sfix *x, const char *list)
{
	return sfix_quoted(x, arena_printf(x->a, "[%s]", list));
}

/* Without blanks, members in upstream's order. */
static void assert_entries(struct sfix *x, const struct doc *have, const char *want)
{
	const struct json_style sorted = { .order = JSON_SORTED };
	const struct doc none = doc_array();

	assert_string_equal(written(x->a, doc_len(have) ? have : &none, &sorted),
			    written(x->a, must_read(x->a, entries(x, want)), &sorted));
}

static void owners_of_replicas_own_those_of_the_scale(void **state)
{
	struct sfix *x = *state;
	const struct doc *list;
	struct err err = ERR_INIT;
	struct doc out;

	sfix_kind(x, "apps/v1", "Deployment", "");
	list = must_read(x->a, entries(x, E("kubectl", "Apply", "apps/v1", BOTH, TIME) "," E(
						  "other", "Update", "apps/v1", SELECTOR,
						  TIME) "," E("hpa", "Update", "apps/v1", REPLICAS,
							      SUB TIME) "," E("old", "Update",
									      "apps/v1beta1",
									      REPLICAS, "")));
	assert_int_equal(scale_managed_from_parent(x->objects.kind, list, x->a, &out, &err), 0);
	assert_entries(x, &out,
		       E("kubectl", "Apply", "autoscaling/v1", REPLICAS,
			 TIME) "," E("hpa", "Update", "autoscaling/v1", REPLICAS, SUB TIME));
	assert_int_equal(scale_managed_from_parent(x->objects.kind, NULL, x->a, &out, &err), 0);
	assert_int_equal(doc_len(&out), 0);
	assert_int_equal(scale_managed_from_parent(x->objects.kind,
						   must_read(x->a, "[{\"operation\":\"Odd\"}]"),
						   x->a, &out, &err),
			 -ERR_INVALID);
}

/* Who owned what before and after: upstream's own cases (apimachinery, scalehandler). */
static void owners_of_the_scale_own_replicas(void **state)
{
	static const struct {
		const char *parent, *scale, *want;
	} rows[] = {
		{ "", E("scale", "Update", "autoscaling/v1", REPLICAS, SUB),
		  E("scale", "Update", "apps/v1", REPLICAS, SUB) },
		{ E("test", "Update", "apps/v1", BOTH, ""),
		  E("scale", "Apply", "autoscaling/v1", REPLICAS, SUB),
		  E("scale", "Apply", "apps/v1", REPLICAS, SUB) "," E("test", "Update", "apps/v1",
								      SELECTOR, "") },
		{ E("test", "Apply", "apps/v1", BOTH, TIME),
		  E("test", "Apply", "autoscaling/v1", REPLICAS, SUB),
		  E("test", "Apply", "apps/v1", REPLICAS, SUB) "," E("test", "Apply", "apps/v1",
								     SELECTOR, TIME) },
		{ E("test", "Update", "apps/v1", BOTH, ""),
		  E("test", "Update", "autoscaling/v1", REPLICAS, SUB),
		  E("test", "Update", "apps/v1", SELECTOR, "") "," E("test", "Update", "apps/v1",
								     REPLICAS, SUB) },
		{ E("test", "Apply", "apps/v1", SELECTOR, ""),
		  E("scale", "Update", "autoscaling/v1", "{'f:status':{'f:replicas':{}}}", SUB),
		  E("test", "Apply", "apps/v1", SELECTOR, "") },
		{ E("test", "Apply", "apps/v1", REPLICAS, ""),
		  E("scale", "Update", "autoscaling/v1", REPLICAS, SUB),
		  E("scale", "Update", "apps/v1", REPLICAS, SUB) },
		{ E("test", "Apply", "apps/v1", BOTH, TIME),
		  E("test", "Apply", "autoscaling/v1", REPLICAS,
		    "") "," E("test", "Apply", "autoscaling/v1", REPLICAS, SUB),
		  E("test", "Apply", "apps/v1", REPLICAS, SUB) "," E("test", "Apply", "apps/v1",
								     BOTH, TIME) },
		{ E("test", "Apply", "apps/v1", REPLICAS, "") "," E("another", "Apply", "apps/v10",
								    SELECTOR, ""),
		  E("scale", "Update", "autoscaling/v1", REPLICAS, ""),
		  E("scale", "Update", "apps/v1", REPLICAS, "") },
	};
	struct sfix *x = *state;

	sfix_kind(x, "apps/v1", "Deployment", "");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;
		struct doc out;

		if (scale_managed_to_parent(
			    x->objects.kind, must_read(x->a, entries(x, rows[i].parent)),
			    must_read(x->a, entries(x, rows[i].scale)), x->a, &out, &err) != 0)
			fail_msg("%zu: %s", i, err.msg);
		assert_entries(x, &out, rows[i].want);
	}
}

/* ---- custom kinds ---- */

#define VERSION(name, storage, more)                                                              \
	"{'name':'" name "','served':true,'storage':" storage                                     \
	",'schema':{'openAPIV3Schema':{'type':"                                                   \
	"'object','x-kubernetes-preserve-unknown-fields':true}},'subresources':{'status':{}" more \
	"}}"
#define CRD                                                                                     \
	"{'apiVersion':'apiextensions.k8s.io/"                                                  \
	"v1','kind':'CustomResourceDefinition','metadata':{'name':"                             \
	"'foos.e.com'},'spec':{'group':'e.com','scope':'Namespaced','names':{'plural':'foos','" \
	"singular'"                                                                             \
	":'foo','kind':'Foo','listKind':'FooList'},'versions':[" VERSION(                       \
		"v1", "true",                                                                   \
		",'scale':{'specReplicasPath':'.spec.size','statusReplicasPath':'.status."      \
		"size','labelSelectorPath':'.status.selector'}") "," VERSION("v2", "false",     \
									     "") "]}}"

static struct custom *compile(struct sfix *x)
{
	const struct api_kind *k =
		api_kind(&x->api, "apiextensions.k8s.io/v1", "CustomResourceDefinition");
	struct custom *custom = NULL;
	struct err err = ERR_INIT;
	struct doc d;

	assert_int_equal(
		api_admit(k->type, must_read(x->a, sfix_quoted(x, CRD)), x->a, 0, NULL, &d, &err),
		0);
	if (custom_compile(&x->api, &d, &custom, &err) != 0)
		fail_msg("%s", err.msg);
	return custom;
}

static void custom_kinds_scale_by_their_paths(void **state)
{
	struct sfix *x = *state;
	CLEANUP(custom_unref) struct custom *custom = compile(x);
	const struct api_kind *k = custom_version(custom, "v1");
	struct doc *obj =
		must_read(x->a, sfix_quoted(x, "{'apiVersion':'e.com/v1','kind':'Foo',"
					       "'metadata':{'name':'x','uid':'u'},'spec':{"
					       "'size':2},'status':{'size':1,'selector':'a=b'"
					       "}}"));
	const struct doc *list;
	struct err err = ERR_INIT;
	struct doc out;

	assert_int_equal(scale_get(k, obj, x->a, &out, &err), 0);
	assert_true(sfix_facts(x, "custom", &out,
			       "spec.replicas=2\nstatus={'replicas':1,'selector':'a=b'}"));
	assert_int_equal(scale_set(k, obj,
				   must_read(x->a, "{\"metadata\":{\"name\":\"x\"},\"spec\":{"
						   "\"replicas\":4}}"),
				   x->a, &err),
			 0);
	assert_true(sfix_facts(x, "custom", obj, "spec={'size':4}"));
	assert_int_equal(scale_get(custom_version(custom, "v2"), obj, x->a, &out, &err),
			 -ERR_NOT_FOUND);

	/* Entries of a version without a scale go on. */
	list = must_read(x->a, entries(x, E("a", "Apply", "e.com/v1",
					    "{'f:spec':{'f:size':{},'f:o':{}"
					    "}}",
					    TIME) "," E("b", "Update", "e.com/v2",
							"{'f:spec':{'f:size':{}}}", "")));
	assert_int_equal(scale_managed_from_parent(k, list, x->a, &out, &err), 0);
	assert_entries(x, &out, E("a", "Apply", "autoscaling/v1", REPLICAS, TIME));
	assert_int_equal(scale_managed_to_parent(
				 k, list,
				 must_read(x->a, entries(x, E("s", "Update", "autoscaling/v1",
							      REPLICAS, SUB))),
				 x->a, &out, &err),
			 0);
	assert_entries(x, &out,
		       E("a", "Apply", "e.com/v1", "{'f:spec':{'f:o':{}}}",
			 TIME) "," E("b", "Update", "e.com/v2", "{'f:spec':{'f:size':{}}}",
				     "") "," E("s", "Update", "e.com/v1",
					       "{'f:spec':{'f:size':{}}}", SUB));
}

static struct doc *custom_doc(struct sfix *x, const char *text)
{
	return must_read(x->a, sfix_quoted(x, text));
}

static void custom_kinds_keep_and_count_like_others(void **state)
{
#define FOO "'apiVersion':'e.com/v1','kind':'Foo'"
	struct sfix *x = *state;
	CLEANUP(custom_unref) struct custom *custom = compile(x);
	struct strategy bare = strategy_custom;
	struct err err = ERR_INIT;
	struct doc *obj, *old;

	sfix_kind(x, "v1", "Pod", "");
	x->objects.kind = custom_version(custom, "v1");
	/* Without what asks the world: is the definition going? */
	bare.create = NULL;
	x->objects.strategy = &bare;
	obj = custom_doc(x, "{" FOO ",'metadata':{'name':'x'},'spec':{'a':1},'status':{'s':1}}");
	assert_int_equal(strategy_create(&x->c, obj, &err), 0);
	assert_true(sfix_facts(x, "new", obj, "metadata.generation=1\nstatus=\nspec={'a':1}"));

	old = custom_doc(x, "{" FOO
			    ",'metadata':{'name':'x','generation':3,'labels':{'l':'m'}},'spec':{"
			    "'a':1},'status':{'s':1}}");
	obj = custom_doc(x, "{" FOO ",'metadata':{'name':'x','labels':{'n':'o'}},'spec':{'a':1},"
			    "'status':{'s':2}}");
	assert_int_equal(strategy_update(&x->c, obj, old, &err), 0);
	assert_true(sfix_facts(x, "update", obj,
			       "metadata.generation=3\nmetadata.labels={'n':'o'}\nstatus={'s':1}"));
	obj = custom_doc(x, "{" FOO ",'metadata':{'name':'x'},'extra':true,'spec':{'a':1}}");
	assert_int_equal(strategy_update(&x->c, obj, old, &err), 0);
	assert_true(
		sfix_facts(x, "update", obj, "metadata.generation=4\nextra=true\nstatus={'s':1}"));

	x->c.sub = "status";
	obj = custom_doc(x,
			 "{" FOO ",'metadata':{'name':'x','labels':{'n':'o'},'managedFields':[{}]},"
			 "'extra':true,'status':{'s':2}}");
	assert_int_equal(strategy_update(&x->c, obj, old, &err), 0);
	assert_true(sfix_facts(x, "status", obj,
			       "metadata.generation=3\nmetadata.labels={'l':'m'}\nspec={'a':1}\n"
			       "extra=\nstatus={'s':2}\nmetadata.managedFields=[{}]"));
	{
		struct doc reset = doc_null(), only = doc_null();

		assert_true(strategy_reset_fields(&x->objects, "status", x->a, &reset, &only));
		assert_doc(x->a, &reset, "{\"f:metadata\":{},\"f:spec\":{}}");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCASE(a_scale_tells_replicas_and_selector),
		SCASE(a_scale_sets_replicas),
		SCASE(owners_of_replicas_own_those_of_the_scale),
		SCASE(owners_of_the_scale_own_replicas),
		SCASE(custom_kinds_scale_by_their_paths),
		SCASE(custom_kinds_keep_and_count_like_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
