/* SPDX-License-Identifier: Apache-2.0 */
/* The directories that a container's root is made of, for those who read them: diff, export,
 * commit. The root itself is mounted only in the container's own namespace. */
#include "engine/private.h"

#include "base/hash.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

int engine_rootfs_plan(struct engine *e, struct container *c, bool to_run, struct arena *a,
		       struct image_rootfs *ret, struct err *err)
{
	CLEANUP(image_unref) struct image *img = NULL;
	const struct image_rootfs_place at = { .dir = c->dir,
					       .run = to_run ? c->run_dir : NULL,
					       .init = e->init_layer };
	int r;

	r = image_resolve(e->images, c->image_id, &img, err);
	if (r == 0)
		r = image_rootfs_plan(e->images, img, &at, a, ret, err);
	return r < 0 ? err_wrap(err, "container %s", c->id) : 0;
}

int engine_container_dirs(struct engine *e, struct container *c, enum image_rootfs_view what,
			  struct arena *a, struct strv *ret, enum image_diff_kind *ret_kind,
			  struct err *err)
{
	struct image_rootfs rf;
	int r = engine_rootfs_plan(e, c, false, a, &rf, err);

	return r < 0 ? r : image_rootfs_read(&rf, what, a, ret, ret_kind, err);
}

/* ---- freezing ---- */

/* A file for each that we froze: an engine that dies in between leaves it to the next. */
static int note_frozen(struct engine *e, const char *id, bool frozen, struct err *err)
{
	CLEANUP(buf_fini) struct buf path = BUF_INIT(PATH_MAX);
	CLEANUP(fd_close) int fd = -1;
	int r;

	buf_addf(&path, "%s/frozen", e->run);
	if (!frozen) {
		buf_addf(&path, "/%s", id);
		(void)unlink(buf_str(&path)); /* one too many only costs the next engine a look */
		return 0;
	}
	r = fd_mkdir_p(AT_FDCWD, buf_str(&path), 0700, err);
	if (r < 0)
		return r;
	buf_addf(&path, "/%s", id);
	fd = openat(AT_FDCWD, buf_str(&path), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? err_sys(err, "note in '%s' that it is frozen", buf_str(&path)) : 0;
}

static int freeze(struct engine *e, const char *id, bool frozen, struct err *err)
{
	/* The engine's own belongs to the loop: it has a place for warnings. */
	const struct rt_host host = { .root = e->oci_root };
	CLEANUP(rt_close) struct rt_container *c = NULL;
	int r;

	r = rt_open(&host, id, &c, err);
	return r < 0 ? r : rt_pause(c, frozen, err);
}

int engine_freeze(struct engine *e, const char *id, bool frozen, struct err *err)
{
	struct err own = ERR_INIT;
	int r;

	r = frozen ? note_frozen(e, id, true, &own) : 0;
	if (r >= 0)
		r = freeze(e, id, frozen, &own);
	if (!frozen || r < 0)
		(void)note_frozen(e, id, false, NULL);
	if (r >= 0)
		return 1;
	if (own.code == ERR_NOT_FOUND || own.code == ERR_CONFLICT)
		return 0;
	if (err)
		*err = own;
	return err_wrap(err, "%s container %s", frozen ? "freeze" : "thaw", id);
}

void engine_thaw_left(struct engine *e)
{
	CLEANUP(buf_fini) struct buf path = BUF_INIT(PATH_MAX);
	struct dirent *de;
	DIR *d;

	buf_addf(&path, "%s/frozen", e->run);
	d = opendir(buf_str(&path));
	while (d && (de = readdir(d))) {
		struct err err = ERR_INIT;

		if (strlen(de->d_name) == ID_LEN && hex_is_lower(slice_str(de->d_name)) &&
		    engine_freeze(e, de->d_name, false, &err) < 0)
			log_warn("container %s was frozen for a commit: %s", de->d_name, err.msg);
	}
	if (d)
		closedir(d);
}
