/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/encryption.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/map.h"
#include "crypto/aead.h"
#include "doc/doc.h"
#include "doc/yaml.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_MEMORY (8u << 20)
#define KEY_MAX 32

enum cipher { IDENTITY, AESGCM, AESCBC, SECRETBOX };

static const struct kind {
	const char *name, *prefix;
	unsigned lengths; /* bit n: keys of 8n bytes */
	size_t nonce, least;
} kinds[] = {
	[IDENTITY] = { "identity", "", 0, 0, 0 },
	[AESGCM] = { "aesgcm", ENCRYPTION_PREFIX "aesgcm:v1:", 1 << 2 | 1 << 3 | 1 << 4,
		     AES_GCM_NONCE, AES_GCM_NONCE + AES_GCM_TAG },
	[AESCBC] = { "aescbc", ENCRYPTION_PREFIX "aescbc:v1:", 1 << 2 | 1 << 3 | 1 << 4, AES_CBC_IV,
		     AES_CBC_IV },
	[SECRETBOX] = { "secretbox", ENCRYPTION_PREFIX "secretbox:v1:", 1 << 4, SECRETBOX_NONCE,
			SECRETBOX_NONCE + SECRETBOX_TAG },
};

struct named_key {
	struct named_key *next;
	const char *name;
	size_t n;
	unsigned char bytes[KEY_MAX];
};

struct provider {
	struct provider *next;
	enum cipher cipher;
	struct named_key *keys; /* the first seals */
};

/* What an element of `resources` says for one of its names. */
struct rule {
	struct rule *next;
	struct slice group, resource; /* "*": any */
	struct provider *providers;
};

struct config {
	struct arena *arena;
	struct rule *rules;
};

/* How a value was sealed when it was seen last. */
struct seal {
	uint64_t how;
	size_t n;
	char key[];
};

struct encryption {
	struct config config;
	struct encryption_names names;
	struct map seals; /* of what a rule covers */
	size_t look_at;	  /* so many: those that are gone are looked for */
};

/* ---- reading: what upstream's validation says, in its order ---- */

struct reader {
	struct arena *a; /* of the configuration that comes to be */
	struct arena *scratch;
	const char *path;
	struct err *err;
};

static int wrong(const struct reader *r, const char *field, const char *fmt, ...) PRINTF(3, 4);
static int wrong(const struct reader *r, const char *field, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(r->err, ERR_INVALID, "encryption configuration '%s': %s: %s", r->path, field,
		       text);
}

static int quota(const struct reader *r)
{
	return arena_quota(r->a, r->err);
}

static int check_members(const struct reader *r, const struct doc *d, const char *field,
			 const char *const *names)
{
	if (!doc_is(d, DOC_OBJECT))
		return wrong(r, field, "must be an object, not %s", doc_type_name(d));
	DOC_EACH_MEMBER (key, value, d) {
		const char *k = doc_cstr(r->scratch, key);

		if (!k || !str_is_one_of(k, names))
			return wrong(r, field, "unknown field \"%.*s\"", (int)MIN(key->n, 100u),
				     key->s);
		(void)value;
	}
	return 0;
}

/* Standard alphabet with padding, as upstream decodes secrets. */
static int decode_secret(struct slice text, struct named_key *k)
{
	unsigned char bytes[KEY_MAX + 3] = { 0 };
	size_t n = 0;
	int r;

	if (text.n % 4 != 0 || slice_has(text, '-') || slice_has(text, '_'))
		return -1;
	if (text.n > BASE64_LEN(KEY_MAX)) {
		k->n = text.n / 4 * 3;
		return 0;
	}
	r = base64_decode(bytes, &n, text);
	k->n = n;
	memcpy(k->bytes, bytes, MIN(n, (size_t)KEY_MAX));
	secret_wipe(bytes, sizeof(bytes));
	return r;
}

static int read_key(const struct reader *r, const struct doc *d, enum cipher c, const char *field,
		    struct named_key **ret)
{
	static const char *const members[] = { "name", "secret", NULL };
	struct slice name = doc_slice(doc_get(d, "name"));
	struct slice secret = doc_slice(doc_get(d, "secret"));
	struct named_key *k = ARENA_NEW(r->a, struct named_key);

	if (check_members(r, d, field, members) < 0)
		return err_ret(r->err);
	if (!name.n)
		return wrong(r, field, "name is a mandatory field for a key");
	if (!secret.n)
		return wrong(r, field, "key \"%.*s\": secret is a mandatory field for a key",
			     (int)name.n, name.p);
	if (!k || !(k->name = arena_strndup(r->a, name.p, name.n)))
		return quota(r);
	if (decode_secret(secret, k) < 0)
		return wrong(r, field, "key \"%s\": secrets must be base64 encoded", k->name);
	if (k->n > KEY_MAX || k->n % 8 || !(kinds[c].lengths & 1u << (k->n / 8)))
		return wrong(r, field,
			     "key \"%s\": secret is not of the expected length, got %zu, expected "
			     "one of %s",
			     k->name, k->n, c == SECRETBOX ? "[32]" : "[16 24 32]");
	*ret = k;
	return 0;
}

static int read_keys(const struct reader *r, const struct doc *d, struct provider *p,
		     const char *field)
{
	static const char *const members[] = { "keys", NULL };
	const struct doc *keys = doc_get(d, "keys");
	struct named_key **tail = &p->keys;

	if (check_members(r, d, field, members) < 0)
		return err_ret(r->err);
	if (!doc_len_of(keys, DOC_ARRAY))
		return wrong(r, field, "at least one keys is required");
	for (size_t i = 0; i < doc_len(keys); i++) {
		char at[320];

		(void)snprintf(at, sizeof(at), "%s.keys[%zu]", field, i);
		if (read_key(r, doc_at(keys, i), p->cipher, at, tail) < 0)
			return err_ret(r->err);
		tail = &(*tail)->next;
	}
	return 0;
}

static int read_provider(const struct reader *r, const struct doc *d, const char *field,
			 struct provider **ret)
{
	struct provider *p = ARENA_NEW(r->a, struct provider);
	char at[256];

	if (!doc_len_of(d, DOC_OBJECT))
		return wrong(r, field,
			     "provider does not contain any of the expected providers: identity, "
			     "aesgcm, aescbc, secretbox");
	if (doc_len(d) > 1)
		return wrong(r, field,
			     "more than one provider specified in a single element, should split "
			     "into different list elements");
	if (doc_str_is(doc_key_at(d, 0), "kms"))
		return err_set(r->err, ERR_UNSUPPORTED,
			       "encryption configuration '%s': %s: kms is not supported", r->path,
			       field);
	if (!p)
		return quota(r);
	*ret = p;
	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
		static const char *const none[] = { NULL };

		if (!doc_str_is(doc_key_at(d, 0), kinds[i].name))
			continue;
		p->cipher = (enum cipher)i;
		(void)snprintf(at, sizeof(at), "%s.%s", field, kinds[i].name);
		return i == IDENTITY ? check_members(r, doc_value_at(d, 0), at, none)
				     : read_keys(r, doc_value_at(d, 0), p, at);
	}
	return wrong(r, field, "unknown provider \"%.*s\"", (int)MIN(doc_key_at(d, 0)->n, 100u),
		     doc_key_at(d, 0)->s);
}

/* "deployments.apps" is group apps, "secrets" and "*." are core. */
static void split_name(struct slice text, struct slice *group, struct slice *resource)
{
	*resource = slice_split(&text, '.');
	*group = text.p ? text : SLICE("");
}

static int check_name(const struct reader *r, struct slice text, const char *field)
{
	struct slice group, resource;

	for (size_t i = 0; i < text.n; i++)
		if (isupper((unsigned char)text.p[i]))
			return wrong(r, field, "resource name should not contain capital letters");
	if (!text.n)
		return wrong(r, field, "the name of a resource is empty");
	if (slice_is(text, "*"))
		return wrong(r, field,
			     "use '*.' to encrypt all the resources from core API group or *.* to "
			     "encrypt all resources");
	split_name(text, &group, &resource);
	if (slice_is(group, "events.k8s.io"))
		return wrong(r, field,
			     "'*.events.k8s.io' objects are stored using the 'events' API group in "
			     "etcd. Use 'events' instead in the config file");
	if (slice_is(group, "extensions"))
		return wrong(r, field,
			     "'extensions' group has been removed and cannot be used for "
			     "encryption");
	if (slice_is(group, "*") && !slice_is(resource, "*"))
		return wrong(r, field,
			     "encrypting the same resource across groups is not supported");
	return 0;
}

static bool covers(const struct rule *x, const struct rule *y)
{
	if (slice_is(x->group, "*"))
		return true;
	return slice_eq(x->group, y->group) &&
	       (slice_is(x->resource, "*") || slice_eq(x->resource, y->resource));
}

/* Within one element nothing may cover another; an earlier element may not cover it all. */
static int check_overlap(const struct reader *r, const struct rule *all, const struct rule *mine,
			 const struct rule *x, const char *field)
{
	bool own = false;

	for (const struct rule *o = all; o && o != x; o = o->next) {
		bool equal = slice_eq(o->group, x->group) && slice_eq(o->resource, x->resource);

		own |= o == mine;
		if (own && equal)
			return wrong(r, field,
				     "the same resource cannot be specified multiple times");
		if (own && (covers(o, x) || covers(x, o)))
			return wrong(
				r, field,
				"using overlapping resources such as 'secrets' and '*.' in the "
				"same resource list is not allowed as they will be masked");
		if (!equal && covers(o, x))
			return wrong(r, field, "masked by the earlier rule \"%.*s.%.*s\"",
				     (int)o->resource.n, o->resource.p, (int)o->group.n,
				     o->group.p);
	}
	return 0;
}

static int read_names(const struct reader *r, const struct doc *list, struct config *c,
		      struct rule **tail, struct provider *p, const char *field)
{
	struct rule **mine = tail;

	if (!doc_len_of(list, DOC_ARRAY))
		return wrong(r, field, "at least one resource is required");
	for (size_t i = 0; i < doc_len(list); i++) {
		struct slice text = doc_slice(doc_at(list, i));
		struct rule *x = ARENA_NEW(r->a, struct rule);
		const char *own = arena_strndup(r->a, text.p, text.n);
		char at[256];

		(void)snprintf(at, sizeof(at), "%s[%zu]", field, i);
		if (!x || !own)
			return quota(r);
		if (check_name(r, text, at) < 0)
			return err_ret(r->err);
		split_name(slice_str(own), &x->group, &x->resource);
		x->providers = p;
		*tail = x;
		tail = &x->next;
		if (check_overlap(r, c->rules, *mine, x, at) < 0)
			return err_ret(r->err);
	}
	return 0;
}

static int read_element(const struct reader *r, const struct doc *d, struct config *c, size_t i)
{
	static const char *const members[] = { "resources", "providers", NULL };
	const struct doc *list = doc_get(d, "providers");
	struct provider *first = NULL, **ptail = &first;
	struct rule **tail = &c->rules;
	char field[128];

	(void)snprintf(field, sizeof(field), "resources[%zu]", i);
	if (check_members(r, d, field, members) < 0)
		return err_ret(r->err);
	if (!doc_len_of(list, DOC_ARRAY))
		return wrong(r, field, "at least one provider is required");
	for (size_t j = 0; j < doc_len(list); j++) {
		(void)snprintf(field, sizeof(field), "resources[%zu].providers[%zu]", i, j);
		if (read_provider(r, doc_at(list, j), field, ptail) < 0)
			return err_ret(r->err);
		assert(*ptail);
		ptail = &(*ptail)->next;
	}
	while (*tail)
		tail = &(*tail)->next;
	(void)snprintf(field, sizeof(field), "resources[%zu].resources", i);
	return read_names(r, doc_get(d, "resources"), c, tail, first, field);
}

static int read_config(const struct reader *r, struct slice text, struct config *c)
{
	static const char *const members[] = { "apiVersion", "kind", "resources", NULL };
	const struct doc *list;
	struct doc *d;

	if (yaml_read(r->scratch, text, NULL, &d, r->err) < 0)
		return err_wrap(r->err, "encryption configuration '%s'", r->path);
	if (!doc_str_is(doc_get(d, "kind"), "EncryptionConfiguration") ||
	    !doc_str_is(doc_get(d, "apiVersion"), "apiserver.config.k8s.io/v1"))
		return wrong(r, "kind",
			     "must be EncryptionConfiguration of apiserver.config.k8s.io/v1");
	if (check_members(r, d, "(root)", members) < 0)
		return err_ret(r->err);
	list = doc_get(d, "resources");
	if (!doc_len_of(list, DOC_ARRAY))
		return wrong(r, "resources", "at least one resources is required");
	for (size_t i = 0; i < doc_len(list); i++)
		if (read_element(r, doc_at(list, i), c, i) < 0)
			return err_ret(r->err);
	return 0;
}

static void config_fini(struct config *c)
{
	for (struct rule *x = c->rules; x; x = x->next)
		for (struct provider *p = x->providers; p; p = p->next)
			for (struct named_key *k = p->keys; k; k = k->next)
				secret_wipe(k->bytes, sizeof(k->bytes));
	arena_free(c->arena);
	*c = (struct config){ 0 };
}

int encryption_reload(struct encryption *e, struct slice text, const char *path, struct err *err)
{
	CLEANUP(arena_free) struct arena *scratch = arena_new("encryption", CONFIG_MEMORY);
	struct config c = { .arena = arena_new("encryption", CONFIG_MEMORY) };
	const struct reader r = { c.arena, scratch, path, err };

	if (text.p && read_config(&r, text, &c) < 0) {
		config_fini(&c);
		return err_ret(err);
	}
	if (e->config.arena)
		config_fini(&e->config);
	e->config = c;
	return 0;
}

int encryption_new(struct slice text, const char *path, struct encryption **ret, struct err *err)
{
	CLEANUP(encryption_free) struct encryption *e = calloc(1, sizeof(*e));

	if (!e)
		abort();
	map_init(&e->seals);
	if (encryption_reload(e, text, path, err) < 0)
		return err_ret(err);
	*ret = STEAL(e);
	return 0;
}

void encryption_free(struct encryption *e)
{
	struct seal *s;

	if (!e)
		return;
	if (e->config.arena)
		config_fini(&e->config);
	for (size_t i = 0; (s = map_next(&e->seals, &i, NULL));)
		free(s);
	map_fini(&e->seals);
	free(e);
}

void encryption_set_names(struct encryption *e, const struct encryption_names *names)
{
	e->names = *names;
}

bool encryption_is_on(const struct encryption *e)
{
	return e->config.rules != NULL;
}

/* The first rule for it itself, else for its group, else for all. NULL: it is kept as it is. */
static const struct rule *rule_of(const struct encryption *e, struct slice key)
{
	struct rule want = { 0 };
	const struct rule *best = NULL;
	int rank = 0;

	if (!e->config.rules || !e->names.fn ||
	    !e->names.fn(e->names.arg, key, &want.group, &want.resource))
		return NULL;
	for (const struct rule *x = e->config.rules; x; x = x->next) {
		int now = slice_is(x->group, "*") ? 1 : slice_is(x->resource, "*") ? 2 : 3;

		if (now > rank && covers(x, &want)) {
			best = x;
			rank = now;
		}
	}
	return best;
}

/* Elements that name the same resource are one list, in their order. */
static const struct rule *rule_next(const struct rule *x)
{
	const struct rule *o = x->next;

	while (o && !(slice_eq(o->group, x->group) && slice_eq(o->resource, x->resource)))
		o = o->next;
	return o;
}

/* ---- how each value is sealed ---- */

#define SEALS_LOOK 4096

/* By provider, name and secret; k NULL: not sealed. */
static uint64_t how(const struct provider *p, const struct named_key *k)
{
	unsigned char d[SHA256_LEN];
	struct sha256 s;
	uint64_t v;

	if (!k)
		return 0;
	sha256_init(&s);
	sha256_update(&s, &p->cipher, sizeof(p->cipher));
	sha256_update(&s, k->name, strlen(k->name) + 1);
	sha256_update(&s, k->bytes, k->n);
	sha256_final(&s, d);
	memcpy(&v, d, sizeof(v));
	return v | 1;
}

static void forget_gone(struct encryption *e)
{
	struct seal *s;

	for (size_t i = 0; (s = map_next(&e->seals, &i, NULL));) {
		struct slice key = slice_of(s->key, s->n);

		if (e->names.live && !e->names.live(e->names.arg, key)) {
			(void)map_del(&e->seals, key);
			free(s);
		}
	}
	e->look_at = MAX(2 * map_count(&e->seals), (size_t)SEALS_LOOK);
}

static void note(struct encryption *e, struct slice key, uint64_t v)
{
	struct seal *s = map_get(&e->seals, key);

	if (!s) {
		if (map_count(&e->seals) >= MAX(e->look_at, (size_t)SEALS_LOOK))
			forget_gone(e);
		s = malloc(sizeof(*s) + key.n);
		if (!s)
			abort();
		s->n = key.n;
		memcpy(s->key, key.p, key.n);
		(void)map_put(&e->seals, slice_of(s->key, s->n), s);
	}
	s->how = v;
}

static void forget(struct encryption *e, struct slice key)
{
	if (map_count(&e->seals))
		free(map_del(&e->seals, key));
}

bool encryption_is_stale(void *arg, struct slice key)
{
	const struct encryption *e = arg;
	const struct rule *x = rule_of(e, key);
	const struct seal *s = x ? map_get(&e->seals, key) : NULL;

	/* what was opened or written while no rule was for it is plain */
	return x && (s ? s->how : 0) != how(x->providers, x->providers->keys);
}

/* ---- sealing ---- */

static int cipher_seal(const struct provider *p, struct slice store_key, struct slice open,
		       struct buf *out, struct err *err)
{
	const struct slice key = slice_of((const char *)p->keys->bytes, p->keys->n);
	unsigned char nonce[SECRETBOX_NONCE];

	random_bytes(nonce, kinds[p->cipher].nonce);
	if (buf_addf(out, "%s%s:", kinds[p->cipher].prefix, p->keys->name) < 0 ||
	    buf_add(out, nonce, kinds[p->cipher].nonce) < 0)
		return err_set(err, ERR_TOO_LARGE, "the object is too large");
	if (p->cipher == AESGCM)
		return aes_gcm_seal(key, nonce, store_key, open, out, err);
	if (p->cipher == AESCBC)
		return aes_cbc_seal(key, nonce, open, out, err);
	return secretbox_seal(p->keys->bytes, nonce, open, out, err);
}

int encryption_seal(void *arg, struct slice key, struct slice open, struct buf *out, bool *ret_used,
		    struct err *err)
{
	const struct rule *x = rule_of(arg, key);
	const struct provider *p = x ? x->providers : NULL;

	if (p)
		note(arg, key, how(p, p->keys));
	else
		forget(arg, key);
	*ret_used = p && p->cipher != IDENTITY;
	if (!*ret_used)
		return 0;
	return cipher_seal(p, key, open, out, err) < 0
		       ? err_wrap(err, "seal '%.*s'", (int)key.n, key.p)
		       : 0;
}

/* ---- opening ---- */

static int cipher_open(const struct provider *p, const struct named_key *k, struct slice store_key,
		       struct slice sealed, struct buf *out, struct err *err)
{
	const struct slice key = slice_of((const char *)k->bytes, k->n);
	const unsigned char *nonce = (const unsigned char *)sealed.p;
	size_t n = kinds[p->cipher].nonce;
	struct slice rest;

	if (sealed.n < kinds[p->cipher].least)
		return err_set(err, ERR_FORBIDDEN,
			       "the stored data was shorter than the required size");
	rest = slice_of(sealed.p + n, sealed.n - n);
	if (p->cipher == AESGCM)
		return aes_gcm_open(key, nonce, store_key, rest, out, err);
	if (p->cipher == AESCBC)
		return aes_cbc_open(key, nonce, rest, out, err);
	return secretbox_open(k->bytes, nonce, rest, out, err);
}

/* 1: opened; 0: none of its keys has that name; negative: one has, and it does not open. */
static int provider_open(const struct provider *p, struct slice store_key, struct slice rest,
			 struct buf *out, const struct named_key **ret_key, struct err *err)
{
	size_t before = out->n;
	int found = 0;

	for (const struct named_key *k = p->keys; k; k = k->next) {
		struct slice name = slice_str(k->name);

		if (!slice_starts(rest, name) || rest.n == name.n || rest.p[name.n] != ':')
			continue;
		if (cipher_open(p, k, store_key, slice_of(rest.p + name.n + 1, rest.n - name.n - 1),
				out, err) == 0) {
			*ret_key = k;
			return 1;
		}
		found = -1;
		out->n = before;
	}
	return found;
}

/* "aescbc:v1:key1" of what is sealed: names only. */
static struct slice seal_name(struct slice stored)
{
	size_t from = strlen(ENCRYPTION_PREFIX);
	struct slice rest = slice_of(stored.p + from, stored.n - from), all = rest;
	size_t n = 0;

	for (int i = 0; i < 3 && rest.p; i++)
		n += slice_split(&rest, ':').n + (i > 0);
	return slice_of(all.p, MIN(n, 128u));
}

static int refuse(struct slice key, struct slice stored, bool failed, struct err *err)
{
	struct slice name = seal_name(stored);

	return err_set(err, ERR_INVALID, "'%.*s' is sealed with %.*s: %s", (int)key.n, key.p,
		       (int)name.n, name.p,
		       failed ? "it does not open with the key of that name (another secret, or "
				"damaged)"
			      : "no provider of its resource in --encryption-provider-config has "
				"that key");
}

static int open_plain(struct encryption *e, const struct rule *x, struct slice key, struct err *err)
{
	const struct rule *first = x;

	for (; x; x = rule_next(x))
		for (const struct provider *p = x->providers; p; p = p->next)
			if (p->cipher == IDENTITY) {
				note(e, key, how(p, NULL));
				return 0;
			}
	if (!first)
		return 0;
	return err_set(err, ERR_INVALID,
		       "'%.*s' is not sealed, and identity is not among the providers of its "
		       "resource in --encryption-provider-config",
		       (int)key.n, key.p);
}

int encryption_open(void *arg, struct slice key, struct slice stored, struct buf *out,
		    bool *ret_used, struct err *err)
{
	const struct rule *x = rule_of(arg, key);
	const struct named_key *k;
	struct err own = ERR_INIT;
	bool failed = false;

	*ret_used = slice_starts(stored, SLICE(ENCRYPTION_PREFIX));
	if (!*ret_used)
		return open_plain(arg, x, key, err);
	for (; x; x = rule_next(x))
		for (const struct provider *p = x->providers; p; p = p->next) {
			struct slice prefix = slice_str(kinds[p->cipher].prefix);
			int r;

			if (!prefix.n || !slice_starts(stored, prefix))
				continue;
			r = provider_open(p, key,
					  slice_of(stored.p + prefix.n, stored.n - prefix.n), out,
					  &k, &own);
			if (r == 1) {
				note(arg, key, how(p, k));
				return 0;
			}
			failed |= r < 0;
		}
	return refuse(key, stored, failed, err);
}
