/* SPDX-License-Identifier: Apache-2.0 */
/* --mount in all its forms. */
#include "cli-test.h"

#include "cli/mount-opt.h"

static void each_key_reaches_its_field(void **state)
{
	static const char *const rows[][2] = {
		{ "type=bind,source=/a,target=/b",
		  "{\"Type\":\"bind\",\"Source\":\"/a\",\"Target\":\"/b\"}" },
		{ "type=bind,src=/a,dst=/b,readonly",
		  "{\"Type\":\"bind\",\"Source\":\"/a\",\"Target\":\"/b\",\"ReadOnly\":true}" },
		{ "destination=/b,type=tmpfs,ro=false",
		  "{\"Target\":\"/b\",\"Type\":\"tmpfs\",\"ReadOnly\":false}" },
		{ "type=bind,dst=/b,bind-propagation=rshared,bind-nonrecursive",
		  "{\"Type\":\"bind\",\"Target\":\"/b\",\"BindOptions\":{\"Propagation\":"
		  "\"rshared\",\"NonRecursive\":true}}" },
		{ "type=bind,dst=/b,bind-recursive=readonly,bind-create-src",
		  "{\"Type\":\"bind\",\"Target\":\"/b\",\"BindOptions\":{"
		  "\"ReadOnlyForceRecursive\":true,\"CreateMountpoint\":true}}" },
		{ "type=bind,dst=/b,bind-recursive=enabled",
		  "{\"Type\":\"bind\",\"Target\":\"/b\"}" },
		{ "type=tmpfs,dst=/b,tmpfs-size=64m,tmpfs-mode=1770",
		  "{\"Type\":\"tmpfs\",\"Target\":\"/b\",\"TmpfsOptions\":{\"SizeBytes\":67108864,"
		  "\"Mode\":1016}}" },
		{ "\"dst=/a,b\",type=tmpfs", "{\"Target\":\"/a,b\",\"Type\":\"tmpfs\"}" },
		{ "dst=/b,consistency=cached",
		  "{\"Target\":\"/b\",\"Consistency\":\"cached\",\"Type\":\"volume\"}" },
	};
	struct arena *a = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct doc *d = doc_new_object(a);
		struct err err = ERR_INIT;

		if (mount_opt_parse(a, rows[i][0], d, &err) < 0)
			fail_msg("%s: %s", rows[i][0], err.msg);
		assert_string_equal(json_of(a, d), rows[i][1]);
	}
}

static void what_is_wrong_is_named(void **state)
{
	static const struct {
		const char *text, *words;
		enum err_code code;
	} rows[] = {
		{ "type=bind,what=1,dst=/b", "unexpected key 'what'", ERR_INVALID },
		{ "type=bind,src=/a", "target is required", ERR_INVALID },
		{ "type=bind,dst=", "no value", ERR_INVALID },
		{ "dst=/b,ro=maybe", "true or false", ERR_INVALID },
		{ "dst=/b,tmpfs-size=x", "tmpfs-size", ERR_INVALID },
		{ "dst=/b,tmpfs-mode=9", "octal", ERR_INVALID },
		{ "dst=/b,tmpfs-mode=77777", "octal", ERR_INVALID },
		{ "dst=/b,bind-recursive=x", "bind-recursive", ERR_INVALID },
		{ "\"dst=/b", "quote", ERR_INVALID },
		{ "dst=/b,volume-nocopy", "volume-nocopy is not supported", ERR_UNSUPPORTED },
		{ "dst=/b,volume-opt=a=b", "volume-opt is not supported", ERR_UNSUPPORTED },
		{ "dst=/b,image-subpath=x", "image-subpath is not supported", ERR_UNSUPPORTED },
	};
	struct arena *a = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;

		assert_int_equal(mount_opt_parse(a, rows[i].text, doc_new_object(a), &err),
				 -(int)rows[i].code);
		assert_part(err.msg, rows[i].words);
		assert_part(err.msg, "--mount");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ARENA_CASE(each_key_reaches_its_field),
		ARENA_CASE(what_is_wrong_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
