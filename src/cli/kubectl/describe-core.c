/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces, quotas, limits, config maps, secrets, service accounts in `kubectl describe`. */
#include "cli/kubectl/describe.h"

#include "api/quantity.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "cli/kubectl/describe-node.h"

/* ---- quotas ---- */

static const char *scope_help(const struct doc *scope)
{
	static const char *const rows[][2] = {
		{ "Terminating",
		  "Matches all pods that have an active deadline. These pods have a limited "
		  "lifespan on a node before being actively terminated by the system." },
		{ "NotTerminating",
		  "Matches all pods that do not have an active deadline. These pods usually "
		  "include long running pods whose container command is not expected to "
		  "terminate." },
		{ "BestEffort",
		  "Matches all pods that do not have resource requirements set. These pods have "
		  "a best effort quality of service." },
		{ "NotBestEffort",
		  "Matches all pods that have at least one resource requirement set. These pods "
		  "have a burstable or guaranteed quality of service." },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (doc_str_is(scope, rows[i][0]))
			return rows[i][1];
	return NULL;
}

static void describe_scopes(struct describe *d, int level, const char *bullet,
			    const struct doc *scopes)
{
	size_t n;
	struct doc *const *v = describe_sorted(d, scopes, describe_by_text, &n);

	if (!n)
		return;
	describe_f(d, level, "Scopes:\t");
	for (size_t i = 0; i < n; i++)
		describe_f(d, 0, "%s%s", i ? ", " : "", describe_value(d, v[i], ""));
	describe_f(d, 0, "\n");
	for (size_t i = 0; i < n; i++)
		if (scope_help(v[i]))
			describe_f(d, level, "%s %s\n", bullet, scope_help(v[i]));
}

/* What is used is told in the form of what is allowed. */
static void describe_usage(struct describe *d, int level, const struct doc *status, bool same_form)
{
	const struct doc *hard = doc_get(status, "hard"), *used = doc_get(status, "used");
	size_t n;
	struct doc *const *keys = describe_keys(d, hard, &n);

	for (size_t i = 0; i < n; i++) {
		const char *name = describe_value(d, keys[i], "");
		struct quantity most = describe_amount(hard, name),
				is = describe_amount(used, name);

		if (same_form && is.form != most.form) {
			is.nano = (__int128)quantity_units(&is) * 1000000000;
			is.form = most.form;
		}
		describe_f(d, level, "%s\t%s\t%s\n", name, describe_quantity(d, &is),
			   describe_quantity(d, &most));
	}
}

static int by_name(const struct doc *a, const struct doc *b)
{
	return describe_by_text(doc_find(a, "metadata.name"), doc_find(b, "metadata.name"));
}

void describe_quotas(struct describe *d, const struct doc *quotas)
{
	size_t n;
	struct doc *const *v = describe_sorted(d, quotas, by_name, &n);

	describe_f(d, 0, n ? "Resource Quotas\n" : "No resource quota.\n");
	for (size_t i = 0; i < n; i++) {
		describe_put(d, 1, v[i], "Name:\t{metadata.name}\n");
		describe_scopes(d, 1, "*", doc_find(v[i], "spec.scopes"));
		describe_put(d, 1, NULL, "Resource\tUsed\tHard\n--------\t---\t---\n");
		describe_usage(d, 1, doc_get(v[i], "status"), false);
	}
}

static int describe_quota(struct describe *d, struct err *err)
{
	(void)err;
	describe_put(d, 0, d->obj, "Name:\t{metadata.name}\nNamespace:\t{metadata.namespace}\n");
	describe_scopes(d, 0, " *", doc_find(d->obj, "spec.scopes"));
	describe_put(d, 0, NULL, "Resource\tUsed\tHard\n--------\t----\t----\n");
	describe_usage(d, 0, doc_get(d->obj, "status"), true);
	return 0;
}

/* ---- limits ---- */

#define LIMIT_HEADS(before)                                                                       \
	before "Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request "     \
	       "Ratio\n" before "----\t--------\t---\t---\t---------------\t-------------\t-----" \
	       "------------------\n"

static void describe_limit(struct describe *d, const char *before, const struct doc *limit)
{
	static const char *const maps[] = { "min", "max", "defaultRequest", "default",
					    "maxLimitRequestRatio" };
	struct doc *names = doc_new_object(d->k->arena);
	struct doc *const *keys;
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(maps); i++)
		DOC_EACH_MEMBER (key, value, doc_get(limit, maps[i]))
			doc_setn(d->k->arena, names, slice_of(key->s, key->n), *value);
	keys = describe_keys(d, names, &n);
	for (size_t i = 0; i < n; i++) {
		describe_f(d, 0, "%s%s\t%.*s", before, kubectl_text(d->k, limit, "type"),
			   (int)keys[i]->n, keys[i]->s);
		for (size_t j = 0; j < ARRAY_LEN(maps); j++) {
			const struct doc *v =
				doc_getn(doc_get(limit, maps[j]), slice_of(keys[i]->s, keys[i]->n));

			describe_f(d, 0, "\t%s", v ? describe_value(d, v, "~") : "-");
		}
		describe_f(d, 0, "\n");
	}
}

void describe_limits(struct describe *d, const struct doc *ranges)
{
	if (!doc_len(ranges)) {
		describe_f(d, 0, "No LimitRange resource.\n");
		return;
	}
	describe_put(d, 0, NULL, "Resource Limits\n" LIMIT_HEADS(" "));
	DOC_EACH (r, ranges)
		DOC_EACH (l, doc_find(r, "spec.limits"))
			describe_limit(d, " ", l);
}

static int describe_limit_range(struct describe *d, struct err *err)
{
	(void)err;
	describe_put(d, 0, d->obj,
		     "Name:\t{metadata.name}\nNamespace:\t{metadata.namespace}\n" LIMIT_HEADS(""));
	DOC_EACH (l, doc_find(d->obj, "spec.limits"))
		describe_limit(d, "", l);
	return 0;
}

/* ---- namespaces ---- */

static int describe_namespace(struct describe *d, struct err *err)
{
	struct describe_ask quotas = { .api = "api/v1",
				       .resource = "resourcequotas",
				       .space = d->name };
	struct describe_ask ranges = { .api = "api/v1",
				       .resource = "limitranges",
				       .space = d->name };
	struct doc *q, *l;
	int r = describe_list(d, &quotas, &q, err);

	if (r == 0)
		r = describe_list(d, &ranges, &l, err);
	if (r < 0)
		return r;
	describe_head(d, false);
	describe_put(d, 0, d->obj, "Status:\t{status.phase}\n");
	describe_conditions(d,
			    "Type\tStatus\tLastTransitionTime\tReason\tMessage\n"
			    "----\t------\t------------------\t------\t-------\n",
			    "{type}\t{status}\t{@lastTransitionTime}\t{reason}\t{message}\n");
	describe_f(d, 0, "\n");
	describe_quotas(d, q);
	describe_f(d, 0, "\n");
	describe_limits(d, l);
	return 0;
}

/* ---- data ---- */

static size_t decoded_length(const struct doc *v)
{
	struct slice s = doc_slice(v);

	while (s.n && s.p[s.n - 1] == '=')
		s.n--;
	return s.n * 3 / 4;
}

static void describe_token(struct describe *d, const struct doc *key)
{
	struct slice text = doc_slice(key + 1);
	char *to = arena_alloc(d->k->arena, text.n + 1);
	size_t n;

	if (to && base64_decode(to, &n, text) == 0)
		describe_f(d, 0, "%.*s:\t%.*s\n", (int)key->n, key->s, (int)n, to);
}

static int describe_secret(struct describe *d, struct err *err)
{
	size_t n;
	struct doc *const *keys = describe_keys(d, doc_get(d->obj, "data"), &n);
	const bool token =
		doc_str_is(doc_get(d->obj, "type"), "kubernetes.io/service-account-token");

	(void)err;
	describe_head(d, true);
	describe_put(d, 0, d->obj, "\nType:\t{type}\n\nData\n====\n");
	for (size_t i = 0; i < n; i++) {
		if (token && slice_is(slice_of(keys[i]->s, keys[i]->n), "token"))
			describe_token(d, keys[i]);
		else
			describe_f(d, 0, "%.*s:\t%zu bytes\n", (int)keys[i]->n, keys[i]->s,
				   decoded_length(keys[i] + 1));
	}
	return 0;
}

static int describe_config(struct describe *d, struct err *err)
{
	size_t n;
	struct doc *const *keys = describe_keys(d, doc_get(d->obj, "data"), &n);

	(void)err;
	describe_head(d, true);
	describe_f(d, 0, "\nData\n====\n");
	for (size_t i = 0; i < n; i++) {
		describe_f(d, 0, "%.*s:\n----\n", (int)keys[i]->n, keys[i]->s);
		describe_put(d, 0, keys[i] + 1, "{}\n\n");
	}
	describe_f(d, 0, "\nBinaryData\n====\n");
	keys = describe_keys(d, doc_get(d->obj, "binaryData"), &n);
	for (size_t i = 0; i < n; i++)
		describe_f(d, 0, "%.*s: %zu bytes\n", (int)keys[i]->n, keys[i]->s,
			   decoded_length(keys[i] + 1));
	describe_f(d, 0, "\n");
	return 0;
}

/* ---- service accounts ---- */

static const struct doc *named(const struct doc *list, const struct doc *name)
{
	DOC_EACH (e, list)
		if (slice_eq(doc_slice(doc_find(e, "metadata.name")), doc_slice(name)))
			return e;
	return NULL;
}

/* secrets NULL: nobody may look, then none is missing. */
static void describe_secrets(struct describe *d, const char *title, const struct doc *list,
			     const struct doc *secrets)
{
	if (!doc_len(list))
		describe_f(d, 0, "%-19s\t<none>\n", title);
	DOC_EACH (e, list) {
		const struct doc *name = doc_get(e, "name");

		describe_f(d, 0, "%-19s\t%s%s\n", title, describe_value(d, name, ""),
			   secrets && !named(secrets, name) ? " (not found)" : "");
		title = "";
	}
}

/* Secrets with tokens of this account. */
static struct doc *tokens_of(struct describe *d, const struct doc *secrets)
{
	struct arena *a = d->k->arena;
	struct doc *list = doc_new_array(a);
	const char *uid = kubectl_text(d->k, d->obj, "metadata.uid");

	DOC_EACH (s, secrets) {
		const struct doc *notes = doc_find(s, "metadata.annotations");

		if (doc_str_is(doc_get(s, "type"), "kubernetes.io/service-account-token") &&
		    doc_str_is(doc_get(notes, "kubernetes.io/service-account.name"), d->name) &&
		    doc_str_is(doc_get(notes, "kubernetes.io/service-account.uid"), uid))
			doc_set_str(a, doc_append_object(a, list), "name",
				    kubectl_text(d->k, s, "metadata.name"));
	}
	return list;
}

static int describe_account(struct describe *d, struct err *err)
{
	struct describe_ask ask = { .api = "api/v1", .resource = "secrets", .space = d->space };
	struct doc *secrets = NULL;

	if (describe_list(d, &ask, &secrets, err) < 0)
		secrets = NULL;
	*err = ERR_INIT;
	describe_head(d, true);
	describe_secrets(d, "Image pull secrets:", doc_get(d->obj, "imagePullSecrets"), secrets);
	describe_secrets(d, "Mountable secrets:", doc_get(d->obj, "secrets"), secrets);
	describe_secrets(d, "Tokens:", tokens_of(d, secrets), secrets);
	return 0;
}

static int describe_priority(struct describe *d, struct err *err)
{
	(void)err;
	describe_put(d, 0, d->obj,
		     "Name:\t{metadata.name}\nValue:\t{value|0}\n"
		     "GlobalDefault:\t{globalDefault|false}\n"
		     "PreemptionPolicy:\t{preemptionPolicy}\nDescription:\t{description}\n");
	describe_f(d, 0, "Annotations:\t%s\n",
		   describe_map(d, doc_find(d->obj, "metadata.annotations")));
	return 0;
}

const struct describe_kind describe_core[] = {
	{ "", "Namespace", NULL, describe_namespace, false },
	{ "", "Node", NULL, describe_node, false }, /* it looks for events itself */
	{ "", "ResourceQuota", NULL, describe_quota, false },
	{ "", "LimitRange", NULL, describe_limit_range, false },
	{ "", "Secret", NULL, describe_secret, false },
	{ "", "ConfigMap", NULL, describe_config, true },
	{ "", "ServiceAccount", NULL, describe_account, true },
	{ "scheduling.k8s.io", "PriorityClass", NULL, describe_priority, true },
	{ 0 },
};
