/* SPDX-License-Identifier: Apache-2.0 */
/* Away with objects: `kubectl delete`, and what replace --force and apply --force need of it. */
#include "cli/kubectl/kubectl-delete.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "cli/kubectl/kubectl-cmds.h"

#define WEEK (7 * 86400 * NS_PER_SEC)

/* ---- waiting until objects are gone ---- */

static int is_gone(void *arg, struct arena *a, const char *type, struct doc *obj, struct err *err)
{
	const struct doc *uid = arg;

	(void)a;
	(void)err;
	return strcmp(type, "DELETED") == 0 ||
	       (uid && !doc_equal(doc_find(obj, "metadata.uid"), uid));
}

/* Also gone is what has another uid: somebody made it anew. */
int kubectl_wait_gone(struct kubectl *k, const struct kubectl_item *it, const struct doc *uid,
		      int64_t end, struct err *err)
{
	struct kubectl_send get = { 0 };
	struct doc *d;

	for (;;) {
		int64_t left = end - clock_mono();
		int r = kubectl_send(k, it, &get, &d, err);

		if (r == -ERR_NOT_FOUND) {
			*err = ERR_INIT;
			return 0;
		}
		if (r < 0 || (uid && !doc_equal(doc_find(d, "metadata.uid"), uid)))
			return r < 0 ? r : 0;
		if (left <= 0)
			return err_set(err, ERR_TIMEOUT,
				       "timed out waiting for the condition on %s/%s",
				       it->res->name, it->name);
		r = kubectl_watch_one(k, it, kubectl_text(k, d, "metadata.resourceVersion"), left,
				      is_gone, (void *)uid, err);
		/* History that is over is looked at anew. */
		if (r == -ERR_GONE) {
			*err = ERR_INIT;
			continue;
		}
		if (r != 0)
			return r < 0 ? r : 0;
	}
}

/* ---- what is shared ---- */

int delete_read(struct deleting *d, struct kubectl *k, const struct delete_flags *f,
		struct err *err)
{
	static const struct {
		const char *word, *policy, *now;
	} rows[] = {
		{ "background", "Background", NULL }, { "foreground", "Foreground", NULL },
		{ "orphan", "Orphan", NULL },	      { "true", "Background", "background" },
		{ "false", "Orphan", "orphan" },
	};

	d->k = k;
	d->grace = f->grace_given ? f->grace : -1;
	d->time = f->time;
	d->wait = f->wait;
	d->policy = f->cascade ? NULL : "Background";
	for (size_t i = 0; f->cascade && i < ARRAY_LEN(rows); i++) {
		if (strcmp(f->cascade, rows[i].word) != 0)
			continue;
		d->policy = rows[i].policy;
		if (rows[i].now)
			buf_addf(&k->errors,
				 "warning: --cascade=%s is deprecated (boolean value) and can be "
				 "replaced with --cascade=%s.\n",
				 rows[i].word, rows[i].now);
	}
	if (!d->policy)
		return err_set(err, ERR_INVALID,
			       "invalid cascade value (%s). Must be \"background\", "
			       "\"foreground\", or \"orphan\"",
			       f->cascade);
	return 0;
}

struct doc delete_body(const struct deleting *d)
{
	struct arena *a = d->k->arena;
	struct doc body = doc_object();

	doc_set_str(a, &body, "propagationPolicy", d->policy);
	if (d->grace >= 0)
		doc_set_int(a, &body, "gracePeriodSeconds", d->grace);
	if (d->dry == DRY_SERVER)
		doc_append_str(a, doc_set_array(a, &body, "dryRun"), "All");
	return body;
}

static const char *kind_of(struct kubectl *k, const struct resource *r)
{
	char *s = arena_printf(k->arena, "%s%s%s", r->kind, *r->group ? "." : "", r->group);

	for (char *c = s; c && *c && *c != '.'; c++)
		*c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
	return s ? s : "";
}

static void say_deleted(struct deleting *d, const struct kubectl_item *it)
{
	static const char *const notes[] = {
		[DRY_NONE] = "", [DRY_CLIENT] = " (dry run)", [DRY_SERVER] = " (server dry run)"
	};
	const char *kind = kind_of(d->k, it->res);

	if (d->names_only)
		buf_addf(&d->k->out, "%s/%s\n", kind, it->name);
	else
		buf_addf(&d->k->out, "%s \"%s\" %s%s\n", kind, it->name,
			 d->grace == 0 ? "force deleted" : "deleted", notes[d->dry]);
}

static int delete_one(struct deleting *d, size_t i, struct err *err)
{
	const struct kubectl_item *it = &d->items.v[i];
	struct kubectl_send s = { .method = "DELETE", .body = &d->body };
	struct kubectl_send get = { 0 };
	struct doc *got;
	int r;

	if (d->dry == DRY_CLIENT) {
		r = it->obj && !it->from ? 0 : kubectl_send(d->k, it, &get, &got, err);
	} else {
		r = kubectl_send(d->k, it, &s, &got, err);
		if (r == 0) {
			const struct doc *uid = doc_find(got, "metadata.uid");

			d->uids[i] = uid ? uid : doc_find(got, "details.uid");
			if (!d->uids[i])
				d->uids[i] = got; /* no uid is equal to it: one look will do */
		}
	}
	if (r == -ERR_NOT_FOUND && d->ignore_missing && client_failure(d->k->client)) {
		*err = ERR_INIT;
		return 0;
	}
	if (r == 0)
		say_deleted(d, it);
	return r;
}

static int wait_all(struct deleting *d, struct err *err)
{
	int64_t end = clock_mono() + (d->time > 0 ? d->time : WEEK);
	int r = kubectl_flush(d->k, err); /* who waits sees what was asked for already */

	for (size_t i = 0; i < d->items.n && r == 0; i++)
		if (d->uids[i])
			r = kubectl_wait_gone(d->k, &d->items.v[i],
					      d->uids[i]->type == DOC_STRING ? d->uids[i] : NULL,
					      end, err);
	return r;
}

int delete_all(struct deleting *d, struct err *err)
{
	struct kubectl *k = d->k;

	d->uids = ARENA_ARRAY(k->arena, const struct doc *, d->items.n + 1);
	if (!d->uids)
		return arena_quota(k->arena, err);
	d->body = delete_body(d);
	for (size_t i = 0; i < d->items.n; i++)
		if (k->flags.space && !d->items.v[i].res->namespaced) {
			kubectl_warn(k, SLICE("deleting cluster-scoped resources, not scoped to "
					      "the provided namespace"));
			break;
		}
	for (size_t i = 0; i < d->items.n; i++) {
		if (delete_one(d, i, err) >= 0)
			continue;
		kubectl_note_about(k, &d->items.v[i], "deleting", err);
		*err = ERR_INIT;
		d->failed = true;
	}
	return d->dry == DRY_NONE && d->wait ? wait_all(d, err) : 0;
}

/* ---- delete ---- */

struct delete_opts {
	struct kubectl_files files;
	struct delete_flags how;
	const char *output, *selector, *fields, *dry, *raw;
	bool all, spaces, ignore_missing, now, ask, ignore_given;
};
#define DEL_ROW(kind, field, name, letter, help) \
	OPT(struct delete_opts, kind, field, name, letter, help)
static const struct opt delete_opts[] = {
	DEL_ROW(BOOL, all, "all", 0, "All objects of the types"),
	DEL_ROW(BOOL, spaces, "all-namespaces", 'A', "From all namespaces"),
	DELETE_ROWS(struct delete_opts, how),
	KUBECTL_DRY_ROW(struct delete_opts, dry),
	DEL_ROW(STR, fields, "field-selector", 0, "Only objects with these fields"),
	KUBECTL_FILE_ROWS(struct delete_opts),
	OPT_SEEN_AT(struct delete_opts, BOOL, ignore_missing, ignore_given, "ignore-not-found", 0,
		    "What is not there is no failure"),
	DEL_ROW(BOOL, ask, "interactive", 'i', "Ask before anything is deleted"),
	DEL_ROW(BOOL, now, "now", 0, "As --grace-period=1"),
	DEL_ROW(STR, output, "output", 'o', "name"),
	DEL_ROW(STR, raw, "raw", 0, "DELETE this path, with the file as its body"),
	DEL_ROW(STR, selector, "selector", 'l', "Only objects with these labels"),
	OPT_END
};

static int check_delete(struct deleting *d, const struct delete_opts *o, struct err *err)
{
	if (o->now && d->grace != -1)
		return err_set(err, ERR_BAD_REQUEST,
			       "--now and --grace-period cannot be specified together");
	if (o->now)
		d->grace = 1;
	if (d->grace == 0 && !o->how.force)
		d->grace = 1; /* nobody is told that it may run on */
	if (o->how.force && d->grace < 0)
		d->grace = 0;
	d->ignore_missing =
		o->ignore_given ? o->ignore_missing : o->all || o->selector || o->fields;
	d->names_only = o->output && *o->output;
	if (!o->how.wait_given)
		d->wait = true;
	return kubectl_dry(o->dry, &d->dry, err);
}

static int check_words(struct deleting *d, const struct delete_opts *o, struct err *err)
{
	if (o->output && *o->output && strcmp(o->output, "name") != 0)
		return err_set(err, ERR_INVALID,
			       "unexpected -o output mode: %s. We only support '-o name'",
			       o->output);
	if (o->all && o->selector)
		return err_set(err, ERR_BAD_REQUEST,
			       "cannot set --all and --selector at the same time");
	if (o->all && o->fields)
		return err_set(err, ERR_BAD_REQUEST,
			       "cannot set --all and --field-selector at the same time");
	if (d->grace > 0 && o->how.force)
		return err_set(err, ERR_BAD_REQUEST,
			       "--force and --grace-period greater than 0 cannot be specified "
			       "together");
	if (d->grace == 0)
		kubectl_warn(d->k,
			     SLICE("Immediate deletion does not wait for confirmation that the "
				   "running resource has been terminated. The resource may "
				   "continue to run on the cluster indefinitely."));
	if (o->raw && o->ask)
		return err_set(err, ERR_BAD_REQUEST, "--interactive can not be used with --raw");
	return 0;
}

/* *ret: the user says yes. One word is read, as Go's Fscan does. */
static int confirmed(struct deleting *d, bool *ret, struct err *err)
{
	char word[4] = "", c;
	size_t n = 0;
	int r;

	buf_addf(&d->k->out, "You are about to delete the following %zu resource(s):\n",
		 d->items.n);
	for (size_t i = 0; i < d->items.n; i++)
		buf_addf(&d->k->out, "%s/%s\n", kind_of(d->k, d->items.v[i].res),
			 d->items.v[i].name);
	buf_adds(&d->k->out, "Do you want to continue? (y/n): ");
	r = kubectl_flush(d->k, err);
	while (r == 0 && fd_read_full(0, &c, 1) == 1) {
		bool blank = c == ' ' || c == '\t' || c == '\r' || c == '\n';

		if (blank && n)
			break;
		if (!blank && n < sizeof(word) - 1)
			word[n++] = c;
	}
	*ret = strcasecmp(word, "y") == 0;
	return r;
}

static int delete_run(struct cmd_call *call, struct err *err)
{
	const struct delete_opts *o = call->opts;
	struct kubectl *k = kubectl_of(call);
	struct deleting d = { 0 };
	unsigned flags = KUBECTL_NAMES | (o->spaces ? KUBECTL_ALL_SPACES : 0) |
			 (o->all || o->selector || o->fields ? KUBECTL_SELECTED : 0);
	bool lists = flags & KUBECTL_SELECTED, yes = true;
	int r = delete_read(&d, k, &o->how, err);

	if (r == 0)
		r = check_delete(&d, o, err);
	if (r == 0 && !o->raw && !call->nargs && !o->files.names.n)
		return kubectl_nothing_given(err);
	if (r == 0 && !o->raw)
		r = kubectl_items(call, &o->files, flags, &d.items, err);
	if (r == 0)
		r = check_words(&d, o, err);
	if (r == 0 && o->raw)
		return kubectl_raw_file(k, "DELETE", o->raw, &o->files, o->output, err);
	if (r == 0 && lists && !o->files.names.n)
		r = kubectl_expand(k, o->selector, o->fields, &d.items, err);
	if (r < 0)
		return r;
	if (!d.items.n) {
		buf_adds(&k->out, "No resources found\n");
		return 0;
	}
	if (o->ask)
		r = confirmed(&d, &yes, err);
	if (r == 0 && !yes)
		buf_adds(&k->out, "deletion is cancelled\n");
	return r == 0 && yes ? delete_all(&d, err) : r;
}

const struct cmd kubectl_delete = {
	.path = "delete",
	.args = "[OPTIONS] TYPE NAME... | TYPE/NAME... | -f FILE",
	.help = "Delete objects",
	.opts = delete_opts,
	.opts_size = sizeof(struct delete_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_BASIC,
	.run = delete_run,
};
