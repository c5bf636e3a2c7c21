/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cgroup that systemd makes: a transient scope, asked for over D-Bus.
 *
 * The system's manager is found at DBUS_SYSTEM_BUS_ADDRESS, /run/dbus/system_bus_socket, or (root
 * only, on a machine without a bus) /run/systemd/private; the user's at DBUS_SESSION_BUS_ADDRESS,
 * $XDG_RUNTIME_DIR/bus or $XDG_RUNTIME_DIR/systemd/private. Every answer is waited for at most 30
 * s, and read into at most 1 MB.
 */
#pragma once

#include "base/str.h"
#include "linux/cgroup.h"

struct err;

enum { UNIT_EXTRA_MAX = 32 };

/* org.systemd.property.NAME: a property and its value as GVariant text ("uint64 5000000", "true",
 * "'inactive-or-failed'"). A name ending in "Sec" takes seconds and becomes ...USec. */
struct unit_extra {
	const char *name, *value;
};

struct unit_want {
	struct slice slice;	   /* "a-b.slice", "" = system.slice (user.slice), "-.slice" */
	struct slice prefix, name; /* the scope is prefix-name.scope */
	const char *id;		   /* of the container, for the unit's description */
	pid_t pid;		   /* who is put into it */
	bool user;		   /* the user's own manager */
	const struct cgroup_limits *limits;
	struct cgroup_layout *layout;
	struct unit_extra extra[UNIT_EXTRA_MAX];
	size_t n_extra;
};

/* Starts the scope and waits until it is there. *name gets the unit's, *path its cgroup's (below
 * each hierarchy's mount). A failed unit of that name is reset first; one that runs: EXISTS. */
int unit_start(const struct unit_want *w, char *name, size_t name_size, char *path,
	       size_t path_size, struct err *err);
/* Changes those limits that systemd has a property for. */
int unit_update(const char *name, bool user, struct cgroup_layout *layout,
		const struct cgroup_limits *limits, struct err *err);
/* Stops it, which also removes its cgroup, and forgets a failure. 0 also when there is none. */
int unit_stop(const char *name, bool user, struct err *err);
