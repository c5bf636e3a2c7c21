/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kubeconfig as a server of webhooks is named by one: cluster and user of its current context.
 * What would need a program, another user's name or a proxy is refused by name.
 * Spec: Kubernetes' client-go, v1 Config.
 */
#pragma once

#include "apiserver/outward/given.h"
#include "base/str.h"

struct arena;
struct err;
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
