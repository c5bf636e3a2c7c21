/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ServiceAccount: every pod runs as an account of its namespace, with a token of it in a volume and
 * its secrets for images. (The account "default" of each namespace: account-control.h.)
 */
#include "apiserver/admission/admission-private.h"

#include "api/object.h"
#include "base/err.h"
#include "base/hash.h"
#include "doc/json.h"

#define VOLUME "kube-api-access-"
#define MOUNT_PATH "/var/run/secrets/kubernetes.io/serviceaccount"
#define ENFORCE "kubernetes.io/enforce-mountable-secrets"
#define MIRROR "kubernetes.io/config.mirror"

/* ---- the account ---- */

static int find_account(struct admission_call *c, struct doc **ret, struct err *err)
{
	struct slice name = strategy_text(c->obj, "spec.serviceAccountName");

	*ret = NULL;
	if (!name.n)
		return admit_refuse(c, err, "no service account specified for pod %s/%s", c->ns,
				    c->name);
	*ret = admit_get(c, "", "serviceaccounts", c->ns, name);
	c->soon = !*ret && slice_is(name, "default"); /* of a namespace that is new */
	return *ret ? 0
		    : admit_refuse(c, err,
				   "error looking up service account %s/%.*s: serviceaccount "
				   "\"%.*s\" not found",
				   c->ns, (int)name.n, name.p, (int)name.n, name.p);
}

/* ---- its token ---- */

/* A part of a pod in canonical form; null: no memory. */
static struct doc part(struct admission_call *c, const char *type, const char *json)
{
	const struct json_options copy = { .copy = true };
	struct doc *d, ret;

	if (!json || json_read(c->sc->a, slice_str(json), &copy, &d, NULL) < 0 ||
	    api_admit(api_type(resources_api(c->sc->rs), "v1", type), d, c->sc->a, 0, NULL, &ret,
		      NULL) < 0)
		return doc_null();
	return ret;
}

static struct doc token_volume(struct admission_call *c, const char *name)
{
	return part(c, "Volume",
		    arena_printf(c->sc->a,
				 "{\"name\":\"%s\",\"projected\":{\"defaultMode\":420,\"sources\":"
				 "[{\"serviceAccountToken\":{\"path\":\"token\","
				 "\"expirationSeconds\":3607}},{\"configMap\":{\"name\":"
				 "\"kube-root-ca.crt\",\"items\":[{\"key\":\"ca.crt\",\"path\":"
				 "\"ca.crt\"}]}},{\"downwardAPI\":{\"items\":[{\"path\":"
				 "\"namespace\",\"fieldRef\":{\"apiVersion\":\"v1\","
				 "\"fieldPath\":\"metadata.namespace\"}}]}}]}}",
				 name));
}

static const char *volume_name(struct admission_call *c, bool *ret_there)
{
	static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
	char end[6] = "";

	DOC_EACH (v, doc_find(c->obj, "spec.volumes"))
		if (slice_starts(strategy_text(v, "name"), SLICE(VOLUME))) {
			*ret_there = true;
			return admit_text(c, v, "name");
		}
	*ret_there = false;
	for (int i = 0; i < 5; i++)
		end[i] = letters[random_u64() % (sizeof(letters) - 1)];
	return arena_printf(c->sc->a, VOLUME "%s", end);
}

static bool is_mounted(const struct doc *container)
{
	DOC_EACH (m, doc_get(container, "volumeMounts"))
		if (strategy_is(m, "mountPath", MOUNT_PATH))
			return true;
	return false;
}

/* A list below obj, made when there is none, gets one more. */
static void append(struct admission_call *c, const struct api_type *t, struct doc *obj,
		   const char *list, struct doc value)
{
	struct doc *l = doc_get(obj, list);

	if (!l)
		l = strategy_put(t, obj, c->sc->a, list, doc_array());
	(void)doc_append(c->sc->a, l, value);
}

static void mount_token(struct admission_call *c)
{
	static const char *const lists[] = { "initContainers", "containers" };
	const struct api_type *t = strategy_type(admit_type(c), "spec");
	struct doc *spec = doc_get(c->obj, "spec");
	bool there, needed = false;
	const char *name = volume_name(c, &there);

	for (size_t i = 0; name && i < ARRAY_LEN(lists); i++)
		DOC_EACH (d, doc_get(spec, lists[i])) {
			if (is_mounted(d))
				continue;
			append(c, strategy_type(t, lists[i]), d, "volumeMounts",
			       part(c, "VolumeMount",
				    arena_printf(c->sc->a,
						 "{\"name\":\"%s\",\"readOnly\":true,"
						 "\"mountPath\":\"" MOUNT_PATH "\"}",
						 name)));
			needed = true;
		}
	if (needed && !there)
		append(c, t, spec, "volumes", token_volume(c, name));
}

static bool wants_token(const struct doc *account, const struct doc *pod)
{
	const struct doc *mine = doc_find(pod, "spec.automountServiceAccountToken"),
			 *its = doc_get(account, "automountServiceAccountToken");

	if (mine)
		return doc_true(mine);
	return !its || doc_true(its);
}

int admit_account(struct admission_call *c, struct err *err)
{
	struct doc *account;
	int r;

	if (c->op != ADMISSION_CREATE || doc_get(doc_find(c->obj, "metadata.annotations"), MIRROR))
		return 0;
	if (!strategy_text(c->obj, "spec.serviceAccountName").n) {
		(void)strategy_put(admit_type(c), c->obj, c->sc->a, "spec.serviceAccountName",
				   DOC_LIT("default"));
		(void)strategy_put(admit_type(c), c->obj, c->sc->a, "spec.serviceAccount",
				   DOC_LIT("default"));
	}
	r = find_account(c, &account, err);
	if (r < 0)
		return r;
	if (wants_token(account, c->obj))
		mount_token(c);
	if (!doc_len(doc_find(c->obj, "spec.imagePullSecrets")) &&
	    doc_len(doc_get(account, "imagePullSecrets")))
		(void)strategy_put(admit_type(c), c->obj, c->sc->a, "spec.imagePullSecrets",
				   *doc_get(account, "imagePullSecrets"));
	return 0;
}

/* ---- which secrets it may use ---- */

static bool is_named(const struct doc *list, const struct doc *name)
{
	DOC_EACH (d, list)
		if (strategy_same(doc_get(d, "name"), name))
			return true;
	return false;
}

static bool is_enforced(const struct doc *account)
{
	static const char *const yes[] = { "1", "t", "T", "TRUE", "true", "True" };
	const struct doc *v = doc_get(doc_find(account, "metadata.annotations"), ENFORCE);

	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		if (doc_str_is(v, yes[i]))
			return true;
	return false;
}

static int check_container(struct admission_call *c, const struct doc *account, const struct doc *d,
			   const char *what, struct err *err)
{
	const struct doc *secrets = doc_get(account, "secrets");
	const char *of = admit_text(c, account, "metadata.name"), *name = admit_text(c, d, "name");

	DOC_EACH (env, doc_get(d, "env")) {
		const struct doc *ref = doc_find(env, "valueFrom.secretKeyRef");

		if (ref && !is_named(secrets, doc_get(ref, "name")))
			return admit_refuse(
				c, err,
				"%s %s with envVar %s referencing secret.secretName=\"%s\" is not "
				"allowed because service account %s does not reference that secret",
				what, name, admit_text(c, env, "name"), admit_text(c, ref, "name"),
				of);
	}
	DOC_EACH (from, doc_get(d, "envFrom")) {
		const struct doc *ref = doc_get(from, "secretRef");

		if (ref && !is_named(secrets, doc_get(ref, "name")))
			return admit_refuse(
				c, err,
				"%s %s with envFrom referencing secret.secretName=\"%s\" is not "
				"allowed because service account %s does not reference that secret",
				what, name, admit_text(c, ref, "name"), of);
	}
	return 0;
}

static int check_secrets(struct admission_call *c, const struct doc *account, struct err *err)
{
	const bool added = c->op == ADMISSION_UPDATE;
	const char *of = admit_text(c, account, "metadata.name"), *list;
	const struct doc *spec = doc_get(c->obj, "spec"), *d;
	size_t i = 0, at = 0;
	int r = 0;

	DOC_EACH (v, doc_get(spec, "volumes")) {
		struct doc name = { 0 };

		if (added || !doc_get(v, "secret"))
			continue;
		if (doc_find(v, "secret.secretName"))
			name = *doc_find(v, "secret.secretName");
		if (!is_named(doc_get(account, "secrets"), &name))
			return admit_refuse(c, err,
					    "volume with secret.secretName=\"%s\" is not allowed "
					    "because service account %s does not reference that "
					    "secret",
					    admit_text(c, v, "secret.secretName"), of);
	}
	while (r == 0 && (d = admit_container(spec, &i, &list)))
		if (added == (*list == 'e'))
			r = check_container(c, account, d,
					    *list == 'i'   ? "init container"
					    : *list == 'e' ? "ephemeral container"
							   : "container",
					    err);
	DOC_EACH (ref, doc_get(spec, "imagePullSecrets")) {
		if (r == 0 && !added &&
		    !is_named(doc_get(account, "imagePullSecrets"), doc_get(ref, "name")))
			r = admit_refuse(c, err,
					 "imagePullSecrets[%zu].name=\"%s\" is not allowed because "
					 "service account %s does not reference that "
					 "imagePullSecret",
					 at, admit_text(c, ref, "name"), of);
		at++;
	}
	return r;
}

/* ---- mirror pods ---- */

/* Any reference to a secret below a volume or container; they are as deep as their tables. */
static void find_secrets(const struct doc *d, bool *ret_any)
{
	static const char *const keys[] = {
		"secret", "secretRef", "secretName", "secretKeyRef", "nodePublishSecretRef", NULL
	};

	DOC_EACH (e, d)
		find_secrets(e, ret_any);
	DOC_EACH_MEMBER (key, value, d) {
		for (size_t i = 0; keys[i]; i++)
			*ret_any |= slice_is(doc_slice(key), keys[i]);
		find_secrets(value, ret_any);
	}
}

static int check_mirror(struct admission_call *c, struct err *err)
{
	const struct doc *spec = doc_get(c->obj, "spec"), *d;
	bool any = doc_len(doc_get(spec, "imagePullSecrets")) > 0;
	size_t i = 0;

	if (strategy_text(spec, "serviceAccountName").n)
		return admit_refuse(c, err, "a mirror pod may not reference service accounts");
	while ((d = admit_container(spec, &i, NULL))) {
		find_secrets(doc_get(d, "env"), &any);
		find_secrets(doc_get(d, "envFrom"), &any);
	}
	find_secrets(doc_get(spec, "volumes"), &any);
	if (any)
		return admit_refuse(c, err, "a mirror pod may not reference secrets");
	DOC_EACH (v, doc_get(spec, "volumes"))
		DOC_EACH (source, doc_find(v, "projected.sources"))
			if (doc_get(source, "serviceAccountToken"))
				return admit_refuse(c, err,
						    "a mirror pod may not use ServiceAccountToken "
						    "volume projections");
	return 0;
}

int admit_account_check(struct admission_call *c, struct err *err)
{
	struct doc *account;
	int r;

	if (c->op == ADMISSION_UPDATE && !*c->sub)
		return 0;
	if (c->op == ADMISSION_CREATE && doc_get(doc_find(c->obj, "metadata.annotations"), MIRROR))
		return check_mirror(c, err);
	r = find_account(c, &account, err);
	return r == 0 && is_enforced(account) ? check_secrets(c, account, err) : r;
}
