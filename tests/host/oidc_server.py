#!/usr/bin/env python3
"""A small OIDC provider for tests: a token endpoint, the keys that its tokens are signed with, and some
endpoints that misbehave.

    oidc_server.py FOLDER [LIFETIME]

Listens on two free ports of 127.0.0.1, http and https, and prints "PORT PORT" once it does. FOLDER gets
what it makes with openssl: ca.pem, and the files behind it. Tokens last LIFETIME seconds (60).

    POST /token     client credentials of "me" with the secret "s3cret/+ &": a JWT by RS256; by
                    "me%2B" when id and secret came URL-encoded; scope "unsigned": alg none
    GET  /jwks      the key
    GET  /count     how many tokens were given
    POST /moved /broken /html /huge /slow /busy   what their names say
"""
import base64
import http.server
import json
import os
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse

FOLDER = sys.argv[1]
LIFETIME = int(sys.argv[2]) if len(sys.argv) > 2 else 60
SECRET = "s3cret/+ &"
count = 0


def path(name):
    return os.path.join(FOLDER, name)


def openssl(*arguments, data=None):
    return subprocess.run(("openssl", *arguments), input=data, check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


def make_keys():
    """The key of tokens; an authority, and a certificate of it for 127.0.0.1."""
    openssl("genrsa", "-out", path("token.key"), "2048")
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=OIDC CA",
            "-keyout", path("ca.key"), "-out", path("ca.pem"))
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=idp",
            "-keyout", path("idp.key"), "-out", path("idp.csr"))
    with open(path("idp.ext"), "w", encoding="ascii") as out:
        out.write("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    openssl("x509", "-req", "-in", path("idp.csr"), "-CA", path("ca.pem"), "-CAkey", path("ca.key"),
            "-CAcreateserial", "-days", "2", "-extfile", path("idp.ext"), "-out", path("idp.crt"))


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def make_token(subject, scope, unsigned):
    now = int(time.time())
    header = {"alg": "none"} if unsigned else {"alg": "RS256", "typ": "JWT", "kid": "1"}
    claims = {"sub": subject, "iat": now - 1, "exp": now + LIFETIME}
    if not unsigned:
        claims |= {"iss": "tests", "aud": "kafka", "scope": scope, "jti": str(count)}
    signed = encode(json.dumps(header).encode()) + "." + encode(json.dumps(claims).encode())
    if unsigned:
        return signed + "."
    return signed + "." + encode(openssl("dgst", "-sha256", "-sign", path("token.key"),
                                         data=signed.encode()))


def make_jwks():
    modulus = openssl("rsa", "-in", path("token.key"), "-noout", "-modulus").decode()
    number = bytes.fromhex(modulus.strip().split("=")[1])
    return {"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "1",
                      "n": encode(number), "e": "AQAB"}]}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format, *arguments):
        pass

    def answer(self, status, body, kind="application/json", **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def client(self):
        """Who asks: the id, or None."""
        kind, _, coded = self.headers.get("Authorization", "").partition(" ")
        try:
            name, _, secret = base64.b64decode(coded).decode().partition(":")
        except ValueError:
            return None
        if kind != "Basic":
            return None
        if name == "me" and secret == SECRET:
            return name
        if name == "me%2B" and urllib.parse.unquote_plus(secret) == SECRET and secret != SECRET:
            return name
        return None

    def give_token(self, form):
        global count
        if form.get("grant_type") != ["client_credentials"]:
            return self.answer(400, {"error": "unsupported_grant_type"})
        client = self.client()
        if client is None:
            return self.answer(401, {"error": "invalid_client", "error_description": "who are you?"})
        scope = form.get("scope", [""])[0]
        count += 1
        token = make_token("bob" if client == "me" else client, scope, scope == "unsigned")
        return self.answer(200, {"access_token": token, "token_type": "Bearer",
                                 "expires_in": LIFETIME, "scope": scope})

    def do_POST(self):
        size = int(self.headers.get("Content-Length", "0"))
        form = urllib.parse.parse_qs(self.rfile.read(size).decode())
        if self.path == "/token":
            self.give_token(form)
        elif self.path == "/moved":
            self.answer(307, b"", "text/plain", Location="http://elsewhere.invalid/token")
        elif self.path == "/broken":
            self.answer(500, {"error": "server_error"})
        elif self.path == "/busy":
            self.answer(429, b"", "text/plain")
        elif self.path == "/html":
            self.answer(200, b"<html>no</html>", "text/html")
        elif self.path == "/huge":
            self.answer(200, b'{"access_token":"' + b"a" * 100000 + b'"}')
        elif self.path == "/slow":
            time.sleep(20)
            self.close_connection = True
        else:
            self.answer(404, b"", "text/plain")

    def do_GET(self):
        if self.path == "/jwks":
            self.answer(200, make_jwks())
        elif self.path == "/count":
            self.answer(200, str(count).encode(), "text/plain")
        else:
            self.answer(404, b"", "text/plain")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # clients that hang up are part of it


def main():
    make_keys()
    plain, safe = Server(("127.0.0.1", 0), Handler), Server(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path("idp.crt"), path("idp.key"))
    safe.socket = context.wrap_socket(safe.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=safe.serve_forever, daemon=True).start()
    print(plain.server_port, safe.server_port, flush=True)
    plain.serve_forever()


main()
