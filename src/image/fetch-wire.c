/* SPDX-License-Identifier: Apache-2.0 */
/* What the fetching process and its starter say to each other, as bytes. */
#include "base/arena.h"
#include "base/err.h"
#include "image/fetch.h"
#include "image/remote-priv.h"

#include <string.h>

#define STARTER FETCH_FROM_STARTER
#define PROCESS FETCH_FROM_PROCESS
#define LIST_MAX 1024

const struct frame_rule fetch_rules[FETCH_FRAMES] = {
	[FETCH_CONF] = { "conf", STARTER, 0, 0, 1, FRAME_PAYLOAD_MAX },
	[FETCH_CALL] = { "call", STARTER, 1, 2, 1, FRAME_PAYLOAD_MAX },
	[FETCH_NOTICE] = { "notice", PROCESS, 0, 0, 0, 1024 },
	[FETCH_DATA] = { "data", PROCESS, 0, 0, 1, FETCH_PIECE },
	[FETCH_WANT] = { "want", PROCESS, 0, 0, 12, 12 },
	[FETCH_GIVE] = { "give", STARTER, 0, 0, 0, FETCH_PIECE },
	[FETCH_RESULT] = { "result", PROCESS, 0, 0, 1, 2 * FETCH_TEXT_MAX },
};

/* NULL comes back as NULL: a mark stands in front. */
static void put_text(struct wire_out *o, const char *s)
{
	wire_put_u8(o, s != NULL);
	if (s)
		wire_put_str(o, s);
}

static const char *get_text(struct wire_in *in, struct arena *a)
{
	struct slice s;
	const char *text;

	if (!wire_u8(in))
		return NULL;
	wire_bytes(in, &s);
	text = s.p ? arena_strndup(a, s.p, s.n) : arena_strdup(a, "");
	if (!text || strlen(text) != s.n)
		in->bad = 1;
	return text;
}

static void put_list(struct wire_out *o, const char *const *v, size_t n)
{
	wire_put_u32(o, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		put_text(o, v[i]);
}

static const char **get_list(struct wire_in *in, struct arena *a, size_t *ret_n)
{
	uint32_t n = wire_u32(in);
	const char **v;

	*ret_n = 0;
	v = n <= LIST_MAX ? ARENA_ARRAY(a, const char *, n + 1) : NULL;
	if (!v) {
		in->bad = 1;
		return NULL;
	}
	for (uint32_t i = 0; i < n && !in->bad; i++)
		v[(*ret_n)++] = get_text(in, a);
	return v;
}

/* ---- conf ---- */

void fetch_put_conf(struct wire_out *o, const struct remote *r)
{
	const struct remote_conf *c = &r->conf;

	put_text(o, c->host);
	put_text(o, c->auth.username);
	put_text(o, c->auth.password);
	put_text(o, c->auth.identity_token);
	put_text(o, c->auth.registry_token);
	wire_put_u8(o, c->insecure);
	put_text(o, c->certs_dir);
	put_list(o, c->mirrors, c->nmirrors);
	put_text(o, r->proxies.http);
	put_text(o, r->proxies.https);
	put_text(o, r->proxies.all);
	put_text(o, r->proxies.no);
	put_text(o, c->agent);
	wire_put_u32(o, c->tries);
	wire_put_u64(o, (uint64_t)c->quiet);
}

void fetch_get_conf(struct wire_in *in, struct arena *a, struct remote_conf *ret)
{
	struct http_proxy_env *p = ARENA_NEW(a, struct http_proxy_env);

	*ret = (struct remote_conf){ .host = get_text(in, a) };
	ret->auth.username = get_text(in, a);
	ret->auth.password = get_text(in, a);
	ret->auth.identity_token = get_text(in, a);
	ret->auth.registry_token = get_text(in, a);
	ret->insecure = wire_u8(in) != 0;
	ret->certs_dir = get_text(in, a);
	ret->mirrors = get_list(in, a, &ret->nmirrors);
	p->http = get_text(in, a);
	p->https = get_text(in, a);
	p->all = get_text(in, a);
	p->no = get_text(in, a);
	ret->proxies = p;
	ret->agent = get_text(in, a);
	ret->tries = wire_u32(in);
	ret->quiet = (int64_t)wire_u64(in);
	in->bad |= in->p != in->end;
}

/* ---- calls ---- */

void fetch_put_ask(struct wire_out *o, const struct fetch_ask *q)
{
	wire_put_u8(o, q->op);
	put_text(o, q->repo);
	put_text(o, q->ref);
	put_text(o, q->text);
	wire_put_u64(o, q->from);
	wire_put_u64(o, q->n);
	put_list(o, (const char *const *)q->urls.v, q->urls.n);
}

void fetch_get_ask(struct wire_in *in, struct arena *a, struct fetch_ask *ret)
{
	*ret = (struct fetch_ask){ .op = wire_u8(in), .out = -1 };
	ret->repo = get_text(in, a);
	ret->ref = get_text(in, a);
	ret->text = get_text(in, a);
	ret->from = wire_u64(in);
	ret->n = wire_u64(in);
	ret->urls.v = get_list(in, a, &ret->urls.n);
	in->bad |= in->p != in->end || ret->op >= FETCH_OPS;
}

/* ---- results ---- */

void fetch_put_result(struct wire_out *o, int ret, const struct err *err,
		      const struct fetch_answer *x)
{
	wire_put_u32(o, ret < 0 ? (uint32_t)err->code : 0);
	wire_put_u32(o, ret < 0 ? (uint32_t)err->sys : 0);
	wire_put_str(o, ret < 0 ? err->msg : "");
	wire_put_str(o, x->digest);
	wire_put_str(o, x->text);
	wire_put_u64(o, x->size);
	wire_put_u32(o, x->flag);
}

static void get_fixed(struct wire_in *in, char *dst, size_t n)
{
	struct slice s;

	wire_bytes(in, &s);
	if (s.n >= n || (s.n && memchr(s.p, '\0', s.n))) {
		in->bad = 1;
		return;
	}
	if (s.n)
		memcpy(dst, s.p, s.n);
	dst[s.n] = '\0';
}

int fetch_get_result(struct wire_in *in, struct fetch_answer *x, struct err *err)
{
	uint32_t code = wire_u32(in), sys = wire_u32(in);
	char msg[sizeof(err->msg)];

	get_fixed(in, msg, sizeof(msg));
	get_fixed(in, x->digest, sizeof(x->digest));
	get_fixed(in, x->text, sizeof(x->text));
	x->size = wire_u64(in);
	x->flag = wire_u32(in);
	if (in->bad || in->p != in->end || code >= ERR_CODE_COUNT || sys > 4095 ||
	    (x->digest[0] && !image_digest_valid(slice_str(x->digest))))
		return err_set(err, ERR_BAD_REQUEST, "a result of no valid form");
	if (!code)
		return 0;
	err_set(err, (enum err_code)code, "%s", msg);
	if (err)
		err->sys = (int)sys;
	return -(int)code;
}
