/* SPDX-License-Identifier: Apache-2.0 */
/* Discovery beside upstream's document ($TEU_SHARED/data/kubernetes; without it that case skips).
 */
#include "../doc/doc-check.h"

#include "apiserver/objects/discovery.h"
#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

static const struct discovery *all(struct arena *a)
{
	struct discovery *d = ARENA_NEW(a, struct discovery);
	struct api *api = ARENA_NEW(a, struct api);
	struct err err = ERR_INIT;

	assert_non_null(d);
	assert_non_null(api);
	assert_int_equal(api_load(a, api, &err), 0);
	*d = (struct discovery){ .api = api, .address = "10.0.0.1:6443" };
	return d;
}

static void done(const struct discovery *d)
{
	api_fini((struct api *)(uintptr_t)d->api);
}

static struct doc *upstreams(struct arena *a)
{
	const char *shared = getenv("TEU_SHARED");
	CLEANUP(buf_fini) struct buf text = BUF_INIT(4u << 20);
	struct err err = ERR_INIT;
	char path[512];
	char *copy;

	(void)snprintf(path, sizeof(path), "%s/data/kubernetes/aggregated_discovery-1.36.json",
		       shared ? shared : "");
	if (fd_read_file(AT_FDCWD, path, &text, &err) < 0)
		return NULL;
	copy = arena_strndup(a, text.p, text.n);
	assert_non_null(copy);
	return must_read(a, copy);
}

static struct doc *named(struct doc *list, const char *key, const struct doc *value)
{
	DOC_EACH (x, list)
		if (doc_equal(doc_find(x, key), value))
			return x;
	return NULL;
}

static struct doc *resource(const struct doc *list, const char *name)
{
	const struct doc text = doc_borrow(name, strlen(name));

	return named(doc_get(list, "resources"), "name", &text);
}

static int compare_resources(struct arena *a, struct doc *ours, struct doc *theirs)
{
	int bad = doc_len(ours) != doc_len(theirs);

	DOC_EACH (t, theirs) {
		struct doc *mine = named(ours, "resource", doc_get(t, "resource"));

		if (mine && doc_equal(mine, t))
			continue;
		print_error("ours %s\ntheirs %s\n", mine ? written(a, mine, NULL) : "-",
			    written(a, t, NULL));
		bad++;
	}
	return bad;
}

static void the_whole_is_upstreams(void **state)
{
	struct arena *a = *state;
	const struct discovery *d = all(a);
	struct doc *theirs = upstreams(a), ours;
	struct err err = ERR_INIT;
	size_t place = 0;
	int bad = 0;

	if (!theirs) {
		done(d);
		skip();
	}
	assert_int_equal(discovery_aggregated(d, false, a, &ours, &err), 0);
	DOC_EACH (group, doc_get(theirs, "items")) {
		struct doc *mine = named(doc_get(&ours, "items"), "metadata.name",
					 doc_find(group, "metadata.name"));

		/* groups with versions that are off by default alone are not ours */
		if (!mine)
			continue;
		assert_ptr_equal(mine, doc_at(doc_get(&ours, "items"), place++));
		DOC_EACH (v, doc_get(mine, "versions")) {
			struct doc *t =
				named(doc_get(group, "versions"), "version", doc_get(v, "version"));

			assert_non_null(t);
			bad += compare_resources(a, doc_get(v, "resources"),
						 doc_get(t, "resources"));
		}
	}
	assert_int_equal(place, doc_len(doc_get(&ours, "items")));
	assert_int_equal(bad, 0);
	done(d);
}

static void lists_are_as_old_clients_ask(void **state)
{
	struct arena *a = *state;
	const struct discovery *d = all(a);
	struct err err = ERR_INIT;
	struct doc out;

	assert_int_equal(discovery_core(d, a, &out, &err), 0);
	assert_doc(a, &out,
		   "{\"kind\":\"APIVersions\",\"apiVersion\":\"v1\",\"versions\":[\"v1\"],"
		   "\"serverAddressByClientCIDRs\":[{\"clientCIDR\":\"0.0.0.0/0\","
		   "\"serverAddress\":\"10.0.0.1:6443\"}]}");
	assert_int_equal(discovery_group(d, "autoscaling", a, &out, &err), 0);
	assert_doc(a, &out,
		   "{\"kind\":\"APIGroup\",\"apiVersion\":\"v1\",\"name\":\"autoscaling\","
		   "\"versions\":["
		   "{\"groupVersion\":\"autoscaling/v2\",\"version\":\"v2\"},{\"groupVersion\":"
		   "\"autoscaling/v1\",\"version\":\"v1\"}],\"preferredVersion\":{\"groupVersion\":"
		   "\"autoscaling/v2\",\"version\":\"v2\"}}");
	assert_int_equal(discovery_groups(d, a, &out, &err), 0);
	assert_int_equal(doc_len(doc_get(&out, "groups")), 20);
	assert_int_equal(discovery_resources(d, "v1", a, &out, &err), 0);
	assert_doc(
		a, resource(&out, "pods/eviction"),
		"{\"name\":\"pods/eviction\",\"singularName\":\"\",\"namespaced\":true,\"group\":"
		"\"policy\",\"version\":\"v1\",\"kind\":\"Eviction\",\"verbs\":[\"create\"]}");
	assert_doc(a, resource(&out, "configmaps"),
		   "{\"name\":\"configmaps\",\"singularName\":\"configmap\",\"namespaced\":true,"
		   "\"kind\":\"ConfigMap\",\"verbs\":[\"create\",\"delete\",\"deletecollection\","
		   "\"get\","
		   "\"list\",\"patch\",\"update\",\"watch\"],\"shortNames\":[\"cm\"],"
		   "\"storageVersionHash\":\"qFsyl6wFWjQ=\"}");
	assert_int_equal(discovery_resources(d, "nope/v1", a, &out, &err), -ERR_NOT_FOUND);
	assert_int_equal(discovery_group(d, "nope", a, &out, &err), -ERR_NOT_FOUND);
	done(d);
}

static void services_tell_the_order_and_what_is_elsewhere(void **state)
{
	struct arena *a = *state;
	struct discovery d = *all(a);
	static const struct discovery_service services[] = {
		{ .group = "batch",
		  .version = "v1",
		  .api_version = "batch/v1",
		  .group_priority = 19000,
		  .version_priority = 1 },
		{ .group = "far.io",
		  .version = "v1",
		  .api_version = "far.io/v1",
		  .group_priority = 1,
		  .version_priority = 1,
		  .remote = true,
		  .resources = SLICE("[{\"resource\":\"things\"}]") },
		{ .group = "far.io",
		  .version = "v2alpha1",
		  .api_version = "far.io/v2alpha1",
		  .group_priority = 19500,
		  .version_priority = 2,
		  .remote = true,
		  .stale = true },
		{ .group = "apps", /* taken over */
		  .version = "v1",
		  .api_version = "apps/v1",
		  .group_priority = 17800,
		  .version_priority = 1,
		  .remote = true },
	};
	struct err err = ERR_INIT;
	struct doc out;

	d.services = services;
	d.nservices = ARRAY_LEN(services);
	assert_int_equal(discovery_groups(&d, a, &out, &err), 0);
	assert_int_equal(doc_len(doc_get(&out, "groups")), 21);
	assert_true(doc_str_is(doc_find(&out, "groups.0.name"), "apiregistration.k8s.io"));
	assert_true(doc_str_is(doc_find(&out, "groups.1.name"), "far.io"));
	assert_true(doc_str_is(doc_find(&out, "groups.2.name"), "batch"));
	assert_int_equal(discovery_group(&d, "far.io", a, &out, &err), 0);
	assert_doc(a, doc_get(&out, "versions"),
		   "[{\"groupVersion\":\"far.io/v2alpha1\",\"version\":\"v2alpha1\"},"
		   "{\"groupVersion\":\"far.io/v1\",\"version\":\"v1\"}]");
	assert_int_equal(discovery_aggregated(&d, false, a, &out, &err), 0);
	assert_doc(a, doc_find(&out, "items.1.versions"),
		   "[{\"version\":\"v2alpha1\",\"resources\":[],\"freshness\":\"Stale\"},"
		   "{\"version\":\"v1\",\"resources\":[{\"resource\":\"things\"}],"
		   "\"freshness\":\"Current\"}]");
	assert_int_equal(discovery_group(&d, "apps", a, &out, &err), 0);
	assert_int_equal(doc_len(doc_get(&out, "versions")), 1);
	done(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_whole_is_upstreams),
		CASE(lists_are_as_old_clients_ask),
		CASE(services_tell_the_order_and_what_is_elsewhere),
	};

	return cmocka_run_group_tests_name("apiserver discovery", tests, NULL, NULL);
}
