/* SPDX-License-Identifier: Apache-2.0 */
/* What a request has converted: documents by its memo, one item while it waits. */
#include "apiserver/rest/call.h"

#include "doc/json.h"

static bool is_in(const struct doc *d, const struct api_kind *to)
{
	return doc_str_is(doc_get(d, "apiVersion"), to->group->api_version);
}

int call_convert(struct call *c, const struct api_kind *from, const struct api_kind *to,
		 const struct doc *d, struct arena *a, struct doc *ret, struct err *err)
{
	struct slice answer;
	struct doc *made;

	if (!custom_webhook(to) || is_in(d, to))
		return codec_convert(is_in(d, to) ? to : from, to, d, a, ret, err);
	if (convert_memo_ask(&c->converted, to, d, &answer, err) < 0) {
		if (c->converted.refused)
			c->about.reason = STATUS_UNKNOWN;
		return err_ret(err);
	}
	if (json_read(a, answer, NULL, &made, err) < 0)
		return err_ret(err);
	*ret = *made;
	return 0;
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
