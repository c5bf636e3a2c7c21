/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to src/api/check-*.c: checks and errors of a member of an object, given by its name (the
 * path is p.field), and the parts that kinds of several groups have.
 */
#pragma once

#include "api/check.h"

/* ---- reading ---- */

bool part_set(const struct doc *obj, const char *field);       /* there, and not null */
bool part_full(const struct doc *obj, const char *field);      /* there, and not empty */
int64_t part_number(const struct doc *obj, const char *field); /* 0 when absent */
bool part_has_text(const struct doc *list, const char *text);
bool part_same(const struct doc *a, const struct doc *b, const char *field); /* of both objects */
/* -1, 0, 1: the sign of a quantity; 0 when it is none. */
int part_sign(const struct doc *quantity);

/* ---- one error at p.field ---- */

void part_required(struct check *c, const struct path *p, const char *field, const char *detail);
void part_forbidden(struct check *c, const struct path *p, const char *field, const char *fmt, ...)
	PRINTF(4, 5);
void part_invalid(struct check *c, const struct path *p, const struct doc *obj, const char *field,
		  const char *fmt, ...) PRINTF(5, 6);
/* Of a number: an absent one is told as 0. */
void part_bad_number(struct check *c, const struct path *p, const struct doc *obj,
		     const char *field, const char *fmt, ...) PRINTF(5, 6);
void part_duplicate(struct check *c, const struct path *p, const struct doc *obj,
		    const char *field);

/* ---- one member ---- */

/* Texts: empty is Required (part_text) or fine (part_optional). */
void part_text(struct check *c, const struct path *p, const struct doc *obj, const char *field,
	       check_form *form);
void part_optional(struct check *c, const struct path *p, const struct doc *obj, const char *field,
		   check_form *form);
/* An empty text has the form checked too. */
void part_form(struct check *c, const struct path *p, const struct doc *obj, const char *field,
	       check_form *form);
/* Not one of them -> Unsupported; empty -> Required when asked for, else Unsupported. */
void part_one_of(struct check *c, const struct path *p, const struct doc *obj, const char *field,
		 const char *const *valid, bool required);
/* As part_one_of, but absent is fine. */
void part_maybe_one_of(struct check *c, const struct path *p, const struct doc *obj,
		       const char *field, const char *const *valid);
/* Numbers; absent ones are fine. fields: NULL-terminated. */
void part_not_negative(struct check *c, const struct path *p, const struct doc *obj,
		       const char *const *fields);
/* now, old: the objects whose members are compared. */
void part_immutable(struct check *c, const struct path *p, const struct doc *now,
		    const struct doc *old, const char *const *fields);
void part_selector(struct check *c, const struct path *p, const struct doc *obj, const char *field);
/* Longer than max bytes -> TooLong. */
void part_not_longer(struct check *c, const struct path *p, const struct doc *obj,
		     const char *field, unsigned max);

/* ---- lists of texts ---- */

void part_unique_texts(struct check *c, const struct path *p, const struct doc *list);
/* "*" beside others -> Invalid. what: "API groups". */
void part_alone(struct check *c, const struct path *p, const struct doc *obj, const char *field,
		const char *what);

/* ---- forms ---- */

check_form form_any, form_csi_driver, form_domain_path, form_full_name, form_long_name_lower,
	form_dns1035_lower, form_wildcard, form_ip_canonical, form_cidr_canonical;
/* A driver's name: required, at most 63 bytes. */
void part_driver(struct check *c, const struct path *p, const struct doc *obj, const char *field);

/* ---- what several groups have ---- */

/* []meta.Condition. */
void part_conditions(struct check *c, const struct path *p, const struct doc *list);
/* A list has a condition of this type that is True. */
bool part_condition_true(const struct doc *list, const char *type);
/* Required kind and name, path segments; group: the name of the member with the API group, a
 * subdomain, or NULL. */
void part_reference(struct check *c, const struct path *p, const struct doc *ref,
		    const char *group);
/* clientConfig of webhooks: exactly one of url and service, and their forms. */
void part_client(struct check *c, const struct path *p, const struct doc *config);
/* Versions of reviews: required, forms, one of v1 and v1beta1. detail: of Required. */
void part_review_versions(struct check *c, const struct path *p, const struct doc *list,
			  const char *detail);
/* `selector` of spec does not match the labels of its template -> Invalid. */
void part_matches(struct check *c, const struct path *p, const struct doc *spec);
