"""How domain values look: pure functions from values to tones and text, so that looks can be tested with tables.

Nothing here knows a widget or a clock. Foreign text arrives cleaned and is never parsed as markup.
"""
