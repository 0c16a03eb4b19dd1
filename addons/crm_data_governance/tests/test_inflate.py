import gzip
import random
import tracemalloc
import zlib
from unittest.mock import patch

from odoo.tests import BaseCase, tagged

from ..tools.inflate import (
    MAX_MEMBERS,
    InflateError,
    TooLarge,
    UnknownCoding,
    inflate,
)


@tagged("post_install", "-at_install")
class TestInflate(BaseCase):
    def test_round_trips(self):
        chance = random.Random(7)
        for size in (0, 1, 100, 65_535, 65_536, 65_537, 300_000):
            data = chance.randbytes(size // 2) + b"a" * (size - size // 2)
            deflater = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
            bare = deflater.compress(data) + deflater.flush()
            for coding, sent in (
                (None, data),
                ("", data),
                (" Identity ", data),
                ("gzip", gzip.compress(data)),
                ("x-gzip", gzip.compress(data)),
                ("deflate", zlib.compress(data)),
                ("deflate", bare),
            ):
                self.assertEqual(inflate(sent, coding, size), data, (coding, size))
                if size:
                    with self.assertRaises(TooLarge):
                        inflate(sent, coding, size - 1)

    def test_members(self):
        parts = [b"one", b"", b"three" * 1000]
        sent = b"".join(gzip.compress(part) for part in parts)
        self.assertEqual(inflate(sent, "gzip", 10_000), b"".join(parts))
        with self.assertRaises(TooLarge):
            inflate(sent, "gzip", 5_002)

    def test_bomb_takes_no_memory(self):
        # 200 MB of zeros in 200 kB.
        bomb = gzip.compress(b"\0" * 200_000_000, 9)
        self.assertLess(len(bomb), 300_000)
        for sent, coding in ((bomb, "gzip"), (bomb * 5, "gzip")):
            tracemalloc.start()
            with self.assertRaises(TooLarge):
                inflate(sent, coding, 1_000_000)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            self.assertLess(peak, 4_000_000)

    def test_each_byte_is_handed_over_once(self):
        # A copy of the whole rest at each step makes large bodies quadratic.
        handed = []
        make = zlib.decompressobj

        class Counting:
            def __init__(self, wbits):
                self._stream = make(wbits)

            def decompress(self, data, limit):
                handed.append(len(data))
                return self._stream.decompress(data, limit)

            def __getattr__(self, name):
                return getattr(self._stream, name)

        noise = random.Random(3).randbytes(8 * 2**20)
        for sent, coding in (
            (gzip.compress(noise, 1), "gzip"),
            (zlib.compress(noise, 1), "deflate"),
            (gzip.compress(b"x") * MAX_MEMBERS, "gzip"),
        ):
            handed.clear()
            with patch.object(zlib, "decompressobj", Counting):
                inflate(sent, coding, 2**24)
            self.assertLess(sum(handed), 2 * len(sent) + 2**26)

    def test_too_many_members(self):
        sent = gzip.compress(b"")
        self.assertEqual(inflate(sent * MAX_MEMBERS, "gzip", 10), b"")
        with self.assertRaises(InflateError):
            inflate(sent * (MAX_MEMBERS + 1), "gzip", 10)

    def test_broken(self):
        good = gzip.compress(b"hello" * 100)
        flipped = good[:-8] + bytes([good[-8] ^ 1]) + good[-7:]
        for coding, sent in (
            ("gzip", b""),
            ("gzip", b"hello"),
            ("gzip", good[:10]),
            ("gzip", good[:-1]),
            ("gzip", flipped),
            ("gzip", good + b"x"),
            ("gzip", zlib.compress(b"hello")),
            ("deflate", b""),
            ("deflate", b"\xff\xff\xff"),
            ("deflate", zlib.compress(b"hello")[:-1]),
            ("deflate", zlib.compress(b"hello") + b"x"),
        ):
            with self.assertRaises(InflateError) as caught:
                inflate(sent, coding, 10_000)
            self.assertIs(type(caught.exception), InflateError)

    def test_any_truncation_or_noise_is_an_error_of_ours(self):
        good = gzip.compress(bytes(range(256)) * 4)
        chance = random.Random(11)
        for end in range(len(good)):
            with self.assertRaises(InflateError):
                inflate(good[:end], "gzip", 10_000)
        for _turn in range(500):
            noisy = bytearray(good)
            noisy[chance.randrange(len(noisy))] ^= 1 << chance.randrange(8)
            try:
                inflate(bytes(noisy), "gzip", 2_000)
            except InflateError:
                continue  # any other exception would fail the test

    def test_codings(self):
        for coding in ("br", "compress", "zstd", "gzip, deflate", "gzip;q=1"):
            with self.assertRaises(UnknownCoding):
                inflate(b"x", coding, 10)
