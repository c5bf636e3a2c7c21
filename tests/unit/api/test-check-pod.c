/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of Pods and of templates, row by row. */
#include "check-rows.h"

#define META "'metadata':{'name':'x','namespace':'n'"
#define UPDATE META ",'resourceVersion':'1'}"
#define C "'containers':[{'name':'c','image':'i'}]"

static const struct frame pods = { "v1", "Pod", "", "{" META "},'spec':{%}}" };
static const struct frame updates = { "v1", "Pod", "", "{" UPDATE ",'spec':{%}}" };
static const struct frame containers = { "v1", "Pod", "",
					 "{" META
					 "},'spec':{'containers':[{'name':'c','image':'i',%}]}}" };
static const struct frame volumes = { "v1", "Pod", "",
				      "{" META "},'spec':{" C
				      ",'serviceAccountName':'s','volumes':[{'name':'v',%}]}}" };
static const struct frame templates = { "v1", "PodTemplate", "", "{" META "},'template':{%}}" };

static void pods_have_rules(void **state)
{
	static const struct row rows[] = {
		{ C, "" },
		{ "'containers':[]", "spec.containers: Required value" },
		{ C ",'restartPolicy':'Sometimes'",
		  "spec.restartPolicy: Unsupported value: 'Sometimes': supported values: 'Always', "
		  "'OnFailure', 'Never'" },
		{ C ",'dnsPolicy':'None'", "spec.dnsConfig: Required value: must provide "
					   "`dnsConfig` when `dnsPolicy` is None" },
		{ C ",'dnsPolicy':'None','dnsConfig':{'nameservers':['1.2.3.4']}", "" },
		{ C ",'dnsConfig':{'nameservers':['x'],'searches':['a_b.c.','-'],'options':[{}]}",
		  "spec.dnsConfig.nameservers[0]: Invalid value: 'x': must be a valid IP address\n"
		  "spec.dnsConfig.searches[1]: Invalid value: '-'\n"
		  "spec.dnsConfig.options[0]: Required value: must not be empty" },
		{ C ",'dnsConfig':{'nameservers':['1.1.1.1','1.1.1.2','1.1.1.3','1.1.1.4']}",
		  "spec.dnsConfig.nameservers: Invalid value: "
		  "['1.1.1.1','1.1.1.2','1.1.1.3','1.1.1.4']: must not have more than 3 "
		  "nameservers" },
		{ C ",'nodeSelector':{'a b':'c'}", "spec.nodeSelector: Invalid value: 'a b'" },
		{ C ",'hostname':'A','subdomain':'b.c'",
		  "spec.hostname: Invalid value: 'A'\nspec.subdomain: Invalid value: 'b.c'" },
		{ C ",'activeDeadlineSeconds':0",
		  "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, "
		  "inclusive" },
		{ C ",'hostAliases':[{'ip':'1.2.3','hostnames':['A']}]",
		  "spec.hostAliases[0].ip: Invalid value: '1.2.3'\n"
		  "spec.hostAliases[0].hostnames[0]: Invalid value: 'A'" },
		{ C ",'readinessGates':[{'conditionType':'a b'}]",
		  "spec.readinessGates[0].conditionType: Invalid value: 'a b'" },
		{ C ",'schedulingGates':[{'name':'a'},{'name':'a'}]",
		  "spec.schedulingGates[1]: Duplicate value: 'a'" },
		{ C ",'schedulingGates':[{'name':'a'}],'nodeName':'k'",
		  "spec.nodeName: Forbidden: cannot be set until all schedulingGates have been "
		  "cleared" },
		{ C ",'resourceClaims':[{'name':'r'}]",
		  "spec.resourceClaims[0]: Invalid value: {'name':'r'}: must specify one of: "
		  "`resourceClaimName`, `resourceClaimTemplateName`" },
		{ C ",'resourceClaims':[{'name':'r','resourceClaimName':'a'},{'name':'r',"
		    "'resourceClaimTemplateName':'b'}]",
		  "spec.resourceClaims[1].name: Duplicate value: 'r'" },
		{ C ",'os':{'name':'plan9'}",
		  "spec.os: Unsupported value: 'plan9': supported values: 'linux', 'windows'" },
		{ C ",'os':{'name':'windows'},'hostPID':true,'securityContext':{'runAsUser':1}",
		  "spec.hostPID: Forbidden: cannot be set for a windows pod\n"
		  "spec.securityContext.runAsUser: Forbidden: cannot be set for a windows pod" },
		{ C ",'os':{'name':'linux'},'securityContext':{'windowsOptions':{}}",
		  "spec.securityContext.windowsOptions: Forbidden: windows options cannot be set "
		  "for "
		  "a linux pod" },
		{ C ",'hostUsers':false,'hostNetwork':true,'hostPID':true",
		  "spec.HostPID: Forbidden: when `hostUsers` is false" },
		{ C ",'securityContext':{'runAsUser':-1,'supplementalGroups':[-2]}",
		  "spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and "
		  "2147483647, inclusive\nspec.securityContext.supplementalGroups[0]: Invalid "
		  "value: "
		  "-2" },
		{ C ",'securityContext':{'seccompProfile':{'type':'Localhost'}}",
		  "spec.securityContext.seccompProfile.localhostProfile: Required value: must be "
		  "set "
		  "when seccomp type is Localhost" },
		{ C ",'securityContext':{'seccompProfile':{'type':'Localhost','localhostProfile':"
		    "'../x'}}",
		  "spec.securityContext.seccompProfile.localhostProfile: Invalid value: '../x': "
		  "must "
		  "not contain '..'" },
		{ C
		  ",'securityContext':{'appArmorProfile':{'type':'Localhost','localhostProfile':' "
		  "x'}}",
		  "spec.securityContext.appArmorProfile.localhostProfile: Invalid value: ' x': "
		  "must "
		  "not be padded with whitespace" },
		{ C ",'securityContext':{'fsGroupChangePolicy':'x','seLinuxChangePolicy':'y'}",
		  "spec.securityContext.fsGroupChangePolicy: Unsupported value: 'x': supported "
		  "values: "
		  "'Always', 'OnRootMismatch'\nspec.securityContext.seLinuxChangePolicy: "
		  "Unsupported "
		  "value: 'y': supported values: 'MountOption', 'Recursive'" },
		{ C
		  ",'hostNetwork':true,'securityContext':{'sysctls':[{'name':'net.a','value':'1'},"
		  "{'name':'K','value':'1'}]}",
		  "spec.securityContext.sysctls[0].name: Invalid value: 'net.a': may not be "
		  "specified "
		  "when 'hostNetwork' is true\nspec.securityContext.sysctls[1].name: Invalid "
		  "value: 'K'" },
		{ C ",'securityContext':{'windowsOptions':{'hostProcess':true}}",
		  "spec.hostNetwork: Invalid value: false: hostNetwork must be true if pod "
		  "contains any "
		  "hostProcess containers" },
		{ C ",'securityContext':{'windowsOptions':{'runAsUserName':'a/b'}}",
		  "spec.securityContext.windowsOptions.runAsUserName: Invalid value: 'a/b': "
		  "runAsUserName's User cannot contain" },
		{ C ",'preemptionPolicy':'x','priorityClassName':'A'",
		  "spec.preemptionPolicy: Unsupported value: 'x': supported values: "
		  "'PreemptLowerPriority', 'Never'\nspec.priorityClassName: Invalid value: 'A'" },
		{ C ",'overhead':{'cpu':'-1'}", "spec.overhead.limits[cpu]: Invalid value: '-1': "
						"must be greater than or equal to 0" },
		{ C ",'ephemeralContainers':[{'name':'e','image':'i'}]",
		  "spec.ephemeralContainers: Forbidden: cannot be set on create" },
		{ C ",'resources':{'requests':{'example.com/x':'1'}}",
		  "spec.resources.requests[example.com/x]: Unsupported value: 'example.com/x': "
		  "supported "
		  "values: 'cpu', 'memory'\nspec.resources.limits: Required value: Limit must be "
		  "set for "
		  "non overcommitable resources" },
		{ "'containers':[{'name':'c','image':'i','resources':{'requests':{'cpu':'2'}}}],"
		  "'resources':{'requests':{'cpu':'1'},'limits':{'cpu':'3'}}",
		  "spec.resources.requests[cpu]: Invalid value: '1': must be greater than or equal "
		  "to "
		  "aggregate container requests of 2" },
		{ C ",'hostnameOverride':'a','setHostnameAsFQDN':true",
		  "spec.hostnameOverride: Forbidden" },
	};

	CHECK_ROWS(state, &pods, rows);
}

static void pods_are_placed_by_rules(void **state)
{
#define NODE(term)                                                                         \
	C ",'affinity':{'nodeAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':" \
	  "{'nodeSelectorTerms':[" term "]}}}"
#define NODE_AT                                                                      \
	"spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution." \
	"nodeSelectorTerms"
#define POD(term)                                                                                \
	C ",'affinity':{'podAffinity':{'preferredDuringSchedulingIgnoredDuringExecution':[" term \
	  "]}}"
#define POD_AT "spec.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[0]."
	static const struct row rows[] = {
		{ NODE("{'matchExpressions':[{'key':'a','operator':'In','values':['b']}]}"), "" },
		{ NODE(""), NODE_AT ": Required value: must have at least one node selector term" },
		{ NODE("{'matchExpressions':[{'key':'a','operator':'In'}]}"),
		  NODE_AT "[0].matchExpressions[0].values: Required value: must be specified when "
			  "`operator` is 'In' or 'NotIn'" },
		{ NODE("{'matchExpressions':[{'key':'a','operator':'Exists','values':['b']}]}"),
		  NODE_AT "[0].matchExpressions[0].values: Forbidden: may not be specified when "
			  "`operator` is 'Exists' or 'DoesNotExist'" },
		{ NODE("{'matchExpressions':[{'key':'a','operator':'Gt','values':['1','2']}]}"),
		  NODE_AT
		  "[0].matchExpressions[0].values: Required value: must be specified single "
		  "value when `operator` is 'Lt' or 'Gt'" },
		{ NODE("{'matchExpressions':[{'key':'a','operator':'x'}]}"), NODE_AT
		  "[0].matchExpressions[0].operator: Invalid value: 'x': not a valid selector "
		  "operator" },
		{ NODE("{'matchFields':[{'key':'metadata.uid','operator':'In','values':['a']}]}"),
		  NODE_AT
		  "[0].matchFields[0].key: Invalid value: 'metadata.uid': not a valid field "
		  "selector key" },
		{ POD("{'weight':1,'podAffinityTerm':{'topologyKey':'k'}}"), "" },
		{ POD("{'weight':0,'podAffinityTerm':{'topologyKey':'k','namespaces':['A']}}"),
		  POD_AT "weight: Invalid value: 0: must be in the range 1-100\n" POD_AT
			 "podAffinityTerm.namespace: Invalid value: 'A'" },
		{ POD("{'weight':1,'podAffinityTerm':{'topologyKey':'','matchLabelKeys':['a']}}"),
		  POD_AT
		  "podAffinityTerm.matchLabelKeys: Forbidden: must not be specified when "
		  "labelSelector is not set\n" POD_AT
		  "podAffinityTerm.topologyKey: Required value: can not be empty\n" POD_AT
		  "podAffinityTerm.topologyKey: Invalid value: '': name part must be non-empty" },
		{ C ",'tolerations':[{'operator':'Exists'},{'key':'a','value':'b'}]", "" },
		{ C ",'tolerations':[{'operator':'Equal'}]",
		  "spec.tolerations[0].operator: Invalid value: 'Equal': operator must be Exists "
		  "when "
		  "`key` is empty" },
		{ C ",'tolerations':[{'key':'a','operator':'x','effect':'y'}]",
		  "spec.tolerations[0].operator: Unsupported value: 'x'\n"
		  "spec.tolerations[0].effect: Unsupported value: 'y': supported values: "
		  "'NoSchedule', "
		  "'PreferNoSchedule', 'NoExecute'" },
		{ C ",'tolerations':[{'key':'a','operator':'Exists','value':'b','tolerationSeconds'"
		    ":1}]",
		  "spec.tolerations[0].effect: Invalid value: '': effect must be 'NoExecute' when "
		  "`tolerationSeconds` is set\nspec.tolerations[0].operator: Invalid value: 'b': "
		  "value "
		  "must be empty when `operator` is 'Exists'" },
		{ C ",'topologySpreadConstraints':[{'maxSkew':1,'topologyKey':'z','"
		    "whenUnsatisfiable':"
		    "'DoNotSchedule','minDomains':2}]",
		  "" },
		{ C
		  ",'topologySpreadConstraints':[{'maxSkew':0,'topologyKey':'','whenUnsatisfiable':"
		  "'x'}]",
		  "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater "
		  "than "
		  "zero\nspec.topologySpreadConstraints[0].topologyKey: Required value: can not be "
		  "empty\nspec.topologySpreadConstraints[0].whenUnsatisfiable: Unsupported value: "
		  "'x': "
		  "supported values: 'DoNotSchedule', 'ScheduleAnyway'" },
		{ C ",'topologySpreadConstraints':[{'maxSkew':1,'topologyKey':'z','"
		    "whenUnsatisfiable':"
		    "'ScheduleAnyway','minDomains':1},{'maxSkew':2,'topologyKey':'z',"
		    "'whenUnsatisfiable':'ScheduleAnyway'}]",
		  "spec.topologySpreadConstraints[0].minDomains: Invalid value: 1: can only use "
		  "minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway\n"
		  "spec.topologySpreadConstraints[0].{topologyKey, whenUnsatisfiable}: Duplicate "
		  "value: "
		  "'{z, ScheduleAnyway}'" },
		{ C ",'topologySpreadConstraints':[{'maxSkew':1,'topologyKey':'z','"
		    "whenUnsatisfiable':"
		    "'DoNotSchedule','labelSelector':{'matchLabels':{'a':'b'}},'matchLabelKeys':['"
		    "a']}]",
		  "spec.topologySpreadConstraints[0].matchLabelKeys[0]: Invalid value: 'a': exists "
		  "in "
		  "both matchLabelKeys and labelSelector" },
	};

	CHECK_ROWS(state, &pods, rows);
}

static void containers_have_rules(void **state)
{
	static const struct row rows[] = {
		{ "'ports':[{'containerPort':80,'name':'http'}]", "" },
		{ "'ports':[{'containerPort':0},{'containerPort':65536}]",
		  "spec.containers[0].ports[0].containerPort: Required value\n"
		  "spec.containers[0].ports[1].containerPort: Invalid value: 65536: must be "
		  "between 1 "
		  "and 65535, inclusive" },
		{ "'ports':[{'containerPort':80,'name':'a'},{'containerPort':81,'name':'a'}]",
		  "spec.containers[0].ports[1].name: Duplicate value: 'a'" },
		{ "'ports':[{'containerPort':80,'protocol':'X'}]",
		  "spec.containers[0].ports[0].protocol: Unsupported value: 'X': supported values: "
		  "'SCTP', 'TCP', 'UDP'" },
		{ "'ports':[{'containerPort':80,'hostPort':8080},{'containerPort':81,'hostPort':"
		  "8080}]",
		  "spec.containers[0].ports[1].hostPort: Duplicate value: 'TCP//8080'" },
		{ "'imagePullPolicy':'Sometimes'",
		  "spec.containers[0].imagePullPolicy: Unsupported value: 'Sometimes': supported "
		  "values: "
		  "'Always', 'IfNotPresent', 'Never'" },
		{ "'terminationMessagePolicy':'x'", "spec.containers[0].terminationMessagePolicy: "
						    "Unsupported value: 'x': supported values: "
						    "'File', 'FallbackToLogsOnError'" },
		{ "'env':[{'name':'A','value':'b'},{'name':'B','valueFrom':{'fieldRef':{'fieldPath'"
		  ":"
		  "'metadata.name'}}}]",
		  "" },
		{ "'env':[{'name':''},{'name':'a=b'}]",
		  "spec.containers[0].env[0].name: Required value\n"
		  "spec.containers[0].env[1].name: Invalid value: 'a=b'" },
		{ "'env':[{'name':'a','valueFrom':{}}]",
		  "spec.containers[0].env[0].valueFrom: Invalid value: '': must specify one of: "
		  "`fieldRef`, `resourceFieldRef`, `configMapKeyRef`" },
		{ "'env':[{'name':'a','value':'b','valueFrom':{'secretKeyRef':{'name':'s','key':'k'"
		  "}}}]",
		  "spec.containers[0].env[0].valueFrom: Invalid value: '': may not be specified "
		  "when "
		  "`value` is not empty" },
		{ "'env':[{'name':'a','valueFrom':{'secretKeyRef':{'name':'s','key':'k'},"
		  "'configMapKeyRef':{'name':'s','key':'a b'}}}]",
		  "spec.containers[0].env[0].valueFrom.configMapKeyRef.key: Invalid value: 'a b'\n"
		  "spec.containers[0].env[0].valueFrom: Invalid value: '': may not have more than "
		  "one "
		  "field specified at a time" },
		{ "'env':[{'name':'a','valueFrom':{'fieldRef':{'fieldPath':'metadata.labels'}}}]",
		  "spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "
		  "'metadata.labels': supported values: 'metadata.name', 'metadata.namespace', "
		  "'metadata.uid', 'spec.nodeName', 'spec.serviceAccountName', 'status.hostIP', "
		  "'status.hostIPs', 'status.podIP', 'status.podIPs'" },
		{ "'env':[{'name':'a','valueFrom':{'resourceFieldRef':{'resource':'limits.gpu'}}}]",
		  "spec.containers[0].env[0].valueFrom.resourceFieldRef.resource: Unsupported "
		  "value: "
		  "'limits.gpu': supported values: 'limits.cpu', 'limits.ephemeral-storage', "
		  "'limits.memory', 'requests.cpu', 'requests.ephemeral-storage', "
		  "'requests.memory'" },
		{ "'env':[{'name':'a','valueFrom':{'resourceFieldRef':{'resource':'limits.cpu',"
		  "'divisor':'2'}}}]",
		  "spec.containers[0].env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "
		  "'limits.cpu': only divisor's values 1m and 1 are supported with the cpu "
		  "resource" },
		{ "'env':[{'name':'a','valueFrom':{'fileKeyRef':{'volumeName':'v','path':'p','key':"
		  "'K'}}}]",
		  "spec.containers[0].env[0].valueFrom.fileKeyRef.volumeName: Not found: 'v'" },
		{ "'envFrom':[{'configMapRef':{'name':'A'}},{}]",
		  "spec.containers[0].envFrom[0].configMapRef.name: Invalid value: 'A'\n"
		  "spec.containers[0].envFrom: Invalid value: '': must specify one of: "
		  "`configMapRef` or "
		  "`secretRef`" },
		{ "'volumeMounts':[{'name':'v','mountPath':'/a'}]",
		  "spec.containers[0].volumeMounts[0].name: Not found: 'v'" },
		{ "'volumeDevices':[{'name':'v','devicePath':''}]",
		  "spec.containers[0].volumeDevices[0].name: Not found: 'v'\n"
		  "spec.containers[0].volumeDevices[0].devicePath: Required value" },
		{ "'resources':{'limits':{'cpu':'1','example.com/"
		  "gpu':'1'},'requests':{'cpu':'500m',"
		  "'example.com/gpu':'1'}}",
		  "" },
		{ "'resources':{'limits':{'cpu':'1'},'requests':{'cpu':'2'}}",
		  "spec.containers[0].resources.requests: Invalid value: '2': must be less than or "
		  "equal "
		  "to cpu limit of 1" },
		{ "'resources':{'limits':{'cpus':'1'}}",
		  "spec.containers[0].resources.limits[cpus]: Invalid value: 'cpus': must be a "
		  "standard "
		  "resource type or fully qualified\nspec.containers[0].resources.limits[cpus]: "
		  "Invalid "
		  "value: 'cpus': must be a standard resource for containers\n"
		  "spec.containers[0].resources.requests[cpus]: Invalid value: 'cpus': must be a "
		  "standard "
		  "resource type\nspec.containers[0].resources.requests[cpus]: Invalid value: "
		  "'cpus'" },
		{ "'resources':{'limits':{'example.com/gpu':'1500m'}}",
		  "spec.containers[0].resources.limits[example.com/gpu]: Invalid value: '1500m': "
		  "must be "
		  "an integer\nspec.containers[0].resources.requests[example.com/gpu]: Invalid "
		  "value: "
		  "'1500m': must be an integer" },
		{ "'resources':{'limits':{'hugepages-2Mi':'3Mi'}}",
		  "spec.containers[0].resources.limits[hugepages-2Mi]: Invalid value: '3Mi': 3Mi "
		  "is not "
		  "positive integer multiple of hugepages-2Mi\n"
		  "spec.containers[0].resources.requests[hugepages-2Mi]: Invalid value: '3Mi': 3Mi "
		  "is "
		  "not positive integer multiple of hugepages-2Mi\n"
		  "spec.containers[0].resources: Forbidden: HugePages require cpu or memory" },
		{ "'resources':{'claims':[{'name':'r'},{'name':'r'}]}",
		  "spec.containers[0].resources.claims[0]: Not found: 'r'\n"
		  "spec.containers[0].resources.claims[1]: Duplicate value: 'r'\n"
		  "spec.containers[0].resources.claims[1]: Not found: 'r'" },
		{ "'resizePolicy':[{'resourceName':'disk','restartPolicy':'x'}]",
		  "spec.containers[0].resizePolicy: Unsupported value: 'disk': supported values: "
		  "'cpu', "
		  "'memory'\nspec.containers[0].resizePolicy: Unsupported value: 'x': supported "
		  "values: "
		  "'NotRequired', 'RestartContainer'" },
		{ "'livenessProbe':{'httpGet':{'port':80}}", "" },
		{ "'livenessProbe':{}",
		  "spec.containers[0].livenessProbe: Required value: must specify a handler type" },
		{ "'livenessProbe':{'exec':{},'tcpSocket':{'port':1},'successThreshold':2}",
		  "spec.containers[0].livenessProbe.exec.command: Required value\n"
		  "spec.containers[0].livenessProbe.tcpSocket: Forbidden: may not specify more "
		  "than 1 "
		  "handler type\nspec.containers[0].livenessProbe.successThreshold: Invalid value: "
		  "2: "
		  "must be 1" },
		{ "'readinessProbe':{'grpc':{'port':0},'periodSeconds':-1,"
		  "'terminationGracePeriodSeconds':1}",
		  "spec.containers[0].readinessProbe.grpc.port: Invalid value: 0: must be between "
		  "1 and "
		  "65535, inclusive\nspec.containers[0].readinessProbe.periodSeconds: Invalid "
		  "value: -1: "
		  "must be greater than or equal to 0\n"
		  "spec.containers[0].readinessProbe.terminationGracePeriodSeconds: Invalid value: "
		  "1: "
		  "must not be set for readinessProbes" },
		{ "'startupProbe':{'httpGet':{'port':'a--b','scheme':'FTP','httpHeaders':[{'name':'"
		  "a b',"
		  "'value':''}]}}",
		  "spec.containers[0].startupProbe.httpGet.port: Invalid value: 'a--b': must not "
		  "contain "
		  "consecutive hyphens\nspec.containers[0].startupProbe.httpGet.scheme: "
		  "Unsupported "
		  "value: 'FTP': supported values: 'HTTP', 'HTTPS'\n"
		  "spec.containers[0].startupProbe.httpGet.httpHeaders: Invalid value: 'a b'" },
		{ "'lifecycle':{'preStop':{'sleep':{'seconds':31}}}",
		  "spec.containers[0].lifecycle.preStop.sleep: Invalid value: 31: must be "
		  "non-negative and "
		  "less than terminationGracePeriodSeconds (30)" },
		{ "'lifecycle':{'stopSignal':'SIGTERM'}",
		  "spec.containers[0].lifecycle.stopSignal: Forbidden" },
		{ "'restartPolicyRules':[{'action':'Stop'}]",
		  "spec.containers[0].restartPolicy: Required value: must specify restartPolicy "
		  "when "
		  "restart rules are used\nspec.containers[0].restartPolicyRules[0].action: "
		  "Unsupported "
		  "value: 'Stop'\nspec.containers[0].restartPolicyRules[0].exitCodes: Required "
		  "value" },
		{ "'securityContext':{'privileged':true,'allowPrivilegeEscalation':false}",
		  "spec.containers[0].securityContext: Invalid value: {'privileged':true,"
		  "'allowPrivilegeEscalation':false}: cannot set `allowPrivilegeEscalation` to "
		  "false and "
		  "`privileged` to true" },
		{ "'securityContext':{'procMount':'Unmasked'}",
		  "spec.containers[0].securityContext.procMount: Invalid value: 'Unmasked': "
		  "`hostUsers` "
		  "must be false to use `Unmasked`" },
		{ "'securityContext':{'seccompProfile':{'type':'x'},'runAsGroup':-1}",
		  "spec.containers[0].securityContext.runAsGroup: Invalid value: -1: must be "
		  "between 0 and "
		  "2147483647, inclusive\nspec.containers[0].securityContext.seccompProfile.type: "
		  "Unsupported value: 'x': supported values: 'Localhost', 'RuntimeDefault', "
		  "'Unconfined'" },
	};

	CHECK_ROWS(state, &containers, rows);
}

static void containers_are_told_apart(void **state)
{
	static const struct row rows[] = {
		{ "'containers':[{'name':'c','image':' i'},{'name':'c','image':''}]",
		  "spec.containers[0].image: Invalid value: ' i': must not have leading or "
		  "trailing "
		  "whitespace\nspec.containers[1].image: Required value\n"
		  "spec.containers[1].name: Duplicate value: 'c'" },
		{ "'containers':[{'image':'i'},{'name':'A','image':'i'}]",
		  "spec.containers[0].name: Required value\n"
		  "spec.containers[1].name: Invalid value: 'A': a lowercase RFC 1123 label" },
		{ C ",'initContainers':[{'name':'c','image':'i'}]",
		  "spec.initContainers[0].name: Duplicate value: 'c'" },
		{ C ",'initContainers':[{'name':'s','image':'i','restartPolicy':'Always',"
		    "'livenessProbe':{'exec':{'command':['x']}}}]",
		  "" },
		{ C ",'initContainers':[{'name':'s','image':'i','lifecycle':{}}]",
		  "spec.initContainers[0].lifecycle: Forbidden: may not be set for init containers "
		  "without restartPolicy=Always" },
		{ C ",'initContainers':[{'name':'s','image':'i','restartPolicy':'x'}]",
		  "spec.initContainers[0].restartPolicy: Unsupported value: 'x'" },
		{ "'hostNetwork':true,'containers':[{'name':'c','image':'i','ports':[{'"
		  "containerPort':80,"
		  "'hostPort':81}]}]",
		  "spec.containers[0].ports[0].hostPort: Invalid value: 81: must match "
		  "`containerPort` "
		  "when `hostNetwork` is true" },
		{ "'volumes':[{'name':'v','emptyDir':{}}],'containers':[{'name':'c','image':'i',"
		  "'volumeMounts':[{'name':'v','mountPath':'/a'},{'name':'v','mountPath':'/a'}]}]",
		  "spec.containers[0].volumeMounts[1].mountPath: Invalid value: '/a': must be "
		  "unique" },
		{ "'volumes':[{'name':'v','emptyDir':{}}],'containers':[{'name':'c','image':'i',"
		  "'volumeMounts':[{'name':'v','mountPath':'/a','subPath':'../"
		  "b','mountPropagation':"
		  "'Bidirectional'}]}]",
		  "spec.containers[0].volumeMounts.subPath: Invalid value: '../b': must not "
		  "contain '..'\n"
		  "spec.containers[0].volumeMounts.mountPropagation: Forbidden: Bidirectional "
		  "mount "
		  "propagation is available only to privileged containers" },
		{ "'volumes':[{'name':'v','emptyDir':{}}],'containers':[{'name':'c','image':'i',"
		  "'volumeMounts':[{'name':'v','mountPath':'/a','recursiveReadOnly':'Enabled'}]}]",
		  "spec.containers[0].volumeMounts.recursiveReadOnly: Forbidden: may only be "
		  "specified "
		  "when readOnly is true" },
		{ "'volumes':[{'name':'v','emptyDir':{}}],'containers':[{'name':'c','image':'i',"
		  "'volumeDevices':[{'name':'v','devicePath':'/dev/x'}]}]",
		  "spec.containers[0].volumeDevices[0].name: Invalid value: 'v': can only use "
		  "volume "
		  "source type of PersistentVolumeClaim or Ephemeral for block mode" },
	};

	CHECK_ROWS(state, &pods, rows);
}

#define V "spec.volumes[0]"

static void volumes_have_rules(void **state)
{
	static const struct row rows[] = {
		{ "'emptyDir':{}", "" },
		{ "'emptyDir':{'sizeLimit':'-1'}", V ".emptyDir.sizeLimit: Forbidden: SizeLimit "
						     "field must be a valid resource quantity" },
		{ "'emptyDir':{},'hostPath':{'path':'/x'}",
		  V ".hostPath: Forbidden: may not specify more than 1 volume type" },
		{ "'hostPath':{'path':'/a/../b','type':'x'}",
		  V ".hostPath.path: Invalid value: '/a/../b': must not contain '..'\n" V
		    ".hostPath.type: Unsupported value: 'x': supported values: '', 'BlockDevice', "
		    "'CharDevice', 'Directory', 'DirectoryOrCreate', 'File', 'FileOrCreate', "
		    "'Socket'" },
		{ "'gitRepo':{'repository':'','directory':'/x'}",
		  V ".gitRepo.repository: Required value\n" V
		    ".gitRepo.directory: Invalid value: '/x': must be a relative path" },
		{ "'gcePersistentDisk':{'pdName':'','partition':256}",
		  V ".persistentDisk.pdName: Required value\n" V
		    ".persistentDisk.partition: Invalid value: 256: must be between 1 and 255, "
		    "inclusive" },
		{ "'awsElasticBlockStore':{'volumeID':''}",
		  V ".awsElasticBlockStore.volumeID: Required value" },
		{ "'secret':{'secretName':'s','items':[{'key':'k','path':'p'}]}", "" },
		{ "'secret':{'defaultMode':512,'items':[{'key':'','path':'..a','mode':-1}]}",
		  V ".secret.secretName: Required value\n" V
		    ".secret.defaultMode: Invalid value: 512: must be a number between 0 and 0777 "
		    "(octal), "
		    "both inclusive\n" V ".secret.items[0].key: Required value\n" V
		    ".secret.items[0].path: Invalid value: '..a': must not start with '..'\n" V
		    ".secret.items[0].mode: Invalid value: -1" },
		{ "'nfs':{'server':'','path':'x'}",
		  V ".nfs.server: Required value\n" V
		    ".nfs.path: Invalid value: 'x': must be an absolute path" },
		{ "'iscsi':{'targetPortal':'p','iqn':'iqn.2001-04.com.example:disk','lun':0}", "" },
		{ "'iscsi':{'targetPortal':'','iqn':'x','lun':256,'chapAuthSession':true}",
		  V ".iscsi.targetPortal: Required value\n" V
		    ".iscsi.iqn: Invalid value: 'x': must be valid format starting with iqn, eui, "
		    "or naa\n" V
		    ".iscsi.lun: Invalid value: 256: must be between 0 and 255, inclusive\n" V
		    ".iscsi.secretRef: Required value" },
		{ "'glusterfs':{'endpoints':'','path':''}",
		  V ".glusterfs.endpoints: Required value\n" V ".glusterfs.path: Required value" },
		{ "'flocker':{}",
		  V ".flocker: Required value: one of datasetName and datasetUUID is required" },
		{ "'persistentVolumeClaim':{'claimName':''}",
		  V ".persistentVolumeClaim.claimName: Required value" },
		{ "'rbd':{'monitors':[],'image':''}",
		  V ".rbd.monitors: Required value\n" V ".rbd.image: Required value" },
		{ "'cinder':{'volumeID':'','secretRef':{}}", V
		  ".cinder.volumeID: Required value\n" V ".cinder.secretRef.name: Required value" },
		{ "'cephfs':{'monitors':[]}", V ".cephfs.monitors: Required value" },
		{ "'quobyte':{'registry':'x','volume':''}",
		  V ".quobyte.registry: Invalid value: 'x': must be a host:port pair\n" V
		    ".quobyte.volume: Required value" },
		{ "'quobyte':{'registry':'a:1,b:2','volume':'v'}", "" },
		{ "'fc':{'targetWWNs':['a']}", V ".fc.lun: Required value: lun is required" },
		{ "'fc':{}", V ".fc.targetWWNs: Required value: must specify either" },
		{ "'flexVolume':{'driver':'','options':{'a.k8s.io/b':'c'}}", V
		  ".flexVolume.driver: Required value\n" V
		  ".flexVolume.options[a.k8s.io/b]: Invalid value: 'a.k8s.io/b': kubernetes.io and "
		  "k8s.io namespaces are reserved" },
		{ "'configMap':{}", V ".configMap.name: Required value" },
		{ "'azureFile':{'secretName':'','shareName':''}",
		  V ".azureFile.secretName: Required value\n" V
		    ".azureFile.shareName: Required value" },
		{ "'azureDisk':{'diskName':'d','diskURI':'x','kind':'Managed'}",
		  V ".azureDisk.diskURI: Unsupported value: 'x'" },
		{ "'vsphereVolume':{'volumePath':''}",
		  V ".vsphereVolume.volumePath: Required value" },
		{ "'photonPersistentDisk':{'pdID':''}",
		  V ".photonPersistentDisk.pdID: Required value" },
		{ "'portworxVolume':{'volumeID':''}",
		  V ".portworxVolume.volumeID: Required value" },
		{ "'scaleIO':{'gateway':'','system':'s','secretRef':{}}",
		  V ".scaleIO.gateway: Required value\n" V ".scaleIO.volumeName: Required value" },
		{ "'storageos':{'volumeName':'A'}", V ".storageos.volumeName: Invalid value: 'A'" },
		{ "'csi':{'driver':'a_b'}", V ".csi.driver: Invalid value: 'a_b'" },
		{ "'image':{'pullPolicy':'x'}",
		  V ".image.reference: Required value\n" V
		    ".image.pullPolicy: Unsupported value: 'x': supported values: 'Always', "
		    "'IfNotPresent', 'Never'" },
		{ "'ephemeral':{}", V ".ephemeral.volumeClaimTemplate: Required value" },
		{ "'ephemeral':{'volumeClaimTemplate':{'metadata':{'name':'a'},'spec':{'"
		  "accessModes':"
		  "['ReadWriteOnce'],'resources':{'requests':{'storage':'0'}}}}}",
		  V ".ephemeral.volumeClaimTemplate.metadata.name: Forbidden: cannot be set\n" V
		    ".ephemeral.volumeClaimTemplate.spec.resources[storage]: Invalid value: '0': "
		    "must be "
		    "greater than zero" },
		{ "'downwardAPI':{'items':[{'path':'a'},{'path':'b','fieldRef':{'fieldPath':"
		  "'spec.nodeName'}}]}",
		  V
		  ".downwardAPI: Required value: one of fieldRef and resourceFieldRef is "
		  "required\n" V
		  ".downwardAPI.fieldRef.fieldPath: Unsupported value: 'spec.nodeName': supported "
		  "values: 'metadata.annotations', 'metadata.labels', 'metadata.name', "
		  "'metadata.namespace', 'metadata.uid'" },
		{ "'projected':{'sources':[{'serviceAccountToken':{'path':'t'}},{'configMap':{'"
		  "name':"
		  "'c'}}]}",
		  "" },
		{ "'projected':{'sources':[{'serviceAccountToken':{'path':'t','expirationSeconds':"
		  "1},"
		  "'secret':{}}]}",
		  V ".projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: "
		    "1: may "
		    "not specify a duration less than 10 minutes\n" V
		    ".projected.sources[0].secret.name: Required value\n" V
		    ".projected.sources[0]: Forbidden: may not specify more than 1 volume type per "
		    "source" },
		{ "'projected':{'sources':[{'secret':{'name':'a','items':[{'key':'k','path':'p'}]}}"
		  ","
		  "{'secret':{'name':'b','items':[{'key':'k','path':'p'}]}}]}",
		  V ".projected: Invalid value: 'b': conflicting duplicate paths" },
		{ "'projected':{'sources':[{'clusterTrustBundle':{'path':'p','signerName':'x'}}]}",
		  V ".projected.sources[0].clusterTrustBundle.signerName: Invalid value: 'x'" },
		{ "'projected':{'sources':[{'podCertificate':{'signerName':'a.b/"
		  "c','keyType':'DSA'}}]}",
		  V ".projected.sources[0].podCertificate.keyType: Unsupported value: 'DSA'\n" V
		    ".projected.sources[0].podCertificate: Required value" },
	};
	static const struct row whole[] = {
		{ C ",'volumes':[{'name':'v'}]", "" },
		{ C ",'volumes':[{'name':'v','emptyDir':{}},{'name':'v','emptyDir':{}},{'emptyDir':"
		    "{}}]",
		  "spec.volumes[1].name: Duplicate value: 'v'\nspec.volumes[2].name: Required "
		  "value" },
		{ C
		  ",'volumes':[{'name':'v','projected':{'sources':[{'serviceAccountToken':{'path':"
		  "'t'}}]}}]",
		  "spec.volumes[0].projected.sources[0].serviceAccountToken: Forbidden: must not "
		  "be "
		  "specified when serviceAccountName is not set" },
	};

	CHECK_ROWS(state, &volumes, rows);
	CHECK_ROWS(state, &pods, whole);
}

static void updates_keep_what_is_fixed(void **state)
{
#define OLD C ",'tolerations':[{'key':'a','operator':'Exists'}]"
#define FIXED "spec: Forbidden: pod updates may not change fields other than"
	static const struct row rows[] = {
		{ OLD, "", OLD },
		{ "'containers':[{'name':'c','image':'j'}],'tolerations':[{'key':'a','operator':'"
		  "Exists',"
		  "'effect':''},{'key':'b','operator':'Exists'}]",
		  "", OLD },
		{ OLD ",'activeDeadlineSeconds':5", "", OLD },
		{ OLD ",'activeDeadlineSeconds':6",
		  "spec.activeDeadlineSeconds: Invalid value: 6: must be less than or equal to "
		  "previous "
		  "value",
		  OLD ",'activeDeadlineSeconds':5" },
		{ OLD,
		  "spec.activeDeadlineSeconds: Invalid value: null: must not update from a "
		  "positive "
		  "integer to nil value",
		  OLD ",'activeDeadlineSeconds':5" },
		{ OLD ",'hostname':'h'", FIXED, OLD },
		{ C,
		  "spec.tolerations: Forbidden: existing toleration can not be modified except its "
		  "tolerationSeconds",
		  OLD },
		{ "'containers':[{'name':'c','image':'i'},{'name':'d','image':'i'}]",
		  "spec.containers: Forbidden: pod updates may not add or remove containers", C },
		{ "'containers':[{'name':'c','image':'i','tty':true}]", FIXED, C },
		{ C, "", C ",'schedulingGates':[{'name':'g'}]" },
		{ C ",'schedulingGates':[{'name':'h'}]",
		  "spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found "
		  "new "
		  "scheduling gate 'h'",
		  C ",'schedulingGates':[{'name':'g'}]" },
		{ C ",'schedulingGates':[{'name':'g'}],'nodeSelector':{'a':'b'}", "",
		  C ",'schedulingGates':[{'name':'g'}]" },
		{ C ",'schedulingGates':[{'name':'g'}],'nodeSelector':{'a':'c'}",
		  "spec.nodeSelector: Invalid value: {'a':'c'}: only additions to "
		  "spec.nodeSelector are "
		  "allowed (no mutations or deletions)",
		  C ",'schedulingGates':[{'name':'g'}],'nodeSelector':{'a':'b'}" },
		{ NODE("{'matchExpressions':[{'key':'a','operator':'Exists'}]}") ",'"
										 "schedulingGates':"
										 "[{'name':'g'}]",
		  "", C ",'schedulingGates':[{'name':'g'}]" },
	};

	CHECK_ROWS(state, &updates, rows);
}

static void subresources_have_rules(void **state)
{
	static const struct frame ephemeral = { "v1", "Pod", "ephemeralcontainers",
						"{" UPDATE ",'spec':{" C
						",'ephemeralContainers':[%]}}" };
	static const struct row added[] = {
		{ "{'name':'e','image':'i','targetContainerName':'c'}", "", "" },
		{ "{'name':'c','image':'i','targetContainerName':'x','ports':[{'containerPort':1}]"
		  "}",
		  "spec.ephemeralContainers[0].name: Duplicate value: 'c'\n"
		  "spec.ephemeralContainers[0].targetContainerName: Not found: 'x'\n"
		  "spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral "
		  "Container",
		  "" },
		{ "",
		  "spec.ephemeralContainers: Forbidden: existing ephemeral containers 'e' may not "
		  "be "
		  "removed",
		  "{'name':'e','image':'i'}" },
		{ "{'name':'e','image':'j'}",
		  "spec.ephemeralContainers: Forbidden: existing ephemeral containers 'e' may not "
		  "be "
		  "changed",
		  "{'name':'e','image':'i'}" },
	};
	static const struct frame resize = {
		"v1", "Pod", "resize",
		"{" UPDATE ",'spec':{'containers':[{'name':'c','image':'i','resources':{%}}]}}"
	};
	static const struct row sizes[] = {
		{ "'requests':{'cpu':'2'}", "", "'requests':{'cpu':'1'}" },
		{ "'requests':{'cpu':'2'},'limits':{'cpu':'3','memory':'1'}", "",
		  "'requests':{'cpu':'1'},'limits':{'cpu':'3','memory':'1'}" },
		{ "'limits':{'cpu':'2'}",
		  "spec.containers[0].resources.requests: Forbidden: resource requests cannot be "
		  "removed\n"
		  "spec.containers[0].resources.limits: Forbidden: resource limits cannot be "
		  "removed",
		  "'requests':{'cpu':'1','memory':'1'},'limits':{'cpu':'2','memory':'2'}" },
		{ "'requests':{'cpu':'2'}",
		  "spec: Invalid value: '': Pod QOS Class may not change as a result of resizing",
		  "" },
		{ "'requests':{'cpu':'1','ephemeral-storage':'2'}",
		  "spec: Forbidden: only cpu and memory resources are mutable",
		  "'requests':{'cpu':'1','ephemeral-storage':'1'}" },
	};
	static const struct frame status = { "v1", "Pod", "status",
					     "{" UPDATE ",'spec':{" C
					     ",'restartPolicy':'Never'},'status':{%}}" };
	static const struct row states[] = {
		{ "'podIPs':[{'ip':'10.0.0.1'},{'ip':'fd00::1'}]", "", "" },
		{ "'podIPs':[{'ip':'10.0.0.1'},{'ip':'10.0.0.2'}]",
		  "status.podIPs: Invalid value: [{'ip':'10.0.0.1'},{'ip':'10.0.0.2'}]: may "
		  "specify no "
		  "more than one IP for each IP family",
		  "" },
		{ "'hostIP':'10.0.0.1','hostIPs':[{'ip':'10.0.0.2'}]",
		  "status.hostIPs[0].ip: Invalid value: '10.0.0.2': must be equal to `hostIP`",
		  "" },
		{ "'qosClass':'Burstable'",
		  "status.qosClass: Invalid value: 'Burstable': field is immutable",
		  "'qosClass':'BestEffort'" },
		{ "'conditions':[{'type':'a b','status':'True'}]",
		  "metadata.conditions[0].Type: Invalid value: 'a b'", "" },
		{ "'containerStatuses':[{'name':'c','state':{'running':{}}}]",
		  "status.containerStatuses[0].state: Forbidden: may not be transitioned to "
		  "non-terminated state",
		  "'containerStatuses':[{'name':'c','state':{'terminated':{'exitCode':0}}}]" },
		{ "'resourceClaimStatuses':[{'name':'r'}]",
		  "status.resourceClaimStatuses[0].name: Invalid value: 'r': must match the name "
		  "of an "
		  "entry in `spec.resourceClaims`",
		  "" },
	};

	CHECK_ROWS(state, &ephemeral, added);
	CHECK_ROWS(state, &resize, sizes);
	CHECK_ROWS(state, &status, states);
}

static void annotations_and_templates_have_rules(void **state)
{
	static const struct frame whole = { "v1", "Pod", "", NULL };
	static const struct row annotated[] = {
		{ "{" META ",'annotations':{'controller.kubernetes.io/pod-deletion-cost':'+1',"
		  "'kubernetes.io/config.mirror':'x'}},'spec':{" C "}}",
		  "metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid "
		  "value: "
		  "'+1': must be a 32bit "
		  "integer\nmetadata.annotations[kubernetes.io/config.mirror]: "
		  "Invalid value: 'x': must set spec.nodeName if mirror pod annotation is set" },
		{ "{" META ",'annotations':{'container.apparmor.security.beta.kubernetes.io/d':"
		  "'unconfined'}},'spec':{" C "}}",
		  "metadata.annotations[container.apparmor.security.beta.kubernetes.io/d]: Invalid "
		  "value: 'd': container not found" },
		{ "{" META
		  ",'annotations':{'seccomp.security.alpha.kubernetes.io/pod':'unconfined'}},"
		  "'spec':{" C ",'securityContext':{'seccompProfile':{'type':'RuntimeDefault'}}}}",
		  "spec.securityContext.seccompProfile.type: Forbidden: seccomp type in annotation "
		  "and "
		  "field must match" },
	};
	static const struct row rows[] = {
		{ "'spec':{" C "}", "" },
		{ "'metadata':{'labels':{'a':'b c'}},'spec':{" C "}",
		  "template.labels: Invalid value: 'b c'" },
		{ "'spec':{" C ",'ephemeralContainers':[{'name':'e','image':'i'}]}",
		  "template.spec.ephemeralContainers: Forbidden: ephemeral containers not allowed "
		  "in pod "
		  "template" },
		{ "'spec':{'containers':[{'name':'c','image':' i'}]}", "" },
		{ "'spec':{'containers':[]}", "template.spec.containers: Required value" },
	};

	CHECK_ROWS(state, &whole, annotated);
	CHECK_ROWS(state, &templates, rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(pods_have_rules),	       CASE(pods_are_placed_by_rules),
		CASE(containers_have_rules),   CASE(containers_are_told_apart),
		CASE(volumes_have_rules),      CASE(updates_keep_what_is_fixed),
		CASE(subresources_have_rules), CASE(annotations_and_templates_have_rules),
	};

	return cmocka_run_group_tests_name("api check pods", tests, NULL, NULL);
}
