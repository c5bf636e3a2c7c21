/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.json: any bytes are either a configuration that can be created from, or refused with a
 * code and a reason; the verdict does not change when it is asked again.
 */
#include "base/err.h"
#include "runtime/runtime.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_INIT, again = ERR_INIT;
	struct slice text = slice_of((const char *)data, size);
	int r = rt_check_config(text, &err);

	assert(r == 0 || (r == -(int)err.code && err.code != 0 && err.msg[0]));
	assert(err.code != ERR_SYSTEM);
	assert(rt_check_config(text, &again) == r);
	return 0;
}
