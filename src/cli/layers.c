/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of layers, drawn over by moving the cursor up to the row of an id and down again. */
#include "cli/layers.h"

#include "base/err.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/term.h"
#include "doc/doc.h"

#include <stdio.h>
#include <string.h>

#define LINE_MAX_BYTES 4096

void layers_begin(struct layers *l, int fd, bool quiet)
{
	*l = (struct layers){ .fd = fd, .quiet = quiet, .terminal = !quiet && term_is(fd) };
}

/* Bytes that would move a cursor are the engine's or a registry's: none gets through. */
static void add_plain(struct buf *out, struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		buf_addc(out, (unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f ? ' ' : s.p[i]);
}

bool layers_line(const struct doc *msg, unsigned cols, struct buf *out)
{
	struct slice id = doc_slice(doc_get(msg, "id")), status = doc_slice(doc_get(msg, "status"));
	const struct doc *detail = doc_get(msg, "progressDetail");
	struct progress p = { .total = 0 };
	char what[200], line[256];

	if (!status.n)
		return false;
	if (doc_int64(doc_get(detail, "current"), &p.done) != 0 ||
	    doc_int64(doc_get(detail, "total"), &p.total) != 0)
		p.total = 0;
	if (p.total > 0 && !cols)
		return false;
	if (p.total > 0) {
		snprintf(what, sizeof(what), "%.*s: %.*s", (int)MIN(id.n, (size_t)64), id.p,
			 (int)MIN(status.n, (size_t)64), status.p);
		p.what = what;
		progress_line(&p, cols, line, sizeof(line));
		add_plain(out, slice_str(line));
		return true;
	}
	if (id.n) {
		add_plain(out, id);
		buf_adds(out, ": ");
	}
	add_plain(out, status);
	return true;
}

/* Docker's news of a push that the index could not be part of. */
static int show_note(const struct layers *l, const struct doc *aux, struct err *err)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(LINE_MAX_BYTES);
	struct slice from = doc_slice(doc_get(doc_get(aux, "originalIndex"), "digest")),
		     to = doc_slice(doc_get(doc_get(aux, "selectedManifest"), "digest"));

	buf_adds(&out, "Not all that the index names is here: one platform's image was pushed (");
	add_plain(&out, from);
	buf_adds(&out, " -> ");
	add_plain(&out, to);
	buf_adds(&out, ")\n");
	return cli_write(l->fd, &out, err);
}

/* The row of an id, counted from below; a new one is added. 0 = there is no room for another. */
static unsigned row_of(struct layers *l, const char *id, bool *ret_new)
{
	*ret_new = false;
	for (unsigned i = 0; i < l->n; i++)
		if (strcmp(l->ids[i], id) == 0)
			return l->n - i;
	if (l->n == LAYERS_MAX)
		return 0;
	*ret_new = true;
	(void)str_copy(l->ids[l->n++], sizeof(l->ids[0]), id);
	return 1;
}

int layers_show(struct layers *l, const struct doc *msg, struct err *err)
{
	CLEANUP(buf_fini)
	struct buf out = BUF_INIT(2 * LINE_MAX_BYTES), text = BUF_INIT(LINE_MAX_BYTES);
	struct slice id = doc_slice(doc_get(msg, "id"));
	unsigned rows = 0, cols = 80, row;
	char name[140];
	bool fresh;

	if (!l->quiet && doc_get(doc_get(msg, "aux"), "manifestPushedInsteadOfIndex"))
		return show_note(l, doc_get(msg, "aux"), err);
	if (l->terminal)
		(void)term_size(l->fd, &rows, &cols); /* none: 80 */
	if (l->quiet || !layers_line(msg, l->terminal ? cols : 0, &text))
		return 0;
	if (!l->terminal || !id.n || !doc_get(msg, "progressDetail")) {
		buf_addf(&out, "%s\n", buf_str(&text));
		if (l->terminal)
			l->n = 0; /* rows above it stay as they are */
		return cli_write(l->fd, &out, err);
	}
	snprintf(name, sizeof(name), "%.*s", (int)MIN(id.n, sizeof(name) - 1), id.p);
	row = row_of(l, name, &fresh);
	if (fresh || !row)
		buf_addf(&out, "%s\n", buf_str(&text));
	else
		buf_addf(&out, "\x1b[%uA\x1b[2K\r%s\x1b[%uB\r", row, buf_str(&text), row);
	return cli_write(l->fd, &out, err);
}
