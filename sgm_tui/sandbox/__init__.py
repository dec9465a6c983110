"""The embedded fleet: a simulation that steps in virtual time, served over the real protocols. Imports fleet only."""
