import json
from datetime import datetime

from odoo.tests import TransactionCase

from odoo.addons.crm_omnichannel.tools.landing import read_items

NOW = datetime(2026, 5, 4, 8, 30)


class OmniCase(TransactionCase):
    """A channel with a small mapping, and the way from a document to a customer."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.mapping = cls.env["omni.mapping"].create(
            {
                "name": "Test",
                "external_id_path": "id",
                "updated_at_path": "updated_at",
                "line_ids": [
                    (0, 0, {"source": source, "target": target, **more})
                    for source, target, more in (
                        ("name", "name", {"required": True}),
                        ("first_name", "given_name", {}),
                        ("last_name", "surname", {}),
                        ("email", "email", {}),
                        ("phone", "phone", {}),
                        ("city", "city", {}),
                        ("state", "state", {}),
                        ("country", "country", {}),
                        ("birthday", "birthdate", {}),
                        ("unionid", "id:unionid", {}),
                        ("tags", "tags", {}),
                    )
                ],
            }
        )
        cls.channel = cls.make_channel("shop")

    @classmethod
    def make_channel(cls, code, **values):
        return cls.env["omni.channel"].create(
            {
                "name": code,
                "code": f"test-{code}",
                "type": "http",
                "company_id": False,
                "country_id": cls.env.ref("base.cn").id,
                "mapping_id": cls.mapping.id,
                **values,
            }
        )

    def land(self, *documents, channel=None, at=NOW, **options):
        channel = channel or self.channel
        body = json.dumps(documents).encode()
        return channel._land(read_items(body, channel._envelope(), **options), at)

    def process(self, *documents, channel=None, at=NOW):
        """Land and process; return the new records in their order."""
        before = self.env["omni.record"].search([], order="id desc", limit=1).id or 0
        self.land(*documents, channel=channel, at=at)
        records = self.env["omni.record"].search([("id", ">", before)], order="id")
        self.env["omni.record"]._process_batch(records.ids)
        return records
