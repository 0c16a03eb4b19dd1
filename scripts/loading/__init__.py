"""The parts of ``company_load``, one a kind of record."""
