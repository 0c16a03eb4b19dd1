"""When two records stand on a level of a comparison: one term, as SQL and as Python.

A term is written once. :meth:`Term.sql` gives the condition on the columns ``x_l`` and
``x_r`` for Splink; :meth:`Term.holds` answers the same for two records in process. An
unknown value (NULL, None) fulfils nothing. Texts are compared as their UTF-8 bytes, as
DuckDB does.

Similarities: Jaro-Winkler (Winkler 1990) and Damerau-Levenshtein (1964, adjacent
transpositions are one edit).
"""

from dataclasses import dataclass

from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler

#: the names of the functions by Splink's dialects
FUNCTIONS = {
    "duckdb": {"winkler": "jaro_winkler_similarity", "edits": "damerau_levenshtein"},
    "spark": {"winkler": "jaro_winkler", "edits": "damerau_levenshtein"},
}


class Term:
    """A condition on two records."""

    def sql(self, dialect):
        """Return the condition in a dialect of :data:`FUNCTIONS`."""
        raise NotImplementedError

    def holds(self, left, right):
        """Tell whether two prepared records (dicts) fulfil the condition."""
        raise NotImplementedError

    def __and__(self, other):
        return Both(self, other)

    def __or__(self, other):
        return Either(self, other)


@dataclass(frozen=True)
class Both(Term):
    """Two conditions that both hold."""

    first: Term
    second: Term

    def sql(self, dialect):
        return f"({self.first.sql(dialect)} AND {self.second.sql(dialect)})"

    def holds(self, left, right):
        return self.first.holds(left, right) and self.second.holds(left, right)


@dataclass(frozen=True)
class Either(Term):
    """Two conditions of which one holds at least."""

    first: Term
    second: Term

    def sql(self, dialect):
        return f"({self.first.sql(dialect)} OR {self.second.sql(dialect)})"

    def holds(self, left, right):
        return self.first.holds(left, right) or self.second.holds(left, right)


@dataclass(frozen=True)
class Same(Term):
    """Equal values."""

    column: str

    def sql(self, dialect):
        return f"{self.column}_l = {self.column}_r"

    def holds(self, left, right):
        value = left[self.column]
        return value is not None and value == right[self.column]


@dataclass(frozen=True)
class Crossed(Term):
    """The value of one column stands in another column of the other record."""

    one: str
    other: str

    def sql(self, dialect):
        one, other = self.one, self.other
        return f"({one}_l = {other}_r OR {other}_l = {one}_r)"

    def holds(self, left, right):
        def meets(a, b):
            return a[self.one] is not None and a[self.one] == b[self.other]

        return meets(left, right) or meets(right, left)


@dataclass(frozen=True)
class Near(Term):
    """Jaro-Winkler similarity of at least ``least``."""

    column: str
    least: float

    def sql(self, dialect):
        function = FUNCTIONS[dialect]["winkler"]
        return f"{function}({self.column}_l, {self.column}_r) >= {self.least}"

    def holds(self, left, right):
        one, other = left[self.column], right[self.column]
        if one is None or other is None:
            return False
        found = JaroWinkler.similarity(one.encode(), other.encode())
        return found >= self.least


@dataclass(frozen=True)
class Edits(Term):
    """At most ``most`` edits apart, both at least ``length`` signs long."""

    column: str
    most: int
    length: int = 0

    def sql(self, dialect):
        function = FUNCTIONS[dialect]["edits"]
        left, right = f"{self.column}_l", f"{self.column}_r"
        near = f"{function}({left}, {right}) <= {self.most}"
        if not self.length:
            return near
        return (
            f"(length({left}) >= {self.length} AND length({right}) >= {self.length}"
            f" AND {near})"
        )

    def holds(self, left, right):
        one, other = left[self.column], right[self.column]
        if one is None or other is None or min(len(one), len(other)) < self.length:
            return False
        found = DamerauLevenshtein.distance(
            one.encode(), other.encode(), score_cutoff=self.most
        )
        return found <= self.most


@dataclass(frozen=True)
class Within(Term):
    """One value is a part of the other, the part at least ``length`` signs long."""

    column: str
    length: int

    def sql(self, dialect):
        left, right = f"{self.column}_l", f"{self.column}_r"
        return (
            f"((length({right}) >= {self.length} AND instr({left}, {right}) > 0)"
            f" OR (length({left}) >= {self.length} AND instr({right}, {left}) > 0))"
        )

    def holds(self, left, right):
        one, other = left[self.column], right[self.column]
        if one is None or other is None:
            return False
        short, long = sorted((one, other), key=len)
        return len(short) >= self.length and short in long


@dataclass(frozen=True)
class Unknown(Term):
    """A column is empty on one side or on both."""

    column: str

    def sql(self, dialect):
        return f"({self.column}_l IS NULL OR {self.column}_r IS NULL)"

    def holds(self, left, right):
        return left[self.column] is None or right[self.column] is None


@dataclass(frozen=True)
class Apart(Term):
    """Numbers that differ by at least ``least``."""

    column: str
    least: int

    def sql(self, dialect):
        return f"abs({self.column}_l - {self.column}_r) >= {self.least}"

    def holds(self, left, right):
        one, other = left[self.column], right[self.column]
        return one is not None and other is not None and abs(one - other) >= self.least
