import base64
import binascii
import csv
import io
from itertools import islice

from markupsafe import Markup

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..messages import render
from ..tools.readers import BadFile, open_table

PREVIEW_ROWS = 5
MAX_SHOWN = 50


class OmniImport(models.TransientModel):
    _name = "omni.import"
    _description = "Import a File into a Channel"

    channel_id = fields.Many2one(
        "omni.channel",
        required=True,
        domain="[('type', 'in', ('file', 'http')), ('state', '=', 'active')]",
    )
    file = fields.Binary(attachment=False)
    filename = fields.Char()
    encoding = fields.Selection(
        [
            ("utf-8-sig", "UTF-8"),
            ("gb18030", "GB 18030 (GBK)"),
            ("utf-16", "UTF-16"),
        ],
        help="Found out from the file; change it if the preview reads wrong.",
    )
    delimiter = fields.Selection(
        [(",", "Comma"), (";", "Semicolon"), ("\t", "Tab"), ("|", "Bar")],
        help="Found out from the file; change it if the columns are wrong.",
    )
    file_kind = fields.Selection(
        [("csv", "CSV"), ("xlsx", "Excel"), ("jsonl", "JSON lines")],
        "Format",
        readonly=True,
    )
    problem = fields.Char(readonly=True)
    preview_html = fields.Html(
        "First Lines", compute="_compute_preview_html", sanitize=False
    )
    state = fields.Selection(
        [("file", "File"), ("report", "Report")],
        "Status",
        default="file",
        required=True,
    )
    accepted = fields.Integer(readonly=True)
    duplicates = fields.Integer(readonly=True)
    refused = fields.Integer(readonly=True)
    refused_html = fields.Html("Refused Lines", readonly=True, sanitize=False)
    refused_file = fields.Binary("Refused as CSV", readonly=True, attachment=False)
    refused_filename = fields.Char(compute="_compute_refused_filename")

    @api.onchange("file", "filename")
    def _onchange_file(self):
        """A new file: find out its encoding and delimiter again."""
        self.encoding = self.delimiter = False
        self._sniff()

    @api.onchange("encoding", "delimiter")
    def _onchange_form(self):
        self._sniff()

    def _sniff(self):
        table, problem = self._open()
        self.problem = problem
        self.file_kind = table and table.kind
        if table:
            self.encoding = table.encoding or False
            self.delimiter = table.delimiter or False

    @api.depends("file", "filename", "encoding", "delimiter")
    def _compute_preview_html(self):
        for wizard in self:
            table = wizard._open()[0]
            wizard.preview_html = table and wizard._render_preview(table)

    @api.depends("filename")
    def _compute_refused_filename(self):
        for wizard in self:
            stem = (wizard.filename or "file").rpartition(".")[0] or "file"
            wizard.refused_filename = f"{stem}-refused.csv"

    def _open(self):
        """Return ``(table or None, problem in words or False)``."""
        # the size is what the client shows of a stored file
        content = self.with_context(bin_size=False).file
        if not content:
            return None, False
        try:
            raw = base64.b64decode(content)
            table = open_table(
                raw, self.filename or "", self.encoding or None, self.delimiter or None
            )
        except BadFile as error:
            return None, render(self.env, error.code, error.params)
        except binascii.Error:
            return None, render(self.env, "unreadable")
        return table, False

    def _render_preview(self, table):
        rows = list(islice(table.rows, PREVIEW_ROWS))
        columns = table.columns or sorted(
            {key for _number, row in rows if isinstance(row, dict) for key in row}
        )
        head = Markup().join(Markup("<th>%s</th>") % column for column in columns)
        body = Markup().join(
            self._render_preview_row(columns, number, row) for number, row in rows
        )
        return Markup(
            "<div class='table-responsive'><table class='table table-sm'><thead><tr>"
            "<th>#</th>%s</tr></thead><tbody>%s</tbody></table></div>"
        ) % (head, body)

    def _render_preview_row(self, columns, number, row):
        if not isinstance(row, dict):
            return Markup(
                "<tr><td>%s</td><td colspan='%s' class='text-danger'>%s</td></tr>"
            ) % (
                number,
                len(columns),
                render(self.env, row),
            )
        cells = Markup().join(
            Markup("<td>%s</td>") % row.get(column, "") for column in columns
        )
        return Markup("<tr><td>%s</td>%s</tr>") % (number, cells)

    # --- ACTIONS ---

    def action_import(self):
        """Land the file's lines and show what became of them."""
        self.ensure_one()
        self.channel_id.check_access("read")
        table, problem = self._open()
        if table is None:
            raise UserError(problem or self.env._("Please choose a file."))
        # landing is the system's: users have no right to write records by hand
        channel_sudo = self.channel_id.sudo()
        if not channel_sudo.takes_files:
            raise UserError(self.env._("This channel does not take files."))
        result = channel_sudo._land(
            channel_sudo._adapter().read_rows(table.rows, channel_sudo._envelope()),
            fields.Datetime.now(),
        )
        refused = result["refused"]
        self.write(
            {
                "state": "report",
                "accepted": result["accepted"],
                "duplicates": result["duplicates"],
                "refused": len(refused),
                "refused_html": self._render_refused(refused),
                "refused_file": self._write_refused(refused),
                # the wizard's row need not keep personal data
                "file": False,
            }
        )
        return {
            "type": "ir.actions.act_window",
            "res_model": self._name,
            "res_id": self.id,
            "view_mode": "form",
            "target": "new",
            "name": self.env._("Import a File"),
        }

    def action_view_records(self):
        """Open the channel's records."""
        return self.channel_id.action_view_records()

    def _render_refused(self, refused):
        rows = Markup().join(
            Markup("<tr><td>%s</td><td>%s</td></tr>")
            % (entry["index"], render(self.env, entry["error"]))
            for entry in refused[:MAX_SHOWN]
        )
        return rows and (
            Markup(
                "<table class='table table-sm'><thead><tr><th>%s</th><th>%s</th></tr>"
                "</thead><tbody>%s</tbody></table>"
            )
            % (self.env._("Line"), self.env._("Reason"), rows)
        )

    def _write_refused(self, refused):
        """Return a CSV of the refused lines, as the file had them where it can."""
        if not refused:
            return False
        lines = self._source_lines()
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        writer.writerow(
            [
                self.env._("Line"),
                self.env._("Code"),
                self.env._("Reason"),
                self.env._("Content"),
            ]
        )
        for entry in refused:
            number = entry["index"]
            content = lines[number - 1] if 0 < number <= len(lines) else ""
            writer.writerow(
                [number, entry["error"], render(self.env, entry["error"]), content]
            )
        return base64.b64encode(buffer.getvalue().encode("utf-8-sig"))

    def _source_lines(self):
        if self.file_kind == "xlsx":
            return []
        content = base64.b64decode(self.with_context(bin_size=False).file)
        encoding = self.encoding or self._open()[0].encoding
        return content.decode(encoding, "replace").split("\n")
