/* SPDX-License-Identifier: Apache-2.0 */
#include "api/match-condition.h"

#include "api/admission-types.h"
#include "base/arena.h"
#include "base/err.h"
#include "expr/cel.h"

int match_env_new(struct arena *a, struct cel_env **ret, struct err *err)
{
	struct cel_env *env = cel_env_new(a, 0);
	const struct {
		const char *name;
		const struct cel_type *type;
	} vars[MATCH_VARS] = {
		[MATCH_VAR_OBJECT] = { "object", cel_type_of(CEL_T_DYN) },
		[MATCH_VAR_OLD] = { "oldObject", cel_type_of(CEL_T_DYN) },
		[MATCH_VAR_REQUEST] = { "request", &admission_request_type },
		[MATCH_VAR_AUTHORIZER] = { "authorizer", cel_type_of(CEL_T_AUTHORIZER) },
		[MATCH_VAR_REQUEST_RESOURCE] = { "authorizer.requestResource",
						 cel_type_of(CEL_T_RESOURCE_CHECK) },
	};
	int r = 0;

	if (!env)
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
	int r = cel_value_of(obj, NULL, a, &ret[MATCH_VAR_OBJECT], err);

	if (r >= 0)
		r = cel_value_of(old, NULL, a, &ret[MATCH_VAR_OLD], err);
	return r < 0 ? r
		     : cel_value_of(request, &admission_request_type, a, &ret[MATCH_VAR_REQUEST],
				    err);
}
