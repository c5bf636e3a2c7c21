/* SPDX-License-Identifier: Apache-2.0 */
/* What criu answers: any bytes give a reply with ended texts, or an error. */
#include "base/err.h"
#include "base/str.h"
#include "runtime/criu.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct criu_reply reply;
	struct err err = ERR_INIT;
	int r = criu_parse_reply(slice_of((const char *)p, n), &reply, &err);

	if (r < 0 && err.code != ERR_INVALID)
		abort();
	if (strnlen(reply.script, sizeof(reply.script)) == sizeof(reply.script) ||
	    strnlen(reply.message, sizeof(reply.message)) == sizeof(reply.message))
		abort();
	return 0;
}
