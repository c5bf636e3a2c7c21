/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to a webhook: asked once at a time, tried again, answers kept for a while. */
#include "connect-fix.h"

#include "apiserver/outward/hook-book.h"
#include "io/resolver.h"

/* ---- a webhook that answers as it is told ---- */

struct hook {
	struct loop *loop;
	struct http_server *srv;
	struct resolver *resolver;
	struct hook_book *book;
	char url[64];
	struct hook_conf to;
	int fails, code; /* the first `fails` requests are answered with code */
	bool holds;	 /* nothing is answered */
	const char *says;
	int64_t keep; /* of read_it */
	unsigned asked, ended;
	char how[16], token[32];
};

static void on_request(struct stream *s, void *arg)
{
	struct hook *h = arg;
	const struct slice token = stream_header(s, "Authorization");

	snprintf(h->token, sizeof(h->token), "%.*s", (int)token.n, token.n ? token.p : "");
	h->asked++;
	if (h->holds)
		return;
	if (h->fails-- > 0)
		(void)stream_reply(s, h->code, "text/plain", "oh", 2);
	else
		(void)stream_reply(s, 200, "application/json", h->says, strlen(h->says));
}

/* "3 words": code 3. */
static int read_it(void *arg, struct slice body, struct buf *text, int64_t *ret_keep,
		   struct err *err)
{
	struct hook *h = arg;

	if (body.n < 2 || body.p[0] < '0' || body.p[0] > '9')
		return err_set(err, ERR_INVALID, "no figure");
	(void)buf_add(text, body.p + 2, body.n - 2);
	*ret_keep = h->keep;
	return body.p[0] - '0';
}

static void count_end(void *arg, const char *how, int64_t took)
{
	struct hook *h = arg;

	assert_true(took >= 0);
	h->ended++;
	snprintf(h->how, sizeof(h->how), "%s", how);
}

static void open_book(struct hook *h, int64_t timeout, int64_t back_off)
{
	const struct hook_book_make m = { .loop = h->loop,
					  .name = "it",
					  .to = &h->to,
					  .resolver = h->resolver,
					  .timeout = timeout,
					  .back_off = back_off,
					  .read = read_it,
					  .ended = count_end,
					  .arg = h };
	struct err err = ERR_INIT;

	hook_book_free(h->book);
	if (hook_book_new(&m, &h->book, &err) < 0)
		fail_msg("%s", err.msg);
}

static int hook_setup(void **state)
{
	struct hook *h = calloc(1, sizeof(*h));
	const struct http_server_conf conf = { .request = on_request, .arg = h };

	h->says = "1 yes";
	h->keep = 3600 * NS_PER_SEC;
	h->to.server = h->url;
	assert_int_equal(loop_new(&h->loop, NULL), 0);
	assert_int_equal(resolver_new(h->loop, NULL, &h->resolver, NULL), 0);
	assert_int_equal(http_server_new(h->loop, &conf, &h->srv, NULL), 0);
	assert_int_equal(http_server_listen_tcp(h->srv, AGENT_IP ":0", NULL), 0);
	snprintf(h->url, sizeof(h->url), "http://" AGENT_IP ":%s/ask",
		 strrchr(http_server_address(h->srv, 0), ':') + 1);
	open_book(h, 60 * NS_PER_SEC, 0);
	*state = h;
	return 0;
}

static int hook_teardown(void **state)
{
	struct hook *h = *state;

	hook_book_free(h->book);
	http_server_free(h->srv);
	resolver_free(h->resolver);
	loop_free(h->loop);
	free(h);
	return 0;
}

/* ---- who waits ---- */

struct waits {
	struct hook_wait w;
	bool done;
	int code;
	char text[64], why[256];
};

static void on_done(struct hook_wait *w, const struct hook_answer *a)
{
	struct waits *x = CONTAINER_OF(w, struct waits, w);

	assert_false(x->done);
	x->done = true;
	x->code = a->code;
	snprintf(x->text, sizeof(x->text), "%s", a->text);
	snprintf(x->why, sizeof(x->why), "%s", a->why ? a->why : "");
}

static void begin(struct hook *h, struct waits *x, const char *key)
{
	*x = (struct waits){ .w.done = on_done };
	hook_book_ask(h->book, key, SLICE("{}"), &x->w);
}

static void wait_until(struct hook *h, struct waits *x)
{
	while (!x->done)
		assert_true(loop_step(h->loop, -1, NULL) >= 0);
}

static void ask_it(struct hook *h, struct waits *x, const char *key)
{
	begin(h, x, key);
	wait_until(h, x);
}

static void is_failure(const struct waits *x, const char *why)
{
	assert_int_equal(x->code, HOOK_NO_ANSWER);
	assert_string_equal(x->text, "webhook \"it\" gave no answer");
	if (!strstr(x->why, why))
		fail_msg("no '%s' in '%s'", why, x->why);
}

/* ---- the cases ---- */

static void a_question_is_asked_once_however_many_wait(void **state)
{
	struct hook *h = *state;
	struct waits a, b, c;

	begin(h, &a, "k");
	begin(h, &b, "k");
	begin(h, &c, "other");
	assert_null(hook_book_find(h->book, "k"));
	wait_until(h, &a);
	wait_until(h, &b);
	wait_until(h, &c);
	assert_int_equal(h->asked, 2);
	assert_int_equal(a.code, 1);
	assert_string_equal(b.text, "yes");
	assert_string_equal(h->how, "success");
	assert_int_equal(hook_book_find(h->book, "k")->code, 1);
	assert_string_equal(hook_book_find(h->book, "k")->text, "yes");
	assert_null(hook_book_find(h->book, "none"));
}

static void what_is_not_to_be_kept_is_not(void **state)
{
	struct hook *h = *state;
	struct waits a;
	char *key = calloc(1, HOOK_KEY_MAX + 2);

	memset(key, 'k', HOOK_KEY_MAX + 1);
	ask_it(h, &a, key);
	assert_null(hook_book_find(h->book, key));
	h->keep = 0;
	ask_it(h, &a, "k");
	assert_null(hook_book_find(h->book, "k"));
	h->keep = 1; /* ns: it is over when it is looked for */
	ask_it(h, &a, "k");
	assert_null(hook_book_find(h->book, "k"));
	h->keep = INT64_MAX;
	ask_it(h, &a, "k");
	assert_non_null(hook_book_find(h->book, "k"));
	free(key);
}

static void failures_of_the_server_are_tried_again(void **state)
{
	struct hook *h = *state;
	struct waits a;

	h->fails = 4;
	h->code = 500;
	ask_it(h, &a, "k");
	assert_int_equal(a.code, 1);
	assert_int_equal(h->asked, 5);
	h->fails = 1;
	h->code = 429;
	ask_it(h, &a, "l");
	assert_int_equal(a.code, 1);
	h->fails = 100;
	h->code = 503;
	h->asked = 0;
	ask_it(h, &a, "m");
	is_failure(&a, "it answers 503");
	assert_int_equal(h->asked, 5);
	assert_string_equal(h->how, "error");
	assert_null(hook_book_find(h->book, "m"));
}

static void nobody_waits_for_an_attempt_past_the_limit(void **state)
{
	struct hook *h = *state;
	struct waits a;

	open_book(h, 60 * NS_PER_SEC, 120 * NS_PER_SEC);
	h->fails = 1;
	h->code = 500;
	ask_it(h, &a, "k");
	is_failure(&a, "it answers 500");
	assert_int_equal(h->asked, 1);
	/* a pause that fits in is made */
	open_book(h, 60 * NS_PER_SEC, 1);
	h->fails = 1;
	ask_it(h, &a, "k");
	assert_int_equal(a.code, 1);
}

static void what_another_attempt_does_not_mend_is_told_at_once(void **state)
{
	struct hook *h = *state;
	struct waits a;

	h->fails = 1;
	h->code = 403;
	ask_it(h, &a, "k");
	is_failure(&a, "it answers 403");
	h->says = "<html>";
	ask_it(h, &a, "k");
	is_failure(&a, "no figure");
	h->says = "";
	ask_it(h, &a, "k");
	is_failure(&a, "no figure");
	assert_int_equal(h->asked, 3);
}

static void a_webhook_that_is_not_there_is_told(void **state)
{
	struct hook *h = *state;
	struct waits a;

	http_server_free(STEAL(h->srv));
	ask_it(h, &a, "k");
	is_failure(&a, "refused");
}

static void silence_ends_with_the_time(void **state)
{
	struct hook *h = *state;
	struct waits a;

	open_book(h, 20 * NS_PER_MS, 0);
	h->holds = true;
	ask_it(h, &a, "k");
	is_failure(&a, "no answer in time");
	assert_string_equal(h->how, "timeout");
}

static void who_goes_is_not_told_and_the_answer_stays(void **state)
{
	struct hook *h = *state;
	struct waits a, b;

	begin(h, &a, "k");
	begin(h, &b, "k");
	hook_unwait(&a.w);
	hook_unwait(&a.w);
	wait_until(h, &b);
	assert_false(a.done);
	assert_non_null(hook_book_find(h->book, "k"));
}

static void the_end_of_the_book_is_told(void **state)
{
	struct hook *h = *state;
	struct waits a, b;

	h->holds = true;
	begin(h, &a, "k");
	begin(h, &b, "l");
	hook_book_free(STEAL(h->book));
	assert_int_equal(a.code, HOOK_ENDED);
	assert_int_equal(b.code, HOOK_ENDED);
	assert_string_equal(h->how, "canceled");
	assert_int_equal(h->ended, 2);
}

static void its_token_is_shown(void **state)
{
	struct hook *h = *state;
	struct waits a;

	ask_it(h, &a, "k");
	assert_string_equal(h->token, "");
	h->to.token = "secret";
	open_book(h, NS_PER_SEC, 0);
	ask_it(h, &a, "k");
	assert_string_equal(h->token, "Bearer secret");
}

#define HCASE(f) cmocka_unit_test_setup_teardown(f, hook_setup, hook_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HCASE(a_question_is_asked_once_however_many_wait),
		HCASE(what_is_not_to_be_kept_is_not),
		HCASE(failures_of_the_server_are_tried_again),
		HCASE(nobody_waits_for_an_attempt_past_the_limit),
		HCASE(what_another_attempt_does_not_mend_is_told_at_once),
		HCASE(a_webhook_that_is_not_there_is_told),
		HCASE(silence_ends_with_the_time),
		HCASE(who_goes_is_not_told_and_the_answer_stays),
		HCASE(the_end_of_the_book_is_told),
		HCASE(its_token_is_shown),
	};

	return cmocka_run_group_tests(tests, own_network, NULL);
}
