/* SPDX-License-Identifier: Apache-2.0 */
#include "api/match-condition.h"

#include "base/arena.h"
#include "base/err.h"
#include "expr/cel.h"

/* Fields of AdmissionRequest and of what is in it. */
enum shape { TEXT, BOOL, ANY, TEXTS, MAP, KIND, RESOURCE, USER };

struct field {
	const char *name;
	enum shape shape;
};

static const struct field kind_fields[] = {
	{ "group", TEXT }, { "version", TEXT }, { "kind", TEXT }, { NULL, TEXT }
};
static const struct field resource_fields[] = {
	{ "group", TEXT }, { "version", TEXT }, { "resource", TEXT }, { NULL, TEXT }
};
static const struct field user_fields[] = {
	{ "username", TEXT }, { "uid", TEXT }, { "groups", TEXTS }, { "extra", MAP }, { NULL, TEXT }
};
static const struct field request_fields[] = {
	{ "kind", KIND },
	{ "resource", RESOURCE },
	{ "subResource", TEXT },
	{ "requestKind", KIND },
	{ "requestResource", RESOURCE },
	{ "requestSubResource", TEXT },
	{ "name", TEXT },
	{ "namespace", TEXT },
	{ "operation", TEXT },
	{ "userInfo", USER },
	{ "dryRun", BOOL },
	{ "options", ANY },
	{ NULL, TEXT },
};

static const struct cel_type *find_field(const void *arg, struct slice name, struct arena *a);

static const struct cel_fields kind_of = { find_field, kind_fields };
static const struct cel_fields resource_of = { find_field, resource_fields };
static const struct cel_fields user_of = { find_field, user_fields };
static const struct cel_fields request_of = { find_field, request_fields };

static const struct cel_type *type_of(enum shape s, struct arena *a)
{
	const struct cel_type *text = cel_type_of(CEL_T_STRING);

	switch (s) {
	case TEXT: return text;
	case BOOL: return cel_type_of(CEL_T_BOOL);
	case ANY: return cel_type_of(CEL_T_DYN);
	case TEXTS: return cel_type_list(a, text);
	case MAP: return cel_type_map(a, text, cel_type_list(a, text));
	case KIND: return cel_type_object(a, "kubernetes.GroupVersionKind", &kind_of);
	case RESOURCE: return cel_type_object(a, "kubernetes.GroupVersionResource", &resource_of);
	case USER: return cel_type_object(a, "kubernetes.UserInfo", &user_of);
	}
	return NULL;
}

static const struct cel_type *find_field(const void *arg, struct slice name, struct arena *a)
{
	for (const struct field *f = arg; f->name; f++)
		if (slice_is(name, f->name))
			return type_of(f->shape, a);
	return NULL;
}

const struct cel_type *match_user_type(struct arena *a)
{
	return type_of(USER, a);
}

static const struct cel_type *request_type(struct arena *a)
{
	return cel_type_object(a, "kubernetes.AdmissionRequest", &request_of);
}

int match_env_new(struct arena *a, struct cel_env **ret, struct err *err)
{
	struct cel_env *env = cel_env_new(a, 0);
	const struct cel_type *request = request_type(a);
	const struct {
		const char *name;
		const struct cel_type *type;
	} vars[MATCH_VARS] = {
		[MATCH_VAR_OBJECT] = { "object", cel_type_of(CEL_T_DYN) },
		[MATCH_VAR_OLD] = { "oldObject", cel_type_of(CEL_T_DYN) },
		[MATCH_VAR_REQUEST] = { "request", request },
		[MATCH_VAR_AUTHORIZER] = { "authorizer", cel_type_of(CEL_T_AUTHORIZER) },
		[MATCH_VAR_REQUEST_RESOURCE] = { "authorizer.requestResource",
						 cel_type_of(CEL_T_RESOURCE_CHECK) },
	};
	int r = 0;

	if (!env || !request)
		return arena_quota(a, err);
	for (int i = 0; r >= 0 && i < MATCH_VARS; i++)
		r = cel_env_var(env, vars[i].name, vars[i].type, err);
	if (r < 0)
		return r;
	*ret = env;
	return 0;
}

int match_compile(const struct cel_env *env, struct slice text, struct arena *a,
		  const struct cel_prog **ret, struct err *err)
{
	return cel_compile(env, text, cel_type_of(CEL_T_BOOL), a, ret, err);
}

int match_values(const struct doc *obj, const struct doc *old, const struct doc *request,
		 struct arena *a, struct cel_value *ret, struct err *err)
{
	const struct cel_type *t = request_type(a);
	int r = t ? cel_value_of(obj, NULL, a, &ret[MATCH_VAR_OBJECT], err) : arena_quota(a, err);

	if (r >= 0)
		r = cel_value_of(old, NULL, a, &ret[MATCH_VAR_OLD], err);
	return r < 0 ? r : cel_value_of(request, t, a, &ret[MATCH_VAR_REQUEST], err);
}
