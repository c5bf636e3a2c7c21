#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Every command of kubectl that needs no running pod, against one server, and what it prints.

bats_require_minimum_version 1.5.0
load apiserver.bash

setup_file() { api_file_start; }
teardown_file() { api_file_stop; }
setup() { api_test_setup; }

# web.yaml: a Deployment with two containers.
web() {
	cat >web.yaml <<-END
		apiVersion: apps/v1
		kind: Deployment
		metadata: {name: web, labels: {app: web}}
		spec:
		  replicas: ${1:-1}
		  selector: {matchLabels: {app: web}}
		  template:
		    metadata: {labels: {app: web}}
		    spec:
		      containers:
		      - {name: c, image: "nginx:${2:-1}", ports: [{containerPort: 80}], env: [{name: A, value: B}]}
		      - {name: d, image: redis}
	END
}

pod() { # NAME [SPEC [LABEL]]
	printf 'apiVersion: v1\nkind: Pod\nmetadata: {name: %s, labels: {app: %s}}\nspec: {%scontainers: [{name: c, image: b}]}\n---\n' \
		"$1" "${3:-$1}" "${2:+$2, }"
}

@test "create: every generator" {
	set -e
	is "configmap/one created" kn create configmap one --from-literal=a=1 --from-literal=b=2
	is "secret/s1 created" kn create secret generic s1 --from-literal=k=v
	is "secret/s2 created" kn create secret docker-registry s2 --docker-username=u --docker-password=p
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout tls.key -out tls.crt -subj /CN=x -days 10 2>/dev/null
	is "secret/s3 created" kn create secret tls s3 --cert=tls.crt --key=tls.key
	is "serviceaccount/sa1 created" kn create serviceaccount sa1
	is "role.rbac.authorization.k8s.io/r1 created" kn create role r1 --verb=get,list --resource=pods,deployments.apps
	is "rolebinding.rbac.authorization.k8s.io/rb1 created" kn create rolebinding rb1 --role=r1 --serviceaccount="$NS:sa1" --user=jo
	is "clusterrole.rbac.authorization.k8s.io/cr1 created" kc create clusterrole cr1 --verb=get --resource=nodes
	is "clusterrole.rbac.authorization.k8s.io/cr2 created" kc create clusterrole cr2 --verb=get --non-resource-url=/x
	is "clusterrolebinding.rbac.authorization.k8s.io/crb1 created" kc create clusterrolebinding crb1 --clusterrole=cr1 --group=g
	is "deployment.apps/d1 created" kn create deployment d1 --image=nginx --replicas=2 --port=80
	is "job.batch/j1 created" kn create job j1 --image=busybox -- date
	is "cronjob.batch/cj1 created" kn create cronjob cj1 --image=busybox --schedule='*/1 * * * *' -- date
	is "job.batch/j2 created" kn create job j2 --from=cronjob/cj1
	is "service/svc1 created" kn create service clusterip svc1 --tcp=80:8080 --clusterip=10.96.77.1
	is "service/svc2 created" kn create service nodeport svc2 --tcp=80:8080 --node-port=30123
	is "service/svc3" kn create service loadbalancer svc3 --tcp=80 --dry-run=server -o name
	is "service/svc4 created" kn create service externalname svc4 --external-name=x.example.com
	is "ingress.networking.k8s.io/i1 created" kn create ingress i1 --rule=foo.com/bar=svc1:80 --class=x
	is "resourcequota/q1 created" kn create quota q1 --hard=services=50,pods=20
	is "poddisruptionbudget.policy/pdb1 created" kn create poddisruptionbudget pdb1 --selector=app=d1 --min-available=1
	is "priorityclass.scheduling.k8s.io/pc1 created" kc create priorityclass pc1 --value=1000 --description=x
	is "pod/p1 created" kn run p1 --image=nginx --port=80 --labels=x=y --env=A=B
	is "NAME AGE
serviceaccount/default AGE
serviceaccount/sa1 AGE

NAME ROLE AGE USERS GROUPS SERVICEACCOUNTS
rolebinding.rbac.authorization.k8s.io/rb1 Role/r1 AGE jo $NS/sa1

NAME TYPE DATA AGE
secret/s1 Opaque 1 AGE
secret/s2 kubernetes.io/dockerconfigjson 1 AGE
secret/s3 kubernetes.io/tls 2 AGE

NAME CLASS HOSTS ADDRESS PORTS AGE
ingress.networking.k8s.io/i1 x foo.com 80 AGE

NAME MIN AVAILABLE MAX UNAVAILABLE ALLOWED DISRUPTIONS AGE
poddisruptionbudget.policy/pdb1 1 N/A 0 AGE" kn get sa,rolebinding,secret,ing,pdb -o wide
	is "NAME READY STATUS RESTARTS AGE IP NODE NOMINATED NODE READINESS GATES
pod/p1 0/1 Pending 0 AGE <none> <none> <none> <none>

NAME TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE SELECTOR
service/svc1 ClusterIP 10.96.77.1 <none> 80/TCP AGE app=svc1
service/svc2 NodePort 10.96.77.2 <none> 80:30123/TCP AGE app=svc2
service/svc4 ExternalName <none> x.example.com <none> AGE app=svc4

NAME READY UP-TO-DATE AVAILABLE AGE CONTAINERS IMAGES SELECTOR
deployment.apps/d1 0/2 0 0 AGE nginx nginx app=d1

NAME SCHEDULE TIMEZONE SUSPEND ACTIVE LAST SCHEDULE AGE CONTAINERS IMAGES SELECTOR
cronjob.batch/cj1 */1 * * * * <none> False 0 <none> AGE cj1 busybox <none>

NAME STATUS COMPLETIONS DURATION AGE CONTAINERS IMAGES SELECTOR
job.batch/j1 Running 0/1 AGE j1 busybox UID
job.batch/j2 Running 0/1 AGE cj1 busybox UID" get_all
	fails_with 'configmaps "one" already exists' kn create configmap one
	fails_with 'namespaces "none" not found' kc -n none create configmap one
}
get_all() {
	kn get all -o wide | sed -E 's/batch.kubernetes.io\/controller-uid=[0-9a-f-]+/UID/; s/(svc2 +NodePort +)[0-9.]+/\110.96.77.2/'
}

@test "get: every form of output" {
	set -e
	kn create configmap a --from-literal=k=v
	kn create configmap b --from-literal=k=v --from-literal=l=w
	kn label configmap b l=yes
	kn create service clusterip s --tcp=80
	kn create service externalname e --external-name=x.example.com
	[ "$(kn get cm a -o json | jq -cS 'del(.metadata.creationTimestamp,.metadata.uid,.metadata.resourceVersion)')" = \
		'{"apiVersion":"v1","data":{"k":"v"},"kind":"ConfigMap","metadata":{"name":"a","namespace":"'"$NS"'"}}' ]
	[ "$(kn get cm a b -o yaml | sed -n '1,5p;$p')" = "$(printf 'apiVersion: v1\nitems:\n- apiVersion: v1\n  data:\n    k: v\n  resourceVersion: ""')" ]
	is "configmap/a
configmap/b" kn get cm a b -o name
	is "a b" kn get cm a b -o jsonpath='{.items[*].metadata.name}'
	is "N L
a <none>
b yes" kn get cm a b -o custom-columns=N:.metadata.name,L:.metadata.labels.l
	is "a:1 b:2" kn get cm a b -o go-template='{{range .items}}{{.metadata.name}}:{{len .data}} {{end}}'
	is "NAME DATA AGE L LABELS
a 1 AGE <none>
b 2 AGE yes l=yes" kn get cm a b -L l --show-labels
	is "a 1 AGE" kn get cm a --no-headers
	is "NAME TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE
s ClusterIP IP <none> 80/TCP AGE
e ExternalName <none> x.example.com <none> AGE" services
	is "service/s" kn get svc --field-selector 'spec.type!=ExternalName' -o name
	is "configmap/b" kn get cm -l 'l in (yes,no)' -o name
	is "configmap/a" kn get cm -l '!l' -o name --field-selector metadata.name!=kube-root-ca.crt
	is "configmap/b" kn get cm --field-selector metadata.name=b -o name
	[ "$(kn get cm --chunk-size=1 -o name | wc -l)" -eq 3 ]
	says "$NS a" kc get cm -A --no-headers -o go-template='{{range .items}}{{.metadata.namespace}} {{.metadata.name}}
{{end}}'
	says 'f:data:' kn get cm a -o yaml --show-managed-fields
	[[ $(kn get cm a -o yaml) != *managedFields* ]]
	is "" kn get cm nope --ignore-not-found
	is "No resources found in $NS namespace." kn get pods
	fails_with 'configmaps "nope" not found' kn get cm nope
	fails_with "the server doesn't have a resource type \"nope\"" kn get nope
	fails_with 'field label not supported: foo' kn get cm --field-selector foo=bar
	fails_with "unable to parse requirement: found '', expected: ',', or ')'" kn get cm -l 'x in ('
	fails_with 'the server could not find the requested resource' kc get --raw /nope
	is ok kc get --raw /readyz
	is "exempt probes" kc get flowschemas -o jsonpath='{.items[1].metadata.name} {.items[6].metadata.name}'
	is "exempt 1
probes 2" precedences
}
services() { kn get svc --sort-by=.spec.type | sed -E 's/ClusterIP  +[0-9.]+/ClusterIP  IP/'; }
precedences() { kc get flowschemas | awk 'NR > 1 && NR < 4 { print $1, $3 }'; }

@test "get: watches" {
	set -e
	kn create configmap first
	behind watched -n "$NS" get configmaps -w --output-watch-events
	local one=$BEHIND
	behind only -n "$NS" get configmaps --watch-only -o name
	until_said first watched
	# the second is there when it tells of what comes
	for ((i = 0; i < 100; i++)); do
		kn create configmap "m$i" >/dev/null
		[ ! -s only ] || break
	done
	kn label configmap first a=b >/dev/null
	kn delete configmap first >/dev/null
	until_said DELETED watched
	until_said configmap/first only
	kill "$one" "$BEHIND"
	wait "$one" "$BEHIND" || true
	head -2 watched | tr -s ' ' | grep -q '^ADDED first 0'
	grep -q '^MODIFIED *first' watched
	head -1 only | grep -q '^configmap/m'
}
until_said() { # TEXT FILE
	for ((j = 0; j < 200; j++)); do
		! grep -q "$1" "$2" || return 0
		sleep 0.05
	done
	cat "$2"
	return 1
}

@test "describe" {
	set -e
	web
	kn create -f web.yaml
	says "Replicas:               1 desired | 0 updated | 0 total | 0 available | 0 unavailable
StrategyType:           RollingUpdate
MinReadySeconds:        0
RollingUpdateStrategy:  25% max unavailable, 25% max surge" kn describe deploy web
	kn create -f - <<<"$(pod p 'serviceAccountName: default')"
	says "Service Account:  default" kn describe pod p
	kn create service nodeport s --tcp=80:8080 --node-port=30321
	says "NodePort:                 80-8080  30321/TCP" kn describe svc s
	kn create secret generic s --from-literal=k=value
	says "k:  5 bytes" kn describe secret s
	says "Mountable secrets:   <none>" kn describe cm,sa
	kn create -f - <<-END
		apiVersion: v1
		kind: Event
		metadata: {name: e1}
		involvedObject: {kind: Pod, name: p, namespace: $NS, uid: $(kn get pod p -o jsonpath='{.metadata.uid}')}
		reason: Tested
		message: hello
		type: Warning
		source: {component: me}
		firstTimestamp: "2026-01-02T03:04:05Z"
		lastTimestamp: "2026-01-02T03:04:05Z"
		count: 3
	END
	says "Tested" kn describe pod p
	says "Warning   Tested   Pod/p    hello" kn events
	is "No events found in $NS namespace." kn events --types=Normal
	says "pod/p" kn get events -o wide
	says "note: hello" kn get events.v1.events.k8s.io e1 -o yaml
	says "No resource quota." kc describe ns "$NS"
	says "Local APIServices are always available" kc describe apiservice v1.apps
	says "Matching Precedence:  1" kc describe flowschema exempt
}

@test "apply: by the client" {
	set -e
	web
	is "deployment.apps/web created (server dry run)" kn apply -f web.yaml --dry-run=server
	is "deployment.apps/web created (dry run)" kn apply -f web.yaml --dry-run=client
	is "No resources found in $NS namespace." kn get deploy
	is "deployment.apps/web created" kn apply -f web.yaml
	is "deployment.apps/web unchanged" kn apply -f web.yaml
	is "deployment.apps/web unchanged (server dry run)" kn apply -f web.yaml --dry-run=server
	is "" kn diff -f web.yaml
	web 2 9
	! kn diff -f web.yaml >diff.out
	is "- generation: 1
+ generation: 2
- replicas: 1
+ replicas: 2
- image: nginx:1
+ image: nginx:9" grep -E '^[-+] ' diff.out
	is "deployment.apps/web configured" kn apply -f web.yaml
	is "2 nginx:9 redis" kn get deploy web -o jsonpath='{.spec.replicas} {.spec.template.spec.containers[*].image}'
	says 'image: nginx:9' kn apply view-last-applied deploy web
	web 3
	is "deployment.apps/web configured" kn apply set-last-applied -f web.yaml
	is 2 kn get deploy web -o jsonpath='{.spec.replicas}'
	printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c%s, labels: {p: x}}\n---\n' 1 2 3 >maps.yaml
	is "configmap/c1 created
configmap/c2 created
configmap/c3 created" kn apply -f maps.yaml
	printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c%s, labels: {p: x}}\n---\n' 1 >maps.yaml
	is "configmap/c1 unchanged
configmap/c2 pruned
configmap/c3 pruned" kn apply -f maps.yaml --prune -l p=x --prune-allowlist=core/v1/ConfigMap
	fails_with 'unknown field "spec.replicsa"' kn apply -f - <<<"$(sed 's/replicas:/replicsa:/' web.yaml)"
	# text is kept as data is, so it is the same when it comes again
	printf 'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: b}\n' >s.yaml
	kn apply -f s.yaml
	kn apply -f s.yaml
	is "{\"a\":\"Yg==\"}" kn get secret s -o jsonpath='{.data}{.stringData}'
}

@test "apply: by the server" {
	set -e
	web
	is "deployment.apps/web serverside-applied" kn apply --server-side --field-manager=one -f web.yaml
	web 2 9
	fails_with 'Apply failed with 2 conflicts: conflicts with "one":
- .spec.replicas
- .spec.template.spec.containers[name="c"].image' kn apply --server-side --field-manager=two -f web.yaml
	is "deployment.apps/web serverside-applied (server dry run)" \
		kn apply --server-side --field-manager=two --force-conflicts --dry-run=server -f web.yaml
	is 1 kn get deploy web -o jsonpath='{.spec.replicas}'
	is "deployment.apps/web serverside-applied" kn apply --server-side --field-manager=two --force-conflicts -f web.yaml
	is "one:Apply two:Apply 2" kn get deploy web --show-managed-fields \
		-o jsonpath='{range .metadata.managedFields[*]}{.manager}:{.operation} {end}{.spec.replicas}'
	# what none of them applies any more goes, what one still applies stays
	sed -i '/name: d, image/d' web.yaml
	kn apply --server-side --field-manager=two -f web.yaml
	is "c d" kn get deploy web -o jsonpath='{.spec.template.spec.containers[*].name}'
	sed -i 's/replicas: 2/replicas: 2/; s/nginx:9/nginx:9/' web.yaml
	kn apply --server-side --field-manager=one -f web.yaml
	is "c" kn get deploy web -o jsonpath='{.spec.template.spec.containers[*].name}'
	# from the client's to the server's
	web
	sed -i 's/name: web,/name: moved,/' web.yaml
	kn apply -f web.yaml
	is "deployment.apps/moved serverside-applied" kn apply --server-side -f web.yaml
	is "kubectl:Apply" kn get deploy moved --show-managed-fields -o jsonpath='{.metadata.managedFields[0].manager}:{.metadata.managedFields[0].operation}'
	! kn diff --server-side -f <(sed s/redis/redis:2/ web.yaml) >diff.out
	grep -q '^+ *- image: redis:2' diff.out
}

@test "replace, patch, scale, edit" {
	set -e
	web
	kn create -f web.yaml
	web 2
	is "deployment.apps/web replaced" kn replace -f web.yaml
	uid=$(kn get deploy web -o jsonpath='{.metadata.uid}')
	is "deployment.apps \"web\" deleted
deployment.apps/web replaced" kn replace --force -f web.yaml
	[ "$(kn get deploy web -o jsonpath='{.metadata.uid}')" != "$uid" ]
	fails_with 'configmaps "nope" not found' kn replace -f - <<<'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"nope"}}'
	is "deployment.apps/web patched" kn patch deploy web -p '{"spec":{"template":{"spec":{"containers":[{"name":"e","image":"i"}]}}}}'
	is "e c d" kn get deploy web -o jsonpath='{.spec.template.spec.containers[*].name}'
	is "deployment.apps/web patched" kn patch deploy web -p '{"spec":{"template":{"spec":{"containers":[{"name":"e","$patch":"delete"}]}}}}'
	is "deployment.apps/web patched" kn patch deploy web --type=merge -p '{"spec":{"replicas":4,"paused":true}}'
	is "deployment.apps/web patched" kn patch deploy web --type=json -p '[{"op":"remove","path":"/spec/paused"},{"op":"add","path":"/metadata/labels/x","value":"y"}]'
	is "deployment.apps/web patched (no change)" kn patch deploy web -p '{"spec":{"replicas":4}}'
	is "4 c d y" kn get deploy web -o jsonpath='{.spec.replicas} {.spec.template.spec.containers[*].name} {.metadata.labels.x}{.spec.paused}'
	is "7" kn patch deploy web -p '{"spec":{"replicas":7}}' --dry-run=server -o jsonpath='{.spec.replicas}'
	is "deployment.apps/web patched" kn patch deploy web --subresource=status --type=merge -p '{"spec":{"replicas":9},"status":{"replicas":3,"observedGeneration":1}}'
	is "scale.autoscaling/web patched" kn patch deploy web --subresource=scale --type=merge -p '{"spec":{"replicas":2}}'
	is "NAME DESIRED AVAILABLE AGE
web 2 3 AGE" kn get deploy web --subresource=scale
	is "NAME READY UP-TO-DATE AVAILABLE AGE
web 0/2 0 0 AGE" kn get deploy web --subresource=status
	is "deployment.apps/web scaled" kn scale deploy web --replicas=5 --current-replicas=2
	fails_with "Expected replicas to be 9, was 5" kn scale deploy web --replicas=4 --current-replicas=9
	is "horizontalpodautoscaler.autoscaling/web autoscaled" kn autoscale deploy web --min=1 --max=3 --cpu-percent=50
	is "NAME REFERENCE TARGETS MINPODS MAXPODS REPLICAS AGE
web Deployment/web cpu: <unknown>/50% 1 3 0 AGE" kn get hpa
	fails_with 'The request is invalid: the server rejected our request due to an error in our request' \
		kn patch deploy web --type=json -p '[{"op":"test","path":"/spec/replicas","value":1}]'
	fails_with 'spec.replicas: Invalid value: -1: must be greater than or equal to 0' kn patch deploy web -p '{"spec":{"replicas":-1}}'
	fails_with 'field is immutable' kn patch deploy web --type=merge -p '{"spec":{"selector":{"matchLabels":{"app":"web","a":"b"}},"template":{"metadata":{"labels":{"a":"b"}}}}}'
	says 'Warning: unknown field "spec.nope"' kn patch deploy web -p '{"spec":{"nope":1}}'
	KUBE_EDITOR="sed -i s/replicas:.5/replicas:\ 6/" says "deployment.apps/web edited" kn edit deploy web
	KUBE_EDITOR=true says "Edit cancelled, no changes made." kn edit deploy web
	TMPDIR=$BATS_TEST_TMPDIR KUBE_EDITOR="sed -i s/replicas:.6/replicas:\ -6/" fails_with 'deployments.apps "web" is invalid' kn edit deploy web
	is 6 kn get deploy web -o jsonpath='{.spec.replicas}'
}

@test "label, annotate, set, expose" {
	set -e
	web
	kn create -f web.yaml
	is "deployment.apps/web labeled" kn label deploy web a=b
	fails_with "'a' already has a value (b), and --overwrite is false" kn label deploy web a=c
	is "deployment.apps/web labeled" kn label deploy web a=c --overwrite
	is "a=c
app=web" sorted kn label deploy web --list
	is "deployment.apps/web unlabeled" kn label deploy -l app=web a-
	is "deployment.apps/web annotated" kn annotate deploy --all note=x
	is "deployment.apps/web annotated" kn annotate deploy web note-
	is "deployment.apps/web image updated" kn set image deploy/web d=redis:9
	is "deployment.apps/web env updated" kn set env deploy/web -c d X=Y
	is "# Deployment web, container c
A=B
# Deployment web, container d
X=Y" kn set env deploy/web --list
	is "deployment.apps/web resource requirements updated" kn set resources deploy/web -c d --limits=cpu=0.2,memory=512Mi --requests=cpu=100m
	is "deployment.apps/web serviceaccount updated" kn set serviceaccount deploy/web builder
	is '{"cpu":"200m","memory":"512Mi"} redis:9 builder builder' kn get deploy web \
		-o jsonpath='{.spec.template.spec.containers[1].resources.limits} {.spec.template.spec.containers[1].image} {.spec.template.spec.serviceAccountName} {.spec.template.spec.serviceAccount}'
	is "service/web exposed" kn expose deploy web --port=80 --target-port=8080 --type=NodePort
	is '{"app":"web"} 8080' kn get svc web -o jsonpath='{.spec.selector} {.spec.ports[0].targetPort}'
	is "service/web selector updated" kn set selector svc/web a=b
	kn create role r --verb=get --resource=pods
	kn create rolebinding rb --role=r --user=jo
	is "rolebinding.rbac.authorization.k8s.io/rb subjects updated" kn set subject rolebinding/rb --user=al --group=g
	is "jo al g" kn get rolebinding rb -o jsonpath='{.subjects[*].name}'
	is "pod/p created
service/p created" sorted kn run p --image=x --port=80 --expose
	is "app:p" kn get svc p -o go-template='{{range $k, $v := .spec.selector}}app:{{$v}}{{end}}'
}
sorted() { "$@" | sort; }

@test "delete" {
	set -e
	local i
	for i in a b c d; do kn create configmap "$i"; done
	kn label configmap a b l=1
	is "configmap \"c\" deleted" kn delete cm c --wait=false
	is "configmap \"a\" deleted (server dry run)
configmap \"b\" deleted (server dry run)" kn delete cm -l l=1 --dry-run=server
	is "configmap \"a\" deleted
configmap \"b\" deleted" kn delete cm -l l=1
	is "configmap \"d\" deleted" kn delete cm --field-selector metadata.name=d
	is "No resources found" kn delete secrets --all
	is "" kn delete cm nope --ignore-not-found
	fails_with 'configmaps "nope" not found' kn delete cm nope
	web
	kn create -f web.yaml
	is 'deployment.apps "web" deleted' kn delete deploy web --cascade=orphan --wait=false
	is '["orphan"]' kn get deploy web -o jsonpath='{.metadata.finalizers}'
	kn patch deploy web --type=merge -p '{"metadata":{"finalizers":null}}'
	fails_with 'deployments.apps "web" not found' kn get deploy web
	kn create -f web.yaml
	fails_with 'timed out waiting for the condition on deployments/web' kn delete deploy web --cascade=foreground --timeout=100ms
	is '["foregroundDeletion"]' kn get deploy web -o jsonpath='{.metadata.finalizers}'
	kn patch deploy web --type=merge -p '{"metadata":{"finalizers":null}}'
	kn create -f web.yaml
	is 'deployment.apps "web" deleted' kn delete deploy web --cascade=background
	# pods of a node have their time, others none
	{ pod p1 'nodeName: n1' x; pod p2 'nodeName: n1' x; pod p3; } | kn create -f -
	kn delete pod p1 --wait=false
	kn delete pod p2 --grace-period=5 --wait=false
	kn delete pod p3
	is "p1 30 p2 5" kn get pods -o jsonpath='{range .items[*]}{.metadata.name} {.metadata.deletionGracePeriodSeconds} {end}'
	is "p1 0/1 Terminating 0 AGE
p2 0/1 Terminating 0 AGE" kn get pods --no-headers
	is 'pod "p2" deleted' kn delete pod p2 --now --wait=false
	is 1 kn get pod p2 -o jsonpath='{.metadata.deletionGracePeriodSeconds}'
	says 'pod "p1" force deleted
pod "p2" force deleted' kn delete pods -l app=x --grace-period=0 --force
}

@test "wait" {
	set -e
	web
	kn create -f web.yaml
	kn patch deploy web --subresource=status --type=merge -p '{"status":{"readyReplicas":1,"replicas":1,"conditions":[{"type":"Available","status":"True"}]}}'
	is "deployment.apps/web condition met" kn wait --for=condition=Available deploy/web --timeout=5s
	is "deployment.apps/web condition met" kn wait --for=jsonpath='{.status.readyReplicas}'=1 deploy/web --timeout=5s
	is "deployment.apps/web condition met" kn wait --for=jsonpath='{.status.readyReplicas}' deploy --all --timeout=5s
	fails_with 'timed out waiting for the condition on deployments/web' kn wait --for=condition=Nope deploy/web --timeout=100ms
	behind created -n "$NS" wait --for=create configmap/c --timeout=20s
	kn create configmap c
	wait "$BEHIND"
	is "configmap/c condition met" cat created
	behind deleted -n "$NS" wait --for=delete configmap/c --timeout=20s
	kn delete configmap c
	wait "$BEHIND"
}

@test "rollout" {
	set -e
	web
	kn create -f web.yaml
	is "Waiting for deployment spec update to be observed..." kn rollout status deploy/web --watch=false
	is "deployment.apps/web
No rollout history found." kn rollout history deploy/web
	is "deployment.apps/web paused" kn rollout pause deploy/web
	fails_with 'deployments.apps "web" is already paused' kn rollout pause deploy/web
	is "deployment.apps/web resumed" kn rollout resume deploy/web
	is "deployment.apps/web restarted" kn rollout restart deploy/web
	uid=$(kn get deploy web -o jsonpath='{.metadata.uid}')
	for r in 1 2; do
		cat <<-END
			apiVersion: apps/v1
			kind: ReplicaSet
			metadata:
			  name: web-$r
			  labels: {app: web, pod-template-hash: "$r"}
			  annotations: {deployment.kubernetes.io/revision: "$r", kubernetes.io/change-cause: "cause $r"}
			  ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, uid: $uid, controller: true}]
			spec:
			  selector: {matchLabels: {app: web, pod-template-hash: "$r"}}
			  template: {metadata: {labels: {app: web, pod-template-hash: "$r"}}, spec: {containers: [{name: c, image: "nginx:$r"}]}}
			---
		END
	done | kn create -f -
	kn patch deploy web --subresource=status --type=merge -p '{"status":{"observedGeneration":9,"replicas":1,"updatedReplicas":1,"readyReplicas":1,"availableReplicas":1}}'
	kn annotate deploy web deployment.kubernetes.io/revision=2
	is 'deployment "web" successfully rolled out' kn rollout status deploy/web
	is "deployment.apps/web
REVISION CHANGE-CAUSE
1 cause 1
2 cause 2" kn rollout history deploy/web
	says "Image:	nginx:1" kn rollout history deploy/web --revision=1
	is "deployment.apps/web rolled back" kn rollout undo deploy/web --to-revision=1
	is nginx:1 kn get deploy web -o jsonpath='{.spec.template.spec.containers[*].image}'
}

@test "nodes: taint, cordon, drain" {
	set -e
	kc create -f - <<-END
		{"apiVersion":"v1","kind":"Node","metadata":{"name":"n1","labels":{"node-role.kubernetes.io/worker":""}}}
	END
	kc taint node n1 node.kubernetes.io/not-ready- >/dev/null 2>&1 || true
	is "NAME STATUS ROLES AGE VERSION
n1 Unknown worker AGE" kc get nodes
	is "node/n1 tainted" kc taint node n1 a=b:NoSchedule
	fails_with "already has a taint(s) with same effect(s) and --overwrite is false" kc taint node n1 a=c:NoSchedule
	is "node/n1 modified" kc taint node n1 a=c:NoSchedule --overwrite
	is "node/n1 untainted" kc taint node n1 a-
	is "node/n1 cordoned" kc cordon n1
	is "node/n1 already cordoned" kc cordon n1
	is "n1 Unknown,SchedulingDisabled worker AGE" kc get nodes --no-headers
	is "node/n1 uncordoned" kc uncordon n1
	{ pod p1 'nodeName: n1' x; pod p2 'nodeName: n1' x; } | kn create -f -
	fails_with "cannot delete Pods that declare no controller (use --force to override): $NS/p1, $NS/p2" kc drain n1
	says "evicting pod $NS/p1 (server dry run)" kc drain n1 --force --dry-run=server
	says "Non-terminated Pods:          (2 in total)" kc describe node n1
	kn patch pods p1 p2 --subresource=status --type=merge -p '{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}'
	kn create pdb pdb --selector=app=x --min-available=1
	kn patch pdb pdb --subresource=status --type=merge -p '{"status":{"observedGeneration":1,"disruptionsAllowed":1,"expectedPods":2,"currentHealthy":2,"desiredHealthy":1}}'
	fails_with "Cannot evict pod as it would violate the pod's disruption budget" \
		kc drain n1 --force --pod-selector=app=x --grace-period=0 --timeout=1s
	[ "$(kn get pods -o name | wc -l)" -eq 1 ]
	kn delete pdb pdb
	says "node/n1 drained" kc drain n1 --force --grace-period=0 --timeout=10s
	is "No resources found in $NS namespace." kn get pods
	kc delete node n1
}

@test "auth, certificates, config" {
	set -e
	is yes kc auth can-i create pods
	is yes kc auth can-i '*' '*'
	says "*.*" kc auth can-i --list
	is "kubernetes-admin" kc auth whoami -o jsonpath='{.status.userInfo.username}'
	says "Groups      [system:masters system:authenticated]" whoami
	says "role.rbac.authorization.k8s.io/rr reconciled" kn auth reconcile -f - <<-END
		apiVersion: rbac.authorization.k8s.io/v1
		kind: Role
		metadata: {name: rr, namespace: $NS}
		rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
	END
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout u.key -subj /CN=jo/O=dev -out u.csr 2>/dev/null
	for n in x1 x2; do
		cat <<-END
			apiVersion: certificates.k8s.io/v1
			kind: CertificateSigningRequest
			metadata: {name: $n}
			spec: {request: $(base64 -w0 u.csr), signerName: kubernetes.io/kube-apiserver-client, usages: [client auth]}
			---
		END
	done | kc create -f -
	is "certificatesigningrequest.certificates.k8s.io/x1 approved" kc certificate approve x1
	is "certificatesigningrequest.certificates.k8s.io/x2 denied" kc certificate deny x2
	fails_with 'certificate signing request "x1" is already Approved' kc certificate deny x1
	is "x2 AGE kubernetes.io/kube-apiserver-client kubernetes-admin <none> Denied" kc get csr x2 --no-headers
	says "Common Name:    jo" kc describe csr x1
	is "certificatesigningrequest.certificates.k8s.io \"x1\" deleted
certificatesigningrequest.certificates.k8s.io \"x2\" deleted" kc delete csr x1 x2
	is default kc config current-context
	says "server: https://127.0.0.1:6443" kc config view
}
whoami() { kc auth whoami | sed -E 's/  +/      /'; }

@test "what there is: resources, versions, explain" {
	set -e
	is "bindings v1 true Binding
componentstatuses cs v1 false ComponentStatus
configmaps cm v1 true ConfigMap" first 3 kc api-resources --no-headers
	is "controllerrevisions.apps
daemonsets.apps
deployments.apps
replicasets.apps
statefulsets.apps" kc api-resources --api-group=apps -o name
	is "NAME SHORTNAMES APIVERSION NAMESPACED KIND VERBS CATEGORIES
deployments deploy apps/v1 true Deployment create,delete,deletecollection,get,list,patch,update,watch all" second kc api-resources --api-group=apps --verbs=list,get -o wide
	is "cronjobs,daemonsets,deployments,horizontalpodautoscalers,jobs,pods,replicasets,replicationcontrollers,services,statefulsets," \
		joined kc api-resources --categories=all --sort-by=kind --no-headers
	[ "$(kc api-resources --namespaced=false --cached -o name | grep -c .)" -ge 30 ]
	says "autoscaling/v1
autoscaling/v2
batch/v1" kc api-versions
	says "is running at" kc cluster-info
	says '"kind": "NodeList"' kc cluster-info dump
	is "v1.36" server_version
	says "FIELD: replicas <integer>" kc explain deploy.spec.replicas
	says "  type	<string>
  enum: Recreate, RollingUpdate" kc explain deploy.spec.strategy
	says "  key	<string> -required-
  mode	<integer>
  path	<string> -required-" kc explain pod.spec.volumes.configMap.items --recursive
	says "VERSION:    v1" kc explain hpa --api-version=autoscaling/v1
	says "FIELD:    replicas <integer>" kc explain deploy.spec.replicas --output=plaintext-openapiv2
	fails_with 'field "nope" does not exist' kc explain pods.nope
}
first() { "${@:2}" | head -"$1"; }
second() { "$@" | sed -n '1p;4p'; }
joined() { "$@" | awk '{ printf "%s,", $1 }'; }
server_version() { kc version -o json 2>/dev/null | jq -r '"v" + .serverVersion.major + "." + .serverVersion.minor'; }

@test "proxy" {
	set -e
	kn create configmap one --from-literal=a=1
	behind proxy.out proxy --port=0
	until_said 'Starting to serve' proxy.out
	local at
	at=$(grep -o '127.0.0.1:[0-9]*' proxy.out)
	is 1 proxied "$at" "/api/v1/namespaces/$NS/configmaps/one" .data.a
	is Table proxied "$at" "/api/v1/namespaces/$NS/configmaps" .kind -H 'Accept: application/json;as=Table;v=v1;g=meta.k8s.io'
	kill "$BEHIND"
	wait "$BEHIND" || true
}
proxied() { within curl -sf "${@:4}" "http://$1$2" | jq -r "$3"; }

@test "a namespace ends, others are guarded" {
	set -e
	kn create configmap one
	kc delete namespace "$NS" --wait=false
	is Terminating kc get namespace "$NS" -o jsonpath='{.status.phase}'
	fails_with "because it is being terminated" kn create configmap two
	fails_with "this namespace may not be deleted" kc delete namespace default
}
