/* SPDX-License-Identifier: Apache-2.0 */
/* What guards the API: bindings of roles, certificates, webhooks and policies, fair queues. */
#include "apiserver/objects/columns-cell.h"
#include "apiserver/objects/columns-private.h"

#include "apiserver/objects/columns.h"
#include "doc/doc.h"

/* ---- roles ---- */

/* Subjects of a kind; accounts with their namespace. */
static void subjects(struct cells *c, const char *kind)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(CELL_MAX);
	bool any = false;

	DOC_EACH (it, doc_get(c->obj, "subjects")) {
		struct slice space = cell_get(it, "namespace"), name = cell_get(it, "name");

		if (!doc_str_is(doc_get(it, "kind"), kind))
			continue;
		if (any)
			(void)buf_adds(&b, ", ");
		any = true;
		if (kind[0] == 'S') {
			(void)buf_add(&b, space.p, space.n);
			(void)buf_addc(&b, '/');
		}
		(void)buf_add(&b, name.p, name.n);
	}
	cell_buf(c, &b, NULL);
}

void columns_binding(struct cells *c)
{
	struct slice kind = cell_get(c->obj, "roleRef.kind"),
		     name = cell_get(c->obj, "roleRef.name");

	cell_name(c);
	cell_printf(c, "%.*s/%.*s", (int)kind.n, kind.n ? kind.p : "", (int)name.n,
		    name.n ? name.p : "");
	cell_age(c);
	subjects(c, "User");
	subjects(c, "Group");
	subjects(c, "ServiceAccount");
}

/* ---- certificates ---- */

void columns_csr(struct cells *c)
{
	const struct doc *conditions = doc_find(c->obj, "status.conditions");
	const char *word = cell_condition(conditions, "Denied")	    ? "Denied"
			   : cell_condition(conditions, "Approved") ? "Approved"
								    : "Pending";
	char out[32];

	cell_name(c);
	cell_age(c);
	cell_or(c, cell_get(c->obj, "spec.signerName"), CELL_NONE);
	cell_path(c, "spec.username");
	if (cell_is_set(c->obj, "spec.expirationSeconds"))
		cell_word(c, columns_age(cell_get_int(c->obj, "spec.expirationSeconds"), out,
					 sizeof(out)));
	else
		cell_word(c, CELL_NONE);
	cell_printf(c, "%s%s%s", word, cell_condition(conditions, "Failed") ? ",Failed" : "",
		    cell_get(c->obj, "status.certificate").n ? ",Issued" : "");
}

/* ---- webhooks and policies ---- */

void columns_webhooks(struct cells *c)
{
	cell_name(c);
	cell_count(c, "webhooks");
	cell_age(c);
}

static void policy(struct cells *c, const char *rules)
{
	const struct doc *kind = doc_find(c->obj, "spec.paramKind");
	struct slice version = cell_get(kind, "apiVersion"), name = cell_get(kind, "kind");

	cell_name(c);
	cell_count(c, rules);
	if (doc_is(kind, DOC_OBJECT))
		cell_printf(c, "%.*s/%.*s", (int)version.n, version.n ? version.p : "", (int)name.n,
			    name.n ? name.p : "");
	else
		cell_word(c, CELL_UNSET);
	cell_age(c);
}

void columns_validating_policy(struct cells *c)
{
	policy(c, "spec.validations");
}

void columns_mutating_policy(struct cells *c)
{
	policy(c, "spec.mutations");
}

/* The selector as Go prints its protobuf message, which is what upstream shows here. */
static void go_selector(struct cells *c, const struct doc *selector)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(CELL_MAX);
	const struct doc *labels = doc_get(selector, "matchLabels");
	size_t n;
	struct slice *keys = cell_keys(c, labels, &n);

	(void)buf_adds(&b, "&LabelSelector{MatchLabels:map[string]string{");
	for (size_t i = 0; i < n; i++) {
		struct slice v = doc_slice(doc_getn(labels, keys[i]));

		(void)buf_addf(&b, "%.*s: %.*s,", (int)keys[i].n, keys[i].p, (int)v.n,
			       v.n ? v.p : "");
	}
	(void)buf_adds(&b, "},MatchExpressions:[]LabelSelectorRequirement{");
	DOC_EACH (it, doc_get(selector, "matchExpressions")) {
		struct slice k = cell_get(it, "key"), op = cell_get(it, "operator");

		(void)buf_addf(&b, "LabelSelectorRequirement{Key:%.*s,Operator:%.*s,Values:[",
			       (int)k.n, k.n ? k.p : "", (int)op.n, op.n ? op.p : "");
		cell_join(&b, doc_get(it, "values"), NULL, " ");
		(void)buf_adds(&b, "],},");
	}
	(void)buf_adds(&b, "},}");
	cell_buf(c, &b, NULL);
}

void columns_policy_binding(struct cells *c)
{
	const struct doc *ref = doc_find(c->obj, "spec.paramRef");
	struct slice name = cell_get(ref, "name"), space = cell_get(ref, "namespace");

	cell_name(c);
	cell_path(c, "spec.policyName");
	if (name.n) /* whether its kind has namespaces cannot be told here */
		cell_printf(c, "%.*s/%.*s", space.n ? (int)space.n : 1, space.n ? space.p : "*",
			    (int)name.n, name.p);
	else if (cell_is_set(ref, "selector"))
		go_selector(c, doc_get(ref, "selector"));
	else
		cell_word(c, CELL_UNSET);
	cell_age(c);
}

void columns_api_service(struct cells *c)
{
	const struct doc *service = doc_find(c->obj, "spec.service");
	const struct doc *it = cell_condition(doc_find(c->obj, "status.conditions"), "Available");
	struct slice space = cell_get(service, "namespace"), name = cell_get(service, "name");
	struct slice status = cell_get(it, "status"), reason = cell_get(it, "reason");

	cell_name(c);
	if (doc_is(service, DOC_OBJECT))
		cell_printf(c, "%.*s/%.*s", (int)space.n, space.n ? space.p : "", (int)name.n,
			    name.n ? name.p : "");
	else
		cell_word(c, "Local");
	if (!it)
		cell_word(c, "Unknown");
	else if (slice_is(status, "True") || reason.n == 0)
		cell_text(c, status);
	else
		cell_printf(c, "%.*s (%.*s)", (int)status.n, status.n ? status.p : "",
			    (int)reason.n, reason.p);
	cell_age(c);
}

/* ---- fair queues ---- */

void columns_flow_schema(struct cells *c)
{
	const struct doc *dangling =
		cell_condition(doc_find(c->obj, "status.conditions"), "Dangling");

	cell_name(c);
	cell_path(c, "spec.priorityLevelConfiguration.name");
	cell_number(c, "spec.matchingPrecedence");
	cell_path_or(c, "spec.distinguisherMethod.type", CELL_NONE);
	cell_age(c);
	if (dangling)
		cell_text(c, cell_get(dangling, "status"));
	else
		cell_word(c, "?");
}

static void number_of(struct cells *c, const struct doc *d, const char *key)
{
	if (doc_is(d, DOC_OBJECT))
		cell_int(c, cell_get_int(d, key));
	else
		cell_word(c, CELL_NONE);
}

void columns_priority_level(struct cells *c)
{
	const struct doc *limited = doc_find(c->obj, "spec.limited");
	const struct doc *queuing = doc_find(limited, "limitResponse.queuing");

	cell_name(c);
	cell_path(c, "spec.type");
	number_of(c, limited, "nominalConcurrencyShares");
	number_of(c, queuing, "queues");
	number_of(c, queuing, "handSize");
	number_of(c, queuing, "queueLengthLimit");
	cell_age(c);
}
