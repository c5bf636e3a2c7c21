/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.intelRdt: classes of service and monitoring groups in resctrl. Spec:
 * config-linux.md#intelrdt.
 *
 * A class is a directory of the resctrl mount. Ours (no closID) is removed with the container; one
 * that the config names is made when missing and stays. A class that is there already must have the
 * schemata asked for; nothing is written to it then. The directory goes by fd, its names are
 * checked by conf_check and rt_check_id.
 */
#include "runtime/look.h"

#include "base/fd.h"
#include "linux/sys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#define SCHEMATA_MAX 65536
#ifdef TEU_FAULT /* tests alone: the directories of a recorded tree do not fill themselves */
#define TREE_CREAT O_CREAT
#else
#define TREE_CREAT 0
#endif
#define RESCTRL_MAGIC 0x7655821

static int open_root(int *ret, struct err *err)
{
	char tree[256];
	const char *real = "/sys/fs/resctrl", *path = sys_tree_path(real, tree, sizeof(tree));
	struct statfs sf;

	*ret = sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (*ret >= 0 && (path != real || (fstatfs(*ret, &sf) == 0 && sf.f_type == RESCTRL_MAGIC)))
		return 0;
	fd_close(*ret);
	*ret = -1;
	return err_set(err, ERR_UNSUPPORTED,
		       "linux.intelRdt: no resctrl is mounted on %s (the kernel needs "
		       "CONFIG_X86_CPU_RESCTRL, the processor RDT)",
		       path);
}

static int put(int dir, const char *file, const char *text, struct err *err)
{
	CLEANUP(fd_close)
	int fd = sys_openat(dir, file, O_WRONLY | O_APPEND | O_CLOEXEC | TREE_CREAT, 0600);

	if (fd < 0 || sys_write(fd, text, strlen(text)) < 0)
		return err_sys(err, "linux.intelRdt: write '%.*s' to resctrl's %s",
			       (int)strcspn(text, "\n"), text, file);
	return 0;
}

static int put_schema(int dir, const char *line, struct err *err)
{
	char text[4096];

	if ((size_t)snprintf(text, sizeof(text), "%s\n", line) >= sizeof(text))
		return err_set(err, ERR_INVALID, "linux.intelRdt: a schema is too long");
	return put(dir, "schemata", text, err);
}

/* "0=7f;1=f" holds "1=0f": numbers count, not how they are written. */
static bool holds_domain(struct slice have, struct slice want, bool hex)
{
	struct slice id = slice_split(&want, '=');

	while (have.p) {
		struct slice value = slice_split(&have, ';'), key = slice_split(&value, '=');
		char a[32], b[32];

		if (!slice_eq(slice_trim(key), slice_trim(id)))
			continue;
		(void)snprintf(a, sizeof(a), "%.*s", (int)MIN(value.n, 31u), value.p);
		(void)snprintf(b, sizeof(b), "%.*s", (int)MIN(want.n, 31u), want.p ? want.p : "");
		return strtoull(a, NULL, hex ? 16 : 10) == strtoull(b, NULL, hex ? 16 : 10);
	}
	return false;
}

/* Does the text of a schemata file say what the line wants? */
static bool holds(struct slice file, const char *line)
{
	struct slice want = slice_str(line), kind = slice_split(&want, ':');

	while (file.p) {
		struct slice have = slice_split(&file, '\n'), name = slice_split(&have, ':');

		if (!slice_eq(slice_trim(name), slice_trim(kind)))
			continue;
		while (want.p)
			if (!holds_domain(have, slice_split(&want, ';'), !slice_is(kind, "MB")))
				return false;
		return true;
	}
	return false;
}

/* Each line in the order that the spec gives. */
static int each_schema(const struct conf_rdt *d, int dir, const struct buf *have, struct err *err)
{
	size_t n = d->schemata.n + 2;

	for (size_t i = 0; i < n; i++) {
		const char *line = i == 0 ? d->l3 : i == 1 ? d->mem_bw : d->schemata.v[i - 2];
		int r = 0;

		if (!line || !line[0])
			continue;
		if (!have)
			r = put_schema(dir, line, err);
		else if (!holds(buf_slice(have), line))
			r = err_set(err, ERR_CONFLICT,
				    "linux.intelRdt: class '%s' is there already without '%s'",
				    d->clos, line);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool has_schema(const struct conf_rdt *d)
{
	return d->schemata.n || (d->l3 && d->l3[0]) || (d->mem_bw && d->mem_bw[0]);
}

static int open_named(int root, const struct conf_rdt *d, const char *id)
{
	const char *name = !d->clos ? id : strcmp(d->clos, "/") ? d->clos : ".";

	return sys_openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
}

static int open_class(const struct conf_rdt *d, const char *id, int root, struct rdt *ret,
		      struct err *err)
{
	const char *name = d->clos ? d->clos : id;
	bool there = true;

	if (strcmp(name, "/") && (!d->clos || has_schema(d))) {
		there = sys_mkdirat(root, name, 0755) < 0;
		if (there && errno != EEXIST)
			return err_sys(err, "linux.intelRdt: make the class '%s'%s", name,
				       errno == ENOSPC ? " (all classes of the hardware are used)"
						       : "");
	}
	ret->made_class = !there && !d->clos;
	ret->dir = open_named(root, d, id);
	if (ret->dir < 0)
		return err_sys(err, "linux.intelRdt: open the class '%s'", name);
	/* Our own that a killed runtime left is written again. */
	ret->check = there && d->clos;
	return 0;
}

int rdt_add(const struct conf_rdt *d, const char *id, pid_t pid, const struct rdt *to,
	    struct err *err)
{
	char text[16], group[300];
	int r;

	(void)snprintf(text, sizeof(text), "%d", (int)pid);
	(void)snprintf(group, sizeof(group), "mon_groups/%s/tasks", id);
	r = put(to->dir, "tasks", text, err);
	return r < 0 || !d->monitoring ? r : put(to->dir, group, text, err);
}

int rdt_apply(const struct conf_rdt *d, const char *id, pid_t pid, struct rdt *ret, struct err *err)
{
	CLEANUP(buf_fini) struct buf have = BUF_INIT(SCHEMATA_MAX);
	CLEANUP(fd_close) int root = -1;
	char group[300];
	int r;

	r = open_root(&root, err);
	if (r >= 0)
		r = open_class(d, id, root, ret, err);
	if (r < 0)
		return r;
	if (ret->check && has_schema(d)) {
		r = fd_read_file(ret->dir, "schemata", &have, err);
		if (r < 0)
			return r;
	}
	r = each_schema(d, ret->dir, ret->check ? &have : NULL, err);
	if (r < 0 || !d->monitoring)
		return r < 0 ? r : rdt_add(d, id, pid, ret, err);
	if (TREE_CREAT)
		(void)sys_mkdirat(ret->dir, "mon_groups", 0755); /* may be there */
	(void)snprintf(group, sizeof(group), "mon_groups/%s", id);
	if (sys_mkdirat(ret->dir, group, 0755) < 0)
		return err_sys(err, "linux.intelRdt.enableMonitoring: make the group '%s'", group);
	ret->made_group = true;
	return rdt_add(d, id, pid, ret, err);
}

void rdt_fini(struct rdt *d)
{
	fd_close(d->dir);
	d->dir = -1;
}

static int drop(int dir, const char *name, struct err *err)
{
	int r = sys_unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT;

	if (!r && errno == ENOTEMPTY && TREE_CREAT != 0) /* resctrl removes what it holds itself */
		r = fd_remove_tree(dir, name, NULL) >= 0;
	return r ? 0 : err_sys(err, "linux.intelRdt: remove resctrl's '%s'", name);
}

int rdt_remove(const struct conf_rdt *d, const char *id, uint32_t what, struct err *err)
{
	CLEANUP(fd_close) int root = -1;
	CLEANUP(fd_close) int dir = -1;
	char group[300];
	int r = open_root(&root, err);

	if (r < 0)
		return r;
	dir = open_named(root, d, id);
	(void)snprintf(group, sizeof(group), "mon_groups/%s", id);
	if (dir >= 0 && what & RDT_GROUP)
		r = drop(dir, group, err);
	if (r >= 0 && what & RDT_CLASS)
		r = drop(root, id, err);
	return r;
}

int rdt_open(const struct conf_rdt *d, const char *id, int *ret_root, int *ret_class,
	     struct err *err)
{
	CLEANUP(fd_close) int root = -1;
	int r = open_root(&root, err), dir;

	if (r < 0)
		return r;
	dir = open_named(root, d, id);
	if (dir < 0)
		return err_sys(err, "linux.intelRdt: open the container's class");
	*ret_root = STEAL_FD(root);
	*ret_class = dir;
	return 0;
}

int rt_update_rdt(struct rt_container *c, const char *l3, const char *mem_bw, struct err *err)
{
	CLEANUP(look_fini) struct look l = { 0 };
	struct conf_rdt d = { .l3 = l3, .mem_bw = mem_bw };
	CLEANUP(fd_close) int root = -1;
	CLEANUP(fd_close) int dir = -1;
	struct conf conf;
	int r;

	r = look(c, LOOK_LOCK | LOOK_ALL, &l, err);
	if (r >= 0)
		r = conf_read(l.s.config, l.arena, &conf, err);
	if (r < 0)
		return r;
	if (l.status == RT_STOPPED)
		return err_set(err, ERR_CONFLICT, "container not running: it is stopped");
	if (!conf.lin.rdt)
		return err_set(
			err, ERR_UNSUPPORTED,
			"linux.intelRdt cannot be updated: the container was made without it");
	r = rdt_open(conf.lin.rdt, c->id, &root, &dir, err);
	return r < 0 ? r : each_schema(&d, dir, NULL, err);
}
