#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The API server as Python's kubernetes client uses it: apiwalk.py NAMESPACE CASE.

A case is a function below. What goes wrong is printed, all of it; the exit status is 1 then.
"""
import base64
import json
import sys
import threading

import yaml
from kubernetes import client, config, dynamic, watch
from kubernetes.client.rest import ApiException
from kubernetes.dynamic.exceptions import ConflictError, DynamicApiError, NotFoundError

POD = "spec: {containers: [{name: c, image: b}]}"
TEMPLATE = "template: {metadata: {labels: {app: x}}, " + POD + "}"
WORKLOAD = "selector: {matchLabels: {app: x}}, " + TEMPLATE
CONDITION = "{type: Ready, status: 'True', reason: R, message: m, lastTransitionTime: '2026-01-02T03:04:05Z'}"
WEBHOOK = ("webhooks: [{name: a.example.com, sideEffects: None, admissionReviewVersions: [v1], failurePolicy: Ignore, "
           "clientConfig: {url: 'https://a.example.com/'}}]")
POLICY_RULES = "resourceRules: [{apiGroups: [none.example.com], apiVersions: [v1], operations: [CREATE], resources: [nones]}]"

# Everything that can be created, listed and deleted: what a small valid object has beside metadata, and a status.
KINDS = {
    "v1/ConfigMap": ("data: {a: b}", None),
    "v1/Endpoints": ("subsets: [{addresses: [{ip: 10.1.2.3}], ports: [{port: 80}]}]", None),
    "v1/Event": ("involvedObject: {kind: Pod, name: p, namespace: NS}, reason: R, message: m, type: Normal, action: Do, "
                 "eventTime: '2026-01-02T03:04:05.000006Z', reportingComponent: example.com/c, reportingInstance: i", None),
    "v1/LimitRange": ("spec: {limits: [{type: Container, max: {example.com/x: '5'}}]}", None),
    "v1/Namespace": ("", f"conditions: [{CONDITION}]"),
    "v1/Node": ("", "conditions: [{type: Ready, status: 'True'}]"),
    "v1/PersistentVolumeClaim": ("spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}", "phase: Bound"),
    "v1/PersistentVolume": ("spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], hostPath: {path: /x}}", "phase: Available"),
    "v1/Pod": (POD, "phase: Running"),
    "v1/PodTemplate": (TEMPLATE, None),
    "v1/ReplicationController": ("spec: {replicas: 1, selector: {app: x}, " + TEMPLATE + "}", "replicas: 1"),
    "v1/ResourceQuota": ("spec: {hard: {example.com/none: '5'}}", "hard: {example.com/none: '5'}"),
    "v1/Secret": ("stringData: {a: b}", None),
    "v1/ServiceAccount": ("", None),
    "v1/Service": ("spec: {ports: [{port: 80}], selector: {app: x}}", f"conditions: [{CONDITION}]"),
    "apps/v1/ControllerRevision": ("revision: 1, data: {a: b}", None),
    "apps/v1/DaemonSet": ("spec: {" + WORKLOAD + "}", "numberReady: 1"),
    "apps/v1/Deployment": ("spec: {replicas: 1, " + WORKLOAD + "}", "replicas: 1"),
    "apps/v1/ReplicaSet": ("spec: {replicas: 1, " + WORKLOAD + "}", "replicas: 1"),
    "apps/v1/StatefulSet": ("spec: {replicas: 1, serviceName: s, " + WORKLOAD + "}", "replicas: 1"),
    "batch/v1/CronJob": ("spec: {schedule: '* * * * *', jobTemplate: {spec: {template: {spec: {restartPolicy: Never, "
                         "containers: [{name: c, image: b}]}}}}}", "lastScheduleTime: '2026-01-02T03:04:05Z'"),
    "batch/v1/Job": ("spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: b}]}}}", "active: 1"),
    "autoscaling/v2/HorizontalPodAutoscaler": ("spec: {maxReplicas: 3, scaleTargetRef: {kind: Deployment, name: d, apiVersion: apps/v1}}",
                                               "currentReplicas: 1, desiredReplicas: 2"),
    "autoscaling/v1/HorizontalPodAutoscaler": ("spec: {maxReplicas: 3, scaleTargetRef: {kind: Deployment, name: d, apiVersion: apps/v1}}",
                                               "currentReplicas: 1, desiredReplicas: 2"),
    "policy/v1/PodDisruptionBudget": ("spec: {minAvailable: 1, selector: {matchLabels: {app: x}}}",
                                      "disruptionsAllowed: 1, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1"),
    "networking.k8s.io/v1/IngressClass": ("spec: {controller: example.com/x}", None),
    "networking.k8s.io/v1/Ingress": ("spec: {defaultBackend: {service: {name: s, port: {number: 80}}}}", "loadBalancer: {ingress: [{ip: 10.1.2.3}]}"),
    "networking.k8s.io/v1/IPAddress": ("spec: {parentRef: {resource: services, name: s, namespace: NS}}", None),
    "networking.k8s.io/v1/NetworkPolicy": ("spec: {podSelector: {}}", None),
    "networking.k8s.io/v1/ServiceCIDR": ("spec: {cidrs: [10.77.0.0/24]}", f"conditions: [{CONDITION}]"),
    "discovery.k8s.io/v1/EndpointSlice": ("addressType: IPv4, endpoints: [{addresses: [10.1.2.3]}], ports: [{port: 80}]", None),
    "events.k8s.io/v1/Event": ("eventTime: '2026-01-02T03:04:05.000006Z', reportingController: example.com/c, reportingInstance: i, action: Do, "
                               "reason: R, type: Normal, regarding: {kind: Pod, name: p, namespace: NS}", None),
    "coordination.k8s.io/v1/Lease": ("spec: {holderIdentity: me, leaseDurationSeconds: 10, renewTime: '2026-01-02T03:04:05.000006Z'}", None),
    "rbac.authorization.k8s.io/v1/ClusterRole": ("rules: [{apiGroups: [''], resources: [pods], verbs: [get]}]", None),
    "rbac.authorization.k8s.io/v1/ClusterRoleBinding": ("roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}, "
                                                        "subjects: [{kind: User, name: jo, apiGroup: rbac.authorization.k8s.io}]", None),
    "rbac.authorization.k8s.io/v1/Role": ("rules: [{apiGroups: [''], resources: [pods], verbs: [get]}]", None),
    "rbac.authorization.k8s.io/v1/RoleBinding": ("roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}, "
                                                 "subjects: [{kind: User, name: jo, apiGroup: rbac.authorization.k8s.io}]", None),
    "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy": (
        "spec: {matchConstraints: {" + POLICY_RULES + "}, reinvocationPolicy: Never, failurePolicy: Ignore, mutations: "
        "[{patchType: JSONPatch, jsonPatch: {expression: '[JSONPatch{op: \"test\", path: \"/kind\", value: \"Pod\"}]'}}]}", None),
    "admissionregistration.k8s.io/v1/MutatingAdmissionPolicyBinding": ("spec: {policyName: p}", None),
    "admissionregistration.k8s.io/v1/MutatingWebhookConfiguration": (WEBHOOK, None),
    "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy": (
        "spec: {matchConstraints: {" + POLICY_RULES + "}, failurePolicy: Ignore, validations: [{expression: 'true'}]}", "observedGeneration: 1"),
    "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicyBinding": ("spec: {policyName: p, validationActions: [Audit]}", None),
    "admissionregistration.k8s.io/v1/ValidatingWebhookConfiguration": (WEBHOOK, None),
    "apiextensions.k8s.io/v1/CustomResourceDefinition": (
        "spec: {group: example.com, scope: Namespaced, names: {plural: PLURAL, kind: KIND}, versions: [{name: v1, served: true, storage: true, "
        "schema: {openAPIV3Schema: {type: object}}}]}", "storedVersions: [v1]"),
    "apiregistration.k8s.io/v1/APIService": ("spec: {group: GROUP, version: v1, groupPriorityMinimum: 100, versionPriority: 10, "
                                             "insecureSkipTLSVerify: true, service: {name: s, namespace: NS}}",
                                             "{}"),
    "certificates.k8s.io/v1/CertificateSigningRequest": ("spec: {signerName: example.com/x, usages: [client auth], request: CSR}",
                                                         "conditions: [{type: Failed, status: 'True', reason: R}]"),
    "flowcontrol.apiserver.k8s.io/v1/FlowSchema": ("spec: {matchingPrecedence: 5000, priorityLevelConfiguration: {name: catch-all}}",
                                                   f"conditions: [{CONDITION}]"),
    "flowcontrol.apiserver.k8s.io/v1/PriorityLevelConfiguration": ("spec: {type: Limited, limited: {nominalConcurrencyShares: 1, limitResponse: "
                                                                   "{type: Reject}}}", f"conditions: [{CONDITION}]"),
    "node.k8s.io/v1/RuntimeClass": ("handler: h", None),
    "scheduling.k8s.io/v1/PriorityClass": ("value: 7", None),
    "storage.k8s.io/v1/CSIDriver": ("spec: {attachRequired: false}", None),
    "storage.k8s.io/v1/CSINode": ("spec: {drivers: []}", None),
    "storage.k8s.io/v1/CSIStorageCapacity": ("storageClassName: sc, capacity: 1Gi", None),
    "storage.k8s.io/v1/StorageClass": ("provisioner: example.com/x", None),
    "storage.k8s.io/v1/VolumeAttachment": ("spec: {attacher: example.com, nodeName: n, source: {persistentVolumeName: v}}", "attached: true"),
    "storage.k8s.io/v1/VolumeAttributesClass": ("driverName: example.com, parameters: {a: b}", None),
    "resource.k8s.io/v1/DeviceClass": ("spec: {selectors: [{cel: {expression: 'true'}}]}", None),
    "resource.k8s.io/v1/ResourceClaim": ("spec: {devices: {requests: [{name: r, exactly: {deviceClassName: c}}]}}", "{}"),
    "resource.k8s.io/v1/ResourceClaimTemplate": ("spec: {spec: {devices: {requests: [{name: r, exactly: {deviceClassName: c}}]}}}", None),
    "resource.k8s.io/v1/ResourceSlice": ("spec: {driver: example.com, nodeName: n, pool: {name: p, generation: 1, resourceSliceCount: 1}, devices: []}",
                                         None),
}

# What is only posted, and what the answer has.
REVIEWS = {
    "authentication.k8s.io/v1/SelfSubjectReview": ("", "status.userInfo.username", "kubernetes-admin"),
    "authentication.k8s.io/v1/TokenReview": ("spec: {token: nobodys}", "status.error", None),
    "authorization.k8s.io/v1/SelfSubjectAccessReview": ("spec: {resourceAttributes: {verb: get, resource: pods}}", "status.allowed", True),
    "authorization.k8s.io/v1/SubjectAccessReview": ("spec: {user: jo, groups: ['system:masters'], resourceAttributes: {verb: get, resource: pods}}",
                                                    "status.allowed", True),
    "authorization.k8s.io/v1/LocalSubjectAccessReview": ("spec: {user: jo, groups: ['system:masters'], resourceAttributes: {verb: get, resource: pods, "
                                                         "namespace: NS}}", "status.allowed", True),
    "authorization.k8s.io/v1/SelfSubjectRulesReview": ("spec: {namespace: NS}", "status.incomplete", False),
}

PATCHES = {
    "application/json-patch+json": lambda m: [{"op": "add", "path": "/metadata/annotations", "value": {"json": "1"}}],
    "application/merge-patch+json": lambda m: {"metadata": {"annotations": {"merge": "1"}}},
    "application/strategic-merge-patch+json": lambda m: {"metadata": {"annotations": {"strategic": "1"}}},
}


class Walk:
    def __init__(self, namespace):
        config.load_kube_config()
        self.ns, self.wrong, self.where = namespace, 0, ""
        self.api = client.ApiClient()
        self.dyn = dynamic.DynamicClient(self.api)

    def check(self, ok, *what):
        if not ok:
            self.wrong += 1
            print(f"{self.where}: " + " ".join(str(w) for w in what))

    def fails(self, error, what, fn, *a, **k):
        try:
            fn(*a, **k)
        except error:
            return
        except DynamicApiError as e:
            self.check(False, what, "failed with", e.status, e.body[:300])
            return
        self.check(False, what, "did not fail")

    def resource(self, kind):
        gv, _, k = kind.rpartition("/")
        return self.dyn.resources.get(api_version=gv, kind=k)

    def name(self, kind, i=0):
        k = kind.rpartition("/")[2]
        word = "abc"[i] + k.lower()
        return {"IPAddress": f"10.99.0.{i + 1}", "CustomResourceDefinition": f"{word}s.example.com",
                "APIService": f"v1.{word}.example.com"}.get(k, f"walk-{word}" + ("-other" if kind.startswith(("autoscaling/v1", "events")) else ""))

    def body(self, kind, i=0):
        name = self.name(kind, i)
        text = KINDS[kind][0].replace("NS", self.ns).replace("PLURAL", name.split(".")[0]).replace("GROUP", name.partition(".")[2])
        text = text.replace("KIND", name.split(".")[0].title())
        o = yaml.safe_load("{" + text + "}")
        if kind.endswith("CertificateSigningRequest"):
            o["spec"]["request"] = request()
        if kind.endswith("CSIStorageCapacity"):
            o["storageClassName"] += str(i)
        o.update(apiVersion=kind.rpartition("/")[0], kind=kind.rpartition("/")[2], metadata={"name": name, "labels": {"walk": "yes"}})
        return o

    def place(self, r):
        return {"namespace": self.ns} if r.namespaced else {}

    def clean(self, r, name):
        """What finalizers hold is let go."""
        try:
            o = r.get(name=name, **self.place(r)).to_dict()
        except NotFoundError:
            return
        if r.kind == "Namespace":
            o["spec"]["finalizers"] = []
            call(self.api, "PUT", f"/api/v1/namespaces/{name}/finalize", o)
        elif o["metadata"].get("finalizers"):
            try:
                r.patch(body={"metadata": {"finalizers": None}}, name=name, content_type="application/merge-patch+json", **self.place(r))
            except NotFoundError:  # whoever they are of was faster
                pass


def request():
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "jo")])).sign(key, hashes.SHA256())
    return base64.b64encode(csr.public_bytes(serialization.Encoding.PEM)).decode()


def call(api, method, path, body=None, **headers):
    """Raw: the answer as a document."""
    if "yaml" in headers.get("Content-Type", ""):
        body = json.dumps(body)  # what is no JSON goes out as it is
    a = api.call_api(path, method, body=body, header_params={"Accept": "application/json", **headers}, auth_settings=["BearerToken"],
                     _preload_content=False)
    return json.loads(a[0].data)


def inside(want, got):
    """All of want is in got; lists may have more, of others."""
    if isinstance(want, dict):
        return isinstance(got, dict) and all(inside(v, got.get(k)) for k, v in want.items())
    if isinstance(want, list):
        return isinstance(got, list) and all(any(inside(x, y) for y in got) for x in want)
    return want == got


# ---- cases ----

def every_kind(w):
    """Each kind of the table, with each verb that discovery has for it."""
    for kind in KINDS:
        w.where = kind
        try:
            one_kind(w, kind)
        except (DynamicApiError, ApiException) as e:
            w.check(False, e.status, str(e.body)[:500])
    w.where = "discovery"
    served = {f"{r.group_version}/{r.kind}" for rs in w.dyn.resources for r in (rs if isinstance(rs, list) else [rs])
              if "create" in (r.verbs or []) and "list" in r.verbs and not r.kind.endswith("List")}
    w.check(served == set(KINDS), "differs from the table:", sorted(served ^ set(KINDS)))


def one_kind(w, kind):
    r, at = w.resource(kind), w.place(w.resource(kind))
    name = w.name(kind)
    before = r.get(**at).metadata.resourceVersion
    o = r.create(body=w.body(kind), **at).to_dict()
    w.check(o["metadata"].get("uid") and o["metadata"].get("creationTimestamp") and o["metadata"]["managedFields"], "no metadata")
    w.check(o["kind"] == r.kind and o["apiVersion"] == r.group_version, "kind", o["kind"], o["apiVersion"])
    w.fails(ConflictError, "the same again", r.create, body=w.body(kind), **at)
    w.check(r.get(name=name, **at).metadata.uid == o["metadata"]["uid"], "get")
    w.check([i.metadata.name for i in r.get(label_selector="walk=yes", **at).items] == [name], "list by label")
    w.check([i.metadata.name for i in r.get(field_selector=f"metadata.name={name}", **at).items] == [name], "list by name")
    update(w, r, at, name)
    for media, make in PATCHES.items():
        make = make(o)
        p = r.patch(body=make, name=name, content_type=media, **at)
        word = media.split("/")[1].split("-")[0]
        w.check(p.to_dict()["metadata"]["annotations"].get(word) == "1", media)
    applied = {"apiVersion": r.group_version, "kind": r.kind, "metadata": {"name": name, "annotations": {"apply": "1"}}}
    path = f"{r.path(name=name, **at)}?fieldManager=walk&force=true"
    a = call(w.api, "PATCH", path, applied, **{"Content-Type": "application/apply-patch+yaml"})
    w.check(a["metadata"]["annotations"].get("apply") == "1" and any(m["operation"] == "Apply" for m in a["metadata"]["managedFields"]), "apply")
    subresources(w, kind, r, at, name)
    delete(w, kind, r, at, name)
    events(w, r, at, name, before)
    if "deletecollection" in r.verbs:
        for i in (1, 2):
            r.create(body=w.body(kind, i), **at)
        r.delete(label_selector="walk=yes", **at)
        for i in (1, 2):
            w.clean(r, w.name(kind, i))
        w.check(not r.get(label_selector="walk=yes", **at).items, "deletecollection left some")


def update(w, r, at, name):
    o = r.get(name=name, **at).to_dict()
    o["metadata"]["labels"]["updated"] = "yes"
    n = r.replace(body=o, name=name, **at)
    w.check(n.metadata.labels.updated == "yes", "update")
    w.check(int(n.metadata.resourceVersion) > int(o["metadata"]["resourceVersion"]), "the revision after an update")
    o["metadata"]["labels"]["updated"] = "no"
    w.fails(ConflictError, "an update of what was", r.replace, body=o, name=name, **at)


def subresources(w, kind, r, at, name):
    status = KINDS[kind][1]
    subs = set(r.subresources)
    w.check(("status" in subs) == (status is not None), "status is", "not" * (status is None), "in the table, discovery has", subs)
    if status is not None:
        want = yaml.safe_load("{" + status + "}") if status != "{}" else {}
        sub = r.subresources["status"]
        p = sub.patch(body={"status": want}, name=name, content_type="application/merge-patch+json", **at).to_dict()
        w.check(inside(want, p.get("status", {})), "status patched is", p.get("status"))
        for again in range(20):
            g = sub.get(name=name, **at).to_dict()
            try:
                n = sub.replace(body=g, name=name, **at).to_dict()
                break
            except ConflictError:  # controllers write there, too
                w.check(again < 19, "status is never put")
        w.check(inside(want, g.get("status", {})), "status got is", g.get("status"))
        w.check(inside(want, n.get("status", {})), "status put is", n.get("status"))
    if "scale" in subs:
        sub = r.subresources["scale"]
        s = sub.get(name=name, **at).to_dict()
        w.check(s["kind"] == "Scale" and s["spec"]["replicas"] == 1, "scale", s)
        s["spec"]["replicas"] = 3
        w.check(sub.replace(body=s, name=name, **at).spec.replicas == 3, "scale put")
        p = sub.patch(body={"spec": {"replicas": 2}}, name=name, content_type="application/merge-patch+json", **at)
        w.check(p.spec.replicas == 2 and r.get(name=name, **at).spec.replicas == 2, "scale patched")
    if kind == "v1/Pod":
        o = call(w.api, "PATCH", f"/api/v1/namespaces/{w.ns}/pods/{name}/ephemeralcontainers",
                 {"spec": {"ephemeralContainers": [{"name": "e", "image": "b"}]}}, **{"Content-Type": "application/strategic-merge-patch+json"})
        w.check(o["spec"]["ephemeralContainers"][0]["name"] == "e", "ephemeralcontainers")
        o = call(w.api, "PATCH", f"/api/v1/namespaces/{w.ns}/pods/{name}/resize",
                 {"spec": {"containers": [{"name": "c", "resources": {}}]}}, **{"Content-Type": "application/strategic-merge-patch+json"})
        w.check(o["kind"] == "Pod", "resize")
    if kind.endswith("CertificateSigningRequest"):
        o = call(w.api, "PATCH", f"/apis/certificates.k8s.io/v1/certificatesigningrequests/{name}/approval",
                 [{"op": "add", "path": "/status/conditions/-", "value": {"type": "Approved", "status": "True", "reason": "R"}}],
                 **{"Content-Type": "application/json-patch+json"})
        w.check("Approved" in [c["type"] for c in o["status"]["conditions"]], "approval", o["status"])


def delete(w, kind, r, at, name):
    w.fails(ConflictError, "to delete another", r.delete, name=name, body={"preconditions": {"uid": "11111111-1111-1111-1111-111111111111"}}, **at)
    r.delete(name=name, body={"gracePeriodSeconds": 0}, **at)
    w.clean(r, name)
    w.fails(NotFoundError, "to get what is deleted", r.get, name=name, **at)
    w.fails(NotFoundError, "to delete what is deleted", r.delete, name=name, **at)


def events(w, r, at, name, before):
    """All that happened since `before`, as a watch tells it."""
    seen = []
    for e in w.dyn.watch(r, resource_version=before, field_selector=f"metadata.name={name}", timeout=10, **at):
        seen.append(e["type"])
        if e["type"] == "DELETED":
            break
    w.check(seen[0] == "ADDED" and seen[-1] == "DELETED" and set(seen[1:-1]) == {"MODIFIED"}, "events", seen)


def reviews(w):
    for kind, (text, path, want) in REVIEWS.items():
        w.where = kind
        r = w.resource(kind)
        body = {"apiVersion": r.group_version, "kind": r.kind, **yaml.safe_load("{" + text.replace("NS", w.ns) + "}")}
        got = r.create(body=body, **w.place(r)).to_dict()
        for step in path.split("."):
            got = got.get(step) if isinstance(got, dict) else None
        w.check(got == want if want is not None else got, path, "is", got)
    w.where = "componentstatuses"
    names = [i.metadata.name for i in w.resource("v1/ComponentStatus").get().items]
    w.check(names == ["controller-manager", "etcd-0", "scheduler"], names)
    w.where = "bindings"
    pods = w.resource("v1/Pod")
    pods.create(body=w.body("v1/Pod"), namespace=w.ns)
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": w.name("v1/Pod")}, "target": {"kind": "Node", "name": "n9"}}
    call(w.api, "POST", f"/api/v1/namespaces/{w.ns}/pods/{w.name('v1/Pod')}/binding", binding)
    w.check(pods.get(name=w.name("v1/Pod"), namespace=w.ns).spec.nodeName == "n9", "not bound")
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": w.name("v1/Pod")}, "deleteOptions": {"gracePeriodSeconds": 0}}
    got = call(w.api, "POST", f"/api/v1/namespaces/{w.ns}/pods/{w.name('v1/Pod')}/eviction", eviction)
    w.check(got["status"] == "Success", "eviction", got)
    w.fails(NotFoundError, "the evicted is there", pods.get, name=w.name("v1/Pod"), namespace=w.ns)


def typed(w):
    """One of each kind is there, and all lists of the typed client read it: it checks what is required."""
    held = ("CustomResourceDefinition", "APIService", "Namespace", "ServiceCIDR")
    for kind in KINDS:
        if not kind.endswith(held):
            r = w.resource(kind)
            r.create(body=w.body(kind), **w.place(r))
    served = {g.group_version for g in groups(w.api)}
    lists = 0
    for cls in (c for c in vars(client).values() if isinstance(c, type) and c.__name__.endswith("Api")):
        name = cls.__name__
        for m in [m for m in dir(cls) if m.startswith("list_") and not m.endswith("_with_http_info")]:
            if name not in TYPED or TYPED[name] not in served or m.startswith(("list_namespaced_", "list_cluster_custom")):
                continue
            w.where = f"{name}.{m}"
            try:
                got = getattr(cls(w.api), m)()
                lists += 1
                w.check(got.items is not None and (got.metadata.resource_version or "component" in m), "no list")
            except (ApiException, ValueError) as e:
                w.check(False, e)
    w.where = "typed"
    w.check(lists >= 45, lists, "lists only")
    for kind in KINDS:
        if not kind.endswith(held):
            r = w.resource(kind)
            r.delete(name=w.name(kind), body={"gracePeriodSeconds": 0}, **w.place(r))
            w.clean(r, w.name(kind))
    typed_life(w)


TYPED = {"CoreV1Api": "v1", "AppsV1Api": "apps/v1", "BatchV1Api": "batch/v1", "AutoscalingV1Api": "autoscaling/v1", "PolicyV1Api": "policy/v1",
         "NetworkingV1Api": "networking.k8s.io/v1", "DiscoveryV1Api": "discovery.k8s.io/v1", "EventsV1Api": "events.k8s.io/v1",
         "CoordinationV1Api": "coordination.k8s.io/v1", "RbacAuthorizationV1Api": "rbac.authorization.k8s.io/v1",
         "AdmissionregistrationV1Api": "admissionregistration.k8s.io/v1", "ApiextensionsV1Api": "apiextensions.k8s.io/v1",
         "ApiregistrationV1Api": "apiregistration.k8s.io/v1", "CertificatesV1Api": "certificates.k8s.io/v1", "NodeV1Api": "node.k8s.io/v1",
         "SchedulingV1Api": "scheduling.k8s.io/v1", "StorageV1Api": "storage.k8s.io/v1"}


def groups(api):
    yield client.V1GroupVersionForDiscovery(group_version="v1", version="v1")
    for g in client.ApisApi(api).get_api_versions().groups:
        yield from g.versions


def typed_life(w):
    apps, core = client.AppsV1Api(w.api), client.CoreV1Api(w.api)
    labels = {"app": "typed"}
    pod = client.V1PodTemplateSpec(metadata=client.V1ObjectMeta(labels=labels),
                                   spec=client.V1PodSpec(containers=[client.V1Container(name="c", image="b", resources=client.V1ResourceRequirements(
                                       limits={"cpu": "500m"}))]))
    spec = client.V1DeploymentSpec(replicas=2, selector=client.V1LabelSelector(match_labels=labels), template=pod)
    d = apps.create_namespaced_deployment(w.ns, client.V1Deployment(metadata=client.V1ObjectMeta(name="typed", labels=labels), spec=spec))
    w.check(d.spec.template.spec.restart_policy == "Always" and d.metadata.generation == 1, "defaults")
    w.check(apps.patch_namespaced_deployment_scale("typed", w.ns, {"spec": {"replicas": 5}}).spec.replicas == 5, "scale")
    d = apps.read_namespaced_deployment("typed", w.ns)
    d.spec.template.spec.containers[0].image = "new"
    w.check(apps.replace_namespaced_deployment("typed", w.ns, d).metadata.generation == 3, "generation")
    w.check(apps.create_namespaced_deployment(w.ns, client.V1Deployment(metadata=client.V1ObjectMeta(generate_name="g-"), spec=spec),
                                              dry_run="All").metadata.name.startswith("g-"), "dry run")
    w.check(apps.delete_namespaced_deployment("typed", w.ns, propagation_policy="Background").status == "Success", "delete")
    core.create_namespaced_config_map(w.ns, client.V1ConfigMap(metadata=client.V1ObjectMeta(name="typed"), binary_data={"a": "AAEC"}))
    w.check(core.read_namespaced_config_map("typed", w.ns).binary_data == {"a": "AAEC"}, "bytes")
    w.check(client.VersionApi(w.api).get_code().minor == "36", "version")


def informer(w):
    """A list and the watch behind it, cut and gone on with: nothing twice, nothing lost."""
    core = client.CoreV1Api(w.api)
    seen, state, lock, total = [], {}, threading.Condition(), 120

    def write():
        for i in range(total):
            name = f"i{i % 20}"
            body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name), data={"n": str(i)})
            if i < 20:
                core.create_namespaced_config_map(w.ns, body)
            elif i % 7 == 0:
                core.delete_namespaced_config_map(name, w.ns)
                core.create_namespaced_config_map(w.ns, body)
            else:
                core.patch_namespaced_config_map(name, w.ns, {"data": {"n": str(i)}})
        core.create_namespaced_config_map(w.ns, client.V1ConfigMap(metadata=client.V1ObjectMeta(name="end")))

    first = core.list_namespaced_config_map(w.ns)
    revision = first.metadata.resource_version
    state.update({i.metadata.name: i for i in first.items})
    writer = threading.Thread(target=write)
    writer.start()
    while "end" not in state:
        stream = watch.Watch()
        for n, e in enumerate(stream.stream(core.list_namespaced_config_map, w.ns, resource_version=revision, timeout_seconds=20,
                                            allow_watch_bookmarks=True)):
            revision = e["object"].metadata.resource_version
            if e["type"] == "BOOKMARK":
                continue
            seen.append(int(revision))
            name = e["object"].metadata.name
            w.check((name in state) == (e["type"] != "ADDED"), e["type"], name)
            if e["type"] == "DELETED":
                del state[name]
            else:
                state[name] = e["object"]
            if n == 10 or name == "end":  # the connection goes
                stream.stop()
    writer.join()
    with lock:
        w.check(seen == sorted(set(seen)), "revisions are out of order or twice")
    now = {i.metadata.name: i.metadata.resource_version for i in core.list_namespaced_config_map(w.ns).items}
    w.check(now == {k: v.metadata.resource_version for k, v in state.items()}, "what the watch told is not what there is")
    # pages of one revision
    page, names = core.list_namespaced_config_map(w.ns, limit=7), []
    while True:
        names += [i.metadata.name for i in page.items]
        if not page.metadata._continue:
            break
        core.patch_namespaced_config_map("end", w.ns, {"data": {"p": str(len(names))}})
        page = core.list_namespaced_config_map(w.ns, limit=7, _continue=page.metadata._continue)
    w.check(names == sorted(now), "pages", names)
    # a list as a watch
    a = w.api.call_api(f"/api/v1/namespaces/{w.ns}/configmaps", "GET", query_params=[
        ("watch", "true"), ("sendInitialEvents", "true"), ("resourceVersionMatch", "NotOlderThan"), ("allowWatchBookmarks", "true"), ("timeoutSeconds", "10")],
        header_params={"Accept": "application/json"}, _preload_content=False)[0]
    names, rest = [], b""
    for piece in a.stream(amt=None):
        *lines, rest = (rest + piece).split(b"\n")
        for e in map(json.loads, lines):
            if e["type"] == "BOOKMARK":
                w.check(e["object"]["metadata"].get("annotations", {}).get("k8s.io/initial-events-end") == "true", "bookmark", e)
                rest = None
                break
            names.append(e["object"]["metadata"]["name"])
        if rest is None:
            break
    a.close()
    w.check(names == sorted(now), "initial events", names)


CASES = {f.__name__: f for f in (every_kind, reviews, typed, informer)}

if __name__ == "__main__":
    walk = Walk(sys.argv[1])
    CASES[sys.argv[2]](walk)
    sys.exit(1 if walk.wrong else 0)
