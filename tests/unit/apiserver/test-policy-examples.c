/* SPDX-License-Identifier: Apache-2.0 */
/* The policies that Kubernetes' documentation shows, each on what it lets through and what not. */
#include "policy-fix.h"

#define DEPLOYMENTS "/apis/apps/v1/namespaces/n1/deployments"
#define DEPLOYMENT(name, meta, replicas, image)                                               \
	"{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'name':'" name "'" meta      \
	"},'spec':{'replicas':" replicas ",'selector':{'matchLabels':{'a':'b'}},'template':{" \
	"'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'" image   \
	"'}]}}"                                                                               \
	"}}"
#define ON_DEPLOYMENTS ON("'CREATE','UPDATE'", "apps", "v1", "deployments")

static void replicas_have_a_limit(void **state)
{
	struct rfix *x = *state;

	policy(x, "Validating", "demo", ON_DEPLOYMENTS "," EXPR("object.spec.replicas <= 5"), 201);
	binding(x, "Validating", "demo", "demo",
		DENIES
		",'matchResources':{'namespaceSelector':{'matchLabels':{'environment':'test'}}}",
		201);
	ppost(x, DEPLOYMENTS, DEPLOYMENT("a", "", "6", "i"), 201);
	amerge(x, "/api/v1/namespaces/n1", "{'metadata':{'labels':{'environment':'test'}}}", 200);
	ppost(x, DEPLOYMENTS, DEPLOYMENT("b", "", "6", "i"), 422);
	assert_status(
		x, 422, "Invalid",
		"deployments.apps \"b\" is forbidden: ValidatingAdmissionPolicy 'demo' with "
		"binding 'demo' denied request: failed expression: object.spec.replicas <= 5");
	ppost(x, DEPLOYMENTS, DEPLOYMENT("b", "", "5", "i"), 201);
	amerge(x, DEPLOYMENTS "/a", "{'metadata':{'labels':{'x':'y'}}}", 422);
}

static void conditions_leave_out_leases_nodes_and_roles(void **state)
{
	struct rfix *x = *state;

	policy(x, "Validating", "p",
	       ON("'*'", "*", "*",
		  "*") ",'matchConditions':[{'name':'exclude-leases','expression':'!(request."
		       "resource.group "
		       "== `coordination.k8s.io` && request.resource.resource == "
		       "`leases`)'},{'name':"
		       "'exclude-kubelet-requests','expression':'!(`system:nodes` in "
		       "request.userInfo.groups)'},{'name':'rbac','expression':'request.resource."
		       "group != "
		       "`rbac.authorization.k8s.io`'}],'validations':[{'expression':"
		       "'!object.metadata.name.contains(`demo`) || object.metadata.namespace == "
		       "`demo`'}]",
	       201);
	binding(x, "Validating", "b", "p", DENIES, 201);
	ppost(x, CMS, CM("demo", ""), 422);
	ppost(x, CMS, CM("other", ""), 201);
	ppost(x, "/apis/coordination.k8s.io/v1/namespaces/n1/leases",
	      "{'apiVersion':'coordination.k8s.io/v1','kind':'Lease','metadata':{'name':'demo'}}",
	      201);
	ppost(x, "/apis/rbac.authorization.k8s.io/v1/namespaces/n1/roles",
	      "{'apiVersion':'rbac.authorization.k8s.io/"
	      "v1','kind':'Role','metadata':{'name':'demo'}}",
	      201);
}

static void images_match_the_environment(void **state)
{
	struct rfix *x = *state;

	policy(x, "Validating", "images",
	       ON_DEPLOYMENTS
	       ",'failurePolicy':'Fail','variables':[{'name':'environment','expression':"
	       "'`environment` in namespaceObject.metadata.labels ? "
	       "namespaceObject.metadata.labels[`environment`] : `prod`'},{'name':'exempt',"
	       "'expression':'has(object.metadata.labels) && `exempt` in object.metadata.labels && "
	       "object.metadata.labels[`exempt`] == `true`'},{'name':'containers','expression':"
	       "'object.spec.template.spec.containers'},{'name':'containersToCheck','expression':"
	       "'variables.containers.filter(c, c.image.contains(`example.com/`))'}],'validations':"
	       "[{'expression':'variables.exempt || variables.containersToCheck.all(c, "
	       "c.image.startsWith(variables.environment + `.`))','messageExpression':'`only ` + "
	       "variables.environment + ` images are allowed in namespace ` + "
	       "namespaceObject.metadata.name'}]",
	       201);
	binding(x, "Validating", "b", "images", DENIES, 201);
	ppost(x, DEPLOYMENTS, DEPLOYMENT("a", "", "1", "dev.example.com/nginx"), 422);
	assert_status(x, 422, "Invalid", "only prod images are allowed in namespace n1");
	ppost(x, DEPLOYMENTS, DEPLOYMENT("a", "", "1", "prod.example.com/nginx"), 201);
	ppost(x, DEPLOYMENTS, DEPLOYMENT("b", "", "1", "nginx"), 201);
	ppost(x, DEPLOYMENTS,
	      DEPLOYMENT("c", ",'labels':{'exempt':'true'}", "1", "dev.example.com/nginx"), 201);
	amerge(x, "/api/v1/namespaces/n1", "{'metadata':{'labels':{'environment':'dev'}}}", 200);
	ppost(x, DEPLOYMENTS, DEPLOYMENT("d", "", "1", "dev.example.com/nginx"), 201);
}

static void only_who_may_sign_off_does(void **state)
{
	struct rfix *x = *state;

	judged(x,
	       ON_CMS ",'validations':[{'expression':'!has(object.metadata.annotations) || "
		      "!(`signed-off` in object.metadata.annotations) || "
		      "authorizer.group(`example.com`).resource(`signatures`).namespace("
		      "object.metadata.namespace).check(`sign`).allowed()','reason':'Forbidden'}]");
	ppost(x, CMS, CM("m", ""), 201);
	ppost(x, CMS,
	      "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'n','annotations':{'signed-"
	      "off':"
	      "'me'}}}",
	      201); /* a master may */
}

#define MESH                                                                                      \
	ON("'CREATE'", "", "v1", "pods")                                                          \
	",'matchConditions':[{'name':'does-not-already-have-sidecar','expression':"               \
	"'!has(object.spec.initContainers) || !object.spec.initContainers.exists(ic, ic.name == " \
	"`mesh-proxy`)'}],'failurePolicy':'Fail','reinvocationPolicy':'IfNeeded',"
#define PROXY                                                    \
	"Object.spec.initContainers{name: `mesh-proxy`, image: " \
	"`mesh/proxy:v1.0.0`, restartPolicy: `Always`}"

static void sidecars_are_injected(void **state)
{
	static const char *const ways[] = {
		MESH
		"'mutations':[{'patchType':'ApplyConfiguration','applyConfiguration':{'expression':"
		"'Object{spec: Object.spec{initContainers: [" PROXY "]}}'}}]",
		MESH
		"'mutations':[{'patchType':'JSONPatch','jsonPatch':{'expression':'[JSONPatch{op: "
		"`add`, path: `/spec/initContainers`, value: [" PROXY "]}]'}}]",
	};
	struct rfix *x = *state;

	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		changed(x, ways[i]);
		apost(x, PODS "?dryRun=All", APOD("p", C1), 201);
		ahas(x, "'initContainers':[{'name':'mesh-proxy','image':'mesh/proxy:v1.0.0'");
		apost(x, PODS "?dryRun=All",
		      APOD("p", "'initContainers':[{'name':'mesh-proxy','image':'own'}]," C1), 201);
		ahas(x, "'image':'own'");
		ahasnt(x, "mesh/proxy:v1.0.0");
		forget(x);
	}
}

static void labels_are_added_by_an_escaped_path(void **state)
{
	struct rfix *x = *state;

	changed(x,
		"'reinvocationPolicy':'Never'," ON_CMS
		",'mutations':[{'patchType':'JSONPatch','jsonPatch':{'expression':'[JSONPatch{op: "
		"`test`, path: `/data/color`, value: `Red`}, JSONPatch{op: `replace`, path: "
		"`/data/color`, value: `Green`}, JSONPatch{op: `add`, path: `/metadata/labels`, "
		"value: "
		"has(object.metadata.labels) ? object.metadata.labels : {}}, JSONPatch{op: `add`, "
		"path: "
		"`/metadata/labels/` + jsonpatch.escapeKey(`example.com/environment`), value: "
		"`test`}]'}}]");
	ppost(x, CMS, CM("m", "'color':'Red'"), 201);
	ahas(x, "'labels':{'example.com/environment':'test'}");
	ahas(x, "'data':{'color':'Green'}");
	ppost(x, CMS, CM("n", "'color':'Blue'"), 201);
	ahasnt(x, "example.com/environment");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ACASE(replicas_have_a_limit),
		ACASE(conditions_leave_out_leases_nodes_and_roles),
		ACASE(images_match_the_environment),
		ACASE(only_who_may_sign_off_does),
		ACASE(sidecars_are_injected),
		ACASE(labels_are_added_by_an_escaped_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
