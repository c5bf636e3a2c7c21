/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of a Kubernetes API server: blocking calls for commands, one at a time.
 *
 * client_conf says where the server is and who we are; client_conf_read makes it of a kubeconfig.
 * A client resolves names, goes through proxies, speaks TLS, proves who we are (certificate,
 * token, password, a program that is asked) and waits when the server says so (429 with
 * Retry-After). Not thread safe.
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct client;
struct doc;
struct err;
struct kubeconfig;

/* What the command line says over the kubeconfig; NULL or false = nothing. */
struct client_wishes {
	const char *context, *cluster, *user, *space, *server, *ca, *cert, *key, *token, *username,
		*password, *tls_name, *as, *as_uid;
	const char *const *as_groups;
	size_t as_groups_n;
	bool insecure;
};

/* All borrowed, from the arena that made it. */
struct client_conf {
	const char *server; /* "https://host:port/base", without a slash at its end */
	const char *space;  /* namespace; "default" when nothing names one */
	bool space_given;   /* something does */
	const char *tls_name, *proxy;
	bool insecure;
	struct slice ca, cert, key; /* PEM; nothing = {NULL, 0} */
	const char *token, *token_file, *username, *password;
	const char *as, *as_uid;
	const char *const *as_groups;
	size_t as_groups_n;
	const struct doc *as_extra;	  /* object of lists */
	const struct doc *exec, *cluster; /* of the kubeconfig; exec NULL = none */
	const char *exec_file;		  /* where exec comes from */
	const char *agent;		  /* User-Agent, or NULL */
	int64_t time;			  /* of a call, ns; 0 = no limit */
};

/* The server when nothing names one. */
#define CLIENT_SERVER "http://localhost:8080"
/* NOT_FOUND "context was not found for specified context: x", "cluster \"x\" does not exist";
 * INVALID: what is wrong with a certificate's file or text. */
int client_conf_read(struct arena *a, const struct kubeconfig *k, const struct client_wishes *w,
		     struct client_conf *ret, struct err *err);

/* The conf is borrowed for the life of the client. Nothing is sent yet. */
int client_new(const struct client_conf *conf, struct client **ret, struct err *err);
void client_free(struct client *c);
DEFINE_CLEANUP(struct client *, client_free)
const struct client_conf *client_conf_of(const struct client *c);

#define CLIENT_BODY_MAX (512u << 20)
struct client_request {
	const char *method;	  /* [GET] */
	const char *target;	  /* path below the server's base and query, encoded */
	const char *accept;	  /* [application/json] */
	const char *content_type; /* of the body [application/json] */
	struct slice body;
	/* The answer's body piece by piece [collected]; negative ends the call with it. */
	int (*consume)(void *arg, struct slice bytes, struct err *err);
	void *arg;
	int64_t time; /* ns [the conf's]; no wait that the server asks for goes beyond */
};
struct client_answer {
	int status;
	struct slice body; /* in the arena of the call, a NUL follows */
	struct slice type; /* Content-Type, in the arena */
};
/*
 * 0: the server answered with 2xx. Else negative: when the server refused, err has the Status'
 * message (cut, if long) and client_failure is the Status. UNAVAILABLE with sys ECONNREFUSED:
 * nobody listens.
 */
int client_call(struct client *c, struct arena *a, const struct client_request *rq,
		struct client_answer *ret, struct err *err);
/* The same, and the body read as JSON. */
int client_call_doc(struct client *c, struct arena *a, const struct client_request *rq,
		    struct doc **ret, struct err *err);
/* The Status of the last call when the server refused it, else NULL; lives in that call's arena. */
const struct doc *client_failure(const struct client *c);
/* Texts of Warning headers (RFC 9110 code 299) are given to fn as they come. */
void client_on_warning(struct client *c, void (*fn)(void *arg, struct slice text), void *arg);
/* Each exchange is told to fn when it is over: method, address, status (0: none came), time. */
void client_on_call(struct client *c,
		    void (*fn)(void *arg, const char *method, const char *url, int status,
			       int64_t ns),
		    void *arg);
