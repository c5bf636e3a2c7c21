# SPDX-License-Identifier: Apache-2.0
"""What many kinds are asked in the same way: that they are told of, and their objects created, read, watched, changed, deleted."""
import json

from kube import api, equal, holds, kind, space


def told(k, *subs):
    """The group, its version and the resource (and subresources) are in the documents of discovery."""
    if k.group:
        groups = api().get("/apis")["groups"]
        group = next(g for g in groups if g["name"] == k.group)
        assert k.gv in [v["groupVersion"] for v in group["versions"]], group
        equal(api().get("/apis/" + k.group)["kind"], "APIGroup")
    names = {r["name"]: r for r in api().get(k.base)["resources"]}
    equal(names[k.plural]["kind"], k.kind)
    for sub in subs:
        assert f"{k.plural}/{sub}" in names, names.keys()
    return names[k.plural]


def labelled(o, **labels):
    return {**o, "metadata": {**o["metadata"], "labels": {**o["metadata"].get("labels", {}), **labels}}}


def created_and_read(k, made, mark):
    names = list(made)
    for name in names:
        o = k.create(labelled(made[name], **mark))
        equal(o["metadata"]["name"], name)
        assert o["metadata"]["uid"] and o["metadata"]["creationTimestamp"] and o["metadata"]["resourceVersion"]
    got = k.get(names[0])
    holds(got, labelled(made[names[0]], **mark))
    a = api().ask("POST", k.path(), k.full(made[names[0]]), want=409).json()
    equal(a["reason"], "AlreadyExists")
    selector = ",".join(f"{n}={v}" for n, v in mark.items())
    equal(k.names(labelSelector=selector), sorted(names))
    equal(k.names(fieldSelector="metadata.name=" + names[1]), [names[1]])
    if k.namespace:
        found = k.all().items(labelSelector=selector)
        assert [o["metadata"]["name"] for o in found] == sorted(names) and {o["metadata"]["namespace"] for o in found} == {k.namespace}
    return selector


def changed(k, name, change):
    """A merge patch, then an update; a stale update is refused."""
    old = k.get(name)
    got = k.patch(name, {"metadata": {"annotations": {"patched": "true"}}, **(change or {})})
    holds(got, {"metadata": {"annotations": {"patched": "true"}}, **(change or {})})
    assert got["metadata"]["resourceVersion"] != old["metadata"]["resourceVersion"]
    old["metadata"].setdefault("annotations", {})["updated"] = "stale"
    equal(k.update(old, want=409)["reason"], "Conflict")
    got = k.change(name, lambda o: o["metadata"]["annotations"].update(updated="true"))
    holds(got["metadata"]["annotations"], {"patched": "true", "updated": "true"})
    now = k.get(name)
    for o in (now, got):  # of which the server itself may have written the status meanwhile
        o.pop("status", None)
        o["metadata"] = {what: o["metadata"].get(what) for what in ("uid", "labels", "annotations", "creationTimestamp")}
    equal(now, got)


def status_changed(k, name, status, meta=True):
    """By a patch and by an update of the subresource; neither changes the spec. `meta`: annotations are changed with it."""
    before = k.get(name, "status")
    mark = lambda what: {"metadata": {"annotations": {"status": what}}} if meta else {}
    got = k.patch(name, {"metadata": {"annotations": {"status": "patched"}}, "status": status}, sub="status")
    holds(got, {"status": status, **mark("patched")})
    holds(k.get(name, "status"), {"metadata": {"uid": before["metadata"]["uid"]}, "status": status})

    def put(o):
        o["status"].update(json.loads(json.dumps(status)))
        o["metadata"].setdefault("annotations", {})["status"] = "updated"
    got = k.change(name, put, "status")
    holds(got, {"status": status, **mark("updated")})
    assert meta or "status" not in got["metadata"].get("annotations", {})
    if "spec" in before:
        equal(k.get(name)["spec"], before["spec"])


def operations(plural, make, change=None, status=None, meta=True):
    """As upstream's "should support … API operations"; make("a"), "b" and "c" are three objects."""
    k = kind(plural, space() if kind(plural, "x").namespace else None)
    told(k, *(["status"] if status else []))
    mark = {"operations": k.plural}
    names = [make(c)["metadata"]["name"] for c in "abc"]
    made = {name: make(c) for name, c in zip(names, "abc")}
    begun = k.list()["metadata"]["resourceVersion"]
    with k.watch(labelSelector="operations=" + k.plural, resourceVersion=begun) as w:
        selector = created_and_read(k, made, mark)
        for name in names:
            w.until("ADDED", name)
        changed(k, names[0], change)
        w.until("MODIFIED", names[0], lambda o: o["metadata"].get("annotations", {}).get("patched"))
        w.until("MODIFIED", names[0], lambda o: o["metadata"]["annotations"].get("updated"))
        if status:
            status_changed(k, names[0], status, meta)
            w.until("MODIFIED", names[0], lambda o: "status" in o)
        k.delete(names[0])
        w.until("DELETED", names[0])  # first: what is protected goes in a moment
        k.gone(names[0])
        k.delete_all(labelSelector=selector)
        for name in names[1:]:
            w.until("DELETED", name)
        equal(k.names(labelSelector=selector), [])
    return k
