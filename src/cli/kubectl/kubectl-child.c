/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of the user's that kubectl runs: diff, editors; and files for them. */
#include "cli/kubectl/kubectl-child.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "cli/kubectl/kubectl.h"
#include "linux/proc.h"
#include "linux/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct child {
	const char *path;
	char *const *words;
};

/* On the parent's memory until exec. */
static int child_main(void *arg)
{
	const struct child *c = arg;

	if (proc_reset_signals(NULL) < 0)
		return 126;
	sys_execveat(AT_FDCWD, c->path, (char **)c->words, environ, 0);
	return 127;
}

static const char *find(struct kubectl *k, const char *word)
{
	struct slice rest = slice_str(getenv("PATH"));

	if (strchr(word, '/'))
		return access(word, X_OK) == 0 ? word : NULL;
	while (rest.p) {
		struct slice dir = slice_split(&rest, ':');
		const char *path =
			dir.n ? arena_printf(k->arena, "%.*s/%s", (int)dir.n, dir.p, word) : NULL;

		if (path && access(path, X_OK) == 0)
			return path;
	}
	return NULL;
}

int child_run(struct kubectl *k, char *const *words, int *ret_status, struct err *err)
{
	struct child c = { .words = words };
	struct proc_clone pc = { .fn = child_main, .arg = &c, .cgroup_fd = -1, .shared = true };
	__attribute__((cleanup(proc_fini_cleanup_))) struct proc proc = { .pidfd = -1 };
	struct proc_exit x;
	int r = kubectl_flush(k, err);

	if (r < 0)
		return r;
	(void)fd_write_all(2, buf_str(&k->errors), k->errors.n); /* nobody is left to tell */
	buf_clear(&k->errors);
	k->first_note = 0;
	c.path = find(k, words[0]);
	if (!c.path)
		return err_set(err, ERR_NOT_FOUND,
			       "exec: \"%s\": executable file not found in $PATH", words[0]);
	r = proc_clone(&pc, &proc, err);
	if (r == 0)
		r = proc_wait(proc.pidfd, -1, &x, err);
	if (r < 0)
		return err_wrap(err, "run %s", words[0]);
	*ret_status = proc_exit_code(&x);
	return 0;
}

const char *child_name(struct kubectl *k, const char *prefix, const char *suffix)
{
	const char *dir = getenv("TMPDIR");

	return arena_printf(k->arena, "%s/%s%u%s", dir && *dir ? dir : "/tmp", prefix,
			    (unsigned)random_u64(), suffix);
}

int child_folder(struct kubectl *k, const char *prefix, const char **ret, struct err *err)
{
	const char *path = child_name(k, prefix, "");

	if (!path)
		return arena_quota(k->arena, err);
	if (sys_mkdirat(AT_FDCWD, path, 0700) < 0)
		return err_sys(err, "make folder %s", path);
	*ret = path;
	return 0;
}

void child_remove(const char *folder)
{
	if (folder)
		(void)fd_remove_tree(AT_FDCWD, folder, NULL); /* of a folder for temporary files */
}

int child_write(const char *path, struct slice text, struct err *err)
{
	CLEANUP(fd_close)
	int fd = sys_openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 || fd_write_all(fd, text.p ? text.p : "", text.n) < 0)
		return err_sys(err, "write %s", path);
	return 0;
}
