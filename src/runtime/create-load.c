/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a create is asked for: the bundle's config.json and its root, read once. Later edits of the
 * bundle have no effect.
 */
#include "runtime/create-private.h"

#include "base/arena.h"
#include "base/fd.h"
#include "linux/path.h"
#include "linux/sys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Absolute, and no component of it is empty, "." or "..". */
static bool is_plain(const char *path)
{
	struct slice rest = slice_str(path), part;

	if (path[0] != '/' || !path[1] || strlen(path) >= PATH_MAX)
		return false;
	(void)slice_split(&rest, '/');
	while (rest.p) {
		part = slice_split(&rest, '/');
		if (!part.n || slice_is(part, ".") || slice_is(part, ".."))
			return false;
	}
	return true;
}

/* realpath() by one call where the path has no links, else by two, instead of one per component. */
static int real_dir(const char *path, char out[PATH_MAX])
{
	const struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
				      .resolve = RESOLVE_NO_SYMLINKS };
	CLEANUP(fd_close) int fd = is_plain(path) ? sys_openat2(AT_FDCWD, path, &how) : -1;

	if (fd >= 0) {
		(void)str_copy(out, PATH_MAX, path); /* fits */
		return 0;
	}
	fd = sys_openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (path_name_of_fd(fd, out, PATH_MAX, NULL) < 0 || out[0] != '/')
		return realpath(path, out) ? 0 : -1; /* no /proc, or not below our root */
	return 0;
}

static int read_config(struct create *c, const char *path, struct err *err)
{
	/* O_NONBLOCK: a pipe that nobody writes to would be waited for without end. */
	CLEANUP(fd_close)
	int fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
	struct stat st;
	ssize_t n;
	char *text;

	if (fd < 0)
		return err_sysc(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM, errno,
				"open '%s'", path);
	if (sys_fstat(fd, &st) < 0)
		return err_sys(err, "look at '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID, "'%s' is not a regular file", path);
	/* A file that grows meanwhile is read up to the maximum. */
	n = MIN(st.st_size, (off_t)RT_CONFIG_MAX);
	text = arena_alloc_raw(c->arena, (size_t)n + 1, 1);
	if (!text)
		return arena_quota(c->arena, err);
	n = fd_read_full(fd, text, (size_t)n + 1);
	if (n < 0)
		return err_sys(err, "read '%s'", path);
	c->text = slice_of(text, (size_t)n);
	return 0;
}

int create_load(struct create *c, struct err *err)
{
	char path[PATH_MAX + 16];
	const char *root;
	int r;

	if (real_dir(c->o->bundle ? c->o->bundle : ".", c->bundle) < 0)
		return err_sys(err, "bundle '%s'", c->o->bundle ? c->o->bundle : ".");
	c->text = c->o->config;
	if (!c->text.p) {
		(void)snprintf(path, sizeof(path), "%s/config.json", c->bundle);
		r = read_config(c, path, err);
		if (r < 0)
			return r;
	}
	if (c->text.n > RT_CONFIG_MAX)
		return err_set(err, ERR_TOO_LARGE, "config.json is larger than %d bytes",
			       RT_CONFIG_MAX);
	r = conf_read(c->text, c->arena, &c->conf, err);
	if (r >= 0 && hooks_mask(&c->conf.hooks))
		r = hooks_open(&c->conf, err);
	if (r < 0)
		return r;
	root = c->conf.root->path;
	if ((size_t)snprintf(path, sizeof(path), root[0] == '/' ? "%s" : "%.0s%s/%s", root,
			     c->bundle, root) >= PATH_MAX)
		return err_set(err, ERR_INVALID, "root.path is too long");
	if (real_dir(path, c->rootfs) < 0)
		return errno == ENOTDIR ? err_set(err, ERR_INVALID,
						  "root.path '%s' is not a directory", path)
					: err_sys(err, "root.path '%s'", path);
	if (!strcmp(c->rootfs, "/"))
		return err_set(err, ERR_INVALID, "root.path is the host's root directory");
	return 0;
}

int create_check_console(const struct create *c, struct err *err)
{
	bool tty = c->conf.process && c->conf.process->terminal;
	bool asked = c->o->console_socket || (c->o->flags & RT_RAW_CONSOLE);

	if (tty && !asked)
		return err_set(
			err, ERR_INVALID,
			"process.terminal is true: a console socket is needed (--console-socket)");
	if (!tty && c->o->console_socket)
		return err_set(err, ERR_INVALID,
			       "a console socket is given but process.terminal is false");
	return 0;
}
