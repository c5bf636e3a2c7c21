/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing the service: directories, lock, database, store, networks, and the containers
 * found again. */
#include "engine/private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

static char *path_join(const char *dir, const char *name)
{
	char *p = NULL;

	if (asprintf(&p, "%s/%s", dir, name) < 0)
		abort();
	return p;
}

static char *copy(const char *s)
{
	char *p = s ? strdup(s) : NULL;

	if (s && !p)
		abort();
	return p;
}

static int take_lock(const char *dir, const char *what, int *ret, struct err *err)
{
	CLEANUP_FREE char *lock = path_join(dir, "engine.lock");
	CLEANUP(fd_close)
	int fd = openat(AT_FDCWD, lock, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(err, "open lock '%s'", lock);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(err, ERR_CONFLICT,
			       "another engine runs with %s '%s': give this one another", what,
			       dir);
	*ret = STEAL_FD(fd);
	return 0;
}

static int make_dirs(struct engine *e, struct err *err)
{
	CLEANUP_FREE char *containers = path_join(e->root, "containers");
	CLEANUP_FREE char *c = path_join(e->run, "c");
	int r;

	r = fd_mkdir_p(AT_FDCWD, containers, 0700, err);
	if (r == 0)
		r = fd_mkdir_p(AT_FDCWD, c, 0700, err);
	if (r < 0)
		return r;
	e->containers_fd = openat(AT_FDCWD, containers, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (e->containers_fd < 0)
		return err_sys(err, "open '%s'", containers);
	r = take_lock(e->root, "root", &e->lock_fd, err);
	if (r == 0) /* two would take each other's containers for strays */
		r = take_lock(e->run, "run directory", &e->run_lock_fd, err);
	return r;
}

static int identity(struct engine *e, struct err *err)
{
	char hex[33];
	int r;

	r = meta_get(e, "id", e->id, sizeof(e->id), err);
	if (r < 0)
		return r;
	if (r == 0) {
		random_hex(hex, 32);
		(void)snprintf(e->id, sizeof(e->id), "%.8s-%.4s-4%.3s-a%.3s-%.12s", hex, hex + 8,
			       hex + 13, hex + 17, hex + 20);
		r = meta_set(e, "id", e->id, err);
		if (r < 0)
			return r;
	}
	r = meta_get(e, "instance", e->instance, sizeof(e->instance), err);
	if (r < 0)
		return r;
	if (r == 0) {
		random_hex(e->instance, NETWORK_INSTANCE_LEN);
		r = meta_set(e, "instance", e->instance, err);
	}
	return MIN(r, 0);
}

static int open_networks(struct engine *e, struct err *err)
{
	char id[NETWORK_ID_LEN + 1] = "";
	struct network_options o = { .instance = e->instance };
	struct network_info info;
	int r;

	r = meta_get(e, "bridge-subnet", e->subnet, sizeof(e->subnet), err);
	if (r >= 0)
		r = meta_get(e, "bridge-id", id, sizeof(id), err);
	if (r < 0)
		return r;
	o.subnet = e->bip ? e->bip : *e->subnet ? e->subnet : NULL;
	o.bridge_id = *id ? id : NULL;
	r = network_set_new(&o, &e->networks, err);
	if (r < 0 || e->conf.no_bridge)
		return r;
	r = network_find(e->networks, "bridge", &e->bridge, err);
	if (r < 0)
		return r;
	network_info(e->bridge, &info);
	if (!*id)
		r = meta_set(e, "bridge-id", info.id, err);
	return r;
}

/* Directories without a row are what a crash left of a creation or removal. */
static int remove_strays(struct engine *e, struct err *err)
{
	int fd = fd_dup(e->containers_fd);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *de;

	if (!d) {
		fd_close(fd);
		return err_sys(err, "list '%s/containers'", e->root);
	}
	rewinddir(d);
	while ((de = readdir(d)))
		if (de->d_name[0] != '.' && strlen(de->d_name) == ID_LEN &&
		    !map_get(&e->by_id, slice_str(de->d_name)))
			container_trash(e, de->d_name);
	closedir(d);
	return 0;
}

static void rt_warned(void *arg, const char *msg)
{
	(void)arg;
	log_warn("runtime: %s", msg);
}

static int open_parts(struct engine *e, struct err *err)
{
	struct image_store_options so = { .root = e->root,
					  .loop = e->loop,
					  .helper = e->self_program,
					  .driver = e->storage_driver };
	struct container *c;
	int r;

	r = make_dirs(e, err);
	if (r == 0)
		r = init_layer_make(e, err);
	if (r == 0)
		r = work_pool_new(e->loop, 4, 4096, &e->pool, err);
	if (r == 0)
		r = state_open(e, err);
	if (r == 0)
		r = identity(e, err);
	if (r == 0)
		r = image_store_open(&so, &e->images, err);
	if (r == 0)
		r = open_networks(e, err);
	if (r == 0)
		r = remove_strays(e, err);
	if (r == 0)
		r = remove_stray_runtime(e, err);
	if (r < 0)
		return r;
	engine_thaw_left(e);
	LIST_FOREACH (c, &e->containers, struct container, link) {
		image_rootfs_release(c->run_dir); /* of an engine that died while it started one */
		r = lifecycle_adopt(c, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int engine_open(struct loop *l, const struct engine_conf *conf, struct engine **ret,
		struct err *err)
{
	struct engine *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		abort();
	e->loop = l;
	e->conf = *conf;
	e->root = copy(conf->root);
	e->run = copy(conf->run);
	e->oci_program = copy(conf->oci_program);
	e->self_program = copy(conf->self_program);
	e->bip = copy(conf->bip);
	e->storage_driver = copy(conf->storage_driver ? conf->storage_driver : "auto");
	e->conf.root = e->root;
	e->conf.run = e->run;
	e->conf.oci_program = e->oci_program;
	e->conf.self_program = e->self_program;
	e->conf.bip = e->bip;
	e->conf.storage_driver = e->storage_driver;
	e->oci_root = path_join(e->run, "oci");
	e->init_layer = path_join(e->root, "init");
	e->rt = (struct rt_host){ .root = e->oci_root, .warn = rt_warned };
	e->containers_fd = e->lock_fd = e->run_lock_fd = -1;
	list_init(&e->containers);
	list_init(&e->leaving);
	list_init(&e->trash);
	netns_init(e);
	list_init(&e->saves);
	map_init(&e->by_id);
	map_init(&e->by_name);
	map_init(&e->execs);
	r = events_init(e);
	if (r == 0)
		r = open_parts(e, err);
	if (r < 0) {
		engine_close(e);
		return r;
	}
	*ret = e;
	return 0;
}

/* The parent of the containers' cgroups, when none is left in it. A container that runs on keeps
 * it. */
static void remove_cgroup(struct engine *e)
{
	CLEANUP_FREE char *name = NULL;
	DIR *d = *e->instance ? opendir("/sys/fs/cgroup") : NULL;
	struct dirent *de;

	if (!d)
		return;
	if (asprintf(&name, "teu-%s", e->instance) < 0)
		abort();
	(void)unlinkat(dirfd(d), name, AT_REMOVEDIR); /* v2; busy or absent is fine */
	while ((de = readdir(d))) {
		CLEANUP_FREE char *path = path_join(de->d_name, name);

		if (de->d_name[0] != '.')
			(void)unlinkat(dirfd(d), path, AT_REMOVEDIR);
	}
	closedir(d);
}

void engine_close(struct engine *e)
{
	struct container *c;

	if (!e)
		return;
	/* What is under way is worked off, but its end begins nothing new; then whoever waits is
	 * told. */
	e->closing = true;
	state_close(e);
	loop_run_posts(e->loop);
	work_pool_free(e->pool);
	e->pool = NULL;
	while ((c = LIST_FIRST(&e->leaving, struct container, link)))
		container_free(c);
	while ((c = LIST_FIRST(&e->containers, struct container, link)))
		container_free(c);
	loop_run_posts(e->loop);
	netns_let_go(e);
	timer_fini(&e->held_timer);
	remove_cgroup(e);
	network_set_free(e->networks);
	image_store_close(e->images);
	events_fini(e);
	map_fini(&e->by_id);
	map_fini(&e->by_name);
	map_fini(&e->execs);
	fd_close(e->containers_fd);
	fd_close(e->lock_fd);
	fd_close(e->run_lock_fd);
	free(e->seccomp_json);
	free(e->oci_root);
	free(e->init_layer);
	free(e->root);
	free(e->run);
	free(e->oci_program);
	free(e->self_program);
	free(e->bip);
	free(e->storage_driver);
	free(e);
}

struct image_store *engine_images(struct engine *e)
{
	return e->images;
}
struct network_set *engine_networks(struct engine *e)
{
	return e->networks;
}
const char *engine_id(const struct engine *e)
{
	return e->id;
}
const char *engine_instance(const struct engine *e)
{
	return e->instance;
}
const struct engine_conf *engine_get_conf(const struct engine *e)
{
	return &e->conf;
}
struct work_pool *engine_pool(struct engine *e)
{
	return e->pool;
}
