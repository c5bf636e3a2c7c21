/* SPDX-License-Identifier: Apache-2.0 */
/* POST /commit: an image out of a container. */
#include "docker/private.h"
#include "image/layers.h"

#define CONFIG_MAX (4u << 20)

struct commit {
	struct call *c;
	struct image *base;
	struct image_import *im;
	struct image_commit cm;
	struct strv dirs;
	enum image_diff_kind kind;
	const char *id; /* of the container */
	const char *ref, *comment;
	bool pause, frozen;
};

/* What of a container's config an image has (docker-image-spec). */
static const char *const image_keys[] = { "User",	"ExposedPorts", "Env",	       "Cmd",
					  "Volumes",	"WorkingDir",	"Entrypoint",  "OnBuild",
					  "Labels",	"StopSignal",	"Healthcheck", "Shell",
					  "ArgsEscaped" };

static bool says_something(const struct doc *d)
{
	if (!d || doc_is(d, DOC_NULL))
		return false;
	if (doc_is(d, DOC_STRING))
		return d->n > 0;
	return !(doc_is(d, DOC_ARRAY) || doc_is(d, DOC_OBJECT)) || doc_len(d) > 0;
}

/* The container's config, and over it what the request's body says. */
static int make_config(struct commit *k, const struct container *ct, const struct doc *body,
		       struct err *err)
{
	struct arena *a = k->c->a;
	struct doc config, host, out = doc_object();
	int r;

	r = create_spec_encode(container_spec(ct), a, &config, &host, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(image_keys); i++) {
		const struct doc *theirs = doc_get(body, image_keys[i]);
		const struct doc *d =
			says_something(theirs) ? theirs : doc_get(&config, image_keys[i]);

		if (says_something(d))
			doc_set(a, &out, image_keys[i], *d);
	}
	return arena_exceeded(a) ? arena_quota(a, err)
				 : json_print(a, &out, NULL, &k->cm.config, err);
}

static const char *command_line(struct arena *a, const struct container *ct)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(64u << 10);
	const struct strs *cmd = &container_spec(ct)->config.cmd;

	for (size_t i = 0; i < cmd->n; i++)
		buf_addf(&b, "%s%s", i ? " " : "", cmd->v[i]);
	return arena_strdup(a, buf_str(&b));
}

static int hold(void *ctx, struct err *err)
{
	struct commit *k = ctx;
	int r;

	if (!k->pause)
		return 0;
	r = engine_freeze(k->c->e, k->id, true, err);
	k->frozen = r > 0;
	return r < 0 ? r : 0;
}

static void release(void *ctx)
{
	struct commit *k = ctx;
	struct err err = ERR_INIT;

	if (k->frozen && engine_freeze(k->c->e, k->id, false, &err) < 0)
		log_error("commit: container %.12s stays frozen: %s", k->id, err.msg);
}

static void commit_free(struct commit *k)
{
	image_import_free(k->im);
	image_unref(k->base);
}

static void announce(struct commit *k, const char *id)
{
	const struct event_attr attrs[] = { { "comment", k->comment },
					    { "imageID", id },
					    { "imageRef", k->ref ? k->ref : "" } };

	engine_event(k->c->e, "container", "commit", k->id, attrs, ARRAY_LEN(attrs));
}

static void committed(void *ctx, int result, const struct err *err)
{
	struct commit *k = ctx;
	struct stream *s = k->c->s;
	struct doc *d;

	if (result < 0) {
		reply_err(k->c, err);
	} else {
		announce(k, image_import_id(k->im, 0));
		d = doc_new_object(k->c->a);
		doc_set_str(k->c->a, d, "Id", image_import_id(k->im, 0));
		reply_doc(k->c, 201, d);
	}
	commit_free(k);
	stream_unref(s);
}

static int find_container(struct commit *k, struct container **ret, struct err *err)
{
	const char *name = query_get(&k->c->q, "container");
	int r;

	r = engine_container_find(k->c->e, name ? name : "", ret, err);
	if (r < 0)
		return r;
	k->id = arena_strdup(k->c->a, container_id(*ret));
	k->pause = query_bool(&k->c->q, "pause", true) &&
		   container_get_state(*ret)->status == CT_RUNNING;
	r = image_resolve(engine_images(k->c->e), container_image_id(*ret), &k->base, err);
	return r < 0 ? r
		     : engine_container_dirs(k->c->e, *ret, IMAGE_VIEW_COMMIT, k->c->a, &k->dirs,
					     &k->kind, err);
}

static int begin(struct commit *k, const struct doc *body, struct err *err)
{
	struct call *c = k->c;
	const char *repo = query_get(&c->q, "repo"), *tag = query_get(&c->q, "tag");
	struct image_import_options o = { .kind = IMAGE_IMPORT_COMMIT, .commit = &k->cm };
	struct container *ct;
	int r;

	r = find_container(k, &ct, err);
	if (r >= 0)
		r = make_config(k, ct, body, err);
	if (r < 0)
		return r;
	k->ref = repo && *repo ? repo : NULL;
	if (k->ref && tag && *tag)
		k->ref = arena_printf(c->a, "%s:%s", repo, tag);
	k->comment = query_get(&c->q, "comment");
	k->comment = k->comment ? k->comment : "";
	k->cm.base = k->base;
	k->cm.dirs = &k->dirs;
	k->cm.kind = k->kind;
	k->cm.author = query_get(&c->q, "author");
	k->cm.created_by = command_line(c->a, ct);
	k->cm.hold = hold;
	k->cm.release = release;
	k->cm.ctx = k;
	o.ref = k->ref;
	o.message = k->comment;
	o.changes = call_texts(c, "changes", &o.nchanges);
	r = image_import_new(engine_images(c->e), &o, &k->im, err);
	return r < 0 ? r : image_import_start(k->im, engine_pool(c->e), committed, k, err);
}

static void commit_body(struct call *c, struct doc *body)
{
	struct commit *k = ARENA_NEW(c->a, struct commit);
	struct err err = ERR_INIT;

	k->c = c;
	stream_ref(c->s);
	if (begin(k, body, &err) >= 0)
		return;
	reply_err(c, &err);
	commit_free(k);
	stream_unref(c->s);
}

void container_commit(struct call *c)
{
	call_read_body(c, true, commit_body);
}
