/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of fields as tables, and the short checks of one field. */
#include "api/check.h"

static bool is_empty(const struct doc *d)
{
	return !d || d->type == DOC_NULL || d->n == 0;
}

bool check_has(struct check *c, const struct path *p, const struct doc *obj, const char *field,
	       const char *detail)
{
	const struct path at = PATH(p, field);

	if (!is_empty(doc_get(obj, field)))
		return true;
	check_required(c, &at, detail);
	return false;
}

void check_has_not(struct check *c, const struct path *p, const struct doc *obj, const char *field,
		   const char *why)
{
	const struct path at = PATH(p, field);

	if (doc_get(obj, field))
		check_forbidden(c, &at, "%s", why);
}

void check_each_text(struct check *c, const struct path *p, const struct doc *list,
		     check_form *form)
{
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(p, i);
		const struct doc *v = doc_at(list, i);
		const char *why = form(doc_slice(v));

		if (why)
			check_invalid(c, &at, v, "%s", why);
	}
}

void check_exactly_one_of(struct check *c, const struct path *p, const struct doc *value,
			  const char *const *valid)
{
	if (is_empty(value))
		check_unsupported(c, p, value, valid);
	else
		check_one_of(c, p, value, valid, false);
}

static void check_field(struct check *c, const struct path *p, const struct doc *obj,
			const struct field_rule *r)
{
	const struct doc *v = doc_get(obj, r->field);
	const struct path at = PATH(p, r->at ? r->at : r->field);

	if (is_empty(v)) {
		if (r->required)
			check_required(c, &at, r->detail ? r->detail : "");
		return;
	}
	if (r->form)
		check_optional_text(c, &at, v, r->form);
	if (r->values)
		check_one_of(c, &at, v, r->values, false);
	if (r->number)
		check_range(c, &at, v, r->lo, r->hi);
}

void check_fields(struct check *c, const struct path *p, const struct doc *obj,
		  const struct field_rule *rules)
{
	for (; rules->field; rules++) {
		const struct path at = PATH(p, rules->within);
		const struct doc *within = rules->within ? doc_get(obj, rules->within) : NULL;

		if (!rules->within)
			check_field(c, p, obj, rules);
		else if (within)
			check_field(c, &at, within, rules);
	}
}
