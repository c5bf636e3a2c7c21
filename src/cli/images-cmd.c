/* SPDX-License-Identifier: Apache-2.0 */
/* `teu images`, `history`, `tag`, `rmi`. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "cli/cli.h"
#include "cli/cmds.h"
#include "cli/human.h"
#include "cli/view.h"
#include "doc/doc.h"
#include "dockerclient/dockerclient.h"

#define CREATED_BY_WIDTH 45

/* A list that the engine gives, as rows of a view. */
static int list_rows(struct cmd_call *call, const char *target, const struct view *v,
		     const char *format,
		     int (*rows)(struct cmd_call *call, const struct doc *d, struct view_print *p,
				 struct err *err),
		     struct err *err)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(CLI_OUT_MAX);
	struct docker_client *c;
	struct view_print p;
	struct doc *list;
	int r;

	r = view_begin(&p, call->arena, v, format, err);
	if (r == 0)
		r = cli_client(call, &c, err);
	if (r == 0)
		r = docker_get(c, call->arena, target, &list, err);
	for (size_t i = 0; r >= 0 && i < doc_len(list); i++)
		r = rows(call, doc_at(list, i), &p, err);
	view_end(&p, r < 0 ? NULL : &out);
	return r < 0 ? r : cli_write(1, &out, err);
}

static void put_times(struct arena *a, struct doc *row, int64_t created)
{
	char text[HUMAN_MAX];

	doc_set_str(a, row, "CreatedAt", human_stamp(text, created * NS_PER_SEC));
	doc_set_strf(a, row, "CreatedSince", "%s ago",
		     human_duration(text, MAX(clock_real() - created * NS_PER_SEC, 0)));
}

/* ---- images ---- */

struct images_opts {
	bool all, digests, no_trunc, quiet;
	const char *format;
	struct opt_list filters;
};

static const struct opt images_opts[] = {
	OPT(struct images_opts, BOOL, all, "all", 'a', "Show all images, also those in between"),
	OPT(struct images_opts, BOOL, digests, "digests", 0, "Show digests"),
	OPT(struct images_opts, LIST, filters, "filter", 'f', "Show those that match (name=value)"),
	OPT(struct images_opts, STR, format, "format", 0,
	    "Print in this form (table, json, TEMPLATE)"),
	OPT(struct images_opts, BOOL, no_trunc, "no-trunc", 0, "Cut nothing short"),
	OPT(struct images_opts, BOOL, quiet, "quiet", 'q', "Only IDs"),
	OPT_NOT_SUPPORTED(
		BOOL, "tree", 0,
		"platforms are not drawn as a tree; GET /images/json?manifests=1 tells them"),
	OPT_END
};

static const struct view_field image_fields[] = {
	{ "Repository", "REPOSITORY" },
	{ "Tag", "TAG" },
	{ "Digest", "DIGEST" },
	{ "ID", "IMAGE ID" },
	{ "CreatedSince", "CREATED" },
	{ "CreatedAt", "CREATED AT" },
	{ "Size", "SIZE" },
	{ "Containers", "CONTAINERS" },
	{ "SharedSize", "SHARED SIZE" },
	{ "UniqueSize", "UNIQUE SIZE" },
	{ "VirtualSize", "SIZE" },
};
static const struct view images_view = {
	image_fields, ARRAY_LEN(image_fields),
	"{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"
};
static const struct view digests_view = {
	image_fields, ARRAY_LEN(image_fields),
	"{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"
};

/* "repo:tag", the colon behind the last slash. */
static void split_tag(struct slice ref, struct slice *ret_repo, struct slice *ret_tag)
{
	size_t n = ref.n;

	while (n && ref.p[n - 1] != ':' && ref.p[n - 1] != '/')
		n--;
	*ret_repo = ref;
	*ret_tag = SLICE("<none>");
	if (n && ref.p[n - 1] == ':') {
		*ret_repo = slice_of(ref.p, n - 1);
		*ret_tag = slice_of(ref.p + n, ref.n - n);
	}
}

static struct slice digest_for(const struct doc *d, struct slice repo)
{
	DOC_EACH (it, doc_get(d, "RepoDigests")) {
		struct slice digest = doc_slice(it), name = slice_split(&digest, '@');

		if (digest.p && (slice_eq(name, repo) || slice_is(repo, "<none>")))
			return digest;
	}
	return SLICE("<none>");
}

static int image_row(struct cmd_call *call, const struct doc *d, struct slice ref,
		     struct view_print *p, struct err *err)
{
	const struct images_opts *o = call->opts;
	struct arena *a = call->arena;
	struct doc *row = doc_new_object(a);
	struct slice repo, tag, digest;
	char text[HUMAN_MAX];

	split_tag(ref, &repo, &tag);
	digest = digest_for(d, repo);
	doc_set_strn(a, row, "Repository", repo.p, repo.n);
	doc_set_strn(a, row, "Tag", tag.p, tag.n);
	doc_set_strn(a, row, "Digest", digest.p, digest.n);
	doc_set_str(a, row, "ID",
		    o->no_trunc ? cli_text(a, d, "Id")
				: cli_short_id(a, doc_slice(doc_get(d, "Id"))));
	put_times(a, row, cli_int(d, "Created"));
	doc_set_str(a, row, "Size", human_size(text, (uint64_t)cli_int(d, "Size")));
	doc_set_str(a, row, "VirtualSize", text);
	doc_set_str(a, row, "Containers", "N/A");
	doc_set_str(a, row, "SharedSize", "N/A");
	doc_set_str(a, row, "UniqueSize", "N/A");
	return view_row(p, row, err);
}

/* One row for each name; one alone when an image has none. */
static int image_rows(struct cmd_call *call, const struct doc *d, struct view_print *p,
		      struct err *err)
{
	const struct images_opts *o = call->opts;
	const struct doc *tags = doc_get(d, "RepoTags");
	int r = 0;

	if (!doc_len(tags) || (o->quiet && !o->format))
		return image_row(call, d, SLICE("<none>:<none>"), p, err);
	for (size_t i = 0; i < doc_len(tags) && r == 0; i++)
		r = image_row(call, d, doc_slice(doc_at(tags, i)), p, err);
	return r;
}

static int images_run(struct cmd_call *call, struct err *err)
{
	struct images_opts *o = call->opts;
	const char *filters, *reference;

	if (call->nargs) {
		struct opt_list with = { ARENA_ARRAY(call->arena, const char *, o->filters.n + 1),
					 0 };

		reference = arena_printf(call->arena, "reference=%s", call->args[0]);
		if (!with.v || !reference)
			return arena_quota(call->arena, err);
		for (size_t i = 0; i < o->filters.n; i++)
			with.v[with.n++] = o->filters.v[i];
		with.v[with.n++] = reference;
		o->filters = with;
	}
	if (cli_filters(call->arena, &o->filters, &filters, err) < 0)
		return err_ret(err);
	return list_rows(call,
			 docker_target(call->arena, "/images/json", "all", o->all ? "1" : NULL,
				       "filters", filters, NULL),
			 o->digests ? &digests_view : &images_view,
			 o->quiet && !o->format ? "{{.ID}}" : o->format, image_rows, err);
}

/* ---- history ---- */

struct history_opts {
	const char *format;
	bool human, has_human, no_trunc, quiet;
	struct opt_list platforms;
};

static const struct opt history_opts[] = {
	OPT(struct history_opts, STR, format, "format", 0,
	    "Print in this form (table, json, TEMPLATE)"),
	OPT_SEEN_AT(struct history_opts, BOOL, human, has_human, "human", 'H',
		    "Sizes and times for people (true)"),
	OPT(struct history_opts, BOOL, no_trunc, "no-trunc", 0, "Cut nothing short"),
	OPT(struct history_opts, LIST, platforms, "platform", 0,
	    "Of the image for OS/ARCH[/VARIANT]"),
	OPT(struct history_opts, BOOL, quiet, "quiet", 'q', "Only IDs"),
	OPT_END
};

static const struct view_field history_fields[] = {
	{ "ID", "IMAGE" },
	{ "CreatedSince", "CREATED" },
	{ "CreatedAt", "CREATED AT" },
	{ "CreatedBy", "CREATED BY" },
	{ "Size", "SIZE" },
	{ "Comment", "COMMENT" },
};
static const struct view history_view = {
	history_fields, ARRAY_LEN(history_fields),
	"{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}"
};
static const struct view history_exact = {
	history_fields, ARRAY_LEN(history_fields),
	"{{.ID}}\t{{.CreatedAt}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}"
};

/* Tabs and line breaks would break the table. */
static const char *flat(struct arena *a, const char *s, size_t width)
{
	char *copy = arena_strdup(a, s);

	for (char *c = copy; c && *c; c++)
		if (*c == '\t' || *c == '\n' || *c == '\r')
			*c = ' ';
	if (!copy || !width || strlen(copy) <= width)
		return copy;
	return arena_printf(a, "%.*s…", (int)width - 1, copy);
}

static int history_row(struct cmd_call *call, const struct doc *d, struct view_print *p,
		       struct err *err)
{
	const struct history_opts *o = call->opts;
	struct arena *a = call->arena;
	struct doc *row = doc_new_object(a);
	struct slice id = doc_slice(doc_get(d, "Id"));
	bool human = !o->has_human || o->human;
	uint64_t size = (uint64_t)cli_int(d, "Size");
	char text[HUMAN_MAX];

	doc_set_str(a, row, "ID",
		    o->no_trunc || slice_is(id, "<missing>") ? cli_text(a, d, "Id")
							     : cli_short_id(a, id));
	put_times(a, row, cli_int(d, "Created"));
	if (!human) {
		int64_t ns = cli_int(d, "Created") * NS_PER_SEC;
		char stamp[CLOCK_TEXT_MAX];

		doc_set_str(a, row, "CreatedAt", clock_rfc3339nano(stamp, ns));
	}
	doc_set_str(a, row, "CreatedBy",
		    flat(a, cli_text(a, d, "CreatedBy"), o->no_trunc ? 0 : CREATED_BY_WIDTH));
	if (human)
		doc_set_str(a, row, "Size", human_size(text, size));
	else
		doc_set_strf(a, row, "Size", "%llu", (unsigned long long)size);
	doc_set_str(a, row, "Comment", flat(a, cli_text(a, d, "Comment"), 0));
	return view_row(p, row, err);
}

static int history_run(struct cmd_call *call, struct err *err)
{
	const struct history_opts *o = call->opts;
	const char *target = docker_target(call->arena, "/images/%/history", call->args[0], NULL);

	if (cli_add_platforms(call->arena, "platform", &o->platforms, &target, err) < 0)
		return err_ret(err);
	return list_rows(call, target, o->has_human && !o->human ? &history_exact : &history_view,
			 o->quiet && !o->format ? "{{.ID}}" : o->format, history_row, err);
}

/* ---- tag, rmi ---- */

static int tag_run(struct cmd_call *call, struct err *err)
{
	struct arena *a = call->arena;
	struct slice repo, tag, ref = slice_str(call->args[1]);
	struct docker_client *c;
	const char *tag_text = NULL;
	int r;

	split_tag(ref, &repo, &tag);
	if (repo.n != ref.n)
		tag_text = arena_strndup(a, tag.p, tag.n);
	r = cli_client(call, &c, err);
	if (r == 0)
		r = docker_post(c, a,
				docker_target(a, "/images/%/tag", call->args[0], "repo",
					      arena_strndup(a, repo.p, repo.n), "tag", tag_text,
					      NULL),
				NULL, NULL, err);
	return r < 0 ? r : 0;
}

struct rmi_opts {
	bool force, no_prune;
	struct opt_list platforms;
};

static const struct opt rmi_opts[] = {
	OPT(struct rmi_opts, BOOL, force, "force", 'f', "Remove it although it is used"),
	OPT(struct rmi_opts, BOOL, no_prune, "no-prune", 0, "Keep parents without a name"),
	OPT(struct rmi_opts, LIST, platforms, "platform", 0,
	    "Only the images for these, OS/ARCH[/VARIANT]"),
	OPT_END
};

static int rmi_one(struct cmd_call *call, const char *ref, struct err *err)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(CLI_OUT_MAX);
	const struct rmi_opts *o = call->opts;
	struct arena *a = call->arena;
	struct docker_request rq = {
		.method = "DELETE",
		.target = docker_target(a, "/images/%", ref, "force", o->force ? "1" : NULL,
					"noprune", o->no_prune ? "1" : NULL, NULL),
	};
	struct docker_client *c;
	struct doc *done;
	int r;

	r = cli_add_platforms(a, "platforms", &o->platforms, &rq.target, err);
	if (r == 0)
		r = cli_client(call, &c, err);
	if (r == 0)
		r = docker_call(c, a, &rq, &done, err);
	if (r < 0)
		return r;
	DOC_EACH (it, done) {
		DOC_EACH_MEMBER (k, v, it)
			buf_addf(&out, "%.*s: %.*s\n", (int)k->n, k->s, (int)doc_slice(v).n,
				 doc_slice(v).p);
	}
	return cli_write(1, &out, err);
}

static int rmi_run(struct cmd_call *call, struct err *err)
{
	(void)err; /* each argument reports its own */
	return cli_each(call, false, rmi_one);
}

static const char *const images_names[] = { "image ls", "image list", NULL };
static const char *const history_names[] = { "image history", NULL };
static const char *const tag_names[] = { "image tag", NULL };
static const char *const rmi_names[] = { "image rm", "image remove", NULL };

const struct cmd cmd_images = {
	.path = "images",
	.aliases = images_names,
	.args = "[OPTIONS] [REPOSITORY[:TAG]]",
	.help = "List images",
	.opts = images_opts,
	.opts_size = sizeof(struct images_opts),
	.max = 1,
	.flags = CMD_NEEDS_ENGINE,
	.group = CLI_IMAGES,
	.run = images_run,
};

const struct cmd cmd_history = {
	.path = "history",
	.aliases = history_names,
	.args = "[OPTIONS] IMAGE",
	.help = "Show how an image was made",
	.opts = history_opts,
	.opts_size = sizeof(struct history_opts),
	.min = 1,
	.max = 1,
	.flags = CMD_NEEDS_ENGINE,
	.group = CLI_IMAGES,
	.run = history_run,
};

const struct cmd cmd_tag = {
	.path = "tag",
	.aliases = tag_names,
	.args = "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
	.help = "Give an image another name",
	.min = 2,
	.max = 2,
	.flags = CMD_NEEDS_ENGINE,
	.group = CLI_IMAGES,
	.run = tag_run,
};

const struct cmd cmd_rmi = {
	.path = "rmi",
	.aliases = rmi_names,
	.args = "[OPTIONS] IMAGE [IMAGE...]",
	.help = "Remove images",
	.opts = rmi_opts,
	.opts_size = sizeof(struct rmi_opts),
	.min = 1,
	.max = UINT8_MAX,
	.flags = CMD_NEEDS_ENGINE,
	.group = CLI_IMAGES,
	.run = rmi_run,
};
