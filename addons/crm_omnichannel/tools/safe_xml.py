"""Reading the small XML messages of platforms, whoever sent them.

A document type is refused at its first character, so there is no entity that could be
expanded or fetched; depth and number of elements are limited.
"""

from xml.parsers import expat

MAX_ELEMENTS = 5000
MAX_DEPTH = 16


class XmlError(ValueError):
    """The text is no XML, or more than a message needs."""


def read_message(data):
    """Return the elements below the root: ``{tag: text}``.

    An element with children is such a dict itself, several with one tag are a list.

    :param bytes data: UTF-8
    :raise XmlError: it cannot be read, or must not be
    """
    reader = _Reader()
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.EntityDeclHandler = reader.refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, UnicodeDecodeError, ValueError) as error:
        raise XmlError(str(error)) from None
    if not isinstance(reader.root, dict):
        raise XmlError("no elements")
    return reader.root


class _Reader:
    def __init__(self):
        self.root = None
        self.stack = []
        self.count = 0

    def refuse(self, *_arguments):
        raise XmlError("a document type")

    def start(self, tag, _attributes):
        self.count += 1
        if self.count > MAX_ELEMENTS or len(self.stack) >= MAX_DEPTH:
            raise XmlError("too much")
        self.stack.append((tag, {}, []))

    def text(self, data):
        self.stack[-1][2].append(data)

    def end(self, _tag):
        tag, children, texts = self.stack.pop()
        value = children or "".join(texts).strip()
        if not self.stack:
            self.root = value
            return
        siblings = self.stack[-1][1]
        if tag not in siblings:
            siblings[tag] = value
        elif isinstance(siblings[tag], list):
            siblings[tag].append(value)
        else:
            siblings[tag] = [siblings[tag], value]
