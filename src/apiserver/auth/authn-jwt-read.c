/* SPDX-License-Identifier: Apache-2.0 */
/* An AuthenticationConfiguration, read and checked. -1 stands for whatever the error says. */
#include "apiserver/auth/authn-jwt-private.h"

#include "api/check-parts.h"
#include "base/arena.h"
#include "base/err.h"
#include "doc/doc.h"
#include "doc/yaml.h"
#include "io/url.h"

#include <stdio.h>
#include <string.h>

#define LIST_MAX 256
#define GROUP "apiserver.config.k8s.io"

struct reading {
	struct authn_jwt *t;
	struct config *c;
	struct err *err;
	char at[64]; /* "jwt[0]" */
};

static int wrong(struct reading *r, const char *field, const char *why)
{
	if (!*r->at && !*field)
		return err_set(r->err, ERR_INVALID, "%s", why);
	return err_set(r->err, ERR_INVALID, "%s%s%s: %s", r->at, *r->at && *field ? "." : "", field,
		       why);
}

/* Members of an object are of these; a NULL word ends each. */
static int only(struct reading *r, const struct doc *d, const char *field, const char *const *names)
{
	if (d && !doc_is(d, DOC_OBJECT))
		return wrong(r, field, "must be an object");
	DOC_EACH_MEMBER (key, value, d) {
		const char *name = doc_cstr(r->c->a, key);

		(void)value;
		if (!name || !str_is_one_of(name, names))
			return err_set(r->err, ERR_INVALID, "%s%s%s: unknown field \"%.100s\"",
				       r->at, *r->at && *field ? "." : "", field, name ? name : "");
	}
	return 0;
}

/* A text; NULL: absent. -1: of another type. */
static int text_at(struct reading *r, const struct doc *d, const char *key, const char *field,
		   const char **ret)
{
	const struct doc *v = doc_get(d, key);

	*ret = NULL;
	if (!v || doc_is(v, DOC_NULL))
		return 0;
	*ret = doc_is(v, DOC_STRING) ? doc_cstr(r->c->a, v) : NULL;
	return *ret ? 0 : wrong(r, field, "must be a text");
}

const char *authn_jwt_bad_url(struct arena *a, const char *url)
{
	struct url u;

	if (strncmp(url, "https://", 8) != 0 || strpbrk(url, "?#") ||
	    url_parse(a, url, &u, NULL) < 0)
		return "must be an https URL without query and fragment";
	return strchr(url + 8, '@') ? "must not have a user in it" : NULL;
}

static int check_url(struct reading *r, const char *url, const char *field)
{
	const char *why = authn_jwt_bad_url(r->c->a, url);

	return why ? wrong(r, field, why) : 0;
}

/* How many there are; -1: it is no list, or too long. Absent: none. */
static int list_len(struct reading *r, const struct doc *list, const char *field, size_t *ret)
{
	*ret = 0;
	if (!list)
		return 0;
	if (!doc_is(list, DOC_ARRAY) || list->n > LIST_MAX)
		return wrong(r, field, "must be a list");
	*ret = list->n;
	return 0;
}

static int read_list(struct reading *r, const struct doc *list, const char *field,
		     const char ***ret, size_t *ret_n)
{
	size_t len;

	if (list_len(r, list, field, &len) < 0)
		return -1;
	*ret = ARENA_ARRAY(r->c->a, const char *, len + 1);
	*ret_n = 0;
	if (!*ret)
		return arena_quota(r->c->a, r->err);
	for (size_t i = 0; i < len; i++) {
		const struct doc *one = doc_at(list, i);
		const char *s = doc_is(one, DOC_STRING) ? doc_cstr(r->c->a, one) : NULL;

		if (!s || !*s || str_is_one_of(s, *ret))
			return wrong(r, field,
				     "has an element that is no text, empty or there twice");
		(*ret)[(*ret_n)++] = s;
	}
	return 0;
}

static int read_issuer(struct reading *r, const struct doc *d, struct rule *to)
{
	static const char *const names[] = {
		"url",	     "discoveryURL",	    "certificateAuthority",
		"audiences", "audienceMatchPolicy", "egressSelectorType",
		NULL
	};
	const char *url, *discovery, *ca, *policy, *egress;

	if (only(r, d, "issuer", names) < 0 || text_at(r, d, "url", "issuer.url", &url) < 0)
		return -1;
	to->issuer = url ? url : "";
	if (check_url(r, to->issuer, "issuer.url") < 0 ||
	    text_at(r, d, "discoveryURL", "issuer.discoveryURL", &discovery) < 0 ||
	    text_at(r, d, "certificateAuthority", "issuer.certificateAuthority", &ca) < 0 ||
	    text_at(r, d, "audienceMatchPolicy", "issuer.audienceMatchPolicy", &policy) < 0 ||
	    text_at(r, d, "egressSelectorType", "issuer.egressSelectorType", &egress) < 0 ||
	    read_list(r, doc_get(d, "audiences"), "issuer.audiences", &to->audiences,
		      &to->naudiences) < 0)
		return -1;
	if (egress && *egress)
		return err_set(r->err, ERR_UNSUPPORTED,
			       "%s.issuer.egressSelectorType: there is no egress selector in this "
			       "server",
			       r->at);
	for (size_t i = 0; i < r->c->n; i++)
		if (strcmp(r->c->rules[i].issuer, to->issuer) == 0)
			return wrong(r, "issuer.url", "is that of another one, too");
	if (authn_jwt_is_own(r->t, to->issuer))
		return wrong(r, "issuer.url", "is the one of service accounts");
	if (discovery && *discovery && check_url(r, discovery, "issuer.discoveryURL") < 0)
		return -1;
	if (discovery && strcmp(discovery, to->issuer) == 0)
		return wrong(r, "issuer.discoveryURL", "must differ from url");
	if (!to->naudiences)
		return wrong(r, "issuer.audiences", "at least one is required");
	if (policy && *policy && strcmp(policy, "MatchAny") != 0)
		return wrong(r, "issuer.audienceMatchPolicy", "must be MatchAny");
	if (to->naudiences > 1 && !(policy && *policy))
		return wrong(r, "issuer.audienceMatchPolicy",
			     "must be MatchAny when there are several audiences");
	to->source = key_source_of(r->t, to->issuer, discovery && *discovery ? discovery : NULL,
				   ca && *ca ? ca : NULL, r->err);
	if (to->source)
		return 0;
	r->err->code = ERR_INVALID;
	return err_wrap(r->err, "%s.issuer.certificateAuthority", r->at);
}

/* ---- expressions ---- */

static int compile(struct reading *r, const struct cel_env *env, bool rule, const char *field,
		   struct claim_expr *x)
{
	struct err why = ERR_INIT;
	const int n = claims_compile(env, rule, r->c->a, x, &why);

	return n < 0 ? wrong(r, field, why.msg) : 0;
}

/* The text of a claim's expression; 0: there is none, or it is empty. */
static int expression_at(struct reading *r, const struct doc *d, const char *key, const char *field,
			 struct claim_expr *ret)
{
	if (text_at(r, d, key, field, &ret->text) < 0)
		return -1;
	if (ret->text && !*ret->text)
		ret->text = NULL;
	return 0;
}

static bool has_expression(const struct claim_list *l, const char *text)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i].text, text) == 0)
			return true;
	return false;
}

static int make_list(struct reading *r, const struct doc *list, const char *field,
		     struct claim_list *ret, size_t *ret_len)
{
	if (list_len(r, list, field, ret_len) < 0)
		return -1;
	ret->v = ARENA_ARRAY(r->c->a, struct claim_expr, *ret_len + 1);
	ret->n = 0;
	return ret->v ? 0 : arena_quota(r->c->a, r->err);
}

/* A rule that is an expression, with a message. */
static int add_rule(struct reading *r, const struct cel_env *env, const struct claim_expr *x,
		    const char *field, struct claim_list *to)
{
	if (has_expression(to, x->text))
		return wrong(r, field, "is there twice");
	to->v[to->n] = *x;
	if (compile(r, env, true, field, &to->v[to->n]) < 0)
		return -1;
	to->n++;
	return 0;
}

static int add_required(struct reading *r, const struct claim *c, struct rule *to, const char *at)
{
	char field[80];

	(void)snprintf(field, sizeof(field), "%s.claim", at);
	for (size_t i = 0; i < to->nrequired; i++)
		if (strcmp(to->required[i].name, c->name) == 0)
			return wrong(r, field, "is there twice");
	to->required[to->nrequired++] = *c;
	return 0;
}

/* A claim and its value, or an expression and a message. */
static int read_claim_rule(struct reading *r, const struct doc *one, const char *at,
			   struct rule *to)
{
	static const char *const names[] = { "claim", "requiredValue", "expression", "message",
					     NULL };
	struct claim_expr x = { 0 };
	struct claim c = { 0 };
	char field[80];

	if (only(r, one, at, names) < 0 || text_at(r, one, "claim", at, &c.name) < 0 ||
	    text_at(r, one, "requiredValue", at, &c.want) < 0 ||
	    text_at(r, one, "message", at, &x.message) < 0 ||
	    expression_at(r, one, "expression", at, &x) < 0)
		return -1;
	if (c.name && !*c.name)
		c.name = NULL;
	if (c.name && x.text)
		return wrong(r, at, "claim and expression can't both be set");
	if (!c.name && !x.text)
		return wrong(r, at, "claim or expression is required");
	if (c.name && x.message && *x.message)
		return wrong(r, at, "message may not be specified when claim is set");
	if (x.text && c.want && *c.want)
		return wrong(r, at, "requiredValue may not be specified when expression is set");
	if (!c.want)
		c.want = "";
	if (c.name)
		return add_required(r, &c, to, at);
	(void)snprintf(field, sizeof(field), "%s.expression", at);
	return add_rule(r, r->c->env.claims, &x, field, &to->cel.rules);
}

static int read_claim_rules(struct reading *r, const struct doc *list, struct rule *to)
{
	size_t len;

	if (make_list(r, list, "claimValidationRules", &to->cel.rules, &len) < 0)
		return -1;
	to->required = ARENA_ARRAY(r->c->a, struct claim, len + 1);
	if (!to->required)
		return arena_quota(r->c->a, r->err);
	for (size_t k = 0; k < len; k++) {
		char at[64];

		(void)snprintf(at, sizeof(at), "claimValidationRules[%zu]", k);
		if (read_claim_rule(r, doc_at(list, k), at, to) < 0)
			return -1;
	}
	return 0;
}

static int read_user_rules(struct reading *r, const struct doc *list, struct rule *to)
{
	static const char *const names[] = { "expression", "message", NULL };
	size_t len;

	if (make_list(r, list, "userValidationRules", &to->cel.user_rules, &len) < 0)
		return -1;
	for (size_t k = 0; k < len; k++) {
		const struct doc *one = doc_at(list, k);
		struct claim_expr x = { 0 };
		char at[64];

		(void)snprintf(at, sizeof(at), "userValidationRules[%zu].expression", k);
		if (only(r, one, at, names) < 0 || text_at(r, one, "message", at, &x.message) < 0 ||
		    expression_at(r, one, "expression", at, &x) < 0)
			return -1;
		if (!x.text)
			return wrong(r, at, "is required");
		if (add_rule(r, r->c->env.user, &x, at, &to->cel.user_rules) < 0)
			return -1;
	}
	return 0;
}

/* ---- claims ---- */

struct mapping {
	const char *field;
	const char **claim, **prefix; /* prefix NULL: it has none */
	struct claim_expr *expr;
};

/* {claim, prefix} or {expression}; a claim goes with a prefix, which may be empty. */
static int read_mapping(struct reading *r, const struct doc *d, const struct mapping *m)
{
	static const char *const names[] = { "claim", "prefix", "expression", NULL };
	const char *prefix = NULL;
	char at[64], field[80];

	(void)snprintf(at, sizeof(at), "claimMappings.%s", m->field);
	(void)snprintf(field, sizeof(field), "%s.expression", at);
	if (only(r, d, at, names) < 0 || text_at(r, d, "claim", at, m->claim) < 0 ||
	    text_at(r, d, "prefix", at, &prefix) < 0 ||
	    expression_at(r, d, "expression", at, m->expr) < 0)
		return -1;
	if (*m->claim && !**m->claim)
		*m->claim = NULL;
	if (*m->claim && m->expr->text)
		return wrong(r, at, "claim and expression can't both be set");
	if (m->expr->text && prefix)
		return wrong(r, at, "prefix may not be specified when expression is set");
	if (!m->prefix && prefix)
		return wrong(r, at, "unknown field \"prefix\"");
	if (m->prefix && !*m->claim != !prefix)
		return wrong(r, at, "claim and prefix go together");
	if (m->prefix)
		*m->prefix = prefix;
	return m->expr->text ? compile(r, r->c->env.claims, false, field, m->expr) : 0;
}

/* k8s.io, kubernetes.io, and what is below them. */
static bool is_reserved(const char *key)
{
	static const char *const domains[] = { "kubernetes.io", "k8s.io" };
	const size_t n = strcspn(key, "/");

	for (size_t i = 0; i < ARRAY_LEN(domains); i++) {
		const size_t len = strlen(domains[i]);

		if (n >= len && strncmp(key + n - len, domains[i], len) == 0 &&
		    (n == len || key[n - len - 1] == '.'))
			return true;
	}
	return false;
}

static int check_extra_key(struct reading *r, const char *key, const char *at,
			   const struct claim_list *known)
{
	char field[80];
	const char *why = key ? form_domain_path(slice_str(key)) : "is required";

	for (const char *p = key; !why && *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			why = "must be lowercase";
	if (!why && is_reserved(key))
		why = "k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use";
	for (size_t i = 0; !why && i < known->n; i++)
		if (strcmp(known->v[i].key, key) == 0)
			why = "is there twice";
	(void)snprintf(field, sizeof(field), "%s.key", at);
	return why ? wrong(r, field, why) : 0;
}

static int read_extra(struct reading *r, const struct doc *list, struct claim_list *to)
{
	static const char *const names[] = { "key", "valueExpression", NULL };
	size_t len;

	if (make_list(r, list, "claimMappings.extra", to, &len) < 0)
		return -1;
	for (size_t k = 0; k < len; k++) {
		const struct doc *one = doc_at(list, k);
		struct claim_expr *x = &to->v[k];
		char at[64], field[96];

		(void)snprintf(at, sizeof(at), "claimMappings.extra[%zu]", k);
		(void)snprintf(field, sizeof(field), "%s.valueExpression", at);
		if (only(r, one, at, names) < 0 || text_at(r, one, "key", at, &x->key) < 0 ||
		    expression_at(r, one, "valueExpression", field, x) < 0 ||
		    check_extra_key(r, x->key, at, to) < 0)
			return -1;
		if (!x->text)
			return wrong(r, field, "is required");
		if (compile(r, r->c->env.claims, false, field, x) < 0)
			return -1;
		to->n++;
	}
	return 0;
}

static int read_mappings(struct reading *r, const struct doc *m, struct rule *to)
{
	static const char *const mapped[] = { "username", "groups", "uid", "extra", NULL };
	const struct mapping all[] = {
		{ "username", &to->user, &to->user_prefix, &to->cel.user },
		{ "groups", &to->groups, &to->groups_prefix, &to->cel.groups },
		{ "uid", &to->uid, NULL, &to->cel.uid },
	};

	if (only(r, m, "claimMappings", mapped) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (read_mapping(r, doc_get(m, all[i].field), &all[i]) < 0)
			return -1;
	if (!to->user && !to->cel.user.text)
		return wrong(r, "claimMappings.username", "claim or expression is required");
	if (read_extra(r, doc_get(m, "extra"), &to->cel.extra) < 0)
		return -1;
	if (!claims_email_unverified(&to->cel))
		return 0;
	return wrong(r, "claimMappings.username.expression",
		     "claims.email_verified must be used in claimMappings.username.expression or "
		     "claimMappings.extra[*].valueExpression or claimValidationRules[*].expression "
		     "when claims.email is used in claimMappings.username.expression");
}

static int read_rule(struct reading *r, const struct doc *d, struct rule *to)
{
	static const char *const names[] = { "issuer", "claimValidationRules", "claimMappings",
					     "userValidationRules", NULL };

	if (only(r, d, "", names) < 0 || read_issuer(r, doc_get(d, "issuer"), to) < 0 ||
	    read_claim_rules(r, doc_get(d, "claimValidationRules"), to) < 0 ||
	    read_mappings(r, doc_get(d, "claimMappings"), to) < 0)
		return -1;
	return read_user_rules(r, doc_get(d, "userValidationRules"), to);
}

static int read_anonymous(struct reading *r, const struct doc *d)
{
	static const char *const names[] = { "enabled", "conditions", NULL };
	static const char *const condition[] = { "path", NULL };
	const struct doc *list = doc_get(d, "conditions"), *enabled = doc_get(d, "enabled");
	size_t n = 0, len;

	if (!d || doc_is(d, DOC_NULL))
		return 0;
	if (only(r, d, "anonymous", names) < 0)
		return -1;
	if (enabled && !doc_is(enabled, DOC_BOOL))
		return wrong(r, "anonymous.enabled", "must be true or false");
	if (list_len(r, list, "anonymous.conditions", &len) < 0)
		return -1;
	r->c->says_anonymous = true;
	r->c->anonymous = doc_true(enabled);
	if (!len)
		return 0;
	if (!r->c->anonymous)
		return wrong(r, "anonymous.conditions", "must not be set when it is not enabled");
	r->c->paths = ARENA_ARRAY(r->c->a, const char *, len + 1);
	if (!r->c->paths)
		return arena_quota(r->c->a, r->err);
	for (size_t i = 0; i < len; i++) {
		const struct doc *one = doc_at(list, i);
		const char *path;

		if (only(r, one, "anonymous.conditions", condition) < 0 ||
		    text_at(r, one, "path", "anonymous.conditions.path", &path) < 0)
			return -1;
		if (!path || *path != '/')
			return wrong(r, "anonymous.conditions.path", "must begin with a slash");
		r->c->paths[n++] = path;
	}
	return 0;
}

/* ---- all ---- */

static int read_config(struct reading *r, struct slice text)
{
	static const char *const names[] = { "apiVersion", "kind", "jwt", "anonymous", NULL };
	static const char *const versions[] = { GROUP "/v1", GROUP "/v1beta1", NULL };
	const struct doc *list;
	const char *version, *kind;
	struct doc *d;
	size_t len;

	if (claims_env_new(r->c->a, &r->c->env, r->err) < 0 ||
	    yaml_read(r->c->a, text, NULL, &d, r->err) < 0 || only(r, d, "", names) < 0 ||
	    text_at(r, d, "apiVersion", "apiVersion", &version) < 0 ||
	    text_at(r, d, "kind", "kind", &kind) < 0)
		return -1;
	if (!version || !str_is_one_of(version, versions) || !kind ||
	    strcmp(kind, "AuthenticationConfiguration") != 0)
		return wrong(r, "", "must be an AuthenticationConfiguration of " GROUP "/v1");
	list = doc_get(d, "jwt");
	if (list_len(r, list, "jwt", &len) < 0)
		return -1;
	if (len > AUTHN_JWT_ISSUERS_MAX)
		return wrong(r, "jwt", "must be a list of at most 64");
	for (size_t i = 0; i < len; i++) {
		(void)snprintf(r->at, sizeof(r->at), "jwt[%zu]", r->c->n);
		if (read_rule(r, doc_at(list, i), &r->c->rules[r->c->n]) < 0)
			return -1;
		r->c->n++;
	}
	r->at[0] = '\0';
	return read_anonymous(r, doc_get(d, "anonymous"));
}

int authn_jwt_read_config(struct authn_jwt *t, struct config *c, struct slice text, struct err *err)
{
	struct reading r = { .t = t, .c = c, .err = err };

	return read_config(&r, text);
}
