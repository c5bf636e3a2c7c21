/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of apiextensions.k8s.io/v1; those of schemas stand in check-crd-schema.c. */
#include "api/check-crd.h"
#include "api/check-parts.h"

static const struct path in_spec = PATH(NULL, "spec");

/* ---- names ---- */

static void check_crd_names(struct check *c, const struct path *p, const struct doc *names)
{
	const struct path shorts = PATH(p, "shortNames"), categories = PATH(p, "categories");

	part_optional(c, p, names, "plural", form_dns1035_label);
	part_optional(c, p, names, "singular", form_dns1035_label);
	part_optional(c, p, names, "kind", form_dns1035_lower);
	part_optional(c, p, names, "listKind", form_dns1035_lower);
	check_each_text(c, &shorts, doc_get(names, "shortNames"), form_dns1035_label);
	if (part_full(names, "kind") &&
	    doc_equal(doc_get(names, "kind"),
		      doc_get(names, part_set(names, "listKind") ? "listKind" : "plural")) &&
	    part_set(names, "listKind"))
		part_invalid(c, p, names, "listKind", "kind and listKind may not be the same");
	check_each_text(c, &categories, doc_get(names, "categories"), form_dns1035_label);
}

static void check_crd_name(struct check *c, const struct doc *obj)
{
	const struct path meta = PATH(NULL, "metadata");
	const struct slice name = doc_slice(doc_find(obj, "metadata.name")),
			   plural = doc_slice(doc_find(obj, "spec.names.plural")),
			   group = doc_slice(doc_find(obj, "spec.group"));

	if (name.n != plural.n + 1 + group.n || !slice_starts(name, plural) || !name.p ||
	    name.p[plural.n] != '.' || !slice_ends(name, group))
		part_invalid(c, &meta, doc_get(obj, "metadata"), "name",
			     "must be spec.names.plural+\".\"+spec.group");
}

/* ---- versions ---- */

static const char *simple_path(struct slice s)
{
	return s.n && *s.p == '.' ? NULL : "must be a simple json path starting with .";
}

static void check_scale_path(struct check *c, const struct path *p, const struct doc *scale,
			     const char *field, const char *under, bool needed)
{
	const struct slice s = doc_slice(doc_get(scale, field));
	bool below =
		slice_starts(s, slice_str(under)) || (!needed && slice_starts(s, SLICE(".spec.")));

	if (s.n == 0) {
		if (needed)
			part_required(c, p, field, "");
	} else if (simple_path(s)) {
		part_invalid(c, p, scale, field, "%s", simple_path(s));
	} else if (!below) {
		part_invalid(c, p, scale, field, "should be a json path under %s",
			     !needed	       ? "either .spec or .status"
			     : under[2] == 'p' ? ".spec"
					       : ".status");
	}
}

static void check_subresources(struct check *c, const struct path *p, const struct doc *version)
{
	const struct path subs = PATH(p, "subresources"), at = PATH(&subs, "scale");
	const struct doc *scale = doc_find(version, "subresources.scale");

	if (!scale || scale->type == DOC_NULL)
		return;
	check_scale_path(c, &at, scale, "specReplicasPath", ".spec.", true);
	check_scale_path(c, &at, scale, "statusReplicasPath", ".status.", true);
	check_scale_path(c, &at, scale, "labelSelectorPath", ".status.", false);
}

static bool is_of(const struct doc *text, const char *const *list)
{
	for (; *list; list++)
		if (doc_str_is(text, *list))
			return true;
	return false;
}

static void check_column(struct check *c, const struct path *p, const struct doc *column)
{
	static const char *const types[] = {
		"boolean", "date", "integer", "number", "string", NULL
	};
	static const char *const formats[] = { "byte",	"date",	 "date-time", "double", "float",
					       "int32", "int64", "password",  NULL };
	static const char words[] = "must be one of boolean,date,integer,number,string";
	const struct doc *where = doc_get(column, "jsonPath");

	if (!part_full(column, "name"))
		part_required(c, p, "name", "");
	if (!part_full(column, "type"))
		part_required(c, p, "type", words);
	else if (!is_of(doc_get(column, "type"), types))
		part_invalid(c, p, column, "type", "%s", words);
	if (part_full(column, "format") && !is_of(doc_get(column, "format"), formats))
		part_invalid(
			c, p, column, "format",
			"must be one of byte,date,date-time,double,float,int32,int64,password");
	/* upstream tells of jsonPath by the name that v1beta1 had for it */
	if (!part_full(column, "jsonPath")) {
		part_required(c, p, "JSONPath", "");
	} else if (simple_path(doc_slice(where))) {
		const struct path at = PATH(p, "JSONPath");

		check_invalid(c, &at, where, "%s", simple_path(doc_slice(where)));
	}
}

static void check_warning(struct check *c, const struct path *p, const struct doc *version)
{
	struct slice s = doc_slice(doc_get(version, "deprecationWarning"));

	if (!part_set(version, "deprecationWarning"))
		return;
	if (!doc_true(doc_get(version, "deprecated"))) {
		part_invalid(c, p, version, "deprecationWarning",
			     "can only be set for deprecated versions");
		return;
	}
	if (s.n > 256)
		part_invalid(c, p, version, "deprecationWarning", "must be <= 256 characters long");
	if (s.n == 0)
		part_invalid(c, p, version, "deprecationWarning", "must not be an empty string");
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f) {
			part_invalid(c, p, version, "deprecationWarning",
				     "must only contain printable UTF-8 characters; non-printable "
				     "character found at index %zu",
				     i);
			break;
		}
}

/* The schema at a path of names (".spec.color"); NULL: there is none. */
static const struct doc *schema_at(const struct doc *schema, struct slice path)
{
	struct slice rest = path;

	(void)slice_split(&rest, '.');
	while (schema && rest.p) {
		struct slice name = slice_split(&rest, '.');

		if (name.n == 0)
			return NULL;
		schema = doc_getn(doc_get(schema, "properties"), name);
	}
	return schema;
}

static void check_selectable(struct check *c, const struct path *p, const struct doc *version)
{
	static const char *const types[] = { "string", "boolean", "integer", NULL };
	const struct path list = PATH(p, "selectableFields");
	const struct doc *fields = doc_get(version, "selectableFields"),
			 *root = doc_find(version, "schema.openAPIV3Schema");

	for (size_t i = 0; i < doc_len(fields); i++) {
		const struct path at = PATH_INDEX(&list, i);
		const struct doc *f = doc_at(fields, i);
		struct slice s = doc_slice(doc_get(f, "jsonPath"));
		const struct doc *schema = s.n && *s.p == '.' ? schema_at(root, s) : NULL;
		bool meta = slice_starts(s, SLICE(".metadata"));

		if (s.n == 0)
			part_required(c, &at, "jsonPath", "");
		else if (meta)
			part_invalid(c, &at, f, "jsonPath", "must not point to fields in metadata");
		else if (!schema)
			part_invalid(c, &at, f, "jsonPath",
				     "is an invalid path: does not refer to a valid field");
		else if (!is_of(doc_get(schema, "type"), types))
			part_invalid(c, &at, f, "jsonPath",
				     "must point to a field of type string, boolean or integer. "
				     "Enum string fields and strings with formats are allowed.");
	}
	check_unique(c, &list, fields, "jsonPath");
	if (doc_len(fields) > 8)
		check_too_many(c, &list, doc_len(fields), 8);
}

static void check_version(struct check *c, const struct path *p, const struct doc *version)
{
	const struct path in_schema = PATH(p, "schema"), at = PATH(&in_schema, "openAPIV3Schema"),
			  list = PATH(p, "additionalPrinterColumns");
	const struct doc *schema = doc_find(version, "schema.openAPIV3Schema"),
			 *columns = doc_get(version, "additionalPrinterColumns");

	part_form(c, p, version, "name", form_dns1035_label);
	check_warning(c, p, version);
	if (schema)
		crd_check_schema(c, &at, schema,
				 part_set(doc_get(version, "subresources"), "status"));
	else
		check_required(c, &at, "");
	check_subresources(c, p, version);
	for (size_t i = 0; i < doc_len(columns); i++) {
		const struct path one = PATH_INDEX(&list, i);

		check_column(c, &one, doc_at(columns, i));
	}
	check_selectable(c, p, version);
}

static void check_versions(struct check *c, const struct doc *spec)
{
	const struct path at = PATH(&in_spec, "versions");
	const struct doc *list = doc_get(spec, "versions");
	unsigned stored = 0;
	bool unique = true;

	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path one = PATH_INDEX(&at, i);
		const struct doc *v = doc_at(list, i);

		check_version(c, &one, v);
		stored += doc_true(doc_get(v, "storage"));
		for (size_t j = 0; j < i; j++)
			unique = unique && !part_same(v, doc_at(list, j), "name");
	}
	if (!unique)
		check_wrong(c, &at, "must contain unique version names");
	if (stored != 1)
		check_wrong(c, &at, "must have exactly one version marked as storage version");
}

/* ---- the rest of spec ---- */

static void check_conversion(struct check *c, const struct doc *spec)
{
	static const char *const strategies[] = { "None", "Webhook", NULL };
	const struct path at = PATH(&in_spec, "conversion"),
			  hook = PATH(&at, "webhookClientConfig"),
			  versions = PATH(&at, "conversionReviewVersions");
	const struct doc *conversion = doc_get(spec, "conversion"),
			 *webhook = doc_get(conversion, "webhook"),
			 *client = doc_get(webhook, "clientConfig"),
			 *reviews = doc_get(webhook, "conversionReviewVersions");

	if (!conversion)
		return;
	part_one_of(c, &at, conversion, "strategy", strategies, true);
	if (!doc_str_is(doc_get(conversion, "strategy"), "Webhook")) {
		if (client)
			check_forbidden(c, &hook,
					"should not be set when strategy is not set to Webhook");
		if (doc_len(reviews) > 0)
			check_forbidden(c, &versions,
					"should not be set when strategy is not set to Webhook");
		return;
	}
	if (client)
		part_client(c, &hook, client);
	else
		check_required(c, &hook, "required when strategy is set to Webhook");
	part_review_versions(c, &versions, reviews, "");
}

/* Groups of the project's own need a word of who approved them. */
static void check_approval(struct check *c, const struct doc *obj)
{
#define APPROVED "api-approved.kubernetes.io"
#define SEE "see https://github.com/kubernetes/enhancements/pull/1111"
	const struct path meta = PATH(NULL, "metadata"), list = PATH(&meta, "annotations"),
			  at = PATH_KEY(&list, SLICE(APPROVED));
	const struct doc *v = doc_get(doc_find(obj, "metadata.annotations"), APPROVED),
			 *old = doc_get(doc_find(c->old, "metadata.annotations"), APPROVED);
	struct slice group = doc_slice(doc_find(obj, "spec.group")), s = doc_slice(v);
	const char *colon = s.n ? memmem(s.p, s.n, "://", 3) : NULL;

	if (!slice_is(group, "k8s.io") && !slice_ends(group, SLICE(".k8s.io")) &&
	    !slice_is(group, "kubernetes.io") && !slice_ends(group, SLICE(".kubernetes.io")))
		return;
	if (c->old && doc_slice(v).n == doc_slice(old).n && (!v || doc_equal(v, old)))
		return;
	if (s.n == 0)
		check_required(c, &at,
			       "protected groups must have approval annotation \"" APPROVED
			       "\", " SEE);
	else if (!slice_starts(s, SLICE("unapproved")) &&
		 (!colon || colon == s.p || colon + 3 >= s.p + s.n))
		check_invalid(
			c, &at, v,
			"protected groups must have approval annotation \"" APPROVED
			"\" with either a URL or a reason starting with \"unapproved\", " SEE);
}

static void check_crd_group(struct check *c, const struct doc *spec)
{
	const struct doc *group = doc_get(spec, "group");

	part_text(c, &in_spec, spec, "group", form_dns_subdomain);
	if (group && group->n && !form_dns_subdomain(doc_slice(group)) &&
	    !memchr(group->s, '.', group->n))
		part_invalid(c, &in_spec, spec, "group",
			     "should be a domain with at least one dot");
}

static void check_crd_spec(struct check *c, const struct doc *spec)
{
	static const char *const scopes[] = { "Cluster", "Namespaced", NULL };
	static const char *const needed[] = { "plural", "singular", "kind", "listKind" };
	const struct path names = PATH(&in_spec, "names");

	check_crd_group(c, spec);
	part_one_of(c, &in_spec, spec, "scope", scopes, true);
	check_versions(c, spec);
	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		if (!part_full(doc_get(spec, "names"), needed[i]))
			part_required(c, &names, needed[i], "");
	check_crd_names(c, &names, doc_get(spec, "names"));
	check_conversion(c, spec);
	if (doc_true(doc_get(spec, "preserveUnknownFields")) &&
	    !doc_true(doc_find(c->old, "spec.preserveUnknownFields")))
		part_invalid(c, &in_spec, spec, "preserveUnknownFields",
			     "cannot set to true, set x-kubernetes-preserve-unknown-fields to true "
			     "in spec.versions[*].schema instead");
}

/* Versions of objects in the store are among those of the spec. */
static void check_stored(struct check *c, const struct doc *obj)
{
	const struct path status = PATH(NULL, "status"), at = PATH(&status, "storedVersions");
	const struct doc *stored = doc_find(obj, "status.storedVersions"),
			 *versions = doc_find(obj, "spec.versions");

	for (size_t i = 0; i < doc_len(stored); i++) {
		const struct path one = PATH_INDEX(&at, i);
		const struct doc *s = doc_at(stored, i);
		bool have = false;

		DOC_EACH (v, versions)
			have = have || doc_equal(doc_get(v, "name"), s);
		if (!have)
			check_invalid(c, &one, s,
				      "missing from spec.versions; %.*s was previously a storage "
				      "version, and must remain in spec.versions until a storage "
				      "migration ensures no data remains persisted in %.*s and "
				      "removes %.*s from status.storedVersions",
				      (int)s->n, s->s, (int)s->n, s->s, (int)s->n, s->s);
	}
}

static void check_crd_update(struct check *c, const struct doc *spec, const struct doc *old)
{
	static const char *const scope[] = { "scope", NULL };
	static const char *const kind[] = { "kind", NULL };
	static const char *const group[] = { "group", NULL };
	static const char *const plural[] = { "plural", NULL };
	const struct path names = PATH(&in_spec, "names");

	if (part_condition_true(doc_find(c->old, "status.conditions"), "Established")) {
		part_immutable(c, &in_spec, spec, old, scope);
		part_immutable(c, &names, doc_get(spec, "names"), doc_get(old, "names"), kind);
	}
	part_immutable(c, &in_spec, spec, old, group);
	part_immutable(c, &names, doc_get(spec, "names"), doc_get(old, "names"), plural);
}

static void check_definition(struct check *c, const struct doc *obj, const char *sub)
{
	const struct path status = PATH(NULL, "status"), names = PATH(&status, "acceptedNames");
	const struct doc *spec = doc_get(obj, "spec");

	check_crd_names(c, &names, doc_find(obj, "status.acceptedNames"));
	if (strcmp(sub, "status") == 0)
		return;
	if (!c->old)
		check_crd_name(c, obj);
	check_crd_spec(c, spec);
	if (c->old)
		check_crd_update(c, spec, doc_get(c->old, "spec"));
	check_stored(c, obj);
	check_approval(c, obj);
}

const struct check_kind check_crd[] = {
	{ "apiextensions.k8s.io", "CustomResourceDefinition", check_definition, NULL,
	  .own_values = true },
	{ NULL, NULL, NULL, NULL },
};
