"""What the parts of a load share: the database, the tables, and what came before."""

import csv
from collections import Counter
from pathlib import Path

#: the addon whose demonstration the company and its people are of
CAST = "crm_omnichannel"


class Load:
    """One load of the tables in ``folder``.

    Each part leaves here what the later ones refer to: ``users`` by log-in,
    ``products`` by code, ``landed`` by telephone, ``partners``, ``partner_names`` and
    ``orders`` by number.
    """

    def __init__(self, env, folder):
        self.folder = folder
        self.company = env.ref(f"{CAST}.company_shanghai_demo")
        self.env = env(
            context={
                "allowed_company_ids": self.company.ids,
                "lang": "zh_CN",
                "mail_create_nosubscribe": True,
                "no_reset_password": True,
                "mail_notrack": True,
                "tracking_disable": True,
            }
        )
        self.cr = env.cr
        self.external = []
        self.counts = Counter()
        self.left_out = []

    def report(self):
        """Return what was loaded and what was left out, a line each."""
        counted = [f"{count:>8,}  {name}" for name, count in self.counts.items()]
        return "\n".join(counted + self.left_out)

    def rows(self, name):
        """Yield the rows of a table as dicts of texts."""
        path = Path(self.folder) / f"tables/{name}.csv"
        with path.open(encoding="utf-8", newline="") as source:
            yield from csv.DictReader(source)

    def name(self, kind, number, model, record_id):
        self.external.append((f"{kind}_{number}", model, record_id))

    def read(self, records):
        """Return the rows of records as the database holds them."""
        self.env.flush_all()
        self.cr.execute(
            f'SELECT * FROM "{records._table}" WHERE id = ANY(%s) ORDER BY id',
            [records.ids],
        )
        names = [column.name for column in self.cr.description]
        return [dict(zip(names, row)) for row in self.cr.fetchall()]  # noqa: B905

    def prototypes(self, make):
        """Return what ``make()`` returns, with everything it wrote rolled back."""
        with self.cr.savepoint() as savepoint:
            found = make()
            savepoint.rollback()
        self.env.invalidate_all(flush=False)
        return found

    def names_after(self, sequence, count):
        """Return the next ``count`` names of a sequence, and take them."""
        first = sequence.number_next_actual
        names = [sequence.get_next_char(first + step) for step in range(count)]
        sequence.number_next_actual = first + count
        return names

    def people(self):
        """Return what an opportunity copies from its customer, by customer."""
        ids = {partner_id: number for number, partner_id in self.partners.items()}
        languages = {lang.code: lang.id for lang in self.env["res.lang"].search([])}
        self.cr.execute(
            "SELECT id, name, is_company, email, email_normalized, phone,"
            " phone_sanitized, street, city, zip, state_id, country_id, lang"
            " FROM res_partner WHERE id = ANY(%s)",
            [list(ids)],
        )
        return {
            ids[row[0]]: (*row[:12], languages.get(row[12]))
            for row in self.cr.fetchall()
        }
