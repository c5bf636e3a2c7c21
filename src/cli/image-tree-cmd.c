/* SPDX-License-Identifier: Apache-2.0 */
/* `teu image tree` and `teu image waste`: what layers bring, and what of it nobody sees. */
#include "base/arena.h"
#include "base/err.h"
#include "cli/cli.h"
#include "cli/cmds.h"
#include "cli/human.h"
#include "cli/image-place.h"
#include "cli/progress.h"
#include "doc/json.h"
#include "image/layer-tree.h"

#include <stdio.h>
#include <string.h>

#define ARENA_MAX ((size_t)2 << 30)
#define COMMAND_WIDTH 60
#define WASTES_SHOWN 20

struct tree_opts {
	struct image_access acc;
	const char *platform, *format;
	int64_t layer, top;
	bool layer_given, top_given, no_trunc, ci;
	double lowest, user_percent;
	bool lowest_given, user_given;
	int64_t bytes;
	bool bytes_given;
};

static const char *const formats[] = { "table", "json", NULL };

#define COMMON_OPTS                                                           \
	IMAGE_ACCESS_OPTS(struct tree_opts, acc, ""),                         \
		OPT(struct tree_opts, STR, acc.authfile, "authfile", 0,       \
		    "Credentials in this file, not in docker's config.json"), \
		OPT_CHOICE(struct tree_opts, format, "format", 0, formats,    \
			   "Print a table or json"),                          \
		OPT(struct tree_opts, STR, platform, "platform", 0,           \
		    "Of an index the image for OS/ARCH[/VARIANT]")

static bool is_json(const struct tree_opts *o)
{
	return o->format && strcmp(o->format, "json") == 0;
}

static void on_layer(void *ctx, size_t i, size_t n)
{
	struct progress *bar = ctx;

	bar->total = (int64_t)n;
	progress_add(bar, i ? 1 : 0);
}

static int read_tree(struct cmd_call *call, struct arena *a, struct image_tree *ret,
		     struct err *err)
{
	CLEANUP(image_work_end) struct image_work w = { 0 };
	CLEANUP(place_free) struct place *p = NULL;
	CLEANUP(progress_end) struct progress bar = { 0 };
	const struct tree_opts *o = call->opts;
	const struct tree_options to = { .platform = o->platform, .told = on_layer, .ctx = &bar };
	int r;

	r = image_work_begin(&w, call, true, err);
	if (r >= 0)
		r = image_read_place(&w, call->args[0], true, &o->acc, &p, err);
	progress_begin(&bar, "Reading layers", 0, r >= 0);
	if (r >= 0)
		r = image_tree_read(p, &to, a, ret, err);
	return r < 0 ? err_wrap(err, "image '%.300s'", call->args[0]) : 0;
}

/* Without line breaks and the words that every row has. */
static const char *command_text(struct arena *a, const char *command, bool whole)
{
	const char *begin =
		strncmp(command, "/bin/sh -c #(nop) ", 18) == 0 ? command + 18 : command;
	size_t n = strlen(begin), max = whole ? n : COMMAND_WIDTH;
	char *s = arena_printf(a, "%.*s%s", (int)MIN(n, max), begin, n > max ? "..." : "");

	for (char *c = s; s && *c; c++)
		if ((unsigned char)*c < 32 || *c == 127)
			*c = ' ';
	return s ? s : "";
}

/* A path that a terminal may be shown. */
static void add_path(struct buf *out, const char *path)
{
	for (; *path; path++)
		if ((unsigned char)*path < 32 || *path == 127)
			buf_addf(out, "\\x%02x", (unsigned char)*path);
		else
			buf_addc(out, *path);
}

/* ---- tree ---- */

static void files_json(struct arena *a, const struct tree_layer *l, struct doc *d)
{
	struct doc *list = doc_set_array(a, d, "files");

	for (const struct tree_file *f = l->files; f; f = f->next) {
		struct doc *one = doc_append_object(a, list);

		doc_set_strn(a, one, "change", &f->change, 1);
		doc_set_strn(a, one, "type", &f->type, 1);
		doc_set_uint(a, one, "size", f->size);
		doc_set_str(a, one, "path", f->path);
	}
}

static int tree_json(struct cmd_call *call, struct arena *a, const struct image_tree *t,
		     struct buf *out, struct err *err)
{
	const struct tree_opts *o = call->opts;
	struct doc *d = doc_new_object(a), *list = doc_set_array(a, d, "layers");

	for (size_t i = 0; i < t->n; i++) {
		const struct tree_layer *l = &t->layers[i];
		struct doc *one;

		if (o->layer_given && (int64_t)i != o->layer)
			continue;
		one = doc_append_object(a, list);
		doc_set_uint(a, one, "index", i);
		doc_set_str(a, one, "digest", l->digest);
		doc_set_str(a, one, "mediaType", l->media);
		doc_set_str(a, one, "command", l->command);
		doc_set_uint(a, one, "packed", l->packed);
		doc_set_uint(a, one, "size", l->bytes);
		doc_set_uint(a, one, "added", l->added);
		doc_set_uint(a, one, "changed", l->changed);
		doc_set_uint(a, one, "removed", l->removed);
		if (o->layer_given)
			files_json(a, l, one);
	}
	doc_set_uint(a, d, "size", t->bytes);
	return arena_exceeded(a) ? arena_quota(a, err) : json_write(d, NULL, out, err);
}

static void tree_table(struct cmd_call *call, const struct image_tree *t, struct buf *out)
{
	const struct tree_opts *o = call->opts;
	char size[HUMAN_MAX];

	buf_addf(out, "%-6s %-10s %7s %7s %7s  %s\n", "LAYER", "SIZE", "ADDED", "CHANGED",
		 "REMOVED", "COMMAND");
	for (size_t i = 0; i < t->n; i++) {
		const struct tree_layer *l = &t->layers[i];

		buf_addf(out, "%-6zu %-10s %7llu %7llu %7llu  %s\n", i, human_size(size, l->bytes),
			 (unsigned long long)l->added, (unsigned long long)l->changed,
			 (unsigned long long)l->removed,
			 command_text(call->arena, l->command, o->no_trunc));
	}
}

static void layer_table(const struct tree_layer *l, struct buf *out)
{
	char size[HUMAN_MAX];

	for (const struct tree_file *f = l->files; f; f = f->next) {
		buf_addf(out, "%c %c %10s ", f->change, f->type, human_size(size, f->size));
		add_path(out, f->path);
		buf_addc(out, '\n');
	}
}

static int tree_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("tree of an image", ARENA_MAX);
	CLEANUP(buf_fini) struct buf out = BUF_INIT(CLI_OUT_MAX);
	const struct tree_opts *o = call->opts;
	struct image_tree t;
	int r;

	r = read_tree(call, a, &t, err);
	if (r < 0)
		return r;
	if (o->layer_given && (o->layer < 0 || (uint64_t)o->layer >= t.n))
		return err_set(err, ERR_NOT_FOUND, "the image has layers 0 to %zu, no layer %lld",
			       t.n ? t.n - 1 : 0, (long long)o->layer);
	if (is_json(o)) {
		r = tree_json(call, a, &t, &out, err);
		buf_addc(&out, '\n');
	} else if (o->layer_given) {
		layer_table(&t.layers[o->layer], &out);
	} else {
		tree_table(call, &t, &out);
	}
	return r < 0 ? r : cli_write(1, &out, err);
}

static const struct opt tree_opts[] = {
	COMMON_OPTS,
	OPT_SEEN_AT(struct tree_opts, INT, layer, layer_given, "layer", 0,
		    "List the files of this layer (from 0)"),
	OPT(struct tree_opts, BOOL, no_trunc, "no-trunc", 0, "Cut nothing short"), OPT_END
};

const struct cmd cmd_image_tree = {
	.path = "image tree",
	.args = "[OPTIONS] IMAGE|PLACE",
	.help = "Show what each layer of an image adds, changes and removes",
	.opts = tree_opts,
	.opts_size = sizeof(struct tree_opts),
	.min = 1,
	.max = 1,
	.group = CLI_IMAGES,
	.run = tree_run,
};

/* ---- waste ---- */

static double user_share(const struct image_tree *t)
{
	return t->user ? (double)t->wasted / (double)t->user : 0;
}

struct rule {
	const char *name;
	bool on, ok;
	double is, limit;
};

/* The rules and their defaults are dive's. */
static void judge(const struct tree_opts *o, const struct image_tree *t, struct rule rules[3])
{
	const double lowest = o->lowest_given ? o->lowest : 0.9,
		     user = o->user_given ? o->user_percent : 0.1,
		     efficiency = image_tree_efficiency(t);

	rules[0] =
		(struct rule){ "lowestEfficiency", true, efficiency >= lowest, efficiency, lowest };
	rules[1] = (struct rule){ "highestWastedBytes", o->bytes_given,
				  !o->bytes_given || t->wasted <= (uint64_t)o->bytes,
				  (double)t->wasted, (double)o->bytes };
	rules[2] = (struct rule){ "highestUserWastedPercent", true, user_share(t) <= user,
				  user_share(t), user };
}

static int waste_json(const struct tree_opts *o, struct arena *a, const struct image_tree *t,
		      const struct rule *rules, struct buf *out, struct err *err)
{
	struct doc *d = doc_new_object(a), *list, *one;

	doc_set(a, d, "efficiency", doc_num(a, image_tree_efficiency(t)));
	doc_set_uint(a, d, "size", t->bytes);
	doc_set_uint(a, d, "wastedBytes", t->wasted);
	doc_set(a, d, "userWastedPercent", doc_num(a, user_share(t)));
	list = doc_set_array(a, d, "files");
	for (size_t i = 0; i < t->nwastes; i++) {
		one = doc_append_object(a, list);
		doc_set_uint(a, one, "wastedBytes", t->wastes[i].bytes);
		doc_set_uint(a, one, "times", t->wastes[i].times);
		doc_set_str(a, one, "path", t->wastes[i].path);
	}
	list = o->ci ? doc_set_array(a, d, "rules") : NULL;
	for (size_t i = 0; o->ci && i < 3; i++) {
		one = doc_append_object(a, list);
		doc_set_str(a, one, "rule", rules[i].name);
		doc_set_str(a, one, "result",
			    !rules[i].on  ? "skip"
			    : rules[i].ok ? "pass"
					  : "fail");
	}
	return arena_exceeded(a) ? arena_quota(a, err) : json_write(d, NULL, out, err);
}

static void waste_table(const struct tree_opts *o, const struct image_tree *t,
			const struct rule *rules, struct buf *out)
{
	size_t max = o->top_given ? (size_t)o->top : WASTES_SHOWN;
	char size[HUMAN_MAX], wasted[HUMAN_MAX];

	buf_addf(out,
		 "Efficiency: %.4f %%\nWasted: %s of %s (%.2f %% of all but the first layer)\n",
		 image_tree_efficiency(t) * 100, human_size(wasted, t->wasted),
		 human_size(size, t->bytes), user_share(t) * 100);
	if (t->nwastes)
		buf_addf(out, "%-6s %-10s %s\n", "TIMES", "WASTED", "PATH");
	for (size_t i = 0; i < t->nwastes && i < max; i++) {
		buf_addf(out, "%-6u %-10s ", t->wastes[i].times,
			 human_size(size, t->wastes[i].bytes));
		add_path(out, t->wastes[i].path);
		buf_addc(out, '\n');
	}
	if (t->nwastes > max)
		buf_addf(out, "... and %zu more\n", t->nwastes - max);
	for (size_t i = 0; o->ci && i < 3; i++)
		buf_addf(out, "%s: %s (%.4g, limit %.4g)\n",
			 !rules[i].on  ? "SKIP"
			 : rules[i].ok ? "PASS"
				       : "FAIL",
			 rules[i].name, rules[i].is, rules[i].limit);
}

static int waste_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("tree of an image", ARENA_MAX);
	CLEANUP(buf_fini) struct buf out = BUF_INIT(CLI_OUT_MAX);
	const struct tree_opts *o = call->opts;
	struct rule rules[3];
	struct image_tree t;
	int r;

	if (o->top < 0 || o->lowest < 0 || o->lowest > 1 || o->user_percent < 0)
		return err_set(err, ERR_INVALID,
			       "--lowestEfficiency is 0 to 1, --top and --highestUserWastedPercent "
			       "are not negative");
	if (!o->ci && (o->lowest_given || o->user_given || o->bytes_given))
		return err_set(err, ERR_INVALID, "limits are judged with --ci");
	r = read_tree(call, a, &t, err);
	if (r < 0)
		return r;
	judge(o, &t, rules);
	if (is_json(o)) {
		r = waste_json(o, a, &t, rules, &out, err);
		buf_addc(&out, '\n');
	} else {
		waste_table(o, &t, rules, &out);
	}
	if (r >= 0)
		r = cli_write(1, &out, err);
	return r < 0 ? r : o->ci && !(rules[0].ok && rules[1].ok && rules[2].ok);
}

static const struct opt waste_opts[] = {
	OPT(struct tree_opts, BOOL, ci, "ci", 0,
	    "Judge by the limits: status 1 when one is passed"),
	COMMON_OPTS,
	OPT_SEEN_AT(struct tree_opts, FLOAT, user_percent, user_given, "highestUserWastedPercent",
		    0, "Wasted share of all but the first layer, at most (default 0.1)"),
	OPT_SEEN_AT(struct tree_opts, SIZE, bytes, bytes_given, "highestWastedBytes", 0,
		    "Wasted bytes, at most (default: any)"),
	OPT_SEEN_AT(struct tree_opts, FLOAT, lowest, lowest_given, "lowestEfficiency", 0,
		    "Share of the bytes that are seen, at least (default 0.9)"),
	OPT_SEEN_AT(struct tree_opts, INT, top, top_given, "top", 0,
		    "So many files are listed (default 20)"),
	OPT_NOT_SUPPORTED(STR, "ci-config", 0, "give the limits as options"),
	OPT_END
};

const struct cmd cmd_image_waste = {
	.path = "image waste",
	.args = "[OPTIONS] IMAGE|PLACE",
	.help = "Show the bytes of an image that later layers replace or delete",
	.opts = waste_opts,
	.opts_size = sizeof(struct tree_opts),
	.min = 1,
	.max = 1,
	.group = CLI_IMAGES,
	.run = waste_run,
};
