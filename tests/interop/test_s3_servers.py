# SPDX-License-Identifier: MIT
"""varve's client of object stores against real ones: what it puts is what another client reads, and
the other way round; conditions hold; nothing is said twice."""

import hashlib
import base64
import random

import pytest
import s3_support

NAMES = ["a", "sim=a b/x.parquet", "%empty/é+.parquet", "q'&<>\"/~.json", "n/" + "0" * 200]


@pytest.fixture(scope="module", params=s3_support.SERVERS)
def store(request, tmp_path_factory):
    with s3_support.server(request.param, tmp_path_factory.mktemp(request.param)) as found:
        yield found


@pytest.fixture
def client(store, request):
    prefix = f"{request.node.originalname}/"
    with s3_support.Client(store.endpoint, prefix=prefix) as found:
        found.prefix = prefix
        yield found


def test_what_is_put_is_there_for_others(store, client):
    for i, name in enumerate(NAMES):
        body = random.Random(i).randbytes(i * 50_000)
        answer = client.put(name, body)
        assert answer["outcome"] == "done", answer
        assert store.read(client.prefix + name) == body
        answer, found = client.get(name)
        assert (answer["outcome"], found) == ("done", body), answer
        head = client.call("head", name)
        assert (head["outcome"], head["size"]) == ("done", len(body)), head
        assert head["sha256"] in ("", base64.b64encode(hashlib.sha256(body).digest()).decode())
        assert head["etag"] and head["modified"] > 1.7e18
    listed = client.call("list", "", "")
    assert listed["outcome"] == "done", listed
    assert [o["key"] for o in listed["objects"]] == sorted(NAMES, key=str.encode)


def test_ranges(store, client):
    body = bytes(range(256)) * 10
    store.write(client.prefix + "x", body)
    for offset, length in [(0, 1), (5, 100), (2550, 100), (2559, 1), (2560, 10), (9999, 1), (0, 0)]:
        answer, found = client.get("x", offset, length)
        assert answer["outcome"] == "done", answer
        assert found == body[offset : offset + length]
    answer, found = client.get("none")
    assert (answer["outcome"], found) == ("absent", b"")
    assert client.call("head", "none")["outcome"] == "absent"


def test_conditions(store, client):
    first = client.put("c", b"one", "absent")
    assert (first["outcome"], first["same"]) == ("done", False), first
    again = client.put("c", b"one", "absent")
    assert (again["outcome"], again["same"]) == ("done", True), again
    for other in (b"two", b"on", b"one and more", b""):
        assert client.put("c", other, "absent")["outcome"] == "taken"
    assert store.read(client.prefix + "c") == b"one"

    etag = client.call("head", "c")["etag"]
    assert client.put("c", b"two", etag)["outcome"] == "done"
    assert client.put("c", b"three", etag)["outcome"] == "taken"
    assert store.read(client.prefix + "c") == b"two"


def test_list_goes_on_behind_a_key_and_over_pages(store, client):
    names = [f"log/{n:020}.json" for n in range(1200)]
    for name in names:
        assert client.put(name, b"")["outcome"] == "done"
    assert client.put("logs", b"")["outcome"] == "done"
    found = client.call("list", "log/", "")
    assert [o["key"] for o in found["objects"]] == names
    found = client.call("list", "log/", names[1100])
    assert [o["key"] for o in found["objects"]] == names[1101:]
    found = client.call("list", "log/", names[-1])
    assert (found["outcome"], found["objects"]) == ("done", [])


def test_delete(store, client):
    store.write(client.prefix + "d", b"x")
    assert client.call("delete", "d")["outcome"] == "done"
    assert client.call("delete", "d")["outcome"] == "done"
    assert client.call("head", "d")["outcome"] == "absent"


def test_large_objects_in_parts(store, client):
    part = 5 << 20
    body = random.Random(1).randbytes(2 * part + 12345)
    answer = client.upload("big", body, part, "absent")
    assert answer["outcome"] == "done", answer
    answer, found = client.get("big")
    assert found == body
    other = body[:-1]
    assert client.upload("big", other, part, "absent")["outcome"] == "taken"
    assert store.read(client.prefix + "big") == body

    begun = client.call("begin", "orphan")
    assert begun["outcome"] == "done", begun
    listed = client.call("uploads")
    found = [(u["key"], u["id"]) for u in listed["uploads"]]
    assert ("orphan", begun["id"]) in found and all(u["begun"] for u in listed["uploads"])
    for key, upload in found:
        assert client.call("abort", key, upload)["outcome"] == "done"
    assert client.call("abort", "orphan", begun["id"])["outcome"] == "done"
    assert client.call("uploads")["uploads"] == []


def test_large_objects_are_put_in_parts_like_small_ones(store):
    body = random.Random(2).randbytes(41 << 20)
    with s3_support.Client(store.endpoint, prefix="large/", part=5 << 20) as client:
        answer = client.put("x", body, "absent")
        assert (answer["outcome"], answer["same"]) == ("done", False), answer
        assert client.call("address")["requests"]["upload"]["2xx"] == 11
        assert store.read("large/x") == body
        again = client.put("x", body, "absent")
        assert (again["outcome"], again["same"]) == ("done", True), again
        assert client.put("x", body[1:] + b"x", "absent")["outcome"] == "taken"
        assert store.read("large/x") == body
        assert client.call("uploads")["uploads"] == []


def test_one_connection_and_no_request_too_many(store, client):
    for i in range(20):
        assert client.put(f"k{i}", b"x")["outcome"] == "done"
    told = client.call("address")
    assert told["requests"]["put"] == {"2xx": 20, "3xx": 0, "4xx": 0, "5xx": 0, "lost": 0}
    assert told["address"] == f"{store.endpoint}/{store.bucket}"
    assert told["credentials"] == "environment"
    assert abs(told["skew"]) < 120e9


def test_refusals_are_told(store):
    with s3_support.Client(store.endpoint, AWS_SECRET_ACCESS_KEY="wrong/secret") as client:
        answer = client.put("x", b"1")
        assert (answer["outcome"], answer["status"]) == ("refused", 403), answer
        assert "s3://varve-test/x: put" in answer["error"]
        assert "SignatureDoesNotMatch" in answer["error"] and "wrong/secret" not in str(answer)
    if store.name == "seaweedfs":  # makes a bucket for whoever may
        return
    with s3_support.Client(store.endpoint, bucket="no-such-bucket") as client:
        answer = client.put("x", b"1")
        assert answer["outcome"] == "refused", answer
        assert "NoSuchBucket" in answer["error"]
