/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of authorization.k8s.io/v1 and authentication.k8s.io/v1: questions that are not stored. */
#include "api/check-parts.h"

static const struct path in_spec = PATH(NULL, "spec");

/* Metadata holds nothing but, when may_have says so, that member. */
static void check_no_metadata(struct check *c, const struct doc *obj, const char *may_have)
{
	const struct path at = PATH(NULL, "metadata");
	const struct doc *meta = doc_get(obj, "metadata");

	DOC_EACH_MEMBER (key, value, meta) {
		if (value->type == DOC_NULL || doc_str_is(key, "managedFields") ||
		    (may_have && doc_str_is(key, may_have)))
			continue;
		check_invalid(c, &at, meta,
			      may_have ? "must be empty except for namespace" : "must be empty");
		return;
	}
}

static void check_selector_of(struct check *c, const struct path *p, const struct doc *attributes,
			      const char *field, bool label)
{
	static const char *const operators[] = { "In", "NotIn", "Exists", "DoesNotExist", NULL };
	const struct path at = PATH(p, field), list = PATH(&at, "requirements");
	const struct doc *selector = doc_get(attributes, field),
			 *requirements = doc_get(selector, "requirements");
	bool raw = part_full(selector, "rawSelector");

	if (!selector)
		return;
	if (raw && doc_len(requirements) > 0)
		part_invalid(c, &at, selector, "rawSelector",
			     "may not specified at the same time as requirements");
	if (!raw && doc_len(requirements) == 0)
		check_required(c, &list,
			       label ? "when labelSelector is specified, requirements or "
				       "rawSelector is required"
				     : "when fieldSelector is specified, requirements or "
				       "rawSelector is required");
	for (size_t i = 0; i < doc_len(requirements); i++) {
		const struct path one = PATH_INDEX(&list, i);
		const struct doc *r = doc_at(requirements, i), *op = doc_get(r, "operator");
		bool lists = doc_str_is(op, "In") || doc_str_is(op, "NotIn");

		if (!part_full(r, "key"))
			part_required(c, &one, "key", "must be specified");
		else if (label)
			part_form(c, &one, r, "key", form_qualified_name);
		if (lists && !part_full(r, "values"))
			part_required(c, &one, "values",
				      "must be specified when `operator` is 'In' or 'NotIn'");
		else if (!lists && part_full(r, "values"))
			part_forbidden(c, &one, "values",
				       "may not be specified when `operator` is 'Exists' or "
				       "'DoesNotExist'");
		part_one_of(c, &one, r, "operator", operators, false);
	}
}

static void check_attributes(struct check *c, const struct doc *spec)
{
	const struct path at = PATH(&in_spec, "resourceAttributes"),
			  other = PATH(&in_spec, "nonResourceAttributes");
	const struct doc *resource = doc_get(spec, "resourceAttributes"),
			 *url = doc_get(spec, "nonResourceAttributes");
	static const struct doc null = { .type = DOC_STRING, .n = 4, .s = "null" };

	if (resource && url)
		check_invalid(c, &other, url,
			      "cannot be specified in combination with resourceAttributes");
	if (!resource && !url)
		check_invalid(c, &at, &null,
			      "exactly one of nonResourceAttributes or resourceAttributes must be "
			      "specified");
	check_selector_of(c, &at, resource, "fieldSelector", false);
	check_selector_of(c, &at, resource, "labelSelector", true);
}

static void check_user(struct check *c, const struct doc *spec)
{
	if (!part_full(spec, "user") && !part_full(spec, "groups"))
		part_invalid(c, &in_spec, spec, "user",
			     "at least one of user or group must be specified");
}

static void check_access_review(struct check *c, const struct doc *obj, const char *sub)
{
	(void)sub;
	check_attributes(c, doc_get(obj, "spec"));
	check_user(c, doc_get(obj, "spec"));
	check_no_metadata(c, obj, NULL);
}

static void check_self_review(struct check *c, const struct doc *obj, const char *sub)
{
	(void)sub;
	check_attributes(c, doc_get(obj, "spec"));
	check_no_metadata(c, obj, NULL);
}

static void check_local_review(struct check *c, const struct doc *obj, const char *sub)
{
	const struct path at = PATH(&in_spec, "resourceAttributes"),
			  other = PATH(&in_spec, "nonResourceAttributes");
	const struct doc *spec = doc_get(obj, "spec"),
			 *resource = doc_get(spec, "resourceAttributes"),
			 *url = doc_get(spec, "nonResourceAttributes");

	(void)sub;
	check_attributes(c, spec);
	check_user(c, spec);
	check_no_metadata(c, obj, "namespace");
	if (resource && !part_same(resource, doc_get(obj, "metadata"), "namespace"))
		part_invalid(c, &at, resource, "namespace", "must match metadata.namespace");
	if (url)
		check_invalid(c, &other, url, "disallowed on this kind of request");
}

static void check_token_request(struct check *c, const struct doc *obj, const char *sub)
{
	const struct doc *spec = doc_get(obj, "spec");
	int64_t v = part_number(spec, "expirationSeconds");

	(void)sub;
	if (part_set(spec, "expirationSeconds") && v < 600)
		part_invalid(c, &in_spec, spec, "expirationSeconds",
			     "may not specify a duration less than 10 minutes");
	if (v > INT64_C(1) << 32)
		part_invalid(c, &in_spec, spec, "expirationSeconds",
			     "may not specify a duration larger than 2^32 seconds");
}

const struct check_kind check_authorization[] = {
	{ "authorization.k8s.io", "SubjectAccessReview", check_access_review, NULL,
	  .no_metadata = true },
	{ "authorization.k8s.io", "SelfSubjectAccessReview", check_self_review, NULL,
	  .no_metadata = true },
	{ "authorization.k8s.io", "LocalSubjectAccessReview", check_local_review, NULL,
	  .no_metadata = true },
	{ "authorization.k8s.io", "SelfSubjectRulesReview", NULL, NULL, .no_metadata = true },
	{ "authentication.k8s.io", "TokenReview", NULL, NULL, .no_metadata = true },
	{ "authentication.k8s.io", "SelfSubjectReview", NULL, NULL, .no_metadata = true },
	{ "authentication.k8s.io", "TokenRequest", check_token_request, NULL, .no_metadata = true },
	{ NULL, NULL, NULL, NULL },
};
