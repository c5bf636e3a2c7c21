/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of the audit log, and its file. */
#include "apiserver/auth/apiaudit-policy.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "doc/doc.h"
#include "doc/json.h"
#include "io/metrics.h"
#include "linux/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BYTES_DEFAULT (100ull << 20)
#define WAITING_MAX (16u << 20)
#define NAMES_MAX 4096

struct apiaudit {
	struct apiaudit_policy *policy;
	char *path;
	int fd;
	uint64_t bytes, bytes_max, dropped;
	unsigned backups;
	int64_t age;
	bool failing;
	struct buf waiting;
	struct deferred flush;
	struct metrics *metrics;
	struct metric_family *events, *errors;
};

static const char *const level_names[] = { "None", "Metadata", "Request", "RequestResponse" },
			 *const stage_names[] = { "RequestReceived", "ResponseStarted",
						  "ResponseComplete", "Panic" };

/* ---- the file ---- */

static bool is_stdout(const struct apiaudit *l)
{
	return strcmp(l->path, "-") == 0;
}

static int open_file(struct apiaudit *l, struct err *err)
{
	struct stat st;
	int fd;

	if (is_stdout(l)) {
		fd = fd_dup(STDOUT_FILENO);
		if (fd < 0)
			return err_sys(err, "audit log on standard output");
	} else {
		fd = sys_openat(AT_FDCWD, l->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0)
			return err_sys(err, "audit log '%s'", l->path);
	}
	l->bytes = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	fd_close(l->fd);
	l->fd = fd;
	return 0;
}

static void report(struct apiaudit *l, const char *what, uint64_t lines)
{
	l->dropped += lines;
	if (l->errors)
		metric_add(metric_with(l->errors, (const char *const[]){ "log" }), (double)lines);
	if (!l->failing)
		log_kv(LOG_LEVEL_ERROR, "the audit log cannot be written", "path", l->path, "call",
		       what, "error", err_strerror(errno), NULL);
	l->failing = true;
}

/* DIR, "NAME-" and ".EXT" of what renamed files are called. */
struct backup_names {
	struct slice dir, stem, ext;
};

static struct backup_names names_of(const char *path)
{
	struct backup_names n = { .dir = SLICE(".") };
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	const char *dot = strrchr(base, '.');

	if (slash)
		n.dir = slash == path ? SLICE("/") : slice_of(path, (size_t)(slash - path));
	n.stem = dot && dot != base ? slice_of(base, (size_t)(dot - base)) : slice_str(base);
	n.ext = dot && dot != base ? slice_str(dot) : SLICE("");
	return n;
}

static bool is_backup(const struct backup_names *n, const char *name)
{
	struct slice s = slice_str(name);

	return s.n > n->stem.n + n->ext.n + 1 && slice_starts(s, n->stem) &&
	       s.p[n->stem.n] == '-' && slice_ends(s, n->ext) && s.p[n->stem.n + 1] >= '0' &&
	       s.p[n->stem.n + 1] <= '9';
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names have their time in them: in order, the oldest first. */
static size_t list_backups(const struct backup_names *n, int dir, char **out, size_t max)
{
	int fd = fd_dup(dir);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;
	size_t count = 0;

	if (!d) {
		fd_close(fd);
		return 0;
	}
	rewinddir(d);
	while (count < max && (e = readdir(d))) {
		if (!is_backup(n, e->d_name))
			continue;
		out[count] = strdup(e->d_name);
		if (!out[count])
			abort();
		count++;
	}
	(void)closedir(d);
	qsort(out, count, sizeof(*out), by_name);
	return count;
}

static bool too_old(const struct apiaudit *l, int dir, const char *name)
{
	struct stat st;

	return l->age && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       clock_real() - (int64_t)st.st_mtime * NS_PER_SEC > l->age;
}

static void remove_old(struct apiaudit *l)
{
	struct backup_names n = names_of(l->path);
	char *dir_name = strndup(n.dir.p, n.dir.n), **v = calloc(NAMES_MAX, sizeof(*v));
	size_t count;
	int dir;

	if (!dir_name || !v)
		abort();
	dir = sys_openat(AT_FDCWD, dir_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	count = dir >= 0 ? list_backups(&n, dir, v, NAMES_MAX) : 0;
	for (size_t i = 0; i < count; i++) {
		bool many = l->backups && count - i > l->backups;

		if (many || too_old(l, dir, v[i]))
			(void)sys_unlinkat(dir, v[i], 0); /* the next rotation tries again */
		free(v[i]);
	}
	fd_close(dir);
	free(v);
	free(dir_name);
}

static void rotate(struct apiaudit *l)
{
	struct backup_names n = names_of(l->path);
	char to[4096], stamp[64];
	struct err err = ERR_INIT;
	int64_t now = clock_real();
	time_t sec = (time_t)(now / NS_PER_SEC);
	struct tm tm;

	(void)gmtime_r(&sec, &tm);
	(void)strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H-%M-%S", &tm);
	if (snprintf(to, sizeof(to), "%.*s/%.*s-%s.%03d%.*s", (int)n.dir.n, n.dir.p, (int)n.stem.n,
		     n.stem.p, stamp, (int)(now / NS_PER_MS % 1000), (int)n.ext.n,
		     n.ext.p) >= (int)sizeof(to))
		errno = ENAMETOOLONG;
	else if (sys_renameat(AT_FDCWD, l->path, AT_FDCWD, to) == 0)
		to[0] = '\0';
	if (to[0]) {
		report(l, "rename", 0);
		return;
	}
	if (open_file(l, &err) < 0)
		log_kv(LOG_LEVEL_ERROR, "audit log", "error", err.msg, NULL);
	remove_old(l);
}

static uint64_t lines_in(const struct buf *b)
{
	uint64_t n = 0;

	for (const char *p = b->p, *end = b->p + b->n; b->n && p < end; n++) {
		p = memchr(p, '\n', (size_t)(end - p));
		if (!p)
			break;
		p++;
	}
	return n;
}

void apiaudit_flush(struct apiaudit *l)
{
	if (!l || !l->waiting.n)
		return;
	if (fd_write_all(l->fd, l->waiting.p, l->waiting.n) < 0) {
		report(l, "write", lines_in(&l->waiting));
	} else {
		l->failing = false;
		l->bytes += l->waiting.n;
	}
	buf_fini(&l->waiting);
	if (!l->failing && !is_stdout(l) && l->bytes > l->bytes_max)
		rotate(l);
}

static void flush_later(struct deferred *d)
{
	apiaudit_flush(CONTAINER_OF(d, struct apiaudit, flush));
}

/* ---- lines ---- */

static void add_text(struct buf *b, const char *name, struct slice value)
{
	if (!value.n)
		return;
	(void)buf_addf(b, ",\"%s\":", name);
	(void)json_write_string(b, value, true);
}

static void add_str(struct buf *b, const char *name, const char *value)
{
	if (value)
		add_text(b, name, slice_str(value));
}

static void add_time(struct buf *b, const char *name, int64_t ns)
{
	time_t sec = (time_t)(ns / NS_PER_SEC);
	struct tm tm;
	char text[64];

	(void)gmtime_r(&sec, &tm);
	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	(void)buf_addf(b, ",\"%s\":\"%s.%06dZ\"", name, text, (int)(ns / 1000 % 1000000));
}

static void add_doc(struct buf *b, const char *name, const struct doc *d)
{
	size_t before = b->n;

	(void)buf_addf(b, ",\"%s\":", name);
	if (json_write(d, NULL, b, NULL) < 0)
		b->n = before;
}

static void add_user(struct buf *b, const char *name, const struct strategy_user *u)
{
	(void)buf_addf(b, ",\"%s\":{\"username\":", name);
	(void)json_write_string(b, slice_str(u->name), true);
	add_str(b, "uid", u->uid);
	if (u->groups && u->groups[0]) {
		(void)buf_adds(b, ",\"groups\":[");
		for (size_t i = 0; u->groups[i]; i++) {
			(void)buf_adds(b, i ? "," : "");
			(void)json_write_string(b, slice_str(u->groups[i]), true);
		}
		(void)buf_addc(b, ']');
	}
	if (doc_len(u->extra))
		add_doc(b, "extra", u->extra);
	(void)buf_addc(b, '}');
}

static void add_object(struct buf *b, const struct apiaudit_about *r)
{
	size_t at;

	(void)buf_adds(b, ",\"objectRef\":{");
	at = b->n;
	add_str(b, "resource", r->resource);
	add_str(b, "namespace", r->namespace_);
	add_str(b, "name", r->name);
	add_str(b, "uid", r->uid);
	add_str(b, "apiGroup", r->group);
	add_str(b, "apiVersion", r->version);
	add_str(b, "resourceVersion", r->revision);
	add_str(b, "subresource", r->subresource);
	if (!b->full && b->n > at) { /* the first comma */
		memmove(b->p + at, b->p + at + 1, b->n - at - 1);
		b->n--;
	}
	(void)buf_addc(b, '}');
}

static void add_status(struct buf *b, const struct apiaudit_about *r)
{
	(void)buf_adds(b, ",\"responseStatus\":{\"metadata\":{}");
	add_text(b, "status", doc_slice(doc_get(r->status, "status")));
	add_text(b, "message", doc_slice(doc_get(r->status, "message")));
	add_text(b, "reason", doc_slice(doc_get(r->status, "reason")));
	if (doc_len(doc_get(r->status, "details")))
		add_doc(b, "details", doc_get(r->status, "details"));
	(void)buf_addf(b, ",\"code\":%d}", r->code);
}

/* Without managedFields where the policy says so: the document given is not changed. */
static void add_body(struct buf *b, const char *name, const struct doc *d, bool omit_managed)
{
	CLEANUP(arena_free) struct arena *a = NULL;
	const struct doc *meta = doc_get(d, "metadata");
	struct doc *copy, *bare;

	if (!d)
		return;
	if (!omit_managed || !doc_get(meta, "managedFields")) {
		add_doc(b, name, d);
		return;
	}
	a = arena_new("audit object", WAITING_MAX);
	copy = doc_copy_shared(a, d);
	bare = copy ? doc_get(copy, "metadata") : NULL;
	if (bare && doc_remove(bare, "managedFields"))
		add_doc(b, name, copy);
}

static void add_annotations(struct buf *b, const struct apiaudit_about *r)
{
	if (!r->decision && !r->why)
		return;
	(void)buf_adds(b, ",\"annotations\":{");
	if (r->decision) {
		(void)buf_adds(b, "\"authorization.k8s.io/decision\":");
		(void)json_write_string(b, slice_str(r->decision), true);
		(void)buf_addc(b, ',');
	}
	(void)buf_adds(b, "\"authorization.k8s.io/reason\":");
	(void)json_write_string(b, slice_str(r->why ? r->why : ""), true);
	for (size_t i = 0; i < r->nnotes; i++) {
		(void)buf_addc(b, ',');
		(void)json_write_string(b, slice_str(r->notes[i].key), true);
		(void)buf_addc(b, ':');
		(void)json_write_string(b, slice_str(r->notes[i].value), true);
	}
	(void)buf_addc(b, '}');
}

static void add_event(struct buf *b, const struct apiaudit_verdict *v, enum apiaudit_stage stage,
		      const struct apiaudit_about *r)
{
	bool done = stage == APIAUDIT_COMPLETE || stage == APIAUDIT_PANIC;

	(void)buf_addf(b,
		       "{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"level\":\"%s\","
		       "\"auditID\":\"%s\",\"stage\":\"%s\"",
		       level_names[v->level], r->id, stage_names[stage]);
	add_text(b, "requestURI", r->uri);
	add_str(b, "verb", r->verb);
	add_user(b, "user", r->user);
	if (r->impersonated)
		add_user(b, "impersonatedUser", r->impersonated);
	if (r->constraint)
		(void)buf_addf(b,
			       ",\"authenticationMetadata\":{\"impersonationConstraint\":"
			       "\"%s\"}",
			       r->constraint);
	if (r->source && *r->source) {
		(void)buf_adds(b, ",\"sourceIPs\":[");
		(void)json_write_string(b, slice_str(r->source), true);
		(void)buf_addc(b, ']');
	}
	add_text(b, "userAgent", r->user_agent);
	if (r->is_resource)
		add_object(b, r);
	if (stage != APIAUDIT_RECEIVED && r->code)
		add_status(b, r);
	if (v->level >= APIAUDIT_REQUEST && stage != APIAUDIT_RECEIVED)
		add_body(b, "requestObject", r->request, v->omit_managed_fields);
	if (v->level >= APIAUDIT_RESPONSE && done)
		add_body(b, "responseObject", r->response, v->omit_managed_fields);
	add_time(b, "requestReceivedTimestamp", r->received);
	add_time(b, "stageTimestamp", clock_real());
	add_annotations(b, r);
	(void)buf_adds(b, "}\n");
}

struct apiaudit_verdict apiaudit_judge(const struct apiaudit *l, const struct apiaudit_about *r)
{
	return l ? apiaudit_policy_judge(l->policy, r)
		 : (struct apiaudit_verdict){ .level = APIAUDIT_NONE };
}

void apiaudit_add(struct apiaudit *l, const struct apiaudit_verdict *v, enum apiaudit_stage stage,
		  const struct apiaudit_about *r)
{
	size_t before;

	if (!l || v->level == APIAUDIT_NONE || (v->omit & (1u << stage)))
		return;
	before = l->waiting.n;
	add_event(&l->waiting, v, stage, r);
	if (l->events)
		metric_inc(metric_with(l->events, NULL));
	if (l->waiting.full) { /* all of a line or nothing */
		l->waiting.n = before;
		l->waiting.full = false;
		errno = ENOBUFS;
		report(l, "collect", 1);
	}
	deferred_call(&l->flush);
}

uint64_t apiaudit_dropped(const struct apiaudit *l)
{
	return l->dropped;
}

/* ---- life ---- */

static int metrics_begin(struct apiaudit *l, struct err *err)
{
	static const char *const plugin[] = { "plugin" };
	static const struct metric_spec events = { METRIC_COUNTER,
						   "apiserver_audit_event_total",
						   "Audit events that were made",
						   NULL,
						   0,
						   NULL,
						   0,
						   0 },
					errors = { METRIC_COUNTER,
						   "apiserver_audit_error_total",
						   "Audit events that were lost",
						   plugin,
						   1,
						   NULL,
						   0,
						   0 };
	int r = metrics_add(l->metrics, &events, &l->events, err);

	return r < 0 ? r : metrics_add(l->metrics, &errors, &l->errors, err);
}

int apiaudit_new(const struct apiaudit_conf *conf, struct apiaudit **ret, struct err *err)
{
	CLEANUP(apiaudit_free) struct apiaudit *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		abort();
	l->fd = -1;
	l->bytes_max = conf->bytes_max ? conf->bytes_max : BYTES_DEFAULT;
	l->backups = conf->backups;
	l->age = conf->age;
	l->waiting = BUF_INIT(WAITING_MAX);
	l->path = strdup(conf->path);
	if (!l->path)
		abort();
	deferred_init(&l->flush, conf->loop, flush_later);
	r = apiaudit_policy_read(conf->policy_file, &l->policy, err);
	if (r >= 0 && conf->metrics) {
		l->metrics = conf->metrics;
		r = metrics_begin(l, err);
	}
	if (r >= 0)
		r = open_file(l, err);
	if (r < 0)
		return r;
	*ret = STEAL(l);
	return 0;
}

void apiaudit_free(struct apiaudit *l)
{
	if (!l)
		return;
	apiaudit_flush(l);
	deferred_fini(&l->flush);
	buf_fini(&l->waiting);
	fd_close(l->fd);
	apiaudit_policy_free(l->policy);
	free(l->path);
	free(l);
}
