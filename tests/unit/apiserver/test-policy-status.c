/* SPDX-License-Identifier: Apache-2.0 */
/* What a check of types says of ValidatingAdmissionPolicies, in their status. */
#include "policy-fix.h"

#include "apiserver/admission/policy-status.h"

static struct policy_status *follow(struct rfix *x)
{
	struct policy_status *g = NULL;
	struct err err = ERR_INIT;

	if (policy_status_start(x->rs, x->f->loop, &g, &err) < 0)
		fail_msg("%s", err.msg);
	return g;
}

static void settle(struct rfix *x, struct policy_status *g)
{
	const int64_t end = clock_mono() + 30 * NS_PER_SEC;

	while (!policy_status_idle(g)) {
		assert_true(loop_step(x->f->loop, 5 * NS_PER_MS, NULL) >= 0);
		assert_true(clock_mono() < end);
	}
}

static void warnings_name_kinds_and_expressions(void **state)
{
	struct rfix *x = *state;
	struct policy_status *g;

	policy(x, "Validating", "early", ON_CMS "," EXPR("object.data.a == `b`"), 201);
	g = follow(x);
	policy(x, "Validating", "p",
	       "'matchConstraints':{'resourceRules':[{'operations':['*'],'apiGroups':['apps'],'"
	       "apiVersions':"
	       "['v1'],'resources':['deployments','replicasets','deployments/scale']}]},"
	       "'validations':[{'expression':'object.replicas > 1'},{'expression':"
	       "'object.spec.replicas > 1'},{'expression':'object.spec.replicas == `1`',"
	       "'messageExpression':'object.spec.name'}]",
	       422); /* the message is dyn, which is told first */
	policy(x, "Validating", "p",
	       "'matchConstraints':{'resourceRules':[{'operations':['*'],'apiGroups':['apps'],'"
	       "apiVersions':"
	       "['v1'],'resources':['deployments','replicasets','deployments/scale']}]},"
	       "'validations':[{'expression':'object.replicas > 1'},{'expression':"
	       "'object.spec.replicas > 1 && object.metadata.labels.a == `b` && "
	       "object.spec.template.spec.containers.all(c, c.image.startsWith(`x`)) && "
	       "object.spec.template.spec.containers[0].resources.limits.cpu == "
	       "`1`'},{'expression':"
	       "'object.spec.replicas == `1`','messageExpression':'string(object.spec.name)'}]",
	       201);
	settle(x, g);
	(void)get(x, VAPS "/early");
	ahas(x, "'status':{'observedGeneration':1,'typeChecking':{}}");
	(void)get(x, VAPS "/p");
	assert_string_equal(answer_text(x, "status.observedGeneration"), "1");
	assert_string_equal(answer_text(x, "status.typeChecking.expressionWarnings.0.fieldRef"),
			    "spec.validations[0].expression");
	assert_string_equal(
		answer_text(x, "status.typeChecking.expressionWarnings.0.warning"),
		"apps/v1, Kind=Deployment: ERROR: <input>:1:7: undefined field 'replicas'\n"
		" | object.replicas > 1\n"
		" | ......^\n"
		"\n"
		"apps/v1, Kind=ReplicaSet: ERROR: <input>:1:7: undefined field 'replicas'\n"
		" | object.replicas > 1\n"
		" | ......^\n");
	assert_string_equal(answer_text(x, "status.typeChecking.expressionWarnings.1.fieldRef"),
			    "spec.validations[2].expression");
	assert_has(x, "found no matching overload for '_==_' applied to '(int, string)'");
	assert_string_equal(answer_text(x, "status.typeChecking.expressionWarnings.2.fieldRef"),
			    "spec.validations[2].messageExpression");
	assert_string_equal(answer_text(x, "status.typeChecking.expressionWarnings.3"), "(none)");
	policy_status_stop(g);
}

static void a_change_is_looked_at_again(void **state)
{
	struct rfix *x = *state;
	struct policy_status *g = follow(x);

	policy(x, "Validating", "p",
	       ON_CMS "," EXPR("object.none"
			       " == 1"),
	       201);
	settle(x, g);
	(void)get(x, VAPS "/p");
	assert_has(x, "undefined field 'none'");
	amerge(x, VAPS "/p", "{'spec':{'validations':[{'expression':'has(object.data)'}]}}", 200);
	settle(x, g);
	(void)get(x, VAPS "/p");
	ahas(x, "'observedGeneration':2,'typeChecking':{}");
	(void)ask(x, "DELETE", VAPS "/p", ADMIN, NULL);
	settle(x, g);
	policy_status_stop(g);
}

static void parameters_and_variables_have_types(void **state)
{
	struct rfix *x = *state;
	struct policy_status *g = follow(x);

	policy(x, "Validating", "p",
	       "'paramKind':{'apiVersion':'v1','kind':'Secret'}," ON_CMS
	       ",'variables':[{'name':'d','expression':'object.data'}],'validations':[{'expression'"
	       ":"
	       "'params.none == 1'},{'expression':'variables.d.x == 1'},{'expression':"
	       "'params.data.x == b`1` && authorizer.requestResource.check(`get`).allowed()'}]",
	       201);
	settle(x, g);
	(void)get(x, VAPS "/p");
	assert_has(x, "undefined field 'none'");
	assert_has(x, "applied to '(string, int)'");
	assert_string_equal(answer_text(x, "status.typeChecking.expressionWarnings.2"), "(none)");
	policy_status_stop(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ACASE(warnings_name_kinds_and_expressions),
		ACASE(a_change_is_looked_at_again),
		ACASE(parameters_and_variables_have_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
