/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As much of a Kubernetes API server as kubectl exec, attach and port-forward need, so that the
 * real client drives our SPDY and WebSocket: usage: kube-stub 127.0.0.1:0. Prints its address, then
 * "ready"; one line on stdout for each upgrade ("exec v5.channel.k8s.io", "portforward spdy"). Ends
 * when its standard input does.
 *
 * There is one pod, default/p. What is run in it: kube-streams.h.
 */
#include "kube-streams.h"

#include <unistd.h>

static void stub_say(const char *what, const char *how)
{
	printf("%s %s\n", what, how);
	(void)fflush(stdout);
}

/* ---- what kubectl looks at before it asks ---- */

static const struct {
	const char *path, *body;
} pages[] = {
	{ "/version", "{\"major\":\"1\",\"minor\":\"32\",\"gitVersion\":\"v1.32.4\"}" },
	{ "/api", "{\"kind\":\"APIVersions\",\"versions\":[\"v1\"]}" },
	{ "/apis", "{\"kind\":\"APIGroupList\",\"apiVersion\":\"v1\",\"groups\":[]}" },
	{ "/api/v1",
	  "{\"kind\":\"APIResourceList\",\"groupVersion\":\"v1\",\"resources\":[{\"name\":\"pods\","
	  "\"singularName\":\"pod\",\"namespaced\":true,\"kind\":\"Pod\",\"verbs\":[\"get\"],"
	  "\"shortNames\":[\"po\"]},{\"name\":\"pods/exec\",\"singularName\":\"\",\"namespaced\":"
	  "true,\"kind\":\"PodExecOptions\",\"verbs\":[\"create\",\"get\"]}]}" },
	{ "/api/v1/namespaces/default/pods/p",
	  "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"p\",\"namespace\":"
	  "\"default\",\"uid\":\"1\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\","
	  "\"stdin\":true,\"tty\":false}]},\"status\":{\"phase\":\"Running\",\"containerStatuses\":"
	  "[{\"name\":\"c\",\"ready\":true,\"state\":{\"running\":{}}}]}}" },
};

static void serve(struct stream *s, void *arg)
{
	static const char pod[] = "/api/v1/namespaces/default/pods/p/";
	const char *path = stream_request(s)->path;

	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		if (strcmp(path, pages[i].path) == 0) {
			(void)stream_reply(s, 200, "application/json", pages[i].body,
					   strlen(pages[i].body));
			return;
		}
	}
	if (strncmp(path, pod, sizeof(pod) - 1) != 0)
		(void)stream_reply(s, 404, "text/plain", "not found\n", 10);
	else if (strcmp(path + sizeof(pod) - 1, "portforward") == 0)
		serve_forward(s);
	else
		serve_exec(s, path + sizeof(pod) - 1, types);
}

static int on_stdin_closed(struct source *src, uint32_t events)
{
	char c[64];

	if (read(0, c, sizeof(c)) <= 0)
		loop_stop(src->loop, 0);
	return 0;
}

int main(int argc, char **argv)
{
	struct http_server_conf conf = { .request = serve };
	CLEANUP(loop_free) struct loop *l = NULL;
	struct source in = SOURCE_INIT;
	struct http_server *srv = NULL;
	struct err err = ERR_INIT;
	int r;

	r = loop_new(&l, &err);
	r = r < 0 ? r : http_server_new(l, &conf, &srv, &err);
	r = r < 0 ? r : http_server_listen_tcp(srv, argc > 1 ? argv[1] : "127.0.0.1:0", &err);
	r = r < 0 ? r : source_init(&in, l, 0, EPOLLIN, on_stdin_closed, &err);
	if (r == 0) {
		printf("%s\nready\n", http_server_address(srv, 0));
		(void)fflush(stdout);
		r = loop_run(l, &err);
	}
	if (r < 0)
		(void)fprintf(stderr, "kube-stub: %s\n", err.msg);
	source_fini(&in);
	http_server_free(srv);
	return r < 0 ? 1 : 0;
}
