/* SPDX-License-Identifier: Apache-2.0 */
/* Commands about resources: update, events. */
#include "runtime/cli.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"
#include "doc/json.h"
#include "linux/rtnl.h"
#include "linux/sys.h"

#include <poll.h>
#include <string.h>
#include <sys/epoll.h>

/* ---- update ---- */

struct update_opts {
	const char *file, *l3, *mem_bw;
	const char *values[16]; /* order of update_values */
};

/* An option, and where its value goes in linux.resources. Kind: bytes (m), number (n), text (s). */
#define UPDATES(X)                                                                           \
	X(0, "blkio-weight", "blockIO", "weight", 'n', "weight for disks, 10 to 1000")       \
	X(1, "cpu-period", "cpu", "period", 'n', "length of a period in microseconds")       \
	X(2, "cpu-quota", "cpu", "quota", 'n', "CPU time in a period in microseconds")       \
	X(3, "cpu-burst", "cpu", "burst", 'n', "CPU time that may be saved up")              \
	X(4, "cpu-rt-period", "cpu", "realtimePeriod", 'n', "period of realtime scheduling") \
	X(5, "cpu-rt-runtime", "cpu", "realtimeRuntime", 'n', "realtime CPU time in it")     \
	X(6, "cpu-share", "cpu", "shares", 'n', "weight for CPUs")                           \
	X(7, "cpuset-cpus", "cpu", "cpus", 's', "CPUs, such as 0-3,7")                       \
	X(8, "cpuset-mems", "cpu", "mems", 's', "memory nodes")                              \
	X(9, "cpu-idle", "cpu", "idle", 'n', "1: run only when nobody else wants to")        \
	X(10, "memory", "memory", "limit", 'm', "memory limit in bytes")                     \
	X(11, "memory-reservation", "memory", "reservation", 'm', "soft memory limit")       \
	X(12, "memory-swap", "memory", "swap", 'm', "memory and swap; -1 = unlimited swap")  \
	X(13, "kernel-memory", "memory", "kernel", 'm', "kernel memory (v1)")                \
	X(14, "kernel-memory-tcp", "memory", "kernelTCP", 'm', "TCP buffer memory (v1)")     \
	X(15, "pids-limit", "pids", "limit", 'n', "number of processes; -1 = any")

static const struct {
	const char *option, *section, *key;
	char kind;
} update_values[] = {
#define X(i, option, section, key, kind, help) { option, section, key, kind },
	UPDATES(X)
#undef X
};

static const struct opt update_opts[] = {
	OPT(struct update_opts, STR, file, "resources", 'r',
	    "file with linux.resources as JSON, - for stdin"),
#define X(i, option, section, key, kind, help) \
	OPT(struct update_opts, STR, values[i], option, 0, help),
	UPDATES(X)
#undef X
		OPT(struct update_opts, STR, l3, "l3-cache-schema", 0, "of linux.intelRdt"),
	OPT(struct update_opts, STR, mem_bw, "mem-bw-schema", 0, "of linux.intelRdt"), OPT_END
};

static int update_value(struct cmd_call *call, struct doc *res, size_t i, const char *text,
			struct err *err)
{
	const char *key = update_values[i].key;
	struct doc *section = doc_get(res, update_values[i].section);
	int64_t v;
	int r;

	if (!doc_is(section, DOC_OBJECT))
		section = doc_set_object(call->arena, res, update_values[i].section);
	if (update_values[i].kind == 's') {
		doc_set_str(call->arena, section, key, text);
		return 0;
	}
	r = str_int64(slice_str(text), &v, NULL);
	if (r < 0 && update_values[i].kind == 'm')
		r = cmd_parse_size(slice_str(text), &v, NULL);
	if (r < 0)
		return err_set(err, ERR_INVALID, "--%s '%s' is not a number%s",
			       update_values[i].option, text,
			       update_values[i].kind == 'm' ? " or size such as 64m" : "");
	doc_set_int(call->arena, section, key, v);
	return 0;
}

static int read_resources(const char *path, struct buf *b, struct err *err)
{
	ssize_t n;

	if (strcmp(path, "-"))
		return fd_read_file(AT_FDCWD, path, b, err);
	if (!buf_room(b, b->max))
		return err_set(err, ERR_TOO_LARGE, "no room for the resources");
	n = fd_read_full(0, b->p, b->max);
	if (n < 0)
		return err_sys(err, "read the resources from stdin");
	b->n = (size_t)n;
	return b->n == b->max ? err_set(err, ERR_TOO_LARGE, "longer than %zu bytes", b->max) : 0;
}

/* The file, changed by the options; *ret NULL when neither says anything. */
static int update_doc(struct cmd_call *call, struct buf *file, struct doc **ret, struct err *err)
{
	struct update_opts *o = call->opts;
	struct doc *res = NULL;
	int r = 0;

	if (o->file) {
		r = read_resources(o->file, file, err);
		if (r >= 0)
			r = json_read(call->arena, buf_slice(file), NULL, &res, err);
		if (r >= 0 && !doc_is(res, DOC_OBJECT))
			r = err_set(err, ERR_INVALID, "not an object");
		if (r < 0)
			return err_wrap(err, "--resources '%s'", o->file);
	}
	for (size_t i = 0; r >= 0 && i < ARRAY_LEN(update_values); i++) {
		if (!o->values[i])
			continue;
		if (!res)
			res = doc_new_object(call->arena);
		r = update_value(call, res, i, o->values[i], err);
	}
	*ret = res;
	return r;
}

static int update_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(rt_close) struct rt_container *c = NULL;
	CLEANUP(buf_fini) struct buf file = BUF_INIT(1u << 20);
	struct update_opts *o = call->opts;
	struct doc *res = NULL;
	struct slice text;
	int r;

	r = cli_open(call, &c, err);
	if (r >= 0)
		r = update_doc(call, &file, &res, err);
	if (r >= 0 && !res && !o->l3 && !o->mem_bw)
		r = err_set(err, ERR_INVALID, "update: --resources or a limit is needed");
	if (r >= 0 && res)
		r = json_print(call->arena, res, NULL, &text, err);
	if (r >= 0 && res)
		r = rt_update(c, text, err);
	if (r >= 0 && (o->l3 || o->mem_bw))
		r = rt_update_rdt(c, o->l3, o->mem_bw, err);
	return cli_finish(call, r, err);
}

/* ---- events ---- */

struct events_opts {
	bool stats;
	int64_t interval;
};
static const struct opt events_opts[] = { OPT(struct events_opts, BOOL, stats, "stats", 0,
					      "print statistics once"),
					  OPT(struct events_opts, DURATION, interval, "interval", 0,
					      "time between two statistics (5s)"),
					  OPT_END };

static int add_link(void *arg, const struct rtnl_link *l)
{
	const struct rtnl_stats *s = &l->stats;
	struct buf *b = arg;

	buf_adds(b, b->p[b->n - 1] == '[' ? "{\"Name\":" : ",{\"Name\":");
	(void)json_write_string(b, slice_str(l->name), false); /* a full buffer is seen later */
	for (int rx = 1; rx >= 0; rx--)
		buf_addf(
			b,
			",\"%sBytes\":%llu,\"%sPackets\":%llu,\"%sErrors\":%llu,\"%sDropped\":%llu",
			rx ? "Rx" : "Tx", (unsigned long long)(rx ? s->rx_bytes : s->tx_bytes),
			rx ? "Rx" : "Tx", (unsigned long long)(rx ? s->rx_packets : s->tx_packets),
			rx ? "Rx" : "Tx", (unsigned long long)(rx ? s->rx_errors : s->tx_errors),
			rx ? "Rx" : "Tx", (unsigned long long)(rx ? s->rx_dropped : s->tx_dropped));
	buf_addc(b, '}');
	return 0;
}

/* Of the container's own network namespace; with the host's there is nothing that is its own. */
static void add_links(const struct rt_container *c, struct buf *b)
{
	CLEANUP(fd_close) int own = -1;
	CLEANUP(fd_close) int fd = -1;
	size_t before = b->n;

	if (ns_open_of(0, NS_NET, &own, NULL) < 0 || ns_open_of(c->pid, NS_NET, &fd, NULL) < 0 ||
	    ns_same(own, fd, NULL) != 0)
		return;
	buf_adds(b, ",\"network_interfaces\":[");
	if (rtnl_stats_list(fd, add_link, b, NULL) < 0) /* it has ended meanwhile */
		b->n = before;
	else
		buf_addc(b, ']');
}

/* One line of JSON: what runc prints, so that its readers take ours. */
static int print_event(struct rt_container *c, const char *type, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4u << 20);
	int r = 0;

	buf_addf(&b, "{\"type\":\"%s\",\"id\":\"%s\"", type, c->id);
	if (type[0] == 's') {
		buf_adds(&b, ",\"data\":{");
		r = rt_stats_json(c, &b, err);
		if (r >= 0)
			add_links(c, &b);
		buf_addc(&b, '}');
	}
	buf_adds(&b, "}\n");
	return r < 0 ? r : cli_print(&b, err);
}

struct watch {
	struct rt_container *c;
	int oom;
	uint32_t events;
	uint64_t kills;
};

static int oom_happened(struct watch *w, struct err *err)
{
	uint64_t now = w->kills, count;

	if (w->events & EPOLLIN) /* v1: one event for each time that it was out of memory */
		return read(w->oom, &count, sizeof(count)) > 0 ? print_event(w->c, "oom", err) : 0;
	/* v2: some counter of the file has changed. */
	if (rt_oom_kills(w->c, &now, NULL) < 0 || now <= w->kills)
		return 0;
	w->kills = now;
	return print_event(w->c, "oom", err);
}

/* Until the container has ended. */
static int follow(struct watch *w, int64_t interval, struct err *err)
{
	int64_t next = clock_mono();
	int r = 0;

	while (r >= 0) {
		/* EPOLLIN and EPOLLPRI are POLLIN and POLLPRI. */
		struct pollfd p[2] = { { w->c->pidfd, POLLIN, 0 },
				       { w->oom, (short)w->events, 0 } };
		int64_t left = next - clock_mono();

		if (left <= 0) {
			r = print_event(w->c, "stats", err);
			next = clock_mono() + interval;
			continue;
		}
		if (poll(p, 2, (int)MIN(left / NS_PER_MS + 1, INT32_MAX)) < 0 && errno != EINTR)
			return err_sys(err, "wait for events");
		if (p[1].revents)
			r = oom_happened(w, err);
		if (p[0].revents)
			break;
	}
	return r;
}

static int events_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(rt_close) struct rt_container *c = NULL;
	CLEANUP(fd_close) int oom = -1;
	struct events_opts *o = call->opts;
	struct watch w = { 0 };
	int r;

	r = cli_open(call, &c, err);
	if (r >= 0 && o->interval < 0)
		r = err_set(err, ERR_INVALID, "--interval: a duration above 0 is wanted");
	if (r >= 0 && c->pidfd < 0)
		r = err_set(err, ERR_CONFLICT, "container not running: it is stopped");
	if (r >= 0 && o->stats)
		return cli_finish(call, print_event(c, "stats", err), err);
	if (r < 0)
		return cli_finish(call, r, err);
	w.c = c;
	w.oom = -1;
	/* Without a memory cgroup there are statistics alone. */
	if (rt_oom_watch(c, &oom, &w.events, NULL) >= 0) {
		w.oom = oom;
		(void)rt_oom_kills(c, &w.kills, NULL); /* 0 will do */
	}
	return cli_finish(call, follow(&w, o->interval ? o->interval : 5 * NS_PER_SEC, err), err);
}

const struct cmd cli_update = CLI_CMD("update", "[OPTIONS] ID", "Change the limits of a container",
				      struct update_opts, update_opts, 1, 1, update_run);
const struct cmd cli_events =
	CLI_CMD("events", "[OPTIONS] ID", "Print statistics and lack of memory as JSON lines",
		struct events_opts, events_opts, 1, 1, events_run);
