"""Why there are tickets, who can solve them, and what a bad answer does.

The world
    An order leads to a ticket with the chance ``TICKET`` (more when it comes late),
    7 to 13 days after it. A ticket asks for one skill: what the product is and which
    language the customer speaks. It was given to an agent who has the skill with the
    chance ``MATCHED``, whatever the ticket (the company has no routing yet). Solved in
    the first contact, well solved, badly solved or left lying: ``OUTCOMES`` and
    ``FIRST_CONTACT``, by whether the agent had the skill. A ticket that is solved is
    closed 1 to 10 days after it opened; one left lying counts as a bad answer 14 days
    after it opened. Satisfaction 1 or 2 is a bad answer from the day it closed on.
"""

import numpy as np

TICKET, TICKET_IF_LATE = 0.16, 0.50
OPENS = (7, 13)
MATCHED = 0.58
WELL, BADLY, LYING = range(3)
#: by skill (without, with): well, badly solved, left lying
OUTCOMES = np.array([[0.58, 0.30, 0.12], [0.93, 0.05, 0.02]])
#: chance of first contact resolution of a ticket that is solved, without, with skill
FIRST_CONTACT = np.array([0.45, 0.90])
CLOSES = (1, 10)
LYING_DAYS = 14

#: (login, name, skills); a skill is (category, language); the first is of the cast
LANGUAGES = ("zh", "en")
AGENTS = (
    ("sun", "孙悦", ((0, "zh"), (1, "zh"))),
    ("agent.luo", "罗强", ((2, "zh"), (3, "zh"))),
    ("agent.tang", "唐敏", ((0, "zh"), (2, "zh"), (0, "en"))),
    ("agent.cao", "曹宇", ((1, "zh"), (3, "zh"), (3, "en"))),
    ("agent.miller", "Grace Miller", ((0, "en"), (1, "en"), (2, "en"))),
    ("agent.xu", "许丽", ((1, "en"), (2, "en"), (3, "zh"))),
)


def ticket_chance(late):
    """Return P(ticket) of an order."""
    return np.where(late, TICKET_IF_LATE, TICKET)


def can_solve(agent, category, language):
    """Return whether the agent (index) has the skill (category index, language)."""
    return (category, language) in AGENTS[agent][2]


def draw_answers(rng, matched):
    """Return (outcome, closing delay in days, first contact, satisfaction).

    :param matched: (n,) bool; the agent has the skill
    :return: outcome (n,) of WELL, BADLY, LYING; days until closed (20-40 if left
        lying); bool; satisfaction 1-5
    """
    n = len(matched)
    cumulated = np.cumsum(OUTCOMES, axis=1)[matched.astype(int)]
    outcome = (rng.random(n)[:, None] > cumulated[:, :2]).sum(axis=1)
    days = rng.integers(CLOSES[0], CLOSES[1] + 1, n)
    days = np.where(outcome == LYING, rng.integers(20, 41, n), days)
    first = (outcome != LYING) & (rng.random(n) < FIRST_CONTACT[matched.astype(int)])
    satisfaction = np.where(
        outcome == WELL, rng.integers(4, 6, n), rng.integers(1, 3, n)
    )
    # some of the well served are only content
    satisfaction -= (outcome == WELL) & (rng.random(n) < 0.2)
    return outcome, days, first, satisfaction


def bad_day(opened, outcome, days):
    """Return the day on which a bad answer is known, or -1."""
    day = np.where(outcome == LYING, opened + LYING_DAYS, opened + days)
    return np.where(outcome == WELL, -1, day)


def still_open_outcome(rng, matched, age):
    """Return the outcome and closing delay of tickets that are open after ``age`` days.

    Bayes: the chance of each outcome times that of being open so long.

    :param age: (n,) days since it opened, 0 to ``LYING_DAYS``
    """
    n = len(matched)
    span = CLOSES[1] - CLOSES[0] + 1
    open_share = np.clip((CLOSES[1] + 1 - age) / span, 0, 1)
    chances = OUTCOMES[matched.astype(int)].copy()
    chances[:, :2] *= open_share[:, None]
    chances /= chances.sum(axis=1, keepdims=True)
    cumulated = np.cumsum(chances, axis=1)
    outcome = (rng.random(n)[:, None] > cumulated[:, :2]).sum(axis=1)
    earliest = np.maximum(age, CLOSES[0])
    width = np.maximum(CLOSES[1] + 1 - earliest, 1)
    days = earliest + (rng.random(n) * width).astype(int)
    return outcome, days


def first_contact_chances():
    """Return P(solved in the first contact) without and with the skill."""
    return (1 - OUTCOMES[:, LYING]) * FIRST_CONTACT


def first_contact_rates():
    """Return the rate as tickets were given, and with the skill each time."""
    without, matched = first_contact_chances()
    return float(MATCHED * matched + (1 - MATCHED) * without), float(matched)
