/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each namespace has for its pods, and the Secrets of accounts' tokens:
 *
 *	ServiceAccount "default" and ConfigMap "kube-root-ca.crt" in each namespace that is not
 *	going; made again when they are removed, the latter also mended
 *	a Secret of type kubernetes.io/service-account-token gets its token, and goes with the
 *	account that it names
 *	a Secret whose token was used has a label with the day
 *
 * Upstream's controllers of these names do so there. Writes are the server's own (own.h).
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"

struct account_control;
struct account_tokens;
struct err;
struct loop;
struct resources;

/* Borrowed but roots: PEM of the CAs that this server is known by. */
struct account_control_conf {
	struct loop *loop;
	struct resources *resources;
	struct account_tokens *tokens;
	struct slice roots;
};
/* done once: all that was missing at the start is there, or was tried (failures are logged and
 * tried again). */
int account_control_start(const struct account_control_conf *conf,
			  void (*done)(void *arg, int result, struct err *err), void *arg,
			  struct account_control **ret, struct err *err);
/* Nothing new is begun; for the end: writes are over when it is freed. */
void account_control_stop(struct account_control *c); /* NULL is fine */
void account_control_free(struct account_control *c); /* NULL is fine */
DEFINE_CLEANUP(struct account_control *, account_control_free)
void account_control_set_roots(struct account_control *c, struct slice roots);
