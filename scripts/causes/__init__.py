"""The causes in the known-truth company, one file an area.

Pure: NumPy only, every random number from a generator that is handed in. Time is
counted in days from the first day of the company's history; week ``t`` is the days
``7 t`` to ``7 t + 6``. ``scripts/company.py`` is the spine that calls them.
"""
