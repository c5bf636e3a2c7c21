/* SPDX-License-Identifier: Apache-2.0 */
/* What a server is told by its starter, as bytes; both are ours, of one program. */
#include "base/arena.h"
#include "base/err.h"
#include "base/frame.h"
#include "image/lazy.h"
#include "image/store.h"

#define CONF_MAX (256u << 10)
#define LIST_MAX 1024

static void put_list(struct wire_out *o, const char *const *v, size_t n)
{
	wire_put_u32(o, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		wire_put_str(o, v[i]);
}

int lazy_conf_write(const struct lazy_conf *c, struct buf *ret, struct err *err)
{
	struct wire_out o = { 0 };

	*ret = BUF_INIT(CONF_MAX);
	o.p = (unsigned char *)buf_room(ret, CONF_MAX);
	o.cap = CONF_MAX;
	wire_put_str(&o, c->host);
	wire_put_str(&o, c->repo);
	wire_put_str(&o, c->digest);
	wire_put_u32(&o, c->base);
	wire_put_u32(&o, c->wait_s);
	wire_put_str(&o, c->auth.username);
	wire_put_str(&o, c->auth.password);
	wire_put_str(&o, c->auth.identity_token);
	wire_put_str(&o, c->auth.registry_token);
	put_list(&o, c->remotes.insecure, c->remotes.ninsecure);
	put_list(&o, c->remotes.mirrors, c->remotes.nmirrors);
	wire_put_str(&o, c->remotes.certs_dir);
	wire_put_u32(&o, c->early);
	wire_put_u64(&o, c->size);
	wire_put_u64(&o, c->plain_max);
	wire_put_u64(&o, c->ratio_free);
	wire_put_u32(&o, c->ratio_max);
	if (o.bad)
		return err_set(err, ERR_TOO_LARGE, "the configuration of registries is too large");
	ret->n = o.n;
	return 0;
}

static const char *get(struct wire_in *in, struct arena *a)
{
	struct slice s;

	wire_bytes(in, &s);
	return s.n ? arena_strndup(a, s.p, s.n) : NULL;
}

static const char *const *get_list(struct wire_in *in, struct arena *a, size_t *ret_n)
{
	size_t n = wire_u32(in);
	const char **v = n <= LIST_MAX ? ARENA_ARRAY(a, const char *, n + 1) : NULL;

	in->bad |= !v;
	for (size_t i = 0; i < n && !in->bad; i++)
		v[i] = get(in, a);
	*ret_n = in->bad ? 0 : n;
	return v;
}

static void get_early(struct wire_in *in, struct lazy_conf *c)
{
	c->early = wire_u32(in) != 0;
	c->size = wire_u64(in);
	c->plain_max = wire_u64(in);
	c->ratio_free = wire_u64(in);
	c->ratio_max = wire_u32(in);
}

void lazy_conf_early(struct lazy_conf *c, uint64_t size, const struct image_limits *limits)
{
	c->early = true;
	c->size = size;
	c->plain_max = limits->layer_max;
	c->ratio_free = limits->ratio_free;
	c->ratio_max = limits->ratio_max;
}

int lazy_conf_read(struct arena *a, struct slice bytes, struct lazy_conf *ret, struct err *err)
{
	struct wire_in in = { (const unsigned char *)bytes.p,
			      (const unsigned char *)bytes.p + bytes.n, 0 };
	struct lazy_conf c = { .host = get(&in, a), .repo = get(&in, a) };

	c.digest = get(&in, a);
	c.base = wire_u32(&in) != 0;
	c.wait_s = wire_u32(&in);
	c.auth.username = get(&in, a);
	c.auth.password = get(&in, a);
	c.auth.identity_token = get(&in, a);
	c.auth.registry_token = get(&in, a);
	c.remotes.insecure = get_list(&in, a, &c.remotes.ninsecure);
	c.remotes.mirrors = get_list(&in, a, &c.remotes.nmirrors);
	c.remotes.certs_dir = get(&in, a);
	if (!in.bad && in.p != in.end) /* else one that was kept by an earlier version */
		get_early(&in, &c);
	if (in.bad || arena_exceeded(a) || (c.early && !c.ratio_max) || !c.host || !c.repo ||
	    !c.digest || !image_digest_valid(slice_str(c.digest)))
		return err_set(err, ERR_INVALID, "lazy server: its configuration is broken");
	*ret = c;
	return 0;
}
