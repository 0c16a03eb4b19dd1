"""Odoo's command line, with the tests marked ``at_install`` run after the loading.

An addon's ``at_install`` tests run while it is installed, when nothing that depends on
it is there yet: on a finished database, where the six are to be seen, they would meet
columns of addons that are not loaded. Run late they meet the whole system.
"""

import odoo.cli
from odoo.tests import loader

_make_suite = loader.make_suite


def make_suite(module_names, position="at_install"):
    if position == "at_install":
        return _make_suite([], position)
    late = _make_suite(module_names, "at_install")
    late.addTests(_make_suite(module_names, position))
    return late


if __name__ == "__main__":
    loader.make_suite = make_suite
    odoo.cli.main()
