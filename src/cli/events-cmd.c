/* SPDX-License-Identifier: Apache-2.0 */
/* `teu events`: a line for each thing that happens in the engine. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "cli/cli.h"
#include "cli/cmds.h"
#include "cli/view.h"
#include "doc/doc.h"
#include "dockerclient/dockerclient.h"

#define ATTRS_MAX 256 /* more are not shown */

struct events_opts {
	struct opt_list filters;
	const char *format, *since, *until;
};

static const struct opt events_opts[] = {
	OPT(struct events_opts, LIST, filters, "filter", 'f', "Show those that match (name=value)"),
	OPT(struct events_opts, STR, format, "format", 0, "Print in this form (json, TEMPLATE)"),
	OPT(struct events_opts, STR, since, "since", 0, "From this time on (RFC 3339, or 42m ago)"),
	OPT(struct events_opts, STR, until, "until", 0, "Up to this time (RFC 3339, or 42m ago)"),
	OPT_END
};

struct listening {
	struct arena *a;
	const struct events_opts *o;
	struct template t;
	struct docker_messages messages;
};

struct attr {
	const struct doc *key, *value;
};

static int by_key(const void *a, const void *b)
{
	const struct doc *x = ((const struct attr *)a)->key, *y = ((const struct attr *)b)->key;

	return slice_cmp(doc_slice(x), doc_slice(y));
}

/* As docker prints it: attributes by name. */
static void put_event(const struct doc *e, struct buf *out)
{
	const struct doc *attrs = doc_find(e, "Actor.Attributes");
	struct attr order[ATTRS_MAX];
	size_t n;
	char stamp[CLOCK_TEXT_MAX];
	struct slice type = doc_slice(doc_get(e, "Type")), action = doc_slice(doc_get(e, "Action"));
	struct slice id = doc_slice(doc_find(e, "Actor.ID"));
	const char *sep = " (";

	buf_addf(out, "%s %.*s %.*s %.*s", clock_rfc3339full(stamp, cli_int(e, "timeNano")),
		 (int)type.n, type.p, (int)action.n, action.p, (int)id.n, id.p);
	n = MIN(doc_len(attrs), (size_t)ATTRS_MAX);
	for (size_t i = 0; i < n; i++)
		order[i] = (struct attr){ doc_key_at(attrs, i), doc_value_at(attrs, i) };
	qsort(order, n, sizeof(order[0]), by_key);
	for (size_t i = 0; i < n; i++) {
		buf_addf(out, "%s%.*s=%.*s", sep, (int)order[i].key->n, order[i].key->s,
			 (int)doc_slice(order[i].value).n, doc_slice(order[i].value).p);
		sep = ", ";
	}
	buf_adds(out, sep[0] == ',' ? ")\n" : "\n");
}

static int on_event(void *arg, const struct doc *e, struct slice line, struct err *err)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(CLI_OUT_MAX);
	struct listening *k = arg;
	int r = 0;

	if (!k->o->format) {
		put_event(e, &out);
	} else if (strcmp(k->o->format, "json") == 0) {
		buf_add(&out, line.p, line.n);
		buf_addc(&out, '\n');
	} else {
		r = template_render(&k->t, e, &out, err);
		buf_addc(&out, '\n');
	}
	return r < 0 ? r : cli_write(1, &out, err);
}

static int consume(void *arg, struct slice bytes, struct err *err)
{
	struct listening *k = arg;

	return docker_messages_feed(&k->messages, bytes, on_event, k, err);
}

static int events_run(struct cmd_call *call, struct err *err)
{
	const struct events_opts *o = call->opts;
	struct arena *a = call->arena;
	struct listening k = { .a = a, .o = o, .messages = DOCKER_MESSAGES_INIT };
	struct docker_request rq = { .consume = consume, .arg = &k };
	const char *filters, *since, *until;
	struct docker_client *c;
	int r = 0;

	if (o->format && strcmp(o->format, "json") != 0)
		r = template_parse(a, o->format, &k.t, err);
	if (r == 0)
		r = cli_filters(a, &o->filters, &filters, err);
	if (r == 0)
		r = cli_when(a, "since", o->since, &since, err);
	if (r == 0)
		r = cli_when(a, "until", o->until, &until, err);
	if (r == 0)
		r = cli_client(call, &c, err);
	if (r < 0)
		return r;
	rq.target = docker_target(a, "/events", "since", since, "until", until, "filters", filters,
				  NULL);
	r = docker_call(c, a, &rq, NULL, err);
	docker_messages_fini(&k.messages);
	return r;
}

static const char *const names[] = { "system events", NULL };

const struct cmd cmd_events = {
	.path = "events",
	.aliases = names,
	.args = "[OPTIONS]",
	.help = "Show what happens in the engine as it happens",
	.opts = events_opts,
	.opts_size = sizeof(struct events_opts),
	.max = 0,
	.flags = CMD_NEEDS_ENGINE,
	.group = CLI_SYSTEM,
	.run = events_run,
};
