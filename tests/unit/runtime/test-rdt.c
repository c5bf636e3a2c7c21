/* SPDX-License-Identifier: Apache-2.0 */
/* linux.intelRdt on a tree that looks like resctrl: few machines have one. */
#include "rt-check.h"

#include "base/arena.h"
#include "base/fd.h"
#include "linux/sys.h"
#include "runtime/rt.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char tree[64];

/* rdt.c is built for tests here: these are the two seams of linux/sys.h. */
const char *sys_tree_path(const char *path, char *buf, size_t n)
{
	(void)path;
	(void)snprintf(buf, n, "%s", tree);
	return buf;
}

bool fault_check(const char *name)
{
	(void)name;
	return false;
}

static void put_file(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", tree, name);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void file_is(const char *name, const char *text)
{
	struct buf b = BUF_INIT(65536);
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", tree, name);
	assert_int_equal(fd_read_file(AT_FDCWD, path, &b, NULL), 0);
	assert_string_equal(buf_str(&b), text);
	buf_fini(&b);
}

static bool there(const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", tree, name);
	return access(path, F_OK) == 0;
}

static int setup(void **state)
{
	(void)state;
	strcpy(tree, "/tmp/teu-rdt-XXXXXX");
	assert_non_null(mkdtemp(tree));
	put_file("schemata", "    L3:0=7ff;1=7ff\n    MB:0=100;1=100\n");
	put_file("tasks", "");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return fd_remove_tree(AT_FDCWD, tree, NULL);
}

static int apply(const struct conf_rdt *d, struct rdt *r, struct err *err)
{
	int e;

	*r = (struct rdt){ .dir = -1 };
	e = rdt_apply(d, "box", 42, r, err);
	rdt_fini(r);
	return e;
}

static void without_a_class_one_of_its_own_is_made_and_removed(void **state)
{
	const char *lines[] = { "L2:0=f", "MB:0=70" };
	struct conf_rdt d = { .l3 = "L3:0=7f0;1=1f",
			      .mem_bw = "MB:0=20",
			      .schemata = { lines, 2 } };
	struct err err;
	struct rdt r;

	(void)state;
	assert_ok(apply(&d, &r, &err));
	assert_true(r.made_class && !r.made_group);
	/* config-linux.md: L3 first, then memory bandwidth, then the lines. */
	file_is("box/schemata", "L3:0=7f0;1=1f\nMB:0=20\nL2:0=f\nMB:0=70\n");
	file_is("box/tasks", "42");
	assert_ok(rdt_remove(&d, "box", RDT_CLASS, &err));
	assert_false(there("box"));
	assert_ok(rdt_remove(&d, "box", RDT_CLASS, &err)); /* gone already */
}

static void a_named_class_is_made_and_stays(void **state)
{
	struct conf_rdt d = { .clos = "gold", .l3 = "L3:0=f" };
	struct err err;
	struct rdt r;

	(void)state;
	assert_ok(apply(&d, &r, &err));
	assert_false(r.made_class);
	file_is("gold/schemata", "L3:0=f\n");
	file_is("gold/tasks", "42");
}

static void a_class_that_is_there_must_agree_and_is_not_written(void **state)
{
	const char *lines[] = { "MB:0=050;1=100" };
	struct conf_rdt d = { .clos = "gold", .l3 = "L3:1=0f" };
	struct err err;
	struct rdt r;

	(void)state;
	assert_ok(apply(&(struct conf_rdt){ .clos = "gold", .l3 = "L3:0=f" }, &r, &err));
	put_file("gold/schemata", "    L3:0=7ff;1=f\n    MB:0=50;1=100\n");
	assert_ok(apply(&d, &r, &err));
	d.schemata = (struct strs){ lines, 1 };
	assert_ok(apply(&d, &r, &err));
	file_is("gold/schemata", "    L3:0=7ff;1=f\n    MB:0=50;1=100\n");
	d.l3 = "L3:1=7ff";
	assert_err(apply(&d, &r, &err), ERR_CONFLICT,
		   "class 'gold' is there already without 'L3:1=7ff'");
	d.l3 = "L3:2=1"; /* no such cache */
	assert_err(apply(&d, &r, &err), ERR_CONFLICT, "L3:2=1");
	d.l3 = "L2:0=1"; /* no such resource */
	assert_err(apply(&d, &r, &err), ERR_CONFLICT, "L2:0=1");
}

static void a_named_class_without_schemata_must_be_there(void **state)
{
	struct conf_rdt d = { .clos = "silver" };
	struct err err;
	struct rdt r;

	(void)state;
	assert_err(apply(&d, &r, &err), ERR_SYSTEM, "open the class 'silver'");
	assert_false(there("silver"));
	d.clos = "/"; /* the default class */
	assert_ok(apply(&d, &r, &err));
	file_is("tasks", "42");
}

static void monitoring_makes_a_group_and_removes_it(void **state)
{
	struct conf_rdt d = { .clos = "/", .monitoring = true };
	struct err err;
	struct rdt r;

	(void)state;
	assert_ok(apply(&d, &r, &err));
	assert_true(r.made_group && !r.made_class);
	file_is("mon_groups/box/tasks", "42");
	assert_err(apply(&d, &r, &err), ERR_SYSTEM, "enableMonitoring");
	assert_false(r.made_group); /* another's: not ours to remove */
	assert_ok(rdt_remove(&d, "box", RDT_GROUP, &err));
	assert_false(there("mon_groups/box"));
}

static void a_machine_without_resctrl_is_told_so(void **state)
{
	struct conf_rdt d = { .clos = "/" };
	struct err err;
	struct rdt r;

	(void)state;
	strcat(tree, "x");
	assert_err(apply(&d, &r, &err), ERR_UNSUPPORTED, "linux.intelRdt: no resctrl is mounted");
	tree[strlen(tree) - 1] = '\0';
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(without_a_class_one_of_its_own_is_made_and_removed),
		T(a_named_class_is_made_and_stays),
		T(a_class_that_is_there_must_agree_and_is_not_written),
		T(a_named_class_without_schemata_must_be_there),
		T(monitoring_makes_a_group_and_removes_it),
		T(a_machine_without_resctrl_is_told_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
