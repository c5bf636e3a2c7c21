# SPDX-License-Identifier: Apache-2.0
"""Conformance tests of sig-api-machinery: discovery, chunks, watches, field validation, namespaces, quotas, what guards the API."""
import json
import threading

from kube import Watch, api, equal, holds, kind, space, suite
from kube_life import labelled, operations, status_changed, told

case = suite("sig-api-machinery")
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
TRUE = {"conditions": [{"type": "E2E", "status": "True", "reason": "R", "message": "m", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}
DEPLOYMENT = {"replicas": 1, "selector": {"matchLabels": {"a": "b"}},
              "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}


def config_map(name, labels=None, **data):
    return {"metadata": {"name": name, "labels": labels or {}}, "data": data}


# ---- discovery ----


def aggregated(where, accept=AGGREGATED):
    a = api().ask("GET", where, None, {"Accept": accept}, 200)
    holds(a.json(), {"kind": "APIGroupDiscoveryList"})
    assert "as=APIGroupDiscoveryList" in a.headers["content-type"], a.headers
    return {g["metadata"].get("name", ""): {v["version"]: v["resources"] for v in g["versions"]} for g in a.json()["items"]}


BUILT_IN = {"": "pods services namespaces", "apps": "deployments daemonsets", "batch": "jobs", "networking.k8s.io": "ingresses", "storage.k8s.io": "csidrivers",
            "admissionregistration.k8s.io": "validatingwebhookconfigurations", "apiregistration.k8s.io": "apiservices"}


def has_what_is_built_in(accept):
    docs = {**aggregated("/api", accept), **aggregated("/apis", accept)}
    for group, plurals in BUILT_IN.items():
        names = {r["resource"] for r in docs[group]["v1"]}
        assert set(plurals.split()) <= names, (group, names)
    return docs


@case("AggregatedDiscovery should support aggregated discovery interface")
def _():
    docs = has_what_is_built_in(AGGREGATED)
    # What clients make of it is what they make of the old documents.
    for group, versions in docs.items():
        for version, resources in versions.items():
            old = api().get(f"/apis/{group}/{version}" if group else f"/api/{version}")["resources"]
            new = {r["resource"] for r in resources} | {f"{r['resource']}/{s['subresource']}" for r in resources for s in r.get("subresources", [])}
            equal(sorted(new), sorted(r["name"] for r in old))
    assert api().get("/apis", Accept="application/json;g=other.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json")["kind"] == "APIGroupList"


@case("AggregatedDiscovery should support raw aggregated discovery endpoint Accept headers")
def _():
    has_what_is_built_in(AGGREGATED)
    has_what_is_built_in(AGGREGATED + ",application/json;q=0.5")
    for accept in ("application/json", "application/json," + AGGREGATED.replace("v=v2", "v=v9"), "*/*"):
        equal(api().get("/apis", Accept=accept)["kind"], "APIGroupList")
        equal(api().get("/api", Accept=accept)["kind"], "APIVersions")
    a = api().ask("GET", "/apis", None, {"Accept": AGGREGATED}, 200)
    equal(api().ask("GET", "/apis", None, {"Accept": AGGREGATED, "If-None-Match": a.headers["etag"]}).status, 304)


@case("Discovery should locate the groupVersion and a resource within each APIGroup")
def _():
    for group in api().get("/apis")["groups"]:
        for v in group["versions"]:
            found = api().get("/apis/" + v["groupVersion"])
            holds(found, {"kind": "APIResourceList", "groupVersion": v["groupVersion"]})
            assert found["resources"] and all(r["name"] and r["kind"] and r["verbs"] for r in found["resources"])


@case("Discovery should validate PreferredVersion for each APIGroup")
def _():
    for group in api().get("/apis")["groups"]:
        one = api().get("/apis/" + group["name"])
        holds(one, {"kind": "APIGroup", "name": group["name"], "preferredVersion": group["preferredVersion"]})
        assert one["preferredVersion"] in one["versions"], one


@case("server version should find the server version")
def _():
    v = api().get("/version")
    assert v["major"].isdigit() and v["minor"].rstrip("+").isdigit() and v["gitVersion"].startswith(f"v{v['major']}.{v['minor']}."), v


@case("Servers with support for Table transformation should return a 406 for a backend which does not implement metadata")
def _():
    review = {"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1",
              "spec": {"resourceAttributes": {"namespace": "default", "verb": "get", "resource": "pods"}}}
    where = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    a = api().ask("POST", where, review, {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}, 406).json()
    holds(a, {"kind": "Status", "reason": "NotAcceptable", "code": 406})
    api().ask("POST", where, review, {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}, 201)


# ---- chunks ----


def pod_templates(n):
    k = kind("podtemplates", space())
    for i in range(n):
        k.create({"metadata": {"name": f"template-{i:04}"}, "template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}})
    return k


@case("Servers with support for API chunking should return chunks of results for list calls")
def _():
    total = 150
    k = pod_templates(total)
    for limit in (1 + total // 3, 7):
        found, token, revision = 0, None, None
        while token != "":
            more = {"continue": token} if token else {}
            page = k.list(limit=limit, **more)
            meta, items = page["metadata"], page["items"]
            revision = revision or meta["resourceVersion"]
            equal(meta["resourceVersion"], revision)
            assert len(items) <= limit
            equal([o["metadata"]["name"] for o in items], [f"template-{i:04}" for i in range(found, found + len(items))])
            found += len(items)
            equal(meta.get("remainingItemCount", 0), total - found)
            token = meta.get("continue", "")
            assert bool(token) == (found < total)
            if found == len(items):
                k.delete("template-0149")  # what goes in between is still there: the list is of one moment
                k.create({"metadata": {"name": "template-0149"}, "template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}})
        equal(found, total)
    whole = k.list()
    assert len(whole["items"]) == total and "continue" not in whole["metadata"] and "remainingItemCount" not in whole["metadata"]


@case("Servers with support for API chunking should support continue listing from the last key if the original version has been compacted away, "
      "though the list is inconsistent")
def _():
    k = pod_templates(30)
    first = k.list(limit=10)
    equal(len(first["items"]), 10)
    k.create({"metadata": {"name": "template-0010-new"}, "template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}})
    api().server.teu("store", "compact")
    api().server.restart()  # what it keeps of the past in memory goes too
    gone = k.list(410, limit=10, **{"continue": first["metadata"]["continue"]})
    holds(gone, {"kind": "Status", "reason": "Expired", "code": 410})
    second = k.list(limit=10, **{"continue": gone["metadata"]["continue"]})
    assert second["metadata"]["resourceVersion"] != first["metadata"]["resourceVersion"]
    names = [o["metadata"]["name"] for o in second["items"]]
    assert names[0] == "template-0010" and "template-0010-new" in names and len(names) == 10
    third = k.list(limit=100, **{"continue": second["metadata"]["continue"]})
    equal(third["metadata"]["resourceVersion"], second["metadata"]["resourceVersion"])
    equal(len(third["items"]), 31 - 20)


# ---- watches ----


@case("Watchers should observe add, update, and delete watch notifications on configmaps")
def _():
    k = kind("configmaps", space())
    a, b = {"watch": "a"}, {"watch": "b"}
    with k.watch(labelSelector="watch=a") as wa, k.watch(labelSelector="watch=b") as wb, k.watch(labelSelector="watch in (a,b)") as both:
        one = k.create(config_map("one", a))
        for w in (wa, both):
            equal(w.next("ADDED"), one)
        for n in ("1", "2"):
            one = k.patch("one", {"data": {"mutation": n}})
            for w in (wa, both):
                equal(w.next("MODIFIED"), one)
        k.delete("one")
        for w in (wa, both):
            holds(w.next("DELETED"), {"metadata": {"name": "one"}, "data": {"mutation": "2"}})
        two = k.create(config_map("two", b))
        for w in (wb, both):
            equal(w.next("ADDED"), two)
        k.delete("two")
        for w in (wb, both):
            equal(w.next("DELETED")["metadata"]["name"], "two")
        for w, labels in ((wa, a), (wb, b)):  # and nothing else was told
            k.create(config_map("end-" + labels["watch"], labels))
            equal(w.next("ADDED")["metadata"]["name"], "end-" + labels["watch"])


@case("Watchers should be able to start watching from a specific resource version")
def _():
    k = kind("configmaps", space())
    k.create(config_map("one"))
    first = k.patch("one", {"data": {"mutation": "1"}})
    second = k.patch("one", {"data": {"mutation": "2"}})
    k.delete("one")
    with k.watch(resourceVersion=first["metadata"]["resourceVersion"]) as w:
        equal(w.next("MODIFIED"), second)
        w.next("DELETED")
        k.create(config_map("end"))
        equal(w.next("ADDED")["metadata"]["name"], "end")


@case("Watchers should be able to restart watching from the last resource version observed by the previous watch")
def _():
    k = kind("configmaps", space())
    with k.watch(fieldSelector="metadata.name=one") as w:
        k.create(config_map("one"))
        w.next("ADDED")
        k.patch("one", {"data": {"mutation": "1"}})
        last = w.next("MODIFIED")["metadata"]["resourceVersion"]
    second = k.patch("one", {"data": {"mutation": "2"}})
    k.delete("one")
    with k.watch(fieldSelector="metadata.name=one", resourceVersion=last) as w:
        equal(w.next("MODIFIED"), second)
        w.next("DELETED")


@case("Watchers should observe an object deletion if it stops meeting the requirements of the selector")
def _():
    k = kind("configmaps", space())
    with k.watch(labelSelector="watch=yes") as w:
        k.create(config_map("one", {"watch": "yes"}))
        w.next("ADDED")
        k.patch("one", {"data": {"mutation": "1"}})
        w.next("MODIFIED")
        k.patch("one", {"metadata": {"labels": {"watch": "no"}}})
        holds(w.next("DELETED"), {"metadata": {"name": "one"}, "data": {"mutation": "1"}})
        k.patch("one", {"data": {"mutation": "2"}})  # not told
        k.patch("one", {"metadata": {"labels": {"watch": "yes"}}})
        holds(w.next("ADDED"), {"data": {"mutation": "2"}})
        k.patch("one", {"data": {"mutation": "3"}})
        holds(w.next("MODIFIED"), {"data": {"mutation": "3"}})
        k.delete("one")
        holds(w.next("DELETED"), {"data": {"mutation": "3"}})


@case("Watchers should receive events on concurrent watches in same order")
def _():
    k, total = kind("configmaps", space()), 60
    begun = k.list()["metadata"]["resourceVersion"]

    def writes():
        own = type(api())(api().tls)
        own.kinds = api().kinds
        mine, alive = own.kind("configmaps", k.namespace), []
        for i in range(total):
            if i % 3 == 2:
                mine.delete(alive.pop(0))
            elif i % 3 == 1:
                mine.patch(alive[-1], {"data": {"n": str(i)}})
            else:
                mine.create(config_map(f"n{i}"))
                alive.append(f"n{i}")
    writer = threading.Thread(target=writes)
    writer.start()
    watches = [Watch(api(), k.path(watch="1", resourceVersion=begun))]
    for n in range(total):
        e = watches[0].next()
        revision = e["object"]["metadata"]["resourceVersion"]
        for w in watches[1:]:
            other = w.next()
            equal((other["type"], other["object"]), (e["type"], e["object"]))
        if n % 4 == 0:
            watches.append(Watch(api(), k.path(watch="1", resourceVersion=revision)))
    writer.join()
    for w in watches:
        w.close()


# ---- field validation ----


def refused(k, body, *words, method="POST", name=None, **query):
    """Strict is refused with these words; Warn says them; Ignore is silent."""
    where = lambda how: k.path(name, fieldValidation=how, dryRun="All", **query)
    kinds = {"Content-Type": "application/apply-patch+yaml"} if method == "PATCH" else {}
    a = api().ask(method, where("Strict"), body, kinds)
    assert a.status in (400, 422), (a.status, a.body[:300])
    for w in words:
        assert w in a.json()["message"], (w, a.json()["message"])
    a = api().ask(method, where("Warn"), body, kinds)
    assert a.status in (200, 201), a.body[:300]
    for w in words:
        assert any(w.replace('"', '\\"') in x or w in x for x in a.warnings), (w, a.warnings)
    a = api().ask(method, where("Ignore"), body, kinds)
    assert a.status in (200, 201) and not a.warnings, (a.body[:300], a.warnings)


@case("FieldValidation should detect unknown and duplicate fields of a typed object")
def _():
    k = kind("deployments", space())
    text = json.dumps(k.full({"metadata": {"name": "d"}, "spec": {**DEPLOYMENT, "unknown1": 1}}))
    text = text.replace('"replicas": 1', '"paused": false, "paused": true, "unknownDupe": 1, "unknownDupe": 2, "replicas": 1')
    words = ['unknown field "spec.unknown1"', 'unknown field "spec.unknownDupe"', 'duplicate field "spec.paused"']
    refused(k, text, *words)
    k.create({"metadata": {"name": "d"}, "spec": DEPLOYMENT})
    refused(k, text, *words, method="PUT", name="d")


@case("FieldValidation should detect unknown metadata fields of a typed object")
def _():
    k = kind("deployments", space())
    refused(k, json.dumps(k.full({"metadata": {"name": "d", "unknownMeta": "x"}, "spec": DEPLOYMENT})), 'unknown field "metadata.unknownMeta"')


# ---- namespaces and quotas ----


@case("Namespaces should patch a Namespace")
def _():
    k, name = kind("namespaces"), space()
    k.patch(name, {"metadata": {"labels": {"testLabel": "testValue"}}}, "strategic")
    equal(k.get(name)["metadata"]["labels"], {"kubernetes.io/metadata.name": name, "testLabel": "testValue"})


@case("Namespaces should apply an update to a Namespace")
def _():
    k, name = kind("namespaces"), space()
    k.change(name, lambda o: o["metadata"]["labels"].update({name: "updated"}))
    equal(k.names(labelSelector=f"{name}=updated"), [name])


@case("Namespaces should apply changes to a namespace status")
def _():
    k, name = kind("namespaces"), space()
    equal(k.get(name, "status")["status"]["phase"], "Active")
    told(k, "status", "finalize")
    status_changed(k, name, TRUE)
    equal(k.get(name)["status"]["phase"], "Active")


@case("Namespaces should apply a finalizer to a Namespace")
def _():
    k, name, fake = kind("namespaces"), space(), "e2e.example.com/fakeFinalizer"
    k.change(name, lambda o: o["spec"]["finalizers"].append(fake), "finalize")
    equal(k.get(name)["spec"]["finalizers"], ["kubernetes", fake])
    k.change(name, lambda o: o["spec"]["finalizers"].remove(fake), "finalize")
    equal(k.get(name)["spec"]["finalizers"], ["kubernetes"])


QUOTA = {"hard": {"cpu": "1", "memory": "500Mi"}}


@case("ResourceQuota should be able to update and delete ResourceQuota.")
def _():
    k = kind("resourcequotas", space())
    k.create({"metadata": {"name": "q"}, "spec": QUOTA})
    equal(k.get("q")["spec"], QUOTA)
    k.change("q", lambda o: o["spec"]["hard"].update(cpu="2", memory="1Gi"))
    equal(k.get("q")["spec"]["hard"], {"cpu": "2", "memory": "1Gi"})
    k.delete("q")
    k.gone("q")


@case("ResourceQuota should manage the lifecycle of a ResourceQuota")
def _():
    operations("resourcequotas", lambda n: {"metadata": {"name": "q-" + n}, "spec": QUOTA}, {"spec": {"hard": {"memory": "750Mi"}}})


@case("ResourceQuota should apply changes to a resourcequota status", without="needs-controller")
def _():
    k = kind("resourcequotas", space())
    k.create({"metadata": {"name": "q"}, "spec": {"hard": {"cpu": "500m", "memory": "500Mi"}}})
    told(k, "status")
    with k.watch(fieldSelector="metadata.name=q") as w:
        w.next("ADDED")
        status_changed(k, "q", {"hard": {"cpu": "500m", "memory": "500Mi"}, "used": {"cpu": "0", "memory": "0"}})
        holds(w.next("MODIFIED"), {"status": {"hard": {"cpu": "500m"}}})


# ---- what guards the API ----


@case("API priority and fairness should support FlowSchema API operations")
def _():
    rule = {"subjects": [{"kind": "User", "user": {"name": "example-e2e"}}], "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}]}
    operations("flowschemas", lambda n: {"metadata": {"name": "fs-" + n}, "spec": {"matchingPrecedence": 10000, "priorityLevelConfiguration": {"name": "global-default"},
                                                                                   "distinguisherMethod": {"type": "ByUser"}, "rules": [rule]}},
               {"spec": {"matchingPrecedence": 9999}}, TRUE, meta=False)


@case("API priority and fairness should support PriorityLevelConfiguration API operations")
def _():
    operations("prioritylevelconfigurations", lambda n: {"metadata": {"name": "pl-" + n}, "spec": {"type": "Limited", "limited": {
        "nominalConcurrencyShares": 2, "lendablePercent": 0, "limitResponse": {"type": "Reject"}}}}, {"spec": {"limited": {"nominalConcurrencyShares": 4}}}, TRUE, meta=False)


MATCH = {"resourceRules": [{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"]}],
         "namespaceSelector": {"matchLabels": {"nobody": "has-this"}}}


def policy_binding(n):
    return {"metadata": {"name": "binding-" + n}, "spec": {"policyName": "replica-policy.example.com", "validationActions": ["Deny"]}}


@case("ValidatingAdmissionPolicy should support ValidatingAdmissionPolicy API operations")
def _():
    operations("validatingadmissionpolicies", lambda n: {"metadata": {"name": f"{n}.example.com"}, "spec": {
        "matchConstraints": MATCH, "failurePolicy": "Fail", "validations": [{"expression": "object.spec.replicas <= 100"}]}},
        {"spec": {"failurePolicy": "Ignore"}}, TRUE, meta=False)


@case("ValidatingAdmissionPolicy should support ValidatingAdmissionPolicyBinding API operations")
def _():
    operations("validatingadmissionpolicybindings", policy_binding, {"spec": {"validationActions": ["Warn"]}})


@case("MutatingAdmissionPolicy should support MutatingAdmissionPolicy API operations")
def _():
    mutation = {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": "Object{metadata: Object.metadata{labels: {\"a\": \"b\"}}}"}}
    operations("mutatingadmissionpolicies", lambda n: {"metadata": {"name": f"{n}.example.com"}, "spec": {
        "matchConstraints": MATCH, "failurePolicy": "Fail", "reinvocationPolicy": "Never", "mutations": [mutation]}}, {"spec": {"failurePolicy": "Ignore"}})


@case("MutatingAdmissionPolicy should support MutatingAdmissionPolicyBinding API operations")
def _():
    operations("mutatingadmissionpolicybindings", lambda n: {"metadata": {"name": "binding-" + n}, "spec": {"policyName": "replica-policy.example.com"}},
               {"spec": {"policyName": "other.example.com"}})


def webhook(name, **more):
    return {"name": name, "clientConfig": {"url": "https://127.0.0.1:1/none"}, "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "rules": [{"operations": ["CREATE"], "apiGroups": ["none.example.com"], "apiVersions": ["v1"], "resources": ["nothings"]}],
            "failurePolicy": "Ignore", **more}


@case("AdmissionWebhook should include webhook resources in discovery documents")
def _():
    for plural in ("mutatingwebhookconfigurations", "validatingwebhookconfigurations"):
        equal(told(kind(plural))["namespaced"], False)
        equal(kind(plural).gv, "admissionregistration.k8s.io/v1")


def match_conditions(plural):
    k = kind(plural)
    first = [{"name": "expression-1", "expression": "object.metadata.namespace == 'production'"}]
    second = [{"name": "expression-2", "expression": "object.metadata.namespace == 'staging'"}]
    o = labelled({"metadata": {"name": "conditions"}, "webhooks": [webhook("one.k8s.example.com", matchConditions=first)]}, a="b")
    equal(k.create(o)["webhooks"][0]["matchConditions"], first)
    k.change("conditions", lambda o: o["webhooks"][0].update(matchConditions=second))
    equal(k.get("conditions")["webhooks"][0]["matchConditions"], second)
    k.delete("conditions")


@case("AdmissionWebhook should be able to create and update mutating webhook configurations with match conditions")
def _():
    match_conditions("mutatingwebhookconfigurations")


@case("AdmissionWebhook should be able to create and update validating webhook configurations with match conditions")
def _():
    match_conditions("validatingwebhookconfigurations")
