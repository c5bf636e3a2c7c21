/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The role `engine`: loop, service, listeners, signals. SIGTERM and SIGINT end it gracefully;
 * containers run on under their shims and are found again by the next one.
 */
#include "base/role.h"
#include "docker/private.h"
#include "image/pull.h"
#include "image/remotes.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define END_GRACE (3 * NS_PER_SEC)

struct daemon {
	const struct docker_engine_conf *conf;
	struct loop *loop;
	struct engine *engine;
	struct docker_api *api;
	struct role_signals signals;
	char self[PATH_MAX], oci[PATH_MAX];
	struct image_remotes remotes;
	bool ending;
};

/* ---- programs ---- */

static bool runnable(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static bool find_in_path(const char *name, char *dst, size_t n)
{
	struct slice rest = slice_str(getenv("PATH"));

	while (rest.p) {
		struct slice dir = slice_split(&rest, ':');

		if (dir.n == 0 || dir.p[0] != '/')
			continue;
		if ((size_t)snprintf(dst, n, "%.*s/%s", (int)dir.n, dir.p, name) < n &&
		    runnable(dst))
			return true;
	}
	return false;
}

/* TEU_OCI, then beside our own program, then the path. */
static int find_programs(struct daemon *d, struct err *err)
{
	ssize_t n = readlink("/proc/self/exe", d->self, sizeof(d->self) - 1);
	const char *wish = getenv("TEU_OCI");
	char *slash;

	if (n < 0)
		return err_sys(err, "find our own program at '/proc/self/exe'");
	d->self[n] = '\0';
	if (wish && *wish) {
		if (!realpath(wish, d->oci) || !runnable(d->oci))
			return err_set(err, ERR_NOT_FOUND,
				       "TEU_OCI names '%s', which is no program", wish);
		return 0;
	}
	slash = strrchr(d->self, '/');
	if ((size_t)snprintf(d->oci, sizeof(d->oci), "%.*s/teu-oci", (int)(slash - d->self),
			     d->self) < sizeof(d->oci) &&
	    runnable(d->oci))
		return 0;
	if (find_in_path("teu-oci", d->oci, sizeof(d->oci)))
		return 0;
	return err_set(err, ERR_NOT_FOUND,
		       "cannot find 'teu-oci': it belongs beside '%s' or in PATH, or name it by "
		       "TEU_OCI",
		       d->self);
}

/* ---- listeners ---- */

static gid_t socket_group(void)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1u << 20);
	struct err ignored = ERR_INIT;
	struct slice rest;

	/* Not getgrnam: in a static program it would load the C library's plugins. */
	if (fd_read_file(AT_FDCWD, "/etc/group", &b, &ignored) < 0)
		return (gid_t)-1;
	rest = buf_slice(&b);
	while (rest.p) {
		struct slice line = slice_split(&rest, '\n');
		struct slice name = slice_split(&line, ':');
		struct slice gid;
		uint64_t v;

		(void)slice_split(&line, ':');
		gid = slice_split(&line, ':');
		if (slice_is(name, "docker") && gid.p && str_uint64(gid, &v, &ignored) == 0 &&
		    v < UINT32_MAX)
			return (gid_t)v;
	}
	return (gid_t)-1;
}

static int listen_one(struct daemon *d, const char *host, struct err *err)
{
	static const char unix_scheme[] = "unix://";
	struct http_server *srv = docker_api_server(d->api);
	struct slice dir;
	const char *path;
	int r;

	if (strncmp(host, "tcp://", 6) == 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "--host %s: listening on TCP is not supported yet, since there is "
			       "no TLS; use unix://PATH",
			       host);
	if (strncmp(host, unix_scheme, sizeof(unix_scheme) - 1) != 0 ||
	    host[sizeof(unix_scheme) - 1] != '/')
		return err_set(err, ERR_INVALID,
			       "--host %s: not an address of the form unix:///absolute/path", host);
	path = host + sizeof(unix_scheme) - 1;
	dir = slice_of(path, (size_t)(strrchr(path, '/') - path));
	if (dir.n) {
		CLEANUP_FREE char *name = strndup(dir.p, dir.n);

		if (!name)
			abort();
		r = fd_mkdir_p(AT_FDCWD, name, 0755, err);
		if (r < 0)
			return r;
	}
	return http_server_listen_unix(srv, path, 0660, socket_group(), err);
}

static int listen_all(struct daemon *d, struct err *err)
{
	struct http_server *srv = docker_api_server(d->api);
	unsigned given = http_listen_fds();
	char own[PATH_MAX];
	int r = 0;

	for (unsigned i = 0; i < given && r == 0; i++)
		r = http_server_listen_fd(srv, (int)(3 + i), err);
	if (given || r < 0)
		return r;
	for (size_t i = 0; i < d->conf->nhosts && r == 0; i++)
		r = listen_one(d, d->conf->hosts[i], err);
	if (d->conf->nhosts == 0) {
		(void)snprintf(own, sizeof(own), "unix://%s/docker.sock", d->conf->run);
		r = listen_one(d, own, err);
	}
	return r;
}

/* ---- the end ---- */

static void drained(void *arg)
{
	struct daemon *d = arg;

	loop_stop(d->loop, 0);
}

static void begin_end(struct daemon *d, const char *why)
{
	struct watch *w;

	if (d->ending) { /* asked twice: do not wait for anyone */
		loop_stop(d->loop, 0);
		return;
	}
	d->ending = true;
	log_kv(LOG_LEVEL_INFO, "engine ends; containers run on", "signal", why, NULL);
	while ((w = LIST_FIRST(&d->api->watches, struct watch, link))) {
		list_del(&w->link);
		w->stop(w);
	}
	http_server_drain(docker_api_server(d->api), END_GRACE, drained, d);
}

static void on_signal(void *arg, int signal)
{
	if (signal == SIGTERM || signal == SIGINT)
		begin_end(arg, signal == SIGTERM ? "SIGTERM" : "SIGINT");
	else if (signal == SIGHUP) /* the terminal's end must not end us either */
		log_info("SIGHUP: there is no configuration to reload");
}

/* ---- the role ---- */

static int begin_lazy(struct daemon *d, struct err *err)
{
	const struct image_lazy_options o = { .remotes = &d->remotes,
					      .wait_s = d->conf->lazy_wait };

	struct image_store *is = engine_images(d->engine);
	int r = image_lazy_begin(is, &o, err);

	if (r >= 0 && (d->conf->lazy || d->conf->lazy_trust))
		r = image_lazy_check(is, err);
	return r < 0 ? err_wrap(err, "--lazy") : 0;
}

static int open_daemon(struct daemon *d, struct err *err)
{
	const struct docker_engine_conf *conf = d->conf;
	struct engine_conf ec = { .root = conf->root,
				  .run = conf->run,
				  .oci_program = d->oci,
				  .self_program = d->self,
				  .bip = conf->bip,
				  .storage_driver = conf->storage_driver,
				  .no_bridge = conf->no_bridge };
	int r;

	d->remotes = (struct image_remotes){ .insecure = conf->insecure,
					     .ninsecure = conf->ninsecure,
					     .mirrors = conf->mirrors,
					     .nmirrors = conf->nmirrors };
	r = image_remotes_check(&d->remotes, err);
	if (r == 0)
		r = find_programs(d, err);
	if (r == 0)
		r = loop_new(&d->loop, err);
	if (r == 0)
		r = role_signals_init(&d->signals, d->loop, on_signal, d, err);
	if (r == 0)
		r = engine_open(d->loop, &ec, &d->engine, err);
	if (r == 0)
		r = begin_lazy(d, err);
	if (r == 0)
		r = docker_api_new(d->loop, d->engine, &d->api, err);
	if (r < 0)
		return r;
	docker_api_set_debug(d->api, conf->debug);
	docker_api_set_remotes(d->api, &d->remotes);
	docker_api_set_lazy(d->api, conf->lazy, conf->lazy_trust, conf->lazy_early);
	return listen_all(d, err);
}

static void close_daemon(struct daemon *d)
{
	docker_api_free(d->api);
	engine_close(d->engine);
	role_signals_fini(&d->signals);
	loop_free(d->loop);
}

static int serve(const struct docker_engine_conf *conf, int64_t begun, struct err *err)
{
	struct daemon d = { .conf = conf };
	char took[32];
	int r;

	/* One arena for the loop's thread and the workers: their peaks are short, and eight heaps
	 * would each keep theirs. */
	mallopt(M_ARENA_MAX, 2);
	mallopt(M_TRIM_THRESHOLD, 256 << 10);
	r = open_daemon(&d, err);
	if (r == 0)
		r = role_write_pid(conf->pid_file, err);
	if (r == 0) {
		(void)snprintf(took, sizeof(took), "%lld us",
			       (long long)(clock_mono() - begun) / 1000);
		log_kv(LOG_LEVEL_INFO, "engine ready", "address",
		       http_server_address(docker_api_server(d.api), 0), "root", conf->root, "took",
		       took, NULL);
		role_tell_ready();
		r = loop_run(d.loop, err);
	}
	if (conf->pid_file && r == 0)
		(void)unlink(conf->pid_file); /* best effort at the end */
	close_daemon(&d);
	return r;
}

int docker_engine_main(const struct docker_engine_conf *conf, struct err *err)
{
	int64_t begun = clock_mono();

	log_setup("engine", 2, conf->debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, conf->log_format);
	return serve(conf, begun, err);
}
