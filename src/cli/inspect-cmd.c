/* SPDX-License-Identifier: Apache-2.0 */
/* `teu inspect`: containers, images, networks and volumes as the engine knows them. */
#include "base/arena.h"
#include "base/err.h"
#include "cli/cli.h"
#include "cli/cmds.h"
#include "cli/image-look.h"
#include "cli/view.h"
#include "doc/doc.h"
#include "doc/json.h"
#include "dockerclient/dockerclient.h"

struct inspect_opts {
	const char *format, *type, *platform;
	bool size;
};

static const char *const types[] = { "container", "image", "network", "volume", NULL };

static const struct opt inspect_opts[] = {
	OPT(struct inspect_opts, STR, format, "format", 'f', "Print in this form (json, TEMPLATE)"),
	OPT(struct inspect_opts, BOOL, size, "size", 's', "Show sizes of files of containers"),
	OPT_CHOICE(struct inspect_opts, type, "type", 0, types, "Look only among these"), OPT_END
};

/* In the order in which a name is looked up. */
static const char *const paths[] = { "/containers/%/json", "/images/%/json", "/networks/%",
				     "/volumes/%" };

static int look_up(struct cmd_call *call, const char *only, const char *ref, struct doc **ret,
		   struct err *err)
{
	const struct inspect_opts *o = call->opts;
	struct docker_client *c;
	const char *target;
	int r;

	r = cli_client(call, &c, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		if (only && strcmp(only, types[i]) != 0)
			continue;
		*err = ERR_INIT;
		target = docker_target(call->arena, paths[i], ref, "size",
				       o->size && i == 0 ? "1" : NULL, NULL);
		r = !o->platform || i != 1
			    ? 0
			    : cli_add_platforms(call->arena, "platform",
						&(struct opt_list){
							(const char **)(uintptr_t)&o->platform, 1 },
						&target, err);
		if (r == 0)
			r = docker_get(c, call->arena, target, ret, err);
		if (r != -ERR_NOT_FOUND)
			return r;
	}
	return only ? r : err_set(err, ERR_NOT_FOUND, "Error: No such object: %.300s", ref);
}

static int print_template(const struct template *t, const struct doc *list, struct buf *out,
			  struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < doc_len(list) && r == 0; i++) {
		r = template_render(t, doc_at(list, i), out, err);
		buf_addc(out, '\n');
	}
	return r;
}

static int print(struct cmd_call *call, const struct template *t, const struct doc *list,
		 struct err *err)
{
	const struct inspect_opts *o = call->opts;
	CLEANUP(buf_fini) struct buf out = BUF_INIT(CLI_OUT_MAX);
	struct json_style style = { .indent = "    " };
	int r;

	if (t) {
		r = print_template(t, list, &out, err);
	} else {
		r = json_write(list, o->format ? NULL : &style, &out, err);
		buf_addc(&out, '\n');
	}
	return r < 0 ? r : cli_write(1, &out, err);
}

/* What is not there is told after what is, and makes the status 1. */
static int inspect(struct cmd_call *call, const char *only, struct err *err)
{
	const struct inspect_opts *o = call->opts;
	struct doc *list = doc_new_array(call->arena), *one;
	bool plain = !o->format || strcmp(o->format, "json") == 0;
	struct template t;
	int status = 0, r = 0;

	if (!plain)
		r = template_parse(call->arena, o->format, &t, err);
	for (size_t i = 0; i < call->nargs && r == 0; i++) {
		struct err why = ERR_INIT;

		if (look_up(call, only, call->args[i], &one, &why) < 0) {
			cli_complain(&why);
			status = 1;
		} else if (one) {
			doc_append(call->arena, list, *one);
		}
	}
	if (r == 0 && (plain || doc_len(list)))
		r = print(call, plain ? NULL : &t, list, err);
	return r < 0 ? r : status;
}

static int inspect_run(struct cmd_call *call, struct err *err)
{
	const struct inspect_opts *o = call->opts;

	return inspect(call, o->type, err);
}

/* "container inspect", "image inspect": the same with the kind in the name. */
#define KIND(id, kind, text)                                        \
	static int id##_run(struct cmd_call *call, struct err *err) \
	{                                                           \
		return inspect(call, kind, err);                    \
	}                                                           \
	const struct cmd cmd_##id = {                               \
		.path = kind " inspect",                            \
		.args = "[OPTIONS] " text " [" text "...]",         \
		.help = "Show all that is known of a " kind,        \
		.opts = kind_opts,                                  \
		.opts_size = sizeof(struct inspect_opts),           \
		.min = 1,                                           \
		.max = UINT8_MAX,                                   \
		.flags = CMD_NEEDS_ENGINE,                          \
		.run = id##_run,                                    \
	}

static const struct opt kind_opts[] = {
	OPT(struct inspect_opts, STR, format, "format", 'f', "Print in this form (json, TEMPLATE)"),
	OPT(struct inspect_opts, BOOL, size, "size", 's', "Show sizes of files of containers"),
	OPT_END
};

const struct cmd cmd_inspect = {
	.path = "inspect",
	.args = "[OPTIONS] NAME|ID [NAME|ID...]",
	.help = "Show all that is known of containers, images, networks, volumes",
	.opts = inspect_opts,
	.opts_size = sizeof(struct inspect_opts),
	.min = 1,
	.max = UINT8_MAX,
	.flags = CMD_NEEDS_ENGINE,
	.group = CLI_SYSTEM,
	.run = inspect_run,
};
KIND(container_inspect, "container", "CONTAINER");
KIND(network_inspect, "network", "NETWORK");
KIND(volume_inspect, "volume", "VOLUME");

/* ---- image inspect: also of what is elsewhere ---- */

struct image_inspect_opts {
	struct inspect_opts base; /* first: inspect() reads it */
	struct image_look look;
};

static const struct opt image_inspect_opts[] = {
	IMAGE_ACCESS_OPTS(struct image_inspect_opts, look.access, ""),
	OPT(struct image_inspect_opts, STR, look.access.authfile, "authfile", 0,
	    "Credentials in this file, not in docker's config.json"),
	OPT(struct image_inspect_opts, BOOL, look.config, "config", 0,
	    "Print the configuration's own bytes"),
	OPT(struct image_inspect_opts, STR, base.format, "format", 'f',
	    "Print in this form (json, TEMPLATE)"),
	OPT(struct image_inspect_opts, STR, base.platform, "platform", 0,
	    "Of an index the image for OS/ARCH[/VARIANT]"),
	OPT(struct image_inspect_opts, BOOL, look.raw, "raw", 0, "Print the manifest's own bytes"),
	OPT_END
};

/* "docker://..." and the other transports, and the bytes themselves. */
static bool is_place(const char *name)
{
	static const char *const begins[] = { "docker:", "oci:", "oci-archive:",  "docker-archive:",
					      "dir:",	 "teu:", "docker-daemon:" };

	for (size_t i = 0; i < ARRAY_LEN(begins); i++)
		if (strncmp(name, begins[i], strlen(begins[i])) == 0)
			return true;
	return false;
}

static int image_inspect_run(struct cmd_call *call, struct err *err)
{
	const struct image_inspect_opts *o = call->opts;
	bool places = o->look.raw || o->look.config;
	struct image_look look = o->look;
	int r = 0;

	for (size_t i = 0; i < call->nargs; i++)
		places |= is_place(call->args[i]);
	if (!places)
		return inspect(call, "image", err);
	if (o->base.format)
		return err_set(err, ERR_UNSUPPORTED, "--format is for images of the engine alone");
	look.platform = o->base.platform;
	for (size_t i = 0; i < call->nargs && r >= 0; i++)
		r = image_look(call, call->args[i], &look, err);
	return r;
}

const struct cmd cmd_image_inspect = {
	.path = "image inspect",
	.args = "[OPTIONS] IMAGE|PLACE [IMAGE|PLACE...]",
	.help = "Show all that is known of an image, also in a registry or archive",
	.opts = image_inspect_opts,
	.opts_size = sizeof(struct image_inspect_opts),
	.min = 1,
	.max = UINT8_MAX,
	.run = image_inspect_run,
};
