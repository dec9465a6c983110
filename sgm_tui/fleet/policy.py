"""The policy as the domain knows it.

The values themselves are below the configuration, which holds them; whoever judges or plans takes them from here.
"""

from __future__ import annotations

from sgm_tui.policy import GATES, Freeze, GroupBy, Level, Policy, Rules, RuleSet

__all__ = ["GATES", "Freeze", "GroupBy", "Level", "Policy", "RuleSet", "Rules"]
