# SPDX-License-Identifier: MIT
"""The pinned sources: each place that vendor/sources.lock names has what the build compiles."""

import os
import shutil
import subprocess

import pytest

from support import BUILD, ROOT

LOCK = ROOT / "vendor" / "sources.lock"
LINES = [line.split() for line in LOCK.read_text().splitlines() if not line.startswith("#")]


def compiled(library):
    """The source files of a library that the build compiles, relative to its folder."""
    rules = "include vendor/rules.mk\nprint: ; @echo $(VENDOR_SOURCES)\n"
    out = subprocess.run(["make", "-s", "-f", "-", "print"], cwd=ROOT, input=rules,
                         capture_output=True, text=True, check=True,
                         env={**os.environ, "MAKEFLAGS": ""}).stdout
    prefix = f"vendor/{library}/"
    return [path[len(prefix):] for path in out.split() if path.startswith(prefix)]


@pytest.fixture
def copy(tmp_path):
    """A tree of its own with nothing but the tool and the lock."""
    for name in ("tools/vendor", "vendor/sources.lock"):
        (tmp_path / name).parent.mkdir()
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line[0]} from {line[6]}")
def test_place(line, copy):
    library, file = line[0], line[2]
    tried = subprocess.run(["tools/vendor", "try", file, "got"], cwd=copy, capture_output=True,
                           text=True)
    if "can't have" in tried.stderr:
        pytest.skip(f"{file} can't be fetched from {line[6]} here")
    assert tried.returncode == 0, tried.stderr
    licence = "LICENSE" if line[5].startswith("/") or line[5].endswith(".c") else line[5]
    assert (copy / "got" / licence).stat().st_size > 500
    assert compiled(library)
    if line[1] != version_here(library):
        passes_with(library, copy)
        return
    for path in compiled(library):
        assert (copy / "got" / path).read_bytes() == \
            (ROOT / "vendor" / library / path).read_bytes(), path


def version_here(library):
    """Of what lies unpacked in the tree."""
    digest = (ROOT / "vendor" / library / ".sha256").read_text().strip()
    [version] = [line[1] for line in LINES if line[0] == library and line[3] == digest]
    return version


def passes_with(library, copy):
    """Another version: varve is built with it, and its tests of what uses the library pass."""
    if not (BUILD / "unit-tests").exists():
        pytest.skip("the unit tests are not built")
    for path in ROOT.iterdir():
        if path.name in ("Makefile", "src", "proto", "tests", "LICENSE", "README.md"):
            (copy / path.name).symlink_to(path)
    for path in (ROOT / "tools").iterdir():
        if path.name != "vendor":
            (copy / "tools" / path.name).symlink_to(path)
    for path in (ROOT / "vendor").iterdir():
        if path.name not in (library, "sources.lock"):
            (copy / "vendor" / path.name).symlink_to(path)
    (copy / "got").rename(copy / "vendor" / library)
    # Objects of all else are there; what the library touches is newer than they, and the lock not.
    for name in ("tools/vendor", "vendor/sources.lock"):
        os.utime(copy / name, (0, 0))
    digest = (copy / "vendor" / library / ".sha256").read_text()
    for name in ("obj/musl", "gen", "unit-tests", "vendor.stamp"):
        kind = shutil.copytree if (BUILD / name).is_dir() else shutil.copy2
        (copy / "build" / name).parent.mkdir(parents=True, exist_ok=True)
        kind(BUILD / name, copy / "build" / name)
    for path in (copy / "vendor" / library).rglob("*.[ch]"):
        path.touch()
    made = subprocess.run(["make", "-s", "build/unit-tests"], cwd=copy,
                          capture_output=True, text=True, env={**os.environ, "MAKEFLAGS": ""})
    assert made.returncode == 0, made.stderr
    assert (copy / "vendor" / library / ".sha256").read_text() == digest
    parts = {
        "libsodium": ["nats_nkey", "nats_creds"],
        "mbedtls": ["tls_"],
        "protobuf-c": ["event_", "watch_alerts"],
        "yaml": ["config_"],
        "zstd": ["codec_", "parquet_", "compact_", "embedded_"],
    }[library]
    ran = subprocess.run([copy / "build" / "unit-tests", *parts], cwd=copy, capture_output=True,
                         text=True)
    assert ran.returncode == 0, ran.stdout
    assert " 0 failed" in ran.stdout and not ran.stdout.startswith("0 passed")


def test_every_library_has_a_place_where_nothing_changes():
    """Beside Debian's suites, which move on: a package of a registry, by its version."""
    for library in {line[0] for line in LINES}:
        kinds = {line[6].split(":")[0] for line in LINES if line[0] == library}
        assert kinds == {"debian", "crate"}, library


def test_what_patches_that_are_not_taken_mend_is_not_there():
    """vendor/README.md says of these that they are not linked."""
    names = subprocess.run(["nm", BUILD / "varve.debug"], capture_output=True, text=True,
                           check=True).stdout
    assert " ZSTD_decompressDCtx" in names and "ge25519_scalarmult_base" in names
    for absent in ("ge25519_is_on_main_subgroup", "ZSTD_decompressStream", "ctr_drbg"):
        assert absent not in names, absent


def test_all_random_bytes_are_the_kernels():
    """Those of TLS, too: the library's own sources look for a device that a chroot has not. Nor does
    anybody ask it why a certificate is refused where there was none: it says that all is wrong."""
    names = subprocess.run(["nm", BUILD / "varve.debug"], capture_output=True, text=True,
                           check=True).stdout
    assert "mbedtls_psa_external_get_random" in names
    for absent in ("mbedtls_entropy", "drbg", "mbedtls_ssl_get_verify_result"):
        assert absent not in names, absent


def test_a_tarball_that_is_not_the_pinned_one_is_refused(copy):
    for line in LINES:
        (copy / "vendor" / line[2]).write_bytes(b"somebody else's")
    run = subprocess.run(["tools/vendor"], cwd=copy, capture_output=True, text=True)
    assert run.returncode != 0
    assert "not used" in run.stderr
    assert not [path for path in (copy / "vendor").iterdir() if path.is_dir()]
