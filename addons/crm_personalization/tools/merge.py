"""Merge fields in slot content: ``{{ object.name ||| dear customer }}``.

The notation is the one of Odoo's mail templates. Only names of an allow-list
are filled in, never an expression; only text is replaced, never an attribute, a
script or a style, so that a value can bring no markup and no address with it.
"""

import re

from lxml import etree, html

#: What may stand in a content, and the path on the customer it reads.
FIELDS = {
    "object.name": "name",
    "object.commercial_company_name": "commercial_company_name",
    "object.function": "function",
    "object.city": "city",
    "object.state_id.name": "state_id.name",
    "object.country_id.name": "country_id.name",
    "object.ref": "ref",
    "object.user_id.name": "user_id.name",
}

#: Traits (their usual names) of somebody who is no customer yet, and what they fill.
TRAITS = {
    "name": "name",
    "company": "commercial_company_name",
    "title": "function",
    "city": "city",
    "state": "state_id.name",
    "country": "country_id.name",
}

PLACEHOLDER = re.compile(r"\{\{(.+?)(?:\|\|\|\s*(.*?))?\s*\}\}", re.DOTALL)
_ENCODED = re.compile(r"\{\{|%7B%7B", re.IGNORECASE)
_OPAQUE = ("script", "style")


def _fragment(content):
    """The content under one ``div``; comments and instructions stay as they are."""
    return html.fragment_fromstring(content, create_parent="div")


def _texts(root):
    """Each text of the tree that a reader sees, as (element, attribute name)."""
    for element in root.iter():
        opaque = not isinstance(element.tag, str) or element.tag in _OPAQUE
        if element.text and not opaque:
            yield element, "text"
        if element.tail and element is not root:
            yield element, "tail"


def check(content):
    """What is wrong with the merge fields of a content.

    :param str content: HTML fragment
    :return: ``list[(code, params)]``; codes ``unknown`` (with ``field``) and
        ``attribute`` (a merge field where no text stands; with ``attribute``)
    """
    if not content or not _ENCODED.search(content):
        return []
    root = _fragment(content)
    problems = []
    for element, where in _texts(root):
        for match in PLACEHOLDER.finditer(getattr(element, where)):
            name = match.group(1).strip()
            if name not in FIELDS:
                problems.append(("unknown", {"field": name[:80]}))
        rest = PLACEHOLDER.sub("", getattr(element, where))
        if "{{" in rest:
            problems.append(("unknown", {"field": rest[rest.index("{{") :][:80]}))
    for element in root.iter(etree.Element):
        problems += [
            ("attribute", {"attribute": name})
            for name, value in element.attrib.items()
            if _ENCODED.search(value)
        ]
    return problems


def used_fields(content):
    """The paths on the customer that a content reads, sorted."""
    if not content or not _ENCODED.search(content):
        return []
    found = {
        FIELDS[match.group(1).strip()]
        for element, where in _texts(_fragment(content))
        for match in PLACEHOLDER.finditer(getattr(element, where))
        if match.group(1).strip() in FIELDS
    }
    return sorted(found)


def render(content, values):
    """Fill the merge fields in.

    :param str content: HTML fragment
    :param dict values: path → value; a missing, empty or unknown one gives the
        fallback of the placeholder
    :return: HTML fragment; each value is text in it, whatever it contains
    """
    if not content or "{{" not in content:
        return content or ""

    def fill(match):
        path = FIELDS.get(match.group(1).strip())
        value = values.get(path) if path else None
        # XML knows no control characters; nobody's name needs them.
        text = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "", str(value or ""))
        return text or (match.group(2) or "")

    root = _fragment(content)
    for element, where in list(_texts(root)):
        setattr(element, where, PLACEHOLDER.sub(fill, getattr(element, where)))
    rendered = html.tostring(root, encoding="unicode")
    return rendered[len("<div>") : -len("</div>")]
