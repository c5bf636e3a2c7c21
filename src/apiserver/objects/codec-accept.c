/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Media types: what a request accepts and what its body is. The order among clauses and what is
 * skipped in silence follow upstream's negotiation, so that a client gets from both what it asks
 * for.
 */
#include "apiserver/objects/codec-private.h"

#include <stdio.h>
#include <stdlib.h>

#define CLAUSES_MAX 32

struct clause {
	struct slice type, sub, params;
	double q;
};

static const struct media {
	const char *sub, *type, *stream;
} medias[] = {
	[CODEC_JSON] = { "json", "application/json", "application/json" },
	[CODEC_YAML] = { "yaml", "application/yaml", NULL },
	[CODEC_PROTOBUF] = { "vnd.kubernetes.protobuf", "application/vnd.kubernetes.protobuf",
			     "application/vnd.kubernetes.protobuf;stream=watch" },
};

static double quality(struct slice s)
{
	char text[16];
	char *end;
	double q;

	if (s.n == 0 || s.n >= sizeof(text))
		return 0;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	q = strtod(text, &end);
	return *end || !(q >= 0 && q <= 1) ? 0 : q;
}

/* The value of the next "key=value"; false at the end. Others are skipped. */
static bool next_param(struct slice *rest, struct slice *key, struct slice *value)
{
	while (rest->p) {
		struct slice one = slice_split(rest, ';');

		*key = slice_trim(slice_split(&one, '='));
		if (!one.n || slice_has(one, '='))
			continue;
		*value = slice_trim(one);
		return true;
	}
	return false;
}

static bool parse_clause(struct slice text, struct clause *c)
{
	struct slice rest = slice_trim(text), range = slice_split(&rest, ';'), key, value, params;

	*c = (struct clause){ .params = rest, .q = 1 };
	c->type = slice_trim(slice_split(&range, '/'));
	c->sub = slice_trim(range);
	if (!c->sub.n && slice_is(c->type, "*"))
		c->sub = SLICE("*");
	params = rest;
	while (next_param(&params, &key, &value))
		if (slice_is(key, "q"))
			c->q = quality(value);
	return c->sub.n > 0 && !slice_has(c->sub, '/');
}

/* Upstream's order: no total one, so the way of sorting counts (insertion, as Go does with few). */
static bool goes_before(const struct clause *x, const struct clause *y)
{
	return x->q > y->q || (!slice_is(x->type, "*") && slice_is(y->type, "*")) ||
	       (!slice_is(x->sub, "*") && slice_is(y->sub, "*"));
}

static size_t parse_accept(struct slice accept, struct clause *v)
{
	struct slice rest = accept;
	size_t n = 0;

	while (rest.p && n < CLAUSES_MAX)
		if (parse_clause(slice_split(&rest, ','), &v[n]))
			n++;
	for (size_t i = 1; i < n; i++)
		for (size_t j = i; j > 0 && goes_before(&v[j], &v[j - 1]); j--) {
			struct clause c = v[j];

			v[j] = v[j - 1];
			v[j - 1] = c;
		}
	return n;
}

/* What the parameters of a clause ask for; false: the clause is skipped. */
struct asked {
	struct slice as, group, version, stream;
	bool converts;
};
static bool read_params(struct slice params, enum codec_media media, struct asked *ret)
{
	struct slice key, value;

	*ret = (struct asked){ 0 };
	while (next_param(&params, &key, &value)) {
		struct slice *at = slice_is(key, "as")	? &ret->as
				   : slice_is(key, "g") ? &ret->group
				   : slice_is(key, "v") ? &ret->version
							: NULL;

		if (at) {
			*at = value;
			ret->converts = true;
		} else if (slice_is(key, "stream")) {
			if (!slice_is(value, "watch") || !medias[media].stream)
				return false;
		} else if (slice_is(key, "sv") && !slice_is(value, "v1")) {
			return false;
		}
	}
	return true;
}

static bool fits(const struct clause *c, enum codec_media media, unsigned flags, struct codec *ret)
{
	struct asked a;

	if (!slice_is(c->type, "*") && !slice_is(c->type, "application"))
		return false;
	if (!slice_is(c->sub, "*") && !slice_is(c->sub, medias[media].sub))
		return false;
	if (!read_params(c->params, media, &a))
		return false;
	*ret = (struct codec){ .media = media };
	if (!a.converts)
		return media != CODEC_PROTOBUF || !(flags & CODEC_NO_PROTO);
	if ((flags & CODEC_NO_SHAPE) || !slice_is(a.group, "meta.k8s.io") ||
	    !slice_is(a.version, "v1"))
		return false;
	if (slice_is(a.as, "Table"))
		ret->shape = CODEC_TABLE;
	else if (slice_is(a.as, "PartialObjectMetadata") ||
		 slice_is(a.as, "PartialObjectMetadataList"))
		ret->shape = CODEC_PARTIAL;
	else
		return false;
	return ret->shape != CODEC_TABLE || media != CODEC_PROTOBUF;
}

static int not_acceptable(unsigned flags, struct err *err)
{
	if (flags & CODEC_STREAM)
		return err_set(err, ERR_UNSUPPORTED,
			       "only the following media types are accepted: "
			       "application/json;stream=watch, "
			       "application/vnd.kubernetes.protobuf;stream=watch");
	return err_set(err, ERR_UNSUPPORTED,
		       "only the following media types are accepted: application/json, "
		       "application/yaml, application/vnd.kubernetes.protobuf");
}

static int choose(const struct clause *v, size_t n, unsigned flags, struct codec *ret,
		  struct err *err)
{
	for (size_t i = 0; i < n; i++)
		for (unsigned m = CODEC_JSON; m <= CODEC_PROTOBUF; m++)
			if (fits(&v[i], (enum codec_media)m, flags, ret))
				return 0;
	return not_acceptable(flags, err);
}

int codec_choose(struct slice accept, unsigned flags, struct codec *ret, struct err *err)
{
	struct clause v[CLAUSES_MAX];
	struct codec c = { 0 };
	int r = 0;

	if (accept.n > 0)
		r = choose(v, parse_accept(accept, v), flags, &c, err);
	if (r < 0)
		return r;
	/* the clause is chosen without looking whether it can be a stream */
	if ((flags & CODEC_STREAM) && !medias[c.media].stream)
		return not_acceptable(flags, err);
	c.content_type = flags & CODEC_STREAM ? medias[c.media].stream : medias[c.media].type;
	*ret = c;
	return 0;
}

int codec_body(struct slice content_type, unsigned flags, enum codec_media *ret, struct err *err)
{
	struct slice rest = content_type, type = slice_trim(slice_split(&rest, ';'));

	if (content_type.n == 0) {
		*ret = CODEC_JSON;
		return 0;
	}
	for (unsigned m = CODEC_JSON; m <= CODEC_PROTOBUF; m++) {
		if (!slice_ieq(type, slice_str(medias[m].type)))
			continue;
		if (m == CODEC_PROTOBUF && (flags & CODEC_NO_PROTO))
			break;
		*ret = (enum codec_media)m;
		return 0;
	}
	return err_set(err, ERR_UNSUPPORTED,
		       "the body of the request was in an unknown format - accepted media types "
		       "include: application/json, application/yaml%s",
		       flags & CODEC_NO_PROTO ? "" : ", application/vnd.kubernetes.protobuf");
}
