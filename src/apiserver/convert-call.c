/* SPDX-License-Identifier: Apache-2.0 */
/* What requests wait for: documents by a memo of questions, one item for an answer. */
#include "apiserver/call.h"

#include "doc/json.h"

#include <stdlib.h>
#include <string.h>

#define MEMO_MAX (64u << 20) /* all that one request has converted */
#define QUESTIONS_MAX 4096
#define NOT_YET "it is being converted"

/* ---- questions ---- */

struct convert_question {
	struct convert_question *next;
	struct convert_memo *memo;
	const struct api_kind *to; /* until it is asked */
	uint32_t form;		   /* of `to` */
	struct slice json, answer; /* in the memo's arena; answer empty: it failed */
	struct err why;
	struct convert_job job;
	struct convert_wait *wait;
};

void convert_memo_fini(struct convert_memo *m)
{
	if (m->a)
		arena_free(STEAL(m->a));
	m->questions = m->open = NULL;
}

static int remember(struct convert_question *q, const struct doc *d, struct err *err)
{
	int r = json_print(q->memo->a, d, NULL, &q->answer, err);

	return r < 0 ? r : arena_exceeded(q->memo->a) ? arena_quota(q->memo->a, err) : 0;
}

static void on_converted(struct convert_job *j, int result, const struct doc *objects,
			 struct err *err)
{
	struct convert_question *q = CONTAINER_OF(j, struct convert_question, job);
	struct convert_wait *w = STEAL(q->wait);

	if (result == 0)
		result = remember(q, objects, err);
	if (result < 0) {
		q->answer = SLICE("");
		q->why = *err;
		q->why.causes = NULL;
	}
	q->memo->open = NULL;
	w->done(w);
}

void convert_wait(struct converter *cv, struct convert_memo *m, struct convert_wait *w)
{
	struct convert_question *q = m->open;

	w->question = q;
	q->wait = w;
	q->job = (struct convert_job){
		.to = q->to, .objects = &q->json, .n = 1, .done = on_converted
	};
	convert_ask(cv, &q->job);
}

void convert_unwait(struct convert_wait *w)
{
	struct convert_question *q = STEAL(w->question);

	if (!q || q->wait != w)
		return;
	convert_cancel(&q->job);
	q->wait = NULL;
	q->memo->open = NULL;
}

static struct convert_question *find(const struct convert_memo *m, const struct api_kind *to,
				     struct slice json)
{
	struct convert_question *q = m->questions;

	while (q && (q->form != to->custom->form || !slice_eq(q->json, json)))
		q = q->next;
	return q;
}

static int add_question(struct convert_memo *m, const struct api_kind *to, struct slice json,
			struct err *err)
{
	struct convert_question *q;

	if (m->n == QUESTIONS_MAX)
		return err_set(err, ERR_SYSTEM, "a request may have %d objects converted",
			       QUESTIONS_MAX);
	q = ARENA_NEW(m->a, struct convert_question);
	json.p = arena_strndup(m->a, json.p, json.n);
	if (!q || !json.p)
		return arena_quota(m->a, err);
	*q = (struct convert_question){
		.next = m->questions, .memo = m, .to = to, .form = to->custom->form, .json = json
	};
	m->questions = m->open = q;
	m->n++;
	return err_set(err, ERR_UNAVAILABLE, NOT_YET);
}

static bool is_in(const struct doc *d, const struct api_kind *to)
{
	return doc_str_is(doc_get(d, "apiVersion"), to->group->api_version);
}

int call_convert(struct call *c, const struct api_kind *from, const struct api_kind *to,
		 const struct doc *d, struct arena *a, struct doc *ret, struct err *err)
{
	struct convert_memo *m = &c->converted;
	CLEANUP(buf_fini) struct buf json = BUF_INIT(MEMO_MAX);
	struct convert_question *q;
	struct doc *answer;
	int r;

	if (!custom_webhook(to) || is_in(d, to))
		return codec_convert(is_in(d, to) ? to : from, to, d, a, ret, err);
	if (m->open)
		return err_set(err, ERR_UNAVAILABLE, NOT_YET);
	r = json_write(d, NULL, &json, err);
	if (r < 0)
		return r;
	if (!m->a)
		m->a = arena_new("conversions of a request", MEMO_MAX);
	q = find(m, to, buf_slice(&json));
	if (!q)
		return add_question(m, to, buf_slice(&json), err);
	if (!q->answer.n) {
		*err = q->why;
		c->about.reason = STATUS_UNKNOWN;
		return err_ret(err);
	}
	r = json_read(a, q->answer, NULL, &answer, err);
	if (r == 0)
		*ret = *answer;
	return r;
}

/* ---- one item ---- */

struct item_wait {
	struct convert_items k;
	struct item *item;
	struct call *c;
	void (*next)(struct call *c, struct item *i, void *arg);
	void *arg, *verb;
};

static void end_wait(struct item_wait *w)
{
	item_unref(STEAL(w->item));
	call_drop(w->c);
}

static void stop_wait(struct call *c)
{
	struct item_wait *w = c->verb;

	convert_items_cancel(&w->k);
	c->verb = w->verb;
	end_wait(w);
}

static void item_converted(struct convert_items *k, int result, struct err *err)
{
	struct item_wait *w = CONTAINER_OF(k, struct item_wait, k);
	struct call *c = w->c;

	c->stop = NULL;
	c->verb = w->verb;
	if (result < 0) {
		c->about.reason = STATUS_UNKNOWN;
		call_fail(c, err);
	} else {
		w->next(c, w->item, w->arg);
	}
	end_wait(w);
}

void call_converted(struct call *c, struct item *i,
		    void (*next)(struct call *c, struct item *i, void *arg), void *arg)
{
	const struct api_kind *to = c->resource->kind;
	struct item_wait *w;
	struct err err = ERR_INIT;

	if (codec_is_in(i, to) || c->answered) {
		next(c, i, arg);
		return;
	}
	w = ARENA_NEW(c->a, struct item_wait);
	if (!w) {
		(void)arena_quota(c->a, &err);
		call_fail(c, &err);
		return;
	}
	*w = (struct item_wait){
		.item = item_ref(i), .c = call_hold(c), .next = next, .arg = arg, .verb = c->verb
	};
	w->k = (struct convert_items){ .to = to, .v = &w->item, .n = 1, .done = item_converted };
	if (convert_items(c->srv->converter, &w->k) == 1) {
		item_converted(&w->k, 0, &err);
		return;
	}
	c->verb = w;
	c->stop = stop_wait;
}

int call_check_fields(struct call *c, struct err *err)
{
	const struct api_kind *k = c->resource->kind;
	const struct collection *o = c->resource->objects;

	if (!custom_webhook(k) || !o ||
	    strcmp(k->group->api_version, o->kind->group->api_version) == 0)
		return 0;
	for (size_t i = 0; i < c->q.fields.n; i++) {
		const struct slice key = c->q.fields.terms[i].key;

		if (!slice_is(key, "metadata.name") && !slice_is(key, "metadata.namespace"))
			return status_bad_request(err, &c->about,
						  "field selector %.*s: objects are stored as %s, "
						  "and a webhook makes "
						  "%s of them: select by the fields of the former",
						  (int)MIN(key.n, (size_t)200), key.p,
						  o->kind->group->api_version,
						  k->group->api_version);
	}
	return 0;
}
