/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry: an OCI distribution 1.1 server over the machine's content store. Specs:
 * distribution-spec 1.1, Docker registry HTTP API V2 (headers that clients look for).
 *
 * struct registry is the server as a library (tests give it streams of their own);
 * registry_main() is the role. Not thread safe: it lives on its loop's thread, with a worker pool
 * for hashing and writing.
 */
#pragma once

#include "base/cleanup.h"
#include "base/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct http_server;
struct image_store;
struct loop;
struct registry;

struct registry_conf {
	const char *root;	   /* the store is <root>/store */
	const char *const *listen; /* "127.0.0.1:5000", "unix:///path"; none: 127.0.0.1:5000 */
	size_t nlisten;
	bool read_only;	    /* pushes and deletes are refused: 405 */
	bool no_delete;	    /* deletes are refused: 405 */
	bool immutable;	    /* a tag that exists is never moved */
	bool sparse;	    /* indexes may list manifests that are not there */
	int64_t gc_every;   /* ns; 0 = 1 h, negative = never */
	int64_t gc_grace;   /* ns; 0 = 24 h: age of what may be collected */
	int gc_from, gc_to; /* by the clock only between these minutes of the day, local time; equal
			       = always */
	bool gc_untagged;   /* also manifests that no tag leads to */
	/* TLS: pairs of files with a chain and its key; none: plain, and then loopback only. */
	const char *const *tls_certs, *const *tls_keys;
	size_t ntls;
	const char *tls_client_ca; /* clients show a certificate of this CA, or (with users) may */
	/* Users: NULL = not given; with none of them everybody may do all, on loopback only. */
	const char *htpasswd, *config;
	/* A pull-through cache of the whole of another registry: its address, and a file with one
	 * line USER:PASSWORD; NULL = none. More is in the configuration. */
	const char *proxy, *proxy_auth;
	/* A token server of others: all four; or, without jwks, where ours is reached and its
	 * name. */
	const char *token_realm, *token_service, *token_issuer, *token_jwks;
	const char *access_log; /* a JSON line for each request; NULL = none */
	const char *audit_log;	/* a JSON line for each thing done or refused; NULL = none */
	int64_t audit_bytes;	/* it is rotated when larger; 0 = 64 MiB */
	const char *metrics; /* listener for /metrics and health, loopback or unix; NULL = none */
	const char *admin;   /* path of the admin socket; NULL = none */
	const char *user;    /* run as: "reserved", UID or UID:GID; NULL = as we are */
	uid_t uid;	     /* of user; filled by registry_main, as what follows */
	gid_t gid;
	/* What dealings with others read, and whether there are any: else the fence lets no
	 * connection out. */
	const char *const *hook_files, *const *hook_dirs;
	size_t hook_files_n, hook_dirs_n;
	bool outward;
	bool debug;
	enum log_format log_format;
	const char *pid_file;
};

int registry_new(struct loop *l, const struct registry_conf *conf, struct registry **ret,
		 struct err *err);
void registry_free(struct registry *g); /* uploads that are open stay for the next one */
DEFINE_CLEANUP(struct registry *, registry_free)
struct http_server *registry_server(struct registry *g);
struct image_store *registry_store(struct registry *g);
/* Is there somebody to be known (users, rules, token issuers)? */
bool registry_is_closed(const struct registry *g);
/* Certificates, users, configuration anew, for the requests and connections to come; on failure all
 * stays as it was. Then the logs are opened anew. */
int registry_reload(struct registry *g, struct err *err);

/* Serves until SIGTERM or SIGINT. */
int registry_main(const struct registry_conf *conf, struct err *err);
