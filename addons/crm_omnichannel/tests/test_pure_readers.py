import io
import zipfile
from datetime import date, datetime

import openpyxl

from odoo.tests import BaseCase, tagged

from odoo.addons.crm_omnichannel.messages import MESSAGES
from odoo.addons.crm_omnichannel.tools.readers import BadFile, open_table

ROWS = [["编号", "姓名", "城市"], ["1", "王伟", "上海"], ["2", "Zoë", "Köln, Süd"]]
EXPECTED = [
    (2, {"编号": "1", "姓名": "王伟", "城市": "上海"}),
    (3, {"编号": "2", "姓名": "Zoë", "城市": "Köln, Süd"}),
]


def as_csv(rows, delimiter=","):
    def cell(value):
        return f'"{value}"' if "," in value or delimiter in value else value

    return "\r\n".join(delimiter.join(map(cell, row)) for row in rows)


def as_xlsx(rows):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


@tagged("post_install", "-at_install")
class TestReaders(BaseCase):
    def test_encoding_and_delimiter_are_found(self):
        for encoding, found in (
            ("utf-8", "utf-8-sig"),
            ("utf-8-sig", "utf-8-sig"),
            ("gb18030", "gb18030"),
            ("utf-16", "utf-16"),
        ):
            for delimiter in (",", ";", "\t", "|"):
                with self.subTest(encoding=encoding, delimiter=delimiter):
                    content = as_csv(ROWS, delimiter).encode(encoding)
                    table = open_table(content, "list.csv")
                    self.assertEqual(table.kind, "csv")
                    self.assertEqual(table.encoding, found)
                    self.assertEqual(table.delimiter, delimiter)
                    self.assertEqual(table.columns, ROWS[0])
                    self.assertEqual(list(table.rows), EXPECTED)

    def test_workbook(self):
        table = open_table(
            as_xlsx(
                [
                    [None, None],
                    ["id", "phone", "born", "at", "rate"],
                    [1, 13916123456, date(1990, 1, 2), datetime(2026, 5, 4, 8), 0.5],
                    [None, None, None],
                    [2, "139", None, None, None],
                ]
            ),
            "list.xlsx",
        )
        self.assertEqual(table.kind, "xlsx")
        self.assertEqual(
            list(table.rows),
            [
                (
                    3,
                    {
                        "id": 1,
                        "phone": 13916123456,
                        "born": "1990-01-02",
                        "at": "2026-05-04T08:00:00",
                        "rate": 0.5,
                    },
                ),
                (5, {"id": 2, "phone": "139"}),
            ],
        )

    def test_json_lines(self):
        table = open_table(b'{"a": 1}\n\n{"a": }\n{"a": NaN}\n[1]\n', "x.jsonl")
        self.assertEqual(
            list(table.rows),
            [
                (1, {"a": 1}),
                (3, "unreadable"),
                (4, "bad_number"),
                (5, "not_an_object"),
            ],
        )

    def test_rows_that_do_not_fit(self):
        table = open_table(b"a,b\n1,2\n1,2,3\n1\n\n1,2,\n", "x.csv")
        self.assertEqual(
            list(table.rows),
            [
                (2, {"a": "1", "b": "2"}),
                (3, "too_many_cells"),
                (4, {"a": "1"}),
                (6, {"a": "1", "b": "2"}),
            ],
        )

    def test_line_numbers_count_lines_of_the_file(self):
        table = open_table(b'a,b\n"1\nx",2\n3,4\n', "x.csv")
        self.assertEqual([number for number, _row in table.rows], [2, 4])

    def test_unusable_files(self):
        bomb = io.BytesIO()
        with zipfile.ZipFile(bomb, "w") as archive:
            archive.writestr("x.txt", "not a workbook")
        for content, name, code in (
            (b"", "x.csv", "empty_file"),
            (b"\n \n", "x.csv", "empty_file"),
            (b",,\n , \n,,\n", "x.csv", "no_header"),
            (b"a,,c\n1,2,3\n", "x.csv", "empty_column"),
            (b"a,b,a\n1,2,3\n", "x.csv", "double_column"),
            (b"\x80\x81\xff\xff", "x.csv", "bad_file_encoding"),
            (b"\xd0\xcf\x11\xe0 old excel", "x.xls", "not_a_workbook"),
            (bomb.getvalue(), "x.xlsx", "not_a_workbook"),
            (b"PK\x03\x04 broken", "x.xlsx", "not_a_workbook"),
        ):
            with self.subTest(code=code), self.assertRaises(BadFile) as caught:
                open_table(content, name)
            self.assertEqual(caught.exception.code, code)
            self.assertTrue(MESSAGES[code]._source % caught.exception.params)

    def test_hand_set_form_wins(self):
        content = b"a;b\n1,5;2\n"
        table = open_table(content, "x.csv", "utf-8-sig", ",")
        self.assertEqual(table.columns, ["a;b"])
        table = open_table(content, "x.csv", "utf-8-sig", ";")
        self.assertEqual(list(table.rows), [(2, {"a": "1,5", "b": "2"})])
