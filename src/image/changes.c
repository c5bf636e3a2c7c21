/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dockerfile instructions that change a config document: `docker import --change`, `docker commit
 * --change`. The exec form is a JSON array; anything else is the shell form, run by ["/bin/sh",
 * "-c"]. Words of ENV and LABEL may be quoted. No variable is expanded: there is no build here.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "doc/json.h"
#include "image/private.h"

#include <ctype.h>
#include <string.h>

struct change {
	struct arena *a;
	struct doc *config;
	const char *name; /* of the instruction, for messages */
};

static struct doc *member(struct change *c, const char *key, struct doc empty)
{
	struct doc *d = doc_get(c->config, key);

	return d && d->type == empty.type ? d : doc_set(c->a, c->config, key, empty);
}

/* Next word, quotes and backslashes taken off; NULL at the end. */
static char *next_word(struct arena *a, const char **p)
{
	char *word = arena_strdup(a, *p), *out = word;
	char quote = 0;

	while (isspace((unsigned char)**p))
		(*p)++;
	if (!word || !**p)
		return NULL;
	for (; **p && (quote || !isspace((unsigned char)**p)); (*p)++) {
		if (quote ? **p == quote : **p == '"' || **p == '\'') {
			quote = quote ? 0 : **p;
			continue;
		}
		if (**p == '\\' && (*p)[1] && quote != '\'')
			(*p)++;
		*out++ = **p;
	}
	*out = '\0';
	return word;
}

/* A JSON array of strings, or NULL. */
static struct doc *exec_form(struct change *c, const char *rest)
{
	const struct json_options jo = { .copy = true, .max_depth = 4 };
	struct doc *d;

	if (rest[0] != '[' || json_read(c->a, slice_str(rest), &jo, &d, NULL) < 0 ||
	    !doc_is(d, DOC_ARRAY))
		return NULL;
	DOC_EACH (it, d)
		if (!doc_is(it, DOC_STRING))
			return NULL;
	return d;
}

static int set_command(struct change *c, const char *key, const char *rest, struct err *err)
{
	struct doc *d = exec_form(c, rest), arr = doc_array();

	if (!d) {
		doc_append(c->a, &arr, DOC_LIT("/bin/sh"));
		doc_append(c->a, &arr, DOC_LIT("-c"));
		doc_append(c->a, &arr, doc_str(c->a, rest));
		d = &arr;
	}
	doc_set(c->a, c->config, key, *d);
	return 0;
}

static int do_cmd(struct change *c, const char *rest, struct err *err)
{
	return set_command(c, "Cmd", rest, err);
}
static int do_entrypoint(struct change *c, const char *rest, struct err *err)
{
	return set_command(c, "Entrypoint", rest, err);
}

static int do_shell(struct change *c, const char *rest, struct err *err)
{
	struct doc *d = exec_form(c, rest);

	if (!d || !doc_len(d))
		return err_set(err, ERR_BAD_REQUEST,
			       "SHELL requires the arguments to be in JSON form");
	doc_set(c->a, c->config, "Shell", *d);
	return 0;
}

static void put_env(struct change *c, const char *key, const char *value)
{
	struct doc *env = member(c, "Env", doc_array());
	const char *line = arena_printf(c->a, "%s=%s", key, value);
	size_t n = strlen(key);

	DOC_EACH (it, env)
		if (doc_is(it, DOC_STRING) && it->n > n && memcmp(it->s, key, n) == 0 &&
		    it->s[n] == '=') {
			*it = doc_str(c->a, line);
			return;
		}
	doc_append(c->a, env, doc_str(c->a, line));
}

/* "K=V K2=V2", or "K V with blanks". */
static int each_pair(struct change *c, const char *rest,
		     void (*put)(struct change *c, const char *key, const char *value),
		     struct err *err)
{
	const char *p = rest;
	char *word = next_word(c->a, &p);

	if (word && !strchr(word, '=')) {
		while (isspace((unsigned char)*p))
			p++;
		if (!*p)
			return err_set(err, ERR_BAD_REQUEST, "%s must have two arguments", c->name);
		put(c, word, p);
		return 0;
	}
	for (; word; word = next_word(c->a, &p)) {
		char *eq = strchr(word, '=');

		if (!eq || eq == word)
			return err_set(err, ERR_BAD_REQUEST,
				       "Syntax error - can't find = in \"%.100s\". Must be of the "
				       "form: name=value",
				       word);
		*eq = '\0';
		put(c, word, eq + 1);
	}
	return 0;
}

static int do_env(struct change *c, const char *rest, struct err *err)
{
	return each_pair(c, rest, put_env, err);
}

static void put_label(struct change *c, const char *key, const char *value)
{
	doc_set_str(c->a, member(c, "Labels", doc_object()), key, value);
}

static int do_label(struct change *c, const char *rest, struct err *err)
{
	return each_pair(c, rest, put_label, err);
}

static int do_expose(struct change *c, const char *rest, struct err *err)
{
	const char *p = rest;
	char *word;

	while ((word = next_word(c->a, &p))) {
		char *slash = strchr(word, '/');
		const char *proto = slash ? slash + 1 : "tcp";
		static const char *const protos[] = { "tcp", "udp", "sctp", NULL };
		uint64_t port;

		if (slash)
			*slash = '\0';
		if (str_uint64(slice_str(word), &port, NULL) < 0 || port < 1 || port > 65535 ||
		    !str_is_one_of(proto, protos))
			return err_set(err, ERR_BAD_REQUEST, "invalid containerPort: %.64s", word);
		doc_set(c->a, member(c, "ExposedPorts", doc_object()),
			arena_printf(c->a, "%u/%s", (unsigned)port, proto), doc_object());
	}
	return 0;
}

static int do_volume(struct change *c, const char *rest, struct err *err)
{
	struct doc *list = exec_form(c, rest), *vols = member(c, "Volumes", doc_object());
	const char *p = rest;
	char *word;

	DOC_EACH (it, list)
		doc_setn(c->a, vols, doc_slice(it), doc_object());
	while (!list && (word = next_word(c->a, &p)))
		doc_set(c->a, vols, word, doc_object());
	return 0;
}

static int do_user(struct change *c, const char *rest, struct err *err)
{
	doc_set_str(c->a, c->config, "User", rest);
	return 0;
}
static int do_stopsignal(struct change *c, const char *rest, struct err *err)
{
	doc_set_str(c->a, c->config, "StopSignal", rest);
	return 0;
}

static int do_workdir(struct change *c, const char *rest, struct err *err)
{
	const struct doc *old = doc_get(c->config, "WorkingDir");
	struct slice base = doc_slice(old);

	if (rest[0] == '/')
		doc_set_str(c->a, c->config, "WorkingDir", rest);
	else
		doc_set_str(c->a, c->config, "WorkingDir",
			    arena_printf(c->a, "%.*s/%s", (int)base.n, base.n ? base.p : "", rest));
	return 0;
}

static int do_onbuild(struct change *c, const char *rest, struct err *err)
{
	static const struct {
		const char *word;
	} refused[] = { { "ONBUILD" }, { "FROM" }, { "MAINTAINER" } };

	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		if (strncasecmp(rest, refused[i].word, strlen(refused[i].word)) == 0)
			return err_set(err, ERR_BAD_REQUEST,
				       "%s isn't allowed as an ONBUILD trigger", refused[i].word);
	doc_append(c->a, member(c, "OnBuild", doc_array()), doc_str(c->a, rest));
	return 0;
}

/* "[--interval=30s --timeout=3s --retries=3 ...] CMD command" or "NONE". */
static int do_healthcheck(struct change *c, const char *rest, struct err *err)
{
	static const struct {
		const char *flag, *key;
	} flags[] = { { "--interval=", "Interval" },
		      { "--timeout=", "Timeout" },
		      { "--start-period=", "StartPeriod" },
		      { "--start-interval=", "StartInterval" } };
	struct doc health = doc_object(), test = doc_array(), *exec;
	const char *p = rest;
	char *word = next_word(c->a, &p);
	int64_t v;

	for (; word && word[0] == '-'; word = next_word(c->a, &p)) {
		const char *key = NULL, *text = strchr(word, '=');

		for (size_t i = 0; i < ARRAY_LEN(flags); i++)
			if (strncmp(word, flags[i].flag, strlen(flags[i].flag)) == 0)
				key = flags[i].key;
		if (strncmp(word, "--retries=", 10) == 0 &&
		    str_int64(slice_str(text + 1), &v, NULL) == 0)
			key = "Retries";
		else if (!key || clock_parse_duration(slice_str(text + 1), &v, NULL) < 0)
			return err_set(err, ERR_BAD_REQUEST, "HEALTHCHECK: bad flag '%.64s'", word);
		doc_set(c->a, &health, key, doc_int(c->a, v));
	}
	while (isspace((unsigned char)*p))
		p++;
	if (word && strcasecmp(word, "NONE") == 0) {
		doc_append(c->a, &test, DOC_LIT("NONE"));
	} else if (word && strcasecmp(word, "CMD") == 0 && *p) {
		exec = exec_form(c, p);
		doc_append(c->a, &test, exec ? DOC_LIT("CMD") : DOC_LIT("CMD-SHELL"));
		DOC_EACH (it, exec)
			doc_append(c->a, &test, *it);
		if (!exec)
			doc_append(c->a, &test, doc_str(c->a, p));
	} else {
		return err_set(err, ERR_BAD_REQUEST,
			       "HEALTHCHECK: must be CMD with a command, or NONE");
	}
	doc_set(c->a, &health, "Test", test);
	doc_set(c->a, c->config, "Healthcheck", health);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(struct change *c, const char *rest, struct err *err);
} instructions[] = {
	{ "CMD", do_cmd },
	{ "ENTRYPOINT", do_entrypoint },
	{ "ENV", do_env },
	{ "EXPOSE", do_expose },
	{ "HEALTHCHECK", do_healthcheck },
	{ "LABEL", do_label },
	{ "ONBUILD", do_onbuild },
	{ "SHELL", do_shell },
	{ "STOPSIGNAL", do_stopsignal },
	{ "USER", do_user },
	{ "VOLUME", do_volume },
	{ "WORKDIR", do_workdir },
};

static int apply_line(struct arena *a, struct doc *config, const char *line, struct err *err)
{
	struct slice s = slice_trim(slice_str(line));
	size_t n = 0;
	char *text;

	while (n < s.n && !isspace((unsigned char)s.p[n]))
		n++;
	text = arena_strndup(a, s.p ? s.p : "", s.n);
	if (!text)
		return arena_quota(a, err);
	for (size_t i = 0; i < ARRAY_LEN(instructions); i++) {
		struct change c = { a, config, instructions[i].name };
		const char *rest = text + n;

		if (strlen(c.name) != n || strncasecmp(text, c.name, n) != 0)
			continue;
		while (isspace((unsigned char)*rest))
			rest++;
		if (!*rest)
			return err_set(err, ERR_BAD_REQUEST, "%s requires at least one argument",
				       c.name);
		return instructions[i].run(&c, rest, err);
	}
	return err_set(err, ERR_BAD_REQUEST, "%.*s is not a valid change command", (int)MIN(n, 64u),
		       text);
}

int image_changes_apply(struct arena *a, struct doc *config, const char *const *lines, size_t n,
			struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < n && r >= 0; i++)
		r = apply_line(a, config, lines[i], err);
	return r >= 0 && arena_exceeded(a) ? arena_quota(a, err) : r;
}
