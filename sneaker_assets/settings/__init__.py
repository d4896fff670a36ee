"""Settings: those of the environment, those of automation, and the base class of the domain's settings models.

Nothing is imported here, since the domain's settings derive from ``model`` and ``environment`` imports the domain's.
"""
