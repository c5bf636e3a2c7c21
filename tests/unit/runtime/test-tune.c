/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of CPUs and nodes, and what is set by them. */
#include "rt-check.h"

#include "base/arena.h"
#include "runtime/rt.h"

#include <sched.h>

static bool bit(const struct tune_set *s, unsigned n)
{
	return s->bits[n / TUNE_WORD] >> n % TUNE_WORD & 1;
}

static void lists_become_bits(void **state)
{
	struct tune_set s;
	struct err err;

	(void)state;
	assert_ok(tune_parse_list("0-3,7,63-65", &s, &err));
	for (unsigned n = 0; n < TUNE_MAX; n++)
		assert_int_equal(bit(&s, n), n <= 3 || n == 7 || (n >= 63 && n <= 65));
	assert_int_equal(s.n, 66);
	assert_ok(tune_parse_list("1023", &s, &err));
	assert_true(bit(&s, 1023));
	assert_ok(tune_parse_list("", &s, &err));
	assert_int_equal(s.n, 0);
	assert_ok(tune_parse_list(NULL, &s, &err));
	assert_int_equal(s.n, 0);
}

static void what_is_no_list_is_refused(void **state)
{
	static const char *const bad[] = { "x",
					   "-1",
					   "1-",
					   "1--2",
					   "2-1",
					   "1024",
					   "0-1024",
					   "1,",
					   ",1",
					   "1 2",
					   "1-2-3",
					   "0x1",
					   "99999999999999999999" };
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_err(tune_parse_list(bad[i], NULL, &err), ERR_INVALID, bad[i]);
}

static void affinity_is_set_or_names_its_field(void **state)
{
	cpu_set_t before, now;
	struct err err;
	char text[16];
	int cpu = 0;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	while (!CPU_ISSET(cpu, &before))
		cpu++;
	(void)snprintf(text, sizeof(text), "%d", cpu);
	assert_ok(tune_affinity(text, "final", &err));
	assert_int_equal(sched_getaffinity(0, sizeof(now), &now), 0);
	assert_int_equal(CPU_COUNT(&now), 1);
	assert_true(CPU_ISSET(cpu, &now));
	assert_err(tune_affinity("1023", "initial", &err), ERR_SYSTEM,
		   "process.execCPUAffinity.initial '1023'");
	assert_ok(tune_affinity("", "final", &err));
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
}

static void a_memory_policy_is_set_or_names_its_field(void **state)
{
	struct conf_mempolicy m = { .mode = 1 }; /* MPOL_DEFAULT */
	struct conf c = { .lin.mempolicy = &m };
	struct err err = ERR_INIT;
	int r;

	(void)state;
	r = tune_memory(&c, &err);
	if (r == -ERR_UNSUPPORTED) { /* a kernel without NUMA */
		assert_non_null(strstr(err.msg, "linux.memoryPolicy: this kernel has no"));
		return;
	}
	assert_int_equal(r, 0);
	m = (struct conf_mempolicy){ .mode = 3, .nodes = "1000" }; /* MPOL_BIND */
	assert_err(tune_memory(&c, &err), ERR_SYSTEM, "linux.memoryPolicy");
	m = (struct conf_mempolicy){ .mode = 3, .nodes = "0" };
	assert_ok(tune_memory(&c, &err));
	m = (struct conf_mempolicy){ .mode = 1 };
	assert_ok(tune_memory(&c, &err));
	c.lin.mempolicy = NULL;
	assert_ok(tune_memory(&c, &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_become_bits),
		cmocka_unit_test(what_is_no_list_is_refused),
		cmocka_unit_test(affinity_is_set_or_names_its_field),
		cmocka_unit_test(a_memory_policy_is_set_or_names_its_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
