/* SPDX-License-Identifier: Apache-2.0 */
/* The registry's dealings with others: life, and what the rest of the registry calls. */
#include "registry/hooks.h"

#include "base/arena.h"
#include "base/fd.h"
#include "crypto/aead.h"
#include "doc/json.h"
#include "image/remote.h"
#include "io/metrics.h"
#include "io/resolver.h"
#include "registry/intents.h"
#include "registry/jobs-run.h"
#include "registry/policy.h"
#include "registry/private.h"
#include "registry/replicate.h"
#include "registry/through.h"
#include "registry/webhook.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define QUICK_THREADS 4
#define BULK_THREADS 8
#define WORK_MAX 4096
#define AUTH_MAX 4096
#define DEAD_SHOWN 20

struct hooks_watcher {
	struct watcher watcher;
	struct hooks *h;
};

/* ---- small things for its parts ---- */

bool hooks_fits(const struct strs *patterns, const char *text)
{
	for (size_t i = 0; i < patterns->n; i++)
		if (glob_match(patterns->v[i], text))
			return true;
	return false;
}

static void notice(void *ctx, const char *text)
{
	(void)ctx;
	log_kv(LOG_LEVEL_INFO, "upstream", "notice", text, NULL);
}

int hooks_remote(struct hooks *h, const struct hooks_far *far, struct remote **ret, struct err *err)
{
	CLEANUP(secret_buf_fini) struct buf b = BUF_INIT(AUTH_MAX);
	const char *host = strstr(far->url, "://") + 3;
	struct remote_conf rc = { .host = host,
				  .insecure = far->insecure,
				  .certs_dir = far->certs,
				  .tries = 1,
				  .cancel = &h->ending,
				  .notice = notice };
	char *end, *colon;

	if (!far->auth)
		return remote_new(&rc, ret, err);
	if (!buf_room(&b, AUTH_MAX)) /* it must not move */
		abort();
	if (fd_read_file(AT_FDCWD, far->auth, &b, err) < 0)
		return err_wrap(err, "authFile");
	(void)buf_addc(&b, '\0');
	end = b.p + strcspn(b.p, "\r\n");
	*end = '\0';
	colon = strchr(b.p, ':');
	if (!colon || colon == b.p)
		return err_set(err, ERR_INVALID, "authFile '%s': is not USER:PASSWORD", far->auth);
	*colon = '\0';
	rc.auth.username = b.p;
	rc.auth.password = colon + 1;
	return remote_new(&rc, ret, err);
}

void hooks_count(struct hooks *h, const char *part, const char *name, const char *result)
{
	const char *const labels[] = { part, name, result };

	if (h->counted)
		metric_inc(metric_with(h->counted, labels));
}

void hooks_queue_status(struct hooks *h, const char *queue, const struct runner *r, struct arena *a,
			struct doc *d)
{
	struct jobs_stat n = jobs_stat(h->jobs, queue);
	struct runner_stat st = runner_stat(r);
	struct dead_job dead[DEAD_SHOWN];
	char when[CLOCK_TEXT_MAX];
	size_t ndead = 0;
	struct doc *list;

	doc_set_int(a, d, "waiting", n.waiting);
	doc_set_int(a, d, "dead", n.dead);
	doc_set_int(a, d, "lost", n.lost);
	doc_set_uint(a, d, "running", st.running);
	doc_set_uint(a, d, "done", st.done);
	doc_set_uint(a, d, "failed", st.failed);
	if (st.last_done)
		doc_set_str(a, d, "lastDone", clock_rfc3339nano(when, st.last_done));
	if (st.error[0])
		doc_set_str(a, d, "lastError", st.error);
	if (!n.dead || jobs_dead(h->jobs, queue, a, dead, DEAD_SHOWN, &ndead, NULL) < 0)
		return;
	list = doc_set_array(a, d, "deadLetters");
	for (size_t i = 0; i < ndead; i++) {
		struct doc *e = doc_append_object(a, list);

		doc_set_int(a, e, "id", dead[i].id);
		doc_set_str(a, e, "time", clock_rfc3339nano(when, dead[i].made));
		doc_set_str(a, e, "repository", dead[i].lane);
		doc_set_uint(a, e, "tries", dead[i].tries);
		doc_set_str(a, e, "error", dead[i].error);
		doc_set_str(a, e, "job", dead[i].body);
	}
}

/* ---- metrics ---- */

static const char *const counted_labels[] = { "part", "name", "result" };
static const struct metric_spec counted_spec = {
	.type = METRIC_COUNTER,
	.name = "teu_registry_outward_total",
	.help = "Dealings with others: through (asked, failed, stale), replication and webhook "
		"(done, failed).",
	.labels = counted_labels,
	.labels_n = 3,
};
static const char *const waiting_labels[] = { "queue", "state" };
static const struct metric_spec waiting_spec = {
	.type = METRIC_GAUGE,
	.name = "teu_registry_jobs",
	.help = "Jobs of webhooks (hook/NAME) and replication (copy/NAME): waiting, dead, lost.",
	.labels = waiting_labels,
	.labels_n = 2,
};

static void set_waiting(struct hooks *h, const char *kind, const char *name)
{
	char queue[JOBS_NAME_MAX];
	const char *labels[] = { queue, "waiting" };
	struct jobs_stat n;

	(void)snprintf(queue, sizeof(queue), "%s/%s", kind, name);
	n = jobs_stat(h->jobs, queue);
	metric_set(metric_with(h->waiting, labels), (double)n.waiting);
	labels[1] = "dead";
	metric_set(metric_with(h->waiting, labels), (double)n.dead);
	labels[1] = "lost";
	metric_set(metric_with(h->waiting, labels), (double)n.lost);
}

static void collect(void *arg)
{
	struct hooks *h = arg;

	for (size_t i = 0; i < h->conf->webhooks.n; i++)
		set_waiting(h, "hook", h->conf->webhooks.v[i].name);
	for (size_t i = 0; i < h->conf->rules.n; i++)
		set_waiting(h, "copy", h->conf->rules.v[i].name);
}

static int add_metrics(struct hooks *h, struct err *err)
{
	struct metrics *m = counters_metrics(h->g->counters);
	int r;

	if (!m)
		return 0;
	r = metrics_add(m, &counted_spec, &h->counted, err);
	if (r >= 0)
		r = metrics_add(m, &waiting_spec, &h->waiting, err);
	if (r >= 0)
		metrics_on_collect(m, collect, h);
	return r;
}

/* ---- events ---- */

static void on_event(struct watcher *w, const struct event *e)
{
	struct hooks *h = CONTAINER_OF(w, struct hooks_watcher, watcher)->h;

	if (h->webhooks)
		webhooks_event(h->webhooks, e);
	if (h->replicate)
		replicate_event(h->replicate, e);
}

static void on_added(void *ctx, const char *queue, const char *lane)
{
	struct hooks *h = ctx;

	if (h->webhooks)
		webhooks_poke(h->webhooks, queue, lane);
	if (h->replicate)
		replicate_poke(h->replicate, queue, lane);
}

static void watch(struct hooks *h)
{
	struct hooks_watcher *w = calloc(1, sizeof(*w));

	if (!w)
		abort();
	w->h = h;
	w->watcher.event = on_event;
	h->watcher = &w->watcher;
	events_watch(h->g, h->watcher);
}

struct then {
	struct call *c;
	void (*fn)(struct call *c);
};

static void told(void *ctx, int result, const struct err *err)
{
	struct then *t = ctx; /* in the stream's arena */

	if (result >= 0)
		t->fn(t->c);
	else
		answer_error(t->c, UNAVAILABLE,
			     "it is done, but its events are not kept (%.300s): do it again",
			     err->msg);
	stream_unref(t->c->s);
}

void hooks_then(struct call *c, void (*then)(struct call *c))
{
	struct hooks *h = c->g->hooks;
	struct then *t;

	if (!h) {
		then(c);
		return;
	}
	t = ARENA_NEW(c->a, struct then);
	if (!t) {
		answer_error(c, UNKNOWN, "the request needs too much memory");
		return;
	}
	*t = (struct then){ c, then };
	stream_ref(c->s);
	jobs_then(h->jobs, told, t);
}

/* ---- life ---- */

static int open_parts(struct hooks *h, struct err *err)
{
	const struct hooks_conf *c = h->conf;
	int r = add_metrics(h, err);

	if (r >= 0 && c->upstreams.n)
		r = through_new(h, &h->through, err);
	if (r >= 0 && c->rules.n)
		r = replicate_new(h, &h->replicate, err);
	if (r >= 0 && c->webhooks.n)
		r = webhooks_new(h, &h->webhooks, err);
	return r;
}

int hooks_new(struct registry *g, struct hooks **ret, struct err *err)
{
	CLEANUP(hooks_conf_free) struct hooks_conf *c = NULL;
	char path[4096];
	struct hooks *h;
	int r = hooks_read(&g->conf, &c, err);

	*ret = NULL;
	if (r < 0 || !hooks_conf_outward(c))
		return r;
	h = calloc(1, sizeof(*h));
	if (!h)
		abort();
	*ret = h; /* what failed is freed with the registry */
	h->g = g;
	h->conf = STEAL(c);
	fills_init(h);
	(void)snprintf(path, sizeof(path), "%s/registry.db", g->conf.root);
	r = jobs_open(path, g->loop, on_added, h, &h->jobs, err);
	if (r >= 0)
		r = resolver_new(g->loop, NULL, &h->resolver, err);
	if (r >= 0)
		r = work_pool_new(g->loop, QUICK_THREADS, WORK_MAX, &h->quick, err);
	if (r >= 0)
		r = work_pool_new(g->loop, BULK_THREADS, WORK_MAX, &h->bulk, err);
	if (r >= 0)
		r = open_parts(h, err);
	if (r < 0)
		return r;
	watch(h);
	on_added(h, NULL, NULL); /* what was queued before */
	return intents_settle(h, err);
}

static bool is_busy(struct hooks *h)
{
	return (h->fills && fills_busy(h)) || (h->through && through_busy(h->through)) ||
	       keep_busy(h) || (h->replicate && replicate_busy(h->replicate)) ||
	       (h->webhooks && webhooks_busy(h->webhooks));
}

void hooks_stop(struct hooks *h)
{
	if (!h)
		return;
	atomic_store(&h->ending, true);
	if (h->watcher)
		events_unwatch(h->watcher);
	replicate_stop(h->replicate);
	webhooks_stop(h->webhooks);
	work_pool_free(STEAL(h->quick));
	work_pool_free(STEAL(h->bulk));
	/* What was fetched or done is on its way into a database: its end still comes by the loop,
	 * and begins nothing new. */
	while (is_busy(h) && loop_step(h->g->loop, 100 * NS_PER_MS, NULL) >= 0)
		;
}

void hooks_free(struct hooks *h)
{
	if (!h)
		return;
	keep_end(h);
	jobs_close(h->jobs);
	keep_free(h);
	webhooks_free(h->webhooks);
	replicate_free(h->replicate);
	through_free(h->through);
	fills_free(h);
	resolver_free(h->resolver);
	hooks_conf_free(h->conf);
	if (h->watcher)
		free(CONTAINER_OF(h->watcher, struct hooks_watcher, watcher));
	free(h);
}

int hooks_check(struct registry *g, struct err *err)
{
	CLEANUP(hooks_conf_free) struct hooks_conf *c = NULL;
	const struct hooks_conf *now = g->hooks ? g->hooks->conf : NULL;
	CLEANUP(buf_fini) struct buf names = BUF_INIT(256);
	int r = hooks_read(&g->conf, &c, err);

	for (size_t i = 0; r >= 0 && i < HOOKS_SECTIONS; i++)
		if (now ? strcmp(now->text[i], c->text[i]) != 0
			: i != HOOKS_CACHE && strcmp(c->text[i], "") != 0)
			(void)buf_addf(&names, "%s%s", names.n ? ", " : "", hooks_sections[i]);
	if (r < 0 || !names.n)
		return r;
	return err_set(err, ERR_CONFLICT,
		       "--config %s: of %s another text is in force since the start: restart the "
		       "registry to change that, or put it back",
		       g->conf.config, buf_str(&names));
}

int hooks_reload(struct hooks *h, struct err *err)
{
	return h && h->webhooks ? webhooks_reload(h->webhooks, err) : 0;
}

/* ---- what the rest of the registry calls ---- */

bool hooks_proxied(const struct registry *g, const char *repo)
{
	return g->hooks && g->hooks->through && through_of(g->hooks->through, repo);
}

static bool is_live(const struct registry *g)
{
	return g->hooks && g->hooks->through && !atomic_load(&g->hooks->ending);
}

int hooks_ns(struct call *c)
{
	return c->g->hooks && c->g->hooks->through ? through_ns(c) : 0;
}

bool hooks_manifest(struct call *c, void (*local)(struct call *c))
{
	return is_live(c->g) && through_manifest(c, local);
}

bool hooks_blob(struct call *c, void (*local)(struct call *c))
{
	return is_live(c->g) && through_blob(c, local);
}

bool hooks_tags(struct call *c)
{
	return is_live(c->g) && through_tags(c);
}

bool hooks_referrers(struct call *c)
{
	return is_live(c->g) && through_referrers(c);
}

void hooks_collected(struct registry *g, uint64_t manifests, uint64_t blobs, uint64_t bytes)
{
	if (g->hooks && g->hooks->webhooks && (manifests || blobs || bytes))
		webhooks_collected(g->hooks->webhooks, manifests, blobs, bytes);
}

void hooks_tick(struct registry *g)
{
	if (g->hooks && g->hooks->through)
		keep_tick(g->hooks);
}
