"""The polite fetcher and everything that turns a site, a page or an archive into tables.

``source`` is the seam the pipeline uses. Below it: ``listings`` (the walk over a site's pages), ``images`` (checked and
stored by sha256), ``archive`` (a folder in place of a site), ``fetcher`` with ``gate`` and ``robots`` (one polite HTTP
client). How a page is read is ``sites``' concern, and what happens to the tables afterwards the pipeline's.
"""
