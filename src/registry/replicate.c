/* SPDX-License-Identifier: Apache-2.0 */
/* Replication: rules, what they want, their jobs. */
#include "doc/json.h"
#include "registry/replicate-priv.h"

#include <stdio.h>
#include <string.h>

#define AT_ONCE 2
#define BACK_OFF NS_PER_SEC
#define BACK_OFF_MAX (600 * NS_PER_SEC)
#define ARENA_MAX (128u << 20)
#define BODY_MAX 4096

struct replicate {
	struct hooks *h;
	struct rule *v;
	size_t n;
};

/* ---- names ---- */

static const char *rename_repo(struct arena *a, const char *name, const char *strip,
			       const char *add)
{
	size_t n = strlen(strip);
	const char *s;

	if (strncmp(name, strip, n) != 0)
		return NULL;
	s = arena_printf(a, "%s%s", add, name + n);
	return s && content_name_ok(slice_str(s)) ? s : NULL;
}

const char *rule_far_name(const struct rule *k, struct arena *a, const char *repo)
{
	return rename_repo(a, repo, k->conf->strip, k->conf->add);
}

/* Pull: the patterns, and the prefix that is taken away, are of the other side's names. */
const char *rule_near_name(const struct rule *k, struct arena *a, const char *far)
{
	return rename_repo(a, far, k->conf->strip, k->conf->add);
}

bool rule_wants(const struct rule *k, const char *repo, const char *tag)
{
	if (!hooks_fits(&k->conf->repositories, repo))
		return false;
	return !tag || !k->conf->tags.n || hooks_fits(&k->conf->tags, tag);
}

/* ---- jobs ---- */

const char *job_text(struct arena *a, const char *op, const char *from, const char *ref)
{
	struct doc *d = doc_new_object(a);
	struct slice text;

	doc_set_str(a, d, "op", op);
	if (from)
		doc_set_str(a, d, "from", from);
	if (ref)
		doc_set_str(a, d, "ref", ref);
	return arena_exceeded(a) || json_print(a, d, NULL, &text, NULL) < 0 ? "{}" : text.p;
}

const char *job_word(struct run *run, const char *key)
{
	const struct json_options jo = { .max_depth = 8, .max_nodes = 64, .copy = true };
	struct doc *d;

	if (json_read(run->arena, slice_str(run->job.body), &jo, &d, NULL) < 0)
		return NULL;
	return doc_cstr(run->arena, doc_get(d, key));
}

void rule_over(struct rule *k, struct run *run, const struct err *err)
{
	enum run_result res = RUN_FAILED;

	hooks_count(k->h, "replication", k->conf->name, err->code ? "failed" : "done");
	switch (err->code) {
	case 0: res = RUN_DONE; break;
	case ERR_UNAVAILABLE:
	case ERR_TIMEOUT: res = RUN_AWAY; break;
	case ERR_QUOTA: /* the other side's rate limit; or our own quota, which is this job's */
		if (!slice_starts(slice_str(err->msg), SLICE("quota:")))
			res = RUN_AWAY;
		run->wait = remote_limited(k->remote);
		break;
	case ERR_UNSUPPORTED: res = RUN_HOPELESS; break;
	default: break;
	}
	run_end(run, res, err->msg);
}

static void start(void *ctx, struct run *run)
{
	struct rule *k = ctx;
	const char *op = job_word(run, "op");

	if (op && strcmp(op, "look") == 0)
		replicate_look(k, run);
	else if (op && strcmp(op, "get") == 0)
		replicate_fetch(k, run);
	else if (op)
		replicate_send(k, run);
	else
		run_end(run, RUN_HOPELESS, "the job is not readable");
}

static void add_job(struct rule *k, const char *repo, const char *op, const char *ref)
{
	CLEANUP(arena_free) struct arena *a = arena_new("job", BODY_MAX * 4);

	jobs_add(k->h->jobs, k->queue, repo, job_text(a, op, NULL, ref));
}

static void push_event(struct rule *k, const struct event *e)
{
	bool by_digest = strchr(e->ref, ':') != NULL;

	if (!rule_wants(k, e->repo, NULL))
		return;
	if (e->kind == EVENT_DELETE) {
		if (k->conf->deletes && rule_wants(k, e->repo, by_digest ? NULL : e->ref))
			add_job(k, e->repo, "delete", e->ref);
		return;
	}
	for (size_t i = 0; i < e->ntags; i++)
		if (rule_wants(k, e->repo, e->tags[i]))
			add_job(k, e->repo, "put", e->tags[i]);
	if (by_digest && !e->ntags)
		add_job(k, e->repo, "put", e->ref);
}

void replicate_event(struct replicate *r, const struct event *e)
{
	if (strcmp(e->object, "manifest") != 0 ||
	    (e->kind != EVENT_PUSH && e->kind != EVENT_DELETE))
		return;
	for (size_t i = 0; i < r->n; i++)
		if (!r->v[i].pull)
			push_event(&r->v[i], e);
}

/* ---- pull: when ---- */

static void look_soon(struct rule *k)
{
	CLEANUP(arena_free) struct arena *a = arena_new("job", BODY_MAX);

	if (k->looking) /* it waits, or runs */
		return;
	k->looking = true;
	jobs_add(k->h->jobs, k->queue, REPLICATE_LANE_LOOK, job_text(a, "look", NULL, NULL));
}

static int on_timer(struct timer *t)
{
	struct rule *k = CONTAINER_OF(t, struct rule, timer);

	look_soon(k);
	timer_set_after(t, k->conf->every);
	return 0;
}

/* ---- life ---- */

static int open_rule(struct rule *k, struct err *err)
{
	struct runner_conf rc = { .queue = k->queue,
				  .at_once = AT_ONCE,
				  .tries_max = (unsigned)k->conf->tries,
				  .first = BACK_OFF,
				  .max = BACK_OFF_MAX,
				  .arena_max = ARENA_MAX,
				  .start = start,
				  .ctx = k };
	int r;

	(void)snprintf(k->queue, sizeof(k->queue), "copy/%s", k->conf->name);
	k->pull = strcmp(k->conf->mode, "pull") == 0;
	timer_init(&k->timer, k->h->g->loop, on_timer);
	r = hooks_remote(k->h, &k->conf->far, &k->remote, err);
	if (r < 0)
		return err_wrap(err, "replication '%s'", k->conf->name);
	k->runner = runner_new(k->h->g->loop, k->h->jobs, &rc);
	if (k->pull)
		timer_set_after(&k->timer, 0);
	return 0;
}

int replicate_new(struct hooks *h, struct replicate **ret, struct err *err)
{
	struct replicate *p = calloc(1, sizeof(*p));
	int r = 0;

	if (!p || !(p->v = calloc(h->conf->rules.n, sizeof(*p->v))))
		abort();
	p->h = h;
	*ret = p;
	for (size_t i = 0; i < h->conf->rules.n && r >= 0; i++) {
		struct rule *k = &p->v[p->n++];

		k->h = h;
		k->conf = &h->conf->rules.v[i];
		r = open_rule(k, err);
	}
	return r;
}

void replicate_stop(struct replicate *p)
{
	for (size_t i = 0; p && i < p->n; i++) {
		timer_fini(&p->v[i].timer);
		runner_stop(p->v[i].runner);
	}
}

void replicate_free(struct replicate *p)
{
	for (size_t i = 0; p && i < p->n; i++) {
		runner_free(p->v[i].runner);
		remote_free(p->v[i].remote);
	}
	if (p)
		free(p->v);
	free(p);
}

void replicate_poke(struct replicate *p, const char *queue, const char *lane)
{
	for (size_t i = 0; i < p->n; i++)
		if (!queue || strcmp(queue, p->v[i].queue) == 0)
			runner_poke(p->v[i].runner, lane);
}

/* ---- the admin socket ---- */

void replicate_status(struct replicate *p, struct arena *a, struct doc *list)
{
	for (size_t i = 0; i < p->n; i++) {
		struct doc *d = doc_append_object(a, list);
		const struct rule *k = &p->v[i];

		doc_set_str(a, d, "name", k->conf->name);
		doc_set_str(a, d, "mode", k->conf->mode);
		doc_set_str(a, d, "url", k->conf->far.url);
		hooks_queue_status(k->h, k->queue, k->runner, a, d);
	}
}

bool replicate_run(struct replicate *p, const char *name)
{
	bool found = false;

	for (size_t i = 0; i < p->n; i++) {
		struct rule *k = &p->v[i];

		if (name && strcmp(name, k->conf->name) != 0)
			continue;
		found = true;
		if (k->pull)
			look_soon(k);
		jobs_hurry(k->h->jobs, k->queue);
		runner_hurry(k->runner);
	}
	return found;
}

bool replicate_busy(const struct replicate *p)
{
	unsigned n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += p->v[i].runner ? runner_stat(p->v[i].runner).running : 0;
	return n > 0;
}
