/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite's own way to files, but for the names: see db_conn_vfs. */
#include "base/str.h"
#include "db/conn.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#define NAME "teu-relative"

/* SQLite keeps a pointer to it for good. */
static sqlite3_vfs vfs;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* A link at the end is refused, as SQLITE_OPEN_NOFOLLOW asks of SQLite's own. */
static int full_name(sqlite3_vfs *v, const char *name, int n, char *out)
{
	struct stat st;

	if (!str_copy(out, (size_t)n, name))
		return SQLITE_CANTOPEN;
	if (lstat(name, &st) < 0)
		return errno == ENOENT ? SQLITE_OK : SQLITE_CANTOPEN;
	return S_ISLNK(st.st_mode) ? SQLITE_CANTOPEN : SQLITE_OK;
}

static void set_up(void)
{
	vfs = *sqlite3_vfs_find(NULL);
	vfs.zName = NAME;
	vfs.xFullPathname = full_name;
	(void)sqlite3_vfs_register(&vfs, 0); /* cannot fail: no memory is taken */
}

const char *db_conn_vfs(const char *path)
{
	if (path[0] == '/')
		return NULL;
	(void)sqlite3_initialize();
	(void)pthread_once(&once, set_up);
	return NAME;
}
