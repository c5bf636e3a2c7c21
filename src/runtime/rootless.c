/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Callers that are not root of the machine: another user, or root of a user namespace only (which
 * is what rootless engines give us).
 *
 * Such a caller may map only its own id by itself. Ranges are written by the set-uid helpers
 * newuidmap and newgidmap, which ask /etc/subuid and /etc/subgid; they are looked for in the
 * system's directories only, never in PATH. While the maps are written init has to be dumpable, for
 * else its files in /proc are the machine's root's: it makes itself undumpable right after.
 */
#include "runtime/rt.h"

#include "base/fd.h"
#include "linux/ns.h"
#include "linux/proc.h"
#include "linux/sys.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HELPER_MS = 30000, LINES_MAX = 340 };

bool rt_is_rootless(const struct rt_host *h)
{
	CLEANUP(fd_close) int fd = -1;
	char text[64] = "";
	unsigned a, b, n;

	if (h->rootless != RT_ROOTLESS_AUTO)
		return h->rootless == RT_ROOTLESS_YES;
	if (geteuid() != 0)
		return true;
	fd = sys_openat(AT_FDCWD, "/proc/self/uid_map", O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0 || fd_read_full(fd, text, sizeof(text) - 1) <= 0)
		return false;
	return sscanf(text, "%u %u %u", &a, &b, &n) != 3 || b != 0 || n != UINT32_MAX;
}

const char *rt_default_root(char *buf, size_t n, struct err *err)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");

	/* Root of an engine's user namespace has its own /run only if the engine gave it one. */
	if (geteuid() == 0 && (!dir || !*dir || access("/run", W_OK) == 0))
		return "/run/teu-oci";
	if (!dir || dir[0] != '/') {
		(void)err_set(err, ERR_INVALID,
			      "uid %u has no place for the state of containers: set "
			      "XDG_RUNTIME_DIR, or give --root",
			      (unsigned)geteuid());
		return NULL;
	}
	if ((size_t)snprintf(buf, n, "%s/teu-oci", dir) >= n) {
		(void)err_set(err, ERR_INVALID, "XDG_RUNTIME_DIR is too long");
		return NULL;
	}
	return buf;
}

int rt_check_rootless(const struct conf *c, struct err *err)
{
	if (geteuid() == 0 || conf_ns(c, NS_USER))
		return 0;
	return err_set(err, ERR_INVALID,
		       "linux.namespaces: uid %u needs a user namespace in the config ('spec "
		       "--rootless' makes one)",
		       (unsigned)geteuid());
}

/* ---- maps ---- */

struct helper {
	char *argv[3 * LINES_MAX + 3];
	char text[3 * LINES_MAX + 1][12];
	const char *path;
};

static int helper_main(void *arg)
{
	struct helper *h = arg;
	static char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };

	(void)proc_reset_signals(NULL); /* the defaults are a nicety here */
	(void)sys_execveat(AT_FDCWD, h->path, h->argv, env, 0);
	return 127;
}

static const char *find_helper(const char *const paths[2])
{
	for (int i = 0; i < 2; i++)
		if (access(paths[i], X_OK) == 0)
			return paths[i];
	return NULL;
}

static int run_helper(const char *const paths[2], pid_t pid, const struct ns_id_map *m, size_t n,
		      struct err *err)
{
	CLEANUP_FREE struct helper *h = calloc(1, sizeof(*h));
	struct proc p = { .pidfd = -1 };
	struct proc_exit e;
	size_t k = 0;
	int r;

	if (!h)
		abort();
	h->path = find_helper(paths);
	if (!h->path)
		return err_set(err, ERR_UNSUPPORTED,
			       "'%s' (package uidmap) is needed to map more than one's own id",
			       paths[0]);
	h->argv[0] = (char *)h->path;
	(void)snprintf(h->text[k], sizeof(h->text[k]), "%d", (int)pid);
	h->argv[1] = h->text[k++];
	for (size_t i = 0; i < n; i++) {
		const uint32_t v[3] = { m[i].inside, m[i].outside, m[i].count };

		for (int j = 0; j < 3; j++, k++) {
			(void)snprintf(h->text[k], sizeof(h->text[k]), "%u", v[j]);
			h->argv[k + 1] = h->text[k];
		}
	}
	r = proc_clone(&(struct proc_clone){ .fn = helper_main, .arg = h, .cgroup_fd = -1 }, &p,
		       err);
	if (r < 0)
		return r;
	r = proc_wait(p.pidfd, HELPER_MS, &e, err);
	if (r == 1) {
		(void)proc_signal(p.pidfd, SIGKILL, NULL); /* it may end just now */
		(void)proc_wait(p.pidfd, -1, &e, NULL);
		r = err_set(err, ERR_TIMEOUT, "'%s' does not end", h->path);
	} else if (r >= 0 && proc_exit_code(&e) != 0) {
		r = err_set(err, ERR_FORBIDDEN,
			    "'%s' refuses the mappings (status %d): see /etc/subuid and "
			    "/etc/subgid",
			    h->path, proc_exit_code(&e));
	}
	proc_fini(&p);
	return r;
}

static bool own_only(const struct ns_id_map *m, size_t n, uint32_t own)
{
	return n == 1 && m[0].count == 1 && m[0].outside == own;
}

int rt_write_maps(pid_t pid, const struct ns_id_map *u, size_t nu, const struct ns_id_map *g,
		  size_t ng, struct err *err)
{
	static const char *const uid_helpers[] = { "/usr/bin/newuidmap", "/bin/newuidmap" },
				 *const gid_helpers[] = { "/usr/bin/newgidmap", "/bin/newgidmap" };
	int r;

	if (geteuid() == 0 || (own_only(u, nu, geteuid()) && own_only(g, ng, getegid())))
		return ns_write_maps(pid, u, nu, g, ng, false, err);
	if (nu == 0 || ng == 0 || nu > LINES_MAX || ng > LINES_MAX)
		return err_set(err, ERR_INVALID, "linux.uidMappings and gidMappings: 1 to %d lines",
			       LINES_MAX);
	r = run_helper(gid_helpers, pid, g, ng, err);
	return r < 0 ? r : run_helper(uid_helpers, pid, u, nu, err);
}
