"""The counts of waiting times keep the ID of their team instead of going with it.

Who answered a ticket is kept as a user, not as a name.
"""

from odoo.tools.sql import column_exists


def migrate(cr, version):
    # each unless the database is older than it
    if column_exists(cr, "routing_wait_bucket", "team_id"):
        _keep_teams(cr)
    if column_exists(cr, "routing_sla_target", "outcome_params"):
        _name_users(cr)


def _keep_teams(cr):
    cr.execute(
        """
        ALTER TABLE routing_wait_bucket
            DROP CONSTRAINT IF EXISTS routing_wait_bucket_team_id_fkey;
        ALTER TABLE routing_wait_bucket RENAME COLUMN team_id TO team_ref;
        UPDATE routing_wait_bucket SET team_ref = 0 WHERE team_ref IS NULL
        """
    )


def _name_users(cr):
    cr.execute(
        """
        UPDATE routing_sla_target AS target
        SET outcome_params = jsonb_build_object('user', coalesce((
            SELECT users.id FROM res_users AS users
            JOIN res_partner AS person ON person.id = users.partner_id
            WHERE person.name = target.outcome_params ->> 'user'
            ORDER BY users.id LIMIT 1
        ), 0))
        WHERE jsonb_typeof(outcome_params -> 'user') = 'string'
        """
    )
