/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the sections of the configuration that name others. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"
#include "doc/json.h"
#include "doc/yaml.h"
#include "image/content.h"
#include "io/url.h"
#include "registry/bounds.h"
#include "registry/hooks.h"
#include "registry/policy.h"
#include "registry/private.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define FILE_MAX (4u << 20)
#define TTL_DEFAULT (60 * NS_PER_SEC)
#define EVERY_MIN NS_PER_SEC
#define EVERY_DEFAULT (600 * NS_PER_SEC)
#define TIMEOUT_DEFAULT (10 * NS_PER_SEC)
#define TRIES_DEFAULT 15
#define PARTS_MAX 64

static const char *const modes[] = { "push", "pull", NULL };
static const char *const events[] = { "push",  "pull",		"delete", "tag",
				      "quota", "quota_warning", "gc",	  NULL };

static const struct schema_field upstream_rows[] = {
	F_STR(struct hooks_upstream, far.url, "url", SCHEMA_REQUIRED | SCHEMA_NONEMPTY, 0),
	F_STR(struct hooks_upstream, far.auth, "authFile", 0, FORMAT_ABS_PATH),
	F_STR(struct hooks_upstream, far.certs, "certsDir", 0, FORMAT_ABS_PATH),
	F_BOOL(struct hooks_upstream, far.insecure, "insecure", 0),
	F_STR(struct hooks_upstream, prefix, "prefix", 0, 0),
	F_STR(struct hooks_upstream, ns, "ns", 0, 0),
	F_STR(struct hooks_upstream, ttl_text, "ttl", 0, 0),
};
static const struct schema upstream_schema =
	SCHEMA("upstream", struct hooks_upstream, upstream_rows, .unknown = SCHEMA_UNKNOWN_ERROR);
static const struct schema_field rule_rows[] = {
	F_STR(struct hooks_rule, name, "name", SCHEMA_REQUIRED | SCHEMA_NONEMPTY, 0),
	F_ENUM_STR(struct hooks_rule, mode, "mode", modes, SCHEMA_REQUIRED),
	F_STR(struct hooks_rule, far.url, "url", SCHEMA_REQUIRED | SCHEMA_NONEMPTY, 0),
	F_STR(struct hooks_rule, far.auth, "authFile", 0, FORMAT_ABS_PATH),
	F_STR(struct hooks_rule, far.certs, "certsDir", 0, FORMAT_ABS_PATH),
	F_BOOL(struct hooks_rule, far.insecure, "insecure", 0),
	F_LIST_STR(struct hooks_rule, repositories, "repositories",
		   SCHEMA_REQUIRED | SCHEMA_NONEMPTY, 0),
	F_LIST_STR(struct hooks_rule, tags, "tags", 0, 0),
	F_STR(struct hooks_rule, strip, "stripPrefix", 0, 0),
	F_STR(struct hooks_rule, add, "addPrefix", 0, 0),
	F_STR(struct hooks_rule, every_text, "every", 0, 0),
	F_BOOL(struct hooks_rule, deletes, "deletes", 0),
	F_INT(struct hooks_rule, tries, "tries", 0, 0, 1000),
};
static const struct schema rule_schema =
	SCHEMA("rule", struct hooks_rule, rule_rows, .unknown = SCHEMA_UNKNOWN_ERROR);
static const struct schema_field hook_rows[] = {
	F_STR(struct hooks_hook, name, "name", SCHEMA_REQUIRED | SCHEMA_NONEMPTY, 0),
	F_STR(struct hooks_hook, url, "url", SCHEMA_REQUIRED | SCHEMA_NONEMPTY, 0),
	F_LIST_ENUM_STR(struct hooks_hook, events, "events", events, 0),
	F_LIST_STR(struct hooks_hook, repositories, "repositories", 0, 0),
	F_STR(struct hooks_hook, secret, "secretFile", 0, FORMAT_ABS_PATH),
	F_STR(struct hooks_hook, old_secret, "oldSecretFile", 0, FORMAT_ABS_PATH),
	F_STR(struct hooks_hook, ca, "caFile", 0, FORMAT_ABS_PATH),
	F_BOOL(struct hooks_hook, insecure, "insecure", 0),
	F_STR(struct hooks_hook, timeout_text, "timeout", 0, 0),
	F_INT(struct hooks_hook, tries, "tries", 0, 0, 1000),
};
static const struct schema hook_schema =
	SCHEMA("webhook", struct hooks_hook, hook_rows, .unknown = SCHEMA_UNKNOWN_ERROR);
static const struct schema_field cache_rows[] = {
	F_STR(struct hooks_conf, size_text, "size", 0, 0),
	F_STR(struct hooks_conf, age_text, "age", 0, 0),
};
static const struct schema cache_schema =
	SCHEMA("cache", struct hooks_conf, cache_rows, .unknown = SCHEMA_UNKNOWN_ERROR);

/* What policy.c reads is not looked at here, and the other way round. */
struct sections {
	LIST_OF(struct hooks_upstream) upstreams;
	LIST_OF(struct hooks_rule) rules;
	LIST_OF(struct hooks_hook) webhooks;
	struct hooks_conf cache;
};
static const struct schema_field section_rows[] = {
	F_LIST_OBJ(struct sections, upstreams, "upstreams", &upstream_schema, 0),
	F_LIST_OBJ(struct sections, rules, "replication", &rule_schema, 0),
	F_LIST_OBJ(struct sections, webhooks, "webhooks", &hook_schema, 0),
	F_OBJ_IN(struct sections, cache, "cache", &cache_schema, 0),
};
static const struct schema sections_schema =
	SCHEMA("registry", struct sections, section_rows, .unknown = SCHEMA_UNKNOWN_IGNORE);

const char *const hooks_sections[HOOKS_SECTIONS] = {
	[HOOKS_UPSTREAMS] = "upstreams",
	[HOOKS_CACHE] = "cache",
	[HOOKS_REPLICATION] = "replication",
	[HOOKS_WEBHOOKS] = "webhooks",
};

/* ---- checks ---- */

static int read_duration(const char *text, const char *field, int64_t def, int64_t *ret,
			 struct err *err)
{
	*ret = def;
	if (!text)
		return 0;
	if (bounds_duration(text, ret, err) < 0)
		return err_wrap(err, "%s", field);
	return 0;
}

static bool is_loopback(const char *host)
{
	struct in_addr v4;

	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0;
}

static int check_url(struct arena *a, const char *text, bool path, bool insecure, struct err *err)
{
	struct url u;

	if (url_parse(a, text, &u, NULL) < 0 ||
	    (strcmp(u.scheme, "http") != 0 && strcmp(u.scheme, "https") != 0))
		return err_set(err, ERR_INVALID, "url '%.200s' is no http or https address", text);
	if (!path && u.path[0] && strcmp(u.path, "/") != 0)
		return err_set(err, ERR_INVALID,
			       "url '%.200s': a registry's address has no path; use the names of "
			       "repositories",
			       text);
	if (strcmp(u.scheme, "http") == 0 && !insecure && !is_loopback(u.host))
		return err_set(err, ERR_INVALID,
			       "url '%.200s': http goes to loopback only; use https, or say "
			       "insecure: true",
			       text);
	return 0;
}

static int add_file(struct hooks_conf *c, const char *path)
{
	if (path)
		c->files.v[c->files.n++] = path;
	return 0;
}

static int check_far(struct hooks_conf *c, const struct hooks_far *f, struct err *err)
{
	(void)add_file(c, f->auth);
	if (f->certs)
		c->dirs.v[c->dirs.n++] = f->certs;
	return check_url(c->arena, f->url, false, f->insecure, err);
}

static int check_upstream(struct hooks_conf *c, size_t i, struct err *err)
{
	struct hooks_upstream *u = &c->upstreams.v[i];

	u->prefix = u->prefix ? u->prefix : "";
	if (u->prefix[0] && !content_name_ok(slice_str(u->prefix)))
		return err_set(err, ERR_INVALID, "prefix '%.200s' is no repository name",
			       u->prefix);
	for (size_t k = 0; k < i; k++)
		if (strcmp(c->upstreams.v[k].prefix, u->prefix) == 0)
			return err_set(err, ERR_INVALID, "prefix '%s' is there twice%s", u->prefix,
				       u->prefix[0] ? ""
						    : " (none = all repositories; --proxy too)");
	if (read_duration(u->ttl_text, "ttl", TTL_DEFAULT, &u->ttl, err) < 0)
		return err_ret(err);
	return check_far(c, &u->far, err);
}

static int check_name(const char *name, struct err *err)
{
	struct slice s = slice_str(name);

	return content_tag_ok(s) && s.n <= 64
		       ? 0
		       : err_set(err, ERR_INVALID,
				 "name '%.100s': has 1 to 64 of A-Z a-z 0-9 _ . -", name);
}

static int check_patterns(const struct strs *v, struct err *err)
{
	for (size_t i = 0; i < v->n; i++) {
		unsigned stars = 0;

		for (const char *p = v->v[i]; *p; p++)
			stars += *p == '*' && (p == v->v[i] || p[-1] != '*');
		if (!v->v[i][0] || stars > GLOB_STARS_MAX)
			return err_set(err, ERR_INVALID,
				       "pattern '%.100s': names one, or has 1 to %d stars", v->v[i],
				       GLOB_STARS_MAX);
	}
	return 0;
}

static int check_rule(struct hooks_conf *c, size_t i, struct err *err)
{
	struct hooks_rule *rule = &c->rules.v[i];
	bool pull = strcmp(rule->mode, "pull") == 0;
	int r = check_name(rule->name, err);

	for (size_t k = 0; k < i && r >= 0; k++)
		if (strcmp(c->rules.v[k].name, rule->name) == 0)
			r = err_set(err, ERR_INVALID, "name '%s' is there twice", rule->name);
	rule->strip = rule->strip ? rule->strip : "";
	rule->add = rule->add ? rule->add : "";
	rule->tries = rule->tries ? rule->tries : TRIES_DEFAULT;
	if (r >= 0)
		r = check_patterns(&rule->repositories, err);
	if (r >= 0)
		r = check_patterns(&rule->tags, err);
	if (r >= 0)
		r = read_duration(rule->every_text, "every", EVERY_DEFAULT, &rule->every, err);
	if (r >= 0 && rule->every_text && !pull)
		r = err_set(err, ERR_INVALID, "every: is for mode pull; pushes go at once");
	if (r >= 0 && rule->every < EVERY_MIN)
		r = err_set(err, ERR_INVALID, "every '%s': at least 1s", rule->every_text);
	if (r >= 0 && rule->deletes && pull)
		r = err_set(err, ERR_INVALID,
			    "deletes: is for mode push; what an upstream deletes stays here until "
			    "it is deleted here");
	return r < 0 ? r : check_far(c, &rule->far, err);
}

static int check_hook(struct hooks_conf *c, size_t i, struct err *err)
{
	struct hooks_hook *h = &c->webhooks.v[i];
	int r = check_name(h->name, err);

	for (size_t k = 0; k < i && r >= 0; k++)
		if (strcmp(c->webhooks.v[k].name, h->name) == 0)
			r = err_set(err, ERR_INVALID, "name '%s' is there twice", h->name);
	h->tries = h->tries ? h->tries : TRIES_DEFAULT;
	if (r >= 0)
		r = check_patterns(&h->repositories, err);
	if (r >= 0)
		r = read_duration(h->timeout_text, "timeout", TIMEOUT_DEFAULT, &h->timeout, err);
	if (r >= 0 && (h->timeout < NS_PER_SEC / 10 || h->timeout > 300 * NS_PER_SEC))
		r = err_set(err, ERR_INVALID, "timeout '%s': is 100ms to 5m", h->timeout_text);
	if (r >= 0 && h->old_secret && !h->secret)
		r = err_set(err, ERR_INVALID, "oldSecretFile: goes with secretFile");
	(void)add_file(c, h->secret);
	(void)add_file(c, h->old_secret);
	(void)add_file(c, h->ca);
	return r < 0 ? r : check_url(c->arena, h->url, true, h->insecure, err);
}

/* ---- reading ---- */

static int check_all(struct hooks_conf *c, struct err *err)
{
	size_t n = c->upstreams.n + c->rules.n + 3 * c->webhooks.n;

	if (c->upstreams.n > PARTS_MAX || c->rules.n > PARTS_MAX || c->webhooks.n > PARTS_MAX)
		return err_set(err, ERR_INVALID, "more than %d upstreams, rules or webhooks",
			       PARTS_MAX);
	c->files.v = ARENA_ARRAY(c->arena, const char *, n + 1);
	c->dirs.v = ARENA_ARRAY(c->arena, const char *, n + 1);
	if (!c->files.v || !c->dirs.v)
		return arena_quota(c->arena, err);
	for (size_t i = 0; i < c->upstreams.n; i++)
		if (check_upstream(c, i, err) < 0)
			return err_wrap(err, "upstreams[%zu]", i);
	for (size_t i = 0; i < c->rules.n; i++)
		if (check_rule(c, i, err) < 0)
			return err_wrap(err, "replication[%zu]", i);
	for (size_t i = 0; i < c->webhooks.n; i++)
		if (check_hook(c, i, err) < 0)
			return err_wrap(err, "webhooks[%zu]", i);
	if (c->size_text && bounds_bytes(c->size_text, &c->cache_size, err) < 0)
		return err_wrap(err, "cache.size");
	return read_duration(c->age_text, "cache.age", 0, &c->cache_age, err);
}

static int read_file(const char *path, struct hooks_conf *c, struct err *err)
{
	static const struct schema_opts opts = { 0 }; /* sections of others are not ours to judge */
	CLEANUP(buf_fini) struct buf b = BUF_INIT(FILE_MAX);
	struct sections *s = ARENA_NEW(c->arena, struct sections);
	struct arena *a = c->arena;
	struct slice text;
	struct doc *d;
	int r = s ? fd_read_file(AT_FDCWD, path, &b, err) : arena_quota(a, err);

	if (r < 0)
		return r;
	text = slice_of(arena_strndup(a, buf_str(&b), b.n), b.n);
	r = text.p ? yaml_read(a, text, NULL, &d, err) : arena_quota(a, err);
	if (r >= 0)
		r = schema_decode(&sections_schema, d, a, s, &opts, err);
	if (r < 0)
		return r;
	*c = s->cache;
	c->arena = a;
	for (size_t i = 0; i < HOOKS_SECTIONS && r >= 0; i++) {
		const struct doc *part = doc_get(d, hooks_sections[i]);

		c->text[i] = "";
		if (!part)
			continue;
		r = json_print(a, part, NULL, &text, err);
		c->text[i] = r < 0 ? "" : text.p;
	}
	if (r < 0)
		return r;
	memcpy(&c->upstreams, &s->upstreams, sizeof(c->upstreams));
	memcpy(&c->rules, &s->rules, sizeof(c->rules));
	memcpy(&c->webhooks, &s->webhooks, sizeof(c->webhooks));
	return 0;
}

/* --proxy is an upstream without a prefix. */
static int add_proxy(const struct registry_conf *rc, struct hooks_conf *c, struct err *err)
{
	size_t n = c->upstreams.n;
	struct hooks_upstream *v = ARENA_ARRAY(c->arena, struct hooks_upstream, n + 1);

	if (!v)
		return arena_quota(c->arena, err);
	if (n)
		memcpy(v, c->upstreams.v, n * sizeof(*v));
	v[n] = (struct hooks_upstream){ .far = { .url = rc->proxy, .auth = rc->proxy_auth } };
	c->upstreams.v = v;
	c->upstreams.n = n + 1;
	return 0;
}

int hooks_read(const struct registry_conf *rc, struct hooks_conf **ret, struct err *err)
{
	struct arena *a = arena_new("the registry's hooks", 16u << 20);
	CLEANUP(hooks_conf_free) struct hooks_conf *c = ARENA_NEW(a, struct hooks_conf);
	int r = 0;

	if (!c)
		abort();
	c->arena = a;
	for (size_t i = 0; i < HOOKS_SECTIONS; i++)
		c->text[i] = "";
	if (rc->config)
		r = read_file(rc->config, c, err);
	if (r >= 0 && rc->proxy)
		r = add_proxy(rc, c, err);
	if (r >= 0)
		r = check_all(c, err);
	if (r < 0)
		return rc->config ? err_wrap(err, "--config %s", rc->config)
				  : err_wrap(err, "--proxy");
	*ret = STEAL(c);
	return 0;
}

void hooks_conf_free(struct hooks_conf *c)
{
	if (c)
		arena_free(c->arena);
}

bool hooks_conf_outward(const struct hooks_conf *c)
{
	return c->upstreams.n || c->rules.n || c->webhooks.n;
}
