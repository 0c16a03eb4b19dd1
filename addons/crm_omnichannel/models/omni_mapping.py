import json

from markupsafe import Markup

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError

from ..messages import render
from ..tools.mapping import apply_mapping, compile_path, map_line
from ..tools.normalisers import BadValue

SAMPLE_SIZE = 10


class OmniMapping(models.Model):
    _name = "omni.mapping"
    _description = "Mapping"
    _order = "name, id"

    name = fields.Char(required=True, translate=True)
    active = fields.Boolean(default=True)
    company_id = fields.Many2one("res.company")
    external_id_path = fields.Char(
        "External ID",
        help="JMESPath expression of the sender's id of the person. Records with the"
        " same id update the same customer.",
    )
    updated_at_path = fields.Char(
        "Changed At",
        help="JMESPath expression of the time at which the sender changed the record."
        " An older record never overwrites a newer one.",
    )
    message_id_path = fields.Char(
        "Message ID",
        help="JMESPath expression of the sender's id of the message. A message with"
        " the same id lands once.",
    )
    line_ids = fields.One2many("omni.mapping.line", "mapping_id", copy=True)
    channel_ids = fields.One2many("omni.channel", "mapping_id")
    sample_html = fields.Html(
        "Last Ten Records", compute="_compute_sample_html", sanitize=False
    )

    @api.constrains("external_id_path", "updated_at_path", "message_id_path")
    def _check_paths(self):
        for mapping in self:
            for path in (
                mapping.external_id_path,
                mapping.updated_at_path,
                mapping.message_id_path,
            ):
                try:
                    if path:
                        compile_path(path)
                except BadValue as error:
                    raise ValidationError(
                        self.env._(
                            "“%(path)s” is not a JMESPath expression.", path=path
                        )
                    ) from error

    @api.ondelete(at_uninstall=False)
    def _unlink_except_used(self):
        """Records would park without anybody having meant it."""
        if self.with_context(active_test=False).channel_ids:
            raise UserError(
                self.env._("A mapping that channels use cannot be deleted.")
            )

    def _get_lines(self):
        """Return the pure lines, in their order."""
        return [line._as_line() for line in self.line_ids if line.target]

    # --- SAMPLE ---

    @api.depends(
        "external_id_path",
        "updated_at_path",
        "line_ids.sequence",
        "line_ids.source",
        "line_ids.target",
        "line_ids.normaliser",
        "line_ids.argument",
        "line_ids.required",
        "line_ids.on_error",
    )
    def _compute_sample_html(self):
        """Before and after of the last ten records; it follows unsaved lines."""
        for mapping in self:
            payloads = mapping._sample_payloads()
            mapping.sample_html = mapping._render_sample(payloads)

    def _sample_payloads(self):
        """Return ``(record, payload)`` of the last records, by the reader's rights."""
        channels = self._origin.channel_ids
        records = self.env["omni.record"].search(
            [("channel_id", "in", channels.ids)], order="id desc", limit=SAMPLE_SIZE
        )
        return [(record, record._get_payload()) for record in records]

    def _render_sample(self, payloads):
        if not payloads:
            return Markup("<p class='text-muted'>%s</p>") % self.env._(
                "No record has landed through this mapping yet. As soon as one has,"
                " its values stand here before and after each line."
            )
        lines = self.line_ids.filtered("target").sorted("sequence")
        rows = [
            (record, *self._sample_row(lines, record, payload))
            for record, payload in payloads
        ]
        # a line that finds nothing in any record would only take room
        shown = [
            column
            for column in range(len(lines))
            if any(row[1][column] for row in rows)
        ]
        labels = dict(lines._fields["target"]._description_selection(self.env))
        head = Markup().join(
            Markup("<th>%s</th>") % labels[lines[column].target] for column in shown
        )
        body = Markup().join(
            Markup("<tr><td>%s</td>%s<td>%s</td></tr>")
            % (
                record.external_id or f"#{record.id}",
                Markup().join(
                    Markup("<td>%s</td>") % cells[column] for column in shown
                ),
                verdict,
            )
            for record, cells, verdict in rows
        )
        return Markup(
            "<table class='table table-sm table-bordered align-top'>"
            "<thead><tr><th>%s</th>%s<th>%s</th></tr></thead><tbody>%s</tbody></table>"
        ) % (self.env._("Record"), head, self.env._("Result"), body)

    def _sample_row(self, lines, record, payload):
        """Return the content of each line's cell, and the verdict on the record."""
        country = record.channel_id._default_country()
        pure_lines = [line._as_line() for line in lines]
        cells = []
        for line in pure_lines:
            try:
                cells.append(_render_cell(*map_line(payload, line, country)))
            except BadValue as error:
                cells.append(self._render_problem(error.code, error.params))
        try:
            problems = apply_mapping(payload, pure_lines, country).errors
        except BadValue as error:
            problems = [(error.code, error.params)]
        verdict = Markup("<br/>").join(
            self._render_problem(code, params) for code, params in problems
        )
        return cells, verdict or Markup("<span class='text-success'>✓</span>")

    @api.model
    def _render_problem(self, code, params):
        return Markup("<span class='text-danger'>%s</span>") % render(
            self.env, code, params
        )


def _render_cell(raw, value):
    before = _plain(raw)
    after = _plain(value)
    if before == after:
        return Markup("%s") % after
    return Markup("<s class='text-muted small'>%s</s><br/><b>%s</b>") % (before, after)


def _plain(value):
    if value is None:
        return ""
    if isinstance(value, str):
        text = value
    elif isinstance(value, list) and all(isinstance(part, str) for part in value):
        text = ", ".join(value)
    else:
        text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:59] + "…"
