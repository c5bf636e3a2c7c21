/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit log: what was asked, by whom, and what became of it, as far as a policy says. One JSON
 * line (audit.k8s.io/v1 Event) for each stage that the policy keeps, appended to a file.
 *
 * Lines are collected and written once a round of the loop, before the answers of that round can
 * have been read by anyone who acts on them; they survive our death, not the machine's. A file that
 * cannot be written is told in our own log, and lines are then dropped and counted: requests go on.
 * Spec: audit.k8s.io/v1 Policy and Event.
 */
#pragma once

#include "apiserver/strategy/strategy.h"
#include "base/cleanup.h"
#include "base/str.h"

struct apiaudit;
struct arena;
struct doc;
struct err;
struct loop;
struct metrics;

/* Zero means the default in brackets. Texts are copied. */
struct apiaudit_conf {
	struct loop *loop;
	struct metrics *metrics; /* apiserver_audit_event_total and others; NULL: none */
	const char *policy_file; /* YAML or JSON */
	const char *path;	 /* appended to, 0600; "-" = standard output */
	uint64_t bytes_max;	 /* then it is renamed NAME-TIME.EXT [100 MiB] */
	unsigned backups;	 /* renamed ones that are kept [all] */
	int64_t age;		 /* ns, older ones are removed [never] */
};
/* -ERR_INVALID names what is wrong with the policy. */
int apiaudit_new(const struct apiaudit_conf *conf, struct apiaudit **ret, struct err *err);
void apiaudit_free(struct apiaudit *l);
DEFINE_CLEANUP(struct apiaudit *, apiaudit_free)

enum apiaudit_level { APIAUDIT_NONE, APIAUDIT_METADATA, APIAUDIT_REQUEST, APIAUDIT_RESPONSE };
enum apiaudit_stage {
	APIAUDIT_RECEIVED,
	APIAUDIT_STARTED, /* of long-running ones: their head was sent */
	APIAUDIT_COMPLETE,
	APIAUDIT_PANIC,
};

/* An annotation of an event, by whoever decided something about the request. */
struct apiaudit_note {
	const char *key, *value;
};
#define APIAUDIT_NOTES_MAX 32

/* One request; texts and documents are borrowed for the call. */
struct apiaudit_about {
	const char *id;	  /* UUID, also in the header Audit-Id */
	struct slice uri; /* path and query as sent */
	const char *verb;
	const struct strategy_user *user, *impersonated; /* impersonated: NULL = nobody */
	const char *constraint; /* under which it was allowed; NULL: none */
	const char *source;	/* address without port */
	struct slice user_agent;
	bool is_resource;
	const char *group, *version, *resource, *subresource, *namespace_, *name;
	const char *path;		   /* decoded; for rules of paths */
	int64_t received;		   /* ns since 1970 */
	const struct apiaudit_note *notes; /* in order of keys, told with the next two */
	size_t nnotes;
	const char *decision, *why; /* of authorization: "allow", "forbid"; NULL = not reached */
	/* Of the end; status NULL: none was made (then only the code). */
	int code;
	const struct doc *status;
	const struct doc *request, *response; /* objects; NULL = none */
	const char *uid, *revision;	      /* of the object; NULL or "" = unknown */
};

/* What the policy says of it: the same for all stages. */
struct apiaudit_verdict {
	enum apiaudit_level level;
	unsigned omit; /* stages, 1 << enum apiaudit_stage */
	bool omit_managed_fields;
};
/* l NULL: APIAUDIT_NONE. The first rule that matches counts. */
struct apiaudit_verdict apiaudit_judge(const struct apiaudit *l, const struct apiaudit_about *r);
void apiaudit_add(struct apiaudit *l, const struct apiaudit_verdict *v, enum apiaudit_stage stage,
		  const struct apiaudit_about *r);
/* Writes what waits. */
void apiaudit_flush(struct apiaudit *l);
uint64_t apiaudit_dropped(const struct apiaudit *l);
