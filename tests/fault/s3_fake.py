# SPDX-License-Identifier: MIT
"""An object store that misbehaves on order. It keeps objects in memory and answers as S3 does,
unless the script has a step for the request: a function of (store, request, connection) that
answers in its own way. Steps are taken from the front, one a request; None is the usual answer."""

import contextlib
import datetime
import email.utils
import hashlib
import socket
import struct
import threading
import urllib.parse

import support

REASONS = {200: "OK", 204: "No Content", 206: "Partial Content"}


def error(code, message="a message", **more):
    extra = "".join(f"<{k}>{v}</{k}>" for k, v in more.items())
    return (
        f"<?xml version='1.0' encoding='UTF-8'?>\n<Error><Code>{code}</Code>"
        f"<Message>{message}</Message>{extra}<RequestId>R1</RequestId></Error>"
    ).encode()


class Request:
    def __init__(self, head, body):
        lines = head.decode("latin-1").split("\r\n")
        self.method, target, _ = lines[0].split(" ")
        self.path, _, query = target.partition("?")
        self.query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        self.key = urllib.parse.unquote(self.path).partition("/varve-test/")[2]
        self.fields = {
            k.strip().lower(): v.strip() for k, _, v in (x.partition(":") for x in lines[1:] if x)
        }
        self.body = body


class Fake:
    def __init__(self):
        self.port = support.free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.objects = {}
        self.hashes = {}  # x-amz-checksum-sha256 of objects, as it was sent: HEAD tells it
        self.uploads = {}
        self.begun = {}  # by id of an upload, its key and when it was begun
        self.script = []
        self.requests = []
        self.connections = 0
        self.skew = 0.0  # seconds that our clock is ahead
        self.region = None  # the only one that signatures are taken for
        self.token = None  # the only session token that is taken
        self.token_code = "ExpiredToken"  # of others
        self.denied = set()  # operations that nobody may: "put", "get", "list", "delete"
        self.loose = False  # takes no notice of conditions when an upload is completed
        self.racy = False  # looks whether an object is there, and puts it later
        self.looking = threading.Condition()
        self.looked = {}  # by key, how many have found it absent
        self.closing = False

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.closing = True
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self):
        while not self.closing:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, contextlib.suppress(ConnectionError, BrokenPipeError, OSError):
            rest = b""
            while True:
                while b"\r\n\r\n" not in rest:
                    some = connection.recv(65536)
                    if not some:
                        return
                    rest += some
                head, _, rest = rest.partition(b"\r\n\r\n")
                request = Request(head, b"")
                self.requests.append(request)
                step = self.script.pop(0) if self.script else None
                if getattr(step, "unread", False):
                    step(self, request, connection)
                    return
                length = int(request.fields.get("content-length", 0))
                while len(rest) < length:
                    some = connection.recv(1 << 20)
                    if not some:
                        return
                    rest += some
                request.body, rest = rest[:length], rest[length:]
                if (step or usual)(self, request, connection) == "close":
                    return

    def now(self):
        return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=self.skew)

    def answer(self, request, to, status, body=b"", **fields):
        fields = {k.replace("_", "-"): v for k, v in fields.items()}
        fields.setdefault("content-length", len(body))
        fields.setdefault("date", email.utils.format_datetime(self.now(), usegmt=True))
        fields.setdefault("x-amz-request-id", "R1")
        head = f"HTTP/1.1 {status} {REASONS.get(status, 'Else')}\r\n"
        head += "".join(f"{k}: {v}\r\n" for k, v in fields.items() if v is not None)
        if request.method == "HEAD":
            body = b""
        to.sendall(head.encode() + b"\r\n" + body)


def refusal(store, request):
    """What S3 looks at before all else: status and error, or None."""
    claimed = datetime.datetime.strptime(request.fields["x-amz-date"], "%Y%m%dT%H%M%SZ")
    claimed = claimed.replace(tzinfo=datetime.timezone.utc)
    if abs((claimed - store.now()).total_seconds()) > 900:
        server = store.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        return 403, error("RequestTimeTooSkewed", ServerTime=server)
    region = request.fields["authorization"].split("/")[2]
    if store.region and region != store.region:
        return 400, error("AuthorizationHeaderMalformed", Region=store.region)
    if store.token and request.fields.get("x-amz-security-token") != store.token:
        return 400, error(store.token_code)
    if operation_of(request) in store.denied:
        return 403, error("AccessDenied")
    digest = hashlib.sha256(request.body).hexdigest()
    if request.fields["x-amz-content-sha256"] != digest:
        return 400, error("XAmzContentSHA256Mismatch")
    return None


def operation_of(request):
    method = {"POST": "put", "HEAD": "get"}.get(request.method, request.method.lower())
    return "list" if method == "get" and not request.key else method


def etag(body):
    return f'"{hashlib.md5(body).hexdigest()}"'


def look_first(store, request):
    """Whoever finds an object absent waits for somebody else to find the same, or a second."""
    with store.looking:
        store.looked[request.key] = store.looked.get(request.key, 0) + 1
        store.looking.notify_all()
        store.looking.wait_for(lambda: store.looked[request.key] > 1, 1)


def put(store, request):
    there = store.objects.get(request.key)
    if store.racy and there is None:
        look_first(store, request)
    if request.fields.get("if-none-match") == "*" and there is not None:
        return 412, error("PreconditionFailed"), {}
    wanted = request.fields.get("if-match")
    if wanted and there is None:
        return 404, error("NoSuchKey"), {}
    if wanted and etag(there) != wanted:
        return 412, error("PreconditionFailed"), {}
    store.objects[request.key] = request.body
    store.hashes[request.key] = request.fields.get("x-amz-checksum-sha256")
    return 200, b"", {"etag": etag(request.body)}


def read(store, request):
    body = store.objects.get(request.key)
    if body is None:
        return 404, error("NoSuchKey"), {}
    fields = {"etag": etag(body)}
    if request.fields.get("x-amz-checksum-mode") == "ENABLED" and store.hashes.get(request.key):
        fields["x-amz-checksum-sha256"] = store.hashes[request.key]
    if "range" not in request.fields:
        return 200, body, fields
    first, last = (int(x or len(body)) for x in request.fields["range"][6:].split("-"))
    if first >= len(body):
        return 416, error("InvalidRange"), {}
    part = body[first : last + 1]
    fields["content-range"] = f"bytes {first}-{first + len(part) - 1}/{len(body)}"
    return 206, part, fields


def upload(store, request):
    if request.method == "GET":
        found = "".join(
            f"<Upload><Key>{key}</Key><UploadId>{number}</UploadId>"
            f"<Initiated>{begun}</Initiated></Upload>"
            for number, (key, begun) in sorted(store.begun.items(), key=lambda x: x[1])
            if number in store.uploads and key.startswith(request.query.get("prefix", ""))
        )
        whole = f"<ListMultipartUploadsResult>{found}</ListMultipartUploadsResult>"
        return 200, whole.encode(), {}
    if "uploads" in request.query:
        store.uploads["U1"] = {}
        found = "<InitiateMultipartUploadResult><UploadId>U1</UploadId>"
        return 200, f"{found}</InitiateMultipartUploadResult>".encode(), {}
    parts = store.uploads.get(request.query["uploadId"])
    if parts is None:
        return 404, error("NoSuchUpload"), {}
    if request.method == "PUT":
        parts[int(request.query["partNumber"])] = request.body
        return 200, b"", {"etag": etag(request.body)}
    if request.method == "POST":
        there = request.key in store.objects
        if request.fields.get("if-none-match") == "*" and there and not store.loose:
            return 412, error("PreconditionFailed"), {}
        store.objects[request.key] = b"".join(parts[n] for n in sorted(parts))
        found = b"<CompleteMultipartUploadResult><ETag>&quot;x-2&quot;</ETag>"
        del store.uploads[request.query["uploadId"]]
        return 200, found + b"</CompleteMultipartUploadResult>", {}
    del store.uploads[request.query["uploadId"]]
    return 204, b"", {}


def listing(store, request):
    prefix, after = request.query.get("prefix", ""), request.query.get("start-after", "")
    found = "".join(
        f"<Contents><Key>{key}</Key><Size>{len(store.objects[key])}</Size></Contents>"
        for key in sorted(store.objects)
        if key.startswith(prefix) and key > after
    )
    return 200, f"<ListBucketResult>{found}</ListBucketResult>".encode(), {}


def answer_of(store, request):
    """Do what is asked; status, body and fields."""
    refused = refusal(store, request)
    if refused:
        # What an answer to HEAD has no body for.
        more = {"x-amz-bucket-region": store.region} if store.region else {}
        return *refused, more
    if "uploads" in request.query or "uploadId" in request.query:
        return upload(store, request)
    if request.method == "GET" and not request.key:
        return listing(store, request)
    if request.method == "PUT":
        return put(store, request)
    if request.method == "DELETE":
        store.objects.pop(request.key, None)
        return 204, b"", {"content-length": None}
    return read(store, request)


def usual(store, request, connection):
    status, body, fields = answer_of(store, request)
    store.answer(request, connection, status, body, **fields)


# ---- steps ---------------------------------------------------------------------------------------


def says(status, code=None, body=None, **fields):
    """An answer that has nothing to do with what was asked."""

    def step(store, request, connection):
        found = body if body is not None else error(code) if code else b""
        store.answer(request, connection, status, found, **fields)

    return step


def applied(then):
    """Do what is asked, and answer in another way."""

    def step(store, request, connection):
        answer_of(store, request)
        return then(store, request, connection)

    return step


def reset(store, request, connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return "close"


def closes(store, request, connection):
    return "close"


def silent(store, request, connection):
    """No answer; returns when the client has gone."""
    connection.recv(1)
    return "close"


def raw(*pieces):
    """These bytes, and the end of the connection."""

    def step(store, request, connection):
        for piece in pieces:
            connection.sendall(piece)
        return "close"

    return step


def trickle(piece, head=b""):
    """One byte after the other, without an end."""

    def step(store, request, connection):
        connection.sendall(head)
        connection.settimeout(0.05)
        while True:
            connection.sendall(piece)
            with contextlib.suppress(socket.timeout):
                if not connection.recv(1):
                    return "close"

    return step


def unread(then):
    """Answer before the body of the request has come, none of which is read."""

    def step(store, request, connection):
        then(store, request, connection)
        connection.shutdown(socket.SHUT_WR)
        # What the client still sends is taken, or the answer would be lost with the connection.
        while connection.recv(1 << 16):
            pass

    step.unread = True
    return step
