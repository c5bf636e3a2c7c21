/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A job makes sure of one object: a key "KIND/NS/NAME" of what is followed. It looks at the objects
 * as they are when it begins, so one too many finds nothing to do.
 */
#include "apiserver/auth/account-control.h"

#include "api/api.h"
#include "api/defaults.h"
#include "apiserver/auth/account-token.h"
#include "apiserver/objects/codec.h"
#include "apiserver/strategy/own-follow.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "crypto/aead.h"
#include "doc/json.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RUNNING_MAX 64
#define TOKEN_TYPE "kubernetes.io/service-account-token"
#define NAME_NOTE "kubernetes.io/service-account.name"
#define UID_NOTE "kubernetes.io/service-account.uid"
#define USED_LABEL "kubernetes.io/legacy-token-last-used"
#define DEFAULT "default"
#define ROOTS "kube-root-ca.crt"

enum job_kind { JOB_ACCOUNT, JOB_ROOTS, JOB_SECRET, JOB_USED };

/* Of one run; in the task's arena. */
struct job {
	struct account_control *c;
	struct own_task *t;
	struct arena *a;
	const char *ns, *name;
};

struct account_control {
	struct own_follow follow;
	struct resources *rs;
	struct account_tokens *tokens;
	struct buf roots, roots_json; /* PEM; as a ConfigMap's JSON has it, with its key */
	bool ended;
	void (*done)(void *arg, int result, struct err *err);
	void *arg;
};

static struct account_control *of(struct own_follow *f)
{
	return CONTAINER_OF(f, struct account_control, follow);
}

/* ---- jobs ---- */

static void want(struct account_control *c, enum job_kind kind, struct slice ns, struct slice name,
		 bool later)
{
	char key[600]; /* names have at most 253 bytes */
	int n = snprintf(key, sizeof(key), "%d/%.*s/%.*s", (int)kind, (int)ns.n, ns.n ? ns.p : "",
			 (int)name.n, name.n ? name.p : "");

	if (n < 0 || (size_t)n >= sizeof(key))
		return;
	if (later)
		own_follow_add_later(&c->follow, slice_of(key, (size_t)n));
	else
		own_follow_add(&c->follow, slice_of(key, (size_t)n));
}

static struct job job_of(struct own_task *t)
{
	struct slice name = slice_str(t->key + 2), ns = slice_split(&name, '/');

	return (struct job){ .c = of(t->f),
			     .t = t,
			     .a = t->a,
			     .ns = arena_strndup(t->a, ns.p, ns.n),
			     .name = arena_strndup(t->a, name.p, name.n) };
}

static int put(struct job *j, const char *resource, const struct doc *want_doc,
	       int (*update)(struct own_put *p, struct arena *a, struct doc *obj,
			     const struct doc *want_doc, struct err *err),
	       bool only_there)
{
	j->t->put = (struct own_put){
		.group = "",
		.resource = resource,
		.namespace_ = j->ns,
		.name = j->name,
		.want = want_doc,
		.update = update,
		.only_there = only_there,
	};
	own_task_put(j->t);
	return OWN_WRITES;
}

/* ---- of each namespace ---- */

static bool is_active(struct job *j)
{
	struct item *i = resources_get(j->c->rs, "", "namespaces", "", j->ns);
	struct err err = ERR_INIT;
	struct doc d;

	return i && codec_parse(i, j->a, &d, &err) == 0 &&
	       !doc_str_is(doc_find(&d, "status.phase"), "Terminating") &&
	       !doc_is(doc_find(&d, "metadata.deletionTimestamp"), DOC_STRING);
}

static struct item *find(struct job *j, const char *resource)
{
	return resources_get(j->c->rs, "", resource, j->ns, j->name);
}

static int make_account(struct job *j)
{
	if (find(j, "serviceaccounts") || !is_active(j))
		return OWN_DONE;
	return put(j, "serviceaccounts", doc_new_object(j->a), NULL, false);
}

static int update_roots(struct own_put *p, struct arena *a, struct doc *obj,
			const struct doc *want_doc, struct err *err)
{
	bool changed = own_take(p->objects->kind->type, obj, want_doc, "data", a);

	(void)err;
	return own_take_map(p->rs, obj, want_doc, "annotations", a) || changed;
}

static int make_roots(struct job *j)
{
	struct item *i = find(j, "configmaps");
	struct doc *d = doc_new_object(j->a), *m;

	if (!is_active(j) || (i && slice_has_text(item_json(i), buf_slice(&j->c->roots_json))))
		return OWN_DONE;
	m = doc_set_object(j->a, doc_set_object(j->a, d, "metadata"), "annotations");
	doc_set_str(j->a, m, "kubernetes.io/description",
		    "The CAs that this cluster's API server is known by; for clients of its "
		    "internal addresses only.");
	doc_set_strn(j->a, doc_set_object(j->a, d, "data"), "ca.crt", j->c->roots.p, j->c->roots.n);
	return put(j, "configmaps", d, update_roots, false);
}

/* ---- Secrets of tokens ---- */

static const char *note_of(struct arena *a, const struct doc *obj, const char *key)
{
	const char *s = doc_cstr(a, doc_get(doc_find(obj, "metadata.annotations"), key));

	return s ? s : "";
}

static void put_base64(struct arena *a, struct doc *data, const char *key, struct slice bytes)
{
	char *text = arena_alloc(a, BASE64_LEN(bytes.n) + 1);

	if (!text)
		return;
	base64_encode(text, bytes.p, bytes.n);
	(void)doc_set_str(a, data, key, text);
}

/* The data that it lacks; ca.crt also when it is another. */
static int update_secret(struct own_put *p, struct arena *a, struct doc *obj,
			 const struct doc *want_doc, struct err *err)
{
	static const char *const keys[] = { "ca.crt", "namespace", "token" };
	const struct doc *from = doc_get(want_doc, "data");
	struct doc *data = doc_copy_shared(a, doc_get(obj, "data"));
	bool changed = false;

	(void)err;
	/* another one of that name, or for another account, came meanwhile */
	if (doc_true(doc_get(obj, "immutable")) || !doc_str_is(doc_get(obj, "type"), TOKEN_TYPE) ||
	    strcmp(note_of(a, obj, NAME_NOTE), note_of(a, want_doc, NAME_NOTE)) != 0)
		return 0;
	if (!doc_is(data, DOC_OBJECT))
		data = doc_new_object(a);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const struct doc *v = doc_get(from, keys[i]), *have = doc_get(data, keys[i]);

		if (!v || (have && (i > 0 || doc_equal(v, have))))
			continue;
		doc_set(a, data, keys[i], *v);
		changed = true;
	}
	if (changed && data)
		api_set(p->objects->kind->type, obj, a, "data", *data);
	return own_take_map(p->rs, obj, want_doc, "annotations", a) || changed;
}

static int fill_secret(struct job *j, const struct account_claim *account, bool has_token)
{
	CLEANUP(secret_buf_fini) struct buf token = BUF_INIT(65536);
	struct doc *d = doc_new_object(j->a), *data, *notes;
	struct err err = ERR_INIT;

	if (!has_token && (!buf_room(&token, 16384) ||
			   account_tokens_sign_secret(j->c->tokens, j->ns, account, j->name, j->a,
						      &token, &err) < 0)) {
		log_kv(LOG_LEVEL_ERROR, "a Secret gets no token", "secret", j->t->key + 2, "error",
		       err.msg, NULL);
		return OWN_DONE;
	}
	doc_set_str(j->a, d, "type", TOKEN_TYPE);
	notes = doc_set_object(j->a, doc_set_object(j->a, d, "metadata"), "annotations");
	doc_set_str(j->a, notes, NAME_NOTE, account->name);
	doc_set_str(j->a, notes, UID_NOTE, account->uid);
	data = doc_set_object(j->a, d, "data");
	put_base64(j->a, data, "ca.crt", buf_slice(&j->c->roots));
	put_base64(j->a, data, "namespace", slice_str(j->ns));
	if (!has_token)
		put_base64(j->a, data, "token", buf_slice(&token));
	return put(j, "secrets", d, update_secret, true);
}

enum found { FOUND_NOTHING, FOUND_LATER, FOUND_LOST, FOUND };

/* The account of a Secret of a token. LOST: it is not there, or is another one of that name. */
static enum found find_account(struct job *j, const struct doc *secret, struct account_claim *ret)
{
	const char *uid = note_of(j->a, secret, UID_NOTE);
	struct err err = ERR_INIT;
	struct item *i;
	struct doc d;

	ret->name = note_of(j->a, secret, NAME_NOTE);
	if (!doc_str_is(doc_get(secret, "type"), TOKEN_TYPE) || !*ret->name)
		return FOUND_NOTHING;
	i = resources_get(j->c->rs, "", "serviceaccounts", j->ns, ret->name);
	if (!i) /* "default" is being made */
		return strcmp(ret->name, DEFAULT) == 0 && is_active(j) ? FOUND_LATER : FOUND_LOST;
	if (codec_parse(i, j->a, &d, &err) < 0)
		return FOUND_NOTHING;
	ret->uid = doc_cstr(j->a, doc_find(&d, "metadata.uid"));
	if (!ret->uid)
		return FOUND_NOTHING;
	return *uid && strcmp(uid, ret->uid) != 0 ? FOUND_LOST : FOUND;
}

static int remove_secret(struct own_put *p, struct arena *a, struct doc *obj,
			 const struct doc *want_doc, struct err *err)
{
	struct job j = job_of(p->arg);
	struct account_claim who;

	(void)want_doc;
	return find_account(&j, obj, &who) == FOUND_LOST ? own_delete(p, a, obj, err) : 0;
}

static int look_at_secret(struct job *j)
{
	struct item *i = find(j, "secrets");
	struct err err = ERR_INIT;
	struct account_claim who;
	struct doc d;

	if (!i || codec_parse(i, j->a, &d, &err) < 0)
		return OWN_DONE;
	switch (find_account(j, &d, &who)) {
	case FOUND_LATER: return OWN_LATER;
	case FOUND_LOST: return put(j, "secrets", doc_new_object(j->a), remove_secret, true);
	case FOUND: return fill_secret(j, &who, doc_get(doc_get(&d, "data"), "token") != NULL);
	default: return OWN_DONE;
	}
}

/* ---- use of their tokens ---- */

static int update_used(struct own_put *p, struct arena *a, struct doc *obj,
		       const struct doc *want_doc, struct err *err)
{
	(void)err;
	return own_take_map(p->rs, obj, want_doc, "labels", a);
}

static int note_use(struct job *j)
{
	struct doc *d = doc_new_object(j->a), *labels;
	time_t now = (time_t)(clock_real() / NS_PER_SEC);
	struct tm tm;
	char day[16];

	(void)gmtime_r(&now, &tm);
	(void)strftime(day, sizeof(day), "%Y-%m-%d", &tm);
	labels = doc_set_object(j->a, doc_set_object(j->a, d, "metadata"), "labels");
	doc_set_str(j->a, labels, USED_LABEL, day);
	return put(j, "secrets", d, update_used, true);
}

static void on_used(void *arg, struct slice secret)
{
	struct slice name = secret, ns = slice_split(&name, '/');

	want(arg, JOB_USED, ns, name, false);
}

/* ---- one look ---- */

static int run(struct own_task *t, struct err *err)
{
	static int (*const runs[])(struct job * j) = { make_account, make_roots, look_at_secret,
						       note_use };
	struct job j = job_of(t);

	(void)err;
	return runs[t->key[0] - '0'](&j);
}

/* All of the beginning is there, or was tried. */
static void rest(struct own_follow *f)
{
	struct account_control *c = of(f);
	void (*done)(void *arg, int result, struct err *err) = STEAL(c->done);

	if (done)
		done(c->arg, 0, NULL);
}

/* ---- what changes ---- */

static void want_namespace(struct account_control *c, struct slice ns)
{
	want(c, JOB_ACCOUNT, ns, SLICE(DEFAULT), false);
	want(c, JOB_ROOTS, ns, SLICE(ROOTS), false);
}

/* Those of one account's name, or all. */
static void want_secrets(struct account_control *c, struct slice ns, struct slice account)
{
	struct collection *o = resources_objects(c->rs, "", "secrets");
	CLEANUP(cache_view_unref) struct cache_view *v = cache_now(o->cache);
	char prefix[300] = "";
	struct cache_iter it;
	struct item *i;

	if (ns.n)
		(void)snprintf(prefix, sizeof(prefix), "%.*s/", (int)ns.n, ns.p);
	cache_iter_init(&it, v, slice_str(prefix), SLICE(""));
	while ((i = cache_iter_next(&it)))
		if (slice_has_text(item_json(i), SLICE(TOKEN_TYPE)) &&
		    (!account.n || slice_has_text(item_json(i), account)))
			want(c, JOB_SECRET, item_namespace(i), item_name(i), false);
}

static void namespace_changed(struct own_follow *f, enum cache_change what, struct item *i)
{
	if (what != CACHE_DELETED)
		want_namespace(of(f), item_name(i));
}

static void account_changed(struct own_follow *f, enum cache_change what, struct item *i)
{
	if (what == CACHE_MODIFIED)
		return;
	if (what == CACHE_DELETED && slice_is(item_name(i), DEFAULT))
		want(of(f), JOB_ACCOUNT, item_namespace(i), SLICE(DEFAULT), false);
	want_secrets(of(f), item_namespace(i), item_name(i));
}

/* Mended in a moment: a server with other roots over the same store would answer at once, too. */
static void roots_changed(struct own_follow *f, enum cache_change what, struct item *i)
{
	want(of(f), JOB_ROOTS, item_namespace(i), SLICE(ROOTS), what != CACHE_DELETED);
}

static void secret_changed(struct own_follow *f, enum cache_change what, struct item *i)
{
	if (what != CACHE_DELETED)
		want(of(f), JOB_SECRET, item_namespace(i), item_name(i), false);
}

static const struct slice roots_name = SLICE(ROOTS), token_type = SLICE(TOKEN_TYPE);
static const struct selector_term roots_term = {
	.key = { "metadata.name", 13 }, .op = SELECT_EQUAL, .values = &roots_name, .n = 1
};
static const struct selector_term type_term = {
	.key = { "type", 4 }, .op = SELECT_EQUAL, .values = &token_type, .n = 1
};
static const struct selector only_roots = { .terms = &roots_term, .n = 1 };
static const struct selector only_tokens = { .terms = &type_term, .n = 1 };

static const struct own_source sources[] = {
	{ "", "namespaces", namespace_changed, NULL, false },
	{ "", "serviceaccounts", account_changed, NULL, false },
	{ "", "configmaps", roots_changed, &only_roots, false },
	{ "", "secrets", secret_changed, &only_tokens, false },
};

static void look_at_all(struct own_follow *f)
{
	struct account_control *c = of(f);
	struct collection *o = resources_objects(c->rs, "", "namespaces");
	CLEANUP(cache_view_unref) struct cache_view *v = cache_now(o->cache);
	struct cache_iter it;
	struct item *i;

	cache_iter_init(&it, v, SLICE(""), SLICE(""));
	while ((i = cache_iter_next(&it)))
		want_namespace(c, item_name(i));
	want_secrets(c, SLICE(""), SLICE(""));
}

/* ---- life ---- */

static void set_roots(struct account_control *c, struct slice roots)
{
	buf_clear(&c->roots);
	buf_clear(&c->roots_json);
	(void)buf_add(&c->roots, roots.p, roots.n);
	(void)buf_adds(&c->roots_json, "\"ca.crt\":");
	(void)json_write_string(&c->roots_json, roots, true);
}

void account_control_set_roots(struct account_control *c, struct slice roots)
{
	if (!c || slice_eq(buf_slice(&c->roots), roots))
		return;
	set_roots(c, roots);
	look_at_all(&c->follow);
}

static void ended(struct own_follow *f)
{
	of(f)->ended = true;
}

static void free_it(struct account_control *c)
{
	buf_fini(&c->roots);
	buf_fini(&c->roots_json);
	free(c);
}

int account_control_start(const struct account_control_conf *conf,
			  void (*done)(void *arg, int result, struct err *err), void *arg,
			  struct account_control **ret, struct err *err)
{
	struct account_control *c = calloc(1, sizeof(*c));

	if (!c)
		abort();
	c->follow = (struct own_follow){ .loop = conf->loop,
					 .rs = conf->resources,
					 .what = "namespaces",
					 .sources = sources,
					 .n = ARRAY_LEN(sources),
					 .at_once = RUNNING_MAX,
					 .run = run,
					 .all = look_at_all,
					 .rest = rest,
					 .end = ended };
	c->rs = conf->resources;
	c->tokens = conf->tokens;
	c->roots = BUF_INIT(1u << 20);
	c->roots_json = BUF_INIT(4u << 20);
	set_roots(c, conf->roots);
	c->done = done;
	c->arg = arg;
	if (own_follow_start(&c->follow, err) < 0) {
		free_it(c);
		return err_ret(err);
	}
	account_tokens_set_used(c->tokens, on_used, c);
	*ret = c;
	return 0;
}

void account_control_stop(struct account_control *c)
{
	if (!c || c->follow.stopped)
		return;
	account_tokens_set_used(c->tokens, NULL, NULL);
	own_follow_stop(&c->follow);
}

void account_control_free(struct account_control *c)
{
	if (!c)
		return;
	account_control_stop(c);
	assert(c->ended);
	free_it(c);
}
