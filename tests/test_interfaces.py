"""docs/interfaces.md describes every public address, and no other."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def guarded_routes():
    """``{code: path}`` of every ``@guarded`` method of the six."""
    found = {}
    for path in sorted((ROOT / "addons").glob("crm_*/controllers/*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "guarded":
                code = next(k.value.value for k in node.keywords if k.arg == "code")
                found[code] = node.args[0].value
    return found


def plain_routes():
    """Files that open a public route past the guard."""
    for path in sorted((ROOT / "addons").glob("crm_*/controllers/*.py")):
        if re.search(r"auth=[\"'](public|none)[\"']", path.read_text()):
            yield str(path.relative_to(ROOT))


def test_each_public_route_is_guarded():
    assert guarded_routes(), "nothing found proves nothing"
    assert not list(plain_routes())


def test_the_documentation_lists_them_all():
    text = (ROOT / "docs/interfaces.md").read_text()
    documented = dict(
        re.findall(r"^## `([a-z_.]+)`.*?\n\n`[A-Z]+ ([^`]+)`", text, re.M)
    )
    routes = {
        code: re.sub(r"<(?:\w+:)?(\w+)>", r"<\1>", path)
        for code, path in guarded_routes().items()
    }
    assert set(documented) == set(routes)
    for code, path in routes.items():
        shape = re.sub(r"<[^>]*>", "<>", path)
        assert re.sub(r"<[^>]*>", "<>", documented[code]) == shape, code
