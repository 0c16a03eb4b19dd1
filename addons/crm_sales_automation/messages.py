"""What the codes of ``tools/bpmn.py`` mean, in words.

Findings and refusals are stored and raised as code and parameters; the words are
chosen when somebody reads them.
"""

from odoo.tools import LazyTranslate

# Lazy: no environment is at hand here; who reads chooses the language.
# pylint: disable=prefer-env-translation
_lt = LazyTranslate(__name__)

#: Refusals of a file: code → sentence.
REFUSALS = {
    "empty": _lt("The diagram is empty."),
    "too_big": _lt("The diagram is larger than %(limit_mb)s MB."),
    "encoding": _lt("The text cannot be read as “%(encoding)s”. Save it as UTF-8."),
    "doctype": _lt(
        "The diagram declares a document type. It could make the server read other"
        " files or swell without end, and BPMN needs none: remove it."
    ),
    "too_deep": _lt("The diagram is nested more than %(limit)s levels deep."),
    "too_many": _lt("The diagram has more than %(limit)s elements."),
    "not_xml": _lt("This is no XML file: line %(line)s cannot be read."),
}

#: Findings: code → sentence. ``shape`` is what the reader calls the element.
FINDINGS = {
    "not_bpmn": _lt("The file is not BPMN 2.0: its root is %(shape)s."),
    "no_executable": _lt("No process of the file is marked as executable."),
    "several_executable": _lt(
        "%(shape)s is executable too. A file may have one executable process."
    ),
    "duplicate_id": _lt("The identifier of %(shape)s is used %(times)s times."),
    "flow_without_end": _lt("The flow %(shape)s lacks its beginning or its end."),
    "flow_to_nowhere": _lt(
        "The flow %(shape)s is tied to “%(target)s”, which is not in the same process"
        " or sub-process."
    ),
    "default_unknown": _lt(
        "The default flow “%(flow)s” of %(shape)s does not leave from there."
    ),
    "gateway_without_default": _lt(
        "%(shape)s has no default flow: if no condition holds, nothing goes on."
    ),
    "flow_without_condition": _lt(
        "The flow %(shape)s out of “%(gateway)s” has no condition and is not its"
        " default."
    ),
    "unsupported": _lt("%(shape)s (%(type)s) cannot be run by this version."),
    "unsupported_event": _lt(
        "%(shape)s waits for or raises a %(event)s, which this version cannot run."
    ),
    "unsupported_marker": _lt(
        "%(shape)s is marked with %(marker)s, which this version cannot run."
    ),
    "no_start": _lt("%(shape)s has no start event."),
    "empty_process": _lt("There is nothing in %(shape)s."),
    "unreachable": _lt("%(shape)s cannot be reached from a start event."),
    "dead_end": _lt("%(shape)s leads nowhere and is no end event."),
    "endless": _lt("From %(shape)s no end can be reached: it would run for ever."),
    "unnamed": _lt("%(shape)s has no name: nobody will know what to do there."),
    "kept_not_run": _lt(
        "%(count)s × %(type)s: kept and exported, without a part in the run."
    ),
    "other_process": _lt("%(shape)s is not executable: kept and exported, not run."),
}
