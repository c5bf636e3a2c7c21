/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Validation: upstream's kinds of field errors, their words, and the checks that many kinds share.
 *
 *	static void check_ports(struct check *c, const struct path *at, const struct doc *ports)
 *	{
 *		for (size_t i = 0; i < doc_len(ports); i++) {
 *			const struct path p = PATH_INDEX(at, i), port = PATH(&p, "port");
 *
 *			if (!doc_get(doc_at(ports, i), "port"))
 *				check_required(c, &port, "");
 *		}
 *	}
 *
 * Paths live on the C stack and become text only when something is wrong. Objects are canonical
 * (object.h): what is absent is NULL, an empty text or list where the table always writes it.
 */
#pragma once

#include "api/api.h"
#include "base/err.h"
#include "doc/doc.h"

#include <stdint.h>

struct path {
	const struct path *up;
	const char *name; /* .name; NULL: an index or a key */
	struct slice key; /* [key]; NULL p: an index */
	size_t index;	  /* [index] */
};
#define PATH(above, field)                      \
	{                                       \
		.up = (above), .name = (field), \
	}
#define PATH_INDEX(above, i)                 \
	{                                    \
		.up = (above), .index = (i), \
	}
#define PATH_KEY(above, k)                 \
	{                                  \
		.up = (above), .key = (k), \
	}

#define CHECK_ERRORS_MAX 256

struct check {
	struct arena *a;
	const struct api *api;
	const struct api_kind *kind; /* of the object as a whole */
	const struct doc *old;	     /* the object before an update, or NULL */
	struct cause *first, **tail; /* fields, reasons ("FieldValueRequired"), details */
	unsigned n;		     /* all; the first CHECK_ERRORS_MAX are kept */
};
void check_init(struct check *c, const struct api *api, const struct api_kind *kind,
		const struct doc *old, struct arena *a);
/* 0 when nothing was wrong, else -ERR_INVALID: "Deployment.apps \"x\" is invalid: spec.selector:
 * Required value", several in brackets; causes as upstream's details.causes. */
int check_result(const struct check *c, const char *name, struct err *err);
bool check_failed_below(const struct check *c, unsigned before); /* errors since n was `before` */

/* ---- one error each; detail may be "" ---- */

void check_required(struct check *c, const struct path *p, const char *detail);
void check_invalid(struct check *c, const struct path *p, const struct doc *value, const char *fmt,
		   ...) PRINTF(4, 5);
void check_invalid_text(struct check *c, const struct path *p, struct slice value, const char *fmt,
			...) PRINTF(4, 5);
/* Invalid, the value itself is not told. */
void check_wrong(struct check *c, const struct path *p, const char *fmt, ...) PRINTF(3, 4);
void check_unsupported(struct check *c, const struct path *p, const struct doc *value,
		       const char *const *valid);
void check_forbidden(struct check *c, const struct path *p, const char *fmt, ...) PRINTF(3, 4);
void check_duplicate(struct check *c, const struct path *p, const struct doc *value);
void check_too_long(struct check *c, const struct path *p, unsigned max);
void check_too_many(struct check *c, const struct path *p, size_t have, size_t max);
void check_not_found(struct check *c, const struct path *p, const struct doc *value);
/* Of a wrong type: as Invalid, with a reason of its own. */
void check_type_invalid(struct check *c, const struct path *p, const struct doc *value,
			const char *fmt, ...) PRINTF(4, 5);
/* Of a reason ("FieldValueForbidden"; else Invalid); the detail may be long. */
void check_because(struct check *c, const struct path *p, const char *reason,
		   const struct doc *value, const char *detail);
/* The path as errors have it: spec.ports[0].name; nothing for NULL. Up to `from` it is left out. */
void check_path(const struct path *p, const struct path *from, struct buf *out);
/* All errors of another check on the same arena, behind those of c. */
void check_join(struct check *c, const struct check *other);

/* ---- forms of text: each says what is wrong as upstream does ---- */

typedef const char *check_form(struct slice s); /* NULL = fine */
check_form form_dns_label, form_dns_subdomain, form_dns1035_label, form_qualified_name,
	form_label_value, form_path_segment, form_env_name, form_config_key, form_port_name,
	form_ip, form_cidr;
/* One error for each that is wrong; absent and empty are wrong too. */
void check_text(struct check *c, const struct path *p, const struct doc *value, check_form *form);
/* As check_text, but absent and empty are fine. */
void check_optional_text(struct check *c, const struct path *p, const struct doc *value,
			 check_form *form);

/* ---- what many kinds share ---- */

/* A text of a list: -> Required when absent and `required`, Unsupported. */
void check_one_of(struct check *c, const struct path *p, const struct doc *value,
		  const char *const *valid, bool required);
/* Every enum= of the type's table, also below; list element types too. */
void check_enums(struct check *c, const struct path *p, const struct api_type *t,
		 const struct doc *obj);
void check_range(struct check *c, const struct path *p, const struct doc *value, int64_t lo,
		 int64_t hi);
void check_not_negative(struct check *c, const struct path *p, const struct doc *value);
/* 80, "http", or (percent) "25%". */
void check_port(struct check *c, const struct path *p, const struct doc *value, bool required);
void check_int_or_percent(struct check *c, const struct path *p, const struct doc *value,
			  bool at_most_100);
void check_labels(struct check *c, const struct path *p, const struct doc *labels);
void check_annotations(struct check *c, const struct path *p, const struct doc *annotations);
/* meta.LabelSelector. */
void check_label_selector(struct check *c, const struct path *p, const struct doc *selector);
/* The value, 0 when it is absent (as what is left out is). */
static inline int64_t check_number(const struct doc *value)
{
	int64_t v = 0;

	if (value)
		(void)doc_int64(value, &v);
	return v;
}
/* Elements' `field` values, no two equal. */
void check_unique(struct check *c, const struct path *p, const struct doc *list, const char *field);
/* -> Invalid "field is immutable" when it differs from the old value. */
void check_immutable(struct check *c, const struct path *p, const struct doc *value,
		     const struct doc *old);
/* metadata of a new object, or of an update (c->old). name: form of metadata.name. */
void check_metadata(struct check *c, const struct doc *obj, check_form *name);

/* ---- rules of an object's fields, as a table ---- */

struct field_rule {
	const char *field;	   /* NULL: the end of the table */
	const char *within;	   /* it lies in this member, when that is there */
	const char *at;		   /* upstream's name of it in errors, when it differs */
	bool required;		   /* Required when absent or empty */
	const char *detail;	   /* of Required */
	check_form *form;	   /* of a text that is there and not empty */
	const char *const *values; /* of a text that is there and not empty */
	bool number;		   /* lo and hi count */
	int64_t lo, hi;		   /* of a number that is there */
};
void check_fields(struct check *c, const struct path *p, const struct doc *obj,
		  const struct field_rule *rules);
/* Required when obj's field is absent or empty; false then. */
bool check_has(struct check *c, const struct path *p, const struct doc *obj, const char *field,
	       const char *detail);
/* Forbidden when obj's field is there. */
void check_has_not(struct check *c, const struct path *p, const struct doc *obj, const char *field,
		   const char *why);
/* Text of a list at a path: elements too (paths with indices). */
void check_each_text(struct check *c, const struct path *p, const struct doc *list,
		     check_form *form);
/* As check_one_of, but an empty or absent text is Unsupported too. */
void check_exactly_one_of(struct check *c, const struct path *p, const struct doc *value,
			  const char *const *valid);

/* ---- kinds ---- */

/*
 * The rules of a kind: of a new object (c->old NULL) or of an update. sub is "" or the subresource
 * that is written ("status"). Rules that compare with the old object are in the same function.
 * Kinds without a row have metadata and enums checked only.
 */
typedef void check_kind_fn(struct check *c, const struct doc *obj, const char *sub);
struct check_kind {
	const char *group, *kind; /* "apps", "Deployment" */
	check_kind_fn *check;
	check_form *name; /* NULL: form_dns_subdomain */
	bool own_values;  /* `check` looks at enum= values itself; check_enums is not run */
	bool no_metadata; /* `check` looks at metadata itself: reviews have none */
};
/* A table of each check-<group>.c, ended by a row of NULLs. */
extern const struct check_kind check_core[], check_admission[], check_apiregistration[],
	check_apps[], check_authorization[], check_autoscaling[], check_batch[],
	check_certificates[], check_coordination[], check_crd[], check_discovery[],
	check_flowcontrol[], check_networking[], check_runtime[], check_policy[], check_rbac[],
	check_resource[], check_scheduling[], check_storage[], check_storagemigration[];

/* All of it: metadata, enums, the kind's rules. */
int api_check(const struct api *api, const struct api_kind *kind, const char *sub,
	      const struct doc *obj, const struct doc *old, struct arena *a, struct err *err);
