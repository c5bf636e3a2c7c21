/* SPDX-License-Identifier: Apache-2.0 */
/* Images: list, inspect, history, tag, remove. */
#include "docker/private.h"

#include <stdio.h>

/* {name} may end in what belongs to the route of another method; it is the reference as sent. */
static int call_image_for(struct call *c, const char *platform, struct image **ret)
{
	struct err err = ERR_INIT;
	int r = image_resolve_platform(engine_images(c->e), route_param(c->m, "name"), platform,
				       ret, &err);

	if (r < 0)
		reply_err(c, &err);
	return r;
}

static int call_image(struct call *c, struct image **ret)
{
	return call_image_for(c, NULL, ret);
}

/* The same for the platform that is asked for, from that version of the API on. */
static int call_image_platform(struct call *c, unsigned minor, struct image **ret)
{
	const char *text = query_get(&c->q, "platform"), *platform = NULL;
	struct err err = ERR_INIT;
	int r;

	if (text && *text && c->minor >= minor) {
		r = platform_of_json(c, text, &platform, &err);
		if (r < 0) {
			reply_err(c, &err);
			return r;
		}
	}
	return call_image_for(c, platform, ret);
}

static void set_strings(struct arena *a, struct doc *o, const char *key, const struct strv *v)
{
	struct doc *arr = doc_set_array(a, o, key);

	for (size_t i = 0; i < v->n; i++)
		doc_append_str(a, arr, v->v[i]);
}

static void strings_or_null(struct arena *a, struct doc *o, const char *key, const struct strv *v)
{
	if (v->n)
		set_strings(a, o, key, v);
	else
		doc_set_null(a, o, key);
}

static void set_labels(struct arena *a, struct doc *o, const struct image_config *ic)
{
	struct doc *l;

	if (!ic->nlabels) {
		doc_set_null(a, o, "Labels");
		return;
	}
	l = doc_set_object(a, o, "Labels");
	for (size_t i = 0; i < ic->nlabels; i++)
		doc_set_str(a, l, ic->labels[i].key, ic->labels[i].value);
}

static unsigned used_by(struct call *c, const char *id)
{
	struct container *ct = NULL;
	unsigned n = 0;

	while ((ct = engine_container_next(c->e, ct)))
		n += strcmp(container_image_id(ct), id) == 0;
	return n;
}

/* ---- descriptors and the manifests of an index ---- */

static void set_descriptor(struct arena *a, struct doc *o, const char *media, const char *digest,
			   uint64_t size)
{
	struct doc *d = doc_set_object(a, o, "Descriptor");

	doc_set_str(a, d, "mediaType", media);
	doc_set_str(a, d, "digest", digest);
	doc_set_uint(a, d, "size", size);
}

static void set_platform(struct arena *a, struct doc *o, const char *key,
			 const struct image_platform *p)
{
	struct doc *d = doc_set_object(a, o, key);

	doc_set_str(a, d, "architecture", p->arch);
	doc_set_str(a, d, "os", p->os);
	if (*p->os_version)
		doc_set_str(a, d, "os.version", p->os_version);
	if (*p->variant)
		doc_set_str(a, d, "variant", p->variant);
}

static uint64_t unpacked_size(struct call *c, const char *id)
{
	CLEANUP(image_unref) struct image *img = NULL;
	struct err ignored = ERR_INIT; /* removed meanwhile */

	return id && image_resolve(engine_images(c->e), id, &img, &ignored) == 0 ? image_size(img)
										 : 0;
}

static void set_image_data(struct call *c, const struct image_platform *p, uint64_t unpacked,
			   struct doc *o)
{
	struct doc *d = doc_set_object(c->a, o, "ImageData"), *users;
	struct container *ct = NULL;

	set_platform(c->a, d, "Platform", p);
	users = doc_set_array(c->a, d, "Containers");
	while (p->id && (ct = engine_container_next(c->e, ct)))
		if (strcmp(container_image_id(ct), p->id) == 0)
			doc_append_str(c->a, users, container_id(ct));
	doc_set_uint(c->a, doc_set_object(c->a, d, "Size"), "Unpacked", unpacked);
}

static void manifest_row(struct call *c, const struct image_platform *p, struct doc *o)
{
	uint64_t unpacked = unpacked_size(c, p->id);
	struct doc *size;

	doc_set_str(c->a, o, "ID", p->digest);
	set_descriptor(c->a, o, p->media, p->digest, p->size);
	set_platform(c->a, doc_get(o, "Descriptor"), "platform", p);
	doc_set_bool(c->a, o, "Available", p->available);
	size = doc_set_object(c->a, o, "Size");
	doc_set_uint(c->a, size, "Content", p->content);
	doc_set_uint(c->a, size, "Total", p->content + unpacked);
	doc_set_str(c->a, o, "Kind", p->attests ? "attestation" : "image");
	if (p->attests)
		doc_set_str(c->a, doc_set_object(c->a, o, "AttestationData"), "For", p->attests);
	else
		set_image_data(c, p, unpacked, o);
}

/* What the image's names mean; with all that it names, if that is asked for. */
static int set_target(struct call *c, const struct image *img, bool manifests, struct doc *o,
		      struct err *err)
{
	struct image_means t;
	struct doc *arr;
	int r = image_means(engine_images(c->e), img, c->a, &t, err);

	if (r < 0)
		return r;
	if (c->minor >= 48)
		set_descriptor(c->a, o, t.media, t.digest, t.size);
	if (!manifests)
		return 0;
	arr = doc_set_array(c->a, o, "Manifests");
	for (size_t i = 0; i < t.n; i++)
		manifest_row(c, &t.v[i], doc_append_object(c->a, arr));
	return 0;
}

/* ---- list ---- */

struct image_filter {
	struct filters f;
	int64_t before, since, until; /* creation times; INT64_MIN/MAX = not asked */
	int dangling;		      /* -1 = both */
};

static int time_of(struct call *c, const struct filters *f, const char *key, int64_t absent,
		   int64_t *ret, struct err *err)
{
	CLEANUP(image_unref) struct image *img = NULL;
	const char *v = filters_nth(f, key, 0);
	int r;

	*ret = absent;
	if (!v)
		return 0;
	r = image_resolve(engine_images(c->e), v, &img, err);
	if (r == 0)
		*ret = image_created(img);
	return r;
}

static int read_filter(struct call *c, struct image_filter *f, struct err *err)
{
	static const char *const known[] = { "before", "dangling", "label", "reference",
					     "since",  "until",	   NULL };
	const char *until;
	int r;

	r = filters_parse(c, known, &f->f, err);
	if (r == 0)
		r = time_of(c, &f->f, "before", INT64_MAX, &f->before, err);
	if (r == 0)
		r = time_of(c, &f->f, "since", INT64_MIN, &f->since, err);
	if (r < 0)
		return r;
	f->until = INT64_MAX;
	until = filters_nth(&f->f, "until", 0);
	if (until && clock_parse_when(slice_str(until), clock_real(), &f->until, err) < 0)
		return filters_invalid("until", until, err);
	f->dangling = filters_bool(&f->f, "dangling", -1, err);
	return f->dangling < -1 ? f->dangling : 0;
}

/* Shell patterns against "repo:tag" or "repo", as docker's path.Match. */
static bool pattern_matches(const char *p, const char *s)
{
	while (*p) {
		if (*p == '*') {
			for (p++;; s++) {
				if (pattern_matches(p, s))
					return true;
				if (!*s || *s == '/')
					return false;
			}
		}
		if (!*s || (*p == '?' ? *s == '/' : *p != *s))
			return false;
		p++;
		s++;
	}
	return !*s;
}

/* "repo:tag" or "repo@digest", or the repository alone. */
static bool reference_matches(const struct filters *f, const char *tag)
{
	struct slice repo = slice_str(tag);
	char name[IMAGE_NAME_TEXT_MAX];
	const char *v, *colon = strchr(tag, '@');

	if (!colon)
		colon = strrchr(tag, ':');
	if (colon && !strchr(colon, '/'))
		repo.n = (size_t)(colon - tag);
	(void)snprintf(name, sizeof(name), "%.*s", (int)repo.n, repo.p);
	for (size_t i = 0; (v = filters_nth(f, "reference", i)); i++)
		if (strlen(v) < 512 && (pattern_matches(v, tag) || pattern_matches(v, name)))
			return true;
	return !filters_has(f, "reference");
}

static void keep_matching(struct call *c, const struct image_filter *f, struct strv *names)
{
	const char **kept = ARENA_ARRAY(c->a, const char *, names->n + 1);
	size_t n = 0;

	for (size_t i = 0; kept && i < names->n; i++)
		if (reference_matches(&f->f, names->v[i]))
			kept[n++] = names->v[i];
	*names = (struct strv){ kept, n };
}

static bool image_wanted(struct call *c, const struct image_filter *f, const struct image *img,
			 struct strv *tags, struct strv *digests)
{
	const struct image_config *ic = image_config(img);
	struct str_pair *pairs = ARENA_ARRAY(c->a, struct str_pair, ic->nlabels + 1);
	struct str_map labels = { pairs, pairs ? ic->nlabels : 0 };

	for (size_t i = 0; i < labels.n; i++)
		pairs[i] = (struct str_pair){ ic->labels[i].key, ic->labels[i].value };
	if (!filters_labels(&f->f, "label", &labels) || image_created(img) >= f->before ||
	    (f->since != INT64_MIN && image_created(img) <= f->since) ||
	    image_created(img) > f->until)
		return false;
	if (f->dangling >= 0 && (tags->n == 0) != (f->dangling == 1))
		return false;
	if (!filters_has(&f->f, "reference"))
		return true;
	keep_matching(c, f, tags);
	keep_matching(c, f, digests);
	return tags->n || digests->n;
}

static int image_row(struct call *c, const struct image *img, const struct strv *tags,
		     const struct strv *digests, struct doc *o, struct err *err)
{
	bool manifests = c->minor >= 47 && query_bool(&c->q, "manifests", false);
	int r = 0;

	static const char *const none[] = { "<none>:<none>" }, *const nodigest[] = {
		"<none>@<none>"
	};
	const struct strv untagged = { none, 1 }, undigested = { nodigest, 1 };
	struct arena *a = c->a;
	bool old = c->minor < 43 && tags->n == 0 && digests->n == 0;

	doc_set_int(a, o, "Containers", used_by(c, image_id(img)));
	doc_set_int(a, o, "Created",
		    image_created(img) == CLOCK_ZERO ? 0 : image_created(img) / NS_PER_SEC);
	doc_set_str(a, o, "Id", image_id(img));
	set_labels(a, o, image_config(img));
	doc_set_str(a, o, "ParentId", "");
	if (c->minor >= 48 || manifests)
		r = set_target(c, img, manifests, o, err);
	set_strings(a, o, "RepoDigests", old ? &undigested : digests);
	set_strings(a, o, "RepoTags", old ? &untagged : tags);
	doc_set_int(a, o, "SharedSize", -1);
	doc_set_uint(a, o, "Size", image_size(img));
	if (c->minor < 44)
		doc_set_uint(a, o, "VirtualSize", image_size(img));
	return r;
}

static int list_into(struct call *c, const struct image_filter *f, struct doc *arr, struct err *err)
{
	struct image **v;
	size_t n;
	int r;

	r = image_list(engine_images(c->e), c->a, &v, &n, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		struct strv tags, digests;

		if (r == 0)
			r = image_names(engine_images(c->e), v[i], c->a, &tags, &digests, err);
		/* One row for a name, as docker's: further platforms are in its manifests. */
		if (r == 0 && !image_is_further(engine_images(c->e), v[i]) &&
		    image_wanted(c, f, v[i], &tags, &digests))
			r = image_row(c, v[i], &tags, &digests, doc_append_object(c->a, arr), err);
		image_unref(v[i]);
	}
	return r;
}

void images_list(struct call *c)
{
	struct doc *arr = doc_new_array(c->a);
	struct image_filter f;
	struct err err = ERR_INIT;

	if (query_bool(&c->q, "shared-size", false)) {
		reply_fail(c, ERR_UNSUPPORTED, "the shared size of images is not supported yet");
		return;
	}
	if (read_filter(c, &f, &err) < 0 || list_into(c, &f, arr, &err) < 0) {
		reply_err(c, &err);
		return;
	}
	reply_doc(c, 200, arr);
}

/* ---- inspect ---- */

static void set_keys(struct arena *a, struct doc *o, const char *key, const struct strv *v)
{
	struct doc *m;

	if (!v->n)
		return;
	m = doc_set_object(a, o, key);
	for (size_t i = 0; i < v->n; i++)
		doc_set_object(a, m, v->v[i]);
}

static void set_config(struct call *c, const struct image_config *ic, struct doc *o)
{
	struct arena *a = c->a;

	if (c->minor < 50) { /* what belongs to containers only */
		doc_set_str(a, o, "Hostname", "");
		doc_set_str(a, o, "Domainname", "");
	}
	doc_set_str(a, o, "User", ic->user);
	if (c->minor < 50) {
		static const char *const flags[] = { "AttachStdin", "AttachStdout", "AttachStderr",
						     "Tty",	    "OpenStdin",    "StdinOnce" };

		for (size_t i = 0; i < ARRAY_LEN(flags); i++)
			doc_set_bool(a, o, flags[i], false);
	}
	set_keys(a, o, "ExposedPorts", &ic->ports);
	strings_or_null(a, o, "Env", &ic->env);
	strings_or_null(a, o, "Cmd", &ic->cmd);
	if (c->minor < 50)
		doc_set_str(a, o, "Image", "");
	if (ic->health.test.n)
		set_strings(a, doc_set_object(a, o, "Healthcheck"), "Test", &ic->health.test);
	set_keys(a, o, "Volumes", &ic->volumes);
	doc_set_str(a, o, "WorkingDir", ic->working_dir);
	strings_or_null(a, o, "Entrypoint", &ic->entrypoint);
	strings_or_null(a, o, "OnBuild", &ic->onbuild);
	set_labels(a, o, ic);
	if (*ic->stop_signal)
		doc_set_str(a, o, "StopSignal", ic->stop_signal);
	if (ic->shell.n)
		set_strings(a, o, "Shell", &ic->shell);
	if (ic->args_escaped)
		doc_set_bool(a, o, "ArgsEscaped", true);
}

static void set_layers(struct call *c, const struct image *img, struct doc *o)
{
	struct arena *a = c->a;
	struct doc *g = doc_set_object(a, o, "GraphDriver"), *data, *fs;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1u << 20);
	struct err ignored = ERR_INIT;
	struct strv dirs = { 0 };

	/* docker's drivers of whole trees tell nothing of theirs. */
	if (image_driver_is_whole(engine_images(c->e))) {
		doc_set_null(a, g, "Data");
		data = NULL;
	} else {
		data = doc_set_object(a, g, "Data");
	}
	if (data && image_lower_dirs(engine_images(c->e), img, a, &dirs, &ignored) == 0 && dirs.n) {
		for (size_t i = 1; i < dirs.n; i++)
			buf_addf(&b, "%s%s", i > 1 ? ":" : "", dirs.v[i]);
		if (b.n)
			doc_set_str(a, data, "LowerDir", buf_str(&b));
		doc_set_str(a, data, "UpperDir", dirs.v[0]);
	}
	doc_set_str(a, g, "Name", image_driver_name(engine_images(c->e)));
	fs = doc_set_object(a, o, "RootFS");
	doc_set_str(a, fs, "Type", "layers");
	set_strings(a, fs, "Layers", &image_config(img)->diff_ids);
}

void image_inspect(struct call *c)
{
	CLEANUP(image_unref) struct image *img = NULL;
	struct doc *o = doc_new_object(c->a);
	struct arena *a = c->a;
	const struct image_config *ic;
	struct strv tags, digests;
	struct err err = ERR_INIT;
	bool manifests;

	manifests = c->minor >= 48 && query_bool(&c->q, "manifests", false);
	if (manifests && query_get(&c->q, "platform") && *query_get(&c->q, "platform")) {
		reply_fail(
			c, ERR_BAD_REQUEST,
			"conflicting options: manifests and platform options cannot both be set");
		return;
	}
	if (call_image_platform(c, 49, &img) < 0)
		return;
	ic = image_config(img);
	if (image_names(engine_images(c->e), img, a, &tags, &digests, &err) < 0) {
		reply_err(c, &err);
		return;
	}
	doc_set_str(a, o, "Id", image_id(img));
	set_strings(a, o, "RepoTags", &tags);
	set_strings(a, o, "RepoDigests", &digests);
	doc_set_str(a, o, "Parent", "");
	doc_set_str(a, o, "Comment", ic->nhistory ? ic->history[ic->nhistory - 1].comment : "");
	if (*ic->created)
		doc_set_str(a, o, "Created", ic->created);
	doc_set_str(a, o, "DockerVersion", ic->docker_version);
	doc_set_str(a, o, "Author", ic->author);
	set_config(c, ic, doc_set_object(a, o, "Config"));
	doc_set_str(a, o, "Architecture", ic->architecture);
	if (*ic->variant)
		doc_set_str(a, o, "Variant", ic->variant);
	doc_set_str(a, o, "Os", ic->os);
	if (*ic->os_version)
		doc_set_str(a, o, "OsVersion", ic->os_version);
	doc_set_uint(a, o, "Size", image_size(img));
	if (c->minor < 44)
		doc_set_uint(a, o, "VirtualSize", image_size(img));
	set_layers(c, img, o);
	show_time(a, doc_set_object(a, o, "Metadata"), "LastTagTime",
		  tags.n ? image_tagged_at(img) : CLOCK_ZERO);
	if (c->minor >= 48 && set_target(c, img, manifests, o, &err) < 0) {
		reply_err(c, &err);
		return;
	}
	reply_doc(c, 200, o);
}

void image_history(struct call *c)
{
	CLEANUP(image_unref) struct image *img = NULL;
	struct doc *arr = doc_new_array(c->a);
	struct arena *a = c->a;
	const struct image_config *ic;
	struct strv tags, digests;
	uint64_t *sizes;
	size_t layer;
	struct err err = ERR_INIT;

	if (call_image_platform(c, 48, &img) < 0)
		return;
	if (image_names(engine_images(c->e), img, a, &tags, &digests, &err) < 0) {
		reply_err(c, &err);
		return;
	}
	ic = image_config(img);
	sizes = ARENA_ARRAY(a, uint64_t, ic->diff_ids.n + 1);
	if (!sizes || image_layer_sizes(engine_images(c->e), img, sizes, &err) < 0) {
		reply_err(c, &err);
		return;
	}
	layer = ic->diff_ids.n;
	for (size_t i = ic->nhistory; i-- > 0;) {
		struct doc *o = doc_append_object(a, arr);
		const struct image_history *h = &ic->history[i];
		bool top = i + 1 == ic->nhistory;
		int64_t t = 0;

		if (*h->created && clock_parse_rfc3339(slice_str(h->created), &t, &err) == 0 &&
		    t != CLOCK_ZERO)
			t /= NS_PER_SEC;
		else
			t = 0;
		doc_set_str(a, o, "Comment", h->comment);
		doc_set_int(a, o, "Created", t);
		doc_set_str(a, o, "CreatedBy", h->created_by);
		doc_set_str(a, o, "Id", top ? image_id(img) : "<missing>");
		/* Rows beyond the layers there are come from a config that lies. */
		doc_set_uint(a, o, "Size", !h->empty_layer && layer ? sizes[--layer] : 0);
		if (top && tags.n)
			set_strings(a, o, "Tags", &tags);
		else
			doc_set_null(a, o, "Tags");
	}
	reply_doc(c, 200, arr);
}

/* ---- tag, remove ---- */

struct tagging {
	struct call *c;
	const char *id, *target;
};

static void tagged(void *ctx, int result, const struct err *err)
{
	struct tagging *t = ctx;
	struct event_attr attr = { "name", t->target };

	if (result < 0) {
		reply_err(t->c, err);
	} else {
		engine_event(t->c->e, "image", "tag", t->id, &attr, 1);
		reply_none(t->c, 201);
	}
	stream_unref(t->c->s);
}

void image_tag_handle(struct call *c)
{
	const char *repo = query_get(&c->q, "repo"), *tag = query_get(&c->q, "tag");
	struct tagging *t = ARENA_NEW(c->a, struct tagging);
	CLEANUP(image_unref) struct image *img = NULL;

	if (call_image(c, &img) < 0)
		return;
	if (!repo || !*repo) {
		reply_fail(c, ERR_BAD_REQUEST, "repository name must not be empty");
		return;
	}
	*t = (struct tagging){ c, arena_strdup(c->a, image_id(img)), arena_strdup(c->a, repo) };
	if (tag && *tag)
		t->target = arena_printf(c->a, "%s:%s", repo, tag);
	stream_ref(c->s);
	image_tag(engine_images(c->e), route_param(c->m, "name"), t->target, tagged, t);
}

static void removed(void *ctx, int result, const struct image_removal *rm, const struct err *err)
{
	struct call *c = ctx;
	struct doc *arr = doc_new_array(c->a);

	if (result < 0) {
		reply_err(c, err);
		stream_unref(c->s);
		return;
	}
	for (unsigned i = 0; i < rm->nuntagged; i++) {
		struct event_attr attr = { "name", rm->untagged[i] };

		doc_set_str(c->a, doc_append_object(c->a, arr), "Untagged", rm->untagged[i]);
		engine_event(c->e, "image", "untag", c->ref, &attr, 1);
	}
	for (unsigned i = 0; i < rm->ndeleted; i++)
		doc_set_str(c->a, doc_append_object(c->a, arr), "Deleted", rm->deleted[i]);
	if (rm->ndeleted) {
		struct event_attr attr = { "name", c->ref };

		engine_event(c->e, "image", "delete", c->ref, &attr, 1);
	}
	reply_doc(c, 200, arr);
	stream_unref(c->s);
}

/* docker's rule: a container that runs holds the image; one that has ended only without force. */
static int check_users(struct call *c, const char *image, bool force, bool by_id)
{
	struct container *ct = NULL;

	while ((ct = engine_container_next(c->e, ct))) {
		enum container_status st = container_get_state(ct)->status;
		bool runs = st == CT_RUNNING || st == CT_PAUSED || st == CT_RESTARTING;

		if (strcmp(container_image_id(ct), image) != 0 || (force && !runs))
			continue;
		reply_fail(c, ERR_CONFLICT,
			   by_id ? "conflict: unable to delete %.12s (%s) - image is being used by "
				   "%s container %.12s"
				 : "conflict: unable to remove repository reference \"%s\" (%s) - "
				   "%s container %.12s is using its referenced image",
			   by_id ? image + 7 : route_param(c->m, "name"),
			   runs ? "cannot be forced" : "must be forced",
			   runs ? "running" : "stopped", container_id(ct));
		return -ERR_CONFLICT;
	}
	return 0;
}

/* Of the platforms asked for, their images; else all that go with the name. */
static int going(struct call *c, const struct strv *platforms, struct strv *ret, struct err *err)
{
	const char *name = route_param(c->m, "name");
	const char **v;
	int r = 0;

	if (!platforms->n)
		return image_meant(engine_images(c->e), name, c->a, ret, err);
	v = ARENA_ARRAY(c->a, const char *, platforms->n);
	if (!v)
		return arena_quota(c->a, err);
	for (size_t i = 0; i < platforms->n && r >= 0; i++) {
		CLEANUP(image_unref) struct image *img = NULL;

		r = image_resolve_platform(engine_images(c->e), name, platforms->v[i], &img, err);
		v[i] = r < 0 ? NULL : arena_strdup(c->a, image_id(img));
	}
	*ret = (struct strv){ v, platforms->n };
	return r < 0 ? r : arena_exceeded(c->a) ? arena_quota(c->a, err) : 0;
}

void image_delete(struct call *c)
{
	CLEANUP(image_unref) struct image *img = NULL;
	const char *name = route_param(c->m, "name");
	bool force = query_bool(&c->q, "force", false), by_id;
	struct strv tags, digests, platforms = { 0 }, ids;
	struct err err = ERR_INIT;
	const char *id;

	if (call_image(c, &img) < 0)
		return;
	if (image_names(engine_images(c->e), img, c->a, &tags, &digests, &err) < 0 ||
	    call_platforms(c, "platforms", &platforms, &err) < 0 ||
	    going(c, &platforms, &ids, &err) < 0) {
		reply_err(c, &err);
		return;
	}
	id = image_id(img) + strlen("sha256:");
	by_id = strncmp(name, "sha256:", 7) == 0 || strncmp(id, name, strlen(name)) == 0;
	if (by_id || tags.n <= 1 || platforms.n) /* else only a name goes */
		for (size_t i = 0; i < ids.n; i++)
			if (check_users(c, ids.v[i], force, by_id) < 0)
				return;
	c->ref = arena_strdup(c->a, image_id(img));
	stream_ref(c->s);
	image_remove(engine_images(c->e), name, &platforms, force, removed, c);
}
