"""The embedded fleet as a whole: its layout, its scenarios, and virtual time moving it."""
