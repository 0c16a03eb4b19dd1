import json
from datetime import datetime, timedelta
from itertools import islice

from odoo import api, fields, models
from odoo.tools import SQL

from ..tools import refresh as tool
from ..tools.prediction import load_definitions, table_names

TIMEOUT = 3600
ROWS = 2000
# A transaction that was open at a refresh may write with an earlier time than its own.
OVERLAP = timedelta(hours=6)
# Once a week all are computed anew, whatever may have escaped the rule.
FULL_REFRESH_WEEKDAY = 6


class BehaviorFeatureValue(models.Model):
    """What is known of a customer: the features of the last refresh.

    A row is as of the midnight at which it was computed; ``tools/refresh.py`` says why
    it stays right later on, and :meth:`_read_figures` brings it to the last refresh.
    """

    _name = "behavior.feature.value"
    _description = "Features of a Customer"
    _log_access = False
    _rec_name = "partner_id"

    company_id = fields.Many2one(
        "res.company", required=True, readonly=True, index=True, ondelete="cascade"
    )
    partner_id = fields.Many2one(
        "res.partner",
        "Customer",
        required=True,
        readonly=True,
        index=True,
        ondelete="cascade",
    )
    as_of = fields.Datetime(required=True, readonly=True)
    figures = fields.Json(readonly=True)
    identity_key = fields.Char(
        readonly=True,
        help="The identities whose events are counted, in short: when others are the"
        " customer's, the features are computed anew.",
    )

    _partner_uniq = models.Constraint(
        "UNIQUE(company_id, partner_id)", "A company keeps one row a customer."
    )

    @api.model
    def _providers(self):
        """:return: the providers of features of customers, in a fixed order"""
        providers = self.env["behavior.feature.provider"]._feature_providers()
        return [one for one in providers.values() if one.res_model == "res.partner"]

    @api.model
    def _definitions(self):
        return load_definitions([provider.module for provider in self._providers()])

    @api.model
    def _read_figures(self, partners, company):
        """Features of customers as of the company's last refresh.

        :param partners: ``res.partner``, companies or persons without one
        :return: dict of partner id → {code: value}; what is unknown is left out
        """
        as_of = company.sudo().behavior_features_as_of
        rows = self.search(
            [("partner_id", "in", partners.ids), ("company_id", "=", company.id)]
        )
        definitions = self._definitions() if rows else []
        return {
            row.partner_id.id: tool.advance(
                row.figures, definitions, (as_of - row.as_of).days
            )
            for row in rows
        }

    # --- REFRESH ---

    @api.model
    def _cron_refresh(self):
        """Bring the features of all companies to the last midnight."""
        # No notion of whose: each company has facts of its own.
        for company in self.env["res.company"].search_fetch([], ["name"]):
            self._start_refresh(company)

    @api.model
    def _start_refresh(self, company, full=None, now=None):
        """Gather facts and start the job that computes features.

        :param company: ``res.company``, one record
        :param full: all customers; default: if nothing else will do
        :param datetime now: naive UTC
        :return: ``omni.job``; empty when one is under way, or nothing has changed
        """
        now = now or fields.Datetime.now()
        as_of = datetime.combine(now.date(), datetime.min.time())
        if company.behavior_features_job_id.state in ("waiting", "running"):
            return self.env["omni.job"]
        if full is None:
            full = as_of.weekday() == FULL_REFRESH_WEEKDAY
        units = None if full else self._stale_units(company, as_of)
        if units is not None:
            profiles = self.search(
                [("company_id", "=", company.id)]
                + [("partner_id", "in", list(self._unwilling(company)))]
            )
            units = sorted({*units, *profiles.partner_id.ids})
        if units is not None and not units:
            company._set_behavior_refresh(as_of, now)
            return self.env["omni.job"]
        provider = self.env["behavior.feature.provider"]
        tables = provider._export_tables(self._providers(), company, as_of, units)
        spec = {
            "providers": [one.module for one in self._providers()],
            "tables": table_names(tables),
            "as_of": as_of.isoformat(),
            "gathered_at": now.isoformat(),
            "company_id": company.id,
        }
        job = (
            self.env["omni.job"]
            .with_company(company)
            ._start(
                "crm_behavior_analytics_tools.refresh:refresh",
                {"spec": spec},
                {
                    **tables,
                    tool.UNITS_FILE: json.dumps(units).encode(),
                    "identities.json": json.dumps(self._identity_keys(units)).encode(),
                },
                TIMEOUT,
                collect=(self._name, "_collect_refresh"),
                name=self.env._("Features: %(company)s", company=company.name),
            )
        )
        company.behavior_features_job_id = job
        return job

    @api.model
    def _unwilling(self, company):
        """Customers who want no profile: they have none. Set of ids."""
        consents = self.env["omni.consent"].with_company(company)
        return set(consents._refusing_customers("profiling").ids)

    @api.model
    def _stale_units(self, company, as_of):
        """Customers whose features may be others at a moment.

        :param datetime as_of: naive UTC
        :return: sorted ids; None when nobody can tell, so that all are
        """
        last, since = company.behavior_features_as_of, company.behavior_features_read_at
        if not last or not since or last > as_of:
            return None
        provider = self.env["behavior.feature.provider"]
        queries = [self._query_other_identities(company)]
        for one in self._providers():
            for table in one.tables.values():
                if not table.changed:
                    return None
                queries.append(
                    getattr(provider, table.changed)(company, since - OVERLAP)
                )
                if last < as_of:
                    facts = provider._facts(table, company, as_of)
                    queries.append(self._query_moved(table, facts, last, as_of))
        self.env.flush_all()
        rows = self.env.execute_query(
            SQL(
                "SELECT DISTINCT stale.unit_id FROM (%s) AS stale(unit_id)"
                " WHERE stale.unit_id IS NOT NULL ORDER BY 1",
                SQL(" UNION ALL ").join(SQL("(%s)", query) for query in queries),
            )
        )
        return [unit for (unit,) in rows]

    @api.model
    def _query_moved(self, table, facts, last, as_of):
        """Units of facts of which a window has begun or ended between two refreshes."""
        moments = [
            SQL.identifier(name)
            for name, kind in table.columns.items()
            if kind.startswith("timestamp")
        ]
        conditions = [
            SQL(
                "%s >= %s AND %s < %s",
                moment,
                last - timedelta(days=days),
                moment,
                as_of - timedelta(days=days),
            )
            for moment in moments
            for days in tool.edges()
        ]
        return SQL(
            "SELECT unit_id FROM (%s) AS fact WHERE %s",
            facts,
            SQL(" OR ").join(conditions),
        )

    @api.model
    def _query_keys(self):
        # With the same identifier in other scopes, whosever it is there: a narrower one
        # that comes or goes takes events away from a wider one, or gives them back.
        return SQL(
            """
            SELECT customer.commercial_partner_id AS unit_id,
                   md5(string_agg(same.id::text, ',' ORDER BY same.id)) AS key
            FROM omni_identity AS identity
            JOIN res_partner AS customer ON customer.id = identity.partner_id
            JOIN omni_identity AS same ON same.kind = identity.kind
             AND same.value = identity.value AND same.quarantined IS NOT TRUE
            WHERE identity.kind IN ('anonymous_id', 'user_id')
              AND identity.quarantined IS NOT TRUE
            GROUP BY customer.commercial_partner_id
            """
        )

    @api.model
    def _query_other_identities(self, company):
        """Units that have other identities than at their last refresh."""
        return SQL(
            """
            SELECT coalesce(mine.unit_id, known.partner_id)
            FROM (%s) AS mine
            FULL JOIN (
                SELECT partner_id, identity_key FROM behavior_feature_value
                WHERE company_id = %s
            ) AS known ON known.partner_id = mine.unit_id
            WHERE mine.key IS DISTINCT FROM known.identity_key
            """,
            self._query_keys(),
            company.id,
        )

    @api.model
    def _identity_keys(self, units):
        self.env["omni.identity"].flush_model()
        query = SQL("SELECT unit_id, key FROM (%s) AS mine", self._query_keys())
        if units is not None:
            query = SQL("%s WHERE unit_id = ANY(%s)", query, units)
        return dict(self.env.execute_query(query))

    @api.model
    def _collect_refresh(self, job, folder):
        """Take in features, in one write for each couple of thousand customers."""
        spec = job.arguments["spec"]
        company = self.env["res.company"].browse(spec["company_id"]).exists()
        if not company:
            return
        as_of = datetime.fromisoformat(spec["as_of"])
        keys = json.loads((folder / "identities.json").read_text(encoding="utf-8"))
        units = json.loads((folder / tool.UNITS_FILE).read_text(encoding="utf-8"))
        unwilling = self._unwilling(company)
        rows, found = tool.read_figures(folder), []
        while part := list(islice(rows, ROWS)):
            part = [row for row in part if row[0] not in unwilling]
            self._store(company, as_of, part, keys)
            found += [unit for unit, _figures in part]
        # Whoever was looked at and has no facts any more has no row either.
        self.env.cr.execute(
            SQL(
                "DELETE FROM behavior_feature_value WHERE company_id = %s"
                " AND NOT partner_id = ANY(%s) AND %s",
                company.id,
                found,
                SQL("TRUE")
                if units is None
                else SQL("partner_id = ANY(%s)", [*units, *unwilling]),
            )
        )
        self.invalidate_model()
        company._set_behavior_refresh(
            as_of, datetime.fromisoformat(spec["gathered_at"])
        )

    @api.model
    def _store(self, company, as_of, rows, keys):
        units = [unit for unit, _figures in rows]
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO behavior_feature_value
                    (company_id, partner_id, as_of, figures, identity_key)
                SELECT %(company)s, fresh.unit_id, %(as_of)s, fresh.figures, fresh.key
                FROM unnest(%(units)s::integer[], %(figures)s::jsonb[],
                            %(keys)s::varchar[]) AS fresh (unit_id, figures, key)
                -- a customer who was deleted meanwhile has no features
                JOIN res_partner AS customer ON customer.id = fresh.unit_id
                ON CONFLICT (company_id, partner_id) DO UPDATE SET
                    as_of = excluded.as_of, figures = excluded.figures,
                    identity_key = excluded.identity_key
                """,
                company=company.id,
                as_of=as_of,
                units=units,
                figures=[figures for _unit, figures in rows],
                keys=[keys.get(str(unit)) for unit in units],
            )
        )
