from collections import Counter

from odoo import api, fields, models
from odoo.tools import SQL

#: Upper bounds of the waiting time from arrival to an agent, in seconds.
WAIT_BUCKETS = (5, 60, 300, 900, 3_600, 14_400, 86_400)


class RoutingWaitBucket(models.Model):
    """The histogram of the waiting times, written with the decisions that it counts.

    It never falls: what was counted stays when a ticket goes, or the team. Transactions
    that route for one team wait for one another at its agents already, so these rows,
    written while those are held, are contended by nobody else.
    """

    _name = "routing.wait.bucket"
    _description = "Waiting Times of Tickets, Counted"
    _log_access = False
    _rec_name = "bound"

    # No reference: the counts of a team that is gone neither go nor become another's.
    team_ref = fields.Integer(string="Team", required=True, readonly=True)
    bound = fields.Integer(
        string="At Most (s)", readonly=True, help="0: whatever the time."
    )
    tickets = fields.Integer(readonly=True)
    seconds = fields.Integer(string="Sum (s)", readonly=True)

    _bucket_uniq = models.UniqueIndex("(team_ref, bound)")

    @api.model
    def _count(self, decisions):
        """Count decisions that have given their tickets to an agent.

        :param decisions: ``routing.decision``; a ticket that had an agent by routing
            before is not counted again
        """
        former = decisions.search(
            [
                ("ticket_id", "in", decisions.ticket_id.ids),
                ("outcome", "=", "assigned"),
                ("id", "not in", decisions.ids),
            ]
        ).ticket_id
        self._count_first(decisions.filtered(lambda d: d.ticket_id not in former))

    @api.model
    def _count_first(self, decisions):
        """Count the first decisions for an agent of their tickets."""
        tickets, seconds = Counter(), Counter()
        for decision in decisions:
            waited = decision.wait_seconds
            for bound in (0, *WAIT_BUCKETS):
                key = (decision.team_id.id or 0, bound)
                tickets[key] += not bound or waited <= bound
                seconds[key] += waited if waited <= bound or not bound else 0
        for key in sorted(tickets):
            self.env.cr.execute(
                SQL(
                    """
                    INSERT INTO routing_wait_bucket AS b
                           (team_ref, bound, tickets, seconds)
                    VALUES (%s, %s, %s, %s)
                    ON CONFLICT (team_ref, bound) DO UPDATE
                       SET tickets = b.tickets + EXCLUDED.tickets,
                           seconds = b.seconds + EXCLUDED.seconds
                    """,
                    *key,
                    tickets[key],
                    seconds[key],
                ),
                log_exceptions=False,
            )
        self.invalidate_model()

    @api.model
    def _histograms(self):
        """:return: ``{team id or 0: ([(bound, tickets), …], tickets, seconds)}``"""
        found = {}
        for team_id, bound, tickets, seconds in self._read_group(
            [], ["team_ref", "bound"], ["tickets:sum", "seconds:sum"], order="bound"
        ):
            buckets = found.setdefault(team_id, [[], 0, 0])
            if bound:
                buckets[0].append((bound, tickets))
            else:
                buckets[1:] = tickets, seconds
        return found
