"""Source of listings in pages that somebody saved from a browser: HTML, MHTML, JSON, HAR and WARC files.

``source`` has the source itself. ``folder`` decides which reader reads a file, ``records`` has what the readers yield.
"""
