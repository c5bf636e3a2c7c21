/* SPDX-License-Identifier: Apache-2.0 */
/* Further facts of a user in headers: what follows a prefix is the key, in lower case, with %XX. */
#pragma once

struct arena;
struct doc;
struct err;
struct http_header;
struct stream;

/* The key, in `a`; what is not rightly encoded is taken as it is. NULL: another header. *ret_key ""
 * is possible. */
const char *header_extra_key(const struct http_header *h, const char *prefix, struct arena *a);
/* All of them as a map of lists; NULL: there are none. prefixes NULL-terminated, or NULL. */
int header_extra(struct stream *s, const char *const *prefixes, struct arena *a,
		 const struct doc **ret, struct err *err);
