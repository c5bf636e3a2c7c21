/* SPDX-License-Identifier: Apache-2.0 */
/* `kubectl set image|resources|serviceaccount|selector|subject`: well known fields of objects. */
#include "cli/kubectl/kubectl-change.h"
#include "cli/kubectl/kubectl-cmds.h"
#include "cli/kubectl/kubectl-make.h"

#include "base/arena.h"
#include "base/err.h"

#include <fnmatch.h>
#include <stdlib.h>

#define RBAC "rbac.authorization.k8s.io"

/* ---- what all have ---- */

int set_pod_spec(struct changing *c, const struct kubectl_item *it, struct doc *obj,
		 struct doc **ret, struct err *err)
{
	*ret = change_pod_spec(obj);
	if (*ret)
		return 0;
	return err_set(err, ERR_INVALID,
		       "%s the object is not a pod or does not have a pod template: *%s.%s",
		       change_name(c->k, it), it->res->version, it->res->kind);
}

int set_check(const struct change_opts *o, struct err *err)
{
	if (o->all && o->selector && *o->selector)
		return err_set(err, ERR_BAD_REQUEST,
			       "cannot set --all and --selector at the same time");
	return 0;
}

size_t set_each_container(struct doc *spec, const char *pattern,
			  void (*fn)(void *arg, struct doc *container), void *arg)
{
	static const char *const lists[] = { "containers", "initContainers" };
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		DOC_EACH (e, doc_get(spec, lists[i])) {
			struct slice name = doc_slice(doc_get(e, "name"));
			char text[256];

			if (name.n >= sizeof(text))
				continue;
			memcpy(text, name.n ? name.p : "", name.n);
			text[name.n] = '\0';
			if (fnmatch(pattern, text, 0) != 0)
				continue;
			fn(arg, e);
			n++;
		}
	return n;
}

/* Words before the first pair are objects. */
int set_split(struct cmd_call *call, const char *what, char ***ret, size_t *ret_n, struct err *err)
{
	size_t n = 0;

	while (n < call->nargs && !set_is_pair(call->args[n]))
		n++;
	*ret = call->args + n;
	*ret_n = call->nargs - n;
	for (size_t i = 0; i < *ret_n; i++)
		if (!set_is_pair((*ret)[i]))
			return err_set(err, ERR_BAD_REQUEST,
				       "all resources must be specified before %s changes: %s",
				       what, (*ret)[i]);
	call->nargs = n;
	return 0;
}

bool set_is_pair(const char *s)
{
	size_t n = strlen(s);

	return (strchr(s, '=') && *s != '=') || (n > 1 && s[n - 1] == '-');
}

/* The last word is the value. */
static const char *last_word(struct cmd_call *call)
{
	return call->nargs ? call->args[--call->nargs] : NULL;
}

#define SET_CMD(word, words, what, rows, type, fn)                                                \
	{                                                                                         \
		.path = "set " word, .args = words, .help = what, .opts = rows,                   \
		.opts_size = sizeof(type), .max = UINT8_MAX, .group = KUBECTL_SETTINGS, .run = fn \
	}

/* ---- image ---- */

struct image_opts {
	struct change_opts change;
};
static const struct opt image_opts[] = { CHANGE_ROWS(struct image_opts, change, "kubectl-set"),
					 KUBECTL_DRY_ROW(struct image_opts, change.dry),
					 CHANGE_ALL_ROW(struct image_opts, change),
					 CHANGE_LOCAL_ROW(struct image_opts, change), OPT_END };

struct imaging {
	struct changing c;
	char **pairs;
	size_t n;
	const char *image;
};

static void put_image(void *arg, struct doc *container)
{
	struct imaging *m = arg;

	doc_set_str(m->c.k->arena, container, "image", m->image);
}

static int on_image(void *arg, const struct kubectl_item *it, struct doc *obj, struct err *err)
{
	struct imaging *m = arg;
	struct doc *spec;
	int r = set_pod_spec(&m->c, it, obj, &spec, err);

	for (size_t i = 0; i < m->n && r == 0; i++) {
		const char *eq = strchr(m->pairs[i], '='),
			   *name = arena_strndup(m->c.k->arena, m->pairs[i],
						 (size_t)(eq - m->pairs[i]));
		struct err why = ERR_INIT;

		if (!name)
			return arena_quota(m->c.k->arena, err);
		m->image = eq + 1;
		if (set_each_container(spec, name, put_image, m))
			continue;
		(void)err_set(&why, ERR_NOT_FOUND, "unable to find container named \"%s\"", name);
		kubectl_note(m->c.k, &why);
	}
	return r;
}

static int image_run(struct cmd_call *call, struct err *err)
{
	const struct image_opts *o = call->opts;
	struct imaging m = { .c = { .done = "image updated",
				    .failed = "failed to patch image update to pod template:",
				    .fn = on_image } };
	struct kubectl_items items;
	int r = change_prepare(call, &o->change, "kubectl-set", &m.c, err);

	m.c.arg = &m;
	if (r == 0)
		r = set_split(call, "image", &m.pairs, &m.n, err);
	if (r == 0)
		r = change_items(call, &o->change, KUBECTL_NAMES, &items, err);
	if (r == 0)
		r = set_check(&o->change, err);
	for (size_t i = 0; i < m.n && r == 0; i++)
		if (!strchr(m.pairs[i], '='))
			return err_set(err, ERR_INVALID, "invalid image format: %s", m.pairs[i]);
	if (r == 0 && !m.n)
		return err_set(err, ERR_BAD_REQUEST, "at least one image update is required");
	for (size_t i = 0; i < m.n && r == 0; i++)
		if (m.n > 1 && strncmp(m.pairs[i], "*=", 2) == 0)
			return err_set(err, ERR_BAD_REQUEST,
				       "all containers are already specified by *, but saw more "
				       "than one container_name=container_image pairs");
	return r == 0 ? change_each(&m.c, &items, err) : r;
}

const struct cmd kubectl_set_image =
	SET_CMD("image", "TYPE NAME|TYPE/NAME|-f FILE CONTAINER=IMAGE... [OPTIONS]",
		"Set images of containers", image_opts, struct image_opts, image_run);

/* ---- resources ---- */

struct resources_opts {
	struct change_opts change;
	const char *containers, *limits, *requests;
};
static const struct opt resources_opts[] = {
	CHANGE_ROWS(struct resources_opts, change, "kubectl-set"),
	KUBECTL_DRY_ROW(struct resources_opts, change.dry),
	CHANGE_ALL_ROW(struct resources_opts, change),
	OPT(struct resources_opts, STR, containers, "containers", 'c',
	    "Only containers of this name, * for some letters"),
	OPT(struct resources_opts, STR, limits, "limits", 0, "RESOURCE=QUANTITY,..."),
	OPT(struct resources_opts, STR, requests, "requests", 0, "RESOURCE=QUANTITY,..."),
	CHANGE_LOCAL_ROW(struct resources_opts, change),
	OPT_END
};

struct limiting {
	struct changing c;
	const struct resources_opts *o;
	struct doc limits, requests;
};

static void put_amounts(struct limiting *l, struct doc *container, const char *member,
			const struct doc *amounts)
{
	struct doc *to;

	if (!amounts->n)
		return;
	to = change_member(l->c.k, change_member(l->c.k, container, "resources"), member);
	DOC_EACH_MEMBER (key, value, amounts)
		doc_setn(l->c.k->arena, to, slice_of(key->s, key->n), *value);
}

static void put_resources(void *arg, struct doc *container)
{
	struct limiting *l = arg;

	put_amounts(l, container, "limits", &l->limits);
	put_amounts(l, container, "requests", &l->requests);
}

static int on_resources(void *arg, const struct kubectl_item *it, struct doc *obj, struct err *err)
{
	struct limiting *l = arg;
	const char *pattern = l->o->containers ? l->o->containers : "*";
	struct doc *spec;
	int r = set_pod_spec(&l->c, it, obj, &spec, err);

	if (r == 0 && !set_each_container(spec, pattern, put_resources, l))
		return err_set(err, ERR_NOT_FOUND, "unable to find container named %s", pattern);
	return r;
}

static int resources_run(struct cmd_call *call, struct err *err)
{
	const struct resources_opts *o = call->opts;
	struct limiting l = { .c = { .done = "resource requirements updated",
				     .failed = "failed to patch resources update to pod template",
				     .fn = on_resources },
			      .o = o,
			      .limits = doc_object(),
			      .requests = doc_object() };
	struct kubectl_items items;
	int r = change_prepare(call, &o->change, "kubectl-set", &l.c, err);

	l.c.arg = &l;
	if (r == 0)
		r = change_items(call, &o->change, KUBECTL_NAMES, &items, err);
	if (r == 0)
		r = set_check(&o->change, err);
	if (r == 0 && !(o->limits && *o->limits) && !(o->requests && *o->requests))
		return err_set(err, ERR_BAD_REQUEST,
			       "you must specify an update to requests or limits (in the form of "
			       "--requests/--limits)");
	if (r == 0 && o->limits && *o->limits)
		r = make_quantities(l.c.k, o->limits, &l.limits, err);
	if (r == 0 && o->requests && *o->requests)
		r = make_quantities(l.c.k, o->requests, &l.requests, err);
	return r == 0 ? change_each(&l.c, &items, err) : r;
}

const struct cmd kubectl_set_resources =
	SET_CMD("resources", "TYPE NAME|TYPE/NAME|-f FILE --limits=... --requests=... [OPTIONS]",
		"Set what containers ask for and may use", resources_opts, struct resources_opts,
		resources_run);

/* ---- serviceaccount ---- */

struct account_opts {
	struct change_opts change;
};
static const struct opt account_opts[] = { KUBECTL_FORM_ROWS(struct account_opts, change.form),
					   KUBECTL_DRY_ROW(struct account_opts, change.dry),
					   KUBECTL_MANAGER_ROW(struct account_opts, change.manager,
							       "kubectl-set"),
					   KUBECTL_FILE_ROWS_AT(struct account_opts, change.files),
					   CHANGE_ALL_ROW(struct account_opts, change),
					   CHANGE_LOCAL_ROW(struct account_opts, change),
					   OPT_END };

struct accounting {
	struct changing c;
	const char *name;
};

static int on_account(void *arg, const struct kubectl_item *it, struct doc *obj, struct err *err)
{
	struct accounting *a = arg;
	struct doc *spec;
	int r = set_pod_spec(&a->c, it, obj, &spec, err);

	if (r == 0)
		doc_set_str(a->c.k->arena, spec, "serviceAccountName", a->name);
	return r;
}

static int account_run(struct cmd_call *call, struct err *err)
{
	const struct account_opts *o = call->opts;
	struct accounting a = { .c = { .done = "serviceaccount updated",
				       .failed = "failed to patch ServiceAccountName",
				       .fn = on_account,
				       .same_too = true } };
	struct kubectl_items items;
	int r = change_prepare(call, &o->change, "kubectl-set", &a.c, err);

	a.c.arg = &a;
	a.name = last_word(call);
	if (r == 0 && !a.name)
		return err_set(err, ERR_BAD_REQUEST, "serviceaccount is required");
	if (o->change.local)
		call->nargs = 0; /* only files are looked at */
	if (r == 0)
		r = change_items(call, &o->change, KUBECTL_NAMES, &items, err);
	return r == 0 ? change_each(&a.c, &items, err) : r;
}

const struct cmd kubectl_set_serviceaccount = {
	.path = "set serviceaccount",
	.aliases = (const char *const[]){ "set sa", NULL },
	.args = "TYPE NAME|TYPE/NAME|-f FILE ACCOUNT [OPTIONS]",
	.help = "Set the service account of pods",
	.opts = account_opts,
	.opts_size = sizeof(struct account_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_SETTINGS,
	.run = account_run,
};

/* ---- selector ---- */

struct selector_opts {
	struct change_opts change;
	const char *version;
};
static const struct opt selector_opts[] = {
	KUBECTL_FORM_ROWS(struct selector_opts, change.form),
	KUBECTL_DRY_ROW(struct selector_opts, change.dry),
	KUBECTL_MANAGER_ROW(struct selector_opts, change.manager, "kubectl-set"),
	OPT(struct selector_opts, LIST, change.files.names, "filename", 'f',
	    "Objects that are in this file or folder"),
	OPT(struct selector_opts, BOOL, change.files.recursive, "recursive", 'R',
	    "Folders of --filename with those in them"),
	OPT(struct selector_opts, STR, version, "resource-version", 0,
	    "Only if it is of this version"),
	CHANGE_ALL_ROW(struct selector_opts, change),
	CHANGE_LOCAL_ROW(struct selector_opts, change),
	OPT_END
};

struct selecting {
	struct making m;
	struct changing c;
	const struct selector_opts *o;
	const char *text;
};

static int on_selector(void *arg, const struct kubectl_item *it, struct doc *obj, struct err *err)
{
	struct selecting *s = arg;
	struct doc holder = doc_object(), *labels;
	int r;

	if (strcmp(it->res->kind, "Service") != 0 || *it->res->group)
		return err_set(err, ERR_INVALID,
			       "setting a selector is only supported for Services");
	r = make_selector(&s->m, &holder, "selector", s->text, err);
	if (r < 0)
		return r;
	if (doc_find(&holder, "selector.matchExpressions"))
		return err_set(err, ERR_INVALID, "match expression %s not supported on this object",
			       s->text);
	labels = doc_find(&holder, "selector.matchLabels");
	doc_set(s->c.k->arena, doc_get(obj, "spec"), "selector", labels ? *labels : doc_object());
	if (s->o->version)
		doc_set_str(s->c.k->arena, doc_get(obj, "metadata"), "resourceVersion",
			    s->o->version);
	return 0;
}

static int selector_run(struct cmd_call *call, struct err *err)
{
	const struct selector_opts *o = call->opts;
	struct selecting s = {
		.c = { .done = "selector updated", .fn = on_selector, .same_too = true }, .o = o
	};
	struct kubectl_items items;
	int r = change_prepare(call, &o->change, "kubectl-set", &s.c, err);

	s.c.arg = &s;
	s.m.k = s.c.k;
	s.text = last_word(call);
	if (r == 0 && !s.text)
		return err_set(err, ERR_BAD_REQUEST, "one selector is required");
	if (r == 0)
		r = change_items(call, &o->change, KUBECTL_NAMES, &items, err);
	return r == 0 ? change_each(&s.c, &items, err) : r;
}

const struct cmd kubectl_set_selector =
	SET_CMD("selector", "TYPE NAME|TYPE/NAME|-f FILE LABELS [OPTIONS]",
		"Set the labels of the pods that a service has", selector_opts,
		struct selector_opts, selector_run);

/* ---- subject ---- */

struct subject_opts {
	struct change_opts change;
	struct opt_list users, groups, accounts;
};
static const struct opt subject_opts[] = {
	CHANGE_ROWS(struct subject_opts, change, "kubectl-set"),
	KUBECTL_DRY_ROW(struct subject_opts, change.dry),
	CHANGE_ALL_ROW(struct subject_opts, change),
	OPT(struct subject_opts, LIST, groups, "group", 0, "A group; repeated"),
	OPT(struct subject_opts, LIST, accounts, "serviceaccount", 0,
	    "A service account, [NAMESPACE]:NAME; repeated"),
	OPT(struct subject_opts, LIST, users, "user", 0, "A user; repeated"),
	CHANGE_LOCAL_ROW(struct subject_opts, change),
	OPT_END
};

struct subjecting {
	struct changing c;
	const struct subject_opts *o;
};

static int by_text(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static void add_subject(struct subjecting *s, struct doc *list, const char *kind, const char *name)
{
	struct arena *a = s->c.k->arena;
	const char *colon = strcmp(kind, "ServiceAccount") == 0 ? strchr(name, ':') : NULL;
	struct doc e = doc_object();

	doc_set_str(a, &e, "kind", kind);
	if (colon)
		doc_set_strn(a, &e, "namespace", colon > name ? name : s->c.k->conf.space,
			     colon > name ? (size_t)(colon - name) : strlen(s->c.k->conf.space));
	else
		doc_set_str(a, &e, "apiGroup", RBAC);
	doc_set_str(a, &e, "name", colon ? colon + 1 : name);
	DOC_EACH (old, list)
		if (doc_equal(old, &e))
			return;
	doc_append(a, list, e);
}

static void add_subjects(struct subjecting *s, struct doc *list, const char *kind,
			 const struct opt_list *names)
{
	if (names->n)
		qsort(names->v, names->n, sizeof(*names->v), by_text);
	for (size_t i = 0; i < names->n; i++)
		add_subject(s, list, kind, names->v[i]);
}

static int on_subject(void *arg, const struct kubectl_item *it, struct doc *obj, struct err *err)
{
	struct subjecting *s = arg;
	struct doc *list = doc_get(obj, "subjects");

	if (strcmp(it->res->kind, "RoleBinding") != 0 &&
	    strcmp(it->res->kind, "ClusterRoleBinding") != 0)
		return err_set(err, ERR_INVALID,
			       "%s setting subjects is only supported for "
			       "RoleBinding/ClusterRoleBinding",
			       change_name(s->c.k, it));
	if (!doc_is(list, DOC_ARRAY))
		list = doc_set_array(s->c.k->arena, obj, "subjects");
	add_subjects(s, list, "User", &s->o->users);
	add_subjects(s, list, "Group", &s->o->groups);
	add_subjects(s, list, "ServiceAccount", &s->o->accounts);
	return 0;
}

static int check_accounts(const struct subject_opts *o, const struct kubectl_items *items,
			  struct err *err)
{
	for (size_t i = 0; i < o->accounts.n; i++) {
		const char *colon = strchr(o->accounts.v[i], ':');

		if (!colon || !colon[1] || strchr(colon + 1, ':'))
			return err_set(err, ERR_INVALID,
				       "serviceaccount must be <namespace>:<name>");
		for (size_t j = 0; j < items->n; j++)
			if (colon == o->accounts.v[i] &&
			    strcmp(items->v[j].res->kind, "ClusterRoleBinding") == 0)
				return err_set(err, ERR_INVALID,
					       "serviceaccount must be <namespace>:<name>, "
					       "namespace must be specified");
	}
	return 0;
}

static int subject_run(struct cmd_call *call, struct err *err)
{
	const struct subject_opts *o = call->opts;
	struct subjecting s = { .c = { .done = "subjects updated",
				       .failed = "failed to patch subjects to rolebinding:",
				       .fn = on_subject },
				.o = o };
	struct kubectl_items items;
	int r = change_prepare(call, &o->change, "kubectl-set", &s.c, err);

	s.c.arg = &s;
	if (r == 0)
		r = kubectl_conf(s.c.k, err);
	if (r == 0)
		r = change_items(call, &o->change, KUBECTL_NAMES, &items, err);
	if (r == 0)
		r = set_check(&o->change, err);
	if (r == 0 && !o->users.n && !o->groups.n && !o->accounts.n)
		return err_set(err, ERR_BAD_REQUEST,
			       "you must specify at least one value of user, group or "
			       "serviceaccount");
	if (r == 0)
		r = check_accounts(o, &items, err);
	return r == 0 ? change_each(&s.c, &items, err) : r;
}

const struct cmd kubectl_set_subject =
	SET_CMD("subject", "TYPE NAME|TYPE/NAME|-f FILE [OPTIONS]",
		"Add users, groups and service accounts to a binding", subject_opts,
		struct subject_opts, subject_run);
