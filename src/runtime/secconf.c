/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.seccomp to a loaded program: spellings to numbers, the cache of compiled programs, and the
 * hand-over of a listener to its agent.
 *
 * The cache is <root>/@seccomp/<digest> ('@' is in no container id), at most CACHE_MAX files. The
 * digest covers the rules and the compiler's version; a file that is damaged, cut off or of another
 * digest is compiled again, so the cache can be deleted at any time.
 */
#include "runtime/rt.h"

#include "base/arena.h"
#include "base/fd.h"
#include "doc/json.h"
#include "linux/sys.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#define CACHE "@seccomp"
#define PROG_MAX (64 * 1024)
#define CACHE_MAX 64 /* files: a machine has a handful of profiles */

static int errno_of(enum seccomp_action act, struct opt_uint e, const char *what, int *ret,
		    struct err *err)
{
	*ret = SECCOMP_ERRNO_UNSET;
	if (!e.set)
		return 0;
	if (act != SECCOMP_ACT_ERRNO && act != SECCOMP_ACT_TRACE)
		return err_set(err, ERR_INVALID, "%s is only for SCMP_ACT_ERRNO and SCMP_ACT_TRACE",
			       what);
	*ret = (int)e.v;
	return 0;
}

static int conds(const struct conf_seccomp_call *c, struct arena *a, struct seccomp_rule *rule,
		 struct err *err)
{
	struct seccomp_cond *v = ARENA_ARRAY(a, struct seccomp_cond, c->args.n);

	if (!v)
		return arena_quota(a, err);
	for (size_t i = 0; i < c->args.n; i++) {
		enum seccomp_op op;
		int r = seccomp_op_parse(c->args.v[i].op, &op, err);

		if (r < 0)
			return r;
		v[i] = (struct seccomp_cond){ (uint8_t)c->args.v[i].index, (uint8_t)op,
					      c->args.v[i].value, c->args.v[i].value_two };
	}
	rule->conds = v;
	rule->n_conds = c->args.n;
	return 0;
}

/* Init itself sends the listener out after the filter is on: nobody could answer for that call yet.
 */
static int check_notify(const struct conf_seccomp_call *c, enum seccomp_action act, struct err *err)
{
	for (size_t i = 0; act == SECCOMP_ACT_NOTIFY && i < c->names.n; i++)
		if (!strcmp(c->names.v[i], "sendmsg"))
			return err_set(err, ERR_INVALID,
				       "SCMP_ACT_NOTIFY cannot be used for sendmsg, by which the "
				       "listener is handed over");
	return 0;
}

static int rules(const struct conf_seccomp *s, struct arena *a, struct seccomp_filter *f,
		 struct err *err)
{
	struct seccomp_rule *v = ARENA_ARRAY(a, struct seccomp_rule, s->calls.n);

	if (!v)
		return arena_quota(a, err);
	for (size_t i = 0; i < s->calls.n; i++) {
		const struct conf_seccomp_call *c = &s->calls.v[i];
		int r;

		v[i].names = c->names.v;
		v[i].n_names = c->names.n;
		r = seccomp_action_parse(c->action, &v[i].action, err);
		if (r >= 0)
			r = errno_of(v[i].action, c->errno_ret, "errnoRet", &v[i].errno_ret, err);
		if (r >= 0)
			r = check_notify(c, v[i].action, err);
		if (r >= 0)
			r = conds(c, a, &v[i], err);
		if (r < 0)
			return err_wrap(err, "syscalls[%zu]", i);
	}
	f->rules = v;
	f->n_rules = s->calls.n;
	return 0;
}

static int filter_of(const struct conf *conf, struct arena *a, struct seccomp_filter *f,
		     struct err *err)
{
	const struct conf_seccomp *s = conf->lin.seccomp;
	enum seccomp_arch *arch;
	int r;

	r = seccomp_action_parse(s->def_action, &f->def_action, err);
	if (r >= 0)
		r = errno_of(f->def_action, s->def_errno, "defaultErrnoRet", &f->def_errno, err);
	if (r >= 0 && f->def_action == SECCOMP_ACT_NOTIFY)
		r = err_set(err, ERR_INVALID, "SCMP_ACT_NOTIFY cannot be the defaultAction");
	if (r < 0)
		return r;
	arch = ARENA_ARRAY(a, enum seccomp_arch, s->arches.n);
	if (!arch)
		return arena_quota(a, err);
	for (size_t i = 0; i < s->arches.n; i++) {
		r = seccomp_arch_parse(s->arches.v[i], &arch[i], err);
		if (r < 0)
			return r;
	}
	f->arches = arch;
	f->n_arches = s->arches.n;
	for (size_t i = 0; i < s->flags.n; i++) {
		uint32_t bit;

		r = seccomp_flag_parse(s->flags.v[i], &bit, err);
		if (r < 0)
			return r;
		f->flags |= bit;
	}
	if (conf_annotation(conf, "run.oci.seccomp_fail_unknown_syscall"))
		f->options |= SECCOMP_OPT_UNKNOWN_FATAL;
	return rules(s, a, f, err);
}

static bool cached(int root, const char *hex, struct seccomp_prog *ret)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(PROG_MAX);
	char path[sizeof(CACHE) + 1 + SHA256_HEX_LEN];

	(void)snprintf(path, sizeof(path), "%s/%s", CACHE, hex);
	return fd_read_file(root, path, &b, NULL) >= 0 &&
	       seccomp_restore(buf_slice(&b), hex, ret, NULL) >= 0;
}

struct oldest {
	char name[NAME_MAX + 1];
	struct timespec when;
	unsigned n;
};

static void look_at(int dir, const char *name, struct oldest *o)
{
	struct stat st;

	if (!strcmp(name, ".") || !strcmp(name, "..") ||
	    sys_fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (o->n++ &&
	    (st.st_mtim.tv_sec > o->when.tv_sec ||
	     (st.st_mtim.tv_sec == o->when.tv_sec && st.st_mtim.tv_nsec >= o->when.tv_nsec)))
		return;
	o->when = st.st_mtim;
	(void)str_copy(o->name, sizeof(o->name), name);
}

/* Room for one more: the oldest goes, be it a program or what a killed process has left half
 * written. Whoever has it open reads on; whoever wants it later compiles it anew. */
static void make_room(int root)
{
	for (unsigned tries = 0; tries < CACHE_MAX; tries++) {
		int fd =
			sys_openat(root, CACHE, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
		DIR *d = fd < 0 ? NULL : fdopendir(fd);
		struct oldest o = { .n = 0 };
		struct dirent *e;

		if (!d) {
			fd_close(fd);
			return;
		}
		while ((e = readdir(d)))
			look_at(fd, e->d_name, &o);
		if (o.n >= CACHE_MAX)
			(void)unlinkat(fd, o.name, 0); /* another one may have done so */
		(void)closedir(d);
		if (o.n <= CACHE_MAX)
			return;
	}
}

/* A cache that cannot be written costs time, nothing else. */
static void remember(int root, const char *hex, const struct seccomp_prog *p)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(PROG_MAX);
	char name[sizeof(CACHE) + 16 + SHA256_HEX_LEN], path[sizeof(CACHE) + 1 + SHA256_HEX_LEN];
	int fd;

	if (seccomp_save(p, hex, &b) < 0)
		return;
	if (sys_mkdirat(root, CACHE, 0700) < 0 && errno != EEXIST)
		return;
	make_room(root);
	(void)snprintf(path, sizeof(path), "%s/%s", CACHE, hex);
	(void)snprintf(name, sizeof(name), "%s/.%s.%d", CACHE, hex, (int)getpid());
	fd = sys_openat(root, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	if (fd_write_all(fd, b.p, b.n) < 0 || sys_renameat(root, name, root, path) < 0)
		(void)unlinkat(root, name, 0);
	fd_close(fd);
}

int seccomp_of_conf(const struct rt_host *h, const struct conf *c, struct arena *a,
		    struct seccomp_prog *ret, struct err *err)
{
	struct seccomp_filter f = { .native = SECCOMP_ARCH_NATIVE };
	CLEANUP(fd_close) int root = -1;
	char hex[SHA256_HEX_LEN + 1];
	int r;

	*ret = (struct seccomp_prog){ 0 };
	if (!c->lin.seccomp)
		return 0;
	r = filter_of(c, a, &f, err);
	if (r < 0)
		return err_wrap(err, "linux.seccomp");
	seccomp_digest(&f, hex);
	r = state_open_root(h, false, &root, err);
	if (r < 0)
		return r;
	if (!cached(root, hex, ret)) {
		r = seccomp_compile(&f, ret, err);
		if (r < 0)
			return err_wrap(err, "linux.seccomp");
		remember(root, hex, ret);
	}
	if (ret->notify && !c->lin.seccomp->listener_path)
		r = err_set(err, ERR_INVALID, "linux.seccomp: SCMP_ACT_NOTIFY needs listenerPath");
	if (r < 0)
		seccomp_prog_fini(ret);
	return r < 0 ? r : 0;
}

static int process_state(const struct conf *c, const struct state_view *v, struct buf *out,
			 struct err *err)
{
	CLEANUP(buf_fini) struct buf state = BUF_INIT(RT_CONFIG_MAX);
	const char *meta = c->lin.seccomp->listener_metadata;
	int r;

	r = state_view_json(v, false, &state, err);
	if (r < 0)
		return r;
	buf_addf(out, "{\"ociVersion\":\"%s\",\"fds\":[\"seccompFd\"],\"pid\":%d", RT_SPEC_VERSION,
		 (int)v->pid);
	if (meta) {
		buf_adds(out, ",\"metadata\":");
		(void)json_write_string(out, slice_str(meta), false);
	}
	buf_addf(out, ",\"state\":%s}", buf_str(&state));
	return out->full
		       ? err_set(err, ERR_TOO_LARGE, "the state for the seccomp agent is too large")
		       : 0;
}

int seccomp_send_listener(const struct conf *c, const struct state_view *v, int listener,
			  struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(RT_CONFIG_MAX);
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	const char *path = c->lin.seccomp->listener_path;
	CLEANUP(fd_close) int fd = -1;
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} ctl = { 0 };
	struct iovec iov;
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = ctl.buf,
			    .msg_controllen = sizeof(ctl.buf) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	ssize_t n;
	int r;

	r = process_state(c, v, &b, err);
	if (r < 0)
		return r;
	if (!str_copy(sa.sun_path, sizeof(sa.sun_path), path))
		return err_set(err, ERR_INVALID,
			       "linux.seccomp.listenerPath '%s' is too long for a socket", path);
	fd = sys_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || sys_connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return err_sys(err, "connect to the seccomp agent '%s'", path);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &listener, sizeof(int));
	iov = (struct iovec){ b.p, b.n };
	n = sys_sendmsg(fd, &m, MSG_NOSIGNAL);
	if (n < 0 || ((size_t)n < b.n && fd_write_all(fd, b.p + n, b.n - (size_t)n) < 0))
		return err_sys(err, "send the listener to the seccomp agent '%s'", path);
	return 0;
}
