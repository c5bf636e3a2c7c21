/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What admission is told: an AdmissionConfiguration with all plugins running, or, when the first
 * byte is 'i', an image policy's answer. What is taken is whole and within its bounds; nothing but
 * a true "allowed" allows.
 */
#include "apiserver/admission/admission-private.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int file(void *arg, const char *path, struct buf *out, struct err *err)
{
	const struct slice *text = arg;

	assert(path[0] == '/' && strlen(path) <= text->n + 8);
	/* the same again: it is no plugin's */
	return buf_add(out, text->p, text->n) < 0 ? err_set(err, ERR_QUOTA, "too long") : 0;
}

static int runs(void *arg, const char *name)
{
	(void)arg;
	return *name == 'X' ? -1 : 1;
}

static void look(const struct admission_conf *c, struct arena *a)
{
	struct doc labels;

	assert(c->podsec.enforce.level <= PODSEC_RESTRICTED);
	for (size_t i = 0; i < c->podsec.users.n; i++)
		assert(*c->podsec.users.v[i]);
	assert(c->images.kubeconfig[0] == '/');
	assert(c->images.allow_ttl >= 0 && c->images.allow_ttl <= 1800 * NS_PER_SEC);
	assert(c->images.deny_ttl >= 0 && c->images.deny_ttl <= 1800 * NS_PER_SEC);
	assert(c->images.back_off >= 0 && c->images.back_off <= 300 * NS_PER_SEC);
	assert(c->nevents > 0 && c->nevents <= EVENT_LIMITS_MAX);
	for (size_t i = 0; i < c->nevents; i++)
		assert(c->events[i].qps > 0 && c->events[i].burst > 0 && c->events[i].cache != 0);
	for (size_t i = 0; i < c->nlimited; i++)
		assert(*c->limited[i].resource && c->limited[i].group);
	for (size_t i = 0; i < c->node_selectors.n; i++)
		assert(node_selector_read(slice_str(c->node_selectors.v[i].value), a, &labels,
					  NULL) == 0);
	for (unsigned i = 0; i < 2; i++)
		assert(!c->webhooks[i] || c->webhooks[i][0] == '/');
}

static void config(struct slice text)
{
	CLEANUP(arena_free) struct arena *a = arena_new("fuzz", 64u << 20);
	const struct admission_conf_from from = { file, runs, &text };
	struct admission_conf c;
	struct err err = ERR_INIT;

	if (admission_conf_read(text, "/etc/x", &from, a, &c, &err) < 0)
		assert(err.code && err.msg[0]);
	else
		look(&c, a);
}

static void answer(struct slice text)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1u << 20);
	struct err err = ERR_INIT;
	const int r = image_policy_read(text, &out, &err);

	assert(r < 0 ? err.code && err.msg[0] : r == 0 || memmem(text.p, text.n, "true", 4));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct slice text = slice_of((const char *)data, size);

	if (size && data[0] == 'i')
		answer(slice_of(text.p + 1, size - 1));
	else
		config(text);
	return 0;
}
