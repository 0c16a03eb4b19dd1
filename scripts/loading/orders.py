"""Orders with their deliveries, invoices and payments."""

from collections import Counter, defaultdict
from datetime import date, timedelta

from .clones import Clones
from .load import CAST


def load_orders(load):
    rows = list(load.rows("orders"))
    invoices = {row["order"]: row for row in load.rows("invoices")}
    lines = defaultdict(list)
    for row in load.rows("order_lines"):
        lines[row["order"]].append(row)
    made = load.prototypes(lambda: _order_prototypes(load))
    tables = _OrderTables(load.cr, made)
    sequences = load.env["ir.sequence"].search(
        [
            ("code", "=", "sale.order"),
            ("company_id", "in", [load.company.id, False]),
        ],
        order="company_id",
        limit=1,
    )
    names = load.names_after(sequences, len(rows))
    picking_names = load.names_after(made["picking_type"].sequence_id, len(rows))
    _check_accounts(made)
    invoice_names = _YearNames("INV", _numbers_of_year(load, "INV"))
    code = made["payment", "account.move"][0]["sequence_prefix"].partition("/")[0]
    payment_names = _YearNames(code, _numbers_of_year(load, code))
    load.orders, delivered, payments = {}, Counter(), []
    uom_names = {
        code: f"[{code}] {product.name}" for code, product in load.products.items()
    }
    for row, name, picking_name in zip(rows, names, picking_names):  # noqa: B905
        number, partner = row["order"], load.partners[row["customer"]]
        invoice = invoices[number]
        order = _Order(row, invoice, name, picking_name, partner)
        order.user = load.users[row["salesperson"]].id
        order.partner_name = load.partner_names[row["customer"]]
        order.lines = [
            (
                load.products[line["product"]].id,
                uom_names[line["product"]],
                int(line["quantity"]),
                float(line["price"]),
                load.products[line["product"]].standard_price,
            )
            for line in lines[number]
        ]
        order.invoice_name, order.prefix, order.number = invoice_names.next(
            order.invoiced
        )
        order_id, receivable = tables.add(order)
        load.orders[number] = order_id
        load.name("order", number, "sale.order", order_id)
        if row["delivered_at"]:
            for product, _name, quantity, _price, _cost in order.lines:
                delivered[product] += quantity
        if order.paid:
            payments.append((order.paid, number, order, receivable))
    for _paid, _number, order, receivable in sorted(
        payments, key=lambda found: found[:2]
    ):
        tables.pay(order, receivable, *payment_names.next(order.paid))
    tables.write()
    load.counts["orders"] = len(rows)
    _move_stock(load, delivered, made)


def _order_prototypes(load):
    env, company = load.env, load.company
    partner = env.ref(f"{CAST}.partner_qingcheng_demo")
    product = load.products["M-GRI"]
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
            found[name, records._name] = load.read(records)

    order = env["sale.order"].create(
        {
            "partner_id": partner.id,
            "user_id": load.users["chen"].id,
            "order_line": [(0, 0, {"product_id": product.id, "product_uom_qty": 2})],
        }
    )
    order.action_confirm()
    # it waits in the list of deliveries until somebody reserves
    order.picking_ids.do_unreserve()
    invoice = order._create_invoices()
    invoice.action_post()
    snapshot("open")
    invoice.action_toggle_block_payment()
    found["blocked", "account.move"] = load.read(invoice)
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
    found["payment", "account.move"] = load.read(payment)
    found["payment", "account.move.line"] = load.read(payment.line_ids)
    partial = due.matched_credit_ids
    found["partial"] = load.read(partial)[0]
    found["full"] = load.read(due.full_reconcile_id)[0]
    found["reference"] = load.read(order.stock_reference_ids)[0]
    found["picking_type"] = order.picking_ids.picking_type_id
    found["location"] = order.picking_ids.location_id
    found["destination"] = order.picking_ids.location_dest_id
    return found


def _numbers_of_year(load, prefix):
    """Return a counter of the numbers used of a journal's sequence, by year."""
    load.cr.execute(
        "SELECT sequence_prefix, max(sequence_number) FROM account_move"
        " WHERE company_id = %s AND sequence_prefix LIKE %s GROUP BY 1",
        [load.company.id, f"{prefix}/%"],
    )
    return Counter(dict(load.cr.fetchall()))


def _check_accounts(made):
    """The prototype's invoice must be one line against one receivable."""
    kinds = [row["display_type"] for row in made["done", "account.move.line"]]
    if kinds != ["product", "payment_term"]:
        raise ValueError(f"The prototype invoice has lines {kinds}")


def _move_stock(load, delivered, made):
    """What was delivered had come in first: an inventory when history begins."""
    start = min(row["ordered_at"] for row in load.rows("orders"))
    quants = load.env["stock.quant"].with_context(inventory_mode=True)
    location = made["location"]
    for product in load.products.values():
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
    moves = load.env["stock.move"].search(
        [
            ("is_inventory", "=", True),
            ("company_id", "=", load.company.id),
            ("product_id", "in", [one.id for one in load.products.values()]),
        ]
    )
    moves.write({"date": start})
    moves.move_line_ids.write({"date": start})
    for product in load.products.values():
        quantity = delivered[product.id]
        for place, change in (
            (location, -quantity),
            (made["destination"], quantity),
        ):
            quants._update_available_quantity(product, place, change)


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
