"""What the demonstration customers did: days ago, type, event or page, properties."""

DEMO_VISITS = {
    "wang.wei@huadong-trade.example": (
        (21, "page", "/", {}),
        (21, "page", "/shop", {}),
        (21, "track", "Product Viewed", {"sku": "E-COM07", "name": "Large Cabinet"}),
        (6, "page", "/shop", {}),
        (6, "track", "Product Added", {"sku": "E-COM07", "quantity": 2}),
    ),
    "lina@sunrise-cafe.example": (
        (34, "page", "/", {}),
        (33, "page", "/contactus", {}),
    ),
    "emma.carter@harbour-goods.example": (
        (2, "page", "/", {}),
        (2, "page", "/shop", {}),
        (1, "track", "Product Viewed", {"sku": "FURN_7800", "name": "Desk"}),
        (1, "page", "/blog", {}),
    ),
}
