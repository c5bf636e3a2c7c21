/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <errno.h>

static void messages_read_outside_in(void **state)
{
	struct err err = ERR_INIT;

	errno = ENOENT;
	assert_int_equal(err_sys(&err, "open '%s'", "/x"), -ERR_SYSTEM);
	assert_int_equal(err.sys, ENOENT);
	assert_string_equal(err.msg, "open '/x': No such file or directory");
	assert_int_equal(err_wrap(&err, "image '%s'", "a:b"), -ERR_SYSTEM);
	assert_string_equal(err.msg, "image 'a:b': open '/x': No such file or directory");
	assert_int_equal(err_hint(&err, "pull it"), -ERR_SYSTEM);
	assert_string_equal(err.msg, "image 'a:b': open '/x': No such file or directory; pull it");
}

static void codes_come_back_negative(void **state)
{
	struct err err = ERR_INIT;

	assert_err(err_set(&err, ERR_CONFLICT, "busy"), ERR_CONFLICT, "busy");
	assert_int_equal(err_ret(&err), -ERR_CONFLICT);
	assert_err(err_sysc(&err, ERR_NOT_FOUND, EPERM, "x"), ERR_NOT_FOUND, "not permitted");
	assert_int_equal(err.sys, EPERM);
}

static void no_err_is_fine_everywhere(void **state)
{
	assert_int_equal(err_set(NULL, ERR_GONE, "x"), -ERR_GONE);
	assert_int_equal(err_sys(NULL, "x"), -ERR_SYSTEM);
	assert_int_equal(err_sysc(NULL, ERR_QUOTA, 1, "x"), -ERR_QUOTA);
	assert_int_equal(err_wrap(NULL, "x"), -ERR_SYSTEM);
	assert_int_equal(err_hint(NULL, "x"), -ERR_SYSTEM);
	assert_int_equal(err_ret(NULL), -ERR_SYSTEM);
}

static void long_messages_end_in_dots(void **state)
{
	struct err err = ERR_INIT;
	char big[3000];

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	err_set(&err, ERR_INVALID, "%s", big);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	assert_string_equal(err.msg + sizeof(err.msg) - 4, "...");
	err_wrap(&err, "outer");
	assert_int_equal(strncmp(err.msg, "outer: xxx", 10), 0);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	assert_string_equal(err.msg + sizeof(err.msg) - 4, "...");
	err_hint(&err, "hint");
	assert_string_equal(err.msg + sizeof(err.msg) - 4, "...");
	err_wrap(&err, "%s", big);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
}

static void errno_survives(void **state)
{
	struct err err = ERR_INIT;

	errno = EBUSY;
	err_set(&err, ERR_INVALID, "%f", 1.5);
	err_wrap(&err, "x");
	err_hint(&err, "x");
	assert_int_equal(errno, EBUSY);
}

static void tables_map_every_code(void **state)
{
	assert_int_equal(err_docker_status(ERR_NOT_FOUND), 404);
	assert_int_equal(err_kube_status(ERR_INVALID), 422);
	assert_string_equal(err_kube_reason(ERR_EXISTS), "AlreadyExists");
	assert_string_equal(err_code_name(ERR_NOT_FOUND), "NOT_FOUND");
	for (unsigned c = ERR_NONE + 1; c < ERR_CODE_COUNT; c++) {
		assert_true(err_docker_status(c) >= 400);
		assert_true(err_kube_status(c) >= 400);
		assert_non_null(err_kube_reason(c));
	}
	/* What came over a pipe may be garbage. */
	assert_int_equal(err_docker_status((enum err_code)9999), 500);
	assert_string_equal(err_code_name((enum err_code) - 1), "SYSTEM");
}

static void unknown_errno_has_a_text(void **state)
{
	assert_non_null(err_strerror(99999));
	assert_words(err_strerror(EACCES), "ermission");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_read_outside_in),
		cmocka_unit_test(codes_come_back_negative),
		cmocka_unit_test(no_err_is_fine_everywhere),
		cmocka_unit_test(long_messages_end_in_dots),
		cmocka_unit_test(errno_survives),
		cmocka_unit_test(tables_map_every_code),
		cmocka_unit_test(unknown_errno_has_a_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
