/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An answer whose body a worker writes into a pipe: archives, which are made while they are sent.
 * Errors before the first byte are a proper answer; later ones break the connection off. A client
 * that leaves ends the worker by a broken pipe. Private to src/docker.
 */
#pragma once

struct call;
struct err;

/* On a thread of its own pool, so that slow readers hold up nobody else. `out` is a blocking pipe;
 * the function does not close it. */
typedef int flow_fn(void *ctx, int out, struct err *err);
/* done runs on the loop when both have ended, also when nothing could be started; ctx is not used
 * after it. May be NULL. */
typedef void flow_done(void *ctx, int result);
void flow_begin(struct call *c, const char *content_type, flow_fn *fn, flow_done *done, void *ctx);
