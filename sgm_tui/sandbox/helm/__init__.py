"""Rendering the bundled Helm chart without helm."""
