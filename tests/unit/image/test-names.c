/* SPDX-License-Identifier: Apache-2.0 */
/* References in docker's grammar. */
#include "fixture.h"

#define HEX64 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void good_references_are_normalised(void **state)
{
	static const struct {
		const char *in, *full, *familiar, *repo;
	} cases[] = {
		{ "nginx", "docker.io/library/nginx:latest", "nginx:latest", "nginx" },
		{ "a/b:c", "docker.io/a/b:c", "a/b:c", "a/b" },
		{ "docker.io/nginx", "docker.io/library/nginx:latest", "nginx:latest", "nginx" },
		{ "index.docker.io/library/nginx:1", "docker.io/library/nginx:1", "nginx:1",
		  "nginx" },
		{ "docker.io/library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest",
		  "library/a/b" },
		{ "localhost/x", "localhost/x:latest", "localhost/x:latest", "localhost/x" },
		{ "localhost:5000/x:y", "localhost:5000/x:y", "localhost:5000/x:y",
		  "localhost:5000/x" },
		{ "ghcr.io/a/b@sha256:" HEX64, "ghcr.io/a/b@sha256:" HEX64,
		  "ghcr.io/a/b@sha256:" HEX64, "ghcr.io/a/b" },
		{ "a:t@sha256:" HEX64, "docker.io/library/a:t@sha256:" HEX64, "a:t@sha256:" HEX64,
		  "a" },
		{ "Foo/bar", "Foo/bar:latest", "Foo/bar:latest", "Foo/bar" },
		{ "a__b--c.d", "docker.io/library/a__b--c.d:latest", "a__b--c.d:latest",
		  "a__b--c.d" },
		{ "[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest", "[::1]:5000/x" },
	};
	char text[IMAGE_NAME_TEXT_MAX];
	struct image_name n;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (image_name_parse(cases[i].in, &n, &err) < 0)
			fail_msg("'%s': %s", cases[i].in, err.msg);
		image_name_default_tag(&n);
		assert_string_equal(image_name_full(&n, text), cases[i].full);
		assert_string_equal(image_name_familiar(&n, text), cases[i].familiar);
		assert_string_equal(image_name_familiar_repo(&n), cases[i].repo);
	}
}

static void bad_references_are_refused_in_dockers_words(void **state)
{
	static const struct {
		const char *in, *part;
	} cases[] = {
		{ "", "invalid reference format" },
		{ ":tag", "invalid reference format" },
		{ "a:", "invalid reference format" },
		{ "a b", "invalid reference format" },
		{ "a/", "invalid reference format" },
		{ "/a", "invalid reference format" },
		{ "a//b", "invalid reference format" },
		{ "a..b", "invalid reference format" },
		{ "a___b", "invalid reference format" },
		{ "a._b", "invalid reference format" },
		{ "-a", "invalid reference format" },
		{ "a-", "invalid reference format" },
		{ "a:-b", "invalid reference format" },
		{ "a@sha256:abc", "invalid reference format" },
		{ "a@", "invalid reference format" },
		{ "x.y:port/z", "invalid reference format" },
		{ "-x.y/z", "invalid reference format" },
		{ "a/\xc3\xa4", "invalid reference format" },
		{ "aA", "repository name (library/aA) must be lowercase" },
		{ "x.y/A", "repository name (A) must be lowercase" },
		{ HEX64, "cannot specify 64-byte hexadecimal strings" },
	};
	char big[400];
	struct image_name n;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (image_name_parse(cases[i].in, &n, &err) >= 0)
			fail_msg("'%s' was accepted", cases[i].in);
		assert_err(&err, ERR_BAD_REQUEST, cases[i].part);
	}
	memset(big, 'a', sizeof(big));
	big[300] = '\0';
	assert_int_equal(image_name_parse(big, &n, &err), -ERR_BAD_REQUEST);
	assert_err(&err, ERR_BAD_REQUEST, "must not be more than 255 characters");
	memset(big, 'a', 140);
	big[1] = ':';
	big[140] = '\0';
	assert_int_equal(image_name_parse(big, &n, &err), -ERR_BAD_REQUEST);
	assert_err(&err, ERR_BAD_REQUEST, "invalid reference format");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_references_are_normalised),
		cmocka_unit_test(bad_references_are_refused_in_dockers_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
