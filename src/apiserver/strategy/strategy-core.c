/* SPDX-License-Identifier: Apache-2.0 */
/* core/v1 but pods and services: namespaces, nodes, volumes and claims, quotas, templates. */
#include "apiserver/strategy/strategy-private.h"

#include "api/quantity.h"
#include "base/hash.h"
#include "crypto/key.h"
#include "crypto/x509.h"

#include <stdio.h>

/* ---- namespaces ---- */

static int create_namespace(struct strategy_call *c, struct doc *obj, struct err *err)
{
	struct doc *list = doc_find(obj, "spec.finalizers"), *labels;
	const struct doc *name = doc_find(obj, "metadata.name");

	(void)err;
	if (!list)
		list = strategy_set(c, obj, "spec.finalizers", doc_array());
	DOC_EACH (d, list)
		if (doc_str_is(d, "kubernetes"))
			list = NULL;
	(void)doc_append_str(c->a, list, "kubernetes");
	labels = doc_find(obj, "metadata.labels");
	if (!labels)
		labels = strategy_set(c, obj, "metadata.labels", doc_object());
	/* Generated names were not known when defaults were set. */
	if (name)
		strategy_map_put(c->a, labels, "kubernetes.io/metadata.name", *name, false);
	return 0;
}

static int update_namespace(struct strategy_call *c, struct doc *obj, const struct doc *old,
			    struct err *err)
{
	(void)err;
	if (strategy_sub(c, ""))
		strategy_keep(c->objects->kind->type, obj, old, c->a, "spec.finalizers");
	return 0;
}

/* ---- nodes ---- */

/* What kubelets no longer read: only who has it keeps it. */
static int create_node(struct strategy_call *c, struct doc *obj, struct err *err)
{
	(void)c;
	(void)err;
	(void)strategy_drop(obj, "spec.configSource");
	(void)strategy_drop(obj, "status.config");
	return 0;
}

static int update_node(struct strategy_call *c, struct doc *obj, const struct doc *old,
		       struct err *err)
{
	const char *path = strategy_sub(c, "status") ? "status.config" : "spec.configSource";

	(void)err;
	if (!doc_find(old, path))
		(void)strategy_drop(obj, path);
	return 0;
}

static void warn_node(struct strategy_call *c, const struct doc *obj, const struct doc *old)
{
	const struct path spec = PATH(NULL, "spec"), networks = PATH(&spec, "podCIDRs");
	const struct doc *list = doc_find(obj, "spec.podCIDRs");

	(void)old;
	if (!strategy_sub(c, ""))
		return;
	if (doc_find(obj, "spec.configSource"))
		strategy_warn(c, "spec.configSource: the feature is removed");
	if (strategy_text(obj, "spec.externalID").n > 0)
		strategy_warn(c, "spec.externalID: this field is deprecated, and is unused by "
				 "Kubernetes");
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(&networks, i);

		strategy_warn_cidr(c, &at, doc_at(list, i));
	}
}

/* ---- quotas ---- */

static void warn_quota_of(struct strategy_call *c, const struct doc *hard, const char *resource,
			  bool alone)
{
	struct quantity request, limit;
	char asked[64], most[64];

	(void)snprintf(asked, sizeof(asked), "requests.%s", resource);
	(void)snprintf(most, sizeof(most), "limits.%s", resource);
	if (alone && !doc_get(hard, asked))
		(void)snprintf(asked, sizeof(asked), "%s", resource);
	if (!quantity_parse(doc_slice(doc_get(hard, asked)), &request) ||
	    !quantity_parse(doc_slice(doc_get(hard, most)), &limit) ||
	    quantity_cmp(&request, &limit) <= 0)
		return;
	strategy_warn(c, "ResourceQuota %s (%s) should be less than %s (%s)", asked,
		      doc_cstr(c->a, doc_get(hard, asked)), most,
		      doc_cstr(c->a, doc_get(hard, most)));
}

static void warn_quota(struct strategy_call *c, const struct doc *obj, const struct doc *old)
{
	const struct doc *hard = doc_find(obj, "spec.hard");

	if (old)
		return;
	warn_quota_of(c, hard, "cpu", true);
	warn_quota_of(c, hard, "memory", true);
	warn_quota_of(c, hard, "storage", false);
	warn_quota_of(c, hard, "ephemeral-storage", false);
}

/* ---- volumes ---- */

#define TRANSITION "status.lastPhaseTransitionTime"

static int create_volume(struct strategy_call *c, struct doc *obj, struct err *err)
{
	(void)err;
	(void)strategy_set(c, obj, TRANSITION, strategy_now(c));
	return 0;
}

static int update_volume(struct strategy_call *c, struct doc *obj, const struct doc *old,
			 struct err *err)
{
	const struct doc *t = doc_find(obj, TRANSITION), *was = doc_find(old, TRANSITION);

	(void)err;
	if (!strategy_sub(c, "status"))
		return 0;
	if (!strategy_same_at(obj, old, "status.phase")) {
		if (!t || strategy_same(t, was))
			(void)strategy_set(c, obj, TRANSITION, strategy_now(c));
	} else if (!t && was) {
		(void)strategy_set(c, obj, TRANSITION, *was);
	}
	return 0;
}

static void warn_volume(struct strategy_call *c, const struct doc *obj, const struct doc *old)
{
	static const struct {
		const char *name, *words;
	} annotations[] = {
		{ "volume.beta.kubernetes.io/storage-class",
		  "deprecated since v1.8; use \"storageClassName\" attribute instead" },
		{ "volume.beta.kubernetes.io/mount-options",
		  "deprecated since v1.31; use \"mountOptions\" attribute instead" },
	}, sources[] = {
		{ "cephfs", "deprecated in v1.28, non-functional in v1.31+" },
		{ "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+" },
		{ "scaleIO", "deprecated in v1.16, non-functional in v1.22+" },
		{ "storageos", "deprecated in v1.22, non-functional in v1.25+" },
		{ "glusterfs", "deprecated in v1.25, non-functional in v1.26+" },
		{ "rbd", "deprecated in v1.28, non-functional in v1.31+" },
	};
	const struct path p = PATH(NULL, "spec"), affinity = PATH(&p, "nodeAffinity"),
			  required = PATH(&affinity, "required"),
			  terms = PATH(&required, "nodeSelectorTerms");
	const struct doc *spec = doc_get(obj, "spec"),
			 *list = doc_find(spec, "nodeAffinity.required.nodeSelectorTerms");

	(void)old;
	if (!strategy_sub(c, ""))
		return;
	for (size_t i = 0; i < ARRAY_LEN(annotations); i++)
		if (doc_get(doc_find(obj, "metadata.annotations"), annotations[i].name))
			strategy_warn(c, "metadata.annotations[%s]: %s", annotations[i].name,
				      annotations[i].words);
	if (strategy_is(spec, "persistentVolumeReclaimPolicy", "Recycle"))
		strategy_warn(c, "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy "
				 "is deprecated. Instead, the recommended approach is to use "
				 "dynamic provisioning.");
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(&terms, i);

		strategy_warn_term(c, &at, doc_at(list, i), false);
	}
	for (size_t i = 0; i < ARRAY_LEN(sources); i++)
		if (doc_get(spec, sources[i].name))
			strategy_warn(c, "spec.%s: %s",
				      strcmp(sources[i].name, "storageos") == 0 ? "storageOS"
										: sources[i].name,
				      sources[i].words);
}

/* ---- claims ---- */

/* A source without a namespace is told in both fields: a new claim's, or one that had none. */
static void same_sources(struct strategy_call *c, struct doc *obj)
{
	static const char *const fields[] = { "spec.dataSource", "spec.dataSourceRef" };
	const struct doc *one = doc_find(obj, fields[0]), *two = doc_find(obj, fields[1]), *from;
	const char *to;
	struct doc copy;

	if (!one == !two)
		return;
	from = one ? one : two;
	to = one ? fields[1] : fields[0];
	if (strategy_text(from, "namespace").n > 0)
		return;
	copy = *from;
	(void)strategy_set(c, obj, to, doc_object());
	DOC_EACH_MEMBER (key, value, &copy)
		if (!doc_str_is(key, "namespace"))
			(void)doc_add_node(c->a, doc_find(obj, to), *key, *value);
}

static bool is_claim_or_snapshot(const struct doc *source)
{
	struct slice group = strategy_text(source, "apiGroup");

	return strategy_is(source, "kind", "PersistentVolumeClaim")
		       ? group.n == 0
		       : strategy_is(source, "kind", "VolumeSnapshot") &&
				 slice_is(group, "snapshot.storage.k8s.io");
}

static void trim_claim(struct strategy_call *c, struct doc *obj, const struct doc *old)
{
	const bool had_ref = doc_find(old, "spec.dataSourceRef");

	/* Sources of other namespaces are off by default. */
	if (!had_ref && strategy_text(obj, "spec.dataSourceRef.namespace").n > 0)
		(void)strategy_drop(obj, "spec.dataSourceRef");
	if (!had_ref && !doc_find(old, "spec.dataSource") && !doc_find(obj, "spec.dataSourceRef") &&
	    !is_claim_or_snapshot(doc_find(obj, "spec.dataSource")))
		(void)strategy_drop(obj, "spec.dataSource");
	same_sources(c, obj);
}

static int create_claim(struct strategy_call *c, struct doc *obj, struct err *err)
{
	(void)err;
	trim_claim(c, obj, NULL);
	return 0;
}

static int update_claim(struct strategy_call *c, struct doc *obj, const struct doc *old,
			struct err *err)
{
	(void)err;
	if (strategy_sub(c, ""))
		trim_claim(c, obj, old);
	return 0;
}

static void warn_claim(struct strategy_call *c, const struct doc *obj, const struct doc *old)
{
	const struct path spec = PATH(NULL, "spec");

	(void)old;
	if (!strategy_sub(c, ""))
		return;
	if (doc_get(doc_find(obj, "metadata.annotations"),
		    "volume.beta.kubernetes.io/storage-class"))
		strategy_warn(c, "metadata.annotations[volume.beta.kubernetes.io/storage-class]: "
				 "deprecated since v1.8; use \"storageClassName\" attribute "
				 "instead");
	strategy_warn_claim(c, &spec, doc_get(obj, "spec"));
}

/* ---- service accounts ---- */

/* Of the secrets only their names are kept. */
static void name_secrets(struct strategy_call *c, struct doc *obj)
{
	DOC_EACH (d, doc_get(obj, "secrets")) {
		const struct doc *name = doc_get(d, "name");
		struct doc one = doc_object();

		if (name)
			(void)doc_set(c->a, &one, "name", *name);
		*d = one;
	}
}

static int create_account(struct strategy_call *c, struct doc *obj, struct err *err)
{
	(void)err;
	name_secrets(c, obj);
	return 0;
}

static int update_account(struct strategy_call *c, struct doc *obj, const struct doc *old,
			  struct err *err)
{
	(void)old;
	(void)err;
	name_secrets(c, obj);
	return 0;
}

#define MOUNTABLE "kubernetes.io/enforce-mountable-secrets"

static void warn_account(struct strategy_call *c, const struct doc *obj, const struct doc *old)
{
	if (!doc_get(doc_find(old, "metadata.annotations"), MOUNTABLE) &&
	    doc_get(doc_find(obj, "metadata.annotations"), MOUNTABLE))
		strategy_warn(c, "metadata.annotations[" MOUNTABLE "]: deprecated in v1.32+; "
				 "prefer separate namespaces to isolate access to mounted secrets");
}

/* ---- secrets ---- */

/* A value of `data`, decoded; empty when there is none. */
static struct slice secret_data(struct strategy_call *c, const struct doc *obj, const char *key)
{
	struct slice text = doc_slice(doc_get(doc_get(obj, "data"), key));
	char *bytes = arena_alloc(c->a, text.n + 1);
	size_t n;

	return bytes && text.n && base64_decode(bytes, &n, text) == 0 ? slice_of(bytes, n)
								      : slice_of("", 0);
}

static bool has_pem(struct slice text)
{
	return slice_has_text(text, SLICE("-----BEGIN "));
}

/* What a server of TLS would say of the pair. */
static const char *tls_pair(struct strategy_call *c, const struct doc *obj)
{
	CLEANUP(cert_unref) struct cert *cert = NULL;
	CLEANUP(key_unref) struct key *key = NULL, *public = NULL;
	struct slice cert_text = secret_data(c, obj, "tls.crt"),
		     key_text = secret_data(c, obj, "tls.key");

	if (!has_pem(cert_text))
		return "tls: failed to find any PEM data in certificate input";
	if (!slice_has_text(cert_text, SLICE("-----BEGIN CERTIFICATE-----")))
		return slice_has_text(cert_text, SLICE("PRIVATE KEY-----"))
			       ? "tls: failed to find certificate PEM data in certificate input, "
				 "but "
				 "did find a private key; PEM inputs may have been switched"
			       : "tls: failed to find certificate PEM data in certificate input";
	if (!has_pem(key_text))
		return "tls: failed to find any PEM data in key input";
	if (!slice_has_text(key_text, SLICE("PRIVATE KEY-----")))
		return slice_has_text(key_text, SLICE("-----BEGIN CERTIFICATE-----"))
			       ? "tls: found a certificate rather than a key in the PEM for the "
				 "private key"
			       : "tls: failed to find PEM block with type ending in \"PRIVATE "
				 "KEY\" "
				 "in key input";
	if (cert_read_one(cert_text, &cert, NULL) < 0 || cert_key(cert, &public, NULL) < 0)
		return "tls: failed to parse certificate";
	if (key_read(key_text, &key, NULL) < 0)
		return "tls: failed to parse private key";
	return key_matches(key, public) ? NULL : "tls: private key does not match public key";
}

static void warn_secret(struct strategy_call *c, const struct doc *obj, const struct doc *old)
{
	const char *wrong = strategy_is(obj, "type", "kubernetes.io/tls") ? tls_pair(c, obj) : NULL;

	(void)old;
	if (wrong)
		strategy_warn(c, "%s", wrong);
}

/* ---- endpoints ---- */

static void warn_endpoints(struct strategy_call *c, const struct doc *obj, const struct doc *old)
{
	const struct path p = PATH(NULL, "subsets");
	const struct doc *list = doc_get(obj, "subsets");

	(void)old;
	if (doc_str_is(
		    doc_get(doc_find(obj, "metadata.labels"), "endpoints.kubernetes.io/managed-by"),
		    "endpoint-controller"))
		return;
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(&p, i), ready = PATH(&at, "addresses"),
				  other = PATH(&at, "notReadyAddresses");

		strategy_warn_ips_in(c, &ready, doc_get(doc_at(list, i), "addresses"));
		strategy_warn_ips_in(c, &other, doc_get(doc_at(list, i), "notReadyAddresses"));
	}
}

/* ---- what has templates of pods ---- */

static int create_template(struct strategy_call *c, struct doc *obj, struct err *err)
{
	(void)c;
	(void)err;
	strategy_trim_pod(doc_find(obj, "template.spec"), NULL);
	return 0;
}

static int update_template(struct strategy_call *c, struct doc *obj, const struct doc *old,
			   struct err *err)
{
	(void)c;
	(void)err;
	strategy_trim_pod(doc_find(obj, "template.spec"), doc_find(old, "template.spec"));
	return 0;
}

static void warn_template(struct strategy_call *c, const struct doc *obj, const struct doc *old)
{
	if (!old || !strategy_same_at(obj, old, "metadata.generation"))
		strategy_warn_template(c, obj, "template");
}

static int create_controller(struct strategy_call *c, struct doc *obj, struct err *err)
{
	(void)c;
	(void)err;
	strategy_trim_pod(doc_find(obj, "spec.template.spec"), NULL);
	return 0;
}

static int update_controller(struct strategy_call *c, struct doc *obj, const struct doc *old,
			     struct err *err)
{
	(void)err;
	if (!strategy_sub(c, "status"))
		strategy_trim_pod(doc_find(obj, "spec.template.spec"),
				  doc_find(old, "spec.template.spec"));
	return 0;
}

static void warn_controller(struct strategy_call *c, const struct doc *obj, const struct doc *old)
{
	if (strategy_sub(c, "status"))
		return;
	if (!old)
		strategy_warn_pod_name(c, obj, STRATEGY_NAME_IN_PODS);
	/* Upstream looks at the template before an update, not at the new one. */
	if (!old || !strategy_same_at(obj, old, "metadata.generation"))
		strategy_warn_template(c, old ? old : obj, "spec.template");
}

const struct strategy strategy_core[] = {
	{ "", "namespaces", 0, create_namespace, update_namespace, .warn = NULL },
	{ "", "nodes", STRATEGY_KEEPS_STATUS, create_node, update_node, .warn = warn_node },
	{ "", "resourcequotas", .warn = warn_quota },
	{ "", "persistentvolumes", 0, create_volume, update_volume, .warn = warn_volume },
	{ "", "persistentvolumeclaims", 0, create_claim, update_claim, .warn = warn_claim },
	{ "", "limitranges", STRATEGY_CREATE_ON_UPDATE, .warn = NULL },
	{ "", "serviceaccounts", 0, create_account, update_account, .warn = warn_account },
	{ "", "secrets", .warn = warn_secret },
	{ "", "endpoints", STRATEGY_CREATE_ON_UPDATE, .warn = warn_endpoints },
	{ "", "events", STRATEGY_CREATE_ON_UPDATE | STRATEGY_TTL, .warn = NULL },
	{ "events.k8s.io", "events", STRATEGY_CREATE_ON_UPDATE | STRATEGY_TTL, .warn = NULL },
	{ "", "podtemplates", STRATEGY_GENERATION, create_template, update_template,
	  .warn = warn_template },
	{ "", "replicationcontrollers", STRATEGY_GENERATION | STRATEGY_ORPHANS, create_controller,
	  update_controller, .warn = warn_controller },
	{ 0 },
};
