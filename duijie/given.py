"""What a mapping asks of the step that runs it: a setting that is missing stops the step, not every record of it."""

from __future__ import annotations

from duijie.connect.errors import ConfigError
from duijie.flow import Deliver, Poll, Pull
from duijie.mapping import Mapping

READING = {"partition"}  # what a pull adds to the settings of its step


def must_be_given(step: Pull | Poll | Deliver, mapping: Mapping) -> None:
    """Raises ConfigError naming the settings that a mapping reads without a default and the step does not give."""
    given = set(step.settings) if isinstance(step, Deliver) else READING | set(step.settings)
    if missing := sorted(mapping.parts.needed_settings() - given):
        named = ", ".join(missing)
        raise ConfigError(
            f"步骤 {step.name} 的映射 {mapping.name} 用到 settings 中的 {named}, 步骤没有给出; "
            "请补在该步骤的 settings 中",
            en=f"step {step.name} gives no setting {named}, which its mapping {mapping.name} reads; add it to the step",
            code="SETTINGS",
            where=step.name,
        )
