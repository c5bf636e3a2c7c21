/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests/bench/bench-apiserver.py: one thread that asks an API server over TLS.
 *
 * usage: apiserver-load ADDRESS TOKEN rate create|update|get|list CONNECTIONS SECONDS BYTES
 *	  apiserver-load ADDRESS TOKEN fill OBJECTS BYTES
 *	  apiserver-load ADDRESS TOKEN fill-pods OBJECTS BYTES
 *	  apiserver-load ADDRESS TOKEN watch WATCHERS GROUPS RATE SECONDS CONNECTIONS
 *
 * rate: each connection asks again when it was answered; prints "rate R p50 U p99 U errors N" (per
 * second, microseconds). fill: ConfigMaps f0000000... of about BYTES each; prints the rate. watch:
 * RATE updates a second of one object of each group, each of which the watchers of its group are
 * told; on as many connections as watchers by HTTP/1.1, on fewer by HTTP/2, as the writers then
 * are, where a group's watchers lie on different ones; prints "events N p50 U p99 U max U errors N
 * late U share P": from when an update was due to be sent (so a stall is not spared) to its arrival
 * at each watcher; how late this program itself was to send at p99, which is within it (and it is
 * as late to look at what came); and the percent of a core that it took.
 */
#include "base/clock.h"
#include "base/err.h"
#include "base/loop.h"
#include "crypto/tls.h"
#include "io/histogram.h"
#include "io/http-client.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define ASKERS_MAX 64
#define FILL_ASKERS 64
#define UPDATERS 64
#define WRITERS 8 /* connections of theirs by HTTP/2 */
#define CONNECTIONS_MAX 256
#define MAPS "/api/v1/namespaces/default/configmaps"

struct load;

struct asker {
	struct load *l;
	unsigned number;
	struct stream *s;
	uint64_t n;
	int64_t begun;
};

struct watcher {
	struct load *l;
	struct stream *s;
	unsigned group;
	char tail[64]; /* of a piece: a mark may be cut */
	size_t ntail;
};

struct load {
	struct loop *loop;
	const char *address, *token, *op;
	struct tls_conf *tls, *tls2;
	struct http_client *client, *watching[CONNECTIONS_MAX];
	struct asker a[ASKERS_MAX];
	unsigned askers, running;
	struct watcher *w;
	unsigned watchers, groups, open, connections;
	struct histogram *h, *late;
	double cpu; /* seconds, when updates began */
	bool held;  /* as many updates as may be are under way */
	uint64_t done, errors, left, seen;
	int64_t begin, count_from, end, stop_at, revision;
	double rate;
	uint64_t sent;
	struct timer timer;
	char *padding;
	size_t bytes;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "apiserver-load: %s: %s\n", what, why);
	exit(1);
}

/* streams: on each connection; 1: HTTP/1.1. */
static struct http_client *connect_client(struct load *l, size_t connections, size_t streams)
{
	const struct http_client_conf conf = { .tls = streams > 1 ? l->tls2 : l->tls,
					       .http2 = streams > 1 ? HTTP2_PRIOR : HTTP2_NEVER,
					       .streams_max = streams,
					       .connections_max = connections };
	struct http_client *c;
	struct err err = ERR_INIT;

	if (http_client_new(l->loop, l->address, &conf, &c, &err) < 0)
		die(l->address, err.msg);
	return c;
}

static struct tls_conf *speak(const char *alpn)
{
	const struct tls_options o = { .insecure = true, .alpn = &alpn, .alpn_n = 1 };
	struct tls_conf *conf;
	struct err err = ERR_INIT;

	if (tls_conf_new(&o, &conf, &err) < 0)
		die("tls", err.msg);
	return conf;
}

/* ---- one exchange after the other ---- */

static void ask_again(struct asker *a);

static void on_head(struct stream *s)
{
	stream_read(s, STREAM_ALL);
}

static void on_closed(struct stream *s, const struct err *why)
{
	struct asker *a = stream_arg(s);
	struct load *l = a->l;
	int64_t now = clock_mono();
	bool fine = !why && stream_status(s) >= 200 && stream_status(s) < 300;

	a->s = NULL;
	if (!fine && l->errors++ == 0)
		fprintf(stderr, "apiserver-load: %s\n", why ? why->msg : "not 2xx");
	if (fine && a->begun >= l->count_from && now <= l->end) {
		l->done++;
		histogram_record(l->h, now - a->begun);
	}
	stream_unref(s);
	ask_again(a);
}

static const struct stream_events asker_events = { .head = on_head, .closed = on_closed };

static size_t write_body(struct asker *a, char *body, size_t n, const char *kind)
{
	const int got = snprintf(
		body, n,
		"{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":"
		"\"%s%u-%llu\",\"labels\":{\"app\":\"bench\",\"tier\":\"%llu\"}},\"data\":{"
		"\"n\":\"%llu\",\"k\":\"%s\"}}",
		kind, a->number, (unsigned long long)(*kind == 'u' ? 0 : a->n),
		(unsigned long long)(a->n % 10), (unsigned long long)a->n, a->l->padding);

	return (size_t)got;
}

static void send_asker(struct asker *a, const char *method, const char *target, const char *body,
		       size_t n)
{
	struct load *l = a->l;
	struct err err = ERR_INIT;

	if (http_client_stream(l->client, method, target, &a->s, &err) < 0)
		die(target, err.msg);
	stream_on(a->s, &asker_events, a);
	(void)stream_set_headerf(a->s, "Authorization", "Bearer %s", l->token);
	(void)stream_set_header(a->s, "Accept", "application/json");
	if (n)
		(void)stream_set_header(a->s, "Content-Type", "application/json");
	a->begun = clock_mono();
	l->running++;
	if (http_client_send(a->s, n ? (int64_t)n : HTTP_NO_BODY, false, &err) < 0)
		die(target, err.msg);
	if (n) {
		(void)stream_write(a->s, body, n);
		(void)stream_end(a->s); /* closed tells */
	}
}

static void ask(struct asker *a)
{
	struct load *l = a->l;
	char target[128], body[16384];

	a->n++;
	if (strcmp(l->op, "create") == 0) {
		send_asker(a, "POST", MAPS, body, write_body(a, body, sizeof(body), "c"));
	} else if (strcmp(l->op, "fill") == 0) {
		a->n = l->left;
		send_asker(a, "POST", MAPS, body, write_body(a, body, sizeof(body), "f"));
	} else if (strcmp(l->op, "fill-pods") == 0) {
		int n = snprintf(
			body, sizeof(body),
			"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":"
			"\"p%u-%llu\",\"labels\":{\"app\":\"bench\"}},\"spec\":{\"nodeName\":"
			"\"node-%llu\",\"containers\":[{\"name\":\"c\",\"image\":\"registry."
			"example/some/app:1.2.3\",\"env\":[{\"name\":\"K\",\"value\":\"%s\"}],"
			"\"resources\":{\"requests\":{\"cpu\":\"100m\",\"memory\":\"64Mi\"}}}]}}",
			a->number, (unsigned long long)l->left,
			(unsigned long long)(l->left % 1000), l->padding);

		send_asker(a, "POST", "/api/v1/namespaces/default/pods", body, (size_t)n);
	} else if (strcmp(l->op, "update") == 0) {
		(void)snprintf(target, sizeof(target), MAPS "/u%u-0", a->number);
		send_asker(a, "PUT", target, body, write_body(a, body, sizeof(body), "u"));
	} else if (strcmp(l->op, "get") == 0) {
		send_asker(a, "GET", MAPS "/u0-0", NULL, 0);
	} else {
		send_asker(a, "GET", MAPS "?limit=500", NULL, 0);
	}
}

static void ask_again(struct asker *a)
{
	struct load *l = a->l;
	bool go = strncmp(l->op, "fill", 4) == 0 ? l->left > 0 : clock_mono() < l->end;

	l->running -= l->running > 0;
	if (go) {
		l->left -= l->left > 0;
		ask(a);
	} else if (l->running == 0) {
		loop_stop(l->loop, 0);
	}
}

static void run_askers(struct load *l, unsigned n)
{
	struct err err = ERR_INIT;

	l->client = connect_client(l, n, 1);
	for (unsigned i = 0; i < n; i++) {
		l->a[i] = (struct asker){ .l = l, .number = i };
		l->left -= l->left > 0;
		ask(&l->a[i]);
	}
	if (loop_run(l->loop, &err) < 0)
		die("loop", err.msg);
}

static void say(const struct load *l, const char *what, double n)
{
	printf("%s %.1f p50 %.1f p99 %.1f max %.1f errors %llu", what, n,
	       (double)histogram_percentile(l->h, 50) / 1e3,
	       (double)histogram_percentile(l->h, 99) / 1e3, (double)histogram_max(l->h) / 1e3,
	       (unsigned long long)l->errors);
}

/* An object for each asker to update, and one to get. */
static void prepare_updates(struct load *l, unsigned n)
{
	const char *op = l->op;

	l->op = "one";
	l->end = 0;
	l->client = connect_client(l, n, 1);
	for (unsigned i = 0; i < n; i++) {
		char body[16384];

		l->a[i] = (struct asker){ .l = l, .number = i };
		send_asker(&l->a[i], "POST", MAPS, body,
			   write_body(&l->a[i], body, sizeof(body), "u"));
	}
	(void)loop_run(l->loop, NULL);
	http_client_free(l->client);
	l->op = op;
	l->errors = 0; /* it was there */
}

static void run_rate(struct load *l, unsigned n, double seconds)
{
	if (strcmp(l->op, "update") == 0 || strcmp(l->op, "get") == 0)
		prepare_updates(l, n);
	l->begin = clock_mono();
	l->count_from = l->begin + NS_PER_SEC / 5;
	l->end = l->count_from + (int64_t)(seconds * 1e9);
	l->client = connect_client(l, n, 1);
	for (unsigned i = 0; i < n; i++) {
		l->a[i] = (struct asker){ .l = l,
					  .number = i,
					  .n = (uint64_t)l->begin }; /* names that are new */
		ask(&l->a[i]);
	}
	if (loop_run(l->loop, NULL) < 0)
		die("loop", "it failed");
	say(l, "rate", (double)l->done / seconds);
	printf("\n");
}

static void run_fill(struct load *l, uint64_t objects)
{
	int64_t begin = clock_mono();

	l->end = INT64_MAX;
	l->left = objects;
	run_askers(l, FILL_ASKERS);
	say(l, "rate", (double)l->done / ((double)(clock_mono() - begin) / 1e9));
	printf("\n");
}

/* ---- updates at a rate, and who is told ---- */

#define MARK "\"due\":\""

/* All marks that are whole; what may be the beginning of one stays. */
static void look(struct watcher *w, struct slice bytes, int64_t now)
{
	struct load *l = w->l;
	const char *p = bytes.p, *end = p + bytes.n, *at;

	while ((at = memmem(p, (size_t)(end - p), MARK, sizeof(MARK) - 1)) != NULL &&
	       end - at >= (ptrdiff_t)(sizeof(MARK) - 1 + 20)) {
		int64_t due = strtoll(at + sizeof(MARK) - 1, NULL, 10);

		p = at + sizeof(MARK) - 1;
		if (due < l->count_from || due > l->end)
			continue;
		histogram_record(l->h, now - due);
		l->seen++;
	}
	if (end - p > 40)
		p = at ? at : end - 40;
	w->ntail = MIN((size_t)(end - p), sizeof(w->tail));
	memcpy(w->tail, end - w->ntail, w->ntail);
}

static void on_watch_data(struct stream *s, struct slice bytes)
{
	struct watcher *w = stream_arg(s);
	int64_t now = clock_mono();
	char joined[2 * sizeof(w->tail)];
	size_t n = MIN(bytes.n, sizeof(w->tail));

	if (w->ntail) { /* a mark over the cut */
		memcpy(joined, w->tail, w->ntail);
		memcpy(joined + w->ntail, bytes.p, n);
		const char *at = memmem(joined, w->ntail + n, MARK, sizeof(MARK) - 1);

		if (at && at < joined + w->ntail && at + sizeof(MARK) - 1 + 20 > joined + w->ntail)
			look(w, slice_of(at, (size_t)(joined + w->ntail + n - at)), now);
	}
	look(w, bytes, now);
}

static void begin_updates(struct load *l);

static void on_watch_head(struct stream *s)
{
	struct watcher *w = stream_arg(s);

	if (stream_status(s) != 200)
		die("watch", "refused");
	stream_read(s, STREAM_ALL);
	if (++w->l->open == w->l->watchers)
		begin_updates(w->l);
}

static void on_watch_closed(struct stream *s, const struct err *why)
{
	die("a watch ended", why ? why->msg : "by itself");
}

static const struct stream_events watch_events = { .head = on_watch_head,
						   .data = on_watch_data,
						   .closed = on_watch_closed };

static void open_watch(struct load *l, unsigned i)
{
	struct watcher *w = &l->w[i];
	/* Those of a group are i, i + groups, ...: spread them. */
	struct http_client *client = l->connections >= l->watchers
					     ? l->watching[0]
					     : l->watching[(i + i / l->groups) % l->connections];
	char target[160];
	struct err err = ERR_INIT;

	*w = (struct watcher){ .l = l, .group = i % l->groups };
	(void)snprintf(target, sizeof(target),
		       "/api/v1/configmaps?watch=1&resourceVersion=%lld&labelSelector=group%%3Dg%u",
		       (long long)l->revision, w->group);
	if (http_client_stream(client, "GET", target, &w->s, &err) < 0)
		die(target, err.msg);
	stream_on(w->s, &watch_events, w);
	(void)stream_set_headerf(w->s, "Authorization", "Bearer %s", l->token);
	if (http_client_send(w->s, HTTP_NO_BODY, false, &err) < 0)
		die(target, err.msg);
}

/* The first bytes of an answer have the revision. */
static void on_update_data(struct stream *s, struct slice bytes)
{
	static const char key[] = "\"resourceVersion\":\"";
	struct load *l = stream_arg(s);
	const char *at = memmem(bytes.p, bytes.n, key, sizeof(key) - 1);

	if (at && l->watchers > l->open)
		l->revision = MAX(l->revision, strtoll(at + sizeof(key) - 1, NULL, 10));
}

static void on_update_closed(struct stream *s, const struct err *why)
{
	struct load *l = stream_arg(s);

	if ((why || stream_status(s) < 200 || stream_status(s) > 299) && l->errors++ < 3 &&
	    stream_status(s) != 409)
		fprintf(stderr, "apiserver-load: %d %s\n", stream_status(s), why ? why->msg : "");
	l->running--;
	stream_unref(s);
	if (timer_armed(&l->timer))
		timer_set(&l->timer, 0); /* one may be late */
}

static const struct stream_events update_events = { .head = on_head,
						    .data = on_update_data,
						    .closed = on_update_closed };

/* One object a group, updated without a precondition; due is always 20 digits and more. */
static void update(struct load *l, unsigned group, int64_t due, bool create)
{
	char target[128], body[2048];
	struct err err = ERR_INIT;
	struct stream *s;
	int n = snprintf(body, sizeof(body),
			 "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":"
			 "\"w%u\",\"labels\":{\"group\":\"g%u\"}},\"data\":{\"due\":\"%024lld\","
			 "\"k\":\"%s\"}}",
			 group, group, (long long)due, l->padding);

	(void)snprintf(target, sizeof(target), create ? MAPS : MAPS "/w%u", group);
	if (http_client_stream(l->client, create ? "POST" : "PUT", target, &s, &err) < 0)
		die(target, err.msg);
	stream_on(s, &update_events, l);
	(void)stream_set_headerf(s, "Authorization", "Bearer %s", l->token);
	(void)stream_set_header(s, "Content-Type", "application/json");
	if (http_client_send(s, n, false, &err) < 0)
		die(target, err.msg);
	l->running++;
	(void)stream_write(s, body, (size_t)n);
	(void)stream_end(s);
}

static int on_due(struct timer *t)
{
	struct load *l = CONTAINER_OF(t, struct load, timer);
	int64_t now = clock_mono(), due;

	for (;;) {
		due = l->begin + (int64_t)((double)l->sent / l->rate * 1e9);
		if (l->running == UPDATERS)
			l->held = true; /* what is late now is so for the server's sake */
		else if (due > now)
			l->held = false;
		if (due > now || due > l->end || l->running == UPDATERS)
			break;
		if (due >= l->count_from && !l->held)
			histogram_record(l->late, now - due);
		update(l, (unsigned)(l->sent++ % l->groups), due, false);
		now = clock_mono();
	}
	if (due > l->end && (l->running == 0 || now > l->stop_at)) {
		loop_stop(l->loop, 0);
		return 0;
	}
	timer_set(t, due > now && due <= l->end ? due : now + 20 * NS_PER_MS);
	return 0;
}

static double cpu_seconds(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u); /* cannot fail */
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void begin_updates(struct load *l)
{
	int64_t seconds = l->end;

	l->cpu = cpu_seconds();
	l->begin = clock_mono() + NS_PER_SEC / 10;
	l->count_from = l->begin + NS_PER_SEC / 2;
	l->end = l->count_from + seconds;
	l->stop_at = l->end + 10 * NS_PER_SEC;
	timer_init(&l->timer, l->loop, on_due);
	timer_set(&l->timer, l->begin);
}

static void wait_updates(struct load *l)
{
	while (l->running)
		if (loop_step(l->loop, NS_PER_SEC, NULL) < 0)
			die("loop", "it failed");
}

static void run_watch(struct load *l, unsigned watchers, unsigned groups, double rate,
		      double seconds, unsigned connections)
{
	uint64_t want;

	l->watchers = watchers;
	l->groups = groups;
	l->rate = rate;
	l->end = (int64_t)(seconds * 1e9);
	/* As client-go writes: many requests on one connection. */
	l->client = connections >= watchers ? connect_client(l, UPDATERS, 1)
					    : connect_client(l, WRITERS, UPDATERS / WRITERS);
	l->connections = connections;
	if (connections >= watchers)
		l->watching[0] = connect_client(l, watchers, 1);
	for (unsigned i = 0; connections < watchers && i < connections; i++)
		l->watching[i] = connect_client(l, 1, (watchers + connections - 1) / connections);
	for (unsigned g = 0; g < groups; g++) {
		update(l, g, 0, true);
		wait_updates(l);
	}
	l->errors = 0; /* they were there */
	update(l, 0, 0, false);
	wait_updates(l);
	l->w = calloc(watchers, sizeof(*l->w));
	if (!l->w)
		abort();
	for (unsigned i = 0; i < watchers; i++)
		open_watch(l, i);
	if (loop_run(l->loop, NULL) < 0)
		die("loop", "it failed");
	want = (uint64_t)(seconds * rate * watchers / groups);
	if (l->seen < want - want / 50)
		l->errors++;
	say(l, "events", (double)l->seen);
	printf(" late %.1f share %.1f\n", (double)histogram_percentile(l->late, 99) / 1e3,
	       (cpu_seconds() - l->cpu) / ((double)(clock_mono() - l->begin) / 1e9) * 100);
}

static double number(const char *s)
{
	return strtod(s, NULL);
}

int main(int argc, char **argv)
{
	static struct load l;
	struct err err = ERR_INIT;
	size_t bytes;

	if (argc < 6)
		die("usage", "see the head of the source");
	l.address = argv[1];
	l.token = argv[2];
	l.h = histogram_new();
	l.late = histogram_new();
	if (loop_new(&l.loop, &err) < 0)
		die("loop", err.msg);
	l.tls = speak("http/1.1");
	l.tls2 = speak("h2");
	bytes = strcmp(argv[3], "rate") == 0 && argc == 8	? (size_t)number(argv[7])
		: strncmp(argv[3], "fill", 4) == 0 && argc == 6 ? (size_t)number(argv[5])
								: 400;
	bytes = MIN(MAX(bytes, 200u), 12000u) - 150;
	l.padding = malloc(bytes + 1);
	if (!l.padding)
		abort();
	memset(l.padding, 'v', bytes);
	l.padding[bytes] = '\0';
	l.op = strcmp(argv[3], "rate") == 0 ? argv[4] : argv[3];
	if (strcmp(argv[3], "rate") == 0 && argc == 8 && number(argv[5]) <= ASKERS_MAX)
		run_rate(&l, (unsigned)number(argv[5]), number(argv[6]));
	else if (strncmp(argv[3], "fill", 4) == 0 && argc == 6)
		run_fill(&l, (uint64_t)number(argv[4]));
	else if (strcmp(argv[3], "watch") == 0 && argc == 9 &&
		 (number(argv[8]) <= CONNECTIONS_MAX || number(argv[8]) >= number(argv[4])))
		run_watch(&l, (unsigned)number(argv[4]), (unsigned)number(argv[5]), number(argv[6]),
			  number(argv[7]), (unsigned)number(argv[8]));
	else
		die("usage", "see the head of the source");
	return 0;
}
