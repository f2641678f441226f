"""What a mapping asks of the step that runs it: a setting that is missing stops the step, not every record of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from duijie.connect.errors import ConfigError
from duijie.mapping import Mapping as Rules


def must_be_given(step: str, settings: Mapping[str, object], mapping: Rules, also: Collection[str] = ()) -> None:
    """Raises ConfigError naming the settings that a mapping reads without a default and the step does not give."""
    missing = sorted(mapping.parts.needed_settings() - set(settings) - set(also))
    if missing:
        named = ", ".join(missing)
        raise ConfigError(
            f"步骤 {step} 的映射 {mapping.name} 用到 settings 中的 {named}, 步骤没有给出; 请补在该步骤的 settings 中",
            en=f"step {step} gives no setting {named}, which its mapping {mapping.name} reads; add it to the step",
            code="SETTINGS",
            where=step,
        )
