/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/auth/rbac-defaults.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "doc/doc.h"

#include <string.h>

#define API_VERSION "rbac.authorization.k8s.io/v1"
#define RBAC_GROUP "rbac.authorization.k8s.io"
#define AUTOUPDATE "rbac.authorization.kubernetes.io/autoupdate"
#define CONTROLLER "system:controller:"

/*
 * Rules as text: GROUPS/RESOURCES(NAMES):VERBS; URL[PATHS]:VERBS. Groups and verbs are parted by
 * commas, resources by "+"; "core" is the group without a name. READ, WRITE and ALL stand for
 * verbs, EVT for the rule of those who tell of events.
 */
struct role {
	const char *ns, *name;
	const char *into, *from; /* aggregation: label aggregate-to-INTO; of roles labelled FROM */
	const char *rules;
};

static const struct role roles[] = {
	{ "", "admin", "", "admin", "" },
	{ "", "cluster-admin", "", "", "*/*:*; URL[*]:*" },
	{ "", "edit", "admin", "edit", "" },
	{ "", "system:aggregate-to-admin", "admin", "",
	  "authorization.k8s.io/localsubjectaccessreviews:create; "
	  "rbac.authorization.k8s.io/rolebindings+roles:ALL" },
	{ "", "system:aggregate-to-edit", "edit", "",
	  "core/pods/attach+pods/exec+pods/portforward+pods/proxy+secrets+"
	  "services/proxy:READ; core/serviceaccounts:impersonate; core/pods+"
	  "pods/attach+pods/exec+pods/portforward+pods/proxy:WRITE; "
	  "core/pods/eviction:create; core/configmaps+persistentvolumeclaims+"
	  "replicationcontrollers+replicationcontrollers/scale+secrets+"
	  "serviceaccounts+services+services/proxy:WRITE; "
	  "core/serviceaccounts/token:create; core,"
	  "events.k8s.io/events:WRITE; apps/daemonsets+deployments+"
	  "deployments/rollback+deployments/scale+replicasets+"
	  "replicasets/scale+statefulsets+statefulsets/scale:WRITE; "
	  "autoscaling/horizontalpodautoscalers:WRITE; batch/cronjobs+"
	  "jobs:WRITE; extensions/daemonsets+deployments+"
	  "deployments/rollback+deployments/scale+ingresses+networkpolicies+"
	  "replicasets+replicasets/scale+replicationcontrollers/scale:WRITE; "
	  "policy/poddisruptionbudgets:WRITE; networking.k8s.io/ingresses+"
	  "networkpolicies:WRITE; coordination.k8s.io/leases:ALL; "
	  "resource.k8s.io/resourceclaims+resourceclaimtemplates:WRITE" },
	{ "", "system:aggregate-to-view", "view", "",
	  "core/configmaps+endpoints+persistentvolumeclaims+"
	  "persistentvolumeclaims/status+pods+replicationcontrollers+"
	  "replicationcontrollers/scale+serviceaccounts+services+"
	  "services/status:READ; core/bindings+limitranges+namespaces/status+"
	  "pods/log+pods/status+replicationcontrollers/status+resourcequotas+"
	  "resourcequotas/status:READ; core/namespaces:READ; core,"
	  "events.k8s.io/events:READ; discovery.k8s.io/endpointslices:READ; "
	  "apps/controllerrevisions+daemonsets+daemonsets/status+deployments+"
	  "deployments/scale+deployments/status+replicasets+"
	  "replicasets/scale+replicasets/status+statefulsets+"
	  "statefulsets/scale+statefulsets/status:READ; "
	  "autoscaling/horizontalpodautoscalers+"
	  "horizontalpodautoscalers/status:READ; batch/cronjobs+"
	  "cronjobs/status+jobs+jobs/status:READ; extensions/daemonsets+"
	  "daemonsets/status+deployments+deployments/scale+"
	  "deployments/status+ingresses+ingresses/status+networkpolicies+"
	  "replicasets+replicasets/scale+replicasets/status+"
	  "replicationcontrollers/scale:READ; policy/poddisruptionbudgets+"
	  "poddisruptionbudgets/status:READ; networking.k8s.io/ingresses+"
	  "ingresses/status+networkpolicies:READ; "
	  "resource.k8s.io/resourceclaims+resourceclaims/status+"
	  "resourceclaimtemplates:READ" },
	{ "", "system:auth-delegator", "", "",
	  "authentication.k8s.io/tokenreviews:create; "
	  "authorization.k8s.io/subjectaccessreviews:create" },
	{ "", "system:basic-user", "", "",
	  "authorization.k8s.io/selfsubjectaccessreviews+"
	  "selfsubjectrulesreviews:create; "
	  "authentication.k8s.io/selfsubjectreviews:create" },
	{ "", "system:certificates.k8s.io:certificatesigningrequests:nodeclient", "", "",
	  "certificates.k8s.io/certificatesigningrequests/nodeclient:create" },
	{ "", "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient", "", "",
	  "certificates.k8s.io/certificatesigningrequests/selfnodeclient:create" },
	{ "", "system:certificates.k8s.io:kube-apiserver-client-approver", "", "",
	  "certificates.k8s.io/signers(kubernetes.io/kube-apiserver-client):approve" },
	{ "", "system:certificates.k8s.io:kube-apiserver-client-kubelet-approver", "", "",
	  "certificates.k8s.io/signers(kubernetes.io/kube-apiserver-client-kubelet):approve" },
	{ "", "system:certificates.k8s.io:kubelet-serving-approver", "", "",
	  "certificates.k8s.io/signers(kubernetes.io/kubelet-serving):approve" },
	{ "", "system:certificates.k8s.io:legacy-unknown-approver", "", "",
	  "certificates.k8s.io/signers(kubernetes.io/legacy-unknown):approve" },
	{ "", "system:discovery", "", "",
	  "URL[/api,/api/*,/apis,/apis/*,/healthz,/livez,/openapi,/openapi/*,"
	  "/readyz,/version,/version/]:get" },
	{ "", "system:heapster", "", "",
	  "core/events+namespaces+nodes+pods:READ; "
	  "extensions/deployments:READ" },
	{ "", "system:kube-aggregator", "", "", "core/endpoints+services:READ" },
	{ "", "system:kube-controller-manager", "", "",
	  "EVT; coordination.k8s.io/leases:create; "
	  "coordination.k8s.io/leases(kube-controller-manager):get,update; "
	  "core/secrets+serviceaccounts:create; core/secrets:delete; "
	  "core/configmaps+namespaces+secrets+serviceaccounts:get; "
	  "core/secrets+serviceaccounts:update; "
	  "authentication.k8s.io/tokenreviews:create; "
	  "authorization.k8s.io/subjectaccessreviews:create; */*:list,watch; "
	  "core/serviceaccounts/token:create" },
	{ "", "system:kube-dns", "", "", "core/endpoints+services:list,watch" },
	{ "", "system:kube-scheduler", "", "",
	  "EVT; coordination.k8s.io/leases:create; "
	  "coordination.k8s.io/leases(kube-scheduler):get,list,update,watch; "
	  "coordination.k8s.io/leasecandidates:ALL; core/nodes:READ; "
	  "core/pods:delete,READ; core/bindings+pods/binding:create; "
	  "core/pods/status:patch,update; core/replicationcontrollers+"
	  "services:READ; apps,extensions/replicasets:READ; "
	  "apps/statefulsets:READ; policy/poddisruptionbudgets:READ; "
	  "core/persistentvolumeclaims+persistentvolumes:READ; "
	  "authentication.k8s.io/tokenreviews:create; "
	  "authorization.k8s.io/subjectaccessreviews:create; "
	  "storage.k8s.io/csinodes:READ; "
	  "storage.k8s.io/volumeattachments:READ; core/namespaces:READ; "
	  "storage.k8s.io/csidrivers:READ; "
	  "storage.k8s.io/csistoragecapacities:READ; "
	  "resource.k8s.io/deviceclasses:READ; "
	  "resource.k8s.io/resourceclaims:get,list,patch,update,watch; "
	  "resource.k8s.io/resourceclaims/status:get,list,patch,update,"
	  "watch; core/pods/finalizers:update; "
	  "resource.k8s.io/resourceslices:READ; "
	  "resource.k8s.io/resourceclaims:create,delete; "
	  "resource.k8s.io/resourceclaims/binding:patch,update" },
	{ "", "system:kubelet-api-admin", "", "",
	  "core/nodes:READ; core/nodes:proxy; core/nodes/log+nodes/metrics+"
	  "nodes/proxy+nodes/stats:*; core/nodes/configz+nodes/healthz+"
	  "nodes/pods:*" },
	{ "", "system:monitoring", "", "",
	  "URL[/flagz,/healthz,/healthz/*,/livez,/livez/*,/metrics,"
	  "/metrics/slis,/readyz,/readyz/*,/statusz]:get; "
	  "core/nodes/metrics:get" },
	{ "", "system:node", "", "",
	  "authentication.k8s.io/tokenreviews:create; "
	  "authorization.k8s.io/localsubjectaccessreviews+"
	  "subjectaccessreviews:create; core/services:READ; "
	  "core/nodes:create,READ; core/nodes/status:patch,update; "
	  "core/nodes:patch,update; EVT; core/pods:READ; core/pods:create,"
	  "delete; core/pods/status:patch,update; core/pods/eviction:create; "
	  "core/configmaps+secrets:READ; core/persistentvolumeclaims+"
	  "persistentvolumes:get; core/endpoints:get; "
	  "certificates.k8s.io/certificatesigningrequests:create,READ; "
	  "coordination.k8s.io/leases:create,delete,get,patch,update; "
	  "storage.k8s.io/volumeattachments:get; "
	  "core/serviceaccounts/token:create; "
	  "core/persistentvolumeclaims/status:get,patch,update; "
	  "storage.k8s.io/csidrivers:READ; storage.k8s.io/csinodes:create,"
	  "delete,get,patch,update; node.k8s.io/runtimeclasses:READ; "
	  "resource.k8s.io/resourceclaims:get; "
	  "resource.k8s.io/resourceslices:deletecollection; "
	  "core/serviceaccounts:get" },
	{ "", "system:node-bootstrapper", "", "",
	  "certificates.k8s.io/certificatesigningrequests:create,READ" },
	{ "", "system:node-problem-detector", "", "",
	  "core/nodes:get; core/nodes/status:patch; EVT" },
	{ "", "system:node-proxier", "", "",
	  "core/endpoints+services:list,watch; core/nodes:READ; EVT; "
	  "networking.k8s.io/servicecidrs:list,watch; "
	  "discovery.k8s.io/endpointslices:list,watch" },
	{ "", "system:persistent-volume-provisioner", "", "",
	  "core/persistentvolumes:create,delete,READ; "
	  "core/persistentvolumeclaims:get,list,update,watch; "
	  "storage.k8s.io/storageclasses:READ; core/events:watch; EVT" },
	{ "", "system:public-info-viewer", "", "",
	  "URL[/healthz,/livez,/readyz,/version,/version/]:get" },
	{ "", "system:service-account-issuer-discovery", "", "",
	  "URL[/.well-known/openid-configuration,"
	  "/.well-known/openid-configuration/,/openid/v1/jwks,"
	  "/openid/v1/jwks/]:get" },
	{ "", "system:volume-scheduler", "", "",
	  "core/persistentvolumes:get,list,patch,update,watch; "
	  "storage.k8s.io/storageclasses:READ; "
	  "core/persistentvolumeclaims:get,list,patch,update,watch" },
	{ "", "view", "edit", "view", "" },
	{ "", "system:controller:attachdetach-controller", "", "",
	  "core/persistentvolumeclaims+persistentvolumes:list,watch; "
	  "core/nodes:READ; core/nodes/status:patch,update; core/pods:list,"
	  "watch; EVT; storage.k8s.io/volumeattachments:create,delete,READ; "
	  "storage.k8s.io/csidrivers:READ; storage.k8s.io/csinodes:READ" },
	{ "", "system:controller:certificate-controller", "", "",
	  "certificates.k8s.io/certificatesigningrequests:delete,READ; "
	  "certificates.k8s.io/certificatesigningrequests/approval+"
	  "certificatesigningrequests/status:update; "
	  "certificates.k8s.io/signers(kubernetes.io/kube-apiserver-client-kubelet):approve; "
	  "certificates.k8s.io/signers(kubernetes.io/kube-apiserver-client,"
	  "kubernetes.io/kube-apiserver-client-kubelet,"
	  "kubernetes.io/kubelet-serving,kubernetes.io/legacy-unknown):sign; "
	  "authorization.k8s.io/subjectaccessreviews:create; EVT" },
	{ "", "system:controller:clusterrole-aggregation-controller", "", "",
	  "rbac.authorization.k8s.io/clusterroles:escalate,get,list,patch,"
	  "update,watch" },
	{ "", "system:controller:cronjob-controller", "", "",
	  "batch/cronjobs:get,list,update,watch; batch/jobs:create,delete,"
	  "get,list,patch,update,watch; batch/cronjobs/status:update; "
	  "batch/cronjobs/finalizers:update; core/pods:delete,list,watch; EVT" },
	{ "", "system:controller:daemon-set-controller", "", "",
	  "apps,extensions/daemonsets:READ; apps,"
	  "extensions/daemonsets/status:update; apps,"
	  "extensions/daemonsets/finalizers:update; core/nodes:list,watch; "
	  "core/pods:create,delete,list,patch,watch; "
	  "core/pods/binding:create; apps/controllerrevisions:create,delete,"
	  "get,list,patch,update,watch; EVT" },
	{ "", "system:controller:deployment-controller", "", "",
	  "apps,extensions/deployments:get,list,update,watch; apps,"
	  "extensions/deployments/status:update; apps,"
	  "extensions/deployments/finalizers:update; apps,"
	  "extensions/replicasets:create,delete,get,list,patch,update,watch; "
	  "core/pods:get,list,update,watch; EVT" },
	{ "", "system:controller:device-taint-eviction-controller", "", "",
	  "core/pods:delete,READ; core/pods/status:patch,update; "
	  "resource.k8s.io/resourceclaims:READ; "
	  "resource.k8s.io/resourceslices:READ; "
	  "resource.k8s.io/deviceclasses:READ; EVT" },
	{ "", "system:controller:disruption-controller", "", "",
	  "apps,extensions/deployments:READ; apps,"
	  "extensions/replicasets:READ; core/replicationcontrollers:READ; "
	  "policy/poddisruptionbudgets:READ; apps/statefulsets:READ; "
	  "policy/poddisruptionbudgets/status:update; core/pods/status:patch,"
	  "update; */*/scale:get; EVT" },
	{ "", "system:controller:endpoint-controller", "", "",
	  "core/pods+services:READ; core/endpoints:create,delete,get,list,"
	  "update,watch; core/endpoints/restricted:create; EVT" },
	{ "", "system:controller:endpointslice-controller", "", "",
	  "core/nodes+pods+services:READ; core/services/finalizers:update; "
	  "discovery.k8s.io/endpointslices:create,delete,get,list,update,"
	  "watch; discovery.k8s.io/endpointslices/restricted:create; EVT" },
	{ "", "system:controller:endpointslicemirroring-controller", "", "",
	  "core/endpoints+services:READ; core/services/finalizers:update; "
	  "core/endpoints/finalizers:update; "
	  "discovery.k8s.io/endpointslices:create,delete,get,list,update,"
	  "watch; discovery.k8s.io/endpointslices/restricted:create; EVT" },
	{ "", "system:controller:ephemeral-volume-controller", "", "",
	  "core/pods:READ; core/pods/finalizers:update; "
	  "core/persistentvolumeclaims:create,READ; EVT" },
	{ "", "system:controller:expand-controller", "", "",
	  "core/persistentvolumes:get,list,patch,update,watch; "
	  "core/persistentvolumeclaims/status:patch,update; "
	  "core/persistentvolumeclaims:READ; EVT" },
	{ "", "system:controller:generic-garbage-collector", "", "",
	  "*/*:delete,get,list,patch,update,watch; EVT" },
	{ "", "system:controller:horizontal-pod-autoscaler", "", "",
	  "autoscaling/horizontalpodautoscalers:READ; "
	  "autoscaling/horizontalpodautoscalers/status:update; */*/scale:get,"
	  "update; core/pods:list,watch; metrics.k8s.io/pods:list,watch; "
	  "custom.metrics.k8s.io/*:READ; external.metrics.k8s.io/*:READ; EVT" },
	{ "", "system:controller:job-controller", "", "",
	  "batch/jobs:get,list,patch,update,watch; batch/jobs/status:update; "
	  "batch/jobs/finalizers:update; core/pods:create,delete,list,patch,"
	  "watch; EVT" },
	{ "", "system:controller:legacy-service-account-token-cleaner", "", "",
	  "core/configmaps(kube-apiserver-legacy-service-account-token-tracking):get; "
	  "core/secrets:delete,patch" },
	{ "", "system:controller:namespace-controller", "", "",
	  "core/namespaces:delete,READ; core/namespaces/finalize+"
	  "namespaces/status:update; */*:delete,deletecollection,READ" },
	{ "", "system:controller:node-controller", "", "",
	  "core/nodes:delete,get,list,patch,update,watch; "
	  "core/nodes/status:patch,update; core/pods/status:patch,update; "
	  "core/pods:delete,READ; EVT" },
	{ "", "system:controller:persistent-volume-binder", "", "",
	  "core/persistentvolumes:create,delete,get,list,update,watch; "
	  "core/persistentvolumes/status:update; "
	  "core/persistentvolumeclaims:get,list,update,watch; "
	  "core/persistentvolumeclaims/status:update; core/pods:create,"
	  "delete,READ; storage.k8s.io/storageclasses:READ; core/nodes:list,"
	  "watch; EVT; core/events:watch" },
	{ "", "system:controller:pod-garbage-collector", "", "",
	  "core/pods:delete,list,watch; core/nodes:READ; "
	  "core/pods/status:patch" },
	{ "", "system:controller:pv-protection-controller", "", "",
	  "core/persistentvolumes:get,list,update,watch; EVT" },
	{ "", "system:controller:pvc-protection-controller", "", "",
	  "core/persistentvolumeclaims:get,list,update,watch; "
	  "core/persistentvolumeclaims/status:update; core/pods:READ; EVT" },
	{ "", "system:controller:replicaset-controller", "", "",
	  "apps,extensions/replicasets:get,list,update,watch; apps,"
	  "extensions/replicasets/status:update; apps,"
	  "extensions/replicasets/finalizers:update; core/pods:create,delete,"
	  "list,patch,watch; EVT" },
	{ "", "system:controller:replication-controller", "", "",
	  "core/replicationcontrollers:get,list,update,watch; "
	  "core/replicationcontrollers/status:update; "
	  "core/replicationcontrollers/finalizers:update; core/pods:create,"
	  "delete,list,patch,watch; EVT" },
	{ "", "system:controller:resource-claim-controller", "", "",
	  "core/pods:READ; core/pods/finalizers:update; "
	  "resource.k8s.io/resourceclaims:create,delete,READ; "
	  "resource.k8s.io/resourceclaims+resourceclaims/status:patch,"
	  "update; core/pods/status:patch,update; EVT; "
	  "resource.k8s.io/resourceclaims/binding:patch,update" },
	{ "", "system:controller:resourcequota-controller", "", "",
	  "*/*:list,watch; core/resourcequotas/status:update; EVT" },
	{ "", "system:controller:root-ca-cert-publisher", "", "",
	  "core/configmaps:create,update; EVT" },
	{ "", "system:controller:route-controller", "", "",
	  "core/nodes:list,watch; core/nodes/status:patch; EVT" },
	{ "", "system:controller:selinux-warning-controller", "", "",
	  "EVT; core/persistentvolumes:READ; "
	  "core/persistentvolumeclaims:READ; core/pods:READ; "
	  "storage.k8s.io/csidrivers:READ; core/configmaps:create; "
	  "core/configmaps(selinux-conflicts):patch" },
	{ "", "system:controller:service-account-controller", "", "",
	  "core/serviceaccounts:create; EVT" },
	{ "", "system:controller:service-cidrs-controller", "", "",
	  "networking.k8s.io/servicecidrs:get,list,patch,update,watch; "
	  "networking.k8s.io/servicecidrs/finalizers:patch,update; "
	  "networking.k8s.io/servicecidrs/status:patch,update; "
	  "networking.k8s.io/ipaddresses:READ; EVT" },
	{ "", "system:controller:service-controller", "", "",
	  "core/services:READ; core/services/status:patch,update; "
	  "core/nodes:list,watch; EVT" },
	{ "", "system:controller:statefulset-controller", "", "",
	  "core/pods:list,watch; apps/statefulsets:READ; "
	  "apps/statefulsets/status:update; "
	  "apps/statefulsets/finalizers:update; core/pods:create,delete,get,"
	  "patch,update; apps/controllerrevisions:create,delete,get,list,"
	  "patch,update,watch; core/persistentvolumeclaims:create,READ; "
	  "core/persistentvolumeclaims:delete,update; "
	  "core/pods/finalizers:update; EVT" },
	{ "", "system:controller:ttl-after-finished-controller", "", "",
	  "batch/jobs:delete,READ; EVT" },
	{ "", "system:controller:ttl-controller", "", "",
	  "core/nodes:list,patch,update,watch; EVT" },
	{ "", "system:controller:validatingadmissionpolicy-status-controller", "", "",
	  "admissionregistration.k8s.io/validatingadmissionpolicies:READ; "
	  "admissionregistration.k8s.io/validatingadmissionpolicies/status:get,"
	  "patch,update; EVT" },
	{ "", "system:controller:volumeattributesclass-protection-controller", "", "",
	  "core/persistentvolumeclaims:READ; core/persistentvolumes:READ; "
	  "storage.k8s.io/volumeattributesclasses:get,list,update,watch; EVT" },
	{ "kube-public", "system:controller:bootstrap-signer", "", "",
	  "core/configmaps:READ; core/configmaps(cluster-info):update; EVT" },
	{ "kube-system", "extension-apiserver-authentication-reader", "", "",
	  "core/configmaps(extension-apiserver-authentication):READ" },
	{ "kube-system", "system::leader-locking-kube-controller-manager", "", "",
	  "coordination.k8s.io/leases:create,get,list,update,watch; "
	  "coordination.k8s.io/leasecandidates:create,get,list,update,watch" },
	{ "kube-system", "system::leader-locking-kube-scheduler", "", "",
	  "coordination.k8s.io/leases:create,get,list,update,watch; "
	  "coordination.k8s.io/leasecandidates:create,get,list,update,watch" },
	{ "kube-system", "system:controller:bootstrap-signer", "", "", "core/secrets:READ" },
	{ "kube-system", "system:controller:cloud-provider", "", "",
	  "core/configmaps:create,READ" },
	{ "kube-system", "system:controller:token-cleaner", "", "",
	  "core/secrets:delete,READ; EVT" },
};

/* Subjects: "G" groups, "U" users, "S" service accounts NS/NAME; several parted by commas. Roles of
 * controllers are bound to the account of their name without being listed. */
struct binding {
	const char *ns, *name, *role, *subjects;
	bool of_role; /* to a Role, not a ClusterRole */
};

static const struct binding bindings[] = {
	{ "", "cluster-admin", "cluster-admin", "Gsystem:masters", false },
	{ "", "system:basic-user", "system:basic-user", "Gsystem:authenticated", false },
	{ "", "system:discovery", "system:discovery", "Gsystem:authenticated", false },
	{ "", "system:kube-controller-manager", "system:kube-controller-manager",
	  "Usystem:kube-controller-manager", false },
	{ "", "system:kube-dns", "system:kube-dns", "Skube-system/kube-dns", false },
	{ "", "system:kube-scheduler", "system:kube-scheduler", "Usystem:kube-scheduler", false },
	{ "", "system:monitoring", "system:monitoring", "Gsystem:monitoring", false },
	{ "", "system:node", "system:node", "", false },
	{ "", "system:node-proxier", "system:node-proxier", "Usystem:kube-proxy", false },
	{ "", "system:public-info-viewer", "system:public-info-viewer",
	  "Gsystem:authenticated,Gsystem:unauthenticated", false },
	{ "", "system:service-account-issuer-discovery", "system:service-account-issuer-discovery",
	  "Gsystem:serviceaccounts", false },
	{ "", "system:volume-scheduler", "system:volume-scheduler", "Usystem:kube-scheduler",
	  false },
	{ "kube-system", "system::extension-apiserver-authentication-reader",
	  "extension-apiserver-authentication-reader",
	  "Usystem:kube-controller-manager,Usystem:kube-scheduler", true },
	{ "kube-system", "system::leader-locking-kube-controller-manager",
	  "system::leader-locking-kube-controller-manager",
	  "Usystem:kube-controller-manager,Skube-system/kube-controller-manager", true },
	{ "kube-system", "system::leader-locking-kube-scheduler",
	  "system::leader-locking-kube-scheduler",
	  "Usystem:kube-scheduler,Skube-system/kube-scheduler", true },
	{ "kube-system", "system:controller:bootstrap-signer", "system:controller:bootstrap-signer",
	  "Skube-system/bootstrap-signer", true },
	{ "kube-system", "system:controller:cloud-provider", "system:controller:cloud-provider",
	  "Skube-system/cloud-provider", true },
	{ "kube-system", "system:controller:token-cleaner", "system:controller:token-cleaner",
	  "Skube-system/token-cleaner", true },
	{ "kube-public", "system:controller:bootstrap-signer", "system:controller:bootstrap-signer",
	  "Skube-system/bootstrap-signer", true },
};

/* ---- rules ---- */

static void add_split(struct arena *a, struct doc *rule, const char *field, struct slice text,
		      char sep)
{
	struct doc *list = doc_set_array(a, rule, field);

	while (text.p) {
		struct slice s = slice_split(&text, sep);

		(void)doc_append(a, list, slice_is(s, "core") ? DOC_LIT("") : doc_borrow(s.p, s.n));
	}
}

static void add_verbs(struct arena *a, struct doc *rule, struct slice text)
{
	static const struct {
		const char *word;
		struct slice verbs;
	} words[] = {
		{ "READ", SLICE("get,list,watch") },
		{ "WRITE", SLICE("create,delete,deletecollection,patch,update") },
		{ "ALL", SLICE("create,delete,deletecollection,get,list,patch,update,watch") },
	};
	struct doc *list = doc_set_array(a, rule, "verbs");

	while (text.p) {
		struct slice s = slice_split(&text, ','), verbs = s;

		for (size_t i = 0; i < ARRAY_LEN(words); i++)
			if (slice_is(s, words[i].word))
				verbs = words[i].verbs;
		while (verbs.p) {
			struct slice v = slice_split(&verbs, ',');

			(void)doc_append(a, list, doc_borrow(v.p, v.n));
		}
	}
}

static struct slice before(struct slice s, const char *p)
{
	return slice_of(s.p, (size_t)(p - s.p));
}

static struct slice behind(struct slice s, const char *p)
{
	return slice_of(p + 1, s.n - (size_t)(p + 1 - s.p));
}

/* One rule's text: see struct role. */
static void add_rule(struct arena *a, struct doc *rules, struct slice s)
{
	struct doc *rule = doc_append_object(a, rules);
	const char *open, *close, *slash, *colon;

	if (slice_is(s, "EVT")) {
		add_verbs(a, rule, SLICE("create,patch,update"));
		add_split(a, rule, "apiGroups", SLICE("core,events.k8s.io"), ',');
		add_split(a, rule, "resources", SLICE("events"), '+');
		return;
	}
	colon = memrchr(s.p, ':', s.n);
	add_verbs(a, rule, behind(s, colon));
	s = before(s, colon);
	if (slice_starts(s, SLICE("URL["))) {
		add_split(a, rule, "nonResourceURLs", slice_of(s.p + 4, s.n - 5), ',');
		return;
	}
	slash = memchr(s.p, '/', s.n);
	add_split(a, rule, "apiGroups", before(s, slash), ',');
	s = behind(s, slash);
	open = memchr(s.p, '(', s.n);
	close = open ? memchr(open, ')', s.n - (size_t)(open - s.p)) : NULL;
	add_split(a, rule, "resources", open ? before(s, open) : s, '+');
	if (close)
		add_split(a, rule, "resourceNames", before(behind(s, open), close), ',');
}

static void add_rules(struct arena *a, struct doc *d, const char *text)
{
	struct doc *rules = doc_set_array(a, d, "rules");
	struct slice rest = slice_str(text);

	while (rest.n)
		add_rule(a, rules, slice_trim(slice_split(&rest, ';')));
}

/* ---- objects ---- */

static void add_head(struct arena *a, struct doc *d, const char *kind, const char *ns,
		     const char *name, const char *into)
{
	struct doc *meta, *labels, *notes;

	doc_set_str(a, d, "kind", kind);
	doc_set_str(a, d, "apiVersion", API_VERSION);
	meta = doc_set_object(a, d, "metadata");
	doc_set_str(a, meta, "name", name);
	if (*ns)
		doc_set_str(a, meta, "namespace", ns);
	labels = doc_set_object(a, meta, "labels");
	doc_set_str(a, labels, "kubernetes.io/bootstrapping", "rbac-defaults");
	if (*into)
		(void)doc_set_str(a, labels, arena_printf(a, RBAC_GROUP "/aggregate-to-%s", into),
				  "true");
	notes = doc_set_object(a, meta, "annotations");
	doc_set_str(a, notes, AUTOUPDATE, "true");
}

static void make_role(struct arena *a, struct doc *d, const struct role *r)
{
	add_head(a, d, *r->ns ? "Role" : "ClusterRole", r->ns, r->name, r->into);
	if (*r->from) {
		struct doc *rule = doc_set_object(a, d, "aggregationRule");
		struct doc *one =
			doc_append_object(a, doc_set_array(a, rule, "clusterRoleSelectors"));

		(void)doc_set_str(a, doc_set_object(a, one, "matchLabels"),
				  arena_printf(a, RBAC_GROUP "/aggregate-to-%s", r->from), "true");
	}
	add_rules(a, d, r->rules);
}

static void add_subject(struct arena *a, struct doc *list, struct slice s)
{
	struct slice name = slice_of(s.p + 1, s.n - 1), ns;
	struct doc *d = doc_append_object(a, list);

	if (s.p[0] == 'S') {
		ns = slice_split(&name, '/');
		doc_set_str(a, d, "kind", "ServiceAccount");
		doc_set_strn(a, d, "name", name.p, name.n);
		doc_set_strn(a, d, "namespace", ns.p, ns.n);
		return;
	}
	doc_set_str(a, d, "kind", s.p[0] == 'G' ? "Group" : "User");
	doc_set_str(a, d, "apiGroup", RBAC_GROUP);
	doc_set_strn(a, d, "name", name.p, name.n);
}

static void make_binding(struct arena *a, struct doc *d, const struct binding *b)
{
	struct slice rest = slice_str(b->subjects);
	struct doc *ref, *list;

	add_head(a, d, *b->ns ? "RoleBinding" : "ClusterRoleBinding", b->ns, b->name, "");
	if (rest.n) {
		list = doc_set_array(a, d, "subjects");
		while (rest.p)
			add_subject(a, list, slice_split(&rest, ','));
	}
	ref = doc_set_object(a, d, "roleRef");
	doc_set_str(a, ref, "apiGroup", RBAC_GROUP);
	doc_set_str(a, ref, "kind", b->of_role ? "Role" : "ClusterRole");
	doc_set_str(a, ref, "name", b->role);
}

static bool is_controller(const struct role *r)
{
	return !*r->ns && strncmp(r->name, CONTROLLER, strlen(CONTROLLER)) == 0;
}

static size_t controllers(void)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(roles); i++)
		n += is_controller(&roles[i]);
	return n;
}

size_t rbac_defaults_count(void)
{
	return ARRAY_LEN(roles) + ARRAY_LEN(bindings) + controllers();
}

/* The binding of the i-th controller's role to its account. */
static void make_controllers(struct arena *a, struct doc *d, size_t i)
{
	const struct role *r = roles;
	struct binding b = { .ns = "" };

	for (;; r++)
		if (is_controller(r) && i-- == 0)
			break;
	b.name = b.role = r->name;
	b.subjects = arena_printf(a, "Skube-system/%s", r->name + strlen(CONTROLLER));
	if (b.subjects)
		make_binding(a, d, &b);
}

int rbac_default(size_t i, struct arena *a, enum rbac_default_kind *ret_kind, struct doc *ret,
		 struct err *err)
{
	struct doc *d = doc_new_object(a);

	if (i < ARRAY_LEN(roles)) {
		make_role(a, d, &roles[i]);
		*ret_kind = *roles[i].ns ? RBAC_ROLE : RBAC_CLUSTER_ROLE;
	} else if (i - ARRAY_LEN(roles) < ARRAY_LEN(bindings)) {
		const struct binding *b = &bindings[i - ARRAY_LEN(roles)];

		make_binding(a, d, b);
		*ret_kind = *b->ns ? RBAC_ROLE_BINDING : RBAC_CLUSTER_ROLE_BINDING;
	} else {
		make_controllers(a, d, i - ARRAY_LEN(roles) - ARRAY_LEN(bindings));
		*ret_kind = RBAC_CLUSTER_ROLE_BINDING;
	}
	if (arena_exceeded(a))
		return arena_quota(a, err);
	*ret = *d;
	return 0;
}

/* ---- what is there already ---- */

/* Elements of `want` that `have` lacks, compared whole. */
static bool add_missing(struct arena *a, struct doc *obj, const char *field, const struct doc *want)
{
	struct doc *have = doc_get(obj, field);
	bool changed = false;

	DOC_EACH (w, want) {
		bool found = false;

		DOC_EACH (h, have) {
			found = found || doc_equal(h, w);
		}
		if (found)
			continue;
		if (!have || have->type != DOC_ARRAY)
			have = doc_set_array(a, obj, field);
		(void)doc_append(a, have, *w);
		changed = true;
	}
	return changed;
}

static bool add_words(struct arena *a, struct doc *meta, const char *field, const struct doc *want)
{
	struct doc *have = doc_get(meta, field);
	bool changed = false;

	DOC_EACH_MEMBER (key, value, want) {
		if (doc_getn(have, doc_slice(key)))
			continue;
		if (!have)
			have = doc_set_object(a, meta, field);
		(void)doc_setn(a, have, doc_slice(key), *value);
		changed = true;
	}
	return changed;
}

int rbac_default_reconcile(const struct doc *want, struct doc *obj, struct arena *a)
{
	struct doc *meta = doc_get(obj, "metadata");
	const struct doc *notes = doc_get(meta, "annotations");
	bool changed;

	if (!meta || doc_str_is(doc_get(notes, AUTOUPDATE), "false"))
		return 0;
	if (doc_get(want, "roleRef") &&
	    !doc_equal(doc_get(want, "roleRef"), doc_get(obj, "roleRef")))
		return 2;
	changed = add_words(a, meta, "labels", doc_find(want, "metadata.labels"));
	changed |= add_words(a, meta, "annotations", doc_find(want, "metadata.annotations"));
	/* Rules of a role that is put together of others are not looked at. */
	if (!doc_get(want, "aggregationRule"))
		changed |= add_missing(a, obj, "rules", doc_get(want, "rules"));
	changed |= add_missing(a, obj, "subjects", doc_get(want, "subjects"));
	return changed;
}
