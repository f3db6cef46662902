# SPDX-License-Identifier: MIT
"""fuse.py SOURCE TARGET [LACK]...     SOURCE seen through a file system in user space at TARGET.

It speaks the kernel's own protocol (include/uapi/linux/fuse.h, version 7.31) on /dev/fuse, so that it
can be as odd as some file systems are. LACK is any of:

    flags       renames take no flags (EINVAL), as on most file systems in user space
    exchange    two names are never exchanged: the flag for it is not looked at
    links       no second names (EPERM): s3fs, rclone and the like, FAT
    fsync       a file can't be made durable (EINVAL)
    fsyncdir    nor can a folder
    locks       a lock is given to whoever asks
    case        capital and small letters are the same, as on FAT
    dots        dots at the end of a name are left out, as on FAT
    names       names with one of : * ? " < > | \\ are refused (EINVAL), as on FAT
    long        file names have at most 143 bytes: encrypted file systems
    blocks      it does not say how large it is

Prints "mounted" once it is. Ends when it is unmounted."""

import ctypes
import errno
import os
import struct
import sys

LOOKUP, FORGET, GETATTR, SETATTR = 1, 2, 3, 4
MKDIR, UNLINK, RMDIR, RENAME, LINK, OPEN, READ, WRITE, STATFS, RELEASE = (*range(9, 19),)
FSYNC, FLUSH, INIT, OPENDIR, READDIR, RELEASEDIR, FSYNCDIR = 20, 25, 26, 27, 28, 29, 30
SETLK, SETLKW, ACCESS, CREATE, INTERRUPT, DESTROY, BATCH_FORGET, RENAME2 = 32, 33, 34, 35, 36, 38, 42, 45
FLOCK_LOCKS = 1 << 10
EXCHANGE = 1 << 1  # of renameat2
ROOT = 1


def failure(number):
    raise OSError(number, os.strerror(number))


class Tree:
    """Names of inodes, each a path below SOURCE; names of one file share an inode."""

    def __init__(self, source, lacks):
        self.source = os.fsencode(source)
        self.lacks = lacks
        self.paths = {ROOT: b""}
        self.inodes = {}

    def path(self, node, name=None):
        path = os.path.join(self.source, self.paths[node])
        if name is None:
            return path
        if len(name) > (143 if "long" in self.lacks else 255):
            failure(errno.ENAMETOOLONG)
        if "names" in self.lacks and set(name) & set(b':*?"<>|\\'):
            failure(errno.EINVAL)
        if "dots" in self.lacks:
            name = name.rstrip(b".")
        if "case" in self.lacks and os.path.isdir(path):
            for other in os.listdir(path):
                if other.lower() == name.lower():
                    name = other
        return os.path.join(path, name)

    def number(self, path):
        st = os.lstat(path)
        node = ROOT if path == self.source else st.st_ino + ROOT + 1
        self.paths[node] = os.path.relpath(path, self.source) if node != ROOT else b""
        return node, st

    def attributes(self, path):
        node, st = self.number(path)
        return node, struct.pack(
            "<QQQQQQIIIIIIIIII",
            *(node, st.st_size, st.st_blocks),
            *(int(st.st_atime), int(st.st_mtime), int(st.st_ctime)),
            *(st.st_atime_ns % 10**9, st.st_mtime_ns % 10**9, st.st_ctime_ns % 10**9),
            *(st.st_mode, st.st_nlink, st.st_uid, st.st_gid, 0, 4096, 0),
        )

    def entry(self, path):
        node, attributes = self.attributes(path)
        return struct.pack("<QQQQII", node, 0, 0, 0, 0, 0) + attributes


class Server:
    def __init__(self, source, target, lacks):
        self.tree = Tree(source, lacks)
        self.lacks = lacks
        self.device = os.open("/dev/fuse", os.O_RDWR)
        options = f"fd={self.device},rootmode=40000,user_id=0,group_id=0,allow_other"
        self.libc = ctypes.CDLL(None, use_errno=True)
        given = (b"varve-test", os.fsencode(target), b"fuse.varve-test", 6, options.encode())
        if self.libc.mount(*given) != 0:
            sys.exit(f"mount: {os.strerror(ctypes.get_errno())}")

    def serve(self):
        print("mounted", flush=True)
        while True:
            try:
                request = os.read(self.device, 1 << 20)
            except OSError as error:
                if error.errno == errno.ENODEV:
                    return
                if error.errno in (errno.EINTR, errno.ENOENT):
                    continue
                raise
            _, code, unique, node = struct.unpack_from("<IIQQ", request)
            if code in (FORGET, BATCH_FORGET, INTERRUPT):
                continue
            try:
                status, reply = 0, self.answer(code, node, request[40:])
            except OSError as error:
                status, reply = -error.errno, b""
            try:
                os.write(self.device, struct.pack("<IiQ", 16 + len(reply), status, unique) + reply)
            except FileNotFoundError:
                pass  # who asked is gone

    def answer(self, code, node, body):
        handlers = {
            LOOKUP: self.look_up,
            GETATTR: self.get_attributes,
            SETATTR: self.set_attributes,
            MKDIR: self.mkdir,
            UNLINK: lambda node, body: os.unlink(self.tree.path(node, body[:-1])),
            RMDIR: lambda node, body: os.rmdir(self.tree.path(node, body[:-1])),
            RENAME: lambda node, body: self.rename(node, body[:8], 0, body[8:]),
            RENAME2: self.rename2,
            LINK: self.link,
            OPEN: self.open,
            CREATE: self.create,
            READ: self.read,
            WRITE: self.write,
            STATFS: self.statfs,
            RELEASE: self.release,
            FLUSH: lambda *_: None,
            FSYNC: self.fsync,
            FSYNCDIR: self.fsyncdir,
            OPENDIR: lambda node, body: struct.pack("<QII", 0, 0, 0),
            READDIR: self.readdir,
            RELEASEDIR: lambda *_: None,
            SETLK: lambda *_: None,  # to everybody: see `locks`
            SETLKW: lambda *_: None,
            DESTROY: lambda *_: None,
            INIT: self.init,
        }
        if code not in handlers:
            failure(errno.ENOSYS)
        return handlers[code](node, body) or b""

    def init(self, node, body):
        flags = FLOCK_LOCKS if "locks" in self.lacks else 0
        return struct.pack("<IIIIHHIIHHI28x", 7, 31, 65536, flags, 12, 10, 131072, 1, 32, 0, 0)

    def look_up(self, node, body):
        return self.tree.entry(self.tree.path(node, body[:-1]))

    def get_attributes(self, node, body):
        return struct.pack("<QII", 0, 0, 0) + self.tree.attributes(self.tree.path(node))[1]

    def set_attributes(self, node, body):
        valid, _, _, size = struct.unpack_from("<IIQQ", body)
        if valid & 1 << 3:
            os.truncate(self.tree.path(node), size)
        return self.get_attributes(node, body)

    def mkdir(self, node, body):
        path = self.tree.path(node, body[8:-1])
        os.mkdir(path, struct.unpack_from("<I", body)[0])
        return self.tree.entry(path)

    def rename2(self, node, body):
        flags = struct.unpack_from("<QI", body)[1]
        if "flags" in self.lacks:
            failure(errno.ENOSYS if flags == 0 else errno.EINVAL)
        return self.rename(node, body[:8], flags, body[16:])

    def rename(self, node, target, flags, names):
        old, new = names[:-1].split(b"\0")
        source = self.tree.path(node, old)
        goal = self.tree.path(struct.unpack("<Q", target)[0], new)
        if "exchange" in self.lacks:
            flags &= ~EXCHANGE
        if self.libc.renameat2(-1, source, -1, goal, flags) != 0:
            failure(ctypes.get_errno())
        self.tree.number(goal)
        if flags & EXCHANGE:
            self.tree.number(source)

    def link(self, node, body):
        if "links" in self.lacks:
            failure(errno.EPERM)
        path = self.tree.path(node, body[8:-1])
        os.link(self.tree.path(struct.unpack_from("<Q", body)[0]), path)
        return self.tree.entry(path)

    def open(self, node, body):
        flags = struct.unpack_from("<I", body)[0]
        return struct.pack("<QII", os.open(self.tree.path(node), flags & ~os.O_NOFOLLOW), 0, 0)

    def create(self, node, body):
        flags, mode = struct.unpack_from("<II", body)
        path = self.tree.path(node, body[16:-1])
        file = os.open(path, flags, mode)
        return self.tree.entry(path) + struct.pack("<QII", file, 0, 0)

    def read(self, node, body):
        file, offset, size = struct.unpack_from("<QQI", body)
        return os.pread(file, size, offset)

    def write(self, node, body):
        file, offset, size = struct.unpack_from("<QQI", body)
        return struct.pack("<II", os.pwrite(file, body[40 : 40 + size], offset), 0)

    def release(self, node, body):
        os.close(struct.unpack_from("<Q", body)[0])

    def fsync(self, node, body):
        if "fsync" in self.lacks:
            failure(errno.EINVAL)
        os.fsync(struct.unpack_from("<Q", body)[0])

    def fsyncdir(self, node, body):
        if "fsyncdir" in self.lacks:
            failure(errno.EINVAL)

    def readdir(self, node, body):
        _, offset, size = struct.unpack_from("<QQI", body)
        path = self.tree.path(node)
        out = b""
        for at, name in enumerate([b".", b"..", *sorted(os.listdir(path))]):
            if at < offset:
                continue
            entry = struct.pack("<QQII", at + 1, at + 1, len(name), 0) + name
            entry += bytes(-len(entry) % 8)
            if len(out) + len(entry) > size:
                break
            out += entry
        return out

    def statfs(self, node, body):
        st = os.statvfs(self.tree.source)
        blocks = 0 if "blocks" in self.lacks else st.f_blocks
        room = (blocks, st.f_bfree, st.f_bavail, st.f_files, st.f_ffree)
        return struct.pack("<QQQQQIIII24x", *room, st.f_bsize, 255, st.f_frsize, 0)


if __name__ == "__main__":
    Server(sys.argv[1], sys.argv[2], set(sys.argv[3:])).serve()
