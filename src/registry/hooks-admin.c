/* SPDX-License-Identifier: Apache-2.0 */
/* What the admin socket tells of upstreams, replication and webhooks, and takes for them:
 *	GET /outward                              all of it
 *	POST /replication/{run,retry,drop}[?name=]
 *	POST /webhooks/{retry,drop}[?name=], POST /webhooks/test?name=
 */
#include "doc/json.h"
#include "registry/jobs.h"
#include "registry/private.h"
#include "registry/replicate.h"
#include "registry/through.h"
#include "registry/webhook.h"

#include <stdio.h>
#include <string.h>

static void reply_status(struct hooks *h, struct stream *s)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4u << 20);
	struct arena *a = stream_arena(s);
	struct doc *d = doc_new_object(a);
	struct doc *v[3];

	v[0] = doc_set_array(a, d, "upstreams");
	if (h->through)
		through_status(h->through, a, v[0]);
	v[1] = doc_set_array(a, d, "replication");
	if (h->replicate)
		replicate_status(h->replicate, a, v[1]);
	v[2] = doc_set_array(a, d, "webhooks");
	if (h->webhooks)
		webhooks_status(h->webhooks, a, v[2]);
	if (arena_exceeded(a) || json_write(d, NULL, &b, NULL) < 0)
		(void)stream_reply(s, 500, NULL, NULL, 0);
	else
		(void)stream_reply(s, 200, "application/json", b.p, b.n);
}

/* name NULL = all. */
static bool each_queue(struct hooks *h, bool hook, const char *name,
		       void (*fn)(struct jobs *j, const char *queue))
{
	const struct hooks_conf *c = h->conf;
	size_t n = hook ? c->webhooks.n : c->rules.n;
	char queue[JOBS_NAME_MAX];
	bool found = false;

	for (size_t i = 0; i < n; i++) {
		const char *own = hook ? c->webhooks.v[i].name : c->rules.v[i].name;

		if (name && strcmp(name, own) != 0)
			continue;
		(void)snprintf(queue, sizeof(queue), "%s/%s", hook ? "hook" : "copy", own);
		fn(h->jobs, queue);
		found = true;
	}
	return found;
}

/* 1 = done, tell the status; 0 = answered; negative = no such name. */
static int run_verb(struct hooks *h, struct stream *s, bool hook, const char *verb,
		    const char *name)
{
	bool found = false;

	if (hook && strcmp(verb, "test") == 0)
		return name && h->webhooks && webhooks_test(h->webhooks, name, s) ? 0 : -1;
	if (!hook && strcmp(verb, "run") == 0)
		found = h->replicate && replicate_run(h->replicate, name);
	else if (strcmp(verb, "retry") == 0)
		found = each_queue(h, hook, name, jobs_revive);
	else if (strcmp(verb, "drop") == 0)
		found = each_queue(h, hook, name, jobs_drop_dead);
	return found ? 1 : -1;
}

bool hooks_admin(struct registry *g, struct stream *s)
{
	const struct http_request *rq = stream_request(s);
	bool hook = strncmp(rq->path, "/webhooks/", 10) == 0;
	bool copy = strncmp(rq->path, "/replication/", 13) == 0;
	bool post = strcmp(rq->method, "POST") == 0;
	struct query q = { 0 };
	int r;

	if (strcmp(rq->path, "/outward") != 0 && !hook && !copy)
		return false;
	if (!g->hooks || atomic_load(&g->hooks->ending)) {
		(void)stream_replyf(s, 404, "text/plain",
				    "this registry has no upstreams, replication or webhooks\n");
		return true;
	}
	if ((hook || copy) != post ||
	    (post && query_parse(stream_arena(s), rq->query, &q, NULL) < 0)) {
		(void)stream_replyf(s, 405, "text/plain", "%s is not for this\n", rq->method);
		return true;
	}
	r = !post ? 1
		  : run_verb(g->hooks, s, hook, strrchr(rq->path, '/') + 1, query_get(&q, "name"));
	if (r > 0)
		reply_status(g->hooks, s);
	else if (r < 0)
		(void)stream_replyf(s, 404, "text/plain", "no such %s, or no such verb\n",
				    hook ? "webhook" : "replication rule");
	return true;
}
