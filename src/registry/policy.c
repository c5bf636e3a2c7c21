/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a policy, and asking it. */
#include "registry/policy.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "crypto/aead.h"
#include "crypto/jwt.h"
#include "doc/yaml.h"
#include "registry/accounts.h"

#include <fcntl.h>
#include <stdlib.h>

#define FILE_MAX (4u << 20)
#define NAME_MAX_BYTES 128
#define POLICY_ARENA_MAX (64u << 20)

/* ---- patterns and words ---- */

bool glob_match(const char *p, const char *s)
{
	for (; *p; p++, s++) {
		if (*p == '*') {
			bool deep = p[1] == '*';

			p += deep ? 2 : 1;
			for (;; s++) {
				if (glob_match(p, s))
					return true;
				if (!*s || (!deep && *s == '/'))
					return false;
			}
		}
		if (!*s || (*p == '?' ? *s == '/' : *p != *s))
			return false;
	}
	return !*s;
}

unsigned action_of(struct slice word)
{
	static const struct {
		const char *word;
		unsigned may;
	} words[] = { { "pull", MAY_PULL },
		      { "push", MAY_PUSH },
		      { "delete", MAY_DELETE },
		      { "*", MAY_ALL } };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (slice_is(word, words[i].word))
			return words[i].may;
	return 0;
}

/* ---- the configuration's form ---- */

struct conf_user {
	const char *password;
};
struct conf_robot {
	const char *secret;
	struct schema_time expires;
};
struct conf_oidc {
	const char *issuer, *audience, *jwks, *url, *ca, *name, *groups;
};
struct conf {
	MAP_OF(struct conf_user) users;
	MAP_OF(struct conf_robot) robots;
	MAP_OF(struct strs) groups;
	LIST_OF(struct policy_rule) rules;
	LIST_OF(struct policy_tags) immutable;
	LIST_OF(struct conf_oidc) oidc;
	LIST_OF(struct policy_quota) quotas;
	LIST_OF(struct policy_retain) retention;
	const char *retention_every;
	const char *challenge;
	const struct doc *elsewhere; /* sections that hooks-conf.c reads */
};

static int check_hash(const char *hash, struct err *err)
{
	static const char *const kinds[] = {
		"$apr1$", "$1$", "$5$", "$6$", "$y$", "{SHA}", "{SSHA}"
	};
	int cost = 0;

	if (strlen(hash) == 60 && hash[0] == '$' && hash[1] == '2' && strchr("aby", hash[2]) &&
	    hash[3] == '$' && hash[4] >= '0' && hash[4] <= '3' && hash[5] >= '0' &&
	    hash[5] <= '9' && hash[6] == '$') {
		cost = (hash[4] - '0') * 10 + (hash[5] - '0');
		if (cost >= 4 && cost <= BCRYPT_COST_MAX)
			return 0;
		return err_set(err, ERR_INVALID, "bcrypt's cost %d is not within 4 and %d", cost,
			       BCRYPT_COST_MAX);
	}
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strncmp(hash, kinds[i], strlen(kinds[i])) == 0)
			return err_set(
				err, ERR_INVALID,
				"the password is stored as %s, only bcrypt is taken; store it "
				"anew with htpasswd -B",
				kinds[i]);
	return err_set(err, ERR_INVALID,
		       "what is stored is no bcrypt hash; make one with htpasswd -nB");
}

int policy_check_hash(const struct doc *d, struct err *err)
{
	char hash[PASSWORD_HASH_MAX + 1];
	struct slice s = doc_slice(d);

	if (!s.n || s.n > PASSWORD_HASH_MAX)
		return err_set(err, ERR_INVALID, "what is stored is no bcrypt hash");
	memcpy(hash, s.p, s.n);
	hash[s.n] = '\0';
	return check_hash(hash, err);
}

int policy_check_glob(const struct doc *d, struct err *err)
{
	struct slice s = doc_slice(d);
	unsigned stars = 0;

	for (size_t i = 0; i < s.n; i++)
		stars += s.p[i] == '*' && (i == 0 || s.p[i - 1] != '*');
	if (s.n && stars <= GLOB_STARS_MAX)
		return 0;
	return err_set(err, ERR_INVALID, "a pattern has 1 to %d stars or names one",
		       GLOB_STARS_MAX);
}

static const char *const action_words[] = { "pull", "push", "delete", NULL };
const char *const policy_roles[] = { "reader", "writer", "maintainer", "admin", NULL };

int policy_rule_read(struct policy_rule *r, struct err *err)
{
	static const unsigned may[] = { MAY_PULL, MAY_PULL | MAY_PUSH, MAY_ALL, MAY_ALL };

	if (!r->role == !r->actions.n)
		return err_set(err, ERR_INVALID, "needs either actions or a role");
	for (size_t i = 0; r->role && policy_roles[i]; i++)
		if (strcmp(r->role, policy_roles[i]) == 0)
			r->may |= may[i];
	for (size_t k = 0; k < r->actions.n; k++)
		r->may |= action_of(slice_str(r->actions.v[k]));
	return 0;
}

static const char *const challenges[] = { "token", "basic", NULL };

static const struct schema_field user_rows[] = {
	F_STR(struct conf_user, password, "password", SCHEMA_REQUIRED | SCHEMA_SECRET, 0,
	      .check = policy_check_hash),
};
static const struct schema user_schema =
	SCHEMA("user", struct conf_user, user_rows, .unknown = SCHEMA_UNKNOWN_ERROR);
static const struct schema_field robot_rows[] = {
	F_STR(struct conf_robot, secret, "secret", SCHEMA_REQUIRED | SCHEMA_SECRET, 0,
	      .check = policy_check_hash),
	F_TIME(struct conf_robot, expires, "expires", 0),
};
static const struct schema robot_schema =
	SCHEMA("robot", struct conf_robot, robot_rows, .unknown = SCHEMA_UNKNOWN_ERROR);
static const struct schema_field rule_rows[] = {
	F_LIST_STR(struct policy_rule, repositories, "repositories",
		   SCHEMA_REQUIRED | SCHEMA_NONEMPTY, 0, .check = policy_check_glob),
	F_LIST_STR(struct policy_rule, users, "users", 0, 0),
	F_LIST_STR(struct policy_rule, groups, "groups", 0, 0),
	F_BOOL(struct policy_rule, anonymous, "anonymous", 0),
	F_LIST_ENUM_STR(struct policy_rule, actions, "actions", action_words, SCHEMA_NONEMPTY),
	F_ENUM_STR(struct policy_rule, role, "role", policy_roles, 0),
};
static const struct schema rule_schema =
	SCHEMA("rule", struct policy_rule, rule_rows, .unknown = SCHEMA_UNKNOWN_ERROR);
static const struct schema_field tags_rows[] = {
	F_LIST_STR(struct policy_tags, repositories, "repositories",
		   SCHEMA_REQUIRED | SCHEMA_NONEMPTY, 0, .check = policy_check_glob),
	F_LIST_STR(struct policy_tags, tags, "tags", SCHEMA_REQUIRED | SCHEMA_NONEMPTY, 0,
		   .check = policy_check_glob),
};
static const struct schema tags_schema =
	SCHEMA("tags", struct policy_tags, tags_rows, .unknown = SCHEMA_UNKNOWN_ERROR);
static const struct schema_field oidc_rows[] = {
	F_STR(struct conf_oidc, issuer, "issuer", SCHEMA_REQUIRED | SCHEMA_NONEMPTY, 0),
	F_STR(struct conf_oidc, audience, "audience", SCHEMA_REQUIRED | SCHEMA_NONEMPTY, 0),
	F_STR(struct conf_oidc, jwks, "jwks", 0, FORMAT_ABS_PATH),
	F_STR(struct conf_oidc, url, "jwksUrl", 0, FORMAT_URL),
	F_STR(struct conf_oidc, ca, "caFile", 0, FORMAT_ABS_PATH),
	F_STR(struct conf_oidc, name, "userClaim", SCHEMA_NONEMPTY, 0, .def = "\"sub\""),
	F_STR(struct conf_oidc, groups, "groupsClaim", SCHEMA_NONEMPTY, 0, .def = "\"groups\""),
};
static const struct schema oidc_schema =
	SCHEMA("oidc", struct conf_oidc, oidc_rows, .unknown = SCHEMA_UNKNOWN_ERROR);
static const struct schema_field members_row = E_LIST_STR(0);
static const struct schema_field conf_rows[] = {
	F_MAP_OBJ(struct conf, users, "users", &user_schema, 0),
	F_MAP_OBJ(struct conf, robots, "robots", &robot_schema, 0),
	F_MAP(struct conf, groups, "groups", &members_row, 0),
	F_LIST_OBJ(struct conf, rules, "rules", &rule_schema, 0),
	F_LIST_OBJ(struct conf, immutable, "immutableTags", &tags_schema, 0),
	F_LIST_OBJ(struct conf, oidc, "oidc", &oidc_schema, 0),
	F_LIST_OBJ(struct conf, quotas, "quotas", &quota_schema, 0),
	F_LIST_OBJ(struct conf, retention, "retention", &retain_schema, 0),
	F_STR(struct conf, retention_every, "retentionInterval", SCHEMA_NONEMPTY, 0,
	      .def = "\"24h\""),
	F_ENUM_STR(struct conf, challenge, "challenge", challenges, 0),
	F_DOC(struct conf, elsewhere, "upstreams", 0),
	F_DOC(struct conf, elsewhere, "cache", 0),
	F_DOC(struct conf, elsewhere, "replication", 0),
	F_DOC(struct conf, elsewhere, "webhooks", 0),
};
static const struct schema conf_schema =
	SCHEMA("registry", struct conf, conf_rows, .unknown = SCHEMA_UNKNOWN_ERROR);

/* ---- reading ---- */

int policy_add_account(struct policy *p, struct account acc, struct err *err)
{
	struct account *a = ARENA_NEW(p->arena, struct account);

	if (!a)
		return arena_quota(p->arena, err);
	*a = acc;
	if (!a->name[0] || strlen(a->name) > NAME_MAX_BYTES || strchr(a->name, ':'))
		return err_set(err, ERR_INVALID,
			       "'%.150s' is no user name: 1 to %d bytes without a colon", a->name,
			       NAME_MAX_BYTES);
	if (map_get(&p->accounts, slice_str(a->name)))
		return err_set(err, ERR_INVALID, "user '%s' is there twice", a->name);
	(void)map_put(&p->accounts, slice_str(a->name), a);
	p->dummy = p->dummy ? p->dummy : a->hash;
	return 0;
}

static int read_line(struct policy *p, struct slice line, struct err *err)
{
	struct slice rest = slice_trim(line), name;
	struct account acc = { .expires = INT64_MAX };

	if (slice_ends(rest, SLICE("\r")))
		rest.n--;
	if (!rest.n || rest.p[0] == '#')
		return 0;
	if (!memchr(rest.p, ':', rest.n))
		return err_set(err, ERR_INVALID, "is not NAME:HASH");
	name = slice_split(&rest, ':');
	acc.name = arena_strndup(p->arena, name.p, name.n);
	acc.hash = arena_strndup(p->arena, rest.p ? rest.p : "", rest.n);
	if (!acc.name || !acc.hash)
		return arena_quota(p->arena, err);
	if (check_hash(acc.hash, err) < 0)
		return err_wrap(err, "user '%.128s'", acc.name);
	return policy_add_account(p, acc, err);
}

static int read_htpasswd(struct policy *p, const char *path, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(FILE_MAX);
	struct slice rest;
	int r = fd_read_file(AT_FDCWD, path, &b, err);

	rest = buf_slice(&b);
	for (unsigned n = 1; rest.p && r >= 0; n++) {
		r = read_line(p, slice_split(&rest, '\n'), err);
		if (r < 0)
			err_wrap(err, "line %u", n);
	}
	return r < 0 ? err_wrap(err, "--htpasswd %s", path) : 0;
}

static int add_issuer(struct policy *p, struct issuer is, const char *jwks, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(JWKS_MAX);
	struct issuer *to = &p->issuers[p->issuers_n];
	int r;

	*to = is;
	to->keys = jwks_new();
	p->issuers_n++;
	if (!jwks) {
		to->source.issuer = is.iss;
		jwks_free(STEAL(to->keys));
		return oidc_check(&to->source, err);
	}
	r = fd_read_file(AT_FDCWD, jwks, &b, err);
	if (r >= 0)
		r = jwks_read(to->keys, buf_slice(&b), err);
	if (r >= 0 && jwks_len(to->keys) == 0)
		r = err_set(err, ERR_INVALID, "has no key that can verify%s%s",
			    jwks_skipped(to->keys, 0) ? ": " : "",
			    jwks_skipped(to->keys, 0) ? jwks_skipped(to->keys, 0) : "");
	return r < 0 ? err_wrap(err, "key set '%s'", jwks) : 0;
}

static int take_accounts(struct policy *p, const struct conf *c, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < c->users.n && r >= 0; i++)
		r = policy_add_account(p,
				       (struct account){ .name = c->users.v[i].key,
							 .hash = c->users.v[i].value.password,
							 .expires = INT64_MAX },
				       err);
	for (size_t i = 0; i < c->robots.n && r >= 0; i++) {
		const struct conf_robot *b = &c->robots.v[i].value;

		r = policy_add_account(
			p,
			(struct account){ .name = c->robots.v[i].key,
					  .hash = b->secret,
					  .expires = b->expires.set ? b->expires.sec : INT64_MAX,
					  .robot = true },
			err);
	}
	return r;
}

static int take_groups(struct policy *p, const struct conf *c, struct err *err)
{
	struct policy_group *g = ARENA_ARRAY(p->arena, struct policy_group, c->groups.n);

	if (!g)
		return arena_quota(p->arena, err);
	for (size_t i = 0; i < c->groups.n; i++) {
		g[i].name = c->groups.v[i].key;
		g[i].members = c->groups.v[i].value;
	}
	p->groups = g;
	p->groups_n = c->groups.n;
	return 0;
}

/* A rule that speaks of nobody, or of somebody that is not there, is a slip of the pen. */
static int check_rule(const struct policy *p, const struct conf *c, const struct policy_rule *rule,
		      struct err *err)
{
	if (!rule->anonymous && !rule->users.n && !rule->groups.n)
		return err_set(err, ERR_INVALID,
			       "is for nobody: give users (\"*\" = all that are known), groups or "
			       "anonymous: true");
	if (c->oidc.n) /* names and groups come from tokens too */
		return 0;
	for (size_t i = 0; i < rule->users.n; i++)
		if (strcmp(rule->users.v[i], "*") != 0 &&
		    !map_get(&p->accounts, slice_str(rule->users.v[i])))
			return err_set(err, ERR_INVALID, "there is no user '%s'", rule->users.v[i]);
	for (size_t i = 0; i < rule->groups.n; i++) {
		bool found = false;

		for (size_t k = 0; k < p->groups_n && !found; k++)
			found = strcmp(p->groups[k].name, rule->groups.v[i]) == 0;
		if (!found)
			return err_set(err, ERR_INVALID, "there is no group '%s'",
				       rule->groups.v[i]);
	}
	return 0;
}

static int take_rules(struct policy *p, const struct conf *c, struct err *err)
{
	for (size_t i = 0; i < c->rules.n; i++) {
		struct policy_rule *rule = &c->rules.v[i];

		if (policy_rule_read(rule, err) < 0 || check_rule(p, c, rule, err) < 0)
			return err_wrap(err, "rules[%zu]", i);
	}
	p->rules.v = c->rules.v;
	p->rules.n = c->rules.n;
	p->ruled = c->rules.n > 0;
	p->immutable.v = c->immutable.v;
	p->immutable.n = c->immutable.n;
	return 0;
}

static int take_limits(struct policy *p, const struct conf *c, struct err *err)
{
	for (size_t i = 0; i < c->quotas.n; i++)
		if (quota_read(&c->quotas.v[i], err) < 0)
			return err_wrap(err, "quotas[%zu]", i);
	for (size_t i = 0; i < c->retention.n; i++)
		if (retain_read(&c->retention.v[i], err) < 0)
			return err_wrap(err, "retention[%zu]", i);
	if (bounds_duration(c->retention_every, &p->retention_every, err) < 0)
		return err_wrap(err, "retentionInterval");
	if (p->retention_every < 60 * NS_PER_SEC)
		return err_set(err, ERR_INVALID, "retentionInterval: at least a minute");
	p->quotas.v = c->quotas.v;
	p->quotas.n = c->quotas.n;
	p->retention.v = c->retention.v;
	p->retention.n = c->retention.n;
	return 0;
}

static int read_config(struct policy *p, const char *path, struct err *err)
{
	static const struct schema_opts opts = { .strict = true };
	CLEANUP(buf_fini) struct buf b = BUF_INIT(FILE_MAX);
	struct conf *c = ARENA_NEW(p->arena, struct conf);
	struct slice text;
	struct doc *d;
	int r = c ? fd_read_file(AT_FDCWD, path, &b, err) : arena_quota(p->arena, err);

	if (r < 0)
		return err_wrap(err, "--config %s", path);
	text = slice_of(arena_strndup(p->arena, buf_str(&b), b.n), b.n);
	if (!text.p)
		return arena_quota(p->arena, err);
	r = yaml_read(p->arena, text, NULL, &d, err);
	if (r >= 0)
		r = schema_decode(&conf_schema, d, p->arena, c, &opts, err);
	if (r >= 0)
		r = take_accounts(p, c, err);
	if (r >= 0)
		r = take_groups(p, c, err);
	if (r >= 0)
		r = take_rules(p, c, err);
	if (r >= 0)
		r = take_limits(p, c, err);
	p->challenge_basic = r >= 0 && c->challenge && strcmp(c->challenge, "basic") == 0;
	if (r >= 0)
		p->issuers = ARENA_ARRAY(p->arena, struct issuer, c->oidc.n + 1);
	if (r >= 0 && !p->issuers)
		r = arena_quota(p->arena, err);
	for (size_t i = 0; r >= 0 && i < c->oidc.n; i++) {
		const struct conf_oidc *o = &c->oidc.v[i];

		if (o->jwks && o->url)
			r = err_set(err, ERR_INVALID,
				    "oidc[%zu]: give either jwks (a file) or jwksUrl", i);
		else
			r = add_issuer(p,
				       (struct issuer){ .iss = o->issuer,
							.aud = o->audience,
							.name_claim = o->name,
							.groups_claim = o->groups,
							.source = { .url = o->url, .ca = o->ca } },
				       o->jwks, err);
	}
	return r < 0 ? err_wrap(err, "--config %s", path) : 0;
}

static int add_token_server(struct policy *p, const struct policy_files *f, struct err *err)
{
	struct issuer is = { .access = true };

	is.iss = arena_strdup(p->arena, f->token_issuer);
	is.aud = arena_strdup(p->arena, f->token_service);
	if (!p->issuers)
		p->issuers = ARENA_ARRAY(p->arena, struct issuer, 1);
	if (!is.iss || !is.aud || !p->issuers)
		return arena_quota(p->arena, err);
	return add_issuer(p, is, f->token_jwks, err);
}

int policy_read(const struct policy_files *f, struct policy **ret, struct err *err)
{
	CLEANUP(policy_unref) struct policy *p = calloc(1, sizeof(*p));
	int r = 0;

	if (!p)
		abort();
	p->refs = 1;
	p->arena = arena_new("the registry's policy", POLICY_ARENA_MAX);
	map_init(&p->accounts);
	if (f->htpasswd)
		r = read_htpasswd(p, f->htpasswd, err);
	if (r >= 0 && f->config)
		r = read_config(p, f->config, err);
	if (r >= 0 && f->accounts)
		r = accounts_read(p, f->accounts, err);
	if (r >= 0 && f->token_jwks)
		r = add_token_server(p, f, err);
	if (r < 0)
		return r;
	p->closed = f->htpasswd || p->kept || map_count(&p->accounts) || p->issuers_n || p->ruled;
	*ret = STEAL(p);
	return 0;
}

struct policy *policy_ref(struct policy *p)
{
	p->refs++;
	return p;
}

void policy_unref(struct policy *p)
{
	if (!p || --p->refs)
		return;
	for (size_t i = 0; i < p->issuers_n; i++)
		jwks_free(p->issuers[i].keys);
	map_fini(&p->accounts);
	arena_free(p->arena);
	free(p);
}

/* ---- asking ---- */

const struct account *policy_account(const struct policy *p, const char *name, int64_t now)
{
	const struct account *a = map_get(&p->accounts, slice_str(name));

	return a && now < a->expires ? a : NULL;
}

static bool has(const struct strs *list, const char *word)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->v[i], word) == 0)
			return true;
	return false;
}

bool policy_fits(const struct strs *patterns, const char *text)
{
	for (size_t i = 0; i < patterns->n; i++)
		if (glob_match(patterns->v[i], text))
			return true;
	return false;
}

static bool in_group(const struct policy *p, const struct strs *groups, const char *name,
		     const struct strs *claimed)
{
	for (size_t i = 0; claimed && i < claimed->n; i++)
		if (has(groups, claimed->v[i]))
			return true;
	for (size_t i = 0; i < p->groups_n; i++)
		if (has(groups, p->groups[i].name) && has(&p->groups[i].members, name))
			return true;
	return false;
}

unsigned policy_may(const struct policy *p, const char *name, const struct strs *groups,
		    const char *repo)
{
	const struct account *acc = name ? map_get(&p->accounts, slice_str(name)) : NULL;
	unsigned may = 0;

	if (!p->closed)
		return MAY_ALL;
	for (size_t i = 0; acc && i < acc->rules.n; i++)
		if (policy_fits(&acc->rules.v[i].repositories, repo))
			may |= acc->rules.v[i].may;
	if (acc && acc->limited)
		return may;
	if (!p->ruled && name)
		return MAY_ALL;
	for (size_t i = 0; i < p->rules.n; i++) {
		const struct policy_rule *r = &p->rules.v[i];

		if ((may & r->may) == r->may)
			continue;
		if (r->anonymous || (name && (has(&r->users, "*") || has(&r->users, name) ||
					      in_group(p, &r->groups, name, groups))))
			may |= policy_fits(&r->repositories, repo) ? r->may : 0;
	}
	return may;
}

bool policy_immutable(const struct policy *p, const char *repo, const char *tag)
{
	for (size_t i = 0; i < p->immutable.n; i++)
		if (policy_fits(&p->immutable.v[i].repositories, repo) &&
		    policy_fits(&p->immutable.v[i].tags, tag))
			return true;
	return false;
}
