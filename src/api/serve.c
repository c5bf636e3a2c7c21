/* SPDX-License-Identifier: Apache-2.0 */
#include "api/serve.h"

#include "base/err.h"
#include "base/str.h"

#include <string.h>

#define VERSIONS "--runtime-config: "
#define FEATURES "--feature-gates: "

/* What a name is about, in the order in which they are applied. */
enum about { ALL, GA, BETA, ALPHA, VERSION, RESOURCE, ABOUT_N };

struct choice {
	struct slice name, value;
	bool has_value, on;
	enum about about;
	const struct api_group *group;
	struct slice resource;
};

static bool next_choice(struct slice *rest, struct choice *ret)
{
	*ret = (struct choice){ 0 };
	while (rest->p && ret->name.n == 0) {
		struct slice one = slice_trim(slice_split(rest, ','));

		ret->name = slice_split(&one, '=');
		ret->has_value = one.p != NULL;
		ret->value = one.p ? one : SLICE("");
	}
	return ret->name.n > 0;
}

/* As Go's ParseBool. */
static bool read_bool(struct slice s, bool *ret)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };

	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		if (slice_is(s, yes[i]) || slice_is(s, no[i])) {
			*ret = slice_is(s, yes[i]);
			return true;
		}
	return false;
}

static int bad_value(const char *flag, const struct choice *c, struct err *err)
{
	return err_set(err, ERR_BAD_REQUEST,
		       "%sinvalid value of %.*s: '%.*s' is neither true nor false", flag,
		       (int)c->name.n, c->name.p, (int)c->value.n, c->value.p);
}

/* ---- names of versions ---- */

/* "v" and a number, then `word` and another one; "" = nothing further. */
static bool has_form(const char *version, const char *word)
{
	size_t n;

	if (*version++ != 'v')
		return false;
	n = strspn(version, "0123456789");
	version += n;
	if (n == 0 || !*word)
		return n > 0 && !*version;
	if (strncmp(version, word, strlen(word)) != 0)
		return false;
	version += strlen(word);
	n = strspn(version, "0123456789");
	return n > 0 && !version[n];
}

static bool is_of(const struct api_group *g, enum about about)
{
	switch (about) {
	case ALL: return true;
	case GA: return has_form(g->version, "");
	case BETA: return has_form(g->version, "beta");
	case ALPHA: return has_form(g->version, "alpha");
	default: return false;
	}
}

static const struct api_kind *kind_of(const struct api *api, const struct api_group *g,
				      struct slice resource)
{
	for (size_t i = 0; i < api->nkinds; i++)
		if (api->kinds[i].group == g &&
		    (!resource.p || slice_is(resource, api->kinds[i].resource)))
			return &api->kinds[i];
	return NULL;
}

static int find_version(const struct api *api, struct slice group, struct slice version,
			struct choice *c, struct err *err)
{
	bool known = false;

	for (size_t i = 0; i < api->ngroups && !c->group; i++) {
		const struct api_group *g = &api->groups[i];

		if (!slice_is(group, g->group) || !kind_of(api, g, (struct slice){ 0 }))
			continue;
		known = true;
		if (slice_is(version, g->version))
			c->group = g;
	}
	if (c->group)
		return 0;
	if (!known)
		return err_set(err, ERR_BAD_REQUEST, VERSIONS "unknown api groups %.*s",
			       (int)c->name.n, c->name.p);
	return err_set(err, ERR_BAD_REQUEST, VERSIONS "group version %.*s/%.*s is not known here",
		       (int)group.n, group.p, (int)version.n, version.p);
}

static int find_resource(const struct api *api, struct choice *c, struct err *err)
{
	for (size_t i = 0; i < c->resource.n; i++)
		if (c->resource.p[i] >= 'A' && c->resource.p[i] <= 'Z')
			return err_set(
				err, ERR_BAD_REQUEST,
				VERSIONS "invalid key %.*s: group/version/resource and resource is "
					 "always lowercase plural, not \"%.*s\"",
				(int)c->name.n, c->name.p, (int)c->resource.n, c->resource.p);
	if (kind_of(api, c->group, c->resource))
		return 0;
	return err_set(err, ERR_BAD_REQUEST, VERSIONS "%s has no resource '%.*s'",
		       c->group->api_version, (int)c->resource.n, c->resource.p);
}

/* GROUP/VERSION[/RESOURCE]; of the core group /v1, and v1 as its help has it. */
static int read_name(const struct api *api, struct choice *c, struct err *err)
{
	struct slice rest = c->name, part[3] = { { 0 } };
	size_t n = 0;

	if (!slice_has_text(c->name, SLICE("/")) || slice_starts(c->name, SLICE("v1/")))
		part[n++] = SLICE("");
	while (rest.p && n < ARRAY_LEN(part))
		part[n++] = slice_split(&rest, '/');
	if (rest.p || n < 2 || part[1].n == 0)
		return err_set(err, ERR_BAD_REQUEST, VERSIONS "invalid key %.*s", (int)c->name.n,
			       c->name.p);
	c->about = n == 3 ? RESOURCE : VERSION;
	c->resource = n == 3 ? part[2] : (struct slice){ 0 };
	if (find_version(api, part[0], part[1], c, err) < 0)
		return err_ret(err);
	return n == 3 ? find_resource(api, c, err) : 0;
}

static int read_choice(const struct api *api, struct choice *c, struct err *err)
{
	static const char *const words[] = {
		[ALL] = "api/all", [GA] = "api/ga", [BETA] = "api/beta", [ALPHA] = "api/alpha"
	};

	c->about = ABOUT_N;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (slice_is(c->name, words[i]))
			c->about = (enum about)i;
	if (c->about != ABOUT_N) {
		c->on = slice_is(c->value, "true");
		return c->on || slice_is(c->value, "false") ? 0 : bad_value(VERSIONS, c, err);
	}
	if (read_name(api, c, err) < 0)
		return err_ret(err);
	c->on = c->value.n == 0;
	return c->on || read_bool(c->value, &c->on) ? 0 : bad_value(VERSIONS, c, err);
}

/* ---- features ---- */

static int read_features(const struct api *api, const struct api_serving *s, struct map *on,
			 struct err *err)
{
	struct choice c;

	for (size_t i = 0; i < s->nfeatures; i++) {
		struct slice rest = slice_str(s->features[i]);

		while (next_choice(&rest, &c)) {
			const char *gate = NULL;

			for (size_t g = 0; g < api->ngroups && !gate; g++)
				if (api->groups[g].gate && slice_is(c.name, api->groups[g].gate))
					gate = api->groups[g].gate;
			if (!gate)
				return err_set(err, ERR_BAD_REQUEST,
					       FEATURES "unrecognized feature gate: %.*s",
					       (int)c.name.n, c.name.p);
			if (!c.has_value)
				return err_set(err, ERR_BAD_REQUEST,
					       FEATURES "missing bool value for %s", gate);
			if (!read_bool(c.value, &c.on))
				return bad_value(FEATURES, &c, err);
			if (c.on)
				(void)map_put(on, slice_str(gate), (void *)(uintptr_t)gate);
			else
				(void)map_del(on, slice_str(gate));
		}
	}
	return 0;
}

/* ---- applying ---- */

static bool is_allowed(const struct api_group *g, const struct map *features)
{
	return !g->gate || map_get(features, slice_str(g->gate));
}

static void apply(struct api *api, const struct choice *c, const struct map *features)
{
	for (size_t i = 0; i < api->nkinds; i++) {
		/* the tables are the caller's own until they are read */
		struct api_kind *k = (struct api_kind *)(uintptr_t)&api->kinds[i];
		bool it = c->about <= ALPHA ? is_of(k->group, c->about) : k->group == c->group;

		if (it && (!c->resource.p || slice_is(c->resource, k->resource)))
			k->off = !c->on || !is_allowed(k->group, features);
	}
}

static int apply_all(struct api *api, struct api_serving *s, const struct map *features,
		     struct err *err)
{
	struct choice c;
	size_t n = 0;
	bool nothing = false;

	for (enum about now = ALL; now < ABOUT_N; now++) {
		for (size_t i = 0; i < s->nversions; i++) {
			struct slice rest = slice_str(s->versions[i]);

			while (next_choice(&rest, &c)) {
				if (read_choice(api, &c, err) < 0)
					return err_ret(err);
				n++;
				nothing = c.about == ALL && !c.on;
				if (c.about == now)
					apply(api, &c, features);
				if (c.on && c.group && !is_allowed(c.group, features))
					s->lacks = c.group->gate;
			}
		}
		if (nothing && n == 1)
			return err_set(err, ERR_BAD_REQUEST,
				       VERSIONS "invalid runtime-config with only api/all=false");
	}
	return 0;
}

/* Lists of groups have what is served. */
static void collect(struct api *api)
{
	for (size_t i = 0; i < api->ngroups; i++) {
		struct api_group *g = (struct api_group *)(uintptr_t)&api->groups[i];
		const struct api_kind **v = (const struct api_kind **)(uintptr_t)g->kinds;

		g->nkinds = 0;
		for (size_t j = 0; j < api->nkinds; j++)
			if (api->kinds[j].group == g && !api->kinds[j].off)
				v[g->nkinds++] = &api->kinds[j];
	}
}

int api_serve(struct api *api, struct api_serving *s, struct err *err)
{
	struct map features;
	int r;

	s->lacks = NULL;
	map_init(&features);
	r = read_features(api, s, &features, err);
	if (r == 0)
		r = apply_all(api, s, &features, err);
	map_fini(&features);
	if (r == 0)
		collect(api);
	return r;
}
