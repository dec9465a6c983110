"""One module a widget family."""
