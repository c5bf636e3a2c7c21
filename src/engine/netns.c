/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of network namespaces. The kernel takes one apart in a work queue, with the lock over all
 * network configuration (rtnl) held for some 20 ms of RCU waiting when there is a veth in it,
 * whoever else wants to attach a container meanwhile; but it takes many apart in the same time as
 * one. So the namespace of a container that has ended is kept by its fd and let go together with
 * others: a quarter of a second after the first, or when there are 32. Nothing but this process
 * holds them: when it ends, however it does, they end. An address is free again only when its
 * namespace is let go, so nobody else ever answers for it.
 */
#include "engine/private.h"

#define HELD_MAX 32
#define HELD_TIME (250 * NS_PER_MS)

struct held {
	struct list link;
	int fd;
	struct network_endpoint ep; /* network_id "" = no address */
};

void netns_let_go(struct engine *e)
{
	struct held *h;

	timer_clear(&e->held_timer);
	LIST_FOREACH (h, &e->held, struct held, link) {
		list_del(&h->link);
		fd_close(h->fd);
		if (*h->ep.network_id && e->bridge)
			network_detach(e->bridge, &h->ep);
		free(h);
	}
	e->nheld = 0;
}

static int time_is_up(struct timer *t)
{
	netns_let_go(CONTAINER_OF(t, struct engine, held_timer));
	return 0;
}

void netns_init(struct engine *e)
{
	list_init(&e->held);
	timer_init(&e->held_timer, e->loop, time_is_up);
}

void netns_hold(struct engine *e, int fd_taken, const struct network_endpoint *ep)
{
	struct held *h;

	if (fd_taken < 0) { /* not ours to keep: it is going already */
		if (*ep->network_id && e->bridge)
			network_detach(e->bridge, ep);
		return;
	}
	h = calloc(1, sizeof(*h));
	if (!h)
		abort();
	h->fd = fd_taken;
	h->ep = *ep;
	list_append(&e->held, &h->link);
	if (++e->nheld >= HELD_MAX || e->closing)
		netns_let_go(e);
	else if (!timer_armed(&e->held_timer))
		timer_set_after(&e->held_timer, HELD_TIME);
}
