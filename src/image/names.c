/* SPDX-License-Identifier: Apache-2.0 */
/*
 * References in docker's grammar, and finding the image that a text means.
 * Grammar: [domain/]path[:tag][@digest]. The first part is a domain if it has a '.' or ':', is
 * "localhost" or has upper case; else the domain is docker.io, whose names of one part lie in
 * library/.
 */
#include "base/err.h"
#include "base/hash.h"
#include "image/private.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static bool lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool alnum(char c)
{
	return lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

/* [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)* */
static bool path_part_ok(struct slice s)
{
	size_t i = 0, sep;

	if (!s.n || !lower_alnum(s.p[0]) || !lower_alnum(s.p[s.n - 1]))
		return false;
	while (i < s.n) {
		while (i < s.n && lower_alnum(s.p[i]))
			i++;
		for (sep = i; i < s.n && !lower_alnum(s.p[i]); i++)
			if (s.p[i] != s.p[sep] || !strchr("._-", s.p[i]))
				return false;
		if (sep < i &&
		    ((s.p[sep] == '.' && i - sep > 1) || (s.p[sep] == '_' && i - sep > 2)))
			return false;
	}
	return true;
}

static bool path_ok(struct slice s)
{
	if (!s.n)
		return false;
	while (s.p)
		if (!path_part_ok(slice_split(&s, '/')))
			return false;
	return true;
}

static bool host_ok(struct slice s)
{
	if (!s.n)
		return false;
	while (s.p) {
		struct slice part = slice_split(&s, '.');

		if (!part.n || !alnum(part.p[0]) || !alnum(part.p[part.n - 1]))
			return false;
		for (size_t i = 0; i < part.n; i++)
			if (!alnum(part.p[i]) && part.p[i] != '-')
				return false;
	}
	return true;
}

static bool domain_ok(struct slice s)
{
	struct slice host = s, port = { 0 };
	const char *colon;
	uint64_t v;

	if (s.n > 2 && s.p[0] == '[') { /* IPv6 */
		const char *end = memchr(s.p, ']', s.n);

		if (!end || end == s.p + 1)
			return false;
		for (const char *c = s.p + 1; c < end; c++)
			if (!isxdigit((unsigned char)*c) && *c != ':')
				return false;
		if (end + 1 == s.p + s.n)
			return true;
		if (end[1] != ':')
			return false;
		port = slice_of(end + 2, (size_t)(s.p + s.n - end - 2));
		return str_uint64(port, &v, NULL) == 0;
	}
	colon = memchr(s.p, ':', s.n);
	if (colon) {
		host = slice_of(s.p, (size_t)(colon - s.p));
		port = slice_of(colon + 1, (size_t)(s.p + s.n - colon - 1));
		if (str_uint64(port, &v, NULL) < 0)
			return false;
	}
	return host_ok(host);
}

static bool tag_ok(struct slice s)
{
	if (!s.n || s.n > 128)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!alnum(s.p[i]) && s.p[i] != '_' && (i == 0 || (s.p[i] != '.' && s.p[i] != '-')))
			return false;
	return true;
}

static int invalid(struct err *err)
{
	return err_set(err, ERR_BAD_REQUEST, "invalid reference format");
}

static bool is_domain(struct slice s)
{
	if (slice_is(s, "localhost") || memchr(s.p, '.', s.n) || memchr(s.p, ':', s.n))
		return true;
	for (size_t i = 0; i < s.n; i++)
		if (isupper((unsigned char)s.p[i]))
			return true;
	return false;
}

static int put_name(struct slice name, struct image_name *n, struct err *err)
{
	struct slice rest = name, domain = SLICE("docker.io"), first = slice_split(&rest, '/');
	const char *library = "";

	if (rest.p && is_domain(first)) {
		domain = slice_is(first, "index.docker.io") ? domain : first;
		name = rest;
	}
	if (slice_is(domain, "docker.io") && !memchr(name.p ? name.p : "", '/', name.n))
		library = "library/";
	for (size_t i = 0; i < name.n; i++)
		if (isupper((unsigned char)name.p[i]))
			return err_set(err, ERR_BAD_REQUEST,
				       "invalid reference format: repository name (%s%.*s) must be "
				       "lowercase",
				       library, (int)MIN(name.n, 255u), name.p);
	if (!path_ok(name) || !domain_ok(domain))
		return invalid(err);
	if (domain.n + 1 + strlen(library) + name.n > 255)
		return err_set(err, ERR_BAD_REQUEST,
			       "repository name must not be more than 255 characters");
	snprintf(n->name, sizeof(n->name), "%.*s/%s%.*s", (int)domain.n, domain.p, library,
		 (int)name.n, name.p);
	return 0;
}

int image_name_parse(const char *text, struct image_name *ret, struct err *err)
{
	struct image_name n = { 0 };
	struct slice s = slice_str(text);
	const char *at, *slash, *colon;
	int r;

	if (!s.n || s.n > 1024)
		return invalid(err);
	if (s.n == SHA256_HEX_LEN && hex_is_lower(s))
		return err_set(
			err, ERR_BAD_REQUEST,
			"invalid repository name (%s), cannot specify 64-byte hexadecimal strings",
			text);
	at = memchr(s.p, '@', s.n);
	if (at) {
		struct slice digest = slice_of(at + 1, (size_t)(s.p + s.n - at - 1));

		if (!image_digest_valid(digest))
			return invalid(err);
		memcpy(n.digest, digest.p, digest.n);
		s.n = (size_t)(at - s.p);
	}
	slash = memrchr(s.p, '/', s.n);
	colon = memrchr(s.p, ':', s.n);
	if (colon && (!slash || colon > slash)) {
		struct slice tag = slice_of(colon + 1, (size_t)(s.p + s.n - colon - 1));

		if (!tag_ok(tag))
			return invalid(err);
		memcpy(n.tag, tag.p, tag.n);
		s.n = (size_t)(colon - s.p);
	}
	r = put_name(s, &n, err);
	if (r < 0)
		return r;
	*ret = n;
	return 0;
}

void image_name_default_tag(struct image_name *n)
{
	if (!n->tag[0] && !n->digest[0])
		(void)str_copy(n->tag, sizeof(n->tag), "latest");
}

const char *image_name_familiar_repo(const struct image_name *n)
{
	struct slice name = slice_str(n->name), hub = SLICE("docker.io/"),
		     library = SLICE("library/"), rest;

	if (!slice_starts(name, hub))
		return n->name;
	rest = slice_of(name.p + hub.n, name.n - hub.n);
	/* library/a/b cannot be told from a/b without its first part. */
	if (slice_starts(rest, library) && !memchr(rest.p + library.n, '/', rest.n - library.n))
		return rest.p + library.n;
	return rest.p;
}

static const char *print(char dst[IMAGE_NAME_TEXT_MAX], const char *repo,
			 const struct image_name *n)
{
	snprintf(dst, IMAGE_NAME_TEXT_MAX, "%s%s%s%s%s", repo, n->tag[0] ? ":" : "", n->tag,
		 n->digest[0] ? "@" : "", n->digest);
	return dst;
}

const char *image_name_familiar(const struct image_name *n, char dst[IMAGE_NAME_TEXT_MAX])
{
	return print(dst, image_name_familiar_repo(n), n);
}

const char *image_name_full(const struct image_name *n, char dst[IMAGE_NAME_TEXT_MAX])
{
	return print(dst, n->name, n);
}

/* ---- finding ---- */

static int take_id(struct db_row *row, char ret_id[IMAGE_DIGEST_MAX], struct err *err)
{
	const char *id;
	int r = db_row_next(row, err);

	if (r <= 0)
		return r;
	db_row_get(row, "t", &id);
	(void)str_copy(ret_id, IMAGE_DIGEST_MAX, id);
	return 1;
}

/* A digest may be an index's, a manifest's that an index here names, or that of the one image. */
static int find_name(struct db_conn *c, struct image_found *f, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	const struct image_name *n = &f->name;
	const char *id, *index = NULL;
	int r;

	if (n->digest[0]) /* wins over the tag */
		r = db_query(
			c, &row, err,
			"SELECT image, (SELECT idx FROM index_images WHERE idx = ?2) FROM digests"
			" WHERE repo = ?1 AND digest = ?2 UNION ALL "
			"SELECT images.id, NULL FROM images JOIN refs ON refs.image = images.id"
			" WHERE refs.repo = ?1 AND images.manifest = ?2 UNION ALL "
			"SELECT index_images.image, NULL FROM index_images JOIN refs USING (idx)"
			" WHERE refs.repo = ?1 AND index_images.manifest = ?2 LIMIT 1",
			"tt", n->name, n->digest);
	else
		r = db_query(c, &row, err, "SELECT image, idx FROM refs WHERE repo = ? AND tag = ?",
			     "tt", n->name, n->tag);
	if (r >= 0)
		r = db_row_next(row, err);
	if (r <= 0)
		return r;
	db_row_get(row, "tt", &id, &index);
	(void)str_copy(f->id, sizeof(f->id), id);
	(void)str_copy(f->index, sizeof(f->index), index ? index : "");
	return 1;
}

/* By the beginning of an id. 1 found, 0 none. */
static int find_prefix(struct db_conn *c, struct slice hex, char ret_id[IMAGE_DIGEST_MAX],
		       struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	char from[IMAGE_DIGEST_MAX], to[IMAGE_DIGEST_MAX + 1], other[IMAGE_DIGEST_MAX];
	int r;

	if (!hex.n || hex.n > SHA256_HEX_LEN || !hex_is_lower(hex))
		return 0;
	snprintf(from, sizeof(from), "sha256:%.*s", (int)hex.n, hex.p);
	snprintf(to, sizeof(to), "%sg", from); /* past every hex digit */
	r = db_query(c, &row, err, "SELECT id FROM images WHERE id >= ? AND id < ? LIMIT 2", "tt",
		     from, to);
	if (r >= 0)
		r = take_id(row, ret_id, err);
	if (r <= 0)
		return r;
	r = take_id(row, other, err);
	if (r > 0)
		return err_set(err, ERR_BAD_REQUEST,
			       "image id prefix '%.*s' is ambiguous: give more digits", (int)hex.n,
			       hex.p);
	return r < 0 ? r : 1;
}

int image_find(struct db_conn *c, const char *text, struct image_found *ret, struct err *err)
{
	struct slice hex = slice_str(text);
	char shown[IMAGE_NAME_TEXT_MAX];
	struct err perr = ERR_INIT;
	bool is_name, sha = slice_starts(hex, SLICE("sha256:"));
	int r;

	*ret = (struct image_found){ 0 };
	if (sha)
		hex = slice_of(text + 7, hex.n - 7);
	is_name = !(sha && image_digest_valid(slice_str(text))) &&
		  image_name_parse(text, &ret->name, &perr) == 0;
	if (is_name) {
		image_name_default_tag(&ret->name);
		r = find_name(c, ret, err);
		if (r)
			return r < 0 ? r : 0;
	}
	ret->by_id = true;
	r = find_prefix(c, hex, ret->id, err);
	if (r)
		return r < 0 ? r : 0;
	if (!is_name && !(hex.n == SHA256_HEX_LEN && hex_is_lower(hex))) {
		if (err)
			*err = perr;
		return err_ret(&perr);
	}
	return err_set(err, ERR_NOT_FOUND, "No such image: %s",
		       is_name ? image_name_familiar(&ret->name, shown) : text);
}
