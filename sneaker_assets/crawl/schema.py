"""The tables of a site's crawl state. Readings, listings, their details and walks are only ever added to.

Who reads and writes them: ``frontier`` (pages) and ``known_images`` (images).
"""

SCHEMA = (
    """CREATE TABLE IF NOT EXISTS walks (
        id INTEGER PRIMARY KEY, kind TEXT NOT NULL, start TEXT NOT NULL, begun_at TEXT NOT NULL, finished_at TEXT)""",
    """CREATE TABLE IF NOT EXISTS frontier (
        kind TEXT NOT NULL,      -- listings or releases: pages of that walk; image
        url TEXT NOT NULL,
        state TEXT NOT NULL,     -- pages: waiting, read, unchanged, failed, unreadable; images: stored, unusable
        attempts INTEGER NOT NULL DEFAULT 0,  -- failures since the last success
        next_at TEXT,            -- images: not asked about before then
        etag TEXT,
        last_modified TEXT,
        sha256 TEXT,             -- of the bytes
        problem TEXT,            -- in one line, where there is one
        first_seen TEXT NOT NULL,
        last_seen TEXT NOT NULL,
        walk INTEGER,            -- pages: the walk in which they were queued last
        position INTEGER,        -- pages: their place in its queue
        reading INTEGER,         -- pages: the reading that holds their listings
        links TEXT,              -- pages: the pages they lead to, JSON
        n_bytes INTEGER,         -- images
        width INTEGER,
        height INTEGER,
        PRIMARY KEY (kind, url))""",
    "CREATE INDEX IF NOT EXISTS queue ON frontier (walk, position)",
    """CREATE TABLE IF NOT EXISTS readings (
        id INTEGER PRIMARY KEY, walk INTEGER NOT NULL, url TEXT NOT NULL, read_at TEXT NOT NULL,
        content INTEGER NOT NULL,  -- the reading that holds the listings: itself, or an earlier one of the same bytes
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
