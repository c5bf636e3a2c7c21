/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/auth/authz-chain.h"

#include "apiserver/auth/abac.h"
#include "apiserver/auth/authz-node.h"
#include "apiserver/auth/authz-webhook.h"
#include "apiserver/auth/rbac.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "io/metrics.h"
#include "io/resolver.h"

#include <stdlib.h>
#include <string.h>

#define FILE_MAX (64u << 20)
#define TEXTS_MAX (16u << 20)

/* What was read of the files: all of it changes at once. */
struct read_in {
	struct arena *a; /* the plan's texts */
	struct authz_plan plan;
	struct hook_conf to[AUTHZ_STEPS_MAX];
	struct abac *abac;
};

struct authz_chain {
	struct authz_flags flags;
	struct given_set files;
	struct read_in *now;
	struct authz_step steps[AUTHZ_STEPS_MAX];
	struct authz authz;
	struct loop *loop;
	struct resources *rs;
	struct rbac *rbac;
	struct authz_node *node; /* NULL: not asked for yet */
	struct resolver *resolver;
	struct authz_metrics metrics;
	bool counts;
};

/* ---- reading ---- */

static void read_in_free(struct read_in *x)
{
	if (!x)
		return;
	for (size_t i = 0; i < ARRAY_LEN(x->to); i++)
		hook_conf_fini(&x->to[i]);
	abac_free(x->abac);
	arena_free(x->a);
	free(x);
}
DEFINE_CLEANUP(struct read_in *, read_in_free)

static int read_file(struct authz_chain *c, const char *path, struct buf *out, struct err *err)
{
	struct given *g;

	return given_set_get(&c->files, path, &g, err) < 0 ? err_ret(err) : given_read(g, out, err);
}

static int read_config(struct authz_chain *c, struct read_in *x, struct err *err)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(FILE_MAX);

	if (!c->flags.config)
		return authz_plan_flags(&c->flags, &x->plan, err);
	if (read_file(c, c->flags.config, &text, err) < 0 ||
	    authz_plan_read(buf_slice(&text), c->flags.policy_file, x->a, &x->plan, err) < 0)
		return err_wrap(err, "--authorization-config");
	return 0;
}

static int read_policies(struct authz_chain *c, struct read_in *x, struct err *err)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(FILE_MAX);

	if (!c->flags.policy_file)
		return 0;
	if (read_file(c, c->flags.policy_file, &text, err) < 0 ||
	    abac_read(buf_slice(&text), &x->abac, err) < 0)
		return err_wrap(err, "--authorization-policy-file");
	return 0;
}

static int read_all(struct authz_chain *c, struct read_in **ret, struct err *err)
{
	CLEANUP(read_in_free) struct read_in *x = calloc(1, sizeof(*x));

	if (!x)
		abort();
	x->a = arena_new("authorizers", TEXTS_MAX);
	if (read_config(c, x, err) < 0 || read_policies(c, x, err) < 0)
		return err_ret(err);
	for (size_t i = 0; i < x->plan.n; i++)
		if (x->plan.steps[i].mode == AUTHZ_WEBHOOK &&
		    hook_conf_read(x->plan.steps[i].webhook.kubeconfig, &c->files, x->a, &x->to[i],
				   err) < 0)
			return err_wrap(err, "authorizer '%s'", x->plan.steps[i].name);
	*ret = STEAL(x);
	return 0;
}

int authz_chain_new(const struct authz_flags *f, struct authz_chain **ret, struct err *err)
{
	CLEANUP(authz_chain_free) struct authz_chain *c = calloc(1, sizeof(*c));
	struct authz_plan plan;

	if (!c)
		abort();
	c->flags = *f;
	c->authz.steps = c->steps;
	if (authz_plan_flags(f, &plan, err) < 0 || read_all(c, &c->now, err) < 0)
		return err_ret(err);
	*ret = STEAL(c);
	return 0;
}

const char *authz_chain_file(const struct authz_chain *c, size_t i)
{
	return i < c->files.n ? given_path(c->files.v[i]) : NULL;
}

/* ---- making ---- */

static void drop_steps(struct authz_step *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		authz_webhook_free(v[i].webhook);
}

static int make_webhook(struct authz_chain *c, const struct read_in *x, size_t i,
			struct authz_webhook **ret, struct err *err)
{
	const struct authz_webhook_make make = {
		.loop = c->loop,
		.name = x->plan.steps[i].name,
		.conf = &x->plan.steps[i].webhook,
		.to = &x->to[i],
		.metrics = c->counts ? &c->metrics : NULL,
		.resolver = c->resolver,
	};

	return authz_webhook_new(&make, ret, err);
}

static int make_step(struct authz_chain *c, const struct read_in *x, size_t i, struct authz_step *s,
		     struct err *err)
{
	*s = (struct authz_step){ .mode = x->plan.steps[i].mode, .rbac = c->rbac, .abac = x->abac };
	for (int yes = 0; c->counts && yes < 2; yes++) {
		const char *const labels[] = { authz_mode_name(s->mode), x->plan.steps[i].name,
					       yes ? "allowed" : "denied" };

		s->decided[yes] = metric_with(c->metrics.decisions, labels);
	}
	if (s->mode == AUTHZ_WEBHOOK)
		return make_webhook(c, x, i, &s->webhook, err);
	if (s->mode == AUTHZ_NODE && !c->node && authz_node_new(c->rs, &c->node, err) < 0)
		return err_ret(err);
	s->node = c->node;
	return 0;
}

static int make_steps(struct authz_chain *c, const struct read_in *x, struct authz_step *v,
		      struct err *err)
{
	for (size_t i = 0; i < x->plan.n; i++) {
		if (make_step(c, x, i, &v[i], err) < 0) {
			drop_steps(v, i);
			return err_ret(err);
		}
	}
	return 0;
}

static bool any_webhook(const struct authz_plan *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->steps[i].mode == AUTHZ_WEBHOOK)
			return true;
	return false;
}

int authz_chain_begin(struct authz_chain *c, struct loop *loop, struct resources *rs,
		      struct metrics *metrics, struct err *err)
{
	c->loop = loop;
	c->rs = rs;
	if (metrics && authz_metrics_add(metrics, &c->metrics, err) < 0)
		return err_ret(err);
	c->counts = metrics != NULL;
	/* Also where roles give nothing: nobody may write roles that give more than they hold. */
	c->rbac = rbac_new();
	c->authz.rbac = c->rbac;
	if (rbac_follow(c->rbac, rs, err) < 0)
		return err_ret(err);
	if ((c->flags.config || any_webhook(&c->now->plan)) &&
	    resolver_new(loop, NULL, &c->resolver, err) < 0)
		return err_ret(err);
	if (make_steps(c, c->now, c->steps, err) < 0)
		return err_ret(err);
	c->authz.nsteps = c->now->plan.n;
	return 0;
}

/* ---- again ---- */

bool authz_chain_changed(const struct authz_chain *c)
{
	return given_set_changed(&c->files);
}

static void count_reload(struct authz_chain *c, bool good)
{
	const char *const label[] = { good ? "success" : "failure" };
	const int64_t now = clock_real() / NS_PER_SEC;

	if (!c->counts)
		return;
	metric_inc(metric_with(c->metrics.reloads, label));
	metric_set(metric_with(c->metrics.reloaded, label), (double)now);
}

int authz_chain_reload(struct authz_chain *c, struct err *err)
{
	CLEANUP(read_in_free) struct read_in *x = NULL;
	struct authz_step steps[AUTHZ_STEPS_MAX] = { 0 }, old[AUTHZ_STEPS_MAX];
	struct read_in *was;
	size_t n = c->authz.nsteps;
	int r;

	if (!c->files.n)
		return 0;
	r = read_all(c, &x, err);
	if (r >= 0)
		r = make_steps(c, x, steps, err);
	count_reload(c, r >= 0);
	if (r < 0)
		return r;
	memcpy(old, c->steps, sizeof(old));
	memcpy(c->steps, steps, sizeof(steps));
	c->authz.nsteps = x->plan.n;
	was = c->now;
	c->now = STEAL(x);
	x = was;
	/* Who waits for one of these is told, and asks those of now. */
	drop_steps(old, n);
	return 0;
}

const struct authz *authz_chain_authz(const struct authz_chain *c)
{
	return &c->authz;
}

void authz_chain_free(struct authz_chain *c)
{
	size_t n;

	if (!c)
		return;
	/* Who waits for a webhook asks again: nobody is there then. */
	n = c->authz.nsteps;
	c->authz.nsteps = 0;
	drop_steps(c->steps, n);
	read_in_free(c->now);
	rbac_free(c->rbac);
	authz_node_free(c->node);
	resolver_free(c->resolver);
	given_set_fini(&c->files);
	free(c);
}
