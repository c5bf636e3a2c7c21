/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Types of what expressions about a request see: the request itself, and its namespace.
 *
 * Spec: admission.k8s.io/v1 AdmissionRequest; core/v1 Namespace.
 */
#pragma once

struct arena;
struct cel_type;

/* NULL past the arena's maximum. */
const struct cel_type *admission_request_type(struct arena *a);
const struct cel_type *admission_user_type(struct arena *a); /* request.userInfo */
const struct cel_type *admission_namespace_type(struct arena *a);
