/* SPDX-License-Identifier: Apache-2.0 */
/* Options of what pods are asked: from the query of the API to that of a node's agent. */
#include "apiserver/rest/rest-connect.h"

#include "io/url.h"

#include <stdio.h>
#include <string.h>

bool connect_flag(const struct connect *x, const char *name)
{
	const char *v = query_get(&x->query, name);

	return v && strcasecmp(v, "false") != 0 && strcmp(v, "0") != 0;
}

struct invalid {
	struct connect *x;
	struct err *err;
	struct cause **tail;
};

static void complain(struct invalid *v, const char *field, const char *reason, const char *detail)
{
	struct arena *a = v->x->call->a;
	struct cause *k = ARENA_NEW(a, struct cause);

	if (!k)
		return;
	*k = (struct cause){ .field = field, .reason = reason, .detail = detail };
	*v->tail = k;
	v->tail = &k->next;
}

static void complain_value(struct invalid *v, const char *field, int64_t value, const char *why)
{
	complain(v, field, "FieldValueInvalid",
		 arena_printf(v->x->call->a, "Invalid value: %lld: %s", (long long)value, why));
}

/* 1: it is there. */
static int number(struct connect *x, const char *name, int64_t *ret, struct err *err)
{
	const char *v = query_get(&x->query, name);

	if (!v)
		return 0;
	if (str_int64(slice_str(v), ret, NULL) < 0)
		return status_bad_request(err, &x->call->about,
					  "strconv.ParseInt: parsing \"%.64s\": invalid syntax", v);
	return 1;
}

static bool is_digits(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] < '0' || s[i] > '9')
			return false;
	return true;
}

/* RFC 3339: "2026-01-02T15:04:05Z", with a fraction or an offset. */
static bool is_time(const char *s)
{
	static const char shape[] = "0000-00-00T00:00:00";
	size_t n = strlen(s), at = sizeof(shape) - 1;

	if (n < sizeof(shape) || n > 40)
		return false;
	for (size_t i = 0; i < at; i++)
		if (shape[i] == '0' ? !is_digits(s + i, 1) : s[i] != shape[i])
			return false;
	if (s[at] == '.') {
		size_t digits = strspn(s + at + 1, "0123456789");

		if (digits == 0)
			return false;
		at += 1 + digits;
	}
	if (s[at] == 'Z')
		return s[at + 1] == '\0';
	return (s[at] == '+' || s[at] == '-') && n == at + 6 && is_digits(s + at + 1, 2) &&
	       s[at + 3] == ':' && is_digits(s + at + 4, 2);
}

static void check_log(struct invalid *v, const int64_t n[3], const int has[3], bool since_time)
{
	if (has[0] && n[0] < 0)
		complain_value(v, "tailLines", n[0], "must be greater than or equal to 0");
	if (has[1] && n[1] < 1)
		complain_value(v, "limitBytes", n[1], "must be greater than 0");
	if (has[2] && since_time)
		complain(v, "[]", "FieldValueForbidden",
			 "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be "
			 "specified");
	else if (has[2] && n[2] < 1)
		complain_value(v, "sinceSeconds", n[2], "must be greater than 0");
	if (query_get(&v->x->query, "stream"))
		complain(v, "stream", "FieldValueForbidden", "Forbidden: may not be specified");
}

static int invalid(struct connect *x, const struct cause *first, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(sizeof(err->msg));
	const bool many = first->next != NULL;

	for (const struct cause *k = first; k; k = k->next)
		(void)buf_addf(&b, "%s%s: %s", k == first ? "" : ", ", k->field, k->detail);
	x->call->about =
		(struct status_about){ .kind = "PodLogOptions", .resource = "PodLogOptions" };
	(void)status_invalid(err, &x->call->about, x->call->rq.name, many ? "[%s]" : "%s",
			     buf_str(&b));
	err->causes = (struct cause *)first;
	return -ERR_INVALID;
}

/* The query of the agent's path, from PodLogOptions. */
static int log_query(struct connect *x, struct buf *b, struct err *err)
{
	static const char *const names[] = { "tailLines", "limitBytes", "sinceSeconds" };
	static const char *const flags[] = { "follow", "previous", "timestamps" };
	const char *since = query_get(&x->query, "sinceTime");
	struct cause *first = NULL;
	struct invalid v = { x, err, &first };
	char digits[24];
	int64_t n[3];
	int has[3];

	for (size_t i = 0; i < 3; i++) {
		has[i] = number(x, names[i], &n[i], err);
		if (has[i] < 0)
			return has[i];
	}
	if (since && !is_time(since))
		return status_bad_request(err, &x->call->about,
					  "parsing time \"%.64s\" as "
					  "\"2006-01-02T15:04:05Z07:00\": cannot parse it",
					  since);
	check_log(&v, n, has, since != NULL);
	if (first)
		return invalid(x, first, err);
	for (size_t i = 0; i < 3; i++)
		(void)query_add(b, flags[i], connect_flag(x, flags[i]) ? "true" : NULL);
	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(digits, sizeof(digits), "%lld", has[i] ? (long long)n[i] : 0);
		(void)query_add(b, names[i], has[i] ? digits : NULL);
	}
	(void)query_add(b, "sinceTime", since);
	x->follow = connect_flag(x, "follow");
	return 0;
}

/* Of exec and attach, as agents know them. */
static void streams_query(struct connect *x, struct buf *b)
{
	const char *command;

	x->streams = (struct connect_streams){ .in = connect_flag(x, "stdin"),
					       .out = connect_flag(x, "stdout"),
					       .err = connect_flag(x, "stderr"),
					       .tty = connect_flag(x, "tty") };
	for (size_t i = 0; x->sub == CONNECT_EXEC && (command = query_nth(&x->query, "command", i));
	     i++)
		(void)query_add(b, "command", command);
	(void)query_add(b, "error", x->streams.err ? "1" : NULL);
	(void)query_add(b, "input", x->streams.in ? "1" : NULL);
	(void)query_add(b, "output", x->streams.out ? "1" : NULL);
	(void)query_add(b, "tty", x->streams.tty ? "1" : NULL);
}

static int ports_query(struct connect *x, struct buf *b, struct err *err)
{
	CLEANUP(buf_fini) struct buf ports = BUF_INIT(CONNECT_TARGET_MAX);
	const char *v;
	int64_t port;

	for (size_t i = 0; (v = query_nth(&x->query, "ports", i)); i++) {
		/* Several in one value, too: kubectl never did, others do. */
		struct slice rest = slice_str(v);

		while (rest.p) {
			if (str_int64(slice_split(&rest, ','), &port, NULL) < 0 || port < 1 ||
			    port > UINT16_MAX)
				return status_bad_request(err, &x->call->about,
							  "strconv.ParseInt: parsing \"%.64s\": "
							  "invalid syntax",
							  v);
			(void)buf_addf(&ports, "%s%lld", ports.n ? "," : "", (long long)port);
		}
	}
	return ports.n ? query_add(b, "port", buf_str(&ports)) : 0;
}

int connect_query(struct connect *x, struct buf *b, struct err *err)
{
	if (x->sub == CONNECT_LOG)
		return log_query(x, b, err);
	if (x->sub == CONNECT_FORWARD)
		return ports_query(x, b, err);
	streams_query(x, b);
	return 0;
}

/* One field of the options as the query has it; null: it has none. */
static struct doc option(struct connect *x, const struct schema_field *f, struct arena *a)
{
	const char *v = query_get(&x->query, f->name);
	struct doc list = doc_array();
	int64_t n;

	if (!v)
		return doc_null();
	if (f->type == SCHEMA_BOOL)
		return connect_flag(x, f->name) ? doc_bool(true) : doc_null();
	if (f->type != SCHEMA_LIST)
		return doc_str(a, v);
	for (size_t i = 0; (v = query_nth(&x->query, f->name, i)); i++)
		if (f->elem_type != SCHEMA_INT)
			doc_append_str(a, &list, v);
		else if (str_int64(slice_str(v), &n, NULL) == 0)
			doc_append(a, &list, doc_int(a, n));
	return list;
}

int connect_options(struct connect *x, struct doc *ret, struct err *err)
{
	struct call *c = x->call;
	struct arena *a = call_work(c);
	const struct api_type *t = api_type(c->srv->conf.api, "v1", c->sub->kind);

	*ret = doc_object();
	doc_set_str(a, ret, "kind", c->sub->kind);
	doc_set_str(a, ret, "apiVersion", "v1");
	for (size_t i = 0; t && i < t->schema.n; i++) {
		const struct schema_field *f = &t->schema.fields[i];
		struct doc v = doc_null();

		if (api_note_of(t, f)->flags & API_TYPE_META)
			continue;
		if (strcmp(f->name, "path") != 0)
			v = option(x, f, a);
		else if (*c->rq.rest)
			v = doc_str(a, c->rq.rest);
		if (v.type != DOC_NULL)
			doc_set(a, ret, f->name, v);
	}
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}
