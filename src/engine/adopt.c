/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What shims tell, what becomes of a container whose shim was killed, and what a new engine finds.
 *
 * A shim that listens is the truth about its container; without one the exit records in the
 * container's directory are; without those the container is killed and its end is now. Only
 * "nothing listens" means that there is no shim: any other failure to connect stops the opening of
 * the engine, since taking a live container for a dead one would kill it.
 */
#include "engine/private.h"

#include "linux/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

/* ---- the shim went away without telling an exit: it was killed ---- */

struct reap {
	struct work work;
	struct engine *e;
	struct container *c; /* NULL: freed meanwhile */
	char id[ID_LEN + 1];
	char *dir;
	struct shim_exit exit;
	bool found;
	struct err err;
};

static void take_init_exit(const struct shim_exit *x, void *arg)
{
	struct reap *r = arg;

	if (!*x->exec_id) {
		r->exit = *x;
		r->found = true;
	}
}

static void kill_members(int dir)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(65536);
	struct err ignored = ERR_INIT;
	struct slice rest;

	if (fd_read_file(dir, "cgroup.procs", &text, &ignored) < 0)
		return;
	rest = buf_slice(&text);
	while (rest.p && rest.n) {
		CLEANUP(fd_close) int pidfd = -1;
		int64_t pid;

		if (str_int64(slice_split(&rest, '\n'), &pid, &ignored) == 0 && pid > 0 &&
		    proc_pidfd((pid_t)pid, &pidfd, &ignored) == 0)
			(void)proc_signal(pidfd, SIGKILL, &ignored); /* it may have ended */
	}
}

/* Removes one cgroup directory. Who is still in it is killed; that takes the kernel a moment. */
static void remove_group(int top, const char *path)
{
	for (int i = 0; i < 500 && unlinkat(top, path, AT_REMOVEDIR) < 0 && errno == EBUSY; i++) {
		CLEANUP(fd_close) int dir = openat(top, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		const struct timespec moment = { .tv_nsec = 2 * NS_PER_MS };

		if (dir >= 0)
			kill_members(dir);
		(void)nanosleep(&moment, NULL);
	}
}

/* The shim was killed inside of create: a directory without a state, a cgroup that nobody has
 * joined or whose process ends with the pipe it waits on. Runs on a worker. */
static int remove_half_made(struct engine *e, const char *id, struct err *err)
{
	CLEANUP_FREE char *state = NULL, *group = NULL;
	DIR *d = opendir("/sys/fs/cgroup");
	struct dirent *de;

	if (asprintf(&state, "%s/%s", e->oci_root, id) < 0 ||
	    asprintf(&group, "teu-%s/%s", e->instance, id) < 0)
		abort();
	if (d)
		remove_group(dirfd(d), group); /* v2; absent is fine, here and below */
	while (d && (de = readdir(d))) {
		CLEANUP_FREE char *path = NULL;

		if (de->d_name[0] == '.')
			continue;
		if (asprintf(&path, "%s/%s", de->d_name, group) < 0)
			abort();
		remove_group(dirfd(d), path);
	}
	if (d)
		closedir(d);
	*err = ERR_INIT;
	return fd_remove_tree(AT_FDCWD, state, err);
}

static void reap_run(struct work *w)
{
	struct reap *r = CONTAINER_OF(w, struct reap, work);
	CLEANUP(rt_close) struct rt_container *rc = NULL;
	CLEANUP(fd_close) int dir = openat(AT_FDCWD, r->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct err err = ERR_INIT;
	int code;

	if (dir >= 0)
		(void)shim_exits_read(dir, take_init_exit, r, &err); /* unreadable = no record */
	err = ERR_INIT;
	code = rt_open(&r->e->rt, r->id, &rc, &err);
	if (code == 0 && rt_delete(rc, true, &err) < 0)
		log_debug("container %s: %s", r->id, err.msg);
	/* Whatever the state knew of: a shim can be killed before and after it has written that. */
	code = remove_half_made(r->e, r->id, &err);
	if (code < 0)
		r->err = err;
}

static void reap_done(struct work *w)
{
	struct reap *r = CONTAINER_OF(w, struct reap, work);
	struct container *c = r->c;

	if (r->err.code)
		log_error("container %s: cleaning up after its shim: %s", r->id, r->err.msg);
	if (!r->found)
		r->exit = (struct shim_exit){ .status = SIGKILL, .finished = clock_real() };
	if (c)
		c->reap = NULL;
	if (c && c->removed) {
		lifecycle_freed(c);
	} else if (c && !c->e->closing) {
		if (container_alive(c)) {
			if (!r->found)
				container_set_error(c, "the container's shim was killed; the "
						       "container was ended with it");
			lifecycle_exited(c, &r->exit);
		}
		lifecycle_go_on(c);
	}
	free(r->dir);
	free(r);
}

void reap_start(struct container *c)
{
	struct reap *r = calloc(1, sizeof(*r));
	struct err err = ERR_INIT;

	if (!r)
		abort();
	r->e = c->e;
	r->c = c;
	memcpy(r->id, c->id, sizeof(r->id));
	r->dir = strdup(c->dir);
	if (!r->dir)
		abort();
	c->reap = r;
	if (work_submit(c->e->pool, &r->work, reap_run, reap_done, &err) < 0) {
		reap_run(&r->work);
		reap_done(&r->work);
	}
}

void reap_forget(struct container *c)
{
	if (c->reap)
		c->reap->c = NULL;
	c->reap = NULL;
}

/* ---- addresses over engine restarts ---- */

/* Written before the program starts: the row tells of the run only afterwards. It need not outlive
 * the machine, since the run does not either. */
int endpoint_write(struct container *c, const struct network_endpoint *ep, struct err *err)
{
	CLEANUP(fd_close) int dir = openat(AT_FDCWD, c->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(fd_close) int fd = -1;
	char ip[INET_ADDRSTRLEN] = "", text[INET_ADDRSTRLEN + NETWORK_ID_LEN + 4];
	int n;

	inet_ntop(AF_INET, &ep->addr.v4, ip, sizeof(ip));
	n = snprintf(text, sizeof(text), "%s %s\n", ip, ep->endpoint_id);
	if (dir >= 0)
		fd = openat(dir, "endpoint", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
			    0600);
	if (fd < 0 || fd_write_all(fd, text, (size_t)n) < 0)
		return err_sys(err, "record the address of container %s", c->id);
	return 0;
}

static bool endpoint_read(const struct container *c, struct in_addr *ip,
			  char id[NETWORK_ID_LEN + 1])
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(256);
	CLEANUP(fd_close) int dir = openat(AT_FDCWD, c->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct err ignored = ERR_INIT;
	struct slice rest, addr;
	char addr_text[INET_ADDRSTRLEN] = "";

	if (dir < 0 || fd_read_file(dir, "endpoint", &text, &ignored) < 0)
		return false;
	rest = buf_slice(&text);
	rest = slice_split(&rest, '\n');
	addr = slice_split(&rest, ' ');
	if (addr.n >= sizeof(addr_text) || rest.n != NETWORK_ID_LEN || !hex_is_lower(rest))
		return false;
	memcpy(addr_text, addr.p, addr.n);
	memcpy(id, rest.p, NETWORK_ID_LEN);
	id[NETWORK_ID_LEN] = '\0';
	return inet_pton(AF_INET, addr_text, ip) == 1;
}

/* Before anything is started, so that nobody else gets the address of a container that runs. */
static void take_address(struct container *c)
{
	struct network_endpoint ep = { 0 };
	struct network_mode mode;
	struct network_info info;
	struct err err = ERR_INIT;
	struct in_addr wanted, got;

	if (!c->e->bridge || !c->spec.host.network_mode ||
	    network_mode_parse(c->spec.host.network_mode, &mode, &err) < 0 ||
	    mode.kind != NETWORK_KIND_BRIDGE || !endpoint_read(c, &wanted, ep.endpoint_id))
		return;
	if (network_up(c->e->bridge, &err) < 0 ||
	    network_ipam_take(c->e->bridge, &wanted, &got, &err) < 0) {
		log_warn("container %s: its address cannot be kept: %s", c->id, err.msg);
		return;
	}
	network_info(c->e->bridge, &info);
	str_copy(ep.network_id, sizeof(ep.network_id), info.id);
	str_copy(ep.ifname, sizeof(ep.ifname), "eth0");
	ep.addr = (struct rtnl_addr){ .family = AF_INET, .prefix = info.subnet.prefix, .v4 = got };
	ep.gateway = info.gateway;
	ep.mac[0] = 0x02;
	ep.mac[1] = 0x42;
	memcpy(ep.mac + 2, &got, 4);
	c->ep = ep;
}

static void give_address_back(struct container *c)
{
	if (*c->ep.network_id && c->e->bridge)
		network_detach(c->e->bridge, &c->ep);
	c->ep = (struct network_endpoint){ 0 };
	container_show_endpoint(c);
}

/* ---- what the shim tells ---- */

static void on_hello(void *arg, const struct shim_hello *h)
{
	struct container *c = arg;

	if (c->start)
		return; /* our own new shim */
	for (uint32_t i = 0; i < h->nprocs; i++) {
		if (*h->procs[i].exec_id)
			continue;
		if (!h->procs[i].running && h->phase == SHIM_STOPPED) {
			c->shim_exited = true;
			lifecycle_exited(c, &h->procs[i].exit);
			return;
		}
		c->state.pid = h->procs[i].pid;
	}
	if (h->phase != SHIM_RUNNING) { /* a start that the engine before us did not finish */
		c->state.pid = 0;
		give_address_back(c);
		shim_call_delete(c->shim, NULL, NULL);
		return;
	}
	if (!container_alive(c)) {
		c->state.started = h->started;
		c->state.exit_code = 0;
		container_set_error(c, "");
		c->state.status = CT_RUNNING;
		container_show_endpoint(c);
		container_save(c, NULL, NULL);
	}
}

static void on_exited(void *arg, const struct shim_exit *x)
{
	struct container *c = arg;

	if (*x->exec_id) {
		exec_exited(c, x);
		return;
	}
	c->shim_exited = true;
	if (c->start && !c->launched)
		return; /* it never ran: on_started's failure or gone() tells */
	if (c->start || container_alive(c))
		lifecycle_exited(c, x);
}

static void on_oom(void *arg, int64_t when)
{
	struct container *c = arg;

	(void)when;
	c->state.oom_killed = true;
	if (!c->oom_told)
		container_event(c, "oom", NULL, 0);
	c->oom_told = true;
}

static void on_detached(void *arg, const char *exec_id, bool by_keys)
{
	struct container *c = arg;
	struct event_attr attr = { "execID", exec_id };

	if (by_keys)
		container_event(c, *exec_id ? "exec_detach" : "detach", &attr, *exec_id ? 1 : 0);
}

/* A shim removes the runtime's state as its last act: what is left tells that it was killed, also
 * when that was after it had told the exit. */
static bool state_left(const struct container *c)
{
	CLEANUP_FREE char *path = NULL;

	if (asprintf(&path, "%s/%s", c->e->oci_root, c->id) < 0)
		abort();
	return faccessat(AT_FDCWD, path, F_OK, 0) == 0;
}

static void on_gone(void *arg)
{
	struct container *c = arg;
	struct err err = ERR_INIT;
	bool left = state_left(c);

	shim_client_free(c->shim);
	c->shim = NULL;
	if (c->removed) {
		if (left)
			reap_start(c);
		else
			lifecycle_freed(c);
		return;
	}
	if (c->start && !c->launched) {
		err_set(&err, ERR_SYSTEM, "the container's shim ended during the start");
		if (left || !c->shim_exited)
			reap_start(c);
		start_abort(c, &err);
		return;
	}
	if (left && c->shim_exited) {
		reap_start(c);
		return;
	}
	if (!c->shim_exited && container_alive(c)) {
		log_warn("container %s: its shim was killed", c->id);
		reap_start(c);
		return;
	}
	lifecycle_go_on(c);
}

const struct shim_events *lifecycle_shim_events(void)
{
	static const struct shim_events ev = {
		.hello = on_hello,
		.exited = on_exited,
		.oom = on_oom,
		.detached = on_detached,
		.gone = on_gone,
	};

	return &ev;
}

/* ---- a new engine ---- */

/* As docker at its start: "always" also after a stop by hand, "on-failure" only when its own
 * waiting was cut short. */
static bool restarts_with_engine(const struct container *c)
{
	const char *name = c->spec.host.restart.name ? c->spec.host.restart.name : "";

	if (c->state.status == CT_RESTARTING)
		return true;
	if (c->state.status != CT_EXITED)
		return false;
	return strcmp(name, "always") == 0 ||
	       (strcmp(name, "unless-stopped") == 0 && !c->manual_stop);
}

/* Nothing runs: what a crash interrupted is brought to its end. */
static void settle(struct container *c)
{
	bool failed_start = c->state.status == CT_CREATED && *c->error;
	struct op *op;

	if (c->spec.host.auto_remove && (c->state.status == CT_EXITED || failed_start)) {
		op = op_new(OP_REMOVE, NULL, NULL);
		op->force = true;
		op_push(c, op);
	} else if (restarts_with_engine(c)) {
		container_set_status(c, CT_RESTARTING);
		op = op_new(OP_START, NULL, NULL);
		op->by_policy = true;
		op_push(c, op);
	}
}

/* A run whose start the engine before us could not record, and that has ended since. */
static bool take_unseen_exit(struct container *c)
{
	struct reap r = { 0 };
	CLEANUP(fd_close) int dir = openat(AT_FDCWD, c->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct err ignored = ERR_INIT;

	if (dir < 0 || shim_exits_read(dir, take_init_exit, &r, &ignored) < 0 || !r.found ||
	    r.exit.started == 0 || r.exit.finished <= c->state.finished)
		return false;
	container_set_error(c, "");
	lifecycle_exited(c, &r.exit);
	return true;
}

int lifecycle_adopt(struct container *c, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("adopt", 65536);
	struct shim_where where = {
		.program = c->e->oci_program, .run_dir = c->run_dir, .id = c->id, .log_fd = 2
	};
	const char *state = arena_printf(a, "%s/%s", c->e->oci_root, c->id);
	int r;

	lifecycle_init(c);
	r = shim_connect(c->e->loop, &where, lifecycle_shim_events(), c, &c->shim, err);
	if (r < 0 && r != -ERR_NOT_FOUND)
		return err_wrap(err, "container %s", c->id);
	if (r == 0)
		take_address(c);
	container_show_endpoint(c);
	if (r == 0)
		return 0;
	if (container_alive(c)) {
		reap_start(c);
		return 0;
	}
	if (state && faccessat(AT_FDCWD, state, F_OK, 0) == 0)
		reap_start(c); /* left by a start that was interrupted */
	if (!take_unseen_exit(c))
		settle(c);
	return 0;
}

/* ---- what is left of containers without a row ---- */

static bool has_row(struct engine *e, const char *id, size_t n)
{
	struct container *c;

	LIST_FOREACH (c, &e->containers, struct container, link)
		if (strncmp(c->id, id, n) == 0)
			return true;
	return false;
}

static void remove_stray(struct engine *e, const char *id)
{
	CLEANUP(rt_close) struct rt_container *rc = NULL;
	struct err err = ERR_INIT;
	int r;

	r = rt_open(&e->rt, id, &rc, &err);
	if (r == 0)
		r = rt_delete(rc, true, &err);
	else
		r = remove_half_made(e, id, &err);
	if (r < 0)
		log_warn("container %s has no row; removing what is left of it: %s", id, err.msg);
}

/* A row may be gone while its shim was still clearing up, and both were killed then. */
int remove_stray_runtime(struct engine *e, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("strays", 1u << 20);
	const char *const dirs[] = { e->oci_root, arena_printf(a, "%s/c", e->run) };
	static const size_t lens[] = { ID_LEN, 16 };

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		DIR *d = dirs[i] ? opendir(dirs[i]) : NULL;
		struct dirent *de;

		if (!d && errno == ENOENT)
			continue;
		if (!d)
			return err_sys(err, "list '%s'", dirs[i]);
		while ((de = readdir(d))) {
			struct err ignored = ERR_INIT;

			if (strlen(de->d_name) != lens[i] || !hex_is_lower(slice_str(de->d_name)) ||
			    has_row(e, de->d_name, lens[i]))
				continue;
			if (i == 0)
				remove_stray(e, de->d_name);
			else
				(void)fd_remove_tree(dirfd(d), de->d_name, &ignored);
		}
		closedir(d);
	}
	return 0;
}
