/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Webhooks: what happened, posted to others. Private to src/registry; on the loop's thread.
 *
 * The body has the form of distribution's notifications ({"events":[...]}, media type
 * application/vnd.docker.distribution.events.v1+json), with one event. Actions: push, pull, delete
 * (manifests), tag (a tag moved: "teu":{"from":DIGEST}), quota (a push was refused), quota_warning
 * ("teu":{"what","used","limit"[,"prefix"]}), gc. Sent with
 * it: X-Teu-Event, X-Teu-Delivery (the event's id, the same at each try), and with a secret
 *	X-Teu-Signature: t=SECONDS,v1=HEX[,v1=HEX]
 * where HEX is HMAC-SHA256 over "SECONDS.BODY": by the secret, then by the old one, so that a
 * receiver may change over at its own time. It should refuse a time that is long past.
 *
 * Taken is what is answered by 2xx; all else, redirects too, is tried again with back-off. Events
 * of a repository come in order, at least once. Addresses are the operator's: any may be named,
 * also private ones; nothing of an answer but its status is kept.
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct call;
struct doc;
struct err;
struct event;
struct hooks;
struct stream;
struct webhooks;

int webhooks_new(struct hooks *h, struct webhooks **ret, struct err *err);
/* Exchanges are given up, nothing new begins. */
void webhooks_stop(struct webhooks *w);
void webhooks_free(struct webhooks *w); /* after the jobs; NULL is fine */
/* Reads the secrets anew; on failure all stay. */
int webhooks_reload(struct webhooks *w, struct err *err);
bool webhooks_busy(const struct webhooks *w);
/* queue NULL = all; lane NULL = every lane. */
void webhooks_poke(struct webhooks *w, const char *queue, const char *lane);
/* Queues e for those who want it. */
void webhooks_event(struct webhooks *w, const struct event *e);
void webhooks_collected(struct webhooks *w, uint64_t manifests, uint64_t blobs, uint64_t bytes);

/* Appends X-Teu-Signature's value to out; nothing without a secret. `old` may be empty; when:
 * seconds since 1970. */
void webhook_sign(struct buf *out, struct slice secret, struct slice old, int64_t when,
		  struct slice body);

/* ---- for the admin socket ---- */

/* An array of what each is and does. */
void webhooks_status(struct webhooks *w, struct arena *a, struct doc *list);
/* Sends a test event at once and answers s with what came back. False: no such webhook. */
bool webhooks_test(struct webhooks *w, const char *name, struct stream *s);
