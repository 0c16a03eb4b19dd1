"""People and goods: those of the cast as they are, the others beside them."""

from .load import CAST


def load_staff(load):
    """Users of the cast as they are, the others like their colleagues."""
    users = load.env["res.users"]
    like = {
        "salesperson": load.env.ref(f"{CAST}.user_chen_demo"),
        "agent": load.env.ref(f"{CAST}.user_sun_demo"),
    }
    load.users = {}
    for row in load.rows("staff"):
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
                    "company_id": load.company.id,
                    "company_ids": [(6, 0, load.company.ids)],
                    "group_ids": [(6, 0, pattern.group_ids.ids)],
                }
            )
        load.users[row["login"]] = user


def load_products(load):
    categories = {
        row["category"]: load.env.ref(
            f"{CAST}.product_category_{row['name'].lower()}_demo"
        )
        for row in load.rows("categories")
    }
    products = load.env["product.product"]
    load.products = {}
    for row in load.rows("products"):
        product = products.search(
            [
                ("default_code", "=", row["code"]),
                ("company_id", "=", load.company.id),
            ]
        )
        if not product:
            product = products.with_context(lang="en_US").create(
                {
                    "name": row["name"],
                    "default_code": row["code"],
                    "company_id": load.company.id,
                    "categ_id": categories[row["category"]].id,
                    "is_storable": True,
                    "invoice_policy": "order",
                    "list_price": float(row["price"]),
                    "standard_price": float(row["cost"]),
                    "taxes_id": [(5,)],
                    "supplier_taxes_id": [(5,)],
                }
            )
        load.products[row["code"]] = product.with_env(load.env)
    load.categories = categories
