"""Campaigns and what became of each mail."""

from .clones import Clones
from .load import CAST


def load_campaigns(load):
    if "mailing.mailing" not in load.env:
        load.left_out.append("No mailings are installed: campaigns are left out.")
        return
    mailings = {}
    for row in load.rows("campaigns"):
        campaign = load.env["utm.campaign"].create(
            {"title": row["name"], "company_id": load.company.id}
        )
        mailing = load.env["mailing.mailing"].create(
            {
                "subject": row["name"],
                "campaign_id": campaign.id,
                "mailing_model_id": load.env["ir.model"]._get_id("res.partner"),
                "mailing_domain": f"[('company_id', '=', {load.company.id})]",
                "body_html": f"<p>{row['name']}</p>",
                "user_id": load.env.ref(f"{CAST}.user_mia_demo").id,
            }
        )
        mailing.write({"state": "done", "sent_date": row["sent_at"]})
        mailings[row["campaign"]] = mailing
        load.name("campaign", row["campaign"], "mailing.mailing", mailing.id)

    def make():
        found = {}
        trace = load.env["mailing.trace"].create(
            {
                "model": "res.partner",
                "res_id": load.partners["0"],
                "mass_mailing_id": next(iter(mailings.values())).id,
                "email": "a@shop.example",
            }
        )
        trace.set_sent()
        found["0"] = load.read(trace)[0]
        trace.set_opened()
        trace.set_clicked()
        found["1"] = load.read(trace)[0]
        return found

    made = load.prototypes(make)
    columns = (
        "mass_mailing_id campaign_id res_id email sent_datetime create_date write_date"
    )
    clones = {
        "0": Clones(load.cr, "mailing_trace", made["0"], columns),
        "1": Clones(
            load.cr,
            "mailing_trace",
            made["1"],
            columns + " open_datetime links_click_datetime",
        ),
    }
    people = load.people()
    last = clones["0"].last
    for row in load.rows("mailings"):
        mailing, person = mailings[row["campaign"]], people[row["customer"]]
        sent, table = row["sent_at"], clones[row["clicked"]]
        table.last = last
        seen = [sent, sent] if row["clicked"] == "1" else []
        last = table.add(
            mailing.id,
            mailing.campaign_id.id,
            person[0],
            person[4],
            sent,
            sent,
            sent,
            *seen,
        )
        load.counts["mailing traces"] += 1
    for table in clones.values():
        table.last = last
        table.write()
