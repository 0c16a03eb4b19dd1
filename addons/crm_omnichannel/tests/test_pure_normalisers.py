import phonenumbers

from odoo.tests import BaseCase, tagged

from odoo.addons.crm_omnichannel.messages import MESSAGES
from odoo.addons.crm_omnichannel.tools import normalisers
from odoo.addons.crm_omnichannel.tools.normalisers import NORMALISERS, BadValue

CASES = {
    "phone": [
        ("138 1234 5678x", None, BadValue),
        ("139 1612 3456", "CN", "+8613916123456"),
        ("139-1612-3456", "CN", "+8613916123456"),
        ("１３９１６１２３４５６", "CN", "+8613916123456"),
        ("139.1612.3456", "CN", "+8613916123456"),
        ("+86 139 1612 3456", None, "+8613916123456"),
        ("8613916123456", "CN", "+8613916123456"),
        ("0086-139-1612-3456", "CN", "+8613916123456"),
        (13916123456, "CN", "+8613916123456"),
        (13916123456.0, "CN", "+8613916123456"),
        ("(010) 6552-9988", "CN", "+861065529988"),
        ("021－6552９９８８ 转 8001", "CN", "+862165529988"),
        ("+44 20 7946 0958", "CN", "+442079460958"),
        ("0412 000 001", "AU", "+61412000001"),
        ("(212) 555-2368", "us", "+12125552368"),
        # no number of the country, but a mainland mobile number
        ("138 1234 5678", "US", "+8613812345678"),
        ("139 1612 3456", None, "+8613916123456"),
        # a number of the country stays one
        ("1 312 555 2368", "US", "+13125552368"),
        ("13800138000", "CN", None),
        ("+86 138 0013 8000", "CN", None),
        ("000000", "CN", None),
        ("", "CN", None),
        ("null", "CN", None),
        ("12", "CN", BadValue),
        ("not a number", "CN", BadValue),
        ("139 1612 345", "CN", BadValue),
        (["139"], "CN", BadValue),
    ],
    "email": [
        ("Wang.Wei@Example.COM ", None, "wang.wei@example.com"),
        ("王伟 <wang@example.com>", None, "wang@example.com"),
        ("mailto:a.b@example.org", None, "a.b@example.org"),
        ("ａ＠ｅｘａｍｐｌｅ．ｏｒｇ", None, "a@example.org"),
        ("a+b@sub.example.co.uk", None, "a+b@sub.example.co.uk"),
        ("test@test.com", None, None),
        ("NULL", None, None),
        ("a@b", None, BadValue),
        ("a b@example.com", None, BadValue),
        ("a@@example.com", None, BadValue),
        ("a..b@example.com", None, BadValue),
        ("a@example.com, b@example.com", None, BadValue),
        ("x" * 65 + "@example.com", None, BadValue),
    ],
    "date": [
        ("1990-01-02", None, "1990-01-02"),
        ("1990/1/2", None, "1990-01-02"),
        ("1990.01.02", None, "1990-01-02"),
        ("1990-01-02T10:00:00Z", None, "1990-01-02"),
        ("1990-01-02 00:00:00", None, "1990-01-02"),
        ("19900102", None, "1990-01-02"),
        (19900102, None, "1990-01-02"),
        ("1990年1月2日", None, "1990-01-02"),
        ("１９９０年０１月０２日", None, "1990-01-02"),
        ("1990 年 1 月 2 号", None, "1990-01-02"),
        ("2 Jan 1990", None, "1990-01-02"),
        ("January 2, 1990", None, "1990-01-02"),
        ("02/01/1990", None, BadValue),
        ("02/01/1990", "dmy", "1990-01-02"),
        ("02/01/1990", "mdy", "1990-02-01"),
        ("13/01/1990", None, "1990-01-13"),
        ("01/13/1990", None, "1990-01-13"),
        ("03/03/1990", None, "1990-03-03"),
        ("13/01/1990", "mdy", BadValue),
        ("0000-00-00", None, None),
        ("1990-02-30", None, BadValue),
        ("19901301", None, BadValue),
        ("0190-01-02", None, BadValue),
        ("soon", None, BadValue),
        ("2 Foo 1990", None, BadValue),
        ("未知", None, None),
    ],
    "name": [
        (" 王　伟 ", None, "王伟"),
        ("欧阳 明", None, "欧阳明"),
        ("Ada   Lovelace", None, "Ada Lovelace"),
        ("ADA LOVELACE", "title", "Ada Lovelace"),
        ("o'neill jean-luc", "title", "O'Neill Jean-Luc"),
        ("McDonald", "title", "McDonald"),
        ("Ａda", None, "Ada"),
        ("华东贸易有限公司", None, "华东贸易有限公司"),
        ("微信用户", None, None),
        ("Test", None, None),
        ("null", None, None),
        ("x" * 256, None, BadValue),
    ],
    "gender": [
        ("男", None, "male"),
        ("F", None, "female"),
        ("先生", None, "male"),
        (1, None, "male"),
        (0, None, None),
        ("保密", None, None),
        ("blue", None, BadValue),
    ],
    "country": [
        ("cn", None, "CN"),
        ("中国", None, "CN"),
        ("Germany", None, "DE"),
        ("德国", None, "DE"),
        ("United Kingdom", None, "GB"),
        ("UK", None, "GB"),
        ("Atlantis", None, BadValue),
    ],
    "language": [
        ("zh", None, "zh_CN"),
        ("zh-CN", None, "zh_CN"),
        ("en_us", None, "en_US"),
        ("fr_FR", None, "fr_FR"),
        ("Elvish", None, BadValue),
    ],
    "tags": [
        ("VIP, 老客户;vip", None, ["VIP", "老客户"]),
        (["b", "a", "null"], None, ["a", "b"]),
        ("a，b、c", None, ["a", "b", "c"]),
        ("", None, None),
        (None, None, None),
        ([["x"]], None, BadValue),
    ],
    "text": [
        ("  a\u200b  b\tc\n d ", None, "a b c\nd"),
        ("Ａ１（中）", None, "A1（中）"),
        ("abcdef", "5", BadValue),
        ("无", None, None),
        (True, None, "true"),
        (1.5, None, "1.5"),
        ({"a": 1}, None, BadValue),
    ],
    "line": [("a\nb", None, "a b")],
    "postcode": [("ec1a 1bb", None, "EC1A 1BB"), (200040, None, "200040")],
    "website": [
        ("example.com/a", None, "http://example.com/a"),
        ("https://example.com", None, "https://example.com"),
        ("javascript:alert(1)", None, BadValue),
        ("nothing", None, BadValue),
    ],
    "identifier": [
        (" oLVP-x_Y ", None, "oLVP-x_Y"),
        (42, None, "42"),
        ("-1", None, None),
        ("000-000", None, None),
        ("anonymous", None, None),
        ("x" * 256, None, BadValue),
    ],
}


@tagged("post_install", "-at_install")
class TestNormalisers(BaseCase):
    def test_cases(self):
        self.assertEqual(set(CASES), set(NORMALISERS))
        for code, cases in CASES.items():
            for value, argument, expected in cases:
                with self.subTest(code=code, value=value, argument=argument):
                    if expected is BadValue:
                        with self.assertRaises(BadValue) as caught:
                            normalisers.normalise(code, value, argument)
                        error = caught.exception
                        self.assertIn(error.code, MESSAGES)
                        self.assertTrue(MESSAGES[error.code]._source % error.params)
                    else:
                        result = normalisers.normalise(code, value, argument)
                        self.assertEqual(result, expected)

    def test_idempotent(self):
        """normalise(normalise(x)) == normalise(x), whatever the normaliser."""
        for code in NORMALISERS:
            for cases in CASES.values():
                for value, argument, _expected in cases:
                    try:
                        once = normalisers.normalise(code, value, argument)
                    except BadValue:
                        continue
                    with self.subTest(code=code, value=value, argument=argument):
                        again = normalisers.normalise(code, once, argument)
                        self.assertEqual(again, once)

    def test_phone_against_libphonenumber(self):
        """Every region's example numbers, in three written forms, come out as E.164."""
        forms = phonenumbers.PhoneNumberFormat
        types = phonenumbers.PhoneNumberType
        checked = 0
        for region in phonenumbers.SUPPORTED_REGIONS:
            for kind in (types.MOBILE, types.FIXED_LINE):
                number = phonenumbers.example_number_for_type(region, kind)
                if number is None or not phonenumbers.is_valid_number(number):
                    continue
                expected = phonenumbers.format_number(number, forms.E164)
                if normalisers.is_blocked(expected, "phone"):
                    continue
                for form in (forms.E164, forms.INTERNATIONAL, forms.NATIONAL):
                    text = phonenumbers.format_number(number, form)
                    if form == forms.NATIONAL and (
                        phonenumbers.parse(text, region) != number
                    ):
                        # the library itself cannot read some national forms back
                        continue
                    with self.subTest(region=region, text=text):
                        self.assertEqual(normalisers.phone(text, region), expected)
                        checked += 1
        self.assertGreater(checked, 1000)

    def test_names_split_and_join(self):
        for full, given, surname in (
            ("王伟", "伟", "王"),
            ("欧阳明", "明", "欧阳"),
            ("司马相如", "相如", "司马"),
            ("欧阳", "阳", "欧"),
            ("Ada Lovelace", "Ada", "Lovelace"),
            ("Jean Luc Picard", "Jean Luc", "Picard"),
        ):
            with self.subTest(full=full):
                self.assertEqual(normalisers.split_name(full), (given, surname))
                self.assertEqual(normalisers.join_name(given, surname), full)
        self.assertEqual(normalisers.split_name("Picard, Jean"), ("Jean", "Picard"))
        self.assertEqual(normalisers.split_name("Plato"), ("Plato", None))
        self.assertEqual(normalisers.split_name(None), (None, None))
        self.assertEqual(normalisers.join_name(None, "王"), "王")
        self.assertEqual(normalisers.join_name("Wei", "王"), "Wei 王")
        self.assertIsNone(normalisers.join_name(None, None))
