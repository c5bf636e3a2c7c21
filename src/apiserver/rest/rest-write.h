/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to the server: one write of one object. It is prepared from what is in the cache,
 * written if that is still so, and else prepared again.
 *
 *	prepare()	change_read, change_create or change_update, ...: what is to be stored
 *	(webhooks)	may change it: x->ask, when change_ask was called
 *	settle()	completed, checked, allocated for
 *	(plugins)	may refuse it; may wait for what a webhook says of its images
 *	(webhooks)	may refuse it
 *	finish()	charged to quotas; is it a change at all?
 *	cache_write	durable, seen by all
 *	answer()	the object as it is now
 *
 * Documents: `view` is what the client sees and sends (the served version, or a Scale), `obj` what
 * is stored. All are of the call's work arena, which each attempt empties.
 */
#pragma once

#include "api/apply.h"
#include "api/object.h"
#include "apiserver/rest/rest-hooks.h"
#include "base/clock.h"
#include "base/hash.h"
#include "doc/doc.h"

#define CHANGE_TRIES_MAX 64
#define CHANGE_PATCH_TRIES 5
#define CHANGE_NAME_TRIES 8 /* of generateName */
#define CHANGE_PAUSES_MAX 10
#define CHANGE_PAUSE (50 * NS_PER_MS)

struct change {
	struct call *c;
	/* Whose objects it works with. Where a webhook converts, that is `own`: the collection in
	 * `home`, as if it were kept in the version of the request. */
	struct collection *o, *home, own;
	/* What bodies are: of the resource, or of the subresource's own kind. */
	const struct api_type *type;
	const char *api_version, *kind;
	bool scale; /* the view is a Scale */
	/* 0: x->obj is to be stored, or removed (x->remove); 1: nothing changes: answered with what
	 * is there. */
	int (*prepare)(struct change *x, struct err *err);
	/* Set by prepare, may be NULL: what comes behind the webhooks that change things, and
	 * behind those that only refuse. Results as prepare's. */
	int (*settle)(struct change *x, struct err *err);
	bool judged; /* what is settled is for the plugins that only refuse */
	int (*finish)(struct change *x, struct err *err);
	/* i: as written, or as it was removed; NULL of a dry run: x->obj. */
	void (*answer)(struct change *x, struct item *i);

	/* The same when it is prepared again only because somebody had to be asked. */
	char uid[UUID_TEXT_MAX];
	const char *made_name;
	int64_t now; /* ns since 1970; 0 = not yet */

	unsigned tries, tries_max, pauses;
	bool soon; /* it failed of what will be there in a moment */
	struct timer pause;
	const char *name;   /* of the object */
	const char *prefix; /* generateName, when the name was made of it; else NULL */
	struct item *live;  /* referenced; NULL: not there */
	struct doc old;	    /* as stored, in the version of `o`; null without live */
	struct doc view;    /* `old` as the client sees it; null without live */
	struct doc obj;	    /* to be stored; of a removal: its last state */
	bool remove, created;
	bool clear;   /* the request asks for managedFields to be forgotten */
	bool applied; /* managedFields are apply's own work */
	struct strategy_call sc;

	struct cache_write w;
	struct cache_op ops[1 + STRATEGY_MORE_MAX];
	struct buf json[1 + STRATEGY_MORE_MAX];
	void *arg; /* prepare's own */

	bool asks, settled; /* webhooks, by: */
	struct hook_ask ask;
	struct doc body;	     /* an object of the subresource's own kind, for them */
	const struct api_kind *kept; /* home's, when they were asked */
	size_t allotted;	     /* of sc.more: what finish adds is behind it */

	bool noted; /* what the log was told before the first attempt is kept: */
	struct apiaudit_note *notes;
	size_t nnotes;
};

/* The collection as it is now: x->home, x->o; -ERR_NOT_FOUND, -ERR_QUOTA as call_objects. */
int change_home(struct change *x, struct err *err);
/* In the call's arena, for the collection that the call's resource is of. NULL: answered. */
struct change *change_new(struct call *c, int (*prepare)(struct change *x, struct err *err));
void change_broken(struct change *x); /* no memory for what belongs to it: answered */
/* Until it is answered. */
void change_run(struct change *x);

/* ---- for prepare ---- */

/* Looks for the object: x->live, x->old, x->view. */
int change_load(struct change *x, const char *name, struct err *err);
/* The body as a canonical document of x->type; strays are told or refused. */
int change_read(struct change *x, struct doc *ret, struct err *err);
/* What does not belong to its kind: warnings, or "strict decoding error: ...", by fieldValidation.
 */
int change_strays(struct change *x, const struct api_strays *s, struct buf *ret_strict);
/* `view` is to be there from now on. */
int change_create(struct change *x, struct doc *view, struct err *err);
/* `view` takes the place of x->live; 1: they are the same. put: uid is a precondition. */
int change_update(struct change *x, struct doc *view, bool put, struct err *err);
/* x->obj (stored version) against x->old: 1 when nothing would be written. */
int change_same(struct change *x);
/* The namespace of a body is the URL's from now on; its name and namespace against the URL's. */
int change_ns(struct change *x, struct doc *meta, struct err *err);
int change_names(struct change *x, struct doc *view, struct err *err);

/* x->sc, empty, for this attempt. */
void change_strategy(struct change *x);
/* Webhooks are asked about x->obj and x->old, or, own, about x->body of the subresource's kind.
 * options: their kind, "CreateOptions"; NULL for DELETE: then they are the caller's to set. */
void change_ask(struct change *x, enum hook_op op, bool own, const char *options);
/* CreateOptions or UpdateOptions as the query has them, in the work arena. */
const struct doc *change_options(struct call *c, const char *kind);
/* Admission's part before the strategy; old NULL: it is made. */
int change_admit(struct change *x, const struct doc *old, struct err *err);
/* Of an object that goes: what was allocated for it. */
int change_commit_removal(struct change *x, struct err *err);
/* May the object be made by a request that did not ask for create? */
int rest_may_create(struct call *c, struct err *err);
/* Makes the view a Scale when the subresource is one. */
void rest_scale_view(struct change *x);

/* What apply.h wants to know of this request. */
int change_apply(struct change *x, struct apply *ret, struct err *err);

/* metadata of a canonical object, made when there is none; and a member of it, in its place. */
struct doc *change_meta(struct change *x, const struct api_type *t, struct doc *obj);
void change_set_meta(struct change *x, struct doc *meta, const char *field, struct doc value);
/* "2026-11-22T03:04:05Z" in the work arena. */
const char *change_now(struct change *x);
/* 404 or 403 when nothing can be made in this namespace. */
int change_namespace(struct call *c, const char *ns, struct err *err);
