/* SPDX-License-Identifier: Apache-2.0 */
/* kubeconfig files, plugins' answers, discovery: whatever is in them, what is read is whole. */
#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "client/discovery.h"
#include "client/exec.h"
#include "client/kubeconfig.h"
#include "doc/doc.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP(arena_free) struct arena *a = arena_new("fuzz", 64u << 20);
	struct slice text = slice_of((const char *)data, n);
	struct kubeconfig_file files[2] = { 0 };
	struct exec_credential c = { 0 };
	struct err err = ERR_INIT;
	struct catalog k;
	struct doc *merged;

	log_setup("fuzz", 2, LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	if (exec_read(text, "client.authentication.k8s.io/v1", a, &c, &err) == 0)
		assert((c.token && *c.token) || (c.cert.n && c.key.n));
	if (kubeconfig_read(a, text, &files[0].doc, &err) < 0) {
		assert(err.code && err.msg[0]);
		return 0;
	}
	files[1] = files[0];
	merged = kubeconfig_merge(a, files, 2);
	/* A file over itself is itself: each name stands once. */
	assert(!merged ||
	       doc_len(doc_get(merged, "users")) == doc_len(doc_get(files[0].doc, "users")));
	DOC_EACH (e, doc_get(merged, "users"))
		assert(kubeconfig_get(merged, KUBECONFIG_USER, doc_slice(doc_get(e, "name"))));
	if (catalog_read(a, files[0].doc, files[0].doc, &k, &err) == 0)
		for (size_t i = 0; i < k.n; i++)
			assert(k.v[i].name[0] && k.v[i].version[0]);
	return 0;
}
