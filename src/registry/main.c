/* SPDX-License-Identifier: Apache-2.0 */
/* The role `registry`: loop, listeners, signals. SIGTERM and SIGINT end it when what runs is
 * answered. */
#include "base/fd.h"
#include "base/role.h"
#include "registry/private.h"
#include "registry/privileges.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define END_GRACE (10 * NS_PER_SEC)
#define DEFAULT_LISTEN "127.0.0.1:5000"

struct daemon {
	struct loop *loop;
	struct registry *g;
	struct role_signals signals;
	bool ending;
};

/* ---- listeners ---- */

static bool is_loopback(const struct sockaddr_storage *ss)
{
	if (ss->ss_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)ss)->sin_addr.s_addr) >> 24 == 127;
	return ss->ss_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)ss)->sin6_addr);
}

/* Other machines come only by TLS, and only if there is something to know them by. */
static int check_open(const struct registry *g, struct err *err)
{
	if (!g->tls)
		return err_set(err, ERR_UNSUPPORTED,
			       "without TLS a registry listens on loopback only; give --tls-cert "
			       "and --tls-key");
	if (!registry_is_closed(g) && !g->conf.tls_client_ca)
		return err_set(
			err, ERR_UNSUPPORTED,
			"without users a registry listens on loopback only; give --htpasswd, "
			"--config or --tls-client-ca");
	return 0;
}

/* addr is "host:port", also with "tcp://" before it. */
static int check_address(struct daemon *d, const char *text, struct err *err)
{
	const char *addr = strncmp(text, "tcp://", 6) == 0 ? text + 6 : text;
	struct sockaddr_storage ss;
	socklen_t len;
	int r = url_sockaddr(addr, &ss, &len, err);

	if (r < 0 || is_loopback(&ss))
		return r;
	d->g->outside = true;
	return check_open(d->g, err);
}

static int listen_one(struct daemon *d, const char *text, struct err *err)
{
	const char *addr = strncmp(text, "tcp://", 6) == 0 ? text + 6 : text;
	struct http_server *srv = d->g->server;

	if (strncmp(text, "unix://", 7) == 0)
		return http_server_listen_unix(srv, text + 7, 0660, (gid_t)-1, err);
	if (check_address(d, text, err) < 0)
		return err_wrap(err, "--listen %s", text);
	return http_server_listen_tcp(srv, addr, err);
}

static int listen_given(struct daemon *d, int fd, struct err *err)
{
	struct http_server *srv = d->g->server;
	const char *name;

	if (http_server_listen_fd(srv, fd, err) < 0)
		return err_ret(err);
	name = http_server_address(srv, http_server_listeners(srv) - 1);
	if (strncmp(name, "tcp://", 6) == 0 && check_address(d, name, err) < 0)
		return err_wrap(err, "socket that was handed over, %s", name);
	return 0;
}

static int listen_all(struct daemon *d, const struct registry_conf *conf, struct err *err)
{
	unsigned given = http_listen_fds();
	int r = 0;

	for (unsigned i = 0; i < given && r == 0; i++)
		r = listen_given(d, (int)(3 + i), err);
	if (given || r < 0)
		return r;
	for (size_t i = 0; i < conf->nlisten && r == 0; i++)
		r = listen_one(d, conf->listen[i], err);
	return conf->nlisten || r < 0 ? r : listen_one(d, DEFAULT_LISTEN, err);
}

/* What is counted is told without asking who wants to know: on this machine only. */
static int listen_metrics(struct daemon *d, const char *addr, struct err *err)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int r = 0;

	if (!addr)
		return 0;
	if (strncmp(addr, "unix://", 7) != 0) {
		r = url_sockaddr(addr, &ss, &len, err);
		if (r >= 0 && !is_loopback(&ss))
			r = err_set(err, ERR_UNSUPPORTED,
				    "metrics are told on loopback or a Unix socket only");
	}
	if (r >= 0)
		r = counters_listen(d->g->counters, addr, err);
	return r < 0 ? err_wrap(err, "--metrics %s", addr) : 0;
}

/* ---- the end ---- */

static void drained(void *arg)
{
	struct daemon *d = arg;

	loop_stop(d->loop, 0);
}

static void begin_end(struct daemon *d, const char *why)
{
	if (d->ending) { /* asked twice: do not wait for anyone */
		loop_stop(d->loop, 0);
		return;
	}
	d->ending = true;
	log_kv(LOG_LEVEL_INFO, "registry ends", "signal", why, NULL);
	http_server_drain(d->g->server, END_GRACE, drained, d);
}

/* Certificates, users and configuration anew. What is there goes on with what it began with. */
static void reload(struct registry *g)
{
	struct err err = ERR_INIT;

	if (registry_reload(g, &err) < 0)
		log_kv(LOG_LEVEL_ERROR, "reload failed, all stays as it was", "error", err.msg,
		       NULL);
	else
		log_kv(LOG_LEVEL_INFO, "reload done", NULL);
}

static void on_signal(void *arg, int signal)
{
	struct daemon *d = arg;

	if (signal == SIGTERM || signal == SIGINT)
		begin_end(d, signal == SIGTERM ? "SIGTERM" : "SIGINT");
	else if (signal == SIGUSR1 && d->g)
		gc_now(d->g);
	else if (signal == SIGHUP && d->g)
		reload(d->g);
}

/* ---- the role ---- */

static int open_daemon(struct daemon *d, const struct registry_conf *conf, struct err *err)
{
	int r;

	r = loop_new(&d->loop, err);
	if (r == 0)
		r = role_signals_init(&d->signals, d->loop, on_signal, d, err);
	if (r == 0)
		r = registry_new(d->loop, conf, &d->g, err);
	if (r == 0)
		r = listen_all(d, conf, err);
	return r < 0 ? r : listen_metrics(d, conf->metrics, err);
}

static void close_daemon(struct daemon *d)
{
	registry_free(d->g);
	role_signals_fini(&d->signals);
	loop_free(d->loop);
}

/* Keys of an issuer are fetched. What is wrong with the configuration is told when it is read for
 * good. */
static bool has_far_issuer(const struct registry_conf *conf)
{
	const struct policy_files files = { .config = conf->config };
	CLEANUP(policy_unref) struct policy *p = NULL;

	if (!conf->config || policy_read(&files, &p, NULL) < 0)
		return false;
	for (size_t i = 0; i < p->issuers_n; i++)
		if (!p->issuers[i].keys)
			return true;
	return false;
}

/* What the fence must leave open. */
static int find_outward(struct registry_conf *own, struct hooks_conf **ret, struct err *err)
{
	int r = hooks_read(own, ret, err);

	if (r < 0)
		return r;
	own->outward = hooks_conf_outward(*ret) || has_far_issuer(own);
	own->hook_files = (*ret)->files.v;
	own->hook_files_n = (*ret)->files.n;
	own->hook_dirs = (*ret)->dirs.v;
	own->hook_dirs_n = (*ret)->dirs.n;
	return 0;
}

int registry_main(const struct registry_conf *conf, struct err *err)
{
	int64_t begun = clock_mono();
	struct registry_conf own = *conf;
	struct daemon d = { 0 };
	CLEANUP(hooks_conf_free) struct hooks_conf *hooks = NULL;
	char took[32];
	int r;

	log_setup("registry", 2, conf->debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, conf->log_format);
	mallopt(M_ARENA_MAX, 2);
	mallopt(M_TRIM_THRESHOLD, 256 << 10);
	r = conf->user ? privileges_parse_user(conf->user, &own.uid, &own.gid, err) : 0;
	if (r == 0 && conf->user)
		r = find_outward(&own, &hooks, err);
	if (r == 0 && conf->user)
		r = privileges_drop(&own, err);
	if (r == 0)
		r = open_daemon(&d, &own, err);
	if (r == 0)
		r = role_write_pid(conf->pid_file, err);
	if (r == 0) {
		(void)snprintf(took, sizeof(took), "%lld us",
			       (long long)(clock_mono() - begun) / 1000);
		log_kv(LOG_LEVEL_INFO, "registry ready", "address",
		       http_server_address(d.g->server, 0), "root", conf->root, "took", took, NULL);
		role_tell_ready();
		r = loop_run(d.loop, err);
	}
	if (conf->pid_file && r == 0)
		(void)unlink(conf->pid_file); /* best effort at the end */
	close_daemon(&d);
	return r;
}
