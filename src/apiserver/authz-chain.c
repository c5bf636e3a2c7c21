/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/authz-chain.h"

#include "apiserver/authz-node.h"
#include "apiserver/rbac.h"
#include "base/err.h"

#include <stdlib.h>

static const struct {
	const char *name;
	enum authz_mode mode;
	const char *missing; /* why it cannot be had */
} modes[] = {
	{ "Node", AUTHZ_NODE, NULL },
	{ "RBAC", AUTHZ_RBAC, NULL },
	{ "AlwaysAllow", AUTHZ_ALWAYS_ALLOW, NULL },
	{ "AlwaysDeny", AUTHZ_ALWAYS_DENY, NULL },
	{ "ABAC", AUTHZ_RBAC, "it is not in this server" },
	{ "Webhook", AUTHZ_RBAC, "it is not in this server" },
};

struct authz_chain {
	struct authz_step steps[AUTHZ_STEPS_MAX];
	struct authz authz;
	struct rbac *rbac;
	struct authz_node *node;
};

static int add_mode(struct authz_chain *c, struct slice name, struct err *err)
{
	size_t i = 0;

	while (i < ARRAY_LEN(modes) && !slice_is(name, modes[i].name))
		i++;
	if (i == ARRAY_LEN(modes))
		return err_set(err, ERR_BAD_REQUEST,
			       "--authorization-mode: \"%.*s\" is not a valid mode",
			       (int)MIN(name.n, 64), name.n ? name.p : "");
	if (modes[i].missing)
		return err_set(err, ERR_BAD_REQUEST, "--authorization-mode: %s: %s", modes[i].name,
			       modes[i].missing);
	for (size_t k = 0; k < c->authz.nsteps; k++)
		if (c->steps[k].mode == modes[i].mode)
			return err_set(err, ERR_BAD_REQUEST,
				       "--authorization-mode: \"%s\" is there twice",
				       modes[i].name);
	c->steps[c->authz.nsteps++].mode = modes[i].mode;
	return 0;
}

int authz_chain_new(const char *text, struct authz_chain **ret, struct err *err)
{
	CLEANUP(authz_chain_free) struct authz_chain *c = calloc(1, sizeof(*c));
	struct slice rest = slice_str(text ? text : AUTHZ_MODES_DEFAULT);

	if (!c)
		abort();
	c->authz.steps = c->steps;
	while (rest.p)
		if (add_mode(c, slice_trim(slice_split(&rest, ',')), err) < 0)
			return err_ret(err);
	*ret = STEAL(c);
	return 0;
}

int authz_chain_begin(struct authz_chain *c, struct resources *rs, struct err *err)
{
	/* Also where roles give nothing: nobody may write roles that give more than they hold. */
	c->rbac = rbac_new();
	c->authz.rbac = c->rbac;
	if (rbac_follow(c->rbac, rs, err) < 0)
		return err_ret(err);
	for (size_t i = 0; i < c->authz.nsteps; i++) {
		struct authz_step *s = &c->steps[i];

		if (s->mode == AUTHZ_RBAC)
			s->rbac = c->rbac;
		if (s->mode != AUTHZ_NODE)
			continue;
		if (authz_node_new(rs, &c->node, err) < 0)
			return err_ret(err);
		s->node = c->node;
	}
	return 0;
}

const struct authz *authz_chain_authz(const struct authz_chain *c)
{
	return &c->authz;
}

void authz_chain_free(struct authz_chain *c)
{
	if (!c)
		return;
	rbac_free(c->rbac);
	authz_node_free(c->node);
	free(c);
}
