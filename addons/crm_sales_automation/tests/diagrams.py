"""Diagrams written by hand, small enough to be read."""

from ..tools.bpmn import MODEL


def definitions(*parts, prefix="bpmn"):
    """A file around the parts."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<{prefix}:definitions xmlns:{prefix}="{MODEL}" id="file"'
        ' targetNamespace="http://example.com/bpmn">'
        + "".join(parts)
        + f"</{prefix}:definitions>"
    )


def process(*parts, key="quotation", name="Quotation", executable="true"):
    """A file with one process around the parts."""
    return definitions(
        f'<bpmn:process id="{key}" name="{name}" isExecutable="{executable}">',
        *parts,
        "</bpmn:process>",
    )


def node(tag, key, inside="", **attributes):
    """A flow node; ``default_`` writes the attribute ``default``."""
    attributes.setdefault("name", key)
    written = "".join(f' {k.rstrip("_")}="{v}"' for k, v in attributes.items())
    return f'<bpmn:{tag} id="{key}"{written}>{inside}</bpmn:{tag}>'


def flow(source, target, condition="", key=None):
    """A sequence flow."""
    inside = (
        f"<bpmn:conditionExpression>{condition}</bpmn:conditionExpression>"
        if condition
        else ""
    )
    return (
        f'<bpmn:sequenceFlow id="{key or f"{source}_{target}"}"'
        f' sourceRef="{source}" targetRef="{target}">{inside}</bpmn:sequenceFlow>'
    )


def line(*keys):
    """Flows along the nodes."""
    return "".join(flow(a, b) for a, b in zip(keys, keys[1:], strict=False))


START = node("startEvent", "start")
END = node("endEvent", "end")
GOOD = process(START, node("userTask", "ask"), END, line("start", "ask", "end"))
