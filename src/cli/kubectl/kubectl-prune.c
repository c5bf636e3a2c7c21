/* SPDX-License-Identifier: Apache-2.0 */
/* What `kubectl apply --prune` deletes: objects that apply once made and that no file has now. */
#include "cli/kubectl/kubectl-prune.h"

#include "api/selector.h"
#include "base/arena.h"
#include "base/err.h"
#include "doc/doc.h"

#define KINDS_MAX 256
#define SPACES_MAX 1024

static const char *const usual[] = { "v1/ConfigMap",
				     "v1/Endpoints",
				     "v1/PersistentVolumeClaim",
				     "v1/Pod",
				     "v1/ReplicationController",
				     "v1/Secret",
				     "v1/Service",
				     "batch/v1/Job",
				     "batch/v1/CronJob",
				     "networking.k8s.io/v1/Ingress",
				     "apps/v1/DaemonSet",
				     "apps/v1/Deployment",
				     "apps/v1/ReplicaSet",
				     "apps/v1/StatefulSet",
				     "v1/Namespace",
				     "v1/PersistentVolume" };

struct search {
	const struct kubectl_prune *p;
	const struct resource *kinds[KINDS_MAX];
	size_t nkinds;
	const char *spaces[SPACES_MAX];
	size_t nspaces;
};

static int add_kind(struct search *s, const char *word, struct err *err)
{
	struct kubectl *k = s->p->k;
	const char *slash = strrchr(word, '/'),
		   *api = arena_strndup(k->arena, word, (size_t)(slash - word));

	if (s->nkinds == KINDS_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %d kinds to prune", KINDS_MAX);
	return api ? kubectl_find_kind(k, api, slash + 1, &s->kinds[s->nkinds++], err)
		   : arena_quota(k->arena, err);
}

static int add_kinds(struct search *s, struct err *err)
{
	const struct opt_list *allow = s->p->allow;

	for (size_t i = 0; i < allow->n; i++) {
		const char *word = allow->v[i], *slash = strchr(word, '/');

		if (!slash || !strchr(slash + 1, '/') || strchr(strchr(slash + 1, '/') + 1, '/'))
			return err_set(err, ERR_INVALID,
				       "invalid GroupVersionKind format: %s, please follow "
				       "<group/version/kind>",
				       word);
		if (strncmp(word, "core/", 5) == 0)
			word += 5;
		if (add_kind(s, word, err) < 0)
			return err_ret(err);
	}
	for (size_t i = 0; i < ARRAY_LEN(usual) && !allow->n; i++)
		if (add_kind(s, usual[i], err) < 0)
			return err_ret(err);
	return 0;
}

static int add_spaces(struct search *s, struct err *err)
{
	const struct kubectl_items *items = s->p->applied;

	if (s->p->k->flags.space) /* also when nothing was applied there */
		s->spaces[s->nspaces++] = s->p->k->flags.space;
	for (size_t i = 0; i < items->n; i++) {
		bool known = !items->v[i].space;

		for (size_t j = 0; j < s->nspaces && !known; j++)
			known = strcmp(s->spaces[j], items->v[i].space) == 0;
		if (known)
			continue;
		if (s->nspaces == SPACES_MAX)
			return err_set(err, ERR_TOO_LARGE, "more than %d namespaces to prune",
				       SPACES_MAX);
		s->spaces[s->nspaces++] = items->v[i].space;
	}
	return 0;
}

static bool stays(const struct search *s, const struct kubectl_item *it)
{
	const struct kubectl_items *items = s->p->applied;

	if (!doc_get(doc_find(it->obj, "metadata.annotations"), KUBECTL_LAST_APPLIED))
		return true;
	for (size_t i = 0; i < items->n; i++) {
		const struct kubectl_item *a = &items->v[i];

		if (strcmp(a->res->kind, it->res->kind) == 0 &&
		    strcmp(a->res->group, it->res->group) == 0 && strcmp(a->name, it->name) == 0 &&
		    (!a->space || strcmp(a->space, it->space) == 0))
			return true;
	}
	return false;
}

int kubectl_prune_check(const struct kubectl_prune *p, struct err *err)
{
	struct search s = { .p = p };

	return add_kinds(&s, err);
}

int kubectl_prune_find(const struct kubectl_prune *p, struct kubectl_items *ret, struct err *err)
{
	struct search s = { .p = p };
	size_t kept = 0;
	int r = add_kinds(&s, err);

	*ret = (struct kubectl_items){ 0 };
	if (r == 0)
		r = add_spaces(&s, err);
	if (r < 0)
		return r;
	ret->v = ARENA_ARRAY(p->k->arena, struct kubectl_item, s.nkinds * (s.nspaces + 1) + 1);
	if (!ret->v)
		return arena_quota(p->k->arena, err);
	for (size_t j = 0; j < s.nspaces; j++)
		for (size_t i = 0; i < s.nkinds; i++)
			if (s.kinds[i]->namespaced)
				ret->v[ret->n++] = (struct kubectl_item){ .res = s.kinds[i],
									  .space = s.spaces[j] };
	for (size_t i = 0; i < s.nkinds; i++)
		if (!s.kinds[i]->namespaced)
			ret->v[ret->n++] = (struct kubectl_item){ .res = s.kinds[i] };
	r = kubectl_expand(p->k, p->selector, NULL, ret, err);
	for (size_t i = 0; i < ret->n && r == 0; i++)
		if (!stays(&s, &ret->v[i]))
			ret->v[kept++] = ret->v[i];
	ret->n = kept;
	return r;
}

int kubectl_select(struct kubectl *k, const char *text, struct kubectl_items *items,
		   struct err *err)
{
	struct selector s;
	size_t n = 0;

	if (!text || !*text)
		return 0;
	if (selector_labels(slice_str(text), k->arena, &s, err) < 0)
		return err_ret(err);
	for (size_t i = 0; i < items->n; i++)
		if (selector_match_labels(&s, doc_find(items->v[i].obj, "metadata.labels")))
			items->v[n++] = items->v[i];
	items->n = n;
	return 0;
}
