/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of what a container sees of the pod's volumes. */
#include "api/check-container.h"

#include "base/map.h"

const struct doc *pod_volume(const struct pod *pod, const struct doc *name)
{
	if (doc_slice(name).n > 0)
		DOC_EACH (v, doc_get(pod->spec, "volumes"))
			if (doc_equal(doc_get(v, "name"), name))
				return v;
	return NULL;
}

/* Does any element of the list have this text? Empty texts are told elsewhere. */
static bool has_other(const struct doc *list, const char *field, const struct doc *text)
{
	DOC_EACH (x, list)
		if (doc_slice(text).n > 0 && doc_equal(doc_get(x, field), text))
			return true;
	return false;
}

static bool has_before(const struct doc *list, size_t i, const char *field, const struct doc *text)
{
	for (size_t j = 0; text && j < i; j++)
		if (doc_equal(doc_get(doc_at(list, j), field), text))
			return true;
	return false;
}

/* ---- mounts ---- */

static void check_recursive(struct check *c, const struct path *p, const struct doc *m)
{
	static const char *const modes[] = { "Disabled", "Enabled", "IfPossible", NULL };
	const struct doc *mode = doc_get(m, "recursiveReadOnly"),
			 *propagation = doc_get(m, "mountPropagation");

	if (!mode || doc_str_is(mode, "Disabled"))
		return;
	if (!doc_str_is(mode, "Enabled") && !doc_str_is(mode, "IfPossible")) {
		check_unsupported(c, p, mode, modes);
		return;
	}
	if (!doc_true(doc_get(m, "readOnly")))
		check_forbidden(c, p, "may only be specified when readOnly is true");
	if (propagation && !doc_str_is(propagation, "None"))
		check_forbidden(c, p,
				"may only be specified when mountPropagation is None or not "
				"specified");
}

static void check_propagation(struct check *c, const struct path *p, const struct doc *m,
			      const struct doc *container)
{
	static const char *const modes[] = { "Bidirectional", "HostToContainer", "None", NULL };
	const struct doc *mode = doc_get(m, "mountPropagation");

	if (!mode)
		return;
	check_exactly_one_of(c, p, mode, modes);
	if (doc_str_is(mode, "Bidirectional") &&
	    !doc_true(doc_find(container, "securityContext.privileged")))
		check_forbidden(c, p,
				"Bidirectional mount propagation is available only to privileged "
				"containers");
}

/* list: of all mounts, where upstream tells what is wrong with a part of one. */
static void check_sub_path(struct check *c, const struct path *list, const struct path *p,
			   const struct doc *m, const struct doc *volume)
{
	static const char *const fields[] = { "subPath", "subPathExpr" };
	const struct path expr = PATH(p, "subPathExpr");

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		const struct path at = PATH(p, fields[i]), shown = PATH(list, fields[i]);
		const struct doc *sub = doc_get(m, fields[i]);

		if (doc_slice(sub).n == 0)
			continue;
		if (doc_get(volume, "image"))
			check_invalid(c, &at, sub, "not allowed in image volume sources");
		check_descending(c, &shown, sub);
	}
	if (doc_slice(doc_get(m, "subPath")).n > 0 && doc_slice(doc_get(m, "subPathExpr")).n > 0)
		check_invalid(c, &expr, doc_get(m, "subPathExpr"),
			      "subPathExpr and subPath are mutually exclusive");
}

static void check_mount(struct check *c, struct map *seen, const struct path *list, size_t i,
			const struct doc *container, const struct pod *pod)
{
	const struct path p = PATH_INDEX(list, i), name_at = PATH(&p, "name"),
			  path_at = PATH(&p, "mountPath"),
			  propagation = PATH(list, "mountPropagation"),
			  recursive = PATH(list, "recursiveReadOnly");
	const struct doc *mounts = doc_get(container, "volumeMounts"), *m = doc_at(mounts, i),
			 *devices = doc_get(container, "volumeDevices"), *name = doc_get(m, "name"),
			 *path = doc_get(m, "mountPath");

	(void)check_has(c, &p, m, "name", "");
	if (!pod_volume(pod, name))
		check_not_found(c, &name_at, name);
	(void)check_has(c, &p, m, "mountPath", "");
	if (doc_slice(path).n > 0 && map_put(seen, doc_slice(path), seen))
		check_invalid(c, &path_at, path, "must be unique");
	if (has_other(devices, "name", name))
		check_invalid(c, &name_at, name, "must not already exist in volumeDevices");
	if (has_other(devices, "devicePath", path))
		check_invalid(c, &path_at, path,
			      "must not already exist as a path in volumeDevices");
	check_sub_path(c, list, &p, m, pod_volume(pod, name));
	check_propagation(c, &propagation, m, container);
	check_recursive(c, &recursive, m);
}

/* ---- devices ---- */

static void check_device(struct check *c, const struct path *list, size_t i,
			 const struct doc *container, const struct pod *pod)
{
	const struct path p = PATH_INDEX(list, i), name_at = PATH(&p, "name"),
			  path_at = PATH(&p, "devicePath");
	const struct doc *devices = doc_get(container, "volumeDevices"), *d = doc_at(devices, i),
			 *mounts = doc_get(container, "volumeMounts"), *name = doc_get(d, "name"),
			 *path = doc_get(d, "devicePath"), *volume = pod_volume(pod, name);

	(void)check_has(c, &p, d, "name", "");
	if (doc_slice(name).n > 0 && has_before(devices, i, "name", name))
		check_invalid(c, &name_at, name, "must be unique");
	if (!volume)
		check_not_found(c, &name_at, name);
	else if (!doc_get(volume, "persistentVolumeClaim") && !doc_get(volume, "ephemeral"))
		check_invalid(c, &name_at, name,
			      "can only use volume source type of PersistentVolumeClaim or "
			      "Ephemeral for block mode");
	(void)check_has(c, &p, d, "devicePath", "");
	if (has_before(devices, i, "devicePath", path))
		check_invalid(c, &path_at, path, "must be unique");
	if (path_has_backstep(doc_slice(path)))
		check_invalid(c, &path_at, path, "can not contain backsteps ('..')");
	if (has_other(mounts, "name", name))
		check_invalid(c, &name_at, name, "must not already exist in volumeMounts");
	if (has_other(mounts, "mountPath", path))
		check_invalid(c, &path_at, path,
			      "must not already exist as a path in volumeMounts");
}

void check_mounts(struct check *c, const struct path *p, const struct doc *container,
		  const struct pod *pod)
{
	const struct path mounts = PATH(p, "volumeMounts"), devices = PATH(p, "volumeDevices");

	CLEANUP(map_fini) struct map seen;

	map_init(&seen);
	for (size_t i = 0; i < doc_len(doc_get(container, "volumeMounts")); i++)
		check_mount(c, &seen, &mounts, i, container, pod);
	for (size_t i = 0; i < doc_len(doc_get(container, "volumeDevices")); i++)
		check_device(c, &devices, i, container, pod);
}
