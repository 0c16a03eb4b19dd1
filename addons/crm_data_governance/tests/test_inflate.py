import gzip
import random
import tracemalloc
import zlib

from odoo.tests import BaseCase, tagged

from ..tools.inflate import InflateError, TooLarge, UnknownCoding, inflate


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
