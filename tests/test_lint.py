"""The checks of ``make lint`` that are ours find what they are for."""

import hashlib

from scripts import lint
from scripts.layout import SUITE


def tree(folder, **sources):
    """Six addons with nothing in them but ``sources`` (``addon/path`` → text)."""
    for name in SUITE:
        (folder / name / "tools").mkdir(parents=True)
        (folder / name / "__manifest__.py").write_text("{'depends': []}")
    for path, text in sources.items():
        (folder / path).write_text(text)
    return folder


def test_a_clean_tree_has_no_findings(tmp_path):
    tree(
        tmp_path,
        **{
            "crm_omnichannel/a.py": "from odoo.addons.crm_data_governance import db\n",
            "crm_omnichannel/tools/b.py": "import json\nfrom . import c\n",
            "crm_personalization/a.py": "from crm_omnichannel_tools import x\n",
        },
    )
    assert list(lint.layer_findings(tmp_path)) == []


def test_odoo_in_tools_is_found(tmp_path):
    tree(
        tmp_path, **{"crm_omnichannel/tools/b.py": "import os\nfrom odoo import api\n"}
    )
    (finding,) = lint.layer_findings(tmp_path)
    assert "crm_omnichannel/tools/b.py:2: tools/ must not import Odoo" in finding


def test_an_import_upwards_or_sideways_is_found(tmp_path):
    tree(
        tmp_path,
        **{
            "crm_data_governance/a.py": "from odoo.addons.crm_omnichannel import x\n",
            "crm_personalization/a.py": "import odoo.addons.crm_ticket_routing.tools\n",
            "crm_omnichannel/tools/a.py": "import crm_behavior_analytics_tools\n",
        },
    )
    assert len(list(lint.layer_findings(tmp_path))) == 3


def test_a_manifest_that_depends_upwards_is_found(tmp_path):
    tree(
        tmp_path,
        **{
            "crm_omnichannel/__manifest__.py": (
                "{'depends': ['crm', 'crm_behavior_analytics']}"
            )
        },
    )
    (finding,) = lint.layer_findings(tmp_path)
    assert "must not depend on crm_behavior_analytics" in finding


def test_a_helpdesk_model_in_an_lgpl_addon_is_found(tmp_path):
    tree(
        tmp_path,
        **{
            "crm_omnichannel/a.py": 'x = self.env["helpdesk.ticket"]\n',
            "crm_ticket_routing/a.py": 'x = self.env["helpdesk.ticket"]\n',
            "crm_personalization/a.py": 'x = self.env.get("helpdesk.ticket")\n',
        },
    )
    (finding,) = lint.layer_findings(tmp_path)
    assert "crm_omnichannel" in finding


def test_vendored_libraries_need_licence_and_digest(tmp_path):
    tree(tmp_path)
    folder = tmp_path / "crm_personalization/static/lib/x"
    folder.mkdir(parents=True)
    (folder / "x.js").write_text("var x;")
    assert len(list(lint.library_findings(tmp_path))) == 2
    digest = hashlib.sha256(b"var x;").hexdigest()
    (folder.parent / "README.md").write_text(f"| `x/x.js` | 1.0 | MIT | {digest} |\n")
    (folder / "LICENSE").write_text("MIT")
    assert list(lint.library_findings(tmp_path)) == []
    (folder / "x.js").write_text("var y;")
    (finding,) = lint.library_findings(tmp_path)
    assert "not in README.md with its SHA-256" in finding
