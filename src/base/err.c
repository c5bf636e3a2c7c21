/* SPDX-License-Identifier: Apache-2.0 */
/* Error values: text is built in place, cut texts end in "...", and no call here changes errno. */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The text in dst was cut when `wanted` says it needed more than the room: mark that. */
static void mark_cut(char *dst, size_t size, size_t wanted)
{
	if (wanted >= size)
		memcpy(dst + size - 4, "...", 4);
}

static void set_text(struct err *err, const char *fmt, va_list ap)
{
	int n = vsnprintf(err->msg, sizeof(err->msg), fmt, ap);

	if (n < 0)
		err->msg[0] = '\0';
	else
		mark_cut(err->msg, sizeof(err->msg), (size_t)n);
}

static void append(struct err *err, const char *sep, const char *text)
{
	size_t n = strnlen(err->msg, sizeof(err->msg) - 1);
	size_t room = sizeof(err->msg) - n, a = strlen(sep), b = strlen(text);

	if (a + b < room) {
		memcpy(err->msg + n, sep, a);
		memcpy(err->msg + n + a, text, b + 1);
		return;
	}
	a = MIN(a, room - 1);
	memcpy(err->msg + n, sep, a);
	memcpy(err->msg + n + a, text, MIN(b, room - 1 - a));
	mark_cut(err->msg, sizeof(err->msg), sizeof(err->msg));
}

int err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	if (err) {
		err->code = code;
		err->sys = 0;
		err->causes = NULL;
		va_start(ap, fmt);
		set_text(err, fmt, ap);
		va_end(ap);
	}
	errno = saved;
	return -(int)code;
}

static void set_sys(struct err *err, enum err_code code, int sys, const char *fmt, va_list ap)
{
	err->code = code;
	err->sys = sys;
	err->causes = NULL;
	set_text(err, fmt, ap);
	append(err, ": ", err_strerror(sys));
}

int err_sys(struct err *err, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	if (err) {
		va_start(ap, fmt);
		set_sys(err, ERR_SYSTEM, saved, fmt, ap);
		va_end(ap);
	}
	errno = saved;
	return -ERR_SYSTEM;
}

int err_sysc(struct err *err, enum err_code code, int sys, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	if (err) {
		va_start(ap, fmt);
		set_sys(err, code, sys, fmt, ap);
		va_end(ap);
	}
	errno = saved;
	return -(int)code;
}

int err_ret(const struct err *err)
{
	return err && err->code ? -(int)err->code : -ERR_SYSTEM;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
	int saved = errno, n;
	struct err inner;
	va_list ap;

	if (err) {
		memcpy(inner.msg, err->msg, sizeof(inner.msg));
		va_start(ap, fmt);
		set_text(err, fmt, ap);
		va_end(ap);
		n = (int)strnlen(inner.msg, sizeof(inner.msg) - 1);
		inner.msg[n] = '\0';
		if (n)
			append(err, ": ", inner.msg);
		if (!err->code)
			err->code = ERR_SYSTEM;
	}
	errno = saved;
	return err_ret(err);
}

int err_hint(struct err *err, const char *fmt, ...)
{
	int saved = errno;
	struct err hint;
	va_list ap;

	if (err) {
		va_start(ap, fmt);
		set_text(&hint, fmt, ap);
		va_end(ap);
		append(err, "; ", hint.msg);
	}
	errno = saved;
	return err_ret(err);
}

static const struct {
	const char *name, *reason;
	int docker, kube;
} codes[ERR_CODE_COUNT] = { [ERR_NONE] = { "NONE", "", 200, 200 },
#define X(name, docker, kube, reason) [ERR_##name] = { #name, reason, docker, kube },
			    ERR_CODES(X)
#undef X
};

/* A code that came over a pipe may be anything: what is unknown counts as SYSTEM. */
static unsigned known(enum err_code code)
{
	return (unsigned)code < ERR_CODE_COUNT ? (unsigned)code : ERR_SYSTEM;
}

int err_docker_status(enum err_code code)
{
	return codes[known(code)].docker;
}

int err_kube_status(enum err_code code)
{
	return codes[known(code)].kube;
}

const char *err_kube_reason(enum err_code code)
{
	return codes[known(code)].reason;
}

const char *err_code_name(enum err_code code)
{
	return codes[known(code)].name;
}

const char *err_strerror(int sys)
{
#ifdef __GLIBC__
	/* glibc's strerror translates and may use a shared buffer; this one does neither. */
	const char *s = strerrordesc_np(sys);

	return s ? s : "Unknown error";
#else
	return strerror(sys);
#endif
}
