"""What of a view remains for a person whom field policies bind.

The client needs a field that its templates and conditions name, so a hidden field
stays, invisible and empty; everything that searches, groups, sorts or sums a closed
field goes.
"""

import ast
import re

FIELD_ATTRIBUTES = ("sum", "avg", "max", "min")
FALSE_LEAF = (0, "=", 1)


def protect_view(root, model, closed, comodel):
    """Change the view in place.

    :param root: lxml element, the arch of a view of ``model``
    :param dict closed: ``{model: {field: hidden?}}``
    :param comodel: function ``(model, field) -> model or None``
    """
    _protect_root(root, closed.get(model, {}))
    _walk(root, model, closed, comodel, root.tag)


def _walk(parent, model, closed, comodel, view):
    names = closed.get(model, {})
    for node in list(parent):
        if not isinstance(node.tag, str):
            continue
        name = node.get("name", "")
        if node.tag == "field" and name in names:
            if not _protect_field(node, names[name], view):
                parent.remove(node)
                continue
        elif node.tag == "label" and names.get(node.get("for")):
            node.set("invisible", "1")
        elif node.tag == "filter" and _mentions(node, names):
            parent.remove(node)
            continue
        elif node.tag == "progressbar":
            for attribute, value in list(node.items()):
                if attribute.endswith("sum_field") and value in names:
                    del node.attrib[attribute]
        if domain := node.get("filter_domain"):
            node.set("filter_domain", open_domain(domain, names))
        inside = comodel(model, name) if node.tag in ("field", "groupby") else None
        for child in list(node) if inside else ():
            if child.tag in ("list", "form", "kanban"):
                _protect_root(child, closed.get(inside, {}))
                _walk(child, inside, closed, comodel, child.tag)
        if not inside or view == "search":
            _walk(node, model, closed, comodel, view)


def _protect_root(root, names):
    order = root.get("default_order")
    if order:
        kept = [
            part
            for part in order.split(",")
            if part.split()[0].split(".")[0] not in names
        ]
        if kept:
            root.set("default_order", ",".join(kept))
        else:
            del root.attrib["default_order"]
    for attribute in ("default_group_by",):
        if root.get(attribute, "").split(":")[0] in names:
            del root.attrib[attribute]


def _protect_field(node, hidden, view):
    """:return: whether the node stays"""
    if view in ("search", "graph", "pivot"):
        # A search box may look elsewhere; ``filter_domain`` is mended by the caller.
        return view == "search" and bool(node.get("filter_domain"))
    for attribute in FIELD_ATTRIBUTES:
        node.attrib.pop(attribute, None)
    node.set("readonly", "1")
    node.attrib.pop("force_save", None)
    node.attrib.pop("required", None)
    if hidden:
        node.attrib.pop("optional", None)
        node.set("column_invisible" if view == "list" else "invisible", "1")
    return True


def _mentions(node, names):
    text = f"{node.get('domain', '')} {node.get('context', '')} {node.get('date', '')}"
    words = set(re.findall(r"['\"]([a-z_0-9]+)[.:'\"]", text)) | {node.get("date")}
    return not words.isdisjoint(names)


def open_domain(domain, names):
    """The domain of a search box without its closed fields.

    :param str domain: a Python expression, as in ``filter_domain``
    :param names: closed fields
    :return: the expression, each term on a closed field being one that finds nothing
    """
    try:
        tree = ast.parse(domain.strip(), mode="eval")
    except SyntaxError:
        # The client shows the fault of the view; it reaches no closed field.
        return domain
    changed = _OpenDomain(names)
    tree = changed.visit(tree)
    return ast.unparse(tree) if changed.found else domain


class _OpenDomain(ast.NodeTransformer):
    def __init__(self, names):
        self.names = names
        self.found = False

    def visit_Tuple(self, node):
        return self._term(node)

    def visit_List(self, node):
        return self._term(node)

    def _term(self, node):
        elements = node.elts
        if (
            len(elements) == 3
            and isinstance(elements[0], ast.Constant)
            and isinstance(elements[0].value, str)
            and elements[0].value.split(".")[0] in self.names
        ):
            self.found = True
            leaf = [ast.Constant(value) for value in FALSE_LEAF]
            return ast.copy_location(ast.Tuple(elts=leaf, ctx=ast.Load()), node)
        return self.generic_visit(node)
