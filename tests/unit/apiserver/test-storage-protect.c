/* SPDX-License-Identifier: Apache-2.0 */
/* Claims, volumes and volume attributes classes that are in use stay until they are not. */
#include "admission-fix.h"

#include "apiserver/admission/storage-protect.h"

#define CLAIMS "/api/v1/namespaces/n1/persistentvolumeclaims"
#define VOLUMES "/api/v1/persistentvolumes"
#define CLASSES "/apis/storage.k8s.io/v1/volumeattributesclasses"
#define PODS "/api/v1/namespaces/n1/pods"
#define NOW ADMIN JSON
#define AT_ONCE "{\"gracePeriodSeconds\":0}"

static struct storage_protect *follow(struct rfix *x, bool adds)
{
	struct storage_protect *g = NULL;
	struct err err = ERR_INIT;

	if (storage_protect_start(x->rs, x->f->loop, adds, &g, &err) < 0)
		fail_msg("%s", err.msg);
	return g;
}

static void settle(struct rfix *x, struct storage_protect *g)
{
	for (int i = 0; !storage_protect_idle(g); i++)
		if (i > 100000 || loop_step(x->f->loop, NS_PER_SEC, NULL) < 0)
			fail_msg("it does not come to rest");
}

/* What DELETE asked for has been done, as far as it can. */
static void delete (struct rfix *x, struct storage_protect *g, const char *path)
{
	(void)ask(x, "DELETE", path, NOW, AT_ONCE);
	assert_code(x, 200);
	settle(x, g);
}

static void is(struct rfix *x, const char *path, int code)
{
	(void)get(x, path);
	assert_code(x, code);
}

static void make_claim(struct rfix *x, const char *name, const char *more)
{
	char text[1024];

	(void)snprintf(text, sizeof(text),
		       "{'metadata':{'name':'%s'%s},'spec':{'accessModes':['ReadWriteOnce'],"
		       "'resources':{'requests':{'storage':'1Gi'}}}}",
		       name, more);
	apost(x, CLAIMS, text, 201);
}

static void make_pod(struct rfix *x, const char *name, const char *node, const char *volume)
{
	char text[1024];

	(void)snprintf(text, sizeof(text),
		       "{'metadata':{'name':'%s'},'spec':{%s'containers':[{'name':'c','image':'i'}]"
		       ",'volumes':[{'name':'v',%s}]}}",
		       name, node, volume);
	apost(x, PODS, text, 201);
}

#define NODE "'nodeName':'n',"
#define USES "'persistentVolumeClaim':{'claimName':'c'}"

static void a_claim_stays_while_a_pod_uses_it(void **state)
{
	struct rfix *x = *state;
	struct storage_protect *g = follow(x, true);

	make_claim(x, "c", "");
	ahas(x, "'finalizers':['kubernetes.io/pvc-protection']");
	make_pod(x, "p", NODE, USES);
	make_pod(x, "q", NODE, USES);
	delete (x, g, CLAIMS "/c");
	is(x, CLAIMS "/c", 200);
	ahas(x, "'deletionTimestamp':'");
	delete (x, g, PODS "/p");
	is(x, CLAIMS "/c", 200);
	storage_protect_stop(g);
	/* what went while nobody followed */
	(void)ask(x, "DELETE", PODS "/q", NOW, AT_ONCE);
	assert_code(x, 200);
	is(x, CLAIMS "/c", 200);
	g = follow(x, true);
	settle(x, g);
	is(x, CLAIMS "/c", 404);
	storage_protect_stop(g);
}

static void an_unused_claim_goes_at_once_but_for_others_finalizers(void **state)
{
	struct rfix *x = *state;
	struct storage_protect *g = follow(x, true);

	make_claim(x, "c", "");
	make_pod(x, "p", "", USES); /* not on a node */
	delete (x, g, CLAIMS "/c");
	is(x, CLAIMS "/c", 404);
	make_claim(x, "held", ",'finalizers':['a.example/b']");
	delete (x, g, CLAIMS "/held");
	is(x, CLAIMS "/held", 200);
	ahas(x, "'finalizers':['a.example/b']");
	amerge(x, CLAIMS "/held", "{'metadata':{'finalizers':null}}", 200);
	is(x, CLAIMS "/held", 404);
	storage_protect_stop(g);
}

static void a_volume_stays_while_it_is_bound(void **state)
{
	struct rfix *x = *state;
	struct storage_protect *g = follow(x, true);

	apost(x, VOLUMES,
	      "{'metadata':{'name':'v'},'spec':{'capacity':{'storage':'1Gi'},'accessModes':["
	      "'ReadWriteOnce'],'hostPath':{'path':'/x'}}}",
	      201);
	ahas(x, "'finalizers':['kubernetes.io/pv-protection']");
	amerge(x, VOLUMES "/v/status", "{'status':{'phase':'Bound'}}", 200);
	delete (x, g, VOLUMES "/v");
	is(x, VOLUMES "/v", 200);
	amerge(x, VOLUMES "/v/status", "{'status':{'phase':'Released'}}", 200);
	settle(x, g);
	is(x, VOLUMES "/v", 404);
	storage_protect_stop(g);
}

static void a_class_stays_while_it_is_named(void **state)
{
	struct rfix *x = *state;
	struct storage_protect *g = follow(x, true);

	apost(x, CLASSES, "{'metadata':{'name':'fast'},'driverName':'d','parameters':{'a':'b'}}",
	      201);
	ahas(x, "'finalizers':['kubernetes.io/vac-protection']");
	make_claim(x, "c", "");
	amerge(x, CLAIMS "/c/status", "{'status':{'currentVolumeAttributesClassName':'fast'}}",
	       200);
	delete (x, g, CLASSES "/fast");
	is(x, CLASSES "/fast", 200);
	amerge(x, CLAIMS "/c/status", "{'status':{'currentVolumeAttributesClassName':null}}", 200);
	settle(x, g);
	is(x, CLASSES "/fast", 404);
	storage_protect_stop(g);
}

static void older_objects_are_protected_when_the_plugin_is_on(void **state)
{
	struct rfix *x = *state;
	struct storage_protect *g;

	afix_open(x, NULL, "StorageObjectInUseProtection");
	make_claim(x, "c", "");
	ahasnt(x, "finalizers");
	g = follow(x, false);
	settle(x, g);
	is(x, CLAIMS "/c", 200);
	ahasnt(x, "finalizers");
	storage_protect_stop(g);
	g = follow(x, true);
	settle(x, g);
	is(x, CLAIMS "/c", 200);
	ahas(x, "'finalizers':['kubernetes.io/pvc-protection']");
	ahas(x, "'manager':'kube-controller-manager'");
	delete (x, g, CLAIMS "/c");
	is(x, CLAIMS "/c", 404);
	storage_protect_stop(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ACASE(a_claim_stays_while_a_pod_uses_it),
		ACASE(an_unused_claim_goes_at_once_but_for_others_finalizers),
		ACASE(a_volume_stays_while_it_is_bound),
		ACASE(a_class_stays_while_it_is_named),
		ACASE(older_objects_are_protected_when_the_plugin_is_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
