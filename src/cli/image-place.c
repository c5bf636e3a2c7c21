/* SPDX-License-Identifier: Apache-2.0 */
/* Places for commands: credentials, the engine as a place, signals, progress. */
#include "cli/image-place.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "cli/term.h"
#include "doc/doc.h"
#include "dockerclient/dockerclient.h"
#include "image/auth-file.h"
#include "linux/sys.h"

#include <stdio.h>
#include <string.h>

/* ---- signals ---- */

static void watched(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGUSR2); /* of image_work_end */
}

static void *watch_main(void *arg)
{
	struct image_work *w = arg;
	sigset_t set;
	int sig = 0;

	watched(&set);
	while (sigwait(&set, &sig) == 0 && sig != SIGUSR2) {
		if (atomic_exchange(&w->cancel, true))
			_exit(128 + sig); /* asked twice */
	}
	return NULL;
}

int image_work_begin(struct image_work *w, struct cmd_call *call, bool quiet, struct err *err)
{
	sigset_t set;
	int rc;

	*w = (struct image_work){ .call = call };
	layers_begin(&w->layers, 1, quiet);
	watched(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	rc = pthread_create(&w->watcher, NULL, watch_main, w);
	if (rc)
		return err_sysc(err, ERR_SYSTEM, rc, "start a thread");
	w->watching = true;
	return 0;
}

void image_work_end(struct image_work *w)
{
	if (w->watching) {
		pthread_kill(w->watcher, SIGUSR2);
		pthread_join(w->watcher, NULL);
		w->watching = false;
	}
	if (w->scratch[0])
		(void)fd_remove_tree(AT_FDCWD, w->scratch, NULL); /* nobody is left to tell */
	w->scratch[0] = '\0';
}

void image_work_progress(void *ctx, const struct image_transfer *t)
{
	CLEANUP(arena_free) struct arena *a = arena_new("progress", 1u << 20);
	struct image_work *w = ctx;
	struct doc *d = doc_new_object(a), *detail;

	if (t->detail && !w->layers.terminal)
		return;
	doc_set_str(a, d, "id", t->id);
	doc_set_str(a, d, "status", t->status);
	detail = doc_set_object(a, d, "progressDetail");
	if (t->detail) {
		doc_set_uint(a, detail, "current", t->current);
		doc_set_uint(a, detail, "total", t->total);
	}
	(void)layers_show(&w->layers, d, &w->shown); /* only decoration */
}

static void notice(void *ctx, const char *text)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(8192);

	(void)ctx;
	buf_addf(&b, "%s\n", text);
	(void)fd_write_all(2, buf_str(&b), b.n); /* only a word beside */
}

/* ---- credentials ---- */

static int creds_of(struct arena *a, const char *creds, struct remote_auth *ret, struct err *err)
{
	const char *colon = strchr(creds, ':');

	*ret = (struct remote_auth){ 0 };
	if (!*creds || colon == creds)
		return err_set(err, ERR_BAD_REQUEST,
			       "credentials must have the form USER[:PASSWORD]");
	ret->username = colon ? arena_strndup(a, creds, (size_t)(colon - creds)) : creds;
	ret->password = colon ? colon + 1 : "";
	return ret->username ? 0 : arena_quota(a, err);
}

static int auth_of(struct arena *a, const char *name, const struct image_access *acc,
		   struct remote_auth *ret, struct err *err)
{
	struct image_name n;
	const char *repo, *dir;
	char host[256];

	*ret = (struct remote_auth){ 0 };
	if (strncmp(name, "docker://", 9) != 0 || acc->no_creds)
		return 0;
	if (acc->creds)
		return creds_of(a, acc->creds, ret, err);
	if (image_name_parse(name + 9, &n, err) < 0)
		return err_wrap(err, "'%.300s'", name);
	image_name_split(&n, host, &repo);
	if (acc->authfile)
		return auth_file_get_at(acc->authfile, host, a, ret, err);
	return auth_file_dir(a, &dir, NULL) < 0 ? 0 : auth_file_get(dir, host, a, ret, err);
}

static int conf_of(struct image_work *w, const char *name, const struct image_access *acc,
		   struct remote_auth *auth, struct place_conf *ret, struct err *err)
{
	*ret = (struct place_conf){ .auth = auth,
				    .insecure = acc->tls_given && !acc->tls_verify,
				    .certs_dir = acc->certs_dir,
				    .cancel = &w->cancel,
				    .notice = notice };
	return auth_of(w->call->arena, name, acc, auth, err);
}

/* ---- the engine ---- */

static const char *engine_name(const char *name, bool bare)
{
	static const char *const begins[] = { "teu:", "docker-daemon:" };
	/* A registry's port is no transport: "localhost:5000/a". */
	static const char *const others[] = { "docker:",	 "oci:", "oci-archive:",
					      "docker-archive:", "dir:", "containers-storage:",
					      "ostree:",	 "sif:", "tarball:" };

	for (size_t i = 0; i < ARRAY_LEN(begins); i++)
		if (strncmp(name, begins[i], strlen(begins[i])) == 0)
			return name + strlen(begins[i]);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (strncmp(name, others[i], strlen(others[i])) == 0)
			return NULL;
	return bare ? name : NULL;
}

static int scratch_file(struct image_work *w, const char **ret, struct err *err)
{
	const char *env = getenv("TMPDIR");
	char random[17];

	if (!w->scratch[0]) {
		random_hex(random, 16);
		if ((size_t)snprintf(w->scratch, sizeof(w->scratch), "%s/teu-image-%s",
				     env && *env ? env : "/var/tmp", random) >= sizeof(w->scratch))
			(void)snprintf(w->scratch, sizeof(w->scratch), "/var/tmp/teu-image-%s",
				       random);
		if (sys_mkdirat(AT_FDCWD, w->scratch, 0700) < 0) {
			err_sys(err, "make the directory '%s'", w->scratch);
			w->scratch[0] = '\0';
			return err_ret(err);
		}
	}
	random_hex(random, 16);
	*ret = arena_printf(w->call->arena, "%s/%s", w->scratch, random);
	return *ret ? 0 : arena_quota(w->call->arena, err);
}

static int keep(void *arg, struct slice bytes, struct err *err)
{
	return fd_write_all(*(int *)arg, bytes.p, bytes.n) < 0
		       ? err_sys(err, "keep the engine's archive")
		       : 0;
}

/* The engine's archive in a file. */
static int from_engine(struct image_work *w, const char *name, const char **ret, struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	struct docker_request rq = { .consume = keep, .arg = &fd };
	struct docker_client *c;
	int r;

	r = scratch_file(w, ret, err);
	if (r < 0)
		return r;
	fd = sys_openat(AT_FDCWD, *ret, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, "make '%s'", *ret);
	rq.target = docker_target(w->call->arena, "/images/%/get", name, NULL);
	r = cli_client(w->call, &c, err);
	return r < 0 ? r : docker_call(c, w->call->arena, &rq, NULL, err);
}

int image_read_place(struct image_work *w, const char *name, bool bare,
		     const struct image_access *acc, struct place **ret, struct err *err)
{
	const char *ours = engine_name(name, bare), *path;
	struct remote_auth auth;
	struct place_conf conf;
	int r;

	r = conf_of(w, name, acc, &auth, &conf, err);
	if (r < 0)
		return r;
	if (!ours)
		return place_read(name, &conf, ret, err);
	r = from_engine(w, ours, &path, err);
	if (r < 0)
		return r;
	r = place_read(arena_printf(w->call->arena, "docker-archive:%s", path), &conf, ret, err);
	(void)sys_unlinkat(AT_FDCWD, path, 0); /* open, or of no use */
	return r;
}

int image_write_place(struct image_work *w, const char *name, const struct image_access *acc,
		      struct image_target *ret, struct err *err)
{
	const char *ours = engine_name(name, false), *path;
	struct image_name n;
	struct remote_auth auth;
	struct place_conf conf;
	int r;

	*ret = (struct image_target){ 0 };
	r = conf_of(w, name, acc, &auth, &conf, err);
	if (r < 0)
		return r;
	if (!ours && !strchr(name, ':'))
		return err_set(
			err, ERR_BAD_REQUEST,
			"'%.300s' names no place: an engine's image is teu:%.300s, a registry's "
			"docker://%.300s",
			name, name, name);
	if (!ours)
		return place_write(name, &conf, &ret->place, err);
	r = image_name_parse(ours, &n, err);
	if (r >= 0 && n.digest[0])
		r = err_set(err, ERR_BAD_REQUEST, "an engine's image is written under a tag");
	if (r >= 0)
		r = scratch_file(w, &path, err);
	if (r < 0)
		return err_wrap(err, "'%.300s'", name);
	ret->archive = path;
	return place_write(arena_printf(w->call->arena, "docker-archive:%s:%s", path, ours), &conf,
			   &ret->place, err);
}

static ssize_t produce(void *arg, char *p, size_t cap, struct err *err)
{
	ssize_t n = fd_read_full(*(int *)arg, p, cap);

	return n < 0 ? err_sys(err, "read the archive") : n;
}

struct answer {
	int fd;
	struct docker_messages messages;
};

static ssize_t produce_answer(void *arg, char *p, size_t cap, struct err *err)
{
	return produce(&((struct answer *)arg)->fd, p, cap, err);
}

static int on_message(void *arg, const struct doc *msg, struct slice line, struct err *err)
{
	(void)arg;
	(void)msg;
	(void)line;
	(void)err; /* an error in the stream has been found before */
	return 0;
}

static int on_answer(void *arg, struct slice bytes, struct err *err)
{
	struct answer *a = arg;

	return docker_messages_feed(&a->messages, bytes, on_message, a, err);
}

int image_target_send(struct image_work *w, struct image_target *t, struct err *err)
{
	struct answer a = { .fd = -1, .messages = DOCKER_MESSAGES_INIT };
	struct docker_request rq = { .method = "POST",
				     .produce = produce_answer,
				     .length = -1,
				     .content_type = "application/x-tar",
				     .consume = on_answer,
				     .arg = &a };
	struct docker_client *c;
	int r;

	if (!t->archive)
		return 0;
	a.fd = sys_openat(AT_FDCWD, t->archive, O_RDONLY | O_CLOEXEC, 0);
	if (a.fd < 0)
		return err_sys(err, "open '%s'", t->archive);
	rq.target = docker_target(w->call->arena, "/images/load", "quiet", "1", NULL);
	r = cli_client(w->call, &c, err);
	if (r >= 0)
		r = docker_call(c, w->call->arena, &rq, NULL, err);
	docker_messages_fini(&a.messages);
	fd_close(a.fd);
	return r < 0 ? r : 0;
}

void image_target_fini(struct image_target *t)
{
	place_free(STEAL(t->place));
}
