"""The pure domain: what a fleet is and what is true of it.

Standard library only. No I/O, no clock (the time is always handed in), no async. Everything here is a
frozen value or a function from values to values, so every rule can be tested with a table.
"""
