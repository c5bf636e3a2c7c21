/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Types of what expressions about a request see: the request itself, and its namespace.
 *
 * Spec: admission.k8s.io/v1 AdmissionRequest; core/v1 Namespace.
 */
#pragma once

#include "expr/cel.h"

extern const struct cel_type admission_request_type;
extern const struct cel_type admission_user_type; /* request.userInfo */
extern const struct cel_type admission_namespace_type;
