/* SPDX-License-Identifier: Apache-2.0 */
/* Types of CEL: the fixed ones, how they are made, printed and compared; environments. */
#include "base/err.h"
#include "expr/cel-private.h"

#include <stdio.h>

#define DYN (&cel_types[CEL_T_DYN])
#define STRING (&cel_types[CEL_T_STRING])

const struct cel_type cel_types[CEL_T_COUNT] = {
	[CEL_T_DYN] = { .kind = CEL_T_DYN, .name = "dyn" },
	[CEL_T_NULL] = { .kind = CEL_T_NULL, .name = "null" },
	[CEL_T_BOOL] = { .kind = CEL_T_BOOL, .name = "bool" },
	[CEL_T_INT] = { .kind = CEL_T_INT, .name = "int" },
	[CEL_T_UINT] = { .kind = CEL_T_UINT, .name = "uint" },
	[CEL_T_DOUBLE] = { .kind = CEL_T_DOUBLE, .name = "double" },
	[CEL_T_STRING] = { .kind = CEL_T_STRING, .name = "string" },
	[CEL_T_BYTES] = { .kind = CEL_T_BYTES, .name = "bytes" },
	[CEL_T_TIMESTAMP] = { .kind = CEL_T_TIMESTAMP, .name = "timestamp" },
	[CEL_T_DURATION] = { .kind = CEL_T_DURATION, .name = "duration" },
	[CEL_T_LIST] = { .kind = CEL_T_LIST, .name = "list", .of = { DYN } },
	[CEL_T_MAP] = { .kind = CEL_T_MAP, .name = "map", .of = { DYN, DYN } },
	[CEL_T_OBJECT] = { .kind = CEL_T_OBJECT, .name = "object" },
	[CEL_T_TYPE] = { .kind = CEL_T_TYPE, .name = "type" },
	[CEL_T_OPTIONAL] = { .kind = CEL_T_OPTIONAL, .name = "optional_type", .of = { DYN } },
	[CEL_T_QUANTITY] = { .kind = CEL_T_QUANTITY, .name = "kubernetes.Quantity" },
	[CEL_T_SEMVER] = { .kind = CEL_T_SEMVER, .name = "kubernetes.Semver" },
	[CEL_T_URL] = { .kind = CEL_T_URL, .name = "kubernetes.URL" },
	[CEL_T_IP] = { .kind = CEL_T_IP, .name = "net.IP" },
	[CEL_T_CIDR] = { .kind = CEL_T_CIDR, .name = "net.CIDR" },
	[CEL_T_FORMAT] = { .kind = CEL_T_FORMAT, .name = "kubernetes.NamedFormat" },
	[CEL_T_AUTHORIZER] = { .kind = CEL_T_AUTHORIZER,
			       .name = "kubernetes.authorization.Authorizer" },
	[CEL_T_PATH_CHECK] = { .kind = CEL_T_PATH_CHECK,
			       .name = "kubernetes.authorization.PathCheck" },
	[CEL_T_GROUP_CHECK] = { .kind = CEL_T_GROUP_CHECK,
				.name = "kubernetes.authorization.GroupCheck" },
	[CEL_T_RESOURCE_CHECK] = { .kind = CEL_T_RESOURCE_CHECK,
				   .name = "kubernetes.authorization.ResourceCheck" },
	[CEL_T_DECISION] = { .kind = CEL_T_DECISION, .name = "kubernetes.authorization.Decision" },
	[CEL_T_VAR] = { .kind = CEL_T_VAR, .name = "?" },
	[CEL_T_ERROR] = { .kind = CEL_T_ERROR, .name = "!error!" },
};

const struct cel_type cel_var_a = { .kind = CEL_T_VAR, .name = "A", .var = 0 };
const struct cel_type cel_var_b = { .kind = CEL_T_VAR, .name = "B", .var = 1 };
const struct cel_type cel_list_a = { .kind = CEL_T_LIST, .name = "list", .of = { &cel_var_a } };
const struct cel_type cel_list_b = { .kind = CEL_T_LIST, .name = "list", .of = { &cel_var_b } };
const struct cel_type cel_list_list_a = { .kind = CEL_T_LIST,
					  .name = "list",
					  .of = { &cel_list_a } };
const struct cel_type cel_map_ab = { .kind = CEL_T_MAP,
				     .name = "map",
				     .of = { &cel_var_a, &cel_var_b } };
const struct cel_type cel_optional_a = { .kind = CEL_T_OPTIONAL,
					 .name = "optional_type",
					 .of = { &cel_var_a } };
const struct cel_type cel_optional_b = { .kind = CEL_T_OPTIONAL,
					 .name = "optional_type",
					 .of = { &cel_var_b } };
const struct cel_type cel_list_optional_a = { .kind = CEL_T_LIST,
					      .name = "list",
					      .of = { &cel_optional_a } };
const struct cel_type cel_list_string = { .kind = CEL_T_LIST, .name = "list", .of = { STRING } };
const struct cel_type cel_list_int = { .kind = CEL_T_LIST,
				       .name = "list",
				       .of = { &cel_types[CEL_T_INT] } };
const struct cel_type cel_map_string_string = { .kind = CEL_T_MAP,
						.name = "map",
						.of = { STRING, STRING } };
const struct cel_type cel_map_string_strings = { .kind = CEL_T_MAP,
						 .name = "map",
						 .of = { STRING, &cel_list_string } };
const struct cel_type cel_optional_format = { .kind = CEL_T_OPTIONAL,
					      .name = "optional_type",
					      .of = { &cel_types[CEL_T_FORMAT] } };
const struct cel_type cel_optional_strings = { .kind = CEL_T_OPTIONAL,
					       .name = "optional_type",
					       .of = { &cel_list_string } };
const struct cel_type cel_type_a = { .kind = CEL_T_TYPE, .name = "type", .of = { &cel_var_a } };

const struct cel_type *cel_type_of(enum cel_kind kind)
{
	return &cel_types[kind];
}

static struct cel_type *make(struct arena *a, enum cel_kind kind, const struct cel_type *one,
			     const struct cel_type *two)
{
	struct cel_type *t = ARENA_NEW(a, struct cel_type);

	if (t)
		*t = (struct cel_type){ .kind = (uint8_t)kind,
					.name = cel_types[kind].name,
					.of = { one, two } };
	return t;
}

struct cel_type *cel_type_list(struct arena *a, const struct cel_type *of)
{
	return of ? make(a, CEL_T_LIST, of, NULL) : NULL;
}

struct cel_type *cel_type_map(struct arena *a, const struct cel_type *key,
			      const struct cel_type *value)
{
	return key && value ? make(a, CEL_T_MAP, key, value) : NULL;
}

struct cel_type *cel_type_optional(struct arena *a, const struct cel_type *of)
{
	return of ? make(a, CEL_T_OPTIONAL, of, NULL) : NULL;
}

struct cel_type *cel_type_object(struct arena *a, const char *name, const struct cel_fields *fields)
{
	struct cel_type *t = make(a, CEL_T_OBJECT, NULL, NULL);

	if (t) {
		t->name = name;
		t->fields = fields;
	}
	return t;
}

const struct cel_type *cel_row_find(const void *rows, struct slice name, struct arena *a)
{
	(void)a;
	for (const struct cel_row *r = rows; r->name; r++)
		if (slice_is(name, r->name))
			return r->type;
	return NULL;
}

static void print(struct buf *b, const struct cel_type *t, unsigned depth)
{
	(void)buf_adds(b, t->name);
	if (!t->of[0] || depth == 0 || b->full)
		return;
	(void)buf_addc(b, '(');
	print(b, t->of[0], depth - 1);
	if (t->of[1]) {
		(void)buf_adds(b, ", ");
		print(b, t->of[1], depth - 1);
	}
	(void)buf_addc(b, ')');
}

const char *cel_type_text(const struct cel_type *t, char *dst, size_t n)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(n - 1);

	print(&b, t, 16);
	(void)str_copy(dst, n, buf_str(&b)); /* a cut text is better than none */
	return dst;
}

/* Of types that share their parts only so much is looked at: then they are not the same. */
static bool same(const struct cel_type *a, const struct cel_type *b, unsigned *left)
{
	if (a == b)
		return true;
	if (a->kind != b->kind || !*left)
		return false;
	--*left;
	if (a->kind == CEL_T_VAR)
		return a->var == b->var;
	if (a->kind == CEL_T_OBJECT)
		return strcmp(a->name, b->name) == 0;
	for (size_t i = 0; i < 2; i++)
		if (!a->of[i] != !b->of[i] || (a->of[i] && !same(a->of[i], b->of[i], left)))
			return false;
	return true;
}

bool cel_type_same(const struct cel_type *a, const struct cel_type *b)
{
	unsigned left = 10000;

	return same(a, b, &left);
}

/* ---- names of fields ---- */

/* Kubernetes: fields that would be no names of CEL, or are words of it. */
static bool is_word(struct slice s)
{
	static const char *const words[] = { "true",	 "false",     "null",	  "in",	  "as",
					     "break",	 "const",     "continue", "else", "for",
					     "function", "if",	      "import",	  "let",  "loop",
					     "package",	 "namespace", "return",	  "var",  "void",
					     "while" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (slice_is(s, words[i]))
			return true;
	return false;
}

struct slice cel_unescape(struct slice name, struct arena *a)
{
	static const struct {
		const char *escaped;
		char plain;
	} rows[] = { { "__dot__", '.' }, { "__dash__", '-' }, { "__slash__", '/' } };
	static const char under[] = "__underscores__";
	char *to, *p;

	if (!slice_has_text(name, SLICE("__")))
		return name;
	if (name.n > 4 && slice_starts(name, SLICE("__")) && slice_ends(name, SLICE("__")) &&
	    is_word(slice_of(name.p + 2, name.n - 4)))
		return slice_of(name.p + 2, name.n - 4);
	p = to = arena_alloc_raw(a, name.n, 1);
	if (!to)
		return name;
	while (name.n) {
		size_t i = 0, cut = 1;

		while (i < ARRAY_LEN(rows) && !slice_starts(name, slice_str(rows[i].escaped)))
			i++;
		if (i < ARRAY_LEN(rows)) {
			*p++ = rows[i].plain;
			cut = strlen(rows[i].escaped);
		} else if (slice_starts(name, slice_str(under))) {
			*p++ = '_';
			*p++ = '_';
			cut = sizeof(under) - 1;
		} else {
			*p++ = *name.p;
		}
		name = slice_of(name.p + cut, name.n - cut);
	}
	return slice_of(to, (size_t)(p - to));
}

/* ---- environments ---- */

struct cel_env *cel_env_new(struct arena *a, unsigned flags)
{
	struct cel_env *env = ARENA_NEW(a, struct cel_env);

	if (env)
		*env = (struct cel_env){ .a = a, .flags = flags, .container = "" };
	return env;
}

int cel_env_var(struct cel_env *env, const char *name, const struct cel_type *type, struct err *err)
{
	for (uint32_t i = 0; i < env->nvars; i++)
		if (slice_is(env->vars[i].name, name))
			return err_set(err, ERR_EXISTS, "variable '%s' is declared twice", name);
	if (env->nvars == env->cap) {
		uint32_t cap = env->cap ? env->cap * 2 : 8;

		env->vars = arena_grow(env->a, env->vars, env->cap * sizeof(*env->vars),
				       cap * sizeof(*env->vars));
		if (!env->vars) {
			env->nvars = env->cap = 0;
			return arena_quota(env->a, err);
		}
		env->cap = cap;
	}
	if (!type)
		return arena_quota(env->a, err);
	env->vars[env->nvars] = (struct cel_decl){ slice_str(name), type };
	return (int)env->nvars++;
}

int cel_env_type(struct cel_env *env, const struct cel_type *type, struct err *err)
{
	if (!type)
		return arena_quota(env->a, err);
	for (uint32_t i = 0; i < env->ntypes; i++)
		if (strcmp(env->types[i]->name, type->name) == 0)
			return err_set(err, ERR_EXISTS, "type '%s' is declared twice", type->name);
	if (env->ntypes == env->types_cap) {
		uint32_t cap = env->types_cap ? env->types_cap * 2 : 8;

		env->types = arena_grow(env->a, env->types, env->types_cap * sizeof(*env->types),
					cap * sizeof(*env->types));
		if (!env->types) {
			env->ntypes = env->types_cap = 0;
			return arena_quota(env->a, err);
		}
		env->types_cap = cap;
	}
	env->types[env->ntypes++] = type;
	return 0;
}

void cel_env_container(struct cel_env *env, const char *name)
{
	env->container = name;
}
