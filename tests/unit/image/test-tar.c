/* SPDX-License-Identifier: Apache-2.0 */
/* Reader and writer of tar against each other, hand-made headers, and what must be refused. */
#include "fixture.h"

struct got {
	struct tar_entry e;
	char name[5000], link[5000], xname[300], xvalue[100];
	size_t xlen;
	unsigned n, ends;
	uint64_t bytes;
};

static int on_entry(void *ctx, const struct tar_entry *e, struct err *err)
{
	struct got *g = ctx;

	g->e = *e;
	g->n++;
	strcpy(g->name, e->name);
	strcpy(g->link, e->link);
	if (e->nxattrs) {
		strcpy(g->xname, e->xattrs[0].name);
		g->xlen = e->xattrs[0].value.n;
		memcpy(g->xvalue, e->xattrs[0].value.p, MIN(g->xlen, sizeof(g->xvalue)));
	}
	return 0;
}
static int on_data(void *ctx, const void *p, size_t n, struct err *err)
{
	((struct got *)ctx)->bytes += n;
	return 0;
}
static int on_end(void *ctx, struct err *err)
{
	((struct got *)ctx)->ends++;
	return 0;
}
static const struct tar_ops ops = { .entry = on_entry, .data = on_data, .end = on_end };

static int read_tar(struct slice s, size_t piece, const struct tar_limits *l, struct got *g,
		    struct err *err)
{
	CLEANUP(tar_reader_free) struct tar_reader *t = tar_reader_new(l, &ops, g);
	int r = 0;

	memset(g, 0, sizeof(*g));
	*err = ERR_INIT;
	for (size_t at = 0; at < s.n && r >= 0; at += piece)
		r = tar_reader_push(t, s.p + at, MIN(piece, s.n - at), err);
	return r < 0 ? r : tar_reader_finish(t, err);
}

static void whatever_is_written_is_read_back(void **state)
{
	static const int64_t times[][2] = {
		{ 0, 0 },	   { 1, 999999999 },  { -1, 0 },
		{ -2, 250000000 }, { -1, 500000000 }, { 1ll << 40, 7 }
	};
	char longname[3000], value[] = "a=b\n\0c";
	struct tar_xattr x = { "user.x", { value, 6 } };
	struct got g;
	struct err err;

	memset(longname, 'n', sizeof(longname));
	for (size_t i = 200; i < sizeof(longname); i += 200)
		longname[i] = '/';
	longname[sizeof(longname) - 1] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		struct tarball t;
		struct slice s;

		tar_begin(&t);
		tar_entry(&t,
			  (struct tar_entry){ .type = TAR_REG,
					      .name = longname + 100 * i,
					      .size = 700,
					      .uid = 4000000000,
					      .gid = 3,
					      .mode = 06755,
					      .mtime_s = times[i][0] ? times[i][0] : 5,
					      .mtime_ns = (uint32_t)times[i][1],
					      .xattrs = &x,
					      .nxattrs = 1 },
			  longname);
		s = tar_end(&t);
		for (size_t piece = 1; piece < 2000; piece = piece * 3 + 1) {
			assert_int_equal(read_tar(s, piece, NULL, &g, &err), 0);
			assert_string_equal(g.name, longname + 100 * i);
			assert_int_equal(g.e.uid, 4000000000);
			assert_int_equal(g.e.mode, 06755);
			assert_int_equal(g.e.mtime_s, times[i][0] ? times[i][0] : 5);
			assert_int_equal(g.e.mtime_ns, times[i][1]);
			assert_string_equal(g.xname, "user.x");
			assert_int_equal(g.xlen, 6);
			assert_memory_equal(g.xvalue, value, 6);
			assert_int_equal(g.bytes, 700);
			assert_int_equal(g.ends, 1);
		}
		buf_fini(&t.b);
	}
}

static void types_and_ustar_prefixes_are_read(void **state)
{
	char name[230], link[150];
	struct tarball t;
	struct got g;
	struct err err;

	memset(name, 'd', sizeof(name));
	name[140] = '/';
	name[229] = '\0';
	memset(link, 'l', sizeof(link));
	link[149] = '\0';
	for (enum tar_type type = TAR_HARD; type <= TAR_FIFO; type++) {
		tar_begin(&t);
		tar_entry(
			&t,
			(struct tar_entry){
				.type = type, .name = name, .link = link, .major = 8, .minor = 17 },
			NULL);
		assert_int_equal(read_tar(tar_end(&t), 512, NULL, &g, &err), 0);
		assert_int_equal(g.e.type, type);
		assert_string_equal(g.name, name);
		assert_string_equal(g.link, type == TAR_HARD || type == TAR_SYM ? link : "");
		if (type == TAR_CHAR)
			assert_int_equal(g.e.minor, 17);
		buf_fini(&t.b);
	}
}

/* One header by hand; sum is set at the end. */
static void header(char h[512], const char *name, char type, const char *size)
{
	unsigned sum = 0;

	memset(h, 0, 512);
	strcpy(h, name);
	strcpy(h + 100, "0000644");
	strcpy(h + 108, "0000000");
	strcpy(h + 116, "0000000");
	strcpy(h + 124, size);
	strcpy(h + 136, "00000000000");
	h[156] = type;
	memcpy(h + 257, "ustar\00000", 8);
	memset(h + 148, ' ', 8);
	for (int i = 0; i < 512; i++)
		sum += (unsigned char)h[i];
	snprintf(h + 148, 8, "%06o", sum);
}

static void put_header(struct buf *b, const char *name, char type, const char *size)
{
	char h[512];

	header(h, name, type, size);
	buf_add(b, h, 512);
}

static void put_padded(struct buf *b, const char *text, size_t n)
{
	char pad[512] = { 0 };

	buf_add(b, text, n);
	buf_add(b, pad, -n & 511);
}

static void gnu_long_names_and_v7_directories_are_read(void **state)
{
	struct buf b = BUF_INIT(1 << 20);
	char name[600], size[16];
	struct got g;
	struct err err;

	memset(name, 'g', sizeof(name));
	name[599] = '\0';
	snprintf(size, sizeof(size), "%011o", 600);
	put_header(&b, "././@LongLink", 'L', size);
	put_padded(&b, name, 600);
	put_header(&b, "././@LongLink", 'K', size);
	put_padded(&b, name, 600);
	put_header(&b, "short", '2', "00000000000");
	assert_int_equal(read_tar(buf_slice(&b), 100, NULL, &g, &err), 0);
	assert_string_equal(g.name, name);
	assert_string_equal(g.link, name);
	buf_clear(&b);
	put_header(&b, "old/", '\0', "00000000000");
	assert_int_equal(read_tar(buf_slice(&b), 512, NULL, &g, &err), 0);
	assert_int_equal(g.e.type, TAR_DIR);
	buf_clear(&b);
	put_header(&b, "d", '5', "00000001000"); /* a directory's size says nothing about data */
	put_header(&b, "f", '0', "00000000000");
	assert_int_equal(read_tar(buf_slice(&b), 512, NULL, &g, &err), 0);
	assert_int_equal(g.n, 2);
	buf_fini(&b);
}

static void pax(struct buf *b, const char *records, char kind)
{
	char size[32];

	snprintf(size, sizeof(size), "%011zo", strlen(records));
	put_header(b, "PaxHeaders/0", kind, size);
	put_padded(b, records, strlen(records));
}

static void bad_archives_are_refused(void **state)
{
	static const struct {
		char kind; /* of a pax header before, or 0 */
		const char *records;
		char type;
		const char *size;
		enum err_code code;
		const char *part;
	} cases[] = {
		{ 0, "", 'M', "00000000000", ERR_UNSUPPORTED, "multi-volume" },
		{ 0, "", 'Z', "00000000000", ERR_UNSUPPORTED, "unknown type 0x5a" },
		{ 0, "", '0', "0000000000x", ERR_INVALID, "a header field is no number" },
		{ 0, "", '0', "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", ERR_INVALID,
		  "a size is negative" },
		{ 0, "", '0', "77777777777", ERR_INVALID, "ends too early" },
		{ 0, "", '2', "00000000000", ERR_INVALID, "a link has no target" },
		{ 'x', "22 GNU.sparse.major=1\n", '0', "00000000000", ERR_TOO_LARGE,
		  "has no size" },
		{ 'x', "22 GNU.sparse.major=9\n", '0', "00000000000", ERR_INVALID,
		  "record of a sparse file is bad" },
		{ 'x', "25 GNU.sparse.realsize=9\n22 GNU.sparse.map=0,9\n", '0', "00000000000",
		  ERR_INVALID, "does not fit its data" },
		{ 'x', "25 GNU.sparse.realsize=9\n24 GNU.sparse.map=8,2,2\n", '0', "00000000000",
		  ERR_INVALID, "record of a sparse file is bad" },
		{ 'x', "25 GNU.sparse.realsize=9\n", '5', "00000000000", ERR_INVALID,
		  "that is no file is said to be sparse" },
		{ 'x', "25 GNU.sparse.realsize=9\n23 GNU.sparse.offset=1\n", '0', "00000000000",
		  ERR_INVALID, "does not fit its data" },
		{ 'x', "x path=y\n", '0', "00000000000", ERR_INVALID, "has no length" },
		{ 'x', "99 path=y\n", '0', "00000000000", ERR_INVALID, "wrong length" },
		{ 'x', "3 path=y\n", '0', "00000000000", ERR_INVALID, "wrong length" },
		{ 'x', "10 path y\n", '0', "00000000000", ERR_INVALID, "has no key" },
		{ 'x', "10 size=x\n", '0', "00000000000", ERR_INVALID, "a pax size is no number" },
		{ 'x', "27 size=99999999999999999\n", '0', "00000000000", ERR_INVALID, "" },
		{ 'x', "13 uid=-1234\n", '0', "00000000000", ERR_INVALID, "owner is out of range" },
		{ 'x', "13 mtime=abc\n", '0', "00000000000", ERR_INVALID, "a pax time is bad" },
		{ 'g', "10 path=y\n", '0', "00000000000", ERR_UNSUPPORTED,
		  "global pax header sets 'path'" },
	};
	struct got g;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = BUF_INIT(1 << 20);

		if (cases[i].kind)
			pax(&b, cases[i].records, cases[i].kind);
		put_header(&b, "name", cases[i].type, cases[i].size);
		if (read_tar(buf_slice(&b), 512, NULL, &g, &err) >= 0)
			fail_msg("case %zu was accepted", i);
		if (cases[i].part[0])
			assert_err(&err, cases[i].code, cases[i].part);
		buf_fini(&b);
	}
}

static void structure_is_checked(void **state)
{
	struct buf b = BUF_INIT(4 << 20);
	char zeros[1024] = { 0 }, *huge = calloc(1, 2 << 20);
	struct tar_limits l = { .total_max = 4096, .entries_max = 2 };
	struct got g;
	struct err err;

	put_header(&b, "a", '0', "00000000000");
	b.p[0] = 'b';
	read_tar(buf_slice(&b), 512, NULL, &g, &err);
	assert_err(&err, ERR_INVALID, "checksum is wrong");
	buf_clear(&b);
	put_header(&b, "a", '0', "00000000000");
	buf_add(&b, zeros, 512);
	put_header(&b, "b", '0', "00000000000");
	read_tar(buf_slice(&b), 512, NULL, &g, &err);
	assert_err(&err, ERR_INVALID, "an entry follows a zero block");
	buf_clear(&b);
	put_header(&b, "a", '0', "00000000000");
	buf_add(&b, zeros, 1024);
	buf_adds(&b, "rubbish after the end is ignored");
	assert_int_equal(read_tar(buf_slice(&b), 512, NULL, &g, &err), 0);
	buf_clear(&b);
	pax(&b, "10 path=y\n", 'x');
	pax(&b, "10 path=z\n", 'x');
	read_tar(buf_slice(&b), 512, NULL, &g, &err);
	assert_err(&err, ERR_INVALID, "two pax headers");
	buf_clear(&b);
	pax(&b, "10 path=y\n", 'x');
	buf_add(&b, zeros, 1024);
	read_tar(buf_slice(&b), 512, NULL, &g, &err);
	assert_err(&err, ERR_INVALID, "before the end of the archive");
	buf_clear(&b);
	put_header(&b, "PaxHeaders", 'x', "00010000000"); /* 2 MiB of header */
	buf_add(&b, huge, 2 << 20);
	read_tar(buf_slice(&b), 4096, NULL, &g, &err);
	assert_err(&err, ERR_TOO_LARGE, "bytes of header");
	buf_clear(&b);
	put_header(&b, "a", '0', "00000010000");
	read_tar(buf_slice(&b), 512, &l, &g, &err);
	assert_err(&err, ERR_TOO_LARGE, "larger than 4096 bytes");
	buf_clear(&b);
	for (int i = 0; i < 3; i++)
		put_header(&b, "a", '5', "00000000000");
	read_tar(buf_slice(&b), 512, &l, &g, &err);
	assert_err(&err, ERR_TOO_LARGE, "more than 2 entries");
	free(huge);
	buf_fini(&b);
}

static void names_are_cleaned_or_refused(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = { { "a", "a" },	  { "./a//b/", "a/b" }, { "/", "" },
		      { ".", "" },	  { "./", "" },		{ "/etc/./x", "etc/x" },
		      { "...", "..." },	  { "a/..b", "a/..b" }, { "..", NULL },
		      { "a/../b", NULL }, { "../a", NULL } };
	char out[TAR_NAME_MAX + 1], longname[5000];
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int r = tar_name_clean(cases[i].in, out, &err);

		assert_int_equal(r, cases[i].out ? 0 : -ERR_INVALID);
		if (cases[i].out)
			assert_string_equal(out, cases[i].out);
	}
	memset(longname, 'x', sizeof(longname));
	longname[4999] = '\0';
	assert_int_equal(tar_name_clean(longname, out, &err), -ERR_INVALID);
	assert_err(&err, ERR_INVALID, "longer than 4096");
	longname[300] = '\0';
	assert_int_equal(tar_name_clean(longname, out, &err), -ERR_INVALID);
	assert_err(&err, ERR_INVALID, "part of over 255");
}

static void the_writer_refuses_what_cannot_be(void **state)
{
	struct tarball t;
	struct err err;

	tar_begin(&t);
	assert_int_equal(
		tar_writer_entry(
			&t.w, &(struct tar_entry){ .type = TAR_REG, .name = "a", .size = 5 }, &err),
		0);
	assert_int_equal(tar_writer_data(&t.w, "123456", 6, &err), -ERR_INVALID);
	assert_err(&err, ERR_INVALID, "more data than");
	assert_int_equal(tar_writer_finish(&t.w, &err), -ERR_INVALID);
	assert_int_equal(
		tar_writer_entry(&t.w, &(struct tar_entry){ .type = TAR_REG, .name = "b" }, &err),
		-ERR_INVALID);
	assert_err(&err, ERR_INVALID, "before the data of the last entry is whole");
	buf_fini(&t.b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_is_written_is_read_back),
		cmocka_unit_test(types_and_ustar_prefixes_are_read),
		cmocka_unit_test(gnu_long_names_and_v7_directories_are_read),
		cmocka_unit_test(bad_archives_are_refused),
		cmocka_unit_test(structure_is_checked),
		cmocka_unit_test(names_are_cleaned_or_refused),
		cmocka_unit_test(the_writer_refuses_what_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
