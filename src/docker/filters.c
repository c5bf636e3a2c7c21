/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The `filters` parameter: {"key":{"value":true}} of today's clients and {"key":["value"]} of
 * older ones, as one flat list. An unknown key is refused by name.
 */
#include "docker/private.h"

#include <regex.h>
#include <stdio.h>

#define FILTERS_MAX 1024

static int add(struct call *c, struct filters *f, const struct doc *key, const struct doc *value)
{
	const char *k = doc_cstr(c->a, key), *v = doc_cstr(c->a, value);

	if (!k || !v || f->n == FILTERS_MAX)
		return -1;
	f->v[f->n++] = (struct filter){ k, v };
	return 0;
}

static int add_key(struct call *c, struct filters *f, const struct doc *key, struct doc *values)
{
	if (doc_is(values, DOC_ARRAY)) {
		DOC_EACH (v, values)
			if (add(c, f, key, v) < 0)
				return -1;
		return 0;
	}
	if (!doc_is(values, DOC_OBJECT))
		return -1;
	DOC_EACH_MEMBER (k, v, values)
		if (doc_true(v) && add(c, f, key, k) < 0)
			return -1;
	return 0;
}

int filters_invalid(const char *key, const char *value, struct err *err)
{
	return err_set(err, ERR_BAD_REQUEST, "invalid filter '%s=[%s]'", key, value);
}

/*
 * Go's Regexp.MatchString finds anywhere; an expression that does not compile is no match. "{n}"
 * copies what it repeats when it is compiled (a few bytes become gigabytes), and "\\1" makes
 * matching exponential: filters_parse refuses both.
 */
static bool costs_without_bound(const char *expr)
{
	const char *slash = expr;

	while ((slash = strchr(slash, '\\')) && slash[1]) {
		if (slash[1] >= '1' && slash[1] <= '9')
			return true;
		slash += 2;
	}
	return strchr(expr, '{') != NULL;
}

int filters_parse(struct call *c, const char *const *known, struct filters *ret, struct err *err)
{
	const char *text = query_get(&c->q, "filters");
	struct doc *d;

	*ret = (struct filters){ 0 };
	if (!text || !*text)
		return 0;
	if (json_read(c->a, slice_str(text), NULL, &d, err) < 0 || !doc_is(d, DOC_OBJECT))
		return err_set(
			err, ERR_BAD_REQUEST,
			"invalid filter: the parameter is not a JSON object of lists or maps");
	ret->v = ARENA_ARRAY(c->a, struct filter, FILTERS_MAX);
	if (!ret->v)
		return arena_quota(c->a, err);
	DOC_EACH_MEMBER (key, values, d) {
		const char *name = doc_cstr(c->a, key);

		if (!name || !str_is_one_of(name, known))
			return err_set(err, ERR_BAD_REQUEST, "invalid filter '%s'",
				       name ? name : "");
		if (add_key(c, ret, key, values) < 0)
			return err_set(err, ERR_BAD_REQUEST,
				       "invalid filter '%s': at most %d strings, as a list or map",
				       name, FILTERS_MAX);
	}
	for (size_t i = 0; i < ret->n; i++)
		if (strcmp(ret->v[i].key, "name") == 0 && costs_without_bound(ret->v[i].value))
			return err_set(err, ERR_BAD_REQUEST,
				       "invalid filter 'name=[%.200s]': {n} and \\1 are not "
				       "supported in expressions",
				       ret->v[i].value);
	return 0;
}

const char *filters_nth(const struct filters *f, const char *key, size_t i)
{
	for (size_t j = 0; j < f->n; j++)
		if (strcmp(f->v[j].key, key) == 0 && i-- == 0)
			return f->v[j].value;
	return NULL;
}

bool filters_has(const struct filters *f, const char *key)
{
	return filters_nth(f, key, 0) != NULL;
}

bool filters_exact(const struct filters *f, const char *key, const char *text)
{
	const char *v;

	for (size_t i = 0; (v = filters_nth(f, key, i)); i++)
		if (strcmp(v, text) == 0)
			return true;
	return !filters_has(f, key);
}

static bool expression_matches(const char *expr, const char *text)
{
	regex_t re;
	bool found;

	if (strlen(expr) > 256 || regcomp(&re, expr, REG_EXTENDED | REG_NOSUB) != 0)
		return false;
	found = regexec(&re, text, 0, NULL, 0) == 0;
	regfree(&re);
	return found;
}

bool filters_match(const struct filters *f, const char *key, const char *text)
{
	const char *v;

	for (size_t i = 0; (v = filters_nth(f, key, i)); i++)
		if (strstr(text, v) || expression_matches(v, text))
			return true;
	return !filters_has(f, key);
}

bool filters_labels(const struct filters *f, const char *key, const struct str_map *labels)
{
	const char *want;

	for (size_t i = 0; (want = filters_nth(f, key, i)); i++) {
		size_t n = strcspn(want, "=");
		bool held = false;

		for (size_t j = 0; j < labels->n && !held; j++)
			held = strlen(labels->v[j].key) == n &&
			       memcmp(labels->v[j].key, want, n) == 0 &&
			       (!want[n] || strcmp(labels->v[j].value, want + n + 1) == 0);
		if (!held)
			return false;
	}
	return true;
}

int filters_bool(const struct filters *f, const char *key, int dflt, struct err *err)
{
	static const char *const yes[] = { "1", "true", "True", "TRUE", "t", "T", NULL };
	static const char *const no[] = { "0", "false", "False", "FALSE", "f", "F", NULL };
	const char *v = filters_nth(f, key, 0);

	if (!v)
		return dflt;
	if (str_is_one_of(v, yes))
		return 1;
	if (str_is_one_of(v, no))
		return 0;
	return filters_invalid(key, v, err);
}
