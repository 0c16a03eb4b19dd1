import itertools

from odoo.tests import BaseCase, tagged

from odoo.addons.crm_omnichannel.tools.consent import allowed, current, refused


def answers(*rows):
    """``(state, channel, subject)`` in the order of their time."""
    return [
        {
            "id": number,
            "at": number,
            "purpose": "marketing",
            "state": state,
            "channel": channel,
            "subject": subject,
        }
        for number, (state, channel, subject) in enumerate(rows)
    ]


@tagged("post_install", "-at_install")
class TestConsent(BaseCase):
    def check(self, expected, channel, *rows):
        for order in itertools.permutations(answers(*rows)):
            self.assertEqual(allowed(order, "marketing", channel), expected, rows)

    def test_unknown_is_no(self):
        self.check(False, None)
        self.check(False, "email")
        self.assertFalse(allowed(answers(("granted", None, 1)), "analytics"))

    def test_newest_counts(self):
        self.check(True, None, ("denied", None, 1), ("granted", None, 1))
        self.check(False, None, ("granted", None, 1), ("revoked", None, 1))

    def test_channel(self):
        self.check(True, "email", ("granted", None, 1))
        self.check(True, "email", ("granted", "email", 1))
        self.check(False, None, ("granted", "email", 1))
        self.check(False, "phone", ("granted", "email", 1))
        # a no about the channel is not lifted by a later yes to everything
        self.check(False, "email", ("denied", "email", 1), ("granted", None, 1))
        self.check(True, "phone", ("denied", "email", 1), ("granted", None, 1))
        # a later yes about the channel counts, a later no to everything too
        self.check(True, "email", ("denied", None, 1), ("granted", "email", 1))
        self.check(False, "email", ("granted", "email", 1), ("revoked", None, 1))

    def test_stricter_subject_wins(self):
        self.check(False, None, ("granted", None, 1), ("denied", None, 2))
        self.check(False, None, ("denied", None, 2), ("granted", None, 1))
        self.check(True, None, ("granted", None, 1), ("granted", None, 2))
        self.check(False, "email", ("granted", None, 1), ("denied", "email", 2))

    def test_refused_is_answered_and_not_allowed(self):
        states = ("granted", "denied", "revoked")
        rows = [
            (state, channel, subject)
            for state in states
            for channel in (None, "email", "phone")
            for subject in (1, 2)
        ]
        for pair in itertools.product(rows, repeat=2):
            said = answers(*pair)
            for channel in (None, "email"):
                heard = any(row["channel"] in (None, channel) for row in said)
                self.assertEqual(
                    refused(said, "marketing", channel),
                    heard and not allowed(said, "marketing", channel),
                    (pair, channel),
                )
        self.assertFalse(refused([], "marketing"))

    def test_current(self):
        rows = answers(
            ("granted", None, 1),
            ("denied", "email", 1),
            ("revoked", None, 2),
            ("granted", "email", 1),
        )
        self.assertEqual(
            [(row["channel"], row["state"]) for row in current(rows)],
            [(None, "revoked"), ("email", "granted")],
        )
