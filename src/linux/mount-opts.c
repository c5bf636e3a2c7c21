/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The option strings of OCI mounts as one table: runtime-spec 1.3, config.md "Linux mount options".
 *
 * Rows are sorted by name: bsearch finds them, `features` prints them. What is not in the table is
 * the file system's own and goes into data.
 */
#include "linux/mount.h"

#include "base/err.h"
#include "linux/sys.h"

#include <stdlib.h>
#include <string.h>

#ifndef MS_POSIXACL
#define MS_POSIXACL (1 << 16)
#endif
#ifndef MS_I_VERSION
#define MS_I_VERSION (1 << 23)
#endif

enum kind {
	SET,
	CLR,
	RSET,
	RCLR,
	PROP,
	IDMAP,
	RIDMAP,
	COPYUP,
	SRC_NOFOLLOW,
	DEST_NOFOLLOW,
	COPY_SYMLINK,
	NOTHING
};

#define REC(f) ((f) | MS_REC)
/* clang-format off */
#define OPTIONS(X) \
	X("acl", SET, MS_POSIXACL)               X("async", CLR, MS_SYNCHRONOUS) \
	X("atime", CLR, MS_NOATIME)              X("bind", SET, MS_BIND) \
	X("copy-symlink", COPY_SYMLINK, 0)       X("defaults", NOTHING, 0) \
	X("dest-nofollow", DEST_NOFOLLOW, 0)     X("dev", CLR, MS_NODEV) \
	X("diratime", CLR, MS_NODIRATIME)        X("dirsync", SET, MS_DIRSYNC) \
	X("exec", CLR, MS_NOEXEC)                X("idmap", IDMAP, 0) \
	X("iversion", SET, MS_I_VERSION)         X("lazytime", SET, MS_LAZYTIME) \
	X("loud", CLR, MS_SILENT)                X("mand", SET, MS_MANDLOCK) \
	X("noacl", CLR, MS_POSIXACL)             X("noatime", SET, MS_NOATIME) \
	X("nodev", SET, MS_NODEV)                X("nodiratime", SET, MS_NODIRATIME) \
	X("noexec", SET, MS_NOEXEC)              X("noiversion", CLR, MS_I_VERSION) \
	X("nolazytime", CLR, MS_LAZYTIME)        X("nomand", CLR, MS_MANDLOCK) \
	X("norelatime", CLR, MS_RELATIME)        X("nostrictatime", CLR, MS_STRICTATIME) \
	X("nosuid", SET, MS_NOSUID)              X("nosymfollow", SET, MS_NOSYMFOLLOW) \
	X("private", PROP, MS_PRIVATE)           X("ratime", RCLR, SYS_ATTR_ATIME) \
	X("rbind", SET, REC(MS_BIND))            X("rdev", RCLR, SYS_ATTR_NODEV) \
	X("rdiratime", RCLR, SYS_ATTR_NODIRATIME) X("relatime", SET, MS_RELATIME) \
	X("remount", SET, MS_REMOUNT)            X("rexec", RCLR, SYS_ATTR_NOEXEC) \
	X("ridmap", RIDMAP, 0)                   X("rnoatime", RSET, SYS_ATTR_NOATIME) \
	X("rnodev", RSET, SYS_ATTR_NODEV)        X("rnodiratime", RSET, SYS_ATTR_NODIRATIME) \
	X("rnoexec", RSET, SYS_ATTR_NOEXEC)      X("rnorelatime", RCLR, SYS_ATTR_ATIME) \
	X("rnostrictatime", RCLR, SYS_ATTR_ATIME) X("rnosuid", RSET, SYS_ATTR_NOSUID) \
	X("rnosymfollow", RSET, SYS_ATTR_NOSYMFOLLOW) X("ro", SET, MS_RDONLY) \
	X("rprivate", PROP, REC(MS_PRIVATE))     X("rrelatime", RCLR, SYS_ATTR_ATIME) \
	X("rro", RSET, SYS_ATTR_RDONLY)          X("rrw", RCLR, SYS_ATTR_RDONLY) \
	X("rshared", PROP, REC(MS_SHARED))       X("rslave", PROP, REC(MS_SLAVE)) \
	X("rstrictatime", RSET, SYS_ATTR_STRICTATIME) X("rsuid", RCLR, SYS_ATTR_NOSUID) \
	X("rsymfollow", RCLR, SYS_ATTR_NOSYMFOLLOW) X("runbindable", PROP, REC(MS_UNBINDABLE)) \
	X("rw", CLR, MS_RDONLY)                  X("shared", PROP, MS_SHARED) \
	X("silent", SET, MS_SILENT)              X("slave", PROP, MS_SLAVE) \
	X("src-nofollow", SRC_NOFOLLOW, 0)       X("strictatime", SET, MS_STRICTATIME) \
	X("suid", CLR, MS_NOSUID)                X("symfollow", CLR, MS_NOSYMFOLLOW) \
	X("sync", SET, MS_SYNCHRONOUS)           X("tmpcopyup", COPYUP, 0) \
	X("unbindable", PROP, MS_UNBINDABLE)
/* clang-format on */

static const struct option {
	const char *name;
	enum kind kind;
	unsigned long flag;
} options[] = {
#define X(name, kind, flag) { name, kind, flag },
	OPTIONS(X)
#undef X
};

static const char *const option_names[] = {
#define X(name, kind, flag) name,
	OPTIONS(X)
#undef X
		NULL,
};

const char *const *mount_opt_names(void)
{
	return option_names;
}

void mount_opts_fini(struct mount_opts *o)
{
	buf_fini(&o->data);
	*o = (struct mount_opts){ 0 };
}

static const char *const superblock_only[] = { "rasync",  "rdirsync", "rmand",
					       "rnomand", "rsync",    NULL };

static int by_name(const void *key, const void *row)
{
	return strcmp(key, ((const struct option *)row)->name);
}

static void set_flag(struct mount_opts *o, unsigned long flag)
{
	const unsigned long atimes = MS_NOATIME | MS_RELATIME | MS_STRICTATIME;

	if (flag & atimes)
		o->flags &= ~atimes; /* one of three: the last one named */
	o->flags |= flag;
	o->clear &= ~flag;
}

/* The field for access times has three values; the kernel wants all its bits cleared when one is
 * set. */
static void set_rec(struct mount_opts *o, uint64_t flag)
{
	if (flag & SYS_ATTR_ATIME) {
		o->rec_set &= ~(uint64_t)SYS_ATTR_ATIME;
		o->rec_clear |= SYS_ATTR_ATIME;
	} else {
		o->rec_clear &= ~flag;
	}
	o->rec_set |= flag;
}

static int apply_row(struct mount_opts *o, const struct option *row, struct err *err)
{
	switch (row->kind) {
	case SET: set_flag(o, row->flag); break;
	case CLR:
		o->flags &= ~row->flag;
		o->clear |= row->flag;
		break;
	case RSET: set_rec(o, row->flag); break;
	case RCLR:
		o->rec_set &= ~row->flag;
		o->rec_clear |= row->flag;
		break;
	case PROP:
		if (o->n_propagation == MOUNT_PROPAGATION_MAX)
			return err_set(err, ERR_INVALID,
				       "mount option '%s': more than %d propagation options",
				       row->name, MOUNT_PROPAGATION_MAX);
		o->propagation[o->n_propagation++] = row->flag;
		break;
	case IDMAP: o->idmap = true; break;
	case RIDMAP: o->ridmap = true; break;
	case COPYUP: o->tmpcopyup = true; break;
	case SRC_NOFOLLOW: o->src_nofollow = true; break;
	case DEST_NOFOLLOW: o->dest_nofollow = true; break;
	case COPY_SYMLINK: o->copy_symlink = true; break;
	case NOTHING: break;
	}
	return 0;
}

int mount_opts_parse(const char *const *list, size_t n, struct mount_opts *o, struct err *err)
{
	int r;

	o->data.max = MOUNT_DATA_MAX;
	for (size_t i = 0; i < n; i++) {
		const struct option *row =
			bsearch(list[i], options, ARRAY_LEN(options), sizeof(options[0]), by_name);

		if (row) {
			r = apply_row(o, row, err);
			if (r < 0)
				return r;
			continue;
		}
		/* crun's: the kernel has no such flags of a single mount (mount_setattr(2)). */
		if (str_is_one_of(list[i], superblock_only))
			return err_set(err, ERR_UNSUPPORTED, "mount option '%s' is not supported",
				       list[i]);
		if (!strncmp(list[i], "idmap=", 6) || !strncmp(list[i], "ridmap=", 7))
			return err_set(err, ERR_UNSUPPORTED,
				       "mount option '%s' is not supported; use uidMappings and "
				       "gidMappings of the mount",
				       list[i]);
		if (!*list[i])
			continue;
		if (o->data.n)
			(void)buf_addc(&o->data, ',');
		if (buf_adds(&o->data, list[i]) < 0)
			return err_set(err, ERR_QUOTA, "mount options are longer than %d bytes",
				       MOUNT_DATA_MAX);
	}
	return 0;
}
