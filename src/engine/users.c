/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "user[:group]" to numbers, by the container's own /etc/passwd and /etc/group. The root file
 * system is not mounted here, so the files are looked up layer by layer, the container's upper
 * directory first; each layer is opened as a root of its own, so no link leads out of it. A
 * whiteout ends the search.
 */
#include "engine/private.h"

#include "linux/path.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define USERS_FILE_MAX (1u << 20)

/* Does this layer hide /etc of those below: is it removed here, or made anew (opaque)? */
static bool hides_below(int dir)
{
	CLEANUP(fd_close) int fd = -1;
	char path[40], value[2];
	struct err ignored = ERR_INIT;
	struct stat st;

	if (path_open_in(dir, "etc", O_PATH | O_NOFOLLOW, &fd, &ignored) < 0 || fstat(fd, &st) < 0)
		return false;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return S_ISCHR(st.st_mode) ||
	       (S_ISDIR(st.st_mode) &&
		(getxattr(path, "trusted.overlay.opaque", value, sizeof(value)) == 1 ||
		 getxattr(path, "user.overlay.opaque", value, sizeof(value)) == 1) &&
		value[0] == 'y');
}

/* 1 and the text, 0 if no layer has the file. */
static int read_layered(const struct user_layers *l, const char *path, struct buf *out,
			struct err *err)
{
	for (size_t i = 0; l->dirs[i]; i++) {
		CLEANUP(fd_close)
		int dir = openat(AT_FDCWD, l->dirs[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		CLEANUP(fd_close) int fd = -1;
		struct err ignored = ERR_INIT;
		struct stat st;
		char self[32];
		bool last;
		int r;

		if (dir < 0)
			return err_sys(err, "open layer '%s'", l->dirs[i]);
		last = hides_below(dir);
		/* O_PATH: neither a whiteout (a device that nobody serves) nor a pipe is opened. */
		if (path_open_in(dir, path, O_PATH, &fd, &ignored) < 0) {
			if (last)
				return 0;
			continue;
		}
		if (fstat(fd, &st) < 0)
			return err_sys(err, "stat '%s' of the container", path);
		if (S_ISCHR(st.st_mode))
			return 0;
		if (!S_ISREG(st.st_mode) || st.st_size > USERS_FILE_MAX)
			return err_set(err, ERR_BAD_REQUEST,
				       "'%s' of the container is no regular file of at most 1 MiB",
				       path);
		(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
		r = fd_read_file(AT_FDCWD, self, out, err);
		return r < 0 ? err_wrap(err, "read '%s' of the container", path) : 1;
	}
	return 0;
}

static bool number(struct slice s, uint32_t *ret)
{
	struct err ignored = ERR_INIT;
	uint64_t v;

	if (s.n == 0 || str_uint64(s, &v, &ignored) < 0 || v > INT32_MAX)
		return false;
	*ret = (uint32_t)v;
	return true;
}

/* Splits a line of passwd or group at ':' into at most n fields. */
static size_t fields(struct slice line, struct slice *f, size_t n)
{
	size_t i = 0;

	while (i < n && line.p)
		f[i++] = slice_split(&line, ':');
	return i;
}

struct wanted {
	struct slice user, group;
	bool has_group;
};

static bool find_user(struct slice text, struct slice user, struct user_ids *ret,
		      struct slice *name)
{
	uint32_t uid, id = 0;
	bool numeric = number(user, &id);

	while (text.p && text.n) {
		struct slice f[7], line = slice_split(&text, '\n');

		if (fields(line, f, 7) < 4 || !number(f[2], &uid))
			continue;
		if (!slice_eq(f[0], user) && !(numeric && uid == id))
			continue;
		ret->uid = uid;
		if (!number(f[3], &ret->gid))
			ret->gid = 0;
		*name = f[0];
		if (fields(line, f, 7) >= 6 && f[5].n < sizeof(ret->home)) {
			memcpy(ret->home, f[5].p, f[5].n);
			ret->home[f[5].n] = '\0';
		}
		return true;
	}
	return false;
}

static bool find_group(struct slice text, struct slice group, uint32_t *ret)
{
	uint32_t gid, id = 0;
	bool numeric = number(group, &id);

	while (text.p && text.n) {
		struct slice f[4], line = slice_split(&text, '\n');

		if (fields(line, f, 4) < 3 || !number(f[2], &gid))
			continue;
		if (slice_eq(f[0], group) || (numeric && gid == id)) {
			*ret = gid;
			return true;
		}
	}
	if (numeric)
		*ret = id;
	return numeric;
}

static void add_group(struct user_ids *ids, uint32_t gid)
{
	for (size_t i = 0; i < ids->ngroups; i++)
		if (ids->groups[i] == gid)
			return;
	if (ids->ngroups < ARRAY_LEN(ids->groups))
		ids->groups[ids->ngroups++] = gid;
}

/* Groups that list the user as a member. */
static void member_groups(struct slice text, struct slice name, struct user_ids *ids)
{
	while (text.p && text.n) {
		struct slice f[4], line = slice_split(&text, '\n');
		uint32_t gid;

		if (fields(line, f, 4) < 4 || !number(f[2], &gid))
			continue;
		while (f[3].p && f[3].n)
			if (slice_eq(slice_split(&f[3], ','), name)) {
				add_group(ids, gid);
				break;
			}
	}
}

int user_resolve(const struct user_layers *l, const char *user, const struct strs *group_add,
		 struct user_ids *ret, struct err *err)
{
	CLEANUP(buf_fini)
	struct buf passwd = BUF_INIT(USERS_FILE_MAX), group = BUF_INIT(USERS_FILE_MAX);
	struct slice rest = slice_str(user && *user ? user : "0"), name = { NULL, 0 };
	struct wanted w;
	int r;

	w.user = slice_split(&rest, ':');
	w.group = rest;
	w.has_group = rest.p != NULL;
	*ret = (struct user_ids){ 0 };
	str_copy(ret->home, sizeof(ret->home), "/");
	r = read_layered(l, "etc/passwd", &passwd, err);
	if (r < 0)
		return r;
	r = read_layered(l, "etc/group", &group, err);
	if (r < 0)
		return r;
	if (!find_user(buf_slice(&passwd), w.user, ret, &name)) {
		if (!number(w.user, &ret->uid))
			return err_set(
				err, ERR_BAD_REQUEST,
				"unable to find user %.*s: no matching entries in passwd file",
				(int)w.user.n, w.user.p);
	}
	if (w.has_group && !find_group(buf_slice(&group), w.group, &ret->gid))
		return err_set(err, ERR_BAD_REQUEST,
			       "unable to find group %.*s: no matching entries in group file",
			       (int)w.group.n, w.group.p);
	if (!w.has_group && name.p)
		member_groups(buf_slice(&group), name, ret);
	for (size_t i = 0; group_add && i < group_add->n; i++) {
		uint32_t gid;

		if (!find_group(buf_slice(&group), slice_str(group_add->v[i]), &gid))
			return err_set(err, ERR_BAD_REQUEST, "Unable to find group %s",
				       group_add->v[i]);
		add_group(ret, gid);
	}
	return 0;
}
