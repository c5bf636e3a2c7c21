/* SPDX-License-Identifier: Apache-2.0 */
/* A whole server with admission policies. Texts of objects have ' for " and ` for \". */
#pragma once

#include "admission-fix.h"

#define GROUPS "/apis/admissionregistration.k8s.io/v1"
#define VAPS GROUPS "/validatingadmissionpolicies"
#define VAPBS GROUPS "/validatingadmissionpolicybindings"
#define MAPPS GROUPS "/mutatingadmissionpolicies"
#define MAPBS GROUPS "/mutatingadmissionpolicybindings"
#define CMS "/api/v1/namespaces/n1/configmaps"

#define RULES(ops, group, version, resource)                            \
	"'resourceRules':[{'operations':[" ops "],'apiGroups':['" group \
	"'],'apiVersions':['" version "'],'resources':['" resource "']}]"
#define ON(ops, group, version, resource) \
	"'matchConstraints':{" RULES(ops, group, version, resource) "}"
#define ON_CMS ON("'CREATE','UPDATE'", "", "v1", "configmaps")
#define EXPR(text) "'validations':[{'expression':'" text "'}]"

#define CM(name, data) \
	"{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'" name "'},'data':{" data "}}"

static inline const char *written(const char *text)
{
	static char out[65536];
	size_t n = 0;

	for (; *text && n < sizeof(out) - 2; text++) {
		if (*text == '`')
			out[n++] = '\\';
		out[n++] = *text == '`' || *text == '\'' ? '"' : *text;
	}
	out[n] = '\0';
	return out;
}

static inline void ppost(struct rfix *x, const char *path, const char *body, int code)
{
	(void)post(x, path, written(body));
	assert_code(x, code);
}

static inline void pput(struct rfix *x, const char *path, const char *body, int code)
{
	(void)ask(x, "PUT", path, ADMIN JSON, written(body));
	assert_code(x, code);
}

/* kind: "Validating" or "Mutating". */
static inline void policy(struct rfix *x, const char *kind, const char *name, const char *spec,
			  int code)
{
	char body[32768];

	snprintf(body, sizeof(body),
		 "{'apiVersion':'admissionregistration.k8s.io/v1','kind':'%sAdmissionPolicy',"
		 "'metadata':{'name':'%s'},'spec':{%s}}",
		 kind, name, spec);
	ppost(x, *kind == 'V' ? VAPS : MAPPS, body, code);
}

static inline void binding(struct rfix *x, const char *kind, const char *name, const char *of,
			   const char *more, int code)
{
	char body[8192];

	snprintf(
		body, sizeof(body),
		"{'apiVersion':'admissionregistration.k8s.io/v1','kind':'%sAdmissionPolicyBinding',"
		"'metadata':{'name':'%s'},'spec':{'policyName':'%s'%s}}",
		kind, name, of, more);
	ppost(x, *kind == 'V' ? VAPBS : MAPBS, body, code);
}

#define DENIES ",'validationActions':['Deny']"

/* A validating policy p with a binding b that denies. */
static inline void judged(struct rfix *x, const char *spec)
{
	policy(x, "Validating", "p", spec, 201);
	binding(x, "Validating", "b", "p", DENIES, 201);
}

/* A mutating one. */
static inline void changed(struct rfix *x, const char *spec)
{
	policy(x, "Mutating", "p", spec, 201);
	binding(x, "Mutating", "b", "p", "", 201);
}

static inline void forget(struct rfix *x)
{
	static const char *const all[] = { VAPS, VAPBS, MAPPS, MAPBS };

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		(void)ask(x, "DELETE", all[i], ADMIN, NULL);
		assert_code(x, 200);
	}
}
