"""One running process of a kind on a record, whatever its version.

Where two versions were started at once, the later one ends where it stands.
"""


def migrate(cr, version):
    cr.execute(
        """
        CREATE TEMPORARY TABLE bpmn_twin ON COMMIT DROP AS
        SELECT id
          FROM (
            SELECT id, row_number() OVER (
                       PARTITION BY process_key, company_id, res_model, res_id
                       ORDER BY id
                   ) AS number
              FROM bpmn_instance
             WHERE state IN ('running', 'waiting', 'incident')
          ) AS running
         WHERE number > 1
        """
    )
    cr.execute(
        """
        DELETE FROM mail_activity WHERE id IN (
            SELECT activity_id FROM bpmn_instance_step
             WHERE state = 'waiting' AND instance_id IN (SELECT id FROM bpmn_twin)
        )
        """
    )
    cr.execute(
        """
        UPDATE bpmn_instance_step
           SET state = 'cancelled', ended_at = now() AT TIME ZONE 'UTC'
         WHERE state = 'waiting' AND instance_id IN (SELECT id FROM bpmn_twin)
        """
    )
    cr.execute(
        """
        UPDATE bpmn_incident
           SET state = 'resolved', resolved_at = now() AT TIME ZONE 'UTC'
         WHERE state = 'open' AND instance_id IN (SELECT id FROM bpmn_twin)
        """
    )
    cr.execute(
        """
        UPDATE bpmn_instance
           SET state = 'cancelled', ended_at = now() AT TIME ZONE 'UTC'
         WHERE id IN (SELECT id FROM bpmn_twin)
        """
    )
    cr.execute("DROP TABLE bpmn_twin")
