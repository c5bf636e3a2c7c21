/* SPDX-License-Identifier: Apache-2.0 */
/* `teu pull` and `teu push`. The credentials are ours (config.json, helpers), the transfer is the
 * engine's. */
#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "cli/cli.h"
#include "cli/cmds.h"
#include "cli/layers.h"
#include "cli/pull.h"
#include "doc/json.h"
#include "dockerclient/dockerclient.h"
#include "image/auth-file.h"
#include "image/image.h"
#include "image/remotes.h"

#define NO_TRUST "content trust (notary) is not supported; pull by digest"

/* ---- credentials ---- */

static void set_if(struct arena *a, struct doc *d, const char *key, const char *value)
{
	if (value)
		doc_set_str(a, d, key, value);
}

int pull_registry_auth(struct cmd_call *call, const char *host, const char **ret, struct err *err)
{
	struct arena *a = call->arena;
	struct doc *d = doc_new_object(a);
	struct remote_auth auth;
	const char *dir;
	struct slice text;
	char *coded;
	int r;

	*ret = "e30=";
	if (auth_file_dir(a, &dir, NULL) < 0)
		return 0; /* nobody's home: anonymous */
	r = auth_file_get(dir, host, a, &auth, err);
	if (r < 0)
		return r;
	set_if(a, d, "username", auth.username);
	set_if(a, d, "password", auth.password);
	set_if(a, d, "identitytoken", auth.identity_token);
	set_if(a, d, "registrytoken", auth.registry_token);
	if (!doc_len(d))
		return 0;
	doc_set_str(a, d, "serveraddress", host);
	r = json_print(a, d, NULL, &text, err);
	if (r < 0)
		return r;
	coded = arena_alloc(a, BASE64_LEN(text.n) + 1);
	if (!coded)
		return arena_quota(a, err);
	base64_encode(coded, text.p, text.n);
	for (char *c = coded; *c; c++) /* base64url, as docker sends it */
		*c = *c == '+' ? '-' : (*c == '/' ? '_' : *c);
	*ret = coded;
	return 0;
}

/* ---- the stream ---- */

struct showing {
	struct layers layers;
	struct docker_messages messages;
};

static int on_message(void *arg, const struct doc *msg, struct slice line, struct err *err)
{
	struct showing *s = arg;

	(void)line;
	return layers_show(&s->layers, msg, err);
}

static int consume(void *arg, struct slice bytes, struct err *err)
{
	struct showing *s = arg;

	return docker_messages_feed(&s->messages, bytes, on_message, s, err);
}

static int transfer(struct cmd_call *call, const char *target, const char *host, int fd, bool quiet,
		    struct err *err)
{
	struct showing s = { .messages = DOCKER_MESSAGES_INIT };
	struct docker_request rq = {
		.method = "POST", .target = target, .consume = consume, .arg = &s
	};
	struct docker_client *c;
	int r;

	layers_begin(&s.layers, fd, quiet);
	r = pull_registry_auth(call, host, &rq.registry_auth, err);
	if (r == 0)
		r = cli_client(call, &c, err);
	if (r == 0)
		r = docker_call(c, call->arena, &rq, NULL, err);
	docker_messages_fini(&s.messages);
	return r < 0 ? r : 0;
}

static int print_name(struct cmd_call *call, const struct image_name *n, struct err *err)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(2 * IMAGE_NAME_TEXT_MAX);
	char text[IMAGE_NAME_TEXT_MAX];

	(void)call;
	buf_addf(&out, "%s\n", image_name_full(n, text));
	return cli_write(1, &out, err);
}

/* ---- pull ---- */

static int parse(const char *ref, bool all, struct image_name *n, char host[256], struct err *err)
{
	const char *repo;
	int r = image_name_parse(ref, n, err);

	if (r < 0)
		return r;
	if (all && (n->tag[0] || n->digest[0]))
		return err_set(err, ERR_INVALID, "tag can't be used with --all-tags/-a");
	if (!all)
		image_name_default_tag(n);
	image_name_split(n, host, &repo);
	return 0;
}

int pull_image(struct cmd_call *call, const struct pull_request *rq, struct err *err)
{
	struct image_name n;
	char host[256];
	const char *tag;
	int r;

	r = parse(rq->ref, rq->all_tags, &n, host, err);
	if (r < 0)
		return r;
	tag = n.digest[0] ? n.digest : (n.tag[0] ? n.tag : NULL);
	return transfer(call,
			docker_target(call->arena, "/images/create", "fromImage", n.name, "tag",
				      tag, "platform", rq->platform, "lazy", rq->lazy, NULL),
			host, rq->fd, rq->quiet, err);
}

int pull_lazy(bool lazy, bool early, const char **ret, struct err *err)
{
	if (early && !lazy)
		return err_set(err, ERR_BAD_REQUEST, "--lazy-early needs --lazy");
	*ret = early ? "early" : lazy ? "1" : NULL;
	return 0;
}

struct pull_opts {
	bool all_tags, quiet, lazy, lazy_early;
	const char *platform;
};

static const struct opt pull_opts[] = {
	OPT(struct pull_opts, BOOL, all_tags, "all-tags", 'a', "Pull all tags of the repository"),
	OPT_NOT_SUPPORTED(BOOL, "disable-content-trust", 0, NO_TRUST),
	OPT(struct pull_opts, BOOL, lazy, "lazy", 0,
	    "Do not wait for layers whose index is known; keep the others' indexes"),
	OPT(struct pull_opts, BOOL, lazy_early, "lazy-early", 0,
	    "With --lazy: nor for layers without one, before their digests are known"),
	OPT(struct pull_opts, STR, platform, "platform", 0,
	    "Platform to pull, OS[/ARCH[/VARIANT]]"),
	OPT(struct pull_opts, BOOL, quiet, "quiet", 'q', "Print the name alone"),
	OPT_END
};

static int pull_run(struct cmd_call *call, struct err *err)
{
	const struct pull_opts *o = call->opts;
	struct pull_request rq = { .ref = call->args[0],
				   .platform = o->platform,
				   .all_tags = o->all_tags,
				   .quiet = o->quiet,
				   .fd = 1 };
	struct image_name n;
	char host[256];
	int r;

	r = pull_lazy(o->lazy, o->lazy_early, &rq.lazy, err);
	if (r >= 0)
		r = pull_image(call, &rq, err);
	if (r >= 0)
		r = parse(rq.ref, rq.all_tags, &n, host, err);
	return r < 0 ? r : print_name(call, &n, err);
}

/* ---- push ---- */

struct push_opts {
	bool all_tags, quiet, lazy;
	struct opt_list platforms;
};

static const struct opt push_opts[] = {
	OPT(struct push_opts, BOOL, all_tags, "all-tags", 'a', "Push all tags of the name"),
	OPT_NOT_SUPPORTED(BOOL, "disable-content-trust", 0, NO_TRUST),
	OPT(struct push_opts, BOOL, lazy, "lazy", 0, "Push the known indexes of its layers too"),
	OPT(struct push_opts, LIST, platforms, "platform", 0,
	    "Of several platforms only this, OS/ARCH[/VARIANT]"),
	OPT(struct push_opts, BOOL, quiet, "quiet", 'q', "Print the name alone"),
	OPT_END
};

static int push_run(struct cmd_call *call, struct err *err)
{
	const struct push_opts *o = call->opts;
	struct image_name n;
	const char *target;
	char host[256];
	int r;

	r = parse(call->args[0], o->all_tags, &n, host, err);
	if (r == 0 && n.digest[0])
		r = err_set(err, ERR_INVALID, "cannot push a digest reference");
	if (r == 0 && o->platforms.n > 1)
		r = err_set(err, ERR_INVALID, "--platform can be given once");
	if (r < 0)
		return r;
	target = docker_target(call->arena, "/images/%/push", n.name, "tag",
			       n.tag[0] ? n.tag : NULL, "lazy", o->lazy ? "1" : NULL, NULL);
	r = cli_add_platforms(call->arena, "platform", &o->platforms, &target, err);
	if (r == 0)
		r = transfer(call, target, host, 1, o->quiet, err);
	return r == 0 && o->quiet ? print_name(call, &n, err) : r;
}

static const char *const pull_names[] = { "image pull", NULL };
static const char *const push_names[] = { "image push", NULL };

const struct cmd cmd_pull = {
	.path = "pull",
	.aliases = pull_names,
	.args = "[OPTIONS] NAME[:TAG|@DIGEST]",
	.help = "Fetch an image from a registry",
	.opts = pull_opts,
	.opts_size = sizeof(struct pull_opts),
	.min = 1,
	.max = 1,
	.flags = CMD_NEEDS_ENGINE,
	.group = CLI_IMAGES,
	.run = pull_run,
};

const struct cmd cmd_push = {
	.path = "push",
	.aliases = push_names,
	.args = "[OPTIONS] NAME[:TAG]",
	.help = "Send an image to a registry",
	.opts = push_opts,
	.opts_size = sizeof(struct push_opts),
	.min = 1,
	.max = 1,
	.flags = CMD_NEEDS_ENGINE,
	.group = CLI_IMAGES,
	.run = push_run,
};
