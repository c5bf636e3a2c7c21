/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials of registries as docker's clients keep them: config.json of a directory, and the
 * helper programs that it names (credHelpers for one registry, credsStore for all). A helper
 * "docker-credential-NAME" of PATH is run without a shell, for at most 30 s, with at most 64 KiB of
 * output; secrets go through its standard input alone.
 */
#pragma once

#include "image/remote.h"

struct arena;
struct err;

/* $DOCKER_CONFIG, $HOME/.docker; -ERR_NOT_FOUND when neither is set. In the arena. */
int auth_file_dir(struct arena *a, const char **ret, struct err *err);

/* host as in image names: "docker.io", "localhost:5000". Strings in the arena; all NULL when there
 * are none for it (also without a file). */
int auth_file_get(const char *dir, const char *host, struct arena *a, struct remote_auth *ret,
		  struct err *err);
/* The same of a file of any name: podman's and skopeo's auth.json has this form too. */
int auth_file_get_at(const char *path, const char *host, struct arena *a, struct remote_auth *ret,
		     struct err *err);
/* The two parsers of foreign text: of a config.json (*ret_helper: who is to be asked, or NULL), and
 * of what a helper named `name` answered. */
int auth_file_parse(struct slice text, const char *host, struct arena *a, struct remote_auth *ret,
		    const char **ret_helper, struct err *err);
int auth_file_answer(const char *name, struct slice text, struct arena *a, struct remote_auth *ret,
		     struct err *err);
/* Stores username with password, or with identity_token in its place. *ret_helper: the helper that
 * keeps it, or NULL: it is in the file (mode 0600). */
int auth_file_put(const char *dir, const char *host, struct arena *a,
		  const struct remote_auth *auth, const char **ret_helper, struct err *err);
/* 1 = there was nothing. */
int auth_file_remove(const char *dir, const char *host, struct arena *a, struct err *err);
