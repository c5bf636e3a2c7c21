/* SPDX-License-Identifier: Apache-2.0 */
/* Who wants to know gets told. */
#include "registry/events.h"

#include "registry/private.h"

void events_watch(struct registry *g, struct watcher *w)
{
	list_append(&g->watchers, &w->link);
}

void events_unwatch(struct watcher *w)
{
	list_del(&w->link);
}

void events_tell(struct registry *g, const struct event *e)
{
	struct watcher *w;

	LIST_FOREACH (w, &g->watchers, struct watcher, link)
		w->event(w, e);
}

const char *event_name(enum event_kind k)
{
	static const char *const names[] = { "push", "pull", "delete", "quota", "quota_warning" };

	return names[k];
}
