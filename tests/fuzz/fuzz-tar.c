/* SPDX-License-Identifier: Apache-2.0 */
/* Tar reader: any bytes, in pieces whose size the input chooses. Names handed out are bounded and
 * the counts agree. */
#include "base/err.h"
#include "image/tar.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static int on_entry(void *ctx, const struct tar_entry *e, struct err *err)
{
	char clean[TAR_NAME_MAX + 1];

	assert(e->name[0] && strlen(e->name) <= TAR_NAME_MAX && strlen(e->link) <= TAR_NAME_MAX);
	assert(e->nxattrs <= TAR_XATTRS_MAX && (e->type == TAR_REG || e->size == 0));
	for (size_t i = 0; i < e->nxattrs; i++)
		assert(strlen(e->xattrs[i].name) <= 255 && e->xattrs[i].value.n <= 65536);
	if (tar_name_clean(e->name, clean, err) == 0)
		assert(clean[0] != '/' && strlen(clean) <= strlen(e->name) && !strstr(clean, "//"));
	*(uint64_t *)ctx = e->size;
	return 0;
}

static int on_data(void *ctx, const void *p, size_t n, struct err *err)
{
	assert(*(uint64_t *)ctx >= n);
	*(uint64_t *)ctx -= n;
	return 0;
}

static int on_end(void *ctx, struct err *err)
{
	assert(*(uint64_t *)ctx == 0);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct tar_ops ops = { on_entry, on_data, on_end };
	const struct tar_limits limits = { .total_max = 1 << 20,
					   .entries_max = 1000,
					   .header_max = 65536 };
	CLEANUP(tar_reader_free) struct tar_reader *t = NULL;
	uint64_t left = 0;
	size_t piece = n ? p[n - 1] * 7u + 1 : 1;
	struct err err = ERR_INIT;
	int r = 0;

	t = tar_reader_new(&limits, &ops, &left);
	for (size_t at = 0; at < n && r >= 0; at += piece)
		r = tar_reader_push(t, p + at, MIN(piece, n - at), &err);
	if (r >= 0)
		r = tar_reader_finish(t, &err);
	assert(r >= 0 || err.msg[0]);
	return 0;
}
