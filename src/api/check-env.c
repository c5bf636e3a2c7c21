/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of a container's environment. */
#include "api/check-container.h"

static const char *const env_fields[] = { "metadata.name",
					  "metadata.namespace",
					  "metadata.uid",
					  "spec.nodeName",
					  "spec.serviceAccountName",
					  "status.hostIP",
					  "status.hostIPs",
					  "status.podIP",
					  "status.podIPs",
					  NULL };

static void check_key_ref(struct check *c, const struct path *p, const struct doc *ref)
{
	const struct path name_at = PATH(p, "name"), key = PATH(p, "key");
	const struct doc *name = doc_get(ref, "name");
	const char *why = form_dns_subdomain(doc_slice(name));

	if (why)
		check_invalid(c, &name_at, name, "%s", why);
	check_text(c, &key, doc_get(ref, "key"), form_config_key);
}

static void check_file_ref(struct check *c, const struct path *p, const struct doc *ref,
			   const struct pod *pod)
{
	static const struct field_rule rules[] = {
		{ .field = "volumeName", .required = true, .form = form_dns_label },
		{ .field = "path", .required = true },
		{ .field = "key", .required = true, .form = form_env_name },
		{ 0 },
	};
	const struct path path = PATH(p, "path"), name_at = PATH(p, "volumeName");
	const struct doc *name = doc_get(ref, "volumeName"), *v = pod_volume(pod, name);

	check_fields(c, p, ref, rules);
	check_local(c, &path, doc_get(ref, "path"));
	if (doc_slice(name).n > 0 && !v)
		check_not_found(c, &name_at, name);
	else if (v && !doc_get(v, "emptyDir"))
		check_invalid(c, &name_at, name, "referenced volume must be of type emptyDir");
}

static unsigned check_sources(struct check *c, const struct path *p, const struct doc *from,
			      const struct pod *pod)
{
	const struct path field = PATH(p, "fieldRef"), resource = PATH(p, "resourceFieldRef"),
			  map = PATH(p, "configMapKeyRef"), secret = PATH(p, "secretKeyRef"),
			  file = PATH(p, "fileKeyRef");
	const struct doc *f = doc_get(from, "fieldRef"), *r = doc_get(from, "resourceFieldRef"),
			 *m = doc_get(from, "configMapKeyRef"), *s = doc_get(from, "secretKeyRef"),
			 *k = doc_get(from, "fileKeyRef");

	if (f)
		check_field_ref(c, &field, f, env_fields);
	if (r)
		check_resource_ref(c, &resource, r, false);
	if (m)
		check_key_ref(c, &map, m);
	if (s)
		check_key_ref(c, &secret, s);
	if (k)
		check_file_ref(c, &file, k, pod);
	return (unsigned)!!f + !!r + !!m + !!s + !!k;
}

static void check_value_from(struct check *c, const struct path *p, const struct doc *env,
			     const struct pod *pod)
{
	const struct path at = PATH(p, "valueFrom");
	const struct doc *from = doc_get(env, "valueFrom");
	unsigned n;

	if (!from)
		return;
	n = check_sources(c, &at, from, pod);
	if (n == 0)
		check_invalid(c, &at, NULL,
			      "must specify one of: `fieldRef`, `resourceFieldRef`, "
			      "`configMapKeyRef`, `secretKeyRef` or `fileKeyRef`");
	else if (doc_slice(doc_get(env, "value")).n > 0)
		check_invalid(c, &at, NULL, "may not be specified when `value` is not empty");
	else if (n > 1)
		check_invalid(c, &at, NULL, "may not have more than one field specified at a time");
}

void check_env(struct check *c, const struct path *p, const struct doc *list, const struct pod *pod)
{
	static const struct field_rule rules[] = {
		{ .field = "name", .required = true, .form = form_env_name },
		{ 0 },
	};

	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(p, i);

		check_fields(c, &at, doc_at(list, i), rules);
		check_value_from(c, &at, doc_at(list, i), pod);
	}
}

void check_env_from(struct check *c, const struct path *p, const struct doc *list)
{
	static const struct field_rule rules[] = {
		{ .field = "prefix", .form = form_env_name },
		{ .within = "configMapRef",
		  .field = "name",
		  .required = true,
		  .form = form_dns_subdomain },
		{ .within = "secretRef",
		  .field = "name",
		  .required = true,
		  .form = form_dns_subdomain },
		{ 0 },
	};

	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(p, i);
		const struct doc *e = doc_at(list, i);
		bool map = doc_get(e, "configMapRef"), secret = doc_get(e, "secretRef");

		check_fields(c, &at, e, rules);
		/* Upstream tells these two of the list. */
		if (!map && !secret)
			check_invalid(c, p, NULL,
				      "must specify one of: `configMapRef` or `secretRef`");
		else if (map && secret)
			check_invalid(c, p, NULL,
				      "may not have more than one field specified at a time");
	}
}
