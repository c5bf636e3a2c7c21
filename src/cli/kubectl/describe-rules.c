/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do what, in `kubectl describe`: roles, bindings, requests for certificates. */
#include "cli/kubectl/describe.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "crypto/x509.h"

/* ---- roles ---- */

/* One resource, or one path that is none, and what may be done to it. */
struct rule {
	const char *group, *resource, *name, *url; /* NULL = has none */
	struct doc *verbs;
};
struct rules {
	struct describe *d;
	struct rule *v;
	size_t n, room;
};

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* Verbs on the same resource are one rule; paths are not put together. */
static void add_rule(struct rules *to, const struct rule *what, const struct doc *verb)
{
	struct arena *a = to->d->k->arena;
	struct rule *r = NULL;

	for (size_t i = 0; i < to->n && !r && !what->url; i++)
		if (!to->v[i].url && same(to->v[i].group, what->group) &&
		    same(to->v[i].resource, what->resource) && same(to->v[i].name, what->name))
			r = &to->v[i];
	if (!r && to->n == to->room) {
		size_t room = to->room ? to->room * 2 : 64;
		struct rule *v = arena_grow(a, to->v, to->room * sizeof(*v), room * sizeof(*v));

		if (!v)
			return; /* the arena is full: whoever prints says so */
		to->v = v;
		to->room = room;
	}
	if (!r) {
		r = &to->v[to->n++];
		*r = *what;
		r->verbs = doc_new_array(a);
	}
	DOC_EACH (has, r->verbs)
		if (slice_eq(doc_slice(has), doc_slice(verb)))
			return;
	doc_append(a, r->verbs, *verb);
}

/* Never NULL: a server may send anything. */
static const char *word_of(struct arena *a, const struct doc *d)
{
	const char *s = doc_cstr(a, d);

	return s ? s : "";
}

static void break_down(struct rules *to, const struct doc *rule)
{
	struct arena *a = to->d->k->arena;
	const struct doc *verbs = doc_get(rule, "verbs"), *names = doc_get(rule, "resourceNames");

	DOC_EACH (g, doc_get(rule, "apiGroups"))
		DOC_EACH (r, doc_get(rule, "resources"))
			DOC_EACH (v, verbs) {
				struct rule one = { .group = word_of(a, g),
						    .resource = word_of(a, r) };

				if (!doc_len(names))
					add_rule(to, &one, v);
				DOC_EACH (n, names) {
					one.name = word_of(a, n);
					add_rule(to, &one, v);
				}
			}
	DOC_EACH (u, doc_get(rule, "nonResourceURLs"))
		DOC_EACH (v, verbs)
			add_rule(to, &(struct rule){ .url = word_of(a, u) }, v);
}

/* "deployments.apps/scale". */
static const char *full_resource(struct describe *d, const struct rule *r)
{
	const size_t n = r->resource ? strcspn(r->resource, "/") : 0;
	const char *s = r->resource ? arena_printf(d->k->arena, "%.*s%s%s%s", (int)n, r->resource,
						   *r->group ? "." : "", r->group, r->resource + n)
				    : "";

	return s ? s : "";
}

static int by_order(const struct doc *a, const struct doc *b)
{
	return describe_by_text(doc_get(a, "order"), doc_get(b, "order"));
}

/* Rows in the order of what upstream's rules look like as text: verbs first. */
static struct doc *rule_rows(struct describe *d, const struct rules *rules)
{
	struct arena *a = d->k->arena;
	struct doc *rows = doc_new_array(a);

	for (size_t i = 0; i < rules->n; i++) {
		const struct rule *r = &rules->v[i];
		const char *verbs = describe_value(d, r->verbs, "|[]"),
			   *name = r->name ? r->name : "", *url = r->url ? r->url : "";
		struct doc *row = doc_append_object(a, rows);

		doc_set_strf(a, row, "order",
			     "&PolicyRule{Verbs:%s,APIGroups:[%s],Resources:[%s],"
			     "ResourceNames:[%s],NonResourceURLs:[%s],}",
			     verbs, r->group ? r->group : "", r->resource ? r->resource : "", name,
			     url);
		doc_set_strf(a, row, "text", "%s\t[%s]\t[%s]\t%s", full_resource(d, r), url, name,
			     verbs);
	}
	return rows;
}

static int describe_role(struct describe *d, struct err *err)
{
	struct rules rules = { .d = d };
	struct doc *const *v;
	size_t n;

	(void)err;
	DOC_EACH (r, doc_get(d->obj, "rules"))
		break_down(&rules, r);
	v = describe_sorted(d, rule_rows(d, &rules), by_order, &n);
	describe_put(d, 0, d->obj, "Name:\t{metadata.name}\n");
	describe_labels(d, "", "Labels", doc_find(d->obj, "metadata.labels"));
	describe_annotations(d, "Annotations", doc_find(d->obj, "metadata.annotations"));
	describe_put(d, 0, NULL,
		     "PolicyRule:\n  Resources\tNon-Resource URLs\tResource Names\tVerbs\n"
		     "  ---------\t-----------------\t--------------\t-----\n");
	for (size_t i = 0; i < n; i++)
		describe_put(d, 1, v[i], "{text}\n");
	return 0;
}

static int describe_binding(struct describe *d, struct err *err)
{
	(void)err;
	describe_head(d, false);
	describe_put(d, 0, d->obj, "Role:\n  Kind:\t{roleRef.kind}\n  Name:\t{roleRef.name}\n");
	describe_put(d, 0, NULL, "Subjects:\n  Kind\tName\tNamespace\n  ----\t----\t---------\n");
	DOC_EACH (s, doc_get(d->obj, "subjects"))
		describe_put(d, 1, s, "{kind}\t{name}\t{namespace}\n");
	return 0;
}

/* ---- requests for certificates ---- */

static const char *csr_status(struct describe *d)
{
	bool approved = false, denied = false, failed = false;
	const char *s;

	DOC_EACH (c, doc_find(d->obj, "status.conditions")) {
		approved = approved || doc_str_is(doc_get(c, "type"), "Approved");
		denied = denied || doc_str_is(doc_get(c, "type"), "Denied");
		failed = failed || doc_str_is(doc_get(c, "type"), "Failed");
	}
	s = arena_printf(d->k->arena, "%s%s%s",
			 denied	    ? "Denied"
			 : approved ? "Approved"
				    : "Pending",
			 failed ? ",Failed" : "",
			 *kubectl_text(d->k, d->obj, "status.certificate") ? ",Issued" : "");
	return s ? s : "";
}

static void describe_list_of(struct describe *d, const char *title, struct cert_list l)
{
	if (l.n)
		describe_f(d, 0, "\t%s:\t", title);
	for (size_t i = 0; i < l.n; i++)
		describe_f(d, 0, "%s%s", i ? "\n\t\t" : "", l.v[i]);
	if (l.n)
		describe_f(d, 0, "\n");
}

static void describe_subject(struct describe *d, const struct csr *csr)
{
	const struct cert_names *names = csr_names(csr);
	const struct csr_place *p = csr_place(csr);

	describe_f(d, 0, "Subject:\n\tCommon Name:\t%s\n\tSerial Number:\t%s\n", names->cn,
		   p->serial.n ? p->serial.v[0] : "");
	describe_list_of(d, "Organization", names->o);
	describe_list_of(d, "Organizational Unit", names->ou);
	describe_list_of(d, "Country", p->country);
	describe_list_of(d, "Locality", p->locality);
	describe_list_of(d, "Province", p->province);
	describe_list_of(d, "StreetAddress", p->street);
	describe_list_of(d, "PostalCode", p->postal);
	if (names->dns.n + names->email.n + names->ip.n + names->uri.n)
		describe_f(d, 0, "Subject Alternative Names:\n");
	describe_list_of(d, "DNS Names", names->dns);
	describe_list_of(d, "Email Addresses", names->email);
	describe_list_of(d, "URIs", names->uri);
	describe_list_of(d, "IP Addresses", names->ip);
}

static int describe_csr(struct describe *d, struct err *err)
{
	CLEANUP(csr_free) struct csr *csr = NULL;
	struct slice text = doc_slice(doc_find(d->obj, "spec.request"));
	const int64_t seconds = describe_int(d->obj, "spec.expirationSeconds", -1);
	char *pem = arena_alloc(d->k->arena, text.n + 1), human[32];
	size_t n;

	if (!pem)
		return arena_quota(d->k->arena, err);
	if (base64_decode(pem, &n, text) < 0)
		return err_set(err, ERR_INVALID, "Error parsing CSR: it is not base64");
	if (csr_read(slice_of(pem, n), &csr, err) < 0)
		return err_wrap(err, "Error parsing CSR");
	describe_f(d, 0, "Name:\t%s\nLabels:\t%s\nAnnotations:\t%s\n", d->name,
		   describe_map(d, doc_find(d->obj, "metadata.labels")),
		   describe_map(d, doc_find(d->obj, "metadata.annotations")));
	describe_put(d, 0, d->obj,
		     "CreationTimestamp:\t{@metadata.creationTimestamp}\n"
		     "Requesting User:\t{spec.username}\n");
	describe_opt(d, 0, d->obj, "spec.signerName", "Signer:\t{spec.signerName}\n");
	if (seconds >= 0)
		describe_f(d, 0, "Requested Duration:\t%s\n", kubectl_duration(human, seconds));
	describe_f(d, 0, "Status:\t%s\n", csr_status(d));
	describe_subject(d, csr);
	return 0;
}

const struct describe_kind describe_rules[] = {
	{ "rbac.authorization.k8s.io", "Role", NULL, describe_role, false },
	{ "rbac.authorization.k8s.io", "ClusterRole", NULL, describe_role, false },
	{ "rbac.authorization.k8s.io", "RoleBinding", NULL, describe_binding, false },
	{ "rbac.authorization.k8s.io", "ClusterRoleBinding", NULL, describe_binding, false },
	{ "certificates.k8s.io", "CertificateSigningRequest", NULL, describe_csr, true },
	{ 0 },
};
