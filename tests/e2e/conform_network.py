# SPDX-License-Identifier: Apache-2.0
"""Conformance tests of sig-network: Services as objects, Endpoints and EndpointSlices, Ingress, addresses."""
from conform_machinery import TRUE
from kube import equal, holds, kind, space, suite, until
from kube_life import operations, told

case = suite("sig-network")
PORTS = [{"name": "http", "port": 80, "targetPort": 9376}]


def service(name, labels=None, **spec):
    return {"metadata": {"name": name, "labels": labels or {}}, "spec": {"ports": PORTS, **spec}}


def typed(first, then):
    """A Service of one type becomes another; its addresses and ports come and go with that."""
    k = kind("services", space())
    by_type = {"ClusterIP": {"type": "ClusterIP"}, "NodePort": {"type": "NodePort"}, "ExternalName": {"type": "ExternalName", "externalName": "foo.example.com"}}
    check(k.create(service("one", **({"ports": None} if first == "ExternalName" else {}), **by_type[first])), first)

    def change(o):
        o["spec"].pop("externalName", None)
        o["spec"].update(ports=PORTS if then != "ExternalName" else None, **by_type[then])
        if then == "ExternalName":
            for gone in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
                o["spec"].pop(gone, None)
    check(k.change("one", change), then)
    check(k.get("one"), then)


def check(o, type_):
    spec = o["spec"]
    equal(spec["type"], type_)
    assert bool(spec.get("clusterIP")) == (type_ != "ExternalName"), spec
    if type_ == "NodePort":
        assert 30000 <= spec["ports"][0]["nodePort"] <= 32767, spec
    else:
        assert all("nodePort" not in p for p in spec.get("ports", [])), spec
    if type_ != "ExternalName":
        assert spec["clusterIPs"] == [spec["clusterIP"]] and spec["ipFamilies"] == ["IPv4"], spec


for first, then in (("ClusterIP", "ExternalName"), ("ExternalName", "ClusterIP"), ("ExternalName", "NodePort"), ("NodePort", "ExternalName")):
    case(f"Services should be able to change the type from {first} to {then}", without="needs-node")(lambda first=first, then=then: typed(first, then))


@case("Services should complete a service status lifecycle")
def _():
    k = kind("services", space())
    told(k, "status")
    with k.watch(labelSelector="test-service-static=true") as w:
        k.create(service("one", {"test-service-static": "true"}, type="LoadBalancer"))
        w.next("ADDED")
        status = {"loadBalancer": {"ingress": [{"ip": "203.0.113.1", "ipMode": "VIP"}]}}
        got = k.patch("one", {"metadata": {"annotations": {"patchedstatus": "true"}}, "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}]}}}, sub="status")
        holds(got, {"metadata": {"annotations": {"patchedstatus": "true"}}, "status": status})
        w.next("MODIFIED")
        k.change("one", lambda o: o["status"].update(TRUE), "status")
        holds(w.next("MODIFIED"), {"status": {**TRUE, **status}})
        k.patch("one", {"metadata": {"labels": {"test-service": "patched"}}}, "strategic")
        holds(w.next("MODIFIED"), {"metadata": {"labels": {"test-service": "patched"}}, "status": TRUE})
        equal(k.all().names(labelSelector="test-service-static=true"), ["one"])
        k.delete("one")
        w.next("DELETED")


@case("Services should delete a collection of services")
def _():
    k = kind("services", space())
    for n, mark in (("a", "yes"), ("b", "yes"), ("c", "no")):
        k.create(service(n, {"collected": mark}))
    equal(k.names(labelSelector="collected=yes"), ["a", "b"])
    k.delete_all(labelSelector="collected=yes")
    equal(k.names(), ["c"])


@case("Services should find a service from listing all namespaces")
def _():
    assert any(o["metadata"]["name"] == "kubernetes" and o["metadata"]["namespace"] == "default" for o in kind("services").items())


@case("Services should provide secure master service")
@case("API Server should provide secure master service")
def _():
    holds(kind("services", "default").get("kubernetes"), {"spec": {"ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}]}})


def endpoints_lifecycle():
    k = kind("endpoints", space())
    subsets = [{"addresses": [{"ip": "10.0.0.24"}], "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]}]
    with k.watch(labelSelector="test-endpoint-static=true") as w:
        k.create({"metadata": {"name": "one", "labels": {"test-endpoint-static": "true"}}, "subsets": subsets})
        w.next("ADDED")
        equal(k.all().names(labelSelector="test-endpoint-static=true"), ["one"])

        def change(o):
            o["metadata"]["labels"]["test-service"] = "updated"
            o["subsets"][0]["addresses"][0]["ip"] = "10.0.0.25"
        k.change("one", change)
        holds(w.next("MODIFIED"), {"subsets": [{"addresses": [{"ip": "10.0.0.25"}], "ports": subsets[0]["ports"]}]})
        k.patch("one", {"metadata": {"labels": {"test-service": "patched"}}, "subsets": [{"addresses": [{"ip": "10.0.0.26"}], "ports": subsets[0]["ports"]}]}, "strategic")
        holds(w.next("MODIFIED"), {"metadata": {"labels": {"test-service": "patched"}}, "subsets": [{"addresses": [{"ip": "10.0.0.26"}]}]})
        k.delete_all(labelSelector="test-endpoint-static=true")
        w.next("DELETED")
    k.gone("one")


case("Services should test the lifecycle of an Endpoint")(endpoints_lifecycle)
case("Endpoints should test the lifecycle of an Endpoint")(endpoints_lifecycle)


def points_to_the_server():
    found = kind("endpoints", "default").get("kubernetes")["subsets"]
    port = {"name": "https", "port": 6443, "protocol": "TCP"}
    assert len(found) == 1 and found[0]["addresses"] and found[0]["ports"] == [port], found
    slices = kind("endpointslices", "default").items(labelSelector="kubernetes.io/service-name=kubernetes")
    equal(sorted(a for s in slices for e in s["endpoints"] for a in e["addresses"]), sorted(a["ip"] for a in found[0]["addresses"]))
    assert all(s["ports"] == [port] for s in slices) and slices, slices


case("EndpointSlice should have Endpoints and EndpointSlices pointing to API Server")(points_to_the_server)
case("API Server should have Endpoints and EndpointSlices pointing to API Server")(points_to_the_server)


@case("EndpointSlice should support creating EndpointSlice API operations")
def _():
    operations("endpointslices", lambda n: {"metadata": {"name": "slice-" + n}, "addressType": "IPv4", "endpoints": [{"addresses": ["1.2.3.4", "5.6.7.8"]}],
                                            "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]})


RULE = {"host": "foo.bar.com", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "s", "port": {"number": 80}}}}]}}


@case("Ingress API should support creating Ingress API operations")
def _():
    operations("ingresses", lambda n: {"metadata": {"name": "ingress-" + n}, "spec": {"defaultBackend": {"service": {"name": "d", "port": {"number": 80}}}, "rules": [RULE]}},
               {"spec": {"rules": [{**RULE, "host": "other.bar.com"}]}}, {"loadBalancer": {"ingress": [{"ip": "169.1.1.1"}]}})


@case("IngressClass API should support creating IngressClass API operations")
def _():
    operations("ingressclasses", lambda n: {"metadata": {"name": "class-" + n}, "spec": {"controller": "example.com/controller"}},
               {"spec": {"parameters": {"kind": "P", "name": "p", "scope": "Cluster"}}})


@case("ServiceCIDR and IPAddress API should support ServiceCIDR API operations", without="needs-controller")
def _():
    k = operations("servicecidrs", lambda n: {"metadata": {"name": "cidr-" + n}, "spec": {"cidrs": [f"10.{ord(n)}.0.0/24"]}}, None, TRUE, meta=False)
    until(lambda: "kubernetes" in k.names(), "the server's own range")
    k.create({"metadata": {"name": "one"}, "spec": {"cidrs": ["10.200.0.0/24"]}})
    a = k.get("one")
    a["spec"]["cidrs"] = ["10.201.0.0/24"]
    assert "spec.cidrs" in k.update(a, want=422)["message"]
    k.delete("one")


@case("ServiceCIDR and IPAddress API should support IPAddress API operations")
def _():
    parent = {"parentRef": {"resource": "services", "name": "s", "namespace": "default"}}
    k = operations("ipaddresses", lambda n: {"metadata": {"name": f"192.168.1.{ord(n)}"}, "spec": parent})
    assert k.create({"metadata": {"name": "192.168.001.1"}, "spec": parent}, want=422)["reason"] == "Invalid"
