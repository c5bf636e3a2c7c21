/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of Endpoints, and of addresses. */
#include "api/check-core.h"

#include <arpa/inet.h>

/* ---- addresses ---- */

bool ip_is_v6(struct slice address)
{
	return address.n > 0 && memchr(address.p, ':', address.n);
}

enum ip_place { PLACE_ANY, PLACE_UNSPECIFIED, PLACE_LOOPBACK, PLACE_LOCAL, PLACE_LOCAL_GROUP };

static enum ip_place place_of_v4(const unsigned char *b)
{
	static const unsigned char none[4];

	if (memcmp(b, none, 4) == 0)
		return PLACE_UNSPECIFIED;
	if (b[0] == 127)
		return PLACE_LOOPBACK;
	if (b[0] == 169 && b[1] == 254)
		return PLACE_LOCAL;
	return b[0] == 224 && b[1] == 0 && b[2] == 0 ? PLACE_LOCAL_GROUP : PLACE_ANY;
}

static enum ip_place place_of_v6(const unsigned char *b)
{
	static const unsigned char none[16];
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (memcmp(b, mapped, 12) == 0)
		return place_of_v4(b + 12);
	if (memcmp(b, none, 15) == 0 && b[15] < 2)
		return b[15] ? PLACE_LOOPBACK : PLACE_UNSPECIFIED;
	if (b[0] == 0xfe && (b[1] & 0xc0) == 0x80)
		return PLACE_LOCAL;
	return b[0] == 0xff && (b[1] & 0x0f) == 2 ? PLACE_LOCAL_GROUP : PLACE_ANY;
}

static enum ip_place place_of(struct slice s)
{
	char text[INET6_ADDRSTRLEN + 1];
	unsigned char b[16];

	(void)snprintf(text, sizeof(text), "%.*s", (int)MIN(s.n, sizeof(text) - 1), s.p);
	if (inet_pton(AF_INET, text, b) == 1)
		return place_of_v4(b);
	return inet_pton(AF_INET6, text, b) == 1 ? place_of_v6(b) : PLACE_ANY;
}

void check_usable_ip(struct check *c, const struct path *p, const struct doc *ip)
{
	static const char *const why[] = {
		[PLACE_LOOPBACK] = "may not be in the loopback range (127.0.0.0/8, ::1/128)",
		[PLACE_LOCAL] = "may not be in the link-local range (169.254.0.0/16, fe80::/10)",
		[PLACE_LOCAL_GROUP] =
			"may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)",
	};
	enum ip_place place;

	if (form_ip(doc_slice(ip))) {
		check_invalid(c, p, ip, "must be a valid IP address");
		return;
	}
	place = place_of(doc_slice(ip));
	if (place == PLACE_UNSPECIFIED)
		check_invalid(c, p, ip, "may not be unspecified (%.*s)", (int)doc_slice(ip).n,
			      doc_slice(ip).p);
	else if (place != PLACE_ANY)
		check_invalid(c, p, ip, "%s", why[place]);
}

void check_families(struct check *c, const struct path *p, const struct doc *list,
		    const char *field, const char *what)
{
	check_form *form = strcmp(what, "IP") == 0 ? form_ip : form_cidr;
	unsigned n[2] = { 0, 0 };

	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(p, i);
		const struct doc *e = doc_at(list, i), *text = field ? doc_get(e, field) : e;
		const char *why = form(doc_slice(text));

		if (why)
			check_invalid(c, &at, text, "%s", why);
		n[ip_is_v6(doc_slice(text))]++;
		for (size_t j = 0; j < i; j++)
			if (doc_equal(doc_at(list, j), e)) {
				check_duplicate(c, &at, e);
				break;
			}
	}
	if (n[0] > 1 || n[1] > 1)
		check_invalid(c, p, list, "may specify no more than one %s for each IP family",
			      what);
}

/* ---- Endpoints ---- */

static void check_address(struct check *c, const struct path *p, const struct doc *a)
{
	static const struct field_rule rules[] = {
		{ .field = "hostname", .form = form_dns_label },
		{ .field = "nodeName", .form = form_dns_subdomain },
		{ 0 },
	};
	const struct path at = PATH(p, "ip");
	const struct doc *ip = doc_get(a, "ip");
	const char *why = form_ip(doc_slice(ip));

	if (why)
		check_invalid(c, &at, ip, "%s", why);
	check_fields(c, p, a, rules);
	check_usable_ip(c, &at, ip);
}

static void check_addresses(struct check *c, const struct path *p, const struct doc *subset,
			    const char *field)
{
	const struct path list = PATH(p, field);
	const struct doc *all = doc_get(subset, field);

	for (size_t i = 0; i < doc_len(all); i++) {
		const struct path at = PATH_INDEX(&list, i);

		check_address(c, &at, doc_at(all, i));
	}
}

static void check_subset(struct check *c, const struct path *p, const struct doc *subset)
{
	static const struct field_rule rules[] = {
		{ .field = "name", .form = form_dns_label },
		{ .field = "port", .number = true, .lo = 1, .hi = 65535 },
		{ .field = "protocol", .required = true, .values = check_protocols },
		{ .field = "appProtocol", .form = form_qualified_name },
		{ 0 },
	};
	const struct path list = PATH(p, "ports");
	const struct doc *ports = doc_get(subset, "ports");

	if (doc_len(doc_get(subset, "addresses")) == 0 &&
	    doc_len(doc_get(subset, "notReadyAddresses")) == 0)
		check_required(c, p, "must specify `addresses` or `notReadyAddresses`");
	check_addresses(c, p, subset, "addresses");
	check_addresses(c, p, subset, "notReadyAddresses");
	for (size_t i = 0; i < doc_len(ports); i++) {
		const struct path at = PATH_INDEX(&list, i);

		if (doc_len(ports) > 1)
			(void)check_has(c, &at, doc_at(ports, i), "name", "");
		check_fields(c, &at, doc_at(ports, i), rules);
	}
}

void check_endpoints(struct check *c, const struct doc *obj, const char *sub)
{
	const struct path p = PATH(NULL, "subsets");
	const struct doc *subsets = doc_get(obj, "subsets");

	(void)sub;
	for (size_t i = 0; i < doc_len(subsets); i++) {
		const struct path at = PATH_INDEX(&p, i);

		check_subset(c, &at, doc_at(subsets, i));
	}
}
