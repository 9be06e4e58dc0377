"""What `pipeline` and `dcell_model` must agree on: parameters, table schemas and array layouts.

Both packages import this one; it imports neither.
"""
