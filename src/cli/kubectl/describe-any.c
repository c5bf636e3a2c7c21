/* SPDX-License-Identifier: Apache-2.0 */
/* Kinds that `kubectl describe` knows nothing about: every member, its name made readable. */
#include "cli/kubectl/describe.h"

#include "base/arena.h"

#include <ctype.h>

static bool is_word(struct slice s, const char *word)
{
	return slice_ieq(s, slice_str(word));
}

enum letter { LOWER, UPPER, OTHER };

static enum letter letter_of(char c)
{
	return islower((unsigned char)c) ? LOWER : isupper((unsigned char)c) ? UPPER : OTHER;
}

/* Where the word at s ends: "podIP" is "pod" and "IP", "APIVersion" is "API" and "Version". */
static size_t word_length(struct slice s)
{
	const enum letter first = letter_of(s.p[0]);
	size_t n = 1;

	while (n < s.n && letter_of(s.p[n]) == first)
		n++;
	if (first != UPPER || n == s.n || letter_of(s.p[n]) != LOWER)
		return n;
	if (n > 1)
		return n - 1; /* its last letter begins the next word */
	while (n < s.n && letter_of(s.p[n]) == LOWER)
		n++;
	return n;
}

/* "apiVersion" to "API Version"; names with other than letters and '-' stay. */
static void readable(struct slice name, struct buf *out)
{
	static const char *const acronyms[] = { "API", "URL", "UID", "OSB", "GUID" };

	for (size_t i = 0; i < name.n; i++)
		if (!isalpha((unsigned char)name.p[i]) && name.p[i] != '-') {
			buf_add(out, name.p, name.n);
			return;
		}
	for (bool first = true; name.n; first = false) {
		struct slice word = slice_of(name.p, word_length(name));
		const char *known = NULL;

		for (size_t i = 0; i < ARRAY_LEN(acronyms); i++)
			if (is_word(word, acronyms[i]))
				known = acronyms[i];
		buf_adds(out, first ? "" : " ");
		if (known)
			buf_adds(out, known);
		else
			buf_addc(out, (char)toupper((unsigned char)word.p[0]));
		if (!known)
			buf_add(out, word.p + 1, word.n - 1);
		name = slice_of(name.p + word.n, name.n - word.n);
	}
}

static const char *plain(struct describe *d, const struct doc *v)
{
	return v->type == DOC_NULL ? "<nil>" : describe_value(d, v, "");
}

static const char *const metadata_skipped[] = { "managedFields", "name",	"namespace",
						"labels",	 "annotations", NULL };

/* Depth is bounded by the reader. */
static void describe_members(struct describe *d, int level, const struct doc *obj,
			     const char *const *skip)
{
	size_t n;
	struct doc *const *keys = describe_keys(d, obj, &n);

	for (size_t i = 0; i < n; i++) {
		CLEANUP(buf_fini) struct buf b = BUF_INIT(DESCRIBE_TEXT_MAX);
		const struct doc *v = keys[i] + 1;
		const char *name = describe_value(d, keys[i], "");

		if (skip && str_is_one_of(name, skip))
			continue;
		readable(slice_str(name), &b);
		describe_f(d, level, "%s:%s", buf_str(&b), v->type < DOC_ARRAY ? "\t" : "\n");
		if (v->type == DOC_OBJECT) {
			describe_members(d, level + 1, v,
					 level == 0 && strcmp(name, "metadata") == 0
						 ? metadata_skipped
						 : NULL);
		} else if (v->type != DOC_ARRAY) {
			describe_f(d, 0, "%s\n", plain(d, v));
		} else {
			DOC_EACH (e, v) {
				if (e->type == DOC_OBJECT)
					describe_members(d, level + 1, e, NULL);
				else
					describe_f(d, level + 1, "%s\n", plain(d, e));
			}
		}
	}
}

int describe_generic(struct describe *d, struct err *err)
{
	(void)err;
	describe_head(d, true);
	describe_members(d, 0, d->obj, NULL);
	return 0;
}
