"""Arithmetic of a rate limit whose tokens are reserved in blocks.

Several processes share one limit of ``rate`` requests in a window.  Each reserves
a block of tokens from a shared counter and spends it from memory, so that the
counter is not written for every request.  The block is a part of what is left: it
shrinks to one as the window empties.  Therefore the limit is never passed, and what
idle processes may hold back unused stays small.
"""

# A block is at most this part of what is left in the window …
BLOCK_PART = 16
# … and at most this many tokens.
BLOCK_MAX = 64


def block(rate, used):
    """Tokens to hand out next.

    The same formula stands in the SQL of ``governance.rate``; a test compares both.

    :param int rate: tokens in a window (more than 0)
    :param int used: tokens handed out so far in this window
    :return: int, between 0 (nothing left) and what is left
    """
    left = rate - used
    if left <= 0:
        return 0
    return max(1, min(BLOCK_MAX, left // BLOCK_PART))


class Pocket:
    """Tokens that one process holds for one credential in one window.

    Times are those of a monotonic clock in seconds, given by the caller.
    """

    __slots__ = ("expires_at", "tokens")

    def __init__(self, tokens, expires_at):
        self.tokens = tokens
        self.expires_at = expires_at

    def take(self, now):
        """Spend a token.

        :param float now: monotonic clock
        :return: True (spent), False (the window has no tokens left), or None (not
            known: the window is over or the block is spent, ask for another block)
        """
        if now >= self.expires_at:
            return None
        if self.tokens > 0:
            self.tokens -= 1
            return True
        return False if self.tokens < 0 else None

    @classmethod
    def empty(cls, expires_at):
        """A pocket that remembers that the window has nothing left."""
        return cls(-1, expires_at)
