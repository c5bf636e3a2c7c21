/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes as messages show them. */
#include "expr/go-text.h"
#include "expr/gotemplate-private.h"

static void write_names(const struct gt_node *n, const char *before, struct buf *out)
{
	for (uint32_t i = 0; i < n->nnames; i++) {
		(void)buf_adds(out, i ? "." : before);
		(void)buf_add(out, n->names[i].p, n->names[i].n);
	}
}

static void write_in_parens(const struct gt_node *n, struct buf *out)
{
	bool parens = n->type == GT_PIPE;

	(void)buf_adds(out, parens ? "(" : "");
	(void)gt_write(n, out);
	(void)buf_adds(out, parens ? ")" : "");
}

static void write_pipe(const struct gt_node *n, struct buf *out)
{
	for (const struct gt_node *v = n->decl; v; v = v->next) {
		(void)gt_write(v, out);
		(void)buf_adds(out, v->next ? ", " : n->assigns ? " = " : " := ");
	}
	for (const struct gt_node *c = n->first; c; c = c->next) {
		(void)gt_write(c, out);
		(void)buf_adds(out, c->next ? " | " : "");
	}
}

static void write_template(const struct gt_node *n, struct buf *out)
{
	(void)buf_adds(out, "{{template ");
	(void)go_quote(out, n->text, false);
	if (n->pipe) {
		(void)buf_addc(out, ' ');
		write_pipe(n->pipe, out);
	}
	(void)buf_adds(out, "}}");
}

int gt_write(const struct gt_node *n, struct buf *out)
{
	switch (n->type) {
	case GT_PIPE: write_pipe(n, out); break;
	case GT_COMMAND:
		for (const struct gt_node *arg = n->first; arg; arg = arg->next) {
			write_in_parens(arg, out);
			(void)buf_adds(out, arg->next ? " " : "");
		}
		break;
	case GT_CHAIN:
		write_in_parens(n->first, out);
		write_names(n, ".", out);
		break;
	case GT_FIELD: write_names(n, ".", out); break;
	case GT_VARIABLE: write_names(n, "", out); break;
	case GT_DOT: (void)buf_addc(out, '.'); break;
	case GT_NIL: (void)buf_adds(out, "nil"); break;
	case GT_TEMPLATE: write_template(n, out); break;
	case GT_ACTION:
		(void)buf_adds(out, "{{");
		write_pipe(n->pipe, out);
		(void)buf_adds(out, "}}");
		break;
	default: (void)buf_add(out, n->text.p, n->text.n); break;
	}
	return out->full ? -1 : 0;
}
