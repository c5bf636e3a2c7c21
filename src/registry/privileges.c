/* SPDX-License-Identifier: Apache-2.0 */
/* Out of root: each layer holds when another is missing. */
#include "registry/privileges.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "linux/caps.h"
#include "linux/proc.h"
#include "linux/seccomp-default.h"
#include "linux/sys.h"
#include "registry/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- who ---- */

static int parse_id(struct slice text, const char *all, uid_t *ret, struct err *err)
{
	uint64_t v;

	if (str_uint64(text, &v, NULL) < 0 || v == 0 || v >= UINT32_MAX)
		return err_set(err, ERR_BAD_REQUEST,
			       "--user %s: must be UID, UID:GID (numbers above 0) or 'reserved'",
			       all);
	*ret = (uid_t)v;
	return 0;
}

int privileges_parse_user(const char *text, uid_t *ret_uid, gid_t *ret_gid, struct err *err)
{
	struct slice rest = slice_str(text), first = slice_split(&rest, ':');
	int r;

	if (strcmp(text, "reserved") == 0) {
		*ret_uid = *ret_gid = REGISTRY_UID;
		return 0;
	}
	r = parse_id(first, text, ret_uid, err);
	*ret_gid = *ret_uid;
	return r < 0 || !rest.p ? r : parse_id(rest, text, ret_gid, err);
}

/* ---- the root ---- */

static int take_root(const struct registry_conf *conf, struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	struct stat st;

	if (fd_mkdir_p(AT_FDCWD, conf->root, 0700, err) < 0)
		return err_ret(err);
	fd = sys_openat(AT_FDCWD, conf->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, "open '%s'", conf->root);
	if (st.st_uid == conf->uid)
		return 0;
	/* A directory that is empty has two links and nothing below: rmdir would take it. */
	if (st.st_uid == 0 && st.st_nlink == 2 &&
	    unlinkat(AT_FDCWD, conf->root, AT_REMOVEDIR) == 0) {
		fd_close(STEAL_FD(fd));
		if (fd_mkdir_p(AT_FDCWD, conf->root, 0700, err) < 0)
			return err_ret(err);
		fd = sys_openat(AT_FDCWD, conf->root,
				O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW, 0);
		if (fd < 0 || fchown(fd, conf->uid, conf->gid) < 0)
			return err_sys(err, "give '%s' to uid %u", conf->root, conf->uid);
		return 0;
	}
	return err_set(err, ERR_CONFLICT,
		       "root '%s' belongs to uid %u: a registry that is not root has a root of its "
		       "own; give another --root, or chown -R %u:%u it",
		       conf->root, st.st_uid, conf->uid, conf->gid);
}

static int drop_root(const struct registry_conf *conf, struct err *err)
{
	const struct caps none = { 0 };
	int r = caps_drop_bounding(&none, err);

	if (r >= 0)
		r = caps_set_ids(conf->uid, conf->gid, NULL, 0, false, err);
	if (r >= 0)
		r = caps_apply(&none, err);
	return r < 0 ? r : proc_set_no_new_privs(err);
}

/* ---- files ---- */

enum {
	LL_WRITE_FILE = 0x2,
	LL_READ = 0xc, /* files, directories */
	LL_REMOVE_DIR = 0x10,
	LL_REMOVE_FILE = 0x20,
	LL_MAKE_DIR = 0x80,
	LL_MAKE_REG = 0x100,
	LL_MAKE_SOCK = 0x200,
	LL_MAKE_SYM = 0x1000,
	LL_REFER = 0x2000,
	LL_TRUNCATE = 0x4000,
	LL_LOGS = LL_READ | LL_WRITE_FILE | LL_REMOVE_FILE | LL_MAKE_REG | LL_REFER | LL_TRUNCATE,
	LL_SOCKETS = LL_LOGS | LL_MAKE_SOCK,
	LL_STORE = LL_LOGS | LL_REMOVE_DIR | LL_MAKE_DIR | LL_MAKE_SYM,
};

static int allow_dir(int rules, const char *dir, uint64_t access, struct err *err)
{
	struct __attribute__((packed)) {
		uint64_t allowed;
		int32_t fd;
	} rule = { access, -1 };
	CLEANUP(fd_close) int fd = sys_openat(AT_FDCWD, dir, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);

	if (fd < 0)
		return err_sys(err, "open directory '%s'", dir);
	rule.fd = fd;
	if (syscall(SYS_landlock_add_rule, rules, 1, &rule, 0) < 0)
		return err_sys(err, "allow directory '%s' (Landlock)", dir);
	return 0;
}

/* The directory of a file, so that a file that takes its place is allowed too. */
static int allow_beside(int rules, const char *path, uint64_t access, struct err *err)
{
	char dir[PATH_MAX];
	char *slash;

	if (!path)
		return 0;
	if (!str_copy(dir, sizeof(dir), path))
		return err_set(err, ERR_INVALID, "path '%.100s...' is too long", path);
	slash = strrchr(dir, '/');
	if (!slash)
		(void)str_copy(dir, sizeof(dir), ".");
	else
		slash[slash == dir] = '\0';
	return allow_dir(rules, dir, access, err);
}

/* Names of hosts, the system's certificates, and what is configured for others. What of it is not
 * there is not needed. */
static int allow_outward(int rules, const struct registry_conf *c, struct err *err)
{
	static const char *const usual[] = { "/etc/ssl",
					     "/etc/pki",
					     "/usr/share/ca-certificates",
					     "/usr/local/share/ca-certificates",
					     "/etc/docker/certs.d",
					     "/run/systemd/resolve" };
	char real[PATH_MAX];
	int r = allow_dir(rules, "/etc", LL_READ, err); /* hosts, resolv.conf: they are replaced */

	for (size_t i = 0; i < ARRAY_LEN(usual) && r >= 0; i++)
		if (access(usual[i], F_OK) == 0)
			r = allow_dir(rules, usual[i], LL_READ, err);
	if (r >= 0 && realpath("/etc/resolv.conf", real))
		r = allow_beside(rules, real, LL_READ, err);
	for (size_t i = 0; i < c->hook_files_n && r >= 0; i++)
		r = allow_beside(rules, c->hook_files[i], LL_READ, err);
	for (size_t i = 0; i < c->hook_dirs_n && r >= 0; i++)
		r = allow_dir(rules, c->hook_dirs[i], LL_READ, err);
	return r;
}

static int allow_all(int rules, uint64_t known, const struct registry_conf *c, struct err *err)
{
	const char *const read[] = { c->tls_client_ca, c->htpasswd, c->config, c->token_jwks };
	const char *const logs[] = { c->access_log, c->audit_log, c->pid_file };
	int r = allow_dir(rules, c->root, LL_STORE & known, err);

	for (size_t i = 0; i < ARRAY_LEN(read) && r >= 0; i++)
		r = allow_beside(rules, read[i], LL_READ, err);
	for (size_t i = 0; i < c->ntls && r >= 0; i++) {
		r = allow_beside(rules, c->tls_certs[i], LL_READ, err);
		if (r >= 0)
			r = allow_beside(rules, c->tls_keys[i], LL_READ, err);
	}
	for (size_t i = 0; i < ARRAY_LEN(logs) && r >= 0; i++)
		r = allow_beside(rules, logs[i], LL_LOGS & known, err);
	for (size_t i = 0; i < c->nlisten && r >= 0; i++)
		if (strncmp(c->listen[i], "unix://", 7) == 0)
			r = allow_beside(rules, c->listen[i] + 7, LL_SOCKETS & known, err);
	if (r >= 0 && c->metrics && strncmp(c->metrics, "unix://", 7) == 0)
		r = allow_beside(rules, c->metrics + 7, LL_SOCKETS & known, err);
	if (r >= 0)
		r = allow_beside(rules, c->admin, LL_SOCKETS & known, err);
	if (r >= 0 && c->outward)
		r = allow_outward(rules, c, err);
	return r < 0 ? r : allow_dir(rules, "/proc", LL_READ, err);
}

static int restrict_files(const struct registry_conf *conf, struct err *err)
{
	CLEANUP(fd_close) int rules = -1;
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
	uint64_t known = abi >= 3 ? 0x7fff : abi == 2 ? 0x3fff : 0x1fff;
	int r;

	if (abi < 1)
		return 0; /* not built in or switched off: the other layers stand */
	rules = (int)syscall(SYS_landlock_create_ruleset, &known, sizeof(known), 0);
	if (rules < 0)
		return err_sys(err, "make a Landlock rule set");
	r = allow_all(rules, known, conf, err);
	if (r >= 0 && syscall(SYS_landlock_restrict_self, rules, 0) < 0)
		r = err_sys(err, "enter the Landlock rule set");
	return r;
}

/* ---- system calls ---- */

static int install(const struct seccomp_filter *f, struct err *err)
{
	CLEANUP(seccomp_prog_fini) struct seccomp_prog prog = { 0 };
	int r = seccomp_compile(f, &prog, err);

	return r < 0 ? r : seccomp_install(&prog, NULL, err);
}

/* Nobody is configured that it would speak to first. */
static int restrict_outward(struct err *err)
{
	static const char *const connects[] = { "connect" };
	static const char *const sends[] = { "sendto" };
	static const char *const sockets[] = { "socket" };
	/* A destination, as of UDP or TCP fast open; and datagrams, whose sendmsg has one too. */
	static const struct seccomp_cond addressed = { .index = 4, .op = SECCOMP_CMP_NE };
	static const struct seccomp_cond not_stream = {
		.index = 1, .op = SECCOMP_CMP_MASKED_EQ, .value = 0xf, .value_two = SOCK_DGRAM
	};
	const struct seccomp_rule rules[] = {
		{ connects, 1, SECCOMP_ACT_ERRNO, EPERM, NULL, 0 },
		{ sends, 1, SECCOMP_ACT_ERRNO, EPERM, &addressed, 1 },
		{ sockets, 1, SECCOMP_ACT_ERRNO, EPERM, &not_stream, 1 },
	};
	const struct seccomp_filter f = { .def_action = SECCOMP_ACT_ALLOW,
					  .def_errno = SECCOMP_ERRNO_UNSET,
					  .rules = rules,
					  .n_rules = ARRAY_LEN(rules) };

	return install(&f, err);
}

static int restrict_calls(struct err *err)
{
	static const char *const names[] = {
		"execve", "execveat", "ptrace", "process_vm_readv", "process_vm_writev",
		"fork",	  "vfork"
	};
	static const struct seccomp_rule rule = { .names = names,
						  .n_names = ARRAY_LEN(names),
						  .action = SECCOMP_ACT_ERRNO,
						  .errno_ret = EPERM };
	const struct seccomp_filter no_programs = { .def_action = SECCOMP_ACT_ALLOW,
						    .def_errno = SECCOMP_ERRNO_UNSET,
						    .rules = &rule,
						    .n_rules = 1 };
	const struct seccomp_default_params params = { 0 };
	CLEANUP(arena_free) struct arena *a = arena_new("system call filter", 1u << 20);
	struct seccomp_filter usual;
	int r = seccomp_default_build(&params, a, &usual, err);

	if (r >= 0)
		r = install(&usual, err);
	return r < 0 ? r : install(&no_programs, err);
}

int privileges_drop(const struct registry_conf *conf, struct err *err)
{
	int r;

	if (geteuid() != 0)
		return err_set(err, ERR_FORBIDDEN, "--user: only root can become another user");
	r = take_root(conf, err);
	if (r >= 0)
		r = drop_root(conf, err);
	if (r >= 0)
		r = restrict_files(conf, err);
	if (r >= 0)
		r = restrict_calls(err);
	if (r >= 0 && !conf->outward)
		r = restrict_outward(err);
	return r < 0 ? err_wrap(err, "--user %u", conf->uid) : 0;
}
