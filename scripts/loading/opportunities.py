"""Opportunities, their ways through the stages, and what was said about them."""

from collections import defaultdict
from datetime import datetime

from .clones import Clones
from .load import CAST

STAGES = {"qualified": "crm.stage_lead2", "proposal": "crm.stage_lead3"}
ACTIVITIES = {
    "call": "mail.mail_activity_data_call",
    "meeting": "mail.mail_activity_data_meeting",
}


def load_opportunities(load):
    rows = list(load.rows("opportunities"))
    sources = {name: _source(load, name).id for name in {r["source"] for r in rows}}
    reasons = {
        name: _lost_reason(load, name).id
        for name in {row["lost_reason"] for row in rows} - {""}
    }
    tags = {
        name: _tag(load, tag).id
        for name, tag in (
            ("competitor", "Competitor"),
            ("discount", "Discount Asked"),
        )
    }
    made = load.prototypes(lambda: _lead_prototypes(load))
    moves = defaultdict(list)
    for row in load.rows("stage_moves"):
        moves[row["opportunity"]].append((row["at"], row["stage"]))
    tables = _LeadTables(load.cr, made, load.env)
    people = load.people()
    tagged = Clones(load.cr, "crm_tag_rel", {}, "lead_id tag_id", numbered=False)
    leads = {}
    for row in rows:
        number = row["opportunity"]
        lead_id = tables.add(
            row,
            people[row["customer"]],
            load.users[row["salesperson"]].id if row["answered_at"] else None,
            sources[row["source"]],
            reasons.get(row["lost_reason"]),
            moves[number],
        )
        leads[number] = lead_id, load.users[row["salesperson"]]
        load.name("opportunity", number, "crm.lead", lead_id)
        for name, tag in tags.items():
            if row[name] == "1":
                tagged.add(lead_id, tag)
        for at, before, after in tables.stage_changes(moves[number]):
            tables.tell_stage(lead_id, at, load.users[row["salesperson"]],
                              before, after)  # fmt: skip
    for row in load.rows("touches"):
        lead_id, user = leads[row["opportunity"]]
        tables.tell(row["kind"], lead_id, row["at"], user)
    tables.write()
    tagged.write()
    load.counts["opportunities"] = len(rows)


def _lead_prototypes(load):
    leads = load.env["crm.lead"]
    values = {
        "name": "O",
        "type": "opportunity",
        "partner_id": load.env.ref(f"{CAST}.partner_qingcheng_demo").id,
        "user_id": load.users["chen"].id,
        "expected_revenue": 1000.0,
        "source_id": _source(load, "Website").id,
    }
    found = {}
    lead = leads.create(values)
    found["open"] = load.read(lead)[0]
    lead.action_set_won()
    found["won"] = load.read(lead)[0]
    lead = leads.create(values)
    lead.action_set_lost(lost_reason_id=_lost_reason(load, "Competitor").id)
    found["lost"] = load.read(lead)[0]
    lead = leads.create({**values, "user_id": False})
    found["unassigned"] = load.read(lead)[0]
    spoken = load.env.context | {"tracking_disable": False, "mail_notrack": False}
    lead = leads.with_context(spoken).create(values)
    load.env.flush_all()
    load.cr.precommit.run()
    before = lead.message_ids
    lead.stage_id = load.env.ref(STAGES["qualified"])
    load.env.flush_all()
    load.cr.precommit.run()
    move = (lead.message_ids - before).filtered("tracking_value_ids")
    found["message"] = load.read(move)[0]
    tracking = move.tracking_value_ids.filtered(
        lambda value: value.field_id.name == "stage_id"
    )
    found["tracking"] = load.read(tracking)[0]
    for kind, xml_id in ACTIVITIES.items():
        before = lead.message_ids
        lead.activity_schedule(xml_id, user_id=load.users["chen"].id)
        lead.activity_ids.action_feedback()
        found[kind] = load.read(lead.message_ids - before)[0]
    return found


def _source(load, name):
    source = load.env["utm.source"].search([("name", "=", name)], limit=1)
    return source or load.env["utm.source"].create({"name": name})


def _lost_reason(load, name):
    model = load.env["crm.lost.reason"].with_context(lang="en_US")
    return model.search([("name", "=", name)], limit=1) or model.create({"name": name})


def _tag(load, name):
    model = load.env["crm.tag"].with_context(lang="en_US")
    return model.search([("name", "=", name)], limit=1) or model.create({"name": name})


class _LeadTables:
    """The tables of opportunities and of what was said about them."""

    PERSON = (
        "partner_id partner_name contact_name email_from email_normalized"
        " email_domain_criterion phone phone_sanitized street city zip state_id"
        " country_id lang_id"
    )

    def __init__(self, cr, made, env):
        self.stages = {
            "new": env.ref("crm.stage_lead1"),
            "won": env.ref("crm.stage_lead4"),
            **{name: env.ref(xml_id) for name, xml_id in STAGES.items()},
        }
        columns = (
            f"name {self.PERSON} user_id source_id stage_id expected_revenue"
            " create_date write_date date_open date_last_stage_update day_open"
            " prorated_revenue lost_reason_id date_closed day_close"
        )
        self.leads = {
            state: Clones(cr, "crm_lead", made[state], columns)
            for state in ("open", "won", "lost", "unassigned")
        }
        said = "res_id author_id email_from reply_to message_id date create_date"
        said += " write_date"
        self.messages = {
            # the thread's first message is not of the prototype
            kind: Clones(cr, "mail_message", {**made[kind], "parent_id": None}, said)
            for kind in ("message", "call", "meeting")
        }
        self.tracking = Clones(
            cr,
            "mail_tracking_value",
            made["tracking"],
            "mail_message_id old_value_integer old_value_char new_value_integer"
            " new_value_char create_date write_date",
        )
        self.made = made
        self.last = self.leads["open"].last
        self.last_message = self.messages["message"].last

    def add(self, row, person, user, source, reason, moves):
        """Add an opportunity; return its id."""
        from odoo.tools import email_domain_extract, email_domain_normalize

        stage = self.stages[moves[-1][1] if moves else "new"]
        state = row["state"]
        if state == "open" and not user:
            state = "unassigned"
        revenue = float(row["revenue"])
        probability = self.made[state]["probability"]
        closed = row["closed_at"] or None
        moved = moves[-1][0] if moves else row["created_at"]
        partner, name, is_firm, email, normalized, *rest = person
        domain = email_domain_normalize(email_domain_extract(email or "") or "")
        clones = self.leads[state]
        clones.last = self.last
        self.last = clones.add(
            f"{name} {row['source']} {row['opportunity']}",
            partner, name if is_firm else None, None if is_firm else name, email,
            normalized, f"@{domain}" if domain else None, *rest,
            user, source, stage.id, revenue, row["created_at"], moved,
            (row["answered_at"] or None) if user else None, moved,
            _days(row["created_at"], row["answered_at"]) if user else None,
            round(revenue * float(probability) / 100, 2), reason, closed,
            _days(row["created_at"], closed),
        )  # fmt: skip
        return self.last

    def stage_changes(self, moves):
        """Yield (time, stage before, stage after)."""
        before = self.stages["new"]
        for at, name in moves:
            after = self.stages[name]
            yield at, before, after
            before = after

    def tell(self, kind, lead_id, at, user):
        """Add a message about an opportunity; return its id."""
        author = user.partner_id
        clones = self.messages[kind]
        clones.last = self.last_message
        sender = f'"{author.name}" <{author.email}>'
        self.last_message = clones.add(
            lead_id, author.id, sender, sender,
            f"<company-{clones.last + 1}@shanghai.example>", at, at, at,
        )  # fmt: skip
        return self.last_message

    def tell_stage(self, lead_id, at, user, before, after):
        """Add the message and the tracking value of a stage change."""
        message = self.tell("message", lead_id, at, user)
        self.tracking.add(message, before.id, before.name, after.id, after.name, at, at)

    def write(self):
        """COPY all."""
        for clones in self.leads.values():
            clones.last = self.last
            clones.write()
        for clones in self.messages.values():
            clones.last = self.last_message
            clones.write()
        self.tracking.write()


def _days(begin, end):
    """Return whole days between two times as Odoo counts them, None without end."""
    if not end:
        return None
    return abs((datetime.fromisoformat(end) - datetime.fromisoformat(begin)).days)
