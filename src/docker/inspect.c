/* SPDX-License-Identifier: Apache-2.0 */
/* GET /containers/{id}/json: everything known about one container. */
#include "docker/private.h"

#include <stdio.h>
#include <sys/stat.h>

static void show_state(struct call *c, const struct container *ct, struct doc *o)
{
	const struct container_state *st = container_get_state(ct);
	struct doc *s = doc_set_object(c->a, o, "State");
	struct arena *a = c->a;

	doc_set_str(a, s, "Status", container_status_name(st->status));
	doc_set_bool(a, s, "Running",
		     st->status == CT_RUNNING || st->status == CT_PAUSED ||
			     st->status == CT_RESTARTING);
	doc_set_bool(a, s, "Paused", st->status == CT_PAUSED);
	doc_set_bool(a, s, "Restarting", st->status == CT_RESTARTING);
	doc_set_bool(a, s, "OOMKilled", st->oom_killed);
	doc_set_bool(a, s, "Dead", st->status == CT_DEAD);
	doc_set_int(a, s, "Pid", st->pid);
	doc_set_int(a, s, "ExitCode", st->exit_code);
	doc_set_str(a, s, "Error", st->error);
	show_time(a, s, "StartedAt", st->started);
	show_time(a, s, "FinishedAt", st->finished);
}

static void show_graph(struct call *c, const struct container *ct, struct doc *o)
{
	struct doc *g = doc_set_object(c->a, o, "GraphDriver"), *data;
	CLEANUP(image_unref) struct image *img = NULL;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1u << 20);
	struct err ignored = ERR_INIT;
	const char *dir = container_dir(ct);
	struct strv lower = { 0 };

	doc_set_str(c->a, g, "Name", image_driver_name(engine_images(c->e)));
	if (image_driver_is_whole(engine_images(c->e))) { /* as docker's */
		doc_set_null(c->a, g, "Data");
		return;
	}
	/* An image that was removed by force leaves only the container's own directories to show.
	 */
	if (image_resolve(engine_images(c->e), container_image_id(ct), &img, &ignored) == 0 &&
	    image_lower_dirs(engine_images(c->e), img, c->a, &lower, &ignored) == 0)
		for (size_t i = 0; i < lower.n; i++)
			buf_addf(&b, "%s%s", i ? ":" : "", lower.v[i]);
	data = doc_set_object(c->a, g, "Data");
	doc_set_str(c->a, data, "ID", container_id(ct));
	doc_set_str(c->a, data, "LowerDir", buf_str(&b));
	doc_set_strf(c->a, data, "MergedDir", "%s/merged", image_store_path(engine_images(c->e)));
	doc_set_strf(c->a, data, "UpperDir", "%s/upper", dir);
	doc_set_strf(c->a, data, "WorkDir", "%s/work", dir);
}

static void show_network_settings(struct call *c, struct container *ct, struct doc *o)
{
	const struct container_endpoint *ep = container_endpoint(ct);
	const struct container_state *st = container_get_state(ct);
	struct doc *n = doc_set_object(c->a, o, "NetworkSettings"), *ports;
	bool bridge = strcmp(ep->network, "bridge") == 0;
	struct arena *a = c->a;

	doc_set_str(a, n, "Bridge", "");
	doc_set_str(a, n, "SandboxID", st->pid ? container_id(ct) : "");
	if (st->pid)
		doc_set_strf(a, n, "SandboxKey", "/proc/%d/ns/net", st->pid);
	else
		doc_set_str(a, n, "SandboxKey", "");
	ports = doc_set_object(a, n, "Ports");
	if (st->pid)
		DOC_EACH_MEMBER (k, v, container_spec(ct)->config.exposed_ports) {
			(void)v;
			doc_setn(a, ports, doc_slice(k), doc_null());
		}
	doc_set_bool(a, n, "HairpinMode", false);
	doc_set_str(a, n, "LinkLocalIPv6Address", "");
	doc_set_int(a, n, "LinkLocalIPv6PrefixLen", 0);
	doc_set_null(a, n, "SecondaryIPAddresses");
	doc_set_null(a, n, "SecondaryIPv6Addresses");
	doc_set_str(a, n, "EndpointID", bridge ? ep->endpoint_id : "");
	doc_set_str(a, n, "Gateway", bridge ? ep->gateway : "");
	doc_set_str(a, n, "GlobalIPv6Address", "");
	doc_set_int(a, n, "GlobalIPv6PrefixLen", 0);
	doc_set_str(a, n, "IPAddress", bridge ? ep->ip : "");
	doc_set_int(a, n, "IPPrefixLen", bridge ? ep->prefix : 0);
	doc_set_str(a, n, "IPv6Gateway", "");
	doc_set_str(a, n, "MacAddress", bridge ? ep->mac : "");
	show_networks(c, ct, doc_set_object(a, n, "Networks"));
}

static void show_execs(struct call *c, struct container *ct, struct doc *o)
{
	const char *ids[64];
	size_t n = engine_exec_ids(c->e, ct, ids, ARRAY_LEN(ids));
	struct doc *arr;

	if (n == 0) {
		doc_set_null(c->a, o, "ExecIDs");
		return;
	}
	arr = doc_set_array(c->a, o, "ExecIDs");
	for (size_t i = 0; i < n; i++)
		doc_append_str(c->a, arr, ids[i]);
}

static void show_head(struct call *c, struct container *ct, struct doc *o)
{
	struct arena *a = c->a;
	struct doc *args;
	size_t n;
	const char *const *argv = container_argv(ct, &n);

	doc_set_str(a, o, "Id", container_id(ct));
	show_time(a, o, "Created", container_get_state(ct)->created);
	doc_set_str(a, o, "Path", n ? argv[0] : "");
	args = doc_set_array(a, o, "Args");
	for (size_t i = 1; i < n; i++)
		doc_append_str(a, args, argv[i]);
	show_state(c, ct, o);
	doc_set_str(a, o, "Image", container_image_id(ct));
	doc_set_strf(a, o, "ResolvConfPath", "%s/resolv.conf", container_run_dir(ct));
	doc_set_strf(a, o, "HostnamePath", "%s/hostname", container_run_dir(ct));
	doc_set_strf(a, o, "HostsPath", "%s/hosts", container_run_dir(ct));
	doc_set_str(a, o, "LogPath", container_log_path(ct));
	doc_set_strf(a, o, "Name", "/%s", container_name(ct));
	doc_set_int(a, o, "RestartCount", container_get_state(ct)->restart_count);
	doc_set_str(a, o, "Driver", image_driver_name(engine_images(c->e)));
	doc_set_str(a, o, "Platform", "linux");
	doc_set_str(a, o, "MountLabel", "");
	doc_set_str(a, o, "ProcessLabel", "");
	doc_set_str(a, o, "AppArmorProfile", "");
	show_execs(c, ct, o);
}

void container_inspect(struct call *c)
{
	struct doc *o = doc_new_object(c->a), config, host;
	struct container *ct;
	struct err err = ERR_INIT;

	if (call_container(c, &ct) < 0)
		return;
	if (query_bool(&c->q, "size", false)) {
		reply_fail(c, ERR_UNSUPPORTED,
			   "the size of a container (size=1) is not supported yet");
		return;
	}
	if (create_spec_encode(container_spec(ct), c->a, &config, &host, &err) < 0) {
		reply_err(c, &err);
		return;
	}
	if (c->minor >= 44)
		doc_remove(&config, "MacAddress"); /* it moved to the endpoints */
	show_head(c, ct, o);
	doc_set(c->a, o, "HostConfig", host);
	show_graph(c, ct, o);
	show_mounts(c, ct, doc_set_array(c->a, o, "Mounts"));
	doc_set(c->a, o, "Config", config);
	show_network_settings(c, ct, o);
	reply_doc(c, 200, o);
}
