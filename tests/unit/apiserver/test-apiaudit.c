/* SPDX-License-Identifier: Apache-2.0 */
/* The audit log: what a policy keeps, how lines look, the file's rotation, policies that are wrong.
 */
#include "../doc/doc-check.h"

#include "apiserver/auth/apiaudit.h"
#include "base/fd.h"
#include "base/loop.h"
#include "doc/json.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
	char dir[64], policy[96], log[96];
	struct loop *loop;
	struct apiaudit *l;
	struct arena *a;
};

static int begin(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	struct err err = ERR_INIT;

	assert_non_null(p);
	(void)snprintf(p->dir, sizeof(p->dir), "/tmp/teu-audit-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	(void)snprintf(p->policy, sizeof(p->policy), "%s/policy.yaml", p->dir);
	(void)snprintf(p->log, sizeof(p->log), "%s/audit.log", p->dir);
	assert_int_equal(loop_new(&p->loop, &err), 0);
	p->a = arena_new("test", 1u << 20);
	*state = p;
	return 0;
}

static int end(void **state)
{
	struct place *p = *state;

	apiaudit_free(p->l);
	loop_free(p->loop);
	arena_free(p->a);
	assert_int_equal(fd_remove_tree(AT_FDCWD, p->dir, NULL), 0);
	free(p);
	return 0;
}

static int with(struct place *p, const char *policy, uint64_t bytes, unsigned backups,
		struct err *err)
{
	assert_int_equal(fd_replace_file(AT_FDCWD, p->policy, policy, strlen(policy), 0600, err),
			 0);
	return apiaudit_new(&(struct apiaudit_conf){ .loop = p->loop,
						     .policy_file = p->policy,
						     .path = p->log,
						     .bytes_max = bytes,
						     .backups = backups },
			    &p->l, err);
}

#define HEAD "apiVersion: audit.k8s.io/v1\nkind: Policy\n"

static const char *const groups[] = { "dev", "system:authenticated", NULL };
static const struct strategy_user jo = { .name = "jo", .uid = "7", .groups = groups };

static struct apiaudit_about about_pod(void)
{
	return (struct apiaudit_about){
		.id = "00000000-0000-4000-8000-000000000001",
		.uri = SLICE("/api/v1/namespaces/n/pods/p?x=\"<"),
		.verb = "update",
		.user = &jo,
		.source = "192.0.2.7",
		.user_agent = SLICE("kubectl/v1"),
		.is_resource = true,
		.group = "",
		.version = "v1",
		.resource = "pods",
		.subresource = "",
		.namespace_ = "n",
		.name = "p",
		.path = "/api/v1/namespaces/n/pods/p",
		.received = 1700000000123456789,
		.decision = "allow",
		.why = "",
		.code = 200,
	};
}

static const char *lines(struct place *p)
{
	struct buf b = BUF_INIT(1u << 20);
	struct err err = ERR_INIT;
	char *text;

	apiaudit_flush(p->l);
	assert_int_equal(fd_read_file(AT_FDCWD, p->log, &b, &err), 0);
	text = arena_strdup(p->a, buf_str(&b));
	buf_fini(&b);
	return text;
}

static void a_line_says_who_what_when_and_how_it_ended(void **state)
{
	static const char text[] =
		"{\"metadata\":{\"name\":\"p\",\"managedFields\":[{}]},\"spec\":{}}";
	struct place *p = *state;
	struct apiaudit_about r = about_pod();
	struct apiaudit_verdict v;
	struct err err = ERR_INIT;
	struct doc *obj, *line;
	const char *got;

	assert_int_equal(with(p, HEAD "omitManagedFields: true\nrules:\n- level: RequestResponse\n",
			      0, 0, &err),
			 0);
	assert_int_equal(json_read(p->a, SLICE(text), NULL, &obj, &err), 0);
	v = apiaudit_judge(p->l, &r);
	assert_int_equal(v.level, APIAUDIT_RESPONSE);
	apiaudit_add(p->l, &v, APIAUDIT_RECEIVED, &r);
	r.request = r.response = obj;
	apiaudit_add(p->l, &v, APIAUDIT_COMPLETE, &r);
	got = strchr(lines(p), '\n');
	assert_non_null(got);
	got++;
	assert_int_equal(json_read(p->a, slice_str(got), &(struct json_options){ 0 }, &line, &err),
			 0);
	assert_true(doc_str_is(doc_get(line, "level"), "RequestResponse"));
	assert_true(doc_str_is(doc_get(line, "stage"), "ResponseComplete"));
	assert_true(doc_str_is(doc_get(line, "requestURI"), "/api/v1/namespaces/n/pods/p?x=\"<"));
	assert_true(doc_str_is(doc_find(line, "user.groups.1"), "system:authenticated"));
	assert_true(doc_str_is(doc_find(line, "objectRef.namespace"), "n"));
	assert_null(doc_find(line, "objectRef.subresource"));
	assert_true(doc_str_is(doc_find(line, "sourceIPs.0"), "192.0.2.7"));
	assert_true(doc_str_is(doc_get(line, "requestReceivedTimestamp"),
			       "2023-11-14T22:13:20.123456Z"));
	assert_non_null(doc_find(line, "requestObject.spec"));
	assert_null(doc_find(line, "responseObject.metadata.managedFields"));
	assert_non_null(doc_find(obj, "metadata.managedFields")); /* it is not ours to change */
	assert_non_null(strstr(got, "\"authorization.k8s.io/decision\":\"allow\""));
	assert_non_null(strstr(got, "\"code\":200"));
}

static enum apiaudit_level level_of(struct place *p, struct apiaudit_about r)
{
	return apiaudit_judge(p->l, &r).level;
}

static void the_first_rule_that_matches_counts(void **state)
{
	static const char policy[] = HEAD
		"omitStages: [RequestReceived]\n"
		"rules:\n"
		"- level: None\n  users: [\"system:kube-proxy\"]\n  verbs: [watch]\n"
		"- level: Request\n  resources: [{group: \"\", resources: [\"pods/*\"]}]\n"
		"- level: Metadata\n  resources: [{group: \"\", resources: [pods], resourceNames: "
		"[p]}]\n"
		"  namespaces: [\"n\"]\n  omitStages: [Panic]\n"
		"- level: None\n  userGroups: [dev]\n  nonResourceURLs: [\"/healthz*\", /version]\n"
		"- level: RequestResponse\n  resources: [{group: apps}]\n";
	struct place *p = *state;
	struct apiaudit_about r = about_pod(),
			      url = { .user = &jo, .verb = "get", .path = "/healthz/x" };
	struct err err = ERR_INIT;

	assert_int_equal(with(p, policy, 0, 0, &err), 0);
	assert_int_equal(level_of(p, r), APIAUDIT_METADATA);
	assert_int_equal(apiaudit_judge(p->l, &r).omit,
			 1u << APIAUDIT_RECEIVED | 1u << APIAUDIT_PANIC);
	r.subresource = "log";
	assert_int_equal(level_of(p, r), APIAUDIT_REQUEST);
	r.subresource = "";
	r.name = "q";
	assert_int_equal(level_of(p, r), APIAUDIT_NONE);
	r.name = "p";
	r.namespace_ = "m";
	assert_int_equal(level_of(p, r), APIAUDIT_NONE);
	r.group = "apps";
	assert_int_equal(level_of(p, r), APIAUDIT_RESPONSE);
	assert_int_equal(level_of(p, url), APIAUDIT_NONE);
	url.path = "/metrics";
	assert_int_equal(level_of(p, url), APIAUDIT_NONE); /* no rule at all */
	assert_int_equal(apiaudit_judge(NULL, &r).level, APIAUDIT_NONE);
}

static void stages_that_are_omitted_make_no_line(void **state)
{
	struct place *p = *state;
	struct apiaudit_about r = about_pod();
	struct apiaudit_verdict v;
	struct err err = ERR_INIT;

	assert_int_equal(with(p, HEAD "rules: [{level: Metadata, omitStages: [RequestReceived]}]\n",
			      0, 0, &err),
			 0);
	v = apiaudit_judge(p->l, &r);
	apiaudit_add(p->l, &v, APIAUDIT_RECEIVED, &r);
	r.request = doc_new_object(p->a);
	apiaudit_add(p->l, &v, APIAUDIT_STARTED, &r);
	assert_non_null(strstr(lines(p), "\"stage\":\"ResponseStarted\""));
	assert_null(strstr(lines(p), "RequestReceived\""));
	assert_null(strstr(lines(p), "requestObject")); /* not at this level */
}

static unsigned count_files(const char *dir, bool *ret_plain)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	unsigned n = 0;

	assert_non_null(d);
	while ((e = readdir(d))) {
		n += strncmp(e->d_name, "audit-", 6) == 0;
		*ret_plain = *ret_plain || strcmp(e->d_name, "audit.log") == 0;
	}
	(void)closedir(d);
	return n;
}

static void a_large_file_is_renamed_and_old_ones_go(void **state)
{
	struct place *p = *state;
	struct apiaudit_about r = about_pod();
	struct apiaudit_verdict v;
	struct err err = ERR_INIT;
	bool plain = false;

	assert_int_equal(with(p, HEAD "rules: [{level: Metadata}]\n", 1000, 3, &err), 0);
	v = apiaudit_judge(p->l, &r);
	for (int i = 0; i < 40; i++) {
		apiaudit_add(p->l, &v, APIAUDIT_COMPLETE, &r);
		apiaudit_flush(p->l);
	}
	assert_in_range(count_files(p->dir, &plain), 1, 3);
	assert_true(plain);
	assert_int_equal(apiaudit_dropped(p->l), 0);
}

static void what_cannot_be_written_is_counted(void **state)
{
	struct place *p = *state;
	struct apiaudit_about r = about_pod();
	struct apiaudit_verdict v;
	struct err err = ERR_INIT;

	(void)snprintf(p->log, sizeof(p->log), "/dev/full");
	assert_int_equal(with(p, HEAD "rules: [{level: Metadata}]\n", 0, 0, &err), 0);
	v = apiaudit_judge(p->l, &r);
	apiaudit_add(p->l, &v, APIAUDIT_COMPLETE, &r);
	apiaudit_add(p->l, &v, APIAUDIT_COMPLETE, &r);
	apiaudit_flush(p->l);
	assert_int_equal(apiaudit_dropped(p->l), 2);
}

static void policies_that_are_wrong_are_refused(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "{}", "not a Policy" },
		{ "kind: Policy\napiVersion: audit.k8s.io/v1beta1\nrules: [{level: None}]\n",
		  "not a Policy" },
		{ HEAD, "rules: none" },
		{ HEAD "rules: [{level: All}]\n", "rules[0].level" },
		{ HEAD "rules: [{level: None}, {levels: None}]\n",
		  "rules[1]: unknown field \"levels\"" },
		{ HEAD "rules: [{level: None, omitStages: [End]}]\n", "rules[0].omitStages" },
		{ HEAD "omitStages: [x]\nrules: [{level: None}]\n", "policy.omitStages" },
		{ HEAD "rules: [{level: None, nonResourceURLs: [\"/a*b\"]}]\n", "at its end only" },
		{ HEAD "rules: [{level: None, nonResourceURLs: [a]}]\n", "begins with \"/\"" },
		{ HEAD "rules: [{level: None, nonResourceURLs: [/a], namespaces: [n]}]\n",
		  "not both" },
		{ HEAD "rules: [{level: None, resources: [{group: \"\", resourceNames: [a]}]}]\n",
		  "resourceNames need" },
		{ HEAD "rules: [1]\n", "an object is expected" },
		{ "[", "audit policy" },
	};
	struct place *p = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err err = ERR_INIT;

		assert_true(with(p, rows[i].text, 0, 0, &err) < 0);
		if (!strstr(err.msg, rows[i].want))
			fail_msg("%s: got '%s'", rows[i].want, err.msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_line_says_who_what_when_and_how_it_ended, begin,
						end),
		cmocka_unit_test_setup_teardown(the_first_rule_that_matches_counts, begin, end),
		cmocka_unit_test_setup_teardown(stages_that_are_omitted_make_no_line, begin, end),
		cmocka_unit_test_setup_teardown(a_large_file_is_renamed_and_old_ones_go, begin,
						end),
		cmocka_unit_test_setup_teardown(what_cannot_be_written_is_counted, begin, end),
		cmocka_unit_test_setup_teardown(policies_that_are_wrong_are_refused, begin, end),
	};

	return cmocka_run_group_tests_name("apiaudit", tests, NULL, NULL);
}
