/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests/torture/store-kills. `write PATH SEED BASE BACKUP`: 16 writers at random until killed;
 * a line before each commit ("I id +key -key") and after it ("A id revision", "F id": its guard did
 * not hold). Meanwhile history up to BASE is compacted and a backup taken. `dump PATH AFTER`:
 * verifies, then all events after that revision and all keys. `restore BACKUP PATH`.
 */
#include "base/fd.h"
#include "base/loop.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WRITERS 16

struct life;
struct writer {
	struct store_txn t;
	struct store_guard guard;
	struct store_op ops[4];
	char keys[4][16], value[32];
	unsigned long id;
	int number;
	struct life *l;
};

struct life {
	struct loop *loop;
	struct store *s;
	struct writer w[WRITERS];
	uint64_t state;
	unsigned long next;
	struct store_task compact, backup;
	int64_t seen; /* by the watch */
	bool done;
};

static void die(const char *what, const struct err *err)
{
	fprintf(stderr, "%s: %s\n", what, err->msg);
	exit(1);
}

static void say(const struct buf *b)
{
	if (fd_write_all(1, b->p, b->n) < 0)
		exit(1);
}

static unsigned draw(struct life *l, unsigned n)
{
	l->state = l->state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(l->state >> 33) % n;
}

static void go(struct writer *w)
{
	CLEANUP(buf_fini) struct buf line = BUF_INIT(4096);
	struct life *l = w->l;
	unsigned extra = draw(l, 4), first = draw(l, 30);

	w->id = ++l->next;
	snprintf(w->value, sizeof(w->value), "%lu", w->id);
	(void)buf_addf(&line, "I %lu", w->id);
	for (unsigned i = 0; i <= extra; i++) {
		bool remove = i && draw(l, 3) == 0;

		snprintf(w->keys[i], sizeof(w->keys[i]), i ? "k%02u" : "w%02u",
			 i ? first + i : (unsigned)w->number);
		w->ops[i] = (struct store_op){ .remove = remove, .key = slice_str(w->keys[i]) };
		if (!remove)
			w->ops[i].value = slice_str(w->value);
		(void)buf_addf(&line, " %c%s", remove ? '-' : '+', w->keys[i]);
	}
	(void)buf_addc(&line, '\n');
	say(&line);
	w->guard = (struct store_guard){ .key = slice_str(w->keys[extra]) };
	w->t.guards = &w->guard;
	w->t.nguards = draw(l, 8) == 0;
	w->t.ops = w->ops;
	w->t.nops = extra + 1;
	store_commit(l->s, &w->t);
}

static void committed(struct store_txn *t)
{
	CLEANUP(buf_fini) struct buf line = BUF_INIT(4096);
	struct writer *w = CONTAINER_OF(t, struct writer, t);

	if (t->result < 0)
		die("commit", &t->err);
	if (t->result == 0)
		(void)buf_addf(&line, "A %lu %lld\n", w->id, (long long)t->revision);
	else
		(void)buf_addf(&line, "F %lu\n", w->id);
	say(&line);
	go(w);
}

static void task_done(struct store_task *t)
{
	if (t->result < 0 && t->err.code != ERR_EXISTS)
		die("task", &t->err);
}

struct seer {
	struct store_watch w;
	struct life *l;
};

static void in_order(struct store_watch *w, const struct store_event *v, size_t n, int64_t revision)
{
	struct life *l = CONTAINER_OF(w, struct seer, w)->l;

	for (size_t i = 0; i < n; i++) {
		if (v[i].kv.mod_revision < l->seen || v[i].kv.mod_revision > l->seen + 1)
			die("watch",
			    &(struct err){ .msg = "a revision was left out or came twice" });
		l->seen = v[i].kv.mod_revision;
	}
}

static void open_store(struct life *l, const char *path)
{
	struct store_sqlite_options o = { .path = path };
	struct err err = ERR_INIT;

	if (loop_new(&l->loop, &err) < 0)
		die("loop", &err);
	o.loop = l->loop;
	if (store_open_sqlite(&o, &l->s, &err) < 0)
		die("open", &err);
}

static int write_for_ever(struct life *l, char **argv)
{
	int64_t seed = 0, base = 1;
	struct seer seer = { .w = { .events = in_order }, .l = l };
	struct err err = ERR_INIT;

	(void)str_int64(slice_str(argv[3]), &seed, &err);
	(void)str_int64(slice_str(argv[4]), &base, &err);
	l->state = (uint64_t)seed;
	l->next = (unsigned long)seed * 1000000;
	seer.w.after = l->seen = base;
	open_store(l, argv[2]);
	if (store_watch(l->s, &seer.w, &err) < 0)
		die("watch", &err);
	l->compact = (struct store_task){ .revision = base, .done = task_done };
	l->backup = (struct store_task){ .path = argv[5], .done = task_done };
	store_compact(l->s, &l->compact);
	store_backup(l->s, &l->backup);
	for (int i = 0; i < WRITERS; i++) {
		l->w[i].l = l;
		l->w[i].number = i;
		l->w[i].t.done = committed;
		go(&l->w[i]);
	}
	return loop_run(l->loop, &err);
}

/* ---- dump ---- */

static struct life *life_of(struct store_task *t)
{
	return CONTAINER_OF(t, struct life, compact);
}

static void verified(struct store_task *t)
{
	if (t->result < 0)
		die("verify", &t->err);
	life_of(t)->done = true;
}

static int print_row(struct store_range *r, const struct store_kv *kv)
{
	printf("R %lld %.*s %.*s\n", (long long)kv->mod_revision, (int)kv->key.n, kv->key.p,
	       (int)kv->value.n, kv->value.p);
	return 0;
}

struct dump {
	struct store_range r;
	struct store_watch w;
	struct life *l;
};

static void printed(struct store_range *r)
{
	if (r->result < 0)
		die("range", &r->err);
	CONTAINER_OF(r, struct dump, r)->l->done = true;
}

static void print_events(struct store_watch *w, const struct store_event *v, size_t n,
			 int64_t revision)
{
	struct life *l = CONTAINER_OF(w, struct dump, w)->l;

	for (size_t i = 0; i < n; i++)
		printf("E %lld %c%.*s %.*s\n", (long long)v[i].kv.mod_revision,
		       v[i].removed ? '-' : '+', (int)v[i].kv.key.n, v[i].kv.key.p,
		       (int)v[i].kv.value.n, v[i].kv.value.p);
	l->done = revision >= store_revision(l->s);
}

static void ended(struct store_watch *w, const struct err *err)
{
	die("watch", err);
}

static void turn(struct life *l)
{
	struct err err = ERR_INIT;

	for (l->done = false; !l->done;)
		if (loop_step(l->loop, -1, &err) < 0)
			die("loop", &err);
}

static int dump(struct life *l, char **argv)
{
	struct dump d = { .l = l };
	struct err err = ERR_INIT;
	int64_t after = 0;

	(void)str_int64(slice_str(argv[3]), &after, &err);
	open_store(l, argv[2]);
	l->compact.done = verified;
	store_verify(l->s, &l->compact);
	turn(l);
	if (after) {
		d.w = (struct store_watch){ .after = after, .events = print_events, .end = ended };
		if (store_watch(l->s, &d.w, &err) < 0)
			die("watch", &err);
		turn(l);
	}
	d.r = (struct store_range){ .each = print_row, .done = printed };
	store_range(l->s, &d.r);
	turn(l);
	printf("N %lld\n", (long long)store_revision(l->s));
	store_close(l->s);
	loop_free(l->loop);
	return 0;
}

int main(int argc, char **argv)
{
	static struct life l;
	struct err err = ERR_INIT;

	if (argc == 6 && strcmp(argv[1], "write") == 0)
		return write_for_ever(&l, argv) < 0;
	if (argc == 4 && strcmp(argv[1], "dump") == 0)
		return dump(&l, argv);
	if (argc != 4 || strcmp(argv[1], "restore") != 0)
		return 2;
	if (store_restore(argv[2], argv[3], &err) < 0)
		die("restore", &err);
	return 0;
}
