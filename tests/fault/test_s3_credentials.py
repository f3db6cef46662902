# SPDX-License-Identifier: MIT
"""Where varve's client of object stores finds its credentials, that it asks for others before they
end, and that it tells nobody."""

import certificates
import pytest
import s3_support
import support
from s3_platform import NOBODY, ROLE, kinds, signer

BODY = b"x"


@pytest.mark.parametrize("kind", ["container", "web identity"])
def test_of_a_platform(store, platform, tmp_path, kind):
    variables = kinds(platform, tmp_path)[kind]
    with s3_support.Client(store.endpoint, **NOBODY, **variables) as client:
        for i in range(3):
            answer = client.put(f"k{i}", BODY)
            assert answer["outcome"] == "done", answer
        assert platform.given == 1
        assert client.call("address")["credentials"] == kind
        assert {signer(r) for r in store.requests} == {"ASIA1"}
        assert {r.fields["x-amz-security-token"] for r in store.requests} == {"TOKEN-1"}

        # The store takes them no more: others are asked for, also where HEAD can't say why.
        store.token = "TOKEN-2"
        assert client.put("k", BODY)["outcome"] == "done"
        store.token = "TOKEN-3"
        assert client.call("head", "k")["outcome"] == "done"
        assert platform.given == 3
        # Others are no better: once is enough.
        store.token = "TOKEN-1"
        answer = client.put("k", BODY)
        assert (answer["outcome"], answer["code"]) == ("refused", "ExpiredToken"), answer
        assert platform.given == 4
    assert all("token" not in path for _, path, _, _ in platform.asked)


def test_they_are_renewed_before_they_end(store, platform, tmp_path):
    platform.lasts = 200  # less than the five minutes before the end
    variables = kinds(platform, tmp_path)["container"]
    with s3_support.Client(store.endpoint, **NOBODY, **variables) as client:
        assert client.put("a", BODY)["outcome"] == "done"
        platform.works = False  # the old ones are good still
        assert client.put("b", BODY)["outcome"] == "done"
        asked = len(platform.asked)
        assert client.put("c", BODY)["outcome"] == "done"
        assert len(platform.asked) == asked, "not for each request"
    platform.works, platform.lasts = True, -10
    with s3_support.Client(store.endpoint, patience=5.0, **NOBODY, **variables) as client:
        assert client.put("a", BODY)["outcome"] == "done"
        platform.works = False
        for _ in range(5):
            answer = client.put("b", BODY)
            assert answer["outcome"] == "later", answer
            if "500" in answer["error"]:  # else the last one's time was over before its answer came
                break
        assert "no credentials (container)" in answer["error"] and "500" in answer["error"]
        platform.works = True
        assert client.put("b", BODY)["outcome"] == "done"


def test_of_a_machine_for_aws_alone(store, platform):
    """A lab machine is not asked for what only a machine of AWS has."""
    variables = {
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": platform.url,
        "AWS_EC2_METADATA_DISABLED": None,
        **NOBODY,
    }
    with s3_support.Client(store.endpoint, **variables) as client:
        assert "no credentials" in client.call("address")["unopened"]
    with s3_support.Client("", patience=5.0, **variables) as client:
        told = client.call("address")
        assert told["credentials"] == "machine"
        assert told["address"] == "https://varve-test.s3.us-east-1.amazonaws.com"
        answer = client.put("a", BODY)  # AWS itself is not reached from here
        assert answer["outcome"] in ("later", "unclear", "refused"), answer
    assert [path for _, path, _, _ in platform.asked][:3] == [
        "/latest/api/token",
        ROLE,
        ROLE + "the-role",
    ]
    variables["AWS_EC2_METADATA_DISABLED"] = "true"
    with s3_support.Client("", **variables) as client:
        assert "no credentials" in client.call("address")["unopened"]


def test_of_the_shared_files(store, tmp_path):
    home = tmp_path / ".aws"
    home.mkdir()
    (home / "credentials").write_text(
        "[default]\naws_access_key_id = ID1\naws_secret_access_key = S1\n"
        "[lab]\naws_access_key_id = ID2\naws_secret_access_key = S2\naws_session_token = T2\n"
    )
    (home / "config").write_text(
        f"[profile lab]\nregion = eu-west-3\nendpoint_url = {store.endpoint}\n"
        "[profile role]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = default\n"
    )
    found = {"HOME": str(tmp_path), **NOBODY}
    with s3_support.Client(store.endpoint, **found) as client:
        assert client.put("a", BODY)["outcome"] == "done"
        assert client.call("address")["credentials"] == "profile default"
    with s3_support.Client("", AWS_PROFILE="lab", **found) as client:
        assert client.put("a", BODY)["outcome"] == "done"
        # They are read again when the store does not take them any more.
        store.token = "T3"
        text = (home / "credentials").read_text()
        (home / "credentials").write_text(text.replace("T2", "T3").replace("ID2", "ID3"))
        assert client.put("a", BODY)["outcome"] == "done"
    assert [signer(r) for r in store.requests] == ["ID1", "ID2", "ID2", "ID3"]
    assert "/eu-west-3/s3/" in store.requests[-1].fields["authorization"]
    store.token = None
    # A profile that is asked for goes before the environment.
    with s3_support.Client(store.endpoint, profile="lab", HOME=str(tmp_path)) as client:
        assert client.put("a", BODY)["outcome"] == "done"
    assert signer(store.requests[-1]) == "ID3"
    with s3_support.Client(store.endpoint, profile="role", **found) as client:
        assert "role_arn" in client.call("address")["unopened"]
    with s3_support.Client(store.endpoint, profile="none", **found) as client:
        assert "no profile none" in client.call("address")["unopened"]


def test_what_can_not_be_renewed_is_refused(store):
    store.token = "another"
    with s3_support.Client(store.endpoint, AWS_SESSION_TOKEN="old") as client:
        answer = client.put("a", BODY)
        assert (answer["outcome"], answer["code"]) == ("refused", "ExpiredToken")
        assert len(store.requests) == 1 and "old" not in answer["error"]


def test_a_token_goes_to_this_host_alone(store, platform, tmp_path):
    variables = kinds(platform, tmp_path)["container"]
    variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://192.0.2.1/container"
    with s3_support.Client(store.endpoint, patience=2.0, **NOBODY, **variables) as client:
        answer = client.put("a", BODY)
        assert answer["outcome"] == "later" and "https, or of this host" in answer["error"]


# ---- where requests go ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "endpoint, bucket, addressing, address",
    [
        ("", "b-1", "auto", "https://b-1.s3.us-east-1.amazonaws.com"),
        ("", "b.with.dots", "auto", "https://s3.us-east-1.amazonaws.com/b.with.dots"),
        ("", "b-1", "path", "https://s3.us-east-1.amazonaws.com/b-1"),
        ("https://b-1.s3.eu-west-1.amazonaws.com", "b-1", "auto", None),
        ("http://h:9000/", "b-1", "auto", "http://h:9000/b-1"),
        ("http://h:9000/s3/", "b-1", "auto", "http://h:9000/s3/b-1"),
        ("http://h:9000", "b-1", "virtual", "http://b-1.h:9000"),
        ("https://b-1.example.com", "b-1", "auto", None),
    ],
)
def test_addressing(endpoint, bucket, addressing, address):
    with s3_support.Client(endpoint, bucket=bucket, addressing=addressing) as client:
        assert client.call("address")["address"] == (address or endpoint)


@pytest.mark.parametrize(
    "endpoint, bucket, why",
    [
        ("localhost:9000", "b-1", "http://host:port"),
        ("http://h", "b", "no name of a bucket"),
        ("http://h", "a/b", "no name of a bucket"),
        ("http://h", "x--use1-az5--x-s3", "directory bucket"),
    ],
)
def test_what_is_no_place(endpoint, bucket, why):
    with s3_support.Client(endpoint, bucket=bucket) as client:
        assert why in client.call("address")["unopened"]


def test_tls(tmp_path):
    """The certificate is looked at; the CA comes from the option or from AWS_CA_BUNDLE."""
    ca = certificates.Certificate("CA", ca=True)
    other = certificates.Certificate("Other", ca=True)
    certificate = certificates.Certificate("store", ca, names=["127.0.0.1", "localhost"])
    ca_file, _ = ca.write(tmp_path, "ca")
    other_file, _ = other.write(tmp_path, "other")
    cert, key = certificate.write(tmp_path, "store")

    class Secure(s3_support.Versitygw):
        def __init__(self, root):
            super().__init__(root)
            self.endpoint = self.endpoint.replace("http:", "https:")

        def command(self):
            program, *rest = super().command()
            return [program, "--cert", cert, "--key", key, *rest]

        def answers(self):
            return support.accepts(self.port)

        def make_bucket(self):
            (self.files / self.bucket).mkdir()

    s3_support.server("versitygw", tmp_path / "there")  # skips where it is not installed
    with Secure(tmp_path / "store") as store:
        body = bytes(1 << 20)
        for more in ({"ca_file": ca_file}, {"AWS_CA_BUNDLE": ca_file}):
            with s3_support.Client(store.endpoint, **more) as client:
                answer = client.put("k", body)
                assert answer["outcome"] == "done", answer
                assert client.get("k")[1] == body
        for patience in (0.3, 5.0, 30.0):  # the first may end in the middle of a handshake
            with s3_support.Client(store.endpoint, patience=patience, ca_file=other_file) as client:
                answer = client.put("k", body)
            assert answer["outcome"] == "later", answer
            if "CA" in answer["error"]:
                break
        assert "CA" in answer["error"], answer
