/* SPDX-License-Identifier: Apache-2.0 */
/* POST serviceaccounts/NAME/token: a token of the account, perhaps bound to an object. */
#include "apiserver/admission/admission.h"
#include "apiserver/auth/account-token.h"
#include "apiserver/rest/rest-write.h"
#include "apiserver/strategy/strategy-private.h"
#include "base/clock.h"

#include "api/check.h"
#include "api/defaults.h"
#include "crypto/aead.h"

#define TOKEN_ROOM 65536
#define GROUP_VERSION "authentication.k8s.io/v1"

struct request {
	struct change x;
	struct doc obj; /* the TokenRequest */
	struct doc found[4];
	size_t nfound;
	struct account_claim account, pod, secret, node;
	struct account_request q;
	struct hook_ask ask;
	bool mutated;
};

static const char *text(struct request *t, const struct doc *d, const char *path)
{
	const char *s = doc_cstr(call_work(t->x.c), doc_find(d, path));

	return s ? s : "";
}

/* An object and its name and uid; NULL: it is not there. */
static const struct doc *look(struct request *t, const char *resource, const char *ns,
			      const char *name, struct account_claim *ret, struct err *err)
{
	struct call *c = t->x.c;
	struct item *i = resources_get(c->srv->conf.resources, "", resource, ns, name);
	struct doc *d = &t->found[t->nfound];

	if (!i) {
		struct collection *o = resources_objects(c->srv->conf.resources, "", resource);

		c->about = status_about(o->kind);
		(void)status_not_found(err, &c->about, name);
		return NULL;
	}
	if (codec_parse(i, call_work(c), d, err) < 0)
		return NULL;
	t->nfound++;
	ret->name = text(t, d, "metadata.name");
	ret->uid = text(t, d, "metadata.uid");
	return d;
}

/* metadata says the account's names, or nothing; it then has them. */
static int check_names(struct request *t, struct err *err)
{
	struct call *c = t->x.c;
	struct doc *meta = change_meta(&t->x, t->x.type, &t->obj);
	const struct {
		const char *field, *want, *what;
	} rows[] = { { "name", c->rq.name, "name" },
		     { "namespace", c->rq.namespace_, "namespace" } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *have = text(t, meta, rows[i].field);

		if (*have && strcmp(have, rows[i].want) != 0) {
			c->about = (struct status_about){ .group = "authentication.k8s.io",
							  .kind = "TokenRequest" };
			return status_invalid(
				err, &c->about, have,
				"metadata.%s: Invalid value: \"%.253s\": must match the "
				"service account %s if specified",
				rows[i].field, have, rows[i].what);
		}
		change_set_meta(&t->x, meta, rows[i].field, doc_str(call_work(c), rows[i].want));
	}
	return 0;
}

static int check(struct request *t, struct err *err)
{
	struct call *c = t->x.c;
	const struct api_kind *review = api_kind(c->srv->conf.api, GROUP_VERSION, "TokenReview");
	struct api_kind kind = { .group = review->group,
				 .kind = "TokenRequest",
				 .list_kind = "",
				 .resource = "",
				 .singular = "",
				 .type = t->x.type };

	return api_check(c->srv->conf.api, &kind, "", &t->obj, NULL, call_work(c), err);
}

/* Nodes get tokens of their own pods only: NodeRestriction. */
static int admit(struct request *t, struct err *err)
{
	struct call *c = t->x.c;
	struct strategy_call sc = { .rs = c->srv->conf.resources,
				    .objects = c->resource->objects,
				    .sub = "token",
				    .a = call_work(c),
				    .now = call_now(c),
				    .user = c->user,
				    .dry_run = c->q.dry_run };
	struct admission_call ac = {
		.sc = &sc,
		.op = ADMISSION_CREATE,
		.ns = c->rq.namespace_,
		.sub = "token",
		.name = c->rq.name,
		.obj = &t->obj,
		.authz = c->srv->conf.authz,
		.about = &c->about,
	};

	return admission_mutate(c->srv->conf.admission, &ac, err);
}

/* ---- what it is bound to ---- */

static int bind_pod(struct request *t, const char *name, struct err *err)
{
	struct call *c = t->x.c;
	const struct doc *pod = look(t, "pods", c->rq.namespace_, name, &t->pod, err);
	struct err none = ERR_INIT;
	struct status_about about = c->about;
	const char *node;

	if (!pod)
		return err_ret(err);
	if (strcmp(text(t, pod, "spec.serviceAccountName"), t->account.name) != 0)
		return status_bad_request(err, &c->about,
					  "cannot bind token for serviceaccount \"%.253s\" to pod "
					  "running with different serviceaccount name.",
					  t->account.name);
	t->q.pod = &t->pod;
	node = text(t, pod, "spec.nodeName");
	if (!*node)
		return 0;
	t->q.node = &t->node;
	if (!look(t, "nodes", "", node, &t->node, &none)) {
		c->about = about; /* it went before its pods */
		t->node = (struct account_claim){ .name = node };
	}
	return 0;
}

static int bind(struct request *t, struct err *err)
{
	struct call *c = t->x.c;
	const struct doc *ref = doc_find(&t->obj, "spec.boundObjectRef");
	const char *kind = text(t, ref, "kind"), *version = text(t, ref, "apiVersion"),
		   *name = text(t, ref, "name"), *uid = text(t, ref, "uid");
	const struct account_claim *to = NULL;
	bool core = strcmp(version, "v1") == 0;
	int r = 0;

	if (!doc_is(ref, DOC_OBJECT))
		return 0;
	if (core && strcmp(kind, "Pod") == 0) {
		r = bind_pod(t, name, err);
		to = &t->pod;
	} else if (core && strcmp(kind, "Secret") == 0) {
		r = look(t, "secrets", c->rq.namespace_, name, &t->secret, err) ? 0 : err_ret(err);
		to = t->q.secret = &t->secret;
	} else if (core && strcmp(kind, "Node") == 0) {
		r = look(t, "nodes", "", name, &t->node, err) ? 0 : err_ret(err);
		to = t->q.node = &t->node;
	} else {
		return status_bad_request(err, &c->about,
					  "cannot bind token to object of type %.100s, Kind=%.100s",
					  *version ? version : "/", kind);
	}
	if (r < 0 || !*uid || strcmp(uid, to->uid) == 0)
		return r;
	c->about = (struct status_about){ .resource = arena_strdup(c->a, kind) };
	return status_conflict(
		err, &c->about, name,
		"the UID in the bound object reference (%.64s) does not match the UID "
		"in record. The object might have been deleted and then recreated",
		uid);
}

/* ---- making it ---- */

static int read_audiences(struct request *t, struct err *err)
{
	struct arena *a = call_work(t->x.c);
	struct doc *spec = doc_get(&t->obj, "spec"), *list = doc_get(spec, "audiences");
	const char *const *own = account_tokens_audiences(t->x.c->srv->conf.accounts);
	const char **v;
	size_t n = 0;

	if (!doc_len(list)) {
		struct doc l = doc_array();

		for (; *own; own++)
			doc_append_str(a, &l, *own);
		(void)strategy_put(t->x.type, &t->obj, a, "spec.audiences", l);
		list = doc_find(&t->obj, "spec.audiences");
	}
	v = ARENA_ARRAY(a, const char *, doc_len(list) + 1);
	if (!v)
		return arena_quota(a, err);
	DOC_EACH (one, list)
		if (!(v[n++] = doc_cstr(a, one)))
			return status_bad_request(err, &t->x.c->about,
						  "spec.audiences has a text with a NUL");
	t->q.audiences = v;
	return 0;
}

static int answer(struct request *t, const struct account_answer *got, struct slice token,
		  struct err *err)
{
	struct call *c = t->x.c;
	struct arena *a = call_work(c);
	struct doc *meta = change_meta(&t->x, t->x.type, &t->obj);
	struct doc status = doc_object();
	char text[CLOCK_TEXT_MAX];

	if (got->cut) {
		call_warn(c, arena_printf(a,
					  "requested expiration of %lld seconds shortened to %lld "
					  "seconds",
					  (long long)t->q.life, (long long)got->cut));
		(void)strategy_put(t->x.type, &t->obj, a, "spec.expirationSeconds",
				   doc_int(a, got->cut));
	}
	change_set_meta(&t->x, meta, "creationTimestamp", doc_str(a, change_now(&t->x)));
	doc_set_strn(a, &status, "token", token.p, token.n);
	doc_set_str(a, &status, "expirationTimestamp",
		    clock_rfc3339nano(text, got->end * NS_PER_SEC));
	api_set(t->x.type, &t->obj, a, "status", status);
	call_note(c, "authentication.kubernetes.io/issued-credential-id", got->id);
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

static int prepare(struct request *t, struct err *err)
{
	struct call *c = t->x.c;
	int r = change_read(&t->x, &t->obj, err);

	if (r == 0)
		r = check_names(t, err);
	if (r == 0 && !look(t, "serviceaccounts", c->rq.namespace_, c->rq.name, &t->account, err))
		return err_ret(err);
	return r < 0 ? r : admit(t, err);
}

/* What webhooks made of it. */
static int settle(struct request *t, struct err *err)
{
	int r = check_names(t, err);

	if (r == 0)
		r = read_audiences(t, err);
	return r < 0 ? r : check(t, err);
}

static int make(struct request *t, struct err *err)
{
	CLEANUP(secret_buf_fini) struct buf token = BUF_INIT(TOKEN_ROOM);
	struct call *c = t->x.c;
	struct account_answer got;
	int r = bind(t, err);

	if (r < 0)
		return r;
	t->q.ns = c->rq.namespace_;
	t->q.account = t->account;
	t->q.now = call_now(c);
	t->q.life = strategy_int(&t->obj, "spec.expirationSeconds");
	if (!buf_room(&token, TOKEN_ROOM / 2))
		return err_set(err, ERR_SYSTEM, "no memory for the token");
	r = account_tokens_sign(c->srv->conf.accounts, &t->q, call_work(c), &token, &got, err);
	return r < 0 ? r : answer(t, &got, buf_slice(&token), err);
}

/* Webhooks that may change it, then those that may refuse it. */
static void agreed(struct hook_ask *k, int result, struct err *err)
{
	struct request *t = k->arg;
	struct call *c = k->c;
	struct err why = ERR_INIT;

	if (result < 0) {
		hook_ask_fail(k, err);
	} else if (t->mutated) {
		if (make(t, &why) < 0)
			call_fail(c, &why);
		else
			call_doc(c, 201, &t->obj, t->x.type);
	} else if (settle(t, &why) < 0) {
		call_fail(c, &why);
	} else {
		t->mutated = true;
		hook_ask_validate(k);
	}
}

static void stop(struct call *c)
{
	struct request *t = c->verb;

	hook_ask_cancel(&t->ask);
}

static void post(struct call *c)
{
	struct request *t = ARENA_NEW(c->a, struct request);
	struct err err = ERR_INIT;

	if (!t) {
		(void)arena_quota(c->a, &err);
		call_fail(c, &err);
		return;
	}
	t->x = (struct change){ .c = c,
				.type = api_type(c->srv->conf.api, GROUP_VERSION, "TokenRequest"),
				.api_version = GROUP_VERSION,
				.kind = "TokenRequest" };
	if (prepare(t, &err) < 0) {
		call_fail(c, &err);
		return;
	}
	t->ask = (struct hook_ask){ .c = c,
				    .op = HOOK_CREATE,
				    .asked = c->resource,
				    .ns = c->rq.namespace_,
				    .name = c->rq.name,
				    .sub = "token",
				    .obj = &t->obj,
				    .own = t->x.type,
				    .options = change_options(c, "CreateOptions"),
				    .dry_run = c->q.dry_run,
				    .done = agreed,
				    .arg = t };
	c->verb = t;
	c->stop = stop;
	hook_ask_mutate(&t->ask);
}

/* Accounts and pods that others have just made are here, too. */
static void catch_up(struct call *c)
{
	call_wait(c, 0, post);
}

bool rest_token(struct call *c)
{
	struct err err ERR_RAW;

	if (!c->sub || strcmp(c->sub->name, "token") != 0 ||
	    strcmp(c->resource->kind->kind, "ServiceAccount") != 0)
		return false;
	err_clear(&err);
	if (!c->srv->conf.accounts || !account_tokens_can_sign(c->srv->conf.accounts)) {
		(void)status_unavailable(
			&err, &c->about,
			"serviceaccounts/token: there is no key that signs tokens");
		call_fail(c, &err);
	} else if (call_choose(c, CODEC_NO_SHAPE, &err) < 0 || call_media(c, 0, &err) < 0) {
		call_fail(c, &err);
	} else {
		call_body(c, catch_up);
	}
	return true;
}
