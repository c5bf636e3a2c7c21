/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record of a container on disk. The state directory is tmpfs-like (it means nothing after a
 * reboot), so files are written new and renamed, without fsync: a reader sees the old or the new
 * one, never half of one.
 *
 * The text of config.json is kept inside the record: later edits of the bundle have no effect on
 * exec and hooks. The file begins with a line that names the cgroup, written before the cgroup is
 * made: a create that is killed leaves it in new.json for `delete --force`.
 */
#include "runtime/rt.h"

#include "base/arena.h"
#include "base/fd.h"
#include "doc/json.h"
#include "linux/sys.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#define FILE_NEW "new.json"
#define FILE_CREATED "created.json"
#define FILE_STARTED "state.json"

static const struct schema_field state_rows[] = {
	F_INT(struct state, version, "teu", SCHEMA_REQUIRED, 1, STATE_VERSION),
	F_STR(struct state, oci_version, "ociVersion", SCHEMA_REQUIRED, 0),
	F_STR(struct state, id, "id", SCHEMA_REQUIRED, 0),
	F_INT(struct state, pid, "pid", SCHEMA_REQUIRED, 1, INT32_MAX),
	F_INT(struct state, start, "start", SCHEMA_REQUIRED, 0, 0),
	F_STR(struct state, bundle, "bundle", SCHEMA_REQUIRED, FORMAT_ABS_PATH),
	F_STR(struct state, rootfs, "rootfs", SCHEMA_REQUIRED, FORMAT_ABS_PATH),
	F_STR(struct state, created, "created", SCHEMA_REQUIRED, 0),
	F_STR(struct state, owner, "owner", 0, 0),
	F_STR(struct state, cgroup, "cgroup", 0, 0),
	F_INT(struct state, hooks, "hooks", 0, 0, 0),
	F_BOOL(struct state, notify, "notify", 0),
	F_BOOL(struct state, process, "process", 0),
};
static const struct schema state_schema = SCHEMA("state", struct state, state_rows);

int state_open_root(const struct rt_host *h, bool make, int *ret_fd, struct err *err)
{
	int fd, r;

	fd = sys_openat(AT_FDCWD, h->root, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0 && errno == ENOENT && make) {
		r = fd_mkdir_p(AT_FDCWD, h->root, 0700, err);
		if (r < 0)
			return err_wrap(err, "state directory");
		fd = sys_openat(AT_FDCWD, h->root, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	}
	if (fd < 0) {
		if (errno == ENOENT)
			return err_set(err, ERR_NOT_FOUND, "state directory '%s' does not exist",
				       h->root);
		return err_sys(err, "open the state directory '%s'", h->root);
	}
	*ret_fd = fd;
	return 0;
}

int state_lock(int dirfd, struct err *err)
{
	struct stat st;

	while (flock(dirfd, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_sys(err, "lock the container");
	/* Deleted while we waited for its lock: the name may belong to another container by now. */
	if (sys_fstat(dirfd, &st) < 0)
		return err_sys(err, "look at the container's state");
	if (st.st_nlink == 0)
		return err_set(err, ERR_NOT_FOUND, "container does not exist");
	return 0;
}

void state_unlock(int dirfd)
{
	(void)flock(dirfd, LOCK_UN); /* cannot fail on a fd that holds it */
}

int state_make_dir(const struct rt_host *h, const char *id, int *ret_fd, struct err *err)
{
	CLEANUP(fd_close) int root = -1;
	CLEANUP(fd_close) int fd = -1;
	int r;

	r = state_open_root(h, true, &root, err);
	if (r < 0)
		return r;
	if (sys_mkdirat(root, id, 0700) < 0) {
		if (errno == EEXIST)
			return err_set(err, ERR_EXISTS,
				       "container with given ID already exists: %s", id);
		return err_sys(err, "make the state directory '%s/%s'", h->root, id);
	}
	fd = sys_openat(root, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0)
		r = err_sys(err, "open the state directory '%s/%s'", h->root, id);
	else
		r = state_lock(fd, err);
	if (r < 0) {
		(void)unlinkat(root, id, AT_REMOVEDIR); /* the first failure is the one to tell */
		return r;
	}
	*ret_fd = STEAL_FD(fd);
	return 0;
}

int state_open_dir(const struct rt_host *h, const char *id, bool lock, int *ret_fd, struct err *err)
{
	CLEANUP(fd_close) int root = -1;
	CLEANUP(fd_close) int fd = -1;
	int r;

	r = state_open_root(h, false, &root, err);
	if (r == -ERR_NOT_FOUND)
		return err_set(err, ERR_NOT_FOUND, "container does not exist");
	if (r < 0)
		return r;
	fd = sys_openat(root, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return err_set(err, ERR_NOT_FOUND, "container does not exist");
		return err_sys(err, "open the state of container '%s'", id);
	}
	if (lock) {
		r = state_lock(fd, err);
		if (r < 0)
			return r;
	}
	*ret_fd = STEAL_FD(fd);
	return 0;
}

/* The record changes its name once, at the start: looked for again if it did so between two looks.
 */
static int open_record(int dirfd, bool *ret_started)
{
	static const char *const names[] = { FILE_STARTED, FILE_CREATED, FILE_STARTED };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		int fd = sys_openat(dirfd, names[i], O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0);

		if (fd >= 0 || errno != ENOENT) {
			*ret_started = i != 1;
			return fd;
		}
	}
	return -1;
}

int state_read(int dirfd, struct arena *a, struct state *ret, struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	struct slice rest, line;
	bool started;
	struct stat st;
	struct doc *d;
	char *text;
	ssize_t n;
	int r;

	fd = open_record(dirfd, &started);
	if (fd < 0) {
		if (errno == ENOENT)
			return err_set(err, ERR_NOT_FOUND,
				       "container has no state: it is being created, or its "
				       "creation was killed "
				       "(then `delete --force` removes it)");
		return err_sys(err, "open the container's state");
	}
	if (sys_fstat(fd, &st) < 0)
		return err_sys(err, "look at the container's state");
	if (!S_ISREG(st.st_mode) || st.st_size > RT_CONFIG_MAX + 65536 + STATE_NOTE_MAX + 8)
		return err_set(err, ERR_INVALID, "the container's state is no file of ours");
	text = arena_alloc_raw(a, (size_t)st.st_size + 1, 1);
	if (!text)
		return arena_quota(a, err);
	n = fd_read_full(fd, text, (size_t)st.st_size);
	if (n < 0)
		return err_sys(err, "read the container's state");
	rest = slice_of(text, (size_t)n);
	line = slice_split(&rest, '\n');
	if (line.n && line.p[0] != '{') /* the note */
		line = slice_split(&rest, '\n');
	r = json_read(a, line, NULL, &d, err);
	if (r >= 0)
		r = schema_decode(&state_schema, d, a, ret, NULL, err);
	if (r >= 0 && !rest.p)
		r = err_set(err, ERR_INVALID, "it has no config");
	if (r < 0)
		return err_wrap(err, "the container's state");
	ret->config = rest;
	ret->started = started;
	return 0;
}

static void add_member(struct buf *b, const char *key, const char *value)
{
	if (!value)
		return;
	buf_addf(b, ",\"%s\":", key);
	(void)json_write_string(b, slice_str(value), false); /* a full buffer is seen at the end */
}

static int open_new(int dirfd, int flags, struct err *err)
{
	int fd = sys_openat(dirfd, FILE_NEW,
			    O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | flags, 0600);

	return fd < 0 ? err_sys(err, "make the container's state file") : fd;
}

int state_note(int dirfd, const char *cgroup, struct err *err)
{
	CLEANUP(fd_close) int fd = open_new(dirfd, O_EXCL, err);
	char line[STATE_NOTE_MAX + 8];
	int n = snprintf(line, sizeof(line), "cgroup %s\n", cgroup);

	if (fd < 0)
		return fd;
	if ((size_t)n >= sizeof(line) || strchr(cgroup, '\n'))
		return err_set(err, ERR_INVALID,
			       "cgroup path is longer than %d bytes or has a line break",
			       STATE_NOTE_MAX);
	return fd_write_all(fd, line, (size_t)n) < 0 ? err_sys(err, "note the cgroup") : 0;
}

int state_read_note(int dirfd, char note[STATE_NOTE_MAX + 8], struct err *err)
{
	CLEANUP(fd_close)
	int fd = sys_openat(dirfd, FILE_NEW, O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0);
	ssize_t n = fd < 0 ? -1 : fd_read_full(fd, note, STATE_NOTE_MAX + 7);
	char *end;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (n < 0)
		return err_sys(err, "read the noted cgroup");
	note[n] = '\0';
	end = strchr(note, '\n');
	if (!end || strncmp(note, "cgroup ", 7))
		return 0; /* killed before it was written: there is no cgroup yet */
	*end = '\0';
	memmove(note, note + 7, strlen(note + 7) + 1);
	return 1;
}

int state_write(int dirfd, const struct state *s, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(RT_CONFIG_MAX + 65536);
	CLEANUP(fd_close) int fd = -1;

	buf_addf(&b, "{\"teu\":%d", STATE_VERSION);
	add_member(&b, "ociVersion", s->oci_version);
	add_member(&b, "id", s->id);
	buf_addf(&b, ",\"pid\":%d,\"start\":%llu", (int)s->pid, (unsigned long long)s->start);
	add_member(&b, "bundle", s->bundle);
	add_member(&b, "rootfs", s->rootfs);
	add_member(&b, "created", s->created);
	add_member(&b, "owner", s->owner);
	add_member(&b, "cgroup", s->cgroup);
	if (buf_addf(&b, ",\"hooks\":%u%s%s}\n", s->hooks, s->notify ? ",\"notify\":true" : "",
		     s->process ? ",\"process\":true" : "") < 0 ||
	    b.n + s->config.n > RT_CONFIG_MAX + 65536)
		return err_set(err, ERR_TOO_LARGE, "the container's state is larger than %d bytes",
			       RT_CONFIG_MAX + 65536);
	fd = open_new(dirfd, 0, err);
	if (fd < 0)
		return fd;
	if (fd_write_all(fd, b.p, b.n) < 0 || fd_write_all(fd, s->config.p, s->config.n) < 0 ||
	    sys_renameat(dirfd, FILE_NEW, dirfd, s->started ? FILE_STARTED : FILE_CREATED) < 0) {
		int r = err_sys(err, "write the container's state");

		(void)unlinkat(dirfd, FILE_NEW,
			       0); /* may have been renamed: then the directory goes whole */
		return r;
	}
	return 0;
}

int state_rewrite(int dirfd, const struct state *s, struct err *err)
{
	/* Of an earlier one that was killed: ours would be appended to it. */
	if (sys_unlinkat(dirfd, FILE_NEW, 0) < 0 && errno != ENOENT)
		return err_sys(err, "remove the rest of an earlier state file");
	return state_write(dirfd, s, err);
}

int state_mark_started(int dirfd, bool socket, struct err *err)
{
	if (sys_renameat(dirfd, FILE_CREATED, dirfd, FILE_STARTED) < 0)
		return err_sys(err, "record the container's start");
	if (socket)
		(void)unlinkat(dirfd, "start.sock", 0); /* goes with the directory at the latest */
	return 0;
}

int state_remove(const struct rt_host *h, const char *id, int dirfd, struct err *err)
{
	static const char *const names[] = { FILE_STARTED, FILE_CREATED, FILE_NEW };
	CLEANUP(fd_close) int root = -1;
	int r;

	/* Nearly always there is one of them and nothing else; what else there is goes below. */
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (sys_unlinkat(dirfd, names[i], 0) == 0)
			break;
		if (errno != ENOENT)
			return err_sys(err, "remove the container's %s", names[i]);
	}
	r = state_open_root(h, false, &root, err);
	if (r < 0)
		return r;
	if (sys_unlinkat(root, id, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return err_sys(err, "remove the state directory '%s/%s'", h->root, id);
	return fd_remove_tree(root, id, err);
}

const char *rt_status_name(enum rt_status s)
{
	static const char *const names[] = { "creating", "created", "running", "paused",
					     "stopped" };

	return names[s];
}

int state_view_json(const struct state_view *v, bool pretty, struct buf *out, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("state", RT_CONFIG_MAX);
	struct json_style style = { .indent = pretty ? "  " : NULL };
	struct doc *d = doc_new_object(a);

	doc_set_str(a, d, "ociVersion", v->oci_version);
	doc_set_str(a, d, "id", v->id);
	if (v->full)
		doc_set_int(a, d, "pid", v->pid);
	doc_set_str(a, d, "status", rt_status_name(v->status));
	if (!v->full && v->pid)
		doc_set_int(a, d, "pid", v->pid);
	doc_set_str(a, d, "bundle", v->bundle);
	if (v->full) {
		doc_set_str(a, d, "rootfs", v->rootfs);
		doc_set_str(a, d, "created", v->created);
	}
	if (v->annotations && v->annotations->n) {
		struct doc *m = doc_set_object(a, d, "annotations");

		for (size_t i = 0; i < v->annotations->n; i++)
			doc_set_str(a, m, v->annotations->v[i].key, v->annotations->v[i].value);
	} else if (doc_is(v->annotations_doc, DOC_OBJECT)) {
		doc_set(a, d, "annotations", *v->annotations_doc);
	}
	if (v->full)
		doc_set_str(a, d, "owner", v->owner ? v->owner : "");
	if (arena_exceeded(a))
		return arena_quota(a, err);
	return json_write(d, &style, out, err);
}
