import csv
from datetime import date, timedelta

import phonenumbers
import xlrd
from babel.dates import format_date
from babel.numbers import format_currency

from odoo.tests import BaseCase, tagged
from odoo.tools import file_open

from odoo.addons.crm_omnichannel.messages import MESSAGES
from odoo.addons.crm_omnichannel.tools import normalisers
from odoo.addons.crm_omnichannel.tools.addresses import split_address
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
        ("021-65529988-8001", "CN", "+862165529988"),
        ("021-65529988,8001", "CN", "+862165529988"),
        ("tel:+86-139-1612-3456;ext=12", None, "+8613916123456"),
        ("+44 (0)20 7946 0958", "CN", "+442079460958"),
        ("400-820-8820", "CN", "+864008208820"),
        ("（０２１）６５５２９９８８分機８００１", "CN", "+862165529988"),
        ("13916123456/13816123457", "CN", BadValue),
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
        ("a@example.org;", None, "a@example.org"),
        ("用户@例子.中国", None, "用户@例子.中国"),
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
        ("2024年3月5日", None, "2024-03-05"),
        ("2024年3月5日 星期二", None, "2024-03-05"),
        ("2024年3月5日14:30", None, "2024-03-05"),
        ("2024年3月5日 14点", None, "2024-03-05"),
        ("24年3月5日", None, "2024-03-05"),
        ("二〇二四年三月五日", None, "2024-03-05"),
        ("二零二四年十二月二十五日", None, "2024-12-25"),
        ("民国113年3月5日", None, "2024-03-05"),
        ("民國113/3/5", None, "2024-03-05"),
        ("民国元年1月1日", None, "1912-01-01"),
        ("2024年3月", None, BadValue),
        ("24/3/5", None, "2024-03-05"),
        ("99/12/31", None, "1999-12-31"),
        ("24/03/05", None, BadValue),
        ("24/03/05", "ymd", "2024-03-05"),
        ("24/03/05", "dmy", "2005-03-24"),
        ("05/03/24", "mdy", "2024-05-03"),
        ("12/31/99", None, "1999-12-31"),
        (45356, None, "2024-03-05"),
        (45356.0, None, "2024-03-05"),
        ("45356", None, "2024-03-05"),
        (42, None, BadValue),
        ("2024-W10-2", None, "2024-03-05"),
        ("2024-065", None, "2024-03-05"),
        ("2023-366", None, BadValue),
        ("2024-03-05T23:30:00+08:00", None, "2024-03-05"),
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
    "halfwidth": [("（Ａ）：１％", None, "(A):1%"), ("中文。", None, "中文。")],
    "simplified": [
        ("臺灣漢語", None, "台湾汉语"),
        ("張偉國", None, "张伟国"),
        ("乾燥的皇后在後面", None, "干燥的皇后在后面"),
        ("乾隆", None, "乾隆"),
        ("plain", None, "plain"),
        ("null", None, None),
    ],
    "traditional": [
        ("张伟国", None, "張偉國"),
        ("干燥的皇后在后面", None, "乾燥的皇后在後面"),
        ("頭髮", None, "頭髮"),
    ],
    "person": [
        ("王伟先生", None, "王伟"),
        ("欧阳明博士", None, "欧阳明"),
        ("王先生", None, "王先生"),
        ("欧阳女士", None, "欧阳女士"),
        ("Dr. Smith, John", None, "John Smith"),
        ("Mr. John Smith", None, "John Smith"),
        ("Prof. Dr. Ada Lovelace, PhD", None, "Ada Lovelace"),
        ("Dr", None, "Dr"),
        ("SMITH, JOHN", "title", "John Smith"),
        ("微信用户", None, None),
    ],
    "company": [
        ("西门子（中国）有限公司", None, "西门子"),
        ("西門子", None, "西门子"),
        ("华东贸易（集团）股份有限公司", None, "华东贸易"),
        ("华东贸易集团有限公司", None, "华东贸易"),
        ("华东贸易有限责任公司", None, "华东贸易"),
        ("通用（上海）汽车有限公司", None, "通用汽车"),
        ("红星（东门）商店", None, "红星(东门)商店"),
        ("株式会社日立製作所", None, "日立制作所"),
        ("Acme Trading Co., Ltd.", None, "acme trading"),
        ("ACME Trading (China) Limited", None, "acme trading"),
        ("Müller GmbH & Co. KG", None, "müller"),
        ("Acme, Inc.", None, "acme"),
        ("Acme Holdings S.p.A.", None, "acme"),
        ("Costco", None, "costco"),
        ("有限公司", None, "有限公司"),
        ("Ltd", None, "ltd"),
    ],
    "amount": [
        ("￥1,234.50", None, 1234.5),
        ("1.2万", None, 12000),
        ("1.2万元", None, 12000),
        ("人民币3亿元整", None, 300000000),
        ("RMB 1 234", None, 1234),
        ("$1.5k", None, 1500),
        ("2.5M USD", None, 2500000),
        ("1.234,50 €", None, 1234.5),
        ("1,234", None, 1234),
        ("1,5", None, 1.5),
        ("1,234", ",", 1.234),
        ("1.234.567", None, 1234567),
        ("-5", None, -5),
        ("-￥5.00", None, -5),
        ("￥-5.00", None, -5),
        ("（5.00）", None, -5),
        ("壹仟贰佰叁拾肆元伍角陆分", None, 1234.56),
        ("壹万元整", None, 10000),
        ("一千二百", None, 1200),
        ("１２３．４", None, 123.4),
        (1.5, None, 1.5),
        (7, None, 7),
        ("", None, None),
        ("much", None, BadValue),
        ("1,23,4.5.6", None, BadValue),
        ("1.5 apples", None, BadValue),
    ],
    "currency": [
        ("￥", None, "CNY"),
        ("¥", "JP", "JPY"),
        ("RMB", None, "CNY"),
        ("人民币", None, "CNY"),
        ("元", None, "CNY"),
        ("usd", None, "USD"),
        ("US Dollar", None, "USD"),
        ("美元", None, "USD"),
        ("HK$", None, "HKD"),
        ("港币", None, "HKD"),
        ("￥1,234.50", None, "CNY"),
        ("HK$5", None, "HKD"),
        ("5 EUR", None, "EUR"),
        ("shells", None, BadValue),
        ("5", None, BadValue),
    ],
    "province": [
        ("上海", None, "上海市"),
        ("内蒙古", None, "内蒙古自治区"),
        ("廣東省", None, "广东省"),
        ("Guangdong Province", None, "广东省"),
        ("Tibet", None, "西藏自治区"),
        ("广东省深圳市南山区科技园1号", None, "广东省"),
        ("浦东新区世纪大道100号", None, "上海市"),
        ("Bavaria", None, BadValue),
        ("南京路1号", None, BadValue),
        ("未知", None, None),
    ],
    "city": [
        ("深圳", None, "深圳市"),
        ("延边", None, "延边朝鲜族自治州"),
        ("吉林", None, "吉林市"),
        ("北京市朝阳区建国路1号", None, "北京市"),
        ("London", None, BadValue),
    ],
    "district": [
        ("广东深圳南山区", None, "南山区"),
        ("朝阳区", None, "朝阳区"),
        ("上海南京西路1号", None, None),
    ],
    "street": [
        ("上海市静安区南京西路1266号", None, "南京西路1266号"),
        ("南京路1号", None, "南京路1号"),
        ("上海市", None, None),
        ("10 Downing Street", None, "10 Downing Street"),
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
            ("Ludwig van Beethoven", "Ludwig", "van Beethoven"),
            ("Van Morrison", "Van", "Morrison"),
            ("诸葛孔明", "孔明", "诸葛"),
            ("欧阳娜娜", "娜娜", "欧阳"),
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

    # --- AGAINST OTHERS' FORMS ---

    def test_dates_against_babel_and_xlrd(self):
        """Each day of two years, as the locales write it, and as Excel counts it."""
        first = date(2023, 1, 1)
        for number in range(731):
            day = first + timedelta(days=number)
            for form, locale in (
                ("long", "zh_CN"),
                ("yyyy/M/d", "zh_CN"),
                ("full", "zh_CN"),
                ("long", "en_US"),
                ("medium", "en_GB"),
                ("YYYY-'W'ww-e", "de_DE"),
            ):
                text = format_date(day, form, locale)
                with self.subTest(text=text):
                    self.assertEqual(normalisers.day(text), day.isoformat())
            serial = (day - date(1899, 12, 30)).days
            self.assertEqual(
                normalisers.day(serial),
                xlrd.xldate_as_datetime(serial, 0).date().isoformat(),
            )

    def test_amounts_against_babel(self):
        for code, locale in (
            ("CNY", "zh_CN"),
            ("USD", "en_US"),
            ("EUR", "de_DE"),
            ("GBP", "en_GB"),
            ("HKD", "zh_HK"),
            ("CNY", "en_US"),
        ):
            for number in (0.5, 7, 1234.5, 98765432.1):
                text = format_currency(number, code, locale=locale)
                with self.subTest(text=text):
                    self.assertEqual(normalisers.amount(text), number)
                    self.assertEqual(normalisers.currency(text), code)

    def test_provinces_against_odoo(self):
        """Odoo's own list has the same names, and every short form is one of them."""
        with file_open("base/data/res.country.state.csv") as file:
            names = {
                row["name"]
                for row in csv.DictReader(file)
                if row["id"].startswith("state_cn_")
            }
        mainland = {name for name in names if name[:2] not in ("台湾", "香港", "澳门")}
        self.assertEqual(len(mainland), 31)
        for name in mainland:
            short = name[:3] if name[:2] in ("内蒙", "黑龙") else name[:2]
            for text in (name, short, f"中国{name}"):
                with self.subTest(text=text):
                    self.assertEqual(normalisers.province(text), name)

    def test_addresses(self):
        for text, *expected in (
            ("广东省深圳市南山区科技园1号", "广东省", "深圳市", "南山区", "科技园1号"),
            ("广东深圳南山区科技园1号", "广东省", "深圳市", "南山区", "科技园1号"),
            ("广东 深圳 南山", "广东省", "深圳市", "南山区", ""),
            ("深圳市南山区", "广东省", "深圳市", "南山区", ""),
            ("上海浦东新区世纪大道1号", "上海市", "上海市", "浦东新区", "世纪大道1号"),
            ("上海市上海市徐汇区", "上海市", "上海市", "徐汇区", ""),
            ("北京市市辖区东城区", "北京市", "北京市", "东城区", ""),
            ("重庆万州", "重庆市", "重庆市", "万州区", ""),
            ("江苏省昆山市花桥镇", "江苏省", "苏州市", "昆山市", "花桥镇"),
            ("昆山市花桥镇", "江苏省", "苏州市", "昆山市", "花桥镇"),
            ("湖北省仙桃市", "湖北省", "仙桃市", None, ""),
            ("东莞市长安镇", "广东省", "东莞市", None, "长安镇"),
            ("内蒙古呼和浩特新城区", "内蒙古自治区", "呼和浩特市", "新城区", ""),
            (
                "广西南宁青秀区民族大道",
                "广西壮族自治区",
                "南宁市",
                "青秀区",
                "民族大道",
            ),
            ("新疆伊犁霍城县", "新疆维吾尔自治区", "伊犁哈萨克自治州", "霍城县", ""),
            ("海南藏族自治州共和县", "青海省", "海南藏族自治州", "共和县", ""),
            ("海南省海口市龙华区", "海南省", "海口市", "龙华区", ""),
            ("吉林省吉林市昌邑区", "吉林省", "吉林市", "昌邑区", ""),
            ("吉林市昌邑区", "吉林省", "吉林市", "昌邑区", ""),
            ("中国，四川省，成都市，武侯区", "四川省", "成都市", "武侯区", ""),
            ("廣東省廣州市天河區體育西路", "广东省", "广州市", "天河区", "體育西路"),
            ("南京路1号", None, None, None, "南京路1号"),
            ("北京西路5号", None, None, None, "北京西路5号"),
            ("南京市中山路1号", "江苏省", "南京市", None, "中山路1号"),
            # there are two of this name, in two cities
            ("朝阳区建国路1号", None, None, None, "朝阳区建国路1号"),
            ("10 Downing Street", None, None, None, "10 Downing Street"),
        ):
            with self.subTest(text=text):
                self.assertEqual(list(split_address(text)), expected)
