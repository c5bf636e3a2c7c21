/* SPDX-License-Identifier: Apache-2.0 */
/* Plugins that ask what the writer may do: certificates, owners; and the accounts of pods. */
#include "admission-fix.h"

#include "apiserver/auth/authz.h"
#include "apiserver/auth/rbac.h"
#include "base/hash.h"
#include "crypto/key.h"
#include "crypto/x509.h"

#define CSRS "/apis/certificates.k8s.io/v1/certificatesigningrequests"

static const struct doc *read_text(struct rfix *x, const char *text)
{
	const struct json_options copy = { .copy = true };
	struct err err = ERR_INIT;
	struct doc *d;

	if (json_read(x->a, slice_str(quoted(text)), &copy, &d, &err) < 0)
		fail_msg("%s", err.msg);
	return d;
}

/* The user "plain" may write these, and what `more` says. */
static struct rbac *rights(struct rfix *x, struct authz *z, const char *more)
{
	struct rbac *r = rbac_new();
	struct err err = ERR_INIT;
	char text[2048];

	snprintf(text, sizeof(text),
		 "{'kind':'ClusterRole','metadata':{'name':'r'},'rules':[{'apiGroups':['*'],"
		 "'resources':['configmaps','certificatesigningrequests',"
		 "'certificatesigningrequests/approval','certificatesigningrequests/status'],"
		 "'verbs':['create','update','patch','get']}%s]}",
		 more);
	if (rbac_set_role(r, read_text(x, text), &err) < 0 ||
	    rbac_set_binding(r,
			     read_text(x, "{'kind':'ClusterRoleBinding','metadata':{'name':'b'},"
					  "'roleRef':{'kind':'ClusterRole','name':'r'},'subjects':["
					  "{'kind':'User','name':'plain'}]}"),
			     &err) < 0)
		fail_msg("%s", err.msg);
	*z = (struct authz){ .rbac = r };
	x->conf.authz = z;
	return r;
}

static void reopen(struct rfix *x, const char *enable)
{
	afix_open(x, enable, NULL);
}

static void plain(struct rfix *x, const char *method, const char *path, const char *body)
{
	(void)ask(x, method, path,
		  strcmp(method, "PATCH") == 0 ? PLAIN
			  "Content-Type: application/merge-patch+json\r\n"
					       : PLAIN JSON,
		  quoted(body));
}

/* A request for a certificate of this organisation. */
static const char *request(const char *name, const char *signer, const char *organisation)
{
	static char body[8192];
	const char *const o[] = { organisation };
	const struct cert_names names = { .cn = "jo", .o = { o, 1 } };
	CLEANUP(key_unref) struct key *k = NULL;
	CLEANUP(buf_fini) struct buf pem = BUF_INIT(8192);
	struct err err = ERR_INIT;
	char text[6000];

	if (key_generate(KEY_P256, 256, &k, &err) < 0 || csr_make(&names, k, &pem, &err) < 0)
		fail_msg("%s", err.msg);
	assert_true(BASE64_LEN(pem.n) < sizeof(text));
	base64_encode(text, pem.p, pem.n);
	snprintf(body, sizeof(body),
		 "{'apiVersion':'certificates.k8s.io/v1','kind':'CertificateSigningRequest',"
		 "'metadata':{'name':'%s'},'spec':{'request':'%s','signerName':'%s','usages':["
		 "'client auth','digital signature']}}",
		 name, text, signer);
	return body;
}

static void the_apis_signer_signs_no_masters(void **state)
{
	struct rfix *x = *state;

	apost(x, CSRS, request("a", "kubernetes.io/kube-apiserver-client", "system:masters"), 403);
	arefused(x, "certificatesigningrequests.certificates.k8s.io \"a\" is forbidden: use of "
		    "kubernetes.io/kube-apiserver-client signer with system:masters group is not "
		    "allowed");
	apost(x, CSRS, request("a", "kubernetes.io/kube-apiserver-client", "devs"), 201);
	apost(x, CSRS, request("b", "example.com/mine", "system:masters"), 201);
}

#define APPROVE                                                                               \
	"{'status':{'conditions':[{'type':'Approved','status':'True','reason':'r','message':" \
	"'m'}]}}"

static void approving_and_signing_need_their_rights(void **state)
{
	struct rfix *x = *state;
	struct authz z;
	struct rbac *r = rights(x, &z, "");

	reopen(x, NULL);
	plain(x, "POST", CSRS, request("a", "example.com/mine", "devs"));
	assert_code(x, 201);
	plain(x, "PATCH", CSRS "/a/approval", APPROVE);
	arefused(x, "user not permitted to approve requests with signerName \"example.com/mine\"");
	rbac_free(r);
	r = rights(x, &z,
		   ",{'apiGroups':['certificates.k8s.io'],'resources':['signers'],"
		   "'resourceNames':['example.com/*'],'verbs':['approve']}");
	reopen(x, NULL);
	plain(x, "PATCH", CSRS "/a/approval", APPROVE);
	assert_code(x, 200);
	plain(x, "PATCH", CSRS "/a/status",
	      "{'status':{'conditions':[{'type':'Approved','status':'True','reason':'r','message':"
	      "'m'},{'type':'Failed','status':'True','reason':'r','message':'m'}]}}");
	arefused(x, "user not permitted to sign requests with signerName \"example.com/mine\"");
	rbac_free(r);
	r = rights(x, &z,
		   ",{'apiGroups':['certificates.k8s.io'],'resources':['signers'],"
		   "'resourceNames':['example.com/mine'],'verbs':['sign']}");
	reopen(x, NULL);
	plain(x, "PATCH", CSRS "/a/status",
	      "{'status':{'conditions':[{'type':'Approved','status':'True','reason':'r','message':"
	      "'m'},{'type':'Failed','status':'True','reason':'r','message':'m'}]}}");
	assert_code(x, 200);
	x->conf.authz = NULL;
	rbac_free(r);
}

#define MAPS "/api/v1/namespaces/n1/configmaps"
#define OWNED(name, kind, blocks)                                         \
	"{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'" name \
	"','ownerReferences':[{'apiVersion':'v1','kind':'" kind           \
	"','name':'o','uid':'1','blockOwnerDeletion':" blocks "}]}}"

static void owners_are_given_by_who_may(void **state)
{
	struct rfix *x = *state;
	struct authz z;
	struct rbac *r = rights(x, &z, "");

	reopen(x, "OwnerReferencesPermissionEnforcement");
	plain(x, "POST", MAPS, OWNED("a", "Secret", "false"));
	assert_code(x, 201);
	plain(x, "POST", MAPS, OWNED("b", "Secret", "true"));
	arefused(x, "cannot set blockOwnerDeletion if an ownerReference refers to a resource you "
		    "can't set finalizers on");
	plain(x, "POST", MAPS, OWNED("b", "Nothing", "true"));
	arefused(x, "cannot find RESTMapping for APIVersion v1 Kind Nothing");
	plain(x, "PATCH", MAPS "/a", "{'metadata':{'ownerReferences':null}}");
	arefused(x, "cannot set an ownerRef on a resource you can't delete");
	plain(x, "PATCH", MAPS "/a", "{'data':{'a':'b'}}");
	assert_code(x, 200);
	apost(x, MAPS, OWNED("c", "Nothing", "true"), 201);
	rbac_free(r);
	r = rights(x, &z,
		   ",{'apiGroups':[''],'resources':['secrets/finalizers'],'verbs':['update']},{"
		   "'apiGroups':[''],'resources':['configmaps'],'verbs':['delete']}");
	reopen(x, "OwnerReferencesPermissionEnforcement");
	plain(x, "POST", MAPS, OWNED("b", "Secret", "true"));
	assert_code(x, 201);
	plain(x, "PATCH", MAPS "/a", "{'metadata':{'ownerReferences':null}}");
	assert_code(x, 200);
	x->conf.authz = NULL;
	rbac_free(r);
}

/* ---- ServiceAccount ---- */

#define ACCOUNTS "/api/v1/namespaces/n1/serviceaccounts"
#define ACCOUNT(name, meta, more) \
	"{'apiVersion':'v1','kind':'ServiceAccount','metadata':{'name':'" name "'" meta "}" more "}"

static void pods_run_as_an_account(void **state)
{
	struct rfix *x = *state;

	reopen(x, "ServiceAccount");
	apost(x, PODS, APOD("a", C1), 403);
	arefused(x, "pods \"a\" is forbidden: error looking up service account n1/default: "
		    "serviceaccount \"default\" not found");
	apost(x, ACCOUNTS, ACCOUNT("default", "", ",'imagePullSecrets':[{'name':'p'}]"), 201);
	apost(x, PODS, APOD("a", "'initContainers':[{'name':'j','image':'i'}]," C1), 201);
	ahas(x, "'serviceAccountName':'default','serviceAccount':'default'");
	ahas(x, "'imagePullSecrets':[{'name':'p'}]");
	ahas(x, "'projected':{'sources':[{'serviceAccountToken':{'expirationSeconds':3607,'path':"
		"'token'}},{'configMap':{'name':'kube-root-ca.crt','items':[{'key':'ca.crt',"
		"'path':'ca.crt'}]}},{'downwardAPI':{'items':[{'path':'namespace','fieldRef':{"
		"'apiVersion':'v1','fieldPath':'metadata.namespace'}}]}}],'defaultMode':420}");
	ahas(x, "'readOnly':true,'mountPath':'/var/run/secrets/kubernetes.io/serviceaccount'");
	assert_true(strncmp(answer_text(x, "spec.volumes.0.name"), "kube-api-access-", 16) == 0);
	apost(x, PODS, APOD("b", C1 ",'automountServiceAccountToken':false"), 201);
	ahasnt(x, "kube-api-access");
	apost(x, ACCOUNTS, ACCOUNT("shy", "", ",'automountServiceAccountToken':false"), 201);
	apost(x, PODS, APOD("c", C1 ",'serviceAccountName':'shy'"), 201);
	ahasnt(x, "kube-api-access");
	amerge(x, PODS "/c", "{'metadata':{'labels':{'x':'y'}}}", 200);
}

static void accounts_may_name_their_secrets(void **state)
{
	struct rfix *x = *state;

	reopen(x, "ServiceAccount");
	apost(x, ACCOUNTS,
	      ACCOUNT("default",
		      ",'annotations':{'kubernetes.io/enforce-mountable-secrets':'true'}",
		      ",'secrets':[{'name':'mine'}]"),
	      201);
	apost(x, PODS, APOD("a", C1 ",'volumes':[{'name':'v','secret':{'secretName':'other'}}]"),
	      403);
	arefused(x, "volume with secret.secretName=\"other\" is not allowed because service "
		    "account default does not reference that secret");
	apost(x, PODS, APOD("a", C1 ",'volumes':[{'name':'v','secret':{'secretName':'mine'}}]"),
	      201);
	apost(x, PODS,
	      APOD("b", "'containers':[{'name':'c','image':'i','env':[{'name':'E','valueFrom':{"
			"'secretKeyRef':{'name':'o','key':'k'}}}]}]"),
	      403);
	arefused(x, "container c with envVar E referencing secret.secretName=\"o\" is not allowed");
	apost(x, PODS,
	      APOD("b", "'containers':[{'name':'c','image':'i','envFrom':[{'secretRef':{'name':"
			"'o'}}]}]"),
	      403);
	arefused(x, "container c with envFrom referencing secret.secretName=\"o\"");
	apost(x, PODS, APOD("b", C1 ",'imagePullSecrets':[{'name':'o'}]"), 403);
	arefused(x, "imagePullSecrets[0].name=\"o\" is not allowed");
}

/* Whichever kind of container it comes by, and whenever. */
static void cve_2023_2728_and_2024_3177_no_container_has_another_secret(void **state)
{
#define FROM "'envFrom':[{'secretRef':{'name':'theirs'}}]"
#define KEY "'env':[{'name':'E','valueFrom':{'secretKeyRef':{'name':'theirs','key':'k'}}}]"
	static const char *const specs[] = {
		APOD("p", "'containers':[{'name':'c','image':'i'," FROM "}]"),
		APOD("p", "'containers':[{'name':'c','image':'i'," KEY "}]"),
		APOD("p", C1 ",'initContainers':[{'name':'d','image':'i'," FROM "}]"),
		APOD("p", C1 ",'initContainers':[{'name':'d','image':'i'," KEY "}]"),
	};
	static const char *const later[] = {
		"{'spec':{'ephemeralContainers':[{'name':'e','image':'i'," FROM "}]}}",
		"{'spec':{'ephemeralContainers':[{'name':'e','image':'i'," KEY "}]}}",
	};
	struct rfix *x = *state;

	reopen(x, "ServiceAccount");
	apost(x, ACCOUNTS,
	      ACCOUNT("default",
		      ",'annotations':{'kubernetes.io/enforce-mountable-secrets':'true'}",
		      ",'secrets':[{'name':'mine'}]"),
	      201);
	for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
		apost(x, PODS, specs[i], 403);
		ahas(x, "theirs");
	}
	apost(x, PODS, APOD("p", C1), 201);
	for (size_t i = 0; i < ARRAY_LEN(later); i++) {
		amerge(x, PODS "/p/ephemeralcontainers", later[i], 403);
		ahas(x, "ephemeral container e with env");
	}
}

static void mirror_pods_name_nothing(void **state)
{
	struct rfix *x = *state;
#define MIRROR(name, spec)                                          \
	"{'apiVersion':'v1','kind':'Pod','metadata':{'name':'" name \
	"','annotations':{'kubernetes.io/config.mirror':'x'}},'spec':{'nodeName':'w'," spec "}}"

	reopen(x, "ServiceAccount");
	apost(x, PODS, MIRROR("a", C1 ",'serviceAccountName':'s'"), 403);
	arefused(x, "a mirror pod may not reference service accounts");
	apost(x, PODS, MIRROR("a", C1 ",'volumes':[{'name':'v','secret':{'secretName':'s'}}]"),
	      403);
	arefused(x, "a mirror pod may not reference secrets");
	apost(x, PODS, MIRROR("a", C1), 201);
	ahasnt(x, "serviceAccountName");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ACASE(the_apis_signer_signs_no_masters),
		ACASE(approving_and_signing_need_their_rights),
		ACASE(owners_are_given_by_who_may),
		ACASE(pods_run_as_an_account),
		ACASE(accounts_may_name_their_secrets),
		ACASE(cve_2023_2728_and_2024_3177_no_container_has_another_secret),
		ACASE(mirror_pods_name_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
