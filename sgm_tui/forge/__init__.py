"""Pull requests: the values and the port, GitHub behind it, and who owns which path."""
