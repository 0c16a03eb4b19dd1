"""Who takes which ticket: the exact assignment of least cost.

Two questions, one after the other:

1. *Who is served?*  If the agents have seats for every ticket, all are.  Else the
   most urgent ones, strictly: a ticket waits only if no choice of agents serves it
   beside all that are more urgent.  Sets of tickets that can be served together
   form a transversal matroid, so the set of greatest total urgency is also the one
   that a greedy choice by urgency finds, and none is larger (Edmonds 1971).
2. *By whom?*  Among all ways to serve these, one of least total cost.

Both are minimum-cost flows, solved exactly on integers by OR-tools (Goldberg's
cost-scaling push-relabel): ticket → agent → sink, an agent having one arc a seat
whose costs do not fall, so that the cheaper seats are filled first.

Costs are rounded to ``1 / SCALE``: a sum over n tickets is exact to n / SCALE.
"""

import itertools
import math

#: Steps in one unit of cost.
SCALE = 10_000
#: Greatest cost: what is above is a slip, and would not fit into 64 bits.
MAX_COST = 1_000_000


def scaled(cost):
    """A cost as the solver sees it.

    :param float cost: finite, at most :data:`MAX_COST`
    :return: ``int``, in steps of 1 / :data:`SCALE`
    :raise ValueError: the cost is out of range
    """
    if not 0 <= cost <= MAX_COST:
        raise ValueError(f"A cost must be between 0 and {MAX_COST}: {cost!r}")
    return round(cost * SCALE)


def assign_one(costs, seats):
    """The agent of least cost for a single ticket; no solver is needed.

    :param costs: one cost an agent, ``math.inf`` where it is not allowed
    :param seats: as for :func:`assign`
    :return: index of the agent, the first of equal ones, or None
    :raise ValueError: a cost is out of range
    """
    best = None
    for index, (cost, free) in enumerate(zip(costs, seats, strict=True)):
        if cost == math.inf or not free:
            continue
        total = scaled(cost) + scaled(free[0])
        if best is None or total < best[0]:
            best = total, index
    return best and best[1]


def assign(costs, seats, urgency):
    """The exact assignment of least cost, the most urgent tickets first.

    Ties: of equally urgent tickets the earlier is served; of assignments of equal
    cost the one whose agents' indices have the smaller sum is taken; what is equal
    even then is decided by the solver, the same way each time.

    :param costs: ``costs[ticket][agent]``, shape (tickets, agents), ``math.inf``
        where it is not allowed
    :param seats: for each agent the costs of its free seats, not falling, added to
        the cost of who takes them; an empty list: no seat
    :param urgency: one number a ticket; the greater, the sooner served
    :return: ``list``, the index of the agent or None for each ticket
    :raise ValueError: shapes do not fit, a cost is out of range, seats fall
    """
    import numpy as np

    matrix = np.asarray(costs, dtype=float)
    count = len(urgency)
    if matrix.shape != (count, len(seats)):
        # Without tickets numpy cannot know the number of agents.
        if not count and not matrix.size:
            return []
        raise ValueError(
            f"{matrix.shape} costs for {count} tickets and {len(seats)} agents"
        )
    seats = [[scaled(cost) for cost in agent] for agent in seats]
    if any(a > b for agent in seats for a, b in itertools.pairwise(agent)):
        raise ValueError("The seats of an agent must not become cheaper")
    allowed = np.isfinite(matrix) & (np.array([bool(s) for s in seats], bool))
    within = (matrix >= 0) & ((matrix <= MAX_COST) | np.isposinf(matrix))
    if not within.all():
        raise ValueError(f"A cost must be between 0 and {MAX_COST}, or infinite")
    tickets, agents = np.nonzero(allowed)
    served = _served(tickets, agents, seats, urgency)
    keep = served[tickets]
    tickets, agents = tickets[keep], agents[keep]
    result = [None] * count
    for ticket, agent in _cheapest(
        tickets,
        agents,
        np.rint(matrix[tickets, agents] * SCALE).astype(np.int64),
        seats,
        count,
    ):
        result[ticket] = agent
    return result


def total_cost(costs, seats, assignment):
    """What an assignment costs, the cheapest seats of each agent being taken.

    :param costs: as for :func:`assign`
    :param seats: as for :func:`assign`
    :param assignment: index of an agent or None for each ticket
    :return: ``int``, in steps of 1 / :data:`SCALE`
    """
    total = 0
    taken = [0] * len(seats)
    for ticket, agent in enumerate(assignment):
        if agent is not None:
            total += scaled(costs[ticket][agent]) + scaled(seats[agent][taken[agent]])
            taken[agent] += 1
    return total


def _served(tickets, agents, seats, urgency):
    """Which tickets are served: a mask, shape (tickets,).

    :param tickets: ends of the allowed arcs, with ``agents``, shape (arcs,)
    """
    import numpy as np
    from ortools.graph.python import max_flow

    count = len(urgency)
    source, sink = count + len(seats), count + len(seats) + 1
    flow = max_flow.SimpleMaxFlow()
    everyone = np.arange(count)
    flow.add_arcs_with_capacity(
        np.full(count, source), everyone, np.ones(count, np.int64)
    )
    flow.add_arcs_with_capacity(
        tickets, agents + count, np.ones(len(tickets), np.int64)
    )
    flow.add_arcs_with_capacity(
        np.arange(len(seats)) + count,
        np.full(len(seats), sink),
        np.array([len(free) for free in seats], np.int64),
    )
    status = flow.solve(source, sink)
    if status != flow.OPTIMAL:
        raise RuntimeError(f"OR-tools could not tell how many fit: {status}")
    if flow.optimal_flow() == count:
        return np.ones(count, bool)
    # Any weights in the order of urgency have the same, only, best set: ranks.
    ranks = np.empty(count, np.int64)
    order = sorted(everyone.tolist(), key=lambda index: (-urgency[index], index))
    ranks[order] = np.arange(count, 0, -1)
    solver = _solver()
    solver.add_arcs_with_capacity_and_unit_cost(
        tickets,
        agents + count,
        np.ones(len(tickets), np.int64),
        np.zeros(len(tickets), np.int64),
    )
    solver.add_arcs_with_capacity_and_unit_cost(
        np.arange(len(seats)) + count,
        np.full(len(seats), sink),
        np.array([len(free) for free in seats], np.int64),
        np.zeros(len(seats), np.int64),
    )
    waiting = solver.add_arcs_with_capacity_and_unit_cost(
        everyone, np.full(count, sink), np.ones(count, np.int64), ranks
    )
    _solve(solver, everyone, sink)
    return solver.flows(waiting) == 0


def _cheapest(tickets, agents, costs, seats, count):
    """Serve all tickets that have an arc, at least cost: ``[(ticket, agent)]``

    :param costs: scaled, shape (arcs,)
    :param int count: number of tickets, also of those that are not served
    """
    import numpy as np

    served = np.unique(tickets)
    sink = count + len(seats)
    # The tie-break stands in the digits below the cost and never reaches them.
    digits = len(served) * len(seats) + 1
    solver = _solver()
    arcs = solver.add_arcs_with_capacity_and_unit_cost(
        tickets,
        agents + count,
        np.ones(len(tickets), np.int64),
        costs * digits + agents,
    )
    flat = [(agent, cost) for agent, free in enumerate(seats) for cost in free]
    owners = np.array([agent for agent, _cost in flat], np.int64)
    solver.add_arcs_with_capacity_and_unit_cost(
        owners + count,
        np.full(len(flat), sink),
        np.ones(len(flat), np.int64),
        np.array([cost for _agent, cost in flat], np.int64) * digits,
    )
    _solve(solver, served, sink)
    used = solver.flows(arcs) == 1
    return zip(tickets[used].tolist(), agents[used].tolist(), strict=True)


def _solver():
    from ortools.graph.python import min_cost_flow

    return min_cost_flow.SimpleMinCostFlow()


def _solve(solver, sources, sink):
    """Send one unit from each source to the sink.

    :raise ValueError: the costs do not fit into 64 bits
    """
    for source in sources.tolist():
        solver.set_node_supply(source, 1)
    solver.set_node_supply(sink, -len(sources))
    status = solver.solve()
    if status == solver.BAD_COST_RANGE:
        raise ValueError("These costs are too far apart for so many tickets")
    if status != solver.OPTIMAL:
        raise RuntimeError(f"OR-tools found no assignment: {status}")
