"""The store: applies what sources report, joins it into cells, and publishes snapshots of the fleet."""
