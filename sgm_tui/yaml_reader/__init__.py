"""Bounded reading of untrusted YAML: nodes with positions, and the scalar rules of the YAML 1.1 that Go reads."""
