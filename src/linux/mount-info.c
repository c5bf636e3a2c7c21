/* SPDX-License-Identifier: Apache-2.0 */
/* Reading /proc/self/mountinfo, one line at a time: proc(5). Paths in it are escaped in octal. */
#include "base/err.h"
#include "base/fd.h"
#include "linux/mount.h"
#include "linux/sys.h"

#include <stdio.h>
#include <string.h>

enum { MOUNTINFO_MAX = 64 * 1024 * 1024 };

/* \040 and the like, in place. */
static char *unescape(char *s)
{
	char *out = s;

	for (char *p = s; *p; p++) {
		if (p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' &&
		    p[3] >= '0' && p[3] <= '7') {
			*out++ = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
			p += 3;
		} else {
			*out++ = *p;
		}
	}
	*out = 0;
	return s;
}

/* id parent major:minor root target options [optional...] - fstype source super */
static int parse_line(char *line, struct mount_info *mi)
{
	char *f[6], *rest = line, *tail = strstr(line, " - "), *opt;

	if (!tail)
		return -1;
	*tail = 0;
	tail += 3;
	for (int i = 0; i < 6; i++) {
		f[i] = strsep(&rest, " ");
		if (!f[i])
			return -1;
	}
	opt = rest ? rest : tail - 3; /* the empty string where " - " was */
	if (sscanf(f[0], "%d", &mi->id) != 1 || sscanf(f[1], "%d", &mi->parent) != 1 ||
	    sscanf(f[2], "%u:%u", &mi->major, &mi->minor) != 2)
		return -1;
	mi->root = unescape(f[3]);
	mi->target = unescape(f[4]);
	mi->options = f[5];
	mi->optional = opt;
	mi->fstype = strsep(&tail, " ");
	mi->source = tail ? unescape(strsep(&tail, " ")) : "";
	mi->super = tail ? tail : "";
	return 0;
}

static int each_line(char *rest, int (*fn)(const struct mount_info *mi, void *arg), void *arg,
		     struct err *err)
{
	char *line;
	int r;

	while (rest && *rest && (line = strsep(&rest, "\n"))) {
		struct mount_info mi;

		if (!*line)
			continue;
		if (parse_line(line, &mi) < 0)
			return err_set(err, ERR_SYSTEM, "mountinfo has a line of unknown form");
		r = fn(&mi, arg);
		if (r)
			return r;
	}
	return 0;
}

int mount_each(int root, int (*fn)(const struct mount_info *mi, void *arg), void *arg,
	       struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(MOUNTINFO_MAX);
	int r;

	r = root >= 0 ? fd_read_file(root, "proc/self/mountinfo", &b, err)
		      : fd_read_file(AT_FDCWD, "/proc/self/mountinfo", &b, err);
	return r < 0 ? r : each_line(b.p, fn, arg, err);
}

int mount_each_of(pid_t pid, int (*fn)(const struct mount_info *mi, void *arg), void *arg,
		  struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(MOUNTINFO_MAX);
	char path[40];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)pid);
	r = fd_read_file(AT_FDCWD, path, &b, err);
	return r < 0 ? r : each_line(b.p, fn, arg, err);
}
