/* SPDX-License-Identifier: Apache-2.0 */
/* AdmissionConfigurations: what they say of each plugin, and every way to be refused. */
#include "../doc/doc-check.h"

#include "apiserver/admission/admission-private.h"
#include "base/arena.h"
#include "base/clock.h"

#include <stdio.h>

/* ---- a reader without files ---- */

struct world {
	const char *runs;	 /* names with commas: "|PodSecurity|" */
	const char *name, *text; /* of the only file beside */
};

static int file(void *arg, const char *path, struct buf *out, struct err *err)
{
	const struct world *w = arg;

	if (!w->name || strcmp(path, w->name) != 0)
		return err_set(err, ERR_NOT_FOUND, "open '%s'", path);
	(void)buf_adds(out, w->text);
	return 0;
}

static int runs(void *arg, const char *name)
{
	static const char *const known[] = { "ImagePolicyWebhook",
					     "PodSecurity",
					     "PodNodeSelector",
					     "PodTolerationRestriction",
					     "EventRateLimit",
					     "MutatingAdmissionWebhook",
					     "ValidatingAdmissionWebhook",
					     "ResourceQuota",
					     "Priority",
					     NULL };
	const struct world *w = arg;
	char one[64];

	snprintf(one, sizeof(one), "|%s|", name);
	return !str_is_one_of(name, known) ? -1 : strstr(w->runs, one) != NULL;
}

static const char *quoted(struct arena *a, const char *text)
{
	char *s = arena_strdup(a, text);

	for (char *p = s; *p; p++)
		if (*p == '\'')
			*p = '"';
	return s;
}

static int read_it(struct arena *a, const struct world *w, const char *text,
		   struct admission_conf *ret, struct err *err)
{
	const struct admission_conf_from from = { file, runs, (void *)(uintptr_t)w };

	*err = ERR_INIT;
	if (!text)
		return admission_conf_read((struct slice){ 0 }, NULL, &from, a, ret, err);
	return admission_conf_read(slice_str(quoted(a, text)), "/etc/adm.yaml", &from, a, ret, err);
}

#define ALL                                                                                    \
	"|PodSecurity|PodNodeSelector|PodTolerationRestriction|MutatingAdmissionWebhook|Valid" \
	"atingAdmissionWebhook|ResourceQuota|Priority|"
#define V1 "{'apiVersion':'apiserver.config.k8s.io/v1','kind':'AdmissionConfiguration',"
#define ONE(name, conf) V1 "'plugins':[{'name':'" name "','configuration':" conf "}]}"
#define PODSEC(more)                                                                  \
	ONE("PodSecurity", "{'apiVersion':'pod-security.admission.config.k8s.io/v1'," \
			   "'kind':'PodSecurityConfiguration'" more "}")
#define IMAGES(more) ONE("ImagePolicyWebhook", "{'imagePolicy':{'kubeConfigFile':'/k'" more "}}")
#define EVENTS(limits)                                                          \
	ONE("EventRateLimit", "{'apiVersion':'eventratelimit.admission.k8s.io/" \
			      "v1alpha1','kind':'Configuration','limits':[" limits "]}")
#define HOOKS(name, more)                                       \
	ONE(name, "{'apiVersion':'apiserver.config.k8s.io/v1'," \
		  "'kind':'WebhookAdmissionConfiguration'" more "}")
#define QUOTA(limited)                                                            \
	ONE("ResourceQuota", "{'apiVersion':'apiserver.config.k8s.io/v1','kind':" \
			     "'ResourceQuotaConfiguration','limitedResources':[" limited "]}")
#define TOLERATIONS(more)                                                                        \
	ONE("PodTolerationRestriction", "{'apiVersion':'podtolerationrestriction.admission.k8s." \
					"io/v1alpha1','kind':'Configuration'" more "}")

/* ---- what is read ---- */

static void good(struct arena *a, const char *on, const char *text, struct admission_conf *ret)
{
	const struct world w = { on, NULL, NULL };
	struct err err;

	if (read_it(a, &w, text, ret, &err) < 0)
		fail_msg("%s: %s", text ? text : "nothing", err.msg);
}

static void without_a_file_all_is_as_upstream_has_it(void **state)
{
	struct arena *a = arena_new("t", 8u << 20);
	struct admission_conf c;

	(void)state;
	good(a, ALL, NULL, &c);
	assert_int_equal(c.podsec.enforce.level, PODSEC_PRIVILEGED);
	assert_int_equal(c.podsec.warn.minor, PODSEC_LATEST);
	assert_null(c.images.kubeconfig);
	assert_int_equal(c.nlimited + c.nevents, 0);
	assert_null(c.webhooks[0]);
	good(a, ALL, V1 "'plugins':[{'name':'ResourceQuota'},{'name':'Priority'}]}", &c);
	good(a, ALL, V1 "'plugins':null}", &c);
	arena_free(a);
}

static void pod_security_has_defaults_and_exemptions(void **state)
{
	struct arena *a = arena_new("t", 8u << 20);
	struct admission_conf c;

	(void)state;
	good(a, ALL,
	     PODSEC(",'defaults':{'enforce':'baseline','enforce-version':'v1.30','warn':"
		    "'restricted'},'exemptions':{'usernames':['jo','al'],'namespaces':['kube-"
		    "system'],'runtimeClasses':['kata']}"),
	     &c);
	assert_int_equal(c.podsec.enforce.level, PODSEC_BASELINE);
	assert_int_equal(c.podsec.enforce.minor, 30);
	assert_int_equal(c.podsec.warn.level, PODSEC_RESTRICTED);
	assert_int_equal(c.podsec.warn.minor, PODSEC_LATEST);
	assert_int_equal(c.podsec.audit.level, PODSEC_PRIVILEGED);
	assert_string_equal(c.podsec.users.v[1], "al");
	assert_string_equal(c.podsec.namespaces.v[0], "kube-system");
	assert_string_equal(c.podsec.classes.v[0], "kata");
	arena_free(a);
}

static void image_policies_have_times(void **state)
{
	struct arena *a = arena_new("t", 8u << 20);
	struct admission_conf c;

	(void)state;
	good(a, "|ImagePolicyWebhook|", IMAGES(""), &c);
	assert_string_equal(c.images.kubeconfig, "/k");
	assert_int_equal(c.images.allow_ttl, 300 * NS_PER_SEC);
	assert_int_equal(c.images.deny_ttl, 30 * NS_PER_SEC);
	assert_int_equal(c.images.back_off, 500 * NS_PER_MS);
	assert_false(c.images.fails_open);
	good(a, "|ImagePolicyWebhook|",
	     IMAGES(",'allowTTL':1800,'denyTTL':-1,'retryBackoff':1,'defaultAllow':true"), &c);
	assert_int_equal(c.images.allow_ttl, 1800 * NS_PER_SEC);
	assert_int_equal(c.images.deny_ttl, 0);
	assert_int_equal(c.images.back_off, NS_PER_MS);
	assert_true(c.images.fails_open);
	good(a, "|ImagePolicyWebhook|", IMAGES(",'retryBackoff':-1"), &c);
	assert_int_equal(c.images.back_off, 0);
	arena_free(a);
}

static void the_other_plugins_say_what_they_limit(void **state)
{
	struct arena *a = arena_new("t", 8u << 20);
	struct admission_conf c;

	(void)state;
	good(a, "|EventRateLimit|",
	     EVENTS("{'type':'Server','qps':50,'burst':100},{'type':'SourceAndObject','qps':1,"
		    "'burst':2,'cacheSize':3}"),
	     &c);
	assert_int_equal(c.nevents, 2);
	assert_int_equal(c.events[0].key, EVENT_OF_SERVER);
	assert_int_equal(c.events[0].cache, 4096);
	assert_int_equal(c.events[1].key, EVENT_OF_OBJECT);
	assert_int_equal(c.events[1].cache, 3);
	good(a, ALL,
	     QUOTA("{'apiGroup':'apps','resource':'deployments','matchContains':['count/']},"
		   "{'resource':'pods','matchScopes':[{'scopeName':'PriorityClass','operator':"
		   "'In','values':['high']}]}"),
	     &c);
	assert_int_equal(c.nlimited, 2);
	assert_string_equal(c.limited[0].group, "apps");
	assert_string_equal(c.limited[0].contains.v[0], "count/");
	assert_string_equal(c.limited[1].group, "");
	assert_int_equal(doc_len(c.limited[1].scopes), 1);
	good(a, ALL,
	     ONE("ResourceQuota", "{'apiVersion':'resourcequota.admission.k8s.io/v1beta1','kind':"
				  "'Configuration'}"),
	     &c);
	good(a, ALL, TOLERATIONS(",'default':[{'key':'a','operator':'Exists'}],'whitelist':[]"),
	     &c);
	assert_int_equal(doc_len(c.tolerations), 1);
	assert_int_equal(doc_len(c.tolerated), 0);
	good(a, ALL, HOOKS("ValidatingAdmissionWebhook", ",'kubeConfigFile':'/v'"), &c);
	assert_string_equal(c.webhooks[0], "/v");
	assert_null(c.webhooks[1]);
	good(a, ALL, HOOKS("MutatingAdmissionWebhook", ""), &c);
	assert_null(c.webhooks[1]);
	good(a, ALL,
	     ONE("PodNodeSelector", "{'podNodeSelectorPluginConfig':{'clusterDefaultNodeSelector':"
				    "'a=b, c = d','n1':''}}"),
	     &c);
	assert_string_equal(str_map_get(&c.node_selectors, "n1"), "");
	arena_free(a);
}

static void files_lie_beside_the_first(void **state)
{
	struct world w = { ALL, "/etc/ps.yaml",
			   "apiVersion: pod-security.admission.config.k8s.io/v1beta1\nkind: "
			   "PodSecurityConfiguration\ndefaults: {audit: baseline}\n" };
	struct arena *a = arena_new("t", 8u << 20);
	struct admission_conf c;
	struct err err;

	(void)state;
	assert_int_equal(read_it(a, &w,
				 "apiVersion: apiserver.k8s.io/v1alpha1\nkind: "
				 "AdmissionConfiguration\nplugins:\n- name: PodSecurity\n  path: "
				 "ps.yaml\n",
				 &c, &err),
			 0);
	assert_int_equal(c.podsec.audit.level, PODSEC_BASELINE);
	assert_int_equal(read_it(a, &w,
				 V1 "'plugins':[{'name':'PodSecurity','path':'/etc/ps.yaml'}]}", &c,
				 &err),
			 0);
	assert_true(read_it(a, &w, V1 "'plugins':[{'name':'PodSecurity','path':'sub/x'}]}", &c,
			    &err) < 0);
	assert_non_null(strstr(err.msg, "PodSecurity: open '/etc/sub/x'"));
	w.text = "{a";
	assert_true(read_it(a, &w, V1 "'plugins':[{'name':'PodSecurity','path':'ps.yaml'}]}", &c,
			    &err) < 0);
	assert_non_null(strstr(err.msg, "PodSecurity: '/etc/ps.yaml': line"));
	arena_free(a);
}

static void what_does_not_run_is_not_looked_at(void **state)
{
	struct arena *a = arena_new("t", 8u << 20);
	struct admission_conf c;

	(void)state;
	good(a, "|PodSecurity|",
	     V1 "'plugins':[{'name':'EventRateLimit','path':'nowhere'},{'name':'PodNodeSelector',"
		"'configuration':{'nonsense':1}}]}",
	     &c);
	assert_int_equal(c.nevents, 0);
	arena_free(a);
}

static void files_of_the_time_before_versions_are_read(void **state)
{
	static const char text[] = "{'imagePolicy':{'kubeConfigFile':'/k'},"
				   "'podNodeSelectorPluginConfig':{'n1':'a=b'}}";
	struct arena *a = arena_new("t", 8u << 20);
	struct admission_conf c;

	(void)state;
	good(a, "|ImagePolicyWebhook|PodNodeSelector|", text, &c);
	assert_string_equal(c.images.kubeconfig, "/k");
	assert_string_equal(str_map_get(&c.node_selectors, "n1"), "a=b");
	good(a, "|PodNodeSelector|", text, &c);
	assert_null(c.images.kubeconfig);
	arena_free(a);
}

/* ---- what is refused ---- */

static void everything_that_is_wrong_is_told(void **state)
{
	static const struct {
		const char *runs, *text, *says;
	} rows[] = {
		{ ALL, "", "must be an object" },
		{ ALL, "[]", "must be an object" },
		{ ALL, "{}", "Object 'Kind' is missing" },
		{ ALL, "a: b: c", "line 1" },
		{ ALL, "{'kind':'AdmissionConfiguration'}", "Object 'apiVersion' is missing" },
		{ ALL, "{'kind':'AdmissionConfiguration','apiVersion':'v1'}",
		  "no kind \"AdmissionConfiguration\" is registered for version \"v1\"" },
		{ ALL,
		  "{'kind':'AdmissionConfiguration','apiVersion':'apiserver.config.k8s.io/"
		  "v1alpha1'}",
		  "is registered for version \"apiserver.config.k8s.io/v1alpha1\"" },
		{ ALL, "{'kind':'Pod','apiVersion':'apiserver.config.k8s.io/v1'}",
		  "no kind \"Pod\"" },
		{ ALL, "{'imagePolicy':{},'other':{}}", "Object 'Kind' is missing" },
		{ ALL, V1 "'plugin':[]}", "strict decoding error: unknown field \"plugin\"" },
		{ ALL, V1 "'plugins':[{'name':'Priority','foo':1}]}",
		  "strict decoding error: unknown field \"plugins[0].foo\"" },
		{ ALL, V1 "'plugins':[{'name':'Priority','name':'Priority'}]}",
		  "key \"name\" already set in map" },
		{ ALL, V1 "'plugins':{}}", "plugins: must be a list" },
		{ ALL, V1 "'plugins':[{}]}", "plugins[0].name" },
		{ ALL, V1 "'plugins':[{'name':''}]}", "plugins[0].name" },
		{ ALL, V1 "'plugins':[{'name':7}]}", "plugins[0].name" },
		{ ALL, V1 "'plugins':[null]}", "plugins[0].name: Required value" },
		{ ALL, V1 "'plugins':[{'name':'Bogus'}]}", "unknown admission plugin: Bogus" },
		{ ALL, V1 "'plugins':[{'name':'Priority'},{'name':'Priority'}]}",
		  "plugins[1].name: Duplicate value: \"Priority\"" },
		{ ALL, V1 "'plugins':[{'name':'PodSecurity','path':'x','configuration':{}}]}",
		  "either path or configuration" },
		{ ALL, ONE("Priority", "{}"), "\"Priority\": it takes no configuration" },
		/* PodSecurity */
		{ ALL, ONE("PodSecurity", "{}"),
		  "couldn't init admission plugin \"PodSecurity\": Object 'Kind' is missing" },
		{ ALL, ONE("PodSecurity", "[]"), "\"PodSecurity\": must be an object" },
		{ ALL,
		  ONE("PodSecurity", "{'apiVersion':'pod-security.admission.config.k8s.io/v2',"
				     "'kind':'PodSecurityConfiguration'}"),
		  "no kind \"PodSecurityConfiguration\" is registered" },
		{ ALL, PODSEC(",'default':{}"),
		  "strict decoding error: unknown field \"default\"" },
		{ ALL, PODSEC(",'defaults':{'enforced':'baseline'}"),
		  "unknown field \"defaults.enforced\"" },
		{ ALL, PODSEC(",'defaults':{'enforce':'x'}"),
		  "defaults.enforce: Invalid value: \"x\": must be one of privileged, baseline, "
		  "restricted" },
		{ ALL, PODSEC(",'defaults':{'warn-version':'1.2'}"),
		  "defaults.warn-version: Invalid value: \"1.2\": must be \"latest\" or \"v1.x\"" },
		{ ALL, PODSEC(",'defaults':{'audit':'x','audit-version':'y'}"),
		  "[defaults.audit: Invalid value: \"x\": must be one of privileged, baseline, "
		  "restricted, defaults.audit-version: " },
		{ ALL, PODSEC(",'exemptions':{'namespaces':['A']}"),
		  "exemptions.namespaces[0]: Invalid value: \"A\": " },
		{ ALL, PODSEC(",'exemptions':{'namespaces':['a','b','a']}"),
		  "exemptions.namespaces[2]: Duplicate value: \"a\"" },
		{ ALL, PODSEC(",'exemptions':{'runtimeClasses':['a_b']}"),
		  "exemptions.runtimeClasses[0]: Invalid value: \"a_b\"" },
		{ ALL, PODSEC(",'exemptions':{'usernames':['']}"),
		  "exemptions.usernames[0]: Invalid value: \"\": username must not be empty" },
		{ ALL, PODSEC(",'exemptions':{'usernames':[null]}"), "username must not be empty" },
		{ ALL, PODSEC(",'exemptions':{'usernames':['a','a']}"), "Duplicate value: \"a\"" },
		{ ALL, PODSEC(",'exemptions':{'usernames':'a'}"), "exemptions.usernames" },
		/* ImagePolicyWebhook */
		{ "|ImagePolicyWebhook|", NULL,
		  "couldn't init admission plugin \"ImagePolicyWebhook\": no config specified" },
		{ "|ImagePolicyWebhook|", V1 "'plugins':[{'name':'ImagePolicyWebhook'}]}",
		  "no config specified" },
		{ "|ImagePolicyWebhook|", ONE("ImagePolicyWebhook", "{}"), "imagePolicy" },
		{ "|ImagePolicyWebhook|", ONE("ImagePolicyWebhook", "{'imagePolicy':{}}"),
		  "kubeConfigFile" },
		{ "|ImagePolicyWebhook|",
		  ONE("ImagePolicyWebhook", "{'imagePolicy':{'kubeConfigFile':'k'}}"),
		  "kubeConfigFile: 'k' is not an absolute path" },
		{ "|ImagePolicyWebhook|", IMAGES(",'allowTtl':1"), "unknown field" },
		{ "|ImagePolicyWebhook|", IMAGES(",'allowTTL':'5s'"), "allowTTL" },
		{ "|ImagePolicyWebhook|", IMAGES(",'allowTTL':1801"),
		  "imagePolicy.allowTTL: valid value is between 1s and 30m0s, got 1801s" },
		{ "|ImagePolicyWebhook|", IMAGES(",'denyTTL':-2"),
		  "imagePolicy.denyTTL: valid value is between 1s and 30m0s, got -2s" },
		{ "|ImagePolicyWebhook|", IMAGES(",'retryBackoff':300001"),
		  "imagePolicy.retryBackoff: valid value is between 1ns and 5m0s, got 300001ms" },
		{ "|ImagePolicyWebhook|", IMAGES(",'retryBackoff':9223372036854775807"),
		  "imagePolicy.retryBackoff" },
		/* EventRateLimit */
		{ "|EventRateLimit|", NULL, "limits: Invalid value: null: must not be empty" },
		{ "|EventRateLimit|", EVENTS(""),
		  "limits: Invalid value: null: must not be empty" },
		{ "|EventRateLimit|", EVENTS("{'type':'X','qps':1,'burst':1}"),
		  "limits[0].type: Unsupported value: \"X\": supported values: " },
		{ "|EventRateLimit|", EVENTS("{'type':'User'}"),
		  "[limits[0].burst: Invalid value: 0: must be positive, limits[0].qps: Invalid "
		  "value: 0: must be positive]" },
		{ "|EventRateLimit|", EVENTS("{'type':'User','qps':1,'burst':1,'cacheSize':-1}"),
		  "limits[0].cacheSize: Invalid value: -1: must not be negative" },
		{ "|EventRateLimit|", EVENTS("{'type':'User','qps':1,'burst':1,'x':1}"),
		  "unknown field \"limits[0].x\"" },
		/* PodNodeSelector */
		{ ALL, ONE("PodNodeSelector", "{}"), "podNodeSelectorPluginConfig" },
		{ ALL, ONE("PodNodeSelector", "{'podNodeSelectorPluginConfig':{'a':'b'}}"),
		  "podNodeSelectorPluginConfig.a: invalid selector: [b]" },
		{ ALL, ONE("PodNodeSelector", "{'podNodeSelectorPluginConfig':{'a':'b=c=d'}}"),
		  "invalid selector" },
		{ ALL, ONE("PodNodeSelector", "{'podNodeSelectorPluginConfig':{'a':'b=c,'}}"),
		  "invalid selector: []" },
		{ ALL, ONE("PodNodeSelector", "{'podNodeSelectorPluginConfig':{'a':'b c=d'}}"),
		  "Invalid value: \"b c\"" },
		{ ALL, ONE("PodNodeSelector", "{'podNodeSelectorPluginConfig':{'a':'b=-'}}"),
		  "Invalid value: \"-\"" },
		{ ALL, ONE("PodNodeSelector", "{'podNodeSelectorPluginConfig':{'a':1}}"),
		  "podNodeSelectorPluginConfig" },
		/* PodTolerationRestriction */
		{ ALL, TOLERATIONS(",'defaults':[]"), "unknown field \"defaults\"" },
		{ ALL, TOLERATIONS(",'default':[{'keys':'a'}]"),
		  "unknown field \"default[0].keys\"" },
		{ ALL, TOLERATIONS(",'whitelist':[{'key':'a','operator':'Maybe'}]"),
		  "invalid config: podtolerationrestriction.whitelist[0].operator: Unsupported "
		  "value: \"Maybe\"" },
		/* webhooks */
		{ ALL, HOOKS("MutatingAdmissionWebhook", ",'kubeConfigFile':'k'"),
		  "kubeConfigFile: Invalid value: \"k\": must be an absolute file path" },
		{ ALL, HOOKS("MutatingAdmissionWebhook", ",'kubeconfigFile':'/k'"),
		  "unknown field" },
		{ ALL, HOOKS("ValidatingAdmissionWebhook", ",'staticManifestsDir':'/d'"),
		  "staticManifestsDir: it belongs to a feature that is off by default" },
		{ ALL,
		  ONE("MutatingAdmissionWebhook",
		      "{'apiVersion':'apiserver.config.k8s.io/v1alpha1',"
		      "'kind':'WebhookAdmission'}"),
		  "no kind \"WebhookAdmission\" is registered" },
		/* ResourceQuota */
		{ ALL, QUOTA("null"), "limitedResources[0].resource: Required value" },
		{ ALL, QUOTA("{}"), "limitedResources[0].resource: Required value" },
		{ ALL, QUOTA("{'resource':'pods','contains':['x']}"),
		  "unknown field \"limitedResources[0].contains\"" },
		{ ALL,
		  QUOTA("{'resource':'pods','matchScopes':[{'scopeName':'X','operator':'In'}]}"),
		  "limitedResources[0].matchScopes[0].scopeName" },
		{ ALL,
		  QUOTA("{'resource':'pods','matchScopes':[{'scopeName':'BestEffort','operator':"
			"'Is'}]}"),
		  "limitedResources[0].matchScopes[0].operator" },
		{ ALL,
		  ONE("ResourceQuota",
		      "{'apiVersion':'resourcequota.admission.k8s.io/v1beta1','kind':"
		      "'ResourceQuotaConfiguration'}"),
		  "no kind \"ResourceQuotaConfiguration\" is registered" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena *a = arena_new("t", 8u << 20);
		const struct world w = { rows[i].runs, NULL, NULL };
		struct admission_conf c;
		struct err err;
		const int r = read_it(a, &w, rows[i].text, &c, &err);

		if (r >= 0 || !strstr(err.msg, rows[i].says))
			fail_msg("%s: %d '%s', wanted '%s'",
				 rows[i].text ? rows[i].text : "nothing", r, err.msg, rows[i].says);
		arena_free(a);
	}
}

/* ---- buckets of Events ---- */

static void buckets_fill_with_time(void **state)
{
	static const struct event_limit conf[] = { { EVENT_OF_USER, 2, 3, 2 } };
	struct event_limits *e = event_limits_new(conf, 1);
	int64_t t = NS_PER_SEC;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(event_limits_take(e, 0, "a", t));
	assert_false(event_limits_take(e, 0, "a", t));
	assert_true(event_limits_take(e, 0, "b", t)); /* of somebody else */
	t += NS_PER_SEC / 2;
	assert_true(event_limits_take(e, 0, "a", t));
	assert_false(event_limits_take(e, 0, "a", t));
	t += 3600 * NS_PER_SEC; /* never more than the burst */
	for (int i = 0; i < 3; i++)
		assert_true(event_limits_take(e, 0, "a", t));
	assert_false(event_limits_take(e, 0, "a", t));
	/* of three the one used longest ago is forgotten, and full again */
	assert_true(event_limits_take(e, 0, "b", t));
	assert_true(event_limits_take(e, 0, "c", t));
	assert_true(event_limits_take(e, 0, "a", t));
	event_limits_free(e);
}

/* ---- what an image policy answers ---- */

#define REVIEW(status) \
	"{'kind':'ImageReview','apiVersion':'imagepolicy.k8s.io/v1alpha1','status':" status "}"

static void only_an_image_review_is_an_answer(void **state)
{
	static const struct {
		const char *body;
		int want;
	} rows[] = {
		{ REVIEW("{'allowed':true}"), 1 },
		{ "{'status':{'allowed':true}}", 1 },
		{ REVIEW("{'allowed':true,'reason':null,'auditAnnotations':{'a':'b'}}"), 1 },
		{ REVIEW("{'allowed':false,'reason':'no'}"), 0 },
		{ REVIEW("{}"), 0 },
		{ REVIEW("null"), 0 },
		{ "{}", 0 },
		{ REVIEW("{'allowed':'true'}"), -ERR_INVALID },
		{ REVIEW("{'allowed':1}"), -ERR_INVALID },
		{ REVIEW("[]"), -ERR_INVALID },
		{ REVIEW("{'allowed':true,'reason':7}"), -ERR_INVALID },
		{ REVIEW("{'allowed':true,'auditAnnotations':{'a':1}}"), -ERR_INVALID },
		{ REVIEW("{'allowed':true,'auditAnnotations':[]}"), -ERR_INVALID },
		{ "{'kind':'Status','apiVersion':'v1','status':'Success'}", -ERR_INVALID },
		{ "{'kind':'ImageReview','apiVersion':'imagepolicy.k8s.io/v1','status':{'allowed':"
		  "true}}",
		  -ERR_INVALID },
		{ "{'kind':'SubjectAccessReview','status':{'allowed':true}}", -ERR_INVALID },
		{ "[{'status':{'allowed':true}}]", -ERR_INVALID },
		{ "true", -ERR_INVALID },
		{ "<html>", -ERR_INVALID },
		{ "", -ERR_INVALID },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(buf_fini) struct buf out = BUF_INIT(4096);
		struct arena *a = arena_new("t", 1u << 20);
		struct err err = ERR_INIT;
		const int r = image_policy_read(slice_str(quoted(a, rows[i].body)), &out, &err);

		if (r != rows[i].want)
			fail_msg("%s: %d", rows[i].body, r);
		assert_true(r >= 0 || err.msg[0]);
		arena_free(a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_file_all_is_as_upstream_has_it),
		cmocka_unit_test(pod_security_has_defaults_and_exemptions),
		cmocka_unit_test(image_policies_have_times),
		cmocka_unit_test(the_other_plugins_say_what_they_limit),
		cmocka_unit_test(files_lie_beside_the_first),
		cmocka_unit_test(what_does_not_run_is_not_looked_at),
		cmocka_unit_test(files_of_the_time_before_versions_are_read),
		cmocka_unit_test(everything_that_is_wrong_is_told),
		cmocka_unit_test(buckets_fill_with_time),
		cmocka_unit_test(only_an_image_review_is_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
