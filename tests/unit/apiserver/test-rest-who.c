/* SPDX-License-Identifier: Apache-2.0 */
/* Who a request is done for: acting as others, by the rights that roles give. */
#include "rest-fix.h"

#include "apiserver/auth/account.h"
#include "apiserver/auth/apiaudit.h"
#include "apiserver/auth/authz.h"
#include "apiserver/auth/rbac.h"
#include "base/hash.h"

#define ROLES "/apis/rbac.authorization.k8s.io/v1/clusterroles"
#define BINDINGS "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
#define WHO "/apis/authentication.k8s.io/v1/selfsubjectreviews"
#define WHOAMI "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"SelfSubjectReview\"}"

struct rights {
	struct rbac *rbac;
	struct authz z;
};

#define SUBJECT(kind, name) \
	"{\"kind\":\"" kind "\",\"name\":\"" name "\",\"apiGroup\":\"rbac.authorization.k8s.io\"}"

/* A ClusterRole of that name, and who is bound to it. */
static void give(struct rfix *x, const char *name, const char *rules, const char *subjects)
{
	char body[2048];

	snprintf(body, sizeof(body),
		 "{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"ClusterRole\","
		 "\"metadata\":{\"name\":\"%s\"},\"rules\":[%s]}",
		 name, rules);
	(void)post(x, ROLES, body);
	assert_code(x, 201);
	snprintf(body, sizeof(body),
		 "{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"ClusterRoleBinding\","
		 "\"metadata\":{\"name\":\"%s\"},\"roleRef\":{\"apiGroup\":\"rbac.authorization."
		 "k8s.io\",\"kind\":\"ClusterRole\",\"name\":\"%s\"},\"subjects\":[%s]}",
		 name, name, subjects);
	(void)post(x, BINDINGS, body);
	assert_code(x, 201);
}

/* The server opened again with RBAC; `plain` holds what `rules` say, everybody may ask who they
 * are. */
static void rights_begin(struct rfix *x, struct rights *g, const char *rules)
{
	struct err err = ERR_INIT;

	rest_close(x);
	g->rbac = rbac_new();
	g->z = (struct authz){ .rbac = g->rbac };
	x->conf.authz = &g->z;
	rest_open(x);
	assert_int_equal(rbac_follow(g->rbac, x->rs, &err), 0);
	give(x, "self",
	     "{\"apiGroups\":[\"authentication.k8s.io\"],\"resources\":[\"selfsubjectreviews\"],"
	     "\"verbs\":[\"create\"]}",
	     SUBJECT("Group", "system:authenticated") "," SUBJECT("Group",
								  "system:unauthenticated"));
	give(x, "plain", rules, SUBJECT("User", "plain"));
}

static void rights_end(struct rfix *x, struct rights *g)
{
	rbac_free(g->rbac);
	rest_close(x);
	x->conf.authz = NULL;
	rest_open(x);
}

/* Who one is with these headers: the answer's userInfo as JSON. */
static void is_who(struct rfix *x, const char *headers, const char *want)
{
	struct buf text = BUF_INIT(65536);
	const struct doc *d;

	(void)ask(x, "POST", WHO, headers, WHOAMI);
	assert_code(x, 201);
	d = doc_find(answer_doc(x), "status.userInfo");
	assert_int_equal(json_write(d, NULL, &text, NULL), 0);
	assert_string_equal(buf_str(&text), want);
	buf_fini(&text);
}

static void masters_act_as_anybody(void **state)
{
	struct rfix *x = *state;

	is_who(x, ADMIN JSON "Impersonate-User: jo\r\n",
	       "{\"username\":\"jo\",\"groups\":[\"system:authenticated\"]}");
	is_who(x,
	       ADMIN JSON "impersonate-user: jo\r\nImpersonate-Group: a\r\nImpersonate-Group: b\r\n"
			  "Impersonate-Uid: 7\r\nImpersonate-Extra-Dn: x\r\nImpersonate-Extra-"
			  "Acme.com%2FProject: p\r\nImpersonate-Extra-dn: y\r\nImpersonate-Extra-"
			  "50%: z\r\n",
	       "{\"username\":\"jo\",\"uid\":\"7\",\"groups\":[\"a\",\"b\",\"system:authenticated\""
	       "],\"extra\":{\"dn\":[\"x\",\"y\"],\"acme.com/project\":[\"p\"],\"50%\":[\"z\"]}}");
	is_who(x, ADMIN JSON "Impersonate-User: system:serviceaccount:n1:bot\r\n",
	       "{\"username\":\"system:serviceaccount:n1:bot\",\"groups\":[\"system:serviceaccounts"
	       "\",\"system:serviceaccounts:n1\",\"system:authenticated\"]}");
	is_who(x,
	       ADMIN JSON "Impersonate-User: system:serviceaccount:n1:bot\r\n"
			  "Impersonate-Group: other\r\n",
	       "{\"username\":\"system:serviceaccount:n1:bot\",\"groups\":[\"other\","
	       "\"system:authenticated\"]}");
	/* the admin is no longer one */
	(void)ask(x, "GET", "/api/v1/namespaces", ADMIN "Impersonate-User: jo\r\n", NULL);
	assert_status(x, 403, "Forbidden", "User \"jo\" cannot list resource \"namespaces\"");
	(void)ask(x, "GET", "/api/v1/namespaces",
		  ADMIN "Impersonate-User: jo\r\nImpersonate-Group: system:masters\r\n", NULL);
	assert_code(x, 200);
}

static void anonymous_ones_are_acted_as(void **state)
{
	struct rfix *x = *state;
	struct rights g;

	rights_begin(x, &g, "");
	is_who(x,
	       ADMIN JSON "Impersonate-User: jo\r\nImpersonate-Group: system:unauthenticated\r\n",
	       "{\"username\":\"jo\",\"groups\":[\"system:unauthenticated\"]}");
	is_who(x, ADMIN JSON "Impersonate-User: system:anonymous\r\n",
	       "{\"username\":\"system:anonymous\",\"groups\":[\"system:unauthenticated\"]}");
	rights_end(x, &g);
}

static void what_is_of_nobody_is_a_bad_request(void **state)
{
	static const char *const heads[] = {
		ADMIN "Impersonate-Group: system:masters\r\n",
		ADMIN "Impersonate-Uid: 1\r\n",
		ADMIN "Impersonate-Extra-a: b\r\n",
		ADMIN "Impersonate-User: \r\nImpersonate-Group: a\r\n",
	};
	struct rfix *x = *state;

	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		(void)ask(x, "GET", "/api/v1/namespaces", heads[i], NULL);
		assert_status(x, 400, "BadRequest", "without impersonating a user");
	}
	(void)ask(x, "GET", "/api/v1/namespaces", ADMIN "Impersonate-User: \r\n", NULL);
	assert_code(x, 200);
}

#define RULE(groups, resources, names)                                                  \
	"{\"apiGroups\":[\"" groups "\"],\"resources\":[\"" resources "\"],\"verbs\":[" \
	"\"impersonate\"]" names "}"
#define ONLY(name) ",\"resourceNames\":[\"" name "\"]"

static void refused(struct rfix *x, const char *headers, const char *why)
{
	(void)ask(x, "POST", WHO, headers, WHOAMI);
	assert_status(x, 403, "Forbidden", why);
}

static void each_thing_must_be_allowed(void **state)
{
	static const char *const too_much[] = {
		PLAIN JSON "Impersonate-User: al\r\n",
		PLAIN JSON "Impersonate-User: jo\r\nImpersonate-Group: system:masters\r\n",
		PLAIN JSON "Impersonate-User: jo\r\nImpersonate-Group: ops\r\n"
			   "Impersonate-Group: system:masters\r\n",
		PLAIN JSON "Impersonate-User: jo\r\nImpersonate-Uid: 8\r\n",
		PLAIN JSON "Impersonate-User: jo\r\nImpersonate-Extra-scope: all\r\n",
		PLAIN JSON "Impersonate-User: jo\r\nImpersonate-Extra-other: view\r\n",
		/* no valid accounts: users of that name */
		PLAIN JSON "Impersonate-User: system:serviceaccount:n1:Bot\r\n",
		PLAIN JSON "Impersonate-User: system:serviceaccount:n1:a:b\r\n",
	};
	struct rfix *x = *state;
	struct rights g;

	rights_begin(x, &g,
		     RULE("", "users", ONLY("jo")) "," RULE("", "groups", ONLY("ops")) "," RULE(
			     "", "serviceaccounts",
			     "") "," RULE("authentication.k8s.io", "userextras/scope",
					  ONLY("view")) "," RULE("authentication.k8s.io", "uids",
								 ONLY("7")));
	is_who(x,
	       PLAIN JSON "Impersonate-User: jo\r\nImpersonate-Group: ops\r\nImpersonate-Uid: 7\r\n"
			  "Impersonate-Extra-Scope: view\r\n",
	       "{\"username\":\"jo\",\"uid\":\"7\",\"groups\":[\"ops\",\"system:authenticated\"],"
	       "\"extra\":{\"scope\":[\"view\"]}}");
	is_who(x, PLAIN JSON "Impersonate-User: system:serviceaccount:n1:bot\r\n",
	       "{\"username\":\"system:serviceaccount:n1:bot\",\"groups\":[\"system:serviceaccounts"
	       "\",\"system:serviceaccounts:n1\",\"system:authenticated\"]}");
	for (size_t i = 0; i < ARRAY_LEN(too_much); i++)
		refused(x, too_much[i],
			"selfsubjectreviews.authentication.k8s.io is forbidden: User \"plain\" "
			"cannot "
			"impersonate-on:user-info:create resource \"selfsubjectreviews\" in API "
			"group "
			"\"authentication.k8s.io\" at the cluster scope");
	/* nobody at all */
	refused(x, JSON "Impersonate-User: jo\r\n",
		"User \"system:anonymous\" cannot impersonate-on:user-info:create resource");
	rights_end(x, &g);
}

static void rights_on_accounts_are_those_of_their_namespace(void **state)
{
	struct rfix *x = *state;
	struct rights g;

	rights_begin(x, &g, "");
	(void)post(x, "/apis/rbac.authorization.k8s.io/v1/namespaces/n1/roles",
		   "{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"Role\",\"metadata\""
		   ":{\"name\":\"r\"},\"rules\":[" RULE("", "serviceaccounts", "") "]}");
	assert_code(x, 201);
	(void)post(x, "/apis/rbac.authorization.k8s.io/v1/namespaces/n1/rolebindings",
		   "{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"RoleBinding\","
		   "\"metadata\":{\"name\":\"b\"},\"roleRef\":{\"apiGroup\":\""
		   "rbac.authorization.k8s.io\",\"kind\":\"Role\",\"name\":\"r\"},\"subjects\":[{"
		   "\"kind\":\"User\",\"name\":\"plain\",\"apiGroup\":\"rbac.authorization.k8s.io\""
		   "}]}");
	assert_code(x, 201);
	(void)ask(x, "POST", WHO, PLAIN JSON "Impersonate-User: system:serviceaccount:n1:bot\r\n",
		  WHOAMI);
	assert_code(x, 201);
	refused(x, PLAIN JSON "Impersonate-User: system:serviceaccount:kube-system:bot\r\n",
		"User \"plain\" cannot impersonate-on:serviceaccount:create resource ");
	rights_end(x, &g);
}

#define AS(mode, resource, names)                                               \
	"{\"apiGroups\":[\"authentication.k8s.io\"],\"resources\":[\"" resource \
	"\"],\"verbs\":[\"impersonate:" mode "\"]" names "},"
#define ON(mode)                                                                            \
	"{\"apiGroups\":[\"authentication.k8s.io\"],\"resources\":[\"selfsubjectreviews\"]" \
	",\"verbs\":[\"impersonate-on:" mode ":create\"]}"
#define SOME_GROUPS ",\"resourceNames\":[\"ops\",\"system:masters\",\"\"]"

static const char as_users[] = AS("user-info", "users", ONLY("jo"));
static const char as_groups[] = AS("user-info", "groups", SOME_GROUPS);
static const char as_extra[] = AS("user-info", "userextras/acme.com/a", "");
static const char as_nodes[] = AS("arbitrary-node", "nodes", ONLY("w1"));
static const char as_accounts[] = AS("serviceaccount", "serviceaccounts", ONLY("bot"));
static const char to_do[] = ON("user-info") "," ON("arbitrary-node") "," ON("serviceaccount");

static void who_may_be_acted_as_may_be_constrained(void **state)
{
	static const struct {
		const char *headers, *want; /* a part of the answer, or of the refusal */
		bool allowed;
	} rows[] = {
		{ "Impersonate-User: jo\r\n", "\"username\":\"jo\"", true },
		{ "Impersonate-User: jo\r\nImpersonate-Group: ops\r\n", "\"ops\"", true },
		{ "Impersonate-User: jo\r\nImpersonate-Extra-acme.com%2fa: b\r\n", "acme.com/a",
		  true },
		{ "Impersonate-User: jo\r\nImpersonate-Group: dev\r\n",
		  "groups.authentication.k8s.io \"dev\" is forbidden", false },
		{ "Impersonate-User: jo\r\nImpersonate-Group: system:masters\r\n",
		  "impersonating the system:masters group is not allowed", false },
		{ "Impersonate-User: jo\r\nImpersonate-Group: \r\n",
		  "impersonating the empty string group is not allowed", false },
		{ "Impersonate-User: jo\r\nImpersonate-Extra-a: b\r\n",
		  "impersonating an invalid key in extra is not allowed", false },
		{ "Impersonate-User: jo\r\nImpersonate-Extra-acme.com%2fa: \r\n",
		  "impersonating the empty string value in extra", false },
		{ "Impersonate-User: jo\r\nImpersonate-Uid: 7\r\n",
		  "cannot impersonate:user-info resource \"uids\"", false },
		{ "Impersonate-User: al\r\n",
		  "users.authentication.k8s.io \"al\" is forbidden: User \"plain\" cannot "
		  "impersonate:user-info resource \"users\"",
		  false },
		{ "Impersonate-User: system:node:w1\r\n",
		  "\"groups\":[\"system:nodes\",\"system:authenticated\"]", true },
		{ "Impersonate-User: system:node:w2\r\n", "impersonate:arbitrary-node resource",
		  false },
		/* not by name alone: it is no other user either */
		{ "Impersonate-User: system:node:w1\r\nImpersonate-Group: ops\r\n",
		  "cannot impersonate resource \"users\"", false },
		{ "Impersonate-User: system:serviceaccount:n1:bot\r\n",
		  "\"system:serviceaccounts:n1\"", true },
		{ "Impersonate-User: system:serviceaccount:n1:other\r\n",
		  "impersonate:serviceaccount resource \"serviceaccounts\"", false },
	};
	struct rfix *x = *state;
	struct rights g;
	char head[512], rules[4096];

	snprintf(rules, sizeof(rules), "%s%s%s%s%s%s", as_users, as_groups, as_extra, as_nodes,
		 as_accounts, to_do);
	rights_begin(x, &g, rules);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(head, sizeof(head), "%s%s", PLAIN JSON, rows[i].headers);
		(void)ask(x, "POST", WHO, head, WHOAMI);
		if (rows[i].allowed && (x->code != 201 || !strstr(buf_str(&x->body), rows[i].want)))
			fail_msg("%s: %d %s", rows[i].headers, x->code, buf_str(&x->body));
		else if (!rows[i].allowed)
			assert_status(x, 403, "Forbidden", rows[i].want);
	}
	/* as jo nothing else may be done, although jo may */
	(void)ask(x, "GET", "/version", PLAIN "Impersonate-User: jo\r\n", NULL);
	assert_status(x, 403, "Forbidden", "cannot impersonate-on:user-info:get path \"/version\"");
	rights_end(x, &g);
}

static void the_log_has_both(void **state)
{
	struct rfix *x = *state;
	char policy[96], log[96];
	struct apiaudit_conf conf = { .loop = x->f->loop, .policy_file = policy, .path = log };
	struct buf text = BUF_INIT(1u << 20);
	struct err err = ERR_INIT;
	int fd;

	snprintf(policy, sizeof(policy), "%s/policy.yaml", x->f->dir);
	snprintf(log, sizeof(log), "%s/audit.log", x->f->dir);
	fd = open(policy, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(dprintf(fd, "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: "
				"Metadata}]\n") > 0);
	fd_close(fd);
	rest_close(x);
	assert_int_equal(apiaudit_new(&conf, &x->conf.audit, &err), 0);
	rest_open(x);
	(void)ask(x, "GET", "/api/v1/namespaces", ADMIN "Impersonate-User: jo\r\n", NULL);
	apiaudit_flush(x->conf.audit);
	rest_close(x);
	apiaudit_free(x->conf.audit);
	x->conf.audit = NULL;
	rest_open(x);
	assert_int_equal(fd_read_file(AT_FDCWD, log, &text, &err), 0);
	assert_non_null(strstr(text.p, "\"user\":{\"username\":\"admin\""));
	assert_non_null(strstr(text.p, "\"impersonatedUser\":{\"username\":\"jo\",\"groups\":[\""
				       "system:authenticated\"]}"));
	buf_fini(&text);
}

/* ---- tokens of nodes that join ---- */

static void base64_member(struct buf *b, const char *key, const char *value)
{
	char text[512];

	base64_encode(text, value, strlen(value));
	(void)buf_addf(b, "%s\"%s\":\"%s\"", b->p[b->n - 1] == '{' ? "" : ",", key, text);
}

struct joining {
	const char *id, *secret, *end, *usage, *groups, *type;
};

static void make_joining(struct rfix *x, const struct joining *j)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(8192);

	(void)ask(x, "DELETE", "/api/v1/namespaces/kube-system/secrets/bootstrap-token-abcdef",
		  ADMIN, NULL);
	(void)buf_addf(&b,
		       "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"type\":\"%s\",\"metadata\":{"
		       "\"name\":\"bootstrap-token-abcdef\"},\"data\":{",
		       j->type ? j->type : "bootstrap.kubernetes.io/token");
	base64_member(&b, "token-id", j->id ? j->id : "abcdef");
	base64_member(&b, "token-secret", j->secret ? j->secret : "0123456789abcdef");
	if (j->end)
		base64_member(&b, "expiration", j->end);
	base64_member(&b, "usage-bootstrap-authentication", j->usage ? j->usage : "true");
	if (j->groups)
		base64_member(&b, "auth-extra-groups", j->groups);
	(void)buf_adds(&b, "}}");
	(void)post(x, "/api/v1/namespaces/kube-system/secrets", buf_str(&b));
	assert_code(x, 201);
}

static void nodes_join_by_the_tokens_of_secrets(void **state)
{
	static const struct {
		struct joining j;
		const char *token, *groups; /* NULL: nobody's */
	} rows[] = {
		{ { 0 }, "abcdef.0123456789abcdef", "\"system:bootstrappers\"" },
		{ { .end = "2999-01-01T00:00:00Z",
		    .groups = "system:bootstrappers:b,system:"
			      "bootstrappers:a:c" },
		  "abcdef.0123456789abcdef",
		  "\"system:bootstrappers\",\"system:bootstrappers:a:c\",\"system:bootstrappers:"
		  "b\"" },
		{ { 0 }, "abcdef.0123456789abcdee", NULL },
		{ { 0 }, "abcdeg.0123456789abcdef", NULL },
		{ { 0 }, "abcdef.0123456789abcdefg", NULL },
		{ { 0 }, "ABCDEF.0123456789abcdef", NULL },
		{ { .id = "other1" }, "abcdef.0123456789abcdef", NULL },
		{ { .end = "2020-01-01T00:00:00Z" }, "abcdef.0123456789abcdef", NULL },
		{ { .end = "soon-01-01T00:00:00Z" }, "abcdef.0123456789abcdef", NULL },
		{ { .usage = "yes" }, "abcdef.0123456789abcdef", NULL },
		{ { .groups = "system:masters" }, "abcdef.0123456789abcdef", NULL },
		{ { .groups = "system:bootstrappers:" }, "abcdef.0123456789abcdef", NULL },
		{ { .type = "Opaque" }, "abcdef.0123456789abcdef", NULL },
	};
	struct rfix *x = *state;
	struct rights g;
	char head[256], want[512];

	rights_begin(x, &g, "");
	make_namespace(x, "kube-system");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		make_joining(x, &rows[i].j);
		snprintf(head, sizeof(head), JSON "Authorization: Bearer %s\r\n", rows[i].token);
		if (!rows[i].groups) {
			(void)ask(x, "POST", WHO, head, WHOAMI);
			assert_status(x, 401, "Unauthorized", "Unauthorized");
			continue;
		}
		snprintf(want, sizeof(want),
			 "{\"username\":\"system:bootstrap:abcdef\",\"groups\":[%s,"
			 "\"system:authenticated\"]}",
			 rows[i].groups);
		is_who(x, head, want);
	}
	rights_end(x, &g);
}

static void names_of_accounts_are_told_from_others(void **state)
{
	static const struct {
		const char *user, *ns, *name;
	} rows[] = {
		{ "system:serviceaccount:a:b", "a", "b" },
		{ "system:serviceaccount:a-1:b.c-2", "a-1", "b.c-2" },
		{ "system:serviceaccount:a", NULL, NULL },
		{ "system:serviceaccount::b", NULL, NULL },
		{ "system:serviceaccount:a:", NULL, NULL },
		{ "system:serviceaccount:a:b:c", NULL, NULL },
		{ "system:serviceaccount:a.b:c", NULL, NULL },
		{ "system:serviceaccount:-a:c", NULL, NULL },
		{ "system:serviceaccount:a:c.", NULL, NULL },
		{ "system:serviceaccount:a:.c", NULL, NULL },
		{ "system:serviceaccount:a:c-.d", NULL, NULL },
		{ "system:serviceaccounts:a:b", NULL, NULL },
		{ "", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct slice ns = { 0 }, name = { 0 };
		bool is = account_split(slice_str(rows[i].user), &ns, &name);

		if (is != (rows[i].ns != NULL))
			fail_msg("'%s'", rows[i].user);
		if (is)
			assert_true(slice_is(ns, rows[i].ns) && slice_is(name, rows[i].name));
	}
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
		TEST(masters_act_as_anybody),
		TEST(anonymous_ones_are_acted_as),
		TEST(what_is_of_nobody_is_a_bad_request),
		TEST(each_thing_must_be_allowed),
		TEST(who_may_be_acted_as_may_be_constrained),
		TEST(rights_on_accounts_are_those_of_their_namespace),
		TEST(the_log_has_both),
		TEST(nodes_join_by_the_tokens_of_secrets),
		cmocka_unit_test(names_of_accounts_are_told_from_others),
	};

	return cmocka_run_group_tests_name("rest-who", tests, NULL, NULL);
}
