import random

from odoo.tests import BaseCase, tagged

from ..tools import origins
from ..tools.origins import (
    OriginError,
    host_spellings,
    is_insecure,
    is_of_host,
    normal_origin,
    normalise_origin,
    origin_of_page,
)


@tagged("post_install", "-at_install")
class TestOrigins(BaseCase):
    def _code(self, value, function=normalise_origin):
        with self.assertRaises(OriginError) as caught:
            function(value)
        return caught.exception.code

    def test_canonical(self):
        # What Chromium reports as `new URL(x).origin` for each of these.
        for given, expected in [
            ("https://shop.example.com", "https://shop.example.com"),
            (" HTTPS://Shop.Example.com/ ", "https://shop.example.com"),
            ("https://shop.example.com:443", "https://shop.example.com"),
            ("http://shop.example.com:80", "http://shop.example.com"),
            ("http://shop.example.com:443", "http://shop.example.com:443"),
            ("http://localhost:8069", "http://localhost:8069"),
            ("https://例子.中国", "https://xn--fsqu00a.xn--fiqs8s"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
            ("http://[0:0::1]:8069", "http://[::1]:8069"),
            ("https://my_shop.example.com", "https://my_shop.example.com"),
        ]:
            with self.subTest(given=given):
                self.assertEqual(normalise_origin(given), expected)
                self.assertEqual(normalise_origin(expected), expected)

    def test_refused(self):
        for given, code in [
            ("", "empty"),
            ("   ", "empty"),
            ("shop.example.com", "scheme"),
            ("ftp://shop.example.com", "scheme"),
            ("javascript://alert(1)", "scheme"),
            ("https:shop.example.com", "scheme"),
            ("https://", "host"),
            ("https://*.example.com", "wildcard"),
            ("*", "wildcard"),
            ("https://shop.example.com/shop", "path"),
            ("https://shop.example.com?x=1", "path"),
            ("https://shop.example.com/#top", "path"),
            ("https://user:pw@shop.example.com", "credentials"),
            ("https://shop.example.com:70000", "port"),
            ("https://shop.example.com:0", "port"),
            ("https://shop.example.com:http", "port"),
            ("https://shop example.com", "host"),
            ("https://shop\\example.com", "host"),
            ("https://shop.example.com\nhttps://x.com", "host"),
            ("https://999.1.1.1", "host"),
            ("https://[::zz]", "host"),
            ("https://-shop.example.com", "host"),
            (f"https://{'a' * 64}.example.com", "host"),
            (f"https://{'a.' * 130}com", "host"),
        ]:
            with self.subTest(given=given):
                self.assertEqual(self._code(given), code)

    def test_normal_origin(self):
        for text, expected in (
            ("HTTPS://WWW.Example.COM/", "https://www.example.com"),
            # one address, however it is written: a key bound to it fits
            ("http://[0:0::1]:80", "http://[::1]"),
            ("null", None),
            ("", None),
            (None, None),
            ("https://*.example.com", None),
            ("https://a b", None),
            ("example.com", None),
        ):
            self.assertEqual(normal_origin(text), expected, text)

    def test_host_spellings(self):
        self.assertEqual(
            host_spellings("https://xn--fsqu00a.xn--fiqs8s"),
            {"xn--fsqu00a.xn--fiqs8s", "例子.中国"},
        )

    def test_of_host(self):
        for origin, host, expected in (
            ("https://shop.example.com", "shop.example.com", True),
            ("https://shop.example.com:443", "shop.example.com", True),
            ("http://localhost:8069", "localhost:8069", True),
            ("http://[0:0::1]:8069", "[::1]:8069", True),
            ("http://localhost:8069", "localhost", False),
            ("https://other.example.com", "shop.example.com", False),
            ("https://shop.example.com.evil.com", "shop.example.com", False),
            ("null", "shop.example.com", False),
            ("://shop.example.com", "shop.example.com", False),
            ("null", "", False),
        ):
            self.assertEqual(is_of_host(origin, host), expected, origin)

    def test_refused_value_is_cut(self):
        with self.assertRaises(OriginError) as caught:
            normalise_origin("x" * 10_000)
        self.assertEqual(len(caught.exception.params["value"]), 200)

    def test_lines(self):
        text = "https://a.example\n\n  https://B.example/ \nhttps://a.example:443\n"
        self.assertEqual(
            origins.parse_origins(text), ["https://a.example", "https://b.example"]
        )
        self.assertEqual(origins.parse_origins(False), [])
        many = "\n".join(f"https://s{n}.example" for n in range(101))
        self.assertEqual(self._code(many, origins.parse_origins), "too_many")

    def test_origin_of_page(self):
        page = "https://shop.example.com/shop/desk-1?utm=a#reviews"
        self.assertEqual(origin_of_page(page), "https://shop.example.com")
        self.assertEqual(
            origin_of_page("http://localhost:8069/odoo"), "http://localhost:8069"
        )
        for given, code in [
            ("", "empty"),
            ("/shop", "scheme"),
            ("file:///etc/passwd", "scheme"),
            ("mailto:a@b.c", "scheme"),
        ]:
            with self.subTest(given=given):
                self.assertEqual(self._code(given, origin_of_page), code)

    def test_insecure(self):
        for origin, expected in [
            ("https://shop.example.com", False),
            ("http://shop.example.com", True),
            ("http://localhost:8069", False),
            ("http://localhost.example.com", True),
            ("http://127.0.0.1", False),
            ("http://[::1]:8069", False),
        ]:
            with self.subTest(origin=origin):
                self.assertEqual(is_insecure(origin), expected)

    def test_random_input_never_surprises(self):
        """Whatever is typed: an origin that stays itself, or a known code."""
        rng = random.Random(20260101)
        alphabet = "htps:/[].@?#%*0123456789abcdefäß中\\ \t-_"
        for _ in range(5_000):
            text = "https://" * rng.randint(0, 1) + "".join(
                rng.choice(alphabet) for _ in range(rng.randint(0, 20))
            )
            try:
                origin = normalise_origin(text)
            except OriginError as error:
                self.assertIn(
                    error.code,
                    {
                        "empty",
                        "scheme",
                        "host",
                        "port",
                        "path",
                        "credentials",
                        "wildcard",
                    },
                )
            else:
                self.assertEqual(normalise_origin(origin), origin)
                self.assertEqual(origin_of_page(f"{origin}/page"), origin)
