/* SPDX-License-Identifier: Apache-2.0 */
/* Documents of one request: a memo of the questions that its steps had. */
#include "apiserver/extension/convert.h"

#include "base/arena.h"
#include "doc/json.h"

#include <stdlib.h>
#include <string.h>

#define MEMO_MAX (64u << 20) /* all that one request has converted */
#define QUESTIONS_MAX 4096
#define NOT_YET "it is being converted"

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

int convert_memo_ask(struct convert_memo *m, const struct api_kind *to, const struct doc *d,
		     struct slice *ret, struct err *err)
{
	CLEANUP(buf_fini) struct buf json = BUF_INIT(MEMO_MAX);
	struct convert_question *q;

	m->refused = false;
	if (m->open)
		return err_set(err, ERR_UNAVAILABLE, NOT_YET);
	if (json_write(d, NULL, &json, err) < 0)
		return err_ret(err);
	if (!m->a)
		m->a = arena_new("conversions of a request", MEMO_MAX);
	q = find(m, to, buf_slice(&json));
	if (!q)
		return add_question(m, to, buf_slice(&json), err);
	*ret = q->answer;
	if (q->answer.n)
		return 0;
	*err = q->why;
	m->refused = true;
	return err_ret(err);
}
