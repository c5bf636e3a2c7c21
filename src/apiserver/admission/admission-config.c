/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/admission/admission-config.h"

#include "api/check-pod.h"
#include "api/check.h"
#include "apiserver/admission/admission-private.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "doc/yaml.h"

#include <stdio.h>
#include <string.h>

#define FILE_MAX (1u << 20)
#define LIST_MAX 4096
#define CONFIG_GROUP "apiserver.config.k8s.io"

struct reading {
	const struct admission_conf_from *from;
	const char *path;
	struct arena *a;
	struct admission_conf *c;
	struct err *err;
};

/* Every versioned kind has these two. */
struct head {
	const char *version, *kind;
};
#define HEAD(T)                                                             \
	F_STR(T, head.version, "apiVersion", SCHEMA_REQUIRED, FORMAT_NONE), \
		F_STR(T, head.kind, "kind", SCHEMA_REQUIRED, FORMAT_NONE)

/* ---- decoding ---- */

static int decode(struct reading *x, const struct schema *s, const struct doc *d, void *ret)
{
	const struct schema_opts strict = { .strict = true };
	const int r = schema_decode(s, d, x->a, ret, &strict, x->err);
	const struct cause *k = x->err ? x->err->causes : NULL;

	if (x->err)
		x->err->causes = NULL;
	if (r < 0 && k && strcmp(k->reason, "unknown") == 0)
		return err_set(x->err, ERR_INVALID,
			       "strict decoding error: unknown field \"%.400s\"", k->field);
	return r;
}

/* What was wrong by the rules of the kind. */
static int told(struct reading *x, const struct check *c)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(16u << 10);

	if (!c->n)
		return 0;
	for (const struct cause *k = c->first; k; k = k->next)
		(void)buf_addf(&b, "%s%s: %s", b.n ? ", " : "", k->field, k->detail);
	return err_set(x->err, ERR_INVALID, c->n > 1 ? "[%s]" : "%s", buf_str(&b));
}

static void check_begin(struct reading *x, struct check *c)
{
	check_init(c, NULL, NULL, NULL, x->a);
}

static const char *text_of(const char *s)
{
	return s ? s : "";
}

/* "pods" of both "v1" and "v1beta1"; what upstream says of another. */
static int check_kind(struct reading *x, const struct doc *d, const char *const *versions,
		      const char *kind)
{
	const char *v = doc_cstr(x->a, doc_get(d, "apiVersion")),
		   *k = doc_cstr(x->a, doc_get(d, "kind"));

	if (!doc_is(d, DOC_OBJECT))
		return err_set(x->err, ERR_INVALID, "must be an object");
	if (!k || !*k)
		return err_set(x->err, ERR_INVALID, "Object 'Kind' is missing");
	if (!v || !*v)
		return err_set(x->err, ERR_INVALID, "Object 'apiVersion' is missing");
	if (strcmp(k, kind) != 0 || !str_is_one_of(v, versions))
		return err_set(x->err, ERR_INVALID,
			       "no kind \"%.100s\" is registered for version \"%.100s\"", k, v);
	return 0;
}

/* ---- PodSecurity ---- */

struct raw_podsec {
	struct head head;
	struct raw_defaults {
		const char *enforce, *enforce_version, *audit, *audit_version, *warn, *warn_version;
	} defaults;
	struct raw_exempt {
		struct strs users, namespaces, classes;
	} exempt;
};

static const struct schema_field defaults_rows[] = {
	F_STR(struct raw_defaults, enforce, "enforce", 0, FORMAT_NONE),
	F_STR(struct raw_defaults, enforce_version, "enforce-version", 0, FORMAT_NONE),
	F_STR(struct raw_defaults, audit, "audit", 0, FORMAT_NONE),
	F_STR(struct raw_defaults, audit_version, "audit-version", 0, FORMAT_NONE),
	F_STR(struct raw_defaults, warn, "warn", 0, FORMAT_NONE),
	F_STR(struct raw_defaults, warn_version, "warn-version", 0, FORMAT_NONE),
};
static const struct schema defaults_schema = SCHEMA("defaults", struct raw_defaults, defaults_rows);
static const struct schema_field exempt_rows[] = {
	F_LIST_STR(struct raw_exempt, users, "usernames", 0, FORMAT_NONE, .max = LIST_MAX),
	F_LIST_STR(struct raw_exempt, namespaces, "namespaces", 0, FORMAT_NONE, .max = LIST_MAX),
	F_LIST_STR(struct raw_exempt, classes, "runtimeClasses", 0, FORMAT_NONE, .max = LIST_MAX),
};
static const struct schema exempt_schema = SCHEMA("exemptions", struct raw_exempt, exempt_rows);
static const struct schema_field podsec_rows[] = {
	HEAD(struct raw_podsec),
	F_OBJ_IN(struct raw_podsec, defaults, "defaults", &defaults_schema, 0),
	F_OBJ_IN(struct raw_podsec, exempt, "exemptions", &exempt_schema, 0),
};
static const struct schema podsec_schema =
	SCHEMA("PodSecurityConfiguration", struct raw_podsec, podsec_rows);

static void read_mode(struct check *c, const char *mode, const char *level, const char *version,
		      struct podsec_policy *ret)
{
	char field[32];
	const struct path at = PATH(NULL, "defaults"), p = PATH(&at, mode), v = PATH(&at, field);

	(void)snprintf(field, sizeof(field), "%s-version", mode);
	level = level && *level ? level : "privileged";
	version = version && *version ? version : "latest";
	if (!podsec_read_level(slice_str(level), &ret->level))
		check_invalid_text(c, &p, slice_str(level), "%s", PODSEC_LEVELS);
	if (!podsec_read_version(slice_str(version), &ret->minor))
		check_invalid_text(c, &v, slice_str(version), "%s", PODSEC_VERSIONS);
}

static const char *bad_user(struct slice name)
{
	return name.n ? NULL : "username must not be empty";
}

static void check_exempt(struct check *c, const char *field, struct strs *list, check_form *form)
{
	const struct path top = PATH(NULL, "exemptions"), at = PATH(&top, field);

	for (size_t i = 0; i < list->n; i++) {
		const struct path p = PATH_INDEX(&at, i);
		const struct doc name = doc_str(c->a, text_of(list->v[i]));
		const char *why = form(doc_slice(&name));
		size_t same = 0;

		list->v[i] = text_of(list->v[i]);
		while (strcmp(list->v[same], list->v[i]) != 0)
			same++;
		if (why)
			check_invalid_text(c, &p, doc_slice(&name), "%s", why);
		else if (same < i)
			check_duplicate(c, &p, &name);
	}
}

static int read_podsec(struct reading *x, const struct doc *d)
{
	struct podsec_conf *p = &x->c->podsec;
	struct raw_podsec raw;
	struct check c;

	if (decode(x, &podsec_schema, d, &raw) < 0)
		return err_ret(x->err);
	check_begin(x, &c);
	read_mode(&c, "enforce", raw.defaults.enforce, raw.defaults.enforce_version, &p->enforce);
	read_mode(&c, "warn", raw.defaults.warn, raw.defaults.warn_version, &p->warn);
	read_mode(&c, "audit", raw.defaults.audit, raw.defaults.audit_version, &p->audit);
	check_exempt(&c, "namespaces", &raw.exempt.namespaces, form_dns_label);
	check_exempt(&c, "runtimeClasses", &raw.exempt.classes, form_dns_subdomain);
	check_exempt(&c, "usernames", &raw.exempt.users, bad_user);
	p->users = raw.exempt.users;
	p->namespaces = raw.exempt.namespaces;
	p->classes = raw.exempt.classes;
	return told(x, &c);
}

/* ---- ImagePolicyWebhook ---- */

struct raw_images {
	struct raw_image_policy {
		const char *kubeconfig;
		int64_t allow, deny, back_off;
		bool open;
	} policy;
};

static const struct schema_field image_rows[] = {
	F_STR(struct raw_image_policy, kubeconfig, "kubeConfigFile", SCHEMA_REQUIRED,
	      FORMAT_ABS_PATH),
	F_INT(struct raw_image_policy, allow, "allowTTL", 0, 0, 0),
	F_INT(struct raw_image_policy, deny, "denyTTL", 0, 0, 0),
	F_INT(struct raw_image_policy, back_off, "retryBackoff", 0, 0, 0),
	F_BOOL(struct raw_image_policy, open, "defaultAllow", 0),
};
static const struct schema image_schema =
	SCHEMA("imagePolicy", struct raw_image_policy, image_rows);
static const struct schema_field images_rows[] = {
	F_OBJ_IN(struct raw_images, policy, "imagePolicy", &image_schema, SCHEMA_REQUIRED),
};
static const struct schema images_schema = SCHEMA("configuration", struct raw_images, images_rows);

struct span {
	const char *field;
	int64_t unit, least, most, absent; /* ns */
	const char *words;		   /* upstream's of both ends */
};

/* 0 is the default, -1 none at all. */
static int read_span(struct reading *x, const struct span *s, int64_t v, int64_t *ret)
{
	*ret = v == 0 ? s->absent : v == -1 ? 0 : v;
	if (v == 0 || v == -1)
		return 0;
	if (v < s->least / s->unit || v > s->most / s->unit)
		return err_set(x->err, ERR_INVALID,
			       "imagePolicy.%s: valid value is between %s, got %lld%s", s->field,
			       s->words, (long long)v, s->unit == NS_PER_SEC ? "s" : "ms");
	*ret = v * s->unit;
	return 0;
}

static int read_images(struct reading *x, const struct doc *d)
{
	static const struct span allow = { "allowTTL",	      NS_PER_SEC,	NS_PER_SEC,
					   1800 * NS_PER_SEC, 300 * NS_PER_SEC, "1s and 30m0s" };
	static const struct span deny = { "denyTTL",	     NS_PER_SEC,      NS_PER_SEC,
					  1800 * NS_PER_SEC, 30 * NS_PER_SEC, "1s and 30m0s" };
	static const struct span back_off = { "retryBackoff",	NS_PER_MS,	 NS_PER_MS,
					      300 * NS_PER_SEC, 500 * NS_PER_MS, "1ns and 5m0s" };
	struct image_conf *c = &x->c->images;
	struct raw_images raw;

	if (decode(x, &images_schema, d, &raw) < 0 ||
	    read_span(x, &back_off, raw.policy.back_off, &c->back_off) < 0 ||
	    read_span(x, &allow, raw.policy.allow, &c->allow_ttl) < 0 ||
	    read_span(x, &deny, raw.policy.deny, &c->deny_ttl) < 0)
		return err_ret(x->err);
	c->kubeconfig = raw.policy.kubeconfig;
	c->fails_open = raw.policy.open;
	return 0;
}

/* ---- PodNodeSelector ---- */

struct raw_selectors {
	struct str_map selectors;
};

static const struct schema_field selector_rows[] = {
	F_MAP_STR(struct raw_selectors, selectors, "podNodeSelectorPluginConfig", SCHEMA_REQUIRED,
		  .max = LIST_MAX),
};
static const struct schema selector_schema =
	SCHEMA("configuration", struct raw_selectors, selector_rows);

static int read_selectors(struct reading *x, const struct doc *d)
{
	struct raw_selectors raw;
	struct doc labels;

	if (decode(x, &selector_schema, d, &raw) < 0)
		return err_ret(x->err);
	for (size_t i = 0; i < raw.selectors.n; i++) {
		struct str_pair *s = &raw.selectors.v[i];

		s->value = text_of(s->value);
		if (node_selector_read(slice_str(s->value), x->a, &labels, x->err) < 0)
			return err_wrap(x->err, "podNodeSelectorPluginConfig.%.100s", s->key);
	}
	x->c->node_selectors = raw.selectors;
	return 0;
}

/* ---- PodTolerationRestriction ---- */

struct raw_toleration {
	const char *key, *op, *value, *effect;
	struct opt_int seconds;
};
struct raw_tolerations {
	struct head head;
	LIST_OF(struct raw_toleration) defaults, allowed;
};

static const struct schema_field toleration_rows[] = {
	F_STR(struct raw_toleration, key, "key", 0, FORMAT_NONE),
	F_STR(struct raw_toleration, op, "operator", 0, FORMAT_NONE),
	F_STR(struct raw_toleration, value, "value", 0, FORMAT_NONE),
	F_STR(struct raw_toleration, effect, "effect", 0, FORMAT_NONE),
	F_OPT_INT(struct raw_toleration, seconds, "tolerationSeconds", 0, INT64_MIN, INT64_MAX),
};
static const struct schema toleration_schema =
	SCHEMA("toleration", struct raw_toleration, toleration_rows);
static const struct schema_field tolerations_rows[] = {
	HEAD(struct raw_tolerations),
	F_LIST_OBJ(struct raw_tolerations, defaults, "default", &toleration_schema, 0,
		   .max = LIST_MAX),
	F_LIST_OBJ(struct raw_tolerations, allowed, "whitelist", &toleration_schema, 0,
		   .max = LIST_MAX),
};
static const struct schema tolerations_schema =
	SCHEMA("Configuration", struct raw_tolerations, tolerations_rows);

static int read_tolerations(struct reading *x, const struct doc *d)
{
	const struct path top = PATH(NULL, "podtolerationrestriction");
	const struct path one = PATH(&top, "default"), two = PATH(&top, "whitelist");
	struct raw_tolerations raw;
	struct check c;

	if (decode(x, &tolerations_schema, d, &raw) < 0)
		return err_ret(x->err);
	x->c->tolerations = doc_get(d, "default");
	x->c->tolerated = doc_get(d, "whitelist");
	check_begin(x, &c);
	check_tolerations(&c, &one, x->c->tolerations);
	check_tolerations(&c, &two, x->c->tolerated);
	return told(x, &c) < 0 ? err_wrap(x->err, "invalid config") : 0;
}

/* ---- EventRateLimit ---- */

struct raw_limit {
	const char *type;
	int32_t qps, burst, cache;
};
struct raw_events {
	struct head head;
	LIST_OF(struct raw_limit) limits;
};

static const struct schema_field limit_rows[] = {
	F_STR(struct raw_limit, type, "type", 0, FORMAT_NONE),
	F_INT(struct raw_limit, qps, "qps", 0, 0, 0),
	F_INT(struct raw_limit, burst, "burst", 0, 0, 0),
	F_INT(struct raw_limit, cache, "cacheSize", 0, 0, 0),
};
static const struct schema limit_schema = SCHEMA("limit", struct raw_limit, limit_rows);
static const struct schema_field events_rows[] = {
	HEAD(struct raw_events),
	F_LIST_OBJ(struct raw_events, limits, "limits", &limit_schema, 0, .max = EVENT_LIMITS_MAX),
};
static const struct schema events_schema = SCHEMA("Configuration", struct raw_events, events_rows);

const char *const event_key_names[] = {
	[EVENT_OF_SERVER] = "Server",
	[EVENT_OF_NAMESPACE] = "Namespace",
	[EVENT_OF_USER] = "User",
	[EVENT_OF_OBJECT] = "SourceAndObject",
	NULL,
};

static bool find_key(const char *name, enum event_key *ret)
{
	for (unsigned i = 0; event_key_names[i]; i++)
		if (strcmp(event_key_names[i], name) == 0) {
			*ret = (enum event_key)i;
			return true;
		}
	return false;
}

static void must_be(struct check *c, const struct path *p, bool fine, int32_t v, const char *words)
{
	const struct doc number = doc_int(c->a, v);

	if (!fine)
		check_invalid(c, p, &number, "%s", words);
}

static void read_limit(struct check *c, const struct path *at, const struct raw_limit *raw,
		       struct event_limit *ret)
{
	const struct path type = PATH(at, "type"), burst = PATH(at, "burst"), qps = PATH(at, "qps"),
			  cache = PATH(at, "cacheSize");
	const struct doc name = doc_str(c->a, text_of(raw->type));
	const bool known = find_key(text_of(raw->type), &ret->key);

	if (!known)
		check_unsupported(c, &type, &name, event_key_names);
	must_be(c, &burst, raw->burst > 0, raw->burst, "must be positive");
	must_be(c, &qps, raw->qps > 0, raw->qps, "must be positive");
	must_be(c, &cache, raw->cache >= 0 || (known && ret->key == EVENT_OF_SERVER), raw->cache,
		"must not be negative");
	ret->qps = raw->qps;
	ret->burst = raw->burst;
	ret->cache = raw->cache ? raw->cache : 4096;
}

static int read_events(struct reading *x, const struct doc *d)
{
	const struct path top = PATH(NULL, "limits");
	struct raw_events raw;
	struct check c;

	if (decode(x, &events_schema, d, &raw) < 0)
		return err_ret(x->err);
	if (!raw.limits.n)
		return err_set(x->err, ERR_INVALID,
			       "limits: Invalid value: null: must not be empty");
	x->c->events = ARENA_ARRAY(x->a, struct event_limit, raw.limits.n);
	if (!x->c->events)
		return arena_quota(x->a, x->err);
	x->c->nevents = raw.limits.n;
	check_begin(x, &c);
	for (size_t i = 0; i < raw.limits.n; i++) {
		const struct path at = PATH_INDEX(&top, i);

		read_limit(&c, &at, &raw.limits.v[i], &x->c->events[i]);
	}
	return told(x, &c);
}

/* ---- webhooks ---- */

struct raw_webhooks {
	struct head head;
	const char *kubeconfig, *manifests;
};

static const struct schema_field webhooks_rows[] = {
	HEAD(struct raw_webhooks),
	F_STR(struct raw_webhooks, kubeconfig, "kubeConfigFile", 0, FORMAT_NONE),
	F_STR(struct raw_webhooks, manifests, "staticManifestsDir", 0, FORMAT_NONE),
};
static const struct schema webhooks_schema =
	SCHEMA("WebhookAdmissionConfiguration", struct raw_webhooks, webhooks_rows);

static int read_webhooks(struct reading *x, const struct doc *d, bool mutating)
{
	const struct path at = PATH(NULL, "kubeConfigFile");
	struct raw_webhooks raw;
	struct check c;

	if (decode(x, &webhooks_schema, d, &raw) < 0)
		return err_ret(x->err);
	if (*text_of(raw.manifests))
		return err_set(x->err, ERR_UNSUPPORTED,
			       "staticManifestsDir: it belongs to a feature that is off by default "
			       "and not in this server");
	if (!*text_of(raw.kubeconfig))
		return 0;
	check_begin(x, &c);
	if (raw.kubeconfig[0] != '/')
		check_invalid_text(&c, &at, slice_str(raw.kubeconfig),
				   "must be an absolute file path");
	x->c->webhooks[mutating] = raw.kubeconfig;
	return told(x, &c);
}

static int read_mutating(struct reading *x, const struct doc *d)
{
	return read_webhooks(x, d, true);
}

static int read_validating(struct reading *x, const struct doc *d)
{
	return read_webhooks(x, d, false);
}

/* ---- ResourceQuota ---- */

static const char *const scope_ops[] = { "In", "NotIn", "Exists", "DoesNotExist", NULL };
static const char *const scopes[] = { "Terminating",
				      "NotTerminating",
				      "BestEffort",
				      "NotBestEffort",
				      "PriorityClass",
				      "CrossNamespacePodAffinity",
				      "VolumeAttributesClass",
				      NULL };

struct raw_scope {
	const char *name, *op;
	struct strs values;
};
struct raw_limited {
	const char *group, *resource;
	struct strs contains;
	LIST_OF(struct raw_scope) scopes;
};
struct raw_quota {
	struct head head;
	LIST_OF(struct raw_limited) limited;
};

static const struct schema_field scope_rows[] = {
	F_ENUM_STR(struct raw_scope, name, "scopeName", scopes, SCHEMA_REQUIRED),
	F_ENUM_STR(struct raw_scope, op, "operator", scope_ops, SCHEMA_REQUIRED),
	F_LIST_STR(struct raw_scope, values, "values", 0, FORMAT_NONE, .max = LIST_MAX),
};
static const struct schema scope_schema = SCHEMA("scope", struct raw_scope, scope_rows);
static const struct schema_field limited_rows[] = {
	F_STR(struct raw_limited, group, "apiGroup", 0, FORMAT_NONE),
	F_STR(struct raw_limited, resource, "resource", 0, FORMAT_NONE),
	F_LIST_STR(struct raw_limited, contains, "matchContains", 0, FORMAT_NONE, .max = LIST_MAX),
	F_LIST_OBJ(struct raw_limited, scopes, "matchScopes", &scope_schema, 0, .max = LIST_MAX),
};
static const struct schema limited_schema =
	SCHEMA("limitedResource", struct raw_limited, limited_rows);
static const struct schema_field quota_rows[] = {
	HEAD(struct raw_quota),
	F_LIST_OBJ(struct raw_quota, limited, "limitedResources", &limited_schema, 0,
		   .max = LIST_MAX),
};
static const struct schema quota_schema =
	SCHEMA("ResourceQuotaConfiguration", struct raw_quota, quota_rows);

static int read_quota(struct reading *x, const struct doc *d)
{
	const struct path top = PATH(NULL, "limitedResources");
	const struct doc *list = doc_get(d, "limitedResources");
	struct raw_quota raw;
	struct check c;

	if (decode(x, &quota_schema, d, &raw) < 0)
		return err_ret(x->err);
	x->c->limited = ARENA_ARRAY(x->a, struct quota_limit, raw.limited.n);
	if (!x->c->limited)
		return arena_quota(x->a, x->err);
	x->c->nlimited = raw.limited.n;
	check_begin(x, &c);
	for (size_t i = 0; i < raw.limited.n; i++) {
		const struct path at = PATH_INDEX(&top, i), resource = PATH(&at, "resource");
		const struct raw_limited *l = &raw.limited.v[i];

		if (!*text_of(l->resource))
			check_required(&c, &resource, "");
		x->c->limited[i] =
			(struct quota_limit){ .group = text_of(l->group),
					      .resource = text_of(l->resource),
					      .contains = l->contains,
					      .scopes = doc_get(doc_at(list, i), "matchScopes") };
	}
	return told(x, &c);
}

/* ---- the plugins ---- */

static const char *const podsec_versions[] = { "pod-security.admission.config.k8s.io/v1",
					       "pod-security.admission.config.k8s.io/v1beta1",
					       "pod-security.admission.config.k8s.io/v1alpha1",
					       NULL };
static const char *const config_versions[] = { CONFIG_GROUP "/v1", NULL };
static const char *const quota_versions[] = { "resourcequota.admission.k8s.io/v1beta1",
					      "resourcequota.admission.k8s.io/v1alpha1", NULL };
static const char *const event_versions[] = { "eventratelimit.admission.k8s.io/v1alpha1", NULL };
static const char *const toleration_versions[] = {
	"podtolerationrestriction.admission.k8s.io/v1alpha1", NULL
};

static const struct plugin_conf {
	const char *plugin;
	const char *const *versions; /* NULL: it has neither version nor kind */
	const char *kind;
	int (*read)(struct reading *x, const struct doc *d);
	const char *needed; /* what is said when there is none; NULL: it may be left out */
	const char *legacy; /* its member of a file without a version */
} plugin_confs[] = {
	{ "ImagePolicyWebhook", NULL, NULL, read_images, "no config specified", "imagePolicy" },
	{ "PodSecurity", podsec_versions, "PodSecurityConfiguration", read_podsec, NULL, NULL },
	{ "PodNodeSelector", NULL, NULL, read_selectors, NULL, "podNodeSelectorPluginConfig" },
	{ "PodTolerationRestriction", toleration_versions, "Configuration", read_tolerations, NULL,
	  NULL },
	{ "EventRateLimit", event_versions, "Configuration", read_events,
	  "limits: Invalid value: null: must not be empty", NULL },
	{ "MutatingAdmissionWebhook", config_versions, "WebhookAdmissionConfiguration",
	  read_mutating, NULL, NULL },
	{ "ValidatingAdmissionWebhook", config_versions, "WebhookAdmissionConfiguration",
	  read_validating, NULL, NULL },
	{ "ResourceQuota", config_versions, "ResourceQuotaConfiguration", read_quota, NULL, NULL },
	{ "ResourceQuota", quota_versions, "Configuration", read_quota, NULL, NULL },
};

/* Of several forms the one that the document names, or the first. */
static const struct plugin_conf *find_conf(const char *plugin, const struct doc *d)
{
	const struct plugin_conf *first = NULL;

	for (size_t i = 0; i < ARRAY_LEN(plugin_confs); i++) {
		const struct plugin_conf *p = &plugin_confs[i];

		if (strcmp(p->plugin, plugin) != 0)
			continue;
		first = first ? first : p;
		for (size_t v = 0; p->versions && p->versions[v]; v++)
			if (doc_str_is(doc_get(d, "apiVersion"), p->versions[v]))
				return p;
	}
	return first;
}

static int read_plugin(struct reading *x, const char *plugin, const struct doc *d)
{
	const struct plugin_conf *p = find_conf(plugin, d);
	int r = 0;

	if (!p)
		r = err_set(x->err, ERR_INVALID, "it takes no configuration");
	else if (p->versions)
		r = check_kind(x, d, p->versions, p->kind);
	if (r == 0)
		r = p->read(x, d);
	return r < 0 ? err_wrap(x->err, "couldn't init admission plugin \"%s\"", plugin) : 0;
}

/* ---- the file ---- */

struct raw_plugin {
	const char *name, *path;
	const struct doc *conf;
};
struct raw_admission {
	struct head head;
	LIST_OF(struct raw_plugin) plugins;
};

static const struct schema_field plugin_rows[] = {
	F_STR(struct raw_plugin, name, "name", SCHEMA_REQUIRED | SCHEMA_NONEMPTY, FORMAT_NONE),
	F_STR(struct raw_plugin, path, "path", 0, FORMAT_NONE),
	F_DOC(struct raw_plugin, conf, "configuration", 0),
};
static const struct schema plugin_schema = SCHEMA("plugin", struct raw_plugin, plugin_rows);
static const struct schema_field admission_rows[] = {
	HEAD(struct raw_admission),
	F_LIST_OBJ(struct raw_admission, plugins, "plugins", &plugin_schema, 0, .max = LIST_MAX),
};
static const struct schema admission_schema =
	SCHEMA("AdmissionConfiguration", struct raw_admission, admission_rows);

/* The text goes. */
static int parse(struct reading *x, struct slice text, struct doc **ret)
{
	struct doc *d;

	if (yaml_read(x->a, text, NULL, &d, x->err) < 0)
		return err_ret(x->err);
	*ret = doc_copy(x->a, d);
	return *ret ? 0 : arena_quota(x->a, x->err);
}

static int read_file(struct reading *x, const char *path, struct doc **ret)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(FILE_MAX + 1);
	const char *slash = strrchr(x->path, '/');

	if (path[0] != '/' && slash)
		path = arena_printf(x->a, "%.*s/%s", (int)(slash - x->path), x->path, path);
	if (!path)
		return arena_quota(x->a, x->err);
	if (x->from->file(x->from->arg, path, &text, x->err) < 0)
		return err_ret(x->err);
	if (text.n > FILE_MAX)
		return err_set(x->err, ERR_TOO_LARGE, "'%s' is larger than %u bytes", path,
			       FILE_MAX);
	return parse(x, buf_slice(&text), ret) < 0 ? err_wrap(x->err, "'%s'", path) : 0;
}

/* 0: it is not looked at; 1: *ret is its configuration. */
static int find_plugin(struct reading *x, const struct raw_plugin *p, struct doc **ret)
{
	const bool inside = p->conf && !doc_is(p->conf, DOC_NULL), beside = *text_of(p->path);
	const int runs = x->from->runs(x->from->arg, p->name);

	if (runs < 0)
		return err_set(x->err, ERR_INVALID, "unknown admission plugin: %.100s", p->name);
	if (inside && beside)
		return err_set(x->err, ERR_INVALID, "%s: either path or configuration", p->name);
	if (!runs || (!inside && !beside))
		return 0;
	if (inside) {
		*ret = (struct doc *)(uintptr_t)p->conf;
		return 1;
	}
	return read_file(x, p->path, ret) < 0 ? err_wrap(x->err, "%s", p->name) : 1;
}

/* Each has one of its own; an element that is null has none. */
static int check_name(struct reading *x, const struct raw_admission *raw, size_t at)
{
	if (!raw->plugins.v[at].name)
		return err_set(x->err, ERR_INVALID, "plugins[%zu].name: Required value", at);
	for (size_t i = 0; i < at; i++)
		if (strcmp(raw->plugins.v[i].name, raw->plugins.v[at].name) == 0)
			return err_set(x->err, ERR_INVALID,
				       "plugins[%zu].name: Duplicate value: \"%.100s\"", at,
				       raw->plugins.v[at].name);
	return 0;
}

/* Which of plugin_confs were read. */
struct seen {
	bool of[ARRAY_LEN(plugin_confs)];
};

static void see(struct seen *s, const char *plugin)
{
	for (size_t i = 0; i < ARRAY_LEN(plugin_confs); i++)
		s->of[i] |= strcmp(plugin_confs[i].plugin, plugin) == 0;
}

static int read_plugins(struct reading *x, const struct doc *d, struct seen *seen)
{
	static const char *const versions[] = { CONFIG_GROUP "/v1", "apiserver.k8s.io/v1alpha1",
						NULL };
	struct raw_admission raw;
	struct doc *conf;

	if (check_kind(x, d, versions, "AdmissionConfiguration") < 0 ||
	    decode(x, &admission_schema, d, &raw) < 0)
		return err_ret(x->err);
	for (size_t i = 0; i < raw.plugins.n; i++) {
		int r = check_name(x, &raw, i);

		if (r == 0)
			r = find_plugin(x, &raw.plugins.v[i], &conf);
		if (r < 0 || (r > 0 && read_plugin(x, raw.plugins.v[i].name, conf) < 0))
			return err_ret(x->err);
		if (r > 0)
			see(seen, raw.plugins.v[i].name);
	}
	return 0;
}

/* A file of the time before versions: the members of two plugins. */
static bool is_legacy(const struct doc *d)
{
	bool any = false;

	DOC_EACH_MEMBER (key, value, d) {
		bool known = false;

		(void)value;
		for (size_t i = 0; i < ARRAY_LEN(plugin_confs); i++)
			known |= plugin_confs[i].legacy && doc_str_is(key, plugin_confs[i].legacy);
		if (!known)
			return false;
		any = true;
	}
	return any;
}

static int read_legacy(struct reading *x, const struct doc *d, struct seen *seen)
{
	for (size_t i = 0; i < ARRAY_LEN(plugin_confs); i++) {
		const struct plugin_conf *p = &plugin_confs[i];
		const struct doc *part = p->legacy ? doc_get(d, p->legacy) : NULL;
		struct doc *own;

		if (!part || x->from->runs(x->from->arg, p->plugin) <= 0)
			continue;
		own = doc_new_object(x->a);
		doc_set(x->a, own, p->legacy, *part);
		if (!own || arena_exceeded(x->a))
			return arena_quota(x->a, x->err);
		if (read_plugin(x, p->plugin, own) < 0)
			return err_ret(x->err);
		see(seen, p->plugin);
	}
	return 0;
}

static int check_needed(struct reading *x, const struct seen *seen)
{
	for (size_t i = 0; i < ARRAY_LEN(plugin_confs); i++) {
		const struct plugin_conf *p = &plugin_confs[i];

		if (p->needed && !seen->of[i] && x->from->runs(x->from->arg, p->plugin) > 0)
			return err_set(x->err, ERR_INVALID,
				       "couldn't init admission plugin \"%s\": %s", p->plugin,
				       p->needed);
	}
	return 0;
}

int admission_conf_read(struct slice text, const char *path, const struct admission_conf_from *from,
			struct arena *a, struct admission_conf *ret, struct err *err)
{
	const struct podsec_policy none = { PODSEC_PRIVILEGED, PODSEC_LATEST };
	struct reading x = { .from = from, .path = path, .a = a, .c = ret, .err = err };
	struct seen seen = { 0 };
	struct doc *d;

	*ret = (struct admission_conf){ .podsec = {
						.enforce = none, .audit = none, .warn = none } };
	if (path && parse(&x, text, &d) < 0)
		return err_ret(err);
	if (path && (is_legacy(d) ? read_legacy(&x, d, &seen) : read_plugins(&x, d, &seen)) < 0)
		return err_ret(err);
	if (check_needed(&x, &seen) < 0)
		return err_ret(err);
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}
