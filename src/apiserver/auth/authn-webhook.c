/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/auth/authn-webhook.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "crypto/aead.h"
#include "doc/json.h"
#include "io/metrics.h"
#include "io/resolver.h"

#include <stdlib.h>
#include <string.h>

#define GROUP "authentication.k8s.io"
#define TTL (120 * NS_PER_SEC)
#define TIMEOUT (30 * NS_PER_SEC) /* of one look-up, as upstream's that are shared */
#define TEXTS_MAX (1u << 20)
#define ANSWER_ARENA (8u << 20)
#define STATUS_MAX (256u << 10)
#define LIST_MAX 10000 /* groups, values of an extra, audiences */

struct authn_webhook {
	struct authn_webhook_flags flags;
	bool v1beta1;
	struct given_set files;
	struct arena *a; /* of `to` */
	struct hook_conf to;
	unsigned char salt[SHA256_LEN]; /* so that nobody can choose keys that collide */
	struct loop *loop;
	struct resolver *resolver;
	struct hook_book *book;
	struct metric_family *requests, *fetched;
};

struct authn_said {
	struct authn_said *next;
	const char *key, *status; /* status: why, when code is negative */
	int code;
};

struct authn_question {
	struct authn_webhook *w;
	const char *key;
	struct slice token;
	const char *const *wanted;
};

/* ---- the question ---- */

static void add_length(struct sha256 *s, size_t n)
{
	const uint64_t v = n;

	sha256_update(s, &v, sizeof(v));
}

/* Lengths go before texts: no two questions have the same key. */
static const char *key_of(const struct authn_webhook *w, struct slice token,
			  const char *const *wanted, struct arena *a)
{
	unsigned char d[SHA256_LEN];
	char hex[2 * SHA256_LEN + 1];
	struct sha256 s;

	sha256_init(&s);
	sha256_update(&s, w->salt, sizeof(w->salt));
	add_length(&s, token.n);
	sha256_update(&s, token.p, token.n);
	for (; *wanted; wanted++) {
		add_length(&s, strlen(*wanted));
		sha256_update(&s, *wanted, strlen(*wanted));
	}
	sha256_final(&s, d);
	hex_encode(hex, d, sizeof(d));
	return arena_strdup(a, hex);
}

static void write_question(const struct authn_question *q, struct buf *b)
{
	(void)buf_addf(b,
		       "{\"kind\":\"TokenReview\",\"apiVersion\":\"" GROUP
		       "/%s\",\"metadata\":{},\"spec\":{\"token\":",
		       q->w->v1beta1 ? "v1beta1" : "v1");
	(void)json_write_string(b, q->token, false);
	for (size_t i = 0; q->wanted[i]; i++) {
		(void)buf_adds(b, i ? "," : ",\"audiences\":[");
		(void)json_write_string(b, slice_str(q->wanted[i]), false);
	}
	(void)buf_adds(b, q->wanted[0] ? "]},\"status\":{\"user\":{}}}"
				       : "},\"status\":{\"user\":{}}}");
}

/* ---- the answer ---- */

int authn_webhook_read(struct slice body, bool v1beta1, struct buf *out, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("answer of a webhook", ANSWER_ARENA);
	const struct json_options limits = { .max_depth = 32, .max_nodes = 65536 };
	const struct doc *status, *yes;
	struct doc *d;

	if (json_read(a, body, &limits, &d, err) < 0)
		return err_set(err, ERR_INVALID, "the answer is not JSON");
	if (!doc_str_is(doc_get(d, "kind"), "TokenReview") ||
	    !doc_str_is(doc_get(d, "apiVersion"), v1beta1 ? GROUP "/v1beta1" : GROUP "/v1"))
		return err_set(err, ERR_INVALID, "the answer is no TokenReview as asked");
	status = doc_get(d, "status");
	yes = doc_get(status, "authenticated");
	if (!doc_is(status, DOC_OBJECT) || (yes && !doc_is(yes, DOC_BOOL)))
		return err_set(err, ERR_INVALID, "the answer has no status");
	if (json_write(status, NULL, out, err) < 0)
		return err_ret(err);
	return doc_true(yes) ? 1 : 0;
}

/* A text, "" when absent; NULL: it is none. */
static const char *text_of(struct arena *a, const struct doc *d, const char *key)
{
	const struct doc *v = doc_get(d, key);

	if (!v || doc_is(v, DOC_NULL))
		return "";
	return doc_is(v, DOC_STRING) ? doc_cstr(a, v) : NULL;
}

/* NULL: something is no text. */
static const char *const *texts_of(struct arena *a, const struct doc *list)
{
	const size_t len = doc_is(list, DOC_ARRAY) ? doc_len(list) : 0;
	const char **v = len <= LIST_MAX ? ARENA_ARRAY(a, const char *, len + 2) : NULL;

	if (!v || (list && !doc_is(list, DOC_ARRAY) && !doc_is(list, DOC_NULL)))
		return NULL;
	for (size_t i = 0; i < len; i++) {
		const struct doc *one = doc_at(list, i);

		v[i] = doc_is(one, DOC_STRING) ? doc_cstr(a, one) : NULL;
		if (!v[i])
			return NULL;
	}
	return v;
}

static int wrong(struct err *err, const char *what)
{
	return err_set(err, ERR_UNAUTHORIZED, "the webhook's answer: %s", what);
}

static int read_extra(const struct doc *from, struct arena *a, struct strategy_user *u,
		      struct err *err)
{
	if (!from || doc_is(from, DOC_NULL))
		return 0;
	if (!doc_is(from, DOC_OBJECT))
		return wrong(err, "user.extra is no object");
	DOC_EACH_MEMBER (key, value, from)
		if (!doc_cstr(a, key) || !doc_is(value, DOC_ARRAY) || !texts_of(a, value))
			return wrong(err, "user.extra has something else than lists of texts");
	u->extra = doc_len(from) ? doc_copy(a, from) : NULL;
	return doc_len(from) && !u->extra ? arena_quota(a, err) : 0;
}

/* 1; 0: it is for none that is wanted. */
static int match_audiences(const struct doc *status, const char *const *wanted,
			   const char *const *own, struct arena *a, struct authn_found *ret,
			   struct err *err)
{
	const struct doc *list = doc_get(status, "audiences");
	const char *const *got = texts_of(a, list);
	const char **v;
	size_t len = 0, n = 0;

	if (!got)
		return wrong(err, "audiences is no list of texts");
	got = *got ? got : own;
	while (wanted[len])
		len++;
	v = ARENA_ARRAY(a, const char *, len + 1);
	if (!v)
		return arena_quota(a, err);
	for (size_t i = 0; i < len; i++)
		if (got && str_is_one_of(wanted[i], got))
			v[n++] = wanted[i];
	ret->audiences = v;
	return n || !len ? 1 : 0;
}

int authn_webhook_user(struct slice status, const char *const *wanted, const char *const *own,
		       struct arena *a, struct authn_found *ret, struct err *err)
{
	const struct doc *user;
	const char *said;
	struct doc *d;
	int r;

	if (json_read(a, status, NULL, &d, err) < 0)
		return err_ret(err);
	r = match_audiences(d, wanted, own, a, ret, err);
	if (r <= 0)
		return r;
	if (!doc_true(doc_get(d, "authenticated"))) {
		said = text_of(a, d, "error");
		if (!said || !*said)
			return 0;
		return err_set(err, ERR_UNAUTHORIZED, "%.512s", said);
	}
	user = doc_get(d, "user");
	ret->user.name = text_of(a, user, "username");
	ret->user.uid = text_of(a, user, "uid");
	ret->user.groups = texts_of(a, doc_get(user, "groups"));
	if (arena_exceeded(a))
		return arena_quota(a, err);
	if (!ret->user.name || !*ret->user.name || !ret->user.uid || !ret->user.groups)
		return wrong(err, "there is no user in it");
	r = read_extra(doc_get(user, "extra"), a, &ret->user, err);
	return r < 0 ? r : 1;
}

/* ---- looking ---- */

static void count(struct metric_family *f, const char *status)
{
	if (f)
		metric_inc(metric_with(f, &status));
}

static const struct authn_said *find_said(const struct authn_memo *m, const char *key)
{
	const struct authn_said *s = m ? m->said : NULL;

	while (s && strcmp(s->key, key) != 0)
		s = s->next;
	return s;
}

static int leave_open(const struct authn_question *q, struct authn_memo *m, struct err *err)
{
	struct authn_question *own = m ? ARENA_NEW(m->a, struct authn_question) : NULL;

	if (!m)
		return 0;
	if (own)
		*own = *q;
	if (own)
		own->key = arena_strdup(m->a, q->key); /* what it is known by outlives a try */
	if (!own || !own->key)
		return arena_quota(m->a, err);
	m->open = own;
	return AUTHN_WAITS;
}

int authn_webhook_look(struct authn_webhook *w, struct slice token, const char *const *wanted,
		       const char *const *own, struct authn_memo *memo, struct arena *a,
		       struct authn_found *ret, struct err *err)
{
	const struct authn_question q = {
		.w = w, .key = key_of(w, token, wanted, a), .token = token, .wanted = wanted
	};
	const struct hook_answer *kept;
	const struct authn_said *said;
	const char *status;

	if (!q.key)
		return arena_quota(a, err);
	said = find_said(memo, q.key);
	if (said && said->code < 0)
		return err_set(err, ERR_UNAUTHORIZED, "%s", said->status);
	kept = said ? NULL : hook_book_find(w->book, q.key);
	if (!said)
		count(w->requests, kept ? "hit" : "miss");
	if (!said && !kept)
		return leave_open(&q, memo, err);
	status = said ? said->status : arena_strdup(a, kept->text);
	if (!status)
		return arena_quota(a, err);
	*ret = (struct authn_found){ .user.uid = "" };
	return authn_webhook_user(slice_str(status), wanted, own, a, ret, err);
}

/* ---- waiting ---- */

static void answered(struct hook_wait *at, const struct hook_answer *got)
{
	struct authn_wait *x = CONTAINER_OF(at, struct authn_wait, at);
	struct authn_memo *m = x->memo;
	struct authn_said *s = got->code == HOOK_ENDED ? NULL : ARENA_NEW(m->a, struct authn_said);

	if (s)
		*s = (struct authn_said){ .next = m->said,
					  .key = x->key,
					  .status = arena_strdup(m->a, got->text),
					  .code = got->code };
	if (s && s->status)
		m->said = s;
	x->done(x);
}

void authn_wait(struct authn_wait *x, struct authn_memo *memo)
{
	const struct authn_question *q = STEAL(memo->open);
	CLEANUP(secret_buf_fini) struct buf body = BUF_INIT(STATUS_MAX);

	x->memo = memo;
	x->key = q->key;
	x->at.done = answered;
	if (buf_room(&body, STATUS_MAX / 2))
		write_question(q, &body);
	hook_book_ask(q->w->book, q->key, buf_slice(&body), &x->at);
}

void authn_unwait(struct authn_wait *x)
{
	hook_unwait(&x->at);
}

/* ---- life ---- */

static int read_answer(void *arg, struct slice body, struct buf *text, int64_t *ret_keep,
		       struct err *err)
{
	const struct authn_webhook *w = arg;
	const int r = authn_webhook_read(body, w->v1beta1, text, err);

	if (r < 0)
		return r;
	/* What was refused with a reason may be a trouble that goes. */
	if (r == 1 || !slice_has_text(buf_slice(text), SLICE("\"error\"")))
		*ret_keep = w->flags.ttl;
	return r;
}

static void ended(void *arg, const char *how, int64_t took)
{
	const struct authn_webhook *w = arg;

	(void)took;
	count(w->fetched, strcmp(how, "success") == 0 ? "ok" : "error");
}

static int read_conf(struct authn_webhook *w, struct arena **ret_a, struct hook_conf *ret,
		     struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("a webhook for tokens", TEXTS_MAX);

	if (hook_conf_read(w->flags.config, &w->files, a, ret, err) < 0)
		return err_wrap(err, "--authentication-token-webhook-config-file");
	if (!ret->tls)
		return err_set(err, ERR_INVALID,
			       "--authentication-token-webhook-config-file: the server must be "
			       "https: tokens are sent to it");
	*ret_a = STEAL(a);
	return 0;
}

int authn_webhook_new(const struct authn_webhook_flags *f, struct authn_webhook **ret,
		      struct err *err)
{
	CLEANUP(authn_webhook_free) struct authn_webhook *w = NULL;
	const char *version = f->version ? f->version : "v1beta1";

	*ret = NULL;
	if (!f->config && (f->version || f->ttl))
		return err_set(err, ERR_BAD_REQUEST,
			       "--authentication-token-webhook-version and -cache-ttl go with "
			       "--authentication-token-webhook-config-file");
	if (!f->config)
		return 0;
	if (strcmp(version, "v1") != 0 && strcmp(version, "v1beta1") != 0)
		return err_set(err, ERR_BAD_REQUEST,
			       "--authentication-token-webhook-version %.64s: must be v1 or "
			       "v1beta1",
			       version);
	w = calloc(1, sizeof(*w));
	if (!w)
		abort();
	w->flags = *f;
	w->flags.ttl = f->ttl ? f->ttl : TTL;
	w->v1beta1 = strcmp(version, "v1beta1") == 0;
	random_bytes(w->salt, sizeof(w->salt));
	if (read_conf(w, &w->a, &w->to, err) < 0)
		return err_ret(err);
	*ret = STEAL(w);
	return 0;
}

const char *authn_webhook_file(const struct authn_webhook *w, size_t i)
{
	return w && i < w->files.n ? given_path(w->files.v[i]) : NULL;
}

static int open_book(struct authn_webhook *w, const struct hook_conf *to, struct hook_book **ret,
		     struct err *err)
{
	const struct hook_book_make make = { .loop = w->loop,
					     .name = "tokens",
					     .to = to,
					     .resolver = w->resolver,
					     .timeout = TIMEOUT,
					     .back_off = HOOK_BACK_OFF,
					     .read = read_answer,
					     .ended = ended,
					     .arg = w };

	return hook_book_new(&make, ret, err);
}

static const char *const metric_labels[] = { "status" };
static const struct metric_spec requests_spec = {
	.type = METRIC_COUNTER,
	.name = "authentication_token_cache_request_total",
	.help = "Tokens that were looked at: known yet, or asked about.",
	.labels = metric_labels,
	.labels_n = ARRAY_LEN(metric_labels),
};
static const struct metric_spec fetched_spec = {
	.type = METRIC_COUNTER,
	.name = "authentication_token_cache_fetch_total",
	.help = "Questions to the webhook whose a token is, by how they ended.",
	.labels = metric_labels,
	.labels_n = ARRAY_LEN(metric_labels),
};

static int add_metrics(struct authn_webhook *w, struct metrics *m, struct err *err)
{
	if (metrics_add(m, &requests_spec, &w->requests, err) < 0)
		return err_ret(err);
	return metrics_add(m, &fetched_spec, &w->fetched, err);
}

int authn_webhook_begin(struct authn_webhook *w, struct loop *loop, struct metrics *metrics,
			struct err *err)
{
	w->loop = loop;
	if ((metrics && add_metrics(w, metrics, err) < 0) ||
	    resolver_new(loop, NULL, &w->resolver, err) < 0)
		return err_ret(err);
	return open_book(w, &w->to, &w->book, err);
}

bool authn_webhook_changed(const struct authn_webhook *w)
{
	return w && given_set_changed(&w->files);
}

int authn_webhook_reload(struct authn_webhook *w, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = NULL;
	struct hook_conf to = { 0 }, was;
	struct hook_book *book, *old;
	struct arena *texts;
	int r = read_conf(w, &a, &to, err);

	if (r >= 0)
		r = open_book(w, &to, &book, err);
	if (r < 0) {
		hook_conf_fini(&to);
		return r;
	}
	old = w->book;
	was = w->to;
	texts = w->a;
	w->book = book;
	w->to = to;
	w->a = STEAL(a);
	hook_book_free(old); /* who waits asks the new one */
	hook_conf_fini(&was);
	arena_free(texts);
	return 0;
}

void authn_webhook_free(struct authn_webhook *w)
{
	if (!w)
		return;
	hook_book_free(w->book);
	resolver_free(w->resolver);
	hook_conf_fini(&w->to);
	given_set_fini(&w->files);
	if (w->a)
		arena_free(w->a);
	free(w);
}
