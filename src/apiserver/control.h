/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin socket <run>/apiserver.sock (0600): whoever may open it may use it.
 *
 *	GET  /status                 what runs: addresses, revision, certificates' ends, fences
 *	GET  /store/stats            of the database
 *	POST /store/verify           every page and row is read: 200 or 409 with what is damaged
 *	POST /store/compact          history before now goes
 *	GET  /store/backup           the whole database, of one revision, while writes go on
 *	POST /certs/renew?name=NAME  one certificate, or all
 *	GET  /why?user=...           may somebody do something, and what says so (authz-why.h)
 */
#pragma once

#include "base/cleanup.h"

struct control;
struct arena;
struct doc;
struct err;
struct loop;
struct store;
struct stream;

struct control_conf {
	struct loop *loop;
	const char *path;
	/* What only the role knows. */
	void (*status)(void *arg, struct arena *a, struct doc *d);
	int (*renew)(void *arg, const char *name, struct err *err);
	void (*why)(void *arg, struct stream *s); /* answers */
	void *arg;
};
/* Listens; answers 503 until it has a store. A backup is first made in the working directory. */
int control_new(const struct control_conf *conf, struct control **ret, struct err *err);
void control_set_store(struct control *m, struct store *s);
/* No request is under way (the store is closed), or they end broken. */
void control_free(struct control *m); /* NULL is fine */
DEFINE_CLEANUP(struct control *, control_free)
