/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What resctrl tells of a container, as the member intel_rdt of runc's `events --stats`: what the
 * hardware can do, the schemata of the root and of the class, and what each cache domain has
 * counted for the monitoring group (or, without one, for the class). What the hardware does not
 * have, or cannot tell now ("Unavailable"), is left out.
 */
#include "runtime/rt.h"

#include "base/arena.h"
#include "base/fd.h"
#include "doc/doc.h"
#include "linux/sys.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 65536, DOMAINS_MAX = 256 };

struct told {
	struct arena *a;
	struct doc *out;
	int root, dir;
	struct buf text; /* the file read last */
};

/* Without the last newline; "" if there is none. */
static const char *text_of(struct told *t, int dir, const char *name)
{
	t->text.n = 0;
	if (fd_read_file(dir, name, &t->text, NULL) < 0)
		return "";
	while (t->text.n && t->text.p[t->text.n - 1] == '\n')
		t->text.p[--t->text.n] = 0;
	return buf_str(&t->text);
}

static void number_of(struct told *t, int dir, const char *name, struct doc *out, const char *key)
{
	uint64_t v;

	if (str_uint64(slice_trim(slice_str(text_of(t, dir, name))), &v, NULL) >= 0 && v)
		doc_set_uint(t->a, out, key, v);
}

static void put_text(struct told *t, struct doc *out, const char *key, struct slice text)
{
	text = slice_trim(text);
	if (text.n)
		doc_set_strn(t->a, out, key, text.p, text.n);
}

static void info(struct told *t, const char *resource, const char *key, const char *const *files)
{
	CLEANUP(fd_close) int dir = -1;
	char path[32];
	struct doc *o;

	(void)snprintf(path, sizeof(path), "info/%s", resource);
	dir = sys_openat(t->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (dir < 0)
		return;
	o = doc_set_object(t->a, t->out, key);
	for (; *files; files++) {
		if (strcmp(*files, "cbm_mask"))
			number_of(t, dir, *files, o, *files);
		else
			put_text(t, o, *files, slice_str(text_of(t, dir, *files)));
	}
}

/* The line of a schemata file that begins with "<resource>:". */
static void schema(struct told *t, int dir, const char *resource, const char *key)
{
	struct slice rest = slice_str(text_of(t, dir, "schemata"));

	while (rest.p) {
		struct slice line = slice_trim(slice_split(&rest, '\n')), tail = line;

		if (slice_is(slice_trim(slice_split(&tail, ':')), resource) && tail.p)
			put_text(t, t->out, key, line);
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names of the domains, "mon_L3_00", in their order. */
static size_t domains(struct told *t, int dir, const char *names[DOMAINS_MAX])
{
	DIR *d = fdopendir(dir);
	struct dirent *e;
	size_t n = 0;

	while (d && n < DOMAINS_MAX && (e = readdir(d)))
		if (!strncmp(e->d_name, "mon_L3_", 7))
			names[n++] = arena_strdup(t->a, e->d_name);
	if (d)
		closedir(d);
	else
		fd_close(dir);
	qsort(names, n, sizeof(*names), by_name);
	return n;
}

static void counters(struct told *t, const char *group)
{
	const char *names[DOMAINS_MAX];
	CLEANUP(fd_close)
	int data = sys_openat(t->dir, group, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	int list = data < 0 ? -1 : sys_openat(data, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	size_t n = list < 0 ? 0 : domains(t, list, names);

	if (n == 0)
		return;
	(void)doc_set_array(t->a, t->out, "mbm_stats");
	(void)doc_set_array(t->a, t->out, "cmt_stats");
	for (size_t i = 0; i < n && names[i]; i++) {
		CLEANUP(fd_close)
		int dir = sys_openat(data, names[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
		struct doc *o;

		if (dir < 0)
			continue;
		o = doc_append_object(t->a, doc_get(t->out, "mbm_stats"));
		number_of(t, dir, "mbm_total_bytes", o, "mbm_total_bytes");
		number_of(t, dir, "mbm_local_bytes", o, "mbm_local_bytes");
		o = doc_append_object(t->a, doc_get(t->out, "cmt_stats"));
		number_of(t, dir, "llc_occupancy", o, "llc_occupancy");
	}
}

int rdt_stats(const struct conf_rdt *d, const char *id, uint32_t what, struct arena *a,
	      struct doc *out, struct err *err)
{
	static const char *const l3[] = { "cbm_mask", "min_cbm_bits", "num_closids", NULL };
	static const char *const mb[] = { "bandwidth_gran", "delay_linear", "min_bandwidth",
					  "num_closids", NULL };
	struct told t = { .a = a, .root = -1, .dir = -1, .text = BUF_INIT(TEXT_MAX) };
	char group[300];
	int r = rdt_open(d, id, &t.root, &t.dir, err);

	if (r >= 0) {
		t.out = doc_set_object(a, out, "intel_rdt");
		info(&t, "L3", "l3_cache_info", l3);
		schema(&t, t.root, "L3", "l3_cache_schema_root");
		schema(&t, t.dir, "L3", "l3_cache_schema");
		info(&t, "MB", "mem_bw_info", mb);
		schema(&t, t.root, "MB", "mem_bw_schema_root");
		schema(&t, t.dir, "MB", "mem_bw_schema");
		(void)snprintf(group, sizeof(group), "mon_groups/%s/mon_data", id);
		counters(&t, what & RDT_GROUP ? group : "mon_data");
	}
	buf_fini(&t.text);
	fd_close(t.root);
	fd_close(t.dir);
	return r;
}
