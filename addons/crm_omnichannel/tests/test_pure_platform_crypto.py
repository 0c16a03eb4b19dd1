from odoo.tests import BaseCase, tagged

from odoo.addons.crm_omnichannel.tools.platform import CallbackError, Keys
from odoo.addons.crm_omnichannel.tools.platform_crypto import (
    CryptoError,
    decrypt,
    encrypt,
    encrypt_reply,
    is_signed,
    read_key,
    sign,
)
from odoo.addons.crm_omnichannel.tools.safe_xml import XmlError, read_message
from odoo.addons.crm_omnichannel.tools.wecom import WeComAdapter

# The example of WeCom's own page 加解密方案说明 (path 90968), section 举例说明.
OFFICIAL = Keys(
    "wx5823bf96d3bd56c7", "QDG6eK", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
)
TIMESTAMP, NONCE = "1409659813", "1372623149"
SIGNATURE = "477715d11cdb4164915debcba66cb864d751f3e6"
CIPHERTEXT = (
    "RypEvHKD8QQKFhvQ6QleEB4J58tiPdvo+rtK1I9qca6aM/wvqnLSV5zEPeusUiX5L5X/0lWfrf0QADHHhGd"
    "3QczcdCUpj911L3vg3W/sYYvuJTs3TUUkSUXxaccAS0qhxchrRYt66wiSpGLYL42aM6A8dTT+6k4aSknmPj"
    "48kzJs8qLjvd4Xgpue06DOdnLxAUHzM6+kDZ+HMZfJYuR+LtwGc2hgf5gsijff0ekUNXZiqATP7PF5mZxZ3"
    "Izoun1s4zG4LUMnvw2r+KqCKIw+3IQH03v+BCA9nMELNqbSf6tiWSrXJB3LAVGUcallcrw8V2t9EL4EhzJW"
    "rQUax5wLVMNS0+rUPA3k22Ncx4XXZS9o0MBH27Bo6BpNelZpS+/uh9KsNlY6bHCmJU9p8g7m3fVKn28H3KD"
    "YA5Pl/T8Z1ptDAVe0lXdQ2YoyyH2uyPIGHBZZIs2pDBS8R07+qN+E7Q=="
)
# The platform's sample libraries (path 90307): the check of an address.
ECHO_SIGNATURE = "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3"
ECHO_TIMESTAMP, ECHO_NONCE = "1409659589", "263014780"
ECHO = (
    "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvna"
    "qQ=="
)
QUERY = {"msg_signature": SIGNATURE, "timestamp": TIMESTAMP, "nonce": NONCE}
RANDOM = bytes(range(16))


def envelope(ciphertext):
    return f"<xml><Encrypt><![CDATA[{ciphertext}]]></Encrypt></xml>".encode()


@tagged("post_install", "-at_install")
class TestPlatformCrypto(BaseCase):
    def test_official_vector(self):
        self.assertEqual(sign("QDG6eK", TIMESTAMP, NONCE, CIPHERTEXT), SIGNATURE)
        message = decrypt(OFFICIAL.aes_key, CIPHERTEXT, OFFICIAL.app_id)
        self.assertEqual(
            read_message(message),
            {
                "ToUserName": "wx5823bf96d3bd56c7",
                "FromUserName": "mycreate",
                "CreateTime": "1409659813",
                "MsgType": "text",
                "Content": "hello",
                "MsgId": "4561255354251345929",
                "AgentID": "218",
            },
        )
        callback = WeComAdapter.open_callback(OFFICIAL, QUERY, envelope(CIPHERTEXT))
        self.assertEqual(callback.payload, message)
        self.assertEqual(callback.timestamp, 1409659813)
        self.assertEqual(callback.subject, "other:text")

    def test_official_echo(self):
        query = {
            "msg_signature": ECHO_SIGNATURE,
            "timestamp": ECHO_TIMESTAMP,
            "nonce": ECHO_NONCE,
            "echostr": ECHO,
        }
        self.assertEqual(WeComAdapter.echo(OFFICIAL, query), "1616140317555161061")

    def test_padding_is_to_32(self):
        """All lengths of padding there and back, a whole block too."""
        for length in range(70):
            message = b"x" * length
            ciphertext = encrypt(OFFICIAL.aes_key, message, "ww1", RANDOM)
            self.assertEqual(decrypt(OFFICIAL.aes_key, ciphertext, "ww1"), message)

    def test_another_receiver_or_key(self):
        ciphertext = encrypt(OFFICIAL.aes_key, b"m", "ww1", RANDOM)
        other_key = OFFICIAL.aes_key[::-1]
        for key, receiver in (
            # the id of a company is case-sensitive
            (OFFICIAL.aes_key, "WW1"),
            (OFFICIAL.aes_key, ""),
            (other_key, "ww1"),
        ):
            with self.assertRaises(CryptoError):
                decrypt(key, ciphertext, receiver)

    def test_damaged_ciphertext(self):
        for ciphertext in ("", "!", "AAAA", CIPHERTEXT[:-4], CIPHERTEXT[4:], "=" * 64):
            with self.assertRaises(CryptoError):
                decrypt(OFFICIAL.aes_key, ciphertext, OFFICIAL.app_id)
        for key in ("", "short", OFFICIAL.aes_key + "A", "é" * 43, "=" * 43):
            with self.assertRaises(CryptoError):
                read_key(key)

    def test_reply_is_read_by_the_other_side(self):
        reply = read_message(
            encrypt_reply(OFFICIAL, b"<xml/>", TIMESTAMP, NONCE, RANDOM).encode()
        )
        self.assertTrue(
            is_signed(
                reply["MsgSignature"], "QDG6eK", TIMESTAMP, NONCE, reply["Encrypt"]
            )
        )
        found = decrypt(OFFICIAL.aes_key, reply["Encrypt"], OFFICIAL.app_id)
        self.assertEqual(found, b"<xml/>")

    def test_signature(self):
        self.assertTrue(is_signed(SIGNATURE, "QDG6eK", TIMESTAMP, NONCE, CIPHERTEXT))
        for wrong in ("", SIGNATURE.upper(), SIGNATURE[:-1], "签名"):
            self.assertFalse(is_signed(wrong, "QDG6eK", TIMESTAMP, NONCE, CIPHERTEXT))

    def refused(self, code, query, body):
        with self.assertRaises(CallbackError) as caught:
            WeComAdapter.open_callback(OFFICIAL, query, body)
        self.assertEqual(caught.exception.code, code)

    def test_refused_callbacks(self):
        body = envelope(CIPHERTEXT)
        self.refused("bad_signature", {**QUERY, "nonce": "1"}, body)
        self.refused("bad_signature", {}, body)
        self.refused("bad_signature", QUERY, envelope(CIPHERTEXT[4:]))
        self.refused("bad_callback", QUERY, b"")
        self.refused("bad_callback", QUERY, b"<xml>")
        self.refused("bad_callback", QUERY, b"<xml><Encrypt><a>1</a></Encrypt></xml>")
        self.refused("bad_callback", QUERY, b"\xff\xfe<xml/>")
        # signed by who knows the token, but not encrypted
        query = {**QUERY, "msg_signature": sign("QDG6eK", TIMESTAMP, NONCE, "plain")}
        self.refused("bad_callback", query, envelope("plain"))

    def test_refused_inside(self):
        """What is inside is read as carefully as what is around it."""
        for message in (
            b"no xml",
            b"<!DOCTYPE x [<!ENTITY a 'b'>]><xml><Event>&a;</Event></xml>",
            b"<xml><Event>change_external_contact</Event></xml>",
            b"<xml><Event>change_external_contact</Event><ExternalUserID>%s"
            b"</ExternalUserID></xml>" % (b"w" * 129),
        ):
            ciphertext = encrypt(OFFICIAL.aes_key, message, OFFICIAL.app_id, RANDOM)
            query = {
                **QUERY,
                "msg_signature": sign("QDG6eK", TIMESTAMP, NONCE, ciphertext),
            }
            self.refused("bad_callback", query, envelope(ciphertext))


@tagged("post_install", "-at_install")
class TestSafeXml(BaseCase):
    def test_message(self):
        self.assertEqual(
            read_message(
                "<xml><A><![CDATA[客户]]></A><B> 1 </B><C><D>2</D></C>"
                "<E>1</E><E>2</E><E>3</E><F/></xml>".encode()
            ),
            {"A": "客户", "B": "1", "C": {"D": "2"}, "E": ["1", "2", "3"], "F": ""},
        )

    def test_refused(self):
        bomb = b"<!DOCTYPE l [<!ENTITY a '" + b"x" * 99 + b"'>"
        for number, name in enumerate(b"bcdefgh"):
            before = bytes([b"abcdefg"[number]])
            bomb += b"<!ENTITY %c '%s'>" % (name, b"&" + before + b";" * 1 * 9)
        bomb += b"]><xml><A>&h;</A></xml>"
        for data in (
            b"",
            b"text",
            b"<xml>text</xml>",
            b"<xml><A></xml>",
            b"<xml/><xml/>",
            b"<xml><A>&unknown;</A></xml>",
            b"<!DOCTYPE xml><xml><A>1</A></xml>",
            b"<!DOCTYPE xml SYSTEM 'http://127.0.0.1/x.dtd'><xml><A>1</A></xml>",
            b"<!DOCTYPE x [<!ENTITY f SYSTEM 'file:///etc/passwd'>]><xml><A>&f;</A></xml>",
            bomb,
            b"<xml>" + b"<a>" * 50 + b"</a>" * 50 + b"</xml>",
            b"<xml>" + b"<a>1</a>" * 6000 + b"</xml>",
        ):
            with self.subTest(data=data[:60]), self.assertRaises(XmlError):
                read_message(data)
