"""The screens: widgets that draw snapshots and post intents."""
