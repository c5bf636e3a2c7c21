/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker's json-file log: one JSON object per line of output, lines longer than 16 KiB in pieces
 * without the newline, files NAME, NAME.1, ... by size. One write(2) per read of output. Failing
 * writes (a full disk) lose log lines and nothing else: the container must not stop because nobody
 * can store what it says.
 */
#include "runtime/shim-private.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_BYTES (16 * 1024)
/* Worst case of one byte: "\u0000"; of the rest of a record: stream, time, attrs. */
#define RECORD_EXTRA 160

static int open_file(struct shim_logger *l, struct err *err)
{
	struct stat st;

	l->fd = openat(l->dirfd, l->name, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
		       0640);
	if (l->fd < 0)
		return err_sys(err, "open log '%s'", l->name);
	l->size = fstat(l->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
	return 0;
}

int shim_logger_open(struct shim_logger *l, const struct shim_create *c, int dirfd, struct err *err)
{
	*l = (struct shim_logger){ .fd = -1,
				   .max_size = c->log_max_size,
				   .max_files = c->log_max_files };
	l->dirfd = fd_dup(dirfd);
	if (l->dirfd < 0)
		return err_sys(err, "keep the log's directory");
	memcpy(l->name, c->log_name.p, c->log_name.n);
	l->attrs = c->log_attrs.n ? strndup(c->log_attrs.p, c->log_attrs.n) : NULL;
	return open_file(l, err);
}

void shim_logger_fini(struct shim_logger *l)
{
	fd_close(l->fd);
	fd_close(l->dirfd);
	free(l->attrs);
	*l = (struct shim_logger){ .fd = -1, .dirfd = -1 };
}

int shim_logger_reopen(struct shim_logger *l, struct err *err)
{
	fd_close(l->fd);
	return open_file(l, err);
}

/* NAME.(n-2) -> NAME.(n-1), ..., NAME -> NAME.1; with one file only it is cut to nothing. */
static void rotate(struct shim_logger *l)
{
	char from[224], to[224];
	struct err err = ERR_INIT;

	if (l->max_files <= 1) {
		if (ftruncate(l->fd, 0) == 0)
			l->size = 0;
		return;
	}
	for (uint32_t i = l->max_files - 1; i >= 1; i--) {
		(void)snprintf(to, sizeof(to), "%s.%u", l->name, i);
		if (i == 1)
			(void)snprintf(from, sizeof(from), "%s", l->name);
		else
			(void)snprintf(from, sizeof(from), "%s.%u", l->name, i - 1);
		(void)renameat(l->dirfd, from, l->dirfd, to); /* absent at first */
	}
	if (shim_logger_reopen(l, &err) < 0)
		log_error("%s", err.msg);
}

struct out {
	char *p;
	size_t n, cap;
};

static void put(struct out *o, const char *s, size_t n)
{
	memcpy(o->p + o->n, s, n);
	o->n += n;
}
#define PUT_LIT(o, lit) put(o, lit, sizeof(lit) - 1)

/* Length of the UTF-8 sequence at p, 0 when it is none. */
static size_t utf8_len(const unsigned char *p, size_t n)
{
	size_t len = p[0] < 0x80		   ? 1
		     : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
		     : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
		     : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
						   : 0;

	if (len == 0 || len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((len == 3 && p[0] == 0xe0 && p[1] < 0xa0) ||
	    (len == 3 && p[0] == 0xed && p[1] > 0x9f) ||
	    (len == 4 && p[0] == 0xf0 && p[1] < 0x90) || (len == 4 && p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

static void put_escaped(struct out *o, const char *text, size_t n)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *p = (const unsigned char *)text;
	size_t i = 0, start = 0;

	while (i < n) {
		unsigned char c = p[i];
		size_t len;

		if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
			i++;
			continue;
		}
		len = c >= 0x80 ? utf8_len(p + i, n - i) : 0;
		if (len) {
			i += len;
			continue;
		}
		put(o, text + start, i - start);
		switch (c) {
		case '"': PUT_LIT(o, "\\\""); break;
		case '\\': PUT_LIT(o, "\\\\"); break;
		case '\n': PUT_LIT(o, "\\n"); break;
		case '\r': PUT_LIT(o, "\\r"); break;
		case '\t': PUT_LIT(o, "\\t"); break;
		default:
			if (c >= 0x80) {
				PUT_LIT(o, "\\ufffd");
			} else {
				PUT_LIT(o, "\\u00");
				o->p[o->n++] = hex[c >> 4];
				o->p[o->n++] = hex[c & 15];
			}
		}
		start = ++i;
	}
	put(o, text + start, n - start);
}

static void flush(struct shim_logger *l, struct out *o)
{
	if (o->n && l->fd >= 0 && fd_write_all(l->fd, o->p, o->n) == 0)
		l->size += o->n;
	else if (o->n)
		log_debug("log write: %s", err_strerror(errno));
	o->n = 0;
	if (l->max_size && l->size >= l->max_size)
		rotate(l);
}

void shim_logger_write(struct shim_logger *l, int stream, const char *p, size_t n, char *scratch,
		       size_t cap)
{
	struct out o = { .p = scratch, .cap = cap };
	char when[CLOCK_TEXT_MAX];
	size_t attrs = l->attrs ? strlen(l->attrs) : 0;

	clock_rfc3339nano(when, clock_real());
	while (n) {
		const char *nl = memchr(p, '\n', MIN(n, LINE_MAX_BYTES));
		size_t len = nl ? (size_t)(nl - p) + 1 : MIN(n, LINE_MAX_BYTES);

		if (o.cap - o.n < len * 6 + RECORD_EXTRA + attrs)
			flush(l, &o);
		if (o.cap < len * 6 + RECORD_EXTRA + attrs)
			len = (o.cap - RECORD_EXTRA - attrs) / 6; /* never with the sizes in use */
		PUT_LIT(&o, "{\"log\":\"");
		put_escaped(&o, p, len);
		if (stream == 2)
			PUT_LIT(&o, "\",\"stream\":\"stderr\",");
		else
			PUT_LIT(&o, "\",\"stream\":\"stdout\",");
		if (attrs) {
			PUT_LIT(&o, "\"attrs\":");
			put(&o, l->attrs, attrs);
			PUT_LIT(&o, ",");
		}
		PUT_LIT(&o, "\"time\":\"");
		put(&o, when, strlen(when));
		PUT_LIT(&o, "\"}\n");
		p += len;
		n -= len;
	}
	flush(l, &o);
}

/* ---- replay ---- */

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undoes put_escaped in place: our own writing, so anything else simply ends the text. */
static size_t unescape(char *p, size_t n)
{
	size_t out = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] != '\\' || i + 1 >= n) {
			p[out++] = p[i];
			continue;
		}
		switch (p[++i]) {
		case 'n': p[out++] = '\n'; break;
		case 'r': p[out++] = '\r'; break;
		case 't': p[out++] = '\t'; break;
		case 'u':
			if (i + 4 >= n + 0 && i + 4 > n - 1)
				return out;
			if (p[i + 1] == 'f') {
				memcpy(p + out, "\xef\xbf\xbd", 3);
				out += 3;
			} else {
				p[out++] = (char)(hex_digit(p[i + 3]) * 16 + hex_digit(p[i + 4]));
			}
			i += 4;
			break;
		default: p[out++] = p[i]; break;
		}
	}
	return out;
}

static void replay_line(char *line, size_t n,
			void (*fn)(void *arg, int stream, const char *p, size_t n), void *arg)
{
	static const char head[] = "{\"log\":\"", mid[] = "\",\"stream\":\"std";
	char *end;

	if (n < sizeof(head) || memcmp(line, head, sizeof(head) - 1) != 0)
		return;
	line += sizeof(head) - 1;
	n -= sizeof(head) - 1;
	end = memmem(line, n, mid, sizeof(mid) - 1);
	if (!end)
		return;
	fn(arg, end[sizeof(mid) - 1] == 'e' ? 2 : 1, line, unescape(line, (size_t)(end - line)));
}

void shim_logger_replay(struct shim_logger *l,
			void (*fn)(void *arg, int stream, const char *p, size_t n), void *arg)
{
	char name[224];

	for (uint32_t i = l->max_files; i-- > 0;) {
		char *line = NULL;
		size_t cap = 0;
		ssize_t n;
		FILE *f;
		int fd;

		if (i)
			(void)snprintf(name, sizeof(name), "%s.%u", l->name, i);
		else
			(void)snprintf(name, sizeof(name), "%s", l->name);
		fd = openat(l->dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		f = fd >= 0 ? fdopen(fd, "r") : NULL;
		if (!f) {
			fd_close(fd);
			continue;
		}
		while ((n = getline(&line, &cap, f)) > 0)
			replay_line(line, (size_t)n, fn, arg);
		free(line);
		(void)fclose(f);
	}
}
