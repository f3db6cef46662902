# SPDX-License-Identifier: MIT
"""tools/share/kubernetes.yaml and varve-part.conf: the schemas of Kubernetes take the one, and what
both have varve do is done here, with just their arguments, files and rights. There is no Kubernetes
here: what kubelet does is done by unshare, chroot and a few lines below."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import s3_support
import yaml
from support import ROOT, VARVE, end, wait_for

MANIFEST = ROOT / "tools/share/kubernetes.yaml"
PART = ROOT / "tools/share/varve-part.conf"
PARTS = 4
PASSWORD = "only-for-nats"

# The oldest that labels pods with their number, and the newest that there is a schema of.
VERSIONS = ["1.28", kubernetes_validate.latest_version()]

SERVER = """
listen: 127.0.0.1:4222
server_name: nats-0
jetstream {{ store_dir: {directory} }}
authorization {{ user: varve, password: {password} }}
mappings {{
  "logging.events.raw.*": "logging.events.part.{{{{partition(4,1)}}}}.{{{{wildcard(1)}}}}"
}}
"""


def resources():
    return {r["kind"]: r for r in yaml.safe_load_all(MANIFEST.read_text())}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ["ConfigMap", "Service", "StatefulSet"])
def test_schema(kind, version):
    kubernetes_validate.validate(resources()[kind], version, strict=True)


def test_the_schema_sees_errors():
    broken = resources()["StatefulSet"]
    broken["spec"]["template"]["spec"]["terminationGracePeriod"] = 120
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, VERSIONS[0], strict=True)


def test_the_parts_fit_together():
    found = resources()
    stateful, service = found["StatefulSet"]["spec"], found["Service"]["spec"]
    pod = stateful["template"]
    [container] = pod["spec"]["containers"]
    labels = pod["metadata"]["labels"]
    assert service["selector"].items() <= labels.items()
    assert stateful["selector"]["matchLabels"].items() <= labels.items()
    assert stateful["serviceName"] == found["Service"]["metadata"]["name"]
    assert stateful["replicas"] == PARTS
    assert {m["name"] for m in container["volumeMounts"]} == {
        v["name"] for v in pod["spec"]["volumes"]
    }
    [port] = container["ports"]
    listen = yaml.safe_load(found["ConfigMap"]["data"]["varve.yaml"])["metrics"]["listen"]
    assert listen == f"0.0.0.0:{port['containerPort']}"
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] == port["name"]


# ---- what kubelet does ---------------------------------------------------------------------------


class Place:
    """A network with a nats-server, a versitygw, and their names."""

    def __init__(self, network, directory, binary):
        self.network = network
        self.directory = directory
        self.processes = []
        config = directory / "nats-server.conf"
        config.write_text(SERVER.format(directory=directory / "js", password=PASSWORD))
        self.start([binary, "-c", config])
        (directory / "files/events").mkdir(parents=True)
        environment = s3_support.environment(
            ROOT_ACCESS_KEY=s3_support.ACCESS_KEY, ROOT_SECRET_KEY=s3_support.SECRET_KEY
        )
        command = [s3_support.VERSITYGW, "--port", "127.0.0.1:7070", "--quiet", "posix", "files"]
        self.start(command, env=environment)

    def start(self, command, **options):
        log = (self.directory / "log").open("ab")
        process = subprocess.Popen(
            [*self.network, *command],
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            **options,
        )
        self.processes.append(process)
        return process

    def run(self, *command):
        out = subprocess.run([*self.network, *command], capture_output=True, text=True, timeout=100)
        return out.stdout if out.returncode == 0 else None

    def text(self):
        return (self.directory / "log").read_text(errors="replace")

    def publish(self, count, seed):
        server = f"nats://varve:{PASSWORD}@127.0.0.1:4222"
        options = f"--subject logging.events.raw.* --count {count} --seed {seed} --simulations 12"
        gen = VARVE.parent / "varve-gen"
        wait_for(
            lambda: self.run(gen, "--server", server, *options.split()), "the events are published"
        )

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                end(process)


def files_of(volume, found):
    """The content of a volume, as it is mounted: name, text."""
    if "configMap" in volume:
        assert volume["configMap"]["name"] == found["ConfigMap"]["metadata"]["name"]
        return found["ConfigMap"]["data"]
    assert volume["secret"]["secretName"] == "varve"
    keys = f"aws_access_key_id = {s3_support.ACCESS_KEY}\n"
    keys += f"aws_secret_access_key = {s3_support.SECRET_KEY}\n"
    return {"nats-password": PASSWORD, "aws-credentials": f"[default]\n{keys}"}


def write_volume(path, files, mode, group):
    """As kubelet does it: links to a folder that can be replaced."""
    (path / "..data").mkdir(parents=True)
    for name, text in files.items():
        file = path / "..data" / name
        file.write_text(text)
        os.chown(file, 0, group)
        file.chmod(mode)
        (path / name).symlink_to(f"..data/{name}")


def environment_of(container, number):
    found = {}
    for variable in container["env"]:
        value = variable.get("value")
        if value is None:
            path = variable["valueFrom"]["fieldRef"]["fieldPath"]
            assert path == "metadata.labels['apps.kubernetes.io/pod-index']"
            value = str(number)
        found[variable["name"]] = value
    return found


def make_pod(root, number):
    """The root of the container, and the command that runs in it."""
    found = resources()
    spec = found["StatefulSet"]["spec"]["template"]["spec"]
    [container] = spec["containers"]
    user = spec["securityContext"]["runAsUser"]
    group = spec["securityContext"]["fsGroup"]
    assert spec["securityContext"]["runAsGroup"] == group and container.get("command") is None
    root.mkdir()
    shutil.copy(VARVE, root / "varve")  # FROM scratch
    for folder in ("proc", "dev", "sys", "etc"):
        (root / folder).mkdir()
    (root / "etc/hosts").write_text(
        "127.0.0.1 localhost nats-0.nats nats-1.nats nats-2.nats versitygw\n"
    )
    for mount in container["volumeMounts"]:
        [volume] = [v for v in spec["volumes"] if v["name"] == mount["name"]]
        mode = volume.get("secret", {}).get("defaultMode", 0o644)
        assert mount["readOnly"]
        write_volume(root / mount["mountPath"][1:], files_of(volume, found), mode, group)
    environment = environment_of(container, number)
    arguments = [
        re.sub(r"\$\((\w+)\)", lambda m: environment[m[1]], word) for word in container["args"]
    ]
    rights = container["securityContext"]
    assert rights["readOnlyRootFilesystem"] and not rights["allowPrivilegeEscalation"]
    assert rights["capabilities"] == {"drop": ["ALL"]}  # a user who is not root has none
    chroot = shutil.which("chroot")  # the pod's environment has no PATH
    script = (
        f'mount --bind "{root}" "{root}" && mount -o remount,bind,ro "{root}" && '
        f'mount -t proc proc "{root}/proc" && '
        f'exec setpriv --no-new-privs {chroot} --userspec={user}:{group} --groups={group} "{root}" '
        f"/varve {shlex.join(arguments)}"
    )
    variables = [f"{name}={value}" for name, value in environment.items()]
    return ["env", "-i", *variables, "unshare", "--mount", "--pid", "--fork",
            "--kill-child=KILL", "/bin/sh", "-c", script]  # fmt: skip


def child_of(process):
    """The first process of the new namespace."""
    path = f"/proc/{process.pid}/task/{process.pid}/children"

    def children():
        with open(path) as file:
            return file.read().split()

    return int(wait_for(children, "the pod runs")[0])


def rows(place):
    out = subprocess.run(
        [*place.network, VARVE, "cat", "--columns", "nats_subject", "s3://events/sim_logs"],
        capture_output=True,
        text=True,
        env=s3_support.environment(AWS_ENDPOINT_URL="http://127.0.0.1:7070"),
        timeout=100,
    )
    assert out.returncode == 0, out.stderr
    return re.findall(r"logging\.events\.part\.(\d)\.", out.stdout)


@pytest.fixture
def place(network, tmp_path, any_server_binary):
    if os.geteuid() != 0 or not network or not shutil.which("setpriv"):
        pytest.skip("only root can change the user and the root folder")
    if not s3_support.VERSITYGW.exists():
        pytest.skip(f"no {s3_support.VERSITYGW}: make setup-test")
    place = Place(network, tmp_path, any_server_binary)
    yield place
    place.close()


def probe(place, path):
    return place.run("curl", "-fsS", "--max-time", "5", f"http://127.0.0.1:9464{path}")


STREAM = """
import asyncio, nats

async def main():
    client = await nats.connect("nats://127.0.0.1:4222", user="varve", password="only-for-nats")
    await client.jetstream().add_stream(name="LOGGING", subjects=["logging.events.part.*.*"])
    await client.close()

asyncio.run(main())
"""


# How many events each part has.
HELD = """
import asyncio, collections, json, nats

async def main():
    client = await nats.connect("nats://127.0.0.1:4222", user="varve", password="only-for-nats")
    info = await client.jetstream().stream_info("LOGGING", subjects_filter=">")
    held = collections.Counter()
    for subject, count in info.state.subjects.items():
        held[subject.split(".")[3]] += count
    print(json.dumps(held))
    await client.close()

asyncio.run(main())
"""


def received(place):
    """Messages that have come to the pod that runs."""
    found = re.search(r"^varve_messages_received_total\{.*\} (\d+)$", probe(place, "/metrics") or "", re.M)
    return int(found[1]) if found else 0


def check_rights(pid):
    """Of a user without any, in a sandbox of its own (sandbox: auto)."""
    text = Path(f"/proc/{pid}/status").read_text()
    status = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    assert status["Uid"].split() == ["65532"] * 4 and status["CapEff"] == "0" * 16
    assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "1"


def end_pod(place, pod):
    os.kill(child_of(pod), signal.SIGTERM)
    assert pod.wait(100) == 0, place.text()


def test_pods(place, tmp_path):
    """One after the other, since all have port 9464 of one address here. Each drains its part, is
    ready, and ends with its last commit when it is asked to."""
    wait_for(lambda: place.run(sys.executable, "-c", STREAM) is not None, "the stream is made")
    place.publish(600, seed=1)
    held = json.loads(wait_for(lambda: place.run(sys.executable, "-c", HELD), "what parts have"))
    for number in range(PARTS):
        pod = place.start(make_pod(tmp_path / f"pod-{number}", number))
        inner = child_of(pod)
        wait_for(lambda: probe(place, "/healthz") is not None, "the pod is alive")
        wait_for(lambda: probe(place, "/readyz") is not None, "the pod is ready")
        if number == 0:
            check_rights(inner)
        wait_for(lambda part=str(number): received(place) == held[part], "the pod has its part")
        end_pod(place, pod)
        assert set(rows(place)) == {str(before) for before in range(number + 1)}
    assert len(rows(place)) == 600
    assert '"event":"sandbox"' in place.text()
    assert PASSWORD not in place.text() and s3_support.SECRET_KEY not in place.text()


def test_the_unit_of_a_part(tmp_path):
    """The drop-in of systemd, for varve@.service: the words are those of the pod."""
    [reset, start] = re.findall(r"^ExecStart=(.*)$", PART.read_text(), re.MULTILINE)
    assert reset == ""
    words = shlex.split(start.replace("%i", "2"))
    assert words[0] == "/usr/local/bin/varve"
    [container] = resources()["StatefulSet"]["spec"]["template"]["spec"]["containers"]
    assert words[1:] == [word.replace("$(NUMBER)", "2") for word in container["args"]]
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not here")
    unit = tmp_path / "varve@2.service"
    template = (ROOT / "tools/share/varve@.service").read_text()
    dropin = tmp_path / "varve@2.service.d/part.conf"
    dropin.parent.mkdir()
    for path, text in ((unit, template), (dropin, PART.read_text())):
        path.write_text(text.replace("/usr/local/bin/varve", str(VARVE)))
    out = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, timeout=60
    )
    assert (out.returncode, out.stderr) == (0, "")
