"""The terminal: its capabilities, Textual's driver for it, the screen canvas, and filtering of its input."""
