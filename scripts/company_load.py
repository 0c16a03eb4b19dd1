"""Bring the known-truth company (``company.py``) into an Odoo database.

:func:`load_into` is called from outside and runs :func:`load` inside Odoo's shell.

Every kind of record is made once through the ORM, inside a savepoint; the rows that the
ORM wrote are read, the savepoint is rolled back, and the thousands are cloned from them
by COPY with new ids, names, dates and amounts. So whatever a column holds, it is what
the ORM would have written. Stock is moved by Odoo's own primitives, documents of the
channels go through crm_omnichannel's landing, visits through
``behavior.event._track``. The truth is not read here.
"""

import csv
import json
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from io import StringIO
from pathlib import Path

CAST = "crm_omnichannel"
#: external ids of what is loaded: __company__.order_17 and the like
MODULE = "__company__"
SHELL = """
import logging, sys
sys.path.insert(0, {root!r})
from scripts import company_load

class Loud(logging.Handler):
    def emit(self, record):
        print(record.levelname, record.name, record.getMessage())

logging.getLogger().addHandler(Loud(logging.WARNING))
loader = company_load.load(env, {folder!r})
env.cr.commit()
company_load.after_commit(env)
print(loader.report())
"""
STAGES = {"qualified": "crm.stage_lead2", "proposal": "crm.stage_lead3"}
ACTIVITIES = {
    "call": "mail.mail_activity_data_call",
    "meeting": "mail.mail_activity_data_meeting",
}
CHANNELS = {"web-shop": ("http", "网上商城"), "trade-fair": ("file", "展会名单")}
#: how many messages of visits are landed at once
TRACKED_BATCH = 10_000
_ESCAPES = str.maketrans(
    {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\b": "\\b", "\f": "\\f"}
)


def prepare(size, seed, as_of):
    """Return the folder with a company's tables and truth, generated if need be."""
    from .console import run
    from .layout import LOGS, ROOT, RUN, VENV

    folder = RUN / f"company/{size}-{seed}-{as_of}"
    if not (folder / "truth/optimum.json").exists():
        run(
            [
                *(VENV / "bin/python", "-m", "scripts.company", "--no-optimum"),
                *("--size", size, "--seed", seed, "--as-of", as_of, "--out", folder),
            ],
            log=LOGS / "company.log",
            hint="The demonstration company could not be generated",
            cwd=ROOT,
        )
    return folder


def load_into(database, folder):
    """Load the tables in ``folder`` into ``database``; raise Failure if it fails.

    :return: what was loaded, and each warning that Odoo logged, a line each
    """
    from . import odoo_command
    from .layout import ROOT

    code = SHELL.format(root=str(ROOT), folder=str(folder))
    return odoo_command.shell(
        database, code, "The demonstration company could not be loaded"
    )


def load(env, folder):
    """Load the tables in ``folder`` inside Odoo; the caller commits."""
    loader = Loader(env, folder)
    loader.run()
    return loader


def after_commit(env):
    """What Odoo does in batches with commits of its own, and what queries need."""
    env["crm.lead"]._cron_update_automated_probabilities()
    env.cr.execute("ANALYZE")
    env.cr.commit()


# --- CLONING ---


def _text(value):
    """Return a value as COPY reads it."""
    if value is None or value is False and value is not True:
        return "\\N" if value is None else "f"
    if value is True:
        return "t"
    if isinstance(value, str):
        return value.translate(_ESCAPES)
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False).translate(_ESCAPES)
    return str(value)


class Clones:
    """Rows like a prototype, brought in by COPY.

    :param str table: the table
    :param dict prototype: a row as the ORM wrote it
    :param str columns: names of what differs from row to row, ``id`` left out
    :param bool numbered: the table has an id
    """

    def __init__(self, cr, table, prototype, columns, numbered=True):
        self.cr, self.table = cr, table
        changing = (["id"] if numbered else []) + columns.split()
        fixed = {
            name: value
            for name, value in prototype.items()
            if value is not None and name not in changing
        }
        self.columns = [*changing, *fixed]
        self.fixed = [_text(value) for value in fixed.values()]
        self.buffer, self.numbered = StringIO(), numbered
        self.last = self.first = self._last_id() if numbered else 0

    def _last_id(self):
        self.cr.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id'))", [self.table]
        )
        return self.cr.fetchone()[0]

    def add(self, *values):
        """Add a row with the changing values in their order; return its id."""
        cells = [_text(value) for value in values]
        if self.numbered:
            self.last += 1
            cells.insert(0, str(self.last))
        self.buffer.write("\t".join(cells + self.fixed) + "\n")
        return self.last

    def follow(self, other):
        """Take ids after another's of the same table, which is not written yet."""
        self.last = other.last
        return self

    def write(self):
        """COPY the rows and move the sequence past their ids."""
        columns = ", ".join(f'"{name}"' for name in self.columns)
        self.buffer.seek(0)
        self.cr.copy_expert(f'COPY "{self.table}" ({columns}) FROM STDIN', self.buffer)
        if self.numbered:
            self.cr.execute(
                "SELECT setval(pg_get_serial_sequence(%s, 'id'),"
                " greatest(%s, (SELECT max(id) FROM " + f'"{self.table}"' + ")))",
                [self.table, self.last],
            )


class Loader:
    """One load: ``run`` calls the parts in the order of their references."""

    def __init__(self, env, folder):
        self.folder = folder
        self.company = env.ref(f"{CAST}.company_shanghai_demo")
        self.env = env(
            context={
                "allowed_company_ids": self.company.ids,
                "lang": "zh_CN",
                "mail_create_nosubscribe": True,
                "no_reset_password": True,
                "mail_notrack": True,
                "tracking_disable": True,
            }
        )
        self.cr = env.cr
        self.external = []
        self.counts = Counter()
        self.left_out = []

    def run(self):
        """Load everything."""
        self._staff()
        self._products()
        self._documents()
        self._customers()
        self._orders()
        self._opportunities()
        self._tickets()
        self._campaigns()
        self._external_ids()
        self.env.invalidate_all()
        self._events()

    def report(self):
        """Return what was loaded and what was left out, a line each."""
        counted = [f"{count:>8,}  {name}" for name, count in self.counts.items()]
        return "\n".join(counted + self.left_out)

    def _rows(self, name):
        """Yield the rows of a table as dicts of texts."""
        path = Path(self.folder) / f"tables/{name}.csv"
        with path.open(encoding="utf-8", newline="") as source:
            yield from csv.DictReader(source)

    def _name(self, kind, number, model, record_id):
        self.external.append((f"{kind}_{number}", model, record_id))

    # --- PROTOTYPES ---

    def _read(self, records):
        """Return the rows of records as the database holds them."""
        self.env.flush_all()
        self.cr.execute(
            f'SELECT * FROM "{records._table}" WHERE id = ANY(%s) ORDER BY id',
            [records.ids],
        )
        names = [column.name for column in self.cr.description]
        return [dict(zip(names, row)) for row in self.cr.fetchall()]  # noqa: B905

    def _prototypes(self, make):
        """Return what ``make()`` returns, with everything it wrote rolled back."""
        with self.cr.savepoint() as savepoint:
            found = make()
            savepoint.rollback()
        self.env.invalidate_all(flush=False)
        return found

    # --- PEOPLE AND GOODS ---

    def _staff(self):
        """Users of the cast as they are, the others like their colleagues."""
        users = self.env["res.users"]
        like = {
            "salesperson": self.env.ref(f"{CAST}.user_chen_demo"),
            "agent": self.env.ref(f"{CAST}.user_sun_demo"),
        }
        self.users = {}
        for row in self._rows("staff"):
            user = users.search([("login", "=", row["login"])])
            if not user:
                pattern = like[row["role"]]
                user = users.create(
                    {
                        "name": row["name"],
                        "login": row["login"],
                        "email": f"{row['login']}@shanghai.example",
                        "lang": row["lang"],
                        "tz": "Asia/Shanghai",
                        "company_id": self.company.id,
                        "company_ids": [(6, 0, self.company.ids)],
                        "group_ids": [(6, 0, pattern.group_ids.ids)],
                    }
                )
            self.users[row["login"]] = user

    def _products(self):
        categories = {
            row["category"]: self.env.ref(
                f"{CAST}.product_category_{row['name'].lower()}_demo"
            )
            for row in self._rows("categories")
        }
        products = self.env["product.product"]
        self.products = {}
        for row in self._rows("products"):
            product = products.search(
                [
                    ("default_code", "=", row["code"]),
                    ("company_id", "=", self.company.id),
                ]
            )
            if not product:
                product = products.with_context(lang="en_US").create(
                    {
                        "name": row["name"],
                        "default_code": row["code"],
                        "company_id": self.company.id,
                        "categ_id": categories[row["category"]].id,
                        "is_storable": True,
                        "invoice_policy": "order",
                        "list_price": float(row["price"]),
                        "standard_price": float(row["cost"]),
                        "taxes_id": [(5,)],
                        "supplier_taxes_id": [(5,)],
                    }
                )
            self.products[row["code"]] = product.with_env(self.env)
        self.categories = categories

    # --- CUSTOMERS ---

    def _documents(self):
        """Land what the channels sent; note which customer a document became."""
        channels = {}
        for code, (kind, name) in CHANNELS.items():
            channels[code] = self.env["omni.channel"].create(
                {
                    "name": name,
                    "code": f"shanghai-{code}",
                    "type": kind,
                    "company_id": self.company.id,
                    "country_id": self.env.ref("base.cn").id,
                    "mapping_id": self.env.ref(f"{CAST}.omni_mapping_people").id,
                }
            )
        from odoo.addons.crm_omnichannel.tools.landing import read_documents

        received_at = datetime.combine(self._as_of(), datetime.min.time())
        payloads = defaultdict(list)
        for row in self._rows("documents"):
            payloads[row["channel"]].append(json.loads(row["payload"]))
        for code, documents in payloads.items():
            channel = channels[code]
            items = read_documents(enumerate(documents), channel._envelope())
            channel._land(items, min(received_at, datetime.utcnow()))
            self.counts["documents"] += len(documents)
        records = self.env["omni.record"].search(
            [("channel_id", "in", [channel.id for channel in channels.values()])]
        )
        records._process_batch(records.ids)
        records.invalidate_recordset()
        self.landed = {
            record.partner_id.phone_sanitized: record.partner_id
            for record in records.sorted("id", reverse=True)
            if record.partner_id.phone_sanitized
        }

    def _as_of(self):
        """The day after the newest order."""
        newest = max(row["ordered_at"] for row in self._rows("orders"))
        return datetime.fromisoformat(newest).date() + timedelta(days=1)

    def _customers(self):
        def make():
            partner = self.env["res.partner"].create(
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
                    "company_id": self.company.id,
                    "country_id": self.env.ref("base.cn").id,
                    "state_id": self.env.ref("base.state_cn_SH").id,
                    "user_id": self.users["chen"].id,
                    "customer_rank": 1,
                }
            )
            return self._read(partner)[0]

        clones = Clones(
            self.cr,
            "res_partner",
            self._prototypes(make),
            "commercial_partner_id name complete_name commercial_company_name"
            " is_company email email_normalized phone phone_sanitized street city zip"
            " lang ref state_id user_id create_date write_date calendar_last_notif_ack",
        )
        states = {
            state.name: state.id
            for state in self.env["res.country.state"].search(
                [("country_id.code", "=", "CN")]
            )
        }
        self.partners, landed = {}, defaultdict(list)
        for row in self._rows("customers"):
            number, reference = row["customer"], f"C{int(row['customer']):06d}"
            partner = self.landed.get(row["phone"])
            if partner:
                landed[row["salesperson"], row["lang"]].append((reference, partner))
                self.partners[number] = partner.id
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
                self.users[row["salesperson"]].id,
                joined,
                joined,
                joined,
            )
            self.partners[number] = own
        clones.write()
        self.counts["customers"] = len(self.partners)
        for (login, lang), found in landed.items():
            partners = self.env["res.partner"].union(*(one for _ref, one in found))
            partners.write(
                {"user_id": self.users[login].id, "lang": lang, "customer_rank": 1}
            )
            for reference, partner in found:
                partner.ref = reference
        for number, partner_id in self.partners.items():
            self._name("customer", number, "res.partner", partner_id)
        self.partner_names = {
            row["customer"]: row["name"] for row in self._rows("customers")
        }

    # --- ORDERS, DELIVERIES, INVOICES ---

    def _order_prototypes(self):
        env, company = self.env, self.company
        partner = env.ref(f"{CAST}.partner_qingcheng_demo")
        product = self.products["M-GRI"]
        bank = env["account.journal"].search(
            [("type", "=", "bank"), ("company_id", "=", company.id)], limit=1
        )
        found = {}

        def snapshot(name):
            pickings = order.picking_ids
            for records in (
                order,
                order.order_line,
                pickings,
                pickings.move_ids,
                pickings.move_line_ids,
                invoice,
                invoice.line_ids,
            ):
                found[name, records._name] = self._read(records)

        order = env["sale.order"].create(
            {
                "partner_id": partner.id,
                "user_id": self.users["chen"].id,
                "order_line": [
                    (0, 0, {"product_id": product.id, "product_uom_qty": 2})
                ],
            }
        )
        order.action_confirm()
        # it waits in the list of deliveries until somebody reserves
        order.picking_ids.do_unreserve()
        invoice = order._create_invoices()
        invoice.action_post()
        snapshot("open")
        invoice.action_toggle_block_payment()
        found["blocked", "account.move"] = self._read(invoice)
        invoice.action_toggle_block_payment()
        order.picking_ids.action_assign()
        order.picking_ids.move_ids.picked = True
        order.picking_ids.button_validate()
        due = invoice.line_ids.filtered(
            lambda line: line.account_id.account_type == "asset_receivable"
        )
        payment = env["account.move"].create(
            {
                "journal_id": bank.id,
                "move_type": "entry",
                "line_ids": [
                    (0, 0, {"account_id": account.id, "name": "P", side: 1798.0,
                            "partner_id": partner.id})
                    for account, side in (
                        (bank.default_account_id, "debit"),
                        (due.account_id, "credit"),
                    )
                ],
            }
        )  # fmt: skip
        payment.action_post()
        counterpart = payment.line_ids.filtered(
            lambda line: line.account_id == due.account_id
        )
        (due | counterpart).reconcile()
        snapshot("done")
        found["payment", "account.move"] = self._read(payment)
        found["payment", "account.move.line"] = self._read(payment.line_ids)
        partial = due.matched_credit_ids
        found["partial"] = self._read(partial)[0]
        found["full"] = self._read(due.full_reconcile_id)[0]
        found["reference"] = self._read(order.stock_reference_ids)[0]
        found["picking_type"] = order.picking_ids.picking_type_id
        found["location"] = order.picking_ids.location_id
        found["destination"] = order.picking_ids.location_dest_id
        return found

    def _names_after(self, sequence, count):
        """Return the next ``count`` names of a sequence, and take them."""
        first = sequence.number_next_actual
        names = [sequence.get_next_char(first + step) for step in range(count)]
        sequence.number_next_actual = first + count
        return names

    def _numbers_of_year(self, prefix):
        """Return a counter of the numbers used of a journal's sequence, by year."""
        self.cr.execute(
            "SELECT sequence_prefix, max(sequence_number) FROM account_move"
            " WHERE company_id = %s AND sequence_prefix LIKE %s GROUP BY 1",
            [self.company.id, f"{prefix}/%"],
        )
        return Counter(dict(self.cr.fetchall()))

    def _orders(self):
        rows = list(self._rows("orders"))
        invoices = {row["order"]: row for row in self._rows("invoices")}
        lines = defaultdict(list)
        for row in self._rows("order_lines"):
            lines[row["order"]].append(row)
        made = self._prototypes(self._order_prototypes)
        tables = _OrderTables(self.cr, made)
        sequences = self.env["ir.sequence"].search(
            [
                ("code", "=", "sale.order"),
                ("company_id", "in", [self.company.id, False]),
            ],
            order="company_id",
            limit=1,
        )
        names = self._names_after(sequences, len(rows))
        picking_names = self._names_after(made["picking_type"].sequence_id, len(rows))
        self._check_accounts(made)
        self.invoice_names = _YearNames("INV", self._numbers_of_year("INV"))
        code = made["payment", "account.move"][0]["sequence_prefix"].partition("/")[0]
        self.payment_names = _YearNames(code, self._numbers_of_year(code))
        self.orders, delivered, payments = {}, Counter(), []
        uom_names = {
            code: f"[{code}] {product.name}" for code, product in self.products.items()
        }
        for row, name, picking_name in zip(rows, names, picking_names):  # noqa: B905
            number, partner = row["order"], self.partners[row["customer"]]
            invoice = invoices[number]
            order = _Order(row, invoice, name, picking_name, partner)
            order.user = self.users[row["salesperson"]].id
            order.partner_name = self.partner_names[row["customer"]]
            order.lines = [
                (
                    self.products[line["product"]].id,
                    uom_names[line["product"]],
                    int(line["quantity"]),
                    float(line["price"]),
                    self.products[line["product"]].standard_price,
                )
                for line in lines[number]
            ]
            order.invoice_name, order.prefix, order.number = self.invoice_names.next(
                order.invoiced
            )
            order_id, receivable = tables.add(order)
            self.orders[number] = order_id
            self._name("order", number, "sale.order", order_id)
            if row["delivered_at"]:
                for product, _name, quantity, _price, _cost in order.lines:
                    delivered[product] += quantity
            if order.paid:
                payments.append((order.paid, number, order, receivable))
        for _paid, _number, order, receivable in sorted(
            payments, key=lambda found: found[:2]
        ):
            tables.pay(order, receivable, *self.payment_names.next(order.paid))
        tables.write()
        self.counts["orders"] = len(rows)
        self._move_stock(delivered, made)

    def _check_accounts(self, made):
        """The prototype's invoice must be one line against one receivable."""
        kinds = [row["display_type"] for row in made["done", "account.move.line"]]
        if kinds != ["product", "payment_term"]:
            raise ValueError(f"The prototype invoice has lines {kinds}")

    def _move_stock(self, delivered, made):
        """What was delivered had come in first: an inventory when history begins."""
        start = min(row["ordered_at"] for row in self._rows("orders"))
        quants = self.env["stock.quant"].with_context(inventory_mode=True)
        location = made["location"]
        for product in self.products.values():
            here = quants.search(
                [
                    ("product_id", "=", product.id),
                    ("location_id", "=", location.id),
                ]
            )
            quantity = sum(here.mapped("quantity")) or 40
            quants.create(
                {
                    "product_id": product.id,
                    "location_id": location.id,
                    "inventory_quantity": quantity + delivered[product.id],
                }
            ).action_apply_inventory()
        moves = self.env["stock.move"].search(
            [
                ("is_inventory", "=", True),
                ("company_id", "=", self.company.id),
                ("product_id", "in", [one.id for one in self.products.values()]),
            ]
        )
        moves.write({"date": start})
        moves.move_line_ids.write({"date": start})
        for product in self.products.values():
            quantity = delivered[product.id]
            for place, change in (
                (location, -quantity),
                (made["destination"], quantity),
            ):
                quants._update_available_quantity(product, place, change)

    # --- OPPORTUNITIES ---

    def _lead_prototypes(self):
        leads = self.env["crm.lead"]
        values = {
            "name": "O",
            "type": "opportunity",
            "partner_id": self.env.ref(f"{CAST}.partner_qingcheng_demo").id,
            "user_id": self.users["chen"].id,
            "expected_revenue": 1000.0,
            "source_id": self._source("Website").id,
        }
        found = {}
        lead = leads.create(values)
        found["open"] = self._read(lead)[0]
        lead.action_set_won()
        found["won"] = self._read(lead)[0]
        lead = leads.create(values)
        lead.action_set_lost(lost_reason_id=self._lost_reason("Competitor").id)
        found["lost"] = self._read(lead)[0]
        lead = leads.create({**values, "user_id": False})
        found["unassigned"] = self._read(lead)[0]
        spoken = self.env.context | {"tracking_disable": False, "mail_notrack": False}
        lead = leads.with_context(spoken).create(values)
        self.env.flush_all()
        self.cr.precommit.run()
        before = lead.message_ids
        lead.stage_id = self.env.ref(STAGES["qualified"])
        self.env.flush_all()
        self.cr.precommit.run()
        move = (lead.message_ids - before).filtered("tracking_value_ids")
        found["message"] = self._read(move)[0]
        tracking = move.tracking_value_ids.filtered(
            lambda value: value.field_id.name == "stage_id"
        )
        found["tracking"] = self._read(tracking)[0]
        for kind, xml_id in ACTIVITIES.items():
            before = lead.message_ids
            lead.activity_schedule(xml_id, user_id=self.users["chen"].id)
            lead.activity_ids.action_feedback()
            found[kind] = self._read(lead.message_ids - before)[0]
        return found

    def _source(self, name):
        source = self.env["utm.source"].search([("name", "=", name)], limit=1)
        return source or self.env["utm.source"].create({"name": name})

    def _lost_reason(self, name):
        model = self.env["crm.lost.reason"].with_context(lang="en_US")
        return model.search([("name", "=", name)], limit=1) or model.create(
            {"name": name}
        )

    def _tag(self, name):
        model = self.env["crm.tag"].with_context(lang="en_US")
        return model.search([("name", "=", name)], limit=1) or model.create(
            {"name": name}
        )

    def _opportunities(self):
        rows = list(self._rows("opportunities"))
        sources = {name: self._source(name).id for name in {r["source"] for r in rows}}
        reasons = {
            name: self._lost_reason(name).id
            for name in {row["lost_reason"] for row in rows} - {""}
        }
        tags = {
            name: self._tag(tag).id
            for name, tag in (
                ("competitor", "Competitor"),
                ("discount", "Discount Asked"),
            )
        }
        made = self._prototypes(self._lead_prototypes)
        moves = defaultdict(list)
        for row in self._rows("stage_moves"):
            moves[row["opportunity"]].append((row["at"], row["stage"]))
        tables = _LeadTables(self.cr, made, self.env)
        people = self._people()
        tagged = Clones(self.cr, "crm_tag_rel", {}, "lead_id tag_id", numbered=False)
        leads = {}
        for row in rows:
            number = row["opportunity"]
            lead_id = tables.add(
                row,
                people[row["customer"]],
                self.users[row["salesperson"]].id if row["answered_at"] else None,
                sources[row["source"]],
                reasons.get(row["lost_reason"]),
                moves[number],
            )
            leads[number] = lead_id, self.users[row["salesperson"]]
            self._name("opportunity", number, "crm.lead", lead_id)
            for name, tag in tags.items():
                if row[name] == "1":
                    tagged.add(lead_id, tag)
            for at, before, after in tables.stage_changes(moves[number]):
                tables.tell_stage(lead_id, at, self.users[row["salesperson"]],
                                  before, after)  # fmt: skip
        for row in self._rows("touches"):
            lead_id, user = leads[row["opportunity"]]
            tables.tell(row["kind"], lead_id, row["at"], user)
        tables.write()
        tagged.write()
        self.counts["opportunities"] = len(rows)

    def _people(self):
        """Return what an opportunity copies from its customer, by customer."""
        ids = {partner_id: number for number, partner_id in self.partners.items()}
        languages = {lang.code: lang.id for lang in self.env["res.lang"].search([])}
        self.cr.execute(
            "SELECT id, name, is_company, email, email_normalized, phone,"
            " phone_sanitized, street, city, zip, state_id, country_id, lang"
            " FROM res_partner WHERE id = ANY(%s)",
            [list(ids)],
        )
        return {
            ids[row[0]]: (*row[:12], languages.get(row[12]))
            for row in self.cr.fetchall()
        }

    # --- TICKETS ---

    def _tickets(self):
        if "helpdesk.ticket" not in self.env:
            self.left_out.append("No helpdesk is installed: tickets are left out.")
            return
        rows = list(self._rows("tickets"))
        agents = [
            self.users[row["login"]]
            for row in self._rows("staff")
            if row["role"] == "agent"
        ]
        team = self.env["helpdesk.ticket.team"].create(
            {
                "name": "客户服务",
                "company_id": self.company.id,
                "user_ids": [(6, 0, [user.id for user in agents])],
            }
        )
        for user in agents:
            user.group_ids |= self.env.ref("helpdesk_mgmt.group_helpdesk_user_team")
        categories = {
            (row["category"], lang): self.env["helpdesk.ticket.category"].create(
                {
                    "name": f"{row['name']} ({lang})",
                    "company_id": self.company.id,
                }
            )
            for row in self._rows("categories")
            for lang in ("zh", "en")
        }
        first_contact = self.env["helpdesk.ticket.tag"].create(
            {"name": "First Contact", "company_id": self.company.id}
        )
        made = self._prototypes(
            lambda: self._ticket_prototypes(team, categories["0", "zh"])
        )
        sequence = self.env["ir.sequence"].search(
            [
                ("code", "=", "helpdesk.ticket.sequence"),
                ("company_id", "in", [self.company.id, False]),
            ],
            order="company_id",
            limit=1,
        )
        numbers = self._names_after(sequence, len(rows))
        people = self._people()
        columns = (
            "number name description partner_id commercial_partner_id partner_name"
            " partner_email category_id user_id create_date write_date assigned_date"
            " last_stage_update"
        )
        clones = {
            "open": Clones(self.cr, "helpdesk_ticket", made["open"], columns),
            "closed": Clones(
                self.cr, "helpdesk_ticket", made["closed"], columns + " closed_date"
            ),
        }
        ratings = Clones(
            self.cr,
            "rating_rating",
            made["rating"],
            "res_id res_name rating rating_text partner_id rated_partner_id"
            " access_token create_date write_date",
        )
        tagged = Clones(
            self.cr,
            "helpdesk_ticket_helpdesk_ticket_tag_rel",
            {},
            "helpdesk_ticket_id helpdesk_ticket_tag_id",
            numbered=False,
        )
        model = self.env["rating.rating"]
        last = clones["open"].last
        for row, ticket_number in zip(rows, numbers):  # noqa: B905
            person = people[row["customer"]]
            user = self.users[row["agent"]]
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
            self._name("ticket", row["ticket"], "helpdesk.ticket", last)
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
        self.counts["tickets"] = len(rows)

    def _ticket_prototypes(self, team, category):
        partner = self.env.ref(f"{CAST}.partner_qingcheng_demo")
        ticket = self.env["helpdesk.ticket"].create(
            {
                "name": "T",
                "description": "<p>D</p>",
                "team_id": team.id,
                "category_id": category.id,
                "partner_id": partner.id,
                "partner_name": partner.name,
                "partner_email": partner.email,
                "user_id": self.users["sun"].id,
            }
        )
        found = {"open": _without_routing(self._read(ticket)[0])}
        ticket.stage_id = self.env["helpdesk.ticket.stage"].search(
            [("closed", "=", True)], limit=1
        )
        found["closed"] = _without_routing(self._read(ticket)[0])
        rating = self.env["rating.rating"].create(
            {
                "res_model_id": self.env["ir.model"]._get_id("helpdesk.ticket"),
                "res_id": ticket.id,
                "rating": 5,
                "consumed": True,
                "partner_id": partner.id,
                "rated_partner_id": self.users["sun"].partner_id.id,
            }
        )
        found["rating"] = self._read(rating)[0]
        return found

    # --- CAMPAIGNS ---

    def _campaigns(self):
        if "mailing.mailing" not in self.env:
            self.left_out.append("No mailings are installed: campaigns are left out.")
            return
        mailings = {}
        for row in self._rows("campaigns"):
            campaign = self.env["utm.campaign"].create(
                {"title": row["name"], "company_id": self.company.id}
            )
            mailing = self.env["mailing.mailing"].create(
                {
                    "subject": row["name"],
                    "campaign_id": campaign.id,
                    "mailing_model_id": self.env["ir.model"]._get_id("res.partner"),
                    "mailing_domain": f"[('company_id', '=', {self.company.id})]",
                    "body_html": f"<p>{row['name']}</p>",
                    "user_id": self.env.ref(f"{CAST}.user_mia_demo").id,
                }
            )
            mailing.write({"state": "done", "sent_date": row["sent_at"]})
            mailings[row["campaign"]] = mailing
            self._name("campaign", row["campaign"], "mailing.mailing", mailing.id)

        def make():
            found = {}
            trace = self.env["mailing.trace"].create(
                {
                    "model": "res.partner",
                    "res_id": self.partners["0"],
                    "mass_mailing_id": next(iter(mailings.values())).id,
                    "email": "a@shop.example",
                }
            )
            trace.set_sent()
            found["0"] = self._read(trace)[0]
            trace.set_opened()
            trace.set_clicked()
            found["1"] = self._read(trace)[0]
            return found

        made = self._prototypes(make)
        columns = (
            "mass_mailing_id campaign_id res_id email sent_datetime create_date"
            " write_date"
        )
        clones = {
            "0": Clones(self.cr, "mailing_trace", made["0"], columns),
            "1": Clones(
                self.cr,
                "mailing_trace",
                made["1"],
                columns + " open_datetime links_click_datetime",
            ),
        }
        people = self._people()
        last = clones["0"].last
        for row in self._rows("mailings"):
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
            self.counts["mailing traces"] += 1
        for table in clones.values():
            table.last = last
            table.write()

    # --- THE REST ---

    def _external_ids(self):
        clones = Clones(
            self.cr,
            "ir_model_data",
            {"module": MODULE, "noupdate": True},
            "name model res_id create_date write_date",
        )
        now = datetime.utcnow()
        for name, model, record_id in self.external:
            clones.add(name, model, record_id, now, now)
        clones.write()

    def _events(self):
        """Land the visits, and the orders as the analytics addon sees them."""
        events = self.env.get("behavior.event")
        if events is None or not hasattr(events, "_track"):
            self.left_out.append("No event store is installed: visits are left out.")
            return
        sources = self.env["behavior.source"]
        noted = sources._odoo_source(self.company)
        if not noted:
            noted = sources.sudo()._ensure_odoo_sources(self.company)
        shop = sources.create(
            {
                "name": "网上商城",
                "code": "web-shop",
                "company_id": self.company.id,
                "origins": "https://shop.example.cn",
            }
        )
        users = {
            number: f"partner:{partner_id}"
            for number, partner_id in self.partners.items()
        }
        known = {("user_id", users[number]): self.partners[number] for number in users}
        for source in (shop, noted):
            events._claim_identities(source, known)
        batch = []
        for row in self._rows("visits"):
            batch.append(_message(row, users[row["customer"]]))
            if len(batch) == TRACKED_BATCH:
                self._track(events, shop, batch)
                batch = []
        self._track(events, shop, batch)
        orders = self.env["sale.order"].browse(list(self.orders.values()))
        if hasattr(orders, "_prepare_completed"):
            messages = []
            for order in orders:
                message = order._prepare_completed()
                messages.append({**message, "receivedAt": message["timestamp"]})
            self._track(events, noted, messages)

    def _track(self, events, source, messages):
        verdicts = events._track(source, messages)
        self.counts["events"] += sum(
            verdict["status"] == "accepted" for verdict in verdicts
        )


def _message(row, user):
    """Return a visit's row as a message in Segment's shape."""
    at = row["at"].replace(" ", "T") + "Z"
    message = {
        "type": row["type"],
        "messageId": row["message_id"],
        "anonymousId": row["anonymous_id"],
        "userId": user,
        "timestamp": at,
        "receivedAt": at,
        "context": {"page": {"path": row["url"]}},
        "properties": {"path": row["url"]},
    }
    if row["type"] == "page":
        message["name"] = row["event"]
    else:
        message["event"] = row["event"]
    if row["product"]:
        message["properties"]["sku"] = row["product"]
    return message


def _grade(score):
    """Return Odoo's grade of a rating of 1 to 5 (rating.rating's thresholds)."""
    return "top" if score >= 4 else "ok" if score >= 3 else "ko"


def _without_routing(row):
    """These tickets are older than the routing: it has promised nothing for them."""
    return {
        name: None if name.startswith("routing_") else value
        for name, value in row.items()
    }


class _YearNames:
    """Names of a journal: PREFIX/2026/00001, each year from its own number on."""

    def __init__(self, code, used):
        self.code, self.used = code, used

    def next(self, day):
        """Return (name, prefix, number) for the entry of a date."""
        prefix = f"{self.code}/{day.year}/"
        self.used[prefix] += 1
        number = self.used[prefix]
        return f"{prefix}{number:05d}", prefix, number


class _Order:
    """What the rows of one order share."""

    def __init__(self, row, invoice, name, picking_name, partner):
        self.name, self.picking_name, self.partner = name, picking_name, partner
        self.ordered, self.delivered = row["ordered_at"], row["delivered_at"] or None
        self.promised = f"{row['promised_on']} 10:00:00"
        self.invoiced = date.fromisoformat(invoice["invoiced_on"])
        self.due = date.fromisoformat(invoice["due_on"])
        paid, disputed = invoice["paid_on"], invoice["disputed_on"]
        self.paid = date.fromisoformat(paid) if paid else None
        self.disputed = disputed or None
        self.total = round(float(invoice["amount"]), 2)


class _OrderTables:
    """The tables of orders, deliveries, invoices and payments, filled together."""

    def __init__(self, cr, made):
        self.cr, self.made = cr, made
        self.clones = {}
        stamps = " create_date write_date"
        for state in ("open", "done"):
            self._two("order", "sale.order", state, "name partner_id"
                " partner_invoice_id partner_shipping_id user_id amount_untaxed"
                " amount_total date_order validity_date commitment_date"
                " effective_date access_token" + stamps)  # fmt: skip
            self._two("line", "sale.order.line", state, "order_id sequence"
                " order_partner_id salesman_id product_id name product_uom_qty"
                " price_unit technical_price_unit price_subtotal price_total"
                " price_reduce_taxexcl price_reduce_taxinc qty_delivered qty_invoiced"
                " untaxed_amount_invoiced" + stamps)  # fmt: skip
            self._two("picking", "stock.picking", state, "name origin partner_id"
                " sale_id scheduled_date date_deadline date_done" + stamps)  # fmt: skip
            self._two("move", "stock.move", state, "sequence product_id picking_id"
                " partner_id origin reference sale_line_id product_qty product_uom_qty"
                " packaging_uom_qty quantity value reservation_date date date_deadline"
                + stamps)  # fmt: skip
        self._one("move_line", "stock.move.line", "done", 0, "picking_id move_id"
            " product_id quantity quantity_product_uom date" + stamps)  # fmt: skip
        invoice = (
            "name sequence_prefix sequence_number partner_id commercial_partner_id"
            " partner_shipping_id invoice_user_id ref payment_reference"
            " invoice_partner_display_name invoice_origin date invoice_date"
            " invoice_date_due delivery_date amount_untaxed amount_total"
            " amount_residual amount_untaxed_signed amount_untaxed_in_currency_signed"
            " amount_total_signed amount_total_in_currency_signed"
            " amount_residual_signed narration access_token" + stamps
        )
        for state in ("open", "done", "blocked"):
            self._one(f"invoice_{state}", "account.move", state, 0, invoice)
        entry = "move_id partner_id move_name ref name date invoice_date" + stamps
        amounts = " debit credit balance amount_currency"
        self._one("income", "account.move.line", "done", 0, entry + amounts
            + " sequence product_id quantity price_unit price_subtotal"
            " price_total")  # fmt: skip
        for state in ("open", "done"):
            self._one(f"due_{state}", "account.move.line", state, 1, entry + amounts
                + " date_maturity amount_residual amount_residual_currency"
                " full_reconcile_id matching_number")  # fmt: skip
        self._one("payment", "account.move", "payment", 0, "name sequence_prefix"
            " sequence_number date invoice_date_due amount_total amount_total_signed"
            " amount_total_in_currency_signed" + stamps)  # fmt: skip
        paid = entry.replace(" invoice_date", "") + amounts + " price_subtotal"
        paid += " price_total"
        self._one("bank", "account.move.line", "payment", 0, paid
            + " amount_residual amount_residual_currency")  # fmt: skip
        self._one("counterpart", "account.move.line", "payment", 1, paid
            + " full_reconcile_id matching_number")  # fmt: skip
        self.clones["full"] = Clones(cr, "account_full_reconcile", made["full"], stamps)
        self.clones["partial"] = Clones(
            cr,
            "account_partial_reconcile",
            made["partial"],
            "debit_move_id credit_move_id full_reconcile_id max_date amount"
            " debit_amount_currency credit_amount_currency" + stamps,
        )
        self.clones["reference"] = Clones(
            cr, "stock_reference", made["reference"], "name" + stamps
        )
        for name, table, columns in (
            ("line_invoice", "sale_order_line_invoice_rel",
             "invoice_line_id order_line_id"),
            ("reference_move", "stock_reference_move_rel", "move_id reference_id"),
            ("reference_sale", "stock_reference_sale_rel", "sale_id reference_id"),
        ):  # fmt: skip
            self.clones[name] = Clones(cr, table, {}, columns, numbered=False)
        self.last = {}

    def _one(self, name, model, state, place, columns):
        row = self.made[state, model][place]
        table = model.replace(".", "_")
        self.clones[name] = Clones(self.cr, table, row, columns)

    def _two(self, name, model, state, columns):
        self._one(f"{name}_{state}", model, state, 0, columns)

    def _add(self, name, *values):
        """Add a row; the tables that share ids go on from each other's last."""
        clones = self.clones[name]
        clones.last = max(self.last.get(clones.table, 0), clones.last)
        self.last[clones.table] = clones.add(*values)
        return self.last[clones.table]

    def add(self, order):
        """Add an order with what follows from it; return its and the claim's id."""
        state = "done" if order.delivered else "open"
        ordered, total = order.ordered, order.total
        order_id = self._add(
            f"order_{state}", order.name, order.partner, order.partner, order.partner,
            order.user, total, total, ordered,
            date.fromisoformat(ordered[:10]) + timedelta(days=30), order.promised,
            order.delivered, None, ordered, order.delivered or ordered,
        )  # fmt: skip
        picking_id = self._add(
            f"picking_{state}", order.picking_name, order.name, order.partner, order_id,
            order.promised, order.promised, order.delivered, ordered,
            order.delivered or ordered,
        )  # fmt: skip
        reference = self._add("reference", order.name, ordered, ordered)
        self._add("reference_sale", order_id, reference)
        invoice_id, receivable = self._invoice(order)
        for place, line in enumerate(order.lines):
            self._line(order, place, line, state, order_id, picking_id, reference,
                       invoice_id)  # fmt: skip
        return order_id, receivable

    def _line(
        self, order, place, line, state, order_id, picking_id, reference, invoice_id
    ):
        product, name, quantity, price, cost = line
        ordered, amount = order.ordered, round(quantity * price, 2)
        sequence = 10 + place
        line_id = self._add(
            f"line_{state}", order_id, sequence, order.partner, order.user, product,
            name, quantity, price, price, amount, amount, price, price,
            quantity if order.delivered else 0, quantity, amount, ordered, ordered,
        )  # fmt: skip
        move_id = self._add(
            f"move_{state}", sequence, product, picking_id, order.partner, order.name,
            order.picking_name, line_id, quantity, quantity, quantity,
            quantity if order.delivered else 0,
            quantity * cost if order.delivered else None, order.promised[:10],
            order.delivered or order.promised, order.promised, ordered,
            order.delivered or ordered,
        )  # fmt: skip
        self._add("reference_move", move_id, reference)
        if order.delivered:
            self._add(
                "move_line", picking_id, move_id, product, quantity, quantity,
                order.delivered, order.delivered, order.delivered,
            )  # fmt: skip
        income = self._add(
            "income", invoice_id, order.partner, order.invoice_name, order.name, name,
            order.invoiced, order.invoiced, ordered, ordered, 0, amount, -amount,
            -amount, place, product, quantity, price, amount, amount,
        )  # fmt: skip
        self._add("line_invoice", income, line_id)

    def _invoice(self, order):
        blocked = order.disputed and not order.paid
        state = "done" if order.paid else "blocked" if blocked else "open"
        total = order.total
        residual = 0 if order.paid else total
        note = f"<p>Disputed on {order.disputed}.</p>" if order.disputed else None
        shipped = date.fromisoformat(order.delivered[:10]) if order.delivered else None
        invoice_id = self._add(
            f"invoice_{state}", order.invoice_name, order.prefix, order.number,
            order.partner, order.partner, order.partner, order.user, order.name,
            order.invoice_name, order.partner_name, order.name, order.invoiced,
            order.invoiced, order.due, shipped, total, total, residual, total, total,
            total, total, residual, note, None, order.ordered, order.ordered,
        )  # fmt: skip
        full, matching = None, None
        if order.paid:
            full = self._add("full", str(order.paid), str(order.paid))
            matching = str(full)
        order.full = full
        receivable = self._add(
            "due_done" if order.paid else "due_open", invoice_id, order.partner,
            order.invoice_name, order.name, f"{order.name} - {order.invoice_name}",
            order.invoiced, order.invoiced, order.ordered, order.ordered, total, 0,
            total, total, order.due, residual, residual, full, matching,
        )  # fmt: skip
        return invoice_id, receivable

    def pay(self, order, receivable, name, prefix, number):
        """Add the bank's entry that pays an invoice, and its reconciliation."""
        total, paid, stamp = order.total, order.paid, f"{order.paid} 08:00:00"
        move_id = self._add(
            "payment", name, prefix, number, paid, paid, total, total, total, stamp,
            stamp,
        )  # fmt: skip
        label = order.invoice_name
        self._add(
            "bank", move_id, order.partner, name, None, label, paid, stamp, stamp,
            total, 0, total, total, total, total, total, total,
        )  # fmt: skip
        counterpart = self._add(
            "counterpart", move_id, order.partner, name, None, label, paid, stamp,
            stamp, 0, total, -total, -total, -total, -total, order.full,
            str(order.full),
        )  # fmt: skip
        self._add(
            "partial", receivable, counterpart, order.full,
            max(order.invoiced, paid), total, total, total, stamp, stamp,
        )  # fmt: skip

    def write(self):
        """COPY all, what is referred to first."""
        for name in (
            "order_open", "order_done", "line_open", "line_done", "picking_open",
            "picking_done", "move_open", "move_done", "move_line", "reference",
            "reference_sale", "reference_move", "full", "invoice_open",
            "invoice_done", "invoice_blocked", "payment", "income", "due_open",
            "due_done", "bank", "counterpart", "partial", "line_invoice",
        ):  # fmt: skip
            self.clones[name].write()


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
