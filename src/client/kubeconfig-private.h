/* SPDX-License-Identifier: Apache-2.0 */
/* What reading and changing kubeconfig files share; not for other folders. */
#pragma once

#include "client/kubeconfig.h"
#include "doc/doc.h"

struct kubeconfig_part_name {
	const char *list, *one; /* "clusters", "cluster" */
};
extern const struct kubeconfig_part_name kubeconfig_part_names[KUBECONFIG_PARTS];

/* A stanza with known fields only. */
int kubeconfig_known(struct arena *a, enum kubeconfig_part part, const struct doc *from,
		     struct doc **ret, struct err *err);
/* {name, cluster|user|context} in one of the lists. */
struct doc *kubeconfig_entry(const struct doc *list, struct slice name);
void kubeconfig_sort(struct doc *list);
/* Fills doc and exists; no file is an empty Config. */
int kubeconfig_read_file(struct arena *a, struct kubeconfig_file *f, struct err *err);
