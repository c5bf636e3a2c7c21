/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every operation of the Engine API 1.50. Those that this engine cannot do yet are here too, so
 * that a client is told which one it asked for instead of "page not found".
 */
#include "docker/private.h"

#define NONE(method, pattern, name)                  \
	{                                            \
		method, pattern, not_supported, name \
	}
#define SWARM(method, pattern)                                \
	{                                                     \
		method, pattern, swarm_inactive, "swarm mode" \
	}

/* dockerd's answer on a node that is in no swarm: clients look for it and go on. */
static void swarm_inactive(struct call *c)
{
	reply_fail(c, ERR_UNAVAILABLE,
		   "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm "
		   "join\" to connect this node to swarm and try again.");
}

/* There are none: true, and what `docker inspect` asks on its way through all kinds. */
static void plugins_list(struct call *c)
{
	reply_doc(c, 200, doc_new_array(c->a));
}

const struct op docker_ops[] = {
	/* system */
	{ "GET", "/_ping", ping_handle, "ping" },
	{ "GET", "/version", version_handle, "version" },
	{ "GET", "/info", info_handle, "info" },
	{ "GET", "/events", events_handle, "events" },
	{ "GET", "/system/df", df_handle, "disk usage" },
	{ "POST", "/auth", auth_handle, "registry login" },
	NONE("POST", "/session", "a builder session"),
	NONE("POST", "/grpc", "the builder's gRPC"),
	/* containers */
	{ "GET", "/containers/json", containers_list, "listing containers" },
	{ "POST", "/containers/create", container_create, "creating a container" },
	{ "GET", "/containers/{id}/json", container_inspect, "inspecting a container" },
	{ "POST", "/containers/{id}/start", container_start, "starting a container" },
	{ "POST", "/containers/{id}/stop", container_stop, "stopping a container" },
	{ "POST", "/containers/{id}/restart", container_restart, "restarting a container" },
	{ "POST", "/containers/{id}/kill", container_kill, "killing a container" },
	{ "POST", "/containers/{id}/rename", container_rename, "renaming a container" },
	{ "POST", "/containers/{id}/resize", container_resize, "resizing a terminal" },
	{ "POST", "/containers/{id}/wait", container_wait, "waiting for a container" },
	{ "POST", "/containers/{id}/attach", container_attach, "attaching to a container" },
	{ "GET", "/containers/{id}/logs", container_logs, "reading logs" },
	{ "DELETE", "/containers/{id}", container_remove, "removing a container" },
	NONE("GET", "/containers/{id}/attach/ws", "attaching by websocket"),
	NONE("GET", "/containers/{id}/top", "listing processes (top)"),
	{ "GET", "/containers/{id}/changes", container_changes, "listing changes (diff)" },
	{ "GET", "/containers/{id}/export", container_export, "exporting a container" },
	NONE("GET", "/containers/{id}/stats", "container statistics"),
	NONE("POST", "/containers/{id}/pause", "pausing a container"),
	NONE("POST", "/containers/{id}/unpause", "unpausing a container"),
	NONE("POST", "/containers/{id}/update", "updating a container"),
	NONE("GET", "/containers/{id}/archive", "copying from a container"),
	NONE("PUT", "/containers/{id}/archive", "copying to a container"),
	NONE("POST", "/containers/prune", "pruning containers"),
	NONE("GET", "/containers/{id}/checkpoints", "checkpoints"),
	NONE("POST", "/containers/{id}/checkpoints", "checkpoints"),
	NONE("DELETE", "/containers/{id}/checkpoints/{checkpoint}", "checkpoints"),
	/* execs */
	{ "POST", "/containers/{id}/exec", exec_create, "creating an exec" },
	{ "POST", "/exec/{id}/start", exec_start, "starting an exec" },
	{ "POST", "/exec/{id}/resize", exec_resize, "resizing a terminal" },
	{ "GET", "/exec/{id}/json", exec_inspect, "inspecting an exec" },
	/* images */
	{ "GET", "/images/json", images_list, "listing images" },
	{ "POST", "/images/create", images_create, "pulling or importing an image" },
	{ "POST", "/images/load", images_load, "loading images" },
	{ "GET", "/images/{name:.*}/json", image_inspect, "inspecting an image" },
	{ "GET", "/images/{name:.*}/history", image_history, "the history of an image" },
	{ "POST", "/images/{name:.*}/tag", image_tag_handle, "tagging an image" },
	{ "DELETE", "/images/{name:.*}", image_delete, "removing an image" },
	{ "POST", "/images/{name:.*}/push", image_push_handle, "pushing images" },
	{ "GET", "/images/{name:.*}/get", image_get, "saving images" },
	{ "GET", "/images/get", images_get, "saving images" },
	{ "GET", "/images/search", images_search, "searching a registry" },
	{ "POST", "/images/prune", images_prune, "pruning images" },
	{ "GET", "/distribution/{name:.*}/json", distribution_handle, "asking a registry" },
	{ "POST", "/commit", container_commit, "committing a container" },
	NONE("POST", "/build", "building images"),
	NONE("POST", "/build/prune", "pruning the build cache"),
	NONE("POST", "/build/cancel", "building images"),
	/* networks and volumes */
	{ "GET", "/networks", networks_list, "listing networks" },
	{ "GET", "/networks/{id}", network_inspect, "inspecting a network" },
	NONE("POST", "/networks/create", "creating networks"),
	NONE("POST", "/networks/{id}/connect", "connecting to a network"),
	NONE("POST", "/networks/{id}/disconnect", "disconnecting from a network"),
	NONE("DELETE", "/networks/{id}", "removing networks"),
	NONE("POST", "/networks/prune", "pruning networks"),
	{ "GET", "/volumes", volumes_list, "listing volumes" },
	{ "GET", "/volumes/{name}", volume_inspect, "inspecting a volume" },
	NONE("POST", "/volumes/create", "creating volumes"),
	NONE("DELETE", "/volumes/{name}", "removing volumes"),
	NONE("PUT", "/volumes/{name}", "updating volumes"),
	NONE("POST", "/volumes/prune", "pruning volumes"),
	/* plugins */
	{ "GET", "/plugins", plugins_list, "listing plugins" },
	NONE("GET", "/plugins/privileges", "managing plugins"),
	NONE("POST", "/plugins/pull", "managing plugins"),
	NONE("POST", "/plugins/create", "managing plugins"),
	NONE("GET", "/plugins/{name:.*}/json", "managing plugins"),
	NONE("DELETE", "/plugins/{name:.*}", "managing plugins"),
	NONE("POST", "/plugins/{name:.*}/enable", "managing plugins"),
	NONE("POST", "/plugins/{name:.*}/disable", "managing plugins"),
	NONE("POST", "/plugins/{name:.*}/upgrade", "managing plugins"),
	NONE("POST", "/plugins/{name:.*}/push", "managing plugins"),
	NONE("POST", "/plugins/{name:.*}/set", "managing plugins"),
	/* swarm */
	NONE("POST", "/swarm/init", "swarm mode"),
	NONE("POST", "/swarm/join", "swarm mode"),
	SWARM("GET", "/swarm"),
	SWARM("POST", "/swarm/leave"),
	SWARM("POST", "/swarm/update"),
	SWARM("GET", "/swarm/unlockkey"),
	SWARM("POST", "/swarm/unlock"),
	SWARM("GET", "/nodes"),
	SWARM("GET", "/nodes/{id}"),
	SWARM("DELETE", "/nodes/{id}"),
	SWARM("POST", "/nodes/{id}/update"),
	SWARM("GET", "/services"),
	SWARM("POST", "/services/create"),
	SWARM("GET", "/services/{id}"),
	SWARM("DELETE", "/services/{id}"),
	SWARM("POST", "/services/{id}/update"),
	SWARM("GET", "/services/{id}/logs"),
	SWARM("GET", "/tasks"),
	SWARM("GET", "/tasks/{id}"),
	SWARM("GET", "/tasks/{id}/logs"),
	SWARM("GET", "/secrets"),
	SWARM("POST", "/secrets/create"),
	SWARM("GET", "/secrets/{id}"),
	SWARM("DELETE", "/secrets/{id}"),
	SWARM("POST", "/secrets/{id}/update"),
	SWARM("GET", "/configs"),
	SWARM("POST", "/configs/create"),
	SWARM("GET", "/configs/{id}"),
	SWARM("DELETE", "/configs/{id}"),
	SWARM("POST", "/configs/{id}/update"),
};
const size_t docker_ops_n = ARRAY_LEN(docker_ops);
