/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why somebody may do something, or what they lack: for `teu why can`, by the admin socket.
 *
 * Query: user, group (any number), verb, resource ("pods", "deployments.apps/scale", "/livez"),
 * name, namespace, field (a selector). Groups that follow from the name are added: those of service
 * accounts and nodes, and of who is authenticated.
 * Answer: question, allowed, decided (type of the authorizer, "always" or ""), reason, rule;
 * authorizers: what each said; and of what is not allowed: nearest (rules of theirs that lack one
 * thing) and roles (that would give it).
 */
#pragma once

struct authz;
struct resources;
struct stream;

/* Answers s, perhaps later: webhooks are asked. z and rs live as long as the server. */
void authz_why_serve(const struct authz *z, const struct resources *rs, struct stream *s);
