# SPDX-License-Identifier: MIT
"""What varve is made of, and how its binary is built: what somebody who has to vouch for it asks."""

import json
import re
import subprocess

import pytest

from support import BUILD, ROOT, VARVE


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# A function of each library in the lock that varve calls, or would.
CALLED = {
    "libsodium": "crypto_sign_ed25519_detached",
    "mbedtls": "mbedtls_ssl_handshake",
    "protobuf-c": "protobuf_c_message_unpack",
    "yaml": "yaml_parser_parse",
    "zstd": "ZSTD_decompressDCtx",
}


def locked():
    """Name: (version, licence, hash) of the preferred source of each library that is linked in."""
    names = {line.split()[-1] for line in run("nm", BUILD / "varve.debug").splitlines()}
    out = {}
    for line in (ROOT / "vendor/sources.lock").read_text().splitlines():
        if line and line[0] != "#":
            name, version, _, digest, licence, *_ = line.split()
            if CALLED[name] in names:
                out.setdefault(name, (version, licence, digest))
    assert len(out) > 3
    return out


def bill(kind):
    return run("tools/sbom", kind, "0.1.0")


def test_spdx_is_valid_and_names_each_library(tmp_path):
    parse = pytest.importorskip("spdx_tools.spdx.parser.parse_anything")
    validation = pytest.importorskip("spdx_tools.spdx.validation.document_validator")
    path = tmp_path / "varve.spdx.json"
    path.write_text(bill("spdx"))
    document = parse.parse_file(str(path))
    assert validation.validate_full_spdx_document(document, "SPDX-2.3") == []
    found = {p.name: (p.version, str(p.license_declared)) for p in document.packages}
    assert found.keys() == {"varve", "musl", *locked()}
    for name, (version, licence, digest) in locked().items():
        assert found[name] == (version, licence)
        package = next(p for p in document.packages if p.name == name)
        assert [c.value for c in package.checksums] == [digest]


def test_cyclonedx_is_valid_and_names_each_library():
    schema = pytest.importorskip("cyclonedx.schema")
    validation = pytest.importorskip("cyclonedx.validation.json")
    text = bill("cyclonedx")
    validator = validation.JsonStrictValidator(schema.SchemaVersion.V1_5)
    assert validator.validate_str(text) is None
    parts = {part["name"]: part for part in json.loads(text)["components"]}
    assert parts.keys() == {"musl", *locked()}
    for name, (version, _, digest) in locked().items():
        assert parts[name]["version"] == version
        assert parts[name]["hashes"] == [{"alg": "SHA-256", "content": digest}]


@pytest.mark.parametrize("kind", ["spdx", "cyclonedx"])
def test_the_same_commit_has_the_same_bill(kind):
    assert bill(kind) == bill(kind)


def test_version_names_the_libraries():
    lines = run(VARVE, "version", "--verbose").splitlines()
    assert lines[0] == run(VARVE, "version").strip()
    expected = {f"{name} {version} ({licence})" for name, (version, licence, _) in locked().items()}
    [musl] = set(lines[1:]) - expected
    assert musl.startswith("musl ") and expected < set(lines[1:])
    licences = run(VARVE, "licenses")
    headings = re.findall(r"^==== (\S+) .*====$", licences, re.MULTILINE)
    assert sorted(headings) == sorted(["varve", "musl", *locked()])


def test_the_binary_has_its_guards():
    run("tools/hardened", VARVE, BUILD / "varve.debug")


def not_hardened(binary):
    command = ["tools/hardened", binary, binary]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    return done.stdout


def test_what_lacks_guards_is_told(tmp_path):
    source = tmp_path / "bare.c"
    source.write_text("int main(void) { return 0; }\n")
    bare = tmp_path / "bare"
    run("gcc", "-no-pie", "-z", "execstack", "-Wl,-z,norelro,-z,lazy", "-o", bare, source)
    told = not_hardened(bare)
    for lacking in ("position-independent", "is not static", "RELRO", "BIND_NOW",
                    "stack is executable", "guards its stack"):
        assert lacking in told
    source.write_text("int number = 1; void _start(void) { for (;;) number++; }\n")
    run("gcc", "-nostdlib", "-static", "-Wl,--omagic", "-o", bare, source)
    assert "both writable and executable" in not_hardened(bare)
