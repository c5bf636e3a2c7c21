/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places of images (image/copy.h) as commands name them: with credentials, progress, a way to stop,
 * and the engine as one more place: teu:NAME, docker-daemon:NAME and, where a command allows it, a
 * NAME alone. The engine's images come and go as archives by its API.
 */
#pragma once

#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/layers.h"
#include "image/copy.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* How one side is reached; from the command's options. */
struct image_access {
	const char *creds;    /* USER[:PASSWORD] */
	const char *authfile; /* instead of docker's config.json */
	const char *certs_dir;
	bool no_creds;
	bool tls_verify, tls_given; /* --tls-verify=false */
};

/* A command that moves images: zeroed, then image_work_begin. */
struct image_work {
	struct cmd_call *call;
	atomic_bool cancel; /* set by SIGINT, SIGTERM, SIGHUP */
	pthread_t watcher;
	bool watching;
	char scratch[64]; /* directory of archives on their way; "" = none yet */
	struct layers layers;
	struct err shown; /* of showing progress */
};
/* quiet: no progress. Signals from now on cancel. */
int image_work_begin(struct image_work *w, struct cmd_call *call, bool quiet, struct err *err);
void image_work_end(struct image_work *w);
DEFINE_CLEANUP_EMBEDDED(struct image_work, image_work_end)
/* An image_transfer_fn with the work as ctx. */
void image_work_progress(void *ctx, const struct image_transfer *t);

/* name without a transport is one of the engine when `bare`. */
int image_read_place(struct image_work *w, const char *name, bool bare,
		     const struct image_access *acc, struct place **ret, struct err *err);

/* Where images go. An engine gets what was put by image_target_send. */
struct image_target {
	struct place *place;
	const char *archive; /* on its way to the engine, or NULL */
};
int image_write_place(struct image_work *w, const char *name, const struct image_access *acc,
		      struct image_target *ret, struct err *err);
/* After the place is finished. */
int image_target_send(struct image_work *w, struct image_target *t, struct err *err);
void image_target_fini(struct image_target *t);
DEFINE_CLEANUP_EMBEDDED(struct image_target, image_target_fini)

/* Rows of the flags; `acc` is the member of the command's options. */
#define IMAGE_ACCESS_OPTS(type, acc, prefix)                                                   \
	OPT(type, STR, acc.creds, prefix "creds", 0, "Name and password, USER[:PASSWORD]"),    \
		OPT(type, BOOL, acc.no_creds, prefix "no-creds", 0, "Go as nobody"),           \
		OPT(type, STR, acc.certs_dir, prefix "cert-dir", 0,                            \
		    "Certificates of registries, laid out as /etc/docker/certs.d"),            \
		OPT_SEEN_AT(type, BOOL, acc.tls_verify, acc.tls_given, prefix "tls-verify", 0, \
			    "=false: take any certificate, and plain HTTP")
