/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root file system of a container, made by init in its own mount namespace: root, mounts,
 * devices, what is masked or read-only, and the move into it.
 *
 * (1) Everything is done before the pivot, by fd below the new root (src/linux/path.h), while the
 * host's /proc and /dev can still be trusted: nothing that an image holds decides where a mount or
 * a write goes. (2) Nothing of it shows in the host's mount table: the host's tree is a slave or
 * private before the first mount.
 */
#include "runtime/rt.h"

#include "base/arena.h"
#include "base/fd.h"
#include "linux/mount.h"
#include "linux/path.h"
#include "linux/sys.h"
#include "runtime/join.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#ifndef PROC_SUPER_MAGIC
#define PROC_SUPER_MAGIC 0x9fa0
#endif
#define PROC_ROOT_INO 1

/* ---- the root itself ---- */

static unsigned long propagation_flags(const char *name)
{
	unsigned long f = name[0] == 'r' ? MS_REC : 0;
	const char *p = f ? name + 1 : name;

	if (!strcmp(p, "shared"))
		return f | MS_SHARED;
	if (!strcmp(p, "slave"))
		return f | MS_SLAVE;
	if (!strcmp(p, "private"))
		return f | MS_PRIVATE;
	return f | MS_UNBINDABLE;
}

struct parent_find {
	const char *rootfs;
	char best[4096];
};

static int parent_cb(const struct mount_info *mi, void *arg)
{
	struct parent_find *f = arg;
	size_t n = strlen(mi->target);

	if (strncmp(f->rootfs, mi->target, n) ||
	    (n > 1 && f->rootfs[n] != '/' && f->rootfs[n] != '\0'))
		return 0;
	if (n >= strlen(f->best))
		(void)str_copy(f->best, sizeof(f->best), mi->target);
	return 0;
}

/* A shared parent would pass the container's root on to the host, and pivot_root refuses it. */
static int private_parent(const char *rootfs, struct err *err)
{
	struct parent_find f = { .rootfs = rootfs };
	int r;

	r = mount_each(-1, parent_cb, &f, err);
	if (r < 0)
		return r;
	return mount_propagate(f.best[0] ? f.best : "/", MS_PRIVATE, err);
}

static bool wants_shared(const struct conf *c)
{
	return c->lin.rootfs_propagation && strstr(c->lin.rootfs_propagation, "shared");
}

/* "a:b:c" with "\:" for a colon in a path, as overlay's own option is written. */
static int split_layers(struct arena *a, const char *text, const char ***ret, size_t *ret_n,
			struct err *err)
{
	size_t n = 1, len = strlen(text);
	char *copy = arena_strndup(a, text, len), *to = copy;
	const char **v;

	for (size_t i = 0; i < len; i++)
		n += text[i] == ':';
	v = ARENA_ARRAY(a, const char *, n);
	if (!copy || !v)
		return arena_quota(a, err);
	n = 0;
	v[n++] = to;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == ':') {
			*to++ = '\0';
			v[n++] = to;
		} else {
			if (text[i] == '\\' && i + 1 < len)
				i++;
			*to++ = text[i];
		}
	}
	*to = '\0';
	*ret = v;
	*ret_n = n;
	return 0;
}

/* An extension for engines: the overlay is mounted here, where it dies with the container's mount
 * namespace. */
static int overlay_root(struct init *in, const char *lower, struct err *err)
{
	CLEANUP(mount_target_fini)
	struct mount_target t = { .root = AT_FDCWD, .path = in->rootfs, .fd = -1 };
	const char *vol = conf_annotation(in->conf, "io.teu.rootfs.volatile");
	const char *user = conf_annotation(in->conf, "io.teu.rootfs.userxattr");
	struct mount_overlay ov = {
		.upper = conf_annotation(in->conf, "io.teu.rootfs.upper"),
		.work = conf_annotation(in->conf, "io.teu.rootfs.work"),
		.is_volatile = vol && !strcmp(vol, "true"),
		.userxattr = in->user_ns || (user && !strcmp(user, "true")),
	};
	const char **layers;
	int r;

	r = split_layers(in->arena, lower, &layers, &ov.n_lower, err);
	if (r < 0)
		return r;
	ov.lower = layers;
	if (!ov.upper != !ov.work)
		return err_set(err, ERR_INVALID,
			       "io.teu.rootfs.upper and io.teu.rootfs.work go together");
	t.fd = sys_openat(AT_FDCWD, in->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (t.fd < 0)
		return err_sys(err, "open '%s'", in->rootfs);
	return mount_overlay(&t, &ov, err);
}

static int bind_root(struct init *in, struct err *err)
{
	/* A mount point of its own is what pivot_root asks for; the tree, since mounts below belong
	 * to the root. */
	if (sys_mount(in->rootfs, in->rootfs, NULL, MS_BIND | MS_REC, NULL) < 0)
		return err_sys(err, "bind the root '%s'", in->rootfs);
	return 0;
}

static unsigned long host_propagation(const struct conf *c)
{
	const char *p = c->lin.rootfs_propagation;

	return MS_REC | (p && strstr(p, "private") ? MS_PRIVATE : MS_SLAVE);
}

static int open_root(struct init *in, struct err *err)
{
	in->root = sys_openat(AT_FDCWD, in->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	return in->root < 0 ? err_sys(err, "open the root '%s'", in->rootfs) : 0;
}

static int make_root(struct init *in, struct err *err)
{
	const char *lower = conf_annotation(in->conf, "io.teu.rootfs.lower");
	int r = 0;

	/* A shared root keeps its ties to the host: engines ask for it so that binds can propagate
	 * back. */
	if (!wants_shared(in->conf))
		r = mount_propagate("/", host_propagation(in->conf), err);
	if (r >= 0 && wants_shared(in->conf))
		r = private_parent(in->rootfs, err);
	if (r >= 0)
		r = lower ? overlay_root(in, lower, err) : bind_root(in, err);
	if (r < 0)
		return r;
	return open_root(in, err);
}

/* ---- mounts ---- */

struct place {
	const struct conf_mount *m;
	struct mount_opts o;
	struct mount_target t;
};

static bool is_cgroup(const struct conf_mount *m)
{
	return m->type && (!strcmp(m->type, "cgroup") || !strcmp(m->type, "cgroup2"));
}

/* A volume over /proc would be a /proc that somebody else writes (CVE-2019-16884): what is masked,
 * and labels, would go to it. Only another procfs may be there. */
static int not_over_proc(const struct place *p, struct err *err)
{
	struct stat st;
	struct statfs sf;

	if (fstatfs(p->t.fd, &sf) < 0 || sys_fstat(p->t.fd, &st) < 0)
		return err_sys(err, "look at the mount point");
	if (sf.f_type != PROC_SUPER_MAGIC || st.st_ino != PROC_ROOT_INO)
		return 0;
	if ((p->o.flags & MS_BIND) && statfs(p->m->source, &sf) == 0 &&
	    sf.f_type == PROC_SUPER_MAGIC)
		return 0;
	return err_set(err, ERR_FORBIDDEN, "nothing but a procfs may be mounted over /proc");
}

/* crun's option: a link as source is made again as a link. 1 = done. */
static int copy_link(struct init *in, const struct place *p, struct err *err)
{
	char target[4096], old[4096], name[256];
	CLEANUP(fd_close) int dir = -1;
	ssize_t n = sys_readlinkat(AT_FDCWD, p->m->source, target, sizeof(target) - 1), m;
	int r;

	if (n < 0)
		return errno == EINVAL ? 0 : err_sys(err, "source '%s'", p->m->source);
	target[n] = '\0';
	r = path_parent_in(in->root, p->m->destination, true, &dir, name, sizeof(name), err);
	if (r < 0)
		return r;
	if (sys_symlinkat(target, dir, name) == 0)
		return 1;
	if (errno != EEXIST)
		return err_sys(err, "make the link");
	m = sys_readlinkat(dir, name, old, sizeof(old));
	if (m != n || memcmp(old, target, (size_t)n))
		return err_set(err, ERR_CONFLICT, "copy-symlink: something else is there already");
	return 1;
}

static int mount_one_bind(struct init *in, struct place *p, struct err *err)
{
	int made = in->idmaps ? in->idmaps[p->m - in->conf->mounts.v] : -1;
	struct stat st;
	int r;

	if (!p->m->source || !p->m->source[0])
		return err_set(err, ERR_INVALID, "a bind mount needs a source");
	if (p->o.copy_symlink) {
		r = copy_link(in, p, err);
		if (r != 0)
			return r;
	}
	if (sys_fstatat(AT_FDCWD, p->m->source, &st, p->o.src_nofollow ? AT_SYMLINK_NOFOLLOW : 0) <
	    0)
		return err_sys(err, "source '%s'", p->m->source);
	r = mount_target_open(&p->t, in->root, p->m->destination,
			      S_ISDIR(st.st_mode) ? MOUNT_ON_DIR : MOUNT_ON_FILE,
			      p->o.dest_nofollow, err);
	if (r < 0)
		return r;
	r = not_over_proc(p, err);
	if (r < 0)
		return r;
	/* Those with ids mapped are made by the parent, who alone may. */
	if (made >= 0)
		return mount_tree_attach(made, &p->t, err);
	return mount_bind(&p->t, AT_FDCWD, p->m->source, &p->o, -1, err);
}

/* tmpfs over a directory of the image keeps the directory's mode, so that /tmp stays 1777. */
static int tmpfs_mode(struct place *p, bool made, struct err *err)
{
	struct stat st;

	if (made || strcmp(p->m->type, "tmpfs") || strstr(buf_str(&p->o.data), "mode="))
		return 0;
	if (sys_fstat(p->t.fd, &st) < 0)
		return err_sys(err, "look at the mount point");
	if (p->o.data.n)
		buf_addc(&p->o.data, ',');
	if (!p->o.data.max)
		p->o.data.max = MOUNT_DATA_MAX;
	return buf_addf(&p->o.data, "mode=%o", (unsigned)(st.st_mode & 07777)) < 0
		       ? err_set(err, ERR_TOO_LARGE, "mount options are too long")
		       : 0;
}

static int add_label(struct init *in, struct place *p, struct err *err)
{
	const char *label = in->conf->lin.mount_label;
	const char *kind = conf_annotation(in->conf, "run.oci.mount_context_type");

	if (!label || !label[0] || !strcmp(p->m->type, "proc") || !strcmp(p->m->type, "sysfs"))
		return 0;
	if (!p->o.data.max)
		p->o.data.max = MOUNT_DATA_MAX;
	return buf_addf(&p->o.data, "%s%s=\"%s\"", p->o.data.n ? "," : "", kind ? kind : "context",
			label) < 0
		       ? err_set(err, ERR_TOO_LARGE, "mount options are too long")
		       : 0;
}

/* sysfs shows the network namespace's devices: without an own one a user namespace may only see the
 * host's. */
static int bind_sys(struct init *in, struct place *p, struct err *err)
{
	p->o.flags |= MS_BIND | MS_REC;
	return mount_bind(&p->t, AT_FDCWD, "/sys", &p->o, -1, err);
}

/* Of the pid namespace in which the container's process will be born. */
static int mount_joined_proc(struct init *in, struct place *p, struct err *err)
{
	CLEANUP(fd_close) int context = -1;
	int r = mount_proc_of(&p->t, in->proc_ns, -1, p->m->source, &p->o, err);

	if (r <= 0)
		return r;
	r = join_proc_context(in, &context, err);
	return r < 0 ? r : mount_proc_of(&p->t, in->proc_ns, context, p->m->source, &p->o, err);
}

static int mount_one_fs(struct init *in, struct place *p, struct err *err)
{
	int made, r;

	if (!p->m->type || !p->m->type[0])
		return err_set(err, ERR_INVALID, "a mount without 'bind' needs a type");
	/* A link of the image could lead to a volume where another container moves the directory
	 * away while the masks are laid (CVE-2019-19921). */
	made = mount_target_open(&p->t, in->root, p->m->destination, MOUNT_ON_DIR,
				 p->o.dest_nofollow || !strcmp(p->m->type, "proc") ||
					 !strcmp(p->m->type, "sysfs"),
				 err);
	if (made < 0)
		return made;
	r = strcmp(p->m->type, "proc") ? not_over_proc(p, err) : 0;
	if (r >= 0)
		r = tmpfs_mode(p, made, err);
	if (r >= 0)
		r = add_label(in, p, err);
	if (r < 0)
		return r;
	/* Devices must still be made in it: read-only comes at the end (dev_read_only). */
	if (!strcmp(p->m->destination, "/dev"))
		p->o.flags &= ~(unsigned long)MS_RDONLY;
	if (in->proc_ns >= 0 && !strcmp(p->m->type, "proc"))
		return mount_joined_proc(in, p, err);
	r = mount_fs(&p->t, p->m->type, p->m->source ? p->m->source : p->m->type, &p->o, err);
	if (r < 0 && in->user_ns && !strcmp(p->m->type, "sysfs") && err &&
	    (err->sys == EPERM || err->sys == EBUSY))
		r = bind_sys(in, p, err);
	return r;
}

/*
 * Three plain calls per hierarchy, by a path below our own fresh tmpfs, where nobody else has made
 * anything: with nine hierarchies the safer fd-by-fd way costs a tenth of the whole creation.
 */
static int bind_hierarchy(int dir, const char *name, const char *source, unsigned long flags,
			  struct err *err)
{
	char to[PATH_FD_LEN + 64];

	if (sys_mkdirat(dir, name, 0755) < 0)
		return err_sys(err, "make the directory '%s'", name);
	(void)snprintf(to, sizeof(to), "/proc/self/fd/%d/%s", dir,
		       name); /* names are those of the kernel: short */
	if (sys_mount(source, to, NULL, MS_BIND, NULL) < 0)
		return err_sys(err, "bind '%s'", source);
	if (flags && sys_mount(NULL, to, NULL, MS_REMOUNT | MS_BIND | flags, NULL) < 0)
		return err_sys(err, "set the flags of '%s'", name);
	return 0;
}

static int bind_all(struct init *in, struct place *p, unsigned long flags, struct err *err)
{
	struct slice rest = slice_str(in->cgroup_dirs), line;
	CLEANUP(fd_close) int dir = -1;
	int r;

	r = path_open_in(in->root, p->m->destination, O_PATH | O_DIRECTORY | O_CLOEXEC, &dir, err);
	while (r >= 0 && rest.p && rest.n) {
		char source[4096 + 64], name[48];
		struct slice word;

		line = slice_split(&rest, '\n');
		word = slice_split(&line, ' ');
		if (word.n >= sizeof(name) || line.n >= sizeof(source))
			return err_set(err, ERR_TOO_LARGE, "the cgroup's path is too long");
		(void)snprintf(name, sizeof(name), "%.*s", (int)word.n, word.p);
		(void)snprintf(source, sizeof(source), "%.*s", (int)line.n, line.p);
		r = bind_hierarchy(dir, name, source, flags, err);
	}
	return r;
}

/*
 * What a container sees as its cgroups: in v1 a tmpfs with its own directory of each hierarchy, in
 * v2 its own directory. Binds of it, not fresh mounts: a cgroup2 mount(2) can take 7 ms, a bind 15
 * us.
 */
static int mount_one_cgroup(struct init *in, struct place *p, struct err *err)
{
	unsigned long flags = p->o.flags & (MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY |
					    MS_RELATIME | MS_NOATIME);
	struct mount_opts tmp = { .flags = flags & ~(unsigned long)MS_RDONLY };
	struct mount_opts o = { .flags = MS_BIND | flags };
	int r;

	r = init_await_cgroup(in, err);
	if (r < 0)
		return r;
	if (!in->cgroup_dirs[0])
		return err_set(err, ERR_UNSUPPORTED,
			       "a cgroup mount: this machine has no cgroups mounted");
	r = mount_target_open(&p->t, in->root, p->m->destination, MOUNT_ON_DIR, p->o.dest_nofollow,
			      err);
	if (r < 0)
		return r;
	if (in->cgroup_dirs[0] == ' ') { /* v2: one directory without a name */
		in->cgroup_dirs[strcspn(in->cgroup_dirs, "\n")] = '\0';
		return mount_bind(&p->t, AT_FDCWD, in->cgroup_dirs + 1, &o, -1, err);
	}
	tmp.data = BUF_INIT(64);
	(void)buf_adds(&tmp.data, "mode=755"); /* fits */
	r = mount_fs(&p->t, "tmpfs", "tmpfs", &tmp, err);
	buf_fini(&tmp.data);
	if (r >= 0)
		r = bind_all(in, p, flags, err);
	if (r >= 0 && (flags & MS_RDONLY))
		r = mount_remount(&p->t, &o, err);
	return r;
}

static int mount_one(struct init *in, const struct conf_mount *m, struct err *err)
{
	struct place p = { .m = m, .t = { .root = -1, .fd = -1 } };
	int r;

	r = mount_opts_parse(m->options.v, m->options.n, &p.o, err);
	if (r < 0)
		goto out;
	if (p.o.flags & MS_REMOUNT) {
		r = mount_target_open(&p.t, in->root, m->destination, MOUNT_ON_EXISTING,
				      p.o.dest_nofollow, err);
		if (r >= 0)
			r = mount_remount(&p.t, &p.o, err);
	} else if (p.o.flags & MS_BIND) {
		r = mount_one_bind(in, &p, err);
	} else if (is_cgroup(m)) {
		r = mount_one_cgroup(in, &p, err);
	} else {
		r = mount_one_fs(in, &p, err);
	}
out:
	mount_target_fini(&p.t);
	mount_opts_fini(&p.o);
	if (r < 0)
		return err_wrap(err, "mount %s on '%s'", m->type ? m->type : "bind",
				m->destination);
	return 0;
}

/* ---- devices ---- */

static const struct conf_device defaults[] = {
	{ "c", "/dev/null", 1, 3, { true, 0666 }, { 0 }, { 0 } },
	{ "c", "/dev/zero", 1, 5, { true, 0666 }, { 0 }, { 0 } },
	{ "c", "/dev/full", 1, 7, { true, 0666 }, { 0 }, { 0 } },
	{ "c", "/dev/random", 1, 8, { true, 0666 }, { 0 }, { 0 } },
	{ "c", "/dev/urandom", 1, 9, { true, 0666 }, { 0 }, { 0 } },
	{ "c", "/dev/tty", 5, 0, { true, 0666 }, { 0 }, { 0 } },
};

static mode_t device_mode(const struct conf_device *d)
{
	mode_t perm = d->mode.set ? (mode_t)d->mode.v & 07777 : 0666;

	return perm | (d->type[0] == 'b' ? S_IFBLK : d->type[0] == 'p' ? S_IFIFO : S_IFCHR);
}

/* A user namespace may not make nodes: the host's own is bound in. */
static int device_bind(struct init *in, const struct conf_device *d, struct err *err)
{
	CLEANUP(mount_target_fini) struct mount_target t = { .root = -1, .fd = -1 };
	struct mount_opts o = { .flags = MS_BIND };
	int r;

	r = mount_target_open(&t, in->root, d->path, MOUNT_ON_FILE, true, err);
	if (r < 0)
		return r;
	return mount_bind(&t, AT_FDCWD, d->path, &o, -1, err);
}

/* What is there already must be the same device; a FIFO of the same name is as good as a new one.
 */
static int device_same(int dir, const char *name, const struct conf_device *d, struct err *err)
{
	mode_t mode = device_mode(d);
	struct stat st;

	if (sys_fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "look at the existing file");
	if ((st.st_mode & S_IFMT) != (mode & S_IFMT) ||
	    (d->type[0] != 'p' && st.st_rdev != makedev((unsigned)d->major, (unsigned)d->minor)))
		return err_set(err, ERR_CONFLICT, "a different file is there already");
	return 0;
}

static int device_node(int dir, const char *name, const struct conf_device *d, struct err *err)
{
	uid_t uid = d->uid.set ? (uid_t)d->uid.v : 0;
	gid_t gid = d->gid.set ? (gid_t)d->gid.v : 0;

	if (sys_mknodat(dir, name, device_mode(d),
			makedev((unsigned)d->major, (unsigned)d->minor)) < 0) {
		if (errno == EEXIST)
			return device_same(dir, name, d, err);
		return err_sys(err, "make the node");
	}
	if ((uid || gid) && sys_fchownat(dir, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "give the node to %u:%u", uid, gid);
	return 0;
}

/* `dev` is a fd of /dev, since nearly all devices are right in it; -1 = look it up. */
static int device_make(struct init *in, int dev, const struct conf_device *d, struct err *err)
{
	CLEANUP(fd_close) int own = -1;
	char name[256];
	int r = 0;

	if (in->user_ns && d->type[0] != 'p') {
		r = device_bind(in, d, err);
	} else if (dev >= 0 && !strncmp(d->path, "/dev/", 5) && d->path[5] &&
		   !strchr(d->path + 5, '/') && strcmp(d->path + 5, "..") &&
		   strcmp(d->path + 5, ".")) {
		r = device_node(dev, d->path + 5, d, err);
	} else {
		r = path_parent_in(in->root, d->path, true, &own, name, sizeof(name), err);
		if (r >= 0)
			r = device_node(own, name, d, err);
	}
	if (r == -ERR_SYSTEM && err && err->sys == EPERM && !in->user_ns &&
	    conf_ns(in->conf, NS_MOUNT))
		r = device_bind(in, d, err);
	return r < 0 ? err_wrap(err, "device '%s'", d->path) : 0;
}

static int dev_link(int dev, const char *target, const char *name, struct err *err)
{
	char old[256];
	ssize_t n;

	if (sys_symlinkat(target, dev, name) == 0)
		return 0;
	if (errno != EEXIST)
		return err_sys(err, "link /dev/%s", name);
	n = sys_readlinkat(dev, name, old, sizeof(old) - 1);
	if (n >= 0 && slice_is(slice_of(old, (size_t)n), target))
		return 0;
	if (strcmp(name, "ptmx"))
		return 0; /* the image's own */
	/* A node of the host's devpts in the image would open the host's ptys. */
	if (sys_unlinkat(dev, name, 0) < 0 || sys_symlinkat(target, dev, name) < 0)
		return err_sys(err, "replace /dev/%s", name);
	return 0;
}

static int dev_links(int dev, struct err *err)
{
	static const char *const links[][2] = {
		{ "/proc/self/fd", "fd" },	 { "/proc/self/fd/0", "stdin" },
		{ "/proc/self/fd/1", "stdout" }, { "/proc/self/fd/2", "stderr" },
		{ "pts/ptmx", "ptmx" },
	};
	struct stat st;
	int r;

	for (size_t i = 0; i < ARRAY_LEN(links); i++) {
		r = dev_link(dev, links[i][0], links[i][1], err);
		if (r < 0)
			return r;
	}
	if (sys_fstatat(AT_FDCWD, "/proc/kcore", &st, 0) == 0)
		return dev_link(dev, "/proc/kcore", "core", err);
	return 0;
}

/* A bind over /dev is somebody else's: it stays as it is. */
static bool dev_is_bound(const struct conf *c, const struct conf_mount **ret)
{
	bool bound = false;

	*ret = NULL;
	for (size_t i = 0; i < c->mounts.n; i++) {
		const struct conf_mount *m = &c->mounts.v[i];

		if (strcmp(m->destination, "/dev") && strcmp(m->destination, "/dev/"))
			continue;
		*ret = m;
		bound = false;
		for (size_t k = 0; k < m->options.n; k++)
			bound = bound || !strcmp(m->options.v[k], "bind") ||
				!strcmp(m->options.v[k], "rbind");
	}
	return bound;
}

static int dev_read_only(struct init *in, const struct conf_mount *m, struct err *err)
{
	CLEANUP(mount_target_fini) struct mount_target t = { .root = -1, .fd = -1 };
	struct mount_opts o = { .flags = MS_BIND | MS_RDONLY };
	bool ro = false;
	int r;

	for (size_t k = 0; m && k < m->options.n; k++)
		ro = !strcmp(m->options.v[k], "ro") || (ro && strcmp(m->options.v[k], "rw"));
	if (!ro)
		return 0;
	r = mount_target_open(&t, in->root, "/dev", MOUNT_ON_EXISTING, false, err);
	return r < 0 ? r : mount_remount(&t, &o, err);
}

static int make_devices(struct init *in, struct err *err)
{
	const struct conf *c = in->conf;
	const struct conf_mount *m;
	CLEANUP(fd_close) int dev = -1;
	mode_t old;
	int r;

	if (dev_is_bound(c, &m))
		return 0;
	r = path_mkdir_in(in->root, "/dev", 0755, &dev, err);
	if (r < 0)
		return r;
	old = umask(0); /* so that mknod gives the mode asked for */
	r = 0;
	for (size_t i = 0; r >= 0 && i < c->lin.devices.n; i++)
		r = device_make(in, dev, &c->lin.devices.v[i], err);
	for (size_t i = 0; r >= 0 && i < ARRAY_LEN(defaults); i++) {
		bool listed = false;

		for (size_t k = 0; k < c->lin.devices.n; k++)
			listed = listed || !strcmp(c->lin.devices.v[k].path, defaults[i].path);
		if (!listed)
			r = device_make(in, dev, &defaults[i], err);
	}
	umask(old);
	return r < 0 ? r : dev_links(dev, err);
}

static bool relative_sources(const struct conf *c)
{
	for (size_t i = 0; i < c->mounts.n; i++) {
		const struct conf_mount *m = &c->mounts.v[i];

		for (size_t k = 0; m->source && m->source[0] != '/' && k < m->options.n; k++)
			if (!strcmp(m->options.v[k], "bind") || !strcmp(m->options.v[k], "rbind"))
				return true;
	}
	return false;
}

int rootfs_make(struct init *in, struct err *err)
{
	int r;

	/* Sources of binds are relative to it. Root of a user namespace may be kept out of it:
	 * containerd's bundles lie below directories of the host's root alone. */
	if (sys_chdir(in->bundle) < 0 && (errno != EACCES || relative_sources(in->conf)))
		return err_sys(err, "change to the bundle '%s'", in->bundle);
	r = conf_ns(in->conf, NS_MOUNT) ? make_root(in, err) : open_root(in, err);
	for (size_t i = 0; r >= 0 && i < in->conf->mounts.n; i++)
		r = mount_one(in, &in->conf->mounts.v[i], err);
	return r < 0 ? r : make_devices(in, err);
}

/* ---- the way in ---- */

static int write_sysctl(const char *name, const char *value, struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	char path[192];

	(void)snprintf(path, sizeof(path), "/proc/sys/%s", name); /* conf_check has bounded it */
	for (char *p = path + 10; *p; p++)
		if (*p == '.')
			*p = '/';
	fd = sys_openat(AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
	if (fd < 0 || fd_write_all(fd, value, strlen(value)) < 0)
		return err_sys(err, "sysctl %s = '%s'", name, value);
	return 0;
}

static int hide_paths(struct init *in, struct err *err)
{
	const struct conf_linux *l = &in->conf->lin;
	CLEANUP(mount_masks_fini) struct mount_masks masks = { -1, -1 };
	int r = 0;

	for (size_t i = 0; r >= 0 && i < l->readonly.n; i++) {
		r = mount_read_only(in->root, l->readonly.v[i], err);
		if (r < 0)
			return err_wrap(err, "read-only path '%s'", l->readonly.v[i]);
	}
	if (!l->masked.n)
		return 0;
	r = mount_masks_init(&masks, err);
	for (size_t i = 0; r >= 0 && i < l->masked.n; i++) {
		r = mount_mask(in->root, l->masked.v[i], &masks, err);
		if (r < 0)
			return err_wrap(err, "masked path '%s'", l->masked.v[i]);
	}
	return r;
}

/* The working directory is made when missing, as peers do; it needs a root that can still be
 * written. */
static int make_cwd(struct init *in, struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	int r;

	if (!in->process)
		return 0;
	r = path_open_in(in->root, in->process->cwd, O_PATH | O_CLOEXEC, &fd, NULL);
	if (r == -ERR_NOT_FOUND)
		r = path_mkdir_in(in->root, in->process->cwd, 0755, &fd, err);
	else if (r < 0)
		r = path_open_in(in->root, in->process->cwd, O_PATH | O_CLOEXEC, &fd, err);
	return r < 0 ? err_wrap(err, "working directory") : 0;
}

static int root_read_only(struct init *in, struct err *err)
{
	struct sys_mount_attr attr = { .set = SYS_ATTR_RDONLY };
	char path[PATH_FD_LEN];

	if (sys_mount_setattr(in->root, "", AT_EMPTY_PATH, &attr) == 0)
		return 0;
	if ((errno == ENOSYS || errno == EPERM) &&
	    sys_mount(NULL, path_of_fd(in->root, path), NULL, MS_REMOUNT | MS_BIND | MS_RDONLY,
		      NULL) == 0)
		return 0;
	return err_sys(err, "make the root read-only");
}

/* Standard fds that are the host's /dev/null become the container's own, as runc does it: an fd of
 * a mount that is not below the root is one that criu cannot find again. */
static int own_null(struct err *err)
{
	for (int fd = 0; fd < 3; fd++) {
		CLEANUP(fd_close) int own = -1;
		int flags = sys_fcntl(fd, F_GETFL, 0);
		struct stat st, now;

		if (flags < 0 || sys_fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) ||
		    st.st_rdev != makedev(1, 3))
			continue;
		own = sys_openat(AT_FDCWD, "/dev/null", (flags & O_ACCMODE) | O_CLOEXEC, 0);
		if (own < 0 || sys_fstat(own, &now) < 0 || now.st_rdev != st.st_rdev)
			continue; /* the config has put something else there */
		if (sys_dup3(own, fd, 0) < 0)
			return err_sys(err, "open /dev/null as fd %d", fd);
	}
	return 0;
}

int rootfs_enter(struct init *in, struct err *err)
{
	const struct conf *c = in->conf;
	const struct conf_mount *dev;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < c->lin.sysctl.n; i++)
		r = write_sysctl(c->lin.sysctl.v[i].key, c->lin.sysctl.v[i].value, err);
	if (r >= 0)
		r = make_cwd(in, err);
	if (r >= 0)
		r = hide_paths(in, err);
	if (r >= 0 && !dev_is_bound(c, &dev))
		r = dev_read_only(in, dev, err);
	if (r >= 0 && c->root->readonly)
		r = root_read_only(in, err);
	if (r < 0)
		return r;
	/* The host's mounts stay as they are (conf_check has seen to that): a chroot must do. */
	if (!conf_ns(c, NS_MOUNT))
		return init_chroot(in, err);
	r = in->flags & RT_NO_PIVOT ? mount_move_root(in->root, err)
				    : mount_pivot(in->root, wants_shared(c), err);
	if (r < 0)
		return r;
	fd_close(in->root);
	in->root = -1;
	if (!dev_is_bound(c, &dev)) {
		r = own_null(err);
		if (r < 0)
			return r;
	}
	return c->lin.rootfs_propagation
		       ? mount_propagate("/", propagation_flags(c->lin.rootfs_propagation), err)
		       : 0;
}
