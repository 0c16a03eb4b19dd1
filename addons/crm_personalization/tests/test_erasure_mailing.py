from odoo.tests import TransactionCase, tagged


@tagged("post_install", "-at_install")
class TestErasureMailing(TransactionCase):
    def test_erasure(self):
        """Off the lists, out of the figures, still on the blacklist."""
        person = self.env["res.partner"].create(
            {"name": "Zhao", "email": "zhao@example.com"}
        )
        contacts = self.env["mailing.contact"].create(
            [
                {"name": "Zhao", "email": "Zhao <ZHAO@Example.com>"},
                {"name": "Qian", "email": "qian@example.com"},
            ]
        )
        mailing = self.env["mailing.mailing"].create(
            {
                "subject": "News",
                "mailing_model_id": self.env["ir.model"]._get_id("mailing.contact"),
            }
        )
        traces = self.env["mailing.trace"].create(
            [
                {
                    "mass_mailing_id": mailing.id,
                    "model": record._name,
                    "res_id": record.id,
                    "email": email,
                    "trace_status": "open",
                }
                for record, email in (
                    (person, "old@example.com"),
                    (contacts[0], "zhao@example.com"),
                    (contacts[1], "qian@example.com"),
                )
            ]
        )
        link = self.env["link.tracker"].create({"url": "https://example.com/news"})
        clicks = self.env["link.tracker.click"].create(
            [
                {"link_id": link.id, "mailing_trace_id": trace.id, "ip": "192.0.2.1"}
                for trace in traces
            ]
        )
        self.env["mail.blacklist"]._add("zhao@example.com")
        told = self.env["governance.privacy.request"]._get_identities(person)
        report = self.env["governance.erasure"]._erase_person(person, told)
        counts = {line["model"]: (line["count"], line["action"]) for line in report}
        self.assertEqual(counts["mailing.contact"], (1, "erased"))
        self.assertEqual(counts["mailing.trace"], (2, "pseudonymised"))
        self.assertEqual(contacts.exists(), contacts[1])
        self.assertEqual(traces.mapped("email"), [False, False, "qian@example.com"])
        self.assertEqual(clicks.mapped("ip"), [False, False, "192.0.2.1"])
        self.assertEqual(mailing.opened, 3)
        self.assertTrue(
            self.env["mail.blacklist"].search([("email", "=", "zhao@example.com")])
        )
