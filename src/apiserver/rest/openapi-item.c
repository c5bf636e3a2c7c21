/* SPDX-License-Identifier: Apache-2.0 */
/* One path in the words of OpenAPI 2 and 3. */
#include "apiserver/rest/openapi-private.h"

#include "base/arena.h"
#include "base/hash.h"
#include "doc/doc.h"
#include "doc/json.h"

#include <string.h>

struct writer {
	enum api_openapi v;
	struct arena *a;
	struct doc *shared; /* version 2's parameters, in their own arena */
	struct arena *shared_arena;
};

static void put_ref(struct writer *w, struct doc *to, const char *definition)
{
	doc_set_strf(w->a, to, "$ref", "#/%s/%s",
		     w->v == API_OPENAPI_V2 ? "definitions" : "components/schemas", definition);
}

static void put_words(struct writer *w, struct doc *to, const char *key, const char *const *v)
{
	struct doc *list = v ? doc_set_array(w->a, to, key) : NULL;

	for (; v && *v; v++)
		(void)doc_append_str(w->a, list, *v); /* the arena tells at the end */
}

/* ---- parameters ---- */

static struct doc param_doc(struct writer *w, const struct operation_param *p)
{
	struct doc d = doc_object(), *type = &d;

	if (p->doc)
		doc_set_str(w->a, &d, "description", p->doc);
	doc_set_str(w->a, &d, "in", p->in);
	doc_set_str(w->a, &d, "name", p->name);
	if (p->required)
		doc_set_bool(w->a, &d, "required", true);
	if (p->body) {
		put_ref(w, doc_set_object(w->a, &d, "schema"), p->body);
		return d;
	}
	if (w->v == API_OPENAPI_V3)
		type = doc_set_object(w->a, &d, "schema");
	if (type) {
		doc_set_str(w->a, type, "type", p->type);
		doc_set_bool(w->a, type, "uniqueItems", true);
	}
	return d;
}

/*
 * Upstream writes what is the same everywhere once, under a name with a hash. Kept in place: names
 * of objects, bodies of one kind, and the two that clients look for in operations.
 */
static bool is_shared(const struct operation_param *p)
{
	static const char *const own[] = { "name", "dryRun", "fieldValidation", NULL };

	return p->body ? strncmp(p->body, "io.k8s.apimachinery", 19) == 0
		       : !str_is_one_of(p->name, own);
}

static void put_shared(struct writer *w, struct doc *list, const char *name, const struct doc *d)
{
	unsigned char sum[SHA256_LEN];
	struct sha256 hash;
	struct slice text;
	char code[BASE64_LEN(6) + 1];
	const char *key;

	if (json_print(w->a, d, NULL, &text, NULL) < 0)
		return;
	sha256_init(&hash);
	sha256_update(&hash, text.p, text.n);
	sha256_final(&hash, sum);
	base64_encode(code, sum, 6);
	for (char *p = code; *p; p++)
		*p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
	key = arena_printf(w->a, "%s-%s", name, code);
	if (!key)
		return;
	if (!doc_get(w->shared, key)) {
		struct doc *copy = doc_copy(w->shared_arena, d);

		if (copy)
			(void)doc_set(w->shared_arena, w->shared, key, *copy);
	}
	doc_set_strf(w->a, doc_append_object(w->a, list), "$ref", "#/parameters/%s", key);
}

static void put_param(struct writer *w, struct doc *list, const struct operation_param *p)
{
	struct doc d = param_doc(w, p);

	if (w->v == API_OPENAPI_V2 && is_shared(p))
		put_shared(w, list, p->name, &d);
	else
		(void)doc_append(w->a, list, d);
}

static bool same_param(const struct operation_param *p, const struct operation_param *q)
{
	return strcmp(p->name, q->name) == 0 && strcmp(p->in, q->in) == 0;
}

static bool has(const struct operation *o, const struct operation_param *p)
{
	for (size_t i = 0; i < o->n; i++)
		if (same_param(&o->params[i], p))
			return true;
	return false;
}

/* Does every operation of the path have it? Then it stands beside them. */
static bool is_common(const struct path_item *item, const struct operation_param *p)
{
	if (p->body)
		return false;
	for (size_t i = 0; i < item->n; i++)
		if (!has(&item->ops[i], p))
			return false;
	return true;
}

static void put_params(struct writer *w, const struct path_item *item, const struct operation *o,
		       bool common, struct doc *to)
{
	struct doc *list = NULL;

	for (size_t i = 0; i < o->n; i++) {
		const struct operation_param *p = &o->params[i];

		if (is_common(item, p) != common || (p->body && w->v == API_OPENAPI_V3))
			continue;
		if (!list)
			list = doc_set_array(w->a, to, "parameters");
		put_param(w, list, p);
	}
}

/* ---- requests and answers ---- */

static void put_schema(struct writer *w, struct doc *to, const char *definition)
{
	struct doc *schema = doc_set_object(w->a, to, "schema");

	if (definition)
		put_ref(w, schema, definition);
	else
		doc_set_str(w->a, schema, "type", "string");
}

static void put_content(struct writer *w, struct doc *to, const char *const *media,
			const char *definition)
{
	struct doc *content = doc_set_object(w->a, to, "content");

	for (; media && *media; media++)
		put_schema(w, doc_set_object(w->a, content, *media), definition);
}

static void put_request(struct writer *w, const struct operation *o, struct doc *to)
{
	for (size_t i = 0; i < o->n; i++) {
		const struct operation_param *p = &o->params[i];
		struct doc *request;

		if (!p->body)
			continue;
		request = doc_set_object(w->a, to, "requestBody");
		put_content(w, request, o->consumes, p->body);
		if (p->required)
			doc_set_bool(w->a, request, "required", true);
	}
}

static void put_responses(struct writer *w, const struct operation *o, struct doc *to)
{
	static const struct {
		unsigned bit;
		const char *code, *text;
	} rows[] = { { STATUS_OK, "200", "OK" },
		     { STATUS_CREATED, "201", "Created" },
		     { STATUS_ACCEPTED, "202", "Accepted" } };
	struct doc *all = doc_set_object(w->a, to, "responses");

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct doc *it;

		if (!(o->statuses & rows[i].bit))
			continue;
		it = doc_set_object(w->a, all, rows[i].code);
		doc_set_str(w->a, it, "description", rows[i].text);
		if (w->v == API_OPENAPI_V2)
			put_schema(w, it, o->result);
		else
			put_content(w, it, o->produces, o->result);
	}
	doc_set_str(w->a, doc_set_object(w->a, all, "401"), "description", "Unauthorized");
}

static void put_kind(struct writer *w, const struct operation *o, struct doc *to)
{
	struct doc *k;

	if (!o->action)
		return;
	doc_set_str(w->a, to, "x-kubernetes-action", o->action);
	k = doc_set_object(w->a, to, "x-kubernetes-group-version-kind");
	doc_set_str(w->a, k, "group", o->group);
	doc_set_str(w->a, k, "kind", o->kind);
	doc_set_str(w->a, k, "version", o->version);
}

static void put_operation(struct writer *w, const struct path_item *item, const struct operation *o,
			  struct doc *to)
{
	if (w->v == API_OPENAPI_V2)
		put_words(w, to, "consumes", o->consumes);
	doc_set_str(w->a, to, "description", o->doc);
	doc_set_str(w->a, to, "operationId", o->id);
	put_params(w, item, o, false, to);
	if (w->v == API_OPENAPI_V2)
		put_words(w, to, "produces", o->produces);
	else
		put_request(w, o, to);
	put_responses(w, o, to);
	if (w->v == API_OPENAPI_V2)
		put_words(w, to, "schemes", (const char *const[]){ "https", NULL });
	put_words(w, to, "tags", (const char *const[]){ o->tag, NULL });
	put_kind(w, o, to);
}

void path_item_write(const struct path_item *item, enum api_openapi v, struct arena *a,
		     struct doc *params, struct arena *params_arena, struct doc *ret)
{
	struct writer w = { v, a, params, params_arena };

	*ret = doc_object();
	for (size_t i = 0; i < item->n; i++)
		put_operation(&w, item, &item->ops[i], doc_set_object(a, ret, item->ops[i].method));
	if (item->n)
		put_params(&w, item, &item->ops[0], true, ret);
}
