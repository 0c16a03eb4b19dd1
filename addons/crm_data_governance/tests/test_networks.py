from odoo.tests import BaseCase, tagged

from ..tools.networks import network


@tagged("post_install", "-at_install")
class TestNetworks(BaseCase):
    def test_network(self):
        for address, expected in (
            ("203.0.113.7", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
            ("2001:db8:1:3::9", "2001:db8:1:3::/64"),
            ("fe80::1%eth0", "fe80::/64"),
            ("unix:", "unix:"),
            ("", ""),
            (None, ""),
        ):
            self.assertEqual(network(address), expected, address)
