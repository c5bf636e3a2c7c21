/* SPDX-License-Identifier: Apache-2.0 */
/* Discovery: asked, kept in a file, read to a table, searched by words. */
#include "client/discovery.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "client/client.h"
#include "doc/json.h"
#include "io/url.h"
#include "linux/sys.h"

#include <ctype.h>
#include <fcntl.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

#define AGGREGATED                                                                               \
	"application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"                  \
	"application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/" \
	"json"
#define FILE_MAX (64u << 20)
#define RESOURCES_MAX 65536u

/* ---- reading ---- */

static const char *const *texts(struct arena *a, const struct doc *list, size_t *ret_n)
{
	const char **v = ARENA_ARRAY(a, const char *, doc_len(list) + 1);
	size_t n = 0;

	DOC_EACH (e, list) {
		const char *s = v ? doc_cstr(a, e) : NULL;

		if (s)
			v[n++] = s;
	}
	*ret_n = n;
	return v;
}

static const char *text(struct arena *a, const struct doc *d, const char *name)
{
	const char *s = doc_cstr(a, doc_get(d, name));

	return s ? s : "";
}

static size_t count(const struct doc *list)
{
	size_t n = 0;

	DOC_EACH (g, doc_get(list, "items"))
		DOC_EACH (v, doc_get(g, "versions"))
			n += doc_len(doc_get(v, "resources")) + 1;
	return n;
}

struct reading {
	struct arena *a;
	struct resource *v;
	const char **versions;
	size_t n, nversions, max, group; /* group: where the current one begins */
};

static void read_subs(struct reading *rd, const struct doc *list, struct resource *r)
{
	const char **v = ARENA_ARRAY(rd->a, const char *, doc_len(list) + 1);

	DOC_EACH (s, list)
		if (v)
			v[r->nsubs++] = text(rd->a, s, "subresource");
	r->subs = v;
}

static void read_version(struct reading *rd, const char *group, const struct doc *v, bool preferred)
{
	const char *version = text(rd->a, v, "version"), *api;

	api = *group ? arena_printf(rd->a, "%s/%s", group, version) : version;
	if (!*version || !api || rd->nversions == rd->max)
		return;
	rd->versions[rd->nversions++] = api;
	DOC_EACH (d, doc_get(v, "resources")) {
		struct resource *r = &rd->v[rd->n];
		const struct doc *kind = doc_get(d, "responseKind");
		bool known = false;

		if (rd->n == rd->max || !*text(rd->a, d, "resource"))
			continue;
		rd->n++;
		for (size_t i = rd->group; i + 1 < rd->n && !preferred; i++)
			known = known || strcmp(rd->v[i].name, text(rd->a, d, "resource")) == 0;
		r->group = group;
		r->version = version;
		r->api_version = api;
		r->preferred = preferred || !known;
		r->name = text(rd->a, d, "resource");
		r->singular = text(rd->a, d, "singularResource");
		r->kind = text(rd->a, kind, "kind");
		r->namespaced = doc_str_is(doc_get(d, "scope"), "Namespaced");
		r->shorts = texts(rd->a, doc_get(d, "shortNames"), &r->nshorts);
		r->categories = texts(rd->a, doc_get(d, "categories"), &r->ncategories);
		r->verbs = texts(rd->a, doc_get(d, "verbs"), &r->nverbs);
		read_subs(rd, doc_get(d, "subresources"), r);
	}
}

static void read_list(struct reading *rd, const struct doc *list)
{
	DOC_EACH (g, doc_get(list, "items")) {
		const char *group = text(rd->a, doc_get(g, "metadata"), "name");
		bool first = true;

		rd->group = rd->n;
		DOC_EACH (v, doc_get(g, "versions")) {
			read_version(rd, group, v, first);
			first = false;
		}
	}
}

int catalog_read(struct arena *a, const struct doc *core, const struct doc *groups,
		 struct catalog *ret, struct err *err)
{
	struct reading rd = { .a = a, .max = count(core) + count(groups) };

	if (rd.max > RESOURCES_MAX)
		return err_set(err, ERR_TOO_LARGE, "discovery: more than %u resources",
			       RESOURCES_MAX);
	rd.v = ARENA_ARRAY(a, struct resource, rd.max + 1);
	rd.versions = ARENA_ARRAY(a, const char *, rd.max + 1);
	if (!rd.v || !rd.versions)
		return arena_quota(a, err);
	read_list(&rd, core);
	read_list(&rd, groups);
	if (arena_exceeded(a))
		return arena_quota(a, err);
	*ret = (struct catalog){
		.v = rd.v, .n = rd.n, .versions = rd.versions, .nversions = rd.nversions
	};
	return 0;
}

/* ---- servers without aggregated discovery ---- */

/* An APIResourceList to the versions' entry of aggregated discovery. */
static void convert(struct arena *a, const struct doc *list, struct doc *version)
{
	struct doc *out = doc_set_array(a, version, "resources");

	DOC_EACH (r, doc_get(list, "resources")) {
		struct slice name = doc_slice(doc_get(r, "name"));
		struct doc *d;

		if (!name.n || slice_has(name, '/'))
			continue;
		d = doc_append_object(a, out);
		doc_set_strn(a, d, "resource", name.p, name.n);
		doc_set(a, doc_set_object(a, d, "responseKind"), "kind",
			doc_get(r, "kind") ? *doc_get(r, "kind") : doc_null());
		doc_set_str(a, d, "scope",
			    doc_true(doc_get(r, "namespaced")) ? "Namespaced" : "Cluster");
		if (doc_get(r, "singularName"))
			doc_set(a, d, "singularResource", *doc_get(r, "singularName"));
		for (const char *const *k =
			     (const char *const[]){ "shortNames", "categories", "verbs", NULL };
		     *k; k++)
			if (doc_get(r, *k))
				doc_set(a, d, *k, *doc_get(r, *k));
	}
	/* Subresources are entries "pods/log" behind their resource. */
	DOC_EACH (r, doc_get(list, "resources")) {
		struct slice sub = doc_slice(doc_get(r, "name")), name = slice_split(&sub, '/');

		DOC_EACH (d, out) {
			struct doc *subs;

			if (!sub.n || !slice_eq(doc_slice(doc_get(d, "resource")), name))
				continue;
			subs = doc_get(d, "subresources");
			if (!subs)
				subs = doc_set_array(a, d, "subresources");
			doc_set_strn(a, doc_append_object(a, subs), "subresource", sub.p, sub.n);
		}
	}
}

static int ask(struct client *c, struct arena *a, const char *target, const char *accept,
	       struct doc **ret, struct err *err)
{
	struct client_request rq = { .target = target, .accept = accept, .time = 32000000000 };

	return client_call_doc(c, a, &rq, ret, err);
}

/* One group's versions, the preferred first; those that cannot be had are left out. */
static void ask_group(struct client *c, struct arena *a, const char *prefix, const char *name,
		      const struct doc *versions, struct doc *items)
{
	struct doc *g = doc_append_object(a, items), *out;

	doc_set_str(a, doc_set_object(a, g, "metadata"), "name", name);
	out = doc_set_array(a, g, "versions");
	DOC_EACH (v, versions) {
		const char *version =
			doc_cstr(a, doc_is(v, DOC_STRING) ? v : doc_get(v, "version"));
		const char *target = version ? arena_printf(a, "%s%s%s/%s", prefix,
							    *name ? "/" : "", name, version)
					     : NULL;
		struct doc *list, *d;

		if (!target || ask(c, a, target, NULL, &list, NULL) < 0)
			continue;
		d = doc_append_object(a, out);
		doc_set_str(a, d, "version", version);
		convert(a, list, d);
	}
}

static int ask_one(struct client *c, struct arena *a, const char *prefix, struct doc **ret,
		   struct err *err)
{
	struct doc *d, *items;
	int r = ask(c, a, prefix, AGGREGATED, &d, err);

	if (r < 0)
		return r;
	if (doc_str_is(doc_get(d, "kind"), "APIGroupDiscoveryList")) {
		*ret = d;
		return 0;
	}
	*ret = doc_new_object(a);
	items = doc_set_array(a, *ret, "items");
	if (doc_get(d, "versions"))
		ask_group(c, a, prefix, "", doc_get(d, "versions"), items);
	DOC_EACH (g, doc_get(d, "groups"))
		ask_group(c, a, prefix, text(a, g, "name"), doc_get(g, "versions"), items);
	return 0;
}

/* ---- the file ---- */

/* "dir/127.0.0.1_6443.json": what is no letter, digit, dot or dash of the address is "_". */
static const char *file_name(struct client *c, const char *dir, struct arena *a)
{
	const char *host = strstr(client_conf_of(c)->server, "://");
	char *name;

	host = host ? host + 3 : client_conf_of(c)->server;
	name = arena_printf(a, "%s/%s.json", dir, host);
	for (char *p = name ? name + strlen(dir) + 1 : NULL; p && *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '.' && *p != '-')
			*p = '_';
	return name;
}

static int load(const char *name, struct arena *a, struct catalog *ret)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(FILE_MAX);
	struct json_options opt = { .copy = true };
	struct stat st;
	struct doc *d;
	int64_t age;

	if (stat(name, &st) < 0)
		return -1;
	age = (int64_t)time(NULL) - st.st_mtim.tv_sec;
	if (age < 0 || age > CATALOG_TIME || fd_read_file(AT_FDCWD, name, &b, NULL) < 0 ||
	    json_read(a, buf_slice(&b), &opt, &d, NULL) < 0)
		return -1;
	return catalog_read(a, doc_get(d, "core"), doc_get(d, "groups"), ret, NULL);
}

/* What cannot be kept is asked for again next time. */
static void keep(const char *dir, const char *name, struct arena *a, const struct doc *core,
		 const struct doc *groups)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(FILE_MAX);
	struct doc *d = doc_new_object(a);

	doc_set(a, d, "core", *core);
	doc_set(a, d, "groups", *groups);
	if (!d || json_write(d, NULL, &b, NULL) < 0 || fd_mkdir_p(AT_FDCWD, dir, 0750, NULL) < 0)
		return;
	(void)fd_replace_file(AT_FDCWD, name, b.p, b.n, 0640, NULL);
}

int catalog_get(struct client *c, const char *dir, bool fresh, struct arena *a, struct catalog *ret,
		struct err *err)
{
	const char *name = dir && *dir ? file_name(c, dir, a) : NULL;
	struct doc *core, *groups;
	int r;

	if (name && !fresh && load(name, a, ret) == 0) {
		ret->kept = true;
		return 0;
	}
	r = ask_one(c, a, "/api", &core, err);
	if (r == 0)
		r = ask_one(c, a, "/apis", &groups, err);
	if (r == 0)
		r = catalog_read(a, core, groups, ret, err);
	if (r == 0 && name)
		keep(dir, name, a, core, groups);
	return r;
}

/* ---- searching ---- */

/* group: NULL = any; version likewise. */
static bool fits(const struct resource *r, struct slice group, struct slice version)
{
	return (!group.p || slice_is(group, r->group)) &&
	       (version.p ? slice_is(version, r->version) : true);
}

static bool has_name(const struct resource *r, struct slice name, bool shorts)
{
	if (!shorts)
		return slice_ieq(name, slice_str(r->name)) ||
		       (*r->singular ? slice_ieq(name, slice_str(r->singular))
				     : slice_ieq(name, slice_str(r->kind)));
	for (size_t i = 0; i < r->nshorts; i++)
		if (slice_is(name, r->shorts[i]))
			return true;
	return false;
}

static const struct resource *find(const struct catalog *k, struct slice name, struct slice group,
				   struct slice version)
{
	for (int shorts = 0; shorts < 2; shorts++)
		for (int other = 0; other < 2; other++)
			for (size_t i = 0; i < k->n; i++)
				if ((version.p || k->v[i].preferred == !other) &&
				    fits(&k->v[i], group, version) &&
				    has_name(&k->v[i], name, shorts))
					return &k->v[i];
	return NULL;
}

const struct resource *catalog_find(const struct catalog *k, const char *word)
{
	struct slice rest = slice_str(word), name = slice_split(&rest, '.'), tail = rest, version;
	const struct resource *r;

	if (!name.n)
		return NULL;
	if (!rest.p)
		return find(k, name, (struct slice){ NULL, 0 }, (struct slice){ NULL, 0 });
	/* "deployments.v1.apps" and "pods.v1." before "deployments.apps". */
	version = slice_split(&tail, '.');
	if (tail.p) {
		r = find(k, name, tail, version);
		if (r)
			return r;
	}
	r = find(k, name, rest, (struct slice){ NULL, 0 });
	return r ? r : find(k, name, SLICE(""), rest);
}

const struct resource *catalog_kind(const struct catalog *k, const char *api_version,
				    const char *kind)
{
	for (size_t i = 0; i < k->n; i++)
		if ((!api_version || strcmp(k->v[i].api_version, api_version) == 0) &&
		    strcmp(k->v[i].kind, kind) == 0)
			return &k->v[i];
	return NULL;
}

static bool among(const char *const *v, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(v[i], word) == 0)
			return true;
	return false;
}

bool resource_has_verb(const struct resource *r, const char *verb)
{
	return among(r->verbs, r->nverbs, verb);
}

bool resource_in(const struct resource *r, const char *category)
{
	return among(r->categories, r->ncategories, category);
}

int resource_path(const struct resource *r, const char *space, const char *name, struct buf *out)
{
	buf_adds(out, *r->group ? "/apis/" : "/api/");
	buf_adds(out, r->api_version);
	if (space && r->namespaced) {
		buf_adds(out, "/namespaces/");
		url_encode(out, slice_str(space), false);
	}
	buf_addf(out, "/%s", r->name);
	if (name) {
		buf_addc(out, '/');
		url_encode(out, slice_str(name), false);
	}
	return out->full ? -ERR_QUOTA : 0;
}
