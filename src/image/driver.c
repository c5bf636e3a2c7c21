/* SPDX-License-Identifier: Apache-2.0 */
/* The table of drivers, and the choice among them: what the store was made with, what was asked
 * for, or the first one that works here, found out by trying. */
#include "image/driver.h"

#include "base/err.h"
#include "base/fd.h"
#include "image/private.h"
#include "linux/sys.h"

#include <stdio.h>
#include <string.h>

#define RECORD "driver"

/* In the order of preference. */
static const struct image_driver *const drivers[] = { &driver_overlay, &driver_btrfs, &driver_fuse,
						      &driver_copy };

static const struct {
	const char *name, *instead;
} refused[] = {
	{ "aufs", "its file system is not in Linux; use overlay" },
	{ "devicemapper", "docker gave it up in 25.0; use overlay" },
	{ "zfs", "its module is not in Linux; use overlay (OpenZFS 2.2 and newer) or copy" },
	{ "windowsfilter", "only linux containers run here; use overlay" },
};

static int find(const char *name, const struct image_driver **ret, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(drivers); i++)
		if (strcmp(name, drivers[i]->name) == 0 || strcmp(name, drivers[i]->docker) == 0) {
			*ret = drivers[i];
			return 0;
		}
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		if (strcmp(name, refused[i].name) == 0)
			return err_set(err, ERR_UNSUPPORTED,
				       "storage driver '%s' is not supported: %s", name,
				       refused[i].instead);
	return err_set(err, ERR_BAD_REQUEST,
		       "unknown storage driver '%.64s'; there are auto, overlay (overlay2), "
		       "fuse-overlayfs, btrfs and copy (vfs)",
		       name);
}

bool driver_in_userns(void)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);
	unsigned long from, to, n;

	if (fd_read_file(AT_FDCWD, "/proc/self/uid_map", &b, NULL) < 0)
		return false;
	return sscanf(buf_str(&b), "%lu %lu %lu", &from, &to, &n) != 3 || from || to ||
	       n != UINT32_MAX;
}

const char *driver_opaque_name(const struct image_store *is)
{
	return is->userxattr ? "user.overlay.opaque" : "trusted.overlay.opaque";
}

/* ---- the store's record ---- */

/* 1 = *ret is what it was made with. Stores older than the record are overlay's. */
static int recorded(struct image_store *is, const struct image_driver **ret, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(64);
	struct err why = ERR_INIT;
	int64_t one;
	int r;

	r = db_query_int(db_reader(is->db), &one, err, "SELECT 1 FROM layers LIMIT 1", "");
	if (r <= 0)
		return r; /* without layers it may become anyone's */
	r = fd_read_file(is->dir, RECORD, &b, &why);
	if (r < 0 && why.code == ERR_NOT_FOUND) {
		*ret = &driver_overlay;
		return 1;
	}
	if (r < 0) {
		if (err)
			*err = why;
		return r;
	}
	(void)buf_str(&b)[0];
	b.p[strcspn(b.p, "\n")] = '\0';
	r = find(b.p, ret, err);
	return r < 0 ? err_wrap(err, "'%s/" RECORD "'", is->path) : 1;
}

static int record(struct image_store *is, struct err *err)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "%s\n", is->driver->name);

	return fd_replace_file(is->dir, RECORD, text, (size_t)n, 0644, err);
}

/* ---- the choice ---- */

static void explain(struct image_store *is, const char *text)
{
	free(is->why);
	is->why = strdup(text);
	if (!is->why)
		abort();
}

static int choose_working(struct image_store *is, struct err *err)
{
	CLEANUP(buf_fini) struct buf why = BUF_INIT(8192);
	struct err last = ERR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(drivers); i++) {
		last = ERR_INIT;
		if (drivers[i]->probe(is->path, is->dir, &last) < 0) {
			buf_addf(&why, "%s does not work (%.300s); ", drivers[i]->name, last.msg);
			continue;
		}
		is->driver = drivers[i];
		buf_addf(&why, "%s was tried and works", drivers[i]->name);
		explain(is, buf_str(&why));
		return 0;
	}
	return err_set(err, ERR_UNSUPPORTED, "no storage driver works in '%s': %s", is->path,
		       buf_str(&why));
}

static int choose_named(struct image_store *is, const char *name, struct err *err)
{
	int r = find(name, &is->driver, err);

	if (r >= 0)
		r = is->driver->probe(is->path, is->dir, err);
	if (r < 0)
		return err_wrap(err, "storage driver '%s'", name);
	explain(is, "asked for by --storage-driver");
	return 0;
}

int driver_choose(struct image_store *is, const char *asked, struct err *err)
{
	const struct image_driver *was = NULL, *want = NULL;
	bool named = asked && asked[0] && strcmp(asked, "auto") != 0;
	int r;

	is->userxattr = driver_in_userns();
	is->driver = &driver_overlay;
	r = named ? find(asked, &want, err) : 0;
	if (r >= 0)
		r = recorded(is, &was, err);
	if (r < 0)
		return r;
	if (was && want && was != want)
		return err_set(
			err, ERR_CONFLICT,
			"the images in '%s' were unpacked with storage driver '%s'; go on "
			"with --storage-driver %s, or take '%s' with another --root and load "
			"the images there (save and load carry them over)",
			is->path, was->name, was->name, want->name);
	if (was) {
		is->driver = was;
		explain(is, "the images in the store were unpacked with it");
		return asked ? was->probe(is->path, is->dir, err) : 0;
	}
	if (!asked) {
		explain(is, "the default");
		return 0;
	}
	r = named ? choose_named(is, asked, err) : choose_working(is, err);
	return r < 0 ? r : record(is, err);
}
