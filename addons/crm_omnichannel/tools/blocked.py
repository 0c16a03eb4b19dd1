"""Values that stand for "nothing": what forms, platforms and testers leave behind.

Compared after folding (NFKC, case, spaces), so that ``Null`` and ``ＮＵＬＬ`` are one.
A blocked value counts as missing, never as an identifier: two customers with the
telephone 13800138000 have nothing in common.
"""

import re
import unicodedata

#: in any field
_ANY = {
    "",
    "-",
    "--",
    "/",
    "#n/a",
    "(null)",
    "<null>",
    "[null]",
    "n.a.",
    "n/a",
    "nan",
    "nil",
    "none",
    "not available",
    "not provided",
    "null",
    "undefined",
    "unknown",
    "不知道",
    "不详",
    "保密",
    "无",
    "暂无",
    "未填写",
    "未知",
    "没有",
    "空",
}
_NAME = {
    "anonymous",
    "guest",
    "test",
    "tester",
    "test test",
    "user",
    "wechat user",
    "匿名",
    "匿名用户",
    "客户",
    "微信用户",
    "抖音用户",
    "支付宝用户",
    "测试",
    "淘宝用户",
    "游客",
    "用户",
    "访客",
}
_PHONE = {
    "10000000000",
    "12345678",
    "12345678900",
    "12345678910",
    "13000000000",
    "13800000000",
    "13800138000",
    "13888888888",
    "13900000000",
    "15555555555",
    "18888888888",
}
_EMAIL = {
    "a@a.com",
    "abc@abc.com",
    "none@none.com",
    "noreply@example.com",
    "test@example.com",
    "test@test.com",
    "user@example.com",
}
_SAME_DIGITS = re.compile(r"^(?:\+?86)?(\d)\1*$")
_NOT_DIGIT = re.compile(r"\D")
_SPACES = re.compile(r"\s+")


def fold(text):
    """Return a text as it is compared: NFKC, one space, lower case."""
    return _SPACES.sub(" ", unicodedata.normalize("NFKC", text)).strip().casefold()


def is_blocked(text, kind="any"):
    """Tell whether a text stands for nothing.

    :param str text: the value as sent
    :param str kind: ``any``, ``name``, ``phone``, ``email`` or ``identifier``
    """
    folded = fold(text)
    if folded in _ANY:
        return True
    if kind == "name":
        return folded in _NAME
    if kind == "email":
        return folded in _EMAIL
    if kind == "phone":
        digits = _NOT_DIGIT.sub("", folded)
        if digits.startswith("86") and len(digits) == 13:
            digits = digits[2:]
        return digits in _PHONE or bool(_SAME_DIGITS.match(digits))
    if kind == "identifier":
        # Segment's list: only zeros and dashes, -1, anonymous
        return folded in {"-1", "anonymous"} or not folded.strip("0-")
    return False
