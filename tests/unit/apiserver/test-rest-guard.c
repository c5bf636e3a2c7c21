/* SPDX-License-Identifier: Apache-2.0 */
/* What stands around the verbs: several at once, the fair queue, the audit log, time limits. */
#include "rest-fix.h"

#include "apiserver/auth/apiaudit.h"
#include "apiserver/rest/fairness.h"

#define MAPS "/api/v1/namespaces/n1/configmaps"
#define MERGE ADMIN "Content-Type: application/merge-patch+json\r\n"

/* Prepared of the same revision: all but the first are prepared again. */
static void patches_at_once_all_come_true(void **state)
{
	struct rfix *x = *state;
	struct peer p[5];
	char body[64];

	make_map(x, "m", "a");
	for (size_t i = 0; i < ARRAY_LEN(p); i++) {
		peer_open(x, &p[i]);
		snprintf(body, sizeof(body), "{\"data\":{\"p%zu\":\"1\"}}", i);
		peer_send(&p[i], "PATCH", MAPS "/m", MERGE, body);
	}
	for (size_t i = 0; i < ARRAY_LEN(p); i++) {
		peer_answer(&p[i], false);
		assert_code(x, 200);
		peer_close(&p[i]);
	}
	get(x, MAPS "/m");
	assert_int_equal(doc_len(doc_get(answer_doc(x), "data")), 6);
}

static void creates_at_once_make_one(void **state)
{
	struct rfix *x = *state;
	struct peer p[4];
	int made = 0;

	for (size_t i = 0; i < ARRAY_LEN(p); i++) {
		peer_open(x, &p[i]);
		peer_send(&p[i], "POST", MAPS, ADMIN JSON,
			  "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":"
			  "\"m\"}}");
	}
	for (size_t i = 0; i < ARRAY_LEN(p); i++) {
		peer_answer(&p[i], false);
		made += x->code == 201;
		if (x->code != 201)
			assert_status(x, 409, "AlreadyExists", "configmaps \"m\" already exists");
		peer_close(&p[i]);
	}
	assert_int_equal(made, 1);
}

static void one_connection_carries_many_requests(void **state)
{
	struct rfix *x = *state;
	struct peer p;

	make_map(x, "m", "a");
	peer_open(x, &p);
	for (int i = 0; i < 5; i++) {
		buf_clear(&p.in);
		peer_send(&p, "GET", MAPS "/m", ADMIN, NULL);
		peer_answer(&p, false);
		assert_code(x, 200);
	}
	peer_close(&p);
}

static void requests_have_a_place_in_the_fair_queue(void **state)
{
	struct rfix *x = *state;
	struct fairness_conf conf = { .loop = x->f->loop, .seats = 4 };
	struct err err = ERR_INIT;
	struct peer w[8];

	rest_close(x);
	assert_int_equal(fairness_new(&conf, &x->conf.fairness, &err), 0);
	rest_open(x);
	make_map(x, "m", "a");
	/* Watches hold their seats only until they have begun. */
	for (size_t i = 0; i < ARRAY_LEN(w); i++) {
		peer_open(x, &w[i]);
		peer_send(&w[i], "GET", "/api/v1/namespaces?watch=1", ADMIN, NULL);
		peer_until(&w[i], "\"ADDED\"");
	}
	get(x, MAPS "/m");
	assert_code(x, 200);
	for (int i = 0; i < 20; i++) {
		(void)ask(x, "GET", "/livez", "", NULL);
		assert_code(x, 200);
	}
	get(x, "/debug/api_priority_and_fairness/dump_priority_levels");
	assert_code(x, 200);
	assert_has(x, "exempt");
	for (size_t i = 0; i < ARRAY_LEN(w); i++)
		peer_close(&w[i]);
	rest_close(x);
	fairness_free(x->conf.fairness);
	x->conf.fairness = NULL;
	rest_open(x);
}

static void read_file(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	assert_true(fd >= 0);
	assert_non_null(buf_room(out, 1u << 20));
	n = read(fd, out->p, 1u << 20);
	assert_true(n >= 0);
	out->n = (size_t)n;
	out->p[n] = '\0';
	fd_close(fd);
}

/* The world opened again with a log of what `rules` say. */
static void log_begin(struct rfix *x, const char *rules)
{
	char policy[96], log[96];
	struct apiaudit_conf conf = { .loop = x->f->loop, .policy_file = policy, .path = log };
	struct err err = ERR_INIT;
	int fd;

	snprintf(policy, sizeof(policy), "%s/policy.yaml", x->f->dir);
	snprintf(log, sizeof(log), "%s/audit.log", x->f->dir);
	(void)unlink(log);
	fd = open(policy, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(dprintf(fd, "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n%s", rules) >
		    0);
	fd_close(fd);
	rest_close(x);
	if (apiaudit_new(&conf, &x->conf.audit, &err) < 0)
		fail_msg("%s", err.msg);
	rest_open(x);
}

/* What the log has; the world is opened again without one. */
static void log_end(struct rfix *x, struct buf *text)
{
	char log[96];

	snprintf(log, sizeof(log), "%s/audit.log", x->f->dir);
	apiaudit_flush(x->conf.audit);
	read_file(log, text);
	rest_close(x);
	apiaudit_free(x->conf.audit);
	x->conf.audit = NULL;
	rest_open(x);
}

static void what_was_asked_is_in_the_audit_log(void **state)
{
	struct rfix *x = *state;
	struct buf text = BUF_INIT(2u << 20);
	char id[64];

	log_begin(x, "- level: Request\n  resources: [{group: \"\", resources: [configmaps]}]\n"
		     "- level: None\n");
	make_map(x, "m", "a");
	snprintf(id, sizeof(id), "%.60s", header_of(x, "Audit-Id"));
	get(x, "/api/v1/namespaces");
	log_end(x, &text);
	assert_non_null(strstr(text.p, id));
	assert_non_null(strstr(text.p, "\"stage\":\"ResponseComplete\""));
	assert_non_null(strstr(text.p, "\"verb\":\"create\""));
	assert_non_null(strstr(text.p, "\"username\":\"admin\""));
	assert_non_null(strstr(text.p, "\"requestObject\":{"));
	assert_null(strstr(text.p, "\"responseObject\":{"));
	assert_non_null(strstr(text.p, "\"name\":\"m\",\"apiVersion\"")); /* objectRef */
	assert_null(strstr(text.p, "\"resource\":\"namespaces\""));
	buf_fini(&text);
}

static void what_was_answered_is_in_the_audit_log(void **state)
{
	struct rfix *x = *state;
	struct buf text = BUF_INIT(2u << 20);

	log_begin(x, "- level: RequestResponse\n  verbs: [create, get, list]\n- level: Metadata\n");
	make_map(x, "m", "answered");
	log_end(x, &text);
	assert_non_null(strstr(text.p, "\"responseObject\":{\"kind\":\"ConfigMap\""));
	assert_non_null(strstr(text.p, "\"resourceVersion\":\""));
	buf_clear(&text);

	/* In whatever form it went out. */
	log_begin(x, "- level: RequestResponse\n");
	(void)ask(x, "GET", MAPS "/m", "Accept: application/vnd.kubernetes.protobuf\r\n" ADMIN,
		  NULL);
	assert_code(x, 200);
	(void)ask(x, "GET", MAPS, "Accept: application/yaml\r\n" ADMIN, NULL);
	assert_code(x, 200);
	log_end(x, &text);
	assert_non_null(strstr(text.p, "\"responseObject\":{\"kind\":\"ConfigMap\""));
	buf_clear(&text);

	/* Of an error each level has what it said. */
	log_begin(x, "- level: Metadata\n");
	get(x, MAPS "/none");
	assert_code(x, 404);
	log_end(x, &text);
	assert_non_null(strstr(text.p, "\"status\":\"Failure\""));
	assert_non_null(strstr(text.p, "\"reason\":\"NotFound\""));
	assert_non_null(strstr(text.p, "\"code\":404}"));
	assert_null(strstr(text.p, "\"responseObject\""));
	buf_fini(&text);
}

static void a_request_has_its_time(void **state)
{
	struct rfix *x = *state;

	get(x, MAPS "?resourceVersion=999999&timeout=20ms");
	assert_status(x, 504, "Timeout", "did not complete within the allotted timeout");
}

static int with_namespace(void **state)
{
	int r = rest_setup(state);

	make_namespace(*state, "n1");
	return r;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, with_namespace, rest_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(patches_at_once_all_come_true),
		TEST(creates_at_once_make_one),
		TEST(one_connection_carries_many_requests),
		TEST(requests_have_a_place_in_the_fair_queue),
		TEST(what_was_asked_is_in_the_audit_log),
		TEST(what_was_answered_is_in_the_audit_log),
		TEST(a_request_has_its_time),
	};

	return cmocka_run_group_tests_name("rest-guard", tests, NULL, NULL);
}
