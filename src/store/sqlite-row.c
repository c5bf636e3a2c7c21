/* SPDX-License-Identifier: Apache-2.0 */
/* The tables, and reading one row of them with its checksum. */
#include "base/hash.h"
#include "store/sqlite.h"

const char *const sq_schema[] = {
	"CREATE TABLE log(id INTEGER PRIMARY KEY, prev INTEGER NOT NULL, created INTEGER NOT NULL,"
	" lease INTEGER NOT NULL, removed INTEGER NOT NULL, sum INTEGER NOT NULL,"
	" key BLOB NOT NULL, value BLOB NOT NULL);"
	"CREATE TABLE cur(key BLOB PRIMARY KEY, id INTEGER NOT NULL, created INTEGER NOT NULL,"
	" lease INTEGER NOT NULL, removed INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE INDEX cur_lease ON cur(lease) WHERE lease<>0;"
	"CREATE TABLE leases(id INTEGER PRIMARY KEY, ttl INTEGER NOT NULL, ends INTEGER NOT NULL);"
	"CREATE INDEX leases_ends ON leases(ends);"
	"CREATE TABLE marks(revision INTEGER PRIMARY KEY, time INTEGER NOT NULL);"
	"CREATE TABLE meta(one INTEGER PRIMARY KEY CHECK(one=1), compacted INTEGER NOT NULL,"
	" cleaned INTEGER NOT NULL);"
	"INSERT INTO meta VALUES(1,0,0);",
};
const unsigned sq_nschema = ARRAY_LEN(sq_schema);

int64_t sq_row_sum(const struct sq_row *row)
{
	const int64_t head[] = { row->id,    row->prev,	   row->created,
				 row->lease, row->removed, (int64_t)row->key.n };
	uint32_t sum = crc32c(0, head, sizeof(head));

	sum = crc32c(sum, row->key.p, row->key.n);
	return crc32c(sum, row->value.p, row->value.n);
}

int sq_damaged(struct err *err, const char *fmt, ...)
{
	va_list ap;
	char text[512];

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(err, ERR_INVALID,
		       "the store is damaged: %s; stop, move it away and restore a backup", text);
}

int sq_log_next(struct db_row *q, struct sq_row *ret, struct err *err)
{
	int64_t sum, removed;
	int r = db_row_next(q, err);

	if (r <= 0)
		return r;
	db_row_get(q, "iiiiibbi", &ret->id, &ret->prev, &ret->created, &ret->lease, &removed,
		   &ret->key, &ret->value, &sum);
	ret->removed = removed;
	if (sum != sq_row_sum(ret))
		return sq_damaged(err, "the row of revision %lld is not as it was written",
				  (long long)SQ_REVISION_OF(ret->id));
	return 1;
}

int sq_log_get(struct db_conn *c, int64_t id, struct sq_row *ret, struct db_row **hold,
	       struct err *err)
{
	CLEANUP(db_row_done) struct db_row *q = NULL;
	int r;

	r = db_query(c, &q, err, "SELECT " SQ_LOG_COLUMNS " FROM log WHERE id=?", "i", id);
	if (r >= 0)
		r = sq_log_next(q, ret, err);
	if (r > 0)
		*hold = STEAL(q);
	return r;
}

int sq_meta(struct db_conn *c, int64_t *ret_revision, int64_t *ret_compacted, struct err *err)
{
	int64_t id = 0;
	int r = db_query_int(c, ret_compacted, err, "SELECT compacted FROM meta", "");

	if (r == 0)
		return sq_damaged(err, "its row of bounds is gone");
	if (r > 0)
		r = db_query_int(c, &id, err, "SELECT max(id) FROM log", "");
	if (r < 0)
		return r;
	*ret_revision = MAX(MAX(SQ_REVISION_OF(id), *ret_compacted), 1);
	return 0;
}
