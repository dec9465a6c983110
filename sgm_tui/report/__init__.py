"""Documents people and scripts read: status JSON, tables, Markdown, and assertions."""
