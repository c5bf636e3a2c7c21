/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may do what: accounts of an htpasswd file and of the configuration, groups, rules, foreign
 * issuers. Private to src/registry.
 *
 * A policy is read whole, then immutable and counted, so that a reload is another one for the
 * requests to come. It belongs to one thread.
 */
#pragma once

#include "base/cleanup.h"
#include "base/map.h"
#include "base/str.h"
#include "doc/schema.h"
#include "registry/bounds.h"
#include "registry/oidc.h"

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct err;
struct jwks;

enum { MAY_PULL = 1, MAY_PUSH = 2, MAY_DELETE = 4, MAY_ALL = 7 };

struct policy_rule {
	struct strs repositories, users, groups;
	LIST_OF(const char *) actions;
	const char *role; /* or: "reader", "writer", "maintainer", "admin" */
	bool anonymous;
	unsigned may; /* of actions or role */
};

/* Somebody with a password. */
struct account {
	const char *name;
	const char *hash;    /* bcrypt */
	int64_t expires;     /* seconds since 1970; INT64_MAX = never */
	int64_t tokens_from; /* tokens made before (seconds) are revoked; 0 = none */
	bool managed;	     /* of the file that the admin socket keeps */
	bool robot;
	bool limited; /* only what its own rules allow, whatever others do */
	LIST_OF(struct policy_rule) rules;
};

/* Tokens of others: a token server's (access claims decide), or OpenID (rules decide). */
struct issuer {
	const char *iss, *aud;
	const char *name_claim, *groups_claim; /* OpenID */
	struct jwks *keys;		       /* of a file; NULL = by source */
	struct oidc_source source;
	bool access; /* a token server */
};

struct policy_tags {
	struct strs repositories, tags;
};

struct policy {
	unsigned refs;
	struct arena *arena;
	struct map accounts; /* by name: struct account */
	const char *dummy;   /* a hash for names that nobody has: as slow as the others */
	LIST_OF(struct policy_rule) rules;
	LIST_OF(struct policy_tags) immutable;
	LIST_OF(struct policy_quota) quotas;
	LIST_OF(struct policy_retain) retention;
	int64_t retention_every; /* ns */
	const struct policy_group {
		const char *name;
		struct strs members;
	} * groups;
	size_t groups_n;
	struct issuer *issuers;
	size_t issuers_n;
	bool ruled; /* the configuration has rules; else whoever is known may do all */
	bool challenge_basic;
	bool kept;   /* the admin socket keeps accounts */
	bool closed; /* there is somebody to be known: who is not, is told to say who he is */
};

/* What it is read from; NULL = not given. */
struct policy_files {
	const char *htpasswd, *config;
	const char *accounts; /* kept by the admin socket; may be absent */
	const char *token_issuer, *token_service, *token_jwks; /* a token server of others */
};

/* INVALID names the file, the line or field, and what is wrong. */
int policy_read(const struct policy_files *files, struct policy **ret, struct err *err);
struct policy *policy_ref(struct policy *p);
void policy_unref(struct policy *p); /* NULL is fine */
DEFINE_CLEANUP(struct policy *, policy_unref)

/* NULL when there is none, or it has expired at `now` (seconds). */
const struct account *policy_account(const struct policy *p, const char *name, int64_t now);
/* MAY_*: of all rules that fit. name NULL = nobody known; groups are those of a token. */
unsigned policy_may(const struct policy *p, const char *name, const struct strs *groups,
		    const char *repo);
/* A tag that is never moved or deleted. */
bool policy_immutable(const struct policy *p, const char *repo, const char *tag);

/* While it is read: its strings live as long as the policy. */
int policy_add_account(struct policy *p, struct account acc, struct err *err);
/* Schema check of a stored password. */
int policy_check_hash(const struct doc *d, struct err *err);
/* One of the patterns matches. */
bool policy_fits(const struct strs *patterns, const char *text);
/* Schema check of a pattern. */
int policy_check_glob(const struct doc *d, struct err *err);
extern const char *const policy_roles[];
/* Fills `may`; INVALID unless it has either actions or a role. */
int policy_rule_read(struct policy_rule *r, struct err *err);

/* "*" is any run without "/", "**" any run, "?" one character but "/". */
#define GLOB_STARS_MAX 8
bool glob_match(const char *pattern, const char *text);
/* "pull" and so on, "*" for all; 0 = no action. */
unsigned action_of(struct slice word);
