from collections import defaultdict

from odoo import api, fields, models
from odoo.tools import SQL


class RoutingAgent(models.Model):
    """How much an agent takes; one row a user, whatever teams the user is in.

    It is also the lock of routing: who gives tickets to an agent holds the row, and
    writes it, so that a transaction with an older view of the agent's tickets fails
    and is repeated instead of giving too many.
    """

    _name = "routing.agent"
    _description = "Agent for Tickets"
    _rec_name = "user_id"
    _order = "user_id, id"

    user_id = fields.Many2one(
        "res.users", string="Agent", required=True, readonly=True, ondelete="cascade"
    )
    capacity = fields.Integer(
        string="Places",
        required=True,
        default=8,
        help="Open tickets up to which routing gives the agent more. 0: none.",
    )
    routed_at = fields.Datetime(string="Last Ticket Given on", readonly=True)
    team_ids = fields.Many2many(related="user_id.helpdesk_team_ids")
    employee_id = fields.Many2one("hr.employee.public", compute="_compute_employee_id")
    open_ticket_count = fields.Integer(
        string="Open Tickets", compute="_compute_open_ticket_count"
    )

    _user_uniq = models.Constraint(
        "UNIQUE(user_id)", "This agent is on the list already."
    )
    _check_capacity = models.Constraint(
        "CHECK (capacity >= 0)", "An agent cannot have less than no place."
    )

    @api.depends("user_id")
    @api.depends_context("company", "allowed_company_ids")
    def _compute_employee_id(self):
        employees = self.env["hr.employee.public"].search(
            [("user_id", "in", self.user_id.ids)]
        )
        by_user = employees.grouped("user_id")
        for agent in self:
            agent.employee_id = by_user.get(agent.user_id, employees.browse())[:1]

    @api.depends("user_id")
    def _compute_open_ticket_count(self):
        loads = self._loads(self.user_id.ids)
        for agent in self:
            agent.open_ticket_count = loads[agent.user_id.id]

    @api.model
    def _loads(self, user_ids, without=()):
        """Open tickets by agent: ``defaultdict {user id: number}``

        :param without: ids of tickets that do not count
        """
        # sudo: how much somebody has to do is told, not the tickets themselves.
        return defaultdict(
            int,
            {
                user.id: count
                for user, count in self.env["helpdesk.ticket"]
                .sudo()
                ._read_group(
                    [
                        ("user_id", "in", list(user_ids)),
                        ("stage_id.closed", "=", False),
                        ("id", "not in", list(without)),
                    ],
                    ["user_id"],
                    ["__count"],
                )
            },
        )

    @api.model
    def _ensure(self, users):
        """Put these users on the list; who is on it stays as is.

        :param users: ``res.users``
        """
        if not users:
            return
        # Another transaction may do the same just now, so no search comes before.
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO routing_agent
                       (user_id, capacity, create_uid, create_date,
                        write_uid, write_date)
                SELECT u, %(capacity)s, %(uid)s, %(now)s, %(uid)s, %(now)s
                  FROM unnest(%(users)s) AS u
                 WHERE NOT EXISTS (SELECT FROM routing_agent WHERE user_id = u)
                ON CONFLICT DO NOTHING
                """,
                capacity=self._fields["capacity"].default(self),
                uid=self.env.uid,
                now=fields.Datetime.now(),
                users=users.ids,
            ),
            log_exceptions=False,
        )

    @api.model
    def _lock(self, users, wait=True):
        """Hold the places of these users until the transaction ends.

        :param users: ``res.users``
        :param bool wait: wait for whoever holds one, or fail at once
        :return: ``{user id: capacity}``
        :raise psycopg2.errors: of ``crm_data_governance.db.CONCURRENCY_ERRORS``, when
            somebody else has given one of them a ticket: repeat the transaction
        """
        self._ensure(users)
        self.flush_model(["capacity"])
        self.env.cr.execute(
            SQL(
                """
                SELECT user_id, capacity FROM routing_agent
                 WHERE user_id = ANY(%s) ORDER BY id FOR UPDATE %s
                """,
                users.ids,
                SQL() if wait else SQL("NOWAIT"),
            ),
            log_exceptions=False,
        )
        return dict(self.env.cr.fetchall())

    @api.model
    def _note_given(self, user_ids, now):
        """Write the rows of those who got a ticket: older views of them are void.

        :param user_ids: ids of locked rows' users
        """
        # By SQL: a new version of the row also when it was written this very second.
        self.env.cr.execute(
            SQL(
                "UPDATE routing_agent SET routed_at = %s WHERE user_id = ANY(%s)",
                now,
                list(user_ids),
            )
        )
        self.invalidate_model(["routed_at"])
