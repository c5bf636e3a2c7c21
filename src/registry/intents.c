/* SPDX-License-Identifier: Apache-2.0 */
/* Notes of deletes: a queue that nobody runs, a lane for each. */
#include "registry/intents.h"

#include "base/hash.h"
#include "doc/json.h"
#include "registry/jobs.h"
#include "registry/private.h"

#include <string.h>

#define QUEUE "intent"
#define ID_MAX 32
#define ARENA_MAX (8u << 20)

static const char *describe(struct call *c)
{
	struct slice agent = stream_header(c->s, "User-Agent"), text;
	struct doc *d = doc_new_object(c->a);

	doc_set_str(c->a, d, "repository", c->name);
	doc_set_str(c->a, d, "reference", c->ref);
	doc_set_str(c->a, d, "peer", stream_peer(c->s)->addr);
	doc_set_str(c->a, d, "agent", agent.n ? arena_strndup(c->a, agent.p, agent.n) : "");
	if (c->who.name)
		doc_set_str(c->a, d, "user", c->who.name);
	return arena_exceeded(c->a) || json_print(c->a, d, NULL, &text, NULL) < 0 ? NULL : text.p;
}

void intent_begin(struct call *c, void (*then)(struct call *c))
{
	struct hooks *h = c->g->hooks;
	char id[ID_MAX + 1];
	const char *text;

	if (!h || (!h->webhooks && !h->replicate)) {
		then(c);
		return;
	}
	random_hex(id, ID_MAX);
	text = describe(c);
	c->intent = arena_strdup(c->a, id);
	if (!text || !c->intent) {
		answer_error(c, UNKNOWN, "the request needs too much memory");
		return;
	}
	jobs_add(h->jobs, QUEUE, id, text);
	hooks_then(c, then);
}

void intent_end(struct call *c)
{
	if (c->intent)
		jobs_forget(c->g->hooks->jobs, QUEUE, c->intent);
	c->intent = NULL;
}

/* ---- the start ---- */

static const char *word(struct arena *a, const struct doc *d, const char *key)
{
	const char *text = doc_cstr(a, doc_get(d, key));

	return text ? text : "";
}

static int settle_one(struct hooks *h, struct arena *a, const struct job *job, struct err *err)
{
	const struct json_options jo = { .max_depth = 4, .max_nodes = 64 };
	struct event e = {
		.kind = EVENT_DELETE, .object = "manifest", .method = "DELETE", .when = job->made
	};
	struct content_manifest m;
	struct doc *d;
	int r = json_read(a, slice_str(job->body), &jo, &d, err);

	if (r < 0)
		return err_wrap(err, "note of a delete");
	e.repo = word(a, d, "repository");
	e.ref = word(a, d, "reference");
	e.peer = word(a, d, "peer");
	e.agent = word(a, d, "agent");
	e.user = doc_get(d, "user") ? word(a, d, "user") : NULL;
	if (arena_exceeded(a))
		return arena_quota(a, err);
	if (content_manifest(h->g->store, e.repo, e.ref, a, &m, NULL) == -ERR_NOT_FOUND) {
		log_kv(LOG_LEVEL_INFO, "a delete is told late", "repository", e.repo, "reference",
		       e.ref, NULL);
		h->watcher->event(h->watcher, &e);
	}
	jobs_forget(h->jobs, QUEUE, job->lane);
	return 0;
}

int intents_settle(struct hooks *h, struct err *err)
{
	char after[ID_MAX + 1] = "";
	int r;

	do {
		CLEANUP(arena_free) struct arena *a = arena_new("intent", ARENA_MAX);
		struct job job;

		r = jobs_head(h->jobs, QUEUE, after, a, &job, err);
		if (r <= 0)
			break;
		(void)str_copy(after, sizeof(after), job.lane);
		r = settle_one(h, a, &job, err);
	} while (r >= 0);
	return r;
}
