"""What the codes of promises and of routing mean, in words chosen when read."""

from odoo.tools import LazyTranslate

from odoo.addons.crm_behavior_analytics.messages import FeatureText

# Lazy: no environment is at hand here; who reads chooses the language.
# pylint: disable=prefer-env-translation
_lt = LazyTranslate(__name__)

#: Why a target has its policy. ``matched`` is a list of criteria.
REASONS = {
    "policy": _lt("“%(policy)s”: %(matched)s."),
    "policy_others": _lt(
        "“%(policy)s”: %(matched)s; more specific than %(others)s other policies."
    ),
}

CRITERIA = {
    "team": _lt("its team"),
    "category": _lt("its category"),
    "tags": _lt("a tag"),
    "priority": _lt("its priority"),
    # none of them asked
    "every": _lt("it holds for every ticket"),
}

#: What ended a target, or why it has no deadline.
OUTCOMES = {
    "replied": _lt("Answered by %(user)s."),
    "closed": _lt("The ticket was closed."),
    "breached": _lt("The time was over."),
    "no_working_time": _lt(
        "The working hours “%(calendar)s” hold too little time: no deadline."
    ),
    "paused": _lt("The clock rests while the ticket waits."),
}

#: Why a ticket was given to somebody, or waits. ``because`` is a list of BECAUSE.
ROUTING = {
    "chosen": _lt("%(agent)s: %(because)s."),
    "nobody": _lt("The team has no agent."),
    "nobody_has_skill": _lt("Nobody in the team has %(skills)s."),
    "nobody_available": _lt(
        "Who has the skills is on leave or outside the working hours."
    ),
    "nobody_free": _lt("Who could take it has no free place."),
    "more_urgent": _lt("More urgent tickets took the free places."),
    "failed": _lt("Routing failed; the log of the server has the details."),
}

BECAUSE = {
    "only_one": _lt("nobody else can take it now"),
    "skills": _lt("has the skills asked for"),
    "continuity": _lt("knows the customer from the last ticket"),
    "language": _lt("speaks the customer's language"),
    "least_load": _lt("has the least to do"),
    "least_cost": _lt("costs the least of %(able)s who can take it"),
    "together": _lt("is the best choice for the %(tickets)s tickets routed together"),
}

#: What stands in the way of a candidate.
BLOCKS = {
    "leave": _lt("On leave."),
    "off_hours": _lt("Outside working hours."),
    "full": _lt("No free place: %(load)s of %(capacity)s are taken."),
}

TERMS = {
    "optional": _lt("Optional skills"),
    "language": _lt("Language"),
    "surplus": _lt("More skill than needed"),
    "continuity": _lt("Another agent than last time"),
    "load": _lt("Open tickets"),
}

FACTORS = {
    "tier": _lt("Customer tier"),
    "priority": _lt("Priority"),
    "sla": _lt("Deadline"),
    "age": _lt("Waiting"),
}

#: Features of how a customer is served (tools/features_tickets.py).
FEATURES = {
    "tickets_30d": FeatureText(
        _lt("Tickets, 30 days"),
        _lt("Tickets opened in the last 30 days."),
        _lt("Tickets in 30 days: %(tickets_30d)s"),
    ),
    "tickets_90d": FeatureText(
        _lt("Tickets, 90 days"),
        _lt("Tickets opened in the last 90 days."),
        _lt("Tickets in 90 days: %(tickets_90d)s"),
    ),
    "tickets_365d": FeatureText(
        _lt("Tickets, 365 days"),
        _lt("Tickets opened in the last 365 days."),
        _lt("Tickets in a year: %(tickets_365d)s"),
    ),
    "tickets_open": FeatureText(
        _lt("Open tickets"),
        _lt("Tickets that are not closed."),
        _lt("Open tickets: %(tickets_open)s"),
    ),
    "ticket_open_days_max": FeatureText(
        _lt("Oldest open ticket"),
        _lt("Days since the oldest open ticket was opened."),
        _lt("A ticket is open for %(ticket_open_days_max)s days"),
    ),
    "slow_tickets_90d": FeatureText(
        _lt("Tickets left lying, 90 days"),
        _lt("Tickets of the last 90 days that were open for more than two weeks."),
        _lt("Tickets open for more than two weeks: %(slow_tickets_90d)s"),
    ),
    "ticket_days_mean_365d": FeatureText(
        _lt("Days until a ticket is closed"),
        _lt("Mean days from opening to closing, of the last year's tickets."),
        _lt("Tickets take %(ticket_days_mean_365d)s days on average"),
    ),
    "bad_ratings_30d": FeatureText(
        _lt("Bad ratings, 30 days"),
        _lt("Ratings of tickets in the last 30 days that were dissatisfied."),
        _lt("Dissatisfied with our answers in 30 days: %(bad_ratings_30d)s times"),
    ),
    "bad_ratings_90d": FeatureText(
        _lt("Bad ratings, 90 days"),
        _lt("Ratings of tickets in the last 90 days that were dissatisfied."),
        _lt("Dissatisfied with our answers in 90 days: %(bad_ratings_90d)s times"),
    ),
    "rating_mean_365d": FeatureText(
        _lt("Mean rating"),
        _lt("Mean rating of the last year's tickets, of 5."),
        _lt("Rates our answers with %(rating_mean_365d)s of 5"),
    ),
    "days_since_bad_rating": FeatureText(
        _lt("Days since a bad rating"),
        _lt("Days since the last rating that was dissatisfied."),
        _lt("Was dissatisfied with an answer %(days_since_bad_rating)s days ago"),
    ),
    "promises_missed_90d": FeatureText(
        _lt("Missed service targets, 90 days"),
        _lt("Service targets that failed in the last 90 days."),
        _lt("Service targets missed in 90 days: %(promises_missed_90d)s"),
    ),
}
