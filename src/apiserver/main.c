/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The role `apiserver`. Order of a start: who we will be; a child that writes files for others; the
 * directory and its lock; what was given is opened; the fence; certificates; store; all objects;
 * the objects that are always there; sockets; kubeconfigs; word that it is ready. SIGTERM and
 * SIGINT end it when what runs is answered; SIGHUP reads certificates and encryption keys anew.
 */
#include "apiserver/apiserver.h"

#include "apiserver/boot.h"
#include "apiserver/outside.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "io/metrics.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define END_GRACE (10 * NS_PER_SEC)

/* ---- the end ---- */

static void drained(void *arg)
{
	struct boot *b = arg;

	loop_stop(b->loop, 0);
}

static void begin_end(struct boot *b, const char *why)
{
	if (b->ending || !b->ready) { /* asked twice, or before anyone was let in */
		b->ending = true;
		loop_stop(b->loop, 0);
		return;
	}
	b->ending = true;
	log_kv(LOG_LEVEL_INFO, "API server ends", "signal", why, NULL);
	server_drain(b->server, END_GRACE, drained, b);
}

static void on_signal(void *arg, int signal)
{
	struct boot *b = arg;

	if (signal == SIGTERM || signal == SIGINT)
		begin_end(b, signal == SIGTERM ? "SIGTERM" : "SIGINT");
	else if (signal == SIGHUP && b->ready)
		boot_reload(b);
}

/* ---- the start ---- */

static int start_outside(struct boot *b, struct err *err)
{
	return outside_new(b->conf->kubeconfig_out, b->conf->pid_file, b->drop, &b->outside, err);
}

static int start_loop(struct boot *b, struct err *err)
{
	int r = loop_new(&b->loop, err);

	b->metrics = metrics_new();
	return r < 0 ? r : role_signals_init(&b->signals, b->loop, on_signal, b, err);
}

static const struct step {
	const char *name;
	int (*run)(struct boot *b, struct err *err);
} steps[] = {
	{ "paths", boot_paths },
	{ "flags", boot_flags },
	{ "user", boot_user },
	{ "files for others", start_outside },
	{ "loop", start_loop },
	{ "directory", boot_place },
	{ "files given", boot_given },
	{ "fence", boot_fence },
	{ "certificates", boot_pki },
	{ "TLS", boot_tls },
	{ "issuers", boot_issuers },
	{ "store", boot_store },
	{ "objects", boot_objects },
	{ "server", boot_server },
	{ "kubeconfigs", boot_kubeconfigs },
	{ "follow", boot_follow },
};

static int start(struct boot *b, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		int64_t begun = clock_mono();

		if (steps[i].run(b, err) < 0)
			return err_ret(err);
		log_debug("start: %s took %lld us", steps[i].name,
			  (long long)(clock_mono() - begun) / 1000);
	}
	return 0;
}

static void tell_ready(struct boot *b)
{
	char took[32];

	(void)snprintf(took, sizeof(took), "%lld us", (long long)(clock_mono() - b->begun) / 1000);
	b->ready = true;
	log_kv(LOG_LEVEL_INFO, "API server ready", "address", server_address(b->server, 0), "root",
	       b->conf->root, "took", took, NULL);
	role_tell_ready();
	arena_trim();
	(void)malloc_trim(0);
}

int apiserver_main(const struct apiserver_conf *conf, struct err *err)
{
	struct boot b = { .own = *conf,
			  .begun = clock_mono(),
			  .place = PLACE_INIT,
			  .inotify = -1,
			  .changes = SOURCE_INIT };
	int r;

	b.conf = &b.own;
	log_setup("apiserver", 2, conf->debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, conf->log_format);
	mallopt(M_ARENA_MAX, 2);
	mallopt(M_TRIM_THRESHOLD, 1 << 20); /* less is given back and taken again each moment */
	r = start(&b, err);
	if (r == 0) {
		tell_ready(&b);
		r = loop_run(b.loop, err);
	}
	if (r < 0 && b.ending && !b.ready) /* ended by a signal before it was ready */
		r = 0;
	boot_close(&b);
	return r;
}
