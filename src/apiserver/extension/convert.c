/* SPDX-License-Identifier: Apache-2.0 */
/* One question to a definition's webhook, from its documents to theirs. */
#include "apiserver/extension/convert-private.h"

#include "base/arena.h"
#include "base/hash.h"
#include "doc/json.h"

#include <assert.h>
#include <stdlib.h>

#define WORK_MAX (256u << 20) /* a batch and its answer as documents */
#define BODY_MAX (16u << 20)

int converter_new(struct loop *l, struct resources *rs, struct metrics *m, struct converter **ret,
		  struct err *err)
{
	CLEANUP(converter_free) struct converter *cv = calloc(1, sizeof(*cv));

	if (!cv)
		return err_set(err, ERR_QUOTA, "no memory for what converts objects");
	cv->loop = l;
	cv->world = resources_world(rs);
	cv->clients = webhook_clients_new(l, rs);
	map_init(&cv->flights);
	if (m && convert_figures_add(cv, m, err) < 0)
		return err_ret(err);
	*ret = STEAL(cv);
	return 0;
}

void converter_free(struct converter *cv)
{
	if (!cv)
		return;
	assert(map_count(&cv->flights) == 0);
	map_fini(&cv->flights);
	convert_shapes_fini(cv);
	webhook_clients_free(cv->clients);
	free(cv);
}

/* ---- the end ---- */

static void release(struct convert_job *j)
{
	webhook_post_cancel(&j->post);
	deferred_fini(&j->later);
	buf_fini(&j->body);
	arena_free(STEAL(j->a));
	j->running = false;
	custom_unref((struct custom *)(uintptr_t)j->to->custom->definition);
}

void convert_cancel(struct convert_job *j)
{
	if (j->running)
		release(j);
}

static void finish(struct convert_job *j, int result, const struct doc *objects, struct err *err)
{
	struct convert_job held = *j; /* done may free j, and the documents are in the arena */
	struct err why;

	deferred_fini(&j->later);
	j->running = false;
	if (result < 0) {
		why = *err;
		result = err_set(err, ERR_SYSTEM, "%s", why.msg);
	}
	buf_fini(&held.body);
	j->done(j, result, objects, err);
	arena_free(held.a);
	custom_unref((struct custom *)(uintptr_t)held.to->custom->definition);
}

/* ---- the way ---- */

static int not_admitted(struct convert_job *j, size_t i, struct err *err)
{
	j->fault = CONVERT_INVALID;
	return err_wrap(err,
			"conversion webhook for %s returned invalid converted object at index %zu",
			j->review.from, i);
}

/* As the version has it: what its schema does not know goes, nothing is filled in. */
static int admit_all(struct convert_job *j, struct doc *objects, struct err *err)
{
	struct doc canonical;

	for (size_t i = 0; i < j->n; i++) {
		if (api_admit(j->to->type, &objects[i], j->a, API_NO_DEFAULTS, NULL, &canonical,
			      err) < 0)
			return not_admitted(j, i, err);
		objects[i] = canonical;
	}
	return arena_exceeded(j->a) ? arena_quota(j->a, err) : 0;
}

static void on_answer(struct webhook_post *p, int result, struct slice text, struct err *err)
{
	struct convert_job *j = CONTAINER_OF(p, struct convert_job, post);
	struct doc *objects = ARENA_ARRAY(j->a, struct doc, j->n);

	j->fault = CONVERT_CALL;
	if (result < 0)
		result = err_wrap(err, "conversion webhook for %s failed", j->review.from);
	else
		result = objects ? convert_review_read(text, &j->review, j->a, objects, err)
				 : arena_quota(j->a, err);
	if (result == 0)
		result = admit_all(j, objects, err);
	convert_figures_tell(j);
	finish(j, result, objects, err);
}

static void on_later(struct deferred *d)
{
	struct convert_job *j = CONTAINER_OF(d, struct convert_job, later);
	struct err err = j->err;

	finish(j, err_ret(&err), NULL, &err);
}

/* What errors call it: the kind in the version that the first object is in. */
static const char *name_of(struct convert_job *j)
{
	const struct api_kind *from = j->n ? custom_kind_of(j->to, j->objects[0]) : NULL;

	from = from ? from : j->to;
	return arena_printf(j->a, "%s, Kind=%s", from->group->api_version,
			    j->list ? from->list_kind : from->kind);
}

static int begin(struct converter *cv, struct convert_job *j, struct err *err)
{
	const struct doc *hook = custom_webhook(j->to);
	char *uid = arena_alloc(j->a, UUID_TEXT_MAX);
	int r;

	if (!uid)
		return arena_quota(j->a, err);
	random_uuid(uid);
	j->review = (struct convert_review){ .list = j->list,
					     .uid = uid,
					     .from = name_of(j),
					     .kind = j->to->kind,
					     .to = j->to->group->api_version,
					     .objects = j->objects,
					     .n = j->n,
					     .fault = &j->fault };
	if (!j->review.from)
		return arena_quota(j->a, err);
	r = convert_review_version(doc_get(hook, "conversionReviewVersions"), &j->review.beta, err);
	if (r == 0)
		r = webhook_at_read(doc_get(hook, "clientConfig"), j->a, &j->at, err);
	if (r == 0)
		r = convert_review_write(&j->review, &j->body, err);
	if (r < 0)
		return err_wrap(err, "conversion webhook for %s failed", j->review.from);
	j->post = (struct webhook_post){ .at = &j->at,
					 .body = buf_slice(&j->body),
					 .seconds = CONVERT_SECONDS,
					 .time = CONVERT_SECONDS * NS_PER_SEC,
					 .done = on_answer };
	webhook_post(cv->clients, &j->post);
	return 0;
}

void convert_ask(struct converter *cv, struct convert_job *j)
{
	(void)custom_ref((struct custom *)(uintptr_t)j->to->custom->definition);
	j->a = arena_new("a conversion", WORK_MAX);
	j->body = BUF_INIT(BODY_MAX);
	j->post = (struct webhook_post){ .running = false };
	j->running = true;
	j->cv = cv;
	j->begun = clock_mono();
	err_clear(&j->err);
	deferred_init(&j->later, cv->loop, on_later);
	if (begin(cv, j, &j->err) < 0)
		deferred_call(&j->later);
}
