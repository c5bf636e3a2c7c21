/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Pod Security Standards: what a pod may not have at the levels baseline and restricted, and
 * from which minor version of Kubernetes on. Controls run in upstream's order: baseline before
 * restricted, by name.
 */
#include "apiserver/admission/admission-private.h"

#include "base/err.h"

#include <stdio.h>

/* One control on one pod. */
struct look {
	const struct doc *meta, *spec, *security; /* security: the pod's securityContext */
	struct arena *a;
	uint32_t minor;
	/* of a control that found something */
	const char *reason;
	struct buf *detail;
};

#define NEWEST 35 /* later versions are as this one */

/* ---- collecting and telling ---- */

static void note(struct look *l, struct doc *list, const struct doc *value)
{
	(void)doc_append(l->a, list, value ? *value : DOC_LIT(""));
}

/* A text of an object; what is left out is empty. */
static struct doc text_in(const struct doc *obj, const char *field)
{
	const struct doc *v = doc_get(obj, field);

	return v ? *v : DOC_LIT("");
}

/* Each text once, in order. */
static void note_once(struct look *l, struct doc *set, struct doc value)
{
	size_t at = 0;

	for (; at < set->n; at++) {
		int d = slice_cmp(doc_slice(&value), doc_slice(doc_at(set, at)));

		if (d == 0)
			return;
		if (d < 0)
			break;
	}
	(void)doc_insert(l->a, set, at, value);
}

static void join(struct look *l, const struct doc *list, const char *quote)
{
	for (size_t i = 0; i < doc_len(list); i++) {
		struct slice s = doc_slice(doc_at(list, i));

		(void)buf_addf(l->detail, "%s%s", i ? ", " : "", quote);
		if (s.n)
			(void)buf_add(l->detail, s.p, s.n);
		(void)buf_adds(l->detail, quote);
	}
}

static void say(struct look *l, const char *text)
{
	(void)buf_adds(l->detail, text);
}

/* container "a"; containers "a", "b" */
static void say_list(struct look *l, const char *one, const char *many, const struct doc *list)
{
	say(l, doc_len(list) == 1 ? one : many);
	say(l, " ");
	join(l, list, "\"");
}

static void say_containers(struct look *l, const struct doc *list)
{
	say_list(l, "container", "containers", list);
}

/* pod; containers "a", "b"; pod and container "a" */
static bool say_setters(struct look *l, bool pod, const struct doc *list)
{
	if (pod)
		say(l, doc_len(list) ? "pod and " : "pod");
	if (doc_len(list))
		say_containers(l, list);
	return pod || doc_len(list);
}

static bool found(struct look *l, const char *reason)
{
	l->reason = reason;
	return true;
}

#define EACH_CONTAINER(d, l)                                         \
	for (size_t d##_i = 0, d##_once = 1; d##_once; d##_once = 0) \
		for (const struct doc *d; (d = admit_container((l)->spec, &d##_i, NULL));)

static bool is_windows(const struct look *l)
{
	return strategy_is(l->spec, "os.name", "windows");
}

/* From 1.35 on some controls do not hold for pods in a user namespace. */
static bool is_relaxed(const struct look *l)
{
	const struct doc *host = doc_get(l->spec, "hostUsers");

	return l->minor >= 35 && host && !doc_true(host);
}

static bool is_one_of(struct slice s, const char *const *list)
{
	for (; *list; list++)
		if (slice_is(s, *list))
			return true;
	return false;
}

/* Go's %q. */
static void add_quoted(struct buf *b, struct slice s)
{
	(void)buf_addc(b, '"');
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '"' || s.p[i] == '\\')
			(void)buf_addf(b, "\\%c", s.p[i]);
		else if (s.p[i] == '\n' || s.p[i] == '\t' || s.p[i] == '\r')
			(void)buf_adds(b, s.p[i] == '\n' ? "\\n" : s.p[i] == '\t' ? "\\t" : "\\r");
		else if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			(void)buf_addf(b, "\\x%02x", (unsigned char)s.p[i]);
		else
			(void)buf_addc(b, s.p[i]);
	(void)buf_addc(b, '"');
}

/* key="value" */
static struct doc annotation(struct look *l, struct slice key, struct slice value)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1u << 20);

	if (key.n)
		(void)buf_add(&b, key.p, key.n);
	(void)buf_addc(&b, '=');
	add_quoted(&b, value);
	return doc_strn(l->a, buf_str(&b), b.n);
}

/* ---- baseline ---- */

static bool good_profile(const struct doc *profile)
{
	return strategy_is(profile, "type", "RuntimeDefault") ||
	       strategy_is(profile, "type", "Localhost");
}

static bool look_apparmor(struct look *l)
{
	const struct doc *profile = doc_get(l->security, "appArmorProfile");
	struct doc bad = doc_array(), values = doc_array(), notes = doc_array();
	bool pod = profile && !good_profile(profile);

	if (pod)
		note_once(l, &values, text_in(profile, "type"));
	EACH_CONTAINER(d, l)
	{
		profile = doc_find(d, "securityContext.appArmorProfile");
		if (!profile || good_profile(profile))
			continue;
		note(l, &bad, doc_get(d, "name"));
		note_once(l, &values, text_in(profile, "type"));
	}
	DOC_EACH_MEMBER (key, value, doc_get(l->meta, "annotations")) {
		struct slice v = doc_slice(value);

		if (slice_starts(doc_slice(key), SLICE(STRATEGY_APPARMOR)) && v.n &&
		    !slice_is(v, "runtime/default") && !slice_starts(v, SLICE("localhost/")))
			note_once(l, &notes, annotation(l, doc_slice(key), v));
	}
	if (!pod && !bad.n && !notes.n)
		return false;
	(void)say_setters(l, pod, &bad);
	if (notes.n) {
		say(l, pod || bad.n ? " and " : "");
		say(l, notes.n == 1 ? "annotation" : "annotations");
	}
	say(l, " must not set AppArmor profile type to ");
	DOC_EACH (n, &notes)
		(void)doc_append(l->a, &values, *n);
	join(l, &values, "\"");
	return found(l,
		     values.n == 1 ? "forbidden AppArmor profile" : "forbidden AppArmor profiles");
}

static bool look_capabilities(struct look *l)
{
	static const char *const fine[] = {
		"AUDIT_WRITE", "CHOWN",	 "DAC_OVERRIDE",     "FOWNER",	"FSETID",
		"KILL",	       "MKNOD",	 "NET_BIND_SERVICE", "SETFCAP", "SETGID",
		"SETPCAP",     "SETUID", "SYS_CHROOT",	     NULL
	};
	struct doc bad = doc_array(), values = doc_array();

	EACH_CONTAINER(d, l)
	{
		bool valid = true;

		DOC_EACH (cap, doc_find(d, "securityContext.capabilities.add"))
			if (!is_one_of(doc_slice(cap), fine)) {
				valid = false;
				note_once(l, &values, *cap);
			}
		if (!valid)
			note(l, &bad, doc_get(d, "name"));
	}
	if (!bad.n)
		return false;
	say_containers(l, &bad);
	say(l, " must not include ");
	join(l, &values, "\"");
	say(l, " in securityContext.capabilities.add");
	return found(l, "non-default capabilities");
}

static bool look_host_namespaces(struct look *l)
{
	static const char *const fields[] = { "hostNetwork", "hostPID", "hostIPC" };
	const char *comma = "";

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		if (!doc_true(doc_get(l->spec, fields[i])))
			continue;
		(void)buf_addf(l->detail, "%s%s=true", comma, fields[i]);
		comma = ", ";
	}
	return *comma && found(l, "host namespaces");
}

static bool look_host_paths(struct look *l)
{
	struct doc bad = doc_array();

	DOC_EACH (v, doc_get(l->spec, "volumes"))
		if (doc_get(v, "hostPath"))
			note(l, &bad, doc_get(v, "name"));
	if (!bad.n)
		return false;
	say_list(l, "volume", "volumes", &bad);
	return found(l, "hostPath volumes");
}

static bool look_host_ports(struct look *l)
{
	struct doc bad = doc_array(), values = doc_array();

	EACH_CONTAINER(d, l)
	{
		bool valid = true;

		DOC_EACH (port, doc_get(d, "ports")) {
			int64_t host = strategy_int(port, "hostPort");
			char text[24];

			if (!host)
				continue;
			valid = false;
			(void)snprintf(text, sizeof(text), "%lld", (long long)host);
			note_once(l, &values, doc_str(l->a, text));
		}
		if (!valid)
			note(l, &bad, doc_get(d, "name"));
	}
	if (!bad.n)
		return false;
	say_containers(l, &bad);
	say(l, bad.n == 1 ? " uses " : " use ");
	say(l, values.n == 1 ? "hostPort " : "hostPorts ");
	join(l, &values, "");
	return found(l, "hostPort");
}

static bool look_probe_hosts(struct look *l)
{
	static const char *const handlers[] = { "livenessProbe", "readinessProbe", "startupProbe",
						"lifecycle.postStart", "lifecycle.preStop" };
	static const char *const ways[] = { "httpGet.host", "tcpSocket.host" };
	struct doc bad = doc_array(), values = doc_array();

	EACH_CONTAINER(d, l)
	for (size_t i = 0; i < ARRAY_LEN(handlers) * ARRAY_LEN(ways); i++) {
		const struct doc *host = doc_find(doc_find(d, handlers[i / ARRAY_LEN(ways)]),
						  ways[i % ARRAY_LEN(ways)]);

		if (!doc_slice(host).n)
			continue;
		note_once(l, &bad, text_in(d, "name"));
		note_once(l, &values, *host);
	}
	if (!bad.n)
		return false;
	say_containers(l, &bad);
	say(l, bad.n == 1 ? " uses " : " use ");
	say_list(l, "probe or lifecycle host", "probe or lifecycle hosts", &values);
	return found(l, "probe or lifecycle host");
}

static bool look_privileged(struct look *l)
{
	struct doc bad = doc_array();

	EACH_CONTAINER(d, l)
	if (doc_true(doc_find(d, "securityContext.privileged")))
		note(l, &bad, doc_get(d, "name"));
	if (!bad.n)
		return false;
	say_containers(l, &bad);
	say(l, " must not set securityContext.privileged=true");
	return found(l, "privileged");
}

static bool look_proc_mount_always(struct look *l)
{
	struct doc bad = doc_array(), values = doc_array();

	EACH_CONTAINER(d, l)
	{
		const struct doc *mount = doc_find(d, "securityContext.procMount");

		if (!mount || doc_str_is(mount, "Default"))
			continue;
		note(l, &bad, doc_get(d, "name"));
		note_once(l, &values, *mount);
	}
	if (!bad.n)
		return false;
	say_containers(l, &bad);
	say(l, " must not set securityContext.procMount to ");
	join(l, &values, "\"");
	return found(l, "procMount");
}

static bool look_proc_mount(struct look *l)
{
	return !is_relaxed(l) && look_proc_mount_always(l);
}

struct selinux {
	struct doc types;
	bool user, role;
};

static bool good_selinux(struct look *l, const struct doc *options, struct selinux *s)
{
	static const char *const types[] = { "", "container_t", "container_init_t",
					     "container_kvm_t", NULL };
	struct slice type = strategy_text(options, "type");
	bool user = strategy_text(options, "user").n, role = strategy_text(options, "role").n;
	bool good = !type.n || is_one_of(type, types) ||
		    (l->minor >= 31 && slice_is(type, "container_engine_t"));

	if (!good)
		note_once(l, &s->types, text_in(options, "type"));
	s->user |= user;
	s->role |= role;
	return good && !user && !role;
}

static bool look_selinux(struct look *l)
{
	const struct doc *options = doc_get(l->security, "seLinuxOptions");
	struct selinux s = { .types = doc_array() };
	struct doc bad = doc_array();
	const char *sep = "";
	bool pod = options && !good_selinux(l, options, &s);

	EACH_CONTAINER(d, l)
	{
		options = doc_find(d, "securityContext.seLinuxOptions");
		if (options && !good_selinux(l, options, &s))
			note(l, &bad, doc_get(d, "name"));
	}
	if (!say_setters(l, pod, &bad))
		return false;
	say(l, " set forbidden securityContext.seLinuxOptions: ");
	if (s.types.n) {
		say_list(l, "type", "types", &s.types);
		sep = "; ";
	}
	if (s.user) {
		(void)buf_addf(l->detail, "%suser may not be set", sep);
		sep = "; ";
	}
	if (s.role)
		(void)buf_addf(l->detail, "%srole may not be set", sep);
	return found(l, "seLinuxOptions");
}

#define SECCOMP_POD "seccomp.security.alpha.kubernetes.io/pod"
#define SECCOMP_CONTAINER "container.seccomp.security.alpha.kubernetes.io/"

static void look_annotation(struct look *l, const char *key, struct doc *values)
{
	const struct doc *v = key ? doc_get(doc_get(l->meta, "annotations"), key) : NULL;
	struct slice s = doc_slice(v);

	if (v && !slice_is(s, "runtime/default") && !slice_is(s, "docker/default") &&
	    !slice_starts(s, SLICE("localhost/")))
		note_once(l, values, annotation(l, slice_str(key), s));
}

/* Before 1.19 profiles were annotations. */
static bool look_seccomp_annotations(struct look *l)
{
	struct doc values = doc_array();

	look_annotation(l, SECCOMP_POD, &values);
	EACH_CONTAINER(d, l)
	{
		struct slice name = strategy_text(d, "name");

		look_annotation(l,
				arena_printf(l->a, SECCOMP_CONTAINER "%.*s", (int)name.n, name.p),
				&values);
	}
	if (!values.n)
		return false;
	say(l, values.n == 1 ? "forbidden annotation " : "forbidden annotations ");
	join(l, &values, "");
	return found(l, "seccompProfile");
}

static bool look_seccomp(struct look *l, bool needed)
{
	const struct doc *profile = doc_get(l->security, "seccompProfile");
	struct doc bad = doc_array(), values = doc_array(), without = doc_array();
	bool set = profile && good_profile(profile), pod = profile && !set;

	if (pod)
		note_once(l, &values, text_in(profile, "type"));
	EACH_CONTAINER(d, l)
	{
		profile = doc_find(d, "securityContext.seccompProfile");
		if (!profile && !set)
			note(l, &without, doc_get(d, "name"));
		if (!profile || good_profile(profile))
			continue;
		note(l, &bad, doc_get(d, "name"));
		note_once(l, &values, text_in(profile, "type"));
	}
	if (say_setters(l, pod, &bad)) {
		say(l, " must not set securityContext.seccompProfile.type to ");
		join(l, &values, "\"");
		return found(l, "seccompProfile");
	}
	if (!needed || !without.n)
		return false;
	say(l, "pod or ");
	say_containers(l, &without);
	say(l, " must set securityContext.seccompProfile.type to \"RuntimeDefault\" or "
	       "\"Localhost\"");
	return found(l, "seccompProfile");
}

static bool look_seccomp_baseline(struct look *l)
{
	return l->minor < 19 ? look_seccomp_annotations(l) : look_seccomp(l, false);
}

static bool look_sysctls(struct look *l)
{
	static const struct {
		const char *name;
		uint32_t since;
	} fine[] = {
		{ "kernel.shm_rmid_forced", 0 },
		{ "net.ipv4.ip_local_port_range", 0 },
		{ "net.ipv4.tcp_syncookies", 0 },
		{ "net.ipv4.ping_group_range", 0 },
		{ "net.ipv4.ip_unprivileged_port_start", 0 },
		{ "net.ipv4.ip_local_reserved_ports", 27 },
		{ "net.ipv4.tcp_keepalive_time", 29 },
		{ "net.ipv4.tcp_fin_timeout", 29 },
		{ "net.ipv4.tcp_keepalive_intvl", 29 },
		{ "net.ipv4.tcp_keepalive_probes", 29 },
		{ "net.ipv4.tcp_rmem", 32 },
		{ "net.ipv4.tcp_wmem", 32 },
	};
	struct doc bad = doc_array();

	DOC_EACH (s, doc_get(l->security, "sysctls")) {
		bool valid = false;

		for (size_t i = 0; i < ARRAY_LEN(fine); i++)
			valid |= l->minor >= fine[i].since && strategy_is(s, "name", fine[i].name);
		if (!valid)
			note(l, &bad, doc_get(s, "name"));
	}
	join(l, &bad, "");
	return bad.n && found(l, "forbidden sysctls");
}

static bool look_host_process(struct look *l)
{
	bool pod = doc_true(doc_find(l->security, "windowsOptions.hostProcess"));
	struct doc bad = doc_array();

	EACH_CONTAINER(d, l)
	if (doc_true(doc_find(d, "securityContext.windowsOptions.hostProcess")))
		note(l, &bad, doc_get(d, "name"));
	if (!say_setters(l, pod, &bad))
		return false;
	say(l, " must not set securityContext.windowsOptions.hostProcess=true");
	return found(l, "hostProcess");
}

/* ---- restricted ---- */

static bool look_escalation(struct look *l)
{
	struct doc bad = doc_array();

	if (l->minor >= 25 && is_windows(l))
		return false;
	EACH_CONTAINER(d, l)
	{
		const struct doc *may = doc_find(d, "securityContext.allowPrivilegeEscalation");

		if (!may || doc_true(may))
			note(l, &bad, doc_get(d, "name"));
	}
	if (!bad.n)
		return false;
	say_containers(l, &bad);
	say(l, " must set securityContext.allowPrivilegeEscalation=false");
	return found(l, "allowPrivilegeEscalation != false");
}

static bool drops_all(const struct doc *capabilities)
{
	DOC_EACH (cap, doc_get(capabilities, "drop"))
		if (doc_str_is(cap, "ALL"))
			return true;
	return false;
}

static bool look_capabilities_dropped(struct look *l)
{
	struct doc keep = doc_array(), bad = doc_array(), values = doc_array();

	if (l->minor >= 25 && is_windows(l))
		return false;
	EACH_CONTAINER(d, l)
	{
		const struct doc *caps = doc_find(d, "securityContext.capabilities");
		bool adds = false;

		if (!drops_all(caps))
			note(l, &keep, doc_get(d, "name"));
		DOC_EACH (cap, doc_get(caps, "add"))
			if (!doc_str_is(cap, "NET_BIND_SERVICE")) {
				adds = true;
				note_once(l, &values, *cap);
			}
		if (adds)
			note(l, &bad, doc_get(d, "name"));
	}
	if (keep.n) {
		say_containers(l, &keep);
		say(l, " must set securityContext.capabilities.drop=[\"ALL\"]");
	}
	if (bad.n) {
		say(l, keep.n ? "; " : "");
		say_containers(l, &bad);
		say(l, " must not include ");
		join(l, &values, "\"");
		say(l, " in securityContext.capabilities.add");
	}
	return (keep.n || bad.n) && found(l, "unrestricted capabilities");
}

static struct doc volume_type(const struct doc *volume)
{
	static const char *const restricted[] = { "hostPath",
						  "gcePersistentDisk",
						  "awsElasticBlockStore",
						  "gitRepo",
						  "nfs",
						  "iscsi",
						  "glusterfs",
						  "rbd",
						  "flexVolume",
						  "cinder",
						  "cephfs",
						  "flocker",
						  "fc",
						  "azureFile",
						  "vsphereVolume",
						  "quobyte",
						  "azureDisk",
						  "photonPersistentDisk",
						  "portworxVolume",
						  "scaleIO",
						  "storageos" };

	for (size_t i = 0; i < ARRAY_LEN(restricted); i++)
		if (doc_get(volume, restricted[i]))
			return doc_borrow(restricted[i], strlen(restricted[i]));
	return DOC_LIT("unknown");
}

static bool look_volumes(struct look *l)
{
	static const char *const fine[] = {
		"configMap", "csi",   "downwardAPI",	       "emptyDir",
		"ephemeral", "image", "persistentVolumeClaim", "projected",
		"secret"
	};
	struct doc bad = doc_array(), values = doc_array();

	DOC_EACH (v, doc_get(l->spec, "volumes")) {
		bool valid = false;

		for (size_t i = 0; i < ARRAY_LEN(fine) && !valid; i++)
			valid = doc_get(v, fine[i]);
		if (valid)
			continue;
		note(l, &bad, doc_get(v, "name"));
		note_once(l, &values, volume_type(v));
	}
	if (!bad.n)
		return false;
	say_list(l, "volume", "volumes", &bad);
	say(l, bad.n == 1 ? " uses " : " use ");
	say_list(l, "restricted volume type", "restricted volume types", &values);
	return found(l, "restricted volume types");
}

static bool look_non_root(struct look *l)
{
	const struct doc *of_pod = doc_get(l->security, "runAsNonRoot");
	struct doc bad = doc_array(), without = doc_array();

	if (is_relaxed(l))
		return false;
	EACH_CONTAINER(d, l)
	{
		const struct doc *mine = doc_find(d, "securityContext.runAsNonRoot");

		if (mine && !doc_true(mine))
			note(l, &bad, doc_get(d, "name"));
		else if (!mine && !doc_true(of_pod))
			note(l, &without, doc_get(d, "name"));
	}
	if (say_setters(l, of_pod && !doc_true(of_pod), &bad)) {
		say(l, " must not set securityContext.runAsNonRoot=false");
		return found(l, "runAsNonRoot != true");
	}
	if (!without.n)
		return false;
	say(l, "pod or ");
	say_containers(l, &without);
	say(l, " must set securityContext.runAsNonRoot=true");
	return found(l, "runAsNonRoot != true");
}

static bool is_root(const struct doc *security)
{
	const struct doc *user = doc_get(security, "runAsUser");

	return user && check_number(user) == 0;
}

static bool look_user(struct look *l)
{
	struct doc bad = doc_array();

	if (is_relaxed(l))
		return false;
	EACH_CONTAINER(d, l)
	if (is_root(doc_get(d, "securityContext")))
		note(l, &bad, doc_get(d, "name"));
	if (!say_setters(l, is_root(l->security), &bad))
		return false;
	say(l, " must not set runAsUser=0");
	return found(l, "runAsUser=0");
}

static bool look_seccomp_restricted(struct look *l)
{
	return !(l->minor >= 25 && is_windows(l)) && look_seccomp(l, true);
}

/* ---- all of them ---- */

#define NEVER UINT32_MAX

static const struct control {
	enum podsec_level level;
	uint32_t since; /* minor version */
	/* From this one on the level restricted has a stricter control in its place. */
	uint32_t replaced;
	bool (*look)(struct look *l);
} controls[] = {
	{ PODSEC_BASELINE, 0, NEVER, look_apparmor },
	{ PODSEC_BASELINE, 0, 22, look_capabilities },
	{ PODSEC_BASELINE, 0, NEVER, look_host_namespaces },
	{ PODSEC_BASELINE, 0, 0, look_host_paths },
	{ PODSEC_BASELINE, 0, NEVER, look_host_ports },
	{ PODSEC_BASELINE, 34, NEVER, look_probe_hosts },
	{ PODSEC_BASELINE, 0, NEVER, look_privileged },
	{ PODSEC_BASELINE, 0, 35, look_proc_mount },
	{ PODSEC_BASELINE, 0, NEVER, look_selinux },
	{ PODSEC_BASELINE, 0, 19, look_seccomp_baseline },
	{ PODSEC_BASELINE, 0, NEVER, look_sysctls },
	{ PODSEC_BASELINE, 0, NEVER, look_host_process },
	{ PODSEC_RESTRICTED, 8, NEVER, look_escalation },
	{ PODSEC_RESTRICTED, 22, NEVER, look_capabilities_dropped },
	{ PODSEC_RESTRICTED, 35, NEVER, look_proc_mount_always },
	{ PODSEC_RESTRICTED, 0, NEVER, look_volumes },
	{ PODSEC_RESTRICTED, 0, NEVER, look_non_root },
	{ PODSEC_RESTRICTED, 23, NEVER, look_user },
	{ PODSEC_RESTRICTED, 19, NEVER, look_seccomp_restricted },
};

static const char *const levels[] = { "privileged", "baseline", "restricted" };

bool podsec_read_level(struct slice s, enum podsec_level *ret)
{
	*ret = PODSEC_RESTRICTED;
	for (unsigned i = 0; i < ARRAY_LEN(levels); i++)
		if (slice_is(s, levels[i])) {
			*ret = (enum podsec_level)i;
			return true;
		}
	return false;
}

/* "latest", "v1.25" */
bool podsec_read_version(struct slice s, uint32_t *ret)
{
	uint64_t n;

	*ret = PODSEC_LATEST;
	if (slice_is(s, "latest"))
		return true;
	if (!slice_starts(s, SLICE("v1.")) || (s.n > 4 && s.p[3] == '0') ||
	    str_uint64(slice_of(s.p + 3, s.n - 3), &n, NULL) < 0 || n >= PODSEC_LATEST)
		return false;
	*ret = (uint32_t)n;
	return true;
}

const char *podsec_print(const struct podsec_policy *p, char dst[PODSEC_TEXT_MAX])
{
	if (p->minor == PODSEC_LATEST)
		(void)snprintf(dst, PODSEC_TEXT_MAX, "%s:latest", levels[p->level]);
	else
		(void)snprintf(dst, PODSEC_TEXT_MAX, "%s:v1.%u", levels[p->level], p->minor);
	return dst;
}

int podsec_check(const struct podsec_policy *p, const struct doc *pod, struct arena *a,
		 struct buf *reasons, struct buf *details)
{
	CLEANUP(buf_fini) struct buf detail = BUF_INIT(1u << 20);
	struct look l = {
		.meta = doc_get(pod, "metadata"),
		.spec = doc_get(pod, "spec"),
		.security = doc_find(pod, "spec.securityContext"),
		.a = a,
		.minor = MIN(p->minor, NEWEST),
		.detail = &detail,
	};
	const char *comma = "";

	for (size_t i = 0; i < ARRAY_LEN(controls); i++) {
		const struct control *k = &controls[i];

		if (k->level > p->level || l.minor < k->since ||
		    (p->level == PODSEC_RESTRICTED && l.minor >= k->replaced))
			continue;
		buf_clear(&detail);
		if (!k->look(&l))
			continue;
		(void)buf_addf(reasons, "%s%s", comma, l.reason);
		if (details)
			(void)buf_addf(details, "%s%s (%s)", comma, l.reason, buf_str(&detail));
		comma = ", ";
	}
	return *comma ? 1 : 0;
}
