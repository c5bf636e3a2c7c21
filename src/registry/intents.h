/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deletes that others are told of. Private to src/registry; on the loop's thread.
 *
 * The store and the queue of events are two databases, and a delete that was done is not found by
 * the client's next try. So what is to be deleted is written into the queue's database before, and
 * taken out behind the events. A process that died between the two leaves the note: the next one
 * tells of what is gone, and forgets what is still there. A push needs none of this: its client
 * gets no answer, pushes again, and that is told.
 */
#pragma once

struct call;
struct err;
struct hooks;

/* Calls then(c) when the note is durable (at once when nobody would be told); else c is answered.
 */
void intent_begin(struct call *c, void (*then)(struct call *c));
/* It was done and told, or failed. */
void intent_end(struct call *c);
/* At the start. */
int intents_settle(struct hooks *h, struct err *err);
