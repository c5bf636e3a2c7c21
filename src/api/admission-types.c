/* SPDX-License-Identifier: Apache-2.0 */
#include "api/admission-types.h"

#include "expr/cel.h"

#define TEXT (&cel_types[CEL_T_STRING])
#define BOOL (&cel_types[CEL_T_BOOL])
#define INT (&cel_types[CEL_T_INT])
#define TIME (&cel_types[CEL_T_TIMESTAMP])
#define ANY (&cel_types[CEL_T_DYN])
#define TEXTS (&cel_list_string)
#define LABELS (&cel_map_string_string)

/* ---- AdmissionRequest ---- */

static const struct cel_row kind_rows[] = {
	{ "group", TEXT }, { "version", TEXT }, { "kind", TEXT }, { NULL, NULL }
};
static const struct cel_type kind = CEL_OBJECT("kubernetes.GroupVersionKind", kind_rows);

static const struct cel_row resource_rows[] = {
	{ "group", TEXT }, { "version", TEXT }, { "resource", TEXT }, { NULL, NULL }
};
static const struct cel_type resource =
	CEL_OBJECT("kubernetes.GroupVersionResource", resource_rows);

static const struct cel_row user_rows[] = { { "username", TEXT },
					    { "uid", TEXT },
					    { "groups", TEXTS },
					    { "extra", &cel_map_string_strings },
					    { NULL, NULL } };
const struct cel_type admission_user_type = CEL_OBJECT("kubernetes.UserInfo", user_rows);

static const struct cel_row request_rows[] = {
	{ "kind", &kind },
	{ "resource", &resource },
	{ "subResource", TEXT },
	{ "requestKind", &kind },
	{ "requestResource", &resource },
	{ "requestSubResource", TEXT },
	{ "name", TEXT },
	{ "namespace", TEXT },
	{ "operation", TEXT },
	{ "userInfo", &admission_user_type },
	{ "dryRun", BOOL },
	{ "options", ANY },
	{ NULL, NULL },
};
const struct cel_type admission_request_type =
	CEL_OBJECT("kubernetes.AdmissionRequest", request_rows);

/* ---- Namespace ---- */

static const struct cel_row meta_rows[] = {
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
	{ NULL, NULL },
};
static const struct cel_type meta = CEL_OBJECT("kubernetes.NamespaceMetadata", meta_rows);

static const struct cel_row spec_rows[] = { { "finalizers", TEXTS }, { NULL, NULL } };
static const struct cel_type spec = CEL_OBJECT("kubernetes.NamespaceSpec", spec_rows);

static const struct cel_row condition_rows[] = {
	{ "status", TEXT },  { "type", TEXT },	 { "lastTransitionTime", TIME },
	{ "message", TEXT }, { "reason", TEXT }, { NULL, NULL }
};
static const struct cel_type condition =
	CEL_OBJECT("kubernetes.NamespaceCondition", condition_rows);
static const struct cel_type conditions = CEL_LIST(&condition);

static const struct cel_row status_rows[] = { { "conditions", &conditions },
					      { "phase", TEXT },
					      { NULL, NULL } };
static const struct cel_type status = CEL_OBJECT("kubernetes.NamespaceStatus", status_rows);

static const struct cel_row namespace_rows[] = {
	{ "metadata", &meta }, { "spec", &spec }, { "status", &status }, { NULL, NULL }
};
const struct cel_type admission_namespace_type = CEL_OBJECT("kubernetes.Namespace", namespace_rows);
