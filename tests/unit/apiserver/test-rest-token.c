/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of service accounts: asked for, believed, no longer believed, forged. */
#include "rest-fix.h"

#include "apiserver/admission/admission.h"
#include "apiserver/auth/apiaudit.h"
#include "apiserver/auth/authz.h"
#include "apiserver/auth/rbac.h"
#include "base/hash.h"
#include "crypto/jwt.h"
#include "crypto/key.h"

#define ISSUER "https://issuer.example"
#define ACCOUNTS "/api/v1/namespaces/n1/serviceaccounts"
#define PODS "/api/v1/namespaces/n1/pods"
#define SECRETS "/api/v1/namespaces/n1/secrets"
#define REVIEWS "/apis/authentication.k8s.io/v1/tokenreviews"

struct tfix {
	struct rfix *x;
	struct key *key;
	char kid[JWK_THUMBPRINT + 1];
};
static struct tfix fix;

/* JSON is easier to read with ' for ". */
static const char *quoted(const char *s)
{
	static char out[4][8192];
	static unsigned at;
	char *to = out[at++ % 4];

	assert_true(strlen(s) < sizeof(out[0]));
	strcpy(to, s);
	for (char *p = to; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	return to;
}

static struct account_tokens *make_tokens(struct key *k, const struct account_tokens_conf *conf)
{
	static const char *const issuers[] = { ISSUER, "https://old.example" };
	struct account_tokens_conf c = conf ? *conf : (struct account_tokens_conf){ 0 };
	struct account_tokens *t;
	struct err err = ERR_INIT;

	c.issuers = issuers;
	c.nissuers = 2;
	if (account_tokens_new(&c, &t, &err) < 0 || account_tokens_add_key(t, k, true, &err) < 0)
		fail_msg("%s", err.msg);
	return t;
}

static void reopen(struct rfix *x, const struct account_tokens_conf *conf)
{
	rest_close(x);
	account_tokens_free(x->accounts);
	x->accounts = make_tokens(fix.key, conf);
	rest_open(x);
}

static int begin(void **state)
{
	struct err err = ERR_INIT;
	struct rfix *x;

	assert_int_equal(rest_setup(state), 0);
	x = fix.x = *state;
	assert_int_equal(key_generate(KEY_P256, 0, &fix.key, &err), 0);
	reopen(x, NULL);
	make_namespace(x, "n1");
	(void)post(x, ACCOUNTS,
		   quoted("{'apiVersion':'v1','kind':'ServiceAccount','metadata':{'name':'bot'}}"));
	assert_code(x, 201);
	return 0;
}

static int end(void **state)
{
	struct rfix *x = *state;
	struct account_tokens *t = x->accounts;
	int r = rest_teardown(state);

	account_tokens_free(t);
	key_unref(fix.key);
	return r;
}

static void make_pod(struct rfix *x, const char *name, const char *account, const char *node)
{
	char body[1024];

	snprintf(body, sizeof(body),
		 "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'%s'},'spec':{"
		 "'serviceAccountName':'%s','nodeName':'%s','containers':[{'name':'c','image':'i'"
		 "}]}}",
		 name, account, node);
	(void)post(x, PODS, quoted(body));
	assert_code(x, 201);
}

/* A token by TokenRequest; spec in JSON with '. */
static const char *request(struct rfix *x, const char *spec)
{
	static char token[4][8192];
	static unsigned at;
	char *to = token[at++ % 4], body[2048];

	snprintf(body, sizeof(body),
		 "{'apiVersion':'authentication.k8s.io/v1','kind':'TokenRequest','spec':{%s}}",
		 spec);
	(void)post(x, ACCOUNTS "/bot/token", quoted(body));
	assert_code(x, 201);
	snprintf(to, 8192, "%s", answer_text(x, "status.token"));
	return to;
}

/* What the token says in its middle. */
static const char *claims_of(struct rfix *x, const char *token)
{
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT(65536);
	static char text[8192];
	struct jwt j;

	arena_reset(x->a);
	if (jwt_peek(slice_str(token), x->a, &j, &err) < 0)
		fail_msg("%s: %s", err.msg, token);
	assert_int_equal(json_write(j.claims, NULL, &out, NULL), 0);
	snprintf(text, sizeof(text), "%s", buf_str(&out));
	buf_fini(&out);
	return text;
}

static int as(struct rfix *x, const char *token, const char *path)
{
	char head[9000];

	snprintf(head, sizeof(head), "Authorization: Bearer %s\r\n", token);
	return ask(x, "GET", path, head, NULL);
}

static void is_known(struct rfix *x, const char *token)
{
	/* known, though it may do nothing */
	(void)as(x, token, "/api/v1/secrets");
	assert_status(x, 403, "Forbidden", "User \"system:serviceaccount:n1:bot\" cannot list");
}

static void is_unknown(struct rfix *x, const char *token)
{
	(void)as(x, token, "/api/v1/secrets");
	assert_status(x, 401, "Unauthorized", "Unauthorized");
}

/* TokenReview: "NAME audiences", or its error. */
static const char *review(struct rfix *x, const char *token, const char *audiences)
{
	static char out[2048];
	struct buf b = BUF_INIT(65536), list = BUF_INIT(4096);

	(void)buf_addf(&b,
		       "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenReview\","
		       "\"spec\":{\"token\":\"%s\",\"audiences\":%s}}",
		       token, quoted(audiences));
	(void)post(x, REVIEWS, buf_str(&b));
	assert_code(x, 201);
	if (doc_true(doc_find(answer_doc(x), "status.authenticated"))) {
		const struct doc *d = doc_find(answer_doc(x), "status.audiences");

		assert_int_equal(json_write(d, NULL, &list, NULL), 0);
		snprintf(out, sizeof(out), "%s %s", answer_text(x, "status.user.username"),
			 buf_str(&list));
	} else {
		snprintf(out, sizeof(out), "%s", answer_text(x, "status.error"));
	}
	buf_fini(&b);
	buf_fini(&list);
	return out;
}

#define BAD "[invalid bearer token, "
#define assert_why(got, want)                                                    \
	do {                                                                     \
		const char *got_ = (got);                                        \
		if (strncmp(got_, BAD, strlen(BAD)) != 0 || !strstr(got_, want)) \
			fail_msg("'%s', not '%s'", got_, want);                  \
	} while (0)

/* ---- asked for ---- */

static void a_token_says_whose_it_is_and_until_when(void **state)
{
	struct rfix *x = *state;
	const char *t = request(x, ""), *c;
	char uid[64];

	assert_string_equal(answer_text(x, "metadata.name"), "bot");
	assert_string_equal(answer_text(x, "metadata.namespace"), "n1");
	assert_string_equal(answer_text(x, "spec.expirationSeconds"), "3600");
	assert_string_equal(answer_text(x, "spec.audiences.0"), ISSUER);
	assert_non_null(strchr(answer_text(x, "status.expirationTimestamp"), 'Z'));
	get(x, ACCOUNTS "/bot");
	snprintf(uid, sizeof(uid), "%s", answer_text(x, "metadata.uid"));
	c = claims_of(x, t);
	assert_non_null(strstr(c, "{\"aud\":[\"" ISSUER "\",\"https://old.example\"],\"exp\":"));
	assert_non_null(strstr(c, "\"iss\":\"" ISSUER "\",\"jti\":\""));
	assert_non_null(strstr(c, "\"kubernetes.io\":{\"namespace\":\"n1\",\"serviceaccount\":{"
				  "\"name\":\"bot\",\"uid\":\""));
	assert_non_null(strstr(c, uid));
	assert_non_null(strstr(c, "\"sub\":\"system:serviceaccount:n1:bot\"}"));
	is_known(x, t);
	is_known(x, t);
	assert_int_equal(account_tokens_kept(x->accounts), 1);
	assert_string_equal(review(x, t, "[]"), "system:serviceaccount:n1:bot [\"" ISSUER
						"\",\"https://old.example\"]");
	assert_string_equal(answer_text(x, "status.user.uid"), uid);
	assert_string_equal(answer_text(x, "status.user.groups.0"), "system:serviceaccounts");
	assert_string_equal(answer_text(x, "status.user.groups.1"), "system:serviceaccounts:n1");
	assert_string_equal(answer_text(x, "status.user.groups.2"), "system:authenticated");
	assert_has(x, "\"authentication.kubernetes.io/credential-id\":[\"JTI=");
}

static void a_token_of_a_pod_tells_of_it_and_of_its_node(void **state)
{
	struct rfix *x = *state;
	const char *t;

	(void)post(x, "/api/v1/nodes",
		   quoted("{'apiVersion':'v1','kind':'Node','metadata':{'name':'w1'}}"));
	assert_code(x, 201);
	make_pod(x, "p", "bot", "w1");
	make_pod(x, "q", "bot", "gone");
	t = request(x, "'boundObjectRef':{'kind':'Pod','apiVersion':'v1','name':'p'}");
	(void)review(x, t, "[]");
	assert_has(x, "\"authentication.kubernetes.io/node-name\":[\"w1\"]");
	assert_has(x, "\"authentication.kubernetes.io/node-uid\":[\"");
	assert_has(x, "\"authentication.kubernetes.io/pod-name\":[\"p\"]");
	assert_has(x, "\"authentication.kubernetes.io/pod-uid\":[\"");
	t = request(x, "'boundObjectRef':{'kind':'Pod','apiVersion':'v1','name':'q'}");
	assert_non_null(strstr(claims_of(x, t), "\"node\":{\"name\":\"gone\"}"));
	(void)review(x, t, "[]");
	assert_has(x, "\"authentication.kubernetes.io/node-name\":[\"gone\"]");
	assert_hasnt(x, "node-uid");
}

static void what_a_request_may_not_say_is_refused(void **state)
{
	static const struct {
		const char *account, *body;
		int code;
		const char *reason, *part;
	} rows[] = {
		{ "nobody", "", 404, "NotFound", "serviceaccounts \"nobody\" not found" },
		{ "bot", "'spec':{'expirationSeconds':599}", 422, "Invalid",
		  "may not specify a duration less than 10 minutes" },
		{ "bot", "'spec':{'expirationSeconds':4294967297}", 422, "Invalid",
		  "larger than 2^32 seconds" },
		{ "bot", "'metadata':{'name':'other'}", 422, "Invalid",
		  "must match the service account name if specified" },
		{ "bot", "'metadata':{'namespace':'other'}", 422, "Invalid",
		  "must match the service account namespace if specified" },
		{ "bot", "'spec':{'boundObjectRef':{'kind':'Pod','apiVersion':'v1','name':'x'}}",
		  404, "NotFound", "pods \"x\" not found" },
		{ "bot", "'spec':{'boundObjectRef':{'kind':'Pod','apiVersion':'v1','name':'p'}}",
		  400, "BadRequest", "running with different serviceaccount name" },
		{ "bot",
		  "'spec':{'boundObjectRef':{'kind':'Pod','apiVersion':'v1','name':'mine','uid':"
		  "'0'}}",
		  409, "Conflict", "the UID in the bound object reference (0) does not match" },
		{ "bot",
		  "'spec':{'boundObjectRef':{'kind':'ConfigMap','apiVersion':'v1','name':'x'}}",
		  400, "BadRequest", "cannot bind token to object of type v1, Kind=ConfigMap" },
		{ "bot", "'spec':{'boundObjectRef':{'kind':'Secret','apiVersion':'v1','name':'x'}}",
		  404, "NotFound", "secrets \"x\" not found" },
		{ "bot", "'spec':{'boundObjectRef':{'kind':'Node','apiVersion':'v1','name':'x'}}",
		  404, "NotFound", "nodes \"x\" not found" },
	};
	struct rfix *x = *state;
	char path[128], body[1024];

	make_pod(x, "p", "default", "");
	make_pod(x, "mine", "bot", "");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(path, sizeof(path), ACCOUNTS "/%s/token", rows[i].account);
		snprintf(body, sizeof(body),
			 "{'apiVersion':'authentication.k8s.io/v1','kind':'TokenRequest'%s%s}",
			 *rows[i].body ? "," : "", rows[i].body);
		(void)post(x, path, quoted(body));
		assert_status(x, rows[i].code, rows[i].reason, rows[i].part);
	}
	(void)ask(x, "POST", ACCOUNTS "/bot/token", PLAIN JSON, "{}");
	assert_status(x, 403, "Forbidden", "cannot create resource \"serviceaccounts/token\"");
	get(x, ACCOUNTS "/bot/token");
	assert_code(x, 405);
}

static void long_lives_are_cut_and_those_of_pods_extended(void **state)
{
	const struct account_tokens_conf conf = { .life_max = 7200, .extend = true };
	struct rfix *x = *state;
	const char *c;

	reopen(x, &conf);
	(void)request(x, "'expirationSeconds':90000");
	assert_string_equal(answer_text(x, "spec.expirationSeconds"), "7200");
	assert_non_null(strstr(header_of(x, "Warning"),
			       "requested expiration of 90000 seconds shortened to 7200 seconds"));
	make_pod(x, "p", "bot", "");
	c = claims_of(x, request(x, "'expirationSeconds':3607,'boundObjectRef':{'kind':'Pod',"
				    "'apiVersion':'v1','name':'p'}"));
	assert_non_null(strstr(c, "\"warnafter\":"));
	c = claims_of(x, request(x, "'expirationSeconds':3607,'audiences':['vault'],"
				    "'boundObjectRef':{'kind':'Pod','apiVersion':'v1','name':'p'"
				    "}"));
	assert_null(strstr(c, "warnafter"));
	c = claims_of(x, request(x, "'expirationSeconds':3607"));
	assert_null(strstr(c, "warnafter"));
}

/* ---- no longer believed ---- */

static void deletion(struct rfix *x, const char *path)
{
	(void)ask(x, "DELETE", path, ADMIN, NULL);
	assert_code(x, 200);
}

static void a_deleted_account_has_no_tokens_nor_has_its_namesake(void **state)
{
	struct rfix *x = *state;
	const char *t = request(x, "");

	is_known(x, t);
	deletion(x, ACCOUNTS "/bot");
	is_unknown(x, t);
	assert_why(review(x, t, "[]"), "serviceaccounts \"bot\" not found");
	(void)post(x, ACCOUNTS,
		   quoted("{'apiVersion':'v1','kind':'ServiceAccount','metadata':{'name':'bot'}}"));
	is_unknown(x, t);
	assert_why(review(x, t, "[]"), "does not match claim");
	is_known(x, request(x, ""));
}

static void a_token_ends_with_what_it_is_bound_to(void **state)
{
	static const char secret[] = "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'s'}}";
	struct rfix *x = *state;
	const char *pod, *of_secret, *node;

	make_pod(x, "p", "bot", "");
	(void)post(x, SECRETS, quoted(secret));
	(void)post(x, "/api/v1/nodes",
		   quoted("{'apiVersion':'v1','kind':'Node','metadata':{'name':'w1'}}"));
	pod = request(x, "'boundObjectRef':{'kind':'Pod','apiVersion':'v1','name':'p'}");
	of_secret = request(x, "'boundObjectRef':{'kind':'Secret','apiVersion':'v1','name':'s'}");
	node = request(x, "'boundObjectRef':{'kind':'Node','apiVersion':'v1','name':'w1'}");
	is_known(x, pod);
	is_known(x, of_secret);
	is_known(x, node);
	deletion(x, PODS "/p?gracePeriodSeconds=0");
	deletion(x, SECRETS "/s");
	deletion(x, "/api/v1/nodes/w1");
	is_unknown(x, pod);
	is_unknown(x, of_secret);
	is_unknown(x, node);
	assert_why(review(x, pod, "[]"), "service account token has been invalidated");
	make_pod(x, "p", "bot", "");
	(void)post(x, SECRETS, quoted(secret));
	is_unknown(x, pod);
	assert_why(review(x, pod, "[]"), "pod UID (");
	assert_why(review(x, of_secret, "[]"), "secret UID (");
	is_known(x, request(x, ""));
}

static void changes_of_what_it_is_bound_to_leave_it_good(void **state)
{
	struct rfix *x = *state;
	const char *t = request(x, "");

	for (int i = 0; i < 3; i++) {
		char body[128];

		snprintf(body, sizeof(body), "{\"metadata\":{\"labels\":{\"a\":\"%d\"}}}", i);
		(void)ask(x, "PATCH", ACCOUNTS "/bot",
			  ADMIN "Content-Type: application/merge-patch+json\r\n", body);
		assert_code(x, 200);
		is_known(x, t);
	}
	assert_int_equal(account_tokens_kept(x->accounts), 1);
}

static void time_is_looked_at_each_time(void **state)
{
	struct rfix *x = *state;
	const char *t = request(x, "'expirationSeconds':600");
	const int64_t now = clock_real() / NS_PER_SEC;
	struct authn_found found;
	struct err err = ERR_INIT;
	static const struct {
		int64_t at;
		int r;
		const char *why;
	} rows[] = {
		{ 0, 1, "" },
		{ 655, 1, "" }, /* clocks differ */
		{ 665, -ERR_UNAUTHORIZED, "service account token has expired" },
		{ -70, -ERR_UNAUTHORIZED, "service account token is not valid yet" },
		{ 0, 1, "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		err = ERR_INIT;
		assert_int_equal(account_tokens_check(x->accounts, slice_str(t), NULL,
						      now + rows[i].at, x->a, &found, &err),
				 rows[i].r);
		assert_string_equal(err.msg, rows[i].why);
	}
	/* the same of one that was never good */
	reopen(x, NULL);
	err = ERR_INIT;
	assert_int_equal(account_tokens_check(x->accounts, slice_str(t), NULL, now + 665, x->a,
					      &found, &err),
			 -ERR_UNAUTHORIZED);
	assert_string_equal(err.msg, "service account token has expired");
}

/* ---- for whom ---- */

static void a_token_is_for_its_audiences_only(void **state)
{
	struct rfix *x = *state;
	const char *own = request(x, ""), *far = request(x, "'audiences':['vault','bank']");

	is_unknown(x, far);
	assert_why(review(x, far, "[]"),
		   "token audiences [\"vault\" \"bank\"] is invalid for the target audiences "
		   "[\"" ISSUER "\" \"https://old.example\"]");
	assert_string_equal(review(x, far, "['bank','other']"),
			    "system:serviceaccount:n1:bot [\"bank\"]");
	assert_why(review(x, far, "['other']"), "is invalid for the target audiences");
	assert_why(review(x, own, "['bank']"), "is invalid for the target audiences");
	/* tokens that name none are this server's */
	assert_string_equal(review(x, "plain-token", "['" ISSUER "']"), "plain [\"" ISSUER "\"]");
	assert_string_equal(review(x, "plain-token", "['bank']"), "[invalid bearer token]");
	assert_string_equal(review(x, "a.b.c", "[]"), "[invalid bearer token]");
}

/* ---- forged ---- */

static const char *forge(struct rfix *x, struct jwks *keys, const char *kid, const char *claims)
{
	static char out[8192];
	struct buf b = BUF_INIT(8192);
	struct err err = ERR_INIT;
	struct doc *d;

	assert_int_equal(json_read(x->a, slice_str(claims), NULL, &d, &err), 0);
	if (jwt_sign(keys, kid, NULL, d, &b, &err) < 0)
		fail_msg("%s", err.msg);
	snprintf(out, sizeof(out), "%s", buf_str(&b));
	buf_fini(&b);
	return out;
}

static void base64url(struct buf *out, const char *text)
{
	char b64[4096];

	base64_encode(b64, text, strlen(text));
	for (char *p = b64; *p && *p != '='; p++)
		(void)buf_addc(out, *p == '+' ? '-' : *p == '/' ? '_' : *p);
}

static void forged_tokens_are_nobodys(void **state)
{
	struct rfix *x = *state;
	const char *good = request(x, "");
	char claims[2048], kid[64], text[9000];
	CLEANUP(key_unref) struct key *other = NULL;
	CLEANUP(jwks_free) struct jwks *theirs = jwks_new();
	CLEANUP(buf_fini) struct buf pem = BUF_INIT(65536);
	struct buf none = BUF_INIT(16384);
	struct err err = ERR_INIT;
	struct jwt j;

	assert_int_equal(jwt_peek(slice_str(good), x->a, &j, &err), 0);
	snprintf(kid, sizeof(kid), "%s", j.kid);
	snprintf(claims, sizeof(claims), "%s", claims_of(x, good));
	assert_int_equal(key_generate(KEY_P256, 0, &other, &err), 0);

	/* another key under the name of ours, under a name of its own */
	assert_int_equal(jwks_add(theirs, other, kid, NULL, &err), 0);
	assert_int_equal(jwks_add(theirs, other, "mine", NULL, &err), 0);
	is_unknown(x, forge(x, theirs, kid, claims));
	assert_why(review(x, forge(x, theirs, kid, claims), "[]"), "its signature is wrong");
	assert_why(review(x, forge(x, theirs, "mine", claims), "[]"), "is not known here");

	/* HMAC with the public key as its secret */
	assert_int_equal(key_write_pem(fix.key, KEY_PUBLIC, &pem, &err), 0);
	assert_true(jwks_remove(theirs, kid));
	assert_int_equal(jwks_add_secret(theirs, buf_slice(&pem), kid, "HS256", &err), 0);
	assert_why(review(x, forge(x, theirs, kid, claims), "[]"),
		   "its scheme is not the one of its key");

	/* not signed at all */
	base64url(&none, "{\"alg\":\"none\"}");
	(void)buf_addc(&none, '.');
	base64url(&none, claims);
	(void)buf_addc(&none, '.');
	is_unknown(x, buf_str(&none));
	buf_fini(&none);

	/* a bit of the middle changed: the digest is another one */
	snprintf(text, sizeof(text), "%s", good);
	strchr(text, '.')[20] ^= 1;
	is_unknown(x, text);
	snprintf(text, sizeof(text), "%s", good);
	text[strlen(text) - 10] = text[strlen(text) - 10] == 'A' ? 'B' : 'A';
	is_unknown(x, text);
	assert_int_equal(account_tokens_kept(x->accounts), 0);
	is_known(x, good);
}

/* Signed by our own key, yet not what we make. */
static void what_our_key_signs_elsewhere_is_not_taken(void **state)
{
	static const struct {
		const char *claims, *why;
	} rows[] = {
		{ "{'iss':'https://evil.example','sub':'system:serviceaccount:n1:bot','exp':"
		  "99999999999}",
		  NULL },
		{ "{'iss':'" ISSUER "','sub':'system:serviceaccount:n1:bot'}", "it has no end" },
		{ "{'iss':'" ISSUER "','sub':'system:serviceaccount:n1:bot','exp':99999999999}",
		  "names no service account" },
		{ "{'iss':'" ISSUER "','sub':'system:serviceaccount:kube-system:bot','exp':"
		  "99999999999,'kubernetes.io':{'namespace':'n1','serviceaccount':{'name':'bot',"
		  "'uid':'1'}}}",
		  "sub claim is invalid" },
		{ "{'iss':'" ISSUER "','sub':'system:serviceaccount:n1:bot','exp':99999999999,"
		  "'kubernetes.io':{'namespace':'n1','serviceaccount':{'name':'bot','uid':'1'}}}",
		  "does not match claim (1)" },
		{ "{'iss':'" ISSUER "','sub':'system:serviceaccount:n1:bot','exp':99999999999,"
		  "'kubernetes.io':{'namespace':'n1','pod':{},'serviceaccount':{'name':'bot','uid':"
		  "'1'}}}",
		  "bound to nothing in particular" },
		{ "{'iss':'kubernetes/serviceaccount','sub':'system:serviceaccount:n1:bot'}",
		  "secretName claim is missing" },
		{ "{'iss':'kubernetes/serviceaccount','sub':'system:serviceaccount:n1:bot',"
		  "'kubernetes.io/serviceaccount/namespace':'n1',"
		  "'kubernetes.io/serviceaccount/secret.name':'s',"
		  "'kubernetes.io/serviceaccount/service-account.name':'bot',"
		  "'kubernetes.io/serviceaccount/service-account.uid':'1'}",
		  "does not match claim" },
	};
	struct rfix *x = *state;
	CLEANUP(jwks_free) struct jwks *ours = jwks_new();
	struct err err = ERR_INIT;
	struct jwt j;
	char kid[64];

	assert_int_equal(jwt_peek(slice_str(request(x, "")), x->a, &j, &err), 0);
	snprintf(kid, sizeof(kid), "%s", j.kid);
	assert_int_equal(jwks_add(ours, fix.key, kid, NULL, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *t = forge(x, ours, kid, quoted(rows[i].claims));

		is_unknown(x, t);
		if (rows[i].why)
			assert_why(review(x, t, "[]"), rows[i].why);
		else
			assert_string_equal(review(x, t, "[]"), "[invalid bearer token]");
	}
}

/* ---- of Secrets ---- */

/* A Secret as a controller fills it. */
static const char *fill_secret(struct rfix *x, const char *more)
{
	static char token[8192];
	char uid[64], b64[8192], *body = malloc(20000);
	struct account_claim bot = { "bot", uid };
	struct buf t = BUF_INIT(8192);
	struct err err = ERR_INIT;

	get(x, ACCOUNTS "/bot");
	snprintf(uid, sizeof(uid), "%s", answer_text(x, "metadata.uid"));
	if (account_tokens_sign_secret(x->accounts, "n1", &bot, "s", x->a, &t, &err) < 0)
		fail_msg("%s", err.msg);
	snprintf(token, sizeof(token), "%s", buf_str(&t));
	buf_fini(&t);
	base64_encode(b64, token, strlen(token));
	snprintf(body, 20000,
		 "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"type\":\"kubernetes.io/service-"
		 "account-token\",\"metadata\":{\"name\":\"s\",\"annotations\":{\"kubernetes.io/"
		 "service-account.name\":\"bot\"}%s},\"data\":{\"token\":\"%s\"}}",
		 more, b64);
	(void)post(x, SECRETS, body);
	assert_code(x, 201);
	free(body);
	return token;
}

static void count_use(void *arg, struct slice secret)
{
	assert_true(slice_is(secret, "n1/s"));
	++*(int *)arg;
}

static void a_token_of_a_secret_is_good_while_it_holds_it(void **state)
{
	struct rfix *x = *state;
	int used = 0;
	const char *t = fill_secret(x, "");

	account_tokens_set_used(x->accounts, count_use, &used);
	is_known(x, t);
	is_known(x, t);
	assert_int_equal(used, 1); /* today */
	assert_null(header_of(x, "Warning"));
	/* named by its account: made by itself, as it once was */
	(void)ask(x, "PATCH", ACCOUNTS "/bot",
		  ADMIN "Content-Type: application/merge-patch+json\r\n",
		  "{\"secrets\":[{\"name\":\"s\"}]}");
	(void)ask(x, "PATCH", SECRETS "/s", ADMIN "Content-Type: application/merge-patch+json\r\n",
		  "{\"metadata\":{\"labels\":{\"a\":\"b\"}}}");
	assert_code(x, 200);
	is_known(x, t);
	assert_non_null(strstr(header_of(x, "Warning"), "made by itself"));
	(void)ask(x, "PATCH", SECRETS "/s", ADMIN "Content-Type: application/merge-patch+json\r\n",
		  "{\"data\":{\"token\":\"b3RoZXI=\"}}");
	is_unknown(x, t);
	assert_why(review(x, t, "[]"), "token does not match server's copy");
	deletion(x, SECRETS "/s");
	is_unknown(x, t);
	assert_why(review(x, t, "[]"), "has been invalidated");
	t = fill_secret(x, ",\"labels\":{\"kubernetes.io/legacy-token-invalid-since\":\"2026-01-"
			   "01\"}");
	is_unknown(x, t);
	assert_why(review(x, t, "[]"), "has been marked invalid");
	account_tokens_set_used(x->accounts, NULL, NULL);
}

/* ---- keys ---- */

static void keys_are_read_and_rotated(void **state)
{
	struct rfix *x = *state;
	const char *old = request(x, "");
	CLEANUP(key_unref) struct key *rsa = NULL;
	CLEANUP(key_unref) struct key *ed = NULL;
	CLEANUP(buf_fini) struct buf pem = BUF_INIT(65536);
	struct key *mine = fix.key;
	struct err err = ERR_INIT;

	assert_int_equal(key_generate(KEY_RSA, 2048, &rsa, &err), 0);
	assert_int_equal(key_generate(KEY_ED25519, 0, &ed, &err), 0);
	fix.key = rsa;
	reopen(x, NULL);
	is_unknown(x, old);
	is_known(x, request(x, ""));
	/* both in one file, with words between */
	assert_int_equal(key_write_pem(rsa, KEY_PUBLIC, &pem, &err), 0);
	(void)buf_adds(&pem, "the old one:\n");
	assert_int_equal(key_write_pem(mine, KEY_PRIVATE_PKCS8, &pem, &err), 0);
	assert_int_equal(account_tokens_read_keys(x->accounts, buf_slice(&pem), &err), 0);
	is_known(x, old);
	(void)get(x, "/openid/v1/jwks");
	assert_string_equal(header_of(x, "Content-Type"), "application/jwk-set+json");
	assert_has(x, "\"alg\":\"RS256\"");
	assert_has(x, "\"alg\":\"ES256\"");
	assert_hasnt(x, "\"d\":");
	assert_int_equal(doc_len(doc_get(answer_doc(x), "keys")), 2);
	assert_int_equal(account_tokens_read_keys(x->accounts, SLICE("nothing"), &err),
			 -ERR_INVALID);
	assert_int_equal(account_tokens_add_key(x->accounts, ed, false, &err), -ERR_UNSUPPORTED);
	fix.key = mine;
}

static void discovery_tells_issuer_and_keys(void **state)
{
	struct rfix *x = *state;

	(void)get(x, "/.well-known/openid-configuration");
	assert_code(x, 200);
	assert_string_equal(header_of(x, "Content-Type"), "application/json");
	assert_string_equal(buf_str(&x->body),
			    "{\"issuer\":\"" ISSUER "\",\"jwks_uri\":\"https://127.0.0.1:6443/"
			    "openid/v1/jwks\",\"response_types_supported\":[\"id_token\"],"
			    "\"subject_types_supported\":[\"public\"],"
			    "\"id_token_signing_alg_values_supported\":[\"ES256\"]}");
	(void)ask(x, "GET", "/.well-known/openid-configuration", PLAIN, NULL);
	assert_code(x, 403);
}

static void the_log_tells_of_tokens_but_not_them(void **state)
{
	struct rfix *x = *state;
	char policy[96], log[96];
	struct apiaudit_conf conf = { .loop = x->f->loop, .policy_file = policy, .path = log };
	struct buf text = BUF_INIT(1u << 20);
	struct err err = ERR_INIT;
	const char *t;
	int fd;

	snprintf(policy, sizeof(policy), "%s/policy.yaml", x->f->dir);
	snprintf(log, sizeof(log), "%s/audit.log", x->f->dir);
	fd = open(policy, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(dprintf(fd, "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: "
				"Metadata}]\n") > 0);
	fd_close(fd);
	assert_int_equal(apiaudit_new(&conf, &x->conf.audit, &err), 0);
	reopen(x, NULL);
	t = request(x, "");
	is_known(x, t);
	t = fill_secret(x, "");
	is_known(x, t);
	apiaudit_flush(x->conf.audit);
	rest_close(x);
	apiaudit_free(x->conf.audit);
	x->conf.audit = NULL;
	rest_open(x);
	assert_int_equal(fd_read_file(AT_FDCWD, log, &text, &err), 0);
	assert_non_null(strstr(text.p, "\"authentication.kubernetes.io/issued-credential-id\":"
				       "\"JTI="));
	assert_non_null(strstr(text.p, "\"authentication.k8s.io/legacy-token\":"));
	assert_non_null(
		strstr(text.p, "\"authentication.k8s.io/legacy-token-manual-secret\":\"s\""));
	assert_non_null(strstr(text.p, "\"authentication.kubernetes.io/credential-id\":[\"JTI="));
	assert_null(strstr(text.p, strrchr(t, '.')));
	buf_fini(&text);
}

/* ---- speed ---- */

static void a_known_token_and_many_roles_take_microseconds(void **state)
{
	enum { ROLES = 5000, TURNS = 20000 };
	struct rfix *x = *state;
	const char *t = request(x, "");
	CLEANUP(arena_free) struct arena *a = arena_new("speed", 16u << 20);
	CLEANUP(rbac_free) struct rbac *r = rbac_new();
	struct authz z = { .rbac = r };
	struct err err = ERR_INIT;
	struct doc *d;
	int64_t from, took;
	char text[512];

	for (int i = 0; i < ROLES; i++) {
		snprintf(text, sizeof(text),
			 "{'kind':'ClusterRole','metadata':{'name':'r%d'},'rules':[{'apiGroups':["
			 "''],'resources':['pods'],'verbs':['get','list'],'resourceNames':['p%d']}"
			 "]}",
			 i, i);
		assert_int_equal(json_read(a, slice_str(quoted(text)),
					   &(struct json_options){ .copy = true }, &d, &err),
				 0);
		assert_int_equal(rbac_set_role(r, d, &err), 0);
		snprintf(text, sizeof(text),
			 "{'kind':'ClusterRoleBinding','metadata':{'name':'b%d'},'roleRef':{'kind':"
			 "'ClusterRole','name':'r%d'},'subjects':[{'kind':'ServiceAccount','name':"
			 "'bot','namespace':'n%d'}]}",
			 i, i, i);
		assert_int_equal(json_read(a, slice_str(quoted(text)),
					   &(struct json_options){ .copy = true }, &d, &err),
				 0);
		assert_int_equal(rbac_set_binding(r, d, &err), 0);
		arena_reset(a);
	}
	is_known(x, t);
	from = clock_mono();
	for (int i = 0; i < TURNS; i++) {
		struct authn_found found;
		struct authz_attrs at = { .user = &found.user,
					  .verb = "get",
					  .resource_request = true,
					  .group = "",
					  .version = "v1",
					  .resource = "pods",
					  .sub = "",
					  .name = "p1",
					  .ns = "n1",
					  .path = "" };

		assert_int_equal(authn_token(x->authn, &(struct authn_ask){ .token = slice_str(t) },
					     a, &found, &err),
				 1);
		assert_true(authz_allowed(&z, &at, NULL));
		arena_reset(a);
	}
	took = (clock_mono() - from) / TURNS;
	print_message("token and RBAC: %lld ns\n", (long long)took);
#if !defined(__SANITIZE_ADDRESS__)
	assert_true(took < 50000); /* the machine may be busy; 5 us is what is wanted */
#endif
}

/* Policies are asked, of serviceaccounts/token: to change it, and whether it may be. */
static void policies_judge_and_change_requests(void **state)
{
	static const char policy[] = "{'apiVersion':'admissionregistration.k8s.io/"
				     "v1','kind':'%sAdmissionPolicy','metadata':"
				     "{'name':'p'},'spec':{'matchConstraints':{'resourceRules':[{'"
				     "operations':['CREATE'],"
				     "'apiGroups':[''],'apiVersions':['v1'],'resources':['"
				     "serviceaccounts/token']}]},%s}}";
	static const char binding[] =
		"{'apiVersion':'admissionregistration.k8s.io/v1','kind':'%sAdmissionPolicyBinding',"
		"'metadata':{'name':'b'},'spec':{'policyName':'p'%s}}";
	static const struct {
		const char *kind, *path, *spec, *more;
	} rows[] = {
		{ "Mutating", "mutating",
		  "'reinvocationPolicy':'Never','mutations':[{'patchType':'ApplyConfiguration',"
		  "'applyConfiguration':{'expression':'Object{spec: Object.spec{expirationSeconds: "
		  "object.spec.expirationSeconds > 7200 ? 7200 : "
		  "object.spec.expirationSeconds}}'}}]",
		  "" },
		{ "Validating", "validating",
		  "'validations':[{'expression':'object.spec.expirationSeconds != 7000 && "
		  "object.kind == object.kind && request.subResource.size() == 5','message':'no'}]",
		  ",'validationActions':['Deny']" },
	};
	struct rfix *x = *state;
	struct admission *ad = NULL;
	struct err err = ERR_INIT;
	char body[2048], path[128];

	assert_int_equal(admission_new(&(struct admission_flags){ 0 }, &ad, &err), 0);
	x->conf.admission = ad;
	reopen(x, NULL);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(path, sizeof(path),
			 "/apis/admissionregistration.k8s.io/v1/%sadmissionpolicies", rows[i].path);
		snprintf(body, sizeof(body), policy, rows[i].kind, rows[i].spec);
		(void)post(x, path, quoted(body));
		assert_code(x, 201);
		snprintf(path, sizeof(path),
			 "/apis/admissionregistration.k8s.io/v1/%sadmissionpolicybindings",
			 rows[i].path);
		snprintf(body, sizeof(body), binding, rows[i].kind, rows[i].more);
		(void)post(x, path, quoted(body));
		assert_code(x, 201);
	}
	(void)request(x, "'expirationSeconds':86400");
	assert_string_equal(answer_text(x, "spec.expirationSeconds"), "7200");
	(void)request(x, "'expirationSeconds':3600");
	assert_string_equal(answer_text(x, "spec.expirationSeconds"), "3600");
	(void)post(x, ACCOUNTS "/bot/token",
		   quoted("{'apiVersion':'authentication.k8s.io/v1','kind':'TokenRequest','spec':"
			  "{'expirationSeconds':7000}}"));
	assert_status(x, 422, "Invalid",
		      "serviceaccounts \"bot\" is forbidden: ValidatingAdmissionPolicy 'p' with "
		      "binding 'b' denied request: no");
	x->conf.admission = NULL;
	reopen(x, NULL);
	admission_free(ad);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_token_says_whose_it_is_and_until_when),
		TEST(a_token_of_a_pod_tells_of_it_and_of_its_node),
		TEST(what_a_request_may_not_say_is_refused),
		TEST(long_lives_are_cut_and_those_of_pods_extended),
		TEST(a_deleted_account_has_no_tokens_nor_has_its_namesake),
		TEST(a_token_ends_with_what_it_is_bound_to),
		TEST(changes_of_what_it_is_bound_to_leave_it_good),
		TEST(time_is_looked_at_each_time),
		TEST(a_token_is_for_its_audiences_only),
		TEST(forged_tokens_are_nobodys),
		TEST(what_our_key_signs_elsewhere_is_not_taken),
		TEST(a_token_of_a_secret_is_good_while_it_holds_it),
		TEST(keys_are_read_and_rotated),
		TEST(discovery_tells_issuer_and_keys),
		TEST(the_log_tells_of_tokens_but_not_them),
		TEST(policies_judge_and_change_requests),
		TEST(a_known_token_and_many_roles_take_microseconds),
	};

	return cmocka_run_group_tests_name("rest-token", tests, NULL, NULL);
}
