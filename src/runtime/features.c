/* SPDX-License-Identifier: Apache-2.0 */
/* What this build can do, independent of the machine it runs on. Spec: features.md of the
 * runtime-spec. */
#include "runtime/rt.h"

#include "base/arena.h"
#include "doc/json.h"
#include "linux/mount.h"

#include <string.h>

static void list_of(struct arena *a, struct doc *obj, const char *key, const char *const *v)
{
	struct doc *l = doc_set_array(a, obj, key);

	for (; *v; v++)
		doc_append_str(a, l, *v);
}

static void enabled(struct arena *a, struct doc *obj, const char *key, bool on)
{
	doc_set_bool(a, doc_set_object(a, obj, key), "enabled", on);
}

static void seccomp(struct arena *a, struct doc *lin)
{
	struct doc *s = doc_set_object(a, lin, "seccomp"), *l;
	const char *name;
	uint32_t flag;

	doc_set_bool(a, s, "enabled", true);
	l = doc_set_array(a, s, "actions");
	doc_append_str(a, l, "SCMP_ACT_KILL"); /* the older spelling of KILL_THREAD */
	for (unsigned i = 0; i < SECCOMP_ACT_COUNT; i++)
		doc_append_str(a, l, seccomp_action_name(i));
	l = doc_set_array(a, s, "operators");
	for (unsigned i = 0; i < SECCOMP_CMP_COUNT; i++)
		doc_append_str(a, l, seccomp_op_name(i));
	l = doc_set_array(a, s, "archs");
	for (unsigned i = SECCOMP_ARCH_NATIVE + 1; i < SECCOMP_ARCH_COUNT; i++)
		doc_append_str(a, l, seccomp_arch_name(i));
	l = doc_set_array(a, s, "knownFlags");
	for (unsigned i = 0; (name = seccomp_flag_name(i, &flag)); i++)
		doc_append_str(a, l, name);
	l = doc_set_array(a, s, "supportedFlags");
	for (unsigned i = 0; (name = seccomp_flag_name(i, &flag)); i++)
		doc_append_str(a, l, name);
}

static void linux_part(struct arena *a, struct doc *root)
{
	struct doc *lin = doc_set_object(a, root, "linux"), *l, *o;

	l = doc_set_array(a, lin, "namespaces");
	for (int k = 0; k < NS_KINDS; k++)
		doc_append_str(a, l, ns_types[k].name);
	l = doc_set_array(a, lin, "capabilities");
	for (unsigned i = 0; i < caps_known(); i++)
		doc_append_str(a, l, caps_name(i));
	o = doc_set_object(a, lin, "cgroup");
	doc_set_bool(a, o, "v1", true);
	doc_set_bool(a, o, "v2", true);
	doc_set_bool(a, o, "systemd", true);
	doc_set_bool(a, o, "systemdUser", true);
	doc_set_bool(a, o, "rdma", true);
	seccomp(a, lin);
	enabled(a, lin, "apparmor", true);
	enabled(a, lin, "selinux", true);
	o = doc_set_object(a, lin, "memoryPolicy");
	list_of(a, o, "modes", conf_mempolicies);
	list_of(a, o, "flags", conf_mempolicy_flags);
	o = doc_set_object(a, lin, "intelRdt");
	doc_set_bool(a, o, "enabled", true);
	doc_set_bool(a, o, "schemata", true);
	doc_set_bool(a, o, "monitoring", true);
	enabled(a, lin, "netDevices", true);
	o = doc_set_object(a, lin, "mountExtensions");
	enabled(a, o, "idmap", true);
}

int rt_features(struct buf *out, struct err *err)
{
	static const char *const unsafe[] = { "io.teu.", "org.criu.config", "org.systemd.property.",
					      "run.oci.", NULL };
	CLEANUP(arena_free) struct arena *a = arena_new("features", 1u << 20);
	struct json_style style = { .indent = "  " };
	struct doc *root = doc_new_object(a), *o;

	doc_set_str(a, root, "ociVersionMin", "1.0.0");
	doc_set_str(a, root, "ociVersionMax", RT_SPEC_VERSION);
	list_of(a, root, "hooks", hook_names);
	list_of(a, root, "mountOptions", mount_opt_names());
	linux_part(a, root);
	o = doc_set_object(a, root, "annotations");
	doc_set_str(a, o, "io.teu.runtime.version", TEU_VERSION);
	doc_set_str(a, o, "org.opencontainers.runc.checkpoint.enabled", "true"); /* peers' name */
	list_of(a, root, "potentiallyUnsafeConfigAnnotations", unsafe);
	if (arena_exceeded(a))
		return arena_quota(a, err);
	return json_write(root, &style, out, err);
}
