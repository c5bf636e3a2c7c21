/* SPDX-License-Identifier: Apache-2.0 */
/* ImagePolicyWebhook: a webhook says whether the images of a pod may be used. */
#include "apiserver/admission/admission-private.h"

#include "base/err.h"
#include "base/log.h"
#include "doc/json.h"

#define KEY "imagepolicywebhook.image-policy.k8s.io/"
#define SPEC_MAX (2u << 20)

/* ---- the question ---- */

static void add_images(struct buf *b, const struct doc *spec, const char *list)
{
	DOC_EACH (d, doc_get(spec, list)) {
		struct slice image = doc_slice(doc_get(d, "image"));

		(void)buf_adds(b, b->p[b->n - 1] == '[' ? "{" : ",{");
		if (image.n) {
			(void)buf_adds(b, "\"image\":");
			(void)json_write_string(b, image, false);
		}
		(void)buf_addc(b, '}');
	}
}

static void add_annotations(struct buf *b, const struct doc *annotations)
{
	bool any = false;

	DOC_EACH_MEMBER (key, value, annotations) {
		if (!slice_has_text(doc_slice(key), SLICE(".image-policy.k8s.io/")))
			continue;
		(void)buf_adds(b, any ? "," : ",\"annotations\":{");
		any = true;
		(void)json_write_string(b, doc_slice(key), false);
		(void)buf_addc(b, ':');
		(void)json_write_string(b, doc_slice(value), false);
	}
	if (any)
		(void)buf_addc(b, '}');
}

/* ImageReviewSpec of what the request is about: a pod's own containers, or those for a look. */
static struct slice spec_of(struct admission_call *c)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(SPEC_MAX);
	const struct doc *spec = doc_get(c->obj, "spec");
	const char *text;

	(void)buf_adds(&b, "{\"containers\":[");
	if (*c->sub) {
		add_images(&b, spec, "ephemeralContainers");
	} else {
		add_images(&b, spec, "containers");
		add_images(&b, spec, "initContainers");
	}
	(void)buf_addc(&b, ']');
	add_annotations(&b, doc_find(c->obj, "metadata.annotations"));
	(void)buf_adds(&b, ",\"namespace\":");
	(void)json_write_string(&b, slice_str(c->ns), false);
	(void)buf_addc(&b, '}');
	text = b.full ? NULL : arena_strndup(c->sc->a, b.p, b.n);
	return text ? slice_of(text, b.n) : (struct slice){ 0 };
}

/* ---- the answer ---- */

static int fail(struct admission_call *c, const char *why, struct err *err)
{
	if (!c->ad->conf.images.fails_open)
		return admit_refuse(c, err, "%s", why);
	log_kv(LOG_LEVEL_WARN, "the image policy could not be asked: the request goes on", "error",
	       why, NULL);
	admit_note(c, KEY "failed-open", "true");
	return 0;
}

/* Those with keys that annotations may have. */
static void note_all(struct admission_call *c, const struct doc *annotations)
{
	DOC_EACH_MEMBER (key, value, annotations) {
		const char *k = arena_printf(c->sc->a, KEY "%.*s", (int)key->n, key->s);

		if (k && !form_qualified_name(slice_str(k)))
			admit_note(c, k, doc_cstr(c->sc->a, value));
	}
}

static int judge(struct admission_call *c, const struct image_said *said, struct err *err)
{
	const struct json_options copy = { .copy = true };
	struct doc *status = NULL;
	struct slice reason;

	if (*said->text && json_read(c->sc->a, slice_str(said->text), &copy, &status, err) < 0)
		return err_ret(err);
	note_all(c, doc_get(status, "auditAnnotations"));
	if (said->code)
		return 0;
	reason = doc_slice(doc_get(status, "reason"));
	return reason.n ? admit_refuse(
				  c, err,
				  "image policy webhook backend denied one or more images: %.*s",
				  (int)reason.n, reason.p)
			: admit_refuse(c, err, "one or more images rejected by webhook backend");
}

int admit_images(struct admission_call *c, struct err *err)
{
	const struct slice spec = spec_of(c);
	const struct image_said *said;
	struct image_said room;

	if (!spec.p)
		return fail(c, "the question is too long", err);
	if (!c->ad->images)
		return fail(c, "nobody can be asked", err);
	said = image_policy_look(c->ad->images, spec, c->images, &room);
	if (!said)
		return err_set(err, ERR_UNAVAILABLE, "the image policy has yet to be asked");
	return said->code < 0 ? fail(c, said->text, err) : judge(c, said, err);
}
