"""Policy gates: what each checks of a change, and evaluating all that apply."""
