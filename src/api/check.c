/* SPDX-License-Identifier: Apache-2.0 */
#include "api/check.h"

#include "api/custom.h"
#include "base/arena.h"
#include "base/map.h"
#include "doc/json.h"

#include <stdarg.h>
#include <stdio.h>

#define MESSAGE_MAX 65536
#define VALUE_MAX 2048
#define TEXT(d) (int)doc_slice(d).n, doc_slice(d).p

void check_init(struct check *c, const struct api *api, const struct api_kind *kind,
		const struct doc *old, struct arena *a)
{
	*c = (struct check){ .a = a, .api = api, .kind = kind, .old = old };
	c->tail = &c->first;
}

bool check_failed_below(const struct check *c, unsigned before)
{
	return c->n != before;
}

/* ---- one error ---- */

void check_path(const struct path *p, const struct path *from, struct buf *out)
{
	if (!p || p == from)
		return;
	check_path(p->up, from, out);
	if (p->name)
		(void)buf_addf(out, "%s%s", out->n ? "." : "", p->name);
	else if (p->key.p)
		(void)buf_addf(out, "[%.*s]", (int)MIN(p->key.n, (size_t)512), p->key.p);
	else
		(void)buf_addf(out, "[%zu]", p->index);
}

/* Takes over the texts of the two buffers. */
static void add(struct check *c, const struct path *p, const char *reason, struct buf *detail)
{
	CLEANUP(buf_fini) struct buf field = BUF_INIT(8192);
	struct cause *cause;

	if (c->n++ >= CHECK_ERRORS_MAX)
		return;
	check_path(p, NULL, &field);
	cause = ARENA_NEW(c->a, struct cause);
	if (!cause)
		return;
	cause->reason = reason;
	cause->field = arena_strndup(c->a, field.p ? field.p : "", field.n);
	cause->detail = arena_strndup(c->a, detail->p ? detail->p : "", detail->n);
	if (!cause->field || !cause->detail)
		return;
	*c->tail = cause;
	c->tail = &cause->next;
}

static void add_value(struct buf *out, const struct doc *value)
{
	struct buf text = BUF_INIT(VALUE_MAX);

	if (!value || json_write(value, NULL, &text, NULL) < 0)
		(void)buf_adds(out, value ? "\"...\"" : "\"\"");
	else
		(void)buf_add(out, text.p, text.n);
	buf_fini(&text);
}

static void add_simple(struct check *c, const struct path *p, const char *reason, const char *word,
		       const char *detail)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(MESSAGE_MAX);

	(void)buf_adds(&text, word);
	if (*detail)
		(void)buf_addf(&text, ": %s", detail);
	add(c, p, reason, &text);
}

static void add_with_value(struct check *c, const struct path *p, const char *reason,
			   const char *word, const struct doc *value, const char *detail)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(MESSAGE_MAX);

	(void)buf_addf(&text, "%s: ", word);
	add_value(&text, value);
	if (*detail)
		(void)buf_addf(&text, ": %s", detail);
	add(c, p, reason, &text);
}

void check_required(struct check *c, const struct path *p, const char *detail)
{
	add_simple(c, p, "FieldValueRequired", "Required value", detail);
}

void check_invalid(struct check *c, const struct path *p, const struct doc *value, const char *fmt,
		   ...)
{
	char detail[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	add_with_value(c, p, "FieldValueInvalid", "Invalid value", value, detail);
}

void check_type_invalid(struct check *c, const struct path *p, const struct doc *value,
			const char *fmt, ...)
{
	char detail[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	add_with_value(c, p, "FieldValueTypeInvalid", "Invalid value", value, detail);
}

void check_join(struct check *c, const struct check *other)
{
	if (!other->first)
		return;
	*c->tail = other->first;
	c->tail = other->tail;
	c->n += other->n;
}

void check_wrong(struct check *c, const struct path *p, const char *fmt, ...)
{
	char detail[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	add_simple(c, p, "FieldValueInvalid", "Invalid value", detail);
}

void check_invalid_text(struct check *c, const struct path *p, struct slice value, const char *fmt,
			...)
{
	struct doc d = doc_borrow(value.n ? value.p : "", value.n);
	char detail[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	add_with_value(c, p, "FieldValueInvalid", "Invalid value", &d, detail);
}

void check_unsupported(struct check *c, const struct path *p, const struct doc *value,
		       const char *const *valid)
{
	CLEANUP(buf_fini) struct buf list = BUF_INIT(4096);

	for (size_t i = 0; valid[i]; i++)
		(void)buf_addf(&list, "%s\"%s\"", i ? ", " : "supported values: ", valid[i]);
	add_with_value(c, p, "FieldValueNotSupported", "Unsupported value", value,
		       list.p ? list.p : "");
}

void check_forbidden(struct check *c, const struct path *p, const char *fmt, ...)
{
	char detail[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	add_simple(c, p, "FieldValueForbidden", "Forbidden", detail);
}

void check_duplicate(struct check *c, const struct path *p, const struct doc *value)
{
	add_with_value(c, p, "FieldValueDuplicate", "Duplicate value", value, "");
}

void check_not_found(struct check *c, const struct path *p, const struct doc *value)
{
	add_with_value(c, p, "FieldValueNotFound", "Not found", value, "");
}

void check_too_long(struct check *c, const struct path *p, unsigned max)
{
	char detail[64];

	(void)snprintf(detail, sizeof(detail), "may not be more than %u byte%s", max,
		       max == 1 ? "" : "s");
	add_simple(c, p, "FieldValueTooLong", "Too long", detail);
}

void check_too_many(struct check *c, const struct path *p, size_t have, size_t max)
{
	char detail[96];

	(void)snprintf(detail, sizeof(detail), "%zu: must have at most %zu item%s", have, max,
		       max == 1 ? "" : "s");
	add_simple(c, p, "FieldValueTooMany", "Too many", detail);
}

void check_because(struct check *c, const struct path *p, const char *reason,
		   const struct doc *value, const char *detail)
{
	if (strcmp(reason, "FieldValueRequired") == 0)
		check_required(c, p, detail);
	else if (strcmp(reason, "FieldValueForbidden") == 0)
		add_simple(c, p, "FieldValueForbidden", "Forbidden", detail);
	else if (strcmp(reason, "FieldValueDuplicate") == 0)
		check_duplicate(c, p, value);
	else
		add_with_value(c, p, "FieldValueInvalid", "Invalid value", value, detail);
}

/* ---- all of them ---- */

int check_result(const struct check *c, const char *name, struct err *err)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(MESSAGE_MAX);
	const char *group = c->kind->group->group;
	const struct cause *k = c->first;
	bool many = k && k->next;

	if (c->n == 0)
		return 0;
	for (; k; k = k->next)
		(void)buf_addf(&text, "%s%s: %s", k == c->first ? "" : ", ", k->field, k->detail);
	(void)err_set(err, ERR_INVALID, "%s%s%s \"%s\" is invalid: %s%s%s", c->kind->kind,
		      *group ? "." : "", group, name, many ? "[" : "", text.p ? text.p : "",
		      many ? "]" : "");
	if (err)
		err->causes = c->first;
	return -ERR_INVALID;
}

/* ---- checks that many kinds share ---- */

void check_optional_text(struct check *c, const struct path *p, const struct doc *value,
			 check_form *form)
{
	const char *why = value && value->n ? form(doc_slice(value)) : NULL;

	if (why)
		check_invalid(c, p, value, "%s", why);
}

void check_text(struct check *c, const struct path *p, const struct doc *value, check_form *form)
{
	if (!value || value->n == 0)
		check_required(c, p, "");
	else
		check_optional_text(c, p, value, form);
}

void check_one_of(struct check *c, const struct path *p, const struct doc *value,
		  const char *const *valid, bool required)
{
	if (!value || value->n == 0) {
		if (required)
			check_required(c, p, "");
		return;
	}
	for (size_t i = 0; valid[i]; i++)
		if (doc_str_is(value, valid[i]))
			return;
	check_unsupported(c, p, value, valid);
}

static void enums_of(struct check *c, const struct path *at, const struct schema_field *f,
		     const struct api_note *n, const struct doc *d, unsigned depth);

static void enums_below(struct check *c, const struct path *p, const struct api_type *t,
			const struct doc *obj, unsigned depth)
{
	/* Those of core/v1 are told by its own rules, at upstream's paths and in its order. */
	if (!doc_is(obj, DOC_OBJECT) || depth > 64 || t->group->group[0] == '\0')
		return;
	for (uint32_t i = 0; i < obj->n; i++) {
		const struct doc *key = doc_key_at(obj, i);
		const struct schema_field *f =
			schema_find(&t->schema, slice_of(key->s, key->n), i, false);
		struct path at = PATH(p, f ? f->name : "");

		if (f)
			enums_of(c, &at, f, api_note_of(t, f), doc_value_at(obj, i), depth + 1);
	}
}

static void enums_of(struct check *c, const struct path *at, const struct schema_field *f,
		     const struct api_note *n, const struct doc *d, unsigned depth)
{
	if (!n->enums && !n->type)
		return;
	if (d->type == DOC_ARRAY) {
		for (size_t i = 0; i < d->n; i++) {
			struct path p = PATH_INDEX(at, i);

			enums_of(c, &p, f, n, doc_at(d, i), depth);
		}
	} else if (f->type == SCHEMA_MAP) {
		DOC_EACH_MEMBER (key, value, d) {
			struct path p = PATH_KEY(at, doc_slice(key));

			if (n->type)
				enums_below(c, &p, n->type, value, depth);
		}
	} else if (n->type) {
		enums_below(c, at, n->type, d, depth);
	} else {
		check_one_of(c, at, d, n->enums, false);
	}
}

void check_enums(struct check *c, const struct path *p, const struct api_type *t,
		 const struct doc *obj)
{
	enums_below(c, p, t, obj, 0);
}

void check_range(struct check *c, const struct path *p, const struct doc *value, int64_t lo,
		 int64_t hi)
{
	int64_t v;

	if (value && doc_int64(value, &v) == 0 && (v < lo || v > hi))
		check_invalid(c, p, value, "must be between %lld and %lld, inclusive",
			      (long long)lo, (long long)hi);
}

void check_not_negative(struct check *c, const struct path *p, const struct doc *value)
{
	int64_t v;

	if (value && doc_int64(value, &v) == 0 && v < 0)
		check_invalid(c, p, value, "must be greater than or equal to 0");
}

void check_port(struct check *c, const struct path *p, const struct doc *value, bool required)
{
	if (!value || value->type == DOC_NULL) {
		if (required)
			check_required(c, p, "");
	} else if (value->type == DOC_STRING) {
		const char *why = form_port_name(doc_slice(value));

		if (why)
			check_invalid(c, p, value, "%s", why);
	} else {
		check_range(c, p, value, 1, 65535);
	}
}

void check_int_or_percent(struct check *c, const struct path *p, const struct doc *value,
			  bool at_most_100)
{
	struct doc number;
	int64_t v;

	if (!value || value->type == DOC_NULL)
		return;
	if (value->type == DOC_NUMBER) {
		check_not_negative(c, p, value);
		return;
	}
	if (value->n < 2 || value->s[value->n - 1] != '%' ||
	    !doc_number_parse(slice_of(value->s, value->n - 1), &number) ||
	    doc_int64(&number, &v) != 0 || v < 0) {
		check_invalid(c, p, value,
			      "a valid percent string must be a numeric string followed by an "
			      "ending '%%' (e.g. '1%%',  or '93%%', regex used for validation is "
			      "'[0-9]+%%')");
		return;
	}
	if (at_most_100 && v > 100)
		check_invalid(c, p, value, "must not be greater than 100%%");
}

void check_labels(struct check *c, const struct path *p, const struct doc *labels)
{
	DOC_EACH_MEMBER (key, value, labels) {
		const char *why = form_qualified_name(doc_slice(key));

		if (why)
			check_invalid(c, p, key, "%s", why);
		check_optional_text(c, p, value, form_label_value);
	}
}

#define ANNOTATIONS_MAX (256 * 1024)

void check_annotations(struct check *c, const struct path *p, const struct doc *annotations)
{
	size_t total = 0;

	DOC_EACH_MEMBER (key, value, annotations) {
		char lower[512];
		const char *why;

		for (size_t i = 0; i < MIN(key->n, sizeof(lower)); i++)
			lower[i] = (char)(key->s[i] >= 'A' && key->s[i] <= 'Z' ? key->s[i] + 32
									       : key->s[i]);
		why = form_qualified_name(slice_of(lower, MIN(key->n, sizeof(lower))));
		if (why)
			check_invalid(c, p, key, "%s", why);
		total += key->n + value->n;
	}
	if (total > ANNOTATIONS_MAX)
		check_too_long(c, p, ANNOTATIONS_MAX);
}

static void check_requirement(struct check *c, const struct path *p, const struct doc *r)
{
	const struct path op = PATH(p, "operator"), values = PATH(p, "values"),
			  key = PATH(p, "key");
	const struct doc *o = doc_get(r, "operator"), *list = doc_get(r, "values"),
			 *k = doc_get(r, "key");
	const char *why = form_qualified_name(doc_slice(k));

	if (doc_str_is(o, "In") || doc_str_is(o, "NotIn")) {
		if (doc_len(list) == 0)
			check_required(c, &values,
				       "must be specified when `operator` is 'In' or 'NotIn'");
	} else if (doc_str_is(o, "Exists") || doc_str_is(o, "DoesNotExist")) {
		if (doc_len(list) > 0)
			check_forbidden(c, &values,
					"may not be specified when `operator` is 'Exists' or "
					"'DoesNotExist'");
	} else {
		check_invalid(c, &op, o, "not a valid selector operator");
	}
	if (why)
		check_invalid(c, &key, k, "%s", why);
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(&values, i);

		check_optional_text(c, &at, doc_at(list, i), form_label_value);
	}
}

void check_label_selector(struct check *c, const struct path *p, const struct doc *selector)
{
	const struct path labels = PATH(p, "matchLabels"), list = PATH(p, "matchExpressions");
	const struct doc *expressions = doc_get(selector, "matchExpressions");

	check_labels(c, &labels, doc_get(selector, "matchLabels"));
	for (size_t i = 0; i < doc_len(expressions); i++) {
		const struct path at = PATH_INDEX(&list, i);

		check_requirement(c, &at, doc_at(expressions, i));
	}
}

void check_unique(struct check *c, const struct path *p, const struct doc *list, const char *field)
{
	CLEANUP(map_fini) struct map seen;

	map_init(&seen);
	for (size_t i = 0; i < doc_len(list); i++) {
		struct doc *v = doc_get(doc_at(list, i), field);
		const struct path at = PATH_INDEX(p, i), member = PATH(&at, field);

		if (!v || v->n == 0 || (v->type != DOC_STRING && v->type != DOC_NUMBER))
			continue;
		if (map_put(&seen, slice_of(v->s, v->n), v))
			check_duplicate(c, &member, v);
	}
}

void check_immutable(struct check *c, const struct path *p, const struct doc *value,
		     const struct doc *old)
{
	static const struct doc nothing = { .type = DOC_NULL };

	if (!doc_equal(value ? value : &nothing, old ? old : &nothing))
		check_invalid(c, p, value, "field is immutable");
}

/* ---- metadata ---- */

static void check_owner(struct check *c, const struct path *p, const struct doc *o)
{
	static const char *const fields[] = { "kind", "name", "uid" };
	const struct doc *version = doc_get(o, "apiVersion");

	if (!version || version->n == 0 || version->s[version->n - 1] == '/') {
		const struct path at = PATH(p, "apiVersion");

		check_invalid(c, &at, version, "version must not be empty");
	}
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		const struct path at = PATH(p, fields[i]);
		const struct doc *v = doc_get(o, fields[i]);

		if (!v || v->n == 0)
			check_invalid(c, &at, v, "must not be empty");
	}
	if (doc_str_is(version, "v1") && doc_str_is(doc_get(o, "kind"), "Event"))
		check_invalid(c, p, o, "/v1, Kind=Event is disallowed from being an owner");
}

static void check_owners(struct check *c, const struct path *p, const struct doc *owners)
{
	const struct doc *first = NULL;

	DOC_EACH (o, owners) {
		check_owner(c, p, o);
		if (!doc_true(doc_get(o, "controller")))
			continue;
		if (first)
			check_invalid(c, p, owners,
				      "Only one reference can have Controller set to true. Found "
				      "\"true\" in references for %.*s/%.*s and %.*s/%.*s",
				      TEXT(doc_get(first, "kind")), TEXT(doc_get(first, "name")),
				      TEXT(doc_get(o, "kind")), TEXT(doc_get(o, "name")));
		else
			first = o;
	}
}

static bool has_text(const struct doc *list, const struct doc *text)
{
	DOC_EACH (x, list)
		if (doc_equal(x, text))
			return true;
	return false;
}

static void check_finalizers(struct check *c, const struct path *p, const struct doc *list,
			     const struct doc *old_meta)
{
	bool orphan = false, foreground = false;

	DOC_EACH (f, list) {
		const char *why = form_qualified_name(doc_slice(f));

		if (why)
			check_invalid(c, p, f, "%s", why);
		orphan |= doc_str_is(f, "orphan");
		foreground |= doc_str_is(f, "foregroundDeletion");
	}
	if (orphan && foreground)
		check_invalid(c, p, list,
			      "finalizer orphan and foregroundDeletion cannot be both set");
	if (!doc_is(doc_get(old_meta, "deletionTimestamp"), DOC_STRING))
		return;
	DOC_EACH (f, list)
		if (!has_text(doc_get(old_meta, "finalizers"), f))
			check_forbidden(c, p,
					"no new finalizers can be added if the object is being "
					"deleted, found new finalizers []string{\"%.*s\"}",
					TEXT(f));
}

static void check_managed(struct check *c, const struct path *p, const struct doc *list)
{
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct doc *e = doc_at(list, i), *op = doc_get(e, "operation"),
				 *type = doc_get(e, "fieldsType");
		const struct path at = PATH_INDEX(p, i), op_at = PATH(&at, "operation"),
				  type_at = PATH(&at, "fieldsType"), who = PATH(&at, "manager"),
				  sub = PATH(&at, "subresource");

		if (!doc_str_is(op, "Apply") && !doc_str_is(op, "Update"))
			check_invalid(c, &op_at, op, "must be `Apply` or `Update`");
		if (type && type->n && !doc_str_is(type, "FieldsV1"))
			check_invalid(c, &type_at, type, "must be `FieldsV1`");
		if (doc_slice(doc_get(e, "manager")).n > 128)
			check_too_long(c, &who, 128);
		if (doc_slice(doc_get(e, "subresource")).n > 256)
			check_too_long(c, &sub, 256);
	}
}

static void check_update(struct check *c, const struct path *p, const struct doc *meta,
			 const struct doc *old)
{
	static const char *const fixed[] = { "name",
					     "namespace",
					     "uid",
					     "creationTimestamp",
					     "deletionTimestamp",
					     "deletionGracePeriodSeconds" };
	const struct path rv = PATH(p, "resourceVersion"), gen = PATH(p, "generation");
	int64_t now = 0, before = 0;

	if (!doc_get(meta, "resourceVersion"))
		check_invalid(c, &rv, NULL, "must be specified for an update");
	if (doc_get(meta, "generation"))
		(void)doc_int64(doc_get(meta, "generation"), &now);
	if (doc_get(old, "generation"))
		(void)doc_int64(doc_get(old, "generation"), &before);
	if (now < before)
		check_invalid(c, &gen, doc_get(meta, "generation"), "must not be decremented");
	for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
		const struct path at = PATH(p, fixed[i]);

		check_immutable(c, &at, doc_get(meta, fixed[i]), doc_get(old, fixed[i]));
	}
}

static void check_names(struct check *c, const struct path *p, const struct doc *meta,
			check_form *form)
{
	const struct path name = PATH(p, "name"), ns = PATH(p, "namespace");
	const struct doc *n = doc_get(meta, "name"), *s = doc_get(meta, "namespace");

	if (!n || n->n == 0)
		check_required(c, &name, "name or generateName is required");
	else
		check_optional_text(c, &name, n, form);
	if (c->kind->namespaced)
		check_text(c, &ns, s, form_dns_label);
	else if (s)
		check_forbidden(c, &ns, "not allowed on this type");
}

void check_metadata(struct check *c, const struct doc *obj, check_form *name)
{
	const struct path p = PATH(NULL, "metadata"), labels = PATH(&p, "labels"),
			  annotations = PATH(&p, "annotations"),
			  owners = PATH(&p, "ownerReferences"), finalizers = PATH(&p, "finalizers"),
			  managed = PATH(&p, "managedFields"), generation = PATH(&p, "generation");
	const struct doc *meta = doc_get(obj, "metadata"), *old = doc_get(c->old, "metadata");

	if (c->old)
		check_update(c, &p, meta, old);
	else
		check_names(c, &p, meta, name ? name : form_dns_subdomain);
	check_not_negative(c, &generation, doc_get(meta, "generation"));
	check_labels(c, &labels, doc_get(meta, "labels"));
	check_annotations(c, &annotations, doc_get(meta, "annotations"));
	check_owners(c, &owners, doc_get(meta, "ownerReferences"));
	check_finalizers(c, &finalizers, doc_get(meta, "finalizers"), old);
	check_managed(c, &managed, doc_get(meta, "managedFields"));
}

/* ---- an object as a whole ---- */

/* Upstream's own kinds take no short finalizer but its own. */
static void check_finalizer_names(struct check *c, const struct doc *obj)
{
	const struct path meta = PATH(NULL, "metadata"), list = PATH(&meta, "finalizers");
	const struct doc *names = doc_find(obj, "metadata.finalizers");

	for (size_t i = 0; i < doc_len(names); i++) {
		const struct path at = PATH_INDEX(&list, i);
		struct slice s = doc_slice(doc_at(names, i));

		if (s.n > 0 && !memchr(s.p, '/', s.n) && !slice_is(s, "kubernetes") &&
		    !slice_is(s, "orphan") && !slice_is(s, "foregroundDeletion"))
			check_invalid(c, &at, doc_at(names, i),
				      "name is neither a standard finalizer name nor is it fully "
				      "qualified");
	}
}

static const struct check_kind *rules_of(const struct api_kind *k)
{
	static const struct check_kind *const tables[] = {
		check_core,	  check_admission,	  check_apiregistration,
		check_apps,	  check_authorization,	  check_autoscaling,
		check_batch,	  check_certificates,	  check_coordination,
		check_crd,	  check_discovery,	  check_flowcontrol,
		check_networking, check_runtime,	  check_policy,
		check_rbac,	  check_resource,	  check_scheduling,
		check_storage,	  check_storagemigration,
	};

	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		for (const struct check_kind *r = tables[i]; r->kind; r++)
			if (strcmp(r->kind, k->kind) == 0 && strcmp(r->group, k->group->group) == 0)
				return r;
	return NULL;
}

int api_check(const struct api *api, const struct api_kind *kind, const char *sub,
	      const struct doc *obj, const struct doc *old, struct arena *a, struct err *err)
{
	const struct check_kind *rules = kind->custom ? NULL : rules_of(kind);
	const char *name = doc_cstr(a, doc_find(obj, "metadata.name"));
	struct check c;

	check_init(&c, api, kind, old, a);
	if (!rules || !rules->no_metadata)
		check_metadata(&c, obj, rules ? rules->name : NULL);
	if (kind->custom)
		custom_check(&c, obj, sub);
	else if (!rules || !rules->own_values)
		check_enums(&c, NULL, kind->type, obj);
	if (rules && !rules->no_metadata)
		check_finalizer_names(&c, obj);
	if (rules && rules->check)
		rules->check(&c, obj, sub);
	if (arena_exceeded(a))
		return err_set(err, ERR_QUOTA, "the object does not fit its memory");
	return check_result(&c, name ? name : "", err);
}
