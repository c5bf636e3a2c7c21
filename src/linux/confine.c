/* SPDX-License-Identifier: Apache-2.0 */
#include "linux/confine.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "linux/caps.h"
#include "linux/proc.h"
#include "linux/seccomp-default.h"
#include "linux/sys.h"

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

int confine_parse_user(const char *text, uid_t reserved, uid_t *ret_uid, gid_t *ret_gid,
		       struct err *err)
{
	struct slice rest = slice_str(text), first = slice_split(&rest, ':');
	int r;

	if (strcmp(text, "reserved") == 0) {
		*ret_uid = *ret_gid = reserved;
		return 0;
	}
	r = parse_id(first, text, ret_uid, err);
	*ret_gid = *ret_uid;
	return r < 0 || !rest.p ? r : parse_id(rest, text, ret_gid, err);
}

/* ---- its directory ---- */

int confine_take_dir(const char *path, uid_t uid, gid_t gid, struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	struct stat st;

	if (fd_mkdir_p(AT_FDCWD, path, 0700, err) < 0)
		return err_ret(err);
	fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, "open '%s'", path);
	if (st.st_uid == uid)
		return 0;
	/* A directory that is empty has two links and nothing below: rmdir would take it. */
	if (st.st_uid == 0 && st.st_nlink == 2 && unlinkat(AT_FDCWD, path, AT_REMOVEDIR) == 0) {
		fd_close(STEAL_FD(fd));
		if (fd_mkdir_p(AT_FDCWD, path, 0700, err) < 0)
			return err_ret(err);
		fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW, 0);
		if (fd < 0 || fchown(fd, uid, gid) < 0)
			return err_sys(err, "give '%s' to uid %u", path, uid);
		return 0;
	}
	return err_set(err, ERR_CONFLICT,
		       "directory '%s' belongs to uid %u: chown -R %u:%u it, or give another "
		       "--root",
		       path, st.st_uid, uid, gid);
}

static int drop_root(const struct confine *f, struct err *err)
{
	const struct caps none = { 0 };
	int r = caps_drop_bounding(&none, err);

	if (r >= 0)
		r = caps_set_ids(f->uid, f->gid, NULL, 0, false, err);
	return r < 0 ? r : caps_apply(&none, err);
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

static const uint64_t accesses[] = { [CONFINE_READ] = LL_READ,
				     [CONFINE_LOGS] = LL_LOGS,
				     [CONFINE_SOCKETS] = LL_SOCKETS,
				     [CONFINE_STORE] = LL_STORE };

static int allow_beside(int rules, const char *path, uint64_t access, struct err *err)
{
	char dir[PATH_MAX];
	char *slash;

	if (!str_copy(dir, sizeof(dir), path))
		return err_set(err, ERR_INVALID, "path '%.100s...' is too long", path);
	slash = strrchr(dir, '/');
	if (!slash)
		(void)str_copy(dir, sizeof(dir), ".");
	else
		slash[slash == dir] = '\0';
	return allow_dir(rules, dir, access, err);
}

static int allow_all(int rules, uint64_t known, const struct confine *f, struct err *err)
{
	int r = allow_dir(rules, "/proc", LL_READ, err);

	for (size_t i = 0; i < f->npaths && r >= 0; i++) {
		const struct confine_path *p = &f->paths[i];
		uint64_t access = accesses[p->access] & known;

		if (p->path)
			r = p->beside ? allow_beside(rules, p->path, access, err)
				      : allow_dir(rules, p->path, access, err);
	}
	return r;
}

/* Made while root can still pass everywhere. -1: not built in or switched off; the other layers
 * stand. */
static int make_rules(const struct confine *f, int *ret, struct err *err)
{
	CLEANUP(fd_close) int rules = -1;
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
	uint64_t known = abi >= 3 ? 0x7fff : abi == 2 ? 0x3fff : 0x1fff;

	*ret = -1;
	if (abi < 1)
		return 0;
	rules = (int)syscall(SYS_landlock_create_ruleset, &known, sizeof(known), 0);
	if (rules < 0)
		return err_sys(err, "make a Landlock rule set");
	if (allow_all(rules, known, f, err) < 0)
		return err_ret(err);
	*ret = STEAL_FD(rules);
	return 0;
}

static int restrict_files(int rules, struct err *err)
{
	if (rules >= 0 && syscall(SYS_landlock_restrict_self, rules, 0) < 0)
		return err_sys(err, "enter the Landlock rule set");
	return 0;
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

int confine_enter(const struct confine *f, struct err *err)
{
	CLEANUP(fd_close) int rules = -1;
	int r = make_rules(f, &rules, err);

	if (r >= 0 && f->drop)
		r = drop_root(f, err);
	if (r >= 0)
		r = proc_set_no_new_privs(err);
	if (r >= 0)
		r = restrict_files(rules, err);
	if (r >= 0)
		r = restrict_calls(err);
	if (r >= 0 && !f->outward)
		r = restrict_outward(err);
	return r;
}
