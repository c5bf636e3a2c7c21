/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/objects/status.h"

#include "api/api.h"
#include "base/arena.h"
#include "base/err.h"
#include "doc/doc.h"

#include <stdio.h>
#include <string.h>

#define MESSAGE_MAX (1u << 20)

enum { /* what of `about` the details tell */
       TELL_RESOURCE = 1 << 0,
       TELL_KIND = 1 << 1,
       TELL_NAME = 1 << 2,
       TELL_MESSAGE = 1 << 3, /* the message again, as a cause */
       TELL_RETRY = 1 << 4,   /* details are there, also empty */
};

struct reason {
	const char *name;
	int http;
};
static const struct reason reasons[STATUS_REASON_COUNT] = { [STATUS_BY_CODE] = { "", 0 },
#define X(id, http, reason) [STATUS_##id] = { reason, http },
							    STATUS_REASONS(X)
#undef X
};

static const struct {
	uint8_t tell;
	const char *front; /* upstream's, before every message of this reason */
} forms[STATUS_REASON_COUNT] = {
	[STATUS_FORBIDDEN] = { TELL_RESOURCE | TELL_NAME, NULL },
	[STATUS_NOT_FOUND] = { TELL_RESOURCE | TELL_NAME, NULL },
	[STATUS_METHOD_NOT_ALLOWED] = { TELL_RESOURCE, NULL },
	[STATUS_EXISTS] = { TELL_RESOURCE | TELL_NAME, NULL },
	[STATUS_CONFLICT] = { TELL_RESOURCE | TELL_NAME, NULL },
	[STATUS_TOO_LARGE] = { 0, "Request entity too large: " },
	[STATUS_INVALID] = { TELL_KIND | TELL_NAME, NULL },
	[STATUS_TOO_MANY_REQUESTS] = { TELL_RETRY, NULL },
	[STATUS_INTERNAL] = { TELL_MESSAGE, "Internal error occurred: " },
	[STATUS_SERVER_TIMEOUT] = { TELL_RESOURCE | TELL_NAME, NULL },
	[STATUS_STORAGE_READ] = { TELL_RESOURCE | TELL_NAME, NULL },
	[STATUS_TIMEOUT] = { TELL_RETRY, "Timeout: " },
};

static const uint8_t by_code[ERR_CODE_COUNT] = {
	[ERR_NONE] = STATUS_INTERNAL,
	[ERR_BAD_REQUEST] = STATUS_BAD_REQUEST,
	[ERR_INVALID] = STATUS_INVALID,
	[ERR_UNAUTHORIZED] = STATUS_UNAUTHORIZED,
	[ERR_FORBIDDEN] = STATUS_FORBIDDEN,
	[ERR_NOT_FOUND] = STATUS_NOT_FOUND,
	[ERR_EXISTS] = STATUS_EXISTS,
	[ERR_CONFLICT] = STATUS_CONFLICT,
	[ERR_GONE] = STATUS_EXPIRED,
	[ERR_TOO_LARGE] = STATUS_TOO_LARGE,
	[ERR_QUOTA] = STATUS_TOO_MANY_REQUESTS,
	[ERR_UNSUPPORTED] = STATUS_UNSUPPORTED_MEDIA_TYPE,
	[ERR_TIMEOUT] = STATUS_TIMEOUT,
	[ERR_UNAVAILABLE] = STATUS_UNAVAILABLE,
	[ERR_SYSTEM] = STATUS_INTERNAL,
};

struct status_about status_about(const struct api_kind *k)
{
	struct status_about s = { 0 };

	if (k) {
		s.group = k->group->group;
		s.resource = k->resource;
		s.kind = k->kind;
	}
	return s;
}

/* ---- the document ---- */

static void set_text(struct arena *a, struct doc *obj, const char *key, const char *value)
{
	if (value && *value)
		doc_set_str(a, obj, key, value);
}

static void add_cause(struct arena *a, struct doc *causes, const char *reason, const char *message,
		      const char *field)
{
	struct doc *c = doc_append_object(a, causes);

	set_text(a, c, "reason", reason);
	set_text(a, c, "message", message);
	set_text(a, c, "field", field);
}

static void add_causes(struct arena *a, struct doc *details, const struct err *err, unsigned tell)
{
	struct doc *causes;

	if (!err->causes && !(tell & TELL_MESSAGE))
		return;
	causes = doc_set_array(a, details, "causes");
	for (const struct cause *c = err->causes; c; c = c->next)
		add_cause(a, causes, c->reason, c->detail, c->field);
	if (!err->causes)
		add_cause(a, causes, NULL, err->msg, NULL);
}

static struct doc details_of(struct arena *a, const struct err *err, const struct status_about *s,
			     enum status_reason reason)
{
	unsigned tell = forms[reason].tell;
	struct doc d = doc_object();

	/* conflicts of appliers are told by their causes alone */
	if (reason == STATUS_CONFLICT && err->causes)
		tell = 0;
	if (tell & TELL_NAME)
		set_text(a, &d, "name", s->name);
	if (tell & (TELL_RESOURCE | TELL_KIND)) {
		set_text(a, &d, "group", s->group);
		set_text(a, &d, "kind", tell & TELL_KIND ? s->kind : s->resource);
		set_text(a, &d, "uid", s->uid);
	}
	add_causes(a, &d, err, tell);
	if (s->retry_after)
		doc_set_int(a, &d, "retryAfterSeconds", s->retry_after);
	return d;
}

/* The whole message where err has it cut: made again of the causes. */
static void whole_message(const struct err *err, struct buf *out)
{
	static const char invalid[] = " is invalid: ";
	const char *colon = strstr(err->msg, invalid);
	bool many = err->causes && err->causes->next;

	if (!err->causes || !colon || strlen(err->msg) + 1 < sizeof(err->msg)) {
		(void)buf_adds(out, err->msg);
		return;
	}
	(void)buf_add(out, err->msg, (size_t)(colon - err->msg) + sizeof(invalid) - 1);
	(void)buf_adds(out, many ? "[" : "");
	for (const struct cause *c = err->causes; c; c = c->next)
		(void)buf_addf(out, "%s%s: %s", c == err->causes ? "" : ", ", c->field, c->detail);
	(void)buf_adds(out, many ? "]" : "");
}

static struct doc message_of(struct arena *a, const struct err *err, enum status_reason reason)
{
	const char *front = forms[reason].front ? forms[reason].front : "";
	CLEANUP(buf_fini) struct buf text = BUF_INIT(MESSAGE_MAX);

	if (strncmp(err->msg, front, strlen(front)) != 0)
		(void)buf_adds(&text, front);
	whole_message(err, &text);
	return doc_strn(a, text.p ? text.p : "", text.n);
}

static void head(struct arena *a, struct doc *d, const char *status)
{
	*d = doc_object();
	doc_set_str(a, d, "kind", "Status");
	doc_set_str(a, d, "apiVersion", "v1");
	doc_set_object(a, d, "metadata");
	doc_set_str(a, d, "status", status);
}

int status_doc(const struct err *err, const struct status_about *about, struct arena *a,
	       struct doc *ret, int *ret_http)
{
	static const struct status_about none;
	const struct status_about *s = about ? about : &none;
	unsigned code = (unsigned)err->code;
	enum status_reason reason = s->reason;
	struct doc d, details;

	if (reason == STATUS_BY_CODE)
		reason = code < ERR_CODE_COUNT ? by_code[code] : STATUS_INTERNAL;
	head(a, &d, "Failure");
	doc_set(a, &d, "message", message_of(a, err, reason));
	if (s->continue_)
		doc_set_str(a, doc_get(&d, "metadata"), "continue", s->continue_);
	set_text(a, &d, "reason", reasons[reason].name);
	details = details_of(a, err, s, reason);
	if (details.n || (forms[reason].tell && about))
		doc_set(a, &d, "details", details);
	doc_set_int(a, &d, "code", reasons[reason].http);
	if (arena_exceeded(a))
		return -ERR_QUOTA;
	*ret = d;
	*ret_http = reasons[reason].http;
	return 0;
}

int status_success(const struct status_about *about, int code, struct arena *a, struct doc *ret)
{
	struct doc d, *details;

	head(a, &d, "Success");
	if (about) {
		details = doc_set_object(a, &d, "details");
		set_text(a, details, "name", about->name);
		set_text(a, details, "group", about->group);
		set_text(a, details, "kind", about->resource);
		set_text(a, details, "uid", about->uid);
	}
	if (code)
		doc_set_int(a, &d, "code", code);
	if (arena_exceeded(a))
		return -ERR_QUOTA;
	*ret = d;
	return 0;
}

/* ---- helpers ---- */

/* "deployments.apps", "pods" */
static const char *qualified(const char *what, const char *group, char *out, size_t n)
{
	(void)snprintf(out, n, "%s%s%s", what ? what : "", group && *group ? "." : "",
		       group ? group : "");
	return out;
}

struct words {
	char resource[256];
	char why[900];
};
static void words_of(struct words *w, const struct status_about *s, const char *fmt, va_list ap)
{
	int n = vsnprintf(w->why, sizeof(w->why), fmt, ap);

	if (n < 0)
		w->why[0] = '\0';
	else if ((size_t)n >= sizeof(w->why))
		memcpy(w->why + sizeof(w->why) - 4, "...", 4);
	(void)qualified(s->resource, s->group, w->resource, sizeof(w->resource));
}

static int set_reason(struct status_about *s, enum status_reason reason, const char *name, int r)
{
	s->reason = reason;
	s->name = name;
	return r;
}

/* Those that say only why. */
#define PLAIN(fn, id, err_id)                                                 \
	int fn(struct err *err, struct status_about *s, const char *fmt, ...) \
	{                                                                     \
		struct words w;                                               \
		va_list ap;                                                   \
                                                                              \
		va_start(ap, fmt);                                            \
		words_of(&w, s, fmt, ap);                                     \
		va_end(ap);                                                   \
		return set_reason(s, STATUS_##id, s->name,                    \
				  err_set(err, ERR_##err_id, "%s", w.why));   \
	}
PLAIN(status_bad_request, BAD_REQUEST, BAD_REQUEST)
PLAIN(status_expired, EXPIRED, GONE)
PLAIN(status_gone, GONE, GONE)
PLAIN(status_internal, INTERNAL, SYSTEM)
PLAIN(status_unavailable, UNAVAILABLE, UNAVAILABLE)
#undef PLAIN

int status_unauthorized(struct err *err, struct status_about *s)
{
	return set_reason(s, STATUS_UNAUTHORIZED, s->name,
			  err_set(err, ERR_UNAUTHORIZED, "Unauthorized"));
}

int status_forbidden(struct err *err, struct status_about *s, const char *name, const char *fmt,
		     ...)
{
	struct words w;
	va_list ap;
	int r;

	va_start(ap, fmt);
	words_of(&w, s, fmt, ap);
	va_end(ap);
	if (!w.resource[0])
		r = err_set(err, ERR_FORBIDDEN, "forbidden: %s", w.why);
	else if (!name || !*name)
		r = err_set(err, ERR_FORBIDDEN, "%s is forbidden: %s", w.resource, w.why);
	else
		r = err_set(err, ERR_FORBIDDEN, "%s \"%s\" is forbidden: %s", w.resource, name,
			    w.why);
	return set_reason(s, STATUS_FORBIDDEN, name, r);
}

int status_not_found(struct err *err, struct status_about *s, const char *name)
{
	char room[256];

	return set_reason(s, STATUS_NOT_FOUND, name,
			  err_set(err, ERR_NOT_FOUND, "%s \"%s\" not found",
				  qualified(s->resource, s->group, room, sizeof(room)),
				  name ? name : ""));
}

int status_no_resource(struct err *err, struct status_about *s)
{
	*s = (struct status_about){ 0 };
	return set_reason(
		s, STATUS_NOT_FOUND, NULL,
		err_set(err, ERR_NOT_FOUND, "the server could not find the requested resource"));
}

int status_method_not_allowed(struct err *err, struct status_about *s, const char *action)
{
	char room[256];

	return set_reason(s, STATUS_METHOD_NOT_ALLOWED, s->name,
			  err_set(err, ERR_UNSUPPORTED,
				  "%s is not supported on resources of kind \"%s\"", action,
				  qualified(s->resource, s->group, room, sizeof(room))));
}

int status_not_acceptable(struct err *err, struct status_about *s)
{
	return set_reason(s, STATUS_NOT_ACCEPTABLE, s->name, err_ret(err));
}

static int exists(struct err *err, struct status_about *s, const char *name, const char *more)
{
	char room[256];

	return set_reason(s, STATUS_EXISTS, name,
			  err_set(err, ERR_EXISTS, "%s \"%s\" already exists%s",
				  qualified(s->resource, s->group, room, sizeof(room)),
				  name ? name : "", more));
}

int status_exists(struct err *err, struct status_about *s, const char *name)
{
	return exists(err, s, name, "");
}

int status_generate_exists(struct err *err, struct status_about *s, const char *name)
{
	s->retry_after = 1;
	return exists(err, s, name,
		      ", the server was not able to generate a unique name for the object");
}

int status_conflict(struct err *err, struct status_about *s, const char *name, const char *fmt, ...)
{
	struct words w;
	va_list ap;

	va_start(ap, fmt);
	words_of(&w, s, fmt, ap);
	va_end(ap);
	return set_reason(s, STATUS_CONFLICT, name,
			  err_set(err, ERR_CONFLICT,
				  "Operation cannot be fulfilled on %s \"%s\": %s", w.resource,
				  name ? name : "", w.why));
}

int status_too_large(struct err *err, struct status_about *s, uint64_t max)
{
	return set_reason(s, STATUS_TOO_LARGE, s->name,
			  err_set(err, ERR_TOO_LARGE, "Request entity too large: limit is %llu",
				  (unsigned long long)max));
}

int status_invalid(struct err *err, struct status_about *s, const char *name, const char *fmt, ...)
{
	char room[256];
	struct words w;
	va_list ap;

	va_start(ap, fmt);
	words_of(&w, s, fmt, ap);
	va_end(ap);
	return set_reason(s, STATUS_INVALID, name,
			  err_set(err, ERR_INVALID, "%s \"%s\" is invalid%s%s",
				  qualified(s->kind, s->group, room, sizeof(room)),
				  name ? name : "", w.why[0] ? ": " : "", w.why));
}

/* To be asked again after a while. */
static int later(struct err *err, struct status_about *s, enum status_reason reason,
		 enum err_code code, unsigned retry_after, const char *fmt, va_list ap)
{
	struct words w;

	words_of(&w, s, fmt, ap);
	s->retry_after = retry_after;
	return set_reason(s, reason, s->name, err_set(err, code, "%s", w.why));
}

int status_too_many(struct err *err, struct status_about *s, unsigned retry_after, const char *fmt,
		    ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = later(err, s, STATUS_TOO_MANY_REQUESTS, ERR_QUOTA, retry_after, fmt, ap);
	va_end(ap);
	return r;
}

int status_server_timeout(struct err *err, struct status_about *s, const char *action,
			  unsigned retry_after)
{
	char room[256];

	s->retry_after = retry_after;
	return set_reason(s, STATUS_SERVER_TIMEOUT, action,
			  err_set(err, ERR_TIMEOUT,
				  "The %s operation against %s could not be completed at this "
				  "time, please try again.",
				  action, qualified(s->resource, s->group, room, sizeof(room))));
}

int status_timeout(struct err *err, struct status_about *s, unsigned retry_after, const char *fmt,
		   ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = later(err, s, STATUS_TIMEOUT, ERR_TIMEOUT, retry_after, fmt, ap);
	va_end(ap);
	return r;
}
