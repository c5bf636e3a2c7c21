/* SPDX-License-Identifier: Apache-2.0 */
/* Upstream's published documents, which tests compare with: $TEU_SHARED/data/kubernetes. */
#pragma once

#include "../doc/doc-check.h"

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#define DATA_MAX (32u << 20)

/* A JSON file of the shared data, plain or gzip; NULL when it is not there. */
static inline struct doc *data(struct arena *a, const char *name)
{
	const char *shared = getenv("TEU_SHARED");
	char path[512];
	char *text = arena_alloc_raw(a, DATA_MAX, 1);
	gzFile f;
	int n;

	assert_non_null(text);
	(void)snprintf(path, sizeof(path), "%s/data/kubernetes/%s", shared ? shared : "", name);
	f = gzopen(path, "rb");
	if (!f)
		return NULL;
	n = gzread(f, text, DATA_MAX - 1);
	gzclose(f);
	assert_true(n > 0);
	text[n] = '\0';
	return must_read(a, text);
}
