/* SPDX-License-Identifier: Apache-2.0 */
/* What a write does to each kind: rows of objects, by area. */
#include "strategy-fix.h"

#include "api/fields.h"
#include "base/hash.h"
#include "crypto/key.h"
#include "crypto/x509.h"

#define SPEC "'selector':{'matchLabels':{'a':'b'}},'template':{'metadata':{'labels':{'a':'b'}},"
#define PODS "'spec':{'containers':[{'name':'c','image':'i'}]}}"
#define META "'metadata':{'name':'x','namespace':'n','uid':'u'"

/* ---- core ---- */

static void core_kinds_begin_and_change_as_upstream_has_it(void **state)
{
	static const struct srow rows[] = {
		{ "v1", "Namespace", "", "{'metadata':{'name':'x'}}", NULL,
		  "spec.finalizers=['kubernetes']\nstatus.phase='Active'\n"
		  "metadata.labels={'kubernetes.io/metadata.name':'x'}\n!" },
		{ "v1", "Namespace", "",
		  "{'metadata':{'name':'x','labels':{'a':'1','z':'2'}},'spec':{'finalizers':"
		  "['a/b','kubernetes']},'status':{'phase':'Terminating'}}",
		  NULL,
		  "spec.finalizers=['a/b','kubernetes']\nstatus.phase='Active'\n"
		  "metadata.labels={'a':'1','kubernetes.io/metadata.name':'x','z':'2'}" },
		{ "v1", "Namespace", "",
		  "{'metadata':{'name':'x'},'spec':{'finalizers':[]},'status':{}}",
		  "{'metadata':{'name':'x'},'spec':{'finalizers':['kubernetes']},'status':{'phase':"
		  "'Terminating'}}",
		  "spec.finalizers=['kubernetes']\nstatus.phase='Terminating'" },
		{ "v1", "Namespace", "finalize",
		  "{'metadata':{'name':'x'},'spec':{},'status':{'phase':'Active'}}",
		  "{'metadata':{'name':'x'},'spec':{'finalizers':['kubernetes']},'status':{'phase':"
		  "'Terminating'}}",
		  "spec.finalizers=\nstatus.phase='Terminating'" },
		{ "v1", "Namespace", "status",
		  "{'metadata':{'name':'x'},'spec':{},'status':{'phase':'Terminating'}}",
		  "{'metadata':{'name':'x'},'spec':{'finalizers':['kubernetes']}}",
		  "spec.finalizers=['kubernetes']\nstatus.phase='Terminating'" },
		{ "v1", "Node", "",
		  "{'metadata':{'name':'x'},'spec':{'configSource':{},'externalID':'e','podCIDRs':"
		  "['10.0.0.1/24']},'status':{'capacity':{'cpu':'2'},'config':{}}}",
		  NULL,
		  "spec.configSource=\nstatus.config=\nstatus.capacity={'cpu':'2'}\n"
		  "!spec.externalID: this field is deprecated, and is unused by Kubernetes\n"
		  "!spec.podCIDRs[0]: CIDR value \"10.0.0.1/24\" is ambiguous in this context "
		  "(should be \"10.0.0.0/24\" or \"10.0.0.1/32\"?)" },
		{ "v1", "Node", "",
		  "{'metadata':{'name':'x','generation':7,'labels':{'a':'b'}},'spec':{'"
		  "configSource':"
		  "{'configMap':{'name':'a','namespace':'b','kubeletConfigKey':'k'}}},'status':{}}",
		  "{'metadata':{'name':'x'},'spec':{'configSource':{}},'status':{'capacity':{'cpu':"
		  "'2'}}}",
		  "metadata.generation=\nmetadata.labels={'a':'b'}\nstatus.capacity={'cpu':'2'}\n"
		  "spec.configSource.configMap.name='a'\n!spec.configSource: the feature is "
		  "removed" },
		{ "v1", "Node", "status",
		  "{'metadata':{'name':'x','labels':{'a':'b'}},'spec':{'unschedulable':true},"
		  "'status':{'phase':'Running','config':{}}}",
		  "{'metadata':{'name':'x'},'spec':{'providerID':'p'}}",
		  "spec={'providerID':'p'}\nstatus.phase='Running'\nstatus.config=\n"
		  "metadata.labels={'a':'b'}\n!" },
		{ "v1", "ResourceQuota", "",
		  "{" META "},'spec':{'hard':{'cpu':'4','limits.cpu':'2','requests.storage':'2Gi',"
		  "'limits.storage':'1Gi'}},'status':{'used':{'cpu':'1'}}}",
		  NULL,
		  "status={}\n!ResourceQuota cpu (4) should be less than limits.cpu (2)\n"
		  "!ResourceQuota requests.storage (2Gi) should be less than limits.storage "
		  "(1Gi)" },
		{ "v1", "ResourceQuota", "status",
		  "{" META "},'spec':{'hard':{'cpu':'9'}},'status':{'used':{'cpu':'1'}}}",
		  "{" META "},'spec':{'hard':{'cpu':'4'}}}",
		  "spec.hard={'cpu':'4'}\nstatus.used={'cpu':'1'}\n!" },
		{ "v1", "PersistentVolume", "",
		  "{'metadata':{'name':'x','annotations':{'volume.beta.kubernetes.io/mount-options'"
		  ":'ro'}},'spec':{'persistentVolumeReclaimPolicy':'Recycle','rbd':{'monitors':['a'"
		  "],'image':'i'},'nodeAffinity':{'required':{'nodeSelectorTerms':[{"
		  "'matchExpressions':[{'key':'beta.kubernetes.io/os','operator':'Exists'}]}]}}},"
		  "'status':{'phase':'Bound'}}",
		  NULL,
		  "status.phase='Pending'\nstatus.lastPhaseTransitionTime=" NOW_TEXT "\n"
		  "!metadata.annotations[volume.beta.kubernetes.io/mount-options]: deprecated "
		  "since "
		  "v1.31; use \"mountOptions\" attribute instead\n"
		  "!spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated.\n"
		  "!spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].key: "
		  "beta.kubernetes.io/os is deprecated since v1.14; use \"kubernetes.io/os\" "
		  "instead\n"
		  "!spec.rbd: deprecated in v1.28, non-functional in v1.31+" },
		{ "v1", "PersistentVolume", "status",
		  "{'metadata':{'name':'x'},'status':{'phase':'Bound'}}",
		  "{'metadata':{'name':'x'},'status':{'phase':'Available',"
		  "'lastPhaseTransitionTime':'2020-01-01T00:00:00Z'}}",
		  "status.phase='Bound'\nstatus.lastPhaseTransitionTime=" NOW_TEXT },
		{ "v1", "PersistentVolume", "status",
		  "{'metadata':{'name':'x'},'status':{'phase':'Bound','reason':'r'}}",
		  "{'metadata':{'name':'x'},'status':{'phase':'Bound',"
		  "'lastPhaseTransitionTime':'2020-01-01T00:00:00Z'}}",
		  "status.reason='r'\nstatus.lastPhaseTransitionTime='2020-01-01T00:00:00Z'" },
		{ "v1", "PersistentVolumeClaim", "",
		  "{" META "},'spec':{'dataSource':{'kind':'PersistentVolumeClaim','name':'o'},"
		  "'resources':{'requests':{'storage':'100m'}}},'status':{'phase':'Bound'}}",
		  NULL,
		  "status.phase='Pending'\n"
		  "spec.dataSourceRef={'apiGroup':null,'kind':'PersistentVolumeClaim','name':'o'}\n"
		  "!spec.resources.requests[storage]: fractional byte value \"100m\" is invalid, "
		  "must be an integer" },
		{ "v1", "PersistentVolumeClaim", "",
		  "{" META "},'spec':{'dataSource':{'apiGroup':'x.io','kind':'Odd','name':'o'}}}",
		  NULL, "spec.dataSource=\nspec.dataSourceRef=" },
		{ "v1", "PersistentVolumeClaim", "",
		  "{" META
		  "},'spec':{'dataSourceRef':{'apiGroup':'x.io','kind':'Odd','name':'o'}}}",
		  NULL, "spec.dataSource={'apiGroup':'x.io','kind':'Odd','name':'o'}" },
		{ "v1", "PersistentVolumeClaim", "",
		  "{" META "},'spec':{'dataSourceRef':{'kind':'Odd','name':'o','namespace':'m'}}}",
		  NULL, "spec.dataSource=\nspec.dataSourceRef=" },
		{ "v1", "PersistentVolumeClaim", "status",
		  "{" META "},'spec':{'volumeName':'v'},'status':{'phase':'Lost'}}",
		  "{" META "},'spec':{'volumeName':'w'}}",
		  "spec.volumeName='w'\nstatus.phase='Lost'" },
		{ "v1", "ServiceAccount", "",
		  "{" META ",'annotations':{'kubernetes.io/enforce-mountable-secrets':'true'}},"
		  "'secrets':[{'name':'s','kind':'Secret','uid':'u'}]}",
		  NULL,
		  "secrets=[{'name':'s'}]\n!deprecated in v1.32+; prefer separate namespaces to "
		  "isolate access to mounted secrets" },
		{ "v1", "ServiceAccount", "",
		  "{" META ",'annotations':{'kubernetes.io/enforce-mountable-secrets':'true'}},"
		  "'secrets':[{'kind':'Secret','name':'t'}]}",
		  "{" META ",'annotations':{'kubernetes.io/enforce-mountable-secrets':'true'}}}",
		  "secrets=[{'name':'t'}]\n!" },
		{ "v1", "Secret", "",
		  "{" META "},'type':'kubernetes.io/tls','data':{'tls.crt':'','tls.key':''}}", NULL,
		  "!tls: failed to find any PEM data in certificate input" },
		{ "v1", "Secret", "", "{" META "},'data':{'a':'Yg=='}}", NULL,
		  "type='Opaque'\nmetadata.generation=\n!" },
		{ "v1", "Endpoints", "",
		  "{" META "},'subsets':[{'addresses':[{'ip':'1.2.3.4'},{'ip':'FE80::1'}]}]}", NULL,
		  "!subsets[0].addresses[1].ip: IPv6 address \"FE80::1\" should be in RFC 5952 "
		  "canonical format (\"fe80::1\")" },
		{ "v1", "Endpoints", "",
		  "{" META
		  ",'labels':{'endpoints.kubernetes.io/managed-by':'endpoint-controller'}},"
		  "'subsets':[{'notReadyAddresses':[{'ip':'FE80::1'}]}]}",
		  NULL, "!" },
		{ "v1", "PodTemplate", "", "{" META "},'template':{" PODS "}", NULL,
		  "metadata.generation=1" },
		{ "v1", "PodTemplate", "",
		  "{" META "},'template':{'metadata':{'labels':{'a':'b'}}," PODS "}",
		  "{" META ",'generation':4},'template':{" PODS "}", "metadata.generation=5" },
		{ "v1", "ReplicationController", "",
		  "{'metadata':{'name':'a.b','namespace':'n'},'spec':{'template':{'metadata':{"
		  "'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i','lifecycle':{"
		  "'stopSignal':'SIGTERM'}}],'schedulingGroup':{'podGroupName':'p'}}}},'status':{"
		  "'replicas':3}}",
		  NULL,
		  "metadata.generation=1\nstatus={'replicas':0}\nspec.selector={'a':'b'}\n"
		  "metadata.labels={'a':'b'}\nspec.template.spec.containers.0.lifecycle=\n"
		  "spec.template.spec.schedulingGroup=\n"
		  "!metadata.name: this is used in Pod names and hostnames, which can result in "
		  "surprising behavior; a DNS label is recommended: [" },
		{ "v1", "ReplicationController", "status",
		  "{" META ",'labels':{'q':'r'}},'spec':{'replicas':7},'status':{'replicas':3}}",
		  "{" META ",'generation':2},'spec':{'replicas':4},'status':{'replicas':1}}",
		  "spec.replicas=4\nstatus.replicas=3\nmetadata.generation=2\n"
		  "metadata.labels={'q':'r'}" },
	};

	sfix_rows(*state, rows, ARRAY_LEN(rows));
}

static const char *base64(struct sfix *x, const struct buf *b)
{
	char *text = arena_alloc(x->a, BASE64_LEN(b->n) + 1);

	assert_non_null(text);
	base64_encode(text, b->p, b->n);
	return text;
}

static void warn_pair(struct sfix *x, const struct buf *cert, const struct buf *key,
		      const char *want)
{
	struct err err = ERR_INIT;
	struct doc *obj;

	sfix_kind(x, "v1", "Secret", "");
	obj = sfix_doc(x,
		       arena_printf(x->a,
				    "{" META "},'type':'kubernetes.io/tls','data':{'tls.crt':'%s',"
				    "'tls.key':'%s'}}",
				    base64(x, cert), base64(x, key)));
	assert_int_equal(sfix_try(x, obj, NULL, &err), 0);
	assert_int_equal(x->c.nwarnings, want != NULL);
	if (want)
		assert_string_equal(x->c.warnings[0], want);
}

static void pairs_of_tls_are_looked_at(void **state)
{
	struct sfix *x = *state;
	CLEANUP(key_unref) struct key *key = NULL, *other = NULL;
	CLEANUP(cert_unref) struct cert *cert = NULL;
	CLEANUP(buf_fini)
	struct buf cert_text = BUF_INIT(65536), key_text = BUF_INIT(65536),
		   other_text = BUF_INIT(65536), odd = BUF_INIT(65536);
	const struct cert_spec spec = { .names.cn = "x", .not_after = NOW, .path_len = -1 };
	struct err err = ERR_INIT;

	assert_int_equal(key_generate(KEY_P256, 0, &key, &err), 0);
	assert_int_equal(key_generate(KEY_P256, 0, &other, &err), 0);
	assert_int_equal(cert_make(&spec, key, NULL, key, &cert, &err), 0);
	assert_int_equal(cert_write_pem(cert, &cert_text, &err), 0);
	assert_int_equal(key_write_pem(key, KEY_PRIVATE_PKCS8, &key_text, &err), 0);
	assert_int_equal(key_write_pem(other, KEY_PRIVATE_PKCS8, &other_text, &err), 0);
	(void)buf_adds(&odd, "-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----\n");
	warn_pair(x, &cert_text, &key_text, NULL);
	warn_pair(x, &cert_text, &other_text, "tls: private key does not match public key");
	warn_pair(x, &key_text, &cert_text,
		  "tls: failed to find certificate PEM data in certificate input, but did find a "
		  "private key; PEM inputs may have been switched");
	warn_pair(x, &cert_text, &cert_text,
		  "tls: found a certificate rather than a key in the PEM for the private key");
	warn_pair(x, &odd, &key_text, "tls: failed to parse certificate");
}

static void addresses_are_read_leniently(void **state)
{
	static const struct {
		const char *text, *want; /* NULL: it is none */
		bool odd;
	} ips[] = {
		{ "1.2.3.4", "1.2.3.4", false },
		{ "01.002.3.4", "1.2.3.4", true },
		{ "::ffff:1.2.3.4", "1.2.3.4", true },
		{ "FD00:0:0::1", "fd00::1", false },
		{ "1.2.3", NULL, false },
		{ "1.2.3.4.5", NULL, false },
		{ "1.2.3.256", NULL, false },
		{ "1..3.4", NULL, false },
		{ "", NULL, false },
		{ ":", NULL, false },
		{ "1.2.3.a", NULL, false },
	};
	static const struct {
		const char *text, *base; /* NULL: it is none */
		unsigned bits;
	} cidrs[] = {
		{ "10.1.2.3/8", "10.0.0.0", 8 },
		{ "10.1.2.3/0", "0.0.0.0", 0 },
		{ "10.1.2.3/32", "10.1.2.3", 32 },
		{ "fd00::ff/124", "fd00::f0", 124 },
		{ "::ffff:10.1.2.3/104", "10.0.0.0", 8 },
		{ "10.1.2.3/33", NULL, 0 },
		{ "10.1.2.3", NULL, 0 },
		{ "10.1.2.3/", NULL, 0 },
		{ "::ffff:10.1.2.3/8", NULL, 0 },
		{ "fd00::/129", NULL, 0 },
		{ "10.1.2.3/a", NULL, 0 },
	};
	char text[STRATEGY_IP_MAX];
	struct strategy_ip ip;
	unsigned bits;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ips); i++) {
		assert_int_equal(strategy_ip_read(slice_str(ips[i].text), &ip),
				 ips[i].want != NULL);
		if (!ips[i].want)
			continue;
		strategy_ip_print(&ip, text);
		assert_string_equal(text, ips[i].want);
		assert_int_equal(ip.odd, ips[i].odd);
	}
	for (size_t i = 0; i < ARRAY_LEN(cidrs); i++) {
		assert_int_equal(strategy_cidr_read(slice_str(cidrs[i].text), &ip, &bits),
				 cidrs[i].base != NULL);
		if (!cidrs[i].base)
			continue;
		assert_int_equal(bits, cidrs[i].bits);
		strategy_ip_mask(&ip, bits);
		strategy_ip_print(&ip, text);
		assert_string_equal(text, cidrs[i].base);
	}
	assert_true(strategy_ip_read(SLICE("10.0.255.250"), &ip));
	strategy_ip_add(&ip, 263);
	strategy_ip_print(&ip, text);
	assert_string_equal(text, "10.1.1.1");
	assert_true(strategy_ip_read(SLICE("fd00::ffff:ffff:ffff:ffff"), &ip));
	strategy_ip_add(&ip, 2);
	strategy_ip_print(&ip, text);
	assert_string_equal(text, "fd00::1");
}

/* ---- apps ---- */

static void workloads_count_their_changes(void **state)
{
#define WORK(image) SPEC "'spec':{'containers':[{'name':'c','image':'" image "'}]}}"
	static const struct srow rows[] = {
		{ "apps/v1", "Deployment", "",
		  "{" META "},'spec':{" WORK("i") "},'status':{"
						  "'replicas':3}}",
		  NULL, "metadata.generation=1\nstatus={}\n!" },
		{ "apps/v1", "Deployment", "", "{" META "},'spec':{" WORK("j") "}}",
		  "{" META ",'generation':3},'spec':{" WORK("i") "},'status':{'replicas':3}}",
		  "metadata.generation=4\nstatus.replicas=3" },
		{ "apps/v1", "Deployment", "",
		  "{" META ",'annotations':{'k':'v'}},'spec':{" WORK("i") "}}",
		  "{" META ",'generation':3},'spec':{" WORK("i") "}}",
		  "metadata.generation=4\nmetadata.annotations={'k':'v'}" },
		{ "apps/v1", "Deployment", "",
		  "{" META ",'labels':{'k':'v'},'generation':9},"
		  "'spec':{" WORK("i") "}}",
		  "{" META ",'generation':3},'spec':{" WORK("i") "}}",
		  "metadata.generation=3\nmetadata.labels={'k':'v'}" },
		{ "apps/v1", "Deployment", "status",
		  "{" META ",'labels':{'k':'v'},"
		  "'annotations':{'k':'v'}},'spec':{" WORK("j") "},'status':{'replicas':1}}",
		  "{" META ",'generation':3,'labels':{'o':'p'}},'spec':{" WORK("i") "}}",
		  "metadata.generation=3\nmetadata.labels={'o':'p'}\nmetadata.annotations={'k':'v'}"
		  "\n"
		  "spec.template.spec.containers.0.image='i'\nstatus.replicas=1\n!" },
		{ "apps/v1", "ReplicaSet", "", "{" META "},'spec':{'replicas':2," WORK("i") "}}",
		  "{" META ",'generation':3},'spec':{" WORK("i") "}}", "metadata.generation=4" },
		{ "apps/v1", "ReplicaSet", "status",
		  "{" META "},'spec':{'replicas':2," WORK("i") "},'status':{'replicas':5}}",
		  "{" META ",'generation':3},'spec':{" WORK("i") "}}",
		  "metadata.generation=3\nspec.replicas=1\nstatus.replicas=5" },
		{ "apps/v1", "StatefulSet", "",
		  "{" META "},'spec':{'serviceName':'s',"
		  "'revisionHistoryLimit':-1,'updateStrategy':{'rollingUpdate':{'maxUnavailable':2}"
		  "},'volumeClaimTemplates':[{'metadata':{'name':'v'},'spec':{'resources':{"
		  "'requests':{'storage':'1500m'}}}}]," WORK("i") "}}",
		  NULL,
		  "metadata.generation=1\nspec.updateStrategy.rollingUpdate.maxUnavailable=\n"
		  "status={'replicas':0,'availableReplicas':0}\n"
		  "!spec.volumeClaimTemplates[0].resources.requests[storage]: fractional byte "
		  "value\n"
		  "!spec.revisionHistoryLimit: a negative value retains all historical revisions" },
		{ "apps/v1", "StatefulSet", "",
		  "{" META "},'spec':{'serviceName':'s',"
		  "'updateStrategy':{'rollingUpdate':{'maxUnavailable':2}}," WORK("i") "}}",
		  "{" META ",'generation':1},'spec':{'serviceName':'s',"
		  "'updateStrategy':{'rollingUpdate':{'maxUnavailable':1}}," WORK("i") "}}",
		  "metadata.generation=2\nspec.updateStrategy.rollingUpdate.maxUnavailable=2" },
		{ "apps/v1", "DaemonSet", "", "{" META "},'spec':{" WORK("i") "}}", NULL,
		  "metadata.generation=1\n"
		  "metadata.annotations={'deprecated.daemonset.template.generation':'1'}" },
		{ "apps/v1", "DaemonSet", "",
		  "{" META ",'annotations':{'a':'b',"
		  "'deprecated.daemonset.template.generation':'5'}},'spec':{" WORK("i") "}}",
		  NULL,
		  "metadata.annotations={'a':'b','deprecated.daemonset.template.generation':'5'}" },
		{ "apps/v1", "DaemonSet", "", "{" META "},'spec':{" WORK("j") "}}",
		  "{" META
		  ",'generation':2,'annotations':{'deprecated.daemonset.template.generation"
		  "':'5'}},'spec':{" WORK("i") "}}",
		  "metadata.generation=3\n"
		  "metadata.annotations={'deprecated.daemonset.template.generation':'6'}" },
		{ "apps/v1", "DaemonSet", "",
		  "{" META "},'spec':{'minReadySeconds':4," WORK("i") "}}",
		  "{" META ",'generation':2,'annotations':{'deprecated.daemonset.template."
		  "generation':'5'}},'spec':{" WORK("i") "}}",
		  "metadata.generation=3\n"
		  "metadata.annotations={'deprecated.daemonset.template.generation':'5'}" },
		{ "apps/v1", "ControllerRevision", "", "{" META "},'revision':2,'data':{'a':1}}",
		  "{" META "},'revision':1,'data':{'a':1}}", "revision=2\nmetadata.generation=" },
	};

	sfix_rows(*state, rows, ARRAY_LEN(rows));
}

/* ---- batch ---- */

static void jobs_choose_their_pods_by_uid(void **state)
{
#define JOB "'template':{'spec':{'restartPolicy':'Never','containers':[{'name':'c','image':'i'}]}}"
	static const struct srow rows[] = {
		{ "batch/v1", "Job", "", "{" META "},'spec':{" JOB "},'status':{'active':2}}", NULL,
		  "metadata.generation=1\nstatus={}\nmetadata.labels={'batch.kubernetes.io/"
		  "controller-uid'"
		  ":'u','batch.kubernetes.io/job-name':'x','controller-uid':'u','job-name':'x'}\n"
		  "spec.selector={'matchLabels':{'batch.kubernetes.io/controller-uid':'u'}}\n"
		  "spec.template.metadata.labels={'batch.kubernetes.io/controller-uid':'u',"
		  "'batch.kubernetes.io/job-name':'x','controller-uid':'u','job-name':'x'}\n!" },
		{ "batch/v1", "Job", "",
		  "{" META "},'spec':{'manualSelector':true,'selector':{"
		  "'matchLabels':{'a':'b'}}," JOB "}}",
		  NULL, "spec.selector={'matchLabels':{'a':'b'}}\nspec.template.metadata={}" },
		{ "batch/v1", "Job", "",
		  "{" META "},'spec':{'selector':{'matchLabels':{"
		  "'batch.kubernetes.io/controller-uid':'o'}}," JOB "}}",
		  NULL, "spec.selector.matchLabels={'batch.kubernetes.io/controller-uid':'o'}" },
		{ "batch/v1", "Job", "",
		  "{" META "},'spec':{'completionMode':'Indexed',"
		  "'completions':100001,'parallelism':10001," JOB "}}",
		  NULL, "!spec: In Indexed Jobs with a number of completions higher than 10^5" },
		{ "batch/v1", "Job", "", "{" META "},'spec':{'parallelism':3," JOB "}}",
		  "{" META ",'generation':1},'spec':{" JOB "},'status':{'active':2}}",
		  "metadata.generation=2\nstatus.active=2\nspec.parallelism=3" },
		{ "batch/v1", "Job", "status",
		  "{" META "},'spec':{'parallelism':3," JOB "},'status':{'active':1}}",
		  "{" META ",'generation':1},'spec':{" JOB "}}",
		  "metadata.generation=1\nstatus.active=1\nspec.parallelism=1" },
		{ "batch/v1", "CronJob", "",
		  "{" META "},'spec':{'schedule':'* * * * *',"
		  "'jobTemplate':{'spec':{" JOB "}}},'status':{'active':[{'name':'j'}]}}",
		  NULL, "metadata.generation=1\nstatus={}\n!" },
		{ "batch/v1", "CronJob", "",
		  "{" META "},'spec':{'schedule':'TZ=UTC * * * * *',"
		  "'jobTemplate':{'spec':{" JOB "}}}}",
		  "{" META ",'generation':2},'spec':{"
		  "'schedule':'* * * * *','jobTemplate':{'spec':{" JOB "}}}}",
		  "metadata.generation=3\n!cannot use TZ or CRON_TZ in spec.spec.schedule, use "
		  "timeZone instead, see https://kubernetes.io/docs/" },
	};

	sfix_rows(*state, rows, ARRAY_LEN(rows));
}

/* ---- the other groups ---- */

static void a_request_for_a_certificate_tells_who_asks(void **state)
{
	static const char *const groups[] = { "system:authenticated", "devs", NULL };
	struct sfix *x = *state;
	struct doc *obj, *extra;
	struct err err = ERR_INIT;

	sfix_kind(x, "certificates.k8s.io/v1", "CertificateSigningRequest", "");
	extra = must_read(x->a, "{\"k\":[\"v\"]}");
	x->c.user = (struct strategy_user){ "jane", "u1", groups, extra };
	obj = sfix_doc(x,
		       "{'metadata':{'name':'x'},'spec':{'request':'Yg==','signerName':'a/b',"
		       "'usages':['any'],'username':'root','uid':'0','groups':['system:masters'],"
		       "'extra':{'a':['b']}},'status':{'conditions':[{'type':'Approved','status':"
		       "'True'}]}}");
	assert_int_equal(sfix_try(x, obj, NULL, &err), 0);
	sfix_canonical(x, "csr", obj);
	assert_true(sfix_facts(x, "csr", obj,
			       "spec.username='jane'\nspec.uid='u1'\n"
			       "spec.groups=['system:authenticated','devs']\n"
			       "spec.extra={'k':['v']}\nstatus={}"));

	x->c.user = (struct strategy_user){ .name = "joe" };
	assert_int_equal(sfix_try(x, obj, NULL, &err), 0);
	assert_true(sfix_facts(x, "csr", obj,
			       "spec.username='joe'\nspec.uid=\nspec.groups=\nspec.extra="));
}

static void kinds_of_other_groups_keep_and_count(void **state)
{
#define CSR "certificates.k8s.io/v1", "CertificateSigningRequest"
#define REQUEST "'spec':{'request':'Yg==','signerName':'a/b','usages':['any']}"
#define APPROVED(at)                                                                             \
	"{'type':'Approved','status':'True','lastUpdateTime':'" at "','lastTransitionTime':'" at \
	"'}"
	static const struct srow rows[] = {
		{ CSR, "",
		  "{'metadata':{'name':'x','labels':{'a':'b'}},'spec':{'request':'YQ==',"
		  "'signerName':'c/d'},'status':{'certificate':'Yg=='}}",
		  "{'metadata':{'name':'x'}," REQUEST "}",
		  "metadata.labels={'a':'b'}\nspec.request='Yg=='\nspec.signerName='a/"
		  "b'\nstatus={}" },
		{ CSR, "approval",
		  "{'metadata':{'name':'x'}," REQUEST ",'status':{'certificate':"
		  "'YQ==','conditions':[{'type':'Approved','status':'True'}]}}",
		  "{'metadata':{'name':'x'}," REQUEST ",'status':{'certificate':'Yg=='}}",
		  "status.certificate='Yg=='\nstatus.conditions=[{'type':'Approved','status':'True'"
		  ","
		  "'lastUpdateTime':" NOW_TEXT ",'lastTransitionTime':" NOW_TEXT "}]" },
		{ CSR, "status",
		  "{'metadata':{'name':'x'}," REQUEST ",'status':{'certificate':"
		  "'YQ==','conditions':[{'type':'Approved','status':'True','reason':'mine'},{'type'"
		  ":"
		  "'Failed','status':'True'}]}}",
		  "{'metadata':{'name':'x'}," REQUEST
		  ",'status':{'conditions':[" APPROVED("2020-01-01T00:00:00Z") "]}}",
		  "status.certificate='YQ=='\nstatus.conditions=[" APPROVED(
			  "2020-01-01T00:00:00Z") ",{'type':'Failed','status':'True',"
						  "'lastUpdateTime':" NOW_TEXT
						  ",'lastTransitionTime':" NOW_TEXT "}]" },
		{ "networking.k8s.io/v1", "Ingress", "",
		  "{" META ",'annotations':{"
		  "'kubernetes.io/ingress.class':'n'}},'spec':{'defaultBackend':{'service':{'name':"
		  "'s','port':{'number':1}}}},'status':{'loadBalancer':{'ingress':[{'ip':'1.1.1.1'"
		  "}]}}}",
		  NULL,
		  "metadata.generation=1\nstatus={'loadBalancer':{}}\n"
		  "!annotation \"kubernetes.io/ingress.class\" is deprecated, please use" },
		{ "networking.k8s.io/v1", "Ingress", "status",
		  "{" META "},'status':{'loadBalancer'"
		  ":{'ingress':[{'ip':'::ffff:1.2.3.4'}]}}}",
		  "{" META ",'generation':2},'spec':{"
		  "'ingressClassName':'c'}}",
		  "metadata.generation=2\nspec.ingressClassName='c'\n"
		  "!status.loadBalancer.ingress[0]: non-standard IP address \"::ffff:1.2.3.4\" is "
		  "invalid: use \"1.2.3.4\"" },
		{ "networking.k8s.io/v1", "IngressClass", "",
		  "{'metadata':{'name':'x'},'spec':{"
		  "'controller':'a/b'}}",
		  "{'metadata':{'name':'x','generation':1},'spec':{"
		  "'controller':'a/c'}}",
		  "metadata.generation=2" },
		{ "networking.k8s.io/v1", "NetworkPolicy", "",
		  "{" META "},'spec':{'podSelector':{}"
		  ",'ingress':[{'from':[{'ipBlock':{'cidr':'010.0.0.0/8','except':['10.1.0.1/16']}"
		  "}]}],'egress':[{'to':[{'ipBlock':{'cidr':'FD00::/64'}}]}]}}",
		  NULL,
		  "metadata.generation=1\n"
		  "!spec.ingress[0].from[0].ipBlock.cidr: non-standard CIDR value \"010.0.0.0/8\" "
		  "is "
		  "invalid: use \"10.0.0.0/8\"\n"
		  "!spec.ingress[0].from[0].ipBlock.except[0]: CIDR value \"10.1.0.1/16\" is "
		  "ambiguous\n"
		  "!spec.egress[0].to[0].ipBlock.cidr: IPv6 CIDR value \"FD00::/64\" should be in "
		  "RFC 5952 canonical format (\"fd00::/64\")" },
		{ "networking.k8s.io/v1", "ServiceCIDR", "",
		  "{'metadata':{'name':'x'},'spec':{"
		  "'cidrs':['10.0.0.0/24']},'status':{'conditions':[]}}",
		  NULL, "metadata.generation=\nstatus={}" },
		{ "networking.k8s.io/v1", "ServiceCIDR", "status",
		  "{'metadata':{'name':'x',"
		  "'labels':{'a':'b'}},'spec':{'cidrs':['10.0.0.0/25']}}",
		  "{'metadata':{'name':'x'"
		  ",'finalizers':['f/g']},'spec':{'cidrs':['10.0.0.0/24']}}",
		  "spec.cidrs=['10.0.0.0/24']\nmetadata={'name':'x','finalizers':['f/g']}" },
		{ "discovery.k8s.io/v1", "EndpointSlice", "",
		  "{" META "},'addressType':'FQDN',"
		  "'endpoints':[{'addresses':['a.b'],'deprecatedTopology':{'kubernetes.io/"
		  "hostname':"
		  "'n1'}}]}",
		  NULL,
		  "metadata.generation=1\nendpoints=[{'addresses':['a.b'],"
		  "'conditions':{}}]\n!spec.addressType: FQDN endpoints are deprecated" },
		{ "discovery.k8s.io/v1", "EndpointSlice", "",
		  "{" META ",'labels':{'a':'b'}},"
		  "'addressType':'IPv4','endpoints':[]}",
		  "{" META ",'generation':1},"
		  "'addressType':'IPv4','endpoints':[]}",
		  "metadata.generation=2" },
		{ "discovery.k8s.io/v1", "EndpointSlice", "",
		  "{" META ",'annotations':{'a':'b'}},"
		  "'addressType':'IPv4','endpoints':[]}",
		  "{" META ",'generation':1},"
		  "'addressType':'IPv4','endpoints':[]}",
		  "metadata.generation=1" },
		{ "policy/v1", "PodDisruptionBudget", "",
		  "{" META "},'spec':{'minAvailable':2},"
		  "'status':{'disruptionsAllowed':9}}",
		  "{" META ",'generation':1},'spec':{"
		  "'minAvailable':1},'status':{'disruptionsAllowed':1}}",
		  "metadata.generation=2\nstatus.disruptionsAllowed=1" },
		{ "autoscaling/v2", "HorizontalPodAutoscaler", "",
		  "{" META "},'spec':{'maxReplicas'"
		  ":3,'scaleTargetRef':{'kind':'Deployment','name':'d'}},'status':{"
		  "'desiredReplicas':9}}",
		  "{" META "},'spec':{'maxReplicas':2,'scaleTargetRef':{"
		  "'kind':'Deployment','name':'d'}},'status':{'desiredReplicas':1}}",
		  "metadata.generation=\nspec.maxReplicas=3\nstatus.desiredReplicas=1" },
		{ "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "",
		  "{'metadata':{'name':'x.static.k8s.io'},'webhooks':[]}",
		  "{'metadata':{'name':"
		  "'x.static.k8s.io','generation':1},'webhooks':[{'name':'a'}]}",
		  "metadata.generation=2\n!metadata.name: names ending with \".static.k8s.io\" are "
		  "reserved for static manifest-based configurations" },
		{ "admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", "status",
		  "{'metadata':{'name':'x','labels':{'a':'b'}},'spec':{},'status':{"
		  "'observedGeneration':1}}",
		  "{'metadata':{'name':'x','generation':1},'spec':{"
		  "'failurePolicy':'Ignore'}}",
		  "metadata.labels=\nspec.failurePolicy='Ignore'\n"
		  "status.observedGeneration=1\nmetadata.generation=1" },
		{ "admissionregistration.k8s.io/v1", "MutatingAdmissionPolicyBinding", "",
		  "{'metadata':{'name':'x'},'spec':{'policyName':'p'}}", NULL,
		  "metadata.generation=1\n!" },
		{ "flowcontrol.apiserver.k8s.io/v1", "FlowSchema", "status",
		  "{'metadata':{'name':"
		  "'x','labels':{'a':'b'},'managedFields':[]},'spec':{},'status':{}}",
		  "{'metadata':{'name':'x','generation':3,'annotations':{'c':'d'}},'spec':{"
		  "'matchingPrecedence':5,'priorityLevelConfiguration':{'name':'p'}}}",
		  "metadata={'name':'x','generation':3,'annotations':{'c':'d'}}\n"
		  "spec.matchingPrecedence=5" },
		{ "flowcontrol.apiserver.k8s.io/v1", "PriorityLevelConfiguration", "",
		  "{'metadata':{'name':'x'},'spec':{'type':'Exempt'},'status':{'conditions':[{"
		  "'type':'a'}]}}",
		  NULL, "metadata.generation=1\nstatus={}" },
		{ "coordination.k8s.io/v1", "Lease", "",
		  "{" META "},'spec':{'holderIdentity':'h',"
		  "'strategy':'S','preferredHolder':'p'}}",
		  NULL, "spec={'holderIdentity':'h'}\nmetadata.generation=" },
		{ "coordination.k8s.io/v1", "Lease", "",
		  "{" META "},'spec':{'strategy':'S',"
		  "'preferredHolder':'p'}}",
		  "{" META "},'spec':{'strategy':'T'}}", "spec={'strategy':'S'}" },
		{ "node.k8s.io/v1", "RuntimeClass", "",
		  "{'metadata':{'name':'x'},'handler':'h',"
		  "'scheduling':{'nodeSelector':{'beta.kubernetes.io/arch':'amd64'}}}",
		  NULL,
		  "!scheduling.nodeSelector: deprecated since v1.14; use \"kubernetes.io/arch\" "
		  "instead" },
		{ "scheduling.k8s.io/v1", "PriorityClass", "",
		  "{'metadata':{'name':'x'},'value':1}", NULL, "metadata.generation=1" },
		{ "scheduling.k8s.io/v1", "PriorityClass", "",
		  "{'metadata':{'name':'x'},'value':1,"
		  "'description':'d'}",
		  "{'metadata':{'name':'x','generation':1},'value':1}", "metadata.generation=1" },
		{ "storage.k8s.io/v1", "CSIDriver", "",
		  "{'metadata':{'name':'x'},'spec':{"
		  "'preventPodSchedulingIfMissing':true,'tokenRequests':[{'audience':'a'}]}}",
		  NULL,
		  "metadata.generation=\nspec.preventPodSchedulingIfMissing=\n"
		  "!spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver" },
		{ "storage.k8s.io/v1", "CSIDriver", "",
		  "{'metadata':{'name':'x'},'spec':{"
		  "'podInfoOnMount':true,'tokenRequests':[{'audience':'a'}]}}",
		  "{'metadata':{'name'"
		  ":'x'},'spec':{'tokenRequests':[{'audience':'a'}]}}",
		  "metadata.generation=1\n!" },
		{ "storage.k8s.io/v1", "CSIStorageCapacity", "",
		  "{" META "},'storageClassName':'s',"
		  "'nodeTopology':{'matchLabels':{'beta.kubernetes.io/arch':'a'}}}",
		  NULL,
		  "!nodeTopology.matchLabels.beta.kubernetes.io/arch: deprecated since v1.14" },
		{ "storage.k8s.io/v1", "StorageClass", "",
		  "{'metadata':{'name':'x'},'provisioner':"
		  "'p','allowedTopologies':[{'matchLabelExpressions':[{'key':"
		  "'failure-domain.beta.kubernetes.io/zone','values':['z']}]}]}",
		  NULL,
		  "!allowedTopologies[0].matchLabelExpressions[0].key: deprecated since v1.17; use "
		  "\"topology.kubernetes.io/zone\" instead" },
		{ "storage.k8s.io/v1", "VolumeAttachment", "status",
		  "{'metadata':{'name':'x',"
		  "'annotations':{'a':'b'}},'spec':{'attacher':'q','nodeName':'n','source':{}},"
		  "'status':{'attached':true}}",
		  "{'metadata':{'name':'x'},'spec':{'attacher':'p',"
		  "'nodeName':'n','source':{}},'status':{'attached':false}}",
		  "metadata={'name':'x'}\nspec.attacher='p'\nstatus.attached=true" },
		{ "resource.k8s.io/v1", "ResourceClaim", "status",
		  "{" META "},'status':{'devices':["
		  "{'driver':'d','pool':'p','device':'a'},{'driver':'d','pool':'p','device':'b'}]}"
		  "}",
		  "{" META
		  "},'status':{'allocation':{'devices':{'results':[{'request':'r','driver':"
		  "'d','pool':'p','device':'a'}]}}}}",
		  "status.devices.0.device='b'\nstatus.devices.1=\nstatus.allocation=" },
		{ "resource.k8s.io/v1", "ResourceSlice", "",
		  "{'metadata':{'name':'x'},'spec':{"
		  "'driver':'Dr.io','nodeName':'n','pool':{'name':'p','resourceSliceCount':1},"
		  "'devices':[{'name':'d','attributes':{'a':{'ints':[1]},'b':{'int':2}}}]}}",
		  NULL,
		  "metadata.generation=1\nspec.devices.0.attributes={'a':{},'b':{'int':2}}\n"
		  "!spec.driver: driver names should be lowercase; \"Dr.io\" contains uppercase "
		  "characters" },
		{ "resource.k8s.io/v1", "DeviceClass", "", "{'metadata':{'name':'x'},'spec':{}}",
		  "{'metadata':{'name':'x','generation':2},'spec':{'selectors':[{'cel':{'"
		  "expression'"
		  ":'true'}}]}}",
		  "metadata.generation=3" },
		{ "rbac.authorization.k8s.io/v1", "ClusterRole", "",
		  "{'metadata':{'name':'x'},"
		  "'rules':[]}",
		  NULL, "metadata.generation=\n!" },
	};

	sfix_rows(*state, rows, ARRAY_LEN(rows));
}

/* ---- tables ---- */

static void flags_are_those_of_the_kind(void **state)
{
	static const struct {
		const char *group, *resource;
		unsigned flags;
	} rows[] = {
		{ "", "pods", STRATEGY_GENERATION | STRATEGY_GRACEFUL },
		{ "", "services", STRATEGY_CREATE_ON_UPDATE },
		{ "", "endpoints", STRATEGY_CREATE_ON_UPDATE },
		{ "", "events", STRATEGY_CREATE_ON_UPDATE | STRATEGY_TTL },
		{ "", "limitranges", STRATEGY_CREATE_ON_UPDATE },
		{ "", "configmaps", 0 },
		{ "", "replicationcontrollers", STRATEGY_GENERATION | STRATEGY_ORPHANS },
		{ "batch", "jobs", STRATEGY_GENERATION | STRATEGY_ORPHANS },
		{ "coordination.k8s.io", "leases",
		  STRATEGY_CREATE_ON_UPDATE | STRATEGY_NEEDS_REVISION },
		{ "node.k8s.io", "runtimeclasses",
		  STRATEGY_CREATE_ON_UPDATE | STRATEGY_NEEDS_REVISION },
		{ "policy", "poddisruptionbudgets", STRATEGY_GENERATION | STRATEGY_NEEDS_REVISION },
		{ "storage.k8s.io", "csinodes", STRATEGY_NEEDS_REVISION },
		{ "storage.k8s.io", "volumeattachments", STRATEGY_NEEDS_REVISION },
		{ "rbac.authorization.k8s.io", "roles", STRATEGY_CREATE_ON_UPDATE },
		{ "apps", "nothing", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct strategy *s = strategy_find(rows[i].group, rows[i].resource);

		assert_non_null(s);
		assert_int_equal(s->flags & 0xffff, rows[i].flags);
	}
}

/* Every row is of a resource that is served. */
static void rows_are_of_kinds_that_there_are(void **state)
{
	static const struct strategy *const tables[] = { strategy_core,	   strategy_pod,
							 strategy_service, strategy_apps,
							 strategy_batch,   strategy_rest };
	struct sfix *x = *state;

	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		for (const struct strategy *s = tables[i]; s->resource; s++) {
			bool found = false;

			for (size_t k = 0; k < x->api.nkinds; k++)
				found = found ||
					(x->api.kinds[k].resource &&
					 strcmp(x->api.kinds[k].resource, s->resource) == 0 &&
					 strcmp(x->api.kinds[k].group->group, s->group) == 0);
			if (!found)
				fail_msg("%s/%s", s->group, s->resource);
		}
}

static void deprecated_kinds_are_told(void **state)
{
	struct sfix *x = *state;

	assert_string_equal(strategy_deprecated(api_kind(&x->api, "v1", "Endpoints")),
			    "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 "
			    "EndpointSlice");
	assert_string_equal(strategy_deprecated(api_kind(&x->api, "v1", "ComponentStatus")),
			    "v1 ComponentStatus is deprecated in v1.19+");
	assert_null(strategy_deprecated(api_kind(&x->api, "v1", "Pod")));
	assert_null(strategy_deprecated(api_kind(&x->api, "apps/v1", "Deployment")));
}

static void writes_reset_what_they_cannot_set(void **state)
{
	static const struct {
		const char *version, *kind, *sub, *reset, *only;
	} rows[] = {
		{ "v1", "Pod", "", "{'f:status':{}}", NULL },
		{ "v1", "Pod", "status",
		  "{'f:metadata':{'f:deletionTimestamp':{},'f:ownerReferences':{}},'f:spec':{}}",
		  NULL },
		{ "v1", "Pod", "ephemeralcontainers", NULL,
		  "{'f:spec':{'f:ephemeralContainers':{}}}" },
		{ "v1", "Pod", "resize", NULL,
		  "{'f:spec':{'f:containers':{'*':{'f:resizePolicy':{},'f:resources':{}}},"
		  "'f:initContainers':{'*':{'f:resizePolicy':{},'f:resources':{}}}}}" },
		{ "v1", "Namespace", "finalize", "{'f:status':{}}", NULL },
		{ "v1", "Node", "status", "{'f:spec':{}}", NULL },
		{ "apps/v1", "Deployment", "status", "{'f:metadata':{'f:labels':{}},'f:spec':{}}",
		  NULL },
		{ "certificates.k8s.io/v1", "CertificateSigningRequest", "approval",
		  "{'f:spec':{},'f:status':{'f:certificate':{}}}", NULL },
		{ "storage.k8s.io/v1", "VolumeAttachment", "status",
		  "{'f:metadata':{},'f:spec':{}}", NULL },
		{ "v1", "ConfigMap", "", NULL, NULL },
		{ "apps/v1", "Deployment", "scale", NULL, NULL },
	};
	struct sfix *x = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct doc reset = doc_null(), only = doc_null(), canonical;
		struct err err = ERR_INIT;
		bool any;

		sfix_kind(x, rows[i].version, rows[i].kind, "");
		any = strategy_reset_fields(&x->objects, rows[i].sub, x->a, &reset, &only);
		assert_int_equal(any, rows[i].reset || rows[i].only);
		assert_string_equal(written(x->a, &reset, NULL),
				    rows[i].reset ? sfix_quoted(x, rows[i].reset) : "null");
		assert_string_equal(written(x->a, &only, NULL),
				    rows[i].only ? sfix_quoted(x, rows[i].only) : "null");
		if (!rows[i].reset)
			continue;
		assert_int_equal(fields_read(&reset, x->a, &canonical, &err), 0);
		assert_true(fields_equal(&reset, &canonical));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCASE(core_kinds_begin_and_change_as_upstream_has_it),
		SCASE(pairs_of_tls_are_looked_at),
		SCASE(addresses_are_read_leniently),
		SCASE(workloads_count_their_changes),
		SCASE(jobs_choose_their_pods_by_uid),
		SCASE(a_request_for_a_certificate_tells_who_asks),
		SCASE(kinds_of_other_groups_keep_and_count),
		SCASE(flags_are_those_of_the_kind),
		SCASE(rows_are_of_kinds_that_there_are),
		SCASE(deprecated_kinds_are_told),
		SCASE(writes_reset_what_they_cannot_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
