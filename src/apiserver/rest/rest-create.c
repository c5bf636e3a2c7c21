/* SPDX-License-Identifier: Apache-2.0 */
/* POST of a new object. */
#include "apiserver/rest/rest-write.h"

#include <string.h>

static int prepare(struct change *x, struct err *err)
{
	struct call *c = x->c;
	const char *revision;
	struct doc view;
	int r = change_read(x, &view, err);

	if (r == 0)
		r = change_home(x, err);
	if (r < 0)
		return r;
	revision = doc_cstr(call_work(c), doc_find(&view, "metadata.resourceVersion"));
	if (revision && *revision && strcmp(revision, "0") != 0) {
		c->about.reason = STATUS_UNKNOWN;
		return err_set(err, ERR_SYSTEM,
			       "resourceVersion should not be set on objects to be created");
	}
	return change_create(x, &view, err);
}

static void create(struct call *c)
{
	struct change *x = change_new(c, prepare);

	if (x)
		change_run(x);
}

void rest_create(struct call *c)
{
	call_resource(c, create);
}
