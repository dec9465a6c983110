"""Simulated traffic: how much each service gets, and how it is split between versions."""
