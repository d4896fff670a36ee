"""The graph: one module a stage, in the order the data flows.

An asset function takes its inputs, calls the domain and attaches metadata; what it computes is decided there.
"""
