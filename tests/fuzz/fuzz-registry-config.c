/* SPDX-License-Identifier: Apache-2.0 */
/* A registry's files: the first byte says which: 'c' = the configuration (both its readers), 'a' =
 * accounts kept by the admin socket, 'h' = users, 't' = a token that says who signed it. */
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "crypto/jwt.h"
#include "registry/hooks.h"
#include "registry/policy.h"
#include "registry/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* What was read answers every question. */
static void ask(const struct policy *p)
{
	struct content_limit v[BOUNDS_MAX];

	must((policy_may(p, "alice", NULL, "team/a") & ~(unsigned)MAY_ALL) == 0);
	must(p->closed || policy_may(p, NULL, NULL, "a") == MAY_ALL);
	must(bounds_of(p, "team/a", v).n <= BOUNDS_MAX);
	(void)policy_account(p, "alice", 0);
	(void)policy_immutable(p, "team/a", "v1");
}

static void read_policy(const struct policy_files *f)
{
	CLEANUP(policy_unref) struct policy *p = NULL;
	struct err err = ERR_INIT;

	if (policy_read(f, &p, &err) >= 0)
		ask(p);
	else
		must(err.code != 0 && err.msg[0]);
}

static void read_hooks(const char *path)
{
	const struct registry_conf rc = { .root = "/", .config = path };
	CLEANUP(hooks_conf_free) struct hooks_conf *c = NULL;
	struct err err = ERR_INIT;

	if (hooks_read(&rc, &c, &err) < 0) {
		must(err.code != 0);
		return;
	}
	for (size_t i = 0; i < c->webhooks.n; i++)
		must(c->webhooks.v[i].name[0] && c->webhooks.v[i].tries > 0);
	for (size_t i = 0; i < HOOKS_SECTIONS; i++)
		must(c->text[i] != NULL);
}

static void peek(struct slice token)
{
	CLEANUP(arena_free) struct arena *a = arena_new("fuzz", 1 << 20);
	struct jwt j;

	if (jwt_peek(token, a, &j, NULL) >= 0)
		must(j.iss && strlen(j.iss) <= token.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(fd_close) int fd = -1;
	char path[64];

	if (size < 1)
		return 0;
	if (data[0] == 't') {
		peek(slice_of((const char *)data + 1, size - 1));
		return 0;
	}
	fd = memfd_create("fuzz", MFD_CLOEXEC);
	must(fd >= 0 && fd_write_all(fd, data + 1, size - 1) >= 0);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (data[0] == 'c')
		read_hooks(path);
	read_policy(&(struct policy_files){ .config = data[0] == 'c' ? path : NULL,
					    .accounts = data[0] == 'a' ? path : NULL,
					    .htpasswd = data[0] == 'h' ? path : NULL });
	return 0;
}
