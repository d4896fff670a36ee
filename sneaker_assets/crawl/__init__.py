"""Crawling of sites, image downloads and archives, as tables.

``source`` is the interface that the pipeline uses. The other modules, one concern each:

- sources: ``listings`` (traversal of a site's pages), ``downloads`` (its images), ``archive`` (a folder in place of a
  site), ``announcements`` (upcoming releases of all sites), ``one_image``, ``listed_images`` (addresses of a
  table or saved page, on any hosts), ``report`` (totals of a crawl);
- state, one SQLite file per site: ``frontier`` (pages and what they showed), ``image_cache``, ``schema`` and
  ``database`` (location and locking of the file);
- HTTP client: ``fetcher``, with ``rate_limiter``, ``robots``, ``transport`` (deadlines and private addresses),
  ``circuit_breaker``, ``settings`` and ``http``;
- ``images`` (validation and storage by SHA-256), ``observations`` (listings as rows), ``errors``.
"""
