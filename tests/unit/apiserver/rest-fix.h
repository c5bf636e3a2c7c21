/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole server in this process: a store in a folder of its own, all built-in kinds, streams
 * over socketpairs. Requests are written as text and waited for.
 */
#pragma once

#include "../store/fixture.h"
#include "api/api.h"
#include "apiserver/auth/account-token.h"
#include "apiserver/auth/authn.h"
#include "apiserver/rest/server.h"
#include "apiserver/strategy/strategy.h"
#include "base/arena.h"
#include "doc/doc.h"
#include "doc/json.h"
#include "io/metrics.h"

#include <ctype.h>
#include <errno.h>
#include <sys/socket.h>

#define ADMIN "Authorization: Bearer admin-token\r\n"
#define PLAIN "Authorization: Bearer plain-token\r\n"
#define JSON "Content-Type: application/json\r\n"

struct rfix {
	struct fix *f;
	struct arena *tables, *a; /* a: documents of the last answer */
	struct api api;
	struct world *w;
	struct resources *rs;
	struct authn *authn;
	struct account_tokens *accounts; /* of the test; NULL: none are believed */
	struct metrics *metrics;
	struct server *srv;
	struct server_conf conf;
	uint64_t window_changes; /* of rest_open; 0: the default */
	bool shared;		 /* of rest_open */
	bool started;
	/* the last answer */
	int code;
	struct buf head, body;
};

static inline void on_started(void *arg, int result, struct err *err)
{
	struct rfix *x = arg;

	if (result < 0)
		fail_msg("%s", err->msg);
	x->started = true;
}

static inline void write_tokens(struct rfix *x, char *path, size_t n)
{
	static const char text[] = "admin-token,admin,1,\"system:masters\"\n"
				   "plain-token,plain,2,\"devs\"\n"
				   "n1-token,system:node:n1,3,\"system:nodes\"\n"
				   "n2-token,system:node:n2,4,\"system:nodes\"\n"
				   "nameless-token,system:node:,5,\"system:nodes\"\n"
				   "poser-token,system:node:n1,6,\"devs\"\n";
	int fd;

	snprintf(path, n, "%s/tokens.csv", x->f->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	fd_close(fd);
}

static inline void rest_open(struct rfix *x)
{
	struct world_conf w = { .loop = x->f->loop,
				.store = x->f->s,
				.shared = x->shared,
				.window_changes = x->window_changes };
	struct authn_conf authn = { .anonymous = true, .bootstrap = true };
	struct err err = ERR_INIT;
	char path[96];

	write_tokens(x, path, sizeof(path));
	authn.token_file = path;
	authn.token_file_look = 1;
	if (authn_new(&authn, &x->authn, &err) < 0)
		fail_msg("%s", err.msg);
	x->w = world_new(&w);
	assert_int_equal(resources_new(&x->api, x->w, strategy_of, &x->rs, &err), 0);
	x->started = false;
	world_start(x->w, on_started, x);
	wait_for(x->f, &x->started);
	if (x->accounts)
		account_tokens_set_objects(x->accounts, x->rs);
	authn_set_accounts(x->authn, x->accounts);
	authn_set_objects(x->authn, x->rs);
	x->conf.accounts = x->accounts;
	x->metrics = metrics_new();
	x->conf.loop = x->f->loop;
	x->conf.api = &x->api;
	x->conf.world = x->w;
	x->conf.resources = x->rs;
	x->conf.store = x->f->s;
	x->conf.authn = x->authn;
	x->conf.metrics = x->metrics;
	x->conf.address = "127.0.0.1:6443";
	if (server_new(&x->conf, &x->srv, &err) < 0)
		fail_msg("%s", err.msg);
}

static inline void rest_close(struct rfix *x)
{
	server_free(x->srv);
	metrics_free(x->metrics);
	resources_free(x->rs);
	world_free(x->w);
	authn_free(x->authn);
}

static inline int rest_setup(void **state)
{
	struct rfix *x = calloc(1, sizeof(*x));
	struct err err = ERR_INIT;
	void *f;

	setup(&f);
	x->f = f;
	x->tables = arena_new("tables", 64u << 20);
	x->a = arena_new("answers", 256u << 20);
	x->head = BUF_INIT(1u << 20);
	x->body = BUF_INIT(256u << 20);
	assert_int_equal(api_load(x->tables, &x->api, &err), 0);
	rest_open(x);
	*state = x;
	return 0;
}

static inline int rest_teardown(void **state)
{
	struct rfix *x = *state;
	void *f = x->f;

	rest_close(x);
	api_fini(&x->api);
	arena_free(x->tables);
	arena_free(x->a);
	buf_fini(&x->head);
	buf_fini(&x->body);
	teardown(&f);
	free(x);
	return 0;
}

/* ---- a connection ---- */

struct peer {
	struct rfix *x;
	int fd;
	struct buf in; /* as it came */
	bool eof;
};

static inline void peer_open(struct rfix *x, struct peer *p)
{
	struct err err = ERR_INIT;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(server_adopt(x->srv, pair[0], &err), 0);
	assert_int_equal(fd_set_nonblock(pair[1], true), 0);
	*p = (struct peer){ .x = x, .fd = pair[1], .in = BUF_INIT(256u << 20) };
}

static inline void peer_close(struct peer *p)
{
	if (p->fd >= 0)
		fd_close(p->fd);
	p->fd = -1;
	buf_fini(&p->in);
}

static inline void peer_take(struct peer *p)
{
	ssize_t n;

	assert_non_null(buf_room(&p->in, 1u << 20));
	n = read(p->fd, p->in.p + p->in.n, 1u << 20);

	if (n > 0) {
		p->in.n += (size_t)n;
		p->in.p[p->in.n] = '\0';
	} else if (n == 0 || errno != EAGAIN) {
		p->eof = true;
	}
}

/* One round of the loop, and what it sent. */
static inline void turn(struct peer *p)
{
	assert_true(loop_step(p->x->f->loop, 5 * NS_PER_MS, NULL) >= 0);
	peer_take(p);
}

static inline void peer_write(struct peer *p, const char *s, size_t n)
{
	const int64_t end = clock_mono() + 60 * NS_PER_SEC;

	while (n > 0) {
		ssize_t w = write(p->fd, s, n);

		if (w > 0) {
			s += w;
			n -= (size_t)w;
		} else {
			turn(p);
		}
		assert_true(clock_mono() < end);
	}
}

static inline void peer_send(struct peer *p, const char *method, const char *path,
			     const char *headers, const char *body)
{
	struct buf b = BUF_INIT(16u << 20);

	(void)buf_addf(&b, "%s %s HTTP/1.1\r\nHost: x\r\n%s", method, path, headers);
	if (body)
		(void)buf_addf(&b, "Content-Length: %zu\r\n", strlen(body));
	(void)buf_adds(&b, "\r\n");
	(void)buf_adds(&b, body ? body : "");
	peer_write(p, b.p, b.n);
	buf_fini(&b);
}

static inline void peer_until(struct peer *p, const char *text)
{
	const int64_t end = clock_mono() + 60 * NS_PER_SEC;

	while (!p->in.n || !memmem(p->in.p, p->in.n, text, strlen(text))) {
		if (p->eof || clock_mono() > end)
			fail_msg("'%s' did not come, but: %.*s", text, (int)p->in.n,
				 buf_str(&p->in));
		turn(p);
	}
}

static __attribute__((noinline, unused)) const char *header_of(struct rfix *x, const char *name)
{
	static char out[1024];
	const char *p = buf_str(&x->head);
	size_t n = strlen(name);

	for (; p && *p; p = strstr(p, "\r\n") ? strstr(p, "\r\n") + 2 : NULL)
		if (strncasecmp(p, name, n) == 0 && p[n] == ':') {
			snprintf(out, sizeof(out), "%.*s", (int)strcspn(p + n + 2, "\r"),
				 p + n + 2);
			return out;
		}
	return NULL;
}

/* Chunks joined, in place; false: it is not whole yet. */
static inline bool unchunk(struct buf *b)
{
	size_t at = 0, to = 0;

	for (;;) {
		char *line = b->n > at ? memmem(b->p + at, b->n - at, "\r\n", 2) : NULL;
		size_t n;

		if (!line)
			return false;
		n = strtoul(b->p + at, NULL, 16);
		at = (size_t)(line - b->p) + 2;
		if (n == 0) {
			b->n = to;
			b->p[to] = '\0';
			return true;
		}
		if (b->n < at + n + 2)
			return false;
		memmove(b->p + to, b->p + at, n);
		to += n;
		at += n + 2;
	}
}

/* Takes one whole answer off the peer's bytes. */
static inline bool whole_answer(struct peer *p, bool no_body)
{
	struct rfix *x = p->x;
	char *end = p->in.n ? memmem(p->in.p, p->in.n, "\r\n\r\n", 4) : NULL;
	const char *length, *coding;
	size_t head;

	if (!end)
		return false;
	head = (size_t)(end - p->in.p) + 4;
	buf_clear(&x->head);
	buf_clear(&x->body);
	(void)buf_add(&x->head, p->in.p, head);
	(void)buf_add(&x->body, p->in.p + head, p->in.n - head);
	x->code = (int)strtol(buf_str(&x->head) + 9, NULL, 10);
	coding = header_of(x, "Transfer-Encoding");
	if (coding && strcmp(coding, "chunked") == 0)
		return unchunk(&x->body);
	length = header_of(x, "Content-Length");
	return no_body || !length || x->body.n >= strtoul(length, NULL, 10);
}

static inline void peer_answer(struct peer *p, bool no_body)
{
	const int64_t end = clock_mono() + 60 * NS_PER_SEC;

	while (!whole_answer(p, no_body)) {
		if (p->eof || clock_mono() > end)
			fail_msg("no whole answer: %.*s", (int)p->in.n, buf_str(&p->in));
		turn(p);
	}
}

/* One request on a connection of its own; its answer's code. */
static inline int ask(struct rfix *x, const char *method, const char *path, const char *headers,
		      const char *body)
{
	struct peer p;

	peer_open(x, &p);
	peer_send(&p, method, path, headers, body);
	peer_answer(&p, strcmp(method, "HEAD") == 0);
	peer_close(&p);
	return x->code;
}

/* ---- what came ---- */

/* Lives until the next call. */
static inline struct doc *answer_doc(struct rfix *x)
{
	struct doc *d;
	struct err err = ERR_INIT;
	const struct json_options copy = { .copy = true };

	arena_reset(x->a);
	if (json_read(x->a, buf_slice(&x->body), &copy, &d, &err) < 0)
		fail_msg("%s: %.2000s", err.msg, buf_str(&x->body));
	return d;
}

static __attribute__((noinline, unused)) const char *answer_text(struct rfix *x, const char *path)
{
	static char out[4096];
	const struct doc *v = doc_find(answer_doc(x), path);

	if (!v)
		return "(none)";
	if (doc_is(v, DOC_STRING) || doc_is(v, DOC_NUMBER))
		snprintf(out, sizeof(out), "%.*s", (int)v->n, v->s);
	else
		snprintf(out, sizeof(out), "(%s)", doc_type_name(v));
	return out;
}

#define assert_code(x, want)                                                    \
	do {                                                                    \
		if ((x)->code != (want))                                        \
			fail_msg("code %d, not %d: %.2000s", (x)->code, (want), \
				 buf_str(&(x)->body));                          \
	} while (0)

#define assert_has(x, part)                                                           \
	do {                                                                          \
		if (!strstr(buf_str(&(x)->body), (part)))                             \
			fail_msg("no '%s' in: %.2000s", (part), buf_str(&(x)->body)); \
	} while (0)

#define assert_hasnt(x, part)                                                      \
	do {                                                                       \
		if (strstr(buf_str(&(x)->body), (part)))                           \
			fail_msg("'%s' in: %.2000s", (part), buf_str(&(x)->body)); \
	} while (0)

/* An error: its code, reason and a part of what it says. */
static inline void assert_status(struct rfix *x, int code, const char *reason, const char *part)
{
	assert_code(x, code);
	if (strcmp(answer_text(x, "reason"), reason) != 0 ||
	    !strstr(answer_text(x, "message"), part))
		fail_msg("not %s '%s': %.2000s", reason, part, buf_str(&x->body));
}

/* ---- common objects ---- */

static inline int post(struct rfix *x, const char *path, const char *body)
{
	return ask(x, "POST", path, ADMIN JSON, body);
}

static inline int get(struct rfix *x, const char *path)
{
	return ask(x, "GET", path, ADMIN, NULL);
}

static inline void make_namespace(struct rfix *x, const char *name)
{
	char body[256];

	snprintf(body, sizeof(body),
		 "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"%s\"}}",
		 name);
	(void)post(x, "/api/v1/namespaces", body);
	assert_code(x, 201);
}

/* A ConfigMap of namespace n1 with one key. */
static inline void make_map(struct rfix *x, const char *name, const char *value)
{
	char body[512];

	snprintf(body, sizeof(body),
		 "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"%s\","
		 "\"labels\":{\"v\":\"%s\"}},\"data\":{\"k\":\"%s\"}}",
		 name, value, value);
	(void)post(x, "/api/v1/namespaces/n1/configmaps", body);
	assert_code(x, 201);
}
