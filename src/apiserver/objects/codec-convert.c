/* SPDX-License-Identifier: Apache-2.0 */
/* One object in another version of its kind. Spec: the conversions of Kubernetes 1.36 (facts). */
#include "api/custom.h"
#include "apiserver/objects/codec-metrics.h"
#include "apiserver/objects/codec-private.h"

/* ---- events: core/v1 and events.k8s.io/v1 ---- */

static const struct {
	const char *core, *events;
} event_names[] = {
	{ "involvedObject", "regarding" },
	{ "message", "note" },
	{ "source", "deprecatedSource" },
	{ "firstTimestamp", "deprecatedFirstTimestamp" },
	{ "lastTimestamp", "deprecatedLastTimestamp" },
	{ "count", "deprecatedCount" },
	{ "reportingComponent", "reportingController" },
};

static struct doc event_key(const struct doc *key, bool to_core)
{
	for (size_t i = 0; i < ARRAY_LEN(event_names); i++) {
		const char *core = event_names[i].core, *events = event_names[i].events;
		const char *to = to_core ? core : events;

		if (doc_str_is(key, to_core ? events : core))
			return doc_borrow(to, strlen(to));
	}
	return *key;
}

static int convert_event(bool to_core, const struct doc *d, struct arena *a, struct doc *ret,
			 struct err *err)
{
	*ret = doc_object();
	DOC_EACH_MEMBER (key, value, d)
		if (!doc_add_node(a, ret, event_key(key, to_core), *value))
			return arena_quota(a, err);
	return 0;
}

/* ---- all kinds ---- */

static int with_version(const struct api_kind *to, const struct doc *d, struct arena *a,
			struct doc *ret, struct err *err)
{
	const struct doc version =
		doc_borrow(to->group->api_version, strlen(to->group->api_version));

	*ret = doc_object();
	DOC_EACH_MEMBER (key, value, d)
		if (!doc_add_node(a, ret, *key, doc_str_is(key, "apiVersion") ? version : *value))
			return arena_quota(a, err);
	return 0;
}

static bool is_kind(const struct api_kind *k, const char *group, const char *kind)
{
	return strcmp(k->group->group, group) == 0 && strcmp(k->kind, kind) == 0;
}

static bool is_event(const struct api_kind *k)
{
	return is_kind(k, "", "Event") || is_kind(k, "events.k8s.io", "Event");
}

int codec_convert(const struct api_kind *from, const struct api_kind *to, const struct doc *d,
		  struct arena *a, struct doc *ret, struct err *err)
{
	struct doc raw, named;
	int r;

	if (from == to) {
		*ret = *d;
		return 0;
	}
	if (custom_webhook(to) && strcmp(from->group->api_version, to->group->api_version) != 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "kind '%s' of '%s' has a form in '%s' by its webhook only",
			       from->kind, from->group->api_version, to->group->api_version);
	if (from->custom && to->custom)
		return with_version(to, d, a, ret, err);
	if (is_event(from) && is_event(to))
		r = convert_event(is_kind(to, "", "Event"), d, a, &raw, err);
	else if (is_kind(from, "autoscaling", "HorizontalPodAutoscaler") &&
		 is_kind(to, "autoscaling", "HorizontalPodAutoscaler"))
		r = strcmp(to->group->version, "v1") == 0
			    ? codec_autoscaler_to_v1(d, a, &raw, err)
			    : codec_autoscaler_to_v2(to, d, a, &raw, err);
	else
		return err_set(err, ERR_UNSUPPORTED, "kind '%s' of '%s' has no form in '%s'",
			       from->kind, from->group->api_version, to->group->api_version);
	if (r == 0)
		r = with_version(to, &raw, a, &named, err);
	/* order and what is always written are the other table's */
	return r < 0 ? r : api_admit(to->type, &named, a, API_NO_DEFAULTS, NULL, ret, err);
}
