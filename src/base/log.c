/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines: built on the stack, written by one write(2), so lines of several processes on one pipe
 * or file do not mix. A line is cut at LINE_MAX_BYTES; control characters never reach the output
 * raw.
 */
#include "base/log.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096 /* PIPE_BUF: up to here a write to a pipe is atomic */
#define TAIL_ROOM 16	    /* for "...", a closing quote, brace and newline */

static struct {
	const char *role;
	int fd;
	enum log_level level;
	enum log_format format;
} conf = { .role = "teu", .fd = 2, .level = LOG_LEVEL_WARN, .format = LOG_FORMAT_TEXT };

struct line {
	char text[LINE_MAX_BYTES];
	size_t n;
	bool cut;
};

void log_setup(const char *role, int fd, enum log_level level, enum log_format format)
{
	conf.role = role;
	conf.fd = fd;
	conf.level = level;
	conf.format = format;
}

bool log_enabled(enum log_level level)
{
	return level <= conf.level;
}

/* All or nothing: a piece is one character or one escape, so a cut never splits it. */
static void put(struct line *l, const char *p, size_t n)
{
	if (l->cut || n > sizeof(l->text) - TAIL_ROOM - l->n) {
		l->cut = true;
		return;
	}
	memcpy(l->text + l->n, p, n);
	l->n += n;
}

static void puts_raw(struct line *l, const char *s)
{
	put(l, s, strlen(s));
}

/* Past the reserved room: for what closes a line, which must come even after a cut. */
static void put_tail(struct line *l, const char *s)
{
	size_t n = MIN(strlen(s), sizeof(l->text) - l->n);

	memcpy(l->text + l->n, s, n);
	l->n += n;
}

/* Length of the well-formed UTF-8 sequence at p, or 0. C1 controls count as malformed: terminals
 * obey them. */
static size_t utf8_len(const unsigned char *p)
{
	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		return (p[1] & 0xc0) == 0x80 && !(p[0] == 0xc2 && p[1] < 0xa0) ? 2 : 0;
	if ((p[0] & 0xf0) == 0xe0) {
		if ((p[1] & 0xc0) != 0x80 || (p[0] == 0xe0 && p[1] < 0xa0) ||
		    (p[0] == 0xed && p[1] >= 0xa0))
			return 0;
		return (p[2] & 0xc0) == 0x80 ? 3 : 0;
	}
	if (p[0] < 0xf0 || p[0] > 0xf4 || (p[1] & 0xc0) != 0x80 || (p[0] == 0xf0 && p[1] < 0x90) ||
	    (p[0] == 0xf4 && p[1] >= 0x90))
		return 0;
	return (p[2] & 0xc0) == 0x80 && (p[3] & 0xc0) == 0x80 ? 4 : 0;
}

static void put_escape(struct line *l, unsigned c, bool json)
{
	char esc[8] = { '\\', 0 };
	size_t n = 2;

	switch (c) {
	case '\n': esc[1] = 'n'; break;
	case '\t': esc[1] = 't'; break;
	case '\r': esc[1] = 'r'; break;
	case '"': esc[1] = '"'; break;
	case '\\': esc[1] = '\\'; break;
	default:
		/* JSON has no byte escape: what is not UTF-8 becomes the replacement character. */
		n = (size_t)(json ? snprintf(esc, sizeof(esc), "\\u%04x", c < 0x80 ? c : 0xfffd)
				  : snprintf(esc, sizeof(esc), "\\x%02x", c));
	}
	put(l, esc, n);
}

static void put_escaped(struct line *l, const char *s, bool json, bool quoted)
{
	const unsigned char *p = (const unsigned char *)s;

	while (*p && !l->cut) {
		size_t n = utf8_len(p);
		bool special = *p < 0x20 || *p == 0x7f || (quoted && (*p == '"' || *p == '\\'));

		if (n == 0 || special) {
			put_escape(l, *p++, json);
			continue;
		}
		put(l, (const char *)p, n);
		p += n;
	}
}

static bool needs_quotes(const char *s)
{
	if (!*s)
		return true;
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || strchr("\"'=\\\x7f", *s))
			return true;
	return false;
}

static void put_quoted(struct line *l, const char *s, bool json)
{
	put(l, "\"", 1);
	put_escaped(l, s, json, true);
	put(l, "\"", 1);
	if (l->cut)
		put_tail(l, "...\"");
}

static void put_pair(struct line *l, const char *key, const char *value)
{
	if (l->cut)
		return;
	if (conf.format == LOG_FORMAT_JSON) {
		/* Key and value stay together: a line cut between them would not parse. */
		if (l->n + strlen(key) + 16 > sizeof(l->text) - TAIL_ROOM) {
			l->cut = true;
			return;
		}
		put(l, ",", 1);
		put_quoted(l, key, true);
		put(l, ":", 1);
		put_quoted(l, value, true);
		return;
	}
	put(l, " ", 1);
	put_escaped(l, key, false, false);
	put(l, "=", 1);
	if (needs_quotes(value))
		put_quoted(l, value, false);
	else
		put_escaped(l, value, false, false);
}

static void line_start(struct line *l, enum log_level level, const char *msg)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };
	char when[CLOCK_TEXT_MAX];

	clock_rfc3339full(when, clock_real());
	if (conf.format == LOG_FORMAT_JSON) {
		puts_raw(l, "{\"time\":\"");
		puts_raw(l, when);
		puts_raw(l, "\",\"level\":\"");
		puts_raw(l, names[level]);
		puts_raw(l, "\",\"role\":");
		put_quoted(l, conf.role, true);
		puts_raw(l, ",\"msg\":");
		put_quoted(l, msg, true);
		return;
	}
	puts_raw(l, when);
	puts_raw(l, " ");
	puts_raw(l, names[level]);
	puts_raw(l, " ");
	puts_raw(l, conf.role);
	puts_raw(l, " ");
	put_escaped(l, msg, false, false);
}

static void line_end(struct line *l)
{
	bool json = conf.format == LOG_FORMAT_JSON;

	if (l->cut && !json && (l->n == 0 || l->text[l->n - 1] != '"'))
		put_tail(l, "...");
	put_tail(l, json ? "}\n" : "\n");
	while (write(conf.fd, l->text, l->n) < 0 && errno == EINTR)
		; /* any other failure has no place to be told */
}

void log_kv(enum log_level level, const char *msg, ...)
{
	int saved = errno;
	const char *key, *value;
	struct line l;
	va_list ap;

	if (!log_enabled(level))
		return;
	l.n = 0;
	l.cut = false;
	line_start(&l, level, msg);
	va_start(ap, msg);
	while ((key = va_arg(ap, const char *)) != NULL) {
		value = va_arg(ap, const char *);
		if (value)
			put_pair(&l, key, value);
	}
	va_end(ap);
	line_end(&l);
	errno = saved;
}

void log_f(enum log_level level, const char *fmt, ...)
{
	char msg[LINE_MAX_BYTES - 256];
	int saved = errno, n;
	struct line l;
	va_list ap;

	if (!log_enabled(level))
		return;
	va_start(ap, fmt);
	n = vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	if (n < 0)
		msg[0] = '\0';
	else if ((size_t)n >= sizeof(msg))
		memcpy(msg + sizeof(msg) - 4, "...", 4);
	l.n = 0;
	l.cut = false;
	line_start(&l, level, msg);
	line_end(&l);
	errno = saved;
}
