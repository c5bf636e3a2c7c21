/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors (google/protobuf/descriptor.proto) from schema rows: one file for each package, with
 * every message that the services reach. Rows know no names for enumerations, map entries and the
 * types that are one value in a document: those become nested types, named after their field. The
 * syntax is proto2, where every field has presence: that is what rows can tell.
 */
#include "base/err.h"
#include "doc/protobuf-wire.h"
#include "doc/schema.h"
#include "io/grpc-reflect-impl.h"
#include "io/grpc-server-impl.h"
#include "io/stream-impl.h"

#include <stdio.h>

#define DEPTH_MAX 64
#define FILE_MAX_ (4u << 20)

enum field_type {
	T_DOUBLE = 1,
	T_FLOAT,
	T_INT64,
	T_UINT64,
	T_INT32,
	T_FIXED64,
	T_FIXED32,
	T_BOOL,
	T_STRING,
	T_MESSAGE = 11,
	T_BYTES,
	T_UINT32,
	T_ENUM,
	T_SFIXED32,
	T_SFIXED64,
	T_SINT32,
	T_SINT64,
};

/* What a field is; type_name for messages and enumerations, with a dot in front. */
struct kind {
	enum field_type type;
	char name[400];
};

static void visit(struct grpc_server *srv, const struct schema *s, unsigned depth);

/* ---- writing ---- */

static void put_varint(struct buf *b, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		(void)buf_addc(b, (char)(v | 0x80));
	(void)buf_addc(b, (char)v);
}

static void put_int(struct buf *b, uint32_t number, uint64_t v)
{
	put_varint(b, (uint64_t)number << 3 | PB_VARINT);
	put_varint(b, v);
}

static void put_bytes(struct buf *b, uint32_t number, struct slice s)
{
	put_varint(b, (uint64_t)number << 3 | PB_BYTES);
	put_varint(b, s.n);
	(void)buf_add(b, s.p, s.n);
}

static void put_str(struct buf *b, uint32_t number, const char *s)
{
	put_bytes(b, number, slice_str(s));
}

/* FieldDescriptorProto */
static void put_field(struct buf *msg, const char *name, uint32_t number, bool repeated,
		      const struct kind *k)
{
	CLEANUP(buf_fini) struct buf f = BUF_INIT(4096);

	put_str(&f, 1, name);
	put_int(&f, 3, number);
	put_int(&f, 4, repeated ? 3 : 1);
	put_int(&f, 5, k->type);
	if (k->name[0])
		put_str(&f, 6, k->name);
	put_str(&f, 10, name);
	put_bytes(msg, 2, buf_slice(&f));
}

/* ---- files ---- */

static struct slice package_of(const char *full)
{
	const char *dot = strrchr(full, '.');

	return dot ? slice_of(full, (size_t)(dot - full)) : SLICE("");
}

static const char *short_name(const char *full)
{
	const char *dot = strrchr(full, '.');

	return dot ? dot + 1 : full;
}

static struct grpc_file *file_of(struct grpc_server *srv, const char *full)
{
	struct slice package = package_of(full);
	struct grpc_file *f;

	LIST_FOREACH (f, &srv->files, struct grpc_file, link)
		if (slice_is(package, f->package))
			return f;
	f = io_alloc(sizeof(*f));
	f->package = strndup(package.p, package.n);
	f->name = io_alloc(package.n + 16);
	(void)snprintf(f->name, package.n + 16, "%.*s.proto", package.n ? (int)package.n : 4,
		       package.n ? package.p : "root");
	if (!f->package)
		abort();
	for (char *p = f->name; p < f->name + package.n; p++)
		*p = *p == '.' ? '/' : *p;
	f->bytes = f->messages = f->services = f->symbols = f->deps = BUF_INIT(FILE_MAX_);
	list_append(&srv->files, &f->link);
	return f;
}

static bool has_line(const struct buf *b, struct slice line)
{
	struct slice rest = buf_slice(b);

	while (rest.n)
		if (slice_eq(slice_split(&rest, '\n'), line))
			return true;
	return false;
}

static void add_line(struct buf *b, const char *line)
{
	if (!has_line(b, slice_str(line)))
		(void)buf_addf(b, "%s\n", line);
}

/* ---- types ---- */

static void camel(const char *field, char *dst, size_t n)
{
	bool up = true;
	size_t used = 0;

	for (; *field && used + 1 < n; field++) {
		if (*field == '_') {
			up = true;
			continue;
		}
		dst[used++] = up && *field >= 'a' && *field <= 'z' ? (char)(*field - 32) : *field;
		up = false;
	}
	dst[used] = '\0';
}

static void nested_name(struct kind *k, const char *owner, const char *field, const char *suffix)
{
	char name[128];

	camel(field, name, sizeof(name));
	(void)snprintf(k->name, sizeof(k->name), ".%.200s.%s%s", owner, name, suffix);
}

static enum field_type number_type(const struct schema_field *f)
{
	bool narrow = (f->width & SCHEMA_W_SIZE) && (f->width & SCHEMA_W_SIZE) <= 4;
	bool is_unsigned = f->width & SCHEMA_W_UNSIGNED;

	if (f->type == SCHEMA_BOOL)
		return T_BOOL;
	switch (f->wire & SCHEMA_PB_KIND) {
	case SCHEMA_PB_FIXED32:
		return f->type == SCHEMA_DOUBLE ? T_FLOAT : is_unsigned ? T_FIXED32 : T_SFIXED32;
	case SCHEMA_PB_FIXED64:
		return f->type == SCHEMA_DOUBLE ? T_DOUBLE : is_unsigned ? T_FIXED64 : T_SFIXED64;
	case SCHEMA_PB_ZIGZAG: return narrow ? T_SINT32 : T_SINT64;
	default: break;
	}
	if (f->type == SCHEMA_DOUBLE)
		return T_DOUBLE;
	if (is_unsigned)
		return narrow ? T_UINT32 : T_UINT64;
	return narrow ? T_INT32 : T_INT64;
}

/* A nested message with up to three plain fields. */
static void put_nested(struct buf *msg, const char *name, const char *const *fields,
		       const enum field_type *types, bool repeated)
{
	CLEANUP(buf_fini) struct buf n = BUF_INIT(4096);

	put_str(&n, 1, name);
	for (uint32_t i = 0; fields[i]; i++)
		put_field(&n, fields[i], i + 1, repeated, &(struct kind){ .type = types[i] });
	put_bytes(msg, 3, buf_slice(&n));
}

/* A nested message that holds the enumeration, so that its names are its own. */
static void put_enum(struct buf *msg, const char *name, const char *const *values)
{
	CLEANUP(buf_fini) struct buf holder = BUF_INIT(65536), e = BUF_INIT(65536);

	put_str(&e, 1, "Enum");
	for (uint64_t i = 0; values[i]; i++) {
		CLEANUP(buf_fini) struct buf v = BUF_INIT(1024);

		if (!*values[i])
			continue;
		put_str(&v, 1, values[i]);
		put_int(&v, 2, i);
		put_bytes(&e, 2, buf_slice(&v));
	}
	put_str(&holder, 1, name);
	put_bytes(&holder, 4, buf_slice(&e));
	put_bytes(msg, 3, buf_slice(&holder));
}

/* The kind of one value; adds nested types to msg. */
static void kind_of(struct buf *msg, const char *owner, const char *field,
		    const struct schema_field *f, struct kind *k)
{
	static const char *const time[] = { "seconds", "nanos", NULL };
	static const enum field_type time_t_[] = { T_INT64, T_INT32 };
	static const char *const port[] = { "type", "intVal", "strVal", NULL };
	static const enum field_type port_t[] = { T_INT64, T_INT32, T_STRING };
	static const char *const value[] = { "value", NULL };
	static const char *const items[] = { "items", NULL };
	unsigned wire = f->wire & SCHEMA_PB_KIND;
	enum field_type one = T_STRING;

	*k = (struct kind){ .type = T_MESSAGE };
	nested_name(k, owner, field, "Value");
	switch ((enum schema_type)f->type) {
	case SCHEMA_OBJECT: (void)snprintf(k->name, sizeof(k->name), ".%s", f->sub->name); return;
	case SCHEMA_TIME: put_nested(msg, short_name(k->name), time, time_t_, false); return;
	case SCHEMA_INT_OR_STR: put_nested(msg, short_name(k->name), port, port_t, false); return;
	case SCHEMA_QUANTITY: put_nested(msg, short_name(k->name), value, &one, false); return;
	case SCHEMA_LIST: put_nested(msg, short_name(k->name), items, &one, true); return;
	case SCHEMA_ANY:
		one = T_BYTES;
		if (wire != SCHEMA_PB_BYTES) {
			put_nested(msg, short_name(k->name), value, &one, false);
			return;
		}
		break;
	case SCHEMA_BYTES: one = T_BYTES; break;
	case SCHEMA_ENUM:
		if (wire != SCHEMA_PB_VARINT)
			break;
		put_enum(msg, short_name(k->name), f->values);
		k->type = T_ENUM;
		(void)snprintf(k->name + strlen(k->name), sizeof(k->name) - strlen(k->name),
			       ".Enum");
		return;
	case SCHEMA_BOOL:
	case SCHEMA_INT:
	case SCHEMA_DOUBLE:
		one = number_type(f);
		if (wire == SCHEMA_PB_MESSAGE) {
			put_nested(msg, short_name(k->name), value, &one, false);
			return;
		}
		break;
	case SCHEMA_STRING:
		if (wire == SCHEMA_PB_MESSAGE) {
			one = f->format == FORMAT_DURATION ? T_INT64 : T_STRING;
			put_nested(msg, short_name(k->name), value, &one, false);
			return;
		}
		break;
	default: break;
	}
	*k = (struct kind){ .type = one };
}

static struct schema_field element(const struct schema_field *f)
{
	struct schema_field e = {
		.type = f->elem_type, .sub = f->sub, .width = f->width, .wire = f->wire
	};

	return f->elem_row ? *f->elem : e;
}

static void put_map_field(struct buf *msg, const char *owner, const struct schema_field *f)
{
	CLEANUP(buf_fini) struct buf entry = BUF_INIT(65536), options = BUF_INIT(16);
	struct schema_field e = element(f), key = {
		.type = f->key_wire & SCHEMA_PB_BOOL ? SCHEMA_BOOL : SCHEMA_INT,
		.width = f->key_wire & SCHEMA_PB_UNSIGNED ? 8 | SCHEMA_W_UNSIGNED : 8,
		.wire = f->key_wire & SCHEMA_PB_KIND
	};
	struct kind k, value, entry_kind = { .type = T_MESSAGE };

	nested_name(&entry_kind, owner, f->name, "Entry");
	kind_of(msg, owner, f->name, &e, &value);
	k = (struct kind){ .type = f->key_wire ? number_type(&key) : T_STRING };
	put_str(&entry, 1, short_name(entry_kind.name));
	put_field(&entry, "key", 1, false, &k);
	put_field(&entry, "value", 2, false, &value);
	put_int(&options, 7, 1); /* map_entry */
	put_bytes(&entry, 7, buf_slice(&options));
	put_bytes(msg, 3, buf_slice(&entry));
	put_field(msg, f->name, f->pb, true, &entry_kind);
}

static void put_row(struct grpc_server *srv, struct buf *msg, const struct schema *s,
		    const struct schema_field *f, unsigned depth)
{
	bool wrapped = f->type == SCHEMA_LIST && (f->wire & SCHEMA_PB_KIND) == SCHEMA_PB_MESSAGE;
	struct schema_field e = f->type == SCHEMA_LIST || f->type == SCHEMA_MAP ? element(f) : *f;
	struct kind k;

	if (e.type == SCHEMA_OBJECT) {
		visit(srv, e.sub, depth + 1);
		if (file_of(srv, e.sub->name) != file_of(srv, s->name))
			add_line(&file_of(srv, s->name)->deps, file_of(srv, e.sub->name)->name);
	}
	if (f->type == SCHEMA_MAP) {
		put_map_field(msg, s->name, f);
		return;
	}
	kind_of(msg, s->name, f->name, wrapped ? f : &e, &k);
	put_field(msg, f->name, f->pb, f->type == SCHEMA_LIST && !wrapped, &k);
}

static void visit(struct grpc_server *srv, const struct schema *s, unsigned depth)
{
	CLEANUP(buf_fini) struct buf msg = BUF_INIT(FILE_MAX_);
	struct grpc_file *file = file_of(srv, s->name);

	if (depth > DEPTH_MAX || has_line(&file->symbols, slice_str(s->name)))
		return;
	add_line(&file->symbols, s->name);
	put_str(&msg, 1, short_name(s->name));
	for (unsigned i = 0; i < s->n; i++)
		if (s->fields[i].pb)
			put_row(srv, &msg, s, &s->fields[i], depth);
	put_bytes(&file->messages, 4, buf_slice(&msg));
}

/* ---- services ---- */

static void put_method(struct grpc_server *srv, struct grpc_file *file, struct buf *svc,
		       const struct grpc_method *m)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);
	const struct schema *types[] = { m->in, m->out };
	char name[300];

	put_str(&b, 1, m->name);
	for (uint32_t i = 0; i < 2; i++) {
		visit(srv, types[i], 0);
		if (file_of(srv, types[i]->name) != file)
			add_line(&file->deps, file_of(srv, types[i]->name)->name);
		(void)snprintf(name, sizeof(name), ".%s", types[i]->name);
		put_str(&b, 2 + i, name);
	}
	if (m->flags & GRPC_CLIENT_STREAM)
		put_int(&b, 5, 1);
	if (m->flags & GRPC_SERVER_STREAM)
		put_int(&b, 6, 1);
	put_bytes(svc, 2, buf_slice(&b));
}

static void put_service(struct grpc_server *srv, const struct grpc_service *s)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(FILE_MAX_);
	struct grpc_file *file = file_of(srv, s->name);
	char name[300];

	put_str(&b, 1, short_name(s->name));
	add_line(&file->symbols, s->name);
	for (size_t i = 0; i < s->n; i++) {
		put_method(srv, file, &b, &s->methods[i]);
		(void)snprintf(name, sizeof(name), "%s.%s", s->name, s->methods[i].name);
		add_line(&file->symbols, name);
	}
	put_bytes(&file->services, 6, buf_slice(&b));
}

static void close_file(struct grpc_file *f)
{
	struct slice deps = buf_slice(&f->deps);

	put_str(&f->bytes, 1, f->name);
	put_str(&f->bytes, 2, f->package);
	while (deps.n) {
		struct slice dep = slice_split(&deps, '\n');

		if (dep.n)
			put_bytes(&f->bytes, 3, dep);
	}
	(void)buf_add(&f->bytes, f->messages.p, f->messages.n);
	(void)buf_add(&f->bytes, f->services.p, f->services.n);
	buf_fini(&f->messages);
	buf_fini(&f->services);
}

void grpc_files_make(struct grpc_server *srv)
{
	struct grpc_added *added;
	struct grpc_file *f;

	grpc_files_free(srv);
	LIST_FOREACH (added, &srv->services, struct grpc_added, link)
		put_service(srv, added->svc);
	LIST_FOREACH (f, &srv->files, struct grpc_file, link)
		close_file(f);
}

void grpc_files_free(struct grpc_server *srv)
{
	struct grpc_file *f;

	while ((f = LIST_FIRST(&srv->files, struct grpc_file, link))) {
		list_del(&f->link);
		buf_fini(&f->bytes);
		buf_fini(&f->messages);
		buf_fini(&f->services);
		buf_fini(&f->symbols);
		buf_fini(&f->deps);
		free(f->package);
		free(f->name);
		free(f);
	}
}

struct grpc_file *grpc_file_by_name(struct grpc_server *srv, struct slice name)
{
	struct grpc_file *f;

	LIST_FOREACH (f, &srv->files, struct grpc_file, link)
		if (slice_is(name, f->name))
			return f;
	return NULL;
}

struct grpc_file *grpc_file_by_symbol(struct grpc_server *srv, struct slice symbol)
{
	struct grpc_file *f;

	LIST_FOREACH (f, &srv->files, struct grpc_file, link)
		if (symbol.n && has_line(&f->symbols, symbol))
			return f;
	return NULL;
}
