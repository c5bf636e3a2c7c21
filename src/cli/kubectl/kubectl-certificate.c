/* SPDX-License-Identifier: Apache-2.0 */
/* `kubectl certificate approve` and `deny`: a condition on requests for certificates. */
#include "cli/kubectl/kubectl.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "cli/kubectl/kubectl-cmds.h"
#include "doc/doc.h"

#define TRIES 10 /* somebody else may change it meanwhile */

struct certificate_opts {
	struct kubectl_files files;
	const char *output, *template;
	bool force, managed, missing_ok, missing_given;
};
static const struct opt certificate_opts[] = {
	OPT_SEEN_AT(struct certificate_opts, BOOL, missing_ok, missing_given,
		    "allow-missing-template-keys", 0,
		    "What is not there is nothing in templates (default true)"),
	OPT(struct certificate_opts, LIST, files.names, "filename", 'f',
	    "Requests that are in this file"),
	OPT(struct certificate_opts, BOOL, force, "force", 0, "Send it also when it is so already"),
	OPT_NOT_SUPPORTED(STR, "kustomize", 'k', "there is no kustomize in teu kubectl yet"),
	OPT(struct certificate_opts, STR, output, "output", 'o', "json, yaml, name, jsonpath=..."),
	OPT(struct certificate_opts, BOOL, files.recursive, "recursive", 'R',
	    "Folders of --filename with those in them"),
	OPT(struct certificate_opts, BOOL, managed, "show-managed-fields", 0,
	    "Keep managedFields in json and yaml"),
	OPT(struct certificate_opts, STR, template, "template", 0, "Template of -o jsonpath"),
	OPT_END
};

struct verdict {
	const char *type, *other, *reason, *message, *done;
};
static const struct verdict approval = { "Approved", "Denied", "KubectlApprove",
					 "This CSR was approved by kubectl certificate approve.",
					 "approved" };
static const struct verdict denial = { "Denied", "Approved", "KubectlDeny",
				       "This CSR was denied by kubectl certificate deny.",
				       "denied" };

/* 1: it is so already. */
static int add_condition(struct kubectl *k, struct doc *csr, const struct verdict *v,
			 struct err *err)
{
	struct arena *a = k->arena;
	struct doc *status = doc_get(csr, "status"), *list, *c;
	char now[CLOCK_TEXT_MAX];

	DOC_EACH (e, doc_get(status, "conditions")) {
		if (doc_str_is(doc_get(e, "type"), v->other))
			return err_set(err, ERR_CONFLICT,
				       "certificate signing request \"%s\" is already %s",
				       kubectl_text(k, csr, "metadata.name"), v->other);
		if (doc_str_is(doc_get(e, "type"), v->type))
			return 1;
	}
	if (!doc_is(status, DOC_OBJECT))
		status = doc_set_object(a, csr, "status");
	list = doc_get(status, "conditions");
	if (!doc_is(list, DOC_ARRAY))
		list = doc_set_array(a, status, "conditions");
	c = doc_append_object(a, list);
	clock_rfc3339nano(now, clock_real() / NS_PER_SEC * NS_PER_SEC);
	doc_set_str(a, c, "type", v->type);
	doc_set_str(a, c, "status", "True");
	doc_set_str(a, c, "reason", v->reason);
	doc_set_str(a, c, "message", v->message);
	doc_set_str(a, c, "lastUpdateTime", now);
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

static int judge(struct kubectl *k, const struct kubectl_item *it, const struct verdict *v,
		 bool force, struct doc **ret, struct err *err)
{
	for (int i = 0;; i++) {
		struct kubectl_send get = { 0 }, put = { .method = "PUT", .sub = "approval" };
		struct doc *csr, *answer;
		int r = kubectl_send(k, it, &get, &csr, err);

		if (r < 0)
			return r;
		*ret = doc_copy_shared(k->arena, csr); /* as it was is what is printed */
		r = add_condition(k, csr, v, err);
		if (r < 0 || (r == 1 && !force))
			return r < 0 ? r : 0;
		put.body = csr;
		r = kubectl_send(k, it, &put, &answer, err);
		if (r != -ERR_CONFLICT || !client_failure(k->client) || i == TRIES)
			return r;
		*err = ERR_INIT;
	}
}

static int items_of(struct cmd_call *call, struct kubectl_items *ret, struct err *err)
{
	const struct certificate_opts *o = call->opts;
	struct kubectl *k = kubectl_of(call);
	const struct resource *res;
	struct kubectl_items out;
	int r = kubectl_read_files(k, &o->files, ret, err);

	if (r == 0)
		r = kubectl_find_kind(k, "certificates.k8s.io/v1", "CertificateSigningRequest",
				      &res, err);
	if (r < 0)
		return r;
	out = (struct kubectl_items){ .v = ARENA_ARRAY(k->arena, struct kubectl_item,
						       ret->n + call->nargs + 1) };
	if (!out.v)
		return arena_quota(k->arena, err);
	for (size_t i = 0; i < ret->n; i++) {
		if (ret->v[i].res != res)
			return err_set(err, ERR_INVALID,
				       "can only handle CertificateSigningRequest.certificates."
				       "k8s.io objects, got %s%s%s",
				       ret->v[i].res->kind, *ret->v[i].res->group ? "." : "",
				       ret->v[i].res->group);
		out.v[out.n++] = ret->v[i];
	}
	for (size_t i = 0; i < call->nargs; i++)
		out.v[out.n++] = (struct kubectl_item){ .res = res, .name = call->args[i] };
	*ret = out;
	return 0;
}

static int run(struct cmd_call *call, const struct verdict *v, struct err *err)
{
	const struct certificate_opts *o = call->opts;
	struct kubectl *k = kubectl_of(call);
	struct kubectl_print print;
	struct kubectl_items items;
	int r;

	if (!call->nargs && !o->files.names.n)
		return err_set(err, ERR_BAD_REQUEST,
			       "one or more CSRs must be specified as <name> or -f <filename>");
	r = kubectl_print_init(&print, k, o->output, o->template, err);
	print.managed = o->managed;
	print.missing_ok = !o->missing_given || o->missing_ok;
	if (r == 0)
		r = items_of(call, &items, err);
	for (size_t i = 0; r == 0 && i < items.n; i++) {
		struct doc *was;

		if (judge(k, &items.v[i], v, o->force, &was, err) < 0) {
			kubectl_note(k, err);
			*err = ERR_INIT;
			continue;
		}
		r = kubectl_done(&print, was, v->done, DRY_NONE, err);
	}
	if (r == 0 && !items.n)
		buf_adds(&k->out, "No resources found\n");
	return r;
}

static int approve_run(struct cmd_call *call, struct err *err)
{
	return run(call, &approval, err);
}

static int deny_run(struct cmd_call *call, struct err *err)
{
	return run(call, &denial, err);
}

const struct cmd kubectl_certificate_approve = {
	.path = "certificate approve",
	.args = "[OPTIONS] NAME... | -f FILE",
	.help = "Approve requests for certificates: they may be signed",
	.opts = certificate_opts,
	.opts_size = sizeof(struct certificate_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_CLUSTER,
	.run = approve_run,
};

const struct cmd kubectl_certificate_deny = {
	.path = "certificate deny",
	.args = "[OPTIONS] NAME... | -f FILE",
	.help = "Deny requests for certificates",
	.opts = certificate_opts,
	.opts_size = sizeof(struct certificate_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_CLUSTER,
	.run = deny_run,
};
