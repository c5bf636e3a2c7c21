/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of core/v1 but pods, row by row. */
#include "check-rows.h"

#define META "'metadata':{'name':'x','namespace':'n'"
#define WIDE "'metadata':{'name':'x'"
#define RV ",'resourceVersion':'1'}"

static void services_have_rules(void **state)
{
#define PORT "'ports':[{'port':80}]"
	static const struct frame new = { "v1", "Service", "", "{" META "},'spec':{%}}" };
	static const struct frame update = { "v1", "Service", "", "{" META RV ",'spec':{%}}" };
	static const struct frame status = { "v1", "Service", "status",
					     "{" META RV ",'spec':{'type':'LoadBalancer'," PORT
					     "},'status':{'loadBalancer':{%}}}" };
	static const struct row rows[] = {
		{ PORT, "" },
		{ "", "spec.ports: Required value" },
		{ "'clusterIP':'None','clusterIPs':['None']", "" },
		{ "'type':'Sometimes'," PORT,
		  "spec.type: Unsupported value: 'Sometimes': supported values: 'ClusterIP', "
		  "'ExternalName', 'LoadBalancer', 'NodePort'" },
		{ "'type':'ExternalName','externalName':'example.com.'", "" },
		{ "'type':'ExternalName'", "spec.externalName: Required value" },
		{ "'type':'ExternalName','externalName':'A','clusterIPs':['1.2.3.4']",
		  "spec.clusterIPs: Forbidden: may not be set for ExternalName services\n"
		  "spec.externalName: Invalid value: 'A'" },
		{ "'type':'NodePort','clusterIP':'None','clusterIPs':['None']," PORT,
		  "spec.clusterIPs[0]: Invalid value: 'None': may not be set to 'None' for "
		  "NodePort "
		  "services" },
		{ "'ports':[{'port':0,'name':'A','protocol':'X'}]",
		  "spec.ports[0].name: Invalid value: 'A'\nspec.ports[0].port: Invalid value: 0: "
		  "must be "
		  "between 1 and 65535, inclusive\nspec.ports[0].protocol: Unsupported value: 'X': "
		  "supported values: 'SCTP', 'TCP', 'UDP'\nspec.ports[0].targetPort: Invalid "
		  "value: 0" },
		{ "'ports':[{'port':80},{'port':81}]",
		  "spec.ports[0].name: Required value\nspec.ports[1].name: Required value" },
		{ "'ports':[{'name':'a','port':80},{'name':'a','port':80}]",
		  "spec.ports[1].name: Duplicate value: 'a'\n"
		  "spec.ports[1]: Duplicate value: {'port':80,'protocol':'TCP'}" },
		{ "'ports':[{'port':80,'targetPort':'a b','nodePort':30000,'appProtocol':'a b'}]",
		  "spec.ports[0].targetPort: Invalid value: 'a b'\n"
		  "spec.ports[0].appProtocol: Invalid value: 'a b'\n"
		  "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'" },
		{ "'type':'NodePort','ports':[{'name':'a','port':80,'nodePort':30000},{'name':'b','"
		  "port':"
		  "81,'nodePort':30000}]",
		  "spec.ports[1].nodePort: Duplicate value: 30000" },
		{ "'selector':{'a b':'c'}," PORT, "spec.selector: Invalid value: 'a b'" },
		{ "'sessionAffinity':'ClientIP'," PORT, "" },
		{ "'sessionAffinity':'ClientIP','sessionAffinityConfig':{'clientIP':{'"
		  "timeoutSeconds':"
		  "86401}}," PORT,
		  "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 86401: must "
		  "be "
		  "greater than 0 and less than 86400" },
		{ "'sessionAffinity':'x'," PORT, "spec.sessionAffinity: Unsupported value: 'x': "
						 "supported values: 'ClientIP', 'None'" },
		{ "'clusterIP':'1.2.3.4','clusterIPs':['1.2.3.5']," PORT,
		  "spec.clusterIPs: Invalid value: ['1.2.3.5']: first value must match "
		  "`clusterIP`" },
		{ "'clusterIP':'1.2.3.4','clusterIPs':['1.2.3.4','1.2.3.5']," PORT,
		  "spec.clusterIPs: Invalid value: ['1.2.3.4','1.2.3.5']: may specify no more than "
		  "one IP "
		  "for each IP family" },
		{ "'clusterIP':'fd00::1','clusterIPs':['fd00::1'],'ipFamilies':['IPv4']," PORT,
		  "spec.clusterIPs[0]: Invalid value: 'fd00::1': expected an IPv4 value as "
		  "indicated by "
		  "`ipFamilies[0]`" },
		{ "'ipFamilies':['IPv4','IPv4','IPv5'],'ipFamilyPolicy':'x'," PORT,
		  "spec.ipFamilies[1]: Duplicate value: 'IPv4'\nspec.ipFamilies[2]: Unsupported "
		  "value: "
		  "'IPv5': supported values: 'IPv4', 'IPv6'\nspec.ipFamilyPolicy: Unsupported "
		  "value: 'x': "
		  "supported values: 'PreferDualStack', 'RequireDualStack', 'SingleStack'" },
		{ "'externalIPs':['127.0.0.1','x']," PORT,
		  "spec.externalIPs[0]: Invalid value: '127.0.0.1': may not be in the loopback "
		  "range\n"
		  "spec.externalIPs[1]: Invalid value: 'x': must be a valid IP address" },
		{ "'type':'LoadBalancer','loadBalancerSourceRanges':[' 10.0.0.0/8 ','x']," PORT,
		  "spec.LoadBalancerSourceRanges[1]: Invalid value: 'x': must be a valid CIDR "
		  "value" },
		{ "'loadBalancerClass':'a/b','allocateLoadBalancerNodePorts':true,"
		  "'loadBalancerSourceRanges':['10.0.0.0/8']," PORT,
		  "spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is "
		  "'LoadBalancer'\nspec.allocateLoadBalancerNodePorts: Forbidden: may only be used "
		  "when "
		  "`type` is 'LoadBalancer'\nspec.loadBalancerClass: Forbidden: may only be used "
		  "when "
		  "`type` is 'LoadBalancer'" },
		{ "'externalTrafficPolicy':'Local'," PORT,
		  "spec.externalTrafficPolicy: Invalid value: 'Local': may only be set for "
		  "externally-accessible services" },
		{ "'type':'LoadBalancer','externalTrafficPolicy':'Local'," PORT,
		  "spec.healthCheckNodePort: Required value" },
		{ "'internalTrafficPolicy':'x','trafficDistribution':'y'," PORT,
		  "spec.internalTrafficPolicy: Unsupported value: 'x': supported values: "
		  "'Cluster', "
		  "'Local'\nspec.trafficDistribution: Unsupported value: 'y': supported values: "
		  "'PreferClose', 'PreferSameNode', 'PreferSameZone'" },
	};
	static const struct row changes[] = {
		{ "'clusterIP':'1.2.3.4','clusterIPs':['1.2.3.4']," PORT, "",
		  "'clusterIP':'1.2.3.4','clusterIPs':['1.2.3.4']," PORT },
		{ "'clusterIP':'1.2.3.5','clusterIPs':['1.2.3.5']," PORT,
		  "spec.clusterIPs[0]: Invalid value: ['1.2.3.5']: may not change once set",
		  "'clusterIP':'1.2.3.4','clusterIPs':['1.2.3.4']," PORT },
		{ PORT, "spec.clusterIPs[0]: Invalid value: '': primary clusterIP can not be unset",
		  "'clusterIP':'1.2.3.4','clusterIPs':['1.2.3.4']," PORT },
		{ "'clusterIP':'1.2.3.4','clusterIPs':['1.2.3.4']," PORT,
		  "spec.ipFamilyPolicy: Invalid value: '': must be set to 'SingleStack' when "
		  "releasing the "
		  "secondary clusterIP",
		  "'clusterIP':'1.2.3.4','clusterIPs':['1.2.3.4','fd00::1']," PORT },
		{ "'type':'ExternalName','externalName':'a'", "",
		  "'clusterIP':'1.2.3.4','clusterIPs':['1.2.3.4']," PORT },
		{ "'ipFamilies':['IPv6']," PORT,
		  "spec.ipFamilies[0]: Invalid value: ['IPv6']: may not change once set",
		  "'ipFamilies':['IPv4']," PORT },
		{ "'type':'LoadBalancer','loadBalancerClass':'b/c'," PORT,
		  "spec.loadBalancerClass: Invalid value: 'b/c': may not change once set",
		  "'type':'LoadBalancer','loadBalancerClass':'a/b'," PORT },
	};
	static const struct row ingresses[] = {
		{ "'ingress':[{'ip':'1.2.3.4','ipMode':'VIP'},{'hostname':'a.b'}]", "", "" },
		{ "'ingress':[{'ip':'x','ipMode':'y'},{'hostname':'1.2.3.4','ipMode':'VIP'}]",
		  "status.loadBalancer.ingress[0].ip: Invalid value: 'x'\n"
		  "status.loadBalancer.ingress[0].ipMode: Unsupported value: 'y': supported "
		  "values: "
		  "'Proxy', 'VIP'\nstatus.loadBalancer.ingress[1].ipMode: Forbidden: may not be "
		  "specified "
		  "when `ip` is not set\nstatus.loadBalancer.ingress[1].hostname: Invalid value: "
		  "'1.2.3.4': must be a DNS name, not an IP address",
		  "" },
	};

	CHECK_ROWS(state, &new, rows);
	CHECK_ROWS(state, &update, changes);
	CHECK_ROWS(state, &status, ingresses);
}

static void endpoints_and_nodes_have_rules(void **state)
{
	static const struct frame endpoints = { "v1", "Endpoints", "",
						"{" META "},'subsets':[%]}" };
	static const struct frame nodes = { "v1", "Node", "", "{" WIDE "},%}" };
	static const struct frame node_updates = { "v1", "Node", "", "{" WIDE RV ",%}" };
	static const struct row subsets[] = {
		{ "", "" },
		{ "{'addresses':[{'ip':'1.2.3.4'}],'ports':[{'port':80}]}", "" },
		{ "{}",
		  "subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`" },
		{ "{'addresses':[{'ip':'169.254.1.1','hostname':'A','nodeName':'B'}]}",
		  "subsets[0].addresses[0].hostname: Invalid value: 'A'\n"
		  "subsets[0].addresses[0].nodeName: Invalid value: 'B'\n"
		  "subsets[0].addresses[0].ip: Invalid value: '169.254.1.1': may not be in the "
		  "link-local "
		  "range (169.254.0.0/16, fe80::/10)" },
		{ "{'notReadyAddresses':[{'ip':'::'}],'ports':[{'port':1},{'name':'b','port':65536,"
		  "'protocol':'X'}]}",
		  "subsets[0].notReadyAddresses[0].ip: Invalid value: '::': may not be unspecified "
		  "(::)\n"
		  "subsets[0].ports[0].name: Required value\nsubsets[0].ports[1].port: Invalid "
		  "value: "
		  "65536: must be between 1 and 65535, inclusive\nsubsets[0].ports[1].protocol: "
		  "Unsupported "
		  "value: 'X'" },
	};
	static const struct row rows[] = {
		{ "'spec':{}", "" },
		{ "'spec':{'taints':[{'key':'a','effect':'NoSchedule'},{'key':'a','effect':"
		  "'NoSchedule'}]}",
		  "metadata.taints[1]: Duplicate value: {'key':'a','effect':'NoSchedule'}" },
		{ "'spec':{'taints':[{'key':'a b','effect':'x'},{'key':'c','effect':''}]}",
		  "metadata.taints[0].key: Invalid value: 'a b'\nmetadata.taints[0].effect: "
		  "Unsupported "
		  "value: 'x': supported values: 'NoSchedule', 'PreferNoSchedule', 'NoExecute'\n"
		  "metadata.taints[1].effect: Required value" },
		{ "'spec':{'podCIDRs':['10.0.0.0/24','fd00::/64']}", "" },
		{ "'spec':{'podCIDRs':['10.0.0.0/24','10.0.1.0/24','x']}",
		  "spec.podCIDRs[2]: Invalid value: 'x'\nspec.podCIDRs: Invalid value: "
		  "['10.0.0.0/24',"
		  "'10.0.1.0/24','x']: may specify no more than one CIDR for each IP family" },
		{ "'status':{'capacity':{'pods':'1500m','cpu':'-1'},"
		  "'allocatable':{'pods':'1'}}",
		  "status.capacity.pods: Invalid value: '1500m': must be an integer\n"
		  "status.capacity.cpu: Invalid value: '-1': must be greater than or equal to 0" },
	};
	static const struct row changes[] = {
		{ "'spec':{'podCIDRs':['10.0.0.0/24'],'providerID':'a'}", "", "'spec':{}" },
		{ "'spec':{'podCIDRs':['10.0.1.0/24'],'providerID':'b'}",
		  "spec.podCIDRs: Forbidden: node updates may not change podCIDR except from '' to "
		  "valid\n"
		  "spec.providerID: Forbidden: node updates may not change providerID except from "
		  "'' to "
		  "valid",
		  "'spec':{'podCIDRs':['10.0.0.0/24'],'providerID':'a'}" },
		{ "'status':{'addresses':[{'type':'Hostname','address':'a'},{'type':'Hostname',"
		  "'address':'a'}]}",
		  "status.addresses[1]: Duplicate value: {'type':'Hostname','address':'a'}",
		  "'spec':{}" },
		{ "'spec':{'configSource':{'configMap':{'namespace':'n','name':'c','"
		  "kubeletConfigKey':"
		  "'k','uid':'u'}}}",
		  "spec.configSource.configMap.uid: Forbidden: uid must not be set in spec",
		  "'spec':{}" },
	};

	CHECK_ROWS(state, &endpoints, subsets);
	CHECK_ROWS(state, &nodes, rows);
	CHECK_ROWS(state, &node_updates, changes);
}

#define PV "'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],"
#define HOST "'hostPath':{'path':'/x'}"

static void volumes_have_rules(void **state)
{
	static const struct frame new = { "v1", "PersistentVolume", "", "{" WIDE "},'spec':{%}}" };
	static const struct frame update = { "v1", "PersistentVolume", "",
					     "{" WIDE RV ",'spec':{%}}" };
	static const struct row rows[] = {
		{ PV HOST, "" },
		{ "", "spec.accessModes: Required value\nspec.capacity: Required value\n"
		      "spec.capacity: Unsupported value: {}: supported values: 'storage'\n"
		      "spec: Required value: must specify a volume type" },
		{ "'capacity':{'storage':'0'},'accessModes':['x']," HOST,
		  "spec.accessModes: Unsupported value: 'x': supported values: 'ReadOnlyMany', "
		  "'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'\n"
		  "spec.capacity[storage]: Invalid value: '0': must be greater than zero" },
		{ "'capacity':{'storage':'1'},'accessModes':['ReadWriteOnce','ReadWriteOncePod']"
		  "," HOST,
		  "spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access "
		  "modes" },
		{ PV HOST ",'nfs':{'server':'s','path':'/x'}",
		  "spec.nfs: Forbidden: may not specify more than 1 volume type" },
		{ PV "'hostPath':{'path':'/'},'persistentVolumeReclaimPolicy':'Recycle'",
		  "spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a "
		  "hostPath "
		  "mount of '/'" },
		{ PV HOST
		  ",'persistentVolumeReclaimPolicy':'x','volumeMode':'y','storageClassName':'A'",
		  "spec.persistentVolumeReclaimPolicy: Unsupported value: 'x': supported values: "
		  "'Delete', "
		  "'Recycle', 'Retain'\nspec.volumeMode: Unsupported value: 'y': supported values: "
		  "'Block', 'Filesystem'\nspec.storageClassName: Invalid value: 'A'" },
		{ PV "'local':{'path':'/x'}",
		  "spec.nodeAffinity: Required value: Local volume requires node affinity" },
		{ PV "'local':{'path':'/x'},'nodeAffinity':{}",
		  "spec.nodeAffinity.required: Required value: must specify required node "
		  "constraints" },
		{ PV "'csi':{'driver':'d','volumeHandle':'','nodePublishSecretRef':{'name':'s'}}",
		  "spec.csi.volumeHandle: Required value\n"
		  "spec.csi.nodePublishSecretRef.namespace: Required value" },
		{ PV "'cinder':{'volumeID':'v','secretRef':{'name':'s'}}",
		  "spec.cinder.secretRef.namespace: Required value" },
		{ PV "'glusterfs':{'endpoints':'e','path':'p','endpointsNamespace':''}",
		  "spec.glusterfs.endpointsNamespace: Invalid value: ''" },
		{ PV HOST ",'volumeAttributesClassName':'gold'",
		  "spec.csi: Required value: has to be specified when using "
		  "volumeAttributesClassName" },
	};
	static const struct row changes[] = {
		{ PV HOST, "", PV HOST },
		{ PV "'hostPath':{'path':'/y'}",
		  "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is "
		  "immutable after "
		  "creation",
		  PV HOST },
		{ PV HOST ",'volumeMode':'Block'",
		  "volumeMode: Invalid value: 'Block': field is immutable", PV HOST },
		{ PV
		  "'csi':{'driver':'d','volumeHandle':'h','controllerExpandSecretRef':{'name':'s',"
		  "'namespace':'n'}}",
		  "", PV "'csi':{'driver':'d','volumeHandle':'h'}" },
#define AFFINE(key)                                                                           \
	",'nodeAffinity':{'required':{'nodeSelectorTerms':[{'matchExpressions':[{'key':'" key \
	"','operator':'Exists'}]}]}}"
		{ PV HOST AFFINE("kubernetes.io/os"), "", PV HOST AFFINE("beta.kubernetes.io/os") },
		{ PV HOST AFFINE("b"),
		  "nodeAffinity: Invalid value: "
		  "{'required':{'nodeSelectorTerms':[{'matchExpressions':"
		  "[{'key':'b','operator':'Exists'}]}]}}: field is immutable, except for updating "
		  "from "
		  "beta label to GA",
		  PV HOST AFFINE("a") },
	};

	CHECK_ROWS(state, &new, rows);
	CHECK_ROWS(state, &update, changes);
}

static void claims_have_rules(void **state)
{
#define SIZE(n) "'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'" n "'}}"
	static const struct frame new = { "v1", "PersistentVolumeClaim", "",
					  "{" META "},'spec':{%}}" };
	static const struct frame update = { "v1", "PersistentVolumeClaim", "", "{" META RV ",%}" };
	static const struct frame status = { "v1", "PersistentVolumeClaim", "status",
					     "{" META RV ",'spec':{" SIZE("1") "},'status':{%}}" };
	static const struct row rows[] = {
		{ SIZE("1"), "" },
		{ "", "spec.accessModes: Required value: at least 1 access mode is required\n"
		      "spec.resources[storage]: Required value" },
		{ SIZE("-1"),
		  "spec.resources[storage]: Invalid value: '-1': must be greater than zero" },
		{ SIZE("1") ",'volumeMode':'x','storageClassName':'A'",
		  "spec.volumeMode: Unsupported value: 'x'\nspec.storageClassName: Invalid value: "
		  "'A'" },
		{ SIZE("1") ",'dataSource':{'kind':'x','name':'y'},'dataSourceRef':{'kind':'x','"
			    "name':"
			    "'y'}",
		  "spec.dataSource: Invalid value: 'x': must be 'PersistentVolumeClaim' when "
		  "referencing "
		  "the default apiGroup\nspec.dataSourceRef: Invalid value: 'x'" },
		{ SIZE("1") ",'dataSource':{'kind':'PersistentVolumeClaim','name':'a'},'"
			    "dataSourceRef':"
			    "{'kind':'PersistentVolumeClaim','name':'b'}",
		  "spec: Invalid value: 'spec.dataSource': must match dataSourceRef" },
		{ SIZE("1") ",'selector':{'matchExpressions':[{'key':'a','operator':'x'}]}",
		  "spec.selector.matchExpressions[0].operator: Invalid value: 'x': not a valid "
		  "selector "
		  "operator" },
	};
	static const struct row changes[] = {
		{ "'spec':{" SIZE("1") ",'volumeName':'v'}", "", "'spec':{" SIZE("1") "}" },
		{ "'spec':{" SIZE("2") "}",
		  "spec: Forbidden: spec is immutable after creation except resources.requests and "
		  "volumeAttributesClassName for bound claims",
		  "'spec':{" SIZE("1") "}" },
		{ "'spec':{" SIZE("2") "},'status':{'phase':'Bound'}", "",
		  "'spec':{" SIZE("1") "},'status':{'phase':'Bound'}" },
		{ "'spec':{" SIZE("1") "},'status':{'phase':'Bound'}",
		  "spec.resources.requests.storage: Forbidden: field can not be less than "
		  "status.capacity",
		  "'spec':{" SIZE("3") "},'status':{'phase':'Bound','capacity':{'storage':'1'}}" },
		{ "'spec':{" SIZE("1") ",'storageClassName':'a'}", "", "'spec':{" SIZE("1") "}" },
		{ "'spec':{" SIZE("1") ",'storageClassName':'b'}", "spec: Forbidden",
		  "'spec':{" SIZE("1") ",'storageClassName':'a'}" },
	};
	static const struct row states[] = {
		{ "'allocatedResourceStatuses':{'storage':'NodeResizePending'}", "", "" },
		{ "'allocatedResourceStatuses':{'cpu':'x'},'capacity':{'storage':'-1'}",
		  "status.capacity[storage]: Invalid value: '-1': must be a valid resource "
		  "quantity\n"
		  "status.allocatedResourceStatus: Unsupported value: 'cpu': supported values: "
		  "'storage'\n"
		  "status.allocatedResourceStatus: Unsupported value: 'x'",
		  "" },
	};

	CHECK_ROWS(state, &new, rows);
	CHECK_ROWS(state, &update, changes);
	CHECK_ROWS(state, &status, states);
}

static void quotas_and_limits_have_rules(void **state)
{
	static const struct frame quotas = { "v1", "ResourceQuota", "", "{" META "},'spec':{%}}" };
	static const struct frame quota_updates = { "v1", "ResourceQuota", "",
						    "{" META RV ",'spec':{%}}" };
	static const struct frame limits = { "v1", "LimitRange", "",
					     "{" META "},'spec':{'limits':[{%}]}}" };
	static const struct row rows[] = {
		{ "'hard':{'pods':'10','requests.cpu':'1','example.com/x':'1'}", "" },
		{ "'hard':{'cpus':'1','pods':'1500m'}",
		  "spec.hard[cpus]: Invalid value: 'cpus': must be a standard resource type or "
		  "fully "
		  "qualified\nspec.hard[cpus]: Invalid value: 'cpus': must be a standard resource "
		  "for "
		  "quota\nspec.hard[pods]: Invalid value: '1500m': must be an integer" },
		{ "'hard':{'cpu':'1'},'scopes':['BestEffort']",
		  "spec.scopes: Invalid value: ['BestEffort']: unsupported scope applied to "
		  "resource" },
		{ "'scopes':['Terminating','NotTerminating']",
		  "spec.scopes: Invalid value: ['Terminating','NotTerminating']: conflicting "
		  "scopes" },
		{ "'scopes':['x']", "spec.scopes: Invalid value: ['x']: unsupported scope" },
		{ "'scopeSelector':{'matchExpressions':[{'scopeName':'PriorityClass','operator':'"
		  "In'}]}",
		  "spec.scopeSelector.matchExpressions.values: Required value: must be at least "
		  "one value "
		  "when `operator` is 'In' or 'NotIn' for scope selector" },
		{ "'scopeSelector':{'matchExpressions':[{'scopeName':'BestEffort','operator':'In',"
		  "'values':['a']}]}",
		  "spec.scopeSelector.matchExpressions.operator: Invalid value: 'In': must be "
		  "'Exists'" },
	};
	static const struct row changes[] = {
		{ "'scopes':['BestEffort']", "", "'scopes':['BestEffort']" },
		{ "'scopes':['BestEffort']",
		  "spec.scopes: Invalid value: ['BestEffort']: field is immutable", "" },
	};
	static const struct row items[] = {
		{ "'type':'Container','min':{'cpu':'1'},'max':{'cpu':'2'}", "" },
		{ "'type':'x'",
		  "spec.limits[0].type: Invalid value: 'x': must be a standard limit type or "
		  "fully qualified" },
		{ "'type':'Container','min':{'cpu':'2'},'max':{'cpu':'1'},'default':{'cpu':'1'},"
		  "'defaultRequest':{'cpu':'1'}",
		  "spec.limits[0].min[cpu]: Invalid value: '2': min value 2 is greater than max "
		  "value 1\n"
		  "spec.limits[0].defaultRequest[cpu]: Invalid value: '1': min value 2 is greater "
		  "than "
		  "default request value 1\nspec.limits[0].default[cpu]: Invalid value: '2': min "
		  "value 2 "
		  "is greater than default value 1" },
		{ "'type':'Pod','max':{'cpu':'1'},'default':{'cpu':'1'}",
		  "spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'" },
		{ "'type':'PersistentVolumeClaim'", "spec.limits[0].limits: Required value: either "
						    "minimum or maximum storage value is "
						    "required" },
		{ "'type':'Pod','maxLimitRequestRatio':{'cpu':'500m'}",
		  "spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: '500m': ratio 500m is "
		  "less "
		  "than 1" },
		{ "'type':'Pod','min':{'cpu':'1'},'max':{'cpu':'2'},'maxLimitRequestRatio':{'cpu':'"
		  "3'}",
		  "spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: '3': ratio 3 is "
		  "greater than "
		  "max/min = 2.000000" },
		{ "'type':'Pod','max':{'storage':'1'}",
		  "spec.limits[0].max[storage]: Invalid value: 'storage': must be a standard "
		  "resource for "
		  "containers" },
	};

	CHECK_ROWS(state, &quotas, rows);
	CHECK_ROWS(state, &quota_updates, changes);
	CHECK_ROWS(state, &limits, items);
}

static void events_have_rules_by_version(void **state)
{
	static const struct frame old = { "v1", "Event", "", "{" META "},%}" };
	static const struct frame new = { "events.k8s.io/v1", "Event", "", "{" META "},%}" };
	static const struct frame update = { "events.k8s.io/v1", "Event", "", "{" META RV ",%}" };
#define TIME "'eventTime':'2024-01-01T00:00:00.000000Z'"
#define WHO "'reportingController':'a.b/c','reportingInstance':'i','action':'A','reason':'R'"
#define OBJECT "'regarding':{'namespace':'n'}"
	static const struct row rows[] = {
		{ "'involvedObject':{'namespace':'n'}", "" },
		{ "'involvedObject':{'namespace':'m'}",
		  "involvedObject.namespace: Invalid value: 'm': does not match event.namespace" },
		{ "'involvedObject':{'namespace':'n'}," TIME,
		  "reportingController: Required value\nreportingController: Invalid value: ''\n"
		  "reportingInstance: Required value\naction: Required value\nreason: Required "
		  "value" },
	};
	static const struct row news[] = {
		{ TIME "," WHO "," OBJECT ",'type':'Normal'", "" },
		{ WHO "," OBJECT ",'type':'Odd'",
		  "eventTime: Required value\ntype: Invalid value: '': has invalid value: Odd" },
		{ TIME "," WHO "," OBJECT
		       ",'type':'Normal','deprecatedCount':1,'series':{'count':1,"
		       "'lastObservedTime':null}",
		  "count: Invalid value: '': needs to be unset\nseries.count: Invalid value: '': "
		  "should be "
		  "at least 2\nseries.lastObservedTime: Required value" },
	};
	static const struct row changes[] = {
		{ TIME "," WHO "," OBJECT ",'type':'Warning'",
		  "type: Invalid value: 'Warning': field is immutable",
		  TIME "," WHO "," OBJECT ",'type':'Normal'" },
	};

	CHECK_ROWS(state, &old, rows);
	CHECK_ROWS(state, &new, news);
	CHECK_ROWS(state, &update, changes);
}

static void others_have_rules(void **state)
{
#define RC                                                                                       \
	"'selector':{'a':'b'},'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':" \
	"[{'name':'c','image':'i'}]%}}"
	static const struct frame rc = { "v1", "ReplicationController", "",
					 "{" META "},'spec':{%}}" };
	static const struct frame rc_template = { "v1", "ReplicationController", "",
						  "{" META "},'spec':{" RC "}}" };
	static const struct frame rc_status = { "v1", "ReplicationController", "status",
						"{" META RV ",'status':{%}}" };
	static const struct frame binding = { "v1", "Binding", "", "{" META "},'target':{%}}" };
	static const struct frame account = { "v1", "ServiceAccount", "", "{%}" };
	static const struct frame namespace = { "v1", "Namespace", "", "{" WIDE "},%}" };
	static const struct frame secret = { "v1", "Secret", "", "{" META "},%}" };
	static const struct frame map = { "v1", "ConfigMap", "", "{" META "},%}" };
	static const struct row controllers[] = {
		{ "'replicas':-1", "spec.selector: Required value\nspec.replicas: Invalid value: "
				   "-1: must be greater than "
				   "or equal to 0\nspec.template: Required value" },
		{ "'selector':{'a':'c'},'template':{'metadata':{'labels':{'a':'b'}},'spec':{'"
		  "containers':"
		  "[{'name':'c','image':'i'}]}}",
		  "spec.template.metadata.labels: Invalid value: {'a':'b'}: `selector` does not "
		  "match "
		  "template `labels`" },
	};
	static const struct row of_template[] = {
		{ "", "" },
		{ ",'restartPolicy':'Never'",
		  "spec.template.spec.restartPolicy: Unsupported value: 'Never': supported values: "
		  "'Always'" },
		{ ",'activeDeadlineSeconds':1",
		  "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in "
		  "ReplicationController is not Supported" },
	};
	static const struct row counts[] = {
		{ "'replicas':2,'readyReplicas':1", "", "" },
		{ "'replicas':1,'readyReplicas':2,'availableReplicas':-1",
		  "status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas\n"
		  "status.availableReplicas: Invalid value: -1: must be greater than or equal to 0",
		  "" },
	};
	static const struct row targets[] = {
		{ "'kind':'Node','name':'k'", "" },
		{ "'kind':'Pod'",
		  "target.kind: Unsupported value: 'Pod': supported values: 'Node', "
		  "'<empty>'\ntarget.name: Required value" },
	};
	static const struct row accounts[] = {
		{ META "}", "" },
		{ META ",'finalizers':['a.b/c','x']}",
		  "metadata.finalizers[1]: Invalid value: 'x': name is neither a standard "
		  "finalizer name "
		  "nor is it fully qualified" },
	};
	static const struct row namespaces[] = {
		{ "'spec':{}", "" },
		{ "'spec':{'finalizers':['kubernetes','x']}",
		  "spec.finalizers: Invalid value: 'x': name is neither a standard finalizer name "
		  "nor is "
		  "it fully qualified" },
	};
	static const struct row secrets[] = {
		{ "'type':'kubernetes.io/dockerconfigjson','data':{'.dockerconfigjson':'e30='}",
		  "" },
		{ "'type':'kubernetes.io/dockerconfigjson','data':{'.dockerconfigjson':'W10='}",
		  "data[.dockerconfigjson]: Invalid value: '<secret contents redacted>'" },
	};
	static const struct row maps[] = {
		{ "'data':{'a':'b'}", "" },
		{ "'data':{'a':'b'},'binaryData':{'a':'YQ=='}",
		  "data[a]: Invalid value: 'a': duplicate of key present in binaryData" },
	};

	CHECK_ROWS(state, &rc, controllers);
	CHECK_ROWS(state, &rc_template, of_template);
	CHECK_ROWS(state, &rc_status, counts);
	CHECK_ROWS(state, &binding, targets);
	CHECK_ROWS(state, &account, accounts);
	CHECK_ROWS(state, &namespace, namespaces);
	CHECK_ROWS(state, &secret, secrets);
	CHECK_ROWS(state, &map, maps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(services_have_rules),
		CASE(endpoints_and_nodes_have_rules),
		CASE(volumes_have_rules),
		CASE(claims_have_rules),
		CASE(quotas_and_limits_have_rules),
		CASE(events_have_rules_by_version),
		CASE(others_have_rules),
	};

	return cmocka_run_group_tests_name("api check core", tests, NULL, NULL);
}
