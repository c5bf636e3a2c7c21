/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of issuers: kept over configurations, fetched once at a time, again when that failed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/loop.h"
#include "crypto/jwt.h"
#include "io/issuer-keys.h"

#include <stdlib.h>

struct fixture {
	struct loop *loop;
	struct issuer_keys keys;
};

struct owner {
	struct issuer_source s;
	int came, failed, *dropped;
};

static int fetch(const struct issuer_source *s, struct jwks **ret, struct err *err)
{
	if (s->at)
		return err_set(err, ERR_UNAVAILABLE, "nobody is at %s", s->at);
	*ret = jwks_new();
	return jwks_read(*ret,
			 SLICE("{\"keys\":[{\"kty\":\"oct\",\"kid\":\"k\",\"alg\":\"HS256\",\"k\":"
			       "\"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0czA\"}]}"),
			 err);
}

static void fetched(struct issuer_source *s, const struct err *err)
{
	struct owner *o = CONTAINER_OF(s, struct owner, s);

	o->came += !err;
	o->failed += err != NULL;
}

static void dropped(struct issuer_source *s)
{
	struct owner *o = CONTAINER_OF(s, struct owner, s);

	++*o->dropped;
	free(o);
}

static struct owner *add(struct fixture *f, const char *at, int *counter)
{
	struct owner *o = calloc(1, sizeof(*o));

	assert_non_null(o);
	o->dropped = counter;
	o->s.wanted = true;
	issuer_keys_add(&f->keys, &o->s, "https://a.example", at, NULL);
	return o;
}

static void begin(struct fixture *f)
{
	struct err err = ERR_INIT;

	assert_int_equal(loop_new(&f->loop, &err), 0);
	f->keys = (struct issuer_keys){ .every = 3600 * NS_PER_SEC,
					.again = 0,
					.fetch = fetch,
					.fetched = fetched,
					.drop = dropped };
	assert_int_equal(work_pool_new(f->loop, 1, 8, &f->keys.pool, &err), 0);
	issuer_keys_init(&f->keys);
}

static void end(struct fixture *f)
{
	issuer_keys_fini(&f->keys);
	loop_free(f->loop);
}

static void settle(struct fixture *f, const struct owner *o)
{
	for (int i = 0; o->s.running && i < 1000; i++)
		assert_true(loop_step(f->loop, NS_PER_SEC, NULL) >= 0);
	assert_false(o->s.running);
}

static void keys_come_and_stay_until_they_are_due(void **state)
{
	int gone = 0;
	struct fixture f;
	struct owner *o;

	(void)state;
	begin(&f);
	o = add(&f, NULL, &gone);
	assert_false(issuer_source_has(&o->s, ""));
	issuer_keys_fetch(&o->s);
	issuer_keys_fetch(&o->s); /* it is under way */
	settle(&f, o);
	assert_int_equal(o->came, 1);
	assert_true(issuer_source_has(&o->s, "k"));
	assert_true(issuer_source_has(&o->s, ""));
	assert_false(issuer_source_has(&o->s, "other"));
	issuer_keys_tick(&f.keys);
	assert_false(o->s.running);
	end(&f);
	assert_int_equal(gone, 1);
}

static void what_failed_is_fetched_again(void **state)
{
	int gone = 0;
	struct fixture f;
	struct owner *o;

	(void)state;
	begin(&f);
	o = add(&f, "https://b.example", &gone);
	issuer_keys_fetch(&o->s);
	settle(&f, o);
	issuer_keys_tick(&f.keys);
	settle(&f, o);
	assert_int_equal(o->failed, 2);
	assert_int_equal(o->came, 0);
	end(&f);
	assert_int_equal(gone, 1);
}

static void what_nobody_wants_goes(void **state)
{
	int gone = 0;
	struct fixture f;
	struct owner *o;

	(void)state;
	begin(&f);
	o = add(&f, NULL, &gone);
	(void)add(&f, "https://b.example", &gone);
	assert_ptr_equal(issuer_keys_find(&f.keys, "https://a.example", NULL, NULL), &o->s);
	assert_null(issuer_keys_find(&f.keys, "https://a.example", NULL, "ca"));
	issuer_keys_unwant(&f.keys);
	o->s.wanted = true;
	issuer_keys_prune(&f.keys);
	assert_int_equal(gone, 1);
	assert_null(issuer_keys_find(&f.keys, "https://a.example", "https://b.example", NULL));
	end(&f);
	assert_int_equal(gone, 2);
}

static void the_end_waits_for_what_is_fetched(void **state)
{
	int gone = 0;
	struct fixture f;
	struct owner *o;

	(void)state;
	begin(&f);
	o = add(&f, NULL, &gone);
	issuer_keys_fetch(&o->s);
	end(&f);
	assert_int_equal(gone, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_come_and_stay_until_they_are_due),
		cmocka_unit_test(what_failed_is_fetched_again),
		cmocka_unit_test(what_nobody_wants_goes),
		cmocka_unit_test(the_end_waits_for_what_is_fetched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
