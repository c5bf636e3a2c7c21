/* SPDX-License-Identifier: Apache-2.0 */
/* Which plugins there are, which of them run, and running them. */
#include "apiserver/admission/admission-private.h"

#include "apiserver/auth/authz.h"
#include "apiserver/objects/status.h"
#include "apiserver/outward/webhook-client.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "doc/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the plugins ---- */

struct plugin {
	const char *name;
	bool on;	  /* when nothing is said */
	unsigned ops;	  /* enum admission_op */
	unsigned kinds;	  /* ADMIT_* */
	const char *subs; /* subresources, as "||status|": "" and "status"; NULL: the object only */
	admit_fn *mutate, *validate;
	const char *missing; /* why it cannot be had */
	bool always;	     /* it is part of every write: it cannot be switched off */
	bool looks;	     /* mutate() changes nothing */
	bool late;	     /* it validates behind the webhooks */
};

#define CONFIG_MAX ((1u << 20) + 1)
#define CONFIG_ARENA (64u << 20)
#define CREATE ADMISSION_CREATE
#define UPDATE ADMISSION_UPDATE
#define WRITE (ADMISSION_CREATE | ADMISSION_UPDATE)
#define OF_NODES                                                                               \
	(ADMIT_POD | ADMIT_NODE | ADMIT_CLAIM | ADMIT_ACCOUNT | ADMIT_LEASE | ADMIT_CSI_NODE | \
	 ADMIT_SLICE | ADMIT_CSR)
#define NEEDS_GATE "it belongs to a feature that is off by default and not in this server"
#define NOT_HERE "it is not in this server"

/*
 * In upstream's order of running. NodeRestriction is on: nodes are told apart by default, too
 * (authz-chain.h).
 */
static const struct plugin plugins[] = {
	{ "AlwaysAdmit", false, 0, 0, NULL, NULL, NULL, NULL },
	{ "NamespaceAutoProvision", false, 0, 0, NULL, NULL, NULL, NOT_HERE },
	{ "NamespaceLifecycle", true, 0, 0, NULL, NULL, NULL, NULL, true },
	{ "NamespaceExists", false, 0, 0, NULL, NULL, NULL, NULL, true },
	{ "LimitPodHardAntiAffinityTopology", false, WRITE, ADMIT_POD, NULL, NULL,
	  admit_anti_affinity, NULL },
	{ "LimitRanger", true, WRITE, ADMIT_POD | ADMIT_CLAIM, "||resize|", admit_limits,
	  admit_limits_check, NULL },
	{ "ServiceAccount", true, WRITE, ADMIT_POD, "||ephemeralcontainers|", admit_account,
	  admit_account_check, NULL },
	{ "NodeRestriction", true, WRITE | ADMISSION_DELETE, OF_NODES, "*", admit_node, NULL, NULL,
	  .looks = true },
	{ "TaintNodesByCondition", true, CREATE, ADMIT_NODE, NULL, admit_taint, NULL, NULL },
	{ "AlwaysPullImages", false, WRITE, ADMIT_POD, NULL, admit_pull, admit_pull_check, NULL },
	{ "ImagePolicyWebhook", false, WRITE, ADMIT_POD, "||ephemeralcontainers|", NULL,
	  admit_images, NULL },
	{ "PodSecurity", true, WRITE, ADMIT_POD | ADMIT_TEMPLATE | ADMIT_NAMESPACE,
	  "||resize|ephemeralcontainers|", NULL, admit_security, NULL },
	{ "PodNodeSelector", false, CREATE, ADMIT_POD, NULL, admit_node_selector,
	  admit_node_selector_check, NULL },
	{ "Priority", true, WRITE, ADMIT_POD | ADMIT_PRIORITY_CLASS, NULL, admit_priority,
	  admit_priority_class, NULL },
	{ "DefaultTolerationSeconds", true, WRITE, ADMIT_POD, NULL, admit_tolerations, NULL, NULL },
	{ "PodTolerationRestriction", false, WRITE, ADMIT_POD, NULL, admit_toleration_rules,
	  admit_toleration_rules_check, NULL },
	{ "EventRateLimit", false, WRITE, ADMIT_EVENT, NULL, NULL, admit_events, NULL },
	{ "ExtendedResourceToleration", false, WRITE, ADMIT_POD, NULL, admit_extended_tolerations,
	  NULL, NULL },
	{ "DefaultStorageClass", true, CREATE, ADMIT_CLAIM, NULL, admit_storage_class, NULL, NULL },
	{ "StorageObjectInUseProtection", true, CREATE,
	  ADMIT_CLAIM | ADMIT_VOLUME | ADMIT_ATTRIBUTES_CLASS, NULL, admit_in_use, NULL, NULL },
	{ "PodGroupProtection", false, 0, 0, NULL, NULL, NULL, NEEDS_GATE },
	{ "OwnerReferencesPermissionEnforcement", false, WRITE, ADMIT_ALL, "*", NULL, admit_owners,
	  NULL },
	{ "PersistentVolumeClaimResize", true, UPDATE, ADMIT_CLAIM, NULL, NULL, admit_resize,
	  NULL },
	{ "RuntimeClass", true, CREATE, ADMIT_POD, NULL, admit_runtime, admit_runtime_check, NULL },
	{ "CertificateApproval", true, UPDATE, ADMIT_CSR, "|approval|", NULL, admit_approval,
	  NULL },
	{ "CertificateSigning", true, UPDATE, ADMIT_CSR, "|status|", NULL, admit_signing, NULL },
	{ "ClusterTrustBundleAttest", true, WRITE, ADMIT_BUNDLE, NULL, NULL, admit_attest, NULL },
	{ "CertificateSubjectRestriction", true, CREATE, ADMIT_CSR, NULL, NULL, admit_subject,
	  NULL },
	{ "DefaultIngressClass", true, CREATE, ADMIT_INGRESS, NULL, admit_ingress_class, NULL,
	  NULL },
	{ "DenyServiceExternalIPs", false, WRITE, ADMIT_SERVICE, NULL, NULL, admit_external_ips,
	  NULL },
	{ "PodTopologyLabels", true, WRITE, ADMIT_POD, "||binding|", admit_topology_labels, NULL,
	  NULL },
	{ "PodGroupWorkloadExists", false, 0, 0, NULL, NULL, NULL, NEEDS_GATE },
	{ "NodeDeclaredFeatureValidator", false, 0, 0, NULL, NULL, NULL, NEEDS_GATE },
	{ "JobValidation", false, 0, 0, NULL, NULL, NULL, NEEDS_GATE },
	{ "PodResizeValidator", true, UPDATE, ADMIT_POD, "|resize|", NULL, admit_pod_resize, NULL },
	{ "MutatingAdmissionPolicy", true, 0, 0, NULL, NULL, NULL, NULL },
	{ "MutatingAdmissionWebhook", true, 0, 0, NULL, NULL, NULL, NULL },
	{ "ValidatingAdmissionPolicy", true, 0, 0, NULL, NULL, NULL, NULL },
	{ "ValidatingAdmissionWebhook", true, 0, 0, NULL, NULL, NULL, NULL },
	{ "ResourceQuota", true, WRITE, ADMIT_ALL, "||resize|status|", NULL, admit_quota, NULL,
	  .late = true },
	{ "AlwaysDeny", false, 0, 0, NULL, NULL, NULL, NOT_HERE },
};
_Static_assert(ARRAY_LEN(plugins) <= 64, "a bit for each plugin");

const char *admission_name(size_t i, bool *ret_default)
{
	if (i >= ARRAY_LEN(plugins))
		return NULL;
	if (ret_default)
		*ret_default = plugins[i].on;
	return plugins[i].name;
}

static int find(struct slice name, size_t *ret, const char *flag, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(plugins); i++)
		if (slice_is(name, plugins[i].name)) {
			*ret = i;
			return 0;
		}
	return err_set(err, ERR_BAD_REQUEST, "--%s: unknown plugin '%.*s'", flag,
		       (int)MIN(name.n, 64), name.p ? name.p : "");
}

static int read_list(const char *list, const char *flag, bool enable, uint64_t *ret,
		     struct err *err)
{
	struct slice rest = slice_str(list ? list : "");
	size_t i = 0;

	while (rest.n) {
		struct slice name = slice_trim(slice_split(&rest, ','));

		if (find(name, &i, flag, err) < 0)
			return err_ret(err);
		if (enable && plugins[i].missing)
			return err_set(err, ERR_BAD_REQUEST, "--%s: %s: %s", flag, plugins[i].name,
				       plugins[i].missing);
		if (!enable && plugins[i].always)
			return err_set(err, ERR_BAD_REQUEST,
				       "--%s: %s: it is part of every write and cannot be disabled",
				       flag, plugins[i].name);
		*ret |= UINT64_C(1) << i;
	}
	return 0;
}

static int choose(const struct admission_flags *f, uint64_t *ret, struct err *err)
{
	uint64_t on = 0, off = 0;

	if (read_list(f->enable, "enable-admission-plugins", true, &on, err) < 0 ||
	    read_list(f->disable, "disable-admission-plugins", false, &off, err) < 0)
		return err_ret(err);
	*ret = 0;
	for (size_t i = 0; i < ARRAY_LEN(plugins); i++) {
		const uint64_t bit = UINT64_C(1) << i;

		if (on & off & bit)
			return err_set(err, ERR_BAD_REQUEST,
				       "plugin %s is both enabled and disabled", plugins[i].name);
		if ((plugins[i].on || on & bit) && !(off & bit))
			*ret |= bit;
	}
	return 0;
}

/* ---- the configuration ---- */

static int append_file(void *arg, const char *path, struct buf *out, struct err *err)
{
	struct admission *ad = arg;
	struct given *g;

	return given_set_get(&ad->files, path, &g, err) < 0 ? err_ret(err)
							    : given_read(g, out, err);
}

static int runs_by_name(void *arg, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(plugins); i++)
		if (strcmp(plugins[i].name, name) == 0)
			return admission_runs(arg, name);
	return -1;
}

static int configure(struct admission *ad, const char *path, struct err *err)
{
	const struct admission_conf_from from = { append_file, runs_by_name, ad };
	CLEANUP(buf_fini) struct buf text = BUF_INIT(CONFIG_MAX);
	struct admission_conf *c = &ad->conf;

	if (path && append_file(ad, path, &text, err) < 0)
		return err_ret(err);
	if (admission_conf_read(buf_slice(&text), path, &from, ad->a, c, err) < 0)
		return err_ret(err);
	if (c->images.kubeconfig &&
	    hook_conf_read(c->images.kubeconfig, &ad->files, ad->a, &ad->images_at, err) < 0)
		return err_wrap(err, "ImagePolicyWebhook");
	for (unsigned i = 0; i < ARRAY_LEN(ad->hooks); i++)
		if (c->webhooks[i] &&
		    hook_users_read(c->webhooks[i], &ad->files, ad->a, &ad->hooks[i], err) < 0)
			return err_wrap(err, i ? "MutatingAdmissionWebhook"
					       : "ValidatingAdmissionWebhook");
	if (c->nevents)
		ad->events = event_limits_new(c->events, c->nevents);
	return 0;
}

int admission_new(const struct admission_flags *f, struct admission **ret, struct err *err)
{
	CLEANUP(admission_free) struct admission *ad = calloc(1, sizeof(*ad));

	if (!ad)
		return err_set(err, ERR_SYSTEM, "no memory");
	ad->a = arena_new("admission", CONFIG_ARENA);
	if (choose(f, &ad->runs, err) < 0)
		return err_ret(err);
	if (configure(ad, f->config, err) < 0)
		return err_wrap(err, "--admission-control-config-file");
	*ret = STEAL(ad);
	return 0;
}

const char *admission_file(const struct admission *ad, size_t i)
{
	return i < ad->files.n ? given_path(ad->files.v[i]) : NULL;
}

int admission_begin(struct admission *ad, struct loop *loop, struct err *err)
{
	if (!ad->conf.images.kubeconfig)
		return 0;
	return image_policy_new(&ad->conf.images, &ad->images_at, loop, &ad->images, err);
}

void admission_free(struct admission *ad)
{
	if (!ad)
		return;
	image_policy_free(ad->images);
	event_limits_free(ad->events);
	hook_conf_fini(&ad->images_at);
	for (unsigned i = 0; i < ARRAY_LEN(ad->hooks); i++)
		hook_users_fini(&ad->hooks[i]);
	given_set_fini(&ad->files);
	arena_free(ad->a);
	free(ad);
}

const struct hook_user *admission_hook_user(const struct admission *ad, bool mutating,
					    const struct webhook_at *at)
{
	return ad ? hook_users_find(&ad->hooks[mutating], at->host, at->port) : NULL;
}

bool admission_runs(const struct admission *ad, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(plugins); i++)
		if (strcmp(plugins[i].name, name) == 0)
			return ad && ad->runs >> i & 1;
	return false;
}

/* ---- the chain ---- */

static const struct {
	const char *group, *resource;
	unsigned kind;
} kinds[] = {
	{ "", "pods", ADMIT_POD },
	{ "", "namespaces", ADMIT_NAMESPACE },
	{ "", "nodes", ADMIT_NODE },
	{ "", "persistentvolumeclaims", ADMIT_CLAIM },
	{ "", "persistentvolumes", ADMIT_VOLUME },
	{ "storage.k8s.io", "volumeattributesclasses", ADMIT_ATTRIBUTES_CLASS },
	{ "networking.k8s.io", "ingresses", ADMIT_INGRESS },
	{ "", "services", ADMIT_SERVICE },
	{ "scheduling.k8s.io", "priorityclasses", ADMIT_PRIORITY_CLASS },
	{ "", "replicationcontrollers", ADMIT_TEMPLATE },
	{ "", "podtemplates", ADMIT_TEMPLATE },
	{ "apps", "replicasets", ADMIT_TEMPLATE },
	{ "apps", "deployments", ADMIT_TEMPLATE },
	{ "apps", "statefulsets", ADMIT_TEMPLATE },
	{ "apps", "daemonsets", ADMIT_TEMPLATE },
	{ "batch", "jobs", ADMIT_TEMPLATE },
	{ "batch", "cronjobs", ADMIT_TEMPLATE },
	{ "certificates.k8s.io", "certificatesigningrequests", ADMIT_CSR },
	{ "certificates.k8s.io", "clustertrustbundles", ADMIT_BUNDLE },
	{ "", "serviceaccounts", ADMIT_ACCOUNT },
	{ "coordination.k8s.io", "leases", ADMIT_LEASE },
	{ "storage.k8s.io", "csinodes", ADMIT_CSI_NODE },
	{ "resource.k8s.io", "resourceslices", ADMIT_SLICE },
	{ "", "events", ADMIT_EVENT },
};

static unsigned kind_of(const struct api_kind *k)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kinds[i].resource, k->resource) == 0 &&
		    strcmp(kinds[i].group, k->group->group) == 0)
			return kinds[i].kind;
	return ADMIT_OTHER;
}

static bool takes_sub(const struct plugin *p, const char *sub)
{
	char text[40];

	if (!p->subs)
		return !*sub;
	if (strcmp(p->subs, "*") == 0)
		return true;
	return (size_t)snprintf(text, sizeof(text), "|%s|", sub) < sizeof(text) &&
	       strstr(p->subs, text);
}

static bool concerns(const struct plugin *p, const struct admission_call *c)
{
	return p->ops & c->op && p->kinds & c->kind && takes_sub(p, c->sub);
}

enum phase { MUTATE, VALIDATE, CHARGE };

static int run(const struct admission *ad, struct admission_call *c, enum phase phase,
	       struct err *err)
{
	struct arena *a = c->sc->a;
	const bool mutate = phase == MUTATE;
	bool own = !mutate || !c->obj;

	c->kind = kind_of(c->sc->objects->kind);
	c->ad = ad;
	for (size_t i = 0; i < ARRAY_LEN(plugins); i++) {
		const struct plugin *p = &plugins[i];
		admit_fn *fn = mutate ? p->mutate : p->validate;
		int r;

		if (!fn || !(ad->runs >> i & 1) || !concerns(p, c) ||
		    (!mutate && p->late != (phase == CHARGE)))
			continue;
		if (!own && !p->looks) { /* nodes may be shared with what is stored */
			const struct doc *copy = doc_copy_shared(a, c->obj);

			if (!copy)
				return arena_quota(a, err);
			*c->obj = *copy;
			own = true;
		}
		r = fn(c, err);
		if (r < 0)
			return r;
	}
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

int admission_mutate(const struct admission *ad, struct admission_call *c, struct err *err)
{
	return ad ? run(ad, c, MUTATE, err) : 0;
}

int admission_validate(const struct admission *ad, struct admission_call *c, struct err *err)
{
	return ad ? run(ad, c, VALIDATE, err) : 0;
}

int admission_charge(const struct admission *ad, struct admission_call *c, struct err *err)
{
	return ad ? run(ad, c, CHARGE, err) : 0;
}

/* ---- what plugins share ---- */

int admit_refuse(struct admission_call *c, struct err *err, const char *fmt, ...)
{
	CLEANUP(buf_fini) struct buf why = BUF_INIT(64u << 10);
	va_list ap;

	va_start(ap, fmt);
	(void)buf_addv(&why, fmt, ap);
	va_end(ap);
	return status_forbidden(err, c->about, c->name, "%s", buf_str(&why));
}

static struct doc *parse(struct admission_call *c, const struct item *i)
{
	const struct json_options copy = { .copy = true };
	struct doc *d = NULL;

	return json_read(c->sc->a, item_json(i), &copy, &d, NULL) < 0 ? NULL : d;
}

struct doc *admit_get(struct admission_call *c, const char *group, const char *resource,
		      const char *ns, struct slice name)
{
	const char *text = arena_strndup(c->sc->a, name.p, name.n);
	const struct item *i =
		text && *text ? resources_get(c->sc->rs, group, resource, ns, text) : NULL;

	return i ? parse(c, i) : NULL;
}

int admit_each(struct admission_call *c, const char *group, const char *resource, const char *ns,
	       const char *with, int (*each)(void *arg, struct doc *obj), void *arg,
	       struct err *err)
{
	const struct collection *o = resources_objects(c->sc->rs, group, resource);
	CLEANUP(cache_view_unref) struct cache_view *view = o ? cache_now(o->cache) : NULL;
	const char *prefix = *ns ? arena_printf(c->sc->a, "%s/", ns) : "";
	struct cache_iter it;
	struct item *item;
	int r = 0;

	if (!view)
		return 0;
	if (!prefix)
		return arena_quota(c->sc->a, err);
	cache_iter_init(&it, view, slice_str(prefix), SLICE(""));
	while (r == 0 && (item = cache_iter_next(&it))) {
		struct doc *d;

		if (with && !slice_has_text(item_json(item), slice_str(with)))
			continue;
		d = parse(c, item);
		r = d ? each(arg, d) : arena_quota(c->sc->a, err);
	}
	return r;
}

void admit_note(struct admission_call *c, const char *key, const char *value)
{
	size_t at = c->nnotes;

	if (at == APIAUDIT_NOTES_MAX || !key || !value)
		return;
	for (; at > 0 && strcmp(c->notes[at - 1].key, key) > 0; at--)
		c->notes[at] = c->notes[at - 1];
	c->notes[at] = (struct apiaudit_note){ key, value };
	c->nnotes++;
}

struct newest {
	const char *const *annotations;
	struct slice name;
	int64_t made;
};

static int look_at_class(void *arg, struct doc *obj)
{
	const struct doc *notes = doc_find(obj, "metadata.annotations");
	struct slice name = strategy_text(obj, "metadata.name");
	struct newest *n = arg;
	int64_t made = 0;
	bool is = false;

	for (size_t i = 0; i < 2 && n->annotations[i]; i++)
		is |= doc_str_is(doc_get(notes, n->annotations[i]), "true");
	(void)clock_parse_rfc3339(strategy_text(obj, "metadata.creationTimestamp"), &made, NULL);
	/* Names come in their order: the first of several of one time stays. */
	if (is && (!n->name.n || made > n->made)) {
		n->name = name;
		n->made = made;
	}
	return 0;
}

int admit_default_class(struct admission_call *c, const char *group, const char *resource,
			const char *const annotations[2], struct slice *ret, struct err *err)
{
	struct newest n = { .annotations = annotations };
	int r = admit_each(c, group, resource, "", "is-default-class\"", look_at_class, &n, err);

	*ret = n.name;
	return r;
}

bool admit_may(struct admission_call *c, const char *verb, const char *group, const char *resource,
	       const char *sub, const char *ns, const char *name)
{
	const struct authz_attrs at = {
		.user = &c->sc->user,
		.verb = verb,
		.resource_request = true,
		.group = group,
		.version = "*",
		.resource = resource,
		.sub = sub,
		.name = name,
		.ns = ns,
		.path = "",
	};

	return authz_allowed(c->authz, &at, NULL);
}

const char *admit_text(struct admission_call *c, const struct doc *d, const char *path)
{
	const char *s = doc_cstr(c->sc->a, doc_find(d, path));

	return s ? s : "";
}

struct doc *admit_container(const struct doc *spec, size_t *i, const char **ret_list)
{
	static const char *const lists[] = { "initContainers", "containers",
					     "ephemeralContainers" };
	size_t at = (*i)++;

	for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
		const struct doc *list = doc_get(spec, lists[l]);

		if (at < doc_len(list)) {
			if (ret_list)
				*ret_list = lists[l];
			return doc_at(list, at);
		}
		at -= doc_len(list);
	}
	return NULL;
}

const struct doc *admit_template(const struct admission_call *c, const struct doc *obj)
{
	const char *resource = c->sc->objects->kind->resource;

	if (c->kind == ADMIT_POD)
		return obj;
	if (strcmp(resource, "podtemplates") == 0)
		return doc_get(obj, "template");
	if (strcmp(resource, "cronjobs") == 0)
		return doc_find(obj, "spec.jobTemplate.spec.template");
	return doc_find(obj, "spec.template");
}
