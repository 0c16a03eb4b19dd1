"""What the demonstration channels sent, as JSON documents; two of them are parked.

And what some of these customers answered when asked for their consent.
"""

DEMO_DOCUMENTS = {
    "crm_omnichannel.omni_channel_web_shop_demo": (
        {
            "id": "W-1001",
            "name": "王 伟",
            "mobile": "138 1234 5678",
            "email": "Wang.Wei@huadong-trade.example",
            "province": "上海市",
            "city": "上海",
            "address": "南京西路 1266 号",
            "country": "中国",
            "birthday": "1985年3月12日",
            "tags": "VIP, 老客户",
        },
        {
            "id": "W-1002",
            "name": "李娜",
            "mobile": "+86-139-1700-3456",
            "email": "lina@sunrise-cafe.example",
            "city": "杭州",
            "country": "CN",
            "gender": "女",
            "tags": ["新客户"],
        },
        {
            "id": "W-1003",
            "first_name": "Emma",
            "last_name": "Carter",
            "phone": "+44 20 7946 0958",
            "email": "emma.carter@harbour-goods.example",
            "city": "London",
            "country": "United Kingdom",
            "birthday": "1990-11-02",
        },
        {
            "id": "W-1004",
            "name": "微信用户",
            "mobile": "13800138000",
            "openid": "oLVPpjqs9BhvzwPj5A-vTYAX3GLc",
        },
        {
            "id": "W-1005",
            "name": "欧阳 明",
            "mobile": "１３７１８１２３４５６",
            "email": "ouyang@jiangnan.example",
            "city": "苏州",
            "country": "中国",
            "birthday": "19780901",
            "company": "江南织造有限公司",
        },
    ),
    "crm_omnichannel.omni_channel_fair_demo": (
        {
            "编号": "F-01",
            "姓名": "王伟",
            "手机": "13812345678",
            "邮箱": "wangwei@example-mail.cn",
            "公司": "华东贸易有限公司",
            "职位": "采购经理",
        },
        {
            "编号": "F-02",
            "姓名": "陈晨",
            "手机": "136 0171 2345",
            "生日": "02/01/1990",
        },
        {
            "编号": "F-03",
            "姓名": "Lucas Meyer",
            "电话": "+49 30 901820",
            "邮箱": "lucas.meyer@nordlicht.example",
            "城市": "Berlin",
            "国家": "Germany",
        },
    ),
}

#: external ID at the web shop, (purpose, channel, state), values of the partner
DEMO_ANSWERS = (
    (
        "W-1001",
        (
            ("marketing", "email", "granted"),
            ("marketing", "phone", "denied"),
            ("analytics", None, "granted"),
            ("personalization", None, "granted"),
        ),
        {
            "customer_tier_manual": "vip",
            "customer_tier_note": "大客户，由管理层维护",
        },
    ),
    (
        "W-1002",
        (("marketing", None, "denied"), ("analytics", None, "granted")),
        {},
    ),
    ("W-1003", (("marketing", "email", "revoked"),), {}),
)
