/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of security contexts, and what a pod's operating system excludes. */
#include "api/check-pod.h"

#include <ctype.h>

static bool is_true(const struct doc *d)
{
	return doc_true(d);
}

static bool is_false(const struct doc *d)
{
	return doc_is(d, DOC_BOOL) && !d->n;
}

void check_id(struct check *c, const struct path *p, const struct doc *id)
{
	check_range(c, p, id, 0, INT32_MAX);
}

static void check_ids(struct check *c, const struct path *p, const struct doc *obj,
		      const char *const *fields)
{
	for (; *fields; fields++) {
		const struct path at = PATH(p, *fields);

		check_id(c, &at, doc_get(obj, *fields));
	}
}

/* ---- profiles ---- */

static const char *const profiles[] = { "Localhost", "RuntimeDefault", "Unconfined", NULL };

static void check_seccomp(struct check *c, const struct path *p, const struct doc *profile)
{
	const struct path type_at = PATH(p, "type"), local = PATH(p, "localhostProfile");
	const struct doc *type = doc_get(profile, "type"),
			 *file = doc_get(profile, "localhostProfile");

	if (!profile)
		return;
	if (doc_slice(type).n == 0)
		check_required(c, &type_at, "type is required when seccompProfile is set");
	else
		check_one_of(c, &type_at, type, profiles, true);
	if (!doc_str_is(type, "Localhost")) {
		if (file)
			check_invalid(c, &local, profile,
				      "can only be set when seccomp type is Localhost");
	} else if (!file) {
		check_required(c, &local, "must be set when seccomp type is Localhost");
	} else {
		check_descending(c, &local, file);
	}
}

static bool is_padded(struct slice s)
{
	return s.n > 0 && (isspace((unsigned char)s.p[0]) || isspace((unsigned char)s.p[s.n - 1]));
}

#define PROFILE_MAX 4095 /* PATH_MAX without the NUL */

static void check_local_apparmor(struct check *c, const struct path *p, const struct doc *file)
{
	if (doc_slice(file).n == 0)
		check_required(c, p, "must be set when AppArmor type is Localhost");
	else if (is_padded(doc_slice(file)))
		check_invalid(c, p, file, "must not be padded with whitespace");
	if (doc_slice(file).n > PROFILE_MAX)
		check_too_long(c, p, PROFILE_MAX);
}

static void check_apparmor(struct check *c, const struct path *p, const struct doc *profile)
{
	const struct path type_at = PATH(p, "type"), local = PATH(p, "localhostProfile");
	const struct doc *type = doc_get(profile, "type"),
			 *file = doc_get(profile, "localhostProfile");

	if (!profile)
		return;
	if (doc_slice(type).n == 0) {
		check_required(c, &type_at, "type is required when appArmorProfile is set");
		return;
	}
	check_one_of(c, &type_at, type, profiles, true);
	if (doc_str_is(type, "Localhost"))
		check_local_apparmor(c, &local, file);
	else if (file && (doc_str_is(type, "RuntimeDefault") || doc_str_is(type, "Unconfined")))
		check_invalid(c, &local, file, "can only be set when AppArmor type is Localhost");
}

/* ---- Windows ---- */

static bool has_any(struct slice s, const char *set)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] && strchr(set, s.p[i]))
			return true;
	return false;
}

static bool has_only(struct slice s, const char *set)
{
	for (size_t i = 0; i < s.n; i++)
		if (!s.p[i] || !strchr(set, s.p[i]))
			return false;
	return s.n > 0;
}

static bool has_control(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return true;
	return false;
}

/* Each label as in DNS, in either case. */
static bool is_dns_domain(struct slice s)
{
	char lower[256];

	for (size_t i = 0; i < MIN(s.n, sizeof(lower)); i++)
		lower[i] = (char)tolower((unsigned char)s.p[i]);
	return s.n < sizeof(lower) && !form_dns_subdomain(slice_of(lower, s.n));
}

static bool is_netbios(struct slice s)
{
	return s.n > 0 && s.n <= 15 && s.p[0] != '.' && !has_any(s, "\\/:*?\"<>|");
}

static const char *bad_domain(struct slice s)
{
	if (s.n >= 256)
		return "runAsUserName's Domain length must be under 256 characters";
	return is_netbios(s) || is_dns_domain(s)
		       ? NULL
		       : "runAsUserName's Domain doesn't match the NetBios nor the DNS format";
}

static const char *bad_user(struct slice s)
{
	if (s.n == 0)
		return "runAsUserName's User cannot be empty";
	if (s.n > 104)
		return "runAsUserName's User length must not be longer than 104 characters";
	if (has_only(s, ". "))
		return "runAsUserName's User cannot contain only periods or spaces";
	return has_any(s, "\"/\\:;|=,+*?<>@[]")
		       ? "runAsUserName's User cannot contain the following characters: "
			 "\"/\\:;|=,+*?<>@[]"
		       : NULL;
}

static const char *bad_user_name(struct slice s)
{
	const char *back = s.n ? memchr(s.p, '\\', s.n) : NULL;
	struct slice user = s;
	const char *why = NULL;

	if (s.n == 0)
		return "runAsUserName cannot be an empty string";
	if (has_control(s))
		return "runAsUserName cannot contain control characters";
	if (back) {
		user = slice_of(back + 1, s.n - (size_t)(back - s.p) - 1);
		if (has_any(user, "\\"))
			return "runAsUserName cannot contain more than one backslash";
		why = bad_domain(slice_of(s.p, (size_t)(back - s.p)));
	}
	return why ? why : bad_user(user);
}

#define GMSA_MAX (64 * 1024)

static void check_windows_options(struct check *c, const struct path *p, const struct doc *o)
{
	const struct path name = PATH(p, "gmsaCredentialSpecName"),
			  spec = PATH(p, "gmsaCredentialSpec"), user = PATH(p, "runAsUserName");
	const struct doc *n = doc_get(o, "gmsaCredentialSpecName"),
			 *s = doc_get(o, "gmsaCredentialSpec"), *u = doc_get(o, "runAsUserName");
	const char *why = n ? form_dns_subdomain(doc_slice(n)) : NULL;

	if (why)
		check_invalid(c, &name, n, "%s", why);
	if (s && s->n == 0)
		check_invalid(c, &spec, s, "gmsaCredentialSpec cannot be an empty string");
	if (s && s->n > GMSA_MAX)
		check_invalid(c, &spec, s, "gmsaCredentialSpec size must be under 64 KiB");
	why = u ? bad_user_name(doc_slice(u)) : NULL;
	if (why)
		check_invalid(c, &user, u, "%s", why);
}

/* ---- a container's context ---- */

static bool adds_admin(const struct doc *context)
{
	DOC_EACH (cap, doc_find(context, "capabilities.add"))
		if (doc_str_is(cap, "CAP_SYS_ADMIN"))
			return true;
	return false;
}

static void check_proc_mount(struct check *c, const struct path *p, const struct doc *mount,
			     bool host_users)
{
	static const char *const types[] = { "Default", "Unmasked", NULL };

	if (!mount)
		return;
	check_exactly_one_of(c, p, mount, types);
	if (host_users && doc_str_is(mount, "Unmasked"))
		check_invalid(c, p, mount, "`hostUsers` must be false to use `Unmasked`");
}

void check_security(struct check *c, const struct path *p, const struct doc *context,
		    bool host_users)
{
	static const char *const ids[] = { "runAsUser", "runAsGroup", NULL };
	const struct path seccomp = PATH(p, "seccompProfile"), windows = PATH(p, "windowsOptions"),
			  apparmor = PATH(p, "appArmorProfile"), proc = PATH(p, "procMount");

	if (!context)
		return;
	check_ids(c, p, context, ids);
	check_proc_mount(c, &proc, doc_get(context, "procMount"), host_users);
	check_seccomp(c, &seccomp, doc_get(context, "seccompProfile"));
	if (is_false(doc_get(context, "allowPrivilegeEscalation"))) {
		if (is_true(doc_get(context, "privileged")))
			check_invalid(c, p, context,
				      "cannot set `allowPrivilegeEscalation` to false and "
				      "`privileged` to true");
		if (adds_admin(context))
			check_invalid(c, p, context,
				      "cannot set `allowPrivilegeEscalation` to false and "
				      "`capabilities.Add` CAP_SYS_ADMIN");
	}
	check_windows_options(c, &windows, doc_get(context, "windowsOptions"));
	check_apparmor(c, &apparmor, doc_get(context, "appArmorProfile"));
}

/* ---- sysctls ---- */

/* [a-z0-9]([-_a-z0-9]*[a-z0-9])? with '.' or '/' between. */
static bool is_sysctl(struct slice s)
{
	bool edge = true; /* the next byte begins a segment */

	for (size_t i = 0; i < s.n; i++) {
		char k = s.p[i];
		bool alnum = (k >= 'a' && k <= 'z') || (k >= '0' && k <= '9');
		bool last = i + 1 == s.n || s.p[i + 1] == '.' || s.p[i + 1] == '/';

		if (!alnum && (edge || last) && !((k == '.' || k == '/') && !edge))
			return false;
		if (!alnum && !edge && k != '-' && k != '_' && k != '.' && k != '/')
			return false;
		edge = k == '.' || k == '/';
	}
	return s.n > 0 && s.n <= 253 && !edge;
}

static bool is_below(struct slice s, const char *const *prefixes)
{
	for (; *prefixes; prefixes++)
		if (slice_starts(s, slice_str(*prefixes)))
			return true;
	return false;
}

static void check_host_sysctl(struct check *c, const struct path *p, const struct doc *name,
			      const struct doc *spec)
{
	static const char *const ipc[] = { "kernel.shm", "kernel/shm", "kernel.msg",
					   "kernel/msg", "kernel.sem", "kernel/sem",
					   "fs.mqueue.", "fs/mqueue/", NULL };
	static const char *const net[] = { "net.", "net/", NULL };

	if (is_true(doc_get(spec, "hostNetwork")) && is_below(doc_slice(name), net))
		check_invalid(c, p, name, "may not be specified when 'hostNetwork' is true");
	else if (is_true(doc_get(spec, "hostIPC")) && is_below(doc_slice(name), ipc))
		check_invalid(c, p, name, "may not be specified when 'hostIPC' is true");
}

static void check_sysctls(struct check *c, const struct path *p, const struct doc *list,
			  const struct doc *spec)
{
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(p, i), name_at = PATH(&at, "name");
		const struct doc *name = doc_get(doc_at(list, i), "name");

		if (doc_slice(name).n == 0)
			check_required(c, &name_at, "");
		else if (!is_sysctl(doc_slice(name)))
			check_invalid(c, &name_at, name,
				      "must have at most 253 characters and be segments of lower "
				      "case letters, digits, '-' and '_' with '.' or '/' between");
		check_host_sysctl(c, &name_at, name, spec);
	}
	check_unique(c, p, list, "name");
}

/* ---- what the operating system excludes ---- */

static const char *const windows_pod[] = { "appArmorProfile",	  "seLinuxOptions",
					   "seccompProfile",	  "fsGroup",
					   "fsGroupChangePolicy", "sysctls",
					   "runAsUser",		  "runAsGroup",
					   "supplementalGroups",  "supplementalGroupsPolicy",
					   "seLinuxChangePolicy", NULL };
static const char *const windows_spec[] = { "hostUsers", "hostPID", "hostIPC",
					    "shareProcessNamespace", NULL };
static const char *const windows_container[] = { "appArmorProfile",
						 "seLinuxOptions",
						 "seccompProfile",
						 "capabilities",
						 "readOnlyRootFilesystem",
						 "privileged",
						 "allowPrivilegeEscalation",
						 "procMount",
						 "runAsUser",
						 "runAsGroup",
						 NULL };
static const char *const linux_any[] = { "windowsOptions", NULL };

struct exclusion {
	const char *const *fields;
	const char *why;
};

static void exclude(struct check *c, const struct path *p, const struct doc *obj,
		    const struct exclusion *x)
{
	for (size_t i = 0; x->fields[i]; i++)
		check_has_not(c, p, obj, x->fields[i], x->why);
}

static void exclude_of(struct check *c, const struct path *p, const struct doc *container,
		       void *exclusion)
{
	const struct path at = PATH(p, "securityContext");

	exclude(c, &at, doc_get(container, "securityContext"), exclusion);
}

static void check_os(struct check *c, const struct path *p, const struct doc *spec)
{
	static const char *const known[] = { "linux", "windows", NULL };
	const struct path os = PATH(p, "os"), name_at = PATH(&os, "name"),
			  context = PATH(p, "securityContext");
	const struct doc *name = doc_find(spec, "os.name"), *own = doc_get(spec, "securityContext");
	bool windows = doc_str_is(name, "windows");
	struct exclusion pod = { windows ? windows_pod : linux_any,
				 windows ? "cannot be set for a windows pod"
					 : "windows options cannot be set for a linux pod" };
	struct exclusion each = { windows ? windows_container : linux_any, pod.why },
			 top = { windows_spec, pod.why };

	if (doc_slice(name).n == 0) {
		check_required(c, &name_at, "cannot be empty");
		return;
	}
	if (!windows && !doc_str_is(name, "linux")) {
		check_unsupported(c, &os, name, known);
		return;
	}
	exclude(c, &context, own, &pod);
	if (windows)
		exclude(c, p, spec, &top);
	check_each_container(c, p, spec, exclude_of, &each);
}

/* ---- HostProcess ---- */

struct host_process {
	const struct doc *pod; /* the pod's own value, or NULL */
	unsigned all, host;
};

static void count_host_process(struct check *c, const struct path *p, const struct doc *container,
			       void *arg)
{
	const struct path context = PATH(p, "securityContext"),
			  options = PATH(&context, "windowsOptions"),
			  at = PATH(&options, "hostProcess");
	const struct doc *own = doc_find(container, "securityContext.windowsOptions.hostProcess");
	struct host_process *h = arg;

	h->all++;
	h->host += is_true(own ? own : h->pod);
	if (own && h->pod && own->n != h->pod->n)
		check_invalid(c, &at, own,
			      "pod hostProcess value must be identical if both are specified, was "
			      "%s",
			      h->pod->n ? "true" : "false");
}

static void check_host_process(struct check *c, const struct path *p, const struct doc *spec)
{
	const struct path net = PATH(p, "hostNetwork");
	struct host_process h = { .pod = doc_find(spec,
						  "securityContext.windowsOptions.hostProcess") };
	static const struct doc no = { .type = DOC_BOOL };

	check_each_container(c, p, spec, count_host_process, &h);
	if (h.host == 0)
		return;
	if (h.host != h.all)
		check_invalid(c, p, NULL,
			      "If pod contains any hostProcess containers then all containers must "
			      "be HostProcess containers");
	if (!is_true(doc_get(spec, "hostNetwork")))
		check_invalid(
			c, &net, &no,
			"hostNetwork must be true if pod contains any hostProcess containers");
}

/* ---- the pod's context ---- */

static const char *const group_change[] = { "Always", "OnRootMismatch", NULL };
static const char *const group_policies[] = { "Merge", "Strict", NULL };
static const char *const selinux_change[] = { "MountOption", "Recursive", NULL };
static const struct field_rule context_rules[] = {
	{ .field = "fsGroupChangePolicy", .values = group_change },
	{ .field = "supplementalGroupsPolicy", .values = group_policies },
	{ .field = "seLinuxChangePolicy", .values = selinux_change },
	{ 0 },
};

static void check_pod_context(struct check *c, const struct path *p, const struct doc *spec)
{
	static const char *const ids[] = { "fsGroup", "runAsUser", "runAsGroup", NULL };
	const struct doc *context = doc_get(spec, "securityContext"),
			 *groups = doc_get(context, "supplementalGroups"),
			 *share = doc_get(spec, "shareProcessNamespace");
	const struct path list = PATH(p, "supplementalGroups"), sysctls = PATH(p, "sysctls"),
			  seccomp = PATH(p, "seccompProfile"), windows = PATH(p, "windowsOptions"),
			  apparmor = PATH(p, "appArmorProfile"),
			  share_at = PATH(p, "shareProcessNamespace");

	check_ids(c, p, context, ids);
	for (size_t i = 0; i < doc_len(groups); i++) {
		const struct path at = PATH_INDEX(&list, i);

		check_id(c, &at, doc_at(groups, i));
	}
	if (is_true(share) && is_true(doc_get(spec, "hostPID")))
		check_invalid(c, &share_at, share,
			      "ShareProcessNamespace and HostPID cannot both be enabled");
	check_sysctls(c, &sysctls, doc_get(context, "sysctls"), spec);
	check_fields(c, p, context, context_rules);
	check_seccomp(c, &seccomp, doc_get(context, "seccompProfile"));
	check_windows_options(c, &windows, doc_get(context, "windowsOptions"));
	check_apparmor(c, &apparmor, doc_get(context, "appArmorProfile"));
}

void check_pod_security(struct check *c, const struct path *p, const struct doc *spec)
{
	const struct path context = PATH(p, "securityContext");

	check_pod_context(c, &context, spec);
	check_host_process(c, p, spec);
	if (doc_get(spec, "os"))
		check_os(c, p, spec);
}
