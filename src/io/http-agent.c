/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls to any address: an http_client per origin, and around each call a loop of attempts.
 *
 * (1) What the caller consumes belongs to the answer that is final: an answer that is followed by
 * another attempt is swallowed. (2) Once a byte was given to the caller there is no further
 * attempt. (3) All waits and attempts end by the call's own time.
 */
#include "io/http-agent.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/loop.h"
#include "crypto/tls.h"
#include "io/http-redirect.h"
#include "io/resolver.h"
#include "io/stream-impl.h"

#include <time.h>

#define ORIGIN_MAX 512

/* One origin: its client, and how it has behaved. */
struct origin {
	struct list link; /* the one used last comes first */
	char name[ORIGIN_MAX];
	struct http_client *client;
	struct retry_budget budget;
	struct circuit circuit;
};

struct http_agent {
	struct http_agent_conf conf;
	struct loop *loop;
	struct resolver *resolver; /* of its own; NULL = none */
	struct list origins;
	struct http_agent_stats stats;
	struct http_redirect at; /* of the call that runs, or ran last */
};

/* ---- life ---- */

int http_agent_new(const struct http_agent_conf *conf, struct http_agent **ret, struct err *err)
{
	CLEANUP(http_agent_free) struct http_agent *a = io_alloc(sizeof(*a));
	struct http_agent_conf *k = &a->conf;
	int r;

	list_init(&a->origins);
	if (conf)
		*k = *conf;
	if (k->client.host || k->client.proxy || k->client.tls_name) {
		k->client.tls = NULL; /* not referenced yet */
		return err_set(err, ERR_INVALID,
			       "http agent: host, proxy and tls_name are chosen for each origin");
	}
	if (k->client.tls)
		k->client.tls = tls_conf_ref(k->client.tls);
	if (!k->redirects)
		k->redirects = HTTP_REDIRECTS;
	k->redirects = MIN(k->redirects, HTTP_REDIRECTS);
	if (!k->retry_after_max)
		k->retry_after_max = 30 * NS_PER_SEC;
	if (!k->origins_max)
		k->origins_max = 16;
	r = loop_new(&a->loop, err);
	if (r >= 0 && k->names && !k->client.resolver)
		r = resolver_new(a->loop, NULL, &a->resolver, err);
	if (r < 0)
		return r;
	if (a->resolver)
		k->client.resolver = a->resolver;
	*ret = STEAL(a);
	return 0;
}

static void origin_free(struct http_agent *a, struct origin *o)
{
	list_del(&o->link);
	http_client_free(o->client);
	free(o);
	a->stats.origins--;
}

void http_agent_free(struct http_agent *a)
{
	struct origin *o;

	if (!a)
		return;
	while ((o = LIST_FIRST(&a->origins, struct origin, link)))
		origin_free(a, o);
	resolver_free(a->resolver);
	loop_free(a->loop);
	tls_conf_unref(a->conf.client.tls);
	free(a);
}

const char *http_agent_url(const struct http_agent *a)
{
	return a->at.url;
}

struct http_agent_stats http_agent_get_stats(const struct http_agent *a)
{
	return a->stats;
}

/* ---- origins ---- */

/* "https://host:port" to what http_proxy_for wants. */
static int find_proxy(const struct http_agent *a, const char *name, struct http_proxy *ret,
		      struct err *err)
{
	bool https = strncmp(name, "https:", 6) == 0;
	const char *host = strstr(name, "://") + 3, *colon = strrchr(host, ':');
	char text[ORIGIN_MAX];
	uint64_t port = 0;
	size_t n = (size_t)(colon - host);

	if (host[0] == '[' && n > 2) {
		host++;
		n -= 2;
	}
	memcpy(text, host, n);
	text[n] = '\0';
	(void)str_uint64(slice_str(colon + 1), &port, NULL); /* http_origin wrote it */
	return http_proxy_for(&a->conf.proxies, https ? "https" : "http", text, (uint16_t)port, ret,
			      err);
}

static int origin_new(struct http_agent *a, const char *name, struct origin **ret, struct err *err)
{
	struct http_client_conf conf = a->conf.client;
	struct http_proxy proxy;
	struct origin *o;
	int r = find_proxy(a, name, &proxy, err);

	if (r < 0)
		return r;
	if (r == 1)
		conf.proxy = &proxy;
	if (strncmp(name, "https:", 6) != 0)
		conf.tls = NULL;
	o = io_alloc(sizeof(*o));
	(void)str_copy(o->name, sizeof(o->name), name); /* of that size */
	r = http_client_new(a->loop, name, &conf, &o->client, err);
	explicit_bzero(&proxy, sizeof(proxy));
	if (r < 0) {
		free(o);
		return r;
	}
	retry_budget_init(&o->budget, a->conf.retry_pct, a->conf.retry_burst);
	circuit_init(&o->circuit, a->conf.failures, a->conf.open_time);
	list_prepend(&a->origins, &o->link);
	a->stats.origins++;
	*ret = o;
	return 0;
}

static int origin_get(struct http_agent *a, const char *url, struct origin **ret, struct err *err)
{
	char name[ORIGIN_MAX];
	struct origin *o;

	if (!http_origin(slice_str(url), name, sizeof(name)))
		return err_set(err, ERR_INVALID, "'%.200s' is not an http address", url);
	LIST_FOREACH (o, &a->origins, struct origin, link) {
		if (strcmp(o->name, name) == 0) {
			list_del(&o->link);
			list_prepend(&a->origins, &o->link);
			*ret = o;
			return 0;
		}
	}
	if (a->stats.origins >= a->conf.origins_max)
		origin_free(a, CONTAINER_OF(a->origins.prev, struct origin, link));
	return origin_new(a, name, ret, err);
}

/* ---- one call ---- */

struct running {
	struct http_agent *a;
	const struct http_call *call;
	struct origin *o;
	struct backoff backoff;
	struct http_header *headers; /* those that are sent now */
	size_t headers_n;
	int64_t end;  /* of the call's time; 0 = none */
	int64_t wait; /* before the next attempt, -1 = there is none */
	bool given;   /* the caller has bytes of the answer */
	bool more;    /* the answer is followed by another attempt: its bytes are swallowed */
};

static bool is_safe_to_repeat(const struct running *k)
{
	static const char *const methods[] = { "GET", "HEAD",	"OPTIONS", "TRACE",
					       "PUT", "DELETE", NULL };

	return str_is_one_of(k->a->at.method, methods) && !(k->a->at.body && k->call->produce) &&
	       !k->call->hijack;
}

/* Decides about another attempt; after: what the server asks for, -1 if nothing. */
static bool may_retry(struct running *k, int64_t after)
{
	int64_t delay;

	k->wait = -1;
	if (k->given || !is_safe_to_repeat(k) || after > k->a->conf.retry_after_max)
		return false;
	delay = backoff_next(&k->backoff);
	if (delay < 0 || !retry_budget_take(&k->o->budget))
		return false;
	delay = MAX(delay, after);
	if (k->end && clock_mono() + delay >= k->end)
		return false;
	k->wait = delay;
	return true;
}

static int64_t now_real(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts); /* cannot fail with that clock */
	return (int64_t)ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

static bool is_redirect(const struct running *k, int status)
{
	return !k->a->conf.no_redirects && k->a->at.left > 0 &&
	       (status == 301 || status == 302 || status == 303 || status == 307 || status == 308);
}

/* The head is there: is it the last one? keeps (1) */
static void judge(struct running *k, const struct http_answer *head)
{
	struct slice v = http_answer_header(head, "Retry-After");
	int64_t after = v.n ? retry_after(v, now_real()) : -1;
	int st = head->status;

	k->more = is_redirect(k, st);
	if (st == 429 || st == 502 || st == 503 || st == 504)
		k->more = may_retry(k, after);
}

static int take(void *arg, const struct http_answer *head, struct slice bytes, struct err *err)
{
	struct running *k = arg;

	if (k->wait < 0 && !k->more && !k->given)
		judge(k, head);
	if (k->more)
		return 0;
	k->given = true;
	return k->call->consume(k->call->arg, head, bytes, err);
}

static ssize_t produce(void *arg, char *p, size_t cap, struct err *err)
{
	struct running *k = arg;

	return k->call->produce(k->call->arg, p, cap, err);
}

static const char *target_of(const char *url)
{
	const char *host = strstr(url, "://") + 3;

	return host + strcspn(host, "/?");
}

/* One attempt at the address where we are. */
static int attempt(struct running *k, struct http_answer *ret, struct err *err)
{
	const struct http_redirect *at = &k->a->at;
	struct http_call c = *k->call;
	char target[sizeof(at->url) + 1];
	const char *t = target_of(at->url);
	int r;

	/* "http://host?x" asks for "/?x". */
	target[0] = '/';
	(void)str_copy(target + (*t != '/'), sizeof(target) - 1, t); /* has room */
	target[strcspn(target, "#")] = '\0';
	c.method = at->method;
	c.target = target;
	c.headers = k->headers;
	c.headers_n = k->headers_n;
	c.arg = k;
	c.consume = c.consume ? take : NULL;
	c.produce = c.produce && at->body ? produce : NULL;
	if (!at->body) {
		c.body = (struct slice){ 0 };
		c.length = HTTP_NO_BODY;
	}
	k->wait = -1;
	k->more = false;
	if (k->end) {
		c.time = k->end - clock_mono();
		if (c.time <= 0)
			return err_set(err, ERR_TIMEOUT, "%s %.200s: no complete answer in time",
				       at->method, at->url);
	}
	if (!circuit_allow(&k->o->circuit, clock_mono())) {
		k->a->stats.refused++;
		return err_set(err, ERR_UNAVAILABLE,
			       "%s did not answer several times and is not asked for a while",
			       k->o->name);
	}
	k->a->stats.attempts++;
	retry_budget_request(&k->o->budget);
	r = http_client_call(k->o->client, &c, ret, err);
	if (r == 0)
		circuit_done(&k->o->circuit, true, clock_mono());
	else if (r == -ERR_UNAVAILABLE)
		circuit_done(&k->o->circuit, false, clock_mono());
	else
		circuit_cancel(&k->o->circuit);
	if (r == 0 && k->wait < 0 && !k->more && !k->given)
		judge(k, ret); /* nothing came to `take` */
	if (r == -ERR_UNAVAILABLE)
		(void)may_retry(k, -1);
	return r;
}

static int wait_on_loop(struct http_agent *a, int64_t ns, struct err *err)
{
	int64_t end = clock_mono() + ns, left;

	while ((left = end - clock_mono()) > 0) {
		if (loop_step(a->loop, left, err) < 0)
			return err_ret(err);
	}
	return 0;
}

static int wait_before_retry(struct running *k, struct err *err)
{
	const struct http_agent_conf *conf = &k->a->conf;

	k->a->stats.retries++;
	return conf->wait ? conf->wait(conf->wait_arg, k->wait, err)
			  : wait_on_loop(k->a, k->wait, err);
}

/* What belongs to the first origin only. */
static bool is_of_origin(struct slice name)
{
	return slice_ieq(name, SLICE("authorization")) || slice_ieq(name, SLICE("cookie")) ||
	       slice_ieq(name, SLICE("host")) || slice_ieq(name, SLICE("proxy-authorization"));
}

/* What describes a body that is no longer sent. */
static bool is_of_body(struct slice name)
{
	return name.n > 8 && slice_ieq(slice_of(name.p, 8), SLICE("content-"));
}

static void choose_headers(struct running *k)
{
	const struct http_redirect *at = &k->a->at;

	k->headers_n = 0;
	for (size_t i = 0; i < k->call->headers_n; i++) {
		const struct http_header *h = &k->call->headers[i];

		if ((at->credentials || !is_of_origin(h->name)) &&
		    (at->body || !is_of_body(h->name)))
			k->headers[k->headers_n++] = *h;
	}
}

/* 1 = the answer sent us elsewhere; 0 = it is the caller's. */
static int follow(struct running *k, struct http_answer *ans, struct err *err)
{
	struct http_agent *a = k->a;
	int r;

	if (a->conf.no_redirects)
		return 0;
	r = http_redirect_step(&a->at, ans->status, http_answer_header(ans, "Location"), err);
	if (r <= 0)
		return r;
	if (a->at.body && k->call->produce)
		return err_set(err, ERR_UNSUPPORTED,
			       "redirect %d to '%.200s' wants the request's body once more",
			       ans->status, a->at.url);
	a->stats.redirects++;
	return 1;
}

/* Attempts at one address, till there is an answer that is not to be asked for again. */
static int ask(struct running *k, struct http_answer *ret, struct err *err)
{
	int r = origin_get(k->a, k->a->at.url, &k->o, err);

	if (r < 0)
		return r;
	backoff_init(&k->backoff, &k->a->conf.retry, 0);
	for (;;) {
		struct err why = ERR_INIT;

		r = attempt(k, ret, &why);
		if (k->wait < 0) {
			if (r < 0 && err)
				*err = why;
			return r;
		}
		if (r == 0)
			http_answer_fini(ret);
		r = wait_before_retry(k, err);
		if (r < 0)
			return r;
	}
}

static bool has_user(const char *url)
{
	const char *authority = strstr(url, "://") + 3;

	return memchr(authority, '@', strcspn(authority, "/?#")) != NULL;
}

int http_agent_call(struct http_agent *a, const char *url, const struct http_call *call,
		    struct http_answer *ret, struct err *err)
{
	CLEANUP_FREE struct http_header *headers = NULL;
	CLEANUP(http_answer_fini) struct http_answer ans = HTTP_ANSWER_INIT;
	struct running k = { .a = a, .call = call };
	bool body = call->produce ? call->length != HTTP_NO_BODY : call->body.n > 0;
	int r;

	r = http_redirect_init(&a->at, call->method ? call->method : "GET", url, body, err);
	if (r < 0)
		return r;
	if (has_user(url))
		return err_set(err, ERR_INVALID, "the address has a user in it");
	a->at.left = a->conf.redirects;
	k.headers = headers = io_alloc((call->headers_n + 1) * sizeof(*headers));
	k.end = call->time > 0 ? clock_mono() + call->time : 0;
	a->stats.calls++;
	do {
		choose_headers(&k);
		http_answer_fini(&ans);
		r = ask(&k, &ans, err);
		if (r == 0)
			r = follow(&k, &ans, err);
	} while (r == 1);
	if (r < 0)
		return r;
	*ret = ans;
	ans = HTTP_ANSWER_INIT;
	return 0;
}
