/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which built-in versions and resources are served: what `--runtime-config` and `--feature-gates`
 * of upstream's server say, applied to loaded tables. What is off is told by no discovery document
 * and found by no request; its objects stay as they are.
 *
 *	api/all  api/ga  api/beta  api/alpha	every version, or those like v1, v1beta1, v1alpha1
 *	GROUP/VERSION  v1			one version
 *	GROUP/VERSION/RESOURCE  v1/RESOURCE	one resource
 *
 * Applied in this order, however they are given; of several with one name the last counts. The
 * value is true or false (none: true). What these tables do not have is refused by name.
 * Spec: Kubernetes 1.36, apiserver's --runtime-config (for facts).
 */
#pragma once

#include "api/api.h"

struct api_serving {
	/* Texts of name=value with commas between. */
	const char *const *versions, *const *features;
	size_t nversions, nfeatures;
	/* Result: a version that was switched on by name needs this feature, and stays off. NULL */
	const char *lacks;
};
/* Once, behind api_load and before anybody reads the tables. -ERR_BAD_REQUEST names the flag. */
int api_serve(struct api *api, struct api_serving *s, struct err *err);
