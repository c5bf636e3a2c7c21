#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Releases of helm 4: charts with definitions of kinds, hooks, lookups; both ways of applying.

bats_require_minimum_version 1.5.0
CACHE=${TEU_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/teu}
load apiserver.bash

setup_file() {
	[ -x "$CACHE/kube/helm" ] || return 0
	export HELM=$CACHE/kube/helm
	api_file_start
}
teardown_file() { api_file_stop; }
setup() {
	api_test_setup
	chart
}

h() { within "$HELM" -n "$NS" "$@"; }

# web/: a chart with a definition of a kind, an object of it, a Deployment, a lookup, a hook.
chart() {
	rm -rf web
	mkdir -p web/crds web/templates
	printf 'apiVersion: v2\nname: web\nversion: 0.1.0\nappVersion: "7"\n' >web/Chart.yaml
	printf 'a: x\nreplicas: 1\ndeploys: false\n' >web/values.yaml
	cat >web/crds/foos.yaml <<-END
		apiVersion: apiextensions.k8s.io/v1
		kind: CustomResourceDefinition
		metadata: {name: foos.example.com}
		spec:
		  group: example.com
		  scope: Namespaced
		  names: {plural: foos, singular: foo, kind: Foo, listKind: FooList}
		  versions:
		  - name: v1
		    served: true
		    storage: true
		    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {a: {type: string}}}}}}
	END
	cat >web/templates/objects.yaml <<-'END'
		apiVersion: example.com/v1
		kind: Foo
		metadata: {name: {{ .Release.Name }}}
		spec: {a: {{ .Values.a | quote }}}
		---
		apiVersion: v1
		kind: ConfigMap
		metadata: {name: {{ .Release.Name }}}
		data:
		  a: {{ .Values.a | quote }}
		  found: {{ (lookup "v1" "ServiceAccount" .Release.Namespace "default").metadata.name | quote }}
		  none: {{ lookup "v1" "Secret" .Release.Namespace "nope" | toJson | quote }}
		  has: {{ .Capabilities.APIVersions.Has "apps/v1/Deployment" | quote }}
		---
		apiVersion: v1
		kind: ConfigMap
		metadata:
		  name: {{ .Release.Name }}-hook
		  annotations: {helm.sh/hook: "pre-install,pre-upgrade,post-delete", helm.sh/hook-delete-policy: before-hook-creation}
		data: {revision: {{ .Release.Revision | quote }}}
		{{- if .Values.deploys }}
		---
		apiVersion: apps/v1
		kind: Deployment
		metadata: {name: {{ .Release.Name }}}
		spec:
		  replicas: {{ .Values.replicas }}
		  selector: {matchLabels: {app: web}}
		  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: nginx}]}}
		{{- end }}
	END
	echo 'Release {{ .Release.Name }} is there.' >web/templates/NOTES.txt
}

data() { kn get configmap "$1" -o jsonpath="{.data.$2}"; }

@test "helm: install, status, upgrade, history, rollback, get, uninstall" {
	set -e
	says "STATUS: deployed" h install w web --wait --timeout 20s
	is "x default {} true" kn get configmap w -o jsonpath='{.data.a} {.data.found} {.data.none} {.data.has}'
	is 1 data w-hook revision
	is x kn get foo w -o jsonpath='{.spec.a}'
	fails_with "cannot reuse a name that is still in use" h install w web
	says "foos.example.com" kc get crd -o name
	says "deployed" h list --no-headers
	says "==> v1/Foo" h status w
	says "STATUS: deployed" h upgrade w web --set a=y,deploys=true
	is "y 2" both
	is "1 superseded Install complete
2 deployed Upgrade complete" revisions
	says "Rollback was a success" h rollback w 1
	is "x 2" both # a rollback has no pre-upgrade hooks
	fails_with 'deployments.apps "w" not found' kn get deploy w
	says "# Source: web/templates/objects.yaml" h get manifest w
	says "revision: \"1\"" h get hooks w
	says "Release w is there." h get notes w
	is "null" user_values
	says "a: x" h get values w --all
	says "STATUS: deployed" h get metadata w
	[ "$(kn get secret -l owner=helm,name=w -o name | wc -l)" -eq 3 ]
	says 'release "w" uninstalled' h uninstall w --wait --timeout 20s
	fails_with 'configmaps "w" not found' kn get configmap w
	is "" h list -q
	fails_with "release: not found" h uninstall w
}
both() { kn get configmap w w-hook -o jsonpath='{.items[0].data.a} {.items[1].data.revision}'; }
revisions() { h history w -o json | jq -r '.[] | "\(.revision) \(.status) \(.description)"'; }
user_values() { h get values w -o json; }

@test "helm: dry runs, both ways of applying, conflicts" {
	set -e
	kc apply -f web/crds
	kc wait --for=condition=Established crd/foos.example.com --timeout=10s
	says "found: \"default\"" h install w web --dry-run=server
	is "" h list -q
	fails_with 'nil pointer evaluating interface {}.name' h template w web # nobody is asked
	says "STATUS: deployed" h install w web --server-side=false
	says "STATUS: deployed" h upgrade w web --set a=y --server-side=false
	is y data w a
	says "STATUS: deployed" h upgrade w web --set a=z --server-side=true --force-conflicts
	is z data w a
	kn patch configmap w --type merge -p '{"data":{"a":"mine"}}' --field-manager=me
	fails_with 'conflict with "me" using v1' h upgrade w web --set a=q
	is mine data w a
	says "STATUS: deployed" h upgrade w web --set a=q --force-conflicts
	is q data w a
	says "STATUS: deployed" h upgrade --install v web --wait=hookOnly
	says 'release "v" uninstalled' h uninstall v --keep-history
	says "uninstalled" h list --uninstalled --no-headers
	says 'found: "default"' h template w web --dry-run=server
}

@test "helm: who waits for pods that do not come is told" {
	set -e
	fails_with "resource Deployment/$NS/w not ready" h install w web --set deploys=true --wait=watcher --timeout 1s
	says "failed" h list --failed --no-headers
	says "STATUS: deployed" h install r web --set deploys=true,replicas=0 --take-ownership
	is 0 kn get deploy r -o jsonpath='{.spec.replicas}'
}
