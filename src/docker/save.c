/* SPDX-License-Identifier: Apache-2.0 */
/* Images out as an archive: docker save. */
#include "docker/flow.h"
#include "docker/private.h"
#include "image/layers.h"

static int save_write(void *ctx, int out, struct err *err)
{
	return image_save_write(ctx, out, err);
}

static void save_done(void *ctx, int result)
{
	(void)result; /* the flow has told it */
	image_save_free(ctx);
}

int platform_of_json(struct call *c, const char *text, const char **ret, struct err *err)
{
	const char *variant;
	struct doc *d;

	if (json_read(c->a, slice_str(text), NULL, &d, err) < 0 ||
	    !doc_is(doc_get(d, "os"), DOC_STRING) ||
	    !doc_is(doc_get(d, "architecture"), DOC_STRING))
		return err_set(err, ERR_BAD_REQUEST, "platform: not a JSON platform object");
	variant = doc_cstr(c->a, doc_get(d, "variant"));
	*ret = arena_printf(c->a, "%s/%s%s%s", doc_cstr(c->a, doc_get(d, "os")),
			    doc_cstr(c->a, doc_get(d, "architecture")),
			    variant && *variant ? "/" : "", variant ? variant : "");
	return *ret ? 0 : arena_quota(c->a, err);
}

int call_platforms(struct call *c, const char *key, struct strv *ret, struct err *err)
{
	const char **v;
	size_t n = 0;

	while (query_nth(&c->q, key, n))
		n++;
	v = ARENA_ARRAY(c->a, const char *, n + 1);
	if (!v)
		return arena_quota(c->a, err);
	*ret = (struct strv){ .v = v };
	for (size_t i = 0; i < n; i++) {
		const char *text = query_nth(&c->q, key, i);

		if (*text && platform_of_json(c, text, &v[ret->n++], err) < 0)
			return err_ret(err);
	}
	return 0;
}

static void save_begin(struct call *c, const struct strv *names)
{
	struct image_save *s = NULL;
	struct strv platforms;
	struct err err = ERR_INIT;

	if (call_platforms(c, "platform", &platforms, &err) < 0 ||
	    image_save_new(engine_images(c->e), names, &platforms, &s, &err) < 0) {
		reply_err(c, &err);
		return;
	}
	for (size_t i = 0; i < image_save_count(s); i++) {
		const char *id = image_save_id(s, i);

		engine_event(c->e, "image", "save", id, &(struct event_attr){ "name", id }, 1);
	}
	flow_begin(c, "application/x-tar", save_write, save_done, s);
}

void image_get(struct call *c)
{
	const char *name = route_param(c->m, "name");

	save_begin(c, &(struct strv){ &name, 1 });
}

void images_get(struct call *c)
{
	struct strv names;

	names.v = call_texts(c, "names", &names.n);
	save_begin(c, &names);
}
