/* SPDX-License-Identifier: Apache-2.0 */
/* ImagePolicyWebhook in a whole server, with a webhook in this process. (Python's: e2e 6370.) */
#include "admission-fix.h"
#include "connect-fix.h"

/* ---- the webhook: says no to "bad" images, and to "mute" ones without a word ---- */

struct ifix {
	struct rfix *x;
	struct http_server *srv;
	unsigned asked;
	const char *says; /* instead of a status; NULL: by the images */
	int code;
	struct stream *held; /* asked and not answered yet */
	bool holds;
	char body[4096]; /* of the last */
};
static struct ifix *the_policy;

static void reply(struct stream *s)
{
	struct ifix *f = the_policy;
	const char *status = "'status':{'allowed':true,'auditAnnotations':{'a':'b'}}";
	char text[512];

	if (strstr(f->body, "bad"))
		status = "'status':{'allowed':false,'reason':'by name'}";
	else if (strstr(f->body, "mute"))
		status = "'status':{}";
	snprintf(text, sizeof(text),
		 "{'kind':'ImageReview','apiVersion':'imagepolicy.k8s.io/v1alpha1',%s}", status);
	assert_true(str_copy(text, sizeof(text), quoted(f->says ? f->says : text)));
	(void)stream_reply(s, f->code, "application/json", text, strlen(text));
}

static void on_body(struct stream *s, void *arg, int result, struct slice body, struct err *err)
{
	struct ifix *f = arg;

	(void)err;
	if (result < 0)
		return;
	f->asked++;
	snprintf(f->body, sizeof(f->body), "%.*s", (int)body.n, body.p);
	if (f->holds)
		f->held = s;
	else
		reply(s);
}

static void on_request(struct stream *s, void *arg)
{
	assert_string_equal(stream_request(s)->path, "/images");
	stream_collect(s, 1u << 20, on_body, arg);
}

static void configure(struct ifix *f, const char *more)
{
	const char *dir = f->x->f->dir;
	char text[1024], path[128];

	snprintf(path, sizeof(path), "%s/kubeconfig", dir);
	snprintf(text, sizeof(text),
		 "{'current-context':'c','contexts':[{'name':'c','context':{'cluster':'k'}}],"
		 "'clusters':[{'name':'k','cluster':{'server':'http://" AGENT_IP ":%s/images'}}]}",
		 strrchr(http_server_address(f->srv, 0), ':') + 1);
	assert_true(str_copy(text, sizeof(text), quoted(text)));
	assert_int_equal(fd_replace_file(AT_FDCWD, path, text, strlen(text), 0600, NULL), 0);
	snprintf(text, sizeof(text),
		 ACONF("{'name':'ImagePolicyWebhook','configuration':{'imagePolicy':{"
		       "'kubeConfigFile':'%s/kubeconfig','retryBackoff':-1%s}}}"),
		 dir, more);
	afix_configure(f->x, "ImagePolicyWebhook", text);
}

static int images_setup(void **state)
{
	struct ifix *f = calloc(1, sizeof(*f));
	const struct http_server_conf conf = { .request = on_request, .arg = f };
	void *x;

	the_policy = f;
	f->code = 200;
	rest_setup(&x);
	f->x = x;
	assert_int_equal(http_server_new(f->x->f->loop, &conf, &f->srv, NULL), 0);
	assert_int_equal(http_server_listen_tcp(f->srv, AGENT_IP ":0", NULL), 0);
	configure(f, "");
	make_namespace(f->x, "n1");
	*state = f;
	return 0;
}

static int images_teardown(void **state)
{
	struct ifix *f = *state;
	void *x = f->x;

	afix_open(f->x, NULL, NULL); /* what asks goes before the loop */
	http_server_free(f->srv);
	(void)afix_teardown(&x);
	free(f);
	return 0;
}

#define WITH(image) "'containers':[{'name':'c','image':'" image "'}]"

static void was_told(struct ifix *f, const char *part)
{
	if (!strstr(f->body, quoted(part)))
		fail_msg("no %s in %s", part, f->body);
}

/* ---- the cases ---- */

static void images_are_asked_about(void **state)
{
	struct ifix *f = *state;

	apost(f->x, PODS,
	      "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'a','annotations':{'x':'y',"
	      "'my.image-policy.k8s.io/ticket':'7','image-policy.k8s.io/no':'z'}},'spec':{"
	      "'initContainers':[{'name':'i','image':'first'}]," WITH("good") "}}",
	      201);
	was_told(f, "{'kind':'ImageReview','apiVersion':'imagepolicy.k8s.io/v1alpha1','metadata':{"
		    "},'spec':{'containers':[{'image':'good'},{'image':'first'}],'annotations':{"
		    "'my.image-policy.k8s.io/ticket':'7'},'namespace':'n1'},'status':{'allowed':"
		    "false}}");
	apost(f->x, PODS, APOD("b", WITH("bad")), 403);
	arefused(f->x, "pods \"b\" is forbidden: image policy webhook backend denied one or more "
		       "images: by name");
	apost(f->x, PODS, APOD("b", WITH("mute")), 403);
	arefused(f->x, "pods \"b\" is forbidden: one or more images rejected by webhook backend");
	assert_int_equal(f->asked, 3);
	/* what is kept is not asked again; a dry run is asked about, too */
	apost(f->x, PODS, APOD("b", WITH("bad")), 403);
	apost(f->x, PODS "?dryRun=All", APOD("b", WITH("bad")), 403);
	assert_int_equal(f->asked, 3);
	/* other kinds are none of its business */
	apost(f->x, "/api/v1/namespaces/n1/podtemplates",
	      "{'apiVersion':'v1','kind':'PodTemplate','metadata':{'name':'t'},'template':{"
	      "'spec':{" WITH("bad") "}}}",
	      201);
	assert_int_equal(f->asked, 3);
}

static void changes_are_asked_about(void **state)
{
	struct ifix *f = *state;

	apost(f->x, PODS, APOD("a", WITH("one")), 201);
	amerge(f->x, PODS "/a", "{'metadata':{'labels':{'a':'b'}}}", 200);
	assert_int_equal(f->asked, 1); /* the same images */
	amerge(f->x, PODS "/a", "{'spec':{'containers':[{'name':'c','image':'bad'}]}}", 403);
	arefused(f->x, "by name");
	amerge(f->x, PODS "/a", "{'spec':{'containers':[{'name':'c','image':'two'}]}}", 200);
	ahas(f->x, "'image':'two'");
	assert_int_equal(f->asked, 3);
	amerge(f->x, PODS "/a/ephemeralcontainers",
	       "{'spec':{'ephemeralContainers':[{'name':'e','image':'bad-too','"
	       "terminationMessagePolicy':'File','imagePullPolicy':'Always'}]}}",
	       403);
	was_told(f, "'spec':{'containers':[{'image':'bad-too'}],'namespace':'n1'}");
	amerge(f->x, PODS "/a/status", "{'status':{'phase':'Running'}}", 200);
	assert_int_equal(f->asked, 4);
}

static void a_webhook_without_an_answer_closes_the_door(void **state)
{
	static const struct {
		int code;
		const char *says, *why;
	} rows[] = {
		{ 500, "{}", "it answers 500" },
		{ 404, "{}", "it answers 404" },
		{ 200, "<html>", "the answer is not JSON" },
		{ 200, "{'kind':'Status','apiVersion':'v1','status':'Success'}",
		  "the answer is no ImageReview as asked" },
		{ 200, "{'status':{'allowed':'yes'}}", "the answer has a status that is none" },
	};
	struct ifix *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		f->code = rows[i].code;
		f->says = rows[i].says;
		f->asked = 0;
		apost(f->x, PODS, APOD("a", WITH("good")), 403);
		arefused(f->x, "pods \"a\" is forbidden: Post \"http://" AGENT_IP ":");
		assert_has(f->x, rows[i].why);
		assert_int_equal(f->asked, rows[i].code == 500 ? 5 : 1);
	}
	f->code = 200;
	f->says = NULL;
	apost(f->x, PODS, APOD("a", WITH("good")), 201);
}

static void or_leaves_it_open_when_it_was_told_to(void **state)
{
	struct ifix *f = *state;

	configure(f, ",'defaultAllow':true");
	f->code = 503;
	apost(f->x, PODS, APOD("a", WITH("bad")), 201);
	ahasnt(f->x, "failed-open"); /* that is for the log */
	f->code = 200;
	apost(f->x, PODS, APOD("b", WITH("bad")), 403);
}

static void answers_may_not_be_kept(void **state)
{
	struct ifix *f = *state;

	configure(f, ",'allowTTL':-1,'denyTTL':-1");
	for (int i = 0; i < 2; i++) {
		apost(f->x, PODS "?dryRun=All", APOD("a", WITH("good")), 201);
		apost(f->x, PODS, APOD("a", WITH("bad")), 403);
	}
	assert_int_equal(f->asked, 4);
}

static void others_do_not_wait(void **state)
{
	struct ifix *f = *state;
	struct peer p, q;

	f->holds = true;
	peer_open(f->x, &p);
	peer_send(&p, "POST", PODS, ADMIN JSON, quoted(APOD("a", WITH("good"))));
	while (!f->held)
		turn(&p);
	peer_open(f->x, &q); /* the same question: asked once */
	peer_send(&q, "POST", PODS, ADMIN JSON, quoted(APOD("b", WITH("good"))));
	get(f->x, "/api/v1/namespaces/n1");
	assert_code(f->x, 200);
	apost(f->x, "/api/v1/namespaces/n1/configmaps",
	      "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'m'}}", 201);
	assert_int_equal(f->asked, 1);
	reply(f->held);
	peer_answer(&p, false);
	assert_code(f->x, 201);
	peer_answer(&q, false);
	assert_code(f->x, 201);
	assert_int_equal(f->asked, 1);
	peer_close(&p);
	peer_close(&q);
}

static void who_goes_leaves_nothing_behind(void **state)
{
	struct ifix *f = *state;
	struct peer p;

	f->holds = true;
	peer_open(f->x, &p);
	peer_send(&p, "POST", PODS, ADMIN JSON, quoted(APOD("a", WITH("good"))));
	while (!f->held)
		turn(&p);
	peer_close(&p);
	get(f->x, "/api/v1/namespaces/n1");
	reply(f->held);
	f->holds = false;
	apost(f->x, PODS, APOD("b", WITH("good")), 201);
	get(f->x, PODS "/a");
	assert_code(f->x, 404);
	/* and the server may end while one waits */
	f->holds = true;
	f->held = NULL;
	peer_open(f->x, &p);
	peer_send(&p, "POST", PODS, ADMIN JSON, quoted(APOD("c", WITH("other"))));
	while (!f->held)
		turn(&p);
	peer_close(&p);
}

#define ICASE(f) cmocka_unit_test_setup_teardown(f, images_setup, images_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ICASE(images_are_asked_about),
		ICASE(changes_are_asked_about),
		ICASE(a_webhook_without_an_answer_closes_the_door),
		ICASE(or_leaves_it_open_when_it_was_told_to),
		ICASE(answers_may_not_be_kept),
		ICASE(others_do_not_wait),
		ICASE(who_goes_leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, own_network, NULL);
}
