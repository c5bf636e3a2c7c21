/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an AdmissionConfiguration says: the plugins' own configurations, decoded and checked.
 *
 * Decoding is strict everywhere (upstream lets strangers pass in the older kinds). A plugin that
 * does not run has its configuration left alone, as upstream does. Spec: Kubernetes 1.36,
 * apiserver.config.k8s.io/v1 AdmissionConfiguration, and the kinds that admission-config.c names.
 */
#pragma once

#include "doc/schema.h"

struct arena;
struct doc;
struct err;

enum podsec_level { PODSEC_PRIVILEGED, PODSEC_BASELINE, PODSEC_RESTRICTED };
#define PODSEC_LATEST UINT32_MAX
struct podsec_policy {
	enum podsec_level level;
	uint32_t minor; /* of "v1.x"; PODSEC_LATEST */
};

struct podsec_conf {
	struct podsec_policy enforce, audit, warn; /* of namespaces without labels */
	struct strs users, namespaces, classes;	   /* that are exempt */
};

struct image_conf {
	const char *kubeconfig;	     /* absolute */
	int64_t allow_ttl, deny_ttl; /* ns; 0: nothing is kept */
	int64_t back_off;	     /* ns */
	bool fails_open;
};

/* To use it a quota has to cover it. */
struct quota_limit {
	const char *group, *resource;
	struct strs contains;	  /* parts of names of what is used */
	const struct doc *scopes; /* ScopedResourceSelectorRequirement; NULL: none */
};

enum event_key { EVENT_OF_SERVER, EVENT_OF_NAMESPACE, EVENT_OF_USER, EVENT_OF_OBJECT };
struct event_limit {
	enum event_key key;
	int32_t qps, burst, cache;
};
#define EVENT_LIMITS_MAX 64

struct admission_conf {
	struct podsec_conf podsec;
	struct image_conf images;
	struct quota_limit *limited;
	size_t nlimited;
	struct event_limit *events;
	size_t nevents;
	/* of PodNodeSelector: by namespace, or as clusterDefaultNodeSelector */
	struct str_map node_selectors;
	const struct doc *tolerations, *tolerated; /* default, whitelist; NULL: none */
	const char *webhooks[2]; /* kubeconfigs: validating, mutating; NULL: none */
};

struct admission_conf_from {
	/* Appends another file. */
	int (*file)(void *arg, const char *path, struct buf *out, struct err *err);
	/* Does the plugin run? -1: there is none of the name. */
	int (*runs)(void *arg, const char *name);
	void *arg;
};
/*
 * text: of the file `path`, beside which others are looked for; both NULL: there is none, which is
 * an error of plugins that run and need one. Texts and documents are the arena's. -ERR_INVALID, in
 * upstream's words where it has some.
 */
int admission_conf_read(struct slice text, const char *path, const struct admission_conf_from *from,
			struct arena *a, struct admission_conf *ret, struct err *err);
