/* SPDX-License-Identifier: Apache-2.0 */
/* Every control of the Pod Security Standards, with pods that have and that have not what it bars.
 */
#include "strategy-fix.h"

#include "apiserver/admission/admission-private.h"

#define B(minor) PODSEC_BASELINE, minor
#define R(minor) PODSEC_RESTRICTED, minor
#define NOW_MINOR PODSEC_LATEST

/* What a container needs at the level restricted. */
#define GOOD                                                                                    \
	"'allowPrivilegeEscalation':false,'capabilities':{'drop':['ALL']},'runAsNonRoot':true," \
	"'seccompProfile':{'type':'RuntimeDefault'}"
#define ONE(security) "{'spec':{'containers':[{'name':'a','securityContext':{" security "}}]}}"
#define BARE(rest) "{'spec':{'containers':[{'name':'a'" rest "}]}}"
#define POD(security) "{'spec':{'securityContext':{" security "},'containers':[{'name':'a'}]}}"
#define SAFE(rest) "{'spec':{'containers':[{'name':'a','securityContext':{" GOOD "}}]" rest "}}"

struct prow {
	enum podsec_level level;
	uint32_t minor;
	const char *pod;
	const char *want; /* details; NULL: nothing is wrong */
};

static bool check_row(struct sfix *x, const struct prow *r)
{
	const struct podsec_policy p = { r->level, r->minor };
	struct buf reasons = BUF_INIT(1u << 20), details = BUF_INIT(1u << 20);
	const struct doc *pod = must_read(x->a, sfix_quoted(x, r->pod));
	int bad = podsec_check(&p, pod, x->a, &reasons, &details);
	const char *want = r->want ? sfix_quoted(x, r->want) : "";
	bool ok = bad == (r->want != NULL) && strcmp(buf_str(&details), want) == 0;

	if (!ok)
		print_error("%s\n have %s\n want %s\n", r->pod, buf_str(&details), want);
	buf_fini(&reasons);
	buf_fini(&details);
	return ok;
}

static void check_rows(struct sfix *x, const struct prow *rows, size_t n)
{
	bool ok = true;

	for (size_t i = 0; i < n; i++)
		ok = check_row(x, &rows[i]) && ok;
	assert_true(ok);
}

static void baseline_bars_what_escapes(void **state)
{
	static const struct prow rows[] = {
		{ B(NOW_MINOR), BARE(""), NULL },
		{ B(0), BARE(""), NULL },
		{ PODSEC_PRIVILEGED, NOW_MINOR, ONE("'privileged':true"), NULL },
		{ B(NOW_MINOR), ONE("'privileged':true"),
		  "privileged (container 'a' must not set securityContext.privileged=true)" },
		{ B(NOW_MINOR), ONE("'privileged':false"), NULL },
		{ B(NOW_MINOR),
		  "{'spec':{'initContainers':[{'name':'i','securityContext':{'privileged':true}}],"
		  "'containers':[{'name':'a'}],'ephemeralContainers':[{'name':'e',"
		  "'securityContext':{'privileged':true}}]}}",
		  "privileged (containers 'i', 'e' must not set securityContext.privileged=true)" },
		{ B(NOW_MINOR), "{'spec':{'hostNetwork':true,'hostPID':true,'hostIPC':true}}",
		  "host namespaces (hostNetwork=true, hostPID=true, hostIPC=true)" },
		{ B(NOW_MINOR), "{'spec':{'hostPID':true}}", "host namespaces (hostPID=true)" },
		{ B(NOW_MINOR), "{'spec':{'hostPID':false}}", NULL },
		{ B(NOW_MINOR),
		  "{'spec':{'volumes':[{'name':'v','hostPath':{'path':'/'}},{'name':'w','emptyDir'"
		  ":{}},{'name':'x','hostPath':{}}]}}",
		  "hostPath volumes (volumes 'v', 'x')" },
		{ B(NOW_MINOR), BARE(",'ports':[{'hostPort':8080},{'hostPort':443},{}]"),
		  "hostPort (container 'a' uses hostPorts 443, 8080)" },
		{ B(NOW_MINOR), BARE(",'ports':[{'containerPort':80,'hostPort':0}]"), NULL },
		{ B(NOW_MINOR),
		  "{'spec':{'containers':[{'name':'a','ports':[{'hostPort':1}]},{'name':'b',"
		  "'ports':[{'hostPort':1}]}]}}",
		  "hostPort (containers 'a', 'b' use hostPort 1)" },
		{ B(NOW_MINOR), POD("'windowsOptions':{'hostProcess':true}"),
		  "hostProcess (pod must not set "
		  "securityContext.windowsOptions.hostProcess=true)" },
		{ B(NOW_MINOR), ONE("'windowsOptions':{'hostProcess':true}"),
		  "hostProcess (container 'a' must not set "
		  "securityContext.windowsOptions.hostProcess=true)" },
		{ B(NOW_MINOR), ONE("'windowsOptions':{}"), NULL },
	};

	check_rows(*state, rows, ARRAY_LEN(rows));
}

static void baseline_bars_capabilities_and_mounts(void **state)
{
	static const struct prow rows[] = {
		{ B(NOW_MINOR), ONE("'capabilities':{'add':['CHOWN','SYS_CHROOT']}"), NULL },
		{ B(NOW_MINOR), ONE("'capabilities':{'add':['SYS_ADMIN','NET_RAW','CHOWN']}"),
		  "non-default capabilities (container 'a' must not include 'NET_RAW', 'SYS_ADMIN' "
		  "in securityContext.capabilities.add)" },
		{ B(NOW_MINOR), ONE("'procMount':'Unmasked'"),
		  "procMount (container 'a' must not set securityContext.procMount to "
		  "'Unmasked')" },
		{ B(NOW_MINOR), ONE("'procMount':'Default'"), NULL },
		{ B(NOW_MINOR),
		  "{'spec':{'hostUsers':false,'containers':[{'name':'a','securityContext':{"
		  "'procMount':'Unmasked'}}]}}",
		  NULL },
		{ B(34),
		  "{'spec':{'hostUsers':false,'containers':[{'name':'a','securityContext':{"
		  "'procMount':'Unmasked'}}]}}",
		  "procMount (container 'a' must not set securityContext.procMount to "
		  "'Unmasked')" },
		{ R(NOW_MINOR),
		  SAFE(",'hostUsers':false,'ephemeralContainers':[{'name':'e','securityContext':{"
		       "'procMount':'Unmasked'," GOOD "}}]"),
		  "procMount (container 'e' must not set securityContext.procMount to "
		  "'Unmasked')" },
		{ B(NOW_MINOR),
		  BARE(",'livenessProbe':{'httpGet':{'host':'h'}},'lifecycle':{"
		       "'preStop':{'tcpSocket':{'host':'::1'}}}"),
		  "probe or lifecycle host (container 'a' uses probe or lifecycle hosts '::1', "
		  "'h')" },
		{ B(33), BARE(",'livenessProbe':{'httpGet':{'host':'h'}}"), NULL },
		{ B(34), BARE(",'startupProbe':{'tcpSocket':{'host':'h'}}"),
		  "probe or lifecycle host (container 'a' uses probe or lifecycle host 'h')" },
		{ B(34), BARE(",'readinessProbe':{'tcpSocket':{'port':1}}"), NULL },
	};

	check_rows(*state, rows, ARRAY_LEN(rows));
}

static void baseline_bars_other_profiles(void **state)
{
#define NOTE(k, v) \
	"{'metadata':{'annotations':{'" k "':'" v "'}},'spec':{'containers':[{'name':'a'}]}}"
#define ARMOR "container.apparmor.security.beta.kubernetes.io/"
	static const struct prow rows[] = {
		{ B(NOW_MINOR), POD("'appArmorProfile':{'type':'Unconfined'}"),
		  "forbidden AppArmor profile (pod must not set AppArmor profile type to "
		  "'Unconfined')" },
		{ B(NOW_MINOR), ONE("'appArmorProfile':{'type':'Localhost'}"), NULL },
		{ B(NOW_MINOR), ONE("'appArmorProfile':{'type':'Unconfined'}"),
		  "forbidden AppArmor profile (container 'a' must not set AppArmor profile type "
		  "to 'Unconfined')" },
		{ B(NOW_MINOR), NOTE(ARMOR "a", "runtime/default"), NULL },
		{ B(NOW_MINOR), NOTE(ARMOR "a", "localhost/x"), NULL },
		{ B(NOW_MINOR), NOTE(ARMOR "a", ""), NULL },
		{ B(NOW_MINOR), NOTE(ARMOR "a", "unconfined"),
		  "forbidden AppArmor profile (annotation must not set AppArmor profile type to "
		  "'" ARMOR "a='unconfined'')" },
		{ B(NOW_MINOR),
		  "{'metadata':{'annotations':{'" ARMOR "b':'x','" ARMOR "a':'y'}},'spec':{"
		  "'securityContext':{'appArmorProfile':{'type':'Unconfined'}}}}",
		  "forbidden AppArmor profiles (pod and annotations must not set AppArmor profile "
		  "type to 'Unconfined', '" ARMOR "a='y'', '" ARMOR "b='x'')" },
		{ B(NOW_MINOR), POD("'seLinuxOptions':{'type':'container_kvm_t','level':'s0'}"),
		  NULL },
		{ B(NOW_MINOR), POD("'seLinuxOptions':{'type':'container_engine_t'}"), NULL },
		{ B(30), POD("'seLinuxOptions':{'type':'container_engine_t'}"),
		  "seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "
		  "'container_engine_t')" },
		{ B(NOW_MINOR), ONE("'seLinuxOptions':{'type':'spc_t','user':'u','role':'r'}"),
		  "seLinuxOptions (container 'a' set forbidden securityContext.seLinuxOptions: "
		  "type 'spc_t'; user may not be set; role may not be set)" },
		{ B(NOW_MINOR), ONE("'seLinuxOptions':{'role':'r'}"),
		  "seLinuxOptions (container 'a' set forbidden securityContext.seLinuxOptions: "
		  "role may not be set)" },
		{ B(NOW_MINOR), POD("'seccompProfile':{'type':'Unconfined'}"),
		  "seccompProfile (pod must not set securityContext.seccompProfile.type to "
		  "'Unconfined')" },
		{ B(NOW_MINOR), ONE("'seccompProfile':{'type':'Localhost'}"), NULL },
		{ B(18), POD("'seccompProfile':{'type':'Unconfined'}"), NULL },
		{ B(18), NOTE("seccomp.security.alpha.kubernetes.io/pod", "unconfined"),
		  "seccompProfile (forbidden annotation "
		  "seccomp.security.alpha.kubernetes.io/pod='unconfined')" },
		{ B(18), NOTE("container.seccomp.security.alpha.kubernetes.io/a", "x"),
		  "seccompProfile (forbidden annotation "
		  "container.seccomp.security.alpha.kubernetes.io/a='x')" },
		{ B(18), NOTE("container.seccomp.security.alpha.kubernetes.io/b", "x"), NULL },
		{ B(18), NOTE("seccomp.security.alpha.kubernetes.io/pod", "docker/default"), NULL },
		{ B(19), NOTE("seccomp.security.alpha.kubernetes.io/pod", "unconfined"), NULL },
	};

	check_rows(*state, rows, ARRAY_LEN(rows));
}

static void safe_sysctls_grew_with_versions(void **state)
{
#define SYSCTL(name) POD("'sysctls':[{'name':'" name "','value':'1'}]")
	static const struct prow rows[] = {
		{ B(0), SYSCTL("net.ipv4.tcp_syncookies"), NULL },
		{ B(26), SYSCTL("net.ipv4.ip_local_reserved_ports"),
		  "forbidden sysctls (net.ipv4.ip_local_reserved_ports)" },
		{ B(27), SYSCTL("net.ipv4.ip_local_reserved_ports"), NULL },
		{ B(28), SYSCTL("net.ipv4.tcp_fin_timeout"),
		  "forbidden sysctls (net.ipv4.tcp_fin_timeout)" },
		{ B(29), SYSCTL("net.ipv4.tcp_fin_timeout"), NULL },
		{ B(31), SYSCTL("net.ipv4.tcp_wmem"), "forbidden sysctls (net.ipv4.tcp_wmem)" },
		{ B(32), SYSCTL("net.ipv4.tcp_wmem"), NULL },
		{ B(NOW_MINOR), POD("'sysctls':[{'name':'b'},{'name':'a'}]"),
		  "forbidden sysctls (b, a)" },
	};

	check_rows(*state, rows, ARRAY_LEN(rows));
}

static void restricted_asks_for_more(void **state)
{
#define ALL_WRONG                                                                            \
	"allowPrivilegeEscalation != false (container 'a' must set "                         \
	"securityContext.allowPrivilegeEscalation=false), unrestricted capabilities "        \
	"(container 'a' must set securityContext.capabilities.drop=['ALL']), runAsNonRoot "  \
	"!= true (pod or container 'a' must set securityContext.runAsNonRoot=true), "        \
	"seccompProfile (pod or container 'a' must set securityContext.seccompProfile.type " \
	"to 'RuntimeDefault' or 'Localhost')"
	static const struct prow rows[] = {
		{ R(NOW_MINOR), SAFE(""), NULL },
		{ R(NOW_MINOR), BARE(""), ALL_WRONG },
		{ R(7), BARE(""),
		  "runAsNonRoot != true (pod or container 'a' must set "
		  "securityContext.runAsNonRoot=true)" },
		{ R(NOW_MINOR), "{'spec':{'os':{'name':'windows'},'containers':[{'name':'a'}]}}",
		  "runAsNonRoot != true (pod or container 'a' must set "
		  "securityContext.runAsNonRoot=true)" },
		{ R(24), "{'spec':{'os':{'name':'windows'},'containers':[{'name':'a'}]}}",
		  ALL_WRONG },
		{ R(NOW_MINOR),
		  ONE("'allowPrivilegeEscalation':false,'runAsNonRoot':true,'seccompProfile':{"
		      "'type':'Localhost'},'capabilities':{'drop':['ALL'],'add':["
		      "'NET_BIND_SERVICE','CHOWN']}"),
		  "unrestricted capabilities (container 'a' must not include 'CHOWN' in "
		  "securityContext.capabilities.add)" },
		{ R(NOW_MINOR),
		  ONE("'allowPrivilegeEscalation':false,'runAsNonRoot':true,'seccompProfile':{"
		      "'type':'Localhost'},'capabilities':{'drop':['KILL'],'add':['CHOWN']}"),
		  "unrestricted capabilities (container 'a' must set "
		  "securityContext.capabilities.drop=['ALL']; container 'a' must not include "
		  "'CHOWN' in securityContext.capabilities.add)" },
		{ R(NOW_MINOR),
		  SAFE(",'volumes':[{'name':'h','hostPath':{}},{'name':'n','nfs':{}},{'name':'c',"
		       "'configMap':{}},{'name':'u'}]"),
		  "restricted volume types (volumes 'h', 'n', 'u' use restricted volume types "
		  "'hostPath', 'nfs', 'unknown')" },
		{ R(NOW_MINOR),
		  SAFE(",'volumes':[{'name':'c','csi':{}},{'name':'d','downwardAPI':{}},{'name':"
		       "'e','emptyDir':{}},{'name':'f','ephemeral':{}},{'name':'g','image':{}},{"
		       "'name':'h','persistentVolumeClaim':{}},{'name':'i','projected':{}},{"
		       "'name':'j','secret':{}}]"),
		  NULL },
		{ R(NOW_MINOR), SAFE(",'securityContext':{'runAsNonRoot':false}"),
		  "runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false)" },
		{ R(NOW_MINOR), SAFE(",'securityContext':{'runAsUser':0}"),
		  "runAsUser=0 (pod must not set runAsUser=0)" },
		{ R(22), SAFE(",'securityContext':{'runAsUser':0}"), NULL },
		{ R(NOW_MINOR), SAFE(",'securityContext':{'runAsUser':1}"), NULL },
		{ R(NOW_MINOR),
		  SAFE(",'hostUsers':false,'securityContext':{'runAsUser':0,"
		       "'runAsNonRoot':false}"),
		  NULL },
		{ R(34), SAFE(",'hostUsers':false,'securityContext':{'runAsUser':0}"),
		  "runAsUser=0 (pod must not set runAsUser=0)" },
		{ R(NOW_MINOR), SAFE(",'securityContext':{'seccompProfile':{'type':'Unconfined'}}"),
		  "seccompProfile (pod must not set securityContext.seccompProfile.type to "
		  "'Unconfined')" },
		{ R(NOW_MINOR), SAFE(",'hostNetwork':true"), "host namespaces (hostNetwork=true)" },
		{ R(21),
		  SAFE(",'initContainers':[{'name':'i','securityContext':{" GOOD
		       ",'capabilities':{'add':['CHOWN']}}}]"),
		  NULL },
	};

	check_rows(*state, rows, ARRAY_LEN(rows));
}

static void policies_print_as_labels_have_them(void **state)
{
	char text[PODSEC_TEXT_MAX];

	(void)state;
	assert_string_equal(podsec_print(&(struct podsec_policy){ R(NOW_MINOR) }, text),
			    "restricted:latest");
	assert_string_equal(podsec_print(&(struct podsec_policy){ B(7) }, text), "baseline:v1.7");
}

/* Reasons alone are what a namespace's survey tells. */
static void reasons_are_told_without_details(void **state)
{
	const struct podsec_policy p = { R(NOW_MINOR) };
	struct buf reasons = BUF_INIT(4096);
	struct sfix *x = *state;

	assert_int_equal(
		podsec_check(&p, must_read(x->a, sfix_quoted(x, BARE(""))), x->a, &reasons, NULL),
		1);
	assert_string_equal(buf_str(&reasons),
			    "allowPrivilegeEscalation != false, unrestricted capabilities, "
			    "runAsNonRoot != true, seccompProfile");
	buf_fini(&reasons);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCASE(baseline_bars_what_escapes),
		SCASE(baseline_bars_capabilities_and_mounts),
		SCASE(baseline_bars_other_profiles),
		SCASE(safe_sysctls_grew_with_versions),
		SCASE(restricted_asks_for_more),
		SCASE(policies_print_as_labels_have_them),
		SCASE(reasons_are_told_without_details),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
