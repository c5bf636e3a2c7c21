/* SPDX-License-Identifier: Apache-2.0 */
#include "api/check-parts.h"

#include "api/quantity.h"
#include "api/selector.h"
#include "base/arena.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>

#define TEXT(s) (int)(s).n, (s).p

/* ---- reading ---- */

bool part_set(const struct doc *obj, const char *field)
{
	const struct doc *d = doc_get(obj, field);

	return d && d->type != DOC_NULL;
}

bool part_full(const struct doc *obj, const char *field)
{
	const struct doc *d = doc_get(obj, field);

	return d && d->type != DOC_NULL && d->n > 0;
}

int64_t part_number(const struct doc *obj, const char *field)
{
	const struct doc *d = doc_get(obj, field);
	int64_t v = 0;

	if (doc_is(d, DOC_NUMBER))
		(void)doc_int64(d, &v);
	return v;
}

bool part_has_text(const struct doc *list, const char *text)
{
	DOC_EACH (e, list)
		if (doc_str_is(e, text))
			return true;
	return false;
}

static bool same(const struct doc *a, const struct doc *b)
{
	static const struct doc nothing = { .type = DOC_NULL };

	return doc_equal(a ? a : &nothing, b ? b : &nothing);
}

bool part_same(const struct doc *a, const struct doc *b, const char *field)
{
	return same(doc_get(a, field), doc_get(b, field));
}

int part_sign(const struct doc *quantity)
{
	struct quantity q;

	if (!quantity || !quantity_parse(doc_slice(quantity), &q))
		return 0;
	return q.nano < 0 ? -1 : q.nano > 0;
}

/* ---- one error ---- */

void part_required(struct check *c, const struct path *p, const char *field, const char *detail)
{
	const struct path at = PATH(p, field);

	check_required(c, &at, detail);
}

void part_forbidden(struct check *c, const struct path *p, const char *field, const char *fmt, ...)
{
	const struct path at = PATH(p, field);
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	check_forbidden(c, &at, "%s", text);
}

void part_invalid(struct check *c, const struct path *p, const struct doc *obj, const char *field,
		  const char *fmt, ...)
{
	const struct path at = PATH(p, field);
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	check_invalid(c, &at, doc_get(obj, field), "%s", text);
}

void part_bad_number(struct check *c, const struct path *p, const struct doc *obj,
		     const char *field, const char *fmt, ...)
{
	static const struct doc zero = { .type = DOC_NUMBER, .flags = DOC_INT, .n = 1, .s = "0" };
	const struct path at = PATH(p, field);
	const struct doc *v = doc_get(obj, field);
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	check_invalid(c, &at, v ? v : &zero, "%s", text);
}

void part_duplicate(struct check *c, const struct path *p, const struct doc *obj, const char *field)
{
	const struct path at = PATH(p, field);

	check_duplicate(c, &at, doc_get(obj, field));
}

/* ---- one member ---- */

void part_text(struct check *c, const struct path *p, const struct doc *obj, const char *field,
	       check_form *form)
{
	const struct path at = PATH(p, field);

	check_text(c, &at, doc_get(obj, field), form);
}

void part_optional(struct check *c, const struct path *p, const struct doc *obj, const char *field,
		   check_form *form)
{
	const struct path at = PATH(p, field);

	check_optional_text(c, &at, doc_get(obj, field), form);
}

void part_form(struct check *c, const struct path *p, const struct doc *obj, const char *field,
	       check_form *form)
{
	const struct slice s = doc_slice(doc_get(obj, field));
	const char *why = form(s.p ? s : SLICE(""));

	if (why)
		part_invalid(c, p, obj, field, "%s", why);
}

void part_one_of(struct check *c, const struct path *p, const struct doc *obj, const char *field,
		 const char *const *valid, bool required)
{
	const struct path at = PATH(p, field);

	if (required)
		check_one_of(c, &at, doc_get(obj, field), valid, true);
	else
		check_exactly_one_of(c, &at, doc_get(obj, field), valid);
}

void part_maybe_one_of(struct check *c, const struct path *p, const struct doc *obj,
		       const char *field, const char *const *valid)
{
	if (part_set(obj, field))
		part_one_of(c, p, obj, field, valid, false);
}

void part_not_negative(struct check *c, const struct path *p, const struct doc *obj,
		       const char *const *fields)
{
	for (; *fields; fields++) {
		const struct path at = PATH(p, *fields);

		check_not_negative(c, &at, doc_get(obj, *fields));
	}
}

void part_immutable(struct check *c, const struct path *p, const struct doc *now,
		    const struct doc *old, const char *const *fields)
{
	for (; *fields; fields++) {
		const struct path at = PATH(p, *fields);

		check_immutable(c, &at, doc_get(now, *fields), doc_get(old, *fields));
	}
}

void part_selector(struct check *c, const struct path *p, const struct doc *obj, const char *field)
{
	const struct path at = PATH(p, field);

	check_label_selector(c, &at, doc_get(obj, field));
}

void part_not_longer(struct check *c, const struct path *p, const struct doc *obj,
		     const char *field, unsigned max)
{
	const struct path at = PATH(p, field);

	if (doc_slice(doc_get(obj, field)).n > max)
		check_too_long(c, &at, max);
}

/* ---- lists of texts ---- */

void part_unique_texts(struct check *c, const struct path *p, const struct doc *list)
{
	for (size_t i = 1; i < doc_len(list); i++)
		for (size_t j = 0; j < i; j++)
			if (doc_equal(doc_at(list, i), doc_at(list, j))) {
				const struct path at = PATH_INDEX(p, i);

				check_duplicate(c, &at, doc_at(list, i));
				break;
			}
}

void part_alone(struct check *c, const struct path *p, const struct doc *obj, const char *field,
		const char *what)
{
	const struct doc *list = doc_get(obj, field);

	if (doc_len(list) > 1 && part_has_text(list, "*"))
		part_invalid(c, p, obj, field, "if '*' is present, must not specify other %s",
			     what);
}

/* ---- forms ---- */

#define LOWER_MAX 600

static struct slice lower(struct slice s, char dst[LOWER_MAX])
{
	size_t n = MIN(s.n, (size_t)LOWER_MAX);

	for (size_t i = 0; i < n; i++)
		dst[i] = (char)(s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] + 32 : s.p[i]);
	return slice_of(dst, n);
}

const char *form_any(struct slice s)
{
	(void)s;
	return NULL;
}

const char *form_long_name_lower(struct slice s)
{
	char text[LOWER_MAX];

	return form_dns_subdomain(lower(s, text));
}

const char *form_csi_driver(struct slice s)
{
	return form_long_name_lower(s);
}

const char *form_dns1035_lower(struct slice s)
{
	char text[LOWER_MAX];

	return form_dns1035_label(lower(s, text))
		       ? "may have mixed case, but should otherwise match: a DNS-1035 label has "
			 "lower case letters, digits and '-', begins with a letter, and ends with "
			 "a letter or digit (e.g. 'my-name',  or 'abc-123', regex used for "
			 "validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
		       : NULL;
}

static bool is_path_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       memchr("/-._~!$&'()*+,;=:%", c, 18);
}

const char *form_domain_path(struct slice s)
{
	const char *slash = s.n ? memchr(s.p, '/', s.n) : NULL;
	size_t n = slash ? (size_t)(slash - s.p) : 0;
	const char *why;

	if (n == 0 || n + 1 == s.n)
		return "must be a domain-prefixed path (such as \"acme.io/foo\")";
	why = form_dns_subdomain(slice_of(s.p, n));
	for (size_t i = n + 1; !why && i < s.n; i++)
		if (!is_path_char(s.p[i]))
			why = "Invalid path (regex used for validation is "
			      "'[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')";
	return why;
}

const char *form_full_name(struct slice s)
{
	const char *why = form_dns_subdomain(s);
	unsigned dots = 0;

	for (size_t i = 0; !why && i < s.n; i++)
		dots += s.p[i] == '.';
	if (!why && dots < 2)
		why = "should be a domain with at least three segments separated by dots";
	return why;
}

const char *form_wildcard(struct slice s)
{
	if (s.n > 253)
		return "must be no more than 253 characters";
	if (slice_starts(s, SLICE("*.")) && !form_dns_subdomain(slice_of(s.p + 2, s.n - 2)))
		return NULL;
	return "a wildcard DNS-1123 subdomain begins with '*.', followed by a DNS subdomain of "
	       "lower case letters, digits, '-' and '.' (e.g. '*.example.com', regex used for "
	       "validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*"
	       "[a-z0-9])?)*')";
}

/* An address as the C library writes it; -1: none. */
static int address(struct slice s, char dst[INET6_ADDRSTRLEN], unsigned char bytes[16])
{
	char text[INET6_ADDRSTRLEN] = "";
	int family = s.n && memchr(s.p, ':', s.n) ? AF_INET6 : AF_INET;

	if (s.n == 0 || s.n >= sizeof(text))
		return -1;
	memcpy(text, s.p, s.n);
	if (strlen(text) != s.n || inet_pton(family, text, bytes) != 1 ||
	    !inet_ntop(family, bytes, dst, INET6_ADDRSTRLEN))
		return -1;
	return family;
}

const char *form_ip_canonical(struct slice s)
{
	char text[INET6_ADDRSTRLEN];
	unsigned char bytes[16];
	int family = address(s, text, bytes);

	if (family < 0)
		return "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
	if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)(void *)bytes))
		return "must not be an IPv4-mapped IPv6 address";
	return slice_is(s, text) ? NULL : "must be in canonical form (as RFC 5952 has it)";
}

const char *form_cidr_canonical(struct slice s)
{
	const char *slash = s.n ? memchr(s.p, '/', s.n) : NULL;
	struct slice ip = slice_of(s.p, slash ? (size_t)(slash - s.p) : 0);
	char text[INET6_ADDRSTRLEN];
	unsigned char bytes[16];
	int family = slash ? address(ip, text, bytes) : -1;
	uint64_t bits = 0;

	if (family < 0 || form_cidr(s) ||
	    str_uint64(slice_of(slash + 1, s.n - ip.n - 1), &bits, NULL) < 0)
		return "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
	for (unsigned i = (unsigned)bits; i < (family == AF_INET ? 32u : 128u); i++)
		if (bytes[i / 8] & (0x80 >> i % 8))
			return "must not have bits set beyond the prefix length";
	if (slash[1] == '0' && s.n - ip.n > 2)
		return "must not have leading 0s in IP or prefix length";
	return slice_is(ip, text) ? NULL : "must be in canonical form (as RFC 5952 has it)";
}

void part_driver(struct check *c, const struct path *p, const struct doc *obj, const char *field)
{
	part_not_longer(c, p, obj, field, 63);
	part_text(c, p, obj, field, form_csi_driver);
}

/* ---- conditions ---- */

static const char *form_reason(struct slice s)
{
	bool ok = s.n > 0;

	for (size_t i = 0; ok && i < s.n; i++) {
		char ch = s.p[i];
		bool letter = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');
		bool word = letter || (ch >= '0' && ch <= '9') || ch == '_';

		ok = i == 0 ? letter : word || ((ch == ',' || ch == ':') && i + 1 < s.n);
	}
	return ok ? NULL
		  : "a condition reason begins with a letter, has letters, digits, '_', ',' and "
		    "':', and ends with a letter, digit or '_' (e.g. 'my_name',  or 'MY_NAME',  "
		    "or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for "
		    "validation is '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')";
}

static void check_condition(struct check *c, const struct path *p, const struct doc *condition)
{
	static const char *const states[] = { "False", "True", "Unknown", NULL };

	part_form(c, p, condition, "type", form_qualified_name);
	part_one_of(c, p, condition, "status", states, false);
	if (part_number(condition, "observedGeneration") < 0)
		part_invalid(c, p, condition, "observedGeneration",
			     "must be greater than or equal to zero");
	if (!part_full(condition, "lastTransitionTime"))
		part_required(c, p, "lastTransitionTime", "");
	part_text(c, p, condition, "reason", form_reason);
	part_not_longer(c, p, condition, "reason", 1024);
	part_not_longer(c, p, condition, "message", 32768);
}

void part_conditions(struct check *c, const struct path *p, const struct doc *list)
{
	check_unique(c, p, list, "type");
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(p, i);

		check_condition(c, &at, doc_at(list, i));
	}
}

bool part_condition_true(const struct doc *list, const char *type)
{
	DOC_EACH (condition, list)
		if (doc_str_is(doc_get(condition, "type"), type) &&
		    doc_str_is(doc_get(condition, "status"), "True"))
			return true;
	return false;
}

/* ---- references, clients ---- */

void part_reference(struct check *c, const struct path *p, const struct doc *ref, const char *group)
{
	if (group)
		part_optional(c, p, ref, group, form_dns_subdomain);
	part_text(c, p, ref, "kind", form_path_segment);
	part_text(c, p, ref, "name", form_path_segment);
}

static struct slice cut_at(struct slice *s, const char *stops)
{
	struct slice head = *s;

	for (size_t i = 0; s->p && i < s->n; i++)
		if (strchr(stops, s->p[i])) {
			head.n = i;
			break;
		}
	*s = slice_of(s->p + head.n, s->n - head.n);
	return head;
}

/* scheme://[user@]host[/path][?query][#fragment] */
static void check_url(struct check *c, const struct path *p, struct slice url)
{
#define FORMAT "; desired format: https://host[/path]"
	struct slice rest = url, scheme = cut_at(&rest, ":/?#"), host = { 0 };
	bool whole = slice_starts(rest, SLICE("://"));
	const char *user;

	if (!whole && !slice_starts(rest, SLICE(":")))
		scheme = SLICE("");
	if (!slice_is(scheme, "https"))
		check_invalid_text(c, p, scheme, "'https' is the only allowed URL scheme" FORMAT);
	if (whole) {
		rest = slice_of(rest.p + 3, rest.n - 3);
		host = cut_at(&rest, "/?#");
	}
	user = host.p ? memchr(host.p, '@', host.n) : NULL;
	if (host.n == 0 || (user && user + 1 == host.p + host.n))
		check_invalid_text(c, p, SLICE(""), "host must be specified" FORMAT);
	if (user)
		check_invalid_text(c, p, slice_of(host.p, (size_t)(user - host.p)),
				   "user information is not permitted in the URL");
	(void)cut_at(&rest, "?#");
	if (rest.n && *rest.p == '?') {
		struct slice query = cut_at(&rest, "#");

		if (query.n > 1)
			check_invalid_text(c, p, slice_of(query.p + 1, query.n - 1),
					   "query parameters are not permitted in the URL");
	}
	if (rest.n > 1)
		check_invalid_text(c, p, slice_of(rest.p + 1, rest.n - 1),
				   "fragments are not permitted in the URL");
#undef FORMAT
}

static void check_url_path(struct check *c, const struct path *p, const struct doc *service)
{
	struct slice text = doc_slice(doc_get(service, "path")), rest;

	if (text.n == 0 || slice_is(text, "/"))
		return;
	if (*text.p != '/') {
		part_invalid(c, p, service, "path", "must start with a '/'");
		return;
	}
	rest = slice_of(text.p + 1, text.n - 1);
	if (rest.n > 1 && rest.p[rest.n - 1] == '/')
		rest.n--;
	for (unsigned i = 0; rest.p; i++) {
		struct slice step = slice_split(&rest, '/');
		const char *why = form_dns_subdomain(step);

		if (step.n == 0)
			part_invalid(c, p, service, "path", "segment[%u] may not be empty", i);
		else if (why)
			part_invalid(c, p, service, "path", "segment[%u]: %s", i, why);
	}
}

static void check_service(struct check *c, const struct path *p, const struct doc *service)
{
	int64_t port = part_number(service, "port");

	if (!part_full(service, "name"))
		part_required(c, p, "name", "service name is required");
	if (!part_full(service, "namespace"))
		part_required(c, p, "namespace", "service namespace is required");
	if (port < 1 || port > 65535)
		part_invalid(c, p, service, "port",
			     "port is not valid: must be between 1 and 65535, inclusive");
	check_url_path(c, p, service);
}

void part_client(struct check *c, const struct path *p, const struct doc *config)
{
	const struct path url = PATH(p, "url"), service = PATH(p, "service");

	if (part_set(config, "url") == part_set(config, "service"))
		check_required(c, p, "exactly one of url or service is required");
	else if (part_set(config, "url"))
		check_url(c, &url, doc_slice(doc_get(config, "url")));
	else
		check_service(c, &service, doc_get(config, "service"));
}

void part_review_versions(struct check *c, const struct path *p, const struct doc *list,
			  const char *detail)
{
	bool known = part_has_text(list, "v1") || part_has_text(list, "v1beta1");

	if (doc_len(list) == 0) {
		check_required(c, p, detail);
		return;
	}
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(p, i);
		const struct doc *v = doc_at(list, i);
		size_t j = 0;

		while (j < i && !doc_equal(v, doc_at(list, j)))
			j++;
		if (j < i)
			check_invalid(c, &at, v, "duplicate version");
		else if (form_dns1035_label(doc_slice(v)))
			check_invalid(c, &at, v, "%s", form_dns1035_label(doc_slice(v)));
	}
	if (!known)
		check_invalid(c, p, list, "must include at least one of v1, v1beta1");
}

/* ---- templates ---- */

void part_matches(struct check *c, const struct path *p, const struct doc *spec)
{
	const struct path template = PATH(p, "template"), meta = PATH(&template, "metadata");
	const struct doc *labels = doc_find(spec, "template.metadata.labels");
	struct selector selector;
	struct err err = ERR_INIT;
	bool none;
	const struct path at = PATH(&meta, "labels");

	if (selector_object(doc_get(spec, "selector"), c->a, &selector, &none, &err) < 0)
		return; /* told by check_label_selector */
	if (none || !selector_match_labels(&selector, labels))
		check_invalid(c, &at, labels, "`selector` does not match template `labels`");
}
