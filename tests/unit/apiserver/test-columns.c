/* SPDX-License-Identifier: Apache-2.0 */
/* Every kind but pods: cells, columns; ages. */
#include "columns-rows.h"

#include "api/custom.h"
#include "doc/yaml.h"

static const struct cell_row workloads[] = {
	{ "counts and containers", "apps/v1", "ReplicaSet",
	  META ",'spec':{'replicas':3,'selector':{'matchLabels':{'b':'1','a':'2'},"
	       "'matchExpressions':[{'key':'t','operator':'In','values':['y','x']},{'key':'n',"
	       "'operator':'DoesNotExist'}]},'template':{'spec':{'containers':[{'name':'c',"
	       "'image':'i:1'},{'name':'d','image':'j'}]}}},'status':{'replicas':2,"
	       "'readyReplicas':1}",
	  "'a',3,2,1,'24h','c,d','i:1,j','a=2,b=1,!n,t in (x,y)'", NULL },
	{ "nothing is zero", "apps/v1", "ReplicaSet", META, "'a',0,0,0,'24h','','','<none>'",
	  NULL },
	{ "a selector that is none", "apps/v1", "ReplicaSet",
	  META ",'spec':{'selector':{'matchExpressions':[{'key':'a','operator':'Near'}]}}",
	  "'a',0,0,0,'24h','','','<error>'", NULL },
	{ "a map selects", "v1", "ReplicationController",
	  META ",'spec':{'replicas':3,'selector':{'b':'1','a':'2'},'template':{'spec':{"
	       "'containers':[{'name':'c','image':'i:1'},{'name':'d','image':'j'}]}}},'status':{"
	       "'replicas':2,'readyReplicas':1}",
	  "'a',3,2,1,'24h','c,d','i:1,j','a=2,b=1'", NULL },
	{ "no template, no selector", "v1", "ReplicationController", META ",'spec':{'replicas':1}",
	  "'a',1,0,0,'24h','','','<none>'", NULL },
	{ "of what there should be", "apps/v1", "Deployment",
	  META ",'spec':{'replicas':3,'selector':{'matchLabels':{'b':'1','a':'2'},"
	       "'matchExpressions':[{'key':'t','operator':'In','values':['y','x']},{'key':'n',"
	       "'operator':'DoesNotExist'}]},'template':{'spec':{'containers':[{'name':'c',"
	       "'image':'i:1'},{'name':'d','image':'j'}]}}},'status':{'readyReplicas':1,"
	       "'updatedReplicas':2,'availableReplicas':1}",
	  "'a','1/3',2,1,'24h','c,d','i:1,j','a=2,b=1,!n,t in (x,y)'", NULL },
	{ "an empty selector is empty", "apps/v1", "Deployment", META ",'spec':{'selector':{}}",
	  "'a','0/0',0,0,'24h','','',''", NULL },
	{ "a selector that is none", "apps/v1", "Deployment",
	  META ",'spec':{'selector':{'matchExpressions':[{'key':'a','operator':'Near'}]}}",
	  "'a','0/0',0,0,'24h','','','<invalid>'", NULL },
	{ "of what there should be", "apps/v1", "StatefulSet",
	  META
	  ",'spec':{'replicas':3,'template':{'spec':{'containers':[{'name':'c','image':'i:1'},{"
	  "'name':'d','image':'j'}]}}},'status':{'readyReplicas':1}",
	  "'a','1/3','24h','c,d','i:1,j'", NULL },
	{ "nodes are counted", "apps/v1", "DaemonSet",
	  META
	  ",'spec':{'selector':{'matchLabels':{'b':'1','a':'2'},'matchExpressions':[{'key':'t',"
	  "'operator':'In','values':['y','x']},{'key':'n','operator':'DoesNotExist'}]},"
	  "'template':{'spec':{'containers':[{'name':'c','image':'i:1'},{'name':'d',"
	  "'image':'j'}],'nodeSelector':{'os':'linux'}}}},'status':{'desiredNumberScheduled':5,"
	  "'currentNumberScheduled':4,'numberReady':3,'updatedNumberScheduled':2,"
	  "'numberAvailable':1}",
	  "'a',5,4,3,2,1,'os=linux','24h','c,d','i:1,j','a=2,b=1,!n,t in (x,y)'", NULL },
	{ "every node", "apps/v1", "DaemonSet", META, "'a',0,0,0,0,0,'<none>','24h','','','<none>'",
	  NULL },
	{ "whose revision it is", "apps/v1", "ControllerRevision",
	  "'metadata':{'name':'a','creationTimestamp':'2024-01-09T00:00:00Z',"
	  "'ownerReferences':[{'kind':'Other','name':'x'},{'apiVersion':'apps/v1',"
	  "'kind':'StatefulSet','name':'Web','controller':true}]},'revision':7",
	  "'a','statefulset.apps/Web',7,'24h'", NULL },
	{ "of the core group", "apps/v1", "ControllerRevision",
	  "'metadata':{'name':'a','creationTimestamp':'2024-01-09T00:00:00Z',"
	  "'ownerReferences':[{'apiVersion':'v1','kind':'Thing','name':'x',"
	  "'controller':true}]},'revision':7",
	  "'a','thing/x',7,'24h'", NULL },
	{ "nobody's", "apps/v1", "ControllerRevision", META, "'a','<none>',0,'24h'", NULL },
	{ "a template of pods", "v1", "PodTemplate",
	  META ",'template':{'spec':{'containers':[{'name':'c','image':'i:1'},{'name':'d',"
	       "'image':'j'}]},'metadata':{'labels':{'b':'1','a':'2'}}}",
	  "'a','c,d','i:1,j','a=2,b=1'", NULL },
	{ "numbers and shares", "policy/v1", "PodDisruptionBudget",
	  META ",'spec':{'minAvailable':2},'status':{'disruptionsAllowed':1}",
	  "'a','2','N/A',1,'24h'", NULL },
	{ "the other way", "policy/v1", "PodDisruptionBudget",
	  META ",'spec':{'maxUnavailable':'30%'}", "'a','N/A','30%',0,'24h'", NULL },
	{ "what is scaled", "autoscaling/v1", "Scale",
	  META ",'spec':{'replicas':3},'status':{'replicas':2}", "'a',3,2,'24h'", NULL },
	{ 0 },
};

static const struct cell_row jobs[] = {
	{ "has not begun", "batch/v1", "Job",
	  META
	  ",'spec':{'selector':{'matchLabels':{'b':'1','a':'2'},'matchExpressions':[{'key':'t',"
	  "'operator':'In','values':['y','x']},{'key':'n','operator':'DoesNotExist'}]},"
	  "'template':{'spec':{'containers':[{'name':'c','image':'i:1'},{'name':'d',"
	  "'image':'j'}]}},'completions':3},'status':{}",
	  "'a','Running','0/3','','24h','c,d','i:1,j','a=2,b=1,!n,t in (x,y)'", NULL },
	{ "runs", "batch/v1", "Job",
	  META
	  ",'spec':{'selector':{'matchLabels':{'b':'1','a':'2'},'matchExpressions':[{'key':'t',"
	  "'operator':'In','values':['y','x']},{'key':'n','operator':'DoesNotExist'}]},"
	  "'template':{'spec':{'containers':[{'name':'c','image':'i:1'},{'name':'d',"
	  "'image':'j'}]}}},'status':{'succeeded':1,'startTime':'2024-01-09T23:59:00Z'}",
	  "'a','Running','1/1','60s','24h','c,d','i:1,j','a=2,b=1,!n,t in (x,y)'", NULL },
	{ "in parallel", "batch/v1", "Job",
	  META
	  ",'spec':{'selector':{'matchLabels':{'b':'1','a':'2'},'matchExpressions':[{'key':'t',"
	  "'operator':'In','values':['y','x']},{'key':'n','operator':'DoesNotExist'}]},"
	  "'template':{'spec':{'containers':[{'name':'c','image':'i:1'},{'name':'d',"
	  "'image':'j'}]}},'parallelism':5},'status':{'succeeded':1,"
	  "'startTime':'2024-01-09T23:59:00Z'}",
	  "'a','Running','1/1 of 5','60s','24h','c,d','i:1,j','a=2,b=1,!n,t in (x,y)'", NULL },
	{ "is complete", "batch/v1", "Job",
	  META
	  ",'spec':{'selector':{'matchLabels':{'b':'1','a':'2'},'matchExpressions':[{'key':'t',"
	  "'operator':'In','values':['y','x']},{'key':'n','operator':'DoesNotExist'}]},"
	  "'template':{'spec':{'containers':[{'name':'c','image':'i:1'},{'name':'d',"
	  "'image':'j'}]}},'completions':3},'status':{'conditions':[{'type':'Complete',"
	  "'status':'True'}],'succeeded':3,'startTime':'2024-01-09T01:00:00Z',"
	  "'completionTime':'2024-01-09T01:05:05Z'}",
	  "'a','Complete','3/3','5m5s','24h','c,d','i:1,j','a=2,b=1,!n,t in (x,y)'", NULL },
	{ "failed goes before deleted", "batch/v1", "Job",
	  OLD ",'spec':{'selector':{'matchLabels':{'b':'1','a':'2'},'matchExpressions':[{'key':'t',"
	      "'operator':'In','values':['y','x']},{'key':'n','operator':'DoesNotExist'}]},"
	      "'template':{'spec':{'containers':[{'name':'c','image':'i:1'},{'name':'d',"
	      "'image':'j'}]}}},'status':{'conditions':[{'type':'Failed','status':'True'}]}",
	  "'a','Failed','0/1','','24h','c,d','i:1,j','a=2,b=1,!n,t in (x,y)'", NULL },
	{ "is going", "batch/v1", "Job",
	  OLD ",'spec':{'selector':{'matchLabels':{'b':'1','a':'2'},'matchExpressions':[{'key':'t',"
	      "'operator':'In','values':['y','x']},{'key':'n','operator':'DoesNotExist'}]},"
	      "'template':{'spec':{'containers':[{'name':'c','image':'i:1'},{'name':'d',"
	      "'image':'j'}]}}},'status':{'conditions':[{'type':'Suspended','status':'True'}]}",
	  "'a','Terminating','0/1','','24h','c,d','i:1,j','a=2,b=1,!n,t in (x,y)'", NULL },
	{ "is suspended", "batch/v1", "Job",
	  META
	  ",'spec':{'selector':{'matchLabels':{'b':'1','a':'2'},'matchExpressions':[{'key':'t',"
	  "'operator':'In','values':['y','x']},{'key':'n','operator':'DoesNotExist'}]},"
	  "'template':{'spec':{'containers':[{'name':'c','image':'i:1'},{'name':'d',"
	  "'image':'j'}]}}},'status':{'conditions':[{'type':'Suspended','status':'True'},{"
	  "'type':'FailureTarget','status':'True'}]}",
	  "'a','Suspended','0/1','','24h','c,d','i:1,j','a=2,b=1,!n,t in (x,y)'", NULL },
	{ "will fail", "batch/v1", "Job",
	  META
	  ",'spec':{'selector':{'matchLabels':{'b':'1','a':'2'},'matchExpressions':[{'key':'t',"
	  "'operator':'In','values':['y','x']},{'key':'n','operator':'DoesNotExist'}]},"
	  "'template':{'spec':{'containers':[{'name':'c','image':'i:1'},{'name':'d',"
	  "'image':'j'}]}}},'status':{'conditions':[{'type':'FailureTarget','status':'True'},{"
	  "'type':'SuccessCriteriaMet','status':'True'}]}",
	  "'a','FailureTarget','0/1','','24h','c,d','i:1,j','a=2,b=1,!n,t in (x,y)'", NULL },
	{ "has what it wanted", "batch/v1", "Job",
	  META
	  ",'spec':{'selector':{'matchLabels':{'b':'1','a':'2'},'matchExpressions':[{'key':'t',"
	  "'operator':'In','values':['y','x']},{'key':'n','operator':'DoesNotExist'}]},"
	  "'template':{'spec':{'containers':[{'name':'c','image':'i:1'},{'name':'d',"
	  "'image':'j'}]}}},'status':{'conditions':[{'type':'SuccessCriteriaMet',"
	  "'status':'True'}]}",
	  "'a','SuccessCriteriaMet','0/1','','24h','c,d','i:1,j','a=2,b=1,!n,t in (x,y)'", NULL },
	{ "a condition that is not so", "batch/v1", "Job",
	  META
	  ",'spec':{'selector':{'matchLabels':{'b':'1','a':'2'},'matchExpressions':[{'key':'t',"
	  "'operator':'In','values':['y','x']},{'key':'n','operator':'DoesNotExist'}]},"
	  "'template':{'spec':{'containers':[{'name':'c','image':'i:1'},{'name':'d',"
	  "'image':'j'}]}}},'status':{'conditions':[{'type':'Complete','status':'False'}]}",
	  "'a','Running','0/1','','24h','c,d','i:1,j','a=2,b=1,!n,t in (x,y)'", NULL },
	{ "a schedule", "batch/v1", "CronJob",
	  META
	  ",'spec':{'schedule':'0 * * * *','timeZone':'Etc/UTC','suspend':false,'jobTemplate':{"
	  "'spec':{'template':{'spec':{'containers':[{'name':'c','image':'i:1'},{'name':'d',"
	  "'image':'j'}]}}}}},'status':{'active':[{},{}],"
	  "'lastScheduleTime':'2024-01-09T23:00:00Z'}",
	  "'a','0 * * * *','Etc/UTC','False',2,'60m','24h','c,d','i:1,j','<none>'", NULL },
	{ "suspended", "batch/v1", "CronJob", META ",'spec':{'schedule':'@daily','suspend':true}",
	  "'a','@daily','<none>','True',0,'<none>','24h','','','<none>'", NULL },
	{ "not said", "batch/v1", "CronJob", META ",'spec':{'schedule':'@daily'}",
	  "'a','@daily','<none>','<unset>',0,'<none>','24h','','','<none>'", NULL },
	{ 0 },
};

static const struct cell_row autoscalers[] = {
	{ "no metrics", "autoscaling/v2", "HorizontalPodAutoscaler",
	  META ",'spec':{'maxReplicas':9}", "'a','/','<none>','<unset>',9,0,'24h'", NULL },
	{ "use of a resource", "autoscaling/v2", "HorizontalPodAutoscaler",
	  META ",'spec':{'scaleTargetRef':{'kind':'Deployment','name':'web'},'minReplicas':2,"
	       "'maxReplicas':9,'metrics':[{'type':'Resource','resource':{'name':'cpu','target':{"
	       "'averageUtilization':80}}}]},'status':{'currentReplicas':3,'currentMetrics':[{"
	       "'type':'Resource','resource':{'name':'cpu','current':{'averageUtilization':10,"
	       "'averageValue':'5m'}}}]}",
	  "'a','Deployment/web','cpu: 10%/80%','2',9,3,'24h'", NULL },
	{ "not known yet", "autoscaling/v2", "HorizontalPodAutoscaler",
	  META ",'spec':{'scaleTargetRef':{'kind':'Deployment','name':'web'},'minReplicas':2,"
	       "'maxReplicas':9,'metrics':[{'type':'Resource','resource':{'name':'cpu','target':{"
	       "'averageUtilization':80}}}]},'status':{'currentReplicas':3,'currentMetrics':[]}",
	  "'a','Deployment/web','cpu: <unknown>/80%','2',9,3,'24h'", NULL },
	{ "no target", "autoscaling/v2", "HorizontalPodAutoscaler",
	  META ",'spec':{'scaleTargetRef':{'kind':'Deployment','name':'web'},'minReplicas':2,"
	       "'maxReplicas':9,'metrics':[{'type':'Resource','resource':{'name':'cpu','target':{"
	       "}}}]},'status':{'currentReplicas':3,'currentMetrics':[]}",
	  "'a','Deployment/web','cpu: <unknown>/<auto>','2',9,3,'24h'", NULL },
	{ "average of a resource", "autoscaling/v2", "HorizontalPodAutoscaler",
	  META
	  ",'spec':{'scaleTargetRef':{'kind':'Deployment','name':'web'},'minReplicas':2,"
	  "'maxReplicas':9,'metrics':[{'type':'Resource','resource':{'name':'memory','target':{"
	  "'averageValue':'50Mi'}}}]},'status':{'currentReplicas':3,'currentMetrics':[{"
	  "'type':'Resource','resource':{'name':'memory','current':{'averageValue':'20Mi'}}}]}",
	  "'a','Deployment/web','memory: 20Mi/50Mi','2',9,3,'24h'", NULL },
	{ "average not known", "autoscaling/v2", "HorizontalPodAutoscaler",
	  META
	  ",'spec':{'scaleTargetRef':{'kind':'Deployment','name':'web'},'minReplicas':2,"
	  "'maxReplicas':9,'metrics':[{'type':'Resource','resource':{'name':'memory','target':{"
	  "'averageValue':'50Mi'}}}]},'status':{'currentReplicas':3,'currentMetrics':[]}",
	  "'a','Deployment/web','memory: <unknown>/50Mi','2',9,3,'24h'", NULL },
	{ "of containers", "autoscaling/v2", "HorizontalPodAutoscaler",
	  META ",'spec':{'scaleTargetRef':{'kind':'Deployment','name':'web'},'minReplicas':2,"
	       "'maxReplicas':9,'metrics':[{'type':'ContainerResource','containerResource':{"
	       "'name':'cpu','container':'c','target':{'averageUtilization':80}}}]},'status':{"
	       "'currentReplicas':3,'currentMetrics':[{'type':'ContainerResource',"
	       "'containerResource':{'name':'cpu','current':{'averageUtilization':7}}}]}",
	  "'a','Deployment/web','cpu: 7%/80%','2',9,3,'24h'", NULL },
	{ "of pods", "autoscaling/v2", "HorizontalPodAutoscaler",
	  META ",'spec':{'scaleTargetRef':{'kind':'Deployment','name':'web'},'minReplicas':2,"
	       "'maxReplicas':9,'metrics':[{'type':'Pods','pods':{'target':{"
	       "'averageValue':'10'}}}]},'status':{'currentReplicas':3,'currentMetrics':[{"
	       "'type':'Pods','pods':{'current':{'averageValue':'4'}}}]}",
	  "'a','Deployment/web','4/10','2',9,3,'24h'", NULL },
	{ "of pods, not known", "autoscaling/v2", "HorizontalPodAutoscaler",
	  META ",'spec':{'scaleTargetRef':{'kind':'Deployment','name':'web'},'minReplicas':2,"
	       "'maxReplicas':9,'metrics':[{'type':'Pods','pods':{'target':{"
	       "'averageValue':'10'}}}]},'status':{'currentReplicas':3,'currentMetrics':[]}",
	  "'a','Deployment/web','<unknown>/10','2',9,3,'24h'", NULL },
	{ "of an object", "autoscaling/v2", "HorizontalPodAutoscaler",
	  META ",'spec':{'scaleTargetRef':{'kind':'Deployment','name':'web'},'minReplicas':2,"
	       "'maxReplicas':9,'metrics':[{'type':'Object','object':{'target':{'value':'10'}}}]},"
	       "'status':{'currentReplicas':3,'currentMetrics':[{'type':'Object','object':{"
	       "'current':{'value':'4'}}}]}",
	  "'a','Deployment/web','4/10','2',9,3,'24h'", NULL },
	{ "of an object, on average", "autoscaling/v2", "HorizontalPodAutoscaler",
	  META ",'spec':{'scaleTargetRef':{'kind':'Deployment','name':'web'},'minReplicas':2,"
	       "'maxReplicas':9,'metrics':[{'type':'Object','object':{'target':{"
	       "'averageValue':'10'}}}]},'status':{'currentReplicas':3,'currentMetrics':[{"
	       "'type':'Object','object':{'current':{'averageValue':'4'}}}]}",
	  "'a','Deployment/web','4/10 (avg)','2',9,3,'24h'", NULL },
	{ "from outside", "autoscaling/v2", "HorizontalPodAutoscaler",
	  META ",'spec':{'scaleTargetRef':{'kind':'Deployment','name':'web'},'minReplicas':2,"
	       "'maxReplicas':9,'metrics':[{'type':'External','external':{'target':{"
	       "'value':'10'}}}]},'status':{'currentReplicas':3,'currentMetrics':[]}",
	  "'a','Deployment/web','<unknown>/10','2',9,3,'24h'", NULL },
	{ "from outside, on average", "autoscaling/v2", "HorizontalPodAutoscaler",
	  META ",'spec':{'scaleTargetRef':{'kind':'Deployment','name':'web'},'minReplicas':2,"
	       "'maxReplicas':9,'metrics':[{'type':'External','external':{'target':{"
	       "'averageValue':'10'}}}]},'status':{'currentReplicas':3,'currentMetrics':[{"
	       "'type':'External','external':{'current':{'value':'3'}}}]}",
	  "'a','Deployment/web','<unknown>/10 (avg)','2',9,3,'24h'", NULL },
	{ "from outside, known", "autoscaling/v2", "HorizontalPodAutoscaler",
	  META ",'spec':{'scaleTargetRef':{'kind':'Deployment','name':'web'},'minReplicas':2,"
	       "'maxReplicas':9,'metrics':[{'type':'External','external':{'target':{"
	       "'averageValue':'10'}}}]},'status':{'currentReplicas':3,'currentMetrics':[{"
	       "'type':'External','external':{'current':{'averageValue':'3'}}}]}",
	  "'a','Deployment/web','3/10 (avg)','2',9,3,'24h'", NULL },
	{ "a status without a value", "autoscaling/v2", "HorizontalPodAutoscaler",
	  META ",'spec':{'scaleTargetRef':{'kind':'Deployment','name':'web'},'minReplicas':2,"
	       "'maxReplicas':9,'metrics':[{'type':'External','external':{'target':{"
	       "'value':'10'}}}]},'status':{'currentReplicas':3,'currentMetrics':[{"
	       "'type':'External','external':{'current':{}}}]}",
	  "'a','Deployment/web','<nil>/10','2',9,3,'24h'", NULL },
	{ "of no type", "autoscaling/v2", "HorizontalPodAutoscaler",
	  META ",'spec':{'scaleTargetRef':{'kind':'Deployment','name':'web'},'minReplicas':2,"
	       "'maxReplicas':9,'metrics':[{'type':'Other'}]},'status':{'currentReplicas':3,"
	       "'currentMetrics':[]}",
	  "'a','Deployment/web','<unknown type>','2',9,3,'24h'", NULL },
	{ "two are shown", "autoscaling/v2", "HorizontalPodAutoscaler",
	  META ",'spec':{'scaleTargetRef':{'kind':'Deployment','name':'web'},'minReplicas':2,"
	       "'maxReplicas':9,'metrics':[{'type':'Pods','pods':{'target':{'averageValue':'1'}}},{"
	       "'type':'Pods','pods':{'target':{'averageValue':'2'}}},{'type':'Pods'},{"
	       "'type':'Pods'}]},'status':{'currentReplicas':3,'currentMetrics':[]}",
	  "'a','Deployment/web','<unknown>/1, <unknown>/2 + 2 more...','2',9,3,'24h'", NULL },
	{ "version 1: nothing said", "autoscaling/v1", "HorizontalPodAutoscaler",
	  META ",'spec':{'maxReplicas':9}", "'a','/','cpu: <unknown>/80%','<unset>',9,0,'24h'",
	  NULL },
	{ "version 1: the annotation knows all that is", "autoscaling/v1",
	  "HorizontalPodAutoscaler",
	  "'metadata':{'name':'a','creationTimestamp':'2024-01-09T00:00:00Z','annotations':{"
	  "'autoscaling.alpha.kubernetes.io/current-metrics':'[{\\\"type\\\":\\\"Resource\\\","
	  "\\\"resource\\\":{\\\"name\\\":\\\"cpu\\\",\\\"currentAverageUtilization\\\":7}}]'}},"
	  "'spec':{'maxReplicas':9,'targetCPUUtilizationPercentage':80},"
	  "'status':{'currentCPUUtilizationPercentage':15}",
	  "'a','/','cpu: 7%/80%','<unset>',9,0,'24h'", NULL },
	{ "version 1: CPUs", "autoscaling/v1", "HorizontalPodAutoscaler",
	  META ",'spec':{'maxReplicas':9,'targetCPUUtilizationPercentage':80},'status':{"
	       "'currentCPUUtilizationPercentage':15}",
	  "'a','/','cpu: 15%/80%','<unset>',9,0,'24h'", NULL },
	{ "version 1: not known", "autoscaling/v1", "HorizontalPodAutoscaler",
	  META ",'spec':{'maxReplicas':9,'targetCPUUtilizationPercentage':80}",
	  "'a','/','cpu: <unknown>/80%','<unset>',9,0,'24h'", NULL },
	{ "version 1: the others first", "autoscaling/v1", "HorizontalPodAutoscaler",
	  "'metadata':{'name':'a','creationTimestamp':'2024-01-09T00:00:00Z','annotations':{"
	  "'autoscaling.alpha.kubernetes.io/metrics':'[{\\\"type\\\": \\\"Resource\\\", "
	  "\\\"resource\\\": {"
	  "\\\"name\\\": \\\"memory\\\", \\\"targetAverageValue\\\": \\\"4Mi\\\"}}]',"
	  "'autoscaling.alpha.kubernetes.io/current-metrics':'[{\\\"type\\\": \\\"Resource\\\","
	  " \\\"resource\\\": {\\\"name\\\": \\\"memory\\\", \\\"currentAverageValue\\\": "
	  "\\\"2Mi\\\"}}]'}},"
	  "'spec':{'maxReplicas':9,'targetCPUUtilizationPercentage':80}",
	  "'a','/','memory: 2Mi/4Mi, cpu: <unknown>/80%','<unset>',9,0,'24h'", NULL },
	{ "version 1: objects and outside", "autoscaling/v1", "HorizontalPodAutoscaler",
	  "'metadata':{'name':'a','creationTimestamp':'2024-01-09T00:00:00Z','annotations':{"
	  "'autoscaling.alpha.kubernetes.io/metrics':'[{\\\"type\\\": \\\"Object\\\", "
	  "\\\"object\\\": {"
	  "\\\"targetValue\\\": \\\"1\\\", \\\"averageValue\\\": \\\"9\\\"}}, {\\\"type\\\": "
	  "\\\"External\\\","
	  " \\\"external\\\": {\\\"targetValue\\\": \\\"7\\\"}}]',"
	  "'autoscaling.alpha.kubernetes.io/current-metrics':'[{\\\"type\\\": \\\"Object\\\","
	  " \\\"object\\\": {\\\"currentValue\\\": \\\"1\\\", \\\"averageValue\\\": "
	  "\\\"3\\\"}}]'}},'spec':{"
	  "'maxReplicas':9}",
	  "'a','/','3/9 (avg), <unknown>/7','<unset>',9,0,'24h'", NULL },
	{ "version 1: annotations may hold anything", "autoscaling/v1", "HorizontalPodAutoscaler",
	  "'metadata':{'name':'a','creationTimestamp':'2024-01-09T00:00:00Z','annotations':{"
	  "'autoscaling.alpha.kubernetes.io/metrics':'[{\\\"type\\\": \\\"Resource\\\", "
	  "\\\"resource\\\": {"
	  "\\\"name\\\": \\\"cpu\\\", \\\"targetAverageUtilization\\\": {\\\"a\\\": 1}}}]',"
	  "'autoscaling.alpha.kubernetes.io/current-metrics':'{no'}},'spec':{'maxReplicas':9}",
	  "'a','/','cpu: <unknown>/<auto>','<unset>',9,0,'24h'", NULL },
	{ 0 },
};

static const struct cell_row networks[] = {
	{ "within the cluster", "v1", "Service",
	  META ",'spec':{'type':'ClusterIP','clusterIP':'10.0.0.1','clusterIPs':['10.0.0.1',"
	       "'fd::1'],'ports':[{'port':80,'protocol':'TCP'},{'port':53,'protocol':'UDP',"
	       "'nodePort':30053}],'selector':{'b':'1','a':'2'}},'status':{}",
	  "'a','ClusterIP','10.0.0.1','<none>','80/TCP,53:30053/UDP','24h','a=2,b=1'", NULL },
	{ "external addresses", "v1", "Service",
	  META ",'spec':{'type':'NodePort','clusterIP':'10.0.0.1','externalIPs':['1.1.1.1',"
	       "'2.2.2.2']},'status':{}",
	  "'a','NodePort','10.0.0.1','1.1.1.1,2.2.2.2','<none>','24h','<none>'", NULL },
	{ "a name elsewhere", "v1", "Service",
	  META ",'spec':{'type':'ExternalName','externalName':'x.example.com'},'status':{}",
	  "'a','ExternalName','<none>','x.example.com','<none>','24h','<none>'", NULL },
	{ "a balancer that is not there yet", "v1", "Service",
	  META ",'spec':{'type':'LoadBalancer','clusterIPs':['None']},'status':{}",
	  "'a','LoadBalancer','None','<pending>','<none>','24h','<none>'", NULL },
	{ "balancers, sorted and whole", "v1", "Service",
	  META ",'spec':{'type':'LoadBalancer'},'status':{'loadBalancer':{'ingress':[{"
	       "'hostname':'very-long-name.example.com'},{'ip':'1.1.1.1','hostname':'no'},{"
	       "'ip':'1.1.1.1'},{}]}}",
	  "'a','LoadBalancer','<none>','1.1.1.1,very-long-name.example.com','<none>','24h',"
	  "'<none>'",
	  NULL },
	{ "balancers and external addresses", "v1", "Service",
	  META
	  ",'spec':{'type':'LoadBalancer','externalIPs':['2.2.2.2']},'status':{'loadBalancer':{"
	  "'ingress':[{'ip':'1.1.1.1'}]}}",
	  "'a','LoadBalancer','<none>','1.1.1.1,2.2.2.2','<none>','24h','<none>'", NULL },
	{ "of no type", "v1", "Service", META ",'spec':{},'status':{}",
	  "'a','','<none>','<unknown>','<none>','24h','<none>'", NULL },
	{ "none", "v1", "Endpoints", META, "'a','<none>','24h'", NULL },
	{ "addresses with ports", "v1", "Endpoints",
	  META ",'subsets':[{'addresses':[{'ip':'1.1.1.1'},{'ip':'fd::1'}],'ports':[{'port':80}]}]",
	  "'a','1.1.1.1:80,[fd::1]:80','24h'", NULL },
	{ "addresses alone", "v1", "Endpoints",
	  META ",'subsets':[{'addresses':[{'ip':'1.1.1.1'}]}]", "'a','1.1.1.1','24h'", NULL },
	{ "none that is ready", "v1", "Endpoints",
	  META ",'subsets':[{'notReadyAddresses':[{'ip':'1.1.1.1'}],'ports':[{'port':80}]}]",
	  "'a','','24h'", NULL },
	{ "three are shown", "v1", "Endpoints",
	  META ",'subsets':[{'addresses':[{'ip':'1.1.1.1'},{'ip':'1.1.1.2'}],'ports':[{'port':80},{"
	       "'port':81}]},{'addresses':[{'ip':'1.1.1.3'}]}]",
	  "'a','1.1.1.1:80,1.1.1.2:80,1.1.1.1:81 + 2 more...','24h'", NULL },
	{ "a slice", "discovery.k8s.io/v1", "EndpointSlice",
	  META ",'addressType':'IPv4','ports':[{'port':80},{'name':'web'},{}],'endpoints':[{"
	       "'addresses':['1.1.1.1']},{'addresses':['1.1.1.2','1.1.1.3','1.1.1.4']}]",
	  "'a','IPv4','80,web,*','1.1.1.1,1.1.1.2,1.1.1.3 + 1 more...','24h'", NULL },
	{ "an empty slice", "discovery.k8s.io/v1", "EndpointSlice", META ",'addressType':'IPv6'",
	  "'a','IPv6','<unset>','<unset>','24h'", NULL },
	{ "more ports", "discovery.k8s.io/v1", "EndpointSlice",
	  META ",'addressType':'IPv6','ports':[{'port':1},{'port':2},{'port':3},{'port':4},{"
	       "'port':5}]",
	  "'a','IPv6','1,2,3 + 2 more...','<unset>','24h'", NULL },
	{ "any host", "networking.k8s.io/v1", "Ingress", META ",'spec':{'rules':[{}]}",
	  "'a','<none>','*','','80','24h'", NULL },
	{ "hosts and balancers", "networking.k8s.io/v1", "Ingress",
	  META
	  ",'spec':{'ingressClassName':'nginx','tls':[{}],'rules':[{'host':'a'},{'host':'b'},{"
	  "'host':'c'},{},{'host':'d'}]},'status':{'loadBalancer':{'ingress':[{'ip':'2.2.2.2'},"
	  "{'hostname':'1.example.com'}]}}",
	  "'a','nginx','a,b,c + 2 more...','1.example.com,2.2.2.2','80, 443','24h'", NULL },
	{ "rules without hosts are not counted before three", "networking.k8s.io/v1", "Ingress",
	  META ",'spec':{'rules':[{'host':'a'},{},{'host':'b'},{}]}",
	  "'a','<none>','a,b','','80','24h'", NULL },
	{ "no parameters", "networking.k8s.io/v1", "IngressClass",
	  META ",'spec':{'controller':'x/y'}", "'a','x/y','<none>','24h'", NULL },
	{ "parameters", "networking.k8s.io/v1", "IngressClass",
	  META
	  ",'spec':{'controller':'x/y','parameters':{'apiGroup':'g.io','kind':'P','name':'p'}}",
	  "'a','x/y','P.g.io/p','24h'", NULL },
	{ "parameters of the core group", "networking.k8s.io/v1", "IngressClass",
	  META ",'spec':{'controller':'x/y','parameters':{'kind':'P','name':'p'}}",
	  "'a','x/y','P/p','24h'", NULL },
	{ "pods that are meant", "networking.k8s.io/v1", "NetworkPolicy",
	  META ",'spec':{'podSelector':{'matchLabels':{'b':'1','a':'2'},'matchExpressions':[{"
	       "'key':'t','operator':'In','values':['y','x']},{'key':'n',"
	       "'operator':'DoesNotExist'}]}}",
	  "'a','a=2,b=1,!n,t in (x,y)','24h'", NULL },
	{ "all pods", "networking.k8s.io/v1", "NetworkPolicy", META ",'spec':{'podSelector':{}}",
	  "'a','<none>','24h'", NULL },
	{ "ranges", "networking.k8s.io/v1", "ServiceCIDR",
	  META ",'spec':{'cidrs':['10.0.0.0/8','fd::/64']}", "'a','10.0.0.0/8,fd::/64','24h'",
	  NULL },
	{ "whose address", "networking.k8s.io/v1", "IPAddress",
	  META ",'spec':{'parentRef':{'resource':'Services','namespace':'d','name':'W'}}",
	  "'a','services/d/W'", NULL },
	{ "of a group", "networking.k8s.io/v1", "IPAddress",
	  META ",'spec':{'parentRef':{'group':'g.io','resource':'gates','name':'w'}}",
	  "'a','gates.g.io/w'", NULL },
	{ "nobody's", "networking.k8s.io/v1", "IPAddress", META ",'spec':{}", "'a','<none>'",
	  NULL },
	{ 0 },
};

static const struct cell_row storage[] = {
	{ "bound", "v1", "PersistentVolume",
	  META ",'spec':{'capacity':{'storage':'5Gi'},'accessModes':['ReadWriteMany',"
	       "'ReadWriteOnce','ReadWriteOnce','ReadOnlyMany','ReadWriteOncePod'],"
	       "'persistentVolumeReclaimPolicy':'Retain','claimRef':{'namespace':'d','name':'c'},"
	       "'storageClassName':'fast','volumeAttributesClassName':'gold','volumeMode':'Block'},"
	       "'status':{'phase':'Bound'}",
	  "'a','5Gi','RWO,ROX,RWX,RWOP','Retain','Bound','d/c','fast','gold','','24h','Block'",
	  NULL },
	{ "failed", "v1", "PersistentVolume", META ",'status':{'phase':'Failed','reason':'Broken'}",
	  "'a','0','','','Failed','','','<unset>','Broken','24h','<unset>'", NULL },
	{ "is going", "v1", "PersistentVolume", OLD ",'status':{'phase':'Bound'}",
	  "'a','0','','','Terminating','','','<unset>','','24h','<unset>'", NULL },
	{ "waits", "v1", "PersistentVolumeClaim",
	  META
	  ",'spec':{'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'1Gi'}},"
	  "'storageClassName':'fast'},'status':{'phase':'Pending'}",
	  "'a','Pending','','','','fast','<unset>','24h','<unset>'", NULL },
	{ "bound", "v1", "PersistentVolumeClaim",
	  "'metadata':{'name':'a','creationTimestamp':'2024-01-09T00:00:00Z','annotations':{"
	  "'volume.beta.kubernetes.io/storage-class':'old'}},'spec':{'volumeName':'v',"
	  "'volumeMode':'Filesystem','volumeAttributesClassName':'gold'},'status':{"
	  "'phase':'Bound','capacity':{'storage':'2Gi'},'accessModes':['ReadWriteOnce']}",
	  "'a','Bound','v','2Gi','RWO','old','gold','24h','Filesystem'", NULL },
	{ "named a volume, not bound", "v1", "PersistentVolumeClaim",
	  META ",'spec':{'volumeName':'v'},'status':{'phase':'Pending'}",
	  "'a','Pending','v','0','','','<unset>','24h','<unset>'", NULL },
	{ "is going", "v1", "PersistentVolumeClaim", OLD ",'status':{'phase':'Bound'}",
	  "'a','Terminating','','','','','<unset>','24h','<unset>'", NULL },
	{ "defaults", "storage.k8s.io/v1", "StorageClass", META ",'provisioner':'p'",
	  "'a','p','Delete','Immediate',false,'24h'", NULL },
	{ "the default one", "storage.k8s.io/v1", "StorageClass",
	  "'metadata':{'name':'a','creationTimestamp':'2024-01-09T00:00:00Z','annotations':{"
	  "'storageclass.kubernetes.io/is-default-class':'true'}},'provisioner':'p',"
	  "'reclaimPolicy':'Retain','volumeBindingMode':'WaitForFirstConsumer',"
	  "'allowVolumeExpansion':true",
	  "'a (default)','p','Retain','WaitForFirstConsumer',true,'24h'", NULL },
	{ "the default one", "storage.k8s.io/v1", "StorageClass",
	  "'metadata':{'name':'a','creationTimestamp':'2024-01-09T00:00:00Z','annotations':{"
	  "'storageclass.beta.kubernetes.io/is-default-class':'true'}},'provisioner':'p',"
	  "'reclaimPolicy':'Retain','volumeBindingMode':'WaitForFirstConsumer',"
	  "'allowVolumeExpansion':true",
	  "'a (default)','p','Retain','WaitForFirstConsumer',true,'24h'", NULL },
	{ "attributes", "storage.k8s.io/v1", "VolumeAttributesClass", META ",'driverName':'d'",
	  "'a','d','24h'", NULL },
	{ "attached", "storage.k8s.io/v1", "VolumeAttachment",
	  META ",'spec':{'attacher':'d','nodeName':'n','source':{'persistentVolumeName':'v'}},"
	       "'status':{'attached':true}",
	  "'a','d','v','n',true,'24h'", NULL },
	{ "not attached", "storage.k8s.io/v1", "VolumeAttachment",
	  META ",'spec':{'attacher':'d','nodeName':'n','source':{}}", "'a','d','','n',false,'24h'",
	  NULL },
	{ "nothing said", "storage.k8s.io/v1", "CSIDriver", META ",'spec':{}",
	  "'a',true,false,false,'<unset>',false,'<none>','24h'", NULL },
	{ "all said", "storage.k8s.io/v1", "CSIDriver",
	  META ",'spec':{'attachRequired':false,'podInfoOnMount':true,'storageCapacity':true,"
	       "'tokenRequests':[{'audience':'x'},{'audience':'y'}],'requiresRepublish':true,"
	       "'volumeLifecycleModes':['Persistent','Ephemeral']}",
	  "'a',false,true,true,'x,y',true,'Persistent,Ephemeral','24h'", NULL },
	{ "no tokens", "storage.k8s.io/v1", "CSIDriver", META ",'spec':{'tokenRequests':[]}",
	  "'a',true,false,false,'',false,'<none>','24h'", NULL },
	{ "drivers", "storage.k8s.io/v1", "CSINode", META ",'spec':{'drivers':[{},{}]}",
	  "'a',2,'24h'", NULL },
	{ "room", "storage.k8s.io/v1", "CSIStorageCapacity",
	  META ",'storageClassName':'fast','capacity':'5Gi'", "'a','fast','5Gi'", NULL },
	{ "room not said", "storage.k8s.io/v1", "CSIStorageCapacity",
	  META ",'storageClassName':'fast'", "'a','fast','<unset>'", NULL },
	{ 0 },
};

static const struct cell_row nodes[] = {
	{ "nothing known", "v1", "Node", META,
	  "'a','Unknown','<none>','24h','','<none>','<none>','<unknown>','<unknown>',"
	  "'<unknown>'",
	  NULL },
	{ "ready, with roles", "v1", "Node",
	  "'metadata':{'name':'a','creationTimestamp':'2024-01-09T00:00:00Z','labels':{"
	  "'kubernetes.io/role':'worker','node-role.kubernetes.io/control-plane':'',"
	  "'node-role.kubernetes.io/worker':'','node-role.kubernetes.io/':''}},'status':{"
	  "'conditions':[{'type':'DiskPressure','status':'True'},{'type':'Ready',"
	  "'status':'True'}],'addresses':[{'type':'Hostname','address':'h'},{"
	  "'type':'InternalIP','address':'10.0.0.1'},{'type':'ExternalIP',"
	  "'address':'1.1.1.1'}],'nodeInfo':{'kubeletVersion':'v1.36.0','osImage':'Debian',"
	  "'kernelVersion':'6.1','containerRuntimeVersion':'teu://1'}}",
	  "'a','Ready','control-plane,worker','24h','v1.36.0','10.0.0.1','1.1.1.1','Debian',"
	  "'6.1','teu://1'",
	  NULL },
	{ "not ready, and closed", "v1", "Node",
	  "'metadata':{'name':'a','creationTimestamp':'2024-01-09T00:00:00Z','labels':{"
	  "'kubernetes.io/role':''}},'spec':{'unschedulable':true},'status':{'conditions':[{"
	  "'type':'Ready','status':'Unknown'}]}",
	  "'a','NotReady,SchedulingDisabled','<none>','24h','','<none>','<none>','<unknown>',"
	  "'<unknown>','<unknown>'",
	  NULL },
	{ "healthy", "v1", "ComponentStatus",
	  META ",'conditions':[{'type':'Healthy','status':'True','message':'ok'}]",
	  "'a','Healthy','ok',''", NULL },
	{ "not healthy", "v1", "ComponentStatus",
	  META ",'conditions':[{'type':'Healthy','status':'False','message':'m','error':'e'}]",
	  "'a','Unhealthy','m','e'", NULL },
	{ "not known", "v1", "ComponentStatus", META, "'a','Unknown','',''", NULL },
	{ "held", "coordination.k8s.io/v1", "Lease", META ",'spec':{'holderIdentity':'me'}",
	  "'a','me','24h'", NULL },
	{ "held by nobody", "coordination.k8s.io/v1", "Lease", META ",'spec':{}", "'a','','24h'",
	  NULL },
	{ "a runtime", "node.k8s.io/v1", "RuntimeClass", META ",'handler':'kata'",
	  "'a','kata','24h'", NULL },
	{ "a priority", "scheduling.k8s.io/v1", "PriorityClass",
	  META ",'value':-5,'globalDefault':true,'preemptionPolicy':'Never'",
	  "'a',-5,true,'24h','Never'", NULL },
	{ "no priority", "scheduling.k8s.io/v1", "PriorityClass", META, "'a',0,false,'24h',''",
	  NULL },
	{ "pending", "resource.k8s.io/v1", "ResourceClaim", META, "'a','pending','24h'", NULL },
	{ "allocated", "resource.k8s.io/v1", "ResourceClaim", META ",'status':{'allocation':{}}",
	  "'a','allocated','24h'", NULL },
	{ "reserved", "resource.k8s.io/v1", "ResourceClaim",
	  META ",'status':{'allocation':{},'reservedFor':[{}]}", "'a','allocated,reserved','24h'",
	  NULL },
	{ "deleted", "resource.k8s.io/v1", "ResourceClaim",
	  OLD ",'status':{'allocation':{},'reservedFor':[{}]}",
	  "'a','deleted,allocated,reserved','24h'", NULL },
	{ "deleted before", "resource.k8s.io/v1", "ResourceClaim", OLD, "'a','deleted','24h'",
	  NULL },
	{ "devices", "resource.k8s.io/v1", "ResourceSlice",
	  META ",'spec':{'nodeName':'n','driver':'d','pool':{'name':'p'}}", "'a','n','d','p','24h'",
	  NULL },
	{ "devices of the network", "resource.k8s.io/v1", "ResourceSlice",
	  META ",'spec':{'driver':'d','pool':{'name':'p'}}", "'a','','d','p','24h'", NULL },
	{ "a class", "resource.k8s.io/v1", "DeviceClass", META, "'a','24h'", NULL },
	{ "a template", "resource.k8s.io/v1", "ResourceClaimTemplate", META, "'a','24h'", NULL },
	{ 0 },
};

static const struct cell_row guards[] = {
	{ "who is bound", "rbac.authorization.k8s.io/v1", "RoleBinding",
	  META ",'roleRef':{'kind':'ClusterRole','name':'admin'},'subjects':[{'kind':'User',"
	       "'name':'u'},{'kind':'Group','name':'g'},{'kind':'User','name':'v'},{"
	       "'kind':'ServiceAccount','namespace':'d','name':'s'},{'kind':'Other','name':'x'}]",
	  "'a','ClusterRole/admin','24h','u, v','g','d/s'", NULL },
	{ "who is bound", "rbac.authorization.k8s.io/v1", "ClusterRoleBinding",
	  META ",'roleRef':{'kind':'ClusterRole','name':'admin'},'subjects':[{'kind':'User',"
	       "'name':'u'},{'kind':'Group','name':'g'},{'kind':'User','name':'v'},{"
	       "'kind':'ServiceAccount','namespace':'d','name':'s'},{'kind':'Other','name':'x'}]",
	  "'a','ClusterRole/admin','24h','u, v','g','d/s'", NULL },
	{ "nobody is bound", "rbac.authorization.k8s.io/v1", "RoleBinding",
	  META ",'roleRef':{'kind':'Role','name':'r'}", "'a','Role/r','24h','','',''", NULL },
	{ "pending", "certificates.k8s.io/v1", "CertificateSigningRequest",
	  META ",'spec':{'username':'u','signerName':'s/t'}",
	  "'a','24h','s/t','u','<none>','Pending'", NULL },
	{ "issued", "certificates.k8s.io/v1", "CertificateSigningRequest",
	  META ",'spec':{'username':'u','expirationSeconds':86400},'status':{'conditions':[{"
	       "'type':'Approved'}],'certificate':'AA=='}",
	  "'a','24h','<none>','u','24h','Approved,Issued'", NULL },
	{ "denied goes first", "certificates.k8s.io/v1", "CertificateSigningRequest",
	  META ",'spec':{'username':'u'},'status':{'conditions':[{'type':'Approved'},{"
	       "'type':'Denied'},{'type':'Failed'}]}",
	  "'a','24h','<none>','u','<none>','Denied,Failed'", NULL },
	{ "webhooks", "admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration",
	  META ",'webhooks':[{},{}]", "'a',2,'24h'", NULL },
	{ "webhooks", "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration",
	  META ",'webhooks':[{},{}]", "'a',2,'24h'", NULL },
	{ "rules", "admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy",
	  META ",'spec':{'validations':[{},{}],'paramKind':{'apiVersion':'g/v1','kind':'P'}}",
	  "'a',2,'g/v1/P','24h'", NULL },
	{ "no parameters", "admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy",
	  META ",'spec':{}", "'a',0,'<unset>','24h'", NULL },
	{ "mutations", "admissionregistration.k8s.io/v1", "MutatingAdmissionPolicy",
	  META ",'spec':{'mutations':[{}]}", "'a',1,'<unset>','24h'", NULL },
	{ "parameters of a namespace", "admissionregistration.k8s.io/v1",
	  "MutatingAdmissionPolicyBinding",
	  META ",'spec':{'policyName':'p','paramRef':{'name':'n','namespace':'d'}}",
	  "'a','p','d/n','24h'", NULL },
	{ "parameters by name", "admissionregistration.k8s.io/v1", "MutatingAdmissionPolicyBinding",
	  META ",'spec':{'policyName':'p','paramRef':{'name':'n'}}", "'a','p','*/n','24h'", NULL },
	{ "parameters by labels", "admissionregistration.k8s.io/v1",
	  "MutatingAdmissionPolicyBinding",
	  META ",'spec':{'policyName':'p','paramRef':{'selector':{'matchLabels':{'b':'1','a':'2'},"
	       "'matchExpressions':[{'key':'t','operator':'In','values':['y','x']},{'key':'n',"
	       "'operator':'DoesNotExist'}]}}}",
	  "'a','p','&LabelSelector{MatchLabels:map[string]string{a: 2,b: 1,},"
	  "MatchExpressions:[]LabelSelectorRequirement{LabelSelectorRequirement{Key:t,"
	  "Operator:In,Values:[y x],},LabelSelectorRequirement{Key:n,Operator:DoesNotExist,"
	  "Values:[],},},}','24h'",
	  NULL },
	{ "expressions alone", "admissionregistration.k8s.io/v1", "MutatingAdmissionPolicyBinding",
	  META ",'spec':{'policyName':'p','paramRef':{'selector':{'matchExpressions':[{'key':"
	       "'n','operator':'Exists'}]}}}",
	  "'a','p','&LabelSelector{MatchLabels:map[string]string{},"
	  "MatchExpressions:[]LabelSelectorRequirement{LabelSelectorRequirement{Key:n,"
	  "Operator:Exists,Values:[],},},}','24h'",
	  NULL },
	{ "no parameters", "admissionregistration.k8s.io/v1", "MutatingAdmissionPolicyBinding",
	  META ",'spec':{'policyName':'p'}", "'a','p','<unset>','24h'", NULL },
	{ "parameters of a namespace", "admissionregistration.k8s.io/v1",
	  "ValidatingAdmissionPolicyBinding",
	  META ",'spec':{'policyName':'p','paramRef':{'name':'n','namespace':'d'}}",
	  "'a','p','d/n','24h'", NULL },
	{ "parameters by name", "admissionregistration.k8s.io/v1",
	  "ValidatingAdmissionPolicyBinding",
	  META ",'spec':{'policyName':'p','paramRef':{'name':'n'}}", "'a','p','*/n','24h'", NULL },
	{ "parameters by labels", "admissionregistration.k8s.io/v1",
	  "ValidatingAdmissionPolicyBinding",
	  META ",'spec':{'policyName':'p','paramRef':{'selector':{'matchLabels':{'b':'1','a':'2'},"
	       "'matchExpressions':[{'key':'t','operator':'In','values':['y','x']},{'key':'n',"
	       "'operator':'DoesNotExist'}]}}}",
	  "'a','p','&LabelSelector{MatchLabels:map[string]string{a: 2,b: 1,},"
	  "MatchExpressions:[]LabelSelectorRequirement{LabelSelectorRequirement{Key:t,"
	  "Operator:In,Values:[y x],},LabelSelectorRequirement{Key:n,Operator:DoesNotExist,"
	  "Values:[],},},}','24h'",
	  NULL },
	{ "no parameters", "admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding",
	  META ",'spec':{'policyName':'p'}", "'a','p','<unset>','24h'", NULL },
	{ "our own", "apiregistration.k8s.io/v1", "APIService",
	  META ",'spec':{},'status':{'conditions':[{'type':'Available','status':'True',"
	       "'reason':'Local'}]}",
	  "'a','Local','True','24h'", NULL },
	{ "elsewhere", "apiregistration.k8s.io/v1", "APIService",
	  META ",'spec':{'service':{'namespace':'d','name':'s'}},'status':{'conditions':[{"
	       "'type':'Available','status':'False','reason':'MissingEndpoints'}]}",
	  "'a','d/s','False (MissingEndpoints)','24h'", NULL },
	{ "no reason", "apiregistration.k8s.io/v1", "APIService",
	  META ",'status':{'conditions':[{'type':'Available','status':'False'}]}",
	  "'a','Local','False','24h'", NULL },
	{ "not known", "apiregistration.k8s.io/v1", "APIService", META,
	  "'a','Local','Unknown','24h'", NULL },
	{ "a flow", "flowcontrol.apiserver.k8s.io/v1", "FlowSchema",
	  META
	  ",'spec':{'priorityLevelConfiguration':{'name':'l'},'matchingPrecedence':9,"
	  "'distinguisherMethod':{'type':'ByUser'}},'status':{'conditions':[{'type':'Dangling',"
	  "'status':'False'}]}",
	  "'a','l',9,'ByUser','24h','False'", NULL },
	{ "a flow not looked at", "flowcontrol.apiserver.k8s.io/v1", "FlowSchema",
	  META ",'spec':{'priorityLevelConfiguration':{'name':'l'}}",
	  "'a','l',0,'<none>','24h','?'", NULL },
	{ "exempt", "flowcontrol.apiserver.k8s.io/v1", "PriorityLevelConfiguration",
	  META ",'spec':{'type':'Exempt'}",
	  "'a','Exempt','<none>','<none>','<none>','<none>','24h'", NULL },
	{ "rejected at once", "flowcontrol.apiserver.k8s.io/v1", "PriorityLevelConfiguration",
	  META ",'spec':{'type':'Limited','limited':{'nominalConcurrencyShares':5,'limitResponse':{"
	       "'type':'Reject'}}}",
	  "'a','Limited',5,'<none>','<none>','<none>','24h'", NULL },
	{ "queued", "flowcontrol.apiserver.k8s.io/v1", "PriorityLevelConfiguration",
	  META ",'spec':{'type':'Limited','limited':{'nominalConcurrencyShares':5,'limitResponse':{"
	       "'queuing':{'queues':64,'handSize':6,'queueLengthLimit':50}}}}",
	  "'a','Limited',5,64,6,50,'24h'", NULL },
	{ 0 },
};

static const struct cell_row rest[] = {
	{ "a namespace", "v1", "Namespace", META ",'status':{'phase':'Active'}",
	  "'a','Active','24h'", NULL },
	{ "entries of both forms", "v1", "ConfigMap",
	  META ",'data':{'a':'1','b':'2'},'binaryData':{'c':'AA=='}", "'a',3,'24h'", NULL },
	{ "a secret", "v1", "Secret", META ",'type':'Opaque','data':{'a':''}",
	  "'a','Opaque',1,'24h'", NULL },
	{ "an account", "v1", "ServiceAccount", META, "'a','24h'", NULL },
	{ "a quota", "v1", "ResourceQuota",
	  META ",'status':{'hard':{'pods':'10','limits.cpu':'4','cpu':'2','limits':'1'},'used':{"
	       "'pods':'3','limits.cpu':'500m'}}",
	  "'a','cpu: 0/2, limits: 0/1, pods: 3/10','limits.cpu: 500m/4','24h'", NULL },
	{ "a quota not looked at", "v1", "ResourceQuota", META ",'spec':{'hard':{'pods':'1'}}",
	  "'a','','','24h'", NULL },
	{ "an event", "v1", "Event",
	  META
	  ",'lastTimestamp':'2024-01-09T23:59:00Z','firstTimestamp':'2024-01-09T23:00:00Z',"
	  "'count':4,'type':'Normal','reason':'Pulled','message':' said \\n','involvedObject':{"
	  "'kind':'Pod','name':'Web','fieldPath':'spec.containers{c}'},'source':{"
	  "'component':'kubelet','host':'n'}",
	  "'60s','Normal','Pulled','pod/Web','spec.containers{c}','kubelet, n','said','60m',4,"
	  "'a'",
	  NULL },
	{ "an event of the new form", "v1", "Event",
	  META ",'eventTime':'2024-01-09T23:59:00.500000Z','involvedObject':{'kind':'Node'},"
	       "'reportingComponent':'scheduler','reportingInstance':'s-1'",
	  "'59s','','','node','','scheduler, s-1','','59s',1,'a'", NULL },
	{ "a series", "v1", "Event",
	  META ",'eventTime':'2024-01-09T23:00:00.000000Z','series':{'count':9,"
	       "'lastObservedTime':'2024-01-09T23:59:50.000000Z'}",
	  "'10s','','','','','','','60m',9,'a'", NULL },
	{ "an event without times", "v1", "Event", META ",'source':{'component':'c'}",
	  "'<unknown>','','','','','c','','<unknown>',1,'a'", NULL },
	{ "an event of its own group", "events.k8s.io/v1", "Event",
	  META ",'deprecatedLastTimestamp':'2024-01-09T23:59:00Z',"
	       "'deprecatedFirstTimestamp':'2024-01-09T23:00:00Z','deprecatedCount':2,"
	       "'type':'Warning','reason':'R','note':'n','regarding':{'kind':'Pod','name':'p'},"
	       "'deprecatedSource':{'component':'c'},'reportingController':'x'",
	  "'60s','Warning','R','pod/p','','c','n','60m',2,'a'", NULL },
	{ "what has no printer", "v1", "LimitRange", META, "'a','2024-01-09T00:00:00Z'", NULL },
	{ "created never", "rbac.authorization.k8s.io/v1", "Role", "'metadata':{'name':'a'}",
	  "'a','0001-01-01T00:00:00Z'", NULL },
	{ "a cluster's role", "rbac.authorization.k8s.io/v1", "ClusterRole", META,
	  "'a','2024-01-09T00:00:00Z'", NULL },
	{ "a definition", "apiextensions.k8s.io/v1", "CustomResourceDefinition", META,
	  "'a','2024-01-09T00:00:00Z'", NULL },
	{ 0 },
};
static void workloads_count(void **state)
{
	check_rows(*state, workloads);
}

static void jobs_say_how_far_they_are(void **state)
{
	check_rows(*state, jobs);
}

static void autoscalers_show_two_metrics(void **state)
{
	check_rows(*state, autoscalers);
}

static void networks_show_where_things_are(void **state)
{
	check_rows(*state, networks);
}

static void storage_shows_classes_and_sizes(void **state)
{
	check_rows(*state, storage);
}

static void nodes_show_roles_and_addresses(void **state)
{
	check_rows(*state, nodes);
}

static void guards_show_who_and_what(void **state)
{
	check_rows(*state, guards);
}

static void the_rest_is_shown_too(void **state)
{
	check_rows(*state, rest);
}

/* ---- what no canonical object has ---- */

static void values_of_other_types_do_no_harm(void **state)
{
	static const struct cell_row *const all[] = { workloads, jobs,	 networks, storage,
						      nodes,	 guards, rest,	   autoscalers };

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		check_misfits(*state, all[i]);
}

/* ---- definitions ---- */

static int check_definitions(struct arena *a, const struct api_kind *k)
{
	struct doc list, cells, conditions;
	struct err err = ERR_INIT;
	int bad = 0;
	size_t i = 0;

	assert_int_equal(columns_definitions(k, a, &list, &err), 0);
	assert_int_equal(columns_cells(k, doc_new_object(a), NOW, a, &cells, &conditions, &err), 0);
	bad += doc_len(&list) != doc_len(&cells);
	bad += doc_len(&list) != (k->ncolumns ? k->ncolumns : 2);
	DOC_EACH (it, &list) {
		const struct api_column *c = k->ncolumns ? &k->columns[i] : NULL;
		int64_t priority = -1;

		i++;
		bad += doc_int64(doc_get(it, "priority"), &priority) != 0;
		bad += c && (!doc_str_is(doc_get(it, "name"), c->name) || priority != c->wide);
		bad += doc_slice(doc_get(it, "description")).n == 0;
	}
	if (bad)
		print_error("%s %s: %s\n%s\n", k->group->api_version, k->kind,
			    written(a, &list, NULL), written(a, &cells, NULL));
	return bad;
}

static void every_kind_has_a_cell_and_a_description_for_each_column(void **state)
{
	CLEANUP(api_fini) struct api api = { 0 };
	struct err err = ERR_INIT;
	int bad = 0;

	assert_int_equal(api_load(*state, &api, &err), 0);
	for (size_t i = 0; i < api.nkinds; i++)
		bad += check_definitions(*state, &api.kinds[i]);
	bad += check_definitions(*state, columns_scale());
	assert_int_equal(bad, 0);
}

/* What stands in a member of each definition, separated by blanks. */
static const char *members(struct arena *a, const struct api_kind *k, const char *key)
{
	struct doc list;
	struct err err = ERR_INIT;
	const char *all = "";

	assert_int_equal(columns_definitions(k, a, &list, &err), 0);
	DOC_EACH (it, &list) {
		const struct doc *v = doc_get(it, key);
		struct slice s = doc_is(v, DOC_NUMBER) ? slice_of(v->s, v->n) : doc_slice(v);

		all = arena_printf(a, "%s %.*s", all, (int)s.n, s.p);
		assert_non_null(all);
	}
	return all;
}

static void types_formats_and_priorities_are_upstreams(void **state)
{
	static const struct {
		const char *api_version, *kind, *types, *formats;
	} rows[] = {
		{ "v1", "Pod", " string string string string string string string string string",
		  " name        " },
		{ "v1", "Event",
		  " string string string string string string string string string string",
		  "          name" },
		{ "apps/v1", "ReplicaSet",
		  " string integer integer integer string string string string", " name       " },
		{ "apps/v1", "DaemonSet",
		  " string integer integer integer integer integer string string string string "
		  "string",
		  " name          " },
		{ "batch/v1", "CronJob",
		  " string string string boolean integer string string string string string",
		  " name         " },
		{ "storage.k8s.io/v1", "CSIDriver",
		  " string boolean boolean boolean string boolean string string", " name       " },
		{ "storage.k8s.io/v1", "VolumeAttachment",
		  " string string string string boolean string", " name name    " },
		{ "scheduling.k8s.io/v1", "PriorityClass", " string integer boolean string string",
		  " name    " },
		{ "policy/v1", "PodDisruptionBudget", " string string string integer string",
		  " name    " },
		{ "v1", "LimitRange", " string date", " name " },
		{ "authentication.k8s.io/v1", "TokenReview", " string date", " name " },
		{ "autoscaling/v1", "Scale", " string integer integer string", "    " },
	};
	CLEANUP(api_fini) struct api api = { 0 };
	struct err err = ERR_INIT;

	assert_int_equal(api_load(*state, &api, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct api_kind *k = kind_of(&api, rows[i].api_version, rows[i].kind);

		assert_string_equal(members(*state, k, "type"), rows[i].types);
		assert_string_equal(members(*state, k, "format"), rows[i].formats);
	}
	assert_string_equal(members(*state, api_kind(&api, "v1", "Pod"), "priority"),
			    " 0 0 0 0 0 1 1 1 1");
}

static void custom_kinds_have_their_own(void **state)
{
	static const char text[] =
		"apiVersion: apiextensions.k8s.io/v1\n"
		"kind: CustomResourceDefinition\n"
		"metadata: {name: foos.x.example.com}\n"
		"spec:\n"
		"  group: x.example.com\n"
		"  scope: Cluster\n"
		"  names: {plural: foos, singular: foo, kind: Pod, listKind: PodList}\n"
		"  versions:\n"
		"  - name: v1\n"
		"    served: true\n"
		"    storage: true\n"
		"    schema: {openAPIV3Schema: {type: object, properties: {n: {type: integer}}}}\n"
		"    additionalPrinterColumns:\n"
		"    - {name: Size, type: integer, jsonPath: .n, priority: 1}\n"
		"    - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}\n";
	struct arena *a = *state;
	CLEANUP(api_fini) struct api api = { 0 };
	CLEANUP(custom_unref) struct custom *c = NULL;
	struct doc cells, conditions, *crd = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(api_load(a, &api, &err), 0);
	assert_int_equal(yaml_read(a, slice_str(text), NULL, &crd, &err), 0);
	assert_int_equal(custom_compile(&api, crd, &c, &err), 0);
	assert_int_equal(columns_cells(custom_stored(c),
				       must_read(a, json_of(a, '{', META ",'n':3", '}')), NOW, a,
				       &cells, &conditions, &err),
			 0);
	assert_doc(a, &cells, "[\"a\",3,\"24h\"]");
	assert_doc(a, &conditions, "null");
	assert_string_equal(members(a, custom_stored(c), "name"), " Name Size Age");
	assert_string_equal(members(a, custom_stored(c), "priority"), " 0 1 0");
}

/* ---- ages ---- */

static void ages_have_two_or_three_digits(void **state)
{
	enum { M = 60, H = 60 * M, D = 24 * H, Y = 365 * D };
	static const struct {
		int64_t seconds;
		const char *text;
	} rows[] = {
		{ INT64_MIN, "<invalid>" },
		{ -2, "<invalid>" },
		{ -1, "0s" },
		{ 0, "0s" },
		{ 119, "119s" },
		{ 2 * M, "2m" },
		{ 3 * M + 20, "3m20s" },
		{ 9 * M + 59, "9m59s" },
		{ 10 * M, "10m" },
		{ 179 * M + 59, "179m" },
		{ 3 * H, "3h" },
		{ 7 * H + 59 * M + 59, "7h59m" },
		{ 8 * H, "8h" },
		{ 47 * H + 59 * M, "47h" },
		{ 48 * H, "2d" },
		{ 8 * D - 1, "7d23h" },
		{ 8 * D, "8d" },
		{ 2 * Y - 1, "729d" },
		{ 2 * Y, "2y" },
		{ 2LL * Y + 33 * D, "2y33d" },
		{ 8LL * Y - 1, "7y364d" },
		{ 8LL * Y, "8y" },
		{ 8LL * Y + 300 * D, "8y" },
		{ 292LL * Y, "292y" },
	};
	char out[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(columns_age(rows[i].seconds, out, sizeof(out)), rows[i].text);
}

static void times_far_away_are_as_far_as_can_be(void **state)
{
	static const struct cell_row rows[] = {
		{ "long ago", "v1", "ServiceAccount",
		  "'metadata':{'name':'a','creationTimestamp':'0300-01-01T00:00:00Z'}",
		  "'a','292y'", NULL },
		{ "far ahead", "v1", "ServiceAccount",
		  "'metadata':{'name':'a','creationTimestamp':'9999-01-01T00:00:00Z'}",
		  "'a','<invalid>'", NULL },
		{ "a second ahead", "v1", "ServiceAccount",
		  "'metadata':{'name':'a','creationTimestamp':'2024-01-10T00:00:01Z'}", "'a','0s'",
		  NULL },
		{ "never", "v1", "ServiceAccount",
		  "'metadata':{'name':'a','creationTimestamp':null}", "'a','<unknown>'", NULL },
		{ "the zero time", "v1", "ServiceAccount",
		  "'metadata':{'name':'a','creationTimestamp':'0001-01-01T00:00:00Z'}",
		  "'a','<unknown>'", NULL },
		{ 0 },
	};

	check_rows(*state, rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(workloads_count),
		CASE(jobs_say_how_far_they_are),
		CASE(autoscalers_show_two_metrics),
		CASE(networks_show_where_things_are),
		CASE(storage_shows_classes_and_sizes),
		CASE(nodes_show_roles_and_addresses),
		CASE(guards_show_who_and_what),
		CASE(the_rest_is_shown_too),
		CASE(values_of_other_types_do_no_harm),
		CASE(every_kind_has_a_cell_and_a_description_for_each_column),
		CASE(types_formats_and_priorities_are_upstreams),
		CASE(custom_kinds_have_their_own),
		CASE(ages_have_two_or_three_digits),
		CASE(times_far_away_are_as_far_as_can_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
