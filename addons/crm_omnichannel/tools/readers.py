"""Reading a file that somebody dragged in: CSV, XLSX or JSON lines.

``open_table`` finds out format, encoding and delimiter and returns a :class:`Table`
whose ``rows`` yield ``(line number, dict)`` or ``(line number, refusal code)``. What
makes the whole file unusable raises :class:`BadFile` with a code and parameters.
"""

import codecs
import csv
import io
import zipfile
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import islice
from xml.etree.ElementTree import ParseError

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from .landing import MAX_ITEM_BYTES, Verdict, parse_item

DELIMITERS = (",", ";", "\t", "|")
ENCODINGS = ("utf-8-sig", "gb18030", "utf-16")
#: what an XLSX may unpack to; a zip bomb stops here
MAX_UNPACKED = 512 * 2**20
_SNIFF_BYTES = 256 * 1024
_MAX_FIELD = 2**20


class BadFile(ValueError):
    """A file cannot be read at all: ``code`` and ``params``.

    Codes: ``empty_file``, ``bad_file_encoding``, ``no_header``, ``empty_column``
    (``column``), ``double_column`` (``name``), ``not_a_workbook``, ``too_big``.
    """

    def __init__(self, code, **params):
        super().__init__(code)
        self.code = code
        self.params = params


@dataclass
class Table:
    """An opened file: ``kind`` csv / xlsx / jsonl, ``encoding`` and ``delimiter`` (csv
    only), ``columns`` (None for JSON lines), ``rows`` a one-pass iterable."""

    kind: str
    rows: object
    encoding: str = ""
    delimiter: str = ""
    columns: "list | None" = None


def open_table(content, filename="", encoding=None, delimiter=None):
    """Open a file's content.

    :param bytes content: the file
    :param str filename: its name; only the ending counts, and only as a hint
    :param str encoding: one of ``ENCODINGS`` (default: found out)
    :param str delimiter: one of ``DELIMITERS`` (default: found out)
    :raises BadFile: the file cannot be used
    """
    if not content.strip():
        raise BadFile("empty_file")
    if content[:4] == b"PK\x03\x04":
        return _open_xlsx(content)
    if filename.lower().endswith((".xlsx", ".xls")):
        raise BadFile("not_a_workbook")
    text, found = decode(content, encoding)
    # a JSON value opens with a brace; a CSV header with one is no header
    if text.lstrip()[:1] == "{" or filename.lower().endswith((".jsonl", ".ndjson")):
        return Table("jsonl", _json_rows(text), encoding=found)
    return _open_csv(text, found, delimiter)


# --- TEXT ---


def decode(content, encoding=None):
    """Return ``(text, encoding)`` of a file's bytes.

    Without a hint: a byte order mark decides, else UTF-8 where it fits, else GB 18030
    (which every Chinese Excel writes as "ANSI").

    :raises BadFile: ``bad_file_encoding``
    """
    if encoding is None:
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            encoding = "utf-16"
        else:
            encoding = "utf-8-sig" if _fits(content, "utf-8-sig") else "gb18030"
    try:
        return content.decode(encoding), encoding
    except UnicodeDecodeError as error:
        raise BadFile(
            "bad_file_encoding", encoding=encoding, position=error.start
        ) from error


def _fits(content, encoding):
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def sniff_delimiter(text):
    """Return the delimiter whose number of fields is most even over the first lines."""
    sample = text[:_SNIFF_BYTES]
    best, best_score = ",", 0
    for delimiter in DELIMITERS:
        try:
            reader = csv.reader(io.StringIO(sample), delimiter=delimiter)
            rows = [len(row) for row in islice(reader, 20) if row]
        except csv.Error:
            continue
        if not rows or rows[0] < 2:
            continue
        width, count = Counter(rows).most_common(1)[0]
        score = (rows[0] == width) * count / len(rows) * 1000 + width
        if score > best_score:
            best, best_score = delimiter, score
    return best


def check_header(cells):
    """Return the column names of a header row.

    :raises BadFile: no name, an empty name before the last one, or a name twice
    """
    columns = [str(cell).strip() if cell is not None else "" for cell in cells]
    while columns and not columns[-1]:
        columns.pop()
    if not columns:
        raise BadFile("no_header")
    for number, column in enumerate(columns, 1):
        if not column:
            raise BadFile("empty_column", column=number)
    doubles = [name for name, count in Counter(columns).items() if count > 1]
    if doubles:
        raise BadFile("double_column", name=doubles[0])
    return columns


def _open_csv(text, encoding, delimiter):
    delimiter = delimiter or sniff_delimiter(text)
    limit = csv.field_size_limit(_MAX_FIELD)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        try:
            header = next((row for row in reader if any(map(str.strip, row))), [])
        except csv.Error as error:
            raise BadFile("no_header") from error
    finally:
        csv.field_size_limit(limit)
    columns = check_header(header)
    return Table("csv", _csv_rows(reader, columns), encoding, delimiter, columns)


def _csv_rows(reader, columns):
    while True:
        number = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield number, "unreadable"
            continue
        if any(map(str.strip, row)):
            yield number, _as_dict(columns, row)


def _as_dict(columns, row):
    """Return a row by its columns, or a refusal code if it has cells too many."""
    if len(row) > len(columns):
        if any(cell not in (None, "") for cell in row[len(columns) :]):
            return "too_many_cells"
        row = row[: len(columns)]
    return {
        column: cell
        # a short line leaves the last columns empty
        for column, cell in zip(columns, row, strict=False)
        if cell is not None and cell != ""
    }


def _json_rows(text):
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            yield number, parse_item(line.strip(), MAX_ITEM_BYTES)
        except Verdict as verdict:
            yield number, verdict.code


# --- WORKBOOK ---


def _open_xlsx(content):
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(part.file_size for part in archive.infolist()) > MAX_UNPACKED:
                raise BadFile("too_big")
        book = openpyxl.load_workbook(
            io.BytesIO(content), read_only=True, data_only=True
        )
        sheet = book.worksheets[0]
        rows = sheet.iter_rows(values_only=True)
        header_number, header = next(
            (
                (number, cells)
                for number, cells in enumerate(rows, 1)
                if any(cell not in (None, "") for cell in cells)
            ),
            (0, ()),
        )
    except (
        zipfile.BadZipFile,
        InvalidFileException,
        KeyError,
        IndexError,
        ParseError,
        SyntaxError,
        ValueError,
        OSError,
    ) as error:
        if isinstance(error, BadFile):
            raise
        raise BadFile("not_a_workbook") from error
    columns = check_header(header)
    return Table("xlsx", _xlsx_rows(rows, header_number, columns), columns=columns)


def _xlsx_rows(rows, header_number, columns):
    for number, cells in enumerate(rows, header_number + 1):
        values = [_plain(cell) for cell in cells]
        if any(value not in (None, "") for value in values):
            yield number, _as_dict(columns, values)


def _plain(cell):
    """Return a cell as JSON can hold it: dates ISO, whole numbers without a point."""
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat()
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return int(cell)
    if cell is None or isinstance(cell, str | int | float):
        return cell
    return str(cell)
