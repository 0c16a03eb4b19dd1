import logging

from odoo import api, fields, models
from odoo.tools import SQL

from ..db import CONCURRENCY_ERRORS
from ..endpoint import CATALOGUE
from ..messages import render

_logger = logging.getLogger(__name__)


class GovernanceEndpoint(models.Model):
    """The API catalogue: the guarded routes of the installed addons.

    Filled from the code when the registry is loaded; nobody edits it.
    """

    _name = "governance.endpoint"
    _description = "API Endpoint"
    _log_access = False
    _order = "path"
    _rec_name = "code"

    code = fields.Char(required=True, readonly=True)
    title = fields.Char(compute="_compute_title")
    module = fields.Char(readonly=True)
    path = fields.Char(required=True, readonly=True)
    methods = fields.Char(readonly=True)
    auth = fields.Selection(
        [("credential", "Credential"), ("signature", "Signature"), ("open", "Open")],
        string="Authentication",
        readonly=True,
        help="Credential: a key of this addon. Signature: the sender signs each"
        " message. Open: anybody.",
    )
    scope = fields.Char(readonly=True, help="The scope that a key needs.")
    max_bytes = fields.Integer(
        string="Size Limit",
        readonly=True,
        help="Greatest size of the request in bytes, after decompression.",
    )
    is_readonly = fields.Boolean(string="Read Only", readonly=True)
    request_count = fields.Integer(compute="_compute_usage")
    error_count = fields.Integer(compute="_compute_usage")
    last_used_at = fields.Datetime(string="Last Used on", compute="_compute_usage")

    _code_uniq = models.UniqueIndex("(code)")

    @api.depends("code")
    @api.depends_context("lang")
    def _compute_title(self):
        titles = {
            endpoint.code: endpoint.title
            for endpoint in CATALOGUE.values()
            if not isinstance(endpoint.title, str)
        }
        for record in self:
            endpoint = CATALOGUE.get(record.code)
            if endpoint and isinstance(endpoint.title, str):
                record.title = endpoint.title
            else:
                record.title = render(self.env, titles, record.code)

    def _compute_usage(self):
        groups = self.env["governance.usage"]._read_group(
            [("endpoint", "in", self.mapped("code"))],
            ["endpoint"],
            ["requests:sum", "errors_4xx:sum", "errors_5xx:sum", "last_at:max"],
        )
        usage = {code: values for code, *values in groups}
        for record in self:
            requests, refused, failed, last = usage.get(record.code, (0, 0, 0, False))
            record.request_count = requests
            record.error_count = refused + failed
            record.last_used_at = last

    def _register_hook(self):
        super()._register_hook()
        self._refresh_catalogue()

    @api.model
    def _refresh_catalogue(self):
        """Bring the table to what the code of the installed addons says.

        Writes only what differs: every process loads the registry.
        """
        installed = self.env.registry._init_modules
        wanted = {
            endpoint.code: (
                endpoint.module,
                endpoint.path,
                " ".join(endpoint.methods),
                endpoint.auth,
                endpoint.scope,
                endpoint.max_bytes,
                endpoint.readonly,
            )
            for endpoint in CATALOGUE.values()
            if endpoint.module in installed
        }
        stored = {
            code: tuple(values)
            for code, *values in self.env.execute_query(
                SQL(
                    "SELECT code, module, path, methods, auth, scope, max_bytes,"
                    " is_readonly FROM governance_endpoint"
                )
            )
        }
        gone = [code for code in stored if code not in wanted]
        changed = {
            code: values
            for code, values in wanted.items()
            if stored.get(code) != values
        }
        if not gone and not changed:
            return
        try:
            with self.env.cr.savepoint():
                self._write_catalogue(gone, changed)
        except CONCURRENCY_ERRORS:
            # Another process that was started with the same code writes the same.
            _logger.info("The API catalogue is being refreshed by another process")
        self.invalidate_model()

    @api.model
    def _write_catalogue(self, gone, changed):
        if gone:
            self.env.cr.execute(
                SQL("DELETE FROM governance_endpoint WHERE code IN %s", tuple(gone))
            )
        for code, values in sorted(changed.items()):
            self.env.cr.execute(
                SQL(
                    """
                    INSERT INTO governance_endpoint (
                        code, module, path, methods, auth, scope, max_bytes,
                        is_readonly
                    ) VALUES (%s, %s)
                    ON CONFLICT (code) DO UPDATE SET
                        module = EXCLUDED.module,
                        path = EXCLUDED.path,
                        methods = EXCLUDED.methods,
                        auth = EXCLUDED.auth,
                        scope = EXCLUDED.scope,
                        max_bytes = EXCLUDED.max_bytes,
                        is_readonly = EXCLUDED.is_readonly
                    """,
                    code,
                    SQL(", ").join(SQL("%s", value) for value in values),
                )
            )

    def action_view_usage(self):
        """Open the counts of this endpoint."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "crm_data_governance.governance_usage_action"
        )
        action["domain"] = [("endpoint", "=", self.code)]
        action["context"] = {}
        return action
