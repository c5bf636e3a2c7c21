/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kubeconfig as a server of webhooks is named by one: cluster and user of its current context.
 * And as it says who we are for webhooks that are known by their hosts: all its users.
 * What would need a program, another user's name or a proxy is refused by name.
 * Spec: Kubernetes' client-go, v1 Config.
 */
#pragma once

#include "apiserver/outward/given.h"
#include "base/str.h"
#include "crypto/identity.h"

struct arena;
struct err;
struct stream;
struct tls_conf;

/* Files that were named: each is opened once, before root is given up, and stays open. */
#define GIVEN_SET_MAX 64
struct given_set {
	struct given *v[GIVEN_SET_MAX];
	size_t n;
};
int given_set_get(struct given_set *s, const char *path, struct given **ret, struct err *err);
bool given_set_changed(const struct given_set *s);
void given_set_fini(struct given_set *s);

struct hook_conf {
	const char *server;	  /* "https://host:port/path" */
	struct tls_conf *tls;	  /* NULL: the server is asked in the clear */
	const char *tls_name;	  /* NULL: the server's */
	const char *token;	  /* NULL: none, or */
	struct given *token_file; /* read when it is used; NULL: none */
};
/* Texts are in the arena. -ERR_INVALID says what is wrong. */
int hook_conf_read(const char *path, struct given_set *files, struct arena *a,
		   struct hook_conf *ret, struct err *err);
void hook_conf_fini(struct hook_conf *k);

struct hook_user {
	const char *name;  /* "host:port", "*.domain", "*" */
	const char *token; /* as of hook_conf */
	struct given *token_file;
	struct identity id; /* n 0: none is shown */
};
struct hook_users {
	struct hook_user *v;
	size_t n;
	const struct hook_user *current; /* of the current context; NULL: nobody */
};
#define HOOK_USERS_MAX 1024
/* As hook_conf_read. */
int hook_users_read(const char *path, struct given_set *files, struct arena *a,
		    struct hook_users *ret, struct err *err);
void hook_users_fini(struct hook_users *u);
/*
 * Who we are there, NULL: nobody. By "host:port", by "*." and the end of that, by both without a
 * port that is 443, by "*", by the current context.
 */
const struct hook_user *hook_users_find(const struct hook_users *u, const char *host,
					uint16_t port);

/* The header Authorization, of a file's token (read now: it is renewed while we run) or this one;
 * both NULL: none. */
void hook_show_token(struct stream *s, const char *token, struct given *file);
