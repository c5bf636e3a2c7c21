/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tar reader: a state machine over 512-byte blocks. Formats: POSIX.1-2001 pax (pax(1) "pax
 * Interchange Format"), ustar, GNU (tar manual, "Basic Tar Format"), V7.
 *
 * Where readers differ, this one takes Go's view (docker's): only regular files carry data,
 * whatever size a link or a directory claims; pax records win over GNU long names, those over the
 * header. Pax global headers may hold comments and vendor records; one that would change names or
 * sizes is refused.
 */
#include "image/tar.h"

#include "base/err.h"
#include "image/tar-sparse.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#define TOTAL_MAX (64ull << 30)
#define ENTRIES_MAX (4ull << 20)
#define HEADER_MAX (1u << 20)

/* Offsets and lengths of ustar's fields. */
enum {
	H_NAME = 0,
	H_MODE = 100,
	H_UID = 108,
	H_GID = 116,
	H_SIZE = 124,
	H_MTIME = 136,
	H_SUM = 148,
	H_TYPE = 156,
	H_LINK = 157,
	H_MAGIC = 257,
	H_UNAME = 265,
	H_GNAME = 297,
	H_MAJOR = 329,
	H_MINOR = 337,
	H_PREFIX = 345,
	/* Old GNU: four {offset, length}, "more blocks of them follow", size of the file. */
	H_SPARSE = 386,
	H_SPARSE_MORE = 482,
	H_SPARSE_REAL = 483,
	H_SPARSE_ONE = 24,
	H_SPARSE_EXT_MORE = 504,
};

enum state { ST_HEADER, ST_META, ST_SPARSE, ST_MAP, ST_DATA, ST_PAD, ST_ZERO, ST_END, ST_FAILED };
enum meta_kind { META_PAX = 'x', META_GLOBAL = 'g', META_NAME = 'L', META_LINK = 'K' };

/* What pax records said of the next entry. */
struct pax {
	bool path, link, size, uid, gid, mtime, atime, uname, gname;
};

struct tar_reader {
	struct tar_limits limits;
	const struct tar_ops *ops;
	void *ctx;
	enum state state;
	unsigned char block[TAR_BLOCK];
	size_t fill;
	uint64_t left; /* of meta or data */
	unsigned pad;  /* bytes to skip after it */
	enum meta_kind meta_kind;
	struct buf meta;      /* of the header being collected */
	struct buf pax_bytes; /* records of the next entry: strings point into it */
	size_t meta_total;    /* header bytes of the next entry so far */
	struct pax pax;
	struct tar_sparse sparse;
	bool sparse_name; /* as its pax record says, whatever "path" is */
	bool gnu_name, gnu_link;
	struct tar_entry e;
	struct tar_xattr xattrs[TAR_XATTRS_MAX];
	char name[TAR_NAME_MAX + 1], link[TAR_NAME_MAX + 1];
	char uname[64], gname[64];
	uint64_t total, entries;
};

struct tar_reader *tar_reader_new(const struct tar_limits *limits, const struct tar_ops *ops,
				  void *ctx)
{
	struct tar_reader *t = calloc(1, sizeof(*t));

	if (!t)
		abort();
	if (limits)
		t->limits = *limits;
	if (!t->limits.total_max)
		t->limits.total_max = TOTAL_MAX;
	if (!t->limits.entries_max)
		t->limits.entries_max = ENTRIES_MAX;
	if (!t->limits.header_max)
		t->limits.header_max = HEADER_MAX;
	t->ops = ops;
	t->ctx = ctx;
	t->meta = BUF_INIT(t->limits.header_max);
	t->pax_bytes = BUF_INIT(t->limits.header_max);
	return t;
}

void tar_reader_free(struct tar_reader *t)
{
	if (!t)
		return;
	buf_fini(&t->meta);
	buf_fini(&t->pax_bytes);
	tar_sparse_fini(&t->sparse);
	free(t);
}

static int bad(struct tar_reader *t, struct err *err, const char *what)
{
	return err_set(err, ERR_INVALID, "tar: %s (entry %llu, byte %llu)", what,
		       (unsigned long long)t->entries, (unsigned long long)t->total);
}

/* ---- numbers ---- */

/* GNU base-256: big endian, sign in bit 6 of the first byte. */
static int base256(const unsigned char *p, size_t n, int64_t *ret)
{
	bool negative = p[0] & 0x40;
	uint64_t v = negative ? UINT64_MAX : 0;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = p[i];

		if (i == 0)
			c = negative ? c | 0x80 : c & 0x7f;
		if ((v >> 55) != (negative ? 0x1ff : 0))
			return -1;
		v = v << 8 | c;
	}
	*ret = (int64_t)v;
	return 0;
}

static int number(const unsigned char *p, size_t n, int64_t *ret)
{
	uint64_t v = 0;
	size_t i = 0;

	if (p[0] & 0x80)
		return base256(p, n, ret);
	while (i < n && p[i] == ' ')
		i++;
	for (; i < n && p[i] >= '0' && p[i] <= '7'; i++) {
		if (v >> 60)
			return -1;
		v = v << 3 | (uint64_t)(p[i] - '0');
	}
	for (; i < n; i++)
		if (p[i] != ' ' && p[i] != '\0')
			return -1;
	*ret = (int64_t)v;
	return 0;
}

/* Pax time: decimal seconds, maybe negative, maybe with a fraction. */
static int pax_time(struct slice s, int64_t *ret_s, uint32_t *ret_ns)
{
	struct slice whole, rest = s;
	bool negative = s.n && s.p[0] == '-';
	uint64_t v;
	uint32_t ns = 0, scale = 100000000;

	if (negative)
		rest = slice_of(rest.p + 1, rest.n - 1);
	whole = slice_split(&rest, '.');
	if (whole.n > 15 || str_uint64(whole, &v, NULL) < 0)
		return -1;
	for (size_t i = 0; i < rest.n; i++, scale /= 10) {
		if (rest.p[i] < '0' || rest.p[i] > '9')
			return -1;
		ns += (uint32_t)(rest.p[i] - '0') * scale;
	}
	*ret_s = negative ? -(int64_t)v : (int64_t)v;
	if (negative && ns) {
		*ret_s -= 1;
		ns = 1000000000 - ns;
	}
	*ret_ns = ns;
	return 0;
}

/* ---- extended headers ---- */

static int copy_name(struct tar_reader *t, char dst[TAR_NAME_MAX + 1], struct slice s,
		     struct err *err)
{
	if (s.n > TAR_NAME_MAX)
		return bad(t, err, "a name is longer than 4096 bytes");
	if (memchr(s.p ? s.p : "", '\0', s.n))
		return bad(t, err, "a name holds a NUL byte");
	memcpy(dst, s.p ? s.p : "", s.n);
	dst[s.n] = '\0';
	return 0;
}

static int copy_user(struct tar_reader *t, char dst[64], struct slice s, struct err *err)
{
	if (memchr(s.p ? s.p : "", '\0', s.n))
		return bad(t, err, "a user name holds a NUL byte");
	/* Only numbers are used for ownership, so a long name may be cut. */
	s.n = MIN(s.n, 63u);
	memcpy(dst, s.p ? s.p : "", s.n);
	dst[s.n] = '\0';
	return 0;
}

static int add_xattr(struct tar_reader *t, char *name, size_t name_len, struct slice value,
		     struct err *err)
{
	if (t->e.nxattrs == TAR_XATTRS_MAX)
		return err_set(err, ERR_TOO_LARGE,
			       "tar: entry %llu has more than %d extended attributes",
			       (unsigned long long)t->entries, TAR_XATTRS_MAX);
	if (name_len == 0 || name_len > 255 || memchr(name, '\0', name_len))
		return bad(t, err, "an extended attribute's name is bad");
	if (value.n > 65536)
		return bad(t, err, "an extended attribute is larger than 64 KiB");
	name[name_len] = '\0'; /* over the '=' */
	t->xattrs[t->e.nxattrs++] = (struct tar_xattr){ name, value };
	return 0;
}

static int pax_id(struct tar_reader *t, struct slice v, int64_t *ret, struct err *err)
{
	return str_int64(v, ret, NULL) < 0 ? bad(t, err, "a pax uid or gid is no number") : 0;
}

static int sparse_record(struct tar_reader *t, struct slice k, struct slice v, struct err *err)
{
	k = slice_of(k.p + strlen("GNU.sparse."), k.n - strlen("GNU.sparse."));
	if (tar_sparse_record(&t->sparse, k, v) < 0)
		return bad(t, err, "a record of a sparse file is bad");
	if (!slice_is(k, "name") || !v.n)
		return 0;
	t->sparse_name = t->pax.path = true;
	return copy_name(t, t->name, v, err);
}

/* One local record; key and value lie in pax_bytes. */
static int pax_record(struct tar_reader *t, char *key, size_t key_len, struct slice v,
		      struct err *err)
{
	static const char xattr[] = "SCHILY.xattr.";
	struct slice k = slice_of(key, key_len);
	struct pax *p = &t->pax;

	if (slice_is(k, "path")) {
		if (t->sparse_name)
			return 0;
		p->path = v.n > 0;
		return copy_name(t, t->name, v, err);
	}
	if (slice_is(k, "linkpath")) {
		p->link = v.n > 0;
		return copy_name(t, t->link, v, err);
	}
	if (slice_is(k, "size")) {
		p->size = true;
		return str_uint64(v, &t->e.size, NULL) < 0 ? bad(t, err, "a pax size is no number")
							   : 0;
	}
	if (slice_is(k, "uid")) {
		p->uid = true;
		return pax_id(t, v, &t->e.uid, err);
	}
	if (slice_is(k, "gid")) {
		p->gid = true;
		return pax_id(t, v, &t->e.gid, err);
	}
	if (slice_is(k, "mtime")) {
		p->mtime = true;
		return pax_time(v, &t->e.mtime_s, &t->e.mtime_ns) < 0
			       ? bad(t, err, "a pax time is bad")
			       : 0;
	}
	if (slice_is(k, "atime")) {
		p->atime = t->e.has_atime = true;
		return pax_time(v, &t->e.atime_s, &t->e.atime_ns) < 0
			       ? bad(t, err, "a pax time is bad")
			       : 0;
	}
	if (slice_is(k, "uname")) {
		p->uname = true;
		return copy_user(t, t->uname, v, err);
	}
	if (slice_is(k, "gname")) {
		p->gname = true;
		return copy_user(t, t->gname, v, err);
	}
	if (slice_starts(k, SLICE("GNU.sparse.")))
		return sparse_record(t, k, v, err);
	if (slice_starts(k, slice_str(xattr)))
		return add_xattr(t, key + sizeof(xattr) - 1, key_len - (sizeof(xattr) - 1), v, err);
	return 0; /* unknown records are to be ignored (pax(1)) */
}

static int global_record(struct tar_reader *t, struct slice k, struct err *err)
{
	/* Lower-case keywords are the standard's; of those only these two change nothing. */
	if (slice_is(k, "comment") || slice_is(k, "hdrcharset") || memchr(k.p, '.', k.n))
		return slice_starts(k, SLICE("GNU.sparse.")) ? bad(t, err, "global sparse header")
							     : 0;
	return err_set(err, ERR_UNSUPPORTED,
		       "tar: global pax header sets '%.*s'; only comments are supported",
		       (int)MIN(k.n, 64u), k.p);
}

/* "<length> <key>=<value>\n", the length counting the whole record. */
static int pax_parse(struct tar_reader *t, char *p, size_t n, bool global, struct err *err)
{
	while (n > 0) {
		char *space = memchr(p, ' ', MIN(n, 21u)), *eq;
		uint64_t len;
		size_t head;
		int r;

		if (!space || str_uint64(slice_of(p, (size_t)(space - p)), &len, NULL) < 0)
			return bad(t, err, "a pax record has no length");
		head = (size_t)(space + 1 - p);
		if (len > n || len <= head || p[len - 1] != '\n')
			return bad(t, err, "a pax record has a wrong length");
		eq = memchr(space + 1, '=', len - head - 1);
		if (!eq || eq == space + 1)
			return bad(t, err, "a pax record has no key");
		if (global)
			r = global_record(t, slice_of(space + 1, (size_t)(eq - space - 1)), err);
		else
			r = pax_record(t, space + 1, (size_t)(eq - space - 1),
				       slice_of(eq + 1, (size_t)(p + len - 1 - (eq + 1))), err);
		if (r < 0)
			return r;
		p += len;
		n -= len;
	}
	return 0;
}

static int meta_done(struct tar_reader *t, struct err *err)
{
	struct slice s = buf_slice(&t->meta);
	int r;

	switch (t->meta_kind) {
	case META_NAME:
	case META_LINK:
		if (s.n)
			s.n = strnlen(s.p, s.n); /* GNU ends it with a NUL */
		if (t->meta_kind == META_NAME ? t->pax.path : t->pax.link)
			return 0;
		if (t->meta_kind == META_NAME)
			t->gnu_name = true;
		else
			t->gnu_link = true;
		return copy_name(t, t->meta_kind == META_NAME ? t->name : t->link, s, err);
	case META_GLOBAL: return pax_parse(t, t->meta.p, t->meta.n, true, err);
	case META_PAX:
		/* Attributes point into these bytes until the entry is out, so a second header is
		 * not for us. */
		if (t->pax_bytes.n)
			return bad(t, err, "two pax headers for one entry");
		r = buf_add(&t->pax_bytes, s.p ? s.p : "", s.n);
		return r < 0 ? bad(t, err, "pax header too large")
			     : pax_parse(t, t->pax_bytes.p, t->pax_bytes.n, false, err);
	}
	return 0;
}

/* ---- the header block ---- */

static int check_sum(struct tar_reader *t, struct err *err)
{
	const unsigned char *b = t->block;
	int64_t want, uns = 0, sig = 0;

	if (number(b + H_SUM, 8, &want) < 0)
		return bad(t, err,
			   "a header has no checksum; this is no tar archive, or it is damaged");
	for (int i = 0; i < TAR_BLOCK; i++) {
		unsigned char c = i >= H_SUM && i < H_SUM + 8 ? ' ' : b[i];

		uns += c;
		sig += (signed char)c; /* as some old programs summed */
	}
	if (want != uns && want != sig)
		return bad(
			t, err,
			"a header's checksum is wrong; this is no tar archive, or it is damaged");
	return 0;
}

static bool is_zero(const unsigned char *b)
{
	return b[0] == 0 && memcmp(b, b + 1, TAR_BLOCK - 1) == 0;
}

static int begin_meta(struct tar_reader *t, int type, struct err *err)
{
	int64_t size;

	if (number(t->block + H_SIZE, 12, &size) < 0 || size < 0)
		return bad(t, err, "an extended header's size is bad");
	t->meta_total +=
		(size_t)MIN((uint64_t)size, (uint64_t)t->limits.header_max + 1) + TAR_BLOCK;
	if ((uint64_t)size > t->limits.header_max ||
	    t->meta_total > t->limits.header_max + 4 * TAR_BLOCK)
		return err_set(err, ERR_TOO_LARGE,
			       "tar: entry %llu has more than %zu bytes of header",
			       (unsigned long long)t->entries, t->limits.header_max);
	buf_clear(&t->meta);
	t->meta_kind = (enum meta_kind)type;
	t->left = (uint64_t)size;
	t->pad = (unsigned)(-(uint64_t)size & (TAR_BLOCK - 1));
	t->state = ST_META;
	return 0;
}

static int entry_type(struct tar_reader *t, int c, struct err *err)
{
	switch (c) {
	case '\0':
	case '0':
	case '7':
		/* V7 told a directory by the slash at the end of its name. */
		t->e.type = t->name[0] && t->name[strlen(t->name) - 1] == '/' ? TAR_DIR : TAR_REG;
		return 0;
	case '1': t->e.type = TAR_HARD; return 0;
	case '2': t->e.type = TAR_SYM; return 0;
	case '3': t->e.type = TAR_CHAR; return 0;
	case '4': t->e.type = TAR_BLOCKDEV; return 0;
	case '5': t->e.type = TAR_DIR; return 0;
	case '6': t->e.type = TAR_FIFO; return 0;
	case 'S':
		t->e.type = TAR_REG;
		t->sparse.on = true;
		return 0;
	case 'M':
		return err_set(
			err, ERR_UNSUPPORTED,
			"tar: '%.200s' continues from another volume; multi-volume archives are not"
			" supported",
			t->name);
	default:
		return err_set(err, ERR_UNSUPPORTED, "tar: '%.200s' has the unknown type 0x%02x",
			       t->name, (unsigned)c & 0xff);
	}
}

/* Name and link from the header, where nothing longer was given. */
static int header_names(struct tar_reader *t, struct err *err)
{
	const char *b = (const char *)t->block;
	bool ustar = memcmp(b + H_MAGIC, "ustar\0", 6) == 0; /* GNU's "ustar  " has no prefix */
	size_t n = 0;

	if (!t->pax.path && !t->gnu_name) {
		if (ustar && b[H_PREFIX]) {
			n = strnlen(b + H_PREFIX, 155);
			memcpy(t->name, b + H_PREFIX, n);
			t->name[n++] = '/';
		}
		memcpy(t->name + n, b + H_NAME, strnlen(b + H_NAME, 100));
		t->name[n + strnlen(b + H_NAME, 100)] = '\0';
	}
	if (!t->pax.link && !t->gnu_link) {
		n = strnlen(b + H_LINK, 100);
		memcpy(t->link, b + H_LINK, n);
		t->link[n] = '\0';
	}
	if (!t->name[0])
		return bad(t, err, "an entry has no name");
	return 0;
}

static int header_numbers(struct tar_reader *t, struct err *err)
{
	const unsigned char *b = t->block;
	struct tar_entry *e = &t->e;
	int64_t mode, uid, gid, size, mtime, major = 0, minor = 0;

	if (number(b + H_MODE, 8, &mode) < 0 || number(b + H_UID, 8, &uid) < 0 ||
	    number(b + H_GID, 8, &gid) < 0 || number(b + H_SIZE, 12, &size) < 0 ||
	    number(b + H_MTIME, 12, &mtime) < 0)
		return bad(t, err, "a header field is no number");
	if ((e->type == TAR_CHAR || e->type == TAR_BLOCKDEV) &&
	    (number(b + H_MAJOR, 8, &major) < 0 || number(b + H_MINOR, 8, &minor) < 0 ||
	     major < 0 || minor < 0 || major > 0xfff || minor > 0xfffff))
		return bad(t, err, "a device number is bad");
	e->mode = (uint32_t)mode & 07777;
	e->major = (uint32_t)major;
	e->minor = (uint32_t)minor;
	e->uid = t->pax.uid ? e->uid : uid;
	e->gid = t->pax.gid ? e->gid : gid;
	e->mtime_s = t->pax.mtime ? e->mtime_s : mtime;
	if (!t->pax.size && size < 0)
		return bad(t, err, "a size is negative");
	e->size = t->pax.size ? e->size : (uint64_t)size;
	if (e->uid < 0 || e->uid >= UINT32_MAX || e->gid < 0 || e->gid >= UINT32_MAX)
		return bad(t, err, "an owner is out of range");
	if (e->mtime_s > (1ll << 53) || e->mtime_s < -(1ll << 53))
		return bad(t, err, "a time is out of range");
	if (e->type != TAR_REG) {
		e->size = 0;
		if (t->sparse.on)
			return bad(t, err, "something that is no file is said to be sparse");
	}
	if (e->size > t->limits.total_max || t->total + e->size > t->limits.total_max)
		return err_set(err, ERR_TOO_LARGE,
			       "tar: '%.200s' makes the archive larger than %llu bytes", t->name,
			       (unsigned long long)t->limits.total_max);
	return 0;
}

/* Up to `n` pieces of an old GNU header; an empty one ends the list. */
static int gnu_pieces(struct tar_reader *t, const unsigned char *p, int n, struct err *err)
{
	int64_t off, len;

	for (; n-- && p[0]; p += H_SPARSE_ONE)
		if (number(p, 12, &off) < 0 || number(p + 12, 12, &len) < 0 || off < 0 || len < 0 ||
		    tar_sparse_add(&t->sparse, (uint64_t)off, (uint64_t)len) < 0)
			return bad(t, err, "the map of a sparse file is bad");
	return 0;
}

static int gnu_sparse(struct tar_reader *t, struct err *err)
{
	int64_t real;

	if (number(t->block + H_SPARSE_REAL, 12, &real) < 0 || real < 0)
		return bad(t, err, "the size of a sparse file is bad");
	t->sparse.real = (uint64_t)real;
	t->sparse.has_real = true;
	return gnu_pieces(t, t->block + H_SPARSE, 4, err);
}

static int check_map(struct tar_reader *t, struct err *err)
{
	if (tar_sparse_check(&t->sparse, t->left) < 0)
		return bad(t, err, "the map of a sparse file does not fit its data");
	t->state = ST_DATA;
	return 0;
}

/* Size and map of the file in t->block, as far as they are known before its data. */
static int begin_sparse(struct tar_reader *t, int type, struct err *err)
{
	struct tar_entry *e = &t->e;
	int r = 0;

	e->real_size = e->size;
	if (!t->sparse.on)
		return 0;
	if (type == 'S')
		r = gnu_sparse(t, err);
	if (r < 0)
		return r;
	if (!t->sparse.has_real || t->sparse.real > t->limits.total_max)
		return err_set(err, ERR_TOO_LARGE,
			       "tar: sparse file '%.200s' has no size, or one over %llu bytes",
			       t->name, (unsigned long long)t->limits.total_max);
	e->sparse = true;
	e->real_size = t->sparse.real;
	return 0;
}

/* What comes after the header of the entry that was told. */
static int after_entry(struct tar_reader *t, int type, struct err *err)
{
	t->left = t->e.size;
	t->pad = (unsigned)(-t->e.size & (TAR_BLOCK - 1));
	t->state = ST_DATA;
	if (!t->sparse.on)
		return 0;
	if (type == 'S' && t->block[H_SPARSE_MORE])
		t->state = ST_SPARSE;
	else if (t->sparse.map_in_data)
		t->state = ST_MAP;
	else
		return check_map(t, err);
	if (t->state == ST_MAP && t->left < TAR_BLOCK)
		return bad(t, err, "a sparse file has no map");
	return 0;
}

/* A block of the map, between header and data or at the beginning of the data. */
static int map_block(struct tar_reader *t, struct err *err)
{
	int r;

	if (t->state == ST_SPARSE) {
		r = gnu_pieces(t, t->block, 21, err);
		return r < 0 || t->block[H_SPARSE_EXT_MORE] ? r : check_map(t, err);
	}
	t->left -= TAR_BLOCK;
	r = tar_sparse_map(&t->sparse, t->block);
	if (r < 0 || (r > 0 && t->left < TAR_BLOCK))
		return bad(t, err, "the map of a sparse file is bad");
	return r > 0 ? 0 : check_map(t, err);
}

static int begin_entry(struct tar_reader *t, int type, struct err *err)
{
	const char *b = (const char *)t->block;
	int r;

	if (t->entries >= t->limits.entries_max)
		return err_set(err, ERR_TOO_LARGE, "tar: more than %llu entries",
			       (unsigned long long)t->limits.entries_max);
	r = header_names(t, err);
	if (r < 0)
		return r;
	r = entry_type(t, type, err);
	if (r < 0)
		return r;
	r = header_numbers(t, err);
	if (r < 0)
		return r;
	r = begin_sparse(t, type, err);
	if (r < 0)
		return r;
	if ((t->e.type == TAR_HARD || t->e.type == TAR_SYM) && !t->link[0])
		return bad(t, err, "a link has no target");
	if (!t->pax.uname)
		(void)copy_user(t, t->uname, slice_of(b + H_UNAME, strnlen(b + H_UNAME, 32)), NULL);
	if (!t->pax.gname)
		(void)copy_user(t, t->gname, slice_of(b + H_GNAME, strnlen(b + H_GNAME, 32)), NULL);
	t->e.name = t->name;
	t->e.link = t->e.type == TAR_HARD || t->e.type == TAR_SYM ? t->link : "";
	t->e.uname = t->uname;
	t->e.gname = t->gname;
	t->e.xattrs = t->xattrs;
	t->e.offset = t->total;
	t->entries++;
	r = t->ops->entry(t->ctx, &t->e, err);
	return r < 0 ? r : after_entry(t, type, err);
}

static int on_block(struct tar_reader *t, struct err *err)
{
	int type = t->block[H_TYPE], r;

	if (t->state == ST_SPARSE || t->state == ST_MAP)
		return map_block(t, err);
	if (is_zero(t->block)) {
		if (t->meta_total)
			return bad(t, err,
				   "an extended header stands before the end of the archive");
		t->state = t->state == ST_ZERO ? ST_END : ST_ZERO;
		return 0;
	}
	if (t->state == ST_ZERO)
		return bad(t, err, "an entry follows a zero block");
	r = check_sum(t, err);
	if (r < 0)
		return r;
	if (type == META_PAX || type == META_GLOBAL || type == META_NAME || type == META_LINK)
		return begin_meta(t, type, err);
	return begin_entry(t, type, err);
}

/* The entry is out: forget what was said about it. */
static int entry_done(struct tar_reader *t, struct err *err)
{
	int r = t->sparse.on ? tar_sparse_end(&t->sparse, t->ops, t->ctx, err) : 0;

	if (r < 0)
		return r;
	tar_sparse_reset(&t->sparse);
	t->sparse_name = false;
	t->pax = (struct pax){ 0 };
	t->e = (struct tar_entry){ 0 };
	t->gnu_name = t->gnu_link = false;
	t->meta_total = 0;
	t->name[0] = t->link[0] = t->uname[0] = t->gname[0] = '\0';
	buf_clear(&t->pax_bytes);
	return t->ops->end ? t->ops->end(t->ctx, err) : 0;
}

/* Ends META and DATA as soon as nothing is left of them (also at once, for empty ones). */
static int settle(struct tar_reader *t, struct err *err)
{
	int r = 0;

	while (t->left == 0 && (t->state == ST_META || t->state == ST_DATA) && r >= 0) {
		r = t->state == ST_META ? meta_done(t, err) : entry_done(t, err);
		t->state = t->pad ? ST_PAD : ST_HEADER;
	}
	if (r >= 0 && t->state == ST_PAD && t->pad == 0)
		t->state = ST_HEADER;
	return r;
}

/* Consumes some of p, at least one byte. */
static int step(struct tar_reader *t, const char *p, size_t n, size_t *ret_used, struct err *err)
{
	size_t k = n;
	int r = 0;

	switch (t->state) {
	case ST_HEADER:
	case ST_ZERO:
	case ST_SPARSE:
	case ST_MAP:
		k = MIN(n, TAR_BLOCK - t->fill);
		memcpy(t->block + t->fill, p, k);
		t->fill += k;
		t->total += k;
		if (t->fill == TAR_BLOCK) {
			t->fill = 0;
			r = on_block(t, err);
		}
		break;
	case ST_META:
	case ST_DATA:
		k = (size_t)MIN((uint64_t)n, t->left);
		t->left -= k;
		t->total += k;
		if (t->state == ST_META)
			r = buf_add(&t->meta, p, k) < 0 ? bad(t, err, "header too large") : 0;
		else if (t->sparse.on)
			r = tar_sparse_data(&t->sparse, t->ops, t->ctx, p, k, err);
		else if (t->ops->data)
			r = t->ops->data(t->ctx, p, k, err);
		break;
	case ST_PAD:
		k = MIN(n, t->pad);
		t->pad -= (unsigned)k;
		t->total += k;
		break;
	case ST_END: t->total += n; break;
	case ST_FAILED: return err_set(err, ERR_INVALID, "tar: the archive was refused before");
	}
	*ret_used = k;
	return r < 0 ? r : settle(t, err);
}

int tar_reader_push(struct tar_reader *t, const void *p, size_t n, struct err *err)
{
	const char *c = p;

	while (n > 0) {
		size_t used = 0;
		int r;

		r = step(t, c, n, &used, err);
		if (r >= 0 && t->total > t->limits.total_max)
			r = err_set(err, ERR_TOO_LARGE,
				    "tar: the archive is larger than %llu bytes",
				    (unsigned long long)t->limits.total_max);
		if (r < 0) {
			t->state = ST_FAILED;
			return r;
		}
		c += used;
		n -= used;
	}
	return 0;
}

uint64_t tar_reader_skip(struct tar_reader *t, uint64_t max)
{
	uint64_t n = t->state == ST_DATA ? MIN(t->left, max) : 0;

	t->left -= n;
	t->total += n;
	if (n && settle(t, NULL) < 0)
		t->state = ST_FAILED;
	return n;
}

int tar_reader_finish(struct tar_reader *t, struct err *err)
{
	if (t->state == ST_END || t->state == ST_ZERO)
		return 0;
	if (t->state == ST_HEADER && t->fill == 0 && t->meta_total == 0 && t->entries > 0)
		return 0;
	if (t->total == 0)
		return bad(t, err, "the archive is empty");
	return bad(t, err, "the archive ends too early");
}

int tar_name_clean(const char *name, char dst[TAR_NAME_MAX + 1], struct err *err)
{
	struct slice rest = slice_str(name), part;
	size_t n = 0, parts = 0;

	if (rest.n > TAR_NAME_MAX)
		return err_set(err, ERR_INVALID, "name '%.64s...' is longer than %d bytes", name,
			       TAR_NAME_MAX);
	while (rest.p) {
		part = slice_split(&rest, '/');
		if (part.n == 0 || slice_is(part, "."))
			continue;
		if (slice_is(part, ".."))
			return err_set(err, ERR_INVALID, "name '%.200s' has a '..' in it", name);
		if (part.n > 255)
			return err_set(err, ERR_INVALID,
				       "name '%.64s...' has a part of over 255 bytes", name);
		if (++parts > 1024)
			return err_set(err, ERR_INVALID, "name '%.64s...' has over 1024 parts",
				       name);
		if (n)
			dst[n++] = '/';
		memcpy(dst + n, part.p, part.n);
		n += part.n;
	}
	dst[n] = '\0';
	return 0;
}
