# SPDX-License-Identifier: MIT
"""Object stores for tests: real servers, each in a directory of its own on ports of its own; and
varve's client of them alone, as a process."""

import json
import os
import subprocess
import tempfile

import botocore.session
import pytest
import support
from botocore.config import Config

VERSITYGW = support.ROOT / "build/go/versitygw"
WEED = support.VENV / "bin/weed"
S3S_FS = support.ROOT / "build/rust/bin/s3s-fs"
RCLONE = support.VENV / "bin/rclone"
DRIVER = support.BUILD / "interop/s3_driver"

ACCESS_KEY = "AKIAVARVETEST0000001"
SECRET_KEY = "varve/test+secret0000000000000000000001="
REGION = "us-east-1"

CREDENTIALS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}


def environment(**more):
    """Ours, without anything that AWS's tools look at, but for the keys of the servers below and
    what is given. A value of None takes one out."""
    found = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    found.update(CREDENTIALS, AWS_EC2_METADATA_DISABLED="true", HOME="/nonexistent")
    found.update(more)
    return {k: v for k, v in found.items() if v is not None}


def settings(store, prefix):
    """What `output` is in a configuration."""
    login = {"access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY}
    url = f"s3://{store.bucket}/{prefix}"
    return {"url": url, "s3": {"endpoint": store.endpoint, **login}}


class Store:
    """What the servers have in common. `with Versitygw(path) as store:` starts it and makes the
    bucket; kill() and start() are for tests of what happens without it: the port stays."""

    name = "store"
    bucket = "varve-test"

    def __init__(self, root):
        self.root = root
        self.root.mkdir(parents=True, exist_ok=True)
        self.port = support.free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.process = None

    def __enter__(self):
        self.start()
        self.make_bucket()
        return self

    def __exit__(self, *_):
        self.kill()

    def command(self):
        raise NotImplementedError

    def start(self):
        self.log = (self.root / "log").open("ab")
        self.process = subprocess.Popen(
            self.command(), cwd=self.root, env=self.environment(), stdout=self.log, stderr=self.log
        )
        support.wait_for(self.answers, f"{self.name} to answer")

    def environment(self):
        return environment()

    def answers(self):
        assert self.process.poll() is None, (self.root / "log").read_text()[-2000:]
        try:
            self.client().list_buckets()
        except Exception:  # whatever it says before it is ready
            return False
        return True

    def kill(self):
        if self.process is not None:
            support.end(self.process)
            self.log.close()
        self.process = None

    def client(self):
        """botocore's client: what the tests look at the bucket with."""
        config = Config(
            s3={"addressing_style": "path"},
            connect_timeout=5,
            read_timeout=60,
            retries={"total_max_attempts": 5},
        )
        return botocore.session.Session().create_client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            config=config,
        )

    def make_bucket(self):
        self.client().create_bucket(Bucket=self.bucket)

    def settings(self, prefix):
        return settings(self, prefix)

    def keys(self, prefix=""):
        pages = self.client().get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=self.bucket, Prefix=prefix)
        return [o["Key"] for page in found for o in page.get("Contents", ())]

    def read(self, key):
        return self.client().get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def write(self, key, body):
        self.client().put_object(Bucket=self.bucket, Key=key, Body=body)


class Versitygw(Store):
    """A gateway to a directory (Go; tools/setup builds it): objects are plain files there."""

    name = "versitygw"

    def __init__(self, root):
        super().__init__(root)
        self.files = root / "files"
        self.files.mkdir(exist_ok=True)

    def path(self, prefix):
        """Where the objects are that begin with it, each a file."""
        return self.files / self.bucket / prefix

    def command(self):
        address = f"127.0.0.1:{self.port}"
        return [VERSITYGW, "--port", address, "--keep-alive", "--quiet", "posix", self.files]

    def environment(self):
        return environment(ROOT_ACCESS_KEY=ACCESS_KEY, ROOT_SECRET_KEY=SECRET_KEY)


class Seaweedfs(Store):
    """SeaweedFS, all its parts in one process."""

    name = "seaweedfs"

    def __init__(self, root):
        super().__init__(root)
        self.ports = {
            part: (support.free_port(), support.free_port())
            for part in ("master", "volume", "filer")
        }
        self.grpc = support.free_port()
        (root / "data").mkdir(exist_ok=True)
        identity = {
            "name": "varve",
            "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        (root / "s3.json").write_text(json.dumps({"identities": [identity]}))

    def command(self):
        return [
            WEED,
            "server",
            f"-dir={self.root / 'data'}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-master.volumeSizeLimitMB=64",
            "-volume.max=32",
            *(f"-{part}.port={port}" for part, (port, _) in self.ports.items()),
            *(f"-{part}.port.grpc={port}" for part, (_, port) in self.ports.items()),
            "-s3",
            f"-s3.port={self.port}",
            f"-s3.port.grpc={self.grpc}",
            "-s3.port.iceberg=0",  # services at ports that are always the same
            "-s3.port.lance=0",
            f"-s3.config={self.root / 's3.json'}",
        ]


class Rclone(Store):
    """A server of a directory that takes no notice of If-None-Match: no store for a table."""

    name = "rclone"

    def __init__(self, root):
        super().__init__(root)
        self.files = root / "files"
        self.files.mkdir(exist_ok=True)

    def command(self):
        address, keys = f"127.0.0.1:{self.port}", f"{ACCESS_KEY},{SECRET_KEY}"
        return [RCLONE, "serve", "s3", "--addr", address, "--auth-key", keys, self.files]


class S3sFs(Store):
    """A server of a directory that looks whether an object is there, and puts it then: of two who
    do so at once both win. No store for a table. It takes ten minutes to build:
    cargo install s3s-fs --version 0.14.1 --features binary --root build/rust"""

    name = "s3s-fs"

    def __init__(self, root):
        super().__init__(root)
        self.files = root / "files"
        self.files.mkdir(exist_ok=True)

    def command(self):
        keys = ["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY]
        return [S3S_FS, "--host", "127.0.0.1", "--port", str(self.port), *keys, self.files]


SERVERS = {"versitygw": (Versitygw, VERSITYGW), "seaweedfs": (Seaweedfs, WEED)}

REFUSED = {"rclone": (Rclone, RCLONE), "s3s-fs": (S3sFs, S3S_FS)}


def server(name, root):
    """One of SERVERS, or one that is to be refused, not started. The test is skipped where it is not
    installed."""
    kind, program = {**SERVERS, **REFUSED}[name]
    if not program.exists():
        pytest.skip(f"no {program}: make setup-test")
    return kind(root)


def within(ask, come):
    """What ask(patience) returns: asked with the shortest patience in which all came to the store that
    was to come there (come() says so), which a machine that is busy may not have done."""
    for patience in (0.5, 4.0, 30.0):
        answer = ask(patience)
        if come():
            break
    return answer


class Client:
    """varve's client (tests/interop/s3_driver.c): each call returns what it printed."""

    def __init__(
        self,
        endpoint,
        bucket="varve-test",
        prefix="",
        region="",
        addressing="auto",
        profile="",
        ca_file="",
        patience=60.0,
        part=0,
        **variables,
    ):
        self.folder = tempfile.TemporaryDirectory()
        self.body = f"{self.folder.name}/body"
        milliseconds = str(int(patience * 1000))
        self.process = subprocess.Popen(
            [DRIVER, endpoint, region, bucket, prefix, addressing, profile, ca_file, milliseconds]
            + [str(part)],
            env=environment(**variables),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        status = self.process.wait(support.PATIENCE)
        self.folder.cleanup()
        assert status == 0, self.process.stderr.read()

    def call(self, *words):
        self.process.stdin.write("\t".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        return json.loads(line)

    def put(self, key, body, condition="any"):
        with open(self.body, "wb") as file:
            file.write(body)
        return self.call("put", key, condition, self.body)

    def get(self, key, offset=0, length=1 << 30):
        answer = self.call("get", key, offset, length, self.body)
        with open(self.body, "rb") as file:
            return answer, file.read()

    def upload(self, key, body, part, condition="any"):
        with open(self.body, "wb") as file:
            file.write(body)
        return self.call("upload", key, condition, part, self.body)
