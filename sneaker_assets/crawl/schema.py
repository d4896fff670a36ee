"""SQL schema of a site's crawl state, used by ``frontier`` (pages) and ``image_cache`` (images).

Rows of ``walks``, ``readings``, ``listings`` and ``details`` are never deleted; the first two record a traversal of the
site and a page fetched in it.
"""

SCHEMA = (
    """CREATE TABLE IF NOT EXISTS walks (
        id INTEGER PRIMARY KEY, kind TEXT NOT NULL, start TEXT NOT NULL, begun_at TEXT NOT NULL, finished_at TEXT)""",
    """CREATE TABLE IF NOT EXISTS frontier (
        kind TEXT NOT NULL,      -- listings or releases (pages of that kind of walk), or image
        url TEXT NOT NULL,
        state TEXT NOT NULL,     -- pages: waiting, read, unchanged, failed, unreadable; images: stored, unusable
        attempts INTEGER NOT NULL DEFAULT 0,  -- consecutive failures
        next_at TEXT,            -- images: time from which the entry is stale
        etag TEXT,
        last_modified TEXT,
        sha256 TEXT,             -- of the body
        problem TEXT,            -- one line
        first_seen TEXT NOT NULL,
        last_seen TEXT NOT NULL,
        walk INTEGER,            -- pages: last walk in which the page was queued
        position INTEGER,        -- pages: position in the queue of that walk
        reading INTEGER,         -- pages: last reading that holds its listings
        links TEXT,              -- pages: URLs of the next pages, JSON
        n_bytes INTEGER,         -- images
        width INTEGER,
        height INTEGER,
        PRIMARY KEY (kind, url))""",
    "CREATE INDEX IF NOT EXISTS queue ON frontier (walk, position)",
    """CREATE TABLE IF NOT EXISTS readings (
        id INTEGER PRIMARY KEY, walk INTEGER NOT NULL, url TEXT NOT NULL, read_at TEXT NOT NULL,
        content INTEGER NOT NULL,  -- reading that holds the listings: itself, or an earlier one of the same content
        listed INTEGER, yielded INTEGER NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS listings (
        id INTEGER PRIMARY KEY, reading INTEGER NOT NULL, product_id TEXT NOT NULL, listing TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS content ON listings (reading)",
    """CREATE TABLE IF NOT EXISTS details (
        id INTEGER PRIMARY KEY, reading INTEGER NOT NULL, product_id TEXT NOT NULL, details TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS details_content ON details (reading)",
    """CREATE VIEW IF NOT EXISTS observations AS
        SELECT walk, url AS page, read_at AS observed_at, product_id, listing, readings.id AS reading, listings.id
        FROM readings JOIN listings ON listings.reading = readings.content""",
    """CREATE VIEW IF NOT EXISTS additions AS
        SELECT walk, read_at AS observed_at, product_id, details, readings.id AS reading, details.id
        FROM readings JOIN details ON details.reading = readings.content""",
    "CREATE TABLE IF NOT EXISTS holds (host TEXT PRIMARY KEY, until TEXT NOT NULL)",
)
