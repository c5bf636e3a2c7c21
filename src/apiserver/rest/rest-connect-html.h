/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links of pages that come through a proxy: a path "/x" of the page's server becomes
 * "<prefix>/x", so that a browser finds it again. Upstream's rules: only attributes that hold an
 * address, of known elements; only absolute paths, and addresses of the server itself.
 *
 * Bytes in, bytes out, whatever the pieces are; nothing but such values changes. A tag longer than
 * 64 KiB is passed on as it is. The text is taken as UTF-8 or another superset of ASCII.
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"

#include <stdbool.h>

struct err;
struct html;

struct html_links {
	const char *prefix; /* "/api/v1/namespaces/n/services/s/proxy", encoded; borrowed */
	struct slice own;   /* host[:port] of the server behind the proxy; borrowed */
	struct slice asked; /* Host as the client has it; borrowed */
};

/* An address as it goes to the client: appended to out, also when nothing changes. */
int html_link(const struct html_links *l, struct slice address, struct buf *out);

enum html_coding { HTML_PLAIN, HTML_GZIP, HTML_DEFLATE };
struct html *html_new(const struct html_links *l, enum html_coding coding);
void html_free(struct html *h); /* NULL is fine */
/* last: the page is over; in may be empty. -ERR_INVALID: not what the coding says. */
int html_rewrite(struct html *h, struct slice in, bool last, struct buf *out);
