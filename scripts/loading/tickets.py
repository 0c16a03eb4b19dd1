"""Tickets with their ratings."""

from .clones import Clones
from .load import CAST


def load_tickets(load):
    if "helpdesk.ticket" not in load.env:
        load.left_out.append("No helpdesk is installed: tickets are left out.")
        return
    rows = list(load.rows("tickets"))
    agents = [
        load.users[row["login"]] for row in load.rows("staff") if row["role"] == "agent"
    ]
    team = load.env["helpdesk.ticket.team"].create(
        {
            "name": "客户服务",
            "company_id": load.company.id,
            "user_ids": [(6, 0, [user.id for user in agents])],
        }
    )
    for user in agents:
        user.group_ids |= load.env.ref("helpdesk_mgmt.group_helpdesk_user_team")
    categories = {
        (row["category"], lang): load.env["helpdesk.ticket.category"].create(
            {
                "name": f"{row['name']} ({lang})",
                "company_id": load.company.id,
            }
        )
        for row in load.rows("categories")
        for lang in ("zh", "en")
    }
    first_contact = load.env["helpdesk.ticket.tag"].create(
        {"name": "First Contact", "company_id": load.company.id}
    )
    made = load.prototypes(
        lambda: _ticket_prototypes(load, team, categories["0", "zh"])
    )
    sequence = load.env["ir.sequence"].search(
        [
            ("code", "=", "helpdesk.ticket.sequence"),
            ("company_id", "in", [load.company.id, False]),
        ],
        order="company_id",
        limit=1,
    )
    numbers = load.names_after(sequence, len(rows))
    people = load.people()
    columns = (
        "number name description partner_id commercial_partner_id partner_name"
        " partner_email category_id user_id create_date write_date assigned_date"
        " last_stage_update"
    )
    clones = {
        "open": Clones(load.cr, "helpdesk_ticket", made["open"], columns),
        "closed": Clones(
            load.cr, "helpdesk_ticket", made["closed"], columns + " closed_date"
        ),
    }
    ratings = Clones(
        load.cr,
        "rating_rating",
        made["rating"],
        "res_id res_name rating rating_text partner_id rated_partner_id"
        " access_token create_date write_date",
    )
    tagged = Clones(
        load.cr,
        "helpdesk_ticket_helpdesk_ticket_tag_rel",
        {},
        "helpdesk_ticket_id helpdesk_ticket_tag_id",
        numbered=False,
    )
    model = load.env["rating.rating"]
    last = clones["open"].last
    for row, ticket_number in zip(rows, numbers):  # noqa: B905
        person = people[row["customer"]]
        user = load.users[row["agent"]]
        state = "closed" if row["closed_at"] else "open"
        category = categories[row["category"], row["language"]]
        title = f"{category.name.partition(' ')[0]} #{row['order']}"
        clones[state].last = last
        last = clones[state].add(
            ticket_number,
            title,
            f"<p>{title}</p>",
            person[0],
            person[0],
            person[1],
            person[3],
            category.id,
            user.id,
            row["opened_at"],
            row["closed_at"] or row["opened_at"],
            row["opened_at"],
            row["closed_at"] or row["opened_at"],
            *([row["closed_at"]] if row["closed_at"] else []),
        )
        load.name("ticket", row["ticket"], "helpdesk.ticket", last)
        if row["satisfaction"]:
            score = int(row["satisfaction"])
            ratings.add(
                last,
                f"{ticket_number} - {title}",
                score,
                _grade(score),
                person[0],
                user.partner_id.id,
                model._default_access_token(),
                row["closed_at"],
                row["closed_at"],
            )
        if row["first_contact"] == "1":
            tagged.add(last, first_contact.id)
    for table in clones.values():
        table.last = last
        table.write()
    ratings.write()
    tagged.write()
    load.counts["tickets"] = len(rows)


def _ticket_prototypes(load, team, category):
    partner = load.env.ref(f"{CAST}.partner_qingcheng_demo")
    ticket = load.env["helpdesk.ticket"].create(
        {
            "name": "T",
            "description": "<p>D</p>",
            "team_id": team.id,
            "category_id": category.id,
            "partner_id": partner.id,
            "partner_name": partner.name,
            "partner_email": partner.email,
            "user_id": load.users["sun"].id,
        }
    )
    found = {"open": _without_routing(load.read(ticket)[0])}
    ticket.stage_id = load.env["helpdesk.ticket.stage"].search(
        [("closed", "=", True)], limit=1
    )
    found["closed"] = _without_routing(load.read(ticket)[0])
    rating = load.env["rating.rating"].create(
        {
            "res_model_id": load.env["ir.model"]._get_id("helpdesk.ticket"),
            "res_id": ticket.id,
            "rating": 5,
            "consumed": True,
            "partner_id": partner.id,
            "rated_partner_id": load.users["sun"].partner_id.id,
        }
    )
    found["rating"] = load.read(rating)[0]
    return found


def _grade(score):
    """Return Odoo's grade of a rating of 1 to 5 (rating.rating's thresholds)."""
    return "top" if score >= 4 else "ok" if score >= 3 else "ko"


def _without_routing(row):
    """These tickets are older than the routing: it has promised nothing for them."""
    return {
        name: None if name.startswith("routing_") else value
        for name, value in row.items()
    }
