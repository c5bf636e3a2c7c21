/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/auth/token-file.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX 16
#define TOKENS_MEMORY (64u << 20)

struct entry {
	unsigned char digest[SHA256_LEN];
	struct token_user user;
};

struct token_file {
	struct arena *arena;
	struct map by_digest;
	unsigned char salt[32];
};

/* ---- csv ---- */

struct csv {
	const char *p, *end;
	size_t line; /* of the record */
	size_t next; /* where p stands */
	struct arena *a;
	const char *path;
};

static int csv_wrong(const struct csv *c, const char *what, struct err *err)
{
	return err_set(err, ERR_INVALID, "token file '%s', line %zu: %s", c->path, c->line, what);
}

static bool at_line_end(const struct csv *c)
{
	return c->p == c->end || *c->p == '\n' ||
	       (*c->p == '\r' && (c->p + 1 == c->end || c->p[1] == '\n'));
}

static void skip_line_end(struct csv *c)
{
	if (c->p < c->end && *c->p == '\r')
		c->p++;
	if (c->p < c->end)
		c->p++;
	c->next++;
}

/* Behind the opening quote. Quotes inside are doubled; it may go over lines. */
static int read_quoted(struct csv *c, const char **ret, struct err *err)
{
	const char *q = c->p;
	size_t n = 0;
	char *out;

	while (q < c->end && (*q != '"' || (q + 1 < c->end && q[1] == '"')))
		q += 1 + (*q == '"');
	if (q >= c->end)
		return csv_wrong(c, "a quote is not closed", err);
	out = arena_alloc_raw(c->a, (size_t)(q - c->p) + 1, 1);
	if (!out)
		return arena_quota(c->a, err);
	for (; c->p < q; c->p++) {
		c->p += *c->p == '"';
		c->next += *c->p == '\n';
		out[n++] = *c->p;
	}
	c->p++;
	out[n] = '\0';
	*ret = out;
	return 0;
}

static int read_plain(struct csv *c, const char **ret, struct err *err)
{
	const char *begin = c->p;

	while (!at_line_end(c) && *c->p != ',') {
		if (*c->p == '"')
			return csv_wrong(c, "a quote inside of an unquoted field", err);
		c->p++;
	}
	*ret = arena_strndup(c->a, begin, (size_t)(c->p - begin));
	return *ret ? 0 : arena_quota(c->a, err);
}

/* 1 and the fields of a record; 0: the end. */
static int next_record(struct csv *c, const char **fields, size_t *ret_n, struct err *err)
{
	int r = 0;

	while (c->p < c->end && at_line_end(c))
		skip_line_end(c);
	c->line = c->next;
	*ret_n = 0;
	if (c->p == c->end)
		return 0;
	for (;;) {
		if (*ret_n == FIELDS_MAX)
			return csv_wrong(c, "too many fields", err);
		if (c->p < c->end && *c->p == '"') {
			c->p++;
			r = read_quoted(c, &fields[*ret_n], err);
		} else {
			r = read_plain(c, &fields[*ret_n], err);
		}
		if (r < 0)
			return r;
		++*ret_n;
		if (at_line_end(c)) {
			skip_line_end(c);
			return 1;
		}
		if (*c->p != ',')
			return csv_wrong(c, "text behind a closing quote", err);
		c->p++;
	}
}

/* ---- entries ---- */

static void digest(const struct token_file *t, struct slice token, unsigned char out[SHA256_LEN])
{
	struct sha256 s;

	sha256_init(&s);
	sha256_update(&s, t->salt, sizeof(t->salt));
	sha256_update(&s, token.p, token.n);
	sha256_final(&s, out);
}

static int read_groups(struct arena *a, const char *text, struct token_user *u, struct err *err)
{
	struct slice rest = slice_str(text);
	size_t max = 1, n = 0;
	const char **v;

	for (const char *p = text; *p; p++)
		max += *p == ',';
	v = ARENA_ARRAY(a, const char *, max + 1);
	while (v && rest.p) {
		struct slice one = slice_split(&rest, ',');

		if (one.n && !(v[n++] = arena_strndup(a, one.p, one.n)))
			v = NULL;
	}
	if (!v)
		return arena_quota(a, err);
	u->groups = v;
	u->ngroups = n;
	return 0;
}

static int add(struct token_file *t, const struct csv *c, const char *const *f, size_t n,
	       struct err *err)
{
	struct entry *e;

	if (n < 3)
		return err_set(err, ERR_INVALID,
			       "token file '%s', line %zu: must have at least 3 columns (token, "
			       "user name, user uid), found %zu",
			       c->path, c->line, n);
	if (!f[0][0]) {
		log_warn("token file '%s', line %zu: an empty token is not taken", c->path,
			 c->line);
		return 0;
	}
	if (!f[1][0])
		return csv_wrong(c, "the user has no name", err);
	e = ARENA_NEW(t->arena, struct entry);
	if (!e || read_groups(t->arena, n > 3 ? f[3] : "", &e->user, NULL) < 0)
		return arena_quota(t->arena, err);
	digest(t, slice_str(f[0]), e->digest);
	e->user.name = arena_strdup(t->arena, f[1]);
	e->user.uid = arena_strdup(t->arena, f[2]);
	if (!e->user.name || !e->user.uid)
		return arena_quota(t->arena, err);
	if (map_del(&t->by_digest, slice_of((char *)e->digest, SHA256_LEN)))
		log_warn("token file '%s', line %zu: the token was there before; this line counts",
			 c->path, c->line);
	map_put(&t->by_digest, slice_of((char *)e->digest, SHA256_LEN), e);
	if (map_count(&t->by_digest) > TOKEN_FILE_MAX)
		return csv_wrong(c, "too many tokens", err);
	return 0;
}

int token_file_read(struct slice text, const char *path, struct token_file **ret, struct err *err)
{
	CLEANUP(token_file_free) struct token_file *t = calloc(1, sizeof(*t));
	CLEANUP(arena_free) struct arena *scratch = arena_new("token file", TOKENS_MEMORY);
	struct csv c = { text.p, text.p + text.n, 1, 1, scratch, path };
	const char *fields[FIELDS_MAX];
	size_t n;
	int r;

	if (!t)
		abort();
	t->arena = arena_new("tokens", TOKENS_MEMORY);
	map_init(&t->by_digest);
	random_bytes(t->salt, sizeof(t->salt));
	while ((r = next_record(&c, fields, &n, err)) == 1) {
		r = add(t, &c, fields, n, err);
		if (r < 0)
			break;
		arena_reset(scratch);
	}
	if (r < 0)
		return r;
	*ret = STEAL(t);
	return 0;
}

void token_file_free(struct token_file *t)
{
	if (!t)
		return;
	map_fini(&t->by_digest);
	arena_free(t->arena);
	free(t);
}

size_t token_file_count(const struct token_file *t)
{
	return map_count(&t->by_digest);
}

const struct token_user *token_file_find(const struct token_file *t, struct slice token)
{
	unsigned char d[SHA256_LEN];
	const struct entry *e;

	digest(t, token, d);
	e = map_get(&t->by_digest, slice_of((char *)d, sizeof(d)));
	return e && mem_equal_ct(e->digest, d, sizeof(d)) ? &e->user : NULL;
}
