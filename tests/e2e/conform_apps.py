# SPDX-License-Identifier: Apache-2.0
"""Conformance tests of what runs pods, with this program in the place of controllers; of events, accounts and kubectl's requests."""
import base64
import http.client
import json
import os
import shutil
import socket
import subprocess

from conform_machinery import TRUE
from kube import Skip, api, equal, holds, kind, space, suite, until
from kube_life import operations, status_changed, told

apps, auth, cli, events = suite("sig-apps"), suite("sig-auth"), suite("sig-cli"), suite("sig-instrumentation")
LABELS = {"app": "web"}
POD = {"containers": [{"name": "c", "image": "i:1"}]}
TEMPLATE = {"metadata": {"labels": LABELS}, "spec": POD}
SELECTED = {"replicas": 1, "selector": {"matchLabels": LABELS}, "template": TEMPLATE}
SPECS = {"deployments": SELECTED, "replicasets": SELECTED, "statefulsets": {**SELECTED, "serviceName": "s"},
         "daemonsets": {"selector": {"matchLabels": LABELS}, "template": TEMPLATE}, "replicationcontrollers": {"replicas": 1, "selector": LABELS, "template": TEMPLATE}}


def workload(plural, name="one"):
    return {"metadata": {"name": name, "labels": LABELS}, "spec": SPECS[plural]}


def made(plural, name="one"):
    k = kind(plural, space())
    k.create(workload(plural, name))
    return k


def scale_of(plural):
    k = made(plural)
    got = k.get("one", "scale")
    holds(got, {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": {"name": "one", "namespace": k.namespace}, "spec": {"replicas": 1}})
    got["spec"]["replicas"] = 2
    equal(api().ask("PUT", k.path("one", "scale"), got, want=200).json()["spec"]["replicas"], 2)
    equal(k.get("one")["spec"]["replicas"], 2)
    k.patch("one", {"spec": {"replicas": 4}}, "strategic" if plural == "deployments" else "merge", sub="scale")
    equal(k.get("one")["spec"]["replicas"], 4)
    told(k, "scale")


def collection_of(plural):
    k = kind(plural, space())
    for n in "abc":
        k.create(workload(plural, n))
    equal(k.names(labelSelector="app=web"), ["a", "b", "c"])
    equal({o["metadata"]["name"] for o in k.all().items(labelSelector="app=web") if o["metadata"]["namespace"] == k.namespace}, {"a", "b", "c"})
    k.delete_all(labelSelector="app=web")
    equal(k.names(), [])


def status_of(plural, status):
    k = made(plural)
    told(k, "status")
    with k.watch(labelSelector="app=web") as w:
        w.next("ADDED")
        status_changed(k, "one", {**TRUE, **status})
        holds(w.next("MODIFIED"), {"status": TRUE})
        # What is not the status stays as it was.
        k.patch("one", {"spec": {"template": {"spec": {"hostname": "other"}}}, "status": TRUE}, sub="status")
        assert "hostname" not in k.get("one")["spec"]["template"]["spec"]


for what, plural in (("Deployment Deployment", "deployments"), ("ReplicaSet Replicaset", "replicasets"),
                     ("StatefulSet Basic StatefulSet functionality [StatefulSetBasic]", "statefulsets")):
    apps(f"{what} should have a working scale subresource", without="needs-controller")(lambda plural=plural: scale_of(plural))
apps("ReplicationController should get and update a ReplicationController scale", without="needs-controller")(lambda: scale_of("replicationcontrollers"))
apps("Daemon set should list and delete a collection of DaemonSets", without="needs-controller")(lambda: collection_of("daemonsets"))
apps("ReplicaSet should list and delete a collection of ReplicaSets", without="needs-controller")(lambda: collection_of("replicasets"))
apps("Daemon set should verify changes to a daemon set status", without="needs-controller")(
    lambda: status_of("daemonsets", {"currentNumberScheduled": 1, "numberMisscheduled": 0, "desiredNumberScheduled": 1, "numberReady": 0}))
apps("Deployment should validate Deployment Status endpoints", without="needs-controller")(lambda: status_of("deployments", {"replicas": 1, "readyReplicas": 1}))
apps("ReplicaSet should validate Replicaset Status endpoints", without="needs-controller")(lambda: status_of("replicasets", {"replicas": 1}))
apps("StatefulSet Basic StatefulSet functionality [StatefulSetBasic] should validate Statefulset Status endpoints", without="needs-controller")(
    lambda: status_of("statefulsets", {"replicas": 1, "availableReplicas": 0}))


@apps("StatefulSet Basic StatefulSet functionality [StatefulSetBasic] should list, patch and delete a collection of StatefulSets", without="needs-controller")
def _():
    k = made("statefulsets")
    patch = {"metadata": {"labels": {"patched": "yes"}}, "spec": {"replicas": 4, "template": {"spec": {"containers": [{"name": "c", "image": "i:2"}]}}}}
    got = k.patch("one", patch, "strategic")
    holds(got, {"metadata": {"labels": {"patched": "yes", **LABELS}, "generation": 2}, "spec": {"replicas": 4}})
    equal(got["spec"]["template"]["spec"]["containers"][0]["image"], "i:2")
    equal(k.all().names(labelSelector="patched=yes"), ["one"])
    k.delete_all(labelSelector="patched=yes")
    k.gone("one")


@apps("ReplicaSet Replace and Patch tests", without="needs-controller")
def _():
    k = made("replicasets")
    k.change("one", lambda o: o["spec"].update(replicas=3))
    with k.watch(fieldSelector="metadata.name=one") as w:
        holds(w.next("ADDED"), {"spec": {"replicas": 3}})
        patch = {"metadata": {"labels": {"patched": "yes"}}, "spec": {"replicas": 3, "template": {"spec": {"terminationGracePeriodSeconds": 0, "containers": [
            {"name": "c", "image": "i:2"}]}}}}
        k.patch("one", patch, "strategic")
        got = w.next("MODIFIED")
        holds(got["metadata"]["labels"], {"patched": "yes"})
        holds(got["spec"]["template"]["spec"], {"terminationGracePeriodSeconds": 0, "containers": [{"name": "c", "image": "i:2"}]})


def lifecycle(plural, seen):
    """Watched all along: created, patched, its status and scale patched, updated, deleted by label."""
    k = kind(plural, space())
    begun = k.list()["metadata"]["resourceVersion"]
    with k.watch(labelSelector="app=web", resourceVersion=begun) as w:
        k.create(workload(plural))
        equal(w.next("ADDED")["metadata"]["generation"], 1)
        k.patch("one", {"metadata": {"labels": {"test": "patched"}}, "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "c", "image": "i:2"}]}}}}, "strategic")
        holds(w.next("MODIFIED"), {"metadata": {"labels": {"test": "patched"}, "generation": 2}, "spec": {"replicas": 2}})
        k.patch("one", {"metadata": {"labels": {"status": "patched"}}, "status": {"readyReplicas": 1, "replicas": 2, **seen}}, sub="status")
        holds(w.next("MODIFIED"), {"metadata": {"generation": 2}, "status": {"readyReplicas": 1}})
        k.patch("one", {"spec": {"replicas": 3}}, sub="scale")
        holds(w.next("MODIFIED"), {"metadata": {"generation": 3}, "spec": {"replicas": 3}})
        holds(k.get("one", "status"), {"kind": k.kind, "status": {"readyReplicas": 1}})
        equal(k.all().names(labelSelector="test=patched"), ["one"])

        def put(o):
            o["metadata"]["labels"]["test"] = "updated"
            o["spec"]["replicas"] = 1
        k.change("one", put)
        holds(w.next("MODIFIED"), {"metadata": {"labels": {"test": "updated"}}, "spec": {"replicas": 1}})
        k.change("one", lambda o: o["status"].update(readyReplicas=0, availableReplicas=0), "status")
        w.next("MODIFIED")
        k.delete_all(labelSelector="test=updated", body={"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"})
        equal(w.next("DELETED")["metadata"]["name"], "one")


apps("Deployment should run the lifecycle of a Deployment", without="needs-controller")(lambda: lifecycle("deployments", {"availableReplicas": 1}))
apps("ReplicationController should test the lifecycle of a ReplicationController", without="needs-controller")(
    lambda: lifecycle("replicationcontrollers", {"availableReplicas": 1}))


@apps("ControllerRevision should manage the lifecycle of a ControllerRevision", without="needs-controller")
def _():
    daemons = made("daemonsets")
    owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "one", "uid": daemons.get("one")["metadata"]["uid"], "controller": True}
    k = kind("controllerrevisions", daemons.namespace)
    revision = lambda name, n: {"metadata": {"name": name, "labels": LABELS, "ownerReferences": [owner]}, "revision": n, "data": {"spec": {"template": {"n": n}}}}
    k.create(revision("r1", 1))
    equal(k.all().names(labelSelector="app=web"), ["r1"])
    equal(k.patch("r1", {"metadata": {"labels": {"r1": "patched"}}}, "strategic")["metadata"]["labels"], {**LABELS, "r1": "patched"})
    k.create(revision("r2", 2))
    equal(k.names(labelSelector="app=web"), ["r1", "r2"])
    k.delete("r1")
    equal(k.names(labelSelector="app=web"), ["r2"])
    k.change("r2", lambda o: o["metadata"]["labels"].update(r2="updated"))
    equal(k.names(labelSelector="r2=updated"), ["r2"])
    a = k.get("r2")
    a["data"] = {"other": 1}
    assert "data: Invalid value" in k.update(a, want=422)["message"]
    k.create(revision("r3", 3))
    k.delete_all(labelSelector="r2=updated")
    equal([o["revision"] for o in k.items(labelSelector="app=web")], [3])


@apps("CronJob should support CronJob API operations")
def _():
    job = {"template": {"spec": {"restartPolicy": "OnFailure", **POD}}}
    operations("cronjobs", lambda n: {"metadata": {"name": "cron-" + n}, "spec": {"schedule": "*/1 * * * *", "concurrencyPolicy": "Allow", "jobTemplate": {"spec": job}}},
               {"spec": {"suspend": True}}, {"lastScheduleTime": "2026-01-01T00:00:00Z"})


def job(name, **more):
    return {"metadata": {"name": name}, "spec": {"parallelism": 1, "completions": 2, "template": {"spec": {"restartPolicy": "Never", **POD}}, **more}}


@apps("Job should apply changes to a job status", without="needs-controller")
def _():
    k = kind("jobs", space())
    k.create(job("one", suspend=True))
    told(k, "status")
    got = k.patch("one", {"metadata": {"annotations": {"patchedstatus": "true"}}, "status": {"startTime": "2026-01-01T00:00:00Z", "active": 1}}, sub="status")
    holds(got, {"metadata": {"annotations": {"patchedstatus": "true"}}, "status": {"startTime": "2026-01-01T00:00:00Z"}})
    k.change("one", lambda o: o["status"].update(TRUE), "status")
    holds(k.get("one", "status"), {"status": TRUE})


@apps("Job should manage the lifecycle of a job", without="needs-controller")
def _():
    k = kind("jobs", space())
    with k.watch() as w:
        got = k.create(job("one", suspend=True))
        uid = got["metadata"]["uid"]
        equal(got["spec"]["selector"]["matchLabels"]["batch.kubernetes.io/controller-uid"], uid)
        w.next("ADDED")
        k.patch("one", {"metadata": {"labels": {"one": "patched"}}, "spec": {"suspend": False}}, "strategic")
        holds(w.next("MODIFIED"), {"metadata": {"labels": {"one": "patched"}}, "spec": {"suspend": False}})
        k.change("one", lambda o: o["metadata"].setdefault("annotations", {}).update(updated="true"))
        holds(w.next("MODIFIED"), {"metadata": {"annotations": {"updated": "true"}}})
        equal(k.all().names(labelSelector="one=patched"), ["one"])
        k.delete_all(labelSelector="one=patched", body={"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"})
        w.next("DELETED")
        k.gone("one")


# ---- disruption budgets ----


def budget(name, **spec):
    return {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": LABELS}, **(spec or {"minAvailable": 1})}}


@apps("DisruptionController should create a PodDisruptionBudget", without="needs-controller")
def _():
    operations("poddisruptionbudgets", lambda n: budget("pdb-" + n), {"spec": {"minAvailable": "50%"}})


@apps("DisruptionController Listing PodDisruptionBudgets for all namespaces should list and delete a collection of PodDisruptionBudgets", without="needs-controller")
def _():
    one, two = kind("poddisruptionbudgets", space()), kind("poddisruptionbudgets", space())
    for k, name in ((one, "a"), (one, "b"), (two, "c")):
        k.create({**budget(name), "metadata": {"name": name, "labels": {"listed": "pdb"}}})
    equal(one.all().names(labelSelector="listed=pdb"), ["a", "b", "c"])
    one.delete_all(labelSelector="listed=pdb")
    equal(one.all().names(labelSelector="listed=pdb"), ["c"])


@apps("DisruptionController should update/patch PodDisruptionBudget status", without="needs-controller")
def _():
    k = kind("poddisruptionbudgets", space())
    k.create(budget("one"))
    counts = {"currentHealthy": 1, "desiredHealthy": 1, "disruptionsAllowed": 1, "expectedPods": 1}
    status_changed(k, "one", {**counts, "disruptedPods": {"p": "2026-01-01T00:00:00Z"}})
    # A patch takes members out of the map.
    got = k.patch("one", {"status": {"disruptedPods": None}}, sub="status")
    assert "disruptedPods" not in got["status"], got["status"]


@apps("DisruptionController should block an eviction until the PDB is updated to allow it", without="needs-controller")
def _():
    name = space()
    pods, budgets = kind("pods", name), kind("poddisruptionbudgets", name)
    pods.create({"metadata": {"name": "p", "labels": LABELS}, "spec": POD})
    pods.patch("p", {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}, "strategic", sub="status")
    budgets.create(budget("one"))
    counts = {"observedGeneration": 1, "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1, "disruptionsAllowed": 0}
    budgets.patch("one", {"status": counts}, sub="status")
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p", "namespace": name}}
    a = api().ask("POST", pods.path("p", "eviction"), eviction, want=429).json()
    assert a["reason"] == "TooManyRequests" and "disruption budget" in a["message"], a
    equal(a["details"]["causes"][0]["reason"], "DisruptionBudget")
    budgets.patch("one", {"status": {**counts, "disruptionsAllowed": 1}}, sub="status")
    api().ask("POST", pods.path("p", "eviction"), eviction, want=201)
    equal(budgets.get("one")["status"]["disruptionsAllowed"], 0)
    assert "p" not in pods.names() or "deletionTimestamp" in pods.get("p")["metadata"]


# ---- who asks ----


@auth("Certificates API should support CSR API operations")
def _():
    r = subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "/dev/null", "-subj", "/CN=e2e.example.com"],
                       capture_output=True, check=True)
    spec = {"request": base64.b64encode(r.stdout).decode(), "signerName": "example.com/e2e", "usages": ["digital signature", "client auth"], "expirationSeconds": 3600}
    k = operations("certificatesigningrequests", lambda n: {"metadata": {"name": "csr-" + n}, "spec": spec})
    told(k, "approval", "status")
    k.create({"metadata": {"name": "one"}, "spec": spec})
    condition = {"type": "Approved", "status": "True", "reason": "E2E", "message": "m"}
    holds(k.patch("one", {"metadata": {"annotations": {"patchedapproval": "true"}}, "status": {"conditions": [{**condition, "type": "ApprovalPatch"}]}}, sub="approval"),
          {"status": {"conditions": [{"type": "ApprovalPatch"}]}})
    got = k.change("one", lambda o: o["status"]["conditions"].append(condition), "approval")
    holds(got, {"status": {"conditions": [condition]}})
    # Status may carry the certificate, and its conditions but the approval.
    pem = open(api().server.folder + "/certificate-authority", "rb").read()
    got = k.patch("one", {"metadata": {"annotations": {"patchedstatus": "true"}}, "status": {"certificate": base64.b64encode(pem).decode()}}, sub="status")
    assert got["status"]["certificate"]
    got = k.change("one", lambda o: o["status"]["conditions"].append({**condition, "type": "StatusUpdate"}), "status")
    equal(sorted(c["type"] for c in got["status"]["conditions"]), ["ApprovalPatch", "Approved", "StatusUpdate"])
    k.delete("one")


@auth("ServiceAccounts should run through the lifecycle of a ServiceAccount")
def _():
    k = kind("serviceaccounts", space())
    with k.watch(labelSelector="static=true") as w:
        k.create({"metadata": {"name": "one", "labels": {"static": "true"}}})
        w.next("ADDED")
        k.patch("one", {"automountServiceAccountToken": False}, "strategic")
        equal(w.next("MODIFIED")["automountServiceAccountToken"], False)
        equal(k.all().names(labelSelector="static=true"), ["one"])
        k.delete_all(labelSelector="static=true")
        w.next("DELETED")
    k.gone("one")


@auth("ServiceAccounts should update a ServiceAccount")
def _():
    k = kind("serviceaccounts", space())
    assert "automountServiceAccountToken" not in k.create({"metadata": {"name": "one"}})
    k.change("one", lambda o: o.update(automountServiceAccountToken=True))
    equal(k.get("one")["automountServiceAccountToken"], True)


@auth("ServiceAccounts should guarantee kube-root-ca.crt exist in any namespace")
def _():
    k = kind("configmaps", space())
    there = lambda: "kube-root-ca.crt" in k.names() and "BEGIN CERTIFICATE" in k.get("kube-root-ca.crt")["data"]["ca.crt"]
    until(there, "the roots")
    k.delete("kube-root-ca.crt")
    until(there, "the roots again")
    k.patch("kube-root-ca.crt", {"data": {"ca.crt": ""}})
    until(there, "the roots mended")


@auth("ServiceAccounts should allow opting out of API token automount")
def _():
    name = space()
    accounts, pods = kind("serviceaccounts", name), kind("pods", name)
    for n, wants in ("mount", True), ("nomount", False):
        accounts.create({"metadata": {"name": n}, "automountServiceAccountToken": wants})
    until(lambda: "default" in accounts.names(), "the account")
    for account, default in ("default", True), ("mount", True), ("nomount", False):
        for asked in None, True, False:
            spec = {"serviceAccountName": account, "containers": [{"name": "c", "image": "i"}]}
            if asked is not None:
                spec["automountServiceAccountToken"] = asked
            pod = pods.create({"metadata": {"generateName": "p-"}, "spec": spec})
            mounts = [m["mountPath"] for m in pod["spec"]["containers"][0].get("volumeMounts", [])]
            equal(mounts, ["/var/run/secrets/kubernetes.io/serviceaccount"] if (default if asked is None else asked) else [])


def token_of(name, account, **spec):
    a = api().ask("POST", f"/api/v1/namespaces/{name}/serviceaccounts/{account}/token", {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "spec": spec}, want=201)
    return a.json()["status"]["token"]


@auth("ServiceAccounts should create a serviceAccountToken and ensure a successful TokenReview")
def _():
    name = space()
    account = kind("serviceaccounts", name).create({"metadata": {"name": "e2e"}})
    for spec in {}, {"expirationSeconds": 1200, "audiences": ["e2e"]}:
        review = {"token": token_of(name, "e2e", **spec), **({"audiences": spec["audiences"]} if spec else {})}
        status = kind("tokenreviews").create({"spec": review})["status"]
        equal(status["authenticated"], True)
        assert "error" not in status, status
        equal(status["user"]["username"], f"system:serviceaccount:{name}:e2e")
        equal(status["user"]["uid"], account["metadata"]["uid"])
        equal(status["user"]["groups"], ["system:serviceaccounts", f"system:serviceaccounts:{name}", "system:authenticated"])
    token = token_of(name, "e2e")
    kind("serviceaccounts", name).delete("e2e")
    assert "authenticated" not in kind("tokenreviews").create({"spec": {"token": token}})["status"]


@auth("ServiceAccounts ServiceAccountIssuerDiscovery should support OIDC discovery of service account issuer", without="needs-node")
def _():
    name = space()
    kind("serviceaccounts", name).create({"metadata": {"name": "e2e"}})
    part = lambda t, i: json.loads(base64.urlsafe_b64decode(t.split(".")[i] + "=="))
    token = token_of(name, "e2e", audiences=["oidc-discovery-test"])
    found = api().get("/.well-known/openid-configuration")
    equal(part(token, 1)["iss"], found["issuer"])
    keys = {k["kid"]: k for k in api().get(found["jwks_uri"][found["jwks_uri"].index("/openid"):])["keys"]}
    equal(keys[part(token, 0)["kid"]]["alg"], part(token, 0)["alg"])


@auth("SubjectReview should support SubjectReview API operations")
def _():
    name = space()
    resource = {"verb": "list", "resource": "configmaps", "version": "v1", "namespace": name}
    review = lambda what, ns=None, **spec: kind(what, ns).create({"spec": {"resourceAttributes": resource, **spec}})
    user = f"system:serviceaccount:{name}:e2e"
    kind("serviceaccounts", name).create({"metadata": {"name": "e2e"}})
    equal(review("subjectaccessreviews", user=user)["status"]["allowed"], False)
    equal(review("localsubjectaccessreviews", name, user=user)["status"]["allowed"], False)
    kind("roles", name).create({"metadata": {"name": "r"}, "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}]})
    kind("rolebindings", name).create({"metadata": {"name": "b"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
                                       "subjects": [{"kind": "ServiceAccount", "name": "e2e", "namespace": name}]})
    equal(review("subjectaccessreviews", user=user)["status"]["allowed"], True)
    equal(review("localsubjectaccessreviews", name, user=user)["status"]["allowed"], True)
    equal(review("selfsubjectaccessreviews")["status"]["allowed"], True)


# ---- kubectl's requests ----


@cli("Kubectl client Kubectl api-versions should check if v1 is in available api versions")
def _():
    assert "v1" in api().get("/api")["versions"]


@cli("Kubectl client Kubectl version should check is all data is printed")
def _():
    assert set("major minor gitVersion gitCommit gitTreeState buildDate goVersion compiler platform".split()) <= set(api().get("/version"))


@cli("Kubectl client Kubectl cluster-info should check if Kubernetes control plane services is included in cluster-info", without="needs-node")
def _():
    kind("services", "kube-system").list(labelSelector="kubernetes.io/cluster-service=true")


@cli("Kubectl client Kubectl diff should check if kubectl diff finds a difference for Deployments")
def _():
    k = made("deployments")
    old = k.get("one")
    new = k.patch("one", {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "i:9"}]}}}}, "strategic", dryRun="All")
    equal(new["spec"]["template"]["spec"]["containers"][0]["image"], "i:9")
    equal(k.get("one"), old)


def pod(name="p", **spec):
    return {"metadata": {"name": name, "labels": LABELS}, "spec": {**POD, **spec}}


@cli("Kubectl client Kubectl run pod should create a pod from an image when restart is Never", without="needs-node")
def _():
    k = kind("pods", space())
    holds(k.create(pod(restartPolicy="Never")), {"spec": {"restartPolicy": "Never", "containers": [{"image": "i:1"}]}, "status": {"phase": "Pending"}})


@cli("Kubectl client Kubectl replace should update a single-container pod's image", without="needs-node")
def _():
    k = kind("pods", space())
    k.create(pod())
    k.change("p", lambda o: o["spec"]["containers"][0].update(image="i:2"))
    equal(k.get("p")["spec"]["containers"][0]["image"], "i:2")


@cli("Kubectl client Kubectl server-side dry-run should check if kubectl can dry-run update Pods", without="needs-node")
def _():
    k = kind("pods", space())
    k.create(pod())
    patch = {"spec": {"containers": [{"name": "c", "image": "i:2"}]}}
    equal(k.patch("p", patch, "strategic", dryRun="All")["spec"]["containers"][0]["image"], "i:2")
    equal(k.get("p")["spec"]["containers"][0]["image"], "i:1")


@cli("Kubectl client Kubectl label should update the label on a resource", without="needs-node")
def _():
    k = kind("pods", space())
    k.create(pod())
    k.patch("p", {"metadata": {"labels": {"testing-label": "value"}}})
    equal(k.names(labelSelector="testing-label=value"), ["p"])
    equal(k.patch("p", {"metadata": {"labels": {"testing-label": None}}})["metadata"]["labels"], LABELS)


@cli("Kubectl client Kubectl expose should create services for rc", without="needs-controller")
def _():
    k = made("replicationcontrollers")
    services = kind("services", k.namespace)
    services.create({"metadata": {"name": "rm2"}, "spec": {"selector": k.get("one")["spec"]["selector"], "ports": [{"port": 1234, "targetPort": 6379}]}})
    holds(services.get("rm2"), {"spec": {"selector": LABELS, "ports": [{"port": 1234, "targetPort": 6379, "protocol": "TCP"}]}})


def kubectl_proxy(*words):
    """`kubectl proxy` that says where it serves; ended on leaving."""
    cache = os.environ.get("TEU_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "teu")
    kubectl = shutil.which("kubectl") or os.path.join(cache, "kube/kubectl")
    if not os.access(kubectl, os.X_OK):
        raise Skip("needs kubectl")
    return subprocess.Popen([kubectl, "--kubeconfig", api().server.config, "proxy", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def answers(proxy, connect):
    try:
        line = proxy.stdout.readline().decode()
        assert "Starting to serve on" in line, line
        c = connect(line)
        c.request("GET", "/api/")
        assert "v1" in json.loads(c.getresponse().read())["versions"]
        c.close()
    finally:
        proxy.kill()
        proxy.wait()
        proxy.stdout.close()


@cli("Kubectl client Proxy server should support proxy with --port 0")
def _():
    answers(kubectl_proxy("--port", "0"), lambda line: http.client.HTTPConnection(line.split()[-1], timeout=30))


@cli("Kubectl client Proxy server should support --unix-socket=/path")
def _():
    path = api().server.folder + "/proxy"

    def connect(_):
        c = http.client.HTTPConnection("localhost", timeout=30)
        c.sock = socket.socket(socket.AF_UNIX)
        c.sock.connect(path)
        return c
    answers(kubectl_proxy("--unix-socket=" + path), connect)


# ---- events ----


def core_event(k, name):
    return {"metadata": {"name": name}, "involvedObject": {"kind": "Pod", "namespace": k.namespace, "name": "p"}, "message": "This is a test event", "reason": "Test",
            "type": "Normal", "count": 1, "source": {"component": "e2e"}, "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:00:00Z"}


def new_event(k, name):
    return {"metadata": {"name": name}, "regarding": {"kind": "Pod", "namespace": k.namespace, "name": "p"}, "note": "This is " + name, "reason": "Test", "type": "Normal",
            "action": "Do", "reportingController": "test-controller", "reportingInstance": "test-node", "eventTime": "2026-01-01T00:00:00.000000Z"}


def event_collection(plural, make):
    k = kind(plural, space())
    for n in ("e1", "e2", "e3"):
        o = make(k, n)
        o["metadata"]["labels"] = {"testevent-set": "true"}
        k.create(o)
    equal(k.names(labelSelector="testevent-set=true"), ["e1", "e2", "e3"])
    k.delete_all(labelSelector="testevent-set=true")
    equal(k.names(), [])


events("Events should delete a collection of events")(lambda: event_collection("events", core_event))
events("Events API should delete a collection of events")(lambda: event_collection("events.events.k8s.io", new_event))


@events("Events should manage the lifecycle of an event")
def _():
    k = kind("events", space())
    o = core_event(k, "e")
    o["metadata"]["labels"] = {"testevent-constant": "true"}
    k.create(o)
    equal(k.all().names(labelSelector="testevent-constant=true"), ["e"])
    k.patch("e", {"message": "This is a patched test event"}, "strategic")
    equal(k.get("e")["message"], "This is a patched test event")
    k.change("e", lambda o: o.update(series={"count": 100, "lastObservedTime": "2026-01-01T00:00:00.000001Z"}))
    holds(k.get("e"), {"series": {"count": 100, "lastObservedTime": "2026-01-01T00:00:00.000001Z"}})
    equal(k.names(fieldSelector="involvedObject.name=p,reason=Test"), ["e"])
    k.delete("e")
    equal(k.all().names(labelSelector="testevent-constant=true"), [])


@events("Events API should ensure that an event can be fetched, patched, deleted, and listed")
def _():
    k = kind("events.events.k8s.io", space())
    k.create(new_event(k, "e"))
    equal(k.names(), ["e"])
    holds(k.get("e"), new_event(k, "e"))
    equal(k.names(fieldSelector="reportingController=test-controller"), ["e"])
    k.patch("e", {"series": {"count": 2, "lastObservedTime": "2026-01-01T00:00:01.000000Z"}}, "strategic")
    equal(k.get("e")["series"]["count"], 2)
    k.change("e", lambda o: o.update(series={"count": 100, "lastObservedTime": "2026-01-01T00:00:02.000000Z"}))
    equal(k.get("e")["series"]["count"], 100)
    holds(kind("events", k.namespace).get("e"), {"message": "This is e", "involvedObject": {"name": "p"}})
    k.delete("e")
    k.gone("e")
