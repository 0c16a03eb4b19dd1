from markupsafe import Markup

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools.misc import format_date, format_datetime

from odoo.addons.crm_data_governance.tools.masks import CONSTANT

from ..processing import TAGS_FIELD
from ..tools.survivorship import winner


class ResPartner(models.Model):
    _name = "res.partner"
    _inherit = "res.partner"

    omni_birthdate = fields.Date("Birthday")
    omni_gender = fields.Selection(
        [("male", "Male"), ("female", "Female"), ("other", "Other")], "Gender"
    )
    omni_identity_ids = fields.One2many(
        "omni.identity",
        "partner_id",
        "Identities",
        groups="crm_omnichannel.group_omnichannel_user",
    )
    omni_record_ids = fields.One2many(
        "omni.record",
        "partner_id",
        "Channel Records",
        groups="crm_omnichannel.group_omnichannel_user",
    )
    omni_record_count = fields.Integer(
        compute="_compute_omni_record_count",
        groups="crm_omnichannel.group_omnichannel_user",
    )
    omni_channel_ids = fields.Many2many(
        "omni.channel",
        string="Source Channels",
        compute="_compute_omni_channel_ids",
        search="_search_omni_channel_ids",
        groups="crm_omnichannel.group_omnichannel_user",
    )
    omni_provenance = fields.Json(
        "Provenance",
        copy=False,
        readonly=True,
        # as it is, for the code only: people see it under their field policies
        groups=fields.NO_ACCESS,
        help="For each field the values that the channels gave, newest first.",
    )
    omni_sources_html = fields.Html(
        "Sources",
        compute="_compute_omni_sources_html",
        sanitize=False,
        groups="crm_omnichannel.group_omnichannel_user",
    )

    omni_member_ids = fields.One2many(
        "omni.segment.member",
        "partner_id",
        "Segment Memberships",
        readonly=True,
        groups="base.group_user",
    )
    omni_segment_ids = fields.Many2many(
        "omni.segment",
        string="Segments",
        compute="_compute_omni_segment_ids",
        search="_search_omni_segment_ids",
        groups="base.group_user",
    )

    # the queue looks customers up by these
    _omni_email_idx = models.Index(
        "(email_normalized) WHERE email_normalized IS NOT NULL"
    )
    _omni_phone_idx = models.Index(
        "(phone_sanitized) WHERE phone_sanitized IS NOT NULL"
    )

    def _check_company(self, fnames=None):
        """Check one of those who have the same company, properties and other links.

        Hundreds who are created at once have Odoo's defaults: a check of each takes a
        seventh of the time of their creation.
        """
        names = [
            name
            for name, field in self._fields.items()
            if field.relational and field.check_company
        ]
        partners = self.sudo()
        alike = {
            (partner.company_id, *(partner[name] for name in names)): partner.id
            for partner in partners
        }
        return super(ResPartner, self.browse(alike.values()))._check_company(fnames)

    @api.depends("omni_record_ids")
    def _compute_omni_record_count(self):
        counts = dict(
            self.env["omni.record"]._read_group(
                [("partner_id", "in", self.ids)], ["partner_id"], ["__count"]
            )
        )
        for partner in self:
            partner.omni_record_count = counts.get(partner, 0)

    @api.depends("omni_identity_ids.channel_id")
    def _compute_omni_channel_ids(self):
        for partner in self:
            partner.omni_channel_ids = partner.omni_identity_ids.channel_id

    @api.model
    def _search_omni_channel_ids(self, operator, value):
        if operator != "in":
            return NotImplemented
        return [("omni_identity_ids.channel_id", "in", value)]

    @api.depends("omni_member_ids.segment_id")
    def _compute_omni_segment_ids(self):
        for partner in self:
            partner.omni_segment_ids = partner.omni_member_ids.segment_id

    @api.model
    def _search_omni_segment_ids(self, operator, value):
        if operator not in ("in", "any", "any!"):
            return NotImplemented
        within = "any!" if operator == "any!" else "any"
        segment = Domain("segment_id", operator, value)
        return Domain("omni_member_ids", within, segment)

    @api.depends("omni_provenance")
    @api.depends_context("lang", "tz", "uid")
    def _compute_omni_sources_html(self):
        """One row a field: its value, the channel it came from, and what was before."""
        # sudo: names of channels only, for values of fields the reader may see
        channels = self.env["omni.channel"].sudo().with_context(active_test=False)
        channels = {channel.id: channel for channel in channels.search([])}
        priorities = {
            channel_id: channels[channel_id].sequence for channel_id in channels
        }
        linked = self.env["omni.record"].has_access("read")
        for partner in self:
            provenance = partner.sudo().omni_provenance or {}
            rows = [
                partner._render_source(name, entries, channels, priorities, linked)
                for name, entries in provenance.items()
                if name in self._fields
                and self._has_field_access(self._fields[name], "read")
            ]
            partner.omni_sources_html = partner._render_sources(rows)

    def _render_sources(self, rows):
        if not rows:
            return Markup("<p class='text-muted'>%s</p>") % self.env._(
                "No channel has told anything about this customer yet."
            )
        return Markup(
            "<table class='table table-sm o_omni_sources'><thead><tr><th>%s</th>"
            "<th>%s</th><th>%s</th><th>%s</th><th>%s</th></tr></thead>"
            "<tbody>%s</tbody></table>"
        ) % (
            self.env._("Field"),
            self.env._("Value"),
            self.env._("Channel"),
            self.env._("Since"),
            self.env._("Other and earlier values"),
            Markup().join(rows),
        )

    def _render_source(self, name, entries, channels, priorities, linked):
        standing = entries[0] if name == TAGS_FIELD else winner(entries, priorities)
        label = self._fields[name]._description_string(self.env)
        others = Markup("<br/>").join(
            Markup("%s — %s")
            % (
                self._source_value(name, entry["value"]),
                self._source_place(entry, channels, linked),
            )
            for entry in entries
            if entry is not standing
        )
        return Markup(
            "<tr><td>%s</td><td>%s</td><td>%s</td><td>%s</td>"
            "<td class='text-muted'>%s</td></tr>"
        ) % (
            label,
            self._source_value(name, standing["value"]),
            self._source_channel(standing, channels, linked),
            self._source_time(standing),
            others,
        )

    def _source_place(self, entry, channels, linked):
        return Markup("%s, %s") % (
            self._source_channel(entry, channels, linked),
            self._source_time(entry),
        )

    def _source_channel(self, entry, channels, linked):
        channel = channels.get(entry["channel_id"])
        label = channel.name if channel else self.env._("Odoo")
        if not entry["record_id"] or not linked:
            return label
        return Markup("<a href='/odoo/omni.record/%s'>%s</a>") % (
            entry["record_id"],
            label,
        )

    def _source_time(self, entry):
        moment = fields.Datetime.to_datetime(entry["at"][:19])
        return format_datetime(self.env, moment, dt_format="short")

    def _source_value(self, name, value):
        rule = self._closed_fields().get(name)
        if rule and value:
            # earlier values too: each is one that the field had or could have had
            return self._mask_field(name, rule, value) or CONSTANT
        if not value:
            return ""
        if name == "omni_birthdate":
            return format_date(self.env, value)
        if name == "omni_gender":
            return dict(self._fields[name]._description_selection(self.env))[value]
        if name == "country_id":
            country = self.env["res.country"].search([("code", "=", value)], limit=1)
            return country.name or value
        if name == "state_id":
            return self._source_state(value)
        return value

    def _source_state(self, value):
        """The name of a state that a channel gave as country and code."""
        country, _dash, code = value.partition("-")
        state = self.env["res.country.state"].search(
            [("country_id.code", "=", country), ("code", "=", code)], limit=1
        )
        return state.name or value

    # --- ACTIONS ---

    def action_view_omni_records(self):
        """Open the channel records of these customers."""
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "crm_omnichannel.omni_record_action"
        )
        action["domain"] = [("partner_id", "in", self.ids)]
        action["context"] = {}
        return action
