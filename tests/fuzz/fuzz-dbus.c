/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a bus sends: one message and its body read as strings and numbers; and the text of an
 * annotation as a GVariant. The first byte says which.
 */
#include "base/err.h"
#include "linux/dbus.h"
#include "linux/gvariant.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_message(const char *p, size_t n)
{
	struct err err = ERR_INIT;
	struct dbus_msg m;
	int r = dbus_parse(p, n, &m, &err);

	assert(r <= (int)n && (r >= 0 || err.msg[0]));
	while (r > 0 && !m.body.bad) {
		const char *s = dbus_get_str(&m.body);

		assert(s && (m.body.bad || strlen(s) < n));
		(void)dbus_get_u32(&m.body);
		(void)dbus_get_sig(&m.body);
		assert(m.body.at <= m.body.n || m.body.bad);
	}
}

static void read_text(const char *text)
{
	struct buf b = BUF_INIT(65536);
	struct err err = ERR_INIT;
	int r = gvariant_put(&b, text, false, &err);

	assert(r == 0 ? b.n >= 4 : r < 0 && err.msg[0]);
	buf_fini(&b);
	(void)gvariant_put(&b, text, true, NULL);
	buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy;

	if (size < 1)
		return 0;
	copy = calloc(1, size); /* a zero byte at the end, and aligned as a connection's buffer */
	assert(copy);
	memcpy(copy, data + 1, size - 1);
	if (data[0] == 'm')
		read_message(copy, size - 1);
	else
		read_text(copy);
	free(copy);
	return 0;
}
