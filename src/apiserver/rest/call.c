/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/rest/call.h"

#include "base/clock.h"
#include "base/hash.h"
#include "doc/doc.h"
#include "doc/json.h"

#include <stdio.h>
#include <string.h>

#define WARNINGS_MAX 64
#define WARNINGS_BYTES (4u << 10)
#define ANSWER_MAX (512u << 20)
#define COLLECT_MAX (3u << 20)
#define TOLD_MAX (4u << 20) /* of an answer in the audit log */

/* ---- memory ---- */

struct arena *call_work(struct call *c)
{
	if (!c->work)
		c->work = arena_new("the request", CALL_WORK_MAX);
	return c->work;
}

struct arena *call_work_again(struct call *c)
{
	if (c->work)
		arena_reset(c->work);
	return call_work(c);
}

struct slice call_key(struct call *c, const char *ns, const char *name)
{
	const char *k = arena_printf(c->a, "%s%s%s", ns, *ns ? "/" : "", name);

	return slice_str(k ? k : "");
}

int64_t call_now(const struct call *c)
{
	(void)c;
	return clock_real() / NS_PER_SEC;
}

const char *call_manager(struct call *c)
{
	struct slice ua = stream_header(c->s, "User-Agent");
	const char *slash;

	if (*c->q.field_manager)
		return c->q.field_manager;
	if (!ua.p)
		return "";
	slash = memchr(ua.p, '/', ua.n);
	if (slash)
		ua.n = (size_t)(slash - ua.p);
	return arena_strndup(c->a, ua.p, MIN(ua.n, 128));
}

int call_objects(struct call *c, struct collection **ret, struct err *err)
{
	struct collection *o = c->resource ? c->resource->objects : NULL;

	if (!o || !o->cache)
		return status_no_resource(err, &c->about);
	if (!cache_ready(o->cache)) /* of a definition that is new */
		return status_too_many(err, &c->about, 1, "storage is (re)initializing");
	*ret = o;
	return 0;
}

struct item *call_find(struct call *c, struct collection **ret)
{
	const char *ns = c->resource->kind->namespaced ? c->rq.namespace_ : "";
	struct err err ERR_RAW;
	struct item *i = NULL;

	err_clear(&err);
	if (call_objects(c, ret, &err) == 0) {
		i = cache_get((*ret)->cache, call_key(c, ns, c->rq.name));
		if (!i)
			(void)status_not_found(&err, &c->about, c->rq.name);
	}
	if (!i)
		call_fail(c, &err);
	return i;
}

/* ---- warnings ---- */

void call_warn(struct call *c, const char *text)
{
	size_t n = text ? strlen(text) : 0;

	if (!text)
		return;
	for (size_t i = 0; i < c->nwarnings; i++)
		if (strcmp(c->warnings[i], text) == 0)
			return;
	if (!c->warnings)
		c->warnings = ARENA_ARRAY(c->a, const char *, WARNINGS_MAX);
	if (!c->warnings || c->nwarnings == WARNINGS_MAX || c->warned + n > WARNINGS_BYTES)
		return;
	c->warnings[c->nwarnings] = arena_strdup(c->a, text);
	c->warned += n;
	c->nwarnings += c->warnings[c->nwarnings] != NULL;
}

void call_note(struct call *c, const char *key, const char *value)
{
	struct apiaudit_note n;
	size_t at = 0;

	if (!c->srv->conf.audit || !key || !value)
		return;
	n = (struct apiaudit_note){ arena_strdup(c->a, key), arena_strdup(c->a, value) };
	if (!n.key || !n.value)
		return;
	while (at < c->nnotes && strcmp(c->notes[at].key, key) < 0)
		at++;
	if (at < c->nnotes && strcmp(c->notes[at].key, key) == 0) {
		c->notes[at] = n;
		return;
	}
	if (c->nnotes == APIAUDIT_NOTES_MAX)
		return;
	memmove(&c->notes[at + 1], &c->notes[at], (c->nnotes - at) * sizeof(c->notes[0]));
	c->notes[at] = n;
	c->nnotes++;
}

/* RFC 7234's quoted text; control characters become blanks. */
static void warning_header(struct call *c, const char *text)
{
	char out[2 * WARNINGS_BYTES + 16];
	size_t n = (size_t)snprintf(out, sizeof(out), "299 - \"");

	for (; *text && n + 4 < sizeof(out); text++) {
		if (*text == '"' || *text == '\\')
			out[n++] = '\\';
		out[n++] = (unsigned char)*text < 0x20 || *text == 0x7f ? ' ' : *text;
	}
	out[n++] = '"';
	out[n] = '\0';
	(void)stream_add_header(c->s, "Warning", out); /* what does not fit is left out */
}

/* ---- answers ---- */

void call_headers(struct call *c)
{
	for (size_t i = 0; i < c->nwarnings; i++)
		warning_header(c, c->warnings[i]);
	c->nwarnings = 0;
	if (c->about.retry_after && c->code >= 400)
		(void)stream_set_headerf(c->s, "Retry-After", "%u", c->about.retry_after);
}

bool call_takes_gzip(const struct call *c)
{
	return stream_header_has(c->s, "Accept-Encoding", "gzip");
}

void call_text(struct call *c, int code, const char *content_type, struct slice bytes)
{
	CLEANUP(buf_fini) struct buf packed = BUF_INIT(ANSWER_MAX);
	struct err err ERR_RAW;

	if (c->answered)
		return;
	c->answered = true;
	c->code = code;
	call_headers(c);
	err_clear(&err);
	if (bytes.n >= CODEC_GZIP_FROM &&
	    (c->rq.verb == VERB_GET || c->rq.verb == VERB_LIST || c->rq.verb == VERB_NONE) &&
	    call_takes_gzip(c) && codec_gzip(bytes, &packed, &err) == 0) {
		(void)stream_set_header(c->s, "Content-Encoding", "gzip");
		(void)stream_set_header(c->s, "Vary", "Accept-Encoding");
		bytes = buf_slice(&packed);
	}
	(void)stream_reply(c->s, code, content_type, bytes.p, bytes.n); /* gone: nobody reads it */
}

/* Does the audit log want the answer? Of an error it always has what it says. */
static bool is_told(const struct call *c, int code)
{
	return c->audit && !c->answered && !c->told.n &&
	       c->audit->level >= (code >= 400 ? APIAUDIT_METADATA : APIAUDIT_RESPONSE);
}

void call_answer(struct call *c, int code, struct slice bytes)
{
	if (c->out.codec.media == CODEC_JSON && is_told(c, code) && bytes.n <= TOLD_MAX) {
		c->told = BUF_INIT(TOLD_MAX);
		(void)buf_add(&c->told, bytes.p, bytes.n);
	}
	call_text(c, code, c->out.codec.content_type, bytes);
}

void call_nowhere(struct call *c)
{
	(void)stream_set_header(c->s, "X-Content-Type-Options", "nosniff");
	call_text(c, 404, "text/plain; charset=utf-8", SLICE("404 page not found\n"));
}

/* TableOptions: what goes along with each row. */
static int choose_include(struct call *c, struct err *err)
{
	static const char *const words[] = { [CODEC_INCLUDE_METADATA] = "Metadata",
					     [CODEC_INCLUDE_NONE] = "None",
					     [CODEC_INCLUDE_OBJECT] = "Object" };

	if (!*c->q.include_object)
		return 0;
	for (unsigned i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(c->q.include_object, words[i]) == 0) {
			c->out.codec.include = (enum codec_include)i;
			return 0;
		}
	return status_bad_request(
		err, &c->about,
		"Unable to convert to Table as requested: includeObject: Invalid "
		"value: \"%.64s\": must be 'Metadata', 'Object', 'None', or empty",
		c->q.include_object);
}

int call_choose(struct call *c, unsigned flags, struct err *err)
{
	size_t n;
	const struct http_header *h = stream_headers(c->s, &n);
	struct buf b = BUF_INIT(16u << 10);
	struct slice one = { NULL, 0 };
	size_t lines = 0;
	int r;

	for (size_t i = 0; i < n; i++) {
		if (!slice_ieq(h[i].name, SLICE("accept")))
			continue;
		if (lines++ == 1)
			(void)buf_add(&b, one.p, one.n);
		one = h[i].value;
		if (lines > 1) {
			(void)buf_addc(&b, ',');
			(void)buf_add(&b, one.p, one.n);
		}
	}
	r = codec_choose(lines > 1 ? buf_slice(&b) : one, flags, &c->out.codec, err);
	buf_fini(&b);
	if (r < 0) {
		c->out.codec = (struct codec){ .content_type = "application/json" };
		return status_not_acceptable(err, &c->about);
	}
	c->out.codec.pretty = c->q.pretty;
	return c->out.codec.shape == CODEC_TABLE ? choose_include(c, err) : 0;
}

/* What tells of an error when even that cannot be told. */
static void fail_plainly(struct call *c)
{
	call_text(c, 500, "application/json",
		  SLICE("{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"
			"\"status\":\"Failure\",\"message\":\"the answer does not fit its "
			"memory\",\"reason\":\"InternalError\",\"code\":500}\n"));
}

void call_doc(struct call *c, int code, const struct doc *d, const struct api_type *type)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(ANSWER_MAX);
	struct err err ERR_RAW;

	err_clear(&err);
	c->out.a = call_work(c);
	if (codec_doc(&c->out, d, type, &b, &err) < 0) {
		if (code >= 400) /* the error itself could not be told */
			fail_plainly(c);
		else
			call_fail(c, &err);
		return;
	}
	if (c->out.codec.media != CODEC_JSON && is_told(c, code)) {
		c->told = BUF_INIT(TOLD_MAX);
		(void)json_write(d, NULL, &c->told, NULL); /* too much is left out */
	}
	call_answer(c, code, buf_slice(&b));
}

void call_fail(struct call *c, const struct err *err)
{
	struct doc d = doc_object();
	int code = 500;

	if (c->answered)
		return;
	if (!c->out.codec.content_type || c->out.codec.shape != CODEC_OBJECT)
		c->out.codec.shape = CODEC_OBJECT;
	if (!c->out.codec.content_type)
		c->out.codec.content_type = "application/json";
	if (status_doc(err, &c->about, call_work(c), &d, &code) < 0) {
		fail_plainly(c);
		return;
	}
	c->code = code;
	call_doc(c, code, &d, api_type(c->srv->conf.api, API_META, "Status"));
}

static void answer_item(struct call *c, struct item *i, void *arg)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(ANSWER_MAX);
	struct err err ERR_RAW;
	const int code = *(const int *)arg;

	err_clear(&err);
	c->out.a = call_work(c);
	if (codec_item(&c->out, i, &b, &err) < 0) {
		call_fail(c, &err);
		return;
	}
	if (c->out.codec.media != CODEC_JSON && is_told(c, code)) {
		struct codec_out json = c->out;

		json.codec = (struct codec){ .shape = c->out.codec.shape,
					     .include = c->out.codec.include };
		c->told = BUF_INIT(TOLD_MAX);
		(void)codec_item(&json, i, &c->told, &err); /* too much is left out */
	}
	call_answer(c, code, buf_slice(&b));
}

void call_item(struct call *c, int code, struct item *i)
{
	int *kept = ARENA_NEW(c->a, int);
	struct err err = ERR_INIT;

	if (!kept) {
		(void)arena_quota(c->a, &err);
		call_fail(c, &err);
		return;
	}
	*kept = code;
	call_converted(c, i, answer_item, kept);
}

/* ---- bodies ---- */

int call_media(struct call *c, unsigned flags, struct err *err)
{
	return codec_body(stream_header(c->s, "Content-Type"), flags, &c->media, err);
}

static void collected(struct stream *s, void *arg, int result, struct slice body, struct err *err)
{
	CLEANUP(call_drop) struct call *c = arg; /* held by call_body */

	(void)s;
	if (c->answered)
		return;
	if (result == 0) {
		c->body = body;
		c->next(c);
		return;
	}
	if (result == -ERR_TOO_LARGE)
		(void)status_too_large(err, &c->about,
				       c->srv->conf.body_max ? c->srv->conf.body_max : COLLECT_MAX);
	call_fail(c, err);
}

void call_body(struct call *c, void (*next)(struct call *c))
{
	size_t max = c->srv->conf.body_max ? c->srv->conf.body_max : COLLECT_MAX;

	c->next = next;
	stream_collect(c->s, max, collected, call_hold(c));
}

void call_resource(struct call *c, void (*next)(struct call *c))
{
	unsigned flags = c->resource->kind->custom ? CODEC_NO_PROTO : 0;
	struct err err ERR_RAW;

	err_clear(&err);
	if (call_choose(c, flags, &err) < 0 || call_media(c, flags, &err) < 0)
		call_fail(c, &err);
	else
		call_body(c, next);
}

/* ---- revisions ---- */

int call_revision(struct call *c, const char *text, int64_t *ret, struct err *err)
{
	*ret = -1;
	if (!*text)
		return 0;
	if (str_int64(slice_str(text), ret, NULL) < 0 || *ret < 0)
		return status_bad_request(err, &c->about,
					  "resourceVersion: Invalid value: \"%.64s\": "
					  "strconv.ParseUint: parsing \"%.64s\": invalid syntax",
					  text, text);
	return 0;
}

struct waiter {
	struct world_wait wait;
	struct call *c;
};

static void too_large(struct call *c, int64_t want, struct err *err)
{
	struct cause *x = ARENA_NEW(c->a, struct cause);

	(void)status_timeout(err, &c->about, 1, "Too large resource version: %lld, current: %lld",
			     (long long)want, (long long)world_revision(c->srv->conf.world));
	if (x)
		*x = (struct cause){ .reason = "ResourceVersionTooLarge",
				     .detail = "Too large resource version" };
	err->causes = x;
}

static void waited(struct world_wait *w, int result, struct err *err)
{
	CLEANUP(call_drop) struct call *c = CONTAINER_OF(w, struct waiter, wait)->c;

	c->waiting = false;
	if (c->answered)
		return;
	if (result == 0) {
		c->next(c);
		return;
	}
	if (result == -ERR_TIMEOUT && w->revision)
		too_large(c, w->revision, err);
	call_fail(c, err);
}

/* False: answered. */
static bool begin_wait(struct call *c,
		       void (*done)(struct world_wait *w, int result, struct err *err))
{
	struct err err ERR_RAW;

	if (!c->wait) {
		struct waiter *x = ARENA_NEW(c->a, struct waiter);

		if (!x) {
			err_clear(&err);
			(void)arena_quota(c->a, &err);
			call_fail(c, &err);
			return false;
		}
		x->c = c;
		c->wait = &x->wait;
	}
	c->waiting = true;
	c->wait->done = done;
	(void)call_hold(c);
	return true;
}

void call_wait(struct call *c, int64_t revision, void (*next)(struct call *c))
{
	c->next = next;
	if (revision > 0 && revision <= world_revision(c->srv->conf.world))
		next(c);
	else if (begin_wait(c, waited))
		world_wait(c->srv->conf.world, c->wait, revision);
}

/* Also in vain: call_objects tells it. */
static void objects_waited(struct world_wait *w, int result, struct err *err)
{
	CLEANUP(call_drop) struct call *c = CONTAINER_OF(w, struct waiter, wait)->c;

	c->waiting = false;
	if (!c->answered)
		c->next(c);
}

void call_wait_objects(struct call *c, void (*next)(struct call *c))
{
	const struct collection *o = c->resource->objects;

	c->next = next;
	if (!o || !o->cache || cache_ready(o->cache))
		next(c);
	else if (begin_wait(c, objects_waited))
		cache_wait(o->cache, c->wait);
}

/* ---- webhooks that are asked who it is, and what they may ---- */

static void end_asking(struct call *c, bool given_up)
{
	void (*next)(void *arg, bool over) = STEAL(c->asked);

	next(c->asked_arg, given_up);
	call_drop(c);
}

static void on_asked(struct authz_wait *w)
{
	end_asking(CONTAINER_OF(w, struct call, ask), false);
}

static void on_known(struct authn_wait *w)
{
	end_asking(CONTAINER_OF(w, struct call, ask_who), false);
}

static void on_question(struct convert_wait *w)
{
	end_asking(CONTAINER_OF(w, struct call, ask_convert), false);
}

static void on_images(struct image_wait *w)
{
	end_asking(CONTAINER_OF(w, struct call, ask_images), false);
}

bool call_asks(struct call *c, void (*next)(void *arg, bool given_up), void *arg)
{
	if (!c->memo.open && !c->known.open && !c->converted.open && !c->images.open)
		return false;
	c->asked = next;
	c->asked_arg = arg;
	c->ask.done = on_asked;
	c->ask_who.done = on_known;
	c->ask_convert.done = on_question;
	c->ask_images.done = on_images;
	(void)call_hold(c);
	if (c->memo.open)
		authz_wait(&c->ask, &c->memo);
	else if (c->converted.open)
		convert_wait(c->srv->converter, &c->converted, &c->ask_convert);
	else if (c->images.open)
		image_wait(&c->ask_images, &c->images);
	else
		authn_wait(&c->ask_who, &c->known);
	return true;
}

void call_ask_no_more(struct call *c)
{
	if (!c->asked)
		return;
	authz_unwait(&c->ask);
	authn_unwait(&c->ask_who);
	convert_unwait(&c->ask_convert);
	image_unwait(&c->ask_images);
	end_asking(c, true);
}
