"""How records come in, by type of channel.

One class a type; a platform's connector adds its own by subclassing
:class:`Adapter` and ``register``, and its code to the channel's selection.
"""

from .landing import read_documents, read_items

ADAPTERS = {}


def register(adapter):
    """Class decorator: make an adapter known by its ``code``."""
    ADAPTERS[adapter.code] = adapter
    return adapter


class Adapter:
    """What a channel of a type can do. All methods are pure."""

    code = ""
    #: others may post records to the channel's address
    takes_posts = False
    #: a person may drag a file onto the channel
    takes_files = False
    #: it looks at objects that are in Odoo already
    observes = False
    #: it is a platform that is asked, and that calls back (see ``platform.py``)
    syncs = False


@register
class FileAdapter(Adapter):
    """CSV, XLSX and JSON lines."""

    code = "file"
    takes_files = True

    @staticmethod
    def read_rows(rows, envelope):
        """Yield verdicts of the rows of ``readers.open_table``."""
        return read_documents(rows, envelope)


@register
class HttpAdapter(FileAdapter):
    """Posted JSON; a file too, for what the sender could not post."""

    code = "http"
    takes_posts = True

    @staticmethod
    def read_body(body, envelope, lines, sender_key):
        """Yield verdicts of a posted body (see ``landing.read_items``)."""
        return read_items(body, envelope, lines, sender_key)


@register
class OdooAdapter(Adapter):
    """Customers who were typed into Odoo."""

    code = "odoo"
    observes = True
