/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/auth/authz-config.h"

#include "apiserver/auth/authz-match.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "doc/schema.h"
#include "doc/yaml.h"

#include <stdio.h>
#include <string.h>

#define GROUP "apiserver.config.k8s.io/"
#define TIMEOUT_MAX (30 * NS_PER_SEC)
#define AUTHORIZED_TTL (300 * NS_PER_SEC)
#define UNAUTHORIZED_TTL (30 * NS_PER_SEC)

static const struct {
	const char *name;
	enum authz_mode mode;
} modes[] = {
	{ "Node", AUTHZ_NODE },
	{ "RBAC", AUTHZ_RBAC },
	{ "ABAC", AUTHZ_ABAC },
	{ "Webhook", AUTHZ_WEBHOOK },
	{ "AlwaysAllow", AUTHZ_ALWAYS_ALLOW },
	{ "AlwaysDeny", AUTHZ_ALWAYS_DENY },
};

static bool find_mode(struct slice name, enum authz_mode *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		if (slice_is(name, modes[i].name)) {
			*ret = modes[i].mode;
			return true;
		}
	return false;
}

const char *authz_mode_name(enum authz_mode mode)
{
	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		if (modes[i].mode == mode)
			return modes[i].name;
	return "";
}

static bool has_mode(const struct authz_plan *p, enum authz_mode mode)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->steps[i].mode == mode)
			return true;
	return false;
}

/* ---- flags ---- */

static int add_mode(struct authz_plan *p, struct slice name, struct err *err)
{
	enum authz_mode mode;

	if (!find_mode(name, &mode))
		return err_set(err, ERR_BAD_REQUEST,
			       "--authorization-mode: \"%.*s\" is not a valid mode",
			       (int)MIN(name.n, 64), name.n ? name.p : "");
	if (has_mode(p, mode))
		return err_set(err, ERR_BAD_REQUEST, "--authorization-mode: \"%s\" is there twice",
			       authz_mode_name(mode));
	/* Modes are few, and each is there once: they fit. */
	p->steps[p->n++] = (struct authz_plan_step){ .mode = mode, .name = authz_mode_name(mode) };
	return 0;
}

static int add_webhook(const struct authz_flags *f, struct authz_plan_step *s, struct err *err)
{
	const char *version = f->webhook_version ? f->webhook_version : "v1";

	if (strcmp(version, "v1") != 0 && strcmp(version, "v1beta1") != 0)
		return err_set(err, ERR_BAD_REQUEST,
			       "--authorization-webhook-version %.64s: must be v1 or v1beta1",
			       version);
	s->name = "default";
	s->webhook = (struct authz_webhook_conf){
		.kubeconfig = f->webhook_config,
		.authorized_ttl = f->authorized_ttl ? f->authorized_ttl : AUTHORIZED_TTL,
		.unauthorized_ttl = f->unauthorized_ttl ? f->unauthorized_ttl : UNAUTHORIZED_TTL,
		.timeout = TIMEOUT_MAX,
		.v1beta1 = strcmp(version, "v1beta1") == 0,
	};
	return 0;
}

int authz_plan_flags(const struct authz_flags *f, struct authz_plan *ret, struct err *err)
{
	struct slice rest = slice_str(f->modes ? f->modes : AUTHZ_MODES_DEFAULT);
	const bool hooked =
		f->webhook_config || f->webhook_version || f->authorized_ttl || f->unauthorized_ttl;

	*ret = (struct authz_plan){ 0 };
	if (f->config && (f->modes || hooked))
		return err_set(err, ERR_BAD_REQUEST,
			       "--authorization-config: not with --authorization-mode and "
			       "--authorization-webhook-*");
	while (!f->config && rest.p)
		if (add_mode(ret, slice_trim(slice_split(&rest, ',')), err) < 0)
			return err_ret(err);
	if (!f->config && has_mode(ret, AUTHZ_ABAC) != (f->policy_file != NULL))
		return err_set(err, ERR_BAD_REQUEST,
			       "--authorization-policy-file: goes with the mode ABAC");
	if (!f->config && (has_mode(ret, AUTHZ_WEBHOOK) ? !f->webhook_config : hooked))
		return err_set(err, ERR_BAD_REQUEST,
			       "--authorization-webhook-config-file: goes with the mode Webhook");
	for (size_t i = 0; i < ret->n; i++)
		if (ret->steps[i].mode == AUTHZ_WEBHOOK && add_webhook(f, &ret->steps[i], err) < 0)
			return err_ret(err);
	return 0;
}

/* ---- the file ---- */

struct reading {
	struct arena *a;
	struct err *err;
	char at[64]; /* "authorizers[0].webhook" */
};

static int bad(struct reading *x, const char *field, const char *why)
{
	return err_set(x->err, ERR_INVALID, "%s%s%s: %s", x->at, *x->at && *field ? "." : "", field,
		       why);
}

static int check_fields(struct reading *x, const struct doc *d, const char *const *known)
{
	if (!doc_is(d, DOC_OBJECT))
		return bad(x, "", "must be an object");
	DOC_EACH_MEMBER (key, value, d) {
		const char *name = doc_cstr(x->a, key);

		(void)value;
		if (!name || !str_is_one_of(name, known))
			return bad(x, name ? name : "", "there is no such field");
	}
	return 0;
}

static const char *text(struct reading *x, const struct doc *d, const char *key)
{
	const struct doc *v = doc_get(d, key);
	const char *s = doc_is(v, DOC_STRING) ? doc_cstr(x->a, v) : NULL;

	return s ? s : "";
}

/* NULL in `absent` is required. */
static int read_duration(struct reading *x, const struct doc *d, const char *key, int64_t absent,
			 int64_t most, int64_t *ret)
{
	const struct doc *v = doc_get(d, key);

	*ret = absent;
	if (!v)
		return absent ? 0 : bad(x, key, "is required");
	if (!doc_is(v, DOC_STRING) || schema_parse_duration(doc_slice(v), ret, NULL) < 0 ||
	    *ret <= 0 || *ret > most)
		return bad(x, key,
			   most == TIMEOUT_MAX ? "must be a duration up to 30s"
					       : "must be a duration above 0");
	return 0;
}

static int read_bool(struct reading *x, const struct doc *d, const char *key, bool *ret)
{
	const struct doc *v = doc_get(d, key);

	*ret = !v || doc_true(v);
	return !v || doc_is(v, DOC_BOOL) ? 0 : bad(x, key, "must be a boolean");
}

static int read_connection(struct reading *x, const struct doc *d, struct authz_webhook_conf *w)
{
	static const char *const known[] = { "type", "kubeConfigFile", NULL };
	const char *type = text(x, d, "type");

	if (!d)
		return bad(x, "connectionInfo", "is required");
	if (check_fields(x, d, known) < 0)
		return err_ret(x->err);
	if (strcmp(type, "InClusterConfig") == 0)
		return bad(x, "connectionInfo.type",
			   "InClusterConfig would ask this server itself: it is not for the API "
			   "server");
	if (strcmp(type, "KubeConfigFile") != 0)
		return bad(x, "connectionInfo.type", "must be KubeConfigFile");
	w->kubeconfig = text(x, d, "kubeConfigFile");
	if (*w->kubeconfig != '/')
		return bad(x, "connectionInfo.kubeConfigFile", "must be an absolute path");
	return 0;
}

static int read_webhook(struct reading *x, const struct doc *d, struct authz_webhook_conf *w)
{
	static const char *const known[] = { "timeout",
					     "authorizedTTL",
					     "unauthorizedTTL",
					     "cacheAuthorizedRequests",
					     "cacheUnauthorizedRequests",
					     "subjectAccessReviewVersion",
					     "matchConditionSubjectAccessReviewVersion",
					     "failurePolicy",
					     "connectionInfo",
					     "matchConditions",
					     NULL };
	const char *version = text(x, d, "subjectAccessReviewVersion");
	const char *policy = text(x, d, "failurePolicy");
	const char *match = text(x, d, "matchConditionSubjectAccessReviewVersion");
	bool keep_yes, keep_no;

	if (check_fields(x, d, known) < 0 ||
	    read_duration(x, d, "timeout", 0, TIMEOUT_MAX, &w->timeout) < 0 ||
	    read_duration(x, d, "authorizedTTL", AUTHORIZED_TTL, INT64_MAX, &w->authorized_ttl) <
		    0 ||
	    read_duration(x, d, "unauthorizedTTL", UNAUTHORIZED_TTL, INT64_MAX,
			  &w->unauthorized_ttl) < 0 ||
	    read_bool(x, d, "cacheAuthorizedRequests", &keep_yes) < 0 ||
	    read_bool(x, d, "cacheUnauthorizedRequests", &keep_no) < 0)
		return err_ret(x->err);
	w->authorized_ttl = keep_yes ? w->authorized_ttl : 0;
	w->unauthorized_ttl = keep_no ? w->unauthorized_ttl : 0;
	w->v1beta1 = strcmp(version, "v1beta1") == 0;
	if (!w->v1beta1 && strcmp(version, "v1") != 0)
		return bad(x, "subjectAccessReviewVersion", "must be v1 or v1beta1");
	if (*match && strcmp(match, "v1") != 0)
		return bad(x, "matchConditionSubjectAccessReviewVersion", "must be v1");
	w->denies = strcmp(policy, "Deny") == 0;
	if (!w->denies && strcmp(policy, "NoOpinion") != 0)
		return bad(x, "failurePolicy", "must be NoOpinion or Deny");
	if (authz_match_new(doc_get(d, "matchConditions"), x->a, &w->match, x->err) < 0)
		return err_wrap(x->err, "%s", x->at);
	if (w->match && !*match)
		return bad(x, "matchConditionSubjectAccessReviewVersion",
			   "required if match conditions are specified");
	return read_connection(x, doc_get(d, "connectionInfo"), w);
}

/* As a DNS subdomain is: it goes into metrics. */
static bool is_name(const char *s)
{
	const size_t n = strlen(s);

	if (n == 0 || n > 253 || s[0] == '-' || s[0] == '.' || s[n - 1] == '-' || s[n - 1] == '.')
		return false;
	return strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-.") == n && !strstr(s, "..");
}

static int read_authorizer(struct reading *x, const struct doc *d, bool policy,
			   struct authz_plan *p)
{
	static const char *const known[] = { "type", "name", "webhook", NULL };
	struct authz_plan_step *s = &p->steps[p->n];
	const struct doc *hook = doc_get(d, "webhook");
	const size_t at = strlen(x->at);

	*s = (struct authz_plan_step){ .name = text(x, d, "name") };
	if (check_fields(x, d, known) < 0)
		return err_ret(x->err);
	if (!find_mode(doc_slice(doc_get(d, "type")), &s->mode))
		return bad(x, "type",
			   "must be one of Node, RBAC, ABAC, Webhook, AlwaysAllow, AlwaysDeny");
	if (s->mode != AUTHZ_WEBHOOK && has_mode(p, s->mode))
		return bad(x, "type", "only Webhook may be there more than once");
	if (!is_name(s->name))
		return bad(x, "name", "must be a DNS subdomain");
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->steps[i].name, s->name) == 0)
			return bad(x, "name", "another one is called so");
	if (s->mode == AUTHZ_ABAC && !policy)
		return bad(x, "type", "ABAC needs --authorization-policy-file");
	if ((hook != NULL) != (s->mode == AUTHZ_WEBHOOK))
		return bad(x, "webhook", "goes with the type Webhook");
	(void)str_copy(x->at + at, sizeof(x->at) - at, ".webhook");
	if (hook && read_webhook(x, hook, &s->webhook) < 0)
		return err_ret(x->err);
	p->n++;
	return 0;
}

static int read_config(struct reading *x, const struct doc *d, bool policy, struct authz_plan *p)
{
	static const char *const known[] = { "apiVersion", "kind", "authorizers", NULL };
	static const char *const versions[] = { GROUP "v1", GROUP "v1beta1", GROUP "v1alpha1",
						NULL };
	const struct doc *list = doc_get(d, "authorizers");

	if (check_fields(x, d, known) < 0)
		return err_ret(x->err);
	if (!str_is_one_of(text(x, d, "apiVersion"), versions) ||
	    !doc_str_is(doc_get(d, "kind"), "AuthorizationConfiguration"))
		return bad(x, "", "is no AuthorizationConfiguration of " GROUP "v1");
	if (!doc_is(list, DOC_ARRAY) || !doc_len(list))
		return bad(x, "authorizers", "at least one authorizer is required");
	DOC_EACH (one, list) {
		if (p->n == AUTHZ_STEPS_MAX)
			return bad(x, "authorizers", "more than 16");
		(void)snprintf(x->at, sizeof(x->at), "authorizers[%zu]", p->n);
		if (read_authorizer(x, one, policy, p) < 0)
			return err_ret(x->err);
	}
	return 0;
}

int authz_plan_read(struct slice bytes, bool policy, struct arena *a, struct authz_plan *ret,
		    struct err *err)
{
	struct reading x = { .a = a, .err = err };
	struct doc *d;

	*ret = (struct authz_plan){ 0 };
	if (yaml_read(a, bytes, NULL, &d, err) < 0)
		return err_ret(err);
	d = doc_copy(a, d); /* the text goes */
	if (!d)
		return arena_quota(a, err);
	return read_config(&x, d, policy, ret);
}
