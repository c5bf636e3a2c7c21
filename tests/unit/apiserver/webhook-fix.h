/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole server with admission plugins (rest-fix.h) in a network namespace of its own, and a
 * webhook in this process: TLS at 10.9.8.7, for hook.n1.svc. What it answers is the path's to say;
 * see hook_serve. Texts of objects have ' for ".
 */
#pragma once

#include "admission-fix.h"
#include "connect-fix.h"

#include "base/hash.h"

#define MAPS "/api/v1/namespaces/n1/configmaps"
#define GROUPS "/apis/admissionregistration.k8s.io/v1"
#define VALIDATING GROUPS "/validatingwebhookconfigurations"
#define MUTATING GROUPS "/mutatingwebhookconfigurations"
#define ASKED_MAX 64

struct wfix {
	struct rfix *x;
	struct http_server *srv;
	unsigned port;
	char ca[4096]; /* base64 of PEM */
	/* What came, in order. */
	size_t nasked;
	char path[ASKED_MAX][64];
	struct buf body;   /* of the last */
	char token[64];	   /* Authorization, of the last */
	const char *patch; /* of /patch: JSON, with ' for " */
	unsigned held;	   /* of /slow: asked and never answered */
	bool slow_closed;
	/* Of paths that begin with /convert. */
	void (*convert)(struct stream *s, const char *path, struct slice body);
};
static struct wfix *the_hook;

/* ---- the webhook ---- */

struct hook_asked {
	struct stream *s;
	char path[64];
};

static inline void hook_reply(struct stream *s, const char *kind, const char *uid,
			      const char *response)
{
	struct buf b = BUF_INIT(1u << 20);

	(void)buf_addf(&b,
		       "{\"kind\":\"%s\",\"apiVersion\":\"admission.k8s.io/v1\",\"response\":"
		       "{\"uid\":\"%s\"%s%s}}",
		       kind, uid, *response ? "," : "", quoted(response));
	(void)stream_reply(s, 200, "application/json", b.p, b.n);
	buf_fini(&b);
}

static inline void hook_patch(struct stream *s, const char *uid, const char *patch)
{
	char text[4096], coded[8192], response[9000];

	assert_true(str_copy(text, sizeof(text), quoted(patch)));
	base64_encode(coded, text, strlen(text));
	snprintf(response, sizeof(response), "'allowed':true,'patchType':'JSONPatch','patch':'%s'",
		 coded);
	hook_reply(s, "AdmissionReview", uid, response);
}

static inline void hook_huge(struct stream *s)
{
	size_t n = 20u << 20;
	char *p = malloc(n);

	assert_non_null(p);
	memset(p, ' ', n);
	(void)stream_reply(s, 200, "application/json", p, n);
	free(p);
}

static void hook_slow_closed(struct stream *s, const struct err *why)
{
	(void)s;
	(void)why;
	the_hook->slow_closed = true;
}
static void hook_slow_cancel(struct stream *s)
{
	(void)s;
	the_hook->slow_closed = true;
}
static const struct stream_events hook_slow_events = { .closed = hook_slow_closed,
						       .cancel = hook_slow_cancel };

static void hook_answer(struct stream *s, void *arg, int result, struct slice body, struct err *err)
{
	static const char mark[] = "\"uid\":\"";
	struct hook_asked *h = arg;
	struct wfix *f = the_hook;
	char uid[64] = "";
	const char *at;

	if (result < 0)
		return;
	(void)err;
	buf_clear(&f->body);
	(void)buf_add(&f->body, body.p, body.n);
	at = strstr(buf_str(&f->body), mark);
	if (at)
		snprintf(uid, sizeof(uid), "%.36s", at + sizeof(mark) - 1);
	snprintf(f->path[f->nasked++ % ASKED_MAX], sizeof(f->path[0]), "%s", h->path);
	if (strncmp(h->path, "/convert", 8) == 0)
		f->convert(s, h->path, body);
	else if (strncmp(h->path, "/allow", 6) == 0)
		hook_reply(s, "AdmissionReview", uid, "'allowed':true");
	else if (strcmp(h->path, "/deny") == 0)
		hook_reply(s, "AdmissionReview", uid,
			   "'allowed':false,'status':{'code':422,'reason':'Invalid','message':'no "
			   "such thing','status':'Success'}");
	else if (strcmp(h->path, "/deny-plain") == 0)
		hook_reply(s, "AdmissionReview", uid, "'allowed':false");
	else if (strcmp(h->path, "/deny-odd") == 0)
		hook_reply(s, "AdmissionReview", uid,
			   "'allowed':false,'status':{'code':99999,'reason':'Because'}");
	else if (strncmp(h->path, "/patch", 6) == 0)
		hook_patch(s, uid, f->patch);
	else if (strcmp(h->path, "/tell") == 0)
		hook_reply(s, "AdmissionReview", uid,
			   "'allowed':true,'warnings':['be careful'],'auditAnnotations':{'k':'v'}");
	else if (strcmp(h->path, "/lie-uid") == 0)
		hook_reply(s, "AdmissionReview", "another", "'allowed':true");
	else if (strcmp(h->path, "/lie-kind") == 0)
		hook_reply(s, "ConversionReview", uid, "'allowed':true");
	else if (strcmp(h->path, "/lie-type") == 0)
		hook_reply(s, "AdmissionReview", uid, "'allowed':'true'");
	else if (strcmp(h->path, "/lie-patch") == 0)
		hook_reply(s, "AdmissionReview", uid,
			   "'allowed':true,'patchType':'MergePatch','patch':'e30='");
	else if (strcmp(h->path, "/nothing") == 0)
		(void)stream_replyf(s, 200, "application/json", "{}");
	else if (strcmp(h->path, "/garbage") == 0)
		(void)stream_replyf(s, 200, "application/json", "<html>");
	else if (strcmp(h->path, "/huge") == 0)
		hook_huge(s);
	else if (strcmp(h->path, "/redirect") == 0) {
		(void)stream_set_header(s, "Location", "/allow");
		(void)stream_reply(s, 302, NULL, "", 0);
	} else if (strcmp(h->path, "/slow") == 0) {
		f->held++;
		stream_on(s, &hook_slow_events, NULL);
	} else {
		(void)stream_reply(s, 500, "text/plain", "oh", 2);
	}
}

static void hook_serve(struct stream *s, void *arg)
{
	struct hook_asked *h = ARENA_NEW(stream_arena(s), struct hook_asked);

	(void)arg;
	assert_non_null(h);
	assert_string_equal(stream_request(s)->method, "POST");
	h->s = s;
	snprintf(h->path, sizeof(h->path), "%s", stream_request(s)->path);
	snprintf(the_hook->token, sizeof(the_hook->token), "%.*s",
		 (int)stream_header(s, "Authorization").n, stream_header(s, "Authorization").p);
	stream_collect(s, 16u << 20, hook_answer, h);
}

static inline struct tls_conf *hook_tls(const struct signer *ca, const char *const *names, size_t n)
{
	struct cert_spec spec = { .names = { .cn = "hook", .dns = { names, n } },
				  .not_before = clock_real() / NS_PER_SEC - 60,
				  .not_after = clock_real() / NS_PER_SEC + 3600,
				  .path_len = -1 };
	static const char *const ips[] = { AGENT_IP };
	struct signer id;
	struct tls_conf *conf;

	spec.names.ip = (struct cert_list){ ips, 1 };
	assert_int_equal(key_generate(KEY_P256, 0, &id.key, NULL), 0);
	assert_int_equal(cert_make(&spec, id.key, ca->cert, ca->key, &id.cert, NULL), 0);
	{
		const struct tls_identity shown = { .chain = &id.cert,
						    .chain_n = 1,
						    .key = id.key };
		const struct tls_options o = { .server = true, .ids = &shown, .ids_n = 1 };

		assert_int_equal(tls_conf_new(&o, &conf, NULL), 0);
	}
	signer_fini(&id);
	return conf;
}

static inline void hook_start(struct wfix *f)
{
	static const char *const names[] = { "hook.n1.svc" };
	const struct http_server_conf conf = { .request = hook_serve, .arena_max = 64u << 20 };
	struct signer ca = sign("ca", NULL, NULL);
	struct tls_conf *tls = hook_tls(&ca, names, 1);
	struct buf pem = BUF_INIT(65536);

	assert_int_equal(cert_write_pem(ca.cert, &pem, NULL), 0);
	assert_true(BASE64_LEN(pem.n) < sizeof(f->ca));
	base64_encode(f->ca, pem.p, pem.n);
	buf_fini(&pem);
	assert_int_equal(http_server_new(f->x->f->loop, &conf, &f->srv, NULL), 0);
	assert_int_equal(http_server_listen_tcp(f->srv, AGENT_IP ":0", NULL), 0);
	assert_int_equal(http_server_set_tls(f->srv, HTTP_ALL_LISTENERS, tls, NULL), 0);
	f->port = (unsigned)strtoul(strrchr(http_server_address(f->srv, 0), ':') + 1, NULL, 10);
	tls_conf_unref(tls);
	signer_fini(&ca);
}

/* ---- configurations ---- */

/* One webhook: by the service (path) or by what `more` says; rules are more's, too. */
static inline const char *hook_text(struct wfix *f, const char *name, const char *path,
				    const char *more)
{
	static char out[32768];

	snprintf(out, sizeof(out),
		 "{'name':'%s','clientConfig':{'service':{'namespace':'n1','name':'hook','path':"
		 "'%s'},'caBundle':'%s'},'sideEffects':'None','admissionReviewVersions':['v1'],%s}",
		 name, path, f->ca, more);
	return out;
}

#define RULE(ops, group, version, resource)                                                   \
	"'rules':[{'operations':[" ops "],'apiGroups':['" group "'],'apiVersions':['" version \
	"'],'resources':['" resource "']}]"
#define ON_MAPS RULE("'*'", "", "v1", "configmaps")

static inline void hook_config(struct wfix *f, const char *at, const char *name,
			       const char *webhooks, int code)
{
	struct buf b = BUF_INIT(256u << 10);

	(void)buf_addf(&b,
		       "{'apiVersion':'admissionregistration.k8s.io/v1','kind':'%s','metadata':"
		       "{'name':'%s'},'webhooks':[%s]}",
		       strcmp(at, MUTATING) == 0 ? "MutatingWebhookConfiguration"
						 : "ValidatingWebhookConfiguration",
		       name, webhooks);
	apost(f->x, at, buf_str(&b), code);
	buf_fini(&b);
}

/* A configuration of one webhook of that name. */
static inline void hook_on(struct wfix *f, const char *at, const char *name, const char *path,
			   const char *more)
{
	char full[128];

	snprintf(full, sizeof(full), "%s.example.com", name);
	hook_config(f, at, name, hook_text(f, full, path, more), 201);
}

static inline void hooks_off(struct wfix *f)
{
	(void)ask(f->x, "DELETE", MUTATING, ADMIN, NULL);
	assert_code(f->x, 200);
	(void)ask(f->x, "DELETE", VALIDATING, ADMIN, NULL);
	assert_code(f->x, 200);
	f->nasked = 0;
}

static inline const char *hook_was_told(struct wfix *f)
{
	return buf_str(&f->body);
}

static inline void told(struct wfix *f, const char *part)
{
	if (!strstr(hook_was_told(f), quoted(part)))
		fail_msg("no %s in %s", part, hook_was_told(f));
}

static inline void untold(struct wfix *f, const char *part)
{
	if (strstr(hook_was_told(f), quoted(part)))
		fail_msg("%s in %s", part, hook_was_told(f));
}

#define MAP(name, data) \
	"{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'" name "'},'data':{" data "}}"

/* ---- life ---- */

static inline int hook_group(void **state)
{
	struct wfix *f = calloc(1, sizeof(*f));
	char slice[1024];
	void *x;

	if (own_network(state))
		return -1;
	rest_setup(&x);
	f->x = x;
	afix_open(f->x, NULL, NULL);
	make_namespace(f->x, "n1");
	f->body = BUF_INIT(16u << 20);
	f->patch = "[]";
	the_hook = f;
	hook_start(f);
	apost(f->x, "/api/v1/namespaces/n1/services",
	      "{'apiVersion':'v1','kind':'Service','metadata':{'name':'hook'},'spec':{'clusterIP':"
	      "'None','ports':[{'port':443}]}}",
	      201);
	snprintf(slice, sizeof(slice),
		 "{'apiVersion':'discovery.k8s.io/v1','kind':'EndpointSlice','metadata':{'name':"
		 "'hook-1','labels':{'kubernetes.io/service-name':'hook'}},'addressType':'IPv4',"
		 "'ports':[{'port':%u}],'endpoints':[{'addresses':['%s']},{'addresses':"
		 "['10.9.8.99'],'conditions':{'ready':false}}]}",
		 f->port, AGENT_IP);
	apost(f->x, "/apis/discovery.k8s.io/v1/namespaces/n1/endpointslices", slice, 201);
	*state = f;
	return 0;
}

static inline int hook_group_end(void **state)
{
	struct wfix *f = *state;
	void *x = f->x;

	http_server_free(f->srv);
	buf_fini(&f->body);
	afix_teardown(&x);
	free(f);
	return 0;
}

static inline int hook_case_end(void **state)
{
	struct wfix *f = *state;

	hooks_off(f);
	(void)ask(f->x, "DELETE", MAPS, ADMIN, NULL);
	assert_code(f->x, 200);
	f->nasked = 0;
	f->held = 0;
	f->slow_closed = false;
	return 0;
}
#define HCASE(f) cmocka_unit_test_teardown(f, hook_case_end)
