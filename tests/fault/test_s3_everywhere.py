# SPDX-License-Identifier: MIT
"""What an object store may answer to any request, to each that varve makes: credentials that have
ended, a clock that is off, another region, a part of an object that nobody asked for. The cause is
put right and the request repeated, once and no other with it."""

import json
import re
from urllib.parse import quote

import pytest
import s3_fake as fake
import s3_support
from s3_platform import NOBODY, kinds, signer

BODY = b'{"commitInfo":{}}\n'


# What is asked, of how many requests that consists, and which of them meets what has changed.
REQUESTS = {
    "put": (lambda client: client.put("new", BODY), 1, 0),
    "put if absent": (lambda client: client.put("new", BODY, "absent"), 1, 0),
    "put if it matches": (lambda client: client.put("x", BODY, fake.etag(b"x")), 1, 0),
    "get": (lambda client: client.get("x", 0, 10)[0], 1, 0),
    "head": (lambda client: client.call("head", "x"), 1, 0),
    "list": (lambda client: client.call("list", "", ""), 1, 0),
    "delete": (lambda client: client.call("delete", "x"), 1, 0),
    "list of uploads": (lambda client: client.call("uploads"), 1, 0),
    "abort": (lambda client: client.call("abort", "x", "U9"), 1, 0),
    "begin": (lambda client: client.upload("new", BODY, 10), 4, 0),
    "part": (lambda client: client.upload("new", BODY, 10), 4, 2),
    "complete": (lambda client: client.upload("new", BODY, 10), 4, 3),
}


def then(change):
    """The usual answer, for which something has changed at the store."""

    def step(store, request, connection):
        change(store)
        return fake.usual(store, request, connection)

    return step


def ask_while(store, client, what, change):
    """The request is carried out all the same, and takes one more."""
    ask, usual, at = REQUESTS[what]
    store.objects = {"x": b"x"}
    store.uploads = {"U9": {}}
    store.requests.clear()
    store.script = [None] * at + [then(change)]
    answer = ask(client)
    assert answer["outcome"] == "done", answer
    assert len(store.requests) == usual + 1, [(r.method, r.key) for r in store.requests]
    assert store.requests[at].method == store.requests[at + 1].method
    if what in ("put", "put if absent", "begin", "part", "complete"):
        assert store.objects["new"] == BODY
    elif what == "put if it matches":
        assert store.objects["x"] == BODY
    elif what == "delete":
        assert not store.objects
    elif what == "abort":
        assert not store.uploads


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidToken", "InvalidAccessKeyId"])
@pytest.mark.parametrize("what", REQUESTS)
def test_credentials_that_have_ended(store, platform, tmp_path, what, code):
    """Others are asked for, and the request is signed with them."""
    variables = kinds(platform, tmp_path)["container"]
    store.token, store.token_code = "TOKEN-1", code
    with s3_support.Client(store.endpoint, **NOBODY, **variables) as client:
        ask_while(store, client, what, lambda store: setattr(store, "token", "TOKEN-2"))
        assert signer(store.requests[-1]) == "ASIA2"
        # They serve what follows.
        answer = client.put("next", BODY)
        assert (answer["outcome"], platform.given) == ("done", 2), answer


@pytest.mark.parametrize("what", REQUESTS)
@pytest.mark.parametrize("hours", [-3, 3])
def test_a_clock_that_was_set(store, what, hours):
    """Ours or the store's: it is the store's that counts, from then on."""
    with s3_support.Client(store.endpoint) as client:
        ask_while(store, client, what, lambda store: setattr(store, "skew", hours * 3600.0))
        assert client.put("next", BODY)["outcome"] == "done"
        assert abs(client.call("address")["skew"] - hours * 3600e9) < 300e9
        refused = client.call("address")["requests"]
        assert sum(of["4xx"] for of in refused.values()) == 1


@pytest.mark.parametrize("what", REQUESTS)
def test_a_bucket_that_is_in_another_region(store, what):
    with s3_support.Client(store.endpoint) as client:
        ask_while(store, client, what, lambda store: setattr(store, "region", "eu-west-3"))
        assert "/eu-west-3/s3/" in store.requests[-1].fields["authorization"]
    store.region = None
    for status in (301, 307):
        moved = fake.says(status, "PermanentRedirect", x_amz_bucket_region="eu-north-1")
        ask, usual, at = REQUESTS[what]
        with s3_support.Client(store.endpoint) as client:
            store.requests.clear()
            store.objects, store.uploads = {"x": b"x"}, {"U9": {}}
            store.script = [None] * at + [moved]
            answer = ask(client)
            assert answer["outcome"] == "done", answer
            assert len(store.requests) == usual + 1
            # Once: a store that sends us round in circles is refused.
            store.script = [moved, fake.says(status, "PermanentRedirect", x_amz_bucket_region="a")]
            answer = client.put("circle", BODY)
            assert answer["outcome"] == "refused", answer


@pytest.mark.parametrize("what", REQUESTS)
def test_a_store_that_does_not_answer(store, what):
    """Given up when its time is over, by whatever it holds the client up; then it is asked anew."""
    ask, _, at = REQUESTS[what]
    for step in (
        fake.silent,
        fake.trickle(b"x", b"HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n"),
    ):

        def ask_in_vain(patience, step=step):
            store.objects, store.uploads = {"x": b"x"}, {"U9": {}}
            store.requests.clear()
            with s3_support.Client(store.endpoint, patience=patience) as client:
                store.script = [None] * at + [step] * 50
                return ask(client)

        answer = s3_support.within(ask_in_vain, lambda: len(store.requests) > at)
        reads = what in ("get", "head", "list", "list of uploads")
        # Nobody saw the upload's id, and it has no name: it is begun anew.
        expected = ("later", "unclear") if what in ("begin", "part") else ("unclear",)
        if what == "head" and answer["outcome"] == "done":
            assert step is not fake.silent  # an answer to HEAD ends with its head
            continue
        assert answer["outcome"] in (("later",) if reads else expected), answer
        assert "not done in time" in answer["error"] or "silent" in answer["error"], answer
        store.script = []
        with s3_support.Client(store.endpoint) as client:
            store.uploads = {"U9": {}}
            assert ask(client)["outcome"] in ("done", "absent")


# ---- parts of objects ------------------------------------------------------------------------------

TEXT = b"0123456789"


def part(span, body, status=206):
    return fake.says(status, body=body, content_range=span)


@pytest.mark.parametrize(
    "wrong",
    [
        part("bytes 0-3/10", b"0123"),  # of another range
        part("bytes 2-3/10", b"23"),  # it ends before the object does
        part("bytes 2-4/10", b"2345"),
        part("bytes 2-5/10", b"23"),
        part("bytes 2-5/5", b"2345"),
        part("bytes 2-1/10", b""),
        part("bytes 2-9/10", TEXT[2:]),  # more than was asked for
        part("bytes 2-5/*", b"2345"),
        part("bytes */10", b"2345"),
        part("bytes 5-2/10", b"2345"),
        part("2-5/10", b"2345"),
        part("bytes 2-18446744073709551617/10", b"2345"),
        part(None, b"2345"),
    ],
)
def test_a_part_that_nobody_asked_for(store, wrong):
    """It would pass for the end of the object, or for another place of it: asked for again."""
    store.objects["x"] = TEXT
    with s3_support.Client(store.endpoint) as client:
        store.script = [wrong]
        answer, found = client.get("x", 2, 4)
        assert (answer["outcome"], found, answer["size"]) == ("done", TEXT[2:6], 10), answer
        assert len(store.requests) == 2
    with s3_support.Client(store.endpoint, patience=0.3) as client:
        store.script = [wrong] * 50
        answer, found = client.get("x", 2, 4)
        assert (answer["outcome"], found) == ("later", b"")
        # Its last request may have been ended before the answer came.
        error = answer["error"]
        assert "another part of the object than was asked for" in error or "not done" in error


def test_parts_at_the_end(store):
    store.objects["x"] = TEXT
    with s3_support.Client(store.endpoint) as client:
        for offset, length in ((0, 10), (0, 11), (9, 1), (9, 5), (10, 1), (100, 1), (3, 1 << 40)):
            answer, found = client.get("x", offset, length)
            assert (answer["outcome"], found) == ("done", TEXT[offset : offset + length]), answer
        assert len(store.requests) == 7


# ---- what else an answer may have ------------------------------------------------------------------


def test_a_status_that_there_is_not(store):
    """As one of the server's (RFC 9110, section 15)."""
    with s3_support.Client(store.endpoint) as client:
        for status in (599, 600, 999):
            store.script = [fake.says(status)]
            assert client.put(f"k{status}", BODY)["outcome"] == "done"
        told = client.call("address")["requests"]["put"]
        assert told == {"2xx": 3, "3xx": 0, "4xx": 0, "5xx": 3, "lost": 0}


def test_who_gives_credentials_is_away_when_others_are_wanted(store, platform, tmp_path):
    """For a moment: that is no reason to give the request up."""
    variables = kinds(platform, tmp_path)["container"]
    with s3_support.Client(store.endpoint, **NOBODY, **variables) as client:
        assert client.put("a", BODY)["outcome"] == "done"
        store.token = "TOKEN-2"
        usual, failures = platform.answer, [500, 503]

        def answer(*words):
            return (failures.pop(), "no") if failures else usual(*words)

        platform.answer = answer
        answer = client.put("b", BODY)
        assert (answer["outcome"], failures) == ("done", []), answer


@pytest.mark.parametrize("code", ["SignatureDoesNotMatch", "AccessDenied", "InvalidAccessKeyId"])
def test_what_is_refused_is_asked_again_when_the_file_has_changed(store, tmp_path, code):
    """A secret that was rotated: nobody has to start varve again. As long as the file is the same
    there is no second request."""
    file = tmp_path / "credentials"

    def write(secret):
        file.write_text(f"[default]\naws_access_key_id = ID\naws_secret_access_key = {secret}\n")

    write("old")
    refused = fake.says(403, code)
    with s3_support.Client(
        store.endpoint, **NOBODY, AWS_SHARED_CREDENTIALS_FILE=str(file)
    ) as client:
        assert client.put("a", BODY)["outcome"] == "done"
        store.script = [refused, refused]
        for _ in range(2):
            answer = client.put("b", BODY)
            assert (answer["outcome"], answer["code"]) == ("refused", code), answer
        assert len(store.requests) == 3
        write("new")
        store.script = [refused]
        assert client.put("b", BODY)["outcome"] == "done"
        assert len(store.requests) == 5
        first, second = (r.fields["authorization"] for r in store.requests[-2:])
        assert first.partition("Signature=")[2] != second.partition("Signature=")[2]


# ---- a signature that the store does not find ------------------------------------------------------

TOKEN = "TOKEN/of+a=session=="


def canonical(request, token):
    """As the API reference puts it together ("Create a canonical request")."""
    query = "&".join(f"{k}={quote(v, safe='-._~')}" for k, v in sorted(request.query.items()))
    names = re.search("SignedHeaders=([^,]+)", request.fields["authorization"])[1].split(";")
    fields = {**request.fields, "x-amz-security-token": token}
    lines = [f"{name}:{fields[name]}" for name in names]
    end = request.fields["x-amz-content-sha256"]
    return "\n".join([request.method, request.path, query, *lines, "", ";".join(names), end])


def logged(client):
    client.process.stdin.close()
    lines = [json.loads(line) for line in client.process.stderr.read().splitlines()]
    return [line for line in lines if line["event"] == "object_store_signature"]


def test_what_was_signed_is_logged_for_comparing(store):
    """At DEBUG, both as we have it and as the store has; no secret is in it."""

    def step(store, request, connection):
        theirs = canonical(request, TOKEN).replace("host:", "host:proxy.")
        step.ours = canonical(request, "(not shown)")
        step.theirs = canonical(request, "(not shown)").replace("host:", "host:proxy.")
        body = fake.error(
            "SignatureDoesNotMatch",
            StringToSign="AWS4-HMAC-SHA256\nthen",
            CanonicalRequest=theirs.replace("&", "&amp;"),
        )
        store.answer(request, connection, 403, body)

    variables = {"AWS_SESSION_TOKEN": TOKEN, "S3_DRIVER_DEBUG": "1"}
    with s3_support.Client(store.endpoint, **variables) as client:
        store.script = [step]
        answer = client.call("list", "a/", "a/b")
        assert (answer["outcome"], TOKEN in str(answer)) == ("refused", False), answer
        ours, theirs = logged(client)
    assert (ours["of"], theirs["of"]) == ("ours", "store")
    assert ours["canonical_request"] == step.ours
    assert ours["string_to_sign"].startswith("AWS4-HMAC-SHA256\n2")
    assert theirs["canonical_request"] == step.theirs
    assert theirs["string_to_sign"] == "AWS4-HMAC-SHA256\nthen"
    for line in (ours, theirs):
        assert not [s for s in (TOKEN, s3_support.SECRET_KEY) if s in json.dumps(line)]


def test_what_a_store_says_of_secrets_is_not_logged(store):
    """Wherever it has them from."""
    for text in (f"X-Amz-Security-Token:{TOKEN}", f"a\n{s3_support.SECRET_KEY}", TOKEN):
        body = fake.error("SignatureDoesNotMatch", CanonicalRequest=text, StringToSign=text)
        store.script = [fake.says(403, body=body)]
        variables = {"AWS_SESSION_TOKEN": TOKEN, "S3_DRIVER_DEBUG": "1"}
        with s3_support.Client(store.endpoint, **variables) as client:
            assert client.put("a", BODY)["outcome"] == "refused"
            _, theirs = logged(client)
        assert theirs["canonical_request"] == "(not shown: it has a secret)"
        assert theirs["string_to_sign"] == theirs["canonical_request"]


def test_nothing_is_logged_of_signatures_but_at_debug(store):
    store.script = [fake.says(403, "SignatureDoesNotMatch")]
    with s3_support.Client(store.endpoint) as client:
        assert client.put("a", BODY)["outcome"] == "refused"
        assert logged(client) == []


def test_a_key_that_is_too_long_to_log(store):
    """Each text is cut where the line would be too long."""
    with s3_support.Client(store.endpoint, S3_DRIVER_DEBUG="1") as client:
        store.script = [fake.says(403, "SignatureDoesNotMatch")]
        assert client.put("%" * 1000, BODY)["outcome"] == "refused"
        (ours,) = logged(client)
    assert ours["canonical_request"].startswith("PUT\n/varve-test/%25%25") and "of" in ours
