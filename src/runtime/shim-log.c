/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker's json-file log: one JSON object per line of output, lines longer than 16 KiB in pieces
 * without the newline, files NAME, NAME.1, ... by size. A line is logged when its newline has come,
 * so a character or a line that two reads share is not torn. Few write(2)s per read of output.
 * Failing writes (a full disk) lose log lines and nothing else: the container must not stop because
 * nobody can store what it says, and what was half written is cut off again.
 */
#include "runtime/shim-private.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "linux/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_ROOM 224	 /* name, dot, number */
#define ESCAPE_WORST 6	 /* "\u0000" of one byte */
#define RECORD_EXTRA 160 /* a record's keys, stream and time */

/* ---- files ---- */

static int open_file(struct shim_logger *l, struct err *err)
{
	struct stat st;

	l->fd = sys_openat(l->dirfd, l->name,
			   O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (l->fd < 0)
		return err_sys(err, "open log '%s'", l->name);
	l->size = sys_fstat(l->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
	return 0;
}

int shim_logger_open(struct shim_logger *l, const struct shim_create *c, int dirfd, struct err *err)
{
	*l = (struct shim_logger){ .fd = -1,
				   .max_size = c->log_max_size,
				   .max_files = c->log_max_files,
				   .part = { BUF_INIT(SHIM_LINE_MAX), BUF_INIT(SHIM_LINE_MAX) } };
	int r;

	l->dirfd = fd_dup(dirfd);
	if (l->dirfd < 0)
		return err_sys(err, "keep the log's directory");
	memcpy(l->name, c->log_name.p, c->log_name.n);
	if (c->log_attrs.n) {
		l->attrs = strndup(c->log_attrs.p, c->log_attrs.n);
		if (!l->attrs)
			abort();
	}
	r = open_file(l, err);
	if (r < 0)
		shim_logger_fini(l);
	return r;
}

void shim_logger_fini(struct shim_logger *l)
{
	fd_close(l->fd);
	fd_close(l->dirfd);
	free(l->attrs);
	buf_fini(&l->part[0]);
	buf_fini(&l->part[1]);
	*l = (struct shim_logger){ .fd = -1, .dirfd = -1 };
}

int shim_logger_reopen(struct shim_logger *l, struct err *err)
{
	fd_close(l->fd);
	return open_file(l, err);
}

static void file_name(const struct shim_logger *l, uint32_t i, char out[NAME_ROOM])
{
	if (i)
		(void)snprintf(out, NAME_ROOM, "%s.%u", l->name, i);
	else
		str_copy(out, NAME_ROOM, l->name);
}

/* NAME.(n-2) -> NAME.(n-1), ..., NAME -> NAME.1; with one file only it is cut to nothing. */
static void rotate(struct shim_logger *l)
{
	char from[NAME_ROOM], to[NAME_ROOM];
	struct err err = ERR_INIT;

	if (l->max_files <= 1) {
		if (l->fd >= 0 && sys_ftruncate(l->fd, 0) == 0)
			l->size = 0;
		return;
	}
	for (uint32_t i = l->max_files - 1; i >= 1; i--) {
		file_name(l, i, to);
		file_name(l, i - 1, from);
		/* Absent at first. If the last rename fails the old file is opened again. */
		(void)sys_renameat(l->dirfd, from, l->dirfd, to);
	}
	l->turns++;
	if (shim_logger_reopen(l, &err) < 0)
		log_error("%s", err.msg); /* tried again with the next record */
}

/* ---- records ---- */

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

static void put_escape(struct out *o, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";

	switch (c) {
	case '"': PUT_LIT(o, "\\\""); return;
	case '\\': PUT_LIT(o, "\\\\"); return;
	case '\n': PUT_LIT(o, "\\n"); return;
	case '\r': PUT_LIT(o, "\\r"); return;
	case '\t': PUT_LIT(o, "\\t"); return;
	default: break;
	}
	if (c >= 0x80) {
		PUT_LIT(o, "\\ufffd"); /* not UTF-8: JSON has no other way to say it */
		return;
	}
	PUT_LIT(o, "\\u00");
	o->p[o->n++] = hex[c >> 4];
	o->p[o->n++] = hex[c & 15];
}

static void put_escaped(struct out *o, const char *text, size_t n)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t i = 0, start = 0;

	while (i < n) {
		size_t len = 1;

		if (p[i] >= 0x80)
			len = utf8_len(p + i, n - i);
		else if (p[i] < 0x20 || p[i] == 0x7f || p[i] == '"' || p[i] == '\\')
			len = 0;
		if (len) {
			i += len;
			continue;
		}
		put(o, text + start, i - start);
		put_escape(o, p[i]);
		start = ++i;
	}
	put(o, text + start, n - start);
}

static void written(struct shim_logger *l, size_t n)
{
	l->size += n;
	if (l->lost)
		log_warn("log '%s': %llu bytes were lost", l->name, (unsigned long long)l->lost);
	l->lost = 0;
}

static void flush(struct shim_logger *l, struct out *o)
{
	size_t n = o->n;

	o->n = 0;
	if (!n || (l->fd < 0 && shim_logger_reopen(l, NULL) < 0)) {
		l->lost += n;
		return;
	}
	if (fd_write_all(l->fd, o->p, n) == 0) {
		written(l, n);
		return;
	}
	if (!l->lost)
		log_warn("log '%s' cannot be written: %s", l->name, err_strerror(errno));
	l->lost += n;
	/* What was written of it would spoil the next record too. */
	(void)sys_ftruncate(l->fd, (off_t)l->size);
}

static void record(struct shim_logger *l, struct out *o, int stream, struct slice text,
		   struct slice when)
{
	size_t attrs = l->attrs ? strlen(l->attrs) : 0;

	if (l->max_size && l->size + o->n >= l->max_size) {
		flush(l, o);
		if (l->size >= l->max_size)
			rotate(l);
	}
	if (o->cap - o->n < text.n * ESCAPE_WORST + RECORD_EXTRA + attrs)
		flush(l, o);
	PUT_LIT(o, "{\"log\":\"");
	put_escaped(o, text.p, text.n);
	if (stream == 2)
		PUT_LIT(o, "\",\"stream\":\"stderr\",");
	else
		PUT_LIT(o, "\",\"stream\":\"stdout\",");
	if (attrs) {
		PUT_LIT(o, "\"attrs\":");
		put(o, l->attrs, attrs);
		PUT_LIT(o, ",");
	}
	PUT_LIT(o, "\"time\":\"");
	put(o, when.p, when.n);
	PUT_LIT(o, "\"}\n");
}

/* The end of p joins the begin that waits, but a character that both share must be seen whole. */
static void record_part(struct shim_logger *l, struct out *o, int stream, struct slice more,
			struct slice when)
{
	struct buf *part = &l->part[stream == 2];

	if (more.n)
		(void)buf_add(part, more.p, more.n); /* together at most SHIM_LINE_MAX */
	record(l, o, stream, buf_slice(part), when);
	buf_fini(part);
}

void shim_logger_write(struct shim_logger *l, int stream, const char *p, size_t n, char *scratch,
		       size_t cap)
{
	struct out o = { .p = scratch, .cap = cap };
	struct buf *part = &l->part[stream == 2];
	char text[CLOCK_TEXT_MAX];
	struct slice when;

	when = slice_str(clock_rfc3339nano(text, clock_real()));
	while (n) {
		size_t room = SHIM_LINE_MAX - part->n;
		const char *nl = memchr(p, '\n', MIN(n, room));
		size_t len = nl ? (size_t)(nl - p) + 1 : MIN(n, room);

		if (!nl && len < room) { /* neither the line's end nor a whole piece */
			(void)buf_add(part, p, len);
			break;
		}
		if (part->n)
			record_part(l, &o, stream, slice_of(p, len), when);
		else
			record(l, &o, stream, slice_of(p, len), when);
		p += len;
		n -= len;
	}
	flush(l, &o);
}

void shim_logger_end(struct shim_logger *l, int stream, char *scratch, size_t cap)
{
	struct out o = { .p = scratch, .cap = cap };
	char text[CLOCK_TEXT_MAX];

	if (!l->part[stream == 2].n)
		return;
	record_part(l, &o, stream, slice_of(NULL, 0),
		    slice_str(clock_rfc3339nano(text, clock_real())));
	flush(l, &o);
}

/* ---- reading back ---- */

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
			if (i + 4 >= n)
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

/* A quote inside the text is escaped, so the first bare one ends it. */
static void decode(char *line, size_t n, shim_log_fn *fn, void *arg)
{
	static const char head[] = "{\"log\":\"", mid[] = "\",\"stream\":\"std";
	char *end;

	if (n < sizeof(head) || memcmp(line, head, sizeof(head) - 1) != 0)
		return;
	line += sizeof(head) - 1;
	n -= sizeof(head) - 1;
	end = memmem(line, n, mid, sizeof(mid) - 1);
	if (!end || end + sizeof(mid) > line + n)
		return;
	fn(arg, end[sizeof(mid) - 1] == 'e' ? 2 : 1, line, unescape(line, (size_t)(end - line)));
}

/* The reader's file is called so now. */
static uint32_t file_now(const struct shim_logger *l, const struct shim_log_reader *r)
{
	return r->file + (l->turns - r->turns);
}

static int open_numbered(const struct shim_logger *l, uint32_t i)
{
	char name[NAME_ROOM];

	file_name(l, i, name);
	return sys_openat(l->dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0);
}

void shim_log_reader_open(const struct shim_logger *l, struct shim_log_reader *r)
{
	*r = (struct shim_log_reader){ .fd = -1, .file = l->max_files, .turns = l->turns };
	/* Rotation leaves no gaps. */
	while (r->fd < 0 && r->file-- > 0)
		r->fd = open_numbered(l, r->file);
	if (r->fd < 0)
		r->file = 0;
}

void shim_log_reader_close(struct shim_log_reader *r)
{
	fd_close(r->fd);
	r->fd = -1;
}

/* The next younger file; one that was rotated away meanwhile is lost to this reader. */
static bool next_file(const struct shim_logger *l, struct shim_log_reader *r)
{
	uint32_t i = file_now(l, r);

	shim_log_reader_close(r);
	if (i == 0)
		return false;
	r->file = MIN(i, l->max_files) - 1;
	r->turns = l->turns;
	r->at = 0;
	r->fd = open_numbered(l, r->file);
	return r->fd >= 0;
}

bool shim_log_reader_step(const struct shim_logger *l, struct shim_log_reader *r, char *scratch,
			  size_t cap, shim_log_fn *fn, void *arg)
{
	size_t used = 0;
	ssize_t n;
	char *nl;

	if (r->fd < 0)
		return false;
	n = pread(r->fd, scratch, cap, r->at);
	if (n <= 0)
		return next_file(l, r);
	while ((nl = memchr(scratch + used, '\n', (size_t)n - used))) {
		size_t end = (size_t)(nl - scratch) + 1;

		decode(scratch + used, end - used, fn, arg);
		used = end;
	}
	/* No newline: foreign text longer than any record, or a record torn by a crash at the end.
	 */
	r->at += used ? (off_t)used : n;
	return true;
}
