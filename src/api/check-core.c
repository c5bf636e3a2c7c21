/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of core/v1: what holds data, names, templates; the rows of all its kinds. */
#include "api/check-core.h"

#include "base/arena.h"
#include "base/hash.h"
#include "doc/json.h"

#define DATA_MAX (1u << 20)

/* ---- ConfigMap and Secret ---- */

static void check_keys(struct check *c, const struct path *p, const struct doc *data)
{
	DOC_EACH_MEMBER (key, value, data) {
		const struct path at = PATH_KEY(p, doc_slice(key));
		const char *why = form_config_key(doc_slice(key));

		(void)value;
		if (why)
			check_invalid(c, &at, key, "%s", why);
	}
}

static size_t size_of(const struct doc *data, bool base64)
{
	size_t n = 0;

	DOC_EACH_MEMBER (key, value, data) {
		(void)key;
		n += base64 ? value->n / 4 * 3 : value->n;
	}
	return n;
}

/* An object whose `immutable` is true keeps it, and its data. */
static void check_frozen(struct check *c, const struct doc *obj, const char *const *fields)
{
	const struct path immutable = PATH(NULL, "immutable");

	if (!doc_true(doc_get(c->old, "immutable")))
		return;
	if (!doc_true(doc_get(obj, "immutable")))
		check_forbidden(c, &immutable, "field is immutable when `immutable` is set");
	for (size_t i = 0; fields[i]; i++) {
		const struct path at = PATH(NULL, fields[i]);
		const struct doc *now = doc_get(obj, fields[i]), *old = doc_get(c->old, fields[i]);

		if (doc_len(now) + doc_len(old) > 0 && !(now && old && doc_equal(now, old)))
			check_forbidden(c, &at, "field is immutable when `immutable` is set");
	}
}

static void check_config_map(struct check *c, const struct doc *obj, const char *sub)
{
	static const char *const frozen[] = { "data", "binaryData", NULL };
	const struct doc *data = doc_get(obj, "data"), *binary = doc_get(obj, "binaryData");
	const struct path p = PATH(NULL, "data"), b = PATH(NULL, "binaryData");

	(void)sub;
	check_keys(c, &p, data);
	check_keys(c, &b, binary);
	DOC_EACH_MEMBER (key, value, binary) {
		const struct path at = PATH_KEY(&p, doc_slice(key));

		(void)value;
		if (doc_getn(data, doc_slice(key)))
			check_invalid(c, &at, key, "duplicate of key present in binaryData");
	}
	if (size_of(data, false) + size_of(binary, true) > DATA_MAX)
		check_too_long(c, NULL, DATA_MAX);
	check_frozen(c, obj, frozen);
}

#define DOCKER_TYPES                                                                 \
	2 /* rows at the head of the table that hold a docker client's configuration \
	   */

/* What the well-known types of secrets must hold. */
static const struct {
	const char *type, *key;
} secret_keys[] = {
	{ "kubernetes.io/dockercfg", ".dockercfg" },
	{ "kubernetes.io/dockerconfigjson", ".dockerconfigjson" },
	{ "kubernetes.io/ssh-auth", "ssh-privatekey" },
	{ "kubernetes.io/tls", "tls.crt" },
	{ "kubernetes.io/tls", "tls.key" },
};

/* A docker client's configuration is a JSON object. */
static void check_docker_config(struct check *c, const struct path *p, const struct doc *value)
{
	struct err err = ERR_INIT;
	struct doc *d = NULL;
	size_t n = value->n / 4 * 3;
	char *text = arena_alloc(c->a, n + 1);
	bool ok = text && base64_decode(text, &n, doc_slice(value)) == 0 &&
		  json_read(c->a, slice_of(text, n), NULL, &d, &err) == 0 &&
		  (doc_is(d, DOC_OBJECT) || doc_is(d, DOC_NULL));

	if (!ok)
		check_invalid_text(c, p, SLICE("<secret contents redacted>"),
				   "must be a JSON object");
}

static void check_secret_type(struct check *c, const struct doc *obj)
{
	const struct path data = PATH(NULL, "data"), meta = PATH(NULL, "metadata"),
			  annotations = PATH(&meta, "annotations"),
			  account = PATH_KEY(&annotations,
					     SLICE("kubernetes.io/service-account.name"));
	const struct doc *type = doc_get(obj, "type"), *d = doc_get(obj, "data");

	for (size_t i = 0; i < ARRAY_LEN(secret_keys); i++) {
		const struct path at = PATH_KEY(&data, slice_str(secret_keys[i].key));

		if (doc_str_is(type, secret_keys[i].type) && !doc_get(d, secret_keys[i].key))
			check_required(c, &at, "");
		else if (i < DOCKER_TYPES && doc_str_is(type, secret_keys[i].type))
			check_docker_config(c, &at, doc_get(d, secret_keys[i].key));
	}
	if (doc_str_is(type, "kubernetes.io/basic-auth") && !doc_get(d, "username") &&
	    !doc_get(d, "password")) {
		const struct path name = PATH_KEY(&data, SLICE("username")),
				  word = PATH_KEY(&data, SLICE("password"));

		check_required(c, &name, "");
		check_required(c, &word, "");
	}
	if (doc_str_is(type, "kubernetes.io/service-account-token") &&
	    !doc_slice(doc_get(doc_find(obj, "metadata.annotations"),
			       "kubernetes.io/service-account.name"))
		     .n)
		check_required(c, &account, "");
}

static void check_secret(struct check *c, const struct doc *obj, const char *sub)
{
	static const char *const frozen[] = { "data", NULL };
	const struct path data = PATH(NULL, "data"), type = PATH(NULL, "type");

	(void)sub;
	check_keys(c, &data, doc_get(obj, "data"));
	if (size_of(doc_get(obj, "data"), true) > DATA_MAX)
		check_too_long(c, &data, DATA_MAX);
	check_secret_type(c, obj);
	if (c->old) {
		check_immutable(c, &type, doc_get(obj, "type"), doc_get(c->old, "type"));
		check_frozen(c, obj, frozen);
	}
}

/* ---- Namespace, ServiceAccount ---- */

static bool is_standard_finalizer(struct slice s)
{
	return slice_is(s, "kubernetes") || slice_is(s, "orphan") ||
	       slice_is(s, "foregroundDeletion");
}

static void check_namespace(struct check *c, const struct doc *obj, const char *sub)
{
	const struct path spec = PATH(NULL, "spec"), list = PATH(&spec, "finalizers"),
			  status = PATH(NULL, "status"), phase = PATH(&status, "Phase");
	const struct doc *finalizers = doc_find(obj, "spec.finalizers");
	bool gone = doc_is(doc_find(obj, "metadata.deletionTimestamp"), DOC_STRING);
	bool ends = doc_str_is(doc_find(obj, "status.phase"), "Terminating");

	for (size_t i = 0; i < doc_len(finalizers); i++) {
		const struct path one = PATH_INDEX(&list, i),
				  *at = strcmp(sub, "finalize") == 0 ? &one : &list;
		struct slice s = doc_slice(doc_at(finalizers, i));

		check_text(c, at, doc_at(finalizers, i), form_qualified_name);
		if (s.n && !memchr(s.p, '/', s.n) && !is_standard_finalizer(s))
			check_invalid(c, at, doc_at(finalizers, i),
				      "name is neither a standard finalizer name nor is it fully "
				      "qualified");
	}
	if (strcmp(sub, "status") != 0)
		return;
	if (!gone && ends)
		check_invalid(c, &phase, doc_find(obj, "status.phase"),
			      "may only be 'Active' if `deletionTimestamp` is empty");
	if (gone && !ends)
		check_invalid(c, &phase, doc_find(obj, "status.phase"),
			      "may only be 'Terminating' if `deletionTimestamp` is not empty");
}

/* ---- ReplicationController, PodTemplate ---- */

static bool labels_match(const struct doc *selector, const struct doc *labels)
{
	DOC_EACH_MEMBER (key, value, selector) {
		const struct doc *v = doc_getn(labels, doc_slice(key));

		if (!v || !doc_equal(v, value))
			return false;
	}
	return true;
}

static void check_replica_counts(struct check *c, const struct doc *status)
{
	static const char *const counts[] = { "replicas", "fullyLabeledReplicas", "readyReplicas",
					      "availableReplicas", "observedGeneration" };
	const struct path p = PATH(NULL, "status"), available = PATH(&p, "availableReplicas");
	const struct doc *a = doc_get(status, "availableReplicas");

	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		const struct path at = PATH(&p, counts[i]);
		const struct doc *n = doc_get(status, counts[i]);

		check_not_negative(c, &at, n);
		if (i > 0 && i < 4 && check_number(n) > check_number(doc_get(status, "replicas")))
			check_invalid(c, &at, n, "cannot be greater than status.replicas");
	}
	if (check_number(a) > check_number(doc_get(status, "readyReplicas")))
		check_invalid(c, &available, a, "cannot be greater than readyReplicas");
}

static void check_controller(struct check *c, const struct doc *obj, const char *sub)
{
	const struct path p = PATH(NULL, "spec"), ready = PATH(&p, "minReadySeconds"),
			  replicas = PATH(&p, "replicas"), template = PATH(&p, "template"),
			  meta = PATH(&template, "metadata"), labels_at = PATH(&meta, "labels");
	const struct doc *spec = doc_get(obj, "spec"), *selector = doc_get(spec, "selector"),
			 *t = doc_get(spec, "template"), *labels = doc_find(t, "metadata.labels");

	if (strcmp(sub, "status") == 0) {
		check_replica_counts(c, doc_get(obj, "status"));
		return;
	}
	check_not_negative(c, &ready, doc_get(spec, "minReadySeconds"));
	(void)check_has(c, &p, spec, "selector", "");
	check_not_negative(c, &replicas, doc_get(spec, "replicas"));
	if (!t) {
		check_required(c, &template, "");
		return;
	}
	if (!labels_match(selector, labels)) {
		static const struct doc none = { .type = DOC_OBJECT };

		check_invalid(c, &labels_at, labels ? labels : &none,
			      "`selector` does not match template `labels`");
	}
	check_pod_template(c, &template, t, POD_RESTARTS);
}

static void check_pod_template_kind(struct check *c, const struct doc *obj, const char *sub)
{
	const struct path p = PATH(NULL, "template");

	(void)sub;
	check_pod_template(c, &p, doc_get(obj, "template"), 0);
}

const struct check_kind check_core[] = {
	{ "", "Binding", check_binding, NULL },
	{ "", "ConfigMap", check_config_map, NULL },
	{ "", "Endpoints", check_endpoints, NULL },
	{ "", "Event", check_event, NULL },
	{ "events.k8s.io", "Event", check_event, NULL },
	{ "", "LimitRange", check_limit_range, NULL },
	{ "", "Namespace", check_namespace, form_dns_label },
	{ "", "Node", check_node, NULL },
	{ "", "PersistentVolume", check_persistent_volume, NULL },
	{ "", "PersistentVolumeClaim", check_claim, NULL },
	{ "", "Pod", check_pod, NULL },
	{ "", "PodTemplate", check_pod_template_kind, NULL },
	{ "", "ReplicationController", check_controller, NULL },
	{ "", "ResourceQuota", check_quota, NULL },
	{ "", "Secret", check_secret, NULL },
	{ "", "Service", check_service, form_dns1035_label },
	{ "", "ServiceAccount", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
