"""The polite fetcher and everything that turns a site, a page or an archive into tables.

``source`` is the seam the pipeline uses. Below it, each in a module of its own:

- what is done: ``listings`` (the walk over a site's pages), ``downloads`` (its images), ``archive`` (a folder in place
  of a site), ``report`` (what it came to);
- what is remembered, in one SQLite file a site: ``frontier`` (pages and all that they showed), ``known_images``,
  ``schema`` and ``database`` (where the file lies, and who has it);
- one polite HTTP client: ``fetcher``, with ``gate`` (when), ``robots`` (whether), ``transport`` (how long and where
  to), ``refusals`` (when to stop), ``settings`` and ``messages``;
- ``images`` (checked and stored by sha256), ``observations`` (listings as rows), ``errors``.

How a page is read is ``sites``'s concern, and what happens to the tables afterwards the pipeline's.
"""
