/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a recorded container to a running one. What blocks for microseconds (small files, one spawn)
 * is done on the loop; what takes the kernel's rtnl lock is done by a worker while the shim waits.
 *
 *   prepare ([root: worker], files, config.json) -> shim: CREATE, ATTACH..., [network: worker],
 * START -> row saved
 * -> done
 *
 * CREATE, ATTACH and START are sent one after the other without waiting when no network has to be
 * attached. On failure: the shim is told to delete (it undoes the runtime's part), its end is
 * awaited, addresses go back.
 */
#include "engine/private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct start {
	struct container *c;
	void (*done)(struct container *c, int result, struct err *err);
	struct arena *a;
	struct work work;      /* network attach */
	struct work root_work; /* a root that takes long to make */
	struct image_rootfs rootfs;
	int netns;
	struct network *network;
	struct network_endpoint ep;
	struct err err; /* of the worker, or why the start failed */
	bool failed;
	int exit_code;	/* of a failed start: 126 and 127 are docker's, else 128 */
	bool own_netns; /* network none */
	bool attached;	/* ep holds an address */
	bool working;	/* the worker has it */
	bool mounted;	/* rootfs.mount, here */
	bool abandoned; /* the container went away while the worker had it */
};

/* ---- files of the container's directory ---- */

static int write_file(int dirfd, const char *name, struct slice text, mode_t mode, struct err *err)
{
	CLEANUP(fd_close)
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);

	if (fd < 0)
		return err_sys(err, "create '%s' of the container", name);
	if (fd_write_all(fd, text.p, text.n) < 0)
		return err_sys(err, "write '%s' of the container", name);
	return 0;
}

/* NULL-terminated, NULL when empty. */
static const char *const *terminated(struct arena *a, const struct strs *from)
{
	const char **v = from->n ? ARENA_ARRAY(a, const char *, from->n + 1) : NULL;

	for (size_t i = 0; v && i < from->n; i++)
		v[i] = from->v[i];
	return v;
}

static int write_network_files(struct container *c, const struct network_endpoint *ep,
			       struct err *err)
{
	const struct host_config *h = &c->spec.host;
	CLEANUP(buf_fini)
	struct buf text = BUF_INIT(1u << 20), hosts = BUF_INIT(1u << 20), conf = BUF_INIT(1u << 20);
	struct err ignored = ERR_INIT;
	struct arena *a = c->start->a;
	CLEANUP(fd_close) int dir = openat(AT_FDCWD, c->run_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct network_mode mode;
	struct network_files f;
	int r;

	if (dir < 0)
		return err_sys(err, "open run directory '%s'", c->run_dir);
	r = network_mode_parse(h->network_mode ? h->network_mode : "", &mode, err);
	if (r < 0)
		return r;
	f = (struct network_files){
		.kind = mode.kind,
		.hostname = c->spec.config.hostname,
		.domainname = c->spec.config.domainname,
		.addr = ep ? &ep->addr : NULL,
		.gateway = ep ? &ep->gateway : NULL,
		.extra_hosts = terminated(a, &h->extra_hosts),
		.dns = terminated(a, &h->dns),
		.dns_search = terminated(a, &h->dns_search),
		.dns_options = terminated(a, &h->dns_options),
	};
	if (mode.kind == NETWORK_KIND_HOST &&
	    fd_read_file(AT_FDCWD, "/etc/hosts", &hosts, &ignored) == 0)
		f.host_hosts = buf_slice(&hosts);
	r = network_hosts(&f, &text, err);
	if (r == 0)
		r = write_file(dir, "hosts", buf_slice(&text), 0644, err);
	if (r < 0 || ep) /* only the addresses have become known since */
		return r;
	buf_clear(&text);
	r = network_hostname(&f, &text, err);
	if (r == 0)
		r = write_file(dir, "hostname", buf_slice(&text), 0644, err);
	if (r < 0)
		return r;
	buf_clear(&text);
	if (fd_read_file(AT_FDCWD, "/etc/resolv.conf", &conf, &ignored) ==
	    0) /* absent: as if empty */
		f.host_resolv = buf_slice(&conf);
	r = network_resolv(&f, &text, err);
	if (r == 0)
		r = write_file(dir, "resolv.conf", buf_slice(&text), 0644, err);
	return r;
}

/* ---- namespaces of other containers ---- */

static int join_path(struct start *s, const char *mode, const char *ns, const char **ret)
{
	static const char prefix[] = "container:";
	struct container *other;
	int r;

	*ret = NULL;
	if (!mode || strncmp(mode, prefix, sizeof(prefix) - 1) != 0)
		return 0;
	r = engine_container_find(s->c->e, mode + sizeof(prefix) - 1, &other, &s->err);
	if (r < 0)
		return r;
	if (!container_alive(other))
		return err_set(&s->err, ERR_CONFLICT,
			       "cannot join %s of a non running container: %s",
			       strcmp(ns, "net") == 0	? "network"
			       : strcmp(ns, "ipc") == 0 ? "IPC"
							: "PID",
			       other->id);
	*ret = arena_printf(s->a, "/proc/%d/ns/%s", other->state.pid, ns);
	return *ret ? 0 : arena_quota(s->a, &s->err);
}

/* Who shares a network shares its hosts, hostname and resolv.conf too, along the whole chain. */
static int files_of(struct start *s, const struct container **ret)
{
	static const char prefix[] = "container:";
	struct container *c = s->c;

	for (int depth = 0; depth < 8; depth++) {
		const char *mode = c->spec.host.network_mode;
		int r;

		if (!mode || strncmp(mode, prefix, sizeof(prefix) - 1) != 0) {
			*ret = c;
			return 0;
		}
		r = engine_container_find(s->c->e, mode + sizeof(prefix) - 1, &c, &s->err);
		if (r < 0)
			return r;
	}
	return err_set(&s->err, ERR_BAD_REQUEST,
		       "the network is shared over more than 8 containers");
}

static int choose_network(struct start *s)
{
	struct network_mode mode;
	int r;

	r = network_mode_parse(s->c->spec.host.network_mode ? s->c->spec.host.network_mode : "",
			       &mode, &s->err);
	if (r < 0)
		return r;
	if (mode.kind == NETWORK_KIND_BRIDGE) {
		if (!s->c->e->bridge)
			return err_set(&s->err, ERR_UNSUPPORTED,
				       "network bridge is switched off in this engine");
		s->network = s->c->e->bridge;
	} else if (mode.kind == NETWORK_KIND_NONE) {
		s->own_netns = true;
	} else if (mode.kind == NETWORK_KIND_NAMED) {
		return network_find(s->c->e->networks, mode.ref, &s->network, &s->err);
	}
	return 0;
}

/* ---- the row ---- */

/* The container's own namespace holds the root by now, or it will never start. */
static void release_root(struct start *s)
{
	if (s->mounted)
		image_rootfs_release(s->c->run_dir);
	s->mounted = false;
}

static void start_finish(struct start *s, int result)
{
	struct container *c = s->c;
	void (*done)(struct container *, int, struct err *) = s->done;
	struct err err = s->err;

	if (result < 0)
		c->state.exit_code = s->exit_code ? s->exit_code : 128;
	c->start = NULL;
	release_root(s);
	arena_free(s->a);
	fd_close(s->netns);
	free(s);
	done(c, result, result < 0 ? &err : NULL);
}

static void fail(struct start *s);

static void start_saved(void *arg, int result, struct err *err)
{
	struct start *s = arg;
	struct container *c = s->c;

	if (result < 0) { /* what is not recorded must not run */
		s->err = *err;
		s->attached = *c->ep.network_id != '\0';
		c->ep = (struct network_endpoint){ 0 };
		c->launched = c->exit_held = false;
		container_set_status(c, CT_CREATED);
		container_show_endpoint(c);
		fail(s);
		return;
	}
	if (*s->ep.network_id)
		container_network_event(c, "connect", s->ep.network_id);
	container_event(c, "start", NULL, 0);
	start_finish(s, result);
}

/* Everything is gone again: tell. */
static void start_failed(struct start *s)
{
	if (s->attached)
		netns_hold(s->c->e, STEAL_FD(s->netns), &s->ep);
	s->attached = false;
	start_finish(s, err_ret(&s->err));
}

static void fail(struct start *s)
{
	if (s->failed)
		return;
	s->failed = true;
	if (s->c->shim)
		shim_call_delete(s->c->shim, NULL,
				 NULL); /* start_abort is called when it has ended */
	else
		start_failed(s);
}

/* The shim's connection has ended, whatever the reason. */
void start_abort(struct container *c, struct err *why)
{
	struct start *s = c->start;

	if (s->working) {
		s->abandoned = true; /* net_done goes on from here */
		return;
	}
	if (!s->failed)
		s->err = *why;
	s->failed = true;
	start_failed(s);
}

void start_free(struct container *c)
{
	struct start *s = c->start;

	if (!s)
		return;
	c->start = NULL;
	release_root(s);
	arena_free(s->a);
	fd_close(s->netns);
	free(s);
}

/* ---- replies of the shim ---- */

/* docker: a program that cannot be run is a fault of the request (400). */
static void refused_by_runtime(struct start *s, const struct err *err)
{
	int code = rt_exit_code(err);

	s->err = *err;
	if (code >= 126) {
		s->exit_code = code;
		s->err.code = ERR_BAD_REQUEST;
	}
	/* The words by which docker's client knows what to exit with. */
	if (code == 126 && !strstr(s->err.msg, "permission denied"))
		err_hint(&s->err, "permission denied");
	fail(s);
}

static void on_started(void *arg, struct shim_reply *r)
{
	struct container *c = arg;
	struct start *s = c->start;

	if (!s || s->failed)
		return;
	if (r->result < 0) {
		refused_by_runtime(s, r->err);
		return;
	}
	c->state.started = (int64_t)wire_u64(&r->payload);
	c->launched = true;
	c->state.oom_killed = c->oom_told = false;
	c->state.exit_code = 0;
	c->ep = s->ep;
	c->netns = STEAL_FD(s->netns);
	container_set_error(c, "");
	container_set_status(c, CT_RUNNING);
	container_show_endpoint(c);
	s->attached = false; /* the container has it now */
	container_save(c, start_saved, s);
}

static void attach_sent(void *arg, struct shim_reply *r)
{
	(void)arg;
	if (r->result < 0)
		log_debug("attach before start: %s", r->err->msg);
}

static void send_attaches(struct container *c)
{
	struct pending_attach *p;

	LIST_FOREACH (p, &c->attaches, struct pending_attach, link) {
		const struct shim_attach rq = {
			.exec_id = SLICE(""),
			.streams = p->streams,
			.detach_keys = buf_slice(&p->keys),
			.unread = buf_slice(&p->unread),
		};

		shim_call_attach(c->shim, &rq, p->fd, attach_sent, c);
	}
	attaches_free(c);
}

static void net_run(struct work *w)
{
	struct start *s = CONTAINER_OF(w, struct start, work);
	const struct network_endpoint_spec spec = { .container = s->c->id, .netns_fd = s->netns };

	s->attached = network_attach(s->network, &spec, &s->ep, &s->err) == 0;
}

static void network_seen(struct start *s)
{
	struct engine *e = s->c->e;
	struct network_info info;
	char ip[INET_ADDRSTRLEN] = "", subnet[64];

	network_info(s->network, &info);
	inet_ntop(AF_INET, &info.subnet.v4, ip, sizeof(ip));
	(void)snprintf(subnet, sizeof(subnet), "%s/%d", ip, info.subnet.prefix);
	if (strcmp(subnet, e->subnet) != 0) {
		str_copy(e->subnet, sizeof(e->subnet), subnet);
		meta_set_later(e, "bridge-subnet", subnet);
	}
	if (!info.forwarding && !e->forwarding_told)
		log_warn(
			"net.ipv4.ip_forward is 0 and cannot be set from here: containers on "
			"network bridge reach this host only; run sysctl -w net.ipv4.ip_forward=1");
	e->forwarding_told = true;
}

static void net_done(struct work *w)
{
	struct start *s = CONTAINER_OF(w, struct start, work);

	s->working = false;
	if (s->c->e->closing)
		return; /* nobody will start it: the next engine has its shim delete it */
	if (s->abandoned) {
		if (!s->err.code)
			err_set(&s->err, ERR_SYSTEM, "the container's shim ended during the start");
		s->failed = true;
		start_failed(s);
		return;
	}
	if (s->failed)
		return;
	if (!s->attached) {
		fail(s);
		return;
	}
	if (write_network_files(s->c, &s->ep, &s->err) < 0 ||
	    endpoint_write(s->c, &s->ep, &s->err) < 0) {
		fail(s);
		return;
	}
	network_seen(s);
	shim_call_start(s->c->shim, on_started, s->c);
}

static void on_created(void *arg, struct shim_reply *r)
{
	struct container *c = arg;
	struct start *s = c->start;
	char path[64];

	if (!s || s->failed)
		return;
	if (r->result < 0) {
		refused_by_runtime(s, r->err);
		return;
	}
	c->state.pid = (int)wire_u32(&r->payload);
	release_root(s);
	if (!s->network && !s->own_netns)
		return; /* START is on its way already */
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", c->state.pid);
	s->netns = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	if (!s->network)
		return; /* as above; a container that has ended already needs none kept */
	if (s->netns < 0) {
		err_sys(&s->err, "open network namespace '%s'", path);
		fail(s);
		return;
	}
	s->working = work_submit(c->e->pool, &s->work, net_run, net_done, &s->err) == 0;
	if (!s->working)
		fail(s);
}

/* ---- begin ---- */

/* What can be found wrong before anything is made. */
static int prepare_root(struct start *s)
{
	struct container *c = s->c;
	int r;

	r = choose_network(s);
	/* A volatile overlay is mounted once only: the kernel marks its work directory. */
	if (r == 0 && c->spec.host.auto_remove && c->state.finished != CLOCK_ZERO)
		r = fd_remove_tree(AT_FDCWD, arena_printf(s->a, "%s/work", c->dir), &s->err);
	return r < 0 ? r : engine_rootfs_plan(c->e, c, true, s->a, &s->rootfs, &s->err);
}

static int prepare(struct start *s)
{
	struct container *c = s->c;
	CLEANUP(fd_close) int dir = -1, run = -1;
	struct oci_inputs in = { .c = c, .files = c, .rootfs = &s->rootfs };
	struct slice json;
	int r;

	r = join_path(s, c->spec.host.network_mode, "net", &in.join_net);
	if (r == 0)
		r = files_of(s, &in.files);
	if (r == 0)
		r = join_path(s, c->spec.host.pid_mode, "pid", &in.join_pid);
	/* Bundle and network files are of this run only, so they lie where a reboot forgets them
	 * (and no inode of a disk is spent). */
	if (r == 0)
		r = fd_mkdir_p(AT_FDCWD, c->run_dir, 0700, &s->err);
	if (r == 0 && in.files == c)
		r = write_network_files(c, NULL, &s->err);
	if (r < 0)
		return r;
	r = oci_spec_build(&in, s->a, &json, &s->err);
	if (r < 0)
		return r;
	dir = openat(AT_FDCWD, c->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(&s->err, "open container directory '%s'", c->dir);
	if ((unlinkat(dir, "exits", 0) < 0 && errno != ENOENT) ||
	    (unlinkat(dir, "endpoint", 0) < 0 && errno != ENOENT))
		return err_sys(&s->err, "remove the records of the run before");
	run = openat(AT_FDCWD, c->run_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (run < 0)
		return err_sys(&s->err, "open the run directory of container %s", c->id);
	return write_file(run, "config.json", json, 0600, &s->err);
}

static int launch(struct start *s)
{
	struct container *c = s->c;
	const struct host_config *h = &c->spec.host;
	CLEANUP(fd_close) int dir = openat(AT_FDCWD, c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool no_log = h->log && h->log->type && strcmp(h->log->type, "none") == 0;
	struct shim_where where = {
		.program = c->e->oci_program, .run_dir = c->run_dir, .id = c->id, .log_fd = 2
	};
	struct shim_create rq = {
		.id = slice_str(c->id),
		.rt_root = slice_str(c->e->oci_root),
		.bundle = slice_str(c->run_dir),
		.log_driver = no_log ? SHIM_LOG_NONE : SHIM_LOG_JSON_FILE,
		.log_max_size = (uint64_t)log_option(h, "max-size", 0),
		.log_max_files = (uint32_t)log_option(h, "max-file", 1),
		.log_name = slice_str(c->log_path + strlen(c->dir) + 1),
		.flags = SHIM_LIMITED_CGROUPS,
	};
	int r;

	if (dir < 0)
		return err_sys(&s->err, "open container directory '%s'", c->dir);
	if (c->spec.config.tty)
		rq.flags |= SHIM_TTY;
	if (c->spec.config.open_stdin)
		rq.flags |= SHIM_STDIN;
	if (c->spec.config.stdin_once)
		rq.flags |= SHIM_STDIN_ONCE;
	if (h->console_size.n == 2) {
		rq.rows = (uint16_t)MIN(h->console_size.v[0], UINT16_MAX);
		rq.cols = (uint16_t)MIN(h->console_size.v[1], UINT16_MAX);
	}
	c->shim_exited = c->launched = false;
	r = shim_spawn(c->e->loop, &where, lifecycle_shim_events(), c, &c->shim, &s->err);
	if (r < 0)
		return r;
	shim_call_create(c->shim, &rq, dir, on_created, c);
	send_attaches(c);
	if (!s->network)
		shim_call_start(c->shim, on_started, c);
	return 0;
}

static void root_run(struct work *w)
{
	struct start *s = CONTAINER_OF(w, struct start, root_work);

	(void)image_rootfs_make(s->c->e->images, &s->rootfs, &s->err); /* root_done looks */
}

static void root_done(struct work *w)
{
	struct start *s = CONTAINER_OF(w, struct start, root_work);

	s->working = false;
	s->mounted = s->rootfs.mount != NULL;
	if (s->c->e->closing)
		return; /* nobody will start it */
	if (s->err.code || prepare(s) < 0 || launch(s) < 0)
		fail(s);
}

/* Copying a whole tree, or waiting for a program that mounts, is no work for the loop. */
static int make_root(struct start *s)
{
	int r;

	if (!s->rootfs.slow)
		return image_rootfs_make(s->c->e->images, &s->rootfs, &s->err);
	r = work_submit(s->c->e->pool, &s->root_work, root_run, root_done, &s->err);
	s->working = r == 0;
	return r < 0 ? r : 1;
}

void start_begin(struct container *c,
		 void (*done)(struct container *c, int result, struct err *err))
{
	struct start *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		abort();
	s->c = c;
	s->done = done;
	s->netns = -1;
	s->a = arena_new("start", 8u << 20);
	c->start = s;
	r = prepare_root(s);
	if (r == 0)
		r = make_root(s);
	if (r < 0 || (r == 0 && (prepare(s) < 0 || launch(s) < 0)))
		fail(s);
}
