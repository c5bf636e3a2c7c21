/* SPDX-License-Identifier: Apache-2.0 */
/* The file of accounts: read with the policy, changed by the admin socket. */
#include "registry/accounts.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "doc/json.h"
#include "linux/sys.h"
#include "registry/policy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define FILE_MAX (4u << 20)
#define ARENA_MAX (32u << 20)

struct entry {
	const char *password;
	struct schema_time expires;
	LIST_OF(struct policy_rule) rules;
};
struct file {
	MAP_OF(struct entry) users;
	MAP_OF(struct entry) robots;
	MAP_OF(int64_t) from;
	int64_t all_from;
};

static const char *const action_words[] = { "pull", "push", "delete", NULL };

static const struct schema_field rule_rows[] = {
	F_LIST_STR(struct policy_rule, repositories, "repositories",
		   SCHEMA_REQUIRED | SCHEMA_NONEMPTY, 0, .check = policy_check_glob),
	F_LIST_ENUM_STR(struct policy_rule, actions, "actions", action_words, SCHEMA_NONEMPTY),
	F_ENUM_STR(struct policy_rule, role, "role", policy_roles, 0),
};
static const struct schema rule_schema =
	SCHEMA("rule", struct policy_rule, rule_rows, .unknown = SCHEMA_UNKNOWN_ERROR);
static const struct schema_field entry_rows[] = {
	F_STR(struct entry, password, "password", SCHEMA_REQUIRED | SCHEMA_SECRET, 0,
	      .check = policy_check_hash),
	F_TIME(struct entry, expires, "expires", 0),
	F_LIST_OBJ(struct entry, rules, "rules", &rule_schema, 0),
};
static const struct schema entry_schema =
	SCHEMA("account", struct entry, entry_rows, .unknown = SCHEMA_UNKNOWN_ERROR);
static const struct schema_field file_rows[] = {
	F_MAP_OBJ(struct file, users, "users", &entry_schema, 0),
	F_MAP_OBJ(struct file, robots, "robots", &entry_schema, 0),
	F_MAP_INT(struct file, from, "tokensFrom", 0),
	F_INT(struct file, all_from, "allTokensFrom", 0, 0, 0),
};
static const struct schema file_schema =
	SCHEMA("accounts", struct file, file_rows, .unknown = SCHEMA_UNKNOWN_ERROR);

/* ---- reading ---- */

static int add_entry(struct policy *p, const char *name, const struct entry *e, bool robot,
		     struct err *err)
{
	struct account acc = { .name = name,
			       .hash = e->password,
			       .expires = e->expires.set ? e->expires.sec : INT64_MAX,
			       .managed = true,
			       .robot = robot,
			       .limited = e->rules.n > 0 };

	acc.rules.v = e->rules.v;
	acc.rules.n = e->rules.n;
	for (size_t i = 0; i < e->rules.n; i++)
		if (policy_rule_read(&e->rules.v[i], err) < 0)
			return err_wrap(err, "account '%s': rules[%zu]", name, i);
	return policy_add_account(p, acc, err);
}

static void set_from(struct policy *p, const struct file *f)
{
	struct account *acc;
	size_t i = 0;

	while ((acc = map_next(&p->accounts, &i, NULL)))
		acc->tokens_from = f->all_from;
	for (i = 0; i < f->from.n; i++) {
		acc = map_get(&p->accounts, slice_str(f->from.v[i].key));
		if (acc)
			acc->tokens_from = MAX(acc->tokens_from, f->from.v[i].value);
	}
}

static int add_file(struct policy *p, struct slice text, struct err *err)
{
	static const struct schema_opts opts = { .strict = true };
	struct file *f = ARENA_NEW(p->arena, struct file);
	struct doc *d;
	int r = f ? json_read(p->arena, text, NULL, &d, err) : arena_quota(p->arena, err);

	if (r >= 0)
		r = schema_decode(&file_schema, d, p->arena, f, &opts, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < f->users.n && r >= 0; i++)
		r = add_entry(p, f->users.v[i].key, &f->users.v[i].value, false, err);
	for (size_t i = 0; i < f->robots.n && r >= 0; i++)
		r = add_entry(p, f->robots.v[i].key, &f->robots.v[i].value, true, err);
	if (r < 0)
		return r;
	set_from(p, f);
	p->kept = true;
	return 0;
}

/* 0 = the file is not there. */
static int read_bytes(const char *path, struct buf *b, struct err *err)
{
	struct err why = ERR_INIT;

	if (fd_read_file(AT_FDCWD, path, b, &why) >= 0)
		return 1;
	if (why.sys == ENOENT || why.sys == ENOTDIR)
		return 0;
	*err = why;
	return err_ret(err);
}

int accounts_read(struct policy *p, const char *path, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(FILE_MAX);
	struct err why = ERR_INIT;
	struct slice text;
	int r = read_bytes(path, &b, &why);

	if (r > 0) {
		text = slice_of(arena_strndup(p->arena, buf_str(&b), b.n), b.n);
		r = text.p ? add_file(p, text, &why) : arena_quota(p->arena, &why);
	}
	if (r < 0 && err) {
		*err = why;
		return err_wrap(err, "accounts '%s'", path);
	}
	return MIN(r, 0);
}

/* ---- changing ---- */

static struct doc *section(struct arena *a, struct doc *d, const char *key)
{
	struct doc *s = doc_get(d, key);

	return doc_is(s, DOC_OBJECT) ? s : doc_set_object(a, d, key);
}

/* A token of this very second is older than what comes now. */
static void revoke_tokens(struct arena *a, struct doc *d, const char *name)
{
	int64_t from = clock_real() / NS_PER_SEC + 1;

	if (name)
		doc_set_int(a, section(a, d, "tokensFrom"), name, from);
	else
		doc_set_int(a, d, "allTokensFrom", from);
}

static int apply(struct arena *a, struct doc *d, enum account_change what, const char *name,
		 const struct doc *value, struct err *err)
{
	struct doc *users = section(a, d, "users"), *robots = section(a, d, "robots");
	bool robot = what == ACCOUNT_PUT_ROBOT;

	switch (what) {
	case ACCOUNT_PUT_USER:
	case ACCOUNT_PUT_ROBOT:
		(void)doc_remove(robot ? users : robots, name);
		doc_set(a, robot ? robots : users, name, *value);
		break;
	case ACCOUNT_DELETE:
		if (!doc_remove(users, name) && !doc_remove(robots, name))
			return err_set(err, ERR_NOT_FOUND,
				       "there is no account '%.128s' of the admin socket's", name);
		revoke_tokens(a, d, name);
		break;
	case ACCOUNT_REVOKE: revoke_tokens(a, d, name); break;
	}
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

static int write_bytes(const char *path, struct slice bytes, struct err *err)
{
	CLEANUP_FREE char *dir = strdup(path);
	char *slash = dir ? strrchr(dir, '/') : NULL;
	int r;

	if (!slash)
		abort();
	*slash = '\0';
	r = fd_mkdir_p(AT_FDCWD, dir, 0700, err);
	return r < 0 ? r : fd_replace_file(AT_FDCWD, path, bytes.p, bytes.n, 0600, err);
}

int accounts_change(const char *path, enum account_change what, const char *name,
		    const struct doc *value, struct buf *old, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("accounts", ARENA_MAX);
	CLEANUP(buf_fini) struct buf out = BUF_INIT(FILE_MAX);
	struct doc *d = doc_new_object(a);
	int r = read_bytes(path, old, err);

	if (r > 0)
		r = json_read(a, buf_slice(old), NULL, &d, err);
	if (r >= 0)
		r = apply(a, d, what, name, value, err);
	if (r >= 0)
		r = json_write(d, NULL, &out, err);
	if (r >= 0)
		r = write_bytes(path, buf_slice(&out), err);
	return r < 0 ? err_wrap(err, "accounts '%s'", path) : 0;
}

int accounts_restore(const char *path, const struct buf *old, struct err *err)
{
	if (old->n)
		return write_bytes(path, buf_slice(old), err);
	return sys_unlinkat(AT_FDCWD, path, 0) < 0 ? err_sys(err, "remove '%s'", path) : 0;
}
