/* SPDX-License-Identifier: Apache-2.0 */
/* A cgroup that systemd makes. */
#include "linux/cgroup-systemd.h"

#include "base/err.h"

static int none(struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED, "the systemd manager is not in this build");
}

int unit_start(const struct unit_want *w, char *name, size_t name_size, char *path,
	       size_t path_size, struct err *err)
{
	return none(err);
}

int unit_update(const char *name, bool user, struct cgroup_layout *layout,
		const struct cgroup_limits *limits, struct err *err)
{
	return none(err);
}

int unit_stop(const char *name, bool user, struct err *err)
{
	return none(err);
}
