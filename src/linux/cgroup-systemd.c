/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking systemd for a scope: org.freedesktop.systemd1(5), "The New Control Group Interfaces".
 *
 * A method that starts or stops a unit answers with a job at once; that it is done is told by the
 * signal JobRemoved, which comes to whoever queued the job. A match rule for it is laid down all
 * the same, without waiting: buses between us may drop what nobody asked for.
 */
#include "linux/cgroup-unit.h"

#include "base/err.h"
#include "base/fd.h"
#include "linux/cgroup-priv.h"
#include "linux/dbus.h"
#include "linux/sys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SYSTEMD "org.freedesktop.systemd1"

enum { PROPERTIES_MAX = 256 * 1024 };

/* ---- finding it ---- */

static bool there(const char *path)
{
	return faccessat(AT_FDCWD, path, F_OK, 0) == 0;
}

static const char *text_of(const char *name)
{
	const char *v = getenv(name);

	return v && *v ? v : NULL;
}

static int open_system(struct dbus **ret, struct err *err)
{
	const char *address = text_of("DBUS_SYSTEM_BUS_ADDRESS");

	if (!address && !there("/run/dbus/system_bus_socket") && there("/run/systemd/private"))
		return dbus_open("unix:path=/run/systemd/private", true, ret, err);
	return dbus_open(address ? address : "unix:path=/run/dbus/system_bus_socket", false, ret,
			 err);
}

static int open_user(struct dbus **ret, struct err *err)
{
	const char *address = text_of("DBUS_SESSION_BUS_ADDRESS"),
		   *dir = text_of("XDG_RUNTIME_DIR");
	char path[200], full[220];

	if (address)
		return dbus_open(address, false, ret, err);
	if (!dir || strlen(dir) > 150 || strpbrk(dir, ",;%"))
		return err_set(err, ERR_UNAVAILABLE,
			       "the user's systemd is not to be found: neither "
			       "DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR is set");
	(void)snprintf(path, sizeof(path), "%s/bus", dir);
	if (there(path)) {
		(void)snprintf(full, sizeof(full), "unix:path=%s", path);
		return dbus_open(full, false, ret, err);
	}
	(void)snprintf(full, sizeof(full), "unix:path=%s/systemd/private", dir);
	return dbus_open(full, true, ret, err);
}

static int open_manager(bool user, struct dbus **ret, struct err *err)
{
	int r = user ? open_user(ret, err) : open_system(ret, err);

	return r < 0 ? err_wrap(err, "reach %s systemd", user ? "the user's" : "the system's") : 0;
}

/* ---- calls ---- */

static int call(struct dbus *d, const char *member, const char *signature, const struct buf *body,
		struct dbus_msg *ret, struct err *err)
{
	const struct dbus_call c = { .to = SYSTEMD,
				     .path = "/org/freedesktop/systemd1",
				     .interface = SYSTEMD ".Manager",
				     .member = member,
				     .signature = signature,
				     .body = body };

	return dbus_call(d, &c, ret, err);
}

static void ask_for_signals(struct dbus *d)
{
	static const char rule[] = "type='signal',sender='" SYSTEMD "',interface='" SYSTEMD
				   ".Manager',member='JobRemoved'";
	CLEANUP(buf_fini) struct buf b = BUF_INIT(512);

	dbus_put_str(&b, slice_of(rule, sizeof(rule) - 1));
	/* Only a help: see above. A connection that is lost is noticed by the next call. */
	(void)dbus_tell(d,
			&(struct dbus_call){ .to = "org.freedesktop.DBus",
					     .path = "/org/freedesktop/DBus",
					     .interface = "org.freedesktop.DBus",
					     .member = "AddMatch",
					     .signature = "s",
					     .body = &b },
			NULL);
}

/* `reply` holds the job's object path. */
static int wait_job(struct dbus *d, struct dbus_msg *reply, const char *what, struct err *err)
{
	char job[256];
	struct dbus_msg m;
	const char *path, *result;
	int r;

	if (reply->signature[0] != 'o' || !str_copy(job, sizeof(job), dbus_get_str(&reply->body)) ||
	    reply->body.bad)
		return err_set(err, ERR_SYSTEM, "%s: systemd's answer names no job", what);
	for (;;) {
		r = dbus_next(d, &m, err);
		if (r < 0)
			return err_wrap(err, "%s: wait for systemd's job", what);
		if (m.type != DBUS_SIGNAL || strcmp(m.member, "JobRemoved") != 0 ||
		    strcmp(m.signature, "uoss") != 0)
			continue;
		(void)dbus_get_u32(&m.body);
		path = dbus_get_str(&m.body);
		if (strcmp(path, job) != 0)
			continue;
		(void)dbus_get_str(&m.body);
		result = dbus_get_str(&m.body);
		if (m.body.bad || strcmp(result, "done") != 0)
			return err_set(err, ERR_SYSTEM, "%s: systemd's job has ended as '%s'", what,
				       result);
		return 0;
	}
}

/* 0 also when there is no such unit. */
static int reset_failed(struct dbus *d, const char *name, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1024);
	struct dbus_msg m;
	struct err why = ERR_INIT;
	int r;

	dbus_put_str(&b, slice_str(name));
	r = call(d, "ResetFailedUnit", "s", &b, &m, &why);
	if (r == -ERR_NOT_FOUND)
		return 0;
	if (r < 0 && err)
		*err = why;
	return r;
}

/* ---- start ---- */

static int scope_name(const struct unit_want *w, char *out, size_t n, struct err *err)
{
	int len = w->prefix.n ? snprintf(out, n, "%.*s-%.*s.scope", (int)MIN(w->prefix.n, n),
					 w->prefix.p, (int)MIN(w->name.n, n), w->name.p)
			      : snprintf(out, n, "%.*s.scope", (int)MIN(w->name.n, n), w->name.p);

	if (len < 0 || (size_t)len >= n ||
	    strspn(out, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@") !=
		    (size_t)len)
		return err_set(err, ERR_INVALID, "'%.80s' is not the name of a systemd unit", out);
	return 0;
}

static int put_scope(const struct unit_want *w, const char *name, bool v2, struct buf *b,
		     struct err *err)
{
	struct slice slice = w->slice.n ? w->slice
			     : w->user	? SLICE("user.slice")
					: SLICE("system.slice");
	char text[320], path[2048];
	struct unit_props p;
	size_t at;
	int r = unit_expand_slice(slice, path, sizeof(path), err);

	if (r < 0)
		return r;
	dbus_put_str(b, slice_str(name));
	dbus_put_str(b, SLICE("replace"));
	unit_props_begin(&p, b, err);
	(void)snprintf(text, sizeof(text), "teu container %s", w->id);
	unit_put_str(&p, "Description", slice_str(text));
	unit_put_str(&p, "Slice", slice);
	unit_put_bool(&p, "Delegate", true);
	unit_put_bool(&p, "DefaultDependencies", false);
	unit_put_bool(&p, "CPUAccounting", true);
	unit_put_bool(&p, "MemoryAccounting", true);
	unit_put_bool(&p, "TasksAccounting", true);
	unit_put_bool(&p, v2 ? "IOAccounting" : "BlockIOAccounting", true);
	dbus_align(b, 8);
	dbus_put_str(b, SLICE("PIDs"));
	dbus_put_sig(b, SLICE("au"));
	at = dbus_array_begin(b, 4);
	dbus_put_u32(b, (uint32_t)w->pid);
	dbus_array_end(b, at, 4);
	r = unit_put_limits(&p, w->limits, v2);
	for (size_t i = 0; r == 0 && i < w->n_extra; i++)
		r = unit_put_extra(&p, &w->extra[i]);
	unit_props_end(&p);
	at = dbus_array_begin(b, 8); /* a(sa(sv)): no auxiliary units */
	dbus_array_end(b, at, 8);
	return r;
}

/* Where systemd has put it: by v2, or by its own named hierarchy. */
static int path_of(pid_t pid, bool v2, char *path, size_t n, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(65536);
	char file[40], *rest, *line;
	int r;

	(void)snprintf(file, sizeof(file), "/proc/%d/cgroup", (int)pid);
	r = fd_read_file(AT_FDCWD, file, &b, err);
	if (r < 0)
		return r;
	rest = b.p;
	while (rest && (line = strsep(&rest, "\n"))) {
		const char *at = v2 ? (strncmp(line, "0::", 3) ? NULL : line + 3)
				    : strstr(line, ":name=systemd:");

		if (!at)
			continue;
		at += v2 ? 0 : strlen(":name=systemd:");
		if (strstr(at, "/..") || !at[1])
			break;
		return str_copy(path, n, at) ? 0
					     : err_set(err, ERR_TOO_LARGE,
						       "the scope's cgroup has "
						       "too long a path");
	}
	return err_set(err, ERR_SYSTEM,
		       "systemd has put process %d into no cgroup that can be seen from here",
		       (int)pid);
}

int unit_start(const struct unit_want *w, char *name, size_t name_size, char *path,
	       size_t path_size, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(PROPERTIES_MAX);
	CLEANUP(dbus_free) struct dbus *d = NULL;
	const bool v2 = !cgroup_layout_has_v1(w->layout);
	char unit[256];
	struct dbus_msg m;
	int r;

	r = scope_name(w, unit, MIN(sizeof(unit), name_size), err);
	if (r == 0)
		r = put_scope(w, unit, v2, &b, err);
	if (r == 0)
		r = open_manager(w->user, &d, err);
	if (r < 0)
		return r;
	ask_for_signals(d);
	r = call(d, "StartTransientUnit", "ssa(sv)a(sa(sv))", &b, &m, err);
	/* A failed scope of that name keeps it until it is reset. */
	if (r == -ERR_EXISTS && reset_failed(d, unit, err) == 0)
		r = call(d, "StartTransientUnit", "ssa(sv)a(sa(sv))", &b, &m, err);
	if (r < 0)
		return r;
	(void)str_copy(name, name_size, unit); /* from here on it is there to be stopped */
	r = wait_job(d, &m, unit, err);
	return r < 0 ? r : path_of(w->pid, v2, path, path_size, err);
}

int unit_update(const char *name, bool user, struct cgroup_layout *layout,
		const struct cgroup_limits *limits, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(PROPERTIES_MAX);
	CLEANUP(dbus_free) struct dbus *d = NULL;
	struct unit_props p;
	struct dbus_msg m;
	int r;

	dbus_put_str(&b, slice_str(name));
	dbus_put_u32(&b, 1); /* until the next boot only: a scope lives no longer */
	unit_props_begin(&p, &b, err);
	r = unit_put_limits(&p, limits, !cgroup_layout_has_v1(layout));
	unit_props_end(&p);
	if (r == 0)
		r = open_manager(user, &d, err);
	return r < 0 ? r : call(d, "SetUnitProperties", "sba(sv)", &b, &m, err);
}

int unit_stop(const char *name, bool user, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1024);
	CLEANUP(dbus_free) struct dbus *d = NULL;
	struct err why = ERR_INIT;
	struct dbus_msg m;
	int r = open_manager(user, &d, err);

	if (r < 0)
		return r;
	ask_for_signals(d);
	dbus_put_str(&b, slice_str(name));
	dbus_put_str(&b, SLICE("replace"));
	r = call(d, "StopUnit", "ss", &b, &m, &why);
	if (r == 0)
		r = wait_job(d, &m, name, &why);
	if (r < 0 && r != -ERR_NOT_FOUND) {
		if (err)
			*err = why;
		return r;
	}
	return reset_failed(d, name, err);
}
