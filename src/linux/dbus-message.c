/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of D-Bus: writing values, and reading what a stranger wrote.
 *
 * Only our own byte order is read: both ends are on one machine. Strings are checked to end in a
 * zero byte where their length says, and to hold none before, so that they can be used as C's.
 */
#include "linux/dbus.h"

#include "base/err.h"

#include <string.h>

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ORDER 'l'
#else
#define ORDER 'B'
#endif

enum { HEADER = 16, FIELDS_MAX = 65536 };

void dbus_align(struct buf *b, unsigned to)
{
	while (b->n % to && buf_addc(b, 0) == 0)
		;
}

void dbus_put_byte(struct buf *b, uint8_t v)
{
	(void)buf_add(b, &v, 1);
}

void dbus_put_u16(struct buf *b, uint16_t v)
{
	dbus_align(b, 2);
	(void)buf_add(b, &v, sizeof(v));
}

void dbus_put_u32(struct buf *b, uint32_t v)
{
	dbus_align(b, 4);
	(void)buf_add(b, &v, sizeof(v));
}

void dbus_put_u64(struct buf *b, uint64_t v)
{
	dbus_align(b, 8);
	(void)buf_add(b, &v, sizeof(v));
}

void dbus_put_str(struct buf *b, struct slice s)
{
	dbus_put_u32(b, (uint32_t)s.n);
	(void)buf_add(b, s.p, s.n);
	(void)buf_addc(b, 0);
}

void dbus_put_sig(struct buf *b, struct slice s)
{
	dbus_put_byte(b, (uint8_t)s.n);
	(void)buf_add(b, s.p, s.n);
	(void)buf_addc(b, 0);
}

size_t dbus_array_begin(struct buf *b, unsigned to)
{
	size_t at;

	dbus_put_u32(b, 0);
	at = b->n;
	dbus_align(b, to);
	return at;
}

/* The length counts neither itself nor the padding before the first element. */
void dbus_array_end(struct buf *b, size_t at, unsigned to)
{
	size_t first = (at + to - 1) / to * to;
	uint32_t n;

	if (b->full)
		return;
	n = (uint32_t)(b->n - first);
	memcpy(b->p + at - sizeof(n), &n, sizeof(n));
}

/* ---- reading ---- */

static const char *take(struct dbus_in *in, unsigned align, size_t n)
{
	size_t at = (in->at + align - 1) / align * align;

	if (in->bad || at > in->n || n > in->n - at) {
		in->bad = true;
		return NULL;
	}
	in->at = at + n;
	return in->p + at;
}

uint32_t dbus_get_u32(struct dbus_in *in)
{
	const char *p = take(in, 4, 4);
	uint32_t v = 0;

	if (p)
		memcpy(&v, p, sizeof(v));
	return v;
}

static const char *get_text(struct dbus_in *in, size_t n)
{
	const char *p = take(in, 1, n + 1);

	if (p && (p[n] || memchr(p, 0, n)))
		in->bad = true;
	return p && !in->bad ? p : "";
}

const char *dbus_get_str(struct dbus_in *in)
{
	uint32_t n = dbus_get_u32(in);

	if (n > DBUS_MAX)
		in->bad = true;
	return in->bad ? "" : get_text(in, n);
}

const char *dbus_get_sig(struct dbus_in *in)
{
	const char *p = take(in, 1, 1);

	return p ? get_text(in, (uint8_t)*p) : "";
}

/* Header fields are structs of a code and a variant; of those we use, the variant holds one basic
 * type. */
static void get_field(struct dbus_in *in, struct dbus_msg *m)
{
	const char **const texts[] = { NULL, &m->path, &m->interface, &m->member,   &m->error,
				       NULL, NULL,     &m->sender,    &m->signature };
	const char *code = take(in, 8, 1), *sig = dbus_get_sig(in), *text = "";
	uint8_t c = code ? (uint8_t)*code : 0;
	uint32_t v = 0;

	if (in->bad)
		return;
	if (!strcmp(sig, "s") || !strcmp(sig, "o"))
		text = dbus_get_str(in);
	else if (!strcmp(sig, "g"))
		text = dbus_get_sig(in);
	else if (!strcmp(sig, "u"))
		v = dbus_get_u32(in);
	else
		in->bad = true;
	if (in->bad)
		return;
	if (c == 5)
		m->reply_to = v;
	else if (c < ARRAY_LEN(texts) && texts[c])
		*texts[c] = text;
}

int dbus_parse(const char *p, size_t n, struct dbus_msg *ret, struct err *err)
{
	struct dbus_msg m = { .path = "",
			      .interface = "",
			      .member = "",
			      .error = "",
			      .sender = "",
			      .signature = "" };
	struct dbus_in fields = { .p = p, .n = n, .at = 4 };
	uint32_t body, len;
	size_t all;

	if (n < HEADER)
		return 0;
	if (p[0] != ORDER || p[3] != 1)
		return err_set(err, ERR_INVALID,
			       "a D-Bus message of another byte order or version");
	body = dbus_get_u32(&fields);
	m.serial = dbus_get_u32(&fields);
	len = dbus_get_u32(&fields);
	if (len > FIELDS_MAX || body > DBUS_MAX - FIELDS_MAX - HEADER - 8)
		return err_set(err, ERR_TOO_LARGE, "a D-Bus message of %u bytes is too long", body);
	all = (HEADER + (size_t)len + 7) / 8 * 8;
	if (n < all + body)
		return 0;
	m.type = (enum dbus_type)(uint8_t)p[1];
	fields.n = HEADER + len;
	while (!fields.bad && fields.at < fields.n)
		get_field(&fields, &m);
	if (fields.bad)
		return err_set(err, ERR_INVALID, "a D-Bus message has a malformed header");
	m.body = (struct dbus_in){ .p = p + all, .n = body };
	*ret = m;
	return (int)(all + body);
}
