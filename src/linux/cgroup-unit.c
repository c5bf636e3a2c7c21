/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits as properties of a systemd unit: systemd.resource-control(5), and
 * org.freedesktop.systemd1(5) for their D-Bus types.
 *
 * Only what has exactly one property is told; all of it is in the cgroup's own files too. What
 * systemd rounds (a CPU quota, to whole percents) is rounded up here, so that the file, which says
 * it exactly, is never over what its manager believes. Device rules are told when systemd can
 * express them: first a deny of all, then only allows; else the policy stays open and our own
 * program decides alone.
 */
#include "linux/cgroup-unit.h"

#include "base/err.h"
#include "base/fd.h"
#include "linux/cgroup-priv.h"
#include "linux/dbus.h"
#include "linux/gvariant.h"
#include "linux/sys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CPUS_MAX = 8192 };

/* ---- writing ---- */

void unit_props_begin(struct unit_props *p, struct buf *b, struct err *err)
{
	*p = (struct unit_props){ .b = b, .err = err };
	p->at = dbus_array_begin(b, 8);
}

void unit_props_end(struct unit_props *p)
{
	dbus_array_end(p->b, p->at, 8);
}

/* One (sv), up to the value. */
static void begin(struct unit_props *p, const char *name, const char *type)
{
	dbus_align(p->b, 8);
	dbus_put_str(p->b, slice_str(name));
	dbus_put_sig(p->b, slice_str(type));
}

void unit_put_u64(struct unit_props *p, const char *name, uint64_t v)
{
	begin(p, name, "t");
	dbus_put_u64(p->b, v);
}

void unit_put_bool(struct unit_props *p, const char *name, bool v)
{
	begin(p, name, "b");
	dbus_put_u32(p->b, v);
}

void unit_put_str(struct unit_props *p, const char *name, struct slice s)
{
	begin(p, name, "s");
	dbus_put_str(p->b, s);
}

static uint64_t or_max(int64_t v)
{
	return v < 0 ? UINT64_MAX : (uint64_t)v;
}

static bool some(struct cgroup_num n)
{
	return n.set && n.v != 0;
}

/* ---- cpu ---- */

static void put_quota(struct unit_props *p, int64_t quota, int64_t period)
{
	uint64_t per_sec = UINT64_MAX;

	if (period <= 0)
		period = 100000;
	else
		unit_put_u64(p, "CPUQuotaPeriodUSec", (uint64_t)period);
	if (quota > 0) {
		/* Whole percents of a second. */
		per_sec = (uint64_t)quota > UINT64_MAX / 1000000
				  ? UINT64_MAX - 10000
				  : (uint64_t)quota * 1000000 / (uint64_t)period;
		per_sec = (per_sec + 9999) / 10000 * 10000;
	}
	unit_put_u64(p, "CPUQuotaPerSecUSec", per_sec);
}

/* "0-3,8" as the bytes of a bit mask, lowest first. */
static int put_mask(struct unit_props *p, const char *name, const char *text)
{
	uint8_t mask[CPUS_MAX / 8] = { 0 };
	const char *at = text;
	size_t used = 0, start;
	unsigned a, b;
	int n;

	for (; *at; at += *at == ',') {
		if (sscanf(at, "%u-%u%n", &a, &b, &n) != 2) {
			if (sscanf(at, "%u%n", &a, &n) != 1)
				n = 0;
			b = a;
		}
		at += n;
		if (n == 0 || a > b || b >= CPUS_MAX || (*at && *at != ',' && *at != '\n'))
			return err_set(
				p->err, ERR_INVALID,
				"linux.resources.cpu: '%.100s' is no list of numbers below %d",
				text, CPUS_MAX);
		for (; a <= b; a++)
			mask[a / 8] |= (uint8_t)(1u << a % 8);
		used = MAX(used, b / 8 + 1);
		if (*at == '\n')
			break;
	}
	begin(p, name, "ay");
	start = dbus_array_begin(p->b, 1);
	(void)buf_add(p->b, mask, used);
	dbus_array_end(p->b, start, 1);
	return 0;
}

static int put_cpu(struct unit_props *p, const struct cgroup_limits *l, bool v2)
{
	int r = 0;

	if (some(l->cpu.shares) && l->cpu.shares.v > 0 && !some(l->cpu.idle))
		unit_put_u64(p, v2 ? "CPUWeight" : "CPUShares",
			     v2 ? cgroup_weight_of_shares((uint64_t)l->cpu.shares.v)
				: (uint64_t)l->cpu.shares.v);
	if (some(l->cpu.quota))
		put_quota(p, l->cpu.quota.v, l->cpu.period.set ? l->cpu.period.v : 0);
	if (v2 && l->cpu.cpus && *l->cpu.cpus)
		r = put_mask(p, "AllowedCPUs", l->cpu.cpus);
	if (r == 0 && v2 && l->cpu.mems && *l->cpu.mems)
		r = put_mask(p, "AllowedMemoryNodes", l->cpu.mems);
	return r;
}

/* ---- memory and pids ---- */

static void put_memory(struct unit_props *p, const struct cgroup_limits *l, bool v2)
{
	const int64_t limit = l->memory.limit.v, swap = l->memory.swap.v;

	if (some(l->memory.limit))
		unit_put_u64(p, v2 ? "MemoryMax" : "MemoryLimit", or_max(limit));
	if (!v2)
		return;
	if (some(l->memory.reservation))
		unit_put_u64(p, "MemoryLow", or_max(l->memory.reservation.v));
	/* OCI's is the sum of both. */
	if (some(l->memory.swap) && (swap < 0 || (limit > 0 && swap >= limit)))
		unit_put_u64(p, "MemorySwapMax", swap < 0 ? UINT64_MAX : (uint64_t)(swap - limit));
}

/* ---- disks ---- */

static uint64_t io_weight(int64_t w)
{
	return w <= 10 ? 1 : 1 + ((uint64_t)w - 10) * 9999 / 990;
}

/* a(st), one entry each: systemd adds up what it is told of one property. */
static void put_device_number(struct unit_props *p, const char *name, const int64_t dev[2],
			      uint64_t v)
{
	char path[64];
	size_t at;

	(void)snprintf(path, sizeof(path), "/dev/block/%lld:%lld", (long long)dev[0],
		       (long long)dev[1]);
	begin(p, name, "a(st)");
	at = dbus_array_begin(p->b, 8);
	dbus_put_str(p->b, slice_str(path));
	dbus_put_u64(p->b, v);
	dbus_array_end(p->b, at, 8);
}

static void put_io(struct unit_props *p, const struct cgroup_limits *l, bool v2)
{
	static const char *const throttle[] = {
		[CGROUP_READ_BPS] = "IOReadBandwidthMax",
		[CGROUP_WRITE_BPS] = "IOWriteBandwidthMax",
		[CGROUP_READ_IOPS] = "IOReadIOPSMax",
		[CGROUP_WRITE_IOPS] = "IOWriteIOPSMax",
	};

	if (some(l->io.weight) && l->io.weight.v >= 10)
		unit_put_u64(p, v2 ? "IOWeight" : "BlockIOWeight",
			     v2 ? io_weight(l->io.weight.v) : (uint64_t)l->io.weight.v);
	for (size_t i = 0; v2 && i < l->io.n_devices; i++) {
		const struct cgroup_weight *w = &l->io.devices[i];

		if (some(w->weight) && w->weight.v >= 10)
			put_device_number(p, "IODeviceWeight",
					  (const int64_t[]){ w->major, w->minor },
					  io_weight(w->weight.v));
	}
	for (size_t i = 0; v2 && i < l->io.n_throttle; i++) {
		const struct cgroup_throttle *t = &l->io.throttle[i];

		put_device_number(p, throttle[t->kind], (const int64_t[]){ t->major, t->minor },
				  t->rate ? t->rate : UINT64_MAX);
	}
}

/* ---- devices ---- */

/* The driver's name in /proc/devices, by which systemd knows "all minors of a major". */
static bool driver_name(char type, int64_t major, char out[80])
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(65536);
	char *rest, *line;
	bool block = false;

	if (fd_read_file(AT_FDCWD, "/proc/devices", &b, NULL) < 0)
		return false;
	rest = b.p;
	while (rest && (line = strsep(&rest, "\n"))) {
		char name[64];
		unsigned n;

		if (!strncmp(line, "Block", 5))
			block = true;
		else if (sscanf(line, "%u %63s", &n, name) == 2 && n == major &&
			 block == (type == 'b'))
			return snprintf(out, 80, "%s-%s", block ? "block" : "char", name) < 80;
	}
	return false;
}

static bool device_node(const struct cgroup_device *d, char out[80])
{
	const char *kind = d->type == 'b' ? "block" : "char";

	if (d->major >= 0 && d->minor >= 0)
		return snprintf(out, 80, "/dev/%s/%lld:%lld", kind, (long long)d->major,
				(long long)d->minor) < 80;
	if (d->major >= 0)
		return driver_name(d->type, d->major, out);
	return d->minor < 0 && snprintf(out, 80, "%s-*", kind) < 80;
}

/* Deny all first, then only allows; each by a name that systemd knows. */
static bool expressible(const struct cgroup_device *d, size_t n)
{
	char name[80];

	if (n == 0 || d->allow || d->type != 'a' || d->access != CGROUP_RWM || d->major >= 0 ||
	    d->minor >= 0)
		return false;
	for (size_t i = 1; i < n; i++)
		if (!d[i].allow || d[i].type == 'a' || !device_node(&d[i], name))
			return false;
	return true;
}

static void put_devices(struct unit_props *p, const struct cgroup_device *d, size_t n)
{
	char name[80], access[4];
	size_t at;

	if (n == 0)
		return;
	unit_put_str(p, "DevicePolicy", expressible(d, n) ? SLICE("strict") : SLICE("auto"));
	begin(p, "DeviceAllow", "a(ss)"); /* empty: forgets those before */
	at = dbus_array_begin(p->b, 8);
	for (size_t i = 1; i < n && expressible(d, n); i++) {
		unsigned k = 0;

		if (!device_node(&d[i], name))
			continue;
		if (d[i].access & CGROUP_READ)
			access[k++] = 'r';
		if (d[i].access & CGROUP_WRITE)
			access[k++] = 'w';
		if (d[i].access & CGROUP_MKNOD)
			access[k++] = 'm';
		dbus_align(p->b, 8);
		dbus_put_str(p->b, slice_str(name));
		dbus_put_str(p->b, slice_of(access, k));
	}
	dbus_array_end(p->b, at, 8);
}

/* ---- unified ---- */

static int64_t number_or_max(const char *text)
{
	uint64_t v;

	if (!strcmp(text, "max"))
		return -1;
	return str_uint64(slice_str(text), &v, NULL) == 0 && v <= INT64_MAX ? (int64_t)v : -2;
}

static int put_unified(struct unit_props *p, const struct cgroup_pair *u)
{
	static const char *const numbers[][2] = {
		{ "cpu.weight", "CPUWeight" },
		{ "memory.high", "MemoryHigh" },
		{ "memory.low", "MemoryLow" },
		{ "memory.max", "MemoryMax" },
		{ "memory.min", "MemoryMin" },
		{ "memory.swap.max", "MemorySwapMax" },
		{ "memory.zswap.max", "MemoryZSwapMax" },
		{ "pids.max", "TasksMax" },
	};
	int64_t v = number_or_max(u->value);
	long long quota, period;
	char word[32];

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (!strcmp(u->file, numbers[i][0]) && v != -2)
			unit_put_u64(p, numbers[i][1], or_max(v));
	if (!strcmp(u->file, "cpuset.cpus"))
		return put_mask(p, "AllowedCPUs", u->value);
	if (!strcmp(u->file, "cpuset.mems"))
		return put_mask(p, "AllowedMemoryNodes", u->value);
	if (!strcmp(u->file, "cpu.max")) {
		int n = sscanf(u->value, "%31s %lld", word, &period);

		quota = n > 0 ? number_or_max(word) : -2;
		if (quota != -2)
			put_quota(p, quota, n == 2 ? period : 0);
	}
	return 0; /* what has no property is only written to its file */
}

int unit_put_limits(struct unit_props *p, const struct cgroup_limits *l, bool v2)
{
	int r = put_cpu(p, l, v2);

	put_memory(p, l, v2);
	if (l->pids.set && l->pids.v != 0)
		unit_put_u64(p, "TasksMax", or_max(l->pids.v));
	put_io(p, l, v2);
	put_devices(p, l->devices, l->n_devices);
	for (size_t i = 0; r == 0 && v2 && i < l->n_unified; i++)
		r = put_unified(p, &l->unified[i]);
	return r;
}

int unit_put_extra(struct unit_props *p, const struct unit_extra *x)
{
	size_t n = strspn(x->name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
	const bool seconds = n > 3 && !strcmp(x->name + n - 3, "Sec") &&
			     (n < 4 || strcmp(x->name + n - 4, "USec") != 0);
	char name[80];
	int r;

	if (n < 3 || x->name[n] || n > 70)
		return err_set(p->err, ERR_INVALID,
			       "annotation org.systemd.property.%.40s: no property has such a name",
			       x->name);
	(void)snprintf(name, sizeof(name), seconds ? "%.*sUSec" : "%.*s",
		       (int)(seconds ? n - 3 : n), x->name);
	dbus_align(p->b, 8);
	dbus_put_str(p->b, slice_str(name));
	r = gvariant_put(p->b, x->value, seconds, p->err);
	return r < 0 ? err_wrap(p->err, "annotation org.systemd.property.%s", x->name) : 0;
}

int unit_expand_slice(struct slice name, char *out, size_t n, struct err *err)
{
	size_t used = 0, len = name.n > 6 ? name.n - 6 : 0;

	out[0] = 0;
	if (slice_is(name, "-.slice"))
		return 0;
	if (len == 0 || len > 240 || !slice_ends(name, SLICE(".slice")) ||
	    memchr(name.p, '/', name.n) || name.p[0] == '-' || name.p[len - 1] == '-' ||
	    memmem(name.p, len, "--", 2))
		return err_set(err, ERR_INVALID, "'%.*s' is not the name of a systemd slice",
			       (int)MIN(name.n, (size_t)80), name.p);
	for (size_t i = 1; i <= len; i++) {
		if (i < len && name.p[i] != '-')
			continue;
		used += (size_t)snprintf(out + used, n - used, "/%.*s.slice", (int)i, name.p);
		if (used >= n)
			return err_set(err, ERR_INVALID, "slice '%.*s' is nested too deep",
				       (int)MIN(name.n, (size_t)80), name.p);
	}
	return 0;
}
