/* SPDX-License-Identifier: Apache-2.0 */
/* config.json, and the protocol of credential helpers: an action word, its input on stdin, JSON or
 * a sentence on stdout. */
#include "image/auth-file.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "doc/json.h"
#include "linux/proc.h"
#include "linux/sys.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX (1u << 20)
#define OUTPUT_MAX (64u << 10)
#define HELPER_TIME (30 * NS_PER_SEC)
#define HUB_KEY "https://index.docker.io/v1/"

int auth_file_dir(struct arena *a, const char **ret, struct err *err)
{
	const char *dir = getenv("DOCKER_CONFIG"), *home = getenv("HOME");

	if (dir && *dir)
		*ret = arena_strdup(a, dir);
	else if (home && *home)
		*ret = arena_printf(a, "%s/.docker", home);
	else
		return err_set(err, ERR_NOT_FOUND,
			       "neither DOCKER_CONFIG nor HOME is set: there is no place for "
			       "credentials");
	return *ret ? 0 : arena_quota(a, err);
}

/* ---- the file ---- */

/* *ret stays what it is for an empty text. */
static int parse_config(const char *path, struct slice text, struct arena *a, struct doc **ret,
			struct err *err)
{
	struct err why = ERR_INIT;

	if (!slice_trim(text).n)
		return 0;
	if (json_read(a, text, &(struct json_options){ .copy = true }, ret, &why) < 0)
		return err_set(err, ERR_INVALID, "'%s' is no JSON: %s", path, why.msg);
	return doc_is(*ret, DOC_OBJECT) ? 0
					: err_set(err, ERR_INVALID, "'%s' is no JSON object", path);
}

static int read_config_at(const char *path, struct arena *a, struct doc **ret, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(FILE_MAX);
	struct err why = ERR_INIT;

	*ret = doc_new_object(a);
	if (!path)
		return arena_quota(a, err);
	if (fd_read_file(AT_FDCWD, path, &b, &why) < 0) {
		if (why.sys == ENOENT || why.sys == ENOTDIR || why.code == ERR_NOT_FOUND)
			return 0;
		*err = why;
		return err_wrap(err, "credentials");
	}
	return parse_config(path, buf_slice(&b), a, ret, err);
}

static int write_config(const char *dir, struct arena *a, const struct doc *d, struct err *err)
{
	const struct json_style style = { .indent = "\t" };
	CLEANUP(fd_close) int fd = -1;
	struct slice text;
	int r;

	r = fd_mkdir_p(AT_FDCWD, dir, 0700, err);
	if (r >= 0)
		r = json_print(a, d, &style, &text, err);
	if (r < 0)
		return r;
	fd = sys_openat(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(err, "open '%s'", dir);
	r = fd_replace_file(fd, "config.json", text.p, text.n, 0600, err);
	return r < 0 ? err_wrap(err, "'%s/config.json'", dir) : 0;
}

static int read_config(const char *dir, struct arena *a, struct doc **ret, struct err *err)
{
	return read_config_at(arena_printf(a, "%s/config.json", dir), a, ret, err);
}

/* The host of a key: "https://reg.example/v1/" and "reg.example" are one. */
static struct slice key_host(struct slice key)
{
	struct slice https = SLICE("https://"), http = SLICE("http://"), rest = key;

	if (slice_starts(key, https))
		rest = slice_of(key.p + https.n, key.n - https.n);
	else if (slice_starts(key, http))
		rest = slice_of(key.p + http.n, key.n - http.n);
	rest = slice_split(&rest, '/');
	if (slice_is(rest, "index.docker.io") || slice_is(rest, "registry-1.docker.io"))
		return SLICE("docker.io");
	return rest;
}

static const char *key_of(const char *host)
{
	return strcmp(host, "docker.io") == 0 ? HUB_KEY : host;
}

static struct doc *find_entry(const struct doc *map, const char *host)
{
	struct doc *exact = doc_get(map, key_of(host));

	if (exact)
		return exact;
	DOC_EACH_MEMBER (k, v, map)
		if (slice_is(key_host(doc_slice(k)), host))
			return v;
	return NULL;
}

static const char *text_of(struct arena *a, const struct doc *d, const char *key)
{
	const char *s = doc_get(d, key) ? doc_cstr(a, doc_get(d, key)) : NULL;

	return s && *s ? s : NULL;
}

static int from_entry(struct arena *a, const struct doc *d, const char *host,
		      struct remote_auth *ret, struct err *err)
{
	struct slice text = doc_slice(doc_get(d, "auth")), user;
	char *plain;
	size_t n;

	ret->username = text_of(a, d, "username");
	ret->password = text_of(a, d, "password");
	ret->identity_token = text_of(a, d, "identitytoken");
	ret->registry_token = text_of(a, d, "registrytoken");
	if (!text.n)
		return 0;
	plain = arena_alloc(a, text.n + 4);
	if (!plain)
		return arena_quota(a, err);
	if (base64_decode(plain, &n, text) < 0 || !memchr(plain, ':', n))
		return err_set(err, ERR_INVALID,
			       "the credentials of '%s' are damaged: log in again", host);
	text = slice_of(plain, n);
	user = slice_split(&text, ':');
	while (text.n && !text.p[text.n - 1])
		text.n--; /* old clients pad with NULs */
	ret->username = arena_strndup(a, user.p, user.n);
	ret->password = arena_strndup(a, text.p ? text.p : "", text.n);
	return 0;
}

/* ---- helpers ---- */

struct helping {
	char path[PATH_MAX];
	char *argv[3];
	int in, out; /* become its 0 and 1 */
};

/* Runs on the parent's memory (CLONE_VFORK) until exec. */
static int child_main(void *arg)
{
	const struct helping *h = arg;

	if (proc_reset_signals(NULL) < 0 || sys_dup3(h->in, 0, 0) < 0 || sys_dup3(h->out, 1, 0) < 0)
		return 126;
	sys_execveat(AT_FDCWD, h->path, h->argv, environ, 0);
	return 127;
}

static int find_program(const char *name, char dst[PATH_MAX], struct err *err)
{
	struct slice rest = slice_str(getenv("PATH"));
	size_t n = strlen(name);

	if (!n || n > 100 ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != n)
		return err_set(err, ERR_INVALID, "'%.100s' is no name of a credential helper",
			       name);
	while (rest.p) {
		struct slice dir = slice_split(&rest, ':');

		if (!dir.n || dir.p[0] != '/')
			continue;
		if (snprintf(dst, PATH_MAX, "%.*s/docker-credential-%s", (int)dir.n, dir.p, name) <
			    PATH_MAX &&
		    access(dst, X_OK) == 0)
			return 0;
	}
	return err_set(err, ERR_NOT_FOUND,
		       "the credential helper 'docker-credential-%s' is not in PATH", name);
}

/* `to` is used up. Feeds input and takes output until the helper closes it, with a limit of time.
 */
static int converse(int to, int out, struct slice input, struct buf *b, struct err *err)
{
	CLEANUP(fd_close) int in = to;
	int64_t end = clock_mono() + HELPER_TIME;

	for (;;) {
		struct pollfd pf[2] = { { .fd = out, .events = POLLIN },
					{ .fd = in, .events = POLLOUT } };
		int64_t left = end - clock_mono();
		char piece[4096];
		ssize_t n;

		if (left <= 0)
			return err_set(err, ERR_TIMEOUT, "it does not answer within 30 s");
		if (poll(pf, 2, (int)(left / NS_PER_MS) + 1) < 0 && errno != EINTR)
			return err_sys(err, "wait for it");
		if (pf[1].revents) {
			n = input.n ? sys_write(in, input.p, input.n) : 0;
			if (n > 0)
				input = slice_of(input.p + n, input.n - (size_t)n);
			if (!input.n || (n < 0 && errno != EAGAIN && errno != EINTR))
				fd_close(STEAL_FD(in)); /* it need not read all */
		}
		if (!pf[0].revents)
			continue;
		n = sys_read(out, piece, sizeof(piece));
		if (n < 0 && errno != EINTR)
			return err_sys(err, "read its answer");
		if (n == 0)
			return 0;
		if (n > 0 && buf_add(b, piece, (size_t)n) < 0)
			return err_set(err, ERR_TOO_LARGE, "it says more than %u bytes",
				       OUTPUT_MAX);
	}
}

static int spawn(struct helping *h, const char *action, struct slice input, struct buf *b,
		 int *ret_status, struct err *err)
{
	struct proc_clone pc = { .fn = child_main, .arg = h, .cgroup_fd = -1, .shared = true };
	CLEANUP(fd_close) int in_r = -1, in_w = -1, out_r = -1, out_w = -1;
	struct proc proc = { .pidfd = -1 };
	struct proc_exit x = { 0 };
	int p[2], r;

	if (sys_pipe2(p, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe");
	in_r = p[0];
	in_w = p[1];
	if (sys_pipe2(p, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe");
	out_r = p[0];
	out_w = p[1];
	h->in = in_r;
	h->out = out_w;
	h->argv[0] = h->path;
	h->argv[1] = (char *)(uintptr_t)action;
	r = proc_clone(&pc, &proc, err);
	fd_close(STEAL_FD(in_r));
	fd_close(STEAL_FD(out_w));
	if (r < 0)
		return r;
	(void)fd_set_nonblock(in_w, true);
	r = converse(STEAL_FD(in_w), out_r, input, b, err);
	if (r < 0)
		(void)proc_signal(proc.pidfd, SIGKILL, NULL); /* gone already: only the wait */
	if (proc_wait(proc.pidfd, -1, &x, r < 0 ? NULL : err) < 0 && r >= 0)
		r = err_ret(err);
	proc_fini(&proc);
	*ret_status = proc_exit_code(&x);
	return r;
}

/* 0 with its output in b; 1 = it has no such credentials. */
static int ask_helper(const char *name, const char *action, struct slice input, struct buf *b,
		      struct err *err)
{
	struct helping h = { 0 };
	sigset_t pipe, old;
	int r, status = 0;

	r = find_program(name, h.path, err);
	if (r < 0)
		return r;
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	(void)sigprocmask(SIG_BLOCK, &pipe, &old);
	r = spawn(&h, action, input, b, &status, err);
	(void)sigtimedwait(&pipe, NULL,
			   &(struct timespec){ 0 }); /* it need not read all: its status tells */
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	if (r < 0)
		return err_wrap(err, "credential helper '%s'", h.path);
	if (!status)
		return 0;
	if (strstr(buf_str(b), "credentials not found"))
		return 1;
	return err_set(err, ERR_SYSTEM, "credential helper '%s %s' ended with status %d: %.300s",
		       h.path, action, status, buf_str(b));
}

/* The helper for a host, or NULL. */
static const char *helper_of(struct arena *a, const struct doc *config, const char *host)
{
	const struct doc *own = find_entry(doc_get(config, "credHelpers"), host);
	const char *name = own ? doc_cstr(a, own) : NULL;

	return name && *name ? name : text_of(a, config, "credsStore");
}

static int from_helper(const char *name, const char *host, struct arena *a, struct remote_auth *ret,
		       struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(OUTPUT_MAX);
	int r;

	r = ask_helper(name, "get", slice_str(key_of(host)), &b, err);
	if (r)
		return r < 0 ? r : 0;
	r = auth_file_answer(name, buf_slice(&b), a, ret, err);
	if (b.p)
		explicit_bzero(b.p, b.n);
	return r;
}

int auth_file_answer(const char *name, struct slice text, struct arena *a, struct remote_auth *ret,
		     struct err *err)
{
	const char *user, *secret;
	struct doc *d;
	int r;

	r = json_read(a, text, &(struct json_options){ .copy = true }, &d, NULL);
	if (r < 0 || !doc_is(d, DOC_OBJECT)) /* what it said is a secret */
		return err_set(err, ERR_INVALID,
			       "credential helper 'docker-credential-%s' does not answer in JSON",
			       name);
	user = text_of(a, d, "Username");
	secret = text_of(a, d, "Secret");
	if (user && strcmp(user, "<token>") == 0) {
		ret->identity_token = secret;
	} else {
		ret->username = user;
		ret->password = secret;
	}
	return 0;
}

/* ---- calls ---- */

/* What the file has itself, or the helper to ask. */
static int find_auth(struct arena *a, const struct doc *config, const char *host,
		     struct remote_auth *ret, const char **ret_helper, struct err *err)
{
	const struct doc *entry = find_entry(doc_get(config, "auths"), host);

	*ret_helper = helper_of(a, config, host);
	return *ret_helper || !entry ? 0 : from_entry(a, entry, host, ret, err);
}

int auth_file_get(const char *dir, const char *host, struct arena *a, struct remote_auth *ret,
		  struct err *err)
{
	return auth_file_get_at(arena_printf(a, "%s/config.json", dir), host, a, ret, err);
}

int auth_file_get_at(const char *path, const char *host, struct arena *a, struct remote_auth *ret,
		     struct err *err)
{
	const char *helper;
	struct doc *config;
	int r;

	*ret = (struct remote_auth){ 0 };
	r = read_config_at(path, a, &config, err);
	if (r >= 0)
		r = find_auth(a, config, host, ret, &helper, err);
	return r < 0 || !helper ? r : from_helper(helper, host, a, ret, err);
}

int auth_file_parse(struct slice text, const char *host, struct arena *a, struct remote_auth *ret,
		    const char **ret_helper, struct err *err)
{
	struct doc *config = doc_new_object(a);
	int r;

	*ret = (struct remote_auth){ 0 };
	r = parse_config("config.json", text, a, &config, err);
	return r < 0 ? r : find_auth(a, config, host, ret, ret_helper, err);
}

static int put_helper(const char *name, const char *host, struct arena *a,
		      const struct remote_auth *auth, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(OUTPUT_MAX);
	struct doc *d = doc_new_object(a);
	struct slice text;
	int r;

	doc_set_str(a, d, "ServerURL", key_of(host));
	doc_set_str(a, d, "Username",
		    auth->identity_token ? "<token>" : (auth->username ? auth->username : ""));
	doc_set_str(a, d, "Secret",
		    auth->identity_token ? auth->identity_token
					 : (auth->password ? auth->password : ""));
	r = json_print(a, d, NULL, &text, err);
	return r < 0 ? r : ask_helper(name, "store", text, &b, err);
}

int auth_file_put(const char *dir, const char *host, struct arena *a,
		  const struct remote_auth *auth, const char **ret_helper, struct err *err)
{
	struct doc *config, *auths, *entry;
	const char *both;
	char *text;
	int r;

	r = read_config(dir, a, &config, err);
	if (r < 0)
		return r;
	*ret_helper = helper_of(a, config, host);
	auths = doc_get(config, "auths");
	if (!doc_is(auths, DOC_OBJECT))
		auths = doc_set_object(a, config, "auths");
	entry = doc_set_object(a, auths, key_of(host)); /* with a helper: a mark that it is known */
	if (*ret_helper) {
		r = put_helper(*ret_helper, host, a, auth, err);
		return r < 0 ? r : write_config(dir, a, config, err);
	}
	both = arena_printf(a, "%s:%s", auth->username ? auth->username : "",
			    auth->identity_token || !auth->password ? "" : auth->password);
	text = both ? arena_alloc(a, BASE64_LEN(strlen(both)) + 1) : NULL;
	if (!text)
		return arena_quota(a, err);
	base64_encode(text, both, strlen(both));
	doc_set_str(a, entry, "auth", text);
	if (auth->identity_token)
		doc_set_str(a, entry, "identitytoken", auth->identity_token);
	return write_config(dir, a, config, err);
}

int auth_file_remove(const char *dir, const char *host, struct arena *a, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(OUTPUT_MAX);
	bool found = false;
	struct doc *config, *auths;
	const char *helper;
	size_t i = 0;
	int r;

	r = read_config(dir, a, &config, err);
	if (r < 0)
		return r;
	helper = helper_of(a, config, host);
	if (helper) {
		r = ask_helper(helper, "erase", slice_str(key_of(host)), &b, err);
		if (r < 0)
			return r;
		found = r == 0;
	}
	auths = doc_get(config, "auths");
	while (i < doc_len_of(auths, DOC_OBJECT)) {
		struct slice key = doc_slice(doc_key_at(auths, i));

		if (!slice_is(key_host(key), host)) {
			i++;
			continue;
		}
		found = true;
		(void)doc_removen(auths, key);
	}
	if (!found)
		return 1;
	return write_config(dir, a, config, err);
}
