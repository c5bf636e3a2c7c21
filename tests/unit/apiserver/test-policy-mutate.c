/* SPDX-License-Identifier: Apache-2.0 */
/* MutatingAdmissionPolicy through the whole server. */
#include "policy-fix.h"

#define NEVER "'reinvocationPolicy':'Never',"
#define AGAIN "'reinvocationPolicy':'IfNeeded',"
#define APPLY(text)                                                                                \
	"'mutations':[{'patchType':'ApplyConfiguration','applyConfiguration':{'expression':'" text \
	"'}}]"
#define PATCH(text) "'mutations':[{'patchType':'JSONPatch','jsonPatch':{'expression':'" text "'}}]"
#define ON_PODS ON("'CREATE'", "", "v1", "pods")

static void applied_configurations_are_merged(void **state)
{
	struct rfix *x = *state;

	changed(x, NEVER ON_PODS
		"," APPLY("Object{metadata: Object.metadata{labels: {`env`: `test`}}, spec: "
			  "Object.spec{initContainers: [Object.spec.initContainers{name: `mesh`, "
			  "image: `mesh:v1`, restartPolicy: `Always`}]}}"));
	apost(x, PODS,
	      "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'p','labels':{'a':'b'}},'spec':"
	      "{" C1 "}}",
	      201);
	ahas(x, "'labels':{'a':'b','env':'test'}");
	ahas(x, "'initContainers':[{'name':'mesh','image':'mesh:v1','resources':{},'restartPolicy':"
		"'Always',"
		"'terminationMessagePath':'/dev/termination-log'");
	ahas(x, "'containers':[{'name':'c','image':'i'");
	/* a second one of the same key is joined with the first */
	apost(x, PODS, APOD("q", "'initContainers':[{'name':'mesh','image':'old'}]," C1), 201);
	ahas(x, "'initContainers':[{'name':'mesh','image':'mesh:v1'");
}

static void json_patches_are_applied(void **state)
{
	struct rfix *x = *state;

	changed(x, NEVER ON_CMS
		"," PATCH("[JSONPatch{op: `test`, path: `/data/k`, value: `v`}, JSONPatch{op: "
			  "`replace`, path: "
			  "`/data/k`, value: `w`}, JSONPatch{op: `add`, path: `/metadata/labels`, "
			  "value: "
			  "{`a`: `b`}}, JSONPatch{op: `add`, path: `/metadata/labels/` + "
			  "jsonpatch.escapeKey(`example.com/xy`), value: `1`}]"));
	ppost(x, CMS, CM("m", "'k':'v'"), 201);
	ahas(x, "'data':{'k':'w'}");
	ahas(x, "'labels':{'a':'b','example.com/xy':'1'}");
}

static void a_test_that_fails_changes_nothing(void **state)
{
	struct rfix *x = *state;

	changed(x, NEVER ON_CMS "," PATCH("[JSONPatch{op: `test`, path: `/data/k`, value: `v`}, "
					  "JSONPatch{op: `replace`, path: "
					  "`/data/k`, value: `w`}]"));
	ppost(x, CMS, CM("m", "'k':'u'"), 201);
	ahas(x, "'data':{'k':'u'}");
}

static void patches_that_do_not_fit_are_refused(void **state)
{
	static const struct {
		const char *mutation, *reason, *message;
		int code;
	} rows[] = {
		{ PATCH("[JSONPatch{op: `remove`, path: `/data/none`}]"), "Invalid",
		  "policy 'p' with binding 'b' denied request: JSON Patch: ", 403 },
		{ PATCH("[JSONPatch{op: `add`, path: `/none`, value: 1}]"), "InternalError",
		  "Internal error occurred: strict decoding error: unknown field \"none\"", 500 },
		{ PATCH("[JSONPatch{op: `add`, path: `/data/k`, value: {`a`: 1}}]"),
		  "InternalError", "Internal error occurred: ", 500 },
		{ PATCH("[JSONPatch{op: `replace`, path: `/kind`, value: `Secret`}]"),
		  "InternalError", "made another kind of the object", 500 },
		{ APPLY("Object{none: 1}"), "Invalid",
		  "policy 'p' with binding 'b' denied request: error applying patch: failed to "
		  "convert patch "
		  "object to typed object: .none: field not declared in schema",
		  403 },
		{ APPLY("Object{metadata: Object.spec{labels: {`a`: `b`}}}"), "Invalid",
		  "type mismatch: unexpected type name \"Object.spec\", expected "
		  "\"Object.metadata\", which "
		  "matches field name path from root Object type",
		  403 },
		{ APPLY("Object{data: {`k`: object.data.none}}"), "Invalid",
		  "resulted in error: no such key: none", 403 },
	};
	struct rfix *x = *state;
	char spec[2048];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(spec, sizeof(spec), NEVER ON_CMS ",%s", rows[i].mutation);
		changed(x, spec);
		ppost(x, CMS, CM("m", "'k':'v'"), rows[i].code);
		assert_status(x, rows[i].code, rows[i].reason, rows[i].message);
		forget(x);
	}
	ppost(x, CMS, CM("m", "'k':'v'"), 201);
}

static void atomic_values_are_not_replaced_unseen(void **state)
{
	struct rfix *x = *state;

	changed(x, NEVER ON_PODS "," APPLY("Object{spec: Object.spec{containers: "
					   "[Object.spec.containers{name: `c`, args: [`x`]}]}}"));
	apost(x, PODS, APOD("p", C1), 403);
	assert_status(x, 403, "Invalid",
		      "error applying patch: invalid ApplyConfiguration: may not mutate atomic "
		      "arrays, maps "
		      "or structs: .spec.containers[0].args");
}

static void failures_can_be_ignored(void **state)
{
	struct rfix *x = *state;

	changed(x, NEVER "'failurePolicy':'Ignore'," ON_CMS
			 "," PATCH("[JSONPatch{op: `remove`, path: `/data/none`}]"));
	ppost(x, CMS, CM("m", "'k':'v'"), 201);
	ahas(x, "'data':{'k':'v'}");
}

static void each_sees_what_those_before_it_made(void **state)
{
	struct rfix *x = *state;

	policy(x, "Mutating", "a",
	       NEVER ON_CMS
	       ",'variables':[{'name':'k','expression':'object.data.k'}],"
	       "'mutations':[{'patchType':'ApplyConfiguration','applyConfiguration':{'expression':"
	       "'Object{data: {`k`: variables.k + `1`}}'}},{'patchType':'JSONPatch','jsonPatch':"
	       "{'expression':'[JSONPatch{op: `replace`, path: `/data/k`, value: variables.k + "
	       "`2`}]'}}]",
	       201);
	policy(x, "Mutating", "b",
	       NEVER ON_CMS "," APPLY("Object{data: {`k`: object.data.k + `3`}}"), 201);
	binding(x, "Mutating", "a", "a", "", 201);
	binding(x, "Mutating", "b", "b", "", 201);
	ppost(x, CMS, CM("m", "'k':'0'"), 201);
	ahas(x, "'data':{'k':'0123'}");
}

static void those_that_want_are_run_again(void **state)
{
	struct rfix *x = *state;

	policy(x, "Mutating", "a",
	       AGAIN ON_CMS ","
			    "'matchConditions':[{'name':'c','expression':'!has(object.data.a) || "
			    "has(object.data.b)'}]," APPLY(
				    "Object{data: {`a`: has(object.data.b) ? `seen` : `unseen`}}"),
	       201);
	policy(x, "Mutating", "b",
	       NEVER ON_CMS
	       "," APPLY("Object{data: {`b`: `1`, `n`: object.data.?n.orValue(``) + `x`}}"),
	       201);
	binding(x, "Mutating", "a", "a", "", 201);
	binding(x, "Mutating", "b", "b", "", 201);
	ppost(x, CMS, CM("m", "'z':'0'"), 201);
	ahas(x, "'data':{'a':'seen','b':'1','n':'x','z':'0'}");
}

static void parameters_and_conditions_count(void **state)
{
	struct rfix *x = *state;

	policy(x, "Mutating", "p",
	       NEVER "'paramKind':{'apiVersion':'v1','kind':'ConfigMap'}," ON(
		       "'CREATE'", "", "v1",
		       "secrets") ",'matchConditions':[{'name':'c','expression':"
				  "'object.metadata.name != `free`'}]," APPLY(
					  "Object{metadata: Object.metadata{labels: params.data, "
					  "annotations: namespaceObject.metadata.labels}}"),
	       201);
	binding(x, "Mutating", "b", "p",
		",'paramRef':{'name':'par','parameterNotFoundAction':'Deny'}", 201);
	ppost(x, "/api/v1/namespaces/n1/secrets",
	      "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'s'}}", 403);
	assert_status(x, 403, "Forbidden",
		      "policy 'p' with binding 'b' denied request: failed to configure binding: no "
		      "params "
		      "found for policy binding with `Deny` parameterNotFoundAction");
	ppost(x, CMS, CM("par", "'a':'b','c':'d'"), 201);
	ppost(x, "/api/v1/namespaces/n1/secrets",
	      "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'s'}}", 201);
	ahas(x, "'labels':{'a':'b','c':'d'}");
	ahas(x, "'annotations':{'kubernetes.io/metadata.name':'n1'}");
}

static void what_the_server_sets_stays(void **state)
{
	struct rfix *x = *state;

	changed(x, NEVER ON_CMS
		"," PATCH("[JSONPatch{op: `add`, path: `/metadata/uid`, value: `mine`}, "
			  "JSONPatch{op: `add`, "
			  "path: `/metadata/creationTimestamp`, value: `2001-01-01T00:00:00Z`}]"));
	ppost(x, CMS, CM("m", ""), 201);
	ahasnt(x, "'uid':'mine'");
	ahasnt(x, "2001-01-01");
	ppost(x, CMS, "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'generateName':'g-'}}",
	      201);
	ahas(x, "'name':'g-");
}

static void connections_cannot_be_changed(void **state)
{
	struct rfix *x = *state;

	apost(x, PODS, APOD("p", C1), 201);
	changed(x, NEVER ON("'CONNECT'", "", "v1", "pods/exec") "," APPLY("Object{tty: true}"));
	(void)ask(x, "POST", PODS "/p/exec?command=sh&container=c&stdout=true", ADMIN, NULL);
	assert_status(x, 500, "InternalError", "a webhook or a policy changed the options");
}

static void it_is_counted(void **state)
{
	struct rfix *x = *state;

	changed(x, NEVER ON_CMS "," APPLY("Object{data: {`k`: `w`}}"));
	ppost(x, CMS "?dryRun=All", CM("m", ""), 201);
	ahas(x, "'data':{'k':'w'}");
	(void)ask(x, "GET", "/metrics", ADMIN, NULL);
	assert_has(x, "apiserver_mutating_admission_policy_check_total{error_type=\"no_error\","
		      "policy=\"p\",policy_binding=\"b\"} 1");
}

static void what_is_written_is_checked(void **state)
{
	static const struct {
		const char *spec, *error;
	} rows[] = {
		{ NEVER ON_CMS ",'mutations':[]",
		  "spec.mutations: Required value: mutations must contain at least one item" },
		{ ON_CMS "," APPLY("Object{}"), "spec.reinvocationPolicy: Required value" },
		{ NEVER ON_CMS "," APPLY("{`a`: 1}"),
		  "spec.mutations[0].applyConfiguration.expression: Invalid value: \"{\\\"a\\\": "
		  "1}\": must "
		  "evaluate to Object but got map(string, int)" },
		{ NEVER ON_CMS "," PATCH("[1]"),
		  "must evaluate to list(JSONPatch) but got list(int)" },
		{ NEVER ON_CMS "," PATCH("[JSONPatch{none: 1}]"), "undefined field 'none'" },
		{ NEVER ON_CMS "," PATCH("[JSONPatch{op: 1}]"),
		  "expected type of field 'op' is 'string' but provided type is 'int'" },
		{ NEVER ON_CMS ",'mutations':[{'patchType':'JSONPatch'}]",
		  "spec.mutations[0].jsonPatch: Required value: must be specified when patchType "
		  "is JSONPatch" },
		{ NEVER ON_CMS ",'mutations':[{'patchType':'ApplyConfiguration','"
			       "applyConfiguration':{'expression':"
			       "'Object{}'},'jsonPatch':{'expression':'[]'}}]",
		  "spec.mutations[0].jsonPatch: Invalid value: \"{jsonPatch}\": must not be "
		  "specified when "
		  "patchType is ApplyConfiguration" },
		{ NEVER ON("'DELETE'", "", "v1", "configmaps") "," APPLY("Object{}"),
		  "spec.matchConstraints.resourceRules.operations: Unsupported value: \"DELETE\": "
		  "supported "
		  "values: \"*\", \"CONNECT\", \"CREATE\", \"UPDATE\"" },
	};
	struct rfix *x = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		policy(x, "Mutating", "p", rows[i].spec, 422);
		if (!strstr(answer_text(x, "message"), rows[i].error))
			fail_msg("%zu: no '%s' in %s", i, rows[i].error, answer_text(x, "message"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ACASE(applied_configurations_are_merged),
		ACASE(json_patches_are_applied),
		ACASE(a_test_that_fails_changes_nothing),
		ACASE(patches_that_do_not_fit_are_refused),
		ACASE(atomic_values_are_not_replaced_unseen),
		ACASE(failures_can_be_ignored),
		ACASE(each_sees_what_those_before_it_made),
		ACASE(those_that_want_are_run_again),
		ACASE(parameters_and_conditions_count),
		ACASE(what_the_server_sets_stays),
		ACASE(connections_cannot_be_changed),
		ACASE(it_is_counted),
		ACASE(what_is_written_is_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
