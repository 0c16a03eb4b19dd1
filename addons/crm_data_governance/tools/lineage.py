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


class Step(NamedTuple):
    """An edge as it is met on the way from a node.

    :param int depth: 1 for the edges of the node itself
    :param str source: node the value comes from
    :param str target: node the value goes to
    :param str kind: what makes it
    :param bool direct: the value itself flows
    :param bool seen: the farther end was met before; its edges are not followed again
    """

    depth: int
    source: str
    target: str
    kind: str
    direct: bool
    seen: bool


def index_edges(edges):
    """Edges by both of their ends.

    :param edges: iterable of ``(source, target, kind, direct)``
    :return: ``(into, out_of)``: dicts node → list of edges, sorted
    """
    into, out_of = {}, {}
    for edge in sorted(edges):
        into.setdefault(edge[1], []).append(edge)
        out_of.setdefault(edge[0], []).append(edge)
    return into, out_of


def neighbourhood(node, edges_of, upstream, depth=3, limit=2_000):
    """What a node is made from, or what is made from it, step by step.

    Breadth first, so a node stands at its shortest distance; a node that was met before
    is named but not followed, so cycles end.

    :param str node: where to begin
    :param edges_of: function node → list of ``(source, target, kind, direct)`` on the
        side that is asked for
    :param bool upstream: towards the sources
    :param int depth: number of steps
    :param int limit: number of edges after which it stops
    :return: ``(steps, complete)``: list of :class:`Step`, nearest first, and whether
        ``limit`` left none out
    """
    steps, met, front = [], {node}, [node]
    for level in range(1, depth + 1):
        following = []
        for name in front:
            for source, target, kind, direct in edges_of(name):
                far = source if upstream else target
                if len(steps) >= limit:
                    return steps, False
                steps.append(Step(level, source, target, kind, direct, far in met))
                if far not in met:
                    met.add(far)
                    following.append(far)
        front = following
    return steps, True


def split_node(node):
    """:return: ``(kind, code)`` of a node; the kind is empty for ``model.field``, of
    which code is the whole name
    """
    kind, colon, code = node.partition(":")
    return (kind, code) if colon else ("", node)
