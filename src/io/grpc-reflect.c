/* SPDX-License-Identifier: Apache-2.0 */
/* Server reflection, v1 and v1alpha (the same messages under two names). */
#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "doc/doc.h"
#include "doc/schema.h"
#include "io/grpc-reflect-impl.h"
#include "io/grpc-server-impl.h"
#include "io/stream-impl.h"

#define ROW(key, what, number, ...)                                                    \
	{                                                                              \
		.name = (key), .len = sizeof(key) - 1, .type = (what), .pb = (number), \
		##__VA_ARGS__                                                          \
	}
#define TABLE(title, rows)                                              \
	{                                                               \
		.name = (title), .fields = (rows), .n = ARRAY_LEN(rows) \
	}

/* Both versions from one list of rows; P is the package. */
static const struct schema_field extension_rows[] = {
	ROW("containing_type", SCHEMA_STRING, 1),
	ROW("extension_number", SCHEMA_INT, 2, .width = 4),
};
static const struct schema_field files_rows[] = {
	ROW("file_descriptor_proto", SCHEMA_LIST, 1, .elem_type = SCHEMA_BYTES),
};
static const struct schema_field numbers_rows[] = {
	ROW("base_type_name", SCHEMA_STRING, 1),
	ROW("extension_number", SCHEMA_LIST, 2, .elem_type = SCHEMA_INT, .width = 4),
};
static const struct schema_field name_rows[] = { ROW("name", SCHEMA_STRING, 1) };
static const struct schema_field error_rows[] = {
	ROW("error_code", SCHEMA_INT, 1, .width = 4),
	ROW("error_message", SCHEMA_STRING, 2),
};
#define REFLECTION(V, P)                                                                          \
	static const struct schema extension_##V = TABLE(P ".ExtensionRequest", extension_rows);  \
	static const struct schema files_##V = TABLE(P ".FileDescriptorResponse", files_rows);    \
	static const struct schema numbers_##V =                                                  \
		TABLE(P ".ExtensionNumberResponse", numbers_rows);                                \
	static const struct schema name_##V = TABLE(P ".ServiceResponse", name_rows);             \
	static const struct schema error_##V = TABLE(P ".ErrorResponse", error_rows);             \
	static const struct schema_field list_rows_##V[] = {                                      \
		ROW("service", SCHEMA_LIST, 1, .elem_type = SCHEMA_OBJECT, .sub = &name_##V),     \
	};                                                                                        \
	static const struct schema list_##V = TABLE(P ".ListServiceResponse", list_rows_##V);     \
	static const struct schema_field request_rows_##V[] = {                                   \
		ROW("host", SCHEMA_STRING, 1),                                                    \
		ROW("file_by_filename", SCHEMA_STRING, 3, .oneof = 1),                            \
		ROW("file_containing_symbol", SCHEMA_STRING, 4, .oneof = 1),                      \
		ROW("file_containing_extension", SCHEMA_OBJECT, 5, .sub = &extension_##V,         \
		    .oneof = 1),                                                                  \
		ROW("all_extension_numbers_of_type", SCHEMA_STRING, 6, .oneof = 1),               \
		ROW("list_services", SCHEMA_STRING, 7, .oneof = 1),                               \
	};                                                                                        \
	static const struct schema request_##V =                                                  \
		TABLE(P ".ServerReflectionRequest", request_rows_##V);                            \
	static const struct schema_field response_rows_##V[] = {                                  \
		ROW("valid_host", SCHEMA_STRING, 1),                                              \
		ROW("original_request", SCHEMA_OBJECT, 2, .sub = &request_##V),                   \
		ROW("file_descriptor_response", SCHEMA_OBJECT, 4, .sub = &files_##V, .oneof = 1), \
		ROW("all_extension_numbers_response", SCHEMA_OBJECT, 5, .sub = &numbers_##V,      \
		    .oneof = 1),                                                                  \
		ROW("list_services_response", SCHEMA_OBJECT, 6, .sub = &list_##V, .oneof = 1),    \
		ROW("error_response", SCHEMA_OBJECT, 7, .sub = &error_##V, .oneof = 1),           \
	};                                                                                        \
	static const struct schema response_##V =                                                 \
		TABLE(P ".ServerReflectionResponse", response_rows_##V);                          \
	static const struct grpc_method methods_##V[] = {                                         \
		{ "ServerReflectionInfo", &request_##V, &response_##V,                            \
		  GRPC_CLIENT_STREAM | GRPC_SERVER_STREAM, NULL, info },                          \
	};                                                                                        \
	static const struct grpc_service service_##V = { P ".ServerReflection", methods_##V, 1 };

/* ---- answers ---- */

static void add_error(struct arena *a, struct doc *out, enum grpc_code code, const char *message)
{
	struct doc *e = doc_set_object(a, out, "error_response");

	(void)doc_set_int(a, e, "error_code", (int64_t)code);
	(void)doc_set_str(a, e, "error_message", message);
}

/* The file and all it needs, each once. */
static void add_files(struct grpc_server *srv, struct arena *a, struct doc *list,
		      struct grpc_file *f)
{
	struct grpc_file *todo[64] = { f };

	for (size_t n = 1, i = 0; i < n; i++) {
		struct slice deps = buf_slice(&todo[i]->deps);
		char *text = arena_alloc(a, BASE64_LEN(todo[i]->bytes.n) + 1);

		if (!text)
			return;
		base64_encode(text, todo[i]->bytes.p, todo[i]->bytes.n);
		(void)doc_append_str(a, list, text);
		while (deps.n && n < ARRAY_LEN(todo)) {
			struct grpc_file *d = grpc_file_by_name(srv, slice_split(&deps, '\n'));
			size_t k = 0;

			while (d && k < n && todo[k] != d)
				k++;
			if (d && k == n)
				todo[n++] = d;
		}
	}
}

static void answer_file(struct grpc_server *srv, struct arena *a, struct doc *out,
			struct grpc_file *f)
{
	if (!f)
		add_error(a, out, GRPC_NOT_FOUND, "no such file or symbol");
	else
		add_files(srv, a,
			  doc_set_array(a, doc_set_object(a, out, "file_descriptor_response"),
					"file_descriptor_proto"),
			  f);
}

static void answer_list(struct grpc_server *srv, struct arena *a, struct doc *out)
{
	struct doc *list =
		doc_set_array(a, doc_set_object(a, out, "list_services_response"), "service");
	struct grpc_added *added;

	LIST_FOREACH (added, &srv->services, struct grpc_added, link)
		(void)doc_set_str(a, doc_append_object(a, list), "name", added->svc->name);
}

static void answer(struct grpc_server *srv, struct arena *a, const struct doc *in, struct doc *out)
{
	const struct doc *v;

	(void)doc_set(a, out, "original_request", *in);
	if (doc_get(in, "list_services"))
		answer_list(srv, a, out);
	else if ((v = doc_get(in, "file_by_filename")))
		answer_file(srv, a, out, grpc_file_by_name(srv, doc_slice(v)));
	else if ((v = doc_get(in, "file_containing_symbol")))
		answer_file(srv, a, out, grpc_file_by_symbol(srv, doc_slice(v)));
	else if (doc_get(in, "file_containing_extension") ||
		 doc_get(in, "all_extension_numbers_of_type"))
		add_error(a, out, GRPC_NOT_FOUND, "there are no extensions");
	else
		add_error(a, out, GRPC_INVALID_ARGUMENT, "the request asks for nothing");
}

static void on_message(struct grpc_call *c, const struct doc *d)
{
	CLEANUP(arena_free) struct arena *a = arena_new("reflection", 32u << 20);
	struct doc *out = doc_new_object(a);
	struct grpc_server *srv = grpc_arg(c);
	struct err err = ERR_INIT;
	int r;

	answer(srv, a, d, out);
	if (arena_exceeded(a)) {
		(void)arena_quota(a, &err);
		grpc_fail(c, &err);
		return;
	}
	r = grpc_send(c, out, &err);
	if (r == -ERR_QUOTA)
		grpc_fail(c, &err); /* asks on and on without reading */
	else if (r >= 0)
		grpc_more(c);
}

static void on_half_closed(struct grpc_call *c)
{
	grpc_finish(c, GRPC_OK, NULL);
}

static void info(struct grpc_call *c, void *arg)
{
	static const struct grpc_events events = { .message = on_message,
						   .half_closed = on_half_closed };
	struct grpc_server *srv = arg;

	grpc_on(c, &events, srv);
	if (list_empty(&srv->files))
		grpc_files_make(srv);
}

REFLECTION(v1, "grpc.reflection.v1")
REFLECTION(v1alpha, "grpc.reflection.v1alpha")

int grpc_server_add_reflection(struct grpc_server *srv, struct err *err)
{
	int r = grpc_server_add(srv, &service_v1, srv, err);

	return r < 0 ? r : grpc_server_add(srv, &service_v1alpha, srv, err);
}

void grpc_reflect_free(struct grpc_server *srv)
{
	struct grpc_added *added;

	grpc_files_free(srv);
	while ((added = LIST_FIRST(&srv->services, struct grpc_added, link))) {
		list_del(&added->link);
		free(added);
	}
}
