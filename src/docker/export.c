/* SPDX-License-Identifier: Apache-2.0 */
/* What a container's root holds: its changes (docker diff) and all of it as a tar (docker export).
 */
#include "base/work.h"
#include "docker/flow.h"
#include "docker/private.h"
#include "image/layers.h"

#define CHANGES_MAX (64u << 20) /* bytes of the answer */

/* ---- diff ---- */

struct changes {
	struct call *c;
	struct image_store *is;
	struct strv dirs;
	enum image_diff_kind kind;
	struct work work;
	struct buf text;
	int result;
	struct err err;
};

static int add_change(void *ctx, const struct image_diff_item *it, struct err *err)
{
	struct changes *ch = ctx;
	CLEANUP(arena_free) struct arena *a = arena_new("change", 64 << 10);
	struct doc *d = doc_new_object(a);

	if (it->change == 'd')
		return 0; /* goes with its directory */
	doc_set_str(a, d, "Path", it->path);
	doc_set_int(a, d, "Kind", it->change == 'C' ? 0 : it->change == 'A' ? 1 : 2);
	buf_addc(&ch->text, ch->text.n ? ',' : '[');
	if (json_write(d, NULL, &ch->text, err) < 0 || ch->text.full)
		return err_set(err, ERR_TOO_LARGE,
			       "the container has more changes than the list can have (%u bytes)",
			       CHANGES_MAX);
	return 0;
}

static void changes_run(struct work *w)
{
	struct changes *ch = CONTAINER_OF(w, struct changes, work);

	ch->result = image_diff_list(ch->is, ch->kind, &ch->dirs, add_change, ch, &ch->err);
	if (ch->result >= 0)
		buf_adds(&ch->text, ch->text.n ? "]\n" : "null\n");
}

static void changes_done(struct work *w)
{
	struct changes *ch = CONTAINER_OF(w, struct changes, work);
	struct stream *s = ch->c->s;

	if (ch->result < 0)
		reply_err(ch->c, &ch->err);
	else
		(void)stream_reply(s, 200, "application/json", ch->text.p, ch->text.n);
	buf_fini(&ch->text);
	stream_unref(s);
}

void container_changes(struct call *c)
{
	struct changes *ch = ARENA_NEW(c->a, struct changes);
	struct container *ct;

	if (call_container(c, &ct) < 0)
		return;
	ch->c = c;
	ch->is = engine_images(c->e);
	ch->text = BUF_INIT(CHANGES_MAX);
	if (engine_container_dirs(c->e, ct, IMAGE_VIEW_CHANGES, c->a, &ch->dirs, &ch->kind,
				  &ch->err) < 0 ||
	    work_submit(engine_pool(c->e), &ch->work, changes_run, changes_done, &ch->err) < 0) {
		reply_err(c, &ch->err);
		return;
	}
	stream_ref(c->s);
}

/* ---- export ---- */

struct export
{
	struct image_store *is;
	struct strv dirs;
	enum image_diff_kind kind;
};

static int export_write(void *ctx, int out, struct err *err)
{
	struct export *x = ctx;

	return image_diff_tar(x->is, x->kind, &x->dirs, out, NULL, err);
}

void container_export(struct call *c)
{
	struct export *x = ARENA_NEW(c->a, struct export);
	struct err err = ERR_INIT;
	struct container *ct;

	if (call_container(c, &ct) < 0)
		return;
	x->is = engine_images(c->e);
	if (engine_container_dirs(c->e, ct, IMAGE_VIEW_MERGED, c->a, &x->dirs, &x->kind, &err) <
	    0) {
		reply_err(c, &err);
		return;
	}
	engine_event(c->e, "container", "export", container_id(ct),
		     &(struct event_attr){ "name", container_name(ct) }, 1);
	flow_begin(c, "application/octet-stream", export_write, NULL, x);
}
