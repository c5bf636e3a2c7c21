/* SPDX-License-Identifier: Apache-2.0 */
/* gRPC's texts: status codes, time-outs, percent-coded messages, metadata. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "io/grpc-impl.h"

#include <stdio.h>

const char *grpc_code_name(enum grpc_code c)
{
	static const char *const names[] = {
#define X(n, name) #name,
		GRPC_CODES(X)
#undef X
	};

	return (unsigned)c < ARRAY_LEN(names) ? names[c] : "UNKNOWN";
}

enum grpc_code grpc_code_of(const struct err *err)
{
	static const uint8_t codes[ERR_CODE_COUNT] = {
		[ERR_NONE] = GRPC_OK,
		[ERR_BAD_REQUEST] = GRPC_INVALID_ARGUMENT,
		[ERR_INVALID] = GRPC_INVALID_ARGUMENT,
		[ERR_UNAUTHORIZED] = GRPC_UNAUTHENTICATED,
		[ERR_FORBIDDEN] = GRPC_PERMISSION_DENIED,
		[ERR_NOT_FOUND] = GRPC_NOT_FOUND,
		[ERR_EXISTS] = GRPC_ALREADY_EXISTS,
		[ERR_CONFLICT] = GRPC_FAILED_PRECONDITION,
		[ERR_GONE] = GRPC_OUT_OF_RANGE,
		[ERR_TOO_LARGE] = GRPC_RESOURCE_EXHAUSTED,
		[ERR_QUOTA] = GRPC_RESOURCE_EXHAUSTED,
		[ERR_UNSUPPORTED] = GRPC_UNIMPLEMENTED,
		[ERR_TIMEOUT] = GRPC_DEADLINE_EXCEEDED,
		[ERR_UNAVAILABLE] = GRPC_UNAVAILABLE,
		[ERR_SYSTEM] = GRPC_INTERNAL,
	};

	return (unsigned)err->code < ERR_CODE_COUNT ? (enum grpc_code)codes[err->code]
						    : GRPC_UNKNOWN;
}

int grpc_err(enum grpc_code c, const char *message, struct err *err)
{
	static const uint8_t codes[] = {
		[GRPC_OK] = ERR_SYSTEM,
		[GRPC_CANCELLED] = ERR_UNAVAILABLE,
		[GRPC_UNKNOWN] = ERR_SYSTEM,
		[GRPC_INVALID_ARGUMENT] = ERR_INVALID,
		[GRPC_DEADLINE_EXCEEDED] = ERR_TIMEOUT,
		[GRPC_NOT_FOUND] = ERR_NOT_FOUND,
		[GRPC_ALREADY_EXISTS] = ERR_EXISTS,
		[GRPC_PERMISSION_DENIED] = ERR_FORBIDDEN,
		[GRPC_RESOURCE_EXHAUSTED] = ERR_QUOTA,
		[GRPC_FAILED_PRECONDITION] = ERR_CONFLICT,
		[GRPC_ABORTED] = ERR_CONFLICT,
		[GRPC_OUT_OF_RANGE] = ERR_GONE,
		[GRPC_UNIMPLEMENTED] = ERR_UNSUPPORTED,
		[GRPC_INTERNAL] = ERR_SYSTEM,
		[GRPC_UNAVAILABLE] = ERR_UNAVAILABLE,
		[GRPC_DATA_LOSS] = ERR_SYSTEM,
		[GRPC_UNAUTHENTICATED] = ERR_UNAUTHORIZED,
	};
	enum err_code code = (unsigned)c < ARRAY_LEN(codes) ? (enum err_code)codes[c] : ERR_SYSTEM;

	return err_set(err, code, "%s: %s", grpc_code_name(c), message ? message : "");
}

/* "HTTP to gRPC status code mapping", for answers of what is no gRPC server. */
enum grpc_code grpc_code_of_http(int status)
{
	switch (status) {
	case 400: return GRPC_INTERNAL;
	case 401: return GRPC_UNAUTHENTICATED;
	case 403: return GRPC_PERMISSION_DENIED;
	case 404: return GRPC_UNIMPLEMENTED;
	case 429:
	case 502:
	case 503:
	case 504: return GRPC_UNAVAILABLE;
	default: return GRPC_UNKNOWN;
	}
}

bool grpc_is_content_type(struct slice v)
{
	struct slice base = SLICE("application/grpc");

	if (v.n < base.n || !slice_ieq(slice_of(v.p, base.n), base))
		return false;
	/* "+proto" or none; "+json" would be another message format */
	v = slice_of(v.p + base.n, v.n - base.n);
	return v.n == 0 || *v.p == ';' || slice_is(v, "+proto") ||
	       slice_starts(v, SLICE("+proto;"));
}

/* ---- time-outs ---- */

static const struct {
	char unit;
	int64_t ns;
} units[] = {
	{ 'n', 1 },
	{ 'u', 1000 },
	{ 'm', NS_PER_MS },
	{ 'S', NS_PER_SEC },
	{ 'M', 60 * NS_PER_SEC },
	{ 'H', 3600 * NS_PER_SEC },
};

int64_t grpc_timeout_parse(struct slice s)
{
	uint64_t n;

	if (s.n < 2 || s.n > 9 || str_uint64(slice_of(s.p, s.n - 1), &n, NULL) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (units[i].unit == s.p[s.n - 1]) {
			__int128 ns = (__int128)n * units[i].ns;

			return ns > INT64_MAX / 4 ? INT64_MAX / 4 : (int64_t)ns;
		}
	return -1;
}

const char *grpc_timeout_text(int64_t ns, char *dst)
{
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		int64_t n = ns / units[i].ns + (ns % units[i].ns != 0);

		if (n <= 99999999) {
			(void)snprintf(dst, 16, "%u%c", (unsigned)MAX(n, (int64_t)0),
				       units[i].unit);
			break;
		}
	}
	return dst;
}

/* ---- messages ---- */

void grpc_message_encode(struct slice s, char *dst)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= ' ' && c <= '~' && c != '%') {
			*dst++ = (char)c;
			continue;
		}
		*dst++ = '%';
		*dst++ = digits[c >> 4];
		*dst++ = digits[c & 15];
	}
	*dst = '\0';
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void grpc_message_decode(struct slice s, char *dst)
{
	for (size_t i = 0; i < s.n; i++) {
		int hi = i + 2 < s.n && s.p[i] == '%' ? nibble(s.p[i + 1]) : -1;
		int lo = hi >= 0 ? nibble(s.p[i + 2]) : -1;

		if (lo >= 0 && (hi || lo)) {
			*dst++ = (char)(hi << 4 | lo);
			i += 2;
		} else {
			*dst++ = s.p[i];
		}
	}
	*dst = '\0';
}

/* ---- metadata ---- */

bool grpc_is_binary(struct slice name)
{
	return slice_ends(name, SLICE("-bin"));
}

bool grpc_metadata_ok(struct slice name)
{
	static const char *const reserved[] = { "te",	"content-type",	  "user-agent",
						"host", "content-length", "connection",
						NULL };

	if (name.n == 0 || name.n > 256 || slice_starts(name, SLICE("grpc-")))
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (!((name.p[i] >= 'a' && name.p[i] <= 'z') ||
		      (name.p[i] >= '0' && name.p[i] <= '9') || name.p[i] == '-' ||
		      name.p[i] == '_' || name.p[i] == '.'))
			return false;
	for (size_t i = 0; reserved[i]; i++)
		if (slice_is(name, reserved[i]))
			return false;
	return true;
}

int grpc_put_metadata(struct stream *s, bool trailer, const char *name, struct slice value)
{
	CLEANUP_FREE char *text = malloc(BASE64_LEN(value.n) + 1);
	size_t n = value.n;

	if (!text)
		abort();
	if (grpc_is_binary(slice_str(name))) {
		base64_encode(text, value.p, value.n);
		n = strlen(text);
		while (n && text[n - 1] == '=')
			n--;
	} else if (n) {
		if (memchr(value.p, '\0', n))
			return -ERR_INVALID;
		memcpy(text, value.p, n);
	}
	text[n] = '\0';
	return trailer ? stream_set_trailer(s, name, text) : stream_add_header(s, name, text);
}

struct slice grpc_take_metadata(struct arena *a, const char *name, struct slice value)
{
	size_t n;
	char *p;

	if (!value.p || !grpc_is_binary(slice_str(name)))
		return value;
	p = arena_alloc_raw(a, value.n + 1, 1);
	if (!p || base64_decode(p, &n, value) < 0)
		return (struct slice){ NULL, 0 };
	return slice_of(p, n);
}
