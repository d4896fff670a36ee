"""The asset graph, one module per stage.

An asset function loads its inputs, calls the domain and attaches metadata; every computation is in the domain.
"""
