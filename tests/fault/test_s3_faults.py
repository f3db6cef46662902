# SPDX-License-Identifier: MIT
"""What an object store, or the network before it, can do to varve's client, and what the client
makes of it. The store is scripted (s3_fake.py); what it does is in the API reference of Amazon S3
("Error responses", "Conditional writes") or has happened to others."""

import itertools
import signal
import socket
import threading
import time

import pytest
import s3_fake as fake
import s3_support

BODY = b'{"commitInfo":{}}\n'


@pytest.fixture
def client(store):
    with s3_support.Client(store.endpoint) as found:
        yield found


def methods(store):
    return [r.method for r in store.requests]


# ---- what passes by itself -------------------------------------------------------------------------

# In the body of the answer, which HEAD has none of.
SAID = [
    fake.says(400, "RequestTimeout"),
    fake.says(400, "XAmzContentSHA256Mismatch"),
    fake.says(400, "BadDigest"),
    fake.says(400, "InvalidDigest"),
    # The clocks agree: the body was on its way for longer than a signature is good for.
    fake.says(403, "RequestTimeTooSkewed"),
    fake.raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"),
]

PASSING = [
    *SAID,
    fake.says(500, "InternalError"),
    fake.says(502, body=b"<html>bad gateway</html>"),
    fake.says(503, "SlowDown"),
    fake.says(503, "ServiceUnavailable"),
    fake.says(504, body=b""),
    fake.says(429, "TooManyRequests"),
    fake.says(408, "RequestTimeout"),
    fake.says(409, "OperationAborted"),
    fake.reset,
    fake.closes,
    fake.raw(b"HTTP/1.1 200 OK\r\ncontent-le"),
    fake.raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
    fake.raw(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000),
]


@pytest.mark.parametrize("condition", ["any", "absent"])
def test_what_passes_is_tried_again(store, client, condition):
    for i, step in enumerate(PASSING):
        store.script = [step]
        answer = client.put(f"k{i}", BODY, condition)
        assert answer["outcome"] == "done", (i, answer)
        assert store.objects[f"k{i}"] == BODY
    store.objects["x"] = BODY
    for i, step in enumerate(PASSING):
        store.script = [step]
        answer, found = client.get("x")
        assert (answer["outcome"], found) == ("done", BODY), (i, answer)


# What may be done twice, with how many requests it takes, and which of them fails.
REPEATED = {
    "list": (lambda client: client.call("list", "", ""), 1, 0),
    "head": (lambda client: client.call("head", "x"), 1, 0),
    "delete": (lambda client: client.call("delete", "x"), 1, 0),
    "begin": (lambda client: client.upload("u", BODY, 10), 4, 0),
    "part": (lambda client: client.upload("u", BODY, 10), 4, 1),
    "abort": (lambda client: client.call("abort", "x", "U9"), 1, 0),
}


@pytest.mark.parametrize("what", REPEATED)
def test_whatever_passes_is_tried_again(store, client, what):
    """Once more, and no other request with it; what a store did without saying so is done."""
    ask, usual, failing = REPEATED[what]
    for i, step in enumerate([*PASSING, fake.applied(fake.reset)]):
        if what == "head" and step in SAID:
            continue
        store.objects["x"] = BODY
        store.uploads.clear()
        store.requests.clear()
        store.script = [None] * failing + [step]
        answer = ask(client)
        assert answer["outcome"] == "done", (i, answer)
        assert len(store.requests) == usual + 1, (i, methods(store))
        if what in ("begin", "part"):
            assert store.objects["u"] == BODY


@pytest.mark.parametrize(
    "lost", [fake.reset, fake.closes, fake.says(500, "InternalError"), fake.says(504)]
)
def test_a_put_that_was_applied_and_not_answered_is_ours(store, client, lost):
    """The next attempt meets its own object, and 412 says no more than that."""
    store.script = [fake.applied(lost)]
    answer = client.put("_delta_log/1.json", BODY, "absent")
    assert (answer["outcome"], answer["same"]) == ("done", True), answer
    assert methods(store) == ["PUT", "PUT", "GET"]


def test_a_put_that_another_one_was_faster_than(store, client):
    """The same, but the object there is not ours."""
    store.objects["1.json"] = b"another's"
    for first in ([], [fake.reset], [fake.says(500, "InternalError")], [fake.says(304)]):
        store.script = list(first)
        answer = client.put("1.json", BODY, "absent")
        assert answer["outcome"] == "taken", answer
    assert store.objects["1.json"] == b"another's"


def test_a_conflict_is_settled_by_what_is_there(store, client):
    conflict = fake.says(409, "ConditionalRequestConflict")
    store.script = [conflict, None, conflict]  # nothing there: again
    assert client.put("a", BODY, "absent")["outcome"] == "done"
    store.script = [fake.applied(conflict)]  # there, and ours
    assert client.put("b", BODY, "absent")["same"] is True
    store.objects["c"] = b"another's"  # CoreWeave: who loses a race gets 409
    store.script = [conflict]
    assert client.put("c", BODY, "absent")["outcome"] == "taken"
    store.script = [fake.says(409, "OperationAborted")]
    assert client.put("c", BODY)["outcome"] == "done"


def test_if_match(store, client):
    store.objects["lease"] = b"one"
    etag = fake.etag(b"one")
    store.script = [fake.says(409, "ConditionalRequestConflict")]
    assert client.put("lease", b"two", etag)["outcome"] == "done"
    assert client.put("lease", b"three", etag)["outcome"] == "taken"
    store.script = [fake.applied(fake.reset)]
    answer = client.put("lease", b"three", fake.etag(b"two"))
    assert (answer["outcome"], answer["same"]) == ("done", True)
    assert client.put("none", b"x", etag)["outcome"] == "absent"


def test_what_stays_unclear_is_said(store):
    for _ in range(5):
        with s3_support.Client(store.endpoint, patience=4.0) as client:
            store.script = [fake.says(500, "InternalError")] * 200
            unclear = client.put("k", BODY, "absent")
            store.script = [fake.says(503, "SlowDown")] * 200
            later = client.put("k", BODY, "absent")
            told = client.call("address")["requests"]
        if told["put"]["lost"] == 0:  # else the last one's time was over before its answer came
            break
    assert unclear["outcome"] == "unclear", unclear
    assert "InternalError" in unclear["error"] and "(request R1)" in unclear["error"]
    assert later["outcome"] == "later", later
    assert "SlowDown" in later["error"]
    assert told["put"]["5xx"] > 3 and told["put"]["lost"] == 0


def test_a_store_that_is_not_there():
    with socket.socket() as taken:  # and nobody else can listen there meanwhile
        taken.bind(("127.0.0.1", 0))
        see_that_nobody_is_there(f"http://127.0.0.1:{taken.getsockname()[1]}")


def see_that_nobody_is_there(endpoint):
    with s3_support.Client(endpoint, patience=1.0) as client:
        answer = client.put("k", BODY, "absent")
        assert answer["outcome"] == "later", answer
        assert "s3://varve-test/k: put" in answer["error"] and "refused" in answer["error"]
        assert client.call("list", "", "")["outcome"] == "later"


def test_how_long_to_wait_is_taken_from_the_store(store, client):
    store.script = [fake.says(503, "SlowDown", retry_after="2")]
    begun = time.monotonic()
    assert client.put("k", BODY)["outcome"] == "done"
    assert time.monotonic() - begun >= 2


# ---- what does not ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "status, code",
    [
        (403, "AccessDenied"),
        (403, "SignatureDoesNotMatch"),
        (403, "InvalidAccessKeyId"),
        (400, "InvalidArgument"),
        (404, "NoSuchBucket"),
        (405, "MethodNotAllowed"),
        (501, "NotImplemented"),
        (301, "PermanentRedirect"),
        (307, "TemporaryRedirect"),
    ],
)
def test_what_is_refused_is_not_asked_twice(store, client, status, code):
    message = f"<Error><Code>{code}</Code><Message>why\x1b[31m\nnot</Message></Error>"
    step = fake.says(status, body=message.replace("\x1b", "&#27;").encode(), location="http://x/")
    store.script = [step] * 10
    answer = client.put("k", BODY, "absent")
    assert (answer["outcome"], answer["code"]) == ("refused", code), answer
    assert len(store.requests) == 1
    error = answer["error"]
    assert error.startswith("s3://varve-test/k: put: the store answers") and code in error
    assert "(request R1)" in error and "\x1b" not in error and "\n" not in error
    assert ("moved to http://x/" if status < 400 else "why") in error
    assert s3_support.SECRET_KEY not in error


def test_a_body_that_never_arrives_whole_is_given_up(store, client):
    store.script = [fake.says(400, "BadDigest")] * 10
    assert client.put("k", BODY)["outcome"] == "refused"
    assert len(store.requests) == 3


def test_the_clock_is_the_store_s(store, client):
    store.skew = 3 * 3600.0
    assert client.put("k", BODY, "absent")["outcome"] == "done"
    assert len(store.requests) == 2
    assert client.put("l", BODY)["outcome"] == "done"
    assert len(store.requests) == 3
    store.skew = -86400.0  # somebody has set it; HEAD has no body to say so
    assert client.call("head", "k")["outcome"] == "done"
    assert abs(client.call("address")["skew"] + 86400e9) < 300e9


def test_the_region_is_what_the_store_says(store):
    store.region = "eu-central-1"
    with s3_support.Client(store.endpoint) as client:
        assert client.put("k", BODY)["outcome"] == "done"
        assert client.put("l", BODY)["outcome"] == "done"
        assert len(store.requests) == 3
    store.region = "eu-west-3"
    for status in (301, 307):
        with s3_support.Client(store.endpoint, region="eu-north-1") as client:
            step = fake.says(status, "PermanentRedirect", x_amz_bucket_region="eu-west-3")
            store.script = [step]
            assert client.put("k", BODY)["outcome"] == "done"


# ---- multipart -------------------------------------------------------------------------------------


def test_success_that_has_an_error_inside(store, client):
    inside = fake.says(200, body=b"   \n" + fake.error("InternalError"))
    store.script = [None, None, None, inside]
    answer = client.upload("big", b"x" * 20, 10)
    assert answer["outcome"] == "done", answer
    assert store.objects["big"] == b"x" * 20
    assert methods(store) == ["POST", "PUT", "PUT", "POST", "POST"]


def test_success_that_says_nothing(store):
    for body in (b"", b"<html/>", fake.error("SlowDown"), b"<CompleteMultipartUploadResult>"):

        def upload(patience, body=body):
            store.requests.clear()
            store.script = [None, None] + [fake.says(200, body=body)] * 100
            with s3_support.Client(store.endpoint, patience=patience) as client:
                return client.upload("big", b"x", 10)

        answer = s3_support.within(upload, lambda: len(store.requests) > 2)
        assert answer["outcome"] == "unclear", (body, answer)


def test_a_completion_that_was_not_answered(store, client):
    """The upload is gone then, and the object is there: with the same bytes it is ours."""
    store.script = [None, None, None, fake.applied(fake.reset)]
    answer = client.upload("big", b"x" * 20, 10)
    assert (answer["outcome"], answer["same"]) == ("done", True), answer
    store.objects["other"] = b"another's"
    store.script = [None, None, fake.says(404, "NoSuchUpload")]
    assert client.upload("other", b"x", 10)["outcome"] == "taken"
    store.script = [None, None, fake.says(404, "NoSuchUpload")]
    assert client.upload("none", b"x", 10)["outcome"] == "absent"
    store.script = [None, None, fake.says(400, "EntityTooSmall")]
    answer = client.upload("small", b"x", 10)
    assert (answer["outcome"], answer["code"]) == ("refused", "EntityTooSmall")


def test_an_upload_is_gone_and_an_object_of_its_size_is_there(store, client):
    """One that it was to replace, or another's: whose it is only its bytes tell."""
    body = bytes(range(25))
    parts = [None] * 4
    gone = fake.says(404, "NoSuchUpload")
    # The store has forgotten it, be it that an answer was lost before or not; or says what is so.
    ends = {"any": ([gone], [fake.reset, gone]), "absent": ([gone], [fake.reset, gone], [])}
    for condition, at in itertools.product(ends, (0, 9, 10, 24)):
        for steps in ends[condition]:
            old = store.objects["old"] = body[:at] + b"x" + body[at + 1 :]
            store.script = parts + steps
            answer = client.upload("old", body, 10, condition)
            assert (answer["outcome"], answer["same"]) == ("taken", False), (at, answer)
            assert store.objects["old"] == old
    store.objects["old"] = body
    store.script = [*parts, gone]
    answer = client.upload("old", body, 10)
    assert (answer["outcome"], answer["same"]) == ("done", True), answer
    store.script = []
    answer = client.upload("old", body, 10, "absent")
    assert (answer["outcome"], answer["same"]) == ("done", True), answer


def test_uploads_that_are_gone_and_stores_that_know_none(store, client):
    assert client.call("abort", "k", "U9")["outcome"] == "done"
    for status, code in ((501, "NotImplemented"), (405, "MethodNotAllowed"), (403, "AccessDenied")):
        store.script = [fake.says(status, code)]
        assert client.call("uploads")["outcome"] == "done"


def test_what_is_large_is_put_in_parts(store):
    """Each part is tried again for itself. However it ends, no upload is left."""
    body = bytes(range(100))
    with s3_support.Client(store.endpoint, part=10) as client:
        assert client.put("k", body[:80])["outcome"] == "done"
        assert methods(store) == ["PUT"]
        store.requests.clear()
        store.script = [fake.reset, None, fake.says(503, "SlowDown"), None, fake.reset]
        assert client.put("big", body, "absent")["outcome"] == "done"
        assert methods(store) == ["POST"] * 2 + ["PUT"] * 12 + ["POST"]
        assert store.objects["big"] == body
        again = client.put("big", body, "absent")
        assert (again["outcome"], again["same"], store.uploads) == ("done", True, {})
        # The same size is not the same.
        answer = client.put("big", body[::-1], "absent")
        assert (answer["outcome"], store.objects["big"], store.uploads) == ("taken", body, {})
        store.script = [None] * 5 + [fake.says(403, "AccessDenied")]
        answer = client.put("other", body)
        assert (answer["outcome"], store.uploads) == ("refused", {})
        assert "AccessDenied" in answer["error"]
        for condition in ("absent", "any"):
            store.script = [None] * 11 + [fake.applied(fake.reset)]
            answer = client.put(f"lost-{condition}", body, condition)
            assert store.objects[f"lost-{condition}"] == body and store.uploads == {}
            assert answer["outcome"] == ("done" if condition == "absent" else "unclear"), answer
    with s3_support.Client(store.endpoint, part=10, patience=2.0) as client:
        store.script = [fake.says(500, "InternalError")] * 100
        assert client.put("never", body, "absent")["outcome"] == "later"


# ---- lists -----------------------------------------------------------------------------------------


def page(*keys, more=False, token="T"):
    found = "".join(f"<Contents><Key>{k}</Key><Size>1</Size></Contents>" for k in keys)
    end = f"<NextContinuationToken>{token}</NextContinuationToken>" if more and token else ""
    return fake.says(
        200,
        body=f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{found}{end}"
        "</ListBucketResult>".encode(),
    )


def test_lists_that_can_not_be_trusted(store):
    with s3_support.Client(store.endpoint, patience=0.5, prefix="p/") as client:
        for steps in (
            [page("p/b", "p/a")],
            [page("p/a", "p/a")],
            [page("p/b", more=True), page("p/a")],
            [page("p/b", more=True), page("p/b", more=True)],
            [page(more=True)] * 200,
            [fake.says(200, body=b"<html>welcome</html>")],
            [fake.says(200, body=b"<ListBucketResult><Contents><Key>p/a</Key></Contents>")],
            [fake.says(200, body=b"")],
            [fake.says(200, body=b"<!DOCTYPE a [<!ENTITY b 'c'>]><ListBucketResult/>")],
        ):
            store.script = list(steps)
            answer = client.call("list", "", "")
            assert answer["outcome"] in ("later", "refused"), answer
            assert "s3://varve-test/p/: list" in answer["error"]


def test_pages(store, client):
    """By the store's mark or, where it has none, behind the last key; what is not asked for is not
    passed on."""
    store.script = [page("a", "b&amp;c", more=True), page("d", more=True, token=""), page("e")]
    answer = client.call("list", "", "")
    assert [o["key"] for o in answer["objects"]] == ["a", "b&c", "d", "e"]
    assert store.requests[1].query["continuation-token"] == "T"
    assert store.requests[2].query["start-after"] == "d"


def uploads_page(first, more):
    """Of uploads, of two of the same key; the mark is the last one."""
    found = "".join(
        f"<Upload><Key>k</Key><UploadId>{i}</UploadId></Upload>" for i in (first, first + 1)
    )
    return fake.says(
        200,
        body=f"<ListMultipartUploadsResult><IsTruncated>{str(more).lower()}</IsTruncated>"
        f"<NextKeyMarker>k</NextKeyMarker><NextUploadIdMarker>{first + 1}</NextUploadIdMarker>"
        f"{found}</ListMultipartUploadsResult>".encode(),
    )


def test_pages_of_uploads(store, client):
    """A store that does not go by the marks is not asked for ever."""
    store.script = [uploads_page(1, True), uploads_page(3, True), uploads_page(5, False)]
    answer = client.call("uploads")
    assert [u["id"] for u in answer["uploads"]] == list("123456")
    assert [r.query.get("upload-id-marker") for r in store.requests] == [None, "2", "4"]
    store.requests.clear()
    store.script = [uploads_page(1, True)] * 20
    answer = client.call("uploads")
    assert answer["outcome"] == "done" and len(store.requests) == 2


# ---- connections -----------------------------------------------------------------------------------


def test_a_refusal_before_the_body_is_read(store, client):
    body = b"x" * (16 << 20)
    store.script = [fake.unread(fake.says(403, "AccessDenied"))]
    answer = client.put("k", body)
    assert (answer["outcome"], answer["code"]) == ("refused", "AccessDenied"), answer
    store.script = [fake.unread(fake.says(503, "SlowDown", connection="close"))]
    assert client.put("k", body)["outcome"] == "done"
    assert store.objects["k"] == body


def test_bodies_in_chunks_and_without_length(store, client):
    store.script = [
        fake.raw(
            b"HTTP/1.1 206 Partial Content\r\nTransfer-Encoding: chunked\r\n",
            b"Content-Range: bytes 0-3/10\r\n\r\n",
            b"3\r\nabc\r\n",
            b"1;x=y\r\nd\r\n0\r\nTrailer: 1\r\n\r\n",
        ),
        fake.raw(b"HTTP/1.0 200 OK\r\n\r\nabcd"),
        fake.raw(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\nabcd"),
        fake.says(200, body=b"abcd" * 1000),  # the store does no ranges
    ]
    for _ in range(4):
        answer, found = client.get("k", 0, 4)
        assert (answer["outcome"], found) == ("done", b"abcd"), answer
    store.script = [fake.says(200, body=b"abcd")]
    assert client.get("k", 2, 2)[0]["outcome"] == "refused"


def test_one_connection_is_kept(store, client):
    """Through all kinds of requests and answers, also those that are errors."""
    store.script = [None, None, fake.says(503, "SlowDown")]
    for i in range(10):
        assert client.put(f"k{i}", BODY, "absent")["outcome"] == "done"
        assert client.put(f"k{i}", b"another", "absent")["outcome"] == "taken"
        assert client.get(f"k{i}")[0]["outcome"] == "done"
        assert client.get("none")[0]["outcome"] == "absent"
        assert client.call("head", "none")["outcome"] == "absent"
        assert client.call("delete", f"k{i}")["outcome"] == "done"
    assert len(store.requests) > 60 and store.connections < 10  # one is left when it is idle


def test_a_connection_that_was_closed_meanwhile(store, client):
    """Idle connections are closed by every server: that is no failure of a request."""

    def then_close(store, request, connection):
        fake.usual(store, request, connection)
        return "close"

    for i in range(10):
        store.script = [then_close]
        assert client.put(f"k{i}", BODY)["outcome"] == "done"
    assert store.connections >= 10


@pytest.mark.parametrize(
    "step",
    [
        fake.silent,
        fake.trickle(b"x", b"HTTP/1.1 200 OK\r\na: "),
        fake.trickle(b"x", b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n"),
        fake.trickle(b"1\r\nx\r\n", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"),
        fake.trickle(b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
)
def test_answers_that_do_not_end_are_given_up(store, step):
    def ask_in_vain(patience):
        store.requests.clear()
        with s3_support.Client(store.endpoint, patience=patience) as client:
            store.script = [step] * 50
            begun = time.monotonic()
            put, (get, _) = client.put("k", BODY), client.get("k", 0, 1 << 17)
            assert time.monotonic() - begun < 2 * patience + 60
            return put, get

    put, get = s3_support.within(ask_in_vain, lambda: methods(store)[:1] == ["PUT"])
    assert put["outcome"] == "unclear", put
    assert get["outcome"] == "later", get
    store.script = []
    with s3_support.Client(store.endpoint) as client:
        assert client.put("k", BODY)["outcome"] == "done"


def test_the_end_is_not_held_up(store, client):
    """SIGTERM, in the middle of what a store does not answer."""
    store.script = [fake.silent] * 50

    def end():
        s3_support.support.wait_for(lambda: store.requests, "a request")
        client.process.send_signal(signal.SIGTERM)

    thread = threading.Thread(target=end)
    thread.start()
    begun = time.monotonic()
    answer = client.put("k", BODY)
    thread.join()
    assert answer["outcome"] == "unclear" and "varve ends" in answer["error"], answer
    assert time.monotonic() - begun < 50  # the patience is 60
