/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `kubectl auth reconcile`: roles and bindings of files are made, or those that are there get what
 * is missing. Rules are compared by what they permit, not by how they are written.
 */
#include "cli/kubectl/kubectl-cmds.h"
#include "cli/kubectl/kubectl-rows.h"

#include "base/arena.h"
#include "base/err.h"
#include "doc/doc.h"

#define RBAC "rbac.authorization.k8s.io"
#define AUTOUPDATE "rbac.authorization.kubernetes.io/autoupdate"
#define TRIES 3
#define PARTS_MAX 100000

struct reconcile_opts {
	struct kubectl_files files;
	struct kubectl_form form;
	const char *dry;
	bool less_rules, less_subjects;
};
static const struct opt reconcile_opts[] = {
	KUBECTL_FORM_ROWS(struct reconcile_opts, form),
	KUBECTL_DRY_ROW(struct reconcile_opts, dry),
	KUBECTL_FILE_ROWS(struct reconcile_opts),
	OPT(struct reconcile_opts, BOOL, less_rules, "remove-extra-permissions", 0,
	    "Roles lose what the files do not permit"),
	OPT(struct reconcile_opts, BOOL, less_subjects, "remove-extra-subjects", 0,
	    "Bindings lose subjects that the files do not name"),
	OPT_END
};

struct reconciling {
	struct kubectl *k;
	const struct reconcile_opts *o;
	struct kubectl_print print;
	enum kubectl_dry dry;
};

/* What became of one object. */
struct outcome {
	enum { NOTHING, CREATE, UPDATE, RECREATE } todo;
	bool protected;
	struct doc *obj; /* as it is to be, then as the server has it */
	struct doc missing_rules, extra_rules, missing_subjects, extra_subjects;
};

/* ---- what rules permit ---- */

static bool has(const struct doc *list, struct slice word)
{
	DOC_EACH (e, list)
		if (slice_eq(doc_slice(e), word))
			return true;
	return false;
}

/* Each part of a rule has at most one word of a kind. */
static struct slice word_of(const struct doc *part, const char *member)
{
	return doc_slice(doc_at(doc_get(part, member), 0));
}

static bool covers_resource(const struct doc *list, struct slice name)
{
	struct slice sub = name;

	(void)slice_split(&sub, '/');
	if (has(list, SLICE("*")) || has(list, name))
		return true;
	DOC_EACH (e, list) {
		struct slice s = doc_slice(e), first = slice_split(&s, '/');

		if (sub.p && slice_eq(first, SLICE("*")) && slice_eq(s, sub))
			return true;
	}
	return false;
}

static bool covers_url(const struct doc *list, struct slice url)
{
	DOC_EACH (e, list) {
		struct slice s = doc_slice(e);
		bool open = s.n && s.p[s.n - 1] == '*';

		if (slice_eq(s, url))
			return true;
		while (s.n && s.p[s.n - 1] == '*')
			s.n--;
		if (open && slice_starts(url, s))
			return true;
	}
	return false;
}

static bool covers(const struct doc *rule, const struct doc *part)
{
	const struct doc *verbs = doc_get(rule, "verbs"), *groups = doc_get(rule, "apiGroups"),
			 *names = doc_get(rule, "resourceNames");

	if (!has(verbs, SLICE("*")) && !has(verbs, word_of(part, "verbs")))
		return false;
	if (doc_len(doc_get(part, "resourceNames"))
		    ? doc_len(names) && !has(names, word_of(part, "resourceNames"))
		    : doc_len(names))
		return false;
	if (doc_get(part, "nonResourceURLs"))
		return covers_url(doc_get(rule, "nonResourceURLs"),
				  word_of(part, "nonResourceURLs"));
	return (has(groups, SLICE("*")) || has(groups, word_of(part, "apiGroups"))) &&
	       covers_resource(doc_get(rule, "resources"), word_of(part, "resources"));
}

struct comparing {
	struct kubectl *k;
	const struct doc *rules;
	struct doc *to; /* parts that no rule covers */
	size_t looked_at;
};

static void put_word(struct comparing *c, struct doc *part, const char *member,
		     const struct doc *word)
{
	if (word)
		doc_append(c->k->arena, doc_set_array(c->k->arena, part, member), *word);
}

static int try_part(struct comparing *c, struct doc part, struct err *err)
{
	if (++c->looked_at > PARTS_MAX)
		return err_set(err, ERR_TOO_LARGE, "the rules of a role have more than %d parts",
			       PARTS_MAX);
	DOC_EACH (rule, c->rules)
		if (covers(rule, &part))
			return 0;
	doc_append(c->k->arena, c->to, part);
	return arena_exceeded(c->k->arena) ? arena_quota(c->k->arena, err) : 0;
}

/* One verb on one resource (of one name), or on one path. */
static int try_verb(struct comparing *c, const struct doc *verb, const struct doc *group,
		    const struct doc *what, const struct doc *name, struct err *err)
{
	struct doc part = doc_object();

	put_word(c, &part, "verbs", verb);
	put_word(c, &part, "apiGroups", group);
	put_word(c, &part, group ? "resources" : "nonResourceURLs", what);
	put_word(c, &part, "resourceNames", name);
	return try_part(c, part, err);
}

static int try_resource(struct comparing *c, const struct doc *rule, const struct doc *group,
			const struct doc *what, struct err *err)
{
	const struct doc *names = doc_get(rule, "resourceNames");
	int r = 0;

	DOC_EACH (verb, doc_get(rule, "verbs")) {
		if (r == 0 && !doc_len(names))
			r = try_verb(c, verb, group, what, NULL, err);
		DOC_EACH (name, names)
			if (r == 0)
				r = try_verb(c, verb, group, what, name, err);
	}
	return r;
}

static int try_rule(struct comparing *c, const struct doc *rule, struct err *err)
{
	int r = 0;

	DOC_EACH (group, doc_get(rule, "apiGroups"))
		DOC_EACH (what, doc_get(rule, "resources"))
			if (r == 0)
				r = try_resource(c, rule, group, what, err);
	DOC_EACH (url, doc_get(rule, "nonResourceURLs"))
		DOC_EACH (verb, doc_get(rule, "verbs"))
			if (r == 0)
				r = try_verb(c, verb, NULL, url, NULL, err);
	return r;
}

/* Parts of `wanted` that `rules` do not permit. */
static int not_covered(struct kubectl *k, const struct doc *rules, const struct doc *wanted,
		       struct doc *ret, struct err *err)
{
	struct comparing c = { .k = k, .rules = rules, .to = ret };
	int r = 0;

	*ret = doc_array();
	DOC_EACH (rule, wanted)
		if (r == 0)
			r = try_rule(&c, rule, err);
	return r;
}

/* ---- what is to become of an object ---- */

static struct doc list_of(const struct doc *list)
{
	return list && list->type == DOC_ARRAY ? *list : doc_array();
}

/* Elements of `wanted` that `have` lacks; same: how two are compared. */
static struct doc lacking(struct kubectl *k, const struct doc *have, const struct doc *wanted,
			  bool (*same)(const struct doc *a, const struct doc *b))
{
	struct doc out = doc_array();

	DOC_EACH (w, wanted) {
		bool found = false;

		DOC_EACH (h, have)
			found = found || same(h, w);
		if (!found)
			doc_append(k->arena, &out, *w);
	}
	return out;
}

/* References and subjects are made of texts; one that is missing is empty. */
static bool same_reference(const struct doc *a, const struct doc *b)
{
	static const char *const members[] = { "kind", "apiGroup", "name", "namespace" };

	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		if (!slice_eq(doc_slice(doc_get(a, members[i])), doc_slice(doc_get(b, members[i]))))
			return false;
	return true;
}

/* obj[member] with all of more behind. */
static void add_to_list(struct kubectl *k, struct doc *obj, const char *member,
			const struct doc *more)
{
	struct doc *list = doc_get(obj, member);

	if (!doc_is(list, DOC_ARRAY))
		list = doc_set_array(k->arena, obj, member);
	DOC_EACH (e, more)
		doc_append(k->arena, list, *e);
}

/* Annotations or labels that are not there yet; those that are stay. */
static void merge_notes(struct kubectl *k, const struct doc *from, const char *member,
			struct outcome *out)
{
	struct doc *meta = doc_get(out->obj, "metadata");

	DOC_EACH_MEMBER (key, value, doc_get(doc_get(from, "metadata"), member)) {
		struct doc *to = doc_get(meta, member);

		if (doc_getn(to, doc_slice(key)))
			continue;
		if (!doc_is(to, DOC_OBJECT))
			to = doc_set_object(k->arena, meta, member);
		doc_setn(k->arena, to, doc_slice(key), *value);
		out->todo = UPDATE;
	}
}

static void reconcile_aggregation(struct reconciling *rc, const struct doc *now,
				  const struct doc *wanted, struct outcome *out)
{
	struct kubectl *k = rc->k;
	const struct doc *have = doc_get(now, "aggregationRule"),
			 *want = doc_get(wanted, "aggregationRule");
	const struct doc *have_list = doc_get(have, "clusterRoleSelectors"),
			 *want_list = doc_get(want, "clusterRoleSelectors");
	struct doc missing = lacking(k, have_list, want_list, doc_equal);
	struct doc extra = lacking(k, want_list, have_list, doc_equal);

	if (!want && have) {
		doc_remove(out->obj, "aggregationRule");
	} else if (rc->o->less_rules && (missing.n || extra.n)) {
		doc_set(k->arena, out->obj, "aggregationRule", *want);
	} else if (missing.n) {
		struct doc *rule = doc_get(out->obj, "aggregationRule");

		if (!doc_is(rule, DOC_OBJECT))
			rule = doc_set_object(k->arena, out->obj, "aggregationRule");
		add_to_list(k, rule, "clusterRoleSelectors", &missing);
	} else {
		return;
	}
	out->todo = UPDATE;
}

static int reconcile_role(struct reconciling *rc, const struct doc *now, const struct doc *wanted,
			  struct outcome *out, struct err *err)
{
	struct kubectl *k = rc->k;
	const struct doc *have = doc_get(now, "rules"), *want = doc_get(wanted, "rules");
	int r = 0;

	/* Rules of roles that are both made of others are not the file's to say. */
	if (!doc_get(now, "aggregationRule") || !doc_get(wanted, "aggregationRule"))
		r = not_covered(k, want, have, &out->extra_rules, err);
	if (r == 0)
		r = not_covered(k, have, want, &out->missing_rules, err);
	if (r < 0)
		return r;
	if (rc->o->less_rules && (out->missing_rules.n || out->extra_rules.n)) {
		doc_set(k->arena, out->obj, "rules", list_of(want));
		out->todo = UPDATE;
	} else if (out->missing_rules.n) {
		add_to_list(k, out->obj, "rules", &out->missing_rules);
		out->todo = UPDATE;
	}
	reconcile_aggregation(rc, now, wanted, out);
	return 0;
}

static void reconcile_subjects(struct reconciling *rc, const struct doc *now,
			       const struct doc *wanted, struct outcome *out)
{
	struct kubectl *k = rc->k;
	const struct doc *have = doc_get(now, "subjects"), *want = doc_get(wanted, "subjects");

	out->missing_subjects = lacking(k, have, want, same_reference);
	out->extra_subjects = lacking(k, want, have, same_reference);
	if (rc->o->less_subjects && (out->missing_subjects.n || out->extra_subjects.n))
		doc_set(k->arena, out->obj, "subjects", list_of(want));
	else if (out->missing_subjects.n)
		add_to_list(k, out->obj, "subjects", &out->missing_subjects);
	else
		return;
	out->todo = UPDATE;
}

static bool is_binding(const struct kubectl_item *it)
{
	return strstr(it->res->kind, "Binding") != NULL;
}

static int decide(struct reconciling *rc, const struct kubectl_item *it, const struct doc *now,
		  struct outcome *out, struct err *err)
{
	struct kubectl *k = rc->k;

	if (!now) {
		out->todo = CREATE;
		out->obj = it->obj;
		out->missing_rules = list_of(doc_get(it->obj, "rules"));
		out->missing_subjects = list_of(doc_get(it->obj, "subjects"));
		return 0;
	}
	out->protected =
		doc_str_is(doc_get(doc_find(now, "metadata.annotations"), AUTOUPDATE), "false");
	if (is_binding(it) &&
	    !same_reference(doc_get(now, "roleRef"), doc_get(it->obj, "roleRef"))) {
		out->todo = RECREATE;
		out->obj = it->obj;
		return 0;
	}
	out->obj = doc_copy(k->arena, now);
	if (!out->obj)
		return arena_quota(k->arena, err);
	merge_notes(k, it->obj, "annotations", out);
	merge_notes(k, it->obj, "labels", out);
	if (!is_binding(it))
		return reconcile_role(rc, now, it->obj, out, err);
	reconcile_subjects(rc, now, it->obj, out);
	return 0;
}

/* ---- doing it ---- */

/* The namespace of what is made; who may not see or make one is told by what follows. */
static int ensure_space(struct kubectl *k, const struct kubectl_item *it, struct err *err)
{
	struct kubectl_item space = { .name = it->space };
	struct kubectl_send get = { 0 };
	struct doc *body = doc_new_object(k->arena), *got;
	struct kubectl_send post = { .method = "POST", .collection = true, .body = body };
	int r;

	if (!it->space)
		return 0;
	doc_set_str(k->arena, body, "apiVersion", "v1");
	doc_set_str(k->arena, body, "kind", "Namespace");
	doc_set_str(k->arena, doc_set_object(k->arena, body, "metadata"), "name", it->space);
	r = kubectl_find_kind(k, "v1", "Namespace", &space.res, err);
	if (r == 0)
		r = kubectl_send(k, &space, &get, &got, err);
	if (r == -ERR_NOT_FOUND || r == -ERR_FORBIDDEN) {
		*err = ERR_INIT;
		r = kubectl_send(k, &space, &post, &got, err);
	}
	if (r == -ERR_EXISTS || r == -ERR_FORBIDDEN) {
		*err = ERR_INIT;
		r = 0;
	}
	return r;
}

static int make(struct kubectl *k, const struct kubectl_item *it, struct outcome *out,
		struct err *err)
{
	struct kubectl_send s = { .method = "POST", .collection = true, .body = out->obj };
	int r = ensure_space(k, it, err);

	return r == 0 ? kubectl_send(k, it, &s, &out->obj, err) : r;
}

/* Only the one that was looked at. */
static int make_anew(struct kubectl *k, const struct kubectl_item *it, const struct doc *now,
		     struct outcome *out, struct err *err)
{
	struct doc *body = doc_new_object(k->arena), *got;
	struct doc *only = doc_set_object(k->arena, body, "preconditions");
	const struct doc *uid = doc_find(now, "metadata.uid");
	struct kubectl_send s = { .method = "DELETE", .body = body };
	int r;

	if (uid)
		doc_set(k->arena, only, "uid", *uid);
	r = kubectl_send(k, it, &s, &got, err);
	if (r == -ERR_NOT_FOUND) {
		*err = ERR_INIT;
		r = 0;
	}
	return r == 0 ? make(k, it, out, err) : r;
}

/* 1: somebody was faster, look again. */
static int carry_out(struct reconciling *rc, const struct kubectl_item *it, const struct doc *now,
		     struct outcome *out, struct err *err)
{
	struct kubectl_send put = { .method = "PUT", .body = out->obj };
	int r = 0;

	if (out->protected || rc->dry != DRY_NONE || out->todo == NOTHING)
		return 0;
	if (out->todo == UPDATE)
		r = kubectl_send(rc->k, it, &put, &out->obj, err);
	else if (out->todo == RECREATE)
		r = make_anew(rc->k, it, now, out, err);
	else
		r = make(rc->k, it, out, err);
	if (r == (out->todo == UPDATE ? -ERR_NOT_FOUND : -ERR_EXISTS) ||
	    (out->todo == RECREATE && r == -ERR_CONFLICT))
		return 1;
	return r;
}

/* As Go prints the struct: {Verbs:[get] APIGroups:[] ...}. */
static void tell_list(struct kubectl *k, const char *title, const struct doc *list,
		      const char *const (*members)[2], size_t n)
{
	if (doc_len(list))
		buf_addf(&k->errors, "\t%s:\n", title);
	DOC_EACH (e, list) {
		buf_adds(&k->errors, "\t\t{");
		for (size_t i = 0; i < n; i++) {
			const struct doc *v = doc_get(e, members[i][0]);

			buf_addf(&k->errors, "%s%s:", i ? " " : "", members[i][1]);
			if (v && v->type != DOC_NULL)
				kubectl_go_value(v, &k->errors);
			else if (n == 5)
				buf_adds(&k->errors, "[]");
		}
		buf_adds(&k->errors, "}\n");
	}
}

static int tell(struct reconciling *rc, const struct outcome *out, struct err *err)
{
	static const char *const words[] = {
		[CREATE] = "create", [UPDATE] = "update", [RECREATE] = "recreate"
	};
	static const char *const rule[][2] = { { "verbs", "Verbs" },
					       { "apiGroups", "APIGroups" },
					       { "resources", "Resources" },
					       { "resourceNames", "ResourceNames" },
					       { "nonResourceURLs", "NonResourceURLs" } };
	static const char *const subject[][2] = { { "kind", "Kind" },
						  { "apiGroup", "APIGroup" },
						  { "name", "Name" },
						  { "namespace", "Namespace" } };
	struct kubectl *k = rc->k;
	int r = kubectl_done(&rc->print, out->obj, "reconciled", rc->dry, err);

	if (r < 0 || out->todo == NOTHING)
		return r;
	buf_addf(&k->errors, "\treconciliation required %s%s\n", words[out->todo],
		 out->protected ? ", but object opted out (" AUTOUPDATE ": false)" : "");
	tell_list(k, "missing subjects added", &out->missing_subjects, subject, ARRAY_LEN(subject));
	if (rc->o->less_subjects)
		tell_list(k, "extra subjects removed", &out->extra_subjects, subject,
			  ARRAY_LEN(subject));
	tell_list(k, "missing rules added", &out->missing_rules, rule, ARRAY_LEN(rule));
	if (rc->o->less_rules)
		tell_list(k, "extra rules removed", &out->extra_rules, rule, ARRAY_LEN(rule));
	return 0;
}

static int reconcile_one(void *arg, const struct kubectl_item *it, struct err *err)
{
	static const char *const kinds[] = { "Role", "RoleBinding", "ClusterRole",
					     "ClusterRoleBinding", NULL };
	struct reconciling *rc = arg;
	int r = 1;

	if (strcmp(it->res->group, RBAC) != 0 || !str_is_one_of(it->res->kind, kinds))
		return 0;
	for (int i = 0; i < TRIES && r == 1; i++) {
		struct kubectl_send get = { 0 };
		struct outcome out = { .missing_rules = doc_array(),
				       .extra_rules = doc_array(),
				       .missing_subjects = doc_array(),
				       .extra_subjects = doc_array() };
		struct doc *now = NULL;

		*err = ERR_INIT;
		r = kubectl_send(rc->k, it, &get, &now, err);
		if (r == -ERR_NOT_FOUND) {
			*err = ERR_INIT;
			now = NULL;
			r = 0;
		}
		if (r == 0)
			r = decide(rc, it, now, &out, err);
		if (r == 0)
			r = carry_out(rc, it, now, &out, err);
		if (r == 0)
			return tell(rc, &out, err);
	}
	return r == 1 ? err_set(err, ERR_CONFLICT, "exceeded maximum attempts") : r;
}

static int reconcile_run(struct cmd_call *call, struct err *err)
{
	struct reconciling rc = { .k = kubectl_of(call), .o = call->opts };
	struct kubectl_items items;
	int r;

	if (!rc.o->files.names.n)
		return err_set(err, ERR_BAD_REQUEST, "must specify one of -f and -k");
	if (call->nargs)
		return err_set(err, ERR_BAD_REQUEST, "no arguments are allowed");
	r = kubectl_dry(rc.o->dry, &rc.dry, err);
	if (r == 0 && rc.dry == DRY_SERVER)
		return err_set(err, ERR_UNSUPPORTED,
			       "--dry-run=server for command reconcile is not supported yet");
	if (r == 0)
		r = kubectl_form_init(&rc.o->form, rc.k, &rc.print, err);
	if (r == 0)
		r = kubectl_read_files(rc.k, &rc.o->files, &items, err);
	return r == 0 ? kubectl_each(rc.k, &items, reconcile_one, &rc, err) : r;
}

const struct cmd kubectl_auth_reconcile = {
	.path = "auth reconcile",
	.args = "-f FILE [OPTIONS]",
	.help = "Make roles and bindings permit what files say",
	.opts = reconcile_opts,
	.opts_size = sizeof(struct reconcile_opts),
	.max = UINT8_MAX,
	.run = reconcile_run,
};
