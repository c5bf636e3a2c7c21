/* SPDX-License-Identifier: Apache-2.0 */
/* Pods: each rule of the status, of what is ready, and of restarts. */
#include "columns-rows.h"

#define WIDE ",'24h','<none>','<none>','<none>','<none>'"
#define ONE "'spec':{'containers':[{'name':'c'}]}"
#define TWO "'spec':{'containers':[{'name':'c'},{'name':'d'}]}"
#define INIT                                                                   \
	"'spec':{'initContainers':[{'name':'i'},{'name':'j'}],'containers':[{" \
	"'name':'c'}]}"
#define SIDECAR                                                             \
	"'spec':{'initContainers':[{'name':'i','restartPolicy':'Always'},{" \
	"'name':'j'}],'containers':[{'name':'c'}]}"
#define POD(spec, status) META "," spec ",'status':{" status "}"
#define GONE(spec, status) OLD "," spec ",'status':{" status "}"
#define RUNS "'state':{'running':{}}"
#define ENDS(how) "'state':{'terminated':{" how "}}"
#define WAITS(why) "'state':{'waiting':{'reason':'" why "'}}"
#define LAST(at) "'lastState':{'terminated':{'finishedAt':'" at "'}}"
#define ALL(list) "'containerStatuses':[" list "]"
#define INITS(list) "'initContainerStatuses':[" list "]"
#define READY "'conditions':[{'type':'Ready','status':'True'}]"

static const struct cell_row phases[] = {
	{ "the phase is the status", "v1", "Pod", POD(ONE, "'phase':'Pending'"),
	  "'a','0/1','Pending','0'" WIDE, NULL },
	{ "a reason goes before the phase", "v1", "Pod",
	  POD(ONE, "'phase':'Failed','reason':'Evicted'"), "'a','0/1','Evicted','0'" WIDE,
	  "{'type':'Completed','status':'True','reason':'Failed','message':'The "
	  "pod failed.'}" },
	{ "one that succeeded is complete", "v1", "Pod", POD(ONE, "'phase':'Succeeded'"),
	  "'a','0/1','Succeeded','0'" WIDE,
	  "{'type':'Completed','status':'True','reason':'Succeeded','message':"
	  "'The pod has completed successfully.'}" },
	{ "gates of scheduling go before both", "v1", "Pod",
	  POD(ONE, "'phase':'Pending','conditions':[{'type':'PodScheduled','reason':"
		   "'SchedulingGated'}]"),
	  "'a','0/1','SchedulingGated','0'" WIDE, NULL },
	{ "one that is deleted is going", "v1", "Pod", GONE(ONE, "'phase':'Running'"),
	  "'a','0/1','Terminating','0'" WIDE, NULL },
	{ "one that ended keeps its word when it is deleted", "v1", "Pod",
	  GONE(ONE, "'phase':'Failed'"), "'a','0/1','Failed','0'" WIDE,
	  "{'type':'Completed','status':'True','reason':'Failed','message':'The "
	  "pod failed.'}" },
	{ "on a node that is lost nothing is known", "v1", "Pod",
	  GONE(ONE, "'phase':'Running','reason':'NodeLost'"), "'a','0/1','Unknown','0'" WIDE,
	  NULL },
	{ "nothing at all", "v1", "Pod", "'kind':'Pod'",
	  "'','0/0','','0','<unknown>','<none>','<none>','<none>','<none>'", NULL },
	{ "addresses, nodes and gates", "v1", "Pod",
	  META ",'spec':{'nodeName':'n','readinessGates':[{'conditionType':'x'},{"
	       "'conditionType':'y'},{'conditionType':'z'}]},'status':{'phase':"
	       "'Running','podIP':'10.0.0.1','podIPs':[{'ip':'10.0.0.1'},{'ip':"
	       "'fd::1'}],'nominatedNodeName':'m','conditions':[{'type':'x','status':"
	       "'True'},{'type':'y','status':'False'}]}",
	  "'a','0/0','Running','0','24h','10.0.0.1','n','m','1/3'", NULL },
	{ "an address that is only in the list", "v1", "Pod",
	  META ",'status':{'podIPs':[{'ip':'fd::1'}]}",
	  "'a','0/0','','0','24h','fd::1','<none>','<none>','<none>'", NULL },
	{ 0 },
};

static void phases_reasons_and_deletion(void **state)
{
	check_rows(*state, phases);
}

static const struct cell_row containers[] = {
	{ "all run", "v1", "Pod",
	  POD(TWO, "'phase':'Running'," ALL("{'ready':true," RUNS "},{'ready':true," RUNS "}")),
	  "'a','2/2','Running','0'" WIDE, NULL },
	{ "running is not ready", "v1", "Pod",
	  POD(TWO, "'phase':'Running'," ALL("{'ready':true," RUNS "},{'ready':false," RUNS "}")),
	  "'a','1/2','Running','0'" WIDE, NULL },
	{ "one that waits says why", "v1", "Pod",
	  POD(ONE, "'phase':'Pending'," ALL("{" WAITS("ImagePullBackOff") "}")),
	  "'a','0/1','ImagePullBackOff','0'" WIDE, NULL },
	{ "waiting for nothing says nothing", "v1", "Pod",
	  POD(ONE, "'phase':'Pending'," ALL("{'state':{'waiting':{}}}")),
	  "'a','0/1','Pending','0'" WIDE, NULL },
	{ "the first container has the last word", "v1", "Pod",
	  POD(TWO, "'phase':'Running'," ALL("{" WAITS("First") "},{" WAITS("Second") "}")),
	  "'a','0/2','First','0'" WIDE, NULL },
	{ "one that ended says its reason", "v1", "Pod",
	  POD(ONE, "'phase':'Running'," ALL("{" ENDS("'exitCode':1,'reason':'Error'") "}")),
	  "'a','0/1','Error','0'" WIDE, NULL },
	{ "or its signal", "v1", "Pod",
	  POD(ONE, "'phase':'Running'," ALL("{" ENDS("'exitCode':137,'signal':9") "}")),
	  "'a','0/1','Signal:9','0'" WIDE, NULL },
	{ "or its exit code", "v1", "Pod",
	  POD(ONE, "'phase':'Running'," ALL("{" ENDS("'exitCode':3") "}")),
	  "'a','0/1','ExitCode:3','0'" WIDE, NULL },
	{ "completed beside one that runs is not ready", "v1", "Pod",
	  POD(TWO, "'phase':'Running'," ALL("{" ENDS(
			   "'exitCode':0,'reason':'Completed'") "},{'ready':true," RUNS "}")),
	  "'a','1/2','NotReady','0'" WIDE, NULL },
	{ "but running where the pod is ready", "v1", "Pod",
	  POD(TWO, "'phase':'Running'," READY "," ALL("{" ENDS(
			   "'exitCode':0,'reason':'Completed'") "},{'ready':true," RUNS "}")),
	  "'a','1/2','Running','0'" WIDE, NULL },
	{ "an error goes before a completion", "v1", "Pod",
	  POD(TWO, "'phase':'Failed'," ALL("{" ENDS("'exitCode':0,'reason':'Completed'") "},{" ENDS(
			   "'exitCode':1,'reason':'Error'") "}")),
	  "'a','0/2','Error','0'" WIDE,
	  "{'type':'Completed','status':'True','reason':'Failed','message':'The "
	  "pod failed.'}" },
	{ "all completed", "v1", "Pod",
	  POD(ONE, "'phase':'Succeeded'," ALL("{" ENDS("'reason':'Completed'") "}")),
	  "'a','0/1','Completed','0'" WIDE,
	  "{'type':'Completed','status':'True','reason':'Succeeded','message':"
	  "'The pod has completed successfully.'}" },
	{ "restarts are added, the last one is told", "v1", "Pod",
	  POD(TWO, "'phase':'Running'," ALL("{'restartCount':2,'ready':true," RUNS "," LAST(
			   "2024-01-09T23:00:00Z") "},{'restartCount':1,'ready':true," RUNS
						   "," LAST("2024-01-09T23:55:00Z") "}")),
	  "'a','2/2','Running','3 (5m ago)'" WIDE, NULL },
	{ "restarts without a time", "v1", "Pod",
	  POD(ONE, "'phase':'Running'," ALL("{'restartCount':4,'ready':true," RUNS "}")),
	  "'a','1/1','Running','4'" WIDE, NULL },
	{ 0 },
};

static void containers_say_what_the_pod_does(void **state)
{
	check_rows(*state, containers);
}

static const struct cell_row inits[] = {
	{ "none began", "v1", "Pod",
	  POD(INIT, "'phase':'Pending'," INITS("{'name':'i'," WAITS(
			    "PodInitializing") "},{'name':'j'," WAITS("PodInitializing") "}")),
	  "'a','0/1','Init:0/2','0'" WIDE, NULL },
	{ "the second runs; its restarts are counted", "v1", "Pod",
	  POD(INIT, "'phase':'Pending'," INITS("{'name':'i','restartCount':1," LAST(
			    "2024-01-09T23:59:00Z") "," ENDS("'exitCode':0") "},{'name':'j',"
									     "'restartCount':"
									     "2," RUNS "}")),
	  "'a','0/1','Init:1/2','3 (60s ago)'" WIDE, NULL },
	{ "one waits for something", "v1", "Pod",
	  POD(INIT, "'phase':'Pending'," INITS("{'name':'i'," WAITS("CrashLoopBackOff") "}")),
	  "'a','0/1','Init:CrashLoopBackOff','0'" WIDE, NULL },
	{ "one failed for a reason", "v1", "Pod",
	  POD(INIT,
	      "'phase':'Pending'," INITS("{'name':'i'," ENDS("'exitCode':1,'reason':'Error'") "}")),
	  "'a','0/1','Init:Error','0'" WIDE, NULL },
	{ "by a signal", "v1", "Pod",
	  POD(INIT,
	      "'phase':'Pending'," INITS("{'name':'i'," ENDS("'exitCode':137,'signal':9") "}")),
	  "'a','0/1','Init:Signal:9','0'" WIDE, NULL },
	{ "with a code", "v1", "Pod",
	  POD(INIT, "'phase':'Pending'," INITS("{'name':'i'," ENDS("'exitCode':2") "}")),
	  "'a','0/1','Init:ExitCode:2','0'" WIDE, NULL },
	{ "all done: the others speak", "v1", "Pod",
	  POD(INIT,
	      "'phase':'Running'," INITS("{'name':'i','restartCount':7," ENDS(
		      "'exitCode':0") "},{'name':"
				      "'j'," ENDS("'exitCode':0") "}") "," ALL("{'ready':true," RUNS
									       "}")),
	  "'a','1/1','Running','0'" WIDE, NULL },
	{ "a pod that was initialized is not so again", "v1", "Pod",
	  POD(INIT, "'phase':'Running','conditions':[{'type':'Initialized','status':"
		    "'True'}]," INITS("{'name':'i'," WAITS("Again") "}") "," ALL(
			    "{'ready':true," RUNS "}")),
	  "'a','1/1','Init:Again','0'" WIDE, NULL },
	{ "one that runs on counts as a container", "v1", "Pod",
	  POD(SIDECAR, "'phase':'Running'," INITS(
			       "{'name':'i','started':true,'ready':true,'restartCount':2," RUNS
			       "," LAST("2024-01-09T22:00:00Z") "},{'name':'j'," ENDS(
				       "'exitCode':0") "}") "," ALL("{'ready':true,'restartCount':"
								    "1," RUNS "}")),
	  "'a','2/2','Running','3 (120m ago)'" WIDE, NULL },
	{ "also when it is not ready", "v1", "Pod",
	  POD(SIDECAR, "'phase':'Pending'," INITS("{'name':'i','started':true," RUNS
						  "},{'name':'j'," RUNS "}")),
	  "'a','0/2','Init:1/2','0'" WIDE, NULL },
	{ "one that has not started holds up the rest", "v1", "Pod",
	  POD(SIDECAR, "'phase':'Pending'," INITS("{'name':'i','started':false," RUNS "}")),
	  "'a','0/2','Init:0/2','0'" WIDE, NULL },
	{ 0 },
};

static void init_containers_come_first(void **state)
{
	check_rows(*state, inits);
}

static void values_of_other_types_do_no_harm(void **state)
{
	check_misfits(*state, phases);
	check_misfits(*state, containers);
	check_misfits(*state, inits);
}

static void a_full_arena_is_told(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("row", 256);
	CLEANUP(api_fini) struct api api = { 0 };
	struct doc cells, conditions;
	struct err err = ERR_INIT;
	struct doc *obj =
		must_read(*state, json_of(*state, '{', POD(ONE, "'phase':'Running'"), '}'));

	assert_int_equal(api_load(*state, &api, &err), 0);
	assert_int_equal(
		columns_cells(api_kind(&api, "v1", "Pod"), obj, NOW, a, &cells, &conditions, &err),
		-ERR_QUOTA);
	assert_non_null(strstr(err.msg, "row: more than 256 bytes"));
	assert_int_equal(columns_definitions(api_kind(&api, "v1", "Pod"), a, &cells, &err),
			 -ERR_QUOTA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(phases_reasons_and_deletion), CASE(containers_say_what_the_pod_does),
		CASE(init_containers_come_first),  CASE(values_of_other_types_do_no_harm),
		CASE(a_full_arena_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
