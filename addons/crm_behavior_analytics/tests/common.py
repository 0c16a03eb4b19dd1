from odoo.tests import TransactionCase

ORIGIN = "https://shop.example.com"


class EventCase(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env = cls.env(context={**cls.env.context, "tracking_disable": True})
        cls.source = cls.env["behavior.source"].create(
            {"name": "Shop", "code": "shop-events", "origins": ORIGIN}
        )
        cls.partner = cls.env["res.partner"].create(
            {"name": "Wang Wei", "email": "Wang.Wei@events.example"}
        )
        cls.Event = cls.env["behavior.event"]

    @classmethod
    def _message(cls, kind="track", **values):
        message = {"type": kind, "anonymousId": "visitor-1", **values}
        if kind == "track":
            message.setdefault("event", "Product Viewed")
        return message

    def _track(self, *messages, source=None, **kwargs):
        verdicts = self.Event._track(source or self.source, messages, **kwargs)
        return [verdict["status"] for verdict in verdicts]

    def _events(self, *domain):
        return self.Event.search([("source_id", "=", self.source.id), *domain])
