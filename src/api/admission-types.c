/* SPDX-License-Identifier: Apache-2.0 */
#include "api/admission-types.h"

#include "expr/cel.h"

/* Fields of AdmissionRequest, of Namespace, and of what is in them. */
enum shape {
	TEXT,
	BOOL,
	INT,
	TIME,
	ANY,
	TEXTS,
	LABELS,
	MAP,
	KIND,
	RESOURCE,
	USER,
	META,
	SPEC,
	STATUS,
	CONDITIONS,
};

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

static const struct field meta_fields[] = {
	{ "name", TEXT },
	{ "generateName", TEXT },
	{ "namespace", TEXT },
	{ "labels", LABELS },
	{ "annotations", LABELS },
	{ "UID", TEXT },
	{ "creationTimestamp", TIME },
	{ "deletionGracePeriodSeconds", INT },
	{ "deletionTimestamp", TIME },
	{ "generation", INT },
	{ "resourceVersion", TEXT },
	{ "finalizers", TEXTS },
	{ NULL, TEXT },
};
static const struct field spec_fields[] = { { "finalizers", TEXTS }, { NULL, TEXT } };
static const struct field condition_fields[] = {
	{ "status", TEXT },  { "type", TEXT },	 { "lastTransitionTime", TIME },
	{ "message", TEXT }, { "reason", TEXT }, { NULL, TEXT }
};
static const struct field status_fields[] = { { "conditions", CONDITIONS },
					      { "phase", TEXT },
					      { NULL, TEXT } };
static const struct field namespace_fields[] = {
	{ "metadata", META }, { "spec", SPEC }, { "status", STATUS }, { NULL, TEXT }
};

static const struct cel_type *find_field(const void *arg, struct slice name, struct arena *a);

static const struct cel_fields kind_of = { find_field, kind_fields };
static const struct cel_fields resource_of = { find_field, resource_fields };
static const struct cel_fields user_of = { find_field, user_fields };
static const struct cel_fields request_of = { find_field, request_fields };
static const struct cel_fields meta_of = { find_field, meta_fields };
static const struct cel_fields spec_of = { find_field, spec_fields };
static const struct cel_fields condition_of = { find_field, condition_fields };
static const struct cel_fields status_of = { find_field, status_fields };
static const struct cel_fields namespace_of = { find_field, namespace_fields };

static const struct cel_type *type_of(enum shape s, struct arena *a)
{
	const struct cel_type *text = cel_type_of(CEL_T_STRING);

	switch (s) {
	case TEXT: return text;
	case BOOL: return cel_type_of(CEL_T_BOOL);
	case INT: return cel_type_of(CEL_T_INT);
	case TIME: return cel_type_of(CEL_T_TIMESTAMP);
	case ANY: return cel_type_of(CEL_T_DYN);
	case TEXTS: return cel_type_list(a, text);
	case LABELS: return cel_type_map(a, text, text);
	case MAP: return cel_type_map(a, text, cel_type_list(a, text));
	case KIND: return cel_type_object(a, "kubernetes.GroupVersionKind", &kind_of);
	case RESOURCE: return cel_type_object(a, "kubernetes.GroupVersionResource", &resource_of);
	case USER: return cel_type_object(a, "kubernetes.UserInfo", &user_of);
	case META: return cel_type_object(a, "kubernetes.NamespaceMetadata", &meta_of);
	case SPEC: return cel_type_object(a, "kubernetes.NamespaceSpec", &spec_of);
	case STATUS: return cel_type_object(a, "kubernetes.NamespaceStatus", &status_of);
	case CONDITIONS:
		return cel_type_list(
			a, cel_type_object(a, "kubernetes.NamespaceCondition", &condition_of));
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

const struct cel_type *admission_user_type(struct arena *a)
{
	return type_of(USER, a);
}

const struct cel_type *admission_request_type(struct arena *a)
{
	return cel_type_object(a, "kubernetes.AdmissionRequest", &request_of);
}

const struct cel_type *admission_namespace_type(struct arena *a)
{
	return cel_type_object(a, "kubernetes.Namespace", &namespace_of);
}
