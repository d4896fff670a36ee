"""Sources of listings behind one interface, ``base.ListingSource``.

``web`` crawls sites over HTTP, ``demo`` is the offline shop, ``archive`` reads tables and images of a folder, and
``announcements`` reads the upcoming releases of all sites.
"""
