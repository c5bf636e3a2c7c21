/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The config document of an image: image-spec config.md, with docker's additions. Read through a
 * schema table into a raw struct, then given the shape of image.h. Unknown members are ignored
 * (they stay in the document's own bytes).
 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "doc/json.h"
#include "doc/schema.h"
#include "image/private.h"

#include <string.h>

struct raw_health {
	struct strs test;
	int64_t interval, timeout, start_period, start_interval, retries;
};
struct raw_run {
	const char *user, *working_dir, *stop_signal;
	struct strs env, cmd, entrypoint, shell, onbuild;
	const struct doc *ports, *volumes;
	struct str_map labels;
	struct raw_health health;
	bool args_escaped;
};
struct raw_rootfs {
	const char *type;
	struct strs diff_ids;
};
struct raw_history {
	const char *created, *created_by, *author, *comment;
	bool empty_layer;
};
struct raw_config {
	const char *architecture, *os, *variant, *os_version, *created, *author, *comment,
		*docker_version;
	struct raw_run config;
	struct raw_rootfs rootfs;
	LIST_OF(struct raw_history) history;
};

static const struct schema_field health_rows[] = {
	F_LIST_STR(struct raw_health, test, "Test", 0, 0),
	F_INT(struct raw_health, interval, "Interval", 0, 0, 0),
	F_INT(struct raw_health, timeout, "Timeout", 0, 0, 0),
	F_INT(struct raw_health, start_period, "StartPeriod", 0, 0, 0),
	F_INT(struct raw_health, start_interval, "StartInterval", 0, 0, 0),
	F_INT(struct raw_health, retries, "Retries", 0, 0, 0),
};
static const struct schema health_schema = SCHEMA("Healthcheck", struct raw_health, health_rows);

static const struct schema_field run_rows[] = {
	F_STR(struct raw_run, user, "User", 0, 0),
	F_STR(struct raw_run, working_dir, "WorkingDir", 0, 0),
	F_STR(struct raw_run, stop_signal, "StopSignal", 0, 0),
	F_LIST_STR(struct raw_run, env, "Env", 0, 0),
	F_LIST_STR(struct raw_run, cmd, "Cmd", 0, 0),
	F_LIST_STR(struct raw_run, entrypoint, "Entrypoint", 0, 0),
	F_LIST_STR(struct raw_run, shell, "Shell", 0, 0),
	F_LIST_STR(struct raw_run, onbuild, "OnBuild", 0, 0),
	F_DOC(struct raw_run, ports, "ExposedPorts", 0),
	F_DOC(struct raw_run, volumes, "Volumes", 0),
	F_MAP_STR(struct raw_run, labels, "Labels", 0),
	F_OBJ_IN(struct raw_run, health, "Healthcheck", &health_schema, 0),
	F_BOOL(struct raw_run, args_escaped, "ArgsEscaped", 0),
};
static const struct schema run_schema = SCHEMA("config", struct raw_run, run_rows);

static const struct schema_field rootfs_rows[] = {
	F_STR(struct raw_rootfs, type, "type", 0, 0),
	F_LIST_STR(struct raw_rootfs, diff_ids, "diff_ids", 0, FORMAT_DIGEST),
};
static const struct schema rootfs_schema = SCHEMA("rootfs", struct raw_rootfs, rootfs_rows);

static const struct schema_field history_rows[] = {
	F_STR(struct raw_history, created, "created", 0, 0),
	F_STR(struct raw_history, created_by, "created_by", 0, 0),
	F_STR(struct raw_history, author, "author", 0, 0),
	F_STR(struct raw_history, comment, "comment", 0, 0),
	F_BOOL(struct raw_history, empty_layer, "empty_layer", 0),
};
static const struct schema history_schema = SCHEMA("history", struct raw_history, history_rows);

static const struct schema_field config_rows[] = {
	F_STR(struct raw_config, architecture, "architecture", 0, 0),
	F_STR(struct raw_config, os, "os", 0, 0),
	F_STR(struct raw_config, variant, "variant", 0, 0),
	F_STR(struct raw_config, os_version, "os.version", 0, 0),
	F_STR(struct raw_config, created, "created", 0, 0),
	F_STR(struct raw_config, author, "author", 0, 0),
	F_STR(struct raw_config, comment, "comment", 0, 0),
	F_STR(struct raw_config, docker_version, "docker_version", 0, 0),
	F_OBJ_IN(struct raw_config, config, "config", &run_schema, 0),
	F_OBJ_IN(struct raw_config, rootfs, "rootfs", &rootfs_schema, SCHEMA_REQUIRED),
	F_LIST_OBJ(struct raw_config, history, "history", &history_schema, 0, .max = 4096),
};
static const struct schema config_schema = SCHEMA("image config", struct raw_config, config_rows);

static struct strv to_strv(struct arena *a, const struct strs *in)
{
	const char **v;

	if (!in->v)
		return (struct strv){ 0 };
	v = ARENA_ARRAY(a, const char *, in->n + 1);
	if (!v)
		return (struct strv){ 0 };
	memcpy(v, in->v, in->n * sizeof(*v));
	return (struct strv){ v, in->n };
}

/* Go's map[string]struct{}: the keys are what counts. */
static int keys_of(struct arena *a, const struct doc *d, const char *what, struct strv *ret,
		   struct err *err)
{
	const char **v;
	size_t n = 0;

	if (!d)
		return 0;
	if (!doc_is(d, DOC_OBJECT))
		return err_set(err, ERR_INVALID, "config.%s: must be an object", what);
	v = ARENA_ARRAY(a, const char *, doc_len(d) + 1);
	if (!v)
		return arena_quota(a, err);
	DOC_EACH_MEMBER (key, value, d) {
		const char *text = doc_cstr(a, key);

		(void)value;
		if (!text)
			return arena_exceeded(a) ? arena_quota(a, err)
						 : err_set(err, ERR_INVALID,
							   "config.%s: a key has a NUL byte", what);
		v[n++] = text;
	}
	*ret = (struct strv){ v, n };
	return 0;
}

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

static int shape_history(struct arena *a, const struct raw_config *raw, struct image_config *c,
			 struct err *err)
{
	struct image_history *h = ARENA_ARRAY(a, struct image_history, raw->history.n + 1);

	if (!h)
		return arena_quota(a, err);
	for (size_t i = 0; i < raw->history.n; i++)
		h[i] = (struct image_history){ or_empty(raw->history.v[i].created),
					       or_empty(raw->history.v[i].created_by),
					       or_empty(raw->history.v[i].author),
					       or_empty(raw->history.v[i].comment),
					       raw->history.v[i].empty_layer };
	c->history = h;
	c->nhistory = raw->history.n;
	return 0;
}

static int shape(struct arena *a, const struct raw_config *raw, struct image_config *c,
		 struct err *err)
{
	const struct raw_run *run = &raw->config;
	struct image_label *labels = ARENA_ARRAY(a, struct image_label, run->labels.n + 1);
	int r;

	if (!labels)
		return arena_quota(a, err);
	for (size_t i = 0; i < run->labels.n; i++)
		labels[i] = (struct image_label){ run->labels.v[i].key,
						  or_empty(run->labels.v[i].value) };
	*c = (struct image_config){
		.user = or_empty(run->user),
		.working_dir = or_empty(run->working_dir),
		.stop_signal = or_empty(run->stop_signal),
		.env = to_strv(a, &run->env),
		.cmd = to_strv(a, &run->cmd),
		.entrypoint = to_strv(a, &run->entrypoint),
		.shell = to_strv(a, &run->shell),
		.onbuild = to_strv(a, &run->onbuild),
		.labels = labels,
		.nlabels = run->labels.n,
		.health = { to_strv(a, &run->health.test), run->health.interval,
			    run->health.timeout, run->health.start_period,
			    run->health.start_interval, run->health.retries },
		.args_escaped = run->args_escaped,
		.architecture = or_empty(raw->architecture),
		.os = or_empty(raw->os),
		.variant = or_empty(raw->variant),
		.os_version = or_empty(raw->os_version),
		.created = or_empty(raw->created),
		.author = or_empty(raw->author),
		.comment = or_empty(raw->comment),
		.docker_version = or_empty(raw->docker_version),
		.diff_ids = to_strv(a, &raw->rootfs.diff_ids),
	};
	r = keys_of(a, run->ports, "ExposedPorts", &c->ports, err);
	if (r >= 0)
		r = keys_of(a, run->volumes, "Volumes", &c->volumes, err);
	if (r >= 0)
		r = shape_history(a, raw, c, err);
	if (r >= 0 && arena_exceeded(a))
		r = arena_quota(a, err);
	return r;
}

int image_config_parse(struct arena *a, struct slice json, struct image_config *ret,
		       struct err *err)
{
	const struct json_options jo = { .max_depth = 64, .copy = true, .replace = true };
	const struct schema_opts so = { .icase = true, .max_causes = 4 };
	struct raw_config raw;
	struct doc *d;
	int r;

	r = json_read(a, json, &jo, &d, err);
	if (r >= 0 && !doc_is(d, DOC_OBJECT))
		r = err_set(err, ERR_INVALID, "must be an object, is %s", doc_type_name(d));
	if (r >= 0)
		r = schema_decode(&config_schema, d, a, &raw, &so, err);
	if (r >= 0 && raw.rootfs.type && strcmp(raw.rootfs.type, "layers") != 0)
		r = err_set(err, ERR_UNSUPPORTED, "rootfs.type '%.64s': only 'layers' is supported",
			    raw.rootfs.type);
	for (size_t i = 0; r >= 0 && i < raw.rootfs.diff_ids.n; i++)
		if (!image_digest_valid(slice_str(raw.rootfs.diff_ids.v[i])) ||
		    image_digest_alg(raw.rootfs.diff_ids.v[i]) != IMAGE_SHA256)
			r = err_set(err, ERR_INVALID,
				    "rootfs.diff_ids[%zu]: must be a sha256 digest", i);
	if (r >= 0)
		r = shape(a, &raw, ret, err);
	if (r < 0 && err)
		err->causes = NULL; /* they lie in the arena, which may not outlive us */
	return r < 0 ? err_wrap(err, "image config") : 0;
}
