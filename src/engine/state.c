/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine.db: one row per container, a few words about the engine itself. Every change is a job of
 * the database's writer; the caller's function runs on the loop after the commit. Jobs run in the
 * order in which they were queued, so a later state of a container never loses against an earlier
 * one.
 */
#include "engine/private.h"

#include <limits.h>
#include <unistd.h>

#define ENGINE_APP_ID 0x54455501u

static const char *const migrations[] = {
	"CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE containers (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created INTEGER "
	"NOT NULL,"
	" doc TEXT NOT NULL, state TEXT NOT NULL) WITHOUT ROWID;",
};

/* ---- words about the engine ---- */

struct meta_write {
	const char *key, *value;
};

static int meta_write_run(void *ctx, struct db_conn *c, struct err *err)
{
	const struct meta_write *m = ctx;

	return db_exec(c, err,
		       "INSERT INTO meta VALUES (?, ?) ON CONFLICT(key) DO UPDATE SET value = "
		       "excluded.value",
		       "tt", m->key, m->value);
}

int meta_set(struct engine *e, const char *key, const char *value, struct err *err)
{
	struct meta_write m = { key, value };

	return db_write_wait(e->db, meta_write_run, &m, err);
}

int meta_get(struct engine *e, const char *key, char *dst, size_t n, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	const char *v;
	int r;

	r = db_query(db_reader(e->db), &row, err, "SELECT value FROM meta WHERE key = ?", "t", key);
	if (r < 0)
		return r;
	r = db_row_next(row, err);
	if (r <= 0)
		return r;
	db_row_get(row, "t", &v);
	str_copy(dst, n, v ? v : "");
	return 1;
}

struct meta_later {
	struct db_job job;
	const char *key; /* static text */
	char value[128];
};

static int meta_later_run(struct db_job *j, struct db_conn *c, struct err *err)
{
	struct meta_later *m = CONTAINER_OF(j, struct meta_later, job);
	struct meta_write w = { m->key, m->value };

	return meta_write_run(&w, c, err);
}

static void meta_later_done(struct db_job *j)
{
	struct meta_later *m = CONTAINER_OF(j, struct meta_later, job);

	if (j->result < 0)
		log_warn("engine.db: %s: %s", m->key, j->err.msg);
	free(m);
}

void meta_set_later(struct engine *e, const char *key, const char *value)
{
	struct meta_later *m;

	if (e->closing)
		return;
	m = calloc(1, sizeof(*m));
	if (!m)
		abort();
	m->job.run = meta_later_run;
	m->job.done = meta_later_done;
	m->key = key;
	str_copy(m->value, sizeof(m->value), value);
	db_write(e->db, &m->job);
}

/* ---- rows ---- */

static int state_text(const struct container *c, struct buf *out, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("container state", 1u << 20);
	struct doc *o = doc_new_object(a);

	doc_set_str(a, o, "status", container_status_name(c->state.status));
	doc_set_int(a, o, "pid", c->state.pid);
	doc_set_int(a, o, "exit", c->state.exit_code);
	doc_set_bool(a, o, "oom", c->state.oom_killed);
	doc_set_int(a, o, "started", c->state.started);
	doc_set_int(a, o, "finished", c->state.finished);
	doc_set_int(a, o, "restarts", c->state.restart_count);
	doc_set_str(a, o, "error", c->error);
	doc_set_bool(a, o, "manualStop", c->manual_stop);
	if (arena_exceeded(a))
		return arena_quota(a, err);
	return json_write(o, NULL, out, err);
}

static int doc_text(const struct container *c, struct buf *out, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("container document", ENGINE_DOC_MAX);
	struct doc *o = doc_new_object(a), *args, config, host;
	int r;

	r = create_spec_encode(&c->spec, a, &config, &host, err);
	if (r < 0)
		return r;
	doc_set_int(a, o, "version", 1);
	doc_set_str(a, o, "imageId", c->image_id);
	doc_set_str(a, o, "imageRef", c->image_ref);
	args = doc_set_array(a, o, "argv");
	for (size_t i = 0; i < c->argc; i++)
		doc_append_str(a, args, c->argv[i]);
	doc_set(a, o, "config", config);
	doc_set(a, o, "host", host);
	if (arena_exceeded(a))
		return arena_quota(a, err);
	return json_write(o, NULL, out, err);
}

enum save_kind { SAVE_INSERT, SAVE_STATE, SAVE_DELETE, SAVE_RENAME };

struct save {
	struct db_job job;
	struct list link; /* engine.saves */
	struct engine *e;
	enum save_kind kind;
	char id[ID_LEN + 1];
	char *name;
	int64_t created;
	struct buf doc, state;
	save_fn *fn;
	void *arg;
};

static int save_run(struct db_job *j, struct db_conn *c, struct err *err)
{
	struct save *s = CONTAINER_OF(j, struct save, job);

	switch (s->kind) {
	case SAVE_INSERT:
		return db_exec(c, err, "INSERT INTO containers VALUES (?, ?, ?, ?, ?)", "ttitt",
			       s->id, s->name, s->created, buf_str(&s->doc), buf_str(&s->state));
	case SAVE_STATE:
		return db_exec(c, err, "UPDATE containers SET state = ? WHERE id = ?", "tt",
			       buf_str(&s->state), s->id);
	case SAVE_DELETE: return db_exec(c, err, "DELETE FROM containers WHERE id = ?", "t", s->id);
	case SAVE_RENAME:
		return db_exec(c, err, "UPDATE containers SET name = ? WHERE id = ?", "tt", s->name,
			       s->id);
	}
	return 0;
}

static void save_free(struct save *s)
{
	list_del(&s->link);
	free(s->name);
	buf_fini(&s->doc);
	buf_fini(&s->state);
	free(s);
}

static void save_done(struct db_job *j)
{
	struct save *s = CONTAINER_OF(j, struct save, job);

	if (j->result < 0)
		log_error("engine.db: container %s: %s", s->id, j->err.msg);
	/* An engine that closes begins nothing new; a creation alone must still be told, since only
	 * its caller knows of it. */
	if (s->fn && (!s->e->closing || s->kind == SAVE_INSERT))
		s->fn(s->arg, MIN(j->result, 0), j->result < 0 ? &j->err : NULL);
	save_free(s);
}

static void save_queue(struct container *c, enum save_kind kind, const char *name, save_fn *fn,
		       void *arg)
{
	struct save *s;
	int r = 0;

	if (c->e->closing)
		return; /* lifecycle_fini and calls_free answer; the shim's records tell the rest */
	s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	s->e = c->e;
	list_append(&c->e->saves, &s->link);
	s->job.run = save_run;
	s->job.done = save_done;
	s->kind = kind;
	s->fn = fn;
	s->arg = arg;
	s->created = c->state.created;
	s->doc = BUF_INIT(ENGINE_DOC_MAX);
	s->state = BUF_INIT(1u << 20);
	memcpy(s->id, c->id, sizeof(s->id));
	s->name = name ? strdup(name) : NULL;
	if (kind == SAVE_INSERT)
		r = doc_text(c, &s->doc, &s->job.err);
	if (r == 0 && kind != SAVE_DELETE)
		r = state_text(c, &s->state, &s->job.err);
	if (r < 0) {
		/* Too large for a row. The caller still gets its answer later, by the ordinary way.
		 */
		s->kind = SAVE_RENAME;
		free(s->name);
		s->name = NULL; /* NOT NULL refuses it: the job fails and says so */
	}
	db_write(c->e->db, &s->job);
}

void container_save(struct container *c, save_fn *fn, void *arg)
{
	save_queue(c, SAVE_STATE, NULL, fn, arg);
}

void container_insert(struct container *c, save_fn *fn, void *arg)
{
	save_queue(c, SAVE_INSERT, c->name, fn, arg);
}

void container_delete_row(struct container *c, save_fn *fn, void *arg)
{
	save_queue(c, SAVE_DELETE, NULL, fn, arg);
}

void container_rename_row(struct container *c, const char *name, save_fn *fn, void *arg)
{
	save_queue(c, SAVE_RENAME, name, fn, arg);
}

/* ---- at start ---- */

static enum container_status status_of(const char *s)
{
	for (int i = CT_CREATED; i <= CT_DEAD; i++)
		if (s && strcmp(container_status_name((enum container_status)i), s) == 0)
			return (enum container_status)i;
	return CT_DEAD;
}

static int64_t int_of(const struct doc *o, const char *key)
{
	int64_t v = 0;

	(void)doc_int64(doc_get(o, key), &v); /* absent or not whole: 0 */
	return v;
}

static void read_state(struct container *c, const struct doc *o)
{
	const char *error = doc_cstr(c->arena, doc_get(o, "error"));

	c->state.status = status_of(doc_cstr(c->arena, doc_get(o, "status")));
	c->state.pid = (int)int_of(o, "pid");
	c->state.exit_code = (int)int_of(o, "exit");
	c->state.oom_killed = doc_true(doc_get(o, "oom"));
	c->state.started = int_of(o, "started");
	c->state.finished = int_of(o, "finished");
	c->state.restart_count = (int)int_of(o, "restarts");
	c->manual_stop = doc_true(doc_get(o, "manualStop"));
	container_set_error(c, error ? error : "");
}

static int read_row(struct container *c, struct slice doc, struct slice state, struct err *err)
{
	const struct json_options o = { .copy = true };
	struct doc *d, *s;
	const struct doc *args;
	int r;

	r = json_read(c->arena, doc, &o, &d, err);
	if (r < 0)
		return r;
	r = json_read(c->arena, state, &o, &s, err);
	if (r < 0)
		return r;
	c->image_id = doc_cstr(c->arena, doc_get(d, "imageId"));
	c->image_ref = doc_cstr(c->arena, doc_get(d, "imageRef"));
	args = doc_get(d, "argv");
	c->argc = doc_len(args);
	c->argv = ARENA_ARRAY(c->arena, const char *, c->argc + 1);
	if (!c->argv)
		return arena_quota(c->arena, err);
	for (size_t i = 0; i < c->argc; i++) {
		c->argv[i] = doc_cstr(c->arena, doc_at(args, i));
		if (!c->argv[i])
			return err_set(err, ERR_INVALID, "argv[%zu] is no string", i);
	}
	read_state(c, s);
	r = container_set_spec(c, doc_get(d, "config"), doc_get(d, "host"), err);
	if (r < 0)
		return r;
	if (!c->image_id || !c->image_ref)
		return err_set(err, ERR_INVALID, "the image is not named");
	if (faccessat(c->e->containers_fd, c->id, F_OK, 0) < 0)
		return err_sys(err, "its directory is lost: '%s'", c->dir);
	return 0;
}

static int load_containers(struct engine *e, struct err *err)
{
	CLEANUP(db_row_done) struct db_row *row = NULL;
	int r;

	r = db_query(db_reader(e->db), &row, err,
		     "SELECT id, name, created, doc, state FROM containers ORDER BY created, id",
		     "");
	if (r < 0)
		return r;
	while ((r = db_row_next(row, err)) > 0) {
		struct err why = ERR_INIT;
		struct container *c;
		const char *id, *name;
		struct slice doc, state;
		int64_t created;

		db_row_get(row, "ttiss", &id, &name, &created, &doc, &state);
		if (!id || strlen(id) != ID_LEN || !hex_is_lower(slice_str(id)) || !name) {
			log_error("engine.db: a container's row has no proper id or name: left "
				  "alone");
			continue;
		}
		r = container_new(e, id, name, &c, err);
		if (r < 0)
			return r;
		c->state.created = created;
		if (read_row(c, doc, state, &why) < 0) {
			log_error("container %s: it can only be removed: %s", id, why.msg);
			c->argc = 0;
			container_set_status(c, CT_DEAD);
			container_set_error(c, why.msg);
		}
		c->committed = true;
		container_link(c);
	}
	return r;
}

int state_open(struct engine *e, struct err *err)
{
	CLEANUP_FREE char *path = NULL;
	struct db_options o = { .app_id = ENGINE_APP_ID,
				.schema = migrations,
				.nschema = ARRAY_LEN(migrations),
				.loop = e->loop };
	int r;

	if (asprintf(&path, "%s/engine.db", e->root) < 0)
		abort();
	o.path = path;
	list_init(&e->saves);
	r = db_open(&o, &e->db, err);
	if (r < 0)
		return err_wrap(err, "engine database");
	return load_containers(e, err);
}

void state_close(struct engine *e)
{
	db_close(e->db);
	e->db = NULL;
}

/* ---- directories of removed containers ---- */

struct trash {
	struct list link;
	struct work work;
	int dirfd;
	const char *root; /* the engine's */
	char id[ID_LEN + 1];
	struct err err;
};

static void trash_run(struct work *w)
{
	struct trash *t = CONTAINER_OF(w, struct trash, work);

	CLEANUP(buf_fini) struct buf path = BUF_INIT(PATH_MAX);

	/* Whole trees may have a quicker way. */
	if (buf_addf(&path, "%s/containers/%s", t->root, t->id) == 0)
		(void)image_rootfs_remove(buf_str(&path), NULL);
	(void)fd_remove_tree(t->dirfd, t->id,
			     &t->err); /* told by trash_done; the next start tries again */
}

static void trash_done(struct work *w)
{
	struct trash *t = CONTAINER_OF(w, struct trash, work);

	if (t->err.code)
		log_warn("removing the directory of container %s: %s", t->id, t->err.msg);
	list_del(&t->link);
	free(t);
}

void container_trash(struct engine *e, const char *id)
{
	struct trash *t = calloc(1, sizeof(*t));
	struct err err = ERR_INIT;

	if (!t)
		abort();
	t->dirfd = e->containers_fd;
	t->root = e->root;
	str_copy(t->id, sizeof(t->id), id);
	list_append(&e->trash, &t->link);
	if (work_submit(e->pool, &t->work, trash_run, trash_done, &err) < 0) {
		trash_run(&t->work);
		trash_done(&t->work);
	}
}
