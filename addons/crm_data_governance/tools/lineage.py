"""Lineage: where a value comes from, as plain edges.

A node is ``model.field`` (``res.partner.phone``) or ``kind:code``
(``mapping:web-shop``, ``feature:orders_90d``).
"""

import re
from typing import NamedTuple

# ``direct``: the value itself flows; else it only decides (a filter, a condition).
_NODE = re.compile(r"^(?:[a-z][\w]*(?:\.\w+)+|[a-z][a-z_]*:\S+)$", re.ASCII)


class Edge(NamedTuple):
    """``target`` is made from ``source``.

    :param str source: node the value comes from
    :param str target: node the value goes to
    :param str kind: what makes it: ``related``, ``compute``, ``mapping`` …
    :param bool direct: the value itself flows, not only a condition
    """

    source: str
    target: str
    kind: str
    direct: bool = True


def check_node(node):
    """:raise ValueError: not a node's name
    :return: the name
    """
    if not _NODE.match(node):
        raise ValueError(f"Not the name of a lineage node: {node!r}")
    return node


def merge_edges(edges):
    """One edge for each (source, target, kind); direct wins over indirect.

    :param edges: iterable of :class:`Edge`
    :raise ValueError: a node with a wrong name
    :return: dict ``{(source, target, kind): direct}``
    """
    merged = {}
    for edge in edges:
        key = (check_node(edge.source), check_node(edge.target), edge.kind)
        merged[key] = merged.get(key, False) or edge.direct
    return merged
