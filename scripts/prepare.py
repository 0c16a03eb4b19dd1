"""Everything that serving and testing need, in the order in which it can be had."""

import os

from . import odoo_command, odoo_source, paper, postgres, python_env
from .console import require_space, require_tool, say, together
from .layout import ROOT, VENV, is_done, preparing, set_done

GIGABYTES = 5


def prepare(tests=False):
    """Python, Odoo, PostgreSQL, OCA addons, PDF; with ``tests`` the browser too."""
    python_env.check_version()
    with preparing():
        if not is_done("prepared", "1"):
            say("Preparing (once; everything goes into .run):")
            require_space(ROOT, GIGABYTES)
            if os.geteuid() == 0 and not postgres.is_given():
                require_tool("setpriv", "to run PostgreSQL as another user than root")
        python_env.create_venv(VENV)
        together(_python(tests), odoo_source.prepare, _programs(tests))
        odoo_command.write_wrapper()
        set_done("prepared", "1")


def _python(tests):
    def action():
        if tests:
            python_env.prepare_tests()
        else:
            python_env.prepare_server()
        python_env.prepare_oca()

    return action


def _programs(tests):
    def action():
        # One after the other: they share one private apt.
        postgres.prepare()
        paper.prepare_pdf()
        paper.prepare_fonts()
        if tests:
            paper.prepare_chromium()

    return action
