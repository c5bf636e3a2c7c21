/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/admission/image-policy.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "doc/json.h"
#include "io/resolver.h"

#include <stdlib.h>
#include <string.h>

#define VERSION "imagepolicy.k8s.io/v1alpha1"
#define TIMEOUT (30 * NS_PER_SEC)
#define SPEC_MAX (4u << 20)
#define ANSWER_ARENA (8u << 20)

struct image_policy {
	struct image_conf conf;
	char *server;
	struct resolver *resolver;
	struct hook_book *book;
};

struct image_question {
	struct image_policy *p;
	const char *key;
	struct slice spec;
};

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

/* ---- the answer ---- */

/* Absent is fine: then it is what was asked for. */
static bool is_or_absent(const struct doc *d, const char *key, const char *want)
{
	const struct doc *v = doc_get(d, key);

	return !v || doc_str_is(v, "") || doc_str_is(v, want);
}

static bool is_map_of_texts(const struct doc *d)
{
	if (d && !doc_is(d, DOC_NULL) && !doc_is(d, DOC_OBJECT))
		return false;
	DOC_EACH_MEMBER (key, value, d) {
		(void)key;
		if (!doc_is(value, DOC_STRING))
			return false;
	}
	return true;
}

static bool is_or_null(const struct doc *d, enum doc_type type)
{
	return !d || doc_is(d, DOC_NULL) || doc_is(d, type);
}

int image_policy_read(struct slice body, struct buf *out, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("answer of a webhook", ANSWER_ARENA);
	const struct json_options limits = { .max_depth = 32, .max_nodes = 65536 };
	const struct doc *status, *yes;
	struct doc *d;

	if (json_read(a, body, &limits, &d, err) < 0 || !doc_is(d, DOC_OBJECT))
		return err_set(err, ERR_INVALID, "the answer is not JSON");
	if (!is_or_absent(d, "kind", "ImageReview") || !is_or_absent(d, "apiVersion", VERSION))
		return err_set(err, ERR_INVALID, "the answer is no ImageReview as asked");
	status = doc_get(d, "status");
	yes = doc_get(status, "allowed");
	if (!is_or_null(status, DOC_OBJECT) || !is_or_null(yes, DOC_BOOL) ||
	    !is_or_null(doc_get(status, "reason"), DOC_STRING) ||
	    !is_map_of_texts(doc_get(status, "auditAnnotations")))
		return err_set(err, ERR_INVALID, "the answer has a status that is none");
	if (status && json_write(status, NULL, out, err) < 0)
		return err_ret(err);
	return doc_true(yes) ? 1 : 0;
}

static int read_answer(void *arg, struct slice body, struct buf *text, int64_t *ret_keep,
		       struct err *err)
{
	const struct image_policy *p = arg;
	const int r = image_policy_read(body, text, err);

	if (r >= 0)
		*ret_keep = r ? p->conf.allow_ttl : p->conf.deny_ttl;
	return r;
}

/* ---- looking ---- */

/* The spec is looked at until image_wait only. */
static bool leave_open(struct image_policy *p, struct slice spec, const char *key,
		       struct image_memo *memo)
{
	struct image_question *q = memo ? ARENA_NEW(memo->a, struct image_question) : NULL;
	const char *copy = q ? arena_strdup(memo->a, key) : NULL;

	if (!copy)
		return false;
	*q = (struct image_question){ p, copy, spec };
	memo->open = q;
	return true;
}

const struct image_said *image_policy_look(struct image_policy *p, struct slice spec,
					   struct image_memo *memo, struct image_said *ret)
{
	const struct hook_answer *kept;
	char key[65];

	sha256_hex(spec.p, spec.n, key);
	if (memo && memo->said && strcmp(memo->said->key, key) == 0)
		return memo->said;
	kept = hook_book_find(p->book, key);
	if (kept) {
		*ret = (struct image_said){ NULL, kept->code, kept->text };
		return ret;
	}
	if (leave_open(p, spec, key, memo))
		return NULL;
	*ret = (struct image_said){ NULL, HOOK_NO_ANSWER, "nobody can be asked" };
	return ret;
}

/* ---- waiting ---- */

static void answered(struct hook_wait *at, const struct hook_answer *a)
{
	struct image_wait *w = CONTAINER_OF(at, struct image_wait, at);
	struct image_said *s = ARENA_NEW(w->memo->a, struct image_said);

	if (s)
		*s = (struct image_said){ w->asked->key, a->code, NULL };
	if (s && a->code >= 0)
		s->text = arena_strdup(w->memo->a, a->text);
	else if (s)
		s->text = arena_printf(w->memo->a, "Post \"%s\": %s", w->asked->p->server,
				       a->why ? a->why : "the server ends");
	w->memo->said = s && s->text ? s : NULL;
	w->done(w);
}

void image_wait(struct image_wait *w, struct image_memo *memo)
{
	CLEANUP(buf_fini) struct buf body = BUF_INIT(SPEC_MAX);
	const struct image_question *q = STEAL(memo->open);

	w->memo = memo;
	w->asked = q;
	w->at.done = answered;
	(void)buf_addf(&body,
		       "{\"kind\":\"ImageReview\",\"apiVersion\":\"" VERSION
		       "\",\"metadata\":{},\"spec\":%.*s,\"status\":{\"allowed\":false}}",
		       (int)q->spec.n, q->spec.p);
	hook_book_ask(q->p->book, q->key, buf_slice(&body), &w->at);
}

void image_unwait(struct image_wait *w)
{
	hook_unwait(&w->at);
}

/* ---- life ---- */

int image_policy_new(const struct image_conf *conf, const struct hook_conf *to, struct loop *loop,
		     struct image_policy **ret, struct err *err)
{
	CLEANUP(image_policy_free) struct image_policy *p = must(calloc(1, sizeof(*p)));
	struct hook_book_make m = { .loop = loop,
				    .name = "images",
				    .to = to,
				    .timeout = TIMEOUT,
				    .back_off = conf->back_off,
				    .read = read_answer,
				    .arg = p };

	p->conf = *conf;
	p->conf.kubeconfig = NULL;
	p->server = must(strdup(to->server));
	if (resolver_new(loop, NULL, &p->resolver, err) < 0)
		return err_ret(err);
	m.resolver = p->resolver;
	if (hook_book_new(&m, &p->book, err) < 0)
		return err_ret(err);
	*ret = STEAL(p);
	return 0;
}

void image_policy_free(struct image_policy *p)
{
	if (!p)
		return;
	hook_book_free(p->book);
	resolver_free(p->resolver);
	free(p->server);
	free(p);
}
