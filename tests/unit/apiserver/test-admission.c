/* SPDX-License-Identifier: Apache-2.0 */
/* The chain of admission in a whole server: what writes are given, and what is refused. */
#include "admission-fix.h"

#include "apiserver/auth/apiaudit.h"

/* ---- which plugins run ---- */

static void refuse_flags(const char *enable, const char *disable, const char *words)
{
	struct admission *ad = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(
		admission_new(&(struct admission_flags){ enable, disable, NULL }, &ad, &err),
		-ERR_BAD_REQUEST);
	assert_null(ad);
	if (!strstr(err.msg, words))
		fail_msg("no '%s' in: %s", words, err.msg);
}

static void flags_name_plugins(void **state)
{
	struct admission *ad = NULL;
	struct err err = ERR_INIT;
	bool on;

	(void)state;
	assert_int_equal(
		admission_new(&(struct admission_flags){ "AlwaysPullImages, DenyServiceExternalIPs",
							 "Priority", NULL },
			      &ad, &err),
		0);
	assert_true(admission_runs(ad, "AlwaysPullImages"));
	assert_true(admission_runs(ad, "DenyServiceExternalIPs"));
	assert_true(admission_runs(ad, "PodSecurity"));
	assert_true(admission_runs(ad, "ValidatingAdmissionPolicy"));
	assert_true(admission_runs(ad, "MutatingAdmissionPolicy"));
	assert_false(admission_runs(ad, "Priority"));
	assert_true(admission_runs(ad, "ServiceAccount"));
	assert_false(admission_runs(ad, "Nothing"));
	admission_free(ad);
	refuse_flags("Bogus", NULL, "--enable-admission-plugins: unknown plugin 'Bogus'");
	refuse_flags(NULL, "Bogus", "--disable-admission-plugins: unknown plugin 'Bogus'");
	refuse_flags("Priority", "Priority", "Priority is both enabled and disabled");
	refuse_flags("NamespaceAutoProvision", NULL, "it is not in this server");
	refuse_flags("JobValidation", NULL, "off by default");
	refuse_flags(NULL, "NamespaceLifecycle", "cannot be disabled");
	assert_string_equal(admission_name(0, &on), "AlwaysAdmit");
	assert_false(on);
	assert_null(admission_name(64, NULL));
}

/* ---- Priority ---- */

#define CLASSES "/apis/scheduling.k8s.io/v1/priorityclasses"
#define CLASS(name, value, more)                                                                \
	"{'apiVersion':'scheduling.k8s.io/v1','kind':'PriorityClass','metadata':{'name':'" name \
	"'},'value':" value more "}"

static void pods_get_the_priority_of_their_class(void **state)
{
	struct rfix *x = *state;

	apost(x, PODS, APOD("a", C1), 201);
	ahas(x, "'priority':0");
	ahas(x, "'preemptionPolicy':'PreemptLowerPriority'");
	apost(x, CLASSES, CLASS("high", "1000", ",'preemptionPolicy':'Never'"), 201);
	apost(x, PODS, APOD("b", C1 ",'priorityClassName':'high'"), 201);
	ahas(x, "'priority':1000");
	ahas(x, "'preemptionPolicy':'Never'");
	apost(x, PODS, APOD("c", C1 ",'priorityClassName':'none'"), 403);
	arefused(x, "pods \"c\" is forbidden: no PriorityClass with name none was found");
	apost(x, PODS, APOD("c", C1 ",'priorityClassName':'high','priority':5"), 403);
	arefused(x, "the integer value of priority (5) must not be provided in pod spec; priority "
		    "admission controller computed 1000");
	apost(x, PODS,
	      APOD("c", C1 ",'priorityClassName':'high','preemptionPolicy':'PreemptLowerPriority'"),
	      403);
	arefused(x, "the string value of PreemptionPolicy (PreemptLowerPriority) must not be");
	/* An update that leaves them out keeps them. */
	get(x, PODS "/b");
	amerge(x, PODS "/b", "{'spec':{'priority':null,'preemptionPolicy':null}}", 200);
	ahas(x, "'priority':1000");
}

static void one_class_is_the_default(void **state)
{
	struct rfix *x = *state;

	apost(x, CLASSES, CLASS("d", "7", ",'globalDefault':true"), 201);
	apost(x, CLASSES, CLASS("e", "8", ",'globalDefault':true"), 403);
	arefused(x, "PriorityClass d is already marked as default. Only one default can exist");
	apost(x, CLASSES, CLASS("e", "8", ""), 201);
	amerge(x, CLASSES "/e", "{'globalDefault':true}", 403);
	amerge(x, CLASSES "/d", "{'description':'x'}", 200);
	apost(x, PODS, APOD("a", C1), 201);
	ahas(x, "'priorityClassName':'d','priority':7");
}

/* ---- tolerations, taints, runtime classes ---- */

static void pods_tolerate_a_lost_node_for_a_while(void **state)
{
	struct rfix *x = *state;

	apost(x, PODS, APOD("a", C1), 201);
	ahas(x, "{'key':'node.kubernetes.io/not-ready','operator':'Exists','effect':'NoExecute',"
		"'tolerationSeconds':300},{'key':'node.kubernetes.io/unreachable','operator':"
		"'Exists','effect':'NoExecute','tolerationSeconds':300}");
	apost(x, PODS,
	      APOD("b", C1 ",'tolerations':[{'key':'node.kubernetes.io/not-ready','operator':"
			   "'Exists','effect':'NoExecute','tolerationSeconds':5}]"),
	      201);
	ahas(x, "'tolerationSeconds':5},{'key':'node.kubernetes.io/unreachable'");
	apost(x, PODS, APOD("c", C1 ",'tolerations':[{'operator':'Exists'}]"), 201);
	ahas(x, "'tolerations':[{'operator':'Exists'}]");
	apost(x, PODS, APOD("d", C1 ",'tolerations':[{'operator':'Exists','effect':'NoSchedule'}]"),
	      201);
	ahas(x, "'tolerationSeconds':300");
}

static void new_nodes_are_tainted(void **state)
{
	struct rfix *x = *state;

	apost(x, "/api/v1/nodes", "{'apiVersion':'v1','kind':'Node','metadata':{'name':'w'}}", 201);
	ahas(x, "'taints':[{'key':'node.kubernetes.io/not-ready','effect':'NoSchedule'}]");
	apost(x, "/api/v1/nodes",
	      "{'apiVersion':'v1','kind':'Node','metadata':{'name':'v'},'spec':{'taints':[{'key':"
	      "'node.kubernetes.io/not-ready','effect':'NoSchedule'}]}}",
	      201);
	ahas(x, "'taints':[{'key':'node.kubernetes.io/not-ready','effect':'NoSchedule'}]");
	/* Once the condition is true it goes, and does not come again. */
	amerge(x, "/api/v1/nodes/w", "{'spec':{'taints':null}}", 200);
	ahasnt(x, "taints");
}

static void pods_are_where_their_node_is(void **state)
{
	struct rfix *x = *state;

	apost(x, "/api/v1/nodes",
	      "{'apiVersion':'v1','kind':'Node','metadata':{'name':'w','labels':{"
	      "'topology.kubernetes.io/zone':'z','topology.kubernetes.io/region':'r','a':'b'}}}",
	      201);
	apost(x, PODS, APOD("a", C1 ",'nodeName':'w'"), 201);
	ahas(x, "'labels':{'topology.kubernetes.io/region':'r','topology.kubernetes.io/zone':'z'}");
	apost(x, PODS, APOD("b", C1), 201);
	ahasnt(x, "topology.kubernetes.io");
	apost(x, PODS "/b/binding",
	      "{'apiVersion':'v1','kind':'Binding','metadata':{'name':'b'},'target':{'kind':"
	      "'Node','name':'w'}}",
	      201);
	get(x, PODS "/b");
	ahas(x, "'topology.kubernetes.io/zone':'z'");
}

static void runtime_classes_give_overhead_and_place(void **state)
{
	struct rfix *x = *state;

	apost(x, "/apis/node.k8s.io/v1/runtimeclasses",
	      "{'apiVersion':'node.k8s.io/v1','kind':'RuntimeClass','metadata':{'name':'vm'},"
	      "'handler':'vm','overhead':{'podFixed':{'cpu':'250m'}},'scheduling':{"
	      "'nodeSelector':{'vm':'yes'},'tolerations':[{'key':'vm','operator':'Exists'}]}}",
	      201);
	apost(x, PODS, APOD("a", C1 ",'runtimeClassName':'vm','nodeSelector':{'a':'b','z':'z'}"),
	      201);
	ahas(x, "'overhead':{'cpu':'250m'}");
	ahas(x, "'nodeSelector':{'a':'b','vm':'yes','z':'z'}");
	ahas(x, "{'key':'vm','operator':'Exists'}");
	apost(x, PODS, APOD("b", C1 ",'runtimeClassName':'no'"), 403);
	arefused(x, "pod rejected: RuntimeClass \"no\" not found");
	apost(x, PODS, APOD("b", C1 ",'runtimeClassName':'vm','overhead':{'cpu':'0.25'}"), 201);
	apost(x, PODS, APOD("c", C1 ",'runtimeClassName':'vm','overhead':{'cpu':'1'}"), 403);
	arefused(x, "pod rejected: Pod's Overhead doesn't match");
	apost(x, PODS, APOD("c", C1 ",'overhead':{'cpu':'1'}"), 403);
	arefused(x, "pod rejected: Pod Overhead set without corresponding");
	apost(x, PODS, APOD("c", C1 ",'runtimeClassName':'vm','nodeSelector':{'vm':'no'}"), 403);
	arefused(x, "conflict: runtimeClass.scheduling.nodeSelector[vm] = yes; "
		    "pod.spec.nodeSelector[vm] = no");
}

/* ---- storage, ingresses ---- */

#define STORAGE "/apis/storage.k8s.io/v1/storageclasses"
#define STORAGE_CLASS(name, is, more)                                                       \
	"{'apiVersion':'storage.k8s.io/v1','kind':'StorageClass','metadata':{'name':'" name \
	"','annotations':{'storageclass.kubernetes.io/is-default-class':'" is               \
	"'}},'provisioner':'p'" more "}"
#define CLAIM(name, more)                                                                \
	"{'apiVersion':'v1','kind':'PersistentVolumeClaim','metadata':{'name':'" name    \
	"'},'spec':{'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':" \
	"'1Gi'}}" more "}}"

static void claims_get_the_default_class_and_are_protected(void **state)
{
	struct rfix *x = *state;

	afix_open(x, "StorageObjectInUseProtection", NULL);
	apost(x, CLAIMS, CLAIM("a", ""), 201);
	ahasnt(x, "storageClassName");
	ahas(x, "'finalizers':['kubernetes.io/pvc-protection']");
	apost(x, STORAGE, STORAGE_CLASS("no", "false", ""), 201);
	apost(x, STORAGE, STORAGE_CLASS("two", "true", ""), 201);
	apost(x, STORAGE, STORAGE_CLASS("one", "true", ""), 201);
	apost(x, CLAIMS, CLAIM("b", ""), 201);
	ahas(x, "'storageClassName':'");
	ahasnt(x, "'storageClassName':'no'");
	apost(x, CLAIMS, CLAIM("c", ",'storageClassName':''"), 201);
	ahas(x, "'storageClassName':''");
	apost(x, "/api/v1/persistentvolumes",
	      "{'apiVersion':'v1','kind':'PersistentVolume','metadata':{'name':'v','finalizers':["
	      "'kubernetes.io/pv-protection']},'spec':{'capacity':{'storage':'1Gi'},"
	      "'accessModes':['ReadWriteOnce'],'hostPath':{'path':'/x'}}}",
	      201);
	ahas(x, "'finalizers':['kubernetes.io/pv-protection']");
}

static void claims_grow_when_their_class_lets_them(void **state)
{
	struct rfix *x = *state;
#define GROW "{'spec':{'resources':{'requests':{'storage':'2Gi'}}}}"

	apost(x, STORAGE, STORAGE_CLASS("fix", "false", ""), 201);
	apost(x, STORAGE, STORAGE_CLASS("grow", "false", ",'allowVolumeExpansion':true"), 201);
	apost(x, CLAIMS, CLAIM("a", ",'storageClassName':'fix','volumeName':'v'"), 201);
	apost(x, CLAIMS, CLAIM("b", ",'storageClassName':'grow','volumeName':'w'"), 201);
	amerge(x, CLAIMS "/b/status", "{'status':{'phase':'Bound'}}", 200);
	amerge(x, CLAIMS "/b", GROW, 200);
	amerge(x, CLAIMS "/a/status", "{'status':{'phase':'Bound'}}", 200);
	amerge(x, CLAIMS "/a", GROW, 403);
	arefused(x, "only dynamically provisioned pvc can be resized and the storageclass that "
		    "provisions the pvc must support resize");
}

static void ingresses_get_the_default_class(void **state)
{
	struct rfix *x = *state;
#define INGRESSES "/apis/networking.k8s.io/v1/namespaces/n1/ingresses"
#define INGRESS(name, more)                                                               \
	"{'apiVersion':'networking.k8s.io/v1','kind':'Ingress','metadata':{'name':'" name \
	"'},'spec':{'defaultBackend':{'service':{'name':'s','port':{'number':80}}}" more "}}"

	apost(x, "/apis/networking.k8s.io/v1/ingressclasses",
	      "{'apiVersion':'networking.k8s.io/v1','kind':'IngressClass','metadata':{'name':'k',"
	      "'annotations':{'ingressclass.kubernetes.io/is-default-class':'true'}},'spec':{"
	      "'controller':'a/b'}}",
	      201);
	apost(x, INGRESSES, INGRESS("a", ""), 201);
	ahas(x, "'ingressClassName':'k'");
	apost(x, INGRESSES, INGRESS("b", ",'ingressClassName':'o'"), 201);
	ahas(x, "'ingressClassName':'o'");
}

/* ---- off by default ---- */

static void what_is_enabled_by_name_runs(void **state)
{
	struct rfix *x = *state;

	afix_open(x,
		  "AlwaysPullImages,DenyServiceExternalIPs,ExtendedResourceToleration,"
		  "LimitPodHardAntiAffinityTopology",
		  "DefaultTolerationSeconds");
	apost(x, PODS,
	      APOD("a", "'containers':[{'name':'c','image':'i:1','imagePullPolicy':'Never',"
			"'resources':{'limits':{'example.com/gpu':'1'}}}]"),
	      201);
	ahas(x, "'imagePullPolicy':'Always'");
	ahas(x, "'tolerations':[{'key':'example.com/gpu','operator':'Exists','effect':"
		"'NoSchedule'}]");
	apost(x, "/api/v1/namespaces/n1/services",
	      "{'apiVersion':'v1','kind':'Service','metadata':{'name':'s'},'spec':{'type':"
	      "'ClusterIP','clusterIP':'None','externalIPs':['1.2.3.4'],'ports':[{'port':1}]}}",
	      403);
	arefused(x, "services \"s\" is forbidden: Use of external IPs is denied by admission "
		    "control");
	apost(x, PODS,
	      APOD("b", C1 ",'affinity':{'podAntiAffinity':{"
			   "'requiredDuringSchedulingIgnoredDuringExecution':[{'topologyKey':'z'"
			   ",'labelSelector':{}}]}}"),
	      403);
	arefused(x, "has TopologyKey z but only key kubernetes.io/hostname is allowed");
}

/* ---- PodSecurity ---- */

static void label(struct rfix *x, const char *labels, int code)
{
	char body[512];

	snprintf(body, sizeof(body), "{'metadata':{'labels':{%s}}}", labels);
	amerge(x, "/api/v1/namespaces/n1", body, code);
}
#define PS "pod-security.kubernetes.io/"

static void namespaces_hold_their_pods_to_a_level(void **state)
{
	struct rfix *x = *state;

	label(x, "'" PS "enforce':'baseline','" PS "warn':'restricted'", 200);
	apost(x, PODS, APOD("a", C1 ",'hostNetwork':true"), 403);
	arefused(x, "pods \"a\" is forbidden: violates PodSecurity \"baseline:latest\": host "
		    "namespaces (hostNetwork=true)");
	assert_null(header_of(x, "Warning"));
	apost(x, PODS, APOD("a", C1), 201);
	awarned(x, "would violate PodSecurity \\\"restricted:latest\\\": allowPrivilegeEscalation "
		   "!= false");
	/* Updates that bring no image are not asked again. */
	label(x, "'" PS "enforce':'restricted'", 200);
	amerge(x, PODS "/a", "{'metadata':{'labels':{'x':'y'}}}", 200);
	amerge(x, PODS "/a", "{'spec':{'containers':[{'name':'c','image':'j'}]}}", 403);
	arefused(x, "violates PodSecurity \"restricted:latest\"");
	/* Versions: this one knew no rule against root. */
	label(x, "'" PS "enforce-version':'v1.7'", 200);
	apost(x, PODS, APOD("b", C1 ",'securityContext':{'runAsNonRoot':true}"), 201);
}

static void workloads_are_warned_of(void **state)
{
	struct rfix *x = *state;

	label(x, "'" PS "enforce':'baseline'", 200);
	apost(x, "/apis/apps/v1/namespaces/n1/deployments",
	      "{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'name':'d'},'spec':{"
	      "'selector':{'matchLabels':{'a':'b'}},'template':{'metadata':{'labels':{'a':'b'}},"
	      "'spec':{'hostPID':true," C1 "}}}}",
	      201);
	awarned(x, "would violate PodSecurity \\\"baseline:latest\\\": host namespaces "
		   "(hostPID=true)");
	apost(x, "/apis/batch/v1/namespaces/n1/cronjobs",
	      "{'apiVersion':'batch/v1','kind':'CronJob','metadata':{'name':'d'},'spec':{"
	      "'schedule':'* * * * *','jobTemplate':{'spec':{'template':{'spec':{'hostIPC':true,"
	      "'restartPolicy':'Never'," C1 "}}}}}}",
	      201);
	awarned(x, "(hostIPC=true)");
	amerge(x, "/apis/apps/v1/namespaces/n1/deployments/d/scale", "{'spec':{'replicas':3}}",
	       200);
	assert_null(header_of(x, "Warning"));
}

static void labels_have_to_be_levels(void **state)
{
	struct rfix *x = *state;

	apost(x, "/api/v1/namespaces",
	      "{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'n2','labels':{'" PS
	      "enforce':'none'}}}",
	      422);
	assert_status(x, 422, "Invalid",
		      "Namespace \"n2\" is invalid: metadata.labels[" PS
		      "enforce]: Invalid value: \"none\": must be one of privileged, baseline, "
		      "restricted");
	label(x, "'" PS "audit-version':'1.2','" PS "warn-version':'v1.02'", 422);
	ahas(x, "must be \\'latest\\' or \\'v1.x\\'");
	label(x, "'" PS "enforce':'baseline','" PS "enforce-version':'v1.36'", 200);
}

static void a_stricter_level_tells_of_the_pods_there(void **state)
{
	struct rfix *x = *state;

	apost(x, PODS, APOD("b", C1 ",'hostPID':true"), 201);
	apost(x, PODS, APOD("a", C1 ",'hostPID':true"), 201);
	apost(x, PODS, APOD("c", C1), 201);
	label(x, "'" PS "enforce':'baseline'", 200);
	awarned(x, "existing pods in namespace \\\"n1\\\" violate the new PodSecurity enforce "
		   "level \\\"baseline:latest\\\"");
	assert_non_null(strstr(buf_str(&x->head), "a (and 1 other pod): host namespaces"));
	label(x, "'" PS "enforce':'privileged'", 200);
	assert_null(header_of(x, "Warning"));
}

/* What was judged, and what would be wrong, is in the audit log. */
static void the_audit_log_has_the_verdict(void **state)
{
	static const char policy[] = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"
				     "- level: Metadata\n  resources: [{group: \"\", resources: "
				     "[pods]}]\n- level: None\n";
	struct rfix *x = *state;
	char rules[96], log[96], text[8192] = "";
	struct apiaudit_conf conf = { .loop = x->f->loop, .policy_file = rules, .path = log };
	struct err err = ERR_INIT;
	int fd;

	snprintf(rules, sizeof(rules), "%s/policy.yaml", x->f->dir);
	snprintf(log, sizeof(log), "%s/audit.log", x->f->dir);
	fd = open(rules, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, policy, sizeof(policy) - 1), sizeof(policy) - 1);
	fd_close(fd);
	if (apiaudit_new(&conf, &x->conf.audit, &err) < 0)
		fail_msg("%s", err.msg);
	afix_open(x, NULL, NULL);
	label(x, "'" PS "enforce':'baseline','" PS "audit':'restricted'", 200);
	apost(x, PODS, APOD("a", C1), 201);
	apiaudit_flush(x->conf.audit);
	fd = open(log, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	fd_close(fd);
	assert_non_null(strstr(text, "\"" PS "audit-violations\":\"would violate PodSecurity "
				     "\\\"restricted:latest\\\": allowPrivilegeEscalation"));
	assert_non_null(strstr(text, "\"" PS "enforce-policy\":\"baseline:latest\"}"));
	rest_close(x);
	apiaudit_free(x->conf.audit);
	x->conf.audit = NULL;
	rest_open(x);
}

static void names_that_are_made_are_told(void **state)
{
	struct rfix *x = *state;

	label(x, "'" PS "enforce':'baseline'", 200);
	apost(x, PODS,
	      "{'apiVersion':'v1','kind':'Pod','metadata':{'generateName':'g-'},'spec':{" C1
	      ",'priorityClassName':'no'}}",
	      403);
	arefused(x, "pods \"g-\" is forbidden: no PriorityClass");
	apost(x, PODS,
	      "{'apiVersion':'v1','kind':'Pod','metadata':{'generateName':'g-'},'spec':{" C1
	      ",'hostPID':true}}",
	      403);
	ahasnt(x, "pods \\'g-\\' is");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_name_plugins),
		ACASE(pods_get_the_priority_of_their_class),
		ACASE(one_class_is_the_default),
		ACASE(pods_tolerate_a_lost_node_for_a_while),
		ACASE(new_nodes_are_tainted),
		ACASE(pods_are_where_their_node_is),
		ACASE(runtime_classes_give_overhead_and_place),
		ACASE(claims_get_the_default_class_and_are_protected),
		ACASE(claims_grow_when_their_class_lets_them),
		ACASE(ingresses_get_the_default_class),
		ACASE(what_is_enabled_by_name_runs),
		ACASE(namespaces_hold_their_pods_to_a_level),
		ACASE(workloads_are_warned_of),
		ACASE(labels_have_to_be_levels),
		ACASE(a_stricter_level_tells_of_the_pods_there),
		ACASE(the_audit_log_has_the_verdict),
		ACASE(names_that_are_made_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
