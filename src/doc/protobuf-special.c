/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protocol buffers: numbers in all their encodings, and the messages that are one value in a
 * document (times, quantities, integer-or-string, JSON in bytes, durations, wrappers).
 */
#include "base/arena.h"
#include "doc/json.h"
#include "doc/protobuf-private.h"
#include "doc/text.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define JSON_DEPTH 200

/* ---- strings ---- */

static bool is_utf8(struct slice s)
{
	const char *p = s.p, *end = s.p + s.n;

	while (p < end) {
		unsigned n = text_utf8(p, end);

		if (n == 0)
			return false;
		p += n;
	}
	return true;
}

int protobuf_read_string(struct protobuf_ctx *c, struct slice s, struct doc *ret)
{
	struct doc d = doc_borrow(s.n ? s.p : "", s.n);

	if (!(d.flags & DOC_CLEAN) && !c->o->bad_utf8 && !is_utf8(s))
		return protobuf_fail(c, ERR_BAD_REQUEST, "a string that is not UTF-8");
	*ret = d;
	return 0;
}

/* ---- numbers, reading ---- */

static bool is_narrow(const struct schema_field *f)
{
	unsigned size = f->width & SCHEMA_W_SIZE;

	return size > 0 && size <= 4;
}

static struct doc int_doc(struct arena *a, const struct schema_field *f, uint64_t bits)
{
	bool narrow = is_narrow(f) || protobuf_kind(f) == SCHEMA_PB_FIXED32;

	if (f->width & SCHEMA_W_UNSIGNED)
		return doc_uint(a, narrow ? (uint32_t)bits : bits);
	if (protobuf_kind(f) == SCHEMA_PB_ZIGZAG)
		return doc_int(a,
			       narrow ? (int32_t)pb_unzigzag((uint32_t)bits) : pb_unzigzag(bits));
	return doc_int(a, narrow ? (int32_t)bits : (int64_t)bits);
}

/* The shortest text that is this float again, not the double's 0.10000000149011612. */
static struct doc float_doc(struct arena *a, float v)
{
	char text[32];
	struct doc d;

	for (int digits = 6; digits <= 9; digits++) {
		(void)snprintf(text, sizeof(text), "%.*g", digits, (double)v);
		if (strtof(text, NULL) == v)
			break;
	}
	if (!doc_number_parse(slice_str(text), &d))
		return doc_num(a, (double)v);
	d.s = arena_strndup(a, text, d.n);
	return d.s ? d : doc_null();
}

static struct doc double_doc(struct arena *a, const struct schema_field *f, uint64_t bits)
{
	double v;
	float narrow;

	if (protobuf_wire_type(f) == PB_FIXED32) {
		uint32_t low = (uint32_t)bits;

		memcpy(&narrow, &low, sizeof(narrow));
		v = (double)narrow;
	} else {
		memcpy(&v, &bits, sizeof(v));
	}
	if (isnan(v))
		return DOC_LIT("NaN");
	if (isinf(v))
		return v > 0 ? DOC_LIT("Infinity") : DOC_LIT("-Infinity");
	return protobuf_wire_type(f) == PB_FIXED32 ? float_doc(a, narrow) : doc_num(a, v);
}

static struct doc enum_doc(struct arena *a, const struct schema_field *f, uint64_t bits)
{
	int32_t n = (int32_t)bits;
	int32_t i = 0;

	while (i < n && f->values[i])
		i++;
	if (n < 0 || !f->values[i] || !*f->values[i])
		return doc_int(a, n);
	return (struct doc){ .type = DOC_STRING,
			     .flags = DOC_CLEAN | DOC_CSTR,
			     .n = (uint32_t)strlen(f->values[i]),
			     .s = f->values[i] };
}

int protobuf_read_number(struct protobuf_ctx *c, const struct schema_field *f, uint64_t bits,
			 struct doc *ret)
{
	switch ((enum schema_type)f->type) {
	case SCHEMA_BOOL: *ret = doc_bool(bits != 0); return 0;
	case SCHEMA_DOUBLE: *ret = double_doc(c->a, f, bits); break;
	case SCHEMA_ENUM: *ret = enum_doc(c->a, f, bits); break;
	default: *ret = int_doc(c->a, f, bits); break;
	}
	return ret->type == DOC_NULL ? protobuf_full(c) : 0;
}

/* ---- numbers, writing ---- */

static int int_bits(struct protobuf_ctx *c, const struct schema_field *f, const struct doc *d,
		    uint64_t *ret)
{
	bool narrow = is_narrow(f) || protobuf_kind(f) == SCHEMA_PB_FIXED32;
	uint64_t u = 0;
	int64_t i = 0;

	if (!doc_is(d, DOC_NUMBER))
		return protobuf_fail(c, ERR_INVALID, "must be an integer, not %s",
				     doc_type_name(d));
	if (f->width & SCHEMA_W_UNSIGNED) {
		if (doc_uint64(d, &u) != 0 || (narrow && u > UINT32_MAX))
			return protobuf_fail(c, ERR_INVALID, "%.*s is no unsigned %d-bit integer",
					     (int)MIN(d->n, 32u), d->s, narrow ? 32 : 64);
		*ret = u;
		return 0;
	}
	if (doc_int64(d, &i) != 0 || (narrow && i != (int32_t)i))
		return protobuf_fail(c, ERR_INVALID, "%.*s is no %d-bit integer",
				     (int)MIN(d->n, 32u), d->s, narrow ? 32 : 64);
	*ret = protobuf_kind(f) == SCHEMA_PB_ZIGZAG ? pb_zigzag(i) : (uint64_t)i;
	return 0;
}

static int double_bits(struct protobuf_ctx *c, const struct schema_field *f, const struct doc *d,
		       uint64_t *ret)
{
	float narrow;
	double v = 0;

	if (doc_str_is(d, "NaN"))
		v = (double)NAN;
	else if (doc_str_is(d, "Infinity"))
		v = (double)INFINITY;
	else if (doc_str_is(d, "-Infinity"))
		v = (double)-INFINITY;
	else if (doc_double(d, &v) < 0)
		return protobuf_fail(c, ERR_INVALID, "must be a number, not %s", doc_type_name(d));
	else if (isinf(v) || (protobuf_wire_type(f) == PB_FIXED32 && fabs(v) > (double)FLT_MAX))
		return protobuf_fail(c, ERR_INVALID, "%.*s is too large", (int)MIN(d->n, 32u),
				     d->s);
	if (protobuf_wire_type(f) != PB_FIXED32) {
		memcpy(ret, &v, sizeof(v));
		return 0;
	}
	narrow = (float)v;
	*ret = 0;
	memcpy(ret, &narrow, sizeof(narrow)); /* little endian, as the wire */
	return 0;
}

static int enum_bits(struct protobuf_ctx *c, const struct schema_field *f, const struct doc *d,
		     uint64_t *ret)
{
	int64_t n;

	if (doc_is(d, DOC_NUMBER) && doc_int64(d, &n) == 0 && n == (int32_t)n) {
		*ret = (uint64_t)n;
		return 0;
	}
	for (uint64_t i = 0; doc_is(d, DOC_STRING) && f->values[i]; i++)
		if (doc_str_is(d, f->values[i]) && d->n) {
			*ret = i;
			return 0;
		}
	if (doc_is(d, DOC_STRING) && d->n == 0) {
		*ret = 0;
		return 0;
	}
	return protobuf_fail(c, ERR_INVALID, "'%.*s' is none of its names",
			     doc_is(d, DOC_STRING) ? (int)MIN(d->n, 48u) : 0,
			     doc_is(d, DOC_STRING) ? d->s : "");
}

int protobuf_number_bits(struct protobuf_ctx *c, const struct schema_field *f, const struct doc *d,
			 uint64_t *ret)
{
	if (doc_is(d, DOC_NULL)) {
		*ret = 0;
		return 0;
	}
	switch ((enum schema_type)f->type) {
	case SCHEMA_BOOL:
		if (!doc_is(d, DOC_BOOL))
			return protobuf_fail(c, ERR_INVALID, "must be a boolean, not %s",
					     doc_type_name(d));
		*ret = d->n;
		return 0;
	case SCHEMA_DOUBLE: return double_bits(c, f, d, ret);
	case SCHEMA_ENUM: return enum_bits(c, f, d, ret);
	default: return int_bits(c, f, d, ret);
	}
}

void protobuf_put_bits(struct pb_writer *w, enum pb_type type, uint64_t bits)
{
	if (type == PB_FIXED32)
		pb_put_fixed32(w, (uint32_t)bits);
	else if (type == PB_FIXED64)
		pb_put_fixed64(w, bits);
	else
		pb_put_varint(w, bits);
}

/* ---- special messages ---- */

bool protobuf_is_special(const struct schema_field *f)
{
	switch ((enum schema_type)f->type) {
	case SCHEMA_QUANTITY:
	case SCHEMA_TIME:
	case SCHEMA_INT_OR_STR:
	case SCHEMA_ANY: return true;
	case SCHEMA_BOOL:
	case SCHEMA_INT:
	case SCHEMA_DOUBLE:
	case SCHEMA_STRING: return protobuf_kind(f) == SCHEMA_PB_MESSAGE;
	default: return false;
	}
}

/* Fields 1 to 3 of a small message, the last of each; others are skipped. */
struct parts {
	struct pb_field f[4];
	bool there[4];
};

static int read_parts(struct protobuf_ctx *c, struct slice wire, struct parts *p)
{
	struct pb_reader r = pb_reader(wire);
	struct pb_field in;
	int rc;

	*p = (struct parts){ 0 };
	while ((rc = pb_next(&r, &in)) == 1)
		if (in.number < ARRAY_LEN(p->f)) {
			p->f[in.number] = in;
			p->there[in.number] = true;
		}
	return rc < 0 ? protobuf_fail(c, ERR_BAD_REQUEST, "%s", r.why) : 0;
}

/* Is the part, when it is there, of the type? */
static bool part_is(const struct parts *p, unsigned i, enum pb_type type)
{
	return !p->there[i] || p->f[i].type == type;
}

static int wrong_part(struct protobuf_ctx *c)
{
	return protobuf_fail(c, ERR_BAD_REQUEST, "a part of it has the wrong wire type");
}

#define YEAR_1 (-62135596800LL)
#define YEAR_10000 253402300800LL

static int read_time(struct protobuf_ctx *c, const struct schema_field *f, const struct parts *p,
		     struct doc *ret)
{
	struct schema_time t = { .set = true };
	char text[48];

	if (!part_is(p, 1, PB_VARINT) || !part_is(p, 2, PB_VARINT))
		return wrong_part(c);
	*ret = doc_null();
	if (!p->there[1] && !p->there[2] && !(f->wire & SCHEMA_PB_PRESENCE))
		return 0;
	t.sec = (int64_t)p->f[1].v;
	t.nsec = (uint32_t)p->f[2].v;
	if (t.sec < YEAR_1 || t.sec >= YEAR_10000 || p->f[2].v >= 1000000000)
		return protobuf_fail(c, ERR_BAD_REQUEST, "a time out of range (%lld s, %lld ns)",
				     (long long)t.sec, (long long)p->f[2].v);
	(void)schema_format_time(&t, text);
	if (f->format == FORMAT_MICRO_TIME)
		/* "2024-05-01T12:00:00" is 19 bytes for every year there is. */
		(void)snprintf(text + 19, sizeof(text) - 19, ".%06uZ", t.nsec / 1000 % 1000000);
	*ret = doc_str(c->a, text);
	return ret->type == DOC_NULL ? protobuf_full(c) : 0;
}

static int read_int_or_str(struct protobuf_ctx *c, const struct parts *p, struct doc *ret)
{
	if (!part_is(p, 1, PB_VARINT) || !part_is(p, 2, PB_VARINT) || !part_is(p, 3, PB_BYTES))
		return wrong_part(c);
	if (p->f[1].v > 1)
		return protobuf_fail(c, ERR_BAD_REQUEST, "type %llu of an integer or string",
				     (unsigned long long)p->f[1].v);
	if (p->f[1].v == 1)
		return protobuf_read_string(c, p->f[3].bytes, ret);
	*ret = doc_int(c->a, (int32_t)p->f[2].v);
	return ret->type == DOC_NULL ? protobuf_full(c) : 0;
}

/* An object of a kind of its own; it has what is left of the depth. */
static int read_envelope(struct protobuf_ctx *c, struct slice body, struct doc *ret)
{
	struct protobuf_opts o = *c->o;

	if (!o.find)
		return protobuf_fail(c, ERR_UNSUPPORTED,
				     "an object in protobuf where JSON is expected");
	if (c->depth >= c->depth_max)
		return protobuf_fail(c, ERR_BAD_REQUEST, "more than %u messages inside one another",
				     c->depth_max);
	o.depth_max = c->depth_max - c->depth;
	return protobuf_kube_object(body, c->a, &o, ret, c->err);
}

static int read_json(struct protobuf_ctx *c, struct slice text, struct doc *ret)
{
	struct json_options o = { .max_depth = JSON_DEPTH };
	struct err err = ERR_INIT;
	struct doc *d;

	*ret = doc_null();
	if (text.n == 0)
		return 0;
	if (protobuf_is_kube(text))
		return read_envelope(c, text, ret);
	if (json_read(c->a, text, &o, &d, &err) < 0)
		return protobuf_fail(c, err.code, "JSON within: %s", err.msg);
	*ret = *d;
	return 0;
}

/* Go's time.Duration.String: "1h2m3.5s", "250ms", "0s". */
static void duration_text(int64_t ns, char dst[40])
{
	uint64_t u = ns < 0 ? -(uint64_t)ns : (uint64_t)ns, unit = 1;
	const char *name = "ns";
	int n = 0;

	if (ns < 0)
		dst[n++] = '-';
	if (u == 0) {
		(void)snprintf(dst, 40, "0s");
		return;
	}
	if (u >= 1000000000) {
		unit = 1000000000;
		name = "s";
	} else if (u >= 1000000) {
		unit = 1000000;
		name = "ms";
	} else if (u >= 1000) {
		unit = 1000;
		name = "\xc2\xb5s";
	}
	if (u >= 3600000000000ull)
		n += snprintf(dst + n, 40 - (size_t)n, "%lluh",
			      (unsigned long long)(u / 3600000000000ull));
	if (u >= 60000000000ull)
		n += snprintf(dst + n, 40 - (size_t)n, "%llum",
			      (unsigned long long)(u / 60000000000ull % 60));
	if (u >= 60000000000ull)
		u %= 60000000000ull;
	n += snprintf(dst + n, 40 - (size_t)n, "%llu", (unsigned long long)(u / unit));
	if (u % unit) {
		int digits = unit == 1000000000 ? 9 : unit == 1000000 ? 6 : 3;

		n += snprintf(dst + n, 40 - (size_t)n, ".%0*llu", digits,
			      (unsigned long long)(u % unit));
		while (dst[n - 1] == '0')
			n--;
	}
	(void)snprintf(dst + n, 40 - (size_t)n, "%s", name);
}

static int read_wrapper(struct protobuf_ctx *c, const struct schema_field *f, const struct parts *p,
			struct doc *ret)
{
	struct schema_field row = *f;
	char text[40];

	row.wire = SCHEMA_PB_NONE;
	if (f->type == SCHEMA_STRING && f->format == FORMAT_DURATION) {
		if (!part_is(p, 1, PB_VARINT))
			return wrong_part(c);
		duration_text((int64_t)p->f[1].v, text);
		*ret = doc_str(c->a, text);
		return ret->type == DOC_NULL ? protobuf_full(c) : 0;
	}
	if (!part_is(p, 1, protobuf_wire_type(&row)))
		return wrong_part(c);
	if (f->type == SCHEMA_STRING)
		return protobuf_read_string(c, p->f[1].bytes, ret);
	return protobuf_read_number(c, &row, p->f[1].v, ret);
}

int protobuf_read_special(struct protobuf_ctx *c, const struct schema_field *f, struct slice wire,
			  struct doc *ret)
{
	struct parts p;
	int r;

	if (f->type == SCHEMA_ANY && protobuf_kind(f) == SCHEMA_PB_BYTES)
		return read_json(c, wire, ret);
	r = read_parts(c, wire, &p);
	if (r < 0)
		return r;
	switch ((enum schema_type)f->type) {
	case SCHEMA_TIME: return read_time(c, f, &p, ret);
	case SCHEMA_INT_OR_STR: return read_int_or_str(c, &p, ret);
	case SCHEMA_QUANTITY:
	case SCHEMA_ANY:
		if (!part_is(&p, 1, PB_BYTES))
			return wrong_part(c);
		return f->type == SCHEMA_ANY ? read_json(c, p.f[1].bytes, ret)
					     : protobuf_read_string(c, p.f[1].bytes, ret);
	default: return read_wrapper(c, f, &p, ret);
	}
}

static int put_time(struct protobuf_ctx *c, struct pb_writer *w, const struct schema_field *f,
		    const struct doc *d)
{
	struct schema_time t = { 0 };
	struct err err = ERR_INIT;

	if (!doc_is(d, DOC_STRING) || schema_parse_time(doc_slice(d), &t, &err) < 0)
		return protobuf_fail(c, ERR_INVALID, "must be a time, not %s",
				     doc_is(d, DOC_STRING) ? err.msg : doc_type_name(d));
	if (t.nsec || c->o->whole)
		pb_field_varint(w, 2, t.nsec);
	/* 1970 is not the empty message, which stands for no time. */
	if (t.sec || c->o->whole || !(f->wire & SCHEMA_PB_PRESENCE))
		pb_field_varint(w, 1, (uint64_t)t.sec);
	return 0;
}

static int put_int_or_str(struct protobuf_ctx *c, struct pb_writer *w, const struct doc *d)
{
	int64_t v;

	if (doc_is(d, DOC_STRING)) {
		pb_field_bytes(w, 3, doc_slice(d));
		if (c->o->whole)
			pb_field_varint(w, 2, 0);
		pb_field_varint(w, 1, 1);
		return 0;
	}
	if (!doc_is(d, DOC_NUMBER) || doc_int64(d, &v) != 0 || v != (int32_t)v)
		return protobuf_fail(c, ERR_INVALID, "must be a 32-bit integer or a string");
	if (c->o->whole)
		pb_field_bytes(w, 3, (struct slice){ NULL, 0 });
	if (v || c->o->whole)
		pb_field_varint(w, 2, (uint64_t)v);
	if (c->o->whole)
		pb_field_varint(w, 1, 0);
	return 0;
}

static int put_json(struct protobuf_ctx *c, struct pb_writer *w, const struct schema_field *f,
		    const struct doc *d)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(w->max);
	struct err err = ERR_INIT;

	if (json_write(d, NULL, &b, &err) < 0)
		return protobuf_fail(c, err.code, "JSON within: %s", err.msg);
	if (protobuf_kind(f) == SCHEMA_PB_BYTES)
		pb_put_raw(w, buf_slice(&b));
	else
		pb_field_bytes(w, 1, buf_slice(&b));
	return 0;
}

static int put_wrapper(struct protobuf_ctx *c, struct pb_writer *w, const struct schema_field *f,
		       const struct doc *d)
{
	struct schema_field row = *f;
	struct err err = ERR_INIT;
	uint64_t bits = 0;
	int r = 0;

	row.wire = SCHEMA_PB_NONE;
	if (f->type == SCHEMA_STRING) {
		if (!doc_is(d, DOC_STRING))
			return protobuf_fail(c, ERR_INVALID, "must be a string, not %s",
					     doc_type_name(d));
		if (f->format != FORMAT_DURATION) {
			if (d->n)
				pb_field_bytes(w, 1, doc_slice(d));
			return 0;
		}
		if (schema_parse_duration(doc_slice(d), (int64_t *)&bits, &err) < 0)
			return protobuf_fail(c, ERR_INVALID, "%s", err.msg);
	} else {
		r = protobuf_number_bits(c, &row, d, &bits);
	}
	if (r < 0 || (!bits && !c->o->whole))
		return r;
	protobuf_put_bits(w, protobuf_wire_type(&row), bits);
	pb_put_tag(w, 1,
		   protobuf_wire_type(&row) == PB_BYTES ? PB_VARINT : protobuf_wire_type(&row));
	return 0;
}

int protobuf_put_special(struct protobuf_ctx *c, struct pb_writer *w, const struct schema_field *f,
			 const struct doc *d)
{
	switch ((enum schema_type)f->type) {
	case SCHEMA_TIME: return put_time(c, w, f, d);
	case SCHEMA_INT_OR_STR: return put_int_or_str(c, w, d);
	case SCHEMA_ANY: return put_json(c, w, f, d);
	case SCHEMA_QUANTITY:
		/* A bare number is taken as its text. */
		if (!doc_is(d, DOC_STRING) && !doc_is(d, DOC_NUMBER))
			return protobuf_fail(c, ERR_INVALID, "must be a quantity, not %s",
					     doc_type_name(d));
		pb_field_bytes(w, 1, slice_of(d->s, d->n));
		return 0;
	default: return put_wrapper(c, w, f, d);
	}
}

void protobuf_put_zero(struct pb_writer *w, const struct schema_field *f)
{
	if (f->type == SCHEMA_QUANTITY) {
		pb_field_bytes(w, 1, SLICE("0"));
	} else if (f->type == SCHEMA_INT_OR_STR) {
		pb_field_bytes(w, 3, (struct slice){ NULL, 0 });
		pb_field_varint(w, 2, 0);
		pb_field_varint(w, 1, 0);
	} else if (f->type == SCHEMA_STRING && protobuf_kind(f) == SCHEMA_PB_MESSAGE &&
		   f->format == FORMAT_DURATION) {
		pb_field_varint(w, 1, 0);
	}
}
