/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole server with admission plugins. Texts of objects have ' for ".
 */
#pragma once

#include "apiserver/admission/admission.h"
#include "rest-fix.h"

static inline const char *quoted(const char *text)
{
	static char out[32768];

	snprintf(out, sizeof(out), "%s", text);
	for (char *p = out; *p; p++)
		if (*p == '\'')
			*p = '"';
	return out;
}

/* Nobody makes accounts here: what looks for them runs only when it is named. */
static inline void afix_open_with(struct rfix *x, struct admission_flags f)
{
	bool accounts = f.enable && strstr(f.enable, "ServiceAccount");
	struct admission *ad = NULL;
	struct err err = ERR_INIT;
	char off[256];

	snprintf(off, sizeof(off), "%s%s%s", f.disable ? f.disable : "",
		 f.disable && !accounts ? "," : "", accounts ? "" : "ServiceAccount");
	f.disable = *off ? off : NULL;
	if (admission_new(&f, &ad, &err) < 0 || admission_begin(ad, x->f->loop, &err) < 0)
		fail_msg("%s", err.msg);
	rest_close(x);
	admission_free((struct admission *)(uintptr_t)x->conf.admission);
	x->conf.admission = ad;
	rest_open(x);
}

static inline void afix_open(struct rfix *x, const char *enable, const char *disable)
{
	afix_open_with(x, (struct admission_flags){ .enable = enable, .disable = disable });
}

/* With a configuration, which is a text with ' for ". */
static inline void afix_configure(struct rfix *x, const char *enable, const char *config)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/admission.yaml", x->f->dir);
	config = quoted(config);
	assert_int_equal(fd_replace_file(AT_FDCWD, path, config, strlen(config), 0600, NULL), 0);
	snprintf(path, sizeof(path), "%s/admission.yaml", x->f->dir);
	afix_open_with(x, (struct admission_flags){ .enable = enable, .config = path });
}
#define ACONF(plugins)                                                                \
	"{'apiVersion':'apiserver.config.k8s.io/v1','kind':'AdmissionConfiguration'," \
	"'plugins':[" plugins "]}"

static inline int afix_setup(void **state)
{
	int r = rest_setup(state);

	afix_open(*state, NULL, NULL);
	make_namespace(*state, "n1");
	return r;
}

static inline int afix_teardown(void **state)
{
	struct rfix *x = *state;
	struct admission *ad = (struct admission *)(uintptr_t)x->conf.admission;
	int r = rest_teardown(state);

	admission_free(ad);
	return r;
}

#define ACASE(f) cmocka_unit_test_setup_teardown(f, afix_setup, afix_teardown)

static inline void apost(struct rfix *x, const char *path, const char *body, int code)
{
	(void)post(x, path, quoted(body));
	assert_code(x, code);
}

static inline void aput(struct rfix *x, const char *path, const char *body, int code)
{
	(void)ask(x, "PUT", path, ADMIN JSON, quoted(body));
	assert_code(x, code);
}

static inline void amerge(struct rfix *x, const char *path, const char *body, int code)
{
	(void)ask(x, "PATCH", path, ADMIN "Content-Type: application/merge-patch+json\r\n",
		  quoted(body));
	assert_code(x, code);
}

/* Parts of what was answered, with ' for ". */
static inline void ahas(struct rfix *x, const char *part)
{
	assert_has(x, quoted(part));
}

static inline void ahasnt(struct rfix *x, const char *part)
{
	assert_hasnt(x, quoted(part));
}

static inline void arefused(struct rfix *x, const char *part)
{
	assert_status(x, 403, "Forbidden", part);
}

static inline void awarned(struct rfix *x, const char *part)
{
	const char *h = header_of(x, "Warning");

	if (!h || !strstr(h, part))
		fail_msg("no warning '%s' but: %s", part, h ? h : "none");
}

#define PODS "/api/v1/namespaces/n1/pods"
#define CLAIMS "/api/v1/namespaces/n1/persistentvolumeclaims"
#define APOD(name, spec) \
	"{'apiVersion':'v1','kind':'Pod','metadata':{'name':'" name "'},'spec':{" spec "}}"
#define C1 "'containers':[{'name':'c','image':'i'}]"
