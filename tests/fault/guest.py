#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A guest with Debian's kernel, for file systems that this host's kernel lacks: `make file-systems`.

    tests/fault/guest.py [ARGUMENT OF PYTEST...]

The guest sees this host's root, and writes to memory alone. In it test_file_systems.py is run on
F2FS, vfat and exFAT of its kernel, and on NFS, with server and client in the guest. What it takes was
unpacked into build/guest by `tools/setup guest`."""

import os
import shlex
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = ROOT / "build/guest"
SECONDS = 1800
MEMORY = "1536"  # MiB; the disks are in it, too
# What it takes to see the host's root.
EARLY = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
# What is the same everywhere is tested on the host.
WHICH = "f2fs or fat or mounted"
# That a kernel has them is asked for in /proc/filesystems.
MODULES = ("loop", "fuse", "ext4", "xfs", "btrfs", "f2fs", "vfat", "exfat", "nfsd")

INIT = """#!/bin/busybox sh
export PATH=/bin
busybox mkdir -p /proc /lower /upper /root
busybox mount -t proc proc /proc
for module in {modules}; do busybox insmod /modules/$module.ko; done
busybox mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288,cache=loose,ro root /lower
busybox mount -t tmpfs upper /upper
busybox mkdir /upper/upper /upper/work
busybox mount -t overlay -o lowerdir=/lower,upperdir=/upper/upper,workdir=/upper/work root /root
for at in proc:proc sysfs:sys devtmpfs:dev tmpfs:tmp tmpfs:run; do
    busybox mount -t ${{at%:*}} ${{at%:*}} /root/${{at#*:}}
done
busybox cp /inside /root/run/inside
exec busybox switch_root /root {busybox} sh /run/inside
"""
INSIDE = """{command} </dev/null >/dev/console 2>&1
{busybox} poweroff -f
"""


def die(text):
    sys.exit(f"guest: {text}")


def program(name):
    return shutil.which(name) or die(f"{name} is not here: tools/setup guest")


def call(*command, **options):
    subprocess.run(command, check=True, **options)


# ---- on the host -----------------------------------------------------------------------------------


def kernel():
    """The kernel that lies in build/guest, and the folder of its modules."""
    found = sorted(PARTS.glob("lib/modules/*"))
    if not found:
        die("no kernel in build/guest: tools/setup guest")
    return PARTS / "boot" / f"vmlinuz-{found[-1].name}", found[-1]


def modules_for(names, folder):
    """The files of these modules, each after those that it needs."""
    needs = {}
    for line in (folder / "modules.dep").read_text().splitlines():
        path, _, rest = line.partition(":")
        needs[Path(path).stem] = [path, *rest.split()]
    found = []
    for name in names:
        for path in reversed(needs[name]):
            if path not in found:
                found.append(path)
    return [folder / path for path in found]


def archive(folder, command):
    """The first root: what brings the guest to see the host's, and to run this command there."""
    busybox = program("busybox")
    tree = PARTS / "initramfs"
    shutil.rmtree(tree, ignore_errors=True)
    for name in ("bin", "dev", "modules"):
        (tree / name).mkdir(parents=True)
    shutil.copy(busybox, tree / "bin/busybox")
    files = modules_for(EARLY, folder)
    for file in files:
        shutil.copy(file, tree / "modules")
    modules = " ".join(file.stem for file in files)
    (tree / "init").write_text(INIT.format(modules=modules, busybox=busybox))
    (tree / "init").chmod(0o755)
    (tree / "inside").write_text(INSIDE.format(command=shlex.join(command), busybox=busybox))
    names = "\n".join(str(p.relative_to(tree)) for p in sorted(tree.rglob("*")))
    out = PARTS / "initramfs.cpio"
    pack = [busybox, "cpio", "-o", "-H", "newc"]
    with out.open("wb") as stream:
        call(*pack, cwd=tree, input=names.encode(), stdout=stream, stderr=subprocess.DEVNULL)
    return out


def run(arguments):
    image, folder = kernel()
    if not (folder / "modules.dep").exists():
        call(program("busybox"), "depmod", "-b", PARTS, folder.name)
    inside = [sys.executable, __file__, "--inside", folder.name, *arguments]
    share = "local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap"
    # By emulation: a host that is a guest itself may have a /dev/kvm that does not work.
    command = [program("qemu-system-x86_64"), "-accel", "tcg", "-cpu", "max", "-m", MEMORY]
    command += ["-nographic", "-no-reboot", "-nic", "none", "-virtfs", share]
    command += ["-append", "console=ttyS0 quiet loglevel=3 panic=-1"]
    command += ["-kernel", image, "-initrd", archive(folder, inside)]
    qemu = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    stuck = threading.Timer(SECONDS, qemu.kill)
    stuck.start()
    passed = False
    for line in qemu.stdout:
        sys.stdout.write(line.decode(errors="replace"))
        sys.stdout.flush()
        passed = passed or line.startswith(b"guest: status 0")
    stuck.cancel()
    return 0 if qemu.wait() == 0 and passed else 1


# ---- in the guest ----------------------------------------------------------------------------------


def prepare(release):
    """Modules, a network of its own, and the programs that were unpacked."""
    Path("/lib/modules").mkdir(exist_ok=True)
    Path("/lib/modules", release).symlink_to(PARTS / "lib/modules" / release)
    Path("/dev/shm").mkdir(exist_ok=True)
    Path("/sbin/modprobe").unlink(missing_ok=True)
    Path("/sbin/modprobe").symlink_to(program("busybox"))  # the kernel calls it
    for module in MODULES:
        call("busybox", "modprobe", module)
    call("busybox", "ip", "link", "set", "lo", "up")
    libraries = [PARTS / "usr/lib/x86_64-linux-gnu", PARTS / "lib/x86_64-linux-gnu"]
    os.environ |= {
        "PATH": f"{PARTS}/usr/sbin:{PARTS}/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LD_LIBRARY_PATH": ":".join(map(str, libraries)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": "/tmp",
    }


def shared(name):
    """A folder on ext4 for a server to share, and one to mount it at."""
    image, folder, at = (Path("/tmp/served", f"{name}{end}") for end in (".image", "", "-seen"))
    folder.mkdir(parents=True)
    image.touch()
    os.truncate(image, 96 * 2**20)
    call("mkfs.ext4", "-q", image)
    call("mount", "-o", "loop", image, folder)
    at = Path("/tmp", name)
    at.mkdir()
    return folder, at


def mount(kind, options, source, at):
    """Without a program of that kind; servers may not listen yet."""
    command = ["mount", "-i", "-t", kind, "-o", options, source, at]
    for _ in range(30):
        if subprocess.run(command).returncode == 0:
            return
        time.sleep(1)
    die(f"mount -t {kind} failed")


def serve_nfs():
    """NFS 3 and 4.2, by the kernel's server."""
    for folder in ("/var/lib/nfs/v4recovery", "/run/rpcbind", "/etc/exports.d"):
        Path(folder).mkdir(parents=True, exist_ok=True)
    for file in ("etab", "rmtab"):
        Path("/var/lib/nfs", file).touch()
    shutil.copy(PARTS / "etc/netconfig", "/etc")
    with open("/etc/passwd", "a") as users:
        users.write("_rpc:x:65533:65534::/:/bin/false\n")
    call("mount", "-t", "nfsd", "nfsd", "/proc/fs/nfsd")
    call("rpcbind")
    (three, at_three), (four, at_four) = shared("nfs3"), shared("nfs4")
    options = "rw,no_root_squash,no_subtree_check,insecure"
    Path("/etc/exports").write_text(
        f"{three} 127.0.0.1({options},fsid=3)\n{four} 127.0.0.1({options},fsid=0)\n"
    )
    call("exportfs", "-a")
    call("rpc.mountd", "-p", "20048")
    for wait in ("nfsv4leasetime", "nfsv4gracetime"):  # before the first lock
        Path("/proc/fs/nfsd", wait).write_text("10")
    call("rpc.nfsd", "2")
    common = "addr=127.0.0.1,proto=tcp,hard"
    of_three = f"vers=3,{common},mountproto=tcp,mountport=20048,nolock"
    mount("nfs", of_three, f"127.0.0.1:{three}", at_three)
    mount("nfs4", f"vers=4.2,clientaddr=127.0.0.1,{common}", "127.0.0.1:/", at_four)
    return [at_three, at_four]


def inside(release, arguments):
    prepare(release)
    os.environ["VARVE_MOUNTED"] = ":".join(map(str, serve_nfs()))
    command = [
        ROOT / "build/venv/bin/pytest",
        "-q",
        "-rs",
        "--color=no",
        "--tb=short",
        "-p",
        "no:cacheprovider",
    ]
    command += arguments or ["tests/fault/test_file_systems.py", "-k", WHICH]
    done = subprocess.run(command, cwd=ROOT)
    print(f"guest: status {done.returncode}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        inside(sys.argv[2], sys.argv[3:])
    else:
        sys.exit(run(sys.argv[1:]))
