# SPDX-License-Identifier: MIT
"""The services of AWS's platforms that give credentials, played by one small server, in the words of
AWS's guides."""

import datetime
import http.server
import json
import threading
import urllib.parse

import support

NOBODY = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
ROLE = "/latest/meta-data/iam/security-credentials/"


def until(seconds):
    now = datetime.datetime.now(datetime.timezone.utc)
    return (now + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Platform:
    """Gives credentials whose session token is TOKEN-1, then TOKEN-2 and so on."""

    def __init__(self):
        self.given = 0
        self.lasts = 3600
        self.works = True
        self.asked = []
        platform = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def serve(self):
                length = int(self.headers.get("content-length", 0))
                body = self.rfile.read(length).decode()
                platform.asked.append((self.command, self.path, dict(self.headers.items()), body))
                status, answer = platform.answer(self.command, self.path, self.headers, body)
                self.send_response(status)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer.encode())

            do_GET = do_PUT = do_POST = serve

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", support.free_port()), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, method, path, fields, body):
        if not self.works:
            return 500, "no"
        if path == "/latest/api/token":
            good = method == "PUT" and fields["x-aws-ec2-metadata-token-ttl-seconds"] == "21600"
            return (200, "IMDS") if good else (400, "")
        if path.startswith(ROLE) and fields.get("x-aws-ec2-metadata-token") != "IMDS":
            return 401, ""
        if path == ROLE:
            return 200, "the-role"
        if path == "/container" and fields.get("authorization") != "Bearer container":
            return 401, ""
        form = dict(urllib.parse.parse_qsl(body))
        if path == "/" and form.get("WebIdentityToken") != "web+/=token":
            return 400, "<ErrorResponse/>"
        self.given += 1
        found = {
            "Code": "Success",
            "AccessKeyId": f"ASIA{self.given}",
            "SecretAccessKey": f"platform/secret{self.given}",
            "Token": f"TOKEN-{self.given}",
            "Expiration": until(self.lasts),
        }
        if path != "/":
            return 200, json.dumps(found).replace("/", "\\/")
        found["SessionToken"] = found.pop("Token")
        inner = "".join(f"<{k}>{v}</{k}>" for k, v in found.items())
        for name in ("Credentials", "AssumeRoleWithWebIdentityResult"):
            inner = f"<{name}>{inner}</{name}>"
        return 200, (
            "<AssumeRoleWithWebIdentityResponse xmlns='https://sts.amazonaws.com/doc/2011-06-15/'>"
            f"{inner}</AssumeRoleWithWebIdentityResponse>"
        )


def kinds(platform, folder):
    """The variables that make it each kind of source."""
    (folder / "web").write_text("web+/=token\n")
    (folder / "container").write_text("Bearer container\n")
    return {
        "container": {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{platform.url}/container",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(folder / "container"),
        },
        "web identity": {
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(folder / "web"),
            "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/a",
            "AWS_ENDPOINT_URL_STS": platform.url,
        },
    }


def signer(request):
    return request.fields["authorization"].partition("Credential=")[2].partition("/")[0]
