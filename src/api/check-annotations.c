/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of the annotations that mean something to a pod. */
#include "api/check-annotations.h"

#define MIRROR "kubernetes.io/config.mirror"
#define COST "controller.kubernetes.io/pod-deletion-cost"
#define SECCOMP_POD "seccomp.security.alpha.kubernetes.io/pod"
#define SECCOMP "container.seccomp.security.alpha.kubernetes.io/"
#define APPARMOR "container.apparmor.security.beta.kubernetes.io/"
#define LOCALHOST "localhost/"

static struct slice after(struct slice s, struct slice prefix)
{
	return slice_of(s.p + prefix.n, s.n - prefix.n);
}

/* ---- each of them ---- */

/* Digits of 32 bits, without a plus and without zeros at the head. */
static bool is_cost(struct slice s)
{
	struct doc d;
	int64_t v;

	return doc_number_parse(s, &d) && (d.flags & DOC_INT) && doc_int64(&d, &v) == 0 &&
	       v >= INT32_MIN && v <= INT32_MAX && !slice_is(s, "-0");
}

static void check_seccomp(struct check *c, const struct path *p, const struct doc *value)
{
	struct slice s = doc_slice(value);

	if (slice_is(s, "runtime/default") || slice_is(s, "docker/default") ||
	    slice_is(s, "unconfined"))
		return;
	if (slice_starts(s, SLICE(LOCALHOST))) {
		struct slice file = after(s, SLICE(LOCALHOST));
		const struct doc d = doc_borrow(file.p, file.n);

		check_descending(c, p, &d);
	} else {
		check_invalid(c, p, value, "must be a valid seccomp profile");
	}
}

static void find_name(struct check *c, const struct path *p, const struct doc *container, void *arg)
{
	struct slice *name = arg;

	(void)c;
	(void)p;
	if (slice_eq(doc_slice(doc_get(container, "name")), *name))
		name->n = 0;
}

static void check_apparmor(struct check *c, const struct path *p, const struct doc *key,
			   const struct doc *value, const struct doc *spec)
{
	const struct path at = PATH_KEY(p, doc_slice(key));
	struct slice name = after(doc_slice(key), SLICE(APPARMOR)), left = name,
		     s = doc_slice(value);

	check_each_container(c, NULL, spec, find_name, &left);
	if (left.n > 0)
		check_invalid_text(c, &at, name, "container not found");
	if (s.n > 0 && !slice_is(s, "runtime/default") && !slice_is(s, "unconfined") &&
	    !slice_starts(s, SLICE(LOCALHOST)))
		check_invalid(c, &at, value, "invalid AppArmor profile name: \"%.*s\"", (int)s.n,
			      s.p);
}

void check_pod_annotations(struct check *c, const struct path *p, const struct doc *annotations,
			   const struct doc *spec)
{
	const struct path mirror = PATH_KEY(p, SLICE(MIRROR)), cost = PATH_KEY(p, SLICE(COST));
	const struct doc *m = doc_get(annotations, MIRROR), *k = doc_get(annotations, COST);

	if (m && doc_slice(doc_get(spec, "nodeName")).n == 0)
		check_invalid(c, &mirror, m,
			      "must set spec.nodeName if mirror pod annotation is set");
	if (k && !is_cost(doc_slice(k)))
		check_invalid(c, &cost, k, "must be a 32bit integer");
	DOC_EACH_MEMBER (key, value, annotations) {
		const char *name = doc_cstr(c->a, key);
		const struct path at = PATH(p, name ? name : "");

		if (doc_str_is(key, SECCOMP_POD) || slice_starts(doc_slice(key), SLICE(SECCOMP)))
			check_seccomp(c, &at, value);
		else if (slice_starts(doc_slice(key), SLICE(APPARMOR)))
			check_apparmor(c, p, key, value, spec);
	}
}

/* ---- what an update may do to them ---- */

bool pod_is_mirror(const struct doc *pod)
{
	return doc_get(doc_find(pod, "metadata.annotations"), MIRROR);
}

static void check_kept(struct check *c, const struct path *p, const struct doc *key,
		       const char *what)
{
	const struct path at = PATH_KEY(p, doc_slice(key));

	if (slice_starts(doc_slice(key), SLICE(APPARMOR)))
		check_forbidden(c, &at, "may not %s AppArmor annotations", what);
	if (doc_str_is(key, MIRROR))
		check_forbidden(c, &at, "may not %s mirror pod annotation", what);
}

void check_annotation_updates(struct check *c, const struct path *p, const struct doc *now,
			      const struct doc *old)
{
	DOC_EACH_MEMBER (key, value, old) {
		const struct doc *v = doc_getn(now, doc_slice(key));

		if (!v || !doc_equal(v, value))
			check_kept(c, p, key, "remove or update");
	}
	DOC_EACH_MEMBER (name, added, now) {
		(void)added;
		if (!doc_getn(old, doc_slice(name)))
			check_kept(c, p, name, "add");
	}
}

/* ---- annotations and fields that say the same ---- */

struct matching {
	const struct doc *annotations;
	const struct doc *own; /* the pod's own profile, which containers inherit */
	const char *prefix, *field, *what;
};

static void check_match(struct check *c, const struct path *p, const struct matching *m,
			struct slice annotation, const struct doc *profile)
{
	const struct path type_at = PATH(p, "type"), file_at = PATH(p, "localhostProfile");
	const struct doc *type = doc_get(profile, "type");
	struct slice file = doc_slice(doc_get(profile, "localhostProfile"));
	bool local = doc_str_is(type, "Localhost") && slice_starts(annotation, SLICE(LOCALHOST));
	bool same = local || (doc_str_is(type, "Unconfined") && slice_is(annotation, "unconfined"));

	same |= doc_str_is(type, "RuntimeDefault") &&
		(slice_is(annotation, "runtime/default") ||
		 (m->own == NULL && slice_is(annotation, "docker/default")));
	if (!same)
		check_forbidden(c, &type_at, "%s type in annotation and field must match", m->what);
	else if (local && !slice_eq(after(annotation, SLICE(LOCALHOST)), file))
		check_forbidden(c, &file_at, "%s profile in annotation and field must match",
				m->what);
}

static void match_container(struct check *c, const struct path *p, const struct doc *container,
			    void *arg)
{
	const struct matching *m = arg;
	const struct path context = PATH(p, "securityContext"), at = PATH(&context, m->field);
	const struct doc *own = doc_get(doc_get(container, "securityContext"), m->field);
	struct slice name = doc_slice(doc_get(container, "name"));
	char key[400];
	const struct doc *annotation;

	(void)snprintf(key, sizeof(key), "%s%.*s", m->prefix, (int)MIN(name.n, (size_t)256),
		       name.p);
	annotation = doc_get(m->annotations, key);
	if (!own)
		own = m->own;
	if (own && annotation)
		check_match(c, &at, m, doc_slice(annotation), own);
}

void check_profiles_match(struct check *c, const struct path *p, const struct doc *annotations,
			  const struct doc *spec)
{
	const struct path context = PATH(p, "securityContext"),
			  at = PATH(&context, "seccompProfile");
	const struct doc *seccomp = doc_find(spec, "securityContext.seccompProfile"),
			 *annotation = doc_get(annotations, SECCOMP_POD);
	struct matching m = { annotations, NULL, SECCOMP, "seccompProfile", "seccomp" };

	if (!annotations)
		return;
	if (seccomp && annotation)
		check_match(c, &at, &m, doc_slice(annotation), seccomp);
	check_each_container(c, p, spec, match_container, &m);
	if (doc_str_is(doc_find(spec, "os.name"), "windows"))
		return;
	m = (struct matching){ annotations, doc_find(spec, "securityContext.appArmorProfile"),
			       APPARMOR, "appArmorProfile", "apparmor" };
	check_each_container(c, p, spec, match_container, &m);
}
