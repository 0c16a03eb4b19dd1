from lxml import html

from odoo.tests import Form, tagged

from .common import NOW, OmniCase


@tagged("post_install", "-at_install")
class TestViews(OmniCase):
    def test_sample_follows_unsaved_lines(self):
        self.process({"id": "1", "name": " Ada ", "born": "2 Jan 1990"})
        with Form(self.mapping) as form:
            self.assertIn("Ada", form.sample_html)
            self.assertNotIn("1990-01-02", form.sample_html)
            with form.line_ids.new() as line:
                line.source = "born"
                line.target = "birthdate"
                self.assertEqual(line.normaliser, "date")
            self.assertIn("1990-01-02", form.sample_html)
            self.assertIn("2 Jan 1990", form.sample_html)
            with form.line_ids.edit(len(form.line_ids) - 1) as line:
                line.source = "born ||"
            self.assertIn("born ||", form.sample_html)
            with form.line_ids.edit(len(form.line_ids) - 1) as line:
                line.source = "nothing"
            self.assertNotIn("1990-01-02", form.sample_html)

    def test_sample_shows_ten_and_escapes(self):
        self.land(*({"id": f"r{n}", "name": f"<b>Name {n}</b>"} for n in range(12)))
        self.mapping.invalidate_recordset()
        table = html.fromstring(self.mapping.sample_html)
        self.assertEqual(len(table.xpath("//tbody/tr")), 10)
        self.assertFalse(table.xpath("//td//b[contains(., 'Name')]/b"))
        self.assertIn("&lt;b&gt;Name 11&lt;/b&gt;", self.mapping.sample_html)

    def test_sample_without_records(self):
        mapping = self.env["omni.mapping"].create({"name": "New"})
        self.assertIn("<p", mapping.sample_html)

    def test_sources_page(self):
        partner = self.process(
            {"id": "1", "name": "Ada", "city": "<i>London</i>"}
        ).partner_id
        self.process(
            {"id": "1", "name": "Ada", "city": "Paris"}, at=NOW.replace(year=2027)
        )
        page = html.fromstring(partner.omni_sources_html)
        rows = {
            row.xpath("td[1]")[0].text_content(): [
                cell.text_content() for cell in row.xpath("td")
            ]
            for row in page.xpath("//tbody/tr")
        }
        city = rows["City"]
        self.assertEqual(city[1:3], ["Paris", "shop"])
        self.assertIn("<i>London</i>", city[4])
        self.assertTrue(page.xpath("//a[starts-with(@href, '/odoo/omni.record/')]"))

    def test_people_mapping(self):
        """The ready mapping reads the usual exports, English and Chinese."""
        people = self.env.ref("crm_omnichannel.omni_mapping_people")
        channel = self.make_channel("people", mapping_id=people.id)
        records = self.process(
            {
                "id": 1,
                "first_name": "Ada",
                "last_name": "Lovelace",
                "mobile": "13916123456",
            },
            {
                "客户编号": "K1",
                "姓名": "王伟",
                "手机号": "13701234567",
                "生日": "1990年1月2日",
            },
            {
                "rec_id": "rec-1-org",
                "given_name": "michaela",
                "surname": "neumann",
                "street_number": "8",
                "address_1": "stanley street",
                "suburb": "winston hills",
                "postcode": "4223",
                "state": "nsw",
                "date_of_birth": "19151111",
            },
            channel=channel,
        )
        self.assertEqual(
            records.mapped("state"), ["done"] * 3, records.mapped("error_message")
        )
        ada, wang, michaela = (record.partner_id for record in records)
        self.assertEqual(ada.name, "Ada Lovelace")
        self.assertEqual((wang.name, str(wang.omni_birthdate)), ("王伟", "1990-01-02"))
        self.assertRecordValues(
            michaela,
            [
                {
                    "name": "michaela neumann",
                    "street": "8 stanley street",
                    "city": "winston hills",
                    "zip": "4223",
                }
            ],
        )
        self.assertEqual(records.mapped("external_id"), ["1", "K1", "rec-1-org"])

    def test_actions_open(self):
        for xml_id in (
            "omni_channel_action",
            "omni_record_action",
            "omni_record_action_parked",
            "omni_mapping_action",
            "omni_identity_action",
            "omni_landing_action",
            "omni_import_action",
            "omni_segment_action",
            "omni_consent_action",
        ):
            action = self.env.ref(f"crm_omnichannel.{xml_id}")
            model = self.env[action.res_model]
            for view_type in action.view_mode.split(","):
                self.assertTrue(model.get_views([(False, view_type)])["views"])
        action = self.channel.with_context(omni_state="parked").action_view_records()
        self.assertEqual(action["context"]["search_default_parked"], 1)

    def test_demo_has_something_to_show(self):
        channel = self.env.ref(
            "crm_omnichannel.omni_channel_web_shop_demo", raise_if_not_found=False
        )
        if not channel:
            self.skipTest("no demonstration data")
        self.assertGreaterEqual(channel.done_count, 4)
        parked = self.env["omni.record"].search([("state", "=", "parked")])
        self.assertEqual(
            set(parked.mapped("error_code")), {"required_missing", "ambiguous_date"}
        )
