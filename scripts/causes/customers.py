"""Who the customers are, and what two channels have made of them.

The world
    A customer has one name, telephone and e-mail address; no two have the same. Two
    channels sent documents about some of them: a web shop's export and the list of a
    trade fair. ``BOTH`` of those chosen are on both channels, and then the second
    document is another person's typing of the same facts: other telephone formats,
    full-width digits, spaces, a mistyped letter, a missing or a placeholder value.
    Some people are so alike (same name, same city) that only the identifiers tell
    them apart.
"""

import numpy as np


def _words(text):
    return tuple(text.split())


FAMILY = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘蒋蔡余"
)
GIVEN = _words(
    "伟 芳 娜 敏 静 丽 强 磊 军 洋 勇 艳 杰 娟 涛 明 超 霞 平 刚 桂英 建华 文静 志强 "
    "海燕 晓东 雨欣 子轩 浩然 梓涵 佳怡 思远 嘉豪 诗琪 俊杰 欣怡 宇航 天佑 美玲 国栋"
)
PINYIN = _words(
    "wang li zhang liu chen yang huang zhao wu zhou xu sun ma zhu hu guo he lin luo "
    "gao zheng liang xie song tang xu han feng deng cao peng zeng xiao tian dong yuan "
    "pan jiang cai yu"
)
WESTERN_FIRST = _words(
    "Emma Liam Olivia Noah Sofia Lucas Hannah Felix Chloe Oscar Nina Hugo Alice Jonas "
    "Clara Adam Julia Simon Laura Peter"
)
WESTERN_LAST = _words(
    "Carter Novak Schmidt Dubois Rossi Larsen Murphy Garcia Fischer Andersson Brown "
    "Kowalski Meyer Laurent Bianchi Hansen Walsh Torres Weber Lindgren"
)
FIRM_WORDS = _words(
    "东方 华美 江南 金诺 天和 瑞丰 海蓝 宏远 新禾 云帆 百川 凯诚 森源 明珠 正泰"
)
FIRM_TRADES = _words("咖啡 茶业 餐饮 商贸 酒店 食品 连锁 贸易 文化 科技")
WESTERN_FIRMS = _words(
    "Harbour North Bright Silver Orchard Lotus Summit River Maple Union"
)
WESTERN_TRADES = _words("Cafés Trading Hotels Foods Kitchens Imports Retail Catering")
#: (province, city, English city, postcode, remote)
NEAR = (
    ("上海市", "上海", "Shanghai", "200000"),
    ("浙江省", "杭州", "Hangzhou", "310000"),
    ("江苏省", "苏州", "Suzhou", "215000"),
    ("江苏省", "南京", "Nanjing", "210000"),
    ("广东省", "广州", "Guangzhou", "510000"),
    ("北京市", "北京", "Beijing", "100000"),
)
REMOTE = (
    ("新疆维吾尔自治区", "乌鲁木齐", "Urumqi", "830000"),
    ("内蒙古自治区", "呼和浩特", "Hohhot", "010000"),
    ("黑龙江省", "哈尔滨", "Harbin", "150000"),
    ("甘肃省", "兰州", "Lanzhou", "730000"),
)
STREETS = _words("中山路 人民路 解放路 建设路 和平路 新华路 南京路 长江路")
MOBILE = ("130", "133", "135", "137", "138", "139", "150", "158", "186", "188")

CHANNELS = ("web-shop", "trade-fair")
DOCUMENTS = 200
BOTH = 0.5
PLACEHOLDERS = {
    "phone": ("13800138000", "无", "00000000000", "null"),
    "email": ("null", "无", "-", "n/a"),
    "city": ("未知", "-", "null"),
}
FULL_WIDTH = str.maketrans("0123456789+-", "０１２３４５６７８９＋－")


def draw_people(rng, firm, foreign, remote):
    """Return a dict for each customer, in order.

    :return: list of ``name``, ``contact`` (who answers for a firm), ``phone``
        (E.164), ``email``, ``street``, ``province``, ``city``, ``zip``, ``lang``
    """
    n = len(firm)
    picks = rng.integers(0, 2**31, (n, 6))
    # each number once: a permutation of the customers inside a wide range
    numbers = rng.permutation(n)
    return [
        _person(
            i,
            bool(firm[i]),
            bool(foreign[i]),
            bool(remote[i]),
            int(numbers[i]),
            *picks[i].tolist(),
        )
        for i in range(n)
    ]


def _person(i, firm, foreign, remote, number, a, b, c, d, e, f):
    province, city, english, postcode = _pick(REMOTE if remote else NEAR, a)
    if foreign:
        first, last = _pick(WESTERN_FIRST, b), _pick(WESTERN_LAST, c)
        contact, local = f"{first} {last}", f"{first}.{last}".lower()
        name = f"{_pick(WESTERN_FIRMS, d)} {_pick(WESTERN_TRADES, e)} {i + 1} Ltd"
    else:
        contact = _pick(FAMILY, b) + _pick(GIVEN, c)
        local = _pick(PINYIN, b)
        name = f"{city}{_pick(FIRM_WORDS, d)}{_pick(FIRM_TRADES, e)}{i + 1}号有限公司"
    digits = 10_000_000 + (number * 79_999 + 12_347) % 89_999_999
    return {
        "name": name if firm else contact,
        "contact": contact,
        "phone": f"+86{_pick(MOBILE, d)}{digits}",
        "email": f"{local}{i + 1}@{_pick(('mail', 'post', 'corp'), e)}.example",
        "street": f"{_pick(STREETS, f)} {1 + f % 899} 号",
        "province": province,
        "city": english if foreign else city,
        "zip": postcode,
        "lang": "en_US" if foreign else "zh_CN",
    }


def _pick(choices, number):
    return choices[number % len(choices)]


def draw_documents(rng, people, firm):
    """Return what the channels sent: list of (channel, external id, customer, payload).

    Persons only; the customer's number is the truth and not in the payload.
    """
    persons = np.flatnonzero(~firm)
    chosen = rng.choice(persons, min(DOCUMENTS, len(persons)), replace=False)
    both = rng.random(len(chosen)) < BOTH
    found = []
    for number, (customer, twice) in enumerate(zip(chosen.tolist(), both)):  # noqa: B905
        channel = int(rng.integers(0, 2))
        external = (f"W-{20_001 + number}", f"F-{20_001 + number}")
        person = people[customer]
        clean = _payload(channel, external[channel], person)
        found.append((CHANNELS[channel], external[channel], customer, clean))
        if twice:
            other = 1 - channel
            dirty = _payload(other, external[other], _dirtied(rng, person))
            found.append((CHANNELS[other], external[other], customer, dirty))
    return [found[place] for place in rng.permutation(len(found)).tolist()]


def _payload(channel, external, person):
    if channel == 0:
        return {
            "id": external,
            "name": person["name"],
            "mobile": person["phone"],
            "email": person["email"],
            "province": person["province"],
            "city": person["city"],
            "address": person["street"],
            "country": "CN",
        }
    return {
        "编号": external,
        "姓名": person["name"],
        "手机": person["phone"],
        "邮箱": person["email"],
        "城市": person["city"],
        "地址": person["street"],
    }


def _dirtied(rng, person):
    """Return the person as somebody else typed them: one to three kinds of dirt."""
    dirty = dict(person)
    kinds = rng.permutation(len(DIRT))[: 1 + int(rng.integers(0, 3))]
    # in the order of DIRT: what spoils a value comes before what removes it
    for kind in sorted(kinds.tolist()):
        DIRT[kind](rng, dirty)
    return dirty


def _phone_format(rng, person):
    digits = person["phone"][-11:]
    person["phone"] = (
        digits,
        f"{digits[:3]} {digits[3:7]} {digits[7:]}",
        f"+86-{digits[:3]}-{digits[3:7]}-{digits[7:]}",
        f"0086{digits}",
    )[int(rng.integers(0, 4))]


def _full_width(_rng, person):
    person["phone"] = person["phone"][-11:].translate(FULL_WIDTH)


def _name_typo(rng, person):
    name = person["name"]
    place = int(rng.integers(0, len(name)))
    if name.isascii():
        person["name"] = name[:place] + name[place + 1 :] if len(name) > 4 else name
    else:
        person["name"] = name[:1] + " " + name[1:] if place else name + name[-1]


def _email_case(_rng, person):
    local, _at, domain = person["email"].partition("@")
    person["email"] = f" {local.capitalize()}@{domain.upper()}"


def _email_typo(rng, person):
    email = person["email"]
    place = 1 + int(rng.integers(0, email.index("@") - 1))
    person["email"] = email[:place] + email[place + 1 :]


def _placeholder(rng, person):
    field = ("phone", "email", "city")[int(rng.integers(0, 3))]
    choices = PLACEHOLDERS[field]
    person[field] = choices[int(rng.integers(0, len(choices)))]


def _missing(rng, person):
    person[("email", "street", "city")[int(rng.integers(0, 3))]] = ""


DIRT = (
    _phone_format,
    _full_width,
    _name_typo,
    _email_case,
    _email_typo,
    _placeholder,
    _missing,
)
