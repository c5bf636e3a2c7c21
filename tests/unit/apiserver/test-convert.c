/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Custom objects whose versions a webhook converts, through the whole server: reads, writes,
 * lists, watches; webhooks that are slow, fail, lie. v1 has spec.host "a:1", v2 spec.host "a" and
 * spec.port "1". Texts have ' for ".
 */
#include "webhook-fix.h"

#include "apiserver/crd-controller.h"

#define CRDS "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
#define V1 "/apis/example.com/v1/namespaces/n1/sites"
#define V2 "/apis/example.com/v2/namespaces/n1/sites"

static struct crd_controller *crds;
static unsigned objects_asked; /* in all ConversionReviews */
/* With a default in a schema the cache looks at every object anew. */
#define SEEN "'seen':{'type':'string','default':'no'},"
static const char *seen = SEEN;

/* ---- the converter ---- */

static void convert_spec(struct arena *a, struct doc *o, bool to_v2)
{
	struct doc *spec = doc_get(o, "spec");
	const char *host = doc_cstr(a, doc_get(spec, "host")),
		   *port = doc_cstr(a, doc_get(spec, "port")),
		   *colon = host ? strchr(host, ':') : NULL;

	if (to_v2 && colon) {
		doc_set_strn(a, spec, "host", host, (size_t)(colon - host));
		doc_set_str(a, spec, "port", colon + 1);
	} else if (!to_v2 && host && port) {
		doc_set_strf(a, spec, "host", "%s:%s", host, port);
		(void)doc_remove(spec, "port");
	}
}

static void lie(struct arena *a, const char *path, struct doc *review, struct doc *list)
{
	struct doc *first = doc_at(list, 0);

	if (strcmp(path, "/convert-uid") == 0)
		doc_set_str(a, doc_get(review, "response"), "uid", "another");
	else if (strcmp(path, "/convert-fewer") == 0)
		(void)doc_remove_at(list, 0);
	else if (strcmp(path, "/convert-name") == 0)
		doc_set_str(a, doc_get(first, "metadata"), "name", "liar");
	else if (strcmp(path, "/convert-labels") == 0)
		doc_set_str(a, doc_set_object(a, doc_get(first, "metadata"), "labels"), "by",
			    "hook");
}

static void site_convert(struct stream *s, const char *path, struct slice body)
{
	CLEANUP(arena_free) struct arena *a = arena_new("hook", 64u << 20);
	struct doc *d, *out = doc_new_object(a), *response, *list;
	const char *to;
	struct slice text;

	assert_int_equal(json_read(a, body, NULL, &d, NULL), 0);
	to = doc_cstr(a, doc_find(d, "request.desiredAPIVersion"));
	if (strcmp(path, "/convert-slow") == 0) {
		the_hook->held++;
		stream_on(s, &hook_slow_events, NULL);
		return;
	}
	if (strcmp(path, "/convert-huge") == 0) {
		hook_huge(s);
		return;
	}
	if (strcmp(path, "/convert-500") == 0) {
		(void)stream_reply(s, 500, "text/plain", "oh", 2);
		return;
	}
	doc_set_str(a, out, "kind", "ConversionReview");
	doc_set_str(a, out, "apiVersion", "apiextensions.k8s.io/v1");
	response = doc_set_object(a, out, "response");
	doc_set(a, response, "uid", *doc_find(d, "request.uid"));
	doc_set_str(a, doc_set_object(a, response, "result"), "status",
		    strcmp(path, "/convert-fail") == 0 ? "Failure" : "Success");
	list = doc_set_array(a, response, "convertedObjects");
	DOC_EACH (o, doc_find(d, "request.objects")) {
		struct doc *copy = doc_append(a, list, *o);

		objects_asked++;
		doc_set_str(a, copy, "apiVersion", to);
		convert_spec(a, copy, strstr(to, "v2") != NULL);
	}
	lie(a, path, out, list);
	assert_int_equal(json_print(a, out, NULL, &text, NULL), 0);
	(void)stream_reply(s, 200, "application/json", text.p, text.n);
}

/* ---- the definition ---- */

#define VERSION(name, storage, props)                                                           \
	"{'name':'" name "','served':true,'storage':" storage                                   \
	",'schema':{'openAPIV3Schema':{'type':'object','properties':{'spec':{'type':'object',"  \
	"'properties':{'host':{'type':'string'},'replicas':{'type':'integer'}" props            \
	"}},'status':{'type':'object','properties':{'up':{'type':'string'},%s'replicas':{"      \
	"'type':'integer'}}}}}},'subresources':{'status':{},'scale':{'specReplicasPath':"       \
	"'.spec.replicas','statusReplicasPath':'.status.replicas'}},"                           \
	"'additionalPrinterColumns':[{'name':'Host','type':'string','jsonPath':'.spec.host'}]," \
	"'selectableFields':[{'jsonPath':'.spec.host'}]}"

static const char *conversion(struct wfix *f, const char *path)
{
	static char out[8192];

	snprintf(out, sizeof(out),
		 "{'strategy':'Webhook','webhook':{'conversionReviewVersions':['v1'],"
		 "'clientConfig':{'service':{'namespace':'n1','name':'hook','path':'%s'},"
		 "'caBundle':'%s'}}}",
		 path, f->ca);
	return out;
}

static void until_idle(struct wfix *f)
{
	const int64_t end = clock_mono() + 20 * NS_PER_SEC;

	while (!crd_controller_idle(crds)) {
		assert_true(clock_mono() < end);
		assert_true(loop_step(f->x->f->loop, NS_PER_SEC / 10, NULL) >= 0);
	}
}

static void define(struct wfix *f, const char *path)
{
	struct buf b = BUF_INIT(65536);

	(void)buf_addf(&b,
		       "{'apiVersion':'apiextensions.k8s.io/v1','kind':'CustomResourceDefinition',"
		       "'metadata':{'name':'sites.example.com'},'spec':{'group':'example.com',"
		       "'scope':'Namespaced','names':{'plural':'sites','kind':'Site'},"
		       "'conversion':%s,'versions':[" VERSION("v1", "true", "") "," VERSION(
			       "v2", "false", ",'port':{'type':'string'}") "]}}",
		       conversion(f, path), seen, seen);
	apost(f->x, CRDS, buf_str(&b), 201);
	buf_fini(&b);
	until_idle(f);
	assert_int_equal(get(f->x, V1), 200);
}

static void convert_by(struct wfix *f, const char *path)
{
	char body[9000];

	snprintf(body, sizeof(body), "{'spec':{'conversion':%s}}", conversion(f, path));
	amerge(f->x, CRDS "/sites.example.com", body, 200);
	until_idle(f);
}

/* v2 is what is stored from now on. */
static void store_v2(struct wfix *f)
{
	struct buf b = BUF_INIT(65536);

	(void)buf_addf(&b,
		       "{'spec':{'versions':[" VERSION("v1", "false", "") "," VERSION(
			       "v2", "true", ",'port':{'type':'string'}") "]}}",
		       seen, seen);
	amerge(f->x, CRDS "/sites.example.com", buf_str(&b), 200);
	buf_fini(&b);
	until_idle(f);
	assert_int_equal(get(f->x, V2), 200);
}

#define SITE(v, name, spec)                                                         \
	"{'apiVersion':'example.com/" v "','kind':'Site','metadata':{'name':'" name \
	"'},'spec':{" spec "}}"
#define S1(name) SITE("v1", name, "'replicas':2,'host':'a:1'")

static int site_setup(void **state)
{
	struct wfix *f = the_hook;
	struct err err = ERR_INIT;

	*state = f;
	f->convert = site_convert;
	objects_asked = 0;
	if (crd_controller_start(f->x->rs, f->x->f->loop, &crds, &err) < 0)
		fail_msg("%s", err.msg);
	define(f, "/convert");
	return 0;
}

static int plain_setup(void **state)
{
	int r;

	seen = "";
	r = site_setup(state);
	seen = SEEN;
	return r;
}

static int site_end(void **state)
{
	struct wfix *f = *state;
	const int64_t end = clock_mono() + 20 * NS_PER_SEC;

	(void)ask(f->x, "DELETE", CRDS "/sites.example.com", ADMIN, NULL);
	while (get(f->x, CRDS "/sites.example.com") == 200)
		assert_true(clock_mono() < end);
	until_idle(f);
	crd_controller_stop(STEAL(crds));
	f->nasked = 0;
	f->held = 0;
	f->slow_closed = false;
	return 0;
}
#define SITES(f) cmocka_unit_test_setup_teardown(f, site_setup, site_end)

/* ---- cases ---- */

static void an_object_is_read_in_the_version_that_is_wanted(void **state)
{
	struct wfix *f = *state;

	apost(f->x, V1, S1("a"), 201);
	assert_int_equal(f->nasked, 0); /* it is stored as it came */
	assert_int_equal(get(f->x, V2 "/a"), 200);
	ahas(f->x, "'apiVersion':'example.com/v2'");
	ahas(f->x, "'spec':{'replicas':2,'host':'a','port':'1'}");
	assert_int_equal(f->nasked, 1);
	assert_int_equal(get(f->x, V2 "/a"), 200); /* once per revision */
	assert_int_equal(f->nasked, 1);
	assert_int_equal(get(f->x, V1 "/a"), 200);
	ahas(f->x, "'host':'a:1'");
	ask(f->x, "GET", V2 "/a", ADMIN "Accept: application/json;as=Table;v=v1;g=meta.k8s.io\r\n",
	    NULL);
	assert_code(f->x, 200);
	ahas(f->x, "'cells':['a','a']");
	ask(f->x, "GET", V2 "/a",
	    ADMIN "Accept: application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io\r\n", NULL);
	ahas(f->x, "'kind':'PartialObjectMetadata'");
	assert_int_equal(get(f->x, V2 "/a/scale"), 200);
	ahas(f->x, "'spec':{'replicas':2}");
	assert_int_equal(f->nasked, 1);
	amerge(f->x, V1 "/a", "{'spec':{'host':'b:1'}}", 200);
	assert_int_equal(get(f->x, V2 "/a"), 200); /* a new revision */
	ahas(f->x, "'host':'b','port':'1'");
	assert_int_equal(f->nasked, 2);
}

static void writes_are_stored_in_the_stored_version(void **state)
{
	struct wfix *f = *state;
	char body[1024];

	apost(f->x, V2, SITE("v2", "a", "'replicas':1,'host':'h','port':'7'"), 201);
	ahas(f->x, "'kind':'Site','apiVersion':'example.com/v2'");
	ahas(f->x, "'host':'h','port':'7'");
	assert_int_equal(f->nasked, 2); /* to the store, and for the answer */
	assert_int_equal(get(f->x, V1 "/a"), 200);
	ahas(f->x, "'host':'h:7'");
	ahasnt(f->x, "'port'");
	assert_int_equal(f->nasked, 2);
	amerge(f->x, V2 "/a", "{'spec':{'port':'8'}}", 200);
	ahas(f->x, "'host':'h','port':'8'");
	assert_string_equal(answer_text(f->x, "metadata.generation"), "2");
	amerge(f->x, V2 "/a/status", "{'status':{'up':'yes'}}", 200);
	ahas(f->x, "'port':'8'");
	amerge(f->x, V2 "/a/scale", "{'spec':{'replicas':3}}", 200);
	ahas(f->x, "'kind':'Scale'");
	assert_int_equal(get(f->x, V2 "/a"), 200);
	snprintf(body, sizeof(body), SITE("v2", "a", "'host':'z','port':'9'"));
	(void)ask(f->x, "PUT", V2 "/a", ADMIN JSON, quoted(body));
	assert_code(f->x, 422); /* resourceVersion has to be given */
	(void)ask(f->x, "PATCH", V2 "/a?fieldManager=me&force=true",
		  ADMIN "Content-Type: application/apply-patch+yaml\r\n",
		  quoted(SITE("v2", "a", "'host':'y','port':'1'")));
	assert_code(f->x, 200);
	ahas(f->x, "'host':'y','port':'1'");
	(void)ask(f->x, "PATCH", V1 "/a?fieldManager=me&force=true",
		  ADMIN "Content-Type: application/apply-patch+yaml\r\n",
		  quoted(SITE("v1", "a", "'host':'x:4'")));
	assert_code(f->x, 200);
	assert_int_equal(get(f->x, V1 "/a"), 200);
	ahas(f->x, "'replicas':3,'host':'x:4'");
	ahas(f->x, "'status':{'up':'yes','seen':'no'}");
	(void)ask(f->x, "POST", V2 "?dryRun=All", ADMIN JSON,
		  quoted(SITE("v2", "dry", "'host':'h','port':'7'")));
	assert_code(f->x, 201);
	ahas(f->x, "'port':'7'");
	(void)ask(f->x, "DELETE", V2 "/a", ADMIN, NULL);
	assert_code(f->x, 200);
}

static void lists_ask_for_all_objects_together(void **state)
{
	struct wfix *f = *state;

	apost(f->x, V1, S1("a"), 201);
	apost(f->x, V1, S1("b"), 201);
	apost(f->x, V1, S1("c"), 201);
	assert_int_equal(get(f->x, V2), 200);
	ahas(f->x, "'kind':'SiteList','apiVersion':'example.com/v2'");
	assert_int_equal(f->nasked, 1);
	assert_int_equal(objects_asked, 3);
	ahasnt(f->x, "'kind':'Site','apiVersion':'example.com/v1'");
	assert_int_equal(get(f->x, V2 "?limit=2"), 200);
	ahas(f->x, "'continue':'");
	assert_int_equal(f->nasked, 1);
	assert_int_equal(get(f->x, V2 "?fieldSelector=metadata.name%3Db"), 200);
	ahas(f->x, "'name':'b'");
	ahasnt(f->x, "'name':'c'");
	assert_int_equal(get(f->x, V1 "?fieldSelector=spec.host%3Da:1"), 200);
	assert_int_equal(get(f->x, V2 "?fieldSelector=spec.port%3D1"), 400);
	convert_by(f, "/convert-500");
	assert_int_equal(get(f->x, V2), 500); /* what the old one made is not told any more */
	ahas(f->x, "conversion webhook for example.com/v1, Kind=SiteList failed: Post ");
	assert_int_equal(get(f->x, V1), 200);
	convert_by(f, "/convert");
	(void)ask(f->x, "DELETE", V2, ADMIN, NULL);
	assert_code(f->x, 200);
}

static void selectors_look_at_what_is_made(void **state)
{
	struct wfix *f = *state;

	apost(f->x, V1, S1("a"), 201);
	apost(f->x, V1, SITE("v1", "b", "'host':'b:1'"), 201);
	apost(f->x, V1, S1("c"), 201);
	assert_int_equal(get(f->x, V2 "?fieldSelector=spec.host%3Da"), 200);
	ahas(f->x, "'name':'a'");
	ahas(f->x, "'name':'c'");
	ahasnt(f->x, "'name':'b'");
	assert_int_equal(get(f->x, V2 "?fieldSelector=spec.host%3Da:1"), 200);
	ahas(f->x, "'items':[]");
	assert_int_equal(get(f->x, V1 "?fieldSelector=spec.host%3Da"), 200);
	ahas(f->x, "'items':[]");
	assert_int_equal(get(f->x, V2 "?fieldSelector=spec.host%3Da&limit=1"), 200);
	ahas(f->x, "'name':'a'");
	ahas(f->x, "'continue':'");
	store_v2(f); /* the fields of each version, however an object is stored */
	apost(f->x, V2, SITE("v2", "d", "'host':'a','port':'1'"), 201);
	assert_int_equal(get(f->x, V1 "?fieldSelector=spec.host%3Da:1"), 200);
	ahas(f->x, "'name':'d'");
	ahas(f->x, "'name':'c'");
	ahasnt(f->x, "'name':'b'");
	convert_by(f, "/convert-labels");
	assert_int_equal(get(f->x, V2 "?labelSelector=by%3Dhook&fieldSelector=metadata.name%3Db"),
			 200);
	ahas(f->x, "'name':'b'");
	assert_int_equal(get(f->x, V2 "?labelSelector=!by"), 200);
	ahas(f->x, "'name':'c'"); /* the first of a question is marked: b, then a */
	ahasnt(f->x, "'name':'a'");
	ahasnt(f->x, "'name':'b'");
}

static void a_collection_is_converted_before_it_goes(void **state)
{
	struct wfix *f = *state;

	apost(f->x, V1, S1("a"), 201);
	apost(f->x, V1, SITE("v1", "b", "'host':'b:1'"), 201);
	convert_by(f, "/convert-500");
	(void)ask(f->x, "DELETE", V2, ADMIN, NULL);
	assert_code(f->x, 500);
	ahas(f->x, "conversion webhook for example.com/v1, Kind=SiteList failed");
	(void)ask(f->x, "DELETE", V2 "?fieldSelector=spec.host%3Da", ADMIN, NULL);
	assert_code(f->x, 500);
	assert_int_equal(get(f->x, V1 "/a"), 200);
	assert_int_equal(get(f->x, V1 "/b"), 200);
	convert_by(f, "/convert");
	(void)ask(f->x, "DELETE", V2 "?fieldSelector=spec.host%3Da", ADMIN, NULL);
	assert_code(f->x, 200);
	ahas(f->x, "'host':'a','port':'1'");
	ahasnt(f->x, "'name':'b'");
	assert_int_equal(get(f->x, V1 "/a"), 404);
	assert_int_equal(get(f->x, V1 "/b"), 200);
}

static void many_objects_are_asked_for_in_batches(void **state)
{
	struct wfix *f = *state;
	char body[512];

	for (unsigned i = 0; i < 300; i++) {
		snprintf(body, sizeof(body),
			 "{'apiVersion':'example.com/v1','kind':'Site','metadata':{'name':'s%03u'},"
			 "'spec':{'host':'h%u:1'}}",
			 i, i);
		apost(f->x, V1, body, 201);
	}
	assert_int_equal(get(f->x, V2), 200);
	ahas(f->x, "'host':'h299','port':'1'");
	assert_int_equal(f->nasked, 2);
	assert_int_equal(objects_asked, 300);
}

static void objects_of_two_stored_versions_are_listed_as_one(void **state)
{
	struct wfix *f = *state;

	apost(f->x, V1, S1("a"), 201);
	store_v2(f);
	apost(f->x, V2, SITE("v2", "b", "'host':'x','port':'2'"), 201);
	f->nasked = objects_asked = 0;
	assert_int_equal(get(f->x, V2), 200);
	ahas(f->x, "'host':'a','port':'1'");
	ahas(f->x, "'host':'x','port':'2'");
	assert_int_equal(objects_asked, 0); /* one is as it is stored, the other known */
	assert_int_equal(get(f->x, V1), 200);
	ahas(f->x, "'host':'a:1'");
	ahas(f->x, "'host':'x:2'");
	assert_int_equal(objects_asked, 1);
	/* A write that changes nothing takes it to the stored version. */
	amerge(f->x, V2 "/a", "{}", 200);
	assert_string_equal(answer_text(f->x, "spec.port"), "1");
	convert_by(f, "/convert-500");
	assert_int_equal(get(f->x, V2), 200); /* nobody is needed */
	(void)ask(f->x, "PATCH", CRDS "/sites.example.com/status",
		  ADMIN "Content-Type: application/merge-patch+json\r\n",
		  quoted("{'status':{'storedVersions':['v2']}}"));
	assert_code(f->x, 200);
	assert_int_equal(get(f->x, V1 "/a"), 500);
}

static void what_was_stored_before_is_converted_too(void **state)
{
	struct wfix *f = *state;
	char before[32];

	amerge(f->x, CRDS "/sites.example.com",
	       "{'spec':{'conversion':{'strategy':'None',"
	       "'webhook':null}}}",
	       200);
	until_idle(f);
	apost(f->x, V1, S1("a"), 201);
	store_v2(f); /* it is told as v2, and is v1 in the store */
	assert_int_equal(get(f->x, V2 "/a"), 200);
	ahas(f->x, "'host':'a:1'");
	apost(f->x, V2, SITE("v2", "b", "'host':'x'"), 201);
	snprintf(before, sizeof(before), "%s", answer_text(f->x, "metadata.resourceVersion"));
	amerge(f->x, V2 "/b", "{}", 200); /* it stands as it should: nothing is written */
	assert_string_equal(answer_text(f->x, "metadata.resourceVersion"), before);
	convert_by(f, "/convert");
	assert_int_equal(get(f->x, V2 "/a"), 200);
	ahas(f->x, "'host':'a','port':'1'");
	assert_int_equal(get(f->x, V1 "/a"), 200);
	ahas(f->x, "'host':'a:1'");
	assert_int_equal(objects_asked, 1);
}

static void a_write_of_nothing_takes_an_object_to_the_stored_version(void **state)
{
	struct wfix *f = *state;
	char before[32];

	amerge(f->x, CRDS "/sites.example.com",
	       "{'spec':{'conversion':{'strategy':'None',"
	       "'webhook':null}}}",
	       200);
	until_idle(f);
	apost(f->x, V1, S1("a"), 201);
	snprintf(before, sizeof(before), "%s", answer_text(f->x, "metadata.resourceVersion"));
	store_v2(f);
	amerge(f->x, V2 "/a", "{}", 200);
	assert_string_not_equal(answer_text(f->x, "metadata.resourceVersion"), before);
	snprintf(before, sizeof(before), "%s", answer_text(f->x, "metadata.resourceVersion"));
	amerge(f->x, V2 "/a", "{}", 200);
	assert_string_equal(answer_text(f->x, "metadata.resourceVersion"), before);
}

static void answers_that_lie_are_told(void **state)
{
	static const struct {
		const char *path, *says;
	} rows[] = {
		{ "/convert-uid", "failed: expected response.uid=" },
		{ "/convert-fewer", "returned 0 objects, expected 1" },
		{ "/convert-name", "returned invalid object: must have the same name: a != liar" },
		{ "/convert-fail", "failed: response.result.status was \\'Failure\\', not" },
		{ "/convert-500",
		  "failed: Post \\'https://hook.n1.svc:443/convert-500?timeout=30s" },
		{ "/convert-huge", "failed: Post " },
		{ "/nothing", "failed: expected webhook response of" },
	};
	struct wfix *f = *state;

	apost(f->x, V1, S1("a"), 201);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		convert_by(f, rows[i].path);
		assert_int_equal(get(f->x, V2 "/a"), 500);
		ahas(f->x, "conversion webhook for example.com/v1, Kind=Site ");
		if (strcmp(rows[i].path, "/convert-fail") != 0)
			ahas(f->x, rows[i].says);
		assert_int_equal(get(f->x, V2), 500);
		(void)post(f->x, V2, quoted(SITE("v2", "b", "'host':'h','port':'7'")));
		assert_code(f->x, 500);
		assert_int_equal(get(f->x, V1 "/b"), 404); /* nothing of it was stored */
		amerge(f->x, V2 "/a", "{'spec':{'port':'8'}}", 500);
		(void)ask(f->x, "DELETE", V2 "/a", ADMIN, NULL);
		assert_code(f->x, 500);
	}
	convert_by(f, "/convert-labels");
	assert_int_equal(get(f->x, V2 "/a"), 200);
	ahas(f->x, "'labels':{'by':'hook'}");
	convert_by(f, "/convert-500");
	(void)ask(f->x, "DELETE", V1 "/a", ADMIN, NULL); /* as it is stored */
	assert_code(f->x, 200);
}

static void who_waits_holds_nobody_up(void **state)
{
	struct wfix *f = *state;
	struct peer p, q;
	const int64_t end = clock_mono() + 20 * NS_PER_SEC;

	apost(f->x, V1, S1("a"), 201);
	convert_by(f, "/convert-slow");
	peer_open(f->x, &p);
	peer_open(f->x, &q);
	peer_send(&p, "GET", V2 "/a", ADMIN, NULL);
	peer_send(&q, "GET", V2 "/a", ADMIN, NULL);
	while (!f->held && clock_mono() < end)
		turn(&p);
	assert_int_equal(get(f->x, V1 "/a"), 200);
	assert_int_equal(f->held, 1); /* both wait for one */
	peer_close(&p);
	assert_int_equal(get(f->x, V1 "/a"), 200);
	assert_false(f->slow_closed);
	peer_close(&q);
	while (!f->slow_closed && clock_mono() < end)
		assert_int_equal(get(f->x, V1 "/a"), 200);
	assert_true(f->slow_closed); /* nobody waits any more */
}

static void a_watch_tells_in_its_version(void **state)
{
	struct wfix *f = *state;
	struct peer p;

	apost(f->x, V1, S1("a"), 201);
	peer_open(f->x, &p);
	peer_send(&p, "GET", V2 "?watch=1", ADMIN, NULL);
	peer_until(&p, quoted("'host':'a','port':'1'"));
	apost(f->x, V1, S1("b"), 201);
	amerge(f->x, V1 "/b", "{'spec':{'host':'c:3'}}", 200);
	amerge(f->x, V2 "/b", "{'spec':{'host':'d'}}", 200);
	(void)ask(f->x, "DELETE", V1 "/b", ADMIN, NULL);
	peer_until(&p, quoted("'type':'DELETED'"));
	peer_close(&p);
	peer_open(f->x, &p);
	peer_send(&p, "GET", V2 "?watch=1", ADMIN, NULL);
	peer_until(&p, quoted("'host':'a','port':'1'"));
	convert_by(f, "/convert-500"); /* the definition is another one, and the watch goes on */
	apost(f->x, V1, S1("c"), 201);
	peer_until(&p, "conversion webhook for example.com/v1, Kind=Site failed");
	peer_until(&p, quoted("'code':500"));
	peer_close(&p);
	peer_open(f->x, &p);
	peer_send(&p, "GET", V2 "?watch=1", ADMIN, NULL);
	peer_until(&p, quoted("'type':'ERROR'"));
	peer_close(&p);
	convert_by(f, "/convert-slow");
	peer_open(f->x, &p);
	peer_send(&p, "GET", V2 "?watch=1&resourceVersion=1", ADMIN, NULL);
	peer_close(&p); /* while it waits */
	peer_open(f->x, &p);
	peer_send(&p, "GET", V1 "?watch=1", ADMIN, NULL);
	peer_until(&p, quoted("'name':'c'"));
	peer_close(&p);
}

/* One more event, and which of what. */
static const char *event_is(const char *from, const char *type, const char *more)
{
	char text[64];
	const char *end;

	snprintf(text, sizeof(text), "'type':'%s'", type);
	from = from ? strstr(from, quoted("{'type':'")) : NULL;
	end = from ? strchr(from, '\n') : NULL;
	assert_non_null(end);
	assert_memory_equal(from + 1, quoted(text), strlen(text));
	assert_non_null(memmem(from, (size_t)(end - from), quoted(more), strlen(more)));
	return end;
}

static void a_watch_selects_by_what_is_made(void **state)
{
	struct wfix *f = *state;
	const char *at;
	struct peer p;

	apost(f->x, V1, S1("a"), 201);
	apost(f->x, V1, SITE("v1", "b", "'host':'b:1'"), 201);
	peer_open(f->x, &p);
	peer_send(&p, "GET", V2 "?watch=1&fieldSelector=spec.host%3Da", ADMIN, NULL);
	peer_until(&p, quoted("'type':'ADDED'"));
	amerge(f->x, V1 "/b", "{'spec':{'host':'b:2'}}", 200);
	amerge(f->x, V1 "/b", "{'spec':{'host':'a:3'}}", 200);
	amerge(f->x, V1 "/b", "{'spec':{'host':'a:4'}}", 200);
	amerge(f->x, V1 "/b", "{'spec':{'host':'b:5'}}", 200);
	(void)ask(f->x, "DELETE", V1 "/b", ADMIN, NULL);
	(void)ask(f->x, "DELETE", V1 "/a", ADMIN, NULL);
	apost(f->x, V1, S1("d"), 201);
	peer_until(&p, quoted("'name':'d'"));
	convert_by(f, "/convert-500");
	apost(f->x, V1, S1("c"), 201);
	peer_until(&p, quoted("'code':410"));
	at = event_is(buf_str(&p.in), "ADDED", "'name':'a'");
	at = event_is(at, "ADDED", "'host':'a','port':'3'");
	at = event_is(at, "MODIFIED", "'host':'a','port':'4'");
	at = event_is(at, "DELETED", "'host':'a','port':'4'");
	at = event_is(at, "DELETED", "'name':'a'");
	at = event_is(at, "ADDED", "'name':'d'");
	(void)event_is(at, "ERROR", "'code':410");
	peer_close(&p);
}

static void admission_webhooks_see_the_version_they_match(void **state)
{
	struct wfix *f = *state;

	hook_on(f, MUTATING, "m", "/patch", RULE("'*'", "example.com", "v1", "sites"));
	f->patch = "[{'op':'replace','path':'/spec/host','value':'p:6'}]";
	apost(f->x, V2, SITE("v2", "a", "'host':'h','port':'7'"), 201);
	ahas(f->x, "'host':'p','port':'6'");
	hook_on(f, VALIDATING, "v", "/deny", RULE("'*'", "example.com", "v1", "sites"));
	apost(f->x, V2, SITE("v2", "b", "'host':'h','port':'7'"), 422);
	told(f, "'host':'p:6'");
	hooks_off(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SITES(an_object_is_read_in_the_version_that_is_wanted),
		SITES(writes_are_stored_in_the_stored_version),
		SITES(lists_ask_for_all_objects_together),
		SITES(selectors_look_at_what_is_made),
		SITES(a_collection_is_converted_before_it_goes),
		SITES(many_objects_are_asked_for_in_batches),
		SITES(objects_of_two_stored_versions_are_listed_as_one),
		SITES(what_was_stored_before_is_converted_too),
		SITES(a_write_of_nothing_takes_an_object_to_the_stored_version),
		SITES(answers_that_lie_are_told),
		SITES(who_waits_holds_nobody_up),
		cmocka_unit_test_setup_teardown(a_watch_tells_in_its_version, plain_setup,
						site_end),
		cmocka_unit_test_setup_teardown(a_watch_selects_by_what_is_made, plain_setup,
						site_end),
		SITES(admission_webhooks_see_the_version_they_match),
	};

	return cmocka_run_group_tests(tests, hook_group, hook_group_end);
}
