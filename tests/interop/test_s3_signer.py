# SPDX-License-Identifier: MIT
"""varve signs as AWS's own library does: 10,000 random keys, queries and fields."""

import random
import urllib.parse

import s3_support
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

SEED = 20261127
TIMES = 10_000

# What of Unicode a key may have in the text of a URL, and what has a meaning somewhere.
ODD = " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~éß€𝄞\t\x01\x7f"


class Signer(S3SigV4Auth):
    """botocore's, at a time and with a payload that are ours."""

    def __init__(self, key, secret, region, token, payload):
        super().__init__(Credentials(key, secret, token), "s3", region)
        self._payload = payload

    def payload(self, request):
        return self._payload


def text(r, most):
    letters = "abcXYZ0189" * 4 + ODD
    return "".join(r.choice(letters) for _ in range(r.randrange(most)))


def by_botocore(case):
    signer = Signer(case["id"], case["secret"], case["region"], None, case["payload"])
    path = urllib.parse.quote(case["path"], safe="/-_.~")
    query = "&".join(
        f"{urllib.parse.quote(k, safe='-_.~')}={urllib.parse.quote(v, safe='-_.~')}"
        for k, v in case["query"]
    )
    url = f"http://{case['host']}{path}" + (f"?{query}" if query else "")
    request = AWSRequest(method=case["method"], url=url, headers=dict(case["fields"]))
    request.headers["X-Amz-Date"] = case["date"]
    request.headers["X-Amz-Content-SHA256"] = case["payload"]
    request.context["timestamp"] = case["date"]
    canonical = signer.canonical_request(request)
    to_sign = signer.string_to_sign(request, canonical)
    signature = signer.signature(to_sign, request)
    scope = f"{case['id']}/{case['date'][:8]}/{case['region']}/s3/aws4_request"
    names = signer.signed_headers(signer.headers_to_sign(request))
    return (
        f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={names}, Signature={signature}",
        path,
    )


def pairs(found):
    return "".join(f"{k.encode().hex()},{v.encode().hex()};" for k, v in found)


def case(r):
    names = r.sample(
        ["range", "if-match", "if-none-match", "x-amz-checksum-sha256", "x-amz-security-token"]
        + ["content-type", "x-amz-meta-a", "x-amz-meta-b"],
        r.randrange(6),
    )
    words = " ".join(r.choice(["a", "B=", "0;", '"é"'[:1], "x" * 50]) for _ in range(3))
    return {
        "method": r.choice(["GET", "PUT", "POST", "DELETE", "HEAD"]),
        "host": r.choice(["127.0.0.1:9000", "bucket.s3.eu-west-1.amazonaws.com", "h"]),
        "path": "/" + text(r, 60),
        "query": [(text(r, 12) or "q", text(r, 20)) for _ in range(r.randrange(6))],
        "fields": [(name, r.choice(["  ", ""]) + words + r.choice([" ", ""])) for name in names],
        "payload": r.choice(["UNSIGNED-PAYLOAD", f"{r.getrandbits(256):064x}"]),
        "date": f"20{r.randrange(10, 99)}{r.randrange(1, 13):02}{r.randrange(1, 29):02}T123456Z",
        "region": r.choice(["us-east-1", "eu-central-2", "auto"]),
        "id": f"AKIA{r.getrandbits(64):016X}",
        "secret": r.choice(["s", "wJalrXUtnFEMI/K7MDENG", f"{r.getrandbits(600):x}"]),
    }


def test_ten_thousand_requests():
    r = random.Random(SEED)
    with s3_support.Client("http://127.0.0.1:1") as client:
        for _ in range(TIMES):
            c = case(r)
            fields = [("host", c["host"]), *c["fields"]]
            fields += [("x-amz-date", c["date"]), ("x-amz-content-sha256", c["payload"])]
            expected, path = by_botocore(c)
            r.shuffle(fields)
            found = client.call(
                "sign",
                c["method"],
                c["path"].encode().hex(),
                pairs(c["query"]),
                pairs(fields),
                c["payload"],
                c["date"],
                c["region"],
                c["id"],
                c["secret"],
            )
            assert (found["authorization"], found["path"]) == (expected, path), (SEED, c)
