/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/rest/request.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "io/url.h"

#include <string.h>

#define PARTS_MAX 12

const char *api_request_verb_name(enum api_request_verb v)
{
	static const char names[][17] = { "",	   "get",    "list",
					  "watch", "create", "update",
					  "patch", "delete", "deletecollection",
					  "" };

	return names[v];
}

/* ---- paths ---- */

struct parts {
	const char *v[PARTS_MAX]; /* segments; the last one holds the rest, with slashes */
	size_t n;
};

static bool is_segment(const char *s, size_t n)
{
	return n > 0 && !(n == 1 && s[0] == '.') && !(n == 2 && s[0] == '.' && s[1] == '.');
}

static int no_such_path(const char *path, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND,
		       "the server could not find the requested resource (%.200s)", path);
}

/* Of the resource "namespaces" these are subresources, all other words are resources within. */
static bool is_namespace_sub(const char *s)
{
	return strcmp(s, "status") == 0 || strcmp(s, "finalize") == 0;
}

/* The segments so far end with the subresource "proxy": what follows is the other side's. */
static bool is_proxied(const struct parts *p)
{
	size_t at = strcmp(p->v[0], "apis") == 0 ? 3 : 2;

	if (p->n < at + 3 || strcmp(p->v[p->n - 1], "proxy") != 0 || strcmp(p->v[at], "watch") == 0)
		return false;
	if (strcmp(p->v[at], "namespaces") == 0 && !is_namespace_sub(p->v[at + 2]))
		at += 2;
	return p->n == at + 3;
}

/* At most PARTS_MAX segments, all of them names, up to a proxy's path. A slash at the end is no
 * segment. */
static int split(const char *path, struct arena *a, struct parts *ret, struct err *err)
{
	*ret = (struct parts){ .n = 0 };
	while (*path == '/')
		path++;
	while (*path) {
		size_t n = strcspn(path, "/");

		if (!is_segment(path, n) || ret->n == PARTS_MAX)
			return no_such_path(path, err);
		ret->v[ret->n] = arena_strndup(a, path, n);
		if (!ret->v[ret->n++])
			return err_set(err, ERR_QUOTA, "the path does not fit its memory");
		path += n + (path[n] == '/');
		if (is_proxied(ret))
			break;
	}
	return 0;
}

static enum api_request_verb verb_of(const char *method, bool named, bool watch)
{
	if (strcmp(method, "POST") == 0)
		return VERB_CREATE;
	if (strcmp(method, "PUT") == 0)
		return VERB_UPDATE;
	if (strcmp(method, "PATCH") == 0)
		return VERB_PATCH;
	if (strcmp(method, "DELETE") == 0)
		return named ? VERB_DELETE : VERB_DELETE_COLLECTION;
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return VERB_NONE;
	if (watch && !named)
		return VERB_WATCH;
	return named ? VERB_GET : VERB_LIST;
}

/* What follows the subresource, as a path of its own. */
static const char *rest_of(const char *path, size_t segments)
{
	while (*path == '/')
		path++;
	for (; segments > 0 && *path; segments--) {
		path += strcspn(path, "/");
		if (segments > 1)
			path += *path == '/';
	}
	return path;
}

static void take_resource(const struct parts *p, size_t i, const char *path,
			  struct api_request *ret)
{
	if (i + 1 < p->n && strcmp(p->v[i], "namespaces") == 0) {
		ret->namespace_ = p->v[i + 1];
		if (i + 2 < p->n && !is_namespace_sub(p->v[i + 2]))
			i += 2;
	}
	ret->resource = p->v[i++];
	if (i < p->n)
		ret->name = p->v[i++];
	if (i < p->n)
		ret->subresource = p->v[i++];
	if (strcmp(ret->subresource, "proxy") == 0)
		ret->rest = rest_of(path, i);
}

int api_request_parse(const char *method, const char *path, bool watch, struct arena *a,
		      struct api_request *ret, struct err *err)
{
	struct parts p;
	size_t i = 0;
	char *gv;
	int r;

	*ret = (struct api_request){ VERB_NONE, "", "", "", "", "", "", "", "", false };
	if (strncmp(path, "/api/", 5) != 0 && strncmp(path, "/apis/", 6) != 0)
		return 0;
	r = split(path, a, &p, err);
	if (r < 0 || p.n == 0)
		return r;
	if (strcmp(p.v[0], "apis") == 0) {
		if (p.n < 3)
			return 0;
		ret->group = p.v[++i];
	} else if (p.n < 2) {
		return 0;
	}
	ret->version = p.v[++i];
	gv = arena_alloc(a, strlen(ret->group) + strlen(ret->version) + 2);
	if (!gv)
		return err_set(err, ERR_QUOTA, "the path does not fit its memory");
	(void)stpcpy(stpcpy(stpcpy(gv, ret->group), *ret->group ? "/" : ""), ret->version);
	ret->api_version = gv;
	if (++i < p.n && strcmp(p.v[i], "watch") == 0 && i + 1 < p.n) {
		ret->watch_path = watch = true;
		i++;
	}
	if (i >= p.n)
		return 0;
	take_resource(&p, i, path, ret);
	ret->verb = strcmp(ret->subresource, "proxy") == 0 && strcmp(method, "OPTIONS") == 0
			    ? VERB_OPTIONS
			    : verb_of(method, *ret->name != '\0' && !ret->watch_path, watch);
	return ret->verb
		       ? 0
		       : err_set(err, ERR_BAD_REQUEST, "the method %.20s is not supported", method);
}

/* ---- queries ---- */

struct parse {
	const struct query *q;
	struct arena *a;
	struct api_query *ret;
	struct err *err;
	struct cause *first, **tail;
};

static void cause(struct parse *x, const char *field, const char *reason, const char *detail)
{
	struct cause *c = ARENA_NEW(x->a, struct cause);

	if (!c)
		return;
	*c = (struct cause){ .field = field, .reason = reason, .detail = detail };
	*x->tail = c;
	x->tail = &c->next;
}

static void forbidden(struct parse *x, const char *field, const char *detail)
{
	cause(x, field, "FieldValueForbidden", detail);
}

static const char *text(const struct parse *x, const char *name)
{
	const char *v = query_get(x->q, name);

	return v ? v : "";
}

/* Go's strconv.ParseBool, and "" for a name alone, as upstream's converter has it. */
static int truth(struct parse *x, const char *name, bool *ret, bool *given)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True", "" };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };
	const char *v = query_get(x->q, name);

	*ret = false;
	if (given)
		*given = v != NULL;
	if (!v)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		if (strcmp(v, yes[i]) == 0) {
			*ret = true;
			return 0;
		}
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		if (strcmp(v, no[i]) == 0)
			return 0;
	return err_set(x->err, ERR_BAD_REQUEST, "%s: \"%.64s\" is no truth value", name, v);
}

static int truths(struct parse *x)
{
	struct api_query *r = x->ret;
	int e = truth(x, "watch", &r->watch, NULL);

	if (e == 0)
		e = truth(x, "allowWatchBookmarks", &r->bookmarks, NULL);
	if (e == 0)
		e = truth(x, "sendInitialEvents", &r->send_initial, &r->send_initial_given);
	if (e == 0)
		e = truth(x, "force", &r->force, &r->force_given);
	if (e == 0)
		e = truth(x, "pretty", &r->pretty, &r->pretty_given);
	return e;
}

static int numbers(struct parse *x)
{
	int r = query_int64(x->q, "limit", 0, &x->ret->limit, x->err);

	if (r == 0)
		r = query_int64(x->q, "timeoutSeconds", 0, &x->ret->timeout, x->err);
	if (r < 0)
		return err_set(x->err, ERR_BAD_REQUEST, "limit and timeoutSeconds are integers");
	if (x->ret->limit < 0 || x->ret->timeout < 0)
		return err_set(x->err, ERR_BAD_REQUEST,
			       "limit and timeoutSeconds are not negative");
	return 0;
}

static int delete_options(struct parse *x)
{
	struct api_query *q = x->ret;
	bool orphan = false, given = false;
	int r = query_int64(x->q, "gracePeriodSeconds", INT64_MIN, &q->grace, NULL);

	if (r < 0)
		return err_set(x->err, ERR_BAD_REQUEST, "gracePeriodSeconds is an integer");
	q->has_grace = q->grace != INT64_MIN;
	r = truth(x, "orphanDependents", &orphan, &given);
	q->orphan = given ? orphan : -1;
	q->propagation = text(x, "propagationPolicy");
	return r;
}

static int selectors(struct parse *x)
{
	int r = selector_labels(slice_str(text(x, "labelSelector")), x->a, &x->ret->labels, x->err);

	if (r == 0)
		r = selector_fields(slice_str(text(x, "fieldSelector")), x->a, &x->ret->fields,
				    x->err);
	return r;
}

static void match_of(struct parse *x, bool list)
{
	const char *m = text(x, "resourceVersionMatch"), *rv = x->ret->resource_version;

	if (strcmp(m, "Exact") == 0)
		x->ret->match = MATCH_EXACT;
	else if (strcmp(m, "NotOlderThan") == 0)
		x->ret->match = MATCH_NOT_OLDER;
	else if (*m)
		cause(x, "resourceVersionMatch", "FieldValueNotSupported",
		      "Unsupported value: supported values: \"Exact\", \"NotOlderThan\", \"\"");
	if (!*m || !list)
		return;
	if (!*rv)
		forbidden(x, "resourceVersionMatch",
			  "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is "
			  "provided");
	if (*x->ret->continue_)
		forbidden(x, "resourceVersionMatch",
			  "Forbidden: resourceVersionMatch is forbidden when continue is provided");
	if (x->ret->match == MATCH_EXACT && strcmp(rv, "0") == 0)
		forbidden(x, "resourceVersionMatch",
			  "Forbidden: resourceVersionMatch \"exact\" is forbidden for "
			  "resourceVersion \"0\"");
}

static void check_list(struct parse *x)
{
	match_of(x, true);
	if (x->ret->send_initial_given)
		forbidden(x, "sendInitialEvents",
			  "Forbidden: sendInitialEvents is forbidden for list");
	if (*x->ret->continue_ && *x->ret->resource_version &&
	    strcmp(x->ret->resource_version, "0") != 0)
		forbidden(x, "resourceVersion",
			  "Forbidden: specifying resource version is not allowed when using "
			  "continue");
}

static void check_watch(struct parse *x)
{
	match_of(x, false);
	if (!x->ret->send_initial_given) {
		if (x->ret->match)
			forbidden(x, "resourceVersionMatch",
				  "Forbidden: resourceVersionMatch is forbidden for watch unless "
				  "sendInitialEvents is provided");
	} else if (x->ret->match != MATCH_NOT_OLDER) {
		forbidden(x, "resourceVersionMatch",
			  "Forbidden: sendInitialEvents requires setting resourceVersionMatch to "
			  "NotOlderThan");
	}
	if (*x->ret->continue_)
		forbidden(x, "continue", "Forbidden: continue is forbidden for watch");
}

static void check_write(struct parse *x)
{
	static const char *const words[] = { "Warn", "Ignore", "Strict" };
	const char *v = text(x, "fieldValidation"), *d;
	bool known = !*v;

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(v, words[i]) == 0) {
			x->ret->validation = (enum api_validation)i;
			known = true;
		}
	if (!known)
		cause(x, "fieldValidation", "FieldValueNotSupported",
		      "Unsupported value: supported values: \"\", \"Ignore\", \"Strict\", "
		      "\"Warn\"");
	for (size_t i = 0; (d = query_nth(x->q, "dryRun", i)); i++) {
		x->ret->dry_run = true;
		if (strcmp(d, "All") != 0)
			cause(x, "dryRun", "FieldValueNotSupported",
			      "Unsupported value: supported values: \"All\"");
	}
	if (strlen(x->ret->field_manager) > 128)
		cause(x, "fieldManager", "FieldValueTooLong",
		      "Too long: may not be more than 128 bytes");
	for (const char *p = x->ret->field_manager; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f) {
			cause(x, "fieldManager", "FieldValueInvalid",
			      "Invalid value: has a character that cannot be printed");
			break;
		}
}

const char *api_query_kind(enum api_request_verb v)
{
	static const char *const kinds[] = { "ListOptions",  "GetOptions",    "ListOptions",
					     "ListOptions",  "CreateOptions", "UpdateOptions",
					     "PatchOptions", "DeleteOptions", "ListOptions",
					     "GetOptions" };

	return kinds[v];
}

static int result(struct parse *x, enum api_request_verb v)
{
	if (!x->first)
		return 0;
	(void)err_set(x->err, ERR_INVALID, "%s.meta.k8s.io \"\" is invalid: %s: %s",
		      api_query_kind(v), x->first->field, x->first->detail);
	if (x->err)
		x->err->causes = x->first;
	return -ERR_INVALID;
}

int api_query_parse(struct slice query, enum api_request_verb verb, struct arena *a,
		    struct api_query *ret, struct err *err)
{
	struct query q;
	struct parse x = { .q = &q, .a = a, .ret = ret, .err = err };
	int r = query_parse(a, query, &q, err);

	*ret = (struct api_query){ .match = MATCH_NONE };
	x.tail = &x.first;
	if (r == -ERR_INVALID) { /* of the URL, not of an object */
		if (err)
			err->code = ERR_BAD_REQUEST;
		return -ERR_BAD_REQUEST;
	}
	if (r < 0)
		return r;
	ret->resource_version = text(&x, "resourceVersion");
	ret->continue_ = text(&x, "continue");
	ret->field_manager = text(&x, "fieldManager");
	ret->include_object = text(&x, "includeObject");
	r = truths(&x);
	if (r == 0)
		r = numbers(&x);
	if (r == 0)
		r = delete_options(&x);
	if (r == 0 && *text(&x, "timeout") &&
	    clock_parse_duration(slice_str(text(&x, "timeout")), &ret->request_time, NULL) < 0)
		r = err_set(err, ERR_BAD_REQUEST,
			    "invalid timeout specified in the request URL - \"%.64s\"",
			    text(&x, "timeout"));
	if (r == 0)
		r = selectors(&x);
	if (r < 0)
		return r;
	if (verb == VERB_LIST || verb == VERB_DELETE_COLLECTION)
		check_list(&x);
	if (verb == VERB_WATCH)
		check_watch(&x);
	if (verb >= VERB_CREATE)
		check_write(&x);
	return result(&x, verb);
}
