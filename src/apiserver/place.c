/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/place.h"

#include "apiserver/apiserver.h"
#include "apiserver/pki.h"
#include "base/err.h"
#include "base/fd.h"
#include "linux/caps.h"
#include "linux/confine.h"
#include "linux/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

void place_fini(struct place *p)
{
	fd_close(p->lock);
	fd_close(p->fd);
	*p = PLACE_INIT;
}

static int take_lock(struct place *p, const char *root, struct err *err)
{
	p->lock = sys_openat(p->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (p->lock < 0)
		return err_sys(err, "open '%s/%s/lock'", root, APISERVER_DIR);
	/* A file that root made is of no use to the user that it becomes. */
	if (geteuid() == 0 && fchown(p->lock, p->uid, p->gid) < 0)
		return err_sys(err, "give '%s/%s/lock' away", root, APISERVER_DIR);
	if (flock(p->lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return err_set(err, ERR_CONFLICT,
			       "another API server (or teu store, teu certs) runs with --root %s",
			       root);
	return err_sys(err, "lock '%s/%s/lock'", root, APISERVER_DIR);
}

/* Half written files of a process that was killed (fd_replace_file's names). */
static void sweep(int dirfd, const char *name)
{
	int fd = sys_openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW, 0);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d) {
		fd_close(fd);
		return;
	}
	for (const struct dirent *e; (e = readdir(d));) {
		struct slice s = slice_str(e->d_name);

		if (s.p[0] == '.' && slice_ends(s, SLICE(".tmp")))
			(void)unlinkat(fd, e->d_name, 0); /* it is tried again next time */
	}
	(void)closedir(d);
}

static int open_dir(const char *path, const struct place_want *want, struct place *p,
		    struct err *err)
{
	struct stat st;

	p->fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW, 0);
	if (p->fd < 0 && errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND,
			       "there is no '%s': no API server was started with this --root",
			       path);
	if (p->fd < 0 || fstat(p->fd, &st) < 0)
		return err_sys(err, "open '%s'", path);
	p->uid = st.st_uid;
	p->gid = st.st_gid;
	if (geteuid() != 0 && st.st_uid != geteuid())
		return err_set(err, ERR_FORBIDDEN, "'%s' belongs to uid %u, we are %u", path,
			       st.st_uid, geteuid());
	return fchdir(p->fd) < 0 ? err_sys(err, "go to '%s'", path) : 0;
}

int place_open(const char *root, const struct place_want *want, struct place *ret, struct err *err)
{
	CLEANUP(place_fini) struct place p = PLACE_INIT;
	char path[PATH_MAX];
	int r = 0;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", root, APISERVER_DIR) >= sizeof(path))
		return err_set(err, ERR_INVALID, "--root '%.100s...' is too long", root);
	if (want->make) /* others may pass it, and no more */
		r = fd_mkdir_p(AT_FDCWD, root, 0711, err);
	if (r == 0 && want->make)
		r = want->take ? confine_take_dir(path, want->uid, want->gid, err)
			       : fd_mkdir_p(AT_FDCWD, path, 0700, err);
	if (r == 0)
		r = open_dir(path, want, &p, err);
	if (r == 0 && want->lock)
		r = take_lock(&p, root, err);
	if (r < 0)
		return r;
	if (want->lock) {
		sweep(p.fd, ".");
		sweep(p.fd, PKI_DIR);
	}
	*ret = p;
	p = PLACE_INIT;
	return 0;
}

int place_become_owner(const struct place *p, struct err *err)
{
	const struct caps none = { 0 };

	if (geteuid() != 0 || p->uid == 0)
		return 0;
	if (caps_set_ids(p->uid, p->gid, NULL, 0, false, err) < 0 || caps_apply(&none, err) < 0)
		return err_wrap(err, "become uid %u, whose the state is", p->uid);
	return 0;
}
