"""The counts of waiting times keep the ID of their team instead of going with it."""

from odoo.tools.sql import column_exists


def migrate(cr, version):
    # older than the counts
    if not column_exists(cr, "routing_wait_bucket", "team_id"):
        return
    cr.execute(
        """
        ALTER TABLE routing_wait_bucket
            DROP CONSTRAINT IF EXISTS routing_wait_bucket_team_id_fkey;
        ALTER TABLE routing_wait_bucket RENAME COLUMN team_id TO team_ref;
        UPDATE routing_wait_bucket SET team_ref = 0 WHERE team_ref IS NULL
        """
    )
