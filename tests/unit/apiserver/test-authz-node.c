/* SPDX-License-Identifier: Apache-2.0 */
/* What nodes may: the Node authorizer over a living store, and the plugin NodeRestriction. */
#include "authz-fix.h"

#include "base/hash.h"
#include "crypto/key.h"
#include "crypto/x509.h"

#define CORE "/api/v1/namespaces/n1"
#define NODES "/api/v1/nodes"
#define LEASES "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
#define GONE "no relationship found between node 'n1' and this object"

static void make(struct zfix *z, const char *path, const char *body)
{
	assert_may(z, "admin", "POST", path, body, 201);
}

static void make_named(struct zfix *z, const char *resource, const char *kind, const char *name)
{
	char path[256], body[512];

	snprintf(path, sizeof(path), CORE "/%s", resource);
	snprintf(body, sizeof(body), "{'apiVersion':'v1','kind':'%s','metadata':{'name':'%s'}}",
		 kind, name);
	make(z, path, body);
}

static void make_pod(struct zfix *z, const char *name, const char *node, const char *spec)
{
	char body[4096];

	snprintf(body, sizeof(body),
		 "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'%s'},'spec':{'nodeName':'%s'%"
		 "s}}",
		 name, node, spec);
	make(z, CORE "/pods", body);
}

static void make_node(struct zfix *z, const char *name)
{
	char body[256];

	snprintf(body, sizeof(body), "{'apiVersion':'v1','kind':'Node','metadata':{'name':'%s'}}",
		 name);
	make(z, NODES, body);
}

static void remove_pod(struct zfix *z, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), CORE "/pods/%s?gracePeriodSeconds=0", name);
	assert_may(z, "admin", "DELETE", path, NULL, 200);
}

/* ---- the authorizer ---- */

static void nodes_read_what_their_pods_refer_to(void **state)
{
	struct zfix *z = *state;

	make_named(z, "secrets", "Secret", "s1");
	make_named(z, "secrets", "Secret", "s2");
	make_named(z, "secrets", "Secret", "pull");
	make_named(z, "configmaps", "ConfigMap", "c1");
	assert_refused(z, "n1", "GET", CORE "/secrets/s1", NULL, GONE);
	make_pod(
		z, "p", "n1",
		",'imagePullSecrets':[{'name':'pull'}],'containers':[{'name':'c','image':'i','env':"
		"[{'name':'e','valueFrom':{'secretKeyRef':{'name':'s1','key':'k'}}}]}],'volumes':["
		"{'name':'v','projected':{'sources':[{'configMap':{'name':'c1'}}]}}]");
	assert_may(z, "n1", "GET", CORE "/secrets/s1", NULL, 200);
	assert_may(z, "n1", "GET", CORE "/secrets/pull", NULL, 200);
	assert_may(z, "n1", "GET", CORE "/configmaps/c1", NULL, 200);
	assert_may(z, "n1", "GET", CORE "/secrets?fieldSelector=metadata.name%3Ds1", NULL, 200);
	assert_refused(z, "n1", "GET", CORE "/secrets/s2", NULL, GONE);
	assert_refused(z, "n1", "GET", CORE "/secrets", NULL, "No Object name found");
	assert_refused(z, "n1", "DELETE", CORE "/secrets/s1", NULL,
		       "can only read resources of this type");
	assert_refused(z, "n2", "GET", CORE "/secrets/s1", NULL, "node 'n2'");
	assert_refused(z, "poser", "GET", CORE "/secrets/s1", NULL, "cannot get resource");
	assert_refused(z, "nameless", "GET", CORE "/secrets/s1", NULL, "unknown node for user");
	/* Its status changes, what it refers to does not. */
	assert_may(z, "n1", "PATCH", CORE "/pods/p/status", "{'status':{'phase':'Running'}}", 200);
	assert_may(z, "n1", "GET", CORE "/secrets/s1", NULL, 200);
	remove_pod(z, "p");
	assert_refused(z, "n1", "GET", CORE "/secrets/s1", NULL, GONE);
}

static void claims_lead_to_volumes_and_their_secrets(void **state)
{
	struct zfix *z = *state;

	make(z, CORE "/persistentvolumeclaims",
	     "{'apiVersion':'v1','kind':'PersistentVolumeClaim','metadata':{'name':'data'},'spec':{"
	     "'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'1Gi'}}}}");
	make_named(z, "secrets", "Secret", "mount");
	make_named(z, "secrets", "Secret", "attach");
	make_pod(z, "p", "n1",
		 "," C1 ",'volumes':[{'name':'v','persistentVolumeClaim':{'claimName':'data'}}]");
	assert_may(z, "n1", "GET", CORE "/persistentvolumeclaims/data", NULL, 200);
	assert_refused(z, "n1", "GET", CORE "/persistentvolumeclaims", NULL,
		       "can only get individual resources of this type");
	assert_refused(z, "n2", "GET", CORE "/persistentvolumeclaims/data", NULL, "node 'n2'");
	make(z, "/api/v1/persistentvolumes",
	     "{'apiVersion':'v1','kind':'PersistentVolume','metadata':{'name':'pv'},'spec':{"
	     "'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce'],'csi':{'driver':'d',"
	     "'volumeHandle':'h','nodeStageSecretRef':{'name':'mount','namespace':'n1'},"
	     "'controllerPublishSecretRef':{'name':'attach','namespace':'n1'}},'claimRef':{"
	     "'namespace':'n1','name':'data'}}}");
	assert_may(z, "n1", "GET", "/api/v1/persistentvolumes/pv", NULL, 200);
	assert_may(z, "n1", "GET", CORE "/secrets/mount", NULL, 200);
	assert_refused(z, "n1", "GET", CORE "/secrets/attach", NULL, GONE);
	assert_refused(z, "n2", "GET", CORE "/secrets/mount", NULL, "node 'n2'");
	assert_refused(z, "n2", "GET", "/api/v1/persistentvolumes/pv", NULL, "node 'n2'");
	assert_may(z, "n1", "PATCH", CORE "/persistentvolumeclaims/data/status",
		   "{'status':{'capacity':{'storage':'2Gi'}}}", 200);
	assert_refused(z, "n1", "PATCH", CORE "/persistentvolumeclaims/data/status",
		       "{'metadata':{'labels':{'a':'b'}}}",
		       "is not allowed to update fields other than status.quantity");
	assert_may(z, "admin", "DELETE", "/api/v1/persistentvolumes/pv", NULL, 200);
	assert_refused(z, "n1", "GET", CORE "/secrets/mount", NULL, GONE);
}

static void accounts_and_attachments_are_of_their_pods_and_nodes(void **state)
{
	struct zfix *z = *state;

	make_named(z, "serviceaccounts", "ServiceAccount", "robot");
	make_pod(z, "p", "n1", ",'serviceAccountName':'robot'," C1);
	assert_may(z, "n1", "GET", CORE "/serviceaccounts/robot", NULL, 200);
	assert_refused(z, "n2", "GET", CORE "/serviceaccounts/robot", NULL, "node 'n2'");
	assert_refused(z, "n1", "GET", CORE "/serviceaccounts", NULL,
		       "individual service accounts");
	make(z, "/apis/storage.k8s.io/v1/volumeattachments",
	     "{'apiVersion':'storage.k8s.io/v1','kind':'VolumeAttachment','metadata':{'name':'va'},"
	     "'spec':{'attacher':'d','nodeName':'n1','source':{'persistentVolumeName':'pv'}}}");
	assert_may(z, "n1", "GET", "/apis/storage.k8s.io/v1/volumeattachments/va", NULL, 200);
	assert_refused(z, "n2", "GET", "/apis/storage.k8s.io/v1/volumeattachments/va", NULL,
		       "node 'n2'");
}

static void lists_of_pods_are_narrowed_to_the_node(void **state)
{
	struct zfix *z = *state;

	make_pod(z, "mine", "n1", "," C1);
	make_pod(z, "other", "n2", "," C1);
	assert_may(z, "n1", "GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1", NULL, 200);
	assert_hasnt(z->x, "other");
	assert_refused(z, "n1", "GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Dn2", NULL,
		       "can only list/watch pods with spec.nodeName field selector");
	assert_refused(z, "n1", "GET", "/api/v1/pods?fieldSelector=spec.nodeName!%3Dn1", NULL,
		       "spec.nodeName field selector");
	assert_refused(z, "n1", "GET", "/api/v1/pods", NULL, "spec.nodeName field selector");
	assert_refused(z, "n1", "GET", "/api/v1/pods?watch=1", NULL,
		       "spec.nodeName field selector");
	assert_may(z, "n1", "GET", CORE "/pods/mine", NULL, 200);
	assert_refused(z, "n1", "GET", CORE "/pods/other", NULL, GONE);
	assert_refused(z, "n1", "GET", CORE "/pods/other/log", NULL, "cannot get resource");
	assert_refused(z, "n1", "DELETE", "/api/v1/namespaces/n1/pods", NULL, "deletecollection");
	/* The same of a review, which tells of the selector as it stands. */
	assert_may(z, "admin", "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews",
		   "{'apiVersion':'authorization.k8s.io/v1','kind':'SubjectAccessReview','spec':{"
		   "'user':'system:node:n1','groups':['system:nodes'],'resourceAttributes':{'verb':"
		   "'list','resource':'pods','fieldSelector':{'requirements':[{'key':"
		   "'spec.nodeName','operator':'In','values':['n1']}]}}}}",
		   201);
	assert_has(z->x, "\"allowed\":true");
	assert_may(z, "admin", "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews",
		   "{'apiVersion':'authorization.k8s.io/v1','kind':'SubjectAccessReview','spec':{"
		   "'user':'system:node:n1','groups':['system:nodes'],'resourceAttributes':{'verb':"
		   "'list','resource':'pods','fieldSelector':{'rawSelector':'spec.nodeName=n2'}}}}",
		   201);
	assert_has(z->x, "\"allowed\":false");
	assert_has(z->x, "can only list/watch pods");
}

static void a_nodes_own_objects_have_its_name(void **state)
{
	struct zfix *z = *state;

	make_namespace(z->x, "kube-node-lease");
	assert_may(
		z, "n1", "POST", LEASES,
		"{'apiVersion':'coordination.k8s.io/v1','kind':'Lease','metadata':{'name':'n1'}}",
		201);
	assert_refused(z, "n1", "POST", LEASES,
		       "{'apiVersion':'coordination.k8s.io/v1','kind':'Lease','metadata':{'name':"
		       "'n2'}}",
		       "can only access node lease with the same name");
	assert_may(z, "n1", "PATCH", LEASES "/n1", "{'spec':{'leaseDurationSeconds':40}}", 200);
	assert_refused(z, "n2", "PATCH", LEASES "/n1", "{'spec':{'leaseDurationSeconds':1}}",
		       "can only access node lease with the same name as the requesting node");
	assert_refused(z, "n1", "GET", LEASES, NULL, "a node lease");
	assert_refused(z, "n1", "GET", "/apis/coordination.k8s.io/v1/namespaces/n1/leases/n1", NULL,
		       "\"kube-node-lease\" system namespace");
	assert_may(z, "n1", "POST", "/apis/storage.k8s.io/v1/csinodes",
		   "{'apiVersion':'storage.k8s.io/v1','kind':'CSINode','metadata':{'name':'n1'},"
		   "'spec':{'drivers':[]}}",
		   201);
	assert_refused(z, "n2", "GET", "/apis/storage.k8s.io/v1/csinodes/n1", NULL,
		       "can only access CSINode with the same name as the requesting node");
	assert_refused(z, "n2", "POST", "/apis/storage.k8s.io/v1/csinodes",
		       "{'apiVersion':'storage.k8s.io/v1','kind':'CSINode','metadata':{'name':'x'},"
		       "'spec':{'drivers':[]}}",
		       "can only access CSINode with the same name");
}

#define SLICES "/apis/resource.k8s.io/v1/resourceslices"
#define A_SLICE(name, node)                                                                   \
	"{'apiVersion':'resource.k8s.io/v1','kind':'ResourceSlice','metadata':{'name':'" name \
	"'},'spec':{'driver':'d.example.com','nodeName':'" node "','pool':{'name':'p',"       \
	"'generation':1,'resourceSliceCount':1}}}"

static void slices_of_devices_are_their_nodes(void **state)
{
	struct zfix *z = *state;

	assert_may(z, "n1", "POST", SLICES, A_SLICE("a", "n1"), 201);
	assert_refused(z, "n1", "POST", SLICES, A_SLICE("b", "n2"),
		       "can only create ResourceSlice with the same NodeName");
	assert_may(z, "n2", "POST", SLICES, A_SLICE("b", "n2"), 201);
	assert_may(z, "n1", "GET", SLICES "/a", NULL, 200);
	assert_refused(z, "n1", "GET", SLICES "/b", NULL, GONE);
	assert_refused(z, "n1", "GET", SLICES, NULL, "nodeName field selector");
	assert_may(z, "n1", "GET", SLICES "?fieldSelector=spec.nodeName%3Dn1", NULL, 200);
	assert_refused(z, "n1", "DELETE", SLICES "/b", NULL, GONE);
	assert_may(z, "n1", "DELETE", SLICES "?fieldSelector=spec.nodeName%3Dn1", NULL, 200);
	assert_may(z, "admin", "GET", SLICES "/a", NULL, 404);
	assert_may(z, "admin", "GET", SLICES "/b", NULL, 200);
}

static void the_default_role_gives_the_rest(void **state)
{
	struct zfix *z = *state;

	assert_may(z, "n1", "GET", "/api/v1/services", NULL, 200);
	assert_may(z, "n1", "GET", "/apis/node.k8s.io/v1/runtimeclasses", NULL, 200);
	assert_may(z, "n1", "POST", "/api/v1/namespaces/n1/events",
		   "{'apiVersion':'v1','kind':'Event','metadata':{'name':'e'},'involvedObject':{"
		   "'namespace':'n1'},'reason':'r','type':'Normal'}",
		   201);
	assert_refused(z, "n1", "GET", "/apis/apps/v1/deployments", NULL, "cannot list resource");
	assert_refused(z, "n1", "POST", "/api/v1/namespaces/n1/services",
		       "{'apiVersion':'v1','kind':'Service','metadata':{'name':'s'}}",
		       "cannot create resource");
}

/* ---- the plugin ---- */

#define NODE(name, more) "{'apiVersion':'v1','kind':'Node','metadata':{'name':'" name "'" more "}}"

static void a_node_keeps_to_its_own_node(void **state)
{
	struct zfix *z = *state;

	assert_refused(z, "n1", "POST", NODES, NODE("n2", ""),
		       "node \"n1\" is not allowed to modify node \"n2\"");
	assert_refused(z, "n1", "POST", NODES,
		       NODE("n1", ",'labels':{'node-restriction.kubernetes.io/x':'1',"
				  "'a.k8s.io/y':'1','kubernetes.io/os':'linux','mine':'1'}"),
		       "is not allowed to set the following labels: ");
	assert_may(z, "n1", "POST", NODES,
		   NODE("n1", ",'labels':{'kubernetes.io/os':'linux','mine':'1',"
			      "'node.kubernetes.io/instance-type':'big'}"),
		   201);
	make_node(z, "n2");
	assert_may(z, "n1", "GET", NODES "/n1", NULL, 200);
	assert_refused(z, "n1", "GET", NODES "/n2", NULL,
		       "node 'n1' cannot read 'n2', only its own Node object");
	assert_refused(z, "n1", "GET", NODES, NULL, "cannot read all nodes");
	assert_may(z, "n1", "PATCH", NODES "/n1/status", "{'status':{'phase':'Running'}}", 200);
	assert_refused(z, "n1", "PATCH", NODES "/n2/status", "{'status':{'phase':'Running'}}",
		       "is not allowed to modify node \"n2\"");
	assert_may(z, "n1", "PATCH", NODES "/n1", "{'metadata':{'labels':{'mine':'2'}}}", 200);
	assert_refused(z, "n1", "PATCH", NODES "/n1",
		       "{'metadata':{'labels':{'x.node-restriction.kubernetes.io/a':'2'}}}",
		       "is not allowed to modify labels: x.node-restriction.kubernetes.io/a");
	assert_may(z, "admin", "PATCH", NODES "/n1",
		   "{'metadata':{'labels':{'node-restriction.kubernetes.io/a':'2'}}}", 200);
	assert_refused(z, "n1", "PATCH", NODES "/n1",
		       "{'metadata':{'labels':{'node-restriction.kubernetes.io/a':null}}}",
		       "is not allowed to modify labels");
	assert_may(z, "admin", "PATCH", NODES "/n1",
		   "{'spec':{'taints':[{'key':'k','effect':'NoSchedule'}]}}", 200);
	assert_refused(z, "n1", "PATCH", NODES "/n1", "{'spec':{'taints':null}}",
		       "is not allowed to modify taints");
	assert_refused(z, "n1", "PATCH", NODES "/n1",
		       "{'metadata':{'ownerReferences':[{'apiVersion':'v1','kind':'Node','name':"
		       "'x','uid':'u'}]}}",
		       "is not allowed to modify ownerReferences");
	assert_refused(z, "n1", "DELETE", NODES "/n1", NULL, "cannot delete resource");
}

static const char *mirror(const char *name, const char *node, const char *uid, const char *spec)
{
	static char out[4096];

	snprintf(out, sizeof(out),
		 "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'%s','annotations':{"
		 "'kubernetes.io/config.mirror':'h'},'ownerReferences':[{'apiVersion':'v1','kind':"
		 "'Node','name':'%s','uid':'%s','controller':true}]},'spec':{'nodeName':'%s',%s}}",
		 name, node, uid, node, spec);
	return out;
}

static void a_node_makes_only_mirror_pods_of_its_own(void **state)
{
	struct zfix *z = *state;
	char uid[64];

	make_node(z, "n1");
	snprintf(uid, sizeof(uid), "%s", answer_text(z->x, "metadata.uid"));
	assert_refused(z, "n1", "POST", CORE "/pods", APOD("p", "'nodeName':'n1'," C1),
		       "can only create mirror pods");
	assert_refused(z, "n1", "POST", CORE "/pods", mirror("p", "n2", uid, C1),
		       "can only create pods with spec.nodeName set to itself");
	assert_refused(z, "n1", "POST", CORE "/pods", mirror("p", "n1", "other", C1),
		       "node n1 UID mismatch: expected other got ");
	assert_refused(
		z, "n1", "POST", CORE "/pods",
		mirror("p", "n1", uid, C1 ",'volumes':[{'name':'v','secret':{'secretName':'s'}}]"),
		"can not create pods that reference secrets");
	assert_refused(
		z, "n1", "POST", CORE "/pods",
		mirror("p", "n1", uid, C1 ",'volumes':[{'name':'v','configMap':{'name':'s'}}]"),
		"can not create pods that reference configmaps");
	assert_refused(z, "n1", "POST", CORE "/pods",
		       mirror("p", "n1", uid, C1 ",'serviceAccountName':'robot'"),
		       "can not create pods that reference a service account");
	assert_refused(z, "n1", "POST", CORE "/pods",
		       mirror("p", "n1", uid,
			      C1 ",'volumes':[{'name':'v','ephemeral':{'volumeClaimTemplate':{"
				 "'spec':{'accessModes':['ReadWriteOnce'],'resources':{'requests':"
				 "{'storage':'1'}}}}}}]"),
		       "can not create pods that reference persistentvolumeclaims");
	assert_may(z, "n1", "POST", CORE "/pods", mirror("p", "n1", uid, C1), 201);
	assert_refused(z, "n1", "PATCH", CORE "/pods/p", "{'metadata':{'labels':{'a':'b'}}}",
		       "cannot patch resource");
	assert_refused(z, "n1", "PATCH", CORE "/pods/p/status", "{'metadata':{'labels':{'a':'b'}}}",
		       "node \"n1\" can not update labels through pod status");
	make_pod(z, "other", "n2", "," C1);
	assert_refused(z, "n1", "PATCH", CORE "/pods/other/status", "{'status':{'phase':'Failed'}}",
		       "can only update pod status for pods with spec.nodeName set to itself");
	assert_refused(z, "n1", "DELETE", CORE "/pods/other", NULL,
		       "node \"n1\" can only delete pods with spec.nodeName set to itself");
	assert_refused(z, "n1", "POST", CORE "/pods/other/eviction",
		       "{'apiVersion':'policy/v1','kind':'Eviction','metadata':{'name':'other'}}",
		       "node n1 can only evict pods with spec.nodeName set to itself");
	assert_may(z, "n1", "DELETE", CORE "/pods/p?gracePeriodSeconds=0", NULL, 200);
}

/* What a mirror pod names gives its node nothing, should one ever be there. */
static void mirror_pods_give_nothing(void **state)
{
	struct zfix *z = *state;

	make_named(z, "secrets", "Secret", "s1");
	make(z, CORE "/pods",
	     mirror("p", "n1", "u", C1 ",'volumes':[{'name':'v','secret':{'secretName':'s1'}}]"));
	assert_may(z, "n1", "GET", CORE "/pods/p", NULL, 200);
	assert_refused(z, "n1", "GET", CORE "/secrets/s1", NULL, GONE);
}

static const char *certificate(const char *cn)
{
	static char body[8192];
	const char *const o[] = { "system:nodes" };
	const struct cert_names names = { .cn = cn, .o = { o, 1 } };
	CLEANUP(key_unref) struct key *k = NULL;
	CLEANUP(buf_fini) struct buf pem = BUF_INIT(8192);
	struct err err = ERR_INIT;
	char text[6000];

	if (key_generate(KEY_P256, 256, &k, &err) < 0 || csr_make(&names, k, &pem, &err) < 0)
		fail_msg("%s", err.msg);
	base64_encode(text, pem.p, pem.n);
	snprintf(body, sizeof(body),
		 "{'apiVersion':'certificates.k8s.io/v1','kind':'CertificateSigningRequest',"
		 "'metadata':{'name':'c'},'spec':{'request':'%s','signerName':"
		 "'kubernetes.io/kube-apiserver-client-kubelet','usages':['client auth','digital "
		 "signature']}}",
		 text);
	return body;
}

static void a_node_asks_for_certificates_of_its_own_name(void **state)
{
	struct zfix *z = *state;

	assert_refused(z, "n1", "POST", "/apis/certificates.k8s.io/v1/certificatesigningrequests",
		       certificate("system:node:n2"),
		       "can only create a node CSR with CN=system:node:n1");
	assert_may(z, "n1", "POST", "/apis/certificates.k8s.io/v1/certificatesigningrequests",
		   certificate("system:node:n1"), 201);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ZCASE(nodes_read_what_their_pods_refer_to),
		ZCASE(claims_lead_to_volumes_and_their_secrets),
		ZCASE(accounts_and_attachments_are_of_their_pods_and_nodes),
		ZCASE(lists_of_pods_are_narrowed_to_the_node),
		ZCASE(a_nodes_own_objects_have_its_name),
		ZCASE(slices_of_devices_are_their_nodes),
		ZCASE(the_default_role_gives_the_rest),
		ZCASE(a_node_keeps_to_its_own_node),
		ZCASE(a_node_makes_only_mirror_pods_of_its_own),
		ZCASE(mirror_pods_give_nothing),
		ZCASE(a_node_asks_for_certificates_of_its_own_name),
	};

	return cmocka_run_group_tests_name("authz-node", tests, NULL, NULL);
}
