"""Customers: what the channels sent, and everybody else."""

import json
from collections import defaultdict
from datetime import datetime, timedelta

from .clones import Clones
from .load import CAST

CHANNELS = {"web-shop": ("http", "网上商城"), "trade-fair": ("file", "展会名单")}


def land_documents(load):
    """Land what the channels sent; note which customer a document became."""
    channels = {}
    for code, (kind, name) in CHANNELS.items():
        channels[code] = load.env["omni.channel"].create(
            {
                "name": name,
                "code": f"shanghai-{code}",
                "type": kind,
                "company_id": load.company.id,
                "country_id": load.env.ref("base.cn").id,
                "mapping_id": load.env.ref(f"{CAST}.omni_mapping_people").id,
            }
        )
    from odoo.addons.crm_omnichannel.tools.landing import read_documents

    received_at = datetime.combine(_as_of(load), datetime.min.time())
    payloads = defaultdict(list)
    for row in load.rows("documents"):
        payloads[row["channel"]].append(json.loads(row["payload"]))
    for code, documents in payloads.items():
        channel = channels[code]
        items = read_documents(enumerate(documents), channel._envelope())
        channel._land(items, min(received_at, datetime.utcnow()))
        load.counts["documents"] += len(documents)
    records = load.env["omni.record"].search(
        [("channel_id", "in", [channel.id for channel in channels.values()])]
    )
    records._process_batch(records.ids)
    records.invalidate_recordset()
    load.landed = {
        record.partner_id.phone_sanitized: record.partner_id
        for record in records.sorted("id", reverse=True)
        if record.partner_id.phone_sanitized
    }


def _as_of(load):
    """The day after the newest order."""
    newest = max(row["ordered_at"] for row in load.rows("orders"))
    return datetime.fromisoformat(newest).date() + timedelta(days=1)


def load_customers(load):
    from odoo.addons.crm_omnichannel.tools.match_records import prepare

    def make():
        partner = load.env["res.partner"].create(
            {
                "name": "A",
                "email": "a@shop.example",
                "phone": "+8613811112222",
                "street": "B",
                "city": "C",
                "zip": "D",
                "lang": "zh_CN",
                "tz": "Asia/Shanghai",
                "ref": "R",
                "company_id": load.company.id,
                "country_id": load.env.ref("base.cn").id,
                "state_id": load.env.ref("base.state_cn_SH").id,
                "user_id": load.users["chen"].id,
                "customer_rank": 1,
            }
        )
        return load.read(partner)[0]

    clones = Clones(
        load.cr,
        "res_partner",
        load.prototypes(make),
        "commercial_partner_id name complete_name commercial_company_name"
        " is_company email email_normalized phone phone_sanitized street city zip"
        " lang ref state_id user_id create_date write_date calendar_last_notif_ack"
        " omni_match_words",
    )
    states = {
        state.name: state.id
        for state in load.env["res.country.state"].search(
            [("country_id.code", "=", "CN")]
        )
    }
    load.partners, landed = {}, defaultdict(list)
    for row in load.rows("customers"):
        number, reference = row["customer"], f"C{int(row['customer']):06d}"
        partner = load.landed.get(row["phone"])
        if partner:
            landed[row["salesperson"], row["lang"]].append((reference, partner))
            load.partners[number] = partner.id
            continue
        own = clones.last + 1
        is_firm = row["is_company"] == "1"
        joined = f"{row['joined_on']} 00:00:00"
        clones.add(
            own,
            row["name"],
            row["name"],
            row["name"] if is_firm else None,
            is_firm,
            row["email"],
            row["email"],
            row["phone"],
            row["phone"],
            row["street"],
            row["city"],
            row["zip"],
            row["lang"],
            reference,
            states[row["province"]],
            load.users[row["salesperson"]].id,
            joined,
            joined,
            joined,
            prepare({"name": row["name"]}, is_firm)["words"],
        )
        load.partners[number] = own
    clones.write()
    load.counts["customers"] = len(load.partners)
    for (login, lang), found in landed.items():
        partners = load.env["res.partner"].union(*(one for _ref, one in found))
        partners.write(
            {"user_id": load.users[login].id, "lang": lang, "customer_rank": 1}
        )
        for reference, partner in found:
            partner.ref = reference
    for number, partner_id in load.partners.items():
        load.name("customer", number, "res.partner", partner_id)
    load.partner_names = {
        row["customer"]: row["name"] for row in load.rows("customers")
    }
