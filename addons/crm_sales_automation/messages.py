"""What the codes of ``tools/``, of steps, incidents and rules mean, in words.

They are stored and raised as code and parameters; the words are
chosen when somebody reads them.
"""

from odoo.tools import LazyTranslate

from odoo.addons.crm_data_governance import messages as governance
from odoo.addons.crm_omnichannel import messages as omnichannel

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
    "condition_not_read": _lt(
        "The condition on the flow %(shape)s is read by nothing: conditions belong on"
        " the ways out of an exclusive or inclusive gateway, and not on its default."
    ),
    "bad_condition": _lt(
        "The condition on the flow %(shape)s cannot be read: %(condition)s. %(reason)s"
    ),
    "condition_unknown_name": _lt(
        "The condition on the flow %(shape)s reads “%(name)s”, which is neither a field"
        " of the record nor the outcome of a user task."
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
    "several_starts": _lt("%(shape)s is one start event too many: keep one."),
    "start_entered": _lt("A flow leads back into the start event %(shape)s."),
    "end_goes_on": _lt("A flow leaves the end event %(shape)s."),
    "several_outgoing": _lt(
        "%(count)s flows leave %(shape)s. Draw a gateway that says whether all of"
        " them or some are followed."
    ),
    "double_flow": _lt("%(shape)s leads to “%(target)s” twice."),
    "empty_process": _lt("There is nothing in %(shape)s."),
    "unreachable": _lt("%(shape)s cannot be reached from a start event."),
    "dead_end": _lt("%(shape)s leads nowhere and is no end event."),
    "endless": _lt("From %(shape)s no end can be reached: it would run for ever."),
    "always_again": _lt(
        "From %(shape)s the flow comes back again and again: a loop needs a gateway"
        " that can leave it."
    ),
    "met_twice": _lt(
        "%(shape)s can be reached on the same flow twice at once: join the branches"
        " before it."
    ),
    "stuck": _lt(
        "%(shape)s can wait for ever for a branch that was not taken: join with the"
        " same kind of gateway that has split."
    ),
    "too_complex": _lt(
        "%(shape)s has so many branches at once that it cannot be told what may happen:"
        " divide it into sub-processes."
    ),
    "too_many_nodes": _lt(
        "%(shape)s has more than %(limit)s elements: divide it into sub-processes."
    ),
    "action_missing": _lt(
        "The service task %(shape)s does not say what to do: it needs one crm:action."
    ),
    "action_unknown": _lt(
        "%(shape)s asks for “%(action)s”, which nothing here can do."
    ),
    "parameter_missing": _lt("%(shape)s needs the parameter “%(parameter)s”."),
    "parameter_unknown": _lt("%(shape)s has an unknown parameter “%(parameter)s”."),
    "bad_days": _lt("%(shape)s: “%(days)s” is not a number of days up to 3650."),
    "bad_variable": _lt(
        "%(shape)s stores its outcome as “%(variable)s”: choose a name of letters,"
        " digits and _, other than record and today."
    ),
    "bad_outcomes": _lt(
        "%(shape)s needs one list of at least two outcomes, each with a value of its"
        " own."
    ),
    "stage_unknown": _lt(
        "%(shape)s names the stage “%(stage)s”, which is in no pipeline. Create it or"
        " name another one."
    ),
    "template_unknown": _lt(
        "%(shape)s names the quotation template “%(template)s”, which does not exist."
    ),
    "user_unknown": _lt("%(shape)s names “%(login)s”, who is no user of the company."),
    "unnamed": _lt("%(shape)s has no name: nobody will know what to do there."),
    "kept_not_run": _lt(
        "%(count)s × %(type)s: kept and exported, without a part in the run."
    ),
    "other_process": _lt("%(shape)s is not executable: kept and exported, not run."),
}

#: Why a condition is none: code of ``tools/expressions.py`` → sentence.
EXPRESSIONS = {
    "syntax": _lt("It is not written as a condition is."),
    "too_long": _lt("It is too long."),
    "forbidden": _lt("Conditions have no %(construct)s."),
    "unknown_function": _lt("There is no function “%(name)s”."),
    "unknown_name": _lt("There is no “%(name)s”."),
    "unknown_field": _lt("There is no field “%(name)s”."),
    "wrong_types": _lt("These do not go together: %(types)s."),
    "bad_date": _lt("“%(text)s” is no date: write year-month-day."),
    "too_large": _lt("A value in it is too large."),
    "division": _lt("It divides by zero."),
}

#: What a value in a condition is.
TYPES = {
    "nothing": _lt("nothing"),
    "yes_no": _lt("yes or no"),
    "number": _lt("number"),
    "text": _lt("text"),
    "date": _lt("date"),
    "list": _lt("list"),
    "record": _lt("record"),
}

#: Incidents: code → sentence; the shape stands before it.
INCIDENTS = {
    "condition": _lt("A condition cannot be worked out. %(reason)s"),
    "too_many_steps": _lt(
        "More than %(limit)s steps without waiting for anybody: the process runs in"
        " circles."
    ),
    "too_many_services": _lt(
        "More than %(limit)s services without waiting for anybody: the process runs in"
        " circles."
    ),
    "too_many_chained": _lt(
        "More than %(limit)s processes have started one another: they run in circles."
    ),
    "too_deep": _lt("The process has gone through more than %(limit)s steps."),
    "stuck": _lt("Nothing is left that could go on."),
    "unknown_task": _lt("The task is not waiting any more."),
    "unknown_outcome": _lt("“%(outcome)s” is no outcome that the task offers."),
    "bad_state": _lt("The stored state is of another version of the engine."),
    "record_gone": _lt("The record does not exist any more."),
    "stage_unknown": _lt(
        "The stage “%(stage)s” is not in the pipeline of the opportunity."
    ),
    "template_unknown": _lt("The quotation template “%(template)s” does not exist."),
    "user_unknown": _lt("“%(login)s” is no user of the company."),
    "no_customer": _lt("The opportunity has no customer: choose one."),
    "no_template": _lt(
        "There is no quotation template: choose one on the opportunity, on the process"
        " or in the settings of the company."
    ),
    "not_an_opportunity": _lt("This is a lead: convert it into an opportunity first."),
    "erased": _lt("The reason was erased together with the person."),
    "refused": _lt("It was refused: %(detail)s"),
    "failed": _lt(
        "Something unexpected happened (%(detail)s). It is in the log of the server."
    ),
}

#: What a service task has done: code → sentence.
STEPS = {
    "stage_set": _lt("Stage “%(former)s” → “%(stage)s”"),
    "stage_kept": _lt("The stage was “%(stage)s” already"),
    "quotation_made": _lt("Quotation %(order)s made"),
    "quotation_kept": _lt("Quotation %(order)s was there already"),
    "activity_made": _lt("Activity “%(summary)s” planned"),
}

#: Which rule made a line of a quotation: code → sentence.
RULES = {
    "template_step": _lt("Template “%(template)s”, named by the step of the process"),
    "template_opportunity": _lt("Template “%(template)s” of the opportunity"),
    "template_process": _lt("Template “%(template)s” of the process"),
    "template_company": _lt("Default template “%(template)s” of the company"),
}


def render(env, table, code, params):
    """The sentence of a code in the reader's language; "" without a code.

    :param dict table: one of those above
    :param dict params: as stored; ``error`` and ``details`` are those of an
        expression, and give ``reason``; ``refusal`` and ``refusal_params`` those of an
        exception of crm_omnichannel, and give ``detail``
    """
    params = dict(params or {})
    if "error" in params:
        details = dict(params.get("details") or {})
        if "types" in details:
            kinds = [str(env._(TYPES[kind])) for kind in details["types"]]
            details["types"] = ", ".join(kinds)
        params["reason"] = governance.render(env, EXPRESSIONS, params["error"], details)
    if "refusal" in params:
        params["detail"] = omnichannel.render(
            env, params["refusal"], params["refusal_params"]
        )
    return governance.render(env, table, code, params)
