/* SPDX-License-Identifier: Apache-2.0 */
/* Pods: how they begin, what subresources change, what is warned of, how they are bound and end. */
#include "strategy-fix.h"

#define META "'metadata':{'name':'x','namespace':'n','uid':'u'"
#define ONE "'containers':[{'name':'c','image':'i'}]"

static void a_pod_begins_pending(void **state)
{
	static const struct srow rows[] = {
		{ "v1", "Pod", "",
		  "{" META "},'spec':{" ONE "},'status':{'phase':'Running','podIP':"
		  "'1.2.3.4'}}",
		  NULL,
		  "status={'phase':'Pending','qosClass':'BestEffort'}\nmetadata.generation=1\n!" },
		{ "v1", "Pod", "",
		  "{" META "},'spec':{" ONE ",'schedulingGates':[{'name':'a/b'}]}}", NULL,
		  "status.conditions=[{'type':'PodScheduled','status':'False','lastProbeTime':"
		  "null,'lastTransitionTime':" NOW_TEXT ",'reason':'SchedulingGated','message':"
		  "'Scheduling is blocked due to non-empty scheduling gates'}]" },
		{ "v1", "Pod", "",
		  "{" META "},'spec':{'containers':[{'name':'c','image':'i',"
		  "'lifecycle':{'stopSignal':'SIGTERM'}},{'name':'d','image':'i','lifecycle':{"
		  "'stopSignal':'SIGTERM','preStop':{'sleep':{'seconds':1}}}}],'volumes':[{'name':"
		  "'v','projected':{'sources':[{'podCertificate':{'keyType':'RSA3072','signerName':"
		  "'a/b'}},{'clusterTrustBundle':{'name':'b','path':'p'}},{'secret':{'name':'s'}}]}"
		  "}],'schedulingGroup':{'podGroupName':'g'}}}",
		  NULL,
		  "spec.containers.0.lifecycle=\nspec.containers.1.lifecycle={'preStop':{'sleep':{"
		  "'seconds':1}}}\nspec.volumes.0.projected.sources=[{},{},{'secret':{'name':'s'}}]"
		  "\n"
		  "spec.schedulingGroup=\n!volume \"v\" (Projected) has no sources provided" },
	};

	sfix_rows(*state, rows, ARRAY_LEN(rows));
}

static void the_class_of_service_follows_from_resources(void **state)
{
#define WITH(resources) \
	"{" META "},'spec':{'containers':[{'name':'c','image':'i','resources':{" resources "}}]}}"
	static const struct srow rows[] = {
		{ "v1", "Pod", "", WITH("'limits':{'cpu':'1','memory':'1Gi'}"), NULL,
		  "status.qosClass='Guaranteed'" },
		{ "v1", "Pod", "",
		  WITH("'limits':{'cpu':'1','memory':'1Gi'},'requests':{'cpu':"
		       "'1000m','memory':'1024Mi'}"),
		  NULL, "status.qosClass='Guaranteed'" },
		{ "v1", "Pod", "", WITH("'limits':{'cpu':'1'}"), NULL,
		  "status.qosClass='Burstable'" },
		{ "v1", "Pod", "",
		  WITH("'requests':{'cpu':'1','memory':'1'},'limits':{'cpu':'2',"
		       "'memory':'1'}"),
		  NULL, "status.qosClass='Burstable'" },
		{ "v1", "Pod", "",
		  WITH("'requests':{'example.com/gpu':'1'},'limits':{"
		       "'example.com/gpu':'1'}"),
		  NULL, "status.qosClass='BestEffort'" },
		{ "v1", "Pod", "", WITH("'requests':{'cpu':'0'}"), NULL,
		  "status.qosClass='BestEffort'" },
		{ "v1", "Pod", "",
		  "{" META "},'spec':{'initContainers':[{'name':'a','image':'i'}],"
		  "'containers':[{'name':'c','image':'i','resources':{'limits':{'cpu':'1','memory':"
		  "'1Gi'}}}]}}",
		  NULL, "status.qosClass='Burstable'" },
		{ "v1", "Pod", "",
		  "{" META "},'spec':{" ONE ",'resources':{'limits':{'cpu':'1',"
		  "'memory':'1Gi'}}}}",
		  NULL, "status.qosClass='Guaranteed'" },
		{ "v1", "Pod", "",
		  "{" META "},'spec':{" ONE ",'resources':{'requests':{'cpu':'1'}}}}", NULL,
		  "status.qosClass='Burstable'" },
	};

	sfix_rows(*state, rows, ARRAY_LEN(rows));
}

static void label_keys_complete_selectors(void **state)
{
	static const struct srow rows[] = {
		{ "v1", "Pod", "",
		  "{" META ",'labels':{'a':'1','b':'2'}},'spec':{" ONE ",'affinity':{"
		  "'podAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':[{'topologyKey':"
		  "'z','labelSelector':{},'matchLabelKeys':['a','none'],'mismatchLabelKeys':['b']}]"
		  "},'podAntiAffinity':{'preferredDuringSchedulingIgnoredDuringExecution':[{'"
		  "weight'"
		  ":1,'podAffinityTerm':{'topologyKey':'z','matchLabelKeys':['a']}}]}},"
		  "'topologySpreadConstraints':[{'maxSkew':1,'topologyKey':'z','whenUnsatisfiable':"
		  "'DoNotSchedule','labelSelector':{'matchExpressions':[{'key':'q','operator':"
		  "'Exists'}]},'matchLabelKeys':['b']}]}}",
		  NULL,
		  "spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution.0."
		  "labelSelector={'matchExpressions':[{'key':'a','operator':'In','values':['1']},{"
		  "'key':'b','operator':'NotIn','values':['2']}]}\n"
		  "spec.topologySpreadConstraints.0.labelSelector.matchExpressions=[{'key':'q',"
		  "'operator':'Exists'},{'key':'b','operator':'In','values':['2']}]\n"
		  "!spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution["
		  "0]."
		  "podAffinityTerm.labelSelector: a null labelSelector results in matching no "
		  "pod" },
	};
	struct sfix *x = *state;
	struct err err = ERR_INIT;
	struct doc *obj;
	const char *once;

	sfix_rows(x, rows, ARRAY_LEN(rows));
	/* A call that is repeated adds nothing. */
	obj = sfix_doc(x, rows[0].obj);
	assert_int_equal(strategy_create(&x->c, obj, &err), 0);
	once = written(x->a, obj, NULL);
	assert_int_equal(strategy_create(&x->c, obj, &err), 0);
	assert_string_equal(written(x->a, obj, NULL), once);
}

static void profiles_of_annotations_become_fields(void **state)
{
#define NOTE(profile) \
	"'annotations':{'container.apparmor.security.beta.kubernetes.io/c':'" profile "'}"
#define FIELD "spec.containers.0.securityContext.appArmorProfile="
	static const struct srow rows[] = {
		{ "v1", "Pod", "", "{" META "," NOTE("runtime/default") "},'spec':{" ONE "}}", NULL,
		  FIELD
		  "{'type':'RuntimeDefault'}\n!metadata.annotations[container.apparmor.security."
		  "beta.kubernetes.io/c]: deprecated since v1.30; use the \"appArmorProfile\" "
		  "field "
		  "instead" },
		{ "v1", "Pod", "", "{" META "," NOTE("localhost/my") "},'spec':{" ONE "}}", NULL,
		  FIELD "{'type':'Localhost','localhostProfile':'my'}" },
		{ "v1", "Pod", "", "{" META "," NOTE("localhost/") "},'spec':{" ONE "}}", NULL,
		  FIELD "\n!deprecated since v1.30" },
		{ "v1", "Pod", "",
		  "{" META "," NOTE("unconfined") "},'spec':{" ONE
						  ",'securityContext':{'appArmorProfile':{'type':'"
						  "Unconfined'}}}}",
		  NULL, FIELD "\n!" },
		{ "v1", "Pod", "",
		  "{" META "," NOTE("unconfined") "},'spec':{'os':{'name':'windows'}," ONE "}}",
		  NULL, FIELD },
	};

	sfix_rows(*state, rows, ARRAY_LEN(rows));
}

static void updates_change_their_part(void **state)
{
#define OLD                                                                                       \
	"{" META ",'generation':3,'labels':{'a':'b'},'ownerReferences':[{'apiVersion':'v1',"      \
	"'kind':'K','name':'o','uid':'1'}]},'spec':{'nodeName':'w'," ONE "},'status':{'phase':"   \
	"'Running','qosClass':'BestEffort','observedGeneration':2,'conditions':[{'type':'Ready'," \
	"'status':'True','observedGeneration':2}]}}"
#define OWNED "metadata.ownerReferences=[{'apiVersion':'v1','kind':'K','name':'o','uid':'1'}]"
	static const struct srow rows[] = {
		{ "v1", "Pod", "",
		  "{" META ",'labels':{'c':'d'}},'spec':{'nodeName':'w','containers':"
		  "[{'name':'c','image':'j'}]},'status':{'phase':'Failed'}}",
		  OLD,
		  "metadata.generation=4\nstatus.phase='Running'\nspec.containers.0.image='j'\n"
		  "metadata.labels={'c':'d'}\nmetadata.ownerReferences=" },
		{ "v1", "Pod", "", "{" META ",'labels':{'c':'d'}},'spec':{'nodeName':'w'," ONE "}}",
		  OLD, "metadata.generation=3\nmetadata.labels={'c':'d'}" },
		{ "v1", "Pod", "status",
		  "{" META ",'labels':{'c':'d'}},'spec':{" ONE "},'status':{"
		  "'phase':'Succeeded','podIPs':[{'ip':'1.2.3.4'},{'ip':'FE80::2'}],'conditions':[{"
		  "'type':'Ready','status':'False'},{'type':'New','status':'True'}],"
		  "'nodeAllocatableResourceClaimStatuses':[{'resourceClaimName':'r'}]}}",
		  OLD,
		  "metadata.generation=3\nspec.nodeName='w'\nstatus.phase='Succeeded'\n"
		  "status.qosClass='BestEffort'\nstatus.observedGeneration=2\n"
		  "status.conditions.0.observedGeneration=2\nstatus.conditions.0.status='False'\n"
		  "status.conditions.1.observedGeneration=\nmetadata.labels={'c':'d'}\n" OWNED "\n"
		  "status.nodeAllocatableResourceClaimStatuses=\n"
		  "!status.podIPs[1].ip: IPv6 address \"FE80::2\" should be in RFC 5952 "
		  "canonical" },
		{ "v1", "Pod", "ephemeralcontainers",
		  "{" META ",'labels':{'c':'d'}},'spec':{"
		  "'containers':[{'name':'c','image':'other'}],'ephemeralContainers':[{'name':'e',"
		  "'image':'i'}]},'status':{}}",
		  OLD,
		  "metadata.generation=4\nmetadata.labels={'a':'b'}\n" OWNED "\nspec.nodeName='w'\n"
		  "spec.containers.0.image='i'\nspec.ephemeralContainers.0.name='e'\n"
		  "status.phase='Running'" },
		{ "v1", "Pod", "resize",
		  "{" META ",'labels':{'c':'d'}},'spec':{'containers':[{'name':"
		  "'c','image':'other','resources':{'limits':{'cpu':'2'}},'resizePolicy':[{"
		  "'resourceName':'cpu','restartPolicy':'NotRequired'}]}]},'status':{}}",
		  OLD,
		  "metadata.generation=4\nmetadata.labels={'a':'b'}\nspec.nodeName='w'\n"
		  "spec.containers.0.image='i'\nspec.containers.0.resources.limits={'cpu':'2'}\n"
		  "spec.containers.0.resizePolicy=[{'resourceName':'cpu','restartPolicy':"
		  "'NotRequired'}]\nstatus.phase='Running'" },
		{ "v1", "Pod", "resize",
		  "{" META "},'spec':{'nodeName':'w','containers':[{'name':'z',"
		  "'image':'other'}]}}",
		  OLD,
		  "spec.containers.0.name='z'\nspec.containers.0.image='other'\nspec.nodeName='"
		  "w'" },
		{ "v1", "Pod", "resize", "{" META "},'spec':{'nodeName':'v','containers':[]}}", OLD,
		  "spec.nodeName='v'\nspec.containers=[]" },
	};

	sfix_rows(*state, rows, ARRAY_LEN(rows));
}

/* ---- warnings ---- */

static void odd_pods_are_warned_of(void **state)
{
#define SPEC(spec) "{" META "},'spec':{" spec "}}"
#define ENV(env) SPEC("'containers':[{'name':'c','image':'i','env':[" env "]}]")
#define PORTS(ports) SPEC("'containers':[{'name':'c','image':'i','ports':[" ports "]}]")
	static const struct srow rows[] = {
		{ "v1", "Pod", "", "{'metadata':{'name':'a.b','namespace':'n'},'spec':{" ONE "}}",
		  NULL,
		  "!hostname, which can result in surprising behavior; a DNS label is recommended: "
		  "[must not contain dots]" },
		{ "v1", "Pod", "", SPEC(ONE ",'nodeSelector':{'beta.kubernetes.io/os':'linux'}"),
		  NULL, "!spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use" },
		{ "v1", "Pod", "",
		  SPEC(ONE
		       ",'affinity':{'nodeAffinity':{"
		       "'preferredDuringSchedulingIgnoredDuringExecution':[{'weight':1,'preference'"
		       ":{"
		       "'matchExpressions':[{'key':'a','operator':'In','values':['b/c']}]}}]}}"),
		  NULL,
		  "!spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0]."
		  "preference.matchExpressions[0].values[0]: b/c is invalid, " },
		{ "v1", "Pod", "",
		  SPEC(ONE ",'topologySpreadConstraints':[{'maxSkew':1,'topologyKey':"
			   "'failure-domain.beta.kubernetes.io/"
			   "zone','whenUnsatisfiable':'DoNotSchedule'}]"),
		  NULL,
		  "!spec.topologySpreadConstraints[0].topologyKey: "
		  "failure-domain.beta.kubernetes.io/zone is deprecated since v1.17\n"
		  "!spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results "
		  "in "
		  "matching no pod" },
		{ "v1", "Pod", "",
		  "{" META ",'annotations':{'scheduler.alpha.kubernetes.io/critical-"
		  "pod':'','seccomp.security.alpha.kubernetes.io/"
		  "pod':'x','container.seccomp.security"
		  ".alpha.kubernetes.io/c':'x'}},'spec':{" ONE "}}",
		  NULL,
		  "!metadata.annotations[scheduler.alpha.kubernetes.io/critical-pod]: "
		  "non-functional "
		  "in v1.16+; use the \"priorityClassName\" field instead\n"
		  "!metadata.annotations[seccomp.security.alpha.kubernetes.io/pod]: non-functional "
		  "in "
		  "v1.27+\n!metadata.annotations[container.seccomp.security.alpha.kubernetes.io/"
		  "c]: "
		  "non-functional in v1.27+; use the \"seccompProfile\" field instead" },
		{ "v1", "Pod", "",
		  SPEC(ONE
		       ",'volumes':[{'name':'a','gitRepo':{'repository':'r'}},{"
		       "'name':'b','storageos':{}},{'name':'d','ephemeral':{'volumeClaimTemplate':{"
		       "'spec':{'resources':{'limits':{'storage':'1m'}}}}}}]"),
		  NULL,
		  "!spec.volumes[0].gitRepo: deprecated in v1.11, and disabled by default in "
		  "v1.33+\n"
		  "!spec.volumes[1].storageOS: deprecated in v1.22, non-functional in v1.25+\n"
		  "!spec.volumes[2].ephemeral.volumeClaimTemplate.spec.resources.limits[storage]: "
		  "fractional byte value \"1m\"" },
		{ "v1", "Pod", "",
		  SPEC(ONE
		       ",'volumes':[{'name':'v','configMap':{'name':'m','items':[{"
		       "'key':'a','path':'a'},{'key':'b','path':'a/b'}]}},{'name':'w','projected':{"
		       "'sources':[{'serviceAccountToken':{'path':'t'}},{'secret':{'name':'s','"
		       "items':[{"
		       "'key':'k','path':'t/"
		       "'}]}}]}},{'name':'z','secret':{'secretName':'s','items':[{'key'"
		       ":'a','path':'a'},{'key':'b','path':'ab'}]}}]"),
		  NULL,
		  "!volume \"v\" (ConfigMap \"m\"): overlapping paths: \"a/b\" with \"a\"\n"
		  "!volume \"w\" (Projected): overlapping paths: \"t\" (Secret \"s\") with \"t\" "
		  "(ServiceAccountToken)" },
		{ "v1", "Pod", "",
		  SPEC(ONE ",'hostAliases':[{'ip':'1.1.1.1'},{'ip':'1.1.1.1'},{'ip':"
			   "'01.1.1.1'}],'imagePullSecrets':[{'name':'a'},{'name':'a'},{}]"),
		  NULL,
		  "!spec.hostAliases[1].ip: duplicate ip \"1.1.1.1\"\n"
		  "!spec.hostAliases[2].ip: non-standard IP address \"01.1.1.1\" is invalid: use "
		  "\"1.1.1.1\"\n!spec.imagePullSecrets[1].name: duplicate name \"a\"\n"
		  "!spec.imagePullSecrets[2].name: invalid empty name \"\"" },
		{ "v1", "Pod", "",
		  SPEC("'overhead':{'memory':'1m'},'containers':[{'name':'c','image':"
		       "'i','resources':{'limits':{'memory':'1500m'},'requests':{'ephemeral-"
		       "storage':'1m'}"
		       "}}]"),
		  NULL,
		  "!spec.overhead[memory]: fractional byte value \"1m\" is invalid, must "
		  "be an integer\n!spec.containers[0].resources.limits[memory]: fractional byte "
		  "value "
		  "\"1500m\"\n!spec.containers[0].resources.requests[ephemeral-storage]: "
		  "fractional" },
		{ "v1", "Pod", "", ENV("{'name':'A','value':'1'},{'name':'A','value':'2'}"), NULL,
		  "!spec.containers[0].env[1]: hides previous definition of \"A\", which may be "
		  "dropped when using apply" },
		{ "v1", "Pod", "", ENV("{'name':'A','value':'1'},{'name':'A','value':'$(A):2'}"),
		  NULL, "!" },
		{ "v1", "Pod", "", ENV("{'name':'A','value':'1'},{'name':'A','value':'$(A)'}"),
		  NULL, "!spec.containers[0].env[1]: hides previous definition" },
		{ "v1", "Pod", "", PORTS("{'containerPort':80,'hostIP':'1.2.3.4'}"), NULL,
		  "!spec.containers[0].ports[0]: hostIP set without hostPort: {Name: HostPort:0 "
		  "ContainerPort:80 Protocol:TCP HostIP:1.2.3.4}" },
		{ "v1", "Pod", "",
		  PORTS("{'containerPort':80},{'containerPort':80,'protocol':'UDP'},{"
			"'containerPort':80}"),
		  NULL,
		  "!spec.containers[0].ports[2]: duplicate port "
		  "definition with spec.containers[0].ports[0]" },
		{ "v1", "Pod", "", PORTS("{'containerPort':80},{'containerPort':80,'hostPort':1}"),
		  NULL, "!spec.containers[0].ports[1]: overlapping port definition with" },
		{ "v1", "Pod", "",
		  PORTS("{'containerPort':80,'hostPort':1,'hostIP':'1.1.1.1'},{"
			"'containerPort':80,'hostPort':1}"),
		  NULL,
		  "!spec.containers[0].ports[1]: dangerously ambiguous port definition with" },
		{ "v1", "Pod", "",
		  PORTS("{'containerPort':80,'hostPort':1},{'containerPort':80,"
			"'hostPort':2}"),
		  NULL, "!" },
		{ "v1", "Pod", "",
		  SPEC("'initContainers':[{'name':'a','image':'i','ports':[{'name':'p'"
		       ",'containerPort':1}]}],'containers':[{'name':'c','image':'i','ports':[{'"
		       "name':'p',"
		       "'containerPort':2}]}]"),
		  NULL,
		  "!spec.containers[0].ports[0]: duplicate port name \"p\" with "
		  "spec.initContainers[0].ports[0], services and probes that select ports by name "
		  "will "
		  "use spec.initContainers[0].ports[0]" },
		{ "v1", "Pod", "",
		  SPEC(ONE ",'terminationGracePeriodSeconds':-1,'dnsConfig':{"
			   "'nameservers':['FE80::1']}"),
		  NULL,
		  "!spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid "
		  "and "
		  "will be treated as 1\n!spec.dnsConfig.nameservers[0]: IPv6 address" },
		{ "apps/v1", "ReplicaSet", "",
		  "{" META "},'spec':{'selector':{'matchLabels':{'a':'b'}"
		  "},'template':{'metadata':{'labels':{'a':'b'}," NOTE(
			  "unconfined") "},'spec':{" ONE ",'terminationGracePeriodSeconds':-2}}}}",
		  NULL,
		  "!spec.template.metadata.annotations[container.apparmor.security.beta.kubernetes."
		  "io/"
		  "c]: deprecated since v1.30\n"
		  "!spec.template.spec.terminationGracePeriodSeconds: must be >= 0" },
	};

	sfix_rows(*state, rows, ARRAY_LEN(rows));
}

static void warnings_stop_at_their_maximum(void **state)
{
	struct sfix *x = *state;
	struct buf b = BUF_INIT(1u << 20);
	struct err err = ERR_INIT;

	sfix_kind(x, "v1", "Pod", "");
	(void)buf_adds(&b, "{" META "},'spec':{" ONE ",'hostAliases':[{'ip':'1.1.1.1'}");
	for (int i = 0; i < 200; i++)
		(void)buf_adds(&b, ",{'ip':'1.1.1.1'}");
	(void)buf_adds(&b, "]}}");
	assert_int_equal(sfix_try(x, sfix_doc(x, buf_str(&b)), NULL, &err), 0);
	assert_int_equal(x->c.nwarnings, STRATEGY_WARNINGS_MAX);
	buf_fini(&b);
}

/* ---- binding, eviction, the end ---- */

static void a_pod_is_bound_once(void **state)
{
	static const struct {
		const char *pod, *binding, *wrong;
	} rows[] = {
		{ "'spec':{" ONE "}", "'metadata':{'name':'x'},'target':{'name':'w'}", NULL },
		{ "'spec':{" ONE ",'nodeName':'v'}",
		  "'metadata':{'name':'x'},'target':{'name':'w'}",
		  "Operation cannot be fulfilled on pods/binding \"x\": pod x is already assigned "
		  "to "
		  "node \"v\"" },
		{ "'spec':{" ONE ",'schedulingGates':[{'name':'g'}]}",
		  "'metadata':{'name':'x'},'target':{'name':'w'}",
		  "Operation cannot be fulfilled on pods/binding \"x\": pod x has non-empty "
		  ".spec.schedulingGates" },
		{ "'spec':{" ONE "}", "'metadata':{'name':'x','uid':'other'},'target':{'name':'w'}",
		  "Operation cannot be fulfilled on pods \"x\": StorageError: invalid object, "
		  "Code: 4, "
		  "Key: /registry/pods/n/x, ResourceVersion: 0, AdditionalErrorMsg: Precondition "
		  "failed: UID in precondition: other, UID in object meta: u" },
		{ "'spec':{" ONE "}",
		  "'metadata':{'name':'x','uid':'u','resourceVersion':'6'},'target'"
		  ":{'name':'w'}",
		  "ResourceVersion in precondition: 6, ResourceVersion in object meta: 7" },
	};
	struct sfix *x = *state;

	sfix_kind(x, "v1", "Pod", "binding");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct doc *pod = sfix_doc(
			x, arena_printf(x->a, "{" META ",'resourceVersion':'7'},%s}", rows[i].pod));
		const struct doc *binding = must_read(
			x->a, sfix_quoted(x, arena_printf(x->a, "{%s}", rows[i].binding)));
		struct err err = ERR_INIT;
		int r = binding_set(&x->c, pod, binding, &err);

		assert_int_equal(r, rows[i].wrong ? -ERR_CONFLICT : 0);
		if (rows[i].wrong && !strstr(err.msg, rows[i].wrong))
			fail_msg("%s", err.msg);
		if (!rows[i].wrong)
			assert_string_equal(doc_cstr(x->a, doc_find(pod, "spec.nodeName")), "w");
	}
}

static void a_binding_takes_its_metadata_along(void **state)
{
	struct sfix *x = *state;
	struct err err = ERR_INIT;
	struct doc *pod;

	sfix_kind(x, "v1", "Pod", "binding");
	pod = sfix_doc(x, "{" META ",'generation':2,'labels':{'b':'1','z':'9'}},'spec':{" ONE
			  "},'status':{'phase':'Pending','nominatedNodeName':'v','conditions':[{"
			  "'type':'PodScheduled','status':'False','lastTransitionTime':"
			  "'2020-01-01T00:00:00Z','reason':'Unschedulable','message':'no'}]}}");
	assert_int_equal(
		binding_set(&x->c, pod,
			    must_read(x->a, sfix_quoted(x, "{'metadata':{'annotations':{'k':'v'},"
							   "'labels':{'c':'2','z':'0'}},'target':{"
							   "'kind':'Node','name':'w'}}")),
			    &err),
		0);
	sfix_canonical(x, "bound", pod);
	assert_true(sfix_facts(
		x, "bound", pod,
		"spec.nodeName='w'\nmetadata.annotations={'k':'v'}\n"
		"metadata.labels={'b':'1','c':'2','z':'0'}\nmetadata.generation=2\n"
		"status.nominatedNodeName=\nstatus.conditions=[{'type':'PodScheduled',"
		"'status':'True','lastProbeTime':null,'lastTransitionTime':" NOW_TEXT "}]"));
	/* Being deleted. */
	(void)strategy_set_text(&x->c, pod, "metadata.deletionTimestamp", "2023-11-14T22:13:20Z");
	(void)strategy_drop(pod, "spec.nodeName");
	assert_int_equal(binding_set(&x->c, pod, must_read(x->a, "{}"), &err), -ERR_CONFLICT);
	assert_non_null(strstr(err.msg, "pod x is being deleted, cannot be assigned to a host"));
}

static void an_evicted_pod_tells_so(void **state)
{
	struct sfix *x = *state;
	struct doc *pod;

	sfix_kind(x, "v1", "Pod", "eviction");
	pod = sfix_doc(x, "{" META "},'spec':{" ONE "},'status':{'phase':'Running'}}");
	eviction_mark(&x->c, pod);
	eviction_mark(&x->c, pod);
	sfix_canonical(x, "evicted", pod);
	assert_true(sfix_facts(x, "evicted", pod,
			       "status.conditions=[{'type':'DisruptionTarget','status':'True',"
			       "'lastProbeTime':null,'lastTransitionTime':" NOW_TEXT ",'reason':"
			       "'EvictionByEvictionAPI','message':'Eviction API: evicting'}]"));
}

static void grace_is_what_the_pod_or_the_request_says(void **state)
{
	static const struct {
		const char *pod, *options;
		int64_t want;
	} rows[] = {
		{ "'spec':{'nodeName':'w'," ONE "}", "{}", 30 },
		{ "'spec':{'nodeName':'w','terminationGracePeriodSeconds':5," ONE "}", "{}", 5 },
		{ "'spec':{'nodeName':'w'," ONE "}", "{'gracePeriodSeconds':7}", 7 },
		{ "'spec':{'nodeName':'w'," ONE "}", "{'gracePeriodSeconds':0}", -1 },
		{ "'spec':{'nodeName':'w'," ONE "}", "{'gracePeriodSeconds':-3}", 1 },
		{ "'spec':{" ONE "}", "{'gracePeriodSeconds':7}", -1 },
		{ "'spec':{'nodeName':'w'," ONE "},'status':{'phase':'Failed'}", "{}", -1 },
		{ "'spec':{'nodeName':'w'," ONE "},'status':{'phase':'Succeeded'}", "{}", -1 },
	};
	struct sfix *x = *state;

	sfix_kind(x, "v1", "Pod", "");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct doc *pod =
			sfix_doc(x, arena_printf(x->a, "{" META "},%s}", rows[i].pod));

		assert_int_equal(x->objects.strategy->grace(
					 pod, must_read(x->a, sfix_quoted(x, rows[i].options))),
				 rows[i].want);
	}
	assert_int_equal(x->objects.strategy->grace(
				 sfix_doc(x, "{" META "},'spec':{'nodeName':'w'," ONE "}}"), NULL),
			 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCASE(a_pod_begins_pending),
		SCASE(the_class_of_service_follows_from_resources),
		SCASE(label_keys_complete_selectors),
		SCASE(profiles_of_annotations_become_fields),
		SCASE(updates_change_their_part),
		SCASE(odd_pods_are_warned_of),
		SCASE(warnings_stop_at_their_maximum),
		SCASE(a_pod_is_bound_once),
		SCASE(a_binding_takes_its_metadata_along),
		SCASE(an_evicted_pod_tells_so),
		SCASE(grace_is_what_the_pod_or_the_request_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
