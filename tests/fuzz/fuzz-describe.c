/* SPDX-License-Identifier: Apache-2.0 */
/* kubectl describe and explain of whatever a server may send: no escape reaches the terminal. */
#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "cli/kubectl/describe.h"
#include "cli/kubectl/kubectl-explain.h"
#include "doc/json.h"

#include <assert.h>

/* Kinds whose description asks the server nothing. */
static const char *const calm[] = { "PersistentVolume",
				    "StorageClass",
				    "CSINode",
				    "VolumeAttributesClass",
				    "Pod",
				    "CronJob",
				    "Job",
				    "HorizontalPodAutoscaler",
				    "PodDisruptionBudget",
				    "Endpoints",
				    "EndpointSlice",
				    "IngressClass",
				    "NetworkPolicy",
				    "ServiceCIDR",
				    "IPAddress",
				    "ResourceQuota",
				    "LimitRange",
				    "Secret",
				    "ConfigMap",
				    "PriorityClass",
				    "Role",
				    "RoleBinding",
				    "CertificateSigningRequest",
				    NULL };

static void describe_as(struct kubectl *k, const struct doc *obj, describe_fn *run)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(16u << 20);
	struct describe d = {
		.k = k, .obj = obj, .name = "n", .space = "s", .text = BUF_INIT(16u << 20)
	};
	struct err err = ERR_INIT;

	if (run(&d, &err) == 0)
		describe_align(buf_slice(&d.text), &out);
	else
		assert(err.code && err.msg[0]);
	assert(!out.n || !memchr(out.p, 0x1b, out.n));
	buf_fini(&d.text);
}

static void explain(struct arena *a, const struct doc *obj)
{
	static const struct resource r = { .group = "", .version = "v1", .kind = "Pod" };
	static const char *const path[] = { "spec", "x" };
	CLEANUP(buf_fini) struct buf out = BUF_INIT(16u << 20);
	struct explain e = { .arena = a, .document = obj, .recursive = true, .out = &out };
	struct err err = ERR_INIT;

	assert(explain_kind(&e, &r, path, 0, &err) == 0 || err.code);
	e.recursive = false;
	err = ERR_INIT;
	assert(explain_kind(&e, &r, path, ARRAY_LEN(path), &err) == 0 || err.code);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct describe_kind *const areas[] = { describe_core, describe_workloads,
							     describe_networks, describe_stores,
							     describe_rules };
	CLEANUP(arena_free) struct arena *a = arena_new("fuzz", 256u << 20);
	CLEANUP(buf_fini) struct buf out = BUF_INIT(64u << 20);
	struct kubectl k = { .arena = a };
	struct doc *obj;

	log_setup("fuzz", 2, LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	describe_align(slice_of((const char *)data, n), &out);
	explain_wrap(slice_of((const char *)data, n), 20, &out);
	if (json_read(a, slice_of((const char *)data, n), NULL, &obj, NULL) < 0)
		return 0;
	describe_as(&k, obj, describe_generic);
	for (size_t i = 0; i < ARRAY_LEN(areas); i++)
		for (const struct describe_kind *kind = areas[i]; kind->kind; kind++)
			if (str_is_one_of(kind->kind, calm))
				describe_as(&k, obj, kind->run);
	explain(a, obj);
	return 0;
}
