/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replication by rules. Private to src/registry; on the loop's thread, transfers on workers.
 *
 * Push: what is pushed here (and, if the rule says so, deleted) goes to another registry: whole
 * images, indexes with all they list, and what refers to them, by the digests they have here. A
 * job names a repository and a tag or digest; what is there when it is done is what is sent, so a
 * tag that moved twice is sent once and the last word is the last. Pull: at times the repositories
 * and tags of another registry are listed, and what differs here is fetched.
 *
 * Jobs are kept and retried as jobs.h and jobs-run.h say: in order by repository. Two registries
 * may replicate to each other: what is there already is not sent, and that ends the round.
 *
 * A rule with tags sends manifests that were pushed by digest only if they refer (`subject`) to
 * one that the other side has.
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>

struct arena;
struct doc;
struct err;
struct event;
struct hooks;
struct replicate;

int replicate_new(struct hooks *h, struct replicate **ret, struct err *err);
void replicate_stop(struct replicate *r); /* before the workers end */
void replicate_free(struct replicate *r); /* after the jobs; NULL is fine */
bool replicate_busy(const struct replicate *r);
/* queue NULL = all; lane NULL = every lane. */
void replicate_poke(struct replicate *r, const char *queue, const char *lane);
void replicate_event(struct replicate *r, const struct event *e);

/* ---- for the admin socket ---- */

void replicate_status(struct replicate *r, struct arena *a, struct doc *list);
/* Does now what waits for its time, and for pull looks at the other side. name NULL = all rules.
 * False: no such rule. */
bool replicate_run(struct replicate *r, const char *name);

/* ---- replicate-push.c, replicate-pull.c ---- */

struct rule;
struct run;
/* One job of a rule; run_end is called. */
void replicate_send(struct rule *k, struct run *run);
void replicate_fetch(struct rule *k, struct run *run);
/* Lists the other side, then queues what differs. */
void replicate_look(struct rule *k, struct run *run);
