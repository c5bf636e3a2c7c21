# SPDX-License-Identifier: Apache-2.0
"""Conformance tests of sig-node, sig-scheduling and sig-storage that are about objects alone."""
from conform_apps import LABELS, POD, pod
from conform_machinery import TRUE, config_map
from kube import equal, holds, kind, space, suite, until
from kube_life import changed, operations, status_changed, told

node, scheduling, storage = suite("sig-node"), suite("sig-scheduling"), suite("sig-storage")


# ---- ConfigMaps, Secrets ----


@node("ConfigMap should fail to create ConfigMap with empty key")
def _():
    a = kind("configmaps", space()).create({"metadata": {"name": "c"}, "data": {"": "value-1"}}, want=422)
    assert a["reason"] == "Invalid" and a["details"]["causes"][0]["field"].startswith("data["), a


@node("ConfigMap should run through a ConfigMap lifecycle")
def _():
    k = kind("configmaps", space())
    with k.watch(labelSelector="test-configmap-static=true") as w:
        k.create(config_map("one", {"test-configmap-static": "true"}, valueName="value"))
        w.next("ADDED")
        k.patch("one", {"metadata": {"labels": {"test-configmap": "patched"}}, "data": {"valueName": "value1"}}, "strategic")
        holds(w.next("MODIFIED"), {"data": {"valueName": "value1"}})
        holds(k.get("one"), {"data": {"valueName": "value1"}, "metadata": {"labels": {"test-configmap": "patched"}}})
        equal(k.all().names(labelSelector="test-configmap-static=true"), ["one"])
        k.delete_all(labelSelector="test-configmap-static=true")
        w.next("DELETED")
    equal(k.items(labelSelector="test-configmap-static=true"), [])


@node("ConfigMap should update ConfigMap successfully")
def _():
    k = kind("configmaps", space())
    k.create(config_map("one", data="value"))
    k.change("one", lambda o: o["data"].update(data="value-2"))
    equal(k.get("one")["data"], {"data": "value-2"})


@node("Secrets should fail to create secret due to empty secret key")
def _():
    a = kind("secrets", space()).create({"metadata": {"name": "s"}, "data": {"": "dmFsdWUtMQ=="}}, want=422)
    equal(a["reason"], "Invalid")


@node("Secrets should patch a secret")
def _():
    k = kind("secrets", space())
    k.create({"metadata": {"name": "s", "labels": {"testsecret-constant": "true"}}, "data": {"key": "dmFsdWU="}, "type": "Opaque"})
    equal(k.all().names(labelSelector="testsecret-constant=true"), ["s"])
    k.patch("s", {"metadata": {"labels": {"testsecret": "true"}}, "data": {"key": "dmFsdWUx"}}, "strategic")
    holds(k.all().items(labelSelector="testsecret=true"), [{"data": {"key": "dmFsdWUx"}}])
    k.delete_all(labelSelector="testsecret=true")
    equal(k.names(), [])


def immutable(plural, first, then):
    k = kind(plural, space())
    k.create({"metadata": {"name": "one"}, "data": {"a": first}})
    k.change("one", lambda o: o["data"].update(a=then))
    k.change("one", lambda o: o.update(immutable=True))
    for bad in ({"data": {"a": first}}, {"immutable": False}, {"immutable": None}, {"data": {"b": first}}):
        a = k.patch("one", bad, want=422)
        assert "field is immutable when `immutable` is set" in a["message"], a
    k.patch("one", {"metadata": {"labels": {"c": "d"}}})  # but not what is beside it
    k.delete("one")


storage("ConfigMap should be immutable if `immutable` field is set")(lambda: immutable("configmaps", "1", "2"))
storage("Secrets should be immutable if `immutable` field is set")(lambda: immutable("secrets", "MQ==", "Mg=="))


# ---- pods as objects ----


@node("Pods should be submitted and removed", without="needs-node")
def _():
    k = kind("pods", space())
    with k.watch(labelSelector="app=web") as w:
        k.create(pod())
        equal(k.names(labelSelector="app=web"), ["p"])
        w.next("ADDED")
        k.delete("p", body={"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 30})
        w.next("DELETED")  # no node has it: nobody is waited for
    equal(k.names(labelSelector="app=web"), [])


@node("Pods should be updated", without="needs-node")
def _():
    k = kind("pods", space())
    k.create(pod())
    k.change("p", lambda o: o["metadata"]["labels"].update(time="now"))
    equal(k.names(labelSelector="time=now"), ["p"])


@node("Pods should allow activeDeadlineSeconds to be updated", without="needs-node")
def _():
    k = kind("pods", space())
    k.create(pod())
    k.change("p", lambda o: o["spec"].update(activeDeadlineSeconds=5))
    equal(k.get("p")["spec"]["activeDeadlineSeconds"], 5)
    a = k.patch("p", {"spec": {"activeDeadlineSeconds": 6}}, want=422)
    assert "spec.activeDeadlineSeconds" in a["message"], a


@node("Pods should delete a collection of pods", without="needs-node")
def _():
    k = kind("pods", space())
    for n in "abc":
        k.create(pod(n))
    k.delete_all(labelSelector="app=web", body={"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0})
    equal(k.names(), [])


@node("Pods should patch a pod status", without="needs-node")
def _():
    k = kind("pods", space())
    k.create(pod())
    holds(k.patch("p", {"status": {"message": "Patched by e2e test", "reason": "E2E"}}, "strategic", sub="status"), {"status": {"message": "Patched by e2e test", "reason": "E2E"}})
    holds(k.get("p", "status"), {"kind": "Pod", "status": {"reason": "E2E", "phase": "Pending"}})


@node("Pods should run through the lifecycle of Pods and PodStatus", without="needs-node")
def _():
    k = kind("pods", space())
    with k.watch(labelSelector="app=web") as w:
        k.create(pod(terminationGracePeriodSeconds=1))
        w.next("ADDED")
        k.patch("p", {"metadata": {"labels": {"test-pod": "patched"}}, "spec": {"terminationGracePeriodSeconds": 1, "containers": [{"name": "c", "image": "i:2"}]}}, "strategic")
        holds(w.next("MODIFIED"), {"metadata": {"labels": {"test-pod": "patched"}}, "spec": {"containers": [{"image": "i:2"}]}})
        k.change("p", lambda o: o["status"].update(phase="Running", conditions=[{"type": "Ready", "status": "True"}]), "status")
        holds(w.next("MODIFIED"), {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}})
        k.patch("p", {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}, "strategic", sub="status")
        holds(w.next("MODIFIED"), {"status": {"conditions": [{"type": "Ready", "status": "False"}]}})
        equal(k.all().names(labelSelector="test-pod=patched"), ["p"])
        k.delete_all(labelSelector="test-pod=patched")
        w.until("DELETED", "p")


@node("Pods Extended Pods Set QOS Class should be set on Pods with matching resource requests and limits for memory and cpu")
def _():
    k = kind("pods", space())
    amount = {"cpu": "100m", "memory": "100Mi"}
    for resources, want in (({"requests": amount, "limits": amount}, "Guaranteed"), ({"requests": amount}, "Burstable"), ({}, "BestEffort")):
        k.create(pod(want.lower(), containers=[{"name": "c", "image": "i", "resources": resources}]))
        equal(k.get(want.lower())["status"]["qosClass"], want)


@node("Pods Extended (pod generation) Pod Generation pod generation should start at 1 and increment per update", without="needs-node")
def _():
    k = kind("pods", space())
    generation = lambda: k.get("p")["metadata"]["generation"]
    k.create(pod())
    equal(generation(), 1)
    k.patch("p", {"spec": {"containers": [{"name": "c", "image": "i:2"}]}}, "strategic")
    equal(generation(), 2)
    k.patch("p", {"spec": {"tolerations": [{"key": "foo", "operator": "Exists", "effect": "NoSchedule"}]}}, "strategic")
    equal(generation(), 3)
    k.patch("p", {"spec": {"activeDeadlineSeconds": 500}})
    equal(generation(), 4)
    told(k, "ephemeralcontainers", "resize")
    k.patch("p", {"spec": {"ephemeralContainers": [{"name": "debug", "image": "i"}]}}, "strategic", sub="ephemeralcontainers")
    equal(generation(), 5)
    k.patch("p", {"metadata": {"labels": {"a": "b"}}})
    k.patch("p", {"status": {"reason": "x"}}, sub="status")
    equal(generation(), 5)


@node("Pods Extended (pod generation) Pod Generation custom-set generation on new pods and graceful delete", without="needs-node")
def _():
    k = kind("pods", space())
    o = pod(terminationGracePeriodSeconds=30, nodeName="nowhere")
    o["metadata"]["generation"] = 100
    equal(k.create(o)["metadata"]["generation"], 1)
    k.delete("p")
    holds(k.get("p")["metadata"], {"generation": 2, "deletionGracePeriodSeconds": 30})
    k.delete("p", body={"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0})
    k.gone("p")


@node("Ephemeral Containers should update the ephemeral containers in an existing pod", without="needs-node")
def _():
    k = kind("pods", space())
    k.create(pod())
    k.patch("p", {"spec": {"ephemeralContainers": [{"name": "debugger", "image": "i", "targetContainerName": "c"}]}}, "strategic", sub="ephemeralcontainers")

    def add(o):
        o["spec"]["ephemeralContainers"].append({"name": "debugger2", "image": "i"})
    k.change("p", add, "ephemeralcontainers")
    equal([c["name"] for c in k.get("p")["spec"]["ephemeralContainers"]], ["debugger", "debugger2"])
    equal(k.get("p", "ephemeralcontainers")["kind"], "Pod")


@node("Sysctls should reject invalid sysctls")
def _():
    k = kind("pods", space())
    names = ["foo-", "kernel.shmmax", "safe-and-unsafe", "bar.."]
    a = k.create(pod(securityContext={"sysctls": [{"name": n, "value": "1"} for n in names]}), want=422)
    for bad in ("foo-", "bar.."):
        assert f'Invalid value: "{bad}"' in a["message"], a
    for good in ("kernel.shmmax", "safe-and-unsafe"):
        assert f'Invalid value: "{good}"' not in a["message"], a


@node("PodTemplates should run the lifecycle of PodTemplates")
def _():
    operations("podtemplates", lambda n: {"metadata": {"name": "t-" + n}, "template": {"metadata": {"labels": LABELS}, "spec": POD}},
               {"template": {"metadata": {"labels": {"more": "yes", **LABELS}}}})


@node("PodTemplates should delete a collection of pod templates")
def _():
    k = kind("podtemplates", space())
    for n in ("t1", "t2", "t3"):
        k.create({"metadata": {"name": n, "labels": {"set": "yes"}}, "template": {"spec": POD}})
    k.delete_all(labelSelector="set=yes")
    equal(k.names(), [])


@node("PodTemplates should replace a pod template")
def _():
    k = kind("podtemplates", space())
    k.create({"metadata": {"name": "t"}, "template": {"metadata": {"labels": {"name": "a"}}, "spec": POD}})
    k.change("t", lambda o: o["metadata"].setdefault("annotations", {}).update(updated="true"))
    equal(k.get("t")["metadata"]["annotations"], {"updated": "true"})


# ---- nodes, leases, classes ----


@node("Node Lifecycle should run through the lifecycle of a node", without="needs-controller")
def _():
    made = {"metadata": {"name": "e2e-fake-node", "labels": {"e2e": "fake"}}, "spec": {"podCIDR": "10.9.0.0/24"},
            "status": {"capacity": {"cpu": "4", "memory": "8Gi"}, "conditions": [{"type": "Ready", "status": "Unknown"}]}}
    k = kind("nodes")
    k.create(made)
    k.patch("e2e-fake-node", {"metadata": {"labels": {"e2e-fake-node": "patched"}}}, "strategic")
    k.change("e2e-fake-node", lambda o: o["metadata"]["labels"].update(**{"e2e-fake-node": "updated"}))
    equal(k.names(labelSelector="e2e-fake-node=updated"), ["e2e-fake-node"])
    status_changed(k, "e2e-fake-node", {"conditions": [{"type": "Ready", "status": "True"}], "capacity": {"cpu": "4", "memory": "8Gi"}})
    k.delete_all(labelSelector="e2e-fake-node=updated")
    k.gone("e2e-fake-node")


@node("Lease lease API should be available")
def _():
    k = kind("leases", space())
    spec = {"holderIdentity": "holder", "leaseDurationSeconds": 30, "acquireTime": "2026-01-01T00:00:00.000001Z", "renewTime": "2026-01-01T00:00:05.000000Z", "leaseTransitions": 0}
    equal(k.create({"metadata": {"name": "one"}, "spec": spec})["spec"], spec)
    k.change("one", lambda o: o.update(spec={**spec, "holderIdentity": "holder2", "leaseTransitions": 1}))
    equal(k.get("one")["spec"], {**spec, "holderIdentity": "holder2", "leaseTransitions": 1})
    k.patch("one", {"spec": {"holderIdentity": "holder3", "leaseDurationSeconds": 60}}, "strategic")
    holds(k.get("one")["spec"], {"holderIdentity": "holder3", "leaseDurationSeconds": 60, "leaseTransitions": 1})
    k.create({"metadata": {"name": "two", "labels": {"deletecollection": "true"}}, "spec": {}})
    equal(k.names(), ["one", "two"])
    k.delete_all(labelSelector="deletecollection=true")
    equal(k.names(), ["one"])
    k.delete("one")
    k.gone("one")


@node("RuntimeClass should support RuntimeClasses API operations")
def _():
    operations("runtimeclasses", lambda n: {"metadata": {"name": "class-" + n}, "handler": "handler-" + n}, {"scheduling": {"nodeSelector": {"a": "b"}}})


def runtime_class(**more):
    """A new class's name."""
    name = "class-of-" + space()
    kind("runtimeclasses").create({"metadata": {"name": name}, "handler": "handler", **more})
    return name


def rejected_of(name):
    a = kind("pods", space()).create(pod(runtimeClassName=name), want=403)
    assert a["reason"] == "Forbidden" and f'RuntimeClass "{name}" not found' in a["message"], a


node("RuntimeClass should reject a Pod requesting a non-existent RuntimeClass")(lambda: rejected_of("of-nobody"))


@node("RuntimeClass should reject a Pod requesting a deleted RuntimeClass")
def _():
    name = runtime_class()
    kind("runtimeclasses").delete(name)
    rejected_of(name)


@node("RuntimeClass should schedule a Pod requesting a RuntimeClass and initialize its Overhead", without="needs-node")
def _():
    cost = {"cpu": "10m", "memory": "1Mi"}
    name = runtime_class(overhead={"podFixed": cost})
    equal(kind("pods", space()).create(pod(runtimeClassName=name))["spec"]["overhead"], cost)


@node("RuntimeClass should schedule a Pod requesting a RuntimeClass without PodOverhead", without="needs-node")
def _():
    assert "overhead" not in kind("pods", space()).create(pod(runtimeClassName=runtime_class()))["spec"]


EXACTLY = {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "c"}}]}}


@node("[DRA] CRUD Tests resource.k8s.io/v1 DeviceClass")
def _():
    operations("deviceclasses", lambda n: {"metadata": {"name": "class-" + n}, "spec": {}}, {"spec": {"config": [{"opaque": {"driver": "d.example.com", "parameters": {"a": 1}}}]}})


@node("[DRA] CRUD Tests resource.k8s.io/v1 ResourceClaim")
def _():
    allocated = {"allocation": {"devices": {"results": [{"request": "r", "driver": "d.example.com", "pool": "p", "device": "one"}]}}}
    operations("resourceclaims", lambda n: {"metadata": {"name": "claim-" + n}, "spec": EXACTLY}, None, allocated, meta=False)


@node("[DRA] CRUD Tests resource.k8s.io/v1 ResourceClaimTemplate")
def _():
    operations("resourceclaimtemplates", lambda n: {"metadata": {"name": "template-" + n}, "spec": {"spec": EXACTLY}})


@node("[DRA] CRUD Tests resource.k8s.io/v1 ResourceSlice")
def _():
    operations("resourceslices", lambda n: {"metadata": {"name": "slice-" + n}, "spec": {
        "driver": "d.example.com", "nodeName": "node-" + n, "pool": {"name": "p-" + n, "generation": 1, "resourceSliceCount": 1}, "devices": [{"name": "one"}]}},
        {"spec": {"devices": [{"name": "one"}, {"name": "two"}]}})


@scheduling("SchedulerPreemption PriorityClass endpoints verify PriorityClass endpoints can be operated with different HTTP methods")
def _():
    k = kind("priorityclasses")
    for n, value in (("p1", 1), ("p2", 2)):
        k.create({"metadata": {"name": n, "labels": {"e2e": "priority"}}, "value": value})
    equal(k.names(labelSelector="e2e=priority"), ["p1", "p2"])
    for n in ("p1", "p2"):
        a = k.patch(n, {"value": 10}, "merge", want=422)
        assert "value" in a["message"], a
        o = k.get(n)
        assert "value" in k.update({**o, "value": 20}, want=422)["message"]
        k.change(n, lambda o: o.update(description="updated"))
        k.patch(n, {"description": "patched"})
        holds(k.get(n), {"description": "patched", "preemptionPolicy": "PreemptLowerPriority"})
    k.delete_all(labelSelector="e2e=priority")
    equal(k.names(labelSelector="e2e=priority"), [])

def amounts(cpu, memory, disk):
    return {"cpu": cpu, "memory": memory, "ephemeral-storage": disk}


@scheduling("LimitRange should create a LimitRange with defaults and ensure pod has those defaults applied.")
def _():
    ns = space()
    limits, pods = kind("limitranges", ns), kind("pods", ns)
    ask, most = amounts("100m", "200Mi", "200Gi"), amounts("500m", "500Mi", "500Gi")

    def container(name="p", **resources):
        return pod(name, containers=[{"name": "c", "image": "i:1", "resources": resources}])

    def given(o):
        return o["spec"]["containers"][0]["resources"]

    with limits.watch() as w:
        limits.create({"metadata": {"name": "l"}, "spec": {"limits": [
            {"type": "Container", "min": amounts("50m", "100Mi", "100Gi"), "max": most, "default": most, "defaultRequest": ask}]}})
        w.next("ADDED")
    equal(given(pods.create(pod("none"))), {"requests": ask, "limits": most})
    # What has a limit and no request asks for its limit.
    some = {"requests": {"cpu": "300m", "memory": "150Mi"}, "limits": {"cpu": "300m", "ephemeral-storage": "300Gi"}}
    equal(given(pods.create(container("some", **some))), {"requests": amounts("300m", "150Mi", "300Gi"), "limits": amounts("300m", "500Mi", "300Gi")})
    small, big = amounts("10m", "50Mi", "50Gi"), amounts("600m", "600Mi", "600Gi")
    for resources in ({"requests": small}, {"requests": big, "limits": big}):
        equal(pods.create(container(**resources), want=403)["reason"], "Forbidden")
    limits.change("l", lambda o: o["spec"]["limits"][0].update(min=small))
    equal(limits.get("l")["spec"]["limits"][0]["min"], small)
    pods.create(container("small", requests=small))
    limits.delete("l")
    pods.create(container("big", requests=big, limits=big))


@scheduling("LimitRange should list, patch and delete a LimitRange by collection")
def _():
    limit = {"type": "Container", "default": {"cpu": "500m"}, "defaultRequest": {"cpu": "100m"}, "min": {"cpu": "50m"}, "max": {"cpu": "500m"}}
    operations("limitranges", lambda n: {"metadata": {"name": "limit-" + n}, "spec": {"limits": [limit]}}, {"spec": {"limits": [{**limit, "min": {"cpu": "40m"}}]}})
    other = kind("limitranges", space())
    other.create({"metadata": {"name": "one", "labels": {"l": "1"}}, "spec": {"limits": [limit]}})
    assert [o["metadata"]["namespace"] for o in other.all().items(labelSelector="l=1")] == [other.namespace]


# ---- volumes as objects ----


@storage("CSIInlineVolumes should run through the lifecycle of a CSIDriver")
def _():
    operations("csidrivers", lambda n: {"metadata": {"name": f"driver-{n}.example.com"}, "spec": {"attachRequired": False, "podInfoOnMount": False, "volumeLifecycleModes": ["Ephemeral"]}},
               {"spec": {"storageCapacity": True}})


@storage("CSIInlineVolumes should support CSIVolumeSource in Pod API")
def _():
    volume = {"name": "v", "csi": {"driver": "e2e.example.com", "volumeAttributes": {"a": "b"}}}
    k = kind("pods", space())
    k.create(pod(volumes=[volume], containers=[{"name": "c", "image": "i", "volumeMounts": [{"name": "v", "mountPath": "/m"}]}]))
    equal(k.get("p")["spec"]["volumes"][0], volume)  # beside its token's
    equal([o["spec"]["volumes"][0] for o in k.items(labelSelector="app=web")], [volume])
    k.patch("p", {"metadata": {"labels": {"c": "d"}}}, "strategic")
    k.delete_all(labelSelector="c=d")
    equal(k.names(), [])


@storage("CSINodes CSI Conformance should run through the lifecycle of a csinode")
def _():
    driver = {"name": "d.example.com", "nodeID": "n", "topologyKeys": ["k"]}
    operations("csinodes", lambda n: {"metadata": {"name": "node-" + n}, "spec": {"drivers": [driver]}})


@storage("CSIStorageCapacity should support CSIStorageCapacities API operations")
def _():
    operations("csistoragecapacities", lambda n: {"metadata": {"name": "capacity-" + n}, "storageClassName": "c", "capacity": "1Gi"}, {"capacity": "2Gi"})


@storage("StorageClasses CSI Conformance should run through the lifecycle of a StorageClass")
def _():
    operations("storageclasses", lambda n: {"metadata": {"name": "class-" + n}, "provisioner": "e2e.example.com", "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"},
               {"allowVolumeExpansion": True})


@storage("VolumeAttributesClass should run through the lifecycle of a VolumeAttributesClass")
def _():
    operations("volumeattributesclasses", lambda n: {"metadata": {"name": "class-" + n}, "driverName": "e2e.example.com", "parameters": {"iops": "1"}})


def attachment(n):
    return {"metadata": {"name": "attachment-" + n}, "spec": {"attacher": "e2e.example.com", "nodeName": "node", "source": {"persistentVolumeName": "pv"}}}


@storage("VolumeAttachment Conformance should run through the lifecycle of a VolumeAttachment")
def _():
    operations("volumeattachments", attachment)


@storage("VolumeAttachment Conformance should apply changes to a volumeattachment status")
def _():
    k = kind("volumeattachments")
    k.create(attachment("status"))
    told(k, "status")
    status_changed(k, "attachment-status", {"attached": True}, meta=False)
    k.delete("attachment-status")


def volume(name):
    return {"metadata": {"name": name, "labels": {"e2e": "pv"}}, "spec": {
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "persistentVolumeReclaimPolicy": "Retain", "storageClassName": name, "volumeMode": "Filesystem",
        "csi": {"driver": "e2e.example.com", "volumeHandle": "h"}}}


def claim(name):
    return {"metadata": {"name": name, "labels": {"e2e": "pvc"}}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": name}}


@storage("PersistentVolumes CSI Conformance should run through the lifecycle of a PV and a PVC", without="needs-controller")
def _():
    volumes, claims = kind("persistentvolumes"), kind("persistentvolumeclaims", space())

    def none_left():
        until(lambda: not claims.names() and not volumes.names(labelSelector="e2e=pv"), "all are gone")

    volumes.create(volume("pv"))
    equal(claims.create(claim("pvc"))["status"]["phase"], "Pending")
    equal(volumes.names(labelSelector="e2e=pv"), ["pv"])
    equal(claims.all().names(labelSelector="e2e=pvc"), ["pvc"])
    for k, name in ((volumes, "pv"), (claims, "pvc")):
        changed(k, name, {"metadata": {"labels": {name: "patched"}, "annotations": {"patched": "true"}}})
        equal(k.names(labelSelector=f"{name}=patched"), [name])
    claims.delete("pvc")
    volumes.delete("pv")
    none_left()
    claims.gone("pvc")
    volumes.gone("pv")
    volumes.create(volume("pv"))
    claims.create(claim("pvc"))
    claims.delete_all(labelSelector="e2e=pvc")
    volumes.delete_all(labelSelector="e2e=pv")
    none_left()


@storage("PersistentVolumes CSI Conformance should apply changes to a pv/pvc status")
def _():
    volumes, claims = kind("persistentvolumes"), kind("persistentvolumeclaims", space())
    volumes.create(volume("pv-status"))
    claims.create(claim("pvc"))
    told(volumes, "status")
    told(claims, "status")
    status_changed(volumes, "pv-status", {"phase": "Available", "message": "StatusPatched", "reason": "E2E"})
    status_changed(claims, "pvc", {**TRUE})
    claims.delete("pvc")
    volumes.delete("pv-status")
