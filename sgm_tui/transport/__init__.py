"""HTTP answers with a limit on everything: time, size and where a redirect may lead; shared by every adapter."""
