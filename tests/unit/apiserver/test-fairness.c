/* SPDX-License-Identifier: Apache-2.0 */
/* Priority and fairness: which schema, how many at once, whose turn, what is refused and when. */
#include "../doc/doc-check.h"

#include "apiserver/rest/fairness.h"
#include "base/loop.h"
#include "doc/json.h"
#include "io/metrics.h"

#include <stdio.h>
#include <stdlib.h>

#define SEATS 10

struct world_of {
	struct loop *loop;
	struct metrics *metrics;
	struct fairness *f;
	struct arena *a;
};

static void *aim(void **state)
{
	return *state;
}

static int begin(void **state)
{
	struct world_of *w = calloc(1, sizeof(*w));
	struct err err = ERR_INIT;

	assert_non_null(w);
	assert_int_equal(loop_new(&w->loop, &err), 0);
	w->metrics = metrics_new();
	w->a = arena_new("test", 16u << 20);
	assert_int_equal(fairness_new(&(struct fairness_conf){ .loop = w->loop,
							       .metrics = w->metrics,
							       .seats = SEATS,
							       .wait = 50 * 1000000 },
				      &w->f, &err),
			 0);
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world_of *w = *state;

	fairness_free(w->f);
	metrics_free(w->metrics);
	loop_free(w->loop);
	arena_free(w->a);
	free(w);
	return 0;
}

static const struct doc *json(struct world_of *w, const char *text)
{
	struct err err = ERR_INIT;
	struct doc *d = NULL;

	assert_int_equal(json_read(w->a, slice_str(text), NULL, &d, &err), 0);
	return d;
}

#define LEVEL(name, type, body)                                                                   \
	"{\"metadata\":{\"name\":\"" name "\",\"uid\":\"l-" name "\"},\"spec\":{\"type\":\"" type \
	"\"," body "}}"
#define FLOW(name, level, order, method, rules)                                            \
	"{\"metadata\":{\"name\":\"" name "\",\"uid\":\"s-" name                           \
	"\"},\"spec\":{\"priorityLevelConfiguration\":{\"name\":\"" level                  \
	"\"},\"matchingPrecedence\":" order ",\"distinguisherMethod\":{\"type\":\"" method \
	"\"},\"rules\":[" rules "]}}"
#define ANY_RESOURCE                                                                         \
	"\"resourceRules\":[{\"verbs\":[\"*\"],\"apiGroups\":[\"*\"],\"resources\":[\"*\"]," \
	"\"clusterScope\":true,\"namespaces\":[\"*\"]}]"
#define GROUP(name) "\"subjects\":[{\"kind\":\"Group\",\"group\":{\"name\":\"" name "\"}}]"

static void set(struct world_of *w, const char *const *schemas, size_t ns,
		const char *const *levels, size_t nl)
{
	const struct doc *s[8], *l[8];
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ns; i++)
		s[i] = json(w, schemas[i]);
	for (size_t i = 0; i < nl; i++)
		l[i] = json(w, levels[i]);
	assert_int_equal(fairness_set(w->f, s, ns, l, nl, &err), 0);
}

struct one {
	struct fairness_seat seat;
	char name[32];
	int state; /* 0 waits, 1 runs, 2 refused */
	struct buf *log;
};

static void started(struct fairness_seat *s)
{
	struct one *o = CONTAINER_OF(s, struct one, seat);

	o->state = 1;
	if (o->log)
		(void)buf_addf(o->log, "%s ", o->name);
}

static void refused(struct fairness_seat *s)
{
	CONTAINER_OF(s, struct one, seat)->state = 2;
}

static const char *const masters[] = { "system:masters", "system:authenticated", NULL },
			 *const people[] = { "system:authenticated", NULL };

static int enter(struct world_of *w, struct one *o, const char *user, const char *const *groups,
		 const char *ns, unsigned cost, struct err *err)
{
	struct strategy_user u = { .name = user, .uid = "", .groups = groups };
	struct fairness_about about = { .user = &u,
					.verb = "list",
					.is_resource = true,
					.group = "",
					.resource = "pods",
					.subresource = "",
					.namespace_ = ns,
					.path = "" };
	int r;

	o->seat.start = started;
	o->seat.refuse = refused;
	(void)snprintf(o->name, sizeof(o->name), "%s", user);
	r = fairness_enter(w->f, &o->seat, &about, cost, err);
	o->state = r == 0 ? 1 : r == 1 ? 0 : 2;
	return r;
}

static void turn(struct world_of *w)
{
	struct err err = ERR_INIT;

	for (int i = 0; i < 4; i++)
		assert_true(loop_step(w->loop, 0, &err) >= 0);
}

static void without_objects_masters_are_exempt_and_others_are_few(void **state)
{
	struct world_of *w = aim(state);
	struct one m[2 * SEATS] = { 0 }, p[SEATS + 1] = { 0 };
	struct err err = ERR_INIT;

	for (size_t i = 0; i < 2 * SEATS; i++)
		assert_int_equal(enter(w, &m[i], "root", masters, "", 1, &err), 0);
	assert_string_equal(m[0].seat.level, "exempt");
	for (size_t i = 0; i < SEATS; i++)
		assert_int_equal(enter(w, &p[i], "jo", people, "", 1, &err), 0);
	assert_string_equal(p[0].seat.schema, "catch-all");
	assert_int_equal(enter(w, &p[SEATS], "jo", people, "", 1, &err), -ERR_QUOTA);
	assert_non_null(strstr(err.msg, "catch-all"));
	assert_non_null(strstr(err.msg, "concurrency-limit"));
	assert_string_equal(p[SEATS].seat.schema, "");
	fairness_leave(&p[0].seat);
	fairness_leave(&p[0].seat); /* twice is fine */
	assert_int_equal(enter(w, &p[0], "jo", people, "", 1, &err), 0);
	for (size_t i = 0; i < 2 * SEATS; i++)
		fairness_leave(&m[i].seat);
	for (size_t i = 0; i < SEATS; i++)
		fairness_leave(&p[i].seat);
}

static const char *const levels[] = {
	LEVEL("work", "Limited",
	      "\"limited\":{\"nominalConcurrencyShares\":1,\"limitResponse\":{\"type\":\"Queue\","
	      "\"queuing\":{\"queues\":16,\"handSize\":4,\"queueLengthLimit\":8}}}"),
	LEVEL("catch-all", "Limited",
	      "\"limited\":{\"nominalConcurrencyShares\":0,\"limitResponse\":{\"type\":\"Reject\"}"
	      "}"),
};
static const char *const schemas[] = {
	FLOW("workers", "work", "100", "ByUser",
	     "{" GROUP("system:authenticated") "," ANY_RESOURCE "}"),
	FLOW("lost", "nowhere", "1", "ByUser", "{" GROUP("*") "," ANY_RESOURCE "}"),
};

static void one_users_flood_does_not_hold_up_another(void **state)
{
	struct world_of *w = aim(state);
	struct one run[SEATS] = { 0 }, many[8] = { 0 }, few[2] = { 0 };
	struct buf log = BUF_INIT(4096);
	struct err err = ERR_INIT;

	set(w, schemas, 2, levels, 2);
	for (size_t i = 0; i < SEATS; i++)
		assert_int_equal(enter(w, &run[i], "flood", people, "", 1, &err), 0);
	assert_string_equal(run[0].seat.schema_uid, "s-workers");
	assert_string_equal(run[0].seat.level_uid, "l-work");
	for (size_t i = 0; i < 8; i++) {
		assert_int_equal(enter(w, &many[i], "flood", people, "", 1, &err), 1);
		many[i].log = &log;
	}
	for (size_t i = 0; i < 2; i++) {
		/* Two, since one's hand may by chance (1 in 1820) be the flood's. */
		assert_int_equal(enter(w, &few[i], i ? "jo2" : "jo1", people, "", 1, &err), 1);
		few[i].log = &log;
	}
	for (size_t i = 0; i < SEATS; i++) {
		fairness_leave(&run[i].seat);
		turn(w);
	}
	/* The flood's four queues have had two turns each when all is done; jo did not wait for it.
	 */
	assert_non_null(strstr(buf_str(&log), "jo"));
	assert_true(strstr(buf_str(&log), "jo") - buf_str(&log) <= (ptrdiff_t)strlen("flood ") * 5);
	for (size_t i = 0; i < 8; i++) {
		assert_int_equal(many[i].state, 1);
		fairness_leave(&many[i].seat);
	}
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(few[i].state, 1);
		fairness_leave(&few[i].seat);
	}
	buf_fini(&log);
}

static void a_full_queue_and_a_long_wait_are_refused(void **state)
{
	struct world_of *w = aim(state);
	static struct one run[SEATS], wait[64];
	struct err err = ERR_INIT;
	size_t waiting = 0;
	int r = 0;

	set(w, schemas, 2, levels, 2);
	for (size_t i = 0; i < SEATS; i++)
		assert_int_equal(enter(w, &run[i], "a", people, "", 1, &err), 0);
	while (waiting < 64 && (r = enter(w, &wait[waiting], "a", people, "", 1, &err)) == 1)
		waiting++;
	assert_int_equal(r, -ERR_QUOTA);
	assert_non_null(strstr(err.msg, "queue-full"));
	assert_int_equal(waiting, 32); /* a hand of four queues of eight */
	fairness_leave(&wait[3].seat); /* its client went */
	while (wait[31].state == 0)
		assert_true(loop_step(w->loop, -1, &err) >= 0);
	for (size_t i = 0; i < waiting; i++)
		assert_int_equal(wait[i].state, i == 3 ? 0 : 2);
	for (size_t i = 0; i < SEATS; i++)
		fairness_leave(&run[i].seat);
}

static void seats_are_lent_and_kept(void **state)
{
	static const char *const two[] = {
		LEVEL("lender", "Limited",
		      "\"limited\":{\"nominalConcurrencyShares\":6,\"lendablePercent\":50,"
		      "\"limitResponse\":{\"type\":\"Reject\"}}"),
		LEVEL("borrower", "Limited",
		      "\"limited\":{\"nominalConcurrencyShares\":4,"
		      "\"limitResponse\":{\"type\":\"Reject\"}}"),
		LEVEL("catch-all", "Limited",
		      "\"limited\":{\"nominalConcurrencyShares\":0,"
		      "\"limitResponse\":{\"type\":\"Reject\"}}"),
	};
	static const char *const by[] = {
		FLOW("a", "lender", "1", "ByUser",
		     "{\"subjects\":[{\"kind\":\"User\",\"user\":{\"name\":\"len\"}}]"
		     "," ANY_RESOURCE "}"),
		FLOW("b", "borrower", "2", "ByUser", "{" GROUP("*") "," ANY_RESOURCE "}"),
	};
	struct world_of *w = aim(state);
	struct one b[SEATS] = { 0 }, l[SEATS] = { 0 };
	struct err err = ERR_INIT;
	size_t n = 0, m = 0;

	set(w, by, 2, two, 3);
	while (enter(w, &b[n], "bo", people, "", 1, &err) == 0)
		n++;
	assert_int_equal(n, 7); /* four of its own, three of the six are lent */
	while (enter(w, &l[m], "len", people, "", 1, &err) == 0)
		m++;
	assert_int_equal(m, 3);
	fairness_leave(&b[0].seat);
	assert_int_equal(enter(w, &l[m], "len", people, "", 1, &err), 0);
	m++;
	assert_int_equal(enter(w, &b[0], "bo", people, "", 1, &err), -ERR_QUOTA);
	for (size_t i = 1; i < n; i++)
		fairness_leave(&b[i].seat);
	for (size_t i = 0; i < m; i++)
		fairness_leave(&l[i].seat);
}

static void matched(struct world_of *w, struct strategy_user *u, struct fairness_about about,
		    const char *want)
{
	struct one o = { 0 };
	struct err err = ERR_INIT;

	about.user = u;
	o.seat.start = started;
	o.seat.refuse = refused;
	assert_int_equal(fairness_enter(w->f, &o.seat, &about, 1, &err), 0);
	assert_string_equal(o.seat.schema, want);
	fairness_leave(&o.seat);
}

static void schemas_match_by_user_verb_resource_namespace_and_path(void **state)
{
	static const char *const level[] = { LEVEL("one", "Exempt", "\"exempt\":{}") };
	static const char *const by[] = {
		FLOW("leases", "one", "1", "ByUser",
		     "{\"subjects\":[{\"kind\":\"ServiceAccount\",\"serviceAccount\":{"
		     "\"namespace\":"
		     "\"kube-system\",\"name\":\"*\"}}],\"resourceRules\":[{\"verbs\":[\"get\"],"
		     "\"apiGroups\":[\"coordination.k8s.io\"],\"resources\":[\"leases\"],"
		     "\"namespaces\":[\"kube-system\"]}]}"),
		FLOW("probes", "one", "2", "ByUser",
		     "{" GROUP("system:unauthenticated") ",\"nonResourceRules\":[{\"verbs\":["
							 "\"get\"],"
							 "\"nonResourceURLs\":[\"/healthz\",\"/"
							 "livez/*\"]}]}"),
		FLOW("status", "one", "3", "ByUser",
		     "{" GROUP("*") ",\"resourceRules\":[{\"verbs\":[\"*\"],\"apiGroups\":[\"\"],"
				    "\"resources\":[\"nodes/status\"],\"clusterScope\":true}]}"),
		FLOW("rest", "one", "9", "ByUser",
		     "{" GROUP("*") "," ANY_RESOURCE ",\"nonResourceRules\":[{"
				    "\"verbs\":[\"*\"],\"nonResourceURLs\":[\"*\"]}]}"),
	};
	static const char *const none[] = { "system:unauthenticated", NULL };
	struct world_of *w = aim(state);
	struct strategy_user sa = { .name = "system:serviceaccount:kube-system:x",
				    .uid = "",
				    .groups = people },
			     anon = { .name = "system:anonymous", .uid = "", .groups = none };
	struct fairness_about lease = { .verb = "get",
					.is_resource = true,
					.group = "coordination.k8s.io",
					.resource = "leases",
					.subresource = "",
					.namespace_ = "kube-system",
					.path = "" },
			      node = { .verb = "patch",
				       .is_resource = true,
				       .group = "",
				       .resource = "nodes",
				       .subresource = "status",
				       .namespace_ = "",
				       .path = "" },
			      path = { .verb = "get",
				       .group = "",
				       .resource = "",
				       .subresource = "",
				       .namespace_ = "",
				       .path = "/livez/ping" };

	set(w, by, 4, level, 1);
	matched(w, &sa, lease, "leases");
	lease.namespace_ = "default";
	matched(w, &sa, lease, "rest");
	lease.namespace_ = "kube-system";
	sa.name = "system:serviceaccount:kube-systemx:x";
	matched(w, &sa, lease, "rest");
	matched(w, &sa, node, "status");
	node.subresource = "";
	matched(w, &sa, node, "rest");
	matched(w, &anon, path, "probes");
	path.path = "/livez";
	matched(w, &anon, path, "rest");
	path.path = "/healthz";
	matched(w, &anon, path, "probes");
	path.verb = "post";
	matched(w, &anon, path, "rest");
}

static void objects_change_under_requests(void **state)
{
	struct world_of *w = aim(state);
	struct one run[SEATS] = { 0 }, wait = { 0 };
	struct buf out = BUF_INIT(65536);
	struct err err = ERR_INIT;

	set(w, schemas, 2, levels, 2);
	for (size_t i = 0; i < SEATS; i++)
		assert_int_equal(enter(w, &run[i], "a", people, "", 1, &err), 0);
	assert_int_equal(enter(w, &wait, "a", people, "", 1, &err), 1);
	set(w, NULL, 0, NULL, 0);
	set(w, schemas, 2, levels, 2);
	assert_string_equal(run[0].seat.schema, "workers"); /* names of what is gone live on */
	for (size_t i = 0; i < SEATS; i++)
		fairness_leave(&run[i].seat);
	turn(w);
	assert_int_equal(wait.state, 1);
	fairness_leave(&wait.seat);
	assert_int_equal(fairness_dump(w->f, &out), 0);
	assert_non_null(strstr(buf_str(&out), "work, 10, 0, 0, 0, 0, 0\n"));
	buf_clear(&out);
	assert_int_equal(metrics_write(w->metrics, METRICS_TEXT, &out, &err), 0);
	assert_non_null(
		strstr(buf_str(&out),
		       "apiserver_flowcontrol_dispatched_requests_total{priority_level=\"work\","
		       "flow_schema=\"workers\"} 11"));
	buf_fini(&out);
}

static void lists_cost_by_their_length(void **state)
{
	(void)state;
	assert_int_equal(fairness_list_cost(0), 1);
	assert_int_equal(fairness_list_cost(100), 1);
	assert_int_equal(fairness_list_cost(101), 2);
	assert_int_equal(fairness_list_cost(100000), 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			without_objects_masters_are_exempt_and_others_are_few, begin, end),
		cmocka_unit_test_setup_teardown(one_users_flood_does_not_hold_up_another, begin,
						end),
		cmocka_unit_test_setup_teardown(a_full_queue_and_a_long_wait_are_refused, begin,
						end),
		cmocka_unit_test_setup_teardown(seats_are_lent_and_kept, begin, end),
		cmocka_unit_test_setup_teardown(
			schemas_match_by_user_verb_resource_namespace_and_path, begin, end),
		cmocka_unit_test_setup_teardown(objects_change_under_requests, begin, end),
		cmocka_unit_test(lists_cost_by_their_length),
	};

	return cmocka_run_group_tests_name("fairness", tests, NULL, NULL);
}
