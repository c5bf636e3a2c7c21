/* SPDX-License-Identifier: Apache-2.0 */
/*
 * (1) A flight is one question under way: in `flying` by its key until it is judged, with those who
 * wait for it. It ends by `judge`, once, whatever happened.
 * (2) Only an answer is kept (never a failure), under the key and for the time that its owner says.
 */
#include "apiserver/outward/hook-book.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/map.h"
#include "crypto/aead.h"
#include "io/http-client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX (1u << 20)
#define TEXT_MAX (1u << 20)
#define KEPT_MAX 8192 /* answers */
#define FLIGHTS_MAX 1024
#define CONNECTIONS 32
#define TRIES_MAX 5

struct kept {
	struct list link; /* of b->latest, the one used longest ago first */
	char *key, *text;
	struct hook_answer answer;
	int64_t until;
};

struct flight {
	struct list link, waits;
	struct hook_book *b;
	char *key;
	struct buf body;
	struct stream *s;
	struct timer deadline, retry;
	int64_t begun, until;
	unsigned tries;
	bool late, written;
	struct buf answer;
};

struct hook_book {
	struct loop *loop;
	struct hook_book_make conf; /* read, ended, arg, timeout, back_off */
	char *name, *target;
	struct http_client *client;
	char *token; /* NULL: none, or of the file */
	struct given *token_file;
	struct map kept, flying;
	struct list latest, flights;
};

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

/* ---- answers that are kept ---- */

static void forget(struct hook_book *b, struct kept *k)
{
	(void)map_del(&b->kept, slice_str(k->key));
	list_del(&k->link);
	free(k->key);
	free(k->text);
	free(k);
}

const struct hook_answer *hook_book_find(struct hook_book *b, const char *key)
{
	struct kept *k = map_get(&b->kept, slice_str(key));

	if (!k)
		return NULL;
	if (k->until <= clock_mono()) {
		forget(b, k);
		return NULL;
	}
	list_del(&k->link);
	list_append(&b->latest, &k->link);
	return &k->answer;
}

/* keeps (2) */
static void keep(struct hook_book *b, const char *key, int code, const char *text, int64_t ttl)
{
	struct kept *k = map_get(&b->kept, slice_str(key));
	struct kept *oldest;

	if (k)
		forget(b, k);
	if (ttl <= 0 || strlen(key) > HOOK_KEY_MAX)
		return;
	oldest = LIST_FIRST(&b->latest, struct kept, link);
	if (oldest && map_count(&b->kept) >= KEPT_MAX)
		forget(b, oldest);
	k = must(calloc(1, sizeof(*k)));
	k->key = must(strdup(key));
	k->text = must(strdup(text));
	k->answer = (struct hook_answer){ .code = code, .text = k->text };
	k->until = ttl > INT64_MAX - clock_mono() ? INT64_MAX : clock_mono() + ttl;
	(void)map_put(&b->kept, slice_str(k->key), k);
	list_append(&b->latest, &k->link);
}

/* ---- a flight ---- */

static void tell(struct flight *f, const struct hook_answer *a)
{
	struct hook_wait *w;

	while ((w = LIST_FIRST(&f->waits, struct hook_wait, link))) {
		list_del(&w->link);
		w->done(w, a);
	}
}

/* keeps (1) */
static void judge(struct flight *f, const struct hook_answer *a, const char *how)
{
	struct hook_book *b = f->b;

	if (b->conf.ended)
		b->conf.ended(b->conf.arg, how, clock_mono() - f->begun);
	list_del(&f->link);
	(void)map_del(&b->flying, slice_str(f->key));
	timer_fini(&f->deadline);
	timer_fini(&f->retry);
	tell(f, a); /* b may go here */
	secret_buf_fini(&f->body);
	buf_fini(&f->answer);
	free(f->key);
	free(f);
}

static void fail(struct flight *f, const char *why)
{
	char text[256];

	log_kv(LOG_LEVEL_WARN, "a webhook gave no answer", "name", f->b->name, "error", why, NULL);
	(void)snprintf(text, sizeof(text), "webhook \"%s\" gave no answer", f->b->name);
	judge(f, &(struct hook_answer){ HOOK_NO_ANSWER, text, why }, f->late ? "timeout" : "error");
}

static void read_answer(struct flight *f)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(TEXT_MAX);
	const struct hook_book_make *m = &f->b->conf;
	struct err err = ERR_INIT;
	int64_t ttl = 0;
	const int code = m->read(m->arg, buf_slice(&f->answer), &text, &ttl, &err);

	if (code < 0 || text.full) {
		fail(f, code < 0 ? err.msg : "the answer is too long");
		return;
	}
	keep(f->b, f->key, code, buf_str(&text), ttl);
	judge(f, &(struct hook_answer){ .code = code, .text = buf_str(&text) }, "success");
}

/* ---- one attempt ---- */

static int64_t back_off(const struct flight *f)
{
	int64_t t = f->b->conf.back_off;

	for (unsigned i = 1; i < f->tries; i++)
		t += t / 2;
	return t;
}

/* status 0: there was no answer. */
static void attempt_over(struct flight *f, int status, const char *why)
{
	char text[128];
	const bool again = status == 0 || status == 429 || status >= 500;

	stream_unref(STEAL(f->s));
	if (f->late) {
		fail(f, "no answer in time");
		return;
	}
	if (status / 100 == 2) {
		read_answer(f);
		return;
	}
	if (again && f->tries < TRIES_MAX && clock_mono() + back_off(f) < f->until) {
		timer_set_after(&f->retry, back_off(f));
		return;
	}
	(void)snprintf(text, sizeof(text), "it answers %d", status);
	fail(f, status ? text : why);
}

static void collected(struct stream *s, void *arg, int result, struct slice body, struct err *err)
{
	struct flight *f = arg;

	(void)s;
	(void)err;
	if (result == 0)
		(void)buf_add(&f->answer, body.p, body.n);
}

static void on_head(struct stream *s)
{
	stream_collect(s, ANSWER_MAX, collected, stream_arg(s));
}

static void write_body(struct flight *f)
{
	if (f->written)
		return;
	f->written = stream_write(f->s, f->body.p, f->body.n) >= 0;
	if (f->written)
		(void)stream_end(f->s); /* a failure comes by closed */
}

static void on_writable(struct stream *s)
{
	write_body(stream_arg(s));
}

static void on_closed(struct stream *s, const struct err *why)
{
	attempt_over(stream_arg(s), why ? 0 : stream_status(s),
		     why ? why->msg : "the connection broke");
}

static const struct stream_events events = {
	.head = on_head,
	.writable = on_writable,
	.closed = on_closed,
};
static const struct stream_events no_events = { 0 };

static void attempt(struct flight *f)
{
	struct err err = ERR_INIT;
	int r = http_client_stream(f->b->client, "POST", f->b->target, &f->s, &err);

	f->tries++;
	f->written = false;
	buf_clear(&f->answer);
	if (r == 0) {
		stream_on(f->s, &events, f);
		(void)stream_set_header(f->s, "Content-Type", "application/json");
		(void)stream_set_header(f->s, "Accept", "application/json");
		hook_show_token(f->s, f->b->token, f->b->token_file);
		r = http_client_send(f->s, (int64_t)f->body.n, false, &err);
	}
	if (r < 0)
		attempt_over(f, 0, err.msg);
	else
		write_body(f);
}

static int on_retry(struct timer *t)
{
	attempt(CONTAINER_OF(t, struct flight, retry));
	return 0;
}

static int on_deadline(struct timer *t)
{
	struct flight *f = CONTAINER_OF(t, struct flight, deadline);

	f->late = true;
	if (f->s)
		stream_reset(f->s, NULL); /* closed runs */
	else
		attempt_over(f, 0, "");
	return 0;
}

/* ---- asking ---- */

static struct flight *flight_new(struct hook_book *b, const char *key, struct slice body)
{
	struct flight *f = must(calloc(1, sizeof(*f)));

	f->b = b;
	f->key = must(strdup(key));
	f->begun = clock_mono();
	f->until = f->begun + b->conf.timeout;
	f->body = BUF_INIT(body.n + 1);
	f->answer = BUF_INIT(ANSWER_MAX + 1);
	list_init(&f->waits);
	/* at once: no piece of a secret stays where it grew */
	if (buf_room(&f->body, body.n))
		(void)buf_add(&f->body, body.p, body.n);
	timer_init(&f->deadline, b->loop, on_deadline);
	timer_init(&f->retry, b->loop, on_retry);
	list_init(&f->link);
	list_append(&b->flights, &f->link);
	(void)map_put(&b->flying, slice_str(f->key), f);
	return f;
}

void hook_book_ask(struct hook_book *b, const char *key, struct slice body, struct hook_wait *w)
{
	struct flight *f = map_get(&b->flying, slice_str(key));

	list_init(&w->link);
	if (f) {
		list_append(&f->waits, &w->link);
		return;
	}
	f = flight_new(b, key, body);
	list_append(&f->waits, &w->link);
	if (map_count(&b->flying) > FLIGHTS_MAX) {
		fail(f, "too many questions are on their way");
		return;
	}
	timer_set_after(&f->deadline, b->conf.timeout);
	attempt(f);
}

void hook_unwait(struct hook_wait *w)
{
	if (w->link.next)
		list_del(&w->link);
}

/* ---- life ---- */

static int open_client(struct hook_book *b, const struct hook_book_make *m, struct err *err)
{
	CLEANUP(buf_fini) struct buf base = BUF_INIT(4096);
	const struct http_client_conf conf = { .resolver = m->resolver,
					       .tls = m->to->tls,
					       .tls_name = m->to->tls_name,
					       .connections_max = CONNECTIONS,
					       .connect_time = m->timeout };
	const char *rest = strstr(m->to->server, "://") + 3, *path = strpbrk(rest, "/?");

	b->target = must(strdup(path && path[0] == '/' ? path : "/"));
	(void)buf_add(&base, m->to->server,
		      path ? (size_t)(path - m->to->server) : strlen(m->to->server));
	return http_client_new(m->loop, buf_str(&base), &conf, &b->client, err);
}

int hook_book_new(const struct hook_book_make *m, struct hook_book **ret, struct err *err)
{
	CLEANUP(hook_book_free) struct hook_book *b = must(calloc(1, sizeof(*b)));

	b->loop = m->loop;
	b->conf = *m;
	b->name = must(strdup(m->name));
	map_init(&b->kept);
	map_init(&b->flying);
	list_init(&b->latest);
	list_init(&b->flights);
	b->token = m->to->token ? must(strdup(m->to->token)) : NULL;
	b->token_file = m->to->token_file;
	if (open_client(b, m, err) < 0)
		return err_wrap(err, "webhook '%s'", m->name);
	*ret = STEAL(b);
	return 0;
}

void hook_book_free(struct hook_book *b)
{
	struct flight *f;
	struct kept *k;

	if (!b)
		return;
	while ((f = LIST_FIRST(&b->flights, struct flight, link))) {
		if (f->s) {
			stream_on(f->s, &no_events, NULL);
			stream_reset(f->s, NULL);
			stream_unref(STEAL(f->s));
		}
		judge(f, &(struct hook_answer){ .code = HOOK_ENDED, .text = "" }, "canceled");
	}
	http_client_free(b->client);
	while ((k = LIST_FIRST(&b->latest, struct kept, link)))
		forget(b, k);
	map_fini(&b->kept);
	map_fini(&b->flying);
	if (b->token)
		explicit_bzero(b->token, strlen(b->token));
	free(b->token);
	free(b->target);
	free(b->name);
	free(b);
}
