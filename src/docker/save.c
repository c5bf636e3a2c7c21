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

/* JSON of the OCI platform object to "os/arch[/variant]"; NULL when none is asked for. */
static int platform_of(struct call *c, const char **ret, struct err *err)
{
	const char *text = query_get(&c->q, "platform"), *variant;
	struct doc *d;

	*ret = NULL;
	if (!text || !*text)
		return 0;
	if (query_nth(&c->q, "platform", 1))
		return err_set(err, ERR_UNSUPPORTED, "saving several platforms is not supported");
	if (json_read(c->a, slice_str(text), NULL, &d, err) < 0 ||
	    !doc_is(doc_get(d, "os"), DOC_STRING) ||
	    !doc_is(doc_get(d, "architecture"), DOC_STRING))
		return err_set(err, ERR_BAD_REQUEST, "platform: not a JSON platform object");
	variant = doc_cstr(c->a, doc_get(d, "variant"));
	*ret = arena_printf(c->a, "%s/%s%s%s", doc_cstr(c->a, doc_get(d, "os")),
			    doc_cstr(c->a, doc_get(d, "architecture")),
			    variant && *variant ? "/" : "", variant ? variant : "");
	return 0;
}

static void save_begin(struct call *c, const struct strv *names)
{
	struct image_save *s = NULL;
	const char *platform;
	struct err err = ERR_INIT;

	if (platform_of(c, &platform, &err) < 0 ||
	    image_save_new(engine_images(c->e), names, platform, &s, &err) < 0) {
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
